"""A day of an office in which so many scripts run: what it costs, and who waits for what.

Nothing is measured here, and the same seed gives the same day. Each thing that is shared
(processors, places for runs, the mailbox) is a queue: who comes first is served first.
"""

from __future__ import annotations

import heapq
import random
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DAY = 86_400
_HOUR, _MINUTE = 3600, 60
#: How many times as many runs begin in an hour as in the quietest one.
_HOURS = (4, 1, 1, 1, 2, 6, 12, 10, 10, 8, 6, 6, 8, 6, 6, 6, 6, 8, 6, 4, 2, 2, 2, 2)
#: Minutes at which runs begin, and their shares; the other ones begin at any second.
_MINUTES = {0: 0.6, 30: 0.15, 15: 0.075, 45: 0.075}
#: What nobody has to wait for longer.
PATIENCE = 900.0
_SEED = 21


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What was measured of Python Runner.

    Attributes:
        run: seconds of processor time of a run, without its scripts.
        script: seconds of processor time of each of its scripts.
        report: seconds of processor time of its email.
        deleted: seconds of processor time to delete a script from the records.
        memory: MiB of its process.
        record, output, line: bytes of the records, of output and of the log for a script.
    """

    run: float
    script: float
    report: float
    deleted: float
    memory: float
    record: float
    output: float
    line: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Office:
    """What is taken for granted of the scripts and of the machine.

    Attributes:
        scripts: of a run, one after the other.
        seconds: that a script takes.
        work: seconds of processor time of it.
        mailed: share of the runs that are reported by email.
        emails: that the mailbox takes in a minute.
        processors: of the machine.
        memory: GiB of the machine.
        disk: GB of the machine, for all that is kept.
        keep_days, output_days, log_days: how long the records, the output and the log stay.
    """

    scripts: int = 10
    seconds: float = 20.0
    work: float = 2.0
    mailed: float = 0.02
    emails: int = 30
    processors: int = 4
    memory: float = 16.0
    disk: float = 500.0
    keep_days: int = 365
    output_days: int = 30
    log_days: int = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a day was like.

    Attributes:
        runs: that began.
        at_once: runs at the same time, at most, where none has to wait for a place.
        jobs: places with which none waits longer than patience.
        processor: share of the processors that Python Runner takes, without the scripts.
        processor_wait: the longest wait for a processor, in seconds.
        emails: that were sent.
        email_wait: the longest wait of an email, in seconds.
        memory: GiB of all runs at once, each in a process of its own.
        disk: GB of all that is kept in the end.
        deleting: seconds of processor time to delete as many runs as began.
    """

    runs: int
    at_once: int
    jobs: int
    processor: float
    processor_wait: float
    emails: int
    email_wait: float
    memory: float
    disk: float
    deleting: float


def arrivals(runs: int, rng: random.Random) -> list[float]:
    """Return the seconds of the day at which runs begin, in order."""
    hours = rng.choices(range(24), _HOURS, k=runs)
    minutes = [*_MINUTES, None]
    shares = [*_MINUTES.values(), 1 - sum(_MINUTES.values())]
    begun = rng.choices(minutes, shares, k=runs)
    return sorted(
        hour * _HOUR + (rng.uniform(0, _HOUR) if minute is None else minute * _MINUTE)
        for hour, minute in zip(hours, begun, strict=True)
    )


def starts(begun: Sequence[float], seconds: float, places: int) -> Iterator[float]:
    """Yield when each is served, for so many seconds, where there are so many places."""
    free = [0.0] * places
    for moment in begun:
        start = max(moment, free[0])
        heapq.heapreplace(free, start + seconds)
        yield start


def longest_wait(begun: Sequence[float], seconds: float, places: int) -> float:
    """Return how long the one who is served last of all waits."""
    pairs = zip(starts(begun, seconds, places), begun, strict=True)
    return max((start - moment for start, moment in pairs), default=0.0)


