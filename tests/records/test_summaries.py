"""What the writer keeps of the runs is what the runs say, whatever became of them."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import (
    Attempt,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records import overview
from python_runner.records.database import connect
from python_runner.records.schema import SUMMARIES
from python_runner.records.store import DATABASE_NAME, Store, open_store
from python_runner.records.summaries import RECENT


if TYPE_CHECKING:
    from sqlite3 import Connection

pytestmark = pytest.mark.portable("SQLite does the same work everywhere")

START = datetime(2026, 3, 20, 22, tzinfo=UTC)
PROJECTS = [Path(f"/srv/projects/p{number}") for number in range(3)]
ENDS = [
    RunStatus.SUCCESS, RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.FAILURE,
    RunStatus.STOPPED, RunStatus.SKIPPED, RunStatus.NOT_STARTED,
]  # fmt: skip
ERRORS = [
    ("KeyError: 'a'", "load.py", "load"),
    ("row 17 is missing", None, None),
    ("row 18 is missing", None, None),
    (None, None, None),
]


class World:
    """Records to which things happen, by chance."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store = store
        self.chance = random.Random(seed)  # noqa: S311 - no secret
        self.now = START
        self.count = 0

    def run(self, path: Path, status: RunStatus) -> Run:
        """Return a run that has ended just now."""
        self.count += 1
        run_id = f"{self.count:013x}"
        number = 0 if status is RunStatus.NOT_STARTED else self.chance.randrange(1, 4)
        scripts = [
            self.result(run_id, place, self.outcome(status, place))
            for place in range(1, number + 1)
        ]
        return Run(
            run_id=run_id,
            project=path.name,
            path=path,
            status=status,
            started_at=self.now,
            duration=self.chance.random() * 100,
            scripts=tuple(scripts),
        )

    def outcome(self, status: RunStatus, place: int) -> Outcome:
        """Return how a script ended in a run of this status."""
        if status is RunStatus.SUCCESS:
            return Outcome.SUCCESS
        if status is RunStatus.SKIPPED:
            return Outcome.SKIPPED
        if status is RunStatus.STOPPED:
            return Outcome.STOPPED
        if place == 1:
            return self.chance.choice(
                [Outcome.FAILURE, Outcome.FAILURE, Outcome.TIMEOUT]
            )
        return self.chance.choice([Outcome.SUCCESS, Outcome.FAILURE, Outcome.SKIPPED])

    def result(self, run_id: str, place: int, outcome: Outcome) -> ScriptResult:
        """Return how a script ended; sometimes its second attempt did."""
        exception, file, function = self.chance.choice(ERRORS)
        failed = outcome is Outcome.FAILURE
        traceback = Traceback(
            text="...", exception=exception, file=file, line=3, function=function
        )
        attempt = Attempt(
            outcome=outcome,
            exit_code=int(failed),
            started_at=self.now,
            duration=1.0,
            traceback=traceback if failed else None,
        )
        attempts = {Outcome.SKIPPED: 0, Outcome.SUCCESS: 1}.get(outcome)
        return ScriptResult(
            script=f"s{place}.py",
            run_id=run_id,
            number=place,
            outcome=outcome,
            started_at=self.now,
            duration=1.0,
            attempts=(attempt,)
            * (self.chance.choice([1, 2]) if attempts is None else attempts),
        )

    def step(self) -> None:
        """Let something happen."""
        self.now += timedelta(hours=self.chance.choice([1, 5, 30]))
        path = self.chance.choice(PROJECTS)
        run = self.run(path, self.chance.choice(ENDS))
        match self.chance.randrange(12):
            case 0:
                self.begin(run)
            case 1:
                self.store.add_runs([run])
            case 2:
                # The records had missed its begin; later its end is written once more.
                self.store.end_run(run, [], self.now)
                again = replace(run, status=RunStatus.FAILURE)
                self.store.end_run(again, [], self.now)
            case 3:
                for left in self.store.interrupt_runs(path, self.now):
                    self.store.end_run(left, [], self.now)
            case 4:
                days = self.chance.choice([2, 20, 60])
                self.store.delete_old_runs(self.now - timedelta(days=days), self.now)
            case _:
                self.begin(run)
                self.store.end_run(run, [], self.now)

    def begin(self, run: Run) -> None:
        """Begin a run."""
        scripts = tuple(
            OpenScript(script=result.script, number=result.number)
            for result in run.scripts
        )
        self.store.begin_run(
            OpenRun(
                run_id=run.run_id,
                project=run.project,
                path=run.path,
                started_at=run.started_at,
                scripts=scripts,
            )
        )


def kept(connection: Connection) -> dict[str, Any]:
    """Return everything that is kept of the runs."""
    order = {
        "summary": "project",
        "day": "project, day",
        "error": "error, script",
        "failure": "script, error, run, number",
    }
    return {
        table: [
            dict(row)
            for row in connection.execute(
                f"SELECT * FROM {table} ORDER BY {key}"  # noqa: S608 - our own words
            )
        ]
        for table, key in order.items()
    }


