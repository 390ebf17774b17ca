"""What the system starts is compared with what the keys say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import bare_project
from python_runner.doctor.finding import Severity
from python_runner.doctor.schedules import judge_schedule, starts
from python_runner.scheduling.entries import Entry, Job, Purpose, SchedulerName
from tests.support import NOW


if TYPE_CHECKING:
    from tests.support import MakeProject

pytestmark = pytest.mark.portable("judges values")

FOLDER = Path("/srv/sales").absolute()
SIX = "0 6 * * 1-5"


def entry(expression: str | None = SIX, **changes: Any) -> Entry:
    """Return an entry that starts the project."""
    job: dict[str, Any] = {"project": FOLDER, "purpose": Purpose.RUN, "folder": None}
    job |= {name: changes.pop(name) for name in set(job) & set(changes)}
    values: dict[str, Any] = {
        "scheduler": SchedulerName.CRON,
        "name": "x",
        "own": True,
        "account": "me",
    }
    return Entry(
        job=Job(expression=expression, command=("python-runner", "run"), **job),
        **(values | changes),
    )


@pytest.mark.parametrize(
    ("schedule", "entries", "found"),
    [
        (None, [], []),
        (SIX, [], ["schedule.not_installed"]),
        (SIX, [entry()], []),
        (SIX, [entry(own=False)], []),
        (SIX, [entry("0  6 * * 1-5")], []),
        ("0 6 * * mon-fri", [entry("0 6 * * MON-FRI")], []),
        ("5/20 6 * * 1-5", [entry("5-59/20 6 * * 1-5")], []),
        ("0 6 * * 7", [entry("0 6 * * 0")], []),
        (SIX, [entry("99 6 * * 1-5")], ["schedule.differs"]),
        (SIX, [entry("30 6 * * *")], ["schedule.differs"]),
        # What a person has written in a form of its own.
        (SIX, [entry(None, own=False)], []),
        (SIX, [entry(), entry("0 7 * * *")], ["schedule.differs"]),
        (SIX, [entry(enabled=False)], ["schedule.disabled"]),
        (SIX, [entry(enabled=False), entry()], []),
        (None, [entry()], ["schedule.left_over"]),
        (None, [entry(own=False)], []),
        (SIX, [entry(account="root")], ["schedule.account"]),
        (SIX, [entry(account="OFFICE\\Me")], []),
        (SIX, [entry(account=None)], []),
    ],
)
def test_entries_are_what_the_key_says(
    schedule: str | None, entries: list[Entry], found: list[str]
) -> None:
    """Not installed, at other times, disabled, left over, or of another account."""
    project = replace(bare_project(FOLDER), schedule=schedule)

    findings = list(judge_schedule(project, entries, "me", NOW))

    bad = [f.kind.id for f in findings if f.severity is not Severity.FINE]
    assert bad == found
    fine = any(f.kind.id == "schedule.installed" for f in findings)
    assert fine is (schedule is not None and not set(found) - {"schedule.account"}) or (
        "schedule.differs" in found
    )
    assert all(str(f.what) and f.project == FOLDER for f in findings)


def test_an_entry_of_a_folder_starts_its_projects(make_project: MakeProject) -> None:
    """Those that its python-runner.toml lists, and no others; a flush starts none."""
    listed, other = make_project("listed"), make_project("other")
    folder = listed.parent
    (folder / "python-runner.toml").write_text('projects = ["listed"]', "utf-8")
    whole = entry(project=None, folder=folder)

    assert starts(whole, bare_project(listed))
    assert not starts(whole, bare_project(other))
    assert not starts(entry(), bare_project(other))
    assert starts(entry(), bare_project(FOLDER))
    assert not starts(entry(purpose=Purpose.FLUSH), bare_project(FOLDER))
    assert not starts(entry(purpose=Purpose.CATCH_UP), bare_project(FOLDER))
    (folder / "python-runner.toml").write_text("projects = 1", "utf-8")
    assert not starts(whole, bare_project(listed))
