"""Finds what a digest tells: of each project what its records and its folder say."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.config.project import load_project
from python_runner.delivery.expiry import expiry_notices
from python_runner.delivery.sign_in.facts import notice
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import is_folder
from python_runner.masking import Masker
from python_runner.model import RunStatus, Streak
from python_runner.model.digest import Digest, ProjectDigest, Silent, Standing
from python_runner.records.digests import Undelivered
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.trends import MOST_STARTS, silence


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from python_runner.model import OpenRun, Project, ProjectState, Run, Settings
    from python_runner.records.digests import Period
    from python_runner.records.store import Store

#: A project that is not listed is left out where it has not run for so long.
_FORGOTTEN = timedelta(days=100)
#: From this time on, in days, the scripts' totals say something.
_TOTALS_DAYS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """Looks at projects, and at what is kept of them.

    Attributes:
        defaults: optional keys that hold where a project is silent.
        listed: the projects that were named or listed; the others are known from the
            records alone.
        missed: returns the first time that a project with a schedule has missed since its
            last run; None: none, or nobody knows. It is called with the present moment.
    """

    store: Store
    settings: Settings
    defaults: Mapping[str, Any]
    listed: Collection[Path]
    missed: Callable[[Project, datetime], datetime | None]

    def digest(self, folders: Sequence[Path], period: Period) -> Digest:
        """Return the digest of projects.

        Raises:
            StoreError: the records cannot be read.
        """
        digests, mail = self.store.digests, self.settings.mail
        counts = digests.counts(folders, period)
        unusual = digests.unusual(folders, period)
        held = digests.held(folders, period)
        undelivered = digests.undelivered(folders, period.since)
        own = undelivered.get(None, Undelivered())
        found = []
        for folder in folders:
            if self._is_forgotten(folder, period.until):
                continue
            facts = self._project(folder, period, counts[folder], unusual.get(folder))
            left = undelivered.get(folder, Undelivered())
            facts = replace(facts, waiting=left.waiting, given_up=left.given_up)
            found.append(replace(facts, held=held[folder]))
        order = list(Standing)
        found.sort(key=lambda p: (order.index(p.standing), p.name.casefold()))
        long = (period.until - period.since).days >= _TOTALS_DAYS
        warning = notice(mail, period.until)
        return Digest(
            since=period.since,
            until=period.until,
            computer=host_name(),
            projects=tuple(found),
            scripts=tuple(digests.scripts(folders, period)) if long else (),
            notices=(
                *([warning] if warning else []),
                *expiry_notices(mail, period.until),
            ),
            waiting=own.waiting,
            given_up=own.given_up,
        )

    def _is_forgotten(self, folder: Path, now: datetime) -> bool:
        """Say whether the records alone know a project, and nobody wants it any more.

        Its folder is gone, or it has not run for long.
        """
        if folder in self.listed:
            return False
        if not is_folder(folder):
            return True
        last = self.store.digests.starts(folder, now, 1)
        begun = bool(self.store.open_runs([folder]))
        return not begun and (not last or now - last[0] > _FORGOTTEN)

    def _project(
        self,
        folder: Path,
        period: Period,
        ended: Mapping[RunStatus, int],
        unusual_id: str | None,
    ) -> ProjectDigest:
        project, problem = self._configuration(folder)
        secrets = project.secrets if project else ()
        masker = Masker((*self.settings.secrets, *secrets))
        state = self.store.project_state(folder)
        running, left_open = self._open_runs(folder)
        facts = _with_last(folder, state, left_open)
        words = masker.text(_help(facts.last, project))
        last = facts.last and facts.last.masked(masker)
        unusual = self.store.run(unusual_id) if unusual_id else None
        facts = replace(
            facts, last=last, help=words, unusual=unusual and unusual.masked(masker)
        )
        began = running.started_at if running else None
        runs = sum(ended.values()) - ended.get(RunStatus.SKIPPED, 0)
        facts = replace(
            facts,
            runs=runs,
            failed=runs - ended.get(RunStatus.SUCCESS, 0),
            running_since=began,
            problem=problem and masker.text(problem),
            listed=folder in self.listed,
            configuration=project,
            silent=None if running else self.silent(folder, project, period.until),
        )
        standing = standing_of(facts, period.since)
        if standing is Standing.WELL and facts.unusual:
            return replace(facts, standing=Standing.UNUSUAL)
        facts = replace(facts, unusual=None)
        if standing is Standing.WELL:
            failure = next(
                iter(self.store.runs(projects=[folder], failed=True, limit=1)), None
            )
            if failure and has_recovered(facts, failure, period.since):
                standing = Standing.RECOVERED
                facts = replace(facts, failure=failure.masked(masker))
        return replace(facts, standing=standing)

    def _configuration(self, folder: Path) -> tuple[Project | None, str | None]:
        try:
            return load_project(folder, defaults=self.defaults), None
        except PythonRunnerError as error:
            return None, str(error)

    def _open_runs(
        self, folder: Path
    ) -> tuple[OpenRun | None, tuple[OpenRun, RunStatus] | None]:
        """Return the active run, and the newest one that has ended, with how.

        The records do not know its end yet. Each may be None.
        """
        home = self.settings.home
        running, left_open = None, None
        for run in self.store.open_runs([folder]):
            if end := known_end(run, home):
                left_open = left_open or (run, end.status)
            elif was_interrupted(run, self.store, home):
                left_open = left_open or (run, RunStatus.INTERRUPTED)
            elif self.store.run(run.run_id) is None:
                running = running or run
        return running, left_open

    def silent(
        self, folder: Path, project: Project | None, now: datetime
    ) -> Silent | None:
        """Return why a project should have run since it did; None where all is as usual.

        Raises:
            StoreError: the records cannot be read.
        """
        if project and project.schedule:
            due = self.missed(project, now)
            return Silent(expected_at=due, schedule=project.schedule) if due else None
        starts = self.store.digests.starts(folder, now, MOST_STARTS)
        starts += [run.started_at for run in self.store.open_runs([folder])]
        starts = sorted(start.astimezone() for start in starts if start <= now)
        if not starts:
            return None
        found = silence(starts, now.astimezone())
        if found is None:
            return None
        return Silent(
            expected_at=found.expected_at,
            weekdays=found.weekdays,
            every=found.every,
            runs=found.starts,
        )


def _help(run: Run | None, project: Project | None) -> str:
    """Return the owner's words about the first script that failed, else about the project."""
    words = project.all_help if project else {}
    failed = run.failed_scripts[:1] if run else ()
    return next(
        (words[r.script] for r in failed if r.script in words), words.get("", "")
    )


