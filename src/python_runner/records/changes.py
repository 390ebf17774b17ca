"""The statements that change runs and results, within the caller's transaction.

A run goes by its row's key here, not by its public id.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.model import MailStatus, RunStatus
from python_runner.records import provenance, queries, rows, summaries
from python_runner.records.database import StoreError
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.model import Attempt, Interpreter, OpenRun, Run, ScriptResult
    from python_runner.model.provenance import RunProvenance
    from python_runner.records.log_reader import LogPlace

#: For so long, in microseconds, the last run of a project outlives the others: a series may
#: run once a year, and a folder that is gone is not remembered for ever.
_LAST_RUN_KEPT = timedelta(days=400) // timedelta(microseconds=1)


def run_key(connection: Connection, run_id: str) -> int:
    """Return the key of a run.

    Raises:
        StoreError: there is none; an earlier failure kept it from the records.
    """
    row = connection.execute(
        "SELECT id FROM run WHERE run_id = ?", (run_id,)
    ).fetchone()
    if row is None:
        reason = N_("run {run_id} is not in the records")
        raise StoreError(Sentence.of(reason, run_id=run_id))
    return int(row["id"])


def begin_run(
    connection: Connection,
    run: OpenRun,
    interpreter: Interpreter | None,
    made_of: RunProvenance | None = None,
) -> int:
    """Add a run without a status, and its scripts as planned; return its key."""
    project_key = _project_key(connection, run.path)
    key = connection.execute(
        """
        INSERT INTO run (run_id, project, name, started_at, duration, interpreter,
            interpreter_version, runner, runner_start, provenance, packages)
        VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?)
        """,
        (
            run.run_id,
            project_key,
            rows.from_string(run.project),
            rows.from_time(run.started_at),
            interpreter and rows.from_string(interpreter.path),
            interpreter and interpreter.version,
            run.runner,
            run.runner_start,
            *provenance.keep_run(connection, made_of),
        ),
    ).lastrowid
    names = [rows.from_string(script.script) for script in run.scripts]
    connection.executemany(
        "INSERT OR IGNORE INTO script (project, name) VALUES (?, ?)",
        [(project_key, name) for name in names],
    )
    connection.executemany(
        """
        INSERT INTO result (run, number, script, state)
        SELECT ?, ?, id, 'planned' FROM script WHERE project = ? AND name = ?
        """,
        [
            (key, script.number, project_key, name)
            for script, name in zip(run.scripts, names, strict=True)
        ],
    )
    return int(key or 0)


def keep_log_place(
    connection: Connection, run: int, name: str, place: LogPlace
) -> None:
    """Write up to where the log of a run's project has been compared with the runs."""
    connection.execute(
        """
        INSERT INTO log (project, name, file, offset)
        SELECT project, ?, ?, ? FROM run WHERE id = ?
        ON CONFLICT DO UPDATE SET file = excluded.file, offset = excluded.offset
        """,
        (rows.from_string(name), place.file, place.offset, run),
    )


def keep_schedule(
    connection: Connection, path: Path, terms: str | None, now: datetime, *, ran: bool
) -> None:
    """Write what the slots of a project follow from; None: it has no schedule.

    Args:
        connection: within a transaction.
        path: the project's folder.
        terms: what is configured; where the row has others it begins anew.
        now: the present moment; what is later was written by a wrong clock.
        ran: whether the whole series begins now, which settles the slots before.
    """
    project = _project_key(connection, path)
    if terms is None:
        connection.execute("DELETE FROM schedule WHERE project = ?", (project,))
        return
    connection.execute(
        """
        INSERT INTO schedule (project, terms, since, reached)
        VALUES (:project, :terms, :now, :now)
        ON CONFLICT (project) DO UPDATE SET
            since = iif(terms = :terms, min(since, :now), :now),
            reached = iif(terms = :terms AND NOT :ran, min(reached, :now), :now),
            terms = :terms
        """,
        {"project": project, "terms": terms, "now": rows.from_time(now), "ran": ran},
    )


def settle_slots(connection: Connection, run: Run) -> None:
    """Let a run that the records have missed settle the slots before it."""
    if run.status in {RunStatus.SKIPPED, RunStatus.NOT_STARTED}:
        return
    connection.execute(
        """
        UPDATE schedule SET reached = :started
        WHERE project = :project AND reached < :started
            AND NOT EXISTS (SELECT 1 FROM run WHERE run_id = :run_id)
        """,
        {
            "project": queries.project(connection, run.path),
            "started": rows.from_time(run.started_at),
            "run_id": run.run_id,
        },
    )


def keep_interpreter(connection: Connection, answer: Interpreter) -> None:
    """Write what an interpreter said of itself, in the place of what it said before."""
    values = (answer.path, answer.version, answer.base, answer.stamp)
    connection.execute(
        """
        INSERT INTO interpreter (path, version, base, stamp) VALUES (?, ?, ?, ?)
        ON CONFLICT (path) DO UPDATE SET
            version = excluded.version, base = excluded.base, stamp = excluded.stamp
        WHERE stamp <> excluded.stamp
        """,
        [value and rows.from_string(value) for value in values],
    )


