"""Reads texts, JSON and TOML; does not check what they hold."""

from __future__ import annotations

import codecs
import json
import os
import tomllib
from collections import Counter
from typing import TYPE_CHECKING, Any

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
from python_runner.texts.sentence import translate as _


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
        raise _wrong(path, _("cannot be looked at: {error}").format(error=reason))
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
    try:
        data = read_regular(path, LONGEST)
    except NotRegular as error:
        raise _wrong(path, _no_text()) from error
    except OSError as error:
        message = _("cannot be read: {error}").format(error=error.strerror or error)
        raise _wrong(path, message) from error
    encoding = next((name for bom, name in _BOMS if data.startswith(bom)), "utf-8")
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        message = _("line {line} is not UTF-8; save the file as UTF-8")
        raise _wrong(path, message.format(line=line)) from error
    if "\0" in text:
        # No configuration holds one, no program can be given it: UTF-16 without a mark.
        line = text.count("\n", 0, text.index("\0")) + 1
        message = _("line {line} holds a NUL character; save the file as UTF-8")
        raise _wrong(path, message.format(line=line))
    return text


def read_json(path: Path, findings: Findings) -> dict[str, Any]:
    """Return the object a JSON file holds; keys listed twice are noted.

    Raises:
        InvalidConfiguration: it is no JSON object.
    """

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        for key, times in Counter(key for key, _value in items).items():
            if times > 1:
                findings.add(key, _("is given more than once"))
        return dict(items)

    def constant(name: str) -> None:
        raise _wrong(path, _("{value} is not JSON").format(value=name))

    text = read_text(path)
    try:
        raw = json.loads(
            text,
            object_pairs_hook=pairs,
            parse_constant=constant,
            parse_int=_bounded_int,
        )
    except json.JSONDecodeError as error:
        message = _("malformed JSON at line {line}, column {column}: {error}").format(
            line=error.lineno, column=error.colno, error=_json_hint(error)
        )
        raise _wrong(path, message) from error
    except RecursionError as error:
        raise _wrong(path, _("the JSON is nested too deeply")) from error
    if not isinstance(raw, dict):
        raise _wrong(path, _("expected an object: { ... }"))
    return raw


def _bounded_int(digits: str) -> int:
    """Return a number as it is written; of too many digits, the largest or smallest."""
    if len(digits.lstrip("-0")) <= _DIGITS:
        return int(digits)
    return -_LARGEST if digits.startswith("-") else _LARGEST


def _json_hint(error: json.JSONDecodeError) -> str:
    """Return the parser's message, with the usual cause where there is one."""
    before = error.doc[: error.pos].rstrip()
    if before.endswith(",") or error.msg.startswith("Illegal trailing comma"):
        return _("{error} (a comma too many?)").format(error=error.msg)
    # A path that ends with a backslash makes a text of what follows its quote.
    line = error.doc.splitlines()[error.lineno - 1 : error.lineno]
    if '\\"' in "".join(line) or error.msg.startswith("Invalid \\"):
        return _('{error} (write "\\\\" or "/" in paths)').format(error=error.msg)
    return error.msg


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a TOML file holds.

    Raises:
        InvalidConfiguration: it is no TOML.
    """
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
