"""Decides whether a run is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import EmailStrategy
from python_runner.policy import mail_due
from python_runner.runner.unusual_results import has_become_unusual


if TYPE_CHECKING:
    from python_runner.model import Message, Run
    from python_runner.runner.context import RunContext


def prepare_reports(context: RunContext) -> None:
    """Import what makes reports, where a run may be reported.

    At its end the process may have no descriptor left for that, or find the files of
    another version.
    """
    strategy = context.project.email_strategy
    if context.session.reports_enabled and strategy is not EmailStrategy.NONE:
        from python_runner.runner import rendering  # noqa: F401, PLC0415


def report_messages(run: Run, context: RunContext) -> tuple[Message, ...]:
    """Return the mail that reports ``run``, then one message for each channel.

    Nothing where the project's strategy wants no report. The run is that of
    ``context``, or an earlier one of the project whose runner died.
    """
    strategy = context.project.email_strategy
    quiet = not mail_due(run, strategy)
    if quiet and mail_due(run, strategy, unusual=True):
        quiet = not has_become_unusual(run, context)
    if quiet:
        return ()
    # Templates and MIME are imported when there is something to tell.
    from python_runner.runner.rendering import make_messages  # noqa: PLC0415

    return make_messages(run, context)
