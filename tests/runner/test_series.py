from __future__ import annotations

import errno
import os
import re
import sys
import threading
import time
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import OnFailure, Outcome, RunStatus, Script
from python_runner.records.outputs import private_logs
from python_runner.runner.events import (
    AttemptEnded,
    RunEnded,
    RunStarted,
    ScriptEnded,
    ScriptStarted,
)
from python_runner.runner.project_run import run_project
from python_runner.runner.retention import delete_old_runs
from python_runner.runner.series import Series
from python_runner.runner.session import (
    Session,
    local_now,
    open_session,
)
from tests.support import GENEROUS, wait_until


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from python_runner.model import Run, ScriptResult
    from python_runner.runner.events import Event
    from tests.support import MakeProject, MakeResult


OK = "print('fine')"
BAD = "raise SystemExit(3)"
#: Succeeds at the third attempt; each one says which it is.
FLAKY = """
import pathlib
tries = pathlib.Path("tries")
count = int(tries.read_text()) + 1 if tries.exists() else 1
tries.write_text(str(count))
print("try", count)
assert count == 3
"""


@pytest.fixture
def events() -> list[Event]:
    """Return what the listener was told."""
    return []


@pytest.fixture
def session(events: list[Event]) -> Iterator[Session]:
    """Return a session that writes down its events."""
    with open_session(load_settings(), listener=events.append) as opened:
        yield opened


def outcomes(run: Run) -> dict[str, Outcome]:
    """Return the outcome of each script."""
    return {result.script: result.outcome for result in run.scripts}


def test_on_failure_stop_skips_the_rest_because_of_whom(
    make_project: MakeProject, session: Session
) -> None:
    """What comes after the failure is skipped, and each one says because of which."""
    folder = make_project(
        sources={"a.py": OK, "b.py": BAD, "c.py": OK, "d.py": OK}, on_failure="stop"
    )

    run = run_project(load_project(folder), session)

    assert outcomes(run) == {
        "a.py": Outcome.SUCCESS,
        "b.py": Outcome.FAILURE,
        "c.py": Outcome.SKIPPED,
        "d.py": Outcome.SKIPPED,
    }
    assert "b.py" in str(run.scripts[2].reason)
    assert "b.py" in str(run.scripts[3].reason)
    assert run.status is RunStatus.FAILURE


def test_a_graph_runs_side_by_side_and_in_order(
    make_project: MakeProject, session: Session, events: list[Event]
) -> None:
    """Two branches meet each other's file; the join starts when both are done."""
    meet = (
        "import pathlib, time\n"
        "pathlib.Path('{me}').touch()\n"
        "end = time.monotonic() + 20\n"
        "while not pathlib.Path('{other}').exists():\n"
        "    assert time.monotonic() < end\n"
        "    time.sleep(0.02)\n"
    )
    folder = make_project(
        sources={
            "join.py": OK,
            "left.py": meet.format(me="l", other="r"),
            "right.py": meet.format(me="r", other="l"),
            "first.py": OK,
        },
        scripts=[
            {"path": "join.py", "needs": ["left.py", "right.py"]},
            {"path": "left.py", "needs": ["first.py"]},
            {"path": "right.py", "needs": ["first.py"]},
            "first.py",
        ],
        max_parallel=4,
    )

    run = run_project(load_project(folder), session)

    assert run.status is RunStatus.SUCCESS
    assert [r.script for r in run.scripts] == [
        "join.py",
        "left.py",
        "right.py",
        "first.py",
    ]
    order = [e.script.name for e in events if isinstance(e, ScriptStarted)]
    assert order[0] == "first.py"
    assert order[3] == "join.py"


