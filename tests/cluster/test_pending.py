"""Who may begin an attempt, and when nobody runs it any more."""

from __future__ import annotations

import pytest

from python_runner.cluster.pending import Pending
from python_runner.cluster.task import Answer, Offer


pytestmark = pytest.mark.pure


def _pending(now: float = 0.0) -> Pending:
    return Pending(lease=30.0, began=now, heard=now, sent=now)


def _offer(worker: str = "tcp://a:1", offer: str = "1", turn: int = 0) -> Offer:
    return Offer(token="t", worker=worker, offer=offer, turn=turn)


def test_the_first_worker_alone_begins() -> None:
    """Another worker, and the same one that gets the task again, are refused."""
    pending = _pending()
    assert pending.decide(_offer(), 1.0)
    assert not pending.decide(_offer("tcp://b:1"), 2.0)
    assert not pending.decide(_offer(offer="2"), 3.0)
    # It asks again where the answer was lost.
    assert pending.decide(_offer(turn=1), 4.0)
    assert pending.is_of(Answer(offer="1", attempt=None))
    assert not pending.is_of(Answer(offer="2", attempt=None))


def test_what_was_given_up_never_begins() -> None:
    """A task that comes out of the queue too late is refused, for ever."""
    pending = _pending()
    assert pending.withdraw()
    assert not pending.decide(_offer(), 1.0)
    assert pending.withdraw()


def test_what_was_begun_is_not_withdrawn() -> None:
    """Who was let may run; nobody is let again, not even the same worker."""
    pending = _pending()
    assert pending.decide(_offer(), 1.0)
    assert not pending.withdraw()
    assert not pending.decide(_offer(turn=1), 2.0)


def test_an_end_is_taken_from_the_worker_that_may_run_it() -> None:
    """Another worker, or the same one at another time, ends nothing."""
    pending = _pending()
    pending.end(Answer(offer="1", attempt=None))
    pending.decide(_offer(), 1.0)
    pending.end(Answer(offer="2", attempt=None))
    assert pending.answer is None
    answer = Answer(offer="1", attempt=None)
    pending.end(answer)
    assert pending.answer is answer


def test_lost_contact_is_told_within_35_to_70_seconds() -> None:
    """Words that nobody answers do not put off the end for ever."""
    pending, now = _pending(), 100.0
    pending.decide(_offer(), now)
    while not pending.lost:
        now += 2.0
        if pending.is_renewable(now):
            pending.sent = now
        pending.look(now)
    told = max(now, pending.end_by())
    assert 35.0 < told - 100.0 < 70.0
    # By then the last word that was sent has run out, and 5 seconds more.
    assert told >= pending.sent + 35.0
