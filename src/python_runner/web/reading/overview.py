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
from python_runner.runner.differences import since_success
from python_runner.runner.digest import Survey
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.scheduling.catch_up import first_missed, outlook_of
from python_runner.texts.sanitize import clean
from python_runner.trends import usual_duration
from python_runner.web.addresses import key_of
from python_runner.web.reading.folders import Folders, Known, Wanted
from python_runner.web.reading.troubles import troubles
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Project
    from python_runner.model.differences import Differences
    from python_runner.model.overview import Progress, ProjectSummary, RunLine
    from python_runner.records.store import Store
    from python_runner.texts.sentence import Sentence
    from python_runner.web.site import Site

#: Runs that a row shows, and the days that its share is about.
RUNS, DAYS = 30, 30
#: Seconds for which an overview is true while nothing is written.
_FRESH = 5.0
#: Scripts of a run from which on it is not compared with the last success.
_MOST_COMPARED = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one project does.

    Attributes:
        path: its folder.
        name: what people call it.
        state: how it does.
        known: what its folder tells.
        is_pending: whether nobody has looked at its folder yet.
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
    is_pending: bool = False

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
        troubles: what somebody has to look at beside the projects.
        recorded: whether there are records.
    """

    rows: tuple[Row, ...] = ()
    waiting: int = 0
    troubles: tuple[Sentence, ...] = ()
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

    def __init__(
        self,
        site: Site,
        store: Store,
        mark: Callable[[], str],
        patience: float | None = None,
    ) -> None:
        """Make a surveyor.

        Args:
            site: the dashboard.
            store: the records.
            mark: returns what differs as soon as something was written.
            patience: seconds to wait for the projects' folders; None: a moment.
        """
        self._site = site
        self._store = store
        self._written = mark
        self._patience = patience
        self._lock = threading.Lock()
        self._kept: tuple[str, float, Overview] | None = None
        self._looker = Folders(self._look)
        #: What each row was last made of, and the row; none of a project that runs.
        self._rows: dict[Path, tuple[Known | None, object, Row]] = {}
        #: What changed before the run of an id, by project.
        self._changes: dict[Path, tuple[str, Differences | None]] = {}

    def mark(self) -> str:
        """Return what differs when something was written, or a folder tells something new.

        Raises:
            StoreError: the records cannot be read.
        """
        return f"{self._written()}.{self._looker.generation}"

    def close(self) -> None:
        """Look at no more folders."""
        self._looker.close()

    def overview(self) -> Overview:
        """Return how all projects do now.

        Raises:
            StoreError: the records cannot be read.
        """
        with self._lock:
            try:
                mark = self.mark()
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
            known = self._known(folders, {}, {})
            rows = [self._row(folder, None, (), {}, known) for folder in folders]
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
        known = self._known(folders, summaries, active)
        rows = []
        for folder in folders:
            key = key_of(folder)
            summary, runs = summaries.get(key), active.get(key, [])
            if self._is_wanted(folder, known.get(folder)):
                row = self._row_again(folder, summary, runs, unusual, known)
                number = waiting.get(summary.number, 0) if summary else 0
                rows.append(replace(row, waiting=number) if number else row)
        order = list(State)
        rows.sort(key=lambda row: (order.index(row.state), row.name.casefold()))
        found_wrong = troubles(
            self._store, self._site.settings.home, self._site.clock()
        )
        return Overview(
            rows=tuple(rows),
            waiting=sum(waiting.values()),
            troubles=tuple(found_wrong),
        )

    def _folders(self) -> tuple[Path, ...]:
        if self._site.projects:
            return self._site.projects
        with suppress(NoRecords):
            return tuple(self._store.projects())
        return ()

    def _is_wanted(self, folder: Path, known: Known | None) -> bool:
        """Say whether a project is shown: one that nobody listed may be gone by now."""
        listed = folder in self._site.projects
        return listed or known is None or known.project is not None or known.there

    def _known(
        self,
        folders: Sequence[Path],
        summaries: Mapping[str, ProjectSummary],
        active: Mapping[str, list[Progress]],
    ) -> Mapping[Path, Known]:
        """Return what is known of the folders, those of failing projects first."""
        wanted = []
        for folder in folders:
            key = key_of(folder)
            last = summaries[key].last if key in summaries else None
            runs = tuple(run.key for run in active.get(key, ()))
            urgent = last is not None and last.status is not RunStatus.SUCCESS
            wanted.append(
                Wanted(
                    folder=folder,
                    runs=(last.key if last else 0, runs),
                    last=last,
                    urgent=urgent,
                )
            )
        return self._looker.known(wanted, self._patience)

    def _look(self, wanted: Wanted) -> Known:
        """Return what a folder tells; raises nothing."""
        try:
            return self._looked_at(wanted)
        except (PythonRunnerError, OSError) as error:
            # The page itself tells what is wrong with the records.
            return Known(problem=str(error))

    def _looked_at(self, wanted: Wanted) -> Known:
        now, folder = self._site.clock(), wanted.folder
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
        return Known(
            project=project,
            problem=problem,
            there=project is not None or is_folder(folder),
            silent=silent,
            due=outlook.due if outlook else None,
            changed=self._changed(wanted, project),
        )

    def _changed(self, wanted: Wanted, project: Project | None) -> Differences | None:
        """Return what changed since the script that failed last succeeded."""
        last = wanted.last
        failure = last.failure if last else None
        if last is None or failure is None or last.scripts > _MOST_COMPARED:
            return None
        kept = self._changes.get(wanted.folder)
        if kept and kept[0] == last.run_id:
            return kept[1]
        run = self._store.run(last.run_id)
        if run is None:
            return None
        results = [r for r in run.scripts if r.number == failure.number]
        found = since_success(
            replace(run, scripts=tuple(results)), self._store, self._masker(project)
        )
        changed = found.get(failure.script)
        self._changes[wanted.folder] = (last.run_id, changed)
        return changed

    def _masker(self, project: Project | None) -> Masker:
        secrets = project.secrets if project else ()
        return Masker((*self._site.settings.secrets, *secrets))

    def _row_again(
        self,
        folder: Path,
        summary: ProjectSummary | None,
        runs: list[Progress],
        unusual: Mapping[int, tuple[Sentence, ...]],
        known: Mapping[Path, Known],
    ) -> Row:
        """Return a row; the same as before where it is made of the same facts."""
        kept = self._rows.get(folder)
        told = unusual.get(summary.last.key) if summary else None
        facts = (summary, told)
        looked_at = known.get(folder)
        if kept and not runs and kept[0] is looked_at and kept[1] == facts:
            return kept[2]
        row = self._row(folder, summary, runs, unusual, known)
        if runs:
            self._rows.pop(folder, None)
        else:
            self._rows[folder] = (looked_at, facts, row)
        return row

    def _row(
        self,
        folder: Path,
        summary: ProjectSummary | None,
        runs: list[Progress] | tuple[()],
        unusual: Mapping[int, tuple[Sentence, ...]],
        looked_at: Mapping[Path, Known],
    ) -> Row:
        known = looked_at.get(folder)
        if known is None:
            # Which of its words are secret is not known yet.
            summary = summary and _wordless(summary)
            unusual, known = {}, Known()
        masker = self._masker(known.project)
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
            is_pending=folder not in looked_at,
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


def _wordless(summary: ProjectSummary) -> ProjectSummary:
    return replace(summary, last=replace(summary.last, failure=None, error=None))


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
