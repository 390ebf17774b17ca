"""What the log refuses while another program has it open is written later, and told once."""

from __future__ import annotations

import errno
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from python_runner import files
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.records.locks import Holder, project_lock
from python_runner.records.log_reader import read_log
from python_runner.records.store import open_store
from python_runner.runner.events import Event, RunEnded, ScriptEnded
from python_runner.runner.project_run import run_project
from python_runner.runner.session import local_now, open_session


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Run
    from tests.support import MakeProject


class HeldLog:
    """Refuses to open the log while it is held, as another program lets Windows do."""

    def __init__(self) -> None:
        self.held = True
        self.asked = 0
        self._open = os.open

    def open(self, path: Any, flags: int, mode: int = 0o777, **how: Any) -> int:
        """Stand in for ``os.open``."""
        if self.held and flags & os.O_APPEND and str(path).endswith("project_1.log"):
            self.asked += 1
            raise OSError(errno.EBUSY, "is used by another program", str(path))
        return self._open(path, flags, mode, **how)


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> HeldLog:
    """Hold the log of the project."""
    held = HeldLog()
    monkeypatch.setattr(os, "open", held.open)
    monkeypatch.setattr(files, "_PATIENCE", (0.0, 0.0, 0.0))
    return held


@pytest.fixture
def project(make_project: MakeProject) -> Path:
    """Return a project of which one script fails."""
    return make_project(
        sources={"a.py": "", "b.py": "raise ValueError('no rows')", "c.py": ""},
        include_traceback=True,
    )


def run(folder: Path, when: Callable[[Event], None] = lambda _event: None) -> Run:
    """Run the project in this process."""
    with open_session(load_settings(), listener=when) as session:
        return run_project(load_project(folder), session)


def logged(folder: Path) -> list[tuple[str, str, str]]:
    """Return run, script and status of each line of the log."""
    lines = read_log(folder / "logs", "project_1.log")
    return [(line.run_id, line.script, line.status) for line in lines]


def lines_of(run: Run) -> list[tuple[str, str, str]]:
    """Return what the log should hold of a run."""
    word = {True: "success", False: "failure"}
    return [
        (run.run_id, result.script, word[result.outcome.succeeded])
        for result in run.scripts
    ]


@pytest.mark.fault(
    "files",
    "Another program keeps the log open during a whole run",
    "The next run adds the missing lines, with their own times; it is told once.",
)
def test_the_next_run_adds_what_the_log_refused(project: Path, log: HeldLog) -> None:
    """Also the one after next, if the log is held until then; nothing stands twice."""
    first = run(project)
    second = run(project)
    assert not (project / "logs" / "project_1.log").exists()
    log.held = False
    third = run(project)
    fourth = run(project)

    wanted = [*map(lines_of, (first, second, third, fourth))]
    assert logged(project) == [line for lines in wanted for line in lines]
    for refused in (first, second):
        told = [str(w) for w in refused.warnings if "the log is incomplete" in str(w)]
        assert told == ["the log is incomplete: is used by another program"]
    assert not third.warnings
    times = {
        (line.run_id, line.script): line.time
        for line in read_log(project / "logs", "project_1.log")
    }
    for result in first.scripts:
        assert times[first.run_id, result.script] < second.started_at


def test_the_rest_of_a_run_adds_what_the_log_refused(
    project: Path, log: HeldLog
) -> None:
    """As soon as the log is free, in order; it is waited for once."""

    def free(event: Event) -> None:
        if isinstance(event, ScriptEnded) and event.result.script == "b.py":
            log.held = False

    ran = run(project, free)
    after = run(project)

    assert logged(project) == [*lines_of(ran), *lines_of(after)]
    # The first line with patience, the second once more with the first.
    assert log.asked == 4 + 2


def test_the_end_of_a_run_adds_what_the_log_refused(
    project: Path, log: HeldLog
) -> None:
    """Nothing is left to the next run where the log is free by then."""

    def free(event: Event) -> None:
        if isinstance(event, ScriptEnded) and event.result.script == "c.py":
            log.held = False

    ran = run(project, free)
    assert logged(project) == lines_of(ran)


def test_the_line_of_a_skipped_run_is_added_later(
    project: Path, log: HeldLog, tmp_path: Path
) -> None:
    """Its one line is as good as that of a script."""
    holder = Holder(pid=os.getpid(), host="h", run_id="1" * 13, started_at=local_now())
    with project_lock(tmp_path / "home", project) as lock:
        assert lock.acquire(holder, wait=False)
        skipped = run(project)
    log.held = False
    ran = run(project)

    assert logged(project) == [(skipped.run_id, "*", "skipped"), *lines_of(ran)]


def test_a_runner_that_died_while_it_added_them_adds_none_twice(
    project: Path, log: HeldLog, tmp_path: Path
) -> None:
    """What the log holds by then is looked up first."""
    first = run(project)
    log.held = False
    second = run(project)
    with open_store(tmp_path / "home", local_now()) as store:
        # As it was before: the records did not learn that the lines were added.
        store.keep_unlogged(first.run_id, [1, 2, 3])
        assert [run.run_id for run, _numbers in store.unlogged(project)] == [
            first.run_id
        ]
    third = run(project)

    assert logged(project) == [
        line for ran in (first, second, third) for line in lines_of(ran)
    ]
    with open_store(tmp_path / "home", local_now()) as store:
        assert store.unlogged(project) == []


def test_without_records_too_the_next_run_adds_what_the_log_refused(
    project: Path, log: HeldLog
) -> None:
    """A backup may hold both at once; the lock's file remembers the run."""
    ends: list[Run] = []

    def keep(event: Event) -> None:
        if isinstance(event, RunEnded):
            ends.append(event.run)

    with open_session(load_settings(), listener=keep) as session:
        run_project(load_project(project), replace(session, store=None))
    log.held = False
    second = run(project)

    assert logged(project) == [*lines_of(ends[0]), *lines_of(second)]
