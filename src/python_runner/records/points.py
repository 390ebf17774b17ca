"""Runs as points of a chart: few facts of many runs, without their scripts' texts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.records import rows
from python_runner.records.queries import project


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.model import Outcome, RunStatus
    from python_runner.records.database import Database

#: Behind the key of any run.
_BEYOND = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPoint:
    """A run that has ended.

    Attributes:
        place: its place in the order of recording; ``before`` of :meth:`Points.runs`.
        duration: seconds.
    """

    place: int
    run_id: str
    status: RunStatus
    started_at: datetime
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultPoint:
    """How a script ended in a run.

    Attributes:
        place: of the run; see :class:`RunPoint`.
        duration: seconds.
    """

    place: int
    run_id: str
    script: str
    number: int
    outcome: Outcome
    duration: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorPoint:
    """A failure of a script.

    Attributes:
        exception: what ended it, in one line; None where that is not known.
        fingerprint: the same for one fault; None where that is not known.
    """

    run_id: str
    script: str
    number: int
    outcome: Outcome
    started_at: datetime
    exception: str | None
    fingerprint: str | None


class Points:
    """What charts ask of a database; raises :class:`StoreError` as the store does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def runs(
        self,
        path: Path,
        limit: int,
        *,
        before: int | None = None,
        since: datetime | None = None,
        failed: bool = False,
    ) -> list[RunPoint]:
        """Return ended runs of a project, the last recorded first.

        Args:
            path: the project's folder.
            limit: how many at most.
            before: the place of a run; it and what was recorded later is left out.
            since: leave out what began earlier.
            failed: leave out successes, and runs that were skipped.
        """
        status = (
            "status <> 'success' AND status <> 'skipped'"
            if failed
            else "status IS NOT NULL"
        )
        bound = "AND started_at >= :since" if since else ""
        with self._database.read() as connection:
            cursor = connection.execute(
                f"""
                SELECT id, run_id, status, started_at, duration FROM run
                WHERE project = :project AND {status} AND id < :before {bound}
                ORDER BY id DESC LIMIT :limit
                """,  # noqa: S608 - our own words
                {
                    "project": project(connection, path),
                    "before": _BEYOND if before is None else before,
                    "since": since and rows.from_time(since),
                    "limit": limit,
                },
            )
            return [
                RunPoint(
                    place=row["id"],
                    run_id=row["run_id"],
                    status=ended,
                    started_at=rows.to_time(row["started_at"]),
                    duration=row["duration"],
                )
                for row in cursor
                if (ended := rows.to_status(row["status"]))
            ]

    def results(self, places: Sequence[int], most: int) -> list[ResultPoint]:
        """Return how the scripts of runs ended, run by run in the order of recording.

        Args:
            places: of the runs.
            most: scripts of a run that are looked at.
        """
        with self._database.read() as connection:
            cursor = connection.execute(
                """
                SELECT run.id, run_id, script.name, number, state, result.duration
                FROM run JOIN result ON result.run = run.id
                JOIN script ON script.id = result.script
                WHERE run.id IN (SELECT value FROM json_each(?))
                    AND status IS NOT NULL AND number <= ?
                    AND state NOT IN ('planned', 'running')
                ORDER BY run.id, number
                """,
                (json.dumps(list(places)), most),
            )
            return [
                ResultPoint(
                    place=row["id"],
                    run_id=row["run_id"],
                    script=row["name"],
                    number=row["number"],
                    outcome=rows.to_outcome(row["state"]),
                    duration=row["duration"],
                )
                for row in cursor
            ]

    def errors(self, places: Sequence[int], most: int) -> list[ErrorPoint]:
        """Return the scripts of runs that did not succeed, the last recorded first.

        Skipped scripts are left out.

        Args:
            places: of the runs.
            most: how many at most.
        """
        with self._database.read() as connection:
            return _errors(connection, places, most)

    def exists(self, run_id: str) -> bool | None:
        """Say whether a run has ended; None where there is none of this id."""
        with self._database.read() as connection:
            row = connection.execute(
                "SELECT status IS NOT NULL FROM run WHERE run_id = ?", (run_id,)
            ).fetchone()
        return None if row is None else bool(row[0])


def _errors(
    connection: Connection, places: Sequence[int], most: int
) -> list[ErrorPoint]:
    cursor = connection.execute(
        """
        SELECT run_id, script.name, result.number, state, result.started_at, exception,
            fingerprint
        FROM run JOIN result ON result.run = run.id
        JOIN script ON script.id = result.script
        LEFT JOIN attempt ON attempt.run = result.run
            AND attempt.number = result.number AND attempt.attempt = (
                SELECT max(attempt) FROM attempt
                WHERE attempt.run = result.run AND attempt.number = result.number
            )
        WHERE run.id IN (SELECT value FROM json_each(?)) AND status IS NOT NULL
            AND state NOT IN ('success', 'skipped', 'planned', 'running')
        ORDER BY run.id DESC, result.number LIMIT ?
        """,
        (json.dumps(list(places)), most),
    )
    return [
        ErrorPoint(
            run_id=row["run_id"],
            script=row["name"],
            number=row["number"],
            outcome=rows.to_outcome(row["state"]),
            started_at=rows.to_time(row["started_at"]),
            exception=row["exception"],
            fingerprint=row["fingerprint"],
        )
        for row in cursor
    ]
