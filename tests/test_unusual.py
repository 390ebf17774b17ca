"""Which successes are unusual, and in which words: decided by tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.model import Attempt, Outcome, PastBounds, PastResult, ScriptResult
from python_runner.model.history import ENOUGH_SUCCESSES, LATEST_RESULTS
from python_runner.model.metrics import OutputNumber, ProducedFile, ScriptMetrics
from python_runner.unusual import MOST_TOLD, has_become_unusual, reasons
from python_runner.unusual_bounds import may_be_unusual
from tests.support import examples


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.texts.sentence import Sentence

pytestmark = pytest.mark.pure

#: A Thursday.
NOW = datetime(2026, 11, 26, 6, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = "loaded # rows"


def metrics(
    lines: int = 240,
    *,
    rows: float | None = 48_210,
    line: str = ROWS,
    file: tuple[str, int] | None = None,
    **counts: int,
) -> ScriptMetrics:
    """Return what a script printed and made."""
    numbers = () if rows is None else (OutputNumber(line=line, value=rows),)
    files: tuple[ProducedFile, ...] = ()
    if file:
        path, size = file
        files = (ProducedFile(path=path, size=size, modified_at=NOW),)
    values: dict[str, Any] = {"output_bytes": lines * 40} | counts
    return ScriptMetrics(output_lines=lines, numbers=numbers, files=files, **values)


def today(
    duration: float = 720.0,
    made: ScriptMetrics | None = None,
    *,
    at: datetime = NOW,
    outcome: Outcome = Outcome.SUCCESS,
) -> ScriptResult:
    """Return the result that is judged."""
    attempt = Attempt(outcome=outcome, exit_code=0, started_at=at, duration=duration)
    return ScriptResult(
        script="load.py",
        run_id="0",
        number=1,
        outcome=outcome,
        started_at=at,
        duration=duration,
        attempts=(attempt,),
        metrics=made,
    )


def earlier(result: ScriptResult, at: datetime, *, unusual: bool = False) -> PastResult:
    """Return what later runs know of a result."""
    return PastResult(
        run_id="0",
        outcome=result.outcome,
        started_at=at,
        duration=result.duration,
        metrics=result.metrics,
        unusual=unusual,
    )


def days(count: int, result: ScriptResult, until: datetime = NOW) -> list[PastResult]:
    """Return the same result on so many days, newest first."""
    return [earlier(result, until - n * DAY) for n in range(1, count + 1)]


def words(found: Sequence[Sentence], language: str = "en") -> list[str]:
    """Return what people read, with ordinary spaces."""
    spaces = str.maketrans("\u00a0\u202f", "  ")
    return [reason.in_language(language).translate(spaces) for reason in found]


GOOD = today(720.0, metrics(file=("out/sales_2026-11-25.csv", 4_000_000)))


@pytest.mark.parametrize(
    ("now", "english", "french"),
    [
        (
            today(0.2, GOOD.metrics),
            "took 0.20 s, usually 12 min",
            "a duré 0,20 s, d'habitude 12 min",
        ),
        (
            today(9000.0, GOOD.metrics),
            "took 2 h 30 min, usually 12 min",
            "a duré 2 h 30 min, d'habitude 12 min",
        ),
        (
            today(made=metrics(0, rows=None)),
            "printed no line, usually 240",
            "n'a affiché aucune ligne, d'habitude 240",
        ),
        (
            today(made=metrics(1, rows=None)),
            "printed 1 line, usually 240",
            "a affiché 1 ligne, d'habitude 240",
        ),
        (
            today(made=metrics(90_000)),
            "printed 90,000 lines, usually 240",
            "a affiché 90 000 lignes, d'habitude 240",
        ),
        (
            today(made=metrics(output_bytes=120)),
            "printed 120 bytes, usually 10 kB",
            "a affiché 120 octets, d'habitude 10 ko",
        ),
        (
            today(made=metrics(log_errors=2, log_criticals=1)),
            "logged 3 errors, usually none",
            "a signalé 3 erreurs, d'habitude aucune",
        ),
        (
            today(made=metrics(log_errors=1)),
            "logged 1 error, usually none",
            "a signalé 1 erreur, d'habitude aucune",
        ),
        (
            today(made=metrics(rows=0)),
            "loaded 0 rows, usually 48,210",
            "loaded 0 rows, d'habitude 48 210",
        ),
        (
            today(made=metrics(file=("out/sales_2026-11-26.csv", 120))),
            "sales_2026-11-26.csv has 120 bytes, usually 4 MB",
            "sales_2026-11-26.csv fait 120 octets, d'habitude 4 Mo",
        ),
    ],
)
def test_each_kind_of_silent_failure_has_its_words(
    now: ScriptResult, english: str, french: str
) -> None:
    """Its owner reads it on a telephone, and knows what to look for."""
    past = days(30, GOOD)
    assert words(reasons(now, past)) == [english]
    assert words(reasons(now, past), "fr") == [french]


def test_several_reasons_are_told_the_plainest_first() -> None:
    """A script that ended at once printed nothing, either."""
    now = today(0.2, metrics(1, rows=0, log_errors=1))
    assert words(reasons(now, days(30, GOOD))) == [
        "loaded 0 rows, usually 48,210",
        "logged 1 error, usually none",
        "took 0.20 s, usually 12 min",
        "printed 1 line, usually 240",
    ]


def test_a_number_that_varies_is_told_roughly() -> None:
    """Nobody reads the last digits of a number that is another one every day."""
    past = [
        earlier(today(made=metrics(rows=48_210 + 137 * n)), NOW - (n + 1) * DAY)
        for n in range(20)
    ]
    found = words(reasons(today(made=metrics(rows=3)), past))
    assert found == ["loaded 3 rows, usually about 49,000"]
    line = "read # files, # rows in all"
    past = days(20, today(made=metrics(rows=900, line=line)))
    now = today(made=metrics(rows=0, line=line))
    assert words(reasons(now, past)) == ["read … files, 0 rows in all, usually 900"]


@pytest.mark.parametrize("count", [0, 1, ENOUGH_SUCCESSES - 1, ENOUGH_SUCCESSES])
def test_nothing_is_unusual_before_ten_successes(count: int) -> None:
    """Failures among them tell nothing of how long a success takes."""
    failed = today(0.1, metrics(0, rows=None), outcome=Outcome.FAILURE)
    past = days(count, GOOD) + days(30, failed, NOW - count * DAY)
    found = reasons(today(0.2, metrics(0, rows=0, log_errors=3)), past)
    assert bool(found) is (count >= ENOUGH_SUCCESSES)


@pytest.mark.parametrize("outcome", [o for o in Outcome if not o.succeeded])
def test_a_failure_is_never_called_unusual(outcome: Outcome) -> None:
    """It has a reason of its own."""
    now = today(0.2, metrics(0, rows=0, log_errors=3), outcome=outcome)
    assert reasons(now, days(30, GOOD)) == ()


@pytest.mark.parametrize(
    ("usually", "duration", "unusual"),
    [
        # Neither 0.2 s instead of 0.02 s nor three minutes instead of two wakes anybody.
        (0.02, 0.2, False),
        (120.0, 180.0, False),
        (1.0, 30.0, False),
        (100.0, 290.0, False),
        (100.0, 310.0, True),
        (1.0, 40.0, True),
        (0.5, 0.1, False),
        (1.3, 0.15, True),
        (60.0, 1.0, True),
        (60.0, 20.0, False),
        (0.0, 0.0, False),
        (0.0, 3600.0, True),
    ],
)
def test_a_duration_is_unusual_by_ratio_and_by_seconds(
    usually: float, duration: float, *, unusual: bool
) -> None:
    """What a machine may do by itself is none."""
    assert bool(reasons(today(duration), days(30, today(usually)))) is unusual


def test_what_is_not_known_is_not_compared() -> None:
    """Results of before the numbers were recorded have their duration alone."""
    now = today(made=metrics(0, rows=0, log_errors=9))
    assert reasons(now, days(30, today())) == ()
    assert reasons(today(), days(30, GOOD)) == ()
    assert words(reasons(today(1.0), days(30, GOOD))) == ["took 1.0 s, usually 12 min"]


def run_through(results: Sequence[ScriptResult]) -> list[int]:
    """Return which of some results, one a day, are called unusual."""
    past: list[PastResult] = []
    marked = []
    for number, result in enumerate(results):
        at = NOW + number * DAY
        found = reasons(today(result.duration, result.metrics, at=at), past)
        if found:
            marked.append(number)
        past.insert(0, earlier(result, at, unusual=bool(found)))
    return marked


@pytest.mark.parametrize(
    "changed",
    [
        today(60.0, metrics()),
        today(7200.0, metrics()),
        today(made=metrics(2)),
        today(made=metrics(log_errors=4)),
        today(made=metrics(rows=0)),
    ],
)
def test_a_change_that_stays_is_told_a_few_times(changed: ScriptResult) -> None:
    """Then it is what is usual, and the former is none of a fault's."""
    before = today(720.0, metrics())
    marked = run_through([before] * 40 + [changed] * 60 + [before] * 10)
    assert marked == [40, 41, 42][:MOST_TOLD]


