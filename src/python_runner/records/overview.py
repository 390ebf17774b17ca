"""The statements that pages are made of, within the caller's transaction.

However many runs the records hold, each reads a bounded number of rows: there is no
OFFSET, and nothing is counted that may be long. A run goes by its row's key here, a
project by its number.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.model import RunHead, RunStatus, Streak
from python_runner.model.overview import (
    Circumstances,
    DayCount,
    ErrorGroup,
    ErrorPlace,
    FailedScript,
    MatrixCell,
    MatrixRow,
    Progress,
    ProjectSummary,
    RunLine,
)
from python_runner.records import provenance, rows
from python_runner.records.queries import project as project_key
from python_runner.records.summaries import OWN, SCRIPTS, recent_runs


if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from sqlite3 import Connection, Row

    from python_runner.model import ScriptResult
    from python_runner.texts.sentence import Sentence

#: Behind the key of any run.
BEYOND = 2**63 - 1
#: Unusual scripts of several runs that are told at most.
_MOST_UNUSUAL = 2000
#: Days that the share of successes is about.
SHARE_DAYS = 30
#: Scripts that are named of an open run, and of an error.
_FEW = 20
#: Rows that are looked at for a page of errors: one error may be in many scripts.
_MOST_ROWS = 2000
_FAILED = "AND status <> 'success' AND status <> 'skipped'"
_NOT_ENDED = "('planned', 'running')"


def lines(connection: Connection, keys: Sequence[int]) -> list[RunLine]:
    """Return runs in one line each, in that order; those that are gone are left out."""
    runs = json.dumps(list(keys))
    failures = _failures(connection, runs)
    found = {}
    for row in connection.execute(
        f"""
        SELECT own.id, run_id, own.project, own.name, status, started_at, duration, error,
            mail, path, {SCRIPTS} AS scripts, coalesce(failed, (
                SELECT count(*) FROM result WHERE run = own.id AND state <> 'success'
            )) AS failed, (
                SELECT group_concat(state) FROM message WHERE message.run = own.id
            ) AS messages
        FROM run AS own JOIN project ON project.id = own.project
        WHERE own.id IN (SELECT value FROM json_each(?))
        """,  # noqa: S608 - our own words
        (runs,),
    ):
        found[row["id"]] = RunLine(
            key=row["id"],
            run_id=row["run_id"],
            number=row["project"],
            project=row["name"],
            path=Path(row["path"]),
            status=rows.to_status(row["status"]),
            started_at=rows.to_time(row["started_at"]),
            duration=rows.to_seconds(row["duration"]),
            scripts=row["scripts"],
            failed=row["failed"],
            error=rows.to_text(row["error"]),
            mail=rows.to_mail_status(row["messages"], row["mail"]),
            failure=failures.get(row["id"]),
        )
    return [found[key] for key in keys if key in found]


def _failures(connection: Connection, runs: str) -> dict[int, FailedScript]:
    """Return the first script of each run that did not succeed, errors before others."""
    cursor = connection.execute(
        """
        SELECT run.id, coalesce(
            (SELECT min(number) FROM failure WHERE run = run.id),
            (
                SELECT min(number) FROM result
                WHERE run = run.id AND state IN ('stopped', 'interrupted')
            )
        ) AS number
        FROM run WHERE id IN (SELECT value FROM json_each(?)) AND status <> 'success'
        """,
        (runs,),
    )
    firsts = [(key, number) for key, number in cursor if number is not None]
    return {
        key: script
        for key, number in firsts
        if (script := failed_script(connection, key, number))
    }


def failed_script(connection: Connection, run: int, number: int) -> FailedScript | None:
    """Return how a script of a run ended; None where the run has no such script."""
    row = connection.execute(
        """
        SELECT result.number, name, state, result.reason, exception, file, line,
            function, output IS NOT NULL AS printed, (
                SELECT error FROM failure
                WHERE failure.run = result.run AND failure.number = result.number
            ) AS error
        FROM result JOIN script ON script.id = result.script
        LEFT JOIN attempt ON attempt.run = result.run
            AND attempt.number = result.number
        WHERE result.run = ? AND result.number = ? ORDER BY attempt DESC LIMIT 1
        """,
        (run, number),
    ).fetchone()
    return row and FailedScript(
        number=row["number"],
        script=row["name"],
        outcome=rows.to_outcome(row["state"]),
        exception=row["exception"],
        reason=rows.to_text(row["reason"]),
        file=row["file"],
        line=row["line"],
        function=row["function"],
        error=row["error"],
        printed=bool(row["printed"]),
    )


def summaries(
    connection: Connection, now: datetime, *, project: int | None = None
) -> list[ProjectSummary]:
    """Return how the projects do that have runs, or one of them, in no order."""
    since = f"{(now - timedelta(days=SHARE_DAYS)).astimezone():%Y-%m-%d}"
    kept = connection.execute(
        """
        SELECT summary.*, first.started_at AS since_at, good.run_id AS good_id,
            good.started_at AS good_at, good.name AS good_name
        FROM summary
        LEFT JOIN run AS first ON first.id = since
        LEFT JOIN run AS good ON good.id = succeeded
        WHERE :project IS NULL OR summary.project = :project
        """,
        {"project": project},
    ).fetchall()
    shares = {
        row["project"]: (row["good"], row["bad"])
        for row in connection.execute(
            """
            SELECT summary.project, sum(day.succeeded) AS good, sum(failed) AS bad
            FROM summary JOIN day ON day.project = summary.project AND day > :since
            WHERE :project IS NULL OR summary.project = :project
            GROUP BY summary.project
            """,
            {"project": project, "since": since},
        )
    }
    last = {line.key: line for line in lines(connection, [row["last"] for row in kept])}
    return [
        _to_summary(row, last[row["last"]], shares.get(row["project"], (0, 0)))
        for row in kept
        if row["last"] in last
    ]


def _to_summary(row: Row, last: RunLine, share: tuple[int, int]) -> ProjectSummary:
    good = row["good_id"] and RunHead(
        run_id=row["good_id"],
        project=row["good_name"],
        status=RunStatus.SUCCESS,
        started_at=rows.to_time(row["good_at"]),
    )
    since = row["since_at"]
    return ProjectSummary(
        number=row["project"],
        project=last.project,
        path=last.path,
        last=last,
        succeeded=good,
        streak=Streak(
            count=row["streak"], since=None if since is None else rows.to_time(since)
        ),
        recent=recent_runs(row["recent"]),
        good=share[0],
        bad=share[1],
    )


def project_number(connection: Connection, number: int) -> Path | None:
    """Return the folder of a project; None where there is no such number."""
    row = connection.execute(
        "SELECT path FROM project WHERE id = ?", (number,)
    ).fetchone()
    return Path(row["path"]) if row else None


def progress(connection: Connection, project: int | None = None) -> list[Progress]:
    """Return how far the open runs are, of a project or of all, newest first."""
    # They are few: the plus keeps SQLite from walking all runs in their order.
    cursor = connection.execute(
        """
        SELECT run.*, path FROM run JOIN project ON project.id = run.project
        WHERE status IS NULL AND (:project IS NULL OR run.project = :project)
        ORDER BY +run.id DESC
        """,
        {"project": project},
    )
    return [_progress(connection, row) for row in cursor.fetchall()]


def _progress(connection: Connection, row: Row) -> Progress:
    count = states(connection, row["id"])
    running = connection.execute(
        """
        SELECT name FROM result JOIN script ON script.id = result.script
        WHERE run = ? AND state = 'running' ORDER BY number LIMIT ?
        """,
        (row["id"], _FEW),
    ).fetchall()
    scripts = sum(count.values())
    done = scripts - count.get("planned", 0) - count.get("running", 0)
    return Progress(
        key=row["id"],
        run_id=row["run_id"],
        number=row["project"],
        project=row["name"],
        path=Path(row["path"]),
        started_at=rows.to_time(row["started_at"]),
        scripts=scripts,
        done=done,
        failed=done - count.get("success", 0),
        running=tuple(name for (name,) in running),
        runner=row["runner"] or 0,
        runner_start=row["runner_start"] or "",
    )


def runs_of(
    connection: Connection,
    project: int | None,
    *,
    before: int = BEYOND,
    failed: bool = False,
    limit: int = 50,
) -> list[RunLine]:
    """Return ended runs of a project, or of all, recorded before one, newest first."""
    keys = keys_of(connection, project, before=before, failed=failed, limit=limit)
    return lines(connection, keys)


def keys_of(
    connection: Connection,
    project: int | None,
    *,
    before: int = BEYOND,
    failed: bool = False,
    limit: int = 50,
) -> list[int]:
    """Return the keys of these runs."""
    which = "project = :project AND" if project is not None else ""
    cursor = connection.execute(
        f"""
        SELECT id FROM run WHERE {which} status IS NOT NULL
            {_FAILED if failed else ""} AND id < :before
        ORDER BY id DESC LIMIT :limit
        """,  # noqa: S608 - our own words
        {"project": project, "before": before, "limit": limit},
    )
    return [key for (key,) in cursor]


def outputs_of(
    connection: Connection, runs: Sequence[int], after: int = 0
) -> list[tuple[int, int, str, Path]]:
    """Return run, place, script and file of the outputs of some runs, in their order.

    Args:
        connection: within a transaction.
        runs: the runs, newest first.
        after: a place; what is not behind it in its run is left out.
    """
    cursor = connection.execute(
        """
        SELECT run, number, name, output
        FROM result JOIN script ON script.id = result.script
        WHERE run IN (SELECT value FROM json_each(?)) AND number > ?
            AND output IS NOT NULL
        ORDER BY run DESC, number
        """,
        (json.dumps(list(runs)), after),
    )
    return [
        (row["run"], row["number"], row["name"], Path(row["output"])) for row in cursor
    ]


def key_of(connection: Connection, run_id: str) -> int | None:
    """Return the key of a run, open or ended; None where there is none."""
    row = connection.execute(
        "SELECT id FROM run WHERE run_id = ?", (run_id,)
    ).fetchone()
    return row and int(row["id"])


def neighbours(connection: Connection, key: int) -> dict[str, str]:
    """Return the ids of the runs of the same project beside a run, where they are.

    ``previous``, ``next`` and ``green``: the last one before it that succeeded.
    """
    statements = {
        "previous": "id < :key ORDER BY id DESC",
        "next": "id > :key ORDER BY id",
        "green": "id < :key AND status = 'success' ORDER BY id DESC",
    }
    (project,) = connection.execute(
        "SELECT project FROM run WHERE id = ?", (key,)
    ).fetchone()
    found = {}
    for name, rest in statements.items():
        row = connection.execute(
            f"""
            SELECT run_id FROM run
            WHERE project = :project AND status IS NOT NULL AND {rest} LIMIT 1
            """,  # noqa: S608 - our own words
            {"project": project, "key": _not_behind(connection, project, key, name)},
        ).fetchone()
        if row:
            found[name] = row["run_id"]
    return found


def _not_behind(connection: Connection, project: int, key: int, name: str) -> int:
    """Return the key of a run, or an earlier one: behind that nothing has succeeded."""
    if name != "green":
        return key
    row = connection.execute(
        "SELECT succeeded FROM summary WHERE project = ?", (project,)
    ).fetchone()
    return min(key, (row["succeeded"] or 0) + 1) if row else key


def results(
    connection: Connection,
    run: int,
    *,
    after: int = 0,
    failed: bool | None = None,
    limit: int = 100,
) -> list[ScriptResult]:
    """Return results of a run behind a place of the series, in that order.

    Args:
        connection: within a transaction.
        run: the run; it may be open.
        after: place in the series.
        failed: only those that did not succeed, or only the others; None: all.
        limit: how many at most.
    """
    bad = "state NOT IN ('success', 'planned', 'running')"
    which = {None: "", True: f"AND {bad}", False: f"AND NOT {bad}"}[failed]
    found = connection.execute(
        f"""
        SELECT number, state, reason, output, unusual, name,
            -- What has not begun has no moment of its own.
            COALESCE(
                result.started_at,
                (SELECT begun.started_at FROM run AS begun WHERE begun.id = result.run)
            ) AS started_at,
            COALESCE(duration, 0) AS duration
        FROM result JOIN script ON script.id = result.script
        WHERE run = ? AND number > ? {which} ORDER BY number LIMIT ?
        """,  # noqa: S608 - our own words
        (run, after, limit),
    ).fetchall()
    attempts = defaultdict(list)
    for row in connection.execute(
        f"""
        SELECT number, {rows.ATTEMPT} FROM attempt
        WHERE run = ? AND number IN (SELECT value FROM json_each(?))
        ORDER BY number, attempt
        """,  # noqa: S608 - our own words
        (run, json.dumps([row["number"] for row in found])),
    ):
        number, *columns = row
        attempts[number].append(rows.to_attempt(columns))
    (run_id,) = connection.execute(
        "SELECT run_id FROM run WHERE id = ?", (run,)
    ).fetchone()
    return [
        rows.to_result(row, run_id, tuple(attempts[row["number"]])) for row in found
    ]


def circumstances(connection: Connection, run: int) -> Circumstances:
    """Return what a run had beside its scripts."""
    row = connection.execute("SELECT * FROM run WHERE id = ?", (run,)).fetchone()
    texts = provenance.contents(connection, json.dumps([run]))
    made_of = provenance.to_run_provenance(texts.get(row["provenance"]), None)
    return Circumstances(
        warnings=rows.to_texts(row["warnings"]),
        interpreter=row["interpreter"],
        interpreter_version=row["interpreter_version"],
        computer=made_of.computer if made_of else None,
        held=rows.to_text(row["held_reason"]),
        variables=made_of.variables if made_of else (),
    )


def states(connection: Connection, run: int) -> dict[str, int]:
    """Return how many scripts of a run are in each state, ``planned`` and so on."""
    cursor = connection.execute(
        "SELECT state, count(*) FROM result WHERE run = ? GROUP BY state", (run,)
    )
    return dict(map(tuple, cursor))


def state_of(connection: Connection, run: int, number: int) -> str | None:
    """Return the state of a script of a run; None where there is none."""
    row = connection.execute(
        "SELECT state FROM result WHERE run = ? AND number = ?", (run, number)
    ).fetchone()
    return row and str(row["state"])


def matrix(
    connection: Connection,
    project: int,
    *,
    runs: Sequence[int],
    after: int = 0,
    limit: int = 100,
) -> list[MatrixRow]:
    """Return the scripts of a project's last run, and how they ended in some runs.

    Args:
        connection: within a transaction.
        project: its number.
        runs: keys of runs, newest first.
        after: place in the series of the last run.
        limit: how many scripts at most.
    """
    scripts = connection.execute(
        """
        SELECT result.script, number, name
        FROM result JOIN script ON script.id = result.script
        WHERE run = (SELECT last FROM summary WHERE project = ?) AND number > ?
        ORDER BY number LIMIT ?
        """,
        (project, after, limit),
    ).fetchall()
    wanted, keys = json.dumps(list(runs)), set(runs)
    return [
        MatrixRow(
            script=row["name"],
            number=row["number"],
            cells=tuple(
                MatrixCell(
                    run=cell["run"],
                    number=cell["number"],
                    outcome=rows.to_outcome(cell["state"]),
                    duration=rows.to_seconds(cell["duration"]),
                )
                for cell in connection.execute(
                    f"""
                    SELECT run, number, state, duration FROM result
                    WHERE script = ? AND run IN (SELECT value FROM json_each(?))
                        AND state NOT IN {_NOT_ENDED}
                    ORDER BY run DESC
                    """,  # noqa: S608 - our own words
                    (row["script"], wanted),
                )
            ),
        )
        for row in scripts
        if keys
    ]


def days(connection: Connection, project: int, since: datetime) -> list[DayCount]:
    """Return how many runs of a project went well on each day since then."""
    cursor = connection.execute(
        """
        SELECT day, succeeded, failed FROM day WHERE project = ? AND day >= ?
        ORDER BY day
        """,
        (project, f"{since.astimezone():%Y-%m-%d}"),
    )
    return [DayCount(**row) for row in map(dict, cursor)]


def errors(
    connection: Connection,
    *,
    project: int | None = None,
    before: int = BEYOND,
    limit: int = 50,
) -> list[ErrorGroup]:
    """Return the errors that were last met before a run, the last met first."""
    # Of one error that is in many scripts each row is passed, the first one counts.
    cursor = connection.execute(
        """
        SELECT error, last FROM error JOIN script ON script.id = error.script
        WHERE last < :before AND (:project IS NULL OR script.project = :project)
        ORDER BY last DESC LIMIT :rows
        """,
        {"before": before, "project": project, "rows": _MOST_ROWS},
    )
    newest: dict[str, int] = {}
    for error, last in cursor:
        newest.setdefault(error, last)
        if len(newest) > limit:
            break
    found = (error_group(connection, key, project) for key in list(newest)[:limit])
    # One whose last run is behind this page stands on an earlier one.
    return [group for group in found if group and group.key < before]


def error_group(
    connection: Connection, error: str, project: int | None = None
) -> ErrorGroup | None:
    """Return an error; None where no recorded run has it."""
    totals = connection.execute(
        """
        SELECT sum(count) AS count, min(first) AS first, max(last) AS last
        FROM error JOIN script ON script.id = error.script
        WHERE error = :error AND (:project IS NULL OR script.project = :project)
        """,
        {"error": error, "project": project},
    ).fetchone()
    if totals["count"] is None:
        return None
    places = [
        _place(connection, row)
        for row in connection.execute(
            """
            SELECT error.*, script.name AS script_name, script.project,
                first.started_at AS first_at, last.started_at AS last_at,
                last.run_id AS last_run, last.name AS project_name, path, (
                    SELECT min(number) FROM failure
                    WHERE script = error.script AND error = error.error
                        AND run = error.last
                ) AS place
            FROM error JOIN script ON script.id = error.script
            JOIN project ON project.id = script.project
            JOIN run AS first ON first.id = error.first
            JOIN run AS last ON last.id = error.last
            WHERE error.error = :error
                AND (:project IS NULL OR script.project = :project)
            ORDER BY error.last DESC LIMIT :few
            """,
            {"error": error, "project": project, "few": _FEW},
        ).fetchall()
    ]
    if not places:
        return None
    sample = failed_script(connection, totals["last"], places[0].place)
    if sample is None:
        return None
    return ErrorGroup(
        error=error,
        key=totals["last"],
        sample=sample,
        places=tuple(places),
        count=totals["count"],
        first=_began(connection, totals["first"]),
        last=places[0].last,
        is_open=any(place.is_open for place in places),
    )


def _place(connection: Connection, row: Row) -> ErrorPlace:
    since = connection.execute(
        """
        SELECT 1 FROM result WHERE script = ? AND run > ? AND state = 'success' LIMIT 1
        """,
        (row["script"], row["last"]),
    ).fetchone()
    return ErrorPlace(
        number=row["project"],
        project=row["project_name"],
        path=Path(row["path"]),
        script=row["script_name"],
        count=row["count"],
        first=rows.to_time(row["first_at"]),
        last=rows.to_time(row["last_at"]),
        last_run=row["last_run"],
        place=row["place"] or 0,
        printed=_has_printed(connection, row["last"], row["place"] or 0),
        is_open=since is None,
    )


def _has_printed(connection: Connection, run: int, number: int) -> bool:
    found = connection.execute(
        "SELECT 1 FROM result WHERE run = ? AND number = ? AND output IS NOT NULL",
        (run, number),
    )
    return found.fetchone() is not None


def _began(connection: Connection, key: int) -> datetime:
    (began,) = connection.execute(
        "SELECT started_at FROM run WHERE id = ?", (key,)
    ).fetchone()
    return rows.to_time(began)


def occurrences(
    connection: Connection, error: str, *, before: int = BEYOND, limit: int = 50
) -> list[tuple[RunLine, int, bool]]:
    """Return runs with an error, newest first.

    Each with the script's place in it, and whether there is, or was, an output of that.
    """
    scripts = [
        script
        for (script,) in connection.execute(
            "SELECT script FROM error WHERE error = ? ORDER BY last DESC LIMIT ?",
            (error, _FEW),
        )
    ]
    found = [
        (run, number)
        for script in scripts
        for run, number in connection.execute(
            """
            SELECT run, number FROM failure
            WHERE script = ? AND error = ? AND run < ? ORDER BY run DESC LIMIT ?
            """,
            (script, error, before, limit),
        )
    ]
    newest = sorted(found, reverse=True)[:limit]
    known = {line.key: line for line in lines(connection, [run for run, _ in newest])}
    return [
        (known[run], number, _has_printed(connection, run, number))
        for run, number in newest
        if run in known
    ]


def first_of(connection: Connection, run: int, number: int) -> RunLine | None:
    """Return the first recorded run in which a script ended as it did in this one."""
    row = connection.execute(
        """
        SELECT first FROM error JOIN failure USING (error, script)
        WHERE failure.run = ? AND number = ?
        """,
        (run, number),
    ).fetchone()
    return next(iter(lines(connection, [row["first"]])), None) if row else None


def number_of(connection: Connection, path: Path) -> int | None:
    """Return the number of a project; None where it has never run."""
    return project_key(connection, path)


def messages_of(connection: Connection, run: int) -> list[int]:
    """Return the numbers of the messages that report a run."""
    cursor = connection.execute(
        "SELECT id FROM message WHERE run = ? ORDER BY id", (run,)
    )
    return [number for (number,) in cursor]


def output_of(
    connection: Connection, run: int, number: int
) -> tuple[str, str, Path | None] | None:
    """Return name, state and file of output of a script of a run, if there is one."""
    row = connection.execute(
        """
        SELECT name, state, output FROM result JOIN script ON script.id = result.script
        WHERE run = ? AND number = ?
        """,
        (run, number),
    ).fetchone()
    if row is None:
        return None
    return row["name"], row["state"], Path(row["output"]) if row["output"] else None


def newest_own(connection: Connection, project: int, limit: int) -> list[int]:
    """Return the keys of a project's last ended runs that were not skipped."""
    cursor = connection.execute(
        f"SELECT id FROM run WHERE project = ? AND {OWN} ORDER BY id DESC LIMIT ?",  # noqa: S608
        (project, limit),
    )
    return [key for (key,) in cursor]


