"""From a run to a delivered, or safely queued, report."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from python_runner.config.settings import require_mail, sender_address
from python_runner.exceptions import MissingEnvironmentVariable
from python_runner.mail.compose import compose
from python_runner.mail.outbox import drain
from python_runner.mail.report import render
from python_runner.mail.transports import open_transport
from python_runner.model import Delivery, MailStatus
from python_runner.policy import mail_due
from python_runner.records.outputs import read_tail
from python_runner.records.store import StoreError
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from pathlib import Path

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
    report = render(
        run,
        strategy=project.email_strategy,
        language=project.language,
        tails=_tails(run, session.masker(project)),
        host=socket.gethostname(),
        log=project.path / "logs" / project.log_filename,
    )
    return compose(
        report,
        run_id=run.run_id,
        sender=sender_address(session.settings.mail),
        recipients=project.recipients,
        date=session.now(),
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


def _tails(run: Run, masker: Masker) -> dict[str, str]:
    # What a killed runner left was never masked.
    return {
        result.script: masker.text(_tail(result.output))
        for result in run.failed_scripts
        if result.output
    }


def _tail(output: Path) -> str:
    try:
        return read_tail(output, TAIL_BYTES)
    except OSError:
        # Kept elsewhere or not at all; the attempt's warnings say so.
        return ""


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
