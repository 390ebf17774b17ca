"""Starts one script, watches it and stops its process tree."""

from __future__ import annotations

import re
import sys
import time
from contextlib import suppress
from dataclasses import field, replace
from datetime import datetime
from pathlib import Path
from threading import Event, Lock, Thread, current_thread, main_thread
from typing import TYPE_CHECKING

from python_runner.execution import exit_reasons
from python_runner.execution.capture import Readable, open_capture
from python_runner.execution.environment import output_encoding
from python_runner.execution.exit_reasons import ProcessExit
from python_runner.execution.process_names import named
from python_runner.execution.stop import StopRequest, Wake
from python_runner.facts import dataclass
from python_runner.model import Attempt, Outcome
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.endings import Cause


if sys.platform == "win32":
    from python_runner.execution.tree_windows import Tree, become_subreaper, can_wait
else:
    from python_runner.execution.tree_posix import Tree, become_subreaper, can_wait

if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.execution.capture import FileCapture, NullCapture
    from python_runner.execution.exit_reasons import ProcessInfo
    from python_runner.execution.warm import Held, WarmPool
    from python_runner.model import Command
    from python_runner.model.metrics import ScriptMetrics
    from python_runner.texts.sentence import Sentence
    from python_runner.tracebacks.endings import Ending

    Capture = FileCapture | NullCapture

__all__ = ["become_subreaper", "run_command"]

#: Seconds between two looks at a tree that is being terminated.
_TERMINATE_INTERVAL = 0.05
#: Seconds in which what a script started may end by itself, and is nobody's business:
#: helpers of multiprocessing and joblib end right after it, Windows lists them longer.
_PATIENCE = 0.5
#: Seconds between two looks at it: the first, and the most; each doubles the one before.
_FIRST_LOOK = 0.005
_LOOK = 0.1
#: Most seconds that processes left behind by their script have to end.
_SHORT_GRACE = 1.0
#: One of these words is in whatever tells of an exception, in each of its formats.
_ERROR_WORDS = lazy_pattern("traceback|error|exception|timeout", re.IGNORECASE)
#: Seconds to go on killing a tree that forks as fast as it is killed.
_KILLING = 5.0


#: Outcomes of which something may be known that a person can do.
_REPAIRED = frozenset({Outcome.FAILURE, Outcome.TIMEOUT})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Watched:
    """What came of a script that was started and watched.

    Attributes:
        outcome: why it ended, where it did not end by itself; None if it did.
        error: why it could not be started or watched.
        flood: why its output was the reason to stop it.
        duration: seconds.
        left: processes it left behind.
        survivors: processes that could not be killed.
    """

    outcome: Outcome | None = None
    error: BaseException | None = None
    flood: Sentence | None = None
    duration: float = 0.0
    left: tuple[ProcessInfo, ...] = ()
    survivors: tuple[ProcessInfo, ...] = ()
    ending: ProcessExit = field(default_factory=ProcessExit)


class _ThreadedWatcher(Thread):
    """Starts a script, and waits for its end, in a thread of its own.

    KeyboardInterrupt comes to the main thread alone. Because the start has a thread of
    its own, it cannot come between the fork and the moment when the process is known.

    Attributes:
        tree: the script with its descendants.
        command: what it runs.
        error: why it could not be started, or is waited for no longer.
    """

    def __init__(self, tree: Tree, command: Command, stop: StopRequest) -> None:
        super().__init__(name="script", daemon=True)
        self.error: BaseException | None = None
        self.tree = tree
        self.command = command
        #: Set when the script has ended, or is waited for no longer; it is woken then.
        self._ended = Event()
        self._wake = Wake()
        self._starting = Lock()
        self._cancelled = False
        self.close = stop.subscribe(self._wake.give)

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
            self._ended.set()
            self._wake.give()

    def cancel(self) -> None:
        """Start nothing from now on; wait for a start that is under way."""
        self._cancelled = True
        with self._starting:
            pass

    def ended(self, seconds: float = 0.0) -> bool:
        """Wait for the end, for up to ``seconds``; say whether it has come."""
        return self._ended.wait(seconds)

    def nap(self, seconds: float) -> bool:
        """Wait for the end or a stop request; say whether one may have come."""
        return self._wake.nap(seconds)


class _Watcher:
    """Starts a script, and waits for its end, in the calling thread.

    That is not the main thread: no KeyboardInterrupt comes there.
    """

    error = None

    def __init__(self, tree: Tree, command: Command, stop: StopRequest) -> None:
        self.tree = tree
        self.command = command
        self._stop = stop

    def start(self) -> None:
        """Start the script."""
        self.tree.start(self.command)

    def cancel(self) -> None:
        """Do nothing: no start can be under way."""

    def ended(self, seconds: float = 0.0) -> bool:
        """Wait for the end, for up to ``seconds``; say whether it has come."""
        return self.tree.wait_for(seconds)

    def nap(self, seconds: float) -> bool:
        """Wait for the end or a stop request; say whether one has come."""
        return self.tree.wait_for(seconds, self._stop.signal) or self._stop.requested

    def close(self) -> None:
        """Do nothing: there is no subscription."""


