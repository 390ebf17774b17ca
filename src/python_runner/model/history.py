"""Earlier results of a project, and how a new one compares with them."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.run import error_name


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from python_runner.model.metrics import ScriptMetrics
    from python_runner.model.run import Outcome, Run, RunStatus

    #: The least and the most of something.
    Bounds = tuple[float, float]


#: Earlier successes without which nobody knows what is usual; and the latest results, which
#: tell whether a success may be unusual.
ENOUGH_SUCCESSES, LATEST_RESULTS = 10, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class PastResult:
    """How a script ended in an earlier run: what a comparison needs.

    Attributes:
        started_at: when its first attempt began.
        duration: seconds, of all attempts and the waits between them.
        last_attempt: seconds of the last attempt; None where that is not known.
        fingerprint: of the last attempt's traceback, or None.
        exit_code: of the last attempt, or None.
        metrics: of the last attempt; None where that is not known.
        unusual: whether it was a success that was called unusual.
    """

    run_id: str
    outcome: Outcome
    started_at: datetime
    duration: float
    last_attempt: float | None = None
    fingerprint: str | None = None
    exit_code: int | None = None
    metrics: ScriptMetrics | None = None
    unusual: bool = False

    @property
    def error_name(self) -> str:
        """A name that two failures of a script share if they are the same error."""
        return error_name(self.outcome, self.fingerprint, self.exit_code)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastBounds:
    """The least and the most of what the successes among a script's latest results had.

    Attributes:
        successes: how many there are.
        duration: seconds.
        errors: lines logged at the level ERROR or above.
        numbers: by the lines that have them, as in ``ScriptMetrics.numbers``.
    """

    successes: int
    duration: Bounds | None = None
    output_bytes: Bounds | None = None
    output_lines: Bounds | None = None
    errors: Bounds | None = None
    numbers: Mapping[str, Bounds] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Streak:
    """``count`` results of a script in a row that are alike.

    Attributes:
        since: when the first of them began; None if there may be earlier ones, beyond
            those that were looked at.
    """

    count: int
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHead:
    """What tells a run from the others; ``status`` is None where it has not ended."""

    run_id: str
    project: str
    status: RunStatus | None
    started_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSchedule:
    """What the records know of a project's schedule.

    Attributes:
        terms: what its slots follow from; other terms make other slots.
        since: when these terms were seen first.
        reached: every slot up to then is settled: a run answered it, or it is older than
            what is known.
    """

    terms: str
    since: datetime
    reached: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectState:
    """How the runs of a project went lately; those that were skipped do not count.

    Attributes:
        last: the run that ended last; None where there is none.
        streak: the runs in a row up to that one that succeeded like it, or did not.
        durations: seconds that the last successes of the whole series took, newest first.
    """

    last: Run | None = None
    streak: Streak | None = None
    durations: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How a script's result compares with those before it.

    Attributes:
        usual: seconds its recent successes took, in the middle; None while they are few.
        new: whether it failed as it never has before.
        same: the results right before that failed in the same way, or None.
        last_seen: when it failed in the same way last, if not right before.
        recovered: the failures right before this success, or None.
    """

    usual: float | None = None
    new: bool = False
    same: Streak | None = None
    last_seen: datetime | None = None
    recovered: Streak | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """The mails of one incident: runs of a project in a row that did not succeed.

    Attributes:
        began_at: when the first of these runs began.
        topic: subject of the first mail; empty in that mail itself.
        references: ``Message-ID`` of earlier mails, the first one and the latest ones,
            in order; empty in the first mail.
    """

    began_at: datetime
    topic: str = ""
    references: tuple[str, ...] = ()
