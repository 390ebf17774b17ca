from __future__ import annotations

import json
import os
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.config.project import load_project
from python_runner.installation import scheduled_command
from python_runner.runner.context import schedule_terms
from tests.servers.schedulers import program


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store
    from tests.support import MakeProject

pytestmark = [pytest.mark.posix, pytest.mark.slow]

FOREIGN = "MAILTO=ann@example.org\n# my own\n0 1 * * *  backup 100\\% # nightly\n"


@pytest.fixture
def workspace(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a folder with three projects, one of them without a schedule."""
    make_project(
        "Clôture d'été 50%",
        schedule="0 6 * * 1-5",
        recipients=["a@b.fr"],
        email_strategy="all",
    )
    make_project("monthly", schedule="30 4 1 * *")
    make_project("by hand")
    (tmp_path / "python-runner.toml").write_text(
        'projects = ["Clôture d\'été 50%", "monthly", "by hand"]\n', "utf-8"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def schedule(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command; return its exit code and all that it printed."""
    code = run_app(["schedule", *arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def lines(crontab: Path) -> list[str]:
    """Return the lines of the crontab, without what cron itself writes above them."""
    text = crontab.read_text("utf-8") if crontab.exists() else ""
    return [
        line
        for line in text.splitlines()
        if not line.startswith("# (") and not line.startswith("# DO NOT")
    ]


def test_projects_are_installed_each_at_its_own_time(
    crontab: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A second time nothing changes; in the end nothing is left, and others' lines are."""
    (workspace / "own").write_text(FOREIGN, "utf-8")
    assert os.system("crontab own") == 0  # noqa: S605
    before = lines(crontab)

    code, text = schedule(capsys, "install", "--yes")

    assert code == 0, text
    assert "working days at 06:00" in text
    assert "by hand has no key `schedule`" in text
    installed = lines(crontab)
    assert installed[: len(before)] == before
    mine = installed[len(before) :]
    assert [line.split(" cd ")[0] for line in mine] == [
        "0 6 * * 1-5",
        "30 4 1 * *",
        "*/10 * * * *",
    ]
    assert all(str(scheduled_command()[0]) in line for line in mine)
    assert all(line in text for line in mine)

    code, text = schedule(capsys, "install", "--yes")
    assert code == 0
    assert text.count("already installed, unchanged") == 3
    assert lines(crontab) == installed

    code, text = schedule(capsys, "remove", "--yes")
    assert code == 0, text
    assert lines(crontab) == before
    assert "nothing to remove" in schedule(capsys, "remove")[1]


def test_only_what_differs_is_changed(
    crontab: Path,
    workspace: Path,
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Another time, a key that is gone, a project that cannot be read."""
    schedule(capsys, "install", "--yes")
    before = lines(crontab)
    config = workspace / "monthly/exec_config.json"
    config.write_text(config.read_text("utf-8").replace("30 4 1", "30 5 1"), "utf-8")

    code, shown = schedule(capsys, "show")
    assert "the key `schedule` says: on the 1st of each month at 05:30" in " ".join(
        shown.split()
    )
    code, text = schedule(capsys, "install", "--yes")
    assert code == 0
    assert "monthly: on the 1st of each month at 05:30: to be changed (cron)" in text
    assert lines(crontab) == [before[0], before[1].replace("30 4", "30 5"), before[2]]

    make_project("monthly")
    (workspace / "Clôture d'été 50%/exec_config.json").write_text("{", "utf-8")
    code, text = schedule(capsys, "install", "--yes")
    assert code == 2
    assert "monthly: to be removed (cron)" in text
    # What cannot be read keeps its entry.
    assert lines(crontab) == [before[0], before[2]]


def test_nothing_changes_without_a_yes(
    crontab: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a terminal nobody can be asked; a dry run only shows."""
    assert workspace.exists()
    code, text = schedule(capsys, "install")
    assert code == 2
    assert "--yes" in text
    code, text = schedule(capsys, "install", "--dry-run")
    assert code == 0
    assert "0 6 * * 1-5 cd " in text
    assert "crontab -e" in text
    assert not crontab.exists()


def test_what_a_run_needs_is_carried(
    crontab: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The state folder and the file of variables; a password is never written down."""
    monkeypatch.setenv("PYTHON_RUNNER_HOME", "relative/home")
    monkeypatch.setenv("PASSWORD_MAIL", "s3cret-pass")
    (workspace / "my.env").write_text("LOGIN_MAIL=a@b.fr\n", "utf-8")
    code, text = schedule(capsys, "install", "--yes", "--env-file", "my.env", "monthly")
    assert code == 0
    (line,) = lines(crontab)
    assert f"PYTHON_RUNNER_HOME={workspace}/relative/home" in line
    assert f"--env-file {workspace}/my.env" in line
    assert "write PASSWORD_MAIL into" in text
    assert "s3cret" not in text + line


def test_show_tells_what_is_wrong_with_entries(
    crontab: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A project or a program that is gone, a line that is switched off or made by hand."""
    schedule(capsys, "install", "--yes")
    text = "\n".join(lines(crontab))
    text = text.replace("\n30 4", "\n#30 4").replace(
        str(scheduled_command()[0]), "/gone/python-runner", 1
    )
    text += f"\n0 7 * * * python-runner run '{workspace}/gone'\n"
    (workspace / "own").write_text(text, "utf-8")
    assert os.system("crontab own") == 0  # noqa: S605

    code, shown = schedule(capsys, "show", "--json")

    assert code == 0
    rows = {row["path"] or row["purpose"]: row for row in json.loads(shown)["entries"]}
    first = rows[str(workspace / "Clôture d'été 50%")]
    assert first["notes"] == ["/gone/python-runner does not exist any more"]
    assert first["words"] == "working days at 06:00"
    assert first["due"].startswith("20")
    assert rows[str(workspace / "monthly")]["notes"] == ["switched off"]
    assert rows[str(workspace / "monthly")]["due"] is None
    assert rows[str(workspace / "by hand")]["notes"] == ["has no key `schedule`"]
    assert rows[str(workspace / "gone")]["notes"] == [
        "made by hand",
        "the project does not exist any more",
    ]
    assert rows["flush"]["notes"] == []
    monkeypatch.setenv("LANGUAGE", "fr")
    assert "les jours ouvrés à 06:00" in schedule(capsys, "show")[1]


def test_show_counts_what_was_missed_as_status_does(
    crontab: Path,
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Both say the same; records that cannot be read hide no entry."""
    assert not crontab.exists()
    folder = make_project("hourly", schedule="* * * * *")
    now = datetime.now().astimezone()
    terms = schedule_terms(load_project(folder))
    store.keep_schedule(folder, terms, now - timedelta(hours=1))

    (row,) = json.loads(schedule(capsys, "show", "--json", str(folder))[1])["entries"]
    run_app(["status", "--json", str(folder)])
    (status,) = json.loads(capsys.readouterr().out)["projects"]

    assert row["missed"]["count"] in {59, 60}
    assert row["missed"]["first"] == status["missed"]["first"]
    assert "missed" in schedule(capsys, "show", str(folder))[1]

    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(folder / "exec_config.json"))
    code, text = schedule(capsys, "show", str(folder))
    assert code == 0
    assert "not installed" in text


def test_days_off_count_for_the_next_due_time(
    crontab: Path,
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is due daily, and not at the weekend."""
    assert not crontab.exists()
    folder = make_project("p", schedule="0 6 * * 6,0,1", not_on=["weekend"])
    monkeypatch.chdir(tmp_path)
    _code, shown = schedule(capsys, "show", "--json", str(folder))
    (row,) = json.loads(shown)["entries"]
    assert row["notes"] == ["not installed"]
    from datetime import datetime  # noqa: PLC0415

    assert datetime.fromisoformat(row["due"]).weekday() == 0


def test_what_cron_cannot_do_stops_no_other_project(
    crontab: Path,
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The last day of a month is refused with a sentence; the other one is installed."""
    last, other = (
        make_project("last", schedule="0 6 L * *"),
        make_project("other", schedule="0 6 * * *"),
    )
    monkeypatch.chdir(tmp_path)
    code, text = schedule(capsys, "install", "--yes", str(last), str(other))
    assert code == 2
    assert 'last: cron does not know "L"' in text
    (line,) = lines(crontab)
    assert "other" in line


def test_a_project_moves_to_another_scheduler(
    user_manager: Path,
    programs: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """From systemd, which is the usual one here, to cron: it never runs twice."""
    program(programs / "crontab", CRONTAB_FILE.format(file=workspace / "tab"))
    code, text = schedule(capsys, "install", "--yes")
    assert code == 0, text
    assert len(list(user_manager.glob("*.timer"))) == 3
    assert "loginctl enable-linger" in text

    code, text = schedule(capsys, "install", "--yes", "--to", "cron")

    assert code == 0, text
    assert list(user_manager.glob("*.timer")) == []
    assert len((workspace / "tab").read_text("utf-8").splitlines()) == 3
    assert "(systemd)" in text


def test_a_scheduler_that_refuses_leaves_what_is_in_the_other_one(
    crontab: Path,
    programs: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A project that moves has its old entry until the new one is there."""
    assert workspace.exists()
    schedule(capsys, "install", "--yes")
    before = lines(crontab)
    program(
        programs / "systemctl",
        '#!/bin/sh\ncase "$*" in *is-system-running) echo running ;;'
        " *) echo refused >&2; exit 1 ;; esac\n",
    )

    code, text = schedule(capsys, "install", "--yes", "--to", "systemd")

    assert code == 1
    assert "refused" in text
    assert lines(crontab) == before


def test_timers_of_a_manager_that_does_not_answer_are_not_forgotten(
    crontab: Path,
    workspace: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may run all the same: a line of the crontab would start them a second time."""
    timer = workspace / "config/systemd/user/python-runner-run-monthly-0123456789.timer"
    timer.parent.mkdir(parents=True)
    timer.write_text("[Timer]\n", "utf-8")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(workspace / "config"))

    code, text = schedule(capsys, "install", "--yes")
    assert code == 1
    assert str(timer) in text
    assert not crontab.exists()
    code, text = schedule(capsys, "show")
    assert code == 1
    assert str(timer) in text
    assert "working days" in text


def test_an_entry_of_a_folder_that_has_moved_is_told(
    crontab: Path, workspace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would fail each time; one command removes it."""
    schedule(capsys, "install", "--yes")
    gone = workspace / "monthly"
    gone.rename(workspace / "moved")

    code, text = schedule(capsys, "install", "--yes", str(workspace / "moved"))
    assert code == 0
    assert f"an entry runs {gone}, which does not exist any more" in text
    assert len(lines(crontab)) == 4

    code, text = schedule(capsys, "remove", "--yes", str(gone))
    assert code == 0
    assert "does not exist any more" not in text
    assert len(lines(crontab)) == 3


#: Keeps the crontab in a file; what is asked of the real one is tested above.
CRONTAB_FILE = """#!/bin/sh
case $1 in
-l) cat "{file}" 2>/dev/null || {{ echo "no crontab for root" >&2; exit 1; }} ;;
-) cat >"{file}" ;;
-r) rm "{file}" ;;
esac
"""


@pytest.mark.parametrize("to", ["task-scheduler", "systemd"])
def test_a_scheduler_that_is_not_here_is_a_sentence(
    crontab: Path, workspace: Path, capsys: pytest.CaptureFixture[str], to: str
) -> None:
    """Nothing is installed elsewhere instead."""
    assert workspace.exists()
    code, text = schedule(capsys, "install", "--yes", "--to", to)
    assert code == 2
    assert "Windows" in text or "no systemd manager" in text
    assert not crontab.exists()


def test_nothing_to_install_is_said(
    crontab: Path,
    make_project: MakeProject,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """No project has the key."""
    code, text = schedule(capsys, "install", str(make_project("p")))
    assert code == 0
    assert "There is nothing to install" in text
    assert not crontab.exists()
