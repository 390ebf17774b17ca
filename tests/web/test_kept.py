"""Answers that are made once for many, kept while they are true, and compressed."""

from __future__ import annotations

import asyncio
import gzip
import threading
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome
from python_runner.web import kept
from python_runner.web.compression import is_accepted
from python_runner.web.kept import Body, Kept, Turns
from tests.support import keep


if TYPE_CHECKING:
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("requests are answered in this process")


def test_all_who_ask_meanwhile_get_the_next_answer_together() -> None:
    """None of them gets the one that had begun before: it may not know what they know."""
    asked: list[int] = []
    began, go_on = threading.Event(), threading.Event()

    def work() -> int:
        asked.append(len(asked))
        began.set()
        # The first one takes until everybody has asked.
        assert go_on.wait(60)
        return asked[-1]

    async def ask() -> tuple[int, list[int]]:
        turns: Turns[int] = Turns()
        first = asyncio.create_task(turns.take("page", work))
        async with asyncio.timeout(60):
            await asyncio.to_thread(began.wait, 60)
        others = [asyncio.create_task(turns.take("page", work)) for _ in range(50)]
        await asyncio.sleep(0)
        others[0].cancel()
        go_on.set()
        return await first, [await other for other in others[1:]]

    assert asyncio.run(ask()) == (0, [1] * 49)
    assert asked == [0, 1]


def test_one_page_does_not_wait_for_another() -> None:
    """Each has its own turns; what one of them raises is raised for those who ask."""
    held = threading.Event()

    def fail() -> int:
        raise LookupError

    async def ask() -> int:
        turns: Turns[int] = Turns()
        slow = asyncio.create_task(turns.take("slow", lambda: held.wait(60)))
        with pytest.raises(LookupError):
            await turns.take("bad", fail)
        quick = await turns.take("quick", lambda: 1)
        held.set()
        await slow
        with pytest.raises(LookupError):
            await turns.take("bad", fail)
        return quick

    assert asyncio.run(ask()) == 1


def test_what_is_kept_is_bounded_by_its_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest answers go first; one that is larger than the rest of them is not kept."""
    monkeypatch.setattr(kept, "_MOST", 3 * 120)
    monkeypatch.setattr(kept, "_LARGEST", 200)
    answers, body = Kept(), Body.of(b"x" * 120, 200)
    for key in "abca":
        answers.keep(key, "1", body)
    answers.keep("d", "1", body)
    found = {key for key in "abcd" if answers.get(key, "1")}
    assert found == {"a", "c", "d"}
    answers.keep("large", "1", Body.of(b"x" * 201, 200))
    assert answers.get("large", "1") is None
    assert answers.get("a", "2") is None
    # Nobody knows whether something was written.
    answers.keep("e", "", body)
    assert answers.get("e", "") is None


def test_a_page_tells_at_once_what_was_written(dashboard: Dashboard) -> None:
    """However many have just read the one before."""
    path = dashboard.project("x")
    with dashboard.store() as store:
        keep(store, "a" * 13, path, Outcome.SUCCESS)
        assert "is well" in dashboard.ask().text
        assert "is well" in dashboard.ask().text
        keep(store, "b" * 13, path, Outcome.FAILURE)
        assert "needs you" in dashboard.ask().text


@pytest.mark.parametrize(
    ("header", "wanted"),
    [
        ("gzip", True),
        ("deflate, GZIP;q=1.0, br", True),
        ("gzip; q=0.5", True),
        ("gzip;q=0", False),
        ("gzip; q=0.000", False),
        ("br, deflate", False),
        ("", False),
        ("identity", False),
    ],
)
def test_pages_are_compressed_for_those_who_want_it(
    dashboard: Dashboard, header: str, *, wanted: bool
) -> None:
    """And for nobody else; the content is the same, and so is its tag."""
    assert is_accepted(header) is wanted
    for address in ("/help", "/static/dashboard.css"):
        plain = dashboard.ask(address)
        answer = dashboard.ask(address, headers={"accept-encoding": header})
        assert ("content-encoding" in answer.headers) is wanted
        assert (gzip.decompress(answer.body) if wanted else answer.body) == plain.body
        assert "accept-encoding" in answer.headers["vary"].lower()
        assert answer.headers.get("etag") == plain.headers.get("etag")
        assert int(answer.headers["content-length"]) == len(answer.body)


def test_what_is_short_or_a_stream_is_not_compressed(dashboard: Dashboard) -> None:
    """A stream of events is read while it is written."""
    headers = {"accept-encoding": "gzip"}
    for address, method in (("/status.txt", "GET"), ("/events", "HEAD")):
        answer = dashboard.ask(address, method, headers=headers)
        assert "content-encoding" not in answer.headers


def test_what_hangs_is_told_to_all_and_begun_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nobody waits for it again until it has ended; other pages are answered meanwhile."""
    monkeypatch.setattr(kept, "SECONDS", 0.2)
    asked: list[int] = []
    go_on, ended = threading.Event(), threading.Event()

    def work() -> int:
        asked.append(len(asked))
        if len(asked) == 1:
            assert go_on.wait(60)
            ended.set()
        return asked[-1]

    async def ask() -> tuple[int, int]:
        turns: Turns[int] = Turns()
        for _again in range(3):
            with pytest.raises(TimeoutError):
                await turns.take("hangs", work)
        assert asked == [0]
        other = await turns.take("other", lambda: 7)
        go_on.set()
        await asyncio.to_thread(ended.wait, 60)
        while True:
            # The thread has a last step to go.
            try:
                return other, await turns.take("hangs", work)
            except TimeoutError:
                await asyncio.sleep(0.01)

    assert asyncio.run(ask()) == (7, 1)
