from __future__ import annotations

import pytest

from python_runner.model import (
    Comparison,
    EmailStrategy,
    Outcome,
    RunStatus,
    Streak,
    Traceback,
)
from python_runner.report.subject import SUBJECT, subject_of
from python_runner.report.view import LINE, ReportContext
from tests.support import NOW, MakeResult, MakeRun


pytestmark = pytest.mark.pure

LONG_SCRIPT = "s" * 150 + ".py"
LONG_ERROR = "KeyError: " + "e" * 400


def context(**comparisons: Comparison) -> ReportContext:
    """Return what an English report is made from."""
    return ReportContext(
        strategy=EmailStrategy.ALL,
        language="en",
        comparisons={f"{name}.py": found for name, found in comparisons.items()},
    )


def error(text: str) -> Traceback:
    """Return a traceback with this exception."""
    return Traceback(text=text, exception=text)


def test_a_long_script_and_a_long_exception_share_the_subject(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """Of the script half a line is shown, of the exception what room is left."""
    failed = make_result(LONG_SCRIPT, Outcome.FAILURE, traceback=error(LONG_ERROR))
    subject = subject_of(make_run(failed), context())

    script, headline = subject.removeprefix("[project_1] failed: ").split(" - ")
    assert len(script) == LINE // 2
    assert script.startswith("sss")
    assert len(headline) == 41 == SUBJECT - len("project_1") - LINE // 2 - 30
    assert headline.startswith("KeyError: eee")


def test_a_short_script_leaves_the_room_to_the_exception(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """With the count of the others and whether it is new the subject is still whole."""
    failed = make_result("a.py", Outcome.FAILURE, traceback=error(LONG_ERROR))
    other = make_result("b.py", Outcome.FAILURE, number=2)
    subject = subject_of(make_run(failed, other), context(a=Comparison(new=True)))

    room = SUBJECT - len("project_1") - len("a.py") - len("new") - 30
    head = "[project_1] failed (new): a.py - KeyError: "
    assert subject.startswith(head)
    assert subject.endswith("… (+1)")
    assert len(subject) == len(head) - len("KeyError: ") + room + len(" (+1)")
    assert len(subject) <= SUBJECT


def test_an_exception_keeps_forty_characters(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """However long the names of project and script are."""
    failed = make_result(LONG_SCRIPT, Outcome.FAILURE, traceback=error(LONG_ERROR))
    project = "p" * 20
    subject = subject_of(make_run(failed, project=project), context())

    assert len(subject.split(" - ")[1]) == 40


def test_a_recovery_has_the_count_and_half_a_line_of_the_script(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """The first that has recovered is named, the others are counted."""
    good = make_result(LONG_SCRIPT)
    more = make_result("b.py", number=2)
    streak = Comparison(recovered=Streak(count=3, since=NOW))
    found = {LONG_SCRIPT.removesuffix(".py"): streak, "b": streak}
    subject = subject_of(make_run(good, more), context(**found))

    head, tail = "[project_1] recovered: ", " after 3 failures (+1)"
    assert subject.startswith(head)
    assert subject.endswith(tail)
    assert len(subject) == len(head) + LINE // 2 + len(tail)


def test_only_a_success_is_a_recovery(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """A run that was stopped says so, whatever has recovered in it."""
    streak = Comparison(recovered=Streak(count=1, since=NOW))
    run = make_run(make_result("a.py"), status=RunStatus.STOPPED)

    assert subject_of(run, context(a=streak)).startswith("[project_1] stopped after ")


def test_a_long_subject_is_cut(make_run: MakeRun) -> None:
    """What keeps a run from starting may be of any length."""
    run = make_run(project="p" * 300)

    assert len(subject_of(run, context())) == SUBJECT
