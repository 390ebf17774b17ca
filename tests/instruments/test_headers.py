"""Subjects and senders that three decoders read back as they were meant."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
import unicodedata
from datetime import UTC, datetime
from email import message_from_bytes
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from email.policy import compat32, default
from email.utils import getaddresses
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import pytest

from python_runner.config.settings import load_settings
from python_runner.exceptions import InvalidConfiguration
from python_runner.report.compose import compose
from python_runner.report.render import Report
from tests.instruments.cases import LONG


if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.instrument

HOW_MANY = 2000 if LONG else 100
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROBOT = "robot@example.org"
FRENCH = [
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
    "naïve",
    "œuvre",
    "crème",
    "facturation",
    "référence",
    "périmètre",
    "dépôt",
    "échec",
    "élève",
    "août",
    "île",
]
ENGLISH = [
    "server",
    "file",
    "of",
    "the",
    "no",
    "such",
    "data",
    "key",
    "import",
    "not",
    "found",
    "report",
    "sales",
]
EMOJI = ("📈", "❌", "👩‍💻", "🇫🇷", "é́", "日本語", "Ελλάδα", "русский", "שלום")


def _words(rng: random.Random, *stocks: tuple[str, ...] | list[str]) -> str:
    count = rng.randint(1, 14)
    return " ".join(rng.choice(rng.choice(stocks)) for _ in range(count))


def _long(rng: random.Random, letters: str) -> str:
    word = "".join(rng.choice(letters) for _ in range(rng.randint(40, 150)))
    return f"{word} {_words(rng, ENGLISH)}" if rng.random() < 0.5 else word


def _exactly(rng: random.Random) -> str:
    """Return a subject of plain words around the length where lines are broken."""
    text = _words(rng, ENGLISH)
    while len(text) < 80:
        text += " " + rng.choice(ENGLISH)
    return text[: rng.randint(64, 80)].rstrip()


def _marks(rng: random.Random) -> str:
    """Return words among what looks like a part of a header."""
    marks = ["=20", "?=", "=", "??", "_", "<a@b.c>", '"', "(", ":", ";", ",", "\\"]
    return _words(rng, marks, FRENCH, ENGLISH)


#: What makes a subject of a kind.
KINDS: dict[str, Callable[[random.Random], str]] = {
    "french": lambda rng: rng.choice(["[ventes] échec : ", ""]) + _words(rng, FRENCH),
    "few-accents": lambda rng: _words(rng, ENGLISH, ENGLISH, ENGLISH, FRENCH),
    "english": lambda rng: _words(rng, ENGLISH),
    "one-line": _exactly,
    "long-word": lambda rng: _long(rng, "abcdefghijklmnopqrstuvwxyz_"),
    "long-accents": lambda rng: _long(rng, "abcéàçùœdefê"),
    "emoji": lambda rng: _words(rng, EMOJI, ENGLISH),
    "marks": _marks,
}


@cache
def mails(kind: str) -> tuple[tuple[str, bytes], ...]:
    """Return mails of a kind: the subject that is meant, and the headers."""
    rng = random.Random(f"subjects {kind}")  # noqa: S311 - the same ones each time
    subjects = sorted(
        {KINDS[kind](rng)[:170].strip() for _ in range(HOW_MANY)}, key=len
    )
    return tuple(composed(subject, ROBOT) for subject in subjects)


def composed(subject: str, sender: str) -> tuple[str, bytes]:
    """Compose a mail; return the subject that it says it has, and its head."""
    message = compose(
        Report(subject, "text", ""),
        run_id="39be3d37aed64",
        sender=sender,
        recipients=["office@example.org"],
        date=NOON,
    )
    return message.subject, message.content.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"


def raw_header(mail: bytes, name: str) -> bytes:
    """Return a header's value with the line breaks that it left with."""
    head = b"\r\n" + mail.partition(b"\r\n\r\n")[0]
    match = re.search(
        rb"\r\n%s:((?:[^\r]|\r\n[ \t])*)" % name.encode(), head, re.IGNORECASE
    )
    assert match, name
    return match[1]


