"""Searches what scripts printed, what logs say, and errors: so long and so much at a time.

The newest comes first. A part says how far it came, and the next one goes on there.
"""

from __future__ import annotations

import os
import re
from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.records import overview
from python_runner.records.output_pages import decoded
from python_runner.texts.ansi import plain
from python_runner.texts.utf8 import local_encoding, to_utf8


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.masking import Masker
    from python_runner.model.overview import ErrorGroup, RunLine
    from python_runner.records.budget import Budget
    from python_runner.records.store import Store

#: Seconds and bytes of one part.
SECONDS, MOST = 2.0, 64 * 1024 * 1024
#: Bytes of one output that are searched, its end; lines with the text that are shown of
#: it; outputs with such lines in a part; lines around one.
_OF_ONE, HITS, FOUND, CONTEXT = 16 * 1024 * 1024, 5, 20, 1
_BLOCK = 1024 * 1024
#: Runs whose outputs are looked up at a time.
_RUNS = 50
#: Characters of a line that are shown.
_LONGEST = 300


@dataclass(frozen=True, slots=True)
class SearchLine:
    """A line near the text: ``found`` says whether it holds it."""

    number: int
    text: str
    found: bool


@dataclass(frozen=True, slots=True)
class FoundOutput:
    """An output that holds the text.

    Attributes:
        run: the run.
        number: the place of the script in the series.
        script: its name.
        lines: the first lines with the text, and those around them.
        more: whether there are more of them.
        numbered: whether the numbers are known; of a very long output only its end was
            searched.
    """

    run: RunLine
    number: int
    script: str
    lines: tuple[SearchLine, ...]
    more: bool
    numbered: bool = True


@dataclass(frozen=True, slots=True)
class OutputSpot:
    """Where a search of outputs goes on: behind a script of a run, in their order."""

    run: int
    number: int


@dataclass(slots=True)
class SearchedOutputs:
    """What a search of outputs has found.

    Attributes:
        found: the outputs, those of the newest runs first.
        runs: how many runs were searched.
        oldest: when the last of these began.
        further: where to go on; None where nothing is left.
    """

    found: list[FoundOutput] = field(default_factory=list)
    runs: int = 0
    oldest: datetime | None = None
    further: OutputSpot | None = None


def search_outputs(
    store: Store,
    text: str,
    masker: Callable[[Path], Masker],
    budget: Budget,
    *,
    project: int | None = None,
    since: datetime | None = None,
    after: OutputSpot | None = None,
) -> SearchedOutputs:
    """Search the outputs that the records name.

    Args:
        store: the records.
        text: what to look for, whatever the case.
        masker: returns what takes the secrets of a project's folder out.
        budget: what may be spent.
        project: number of a project; None: all.
        since: runs that began earlier are left out.
        after: where an earlier part ended.

    Raises:
        StoreError: the records cannot be read.
    """
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    done = SearchedOutputs()
    spot = first = after or OutputSpot(overview.BEYOND, 0)
    for batch in _outputs(store, project, spot):
        for run, number, script, path in batch.outputs:
            if since and run.started_at < since:
                return done
            if budget.is_spent or len(done.found) >= FOUND:
                done.further = spot
                return done
            found = _search_one(path, pattern, masker(run.path), budget)
            if budget.is_spent and spot != first:
                # Not read to its end, perhaps: the next part begins with it.
                done.further = spot
                return done
            if done.oldest != run.started_at or run.key != spot.run:
                done.runs += 1
            done.oldest = run.started_at
            if found:
                lines, more, numbered = found
                done.found.append(
                    FoundOutput(run, number, script, tuple(lines), more, numbered)
                )
            spot = OutputSpot(run.key, number)
        if since and batch.oldest < since:
            return done
        # Behind the whole run; a million runs may have no output any more.
        spot = OutputSpot(batch.last, 0)
        if budget.is_spent:
            done.oldest, done.further = batch.oldest, spot
            return done
    return done


@dataclass(frozen=True, slots=True)
class _Batch:
    """Some runs, one after the other.

    Attributes:
        outputs: what their scripts printed, in the order of the series.
        last: the key of the oldest one.
        oldest: when it began.
    """

    outputs: list[tuple[RunLine, int, str, Path]]
    last: int
    oldest: datetime


