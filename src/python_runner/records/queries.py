"""The statements that read runs and results, within the caller's transaction.

Runs are found first, by the key of their row, and loaded together then: four statements,
however many runs.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import (
    Interpreter,
    KnownSchedule,
    Outcome,
    PastBounds,
    PastResult,
    ProjectState,
    RunHead,
    Streak,
)
from python_runner.records import provenance, rows


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path
    from sqlite3 import Connection, Row

    from python_runner.model import Attempt, OpenRun, Run, ScriptResult
    from python_runner.model.history import Bounds
    from python_runner.model.provenance import RunProvenance
    from python_runner.records.log_reader import LogPlace

_NEWEST = """
    SELECT id FROM run WHERE {since} status {status} ORDER BY id DESC LIMIT :limit
"""
# The newest of each project first: one sort over all their runs would be slow.
_NEWEST_OF_PROJECTS = """
    SELECT run.id FROM project JOIN run ON run.id IN (
        SELECT id FROM run
        WHERE project = project.id AND {since} status {status}
        ORDER BY id DESC LIMIT :limit
    )
    WHERE project.id IN (SELECT value FROM json_each(:projects))
    ORDER BY run.id DESC LIMIT :limit
"""
#: The ended runs of a project that say something about it.
_OWN_RUNS = """
    SELECT id, status, started_at, duration FROM run
    WHERE project = :project AND status IS NOT NULL AND status <> 'skipped'
"""
#: The latest results of a script; metrics that are damaged are unknown.
_LATEST = """
    WITH latest AS (
        SELECT state, result.duration AS duration,
            iif(json_valid(metrics), metrics, NULL) AS metrics
        FROM result JOIN run ON run.id = result.run
        WHERE script = (
            SELECT id FROM script WHERE project = :project AND name = :script
        ) AND status IS NOT NULL
        ORDER BY result.run DESC LIMIT :limit
    )
