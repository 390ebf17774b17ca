"""Which of several causes the answer names, and which it leaves out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest

from python_runner.model import Run, RunStatus
from python_runner.scheduling.absence import Absence
from python_runner.scheduling.entries import Entry, Job, Purpose, SchedulerName
from python_runner.scheduling.evidence import Evidence, collect
from python_runner.scheduling.slots import Slot, SlotState
from python_runner.scheduling.why import answered, explain
from python_runner.texts.sentence import Sentence


pytestmark = pytest.mark.portable("decided from what the system has told")
SIX = datetime(2026, 11, 26, 6, tzinfo=UTC)
MISSED = Slot(time=SIX, state=SlotState.MISSED)


def entry() -> Entry:
    """Return an entry of the crontab that runs a project."""
    job = Job(
        purpose=Purpose.RUN,
        project=Path("/srv/p"),
        expression="0 6 * * *",
        command=("python-runner", "run", "/srv/p"),
        folder=None,
    )
    return Entry(scheduler=SchedulerName.CRON, name="x", job=job, own=True)


def said(text: str) -> Sentence:
    """Return a sentence that says just this."""
    return Sentence.of("{text}", text=text)


def off(begin: datetime | None, *, asleep: bool = False) -> Absence:
    """Return a time in which the computer ran nothing, up to some hours after six."""
    return Absence(asleep=asleep, begin=begin, end=SIX + timedelta(hours=2))


NIGHT = SIX - timedelta(hours=12)
REFUSED = (said("the Task Scheduler at 06:00: access was denied"), said("Look there."))


@pytest.mark.parametrize(
    ("evidence", "answer", "others"),
    [
        (Evidence(absence=off(NIGHT), entries=()), "the computer was off from", 0),
        (
            Evidence(absence=off(NIGHT, asleep=True), refused=[REFUSED]),
            "the computer was asleep from",
            0,
        ),
        # Nobody knows whether it was on: what else is known stands beside it.
        (Evidence(absence=off(None), entries=()), "the computer was started at", 1),
        (Evidence(refused=[REFUSED], entries=()), "access was denied", 1),
        (Evidence(entries=()), "nothing of this account starts it", 0),
        (
            Evidence(entries=(entry(),), started=[said("cron started it at 06:00")]),
            "cron started it at 06:00, but the records contain no run of it",
            0,
        ),
        (
            Evidence(
                entries=(entry(),), troubles=[(said("cron is not running"), None)]
            ),
            "cron is not running",
            0,
        ),
        (Evidence(entries=(entry(),)), "nothing on this computer says why", 0),
        (Evidence(entries=None), "nothing on this computer says why", 0),
    ],
)
def test_the_surest_cause_comes_first(
    evidence: Evidence, answer: str, others: int
) -> None:
    """What excludes everything else, then what was written then, then what holds now."""
    told = explain("p", MISSED, evidence, None)

    assert str(told.answer).startswith("p did not run at 2026-11-26 ")
    assert answer in str(told.answer)
    assert len(told.findings) == others
    assert "--if-missed" in str(told.advice[-1])


def test_what_is_not_known_is_said() -> None:
    """Beside the answer, whatever that is."""
    evidence = Evidence(entries=(), unknown=[said("the history is switched off")])
    assert explain("p", MISSED, evidence, None).unknown == evidence.unknown


@pytest.mark.parametrize("state", [s for s in SlotState if s is not SlotState.ANSWERED])
@pytest.mark.parametrize("reason", [None, said("because")])
def test_every_state_has_its_sentence(
    state: SlotState, reason: Sentence | None
) -> None:
    """With and without a reason; no value is left open."""
    told = str(explain("p", Slot(time=SIX, state=state), None, reason).answer)

    assert told.startswith("p ")
    assert "None" not in told
    assert "{" not in told


def test_a_late_run_says_why_it_was_late() -> None:
    """It ran, and the computer was off when it was due."""
    run = Run(
        run_id="1" * 13,
        project="p",
        path=Path("/srv/p"),
        status=RunStatus.SUCCESS,
        started_at=SIX + timedelta(hours=3),
        duration=1.0,
    )
    slot = Slot(time=SIX, state=SlotState.ANSWERED, run=run)

    told = answered("p", slot, said("succeeded"), Evidence(absence=off(NIGHT)))

    assert "p ran late: it was due at" in str(told.answer)
    assert "When it was due: the computer was off from" in str(told.findings[0])


#: Programs of a system on which a laptop slept, and cron refused something.
_JOURNALCTL = """#!/bin/sh
case "$*" in
*--list-boots*) echo '[]' ;;
*CRON*)
  echo '{"__REALTIME_TIMESTAMP": "CRON_TIME", "SYSLOG_IDENTIFIER": "CRON",'\\
       '"MESSAGE": "(ann) CMD (python-runner run FOLDER)"}'
  echo '{"__REALTIME_TIMESTAMP": "CRON_TIME", "SYSLOG_IDENTIFIER": "CRON",'\\
       '"MESSAGE": "(ann) ERROR (failed to change user)"}' ;;
*MESSAGE_ID*)
  echo '{"__REALTIME_TIMESTAMP": "SLEEP", "MESSAGE": "x",'\\
       '"MESSAGE_ID": "6bbd95ee977941e497c48be27c254128"}'
  echo '{"__REALTIME_TIMESTAMP": "WAKE", "MESSAGE": "x",'\\
       '"MESSAGE_ID": "8811e6df2a8e40f58a94cea26f8ebf14"}' ;;
esac
"""


@pytest.mark.posix
def test_the_programs_of_the_system_are_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal tells of a sleep, and of what cron started and refused."""
    now = datetime.now(UTC)
    # This computer may have been started a minute ago, and was off before.
    up = now - datetime.fromtimestamp(psutil.boot_time(), UTC)
    part = min(timedelta(minutes=30), up / 4)
    slot = now - 2 * part
    values = {
        "CRON_TIME": slot + timedelta(seconds=1),
        "SLEEP": slot - part,
        "WAKE": slot + part,
    }
    text = _JOURNALCTL.replace("FOLDER", str(tmp_path))
    for word, moment in values.items():
        text = text.replace(word, str(int(moment.timestamp() * 1_000_000)))
    (tmp_path / "journalctl").write_text(text)
    (tmp_path / "journalctl").chmod(0o700)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    found = collect(tmp_path, slot, now)

    assert found.absence is not None
    assert found.absence.asleep
    assert [str(s).split(" at ")[0] for s in found.started] == ["cron started it"]
    assert ["failed to change user" in str(what) for what, _ in found.refused] == [True]


@pytest.mark.posix
def test_a_system_without_programs_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither cron nor systemd nor a journal: a container."""
    monkeypatch.setenv("PATH", str(tmp_path))

    found = collect(
        tmp_path, datetime.now(UTC) - timedelta(minutes=3), datetime.now(UTC)
    )

    assert found.started == []
    assert found.refused == []
