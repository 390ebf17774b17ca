"""Judges whether a success is unusual, by what the records know of the script."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.model import WhenUnusual
from python_runner.model.history import LATEST_RESULTS
from python_runner.records.store import StoreError
from python_runner.unusual_bounds import may_be_unusual


if TYPE_CHECKING:
    from python_runner.model import Run, ScriptResult
    from python_runner.runner.context import RunContext
    from python_runner.texts.sentence import Sentence


def judged(result: ScriptResult, context: RunContext) -> ScriptResult:
    """Return a result with the reasons why its success is unusual, if it is.

    Without records, or where they cannot be read, nothing is: the run says what is wrong
    with them. What goes wrong here is a warning.
    """
    store = context.session.store
    ignored = context.project.unusual is WhenUnusual.IGNORE
    if store is None or ignored or not result.succeeded:
        return result
    folder = context.project.path
    found: tuple[Sentence, ...] = ()
    with context.as_warning(), suppress(StoreError):
        numbers = bool(result.metrics and result.metrics.numbers)
        bounds = store.past_bounds(
            folder, result.script, LATEST_RESULTS, numbers=numbers
        )
        if not may_be_unusual(result, bounds):
            return result
        # Few runs need it.
        from python_runner.unusual import ALL_RESULTS, reasons  # noqa: PLC0415

        past = store.past_results(folder, result.script, LATEST_RESULTS)
        found = reasons(result, past)
        if found and len(past) == LATEST_RESULTS:
            # The many earlier ones are asked only where the few accuse it.
            past = store.past_results(folder, result.script, ALL_RESULTS)
            found = reasons(result, past)
    if not found:
        return result
    return replace(result, unusual=tuple(map(context.masker.sentence, found)))


def has_become_unusual(run: Run, context: RunContext) -> bool:
    """Say whether a success of a run is unusual in a way that its last one was not.

    Where the records cannot tell, it is.
    """
    if context.project.unusual is not WhenUnusual.MAIL or not run.unusual_scripts:
        return False
    from python_runner.unusual import has_become_unusual as differs  # noqa: PLC0415

    return any(
        differs(result, _reasons_before(result, run, context))
        for result in run.unusual_scripts
    )


def _reasons_before(
    result: ScriptResult, run: Run, context: RunContext
) -> tuple[Sentence, ...]:
    """Return why the last success of a script before a run was unusual, if it was."""
    store = context.session.store
    with suppress(StoreError):
        if store is not None:
            past = store.past_results(
                run.path, result.script, LATEST_RESULTS, before=run.run_id
            )
            last = next((p for p in past if p.outcome.succeeded), None)
            earlier = store.run(last.run_id) if last and last.unusual else None
            scripts = earlier.scripts if earlier else ()
            return next((r.unusual for r in scripts if r.script == result.script), ())
    return ()
