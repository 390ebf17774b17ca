from __future__ import annotations

import re
from typing import TYPE_CHECKING

import click
import pytest

from python_runner.cli.lookup import find_run
from python_runner.cli.targets import run_argument
from python_runner.exceptions import PythonRunnerError
from python_runner.model import OpenRun, Outcome, Run, RunStatus
from python_runner.records.store import Store, open_store
from tests.support import GOOD, TODAY, Cli, MakeProject, keep


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LAST_OF_A, OPEN_OF_B, ONLY_OF_C = "e" * 13, "d" * 13, "1" * 13


@pytest.fixture
def store(
    shielded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Store]:
    """Return records of the projects a, b and c below the current folder.

    The last run of b has not ended; the last of each was skipped.
    """
    monkeypatch.chdir(tmp_path)
    a, b, c = (tmp_path / name for name in "abc")
    for folder in (a, b, c, tmp_path / "new"):
        folder.mkdir()
    with open_store(shielded, TODAY) as store:
        keep(store, "c" * 13, a, Outcome.SUCCESS)
        begun = OpenRun(run_id=OPEN_OF_B, project="b", path=b, started_at=TODAY)
        store.begin_run(begun)
        keep(store, LAST_OF_A, a, Outcome.FAILURE)
        skipped = ("f" * 13, a), ("2" * 13, b), (ONLY_OF_C, c)
        for run_id, folder in skipped:
            run = Run(
                run_id=run_id,
                project=folder.name,
                path=folder,
                status=RunStatus.SKIPPED,
                started_at=TODAY,
                duration=0.0,
            )
            store.end_run(run, [], TODAY)
        yield store


def chosen(*arguments: str) -> str | Path | None:
    """Return what a command gets for its arguments."""
    command = run_argument(click.Command("show"))
    found: str | Path | None = command.make_context("show", list(arguments)).params[
        "chosen"
    ]
    return found


@pytest.mark.parametrize(
    ("arguments", "run_id"),
    [
        ([], LAST_OF_A),
        (["a"], LAST_OF_A),
        (["./a/"], LAST_OF_A),
        (["new/../b"], OPEN_OF_B),
        (["c"], ONLY_OF_C),
        (["cc"], "c" * 13),
        (["F"], "f" * 13),
    ],
)
def test_which_run_is_meant(store: Store, arguments: list[str], run_id: str) -> None:
    """The last of all or of a folder, skipped ones aside; else the one with this id."""
    assert find_run(store, chosen(*arguments)).run_id == run_id


def test_the_last_run_of_the_listed_projects(store: Store, tmp_path: Path) -> None:
    """Where python-runner.toml lists projects, nothing else is meant."""
    (tmp_path / "python-runner.toml").write_text('projects = ["b"]')

    assert find_run(store, None).run_id == OPEN_OF_B
    assert find_run(store, chosen("a")).run_id == LAST_OF_A


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("new", r"^No runs of \S+new are recorded; run `python-runner run`"),
        (".", r"^No runs of \S+ are recorded"),
        ("./gone", r"gone is not a folder$"),
        ("gone", r"^'gone' is not a folder, and no run has an id that begins with it"),
        ("", "^'' is not a folder, and no run"),
    ],
)
def test_what_to_do_where_there_is_none(
    store: Store, argument: str, message: str
) -> None:
    """The sentence says what the argument was taken for."""
    with pytest.raises(PythonRunnerError, match=message):
        find_run(store, chosen(argument))


def test_empty_records(shielded: Path) -> None:
    """Nothing ran yet."""
    with (
        open_store(shielded, TODAY) as store,
        pytest.raises(
            PythonRunnerError, match=r"^No runs are recorded; run `python-runner"
        ),
    ):
        find_run(store, None)


def test_show_and_output_of_a_project(cli: Cli, make_project: MakeProject) -> None:
    """Both take the folder of a project, and nothing at all."""
    folder = make_project(sources={"a.py": GOOD, "b.py": "print('second')"})
    cli("run", "--quiet", folder)

    assert re.search("✓  a.py .* succeeded", cli("show").stdout)
    assert cli("output", folder, "b.py").stdout == "second\n"
    assert cli("output", "no/folder").returncode == 2
