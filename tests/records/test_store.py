from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Attempt,
    Interpreter,
    MailStatus,
    Message,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.rows import from_time
from python_runner.records.store import DATABASE_NAME, Store, StoreError, open_store
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 11, 24, 3, 0, 0, 123456, tzinfo=UTC)
PROJECT = Path("/srv/project_1")


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def a_message(run_id: str) -> Message:
    """Return the report of a run."""
    return Message(
        message_id=f"<{run_id}@localhost>",
        sender="runner@example.org",
        recipients=("a@example.org", "b@example.org"),
        subject="a report",
        content=b"Subject: a report\r\n\r\nall is well\r\n",
    )


def an_attempt(outcome: Outcome = Outcome.SUCCESS, duration: float = 1.0) -> Attempt:
    """Return an attempt."""
    return Attempt(outcome=outcome, exit_code=0, started_at=NOW, duration=duration)


def a_result(
    run_id: str,
    number: int = 1,
    outcome: Outcome = Outcome.SUCCESS,
    *,
    script: str = "main.py",
    started_at: datetime = NOW,
    duration: float = 1.0,
) -> ScriptResult:
    """Return the result of one attempt."""
    return ScriptResult(
        script=script,
        run_id=run_id,
        number=number,
        outcome=outcome,
        started_at=started_at,
        duration=duration,
        attempts=(an_attempt(outcome, duration),),
    )


def a_run(
    run_id: str,
    *results: ScriptResult,
    path: Path = PROJECT,
    status: RunStatus = RunStatus.SUCCESS,
    started_at: datetime = NOW,
) -> Run:
    """Return an ended run."""
    return Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=status,
        started_at=started_at,
        duration=2.5,
        scripts=results,
    )


def begin(
    store: Store,
    run_id: str,
    *scripts: str,
    path: Path = PROJECT,
    started_at: datetime = NOW,
) -> None:
    """Open a run in the records."""
    run = OpenRun(
        run_id=run_id,
        project=path.name,
        path=path,
        started_at=started_at,
        scripts=tuple(
            OpenScript(script=script, number=number)
            for number, script in enumerate(scripts, 1)
        ),
    )
    store.begin_run(run, Interpreter(path="/usr/bin/python3", version="3.11.9"))


def test_a_run_is_read_back_as_it_was_written(store: Store) -> None:
    """Every fact of a run, its scripts and their attempts survives the records."""
    failure = Attempt(
        outcome=Outcome.TIMEOUT,
        exit_code=-9,
        started_at=NOW,
        duration=60.25,
        reason=Sentence.of("stopped after {seconds} s", seconds=60),
        traceback=Traceback(
            text="Traceback ...\nKeyError: 'é\x00'",
            exception="KeyError: 'é'",
            file="main.py",
            line=3,
            function="load",
        ),
        warnings=(
            Sentence.of("left behind: {names}", names="sleep"),
            Sentence.of("odd"),
        ),
        peak_memory=2**40,
        cpu_seconds=0.125,
    )
    result = ScriptResult(
        script="données/main.py",
        run_id="0123456789abc",
        number=1,
        outcome=Outcome.TIMEOUT,
        started_at=NOW,
        duration=61.5,
        attempts=(an_attempt(Outcome.FAILURE), failure),
        reason=Sentence.of("stopped"),
        output=Path("/srv/project_1/logs/runs/01_main.py.log"),
    )
    skipped = ScriptResult(
        script="b.py",
        run_id="0123456789abc",
        number=2,
        outcome=Outcome.SKIPPED,
        started_at=NOW,
        reason=Sentence.of("not started"),
    )
    run = replace(
        a_run("0123456789abc", result, skipped, status=RunStatus.FAILURE),
        error=Sentence.of("no"),
        warnings=(Sentence.of("the log is incomplete: {error}", error="full"),),
    )
    begin(store, run.run_id, "données/main.py", "b.py")
    store.begin_attempt(run.run_id, 1, NOW)
    store.end_script(result)
    store.end_run(run, [a_message(run.run_id)], NOW)
    assert store.run("0123456789abc") == replace(
        run,
        mail_status=MailStatus.QUEUED,
        interpreter="/usr/bin/python3",
        interpreter_version="3.11.9",
    )


