from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Message, OpenRun, OpenScript, Outcome, Run, RunStatus
from tests.support import (
    BAD,
    GOOD,
    TODAY,
    Cli,
    MakeProject,
    keep,
    last_run_id,
    started,
    wait_until,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store

pytestmark = pytest.mark.portable("what is told is decided from the records alone")


def rows(text: str) -> list[list[str]]:
    """Return the cells of a table that is not for a terminal."""
    return [re.split(" {2,}", line) for line in text.splitlines()]


def moment(ago: timedelta) -> str:
    """Return a time before the tests began as people read it."""
    return f"{(TODAY - ago).astimezone():%Y-%m-%d %H:%M:%S}"


def a_run(run_id: str, path: Path, status: RunStatus, ago: timedelta) -> Run:
    """Return a run without scripts."""
    return Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=status,
        started_at=TODAY - ago,
        duration=1.0,
    )


def test_a_project_is_one_line(cli: Cli, store: Store, tmp_path: Path) -> None:
    """Its last outcome and why, since when, and how long it takes usually."""
    good, bad = tmp_path / "good", tmp_path / "bad"
    for hours in range(9, 1, -1):
        ago = timedelta(hours=hours)
        keep(store, f"{hours:013x}", good, Outcome.SUCCESS, ago=ago, duration=hours)
        outcome = Outcome.FAILURE if hours < 5 else Outcome.SUCCESS
        keep(store, f"{hours + 90:013x}", bad, Outcome.SUCCESS, outcome, ago=ago)
    # Another run was active: this says nothing about the project.
    skipped = a_run("f" * 13, bad, RunStatus.SKIPPED, timedelta(hours=1))
    store.end_run(skipped, [], TODAY)

    done = cli("status")
    heading, *lines = rows(done.stdout)

    assert done.returncode == 0
    assert heading == [
        *("project", "status", "last run", "since", "usual", "now", "email", "reason")
    ]
    four, two, nine = (moment(timedelta(hours=h)) for h in (4, 2, 9))
    assert lines == [
        ["bad", "failed", two, f"{four} (3 runs)", "2.0 s", "2.py: failed"],
        ["good", "succeeded", two, f"{nine} (8 runs)", "5.0 s"],
    ]


def test_one_outcome_alone_is_no_streak(cli: Cli, store: Store, tmp_path: Path) -> None:
    """A new failure, one run alone, and none at all."""
    (tmp_path / "new").mkdir()
    keep(store, "1" * 13, tmp_path / "p", Outcome.SUCCESS, ago=timedelta(hours=2))
    keep(store, "2" * 13, tmp_path / "p", Outcome.TIMEOUT, ago=timedelta(hours=1))

    _heading, first, second = rows(cli("status", "p", "new").stdout)

    assert first[:4] == ["p", "failed", moment(timedelta(hours=1)), "-"]
    assert second == ["new", "never ran", "-", "-"]


def test_what_runs_now_is_told(cli: Cli, patient: Path) -> None:
    """The script and for how long; the last outcome stays beside it."""
    line = cli("status", patient).stdout.splitlines()[1]
    [project] = json.loads(cli("status", "--json", patient).stdout)["projects"]

    assert re.fullmatch(r"project_1  - +- +- +slow\.py, \d+\.\d+ s", line)
    assert project["status"] is None
    assert project["running"]["run_id"] == last_run_id()
    assert project["running"]["scripts"] == ["slow.py"]


def test_a_run_whose_runner_died_counts(cli: Cli, store: Store, tmp_path: Path) -> None:
    """It is the last outcome before any later run has closed it."""
    keep(store, "1" * 13, tmp_path / "p", Outcome.FAILURE, ago=timedelta(hours=2))
    store.begin_run(
        OpenRun(
            run_id="2" * 13,
            project="p",
            path=tmp_path / "p",
            started_at=TODAY,
            scripts=(OpenScript(script="a.py", number=1),),
        )
    )

    [project] = json.loads(cli("status", "--json", "p").stdout)["projects"]

    assert (project["status"], project["run_id"]) == ("interrupted", "2" * 13)
    assert project["runs_in_a_row"] == 2
    assert project["since"] == (TODAY - timedelta(hours=2)).astimezone().isoformat()
    assert project["running"] is None


def test_mail_that_waits_is_counted(
    cli: Cli, store: Store, tmp_path: Path, message: Message
) -> None:
    """Per project; nothing is said where nothing waits."""
    for name, reports in (("p", [message]), ("q", [])):
        run = a_run(
            name.replace("p", "a").replace("q", "b") * 13,
            tmp_path / name,
            RunStatus.SUCCESS,
            timedelta(),
        )
        store.end_run(run, reports, TODAY)

    first, second = rows(cli("status").stdout)[1:]

    assert first[-1] == "1 waiting"
    assert "waiting" not in second[-1]


def test_the_reason_is_that_of_history(cli: Cli, make_project: MakeProject) -> None:
    """The script that failed first, its exception and place, in the document too."""
    folder = make_project(sources={"a.py": GOOD, "bad.py": BAD})
    cli("run", "-q", folder)

    assert cli("status").stdout.endswith("  bad.py: KeyError: 'montant' (bad.py:2)\n")
    [project] = json.loads(cli("status", "--json").stdout)["projects"]
    assert project["script"] == "bad.py"
    assert project["exception"] == "KeyError: 'montant'"
    assert project["place"] == "bad.py:2"
    assert project["mail_waiting"] == 0


def test_which_projects_are_told(cli: Cli, store: Store, tmp_path: Path) -> None:
    """Those that are named, else those of python-runner.toml, else all that ran."""
    assert "No runs are recorded" in cli("status").stdout
    assert json.loads(cli("status", "--json").stdout) == {"projects": []}
    keep(store, "1" * 13, tmp_path / "mine", Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path / "other", Outcome.SUCCESS)

    def told(*arguments: object) -> list[str]:
        return [row[0] for row in rows(cli("status", *arguments).stdout)[1:]]

    assert told() == ["mine", "other"]
    (tmp_path / "python-runner.toml").write_text('projects = ["mine"]', "utf-8")
    assert told() == ["mine"]
    assert told("other") == ["other"]
    done = cli("status", "nowhere", "other")
    assert done.returncode == 2
    assert f"{tmp_path / 'nowhere'} is not a folder" in done.stderr
    assert rows(done.stdout)[1][0] == "other"


def test_a_script_between_two_attempts_waits(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """``status`` and ``show`` say so, and until when: it does not run."""
    folder = make_project(
        sources={"busy.py": BAD, "z.py": GOOD}, retries=1, retry_delay="1h"
    )

    def waits() -> bool:
        return "next attempt at " in cli("status", folder).stdout

    with started(tmp_path, "run", folder):
        wait_until(waits)
        status, shown = (cli(name, folder).stdout for name in ("status", "show"))
        french = cli("show", folder, LANGUAGE="fr").stdout

    assert re.search(r"busy\.py, next attempt at .*\d\d:\d\d:\d\d", status)
    assert re.search(r"busy\.py +waiting +next attempt at .*\d\d:\d\d:\d\d", shown)
    assert re.search(r"busy\.py +en attente +prochaine tentative à .*\d\d:\d\d", french)
