"""The cause: which of the things that the output of a failed script tells has ended it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.model import Traceback
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import Block, Kind, frame_in, frames_in
from python_runner.tracebacks.chains import (
    Chain,
    chain_text,
    chains_from_the_end,
    raising_block,
)
from python_runner.tracebacks.endings import Beside, Cause, Ending
from python_runner.tracebacks.exit_messages import (
    ExitMessage,
    exit_message,
    is_light,
    is_logged,
    last_line,
    spelled_out,
    tells_error,
)
from python_runner.tracebacks.lines import Output, output_of
from python_runner.tracebacks.native import native_words
from python_runner.tracebacks.origins import (
    Origin,
    origin_of,
    report_end,
    report_start,
)
from python_runner.tracebacks.parts import without_recursion
from python_runner.tracebacks.place import Project, place_of
from python_runner.tracebacks.suites import failed_tests


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.tracebacks.blocks import Frame
    from python_runner.tracebacks.source import Source

#: Longest text of a traceback, in characters.
MAX_TEXT = 64 * 1024
#: Lines of one frame, at most, where a text is cut.
_FRAME_LINES = 6
#: Longest exception line, in characters: it goes into subjects and tables.
MAX_EXCEPTION = 500
#: Lines of the output that may follow what is still near its end.
NEAR = 50
#: Lines of a message above a traceback that it quotes, at most.
_QUOTED_BELOW = 5
#: Errors in the background that a success is warned of.
_MOST_WARNINGS = 5
#: How a message goes on in libraries that write several lines.
_CONTINUATION = lazy_pattern(
    r"\s|\[SQL: |\[parameters: |\(Background on this error at: |For further information"
    r"|DETAIL: |HINT: |LINE \d+: |[-+?^] "
)
#: Lines at the end in which a command may say that, at most.
_USAGE_LINES = 10
#: What faulthandler writes where a process calls ``abort``.
_ABORTED = "Fatal Python error: Aborted"
#: Above the frames of another process that a message quotes, as Dask does.
_QUOTED = lazy_pattern(r"\s*(?:Remote )?Traceback:?\s*$")


def read_cause(
    text: str, ending: Ending, project: Project, source: Source | None = None
) -> Cause:
    """Return what the end of a failed script's output tells.

    Args:
        text: the end of the output.
        ending: how the process ended.
        project: whose frames are the user's own.
        source: of the script; None if it is not known.
    """
    output = output_of(text)
    if ending is Ending.CRASH:
        return _crash(output, project)
    if ending is Ending.SIGNAL:
        return _interruption(output, project)
    if suite := failed_tests(output.lines):
        if ending is Ending.CODE:
            return Cause(beside=Beside.LOGGED, told=suite.headline)
        text = "\n".join(output.lines[suite.start :])
        return Cause(_traceback(text, suite.headline, suite.frames, project))
    search = _Search(output, project, source)
    return search.exception() if ending is Ending.EXCEPTION else search.beside_a_code()


def read_background_errors(text: str, project: Project) -> tuple[str, ...]:
    """Return the exceptions that ended nothing, each once, in their order.

    They are those in the background, and one that nothing follows: the exit code of the
    script says nothing of them.
    """
    output = output_of(text)
    found: dict[str, None] = {}
    for number, chain in enumerate(chains_from_the_end(output)):
        last = number == 0 and chain.last.end >= len(output.lines)
        origin = origin_of(chain, project)
        if chain.last.kind is not Kind.FATAL and (last or origin is Origin.BACKGROUND):
            found.setdefault(_line(_exception(output, chain.last, chain.last.end)))
        if len(found) == _MOST_WARNINGS:
            break
    return tuple(reversed(found))


class _Search:
    """The search for a cause in one output, from its end upward.

    Attributes:
        background: the last error in the background, that were seen so far.
        other: the last exception that somebody handled.
        end: where the output ends, without reports from the background at its end.
    """

    def __init__(self, output: Output, project: Project, source: Source | None) -> None:
        self.output = output
        self.project = project
        self.source = source
        self.background: Chain | None = None
        self.other: Chain | None = None
        self.end = len(output.lines)
        self._reports: list[tuple[int, int]] = []

    def exception(self) -> Cause:
        """Return the cause where an exception, or a text, may have ended the script."""
        for chain in chains_from_the_end(self.output):
            if chain.last.kind is Kind.FATAL:
                if chain.last.end >= self.end:
                    return Cause(self._told_by(chain))
                continue
            origin = origin_of(chain, self.project)
            if origin is Origin.SCRIPT and not self._was_caught(chain):
                return self._uncaught(chain)
            self._note(chain, origin)
        return self._without_exception()

    def beside_a_code(self) -> Cause:
        """Return what stands near the end of a script that chose its exit code."""
        for chain in chains_from_the_end(self.output):
            ends = chain.last.end >= len(self.output.lines)
            if ends and chain.last.exception == _ABORTED:
                # Windows has no signals: a process that aborts ends with exit code 3.
                return _crash(self.output, self.project)
            if len(self.output.lines) - chain.last.end > NEAR:
                break
            self._note(chain, origin_of(chain, self.project))
        told = self.other or self.background
        if told is None:
            line = last_line(self.output.lines)
            if tells_error(line) or self._framed():
                return Cause(beside=Beside.LAST_LINE, told=_line(line))
            # Some write how they are called below it, or an error in several lines.
            below = reversed(self.output.lines[-_USAGE_LINES:])
            wrong = next(filter(tells_error, below), "")
            return Cause(beside=Beside.LOGGED, told=_line(wrong)) if wrong else Cause()
        text = chain_text(self.output, told, len(self.output.lines))
        beside = Beside.LOGGED if self.other else Beside.BACKGROUND
        return Cause(_text_only(text), beside, self._exception_of(told))

    def _note(self, chain: Chain, origin: Origin) -> None:
        if origin is not Origin.BACKGROUND:
            self.other = self.other or chain
            return
        self.background = self.background or chain
        start = report_start(self.output, chain)
        end = report_end(self.output, chain)
        self._reports.append((start, end))
        if end >= self.end:
            self.end = start
            while self.end and not self.output.lines[self.end - 1].strip():
                self.end -= 1

    def _was_caught(self, chain: Chain) -> bool:
        """Whether the source shows that the script has gone on after an exception."""
        if self.source is None:
            return False
        first = next((f for f in chain.last.frames if f.function == "<module>"), None)
        if first and self.source.catches(first.line, chain.last.exception):
            return True
        behind = "\n".join(self.output.lines[chain.last.end : self.end])
        return self.source.exit_text(behind) is not None

    def _uncaught(self, chain: Chain) -> Cause:
        message = self.output.lines[chain.last.end : self.end]
        line = last_line(message)
        traceback = self._told_by(chain)
        if self.source and line and self.source.printed(line):
            return Cause(traceback, Beside.LAST_LINE, _line(line))
        return Cause(traceback)

    def _without_exception(self) -> Cause:
        """Return what the script said last, with what was handled before."""
        other = self.other
        start = other.last.end if other else 0
        lines = self._lines_without_reports(start)
        message = self._quoting(other) if other else None
        if other and message is None and self._goes_on(lines):
            return Cause(self._told_by(other))
        message = message or exit_message(lines, self.source)
        near = other and len(self.output.lines) - other.last.end <= NEAR
        if message is None:
            if self.background is None:
                return Cause()
            text = chain_text(self.output, self.background, len(self.output.lines))
            told = self._exception_of(self.background)
            return Cause(_text_only(text), Beside.BACKGROUND, told)
        text, beside, told = message.text, None, ""
        if other and near:
            text = chain_text(self.output, other, self.end)
            beside, told = Beside.LOGGED, self._exception_of(other)
        elif self.background:
            beside, told = Beside.BACKGROUND, self._exception_of(self.background)
        return Cause(_traceback(text, message.headline, (), self.project), beside, told)

    def _quoting(self, other: Chain) -> ExitMessage | None:
        """Return the message of an exit that quotes a traceback, as the last thing."""
        if self.source is None:
            return None
        above = max(other.start - _QUOTED_BELOW, 0)
        message = spelled_out(self.output.lines[above : self.end], self.source)
        begins_above = message and message.text.count("\n") >= self.end - other.start
        return message if begins_above else None

    def _lines_without_reports(self, start: int) -> list[str]:
        lines, begin = [], start
        for first, end in reversed(self._reports):
            lines += self.output.lines[begin:first] if first > begin else []
            begin = max(begin, end)
        return lines + self.output.lines[begin:]

    def _goes_on(self, lines: list[str]) -> bool:
        """Whether lines behind a handled exception are no more than its message."""
        said = [line for line in lines if re.search(r"\w", line)]
        if all(_CONTINUATION.match(line) or is_light(line) for line in said):
            return True
        source = self.source
        if source is None or source.unknown_exit or source.unknown_print:
            return False
        if source.exit_text("\n".join(lines)) is not None:
            return False
        return not any(source.printed(line) or is_logged(line) for line in said)

    def _framed(self) -> bool:
        lines = self.output.lines
        return bool(lines) and lines[-1].strip().startswith(("╰", "+-"))

    def _told_by(self, chain: Chain) -> Traceback:
        text = chain_text(self.output, chain, self.end)
        raising = raising_block(self.output, chain)
        blocks = [raising, *reversed(chain.blocks)]
        frames = [self._quoted_frames(chain), *(block.frames for block in blocks)]
        places = (place_of(found, self.project) for found in frames)
        place = next(filter(None, places), None)
        end = self._end_of_message(chain)
        said = _exception(self.output, chain.last, end)
        return _with_place(text, said, place)

    def _end_of_message(self, chain: Chain) -> int:
        """Return where the message of a chain ends, without what the script prints."""
        end, lines = self.end, self.output.lines
        if self.source is None:
            return end
        while end > chain.last.end and (
            not lines[end - 1].strip() or self.source.printed(lines[end - 1])
        ):
            end -= 1
        return end

    def _quoted_frames(self, chain: Chain) -> tuple[Frame, ...]:
        """Return the frames of another process that the message of an exception quotes."""
        message = self.output.lines[chain.last.end : self.end]
        start = next((n for n, line in enumerate(message) if _QUOTED.match(line)), None)
        return () if start is None else frames_in(message[start:])

    def _exception_of(self, chain: Chain) -> str:
        return _line(_exception(self.output, chain.last, chain.last.end))


def _crash(output: Output, project: Project) -> Cause:
    for chain in chains_from_the_end(output):
        if chain.last.kind is Kind.FATAL:
            text = chain_text(output, chain, chain.last.end)
            said = chain.last.exception
            if words := native_words(output.lines[: chain.start]):
                start, gist = words
                text = "\n".join([*output.lines[start : chain.start], text])
                said = f"{said}: {gist}"
            return Cause(_traceback(text, said, chain.last.frames, project))
    return Cause()


def _interruption(output: Output, project: Project) -> Cause:
    """Return the KeyboardInterrupt that Ctrl-C has become; nothing for a kill."""
    search = _Search(output, project, None)
    cause = search.exception()
    said = cause.traceback.exception if cause.traceback else None
    return cause if said and said.startswith("KeyboardInterrupt") else Cause()


def _exception(output: Output, block: Block, end: int) -> str:
    """Return the line of an exception, with the one that says most of its message."""
    said = block.exception
    message = [line.strip() for line in output.lines[block.error + 1 : end]]
    if inner := _error_of_a_cell(message):
        return f"{said.partition(':')[0]}: {inner}"
    if message and message[0].startswith(": "):
        # Java's own words, below those of py4j.
        return f"{said} {message[0][2:]}"
    if not said.endswith(":"):
        return said
    paragraph: list[str] = []
    for line in message:
        if not line and paragraph:
            break
        if re.search(r"\w", line):
            paragraph.append(line)
    last = [line for line in message if re.search(r"\w", line)]
    # Nothing marks where a message ends: what follows a blank line may be none of it.
    ends = dict.fromkeys([*paragraph[-1:], *last[-1:]])
    return " … ".join([said, *ends]).replace(": … ", ": ")


def _error_of_a_cell(message: list[str]) -> str | None:
    """Return the exception of a notebook's cell that a message quotes."""
    for number, line in enumerate(message):
        if line.endswith("Traceback (most recent call last)"):
            name = line.split()[0]
            below = message[number + 1 :]
            found = [x for x in below if x == name or x.startswith(f"{name}: ")]
            return found[-1] if found else None
    return None


