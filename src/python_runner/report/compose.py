"""Composes the message of a report: bytes, identity and date are fixed here."""

from __future__ import annotations

import re
from dataclasses import replace
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import parseaddr
from typing import TYPE_CHECKING

from python_runner.channels import channel_audience, channel_label
from python_runner.model import Message
from python_runner.report.mime import POLICY, STATUS_HEADER, set_parts, thread_index
from python_runner.report.subject import SUBJECT
from python_runner.texts.sanitize import one_line


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from python_runner.model import Incident, RunStatus
    from python_runner.report.render import Report


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
        recipients: addresses, one each.
        date: aware; when the report was made.
        incident: the one it belongs to or ends, or None.
    """
    report = replace(report, subject=_header(report.subject))
    from_address = _address(sender) or Address("", "python-runner", "localhost")
    identity = f"<{_token(run_id)}.python-runner@{_token(from_address.domain)}>"

    def content(what: Report) -> bytes:
        mail = EmailMessage(POLICY)
        mail["From"] = from_address
        if to := [address for r in recipients if (address := _address(r))]:
            mail["To"] = to
        if incident:
            _join(mail, incident, what.subject, identity, date)
        mail["Subject"] = what.subject
        mail["Date"] = date
        mail["Message-ID"] = identity
        mail["Auto-Submitted"] = "auto-generated"
        # Without it Exchange answers with out-of-office replies.
        mail["X-Auto-Response-Suppress"] = "All"
        set_parts(
            mail,
            what.text,
            what.html,
            what.attachment,
            language=what.language,
            boundary=f"=_{_token(run_id)}",
        )
        return mail.as_bytes()

    try:
        data = content(report)
    except (ValueError, MessageError):
        report = _in_ascii(report)
        data = content(report)
    return Message(
        message_id=identity,
        sender=from_address.addr_spec if _address(sender) else sender,
        recipients=tuple(recipients),
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


def _join(
    mail: EmailMessage, incident: Incident, subject: str, identity: str, date: datetime
) -> None:
    """Make ``mail`` the first mail of a conversation, or the next one.

    Outlook needs a topic and an index that all mails share, because their subjects
    differ. Exchange takes as topic the header that comes first, topic or subject. Other
    mail programs follow the references.
    """
    earlier = incident.references
    mail["Thread-Topic"] = _header(incident.topic or subject)
    mail["Thread-Index"] = thread_index(
        earlier[0] if earlier else identity,
        incident.began_at,
        date if earlier else None,
    )
    if earlier:
        mail["In-Reply-To"] = earlier[-1]
        mail["References"] = " ".join(earlier)


def _in_ascii(report: Report) -> Report:
    subject, text = (
        part.encode("ascii", "backslashreplace").decode("ascii")
        for part in (report.subject, report.text)
    )
    return replace(report, subject=subject, text=text, html="")


def _header(text: str) -> str:
    """Return ``text`` so that the email library does not change it.

    The library refuses most line breaks in a header, but not all. It also decodes what
    looks like an encoded word, which may hide a line break and so another header.
    """
    return one_line(text, SUBJECT).replace("=?", "= ?")


def _address(text: str) -> Address | None:
    """Return an address for a header, or None if no header can hold it."""
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        return None
    if not (re.fullmatch(r"[!-~]+", local) and re.fullmatch(r"[\w.-]+", domain)):
        return None
    if "=?" in local:
        return None
    return Address(_header(name), local, domain)


def _token(text: str) -> str:
    """Return ``text`` fit for an identity: letters, digits, dots and hyphens."""
    return re.sub(r"[^A-Za-z0-9.-]+", "-", text) or "localhost"
