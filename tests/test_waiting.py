"""Work in threads, with as many as the system allows."""

from __future__ import annotations

import threading
import time
from functools import partial

import pytest

from python_runner.waiting import Workers, do_all
from tests.support import GENEROUS, allow_threads


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


def test_workers_are_no_more_than_what_is_done_at_the_same_time() -> None:
    """Each does one piece of work after the other; what they did is told once each."""
    threads: set[threading.Thread] = set()

    def work(number: int) -> int:
        threads.add(threading.current_thread())
        return number

    done: list[int] = []
    with Workers[int]("worker") as workers:
        running = {workers.start(partial(work, number)) for number in range(3)}
        for number in range(3, 60):
            while len(running) == 3:
                ended = workers.wait()
                running -= {*ended}
                done += [future.result() for future in ended]
            running.add(workers.start(partial(work, number)))
    done += [future.result() for future in running]

    assert sorted(done) == list(range(60))
    assert len(threads) <= 3
    for thread in threads:
        thread.join(GENEROUS)
        assert not thread.is_alive()


def test_what_no_worker_can_do_is_not_done_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without a further thread it is refused; a thread that has nothing to do takes it."""
    done: list[int] = []
    held = threading.Event()
    with Workers[object]("worker") as workers:
        first = workers.start(lambda: held.wait(GENEROUS))
        with monkeypatch.context() as patch:
            allow_threads(patch, 0)
            with pytest.raises(RuntimeError, match="can't start new thread"):
                workers.start(lambda: done.append(1))
            held.set()
            while not (ended := workers.wait()):
                pass
            assert ended == [first]
            workers.start(lambda: done.append(2)).result()
    assert done == [2]


def test_what_work_raises_ends_no_worker() -> None:
    """It is raised where the result is wanted."""
    with Workers[object]("worker") as workers:
        with pytest.raises(ZeroDivisionError):
            workers.start(lambda: 1 // 0).result()
        while not workers.wait():
            pass
        threads = threading.active_count()
        assert workers.start(lambda: 7).result() == 7
        assert threading.active_count() == threads
