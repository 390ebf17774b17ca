"""Headers as RFC 2047 wants them, read back by Python's decoders and by Perl's."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from email.utils import getaddresses, parseaddr

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from python_runner.model import Mailbox, parse_mailbox
from python_runner.report.headers import mailbox_field, text_field


HOW_MANY = 20_000
WORD = re.compile(r"=\?[^?]+\?([bq])\?([^?]*)\?=")
#: What subjects are made of: mostly words of French, and what looks like an encoding.
STOCK = (
    *[
        "réseau",
        "données",
        "clé",
        "à",
        "été",
        "où",
        "forêt",
        "Noël",
        "déjà",
        "çà",
        "et",
        "là",
        "façade",
        "œuvre",
        "échec",
        "€",
        "…",
    ],
    *[
        "server",
        "file",
        "of",
        "the",
        "no",
        "such",
        "data",
        "key",
        "import",
        "failed:",
        "[sales]",
        "main.py",
        "(+3)",
        "-",
        "42",
    ],
    *[
        "=?utf-8?q?x?=",
        "?=",
        "=?",
        "=",
        "_",
        "=20",
        "==",
        '"',
        "'",
        "<",
        ">",
        ",",
        ";",
        ":",
        "\\",
        "?",
        "=?b?=",
        "a@b.c",
        "É́",
    ],
    *[
        "📈",
        "👩\u200d💻",
        "🇫🇷",
        "日本語の文字列",
        "Ελλάδα",
        "русский",
        "שלום",
        "﷽",
        "é̂",
    ],
    "x" * 59,
    "x" * 60,
    "x" * 61,
    "x" * 130,
    "é" * 70,
    "日" * 40,
    "C:\\Users\\Zoé\\Données\\" + "d" * 60,
)


def subjects() -> list[str]:
    """Return subjects as they are composed: one line, single spaces, bounded."""
    rng = random.Random("subjects")  # noqa: S311 - the same ones each time
    made = (" ".join(rng.choices(STOCK, k=rng.randint(1, 12))) for _ in range(HOW_MANY))
    return [subject[:180].rstrip() for subject in made]


def unfolded(field: str) -> str:
    """Return the value of a header on one line."""
    return field.partition(":")[2].replace("\r\n", "").lstrip(" ")


def by_python(field: str) -> str:
    """Read a header by today's parser of Python."""
    mail = message_from_bytes(field.encode("ascii") + b"\r\n", policy=default)
    return str(mail["Subject"])


def by_old_python(field: str) -> str:
    """Read a header by Python's parser of before 3.6."""
    return str(make_header(decode_header(unfolded(field))))


def by_perl(fields: list[str]) -> list[str]:
    """Read headers by Perl's Encode."""
    perl = shutil.which("perl")
    if not perl or subprocess.run([perl, "-MEncode", "-e1"], check=False).returncode:
        if os.environ.get("CI") and os.name != "nt":
            pytest.fail("needs Perl and its Encode")
        pytest.skip("needs Perl and its Encode")
    program = (
        'use Encode; binmode STDOUT, ":utf8"; while (<STDIN>)'
        ' { chomp; print Encode::decode("MIME-Header", $_), "\\n" }'
    )
    lines = "".join(f"{unfolded(field)}\n" for field in fields)
    done = subprocess.run(
        [perl, "-e", program], input=lines.encode(), capture_output=True, check=True
    )
    return done.stdout.decode().split("\n")[:-1]


def wrong_form(field: str) -> str:
    """Return what the standard forbids in a header; nothing where it is right."""
    lines = field.removesuffix("\r\n").split("\r\n")
    if not field.isascii() or not all(line.strip() for line in lines):
        return "not ASCII, or an empty line"
    if not lines[0].partition(":")[2].strip():
        return "nothing beside the name"
    if any(len(line) > 76 for line in lines):
        return "a long line"
    for word in re.findall(r"[^\s]*=\?[^\s]*", field.partition(":")[2]):
        if not WORD.fullmatch(word) or len(word) > 75:
            return f"{word} is no encoded word"
        # Each holds whole characters: it can be read alone.
        str(make_header(decode_header(word)))
    return ""


