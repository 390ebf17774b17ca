"""``why`` and ``run --if-missed``: what came of a slot, and what makes up for it."""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click
import pytest

from python_runner.cli.moments import parse_at
from python_runner.due_times import terms_of
from python_runner.model import Outcome, Run, RunStatus
from python_runner.texts.sentence import Sentence
from tests import support
from tests.support import GOOD, TODAY, Cli, MakeProject, keep, started, wait_until


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store

pytestmark = pytest.mark.portable("decided from the records and the clock alone")

#: Half an hour ago something was due, and every hour before.
SLOT = (TODAY - timedelta(minutes=30)).astimezone().replace(second=0, microsecond=0)
HOURLY = f"{SLOT.minute} * * * *"


@pytest.fixture(autouse=True)
def _present(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the time anew for each test: all of them may take more than half an hour."""
    today = datetime.now(UTC)
    slot = (today - timedelta(minutes=30)).astimezone().replace(second=0, microsecond=0)
    monkeypatch.setattr(support, "TODAY", today)
    for name, value in (
        *(("TODAY", today), ("SLOT", slot)),
        ("HOURLY", f"{slot.minute} * * * *"),
    ):
        monkeypatch.setitem(globals(), name, value)


@pytest.fixture
def hourly(make_project: MakeProject) -> Path:
    """Return a project that is due every hour, half an hour ago."""
    return make_project(
        sources={"a.py": "open('ran', 'a').write('x')"},
        schedule=HOURLY,
        email_strategy="none",
    )


def know(store: Store, path: Path, ago: timedelta, *not_on: str) -> None:
    """Let the records know the schedule of a project since then."""
    store.keep_schedule(path, terms_of(HOURLY, not_on), TODAY - ago)


def why(cli: Cli, path: Path, *words: str) -> dict[str, Any]:
    """Return the document of ``why``."""
    done = cli("why", path, "--json", *words)
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def times_run(path: Path) -> int:
    """Return how often the script of a project has run."""
    file = path / "ran"
    return len(file.read_text()) if file.exists() else 0


def test_a_missed_slot_is_caught_up_once(cli: Cli, store: Store, hourly: Path) -> None:
    """One run, however many slots were missed; it says so; then nothing is missed."""
    know(store, hourly, timedelta(hours=5))

    done = cli("run", "--if-missed", "--json", hourly)
    again = cli("run", "--if-missed", hourly)

    assert done.returncode == again.returncode == 0
    (run,) = json.loads(done.stdout)["runs"]
    (warning,) = run["warnings"]
    assert warning.startswith("5 runs were missed, from ")
    assert "no run was missed; the next one is due at" in again.stdout
    assert times_run(hourly) == 1
    assert len(json.loads(cli("history", "--json", hourly).stdout)["runs"]) == 1


def test_what_is_not_known_was_not_missed(cli: Cli, store: Store, hourly: Path) -> None:
    """A key that nobody has seen before, and one that has changed since."""
    first = cli("run", "--if-missed", "--json", hourly)
    store.keep_schedule(hourly, "something else", TODAY - timedelta(days=9))
    changed = cli("run", "--if-missed", "--json", hourly)

    assert first.returncode == changed.returncode == 0
    assert json.loads(first.stdout) == json.loads(changed.stdout) == {"runs": []}
    assert "no run was missed" in first.stderr
    assert times_run(hourly) == 0


def test_a_plan_says_what_would_be_caught_up(
    cli: Cli, store: Store, hourly: Path
) -> None:
    """``--dry-run`` runs nothing, and leaves what was missed."""
    nothing = cli("run", "--if-missed", "--dry-run", hourly)
    know(store, hourly, timedelta(hours=2))
    plan = cli("run", "--if-missed", "--dry-run", hourly)

    assert nothing.returncode == plan.returncode == 0
    assert "no run was missed" in nothing.stdout
    assert "a.py" not in nothing.stdout
    assert "2 runs were missed" in plan.stdout
    assert "a.py" in plan.stdout
    assert times_run(hourly) == 0


def test_each_project_decides_alone(
    cli: Cli, store: Store, hourly: Path, make_project: MakeProject
) -> None:
    """One has missed a slot, one has not, one has no schedule: exit code 2 for that."""
    quiet = make_project("quiet", sources={"a.py": GOOD}, schedule="0 6 * * *")
    plain = make_project("plain", sources={"a.py": GOOD})
    know(store, hourly, timedelta(hours=2))

    done = cli("run", "--if-missed", "--no-mail", "--json", plain, quiet, hourly)

    assert done.returncode == 2
    runs = json.loads(done.stdout)["runs"]
    assert [(r["project"], r["status"]) for r in runs] == [
        ("plain", "not_started"),
        (hourly.name, "success"),
    ]
    assert "without the key schedule" in done.stderr
    assert "without the key schedule" in cli("run", "--if-missed", plain).stderr
    assert json.loads(cli("history", "--json", plain).stdout or '{"runs": []}') == {
        "runs": []
    }


@pytest.mark.parametrize("option", [("--only", "a.py"), ("--resume",)])
def test_a_part_catches_nothing_up(cli: Cli, hourly: Path, option: tuple[str]) -> None:
    """What was missed is the whole series."""
    done = cli("run", "--if-missed", *option, hourly)
    assert done.returncode == 2
    assert f"--if-missed and {option[0]} exclude each other" in done.stderr


def test_a_run_of_a_part_settles_nothing(
    cli: Cli, store: Store, make_project: MakeProject
) -> None:
    """The series is still missed after one of its scripts was run by hand."""
    folder = make_project(
        sources={"a.py": GOOD, "b.py": GOOD}, schedule=HOURLY, email_strategy="none"
    )
    know(store, folder, timedelta(hours=2))

    cli("run", "--only", "a.py", folder)
    part = json.loads(cli("status", "--json", folder).stdout)["projects"][0]
    cli("run", folder)
    whole = json.loads(cli("status", "--json", folder).stdout)["projects"][0]

    assert part["missed"]["count"] == 2
    assert whole["missed"] is None


def test_no_catch_up_on_a_day_off(
    cli: Cli, store: Store, make_project: MakeProject
) -> None:
    """Nothing runs and nothing is recorded, unless ``--any-day`` is given."""
    folder = make_project(
        sources={"a.py": "open('ran', 'a').write('x')"},
        schedule=HOURLY,
        not_on=["today.ics"],
        email_strategy="none",
    )
    day, first = datetime.now().astimezone().date(), SLOT.date()
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//test//EN", "BEGIN:VEVENT"]
    lines += [
        "UID:1@example.org",
        "SUMMARY:Closed",
        f"DTSTART;VALUE=DATE:{first:%Y%m%d}",
    ]
    lines += [f"DTEND;VALUE=DATE:{day + timedelta(1):%Y%m%d}"]
    lines += ["END:VEVENT", "END:VCALENDAR", ""]
    (folder / "today.ics").write_bytes("\r\n".join(lines).encode())
    know(store, folder, timedelta(days=2), "today.ics")

    done = cli("run", "--if-missed", folder)
    closed = why(cli, folder, "--at", f"{SLOT:%Y-%m-%d %H:%M}")

    assert (done.returncode, times_run(folder)) == (0, 0)
    assert "skipped today: Closed (today.ics)" in done.stdout
    assert closed["state"] == "day_off"
    assert "Closed (today.ics)" in closed["answer"]
    assert cli("run", "--if-missed", "--any-day", folder).returncode == 0
    assert times_run(folder) == 1
    assert "no run was missed" in cli("run", "--if-missed", "--any-day", folder).stdout


def test_two_catch_ups_at_once_are_one_run(
    cli: Cli, store: Store, make_project: MakeProject, tmp_path: Path
) -> None:
    """The second finds the lock held, says so, and is no failure."""
    source = (
        "import pathlib, time\npathlib.Path('up').touch()\n"
        "end = time.monotonic() + 60\n"
        "while not pathlib.Path('go').exists() and time.monotonic() < end:\n"
        "    time.sleep(0.02)\n"
    )
    folder = make_project(
        sources={"a.py": source}, schedule=HOURLY, email_strategy="none"
    )
    know(store, folder, timedelta(hours=2))
    with started(tmp_path, "run", "--if-missed", folder):
        wait_until((folder / "up").exists)
        # The slot is settled by the run that is active.
        second = cli("run", "--if-missed", folder)
        # What has come to be missed since then is not caught up beside it.
        store.keep_schedule(folder, "other", TODAY - timedelta(hours=3))
        know(store, folder, timedelta(hours=2))
        third = cli("run", "--if-missed", folder)
        (folder / "go").touch()

    assert second.returncode == third.returncode == 0
    assert "no run was missed" in second.stdout
    assert "another run of the project has been active since" in third.stdout
    runs = json.loads(cli("history", "--json", folder).stdout)["runs"]
    assert len(runs) == 1


def test_status_tells_what_is_due_and_what_was_missed(
    cli: Cli, store: Store, hourly: Path, make_project: MakeProject
) -> None:
    """In the table and in the document; without a schedule both are empty."""
    plain = make_project("plain", sources={"a.py": GOOD})
    know(store, hourly, timedelta(hours=3))

    one, other = json.loads(cli("status", "--json", hourly, plain).stdout)["projects"]
    heading, line, *_others = cli("status", hourly, plain).stdout.splitlines()

    due = datetime.fromisoformat(one["due"])
    assert TODAY < due <= TODAY + timedelta(minutes=61)
    assert due.minute == SLOT.minute
    assert one["missed"]["count"] == 3
    assert datetime.fromisoformat(one["missed"]["last"]) == SLOT
    assert (other["due"], other["missed"]) == (None, None)
    assert heading.split()[-3:] == ["due", "missed", "reason"]
    assert line.endswith("  3")
    assert "(UTC" in line
    assert "due" not in cli("status", plain).stdout


def test_why_tells_of_the_last_missed_slot(
    cli: Cli, store: Store, hourly: Path
) -> None:
    """Nothing starts the project: that is the cause, and what to do is said."""
    know(store, hourly, timedelta(hours=3))

    found = why(cli, hourly)
    first = cli("why", hourly).stdout.splitlines()[0]

    assert found["state"] == "missed"
    assert datetime.fromisoformat(found["at"]) == SLOT
    assert first == found["answer"]
    assert first.startswith(f"{hourly.name} did not run at {SLOT:%Y-%m-%d %H:%M}: ")
    assert any("--if-missed" in advice for advice in found["advice"])


def test_why_tells_of_a_run(cli: Cli, store: Store, hourly: Path) -> None:
    """It ran, in time or late, and how it ended."""
    know(store, hourly, timedelta(hours=3))
    in_time = TODAY - SLOT.astimezone(TODAY.tzinfo) - timedelta(seconds=1)
    keep(store, "1" * 13, hourly, Outcome.FAILURE, ago=in_time)

    found = why(cli, hourly)
    assert (found["state"], found["run_id"]) == ("answered", "1" * 13)
    assert f"{hourly.name} ran: run 1111111111111 started at" in found["answer"]
    assert found["findings"] == ["The run ended: failed."]

    keep(store, "2" * 13, hourly, Outcome.SUCCESS, ago=timedelta(minutes=5))
    at = (SLOT - timedelta(hours=1)).strftime("%Y-%m-%d %H:%M")
    assert why(cli, hourly, "--at", at)["state"] == "missed"


def test_a_schedule_of_today_was_not_late_before(cli: Cli, hourly: Path) -> None:
    """What was due before anybody knew the schedule is neither missed nor late."""
    assert cli("run", hourly).returncode == 0

    found = why(cli, hourly)
    assert "has missed no run since its schedule is known" in found["answer"]
    assert found["findings"][0].startswith("Its last run started at ")
    asked = why(cli, hourly, "--at", f"{SLOT:%Y-%m-%d %H:%M}")
    assert asked["unknown"][-1].startswith("The schedule is known since ")


def test_why_tells_of_a_skipped_run(cli: Cli, store: Store, hourly: Path) -> None:
    """Another run was active: which one, and from when to when."""
    know(store, hourly, timedelta(hours=5))
    keep(
        *(store, "1" * 13, hourly, Outcome.SUCCESS),
        ago=timedelta(hours=2),
        duration=6600,
    )

    found = why(cli, hourly, "--at", f"{SLOT:%H:%M}")

    assert found["state"] == "skipped"
    assert found["run_id"] == "1" * 13
    assert "Run 1111111111111 was active from" in found["findings"][0]


def test_why_tells_of_a_run_that_could_not_start(
    cli: Cli, store: Store, hourly: Path
) -> None:
    """With the reason of that run."""
    know(store, hourly, timedelta(hours=5))
    failed = Run(
        run_id="3" * 13,
        project=hourly.name,
        path=hourly,
        status=RunStatus.NOT_STARTED,
        started_at=SLOT,
        duration=0.0,
        error=Sentence.of("the interpreter is gone"),
    )
    store.end_run(failed, [], TODAY)

    found = why(cli, hourly)

    assert found["state"] == "not_started"
    assert "the interpreter is gone" in found["answer"]
    assert found["skipped_run_id"] == "3" * 13


def test_why_tells_when_nothing_was_due(cli: Cli, hourly: Path) -> None:
    """And what is due around that time."""
    found = why(cli, hourly, "--at", f"{SLOT + timedelta(minutes=7):%Y-%m-%d %H:%M}")

    assert found["state"] == "not_due"
    assert f"its schedule is {HOURLY}" in found["answer"]
    assert f"{SLOT:%H:%M}" in found["findings"][0]
    future = why(cli, hourly, "--at", f"{SLOT + timedelta(days=3):%Y-%m-%d %H:%M}")
    assert future["state"] == "due"


def test_why_without_a_schedule(
    cli: Cli, store: Store, make_project: MakeProject
) -> None:
    """Nobody knows when it is due; a new project has nothing to tell."""
    plain = make_project("plain", sources={"a.py": GOOD})
    keep(store, "1" * 13, plain, Outcome.SUCCESS, ago=timedelta(hours=1))
    found = why(cli, plain)
    assert found["state"] == "no_schedule"
    assert "Its last run started at" in found["findings"][0]

    new = make_project("new", sources={"a.py": GOOD}, schedule="0 6 1 1 *")
    assert why(cli, new)["state"] == "no_run"
    assert cli("why", "nowhere").returncode == 2


_NOON = datetime(2026, 11, 26, 12).astimezone()


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("06:00", "2026-11-26 06:00:00"),
        ("13:00", "2026-11-25 13:00:00"),
        ("today 06:00", "2026-11-26 06:00:00"),
        ("today 13:00", "2026-11-26 13:00:00"),
        ("Yesterday  6:00", "2026-11-25 06:00:00"),
        ("yesterday at 06:00", "2026-11-25 06:00:00"),
        ("06:00 yesterday", "2026-11-25 06:00:00"),
        ("hier 06:00", "2026-11-25 06:00:00"),
        ("hier à 6h", "2026-11-25 06:00:00"),
        ("hier 6h30", "2026-11-25 06:30:00"),
        ("avant-hier 06:00", "2026-11-24 06:00:00"),
        ("aujourd'hui 06:00", "2026-11-26 06:00:00"),
        ("aujourd\N{RIGHT SINGLE QUOTATION MARK}hui à 06:00", "2026-11-26 06:00:00"),
        ("2026-11-20 06:00", "2026-11-20 06:00:00"),
        ("2026-11-20T06:00:30", "2026-11-20 06:00:30"),
        ("20/11/2026 06:00", "2026-11-20 06:00:00"),
        ("06:00:15", "2026-11-26 06:00:15"),
    ],
)
def test_people_name_a_moment(text: str, moment: str) -> None:
    """In English and in French; without a day, the last one that has been."""
    assert f"{parse_at(text, _NOON):%Y-%m-%d %H:%M:%S}" == moment


def _read_zone() -> None:
    """Let this process take the time zone of its environment."""
    if sys.platform != "win32":
        time.tzset()


@pytest.mark.posix
@pytest.mark.parametrize(
    ("text", "moment"),
    [
        # 02:30 does not exist on 29 March, and comes twice on 25 October.
        ("2026-03-29 02:30", "2026-03-29T03:00:00+02:00"),
        ("29/03/2026 2:59:59", "2026-03-29T03:00:00+02:00"),
        ("2026-03-29 01:59", "2026-03-29T01:59:00+01:00"),
        ("2026-03-29 03:00", "2026-03-29T03:00:00+02:00"),
        ("2026-10-25 02:30", "2026-10-25T02:30:00+02:00"),
        ("2026-03-29 02:30+00:00", "2026-03-29T04:30:00+02:00"),
    ],
)
def test_a_time_that_the_day_does_not_have_is_the_next(
    text: str, moment: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a schedule is due then."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "Europe/Paris")
        _read_zone()
        found = parse_at(text, TODAY)
        assert found == datetime.fromisoformat(moment)
    _read_zone()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "6",
        "noon",
        "25:00",
        "06:60",
        "hier",
        "2026-11-26",
        "2026-02-30 06:00",
        "tomorow 6:00",
        "9999-12-31 23:59",
        "31/12/9999 6h",
        "0001-01-01 00:00",
        "1800-01-01 00:00",
    ],
)
def test_what_names_no_moment_is_an_error(text: str) -> None:
    """With examples of what does."""
    with pytest.raises(click.BadParameter, match="today 06:00"):
        parse_at(text, _NOON)
