"""Work in threads, with as many as the system allows."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from python_runner.waiting import do_all, start
from tests.support import allow_threads


def test_work_is_done_in_a_thread_of_its_own() -> None:
    """Its result, or what it raises, is the future's."""
    assert start(threading.current_thread, "name").result().name == "name"
    with pytest.raises(ZeroDivisionError):
        start(lambda: 1 // 0, "name").result()


def test_without_a_thread_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even later: who is told that work was refused will not expect its effects."""
    done: list[int] = []
    with monkeypatch.context() as patch:
        allow_threads(patch, 0)
        with pytest.raises(RuntimeError, match="can't start new thread"):
            start(lambda: done.append(1), "name")
    start(lambda: done.append(2), "name").result()
    assert done == [2]


@pytest.mark.parametrize("allowed", range(5))
@pytest.mark.parametrize("jobs", [0, 1, 2, 7])
def test_all_is_done_with_the_threads_there_are(
    monkeypatch: pytest.MonkeyPatch, allowed: int, jobs: int
) -> None:
    """Each job once, the results in order, be it in the calling thread alone."""
    allow_threads(monkeypatch, allowed)
    done: list[int] = []

    def job(number: int) -> int:
        done.append(number)
        return number

    results = do_all([partial(job, number) for number in range(jobs)], 3, "job")

    assert results == list(range(jobs)) == sorted(done)


def test_no_more_than_wanted_at_the_same_time() -> None:
    """Three at once is three at once."""
    now, most, lock = 0, 0, threading.Lock()

    def job() -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.01)
        with lock:
            now -= 1

    do_all([job] * 12, 3, "job")

    assert 1 <= most <= 3


def test_what_a_job_raises_keeps_no_other_from_being_done() -> None:
    """It is raised at the end."""
    done: list[int] = []
    with pytest.raises(ZeroDivisionError):
        do_all([lambda: 1 // 0, lambda: done.append(1)], 1, "job")
    assert done == [1]
