"""What a person sees while series run: plain lines, or a live view on a terminal."""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Self

from python_runner.cli import wording
from python_runner.runner.events import RunEnded, RunStarted, ScriptEnded, ScriptStarted
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import translate as _
from python_runner.texts.wrapping import breaks, indent_of_rest


if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from python_runner.cli.streams import Stream
    from python_runner.runner.events import Event


class Progress:
    """A listener to runs, and a context in which it shows them; this one shows nothing."""

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop showing."""

    def __call__(self, event: Event) -> None:
        """Show an event; may be called from any thread."""


class PlainLines(Progress):
    """One line an event, for pipes, log files and schedulers."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream

    def __call__(self, event: Event) -> None:
        """Print the event's line whole, whichever thread it comes from."""
        if line := _line_of(event):
            self._stream.put(self._stream.wrapped(line) + "\n")


def _line_of(event: Event) -> str | None:
    match event:
        case RunStarted():
            return None
        case ScriptStarted():
            name = flat(f"{event.project.name}: {event.script.name}")
            if event.attempt == 1:
                return name + ": " + _("started")
            words = _("attempt {attempt} of {total}")
            total = event.script.retries + 1
            return f"{name}: {words.format(attempt=event.attempt, total=total)}"
        case ScriptEnded():
            return wording.result_line(event.project.name, event.result)
        case RunEnded():
            return wording.run_line(event.run)


class LiveView(Progress):
    """A line per finished script and, below, what runs now and for how long."""

    def __init__(self, console: Console) -> None:
        from rich.live import Live  # noqa: PLC0415 - only where a terminal is

        self._console = console
        self._lock = threading.Lock()
        self._running: dict[tuple[str, int], tuple[ScriptStarted, float]] = {}
        #: Scripts done, by run that is under way.
        self._done: dict[str, int] = {}
        self._live = Live(
            console=console,
            get_renderable=self._render,
            refresh_per_second=5,
            transient=True,
        )

    def __enter__(self) -> Self:
        """Begin to draw; without a thread to be had, finished scripts alone are shown."""
        with suppress(RuntimeError):
            self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Wipe the part that moves; the lines above stay."""
        self._live.stop()

    def __call__(self, event: Event) -> None:
        """Take note; finished scripts are printed at once."""
        match event:
            case RunStarted(run_id=run_id):
                with self._lock:
                    self._done[run_id] = 0
                self._print(f"[bold]{_escaped(flat(event.project.name))}[/]")
            case ScriptStarted():
                with self._lock:
                    key = (event.run_id, event.number)
                    self._running[key] = (event, time.monotonic())
            case ScriptEnded(result=result):
                with self._lock:
                    self._running.pop((result.run_id, result.number), None)
                    self._done[result.run_id] += 1
                self._print(self._result(event))
            case RunEnded(run=run):
                with self._lock:
                    del self._done[run.run_id]
                colour = "red" if run.failed_scripts or run.error else "green"
                line = _escaped(wording.run_line(run))
                self._print(f"[{colour}]{line}[/]")

    def _print(self, markup: str) -> None:
        """Print a line, broken where a terminal's line may be."""
        from rich.text import Text  # noqa: PLC0415

        line = Text.from_markup(markup)
        columns = self._console.width
        first, *others = line.divide(breaks(line.plain, columns))
        hang = " " * indent_of_rest(line.plain, columns)
        for part in (first, *(Text(hang) + other for other in others)):
            part.rstrip()
            self._console.print(part, soft_wrap=True)

    def _name(self, project: str, script: str) -> str:
        """Return a script's name, with its project's while several are under way."""
        name = f"{project}: {script}" if len(self._done) > 1 else script
        return _escaped(flat(name))

    def _result(self, event: ScriptEnded) -> str:
        result = event.result
        colour = "green" if result.succeeded else "red"
        symbol = "✓" if result.succeeded else "✗"
        name = self._name(event.project.name, result.script)
        line = f"  [{colour}]{symbol}[/] {name}"
        if result.attempts:
            line += f"  [dim]{wording.duration(result.duration)}[/]"
        if not result.succeeded:
            word = wording.outcome_word(result.outcome)
            line += f"  [{colour}]{_escaped(word)}[/]  {_escaped(wording.why(result))}"
        return line

    def _render(self) -> RenderableType:
        from rich.table import Table  # noqa: PLC0415

        grid = Table.grid(padding=(0, 2))
        # A name may be broken; a time and a count stay in one piece.
        grid.add_column(overflow="fold")
        grid.add_column(no_wrap=True)
        grid.add_column(no_wrap=True)
        with self._lock:
            for event, since in self._running.values():
                name = self._name(event.project.name, event.script.name)
                grid.add_row(
                    f"  [cyan]>[/] {name}",
                    f"[dim]{wording.duration(time.monotonic() - since)}[/]",
                    f"[dim]{self._done[event.run_id]}/{len(event.project.scripts)}[/]",
                )
        return grid


def _escaped(text: str) -> str:
    from rich.markup import escape  # noqa: PLC0415

    return escape(text)
