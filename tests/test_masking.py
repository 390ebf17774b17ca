from __future__ import annotations

import base64
import html
import json
import pickle
import re
import shlex
import unicodedata
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, urlencode
from xml.sax import saxutils

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import escape

from python_runner.masking import Forms, Masker
from python_runner.model import Outcome, Traceback
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Callable


SECRET = "càn4ry/pa ss+\"q'\\&<7"
secrets = st.text(st.characters(exclude_categories=["Cs"]), min_size=4).filter(
    lambda text: (
        len(text.strip()) >= 4
        and "*" not in text
        and text.strip().lower() not in {"true", "false", "none", "null"}
    )
)


def b64(text: str) -> str:
    """Return a text in base64."""
    return base64.b64encode(text.encode()).decode()


def lower(match: re.Match[str]) -> str:
    """Return what was found in lower case."""
    return match[0].lower()


def url64(text: str) -> str:
    """Return a text in the base64 of URLs."""
    return base64.urlsafe_b64encode(text.encode()).decode()


def numbered(text: str, signs: str) -> str:
    """Return a text of JSON with some signs by their numbers."""
    return re.sub(f"[{signs}]", lambda match: f"\\u{ord(match[0]):04x}", text)


def capitals(text: str) -> str:
    """Return a text of JSON whose numbers are in capitals."""
    return re.sub("u00..", lambda match: "u" + match[0][1:].upper(), text)


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(str, id="plain"),
        pytest.param(repr, id="repr"),
        pytest.param(ascii, id="ascii"),
        pytest.param(json.dumps, id="json"),
        pytest.param(
            lambda s: json.dumps({"a": s}, ensure_ascii=False), id="json-utf8"
        ),
        pytest.param(lambda s: repr(["x", s]), id="list"),
        pytest.param(lambda s: repr(f"said {s!r}"), id="repr-of-repr"),
        pytest.param(lambda s: json.dumps(json.dumps(s)), id="json-of-json"),
        pytest.param(html.escape, id="html"),
        pytest.param(quote, id="url-path"),
        pytest.param(quote_plus, id="url-form"),
        pytest.param(lambda s: quote(s, safe=""), id="url"),
        pytest.param(lambda s: re.sub("%..", lower, quote(s, safe="")), id="url-lower"),
        pytest.param(lambda s: urlencode({"key": s}), id="query"),
        pytest.param(b64, id="base64"),
        pytest.param(url64, id="base64url"),
        pytest.param(lambda s: b64(f"a{s}b"), id="base64-second"),
        pytest.param(lambda s: b64(f"\0user\0{s}"), id="base64-login"),
        pytest.param(lambda s: url64(f"ab{s}cd"), id="base64-third"),
        pytest.param(lambda s: repr(s.encode()), id="bytes"),
        pytest.param(lambda s: repr(repr(s.encode())), id="repr-of-bytes"),
        pytest.param(lambda s: s.encode().hex(), id="hexadecimal"),
        pytest.param(lambda s: s.encode().hex().upper(), id="hexadecimal-capitals"),
        pytest.param(escape, id="html-of-jinja"),
        pytest.param(
            lambda s: html.escape(s).replace("x27", "39"), id="html-of-django"
        ),
        pytest.param(lambda s: html.escape(s).replace("x27", "039"), id="html-of-php"),
        pytest.param(saxutils.quoteattr, id="xml-attribute"),
        pytest.param(
            lambda s: html.escape(s).replace("&#x27;", "&apos;"), id="xml-of-java"
        ),
        pytest.param(shlex.quote, id="shell"),
        pytest.param(lambda s: s.replace("'", "'\\''"), id="shell-of-others"),
        pytest.param(lambda s: s.replace("'", "''"), id="sql"),
        pytest.param(lambda s: s.replace('"', '""'), id="csv"),
        pytest.param(lambda s: json.dumps(s).replace("/", "\\/"), id="json-of-php"),
        pytest.param(
            lambda s: numbered(json.dumps(s, ensure_ascii=False), "&<>"),
            id="json-of-go",
        ),
        pytest.param(
            lambda s: capitals(
                numbered(json.dumps(s)[1:-1].replace('\\"', "\\u0022"), "&<>'+`")
            ),
            id="json-of-dotnet",
        ),
        pytest.param(lambda s: unicodedata.normalize("NFD", s), id="accents-apart"),
    ],
)
def test_a_secret_is_masked_however_it_is_written(write: Callable[[str], str]) -> None:
    """Plain, quoted, escaped, in a URL, in base64: what is left tells nothing of it."""
    masker = Masker([SECRET])
    written = write(SECRET)

    for masked in (
        masker.text(f"before {written} after"),
        masker.data(f"before {written} after".encode()).decode(),
    ):
        assert masked.startswith("before ")
        assert masked.endswith(" after")
        assert "***" in masked
        assert not any(written[i : i + 8] in masked for i in range(3, len(written) - 9))


