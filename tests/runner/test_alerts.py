"""Real runs of a project that fails again and again: who is told what, and when."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from python_runner.model import HeldBy, MailStatus, Run, RunStatus
from python_runner.records.store import Store, StoreError
from python_runner.runner.project_run import run_configured
from python_runner.runner.session import open_session
from python_runner.texts.sentence import Sentence
from tests.support import BAD, GOOD, NOW, Cli, MakeProject, mails


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.portable("who is told what is the same everywhere")

OTHER = "raise ValueError('other')"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Office:
    """A project whose scripts change, and whose runs begin when it is told."""

    def __init__(self, folder: Path, mail_dir: Path) -> None:
        self.folder, self.mail_dir, self.now = folder, mail_dir, NOW.astimezone()

    def configure(self, **keys: Any) -> None:
        """Change keys of the configuration; None removes one."""
        path = self.folder / "exec_config.json"
        config = json.loads(path.read_text(encoding="utf-8")) | keys
        config = {key: value for key, value in config.items() if value is not None}
        path.write_text(json.dumps(config), encoding="utf-8")

    def run(
        self,
        source: str,
        later: timedelta = timedelta(minutes=1),
        *,
        other: str = GOOD,
        mail: bool = True,
        only: tuple[str, ...] = (),
    ) -> Run:
        """Run its two scripts so much later than the last time."""
        (self.folder / "first.py").write_text(source, encoding="utf-8")
        (self.folder / "second.py").write_text(other, encoding="utf-8")
        self.now += later
        with open_session(
            load_settings(), now=lambda: self.now, reports_enabled=mail
        ) as session:
            run = run_configured(self.folder, session, defaults={}, only=only)
        assert run is not None
        return run

    def subjects(self) -> list[str]:
        """Return the subjects of all mails so far."""
        return [str(mail["Subject"]) for mail in mails(self.mail_dir)]

    def last(self) -> str:
        """Return the text of the last mail."""
        body = mails(self.mail_dir)[-1].get_body(("plain",))
        assert body is not None
        return str(body.get_content())


@pytest.fixture
def office(make_project: MakeProject, mail_dir: Path) -> Office:
    """Return a project of two scripts that mails failures only."""
    folder = make_project(
        sources={"first.py": GOOD, "second.py": GOOD},
        recipients=["ann@example.org"],
        email_strategy="failure_only",
        language="en",
    )
    return Office(folder, mail_dir)


def kept(run: Run) -> HeldBy | None:
    """Return what holds a run back."""
    return run.held.by if run.held else None


@pytest.mark.slow
def test_the_whole_way(office: Office) -> None:
    """Held back, told, reminded, changed, recovered: each mail makes up for the others."""
    office.configure(mail_after=2, remind="1d")
    first = office.run(BAD)
    assert (first.mail_status, kept(first)) == (MailStatus.NONE, HeldBy.MAIL_AFTER)
    assert office.subjects() == []

    second = office.run(BAD, HOUR)
    assert (second.mail_status, kept(second)) == (MailStatus.SENT, None)
    assert "the same error in 2 runs since" in office.last()
    assert "of which 1 was not mailed" in office.last()

    for _hour in range(3):
        third = office.run(BAD, HOUR)
        assert (third.mail_status, kept(third)) == (MailStatus.NONE, HeldBy.REMIND)
        assert third.held is not None
        assert third.held.until == second.started_at + DAY
    assert len(office.subjects()) == 1

    # Another error, and another script, at once.
    assert office.run(OTHER).mail_status is MailStatus.SENT
    assert "6 failed runs in a row since" in office.last()
    assert "of which 4 were not mailed" in office.last()
    assert office.run(OTHER, other=BAD).mail_status is MailStatus.SENT
    # Both are known, together or alone.
    for source, other in ((OTHER, BAD), (OTHER, GOOD), (GOOD, BAD), (BAD, GOOD)):
        assert kept(office.run(source, other=other)) is HeldBy.REMIND
    # A day later all of it is repeated.
    assert office.run(OTHER, DAY).mail_status is MailStatus.SENT

    # Its end is told once, though successes are not mailed.
    assert office.run(GOOD).mail_status is MailStatus.SENT
    assert office.subjects()[-1].startswith("[project_1] recovered: first.py after ")
    assert "failed runs before it since" in office.last()
    count = len(office.subjects())
    assert office.run(GOOD).mail_status is MailStatus.NONE
    # A failure after that is a new one.
    assert kept(office.run(BAD)) is HeldBy.MAIL_AFTER
    # Nobody knows of it, nor of its end.
    assert office.run(GOOD).mail_status is MailStatus.NONE
    assert len(office.subjects()) == count


def test_without_the_keys_each_failure_is_mailed_and_no_recovery(
    office: Office,
) -> None:
    """As the original does it."""
    for source, due in ((BAD, True), (BAD, True), (GOOD, False)):
        assert (office.run(source).mail_status is MailStatus.SENT) is due
    assert "mailed" not in office.last()


def test_all_tells_successes_as_ever(office: Office) -> None:
    """Only the repeats of failures are held back; the success says what was."""
    office.configure(email_strategy="all", mail_after=2)
    told = [office.run(source).mail_status for source in (GOOD, BAD, GOOD)]
    assert told == [MailStatus.SENT, MailStatus.NONE, MailStatus.SENT]
    assert "1 failed run before it since" in office.last()
    assert "which was not mailed" in office.last()


def test_a_run_without_mail_is_as_if_it_had_not_been(office: Office) -> None:
    """It neither counts, nor tells, nor ends anything that people know of."""
    office.configure(mail_after=2, remind="1d")
    assert kept(office.run(BAD, mail=False)) is HeldBy.UNWANTED
    assert kept(office.run(BAD)) is HeldBy.MAIL_AFTER
    assert kept(office.run(OTHER, mail=False)) is HeldBy.UNWANTED
    assert office.run(OTHER).mail_status is MailStatus.SENT
    # The recovery that nobody was told of is told by the next success.
    assert office.run(GOOD, mail=False).mail_status is MailStatus.NONE
    assert office.run(GOOD).mail_status is MailStatus.SENT
    assert "recovered" in office.subjects()[-1]


def test_a_part_of_the_series_is_no_recovery(office: Office) -> None:
    """One script that works says nothing of the other, which still fails."""
    office.configure(remind="1d")
    assert office.run(GOOD, other=BAD).mail_status is MailStatus.SENT
    alone = office.run(GOOD, other=BAD, only=("first.py",))
    assert (alone.status, alone.mail_status) == (RunStatus.SUCCESS, MailStatus.NONE)
    assert kept(office.run(GOOD, other=BAD)) is HeldBy.REMIND
    assert office.run(GOOD).mail_status is MailStatus.SENT


def test_a_project_that_cannot_start_is_remembered_too(office: Office) -> None:
    """Its interpreter is gone: told once, until something else is wrong."""
    office.configure(remind="1d", python_command="no-such-python")
    assert office.run(GOOD).mail_status is MailStatus.SENT
    again = office.run(GOOD)
    assert (again.status, kept(again)) == (RunStatus.NOT_STARTED, HeldBy.REMIND)
    office.configure(python_command="another-python")
    assert office.run(GOOD).mail_status is MailStatus.SENT


def test_other_keys_hold_from_the_next_run_on(office: Office) -> None:
    """N lowered, ``remind`` removed: what is due now is mailed, with what was not."""
    office.configure(mail_after=5)
    assert kept(office.run(BAD)) is HeldBy.MAIL_AFTER
    office.configure(mail_after=2, remind="7d")
    assert office.run(BAD).mail_status is MailStatus.SENT
    assert kept(office.run(BAD)) is HeldBy.REMIND
    office.configure(mail_after=None, remind=None)
    assert office.run(BAD).mail_status is MailStatus.SENT
    assert "of which 2 were not mailed" in office.last()


def test_a_report_that_cannot_leave_waits_and_one_that_is_dropped_told_nobody(
    office: Office, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    """What waits will arrive; of what was dropped the next run tells."""
    office.configure(remind="1d")
    for name, value in {
        "MAIL_TRANSPORT": "smtp",
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(free_port),
        "SMTP_SECURITY": "none",
    }.items():
        monkeypatch.setenv(name, value)
    assert office.run(BAD).mail_status is MailStatus.QUEUED
    assert kept(office.run(BAD)) is HeldBy.REMIND
    with open_session(load_settings(), now=lambda: office.now) as session:
        assert session.store is not None
        (queued,) = session.store.messages.newest()
        assert session.store.messages.drop(queued.number)
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    assert office.run(BAD).mail_status is MailStatus.SENT
    assert "3 runs since" in office.last()


def test_what_cannot_be_recorded_is_not_held_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that no list would show is mailed."""
    office.configure(mail_after=3)
    assert kept(office.run(BAD)) is HeldBy.MAIL_AFTER

    def refuse(*_arguments: object, **_values: object) -> bool:
        raise StoreError(Sentence.of("the disk is full"))

    monkeypatch.setattr(Store, "end_run", refuse)
    run = office.run(BAD)
    assert (run.mail_status, kept(run)) == (MailStatus.SENT, None)


