"""The message of ``sys.exit``: the last thing that a script says, and nothing marks it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from python_runner.tracebacks.source import Source

#: A number alone is no message.
_SPOKEN = lazy_pattern(r"[^\W\d_]{2}")
#: Most lines of a paragraph that is taken for a message.
_PARAGRAPH = 5
#: Most lines of a message of which it is known where what stands above it ends.
_MESSAGE_LINES = 500
#: A line that a logger wrote is no part of a message below it: time, or level.
_LOGGED = lazy_pattern(
    r"\W*\d{4}-\d\d-\d\d[T ]\d\d:|\W*(?:\d\d[/.]\d\d[/.]\d{2,4},? )?\d\d:\d\d:\d\d\b"
    r"|\s*\W{0,3}(?:TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b"
    r"|[IWEF]\d{4} \d\d:\d\d:\d\d"
)
_LEVEL = lazy_pattern(
    r"\b(TRACE|DEBUG|INFO|NOTICE|SUCCESS|WARN(?:ING)?|ERROR|CRITICAL|FATAL)\b"
)
#: absl and glog write the first letter of a level, then month and day.
_LETTER = lazy_pattern(r"[IWEF](?=\d{4} \d\d:)")
_LETTERS = {"I": "INFO", "W": "WARNING", "E": "ERROR", "F": "FATAL"}
#: Characters of a logged line in which its level is looked for, and levels by their weight.
_LEVEL_WITHIN = 100
_LIGHT = frozenset({"TRACE", "DEBUG", "INFO", "NOTICE", "SUCCESS"})
_WARNINGS = frozenset({"WARN", "WARNING"})
_GRAVE = frozenset({"ERROR", "CRITICAL", "FATAL"})
#: Lines above the last one in which an error that was logged is looked for.
_ERRORS_WITHIN = 50
#: Lines at the end in which an error may stand above a hint or a summary, at most.
_HINT_LINES = 10
#: A line that says what was wrong, as commands do.
_ERROR = lazy_pattern(
    r"(?:\S+: )?(?:(?:fatal |critical )?(?:error|erreur|fehler)(?: fatale)?\s?: "
    r"|(?:fatal|failed|failure|échec)\s?: (?!\d)"
    r"|can't open file |(?:\w+\.)*[A-Z]\w*(?:Error|Exception): |\[(?:Errno|WinError) -?\d+\] )",
    re.IGNORECASE,
)
#: Words of last words that tell of trouble themselves.
_TROUBLE = lazy_pattern(
    r"error|fail|fatal|cannot|can't|could not|couldn't|unable|denied|missing"
    r"|not found|no such|invalid|abort|giv(?:e|ing) up|gave up|stopp|time(?:d )?out"
    r"|exception|reject|wrong|not mounted|unreachable"
    r"|erreur|échec|échou|impossible|introuvable|manqu|refus|abandon|interdit|rejet",
    re.IGNORECASE,
)
#: What the module ``warnings`` writes; the line of the source, in most cases, comes below.
_WARNING = lazy_pattern(r".*?:\d+: (?=(?:\w+\.)*\w*Warning:( |$))")
_ALLOCATION = lazy_pattern(r"ResourceWarning: Enable tracemalloc ")
#: Most lines of a warning whose message begins with an empty line, as those of pandas do.
_WARNING_LINES = 12
#: A line of a box, with what it holds: Rich frames errors of usage so.
_BOX_LINE = lazy_pattern(r"[│|] (.*?)\s*[│|]$|[╭╰+][─-].*[╮╯+]$")


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
    lines = _without_boxes(_without_warnings(lines))
    while lines and not lines[-1].strip():
        lines.pop()
    if not lines:
        return None
    if source and (message := spelled_out(lines, source)):
        return message
    start = _paragraph_start(lines)
    if source and source.unknown_exit:
        # What the script prints with certainty is none of its last words.
        last = range(len(lines), max(len(lines) - _MESSAGE_LINES, 0), -1)
        above = next((n for n in last if source.printed(lines[n - 1])), 0)
        if any(map(_SPOKEN.search, lines[above:])):
            if above and source.exit_of_lines and not source.unknown_print:
                lines = lines[above:]
                return ExitMessage(_headline(lines), "\n".join(lines))
            start = max(start, above)
    short = len(lines) - start <= _PARAGRAPH
    start = max(start, len(lines) - _PARAGRAPH)
    paragraph = lines[start:]
    # Without a text in its sys.exit, what it printed last says most.
    ends_with_text = short and (source is None or source.unknown_exit)
    headline = _headline(paragraph if ends_with_text else paragraph[::-1])
    error = _error_above(lines, start, paragraph, headline, said=ends_with_text)
    if error is not None:
        headline, paragraph = lines[error], lines[error:]
    return ExitMessage(headline.strip(), "\n".join(paragraph))


def _error_above(
    lines: list[str], start: int, paragraph: list[str], headline: str, *, said: bool
) -> int | None:
    """Return the number of a line above that says more than the last words; or None.

    Args:
        lines: all of the output.
        start: where its last paragraph begins.
        paragraph: the last words.
        headline: of them.
        said: whether the script may have ended with these words.
    """
    if _is_less_than_error(headline):
        near = range(len(lines) - 1, max(len(lines) - _ERRORS_WITHIN, 0) - 1, -1)
        return next((n for n in near if is_grave(lines[n])), None)
    if said:
        return None
    if start and is_grave(lines[start - 1]) and _goes_on(lines[start - 1], paragraph):
        return start - 1
    # Below it there may be a hint, or how long it took.
    near = range(len(lines) - 1, max(len(lines) - _HINT_LINES, 0) - 1, -1)
    error = next((n for n in near if tells_error(lines[n])), None)
    if error is None or any(map(_TROUBLE.search, lines[error + 1 :])):
        return None
    return error


def tells_error(line: str) -> bool:
    """Whether a line tells of an error, by its level or by its first word."""
    return bool(_ERROR.match(line)) or is_grave(line)


def spelled_out(lines: list[str], source: Source) -> ExitMessage | None:
    """Return the message in ``lines`` that the source of the script spells out, or None."""
    text = "\n".join(lines)
    begin = source.exit_text(text)
    if begin is None:
        return None
    text = text[begin:].strip("\n")
    return ExitMessage(_headline(text.split("\n")), text)


def is_light(line: str) -> bool:
    """Whether a logger wrote a line that tells of no trouble, by its level."""
    return is_logged(line) and _level_of(line) in _LIGHT


def _is_less_than_error(line: str) -> bool:
    """Whether a logger wrote a line with a level below an error's."""
    return is_logged(line) and _level_of(line) in _LIGHT | _WARNINGS


