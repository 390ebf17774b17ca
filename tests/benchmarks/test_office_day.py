"""The simulated day of an office: queues, and what stops first."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import LANGUAGES, main
from benchmarks.office_day import (
    DAY,
    PATIENCE,
    Costs,
    Office,
    at_once,
    least,
    limits,
    longest_wait,
    runs_of,
    simulate,
    starts,
)
from tests.instruments.cases import LONG


DOCS = Path(__file__).parents[2] / "docs"
TABLES = ("costs", "together", "days", "limits")
COSTS = Costs(
    run=0.15,
    script=0.003,
    report=0.1,
    deleted=0.00005,
    memory=30.0,
    record=400.0,
    output=60.0,
    line=80.0,
)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("begun", "places", "served"),
    [
        ([0, 0, 0], 1, [0, 10, 20]),
        ([0, 0, 0], 2, [0, 0, 10]),
        ([0, 0, 0], 3, [0, 0, 0]),
        ([0, 25, 26], 1, [0, 25, 35]),
        ([0, 1, 2, 3], 2, [0, 1, 10, 11]),
        ([], 1, []),
    ],
)
def test_who_comes_first_is_served_first(
    begun: list[float], places: int, served: list[float]
) -> None:
    """Each takes ten seconds of the place that is free first."""
    assert list(starts(begun, 10, places)) == served
    waits = [start - moment for start, moment in zip(served, begun, strict=True)]
    assert longest_wait(begun, 10, places) == max(waits, default=0)


@pytest.mark.pure
@pytest.mark.parametrize(
    ("begun", "most"), [([], 0), ([0], 1), ([0, 5, 9], 3), ([0, 10], 1), ([0, 9], 2)]
)
def test_how_many_there_are_at_once(begun: list[float], most: int) -> None:
    """One that ends when another begins is gone."""
    assert at_once(begun, 10) == most


@pytest.mark.pure
@pytest.mark.parametrize("needed", [1, 2, 7, 99, 100])
def test_the_least_number_that_is_enough_is_found(needed: int) -> None:
    """By halving, wherever it is."""
    assert least(lambda number: number >= needed, 100) == needed


@pytest.mark.pure
def test_runs_begin_in_order_and_most_of_them_on_the_hour() -> None:
    """As in an office; the same seed gives the same day."""
    begun, mailed = runs_of(200_000, Office())

    assert begun == sorted(begun)
    assert 0 <= begun[0] <= begun[-1] < DAY
    assert (begun, mailed) == runs_of(200_000, Office())
    assert 0.015 < len(mailed) / len(begun) < 0.025
    on_the_hour = sum(moment % 3600 == 0 for moment in begun)
    assert 0.58 < on_the_hour / len(begun) < 0.62
    six, three = (sum(h * 3600 <= m < (h + 1) * 3600 for m in begun) for h in (6, 3))
    assert six > 8 * three


@pytest.mark.pure
def test_no_run_waits_longer_than_patience_where_there_are_places_enough() -> None:
    """And one place less is not enough."""
    office = Office()
    day = simulate(20_000, office, COSTS)
    begun, _ = runs_of(20_000, office)
    long = office.scripts * office.seconds

    assert 1 < day.jobs < day.at_once
    assert longest_wait(begun, long, day.jobs) <= PATIENCE
    assert longest_wait(begun, long, day.jobs - 1) > PATIENCE
    assert longest_wait(begun, long, day.at_once) == 0


@pytest.mark.pure
def test_a_day_of_more_scripts_costs_more_of_everything() -> None:
    """Ten times the scripts: ten times what is kept."""
    office = Office()
    small, large = simulate(10_000, office, COSTS), simulate(100_000, office, COSTS)

    assert large.runs == 10 * small.runs
    assert large.disk == pytest.approx(10 * small.disk)
    assert large.processor == pytest.approx(10 * small.processor)
    assert large.at_once > small.at_once
    assert large.emails > small.emails
    assert large.email_wait > small.email_wait
    assert simulate(10_000, office, COSTS) == small


@pytest.mark.pure
@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"emails": 1}, "mailbox"),
        ({"mailed": 0.04}, "mailbox"),
        ({"emails": 1}, "mailbox, for a while"),
        ({"processors": 2}, "processors"),
        ({"processors": 2}, "processors, for a while"),
        ({"work": 4.0}, "the scripts' own work"),
        ({"memory": 8.0}, "memory"),
        ({"disk": 250.0}, "disk"),
        ({"keep_days": 1000}, "disk"),
    ],
)
def test_what_is_scarcer_stops_earlier(change: dict[str, float], name: str) -> None:
    """Half of a thing bears about half of the scripts."""
    # With little to spare, so that few scripts have to be simulated.
    office, costs = Office(emails=2), replace(COSTS, run=1.5, script=0.03)
    plain = limits(office, costs)
    scarce = limits(replace(office, **change), costs)  # type: ignore[arg-type]

    assert list(plain.values()) == sorted(plain.values())
    assert 0.3 < scarce[name] / plain[name] < 0.75


@pytest.mark.pure
def test_a_mailbox_is_full_where_each_minute_has_its_emails() -> None:
    """30 a minute are 43,200 a day, each for a run of 10 scripts."""
    costs = replace(COSTS, run=1.5, script=0.03)
    assert limits(Office(emails=3), costs)["mailbox"] == 2_200_000
    assert limits(Office(emails=30, mailed=1.0), costs)["mailbox"] == 430_000


@pytest.mark.source
@pytest.mark.parametrize("ending", LANGUAGES.values())
def test_the_page_has_its_tables(ending: str) -> None:
    """And no other ones."""
    text = (DOCS / f"scale{ending}").read_text(encoding="utf-8")
    assert re.findall(r"<!-- (\w+) -->\n\S", text) == [*TABLES]
    assert re.findall(r"<!-- /(\w+) -->", text) == [*TABLES]


@pytest.mark.skipif(not LONG, reason="the weekly run has time for it")
@pytest.mark.skipif(sys.platform == "win32", reason="benchmarks need POSIX")
def test_tiny_sizes_are_measured_and_written(tmp_path: Path) -> None:
    """The whole way, in both languages."""
    for ending in LANGUAGES.values():
        text = (DOCS / f"scale{ending}").read_text(encoding="utf-8")
        empty = re.sub(
            r"<!-- (\w+) -->\n.*?\n<!-- /",
            r"<!-- \1 -->\n<!-- /",
            text,
            flags=re.DOTALL,
        )
        (tmp_path / f"scale{ending}").write_text(empty, encoding="utf-8")

    assert main(["scale", "--quick", "--docs", str(tmp_path)]) == 0

    for ending in LANGUAGES.values():
        text = (tmp_path / f"scale{ending}").read_text(encoding="utf-8")
        for name in TABLES:
            block = text.partition(f"<!-- {name} -->")[2].partition("<!-- /")[0]
            assert re.search(r"\d", block)
