"""The queue of messages in the database: queued, sent, given up or dropped."""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.model import RECIPIENTS, Delivery
from python_runner.records import rows
from python_runner.records.messages import (
    UNDELIVERED,
    MessageState,
    RunMail,
    load,
)
from python_runner.records.queries import before_run, newest_old_run, project


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.model import Message, Receipt, RunStatus
    from python_runner.records.database import Database
    from python_runner.records.messages import QueuedMessage

#: No wait and no lease is meant to be longer: the clock was wrong when it was set.
_CREDIBLE_WAIT = timedelta(days=1)
#: What may be claimed: neither waiting for its next try nor claimed by a process.
_DUE = """
    state = 'queued'
        AND (next_try_at <= :now OR next_try_at > :beyond)
        AND (leased_until <= :now OR leased_until > :beyond)
"""
#: Contents that one transaction removes: others may write in between.
_REMOVED_AT_ONCE = 100
_STATE_AFTER = {
    Delivery.SENT: "sent",
    Delivery.DEFERRED: "pending",
    Delivery.FAILED: "failed",
}
_INCIDENT = """
    WITH mail AS (
        SELECT message.id, run, message_id, subject, started_at
        FROM message JOIN run ON run.id = message.run
        WHERE project = :project
            AND audience = :audience
            AND status IN (SELECT value FROM json_each(:statuses))
            AND run.id < :before
            AND run.id > coalesce((
                SELECT id FROM run
                WHERE project = :project AND status = 'success' AND id < :before
                ORDER BY id DESC LIMIT 1
            ), 0)
    )
    SELECT * FROM mail WHERE id IN (
        SELECT id FROM (SELECT id FROM mail ORDER BY run, id LIMIT 1)
        UNION ALL
        SELECT id FROM (SELECT id FROM mail ORDER BY run DESC, id DESC LIMIT :latest)
    )
    ORDER BY run, id
"""


