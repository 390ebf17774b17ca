from __future__ import annotations

import signal
import sys
import threading
import time

import pytest

from python_runner.execution.stop import StopRequest, Wake


def test_starts_unrequested() -> None:
    """Nobody has asked for anything at first, and a wait runs out."""
    stop = StopRequest()
    begin = time.monotonic()
    assert not stop.wait(0.05)
    # Clocks tick in steps, on Windows of 16 ms.
    assert time.monotonic() - begin >= 0.03
    assert not stop.requested


def test_request_is_kept() -> None:
    """A request stays, and nobody waits after it."""
    stop = StopRequest()
    stop.request()
    stop.request()
    assert stop.requested
    assert stop.wait(None)
    assert stop.wait(60)


def test_a_request_once_more_is_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signals that come together are one wish; one that comes later is impatience."""
    now = 100.0
    monkeypatch.setattr("python_runner.execution.stop.monotonic", lambda: now)
    stop = StopRequest()
    stop.request()
    now += 0.1
    stop.request()
    assert not stop.urgent
    now += 0.2
    stop.request()
    assert stop.urgent
    assert stop.requested


def test_wait_is_woken_from_a_thread() -> None:
    """A wait without limit ends with the request of another thread."""
    stop = StopRequest()
    timer = threading.Timer(0.05, stop.request)
    timer.start()
    assert stop.wait(None)
    timer.join()


def test_subscribers_are_called() -> None:
    """Every subscriber is called, but not those who have left."""
    stop = StopRequest()
    called: list[str] = []
    stop.subscribe(lambda: called.append("stays"))
    unsubscribe = stop.subscribe(lambda: called.append("leaves"))
    unsubscribe()
    unsubscribe()
    stop.request()
    assert called == ["stays"]


def test_late_subscriber_is_called_at_once() -> None:
    """Who subscribes after the request is called at once."""
    stop = StopRequest()
    stop.request()
    called: list[bool] = []
    stop.subscribe(lambda: called.append(stop.requested))
    assert called == [True]


@pytest.mark.parametrize("seconds", [0.0, 1e-6, 2e-6, 1e-5])
def test_a_wait_that_is_all_but_over_ends(seconds: float) -> None:
    """However little time is left of it, also when it has passed meanwhile."""
    stop = StopRequest()
    for _ in range(2000):
        assert not Wake().nap(seconds)
        assert not stop.wait(seconds)


def test_a_wake_before_the_nap_ends_it_once() -> None:
    """Given twice it is one; none is lost."""
    wake = Wake()
    wake.give()
    wake.give()
    assert wake.nap(60.0)
    assert not wake.nap(0.001)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="POSIX timers")
def test_request_from_a_signal_handler() -> None:
    """A signal handler may request while its own thread waits or subscribes."""
    if sys.platform == "win32":
        pytest.skip("POSIX only")
    for delay in (0.0005, 0.001, 0.002, 0.005):
        stop = StopRequest()
        previous = signal.signal(signal.SIGALRM, lambda *_, s=stop: s.request())
        try:
            signal.setitimer(signal.ITIMER_REAL, delay)
            while not stop.requested:
                stop.subscribe(lambda: None)()
                stop.wait(0.0001)
        finally:
            signal.signal(signal.SIGALRM, previous)
        assert stop.wait(1.0)
