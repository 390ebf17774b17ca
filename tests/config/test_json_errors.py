from __future__ import annotations

import json

import pytest

from python_runner.config.json_errors import explain_json_error


pytestmark = pytest.mark.pure

PATHS = '"/" in paths'
COMMENTS = "JSON has no comments"
QUOTES = "straight double quotes"
WORDS = "true, false and null"
COMMA = " comma"
BRACES = "braces { ... }"
END = "ends too early"


def explained(text: str) -> str:
    """Return what is said about a text that is no JSON."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads(text)
    return explain_json_error(caught.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        (r'{"a": "C:\users\x.py"}', PATHS),
        (r'{"a": "C:\Data\x.py"}', PATHS),
        (r'{"a": "scripts\main.py"}', PATHS),
        (r'{"a": "C:\new\"}', PATHS),
        (r'{"a": "C:\new\", "b": 1}', PATHS),
        ('{"a": "C:\\new\\",\n "b": 1}', PATHS),
        (r'{"a": ["..\bin\", "x"]}', PATHS),
        ('{"a": 1, // no\n "b": 2}', COMMENTS),
        ('{// no\n"a": 1}', COMMENTS),
        ('{"a": 1 /* no */}', COMMENTS),
        ('{"a": 1, # no\n "b": 2}', COMMENTS),
        ('# no\n{"a": 1}', COMMENTS),
        ('{"a": 1}\n// no', COMMENTS),
        ('{"a": [\n"x", // no\n"y"]}', COMMENTS),
        ('{"a": True}', WORDS),
        ('{"a": False}', WORDS),
        ('{"a": None, "b": 1}', WORDS),
        ('{"a": yes}', WORDS),
        ('{"a": [TRUE]}', WORDS),
        ("{'a': 1}", QUOTES),
        ("{\"a\": 'x'}", QUOTES),
        ("{\u201ca\u201d: 1}", QUOTES),
        ('{"a": \u201cx\u201d}', QUOTES),
        ('{"a": "x\u201d,\n"b": 1}', QUOTES),
        ('{"a\u201d: 1}', QUOTES),
        ('{"a": \xabx\xbb}', QUOTES),
        ("{a: 1}", QUOTES),
        ('{"a": main.py}', QUOTES),
        ('{"a": 10MB}', QUOTES),
        ('{"a": "say "hi" now"}', QUOTES),
        ('{"a": 1,}', COMMA),
        ('{"a": ["x",\n]}', COMMA),
        ('{"a": 1,, "b": 2}', COMMA),
        ('{"a": 1 "b": 2}', COMMA),
        ('{"a": "x"\n "b": 2}', COMMA),
        ('{"a" 1}', "a colon"),
        ('{"a" = 1}', '":" after a key'),
        ('{"a": 1; "b": 2}', '"," after a value'),
        ('{"a": ("x", "y")}', "in brackets"),
        ('{"a": C:/x.py}', "paths"),
        ('{"a": ../x.py}', "paths"),
        ('"a": 1, "b": 2', BRACES),
        ('{"a": 1}}', "too many"),
        ('{"a": 1},', "too many"),
        ('{"a": 1}\n{"b": 2}', "one object"),
        ("{", END),
        ('{"a": 1', END),
        ('{"a": [1, 2', END),
        ('{"a": {"b": 1}', END),
        ('{"a": "x', "closing quote"),
        ('{"a": "x,\n "b": 1}', "closing quote"),
        ('{"a": "x\ty"}', "a tab"),
        ('{"a": [1}', "brackets do not match"),
        ('{"a":}', "missing before"),
        ('{"a":\xa01}', "U+00A0"),
        ('{\u200b"a": 1}', "U+200B"),
    ],
)
def test_what_people_really_write_is_recognised(text: str, words: str) -> None:
    """The sentence says what to write in its place."""
    assert words in explained(text)


def test_what_nobody_knows_keeps_the_parsers_words() -> None:
    """They are better than nothing."""
    assert explained('{"a": .5}') == "Expecting value"


def test_the_words_of_newer_pythons_are_known() -> None:
    """From 3.13 on the parser points at a comma that is too many."""
    text = '{"a": 1,}'
    error = json.JSONDecodeError("Illegal trailing comma before end of object", text, 7)
    assert explain_json_error(error) == "one comma too many"
