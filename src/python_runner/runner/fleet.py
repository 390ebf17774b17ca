"""Tells the other computers of a fleet how the runs of this one went."""

from __future__ import annotations

from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING

from python_runner.model.fleet import FleetRunning
from python_runner.records.store import StoreError


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.fleet.writing import FleetWriter
    from python_runner.model import Project, Run
    from python_runner.model.fleet import FleetFolder
    from python_runner.records.store import Store
    from python_runner.texts.sentence import Sentence

#: Seconds that the end of a command waits for the fleet's folder.
PATIENCE = 5.0
#: Days in a row whose times a calendar may exclude: beyond, nobody knows what is due.
_MOST_DAYS = 62


class FleetReporter:
    """Tells a fleet of the runs of one process; no run waits for it.

    Its folder is written to by a thread. What cannot be written waits in the state folder.
    """

    def __init__(
        self,
        place: FleetFolder,
        home: Path,
        now: Callable[[], datetime],
        store: Store | None,
    ) -> None:
        """Take the fleet's folder, the state folder, the clock and the records."""
        # Most people have one computer: what it takes is loaded where there is a fleet.
        from python_runner.fleet.writing import FleetWriter  # noqa: PLC0415

        self._writer: FleetWriter = FleetWriter(place, home, now)
        self._home = home
        self._now = now
        self._store = store
        self._own: dict[str, FleetRunning] = {}
        self._lock = Lock()

    def begin(self, run_id: str, project: Project, started_at: datetime) -> None:
        """Show that a run has begun, and write what waits."""
        running = FleetRunning(
            project=project.name, path=project.path, started_at=started_at
        )
        with self._lock:
            self._own[run_id] = running
        self._writer.deliver(self._running())

    def tell(self, run: Run, project: Project | None) -> None:
        """Tell of a run that has ended.

        Args:
            run: without secrets in its texts.
            project: None where its configuration cannot be read.
        """
        with self._lock:
            self._own.pop(run.run_id, None)
        schedule = project.schedule if project else None
        due = next_due(project, self._now()) if project else None
        self._writer.tell(run, schedule=schedule, due=due)
        self._writer.deliver(self._running())

    def flush(self) -> None:
        """Write what waits, and that this computer is there."""
        self._writer.deliver(self._running())

    def finish(self, seconds: float = PATIENCE) -> Sentence | None:
        """Wait a little until all is written; return what keeps it from that, if it is new.

        Where the folder has not answered before, nobody waits for it as long again.
        """
        self._writer.wait(seconds)
        return self._writer.new_trouble()

    def trouble(self) -> Sentence | None:
        """Return what keeps results from being written, whoever has been told."""
        return self._writer.trouble()

    def untold(self) -> Sentence | None:
        """Return what has kept earlier results from being written, once."""
        return self._writer.untold()

    def waiting(self) -> int:
        """Return how many results wait."""
        return self._writer.waiting()

    def _running(self) -> list[FleetRunning]:
        """Return the runs of this computer that have begun, those of other processes too."""
        with self._lock:
            own = dict(self._own)
        return [*own.values(), *self._others(own)]

    def _others(self, own: dict[str, FleetRunning]) -> Iterator[FleetRunning]:
        if self._store is None:
            return
        from python_runner.runner.recovery import was_interrupted  # noqa: PLC0415 - above

        with suppress(StoreError):
            for run in self._store.open_runs():
                if run.run_id in own:
                    continue
                if not was_interrupted(run, self._store, self._home):
                    yield FleetRunning(
                        project=run.project, path=run.path, started_at=run.started_at
                    )


def next_due(project: Project, now: datetime) -> datetime | None:
    """Return when a project runs next by its schedule and its calendar; None: nobody knows."""
    if project.schedule is None:
        return None
    from python_runner.days_off import day_off  # noqa: PLC0415 - few projects have any
    from python_runner.due_times import times_after  # noqa: PLC0415 - likewise

    off: dict[object, bool] = {}
    for slot in times_after(project.schedule, now):
        day = slot.date()
        if day not in off:
            if len(off) >= _MOST_DAYS:
                break
            found = day_off(project.not_on, project.path, day, project.language)
            off[day] = found.reason is not None
        if not off[day]:
            return slot
    return None
