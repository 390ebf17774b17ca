"""From a run to a delivered, or safely queued, report."""

from __future__ import annotations

import socket
from functools import partial
from typing import TYPE_CHECKING

from python_runner.config.settings import require_mail, sender_address
from python_runner.exceptions import MissingEnvironmentVariable
from python_runner.mail.compose import compose
from python_runner.mail.mime import pack
from python_runner.mail.outbox import drain
from python_runner.mail.report import MOST_SCRIPTS, render
from python_runner.mail.transports import open_transport
from python_runner.model import Delivery, MailStatus
from python_runner.policy import mail_due, reported_scripts
from python_runner.records.outputs import read_ends, read_tail
from python_runner.records.store import StoreError
from python_runner.runner.past import look_back
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.mail.mime import Attachment
    from python_runner.masking import Masker
    from python_runner.model import Message, Project, Run
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store
    from python_runner.runner.session import Session

#: Bytes of a failed script's output that a report shows.
TAIL_BYTES = 8_000
#: Seconds the outbox may take after a run: mail must not delay the next project.
DELIVERY_SECONDS = 60.0


def report_of(run: Run, project: Project, session: Session) -> Message | None:
    """Return the mail that tells of ``run``, or None when none is due."""
    if not session.reports(project) or not mail_due(run, project.email_strategy):
        return None
    outputs = {r.script: r.output for r in run.failed_scripts if r.output}
    # What a killed runner left was never masked.
    masker = session.masker(project)
    tails = {script: masker.text(_tail(output)) for script, output in outputs.items()}
    named = reported_scripts(run, project.email_strategy)
    shown = sorted(named, key=lambda result: result.succeeded)[:MOST_SCRIPTS]
    past = look_back(run, shown, session.store)
    report = render(
        run,
        strategy=project.email_strategy,
        language=project.language,
        tails=tails,
        partial=[s for s, output in outputs.items() if _size(output) > TAIL_BYTES],
        attach=True,
        comparisons=past.comparisons,
        host=socket.gethostname(),
        log=project.path / "logs" / project.log_filename,
    )
    date = session.now()
    return compose(
        report,
        run_id=run.run_id,
        sender=sender_address(session.settings.mail),
        recipients=project.recipients,
        date=date,
        incident=past.incident,
        attachment=_attachment(
            run, [outputs[s] for s in report.attached], date, masker
        ),
    )


def lost_reports(session: Session) -> tuple[QueuedMessage, ...]:
    """Return the reports that were given up and that nobody has been told of."""
    try:
        return tuple(session.store.mail.unannounced()) if session.store else ()
    except StoreError:
        return ()


def told_as_lost(message: QueuedMessage) -> Text:
    """Return the sentence by which a later report tells of one that was given up."""
    return Text(
        N_("an earlier report was given up: {subject} ({date}, for {recipients})"),
        {
            "subject": message.message.subject,
            "date": message.queued_at.strftime("%Y-%m-%d %H:%M"),
            "recipients": ", ".join(
                a.address for a in message.addressees if a.state != "sent"
            ),
        },
    )


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


def _attachment(
    run: Run, outputs: Sequence[Path], date: datetime, masker: Masker
) -> Attachment | None:
    """Return the outputs that the report shows in part only, packed."""
    if not outputs:
        return None
    files = {output.name: partial(_ends, output, masker) for output in outputs}
    return pack(f"{run.run_id}.zip", files, date)


def _ends(output: Path, masker: Masker, limit: int) -> bytes:
    try:
        return masker.data(read_ends(output, limit))
    except OSError as error:
        # Its end could be read a moment ago. A note in its place loses no report.
        return str(error).encode("utf-8", "backslashreplace")


def deliver(message: Message | None, session: Session, *, saved: bool) -> MailStatus:
    """Try to get reports out now: this one, and those that wait from earlier runs.

    Args:
        message: the report of this run, or None when none is due.
        session: settings, store, clock.
        saved: whether the store holds the message.

    Returns:
        What became of ``message``.
    """
    if not session.mail:
        return MailStatus.NONE
    if session.store is None or (message and not saved):
        return _send_once(message, session) if message else MailStatus.NONE
    try:
        _drain(session, session.store)
        if message:
            return session.store.mail_status(message.message_id)
    except StoreError:
        # It was safe before; a later run looks again.
        return MailStatus.QUEUED if message else MailStatus.NONE
    return MailStatus.NONE


def _drain(session: Session, store: Store) -> None:
    try:
        require_mail(session.settings.mail)
    except MissingEnvironmentVariable:
        return
    with session.mail_lock:
        drain(
            store,
            lambda: open_transport(session.settings.mail),
            now=session.now,
            deadline_seconds=DELIVERY_SECONDS,
            stopping=lambda: session.stop.requested,
            masker=session.masker(),
        )


def _send_once(message: Message, session: Session) -> MailStatus:
    """Send without an outbox: the last resort when records cannot be kept."""
    transport = open_transport(session.settings.mail)
    try:
        receipts = transport.send(message)
    finally:
        transport.close()
    sent = all(receipt.delivery is Delivery.SENT for receipt in receipts)
    return MailStatus.SENT if sent else MailStatus.FAILED
