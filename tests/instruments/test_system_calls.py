"""The n-th system call of a run fails, for every n and several errors.

One run counts its calls; then each of them fails once, and once with all that follow.
The oracle: no exception leaves the run; each script that ran is told as it ended, once,
in the result, the log, the records and the mail, or something warns; nothing is left
running.

What is found is named ``scenario:function:call:error:kind``. ``function`` is the
innermost one of the product on the stack, for the number of a call changes with every
change of the product. Repeat one point from the repository with::

    python -m tests.instruments.test_system_calls library EIO 17
"""

from __future__ import annotations

import errno
import json
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.cases import LONG
from tests.instruments.world import plain_environment


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

pytestmark = [
    pytest.mark.instrument,
    pytest.mark.timeout(3600 if LONG else 300),
    pytest.mark.skipif(
        sys.platform not in ("linux", "win32"), reason="knows the calls of these two"
    ),
]

if sys.platform == "win32":
    #: Access denied, sharing violation, network location cannot be reached.
    ERRORS = {"WinError5": 5, "WinError32": 32, "WinError1231": 1231}
else:
    ERRORS = {
        name: getattr(errno, name)
        for name in ("EACCES", "EIO", "ENOSPC", "ESTALE", "EMFILE")
    }
SCENARIOS = ("library", "command")
MODES = ("once", "onwards")
#: Points of each test in the quick profile, of a scenario.
QUICK = {"once": 4, "onwards": 2}
#: Seconds after which something that should have happened never will.
PATIENCE = 90.0

SCRIPT = """
import pathlib, time
pathlib.Path("../marks/{name}.began").touch()
print("output of {name}")
time.sleep({seconds})
pathlib.Path("../marks/{name}.ended").touch()
{last}
"""
#: How each script ends when it runs: the second one fails, and takes its time.
ENDS = {"a.py": "success", "b.py": "failure", "c.py": "success"}


@dataclass(frozen=True)
class Point:
    """One failure of one run."""

    scenario: str
    error: str
    number: int | None
    mode: str = "once"

    def __str__(self) -> str:
        """Return the arguments that repeat the point."""
        return f"{self.scenario} {self.error} {self.number} {self.mode}"


@dataclass(frozen=True)
class Found:
    """What was wrong at a point: its name, and the words for people."""

    name: str
    words: str


