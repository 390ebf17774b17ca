"""From a run's reports to delivered, or safely queued, ones."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from python_runner.delivery.outbox import send_once
from python_runner.delivery.transports import open_channel, open_transport
from python_runner.model import RECIPIENTS, Delivery, MailStatus, Run
from python_runner.records.store import StoreError
from python_runner.runner.ways import named, run_concurrently
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from python_runner.model import Message, Project, Receipt
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.session import Session


def unannounced_reports(session: Session) -> tuple[QueuedMessage, ...]:
    """Return the reports that were given up and that nobody has been told of."""
    try:
        return tuple(session.store.messages.unannounced()) if session.store else ()
    except StoreError:
        return ()


def given_up_notice(message: QueuedMessage) -> Sentence:
    """Return the sentence by which a later report tells of one that was given up."""
    return Sentence.of(
        N_("an earlier report was given up: {subject} ({date}, for {recipients})"),
        subject=message.message.subject,
        date=message.queued_at.strftime("%Y-%m-%d %H:%M"),
        recipients=", ".join(
            a.address for a in message.addressees if a.state != "sent"
        ),
    )


def deliver(
    run: Run,
    reports: Sequence[Message],
    project: Project,
    session: Session,
    *,
    saved: bool,
) -> Run:
    """Try to get reports out now: these, and those that wait from earlier runs.

    Args:
        run: what has just ended.
        reports: what tells of it; none when none is due.
        project: whose run it was.
        session: settings, store, clock.
        saved: whether the store holds the reports.

    Returns:
        ``run``, with what became of its report.
    """
    if not session.reports_enabled:
        return run
    if reports and not (session.store and saved):
        return _deliver_unkept(run, reports, project, session)
    catch_up(session)
    return with_mail_status(run, session) if reports else run


def catch_up(session: Session) -> None:
    """Try to get out what is due, whichever run it tells of, within the deadline."""
    if not session.reports_enabled or session.store is None:
        return
    with suppress(StoreError):
        report = session.ways.drain(
            session.store,
            session.settings.mail,
            session.defaults,
            now=session.now,
            deadline_seconds=session.delivery_seconds,
            stopping=lambda: session.stop.requested,
            masker=session.masker(),
        )
        for number in report.given_up:
            if message := session.store.messages.get(number):
                session.given_up.append(message)


def catch_up_at_last(runs: Iterable[Run], session: Session) -> list[Run]:
    """Try once more when no project waits any longer; return the runs as they are then.

    One trouble at the first project may have kept the reports of all the others.
    """
    runs = list(runs)
    if any(run.mail_status is MailStatus.QUEUED for run in runs):
        session.ways.wake()
        catch_up(session)
    return [
        with_mail_status(run, session) if run.mail_status is MailStatus.QUEUED else run
        for run in runs
    ]


def with_mail_status(run: Run, session: Session) -> Run:
    """Return ``run`` with what the outbox knows of its report."""
    status, reason = MailStatus.QUEUED, None
    # Records that cannot be read now were safe before; a later run looks again.
    with suppress(StoreError):
        if session.store and (kept := session.store.run(run.run_id)):
            status = kept.mail_status
            reason = why_undelivered(session.store.messages.of_run(run.run_id))
    if status is MailStatus.QUEUED:
        reason = reason or session.ways.mail.reason
    return replace(run, mail_status=status, mail_reason=reason)


def why_undelivered(messages: Iterable[QueuedMessage]) -> Sentence | None:
    """Return the first answer that keeps a report from somebody, if there is one.

    Where nobody has got it yet the way is what is wrong, and no address is named.
    """
    for queued in messages:
        mail = queued.message.audience == RECIPIENTS
        nobody = mail and all(a.state == "pending" for a in queued.addressees)
        for addressee in queued.addressees:
            if addressee.state != "sent" and addressee.detail:
                values = {"address": addressee.address, "answer": addressee.detail}
                named = Sentence(N_("{address}: {answer}"), values)
                return addressee.detail if nobody else named
    return None


def _deliver_unkept(
    run: Run, reports: Sequence[Message], project: Project, session: Session
) -> Run:
    """Send without an outbox: the last resort when records cannot be kept."""

    def send(report: Message) -> tuple[Receipt, ...]:
        url = named(report.audience, project.channels)
        way = partial(open_channel, url) if url else None
        return send_once(
            report,
            way or partial(open_transport, session.settings.mail),
            deadline_seconds=session.delivery_seconds,
            way=session.ways.known[report.audience],
            stopping=lambda: session.stop.requested,
            masker=session.masker(),
        )

    answers = run_concurrently([partial(send, report) for report in reports])
    for receipt in (receipt for receipts in answers for receipt in receipts):
        if receipt.delivery is not Delivery.SENT:
            return replace(
                run, mail_status=MailStatus.FAILED, mail_reason=receipt.detail
            )
    return replace(run, mail_status=MailStatus.SENT)