def test_what_has_become_usual_lets_a_fault_be_seen() -> None:
    """A script that was made ten times as fast has another usual duration."""
    fast = today(60.0, metrics())
    past = days(60, fast) + days(60, today(720.0, metrics()), NOW - 60 * DAY)
    assert words(reasons(today(0.2, metrics()), past)) == ["took 0.20 s, usually 1 min"]


def calendar(much: ScriptResult, little: ScriptResult, when: Any) -> list[int]:
    """Return which days of two years are called unusual."""
    moments = [NOW + n * DAY for n in range(730)]
    return run_through([much if when(at) else little for at in moments])


MUCH = today(7200.0, metrics(5000, rows=900_000))
LITTLE = today(60.0, metrics(20, rows=400))


@pytest.mark.parametrize(
    ("when", "most"),
    [
        # Working days and weekends, one day of the week: seen within the first ten days.
        (lambda at: at.weekday() < 5, 0),
        (lambda at: at.weekday() == 0, 0),
        # The ends of the month and its first day: the first one is told.
        (lambda at: (at + DAY).day == 1, 1),
        (lambda at: at.day == 1, 1),
        (lambda at: at.day == 15, 1),
        # Seasons: the change itself.
        (lambda at: at.month in {7, 8}, MOST_TOLD),
    ],
    ids=["working days", "Mondays", "last days", "first days", "middle", "summer"],
)
def test_rhythms_are_no_alarms(when: Any, most: int) -> None:
    """Of a week, of a month, of a year."""
    assert len(calendar(MUCH, LITTLE, when)) <= most