@pytest.mark.parametrize("page", ["cp1252", "cp850", "utf-16-le"])
def test_a_secret_in_an_old_code_page_is_masked(page: str) -> None:
    """Windows programs print in the console's code page, whatever the runner asked."""
    mask = b"<" + "***".encode(page) + b">"
    assert Masker(["pässword"]).data(b"<" + "pässword".encode(page) + b">") == mask


#: What shows as nothing, wherever it stands.
UNSEEN = (
    *(
        "\x1b[0m",
        "\x1b[1;31m",
        "\x1b[38;5;196m",
        "\x1b[K",
        "\x1b[2J",
        "\x1b(B",
        "\x1b7",
    ),
    *("\x1b]0;title\x07", "\x1b]8;;http://x\x1b\\", "\x07", "\x08", "\x7f", "\x01"),
    *("\x85", "\xad", "\u200b", "\u200f", "\u2060", "\ufeff", "\x1b[0m\u200b"),
)


@pytest.mark.fault(
    "secrets",
    "Colour codes cut a secret into pieces",
    "It is masked all the same.",
)
@pytest.mark.parametrize("unseen", UNSEEN)
@pytest.mark.parametrize("value", ["correcthorse", SECRET])
def test_a_secret_that_unseen_characters_cut_is_masked(unseen: str, value: str) -> None:
    """Whoever takes the colours out, or looks at a terminal, would see it whole."""
    masker = Masker([value])
    for text in (
        f"<{value[:5]}{unseen}{value[5:]}>",
        f"<{unseen.join(value)}>",
        f"<{value[0]}{unseen * 3}{value[1:]}{unseen}>",
    ):
        for masked in (
            masker.text(text),
            masker.data(text.encode()).decode(),
            b"".join(masker.stream(bytes([b]) for b in text.encode())).decode(),
        ):
            shown = one_line(masked, 200)
            assert shown.startswith("<***")
            assert value[-3:] not in shown
            # The colours that it set or ended are still set or ended.
            assert masked.count("\x1b[0m") == text.count("\x1b[0m")
    colours = f"{unseen}nothing{unseen} secret"
    assert masker.text(colours) == colours
    assert masker.data(colours.encode()) == colours.encode()


@pytest.mark.parametrize("blank", ["  ", "\n", " \n\t ", "\r\n", "\x1b[0m  \x1b[1m"])
def test_a_secret_with_a_blank_is_masked_where_lines_are_joined(blank: str) -> None:
    """A subject shows many blanks and lines as one blank."""
    # Another secret may have no blank in it.
    masker = Masker(["correct horse battery", "Tr0ub4dor"])
    text = f"ValueError: correct{blank}horse{blank}battery!"
    assert one_line(masker.text(text), 99) == "ValueError: ***!"
    other = f"ValueError: correct{blank}house"
    assert masker.text(other) == other
    several = Masker(["correct  horse"])
    assert several.text("correct horse, correct  horse") == "***, ***"


@given(
    st.text("abcdefgh0123 é", min_size=4, max_size=12).filter(
        lambda t: len(t.strip()) > 3
    ),
    st.data(),
)
def test_blocks_make_no_difference_to_unseen_characters(
    value: str, data: st.DataObject
) -> None:
    """However a coloured text is cut, the secret is gone, and nothing else."""
    masker = Masker([value])
    value = value.strip()
    unseen = [*(text for text in UNSEEN if text > "\x1a"), ""]
    coloured = "".join(char + data.draw(st.sampled_from(unseen)) for char in value)
    drawn = st.sampled_from([coloured, value[:-1], value, *unseen, "x", "\n"])
    text = "".join(data.draw(st.lists(drawn, max_size=6))).encode()
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    blocks = [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]

    masked = b"".join(masker.stream(blocks))
    assert b"".join(piece for piece, _secret in masker.pieces(blocks)) == text
    for shown in (masked, masker.data(text), masker.text(text.decode()).encode()):
        assert value not in clean(shown.decode())
    if not any(char in value for char in text.decode()):
        assert masked == text
    place = data.draw(st.integers(0, len(coloured)))
    before, after = coloured[:place].encode(), coloured[place:].encode()
    left = masker.begun(b"-" + before), masker.ended(after)
    kept = masker.data(before[: len(before) - left[0]] + after[left[1] :])
    assert value not in clean(kept.decode(errors="ignore"))