def test_times_come_back_local_and_exact(store: Store) -> None:
    """A time is the same moment to the microsecond, with the local offset."""
    store.end_run(a_run("a"), [], NOW)
    run = store.run("a")
    assert run is not None
    assert run.started_at == NOW
    assert run.started_at.utcoffset() == NOW.astimezone().utcoffset()


def test_a_run_that_the_records_missed_is_written_whole(store: Store) -> None:
    """Closing a run that was never opened keeps all that is known of it."""
    run = a_run("a", a_result("a"), a_result("a", 2, script="b.py"))
    store.end_run(run, [], NOW)
    assert store.run("a") == run


def test_closing_fills_in_what_is_missing(store: Store) -> None:
    """Attempts and ends that could not be written before come with the close."""
    attempts = (an_attempt(Outcome.FAILURE), an_attempt())
    result = replace(a_result("a"), attempts=attempts)
    begin(store, "a", "main.py", "b.py")
    store.end_attempt("a", 1, attempts[0])
    store.end_run(a_run("a", result), [], NOW)
    run = store.run("a")
    assert run is not None
    assert run.scripts[0] == result
    # The caller forgot one: it did not run, and the records say so.
    assert run.scripts[1].outcome is Outcome.SKIPPED


def test_an_end_stays(store: Store) -> None:
    """A second end of the same script changes nothing."""
    begin(store, "a", "main.py")
    store.end_script(a_result("a"))
    store.end_script(a_result("a", outcome=Outcome.FAILURE))
    store.begin_attempt("a", 1, NOW + timedelta(hours=1))
    store.end_run(a_run("a"), [], NOW)
    run = store.run("a")
    assert run is not None
    assert run.scripts == (a_result("a"),)


def test_closing_twice_queues_one_report(store: Store) -> None:
    """The first report's bytes stay: they may be on their way already."""
    store.end_run(a_run("a"), [a_message("a")], NOW)
    second = replace(a_message("other"), content=b"different")
    store.end_run(a_run("a"), [second], NOW + timedelta(hours=1))
    (queued,) = store.messages.newest()
    assert queued.message == a_message("a")
    assert queued.queued_at == NOW


def test_the_first_start_counts(store: Store) -> None:
    """A retry does not move the moment a script began."""
    begin(store, "a", "main.py")
    store.begin_attempt("a", 1, NOW)
    store.begin_attempt("a", 1, NOW + timedelta(minutes=5))
    (run,) = store.interrupt_runs(PROJECT, NOW + timedelta(hours=1))
    assert run.scripts[0].started_at == NOW


def test_an_end_is_written_with_the_begin_that_follows(store: Store) -> None:
    """What begins then is known to have; what could not be started has no output."""
    begin(store, "a", "a.py", "b.py", "c.py")
    output = Path("/srv/project_1/logs/runs/02_b.py.log")
    begun = OpenScript(script="b.py", number=2, started_at=NOW, output=output)
    store.end_scripts([a_result("a", script="a.py")], [begun])
    ((first, second, third),) = [run.scripts for run in store.open_runs()]
    assert first.outcome is Outcome.SUCCESS
    assert (second.outcome, second.started_at, second.output) == (None, NOW, output)
    assert (third.outcome, third.started_at) == (None, None)

    missing = replace(
        a_result("a", script="b.py"),
        number=2,
        outcome=Outcome.NOT_STARTED,
        attempts=(),
        output=None,
    )
    store.end_scripts([missing])
    ((_, second, _),) = [run.scripts for run in store.open_runs()]
    assert (second.outcome, second.output) == (Outcome.NOT_STARTED, None)


