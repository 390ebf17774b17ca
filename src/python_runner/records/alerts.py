"""The statements that tell what people know of a project's failures.

Nothing is kept for it: the runs and their messages tell.
"""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING

from python_runner.model import AlertMemory, ToldFailure
from python_runner.model.alert import errors_of
from python_runner.model.run import error_name
from python_runner.records import rows
from python_runner.records.queries import project


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.model import Outcome

#: Whether people were told of a run: somebody has its report, or it waits. The mail
#: counts; the channels where the project has none. What left while the records could not
#: be written is known from the run alone.
_TOLD = """
    CASE WHEN EXISTS (SELECT 1 FROM message WHERE message.run = run.id) THEN EXISTS (
        SELECT 1 FROM message AS told WHERE told.run = run.id
            AND (told.audience = 'recipients' OR NOT EXISTS (
                SELECT 1 FROM message AS mail
                WHERE mail.run = run.id AND mail.audience = 'recipients'
            ))
            AND (told.state IN ('queued', 'sent') OR EXISTS (
                SELECT 1 FROM recipient
                WHERE recipient.message = told.id AND recipient.state = 'sent'
            ))
    ) ELSE coalesce(mail IN ('queued', 'sent'), 0) END
"""
#: Whether the report of a run reached nobody. What was read from a log has none: nobody knows.
_GIVEN_UP = f"""
    (mail IS 'failed' OR EXISTS (SELECT 1 FROM message WHERE message.run = run.id))
    AND NOT ({_TOLD})
"""  # noqa: S608 - our own words
#: The end of a row of failures: a success of the whole series that people could be told of.
_ENDS_ROW = "status = 'success' AND part IS NULL AND held IS NOT 'unwanted'"
#: The runs that make such a row.
_IN_ROW = "status NOT IN ('success', 'skipped') AND held IS NOT 'unwanted'"
#: Runs whose errors are compared; beyond, an error is told once more.
_MOST_TOLD = 50
#: Runs that are looked at for what is still held back.
_MOST_HELD = 2000


def alert_memory(
    connection: Connection, path: Path, run_id: str, *, errors: bool
) -> AlertMemory:
    """Return what people know of the failures of a project, a run aside.

    Args:
        connection: within a transaction.
        path: the project's folder.
        run_id: the run that it is asked for; it is left out.
        errors: whether what went wrong in them matters.
    """
    values = {"project": project(connection, path), "own": run_id}
    row = connection.execute(
        f"""
        SELECT id FROM run
        WHERE project = :project AND run_id <> :own AND {_ENDS_ROW}
        ORDER BY id DESC LIMIT 1
        """,  # noqa: S608 - our own words
        values,
    ).fetchone()
    values["last"] = row["id"] if row else 0
    in_row = f"""
        FROM run WHERE project = :project AND run_id <> :own AND {_IN_ROW}
            AND status <> 'success' AND id > :last
    """
    # Of one row alone: that of the lowest key.
    failures = connection.execute(
        f"""
        SELECT count(*) AS count, total(held IS NOT NULL OR {_GIVEN_UP}) AS untold,
            min(id), started_at {in_row}
        """,
        values,
    ).fetchone()
    # What was held back has no message.
    told = connection.execute(
        f"""
        SELECT id, status, started_at, error {in_row} AND held IS NULL AND {_TOLD}
        ORDER BY id DESC LIMIT {_MOST_TOLD}
        """,
        values,
    ).fetchall()
    failed = _failed(connection, [row["id"] for row in told if errors])
    return AlertMemory(
        failures=failures["count"],
        untold=int(failures["untold"]),
        since=rows.to_time(failures["started_at"]) if failures["count"] else None,
        told=tuple(
            ToldFailure(
                started_at=rows.to_time(row["started_at"]),
                errors=errors_of(
                    rows.known_status(row["status"]),
                    rows.to_text(row["error"]),
                    failed[row["id"]],
                )
                if errors
                else frozenset(),
            )
            for row in told
        ),
        compared=errors,
    )


def _failed(
    connection: Connection, runs: Sequence[int]
) -> defaultdict[int, list[tuple[str, Outcome, str]]]:
    """Return of each run its scripts that failed: name, outcome, name of the error."""
    found: defaultdict[int, list[tuple[str, Outcome, str]]] = defaultdict(list)
    if not runs:
        return found
    cursor = connection.execute(
        """
        SELECT result.run, name, state, fingerprint, exit_code
        FROM result JOIN script ON script.id = result.script
        LEFT JOIN attempt ON attempt.run = result.run
            AND attempt.number = result.number AND attempt.attempt = (
                SELECT max(attempt) FROM attempt
                WHERE attempt.run = result.run AND attempt.number = result.number
            )
        WHERE result.run IN (SELECT value FROM json_each(?))
            AND state NOT IN ('success', 'skipped')
        """,
        (json.dumps(runs),),
    )
    for row in cursor:
        outcome = rows.to_outcome(row["state"])
        name = error_name(outcome, row["fingerprint"], row["exit_code"])
        found[row["run"]].append((row["name"], outcome, name))
    return found


def held_back(connection: Connection, *, everything: bool, limit: int) -> list[int]:
    """Return the runs whose reports are held back, newest first.

    But for ``everything`` those are left out that a later report has told of, or that a
    success has ended.
    """
    settled = f"""
        AND NOT EXISTS (
            SELECT 1 FROM (
                SELECT *, {_TOLD} AS told FROM run
                WHERE run.project = own.project AND run.id > own.id
                    AND status IS NOT NULL AND status <> 'skipped'
            ) WHERE ({_ENDS_ROW}) OR ({_IN_ROW} AND told)
        )
    """  # noqa: S608 - our own words
    cursor = connection.execute(
        f"""
        SELECT id FROM (
            SELECT id, project FROM run INDEXED BY run_held
            WHERE held IS NOT NULL AND held <> 'unwanted' ORDER BY id DESC LIMIT :most
        ) AS own WHERE 1 {"" if everything else settled}
        ORDER BY id DESC LIMIT :limit
        """,  # noqa: S608 - likewise
        {"most": _MOST_HELD, "limit": limit},
    )
    return [key for (key,) in cursor]
