"""What Rich draws is read back: whatever the width, the margin and the message."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.traceback import Traceback

from python_runner.tracebacks.boxes import box_at


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.tracebacks.blocks import Block

pytestmark = pytest.mark.portable("a library draws texts, the same on every platform")

#: Its ninth line raises, through its fifth.
PROGRAM = """\
# What is drawn beside the line that raises is no place: main.py:3 in old


def work(error):
    raise error



work(error)
"""
MESSAGES = st.lists(st.from_regex(r"[a-z0-9,]{1,60}", fullmatch=True), max_size=30)
COLUMNS = st.integers(40, 160)
MARGINS = st.sampled_from(["", "    ", "12:00:01 ERROR    "])
AFTER = st.lists(st.sampled_from(["", "done", "done: 3 s"]), max_size=3)
#: The same program for every example: nothing of it changes.
SHARED = settings(
    max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """Return a program whose name has to be broken in a narrow box."""
    path = tmp_path / "main.py"
    path.write_text(PROGRAM, "utf-8")
    return path


def raised(error: BaseException, program: Path) -> BaseException:
    """Return an error that the program has raised."""
    try:
        exec(compile(PROGRAM, program, "exec"), {"error": error})  # noqa: S102
    except BaseException as caught:  # noqa: BLE001 - it is what is asked for
        own = caught.__traceback__
        return caught.with_traceback(own.tb_next if own else None)
    raise AssertionError


def drawn(error: BaseException, columns: int, margin: str = "") -> list[str]:
    """Return the lines that Rich draws, in a column of a log where there is a margin."""
    console = Console(file=io.StringIO(), width=columns, legacy_windows=False)
    shown = Traceback.from_exception(type(error), error, error.__traceback__)
    with console.capture() as capture:
        console.print(shown)
    first, *others = capture.get().rstrip().split("\n")
    return [margin + first, *(" " * len(margin) + line for line in others)]


def read_back(lines: list[str], after: list[str]) -> Block:
    """Return the box that has to end where it ends, whatever comes after it."""
    before = ["started", *lines, "", *after]
    block = box_at(before, 1, len(before))
    assert block
    assert (block.start, block.end) == (1, 1 + len(lines))
    return block


def places(block: Block) -> list[tuple[str, int]]:
    """Return the places of a box, the outermost first."""
    return [(frame.file, frame.line) for frame in block.frames]


@SHARED
@given(MESSAGES, COLUMNS, MARGINS, AFTER)
def test_the_exception_and_its_place_are_read_back(
    program: Path, words: list[str], columns: int, margin: str, after: list[str]
) -> None:
    """The message is whole, on one line, and the box ends where it ends."""
    error = raised(ValueError(" ".join(words)), program)

    block = read_back(drawn(error, columns, margin), after)

    assert block.exception == f"ValueError: {error}".removesuffix(": ")
    assert places(block) == [(str(program), 9), (str(program), 5)]


@SHARED
@given(st.integers(1, 3), COLUMNS, MARGINS, AFTER)
def test_the_boxes_of_a_group_belong_to_it(
    program: Path, count: int, columns: int, margin: str, after: list[str]
) -> None:
    """A group is named by its own exception; the places are those of all."""
    parts = [raised(ValueError(str(n)), program) for n in range(count)]
    group = raised(ExceptionGroup("several", parts), program)  # type: ignore[type-var]

    block = read_back(drawn(group, columns, margin), after)

    parts_said = f"{count} sub-exception{'s' * (count > 1)}"
    assert block.exception == f"ExceptionGroup: several ({parts_said}): ValueError: 0"
    assert places(block) == [(str(program), 9), (str(program), 5)] * (1 + count)


@SHARED
@given(COLUMNS, MARGINS, AFTER)
def test_a_program_with_a_wrong_syntax_has_a_second_box(
    program: Path, columns: int, margin: str, after: list[str]
) -> None:
    """The place of a SyntaxError stands in a box of its own."""
    program.write_text("\n\ndef f(:\n", "utf-8")
    with pytest.raises(SyntaxError) as wrong:
        compile(program.read_text("utf-8"), program, "exec")

    lines = drawn(wrong.value, columns, margin)
    block = read_back(lines, after)

    assert block.exception == f"SyntaxError: {wrong.value.msg}"
    assert places(block)[-1] == (str(program), 3)
    # Killed while it drew the second box.
    second = lines.index(lines[-2])
    for end in range(second - 4, second + 1):
        assert box_at(lines[:end], 0, end) is None


@pytest.mark.parametrize("columns", [50, 80])
@pytest.mark.parametrize(
    ("words", "after"),
    [
        # What is printed next had room on the last line: it is none of the message.
        ([-5], "done"),
        ([-5], "a b"),
        # Words that fill lines, and one that is broken.
        ([-1, 20], ""),
        ([30, -5, 20], ""),
    ],
)
def test_a_message_ends_where_the_next_word_had_room(
    program: Path, columns: int, words: list[int], after: str
) -> None:
    """Words are given by their length; below one, by what they leave of a line."""
    kind = "ValueError: "
    lengths = [n if n > 0 else columns + n for n in words]
    lengths[0] -= len(kind) if words[0] <= 0 else 0
    message = " ".join("x" * n for n in lengths)

    block = read_back(drawn(raised(ValueError(message), program), columns), [after])

    assert block.exception == kind + message


def test_a_message_like_a_place_is_none(program: Path) -> None:
    """The name of a server and its port look like a file and its line."""
    block = read_back(drawn(raised(OSError("localhost:80"), program), 80), [])

    assert block.exception == "OSError: localhost:80"
    assert places(block) == [(str(program), 9), (str(program), 5)]


def test_a_message_of_a_wrong_syntax_like_a_place_is_none(program: Path) -> None:
    """It stands below the second box, and is not of it."""
    error = SyntaxError("hosts.conf:80", (str(program), 3, 1, "host localhost"))
    block = read_back(drawn(raised(error, program), 80), [])

    assert block.exception == "SyntaxError: hosts.conf:80"
    assert places(block) == [(str(program), 9), (str(program), 5), (str(program), 3)]


def test_a_group_that_was_cut_names_what_is_whole(program: Path) -> None:
    """Killed in the box of its second exception, or with something else in its place."""
    parts = [raised(ValueError(str(n)), program) for n in range(2)]
    group = raised(ExceptionGroup("several", parts), program)  # type: ignore[type-var]
    lines = drawn(group, 80)
    second = next(n for n, line in enumerate(lines) if "Sub-exception #2" in line)

    for cut in (lines[: second + 5], [*lines[:second], "╭─ done ─╮", "╰────────╯"]):
        block = box_at(cut, 0, len(cut))
        assert block
        assert (
            block.exception
            == "ExceptionGroup: several (2 sub-exceptions): ValueError: 0"
        )
        assert places(block) == [(str(program), 9), (str(program), 5)] * 2


CUT: list[tuple[str, Callable[[list[str]], list[str]]]] = [
    ("no box at all", lambda lines: lines[1:]),
    ("killed in the box", lambda lines: lines[:3]),
    ("another line in the box", lambda lines: [*lines[:3], "done", *lines[3:]]),
    ("killed below the box", lambda lines: lines[:-1]),
    ("nothing below the box", lambda lines: [*lines[:-1], "", "done"]),
]


@pytest.mark.parametrize(("how", "cut"), CUT)
def test_what_is_no_whole_box_is_none(
    program: Path, how: str, cut: Callable[[list[str]], list[str]]
) -> None:
    """Without its sides or its exception a box names no cause."""
    lines = cut(drawn(raised(ValueError("x"), program), 80))

    assert box_at(lines, 0, len(lines)) is None, how