def test_two_runs_that_end_at_the_same_time_tell_it_once(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run ends and tells it, after this one has looked and before it ends."""
    office.configure(remind="1d")
    told = office.run(BAD)
    assert office.run(GOOD).mail_status is MailStatus.SENT
    read, looks = Store.alert_memory, list[str]()

    def read_too_early(store: Store, path: Path, run_id: str, **values: Any) -> Any:
        found = read(store, path, run_id, **values)
        looks.append(run_id)
        if len(looks) == 1:
            another = replace(
                told,
                run_id="f" * 13,
                started_at=office.now,
                mail_status=MailStatus.SENT,
                scripts=tuple(replace(r, run_id="f" * 13) for r in told.scripts),
            )
            assert store.end_run(another, (), office.now)
        return found

    monkeypatch.setattr(Store, "alert_memory", read_too_early)
    run = office.run(BAD)

    assert (run.mail_status, kept(run)) == (MailStatus.NONE, HeldBy.REMIND)
    assert len(looks) == 2
    assert len(office.subjects()) == 2


@pytest.mark.slow
def test_every_command_says_what_is_held_back(office: Office, cli: Cli) -> None:
    """Nothing is lost: run, show, status, history, the list and the digest tell it."""
    office.configure(mail_after=3)
    (office.folder / "first.py").write_text(BAD, encoding="utf-8")
    reason = "held back by mail_after: 1 of 3 failed runs in a row"

    done = cli("run", "--json", office.folder)

    assert done.returncode == 1
    assert reason in done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["mail"], run["mail_reason"]) == ("none", reason)
    (shown,) = json.loads(cli("show", "--json", office.folder).stdout)["runs"]
    assert (shown["mail"], shown["mail_reason"]) == ("none", reason)
    assert reason in cli("show", office.folder).stdout
    (status,) = json.loads(cli("status", "--json", office.folder).stdout)["projects"]
    assert (status["mail"], status["mail_reason"]) == ("none", reason)
    for command in ("status", "history"):
        assert "held back" in cli(command, office.folder).stdout
    listed = cli("mail", "list").stdout
    assert f"held back  project_1 ({run['run_id']})  first.py: KeyError" in listed
    assert reason in listed
    told = cli("digest").stdout
    assert "1 run held back by mail_after" in told
    assert reason in told
    (project,) = json.loads(cli("digest", "--json").stdout)["projects"]
    assert project["held_back"] == {"mail_after": 1}
    # After the recovery the list is empty, and the digest still tells it.
    (office.folder / "first.py").write_text(GOOD, encoding="utf-8")
    assert cli("run", office.folder).returncode == 0
    assert "No report is waiting." in cli("mail", "list").stdout
    assert run["run_id"] in cli("mail", "list", "--all").stdout
    assert "1 run held back by mail_after" in cli("digest").stdout
    assert cli("digest", "--mail").returncode == 0
    assert "1 run held back by mail_after" in office.last()
