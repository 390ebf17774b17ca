"""Names of the scripts of a series: short, unique, and without secrets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import PurePath
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.masking import Masker
    from python_runner.model.project import Project


def display_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return what each script of a series is called.

    The file name; the path as written where two scripts share a file name; a number
    behind it where the very same path is listed more than once.
    """
    files = Counter(_file_name(path) for path in paths)
    names = [
        _file_name(path) if files[_file_name(path)] == 1 else path.replace("\\", "/")
        for path in paths
    ]
    return _numbered(names)


def mask_names(project: Project, masker: Masker) -> Project:
    """Return a project whose scripts' names hold no secret; they stay unique."""
    names = [script.name for script in project.scripts]
    masked = dict(zip(names, _numbered(list(map(masker.text, names))), strict=True))
    scripts = (
        replace(s, name=masked[s.name], needs=tuple(masked.get(n, n) for n in s.needs))
        for s in project.scripts
    )
    return replace(project, scripts=tuple(scripts))


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    totals = Counter(names)
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if totals[name] > 1 else name)
    return tuple(unique)


def _file_name(path: str) -> str:
    # Both separators on every platform: a configuration travels.
    return PurePath(path.replace("\\", "/")).name or path