"""
#: Runs in a row that are counted, and those whose durations tell the usual one.
_LONGEST_STREAK = 1000
_USUAL_RUNS = 50
#: Behind the key of any run.
_BEYOND = 2**63 - 1
#: The clock is believed where no two runs are further apart. Whoever runs something
#: every quarter forgets the past as anybody else does.
_LONGEST_BREAK = timedelta(days=100)


def project(connection: Connection, path: Path) -> int | None:
    """Return the key of a project's row; None where there is none.

    A path that is known stands for its own row, so that a link goes on with its history
    when it leads to another folder by now. Any other path stands for the newest row of
    the folder that it leads to.
    """
    row = connection.execute(
        "SELECT id FROM project WHERE key = ?", (rows.project_key(path),)
    ).fetchone()
    if row is None:
        # Only here the disk is asked where the path leads.
        row = connection.execute(
            """
            SELECT id FROM project WHERE coalesce(folder, key) = ?
            ORDER BY id DESC LIMIT 1
            """,
            (rows.folder_key(path),),
        ).fetchone()
    return row and int(row["id"])


def _projects(connection: Connection, paths: Sequence[Path]) -> str:
    return json.dumps([project(connection, path) for path in paths])


def newest(
    connection: Connection,
    *,
    projects: Sequence[Path],
    failed: bool,
    since: datetime | None,
    until: datetime | None = None,
    limit: int,
) -> list[int]:
    """Return the keys of ended runs, newest first; see :meth:`Store.runs`."""
    # The first half is that of the indexes.
    failure = "<> 'success' AND status <> 'skipped'"
    status = failure if failed else "IS NOT NULL"
    return _newest(
        connection, status, projects=projects, since=since, until=until, limit=limit
    )


def is_skip_told(connection: Connection, path: Path, since: datetime) -> bool:
    """Say whether a skipped run is reported; see :meth:`Store.is_skip_told`."""
    cursor = connection.execute(
        """
        SELECT 1 FROM run
        WHERE project = :project AND status <> 'success' AND status = 'skipped'
            AND started_at >= :since AND (
                mail IS NOT NULL
                OR EXISTS (SELECT 1 FROM message WHERE message.run = run.id)
            )
        LIMIT 1
        """,
        {"project": project(connection, path), "since": rows.from_time(since)},
    )
    return cursor.fetchone() is not None


def last_run(connection: Connection, projects: Sequence[Path]) -> str | None:
    """Return the id of the run recorded last; see :meth:`Store.last_run`."""
    for status in ("IS NOT 'skipped'", "IS 'skipped'"):
        for key in _newest(connection, status, projects=projects, limit=1):
            cursor = connection.execute("SELECT run_id FROM run WHERE id = ?", (key,))
            return str(cursor.fetchone()["run_id"])
    return None


def last_begin(connection: Connection) -> tuple[str, datetime] | None:
    """Return the run that began last by its clock; see :meth:`Store.last_begin`."""
    row = connection.execute(
        """
        SELECT name, started_at FROM run WHERE status IS NOT NULL
        ORDER BY started_at DESC LIMIT 1
        """
    ).fetchone()
    return (row["name"], rows.to_time(row["started_at"])) if row else None


def _newest(
    connection: Connection,
    status: str,
    *,
    projects: Sequence[Path],
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int,
) -> list[int]:
    bounds = "started_at >= :since AND" if since else ""
    if until:
        bounds += " started_at < :until AND"
    statement = _NEWEST_OF_PROJECTS if projects else _NEWEST
    cursor = connection.execute(
        statement.format(status=status, since=bounds),
        {
            "projects": _projects(connection, projects),
            "since": since and rows.from_time(since),
            "until": until and rows.from_time(until),
            "limit": limit,
        },
    )
    return [key for (key,) in cursor]


def run_ids(connection: Connection, prefix: str, limit: int) -> list[str]:
    """Return the first ids that begin with ``prefix``, those of open runs included."""
    cursor = connection.execute(
        """
        SELECT run_id FROM run WHERE run_id >= :prefix AND run_id < :beyond
        ORDER BY run_id LIMIT :limit
        """,
        # "g" comes after every hexadecimal digit.
        {"prefix": prefix, "beyond": f"{prefix}g", "limit": limit},
    )
    return [run_id for (run_id,) in cursor]


def newest_ids(connection: Connection, prefix: str, limit: int) -> list[RunHead]:
    """Return the runs whose ids begin so, newest first; see ``Store.newest_ids``."""
    cursor = connection.execute(
        """
        SELECT run_id, name, status, started_at FROM run
        WHERE run_id >= :prefix AND run_id < :beyond ORDER BY id DESC LIMIT :limit
        """,
        {"prefix": prefix, "beyond": f"{prefix}g", "limit": limit},
    )
    return [
        RunHead(
            run_id=row["run_id"],
            project=row["name"],
            status=rows.to_status(row["status"]),
            started_at=rows.to_time(row["started_at"]),
        )
        for row in cursor
    ]


def short_ids(connection: Connection, run_ids: Iterable[str], least: int) -> list[str]:
    """Return how the ids begin that no other run's id does; see ``Store.short_ids``."""
    short = []
    for run_id in run_ids:
        # Next to it in the order of the ids is what is most like it.
        others = connection.execute(
            """
            SELECT max(run_id) FROM run WHERE run_id < :id
            UNION ALL SELECT min(run_id) FROM run WHERE run_id > :id
            """,
            {"id": run_id},
        )
        alike = max(_common(run_id, other or "") for (other,) in others)
        short.append(run_id[: max(least, alike + 1)])
    return short


