"""The MIME parts of a message, its place in a conversation, and smaller versions of it.

Everything here is deterministic: the same arguments give the same bytes.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import SMTP
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING
from unicodedata import combining, normalize

from python_runner.facts import dataclass
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, cut_middle
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from python_runner.texts.sentence import Sentence

#: Header of a message for a channel: the run's status, which services show by colour.
STATUS_HEADER = "X-Python-Runner-Status"
#: Bytes of a zip file that is attached: with base64 and the largest report a message
#: stays below 2.5 MB, and below the 4 MB of a request to Microsoft Graph.
ATTACHMENT_BYTES = 1_000_000
#: Bytes that go into it, before they are compressed.
_UNPACKED_BYTES = 4_000_000
#: Characters of a project's name that its zip file is called after: the header of an
#: ASCII name is one line then, which no mail program has to put together.
_LONGEST_NAME = 40
#: Above this size a part is base64, whose growth is known; the library's own choice looks
#: at the first lines only and may triple what follows.
_PREDICTABLE_FROM = 64 * 1024
#: Bytes of text that are left when a message is nothing but its text, at most and least.
_MOST_TEXT, _LEAST_TEXT = 64 * 1024, 1024
#: The first moment that a zip file can hold: a clock may be wrong.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)
#: The first moment that Windows counts, in steps of 100 nanoseconds.
_WINDOWS_EPOCH = datetime(1601, 1, 1, tzinfo=UTC)

_LEFT_OUT = N_(
    "The attachment was left out, because the mail server accepts no email of that"
    " size."
)


#: ASCII bytes only: servers need not take anything else, and smtplib does not ask. Headers
#: that were read are written as they were.
POLICY = SMTP.clone(cte_type="7bit", refold_source="none")


@dataclass(frozen=True, slots=True)
class Attachment:
    """A zip file that goes with a message."""

    name: str
    content: bytes


def zip_name(project: str, date: datetime) -> str:
    """Return the name of the zip file that goes with a report.

    Every system and mail program takes it: accents and whatever is no letter, digit or
    hyphen are left out. A dot would make of ``con.old`` a device of Windows.
    """
    bare = "".join(c for c in normalize("NFKD", project) if not combining(c))
    words = re.sub(r"[^\w-]+", "-", bare)[:_LONGEST_NAME].strip("-_")
    return f"{words or 'report'}_{date:%Y-%m-%d}_output.zip"


def zip_files(
    name: str,
    files: Mapping[str, Callable[[int], bytes]],
    date: datetime,
    limit: int = ATTACHMENT_BYTES,
) -> Attachment:
    """Return a zip file of at most ``limit`` bytes, with as much of each file as fits.

    ``files`` holds, by name, what reads that many bytes of a file at most.
    """
    room = _UNPACKED_BYTES
    while True:
        content = _zip({n: read(room // len(files)) for n, read in files.items()}, date)
        if len(content) <= limit or room < len(files):
            return Attachment(name, content)
        room //= 2


def _zip(files: Mapping[str, bytes], date: datetime) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, max(date.timetuple()[:6], _ZIP_EPOCH))
            # The same on every platform: a plain file of POSIX, read and write.
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
    return target.getvalue()


def set_parts(
    mail: EmailMessage,
    text: str,
    html: str = "",
    attachment: Attachment | None = None,
    *,
    language: str,
    boundary: str,
) -> None:
    """Give ``mail`` its parts: text, the same as HTML, a zip file.

    Raises:
        ValueError: a part cannot be encoded.
    """
    mail.set_content(text, cte=_encoding(text))
    if html:
        mail.add_alternative(html, subtype="html", cte=_encoding(html))
        mail.set_boundary(boundary)
    if attachment:
        mail.add_attachment(
            attachment.content, "application", "zip", filename=attachment.name
        )
        mail.set_boundary(f"{boundary}_")
    mail["Content-Language"] = language


def _encoding(text: str) -> str | None:
    return "base64" if len(text) > _PREDICTABLE_FROM else None


def plain_text(content: bytes) -> str:
    """Return the text of a message, decoded."""
    mail = message_from_bytes(content, EmailMessage, policy=POLICY)
    return _content(mail, "plain").rstrip()


def make_smaller(content: bytes) -> bytes | None:
    """Return a message in fewer bytes, with the same identity and date.

    First the attachments are left out, then all but the text, then ever more of that;
    None when nothing can be left out any more.
    """
    mail = message_from_bytes(content, EmailMessage, policy=POLICY)
    language = _language(mail)
    text, html = _content(mail, "plain"), _content(mail, "html")
    if any(mail.iter_attachments()):
        note = Formats(language).gettext(_LEFT_OUT)
        text = f"{text}\n{note}\n"
        html = html.replace("</body>", f"<p>{note}</p>\n</body>")
    elif html:
        text, html = cut_middle(text, _MOST_TEXT, language), ""
    else:
        limit = len(text.encode()) // 4
        if limit < _LEAST_TEXT:
            return None
        text = cut_middle(text, limit, language)
    return _with_parts(mail, text, html)


def without_attachment(content: bytes) -> bytes | None:
    """Return a message as it was but for its attachments, or None if it has none."""
    mail = message_from_bytes(content, EmailMessage, policy=POLICY)
    if not any(mail.iter_attachments()):
        return None
    return _with_parts(mail, _content(mail, "plain"), _content(mail, "html"))


def with_line(content: bytes, line: Sentence) -> bytes:
    """Return a message with one more line at its end, in its language; the rest stays."""
    mail = message_from_bytes(content, EmailMessage, policy=POLICY)
    note = clean(line.in_language(_language(mail))).replace("\n", " ")
    text = f"{_content(mail, 'plain').rstrip()}\n\n{note}\n"
    page = _content(mail, "html").replace("</body>", f"<p>{escape(note)}</p>\n</body>")
    kept = [
        Attachment(str(part.get_filename("")), part.get_content())
        for part in mail.iter_attachments()
    ]
    return _with_parts(mail, text, page, next(iter(kept), None))


def _with_parts(
    mail: EmailMessage, text: str, html: str, attachment: Attachment | None = None
) -> bytes:
    language, boundary = _language(mail), str(mail.get_boundary("")).rstrip("_")
    mail.clear_content()
    set_parts(mail, text, html, attachment, language=language, boundary=boundary)
    return mail.as_bytes()


def _language(mail: EmailMessage) -> str:
    return str(mail.get("Content-Language", "en"))


def _content(mail: EmailMessage, kind: str) -> str:
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else ""


def thread_index(root: str, began_at: datetime, reply_at: datetime | None) -> str:
    """Return the ``Thread-Index`` by which Outlook groups the mails of a conversation.

    It is MAPI's conversation index (MS-OXOMSG 2.2.1.3): a time and 16 bytes that are
    unique to the conversation; a reply adds when it was made. Outlook groups mails neither
    by references alone nor by an index without that addition.

    Args:
        root: ``Message-ID`` of the conversation's first mail.
        began_at: when it began.
        reply_at: when this mail was made; None for the first one.
    """
    began = _windows_time(began_at)
    unique = hashlib.md5(root.encode(), usedforsecurity=False).digest()
    index = began.to_bytes(8, "big")[:6] + unique
    if reply_at is not None:
        index += _reply_block(max(_windows_time(reply_at) - began, 0))
    return b64encode(index).decode("ascii")


def _windows_time(moment: datetime) -> int:
    return (moment - _WINDOWS_EPOCH) // timedelta(microseconds=1) * 10


def _reply_block(elapsed: int) -> bytes:
    """Return a reply's 5 bytes: how coarse, how long after, and nothing random."""
    coarse = elapsed >= 1 << 49
    steps = elapsed >> (23 if coarse else 18)
    return (coarse << 31 | steps & 0x7FFFFFFF).to_bytes(4, "big") + b"\0"