def test_the_past_is_settled(store: Store) -> None:
    """Ended scripts stay, running ones were interrupted, planned ones are skipped."""
    begin(store, "a", "a.py", "b.py", "c.py")
    store.end_script(a_result("a", script="a.py"))
    output = Path("/srv/project_1/logs/runs/02_b.py.log")
    store.begin_attempt("a", 2, NOW + timedelta(seconds=10), output)
    retry = replace(
        an_attempt(Outcome.FAILURE, 5.0), started_at=NOW + timedelta(seconds=20)
    )
    store.end_attempt("a", 2, retry)
    later = NOW + timedelta(days=1)
    (run,) = store.interrupt_runs(PROJECT, later)
    assert run.status is RunStatus.INTERRUPTED
    assert [r.outcome for r in run.scripts] == ["success", "interrupted", "skipped"]
    assert run.scripts[1].attempts == (retry,)
    assert [r.output for r in run.scripts] == [None, output, None]
    assert run.scripts[1].duration == 15.0
    assert run.scripts[2].started_at == later
    assert all(r.reason for r in run.scripts[1:])
    # Up to the last thing known: nobody can tell when the runner died.
    assert run.duration == 25.0


def test_a_settled_run_waits_for_its_report(store: Store) -> None:
    """A crash between settling and reporting costs neither: it is settled again."""
    begin(store, "a", "main.py")
    (first,) = store.interrupt_runs(PROJECT, NOW)
    (again,) = store.interrupt_runs(PROJECT, NOW + timedelta(hours=1))
    assert again == first
    store.end_run(again, [a_message("a")], NOW)
    assert store.interrupt_runs(PROJECT, NOW) == []
    assert store.run("a") == replace(again, mail_status=MailStatus.QUEUED)


def test_only_the_project_is_settled(store: Store) -> None:
    """Open runs of other projects are alive for all we know; old ones come first."""
    begin(store, "a", "main.py", path=Path("/srv/other"))
    begin(store, "b", "main.py", started_at=NOW + timedelta(hours=1))
    begin(store, "c", "main.py")
    runs = store.interrupt_runs(PROJECT, NOW)
    assert [run.run_id for run in runs] == ["b", "c"]


def test_open_runs_tell_how_far_they_are(store: Store) -> None:
    """What is planned, running and ended shows while a run is not over."""
    begin(store, "a", "a.py", "b.py", "c.py")
    begin(store, "b", "main.py", path=Path("/srv/other"))
    output = Path("/srv/project_1/logs/runs/01_a.py.log")
    store.end_script(replace(a_result("a", script="a.py"), output=output))
    store.begin_attempt("a", 2, NOW)
    assert [run.run_id for run in store.open_runs()] == ["b", "a"]
    (run,) = store.open_runs([PROJECT])
    assert (run.run_id, run.project, run.path) == ("a", "project_1", PROJECT)
    assert run.started_at == NOW
    assert run.scripts == (
        OpenScript(
            script="a.py",
            number=1,
            outcome=Outcome.SUCCESS,
            started_at=NOW,
            output=output,
        ),
        OpenScript(script="b.py", number=2, started_at=NOW),
        OpenScript(script="c.py", number=3),
    )
    store.end_run(a_run("a"), [], NOW)
    assert store.open_runs([PROJECT]) == []


def test_a_run_is_found_by_the_beginning_of_its_id(store: Store) -> None:
    """Open runs are found as well, but only ended ones can be read whole."""
    for run_id in ("abc1", "abc2", "abc22"):
        store.end_run(a_run(run_id), [], NOW)
    begin(store, "f00", "main.py")

    assert store.run_ids("abc", limit=9) == ["abc1", "abc2", "abc22"]
    assert store.run_ids("abc2", limit=9) == ["abc2", "abc22"]
    assert store.run_ids("abc", limit=1) == ["abc1"]
    assert store.run_ids("f", limit=9) == ["f00"]
    assert store.run_ids("d", limit=9) == []
    assert store.run("abc2") == a_run("abc2")
    assert store.run("abc") is None
    assert store.run("f00") is None  # still open


