from __future__ import annotations

import json
import re
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome
from tests.cli.terminal import on_terminal
from tests.support import Cli, MakeProject, keep, mails


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store

pytestmark = pytest.mark.portable("what is told is decided from the records alone")

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
OK, BAD = Outcome.SUCCESS, Outcome.FAILURE


@pytest.fixture
def projects(tmp_path: Path, make_project: MakeProject, store: Store) -> list[Path]:
    """Return three projects of python-runner.toml: one failed, one is well, one is gone."""
    readers = {"recipients": ["ann@example.org"], "email_strategy": "failure_only"}
    bad = make_project(
        "bad", **readers | {"recipients": ["ann@example.org", "bob@example.org"]}
    )
    good = make_project("good", **readers)
    keep(store, "a" * 13, bad, OK, ago=2 * DAY)
    keep(store, "b" * 13, bad, OK, BAD, ago=HOUR)
    keep(store, "c" * 13, good, OK, ago=HOUR)
    keep(store, "d" * 13, good, OK, ago=3 * DAY, duration=90.0)
    (tmp_path / "python-runner.toml").write_text(
        'projects = ["good", "bad", "gone"]\n', encoding="utf-8"
    )
    return [bad, good, tmp_path / "gone"]


def test_the_verdict_comes_first_then_the_failures(
    cli: Cli, projects: list[Path]
) -> None:
    """It is a report: the exit code is 0, whatever it says."""
    done = cli("digest")
    first, _space, heading, *lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(
        r"1 of 3 projects failed, 1 cannot be run: 2 runs since yesterday \d\d:\d\d\.",
        first,
    )
    assert re.split(" {2,}", heading) == [
        "project",
        "status",
        "runs",
        "failed",
        "reason",
    ]
    assert re.split(" {2,}", lines[0])[:4] == ["bad", "failed", "1", "1"]
    assert lines[0].endswith("2.py: failed")
    assert re.search(r"since .*\d\d:\d\d: 1 run", lines[1])
    assert lines[2].startswith("gone")
    assert str(projects[2]) in lines[2]
    assert lines[-1] == "all well: good (1 run)"


def test_a_week_has_totals(cli: Cli, projects: list[Path]) -> None:
    """Counts of its own, and the scripts that stand out."""
    done = cli("digest", "--since", "7d", *projects[:2])

    assert "4 runs since" in done.stdout
    assert "Scripts that failed most\n  bad, 2.py: 1 of 1 runs failed" in done.stdout
    assert "good, 1.py: 45.5 s on average, 1 min 30 s at most" in done.stdout


def test_an_empty_day_is_one_line(cli: Cli, projects: list[Path]) -> None:
    """Nothing but the verdict."""
    done = cli("digest", projects[1])
    assert re.fullmatch(
        r"1 project, all well: 1 run since yesterday \d\d:\d\d\.\n", done.stdout
    )


@pytest.mark.usefixtures("projects")
def test_programs_get_one_document(cli: Cli) -> None:
    """Words of programs and times with an offset, in every language."""
    document = json.loads(cli("digest", "--json", LANGUAGE="fr").stdout)

    assert document["all_well"] is False
    assert document["counts"] == {
        "projects": 3,
        "runs": 2,
        "failed": 1,
        "unusual": 0,
        "silent": 0,
        "broken": 1,
        "never_ran": 0,
        "recovered": 0,
    }
    bad, gone, good = document["projects"]
    assert [p["standing"] for p in (bad, gone, good)] == ["failed", "broken", "well"]
    assert (bad["runs_in_a_row"], bad["last"]["script"]) == (1, "2.py")
    assert bad["last"]["run_id"] == "b" * 13
    assert gone["problem"]
    assert document["since"] < document["until"]


@pytest.mark.usefixtures("projects")
def test_a_page_is_written(cli: Cli, tmp_path: Path) -> None:
    """The same as the mail's; the terminal has the verdict."""
    done = cli("digest", "--html", tmp_path / "digest.html")
    page = (tmp_path / "digest.html").read_text(encoding="utf-8")

    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert "1 of 3 projects failed" in page
    assert "all well: good" in page
    assert cli("digest", "--html", tmp_path / "no" / "digest.html").returncode == 2


@pytest.mark.usefixtures("projects")
def test_each_reader_gets_a_mail_once(cli: Cli, mail_dir: Path, store: Store) -> None:
    """Of the own projects; a second command a moment later sends nothing."""
    done = cli("digest", "--mail")
    again = cli("digest", "--mail")

    assert (done.returncode, again.returncode) == (0, 0)
    assert "less than 10 min ago" in again.stderr
    to_ann, to_bob = sorted(mails(mail_dir), key=lambda mail: str(mail["To"]))
    assert (to_ann["To"], to_bob["To"]) == ("ann@example.org", "bob@example.org")
    assert "1 of 3 projects failed, 1 cannot be run" in to_ann["Subject"]
    assert "1 of 2 projects failed, 1 cannot be run" in to_bob["Subject"]
    assert "ann@example.org" in done.stderr

    listed = cli("mail", "list", "--all").stdout
    assert "digest  Python Runner: 1 of 3 projects failed" in listed
    assert cli("history").stdout.count("\n") == 5
    assert store.messages.waiting() == 0

    # The next one begins where this one ended; asked for, it is the same one again.
    assert "no runs since" in cli("digest").stdout
    assert "4 runs since" in cli("digest", "--since", "7d").stdout
    assert cli("digest", "--mail", "--again").returncode == 0
    assert len(mails(mail_dir)) == 4
    assert "2 runs since" in cli("digest", "--mail", "--again").stdout


@pytest.mark.usefixtures("projects")
def test_a_server_that_is_down_keeps_the_digest_queued(
    cli: Cli, free_port: int, store: Store
) -> None:
    """It waits in the outbox like any report, and is told of by the next one."""
    variables = {
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(free_port),
        "SMTP_SECURITY": "none",
    }
    done = cli("digest", "--mail", **variables)

    assert done.returncode == 0
    assert "it waits in the outbox" in done.stderr
    assert store.messages.waiting() == 2
    assert "2 reports are waiting" in cli("digest").stdout
    assert "digest" in cli("mail", "show", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--since", "soon"], "expected a duration"),
        (["--since", "2100-01-01"], "not in the past"),
        (["--again"], "`--again` needs `--mail`"),
        (["--mail"], "MAIL_FROM"),
        (["--mail", "gone"], "nobody is to get the digest"),
        (["--html", ""], "expected the name of a file"),
    ],
)
def test_a_mistake_of_usage_is_2(
    arguments: list[str], told: str, cli: Cli, projects: list[Path], store: Store
) -> None:
    """Nothing is sent, and nothing remembered."""
    done = cli("digest", *arguments)
    assert done.returncode == 2
    assert told in done.stderr.replace("LOGIN_MAIL", "MAIL_FROM")
    assert store.digests.last(projects, "") == {}


def test_without_projects_there_is_nothing_to_tell(cli: Cli) -> None:
    """It is no error: a scheduler may come before the first run."""
    done = cli("digest")
    assert (done.returncode, done.stdout) == (
        0,
        "No runs are recorded; run `python-runner run`.\n",
    )


@pytest.mark.skipif(sys.platform == "win32", reason="a pseudo-terminal of POSIX")
def test_a_terminal_of_80_columns_holds_it(
    projects: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In colours, no line beyond the edge."""
    monkeypatch.chdir(projects[0].parent)
    _code, text = on_terminal("digest", COLUMNS="80")
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert "\x1b[31m" in text
    assert max(len(line.rstrip()) for line in plain.splitlines()) <= 80
