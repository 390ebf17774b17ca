"""The dashboard as the system's schedulers start it: with the session, and for as long."""

from __future__ import annotations

import os
import subprocess
from datetime import datetime
from pathlib import Path

import pytest

from python_runner.scheduling.crontab import line_problem
from python_runner.scheduling.entries import Job, Purpose
from python_runner.scheduling.jobs import Place, serve_job
from python_runner.scheduling.systemd import Systemd
from python_runner.scheduling.task_xml import (
    job_of_task,
    make_xml,
    read_xml,
    task_problem,
)
from python_runner.scheduling.units import is_own, make_units, read_units, unit_problem
from tests.scheduling.hostile import NAMES
from tests.servers.schedulers import program, require


pytestmark = pytest.mark.posix


def job(folder: Path, *options: str) -> Job:
    """Return the job that serves the projects of a folder."""
    place = Place(
        command=(str(folder / "python-runner"),),
        folder=folder,
        env_file=None,
        variables={"PYTHON_RUNNER_HOME": str(folder)},
    )
    return serve_job(place, options, [folder / "one"])


@pytest.mark.parametrize("name", NAMES)
def test_a_dashboard_of_any_folder_comes_back_from_its_unit(name: str) -> None:
    """A service without a timer, which is started again where it fails."""
    wanted = job(Path("/srv") / name, "--port", "9000")
    units = make_units(wanted)
    assert unit_problem(wanted) is None
    assert units.timer == ""
    assert is_own(units.service)
    assert read_units(units) == wanted
    assert "Restart=on-failure" in units.service
    assert "WantedBy=default.target" in units.service


def test_a_dashboard_comes_back_from_its_task() -> None:
    """A task at the logon of this account alone, which may go on for ever."""
    wanted = job(Path("/srv/a b"), "--port", "9000")
    text = make_xml(wanted, "PC\\ann", "interactive", datetime(2026, 11, 26))  # noqa: DTZ001
    task = read_xml(text)
    assert task_problem(wanted) is None
    assert task is not None
    found = job_of_task(task)
    assert found is not None
    assert (found.purpose, found.expression) == (Purpose.SERVE, None)
    assert (found.command, found.folder) == (wanted.command, wanted.folder)
    assert "<LogonTrigger>" in text
    assert "<UserId>PC\\ann</UserId>" in text
    assert "<ExecutionTimeLimit>PT0S</ExecutionTimeLimit>" in text
    assert "CalendarTrigger" not in text


def test_a_task_is_the_same_whatever_windows_calls_the_account() -> None:
    """It may write the number of an account in the place of its name."""
    text = make_xml(job(Path("/srv")), "PC\\ann", "interactive", datetime(2026, 1, 1))  # noqa: DTZ001
    task, other = read_xml(text), read_xml(text.replace("PC\\ann", "S-1-5-21-1-2-3"))
    assert task is not None
    assert other is not None
    assert task.does_the_same(other, "utf-8")


def test_cron_says_what_to_do_instead() -> None:
    """It starts nothing again; the line that starts it once is in the sentence."""
    words = str(line_problem(job(Path("/srv/p"))))
    assert "@reboot cd /srv/p && " in words
    assert "crontab -e" in words


@pytest.mark.slow
def test_systemd_finds_nothing_wrong_with_the_service(tmp_path: Path) -> None:
    """Its own program checks the unit of each name."""
    require("systemd-analyze")
    units = tmp_path / "units"
    units.mkdir()
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        program(folder / "python-runner", "#!/bin/sh\n")
        wanted = job(folder)
        (units / f"{wanted.name}.service").write_text(
            make_units(wanted).service, "utf-8"
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *sorted(units.glob("*"))],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "python-runner" not in done.stderr


def test_a_service_that_a_timer_starts_is_no_dashboard(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each unit is one entry, and a person's own is not ours."""
    program(programs / "systemctl", "#!/bin/sh\n")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    folder = tmp_path / "systemd/user"
    folder.mkdir(parents=True)
    own = job(Path("/srv/p"))
    (folder / f"{own.name}.service").write_text(make_units(own).service, "utf-8")
    (folder / "mine.service").write_text(
        "[Service]\nExecStart=/usr/bin/python-runner serve --port 80\n", "utf-8"
    )
    (folder / "other.service").write_text("[Service]\nExecStart=/bin/true\n", "utf-8")
    (folder / "run.service").write_text(
        "[Service]\nExecStart=/usr/bin/python-runner run /srv/p\n", "utf-8"
    )

    found = {entry.name: entry for entry in Systemd().entries()}

    assert found.keys() == {own.name, "mine"}
    assert found[own.name].own
    assert not found["mine"].own
    assert found[own.name].job == own