def test_runs_come_newest_first_and_filtered(store: Store) -> None:
    """Projects, failures, age and number narrow the list; open runs are not past."""
    other = Path("/srv/other")
    for hour, (run_id, path, status) in enumerate(
        [
            ("a", PROJECT, RunStatus.SUCCESS),
            ("b", other, RunStatus.FAILURE),
            ("c", PROJECT, RunStatus.INTERRUPTED),
            ("d", other, RunStatus.SUCCESS),
        ]
    ):
        moment = NOW + timedelta(hours=hour)
        store.end_run(
            a_run(run_id, path=path, status=status, started_at=moment), [], NOW
        )
    begin(store, "e", "main.py")

    def ids(runs: list[Run]) -> str:
        return "".join(run.run_id for run in runs)

    assert ids(store.runs()) == "dcba"
    assert ids(store.runs(limit=2)) == "dc"
    assert ids(store.runs(failed=True)) == "cb"
    assert ids(store.runs(since=NOW + timedelta(hours=1))) == "dcb"
    assert ids(store.runs(projects=[PROJECT])) == "ca"
    assert ids(store.runs(projects=[PROJECT, other], limit=3)) == "dcb"
    assert ids(store.runs(projects=[other], failed=True)) == "b"
    assert ids(store.runs(projects=[Path("/unknown")])) == ""


def test_the_last_real_outcome_of_each_script(store: Store) -> None:
    """Each script has its own last run; one that was skipped or is open says nothing."""
    assert store.last_outcomes(PROJECT) == {}

    def keep(hour: int, status: RunStatus, **outcomes: Outcome) -> None:
        moment = NOW + timedelta(hours=hour)
        results = (
            a_result(f"{hour}", number, outcome, script=f"{name}.py", started_at=moment)
            for number, (name, outcome) in enumerate(outcomes.items(), 1)
        )
        run = a_run(f"{hour}", *results, status=status, started_at=moment)
        store.end_run(run, [], moment)

    good, bad, skipped = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SKIPPED
    keep(1, RunStatus.SUCCESS, a=good, b=good, c=good)
    keep(2, RunStatus.STOPPED, a=bad, b=good, c=skipped)
    keep(3, RunStatus.SUCCESS, a=good)
    keep(4, RunStatus.SKIPPED, a=skipped, b=skipped, c=skipped)
    keep(5, RunStatus.NOT_STARTED, d=Outcome.NOT_STARTED)
    begin(store, "6", "b.py", started_at=NOW + timedelta(hours=6))
    store.end_run(a_run("7", a_result("7"), path=Path("/srv/other")), [], NOW)

    expected = {"a.py": good, "b.py": good, "c.py": skipped}
    assert store.last_outcomes(PROJECT) == {**expected, "d.py": Outcome.NOT_STARTED}


def test_the_past_of_a_script(store: Store) -> None:
    """Earlier results and durations come newest first, by project and script."""
    fault = Traceback(text="...", exception="KeyError: 1", file="m.py", function="f")
    for hour, outcome in enumerate([Outcome.SUCCESS, Outcome.FAILURE, Outcome.SUCCESS]):
        run_id = f"{hour}"
        moment = NOW + timedelta(hours=hour)
        result = a_result(
            run_id, outcome=outcome, started_at=moment, duration=float(hour)
        )
        if outcome is Outcome.FAILURE:
            attempt = replace(an_attempt(outcome), traceback=fault)
            result = replace(result, attempts=(an_attempt(outcome), attempt))
        store.end_run(a_run(run_id, result, started_at=moment), [], moment)
    store.end_run(a_run("b", a_result("b"), path=Path("/srv/other")), [], NOW)
    past = store.past_results(PROJECT, "main.py", 2)
    assert [(p.run_id, p.outcome, p.duration) for p in past] == [
        ("2", "success", 2.0),
        ("1", "failure", 1.0),
    ]
    assert [p.fingerprint for p in past] == [None, "KeyError@m.py:f"]
    assert [p.exit_code for p in past] == [0, 0]
    assert past[1].started_at == NOW + timedelta(hours=1)


