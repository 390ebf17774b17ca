"""Fleets for tests: computers that write, and shares that hang."""

from __future__ import annotations

import os
import threading
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from python_runner.fleet.writing import FleetWriter
from python_runner.model import (
    Attempt,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.model.fleet import FleetFolder
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

#: A Thursday.
NOW = datetime(2026, 11, 26, 7, tzinfo=UTC)
MESSAGE = "KeyError: 'montant'"


def ended(
    number: int = 1,
    *,
    project: str = "paie",
    began: datetime = NOW,
    exception: str | None = None,
    **values: Any,
) -> Run:
    """Return a run of one script, which failed with an exception or succeeded."""
    run_id = f"{number:013x}"
    outcome = Outcome.FAILURE if exception else Outcome.SUCCESS
    traceback = None
    if exception:
        text = f"Traceback (most recent call last):\n{exception}"
        traceback = Traceback(text=text, exception=exception, file="a.py", line=3)
    attempt = Attempt(
        outcome=outcome, exit_code=0, started_at=began, duration=2, traceback=traceback
    )
    script = ScriptResult(
        script="a.py",
        run_id=run_id,
        number=1,
        outcome=outcome,
        started_at=began,
        duration=2.0,
        attempts=(attempt,),
    )
    run: dict[str, Any] = {
        "run_id": run_id,
        "project": project,
        "path": Path("/srv", project),
        "status": RunStatus.FAILURE if exception else RunStatus.SUCCESS,
        "started_at": began,
        "duration": 2.0,
        "scripts": (script,),
    }
    return Run(**run | values)


class Computer:
    """A computer with a state folder of its own, that writes to a fleet's folder."""

    def __init__(self, share: Path, home: Path, **values: Any) -> None:
        """Take the folders, and values of the fleet's configuration."""
        self.now = datetime.now(UTC)
        place = FleetFolder(folder=share, **values)
        self.writer = FleetWriter(place, home, lambda: self.now)
        self.own = share / self.writer.queue.writer().folder

    def tell(self, *runs: Run, **values: Any) -> None:
        """Tell of runs, and wait until that is written or cannot be."""
        for run in runs:
            self.writer.tell(run, **values)
        self.writer.deliver()
        self.writer.wait(GENEROUS)

    def files(self) -> list[Path]:
        """Return the files of its runs."""
        return sorted(self.own.glob("*/*.json"))


@contextmanager
def hanging(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let every call of the system about a folder wait, as a share does that has gone.

    The event that is yielded is set when the first call waits.
    """
    free, met = threading.Event(), threading.Event()

    def waits(call: Any) -> Any:
        def wrapper(path: Any, *args: Any, **kwargs: Any) -> Any:
            if not isinstance(path, int) and str(path).startswith(str(folder)):
                met.set()
                free.wait(GENEROUS)
            return call(path, *args, **kwargs)

        return wrapper

    with patch.context() as context:
        for name in ("stat", "lstat", "open", "scandir", "mkdir", "replace", "listdir"):
            context.setattr(os, name, waits(getattr(os, name)))
        try:
            yield met
        finally:
            free.set()


def days(count: float) -> timedelta:
    """Return so many days."""
    return timedelta(days=count)
