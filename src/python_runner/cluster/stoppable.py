"""Waits for the cluster that a stop request ends at once."""

from __future__ import annotations

import time
from math import inf
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

from python_runner.exceptions import PythonRunnerError
from python_runner.execution.stop import Wake
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.execution.stop import StopRequest

_T = TypeVar("_T")
_LOOK = 0.2


class Stopped(PythonRunnerError):
    """The stop was requested while the cluster was waited for."""


def unless_stopped(
    work: Callable[[], _T],
    stop: StopRequest,
    seconds: float = inf,
    late: Callable[[_T], object] = lambda _result: None,
) -> _T:
    """Return the result of ``work``, unless the stop is requested meanwhile.

    Args:
        work: done in a thread of its own, which is left alone where it is not waited for.
        stop: ends the wait.
        seconds: most that it may take.
        late: gets the result that nobody waits for any more.

    Raises:
        Stopped: the stop was requested.
        TimeoutError: it took too long.
        Exception: whatever ``work`` raises.
    """
    wake, lock = Wake(), Lock()
    results: list[_T] = []
    errors: list[BaseException] = []
    left = False

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            errors.append(error)
        else:
            with lock:
                results.append(result)
            if left:
                late(result)
        wake.give()

    # A name or a server that does not answer takes its time; a daemon holds up no end.
    Thread(target=run, name="cluster", daemon=True).start()
    unsubscribe = stop.subscribe(wake.give)
    until = time.monotonic() + seconds
    try:
        while not (results or errors or stop.requested) and time.monotonic() < until:
            wake.nap(_LOOK)
    finally:
        unsubscribe()
    with lock:
        left = not results
    if errors:
        raise errors[0]
    if not left:
        return results[0]
    if stop.requested:
        raise Stopped(_("stopped before the cluster was reached"))
    raise TimeoutError