class MessageQueue:
    """The queue of one database; raises :class:`StoreError` as the store does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(
        self,
        connection: Connection,
        run: int | None,
        message: Message,
        now: datetime,
        *,
        announces: Sequence[int] = (),
        digest: int | None = None,
    ) -> None:
        """Queue a run's report, or a digest, in the caller's transaction.

        The first one stays.
        """
        row = connection.execute(
            """
            INSERT INTO message (run, digest, audience, message_id, sender, subject,
                content, queued_at, next_try_at)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
            ON CONFLICT DO NOTHING RETURNING id
            """,
            (
                run,
                digest,
                rows.from_string(message.audience),
                message.message_id,
                rows.from_string(message.sender),
                rows.from_string(message.subject),
                message.content,
                rows.from_time(now),
                rows.from_time(now),
            ),
        ).fetchone()
        if row is not None:
            connection.executemany(
                "INSERT OR IGNORE INTO recipient (message, address) VALUES (?, ?)",
                [
                    (row["id"], rows.from_string(address))
                    for address in message.recipients
                ],
            )
            connection.executemany(
                "UPDATE message SET announced_by = ? WHERE id = ?",
                [(row["id"], number) for number in announces],
            )

    def due_audiences(self, now: datetime) -> list[str]:
        """Return whose messages may be claimed now, that of the mails first."""
        with self._database.read() as connection:
            cursor = connection.execute(
                f"SELECT DISTINCT audience FROM message WHERE {_DUE}"  # noqa: S608
                " ORDER BY audience <> :mail, audience",
                {"mail": RECIPIENTS, **_moment(now)},
            )
            return [audience for (audience,) in cursor]

    def claim_due(
        self,
        now: datetime,
        *,
        owner: str,
        lease_seconds: float,
        audience: str = RECIPIENTS,
        run_ids: Collection[str] = (),
    ) -> QueuedMessage | None:
        """Take the oldest message of an audience that is due, for nobody else to send.

        With ``run_ids`` only those that report one of these runs count. The claim ends
        with :meth:`record_receipts`, or by itself after ``lease_seconds``: its owner is
        taken for dead then.
        """
        lease = timedelta(seconds=lease_seconds)
        with self._database.write() as connection:
            row = connection.execute(
                f"""
                UPDATE message SET owner = :owner, leased_until = :lease
                WHERE id = (
                    SELECT id FROM message WHERE audience = :audience AND {_DUE}
                        AND (:all OR run IN (SELECT id FROM run WHERE run_id IN
                            (SELECT value FROM json_each(:run_ids))))
                    ORDER BY id LIMIT 1
                )
                RETURNING id
                """,  # noqa: S608 - a constant of this module
                {
                    "owner": owner,
                    "lease": rows.from_time(now + lease),
                    "audience": audience,
                    "all": not run_ids,
                    "run_ids": json.dumps(list(run_ids)),
                    **_moment(now),
                },
            ).fetchone()
            return load(connection, [row["id"]], contents=True)[0] if row else None

    def record_receipts(
        self,
        number: int,
        receipts: Iterable[Receipt],
        *,
        owner: str,
        next_try_at: datetime | None,
        unanswered: str | None = None,
    ) -> MessageState:
        """Write the answers for a claimed message and end the claim.

        What one recipient got once stays: a late answer of a claim that has expired
        cannot undo it.

        Args:
            number: the message.
            receipts: at most one answer per recipient.
            owner: who claimed it.
            next_try_at: when those who wait are tried again; None gives them up.
            unanswered: the way that may have delivered it to those who wait, or None.

        Returns:
            Where the message is now.
        """
        with self._database.write() as connection:
            connection.executemany(
                """
                UPDATE recipient SET state = ?, detail = ?
                WHERE message = ? AND address = ? AND state = 'pending'
                """,
                [
                    (
                        _STATE_AFTER[receipt.delivery],
                        rows.from_text(receipt.detail),
                        number,
                        rows.from_string(receipt.recipient),
                    )
                    for receipt in receipts
                ],
            )
            if next_try_at is None:
                _give_up(connection, number)
            connection.execute(
                "UPDATE message SET unanswered = ? WHERE id = ? AND unanswered IS NOT ?",
                (unanswered, number, unanswered),
            )
            return _update_state(connection, number, owner, next_try_at)

    def hand_over(self, number: int, way: str, *, owner: str) -> bool:
        """Write down that ``way`` is given a claimed message, before it is.

        False: it was dropped, or somebody else has claimed it since.
        """
        with self._database.write() as connection:
            given = connection.execute(
                """
                UPDATE message SET unanswered = ?
                WHERE id = ? AND owner = ? AND state = 'queued'
                """,
                (way, number, owner),
            ).rowcount
            return given > 0

    def replace_sent(self, number: int, content: bytes) -> None:
        """Keep ``content`` of a message that everybody has got, instead of all of it."""
        with self._database.write() as connection:
            connection.execute(
                "UPDATE message SET content = ? WHERE id = ? AND state = 'sent'",
                (content, number),
            )

    def remove_contents(
        self, older_than: datetime, now: datetime, limit: int = sys.maxsize
    ) -> int:
        """Remove the content of sent messages about runs that began before; count them.

        What identifies them stays, for the threads of later mails and for people. What
        is not sent stays whole, whatever its age. A run is old as for
        :meth:`Store.delete_old_runs`.

        Args:
            older_than: messages about what began then or later stay as they are.
            now: the present moment; later times were wrong.
            limit: how many at most.
        """
        removed = 0
        while removed < limit:
            size = min(_REMOVED_AT_ONCE, limit - removed)
            with self._database.read() as connection:
                numbers = _with_old_content(connection, older_than, now, size)
            if numbers:
                with self._database.write() as connection:
                    removed += _remove_contents(connection, numbers)
            if len(numbers) < size:
                break
        return removed

    def get(self, number: int) -> QueuedMessage | None:
        """Return one message, in any state, or None."""
        with self._database.read() as connection:
            return next(iter(load(connection, [number], contents=True)), None)

    def of_run(self, run_id: str) -> list[QueuedMessage]:
        """Return the messages that report a run, in any state, without contents."""
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT message.id FROM message JOIN run ON run.id = message.run
                WHERE run_id = ?
                """,
                (run_id,),
            )
            return load(connection, [number for (number,) in cursor])

    def with_ids(self, message_ids: Collection[str]) -> list[QueuedMessage]:
        """Return the messages with these ``Message-ID``, oldest first, without contents."""
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT id FROM message
                WHERE message_id IN (SELECT value FROM json_each(?))
                """,
                (json.dumps(list(message_ids)),),
            )
            found = load(connection, [number for (number,) in cursor])
        return found[::-1]

    def newest(
        self, states: Collection[MessageState] = UNDELIVERED, *, limit: int = 50
    ) -> list[QueuedMessage]:
        """Return the messages in one of ``states``, newest first."""
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT id FROM message WHERE state IN (SELECT value FROM json_each(?))
                ORDER BY id DESC LIMIT ?
                """,
                (json.dumps([state.value for state in states]), limit),
            )
            numbers = [number for (number,) in cursor]
            return load(connection, numbers, contents=True)

    def unannounced(self) -> list[QueuedMessage]:
        """Return the given up messages that no later one names, newest first.

        They come without contents: where nobody is told, they are ever more.
        A message that names them and is given up itself does not count.
        """
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT id FROM message AS given_up
                WHERE state = 'failed' AND (announced_by IS NULL OR EXISTS (
                    SELECT 1 FROM message WHERE id = given_up.announced_by
                        AND state IN ('failed', 'dropped')
                ))
                """
            )
            return load(connection, [number for (number,) in cursor])

    def incident(
        self,
        path: Path,
        statuses: Collection[RunStatus],
        *,
        before: str,
        latest: int,
    ) -> list[RunMail]:
        """Return the mails about a project's runs since its last success, in their order.

        Args:
            path: the project's folder.
            statuses: of the runs that count.
            before: id of a run; it is left out, and so is what was recorded after it.
            latest: how many at most, beside the first one.
        """
        with self._database.read() as connection:
            cursor = connection.execute(
                _INCIDENT,
                {
                    "project": project(connection, path),
                    "statuses": json.dumps([status.value for status in statuses]),
                    "before": before_run(connection, before),
                    "latest": latest,
                    "audience": RECIPIENTS,
                },
            )
            return [
                RunMail(
                    message_id=row["message_id"],
                    subject=row["subject"],
                    run_started_at=rows.to_time(row["started_at"]),
                )
                for row in cursor
            ]

    def waiting(self, path: Path | None = None) -> int:
        """Return how many messages are queued, due or not; of one project, or of all."""
        with self._database.read() as connection:
            (count,) = connection.execute(
                """
                SELECT count(*) FROM message LEFT JOIN run ON run.id = run
                WHERE state = 'queued' AND (:all OR project = :project)
                """,
                {"all": path is None, "project": path and project(connection, path)},
            ).fetchone()
            return int(count)

    def make_due(self, now: datetime, *, given_up: bool = False) -> int:
        """Let queued messages be tried now; return how many are queued then.

        Args:
            now: the present moment.
            given_up: queue those again that were given up, for one more attempt.
        """
        with self._database.write() as connection:
            if given_up:
                connection.execute(
                    """
                    UPDATE recipient SET state = 'pending' WHERE state = 'failed'
                        AND message IN (SELECT id FROM message WHERE state = 'failed')
                    """
                )
                connection.execute(
                    "UPDATE message SET state = 'queued' WHERE state = 'failed'"
                )
            # What is due already stays due at the moment at which it was: another
            # process may be looking at it by a clock that it read before this one.
            connection.execute(
                """
                UPDATE message SET next_try_at = :now
                WHERE state = 'queued'
                    AND (next_try_at IS NULL OR next_try_at > :now)
                """,
                {"now": rows.from_time(now)},
            )
            (queued,) = connection.execute(
                "SELECT count(*) FROM message WHERE state = 'queued'"
            ).fetchone()
            return int(queued)

    def drop(self, number: int) -> bool:
        """Drop an undelivered message; return whether there was one to drop."""
        with self._database.write() as connection:
            dropped = connection.execute(
                """
                UPDATE message SET state = 'dropped'
                WHERE id = ? AND state IN ('queued', 'failed')
                """,
                (number,),
            ).rowcount
            return dropped > 0


def _with_old_content(
    connection: Connection, older_than: datetime, now: datetime, limit: int
) -> list[int]:
    """Return the numbers of the oldest sent messages with content of old runs."""
    first = connection.execute(
        """
        SELECT started_at FROM run WHERE id = (
            SELECT min(run) FROM message INDEXED BY message_with_content
            WHERE state = 'sent' AND length(content) > 0
        )
        """
    ).fetchone()
    begin, end = rows.from_time(older_than), rows.from_time(now)
    # The usual case, without a look at the runs: the oldest is not old.
    if first is None or begin <= first["started_at"] <= end:
        return []
    newest = newest_old_run(connection, older_than, now)
    cursor = connection.execute(
        """
        SELECT id FROM message INDEXED BY message_with_content
        WHERE state = 'sent' AND length(content) > 0 AND run <= ?
        ORDER BY run LIMIT ?
        """,
        (newest, limit),
    )
    return [number for (number,) in cursor]


def _remove_contents(connection: Connection, numbers: Sequence[int]) -> int:
    return connection.execute(
        """
        UPDATE message SET content = x''
        WHERE id IN (SELECT value FROM json_each(?)) AND state = 'sent'
        """,
        (json.dumps(numbers),),
    ).rowcount


def _moment(now: datetime) -> dict[str, int]:
    """Return the values of ``_DUE``."""
    return {
        "now": rows.from_time(now),
        "beyond": rows.from_time(now + _CREDIBLE_WAIT),
    }


def _give_up(connection: Connection, number: int) -> None:
    connection.execute(
        "UPDATE recipient SET state = 'failed' WHERE message = ? AND state = 'pending'",
        (number,),
    )


def _update_state(
    connection: Connection, number: int, owner: str, next_try_at: datetime | None
) -> MessageState:
    """Set a message's state by those of its recipients; a dropped one stays dropped."""
    (state,) = connection.execute(
        """
        UPDATE message SET
            attempts = attempts + 1,
            next_try_at = coalesce(:next_try_at, next_try_at),
            leased_until = CASE WHEN owner = :owner THEN 0 ELSE leased_until END,
            state = CASE
                WHEN state = 'dropped' THEN 'dropped'
                WHEN 'pending' IN (SELECT state FROM recipient WHERE message = :number)
                    THEN 'queued'
                WHEN 'failed' IN (SELECT state FROM recipient WHERE message = :number)
                    THEN 'failed'
                ELSE 'sent' END
        WHERE id = :number RETURNING state
        """,
        {
            "number": number,
            "owner": owner,
            "next_try_at": rows.from_time(next_try_at) if next_try_at else None,
        },
    ).fetchone()
    return MessageState(state)
