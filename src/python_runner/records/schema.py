"""The tables, as a history: each migration is applied once, in order, for ever.

A published migration never changes; what comes later is appended. ``user_version`` of
the file counts those it has.
"""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

from python_runner.records.database import StoreError
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.records.database import Database

#: First SQLite with STRICT tables. An older one would call our file malformed.
OLDEST_SQLITE = (3, 37, 0)

# Times are whole microseconds since 1970 UTC: exact, and the quickest thing to sort.
# Sentences (reason, error, warnings, detail) are JSON of a Sentence. A run is open while
# its status is NULL. The results of a run lie together, in the order of the series.
# What may be long comes last in its row: reading the columns before it is quick then.
_RUNS_AND_OUTBOX = (
    """
    CREATE TABLE project (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL UNIQUE
    ) STRICT
    """,
    """
    CREATE TABLE script (
        id INTEGER PRIMARY KEY,
        project INTEGER NOT NULL REFERENCES project,
        name TEXT NOT NULL,
        UNIQUE (project, name)
    ) STRICT
    """,
    """
    CREATE TABLE run (
        id INTEGER PRIMARY KEY,
        run_id TEXT NOT NULL UNIQUE,
        project INTEGER NOT NULL REFERENCES project,
        name TEXT NOT NULL,
        status TEXT CHECK (status IN ('success', 'failure', 'stopped', 'interrupted',
            'skipped', 'not_started')),
        started_at INTEGER NOT NULL,
        duration REAL NOT NULL,
        interpreter TEXT,
        error TEXT,
        warnings TEXT
    ) STRICT
    """,
    """
    CREATE TABLE result (
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        number INTEGER NOT NULL,
        script INTEGER NOT NULL REFERENCES script,
        state TEXT NOT NULL CHECK (state IN ('planned', 'running', 'success', 'failure',
            'timeout', 'stopped', 'skipped', 'interrupted', 'not_started')),
        started_at INTEGER,
        duration REAL NOT NULL DEFAULT 0,
        reason TEXT,
        output TEXT,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE attempt (
        run INTEGER NOT NULL,
        number INTEGER NOT NULL,
        attempt INTEGER NOT NULL,
        outcome TEXT NOT NULL,
        exit_code INTEGER,
        started_at INTEGER NOT NULL,
        duration REAL NOT NULL,
        reason TEXT,
        exception TEXT,
        file TEXT,
        line INTEGER,
        function TEXT,
        fingerprint TEXT,
        warnings TEXT,
        peak_memory INTEGER,
        cpu_seconds REAL,
        traceback TEXT,
        PRIMARY KEY (run, number, attempt),
        FOREIGN KEY (run, number) REFERENCES result ON DELETE CASCADE
    ) STRICT
    """,
    """
    CREATE TABLE message (
        id INTEGER PRIMARY KEY,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        audience TEXT NOT NULL,
        message_id TEXT NOT NULL,
        sender TEXT NOT NULL,
        subject TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'queued'
            CHECK (state IN ('queued', 'sent', 'failed', 'dropped')),
        next_try_at INTEGER NOT NULL,
        owner TEXT,
        leased_until INTEGER NOT NULL DEFAULT 0,
        announced_by INTEGER,
        content BLOB NOT NULL,
        UNIQUE (run, audience)
    ) STRICT
    """,
    """
    CREATE TABLE recipient (
        message INTEGER NOT NULL REFERENCES message ON DELETE CASCADE,
        address TEXT NOT NULL,
        state TEXT NOT NULL DEFAULT 'pending'
            CHECK (state IN ('pending', 'sent', 'failed')),
        detail TEXT,
        PRIMARY KEY (message, address)
    ) STRICT
    """,
    "CREATE INDEX run_newest ON run (started_at)",
    "CREATE INDEX run_of_project ON run (project, started_at)",
    """
    CREATE INDEX run_not_successful ON run (started_at)
    WHERE status <> 'success'
    """,
    """
    CREATE INDEX run_of_project_not_successful ON run (project, started_at)
    WHERE status <> 'success'
    """,
    "CREATE INDEX run_open ON run (project) WHERE status IS NULL",
    "CREATE INDEX result_of_script ON result (script, started_at, state, duration)",
    "CREATE INDEX message_by_id ON message (message_id)",
    "CREATE INDEX message_in_state ON message (state)",
    "CREATE INDEX message_due ON message (next_try_at) WHERE state = 'queued'",
)

