"""Whatever happens to runs and reports, people are told what a naive reader would tell."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from python_runner.model import (
    RECIPIENTS,
    AlertRules,
    Attempt,
    Delivery,
    EmailStrategy,
    Held,
    HeldBy,
    Message,
    Outcome,
    Receipt,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.policy import report_due
from python_runner.records.store import open_store
from python_runner.texts.sentence import Sentence
from tests.support import MEMORY, examples


pytestmark = pytest.mark.portable("what the records say is the same everywhere")

START = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)
PROJECT = Path("/srv/project")
#: Scripts, and what each may fail with.
SCRIPTS, KINDS = ("a.py", "b.py"), ("KeyError", "ValueError")
REMIND = 3600.0
#: What is no failure and no success of the whole series.
ASIDE = st.sampled_from(["skipped", "part", "unwanted failure", "unwanted success"])


@dataclass
class Past:
    """What the model knows of a run."""

    run_id: str
    began: datetime
    errors: frozenset[tuple[str, str]] = frozenset()
    whole_success: bool = False
    told: bool = False


class Alerts(RuleBasedStateMachine):
    """A project fails and recovers; a list of its runs knows what people were told."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp(dir=MEMORY))
        self.now = START
        self.store = open_store(self.home, self.now)
        self.past: list[Past] = []
        self.keys = AlertRules(strategy=EmailStrategy.FAILURE_ONLY, remind=REMIND)
        self.count = 0

    def teardown(self) -> None:
        """Remove the records."""
        self.store.close()
        shutil.rmtree(self.home)

    @rule(minutes=st.sampled_from([1, 20, 59, 61, 24 * 60, -5, -90]))
    def wait(self, minutes: int) -> None:
        """Let time pass; the clock may be set back."""
        self.now += timedelta(minutes=minutes)

    @rule(
        wanted=st.integers(1, 3),
        remind=st.sampled_from([None, REMIND, 24 * REMIND]),
        strategy=st.sampled_from([EmailStrategy.ALL, EmailStrategy.FAILURE_ONLY]),
    )
    def configure(
        self, wanted: int, remind: float | None, strategy: EmailStrategy
    ) -> None:
        """Change what the project wants."""
        self.keys = AlertRules(strategy=strategy, mail_after=wanted, remind=remind)

    @rule(
        failing=st.dictionaries(
            st.sampled_from(SCRIPTS), st.sampled_from(KINDS), min_size=1
        )
    )
    def fail(self, failing: dict[str, str]) -> None:
        """End a run in which scripts fail."""
        errors = frozenset((s, f"{kind}@{s}:f") for s, kind in failing.items())
        row = self.row()
        expected = None
        if len(row) + 1 < self.keys.mail_after:
            expected = HeldBy.MAIL_AFTER
        elif self.keys.remind is not None and all(
            self.is_known(error, row, self.keys.remind) for error in errors
        ):
            expected = HeldBy.REMIND

        past = Past(self.next_id(), self.now, errors)
        held = self.end(past, RunStatus.FAILURE, failing)

        assert (held and held.by) == expected
        past.told = held is None

    def is_known(self, error: tuple[str, str], row: list[Past], remind: float) -> bool:
        """Say whether people were told of an error, not too long ago."""
        for past in reversed(row):
            if past.told and error in past.errors:
                passed = (self.now - past.began).total_seconds()
                return 0 <= passed < remind - min(remind / 100, 900)
        return False

    @rule()
    def succeed(self) -> None:
        """End a run in which the whole series succeeds."""
        told = any(past.told for past in self.row())
        past = Past(self.next_id(), self.now, whole_success=True)
        before = self.waiting()
        assert self.end(past, RunStatus.SUCCESS, {}) is None
        wanted = self.keys.strategy is EmailStrategy.ALL
        remembers = self.keys.mail_after > 1 or self.keys.remind is not None
        assert (self.waiting() > before) is (wanted or (told and remembers))

    @rule(what=ASIDE)
    def leave(self, what: str) -> None:
        """End a run that says nothing of the project as a whole, or to nobody."""
        status = RunStatus.SUCCESS
        failing: dict[str, str] = {}
        if what == "skipped":
            status = RunStatus.SKIPPED
        elif what == "unwanted failure":
            status, failing = RunStatus.FAILURE, {"a.py": "KeyError"}
        run = self.make(self.next_id(), status, failing, part=what == "part")
        held = Held(by=HeldBy.UNWANTED, reason=Sentence.of("no"))
        if what.startswith("unwanted"):
            run = replace(run, held=held)
        assert self.store.end_run(run, (), self.now)

    @precondition(lambda self: self.waiting())
    @rule(fate=st.sampled_from(["sent", "given up", "dropped"]))
    def deliver(self, fate: str) -> None:
        """Decide what becomes of the report that waits longest."""
        queued = self.store.messages.newest(limit=1000)[-1]
        run = next((p for p in self.past if p.run_id == queued.run_id), None)
        if fate == "dropped":
            assert self.store.messages.drop(queued.number)
        else:
            delivery = Delivery.SENT if fate == "sent" else Delivery.FAILED
            later = self.now + timedelta(days=30)
            claimed = self.store.messages.claim_due(later, owner="me", lease_seconds=0)
            assert claimed is not None
            receipt = Receipt(recipient="a@example.org", delivery=delivery)
            self.store.messages.record_receipts(
                claimed.number, [receipt], owner="me", next_try_at=None
            )
            if fate == "given up":
                assert self.store.messages.drop(claimed.number)
            run = next((p for p in self.past if p.run_id == claimed.run_id), None)
        if run is not None and fate != "sent":
            run.told = False

    def row(self) -> list[Past]:
        """Return the failed runs since the last success, oldest first."""
        row: list[Past] = []
        for past in self.past:
            row = [] if past.whole_success else [*row, past]
        return row

    def waiting(self) -> int:
        """Return how many reports wait."""
        return self.store.messages.waiting()

    def next_id(self) -> str:
        """Return the id of the next run."""
        self.count += 1
        return f"{self.count:013x}"

    def end(
        self, past: Past, status: RunStatus, failing: dict[str, str]
    ) -> Held | None:
        """Decide about a run as the runner does, and record it."""
        run = self.make(past.run_id, status, failing)
        compared = self.keys.remind is not None
        memory = self.store.alert_memory(PROJECT, run.run_id, errors=compared)
        row = self.row()
        assert memory.failures == len(row)
        # Held back, given up or dropped.
        assert memory.untold == sum(not p.told for p in row)
        assert len(memory.told) == sum(p.told for p in row)
        decision = report_due(run, self.keys, memory)
        run = replace(run, held=decision.held)
        message = Message(
            message_id=f"<{run.run_id}@localhost>",
            sender="r@example.org",
            recipients=("a@example.org",),
            subject="s",
            content=b"x",
            audience=RECIPIENTS,
        )
        reports = [message] if decision.due else []
        assert self.store.end_run(run, reports, self.now, memory=memory)
        self.past.append(past)
        kept = self.store.run(run.run_id)
        assert kept is not None
        assert kept.held == decision.held
        return decision.held

    def make(
        self,
        run_id: str,
        status: RunStatus,
        failing: dict[str, str],
        *,
        part: bool = False,
    ) -> Run:
        """Return a run of both scripts."""
        return Run(
            run_id=run_id,
            project=PROJECT.name,
            path=PROJECT,
            status=status,
            started_at=self.now,
            duration=1.0,
            part=part,
            scripts=tuple(
                self.result(run_id, number, name, failing.get(name))
                for number, name in enumerate(SCRIPTS, 1)
            ),
        )

    def result(
        self, run_id: str, number: int, name: str, kind: str | None
    ) -> ScriptResult:
        """Return how a script ended."""
        outcome = Outcome.FAILURE if kind else Outcome.SUCCESS
        traceback = kind and Traceback(
            text="x", exception=f"{kind}: {run_id}", file=name, line=1, function="f"
        )
        attempt = Attempt(
            outcome=outcome,
            exit_code=1 if kind else 0,
            started_at=self.now,
            duration=1.0,
            traceback=traceback or None,
        )
        return ScriptResult(
            script=name,
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=self.now,
            duration=1.0,
            attempts=(attempt,),
        )


@pytest.mark.slow
def test_people_are_told_what_a_naive_reader_would_tell() -> None:
    """Failures, recoveries, lost reports, other keys, other clocks: in any order."""
    run_state_machine_as_test(Alerts, settings=examples(40))
