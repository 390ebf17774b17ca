"""Which lines of an output people look for."""

from __future__ import annotations

from enum import StrEnum

from python_runner.patterns import lazy_pattern


_ERROR = lazy_pattern(r"\b(?:ERROR|CRITICAL|FATAL)\b|^\w*(?:Error|Exception): ")
_TRACEBACK = lazy_pattern(r"^\W*Traceback \(most recent call last\)")
_WARNING = lazy_pattern(r"\b(?:WARNING|WARN)\b|\b\w+Warning: ")


#: Stands in each of them: most lines are none, which one look tells.
_ANY = lazy_pattern("ERROR|CRITICAL|FATAL|Error: |Exception: |Traceback|WARN|Warning: ")


class Mark(StrEnum):
    """What a line tells of; the value is also the class that colours its edge."""

    ERROR = "error"
    TRACEBACK = "traceback"
    WARNING = "warning"


def mark_of(line: str) -> Mark | None:
    """Return what a line without colours tells of; None for most."""
    if not _ANY.search(line):
        return None
    if _TRACEBACK.search(line):
        return Mark.TRACEBACK
    if _ERROR.search(line):
        return Mark.ERROR
    return Mark.WARNING if _WARNING.search(line) else None
