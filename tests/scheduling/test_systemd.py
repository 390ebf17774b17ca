from __future__ import annotations

import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from python_runner.scheduling.entries import Job, Purpose, SchedulerError
from python_runner.scheduling.systemd import Systemd
from python_runner.scheduling.units import make_units, read_units, unit_problem
from tests.scheduling.hostile import EXPRESSIONS, NAMES
from tests.servers.schedulers import program, require
from tests.support import wait_until


pytestmark = pytest.mark.posix


def job(folder: Path, expression: str = "0 6 * * *") -> Job:
    """Return a job whose program, project, folder and variable are below a folder."""
    return Job(
        purpose=Purpose.RUN,
        project=folder,
        expression=expression,
        command=(str(folder / "python-runner"), "run", str(folder)),
        folder=folder,
        variables={"PYTHON_RUNNER_HOME": str(folder)},
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_comes_back_from_units(name: str) -> None:
    """Quotes, per cent signs, dollars: what is written is what is read."""
    wanted = job(Path("/srv") / name)
    assert unit_problem(wanted) is None
    assert read_units(make_units(wanted)) == wanted


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_the_times_of_an_edited_timer_are_not_those_of_its_expression(
    expression: str,
) -> None:
    """As it was written it tells the expression; no other times go by its name."""
    wanted = job(Path("/srv/p"), expression)
    units = make_units(wanted)
    assert read_units(units) == wanted
    for timer in (
        re.sub("OnCalendar=.*", "OnCalendar=*-*-* 07:01:00", units.timer),
        f"{units.timer}[Timer]\nOnCalendar=*-*-* 07:01:00\n",
        re.sub("OnCalendar=.*\n", "", units.timer),
        re.sub("Expression=.*", "Expression=99 x", units.timer),
    ):
        edited = read_units(replace(units, timer=timer))
        assert edited == replace(wanted, expression=None)


@pytest.mark.parametrize("name", ["a\nb", "end ", "end\\", "half \udc80"])
def test_a_path_that_no_unit_can_hold_is_refused(name: str) -> None:
    """Systemd would cut it, or join it with the next line."""
    assert "cannot contain" in str(unit_problem(job(Path("/srv") / name)))


@pytest.mark.slow
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    """Its own program checks the units of each expression and each name."""
    require("systemd-analyze")
    jobs = [job(tmp_path / f"e{n}", text) for n, text in enumerate(EXPRESSIONS)]
    jobs += [job(tmp_path / name) for name in NAMES]
    units = tmp_path / "units"
    units.mkdir()
    for wanted in jobs:
        assert wanted.folder is not None
        wanted.folder.mkdir()
        program(wanted.folder / "python-runner", "#!/bin/sh\n")
        made = make_units(wanted)
        (units / f"{wanted.name}.timer").write_text(made.timer, "utf-8")
        (units / f"{wanted.name}.service").write_text(made.service, "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *sorted(units.glob("*"))],
        capture_output=True,
        text=True,
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "python-runner" not in done.stderr


@pytest.mark.slow
def test_a_real_manager_starts_what_is_meant(
    user_manager: Path, tmp_path: Path
) -> None:
    """The timer runs, the service starts the program with its arguments; nothing stays."""
    systemd = Systemd()
    assert systemd.unavailable() is None
    assert systemd.entries() == ()
    foreign = user_manager / "backup.timer"
    user_manager.mkdir(parents=True)
    foreign.write_text("[Timer]\nOnCalendar=daily\n", "utf-8")
    folders = [tmp_path / name for name in NAMES]
    for folder in folders:
        folder.mkdir()
        program(
            folder / "python-runner",
            '#!/bin/sh\nprintf "%s\\n" "$PWD" "$PYTHON_RUNNER_HOME" "$@" >told\nexit 3\n',
        )
    jobs = [job(folder) for folder in folders]

    systemd.change(jobs, ())

    entries = {entry.job.key: entry for entry in systemd.entries()}
    assert all(systemd.is_same(entries[wanted.key], wanted) for wanted in jobs)
    assert all(entry.own and entry.enabled for entry in entries.values())
    services = [f"{wanted.name}.service" for wanted in jobs]
    subprocess.run(
        ["systemctl", "--user", "start", *services], capture_output=True, check=False
    )
    for folder in folders:
        wait_until((folder / "told").exists)
        told = (folder / "told").read_text("utf-8").splitlines()
        assert told == [str(folder), str(folder), "run", str(folder)]
    ended = systemd.entries()
    assert {entry.last_result for entry in ended} == {3}
    assert all(entry.last_run for entry in ended)

    systemd.change((), ended)

    assert systemd.entries() == ()
    left = [path for path in user_manager.rglob("*") if path.is_file()]
    assert left == [foreign]
    names = [
        "systemctl",
        "--user",
        "list-units",
        "--all",
        "--no-legend",
        "python-runner*",
    ]
    assert subprocess.run(names, capture_output=True, check=True).stdout == b""


@pytest.mark.slow
def test_what_systemd_refuses_is_told(user_manager: Path, programs: Path) -> None:
    """The sentence holds the command and the answer."""
    systemd = Systemd()
    assert user_manager is not None
    program(programs / "systemctl", "#!/bin/sh\necho no such manager >&2\nexit 1\n")
    with pytest.raises(SchedulerError, match="no such manager"):
        systemd.change([job(Path("/srv/p"))], ())


def test_a_missing_manager_is_told(programs: Path) -> None:
    """Without a session of the user nothing would ever start the timers."""
    program(programs / "systemctl", "#!/bin/sh\necho offline\nexit 1\n")
    assert "offline" in str(Systemd().unavailable())
