"""Runs the real command, which stops at one named step until it may go on.

Arguments: the folder of the gates, this process's name there, the step, and those of the
command. A step is ``module:attribute@when``; the first call of the attribute stops
``before`` or ``after`` it, or after the first one that ``got`` something. Without a step
nothing stops. The identity and subject of each message that leaves are added to the file
``sent`` of the folder.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_runner.cli import main
from python_runner.delivery.transports.file import FileTransport


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import Message


def stop(gates: Path, name: str) -> None:
    """Say that the step is reached, and wait; a test that is gone is not waited for."""
    (gates / f"{name}.at").touch()
    end = time.monotonic() + 120
    while not (gates / f"{name}.go").exists():
        if time.monotonic() > end:
            os._exit(99)
        time.sleep(0.01)


def gated(
    original: Callable[..., Any], when: str, wait: Callable[[], None]
) -> Callable[..., Any]:
    """Return a function that does the same, and waits once."""
    waited: list[str] = []

    def wait_once() -> None:
        if not waited:
            waited.append(when)
            wait()

    def call(*arguments: Any, **options: Any) -> Any:
        if when == "before":
            wait_once()
        result = original(*arguments, **options)
        if when == "after" or (when == "got" and result is not None):
            wait_once()
        return result

    return call


def install(step: str, wait: Callable[[], None]) -> None:
    """Let the real step wait."""
    where, _, when = step.partition("@")
    module, _, path = where.partition(":")
    owner: Any = importlib.import_module(f"python_runner.{module}")
    *holders, attribute = path.split(".")
    for holder in holders:
        owner = getattr(owner, holder)
    setattr(owner, attribute, gated(getattr(owner, attribute), when, wait))


def run() -> None:
    """Do what the arguments say."""
    gates, name, step, *arguments = sys.argv[1:]
    write = FileTransport.write

    def noted(transport: FileTransport, message: Message) -> Path:
        file = write(transport, message)
        with (Path(gates) / "sent").open("a", encoding="utf-8") as sent:
            sent.write(f"{message.message_id} {message.subject}\n")
        return file

    FileTransport.write = noted  # type: ignore[method-assign, assignment]
    if step:
        install(step, lambda: stop(Path(gates), name))
    sys.argv = ["python-runner", *arguments]
    main()


if __name__ == "__main__":
    run()
