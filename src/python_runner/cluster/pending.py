"""What the coordinator knows of an attempt that the cluster has, and decides about it.

Pure but for a lock: the time comes in, in seconds of the clock that counts sleep too.
"""

from __future__ import annotations

from dataclasses import field
from threading import Lock
from typing import TYPE_CHECKING

from python_runner.execution.stop import Wake
from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.cluster.task import Answer, Offer

#: Seconds after the end of a lease in which a script has ended surely.
ENDING = 5.0


@dataclass(slots=True, kw_only=True)
class Pending:
    """An attempt that the cluster has.

    Who may begin it is decided here alone: what a scheduler remembers is lost with it, and
    a task that lies in its queue does not know that it was given up.

    Attributes:
        lease: seconds that a worker runs it without a word of the coordinator.
        began: when it was handed over.
        heard: when its worker was last heard of; before it has one, when some worker that
            offers what it needs was.
        sent: when a word was sent last that lets a worker run it for a lease.
        needs: the resources that its worker must offer.
        granted: the offer of the worker that may begin it.
        answer: what that worker has told of its end before its task has returned.
        withdrawn: whether no further worker may begin it.
        lost: whether nothing was heard of it for too long.
    """

    lease: float
    began: float
    heard: float
    sent: float
    needs: Mapping[str, float] = field(default_factory=dict)
    granted: Offer | None = None
    answer: Answer | None = None
    withdrawn: bool = False
    lost: bool = False
    wake: Wake = field(default_factory=Wake)
    _lock: Lock = field(default_factory=Lock)

    def decide(self, offer: Offer, now: float) -> bool:
        """Say whether the worker that offers to run it may: the first, and no other.

        It may ask again where it got no answer.
        """
        with self._lock:
            if self.withdrawn:
                return False
            if self.granted is None:
                self.granted, self.heard = offer, now
            if not offer.is_from(self.granted):
                return False
            self.sent = now
            return True

    def withdraw(self) -> bool:
        """Let no worker begin it from now on; say whether none was let before."""
        with self._lock:
            self.withdrawn = True
            return self.granted is None

    def is_of(self, answer: Answer) -> bool:
        """Say whether an answer is that of the worker that may run it."""
        granted = self.granted
        return granted is not None and answer.offer == granted.offer

    def end(self, answer: Answer) -> None:
        """Take what the worker that may run it tells of its end; nobody else's word."""
        if self.is_of(answer):
            self.answer = answer
            self.wake.give()

    def is_renewable(self, now: float) -> bool:
        """Say whether its lease is worth a word: one that was not heard of has ended.

        Else each word that nobody answers would put off the end of what is lost.
        """
        return self.granted is not None and now - self.heard <= self.lease

    def look(self, now: float) -> None:
        """Note that it is lost where nothing was heard of it for too long."""
        if now - self.heard > self.lease + self._ending:
            self.lost = True
            self.wake.give()

    def end_by(self) -> float:
        """Return when its script has ended surely, whatever became of the worker."""
        return self.sent + self.lease + self._ending

    @property
    def _ending(self) -> float:
        return min(ENDING, self.lease)