def by_python(mail: bytes, name: str) -> str:
    """Read a header by today's parser of Python."""
    return str(message_from_bytes(mail, policy=default)[name])


def by_old_python(mail: bytes, name: str) -> str:
    """Read a header by Python's parser of before 3.6."""
    value = message_from_bytes(mail, policy=compat32)[name]
    unfolded = value.replace("\r\n", "").replace("\n", "")
    try:
        return str(make_header(decode_header(unfolded))).lstrip()
    except (HeaderParseError, UnicodeError, LookupError) as error:
        return f"{type(error).__name__}: {error}"


PERL = r"""
binmode STDOUT; use Encode;
while (<STDIN>) { chomp; my $raw = pack "H*", $_; $raw =~ s/\r\n(?=[ \t])//g;
  print unpack("H*", Encode::encode("UTF-8", Encode::decode("MIME-Header", $raw))), "\n" }
"""


@cache
def by_perl(kind: str) -> tuple[str, ...]:
    """Read the subjects of a kind by Perl's Encode."""
    return perl_reads([raw_header(mail, "Subject") for _, mail in mails(kind)])


def perl_reads(values: list[bytes]) -> tuple[str, ...]:
    """Read headers by Perl's Encode."""
    perl = shutil.which("perl")
    if not perl or subprocess.run([perl, "-MEncode", "-e1"], check=False).returncode:
        if os.environ.get("CI") and sys.platform != "win32":
            pytest.fail("needs Perl and its Encode")
        pytest.skip("needs Perl and its Encode")
    text = "".join(value.hex() + "\n" for value in values)
    answer = subprocess.run(
        [perl, "-e", PERL], input=text, text=True, capture_output=True, check=True
    )
    return tuple(bytes.fromhex(h).decode().strip() for h in answer.stdout.splitlines())


def _read_by_python(kind: str) -> list[str]:
    return [by_python(mail, "Subject") for _, mail in mails(kind)]


def _read_by_old_python(kind: str) -> list[str]:
    return [by_old_python(mail, "Subject") for _, mail in mails(kind)]


READERS: dict[str, Callable[[str], object]] = {
    "python": _read_by_python,
    "old-python": _read_by_old_python,
    "perl": by_perl,
}
SUBJECTS = [f"{kind}:{reader}" for kind, reader in product(KINDS, READERS)]


def report(bad: list[str], of: int) -> str:
    """Say how many are wrong, and show the shortest."""
    return f"{len(bad)} of {of} are wrong; the shortest: {min(bad, key=len)}"


@pytest.mark.parametrize("case", SUBJECTS)
def test_the_subject_is_read_as_it_was_meant(case: str) -> None:
    """What a decoder makes of the header is the subject, to the character."""
    kind, _, reader = case.partition(":")
    sent = mails(kind)
    read = READERS[reader](kind)
    assert isinstance(read, (list, tuple))
    bad = [
        f"{meant!r} is read as {found!r} from {raw_header(mail, 'Subject')!r}"
        for (meant, mail), found in zip(sent, read, strict=True)
        if found != meant
    ]
    assert not bad, report(bad, len(sent))


def overlong_words(value: bytes) -> bool:
    """Say whether an encoded word has more than the 75 characters of RFC 2047."""
    return any(
        len(w) > 75
        for w in re.findall(rb"=\?[^?]+\?[bq]\?[^?]*\?=", value, re.IGNORECASE)
    )


def overlong_lines(value: bytes) -> bool:
    """Say whether a line with an encoded word has more than 76 characters."""
    lines = (b"Subject:" + value).split(b"\r\n")
    return any(b"=?" in line and len(line) > 76 for line in lines)


def empty_first_line(value: bytes) -> bool:
    """Say whether nothing stands beside the header's name: many readers show that."""
    return not value.partition(b"\r\n")[0].strip()


def split_characters(value: bytes) -> bool:
    """Say whether an encoded word holds no whole characters, or is no word at all."""
    if re.search(rb"\?==\?", value):
        return True
    for kind, text in re.findall(
        rb"=\?utf-8\?([bq])\?([^?]*)\?=", value, re.IGNORECASE
    ):
        word = b"=?utf-8?" + kind + b"?" + text + b"?="
        try:
            str(make_header(decode_header(word.decode("ascii"))))
        except (HeaderParseError, UnicodeError):
            return True
    return False


