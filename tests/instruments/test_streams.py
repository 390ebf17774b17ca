"""Every command, with every kind of stream that the world attaches to it.

The oracle: the scripts ran, the exit code is theirs, the command ends, and nobody sees
a Python traceback. What a broken stream takes away is the text, nothing else.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.world import plain_environment, sample
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = [
    pytest.mark.instrument,
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform != "linux", reason="has Linux' /dev/full"),
]

#: Runs the command as ``python -m`` does, and keeps what nobody may see: a closed or
#: full stderr would hide it.
LAUNCH = """
import os, runpy, sys, threading, traceback
def keep(kind, error, place, _then=sys.excepthook):
    with open(os.environ["SEEN_TRACEBACKS"], "a") as file:
        file.writelines(traceback.format_exception(kind, error, place))
    if sys.stderr is not None:
        _then(kind, error, place)
sys.excepthook = keep
threading.excepthook = lambda args: keep(args.exc_type, args.exc_value, args.exc_traceback)
for name in os.environ["NO_STREAMS"].split():
    setattr(sys, name, None)
runpy.run_module("python_runner", run_name="__main__", alter_sys=True)
"""
SCRIPT = """
import pathlib, time
pathlib.Path("{name}.began").touch()
while not pathlib.Path("go").exists():
    time.sleep(0.01)
print("output of {name}")
pathlib.Path("{name}.ended").touch()
"""
#: Commands that run scripts: {name: (arguments, scripts that run)}.
RUNS = {
    "run": "run good",
    "run-json": "run --json good",
    "run-quiet": "run -q good",
    "run-verbose": "run -v good",
    "run-failing": "run bad",
    "run-failing-json": "run --json bad",
    "run-jobs": "run --jobs 2 good bad",
    "run-quiet-json": "run -q --json good",
}
OTHERS = {
    "check": "check good",
    "check-json": "check --json good",
    "check-wrong": "check wrong",
    "history": "history",
    "history-json": "history --json",
    "show": "show {run}",
    "show-json": "show --json {run}",
    "output": "output {run}",
    "logs": "logs good",
    "mail-list": "mail list",
    "mail-flush": "mail flush",
    "init-nowhere": "init nowhere",
    "backup": "backup copy.sqlite3",
    "completion": "completion bash",
    "demo": "demo",
    "dry-run": "run --dry-run good",
    "resume": "run --resume good",
    "run-wrong": "run wrong",
    "usage": "run --no-such-option",
    "version": "--version",
    "help": "--help",
    "run-help": "run --help",
}
COMMANDS = RUNS | OTHERS
KINDS = ("closed", "full", "gone", "unread", "refusing", "pty", "none")
#: One stream is broken, or both are, in the same way.
PAIRS = [
    pair for kind in KINDS for pair in ((kind, "pipe"), ("pipe", kind), (kind, kind))
]
NOTICES = ("plain", "notice")


def cell(command: str, out: str, err: str, notice: str) -> str:
    """Return the name of a cell, by which it is chosen and known."""
    return f"{command}:out={out}:err={err}:{notice}"


#: The matrix; those that run scripts come first.
CELLS = [
    cell(command, *pair, notice)
    for command, notice, pair in product(COMMANDS, NOTICES, PAIRS)
]
#: Pipes that nobody reads: full ones, that block a write or refuse it.
UNREAD = {"unread", "refusing"}
#: Each cell of this kind costs seconds: the quick profile takes a few.
_UNREAD = [c for c in CELLS if any(kind in c for kind in UNREAD)]
_RUNS = [c for c in CELLS if c.split(":")[0] in RUNS and c not in _UNREAD]
_OTHERS = [c for c in CELLS if c.split(":")[0] in OTHERS and c not in _UNREAD]
CHOSEN = [*sample(_RUNS, 40, 1), *sample(_OTHERS, 25, 1), *sample(_UNREAD, 4, 2)]

#: Seconds after which something that should have happened never will.
PATIENCE = 30.0
#: Seconds that a command gets to end by itself when its scripts have.
PAUSE = 3.0


#: What nobody may see of a command.
BROKEN = r"(?m)^(?:Traceback \(most recent|Exception ignored)"


@dataclass
class Stream:
    """One standard stream of a command.

    Attributes:
        descriptor: what the command gets; None where the shell or the launcher does it.
        held: descriptors of ours that are closed at the end.
        master: the other side of a pseudo-terminal.
    """

    kind: str
    descriptor: int | None = None
    held: list[int] = field(default_factory=list)
    master: int | None = None

    @classmethod
    def opened(cls, kind: str) -> Stream:
        """Open a stream of a kind."""
        if sys.platform != "win32":
            if kind == "full":
                return cls(kind, os.open("/dev/full", os.O_WRONLY))
            if kind == "gone":
                reader, writer = os.pipe()
                os.close(reader)
                return cls(kind, writer)
            if kind in UNREAD:
                reader, writer = os.pipe()
                os.set_blocking(writer, False)
                for size in (65536, 4096, 1):
                    try:
                        while os.write(writer, bytes(size)):
                            pass
                    except BlockingIOError:
                        pass
                os.set_blocking(writer, kind != "refusing")
                return cls(kind, writer, held=[reader])
            if kind == "pty":
                master, slave = os.openpty()
                os.set_blocking(master, False)
                return cls(kind, slave, master=master)
        return cls(kind)

    def started(self) -> None:
        """Close what only the command has to hold."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def hang_up(self) -> None:
        """Close the other side of a pseudo-terminal."""
        if self.master is not None:
            os.close(self.master)
            self.master = None

    def drain(self) -> None:
        """Read what a pseudo-terminal shows, so that nobody waits for us."""
        if self.master is not None:
            with contextlib.suppress(OSError):
                os.read(self.master, 65536)

    def close(self) -> None:
        """Close all that is ours."""
        self.hang_up()
        for descriptor in self.held:
            os.close(descriptor)


