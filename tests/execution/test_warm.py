"""A script sees no difference, and nobody else does, when its interpreter is started ahead."""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest
from python_runner.execution.warm import Held, WarmPool
from tests.execution.test_process import make_command
from tests.execution.warm_scripts import EVERYWHERE, LINUX, MODULES, POSIX


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from python_runner.model import Attempt, Command
    from python_runner.texts.sentence import Sentence

#: How a script is started ahead: by its own interpreter, or forked by a server.
WAYS = ["started", *(["forked"] if sys.platform == "linux" else [])]
#: Modules of which a fork has to put something in order.
PRELOADED = ("json", "logging", "threading", "random", "multiprocessing.process")
SCRIPTS = {
    **EVERYWHERE,
    **(POSIX if sys.platform != "win32" else {}),
    **(LINUX if sys.platform == "linux" else {}),
}


@dataclass(eq=False)
class Watched(WarmPool):
    """A pool that remembers which interpreters it has given away."""

    given: list[Held | None] = field(default_factory=list)

    def take(self, command: Command) -> Held | None:
        """Remember what is taken."""
        self.given.append(super().take(command))
        return self.given[-1]


@contextmanager
def pool_of(
    commands: Sequence[Command], preload: Sequence[str] = (), **changes: Any
) -> Iterator[Watched]:
    """Give a pool that serves commands; nothing of it is left afterwards."""
    told: list[Sentence] = []
    values: dict[str, Any] = {"lanes": 1, "warn": told.append, "stop": StopRequest()}
    pool = Watched(preload=tuple(preload), **(values | changes))
    pool.start(commands[0])
    try:
        yield pool
    finally:
        pool.close()


def run_all(commands: Sequence[Command], way: str) -> list[Attempt]:
    """Run commands one after the other; each is started ahead, none falls back."""
    if way == "cold":
        return [run_command(command) for command in commands]
    attempts = []
    with pool_of(commands, PRELOADED if way == "forked" else ()) as pool:
        for number, command in enumerate(commands):
            pool.prepare(commands[number : number + 1])
            attempts.append(run_command(command, warm=pool))
        for command, held in zip(commands, pool.given, strict=True):
            assert held is not None, command.argv
            assert held.taken, command.argv
    return attempts


@dataclass(frozen=True)
class Seen:
    """What came of a script: all that anybody can know of it but times and sizes."""

    output: str
    outcome: str
    exit_code: int | None
    reason: str
    traceback: str
    warnings: tuple[str, ...]
    files: dict[str, bytes]


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder but for outputs and caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in {".log", ".pyc"}
        and path.relative_to(folder).as_posix()
        not in {f"see-{name}.py" for name in SCRIPTS}
    }


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], tuple[Seen, Seen]]:
    """Return a function that tells what came of a script, cold and in another way.

    The folder has the same path each time: scripts print it.
    """
    folder = tmp_path_factory.mktemp("warm") / "project"
    known: dict[str, dict[str, Seen]] = {}

    def run(way: str) -> dict[str, Seen]:
        if way not in known:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, text in MODULES.items():
                (folder / name).write_text(text)
            commands = []
            for name, text in SCRIPTS.items():
                script = folder / f"see-{name}.py"
                coding = "latin-1" if name == "coding" else "utf-8"
                script.write_text(text, encoding=coding, newline="\n")
                output = str(folder / f"{name}.log")
                commands.append(script_command(folder, script, output=output))
            attempts = run_all(commands, way)
            known[way] = {
                name: Seen(
                    settled((folder / f"{name}.log").read_text("utf-8", "replace")),
                    attempt.outcome.value,
                    attempt.exit_code,
                    str(attempt.reason),
                    str(attempt.traceback),
                    tuple(map(str, attempt.warnings)),
                    files_of(folder),
                )
                for name, attempt in zip(SCRIPTS, attempts, strict=True)
            }
        return known[way]

    return lambda way, name: (run("cold")[name], run(way)[name])


def script_command(folder: Path, script: Path, **changes: Any) -> Command:
    """Return the command of a script as a run makes it."""
    plain = make_command(folder)
    values = {
        "argv": (sys.executable, str(script), "one", "two words"),
        "flags": plain.argv[1:],
    }
    return make_command(folder, **(values | changes))


def settled(text: str) -> str:
    """Return an output without what differs from process to process."""
    text = re.sub(r"0x[0-9a-fA-F]+", "0x", text)
    return re.sub(r"(Thread|thread) 0x \(most recent", r"\1 (most recent", text)


@pytest.mark.slow
@pytest.mark.together
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_script_sees_no_difference(
    way: str, name: str, seen: Callable[[str, str], tuple[Seen, Seen]]
) -> None:
    """Its output, its end and the files that it makes are the same."""
    cold, warm = seen(way, name)

    assert warm == cold