def is_grave(line: str) -> bool:
    """Whether a logger wrote a line as an error."""
    return is_logged(line) and _level_of(line) in _GRAVE


def _goes_on(record: str, below: list[str]) -> bool:
    """Whether lines below one that was logged are part of its message."""
    return record.rstrip().endswith(":") or all(line[:1].isspace() for line in below)


def _level_of(line: str) -> str:
    if letter := _LETTER.match(line):
        return _LETTERS[letter[0]]
    match = _LEVEL.search(line, 0, _LEVEL_WITHIN)
    return match[1] if match else ""


def _last_error(lines: list[str]) -> str | None:
    """Return the last line near the end that was logged as an error."""
    near = reversed(lines[-_ERRORS_WITHIN:])
    return next(filter(is_grave, near), None)


def is_logged(line: str) -> bool:
    """Whether a logger seems to have written a line: it begins with time or level."""
    return bool(_LOGGED.match(line))


def last_line(lines: list[str]) -> str:
    """Return the last line with a text; empty where there is none.

    Of lines that were logged, that is the last error.
    """
    lines = _without_boxes(_without_warnings(lines[-_ERRORS_WITHIN:]))
    line = next((line for line in reversed(lines) if line.strip()), "")
    return ((_is_less_than_error(line) and _last_error(lines)) or line).strip()


def _headline(lines: list[str]) -> str:
    """Return the first line that says something: no rule, no blank one."""
    return next((line for line in lines if re.search(r"\w", line)), lines[-1]).strip()


def _paragraph_start(lines: list[str]) -> int:
    start = len(lines) - 1
    while start and lines[start - 1].strip() and not is_logged(lines[start - 1]):
        start -= 1
    return start


def _without_warnings(lines: list[str]) -> list[str]:
    """Return the lines with a blank one for each warning, unless there is nothing else."""
    kept = list(lines)
    end = 0
    for number, line in enumerate(lines):
        # A quick look, for there are many lines, and hardly one is a warning.
        if number >= end and "Warning:" in line:
            end = _warning_end(lines, number)
            kept[number:end] = [""] * (end - number)
    if any(map(str.strip, kept)):
        return kept
    warned = (line[match.end() :] for line in lines if (match := _WARNING.match(line)))
    return [next(warned, "")] if lines else []


def _warning_end(lines: list[str], start: int) -> int:
    """Return the line behind the warning at ``start``; ``start`` where there is none."""
    match = _WARNING.match(lines[start])
    if not match:
        return start
    end = start + 1
    if lines[start].rstrip().endswith("Warning:"):
        below = range(end, min(start + _WARNING_LINES, len(lines)))
        end = next((n for n in below if _is_source(lines[n])), end)
    end += end < len(lines) and _is_source(lines[end])
    return end + (end < len(lines) and bool(_ALLOCATION.match(lines[end])))


def _is_source(line: str) -> bool:
    return line.startswith("  ") and line[2:3] not in {"", " "}


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
