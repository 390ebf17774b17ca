"""Reads texts, JSON and TOML; does not check what they hold."""

from __future__ import annotations

import codecs
import json
import os
import sys
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from python_runner.config.json_errors import explain_json_error
from python_runner.config.near_keys import is_comment
from python_runner.exceptions import InvalidConfiguration, Problem
from python_runner.files import (
    NotRegular,
    exists,
    is_file,
    is_folder,
    read_regular,
    resolved,
    why_unseen,
)
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import in_own_language, translated


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.config.validation import Findings

#: Bytes that a configuration may have: some hundred times what people write.
LONGEST = 4 * 1024 * 1024
#: Digits that a number is read with: a larger one stands for the largest. Python refuses
#: thousands of digits, and no count, size or time needs more.
_DIGITS = 18
_LARGEST: int = 10**_DIGITS
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: What editors of Windows call ANSI: the code page of the system, elsewhere that of Western
#: Europe, from where such a file has come.
_ANSI = "mbcs" if sys.platform == "win32" else "cp1252"
_ANSI_NAME = "ANSI" if sys.platform == "win32" else "Windows-1252"


def is_there(path: Path) -> bool:
    """Say whether there is a file that need not be there.

    A folder that is closed to this user holds none for it: who becomes another user
    often stays in the folder of the first.

    Nor is one where the name leads to a folder (``.env`` may be a virtual environment) or
    to what swallows everything, the usual way to have none.

    Raises:
        InvalidConfiguration: nobody can tell, or it is a pipe or a device.
    """
    if (reason := why_unseen(path)) and os.access(path.parent, os.X_OK):
        raise _wrong(
            path, _("cannot be looked at: {error}").format(error=translated(reason))
        )
    if not exists(path) or is_folder(path) or resolved(path) == os.devnull:
        return False
    if not is_file(path):
        raise _wrong(path, _no_text())
    return True


def why_no_file(path: Path) -> str:
    """Say what is at a path that leads to no file."""
    if is_folder(path):
        return _("{path} is a folder, not a file").format(path=path)
    if exists(path):
        template = _("{file}: {problem}")
        return template.format(file=path, problem=_no_text())
    if os.path.lexists(path):
        message = _("{path} is a link to a file that does not exist")
        return message.format(path=path)
    return _("{path} does not exist").format(path=path)


def _no_text() -> str:
    return _("is a pipe, a device or a socket, not a file with text")


def read_text(path: Path) -> str:
    """Return the text of a file in UTF-8, or in UTF-16 when a mark at its start says so.

    PowerShell's ``>`` writes UTF-16, and Notepad adds a mark to UTF-8.

    Raises:
        InvalidConfiguration: it is neither, or it cannot be read.
    """
    data = _bytes_of(path)
    try:
        return _decoded(data, path)
    except UnicodeDecodeError as error:
        raise _wrong(path, _not_utf8(data, error)) from error


def encoding_of(path: Path) -> str:
    """Return in which encoding to write what takes the place of a file, there or not."""
    data = _bytes_of(path) if is_file(path) else b""
    return next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")


def _bytes_of(path: Path) -> bytes:
    try:
        return read_regular(path, LONGEST)
    except NotRegular as error:
        raise _wrong(path, _no_text()) from error
    except OSError as error:
        message = _("cannot be read: {error}").format(error=in_own_language(error))
        raise _wrong(path, message) from error


def _decoded(data: bytes, path: Path, encoding: str | None = None) -> str:
    if encoding is None:
        encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    text = data.decode(encoding)
    if "\0" in text:
        # No configuration holds one, no program can be given it: UTF-16 without a mark.
        line = text.count("\n", 0, text.index("\0")) + 1
        message = _("line {line} contains a NUL character; save the file as UTF-8")
        raise _wrong(path, message.format(line=line))
    return text


def _not_utf8(data: bytes, error: UnicodeDecodeError) -> str:
    line = data.count(b"\n", 0, error.start) + 1
    message = _("line {line} is not UTF-8; save the file as UTF-8")
    return message.format(line=line)


def _read_forgiving(path: Path, findings: Findings) -> str:
    """Return the text of a file, which may be in the code page of Windows as well.

    That is what old editors save: files in it have been run for years, so it is a
    warning. A file of which a part is UTF-8 is a damaged one.
    """
    data = _bytes_of(path)
    try:
        return _decoded(data, path)
    except UnicodeDecodeError as error:
        rest = data.decode("utf-8", "ignore")
        if not data.startswith(tuple(bom for bom, _name in _BOMS)) and rest.isascii():
            with suppress(UnicodeDecodeError):
                text = _decoded(data, path, _ANSI)
                template = N_(
                    "line {line} is not UTF-8: the file was read in the code page of"
                    " Windows ({name}); save it as UTF-8"
                )
                line = data.count(b"\n", 0, error.start) + 1
                findings.warn("", Sentence.of(template, line=line, name=_ANSI_NAME))
                return text
        raise _wrong(path, _not_utf8(data, error)) from error


def read_json(path: Path, findings: Findings) -> dict[str, Any]:
    """Return the object a JSON file holds; keys listed twice are noted.

    What is no UTF-8 is read in the code page of Windows, with a warning.

    Raises:
        InvalidConfiguration: it is no JSON object.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, times in Counter(key for key, _value in items).items():
            if times > 1 and not is_comment(key):
                findings.add(key, _("is given more than once"))
        return dict(items)

    def constant(name: str) -> None:
        raise _wrong(path, _("{value} is not JSON").format(value=name))

    text = _read_forgiving(path, findings)
    try:
        raw = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_int=_bounded_int,
        )
    except json.JSONDecodeError as error:
        message = _("malformed JSON at line {line}, column {column}: {error}").format(
            line=error.lineno, column=error.colno, error=explain_json_error(error)
        )
        raise _wrong(path, message) from error
    except RecursionError as error:
        raise _wrong(path, _("the JSON is nested too deeply")) from error
    if not isinstance(raw, dict):
        message = _("expected an object: { ... }")
        if isinstance(raw, list):
            message = _("expected an object, { ... }, and not a list, [ ... ]")
        raise _wrong(path, message)
    return raw


def _bounded_int(digits: str) -> int:
    """Return a number as it is written; of too many digits, the largest or smallest."""
    if len(digits.lstrip("-0")) <= _DIGITS:
        return int(digits)
    return -_LARGEST if digits.startswith("-") else _LARGEST


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        InvalidConfiguration: it is no TOML.
    """
    import tomllib  # noqa: PLC0415 - most folders have no such file

    try:
        return tomllib.loads(read_text(path))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        if "Unescaped '\\'" in message or "hex value" in message:
            template = _('{error} (write "\\\\" or "/" in paths)')
            message = template.format(error=message)
        raise _wrong(
            path, _("malformed TOML: {error}").format(error=message)
        ) from error
    except ValueError as error:
        # Python's limit of digits; the format itself ends at 64 bits.
        raise _wrong(path, _("a number has too many digits")) from error
    except RecursionError as error:
        raise _wrong(path, _("the TOML is nested too deeply")) from error


def _wrong(path: Path, message: str) -> InvalidConfiguration:
    return InvalidConfiguration([Problem(str(path), "", message)])
