"""Queued messages as facts, and how their rows are read."""

from __future__ import annotations

import json
from collections import defaultdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Message
from python_runner.records import rows


if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime
    from sqlite3 import Connection, Row

    from python_runner.texts.sentence import Sentence


class MessageState(StrEnum):
    """The state of a message."""

    QUEUED = "queued"
    SENT = "sent"
    #: At least one recipient will never get it.
    FAILED = "failed"
    #: Given up by a person.
    DROPPED = "dropped"


#: States in which a recipient lacks the message.
UNDELIVERED = (MessageState.QUEUED, MessageState.FAILED)
#: Days after which the content of a sent message is removed.
CONTENT_DAYS = 30
#: What is read of each message, its content aside.
_COLUMNS = """
    message.id, audience, message_id, sender, subject, queued_at, attempts, state,
    next_try_at, leased_until, unanswered
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """One recipient of a queued message.

    Attributes:
        address: of the envelope.
        state: ``pending``, ``sent`` or ``failed``.
        detail: the last answer, or None.
    """

    address: str
    state: str
    detail: Sentence | None


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedMessage:
    """A message in the queue.

    Attributes:
        number: what people call it.
        run_id: the run it reports; empty for a digest.
        project: name of the project of that run; empty for a digest.
        path: the project's folder; of a digest that of one of its projects.
        message: as it leaves; its recipients are those that still wait for it. Its
            content is empty where the message is only listed, or where it was removed.
        has_content: whether the records still hold its content; only that of a message
            that was sent is ever removed.
        recipients: every recipient, in any state.
        state: of the message.
        queued_at: when its run ended.
        attempts: how often it has been tried.
        next_try_at: not before then, while it is queued.
        leased_until: until then it belongs to the process that is sending it, or was
            when it died; None where nobody has claimed it.
        unanswered: the way that was given it and has not answered: it may have arrived,
            and no other way may send it. None: there is none.
    """

    number: int
    run_id: str
    project: str
    path: Path
    message: Message
    has_content: bool
    recipients: tuple[Recipient, ...]
    state: MessageState
    queued_at: datetime
    attempts: int
    next_try_at: datetime
    leased_until: datetime | None = None
    unanswered: str | None = None

    def is_claimed(self, now: datetime) -> bool:
        """Say whether another process may be sending it now."""
        waits = self.state is MessageState.QUEUED
        return waits and self.leased_until is not None and self.leased_until > now


@dataclass(frozen=True, slots=True, kw_only=True)
class RunMail:
    """What later mails about the same project refer to.

    Attributes:
        message_id: with its angle brackets.
        subject: as it was sent.
        run_started_at: when the run began that it reports.
    """

    message_id: str
    subject: str
    run_started_at: datetime


def where_written(details: Iterable[Sentence | None]) -> Sentence | None:
    """Return the first of these answers that names the file a message was written to."""
    return next(filter(rows.names_file, details), None)


def came_otherwise(detail: Sentence | None) -> bool:
    """Say whether an answer names the ways that were closed when another one sent."""
    return detail is not None and "closed" in detail.values


def load(
    connection: Connection, numbers: Sequence[int], *, contents: bool = False
) -> list[QueuedMessage]:
    """Return the messages with these numbers, newest first.

    Their ``contents`` are only read when they are asked for: there may be thousands.
    """
    keys = json.dumps(numbers)
    recipients: defaultdict[int, list[Recipient]] = defaultdict(list)
    for row in connection.execute(
        """
        SELECT * FROM recipient WHERE message IN (SELECT value FROM json_each(?))
        ORDER BY rowid
        """,
        (keys,),
    ):
        recipient = Recipient(
            address=row["address"],
            state=row["state"],
            detail=rows.to_text(row["detail"]),
        )
        recipients[row["message"]].append(recipient)
    content = "content" if contents else "x''"
    cursor = connection.execute(
        f"""
        SELECT {_COLUMNS}, {content} AS content, length(content) > 0 AS has_content,
            run_id, run.name AS project, coalesce(project.path, digest.path) AS path
        FROM message
        LEFT JOIN run ON run.id = message.run
        LEFT JOIN project ON project.id = run.project
        LEFT JOIN digest ON digest.id = message.digest
        WHERE message.id IN (SELECT value FROM json_each(?)) ORDER BY message.id DESC
        """,  # noqa: S608 - our own words
        (keys,),
    )
    return [_to_message(row, tuple(recipients[row["id"]])) for row in cursor]


def _to_message(row: Row, recipients: tuple[Recipient, ...]) -> QueuedMessage:
    message = Message(
        message_id=row["message_id"],
        sender=row["sender"],
        recipients=tuple(a.address for a in recipients if a.state == "pending"),
        subject=row["subject"],
        content=row["content"],
        audience=row["audience"],
    )
    return QueuedMessage(
        number=row["id"],
        run_id=row["run_id"] or "",
        project=row["project"] or "",
        path=Path(row["path"]),
        message=message,
        has_content=bool(row["has_content"]),
        recipients=recipients,
        state=MessageState(row["state"]),
        queued_at=rows.to_time(row["queued_at"]),
        attempts=row["attempts"],
        next_try_at=rows.to_time(row["next_try_at"]),
        leased_until=rows.to_time(leased) if (leased := row["leased_until"]) else None,
        unanswered=row["unanswered"],
    )
