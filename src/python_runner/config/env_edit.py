"""Sets variables in the text of a ``.env`` file; every other line stays as it is."""

from __future__ import annotations

import errno
import io
import os
import stat
from typing import TYPE_CHECKING

from python_runner.config.env_file import parse_env
from python_runner.config.reading import encoding_of, read_text
from python_runner.files import PRIVATE_FILE_MODE, is_file, replacing, set_mode
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

#: What may stand without quotes: nothing in it ends the value or is expanded.
_PLAIN = lazy_pattern(r"[A-Za-z0-9@._:/+,=-]+")
_EXPORT = lazy_pattern(r"\s*export[^\S\r\n]+")


def with_variables(text: str, variables: Mapping[str, str]) -> str:
    """Return the text of a ``.env`` file that sets ``variables``, and all it set before.

    The line that sets one already is replaced where it stands, the last one where there
    are several; a new one is added at the end. The ends of lines are those of the file.
    """
    from dotenv.parser import parse_stream  # noqa: PLC0415 - slow, seldom used

    end = "\r\n" if "\r\n" in text else "\n"
    parts: list[str] = []
    places: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(text, newline="")):
        if binding.key in variables and not binding.error:
            places[binding.key or ""] = len(parts)
        parts.append(binding.original.string)
    for name, value in variables.items():
        if name in places:
            old = parts[places[name]]
            blank = old[: len(old) - len(old.lstrip("\r\n"))]
            export = _EXPORT.match(old)
            begin = f"{blank}export " if export else blank
            parts[places[name]] = f"{begin}{name}={_quoted(value)}{end}"
            continue
        if parts and not parts[-1].endswith(("\n", "\r")):
            parts.append(end)
        parts.append(f"{name}={_quoted(value)}{end}")
    return "".join(parts)


def set_by(text: str, path: Path) -> Mapping[str, str]:
    """Return what the text of the file ``path`` sets."""
    return parse_env(text, path, {}).variables


def read_text_of(path: Path) -> str:
    """Return the text of a file with its ends of lines; empty where there is none.

    Raises:
        InvalidConfiguration: it cannot be read.
    """
    return read_text(path) if is_file(path) else ""


def write_env(path: Path, text: str) -> None:
    """Write the file whole or not at all, for its owner alone, in its present encoding.

    A link stays one.

    Raises:
        OSError: it cannot be written.
    """
    data = text.encode(encoding_of(path))
    if is_file(path) and not path.stat().st_mode & stat.S_IWUSR:
        # Whoever made it so wants no program to change it.
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    with replacing(path, mode=PRIVATE_FILE_MODE) as file:
        file.write(data)
    set_mode(path, PRIVATE_FILE_MODE)


def _quoted(value: str) -> str:
    """Return a value so that it is read back as it is."""
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
