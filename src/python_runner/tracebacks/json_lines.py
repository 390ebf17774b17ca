"""Logs of JSON lines: what structlog, loguru and others write of a failure, as plain text."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = ("level", "levelname", "severity", "log_level", "log.level", "lvl")
_MESSAGES = ("message", "event", "msg")
#: A line that may be a record of a log.
_RECORD = lazy_pattern(
    r'(?m)^\{(?=.*"(?:level|levelname|severity|log_level|log\.level|lvl)").*\}[ \r]*$'
)
_HEADER = "Traceback (most recent call last)"
#: Other values of a record, which say of what it tells: so many, and so long.
_MOST_VALUES = 5
_LONGEST_VALUE = 60
#: Objects in a record, one in the other, in which a traceback is looked for.
_DEEPEST = 3
_CAUSED = "\nThe above exception was the direct cause of the following exception:\n"
_HANDLING = "\nDuring handling of the above exception, another exception occurred:\n"


def without_json_lines(text: str) -> str:
    """Return a text in which level, message and traceback stand for a record of a log."""
    return _RECORD.sub(lambda match: _plain(match[0]), text)


def _plain(line: str) -> str:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return line
    whole = record
    if isinstance(inner := record.get("record"), dict):
        # loguru: what it would have written, and the parts of it.
        record = inner
    level = _first(record, _LEVELS)
    if isinstance(level, dict):
        level = level.get("name")
    message = _first(record, _MESSAGES)
    if not isinstance(level, str) or not isinstance(message, str):
        return line
    said = f"{level.upper()}: {message}"
    if record is whole:
        said = ", ".join([said, *_values(record)])
    quoted = _quoted(whole, _DEEPEST) or "\n".join(_drawn(record.get("exception")))
    said = f"{said}\n{quoted}".rstrip()
    # A lone surrogate could not be written to a mail or to the records.
    return said.encode("utf-8", "replace").decode("utf-8")


def _first(record: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((record[key] for key in keys if key in record), None)


def _values(record: dict[str, Any]) -> Iterator[str]:
    """Yield the short values of a record that are neither level nor message nor time."""
    shown = 0
    for key, value in record.items():
        known = key in {*_LEVELS, *_MESSAGES, "logger", "name"} or "time" in key.lower()
        if known or not isinstance(value, (str, int, float)):
            continue
        if len(str(value)) <= _LONGEST_VALUE and shown < _MOST_VALUES:
            shown += 1
            yield f"{key}={value}"


def _quoted(value: Any, deep: int) -> str:
    """Return the traceback that a record holds as text; empty where there is none."""
    if isinstance(value, str) and _HEADER in value:
        return value[value.rfind("\n", 0, value.find(_HEADER)) + 1 :]
    if isinstance(value, dict) and deep:
        texts = (_quoted(inner, deep - 1) for inner in value.values())
        return next(filter(None, texts), "")
    return ""


def _drawn(exceptions: Any) -> Iterator[str]:
    """Yield the lines of a traceback that structlog has taken to pieces."""
    if not isinstance(exceptions, list):
        return
    known = [one for one in exceptions if isinstance(one, dict) and "exc_type" in one]
    # The last cause stands last.
    for number, one in enumerate(reversed(known)):
        if number:
            before = known[len(known) - number]
            yield _CAUSED if before.get("is_cause") else _HANDLING
        yield f"{_HEADER}:"
        for frame in one.get("frames") or []:
            if isinstance(frame, dict):
                file, line = frame.get("filename"), frame.get("lineno")
                yield f'  File "{file}", line {line}, in {frame.get("name")}'
        yield f"{one['exc_type']}: {one.get('exc_value')}".removesuffix(": ")