def _traceback(
    text: str, exception: str, frames: Iterable[Frame], project: Project
) -> Traceback:
    return _with_place(text, exception, place_of(frames, project))


def _with_place(text: str, exception: str, place: Frame | None) -> Traceback:
    return Traceback(
        text=_bounded(text),
        exception=_line(exception),
        file=place.file if place else None,
        line=place.line if place else None,
        function=place.function if place else None,
    )


def _text_only(text: str) -> Traceback:
    return Traceback(text=_bounded(text), exception=None)


def _line(text: str) -> str:
    # A file that was printed may bring the mark of its encoding.
    text = " ".join(text.replace("\ufeff", "").split())
    return text if len(text) <= MAX_EXCEPTION else text[: MAX_EXCEPTION - 1] + "…"


def _bounded(text: str) -> str:
    """Return a text with its middle left out where it is too long, by whole frames.

    Before that, frames that take turns in a recursion are written once.
    """
    if len(text) > MAX_TEXT:
        text = without_recursion(text)
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2 - 50
    head, tail = text[:half], text[-half:]
    # A line that is long enough to be most of the text is cut itself.
    head_end, tail_start = head.rfind("\n", half // 2), tail.find("\n", 0, half // 2)
    if head_end >= 0:
        head = _without_last_frame(head[:head_end])
    if tail_start >= 0:
        tail = _from_first_frame(tail[tail_start + 1 :])
    left_out = len(text) - len(head) - len(tail)
    return f"{head}\n[... {left_out} characters left out ...]\n{tail}"


def _without_last_frame(text: str) -> str:
    lines = text.split("\n")
    for number in range(1, min(_FRAME_LINES, len(lines)) + 1):
        if frame_in(lines[-number]):
            return "\n".join(lines[:-number])
    return text


def _from_first_frame(text: str) -> str:
    lines = text.split("\n")
    for number, line in enumerate(lines[:_FRAME_LINES]):
        if frame_in(line):
            return "\n".join(lines[number:])
    return text
