"""The lines around the place of an error, as the records keep them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sanitize import clean


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import ScriptResult
    from python_runner.records.store import Store

#: Lines before and after that of the error, and characters of each that are shown.
_AROUND, _WIDTH = 1, 300


@dataclass(frozen=True, slots=True)
class SourceLine:
    """A line of a file; ``here`` is that of the error."""

    number: int
    text: str
    here: bool


def source_lines(
    store: Store, path: Path, result: ScriptResult, masker: Masker
) -> tuple[SourceLine, ...]:
    """Return the lines around the error of a script, as they were when it began.

    Nothing where its place is unknown, or its file was not recorded.

    Args:
        store: the records.
        path: the project's folder.
        result: with what the script was made of.
        masker: takes out what has become secret since.

    Raises:
        StoreError: the records cannot be read.
    """
    place, made_of = result.last_traceback, result.provenance
    if place is None or not place.file or not place.line or made_of is None:
        return ()
    name = place.file.replace("\\", "/")
    files = (*filter(None, [made_of.script]), *made_of.imports)
    digest = next((file.digest for file in files if file.path == name), None)
    text = store.sources.text(path, digest) if digest else None
    if text is None:
        return ()
    lines = masker.text(text).splitlines()
    if place.line > len(lines):
        return ()
    first = max(1, place.line - _AROUND)
    return tuple(
        SourceLine(
            number,
            clean(lines[number - 1].expandtabs(4))[:_WIDTH],
            number == place.line,
        )
        for number in range(first, min(place.line + _AROUND, len(lines)) + 1)
    )
