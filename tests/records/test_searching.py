"""Searches of outputs and errors: what is found, and where a part goes on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.masking import Masker
from python_runner.model import Outcome, RunStatus
from python_runner.records import overview, searching
from python_runner.records.budget import Budget
from python_runner.records.searching import (
    CONTEXT,
    FOUND,
    HITS,
    SearchLine,
    search_errors,
    search_outputs,
)
from python_runner.records.store import Store, open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import MakeResult, MakeRun


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Return empty records."""
    with open_store(tmp_path / "home", NOW) as made:
        yield made


@pytest.fixture
def runs(
    store: Store, tmp_path: Path, make_run: MakeRun, make_result: MakeResult
) -> list[str]:
    """Record 60 runs of two scripts with outputs; return their ids, the newest first."""
    ids = []
    for number in range(60):
        run_id = f"{number:013x}"
        results = []
        for place in (1, 2):
            output = tmp_path / f"{number}_{place}.log"
            lines = [f"line {n} of run {number}" for n in range(1, 31)]
            if number % 3 == 0 and place == 2:
                lines[9] = "ein \x1b[31mNee\x1b[0mdle hier"
            output.write_text("\n".join(lines) + "\n", "utf-8")
            results.append(make_result(f"s{place}.py", number=place, output=output))
        run = make_run(
            *results, run_id=run_id, started_at=NOW + timedelta(hours=number)
        )
        store.end_run(run, [], NOW)
        ids.append(run_id)
    return ids[::-1]


def nobody(_path: Path) -> Masker:
    """Return what masks nothing."""
    return Masker()


def budget(seconds: float = 60, size: int = 10**9) -> Budget:
    """Return what is more than enough."""
    return Budget(seconds, size)


def test_the_lines_around_the_text_are_found(store: Store, runs: list[str]) -> None:
    """Whatever the case, and with colours inside; the newest run comes first."""
    done = search_outputs(store, "needle", nobody, budget())
    assert [hit.run.run_id for hit in done.found] == [
        run for run in runs if int(run, 16) % 3 == 0
    ][:FOUND]
    hit = done.found[0]
    number = int(hit.run.run_id, 16)
    assert (hit.script, hit.number, hit.more, hit.numbered) == ("s2.py", 2, False, True)
    assert hit.lines == (
        SearchLine(9, f"line 9 of run {number}", found=False),
        SearchLine(10, "ein Needle hier", found=True),
        SearchLine(11, f"line 11 of run {number}", found=False),
    )
    assert len(hit.lines) == 2 * CONTEXT + 1


def test_a_search_without_time_says_where_it_goes_on(
    store: Store, runs: list[str]
) -> None:
    """Part by part nothing is left out, and nothing is found twice."""
    ticks = iter(range(10**6))
    found, after, parts = [], None, 0
    while True:
        limited = Budget(7, 10**9, lambda: next(ticks))
        done = search_outputs(store, "NEEDLE", nobody, limited, after=after)
        found += [hit.run.run_id for hit in done.found]
        after, parts = done.further, parts + 1
        if after is None:
            break
        assert done.oldest
    assert parts > 10
    assert found == [run for run in runs if int(run, 16) % 3 == 0]


def test_limits_of_a_search(store: Store, runs: list[str]) -> None:
    """Bytes, time, a project, and since when."""
    assert search_outputs(store, "line", nobody, budget(size=1)).further
    since = NOW + timedelta(hours=50)
    done = search_outputs(store, "line 3 ", nobody, budget(), since=since)
    assert {hit.run.run_id for hit in done.found} == set(runs[:10])
    assert done.runs == 10
    with store.view() as view:
        (line,) = overview.runs_of(view, None, limit=1)
    number = line.number
    assert search_outputs(store, "line", nobody, budget(), project=number).found
    assert not search_outputs(store, "line", nobody, budget(), project=99).found