def test_what_needs_a_failure_is_skipped_all_the_way_down(
    make_project: MakeProject, session: Session
) -> None:
    """A failure skips its followers and nobody else."""
    folder = make_project(
        sources={"a.py": BAD, "b.py": OK, "c.py": OK, "free.py": OK},
        scripts=[
            "a.py",
            {"path": "b.py", "needs": ["a.py"]},
            {"path": "c.py", "needs": ["b.py"]},
            "free.py",
        ],
        max_parallel=2,
    )

    run = run_project(load_project(folder), session)

    assert [r.outcome.value for r in run.scripts] == [
        "failure",
        "skipped",
        "skipped",
        "success",
    ]
    assert "needs a.py" in str(run.scripts[1].reason)
    assert "needs b.py" in str(run.scripts[2].reason)


def test_output_of_parallel_scripts_never_mixes(
    make_project: MakeProject, session: Session
) -> None:
    """Each script's lines are in its own file, all of them and no others."""
    names = [f"s{n}.py" for n in range(4)]
    folder = make_project(
        sources={name: f"for i in range(3000): print({name!r}, i)" for name in names},
        max_parallel=4,
    )

    run = run_project(load_project(folder), session)

    for result in run.scripts:
        assert result.output is not None
        lines = result.output.read_text(encoding="utf-8").splitlines()
        assert lines == [f"{result.script} {i}" for i in range(3000)]


def test_retries_are_recorded_and_the_last_attempt_counts(
    make_project: MakeProject, session: Session, events: list[Event]
) -> None:
    """Two failures and a success are three attempts, one result and one log line."""
    folder = make_project(
        sources={"flaky.py": FLAKY}, retries=5, retry_delay=0.05, include_traceback=True
    )

    run = run_project(load_project(folder), session)
    (result,) = run.scripts

    assert result.outcome is Outcome.SUCCESS
    assert [a.outcome.value for a in result.attempts] == [
        "failure",
        "failure",
        "success",
    ]
    assert result.attempts[0].traceback is not None
    assert result.traceback is None
    assert result.output is not None
    assert result.output.read_text(encoding="utf-8").count("--- attempt ") == 2
    assert "try 1" in result.output.read_text(encoding="utf-8")
    log = (folder / "logs" / "project_1.log").read_text(encoding="utf-8")
    assert log.count("\n") == 1
    assert [e.attempt for e in events if isinstance(e, ScriptStarted)] == [1, 2, 3]
    assert session.store is not None
    kept = session.store.run(run.run_id)
    assert kept is not None
    assert [a.outcome for a in kept.scripts[0].attempts] == [
        a.outcome for a in result.attempts
    ]


def test_all_attempts_share_the_limit_of_the_output(
    make_project: MakeProject, session: Session
) -> None:
    """However often a flood is tried again, its file keeps to the limit."""
    source = "print('begin'); print('x' * 300_000); print('end'); raise SystemExit(1)"
    folder = make_project(
        sources={"flood.py": source},
        retries=3,
        retry_delay=0.05,
        output_limit=100_000,
    )

    (result,) = run_project(load_project(folder), session).scripts

    assert result.output
    text = result.output.read_text(encoding="utf-8")
    parts = re.split(r"--- attempt \d of 4 ---", text)
    assert len(parts) == 4
    assert all(p.lstrip().startswith("begin") for p in parts)
    assert all(p.rstrip().endswith("end") for p in parts)
    notes = "".join(re.findall(r"\n?\[\.\.\. .*\]\n|\n--- .* ---\n", text))
    assert 90_000 < len(text) <= 100_000 + len(notes)


