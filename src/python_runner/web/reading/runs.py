"""One run, a bounded part of its scripts at a time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import MailStatus, Outcome, RunStatus
from python_runner.records import messages, overview
from python_runner.runner.recovery import known_end, was_interrupted
from python_runner.trends import PAST_RESULTS, compare


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.model import Comparison, ScriptResult
    from python_runner.model.overview import Circumstances, RunLine
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store

#: Failed scripts that are shown with all that is known, and scripts on a page.
OPENED, PAGE = 20, 100


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedResult:
    """A script that did not succeed.

    Attributes:
        comparison: with its earlier results; None where it says nothing about itself.
        first: the first recorded run with the same error, or None.
    """

    result: ScriptResult
    comparison: Comparison | None = None
    first: RunLine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """What is known of a run.

    Attributes:
        status: how it ended; None while it is active.
        alive: whether its runner carries it out.
        beside: ids of runs of the same project: ``previous``, ``next``, ``green``.
        states: how many scripts are in each state.
        failed: scripts that did not succeed, in the order of the series.
        more_failed: the place behind which there are more of these, or 0.
        others: the other scripts; likewise ``more_others``.
        mail: what became of its reports.
    """

    line: RunLine
    status: RunStatus | None
    alive: bool
    circumstances: Circumstances
    beside: Mapping[str, str]
    states: Mapping[str, int]
    failed: tuple[FailedResult, ...]
    more_failed: int
    others: tuple[ScriptResult, ...]
    more_others: int
    messages: tuple[QueuedMessage, ...]


def run_facts(
    store: Store, home: Path, run_id: str, *, failed_after: int = 0, after: int = 0
) -> RunFacts | None:
    """Return what is known of a run; None where there is none.

    Args:
        store: the records.
        home: the state folder, whose locks tell whether a runner lives.
        run_id: the whole id.
        failed_after: place in the series behind which failed scripts are shown.
        after: likewise of the others.

    Raises:
        StoreError: the records cannot be read.
    """
    with store.view() as view:
        key = overview.key_of(view, run_id)
        if key is None:
            return None
        (line,) = overview.lines(view, [key])
        count = OPENED if not failed_after else PAGE
        failed = overview.results(
            view, key, after=failed_after, failed=True, limit=count + 1
        )
        others = overview.results(view, key, after=after, failed=False, limit=PAGE + 1)
        beside = overview.neighbours(view, key)
        states = overview.states(view, key)
        circumstances = overview.circumstances(view, key)
        firsts = {
            result.number: overview.first_of(view, key, result.number)
            for result in failed[:OPENED]
        }
        numbers = overview.messages_of(view, key)
        mails = messages.load(view, numbers)
    status, alive = line.status, False
    if status is None:
        status, alive = end_of_open(store, home, line)
    shown = failed[:count]
    return RunFacts(
        line=line,
        status=status,
        alive=alive,
        circumstances=circumstances,
        beside=beside,
        states=states,
        failed=tuple(
            FailedResult(
                result=result,
                comparison=_comparison(store, line, result) if place < OPENED else None,
                first=firsts.get(result.number),
            )
            for place, result in enumerate(shown)
        ),
        more_failed=shown[-1].number if len(failed) > count else 0,
        others=tuple(others[:PAGE]),
        more_others=others[PAGE - 1].number if len(others) > PAGE else 0,
        messages=tuple(mails),
    )


def end_of_open(
    store: Store, home: Path, line: RunLine
) -> tuple[RunStatus | None, bool]:
    """Return how a run ended that is open in the records, and whether its runner lives."""
    run = next((run for run in store.open_runs() if run.run_id == line.run_id), None)
    if run is None:
        # It has ended since.
        ended = store.run(line.run_id)
        return (ended.status if ended else RunStatus.INTERRUPTED), False
    if end := known_end(run, home):
        return end.status, False
    if was_interrupted(run, store, home):
        return RunStatus.INTERRUPTED, False
    return None, True


def _comparison(store: Store, line: RunLine, result: ScriptResult) -> Comparison | None:
    if result.outcome not in {Outcome.FAILURE, Outcome.TIMEOUT}:
        return None
    past = store.past_results(
        line.path, result.script, PAST_RESULTS, before=line.run_id
    )
    return compare(result, past)


def has_mail(line: RunLine) -> bool:
    """Say whether a run was to be reported at all."""
    return line.mail is not MailStatus.NONE
