"""Does many checks at the same time, within a time: what hangs is told and left alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.doctor.finding import Check
    from python_runner.texts.sentence import Sentence

#: Checks at the same time: most of them wait for servers, disks and interpreters.
_AT_ONCE = 8
#: Seconds between two looks at what is done, so that Ctrl-C is heard on Windows too.
_PAUSE = 0.05


def do_checks(
    checks: Sequence[Check],
    explain: Callable[[Exception], Sentence],
    *,
    seconds: float,
    most: int = _AT_ONCE,
) -> list[Finding]:
    """Return what the checks find, in their order.

    Args:
        checks: one that raises is a finding itself, and so is one that does not end.
        explain: returns what an error means, for people.
        seconds: how long all of them may take.
        most: how many at the same time.
    """
    found: dict[int, list[Finding]] = {}
    waiting = deque(enumerate(checks))
    end = time.monotonic() + seconds

    def work() -> None:
        # Each entry is taken by one thread: a deque's methods are atomic.
        while waiting and time.monotonic() < end:
            try:
                place, check = waiting.popleft()
            except IndexError:
                return
            found[place] = _look(check, explain)

    # Daemons: a process that is done waits for no server and no network drive.
    threads = [
        threading.Thread(target=work, name="doctor", daemon=True)
        for _ in range(min(most, len(checks)))
    ]
    started = []
    try:
        for thread in threads:
            thread.start()
            started.append(thread)
    except (RuntimeError, MemoryError):
        if not started:
            work()
    while any(thread.is_alive() for thread in started) and time.monotonic() < end:
        time.sleep(_PAUSE)
    results: list[Finding] = []
    for place, check in enumerate(checks):
        # One that ends just now is told as what it was when it was looked for.
        done = found.get(place)
        if done is None:
            late = {"seconds": round(seconds), "subject": check.subject}
            done = [Finding.of(kinds.UNFINISHED, check.project, **late)]
        results += done
    return results


def _look(check: Check, explain: Callable[[Exception], Sentence]) -> list[Finding]:
    try:
        return list(check.look())
    except Exception as error:  # noqa: BLE001 - the other checks are told all the same
        subject, reason = check.subject, explain(error)
        failed = Finding.of(kinds.FAILED, check.project, subject=subject, error=reason)
        return [failed]
