"""The side of ``schtasks`` that needs no Windows: what it is told, and how it is read.

The program here keeps files in a folder and answers in the form that is documented;
``tests/windows/test_schedule_install.py`` asks the real one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from python_runner.scheduling.entries import Job, Purpose, SchedulerError
from python_runner.scheduling.task_scheduler import TaskScheduler
from tests.servers.schedulers import program


pytestmark = pytest.mark.posix

SCHTASKS = """#!{python}
import pathlib, sys
store = pathlib.Path({store!r})
given = dict(zip(sys.argv[1:], [*sys.argv[2:], ""]))
def path(name):
    return store / name.replace("\\\\", "+")
if "/Create" in given:
    text = pathlib.Path(given["/XML"]).read_bytes().decode("utf-16")
    if "S4U" in text and "refused" in given["/TN"]:
        sys.exit("ERROR: Access is denied.")
    path(given["/TN"]).write_text(text.partition("\\n")[2], "utf-8")
elif "/Delete" in given:
    path(given["/TN"]).unlink()
elif "/V" in given:
    print('"PC","' + given["/TN"] + '","N/A","Ready","x","26/11/2026 06:00:00","1","ann"')
else:
    print('<?xml version="1.0" encoding="UTF-16"?>\\n<Tasks>')
    for file in store.iterdir():
        print("<!-- " + file.name.replace("+", "\\\\") + " -->")
        print(file.read_text("utf-8"))
    print("</Tasks>")
"""


@pytest.fixture
def store(programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Put a program in the place of ``schtasks``; return the folder of its tasks."""
    folder = tmp_path / "tasks"
    folder.mkdir()
    text = SCHTASKS.format(python=sys.executable, store=str(folder))
    program(programs / "schtasks", text)
    monkeypatch.setenv("USERDOMAIN", "PC")
    monkeypatch.setenv("USERNAME", "ann")
    return folder


def job(name: str, expression: str = "*/15 8-18 * * 1-5") -> Job:
    """Return the job that runs a project."""
    folder = Path("/srv") / name
    return Job(
        purpose=Purpose.RUN,
        project=folder,
        expression=expression,
        command=("/v/python-runnerw.exe", "run", "--quiet", str(folder)),
        folder=Path("/srv"),
    )


def test_tasks_are_registered_read_and_deleted(store: Path) -> None:
    """Our folder alone is written to, and what others have made is not ours."""
    scheduler = TaskScheduler("s4u")
    jobs = [job("Clôture & été"), job("p2", "0 6 L * *")]

    scheduler.change(jobs, ())

    xml = (store / f"+Python Runner+ann+{jobs[1].name}").read_text("utf-8")
    (store / "+backup").write_text(xml.replace("python-runnerw", "backup"), "utf-8")
    theirs = xml.replace("python-runner 0", "somebody 0")
    (store / "+by hand").write_text(theirs, "utf-8")
    entries = {entry.name: entry for entry in scheduler.entries()}
    assert len(entries) == 3
    for wanted in jobs:
        entry = entries[scheduler.name_of(wanted)]
        assert entry.own
        assert entry.job == wanted
        assert scheduler.is_same(entry, wanted)
        assert (entry.account, entry.logon) == ("PC\\ann", "s4u")
        assert (entry.last_run, entry.last_result) == ("26/11/2026 06:00:00", 1)
        assert not scheduler.is_same(entry, job("p2", "0 7 L * *"))
    assert not entries["\\by hand"].own
    assert entries["\\by hand"].job.project == Path("/srv/p2")

    scheduler.change((), [entry for entry in entries.values() if entry.own])
    assert sorted(path.name for path in store.iterdir()) == ["+backup", "+by hand"]


def test_the_way_of_the_account_stays_unless_another_is_named(store: Path) -> None:
    """Who installs once more keeps what was chosen; who names the password gives it."""
    assert store.exists()
    TaskScheduler("interactive").change([job("p")], ())
    again = TaskScheduler()
    (entry,) = again.entries()
    assert again.logon_of(job("p")) == "interactive"
    assert again.is_same(entry, job("p"))
    assert again.logon_of(job("new")) == "password"
    (command,) = again.instructions([job("new")], ())
    assert command.endswith('/RU "PC\\ann" /RP *')
    named = TaskScheduler("password")
    assert not named.is_same(named.entries()[0], job("p"))


def test_what_windows_refuses_is_told(store: Path) -> None:
    """With its own words, and nothing stays behind."""
    with pytest.raises(SchedulerError, match="Access is denied"):
        TaskScheduler("s4u").change([job("refused")], ())
    assert list(store.iterdir()) == []


def test_a_variable_of_this_window_alone_is_refused() -> None:
    """A task sets none: the run would keep its records elsewhere."""
    wanted = Job(
        purpose=Purpose.RUN,
        project=Path("/srv/p"),
        expression="0 6 * * *",
        command=("python-runnerw.exe", "run", "/srv/p"),
        folder=Path("/srv"),
        variables={"PYTHON_RUNNER_HOME": "/srv/home"},
    )
    assert "PYTHON_RUNNER_HOME" in str(TaskScheduler().problem(wanted))
