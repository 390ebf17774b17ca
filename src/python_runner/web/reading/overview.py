"""How all projects do, found once for everybody who looks at the same moment."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Outcome
from python_runner.model.digest import Digest, Standing
from python_runner.records.digests import Period
from python_runner.records.read_only import NoRecords
from python_runner.runner.digest import Survey
from python_runner.scheduling.catch_up import first_missed, outlook_of
from python_runner.web.addresses import key_of
from python_runner.web.reading.projects import Projects
from python_runner.web.states import State, state_of


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import OpenRun
    from python_runner.model.digest import ProjectDigest
    from python_runner.records.points import RunPoint
    from python_runner.records.store import Store
    from python_runner.web.site import Site

#: Runs that a row shows, and the days that its share is about.
RUNS, DAYS = 30, 30
#: Seconds after which a survey is made anew though nothing was written: the clock alone
#: makes a project silent. A costly one is kept longer, so that it takes a small share of
#: the time.
_FRESH, _SHARE = 20.0, 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """How one project does.

    Attributes:
        facts: what a digest would tell of it; its counts are those of :data:`DAYS`.
        state: how it does.
        points: its last runs, the last recorded first.
        running: the active run, or None.
        due: when it is due next by its schedule; None where it has none.
    """

    facts: ProjectDigest
    state: State
    points: tuple[RunPoint, ...] = ()
    running: OpenRun | None = None
    due: datetime | None = None

    @property
    def path(self) -> Path:
        """The project's folder."""
        return self.facts.path

    @property
    def share(self) -> float | None:
        """Share of its runs of the last :data:`DAYS` that succeeded, 0 to 1."""
        runs = self.facts.runs
        return (runs - self.facts.failed) / runs if runs else None

    @property
    def ended(self) -> int:
        """How many scripts of the active run have ended."""
        scripts = self.running.scripts if self.running else ()
        return sum(script.outcome is not None for script in scripts)

    @property
    def succeeded(self) -> int:
        """How many scripts of the last run succeeded."""
        scripts = self.facts.last.scripts if self.facts.last else ()
        return sum(result.outcome is Outcome.SUCCESS for result in scripts)

    @property
    def needs_somebody(self) -> bool:
        """Whether somebody has to look at it."""
        return self.state in {State.FAILED, State.INTERRUPTED, State.SILENT}


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How all projects do.

    Attributes:
        rows: what people look at first comes first.
        waiting: how many reports wait for delivery.
        given_up: how many have been given up lately.
        recorded: whether there are records.
    """

    digest: Digest
    rows: tuple[Row, ...] = ()
    waiting: int = 0
    given_up: int = 0
    recorded: bool = True

    @property
    def state(self) -> State:
        """The state of what people look at first."""
        return self.rows[0].state if self.rows else State.NEVER

    @property
    def last(self) -> datetime | None:
        """When the last run began."""
        starts = [row.points[0].started_at for row in self.rows if row.points]
        return max(starts, default=None)

    @property
    def due(self) -> datetime | None:
        """When the next run is due by a schedule."""
        return min((row.due for row in self.rows if row.due), default=None)


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
            if self._kept and self._kept[0] == mark:
                _, until, overview = self._kept
                if time.monotonic() < until:
                    return overview
            began = time.monotonic()
            overview = survey(self._site, self._store, recorded=bool(mark))
            took = time.monotonic() - began
            fresh = max(_FRESH, took * _SHARE)
            self._kept = (mark, time.monotonic() + fresh, overview)
            return overview


def survey(site: Site, store: Store, *, recorded: bool = True) -> Overview:
    """Look at all projects.

    Raises:
        StoreError: the records cannot be read.
    """
    now = site.clock()
    period = Period(now - timedelta(days=DAYS), now)
    if not recorded:
        nothing = Digest(since=period.since, until=now, computer="")
        return Overview(digest=nothing, recorded=False)
    folders = Projects(site, store).folders
    digest = Survey(
        store=store,
        settings=site.settings,
        defaults=site.defaults,
        listed=frozenset(site.projects),
        missed=lambda project, moment: first_missed(project, store, moment),
    ).digest(folders, period)
    running: dict[str, OpenRun] = {}
    for run in store.open_runs():
        running.setdefault(key_of(run.path), run)
    rows = [_row(facts, store, running, now) for facts in digest.projects]
    order = list(State)
    rows.sort(key=lambda row: (order.index(row.state), row.facts.name.casefold()))
    return Overview(
        digest=digest,
        rows=tuple(rows),
        waiting=digest.reports_waiting,
        given_up=digest.reports_given_up,
    )


def _row(
    facts: ProjectDigest, store: Store, running: Mapping[str, OpenRun], now: datetime
) -> Row:
    active = running.get(key_of(facts.path)) if facts.running_since else None
    project, due = facts.configuration, None
    if project and project.schedule:
        outlook = outlook_of(project, store, now)
        due = outlook.due if outlook else None
    return Row(
        facts=facts,
        state=_state(facts),
        points=tuple(store.points.runs(facts.path, RUNS)),
        running=active,
        due=due,
    )


def _state(facts: ProjectDigest) -> State:
    """Return how a project does; one that runs again after a failure still fails."""
    match facts.standing:
        case Standing.FAILED | Standing.STILL_FAILING:
            return state_of(facts.status)
        case Standing.BROKEN:
            return State.FAILED
        case Standing.SILENT:
            return State.SILENT
        case _:
            pass
    if facts.last and facts.last.unusual_scripts:
        return State.UNUSUAL
    if facts.running_since:
        return State.RUNNING
    return State.NEVER if facts.standing is Standing.NEVER_RAN else State.WELL