def keep_unlogged(connection: Connection, run: int, numbers: Collection[int]) -> None:
    """Write which lines of a run its log does not hold, in the place of earlier ones."""
    connection.execute("DELETE FROM unlogged WHERE run = ?", (run,))
    connection.executemany(
        "INSERT INTO unlogged (run, number) VALUES (?, ?)",
        [(run, number) for number in numbers],
    )


def begin_attempt(
    connection: Connection,
    run: int,
    number: int,
    started_at: datetime | None,
    output: Path | None,
) -> None:
    """Turn a planned script into a running one; its first start is kept."""
    connection.execute(
        """
        UPDATE result SET
            state = 'running', started_at = coalesce(started_at, ?), output = ?,
            waits_until = NULL
        WHERE run = ? AND number = ? AND state IN ('planned', 'running')
        """,
        (
            started_at and rows.from_time(started_at),
            output and rows.from_path(output),
            run,
            number,
        ),
    )


def end_attempt(
    connection: Connection,
    run: int,
    number: int,
    attempt: Attempt,
    waits_until: datetime | None,
) -> None:
    """Add a script's next attempt, and until when the script waits for one more."""
    (last,) = connection.execute(
        "SELECT coalesce(max(attempt), 0) FROM attempt WHERE run = ? AND number = ?",
        (run, number),
    ).fetchone()
    _write_attempt(connection, run, number, last + 1, attempt)
    connection.execute(
        "UPDATE result SET waits_until = ? WHERE run = ? AND number = ?",
        (waits_until and rows.from_time(waits_until), run, number),
    )


def end_script(connection: Connection, run: int, result: ScriptResult) -> None:
    """Write a script's end and all its attempts, unless it has ended before."""
    values = {
        "run": run,
        "number": result.number,
        "state": result.outcome.value,
        "started_at": rows.from_time(result.started_at),
        "duration": result.duration,
        "reason": rows.from_text(result.reason),
        "output": result.output and rows.from_path(result.output),
        "provenance": provenance.keep_script(connection, result.provenance),
        "metrics": provenance.from_metrics(result.metrics),
        "unusual": rows.from_texts(result.unusual),
        # Without an attempt nothing was written where its output was to go.
        "attempts": len(result.attempts),
    }
    ended = connection.execute(
        """
        UPDATE result SET
            state = :state, started_at = :started_at, duration = :duration,
            reason = :reason, metrics = :metrics, unusual = :unusual,
            provenance = coalesce(:provenance, provenance),
            output = iif(:attempts, coalesce(:output, output), :output)
        WHERE run = :run AND number = :number AND state IN ('planned', 'running')
        """,
        values,
    ).rowcount
    if not ended:
        # It has ended before, or the records have missed all of it.
        (project,) = connection.execute(
            "SELECT project FROM run WHERE id = ?", (run,)
        ).fetchone()
        values["script"] = _script_key(connection, project, result.script)
        ended = connection.execute(
            """
            INSERT OR IGNORE INTO result
                (run, number, script, state, started_at, duration, reason, output,
                provenance, metrics, unusual)
            VALUES (:run, :number, :script, :state, :started_at, :duration, :reason,
                :output, :provenance, :metrics, :unusual)
            """,
            values,
        ).rowcount
    if ended:
        for place, attempt in enumerate(result.attempts, 1):
            _write_attempt(connection, run, result.number, place, attempt)


def end_run(connection: Connection, run: Run) -> int:
    """Write a run's end and whatever is missing of it; return its key.

    When its scripts have ended as well, ``summaries.add_run`` is due.
    """
    settle_slots(connection, run)
    if again := queries.ended(connection, run.run_id):
        summaries.forget_runs(connection, again)
    (key,) = connection.execute(
        """
        INSERT INTO run (run_id, project, name, status, started_at, duration,
            interpreter, interpreter_version, error, warnings, mail, held, held_until,
            held_reason, part, provenance, packages)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT (run_id) DO UPDATE SET
            status = excluded.status, duration = excluded.duration,
            interpreter = coalesce(excluded.interpreter, interpreter),
            interpreter_version = coalesce(
                excluded.interpreter_version, interpreter_version
            ),
            error = excluded.error, warnings = excluded.warnings, mail = excluded.mail,
            held = excluded.held, held_until = excluded.held_until,
            held_reason = excluded.held_reason, part = excluded.part,
            provenance = coalesce(excluded.provenance, provenance),
            packages = coalesce(excluded.packages, packages)
        RETURNING id
        """,
        (
            run.run_id,
            _project_key(connection, run.path),
            rows.from_string(run.project),
            run.status.value,
            rows.from_time(run.started_at),
            run.duration,
            run.interpreter and rows.from_string(run.interpreter),
            run.interpreter_version,
            rows.from_text(run.error),
            rows.from_texts(run.warnings),
            # What is queued tells more, and counts then.
            None if run.mail_status is MailStatus.NONE else run.mail_status.value,
            *rows.from_held(run.held),
            1 if run.part else None,
            *provenance.keep_run(connection, run.provenance),
        ),
    ).fetchone()
    ended = {
        row["number"]
        for row in connection.execute(
            """
            SELECT number FROM result
            WHERE run = ? AND state NOT IN ('planned', 'running')
            """,
            (key,),
        )
    }
    for result in run.scripts:
        if result.number not in ended:
            end_script(connection, key, result)
    return int(key)