@given(st.lists(secrets, min_size=1, max_size=3), st.data())
def test_blocks_make_no_difference(values: list[str], data: st.DataObject) -> None:
    """However a text is cut into blocks, what comes out is the same."""
    masker = Masker(values)
    parts = [*values, *(v[:-1] for v in values), *(v[1:] for v in values), "a", "\n"]
    text = "".join(data.draw(st.lists(st.sampled_from(parts), max_size=8))).encode()
    places = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    blocks = [text[a:b] for a, b in pairwise([0, *sorted(places), len(text)])]

    assert b"".join(masker.stream(blocks)) == masker.data(text)
    assert b"".join(piece for piece, _secret in masker.pieces(blocks)) == text
    for value in values:
        assert value.strip().encode() not in masker.data(text)


#: Letters that stand in no form of a secret of the others: not even encoded.
OUTSIDE = st.text("éß→☃\n~^`|§", max_size=12)


@given(
    st.text("abcdefgh0123", min_size=4, max_size=20),
    st.lists(OUTSIDE, min_size=1, max_size=5),
)
def test_nothing_around_a_secret_is_masked(value: str, parts: list[str]) -> None:
    """Neither a letter beside it nor a text that holds none of it is touched."""
    masker = Masker([value])
    text, expected = value.join(parts), "***".join(parts)

    assert masker.text(text) == expected
    assert masker.data(text.encode()).decode() == expected
    assert masker.text("".join(parts)) == "".join(parts)


@pytest.mark.parametrize(
    "text",
    [
        "nearly: hunter2-pas",
        "unter2-pass",
        "Hunter2-pass",
        "hunter2 pass",
        "hunter2-pas s",
        "h u n t e r 2 - p a s s",
        "***",
        "",
    ],
)
def test_what_only_looks_like_a_secret_stays(text: str) -> None:
    """A letter less, or one that differs, makes it another word."""
    masker = Masker(["hunter2-pass"])
    assert masker.text(text) == text
    assert masker.data(text.encode()) == text.encode()


@pytest.mark.parametrize(
    ("value", "after", "expected"),
    [
        ("0123456789", b"6789 goes on", 4),
        ("0123456789", b"0123456789 goes on", 0),
        ("0123456789", b"goes on", 0),
        ("abxyzab", b"ab goes on", 2),
        # Its end is also its beginning: never only a half of a whole one.
        ("abxyzab", b"abxyzab goes on", 7),
    ],
)
def test_how_much_of_a_secret_ended(value: str, after: bytes, expected: int) -> None:
    """As much as may belong to it, and no byte more."""
    assert Masker([value]).ended(after) == expected


@given(secrets, st.text(st.characters(exclude_categories=["Cs"])))
def test_text_without_the_secret_stays(value: str, text: str) -> None:
    """What holds nothing secret is not touched."""
    if Masker([value]).text(text) != text:
        assert Masker([value]).text(text).count("*") > text.count("*")
    assert Masker().text(text) == text
    assert Masker().data(text.encode()) == text.encode()


@given(st.binary(min_size=4, max_size=40), st.integers(1, 39), st.binary())
def test_of_a_secret_cut_in_two_both_parts_are_known(
    raw: bytes, place: int, other: bytes
) -> None:
    """Where output is cut, neither the begun nor the ended part of a secret stays."""
    value = raw.hex()
    masker = Masker([value])
    place = min(place, len(value) - 1)
    before, after = other + value[:place].encode(), value[place:].encode() + other
    assert masker.begun(before) >= place or masker.data(before) != before
    assert masker.ended(after) >= len(value) - place or masker.data(after) != after
    # A whole one is left to be masked.
    assert masker.begun(b" " + value.encode()) == 0
    assert masker.ended(value.encode() + b" ") in {0, len(value)}


