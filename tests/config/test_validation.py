from __future__ import annotations

from datetime import date
from typing import Annotated, Any

import msgspec
import pytest

from python_runner.config.validation import (
    Findings,
    can_be_passed,
    check_struct,
    check_texts,
)


pytestmark = pytest.mark.pure


class Keys(msgspec.Struct):
    """A file's keys."""

    schema: Annotated[str, msgspec.Meta(extra={"expected": "an address"})] = (
        msgspec.field(default="", name="$schema")
    )
    speed: Annotated[int, msgspec.Meta(extra={"expected": "a number"})] = 0
    places: Annotated[list[int], msgspec.Meta(extra={"expected": "numbers"})] = (
        msgspec.field(default_factory=list)
    )
    token: Annotated[int, msgspec.Meta(extra={"expected": "a number"})] = 0
    env: Annotated[dict[str, str], msgspec.Meta(extra={"expected": "texts"})] = (
        msgspec.field(default_factory=dict)
    )


class Needed(msgspec.Struct):
    """A file with a key that must be there."""

    speed: Annotated[int, msgspec.Meta(extra={"expected": "a number"})]


def told(
    raw: dict[str, Any], kind: type[msgspec.Struct] = Keys, **options: Any
) -> list[tuple[str, str]]:
    """Return key and message of each problem."""
    findings = Findings("exec_config.json", secrets=("hunter22",))
    check_struct(kind, raw, findings, **options)
    return [(problem.key, problem.message) for problem in findings.problems]


def test_a_short_value_is_quoted_whole() -> None:
    """Sixty characters with their quotes; accents as they were written."""
    short = "é" * 58
    expected = f'expected a number, found "{short}"'
    assert told({"speed": short}) == [("speed", expected)]


@pytest.mark.parametrize("length", [59, 10_000])
def test_a_long_value_is_cut(length: int) -> None:
    """However long it is, sixty characters are shown, and that there were more."""
    expected = 'expected a number, found "' + 58 * "x" + "…"
    assert told({"speed": "x" * length}) == [("speed", expected)]


def test_a_secret_is_masked_before_the_cut() -> None:
    """No part of it is left at the end."""
    ((_key, message),) = told({"speed": 50 * "x" + "hunter22"})
    assert message.endswith('xxx***"')
    ((_key, message),) = told({"token": "anything"})
    assert message == "expected a number, found ***"


def test_a_key_that_is_far_from_all_names_them_all() -> None:
    """But for the one that only editors read."""
    expected = "unknown key; known keys: speed, places, token, env"
    assert told({"qqqqqqqq": 1}) == [("qqqqqqqq", expected)]


def test_a_key_that_is_near_names_the_nearest() -> None:
    """One alone, so that the sentence is short."""
    assert told({"sped": 1}) == [("sped", "unknown key; did you mean speed?")]


def test_each_wrong_item_is_named_with_its_place() -> None:
    """The right ones are not."""
    assert told({"places": [1, "b", 3, "d"]}) == [
        ("places[1]", 'expected numbers, found "b"'),
        ("places[3]", 'expected numbers, found "d"'),
    ]


def test_a_missing_key_is_told_where_a_whole_file_is_checked() -> None:
    """A file of defaults may hold a part."""
    missing = [("a.speed", "is missing: expected a number")]
    assert told({}, Needed, prefix="a.") == missing
    assert told({}, Needed, only={"speed"}) == []
    assert told({"speed": 1}, only={"token"}) == [
        ("speed", "unknown key; known keys: token")
    ]


def test_variables_that_may_be_secret_are_not_quoted() -> None:
    """One by its name; all of them where they are no mapping, or a list of some."""
    hidden, shown = "expected texts, found ***", "expected texts, found 7"
    assert told({"env": 7}) == [("env", hidden)]
    assert told({"env": [7]}) == [("env[0]", hidden)]
    assert told({"env": {"API_TOKEN": 7, "SPEED": 7}}) == [
        ("env.API_TOKEN", hidden),
        ("env.SPEED", shown),
    ]


@pytest.mark.parametrize(
    ("text", "right"), [("é", True), ("a\0b", False), ("\ud800", False), ("", True)]
)
def test_what_can_be_given_to_a_program(text: str, *, right: bool) -> None:
    """No null character, and no half of one."""
    assert can_be_passed(text) is right


def test_a_date_is_quoted_as_it_was_written() -> None:
    """JSON has none, but a workspace's file does."""
    expected = 'expected a number, found "2026-01-02"'
    assert told({"speed": date(2026, 1, 2)}) == [("speed", expected)]


@pytest.mark.parametrize("count", [1, 2, 10, 11])
def test_keys_without_effect_are_one_sentence(count: int) -> None:
    """It names ten of them, and says when there are more."""
    findings = Findings("exec_config.json", forgiving=True)
    keys = [f"{number:02}_unknown_to_all" for number in range(count)]
    check_struct(Keys, dict.fromkeys(keys, 1), findings, prefix="own.")

    (warning,) = map(str, findings.warnings)
    named = ", ".join(f"own.{key}" for key in keys[:10]) + ", …" * (count > 10)
    verb = (
        "has no effect: unknown key" if count == 1 else "have no effect: unknown keys"
    )
    assert warning == f"exec_config.json: {named}: {verb}"
    assert findings.ignored == [f"own.{key}" for key in keys]
    assert not findings.problems


@pytest.mark.parametrize(
    ("raw", "warned"),
    [
        ({"env_file": "a\tb"}, True),
        ({"working_directory": "a\nb"}, True),
        ({"python_command": "a\bb"}, True),
        ({"python_command": ["a\fb", "c\td"]}, True),
        ({"scripts": ["a\rb"]}, True),
        ({"scripts": [{"path": "a\tb"}]}, True),
        ({"scripts": [{"path": "a", "args": ["a\tb"]}]}, False),
        ({"env": {"A": "a\tb"}}, False),
    ],
)
def test_a_path_that_json_has_changed_is_told(
    raw: dict[str, Any], *, warned: bool
) -> None:
    """Wherever a path may stand; arguments and variables may hold several lines."""
    findings = Findings("exec_config.json")
    check_texts(raw, findings)

    assert len(findings.warnings) == warned
    assert not findings.problems