def told(store: Store, connection: Connection) -> dict[str, Any]:
    """Return what the runs say, worked out one by one."""
    keys = dict(map(tuple, connection.execute("SELECT run_id, id FROM run")))
    numbers = dict(map(tuple, connection.execute("SELECT key, id FROM project")))
    scripts = {
        (project, name): key
        for key, project, name in connection.execute(
            "SELECT id, project, name FROM script"
        )
    }
    own: defaultdict[int, list[Run]] = defaultdict(list)
    days: Counter[tuple[int, str, bool]] = Counter()
    failures = []
    for run in reversed(store.runs(limit=10**6)):
        if run.status is RunStatus.SKIPPED:
            continue
        number, good = numbers[str(run.path)], run.status is RunStatus.SUCCESS
        own[number].append(run)
        days[number, f"{run.started_at.astimezone():%Y-%m-%d}", good] += 1
        for result in run.scripts:
            if result.outcome in {
                Outcome.FAILURE,
                Outcome.TIMEOUT,
                Outcome.NOT_STARTED,
            }:
                script = scripts[number, result.script]
                name = _error(result, script)
                failures.append((script, name, keys[run.run_id], result.number))
    summary = []
    for number, runs in sorted(own.items()):
        ends = [run.status is RunStatus.SUCCESS for run in runs]
        streak = next(
            (n for n, end in enumerate(reversed(ends)) if end is not ends[-1]),
            len(runs),
        )
        green = [keys[run.run_id] for run, end in zip(runs, ends, strict=True) if end]
        entries = [
            (keys[r.run_id], r.status.value, round(r.duration, 3), len(r.scripts))
            for r in reversed(runs[-RECENT:])
        ]
        summary.append(
            {
                "project": number,
                "last": keys[runs[-1].run_id],
                "succeeded": green[-1] if green else None,
                "since": keys[runs[-streak].run_id],
                "streak": streak,
                "recent": " ".join(":".join(map(str, entry)) for entry in entries),
            }
        )
    return {"summary": summary, "day": days, "failure": sorted(failures)}


def _error(result: ScriptResult, script: int) -> str:
    """Return which error it is, in words."""
    assert result.outcome is not Outcome.SUCCESS
    traceback = result.last_traceback
    if result.outcome is not Outcome.FAILURE:
        return f"{result.outcome} {script}"
    if traceback is None or traceback.fingerprint is None:
        return f"exit {result.exit_code} {script}"
    return traceback.fingerprint.replace("17", "n").replace("18", "n")


def check(store: Store, connection: Connection) -> None:
    """Compare what is kept with what the runs say."""
    found, right = kept(connection), told(store, connection)
    assert found["summary"] == right["summary"]
    assert {
        (row["project"], row["day"], good): count
        for row in found["day"]
        for good, count in ((True, row["succeeded"]), (False, row["failed"]))
        if count
    } == right["day"]
    # Two failures are of one error there if they are here.
    rows = [
        (row["script"], row["run"], row["number"], row["error"])
        for row in found["failure"]
    ]
    names = {
        (script, run, number): name for script, name, run, number in right["failure"]
    }
    assert {row[:3] for row in rows} == names.keys()
    pairs = {(error, names[script, run, number]) for script, run, number, error in rows}
    assert len(pairs) == len({e for e, _ in pairs}) == len({n for _, n in pairs})
    errors: defaultdict[tuple[str, int], list[int]] = defaultdict(list)
    for script, run, _number, error in rows:
        errors[error, script].append(run)
    assert found["error"] == [
        {"error": e, "script": s, "count": len(r), "first": min(r), "last": max(r)}
        for (e, s), r in sorted(errors.items())
    ]


@pytest.mark.parametrize("seed", range(6))
def test_what_is_kept_is_what_the_runs_say(seed: int, tmp_path: Path) -> None:
    """Ends, late ends, ends told twice, interrupted runs and retention keep it true."""
    with (
        open_store(tmp_path, START) as store,
        closing(connect(tmp_path / DATABASE_NAME)) as connection,
    ):
        world = World(store, seed)
        for number in range(140):
            world.step()
            if number % 7 == 0:
                check(store, connection)
        check(store, connection)
        counts = connection.execute(
            """
            SELECT scripts, failed, count(number), coalesce(sum(state <> 'success'), 0)
            FROM run LEFT JOIN result ON result.run = run.id
            WHERE status IS NOT NULL GROUP BY run.id
            """
        ).fetchall()
        assert counts
        assert all(tuple(row)[:2] == tuple(row)[2:] for row in counts)


def test_an_old_database_is_filled(tmp_path: Path) -> None:
    """What a migration makes of the runs is what the writer would have kept."""
    with (
        open_store(tmp_path, START) as store,
        closing(connect(tmp_path / DATABASE_NAME)) as connection,
    ):
        world = World(store, 17)
        for _ in range(200):
            world.step()
        before = kept(connection)
        assert all(before.values())
        for table in before:
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - our own words
        connection.execute("UPDATE run SET scripts = NULL, failed = NULL")
        for statement in SUMMARIES:
            if statement.lstrip().startswith(("INSERT", "WITH")):
                connection.execute(statement)

        assert kept(connection) == before
        # The numbers of scripts of such runs are counted when they are asked for.
        summaries = overview.summaries(connection, world.now)
        for one in summaries:
            run = store.run(one.last.run_id)
            assert run
            assert one.last.scripts == len(run.scripts)
            assert one.last.failed == len(run.failed_scripts)


def test_summaries_say_how_projects_do(tmp_path: Path) -> None:
    """Last run, first failure, share of the last days: what the first page shows."""
    with open_store(tmp_path, START) as store:
        world = World(store, 3)
        for status in (RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.FAILURE):
            world.now += timedelta(days=1)
            run = world.run(PROJECTS[0], status)
            store.end_run(run, [], world.now)
        with store.view() as view:
            (one,) = overview.summaries(view, world.now)

        assert one.path == PROJECTS[0]
        assert one.last.run_id == run.run_id
        assert (one.last.scripts, one.last.failed) == (
            len(run.scripts), len(run.failed_scripts)
        )  # fmt: skip
        assert one.last.failure
        assert one.last.failure.script == "s1.py"
        assert (one.streak.count, one.good, one.bad) == (2, 1, 2)
        assert one.streak.since == START + timedelta(days=2)
        assert one.succeeded
        assert one.succeeded.started_at == START + timedelta(days=1)
        assert [r.status.value for r in one.recent] == ["failure", "failure", "success"]