def test_only_what_may_begin_a_secret_waits() -> None:
    """A follower shows a line at once, unless its end might be a secret's beginning."""
    masker = Masker(["hunter2-pass"])
    assert masker.part(b"done\n") == (b"done\n", b"")
    assert masker.part(b"done hunter2") == (b"done ", b"hunter2")


def test_short_and_empty_values_are_left_alone() -> None:
    """A secret of three letters, or "true", would take the words out of every text."""
    masker = Masker(["", "abc", " ab ", "true", "None", "   "])
    assert masker.text("abc ab true None") == "abc ab true None"
    assert Masker(["abcd"]).text("abcd") == "***"


def test_the_lines_of_a_key_are_secret_one_by_one() -> None:
    """A private key is printed with other line ends, or shown line by line."""
    key = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG9w\nabc\n-----END KEY-----\n"
    masker = Masker([key])
    assert masker.text(key.strip()) == "***"
    assert masker.text("x MIIEvQIBADANBgkqhkiG9w\r\nabc") == "x ***\r\nabc"
    assert masker.text("-----BEGIN KEY-----") == "-----BEGIN KEY-----"


def test_the_longest_secret_goes_first() -> None:
    """A secret that begins with another one leaves no end behind."""
    assert Masker(["pass", "password-long"]).text("password-long pass") == "*** ***"


def test_sentences_keep_their_template() -> None:
    """Only values are masked, so that every reader still gets his language."""
    inner = Sentence.of("<{word}>", word="hunter2")
    sentence = Sentence.of("{a} {b} {c}", a="x hunter2", b=7, c=inner)
    masked = Masker(["hunter2"]).sentence(sentence)
    assert masked.template == sentence.template
    assert str(masked) == "x *** 7 <***>"


def test_what_the_environment_cannot_decode_is_masked() -> None:
    """Halves of characters, which POSIX hands over for foreign bytes, are no obstacle."""
    masker = Masker(["p\udce9ss", "\ud800abc"])
    assert masker.data(b"<p\xe9ss>") == b"<***>"
    assert masker.text("<p\udce9ss> <\ud800abc>") == "<***> <***>"


def test_it_travels_to_other_machines() -> None:
    """A command is pickled with what masks its output, which shows in no repr."""
    masker = pickle.loads(pickle.dumps(Masker(["hunter2"])))  # noqa: S301 - our own
    assert masker.text("hunter2") == "***"
    assert "hunter2" not in repr(masker)


def test_a_fact_loses_its_secrets_at_any_depth(make_result: Any, make_run: Any) -> None:
    """Texts, sentences and facts inside of it are masked; its id, name and paths stay."""
    why = Sentence.of("{text}", text=f"wrong {SECRET}")
    traceback = Traceback(text=f"say {SECRET}", exception=SECRET, file="a.py", line=3)
    result = make_result(
        f"{SECRET}.py",
        Outcome.FAILURE,
        traceback=traceback,
        reason=why,
        warnings=(why,),
        output=Path("logs", "success"),
    )
    run = make_run(result, project="success", error=why, warnings=(why,))
    masked = run.masked(Masker([SECRET, "success", "39be3d37aed64"]))
    (script,) = masked.scripts

    assert repr(SECRET)[1:-1] not in repr(masked)
    assert (masked.run_id, masked.project) == (run.run_id, run.project)
    assert (script.outcome, script.output) == (Outcome.FAILURE, result.output)
    assert script.script == "***.py"
    assert str(script.reason) == str(masked.error) == "wrong ***"
    assert [str(warning) for warning in masked.warnings] == ["wrong ***"]
    assert replace(traceback, text="say ***", exception="***") == script.last_traceback
    assert run.masked(Masker()) == run


PIECES = st.lists(
    st.sampled_from(
        ["s3cr3t word", "s3cr3t", "word", "\x1b]8;;", "\x1b[31", "m", " ", "\n"]
    )
).map("".join)


@given(PIECES, PIECES)
def test_each_text_of_a_fact_is_masked_by_itself(first: str, second: str) -> None:
    """What one of them ends with changes nothing in the next one."""
    masker = Masker(["s3cr3t word"])

    fact = masker.fact(Traceback(text=first, exception=second))

    assert fact == Traceback(text=masker.text(first), exception=masker.text(second))