def _common(one: str, other: str) -> int:
    """Return with how many characters both begin."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def project_paths(connection: Connection) -> list[str]:
    """Return the paths of the projects that have runs."""
    # Those that have ended and those that have not have an index each. Without one all
    # runs would be looked at until the first one of a project comes.
    cursor = connection.execute(
        """
        SELECT path FROM project
        WHERE EXISTS (
            SELECT 1 FROM run WHERE run.project = project.id AND status IS NOT NULL
        ) OR EXISTS (
            SELECT 1 FROM run WHERE run.project = project.id AND status IS NULL
        )
        """
    )
    return [path for (path,) in cursor]


def project_state(connection: Connection, path: Path) -> ProjectState:
    """Return how a project does; see :meth:`Store.project_state`."""
    of_project = {"project": project(connection, path)}
    newest = connection.execute(
        f"{_OWN_RUNS} ORDER BY id DESC LIMIT 1", of_project
    ).fetchone()
    if newest is None:
        return ProjectState()
    succeeded = newest["status"] == "success"
    same, other = ("=", "<>") if succeeded else ("<>", "=")
    before = connection.execute(
        f"{_OWN_RUNS} AND status {other} 'success' ORDER BY id DESC LIMIT 1", of_project
    ).fetchone()
    streak = connection.execute(
        f"{_OWN_RUNS} AND status {same} 'success' AND id > :before ORDER BY id LIMIT :most",
        {
            **of_project,
            "before": before["id"] if before else 0,
            "most": _LONGEST_STREAK,
        },
    ).fetchall()
    [last] = load(connection, [newest["id"]])
    durations = connection.execute(
        f"""
        SELECT duration, (SELECT count(*) FROM result WHERE run = own.id) AS scripts
        FROM ({_OWN_RUNS} AND status = 'success' ORDER BY id DESC LIMIT :most) AS own
        """,  # noqa: S608 - our own words
        {**of_project, "most": _USUAL_RUNS},
    ).fetchall()
    # Those of the whole series, without the runs of a part of it.
    whole = max((row["scripts"] for row in durations), default=0)
    return ProjectState(
        last=last,
        streak=Streak(count=len(streak), since=rows.to_time(streak[0]["started_at"])),
        durations=tuple(r["duration"] for r in durations if r["scripts"] == whole),
    )


def newest_first(connection: Connection, run_ids: Iterable[str]) -> list[str]:
    """Return the ids of recorded runs, the last recorded first."""
    cursor = connection.execute(
        """
        SELECT run_id FROM run WHERE run_id IN (SELECT value FROM json_each(?))
        ORDER BY id DESC
        """,
        (json.dumps(list(run_ids)),),
    )
    return [run_id for (run_id,) in cursor]


def ended(connection: Connection, run_id: str) -> list[int]:
    """Return the ended run with this id, if there is one."""
    cursor = connection.execute(
        "SELECT id FROM run WHERE run_id = ? AND status IS NOT NULL", (run_id,)
    )
    return [key for (key,) in cursor]


def before_run(connection: Connection, run_id: str | None) -> int:
    """Return the key that limits what was recorded before a run.

    What is not in the records is going to be the last.
    """
    if run_id is None:
        return _BEYOND
    row = connection.execute(
        "SELECT id FROM run WHERE run_id = ?", (run_id,)
    ).fetchone()
    return int(row["id"]) if row else _BEYOND


def keys_of_open_runs(connection: Connection, path: Path) -> list[int]:
    """Return the runs of a project that never ended, oldest first."""
    cursor = connection.execute(
        """
        SELECT id FROM run WHERE project = ? AND status IS NULL ORDER BY id
        """,
        (project(connection, path),),
    )
    return [key for (key,) in cursor]


def newest_old_run(
    connection: Connection, older_than: datetime, now: datetime
) -> int | None:
    """Return the key of the last run that is old; None where no run is for sure.

    A run is old by its own clock and by the others': what was recorded behind one that
    is not old is not old either. Where no run was recorded for a long time, the present
    clock may be wrong; the runs to come will tell.
    """
    times = {"oldest": rows.from_time(older_than), "now": rows.from_time(now)}
    row = connection.execute(
        """
        SELECT id, started_at FROM run
        WHERE +started_at < :oldest AND status IS NOT NULL AND id < coalesce((
            SELECT min(id) FROM run
            WHERE started_at BETWEEN :oldest AND :now AND status IS NOT NULL
        ), :beyond)
        ORDER BY id DESC LIMIT 1
        """,
        {**times, "beyond": _BEYOND},
    ).fetchone()
    if row and is_witnessed(connection, row["started_at"], now):
        return int(row["id"])
    return None


def is_witnessed(connection: Connection, since: int, now: datetime) -> bool:
    """Say whether runs were recorded all the time since a moment, in microseconds."""
    reached, end = since, rows.from_time(now)
    step = _LONGEST_BREAK // timedelta(microseconds=1)
    while reached + step < end:
        (last,) = connection.execute(
            """
            SELECT max(started_at) FROM run
            WHERE started_at > ? AND started_at <= ? AND status IS NOT NULL
            """,
            (reached, reached + step),
        ).fetchone()
        if last is None:
            return False
        reached = last
    return True


@dataclass(frozen=True, slots=True)
class OldRuns:
    """Which runs are old for sure, found once: there may be thousands of them.

    Attributes:
        newest: the key of the last recorded one; 0 where none is.
        unrecorded: whether a run that is not recorded is old.
    """

    newest: int
    unrecorded: bool


def old_runs(connection: Connection, older_than: datetime, now: datetime) -> OldRuns:
    """Return which runs are old for sure; those not recorded, if others are."""
    newest = newest_old_run(connection, older_than, now)
    if newest is not None:
        return OldRuns(newest, unrecorded=True)
    row = connection.execute(
        """
        SELECT started_at FROM run WHERE status IS NOT NULL AND started_at <= ?
        ORDER BY id LIMIT 1
        """,
        (rows.from_time(now),),
    ).fetchone()
    if row is None:
        # Nothing is recorded: the clock is all there is.
        return OldRuns(_BEYOND, unrecorded=True)
    # The records begin later: the clock is all there is, where they bear it out.
    begin = row["started_at"]
    believed = begin >= rows.from_time(older_than)
    return OldRuns(0, unrecorded=believed and is_witnessed(connection, begin, now))


def is_old(connection: Connection, run_id: str, old: OldRuns) -> bool:
    """Say whether a run is among the old ones."""
    key = before_run(connection, run_id)
    return old.unrecorded if key == _BEYOND else key <= old.newest


def open_runs(connection: Connection, projects: Sequence[Path]) -> list[OpenRun]:
    """Return the open runs of ``projects``, of all where none is named, newest first."""
    # They are few: the plus keeps SQLite from walking all runs in their order.
    cursor = connection.execute(
        """
        SELECT run.*, path FROM run JOIN project ON project.id = run.project
        WHERE status IS NULL
            AND (:all OR project IN (SELECT value FROM json_each(:projects)))
        ORDER BY +run.id DESC
        """,
        {
            "all": not projects,
            "projects": _projects(connection, projects),
        },
    )
    return [
        rows.to_open_run(
            run,
            connection.execute(
                """
                SELECT result.*, name FROM result
                JOIN script ON script.id = result.script
                WHERE run = ? ORDER BY number
                """,
                (run["id"],),
            ),
        )
        for run in cursor.fetchall()
    ]


def last_outcomes(connection: Connection, path: Path) -> dict[str, Outcome]:
    """Return how each script of a project ended in the last run that held it."""
    cursor = connection.execute(
        """
        SELECT name, (
            SELECT state FROM result JOIN run ON run.id = result.run
            WHERE result.script = script.id
                AND status <> 'skipped'
            ORDER BY run DESC LIMIT 1
        ) AS last
        FROM script WHERE project = ? AND last IS NOT NULL
        """,
        (project(connection, path),),
    )
    return {row["name"]: rows.to_outcome(row["last"]) for row in cursor}


def unlogged(connection: Connection, path: Path) -> list[tuple[Run, frozenset[int]]]:
    """Return the ended runs whose log lacks lines, oldest first, with the numbers."""
    # They are few: the plus keeps SQLite from walking all runs of the project.
    cursor = connection.execute(
        """
        SELECT run, number FROM unlogged JOIN run ON run.id = run
        WHERE +project = ? AND status IS NOT NULL ORDER BY run
        """,
        (project(connection, path),),
    )
    numbers: defaultdict[int, set[int]] = defaultdict(set)
    for run, number in cursor:
        numbers[run].add(number)
    found = load(connection, list(numbers))
    return list(zip(found, map(frozenset, numbers.values()), strict=True))


def load(connection: Connection, runs: Sequence[int]) -> list[Run]:
    """Return the facts of ``runs``, in that order."""
    keys = json.dumps(runs)
    found = {
        row["id"]: row
        for row in connection.execute(
            """
            SELECT run.*, path, digest, (
                SELECT group_concat(state) FROM message WHERE message.run = run.id
            ) AS messages, (
                SELECT detail FROM message JOIN recipient ON message = message.id
                WHERE message.run = run.id AND recipient.state = 'sent'
                    AND detail LIKE '%"file"%' LIMIT 1
            ) AS written
            FROM run JOIN project ON project.id = run.project
            LEFT JOIN provenance ON provenance.id = run.packages
            WHERE run.id IN (SELECT value FROM json_each(?))
            """,
            (keys,),
        )
    }
    attempts = _attempts(connection, keys)
    texts = provenance.contents(connection, keys)
    # Many results are made of the same files.
    made_of = cache(lambda key: provenance.to_script_provenance(texts.get(key)))
    scripts: defaultdict[int, list[ScriptResult]] = defaultdict(list)
    for row in connection.execute(
        """
        SELECT result.*, name FROM result JOIN script ON script.id = result.script
        WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, number
        """,
        (keys,),
    ):
        run = row["run"]
        tries = tuple(attempts[run, row["number"]])
        result = rows.to_result(
            row,
            found[run]["run_id"],
            tries,
            metrics=provenance.to_metrics(row["metrics"]),
            made_of=made_of(row["provenance"]),
        )
        scripts[run].append(result)
    # One that was found before may have been deleted since.
    return [
        rows.to_run(row, tuple(scripts[run]), _made_of(row, texts))
        for run in runs
        if (row := found.get(run))
    ]


def _made_of(row: Row, texts: Mapping[int, str]) -> RunProvenance | None:
    return provenance.to_run_provenance(texts.get(row["provenance"]), row["digest"])


def _attempts(
    connection: Connection, keys: str
) -> defaultdict[tuple[int, int], list[Attempt]]:
    attempts: defaultdict[tuple[int, int], list[Attempt]] = defaultdict(list)
    for row in connection.execute(
        f"""
        SELECT run, number, {rows.ATTEMPT} FROM attempt
        WHERE run IN (SELECT value FROM json_each(?)) ORDER BY run, number, attempt
        """,  # noqa: S608 - our own words
        (keys,),
    ):
        run, number, *columns = row
        attempts[run, number].append(rows.to_attempt(columns))
    return attempts


def log_place(connection: Connection, path: Path, name: str) -> LogPlace:
    """Return how far a log has been compared with the runs; the beginning, if unknown."""
    # A run alone asks: what shows runs reads no log.
    from python_runner.records.log_reader import LogPlace  # noqa: PLC0415

    row = connection.execute(
        "SELECT file, offset FROM log WHERE project = ? AND name = ?",
        (project(connection, path), rows.from_string(name)),
    ).fetchone()
    return LogPlace(*row) if row else LogPlace()


def schedule(connection: Connection, path: Path) -> KnownSchedule | None:
    """Return what is known of a project's schedule."""
    row = connection.execute(
        "SELECT terms, since, reached FROM schedule WHERE project = ?",
        (project(connection, path),),
    ).fetchone()
    return row and KnownSchedule(
        terms=row["terms"],
        since=rows.to_time(row["since"]),
        reached=rows.to_time(row["reached"]),
    )


