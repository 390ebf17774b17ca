"""Answers that are made once for all who wait for the same one, and kept for a while.

Where fifty people have a page open, all of them ask for it as soon as something is written.
The first one begins an answer; whoever comes meanwhile waits for the next one, which begins
when the first is there: it tells of all that was written before they asked.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Generic, TypeVar

from anyio import fail_after, to_thread

from python_runner.facts import dataclass
from python_runner.web.compression import compressed


if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

#: Seconds for which an answer is waited for.
SECONDS = 10.0
#: Seconds for which an answer is true while nothing is written.
_FRESH = 2.0
#: Bytes of one answer, and of all of them, that are kept at most.
_LARGEST, _MOST = 1_000_000, 8_000_000

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Body:
    """The content of an answer.

    Attributes:
        status: of the answer.
        tag: differs when the content does (``ETag``).
        packed: the content, compressed; nothing where it is too short.
    """

    content: bytes
    status: int
    tag: str
    packed: bytes

    @classmethod
    def of(cls, content: bytes, status: int) -> Body:
        """Return a content with what is made of it once."""
        tag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'
        return cls(content, status, tag, compressed(content))

    @property
    def size(self) -> int:
        """Bytes in memory."""
        return len(self.content) + len(self.packed)


class Turns(Generic[_T]):
    """Does the same thing once at a time, for all who have asked before it begins.

    It belongs to one event loop; what is done has a thread.
    """

    def __init__(self) -> None:
        self._under_way: dict[Hashable, asyncio.Task[_T]] = {}
        self._next: dict[Hashable, asyncio.Task[_T]] = {}
        #: What threads do, also those that nobody waits for any more.
        self._busy: set[Hashable] = set()

    async def take(self, key: Hashable, work: Callable[[], _T]) -> _T:
        """Return what the next turn of a key brings; ``work`` is done unless one waits.

        Raises:
            TimeoutError: it takes too long; until it ends, all others are told so at once.
        """
        task = self._next.get(key)
        if task is None:
            task = self._next[key] = asyncio.create_task(self._turn(key, work))
        # One that goes away takes nothing from the others.
        return await asyncio.shield(task)

    async def _turn(self, key: Hashable, work: Callable[[], _T]) -> _T:
        if before := self._under_way.get(key):
            await asyncio.wait([before])
        self._under_way[key] = self._next.pop(key)

        def done() -> _T:
            try:
                return work()
            finally:
                self._busy.discard(key)

        try:
            if key in self._busy:
                raise TimeoutError
            self._busy.add(key)
            return await within(done)
        finally:
            del self._under_way[key]


async def within(work: Callable[[], _T]) -> _T:
    """Return what a thread brings that nobody waits for longer than some seconds.

    It may look at a folder that hangs; the end of the server waits for it neither.

    Raises:
        TimeoutError: it has brought nothing yet.
    """
    with fail_after(SECONDS):
        return await to_thread.run_sync(work, abandon_on_cancel=True)


class Kept:
    """The last answers, by their keys, as long as they are true; for any thread."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Hashable, tuple[str, float, Body]] = OrderedDict()
        self._size = 0
        self._guard = threading.Lock()

    def get(self, key: Hashable, mark: str) -> Body | None:
        """Return an answer that was kept while the records had the same mark."""
        with self._guard:
            kept = self._kept.get(key)
        if kept and mark and kept[0] == mark and time.monotonic() < kept[1]:
            return kept[2]
        return None

    def keep(self, key: Hashable, mark: str, body: Body) -> None:
        """Keep an answer; the oldest ones make room for it."""
        if body.size > _LARGEST:
            return
        with self._guard:
            self._drop(key)
            self._kept[key] = (mark, time.monotonic() + _FRESH, body)
            self._size += body.size
            while self._size > _MOST:
                self._drop(next(iter(self._kept)))

    def _drop(self, key: Hashable) -> None:
        if kept := self._kept.pop(key, None):
            self._size -= kept[2].size
