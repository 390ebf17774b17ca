"""Builds the messages that report a run."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.config.project import CONFIG_FILE
from python_runner.config.settings import sender_address
from python_runner.files import is_file
from python_runner.installation import own_command
from python_runner.model import EmailStrategy
from python_runner.policy import reported_scripts
from python_runner.records.outputs import read_ends, read_tail, with_translated_attempts
from python_runner.report.comparison import unmailed
from python_runner.report.compose import compose, compose_for_channel
from python_runner.report.context import ReportContext
from python_runner.report.mime import zip_files, zip_name
from python_runner.report.render import (
    MOST_SCRIPTS,
    MOST_TRACE_BYTES,
    TAIL_BYTES,
    render,
)
from python_runner.runner.differences import since_success
from python_runner.runner.report_history import load_history
from python_runner.texts.sanitize import cut_middle


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import AlertMemory, Message, Run, ScriptResult
    from python_runner.report.render import Report
    from python_runner.runner.context import RunContext


def make_messages(
    run: Run,
    context: RunContext,
    memory: AlertMemory | None = None,
    *,
    recovery: bool = False,
) -> tuple[Message, ...]:
    """Return the mail that reports ``run``, then one message for each channel.

    Args:
        run: with all its results.
        context: of its project.
        memory: what people know of the failures before it; None: all of them, or nobody
            knows.
        recovery: whether it tells those who know of failures that they have ended.
    """
    project, session, masker = context.project, context.session, context.masker
    # The scripts that succeed again are among those that succeeded.
    strategy = EmailStrategy.ALL if recovery else project.email_strategy
    named = reported_scripts(run, strategy)
    shown = sorted(named, key=lambda result: result.succeeded)[:MOST_SCRIPTS]
    since = memory.since if memory and recovery else None
    history = load_history(run, shown, session.store, failing_since=since)
    date = session.now()
    view = ReportContext(
        strategy=strategy,
        language=project.language,
        comparisons=history.comparisons,
        differences=since_success(run, session.store, masker),
        help=project.all_help,
        log=context.log,
        unmailed=unmailed(run, memory, history.comparisons) if memory else None,
    )
    # Once for all: of a large series it takes as long as all the rest.
    run, view = _without_secrets(run, view, masker)
    messages: list[Message] = []
    if project.recipients:
        report = render(run, replace(view, attach=True))
        if files := _attached_files(report, run, masker):
            name = zip_name(run.project, run.started_at)
            report = replace(report, attachment=zip_files(name, files, date))
        mail = compose(
            report,
            run_id=run.run_id,
            sender=sender_address(session.settings.mail),
            recipients=project.recipients,
            date=date,
            incident=history.incident,
        )
        messages.append(mail)
    if project.channels:
        report = render(run, view)
        messages += [
            compose_for_channel(
                report, url=url, status=run.status, run_id=run.run_id, date=date
            )
            for url in project.channels
        ]
    return tuple(messages)


def _attached_files(
    report: Report, run: Run, masker: Masker
) -> dict[str, Callable[[int], bytes]]:
    """Return what reads so many bytes of each file that goes with a report, by name."""
    outputs = _outputs(run)
    paths = [outputs[script] for script in report.attached]
    files: dict[str, Callable[[int], bytes]] = {
        path.name: partial(_ends, path, masker) for path in paths
    }
    if report.whole:
        whole = partial(cut_middle, report.whole, language=report.language)
        files = {"report.txt": lambda limit: whole(limit=limit).encode()} | files
    return files


def render_ping(run: Run, context: RunContext) -> Report:
    """Return the report that a heartbeat server is sent, whatever the run's end."""
    language = context.project.language
    view = ReportContext(strategy=EmailStrategy.ALL, language=language, log=context.log)
    return render(*_without_secrets(run, view, context.masker))


def _without_secrets(
    run: Run, context: ReportContext, masker: Masker
) -> tuple[Run, ReportContext]:
    """Return what a report is made from, with the ends of outputs, without any secret."""
    # What a killed runner left was never masked, and a variable may have become secret
    # since the run.
    run = run.masked(masker)
    outputs = _outputs(run)
    limits = {result.script: _tail_bytes(result) for result in run.failed_scripts}
    return run, replace(
        context,
        tails={
            script: with_translated_attempts(
                masker.text(_tail(path, limits[script])), context.language
            )
            for script, path in outputs.items()
        },
        help={script: masker.text(text) for script, text in context.help.items()},
        partial=[s for s, path in outputs.items() if _size(path) > limits[s]],
        host=host_name(),
        # The library also runs scripts of a folder without a configuration.
        command=own_command() if is_file(run.path / CONFIG_FILE) else "",
    )


def _outputs(run: Run) -> dict[str, Path]:
    return {r.script: r.output for r in run.failed_scripts if r.output}


def _tail_bytes(result: ScriptResult) -> int:
    """Return how much of the end of an output is read.

    What stands there of the traceback is shown but once: what was printed before it has
    as much room as in an output without one.
    """
    traceback = result.last_traceback
    size = len(traceback.text.encode()) if traceback else 0
    return TAIL_BYTES + (size if size <= MOST_TRACE_BYTES else 0)


def _tail(output: Path, limit: int) -> str:
    try:
        return read_tail(output, limit)
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