def _with_last(
    folder: Path, state: ProjectState, left_open: tuple[OpenRun, RunStatus] | None
) -> ProjectDigest:
    """Return how a project did last, with a run whose end the records do not know yet."""
    last, streak = state.last, state.streak
    name = last.project if last else folder.name or str(folder)
    if left_open is None or (last and last.started_at > left_open[0].started_at):
        status = last.status if last else None
        return ProjectDigest(
            path=folder, name=name, last=last, status=status, streak=streak
        )
    run, status = left_open
    alike = last and (last.status is RunStatus.SUCCESS) is (status is RunStatus.SUCCESS)
    before = streak if streak and alike else Streak(count=0, since=run.started_at)
    return ProjectDigest(
        path=folder,
        name=run.project,
        status=status,
        streak=Streak(count=before.count + 1, since=before.since),
    )


def standing_of(facts: ProjectDigest, since: datetime) -> Standing:
    """Return how a project does, but for whether it recovered."""
    if facts.status not in {None, RunStatus.SUCCESS, RunStatus.SKIPPED}:
        streak = facts.streak
        if streak is None or streak.since is None or streak.since >= since:
            return Standing.FAILED
        # A run that began before may have ended since: nobody has been told of it.
        told = facts.failed < streak.count
        return Standing.STILL_FAILING if told else Standing.FAILED
    if facts.problem:
        return Standing.BROKEN if facts.listed else Standing.WELL
    if facts.silent:
        return Standing.SILENT
    return Standing.NEVER_RAN if facts.status is None else Standing.WELL


def has_recovered(facts: ProjectDigest, failure: Run, since: datetime) -> bool:
    """Say whether a project that does well failed in the digest's time, or until then.

    Args:
        facts: of the project.
        failure: its last run that did not succeed.
        since: when the digest's time begins.
    """
    if (since - failure.started_at).total_seconds() <= failure.duration:
        return True
    # The last digest told that it fails: all its successes since are of this one's time.
    row = facts.streak
    return row is not None and row.count <= facts.runs - facts.failed
