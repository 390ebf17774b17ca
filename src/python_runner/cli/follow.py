"""``run -v``: the scripts' output on the terminal as it comes."""

from __future__ import annotations

import codecs
import threading
from contextlib import suppress
from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.records.output_reader import OutputReader
from python_runner.records.outputs import with_translated_attempts
from python_runner.runner.events import ScriptEnded, ScriptStarted
from python_runner.texts.carriage_returns import SettledLines
from python_runner.texts.sanitize import OutputCleaner
from python_runner.texts.sentence import system_language
from python_runner.waiting import WAKE_SECONDS


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from python_runner.cli.progress import Progress
    from python_runner.runner.events import Event

#: Seconds between two looks at a file that grows.
_INTERVAL = 0.1
#: Most seconds that the end of a script's output may delay the next script.
_PATIENCE = 2.0


@dataclass(slots=True)
class OutputFollower:
    """Listener that shows each running script's output, whole lines with its name.

    Attributes:
        progress: shows the lines.
        colours: whether the script's own colours are shown.
        secrets: what no line may show, besides the secrets of the script's project.
    """

    progress: Progress
    colours: bool
    secrets: tuple[str, ...] = ()
    _late: list[threading.Thread] = field(default_factory=list)
    _ends: dict[tuple[str, int], tuple[threading.Event, threading.Thread]] = field(
        default_factory=dict
    )

    def __call__(self, event: Event) -> None:
        """Start following with a script's first attempt, stop at its end."""
        match event:
            case ScriptStarted(attempt=1):
                ended = threading.Event()
                prefix = self.progress.prefix(event)
                masker = Masker((*self.secrets, *event.project.secrets))
                output = OutputReader(event.output, masker)
                thread = threading.Thread(
                    target=self._follow,
                    args=(output, masker.text(prefix), ended),
                    daemon=True,
                )
                # Without a thread to be had, the output is not shown.
                with suppress(RuntimeError):
                    thread.start()
                    self._ends[event.run_id, event.number] = (ended, thread)
            case ScriptEnded(result=result):
                following = self._ends.pop((result.run_id, result.number), None)
                if following:
                    ended, thread = following
                    ended.set()
                    # Who reads slowly gets the rest later: the next script begins.
                    thread.join(_PATIENCE)
                    if thread.is_alive():
                        self._late.append(thread)
            case _:
                pass

    def finish(self) -> None:
        """Let a reader that is slow, but reads, get all of the output."""
        for thread in self._late:
            while thread.is_alive():
                thread.join(WAKE_SECONDS)

    def _follow(
        self, output: OutputReader, prefix: str, ended: threading.Event
    ) -> None:
        blocks = output.follow(
            is_growing=lambda: not ended.is_set(),
            pause=lambda: ended.wait(_INTERVAL),
            # Its folder cannot be read: the report will say so.
            failed=lambda _error: None,
        )
        for text in settled_text(blocks):
            self._write(prefix, text.removesuffix("\n").split("\n"))

    def _write(self, prefix: str, lines: list[str]) -> None:
        cleaner = OutputCleaner(colours=self.colours)
        shown = [f"{prefix}{cleaner.clean(line)}{cleaner.end()}\n" for line in lines]
        self.progress.output("".join(shown))


def settled_text(blocks: Iterable[bytes]) -> Iterator[str]:
    r"""Yield whole lines of output, as they stood at their end; none of it empty.

    Bytes that are not UTF-8 become ``\xNN``. What begins a further attempt is in the
    system's language.
    """
    for text in _settled_lines(blocks):
        yield with_translated_attempts(text, system_language())


def _settled_lines(blocks: Iterable[bytes]) -> Iterator[str]:
    decoder = codecs.getincrementaldecoder("utf-8")("backslashreplace")
    lines = SettledLines()
    for block in blocks:
        text = lines.part(decoder.decode(block)) if block else lines.paused()
        if text:
            yield text
    if text := lines.part(decoder.decode(b"", final=True)) + lines.rest():
        yield text
