"""Composes the message of a report: bytes, identity and date are fixed here."""

from __future__ import annotations

import re
from dataclasses import replace
from email.errors import MessageError
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING

from python_runner.channels import channel_audience, channel_label
from python_runner.model import Mailbox, Message, parse_mailbox
from python_runner.report.headers import mailbox_field, text_field, word_field
from python_runner.report.mime import POLICY, STATUS_HEADER, set_parts, thread_index
from python_runner.report.subject import SUBJECT
from python_runner.texts.sanitize import one_line


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from python_runner.model import Incident, RunStatus
    from python_runner.report.render import Report

#: Who a mail comes from that nobody is named for.
_NOBODY = Mailbox("python-runner@localhost", "python-runner@localhost")
#: The name people see where only an address is known.
_NAME = "Python Runner"


def compose(
    report: Report,
    *,
    run_id: str,
    sender: str,
    recipients: Sequence[str],
    date: datetime,
    incident: Incident | None = None,
) -> Message:
    """Return the message that brings ``report`` to ``recipients``.

    The same arguments give the same bytes, so that a repeated delivery can be
    recognised. Whatever the report contains, there is a message: in ASCII at worst.

    Args:
        report: its content.
        run_id: gives the message its identity.
        sender: address it comes from, alone or as ``Name <address>``.
        recipients: addresses, one each, alone or as ``Name <address>``. The message has
            them without names; what is no address stays as it is, and in no header.
        date: aware; when the report was made.
        incident: the one it belongs to or ends, or None.
    """
    report = replace(report, subject=one_line(report.subject, SUBJECT))
    author = parse_mailbox(sender)
    shown = author or _NOBODY
    shown = replace(shown, name=shown.name or _NAME)
    identity = f"<{_token(run_id)}.python-runner@{shown.ascii.rpartition('@')[2]}>"
    read_by = [parse_mailbox(recipient) for recipient in recipients]

    def content(what: Report) -> bytes:
        fields = [
            mailbox_field("From", [shown]),
            mailbox_field("To", mailboxes)
            if (mailboxes := [*filter(None, read_by)])
            else "",
            *(
                _conversation(incident, what.subject, identity, date)
                if incident
                else ()
            ),
            text_field("Subject", what.subject),
            word_field("Date", [format_datetime(date)]),
            word_field("Message-ID", [identity]),
            word_field("Auto-Submitted", ["auto-generated"]),
            # Without it Exchange answers with out-of-office replies.
            word_field("X-Auto-Response-Suppress", ["All"]),
        ]
        mail = EmailMessage(POLICY)
        set_parts(
            mail,
            what.text,
            what.html,
            what.attachment,
            language=what.language,
            boundary=f"=_{_token(run_id)}",
        )
        return "".join(fields).encode("ascii") + mail.as_bytes()

    try:
        data = content(report)
    except (ValueError, MessageError):
        report = _in_ascii(report)
        data = content(report)
    return Message(
        message_id=identity,
        sender=author.ascii if author else sender,
        recipients=tuple(
            mailbox.address if mailbox else written
            for mailbox, written in zip(read_by, recipients, strict=True)
        ),
        subject=report.subject,
        content=data,
    )


def compose_for_channel(
    report: Report, *, url: str, status: RunStatus | None, run_id: str, date: datetime
) -> Message:
    """Return the message that brings the text of ``report`` to a channel.

    It does not hold ``url``, the channel's address. Services show ``status`` by
    colour; None is for a report without a run. ``date`` is aware.
    """
    audience = channel_audience(url)
    message = compose(
        replace(report, html=""),
        run_id=f"{run_id}.{audience}",
        sender="",
        recipients=[channel_label(url)],
        date=date,
    )
    header = f"{STATUS_HEADER}: {status or 'none'}\r\n".encode("ascii")
    return replace(message, content=header + message.content, audience=audience)


def _conversation(
    incident: Incident, subject: str, identity: str, date: datetime
) -> Iterator[str]:
    """Yield what makes a mail the first one of a conversation, or the next one.

    Outlook needs a topic and an index that all mails share, because their subjects
    differ. Exchange takes as topic the header that comes first, topic or subject. Other
    mail programs follow the references.
    """
    earlier = incident.references
    yield text_field("Thread-Topic", one_line(incident.topic or subject, SUBJECT))
    root = earlier[0] if earlier else identity
    reply_at = date if earlier else None
    yield word_field("Thread-Index", [thread_index(root, incident.began_at, reply_at)])
    if earlier:
        yield word_field("In-Reply-To", earlier[-1:])
        yield word_field("References", earlier)


def _in_ascii(report: Report) -> Report:
    subject, text = (
        part.encode("ascii", "backslashreplace").decode("ascii")
        for part in (report.subject, report.text)
    )
    return replace(report, subject=subject, text=text, html="")


def _token(text: str) -> str:
    """Return ``text`` fit for an identity: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "localhost"
