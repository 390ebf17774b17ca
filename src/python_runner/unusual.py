"""Why a success is unusual: what it took, printed and made, beside the successes before.

A quantity (seconds, lines, errors, a number, the size of a file) is unusual if it is far
from its usual value by the spread of its own past, and if nothing like it was seen before
at a comparable time. What was seen before is usual again by itself: a change that stays is
told :data:`MOST_TOLD` times.

Comparable times are learnt, not configured: working days and weekends, days of the week,
hours, and the days that count from the ends of a month.
"""

from __future__ import annotations

from calendar import monthrange
from collections import Counter
from datetime import timedelta
from math import exp, fsum, log, log10, sqrt
from typing import TYPE_CHECKING, NamedTuple

from python_runner.model.history import ENOUGH_SUCCESSES, LATEST_RESULTS
from python_runner.patterns import lazy_pattern
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import N_, Sentence, counted
from python_runner.unusual_bounds import (
    FEW_BYTES,
    FEW_LINES,
    MANY_BYTES,
    MANY_ERRORS,
    MANY_LINES,
    QUICK,
    SLOW,
    SMALL_FILE,
    SMALL_NUMBER,
    Scale,
    may_be_far,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
    from datetime import datetime

    from python_runner.model import PastResult, ScriptResult
    from python_runner.model.metrics import ScriptMetrics

    #: A kind of time that a rhythm may have.
    _Time = Callable[[datetime], Hashable]
    #: A quantity of each earlier success that has it, newest first.
    _Of = Callable[[Callable[[ScriptMetrics], float | None]], list["_Seen"]]
    #: The usual value where one is unusual: see :func:`_usual_elsewhere`.
    _Usual = Callable[[float, Sequence["_Seen"], "Scale", int], float | None]

#: Earlier results that are asked where the latest ones accuse a success.
ALL_RESULTS = 2000
#: How often the same thing is told before it counts as usual.
MOST_TOLD = 3

#: Successes that a usual value is taken from.
_REFERENCE = 40
#: Successes that tell whether times differ.
_RHYTHM = 200
#: Spreads that a value must be away from the usual one: with many successes, and the more
#: the fewer they are.
_SPREADS, _SPREADS_OF_FEW = 4.0, 20.0
#: A spread is so many times the middle distance from the middle (as for a normal
#: distribution), and at least this part of the standard deviation, without the one in so
#: many that lies farthest.
_MIDDLE, _DEVIATION, _OUTLIERS = 1.48, 0.7, 20
#: From the usual value to the present one, this far and beyond is "like it".
_LIKE = 0.6
#: Shares of runs: of a time that something is usual at; of all, that is too few to be so.
_MOSTLY, _SELDOM = 0.5, 0.01
#: Of a time that has a usual value of its own: successes, and the share of the spread
#: that is left within such times.
_ENOUGH_OF_A_TIME, _LEFT = 6, 0.6
#: A value that all runs of a time before were like it is usual; a month lies between.
_MONTH, _YEAR = timedelta(days=20), timedelta(days=365)
_AROUND = timedelta(days=4)
#: Runs since something was seen last that make it the past of another program.
_LONG_AGO = 100
_SATURDAY, _WEEK = 5, 7
#: The last number of a line is part of a date, a time or a version.
_NO_AMOUNT = lazy_pattern(r"#[-:/.]#[^#]*$")
_DIGITS = lazy_pattern(r"[0-9]+")

TOOK = N_("took {duration}, usually {usual}")
_NO_LINE = counted(
    "printed no line, usually {count}", "printed no line, usually {count}"
)
_LINES = counted(
    "printed {count} line, usually {usual}", "printed {count} lines, usually {usual}"
)
_PRINTED = N_("printed {size}, usually {usual}")
_ERRORS = counted(
    "logged {count} error, usually {usual}", "logged {count} errors, usually {usual}"
)
_ERRORS_NONE = counted(
    "logged {count} error, usually none", "logged {count} errors, usually none"
)
_NUMBER = counted("{line}, usually {count}", "{line}, usually {count}")
NUMBER_ABOUT = counted("{line}, usually about {count}", "{line}, usually about {count}")
_FRACTION = N_("{line}, usually about {usual}")
_FILE = N_("{file} has {size}, usually {usual}")
_SIZES = (
    counted("{count} byte", "{count} bytes"),
    counted("{count} kB", "{count} kB"),
    counted("{count} MB", "{count} MB"),
    counted("{count} GB", "{count} GB"),
)


class _Seen(NamedTuple):
    """A quantity of an earlier success; ``told``: that success was called unusual."""

    at: datetime
    value: float
    told: bool


def reasons(result: ScriptResult, past: Sequence[PastResult]) -> tuple[Sentence, ...]:
    """Return why a success is unusual, a sentence each; nothing where it is not.

    Args:
        result: of a script.
        past: its earlier results, newest first: :data:`LATEST_RESULTS` tell whether it may be
            unusual, and :data:`ALL_RESULTS` whether it is. Their times, and its own, are local.
    """
    good = [p for p in past if p.outcome.succeeded]
    if not result.succeeded or len(good) < ENOUGH_SUCCESSES:
        return ()
    return tuple(_reasons(result, good))


def has_become_unusual(result: ScriptResult, before: Sequence[Sentence] = ()) -> bool:
    """Say whether a success is unusual in another way than its last one was.

    Args:
        result: with the reasons why it is unusual.
        before: those of the last success of the script.
    """
    known = set(map(_topic, before))
    return any(_topic(reason) not in known for reason in result.unusual)


def _topic(reason: Sentence) -> tuple[str, str]:
    """Return what a reason is about: how far it went may differ from day to day."""
    template = {_NO_LINE[0]: _LINES[0], _ERRORS[0]: _ERRORS_NONE[0]}.get(
        reason.template, reason.template
    )
    for name in ("line", "file"):
        if name in reason.values:
            return name, _without_digits(str(reason.values[name]))
    return template, ""


def _reasons(result: ScriptResult, good: Sequence[PastResult]) -> Iterator[Sentence]:
    def usual(
        value: float, seen: Sequence[_Seen], scale: Scale, side: int
    ) -> float | None:
        return _usual_elsewhere(value, result.started_at, seen, scale, side)

    metrics = result.metrics
    measured = [(p, p.metrics) for p in good if p.metrics is not None]

    def of(take: Callable[[ScriptMetrics], float | None]) -> list[_Seen]:
        taken = ((p, take(m)) for p, m in measured)
        return [_Seen(p.started_at, v, p.unusual) for p, v in taken if v is not None]

    # What people understand at once comes first: the subject has room for one.
    if metrics is not None:
        yield from _numbers(metrics, of, usual)
        yield from _logged(metrics, of, usual)
        yield from _files(metrics, of, usual)
    # That there were attempts before the last one is told as such.
    duration = result.attempts[-1].duration if result.attempts else result.duration
    # Of damaged records a duration may be anything.
    seen = [_Seen(p.started_at, max(0.0, _duration(p)), p.unusual) for p in good]
    for scale, side in ((QUICK, -1), (SLOW, 1)):
        found = usual(duration, seen, scale, side)
        if found is not None:
            words = Formats("en").duration
            yield Sentence.of(TOOK, duration=words(duration), usual=words(found))
    if metrics is not None:
        yield from _output(metrics, of, usual)


def _logged(metrics: ScriptMetrics, of: _Of, usual: _Usual) -> Iterator[Sentence]:
    """Yield that a script logged errors, or far more of them."""
    if errors := _errors(metrics):
        found = usual(errors, of(_errors), MANY_ERRORS, 1)
        if found is not None:
            forms = _ERRORS if round(found) else _ERRORS_NONE
            yield Sentence.about(forms, errors, usual=round(found))


def _output(
    metrics: ScriptMetrics,
    of: _Of,
    usual: _Usual,
) -> Iterator[Sentence]:
    """Yield that a script printed far less or more: its lines, else its bytes."""
    lines = of(lambda m: m.output_lines)
    for scale, side in ((FEW_LINES, -1), (MANY_LINES, 1)):
        found = usual(metrics.output_lines, lines, scale, side)
        if found is not None:
            if metrics.output_lines:
                yield Sentence.about(_LINES, metrics.output_lines, usual=round(found))
            else:
                yield Sentence.about(_NO_LINE, round(found))
            return
    sizes = of(lambda m: m.output_bytes)
    for scale, side in ((FEW_BYTES, -1), (MANY_BYTES, 1)):
        found = usual(metrics.output_bytes, sizes, scale, side)
        if found is not None:
            size = _size(metrics.output_bytes)
            yield Sentence.of(_PRINTED, size=size, usual=_size(found))
            return


def _numbers(
    metrics: ScriptMetrics,
    of: _Of,
    usual: _Usual,
) -> Iterator[Sentence]:
    """Yield the numbers that fell to nothing, or nearly so, in lines that recur."""
    for line in dict.fromkeys(number.line for number in metrics.numbers):
        value = _number(metrics, line)
        if value is None or value < 0 or _NO_AMOUNT.search(line):
            continue
        seen = of(lambda m, line=line: _number(m, line))  # type: ignore[misc]
        if len(seen) < ENOUGH_SUCCESSES or any(s.value < 0 for s in seen):
            continue
        middle = _middle([s.value for s in seen[:_REFERENCE]])
        small = Scale(
            offset=min(1.0, middle / 5) or 1.0,
            floor=SMALL_NUMBER.floor,
            factor=SMALL_NUMBER.factor,
            difference=0.0,
            zero=True,
        )
        found = usual(value, seen, small, -1)
        if found is not None:
            yield _fallen(line, value, found, {s.value for s in seen[:_REFERENCE]})


def _files(
    metrics: ScriptMetrics,
    of: _Of,
    usual: _Usual,
) -> Iterator[Sentence]:
    """Yield the files that are much smaller than those of their name before."""
    for name in dict.fromkeys(_without_digits(file.path) for file in metrics.files):
        seen = of(lambda m, name=name: _file_size(m, name))  # type: ignore[misc]
        size = _file_size(metrics, name)
        if size is None:
            continue
        found = usual(size, seen, SMALL_FILE, -1)
        if found is not None:
            file = next(
                f.path for f in metrics.files if _without_digits(f.path) == name
            )
            yield Sentence.of(
                _FILE,
                file=file.rpartition("/")[2],
                size=_size(size),
                usual=_size(found),
            )


def _duration(past: PastResult) -> float:
    return past.duration if past.last_attempt is None else past.last_attempt


def _errors(metrics: ScriptMetrics) -> int:
    return metrics.log_errors + metrics.log_criticals


def _number(metrics: ScriptMetrics, line: str) -> float | None:
    """Return the number of a line; of the last one where there are several."""
    return next((n.value for n in metrics.numbers if n.line == line), None)


def _file_size(metrics: ScriptMetrics, name: str) -> float | None:
    """Return the bytes of the files of a name, its digits aside; None without one."""
    sizes = [f.size for f in metrics.files if _without_digits(f.path) == name]
    return float(sum(sizes)) if sizes else None


def _without_digits(path: str) -> str:
    return _DIGITS.sub("#", path)


# The decision.


def _usual_elsewhere(
    value: float,
    at: datetime,
    seen: Sequence[_Seen],
    scale: Scale,
    side: int,
) -> float | None:
    """Return the usual value where ``value`` is unusual, else None.

    Args:
        value: the present one.
        at: when that success began.
        seen: the earlier ones, newest first.
        scale: how far is far.
        side: 1 where more is looked for, -1 where less is.
    """
    if len(seen) < ENOUGH_SUCCESSES:
        return None
    recent = [s.value for s in seen[:LATEST_RESULTS]]
    if not may_be_far(value, (min(recent), max(recent)), scale, side):
        return None
    group = _comparable(at, seen, scale)
    reference = [s.value for s in group[:_REFERENCE]]
    middle = _middle(reference)
    if not _is_far(value, middle, reference, scale, side):
        return None
    return None if _is_usual(value, middle, at, seen, scale) else middle


def _is_far(
    value: float, middle: float, reference: Sequence[float], scale: Scale, side: int
) -> bool:
    """Say whether a value is far from the middle, by size and by spread."""
    if side * (value - middle) <= 0:
        return False
    more, less = (value, middle) if side > 0 else (middle, value)
    far = more >= scale.factor * less and more - less >= scale.difference
    if scale.zero and side < 0 and value == 0:
        far = far or min(reference) > 0
    if not far:
        return False
    if scale.counts and _is_apart(value, middle, reference, _root, 1.0):
        return True

    def logarithm(number: float) -> float:
        return log(number + scale.offset)

    return _is_apart(value, middle, reference, logarithm, scale.floor)


def _is_apart(
    value: float,
    middle: float,
    reference: Sequence[float],
    measure: Callable[[float], float],
    floor: float,
) -> bool:
    """Say whether a value is many spreads away from the middle, as ``measure`` sees it.

    Single outliers make no spread: whether they were like the value is asked apart.
    """
    center = measure(middle)
    apart = sorted(abs(measure(v) - center) for v in reference)
    inner = apart[: len(apart) - len(apart) // _OUTLIERS]
    deviation = sqrt(fsum(a * a for a in inner) / len(inner))
    spread = max(floor, _MIDDLE * apart[len(apart) // 2], _DEVIATION * deviation)
    needed = spread * (_SPREADS + _SPREADS_OF_FEW / len(apart))
    return abs(measure(value) - center) >= needed


def _root(count: float) -> float:
    """Return a number of which the spread is 1 where ``count`` is a matter of chance."""
    return 2 * sqrt(count + 0.375)


def _comparable(at: datetime, seen: Sequence[_Seen], scale: Scale) -> Sequence[_Seen]:
    """Return the earlier ones that tell what is usual: all, or those of a like time.

    Like times are those between which most of the spread lies: what is done at a weekend
    may be a tenth of what is done on working days.
    """
    recent = seen[:_RHYTHM]
    logs = [log(s.value + scale.offset) for s in recent]
    spread = _spread_within([logs])
    best: tuple[float, _Time] | None = None
    if spread > scale.floor:
        for key in _WEEKLY:
            mine = key(at)
            groups: dict[Hashable, list[float]] = {}
            for one, y in zip(recent, logs, strict=True):
                groups.setdefault(key(one.at), []).append(y)
            if len(groups.get(mine, ())) < _ENOUGH_OF_A_TIME or len(groups) < 2:  # noqa: PLR2004
                continue
            left = _spread_within(groups.values()) / spread
            if left <= _LEFT and (best is None or left < best[0]):
                best = left, key
    if best is None:
        return seen
    key = best[1]
    mine = key(at)
    return [s for s in seen if key(s.at) == mine]


def _spread_within(groups: Iterable[Sequence[float]]) -> float:
    """Return the mean distance from the middles of groups."""
    total, count = 0.0, 0
    for group in groups:
        middle = _middle(group)
        total += fsum(abs(y - middle) for y in group)
        count += len(group)
    return total / count


def _is_usual(
    value: float, middle: float, at: datetime, seen: Sequence[_Seen], scale: Scale
) -> bool:
    """Say whether something like a value was seen before, at a comparable time."""
    center = log(middle + scale.offset)
    border = exp(center + _LIKE * (log(value + scale.offset) - center)) - scale.offset
    more = value > middle
    like: Sequence[bool] = [
        s.value >= border if more else s.value <= border for s in seen
    ]
    if not any(like):
        return False
    seen, like = _since_change(seen, like)
    if _is_rhythm(at, seen, like):
        return True
    # What is done at other times does not make it usual now.
    for key in _TIMES:
        seen, like = _without_other_times(key, at, seen, like)
    told = any(s.told for s, hit in zip(seen, like, strict=True) if hit)
    if told:
        return sum(like) >= MOST_TOLD
    return sum(like) > _SELDOM * len(seen)


def _since_change(
    seen: Sequence[_Seen], like: Sequence[bool]
) -> tuple[Sequence[_Seen], Sequence[bool]]:
    """Leave out the past of another program: what was so at first, and not since."""
    last = like.index(True) if True in like else len(like)
    older = like[last:]
    if last >= _LONG_AGO and sum(older) >= _MOSTLY * len(older):
        return seen[:last], like[:last]
    return seen, like


def _is_rhythm(at: datetime, seen: Sequence[_Seen], like: Sequence[bool]) -> bool:
    """Say whether it was so at the same time of the month, the week or the year."""
    for key in _MONTHLY:
        mine = key(at)
        same = [
            hit
            for s, hit in zip(seen, like, strict=True)
            if at - s.at > _MONTH and key(s.at) == mine
        ][:3]
        if same and 2 * sum(same) > len(same):
            return True
    weekday = at.weekday()
    weeks = [
        hit
        for s, hit in zip(seen, like, strict=True)
        if s.at.weekday() == weekday and s.at.date() != at.date()
    ][:3]
    if sum(weeks) >= 2:  # noqa: PLR2004 - of the last three
        return True
    return any(
        hit and abs(at - s.at - _YEAR) <= _AROUND
        for s, hit in zip(seen, like, strict=True)
    )


def _without_other_times(
    key: _Time,
    at: datetime,
    seen: Sequence[_Seen],
    like: Sequence[bool],
) -> tuple[Sequence[_Seen], Sequence[bool]]:
    """Leave out the times at which it is usual, where the present one is none of them."""
    runs: Counter[Hashable] = Counter()
    hits: dict[Hashable, list[int]] = {}
    for s, hit in zip(seen, like, strict=True):
        time = key(s.at)
        runs[time] += 1
        if hit:
            hits.setdefault(time, []).append((s.at.toordinal() - 1) // _WEEK)
    usual = {
        time
        for time, weeks in hits.items()
        # In a single week it is no rhythm.
        if weeks[0] != weeks[-1] and len(weeks) >= _MOSTLY * runs[time]
    }
    if not usual or key(at) in usual:
        return seen, like
    kept = [
        (s, hit) for s, hit in zip(seen, like, strict=True) if key(s.at) not in usual
    ]
    if len(kept) < ENOUGH_SUCCESSES:
        return seen, like
    return [s for s, _ in kept], [hit for _, hit in kept]


def _is_weekend(at: datetime) -> Hashable:
    return at.weekday() >= _SATURDAY


def _weekday(at: datetime) -> Hashable:
    return at.weekday()


def _hour(at: datetime) -> Hashable:
    return at.hour


def _day(at: datetime) -> Hashable:
    return at.day


def _days_left(at: datetime) -> Hashable:
    """Return the days that the month has after this one."""
    return _length_of_month(at) - at.day


def _working_day(at: datetime) -> Hashable:
    """Return how many working days the month has had, and whether this is one."""
    return _working_days(at, 1, at.day), _is_weekend(at)


def _working_days_left(at: datetime) -> Hashable:
    return _working_days(at, at.day, _length_of_month(at)), _is_weekend(at)


def _working_days(at: datetime, first: int, last: int) -> int:
    """Count the working days of a month from one day to another, these included."""
    start = (at.weekday() - at.day + first) % 7
    weeks, rest = divmod(last - first + 1, 7)
    return 5 * weeks + sum((start + n) % 7 < _SATURDAY for n in range(rest))


_MONTHLY: tuple[_Time, ...] = (_day, _days_left, _working_day, _working_days_left)
_WEEKLY: tuple[_Time, ...] = (_is_weekend, _weekday, _hour)
_TIMES = (*_WEEKLY, *_MONTHLY)


def _length_of_month(at: datetime) -> int:
    return monthrange(at.year, at.month)[1]


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[(len(values) - 1) // 2]


# Words.


def _size(count: float) -> Sentence:
    """Return a number of bytes as people say it."""
    power = 0
    while power < len(_SIZES) - 1 and count >= 999.5:  # noqa: PLR2004 - 1000, rounded
        power, count = power + 1, count / 1000
    return Sentence.about(_SIZES[power], round(count))


def _fallen(line: str, value: float, usual: float, values: set[float]) -> Sentence:
    """Say what a line says now, and what it usually says."""
    shown = f"{value:.10g}"
    before, _, after = line.rpartition("#")
    said = before.replace("#", "…") + shown + after
    if len(values) == 1 and usual == int(usual):
        return Sentence.about(_NUMBER, int(usual), line=said)
    if usual < 10:  # noqa: PLR2004 - a digit is not enough
        return Sentence.of(_FRACTION, line=said, usual=f"{usual:.2g}")
    size = 10 ** (int(log10(usual)) - 1)
    return Sentence.about(NUMBER_ABOUT, round(usual / size) * size, line=said)
