"""What the records missed is taken from the log, and each run keeps its own end."""

from __future__ import annotations

import errno
import os
import sqlite3
import sys
from contextlib import closing, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import MailStatus, Outcome, Run, RunStatus
from python_runner.records import database, outputs
from python_runner.records.locks import Holder, project_lock
from python_runner.records.log import LogFile
from python_runner.records.log_reader import LogPlace, read_since
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.runner import missed_runs
from python_runner.runner.context import RunContext
from python_runner.runner.events import Event, ScriptEnded, ScriptStarted
from python_runner.runner.project_run import run_project
from python_runner.runner.recovery import unrecorded_outcomes
from python_runner.runner.selection import unfinished
from python_runner.runner.session import local_now, open_session
from tests.support import MakeProject, mails


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.records.log_line import LogLine

FAILS = "print('hm')\nraise ValueError('no rows')\n"


@pytest.fixture
def project(make_project: MakeProject, mail_dir: Path) -> Path:
    """Return a reported project: one script succeeds, one fails, one is skipped."""
    del mail_dir
    return make_project(
        sources={"a.py": "", "b.py": FAILS, "c.py": ""},
        scripts=["a.py", "b.py", {"path": "c.py", "needs": ["b.py"]}],
        recipients=["a@example.org"],
        email_strategy="all",
        include_traceback=True,
    )


def run(
    folder: Path, *, store: bool = True, when: Callable[[Event], None] | None = None
) -> Run:
    """Run a project in this process, with or without records."""
    with open_session(load_settings(), listener=when or (lambda _event: None)) as s:
        return run_project(load_project(folder), s if store else replace(s, store=None))


def connect_at_once(home: Path) -> sqlite3.Connection:
    """Open the records as another program, which listeners use in their own thread."""
    path = home / DATABASE_NAME
    return sqlite3.connect(path, timeout=0, check_same_thread=False)


def recorded(home: Path) -> list[Run]:
    """Return the recorded runs, the last one first."""
    with open_store(home, local_now()) as store:
        assert store.open_runs() == []
        return store.runs()


def facts(run: Run) -> list[tuple[Any, ...]]:
    """Return what a log line says of each script, and where its output is."""
    return [
        (r.script, r.number, r.outcome, r.output, r.last_traceback and r.traceback)
        for r in run.scripts
    ]


@pytest.mark.fault(
    "records",
    "Runs that the records missed altogether",
    "The next run takes them from the log, with every script's outcome and error.",
)
@pytest.mark.parametrize(("missed", "noted"), [(1, False), (3, False), (3, True)])
def test_missed_runs_are_taken_whole(
    project: Path, shielded: Path, missed: int, *, noted: bool
) -> None:
    """Each script with its outcome, place, output and error, in their order, once."""
    run(project)
    lost = [run(project, store=False) for _ in range(missed)]
    if not noted:
        project_lock(shielded, project).path.unlink()
    run(project)
    last = run(project)

    runs = recorded(shielded)
    assert len(runs) == missed + 3
    assert runs[0].run_id == last.run_id
    for kept, run_ in zip(runs[2:-1], reversed(lost), strict=True):
        assert (kept.run_id, kept.status) == (run_.run_id, run_.status)
        assert kept.mail_status is (MailStatus.SENT if noted else MailStatus.NONE)
        assert facts(kept) == facts(run_)
        assert abs(kept.started_at - run_.started_at) < timedelta(seconds=5)
        assert (
            kept.scripts[1].attempts[0].traceback
            == run_.scripts[1].attempts[0].traceback
        )


def test_a_missed_run_is_reported_once(project: Path, mail_dir: Path) -> None:
    """It told of itself when it ended; the next mail compares with it."""
    run(project, store=False)
    run(project)

    first, second = mails(mail_dir)
    assert first["Message-ID"] != second["Message-ID"]
    assert "(2nd time)" in second["Subject"]


def test_what_failed_in_a_missed_run_is_resumed(project: Path, shielded: Path) -> None:
    """And what succeeded in it is not."""
    run(project, store=False)
    (project / "b.py").write_text("", "utf-8")
    with open_session(load_settings()) as session:
        done = run_project(load_project(project), session, resume=True)
        assert done is not None
        assert [r.script for r in done.scripts] == ["b.py", "c.py"]
        assert session.store is not None
        assert unfinished(load_project(project), session.store) is None
    assert recorded(shielded)[0].status is RunStatus.SUCCESS


