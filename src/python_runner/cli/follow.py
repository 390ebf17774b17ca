"""``run -v``: the scripts' output on the terminal as it comes."""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from python_runner.masking import Masker
from python_runner.records.output_reader import OutputReader
from python_runner.runner.events import ScriptEnded, ScriptStarted
from python_runner.texts.sanitize import OutputCleaner, flat
from python_runner.waiting import WAKE_SECONDS


if TYPE_CHECKING:
    from python_runner.cli.streams import Stream
    from python_runner.runner.events import Event

#: Seconds between two looks at a file that grows.
_INTERVAL = 0.1
#: Most seconds that the end of a script's output may delay the next script.
_PATIENCE = 2.0


@dataclass(slots=True)
class OutputFollower:
    """Listener that writes each running script's output, whole lines with its name.

    Attributes:
        stream: where the lines go.
        secrets: what no line may show, besides the secrets of the script's project.
    """

    stream: Stream
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
                prefix = flat(f"{event.project.name}: {event.script.name} | ")
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
        rest = b""
        blocks = output.follow(
            is_growing=lambda: not ended.is_set(),
            pause=lambda: ended.wait(_INTERVAL),
            # Its folder cannot be read: the report will say so.
            failed=lambda _error: None,
        )
        for block in blocks:
            *lines, rest = (rest + block).split(b"\n")
            self._write(prefix, lines)
        if rest:
            self._write(prefix, [rest])

    def _write(self, prefix: str, lines: list[bytes]) -> None:
        shown = []
        cleaner = OutputCleaner(colours=self.stream.coloured)
        for line in lines:
            text = line.decode("utf-8", "backslashreplace").rstrip("\r")
            # What returns to the beginning of its line would write over the name.
            shown += [
                f"{prefix}{cleaner.clean(part)}{cleaner.end()}\n"
                for part in text.split("\r")
            ]
        self.stream.put("".join(shown), wait=True)
