"""Whatever is recorded, in whatever order, and however often the runner dies."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import pairwise, takewhile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import (
    Attempt,
    Delivery,
    MailStatus,
    Message,
    OpenRun,
    OpenScript,
    Outcome,
    Receipt,
    Run,
    RunStatus,
    ScriptResult,
)
from python_runner.policy import INCIDENT
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.runner.project_run import run_project
from python_runner.runner.report_history import load_history
from python_runner.runner.retention import delete_old_runs
from python_runner.runner.session import open_session
from tests.support import MEMORY, TODAY, MakeProject, examples, keep


START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PROJECTS = (Path("/srv/project_1"), Path("/srv/project_2"))
STATUSES = st.sampled_from([RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.STOPPED])
ENDS = st.sampled_from([Outcome.SUCCESS, Outcome.FAILURE, Outcome.TIMEOUT])


@dataclass
class ModelScript:
    """What the machine knows of one script of an open run."""

    started_at: datetime | None = None
    attempts: list[Attempt] = field(default_factory=list)
    result: ScriptResult | None = None

    @property
    def state(self) -> str:
        """Say how far it is."""
        if self.result:
            return "ended"
        return "running" if self.started_at else "planned"

    def ended(
        self, run_id: str, number: int, outcome: Outcome, now: datetime
    ) -> ScriptResult:
        """Return its end."""
        return ScriptResult(
            script=f"{number}.py",
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=self.started_at or now,
            duration=2.0,
            attempts=tuple(self.attempts),
        )


@dataclass
class ModelRun:
    """What the machine knows of an open run; ``alive`` until its runner dies."""

    run_id: str
    path: Path
    started_at: datetime
    scripts: list[ModelScript]
    alive: bool = True


def check(path: Path) -> None:
    """Let SQLite itself say whether the records are sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []


class Records(RuleBasedStateMachine):
    """Runners of two projects come, write and die; a model knows what must be there."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.now = START
        self.store = open_store(self.home, self.now)
        self.count = 0
        self.open: dict[Path, ModelRun] = {}
        #: In the order of their recording.
        self.ended: list[Run] = []
        #: When each undelivered report was queued, or claimed last.
        self.waits_since: dict[str, datetime] = {}

    def teardown(self) -> None:
        """Let the last runner leave sound records behind."""
        self.store.close()
        check(self.home / DATABASE_NAME)
        shutil.rmtree(self.home)

    def tick(self) -> datetime:
        """Let time pass."""
        self.now += timedelta(seconds=1)
        return self.now

    @rule(path=st.sampled_from(PROJECTS), scripts=st.integers(1, 3))
    def begin(self, path: Path, scripts: int) -> None:
        """Take the project's lock, settle the past, open a run."""
        if path in self.open:
            if self.open[path].alive:
                return
            self.settle(path)
        self.count += 1
        run = ModelRun(
            f"{self.count:013x}",
            path,
            self.tick(),
            [ModelScript() for _ in range(scripts)],
        )
        self.open[path] = run
        self.store.begin_run(
            OpenRun(
                run_id=run.run_id,
                project=path.name,
                path=path,
                started_at=run.started_at,
                scripts=tuple(
                    OpenScript(script=f"{number}.py", number=number)
                    for number in range(1, scripts + 1)
                ),
            )
        )

    def living(self) -> list[ModelRun]:
        """Return the runs whose runner lives."""
        return [run for run in self.open.values() if run.alive]

    def scripts(self, state: str) -> list[tuple[ModelRun, int, ModelScript]]:
        """Return the scripts of living runs that are in ``state``, with their number."""
        return [
            (run, number, script)
            for run in self.living()
            for number, script in enumerate(run.scripts, 1)
            if script.state == state
        ]

    @precondition(lambda self: self.scripts("planned"))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        """Start a script."""
        run, number, script = data.draw(st.sampled_from(self.scripts("planned")))
        script.started_at = self.tick()
        self.store.begin_attempt(run.run_id, number, script.started_at)

    @precondition(lambda self: self.scripts("running"))
    @rule(data=st.data(), outcome=ENDS)
    def attempt(self, data: st.DataObject, outcome: Outcome) -> None:
        """End an attempt; the next one starts at once."""
        run, number, script = data.draw(st.sampled_from(self.scripts("running")))
        attempt = Attempt(
            outcome=outcome, exit_code=1, started_at=self.now, duration=0.5
        )
        script.attempts.append(attempt)
        self.store.end_attempt(run.run_id, number, attempt)
        self.store.begin_attempt(run.run_id, number, self.tick())

    @precondition(lambda self: self.scripts("running"))
    @rule(data=st.data(), outcome=ENDS)
    def end(self, data: st.DataObject, outcome: Outcome) -> None:
        """End a script."""
        run, number, script = data.draw(st.sampled_from(self.scripts("running")))
        script.result = script.ended(run.run_id, number, outcome, self.now)
        self.store.end_script(script.result)

    @precondition(lambda self: self.living())
    @rule(data=st.data(), status=STATUSES, reported=st.booleans())
    def finish(self, data: st.DataObject, status: RunStatus, *, reported: bool) -> None:
        """Close a run; scripts that did not end were stopped."""
        run = data.draw(st.sampled_from(self.living()))
        del self.open[run.path]
        scripts = tuple(
            script.result or script.ended(run.run_id, number, Outcome.STOPPED, self.now)
            for number, script in enumerate(run.scripts, 1)
        )
        facts = Run(
            run_id=run.run_id,
            project=run.path.name,
            path=run.path,
            status=status,
            started_at=run.started_at,
            duration=3.0,
            scripts=scripts,
        )
        self.close(facts, reported=reported)

    def close(self, run: Run, *, reported: bool) -> None:
        """Close a run in the records and in the model."""
        message = Message(
            message_id=f"<{run.run_id}@localhost>",
            sender="runner@example.org",
            recipients=("a@example.org",),
            subject=run.project,
            content=run.run_id.encode(),
        )
        self.store.end_run(run, [message] if reported else [], self.now)
        mail = MailStatus.QUEUED if reported else MailStatus.NONE
        if reported:
            self.waits_since[message.message_id] = self.now
        self.ended.append(replace(run, mail_status=mail))

    @precondition(
        lambda self: any(run.mail_status is MailStatus.QUEUED for run in self.ended)
    )
    @rule(marked=st.booleans())
    def deliver(self, *, marked: bool) -> None:
        """Send the report that waits longest, or die before its receipt is kept."""
        queued = self.store.messages.claim_due(self.tick(), owner="me", lease_seconds=0)
        if queued is None:
            # A clock that went back since lets them wait until it is there again.
            assert min(self.waits_since.values()) > self.now
            return
        if not marked:
            self.waits_since[queued.message.message_id] = self.now
            return
        del self.waits_since[queued.message.message_id]
        receipts = [
            Receipt(recipient=recipient, delivery=Delivery.SENT)
            for recipient in queued.message.recipients
        ]
        self.store.messages.record_receipts(
            queued.number, receipts, owner="me", next_try_at=None
        )
        (place,) = (
            place
            for place, run in enumerate(self.ended)
            if f"<{run.run_id}@localhost>" == queued.message.message_id
        )
        self.ended[place] = replace(self.ended[place], mail_status=MailStatus.SENT)

    @rule(seconds=st.integers(0, 30))
    def thin(self, seconds: int) -> None:
        """Forget what is old and told, but for the last run of each project."""
        oldest = self.now - timedelta(seconds=seconds)
        told = [run for run in self.ended if run.status is not RunStatus.SKIPPED]
        last = {run.path: run for run in sorted(told, key=lambda run: run.run_id)}
        gone = [
            run
            for run in self.old_runs(oldest)
            if not oldest <= run.started_at <= self.now
            and run.mail_status is not MailStatus.QUEUED
            and run not in last.values()
        ]
        assert self.store.delete_old_runs(oldest, self.now) == len(gone)
        self.ended = [run for run in self.ended if run not in gone]

    def old_runs(self, oldest: datetime) -> list[Run]:
        """Return the runs up to the last one that is old, as they were recorded."""
        runs = sorted(self.ended, key=lambda run: run.run_id)
        young = takewhile(lambda r: not oldest <= r.started_at <= self.now, runs)
        old = list(young)
        while old and old[-1].started_at >= oldest:
            old.pop()
        if not old:
            return []
        times = [r.started_at for r in runs if r.started_at <= self.now]
        times = sorted(t for t in times if t >= old[-1].started_at)
        breaks = (b - a for a, b in pairwise([*times, self.now]))
        return [] if max(breaks) > timedelta(days=100) else old

    @rule()
    def back_up(self) -> None:
        """Make a copy: it holds what the records hold, and opens as they do."""
        with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
            self.store.backup(Path(folder) / DATABASE_NAME)
            check(Path(folder) / DATABASE_NAME)
            with open_store(Path(folder), self.now) as copy:
                assert copy.notice is None
                assert copy.runs(limit=1000) == self.store.runs(limit=1000)
                assert copy.open_runs() == self.store.open_runs()

    @precondition(lambda self: self.open)
    @rule()
    def die(self) -> None:
        """Every runner dies; the next process opens the records."""
        self.store.close()
        check(self.home / DATABASE_NAME)
        for run in self.open.values():
            run.alive = False
        self.store = open_store(self.home, self.tick())
        assert self.store.notice is None

    @precondition(lambda self: len(self.open) > len(self.living()))
    @rule()
    def interrupt(self) -> None:
        """Settle, and die before the report: the runs are found again."""
        for path, run in self.open.items():
            if not run.alive:
                runs = self.store.interrupt_runs(path, self.tick())
                self.check_settled(runs, path)

    def settle(self, path: Path) -> None:
        """Settle and report."""
        runs = self.store.interrupt_runs(path, self.tick())
        self.check_settled(runs, path)
        del self.open[path]
        self.close(runs[0], reported=True)

    def check_settled(self, runs: list[Run], path: Path) -> None:
        """Compare what was found with what the dead runner wrote."""
        (run,) = runs
        model = self.open[path]
        assert (run.run_id, run.status) == (model.run_id, RunStatus.INTERRUPTED)
        assert len(run.scripts) == len(model.scripts)
        for script, result in zip(model.scripts, run.scripts, strict=True):
            if script.result:
                assert result == script.result
            elif script.started_at:
                assert result.outcome is Outcome.INTERRUPTED
                assert result.started_at == script.started_at
                assert result.attempts == tuple(script.attempts)
            else:
                assert result.outcome is Outcome.SKIPPED

    @invariant()
    def everything_that_ended_is_there(self) -> None:
        """The records hold the ended runs, each fact of them, as they were recorded."""
        expected = sorted(self.ended, key=lambda run: run.run_id, reverse=True)
        assert self.store.runs(limit=1000) == expected

    @invariant()
    def the_past_is_what_was_recorded_last(self) -> None:
        """How a script ended last, and what belongs to an incident, asks no clock."""
        for path in PROJECTS:
            runs = [run for run in self.ended if run.path == path]
            assert self.store.last_outcomes(path) == {
                result.script: result.outcome for run in runs for result in run.scripts
            }
            history = load_history(self.next_run(path), (), self.store)
            mails: list[str] = []
            for run in runs:
                if run.status is RunStatus.SUCCESS:
                    mails = []
                elif run.mail_status is not MailStatus.NONE and run.status in INCIDENT:
                    mails.append(f"<{run.run_id}@localhost>")
            references = history.incident.references if history.incident else ()
            assert list(references) == (
                mails if len(mails) <= 10 else [mails[0], *mails[-9:]]
            )

    def next_run(self, path: Path) -> Run:
        """Return a run that begins now, fails, and is not in the records."""
        return Run(
            run_id="f" * 13,
            project=path.name,
            path=path,
            status=RunStatus.FAILURE,
            started_at=self.now + timedelta(seconds=1),
            duration=0.0,
            scripts=(),
        )


