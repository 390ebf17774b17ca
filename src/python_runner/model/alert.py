"""What people were told of a project's failures, and what is kept from them for now."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.project import EmailStrategy
from python_runner.model.run import Outcome


if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from python_runner.model.run import Held, Run, RunStatus
    from python_runner.texts.sentence import Sentence

    #: A script's name, or nothing for the run itself, and the name of its error.
    Error = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRules:
    """When a project's failures are reported.

    Attributes:
        mail_after: from which failed run in a row on.
        remind: seconds within which the same error is not reported again; None: it is
            reported each time.
    """

    strategy: EmailStrategy = EmailStrategy.ALL
    mail_after: int = 1
    remind: float | None = None

    @property
    def remembers(self) -> bool:
        """Whether a report depends on those before it."""
        return self.mail_after > 1 or self.remind is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldFailure:
    """A failed run that people were told of, or will be: its report may still wait."""

    started_at: datetime
    errors: frozenset[Error]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMemory:
    """The failed runs of a project in a row, up to now, and what people know of them.

    A success of the whole series begins a new row. Runs that were skipped, and those
    that nobody was to be told of, do not count.

    Attributes:
        failures: how many there are.
        untold: of how many nobody was told: the report was held back, or given up.
        since: when the first one began; None where there is none.
        told: those that people were told of, the last recorded first.
        compared: whether these have their errors.
    """

    failures: int = 0
    untold: int = 0
    since: datetime | None = None
    told: tuple[ToldFailure, ...] = ()
    compared: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportDecision:
    """Whether a run is reported.

    Attributes:
        held: why it is not for now, though its strategy wants it; else None.
        recovery: whether it is reported because people were told of the failures that
            it ends, which its strategy alone would not do.
    """

    due: bool
    held: Held | None = None
    recovery: bool = False


def errors_of_run(run: Run) -> frozenset[Error]:
    """Return what went wrong in a run that did not succeed."""
    failed = ((r.script, r.outcome, r.error_name) for r in run.failed_scripts)
    return errors_of(run.status, run.error, failed)


def errors_of(
    status: RunStatus,
    error: Sentence | None,
    failed: Iterable[tuple[str, Outcome, str]],
) -> frozenset[Error]:
    """Return what went wrong in a run: what follows from something else is left out.

    Args:
        status: of the run.
        error: why it did not take place, or None.
        failed: its scripts that did not succeed: name, outcome and name of the error.
    """
    own = {
        (_recorded(script), _recorded(name))
        for script, outcome, name in failed
        if outcome is not Outcome.SKIPPED
        and not (error and outcome is Outcome.NOT_STARTED)
    }
    if error:
        own.add(("", _recorded(re.sub("[0-9]+", "0", str(error)))))
    return frozenset(own or {("", status.value)})


def _recorded(text: str) -> str:
    """Return a text as the records give it back: they take UTF-8 only."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
