from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner import policy
from python_runner.exit_codes import EXIT_DOCUMENT, EXIT_REPORT
from python_runner.model import (
    Attempt,
    EmailStrategy,
    MailStatus,
    OnFailure,
    Outcome,
    Run,
    RunStatus,
    Script,
    ScriptResult,
)
from python_runner.texts.sentence import Sentence
from tests.support import NOW, examples


def result(name: str, outcome: Outcome = Outcome.SUCCESS) -> ScriptResult:
    """Return a result with little else than an outcome."""
    return ScriptResult(
        script=name, run_id="0" * 13, number=1, outcome=outcome, started_at=NOW
    )


def run(
    status: RunStatus = RunStatus.SUCCESS,
    *results: ScriptResult,
    mail: MailStatus = MailStatus.NONE,
) -> Run:
    """Return a run of a project."""
    return Run(
        run_id="0" * 13,
        project="p",
        path=Path("p"),
        status=status,
        started_at=NOW,
        duration=1.0,
        scripts=results,
        mail_status=mail,
    )


def step(
    scripts: list[Script],
    ended: dict[str, Outcome] | None = None,
    running: tuple[str, ...] = (),
    *,
    on_failure: OnFailure = OnFailure.CONTINUE,
    parallel: int = 1,
    stopping: bool = False,
) -> tuple[list[str], dict[str, str]]:
    """Ask for the next step; return names to start and reasons to skip."""
    schedule = policy.Schedule(scripts, on_failure=on_failure, max_parallel=parallel)
    for name in running:
        schedule.begin(name)
    for name, outcome in (ended or {}).items():
        schedule.end(result(name, outcome))
    decided = schedule.next(stopping=stopping)
    return (
        [script.name for script in decided.start],
        {script.name: str(reason) for script, reason in decided.skip},
    )


A, B, C = (Script(name=n, path=n) for n in "abc")
B_NEEDS_A = Script(name="b", path="b", needs=("a",))
C_NEEDS_B = Script(name="c", path="c", needs=("b",))


def test_a_plain_series_runs_in_order() -> None:
    """One script at a time, in the order of the series, whatever the outcomes."""
    assert step([A, B, C]) == (["a"], {})
    assert step([A, B, C], running=("a",)) == ([], {})
    assert step([A, B, C], {"a": Outcome.FAILURE}) == (["b"], {})
    assert step([A, B, C], dict.fromkeys("abc", Outcome.SUCCESS)) == ([], {})


def test_places_are_filled_in_order() -> None:
    """With two places two scripts start, and the next when one is free."""
    assert step([A, B, C], parallel=2) == (["a", "b"], {})
    assert step([A, B, C], running=("a", "b"), parallel=2) == ([], {})
    assert step([A, B, C], {"b": Outcome.SUCCESS}, ("a",), parallel=2) == (["c"], {})


def test_a_script_waits_for_what_it_needs() -> None:
    """An order against the list is respected, and free places stay free."""
    assert step([C_NEEDS_B, B_NEEDS_A, A], parallel=3) == (["a"], {})
    assert step([C_NEEDS_B, B_NEEDS_A, A], {"a": Outcome.SUCCESS}, parallel=3) == (
        ["b"],
        {},
    )


def test_what_needs_a_failure_is_skipped_because_of_it() -> None:
    """The reason names the script that did not succeed, link by link."""
    start, skip = step([A, B_NEEDS_A, C], {"a": Outcome.TIMEOUT})

    assert start == ["c"]
    assert skip == {"b": "it needs a, which did not succeed"}
    _start, skip = step(
        [A, B_NEEDS_A, C_NEEDS_B], {"a": Outcome.FAILURE, "b": Outcome.SKIPPED}
    )
    assert skip == {"c": "it needs b, which did not succeed"}


def test_stop_skips_the_rest_because_of_the_failure() -> None:
    """on_failure stop gives up all that has not started, and says because of whom."""
    start, skip = step([A, B, C], {"a": Outcome.FAILURE}, on_failure=OnFailure.STOP)

    assert start == []
    assert set(skip) == {"b", "c"}
    assert "a failed" in skip["b"]


def test_a_stopped_run_starts_nothing() -> None:
    """After a signal every waiting script is given up."""
    start, skip = step([A, B], running=("a",), stopping=True)

    assert start == []
    assert skip == {"b": "the run was stopped before"}