def _watcher(
    tree: Tree, command: Command, stop: StopRequest
) -> _Watcher | _ThreadedWatcher:
    interruptible = current_thread() is main_thread()
    if interruptible or stop.signal is None or not can_wait():
        return _ThreadedWatcher(tree, command, stop)
    return _Watcher(tree, command, stop)


def run_command(
    command: Command, stop: StopRequest | None = None, warm: WarmPool | None = None
) -> Attempt:
    """Run one attempt of a script to its end, and to that of all its descendants.

    Whatever the script or the system does is part of the result, never an exception.
    KeyboardInterrupt goes on, when the script and its descendants have ended.

    Args:
        command: what to run.
        stop: ends the script when requested.
        warm: the interpreters that were started ahead.
    """
    # Until it is ready no time of the script's has passed.
    held = warm.take(command) if warm else None
    try:
        return _run_command(command, stop or StopRequest(), held)
    finally:
        if held:
            held.end()


def _run_command(command: Command, stop: StopRequest, held: Held | None) -> Attempt:
    started_at, begin = datetime.now().astimezone(), time.monotonic()
    if stop.requested:
        return _attempt(command, started_at, _Watched(outcome=Outcome.STOPPED))
    output = Path(command.output)
    try:
        capture = open_capture(
            output,
            command.output_limit,
            begin,
            Readable(command.masker, output_encoding(command.env)),
            spare=Path(command.spare) if command.spare else None,
        )
    except OSError as error:
        watched = _Watched(outcome=Outcome.NOT_STARTED, error=error)
        return _attempt(command, started_at, watched)
    try:
        watched = _run(command, held, capture, stop)
        text = capture.tail()
        metrics = _metrics(capture, text)
    finally:
        capture.close()
    attempt = _attempt(
        command, started_at, watched, text, capture.warnings, metrics=metrics
    )
    elsewhere = capture.elsewhere
    return replace(attempt, output=str(elsewhere)) if elsewhere else attempt


def _metrics(capture: Capture, text: str) -> ScriptMetrics | None:
    """Return what an output amounts to; whatever it is, it costs no script its result."""
    with suppress(Exception):
        return capture.metrics(text)
    return None


def _run(
    command: Command,
    held: Held | None,
    capture: Capture,
    stop: StopRequest,
) -> _Watched:
    """Start a script and watch it; nothing of its tree is left afterwards."""
    try:
        tree = Tree(capture.descriptor, held)
    except OSError as error:
        return _Watched(outcome=Outcome.NOT_STARTED, error=error)
    watcher = _watcher(tree, command, stop)
    # What opens its output may take its time, on a busy disk for instance.
    begin = time.monotonic()
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
        if not isinstance(error, Exception):
            raise
        outcome = Outcome.FAILURE if tree.started else Outcome.NOT_STARTED
        duration = time.monotonic() - begin
        watched = _Watched(outcome=outcome, error=error, duration=duration)
    finally:
        watcher.close()
        ending = tree.close()
    return replace(watched, ending=ending)


def _watch(
    watcher: _Watcher | _ThreadedWatcher,
    capture: Capture,
    stop: StopRequest,
    begin: float,
) -> _Watched:
    """Wait for the end of a script, or stop it; then stop what it left behind."""
    grace = watcher.command.grace
    outcome = _wait(watcher, capture, stop, begin)
    if outcome is not None:
        watcher.cancel()
        # Seconds more of a flood would fill the disk.
        grace = 0.0 if capture.flood else grace
        _, survivors = _stop(watcher, capture, stop, grace=grace)
        duration = time.monotonic() - begin
        return _Watched(
            outcome=outcome,
            flood=capture.flood if outcome is Outcome.FAILURE else None,
            duration=duration,
            survivors=survivors,
        )
    duration = time.monotonic() - begin
    if watcher.error is not None:
        raise watcher.error
    survivors = ()
    members = _left_behind(watcher.tree)
    masker = watcher.command.masker
    left = named(members, masker)
    if left:
        short = min(grace, _SHORT_GRACE)
        more, survivors = _stop(watcher, capture, stop, grace=short)
        known = {member.pid for member in members}
        left = {pid: m for pid, m in more.items() if pid not in known} | left
    return _Watched(duration=duration, left=tuple(left.values()), survivors=survivors)


def _left_behind(tree: Tree) -> tuple[ProcessInfo, ...]:
    """Return what does not end by itself after its script."""
    until, pause = time.monotonic() + _PATIENCE, _FIRST_LOOK
    while (members := tree.left_behind()) and time.monotonic() < until:
        time.sleep(pause)
        pause = min(2 * pause, _LOOK)
    return members


