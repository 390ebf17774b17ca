"""Starts one script, watches it and stops its process tree."""

from __future__ import annotations

import os
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from python_runner.execution import exit_reasons
from python_runner.execution.capture import open_capture
from python_runner.execution.exit_reasons import ProcessExit
from python_runner.execution.stop import StopRequest, nap
from python_runner.execution.traceback import (
    read_background_error,
    read_exit_message,
    read_traceback,
)
from python_runner.model import Attempt, Outcome
from python_runner.texts.sentence import N_, Sentence


if sys.platform == "win32":
    from python_runner.execution.tree_windows import Tree, become_subreaper
else:
    from python_runner.execution.tree_posix import Tree, become_subreaper

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.execution.capture import FileCapture, NullCapture
    from python_runner.execution.exit_reasons import ProcessInfo
    from python_runner.model import Command, Traceback

    Capture = FileCapture | NullCapture

__all__ = ["become_subreaper", "run_command"]

#: Seconds between two looks at a tree that is being terminated.
_TERMINATE_INTERVAL = 0.05
#: Most seconds that processes left behind by their script have to end.
_SHORT_GRACE = 1.0
#: Seconds to go on killing a tree that forks as fast as it is killed.
_KILLING = 5.0
#: Errors that keep a script from being started or watched, and become its result.
_FAULTS = (OSError, ValueError, RuntimeError, MemoryError)
#: Python exits with this code after an uncaught exception and after sys.exit("...").
_UNCAUGHT = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """What came of a script that was started and watched.

    Attributes:
        outcome: why it ended, where it did not end by itself; None if it did.
        error: why it could not be started or watched.
        duration: seconds.
        left: processes it left behind.
        survivors: processes that could not be killed.
    """

    outcome: Outcome | None = None
    error: BaseException | None = None
    duration: float = 0.0
    left: tuple[ProcessInfo, ...] = ()
    survivors: tuple[ProcessInfo, ...] = ()
    ending: ProcessExit = field(default_factory=ProcessExit)


class _Watcher(Thread):
    """Starts a script, and waits for its end.

    KeyboardInterrupt comes to the main thread alone. Because the start has a thread of
    its own, it cannot come between the fork and the moment when the process is known.

    Attributes:
        tree: the script with its descendants.
        command: what it runs.
        ended: set when the script has ended, or is waited for no longer.
        wake: gets an item then.
        error: why it could not be started, or is waited for no longer.
    """

    def __init__(self, tree: Tree, command: Command) -> None:
        super().__init__(name="script", daemon=True)
        self.ended = Event()
        self.wake: SimpleQueue[None] = SimpleQueue()
        self.error: BaseException | None = None
        self.tree = tree
        self.command = command
        self._starting = Lock()
        self._cancelled = False

    def run(self) -> None:
        """Start the script and wait for its end."""
        try:
            with self._starting:
                if self._cancelled:
                    return
                self.tree.start(self.command)
            self.tree.wait()
        except BaseException as error:  # noqa: BLE001 - raised where the script is watched
            self.error = error
        finally:
            self.ended.set()
            self.wake.put(None)

    def cancel(self) -> None:
        """Start nothing from now on; wait for a start that is under way."""
        self._cancelled = True
        with self._starting:
            pass


def run_command(command: Command, stop: StopRequest | None = None) -> Attempt:
    """Run one attempt of a script to its end, and to that of all its descendants.

    Whatever the script or the system does is part of the result, never an exception.
    KeyboardInterrupt goes on, when the script and its descendants have ended.

    Args:
        command: what to run.
        stop: ends the script when requested.
    """
    stop = stop or StopRequest()
    started_at, begin = datetime.now().astimezone(), time.monotonic()
    if stop.requested:
        return _attempt(command, started_at, _Watched(outcome=Outcome.STOPPED))
    output = Path(command.output)
    try:
        capture = open_capture(output, command.output_limit, begin, command.masker)
    except OSError as error:
        watched = _Watched(outcome=Outcome.NOT_STARTED, error=error)
        return _attempt(command, started_at, watched)
    try:
        watched = _run(command, capture, stop, begin)
        text = capture.tail()
    finally:
        capture.close()
    return _attempt(command, started_at, watched, text, capture.warnings)


def _run(
    command: Command, capture: Capture, stop: StopRequest, begin: float
) -> _Watched:
    """Start a script and watch it; nothing of its tree is left afterwards."""
    try:
        tree = Tree(capture.descriptor)
    except OSError as error:
        return _Watched(outcome=Outcome.NOT_STARTED, error=error)
    watcher = _Watcher(tree, command)
    try:
        watcher.start()
        watched = _watch(watcher, capture, stop, begin)
    except BaseException as error:
        watcher.cancel()
        if tree.started:
            # What went wrong may go wrong here as well: the kill comes first.
            with suppress(Exception):
                tree.kill()
                _stop(watcher, capture, stop, grace=0.0)
        if not isinstance(error, _FAULTS):
            raise
        outcome = Outcome.FAILURE if tree.started else Outcome.NOT_STARTED
        duration = time.monotonic() - begin
        watched = _Watched(outcome=outcome, error=error, duration=duration)
    finally:
        ending = tree.close()
    return replace(watched, ending=ending)


