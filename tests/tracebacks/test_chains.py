"""Where a chain of tracebacks begins, what belongs to it, and what stands above it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.tracebacks.chains import (
    chain_text,
    chains_from_the_end,
    raising_block,
)
from python_runner.tracebacks.lines import output_of


pytestmark = pytest.mark.portable(
    "Python writes tracebacks, the same on every platform"
)

#: What a script prints, here without anything that looks like an error.
PRINTED = st.lists(
    st.sampled_from(["", "", "done", "    3 rows", "Total: 3"]), max_size=4
)
MESSAGES = st.lists(st.sampled_from(["no share", "at night"]), max_size=3)


@st.composite
def errors(draw: Any, *, all_raised: bool = False) -> tuple[BaseException, int]:
    """Return an error that others may have led to, and how many of all were raised.

    The first may have been made and never raised: it has no traceback.
    """
    first = error = OSError("\n".join(["error 0", *draw(MESSAGES)]))
    count = draw(st.integers(0, 3))
    unraised = bool(count) and not all_raised and draw(st.booleans())
    if not unraised:
        raise_it(first)
    for number in range(1, count + 1):
        after = OSError("\n".join([f"error {number}", *draw(MESSAGES)]))
        if draw(st.booleans()):
            after.__cause__ = error
        else:
            after.__context__ = error
        raise_it(after)
        error = after
    return error, count + 1 - unraised


def raise_it(error: BaseException) -> None:
    """Give an error a traceback; what led to it stays."""
    context = error.__context__
    try:
        raise error
    except OSError:
        error.__context__ = context


@given(PRINTED, errors(), st.lists(errors(all_raised=True), max_size=2), st.data())
def test_each_chain_is_found_whole(
    before: list[str],
    first: tuple[BaseException, int],
    others: list[tuple[BaseException, int]],
    data: st.DataObject,
) -> None:
    """From the end: the text of each chain, its tracebacks, and the line above it."""
    lines = [*before, ""] if before else []
    expected = []
    for error, raised in [first, *others]:
        text = "".join(traceback.format_exception(error)).rstrip("\n")
        expected.append((text, raised, lines[-1] if lines else ""))
        lines += [*text.split("\n"), "printed", *data.draw(PRINTED)]
        # An exception without a traceback begins behind a line without text.
        lines.append("")
    output = output_of("\n".join(lines))

    chains = list(chains_from_the_end(output))

    ends = [output.lines.index("printed", chain.last.error) for chain in chains]
    assert [
        (chain_text(output, chain, end), len(chain.blocks), chain.before)
        for chain, end in zip(chains, ends, strict=True)
    ] == expected[::-1]


HEADER = "Traceback (most recent call last):"
FRAME = '  File "/p/main.py", line 3, in load'
LOAD = [HEADER, FRAME, "    load()", "OSError: no share"]
SAVE = [HEADER, FRAME, "    save()", "KeyError: 'a'"]
CAUSE = "The above exception was the direct cause of the following exception:"
HANDLING = "During handling of the above exception, another exception occurred:"
REMOTE = "concurrent.futures.process._RemoteTraceback: "


def texts(lines: list[str]) -> list[str]:
    """Return the texts of the chains in an output, the last one first."""
    output = output_of("\n".join(lines))
    chains = chains_from_the_end(output)
    return [chain_text(output, chain, chain.last.end) for chain in chains]


@pytest.mark.parametrize("blanks", range(5))
@pytest.mark.parametrize("sentence", [CAUSE, HANDLING])
def test_few_blank_lines_part_a_sentence_from_what_it_joins(
    blanks: int, sentence: str
) -> None:
    """Logs have up to three where Python writes one."""
    lines = [*LOAD, "", sentence, *[""] * blanks, *SAVE]

    whole = ["\n".join(lines)]
    apart = ["\n".join(SAVE), "\n".join(LOAD)]
    assert texts(lines) == (whole if blanks <= 3 else apart)


@pytest.mark.parametrize("message", [1, 49, 80])
def test_an_exception_without_a_traceback_has_a_message_of_any_lines(
    message: int,
) -> None:
    """It belongs to what it led to, as long as somebody reads so much."""
    lines = ["started", "", "OSError: no share", *["row"] * (message - 1)]
    lines += ["", CAUSE, "", *SAVE]

    expected = lines[2:] if message < 50 else SAVE
    assert texts(lines) == ["\n".join(expected)]


@pytest.mark.parametrize("before", [[], ["done"], ["", "done", ""]])
@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_the_traceback_of_a_worker_belongs_to_its_quotes(
    before: list[str], quotes: str
) -> None:
    """A pool quotes it in an exception of its own; it tells where the error was raised."""
    chain = [REMOTE, quotes, *LOAD, quotes, "", CAUSE, "", *LOAD]
    output = output_of("\n".join([*before, *chain]))

    (found,) = chains_from_the_end(output)

    assert (found.start, found.before) == (len(before), (before or [""])[-1])
    assert raising_block(output, found) is found.blocks[0]
    assert chain_text(output, found, found.last.end) == "\n".join(chain)


@pytest.mark.parametrize(
    ("between", "last", "is_first"),
    [
        (["", CAUSE, ""], LOAD, True),
        (["", HANDLING, ""], LOAD, False),
        (["", CAUSE, ""], SAVE, False),
    ],
)
def test_only_the_same_exception_was_raised_by_its_cause(
    between: list[str], last: list[str], *, is_first: bool
) -> None:
    """Any other says itself where it was raised."""
    output = output_of("\n".join([*LOAD, *between, *last]))
    (chain,) = chains_from_the_end(output)

    assert raising_block(output, chain) is chain.blocks[0 if is_first else -1]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (["working ... " + HEADER, *LOAD[1:]], ["\n".join(LOAD)]),
        (["    " + line for line in LOAD], ["\n".join("    " + x for x in LOAD)]),
        (
            ["done", REMOTE + HEADER, *LOAD[1:]],
            ["\n".join([REMOTE + HEADER, *LOAD[1:]])],
        ),
        # Killed while it wrote.
        ([HEADER, FRAME], []),
        ([HEADER, FRAME, HEADER, FRAME], []),
        ([HEADER, FRAME, *LOAD], ["\n".join(LOAD)]),
        # A script has printed the name of an exception before the traceback.
        (["done", "KeyError: " + HEADER, *LOAD[1:]], ["\n".join(LOAD)]),
        (["KeyError: " + HEADER, *LOAD[1:], "    row"], ["\n".join(LOAD)]),
        # Below a line of source, it is the message that quotes a traceback.
        (
            [HEADER, FRAME, "    save()", "KeyError: " + HEADER, *LOAD[1:]],
            ["\n".join([HEADER, FRAME, "    save()", "KeyError: " + HEADER])],
        ),
        # Another process's traceback is none of the message.
        (
            ["    row", REMOTE + HEADER, *LOAD[1:]],
            ["\n".join([REMOTE + HEADER, *LOAD[1:]])],
        ),
    ],
)
def test_what_stands_on_the_first_line(lines: list[str], expected: list[str]) -> None:
    """Printed text, a margin, an exception: what belongs to the chain is in its text."""
    assert texts(lines) == expected