def _outputs(store: Store, project: int | None, spot: OutputSpot) -> Iterator[_Batch]:
    """Yield what stands behind a spot, from the newest runs on."""
    before, number = spot.run, spot.number
    keys, after = [before] if number else [], number
    while True:
        with store.view() as view:
            keys = keys or overview.keys_of(view, project, before=before, limit=_RUNS)
            lines = overview.lines(view, keys)
            outputs = list(_of_runs(view, lines, after))
        if not keys:
            return
        if lines:
            yield _Batch(outputs, keys[-1], min(line.started_at for line in lines))
        before, keys, after = keys[-1], [], 0


def _of_runs(
    view: Connection, runs: Iterable[RunLine], after: int
) -> Iterator[tuple[RunLine, int, str, Path]]:
    lines = {line.key: line for line in runs}
    for key, number, script, path in overview.outputs_of(view, [*lines], after):
        yield lines[key], number, script, path


def _search_one(
    path: Path, pattern: re.Pattern[str], masker: Masker, budget: Budget
) -> tuple[list[SearchLine], bool, bool] | None:
    """Return the first lines of a file with the text, whether there are more, and numbers.

    None where there is none, or no such file.
    """
    look = _Look(pattern, masker)
    try:
        with reading(path) as file:
            size = file.seek(0, os.SEEK_END)
            start = max(0, size - _OF_ONE)
            file.seek(start)
            rest = b""
            while (block := file.read(_BLOCK)) and look.hits < HITS:
                budget.spend(len(block))
                if budget.is_spent:
                    break
                data = rest + block
                # A line that never ends is searched in parts.
                cut = data.rfind(b"\n") + 1 or len(data)
                look.at(data[:cut])
                rest = data[cut:]
            look.at(rest)
    except OSError:
        return None
    if not look.hits:
        return None
    lines = [look.shown[number] for number in sorted(look.shown)]
    return lines, look.hits >= HITS, start == 0


class _Look:
    """Looks at one output, block by block.

    Attributes:
        shown: the lines with the text and those around them, by their numbers.
        hits: how many have it.
    """

    def __init__(self, pattern: re.Pattern[str], masker: Masker) -> None:
        self.shown: dict[int, SearchLine] = {}
        self.hits = 0
        self._count = 0
        self._pattern = pattern
        self._masker = masker

    def at(self, data: bytes) -> None:
        """Look at the next lines."""
        text = data.decode("utf-8", "replace")
        if not text.isascii():
            text = to_utf8(data, local_encoding()).decode("utf-8", "replace")
        # Most blocks do not hold it, which is quick to see; colours may stand inside of it.
        if self._pattern.search(plain_block(text)):
            self._note(decoded(data, 0, len(data), self._masker).split("\n"))
        self._count += data.count(b"\n")

    def _note(self, lines: list[str]) -> None:
        if not lines[-1]:
            # What stands behind the end of the last line is none.
            lines.pop()
        for place, line in enumerate(lines):
            if self.hits >= HITS:
                return
            if not self._pattern.search(plain(line)):
                continue
            self.hits += 1
            first, last = max(0, place - CONTEXT), min(len(lines) - 1, place + CONTEXT)
            for near in range(first, last + 1):
                number, found = self._count + near + 1, near == place
                if found or number not in self.shown:
                    told = plain(lines[near])[:_LONGEST]
                    self.shown[number] = SearchLine(number, told, found)


def plain_block(text: str) -> str:
    """Return lines without colours; most have none, and are left as they are."""
    return "\n".join(map(plain, text.split("\n"))) if "\x1b" in text else text


def search_errors(
    store: Store, text: str, budget: Budget, *, project: int | None, before: int
) -> tuple[list[ErrorGroup], int | None]:
    """Return errors with a text in their message or place, and where to go on.

    Raises:
        StoreError: the records cannot be read.
    """
    wanted = text.casefold()
    found: list[ErrorGroup] = []
    while True:
        with store.view() as view:
            page = overview.errors(view, project=project, before=before)
        for group in page:
            before = group.key
            sample = group.sample
            words = (sample.exception, sample.file, sample.script, sample.reason)
            if wanted in " ".join(str(word) for word in words if word).casefold():
                found.append(group)
            if len(found) >= FOUND or budget.is_spent:
                return found, before
        if not page:
            return found, None