@dataclass(frozen=True)
class Seen:
    """What a command did."""

    exit_code: int | None
    stdout: str
    stderr: str
    tracebacks: str
    #: Whether all scripts had ended before anybody asked the command to end.
    ran: bool
    logged: int


class Place:
    """A folder with projects, and the command in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.run_id = "none"
        project = partial(make_project, folder)
        project("good", {"a.py": "", "b.py": ""})
        project("bad", {"c.py": "raise SystemExit(7)", "d.py": ""})
        project("wrong", {"e.py": ""}, scripts=7)

    def command(self, name: str, notice: str, out: str, err: str) -> Seen:
        """Run a command to its end with two streams of the given kinds."""
        streams = (Stream.opened(out), Stream.opened(err))
        marks = self._marks(name)
        # Only while a script runs can a terminal go away.
        waits = "pty" in (out, err) and bool(marks)
        if not waits:
            self._let_scripts_go()
            for stream in streams:
                stream.hang_up()
        arguments = COMMANDS[name].format(run=self.run_id)
        process = self.start(arguments, notice, streams)
        code: int | None = None
        try:
            for stream in streams:
                stream.started()
            if waits:
                self._hang_up_during(process, marks, streams)
            ran = True
            if UNREAD & {out, err}:
                ran = wait_for_marks(process, marks)
                # What waits for its reader is asked to end; the rest ends by itself.
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(timeout=PAUSE)
                process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=PATIENCE)
                code = process.returncode
        finally:
            process.kill()
            stdout, stderr = process.communicate()
            for stream in streams:
                stream.close()
        tracebacks = self.folder / "tracebacks"
        return Seen(
            exit_code=code,
            stdout=stdout or "",
            stderr=stderr or "",
            tracebacks=tracebacks.read_text() if tracebacks.exists() else "",
            ran=ran and all(mark.exists() for mark in marks),
            logged=sum(
                len(log.read_text().splitlines())
                for log in self.folder.glob("*/logs/*.log")
            ),
        )

    def _marks(self, name: str) -> list[Path]:
        """Return the files that tell that a command's scripts have ended."""
        projects = COMMANDS[name].split() if name in RUNS else ()
        return [
            self.folder / project / f"{script}.ended"
            for project, scripts in (("good", "ab"), ("bad", "cd"))
            for script in scripts
            if project in projects
        ]

    def start(
        self, arguments: str, notice: str, streams: tuple[Stream, Stream]
    ) -> subprocess.Popen[str]:
        """Start a command with these streams."""
        closed = [f"{n}>&-" for n, s in enumerate(streams, 1) if s.kind == "closed"]
        names = zip(("stdout", "stderr"), streams, strict=True)
        environment = plain_environment(self.folder) | {
            "NO_STREAMS": " ".join(n for n, s in names if s.kind == "none"),
            "SEEN_TRACEBACKS": str(self.folder / "tracebacks"),
        }
        if notice == "notice":
            environment["PYTHON_RUNNER_HOME"] = "/dev/null/nowhere"
        shell = ["/bin/sh", "-c", " ".join(['exec "$0" "$@"', *closed])]
        out, err = (
            subprocess.PIPE if s.descriptor is None else s.descriptor for s in streams
        )
        return subprocess.Popen(
            [*shell, sys.executable, "-c", LAUNCH, *shlex.split(arguments)],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            encoding="utf-8",
            start_new_session=True,
        )

    def _let_scripts_go(self) -> None:
        for project in ("good", "bad"):
            (self.folder / project / "go").touch()

    def _hang_up_during(
        self,
        process: subprocess.Popen[str],
        marks: list[Path],
        streams: tuple[Stream, ...],
    ) -> None:
        """Let the terminal go away while the first script runs."""
        deadline = time.monotonic() + PATIENCE
        while process.poll() is None and time.monotonic() < deadline:
            for stream in streams:
                stream.drain()
            if any(file.with_suffix(".began").exists() for file in marks):
                break
            time.sleep(0.02)
        for stream in streams:
            stream.hang_up()
        self._let_scripts_go()