@pytest.mark.slow
@pytest.mark.portable("reads texts that were computed")
@pytest.mark.timeout(300)
def test_thousands_of_subjects_are_read_as_they_were_written() -> None:
    """Three decoders agree on each of them, and each has the form of the standard."""
    meant = subjects()
    fields = [text_field("Subject", subject) for subject in meant]
    bad = [(field, why) for field in fields if (why := wrong_form(field))]
    assert not bad, bad[:3]
    for name, read in (
        ("python", map(by_python, fields)),
        ("old python", map(by_old_python, fields)),
        ("perl", by_perl(fields)),
    ):
        wrong = [
            (subject, found, field)
            for subject, found, field in zip(meant, read, fields, strict=True)
            if subject != found
        ]
        assert not wrong, f"{len(wrong)} by {name}: {min(wrong, key=repr)}"


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("", "Subject:\r\n"),
        ("[p] failed: a.py", "Subject: [p] failed: a.py\r\n"),
        # What needs no encoding can be read in a log of the mail server.
        ("[p] échec : a.py", "Subject: [p] =?utf-8?b?w6ljaGVj?= : a.py\r\n"),
        ("a déjà b là c", "Subject: a =?utf-8?b?ZMOpasOgIGIgbMOg?= c\r\n"),
        ("résolution", "Subject: =?utf-8?q?r=C3=A9solution?=\r\n"),
        ("日本語", "Subject: =?utf-8?b?5pel5pys6Kqe?=\r\n"),
        ("a  b", "Subject: =?utf-8?q?a__b?=\r\n"),
        ("a  b ", "Subject: =?utf-8?q?a__b_?=\r\n"),
        ("=?a?q?b?=", "Subject: =?utf-8?b?PT9hP3E/Yj89?=\r\n"),
    ],
)
def test_what_needs_no_encoding_stays_as_it_is(text: str, field: str) -> None:
    """Only words from the first to the last one that needs it are encoded."""
    assert text_field("Subject", text) == field


#: Anything that a configuration may hold as a name.
NAMES = st.text(
    st.characters(
        codec="utf-8", exclude_categories=("Cc", "Cf", "Cs", "Zl", "Zp", "Cn")
    ),
    max_size=60,
)


@given(NAMES)
@example("Dupont, Jean")
@example("Robot; Acme")
@example("[Robot] (Acme) <nuit>")
@example("Robot @ Acme: \\ \"'")
@example("sales@example.org")
@example("=?utf-8?q?x?=")
@example("A. B. Robot")
@example("Société d'exploitation générale des réseaux électriques côtiers")
def test_a_sender_is_read_as_it_was_understood(name: str) -> None:
    """Whatever stands between quotes is the name that a mail program shows."""
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    mailbox = parse_mailbox(f'"{escaped}" <robot@example.org>')
    assert mailbox is not None
    assert mailbox.name == " ".join(name.split())
    field = mailbox_field("From", [mailbox])
    assert field.isascii()
    assert max(map(len, field.split("\r\n"))) <= 998
    mail = message_from_bytes(field.encode() + b"\r\n", policy=default)
    [author] = mail["From"].addresses
    assert author.addr_spec == "robot@example.org"
    # Python's parser puts a space between the encoded words of a name.
    assert "".join(author.display_name.split()) == "".join(name.split())
    shown, address = parseaddr(unfolded(field))
    assert (str(make_header(decode_header(shown))), address) == (
        mailbox.name,
        "robot@example.org",
    )


@pytest.mark.parametrize(
    ("written", "name", "address"),
    [
        ("robot@example.org", "", "robot@example.org"),
        ("  <robot@example.org>\u00a0", "", "robot@example.org"),
        ("Dupont, Jean <a@b.fr>", "Dupont, Jean", "a@b.fr"),
        ('"Dupont, Jean" <a@b.fr>', "Dupont, Jean", "a@b.fr"),
        ('Jean "Jo" Dupont <a@b.fr>', 'Jean "Jo" Dupont', "a@b.fr"),
        ("sales@example.org <a@b.fr>", "sales@example.org", "a@b.fr"),
        ("Robot @ Acme <a@b.fr>", "Robot @ Acme", "a@b.fr"),
        ("OFFICE\\robot <a@b.fr>", "OFFICE\\robot", "a@b.fr"),
        ("'' < a@bücher.example >", "''", "a@bücher.example"),
        ('"a <b> \\" \\\\ c" <a@b.fr>', 'a <b> " \\ c', "a@b.fr"),
    ],
)
def test_one_parser_understands_a_mailbox(
    written: str, name: str, address: str
) -> None:
    """What the check takes and what a mail names is the same."""
    mailbox = parse_mailbox(written)
    assert mailbox is not None
    assert (mailbox.name, mailbox.address) == (name, address)


def test_many_readers_are_named_one_by_one() -> None:
    """A long list is folded between addresses, and old readers count the same ones."""
    boxes = [
        Mailbox(f"reader-{n}@example.org", f"reader-{n}@example.org", name)
        for n, name in enumerate(("", "Zoé, la 2e", "A, B", "Ann", "x" * 70) * 4)
    ]
    meant = [(box.name, box.address) for box in boxes]
    field = mailbox_field("To", boxes)
    mail = message_from_bytes(field.encode() + b"\r\n", policy=default)
    assert [(a.display_name, a.addr_spec) for a in mail["To"].addresses] == meant
    assert [
        (str(make_header(decode_header(name))), address)
        for name, address in getaddresses([unfolded(field)])
    ] == meant
