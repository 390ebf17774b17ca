"""Runs the command on a pseudo-terminal."""

from __future__ import annotations

import os
import select
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.support import COMMAND


if TYPE_CHECKING:
    from collections.abc import Callable


def on_terminal(
    *arguments: object, answer: Callable[[str], bytes] | None = None, **variables: str
) -> tuple[int, str]:
    """Run the command on a pseudo-terminal; return its exit code and all it wrote.

    ``answer`` gets that, and what has been typed, and returns what is typed next.
    """
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    import pty  # noqa: PLC0415 - POSIX only

    # CI services are told apart by this; people's terminals do not have it.
    environ = {k: v for k, v in os.environ.items() if k != "CI"}
    command = [*COMMAND, *map(str, arguments)]
    pid, terminal = pty.fork()
    if pid == 0:
        os.execve(
            sys.executable,
            command,
            environ | {"TERM": "xterm-256color", "LANG": "C.UTF-8"} | variables,
        )
    written = b""
    typed = ""
    while select.select([terminal], [], [], 60)[0]:
        try:
            block = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other end is closed
            break
        if not block:
            break
        written += block
        if answer and (keys := answer(written.decode(errors="replace") + typed)):
            # The terminal echoes what it turns into a signal as two characters.
            typed += keys.decode()
            time.sleep(0.3)
            os.write(terminal, keys)
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), written.decode()