def wait_for_marks(process: subprocess.Popen[str], marks: list[Path]) -> bool:
    """Wait until all scripts have ended: nobody reads, and the command may not end."""
    deadline = time.monotonic() + PATIENCE
    while not all(mark.exists() for mark in marks):
        if process.poll() is not None or time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def make_project(
    folder: Path, name: str, sources: dict[str, str], **config: Any
) -> None:
    """Make a project whose scripts leave marks when they begin and when they end."""
    project = folder / name
    project.mkdir()
    for file, last in sources.items():
        text = SCRIPT.format(name=Path(file).stem) + last
        (project / file).write_text(text)
    values = {
        "scripts": list(sources),
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    (project / "exec_config.json").write_text(json.dumps(values | config))


@pytest.fixture(scope="module")
def expected(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], Seen]:
    """Return a function that tells what a command does where both streams are pipes."""
    seen: dict[tuple[str, str], Seen] = {}

    def ask(command: str, notice: str) -> Seen:
        if (command, notice) not in seen:
            place = Place(tmp_path_factory.mktemp("plain"))
            if command not in RUNS:
                make_past(place)
            seen[command, notice] = place.command(command, notice, "pipe", "pipe")
        return seen[command, notice]

    return ask


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return a place with a past, for commands that change nothing."""
    place = Place(tmp_path_factory.mktemp("past"))
    make_past(place)
    return place


def make_past(place: Place) -> None:
    """Let one run be recorded."""
    seen = place.command("run-json", "plain", "pipe", "pipe")
    place.run_id = json.loads(seen.stdout)["runs"][0]["run_id"]


@pytest.fixture
def place(tmp_path: Path, past: Place, request: pytest.FixtureRequest) -> Place:
    """Return where a cell's command runs: one that writes has its own place."""
    command = request.node.callspec.params["cell_name"].split(":")[0]
    if command in RUNS:
        return Place(tmp_path)
    if command in ("backup", "demo"):
        own = Place(tmp_path)
        make_past(own)
        return own
    (past.folder / "tracebacks").unlink(missing_ok=True)
    return past


