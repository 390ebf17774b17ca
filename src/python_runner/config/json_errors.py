"""Says what people meant where a text is no JSON.

The parser's own words are about the place where it gave up, in English. Most files that
it refuses hold one of a few things that other languages allow.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    import json
    from collections.abc import Iterator

#: Quotes that word processors and chat programs make of straight ones.
_CURLY_SIGNS = "[\u2018-\u201f\u2039\u203a\xab\xbb]"
_CURLY = lazy_pattern(_CURLY_SIGNS)
#: A text whose last backslash takes its closing quote away, as in a path to a folder.
_NO_END = lazy_pattern(r'"(?:[A-Za-z]:|[.\\])[^"\n]*\\"')

_QUOTES = N_(
    'strings and keys need straight double quotes around them, "...", and \\" inside'
    " them"
)
_BACKSLASH = N_('write "\\\\" or "/" in paths, not a single "\\"')
_NO_QUOTE = N_("a closing quote is missing on this line")

#: What may stand where the parser gave up, and what is to be said of it.
_AT = (
    (r"\s*\Z", N_("the file ends too early: a closing }, ] or quote is missing")),
    (
        r"//|/\*|#|--",
        N_(
            'JSON has no comments: make them the value of a key that begins with "_" or'
            ' "//"'
        ),
    ),
    (r"['`]|" + _CURLY_SIGNS, _QUOTES),
    (r"[=;]", N_('write ":" after a key and "," after a value')),
    (r"[()]", N_("write lists in brackets: [ ... ]")),
    (
        r"[\]},:]",
        N_("something is missing before this, or the brackets do not match"),
    ),
    (
        r"(?i:true|false|null|none|nil|yes|no|on|off|undefined)\b(?!\s*:)",
        N_("in JSON, true, false and null are written in small letters"),
    ),
    (r"(?:[A-Za-z]:)?[\w.]*[\\/]", N_('strings need quotes, and paths "/" or "\\\\"')),
    (r"[^\W\d]", _QUOTES),
)
#: What is known by the parser's own words alone.
_BY_WORDS = (
    (
        "Expecting ',' delimiter",
        N_("a comma is missing, or there is one quote too many before this"),
    ),
    ("Expecting ':' delimiter", N_('a colon is missing after a key: "key": value')),
)


def explain_json_error(error: json.JSONDecodeError) -> str:
    """Return what is wrong and what to write; the parser's message where nobody knows."""
    return next(_explanations(error), error.msg)


def _explanations(error: json.JSONDecodeError) -> Iterator[str]:
    """Yield what may be wrong, the likeliest first."""
    text, place, words = error.doc, error.pos, error.msg
    if not text.strip():
        yield _("the file is empty; `python-runner init` writes one")
    if "escape" in words:
        yield _(_BACKSLASH)
    if words.startswith(("Invalid control", "Unterminated")):
        yield from _of_open_text(text, place)
    if words.startswith("Extra data"):
        yield _of_extra(text, place)
    if _NO_END.search(_line_of(text, place)):
        yield _(_BACKSLASH)
    before = text[:place].rstrip()
    if before.endswith(",") and text[place : place + 1] in ",]}":
        yield _("one comma too many")
    if words.startswith("Illegal trailing comma"):
        yield _("one comma too many")
    yield from (_(said) for sign, said in _AT if re.compile(sign).match(text, place))
    if not text[place : place + 1].isascii():
        message = _("a character that JSON does not allow here, U+{code}: remove it")
        yield message.format(code=f"{ord(text[place]):04X}")
    yield from (_(said) for begin, said in _BY_WORDS if words.startswith(begin))


def _of_open_text(text: str, place: int) -> Iterator[str]:
    """Yield why a text goes on to the end of its line."""
    line = _line_of(text, place)
    if _NO_END.search(line):
        yield _(_BACKSLASH)
    if _CURLY.search(line):
        yield _(_QUOTES)
    if text[place : place + 1] in '\r\n"':
        yield _(_NO_QUOTE)
    else:
        yield _(
            "a string contains a tab or another control character: write \\t, or a"
            " space"
        )


def _of_extra(text: str, place: int) -> str:
    """Return why something follows what already is a whole value."""
    if text.lstrip()[0] not in "{[":
        return _("the braces { ... } around the whole file are missing")
    if text.startswith(("//", "/*", "#"), place):
        return _(_AT[1][1])
    if text[place] in "{[":
        return _("expected one object, { ... }, and nothing after it")
    return _("one } or ] too many: the object ends before this")


def _line_of(text: str, place: int) -> str:
    start = text.rfind("\n", 0, place) + 1
    end = text.find("\n", place)
    return text[start:] if end < 0 else text[start:end]
