from __future__ import annotations

import json
import os
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click
import pytest

from python_runner.cli.known_runs import known_runs
from python_runner.cli.moments import parse_since
from python_runner.execution.orphans import process_start
from python_runner.model import (
    OpenRun,
    OpenScript,
    Outcome,
)
from python_runner.records.locks import Holder, project_lock
from python_runner.records.store import DATABASE_NAME, Store
from tests.support import (
    TODAY,
    Cli,
    MakeProject,
    keep,
)


if TYPE_CHECKING:
    from pathlib import Path


def test_history_lists_runs_newest_first(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Id, start in local time, project, status, scripts, duration; in a pipe uncut."""
    long_name = "a project with a name " * 6
    keep(store, "a" * 13, tmp_path / "old", Outcome.SUCCESS, ago=timedelta(hours=2))
    keep(
        store,
        "b" * 13,
        tmp_path / long_name.strip(),
        Outcome.SUCCESS,
        Outcome.FAILURE,
        duration=61.0,
    )

    done = cli("history")
    heading, newest, oldest = done.stdout.split("\n\n")[0].splitlines()

    assert done.returncode == 0
    assert heading.split() == [
        *("run", "start", "project", "status", "scripts", "duration", "email", "reason")
    ]
    start = TODAY.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert re.split(" {2,}", newest) == [
        *("b" * 13, start, long_name.strip(), "failed", "1/2", "2 min 2 s"),
        "2.py: failed",
    ]
    assert oldest.startswith("a" * 13)
    assert "\x1b" not in done.stdout


def test_history_tells_how_each_script_does(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Runs, success rate, p50, p95 and trend, whatever runs are listed."""
    for number in range(10):
        keep(
            store,
            f"{number:013x}",
            tmp_path / "p",
            Outcome.FAILURE if number == 4 else Outcome.SUCCESS,
            Outcome.SKIPPED,
            ago=timedelta(hours=10 - number),
            duration=float(number + 1),
        )

    assert "median" not in cli("history").stdout
    done = cli("history", "--stats", "--limit", 1, PYTHONIOENCODING="utf-8")
    first, second = done.stdout.splitlines()[-2:]

    assert re.split(" {2,}", first) == [
        *("p", "1.py", "10", "90%", "6.0 s", "10.0 s", "▂▂▃▄▅▆▇▇█")
    ]
    assert second.split() == ["p", "2.py", "0", "-", "-", "-"]
    document = json.loads(cli("history", "--stats", "--json", "--limit", 1).stdout)
    assert [run["run_id"] for run in document["runs"]] == [f"{9:013x}"]
    assert document["statistics"] == [
        {
            "project": "p",
            "path": str(tmp_path / "p"),
            "script": name,
            "runs": runs,
            "success_rate": rate,
            "p50_seconds": p50,
            "p95_seconds": p95,
        }
        for name, runs, rate, p50, p95 in (
            ("1.py", 10, 0.9, 6.0, 10.0),
            ("2.py", 0, None, None, None),
        )
    ]


def test_a_trend_is_drawn_in_what_the_stream_can_write(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """A stream without block characters gets ASCII, not question marks."""
    for number in (1, 2):
        ago = timedelta(hours=3 - number)
        keep(
            store, str(number) * 13, tmp_path, Outcome.SUCCESS, ago=ago, duration=number
        )

    done = cli("history", "--stats", PYTHONIOENCODING="ascii")

    assert done.stdout.splitlines()[-1].endswith("  +@")


@pytest.mark.portable("what is listed is decided from the records alone")
def test_history_is_narrowed_by_what_is_asked(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Projects, failures, age and number each leave the others out."""
    keep(store, "3" * 13, tmp_path / "a", Outcome.FAILURE, ago=timedelta(days=8))
    keep(store, "4" * 13, tmp_path / "b", Outcome.FAILURE, ago=timedelta(days=2))
    keep(store, "2" * 13, tmp_path / "a", Outcome.TIMEOUT, ago=timedelta(hours=1))
    keep(store, "1" * 13, tmp_path / "a", Outcome.SUCCESS)

    def listed(*arguments: object) -> str:
        runs = json.loads(cli("history", "--json", *arguments).stdout)["runs"]
        return "".join(run["run_id"][0] for run in runs)

    yesterday = (TODAY.astimezone() - timedelta(days=1)).date()
    assert listed("--limit", 3) == "124"
    assert listed("./b/", "nowhere") == "4"
    assert listed("--failed") == "243"
    assert listed("--since", "7d", "a") == "12"
    assert listed("--since", yesterday) == "12"


@pytest.mark.portable("what is listed is decided from the records alone")
def test_since_narrows_the_numbers_too(cli: Cli, store: Store, tmp_path: Path) -> None:
    """A script that failed long ago has done well lately."""
    keep(store, "1" * 13, tmp_path, Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path, Outcome.FAILURE, ago=timedelta(days=9))

    assert " 50%" in cli("history", "--stats").stdout
    assert " 100%" in cli("history", "--stats", "--since", "7d").stdout


def test_since_says_what_it_expects(cli: Cli) -> None:
    """A wrong time is a usage error with examples."""
    done = cli("history", "--since", "soon")

    assert done.returncode == 2
    assert "7d or 12h" in done.stderr


@pytest.mark.parametrize("text", ["", "0d", "-1d", "7w", "2026-13-01", "7"])
def test_since_is_a_duration_or_a_date(text: str) -> None:
    """Nothing else is guessed at, and no length of time is too much."""
    with pytest.raises(click.BadParameter):
        parse_since(text, TODAY)


def test_since_a_date_is_since_its_first_local_moment() -> None:
    """A duration counts back from now, a date begins at midnight here."""
    midnight = parse_since("2026-11-24", TODAY)

    assert midnight == datetime(2026, 11, 24).astimezone()
    assert parse_since("1.5h", TODAY) == TODAY - timedelta(minutes=90)


@pytest.mark.portable("what is listed is decided from the records alone")
def test_history_is_of_the_workspace_where_there_is_one(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """python-runner.toml of the current folder names the projects; else it is all."""
    keep(store, "1" * 13, tmp_path / "mine", Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path / "other", Outcome.SUCCESS)
    assert cli("history").stdout.count("2222222222222") == 1

    (tmp_path / "python-runner.toml").write_text('projects = ["mine"]', "utf-8")

    assert "1" * 13 in cli("history").stdout
    assert "2" * 13 not in cli("history").stdout
    assert "2" * 13 in cli("history", "other").stdout


def test_history_of_nothing_says_so(cli: Cli) -> None:
    """People get a sentence, programs an empty list; both are no failure."""
    assert cli("history").stdout == "No runs are recorded; run `python-runner run`.\n"
    assert "--failed" in cli("history", "--failed").stdout
    assert json.loads(cli("history", "--json").stdout) == {"runs": []}


def test_history_of_an_unknown_project_says_what_to_do(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """A folder that never ran and one that is not there are told apart."""
    keep(store, "1" * 13, tmp_path / "gone", Outcome.SUCCESS)
    (tmp_path / "new").mkdir()

    new, nowhere = cli("history", "new"), cli("history", "nowhere")

    assert new.returncode == 0
    assert f"No runs of {tmp_path / 'new'} are recorded" in new.stdout
    assert nowhere.returncode == 2
    assert f"{tmp_path / 'nowhere'} is not a folder" in nowhere.stderr
    assert "1" * 13 in cli("history", "gone").stdout


@pytest.mark.portable("what is listed is decided from the records alone")
def test_a_run_that_never_began_has_no_numbers(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Without scripts there is one table only."""
    keep(store, "1" * 13, tmp_path)

    assert len(cli("history", "--stats").stdout.splitlines()) == 2


def test_a_running_run_is_listed_and_named_by_show(cli: Cli, patient: Path) -> None:
    """It comes first, as running; show says how to look at it."""
    row = cli("history", patient).stdout.splitlines()[1]
    run_id = row.split()[0]
    shown = cli("show", run_id)

    assert re.search(r" project_1  running +0/2 +[0-9.]+ s$", row)
    assert "No run matches" in cli("history", "--failed").stdout
    [known] = json.loads(cli("history", "--json").stdout)["runs"]
    assert (known["run_id"], known["status"]) == (run_id, "running")
    assert known["duration_seconds"] is None
    assert [s["status"] for s in known["scripts"]] == ["running", "planned"]
    assert [s["success"] for s in known["scripts"]] == [None, None]
    assert shown.returncode == 0
    assert f"output --follow {run_id}" in shown.stdout
    assert re.search(r">  slow.py +running\n  ○  last.py +planned\n", shown.stdout)
    assert json.loads(cli("show", "--json").stdout)["runs"] == [known]


def test_a_run_whose_runner_was_killed_is_listed_as_interrupted(
    cli: Cli, orphaned: Path
) -> None:
    """Nobody has settled it yet, but it does not pass for running."""
    row = cli("history", orphaned).stdout.splitlines()[1]
    [known] = json.loads(cli("history", "--failed", "--json").stdout)["runs"]

    assert re.search(r" project_1  interrupted +1/3$", row)
    assert known["status"] == "interrupted"
    assert [s["status"] for s in known["scripts"]] == [
        *("success", "interrupted", "skipped")
    ]


def test_a_machine_that_was_renamed_still_knows_its_runner(
    cli: Cli, store: Store, shielded: Path, tmp_path: Path
) -> None:
    """The state folder is on a local disk: the process decides, not the host's name."""
    store.begin_run(
        OpenRun(
            run_id="1" * 13,
            project="p",
            path=tmp_path,
            started_at=TODAY,
            scripts=(OpenScript(script="a.py", number=1),),
        )
    )
    holder = Holder(
        pid=os.getpid(),
        host="elsewhere",
        run_id="1" * 13,
        started_at=TODAY,
        process_start=process_start(os.getpid()),
    )
    with project_lock(shielded, tmp_path) as lock:
        lock.acquire(holder, wait=False)
        held = cli("history").stdout

    assert "  running  " in held
    assert "  interrupted  " in cli("history").stdout


def test_open_runs_stand_in_their_place(cli: Cli, store: Store, tmp_path: Path) -> None:
    """What was recorded last comes first, ended or not, whatever its clock said."""
    for number in reversed(range(4)):
        ago = timedelta(hours=(3 * number) % 4)
        run_id, path = str(number) * 13, tmp_path / "p"
        if number % 2:
            begun = OpenRun(
                run_id=run_id, project="p", path=path, started_at=TODAY - ago
            )
            store.begin_run(begun)
        else:
            keep(store, run_id, path, Outcome.SUCCESS, ago=ago)

    def listed(*arguments: object) -> str:
        lines = cli("history", *arguments).stdout.splitlines()[1:]
        document = json.loads(cli("history", "--json", *arguments).stdout)
        listed = "".join(line[0] for line in lines)
        assert listed == "".join(run["run_id"][0] for run in document["runs"])
        return listed

    assert listed() == "0123"
    assert listed("--limit", 3) == "012"
    assert listed("--since", "150m") == "023"
    # Their runner is gone.
    assert listed("--failed") == "13"


def test_damaged_records_are_told(cli: Cli, shielded: Path) -> None:
    """Whoever reads an empty history must know why it is empty."""
    shielded.mkdir()
    (shielded / DATABASE_NAME).write_bytes(b"no database " * 1000)

    done = cli("history")

    assert done.returncode == 0
    assert "damaged" in done.stderr


def test_history_says_why_a_run_failed(cli: Cli, make_project: MakeProject) -> None:
    """The first failure with its place, and how many more there are."""
    folder = make_project(
        sources={
            "a.py": "def load():\n    raise KeyError('client')\n\nload()",
            "b.py": "raise SystemExit(3)",
            "c.py": "pass",
        }
    )
    cli("run", "-q", folder)
    assert "  a.py: KeyError: 'client' (a.py:2) (+1)\n" in cli("history").stdout

    (folder / "exec_config.json").write_text("{", encoding="utf-8")
    good = make_project("good", {"c.py": "pass"})
    cli("run", "-q", good)
    assert cli("history", good).stdout.splitlines()[1].endswith(" s")


def test_short_ids_are_unique(store: Store, tmp_path: Path) -> None:
    """An id is shown as far as it differs from all others, and seven characters at least."""
    ids = ["abcdef0111111", "abcdef0122222", "abcdef0222222", "1234567890abc"]
    for run_id in ids:
        keep(store, run_id, tmp_path, Outcome.SUCCESS)

    short = store.short_ids(ids)

    assert [*short.values()] == ["abcdef011", "abcdef012", "abcdef02", "1234567"]
    for run_id, prefix in short.items():
        assert store.run_ids(prefix, 2) == [run_id]


@pytest.mark.portable("the same records everywhere")
@pytest.mark.parametrize("page", [1, 2, 3, 100])
@pytest.mark.parametrize("limit", [1, 5, 9, 100])
def test_open_runs_stand_among_those_that_ended(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, page: int, limit: int
) -> None:
    """However many are read at a time, each once, the last recorded first."""
    monkeypatch.setattr("python_runner.records.store._READ_AT_ONCE", page)
    for number, kind in enumerate("oeeoeooee"):
        run_id, path = str(number) * 13, tmp_path / "p"
        if kind == "o":
            store.begin_run(
                OpenRun(run_id=run_id, project="p", path=path, started_at=TODAY)
            )
        else:
            keep(store, run_id, path, Outcome.SUCCESS)

    found = known_runs(store, tmp_path, limit=limit)

    assert "".join(run.facts.run_id[0] for run in found) == "876543210"[:limit]
