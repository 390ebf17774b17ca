"""What the folders of projects tell, looked at in threads of their own.

A folder may lie on a share that does not answer: no page waits for it longer than a moment.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Project
    from python_runner.model.differences import Differences
    from python_runner.model.digest import Silent
    from python_runner.model.overview import RunLine

#: Threads that look: one may hang, and more would take the processor from the pages.
_THREADS = 2
#: Seconds for which what a folder told is true while its runs are the same: the clock makes
#: a project silent, and its configuration may be edited.
_KNOWN = 60.0
#: Seconds for which a page waits for folders that nobody has looked at yet, once for each,
#: and for those whose runs have changed.
FIRST, AGAIN = 1.0, 0.03


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a project's folder, and the starts of its runs, tell.

    Attributes:
        project: its configuration; None where that cannot be read.
        problem: why it cannot be read, or None.
        there: whether there is a folder.
        silent: why it should have run, or None.
        due: when it is due next by its schedule; None where it has none.
        changed: what has changed since the script that failed last succeeded; None where
            nobody knows.
    """

    project: Project | None = None
    problem: str | None = None
    there: bool = True
    silent: Silent | None = None
    due: datetime | None = None
    changed: Differences | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A folder that is to be looked at.

    Attributes:
        runs: differs when its runs have changed.
        last: its last run; None where none has ended.
        urgent: whether it is looked at before the others.
    """

    folder: Path
    runs: Hashable = None
    last: RunLine | None = None
    urgent: bool = False


class Folders:
    """Looks at folders, and remembers what they told."""

    def __init__(self, look: Callable[[Wanted], Known]) -> None:
        """Look at nothing yet; ``look`` raises nothing."""
        self._look = look
        #: For which runs, until when by the monotonic clock, and what it is.
        self._known: dict[Path, tuple[Hashable, float, Known]] = {}
        self._waiting: dict[Path, Wanted] = {}
        self._busy: set[Path] = set()
        #: Those of which something older, or nothing, was told meanwhile.
        self._stale: set[Path] = set()
        self._awaited: set[Path] = set()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._generation = 0
        self._closed = False

    @property
    def generation(self) -> int:
        """Differs when folders tell something else than :meth:`known` has said."""
        return self._generation

    def close(self) -> None:
        """Look at nothing more; a look that hangs is left alone."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join(1.0)

    def known(
        self, wanted: list[Wanted], patience: float | None = None
    ) -> Mapping[Path, Known]:
        """Return what folders tell; those that were never looked at in time are left out.

        Args:
            wanted: the folders.
            patience: seconds to wait; None: a moment, see :data:`FIRST`.
        """
        now = time.monotonic()
        with self._changed:
            awaited = set()
            for one in sorted(wanted, key=lambda one: not one.urgent):
                kept = self._known.get(one.folder)
                differs = kept is None or kept[0] != one.runs
                if kept and not differs and now < kept[1]:
                    continue
                if one.folder not in self._busy:
                    self._waiting[one.folder] = one
                if differs:
                    awaited.add(one.folder)
            if patience is None:
                new = awaited - self._awaited
                patience = FIRST if new - self._known.keys() else AGAIN
            self._awaited |= awaited
            self._start()
            self._changed.wait_for(
                lambda: self._closed or not any(map(self._is_open, awaited)), patience
            )
            self._stale |= {one.folder for one in wanted if self._is_open(one.folder)}
            return {
                one.folder: self._known[one.folder][2]
                for one in wanted
                if one.folder in self._known
            }

    def _is_open(self, folder: Path) -> bool:
        return folder in self._waiting or folder in self._busy

    def _start(self) -> None:
        while (
            len(self._threads) < min(_THREADS, len(self._waiting) + len(self._busy))
            and not self._closed
        ):
            # A daemon: nobody waits at the end for a share that does not answer.
            thread = threading.Thread(target=self._work, name="folders", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                # The next page tries again.
                return
            self._threads.append(thread)

    def _work(self) -> None:
        news = False
        while True:
            with self._changed:
                if not self._waiting:
                    self._generation += news
                    self._threads.remove(threading.current_thread())
                    self._changed.notify_all()
                    return
                folder = next(iter(self._waiting))
                wanted = self._waiting.pop(folder)
                self._busy.add(folder)
            began = time.monotonic()
            known = self._look(wanted)
            took = time.monotonic() - began
            with self._changed:
                self._busy.discard(folder)
                kept = self._known.get(folder)
                differs = kept is None or kept[2] != known
                news = news or (differs and folder in self._stale)
                self._stale.discard(folder)
                until = time.monotonic() + _KNOWN
                self._known[folder] = (wanted.runs, until, known)
                self._changed.notify_all()
            # Pages are answered in between.
            time.sleep(min(took, 0.05))
