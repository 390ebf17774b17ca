"""How all projects do, found once for everybody who looks at the same moment."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import is_folder
from python_runner.masking import Masker
from python_runner.model import OpenRun, RunStatus
from python_runner.records import overview as records
from python_runner.records.read_only import NoRecords
from python_runner.runner.digest import Survey
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.scheduling.catch_up import first_missed, outlook_of
from python_runner.texts.sanitize import clean
from python_runner.trends import usual_duration
from python_runner.web.addresses import key_of
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Project
    from python_runner.model.digest import Silent
    from python_runner.model.overview import Progress, ProjectSummary, RunLine
    from python_runner.records.store import Store
    from python_runner.texts.sentence import Sentence
    from python_runner.web.site import Site

#: Runs that a row shows, and the days that its share is about.
RUNS, DAYS = 30, 30
#: Seconds for which an overview is true while nothing is written, and what is known of a
#: project's folder and rhythm while its runs are the same: the clock makes it silent.
_FRESH, _KNOWN = 5.0, 60.0
#: Seconds that an overview may spend on folders and rhythms that are known from before.
_BUDGET = 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a project's folder, and the starts of its runs, tell.

    Attributes:
        project: its configuration; None where that cannot be read.
        problem: why it cannot be read, or None.
        silent: why it should have run, or None.
        due: when it is due next by its schedule; None where it has none.
    """

    project: Project | None = None
    problem: str | None = None
    silent: Silent | None = None
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one project does.

    Attributes:
        path: its folder.
        name: what people call it.
        state: how it does.
        known: what its folder tells.
        summary: how its runs went; None where none has ended.
        status: how the last run ended, also where the records do not know yet.
        running: the active run, or None.
        left: the run whose runner died, where no later one has ended it yet.
        unusual: why the last success was unusual.
        waiting: how many of its reports wait for delivery.
    """

    path: Path
    name: str
    state: State
    known: Known
    summary: ProjectSummary | None = None
    status: RunStatus | None = None
    running: Progress | None = None
    left: Progress | None = None
    unusual: tuple[Sentence, ...] = ()
    waiting: int = 0

    @property
    def last(self) -> RunLine | None:
        """The run that ended last."""
        return self.summary.last if self.summary else None

    @property
    def share(self) -> float | None:
        """Share of its runs of the last :data:`DAYS` that succeeded, 0 to 1."""
        if self.summary is None or not (self.summary.good + self.summary.bad):
            return None
        return self.summary.good / (self.summary.good + self.summary.bad)

    @property
    def usual(self) -> float | None:
        """Seconds that its runs take usually; None while that is not known."""
        recent = self.summary.recent if self.summary else ()
        good = [run for run in recent if run.status is RunStatus.SUCCESS]
        # Those of the whole series, without the runs of a part of it.
        whole = max((run.scripts for run in good), default=0)
        return usual_duration([run.duration for run in good if run.scripts == whole])

    @property
    def needs_somebody(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in {State.FAILED, State.INTERRUPTED, State.SILENT}

    @property
    def help(self) -> str:
        """The owner's words about its failure; empty for none."""
        words = self.known.project.all_help if self.known.project else {}
        failure = self.last.failure if self.last else None
        own = words.get(failure.script) if failure else None
        return own or words.get("", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How all projects do.

    Attributes:
        rows: what people look at first comes first.
        waiting: how many reports wait for delivery.
        recorded: whether there are records.
    """

    rows: tuple[Row, ...] = ()
    waiting: int = 0
    recorded: bool = True

    @property
    def state(self) -> State:
        """The state of what people look at first."""
        return self.rows[0].state if self.rows else State.NEVER

    @property
    def last(self) -> datetime | None:
        """When the last run began."""
        return max((row.last.started_at for row in self.rows if row.last), default=None)

    @property
    def due(self) -> datetime | None:
        """When the next run is due by a schedule."""
        return min((row.known.due for row in self.rows if row.known.due), default=None)


class Surveyor:
    """Makes overviews, and keeps the last one as long as it is true."""

    def __init__(self, site: Site, store: Store, mark: Callable[[], str]) -> None:
        """Make a surveyor.

        Args:
            site: the dashboard.
            store: the records.
            mark: returns what differs as soon as something was written.
        """
        self._site = site
        self._store = store
        self._mark = mark
        self._lock = threading.Lock()
        self._kept: tuple[str, float, Overview] | None = None
        #: What is known of each folder, for which runs, and until when that is true.
        self._known: dict[Path, tuple[object, float, Known]] = {}

    def overview(self) -> Overview:
        """Return how all projects do now.

        Raises:
            StoreError: the records cannot be read.
        """
        with self._lock:
            try:
                mark = self._mark()
            except NoRecords:
                mark = ""
            if (
                self._kept
                and self._kept[0] == mark
                and time.monotonic() < self._kept[1]
            ):
                return self._kept[2]
            overview = self._survey(recorded=bool(mark))
            self._kept = (mark, time.monotonic() + _FRESH, overview)
            return overview

    def _survey(self, *, recorded: bool) -> Overview:
        folders = self._folders()
        if not recorded:
            rows = [self._row(folder, None, (), {}) for folder in folders]
            return Overview(rows=tuple(rows), recorded=False)
        with self._store.view() as view:
            found = records.summaries(view, self._site.clock())
            progress = records.progress(view)
            waiting = records.waiting(view)
            last = [summary.last.key for summary in found]
            unusual = records.unusual(view, last)
        summaries = {key_of(summary.path): summary for summary in found}
        active: dict[str, list[Progress]] = {}
        for run in progress:
            active.setdefault(key_of(run.path), []).append(run)
        budget, rows = time.monotonic() + _BUDGET, []
        for folder in folders:
            key = key_of(folder)
            summary, runs = summaries.get(key), active.get(key, [])
            known = self._looked_up(folder, summary, runs, budget)
            if self._is_wanted(folder, known):
                row = self._row(folder, summary, runs, unusual, known)
                number = summary.number if summary else 0
                rows.append(replace(row, waiting=waiting.get(number, 0)))
        order = list(State)
        rows.sort(key=lambda row: (order.index(row.state), row.name.casefold()))
        return Overview(rows=tuple(rows), waiting=sum(waiting.values()))

    def _folders(self) -> tuple[Path, ...]:
        if self._site.projects:
            return self._site.projects
        with suppress(NoRecords):
            return tuple(self._store.projects())
        return ()

    def _is_wanted(self, folder: Path, known: Known) -> bool:
        """Say whether a project is shown: one that nobody listed may be gone by now."""
        return bool(self._site.projects or known.project or is_folder(folder))

    def _looked_up(
        self,
        folder: Path,
        summary: ProjectSummary | None,
        runs: list[Progress],
        budget: float,
    ) -> Known:
        """Return what is known of a folder, as far as there is time to look again."""
        state = (summary.last.key if summary else 0, [run.key for run in runs])
        kept = self._known.get(folder)
        now = time.monotonic()
        if kept and (now > budget or (kept[0] == state and now < kept[1])):
            return kept[2]
        known = self._look(folder)
        self._known[folder] = (state, time.monotonic() + _KNOWN, known)
        return known

    def _look(self, folder: Path) -> Known:
        now = self._site.clock()
        try:
            project = load_project(folder, defaults=self._site.defaults)
            problem = None
        except PythonRunnerError as error:
            project, problem = None, str(error)
        survey = Survey(
            store=self._store,
            settings=self._site.settings,
            defaults=self._site.defaults,
            listed=frozenset(self._site.projects),
            missed=lambda one, moment: first_missed(one, self._store, moment),
        )
        try:
            silent = survey.silent(folder, project, now)
            outlook = outlook_of(project, self._store, now) if project else None
        except NoRecords:
            silent, outlook = None, None
        due = outlook.due if outlook else None
        return Known(project=project, problem=problem, silent=silent, due=due)

    def _row(
        self,
        folder: Path,
        summary: ProjectSummary | None,
        runs: list[Progress] | tuple[()],
        unusual: Mapping[int, tuple[Sentence, ...]],
        known: Known | None = None,
    ) -> Row:
        known = known or self._look(folder)
        project = known.project
        secrets = project.secrets if project else ()
        masker = Masker((*self._site.settings.secrets, *secrets))
        running, left, status = self._ends(runs)
        if left is None and summary:
            status = summary.last.status
        name = summary.project if summary else clean(folder.name) or str(folder)
        told = unusual.get(summary.last.key, ()) if summary and left is None else ()
        row = Row(
            path=folder,
            name=name,
            state=State.NEVER,
            known=replace(
                known,
                problem=known.problem and masker.text(known.problem),
                silent=None if running else known.silent,
            ),
            summary=_masked(summary, masker) if summary else None,
            status=status,
            running=running and masker.fact(running),
            left=left,
            unusual=tuple(masker.sentence(why) for why in told),
        )
        return replace(row, state=_state(row, listed=bool(self._site.projects)))

    def _ends(
        self, runs: list[Progress] | tuple[()]
    ) -> tuple[Progress | None, Progress | None, RunStatus | None]:
        """Return the active run, and the one whose end is not recorded yet, with its end."""
        running = left = status = None
        home = self._site.settings.home
        for run in runs:
            found = OpenRun(
                run_id=run.run_id,
                project=run.project,
                path=run.path,
                started_at=run.started_at,
                runner=run.runner,
                runner_start=run.runner_start,
            )
            if end := known_end(found, home):
                ended: RunStatus | None = end.status
            else:
                died = was_interrupted(found, self._store, home)
                ended = RunStatus.INTERRUPTED if died else None
            if ended is None:
                running = running or run
            elif left is None:
                left, status = run, ended
        return running, left, status


def _masked(summary: ProjectSummary, masker: Masker) -> ProjectSummary:
    """Return a summary without secrets in its texts; ids and the name stay."""
    last = masker.fact(summary.last)
    last = replace(last, run_id=summary.last.run_id, project=summary.last.project)
    return replace(summary, last=last)


def _state(row: Row, *, listed: bool) -> State:
    """Return how a project does; one that runs again after a failure still fails."""
    if row.status not in {None, RunStatus.SUCCESS, RunStatus.SKIPPED}:
        return state_of(row.status)
    if row.known.problem and listed:
        return State.FAILED
    if row.known.silent:
        return State.SILENT
    if row.unusual:
        return State.UNUSUAL
    if row.running:
        return State.RUNNING
    return State.NEVER if row.status is None else State.WELL
