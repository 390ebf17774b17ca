"""Simulated projects of two years, and faults that fail silently.

Nothing here knows how :mod:`python_runner.unusual` decides. What a script does follows
from what there is to do (:class:`Work`), from how it does it (:class:`Habits`), and from
the machine. A fault changes one healthy run as it would have changed a real one.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from math import ceil, exp, pi, sin
from typing import TYPE_CHECKING

from python_runner.model import Attempt, Outcome, PastResult, ScriptResult
from python_runner.model.metrics import OutputNumber, ProducedFile, ScriptMetrics


if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterator

START = datetime(2024, 1, 1, tzinfo=UTC)
DAYS = 731
DAY = timedelta(days=1)
SATURDAY = 5
#: What happens in more than this share of the runs is ordinary.
ORDINARY = 0.03
#: And this often it happens several times a year.
SEVERAL = 0.01
#: The hour in which the day's work begins.
DAWN = 6


@cache
def easter(year: int) -> date:
    """Return Easter Sunday (the anonymous Gregorian algorithm)."""
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    m = (a + 11 * h) // 319
    r = (2 * e + 2 * i - k - h + m + 32) % 7
    month = (h - m + r + 90) // 25
    return date(year, month, (h - m + r + month + 19) % 32)


@cache
def holidays(country: str, year: int) -> frozenset[date]:
    """Return the public holidays of a country."""
    first = easter(year)
    moved = {"FR": (1, 39, 50), "DE": (-2, 1, 39, 50), "US": ()}[country]
    fixed = {
        "FR": ((1, 1), (5, 1), (5, 8), (7, 14), (8, 15), (11, 1), (11, 11), (12, 25)),
        "DE": ((1, 1), (5, 1), (10, 3), (12, 25), (12, 26)),
        "US": ((1, 1), (7, 4), (11, 11), (11, 28), (12, 25)),
    }[country]
    days = {first + n * DAY for n in moved} | {date(year, m, d) for m, d in fixed}
    return frozenset(days)


def is_last_of_month(day: date, *, working: bool) -> bool:
    """Say whether a day is the last (working) one of its month."""
    following = day + DAY
    while working and following.weekday() >= SATURDAY:
        following += DAY
    return following.month != day.month and not (working and day.weekday() >= SATURDAY)


@dataclass(kw_only=True)
class Work:
    """How much there is to do at a moment, in rows: a product of what may matter.

    Attributes:
        level: rows of an ordinary day.
        growth: of the logarithm over two years.
        steps: days from which the level is multiplied for good.
        weekdays: factors from Monday to Sunday.
        country: whose public holidays are like Sundays; None: they are days like others.
        month_end, working_end: factor of the last (working) day of a month.
        season: amplitude of a year, of the logarithm.
        noise: standard deviation of the logarithm.
        quiet: probability of a day without anything to do.
        burst: probability of far more than usual, and how heavy the tail of that is.
        clock: factors of the hours.
        memory: how much of the last run's deviation is left in the next.
        count: whether there are few things, and their number is random by itself.
        steady: always the same number.
    """

    level: float = 1000.0
    growth: float = 0.0
    steps: tuple[tuple[int, float], ...] = ()
    weekdays: tuple[float, ...] = (1.0,) * 7
    country: str | None = None
    month_end: float = 1.0
    working_end: bool = False
    season: float = 0.0
    noise: float = 0.1
    quiet: float = 0.0
    burst: tuple[float, float] = (0.0, 2.0)
    clock: tuple[float, ...] = (1.0,) * 24
    memory: float = 0.0
    count: bool = False
    steady: bool = False
    _state: float = 0.0

    def rows(self, at: datetime, rng: random.Random) -> int:
        """Return how many rows there are now."""
        if self.steady:
            return round(self.level * self._step(at))
        if rng.random() < self.quiet:
            return 0
        mean = self.level * self._step(at) * self.weekdays[self._weekday(at)]
        mean *= self.clock[at.hour] * exp(self.growth * (at - START).days / DAYS)
        mean *= exp(self.season * sin(2 * pi * at.timetuple().tm_yday / 365.25 + 1))
        if is_last_of_month(at.date(), working=self.working_end):
            mean *= self.month_end
        self._state = self.memory * self._state + rng.gauss(0, self.noise)
        mean *= exp(self._state)
        probability, tail = self.burst
        if rng.random() < probability:
            mean *= 1 + rng.paretovariate(tail)
        return poisson(mean, rng) if self.count else round(mean)

    def often_none(self, at: datetime) -> bool:
        """Say whether no rows at all are an ordinary thing at such a moment."""
        mean = self.level * self._step(at) * self.weekdays[self._weekday(at)]
        mean *= self.clock[at.hour]
        none = self.quiet + (exp(-mean) if self.count else mean < 1)
        return none > ORDINARY

    def _step(self, at: datetime) -> float:
        product = 1.0
        for day, factor in self.steps:
            if (at - START).days >= day:
                product *= factor
        return product

    def _weekday(self, at: datetime) -> int:
        if self.country and at.date() in holidays(self.country, at.year):
            return 6
        return at.weekday()


def poisson(mean: float, rng: random.Random) -> int:
    """Return a random number of events."""
    if mean > 100:  # noqa: PLR2004 - a normal one by then
        return max(0, round(rng.gauss(mean, mean**0.5)))
    count, left = 0, rng.expovariate(1.0)
    while left < mean:
        count, left = count + 1, left + rng.expovariate(1.0)
    return count


@dataclass(kw_only=True)
class Habits:
    """What a script does with its rows, and what it says of it.

    Attributes:
        startup: seconds before the first row.
        per_row: seconds a row; 0 where the rows do not matter.
        jitter: standard deviation of the duration's logarithm.
        slow: probability that the machine is busy, and how heavy the tail of that is.
        cached: probability that all is at hand, and the duration a part of itself.
        faster: day from which the duration is multiplied for good, and by what.
        lines: lines that it always prints.
        rows_a_line: rows for which it prints one; 0 for none.
        chatter: lines at random beside, on average.
        line_bytes: length of a line.
        says_rows: whether it prints how many rows there were.
        says: further lines with numbers: seconds, clock, total, disk, batch.
        errors: errors that it logs in an ordinary run, on average.
        rare_errors: probability of errors, of a service that was away for a moment.
        warnings: likewise on average.
        file: what it makes: by rows, total or steady; None for none.
        row_bytes: bytes of a row there.
    """

    startup: float = 1.0
    per_row: float = 0.001
    jitter: float = 0.1
    slow: tuple[float, float] = (0.0, 2.0)
    cached: float = 0.0
    faster: tuple[int, float] = (10**6, 1.0)
    lines: int = 3
    rows_a_line: int = 0
    chatter: float = 0.0
    line_bytes: int = 40
    says_rows: bool = True
    says: tuple[str, ...] = ()
    errors: float = 0.0
    rare_errors: float = 0.0
    warnings: float = 0.0
    file: str | None = None
    row_bytes: int = 80


@dataclass(frozen=True, kw_only=True)
class Healthy:
    """One run without a fault: what happened, and what it looks like."""

    at: datetime
    rows: int
    duration: float
    metrics: ScriptMetrics
    failed: bool = False

    @property
    def result(self) -> ScriptResult:
        """The result that is judged."""
        outcome = Outcome.FAILURE if self.failed else Outcome.SUCCESS
        attempt = Attempt(
            outcome=outcome, exit_code=0, started_at=self.at, duration=self.duration
        )
        return ScriptResult(
            script="load.py",
            run_id="0",
            number=1,
            outcome=outcome,
            started_at=self.at,
            duration=self.duration,
            attempts=(attempt,),
            metrics=self.metrics,
        )

    def past(self, *, unusual: bool) -> PastResult:
        """Return what later runs know of it."""
        return PastResult(
            run_id="0",
            outcome=Outcome.FAILURE if self.failed else Outcome.SUCCESS,
            started_at=self.at,
            duration=self.duration,
            metrics=self.metrics,
            unusual=unusual,
        )


@dataclass(kw_only=True)
class Project:
    """A project of one script.

    Attributes:
        kind: what people would call it.
        times: when it is started.
        failing: probability that a run fails, as every script does now and then.
    """

    kind: str
    times: list[datetime]
    work: Work
    habits: Habits
    failing: float
    rng: random.Random
    total: int = field(default=0)

    def runs(self) -> Iterator[Healthy]:
        """Yield its runs, oldest first."""
        self.total = round(self.work.level * 50)
        for at in self.times:
            rows = self.work.rows(at, self.rng)
            self.total += rows
            yield self.run(at, rows)

    def run(self, at: datetime, rows: int) -> Healthy:
        """Return one run that had so much to do."""
        rng, habits = self.rng, self.habits
        duration = self.duration(at, rows)
        lines = habits.lines + poisson(habits.chatter, rng)
        if habits.rows_a_line:
            lines += ceil(rows / habits.rows_a_line)
        numbers = self.numbers(rows, duration)
        lines += len(numbers)
        size = round(lines * habits.line_bytes * rng.uniform(0.95, 1.05))
        errors = poisson(habits.errors, rng) if habits.errors else 0
        if rng.random() < habits.rare_errors:
            errors += rng.randint(1, 4)
        metrics = ScriptMetrics(
            output_bytes=size,
            output_lines=lines,
            log_errors=errors,
            log_warnings=poisson(habits.warnings, rng),
            numbers=tuple(numbers),
            files=self.files(at, rows),
        )
        failed = rng.random() < self.failing
        return Healthy(
            at=at, rows=rows, duration=duration, metrics=metrics, failed=failed
        )

    def duration(self, at: datetime, rows: int) -> float:
        """Return the seconds that it takes."""
        rng, habits = self.rng, self.habits
        seconds = habits.startup + rows * habits.per_row
        day, factor = habits.faster
        if (at - START).days >= day:
            seconds *= factor
        seconds *= exp(rng.gauss(0, habits.jitter))
        probability, tail = habits.slow
        if rng.random() < probability:
            seconds *= 1 + rng.paretovariate(tail)
        if rng.random() < habits.cached:
            seconds *= rng.uniform(0.1, 0.6)
        return 0.04 + rng.expovariate(20) + seconds

    def numbers(self, rows: int, duration: float) -> list[OutputNumber]:
        """Return the last lines with numbers, the last one first."""
        said: dict[str, tuple[str, float]] = {
            "seconds": ("finished in # s", round(duration, 2)),
            "clock": ("#-#-# #:#:# done", float(self.rng.randrange(60))),
            "clock, last": ("done at #:#:#", float(self.rng.randrange(60))),
            "total": ("table now has # rows", float(self.total)),
            "disk": ("disk: # GB free", round(self.rng.uniform(1, 200), 1)),
            "batch": ("batch # of #", float(ceil(rows / 500))),
            "id": ("job #", float(self.rng.randrange(1, 10**6))),
            "percent": ("# % valid", round(100 - self.rng.expovariate(1), 1)),
        }
        numbers = [
            OutputNumber(line=line, value=value)
            for line, value in (said[name] for name in self.habits.says)
        ]
        if self.habits.says_rows:
            place = len(numbers) // 2
            numbers.insert(place, OutputNumber(line="loaded # rows", value=float(rows)))
        return numbers

    def files(self, at: datetime, rows: int) -> tuple[ProducedFile, ...]:
        """Return what it makes."""
        habits = self.habits
        if habits.file is None:
            return ()
        content = {"rows": rows, "total": self.total, "steady": self.work.level}
        size = 120 + round(
            content[habits.file] * habits.row_bytes * self.rng.uniform(0.97, 1.03)
        )
        path = f"out/sales_{at:%Y-%m-%d}.csv"
        return (ProducedFile(path=path, size=size, modified_at=at),)


# Faults: what one of them makes of a run that would have been healthy. None where it
# changes nothing: a day without rows is no fault of a script that found none.


def no_rows(project: Project, run: Healthy, _rng: random.Random) -> Healthy | None:
    """The source was empty: everything else is done as ever."""
    habits = project.habits
    told = habits.says_rows or habits.rows_a_line or habits.file == "rows"
    if run.rows < 1 or not told or project.work.often_none(run.at):
        return None
    empty = project.run(run.at, 0)
    return replace(empty, failed=False)


def early_exit(project: Project, run: Healthy, rng: random.Random) -> Healthy | None:
    """It ended at once, without a word, with exit code 0."""
    if run.metrics.output_lines < 1 and run.duration < 5:  # noqa: PLR2004
        return None
    lines = min(run.metrics.output_lines, rng.choice((0, 0, 1)))
    metrics = ScriptMetrics(
        output_bytes=lines * project.habits.line_bytes,
        output_lines=lines,
        files=run.metrics.files,
    )
    seconds = 0.04 + rng.expovariate(10)
    return replace(run, duration=min(run.duration, seconds), metrics=metrics)


def empty_output(
    _project: Project, run: Healthy, _rng: random.Random
) -> Healthy | None:
    """It did its work as long as ever, and nothing came out."""
    if run.metrics.output_lines < 1:
        return None
    metrics = replace(
        run.metrics, output_bytes=0, output_lines=0, numbers=(), log_errors=0
    )
    return replace(run, metrics=metrics)


def errors_logged(project: Project, run: Healthy, rng: random.Random) -> Healthy | None:
    """It logged errors, and went on."""
    usual = project.habits.errors
    errors = run.metrics.log_errors + rng.choice((1, 1, 2, 3, 5, 10, 50, 200))
    if usual or project.habits.rare_errors >= SEVERAL:
        # Of a script that logs errors by itself, a few more are no fault that anybody
        # could tell from those.
        errors = max(errors, round(10 * usual) + 10)
    more = errors - run.metrics.log_errors
    metrics = replace(
        run.metrics,
        log_errors=errors,
        output_lines=run.metrics.output_lines + more,
        output_bytes=run.metrics.output_bytes + more * 90,
    )
    return replace(run, metrics=metrics)


def slow(_project: Project, run: Healthy, rng: random.Random) -> Healthy | None:
    """It waited for something that did not come, and went on in the end."""
    waited = rng.choice((120.0, 300.0, 900.0, 3600.0, 4 * 3600.0))
    duration = run.duration * rng.uniform(5, 10) + waited
    return replace(run, duration=duration)


def truncated_file(
    project: Project, run: Healthy, rng: random.Random
) -> Healthy | None:
    """The file was cut: the disk was full, or the share away."""
    if not run.metrics.files or run.metrics.files[0].size < 5000:  # noqa: PLR2004
        return None
    if project.habits.file == "rows" and project.work.often_none(run.at):
        return None
    file = run.metrics.files[0]
    kept = rng.choice((0.0, 0.001, 0.01, 0.02))
    size = max(1, round(file.size * kept))
    return replace(run, metrics=replace(run.metrics, files=(replace(file, size=size),)))


FAULTS: dict[str, Callable[[Project, Healthy, random.Random], Healthy | None]] = {
    "no rows": no_rows,
    "early exit": early_exit,
    "no output": empty_output,
    "errors logged": errors_logged,
    "far too slow": slow,
    "file cut": truncated_file,
}


# Projects.


def every(
    hours: float, rng: random.Random, *, days: Callable[[datetime], bool]
) -> list[datetime]:
    """Return starts so many hours apart, on the days that count."""
    first = START + timedelta(minutes=rng.randrange(24 * 60) if hours >= 24 else 5)  # noqa: PLR2004
    count = int(DAYS * 24 / hours)
    times = (first + n * timedelta(hours=hours) for n in range(count))
    return [at for at in times if days(at)]


def all_days(_at: datetime) -> bool:
    """Every day."""
    return True


def working_days(at: datetime) -> bool:
    """From Monday to Friday."""
    return at.weekday() < SATURDAY


def office_hours(at: datetime) -> bool:
    """Working days from 7 to 19."""
    return working_days(at) and 7 <= at.hour < 19  # noqa: PLR2004


def schedule(rng: random.Random, name: str) -> list[datetime]:
    """Return when a project is started, with gaps, and with runs by hand."""
    hours, days = {
        "daily": (24.0, all_days),
        "working days": (24.0, working_days),
        "weekly": (168.0, all_days),
        "hourly": (1.0, all_days),
        "office hours": (1.0, office_hours),
        "six a day": (4.0, all_days),
    }[name]
    times = every(hours, rng, days=days)
    # A computer that is off for some days; somebody tries something by hand.
    for _ in range(rng.choice((0, 0, 1, 3))):
        off = START + timedelta(days=rng.randrange(DAYS))
        until = off + timedelta(days=rng.randrange(1, 15))
        times = [at for at in times if not off <= at < until]
    by_hand = rng.choice((0.0, 0.0, 0.01, 0.03))
    more = [
        at + timedelta(minutes=rng.randrange(2, 50))
        for at in times
        if rng.random() < by_hand
    ]
    return sorted(times + more)


def level(rng: random.Random) -> float:
    """Return the rows of an ordinary day, from some to a million."""
    return 10 ** rng.uniform(1.0, 6.0)


def habits(rng: random.Random, rows: float) -> Habits:
    """Return how a script may do its work and talk of it, broadly."""
    seconds = 10 ** rng.uniform(-0.7, 3.3)
    by_rows = rng.choice((0.0, 0.3, 0.7, 0.95))
    kinds = (
        "seconds",
        "clock",
        "clock, last",
        "total",
        "disk",
        "batch",
        "id",
        "percent",
    )
    return Habits(
        startup=seconds * (1 - by_rows),
        per_row=seconds * by_rows / rows,
        jitter=rng.choice((0.03, 0.1, 0.1, 0.25, 0.5)),
        slow=(rng.choice((0.0, 0.0, 0.002, 0.01)), rng.uniform(1.0, 3.0)),
        faster=(rng.randrange(20, DAYS), 10 ** rng.uniform(-0.8, 0.5))
        if rng.random() < 0.25  # noqa: PLR2004
        else (10**6, 1.0),
        lines=rng.choice((1, 1, 2, 5, 30, 200)),
        rows_a_line=rng.choice(
            (0, 0, 0, max(1, round(rows / rng.choice((3, 10, 100)))))
        ),
        chatter=rng.choice((0.0, 0.0, 0.5, 3.0, 20.0)),
        line_bytes=rng.choice((15, 40, 90)),
        says_rows=rng.random() < 0.75,  # noqa: PLR2004
        says=tuple(rng.sample(kinds, rng.choice((0, 1, 2, 3)))),
        errors=rng.choice((0.0, 0.0, 0.0, 0.0, 0.0, 0.2, 2.0, 6.0)),
        rare_errors=rng.choice((0.0, 0.0, 0.0, 0.003, 0.01, 0.03)),
        warnings=rng.choice((0.0, 0.0, 1.0, 10.0)),
        file=rng.choice((None, None, "rows", "rows", "total", "steady")),
        row_bytes=rng.choice((8, 80, 400)),
    )


def project(kind: str, when: str, work: Work, rng: random.Random) -> Project:
    """Return a project that has so much to do, and its habits by chance."""
    return Project(
        kind=kind,
        times=schedule(rng, when),
        work=work,
        habits=habits(rng, max(1.0, work.level)),
        failing=rng.choice((0.0, 0.01, 0.03, 0.1)),
        rng=rng,
    )


def _noise(rng: random.Random) -> float:
    return rng.choice((0.02, 0.1, 0.25, 0.5, 0.8))


def steady(rng: random.Random) -> Project:
    """The same every time."""
    work = Work(level=round(level(rng) ** 0.7), steady=True)
    return project("steady", rng.choice(("daily", "working days", "weekly")), work, rng)


def noisy(rng: random.Random) -> Project:
    """Nothing but noise."""
    work = Work(level=level(rng), noise=_noise(rng))
    return project(
        "noise", rng.choice(("daily", "working days", "six a day")), work, rng
    )


def growing(rng: random.Random) -> Project:
    """More every month, or less."""
    growth = rng.choice((-1.5, -0.5, 0.5, 1.0, 2.0, 3.5))
    work = Work(level=level(rng), growth=growth, noise=_noise(rng))
    return project("growth", rng.choice(("daily", "working days")), work, rng)


def weekly_rhythm(rng: random.Random) -> Project:
    """Much on some days of the week, little or nothing at weekends."""
    week = [exp(rng.gauss(0, 0.5)) for _ in range(5)]
    quiet = rng.choice((0.0, 0.001, 0.02, 0.1, 0.3))
    week += [quiet * exp(rng.gauss(0, 0.3)) for _ in range(2)]
    work = Work(level=level(rng), weekdays=tuple(week), noise=_noise(rng) / 2)
    return project("weekdays", "daily", work, rng)


def with_holidays(rng: random.Random) -> Project:
    """Public holidays are like Sundays."""
    quiet = rng.choice((0.0, 0.0, 0.05, 0.3))
    work = Work(
        level=level(rng),
        weekdays=(1.0,) * 5 + (quiet, quiet),
        country=rng.choice(("FR", "DE", "US")),
        noise=_noise(rng) / 2,
    )
    when = rng.choice(("daily", "daily", "working days"))
    return project("holidays", when, work, rng)


def month_ends(rng: random.Random) -> Project:
    """Far more at the end of a month."""
    work = Work(
        level=level(rng),
        month_end=rng.choice((3.0, 10.0, 30.0)),
        working_end=rng.random() < 0.5,  # noqa: PLR2004
        noise=_noise(rng) / 2,
    )
    when = "working days" if work.working_end else "daily"
    return project("month ends", when, work, rng)


def seasonal(rng: random.Random) -> Project:
    """A year has seasons."""
    work = Work(level=level(rng), season=rng.choice((0.5, 1.0, 1.7)), noise=_noise(rng))
    return project(
        "seasons", rng.choice(("daily", "working days", "weekly")), work, rng
    )


def bursts(rng: random.Random) -> Project:
    """Now and then far more, with a heavy tail."""
    burst = (rng.choice((0.003, 0.01, 0.05, 0.15)), rng.uniform(0.8, 2.5))
    work = Work(level=level(rng), burst=burst, noise=_noise(rng))
    return project("bursts", rng.choice(("daily", "working days")), work, rng)


def quiet_days(rng: random.Random) -> Project:
    """Some days there is nothing to do, which is as it should be."""
    quiet = rng.choice((0.003, 0.01, 0.05, 0.2, 0.5))
    work = Work(level=level(rng), quiet=quiet, noise=_noise(rng))
    return project(
        "days without work", rng.choice(("daily", "working days")), work, rng
    )


def few_things(rng: random.Random) -> Project:
    """A handful of things, their number a matter of chance."""
    work = Work(level=10 ** rng.uniform(-0.5, 1.3), noise=0.1, count=True)
    return project("a handful", rng.choice(("daily", "working days")), work, rng)


def all_day(rng: random.Random) -> Project:
    """Every hour, little at night."""
    night = rng.choice((0.0, 0.01, 0.2, 1.0))
    clock = tuple(
        night if hour < DAWN else 0.5 + sin(pi * (hour - 5) / 19) for hour in range(24)
    )
    weekend = rng.choice((1.0, 0.3, 0.0))
    work = Work(
        level=level(rng) ** 0.8,
        clock=clock,
        weekdays=(1.0,) * 5 + (weekend,) * 2,
        noise=_noise(rng) / 2,
    )
    return project("hourly", rng.choice(("hourly", "office hours")), work, rng)


def changing(rng: random.Random) -> Project:
    """A new customer, another source: another level from one day to the next."""
    steps = tuple(
        (rng.randrange(20, DAYS), 10 ** rng.uniform(-1.3, 1.3))
        for _ in range(rng.choice((1, 2, 3)))
    )
    work = Work(level=level(rng), steps=steps, noise=_noise(rng))
    return project(
        "changes that stay", rng.choice(("daily", "working days")), work, rng
    )


#: What the detector was made with.
KINDS = (
    steady, noisy, growing, weekly_rhythm, with_holidays, month_ends, seasonal, bursts,
    quiet_days, few_things, all_day, changing,
)  # fmt: skip


# Held out: looked at when the detector was done.


def backlog(rng: random.Random) -> Project:
    """What is left undone is done the next time: the past is in each run."""
    work = Work(
        level=level(rng), memory=rng.uniform(0.6, 0.97), noise=rng.uniform(0.1, 0.5)
    )
    return project(
        "backlog", rng.choice(("daily", "working days", "six a day")), work, rng
    )


def payroll(rng: random.Random) -> Project:
    """Twice a month there is much, else next to nothing."""
    made = Work(level=level(rng) ** 0.8, noise=_noise(rng) / 2)

    class _Payroll(Work):
        def rows(self, at: datetime, rng: random.Random) -> int:
            much = at.day in {15, 28}
            return round(super().rows(at, rng) * (20 if much else 0.05))

    work = _Payroll(level=made.level, noise=made.noise)
    return project("twice a month", "daily", work, rng)


def two_modes(rng: random.Random) -> Project:
    """Full every so many days, else only what is new."""
    period, part = rng.choice((2, 3, 10, 14)), rng.choice((0.01, 0.1, 0.3))

    class _Modes(Work):
        def rows(self, at: datetime, rng: random.Random) -> int:
            full = at.toordinal() % period == 0
            return round(super().rows(at, rng) * (1 if full else part))

    work = _Modes(level=level(rng), noise=_noise(rng) / 2)
    return project("full and partial", "daily", work, rng)


def everything(rng: random.Random) -> Project:
    """Growth, weekdays, holidays, month ends, seasons, bursts and quiet days at once."""
    weekend = rng.uniform(0.05, 1.0)
    work = Work(
        level=level(rng),
        growth=rng.uniform(-0.5, 1.5),
        weekdays=(*(exp(rng.gauss(0, 0.3)) for _ in range(5)), weekend, weekend),
        country=rng.choice(("FR", "DE", "US", None)),
        month_end=rng.choice((1.0, 4.0)),
        season=rng.uniform(0, 0.7),
        noise=rng.uniform(0.05, 0.5),
        quiet=rng.choice((0.0, 0.01)),
        burst=(0.01, 1.5),
    )
    return project(
        "everything at once", rng.choice(("daily", "working days")), work, rng
    )


def cached(rng: random.Random) -> Project:
    """At times everything is at hand, and at times the machine is busy."""
    made = project("caches", "daily", Work(level=level(rng), noise=_noise(rng)), rng)
    made.habits.cached = rng.choice((0.01, 0.1, 0.4))
    made.habits.slow = (rng.choice((0.01, 0.05)), rng.uniform(0.8, 2.0))
    return made


def rare(rng: random.Random) -> Project:
    """Once a week or a month: little to learn from."""
    work = Work(level=level(rng), noise=_noise(rng), growth=rng.uniform(-0.5, 1.0))
    made = project("seldom", "weekly", work, rng)
    if rng.random() < 0.5:  # noqa: PLR2004
        made.times = [at for at in made.times if at.day <= 7]  # noqa: PLR2004
    return made


def holiday_dip(rng: random.Random) -> Project:
    """Nobody is there in August and at the end of the year."""

    class _Dip(Work):
        def rows(self, at: datetime, rng: random.Random) -> int:
            away = at.month == 8 or (at.month, at.day) >= (12, 22)  # noqa: PLR2004
            return round(super().rows(at, rng) * (0.08 if away else 1.0))

    work = _Dip(level=level(rng), noise=_noise(rng))
    return project("holiday seasons", rng.choice(("daily", "working days")), work, rng)


HELD_OUT = (backlog, payroll, two_modes, everything, cached, rare, holiday_dip)