def _watch(
    watcher: _Watcher, capture: Capture, stop: StopRequest, begin: float
) -> _Watched:
    """Wait for the end of a script, or stop it; then stop what it left behind."""
    grace = watcher.command.grace
    outcome = _wait(watcher, capture, stop, begin)
    if outcome is not None:
        watcher.cancel()
        _, survivors = _stop(watcher, capture, stop, grace=grace)
        duration = time.monotonic() - begin
        return _Watched(outcome=outcome, duration=duration, survivors=survivors)
    duration = time.monotonic() - begin
    if watcher.error is not None:
        raise watcher.error
    survivors = ()
    left = {member.pid: member for member in watcher.tree.left_behind()}
    if left:
        short = min(grace, _SHORT_GRACE)
        more, survivors = _stop(watcher, capture, stop, grace=short)
        left |= more
    return _Watched(duration=duration, left=tuple(left.values()), survivors=survivors)


def _wait(
    watcher: _Watcher, capture: Capture, stop: StopRequest, begin: float
) -> Outcome | None:
    """Wait for the end, the deadline or a stop request; return why it must be stopped."""
    timeout = watcher.command.timeout
    deadline = float("inf") if timeout is None else begin + timeout
    unsubscribe = stop.subscribe(lambda: watcher.wake.put(None))
    try:
        pause = capture.watch(begin)
        while not watcher.ended.is_set():
            left = deadline - time.monotonic()
            if stop.requested:
                return Outcome.STOPPED
            if left <= 0:
                return Outcome.TIMEOUT
            if not nap(watcher.wake, min(left, pause)):
                watcher.tree.reap_orphans()
                pause = capture.watch(time.monotonic())
    finally:
        unsubscribe()
    return None


def _stop(
    watcher: _Watcher, capture: Capture, stop: StopRequest, *, grace: float
) -> tuple[dict[int, ProcessInfo], tuple[ProcessInfo, ...]]:
    """Stop a tree in steps: terminate, wait ``grace`` seconds, kill until nothing is left.

    Nothing is waited for once the stop is urgent.

    Returns:
        The processes that were found, by number, and those that could not be killed.
    """
    tree, ended = watcher.tree, watcher.ended
    if not tree.started:
        return {}, ()
    found = {member.pid: member for member in tree.members()}
    until = time.monotonic() + grace
    if tree.terminate():
        while time.monotonic() < until and not (ended.is_set() and not tree.members()):
            if stop.urgent:
                break
            capture.watch(time.monotonic())
            if ended.wait(_TERMINATE_INTERVAL):
                time.sleep(_TERMINATE_INTERVAL)
    until = time.monotonic() + _KILLING
    while members := tree.members():
        found |= {member.pid: member for member in members}
        if time.monotonic() > until:
            break
        tree.kill()
        time.sleep(0.01)
    ended.wait(_KILLING)
    return found, members


def _attempt(
    command: Command,
    started_at: datetime,
    watched: _Watched,
    text: str = "",
    warnings: Sequence[Sentence] = (),
) -> Attempt:
    """Return the attempt, with the errors that its output shows; secrets are masked."""
    masker = command.masker
    # Frames of the text, which is masked already, are compared with these.
    folders = command.project, os.path.realpath(command.project)
    projects = tuple(map(masker.text, folders))
    ending = watched.ending
    outcome = watched.outcome or (
        Outcome.SUCCESS if ending.exit_code == 0 else Outcome.FAILURE
    )
    traceback = None
    if outcome is Outcome.FAILURE and watched.error is None:
        traceback = _read_error(text, ending.exit_code, projects)
    reason = _reason(outcome, watched, command)
    warnings = [
        *(_background_errors(text, projects) if outcome.succeeded else ()),
        *exit_reasons.left_behind(watched.left),
        *map(exit_reasons.not_stopped, watched.survivors),
        *warnings,
    ]
    attempt = Attempt(
        outcome=outcome,
        exit_code=ending.exit_code,
        started_at=started_at,
        duration=watched.duration,
        reason=reason,
        traceback=traceback,
        warnings=tuple(warnings),
        peak_memory=ending.peak_memory,
        cpu_seconds=ending.cpu_seconds,
    )
    # Once more: what is read has lost its colours, which may have cut a secret.
    return masker.fact(attempt)


def _reason(outcome: Outcome, watched: _Watched, command: Command) -> Sentence | None:
    if outcome.succeeded:
        return None
    if outcome is Outcome.TIMEOUT:
        return exit_reasons.timeout_reason(command.timeout or 0.0)
    if outcome is Outcome.STOPPED:
        return exit_reasons.stop_reason()
    if outcome is Outcome.NOT_STARTED and watched.error:
        return exit_reasons.start_failure(watched.error, command.argv[0])
    if watched.error:
        return exit_reasons.watch_failure(watched.error)
    return exit_reasons.exit_reason(watched.ending.exit_code)


def _read_error(
    text: str, exit_code: int | None, projects: tuple[str, ...]
) -> Traceback | None:
    """Return the error that the output of a failed script shows.

    Only exit code 1 can mean an uncaught exception; with another, what looks
    like a message is ordinary output, and a traceback has to be the very last thing.
    """
    if exit_code == _UNCAUGHT:
        return read_traceback(text, *projects) or read_exit_message(text)
    return read_traceback(text, *projects, exact=True)


def _background_errors(text: str, projects: tuple[str, ...]) -> tuple[Sentence, ...]:
    if error := read_background_error(text, *projects):
        template = N_("it succeeded, but there was an error: {exception}")
        return (Sentence.of(template, exception=error.exception),)
    return ()
