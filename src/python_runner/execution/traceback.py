"""Reads the error of a script from the end of its output.

Everything here is pure: text in, :class:`~python_runner.model.Traceback` out.
"""

from __future__ import annotations

import ntpath
import posixpath
import re
from dataclasses import dataclass

from python_runner.model import Traceback


#: Longest text of a traceback, in characters.
MAX_TEXT = 64 * 1024
#: Longest exception line, in characters: it goes into subjects and tables.
MAX_EXCEPTION = 500
#: Most lines of a message after the line of its exception. What is further behind is
#: taken for ordinary output, and the traceback for one that was handled.
_MAX_MESSAGE_LINES = 50
#: Most lines that are taken for the message of ``sys.exit``.
_MAX_EXIT_LINES = 5

#: One of these is on every line where a block may start: a quick look, for many lines.
_MARKS = ("Traceback (most recent call last):", '  File "', "atal ")
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\))")
_HEADER = re.compile(
    r"(?!\s|.*Exception Group )(.*?)(Traceback \(most recent call last\):)\s*$"
)
_GROUP_HEADER = re.compile(r"\s*\+ Exception Group Traceback \(most recent call last\)")
_MARGIN = re.compile(r"\s+[|+]")
_GROUP_ERROR = re.compile(r"\s+\| \S")
_FATAL = re.compile(r"Fatal Python error: |Windows fatal exception: ")
_FATAL_LINE = re.compile(
    r"\s|$|Fatal Python error: |Python runtime state: |Extension modules: "
    r"|Current thread|Thread 0x"
)
_SYNTAX_FRAME = re.compile(r'  File "[^"]*", line \d+$')
_SYNTAX_ERROR = re.compile(r"(?:SyntaxError|IndentationError|TabError)\b")
_FRAME = re.compile(r'^[\s|]*File "([^"]+)", line (\d+)(?:,? in (.+))?$')
#: Place, code, markers and exception.
_SYNTAX_LINES = 5
_LINKS = (
    "During handling of the above exception, another exception occurred:",
    "The above exception was the direct cause of the following exception:",
)
#: What Python prints before the traceback of an exception that ends no script.
_BACKGROUND = re.compile(
    r"Exception in thread |Exception ignored |Error in atexit\._run_exitfuncs:"
    r"|Task exception was never retrieved|future: <|Exception in callback |handle: <"
)
_FOREIGN_FOLDERS = frozenset({".venv", "venv", "site-packages", "dist-packages"})


@dataclass(frozen=True, slots=True)
class _Block:
    """A chain of tracebacks in a list of lines.

    Attributes:
        start: its first line.
        error: the line that names the exception.
        end: the line after its last certain one; a message may go on there.
    """

    start: int
    error: int
    end: int


def read_traceback(text: str, *projects: str, exact: bool = False) -> Traceback | None:
    """Return the last chain of tracebacks at the end of ``text``, or None.

    Args:
        text: the end of a script's output.
        projects: names of the project's folder (a link has two), which frames are
            compared with.
        exact: whether nothing at all may follow. Without, some lines may: a message
            can have many, and nothing marks its end.
    """
    if not _may_tell(text):
        return None
    lines = _lines(text)
    last = block = _last_block(lines, 0 if exact else _MAX_MESSAGE_LINES)
    rest = lines
    while block and (header := _background_start(rest, block)) is not None:
        # An exception in a thread or at exit comes after the one that counts.
        rest = rest[:header]
        block = _last_block(rest, 0)
    if block:
        return _traceback(rest, block, projects)
    return _traceback(lines, last, projects) if last else None


def read_background_error(text: str, *projects: str) -> Traceback | None:
    """Return the last error that Python reported without ending the script, or None.

    An exception in a thread, at exit or in a destructor, or a traceback that nothing
    follows: the exit code says nothing of them.
    """
    if not _may_tell(text):
        return None
    if exact := read_traceback(text, *projects, exact=True):
        return exact
    lines = _lines(text)
    while block := _last_block(lines, len(lines)):
        if _background_start(lines, block) is not None:
            return _traceback(lines[: block.end], block, projects)
        lines = lines[: block.start]
    return None


def read_exit_message(text: str) -> Traceback | None:
    """Return the last lines of ``text``: what ``sys.exit("...")`` has printed."""
    lines = _lines(text)
    if not lines:
        return None
    start = max(0, len(lines) - _MAX_EXIT_LINES)
    for number in range(len(lines) - 1, start, -1):
        if not lines[number].strip():
            start = number + 1
            break
    return Traceback(
        text=_bounded("\n".join(lines[start:])), exception=_line(lines[-1])
    )


def _may_tell(text: str) -> bool:
    return any(mark in text for mark in _MARKS)


def _lines(text: str) -> list[str]:
    # Not splitlines(): Python ends a line of a traceback with \n and nothing else.
    lines = _ANSI.sub("", text).replace("\r\n", "\n").split("\n")
    while lines and not lines[-1].strip():
        lines.pop()
    return lines


