"""``output --grep``: searches what the scripts of all runs wrote, as far as it is kept."""

from __future__ import annotations

import re
from collections import deque
from contextlib import suppress
from dataclasses import field
from itertools import chain
from typing import TYPE_CHECKING

from python_runner.cli import wording
from python_runner.cli.follow import settled_text
from python_runner.cli.known_runs import masker_of
from python_runner.cli.lookup import chosen_projects, find_run
from python_runner.cli.streams import say, show, show_pieces
from python_runner.config.project import why_no_folder
from python_runner.exceptions import PythonRunnerError
from python_runner.facts import dataclass
from python_runner.files import is_folder
from python_runner.records.output_reader import OutputReader
from python_runner.records.outputs import OutputFile, kept_outputs, private_logs
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Settings
    from python_runner.records.store import Store

#: Lines shown before and after one that holds the text.
CONTEXT = 2


@dataclass(frozen=True, slots=True)
class Hit:
    """A line near the text.

    Attributes:
        number: its place in the output, from 1.
        line: the line.
        found: whether it holds the text; it stands beside one that does, else.
    """

    number: int
    line: str
    found: bool


@dataclass(slots=True)
class _Looked:
    """What has been searched so far."""

    runs: set[str] = field(default_factory=set)
    oldest: datetime | None = None
    lines: int = 0


def lines_with(
    lines: Iterable[str], pattern: re.Pattern[str], context: int = CONTEXT
) -> Iterator[Hit]:
    """Yield the lines that match, and those beside them, each once and in order."""
    before: deque[Hit] = deque(maxlen=context)
    after = 0
    for number, line in enumerate(lines, 1):
        found = pattern.search(line) is not None
        if found:
            yield from before
            before.clear()
            after = context + 1
        if after:
            after -= 1
            yield Hit(number, line, found)
        else:
            before.append(Hit(number, line, found))


def search_outputs(
    store: Store,
    settings: Settings,
    chosen: str | Path | None,
    script: str | None,
    text: str,
) -> None:
    """Print the lines with ``text``, the newest run first, and how far back it looked.

    Upper and lower case are the same. ``chosen`` is a run's id, a project, or None for
    those of ``python-runner.toml``, else all; ``script`` leaves the others out.

    Raises:
        PythonRunnerError: there is no such run or project.
    """
    run_id = find_run(store, chosen).run_id if isinstance(chosen, str) else None
    pattern = re.compile(re.escape(text), re.IGNORECASE)
    masker = masker_of(settings)
    looked = _Looked()
    for path, output in _outputs(store, settings, chosen):
        if run_id not in {None, output.run_id}:
            continue
        if script is not None and not output.is_of(script):
            continue
        looked.runs.add(output.run_id)
        looked.oldest = min(looked.oldest or output.begun, output.begun)
        hits = _hits(output.path, pattern, masker(path))
        if (first := next(hits, None)) is None:
            continue
        if looked.lines:
            show()
        _show_heading(store, path, output, masker(path))
        looked.lines += _show_hits(chain([first], hits), pattern, first.number - 1)
    _tell_how_far(looked)


def _outputs(
    store: Store, settings: Settings, chosen: str | Path | None
) -> Iterator[tuple[Path, OutputFile]]:
    """Return the outputs that are kept, newest first, each with its project."""
    folders: Sequence[Path]
    if isinstance(chosen, str):
        folders = (find_run(store, chosen).path,)
    else:
        folders = chosen_projects((chosen,) if chosen else ()) or store.projects()
    if chosen and not isinstance(chosen, str) and not is_folder(folders[0]):
        raise PythonRunnerError(why_no_folder(folders[0]))
    found = [
        (folder, output)
        for folder in folders
        for logs in (folder / "logs", private_logs(settings.home, folder))
        for output in kept_outputs(logs)
    ]
    # As they were recorded: clocks may be wrong. Then what the records forgot.
    recorded = store.newest_first({output.run_id for _folder, output in found})
    places = {run_id: place for place, run_id in enumerate(recorded)}
    found.sort(key=lambda pair: pair[1].number)
    found.sort(key=lambda pair: (pair[1].begun, pair[1].run_id), reverse=True)
    found.sort(key=lambda pair: places.get(pair[1].run_id, len(places)))
    return iter(found)


def _hits(path: Path, pattern: re.Pattern[str], masker: Masker) -> Iterator[Hit]:
    """Yield the hits of one output; one that cannot be read is told."""
    try:
        yield from lines_with(_lines(path, masker), pattern)
    except OSError as error:
        message = _("{path} cannot be read: {error}")
        say(message, err=True, path=path, error=in_own_language(error))


def _show_hits(hits: Iterable[Hit], pattern: re.Pattern[str], last: int) -> int:
    """Print the lines that follow line ``last``; return how many hold the text."""
    count = 0
    for hit in hits:
        if hit.number > last + 1:
            show_pieces(("--", "dim"))
        last = hit.number
        count += hit.found
        show_pieces(*_pieces(hit, pattern))
    return count


def _lines(path: Path, masker: Masker) -> Iterator[str]:
    """Yield the lines of an output as they stood at their end."""

    def raise_it(error: OSError) -> None:
        raise error

    reader = OutputReader(path, masker)
    blocks = reader.follow(lambda: False, lambda: None, raise_it)
    rest = ""
    for text in settled_text(blocks):
        *whole, rest = (rest + text).split("\n")
        yield from map(clean, whole)
    if rest:
        yield clean(rest)


def _show_heading(store: Store, path: Path, output: OutputFile, masker: Masker) -> None:
    name, script = path.name, output.script
    # The records may not hold the run any more.
    with suppress(PythonRunnerError):
        run = find_run(store, output.run_id)
        name = run.project
        names = {entry.number: entry.script for entry in run.scripts}
        script = names.get(output.number, script)
    begun = wording.formats().moment(output.begun)
    short = store.short_ids([output.run_id])[output.run_id]
    show_pieces(
        ("==> " + wording.joined(name, masker.text(script)), "bold"),
        (f"  {begun}  {short}", None),
        (" <==", "bold"),
    )


def _pieces(hit: Hit, pattern: re.Pattern[str]) -> Iterator[tuple[str, str | None]]:
    """Yield the parts of a line, the text that was looked for in colour."""
    yield f"{hit.number:>6}{':' if hit.found else '-'} ", "dim"
    place = 0
    for match in pattern.finditer(hit.line) if hit.found else ():
        yield hit.line[place : match.start()], None
        yield match[0], "red"
        place = match.end()
    yield hit.line[place:], None


def _tell_how_far(looked: _Looked) -> None:
    if looked.oldest is None:
        say(_("There is no output to search: none is kept."), err=True)
        return
    formats, count = wording.formats(), len(looked.runs)
    if looked.lines:
        message = formats.ngettext(
            "Searched the output of {count} run, back to {moment}; none is kept of"
            " earlier ones.",
            "Searched the output of {count} runs, back to {moment}; none is kept of"
            " earlier ones.",
            count,
        )
    else:
        message = formats.ngettext(
            "Found nothing in the output of {count} run, back to {moment}; none is kept"
            " of earlier ones.",
            "Found nothing in the output of {count} runs, back to {moment}; none is kept"
            " of earlier ones.",
            count,
        )
    moment = formats.minute(looked.oldest)
    say(message, err=True, count=formats.number(count), moment=moment)
