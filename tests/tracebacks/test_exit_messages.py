"""What a script said last: levels of loggers, words of trouble, boxes and warnings."""

from __future__ import annotations

import pytest

from python_runner.tracebacks.exit_messages import (
    exit_message,
    is_grave,
    is_light,
    is_logged,
    last_line,
    tells_error,
)
from python_runner.tracebacks.source import read_source


pytestmark = pytest.mark.pure

#: Levels of loggers by what they tell: no trouble, a warning, an error.
LEVELS = {
    **dict.fromkeys(("TRACE", "DEBUG", "INFO", "NOTICE", "SUCCESS"), "light"),
    **dict.fromkeys(("WARN", "WARNING"), "warning"),
    **dict.fromkeys(("ERROR", "CRITICAL", "FATAL"), "grave"),
}
#: How loggers write a record.
FORMATS = (
    "{level}:root:{text}",
    "[{level}] {text}",
    " {level}  {text}",
    "2026-11-26 05:17:15 {level} {text}",
    "2026-11-26T05:17:15Z main {level} {text}",
    "26/11/2026 05:17:15 - {level} - {text}",
    "05:17:15 {level} {text}",
)
LETTERS = {"I": "light", "W": "warning", "E": "grave", "F": "grave"}
#: Two lines of a warning, as the module ``warnings`` writes it.
WARNED = ["/p/a.py:9: UserWarning: old", "  warn('old')"]
NUMBER = read_source("sys.exit(1)")

RECORDS = [
    *(
        (line.format(level=level, text="no access"), weight)
        for line in FORMATS
        for level, weight in LEVELS.items()
    ),
    *(
        (f"{letter}1126 05:17:15.8 9 main.py:3] no access", weight)
        for letter, weight in LETTERS.items()
    ),
    # A record without a level is as good as what a script prints.
    ("2026-11-26 05:17:15 no access", "none"),
]


@pytest.mark.parametrize(("record", "weight"), RECORDS)
def test_a_record_weighs_what_its_level_says(record: str, weight: str) -> None:
    """Of records, the last error is what ended the script; of others, the last one."""
    error, printed = "ERROR:root:no rates", "all is well"

    assert is_logged(record)
    assert not is_logged(printed)
    assert (is_light(record), is_grave(record)) == (
        weight == "light",
        weight == "grave",
    )
    below = record if weight in {"grave", "none"} else error
    assert last_line([error, record]) == below.strip()
    assert last_line([record, printed]) == printed
    assert last_line([record]) == record.strip()


TROUBLE = (
    "an error in row 3",
    "row 3 failed",
    "row 3 was fatal",
    "I cannot go on",
    "I can't go on",
    "I could not go on",
    "I couldn't go on",
    "I was unable to go on",
    "the bank refused row 3",
    "the bank denied row 3",
    "row 3 is missing",
    "row 3 was not found",
    "there is no such row",
    "row 3 is invalid",
    "aborted at row 3",
    "I give up",
    "giving up",
    "I gave up",
    "stopped at row 3",
    "timeout at row 3",
    "timed out at row 3",
    "row 3 is an exception",
    "the bank rejected row 3",
    "row 3 is wrong",
    "R: is not mounted",
    "R: is unreachable",
    "une erreur en ligne 3",
    "échec en ligne 3",
    "la ligne 3 a échoué",
    "impossible de continuer",
    "ligne 3 introuvable",
    "il manque la ligne 3",
    "refus de la banque",
    "abandon en ligne 3",
    "accès interdit",
    "ligne 3 rejetée",
)


@pytest.mark.parametrize("said", [*TROUBLE, *map(str.upper, TROUBLE)])
def test_last_words_that_tell_of_trouble_say_most(said: str) -> None:
    """An error above them is the reason of something else, or the same."""
    found = exit_message(["Error: no rates", "", said], NUMBER)
    assert found
    assert found.headline == said


