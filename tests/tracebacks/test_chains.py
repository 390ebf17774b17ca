"""Where a chain of tracebacks begins, what belongs to it, and what stands above it."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.tracebacks.chains import chain_text, chains_from_the_end
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
