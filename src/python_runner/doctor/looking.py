"""Does many checks at the same time, within a time: what hangs is told and left alone."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding
from python_runner.waiting import do_within


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.doctor.finding import Check
    from python_runner.texts.sentence import Sentence

#: Checks at the same time: most of them wait for servers, disks and interpreters.
_AT_ONCE = 8


def do_checks(
    checks: Sequence[Check],
    explain: Callable[[Exception], Sentence],
    *,
    seconds: float,
    most: int = _AT_ONCE,
) -> list[Finding]:
    """Return what the checks find, in their order.

    Args:
        checks: one that raises is a finding itself, and so is one that does not end.
        explain: returns what an error means, for people.
        seconds: how long all of them may take.
        most: how many at the same time.
    """
    jobs = [partial(_look, check, explain) for check in checks]
    found = do_within(jobs, seconds, most, "doctor")
    results: list[Finding] = []
    for place, check in enumerate(checks):
        done = found.get(place)
        if done is None:
            late = {"seconds": round(seconds), "subject": check.subject}
            done = [Finding.of(kinds.UNFINISHED, check.project, **late)]
        results += done
    return results


def _look(check: Check, explain: Callable[[Exception], Sentence]) -> list[Finding]:
    try:
        return list(check.look())
    except Exception as error:  # noqa: BLE001 - the other checks are told all the same
        subject, reason = check.subject, explain(error)
        failed = Finding.of(kinds.FAILED, check.project, subject=subject, error=reason)
        return [failed]
