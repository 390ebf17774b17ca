"""Waits that a signal can interrupt, on Windows too."""

from __future__ import annotations

import sys
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, wait
from typing import TYPE_CHECKING, TypeVar


if TYPE_CHECKING:
    from collections.abc import Iterable
    from concurrent.futures import Future

_T = TypeVar("_T")
#: Seconds after which a wait of the main thread looks up. Windows runs no signal handler
#: while the main thread waits for a lock; POSIX interrupts the wait by itself.
WAKE_SECONDS = 0.2 if sys.platform == "win32" else None


def wait_for_any(futures: Iterable[Future[_T]]) -> set[Future[_T]]:
    """Return the futures that are done, at the latest when the first one is.

    May return an empty set on Windows, after :data:`WAKE_SECONDS`.
    """
    return wait(futures, WAKE_SECONDS, return_when=FIRST_COMPLETED).done


def wait_for_all(futures: Iterable[Future[_T]]) -> None:
    """Return when all ``futures`` are done."""
    pending = set(futures)
    while pending:
        pending = wait(pending, WAKE_SECONDS, return_when=ALL_COMPLETED).not_done
