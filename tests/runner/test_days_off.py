"""A run on a day on which its project does not run: nothing, and nobody is told."""

from __future__ import annotations

import json
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli, MakeProject


@pytest.fixture
def closed(make_project: MakeProject) -> Path:
    """Return a project that does not run these days, though its interpreter is gone."""
    folder = make_project(
        sources={"a.py": "open('ran', 'w')"},
        not_on=["closed.ics"],
        email_strategy="all",
        recipients=["ann@example.org"],
    )
    begin, end = date.today() - timedelta(7), date.today() + timedelta(7)  # noqa: DTZ011
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT"]
    lines += ["UID:1@example.org", "SUMMARY:Stock-taking"]
    lines += [f"DTSTART;VALUE=DATE:{begin:%Y%m%d}", f"DTEND;VALUE=DATE:{end:%Y%m%d}"]
    lines += ["END:VEVENT", "END:VCALENDAR", ""]
    (folder / "closed.ics").write_bytes("\r\n".join(lines).encode())
    return folder


def test_nothing_runs_and_nobody_is_told(closed: Path, cli: Cli) -> None:
    """Exit code 0, a line in the log and in the history; no mail, even without settings."""
    done = cli("run", "--json", closed)

    assert done.returncode == 0
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["status"], run["mail"]) == ("skipped", "none")
    assert run["error"] == "Stock-taking (closed.ics)"
    assert not (closed / "ran").exists()
    (line,) = (closed / "logs" / f"{closed.name}.log").read_text().splitlines()
    assert line.endswith(" - * - skipped - Stock-taking (closed.ics)")
    assert cli("run", "--quiet", closed).stderr == ""
    (past, _first) = json.loads(cli("history", "--json", closed).stdout)["runs"]
    assert (past["status"], past["error"]) == ("skipped", "Stock-taking (closed.ics)")


def test_it_runs_on_any_day_when_asked_to(closed: Path, cli: Cli) -> None:
    """``--any-day`` runs it, and ``--dry-run`` says what would be skipped."""
    plan = cli("run", "--dry-run", closed).stdout
    assert f"{closed.name}: skipped today: Stock-taking (closed.ics)" in plan
    assert "skipped" not in cli("run", "--dry-run", "--any-day", closed).stdout

    assert cli("run", "--any-day", "--no-mail", closed).returncode == 0
    assert (closed / "ran").exists()


def test_what_cannot_be_asked_excludes_no_day(closed: Path, cli: Cli) -> None:
    """Without the file the scripts run; the run and ``check`` say so."""
    (closed / "closed.ics").unlink()
    done = cli("run", "--no-mail", closed)
    assert done.returncode == 0
    assert (closed / "ran").exists()
    assert "exec_config.json: not_on[0]: " in done.stderr
    assert "not_on[0]: " in cli("check", closed).stderr


def test_a_day_that_means_nothing_is_an_error(
    closed: Path, make_project: MakeProject, cli: Cli
) -> None:
    """Nobody finds out in July that a holiday was misspelt in May."""
    make_project(scripts=["a.py"], not_on=["weekend", "hollidays:FR"])
    done = cli("run", "--no-mail", closed)
    assert done.returncode == 2
    assert "not_on[1]: hollidays:FR is not known" in done.stderr
