r"""Runs the command in a console under wine, and types on it; needs no package.

To a Windows program that wine starts in a pseudo-terminal, this is a console: it has
colours, a cursor and a keyboard. Windows itself gives tests no such keyboard.

    python tests/windows/console.py wine 'Z:\...\python-runner.exe'
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence

assert sys.platform != "win32"  # what it drives is Windows, under wine

#: Seconds in which something that should appear on the screen does.
PATIENCE = 90.0
_SEQUENCE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07]*\x07")


class Console:
    """A program in a pseudo-terminal.

    Attributes:
        shown: all that it has written.
    """

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self.shown = ""
        self._pid, self._screen = pty.fork()
        if self._pid == 0:
            os.chdir(folder)
            os.execvp(command[0], list(command))

    @property
    def words(self) -> str:
        """What it has written, without terminal sequences."""
        return _SEQUENCE.sub("", self.shown)

    def wait_for(self, words: str) -> None:
        """Read until ``words`` were written; fail after a while."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.words:
            left = deadline - time.monotonic()
            if left <= 0 or not self._read(left):
                raise SystemExit(f"never shown: {words!r}; shown:\n{self.words}")

    def type(self, keys: str) -> None:
        """Type something."""
        os.write(self._screen, keys.encode())

    def end(self) -> None:
        """End what is left: wine does not always end with its program."""
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        os.waitpid(self._pid, 0)
        os.close(self._screen)

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._screen], [], [], seconds)
        if not ready:
            return False
        try:
            data = os.read(self._screen, 65536)
        except OSError:
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)


def make_project(folder: Path, name: str, sources: dict[str, str]) -> Path:
    """Make a project of these scripts."""
    project = folder / name
    project.mkdir()
    config = {
        "scripts": list(sources),
        "python_command": None,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": False,
        "logs_backup_count": 0,
    }
    (project / "exec_config.json").write_text(json.dumps(config), "utf-8")
    for script, source in sources.items():
        (project / script).write_text(source, "utf-8")
    return project


def has_live_view(command: Sequence[str], folder: Path) -> None:
    """A run is drawn with colours, and redrawn."""
    make_project(folder, "live", {"a.py": "", "b.py": "1/0"})
    console = Console([*command, "run", "live"], folder)
    try:
        console.wait_for("1 succeeded, 1 failed")
        sequences = {found[-1] for found in _SEQUENCE.findall(console.shown)}
        if not {"m"} <= sequences:
            raise SystemExit(f"no colours: {console.shown!r}")
    finally:
        console.end()


def obeys_ctrl_c(command: Sequence[str], folder: Path) -> None:
    """A typed Ctrl-C stops the script that runs, skips the others and is logged."""
    waits = "import pathlib, time; pathlib.Path('begun').touch(); time.sleep(120)"
    project = make_project(folder, "typed", {"a.py": waits, "b.py": ""})
    console = Console([*command, "run", "typed"], folder)
    try:
        deadline = time.monotonic() + PATIENCE
        while not (project / "begun").exists():
            if time.monotonic() > deadline:
                raise SystemExit(f"never begun: {console.words}")
            time.sleep(0.1)
        console.type("\x03")
        console.wait_for("1 stopped, 1 not started")
    finally:
        console.end()
    lines = (project / "logs" / "typed.log").read_text("utf-8").splitlines()
    words = dict(line.split(" - ")[5:7] for line in lines)
    if words != {"a.py": "failure", "b.py": "skipped"}:
        raise SystemExit(f"logged: {lines}")


def main(command: Sequence[str]) -> None:
    """Check all, one after the other; the first that does not hold ends the program."""
    os.environ["LANGUAGE"] = "en"
    for check in (has_live_view, obeys_ctrl_c):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            os.environ["PYTHON_RUNNER_HOME"] = "Z:" + str(folder / "home")
            check(command, folder)
        print(f"{check.__name__}: holds", flush=True)  # noqa: T201 - for whoever runs it


if __name__ == "__main__":
    main(sys.argv[1:])
