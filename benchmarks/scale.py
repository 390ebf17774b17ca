"""What one computer bears: the costs of a script, and a day of 100 to 1,000,000 of them."""

from __future__ import annotations

import shlex
import shutil
import statistics
import tempfile
import time
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import tables
from benchmarks.curves import Curve
from benchmarks.growth import Sizes, milliseconds
from benchmarks.office_day import Costs, Day, Office, limits, simulate
from benchmarks.timing import Sample, Start, run
from benchmarks.worlds import NOW, SCRIPTS, World, make_records
from python_runner.records.database import connect
from python_runner.records.store import DATABASE_NAME, open_store


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DAYS = (100, 10_000, 1_000_000)
_SCRIPTS = 100
_DELETED = 1000
_ROUNDS = 5
#: Runs that are started together, so many at a time, to try the sum of the costs.
_TOGETHER, _LANES = 100, 2
_LIMIT = 600.0
_SOURCE = "echo 2026-11-23 row 17 of 4711 imported from sales_2026.csv\n"


def costs(root: Path, sizes: Sizes) -> Curve:
    """Measure a run, a script, a report and what is kept, beside ever more records."""
    curve = Curve("costs", "runs", sizes(1000, 100_000, 1_000_000))
    for size in curve.sizes:
        world = World(root / str(size))
        make_records(world.home, size)
        opening = milliseconds(lambda home=world.home: open_store(home, NOW).close())  # type: ignore[misc]
        curve.add("opening: CPU ms", opening)
        one = world.project("one", 1, _SOURCE)
        many = world.project("many", 1 + _SCRIPTS, _SOURCE)
        told = world.project(
            "told", 1, _SOURCE, recipients=["ann@example.com"], email_strategy="all"
        )
        rounds = [
            (
                world.run("run", "--quiet", one),
                world.run("run", "--quiet", many),
                _mailed(world, told),
            )
            for _ in range(_ROUNDS)
        ]
        # The difference of two runs is that of the same round.
        script = statistics.median(m.cpu - o.cpu for o, m, _ in rounds) / _SCRIPTS
        report = statistics.median(t.cpu - o.cpu for o, _, t in rounds)
        alone = statistics.median(o.cpu for o, _, _ in rounds)
        curve.add("a run: CPU ms", 1000 * (alone - script))
        curve.add("a script: CPU ms", 1000 * script)
        curve.add("a report: CPU ms", 1000 * report)
        curve.add("a run: peak MiB", max(o.peak for o, _, _ in rounds))
        _add_bytes(curve, world, many)
        _add_deleting(curve, world)
        shutil.rmtree(world.root)
    return curve


def _mailed(world: World, folder: Path) -> Sample:
    start = world.start("run", "--quiet", folder)
    variables = {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(world.root / "mails")}
    variables["MAIL_FROM"] = "robot@example.com"
    environ = {**start.environ, **variables}
    sample = run(replace(start, environ=environ), world.root, _LIMIT)
    if sample.code:
        raise RuntimeError((world.root / "out").read_text(encoding="utf-8"))
    return sample


def _add_bytes(curve: Curve, world: World, folder: Path) -> None:
    """Measure what is kept of one more run of many scripts."""

    def kept() -> tuple[int, int, int]:
        with closing(connect(world.home / DATABASE_NAME)) as connection:
            pages, free, size = (
                connection.execute(f"PRAGMA {name}").fetchone()[0]
                for name in ("page_count", "freelist_count", "page_size")
            )
        logs = folder / "logs"
        outputs = [path.stat().st_size for path in logs.glob("runs/*/*")]
        log = (logs / f"{folder.name}.log").stat().st_size
        return (pages - free) * size, log, sum(outputs)

    before = kept()
    for _ in range(_ROUNDS):
        world.run("run", "--quiet", folder)
    count = _ROUNDS * (1 + _SCRIPTS)
    for name, old, new in zip(
        ("the records", "the log", "its output"), before, kept(), strict=True
    ):
        curve.add(f"in {name}: bytes a script", (new - old) / count)