@pytest.mark.fault(
    "streams",
    "Any command with a stream that is closed, full, unread or gone",
    "Scripts run, and exit codes are theirs.",
)
@pytest.mark.sampled(16)
@pytest.mark.together
@pytest.mark.parametrize("cell_name", CHOSEN)
def test_a_broken_stream_takes_away_the_text_and_nothing_else(
    cell_name: str, place: Place, expected: Callable[[str, str], Seen]
) -> None:
    """Scripts run, exit codes are theirs, no traceback, and the command ends."""
    command, *rest, notice = cell_name.split(":")
    out, err = (part.partition("=")[2] for part in rest)
    plain = expected(command, notice)

    seen = place.command(command, notice, out, err)

    repeat = f"python-runner {COMMANDS[command]}, stdout {out}, stderr {err}, {notice}"
    assert list(problems(command, out, err, seen, plain)) == [], repeat


def problems(
    command: str, out: str, err: str, seen: Seen, plain: Seen
) -> Iterator[str]:
    """Tell what a cell did that it must not do."""
    if not seen.ran:
        yield "scripts did not run"
    if command in RUNS and seen.logged != plain.logged:
        yield f"{seen.logged} lines in the logs, not {plain.logged}"
    if seen.exit_code is None:
        yield "it did not end"
    elif seen.exit_code not in (codes := allowed(command, out, err, plain)):
        yield f"exit code {seen.exit_code}, not {codes}"
    if seen.tracebacks:
        yield seen.tracebacks
    for text, usual in ((seen.stdout, plain.stdout), (seen.stderr, plain.stderr)):
        # A demonstration of a failing script shows the script's own.
        if len(re.findall(BROKEN, text)) > len(re.findall(BROKEN, usual)):
            yield text
    if out == "pipe" and err not in UNREAD and bool(seen.stdout) != bool(plain.stdout):
        yield f"stdout is {seen.stdout!r}, not {plain.stdout!r}"


def allowed(command: str, out: str, err: str, plain: Seen) -> set[int | None]:
    """Return the exit codes that are right.

    ``run`` tells how its scripts ended, and 5 where the document that was asked for is
    lost. What other commands print is their purpose: they may end with 1.
    """
    code = plain.exit_code
    codes = {code}
    if command in RUNS:
        if "json" in command and out != "pipe" and code == 0:
            codes = {5}
    elif out != "pipe":
        codes |= {1}
    if UNREAD & {out, err}:
        codes |= {128 + signal.SIGTERM, -signal.SIGTERM}
    return codes


#: Fills every pipe, and ends when it is asked to, or not.
TALKING = """
import pathlib, signal, time
if {stubborn}:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("x" * 200_000, flush=True)
pathlib.Path("began").touch()
time.sleep(600)
"""


@pytest.mark.fault(
    "streams",
    "SIGTERM or Ctrl-C while a write blocks",
    "The run ends with its script; asked twice, at once.",
)
@pytest.mark.parametrize(
    ("option", "number", "stubborn"),
    [
        ("--json", signal.SIGTERM, True),
        ("-v", signal.SIGINT, False),
        pytest.param("-v", signal.SIGINT, True, marks=pytest.mark.slow),
        pytest.param("-q", signal.SIGTERM, False, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_run_whose_streams_block(
    tmp_path: Path, option: str, number: signal.Signals, *, stubborn: bool
) -> None:
    """It waits for its script to end, not for its readers; asked twice, for nothing."""
    place = Place(tmp_path)
    make_project(tmp_path, "talking", {"x.py": "", "y.py": ""})
    folder = tmp_path / "talking"
    (folder / "x.py").write_text(TALKING.format(stubborn=stubborn))
    streams = Stream.opened("unread"), Stream.opened("unread")
    process = place.start(f"run {option} talking", "plain", streams)
    try:
        wait_for_marks(process, [folder / "began"])
        process.send_signal(number)
        begin = time.monotonic()
        if stubborn:
            time.sleep(0.5)
            process.send_signal(number)
        assert process.wait(PATIENCE) == (130 if number is signal.SIGINT else 143)
    finally:
        process.kill()
        process.wait()
        for stream in streams:
            stream.started()
            stream.close()

    assert time.monotonic() - begin < GENEROUS
    log = (folder / "logs" / "talking.log").read_text()
    assert [line.split(" - ")[5] for line in log.splitlines()] == ["x.py", "y.py"]