def oldest_run(connection: Connection, path: Path) -> datetime | None:
    """Return when the first recorded of a project's ended runs began."""
    row = connection.execute(
        """
        SELECT started_at FROM run WHERE project = ? AND status IS NOT NULL
        ORDER BY id LIMIT 1
        """,
        (project(connection, path),),
    ).fetchone()
    return row and rows.to_time(row["started_at"])


def interpreter(connection: Connection, path: str) -> Interpreter | None:
    """Return what an interpreter said of itself last."""
    row = connection.execute(
        "SELECT path, version, base, stamp FROM interpreter WHERE path = ?",
        (rows.from_string(path),),
    ).fetchone()
    return Interpreter(**row) if row else None


def past_results(
    connection: Connection,
    path: Path,
    script: str,
    limit: int,
    before: str | None,
) -> list[PastResult]:
    """Return how a script did in ended runs, newest first; see ``Store.past_results``."""
    cursor = connection.execute(
        """
        SELECT run_id, state, result.started_at, result.duration, fingerprint, exit_code,
            metrics, unusual, attempt.duration AS last_attempt
        FROM result JOIN run ON run.id = result.run
        LEFT JOIN attempt ON attempt.run = result.run
            AND attempt.number = result.number AND attempt.attempt = (
                SELECT max(attempt) FROM attempt
                WHERE attempt.run = result.run AND attempt.number = result.number
            )
        WHERE script = (
            SELECT id FROM script WHERE project = ? AND name = ?
        ) AND status IS NOT NULL AND result.run < ?
        ORDER BY result.run DESC LIMIT ?
        """,
        (
            project(connection, path),
            rows.from_string(script),
            before_run(connection, before),
            limit,
        ),
    )
    return [
        PastResult(
            run_id=run_id,
            outcome=rows.to_outcome(state),
            started_at=rows.to_time(started_at),
            duration=duration,
            last_attempt=last_attempt,
            fingerprint=fingerprint,
            exit_code=exit_code,
            metrics=provenance.to_metrics(metrics),
            unusual=unusual is not None,
        )
        # By their place: each script that ends has many such rows read.
        for (
            run_id,
            state,
            started_at,
            duration,
            fingerprint,
            exit_code,
            metrics,
            unusual,
            last_attempt,
        ) in cursor
    ]