FORMS = {
    "words": overlong_words,
    "lines": overlong_lines,
    "first-line": empty_first_line,
    "characters": split_characters,
}
SHAPES = [f"{kind}:{form}" for kind, form in product(KINDS, FORMS)]


@pytest.mark.parametrize("case", SHAPES)
def test_the_header_has_the_form_that_the_standard_wants(case: str) -> None:
    """Words and lines of RFC 2047's length, whole characters, text on the first line."""
    kind, _, form = case.partition(":")
    sent = mails(kind)
    values = [raw_header(mail, "Subject") for _, mail in sent]
    bad = [
        f"{meant!r} leaves as {value!r}"
        for (meant, _), value in zip(sent, values, strict=True)
        if FORMS[form](value)
    ]
    assert not bad, report(bad, len(sent))


ADDRESS = f"<{ROBOT}>"
#: Names that a configuration may give to its sender.
NAMES = {
    "plain": "Robot",
    "two-words": "Sales Robot",
    "accents": "Société Générale",
    "all-accents": "éàçùœ",
    "emoji": "📈 Ventes",
    "apostrophe": "Robot d'été",
    "comma": "Dupont, Jean",
    "quoted-comma": '"Dupont, Jean"',
    "quoted-accents": '"Dupont, Éric"',
    "accented-comma": "Dupont, Éric",
    "semicolon": "Robot; Acme",
    "colon": "Acme: Robot",
    "brackets": "[Robot]",
    "parentheses": "Robot (Acme)",
    "only-parentheses": "(Robot)",
    "at": "Robot @ Acme",
    "address": "sales@example.org",
    "dot": "Acme Inc.",
    "dots": "A. B. Robot",
    "equals": "a=b",
    "percent": "100 %",
    "encoded-word": "=?utf-8?q?Robot?=",
    "long": "Robot of the department of sales and of much else besides it all",
    "long-accents": "Société d'exploitation générale des réseaux électriques côtiers",
    "long-word": "R" * 120,
    "empty": "",
    "empty-quotes": '""',
    "double-space": "Sales  Robot",
    "backtick": "`Robot`",
    "ampersand": "Müller & Söhne",
}
#: The names that people have: these must be accepted.
USUAL = {"plain", "two-words", "accents", "quoted-comma", "apostrophe", "dot"}


def accepted(sender: str) -> bool:
    """Say whether the configuration takes this sender."""
    try:
        settings = load_settings(environ={**os.environ, "MAIL_FROM": sender})
    except InvalidConfiguration:
        return False
    return settings.mail.sender == sender


def as_shown(name: str) -> str:
    """Return a name as a mail program shows it: without quotes, one space a gap."""
    if len(name) > 1 and name[0] == name[-1] == '"':
        name = name[1:-1]
    return " ".join(unicodedata.normalize("NFC", name).split())


@pytest.mark.parametrize("case", NAMES)
def test_the_sender_is_read_as_it_was_configured(case: str) -> None:
    """What the configuration takes is what the From header says: name and address."""
    sender = f"{NAMES[case]} {ADDRESS}".strip()
    if not accepted(sender):
        assert case not in USUAL, f"{sender!r} is refused"
        return
    _, mail = composed("subject", sender)
    # Who gives no name is shown as the product.
    meant = [(as_shown(NAMES[case]) or "Python Runner", ROBOT)]
    header = message_from_bytes(mail, policy=default)["From"]
    value = raw_header(mail, "From")

    shown = [(as_shown(a.display_name), a.addr_spec) for a in header.addresses]
    assert shown == meant, f"MAIL_FROM={sender!r} leaves as {value!r}"
    old = message_from_bytes(mail, policy=compat32)["From"]
    [(name, address)] = getaddresses([old.replace("\r\n", "")])
    assert (as_shown(str(make_header(decode_header(name)))), address) == meant[0], value
    (read,) = perl_reads([value])
    assert as_shown(NAMES[case]) in read.replace('\\"', '"'), value
