"""Start one script, watch it, stop its whole tree if it must be, say what came of it."""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from python_runner.execution import endings
from python_runner.execution.capture import open_capture
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
    from python_runner.execution.capture import Capture, Discard
    from python_runner.execution.endings import Ending, Member
    from python_runner.model import Command, Traceback

__all__ = ["become_subreaper", "run_command"]

#: Seconds between two looks at a tree that has been asked to end.
_LOOK_ENDING = 0.05
#: Most seconds that processes left behind by a script that has ended get to end.
_SHORT_GRACE = 1.0
#: Seconds to go on killing a tree that forks as fast as it is killed.
_KILLING = 5.0
#: Python exits with this code after an uncaught exception and after sys.exit("...").
_UNCAUGHT = 1


@dataclass(frozen=True, slots=True)
class _Watched:
    """What happened while a script was watched.

    Attributes:
        cause: why it was stopped (timeout or stopped); None if it ended by itself.
        duration: seconds.
        left: processes it left behind.
        survivors: processes that could not be killed.
    """

    cause: Outcome | None
    duration: float
    left: tuple[Member, ...]
    survivors: tuple[Member, ...]


def run_command(command: Command, stop: StopRequest | None = None) -> Attempt:
    """Run one attempt of a script to its end, and to that of all its descendants.

    Whatever the script or the system does is part of the result, never an exception.

    Args:
        command: what to run.
        stop: ends the script when requested.
    """
    stop = stop or StopRequest()
    started_at, begin = datetime.now().astimezone(), time.monotonic()
    if stop.requested:
        return Attempt(
            outcome=Outcome.STOPPED,
            exit_code=None,
            started_at=started_at,
            duration=0.0,
            reason=endings.stop_reason(),
        )
    masker = command.masker
    capture = open_capture(Path(command.output), command.output_limit, begin, masker)
    try:
        tree = Tree.start(
            command.argv,
            cwd=command.cwd,
            env=command.env,
            output=capture.descriptor,
            inherit=command.inherit,
        )
    except (OSError, ValueError) as error:
        capture.close()
        return Attempt(
            outcome=Outcome.NOT_STARTED,
            exit_code=None,
            started_at=started_at,
            duration=time.monotonic() - begin,
            reason=masker.sentence(endings.start_failure(error, command.argv[0])),
            warnings=tuple(map(masker.sentence, capture.warnings)),
        )
    capture.started()
    try:
        watched = _watch(tree, command, capture, stop, begin)
    except BaseException:
        # Ctrl-C where nobody turned it into a request: nothing may stay behind.
        _end(tree, capture, 0.0)
        raise
    finally:
        ending = tree.close()
        text = capture.tail()
        capture.close()
    return _attempt(
        command,
        started_at=started_at,
        watched=watched,
        ending=ending,
        text=text,
        warnings=tuple(capture.warnings),
    )


def _watch(
    tree: Tree,
    command: Command,
    capture: Capture | Discard,
    stop: StopRequest,
    begin: float,
) -> _Watched:
    """Watch a script to its end, which comes by itself or not."""
    survivors: tuple[Member, ...] = ()
    cause = _wait(tree, command.timeout, capture, stop, begin)
    if cause is not None:
        _, survivors = _end(tree, capture, command.grace)
        return _Watched(cause, time.monotonic() - begin, (), survivors)
    duration = time.monotonic() - begin
    left = {member.pid: member for member in tree.left_behind()}
    if left:
        more, survivors = _end(tree, capture, min(command.grace, _SHORT_GRACE))
        left |= more
    return _Watched(None, duration, tuple(left.values()), survivors)


