from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.formats import Formats


pytestmark = pytest.mark.pure


SPACES = str.maketrans("\u00a0\u202f", "  ")


@pytest.mark.parametrize(
    ("seconds", "english", "french"),
    [
        (0, "0.00 s", "0,00 s"),
        (0.084, "0.08 s", "0,08 s"),
        (0.996, "1.0 s", "1,0 s"),
        (8.43, "8.4 s", "8,4 s"),
        (59.94, "59.9 s", "59,9 s"),
        (59.96, "1 min", "1 min"),
        (133.2, "2 min 13 s", "2 min 13 s"),
        (3600, "1 h", "1 h"),
        (3661, "1 h 1 min", "1 h 1 min"),
        (7205, "2 h", "2 h"),
        (90_000, "1 d 1 h", "1 j 1 h"),
        (86_400 * 1234, "1,234 d", "1 234 j"),
    ],
)
def test_durations_are_said_as_people_say_them(
    seconds: float, english: str, french: str
) -> None:
    """Two units at most, and decimals only where they tell something."""
    assert Formats("en").duration(seconds) == english
    assert Formats("fr").duration(seconds).translate(SPACES) == french


@given(st.floats(0, 1e12), st.integers(0, 3), st.sampled_from(["en", "fr"]))
def test_numbers_are_written_as_babel_writes_them(
    value: float, digits: int, language: str
) -> None:
    """Decimal sign and grouping are those of the language."""
    numbers = pytest.importorskip("babel.numbers")
    rounded = round(value, digits)
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    expected = numbers.format_decimal(
        f"{rounded:.{digits}f}", format=pattern, locale=language
    )
    assert Formats(language).number(rounded, digits) == expected


@pytest.mark.parametrize(
    ("seconds", "unit"),
    [(30, "second"), (120, "minute"), (7200, "hour"), (172800, "day")],
)
def test_french_units_and_their_spaces_are_those_of_babel(
    seconds: int, unit: str
) -> None:
    """The unit and the no-break space before it follow the Unicode locale data."""
    units = pytest.importorskip("babel.units")
    value = {"second": 30.0, "minute": 2, "hour": 2, "day": 2}[unit]
    expected = units.format_unit(
        value,
        f"duration-{unit}",
        "short",
        locale="fr",
        format="0.0" if unit == "second" else "0",
    )
    assert Formats("fr").duration(seconds) == expected


def test_moments_are_local_and_in_the_order_of_the_language() -> None:
    """A reader sees the time of the clock on the wall."""
    when = dt.datetime(2026, 11, 3, 9, 5, 7).astimezone()
    utc = when.astimezone(dt.UTC)
    assert Formats("en").moment(utc) == "2026-11-03 09:05:07"
    assert Formats("fr").moment(utc) == "03/11/2026 09:05:07"


@pytest.mark.parametrize(
    ("count", "english", "french"),
    [
        (2, "2nd", "2e"),
        (3, "3rd", "3e"),
        (4, "4th", "4e"),
        (11, "11th", "11e"),
        (12, "12th", "12e"),
        (13, "13th", "13e"),
        (21, "21st", "21e"),
        (101, "101st", "101e"),
        (112, "112th", "112e"),
        (1003, "1,003rd", "1 003e"),
    ],
)
def test_places_in_a_row_are_said_as_people_say_them(
    count: int, english: str, french: str
) -> None:
    """Also those of the teens."""
    assert Formats("en").ordinal(count) == english
    assert Formats("fr").ordinal(count).translate(SPACES) == french


def test_a_minute_is_a_moment_without_seconds() -> None:
    """Where days matter, seconds are noise."""
    when = dt.datetime(2026, 11, 23, 9, 51, 58).astimezone()
    assert Formats("en").minute(when) == "2026-11-23 09:51"
    assert Formats("fr").minute(when) == "23/11/2026 09:51"
