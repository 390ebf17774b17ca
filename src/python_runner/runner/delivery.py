"""Delivers the reports of runs, and says what became of them."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.model import RECIPIENTS, Delivery, MailStatus, Run
from python_runner.records.messages import came_otherwise, where_written
from python_runner.records.store import StoreError
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from python_runner.model import Message
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.session import Session


def unannounced_reports(session: Session) -> tuple[QueuedMessage, ...]:
    """Return the given up reports that no later report has announced."""
    try:
        return tuple(session.store.messages.unannounced()) if session.store else ()
    except StoreError:
        return ()


def given_up_notice(message: QueuedMessage) -> Sentence:
    """Return the sentence about a report that was given up, for a later report."""
    return Sentence.of(
        N_("an earlier report was given up: {subject} ({date}, for {recipients})"),
        subject=message.message.subject,
        date=message.queued_at.astimezone().strftime("%Y-%m-%d %H:%M"),
        recipients=", ".join(
            a.address for a in message.recipients if a.state != "sent"
        ),
    )


def deliver(
    run: Run, reports: Sequence[Message], session: Session, *, saved: bool
) -> Run:
    """Try to deliver reports now: these, and those that wait from earlier runs.

    Returns ``run`` with what became of its reports; ``saved`` says whether the store
    holds them.
    """
    if not session.reports_enabled:
        return run
    if reports and not (session.store and saved):
        return _send_now(run, reports, session)
    drain(session, [run.run_id] if reports else ())
    return with_mail_status(run, session) if reports else run


def drain(session: Session, own: Collection[str] = ()) -> None:
    """Send what is due within the deadlines: first what reports the runs ``own``."""
    if not session.reports_enabled or session.store is None:
        return
    left = 2 * session.waiting_seconds - sum(session.waited)
    others = max(min(session.waiting_seconds, session.delivery_seconds, left), 0.0)
    if not own and not others:
        return
    begin = time.monotonic()
    with suppress(StoreError):
        report = session.outbox.drain(
            session.delivery_seconds if own else others, own=own, others_seconds=others
        )
        session.waited.append(min(time.monotonic() - begin, others))
        for number in report.given_up:
            if message := session.store.messages.get(number):
                session.given_up.append(message)


def drain_again(runs: Sequence[Run], session: Session) -> list[Run]:
    """Try once more when no project waits any longer; return the runs as they are then.

    One trouble at the first project may have kept the reports of all the others. A
    single run has had its try: the next one is due later.
    """
    queued = [run.run_id for run in runs if run.mail_status is MailStatus.QUEUED]
    if len(runs) > 1 and queued:
        session.outbox.endpoints.reset()
        drain(session, queued)
    return [
        with_mail_status(run, session) if run.mail_status is MailStatus.QUEUED else run
        for run in runs
    ]


def with_mail_status(run: Run, session: Session) -> Run:
    """Return ``run`` with what the outbox knows of its reports."""
    status, reason = MailStatus.QUEUED, None
    try:
        if session.store and (kept := session.store.run(run.run_id)):
            status = kept.mail_status
            messages = session.store.messages.of_run(run.run_id)
            reason = why_undelivered(messages)
            if status is MailStatus.QUEUED:
                reason = reason or _why_untried(messages, session)
            elif status is MailStatus.SENT:
                reason = _how_sent(r.detail for m in messages for r in m.recipients)
    except StoreError as error:
        # They were safe before; a later run looks again.
        template = N_("the records cannot be read: {error}")
        reason = Sentence.of(template, error=error.reason)
    return replace(run, mail_status=status, mail_reason=reason)


def _why_untried(messages: Iterable[QueuedMessage], session: Session) -> Sentence:
    """Return why a report waits that no server has answered yet."""
    now = session.now()
    for queued in messages:
        if queued.is_claimed(now):
            return Sentence.of(N_("another process is sending it"))
        if reason := session.outbox.why_closed(queued.message.audience):
            return reason
    return Sentence.of(N_("there was no time left to send it; a later run will"))


def why_undelivered(messages: Iterable[QueuedMessage]) -> Sentence | None:
    """Return the first answer that keeps a report from somebody, the mail's if it has one.

    Where a mail has reached nobody yet, the server is the reason and no address is named.
    """
    for queued in sorted(messages, key=lambda m: m.message.audience != RECIPIENTS):
        mail = queued.message.audience == RECIPIENTS
        nobody = mail and all(a.state == "pending" for a in queued.recipients)
        for recipient in queued.recipients:
            if recipient.state != "sent" and recipient.detail:
                if nobody:
                    return recipient.detail
                address, answer = recipient.address, recipient.detail
                return Sentence.of(
                    N_("{address}: {answer}"), address=address, answer=answer
                )
    return None


def _how_sent(details: Iterable[Sentence | None]) -> Sentence | None:
    """Return why a mail came another way, else which file it became, else None."""
    said = [*details]
    return next(filter(came_otherwise, said), None) or where_written(said)


def _send_now(run: Run, reports: Sequence[Message], session: Session) -> Run:
    """Send reports that cannot be queued: the last resort when records cannot be kept."""
    receipts = session.outbox.send_now(reports, run.path, session.delivery_seconds)
    for receipt in receipts:
        if receipt.delivery is not Delivery.SENT:
            return replace(
                run, mail_status=MailStatus.FAILED, mail_reason=receipt.detail
            )
    how = _how_sent(receipt.detail for receipt in receipts)
    return replace(run, mail_status=MailStatus.SENT, mail_reason=how)
