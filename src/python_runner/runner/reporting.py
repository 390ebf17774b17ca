"""From a run to a delivered, or safely queued, report."""

from __future__ import annotations

import socket
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from python_runner.config.settings import require_mail, sender_address
from python_runner.exceptions import MissingEnvironmentVariable
from python_runner.mail.compose import compose
from python_runner.mail.mime import pack
from python_runner.mail.outbox import drain, send_once
from python_runner.mail.report import MOST_SCRIPTS, render
from python_runner.mail.transports import open_transport
from python_runner.model import Delivery, MailStatus, Run
from python_runner.policy import mail_due, reported_scripts
from python_runner.records.outputs import read_ends, read_tail
from python_runner.records.store import StoreError
from python_runner.runner.past import look_back
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.mail.mime import Attachment
    from python_runner.masking import Masker
    from python_runner.model import Message, Project
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.session import Session

#: Bytes of a failed script's output that a report shows.
TAIL_BYTES = 8_000


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


def deliver(run: Run, message: Message | None, session: Session, *, saved: bool) -> Run:
    """Try to get reports out now: this one, and those that wait from earlier runs.

    Args:
        run: what has just ended.
        message: its report, or None when none is due.
        session: settings, store, clock.
        saved: whether the store holds the message.

    Returns:
        ``run``, with what became of its report.
    """
    if not session.mail:
        return run
    if message and not (session.store and saved):
        return _deliver_unkept(run, message, session)
    catch_up(session)
    return told_by(run, session) if message else run


def catch_up(session: Session) -> None:
    """Try to get out what is due, whichever run it tells of, within the deadline."""
    if not session.mail or session.store is None:
        return
    with suppress(StoreError, MissingEnvironmentVariable):
        require_mail(session.settings.mail)
        report = drain(
            session.store,
            lambda: open_transport(session.settings.mail),
            now=session.now,
            deadline_seconds=session.delivery_seconds,
            way=session.way,
            stopping=lambda: session.stop.requested,
            masker=session.masker(),
        )
        for number in report.given_up:
            if message := session.store.mail.message(number):
                session.given_up.append(message)


def catch_up_at_last(runs: Iterable[Run], session: Session) -> list[Run]:
    """Try once more when no project waits any longer; return the runs as they are then.

    One trouble at the first project may have kept the reports of all the others.
    """
    runs = list(runs)
    if any(run.mail is MailStatus.QUEUED for run in runs):
        session.way.wake()
        catch_up(session)
    return [
        told_by(run, session) if run.mail is MailStatus.QUEUED else run for run in runs
    ]


def told_by(run: Run, session: Session) -> Run:
    """Return ``run`` with what the outbox knows of its report."""
    status, reason = MailStatus.QUEUED, None
    # Records that cannot be read now were safe before; a later run looks again.
    with suppress(StoreError):
        if session.store and (kept := session.store.run(run.run_id)):
            status = kept.mail
            reason = why_undelivered(session.store.mail.of_run(run.run_id))
    if status is MailStatus.QUEUED:
        reason = reason or session.way.reason
    return replace(run, mail=status, mail_reason=reason)


def why_undelivered(messages: Iterable[QueuedMessage]) -> Text | None:
    """Return the first answer that keeps a report from somebody, if there is one.

    Where nobody has got it yet the way is what is wrong, and no address is named.
    """
    for queued in messages:
        nobody = all(addressee.state == "pending" for addressee in queued.addressees)
        for addressee in queued.addressees:
            if addressee.state != "sent" and addressee.detail:
                values = {"address": addressee.address, "answer": addressee.detail}
                named = Text(N_("{address}: {answer}"), values)
                return addressee.detail if nobody else named
    return None


def _deliver_unkept(run: Run, message: Message, session: Session) -> Run:
    """Send without an outbox: the last resort when records cannot be kept."""
    receipts = send_once(
        message,
        lambda: open_transport(session.settings.mail),
        deadline_seconds=session.delivery_seconds,
        way=session.way,
        stopping=lambda: session.stop.requested,
        masker=session.masker(),
    )
    for receipt in receipts:
        if receipt.delivery is not Delivery.SENT:
            return replace(run, mail=MailStatus.FAILED, mail_reason=receipt.detail)
    return replace(run, mail=MailStatus.SENT)
