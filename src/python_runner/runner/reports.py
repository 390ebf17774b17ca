"""Decides whether a run is reported, by what people know already."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.model import (
    AlertRules,
    EmailStrategy,
    Held,
    HeldBy,
    ReportDecision,
    RunStatus,
)
from python_runner.policy import INCIDENT, report_due
from python_runner.records.store import StoreError
from python_runner.runner.unusual_results import has_become_unusual
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.model import AlertMemory, Message, Run
    from python_runner.runner.context import RunContext


def prepare_reports(context: RunContext) -> None:
    """Import what makes reports, where a run may be reported.

    At its end the process may have no descriptor left for that, or find the files of
    another version.
    """
    strategy = context.project.email_strategy
    if context.session.reports_enabled and strategy is not EmailStrategy.NONE:
        from python_runner.runner import rendering  # noqa: F401, PLC0415


def unwanted() -> ReportDecision:
    """Return that nobody is to be told of a run: it leaves no trace in what people know."""
    reason = Sentence.of(N_("no report was wanted"))
    held = Held(by=HeldBy.UNWANTED, reason=reason)
    return ReportDecision(due=False, held=held)


def rules_of(context: RunContext) -> AlertRules:
    """Return when the failures of a run's project are reported."""
    project = context.project
    return AlertRules(
        strategy=project.email_strategy,
        mail_after=project.mail_after,
        remind=project.remind,
    )


def known_failures(run: Run, context: RunContext) -> AlertMemory | None:
    """Return what people know of the failures before a run, where its report needs it.

    None also where the records cannot be read: the run is reported then.
    """
    store, rules = context.session.store, rules_of(context)
    ended = run.status is RunStatus.SUCCESS and rules.remembers
    if store is None or not (run.status in INCIDENT or ended):
        return None
    if rules.strategy is EmailStrategy.NONE or not context.session.reports_enabled:
        return None
    with suppress(StoreError):
        compared = rules.remind is not None
        return store.alert_memory(run.path, run.run_id, errors=compared)
    return None


def decide(run: Run, context: RunContext, memory: AlertMemory | None) -> ReportDecision:
    """Return whether a run is reported; ``memory`` is that of :func:`known_failures`."""
    rules = rules_of(context)
    decision = report_due(run, rules, memory)
    if decision.due or not report_due(run, rules, memory, unusual=True).due:
        return decision
    # The records are asked only where that decides.
    unusual = has_become_unusual(run, context)
    return report_due(run, rules, memory, unusual=unusual)


def report_messages(
    run: Run,
    context: RunContext,
    decision: ReportDecision,
    memory: AlertMemory | None,
) -> tuple[Message, ...]:
    """Return the mail that reports ``run``, then one message for each channel.

    Nothing where it is not due. The run is that of ``context``, or an earlier one of the
    project whose runner died.
    """
    if not decision.due:
        return ()
    # Templates and MIME are imported when there is something to tell.
    from python_runner.runner.rendering import make_messages  # noqa: PLC0415

    return make_messages(run, context, memory, recovery=decision.recovery)
