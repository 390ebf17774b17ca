"""What a digest asks the records, and which digests have been mailed.

However many runs the records hold, a question reads those of the digest's time, or a
bounded number of the newest ones.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import HeldBy
from python_runner.model.digest import ScriptTotals
from python_runner.records import rows
from python_runner.records.queries import project


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.model import Message, RunStatus
    from python_runner.records.database import Database
    from python_runner.records.message_queue import MessageQueue

#: Runs whose starts are looked at; of each hour one is told.
_NEWEST_STARTS = 20_000
#: Runs that took longer are counted in no digest: it reads the runs of so long before it.
_LONGEST_RUN = timedelta(days=2)
_HOUR = timedelta(hours=1) // timedelta(microseconds=1)
#: Digests whose contents are kept, and those that are remembered at all.
_CONTENTS, _REMEMBERED = 200, 2000


@dataclass(frozen=True, slots=True)
class Undelivered:
    """How many reports wait for delivery, and how many have been given up lately."""

    waiting: int = 0
    given_up: int = 0


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a digest is about.

    Attributes:
        kind: what was asked for, as ``7d``; empty: the time since the last digest.
    """

    since: datetime
    until: datetime
    kind: str = ""


class Digests:
    """The digests of one database; raises :class:`StoreError` as the store does."""

    def __init__(self, database: Database, messages: MessageQueue) -> None:
        self._database = database
        self._messages = messages

    def counts(
        self, paths: Sequence[Path], period: Period
    ) -> dict[Path, dict[RunStatus, int]]:
        """Return how many runs of each project ended how in the digest's time.

        One that was active when the last digest was made is told by this one.
        """
        with self._database.read() as connection:
            keys = {project(connection, path): path for path in paths}
            found: dict[Path, dict[RunStatus, int]] = {path: {} for path in paths}
            # Those of the time in question, whatever else the projects have.
            for row in connection.execute(
                """
                SELECT project, status, count(*) AS runs FROM run INDEXED BY run_begun
                WHERE status IS NOT NULL
                    AND started_at BETWEEN :begun AND :until
                    AND started_at + duration * 1000000 >= :since
                    AND started_at + duration * 1000000 < :until
                GROUP BY project, status
                """,
                _times(period),
            ):
                status = rows.to_status(row["status"])
                if row["project"] in keys and status is not None:
                    found[keys[row["project"]]][status] = row["runs"]
        return found

    def unusual(self, paths: Sequence[Path], period: Period) -> dict[Path, str]:
        """Return for projects the last run that ended then with an unusual success."""
        with self._database.read() as connection:
            keys = {project(connection, path): path for path in paths}
            cursor = connection.execute(
                """
                SELECT project, run_id FROM run INDEXED BY run_begun
                WHERE status IS NOT NULL
                    AND started_at BETWEEN :begun AND :until
                    AND started_at + duration * 1000000 >= :since
                    AND started_at + duration * 1000000 < :until
                    AND EXISTS (
                        SELECT 1 FROM result
                        WHERE result.run = run.id AND unusual IS NOT NULL
                    )
                ORDER BY run.id
                """,
                _times(period),
            )
            return {
                keys[row["project"]]: row["run_id"]
                for row in cursor
                if row["project"] in keys
            }

    def held(
        self, paths: Sequence[Path], period: Period
    ) -> dict[Path, dict[HeldBy, int]]:
        """Return how many runs of each project were held back in the digest's time."""
        with self._database.read() as connection:
            keys = {project(connection, path): path for path in paths}
            found: dict[Path, dict[HeldBy, int]] = {path: {} for path in paths}
            for row in connection.execute(
                """
                SELECT project, held, count(*) AS runs FROM run INDEXED BY run_begun
                WHERE status IS NOT NULL AND held IN ('mail_after', 'remind')
                    AND started_at BETWEEN :begun AND :until
                    AND started_at + duration * 1000000 >= :since
                    AND started_at + duration * 1000000 < :until
                GROUP BY project, held ORDER BY held
                """,
                _times(period),
            ):
                if row["project"] in keys:
                    found[keys[row["project"]]][HeldBy(row["held"])] = row["runs"]
        return found

    def scripts(self, paths: Sequence[Path], period: Period) -> list[ScriptTotals]:
        """Return what each script did in runs that ended then, by its name."""
        with self._database.read() as connection:
            keys = {project(connection, path): path for path in paths}
            cursor = connection.execute(
                """
                SELECT run.project, max(run.name) AS project_name, script.name,
                    count(*) AS runs, sum(state <> 'success') AS failed,
                    avg(iif(state = 'success', result.duration, NULL)) AS usual,
                    max(result.duration) AS longest
                FROM run INDEXED BY run_begun
                CROSS JOIN result ON result.run = run.id
                JOIN script ON script.id = result.script
                WHERE status IS NOT NULL
                    AND run.started_at BETWEEN :begun AND :until
                    AND run.started_at + run.duration * 1000000 >= :since
                    AND run.started_at + run.duration * 1000000 < :until
                    AND state NOT IN ('skipped', 'planned', 'running')
                GROUP BY script.id ORDER BY script.name
                """,
                _times(period),
            )
            return [
                ScriptTotals(
                    path=keys[row["project"]],
                    project=row["project_name"],
                    script=row["name"],
                    runs=row["runs"],
                    failed=row["failed"],
                    usual=row["usual"],
                    longest=row["longest"],
                )
                for row in cursor
                if row["project"] in keys
            ]

    def starts(self, path: Path, now: datetime, limit: int) -> list[datetime]:
        """Return when ended runs of a project began, the latest of each hour first.

        Whatever came of them: also those that were skipped.
        """
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT max(started_at) AS start FROM (
                    SELECT started_at FROM run
                    WHERE project = :project AND status IS NOT NULL
                    ORDER BY id DESC LIMIT :newest
                ) WHERE started_at <= :now
                GROUP BY started_at / :hour ORDER BY start DESC LIMIT :limit
                """,
                {
                    "project": project(connection, path),
                    "now": rows.from_time(now),
                    "newest": _NEWEST_STARTS,
                    "hour": _HOUR,
                    "limit": limit,
                },
            )
            return [rows.to_time(start) for (start,) in cursor]

    def undelivered(
        self, paths: Sequence[Path], since: datetime
    ) -> dict[Path | None, Undelivered]:
        """Return what is not delivered of each project; None stands for the digests.

        What was given up counts while no later report has told of it, and where its last
        attempt was due ``since`` then.
        """
        with self._database.read() as connection:
            keys: dict[int | None, Path | None] = {
                **{project(connection, path): path for path in paths},
                None: None,
            }
            cursor = connection.execute(
                """
                SELECT run.project, sum(state = 'queued') AS waiting,
                    sum(state = 'failed') AS given_up
                FROM message LEFT JOIN run ON run.id = message.run
                WHERE state IN ('queued', 'failed') AND (
                    state = 'queued' OR announced_by IS NULL OR next_try_at >= ?
                )
                GROUP BY run.project
                """,
                (rows.from_time(since),),
            )
            return {
                keys[row["project"]]: Undelivered(row["waiting"], row["given_up"])
                for row in cursor
                if row["project"] in keys
            }

    def last(
        self, paths: Collection[Path], kind: str
    ) -> dict[Path, tuple[datetime, datetime]]:
        """Return the period of the last digest of a kind that was mailed of projects."""
        with self._database.read() as connection:
            found = _last(connection, paths, kind)
        return {
            path: (rows.to_time(since), rows.to_time(until))
            for path, (since, until) in found.items()
        }

    def queue(
        self,
        digests: Sequence[tuple[Path, Message]],
        paths: Collection[Path],
        period: Period,
        *,
        again_after: timedelta | None,
    ) -> bool:
        """Queue digests and remember their period, all or nothing; say whether it was done.

        Args:
            digests: each with the folder of a project that names its channel.
            paths: the folders of the projects that they are about.
            period: what is remembered of these.
            again_after: nothing is done where all of them were in a digest of this kind
                that ended less than so long before this one. None: it is, all the same.
        """
        now = rows.from_time(period.until)
        values = (period.kind, rows.from_time(period.since), now)
        with self._database.write() as connection:
            if again_after is not None:
                least = again_after // timedelta(microseconds=1)
                last = _last(connection, paths, period.kind)
                # A clock that was set back a little makes no second digest.
                if all(
                    path in last and abs(now - last[path][1]) < least for path in paths
                ):
                    return False
            for folder, message in digests:
                (number,) = connection.execute(
                    "INSERT INTO digest (path) VALUES (?) RETURNING id",
                    (rows.from_path(folder),),
                ).fetchone()
                self._messages.put(
                    connection, None, message, period.until, digest=number
                )
            connection.executemany(
                """
                INSERT INTO digested (project, kind, since, until) VALUES (?, ?, ?, ?)
                ON CONFLICT DO UPDATE SET since = excluded.since, until = excluded.until
                """,
                [(rows.project_key(path), *values) for path in paths],
            )
            _forget_old(connection)
        return True


def _times(period: Period) -> dict[str, int]:
    return {
        "begun": rows.from_time(period.since - _LONGEST_RUN),
        "since": rows.from_time(period.since),
        "until": rows.from_time(period.until),
    }


def _last(
    connection: Connection, paths: Collection[Path], kind: str
) -> Mapping[Path, tuple[int, int]]:
    keys = {rows.project_key(path): path for path in paths}
    cursor = connection.execute(
        """
        SELECT project, since, until FROM digested
        WHERE kind = ? AND project IN (SELECT value FROM json_each(?))
        """,
        (kind, json.dumps(list(keys))),
    )
    return {keys[row["project"]]: (row["since"], row["until"]) for row in cursor}


def _forget_old(connection: Connection) -> None:
    """Forget old digests, as far as they are delivered: by their number, by no clock."""
    (newest,) = connection.execute("SELECT coalesce(max(id), 0) FROM digest").fetchone()
    connection.execute(
        """
        UPDATE message SET content = x''
        WHERE digest BETWEEN ? AND ? AND state = 'sent' AND length(content) > 0
        """,
        # Older ones are empty since the digests before this one.
        (newest - 2 * _CONTENTS, newest - _CONTENTS),
    )
    connection.execute(
        """
        DELETE FROM digest WHERE id <= ? AND NOT EXISTS (
            SELECT 1 FROM message
            WHERE digest = digest.id AND state IN ('queued', 'failed')
        )
        """,
        (newest - _REMEMBERED,),
    )