def past_bounds(
    connection: Connection, path: Path, script: str, limit: int, *, numbers: bool
) -> PastBounds:
    """Return what a script's successes amounted to; see :meth:`Store.past_bounds`."""
    past = {
        "project": project(connection, path),
        "script": rows.from_string(script),
        "limit": limit,
    }
    row = connection.execute(
        f"""
        {_LATEST}
        SELECT count(*), min(duration), max(duration),
            min(json_extract(metrics, '$[0][0]')), max(json_extract(metrics, '$[0][0]')),
            min(json_extract(metrics, '$[0][1]')), max(json_extract(metrics, '$[0][1]')),
            min(json_extract(metrics, '$[0][3]') + json_extract(metrics, '$[0][4]')),
            max(json_extract(metrics, '$[0][3]') + json_extract(metrics, '$[0][4]'))
        FROM latest WHERE state = 'success'
        """,  # noqa: S608 - our own words
        past,
    ).fetchone()
    successes, *bounds = row
    duration, size, lines, errors = map(_bounds, bounds[::2], bounds[1::2])
    of_lines = {}
    if numbers:
        cursor = connection.execute(
            f"""
            {_LATEST}
            SELECT json_extract(value, '$[0]') AS line,
                min(json_extract(value, '$[1]')), max(json_extract(value, '$[1]'))
            FROM latest, json_each(metrics, '$[1]')
            WHERE state = 'success' AND type = 'array' GROUP BY line
            """,  # noqa: S608 - our own words
            past,
        )
        of_lines = {line: found for line, *ends in cursor if (found := _bounds(*ends))}
    return PastBounds(
        successes=successes,
        duration=duration,
        output_bytes=size,
        output_lines=lines,
        errors=errors,
        numbers=of_lines,
    )


def _bounds(least: object, most: object) -> Bounds | None:
    """Return what is known of a quantity: nothing where it is damaged."""
    if isinstance(least, int | float) and isinstance(most, int | float):
        return least, most
    return None


def last_success(
    connection: Connection, path: Path, script: str, before: str | None
) -> list[int]:
    """Return the run in which a script succeeded last, if there is one."""
    cursor = connection.execute(
        """
        SELECT result.run FROM result JOIN run ON run.id = result.run
        WHERE script = (
            SELECT id FROM script WHERE project = ? AND name = ?
        ) AND status IS NOT NULL AND result.run < ? AND state = 'success'
        ORDER BY result.run DESC LIMIT 1
        """,
        (
            project(connection, path),
            rows.from_string(script),
            before_run(connection, before),
        ),
    )
    return [key for (key,) in cursor]
