"""Four times as much costs about four times as much: processor time at n and at 4n."""

from __future__ import annotations

import gc
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.masking import Masker
from python_runner.model import OnFailure, Outcome, Script, ScriptResult
from python_runner.policy import Schedule
from python_runner.texts.sanitize import clean
from python_runner.tracebacks.cause import read_background_errors, read_cause
from python_runner.tracebacks.endings import Ending
from python_runner.tracebacks.excerpt import excerpt
from python_runner.tracebacks.place import Project
from python_runner.tracebacks.source import read_source
from tests.instruments.cases import LONG


if TYPE_CHECKING:
    from collections.abc import Callable

if sys.platform == "win32":
    pytest.skip("needs wait4()", allow_module_level=True)

pytestmark = pytest.mark.instrument

#: How much more 4n may cost than n: 4 is linear, 16 is quadratic.
MOST = 8.0
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
#: Seconds below which the cost of 4n says nothing.
NOTHING = 0.03
#: Measurements of the same work: noise is not there each time, a quadratic cost is.
TRIES = 5

# --- functions that read what scripts print ---

#: Bytes of output at n; a run reads 1 MB at most.
SIZE = 256_000 if LONG else 96_000
HEADER = "Traceback (most recent call last):\n"
#: What outputs are made of.
PIECES = {
    "line": "row 17 imported\n",
    "blanks": "\n" * 8,
    "bar": "\r 17%|####      | 17/100",
    "header": HEADER,
    "minimal": f'{HEADER}  File "a.py", line 1\nE: x\n',
    "traceback": (
        f'{HEADER}  File "/p/a.py", line 3, in <module>\n    load()\n'
        f'  File "/p/a.py", line 1, in load\n    1 / 0\n    ~~^~~\nZeroDivisionError: x\n'
    ),
    "linked": (
        f'{HEADER}  File "/p/a.py", line 3, in f\n    x\nE: x\n\n'
        "During handling of the above exception, another exception occurred:\n\n"
    ),
    "ignored": (
        f'Exception ignored in: <x>\n{HEADER}  File "a.py", line 1, in f\n    x\nE: x\n'
    ),
    "group": (
        f"  + Exception Group {HEADER}  |   File 'a.py', line 1\n  | E: x (1)\n"
        "  +-+---------------- 1 ----------------\n    | E: y\n    +---------------\n"
    ),
    "margin": "  | text\n",
    "fatal": "Fatal Python error: \n",
    "frame": '  File "a.py", line 1, in f\n',
    "syntax": '  File "a.py", line 1\n    x x\n      ^\nSyntaxError: x\n',
    "box": (
        "╭──── Traceback (most recent call last) ────╮\n│ /p/a.py:3 in load          │\n"
        "│ ❱ 3     1 / 0              │\n╰────────────────────────────╯\nE: x\n"
    ),
    "box-top": "╭──── Traceback (most recent call last) ────╮\n│ /p/a.py │\n",
    "loguru": f'{HEADER}\n> File "/p/a.py", line 1, in f\n    x\n\nE: x\n',
    "cell": "E       Traceback (most recent call last)\nCell In[1], line 1\nE: x\n",
    "empty": f'{HEADER}  File "/p/a.py", line 1, in f\n    x\nE:\nx\n\ny\n',
    "record": '{"level": "error", "event": "refused", "rows": 3}\n',
    "remote": f'm.RemoteTraceback: \n"""\n{HEADER}  File "b.py", line 1, in f\nE: x\n"""\n',
}


#: No file is there, so that every frame is looked at.
PROJECT = Project(("/p",), "/p/main.py", lambda _file: False)
SOURCE = read_source('import sys\nprint("row 17")\nsys.exit(f"row {n} is wrong")\n')