def _last_block(lines: list[str], message_lines: int) -> _Block | None:
    """Find the last chain, with at most so many lines behind it."""
    for start in range(len(lines) - 1, -1, -1):
        if block := _block_at(lines, start):
            if len(lines) - block.end > message_lines:
                return None
            return _Block(_chain_start(lines, start), block.error, block.end)
    return None


def _block_at(lines: list[str], start: int) -> _Block | None:
    line = lines[start]
    if not any(mark in line for mark in _MARKS):
        return None
    if _HEADER.match(line):
        return _plain_block(lines, start)
    if _GROUP_HEADER.match(line):
        return _group_block(lines, start)
    if _FATAL.match(line):
        return _fatal_block(lines, start)
    if _SYNTAX_FRAME.match(line):
        return _syntax_block(lines, start)
    return None


def _plain_block(
    lines: list[str], start: int, limit: int | None = None
) -> _Block | None:
    """Parse a header, indented lines, and the line of the exception."""
    error = start + 1
    limit = min(len(lines), limit or len(lines))
    while error < limit and lines[error].startswith(" "):
        error += 1
    if error in {start + 1, limit} or not lines[error].strip():
        return None
    return _Block(start, error, error + 1)


def _group_block(lines: list[str], start: int) -> _Block | None:
    """Parse lines with a margin; Python 3.11 lets messages hang over it."""
    end = start
    for number in range(start + 1, len(lines)):
        if number - end > _MAX_MESSAGE_LINES or _GROUP_HEADER.match(lines[number]):
            break
        if _MARGIN.match(lines[number]):
            end = number
    for error in range(start + 1, end + 1):
        if _GROUP_ERROR.match(lines[error]):
            return _Block(start, error, end + 1)
    return None


def _fatal_block(lines: list[str], start: int) -> _Block:
    end = start + 1
    while end < len(lines) and _FATAL_LINE.match(lines[end]):
        end += 1
    return _Block(start, start, end)


def _syntax_block(lines: list[str], start: int) -> _Block | None:
    """Parse the SyntaxError of the script itself, which has no header."""
    block = _plain_block(lines, start - 1, start + _SYNTAX_LINES)
    if block is None or not _SYNTAX_ERROR.match(lines[block.error]):
        return None
    above = start - 1
    while above >= 0 and lines[above].startswith(" "):
        above -= 1
    if above >= 0 and _HEADER.match(lines[above]):
        return None
    return _Block(start, block.error, block.end)


def _chain_start(lines: list[str], start: int) -> int:
    """Follow the sentences that link a traceback to the one before it."""
    while start >= 2 and lines[start - 2] in _LINKS:  # noqa: PLR2004 - a blank line
        for earlier in range(start - 3, -1, -1):
            if _block_at(lines, earlier):
                start = earlier
                break
        else:
            break
    return start


def _background_start(lines: list[str], block: _Block) -> int | None:
    """Return the first line of the report of an ignored exception, None if it counts."""
    start = block.start
    while start and _BACKGROUND.match(lines[start - 1]):
        start -= 1
    return start if start < block.start else None


def _traceback(lines: list[str], block: _Block, projects: tuple[str, ...]) -> Traceback:
    header = _background_start(lines, block)
    chain = lines[block.start if header is None else header :]
    if match := _HEADER.match(chain[0]):
        # Output that did not end its line stands before it.
        chain[0] = match[2]
    frames = lines[block.start : block.end]
    if not _FATAL.match(lines[block.start]):
        frames.reverse()
    file, line, function = _project_frame(frames, projects)
    return Traceback(
        text=_bounded("\n".join(chain)),
        exception=_line(re.sub(r"^[\s|]+", "", lines[block.error])),
        file=file,
        line=line,
        function=function,
    )


def _project_frame(
    lines: list[str], projects: tuple[str, ...]
) -> tuple[str | None, int | None, str | None]:
    """Return file, line and function of the first frame inside the project."""
    for line in lines:
        if match := _FRAME.match(line):
            for project in projects:
                if file := _inside(match[1], project):
                    return file, int(match[2]), match[3]
    return None, None, None


def _inside(file: str, project: str) -> str | None:
    """Return ``file`` relative to ``project``; None if it is no file of the project."""
    windows = "\\" in project or ntpath.splitdrive(project)[0]
    path = ntpath if windows else posixpath
    if file.startswith("<"):
        return None
    folder = path.normpath(project)
    full = path.normpath(path.join(folder, file))
    prefix = folder.rstrip(path.sep) + path.sep
    if not path.normcase(full).startswith(path.normcase(prefix)):
        return None
    relative = full[len(prefix) :].replace(path.sep, "/")
    return None if _FOREIGN_FOLDERS & set(relative.split("/")) else relative


def _line(text: str) -> str:
    text = text.strip()
    return text if len(text) <= MAX_EXCEPTION else text[: MAX_EXCEPTION - 1] + "…"


def _bounded(text: str) -> str:
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2 - 50
    left_out = len(text) - 2 * half
    return f"{text[:half]}\n[... {left_out} characters left out ...]\n{text[-half:]}"
