from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.scheduling.entries import (
    Entry,
    Job,
    Purpose,
    SchedulerName,
    job_of,
)
from python_runner.scheduling.jobs import Place, digest_job, flush_job
from python_runner.scheduling.plan import Wish, plan_for


if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.portable("decides about what is given")


class Paper:
    """A scheduler whose entries are the jobs themselves."""

    def __init__(self, name: SchedulerName = SchedulerName.CRON) -> None:
        self.name = name

    def unavailable(self) -> None:
        """It is always there."""

    def unreachable(self) -> None:
        """It hides nothing."""

    def problem(self, job: Job) -> None:
        """It can do all."""

    def name_of(self, job: Job) -> str:
        """Return the key."""
        return job.key

    def entries(self) -> tuple[Entry, ...]:
        """Return none: the tests say what is there."""
        return ()

    def is_same(self, entry: Entry, job: Job) -> bool:
        """Compare what is written."""
        return entry.job == job

    def definition(self, job: Job) -> str:
        """Return the job as a text."""
        return repr(job)

    def instructions(
        self, install: Sequence[Job], remove: Sequence[Entry]
    ) -> tuple[str, ...]:
        """Return nothing to type."""
        del install, remove
        return ()

    def change(self, install: Sequence[Job], remove: Sequence[Entry]) -> None:
        """Change nothing."""


CRON, SYSTEMD = Paper(), Paper(SchedulerName.SYSTEMD)


def place(folder: str = "/srv") -> Place:
    """Return from where this program starts."""
    return Place(
        command=("/bin/python-runner",),
        folder=Path(folder),
        env_file=None,
        variables={},
    )


def run(name: str, expression: str = "0 6 * * *", folder: str = "/srv") -> Job:
    """Return the job that runs a project."""
    project = Path("/srv") / name
    return place(folder).job(Purpose.RUN, expression, "run", project=project)


def entry(job: Job, scheduler: Paper = CRON, *, own: bool = True) -> Entry:
    """Return the entry of a job."""
    return Entry(scheduler=scheduler.name, name=job.key, job=job, own=own)


def same(one: Path, other: Path) -> bool:
    """Compare folders as they are written."""
    return one == other


A, B, FLUSH, DIGEST = run("a"), run("b"), flush_job(place()), digest_job(place())


def test_what_is_missing_is_installed_and_the_rest_stays() -> None:
    """Only what differs is changed."""
    there = [entry(A), entry(run("b", "0 7 * * *")), entry(FLUSH)]
    plan = plan_for(Wish(jobs=(A, B, run("c"), FLUSH)), there, CRON, same)
    assert plan.same == (A, FLUSH)
    assert plan.change == (B,)
    assert plan.install == (run("c"),)
    assert plan.remove == ()


def test_an_entry_of_another_scheduler_is_moved() -> None:
    """A project that both run would run twice."""
    there = [entry(A, SYSTEMD), entry(FLUSH, SYSTEMD)]
    plan = plan_for(Wish(jobs=(A, FLUSH)), there, CRON, same)
    assert plan.change == (A, FLUSH)
    assert plan.remove == tuple(there)


def test_an_entry_of_another_name_is_replaced() -> None:
    """A project that has moved by a link, or a unit that was renamed, has one entry."""
    renamed = replace(entry(A), name="mine")
    plan = plan_for(Wish(jobs=(A,)), [renamed], CRON, same)
    assert plan.change == (A,)
    assert plan.remove == (renamed,)


def test_a_switched_off_entry_is_not_what_is_wanted() -> None:
    """Installing it says that it would be switched on."""
    off = replace(entry(A), enabled=False)
    assert plan_for(Wish(jobs=(A,)), [off], CRON, same).change == (A,)


def test_a_project_without_schedule_loses_its_entry() -> None:
    """Its key was taken out; what served it alone goes too."""
    there = [entry(A), entry(FLUSH), entry(DIGEST)]
    plan = plan_for(Wish(without=(Path("/srv/a"),)), there, CRON, same)
    assert plan.remove == tuple(there)


def test_what_serves_other_projects_stays() -> None:
    """The last project of a working folder takes it along, in that folder alone."""
    elsewhere = [
        entry(run("x", folder="/opt")),
        entry(flush_job(place("/opt"))),
    ]
    there = [entry(A), entry(B), entry(FLUSH), *elsewhere]
    one = plan_for(Wish(without=(Path("/srv/a"),)), there, CRON, same)
    assert one.remove == (entry(A),)
    both = Wish(without=(Path("/srv/a"), Path("/srv/b")))
    assert plan_for(both, there, CRON, same).remove == (
        entry(A),
        entry(B),
        entry(FLUSH),
    )


def test_a_project_whose_working_folder_changes_takes_what_serves_it_along() -> None:
    """The old folder has no project any more, so nothing serves it."""
    there = [entry(A), entry(FLUSH)]
    moved = run("a", folder="/opt")
    flush = flush_job(place("/opt"))
    plan = plan_for(Wish(jobs=(moved, flush)), there, CRON, same)
    assert plan.change == (moved,)
    assert plan.install == (flush,)
    assert plan.remove == (entry(FLUSH),)


def test_entries_of_others_are_told_and_never_touched() -> None:
    """Made by hand: it may be meant, and it runs the project a second time."""
    theirs = [entry(A, own=False), entry(run("z"), own=False)]
    plan = plan_for(Wish(jobs=(A,)), theirs, CRON, same)
    assert plan.install == (A,)
    assert plan.remove == ()
    assert plan.others == (theirs[0],)
    gone = plan_for(Wish(without=(Path("/srv/a"),)), theirs, CRON, same)
    assert gone.is_empty


@pytest.mark.parametrize(
    ("command", "purpose", "project"),
    [
        ("/v/bin/python-runner run p", Purpose.RUN, "/srv/p"),
        ("C:\\v\\Python-RunnerW.exe run --quiet /x/p", Purpose.RUN, "/x/p"),
        ("python -P -m python_runner run --only a.py /x/p", Purpose.RUN, "/x/p"),
        ("python python-runner.pyz run a b", Purpose.RUN, None),
        ("python-runner run", Purpose.RUN, None),
        ("python-runner mail flush --due", Purpose.FLUSH, None),
        ("python-runner digest --mail", Purpose.DIGEST, None),
        ("python-runner status", None, None),
    ],
)
def test_a_command_of_ours_is_recognised(
    command: str, purpose: Purpose | None, project: str | None
) -> None:
    """However the program is named: by its path, a module, in capitals."""
    job = job_of(command.split(), Path("/srv"), expression=None)
    assert job is not None
    assert job.purpose is purpose
    assert job.project == (Path(project) if project else None)


@pytest.mark.parametrize("command", ["python run.py", "tail -f python-runner.log", ""])
def test_another_program_is_not_ours(command: str) -> None:
    """A name that only resembles it starts nothing of ours."""
    assert job_of(command.split(), Path("/srv"), expression=None) is None
