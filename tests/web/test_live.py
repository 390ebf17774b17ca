"""What open pages are told, and when."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome
from python_runner.records.read_only import open_reader
from python_runner.records.store import open_store
from python_runner.web import live
from python_runner.web.live import Live
from tests.support import TODAY, keep


if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("streams are read in this process")


async def next_event(stream: AsyncIterator[bytes], *wanted: str) -> dict[str, str]:
    """Return the fields of the next event of one of these names."""
    async with asyncio.timeout(60):
        async for block in stream:
            fields = dict(
                line.split(": ", 1) for line in block.decode().split("\n") if line
            )
            if fields.get("event") in wanted:
                return fields
    raise AssertionError("the stream has ended")


def test_a_write_of_another_process_is_told_once(dashboard: Dashboard) -> None:
    """With the mark of that moment; whoever comes back with it is told nothing."""
    path = dashboard.project("x")

    async def watch() -> None:
        with dashboard.store() as store:
            keep(store, "a" * 13, path, Outcome.SUCCESS)
            _, database = open_reader(dashboard.home)
            streams = Live(database.changes, lambda _run: {})
            first = streams.stream(streams.mark())
            assert (await next_event(first, "changed", "alive"))["event"] == "alive"
            keep(store, "b" * 13, path, Outcome.SUCCESS)
            told = await next_event(first, "changed")
            assert told["id"] == streams.mark()
            again = streams.stream(told["id"])
            assert (await next_event(again, "changed", "alive"))["event"] == "alive"
            stale = streams.stream("another server's")
            assert (await next_event(stale, "changed", "alive"))["event"] == "changed"
            for stream in (first, again, stale):
                await stream.aclose()
            database.close()

    live_seconds(watch)


def live_seconds(watch: object) -> None:
    """Run with a sign of life each tenth of a second."""
    before = live.ALIVE, live.POLL
    live.ALIVE, live.POLL = 0.2, 0.02
    try:
        assert callable(watch)
        asyncio.run(watch())
    finally:
        live.ALIVE, live.POLL = before


def test_the_growth_of_an_open_output_is_told() -> None:
    """By its size; the page that is about that run alone hears of it."""
    sizes = {"a": {1: 10}}

    async def watch() -> None:
        streams = Live(lambda: "1", lambda run: sizes.get(run, {}))
        own, other = streams.stream("", "a"), streams.stream("", "b")
        assert (await next_event(own, "output"))["data"] == '{"1": 10}'
        sizes["a"] = {1: 20, 2: 0}
        assert (await next_event(own, "output"))["data"] == '{"1": 20, "2": 0}'
        assert (await next_event(other, "output", "alive"))["event"] == "alive"
        await own.aclose()
        await other.aclose()

    live_seconds(watch)


def test_nothing_is_asked_while_no_page_is_open() -> None:
    """The last one that goes ends the questions; closing ends all streams at once."""
    asked: list[int] = []

    async def watch() -> None:
        def changes() -> str:
            asked.append(1)
            return "1"

        streams = Live(changes, lambda _run: {})
        await asyncio.sleep(0.1)
        assert asked == []
        stream = streams.stream("")
        await next_event(stream, "changed")
        await stream.aclose()
        count = len(asked)
        await asyncio.sleep(0.2)
        assert len(asked) <= count + 1
        left = streams.stream("")
        await next_event(left, "changed")
        streams.close()
        async with asyncio.timeout(60):
            async for _block in left:
                pass

    live_seconds(watch)


def test_records_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    """The page says so, and is told when they are back."""

    async def watch() -> None:
        _, database = open_reader(tmp_path)
        streams = Live(database.changes, lambda _run: {})
        stream = streams.stream("seen before")
        await next_event(stream, "lost")
        with open_store(tmp_path, TODAY):
            await next_event(stream, "changed")
        await stream.aclose()
        database.close()

    live_seconds(watch)


@pytest.mark.fault(
    "records",
    "A look at the records fails in a way that nobody foresaw while pages are open",
    "The pages say that they are not live, and are again when it can be read.",
)
def test_an_unforeseen_error_ends_no_stream() -> None:
    """The pages hear that nothing can be read, and later what is new."""
    troubles = iter([None, ValueError("unforeseen"), OSError("another"), None])
    left: list[Exception | None] = []

    def changes() -> str:
        if trouble := next(troubles, None):
            left.append(trouble)
            raise trouble
        return "1"

    async def watch() -> None:
        streams = Live(changes, lambda _run: {})
        stream = streams.stream("")
        first = await next_event(stream, "changed")
        await next_event(stream, "lost")
        again = await next_event(stream, "changed")
        assert again["id"] == first["id"]
        await stream.aclose()

    live_seconds(watch)
    assert len(left) == 2


def test_an_output_that_hangs_keeps_no_news_from_others() -> None:
    """Its folder is asked once; the records, and other runs, are told of all the same."""
    answers, asked = threading.Event(), list[str]()
    marks = iter(map(str, range(10**6)))

    def sizes(run: str) -> dict[int, int]:
        asked.append(run)
        if run == "away":
            answers.wait(600)
        return {1: len(asked)}

    async def watch() -> None:
        streams = Live(lambda: next(marks), sizes)
        away, here = streams.stream("", "away"), streams.stream("", "here")
        for _news in range(3):
            assert await next_event(away, "changed")
            assert await next_event(here, "output")
        assert asked.count("away") == 1
        for stream in (away, here):
            await stream.aclose()

    try:
        asyncio.run(watch())
    finally:
        answers.set()
