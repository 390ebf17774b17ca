"""The message of ``sys.exit``: the last thing that a script says, and nothing marks it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from python_runner.tracebacks.source import Source

#: Most lines of a paragraph that is taken for a message.
_PARAGRAPH = 5
#: A line that a logger wrote is no part of a message below it: time, or level.
_LOGGED = re.compile(
    r"\W*\d{4}-\d\d-\d\d[T ]\d\d:|\W*\d\d:\d\d:\d\d\b"
    r"|\W{0,3}(?:DEBUG|INFO|WARNING|ERROR|CRITICAL)\b"
)
#: A line of a box, with what it holds: Rich frames errors of usage so.
_BOX_LINE = re.compile(r"[│|] (.*?)\s*[│|]$|[╭╰+][─-].*[╮╯+]$")


@dataclass(frozen=True, slots=True)
class ExitMessage:
    """What a script said last.

    Attributes:
        headline: its first line, or its last one where only that is certain.
        text: all of it.
    """

    headline: str
    text: str


def exit_message(lines: list[str], source: Source | None) -> ExitMessage | None:
    """Return the message at the end of ``lines``; None where there is no text at all.

    Args:
        lines: the output, without tracebacks.
        source: of the script, which may spell its message out; None if it is unknown.
    """
    lines = _without_boxes(lines)
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return None
    if source:
        text = "\n".join(lines)
        begin = source.exit_text(text)
        if begin is not None:
            text = text[begin:].strip("\n")
            return ExitMessage(_headline(text.split("\n")), text)
    start = _paragraph_start(lines)
    short = len(lines) - start <= _PARAGRAPH
    start = max(start, len(lines) - _PARAGRAPH)
    paragraph = lines[start:]
    # Without a text in its sys.exit, what it printed last says most.
    ends_with_text = short and (source is None or source.unknown_exit)
    headline = _headline(paragraph) if ends_with_text else paragraph[-1]
    return ExitMessage(headline.strip(), "\n".join(paragraph))


def is_logged(line: str) -> bool:
    """Whether a logger seems to have written a line: it begins with time or level."""
    return bool(_LOGGED.match(line))


def last_line(lines: list[str]) -> str:
    """Return the last line with a text; empty where there is none."""
    lines = _without_boxes(lines[-_PARAGRAPH * 2 :])
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _headline(lines: list[str]) -> str:
    """Return the first line that says something: no rule, no blank one."""
    return next((line for line in lines if re.search(r"\w", line)), lines[-1]).strip()


def _paragraph_start(lines: list[str]) -> int:
    start = len(lines) - 1
    while start and lines[start - 1].strip() and not _ends_something(lines, start - 1):
        start -= 1
    return start


def _ends_something(lines: list[str], number: int) -> bool:
    """Whether a line belongs to something else: a log, or a warning with its source."""
    line = lines[number]
    warned = number and "Warning: " in lines[number - 1] and line.startswith("  ")
    return bool(warned) or is_logged(line)


def _without_boxes(lines: list[str]) -> list[str]:
    """Return the lines, those of a box at the end without its sides."""
    if not lines or not _BOX_LINE.match(lines[-1].strip()):
        return list(lines)
    end = len(lines)
    while end and _BOX_LINE.match(lines[end - 1].strip()):
        end -= 1
        if lines[end].strip()[0] in "╭┌":
            break
    inside = [_BOX_LINE.match(line.strip()) for line in lines[end:]]
    said = [match[1].strip() for match in inside if match and match[1]]
    return [*lines[:end], "", *said]
