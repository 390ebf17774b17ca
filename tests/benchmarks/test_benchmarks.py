from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from benchmarks.__main__ import LANGUAGES, main, named, parse
from benchmarks.compare import all_tasks
from benchmarks.peers import OURS, REFERENCE, all_peers


if sys.platform == "win32":
    pytest.skip("benchmarks need POSIX", allow_module_level=True)

from benchmarks.growth import CURVES
from benchmarks.timing import Start, run
from tests.support import wait_until


DOCS = Path(__file__).parents[2] / "docs"
PAGES = [f"performance{ending}" for ending in LANGUAGES.values()]


@pytest.mark.source
@pytest.mark.parametrize("page", PAGES)
def test_the_pages_have_a_place_for_each_table(page: str) -> None:
    """And for no other one; the profile is written by hand."""
    text = (DOCS / page).read_text(encoding="utf-8")
    tasks = all_tasks(scripts=1, imports=1, megabytes=1)
    expected = {"machine", "versions", "profile", *tasks, *CURVES}
    assert set(re.findall(r"<!-- (\w+) -->", text)) == expected
    assert set(re.findall(r"<!-- /(\w+) -->", text)) == expected


@pytest.mark.source
@pytest.mark.parametrize("ending", LANGUAGES.values())
def test_the_page_of_unusual_successes_has_its_tables(ending: str) -> None:
    """What is measured is published there."""
    text = (DOCS / f"unusual{ending}").read_text(encoding="utf-8")
    expected = ["unusual", "unusual: kinds", "unusual: faults"]
    assert re.findall(r"<!-- (unusual[\w: ]*) -->\n\|", text) == expected


def test_without_a_command_the_peers_are_compared() -> None:
    """The default takes all peers, five rounds at most, within eleven minutes."""
    assert parse([]).command == "compare"
    assert parse(["--quick", "one"]).names == ["one"]
    assert (parse([]).rounds, parse([]).minutes) == (5, 11.0)
    assert sum(
        t.share for t in all_tasks(scripts=1, imports=1, megabytes=1).values()
    ) == (pytest.approx(1))
    assert next(iter(all_peers())) == REFERENCE


def test_names_with_commas_can_be_chosen() -> None:
    """Each of them, and all."""
    assert named(f"sh loop,{OURS}, warm,doit", all_peers()) == [
        "sh loop",
        f"{OURS}, warm",
        "doit",
    ]
    assert named(",".join(all_peers()), all_peers()) == [*all_peers()]


def test_what_takes_too_long_is_ended_with_what_it_started(tmp_path: Path) -> None:
    """Nothing of it is left behind."""
    command = "sleep 600 & echo $! >pid; wait"
    sample = run(Start(command=["sh", "-c", command]), tmp_path, limit=0.5)

    assert sample.timed_out
    assert sample.code == -9
    pid = int((tmp_path / "pid").read_text(encoding="ascii"))
    status = Path(f"/proc/{pid}/stat")
    # A killed process is gone once it gets its turn.
    wait_until(lambda: not status.exists() or ") Z " in status.read_text("ascii"))


def test_a_server_is_timed_until_its_work_is_done(tmp_path: Path) -> None:
    """Then it is asked to end."""
    start = Start(command=["sh", "-c", "echo >done; sleep 600"], server=True)
    sample = run(start, tmp_path, 60, (tmp_path / "done").exists)

    assert not sample.timed_out
    assert sample.code == -15


@pytest.mark.slow
def test_the_whole_way_with_tiny_sizes(tmp_path: Path) -> None:
    """Environments, rounds and pages; only what no network is needed for."""
    docs = tmp_path / "docs"
    docs.mkdir()
    for page in PAGES:
        text = (DOCS / page).read_text(encoding="utf-8")
        (docs / page).write_text(text, encoding="utf-8")
    peers = f"{REFERENCE},sh loop that logs,subprocess.run loop,{OURS}"
    common = ["--docs", str(docs), "--cache", str(tmp_path / "cache"), "--peers", peers]
    sizes = ["--rounds", "2", "--scripts", "2", "--imports", "2", "--megabytes", "1"]

    tables = ("start", "one", "sequence", "pairs", "output", "failing")
    assert main(["compare", *common, *sizes, *tables]) == 0

    for page in PAGES:
        text = (docs / page).read_text(encoding="utf-8")
        for name in tables:
            block = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name}")[0]
            assert f"**{OURS}**" in block
        assert str(tmp_path) not in text