# What an interpreter answered once, as long as its files are the same.
_INTERPRETERS = (
    "ALTER TABLE run ADD COLUMN interpreter_version TEXT",
    """
    CREATE TABLE interpreter (
        path TEXT PRIMARY KEY,
        version TEXT NOT NULL,
        base TEXT NOT NULL,
        stamp TEXT NOT NULL
    ) STRICT
    """,
)

# A project has one key for all the ways to write its path (Windows ignores case); the
# path is how it was written last. Projects that were kept apart until now are joined.
_PROJECT_KEYS = (
    "ALTER TABLE project ADD COLUMN key TEXT NOT NULL DEFAULT ''",
    "UPDATE project SET key = path_key(path)",
    """
    CREATE TEMP TABLE moved AS
    SELECT own.id AS old, min(same.id) AS new
    FROM project AS own JOIN project AS same USING (key)
    GROUP BY own.id HAVING own.id > min(same.id)
    """,
    """
    UPDATE run SET project = (SELECT new FROM moved WHERE old = project)
    WHERE project IN (SELECT old FROM moved)
    """,
    """
    INSERT OR IGNORE INTO script (project, name)
    SELECT new, name FROM script JOIN moved ON old = project
    """,
    """
    UPDATE result SET script = (
        SELECT kept.id FROM script AS own
        JOIN moved ON old = own.project
        JOIN script AS kept ON kept.project = new AND kept.name = own.name
        WHERE own.id = result.script
    )
    WHERE script IN (SELECT script.id FROM script JOIN moved ON old = project)
    """,
    "DELETE FROM script WHERE project IN (SELECT old FROM moved)",
    "DELETE FROM project WHERE id IN (SELECT old FROM moved)",
    "DROP TABLE moved",
    "CREATE UNIQUE INDEX project_by_key ON project (key)",
)

# Where a project's path led to, links followed, when it ran last: the same folder is the
# same project by whichever path. NULL until its next run: the key stands for it.
_PROJECT_FOLDERS = (
    "ALTER TABLE project ADD COLUMN folder TEXT",
    "CREATE INDEX project_by_folder ON project (coalesce(folder, key))",
)

# The order of the runs is that of their recording (run.id): the clock may have been wrong.
# Ended runs alone are looked for by it, so beginning one writes none of these indexes.
_ORDER_OF_RECORDING = (
    *(
        f"DROP INDEX {name}"
        for name in (
            "run_newest",
            "run_of_project",
            "run_not_successful",
            "run_of_project_not_successful",
            "result_of_script",
        )
    ),
    "CREATE INDEX run_begun ON run (started_at) WHERE status IS NOT NULL",
    """
    CREATE INDEX run_of_project ON run (project, id, started_at)
    WHERE status IS NOT NULL
    """,
    """
    CREATE INDEX run_not_successful ON run (id, started_at)
    WHERE status <> 'success'
    """,
    """
    CREATE INDEX run_of_project_not_successful ON run (project, id, started_at)
    WHERE status <> 'success'
    """,
    "CREATE INDEX result_of_script ON result (script, run, state, started_at, duration)",
)

# How far a log has been compared with the runs: its file, by a digest of its first line,
# and the bytes behind which nothing is known yet. What became of a report that was
# never queued is known from its run alone.
_LOG_PLACES = (
    """
    CREATE TABLE log (
        project INTEGER NOT NULL REFERENCES project,
        name TEXT NOT NULL,
        file TEXT NOT NULL,
        offset INTEGER NOT NULL,
        PRIMARY KEY (project, name)
    ) STRICT
    """,
    "ALTER TABLE run ADD COLUMN mail TEXT",
)

# The process that carries out a run: its lock tells whether it lives, unless the lock's
# file was deleted meanwhile.
_RUNNERS = (
    "ALTER TABLE run ADD COLUMN runner INTEGER",
    "ALTER TABLE run ADD COLUMN runner_start TEXT",
)