@pytest.mark.usefixtures("runs")
def test_a_line_of_many_is_told_once(store: Store) -> None:
    """Of an output with many such lines the first few are shown."""
    hit = search_outputs(store, "line", nobody, budget()).found[0]
    assert hit.more
    assert sum(line.found for line in hit.lines) == HITS
    assert [line.number for line in hit.lines] == list(range(1, HITS + 2))


@pytest.mark.usefixtures("runs")
def test_a_secret_is_not_found_in_outputs(store: Store) -> None:
    """Neither by its parts, nor is it shown beside what is found."""
    masked = Masker(["line 9 of run 57", "Needle"])
    done = search_outputs(store, "needl", lambda _path: masked, budget())
    assert done.found == []
    done = search_outputs(store, "ein", lambda _path: masked, budget())
    assert "line 9 of run 57" not in str(done.found[0].lines)


@pytest.mark.usefixtures("runs")
def test_an_output_that_is_gone_or_long_ends_nothing(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deleted, replaced by a folder, without the end of a line, longer than a block."""
    monkeypatch.setattr(searching, "_BLOCK", 1000)
    monkeypatch.setattr(searching, "_OF_ONE", 50_000)
    (tmp_path / "57_2.log").unlink()
    (tmp_path / "54_2.log").unlink()
    (tmp_path / "54_2.log").mkdir()
    long = b"x" * 5000 + b"\n" + b"ab\n" * 1000 + b"a needle"
    (tmp_path / "51_2.log").write_bytes(long)
    (tmp_path / "48_2.log").write_bytes(
        b"needle first\n" + b"y\n" * 40_000 + b"needle\n"
    )
    done = search_outputs(store, "needle", nobody, budget())
    assert [int(hit.run.run_id, 16) for hit in done.found[:2]] == [51, 48]
    assert done.found[0].lines[-1] == SearchLine(1002, "a needle", found=True)
    # Of a very long one its end was searched: the number is not known.
    assert not done.found[1].numbered
    assert sum(line.found for line in done.found[1].lines) == 1


def test_errors_are_found_by_their_words(
    store: Store, make_run: MakeRun, make_result: MakeResult
) -> None:
    """Message, place and script; part by part where there are many."""
    for number in range(70):
        run_id = f"{number:013x}"
        result = make_result(f"s{number}.py", Outcome.TIMEOUT)
        run = make_run(result, run_id=run_id, status=RunStatus.FAILURE)
        store.end_run(replace(run, status=RunStatus.FAILURE), [], NOW)
    found, further = search_errors(
        store, "S4", budget(), project=None, before=overview.BEYOND
    )
    assert [g.sample.script for g in found] == [
        f"s{n}.py" for n in (*range(49, 39, -1), 4)
    ]
    assert further is None
    found, further = search_errors(
        store, ".py", budget(), project=None, before=overview.BEYOND
    )
    assert (len(found), further) == (FOUND, 70 - FOUND + 1)
    assert further
    found, _ = search_errors(store, ".py", budget(), project=None, before=further)
    assert found[0].sample.script == f"s{69 - FOUND}.py"


def test_runs_without_outputs_cost_time_as_well(
    store: Store, make_run: MakeRun, make_result: MakeResult
) -> None:
    """A million of them do not keep a search from its end; the next part goes on there."""
    for number in range(120):
        began = NOW + timedelta(hours=number)
        run = make_run(make_result(), run_id=f"{number:013x}", started_at=began)
        store.end_run(run, [], NOW)
    spots, after = [], None
    while True:
        limited = Budget(0, 10**9)
        done = search_outputs(store, "needle", nobody, limited, after=after)
        after = done.further
        if after is None:
            break
        spots.append(done.oldest)
    assert spots == [NOW + timedelta(hours=hour) for hour in (70, 20, 0)]
    # What is older than the reader wants is not looked at.
    recent = search_outputs(
        store, "needle", nobody, Budget(1, 1), since=NOW + timedelta(hours=100)
    )
    assert recent.further is None
