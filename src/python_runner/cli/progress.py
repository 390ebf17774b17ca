"""What a person sees while series run: plain lines, or a live view on a terminal."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import field
from itertools import groupby
from queue import SimpleQueue
from typing import TYPE_CHECKING, Self

from python_runner.cli import wording
from python_runner.cli.live_lines import LiveLines, broken
from python_runner.facts import dataclass
from python_runner.model import Outcome, RunStatus
from python_runner.runner.events import (
    AttemptEnded,
    RunEnded,
    RunStarted,
    RunStopping,
    ScriptEnded,
    ScriptStarted,
)
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import translate as _
from python_runner.texts.wrapping import shortened, width


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.cli.live_lines import Line
    from python_runner.cli.streams import Stream
    from python_runner.execution.stop import StopRequest
    from python_runner.model import Run, ScriptResult
    from python_runner.runner.events import Event

#: Columns in which durations stand: most of them find room.
_DURATION = 10
#: Columns of a name below which a line that moves shows nothing else.
_NAME = 12


class Progress:
    """A listener to runs, and a context in which it shows them; this one shows nothing.

    Attributes:
        shown: whether it has shown anything of a run.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.shown = False

    def __enter__(self) -> Self:
        """Begin to show."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Stop showing."""

    def __call__(self, event: Event) -> None:
        """Show an event; may be called from any thread."""

    def tell(self, text: str) -> None:
        """Show a line that is about no event."""

    def stop(self, *, urgent: bool) -> None:
        """Show that the runs were asked to stop, or to stop at once."""

    def prefix(self, event: ScriptStarted) -> str:
        """Return what stands before each line of a script's output."""
        return flat(wording.joined(event.project.name, f"{event.script.name} | "))

    def output(self, text: str) -> None:
        """Show lines of output, each with its prefix, its colours and its end."""
        self._stream.put(text, wait=True)


@contextmanager
def told_of_stop(stop: StopRequest, progress: Progress) -> Iterator[None]:
    """Let ``progress`` show at once that the runs are asked to stop, and once more.

    Without a thread to be had it does not.
    """
    wake: SimpleQueue[bool] = SimpleQueue()

    def tell() -> None:
        told = None
        while wake.get():
            if told != stop.urgent:
                told = stop.urgent
                with suppress(Exception):
                    progress.stop(urgent=told)

    # A signal handler may do no more than this.
    unsubscribe = stop.subscribe(lambda: wake.put(True))
    with suppress(RuntimeError):
        threading.Thread(target=tell, name="stop", daemon=True).start()
    try:
        yield
    finally:
        unsubscribe()
        wake.put(False)


@dataclass(frozen=True, slots=True)
class _Unstarted:
    """Scripts of a run that were not started, one after the other for one reason."""

    run_id: str
    project: str
    results: tuple[ScriptResult, ...]
    stopped: bool


@dataclass(slots=True)
class _Running:
    """A script that runs, or waits for its next attempt until ``until``."""

    started: ScriptStarted
    since: float
    waits: AttemptEnded | None = None
    until: float = 0.0


@dataclass(slots=True)
class _Board:
    """What is under way; makes one piece of news of scripts skipped for one reason.

    Attributes:
        running: by run and number in the series.
        done: scripts that have ended, by run.
        stopping: whether the runs were asked to stop.
    """

    running: dict[tuple[str, int], _Running] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    stopping: bool = False
    _held: dict[str, list[ScriptEnded]] = field(default_factory=dict)
    #: Runs that were stopped, alone or with all others.
    _stopped: set[str] = field(default_factory=set)

    def take(self, event: Event) -> Iterator[Event | _Unstarted]:
        """Take note of an event, and yield what there is to show now."""
        now = time.monotonic()
        match event:
            case RunStarted(run_id=run_id):
                self.done[run_id] = 0
            case ScriptStarted(run_id=run_id):
                yield from self._told(run_id)
                key = run_id, event.number
                before = self.running.get(key)
                since = before.since if before else now
                self.running[key] = _Running(event, since)
                yield event
            case AttemptEnded(run_id=run_id):
                if running := self.running.get((run_id, event.number)):
                    running.waits, running.until = event, now + event.wait
                yield event
            case RunStopping(run_id=run_id):
                self._stopped.add(run_id)
                yield event
            case ScriptEnded():
                yield from self._ended(event)
            case RunEnded(run=run):
                if any(result.attempts for result in run.scripts) or not run.error:
                    yield from self._told(run.run_id)
                # Else each of them has the reason of the run.
                self._held.pop(run.run_id, None)
                self.done.pop(run.run_id, None)
                yield event

    def _ended(self, event: ScriptEnded) -> Iterator[ScriptEnded | _Unstarted]:
        result = event.result
        self.running.pop((result.run_id, result.number), None)
        self.done[result.run_id] = self.done.get(result.run_id, 0) + 1
        if result.outcome is Outcome.STOPPED:
            self._stopped.add(result.run_id)
        if result.attempts:
            yield from self._told(result.run_id)
            yield event
        else:
            self._held.setdefault(result.run_id, []).append(event)

    def count(self, run_id: str) -> int:
        """Return how many scripts of a run are under way."""
        return sum(run == run_id for run, _number in self.running)

    def _told(self, run_id: str) -> Iterator[ScriptEnded | _Unstarted]:
        held = self._held.pop(run_id, [])
        for (outcome, _reason), events in groupby(
            held, lambda event: (event.result.outcome, event.result.reason)
        ):
            group = list(events)
            if outcome is not Outcome.SKIPPED:
                yield from group
                continue
            results = tuple(event.result for event in group)
            project = group[0].project.name
            stopped = self.stopping or run_id in self._stopped
            yield _Unstarted(run_id, project, results, stopped)