class Jumps(Records):
    """The same by a clock that somebody sets, forwards and backwards."""

    @rule(seconds=st.integers(-3 * 3600, 3 * 3600))
    def set_clock(self, seconds: int) -> None:
        """Set the clock by up to three hours: daylight saving, NTP at last."""
        self.now += timedelta(seconds=seconds)

    @rule(years=st.sampled_from([-1, 1]))
    def set_year(self, years: int) -> None:
        """Set the wrong year."""
        self.now += timedelta(days=365 * years)


@pytest.mark.slow
# Each file that is opened is a message to wine's server: a minute or two there.
@pytest.mark.timeout(1800)
def test_any_order_of_transitions_and_deaths() -> None:
    """The records hold what the model expects after each step."""
    run_state_machine_as_test(
        Records,
        settings=settings(examples(30), stateful_step_count=50),
    )


@pytest.mark.fault(
    "clocks",
    "The clock jumps while runs are recorded",
    "Each fact is kept as it was recorded.",
)
@pytest.mark.slow
@pytest.mark.instrument
@pytest.mark.timeout(1800)
def test_any_order_of_transitions_by_a_clock_that_jumps() -> None:
    """Each fact is kept as it was recorded, whatever the clock says."""
    run_state_machine_as_test(
        Jumps,
        settings=settings(examples(30), stateful_step_count=50),
    )


@pytest.mark.parametrize("back", [timedelta(minutes=1), timedelta(days=365)])
def test_what_was_recorded_last_counts(shielded: Path, back: timedelta) -> None:
    """A failure, then a success by a clock that was set back."""
    path = PROJECTS[0]
    with open_store(shielded, TODAY) as store:
        keep(store, "1" * 13, path, Outcome.FAILURE)
        keep(store, "2" * 13, path, Outcome.SUCCESS, ago=back)

        assert store.last_outcomes(path) == {"1.py": Outcome.SUCCESS}


@pytest.mark.fault(
    "clocks",
    "One run under a clock that is years ahead",
    "No history is deleted.",
)
def test_one_wrong_clock_forgets_nothing() -> None:
    """The age of a run is not known from one clock that says something else."""
    for moment in (TODAY, TODAY + timedelta(days=365)):
        with open_session(
            load_settings(), now=partial(datetime.astimezone, moment)
        ) as s:
            assert s.store is not None
            run_id = f"{moment.year:013}"
            keep(s.store, run_id, PROJECTS[0], Outcome.SUCCESS, ago=TODAY - moment)
            delete_old_runs(s, 30)
            kept = len(s.store.runs())

    assert kept == 2


@pytest.mark.fault(
    "clocks",
    "One run under a clock that is years ahead",
    "No output is deleted.",
)
def test_one_wrong_clock_deletes_no_output(make_project: MakeProject) -> None:
    """The output of yesterday's run is still there when the clock is right again."""
    folder = make_project(output_keep_days=30)
    for moment in (TODAY, TODAY + timedelta(days=365)):
        with open_session(
            load_settings(), now=partial(datetime.astimezone, moment)
        ) as s:
            run_project(load_project(folder), s)

    assert len(list((folder / "logs" / "runs").iterdir())) == 2
