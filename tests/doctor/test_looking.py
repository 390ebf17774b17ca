"""Checks are done at the same time, and none of them keeps the others from being told."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.doctor import kinds
from python_runner.doctor.finding import Check, Finding
from python_runner.doctor.looking import do_checks
from python_runner.texts.sentence import Sentence
from tests.support import GENEROUS, allow_threads


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.portable("waits for threads")


def check(look: Callable[[], list[Finding]], subject: str = "disk") -> Check:
    """Return a check of a project."""
    return Check(subject=Sentence.of(subject), look=look, project=Path("p"))


def found(summary: str) -> list[Finding]:
    """Return one finding."""
    return [Finding.of(kinds.READY, Path("p"), summary=summary)]


def explain(error: Exception) -> Sentence:
    """Return what an error says."""
    return Sentence.of("{error}", error=str(error))


def test_what_is_found_comes_in_the_order_of_the_checks() -> None:
    """Whichever ends first; all of them are begun at once."""
    all_began = threading.Barrier(4)

    def wait_for_the_others(name: str) -> list[Finding]:
        all_began.wait(GENEROUS)
        return found(name)

    checks = [check(lambda n=n: wait_for_the_others(n)) for n in "abcd"]  # type: ignore[misc]
    findings = do_checks(checks, explain, seconds=GENEROUS, most=4)

    assert [str(one.what) for one in findings] == ["a", "b", "c", "d"]
    assert do_checks([], explain, seconds=GENEROUS) == []


def test_one_that_hangs_is_told_and_left_alone() -> None:
    """The others are told all the same, also those that had no turn."""
    free = threading.Event()
    hung = check(lambda: found(str(free.wait(GENEROUS))), "the share")
    begin = time.monotonic()

    findings = do_checks(
        [check(lambda: found("a")), hung, check(lambda: found("late"), "the server")],
        explain,
        seconds=0.5,
        most=1,
    )

    free.set()
    assert time.monotonic() - begin < GENEROUS / 2
    assert [one.kind.id for one in findings] == [
        *("project.ready", "doctor.unfinished", "doctor.unfinished")
    ]
    assert [str(one.what).rpartition(": ")[2] for one in findings[1:]] == [
        *("the share", "the server")
    ]


def test_one_that_breaks_is_a_finding() -> None:
    """It names what is not known, and says why."""

    def broken() -> list[Finding]:
        raise OSError("no such share")

    findings = do_checks([check(broken), check(lambda: found("b"))], explain, seconds=9)

    assert [one.kind.id for one in findings] == ["doctor.failed", "project.ready"]
    assert "disk (no such share)" in str(findings[0].what)


def test_without_threads_the_checks_are_done_one_by_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system that is full of threads is told the truth as well."""
    allow_threads(monkeypatch, 0)

    findings = do_checks([check(lambda: found(n)) for n in "ab"], explain, seconds=9)  # noqa: B023

    assert len(findings) == 2
