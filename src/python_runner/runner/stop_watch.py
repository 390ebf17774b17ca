"""Hears of a request to stop one run, from another console or another session."""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from python_runner.records.stop_file import forget_wish, read_wish


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from python_runner.execution.stop import StopRequest

#: Seconds between two looks.
INTERVAL = 0.5


@contextmanager
def watching(
    file: Path, run_id: str, stop: StopRequest, told: Callable[[bool], object]
) -> Iterator[None]:
    """Request the stop of a run once ``file`` asks for it, as long as the block lasts.

    ``told`` is called then, with whether its scripts are to be killed. A request that means another run is none. Where the system allows no further thread
    the run goes on without being asked.
    """
    ended = threading.Event()
    thread = threading.Thread(
        target=_watch, args=(file, run_id, stop, told, ended), name="stop", daemon=True
    )
    with suppress(RuntimeError):
        thread.start()
    try:
        yield
    finally:
        ended.set()
        forget_wish(file)


def _watch(
    file: Path,
    run_id: str,
    stop: StopRequest,
    told: Callable[[bool], object],
    ended: threading.Event,
) -> None:
    asked = False
    while not ended.wait(INTERVAL):
        # Most looks find nothing.
        wish = read_wish(file)
        if wish is None or wish.run_id != run_id:
            continue
        if not asked:
            asked = True
            stop.request(kill=wish.kill)
            told(wish.kill)
        elif wish.kill:
            stop.request(kill=True)
            told(True)
        if wish.kill:
            return
