"""Messages kept in a list, for tests: ours, and those of users of the package.

::

    transport = MemoryTransport()
    transport.send(message)
    assert "failed" in transport.messages[0].subject
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Delivery, Receipt


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Message


class MemoryTransport:
    """Keeps every message, oldest first, and whether it was closed."""

    def __init__(self, answers: Mapping[str, Delivery] | None = None) -> None:
        """Take the outcome per recipient; everyone else's is ``SENT``."""
        self.messages: list[Message] = []
        self.closed = False
        self._answers = dict(answers or {})

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Keep ``message`` and give the answers that were set."""
        self.messages.append(message)
        return tuple(
            Receipt(recipient=r, delivery=self._answers.get(r, Delivery.SENT))
            for r in message.recipients
        )

    def close(self) -> None:
        """Remember that it was called."""
        self.closed = True
