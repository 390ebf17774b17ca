"""Decides whether a run is reported."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.policy import mail_due


if TYPE_CHECKING:
    from python_runner.model import Message, Run
    from python_runner.runner.context import RunContext


def report_messages(run: Run, context: RunContext) -> tuple[Message, ...]:
    """Return the mail that reports ``run``, then one message for each channel.

    Nothing where the project's strategy wants no report. The run is that of
    ``context``, or an earlier one of the project whose runner died.
    """
    if not mail_due(run, context.project.email_strategy):
        return ()
    # Templates and MIME are imported when there is something to tell.
    from python_runner.runner.rendering import make_messages  # noqa: PLC0415

    return make_messages(run, context)