def test_the_past_before_a_run(store: Store) -> None:
    """What an interrupted run is compared with is what was before it."""
    for hour in range(4):
        moment = NOW + timedelta(hours=hour)
        run_id = f"{hour}"
        result = a_result(run_id, started_at=moment + timedelta(seconds=1))
        store.end_run(a_run(run_id, result, started_at=moment), [], moment)
    past = store.past_results(PROJECT, "main.py", 10, before="2")
    assert [p.run_id for p in past] == ["1", "0"]


def test_a_result_without_attempts_has_a_past_too(store: Store) -> None:
    """What was skipped or never found has neither fingerprint nor exit code."""
    result = replace(a_result("a", outcome=Outcome.NOT_STARTED), attempts=())
    store.end_run(a_run("a", result), [], NOW)
    (past,) = store.past_results(PROJECT, "main.py", 10)
    assert (past.outcome, past.fingerprint, past.exit_code) == (
        Outcome.NOT_STARTED,
        None,
        None,
    )


def test_names_that_are_no_unicode_are_kept(store: Store) -> None:
    """A folder or script whose name is not UTF-8 can be recorded and found again."""
    path = Path("/srv/caf\udce9")
    begin(store, "a", "caf\udce9.py", path=path)
    (run,) = store.interrupt_runs(path, NOW)
    store.end_run(run, [], NOW)
    assert [r.run_id for r in store.runs(projects=[path])] == ["a"]
    assert len(store.past_results(path, "caf\udce9.py", 10)) == 1


def test_what_is_not_in_the_records_cannot_go_on(store: Store) -> None:
    """A transition of an unknown run or script is refused, and nothing is kept."""
    with pytest.raises(StoreError, match="run a is not in the records"):
        store.begin_attempt("a", 1, NOW)
    with pytest.raises(StoreError):
        store.end_script(a_result("a"))
    begin(store, "a", "main.py")
    with pytest.raises(StoreError, match="FOREIGN KEY"):
        store.end_attempt("a", 2, an_attempt())
    with pytest.raises(StoreError, match="UNIQUE"):
        begin(store, "a", "main.py")


def test_old_runs_are_thinned(store: Store) -> None:
    """What ended before goes; what is open or has undelivered mail stays."""
    for run_id in ("a", "b"):
        store.end_run(a_run(run_id, a_result(run_id)), [], NOW)
    store.end_run(a_run("c"), [a_message("c")], NOW)
    new = NOW + timedelta(days=1)
    store.end_run(a_run("d", started_at=new), [], new)
    begin(store, "e", "main.py")
    assert store.delete_old_runs(new, new) == 2
    assert [run.run_id for run in store.runs()] == ["d", "c"]
    assert len(store.interrupt_runs(PROJECT, NOW)) == 1
    assert store.delete_old_runs(new, new) == 0


def test_thinning_goes_in_steps(store: Store) -> None:
    """More runs than one transaction deletes go as well, with all their rows."""
    with store._database.write() as connection:  # noqa: SLF001 - quicker than 1200 closes
        connection.execute(
            "INSERT INTO project (id, path, key) VALUES (1, '/srv/project_1', '/srv/project_1')"
        )
        connection.execute(
            """
            WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1200)
            INSERT INTO run (run_id, project, name, status, started_at, duration)
            SELECT i, 1, 'p', 'success', ? + i, 1 FROM n
            """,
            (from_time(NOW),),
        )
    later = NOW + timedelta(days=1)
    assert store.delete_old_runs(later, later, limit=510) == 510
    # The last run of a project stays.
    assert store.delete_old_runs(later, later) == 689