class _Shown(Progress):
    """What plain lines and the live view have in common."""

    def __init__(self, stream: Stream) -> None:
        super().__init__(stream)
        self._lock = threading.RLock()
        self._board = _Board()

    def __call__(self, event: Event) -> None:
        """Show an event, whichever thread it comes from."""
        with self._lock:
            for news in self._board.take(event):
                lines = "".join(
                    broken(self._stream, line) for line in self._lines(news)
                )
                if lines:
                    self.shown = True
                    self._print(lines)

    def tell(self, text: str) -> None:
        """Print a line."""
        with self._lock:
            self._print(broken(self._stream, [(text, None)]))

    def stop(self, *, urgent: bool) -> None:
        """Print what is stopped, or killed."""
        with self._lock:
            self._board.stopping = True
            line = wording.stopping_line(len(self._board.running), urgent=urgent)
            self._print(broken(self._stream, [(line, "yellow")]))

    def _print(self, lines: str) -> None:
        self._stream.put(lines)

    def _stopping(self, news: RunStopping) -> Iterator[Line]:
        """Yield the line about a run that somebody stops from elsewhere."""
        if count := self._board.count(news.run_id):
            line = wording.stopping_line(count, urgent=news.urgent, elsewhere=True)
            yield [(wording.joined(flat(news.project.name), line), "yellow")]

    def _lines(self, news: Event | _Unstarted) -> Iterator[Line]:
        """Yield the lines about news."""
        raise NotImplementedError


class PlainLines(_Shown):
    """One line an event, for pipes, log files and schedulers."""

    def _lines(self, news: Event | _Unstarted) -> Iterator[Line]:
        match news:
            case ScriptStarted():
                yield [(_started(news), None)]
            case AttemptEnded():
                reason = wording.why_again(news.result)
                line = _named(news, wording.again_line(news))
                yield [(f"{line} - {reason}" if reason else line, "yellow")]
            case ScriptEnded(result=result):
                line = wording.result_line(news.project.name, result)
                plain = result.succeeded and not result.unusual
                yield [(line, None if plain else _colour(result))]
            case _Unstarted():
                line = wording.unstarted_line(news.results, stopped=news.stopped)
                yield [(wording.joined(flat(news.project), line), "dim")]
            case RunStopping():
                yield from self._stopping(news)
            case RunEnded(run=run):
                yield from _end(run)
            case _:
                pass


def _started(event: ScriptStarted) -> str:
    return _named(event, _("started") if event.attempt == 1 else _attempt(event))


def _named(event: ScriptStarted | AttemptEnded, line: str) -> str:
    project, script = flat(event.project.name), flat(event.script.name)
    return wording.joined(project, script, line)


def _attempt(event: ScriptStarted) -> str:
    words = _("attempt {attempt} of {total}")
    return words.format(attempt=event.attempt, total=event.script.retries + 1)


def _colour(result: ScriptResult) -> str:
    mild = result.unusual or result.outcome is Outcome.STOPPED
    return "yellow" if mild else "red"


def _end(run: Run) -> Iterator[Line]:
    """Yield the line about a run that has ended."""
    if run.status is RunStatus.SKIPPED:
        yield [(wording.skipped_line(run), "yellow")]
    elif not wording.was_not_reached(run):
        yield [(wording.run_line(run), wording.run_colour(run, run.status))]