@pytest.mark.parametrize("weekday", range(7))
def test_what_is_usual_at_the_weekend_is_unusual_on_a_working_day(weekday: int) -> None:
    """No rows on a Sunday are usual, on a Tuesday they are not."""
    empty, full = today(made=metrics(rows=0)), today(made=metrics(rows=5000))
    moments = [NOW - n * DAY for n in range(1, 120)]
    past = [earlier(empty if at.weekday() >= 5 else full, at) for at in moments]
    at = NOW + (weekday - NOW.weekday()) % 7 * DAY
    found = reasons(today(made=metrics(rows=0), at=at), past)
    assert bool(found) is (weekday < 5)


@pytest.mark.parametrize(
    "line", ["done at #:#:#", "#-#-# #:#:#", "version #.#.#", "batch # of #/#"]
)
def test_dates_and_versions_are_no_amounts(line: str) -> None:
    """They begin anew, and mean nothing."""
    past = days(30, today(made=metrics(rows=40, line=line)))
    assert reasons(today(made=metrics(rows=0, line=line)), past) == ()


def test_numbers_below_zero_are_no_amounts() -> None:
    """A balance of nothing is as good as any."""
    past = days(30, today(made=metrics(rows=-300)))
    assert reasons(today(made=metrics(rows=0)), past) == ()


def test_only_the_last_attempt_takes_its_time() -> None:
    """A success at the second attempt is told as such, not as a long one."""
    attempt = Attempt(
        outcome=Outcome.SUCCESS, exit_code=0, started_at=NOW, duration=60.0
    )
    retried = replace(today(3700.0), attempts=(attempt, attempt))
    assert reasons(retried, days(30, today(60.0))) == ()
    known = replace(earlier(today(60.0), NOW), duration=3700.0, last_attempt=60.0)
    past = [replace(known, started_at=NOW - n * DAY) for n in range(1, 31)]
    assert words(reasons(today(7200.0), past)) == ["took 2 h, usually 1 min"]


def test_growth_is_no_alarm() -> None:
    """A table that doubles every three months grows from day to day by less than noise."""
    grown = [
        today(
            60 * 2 ** (n / 90),
            metrics(round(20 * 2 ** (n / 90)), rows=100 * 2 ** (n / 90)),
        )
        for n in range(500)
    ]
    assert run_through(grown) == []
    assert run_through(grown[::-1]) == []


