"""The scripts that every runner is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from pathlib import Path

#: What each script leaves beside itself: so we know that it ran, and when the last did.
MARK_SUFFIX = ".done"
_MARK = f"open(__file__ + {MARK_SUFFIX!r}, 'w').close()\n"
_FLOOD = """\
import os
block = b"x" * 99 + b"\\n"
block *= 10486
for _ in range({megabytes}):
    os.write(1, block)
"""
_FAILING = "raise KeyError('customer')\n"


@dataclass(frozen=True, slots=True)
class Work:
    """Scripts to run, in this order.

    Attributes:
        sources: the text of each script.
        parallel: how many run at a time.
    """

    sources: tuple[str, ...]
    parallel: int = 1

    def lay(self, folder: Path) -> list[Path]:
        """Write the scripts into a folder; return their files."""
        files = []
        for number, source in enumerate(self.sources, 1):
            file = folder / f"s{number:04}.py"
            file.write_text(source, encoding="utf-8")
            files.append(file)
        return files


def trivial(count: int, parallel: int = 1) -> Work:
    """Return scripts that do nothing, but for their mark."""
    return Work((_MARK,) * count, parallel)


def importing(module: str, count: int) -> Work:
    """Return scripts that import a module."""
    return Work((f"import {module}\n{_MARK}",) * count)


def flooding(megabytes: int) -> Work:
    """Return a script that prints so many MiB, in lines of 100 bytes."""
    return Work((_FLOOD.format(megabytes=megabytes) + _MARK,))


def failing(count: int) -> Work:
    """Return scripts of which the middle one fails."""
    sources = [_MARK] * count
    sources[count // 2] += _FAILING
    return Work(tuple(sources))


def marks(folder: Path) -> int:
    """Return how many scripts of a folder have run."""
    return sum(1 for _ in folder.glob(f"*{MARK_SUFFIX}"))