class LiveView(_Shown):
    """A line per finished script and, below, what runs now and for how long.

    Args:
        stream: a terminal that moves its cursor.
        mixed: whether several projects run at the same time: their names stand before
            those of their scripts, else above them.
        verbose: whether the scripts' output is shown: no line repeats its end.
    """

    def __init__(
        self, stream: Stream, *, mixed: bool = False, verbose: bool = False
    ) -> None:
        super().__init__(stream)
        self._mixed = mixed
        self._verbose = verbose
        #: Runs whose project has been named above their scripts.
        self._named: set[str] = set()
        self._live = LiveLines(stream, self._moving)

    def __enter__(self) -> Self:
        """Begin to draw."""
        self._live.start()
        return self

    def __exit__(self, *exc: object) -> None:
        """Wipe the part that moves; the lines above stay."""
        self._live.stop()

    def prefix(self, event: ScriptStarted) -> str:
        """Return what stands before each line of a script's output."""
        name = self._name(event.project.name, event.script.name)
        return self._stream.painted(f"    {name} | ", "dim")

    def output(self, text: str) -> None:
        """Print lines of output above what moves."""
        self._live.print(text, wait=True)

    def _print(self, lines: str) -> None:
        self._live.print(lines)

    def _name(self, project: str, script: str) -> str:
        return flat(wording.joined(project, script) if self._mixed else script)

    def _lines(self, news: Event | _Unstarted) -> Iterator[Line]:
        match news:
            case ScriptStarted():
                yield from self._heading(news.run_id, news.project.name)
            case ScriptEnded(result=result):
                yield from self._heading(result.run_id, news.project.name)
                yield self._result(news.project.name, result)
            case _Unstarted():
                yield from self._heading(news.run_id, news.project)
                line = wording.unstarted_line(
                    news.results, stopped=news.stopped, columns=True
                )
                if self._mixed:
                    line = wording.joined(flat(news.project), line)
                yield [(f"  ○ {'':{_DURATION}}  {line}", "dim")]
            case RunStopping():
                yield from self._stopping(news)
            case RunEnded(run=run):
                yield from _end(run)
            case _:
                pass

    def _heading(self, run_id: str, project: str) -> Iterator[Line]:
        if not self._mixed and run_id not in self._named:
            self._named.add(run_id)
            yield [(flat(project), "bold")]

    def _result(self, project: str, result: ScriptResult) -> Line:
        plain = result.succeeded and not result.unusual
        colour = "green" if plain else _colour(result)
        mark = "✓" if result.succeeded else "✗"
        took = wording.duration(result.duration) if result.attempts else ""
        line: Line = [
            ("  ", None),
            ("▲" if result.unusual else mark, colour),
            (f" {took:>{_DURATION}}  ", "dim"),
            (self._name(project, result.script), None),
        ]
        if len(result.attempts) > 1:
            line.append((f"  {wording.attempts(len(result.attempts))}", "yellow"))
        if not result.succeeded:
            outcome, reason = wording.outcome_and_why(result)
            if result.outcome is Outcome.STOPPED:
                # That is told once for all.
                outcome, reason = wording.outcome_word(result.outcome), ""
            line.append((f"  {outcome}", colour))
            # What an output ends with stands above.
            if reason and not (self._verbose and result.ended_by):
                line.append((f"  {reason}", None))
        if result.unusual:
            line.append(("  " + _("unusual"), colour))
            line.append(("  " + " · ".join(map(wording.say, result.unusual)), None))
        return line

    def _moving(self, columns: int, rows: int) -> list[Line]:
        """Return the lines of what runs, as many as find room."""
        # Without the lock: whoever prints holds it, and waits for what draws.
        running = list(self._board.running.values())
        names = [
            self._name(entry.started.project.name, entry.started.script.name)
            for entry in running
        ]
        widest = max(map(width, names), default=0)
        lines = [
            self._running(entry, name + " " * (widest - width(name)), columns)
            for entry, name in zip(running, names, strict=True)
        ]
        if len(lines) > rows:
            more = len(lines) - rows + 1
            words = _("  and {count} more").format(count=more)
            lines[rows - 1 :] = [[(shortened(words, columns), "dim")]]
        return lines

    def _running(self, entry: _Running, name: str, columns: int) -> Line:
        """Return the line of a script that runs; its name gives way, not its numbers."""
        event, now = entry.started, time.monotonic()
        took = wording.duration(now - entry.since)
        before = [("  ", None), (">", "cyan"), (f" {took:>{_DURATION}}  ", "dim")]
        done = self._board.done.get(event.run_id, 0)
        after: Line = [(f"  {done}/{len(event.project.scripts)}", "dim")]
        if entry.waits:
            left = max(entry.until - now, 0.0)
            wait = wording.formats().whole_duration(left + 0.5)
            words = _("next attempt in {time}").format(time=wait)
            after.insert(0, (f"  {words}", "yellow"))
        elif event.attempt > 1:
            after.insert(0, (f"  {_attempt(event)}", "yellow"))
        room = columns - _width(before)
        # What finds no room is left out whole: it is drawn again, or printed, later.
        while after and room - _width(after) < min(width(name), _NAME):
            after.pop()
        name = shortened(name, max(room - _width(after), 1), tail=True)
        if room < 1:
            return [(shortened(f"> {took}", columns), "dim")]
        return [*before, (name, None), *after]


def _width(line: Line) -> int:
    return sum(width(text) for text, _colour in line)