@given(data=st.data())
@examples(300)
def test_a_whole_series_goes_as_its_rules_say(data: st.DataObject) -> None:
    """At each step of any graph: who may start starts, and who may not is skipped."""
    count = data.draw(st.integers(0, 8))
    names = [f"s{i}" for i in range(count)]
    order = data.draw(st.permutations(names))
    scripts = [
        Script(
            name=name,
            path=name,
            needs=tuple(
                n for n in order[: order.index(name)] if data.draw(st.booleans())
            ),
        )
        for name in names
    ]
    on_failure = data.draw(st.sampled_from(OnFailure))
    most = data.draw(st.integers(1, 3))
    schedule = policy.Schedule(scripts, on_failure=on_failure, max_parallel=most)
    ended: dict[str, Outcome] = {}
    running: list[str] = []
    stopping = False
    for _step in range(3 * count + 2):
        stopping = stopping or data.draw(st.integers(0, 9)) == 0
        decided = schedule.next(stopping=stopping)

        waiting = [s for s in scripts if s.name not in (*ended, *running)]
        failed = [name for name, outcome in ended.items() if not outcome.succeeded]
        stops = stopping or (on_failure is OnFailure.STOP and bool(failed))
        skipped = [s for s in waiting if stops or set(failed) & set(s.needs)]
        assert [script for script, _reason in decided.skip] == skipped
        may = [s for s in waiting if s not in skipped and ended.keys() >= set(s.needs)]
        assert list(decided.start) == may[: most - len(running)]

        for script in skipped:
            ended[script.name] = Outcome.SKIPPED
            schedule.end(result(script.name, Outcome.SKIPPED))
        running += [script.name for script in decided.start]
        if running:
            name = running.pop(data.draw(st.integers(0, len(running) - 1)))
            ended[name] = data.draw(
                st.sampled_from([Outcome.SUCCESS, Outcome.SUCCESS, Outcome.FAILURE])
            )
            schedule.end(result(name, ended[name]))
    assert sorted(ended) == names


@pytest.mark.parametrize(
    ("base", "attempts", "wait"),
    [(30, 1, 30), (30, 2, 60), (30, 4, 240), (30, 20, 3600), (7200, 3, 7200)],
)
def test_the_wait_doubles_up_to_an_hour(
    base: float, attempts: int, wait: float
) -> None:
    """Back-off has a ceiling, unless the user asked for more from the start."""
    assert policy.retry_wait(base, attempts) == wait


@pytest.mark.parametrize(
    ("outcome", "transient", "again"),
    [
        (Outcome.SUCCESS, False, False),
        (Outcome.FAILURE, False, True),
        (Outcome.TIMEOUT, False, True),
        (Outcome.STOPPED, False, False),
        (Outcome.NOT_STARTED, False, False),
        (Outcome.NOT_STARTED, True, True),
    ],
)
def test_what_deserves_another_attempt(
    outcome: Outcome, transient: bool, again: bool
) -> None:
    """What the script itself did may go better next time, and so may a full system."""
    attempt = Attempt(
        outcome=outcome,
        exit_code=None,
        started_at=NOW,
        duration=0.0,
        transient=transient,
    )
    assert policy.deserves_retry(attempt) is again


def test_a_run_is_judged_by_its_scripts() -> None:
    """One script that did not succeed makes a failure; a signal makes it stopped."""
    good, bad = result("a"), result("b", Outcome.NOT_STARTED)

    assert policy.run_status([good], stopped=False) is RunStatus.SUCCESS
    assert policy.run_status([good, bad], stopped=False) is RunStatus.FAILURE
    assert policy.run_status([good], stopped=True) is RunStatus.STOPPED


@pytest.mark.parametrize(
    ("strategy", "failing", "due", "named"),
    [
        (EmailStrategy.ALL, False, True, ["a"]),
        (EmailStrategy.ALL, True, True, ["a", "b"]),
        (EmailStrategy.FAILURE_ONLY, False, False, []),
        (EmailStrategy.FAILURE_ONLY, True, True, ["b"]),
        (EmailStrategy.NONE, True, False, []),
        (EmailStrategy.NONE, False, False, []),
    ],
)
def test_the_three_strategies(
    strategy: EmailStrategy, failing: bool, due: bool, named: list[str]
) -> None:
    """All tells everything, failure_only the failed alone and only then, none nothing."""
    results = [result("a")] + ([result("b", Outcome.FAILURE)] if failing else [])
    status = RunStatus.FAILURE if failing else RunStatus.SUCCESS
    one = run(status, *results)

    assert policy.mail_due(one, strategy) is due
    assert [r.script for r in policy.reported_scripts(one, strategy)] == named


@pytest.mark.parametrize(
    ("strategy", "due", "named"),
    [
        (EmailStrategy.ALL, (True, True), ["a", "b"]),
        (EmailStrategy.FAILURE_ONLY, (False, True), ["b"]),
        (EmailStrategy.NONE, (False, False), []),
    ],
)
def test_an_unusual_success_is_mailed_where_failures_are(
    strategy: EmailStrategy, due: tuple[bool, bool], named: list[str]
) -> None:
    """Only where somebody wants to be told of what has become unusual."""
    odd = replace(result("b"), unusual=(Sentence.of("odd"),))
    one = run(RunStatus.SUCCESS, result("a"), odd)
    told = tuple(policy.mail_due(one, strategy, unusual=u) for u in (False, True))
    assert told == due
    assert [r.script for r in policy.reported_scripts(one, strategy)] == named
    assert policy.exit_code([one]) == 0


