"""Builds the messages that report a run: one mail, and one message for each channel."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from socket import gethostname
from typing import TYPE_CHECKING

from python_runner.config.settings import sender_address
from python_runner.model import EmailStrategy
from python_runner.policy import mail_due, reported_scripts
from python_runner.records.outputs import read_ends, read_tail
from python_runner.report.compose import compose, compose_for_channel
from python_runner.report.mime import zip_files
from python_runner.report.render import MOST_SCRIPTS, render
from python_runner.report.view import ReportContext
from python_runner.runner.report_history import RunHistory, load_history


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Message, Project, Run
    from python_runner.report.mime import Attachment
    from python_runner.report.render import Report
    from python_runner.runner.context import RunContext

#: Bytes of a failed script's output that a report shows.
TAIL_BYTES = 8_000


def report_messages(run: Run, context: RunContext) -> tuple[Message, ...]:
    """Return the messages that report ``run``: the mail, then one for each channel.

    Args:
        run: this run, or an earlier one of the project whose runner died.
        context: of this run.

    Returns:
        Nothing when no report is due.
    """
    session, strategy = context.session, context.project.email_strategy
    if not session.may_report(context.project) or not mail_due(run, strategy):
        return ()
    named = reported_scripts(run, strategy)
    shown = sorted(named, key=lambda result: result.succeeded)[:MOST_SCRIPTS]
    builder = ReportBuilder(
        run=run,
        project=context.project,
        masker=context.masker,
        history=load_history(run, shown, session.store),
        date=session.now(),
    )
    sender = sender_address(session.settings.mail)
    return (*builder.mail(sender), *builder.channel_messages())


def render_report(
    run: Run,
    project: Project,
    strategy: EmailStrategy,
    masker: Masker,
    *,
    history: RunHistory | None = None,
    attach: bool = False,
) -> Report:
    """Return the report of ``run``, in the language of its project's readers.

    Args:
        run: what happened.
        project: the project of the run.
        strategy: which scripts are named.
        masker: takes secrets out of the output.
        history: what came before; None: nothing is compared.
        attach: whether the report can carry what it shows in part only.
    """
    context = ReportContext(
        strategy=strategy,
        language=project.language,
        attach=attach,
        comparisons=history.comparisons if history else {},
        log=project.path / "logs" / project.log_filename,
    )
    return _render(run, context, masker)


def render_page(run: Run, masker: Masker, *, language: str) -> str:
    """Return a past run as an HTML page, or as text if that cannot be made.

    Args:
        run: an ended run, from the records.
        masker: takes the secrets out of everything that is shown.
        language: ``fr`` or ``en``.
    """
    context = ReportContext(strategy=EmailStrategy.ALL, language=language)
    report = _render(run, context, masker)
    return report.html or report.text


def _render(run: Run, context: ReportContext, masker: Masker) -> Report:
    """Render a run with the ends of its outputs, without any secret."""
    # What a killed runner left was never masked, and a variable may have become secret
    # since the run.
    run = run.masked(masker)
    outputs = _outputs(run)
    context = replace(
        context,
        tails={script: masker.text(_tail(path)) for script, path in outputs.items()},
        partial=[s for s, path in outputs.items() if _size(path) > TAIL_BYTES],
        host=gethostname(),
    )
    return render(run, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBuilder:
    """Builds the messages of one run.

    Attributes:
        masker: takes the secrets of the environment and of the project out of the output.
        history: what came before.
        date: when the messages are made.
    """

    run: Run
    project: Project
    masker: Masker
    history: RunHistory
    date: datetime

    def mail(self, sender: str) -> Iterator[Message]:
        """Yield the mail from ``sender``; nothing where there are no recipients."""
        if not self.project.recipients:
            return
        report = self._report(attach=True)
        outputs = _outputs(self.run)
        attachment = self._attachment([outputs[s] for s in report.attached])
        yield compose(
            replace(report, attachment=attachment),
            run_id=self.run.run_id,
            sender=sender,
            recipients=self.project.recipients,
            date=self.date,
            incident=self.history.incident,
        )

    def channel_messages(self) -> Iterator[Message]:
        """Yield the message for each channel, which carries no file."""
        if not self.project.channels:
            return
        report = self._report(attach=False)
        for url in self.project.channels:
            yield compose_for_channel(
                report,
                url=url,
                status=self.run.status,
                run_id=self.run.run_id,
                date=self.date,
            )

    def _report(self, *, attach: bool) -> Report:
        return render_report(
            self.run,
            self.project,
            self.project.email_strategy,
            self.masker,
            history=self.history,
            attach=attach,
        )

    def _attachment(self, outputs: Sequence[Path]) -> Attachment | None:
        """Return the outputs that the report shows in part only, packed."""
        if not outputs:
            return None
        files = {output.name: partial(_ends, output, self.masker) for output in outputs}
        return zip_files(f"{self.run.run_id}.zip", files, self.date)


def _outputs(run: Run) -> dict[str, Path]:
    return {r.script: r.output for r in run.failed_scripts if r.output}


def _tail(output: Path) -> str:
    try:
        return read_tail(output, TAIL_BYTES)
    except OSError:
        # Kept elsewhere or not at all; the attempt's warnings say so.
        return ""


def _size(output: Path) -> int:
    try:
        return output.stat().st_size
    except OSError:
        return 0


def _ends(output: Path, masker: Masker, limit: int) -> bytes:
    try:
        return masker.data(read_ends(output, limit))
    except OSError as error:
        # Its end could be read a moment ago. The error in its place loses no report.
        return str(error).encode("utf-8", "backslashreplace")