def test_a_success_is_mailed_again_for_another_reason_only() -> None:
    """How far it went is no other reason, and neither is the day in a file's name."""

    def found(**changes: Any) -> tuple[Sentence, ...]:
        return reasons(today(made=metrics(**changes)), days(30, GOOD))

    def differs(new: tuple[Sentence, ...], old: tuple[Sentence, ...]) -> bool:
        result = today()
        object.__setattr__(result, "unusual", new)
        return has_become_unusual(result, old)

    empty, few = found(rows=0), found(rows=7)
    silent, short = found(lines=0), found(lines=3)
    small = found(file=("out/sales_2026-11-26.csv", 120))
    smaller = found(file=("out/sales_2026-11-27.csv", 9))
    assert differs(empty, ())
    assert not differs(few, empty)
    assert not differs(short, silent)
    assert not differs(smaller, small)
    assert differs(silent, empty)
    assert differs(silent + empty, silent)
    assert not differs((), empty)


_VALUES = st.floats(min_value=0, allow_nan=False, allow_infinity=False)
_COUNTS = st.integers(min_value=0, max_value=2**63)


@st.composite
def _results(draw: Any) -> ScriptResult:
    made = ScriptMetrics(
        output_bytes=draw(_COUNTS),
        output_lines=draw(_COUNTS),
        log_errors=draw(_COUNTS),
        numbers=tuple(
            OutputNumber(
                line=line, value=draw(st.floats(allow_nan=False, allow_infinity=False))
            )
            for line in draw(
                st.lists(st.sampled_from([ROWS, "#", "", "# {x}"]), max_size=3)
            )
        ),
        files=tuple(
            ProducedFile(path=path, size=draw(_COUNTS), modified_at=NOW)
            for path in draw(st.lists(st.sampled_from(["a1", "b/{c}"]), max_size=2))
        ),
    )
    return today(draw(_VALUES), made)


@given(st.lists(_results(), min_size=2, max_size=5), st.integers(ENOUGH_SUCCESSES, 60))
@examples(60)
def test_whatever_was_recorded_is_judged(found: list[ScriptResult], count: int) -> None:
    """No number that a script prints ends the judgement, and each reason can be said."""
    past = [
        earlier(found[n % (len(found) - 1)], NOW - (n + 1) * DAY) for n in range(count)
    ]
    for language in ("en", "fr"):
        words(reasons(found[-1], past), language)


def bounds(past: Sequence[PastResult]) -> PastBounds:
    """Return the least and the most of earlier results."""
    good = [p for p in past if p.outcome.succeeded]
    known = [p.metrics for p in good if p.metrics]

    def of(values: list[float]) -> tuple[float, float] | None:
        return (min(values), max(values)) if values else None

    numbers: dict[str, list[float]] = {}
    for m in known:
        for number in m.numbers:
            numbers.setdefault(number.line, []).append(number.value)
    return PastBounds(
        successes=len(good),
        duration=of([p.duration for p in good]),
        output_bytes=of([m.output_bytes for m in known]),
        output_lines=of([m.output_lines for m in known]),
        errors=of([m.log_errors + m.log_criticals for m in known]),
        numbers={line: (min(some), max(some)) for line, some in numbers.items()},
    )


@given(st.lists(_results(), min_size=2, max_size=5), st.integers(0, LATEST_RESULTS))
@examples(100)
def test_whatever_is_unusual_is_outside_the_bounds(
    found: list[ScriptResult], count: int
) -> None:
    """The quick look at the least and the most misses nothing that the whole look finds."""
    past = [
        earlier(found[n % (len(found) - 1)], NOW - (n + 1) * DAY) for n in range(count)
    ]
    if reasons(found[-1], past):
        assert may_be_unusual(found[-1], bounds(past))


@pytest.mark.parametrize("count", [ENOUGH_SUCCESSES, LATEST_RESULTS])
def test_what_is_as_usual_needs_no_whole_look(count: int) -> None:
    """What is like the successes before is not compared with each of them."""
    plain = today(720.0, metrics())
    assert not may_be_unusual(plain, bounds(days(count, plain)))
    assert may_be_unusual(today(0.1, metrics()), bounds(days(count, plain)))
    failed = replace(today(0.1, metrics()), outcome=Outcome.FAILURE)
    assert not may_be_unusual(failed, bounds(days(count, plain)))