def interrupt_runs(connection: Connection, runs: Sequence[int], now: datetime) -> None:
    """End the scripts of ``runs`` that have not ended: their runner is gone."""
    cursor = connection.execute(
        """
        SELECT DISTINCT run FROM result
        WHERE run IN (SELECT value FROM json_each(?)) AND state IN ('planned', 'running')
        """,
        (json.dumps(list(runs)),),
    )
    # Of a run whose scripts have all ended, as nearly every one's have, nothing is loaded.
    left_open = [run for (run,) in cursor]
    for run in left_open:
        connection.execute(
            "UPDATE result SET started_at = ? WHERE run = ? AND started_at IS NULL",
            (rows.from_time(now), run),
        )
    for run, facts in zip(left_open, queries.load(connection, left_open), strict=True):
        for result in facts.scripts:
            end_script(connection, run, result)


def delete_old_runs(
    connection: Connection, older_than: datetime, now: datetime, limit: int
) -> int:
    """Delete up to ``limit`` ended runs without undelivered mail; return how many.

    What tells how a project does stays as well, for 400 days more: its last run, the last one
    that was not held back, and the failures since that wait for others in a row.
    """
    newest = queries.newest_old_run(connection, older_than, now)
    if newest is None:
        return 0
    cursor = connection.execute(
        """
        SELECT id FROM run
        WHERE id <= :newest AND (started_at < :oldest OR started_at > :now)
            AND status IS NOT NULL AND (
                status = 'skipped' OR started_at < :forgotten OR EXISTS (
                    SELECT 1 FROM run AS later
                    WHERE later.project = run.project AND later.id > run.id
                        AND later.status IS NOT NULL AND later.status <> 'skipped'
                        AND (later.held IS NULL OR run.held IN ('remind', 'unwanted'))
                        AND (later.part IS NULL OR run.part IS NOT NULL)
                )
            ) AND NOT EXISTS (
                SELECT 1 FROM message
                WHERE message.run = run.id AND state IN ('queued', 'failed')
            )
        ORDER BY id LIMIT :limit
        """,
        {
            "newest": newest,
            "oldest": rows.from_time(older_than),
            "forgotten": rows.from_time(older_than) - _LAST_RUN_KEPT,
            "now": rows.from_time(now),
            "limit": limit,
        },
    )
    if runs := [key for (key,) in cursor]:
        summaries.forget_runs(connection, runs)
        made_of = provenance.references(connection, runs)
        connection.execute(
            "DELETE FROM run WHERE id IN (SELECT value FROM json_each(?))",
            (json.dumps(runs),),
        )
        provenance.delete_unused(connection, made_of)
        _delete_texts(connection)
    return len(runs)


def _delete_texts(connection: Connection) -> None:
    # Imported here because few commands delete runs.
    from python_runner.records.source_texts import (  # noqa: PLC0415
        delete_unneeded,
    )

    delete_unneeded(connection)


def _write_attempt(
    connection: Connection, run: int, number: int, place: int, attempt: Attempt
) -> None:
    values = {
        "run": run,
        "number": number,
        "attempt": place,
        **rows.from_attempt(attempt),
    }
    connection.execute(
        f"INSERT OR REPLACE INTO attempt ({', '.join(values)})"  # noqa: S608 - our own
        f" VALUES ({', '.join('?' * len(values))})",
        tuple(values.values()),
    )


def _project_key(connection: Connection, path: Path) -> int:
    key, folder = rows.project_key(path), rows.folder_key(path)
    if (project := queries.project(connection, path)) is None:
        (project,) = connection.execute(
            "INSERT INTO project (path, key, folder) VALUES (?, ?, ?) RETURNING id",
            (rows.from_path(path), key, folder),
        ).fetchone()
    else:
        # Another path of the same folder leaves the row as it is.
        connection.execute(
            """
            UPDATE project SET path = :path, folder = :folder
            WHERE id = :project AND key = :key
                AND (path <> :path OR folder IS NOT :folder)
            """,
            {
                "path": rows.from_path(path),
                "folder": folder,
                "project": project,
                "key": key,
            },
        )
    return int(project)


def _script_key(connection: Connection, project: int, name: str) -> int:
    values = (project, rows.from_string(name))
    connection.execute(
        "INSERT OR IGNORE INTO script (project, name) VALUES (?, ?)", values
    )
    (key,) = connection.execute(
        "SELECT id FROM script WHERE project = ? AND name = ?", values
    ).fetchone()
    return int(key)