def _wait(
    watcher: _Watcher | _ThreadedWatcher,
    capture: Capture,
    stop: StopRequest,
    begin: float,
) -> Outcome | None:
    """Wait for the end, the deadline or a stop request; return why it must be stopped."""
    timeout = watcher.command.timeout
    deadline = float("inf") if timeout is None else begin + timeout
    pause = capture.watch(begin)
    while not watcher.ended():
        left = deadline - time.monotonic()
        if stop.requested:
            return Outcome.STOPPED
        if left <= 0:
            return Outcome.TIMEOUT
        if capture.flood is not None:
            return Outcome.FAILURE
        if not watcher.nap(min(left, pause)):
            watcher.tree.reap_orphans()
            pause = capture.watch(time.monotonic())
    return None


def _stop(
    watcher: _Watcher | _ThreadedWatcher,
    capture: Capture,
    stop: StopRequest,
    *,
    grace: float,
) -> tuple[dict[int, ProcessInfo], tuple[ProcessInfo, ...]]:
    """Stop a tree in steps: terminate, wait ``grace`` seconds, kill until nothing is left.

    Nothing is waited for once the stop is urgent.

    Returns:
        The processes that were found, by number, and those that could not be killed.
    """
    tree = watcher.tree
    if not tree.started:
        return {}, ()
    found = {member.pid: member for member in tree.members()}
    until = time.monotonic() + grace
    if tree.terminate():
        while time.monotonic() < until and not (watcher.ended() and not tree.members()):
            if stop.urgent:
                break
            capture.watch(time.monotonic())
            if watcher.ended(_TERMINATE_INTERVAL):
                time.sleep(_TERMINATE_INTERVAL)
    until = time.monotonic() + _KILLING
    while members := tree.members():
        found |= {member.pid: member for member in members}
        if time.monotonic() > until:
            break
        tree.kill()
        time.sleep(0.01)
    watcher.ended(_KILLING)
    return found, members


def _attempt(
    command: Command,
    started_at: datetime,
    watched: _Watched,
    text: str = "",
    warnings: Sequence[Sentence] = (),
    *,
    metrics: ScriptMetrics | None = None,
) -> Attempt:
    """Return the attempt, with the errors that its output shows; secrets are masked."""
    masker, ending = command.masker, watched.ending
    outcome = watched.outcome or (
        Outcome.SUCCESS if ending.exit_code == 0 else Outcome.FAILURE
    )
    cause = Cause()
    told: tuple[Sentence, ...] = ()
    try:
        if outcome.succeeded:
            told = _background_errors(text, command)
        elif outcome is Outcome.FAILURE and not (watched.error or watched.flood):
            cause = _cause(text, command, exit_reasons.ending_of(ending.exit_code))
    except Exception as error:  # noqa: BLE001 - how it ended is known without its output
        told = (exit_reasons.unread(error),)
    reason = _reason(outcome, watched, command, cause)
    warnings = [
        *told,
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
        traceback=cause.traceback,
        warnings=tuple(warnings),
        peak_memory=ending.peak_memory,
        cpu_seconds=ending.cpu_seconds,
        transient=_is_transient(watched),
        hint=_hint(command, outcome, watched, cause, text),
        metrics=metrics,
    )
    # Once more: what is read has lost its colours, which may have cut a secret.
    return masker.fact(attempt)


def _is_transient(watched: _Watched) -> bool:
    if watched.outcome is not Outcome.NOT_STARTED or watched.error is None:
        return False
    return exit_reasons.may_pass(watched.error)


def _reason(
    outcome: Outcome, watched: _Watched, command: Command, cause: Cause
) -> Sentence | None:
    if outcome.succeeded or watched.flood:
        return watched.flood
    if outcome is Outcome.TIMEOUT:
        return exit_reasons.timeout_reason(command.timeout or 0.0)
    if outcome is Outcome.STOPPED:
        return exit_reasons.stop_reason()
    if outcome is Outcome.NOT_STARTED and watched.error:
        return exit_reasons.start_failure(watched.error, command.argv[0], command.cwd)
    if watched.error:
        return exit_reasons.watch_failure(watched.error)
    return exit_reasons.exit_reason(watched.ending.exit_code, cause)


# What reads tracebacks is imported when there may be one: most scripts write none.


def _cause(text: str, command: Command, ending: Ending) -> Cause:
    from python_runner.execution.explanation import cause_of  # noqa: PLC0415

    return cause_of(text, command, ending)


def _hint(
    command: Command, outcome: Outcome, watched: _Watched, cause: Cause, text: str
) -> Sentence | None:
    """Return what to do about a failure; what is not known for sure costs no attempt."""
    if outcome not in _REPAIRED or watched.error or watched.flood:
        return None
    from python_runner.execution.repair import what_to_do  # noqa: PLC0415

    with suppress(Exception):
        return what_to_do(command, outcome, watched.ending.exit_code, cause, text)
    return None


def _background_errors(text: str, command: Command) -> tuple[Sentence, ...]:
    if not text or not _ERROR_WORDS.search(text):
        return ()
    from python_runner.execution.explanation import background_errors  # noqa: PLC0415

    return tuple(background_errors(text, command))