@pytest.mark.parametrize("quotes", ["", '"', "'", "\"'"])
def test_no_character_of_an_escaped_secret_is_left(quotes: str) -> None:
    """Neither its first nor its last one, whichever quotes stand around it."""
    secret = f"\\x{quotes}é\n{quotes}yz\\"
    masker = Masker([secret])

    for written in (repr(secret), ascii(secret), json.dumps(secret)):
        mark = written[0]
        assert masker.text(f"a {written} b") == f"a {mark}***{mark} b"
    plain = json.dumps(secret, ensure_ascii=False)
    assert masker.text(f"a {plain} b") == 'a "***" b'
    both = repr(secret + "'\"")
    assert not masker.text(both).startswith("'\\\\")


@pytest.mark.parametrize("secret", ["abcd", "abcde", "abcdef", "abcdefg", "~~~???"])
def test_base64_of_a_whole_secret_is_masked_whole(secret: str) -> None:
    """With its padding, in both alphabets; and inside of others what is its alone."""
    masker = Masker([secret])

    assert masker.text(f"<{b64(secret)}>") == "<***>"
    assert masker.text(f"<{url64(secret)}>") == "<***>"
    for before in ("", "a", "ab"):
        whole = b64(f"{before}{secret}zzz")
        start, end = -(-len(before) * 8 // 6), (len(before) + len(secret)) * 8 // 6
        assert masker.text(whole) == f"{whole[:start]}***{whole[end:]}"


def test_each_long_line_of_a_secret_of_two_lines_is_masked() -> None:
    """A program may print one of them alone."""
    first, second = "0123456789abcdef", "fedcba9876543210"
    masker = Masker([f"{first}\n{second}"])
    assert masker.text(f"<{first}> <{second}>") == "<***> <***>"


#: More forms than are looked for one by one, among them short ones and such as begin alike.
MANY = [
    *(
        form
        for n in range(200)
        for form in (f"pa/ss&{n}", f"{n:04x}", f"é☃{n}", f"pa{n}")
    ),
    *("abc", "abcdefg", "abcdefgh", "bcdefghi", "x", "\ud800abcdef", "p\udce9ssword"),
]


@given(
    st.lists(
        st.one_of(
            st.sampled_from(MANY),
            st.builds(
                lambda form, n: form[:n], st.sampled_from(MANY), st.integers(0, 9)
            ),
            st.text(st.characters(), max_size=9),
        ),
        max_size=6,
    ).map("".join)
)
def test_many_forms_are_found_as_each_by_itself(text: str) -> None:
    """Which may be there is seen at once; none that is there is overlooked."""
    forms = Forms(MANY)
    perhaps = set(forms.perhaps_in(text))
    assert {form for form in MANY if form in text} <= perhaps <= set(MANY)
    data = text.encode("utf-8", "surrogatepass")
    raw = [form.encode("utf-8", "surrogatepass") for form in MANY]
    assert {form for form in raw if form in data} <= set(Forms(raw).perhaps_in(data))
    for given_forms, whole in ((MANY, text), (raw, data)):
        begun = (
            size
            for form in given_forms
            for size in range(1, len(form))
            if whole.endswith(form[:size])  # type: ignore[arg-type]
        )
        assert Forms(given_forms).begun(whole) == max(begun, default=0)  # type: ignore[type-var]


def test_of_many_forms_those_are_looked_for_that_may_be_there() -> None:
    """Output without any costs the same with one secret and with thousands."""
    values = [f"pass/word-{number:05}&{number * 7919}" for number in range(1000)]
    masker = Masker(values)
    line = b"2026-11-23 row 17 of 4711 imported from sales_2026.csv\n" * 1000
    looked_for: list[bytes] = []

    class Watched(bytes):
        def find(self, form: bytes, *places: int) -> int:  # type: ignore[override]
            looked_for.append(form)
            return super().find(form, *places)

    assert masker.part(Watched(line)) == (line, b"")
    assert len(looked_for) < 100
    masked, rest = masker.part(Watched(line + values[17].encode() + b"\n"))
    assert (masked, rest) == (line + b"***\n", b"")
    assert 0 < len(set(looked_for)) < 500
