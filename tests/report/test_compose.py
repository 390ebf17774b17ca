from __future__ import annotations

import datetime as dt
from base64 import b64decode
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from python_runner.config.addresses import is_sender
from python_runner.model import Incident
from python_runner.report.compose import compose
from python_runner.report.render import Report


if TYPE_CHECKING:
    from email.message import EmailMessage


pytestmark = pytest.mark.pure


DATE = dt.datetime(2026, 11, 23, 9, 51, 58, tzinfo=dt.timezone(dt.timedelta(hours=1)))
REPORT = Report("[p] échec : x", "accents é €\nline\n.\n", "<p>accents é €</p>\n")

#: The sender shown where there is none.
NOBODY = "Python Runner <python-runner@localhost>"


def _compose(report: Report = REPORT, **changes: Any) -> Any:
    values: dict[str, Any] = {
        "run_id": "39be3d37aed64",
        "sender": "robot@example.com",
        "recipients": ("ann@example.com", "bob@example.com"),
        "date": DATE,
    }
    return compose(report, **(values | changes))


def _parse(content: bytes) -> EmailMessage:
    return message_from_bytes(content, policy=default)


def _content(part: Any) -> str:
    return str(part.get_content()).replace("\r\n", "\n")


def test_what_is_composed_is_what_a_reader_gets() -> None:
    """Every header and both bodies survive the way through a mail."""
    message = _compose()
    mail = _parse(message.content)
    assert not mail.defects
    assert mail["From"] == "Python Runner <robot@example.com>"
    assert mail["To"] == "ann@example.com, bob@example.com"
    assert mail["Subject"] == REPORT.subject
    assert mail["Date"].datetime == DATE
    assert mail["Message-ID"] == message.message_id
    assert mail["Auto-Submitted"] == "auto-generated"
    text, html = mail.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == (
        "text/plain",
        "text/html",
    )
    assert _content(text) == REPORT.text
    assert _content(html) == REPORT.html
    assert message.subject == REPORT.subject
    assert message.recipients == ("ann@example.com", "bob@example.com")


def test_the_same_report_is_the_same_message() -> None:
    """A second attempt has the same identity, the same date, the same bytes."""
    assert _compose() == _compose()
    assert _compose().message_id == "<39be3d37aed64.python-runner@example.com>"
    assert _compose(run_id="0" * 13).message_id != _compose().message_id


@given(st.text(), st.text(max_size=300), st.text())
def test_any_report_becomes_an_ascii_mail(subject: str, text: str, html: str) -> None:
    """Whatever a report says, the bytes are 7 bit, its lines short, its headers ours."""
    message = _compose(Report(subject, text, html))
    assert message.content.isascii()
    lines = message.content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert not any(b"\n" in line or b"\r" in line for line in lines)
    mail = _parse(message.content)
    assert set(mail.keys()) == {
        "From",
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "Content-Language",
        "MIME-Version",
        "Content-Type",
        *(() if mail.is_multipart() else ("Content-Transfer-Encoding",)),
    }


WORDS = st.lists(
    st.text("abeêéèçœñü€:'[]-0", min_size=1, max_size=24), min_size=1, max_size=16
)


@given(WORDS)
@example(["0ç", "00ç", "0çç", "0" * 21 + "€€", "ç", "ç"])
def test_any_subject_is_read_as_it_was_written(words: list[str]) -> None:
    """Accents and folded lines neither add a space nor take one."""
    message = _compose(Report(" ".join(words), "text\n", ""))
    assert _parse(message.content)["Subject"] == message.subject


@pytest.mark.parametrize(
    "changes",
    [
        {"report": Report("a\r\nBcc: eve@example.com", "text\n", "")},
        {"report": Report("a\rBcc: eve@example.com", "text\n", "")},
        {"report": Report("\r", "text\n", "")},
        {"sender": "a@b.fr\r"},
        {"recipients": ("ann@example.com\r", "\rann@example.com")},
        {"sender": "a@b.fr\r\nBcc: eve@example.com"},
        {"sender": '"x\r\nBcc: eve@example.com" <a@b.fr>'},
        {"recipients": ("ann@example.com\nBcc: eve@example.com",)},
        {"run_id": "1\r\nBcc: eve@example.com"},
    ],
)
def test_no_value_adds_a_header(changes: dict[str, Any]) -> None:
    """Line breaks in any value never make a header of what follows."""
    content = _compose(**changes).content
    assert b"\r" not in content.replace(b"\r\n", b"")
    mail = _parse(content)
    assert mail["Bcc"] is None
    assert mail["Message-ID"].startswith("<1" if "run_id" in changes else "<39")


def test_half_characters_fall_back_to_ascii() -> None:
    """What cannot be encoded is shown escaped: there is always a message."""
    message = _compose(Report("half \udc80", "half \udc80 é\n", "<p>"))
    mail = _parse(message.content)
    assert _content(mail) == "half \\udc80 \\xe9\n"
    assert mail["Subject"] == "half \\udc80"
    assert message.subject == "half \\udc80"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("Dupont, Jean <robot@example.org>", "Dupont, Jean"),
        ("Service: Nuit <robot@example.org>", "Service: Nuit"),
        ("Nuit; Jour <robot@example.org>", "Nuit; Jour"),
    ],
)
def test_a_sender_that_is_accepted_is_the_author(sender: str, name: str) -> None:
    """What the check lets pass, a message is sent with, name and address."""
    assert is_sender(sender)
    message = _compose(sender=sender)
    (author,) = _parse(message.content)["From"].addresses
    assert message.sender == "robot@example.org"
    assert (author.display_name, author.addr_spec) == (name, "robot@example.org")


