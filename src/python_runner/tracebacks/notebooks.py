"""Tracebacks of IPython: of notebooks that papermill or nbclient execute, and of itself."""

from __future__ import annotations

from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import Block, Frame, Kind


_HEADER = lazy_pattern(r"([\w.]+)\s{2,}Traceback \(most recent call last\)$")
_FRAME = lazy_pattern(r"File (\S.*?):(\d+)(?:, in (\S+?)\(.*)?$")
#: What stands before the traceback, above a rule.
_CELL = lazy_pattern(r"(?:Cell|Input|File) ")


def cell_block_at(lines: list[str], start: int, limit: int) -> Block | None:
    """Return the traceback that begins at a line, or None."""
    header = _HEADER.match(lines[start].rstrip())
    if not header or start + 1 >= limit or not _CELL.match(lines[start + 1]):
        return None
    name = header[1]
    for error in range(start + 1, limit):
        line = lines[error]
        if line == name or line.startswith(f"{name}: "):
            frames = tuple(
                Frame(match[1], int(match[2]), match[3] or "<module>")
                for inner in lines[start + 1 : error]
                if (match := _FRAME.match(inner.rstrip()))
            )
            said = line.strip()
            return Block(Kind.NOTEBOOK, start, error, error + 1, said, frames)
    return None