def at_once(begun: Sequence[float], seconds: float) -> int:
    """Return how many there are at the same time, at most, where none waits."""
    # Who ends at a moment has gone when others come.
    changes = sorted(
        [(moment, 1) for moment in begun] + [(moment + seconds, -1) for moment in begun]
    )
    return max(accumulate(change for _, change in changes), default=0)


def least(enough: Callable[[int], bool], most: int) -> int:
    """Return the least number from 1 that is enough, where ``most`` is."""
    low, high = 1, max(1, most)
    while low < high:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle + 1
    return high


def runs_of(scripts: float, office: Office) -> tuple[Sequence[float], Sequence[float]]:
    """Return when the runs of a day begin, and which of these are reported by email."""
    rng = random.Random(_SEED)  # noqa: S311 - no secret
    begun = arrivals(max(1, round(scripts / office.scripts)), rng)
    return begun, [moment for moment in begun if rng.random() < office.mailed]


def simulate(scripts: int, office: Office, costs: Costs) -> Day:
    """Return what a day with so many scripts is like."""
    begun, mailed = runs_of(scripts, office)
    own = _own(office, costs)
    long = office.scripts * office.seconds
    together = at_once(begun, long)
    return Day(
        runs=len(begun),
        at_once=together,
        jobs=least(lambda n: longest_wait(begun, long, n) <= PATIENCE, together),
        processor=len(begun) * own / (DAY * office.processors),
        processor_wait=longest_wait(begun, own, office.processors),
        emails=len(mailed),
        email_wait=longest_wait(mailed, _MINUTE / office.emails, 1),
        memory=together * costs.memory / 1024,
        disk=scripts * _kept(office, costs) / 1e9,
        deleting=scripts * costs.deleted,
    )


def _own(office: Office, costs: Costs) -> float:
    """Return seconds of processor time of a run, without what its scripts do."""
    return costs.run + office.scripts * costs.script + office.mailed * costs.report


def _kept(office: Office, costs: Costs) -> float:
    """Return the bytes that are kept in the end for each script of a day."""
    return (
        costs.record * office.keep_days
        + costs.output * office.output_days
        + costs.line * office.log_days
    )


def limits(office: Office, costs: Costs) -> dict[str, int]:
    """Return how many scripts a day each thing bears, the smallest number first.

    What is full all day is computed; what is only late for a while is simulated.
    """
    own, long = _own(office, costs), office.scripts * office.seconds
    script = own / office.scripts

    def is_memory_full(scripts: float) -> bool:
        begun, _ = runs_of(scripts, office)
        return at_once(begun, long) * costs.memory > office.memory * 1024

    def is_email_late(scripts: float) -> bool:
        _, mailed = runs_of(scripts, office)
        return longest_wait(mailed, _MINUTE / office.emails, 1) > PATIENCE

    def is_run_late(scripts: float) -> bool:
        begun, _ = runs_of(scripts, office)
        return longest_wait(begun, own, office.processors) > PATIENCE

    found = {
        "the scripts' own work": DAY * office.processors / (office.work + script),
        "processors": DAY * office.processors / script,
        "mailbox": DAY * office.emails / _MINUTE * office.scripts / office.mailed,
        "disk": office.disk * 1e9 / _kept(office, costs),
        "deleting": DAY / costs.deleted,
        "memory": _first(is_memory_full),
        "mailbox, for a while": _first(is_email_late),
        "processors, for a while": _first(is_run_late),
    }
    rounded = {name: _two_figures(number) for name, number in found.items()}
    return dict(sorted(rounded.items(), key=lambda pair: pair[1]))


#: Scripts a day beyond which nothing is simulated.
_MOST = 10_000_000


def _first(late: Callable[[float], bool]) -> float:
    """Return up to how many scripts a day something is not late; a few percent less."""
    high = 100.0
    while high < _MOST and not late(high):
        high *= 2
    low = high / 2
    while high / low > 1.05:  # noqa: PLR2004
        middle = (low * high) ** 0.5
        if late(middle):
            high = middle
        else:
            low = middle
    return low


def _two_figures(number: float) -> int:
    return int(float(f"{number:.1e}"))