@pytest.mark.parametrize(
    ("record", "below", "headline"),
    [
        ("ERROR:root:these rows are left:", "row 3 is invalid", "record"),
        ("ERROR:root:these rows are left", "  row 3 is invalid", "record"),
        ("ERROR:root:these rows are left", "row 3 is invalid", "below"),
        ("INFO:root:these rows are left:", "row 3 is invalid", "below"),
    ],
)
def test_lines_below_an_error_that_goes_on_are_part_of_it(
    record: str, below: str, headline: str
) -> None:
    """A colon or an indentation says so; then they are not the last words."""
    found = exit_message(["begins", record, below], NUMBER)
    assert found
    assert found.headline == (record if headline == "record" else below.strip())


@pytest.mark.parametrize("said", ["done in 3 s", "fermé", "see the manual"])
def test_last_words_without_trouble_say_less_than_an_error_above(said: str) -> None:
    """How long it took, or a hint: the error near above is what ended the script."""
    near = ["Error: no rates", *["row"] * 8, said]
    far = ["Error: no rates", *["row"] * 9, said]

    assert getattr(exit_message(near, NUMBER), "headline", "") == "Error: no rates"
    assert getattr(exit_message(far, NUMBER), "headline", "") == said


@pytest.mark.parametrize(
    ("line", "is_error"),
    [
        ("error: no month", True),
        ("Error : no month", True),
        ("main.py: error: no month", True),
        ("fatal error: no month", True),
        ("critical error: no month", True),
        ("erreur : pas de mois", True),
        ("Erreur fatale : pas de mois", True),
        ("Fehler: kein Monat", True),
        ("fatal: no month", True),
        ("git: fatal: no month", True),
        ("failed: no month", True),
        ("failure: no month", True),
        ("échec : pas de mois", True),
        ("python: can't open file '/p/main.py'", True),
        ("ValueError: no month", True),
        ("json.decoder.JSONDecodeError: no month", True),
        ("SoapException: no month", True),
        ("[Errno 2] No such file", True),
        ("[WinError 5] Access is denied", True),
        ("[WinError -2147024891] Access is denied", True),
        ("CRITICAL no month", True),
        # Counts, and words that only look so.
        ("failed: 3", False),
        ("terreur : non", False),
        ("errors: none", False),
        ("an error: no month", False),
        ("WARNING no month", False),
        ("", False),
    ],
)
def test_a_line_says_itself_that_it_is_an_error(line: str, *, is_error: bool) -> None:
    """By its first word, as commands do, or by its level."""
    assert tells_error(line) is is_error


@pytest.mark.parametrize(
    ("lines", "headline", "text"),
    [
        (["no access", "", " "], "no access", "no access"),
        (["----", "===="], "----", None),
        ([*WARNED, *WARNED, "no access"], "no access", "no access"),
        (["no access", *WARNED, *WARNED], "no access", "no access"),
        (["no access", "sys:1: ResourceWarning: open"], "no access", "no access"),
        # What is indented deeper is no source of the warning.
        ([WARNED[0], "    no access"], "no access", None),
        (WARNED, "UserWarning: old", None),
        (["╭─ Error ───╮", "│ no access │", "╰───────────╯"], "no access", None),
        (["+- Error ---+", "| no access |", "+-----------+"], "no access", None),
        (["row 3", "| a | b |", "no access"], "no access", None),
    ],
)
def test_what_stands_around_the_last_words(
    lines: list[str], headline: str, text: str | None
) -> None:
    """Blank lines, rules, warnings and the sides of a box say nothing."""
    found = exit_message(lines, NUMBER)
    assert found
    assert found.headline == headline
    assert text is None or found.text == text


@pytest.mark.parametrize("lines", [[], [""], ["", " "]])
def test_no_text_is_no_message(lines: list[str]) -> None:
    """Nothing was said, whether or not the source is known."""
    assert exit_message(lines, None) is None
    assert exit_message(lines, NUMBER) is None
    assert last_line(lines) == ""
