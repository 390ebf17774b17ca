"""A report becomes a message: bytes, identity and date, fixed once and for all."""

from __future__ import annotations

import re
from dataclasses import replace
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import TYPE_CHECKING

from python_runner.mail.report import SUBJECT, Report
from python_runner.mail.sanitize import one_line
from python_runner.mail.transports.channel import STATUS_HEADER
from python_runner.model import Message
from python_runner.policy import channel_audience, channel_label


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from python_runner.model import RunStatus

#: ASCII bytes only: servers need not take anything else, and smtplib does not ask.
_POLICY = SMTP.clone(cte_type="7bit")
#: Above this size a part is base64, whose growth is known; the library's own choice looks
#: at the first lines only and may triple what follows.
_PREDICTABLE_FROM = 64 * 1024


def compose(
    report: Report,
    *,
    run_id: str,
    sender: str,
    recipients: Sequence[str],
    date: datetime,
) -> Message:
    """Make the message that tells ``recipients`` of a run.

    The same arguments give the same bytes: a repeated delivery is recognised as such.

    Args:
        report: what it says.
        run_id: gives the message its identity.
        sender: address it comes from, alone or as ``Name <address>``.
        recipients: addresses, one each.
        date: aware; when the report was made.

    Returns:
        The message. Whatever the report contains there is one, in plain ASCII at worst.
    """
    report = replace(report, subject=_header(report.subject))
    from_address = _address(sender) or Address("", "python-runner", "localhost")
    identity = f"<{_token(run_id)}.python-runner@{_token(from_address.domain)}>"

    def content(what: Report) -> bytes:
        mail = EmailMessage(_POLICY)
        mail["From"] = from_address
        if to := [address for r in recipients if (address := _address(r))]:
            mail["To"] = to
        mail["Subject"] = what.subject
        mail["Date"] = date
        mail["Message-ID"] = identity
        mail["Auto-Submitted"] = "auto-generated"
        # Exchange answers with out-of-office notes unless it is told not to.
        mail["X-Auto-Response-Suppress"] = "All"
        _fill(mail, what, boundary=f"=_{_token(run_id)}")
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
    """Make the message that tells a channel of a run: the text of the report alone.

    Args:
        report: what it says.
        url: the channel, as Apprise writes it; the message does not hold it.
        status: how the run ended; services show it by colour. None if there is none.
        run_id: gives the message its identity.
        date: aware; when the report was made.
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


def _fill(mail: EmailMessage, report: Report, *, boundary: str) -> None:
    mail.set_content(report.text, cte=_encoding(report.text))
    if report.html:
        mail.add_alternative(report.html, subtype="html", cte=_encoding(report.html))
        mail.set_boundary(boundary)


def _encoding(text: str) -> str | None:
    return "base64" if len(text) > _PREDICTABLE_FROM else None


def _in_ascii(report: Report) -> Report:
    subject, text = (
        part.encode("ascii", "backslashreplace").decode("ascii")
        for part in (report.subject, report.text)
    )
    return Report(subject, text, "")


def _header(text: str) -> str:
    """Return ``text`` so that the email library leaves it what it is.

    It refuses most line breaks in a header, but not every one; and it decodes what looks
    like an encoded word, in which a line break, and with it another header, may hide.
    """
    return one_line(text, SUBJECT).replace("=?", "= ?")


def _address(text: str) -> Address | None:
    """Return a header's address, or None for what no header can hold."""
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