def test_the_report_waits_for_the_last_attempt(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A script that succeeds at last is no failure to anybody."""
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(tmp_path / "mails"))
    folder = make_project(
        sources={"flaky.py": FLAKY},
        retries=2,
        retry_delay=0.05,
        recipients=["a@example.org"],
        email_strategy="failure_only",
    )

    with open_session(load_settings()) as session:
        run_project(load_project(folder), session)

    assert not list((tmp_path / "mails").glob("*"))


def test_a_stop_ends_the_wait_for_a_retry(
    make_project: MakeProject, events: list[Event]
) -> None:
    """Nobody waits an hour for a retry when the runner has to go."""
    folder = make_project(
        sources={"a.py": BAD, "b.py": OK}, retries=1, retry_delay="1h"
    )

    def stop_after_first_attempt(event: Event) -> None:
        events.append(event)
        if isinstance(event, AttemptEnded):
            threading.Timer(0.2, opened.stop.request).start()

    began = time.monotonic()
    with open_session(load_settings(), listener=stop_after_first_attempt) as opened:
        run = run_project(load_project(folder), opened)

    assert time.monotonic() - began < GENEROUS
    assert run.status is RunStatus.STOPPED
    assert [r.outcome.value for r in run.scripts] == ["failure", "skipped"]


def test_a_time_out_of_a_script_is_its_own(
    make_project: MakeProject, session: Session
) -> None:
    """The slow script is stopped at its limit, the next one runs."""
    folder = make_project(
        sources={"slow.py": "import time; time.sleep(60)", "b.py": OK},
        scripts=[{"path": "slow.py", "timeout": "1s"}, "b.py"],
    )

    run = run_project(load_project(folder), session)

    assert [r.outcome.value for r in run.scripts] == ["timeout", "success"]
    assert str(run.scripts[0].reason).startswith("timed out after 1")


def test_variables_arguments_and_their_order(
    make_project: MakeProject, session: Session
) -> None:
    """env_file, then env, then the script's own env; args as they are written."""
    source = (
        "import os, sys\n"
        "print([os.environ.get(n) for n in 'ABC'], sys.argv[1:])\n"
        "print(os.environ['PYTHON_RUNNER_RUN_ID'])\n"
    )
    folder = make_project(
        sources={"a.py": source},
        scripts=[{"path": "a.py", "env": {"C": "own"}, "args": ["x y", "é", ""]}],
        env={"B": "project", "C": "project"},
        env_file="v.env",
    )
    (folder / "v.env").write_text("A=file\nB=file\nC=file\n", encoding="utf-8")

    run = run_project(load_project(folder), session)

    assert run.scripts[0].output is not None
    output = run.scripts[0].output.read_text(encoding="utf-8")
    assert output.splitlines() == [
        "['file', 'project', 'own'] ['x y', 'é', '']",
        run.run_id,
    ]


def test_output_is_kept_for_its_days_and_no_longer(
    make_project: MakeProject,
) -> None:
    """Old run folders go, retroactively when the setting shrinks."""
    folder = make_project(output_keep_days=2)
    start = local_now()
    for days in range(5):
        moment = start + timedelta(days=days)
        clock = partial(datetime.astimezone, moment)
        with open_session(load_settings(), now=clock) as session:
            run_project(load_project(folder), session)

    kept = [path.name[:10] for path in sorted((folder / "logs" / "runs").iterdir())]

    assert kept == [
        (start + timedelta(days=days)).strftime("%Y-%m-%d") for days in (3, 4)
    ]


@pytest.mark.fault(
    "streams",
    "A listener of the library raises",
    "The run goes on.",
)
@pytest.mark.parametrize("error", [RuntimeError, SystemExit, KeyboardInterrupt])
def test_a_listener_never_breaks_the_work(
    make_project: MakeProject, error: type[BaseException]
) -> None:
    """A listener that raises changes nothing."""

    def broken(_event: Any) -> None:
        raise error

    with open_session(load_settings(), listener=broken) as session:
        run = run_project(load_project(make_project()), session)

    assert run.status is RunStatus.SUCCESS


@pytest.mark.fault(
    "streams",
    "A listener of the library does not return",
    "The run waits for it two seconds, once, and goes on.",
)
def test_a_listener_that_blocks_holds_up_no_script(make_project: MakeProject) -> None:
    """A pipe that nobody reads keeps the listener; the scripts go on, and the run ends."""
    events: list[Any] = []
    reads = threading.Event()

    def blocked(event: Any) -> None:
        reads.wait(60)
        events.append(event)

    folder = make_project(sources=dict.fromkeys(("a.py", "b.py"), OK))
    with open_session(load_settings(), listener=blocked) as session:
        run = run_project(load_project(folder), session)
        told_before_it_ended = list(events)

    assert run.status is RunStatus.SUCCESS
    assert not told_before_it_ended
    reads.set()
    wait_until(lambda: bool(events) and isinstance(events[-1], RunEnded))
    assert [type(event) for event in events] == [
        *(RunStarted, ScriptStarted, ScriptEnded, ScriptStarted, ScriptEnded, RunEnded)
    ]


def _as_file(path: Path) -> None:
    path.touch()


def _as_loop(path: Path) -> None:
    path.symlink_to(path.name)


BLOCKED = [
    ("logs", _as_file, errno.ENOTDIR),
    ("logs/runs", _as_file, errno.ENOTDIR),
    pytest.param("logs", _as_loop, errno.ENOTDIR, marks=pytest.mark.posix),
    pytest.param("logs/runs", _as_loop, errno.ENOTDIR, marks=pytest.mark.posix),
]


@pytest.mark.parametrize(("blocked", "block", "reason"), BLOCKED)
def test_output_that_cannot_lie_beside_the_log_lies_in_the_state_folder(
    make_project: MakeProject,
    session: Session,
    blocked: str,
    block: Callable[[Path], None],
    reason: int,
) -> None:
    """Everybody is told where it is and why, and it is deleted when its days are over."""
    folder = make_project(sources={"a.py": OK, "b.py": BAD})
    (folder / blocked).parent.mkdir(exist_ok=True)
    block(folder / blocked)
    project = load_project(folder)

    run = run_project(project, session)

    instead = private_logs(session.settings.home, folder)
    (warning,) = (w for w in map(str, run.warnings) if "output" in w)
    assert warning.startswith(f"the output of the scripts is in {instead}")
    assert f"{folder / 'logs'}: " in warning
    if sys.platform != "win32":  # which has other words
        assert warning.endswith(os.strerror(reason))
    for result in run.scripts:
        assert result.output
        assert result.output.is_relative_to(instead)
        assert not result.warnings
        assert result.output.exists()
    assert session.store
    kept = session.store.run(run.run_id)
    assert kept
    assert [r.output for r in kept.scripts] == [r.output for r in run.scripts]
    later = replace(session, now=lambda: run.started_at + timedelta(days=31))
    again = run_project(project, later)
    left = [path.name[-13:] for path in (instead / "runs").iterdir()]
    assert left == [again.run_id]


def test_events_come_in_their_order(
    make_project: MakeProject, session: Session, events: list[Event]
) -> None:
    """Run started, script started and ended for each, run ended."""
    folder = make_project(sources={"a.py": OK, "b.py": BAD})

    run = run_project(load_project(folder), session)

    assert [type(event).__name__ for event in events] == [
        "RunStarted",
        "ScriptStarted",
        "ScriptEnded",
        "ScriptStarted",
        "ScriptEnded",
        "RunEnded",
    ]
    assert isinstance(events[2], ScriptEnded)
    assert events[2].result.script == "a.py"
    assert isinstance(events[-1], RunEnded)
    assert events[-1].run == run


@pytest.mark.fault(
    "machine",
    "The project's folder vanishes during a run",
    "The scripts that cannot start are results; the run is closed.",
)
def test_a_missing_project_folder_in_the_middle(
    make_project: MakeProject, session: Session
) -> None:
    """A folder that vanishes after it was read is a result, not an exception."""
    folder = make_project()
    project = load_project(folder)
    os.rename(folder, folder.with_name("moved"))  # noqa: PTH104

    run = run_project(project, session)

    assert run.scripts[0].outcome is Outcome.NOT_STARTED


def test_records_are_thinned_by_age(make_project: MakeProject) -> None:
    """keep_days forgets old runs and keeps the others; without it all are kept."""
    project = load_project(make_project())
    start = local_now()
    for days in (0, 5):
        clock = partial(datetime.astimezone, start + timedelta(days=days))
        with open_session(load_settings(), now=clock) as opened:
            run_project(project, opened)
            delete_old_runs(opened, None)
            assert opened.store is not None
            assert len(opened.store.runs()) == (1 if days == 0 else 2)
            delete_old_runs(opened, 3)
            assert len(opened.store.runs()) == 1


def test_a_place_that_is_free_is_taken_while_a_script_runs(
    make_result: MakeResult,
) -> None:
    """Of two places one stays taken; the other goes from script to script meanwhile."""
    third_began = threading.Event()
    seen: list[bool] = []

    def execute(script: Script) -> ScriptResult:
        if script.name == "slow.py":
            seen.append(third_began.wait(GENEROUS))
        elif script.name == "third.py":
            third_began.set()
        return make_result(script.name)

    scripts = [
        Script(name=name, path=name) for name in ("slow.py", "second.py", "third.py")
    ]
    recorded: list[str] = []
    results = Series(
        scripts=scripts,
        on_failure=OnFailure.CONTINUE,
        max_parallel=2,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda ended: recorded.extend(result.script for result in ended),
        stopping=lambda: False,
    ).run()

    assert seen == [True]
    assert recorded[0] == "second.py"
    assert [result.script for result in results] == [s.name for s in scripts]


def test_what_ends_meanwhile_is_recorded_at_once(make_result: MakeResult) -> None:
    """While one end waits for the disk others come: they wait for it once, together."""
    begun = threading.Barrier(8)
    ended = threading.Semaphore(0)

    def execute(script: Script) -> ScriptResult:
        begun.wait(GENEROUS)
        if script.name != "0.py":
            # Its end lies before that of what is being recorded.
            assert recording.wait(GENEROUS)
        ended.release()
        return make_result(script.name)

    recording = threading.Event()
    recorded: list[list[str]] = []

    def record(results: Sequence[ScriptResult]) -> None:
        recorded.append([result.script for result in results])
        recording.set()
        if len(recorded) == 1:
            for _ in range(8):
                assert ended.acquire(timeout=GENEROUS)
            # What is left of their threads is to tell that they are done.
            time.sleep(0.1)

    Series(
        scripts=[Script(name=f"{n}.py", path=f"{n}.py") for n in range(8)],
        on_failure=OnFailure.CONTINUE,
        max_parallel=8,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=record,
        stopping=lambda: False,
    ).run()

    assert recorded[0] == ["0.py"]
    assert sorted(name for group in recorded for name in group) == [
        f"{n}.py" for n in range(8)
    ]
    assert len(recorded) < 8


def test_what_is_skipped_is_recorded_at_once(make_result: MakeResult) -> None:
    """Thousands of scripts that are not started cost one transaction."""
    recorded: list[int] = []
    Series(
        scripts=[Script(name=f"{n}.py", path=f"{n}.py") for n in range(1000)],
        on_failure=OnFailure.STOP,
        max_parallel=1,
        execute=lambda script: make_result(script.name, Outcome.FAILURE),
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda results: recorded.append(len(results)),
        stopping=lambda: False,
    ).run()
    assert recorded == [1, 999]


@pytest.mark.parametrize("in_main", [True, False])
@pytest.mark.parametrize("places", [1, 2, 3])
def test_so_many_scripts_run_at_once_whoever_calls(
    make_result: MakeResult, places: int, *, in_main: bool
) -> None:
    """Never in the main thread; one after the other they run in the calling one."""
    together = threading.Barrier(places)
    threads: list[threading.Thread] = []

    def execute(script: Script) -> ScriptResult:
        together.wait(GENEROUS)
        threads.append(threading.current_thread())
        return make_result(script.name)

    scripts = [Script(name=f"{n}.py", path=f"{n}.py") for n in range(2 * places)]
    recorded: list[str] = []
    series = Series(
        scripts=scripts,
        on_failure=OnFailure.CONTINUE,
        max_parallel=places,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda ended: recorded.extend(result.script for result in ended),
        stopping=lambda: False,
    )
    caller = threading.main_thread()
    if in_main:
        series.run()
    else:
        caller = threading.Thread(target=series.run)
        caller.start()
        caller.join(GENEROUS)

    assert sorted(recorded) == [script.name for script in scripts]
    assert threading.main_thread() not in threads
    assert (caller in threads) is (places == 1 and not in_main)


@pytest.mark.parametrize("in_main", [True, False])
def test_what_may_start_next_is_prepared_while_a_script_runs(
    make_result: MakeResult, *, in_main: bool
) -> None:
    """At each start those that follow, whoever calls."""
    prepared: list[list[str]] = []
    meanwhile: list[str] = []

    def execute(script: Script) -> ScriptResult:
        # What follows is prepared while it runs.
        wait_until(lambda: len(prepared) > "abc".index(script.name[0]))
        meanwhile.append(script.name)
        return make_result(script.name)

    series = Series(
        scripts=[Script(name=name, path=name) for name in ("a.py", "b.py", "c.py")],
        on_failure=OnFailure.CONTINUE,
        max_parallel=1,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda _results: None,
        stopping=lambda: False,
        prepare=lambda scripts: prepared.append([script.name for script in scripts]),
    )
    if in_main:
        series.run()
    else:
        caller = threading.Thread(target=series.run)
        caller.start()
        caller.join(GENEROUS)

    assert meanwhile == ["a.py", "b.py", "c.py"]
    assert prepared == [["b.py"], ["c.py"], []]


def test_what_ends_is_recorded_with_what_starts_next(make_result: MakeResult) -> None:
    """One after the other: the first start alone, each end with the next start."""
    told: list[tuple[list[str], list[str]]] = []

    def begin(ended: Sequence[ScriptResult], starting: Sequence[Script]) -> None:
        told.append(([r.script for r in ended], [s.name for s in starting]))

    def execute(script: Script) -> ScriptResult:
        assert script.name in told[-1][1]
        failed = script.name == "c.py"
        return make_result(script.name, Outcome.FAILURE if failed else Outcome.SUCCESS)

    results = Series(
        scripts=[Script(name=f"{name}.py", path=f"{name}.py") for name in "abcd"],
        on_failure=OnFailure.STOP,
        max_parallel=1,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda ended: told.append(([r.script for r in ended], [])),
        stopping=lambda: False,
        begin=begin,
    ).run()

    assert told == [
        ([], ["a.py"]),
        (["a.py"], ["b.py"]),
        (["b.py"], ["c.py"]),
        (["c.py"], []),
        (["d.py"], []),
    ]
    assert [result.outcome for result in results][2:] == [
        Outcome.FAILURE,
        Outcome.SKIPPED,
    ]


def test_a_stop_while_an_end_is_recorded_starts_nothing(
    make_result: MakeResult,
) -> None:
    """Also where the next script's begin is recorded with it."""
    ran: list[str] = []
    stopped: list[bool] = []

    def begin(ended: Sequence[ScriptResult], _starting: Sequence[Script]) -> None:
        stopped.extend(True for _ in ended)

    def execute(script: Script) -> ScriptResult:
        ran.append(script.name)
        return make_result(script.name)

    results = Series(
        scripts=[Script(name=f"{name}.py", path=f"{name}.py") for name in "abc"],
        on_failure=OnFailure.CONTINUE,
        max_parallel=1,
        execute=execute,
        not_started=lambda script, _reason, outcome: make_result(script.name, outcome),
        record=lambda _ended: None,
        stopping=lambda: bool(stopped),
        begin=begin,
    ).run()

    assert ran == ["a.py"]
    assert [r.outcome for r in results] == [
        Outcome.SUCCESS,
        Outcome.SKIPPED,
        Outcome.SKIPPED,
    ]