def test_a_backup_is_a_whole_copy(store: Store, tmp_path: Path) -> None:
    """A copy made while runs are recorded opens, and holds what was closed before."""
    stop = threading.Event()

    def record() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            run_id = f"{number:x}"
            store.end_run(a_run(run_id, a_result(run_id)), [a_message(run_id)], NOW)

    writer = threading.Thread(target=record)
    writer.start()
    try:
        while len(store.runs(limit=3)) < 3:
            pass
        before = {run.run_id for run in store.runs(limit=10_000)}
        store.backup(tmp_path / DATABASE_NAME)
    finally:
        stop.set()
        writer.join()
    with open_store(tmp_path, NOW) as copy:
        runs = copy.runs(limit=10_000)
        assert before <= {run.run_id for run in runs}
        assert all(len(run.scripts) == 1 for run in runs)
        assert {run.mail_status for run in runs} == {MailStatus.QUEUED}


def test_a_backup_overwrites_nothing(store: Store, tmp_path: Path) -> None:
    """An existing file is refused and left alone."""
    target = tmp_path / "precious"
    target.write_bytes(b"precious")
    with pytest.raises(StoreError, match=r"precious: .*exist"):
        store.backup(target)
    assert target.read_bytes() == b"precious"


def test_a_failed_backup_leaves_nothing(store: Store, tmp_path: Path) -> None:
    """A copy that cannot be made is no file at all."""
    store.close()
    with pytest.raises(StoreError):
        store.backup(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_threads_and_stores_share_the_file(shielded: Path) -> None:
    """Runs recorded at once, by threads of one store and by other stores, all stay."""

    def record(store: Store, worker: int) -> None:
        for number in range(10):
            run_id = f"{worker}{number}"
            begin(store, run_id, "main.py")
            store.end_script(a_result(run_id))
            store.end_run(a_run(run_id, a_result(run_id)), [], NOW)

    with open_store(shielded, NOW) as first, open_store(shielded, NOW) as second:
        threads = [
            threading.Thread(target=record, args=(store, worker))
            for worker, store in enumerate([first, first, second, second])
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(first.runs(limit=100)) == 40


def test_a_transaction_is_all_or_nothing(store: Store) -> None:
    """What fails half-way leaves no trace, and the next one works."""
    broken = replace(a_message("a"), content=None)  # type: ignore[arg-type]
    with pytest.raises(StoreError, match="NOT NULL"):
        store.end_run(a_run("a", a_result("a")), [broken], NOW)
    assert store.runs() == []
    store.end_run(a_run("a"), [a_message("a")], NOW)


def test_the_file_is_durable_and_checked(store: Store, shielded: Path) -> None:
    """What has ended survives a power cut; the start of an attempt need not."""
    with store._database.read() as connection:  # noqa: SLF001 - a matter of the connection

        def pragma(name: str) -> object:
            return connection.execute(f"PRAGMA {name}").fetchone()[0]

        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("wal_autocheckpoint") == 0
        assert pragma("foreign_keys") == 1
    with closing(sqlite3.connect(shielded / DATABASE_NAME)) as plain:
        assert plain.execute("PRAGMA journal_mode").fetchone()[0] == "wal"


def _link(folder: Path, target: Path) -> Path:
    """Return another path that leads to ``target``, through a link where there are any."""
    try:
        folder.symlink_to(target, target_is_directory=True)
    except OSError:
        return target.parent / "nowhere" / ".." / target.name
    return folder


def _found(store: Store, path: Path) -> list[object]:
    """Return what each look-up finds of a project."""
    ended = store.runs(projects=[path])
    statuses = [RunStatus.FAILURE]
    incident = store.messages.incident(path, statuses, before="later", latest=5)
    return [
        [run.run_id for run in ended],
        [run.run_id for run in store.open_runs([path])],
        store.last_outcomes(path),
        [result.run_id for result in store.past_results(path, "main.py", 5)],
        [mail.subject for mail in incident],
    ]


@pytest.mark.not_wine
@pytest.mark.parametrize("recorded", ["real", "link"])
def test_a_project_is_found_by_whichever_path(
    store: Store, tmp_path: Path, recorded: str
) -> None:
    """Every look-up follows the rule of the lock: one folder is one project."""
    real = tmp_path / "p"
    real.mkdir()
    paths = {"real": real, "link": _link(tmp_path / "link", real)}
    failed = a_result("a" * 13, outcome=Outcome.FAILURE)
    run = a_run("a" * 13, failed, path=paths[recorded], status=RunStatus.FAILURE)
    store.end_run(run, [a_message("a" * 13)], NOW)
    begin(store, "b" * 13, "main.py", path=paths[recorded])

    found = {name: _found(store, path) for name, path in paths.items()}

    assert all(found[recorded])
    assert found["real"] == found["link"]
    assert _found(store, tmp_path) == [[], [], {}, [], []]
    for number, path in enumerate(paths.values()):
        store.end_run(a_run(str(number) * 13, path=path), [], NOW)
    assert len(store.runs(projects=[real])) == 3
    assert [run.run_id for run in store.interrupt_runs(real, NOW)] == ["b" * 13]


@pytest.mark.not_wine
def test_a_link_to_a_new_folder_keeps_its_history(store: Store, tmp_path: Path) -> None:
    """A link that each release points elsewhere stays one project."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    current = tmp_path / "current"
    for number, name in enumerate(("first", "second")):
        current.unlink(missing_ok=True)
        if _link(current, tmp_path / name) != current:
            pytest.skip("this user may make no links here")
        store.end_run(a_run(str(number) * 13, path=current), [], NOW)

    assert len(store.runs(projects=[current])) == 2
    assert len(store.runs(projects=[tmp_path / "second"])) == 2
    assert store.runs(projects=[tmp_path / "first"]) == []


@pytest.mark.not_wine
def test_old_rows_are_found_by_their_path_and_its_folder(
    store: Store, shielded: Path, tmp_path: Path
) -> None:
    """What was recorded before folders were noted is found as it was, and joined."""
    real = tmp_path / "p"
    real.mkdir()
    link = _link(tmp_path / "link", real)
    store.end_run(a_run("a" * 13, path=real), [], NOW)
    records = sqlite3.connect(shielded / DATABASE_NAME)
    with closing(records) as connection, connection:
        connection.execute("UPDATE project SET folder = NULL")

    for path in (real, link):
        assert len(store.runs(projects=[path])) == 1


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_run_counts_but_the_skipped(store: Store, status: RunStatus) -> None:
    """What a script's last run came to is told, also where none could be started."""
    earlier, outcome = NOW - timedelta(days=1), Outcome(status.value)
    well = a_result("a" * 13, started_at=earlier)
    store.end_run(a_run("a" * 13, well, started_at=earlier), [], NOW)
    last = a_result("b" * 13, outcome=outcome)
    store.end_run(a_run("b" * 13, last, status=status), [], NOW)

    counted = Outcome.SUCCESS if status is RunStatus.SKIPPED else outcome
    assert store.last_outcomes(PROJECT) == {"main.py": counted}


def test_a_wait_for_the_next_attempt_is_known(store: Store) -> None:
    """From the end of an attempt to the beginning of the next one."""
    begin(store, "a", "main.py")
    store.begin_attempt("a", 1, NOW)
    until = NOW + timedelta(seconds=30)

    store.end_attempt("a", 1, an_attempt(Outcome.FAILURE), until)
    (waiting,) = store.open_runs()
    store.begin_attempt("a", 1, until)
    (running,) = store.open_runs()

    assert waiting.scripts[0].waits_until == until
    assert running.scripts[0].waits_until is None