OK = run()
BAD = run(RunStatus.FAILURE)


@pytest.mark.parametrize(
    ("runs", "signal", "code"),
    [
        ([], None, 0),
        ([OK, OK], None, 0),
        ([OK, BAD], None, 1),
        ([OK, run(RunStatus.INTERRUPTED)], None, 1),
        ([run(RunStatus.STOPPED)], None, 143),
        ([run(RunStatus.STOPPED), run(RunStatus.NOT_STARTED)], None, 143),
        ([BAD, run(RunStatus.NOT_STARTED)], None, 2),
        ([OK, run(RunStatus.SKIPPED)], None, 3),
        ([OK, replace(run(RunStatus.SKIPPED), day_off=True)], None, 0),
        ([BAD, run(RunStatus.SKIPPED)], None, 1),
        ([OK, run(mail=MailStatus.FAILED)], None, 4),
        ([OK, run(mail=MailStatus.QUEUED)], None, 0),
        ([BAD, run(mail=MailStatus.FAILED)], None, 1),
        ([BAD], "SIGINT", 130),
        ([OK], "SIGBREAK", 130),
        ([OK], "SIGTERM", 143),
        ([OK], "SIGHUP", 143),
    ],
)
def test_exit_codes(runs: list[Run], signal: str | None, code: int) -> None:
    """What concerns a whole project outweighs a script, which outweighs a mail."""
    assert policy.exit_code(runs, signal=signal) == code
    # A lost report of an earlier run weighs as much as one of this run's.
    given_up = policy.exit_code(runs, signal=signal, given_up=True)
    assert given_up == (code or EXIT_REPORT)
    # What outweighs everything else is outweighed by nothing that is lost after it.
    lost = partial(policy.exit_code, runs, signal=signal, document_lost=True)
    assert lost() == (code or EXIT_DOCUMENT)
    assert lost(given_up=True) == given_up


def test_the_documents_have_the_public_keys() -> None:
    """The JSON of a run and of a script holds exactly the contract's keys."""
    one = ScriptResult(
        script="a.py",
        run_id="0" * 13,
        number=1,
        outcome=Outcome.FAILURE,
        started_at=NOW,
        duration=1.23456,
        attempts=(
            Attempt(
                outcome=Outcome.FAILURE,
                exit_code=1,
                started_at=NOW,
                duration=1.0,
                peak_memory=9_000_000,
                cpu_seconds=0.25,
            ),
            Attempt(
                outcome=Outcome.FAILURE,
                exit_code=3,
                started_at=NOW,
                duration=1.0,
                peak_memory=8_000_000,
                cpu_seconds=0.5,
            ),
            Attempt(outcome=Outcome.FAILURE, exit_code=3, started_at=NOW, duration=1.0),
        ),
    )

    document = run(RunStatus.FAILURE, one).to_document()

    assert list(document) == [
        "run_id",
        "project",
        "path",
        "status",
        "started_at",
        "duration_seconds",
        "error",
        "mail",
        "mail_reason",
        "warnings",
        "interpreter",
        "interpreter_version",
        "computer",
        "account",
        "packages",
        "variables",
        "scripts",
    ]
    assert document["scripts"] == [
        {
            "script": "a.py",
            "status": "failure",
            "success": False,
            "exit_code": 3,
            "attempts": 3,
            "started_at": "2026-11-23T09:51:58+00:00",
            "duration_seconds": 1.235,
            "exception": None,
            "place": None,
            "hint": None,
            "traceback": None,
            "output": None,
            "warnings": [],
            "unusual": [],
            "peak_memory_bytes": 9_000_000,
            "cpu_seconds": 0.75,
            "output_bytes": None,
            "output_lines": None,
            "log_warnings": None,
            "log_errors": None,
            "log_criticals": None,
            "numbers": None,
            "files": None,
            "sources": None,
        }
    ]


def test_a_message_is_given_up_five_days_after_it_was_queued() -> None:
    """Until then it is tried again, after the wait that the server asks for at most."""
    second = timedelta(seconds=1)
    for late in (policy.DELIVERY_LIFE, policy.DELIVERY_LIFE + second):
        assert policy.next_try(NOW, 9, NOW + late) is None
    before = NOW + policy.DELIVERY_LIFE - second
    assert policy.next_try(NOW, 1, before) == before + policy.DELIVERY_WAIT
    assert policy.next_try(NOW, 1, NOW, asked=1e9) == NOW + policy.DELIVERY_ASKED