def message_numbers(
    connection: Connection, *, waiting: bool, before: int = BEYOND, limit: int = 50
) -> list[int]:
    """Return the numbers of messages, newest first: those that wait, or the others."""
    which = "= 'queued'" if waiting else "<> 'queued'"
    cursor = connection.execute(
        f"""
        SELECT id FROM message WHERE state {which} AND id < ?
        ORDER BY id DESC LIMIT ?
        """,  # noqa: S608 - our own words
        (before, limit),
    )
    return [number for (number,) in cursor]


def unusual(
    connection: Connection, keys: Sequence[int]
) -> dict[int, tuple[Sentence, ...]]:
    """Return why successes of runs were unusual, by the keys of those that had some."""
    found: defaultdict[int, list[Sentence]] = defaultdict(list)
    for row in connection.execute(
        """
        SELECT run, unusual FROM result
        WHERE run IN (SELECT value FROM json_each(?)) AND unusual IS NOT NULL
        ORDER BY run, number LIMIT ?
        """,
        (json.dumps(list(keys)), _MOST_UNUSUAL),
    ):
        found[row["run"]] += rows.to_texts(row["unusual"])
    return {run: tuple(why) for run, why in found.items()}


def waiting(connection: Connection) -> dict[int | None, int]:
    """Return how many reports of each project wait; None stands for the digests."""
    cursor = connection.execute(
        """
        SELECT run.project, count(*) FROM message LEFT JOIN run ON run.id = message.run
        WHERE state = 'queued' GROUP BY run.project
        """
    )
    return dict(map(tuple, cursor))