def _add_deleting(curve: Curve, world: World) -> None:
    """Measure what it costs to delete the oldest runs."""
    limit = min(_DELETED, curve.sizes[0] // 2)
    with open_store(world.home, NOW) as store:
        began = time.process_time()
        deleted = store.delete_old_runs(NOW - timedelta(seconds=1), NOW, limit)
        took = time.process_time() - began
    curve.add("deleting: CPU ms a script", 1000 * took / max(1, deleted * SCRIPTS))


def of(curve: Curve) -> Costs:
    """Return the costs beside the most records."""

    def last(name: str) -> float:
        return curve.costs[name][-1] or 0.0

    return Costs(
        run=last("a run: CPU ms") / 1000,
        script=last("a script: CPU ms") / 1000,
        report=last("a report: CPU ms") / 1000,
        deleted=last("deleting: CPU ms a script") / 1000,
        memory=last("a run: peak MiB"),
        record=last("in the records: bytes a script"),
        output=last("in its output: bytes a script"),
        line=last("in the log: bytes a script"),
    )


def together(root: Path, office: Office, costs: Costs, count: int) -> float:
    """Return what runs beside each other take, in times of the sum of their costs."""
    world = World(root / "together")
    folders = [
        world.project(f"p{number}", office.scripts, _SOURCE) for number in range(count)
    ]
    start = world.start("run", "--quiet")
    command = 'printf "%s\\n" "$@" | xargs -P '
    command += f"{_LANES} -I{{}} "
    command += " ".join(map(shlex.quote, start.command)) + " {}"
    shell = Start(
        command=["sh", "-c", command, "sh", *map(str, folders)], environ=start.environ
    )
    sample = run(shell, root, _LIMIT)
    if sample.code:
        raise RuntimeError((root / "out").read_text(encoding="utf-8"))
    return sample.cpu / (count * (costs.run + office.scripts * costs.script))


def measure(*, quick: bool) -> Mapping[str, Callable[[str], str]]:
    """Measure all of it; return the tables by name."""
    office, count = Office(), _TOGETHER // (10 if quick else 1)
    with tempfile.TemporaryDirectory(prefix="scale-") as made:
        curve = costs(Path(made), Sizes(quick))
        found = of(curve)
        times = together(Path(made), office, found, count)
    days = Curve("days", "scripts a day", DAYS)
    for scripts in DAYS:
        _add_day(days, simulate(scripts, office, found))
    borne = limits(office, found)
    return {
        "costs": partial(tables.curve, curve),
        "together": partial(_together, times, count),
        "days": lambda language: tables.curve(days, language, growing=False),
        "limits": partial(_limits, borne),
    }


def _add_day(days: Curve, day: Day) -> None:
    days.add("runs", day.runs)
    days.add("runs at the same time, at most", day.at_once)
    days.add("places so that none waits more than 15 min", day.jobs)
    days.add("processors taken by Python Runner: %", 100 * day.processor)
    days.add("longest wait for a processor: s", day.processor_wait)
    days.add("emails", day.emails)
    days.add("longest wait of an email: min", day.email_wait / 60)
    days.add("memory of all runs at once: GiB", day.memory)
    days.add("all that is kept: GB", day.disk)
    days.add("deleting what is old: CPU s", day.deleting)


def _together(times: float, count: int, language: str) -> str:
    said = {
        "en": "{count} runs of {scripts} scripts in processes of their own, {lanes} at a"
        " time, took {times} times the processor time that the table gives.",
        "fr": "{count} exécutions de {scripts} scripts, chacune dans son processus,"
        " {lanes} à la fois, ont pris {times} fois le temps processeur que donne le"
        " tableau.",
    }[language]
    return said.format(
        count=count,
        scripts=Office().scripts,
        lanes=_LANES,
        times=tables.number(times, language),
    )


def _limits(borne: Mapping[str, int], language: str) -> str:
    head = [tables.said(word, language) for word in ("what stops", "scripts a day")]
    rows = [
        [tables.said(name, language), tables.whole(number, language)]
        for name, number in borne.items()
    ]
    return tables.table(head, rows)
