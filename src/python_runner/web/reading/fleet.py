"""How the computers of a fleet do, read in a thread beside the pages.

The folder lies on a share, which may not answer: no page waits for it.
"""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.fleet.reading import SECONDS, read_fleet
from python_runner.masking import Masker
from python_runner.records.digests import Period
from python_runner.runner.fleet_digest import fleet_digest


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model.digest import Digest
    from python_runner.web.site import Site

#: Seconds between two readings, and how many times as long as the last one took at least.
_EVERY, _TIMES = 60.0, 10
#: What counts as recovered.
_LATELY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetNow:
    """What is known of a fleet.

    Attributes:
        digest: how its projects and computers did when it was last read; None where it
            could not be read yet.
        error: why it could not be read the last time; empty where it could.
    """

    folder: Path
    digest: Digest | None = None
    error: str = ""


class Fleet:
    """Reads a fleet's folder again and again, as long as somebody looks."""

    def __init__(self, site: Site, folder: Path, *, seconds: float = SECONDS) -> None:
        """Read nothing yet; a reading takes so many ``seconds`` at most."""
        self._site = site
        self._seconds = seconds
        self._now = FleetNow(folder=folder)
        self._due = 0.0
        self._reading = False
        self._guard = threading.Lock()
        self._generation = 0

    @property
    def generation(self) -> int:
        """Differs when it has been read again."""
        return self._generation

    def now(self) -> FleetNow:
        """Return what is known, at once; what is old is read again meanwhile."""
        self.refresh()
        return self._now

    def refresh(self) -> None:
        """Begin to read it again where that is due."""
        with self._guard:
            if self._reading or time.monotonic() < self._due:
                return
            # A daemon: nobody waits at the end for a share that does not answer.
            thread = threading.Thread(target=self._read, name="fleet", daemon=True)
            try:
                thread.start()
            except (RuntimeError, MemoryError):
                return
            self._reading = True

    def _read(self) -> None:
        began = time.monotonic()
        found = self._found()
        took = time.monotonic() - began
        with self._guard:
            self._now = found
            self._generation += 1
            self._due = time.monotonic() + max(_EVERY, _TIMES * took)
            self._reading = False

    def _found(self) -> FleetNow:
        """Return what the folder tells now; raises nothing."""
        site, folder = self._site, self._now.folder
        try:
            reading = read_fleet(folder, site.clock, seconds=self._seconds)
            now = site.clock()
            digest = fleet_digest(reading, Period(now - _LATELY, now), host_name())
            # What is secret here may have reached the folder from another computer.
            digest = Masker(site.settings.secrets).fact(digest)
        except PythonRunnerError as error:
            return FleetNow(folder=folder, digest=self._now.digest, error=str(error))
        except Exception as error:  # noqa: BLE001 - anybody may have written anything there
            reason = type(error).__name__
            return FleetNow(folder=folder, digest=self._now.digest, error=reason)
        return FleetNow(folder=folder, digest=digest)