def output(kind: str, size: int) -> str:
    """Return an output of two pieces by turns, of so many characters."""
    one, _, other = kind.partition("+")
    unit = PIECES[one] + PIECES[other]
    return unit * max(1, size // len(unit))


def read_all(text: str) -> None:
    """Read an output as a script's end is read, whatever its exit code."""
    for whole in (text, text + "\ndone\n"):
        for ending in Ending:
            read_cause(whole, ending, PROJECT, SOURCE)
        read_background_errors(whole, PROJECT)
        clean(whole)


def cpu(work: Callable[[], object]) -> float:
    """Return the processor time of ``work`` in seconds."""
    gc.disable()
    try:
        start = time.process_time()
        work()
        return time.process_time() - start
    finally:
        gc.enable()


def grows(cost: Callable[[int], float], n: int) -> str | None:
    """Say by how much the cost grows, where that is too much in each of some tries."""
    small = large = float("inf")
    for _ in range(TRIES):
        large = min(large, cost(4 * n))
        if large < NOTHING:
            return None
        small = min(small, cost(n))
        if large <= MOST * small:
            return None
    times = large / max(small, 1e-6)
    return f"{n}: {small:.3f} s, {4 * n}: {large:.3f} s, {times:.1f} times"


#: What the others are paired with: whatever else is wrong shows there as well.
TELLING = {"line", "blanks", "fatal"}
OUTPUTS = [
    f"{one}+{other}"
    for one, other in product(PIECES, repeat=2)
    if LONG or one == other or TELLING & {one, other}
]


@pytest.mark.sampled(6)
@pytest.mark.parametrize("kind", OUTPUTS)
def test_reading_an_output_grows_with_its_length(kind: str) -> None:
    """No order of two pieces makes the reader go over everything for each of them."""
    found = grows(lambda n: cpu(lambda: read_all(output(kind, n))), SIZE)
    assert not found, f"{PIECES[kind.partition('+')[0]]!r} and the other: {found}"


# --- decisions and masks ---


def series(n: int, on_failure: OnFailure, *, needs: bool) -> None:
    """Decide over a whole series, as its runner does: one script after the other."""
    names = [f"s{i}.py" for i in range(n)]
    scripts = [
        Script(name=name, path=name, needs=(names[i - 1],) if needs and i else ())
        for i, name in enumerate(names)
    ]
    schedule = Schedule(scripts, on_failure=on_failure, max_parallel=1)
    while step := schedule.next(stopping=False).start:
        for script in step:
            schedule.end(good(script.name))


@cache
def good(name: str) -> ScriptResult:
    """Return the result of a script that succeeded."""
    return ScriptResult(
        script=name,
        run_id="39be3d37aed64",
        number=1,
        outcome=Outcome.SUCCESS,
        started_at=NOON,
        duration=0.1,
        attempts=(),
    )


def secrets(n: int) -> list[str]:
    """Return so many passwords."""
    return [f"pass/word-{i:05}&{i * 7919 % 100_000}" for i in range(n)]


LINE = b"2026-11-23 row 17 of 4711 imported from sales_2026.csv\n"


def mask_without_hit(n: int) -> Callable[[], object]:
    """Return the work of masking an output with n secrets, none of which occurs."""
    masker, data = Masker(secrets(n)), LINE * 4000
    return lambda: masker.data(data)


def mask_with_hit(n: int) -> Callable[[], object]:
    """Return the work of masking an output with n secrets, one of which occurs."""
    masker, data = (
        Masker(secrets(n)),
        LINE * 2000 + secrets(1)[0].encode() + LINE * 2000,
    )
    return lambda: masker.data(data)


def mask_length(n: int) -> Callable[[], object]:
    """Return the work of masking n lines with some secrets, all of which occur."""
    masker = Masker(secrets(20))
    data = b"".join(LINE + secrets(20)[i % 20].encode() + b"\n" for i in range(n))
    return lambda: masker.data(data)


def mask_near_misses(n: int) -> Callable[[], object]:
    """Return the work of masking n lines that nearly hold a secret."""
    masker, data = Masker(secrets(20)), b"pass/word-0000&\npass/word-00000\n" * n
    return lambda: masker.data(data)


def excerpt_of(line: str, n: int) -> Callable[[], object]:
    """Return the work of showing a traceback of n lines."""
    return lambda: excerpt(line * n, "/p", "en")


WORK: dict[str, tuple[int, Callable[[int], Callable[[], object]]]] = {
    "series-continue": (
        2500,
        lambda n: lambda: series(n, OnFailure.CONTINUE, needs=False),
    ),
    "series-stop": (2500, lambda n: lambda: series(n, OnFailure.STOP, needs=False)),
    "series-chain": (2500, lambda n: lambda: series(n, OnFailure.CONTINUE, needs=True)),
    "masker-building": (100, lambda n: lambda: Masker(secrets(n))),
    "masking-secrets": (50, mask_without_hit),
    "masking-secrets-hit": (50, mask_with_hit),
    "masking-lines": (5000, mask_length),
    "masking-near-misses": (5000, mask_near_misses),
    **{
        f"excerpt-{name}": (2000, partial(excerpt_of, line))
        for name, line in {
            "lines": "x\n",
            "blanks": "\n",
            "frames": '  File "/p/a.py", line 1, in f\n    x\n',
            "carets": "  ^^^\n",
        }.items()
    },
}


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", WORK)
def test_work_grows_with_its_amount(name: str) -> None:
    """Scheduling a series and masking an output cost in proportion."""
    n, make = WORK[name]
    found = grows(lambda size: cpu(make(size)), n)
    assert not found, found


# --- commands ---

#: Scripts of a run at n, runs at n, and reports at n.
SCRIPTS = 200
RUNS = 200 if LONG else 25
REPORTS = 50 if LONG else 10
#: What a series does when a script fails; the cost of the second shows late.
KINDS = ("continue", "stop") if LONG else ("continue",)


class World:
    """Projects, records and a log of a size."""

    def __init__(self, root: Path, size: int) -> None:
        self.size = size
        self.root = root
        self.environ = os.environ | {
            "PYTHON_RUNNER_HOME": str(root / "home"),
            "MAIL_FROM": "robot@example.org",
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": "1",
            "SMTP_SECURITY": "none",
            "LANGUAGE": "en",
        }
        self.seconds: dict[str, float] = {}
        root.mkdir(parents=True)

    def project(self, name: str, scripts: int, **config: object) -> Path:
        """Make a project of scripts that do nothing, as fast as that can be done."""
        folder = self.root / name
        folder.mkdir()
        names = [f"s{i}.py" for i in range(scripts)]
        for script in names:
            (folder / script).touch()
        values = {
            "scripts": names,
            "python_command": shutil.which("true"),
            "recipients": [],
            "email_strategy": "none",
            "include_traceback": True,
            "logs_backup_count": 0,
        }
        text = json.dumps(values | config)
        (folder / "exec_config.json").write_text(text, encoding="utf-8")
        return folder

    def read(self, key: str, *arguments: object) -> None:
        """Run a command that changes nothing, twice; the least cost counts."""
        for _ in range(2):
            self.call(key, *arguments)

    def call(self, key: str, *arguments: object) -> None:
        """Run a command; note its processor time."""
        command = [sys.executable, "-m", "python_runner", *map(str, arguments)]
        with (self.root / "out").open("wb") as out:
            child = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
            )
            _, status, usage = os.wait4(child.pid, 0)
            child.returncode = os.waitstatus_to_exitcode(status)
        assert child.returncode in {0, 1}, (self.root / "out").read_text()[-2000:]
        seconds = usage.ru_utime + usage.ru_stime
        self.seconds[key] = min(self.seconds.get(key, seconds), seconds)


