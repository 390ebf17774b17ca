"""A short diff of two sources: right, bounded, and without surprises for its reader."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.source_diff import (
    LINE,
    LINES,
    changed_blocks,
    lines_of,
    short_diff,
    unified,
)
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Sequence

pytestmark = pytest.mark.portable("compares texts")

LINE_LISTS = st.lists(
    st.sampled_from(["a", "b", "c", "", "@@", "-x", "+x"]), max_size=30
)
HEADER = re.compile(r"@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")


def applied(diff: Sequence[str], old: Sequence[str]) -> list[str]:
    """Return what a unified diff makes of a text, as ``patch`` does; it must fit."""
    new: list[str] = []
    place = 0
    for line in diff:
        if header := HEADER.fullmatch(line):
            begin, count = int(header[1]), int(header[2] or 1)
            start = begin - 1 if count else begin
            new += old[place:start]
            place = start
            assert len(new) == int(header[3]) - (header[4] != "0")
        elif line[0] == "+":
            new.append(line[1:])
        else:
            assert old[place] == line[1:]
            place += 1
            if line[0] == " ":
                new.append(line[1:])
    return new + list(old[place:])


@given(LINE_LISTS, LINE_LISTS)
def test_the_blocks_make_the_new_text(old: list[str], new: list[str]) -> None:
    """In order, apart, and none without a change."""
    made: list[str] = []
    place = 0
    for block in changed_blocks(old, new):
        assert block.old_start >= place
        assert (
            old[block.old_start : block.old_end] != new[block.new_start : block.new_end]
        )
        made += old[place : block.old_start]
        assert len(made) == block.new_start
        made += new[block.new_start : block.new_end]
        place = block.old_end
    assert made + old[place:] == new


@given(LINE_LISTS, LINE_LISTS)
def test_the_diff_applied_to_the_old_text_gives_the_new_one(
    old: list[str], new: list[str]
) -> None:
    """As a program that reads unified diffs does it."""
    assert applied(unified(old, new), old) == new


@given(LINE_LISTS)
def test_a_text_does_not_differ_from_itself(lines: list[str]) -> None:
    """There is no line to show."""
    assert changed_blocks(lines, lines) == []
    text = "\n".join(lines)
    assert short_diff(text, text).lines == ()


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_short_diff_is_short_and_shows_no_control_character(
    old: str, new: str
) -> None:
    """Whatever the texts hold; where they differ it says something."""
    diff = short_diff(old, new)

    assert len(diff.lines) <= LINES
    assert all(len(line) <= LINE + 3 for line in diff.lines)
    assert all(line[0] in "@ +-" for line in diff.lines)
    shown = "".join(diff.lines).replace("\t", "")
    assert not re.search("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", shown)
    assert bool(diff.lines) != bool(diff.note)


OLD = "import csv\n\nrows = list(csv.reader(open('a.csv')))\ntotal = 0\nprint(total)\n"


def test_a_line_that_changed_is_shown_between_its_neighbours() -> None:
    """With one line before it and one behind it."""
    new = OLD.replace("total = 0", "total = sum(rows)")

    assert short_diff(OLD, new).lines == (
        "@@ -3,3 +3,3 @@",
        " rows = list(csv.reader(open('a.csv')))",
        "-total = 0",
        "+total = sum(rows)",
        " print(total)",
    )


def test_of_a_long_change_both_sides_are_shown() -> None:
    """What was there, and what is there instead; and how much is left out."""
    old = "".join(f"old {n}\n" for n in range(30))
    new = "".join(f"new {n}\n" for n in range(30))
    diff = short_diff("a\n" + old + "z\n", "a\n" + new + "z\n")

    assert diff.lines == (
        "@@ -1,32 +1,32 @@",
        " a",
        *("-old 0", "-old 1", "-…", "+new 0", "+new 1", "+…"),
        " z",
    )
    assert diff.more == 56


def test_a_diff_that_is_cut_begins_where_the_script_failed() -> None:
    """The changes above that line are counted, those behind it are shown first."""
    old = "".join(f"{n}\n" for n in range(100))
    new = old.replace("\n10\n", "\nten\n").replace("\n50\n", "\nfifty\n")
    new = new.replace("\n90\n", "\nninety\n")

    assert short_diff(old, new, 51).lines[2:4] == ("-50", "+fifty")
    assert short_diff(old, new, 51).more == 5
    assert short_diff(old, new, 60).lines[2:4] == ("-90", "+ninety")
    for line in (0, 5, 1000):
        assert short_diff(old, new, line).lines[2:4] == ("-10", "+ten")


def test_of_a_long_line_the_part_that_changed_is_shown() -> None:
    """Not its first characters, which are the same."""
    old, new = (f"x = '{'a' * 5000}{word}{'b' * 5000}'\n" for word in ("OLD", "NEW"))
    _header, removed, added = short_diff(old, new).lines

    assert "aOLDb" in removed
    assert "aNEWb" in added


@pytest.mark.parametrize("place", [0, 10, 4990, 5000])
def test_the_part_of_a_long_line_is_as_long_as_there_is_room(place: int) -> None:
    """Also where the change stands at the line's beginning or at its end."""
    old, new = (f"{'a' * place}{word}{'b' * (5000 - place)}" for word in ("OLD", "NEW"))
    _header, removed, added = short_diff(old, new).lines

    for shown, line, word in ((removed, old, "OLD"), (added, new, "NEW")):
        part = shown[1:].strip("…")
        assert word in part
        assert len(part) == LINE
        head, tail = "…" * (not line.startswith(part)), "…" * (not line.endswith(part))
        assert shown[1:] == f"{head}{part}{tail}"


@pytest.mark.parametrize(
    ("old", "new", "note"),
    [
        ("a\nb\n", "a\r\nb\r\n", "only the line ends differ"),
        ("a\nb\n", "a\nb", "only the line ends differ"),
        # After masking, or of another encoding.
        ("a\n", "a\n", "what differs is not shown: a secret, or how the file is saved"),
    ],
)
def test_what_no_line_shows_is_said(old: str, new: str, note: str) -> None:
    """Else the reader would see no difference."""
    diff = short_diff(old, new)

    assert (diff.lines, str(diff.note)) == ((), note)


def test_characters_that_hide_are_shown_by_their_numbers() -> None:
    """A line that looks harmless may run as another one."""
    new = "a = 1 \u202e# ]1\x1b[8m\x00\n"

    assert short_diff("a = 1\n", new).lines[-1] == "+a = 1 \\u202e# ]1\\x1b[8m\\x00"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (["a", "b"] * 30_000, ["b", "c"] * 30_000),
        ([str(n) for n in range(60_000)], [str(n) for n in range(60_000, 0, -1)]),
        (["x" * 200_000], ["x" * 199_999]),
        ([], ["a"] * 100_000),
    ],
    ids=["alike", "turned", "one-line", "new"],
)
def test_texts_with_little_in_common_take_no_long_time(
    old: list[str], new: list[str]
) -> None:
    """One is replaced by the other then, which is right as well."""
    begin = time.monotonic()
    diff = short_diff("\n".join(old), "\n".join(new))

    assert time.monotonic() - begin < GENEROUS
    assert diff.lines
    assert applied(unified(old, new), old) == new


def test_a_last_line_end_is_none() -> None:
    """A text ends with its last line."""
    assert [lines_of(text) for text in ("", "a", "a\n", "a\n\n")] == [
        [],
        ["a"],
        ["a"],
        ["a", ""],
    ]