# Lines that a log has refused: of the script with this number, or of the whole run (0).
_UNLOGGED = (
    """
    CREATE TABLE unlogged (
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        number INTEGER NOT NULL,
        PRIMARY KEY (run, number)
    ) STRICT, WITHOUT ROWID
    """,
)

# The sent messages whose content is still there: what is removed some day is found
# without looking at the others.
_CONTENTS = (
    """
    CREATE INDEX message_with_content ON message (run)
    WHERE state = 'sent' AND length(content) > 0
    """,
)

# When the next attempt of a script begins that waits for it; of one that runs, nothing.
_WAITS = ("ALTER TABLE result ADD COLUMN waits_until INTEGER",)

# The way that was given a message and has not answered: no other way may send it again.
_UNANSWERED = ("ALTER TABLE message ADD COLUMN unanswered TEXT",)

# A message that reports no run: a digest. The table is made anew, because its column
# run could not be empty. Dropping the old one empties the recipients, who come back. A
# project is remembered with the period of the last digest that was mailed of it; its kind
# is what was asked for, as "7d", or nothing where that was the time since the last one.
_DIGESTS = (
    """
    CREATE TABLE digest (
        id INTEGER PRIMARY KEY,
        path TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE digested (
        project TEXT NOT NULL,
        kind TEXT NOT NULL,
        since INTEGER NOT NULL,
        until INTEGER NOT NULL,
        PRIMARY KEY (project, kind)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE TEMP TABLE kept AS SELECT * FROM recipient ORDER BY rowid",
    """
    CREATE TABLE new_message (
        id INTEGER PRIMARY KEY,
        run INTEGER REFERENCES run ON DELETE CASCADE,
        digest INTEGER REFERENCES digest ON DELETE CASCADE,
        audience TEXT NOT NULL,
        message_id TEXT NOT NULL,
        sender TEXT NOT NULL,
        subject TEXT NOT NULL,
        queued_at INTEGER NOT NULL,
        attempts INTEGER NOT NULL DEFAULT 0,
        state TEXT NOT NULL DEFAULT 'queued'
            CHECK (state IN ('queued', 'sent', 'failed', 'dropped')),
        next_try_at INTEGER NOT NULL,
        owner TEXT,
        leased_until INTEGER NOT NULL DEFAULT 0,
        announced_by INTEGER,
        unanswered TEXT,
        content BLOB NOT NULL,
        UNIQUE (run, audience),
        UNIQUE (digest, audience),
        CHECK ((run IS NULL) <> (digest IS NULL))
    ) STRICT
    """,
    """
    INSERT INTO new_message (id, run, audience, message_id, sender, subject, queued_at,
        attempts, state, next_try_at, owner, leased_until, announced_by, unanswered,
        content)
    SELECT id, run, audience, message_id, sender, subject, queued_at,
        attempts, state, next_try_at, owner, leased_until, announced_by, unanswered,
        content
    FROM message
    """,
    "DROP TABLE message",
    "ALTER TABLE new_message RENAME TO message",
    "INSERT INTO recipient SELECT * FROM kept ORDER BY rowid",
    "DROP TABLE kept",
    "CREATE INDEX message_by_id ON message (message_id)",
    "CREATE INDEX message_in_state ON message (state)",
    "CREATE INDEX message_due ON message (next_try_at) WHERE state = 'queued'",
    """
    CREATE INDEX message_with_content ON message (run)
    WHERE state = 'sent' AND length(content) > 0
    """,
)

# What the slots of a project follow from (schedule, days without runs, zone): since when
# these are known, and the moment up to which every slot is settled, by a run or as unknown.
_SCHEDULES = (
    """
    CREATE TABLE schedule (
        project INTEGER PRIMARY KEY REFERENCES project,
        terms TEXT NOT NULL,
        since INTEGER NOT NULL,
        reached INTEGER NOT NULL
    ) STRICT
    """,
)

# What runs and results were made of, each text once, under its hash: a run refers to its
# computer, account and variables, and to its packages; a result to its files. The folders
# of an environment are read again when their stamp is another one.
_PROVENANCE = (
    """
    CREATE TABLE provenance (
        id INTEGER PRIMARY KEY,
        digest TEXT NOT NULL UNIQUE,
        content TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE environment (
        folders TEXT PRIMARY KEY,
        stamp TEXT NOT NULL,
        packages INTEGER NOT NULL REFERENCES provenance
    ) STRICT
    """,
    "ALTER TABLE run ADD COLUMN provenance INTEGER REFERENCES provenance",
    "ALTER TABLE run ADD COLUMN packages INTEGER REFERENCES provenance",
    "ALTER TABLE result ADD COLUMN provenance INTEGER REFERENCES provenance",
    "ALTER TABLE result ADD COLUMN metrics TEXT",
    "ALTER TABLE result ADD COLUMN unusual TEXT",
    # These find what nothing refers to any more.
    "CREATE INDEX run_made_of ON run (provenance) WHERE provenance IS NOT NULL",
    "CREATE INDEX run_with_packages ON run (packages) WHERE packages IS NOT NULL",
    "CREATE INDEX result_made_of ON result (provenance) WHERE provenance IS NOT NULL",
)

# What the writer keeps of the runs (see ``summaries``), filled from those that are there.
# The numbers of a run's scripts are not: to count those of old runs would take long.
SUMMARIES = (
    "ALTER TABLE run ADD COLUMN scripts INTEGER",
    "ALTER TABLE run ADD COLUMN failed INTEGER",
    """
    CREATE TABLE summary (
        project INTEGER PRIMARY KEY REFERENCES project,
        last INTEGER NOT NULL,
        succeeded INTEGER,
        since INTEGER NOT NULL,
        streak INTEGER NOT NULL,
        recent TEXT NOT NULL
    ) STRICT
    """,
    """
    CREATE TABLE day (
        project INTEGER NOT NULL REFERENCES project,
        day TEXT NOT NULL,
        succeeded INTEGER NOT NULL,
        failed INTEGER NOT NULL,
        PRIMARY KEY (project, day)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE error (
        error TEXT NOT NULL,
        script INTEGER NOT NULL REFERENCES script,
        count INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        PRIMARY KEY (error, script)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE failure (
        script INTEGER NOT NULL REFERENCES script,
        error TEXT NOT NULL,
        run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,
        number INTEGER NOT NULL,
        PRIMARY KEY (script, error, run, number)
    ) STRICT, WITHOUT ROWID
    """,
    """
    INSERT INTO failure (script, error, run, number)
    SELECT script, error_key(state, fingerprint, exit_code, script), result.run,
        result.number
    FROM run JOIN result ON result.run = run.id
    LEFT JOIN attempt ON attempt.run = result.run
        AND attempt.number = result.number AND attempt = (
            SELECT max(attempt) FROM attempt
            WHERE run = result.run AND number = result.number
        )
    WHERE status <> 'success' AND status <> 'skipped'
        AND state IN ('failure', 'timeout', 'not_started')
    """,
    "CREATE INDEX failure_of_run ON failure (run)",
    """
    INSERT INTO error (error, script, count, first, last)
    SELECT error, script, count(*), min(run), max(run) FROM failure GROUP BY 1, 2
    """,
    "CREATE INDEX error_newest ON error (last)",
    """
    INSERT INTO day (project, day, succeeded, failed)
    SELECT project,
        coalesce(date(started_at / 1000000, 'unixepoch', 'localtime'), '1970-01-01'),
        sum(status = 'success'), sum(status <> 'success')
    FROM run WHERE status IS NOT NULL AND status <> 'skipped' GROUP BY 1, 2
    """,
    """
    WITH ends AS (
        SELECT project, max(id) AS last,
            max(iif(status = 'success', id, NULL)) AS succeeded,
            max(iif(status = 'success', NULL, id)) AS failed
        FROM run WHERE status IS NOT NULL AND status <> 'skipped' GROUP BY project
    ), turn AS (
        SELECT project, last, succeeded,
            min(coalesce(succeeded, 0), coalesce(failed, 0)) AS before
        FROM ends
    )
    INSERT INTO summary (project, last, succeeded, since, streak, recent)
    SELECT project, last, succeeded,
        (
            SELECT min(id) FROM run WHERE run.project = turn.project AND id > before
                AND status IS NOT NULL AND status <> 'skipped'
        ),
        (
            SELECT count(*) FROM run WHERE run.project = turn.project AND id > before
                AND status IS NOT NULL AND status <> 'skipped'
        ),
        (SELECT group_concat(entry, ' ') FROM (
            SELECT id || ':' || status || ':' || round(duration, 3) || ':'
                || (SELECT count(*) FROM result WHERE run = run.id) AS entry
            FROM run WHERE run.project = turn.project
                AND status IS NOT NULL AND status <> 'skipped'
            ORDER BY id DESC LIMIT 30
        ))
    FROM turn
    """,
)

# Why a run is not reported though its project wants it, and until when; whether scripts
# were chosen. Few runs have any of it.
_HELD_BACK = (
    "ALTER TABLE run ADD COLUMN held TEXT",
    "ALTER TABLE run ADD COLUMN held_until INTEGER",
    "ALTER TABLE run ADD COLUMN held_reason TEXT",
    "ALTER TABLE run ADD COLUMN part INTEGER",
    "CREATE INDEX run_held ON run (id) WHERE held IS NOT NULL",
)

# What to do about the failure of an attempt.
_HINTS = ("ALTER TABLE attempt ADD COLUMN hint TEXT",)

# Texts of scripts and of what they import, compressed and without secrets, under the
# digests of their files: what a script was made of when it last succeeded.
_SOURCES = (
    """
    CREATE TABLE source (
        project INTEGER NOT NULL REFERENCES project,
        digest TEXT NOT NULL,
        text BLOB NOT NULL,
        PRIMARY KEY (project, digest)
    ) STRICT
    """,
)

MIGRATIONS = (
    _RUNS_AND_OUTBOX,
    _INTERPRETERS,
    _PROJECT_KEYS,
    _PROJECT_FOLDERS,
    _ORDER_OF_RECORDING,
    _LOG_PLACES,
    _RUNNERS,
    _UNLOGGED,
    _CONTENTS,
    _WAITS,
    _UNANSWERED,
    _DIGESTS,
    _SCHEDULES,
    _PROVENANCE,
    SUMMARIES,
    _HELD_BACK,
    _HINTS,
    _SOURCES,
)


#: The columns of each table after all of them. To look them up takes no time; to apply
#: all migrations to an empty database, at each opening, takes some milliseconds.
COLUMNS = {
    "attempt": "attempt cpu_seconds duration exception exit_code file fingerprint"
    " function hint line number outcome peak_memory reason run started_at traceback warnings",
    "day": "day failed project succeeded",
    "digest": "id path",
    "digested": "kind project since until",
    "environment": "folders packages stamp",
    "error": "count error first last script",
    "failure": "error number run script",
    "interpreter": "base path stamp version",
    "log": "file name offset project",
    "message": "announced_by attempts audience content digest id leased_until"
    " message_id next_try_at owner queued_at run sender state subject unanswered",
    "project": "folder id key path",
    "provenance": "content digest id",
    "recipient": "address detail message state",
    "result": "duration metrics number output provenance reason run script started_at"
    " state unusual waits_until",
    "run": "duration error failed held held_reason held_until id interpreter"
    " interpreter_version mail name packages part project provenance run_id runner"
    " runner_start scripts started_at status warnings",
    "schedule": "project reached since terms",
    "script": "id name project",
    "source": "digest project text",
    "summary": "last project recent since streak succeeded",
    "unlogged": "number run",
}


def migrate(database: Database) -> None:
    """Bring the file to the present form; each migration is one transaction.

    Raises:
        StoreError: the file is of a newer version, or cannot be written.
    """
    while (version := _version(database)) < len(MIGRATIONS):
        with database.write() as connection:
            # Another process may have done it since.
            if connection.execute("PRAGMA user_version").fetchone()[0] != version:
                continue
            for statement in MIGRATIONS[version]:
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {version + 1}")
    if version > len(MIGRATIONS):
        raise StoreError(
            Sentence.of(
                N_("{file} was written by a newer version of Python Runner"),
                file=str(database.path),
            )
        )


def require_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse a SQLite ``version`` that cannot read our tables.

    Raises:
        StoreError: it is too old.
    """
    if version < OLDEST_SQLITE:
        raise StoreError(
            Sentence.of(
                N_("records need SQLite {needed} or newer; this Python has {found}"),
                needed=_dotted(OLDEST_SQLITE),
                found=_dotted(version),
            )
        )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(map(str, version))


def _version(database: Database) -> int:
    with database.read() as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])
