"""A listener is called by one thread, whatever it does."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, cast

from python_runner.runner.notifier import Notifier
from tests.support import allow_threads


if TYPE_CHECKING:
    import pytest

    from python_runner.runner.events import Event

EVENTS = [cast("Event", number) for number in range(20)]


def test_events_that_follow_each_other_start_no_thread_each() -> None:
    """A series of thousands of short scripts costs one thread."""
    heard: list[Any] = []
    threads: set[threading.Thread] = set()

    def listen(event: Event) -> None:
        heard.append(event)
        threads.add(threading.current_thread())

    notify = Notifier(listen)
    for event in EVENTS:
        notify(event)

    assert heard == EVENTS
    assert len(threads) < len(EVENTS) / 2
    assert threading.current_thread() not in threads


def test_without_a_thread_the_listener_is_called_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A system that allows no further thread loses no event, and later ones have one."""
    heard: list[Any] = []
    notify = Notifier(heard.append)
    with monkeypatch.context() as patch:
        allow_threads(patch, 0, refused=1)
        for event in EVENTS:
            notify(event)

    assert heard == EVENTS
