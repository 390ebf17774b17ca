from __future__ import annotations

from dataclasses import replace

import pytest

from python_runner.model import (
    Comparison,
    EmailStrategy,
    Outcome,
    RunStatus,
    Streak,
    Traceback,
)
from python_runner.report.context import ReportContext
from python_runner.report.subject import SCRIPT, SUBJECT, subject_of
from python_runner.texts.sentence import Sentence
from tests.support import NOW, MakeResult, MakeRun


pytestmark = pytest.mark.pure

LONG_SCRIPT = "s" * 150 + ".py"
LONG_ERROR = "KeyError: " + "e" * 400


def context(**comparisons: Comparison) -> ReportContext:
    """Return what an English report is made from."""
    return ReportContext(
        strategy=EmailStrategy.ALL,
        language="en",
        host="PC-7",
        comparisons={f"{name}.py": found for name, found in comparisons.items()},
    )


def error(text: str) -> Traceback:
    """Return a traceback with this exception."""
    return Traceback(text=text, exception=text)


def test_a_long_script_and_a_long_exception_share_the_subject(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """Of the script its ends are shown, of the exception what room is left."""
    failed = make_result(LONG_SCRIPT, Outcome.FAILURE, traceback=error(LONG_ERROR))
    subject = subject_of(make_run(failed), context())

    script, headline = subject.removeprefix("[project_1] failed: ").split(" - ")
    assert len(script) == SCRIPT
    assert script.startswith("sss")
    assert script.endswith("s.py")
    assert headline.startswith("KeyError: eee")
    assert headline.endswith("e… (PC-7)")
    assert len(subject) == SUBJECT


def test_the_end_of_a_subject_is_never_cut(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """How often it failed so, how many others, and where, stand behind any exception."""
    failed = make_result("a.py", Outcome.FAILURE, traceback=error(LONG_ERROR))
    other = make_result("b.py", Outcome.FAILURE, number=2)
    again = Comparison(same=Streak(count=2, since=NOW))
    subject = subject_of(make_run(failed, other), context(a=again))

    assert subject.startswith("[project_1] failed: a.py - KeyError: eee")
    assert subject.endswith("e… (3rd time, +1) (PC-7)")
    assert len(subject) == SUBJECT


def test_an_exception_keeps_thirty_characters(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """However long the names of project, script and computer are."""
    failed = make_result(LONG_SCRIPT, Outcome.FAILURE, traceback=error(LONG_ERROR))
    found = replace(context(), host="h" * 90)
    subject = subject_of(make_run(failed, project="p" * 90), found)

    assert len(subject.split(" - ")[1].partition(" (")[0]) >= 30
    assert subject.endswith("h…)")
    assert len(subject) == SUBJECT


@pytest.mark.parametrize(
    ("exception", "told"),
    [
        ("json.decoder.JSONDecodeError: Expecting value", "JSONDecodeError: Expecting"),
        ("a.b.<locals>.Odd: x", "Odd: x"),
        ("KeyError: 'a'", "KeyError: 'a'"),
        ("no rows", "no rows"),
    ],
)
def test_a_subject_has_no_room_for_modules(
    exception: str, told: str, make_run: MakeRun, make_result: MakeResult
) -> None:
    """The class and its message are what a telephone has room for."""
    failed = make_result("a.py", Outcome.FAILURE, traceback=error(exception))

    assert f"a.py - {told}" in subject_of(make_run(failed), context())


def test_an_interrupted_script_is_named(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """Its runner died: what it was doing then is what there is to know."""
    results = (
        make_result("a.py"),
        make_result("b.py", Outcome.INTERRUPTED, number=2),
    )
    run = make_run(*results, status=RunStatus.INTERRUPTED)

    assert subject_of(run, context()) == "[project_1] interrupted: b.py (PC-7)"


def test_a_recovery_has_the_count_and_the_ends_of_the_script(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """The first that has recovered is named, the others are counted."""
    good = make_result(LONG_SCRIPT)
    more = make_result("b.py", number=2)
    streak = Comparison(recovered=Streak(count=3, since=NOW))
    found = {LONG_SCRIPT.removesuffix(".py"): streak, "b": streak}
    subject = subject_of(make_run(good, more), context(**found))

    head, tail = "[project_1] recovered: ", ".py after 3 failures (+1) (PC-7)"
    assert subject.startswith(head)
    assert subject.endswith(tail)
    assert len(subject) == len(head) + SCRIPT + len(tail) - len(".py")


def test_only_a_success_is_a_recovery(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """A run that was stopped says so, whatever has recovered in it."""
    streak = Comparison(recovered=Streak(count=1, since=NOW))
    run = make_run(make_result("a.py"), status=RunStatus.STOPPED)

    assert subject_of(run, context(a=streak)).startswith("[project_1] stopped after ")


def test_a_long_subject_is_cut(make_run: MakeRun) -> None:
    """What keeps a run from starting may be of any length."""
    error = Sentence.of("{x}", x="e" * 900)
    run = make_run(project="p" * 300, status=RunStatus.NOT_STARTED, error=error)

    assert len(subject_of(run, context())) == SUBJECT


def test_a_run_that_was_skipped_says_why_where_that_is_known(make_run: MakeRun) -> None:
    """A run that is active is told without the marks of its process."""
    active = Sentence.of("{run_id} since {since}", run_id="abc", since="06:00")
    for error, told in ((active, "has been active since 06:00"), (None, "skipped: ")):
        run = make_run(status=RunStatus.SKIPPED, error=error)
        assert told in subject_of(run, context())
        assert "abc" not in subject_of(run, context())