#: Line of a log of the size that a project of ten scripts has after some years.
RECORD = "2024-11-27 09:51:58,954 - INFO - LAPTOP - 39be3d37aed64 - 0.08 - main.py - success\n"


def measure(root: Path, size: int) -> dict[str, float]:
    """Return the processor time of each command in a world of that size."""
    world = World(root, size)
    scripts, runs, reports = SCRIPTS * size, RUNS * size, REPORTS * size
    for kind in KINDS:
        folder = world.project(f"long-{kind}", max(scripts, 1), on_failure=kind)
        world.call(f"run-{kind}", "run", "--quiet", folder)
    for key in ("show", "output"):
        run_id = newest(world, folder)
        world.read(key, key, run_id)
    folders = [world.project(f"p{i}", 1) for i in range(max(runs, 1))]
    world.call("run-projects", "run", "--quiet", *folders)
    world.read("history", "history", "--limit", 10**6)
    world.read("history-json", "history", "--json", "--limit", 10**6)
    logged = world.project("logged", 1)
    (logged / "logs").mkdir()
    (logged / "logs" / "logged.log").write_text(RECORD * (runs * 60), encoding="utf-8")
    world.read("logs", "logs", logged)
    world.read("logs-reverse", "logs", "--reverse", logged)
    world.read("logs-failures", "logs", "--failures", logged)
    mailing = [
        world.project(f"m{i}", 1, recipients=["a@example.org"], email_strategy="all")
        for i in range(max(reports, 1))
    ]
    world.call("run-mailing", "run", "--quiet", *mailing)
    world.read("mail-list", "mail", "list")
    world.call("run-beside-mail", "run", "--quiet", folders[0])
    return world.seconds


def newest(world: World, folder: Path) -> str:
    """Return the id of a project's last run."""
    answer = subprocess.run(
        [sys.executable, "-m", "python_runner", "history", "--json", folder],
        env=world.environ,
        capture_output=True,
        check=True,
    )
    return str(json.loads(answer.stdout)["runs"][0]["run_id"])


COMMANDS = (
    *(f"run-{kind}" for kind in KINDS),
    *("show", "output", "run-projects", "history"),
    *("history-json", "logs", "logs-reverse", "logs-failures", "run-mailing"),
    *("mail-list", "run-beside-mail"),
)


@cache
def costs(attempt: int) -> dict[str, tuple[float, ...]]:
    """Return the cost of each command at nothing, at n and at 4n, measured once an attempt."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    place = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix=f"{attempt}-", dir=place) as name:
        measured = [measure(Path(name, str(size)), size) for size in (0, 1, 4)]
    return {key: tuple(one[key] for one in measured) for key in COMMANDS}


@pytest.mark.together
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_grows_with_what_it_tells(command: str) -> None:
    """Beyond its start a command costs in proportion to scripts, runs, lines or mails."""
    found = []
    for attempt in range(TRIES):
        nothing, small, large = costs(attempt)[command]
        small, large = max(small - nothing, 0.02), large - nothing
        if large < 0.1 or large <= MOST * small:
            return
        found.append(
            f"{small:.2f} s at n, {large:.2f} s at 4n: {large / small:.1f} times"
        )
    pytest.fail("; ".join(found))
