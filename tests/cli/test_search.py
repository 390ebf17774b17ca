from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.cli.search import Hit, lines_with
from tests.cli.terminal import on_terminal
from tests.support import Cli, MakeProject, last_run_id


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("hits", "shown"),
    [
        ("", ""),
        ("5", "3-4-5:6-7-"),
        ("1", "1:2-3-"),
        ("9", "7-8-9:"),
        ("3 4", "1-2-3:4:5-6-"),
        ("2 7", "1-2:3-4-5-6-7:8-9-"),
        ("1 9", "1:2-3-7-8-9:"),
    ],
)
def test_a_line_is_shown_with_those_beside_it(hits: str, shown: str) -> None:
    """Two before and two after, each once."""
    lines = ["hit" if str(n) in hits.split() else "line" for n in range(1, 10)]

    found = lines_with(lines, re.compile("hit"))

    assert "".join(f"{h.number}{':' if h.found else '-'}" for h in found) == shown
    assert [*lines_with(["a hit"], re.compile("HIT", re.IGNORECASE))] == [
        Hit(1, "a hit", True)
    ]


@pytest.fixture
def searched(
    make_project: MakeProject, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the current folder, with two projects that have run."""
    monkeypatch.chdir(tmp_path)
    many = "for n in range(20): print('row', n, 'loaded')"
    sales = make_project(
        "sales",
        {
            "load.py": many,
            "mail.py": "import os; print('sent 13', os.environ['DB_PASSWORD'])",
        },
        env={"DB_PASSWORD": "s3cret-value"},
    )
    stock = make_project("stock", {"count.py": "print('Row 13 of stock')"})
    cli("run", "-q", sales, stock)
    return tmp_path


@pytest.mark.usefixtures("searched")
def test_the_output_of_all_runs_is_searched(cli: Cli) -> None:
    """Newest first, with the lines beside it; the end says how far back it looked."""
    done = cli("output", "--grep", "ROW 13")

    assert done.returncode == 0
    blocks = done.stdout.split("\n\n")
    assert re.match(
        r"==> stock: count\.py  [-0-9: ]+  [0-9a-f]{7} <==\n     1: Row 13 of stock$",
        blocks[0],
    )
    assert blocks[1].splitlines()[1:] == [
        "    12- row 11 loaded",
        "    13- row 12 loaded",
        "    14: row 13 loaded",
        "    15- row 14 loaded",
        "    16- row 15 loaded",
    ]
    assert re.search(r"Searched the output of 2 runs, back to 20\d\d-", done.stderr)


def test_the_search_is_narrowed(
    searched: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """By project, by run and by script; no secret is found, and none is shown."""
    run_id = last_run_id()

    def found(*arguments: str) -> list[str]:
        assert run_app(["output", *arguments]) == 0
        return re.findall("==> (.*?)  ", capfd.readouterr().out)

    assert found("--grep", "13") == [
        "stock: count.py",
        "sales: load.py",
        "sales: mail.py",
    ]
    assert found("sales", "--grep", "13") == ["sales: load.py", "sales: mail.py"]
    assert found("sales", "mail.py", "--grep", "13") == ["sales: mail.py"]
    assert found(run_id[:8], "--grep", "13") == ["stock: count.py"]
    assert found("--grep", "s3cret") == []
    assert run_app(["output", "--grep", "nothing"]) == 0
    assert "Found nothing in the output of 2 runs" in capfd.readouterr().err
    for path in searched.glob("*/logs/runs/*/*.log"):
        os.remove(path)  # noqa: PTH107
    assert run_app(["output", "--grep", "13"]) == 0
    assert "none is kept" in capfd.readouterr().err


@pytest.mark.usefixtures("searched")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--grep", "x", "--follow"], "--grep and --follow exclude each other"),
        (["--grep", ""], "expected a string"),
        (["./nowhere", "--grep", "x"], "nowhere is not a folder"),
        (["fff", "--grep", "x"], "no run has an id that begins with it"),
    ],
)
def test_what_cannot_be_searched(
    arguments: list[str], said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A sentence says why, and the code is that of wrong usage."""
    assert run_app(["output", *arguments]) == 2
    assert said in " ".join(capfd.readouterr().err.split())


@pytest.mark.usefixtures("searched")
def test_the_text_stands_out_on_a_terminal() -> None:
    """In colour, each time it occurs; nowhere else."""
    _code, text = on_terminal("output", "sales", "load.py", "--grep", "row 1 ")

    assert text.count("\x1b[31m") == 1
    assert "\x1b[31mrow 1 \x1b[0mloaded" in text
