from __future__ import annotations

import datetime as dt
import random
import re
import string
import zipfile
from base64 import b64decode
from email import message_from_bytes
from email.policy import default
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from python_runner.report.compose import compose
from python_runner.report.mime import (
    ATTACHMENT_BYTES,
    Attachment,
    make_smaller,
    thread_index,
    without_attachment,
    zip_files,
    zip_name,
)
from python_runner.report.render import REPORT_BYTES, Report


if TYPE_CHECKING:
    from collections.abc import Callable
    from email.message import EmailMessage


pytestmark = pytest.mark.pure


DATE = dt.datetime(2026, 11, 23, 9, 51, 58, tzinfo=dt.UTC)
#: What one request to Microsoft Graph holds, in base64.
GRAPH_BYTES = 4_000_000


def reader(content: bytes) -> Callable[[int], bytes]:
    """Return what reads that many bytes of ``content`` at most."""
    return lambda limit: content[:limit]


def unpack(attachment: Attachment) -> dict[str, bytes]:
    """Return the files of a zip file, each of which is sound."""
    with zipfile.ZipFile(BytesIO(attachment.content)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def message(
    text: str = "text é\n",
    html: str = "<body><p>text</p></body>\n",
    attachment: Attachment | None = None,
    language: str = "en",
) -> bytes:
    """Return the bytes of a mail."""
    return compose(
        Report("[p] échec", text, html, language, attachment=attachment),
        run_id="39be3d37aed64",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        date=DATE,
    ).content


def parse(content: bytes) -> EmailMessage:
    """Return a mail as its reader's program sees it."""
    mail = message_from_bytes(content, policy=default)
    assert not mail.defects
    return mail


def body(mail: EmailMessage, kind: str) -> str | None:
    """Return a body, lines ended by a line feed."""
    part = mail.get_body((kind,))
    return str(part.get_content()).replace("\r\n", "\n") if part else None


def test_what_is_packed_comes_out_again() -> None:
    """Names with accents and any bytes survive, and nothing says when it was packed."""
    files = {"01_été.py.log": b"\xff\x00 caf\xc3\xa9\r\n", "02_b.log": b""}
    readers = {name: reader(content) for name, content in files.items()}
    attachment = zip_files("x.zip", readers, DATE)
    assert unpack(attachment) == files
    assert zip_files("x.zip", readers, DATE) == attachment
    with zipfile.ZipFile(BytesIO(attachment.content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {
            (2026, 11, 23, 9, 51, 58)
        }


def test_a_wrong_clock_packs_as_well() -> None:
    """A computer that believes in 1970 sends its reports all the same."""
    early = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    assert unpack(zip_files("x.zip", {"a": reader(b"b")}, early)) == {"a": b"b"}


def test_a_zip_file_is_bounded_whatever_goes_in() -> None:
    """What cannot be compressed is cut until it fits; text of megabytes stays whole."""
    noise = random.Random(4).randbytes(3_000_000)  # noqa: S311
    attachment = zip_files("x.zip", {"a": reader(noise), "b": reader(noise)}, DATE)
    assert ATTACHMENT_BYTES / 3 < len(attachment.content) <= ATTACHMENT_BYTES
    files = unpack(attachment)
    assert all(noise.startswith(content) for content in files.values())

    text = b"row 12 of 30 read\n" * 200_000
    assert unpack(zip_files("x.zip", {"a": reader(text)}, DATE)) == {"a": text}


def test_more_files_than_room_end_too() -> None:
    """Names alone may fill a zip file: there is an end to cutting."""
    files = {f"{number}.log": reader(b"x" * 99) for number in range(50)}
    attachment = zip_files("x.zip", files, DATE, limit=100)
    assert len(unpack(attachment)) == 50


def test_the_largest_mail_fits_into_a_request_to_graph() -> None:
    """Everything at its bound stays below 2.5 MB, and as base64 below 4 MB."""
    half = REPORT_BYTES // 2
    content = message("x" * half, "é" * (half // 2), Attachment("x.zip", b"z" * 10**6))
    assert len(content) < 2_500_000
    assert len(content) * 4 / 3 < GRAPH_BYTES


@pytest.mark.parametrize(
    ("project", "name"),
    [
        ("project_1", "project_1"),
        ("a/b\\c", "a-b-c"),
        ("../x", "x"),
        ("Été à Noël", "Ete-a-Noel"),
        ("finances & \N{LATIN SMALL LIGATURE FI}n", "finances-fin"),
        ("v1.2", "v1-2"),
        ("con.old", "con-old"),
        ("NUL", "NUL"),
        ("tab\tline\n\x00\x1b[31m\u202egnp", "tab-line-31m-gnp"),
        ('say; "it"', "say-it"),
        ("  .hidden. ", "hidden"),
        ("проект", "проект"),
        ("日本語", "日本語"),
        ("\udcff\N{GRINNING FACE}", "report"),
        ("..", "report"),
        ("", "report"),
        ("x" * 300, "x" * 40),
        ("é" * 300, "e" * 40),
        ("日" * 300, "日" * 40),
    ],
)
def test_an_attachment_is_called_after_project_and_date(
    project: str, name: str
) -> None:
    """Whatever the folder is called, each system and mail program takes the name."""
    called = zip_name(project, DATE)
    content = message(attachment=Attachment(called, b"zip"))
    (part,) = parse(content).iter_attachments()

    assert called == f"{name}_2026-11-23_output.zip"
    assert len(called.encode()) <= 255
    assert not re.match("(?i)(con|prn|aux|nul|com.|lpt.)[.]", called)
    assert part.get_filename() == called
    assert (b"filename*" in content) == (not called.isascii())


def test_an_attachment_arrives_beside_both_bodies() -> None:
    """Text and HTML stay alternatives of each other, the zip file goes with them."""
    content = message(attachment=Attachment("x.zip", b"PK\x00\xff"))
    assert content == message(attachment=Attachment("x.zip", b"PK\x00\xff"))
    mail = parse(content)
    assert content.isascii()
    assert body(mail, "plain") == "text é\n"
    assert body(mail, "html") == "<body><p>text</p></body>\n"
    (part,) = mail.iter_attachments()
    assert part.get_content_type() == "application/zip"
    assert part.get_filename() == "x.zip"
    assert part.get_content() == b"PK\x00\xff"


@pytest.mark.parametrize(
    ("language", "note"), [("en", "was left out"), ("fr", "a été retirée")]
)
def test_a_message_becomes_lighter_step_by_step(language: str, note: str) -> None:
    """First without its attachment, which both bodies say, then as text, ever shorter."""
    text = "the beginning\n" + "row\n" * 50_000 + "the end\n"
    zip_file = Attachment("x.zip", b"z" * 300_000)
    steps: list[bytes] = [message(text, attachment=zip_file, language=language)]
    while smaller := make_smaller(steps[-1]):
        assert smaller == make_smaller(steps[-1])
        steps.append(smaller)
    mails = [parse(step) for step in steps]

    assert [len(step) for step in steps] == sorted(map(len, steps), reverse=True)
    for mail in mails:
        assert mail["Message-ID"] == mails[0]["Message-ID"]
        assert mail["Date"] == mails[0]["Date"]
        assert mail["Subject"] == "[p] échec"
        assert mail["To"] == "ann@example.com"
        assert mail["Content-Language"] == language
    assert [bool(list(mail.iter_attachments())) for mail in mails[:2]] == [True, False]
    html = body(mails[1], "html")
    assert html is not None
    assert note in html
    assert html.rstrip().endswith("</body>")
    assert note in str(body(mails[1], "plain"))
    for mail in mails[2:]:
        shown = str(body(mail, "plain"))
        assert mail.get_content_type() == "text/plain"
        assert shown.startswith("the beginning\n")
        assert note in shown
        assert "the end\n" in shown
    assert len(steps[2]) < 120_000
    assert len(steps[-1]) < 8_000


def test_a_message_without_its_attachment_is_as_it_was() -> None:
    """What is kept of a sent message says nothing that was not sent."""
    zip_file = Attachment("x.zip", b"z" * 3000)
    assert without_attachment(message(attachment=zip_file)) == message()
    assert without_attachment(message()) is None
    assert without_attachment(message(html="")) is None


@settings(max_examples=50, deadline=None)
@given(st.text(max_size=3000), st.text(max_size=200), st.booleans(), st.booleans())
def test_any_message_becomes_lighter_and_ends(
    text: str, html: str, attached: bool, long: bool
) -> None:
    """Each step is smaller than the one before, and there are few."""
    zip_file = Attachment("x.zip", b"z" * 3000) if attached else None
    content: bytes | None = message(text * (40 if long else 1), html, zip_file)
    for _ in range(12):
        if content is None:
            return
        smaller = make_smaller(content)
        assert smaller is None or (smaller.isascii() and len(smaller) < len(content))
        content = smaller
    pytest.fail("there is no end")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\r\n",
        b"Subject: x\r\n\r\nbody",
        b"\xff\xfe\x00",
        b"Content-Type: x/y\r\n\r\n",
    ],
)
def test_strange_messages_cannot_be_made_lighter(content: bytes) -> None:
    """What was not made here is no reason to break down."""
    assert make_smaller(content) is None


def index(root: str, reply_at: dt.datetime | None = None) -> bytes:
    """Return the index of a mail in a thread that began at DATE."""
    return b64decode(thread_index(root, DATE, reply_at))


def test_the_index_of_a_thread_is_that_of_mapi() -> None:
    """22 bytes: a moment as Windows counts, then 16 that only this thread has."""
    first = index("<a@b>")
    assert len(first) == 22
    assert first[0] == 1
    ticks = int.from_bytes(first[:6] + b"\x00\x00", "big")
    began = dt.datetime(1601, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        microseconds=ticks / 10
    )
    assert abs(began - DATE) < dt.timedelta(seconds=1)
    assert index("<c@b>")[:6] == first[:6]
    assert index("<c@b>")[6:] != first[6:]


@pytest.mark.parametrize(
    "later",
    [
        dt.timedelta(),
        dt.timedelta(seconds=1),
        dt.timedelta(days=3),
        dt.timedelta(days=600),
        dt.timedelta(days=700),
        dt.timedelta(days=20_000),
    ],
)
def test_a_reply_tells_how_long_after_it_came(later: dt.timedelta) -> None:
    """Five bytes more, by which mails are put in order; coarser after 1.7 years."""
    reply = index("<a@b>", DATE + later)
    assert reply[:22] == index("<a@b>")
    assert len(reply) == 27
    block = int.from_bytes(reply[22:26], "big")
    coarse = later > dt.timedelta(days=650)
    assert (block >> 31 == 1) == coarse
    ticks = (block & 0x7FFFFFFF) << (23 if coarse else 18)
    told = dt.timedelta(microseconds=ticks / 10)
    assert dt.timedelta() <= later - told < dt.timedelta(seconds=1)


def test_a_clock_that_went_back_makes_a_reply_all_the_same() -> None:
    """The first moment is the earliest there is."""
    assert index("<a@b>", DATE - dt.timedelta(days=1))[22:] == bytes(5)


def any_names() -> Any:
    """Return names that a zip file may hold."""
    return st.text(string.ascii_letters + "é€ ._-", min_size=1, max_size=60)


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(any_names(), st.binary(max_size=50), min_size=1, max_size=4))
def test_any_files_can_be_packed(files: dict[str, bytes]) -> None:
    """Whatever outputs are called and hold, they come out as they went in."""
    readers = {name: reader(content) for name, content in files.items()}
    assert unpack(zip_files("x.zip", readers, DATE)) == files