class World:
    """A folder that looks the same before each point: a project with one past run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.work = folder / "work"
        self.project = self.work / "p"
        self.project.mkdir(parents=True)
        (self.work / "marks").mkdir()
        for name, end in ENDS.items():
            seconds, last = (0.1, "1 / 0") if end == "failure" else (0, "")
            text = SCRIPT.format(name=name, seconds=seconds, last=last)
            (self.project / name).write_text(text)
        values = {
            "scripts": list(ENDS),
            "python_command": sys.executable,
            "recipients": ["someone@example.com"],
            "email_strategy": "all",
            "include_traceback": True,
            "logs_backup_count": 0,
        }
        (self.project / "exec_config.json").write_text(json.dumps(values))
        self._run(Point("command", next(iter(ERRORS)), None))
        for mark in (self.work / "marks").iterdir():
            mark.unlink()
        shutil.copytree(self.work, folder / "before")
        self.mails = len(self._mails())
        self.plain = {
            scenario: self.run(Point(scenario, next(iter(ERRORS)), None))
            for scenario in SCENARIOS
        }
        for scenario, plain in self.plain.items():
            answer = self.run(Point(scenario, next(iter(ERRORS)), None))
            found = list(self.problems(answer, plain))
            assert not found, found

    def sites(self, scenario: str) -> list[str]:
        """Return the sites of a run's calls, in order."""
        return list(self.plain[scenario]["sites"])

    def run(self, point: Point) -> dict[str, Any]:
        """Run one point in the world as it was."""
        shutil.rmtree(self.work)
        shutil.copytree(self.folder / "before", self.work, symlinks=True)
        return self._run(point)

    def _run(self, point: Point) -> dict[str, Any]:
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        document = {
            "scenario": point.scenario,
            "project": str(self.project),
            "first": point.number,
            "errno": ERRORS[point.error],
            "onwards": point.mode == "onwards",
            "answer": str(answer),
        }
        environment = plain_environment(self.work) | {
            "MAIL_TRANSPORT": "file",
            "MAIL_DIR": str(self.work / "mails"),
            "MAIL_FROM": "robot@example.com",
        }
        program = Path(__file__).with_name("failing_calls.py")
        with (
            (self.folder / "stdout").open("wb") as out,
            (self.folder / "stderr").open("wb") as err,
        ):
            try:
                subprocess.run(
                    [sys.executable, program, json.dumps(document)],
                    cwd=self.folder,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    timeout=PATIENCE,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return {"died": "it did not end", "failed": [], "sites": []}
        text = (self.folder / "stderr").read_text(errors="replace")
        if not answer.exists():
            return {"died": text, "failed": [], "sites": []}
        told: dict[str, Any] = json.loads(answer.read_text())
        return told | {"child_stderr": text}

    def found(self, point: Point) -> list[Found]:
        """Return what is wrong at a point."""
        answer = self.run(point)
        if point.number is None or not (answer["failed"] or "died" in answer):
            return []
        site = (*answer["failed"], self.sites(point.scenario)[point.number])[0]
        start = f"{point.scenario}:{site}:{point.error}"
        if point.mode == "onwards":
            start = f"onwards:{start}"
        return [
            Found(f"{start}:{kind}", f"[{point}] {words}")
            for kind, words in self.problems(answer, self.plain[point.scenario])
        ]

    def problems(
        self, answer: dict[str, Any], plain: dict[str, Any]
    ) -> Iterator[tuple[str, str]]:
        """Judge one run: kinds of problems and their words."""
        if "died" in answer:
            yield "died", answer["died"]
            return
        began, ran = self._marks("began"), self._marks("ended")
        left: set[str] = set()
        if began != ran:
            # What does not end now either has been ended with the run.
            time.sleep(0.5)
            left = self._marks("ended") - ran
            ran |= left
        told = answer["told"]
        wrong = list(self._compared("told", told["scripts"], ran)) if told else []
        yield from wrong
        if left and not wrong:
            yield "running", f"left running: {sorted(left)}"
        if answer["exception"]:
            yield "exception", answer["exception"]
        if answer["refused"] and ran:
            yield "refused", f"scripts ran, and then: {answer['refused']}"
        if "Traceback (most" in re.sub(r"(?m)^ .*\n", "", answer.get("stderr", "")):
            yield "traceback", answer["stderr"]
        if told is not None and ran:
            yield from self._kept(answer, plain, ran)
        elif ran and answer["exit_code"] is not None:
            yield "document", "scripts ran, and there is no document"

    def _kept(
        self, answer: dict[str, Any], plain: dict[str, Any], ran: set[str]
    ) -> Iterator[tuple[str, str]]:
        """Judge what log, records and mail say of scripts that ran."""
        told = answer["told"]
        run_id = told.get("run_id") or told["scripts"][0]["run_id"]
        silent = list(self._silently_lost(answer, run_id, ran))
        if silent and not warned(answer, plain):
            yield "silent", f"nothing warns: {silent}"
        recorded = self._recorded(answer, run_id)
        if warned(answer, plain):
            # The end of a script cannot be recorded where all calls fail from then on.
            recorded = [entry for entry in recorded if entry["status"] != "running"]
        yield from self._compared("records", recorded, ran)
        lines = self._logged(run_id)
        yield from self._compared("log", lines, ran)
        for name in ran:
            if sum(line["script"] == name for line in lines) > 1:
                yield "log", f"{name} stands twice in the log"
        if (mails := len(self._mails()) - self.mails) > 1:
            yield "mail", f"{mails} mails"

    def _silently_lost(
        self, answer: dict[str, Any], run_id: str, ran: set[str]
    ) -> Iterator[str]:
        """Tell what is missing where it should stand."""
        for place, entries in (
            ("records", self._recorded(answer, run_id)),
            ("log", self._logged(run_id)),
        ):
            if missing := ran - {entry["script"] for entry in entries}:
                yield f"{place} without {sorted(missing)}"
        if len(self._mails()) == self.mails:
            yield "no mail"

    def _compared(
        self, place: str, entries: Iterable[dict[str, Any]], ran: set[str]
    ) -> Iterator[tuple[str, str]]:
        """Tell what a place says that is not so; saying nothing is another matter."""
        for entry in entries:
            name, status = entry["script"], entry["status"]
            if name in ran and status != ENDS[name]:
                yield place, f"{name} ended as {ENDS[name]}, told as {status}"
            if name not in ran and status == "success":
                yield place, f"{name} did not run, told as success"

    def _recorded(self, answer: dict[str, Any], run_id: str) -> list[dict[str, Any]]:
        try:
            runs = json.loads(answer["history"])["runs"]
        except ValueError:
            return []
        return [s for run in runs if run["run_id"] == run_id for s in run["scripts"]]

    def _logged(self, run_id: str) -> list[dict[str, Any]]:
        lines = [
            line.split(" - ", 7)
            for log in (self.project / "logs").glob("p.log*")
            for line in log.read_text(encoding="utf-8").splitlines()
        ]
        return [
            {"script": fields[5], "status": fields[6]}
            for fields in lines
            if len(fields) > 6 and fields[3] == run_id
        ]

    def _mails(self) -> list[Path]:
        return list((self.work / "mails").rglob("*.eml"))

    def _marks(self, kind: str) -> set[str]:
        return {m.stem for m in (self.work / "marks").glob(f"*.{kind}")}


def warned(answer: dict[str, Any], plain: dict[str, Any]) -> bool:
    """Return whether a run says anything that it does not say otherwise."""
    told = answer["told"]
    if told.get("warnings") or told.get("mail") in ("queued", "failed"):
        return True
    if any(script.get("warnings") for script in told["scripts"]):
        return True
    texts = [
        re.sub(
            r"[0-9a-f]{13}|[0-9.,:_-]+", "#", a["child_stderr"] + a.get("stderr", "")
        )
        for a in (answer, plain)
    ]
    return texts[0] != texts[1]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return the world in which all points are tried, one after the other."""
    return World(tmp_path_factory.mktemp("calls"))


def chosen(sites: list[str], start: str, mode: str) -> list[int]:
    """Return the numbers of the calls that fail in a test: all, or always the same."""
    numbers = list(range(len(sites)))
    if LONG:
        return numbers if mode == "once" else numbers[::4]
    random.Random(f"{start} {mode}").shuffle(numbers)  # noqa: S311
    return sorted(numbers[: QUICK[mode]])


@pytest.mark.fault(
    "machine",
    "Any system call of a run fails, whatever the error",
    "No exception leaves the run, and what went wrong is told.",
)
@pytest.mark.sampled(6)
@pytest.mark.together
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_failing_call_is_told_and_stops_nothing(
    world: World, scenario: str, error: str, mode: str
) -> None:
    """No exception, scripts told as they ended, or a warning; nothing left running."""
    sites = world.sites(scenario)
    found: list[Found] = []
    for number in chosen(sites, f"{scenario} {error}", mode):
        found += world.found(Point(scenario, error, number, mode))

    assert not found, "\n\n".join(f"{f.name}\n{f.words}" for f in found)


def main(scenario: str, error: str, number: str, mode: str = "once") -> None:
    """Try one point and print what is found; ``all`` or ``all/4`` tries many."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        sites = world.sites(scenario)
        every, _, step = number.partition("/")
        numbers = (
            range(0, len(sites), int(step or 1)) if every == "all" else [int(number)]
        )
        for n in numbers:
            print(n, sites[n], flush=True)  # noqa: T201
            for found in world.found(Point(scenario, error, n, mode)):
                print("   ", found.name, found.words, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
