"""Tells open pages that something has changed, as server-sent events.

As long as a page is open, the records are asked twice a second whether somebody has written
something, and how long the open output of the run is that a page is about. Nothing is asked
while no page is open.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from secrets import token_hex
from typing import TYPE_CHECKING

from anyio import fail_after, to_thread

from python_runner.records.store import StoreError


if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping

#: Seconds between two questions, and between two signs of life.
POLL, ALIVE = 0.5, 5.0
#: Seconds for which the others wait for a run whose folder hangs.
_PATIENCE = 1.0
#: Milliseconds after which a browser that was cut off asks again.
_RETRY = 2000


class Live:
    """The open streams of one server."""

    def __init__(
        self,
        changes: Callable[[], str],
        sizes: Callable[[str], Mapping[int, int]],
        most: int = 200,
    ) -> None:
        """Prepare streams.

        Args:
            changes: returns what differs as soon as something was written.
            sizes: returns how many bytes each script of a run has printed, by its number.
            most: streams that may be open at the same time.
        """
        self._changes = changes
        self._sizes = sizes
        self._most = most
        #: Another server's marks tell nothing about this one.
        self._boot = token_hex(4)
        self._mark = ""
        self._runs: dict[str, int] = {}
        self._outputs: dict[str, Mapping[int, int]] = {}
        #: Runs whose folders are looked at now; one that hangs is not asked again.
        self._looking: set[str] = set()
        self._open = 0
        self._poller: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._closed = False

    def mark(self) -> str:
        """Return the mark of the records now; empty where they cannot be read."""
        with suppress(StoreError):
            return f"{self._boot}.{self._changes()}"
        return ""

    @property
    def is_full(self) -> bool:
        """Whether no more streams can be opened."""
        return self._open >= self._most

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        self._tell()

    async def stream(self, seen: str, run_id: str = "") -> AsyncGenerator[bytes]:
        """Yield events until the reader goes, or the server ends.

        ``changed`` says that the records have changed since the mark ``seen``, and its id
        is the new mark; ``output`` has the sizes of the outputs of a run by their number;
        ``alive`` says that nothing has happened, and ``lost`` that the records cannot be read.
        """
        self._begin(run_id)
        told: Mapping[int, int] = {}
        try:
            yield f"retry: {_RETRY}\n\n".encode()
            await self._ask()
            while not self._closed:
                news = self._news
                if self._mark != seen:
                    seen = self._mark
                    yield _event("changed" if seen else "lost", "{}", seen)
                outputs = self._outputs.get(run_id, {})
                if outputs != told:
                    told = outputs
                    yield _event("output", json.dumps(outputs))
                try:
                    await asyncio.wait_for(news.wait(), ALIVE)
                except TimeoutError:
                    yield _event("alive", "{}")
        finally:
            self._end(run_id)

    def _begin(self, run_id: str) -> None:
        self._open += 1
        if run_id:
            self._runs[run_id] = self._runs.get(run_id, 0) + 1
        if self._poller is None:
            self._poller = asyncio.create_task(self._poll())

    def _end(self, run_id: str) -> None:
        self._open -= 1
        if run_id:
            self._runs[run_id] -= 1
            if not self._runs[run_id]:
                del self._runs[run_id]
                self._outputs.pop(run_id, None)
        if not self._open and self._poller:
            self._poller.cancel()
            self._poller = None

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(POLL)
            await self._ask()

    async def _ask(self) -> None:
        mark = ""
        # What nobody has foreseen is told as what it is for the readers: nothing can be
        # read. The next question may have an answer again.
        with suppress(Exception):
            mark = await to_thread.run_sync(self.mark, abandon_on_cancel=True)
        outputs = {run: await self._look(run) for run in tuple(self._runs)}
        if (mark, outputs) != (self._mark, self._outputs):
            self._mark, self._outputs = mark, outputs
            self._tell()

    async def _look(self, run: str) -> Mapping[int, int]:
        """Return the sizes of a run's outputs; the last ones where its folder hangs."""
        if run not in self._looking:
            self._looking.add(run)

            def look() -> Mapping[int, int]:
                try:
                    return self._sizes(run)
                finally:
                    self._looking.discard(run)

            with suppress(Exception), fail_after(_PATIENCE):
                return await to_thread.run_sync(look, abandon_on_cancel=True)
        return self._outputs.get(run, {})

    def _tell(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()


def _event(name: str, data: str, mark: str = "") -> bytes:
    identity = f"id: {mark}\n" if mark else ""
    return f"event: {name}\n{identity}data: {data}\n\n".encode()