def test_a_log_of_another_machine_is_not_ours(project: Path, shielded: Path) -> None:
    """On a shared drive each machine records its own runs."""
    run(project, store=False)
    log = project / "logs" / "project_1.log"
    fields = log.read_text("utf-8").split(" - ")
    log.write_text(log.read_text("utf-8").replace(f" - {fields[2]} - ", " - pc9 - "))
    # Of theirs, this machine's state folder knows nothing.
    project_lock(shielded, project).path.unlink()
    run(project)

    assert len(recorded(shielded)) == 1


@pytest.mark.parametrize("moment", ["begins", "a.py", "b.py", "c.py"])
def test_records_that_are_locked_for_a_while_miss_nothing(
    project: Path,
    shielded: Path,
    mail_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """Its own status, all its facts, and one mail with one content."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    open_store(shielded, local_now()).close()
    with closing(connect_at_once(shielded)) as other:

        def lock(event: Event) -> None:
            match event:
                case ScriptStarted(script=script):
                    now = "begins" if script.name == "a.py" else ""
                case ScriptEnded(result=result):
                    now = result.script
                case _:
                    return
            if now == moment:
                with suppress(sqlite3.OperationalError):
                    other.execute("BEGIN EXCLUSIVE")

        told = run(project, when=lock)
        other.rollback()
    (mail,) = mail_dir.iterdir()
    before = mail.read_bytes()
    run(project)

    assert mail.read_bytes() == before
    _next, kept = recorded(shielded)
    assert told.status is kept.status is RunStatus.FAILURE
    assert told.mail_status is kept.mail_status is MailStatus.SENT
    assert [r.outcome for r in kept.scripts] == [r.outcome for r in told.scripts]
    assert [told.run_id in mail["Message-ID"] for mail in mails(mail_dir)] == [
        *(True, False)
    ]


@pytest.mark.fault(
    "records",
    "Log and database fail together, and the lock's file may be deleted as well",
    "The lock's file, or a new one in its place, remembers how the run ended.",
)
@pytest.mark.parametrize("deleted", [False, True])
def test_an_end_that_neither_record_could_take_is_known_all_the_same(
    project: Path,
    shielded: Path,
    mail_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    deleted: bool,
) -> None:
    """Log and records failed together: the lock's file remembers how it ended."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    open_store(shielded, local_now()).close()
    log = project / "logs" / "project_1.log"
    with closing(connect_at_once(shielded)) as other:

        def spoil(event: Event) -> None:
            if isinstance(event, ScriptEnded) and event.result.script == "a.py":
                other.execute("BEGIN EXCLUSIVE")
                os.replace(log, log.with_name("moved"))  # noqa: PTH105
                log.mkdir()
                # Windows lets nobody delete it.
                if deleted and sys.platform != "win32":
                    project_lock(shielded, project).path.unlink()

        told = run(project, when=spoil)
        other.rollback()
    log.rmdir()
    os.replace(log.with_name("moved"), log)  # noqa: PTH105
    run(project)

    _next, kept = recorded(shielded)
    assert (kept.run_id, kept.status) == (told.run_id, RunStatus.FAILURE)
    assert [r.outcome for r in kept.scripts] == [r.outcome for r in told.scripts]
    assert kept.mail_status is MailStatus.SENT
    assert len(mails(mail_dir)) == 2


@pytest.mark.fault(
    "records",
    "The log lacks lines of a run that the records never saw",
    "The lock's file knows how its scripts ended; the next run adds it to both.",
)
@pytest.mark.parametrize("unlogged", [{"b.py"}, {"a.py", "b.py", "c.py"}])
def test_a_run_that_the_records_never_saw_is_whole_without_its_lines(
    project: Path,
    shielded: Path,
    mail_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
    unlogged: set[str],
) -> None:
    """The log had room for some lines or for none: the lock's file knows the others."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    run(project)
    log = project / "logs" / "project_1.log"
    write = LogFile.write

    def refuse(self: LogFile, *lines: LogLine) -> None:
        if unlogged & {line.script for line in lines}:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(self, *lines)

    with closing(connect_at_once(shielded)) as other:

        def spoil(_event: Event) -> None:
            if not other.in_transaction:
                other.execute("BEGIN IMMEDIATE")

        with monkeypatch.context() as full:
            full.setattr(LogFile, "write", refuse)
            told = run(project, when=spoil)
    run(project)

    _next, kept, _first = recorded(shielded)
    assert (kept.run_id, kept.status) == (told.run_id, RunStatus.FAILURE)
    assert [(r.script, r.number, r.outcome) for r in kept.scripts] == [
        (r.script, r.number, r.outcome) for r in told.scripts
    ]
    assert kept.mail_status is MailStatus.SENT
    assert len(mails(mail_dir)) == 3
    assert log.read_text("utf-8").count(told.run_id) == 3


@pytest.mark.fault(
    "records",
    "The records cannot be written when a run is resumed",
    "What succeeded since, by the log, is not repeated.",
)
def test_a_success_that_the_records_cannot_take_is_not_repeated(
    project: Path, shielded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The log knows it while the records are still locked."""
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    run(project)
    (project / "b.py").write_text("", "utf-8")
    with closing(connect_at_once(shielded)) as other:
        other.execute("BEGIN IMMEDIATE")
        told = run(project)
        with open_session(load_settings()) as session:
            again = run_project(load_project(project), session, resume=True)
    assert told.status is RunStatus.SUCCESS
    assert again is None


@pytest.mark.parametrize(
    ("series", "expected"), [(3, ["interrupted", "skipped"]), (1, ["interrupted"])]
)
def test_a_missed_run_whose_runner_died_is_interrupted_and_told(
    project: Path, shielded: Path, mail_dir: Path, series: int, expected: list[str]
) -> None:
    """What began without an end was interrupted; a whole series has scripts that wait."""
    lost = run(project, store=False)
    log = project / "logs" / "project_1.log"
    first, *_rest = log.read_text("utf-8").splitlines(keepends=True)
    log.write_text(first, "utf-8")
    project_lock(shielded, project).path.unlink()
    with project_lock(shielded, project) as held:
        me = Holder(
            pid=2**22 + 1,
            host="pc",
            run_id=lost.run_id,
            started_at=lost.started_at,
            scripts=series,
        )
        assert held.acquire(me, wait=False)
        content = held.path.read_bytes()
    # Nobody gave this lock back.
    held.path.write_bytes(content)
    assert len(mails(mail_dir)) == 1

    run(project)

    _next, kept = recorded(shielded)
    assert (kept.run_id, kept.status) == (lost.run_id, RunStatus.INTERRUPTED)
    assert [r.outcome for r in kept.scripts] == ["success", *expected]
    assert kept.mail_status is MailStatus.SENT
    subjects = [mail["Subject"] for mail in mails(mail_dir)]
    assert sum("interrupted" in subject for subject in subjects) == 1
    assert len(log.read_text("utf-8").splitlines()) == 1 + len(expected) + 3


@pytest.mark.fault(
    "records",
    "The database is deleted during a run",
    "New records begin, and hold the run whole.",
)
def test_records_that_were_deleted_during_a_run_begin_anew(
    project: Path, shielded: Path
) -> None:
    """The run ends in the new ones, whole, with its report in the queue."""

    def delete(event: Event) -> None:
        if isinstance(event, ScriptEnded) and event.result.script == "a.py":
            (shielded / DATABASE_NAME).unlink()

    if os.name == "nt":
        pytest.skip("an open file cannot be deleted on Windows")
    told = run(project, when=delete)

    (kept,) = recorded(shielded)
    assert (kept.run_id, kept.status) == (told.run_id, told.status)
    assert facts(kept) == facts(told)
    assert kept.mail_status is told.mail_status is MailStatus.SENT
    with open_store(shielded, local_now()) as store:
        assert len(store.messages.of_run(told.run_id)) == 1


@pytest.mark.skipif(os.name == "nt", reason="an open file cannot be deleted there")
def test_a_lock_that_was_deleted_during_a_run_is_told(
    project: Path, shielded: Path
) -> None:
    """Another run may have begun beside it: nobody could know."""

    def delete(event: Event) -> None:
        if isinstance(event, ScriptEnded) and event.result.script == "a.py":
            project_lock(shielded, project).path.unlink()

    told = run(project, when=delete)

    assert ["was deleted during the run" in str(w) for w in told.warnings] == [True]


@pytest.mark.fault(
    "runner",
    "A run is skipped because another is active",
    "One line and one transaction; nobody takes it for dead.",
)
def test_a_skipped_run_is_one_line_and_whole_in_the_records(
    project: Path, shielded: Path, mail_dir: Path
) -> None:
    """However many its scripts; it never was open, so nobody takes it for dead."""
    with project_lock(shielded, project) as held:
        me = Holder(pid=os.getpid(), host="pc", run_id="f" * 13, started_at=local_now())
        assert held.acquire(me, wait=False)
        skipped = run(project)
    lines = (project / "logs" / "project_1.log").read_text("utf-8").splitlines()

    (line,) = lines
    assert line.split(" - ")[1] == "WARNING"
    assert line.split(" - ")[3:7] == [skipped.run_id, "0.00", "*", "skipped"]
    (kept,) = recorded(shielded)
    assert kept.status is RunStatus.SKIPPED
    assert [r.outcome for r in kept.scripts] == [Outcome.SKIPPED] * 3
    assert len(mails(mail_dir)) == 1


def test_a_skip_that_the_records_missed_is_taken_too(
    project: Path, shielded: Path
) -> None:
    """With its reason; it counts for no script."""
    with project_lock(shielded, project) as held:
        me = Holder(pid=os.getpid(), host="pc", run_id="f" * 13, started_at=local_now())
        assert held.acquire(me, wait=False)
        skipped = run(project, store=False)
    run(project)

    _next, kept = recorded(shielded)
    assert (kept.run_id, kept.status) == (skipped.run_id, RunStatus.SKIPPED)
    assert str(kept.error) == str(skipped.error)
    assert kept.scripts == ()


def test_a_log_is_read_on_from_its_place(tmp_path: Path) -> None:
    """Whatever became of the file: it grew, was set aside, cut, replaced or deleted."""
    log = tmp_path / "p.log"

    def write(*lines: str, mode: str = "a") -> None:
        with log.open(mode, encoding="utf-8", newline="") as file:
            file.writelines(f"{line}\n" for line in lines)

    def news(place: LogPlace) -> tuple[list[bytes], LogPlace]:
        return read_since(tmp_path, "p.log", place)

    assert news(LogPlace()) == ([], LogPlace())
    write("one")
    lines, place = news(LogPlace())
    assert lines == [b"one"]
    write("two", "three")
    with log.open("a", encoding="utf-8") as file:
        file.write("not yet")
    lines, place = news(place)
    assert lines == [b"two", b"three"]
    write("", "four")
    assert news(place)[0] == [b"not yet", b"four"]

    log.rename(tmp_path / "p.log.2026-01-01_09-00")
    write("five")
    (tmp_path / "p.log.2025-01-01_09-00").write_text("older\n", "utf-8")
    lines, place = news(place)
    assert lines == [b"not yet", b"four", b"five"]
    write("fi", mode="w")
    lines, place = news(place)
    assert lines == [b"fi"]
    log.unlink()
    assert news(place) == ([], place)
    write("six")
    assert news(place)[0] == [b"six"]


def test_a_plan_to_resume_knows_what_the_log_alone_holds(
    project: Path,
) -> None:
    """``--dry-run --resume`` shows what ``--resume`` would run, and changes nothing."""
    (project / "b.py").write_text("", encoding="utf-8")
    assert run(project).status is RunStatus.SUCCESS
    (project / "b.py").write_text(FAILS, encoding="utf-8")
    assert run(project, store=False).status is RunStatus.FAILURE

    with open_session(load_settings()) as session:
        context = RunContext.begin(load_project(project), session)
        assert session.store
        for _ in range(2):
            outcomes = unrecorded_outcomes(context, session.store)
            plan = unfinished(context.project, session.store, outcomes)
            assert plan
            assert [script.name for script in plan.scripts] == ["b.py", "c.py"]
        assert len(session.store.runs()) == 1


def test_odd_lines_of_env_are_told_by_the_first_run_alone(
    project: Path, in_folder: Path
) -> None:
    """One command has one ``.env``, however many projects it runs."""
    (in_folder / ".env").write_text("A: b\n", encoding="utf-8")
    with open_session(load_settings()) as session:
        told = [run_project(load_project(project), session).warnings for _ in range(2)]

    assert [len(warnings) for warnings in told] == [1, 0]
    assert "line 1" in str(told[0][0])


def test_many_scripts_of_a_missed_run_are_told_apart_in_linear_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of thousands of scripts that the records lost holds up no later run."""
    many, looks, output_file = 2000, 0, outputs.output_file

    def counted(folder: Path, number: int, script: str) -> Path:
        nonlocal looks
        looks += 1
        return output_file(folder, number, script)

    names = [f"part/{number}_load.py" for number in range(1, many + 1)]
    files = [
        output_file(tmp_path, number, name) for number, name in enumerate(names, 1)
    ]
    monkeypatch.setattr(outputs, "output_file", counted)

    found = missed_runs.files_of_scripts(
        [*files, tmp_path / "x_y.log"], reversed(names)
    )

    assert found == {name: (n, files[n - 1]) for n, name in enumerate(names, 1)}
    assert looks <= 3 * many


def test_scripts_without_a_file_get_places_that_are_free() -> None:
    """The place in the series where nobody has it, else the first that is free."""
    files = {"a.py": (2, Path("02_a.py.log"))}
    names = ["a.py", "b.py", "gone.py", "c.py", "old.py"]

    found = missed_runs.places_in_series(names, files, ["a.py", "b.py", "c.py", "b.py"])

    assert found == {"a.py": 2, "b.py": 1, "gone.py": 3, "c.py": 4, "old.py": 5}