def _wait(
    tree: Tree,
    timeout: float | None,
    capture: Capture | Discard,
    stop: StopRequest,
    begin: float,
) -> Outcome | None:
    """Wait for the end, the deadline or a stop request; say why it must be stopped."""
    deadline = float("inf") if timeout is None else begin + timeout
    wake: SimpleQueue[None] = SimpleQueue()

    def wait_for_end() -> None:
        tree.wait()
        wake.put(None)

    Thread(target=wait_for_end, name="script-end", daemon=True).start()
    unsubscribe = stop.subscribe(lambda: wake.put(None))
    pause = capture.watch(begin)
    try:
        while not tree.ended.is_set():
            left = deadline - time.monotonic()
            if stop.requested:
                return Outcome.STOPPED
            if left <= 0:
                return Outcome.TIMEOUT
            if not nap(wake, min(left, pause)):
                tree.reap()
                pause = capture.watch(time.monotonic())
    finally:
        unsubscribe()
    return None


def _end(
    tree: Tree, capture: Capture | Discard, grace: float
) -> tuple[dict[int, Member], tuple[Member, ...]]:
    """End a tree in steps: ask, wait ``grace`` seconds, kill until nobody is left.

    Returns:
        Those who were met, by number, and those whom even that did not end.
    """
    met = {member.pid: member for member in tree.members()}
    until = time.monotonic() + grace
    if tree.ask():
        while time.monotonic() < until and not (
            tree.ended.is_set() and not tree.members()
        ):
            capture.watch(time.monotonic())
            if tree.ended.wait(_LOOK_ENDING):
                time.sleep(_LOOK_ENDING)
    until = time.monotonic() + _KILLING
    while members := tree.members():
        met |= {member.pid: member for member in members}
        if time.monotonic() > until:
            break
        tree.kill()
        time.sleep(0.01)
    tree.ended.wait(_KILLING)
    return met, members


def _attempt(
    command: Command,
    *,
    started_at: datetime,
    watched: _Watched,
    ending: Ending,
    text: str,
    warnings: tuple[Sentence, ...],
) -> Attempt:
    """Put together what is known about an attempt."""
    masker = command.masker
    # Its frames are compared with these, and the text is masked already.
    projects = (
        masker.text(command.project),
        masker.text(os.path.realpath(command.project)),
    )
    outcome = watched.cause or (
        Outcome.SUCCESS if ending.exit_code == 0 else Outcome.FAILURE
    )
    traceback = None
    if outcome is Outcome.FAILURE:
        traceback = _what_it_says(text, ending.exit_code, projects)
    return Attempt(
        outcome=outcome,
        exit_code=ending.exit_code,
        started_at=started_at,
        duration=watched.duration,
        reason=_reason(outcome, command, ending),
        traceback=traceback,
        warnings=tuple(
            masker.sentence(warning)
            for warning in (
                *(_oddities(text, projects) if outcome.succeeded else ()),
                *endings.left_behind(watched.left),
                *map(endings.not_stopped, watched.survivors),
                *warnings,
            )
        ),
        peak_memory=ending.peak_memory,
        cpu_seconds=ending.cpu_seconds,
    )


def _reason(outcome: Outcome, command: Command, ending: Ending) -> Sentence | None:
    if outcome.succeeded:
        return None
    if outcome is Outcome.TIMEOUT:
        return endings.timeout_reason(command.timeout or 0.0)
    if outcome is Outcome.STOPPED:
        return endings.stop_reason()
    return endings.exit_reason(ending.exit_code)


def _what_it_says(
    text: str, exit_code: int | None, projects: tuple[str, ...]
) -> Traceback | None:
    """Return what the output of a script that failed says about it.

    Only exit code 1 can mean an exception that nobody caught; with another, what looks
    like a message is ordinary output, and a traceback has to be the very last thing.
    """
    if exit_code == _UNCAUGHT:
        return read_traceback(text, *projects) or read_exit_message(text)
    return read_traceback(text, *projects, exact=True)


def _oddities(text: str, projects: tuple[str, ...]) -> tuple[Sentence, ...]:
    error = read_background_error(text, *projects)
    if error is None:
        return ()
    return (
        Sentence.of(
            N_("it succeeded, but there was an error: {exception}"),
            exception=error.exception,
        ),
    )
