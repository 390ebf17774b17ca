"""What the writer keeps of the runs so that nobody has to read all of them.

A row for each project (``summary``), one for each day on which it ran (``day``), and one
for each error (``error``, with ``failure``, where it was met). They are changed in the
transaction that ends a run or deletes some: what the runs say and what is kept of them
never differ. A run goes by its row's key here.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING

from python_runner.model import RunStatus


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from sqlite3 import Connection, Row

    from python_runner.model.overview import RecentRun

#: Runs of a project whose status and duration are kept.
RECENT = 30
#: What says something about a project: a run that has ended and was not skipped.
OWN = "status IS NOT NULL AND status <> 'skipped'"
#: States of a result that are an error of its script.
ERRORS = "('failure', 'timeout', 'not_started')"
#: The day on which a run began, as the calendar of this computer has it.
DAY = "coalesce(date(started_at / 1000000, 'unixepoch', 'localtime'), '1970-01-01')"
#: How many scripts a run had, also one that an older version has written.
SCRIPTS = "coalesce(scripts, (SELECT count(*) FROM result WHERE run = own.id))"


@lru_cache(maxsize=2000)
def recent_runs(column: str) -> tuple[RecentRun, ...]:
    """Return what the column ``recent`` holds, newest first; what is damaged is left out."""
    # Imported here because a run that ends only writes it.
    from python_runner.model.overview import RecentRun  # noqa: PLC0415

    found = []
    for entry in column.split():
        try:
            key, status, duration, scripts = entry.split(":")
            run = RecentRun(
                key=int(key),
                status=RunStatus(status),
                duration=float(duration),
                scripts=int(scripts),
            )
        except ValueError:
            continue
        found.append(run)
    return tuple(found)


def add_run(connection: Connection, key: int) -> None:
    """Add a run that has just ended, with all of its results."""
    run = connection.execute(
        f"""
        UPDATE run SET (scripts, failed) = (
            SELECT count(*), coalesce(sum(state <> 'success'), 0)
            FROM result WHERE run = run.id
        )
        WHERE id = ? AND status IS NOT NULL
        RETURNING id, project, status, duration, scripts, failed, {DAY} AS day
        """,  # noqa: S608 - our own words
        (key,),
    ).fetchone()
    if run is None or run["status"] == "skipped":
        return
    good = run["status"] == "success"
    connection.execute(
        """
        INSERT INTO day (project, day, succeeded, failed) VALUES (?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET
            succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed
        """,
        (run["project"], run["day"], good, not good),
    )
    if run["failed"]:
        _add_errors(connection, key)
    _add_to_summary(connection, run, good=good)


def forget_runs(connection: Connection, keys: Sequence[int]) -> None:
    """Take out runs that are going to be deleted, or to be added once more."""
    runs = json.dumps(keys)
    days = connection.execute(
        f"""
        SELECT project, {DAY} AS day, sum(status = 'success') AS good, count(*) AS count
        FROM run WHERE id IN (SELECT value FROM json_each(?)) AND {OWN} GROUP BY 1, 2
        """,  # noqa: S608 - our own words
        (runs,),
    ).fetchall()
    for row in days:
        where = (row["project"], row["day"])
        connection.execute(
            """
            UPDATE day SET succeeded = max(succeeded - ?, 0), failed = max(failed - ?, 0)
            WHERE project = ? AND day = ?
            """,
            (row["good"], row["count"] - row["good"], *where),
        )
        connection.execute(
            """
            DELETE FROM day WHERE project = ? AND day = ? AND succeeded + failed <= 0
            """,
            where,
        )
    _forget_errors(connection, runs)
    _forget_in_summaries(connection, {row["project"] for row in days}, keys)


def _add_errors(connection: Connection, key: int) -> None:
    connection.execute(
        f"""
        INSERT OR IGNORE INTO failure (script, error, run, number)
        SELECT script, error_key(state, fingerprint, exit_code, script), result.run,
            result.number
        FROM result LEFT JOIN attempt ON attempt.run = result.run
            AND attempt.number = result.number AND attempt = (
                SELECT max(attempt) FROM attempt
                WHERE run = result.run AND number = result.number
            )
        WHERE result.run = ? AND state IN {ERRORS}
        """,  # noqa: S608 - our own words
        (key,),
    )
    connection.execute(
        """
        INSERT INTO error (error, script, count, first, last)
        SELECT error, script, count(*), run, run FROM failure
        WHERE run = ? GROUP BY error, script
        ON CONFLICT DO UPDATE SET
            count = count + excluded.count,
            first = min(first, excluded.first), last = max(last, excluded.last)
        """,
        (key,),
    )


def _forget_errors(connection: Connection, runs: str) -> None:
    gone = connection.execute(
        """
        SELECT error, script, count(*) AS count FROM failure
        WHERE run IN (SELECT value FROM json_each(?)) GROUP BY 1, 2
        """,
        (runs,),
    ).fetchall()
    connection.execute(
        "DELETE FROM failure WHERE run IN (SELECT value FROM json_each(?))", (runs,)
    )
    for row in gone:
        left = connection.execute(
            "SELECT min(run), max(run) FROM failure WHERE script = ? AND error = ?",
            (row["script"], row["error"]),
        ).fetchone()
        where = (row["error"], row["script"])
        if left[0] is None:
            connection.execute(
                "DELETE FROM error WHERE error = ? AND script = ?", where
            )
            continue
        connection.execute(
            """
            UPDATE error SET count = count - ?, first = ?, last = ?
            WHERE error = ? AND script = ?
            """,
            (row["count"], *left, *where),
        )


def _add_to_summary(connection: Connection, run: Row, *, good: bool) -> None:
    """Let a run follow what is kept of its project, where it is the newest one."""
    key, project = run["id"], run["project"]
    kept = connection.execute(
        "SELECT * FROM summary WHERE project = ?", (project,)
    ).fetchone()
    if kept is None or kept["last"] >= key:
        _summarize(connection, project)
        return
    goes_on = good is (kept["succeeded"] == kept["last"])
    entry = ":".join(
        map(str, (key, run["status"], round(float(run["duration"]), 3), run["scripts"]))
    )
    recent = [entry, *kept["recent"].split(" ", RECENT - 1)[: RECENT - 1]]
    connection.execute(
        """
        UPDATE summary SET last = ?, succeeded = ?, since = ?, streak = ?, recent = ?
        WHERE project = ?
        """,
        (
            key,
            key if good else kept["succeeded"],
            kept["since"] if goes_on else key,
            kept["streak"] + 1 if goes_on else 1,
            " ".join(recent),
            project,
        ),
    )


def _forget_in_summaries(
    connection: Connection, projects: Collection[int], keys: Sequence[int]
) -> None:
    for project in projects:
        kept = connection.execute(
            "SELECT * FROM summary WHERE project = ?", (project,)
        ).fetchone()
        if kept is None:
            continue
        oldest = min(run.key for run in recent_runs(kept["recent"]))
        if max(keys) >= oldest or kept["succeeded"] in keys:
            _summarize(connection, project, without=keys)
        elif max(keys) >= kept["since"]:
            _shorten_streak(connection, project, keys)


def _shorten_streak(connection: Connection, project: int, keys: Sequence[int]) -> None:
    """Let the streak of a project begin behind runs that are deleted."""
    values = {"project": project, "without": json.dumps(list(keys))}
    connection.execute(
        f"""
        UPDATE summary SET
            streak = streak - (
                SELECT count(*) FROM run
                WHERE id IN (SELECT value FROM json_each(:without))
                    AND project = :project AND id >= since AND {OWN}
            ),
            since = (
                SELECT id FROM run WHERE project = :project AND {OWN} AND id >= since
                    AND id NOT IN (SELECT value FROM json_each(:without))
                ORDER BY id LIMIT 1
            )
        WHERE project = :project
        """,  # noqa: S608 - our own words
        values,
    )


def _summarize(
    connection: Connection, project: int, *, without: Sequence[int] = ()
) -> None:
    """Make the row of a project from its runs, some of which are left out."""
    connection.execute("DELETE FROM summary WHERE project = ?", (project,))
    # The first query walks the runs of the project, which happens when something is
    # deleted or comes late.
    connection.execute(
        f"""
        WITH own AS (
            SELECT id, status, duration, scripts FROM run
            WHERE project = :project AND {OWN}
                AND id NOT IN (SELECT value FROM json_each(:without))
        ), ends AS (
            SELECT max(id) AS last,
                max(iif(status = 'success', id, NULL)) AS succeeded,
                max(iif(status = 'success', NULL, id)) AS failed
            FROM own
        ), turn AS (
            SELECT last, succeeded,
                min(coalesce(succeeded, 0), coalesce(failed, 0)) AS before
            FROM ends
        )
        INSERT INTO summary (project, last, succeeded, since, streak, recent)
        SELECT :project, last, succeeded,
            (SELECT min(id) FROM own WHERE id > before),
            (SELECT count(*) FROM own WHERE id > before),
            (SELECT group_concat(entry, ' ') FROM (
                SELECT id || ':' || status || ':' || round(duration, 3) || ':'
                    || {SCRIPTS} AS entry
                FROM own ORDER BY id DESC LIMIT {RECENT}
            ))
        FROM turn WHERE last IS NOT NULL
        """,  # noqa: S608 - our own words
        {"project": project, "without": json.dumps(list(without))},
    )