@pytest.mark.parametrize(
    ("sender", "envelope", "header"),
    [
        (
            "Robot de nuit <robot@example.com>",
            "robot@example.com",
            "Robot de nuit <robot@example.com>",
        ),
        (
            "robot@bücher.example",
            "robot@xn--bcher-kva.example",
            "Python Runner <robot@xn--bcher-kva.example>",
        ),
        ("not an address", "not an address", NOBODY),
        ("é@example.com", "é@example.com", NOBODY),
    ],
)
def test_a_sender_is_an_address_or_is_replaced_in_the_header(
    sender: str, envelope: str, header: str
) -> None:
    """A message always has an author; what no check lets pass is left to the transport."""
    assert is_sender(sender) == (header != NOBODY)
    message = _compose(sender=sender)
    assert message.sender == envelope
    assert _parse(message.content)["From"] == header


def test_recipients_no_header_can_hold_stay_in_the_envelope() -> None:
    """Each of them gets a receipt, so none is forgotten silently."""
    message = _compose(recipients=("é@example.com", "a@b..fr"))
    assert message.recipients == ("é@example.com", "a@b..fr")
    assert _parse(message.content)["To"] is None


def test_a_report_without_html_is_a_plain_mail() -> None:
    """The fallback report is text and nothing else."""
    mail = _parse(_compose(Report("s", "text\n", "")).content)
    assert mail.get_content_type() == "text/plain"


def test_large_parts_grow_by_a_known_factor() -> None:
    """Text whose first lines promise little work does not triple in size."""
    text = "plain\n" * 20 + "é" * 70 * 1024 + "\n"
    message = _compose(Report("s", text, ""))
    assert len(message.content) < len(text.encode()) * 1.4 + 1000
    assert _content(_parse(message.content)) == text


@given(st.text(), st.lists(st.text(), max_size=3), st.text(max_size=40))
def test_any_address_leaves_a_message(
    sender: str, recipients: list[str], run_id: str
) -> None:
    """Whatever stands in the configuration, there is a message, and it can be read."""
    message = _compose(sender=sender, recipients=tuple(recipients), run_id=run_id)
    assert message.recipients == tuple(recipients)
    assert message.content.isascii()
    mail = _parse(message.content)
    assert mail["Message-ID"] == message.message_id
    assert len(mail["From"].addresses) == 1


@given(
    st.emails(
        domains=st.just("department.of-a-very-long.organisation-name.example.com")
    )
)
def test_long_addresses_survive_the_folding_of_headers(address: str) -> None:
    """A header longer than a line comes back as it was."""
    message = _compose(sender=address, recipients=(address, address, address))
    mail = _parse(message.content)
    assert mail["Message-ID"] == message.message_id
    assert [a.addr_spec for a in mail["From"].addresses] == [address]
    assert [a.addr_spec for a in mail["To"].addresses] == [address] * 3


STARTED = dt.datetime(2026, 11, 20, 6, 0, 0, 123456, tzinfo=dt.UTC)
IDS = tuple(f"<{n:013}.python-runner@example.com>" for n in range(10))


def test_the_first_mail_of_an_incident_begins_a_incident() -> None:
    """It refers to nothing, and its subject becomes the topic of all that follow."""
    mail = _parse(_compose(incident=Incident(began_at=STARTED)).content)
    assert mail["References"] is None
    assert mail["In-Reply-To"] is None
    assert mail["Thread-Topic"] == mail["Subject"]


def test_the_mails_of_an_incident_belong_together() -> None:
    """Each refers to those before it, and shares topic and index with the first."""
    first = _compose(incident=Incident(began_at=STARTED), run_id="0" * 13)
    later = Incident(
        began_at=STARTED.astimezone(),
        topic=first.subject,
        references=(first.message_id, *IDS[1:]),
    )
    report = Report("[p] recovered", "text\n", "")
    root, mail = _parse(first.content), _parse(_compose(report, incident=later).content)
    assert mail["References"] == " ".join(later.references)
    assert mail["In-Reply-To"] == IDS[-1]
    assert mail["Thread-Topic"] == root["Thread-Topic"] == first.subject
    index, first_index = (b64decode(m["Thread-Index"]) for m in (mail, root))
    assert (index[:22], len(index)) == (first_index, 27)
    headers = mail.keys()
    assert headers.index("Thread-Topic") < headers.index("Subject")
    assert mail["Subject"] == "[p] recovered"


def test_a_mail_of_no_incident_belongs_to_no_incident() -> None:
    """Successes do not pile up in one conversation."""
    assert not {"References", "In-Reply-To", "Thread-Topic", "Thread-Index"} & set(
        _parse(_compose().content).keys()
    )


@pytest.mark.parametrize("domain", ["b.fr", "x" * 60 + ".example.com", "y.z" * 70])
def test_long_identities_survive_the_folding_of_headers(domain: str) -> None:
    """A reference is no word that may be encoded, however long its domain is."""
    ids = tuple(f"<{n:013}.python-runner@{domain}>" for n in range(10))
    incident = Incident(began_at=STARTED, topic="t", references=ids)
    content = _compose(incident=incident).content
    mail = _parse(content)
    assert mail["References"].split() == list(ids)
    assert mail["In-Reply-To"] == ids[-1]
    assert b"References: " + ids[0].encode() in content


def test_no_topic_adds_a_header() -> None:
    """A topic that comes from the records is one line, whatever it holds."""
    incident = Incident(
        began_at=STARTED, topic="a\r\nBcc: eve@example.com", references=IDS
    )
    assert _parse(_compose(incident=incident).content)["Bcc"] is None
