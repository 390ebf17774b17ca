"""How projects stand in a digest, and who is told of which."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.model import (
    Attempt,
    EmailStrategy,
    MailSettings,
    OpenRun,
    Outcome,
    Project,
    Run,
    RunStatus,
    ScriptResult,
    Settings,
    Traceback,
)
from python_runner.model.digest import Digest, ProjectDigest, Standing
from python_runner.records.digests import Period
from python_runner.records.store import Store, open_store
from python_runner.runner.context import schedule_terms
from python_runner.runner.digest import Survey
from python_runner.runner.digest_mail import Readers, digest_messages, readers_of
from python_runner.scheduling.catch_up import first_missed
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import MakeProject

pytestmark = pytest.mark.portable("what is told is decided from the records alone")

#: A Thursday.
NOW = datetime(2026, 11, 26, 7, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
PERIOD = Period(NOW - DAY, NOW)


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return new records."""
    with open_store(shielded, NOW) as store:
        yield store


def keep(
    store: Store,
    path: Path,
    ago: timedelta,
    status: RunStatus = RunStatus.SUCCESS,
    *,
    exception: str = "KeyError: 'amount'",
    took: timedelta = timedelta(seconds=2),
    unusual: tuple[Sentence, ...] = (),
) -> None:
    """Record a run that began so long ago."""
    run_id = f"{int((NOW - ago).timestamp()):x}{abs(hash(path)):x}"[:13].rjust(13, "0")
    failed = status is RunStatus.FAILURE
    outcome = Outcome.FAILURE if failed else Outcome.SUCCESS
    traceback = Traceback(text=exception, exception=exception, file="a.py", line=3)
    attempt = Attempt(
        outcome=outcome,
        exit_code=int(failed),
        started_at=NOW - ago,
        duration=2.0,
        traceback=traceback if failed else None,
    )
    result = ScriptResult(
        script="a.py",
        run_id=run_id,
        number=1,
        outcome=outcome,
        started_at=NOW - ago,
        duration=2.0,
        attempts=(attempt,),
        unusual=unusual,
    )
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=status,
        started_at=NOW - ago,
        duration=took.total_seconds(),
        scripts=(result,) if status in {RunStatus.SUCCESS, RunStatus.FAILURE} else (),
        error=None if failed else Sentence.of("another run has been active"),
    )
    store.end_run(run, [], NOW - ago)


def know(store: Store, path: Path, ago: timedelta, terms: str | None = None) -> None:
    """Let the records know the schedule of a project since then."""
    terms = terms or schedule_terms(load_project(path))
    store.keep_schedule(path, terms, NOW - ago)


def digest_of(
    store: Store,
    home: Path,
    *folders: Path,
    period: Period = PERIOD,
    listed: bool = True,
) -> Digest:
    """Return the digest of projects."""
    settings = Settings(
        home=home, mail=MailSettings(), environ={"API_TOKEN": "s3cr3t-99"}
    )
    survey = Survey(
        store=store,
        settings=settings,
        defaults={},
        listed=frozenset(folders if listed else ()),
        missed=lambda project, now: first_missed(project, store, now),
    )
    return survey.digest(folders, period)


OK, FAILED, SKIPPED = RunStatus.SUCCESS, RunStatus.FAILURE, RunStatus.SKIPPED


@pytest.mark.parametrize(
    ("runs", "standing", "counts"),
    [
        pytest.param([], Standing.NEVER_RAN, (0, 0), id="never ran"),
        pytest.param([(HOUR, OK)], Standing.WELL, (1, 0), id="well"),
        pytest.param([(3 * DAY, OK)], Standing.WELL, (0, 0), id="well, long ago"),
        pytest.param([(HOUR, FAILED)], Standing.FAILED, (1, 1), id="failed"),
        pytest.param(
            [(HOUR, RunStatus.NOT_STARTED)], Standing.FAILED, (1, 1), id="not started"
        ),
        pytest.param(
            [(2 * DAY, FAILED), (HOUR, FAILED)],
            Standing.STILL_FAILING,
            (1, 1),
            id="still failing",
        ),
        pytest.param(
            [(2 * DAY, FAILED)], Standing.STILL_FAILING, (0, 0), id="failed, long ago"
        ),
        pytest.param(
            [(2 * DAY, OK), (5 * HOUR, FAILED), (HOUR, OK)],
            Standing.RECOVERED,
            (2, 1),
            id="recovered",
        ),
        # Failed at six, digest at seven, and so the next day.
        pytest.param(
            [(25 * HOUR, FAILED), (HOUR, OK)],
            Standing.RECOVERED,
            (1, 0),
            id="recovered since the last digest",
        ),
        pytest.param(
            [(3 * DAY, FAILED), (2 * DAY, OK), (HOUR, OK)],
            Standing.WELL,
            (1, 0),
            id="recovered, long ago",
        ),
        # That another run was active says nothing of the project.
        pytest.param(
            [(5 * HOUR, OK), (HOUR, SKIPPED)], Standing.WELL, (1, 0), id="skip"
        ),
    ],
)
def test_how_a_project_stands(
    runs: list[tuple[timedelta, RunStatus]],
    standing: Standing,
    counts: tuple[int, int],
    store: Store,
    make_project: MakeProject,
) -> None:
    """By its runs before the digest's time, in it, and by how the last one ended."""
    folder = make_project()
    for ago, status in runs:
        keep(store, folder, ago, status)

    (found,) = digest_of(store, folder.parent / "home", folder).projects

    assert (found.standing, (found.runs, found.failed)) == (standing, counts)


def test_a_silent_project_is_told_by_its_schedule_or_its_rhythm(
    store: Store, shielded: Path, make_project: MakeProject
) -> None:
    """The schedule comes first; where a calendar excludes the day nothing is due."""
    late = make_project("late", schedule="0 5 * * *")
    weekend = make_project("weekend", schedule="0 6 * * *", not_on=["weekend"])
    installed = make_project("installed", schedule="0 5 * * *")
    changed = make_project("changed", schedule="0 5 * * *")
    rhythm = make_project("rhythm")
    young = make_project("young")
    keep(store, late, 26 * HOUR)
    # Last Friday; today is a Thursday: Monday to Wednesday were missed.
    keep(store, weekend, 6 * DAY)
    keep(store, changed, 6 * DAY)
    know(store, late, 26 * HOUR)
    know(store, weekend, 6 * DAY)
    know(store, changed, 6 * DAY, "another schedule")
    # It has never run.
    know(store, installed, 3 * DAY)
    for days in range(3, 40):
        keep(store, rhythm, days * DAY + HOUR)
    for days in range(20, 24):
        keep(store, young, days * DAY)

    found = {
        p.name: p
        for p in digest_of(
            store, shielded, late, weekend, installed, changed, rhythm, young
        ).projects
    }

    assert {name: p.standing for name, p in found.items()} == {
        "late": Standing.SILENT,
        "weekend": Standing.SILENT,
        "installed": Standing.SILENT,
        "changed": Standing.WELL,
        "rhythm": Standing.SILENT,
        "young": Standing.WELL,
    }
    assert found["late"].silent
    assert found["late"].silent.schedule == "0 5 * * *"
    assert found["weekend"].silent
    assert found["weekend"].silent.expected_at.astimezone().weekday() == 0
    assert found["rhythm"].silent
    assert found["rhythm"].silent.schedule is None
    assert found["rhythm"].silent.runs == 37


def test_what_runs_is_not_silent(
    store: Store,
    shielded: Path,
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A run of days is told with how long it takes; one whose runner died has failed."""
    folder = make_project(schedule="0 5 * * *", help="Call Anna.")
    keep(store, folder, 5 * DAY)
    know(store, folder, 5 * DAY)
    run = OpenRun(
        run_id="a" * 13, project=folder.name, path=folder, started_at=NOW - 4 * DAY
    )
    store.begin_run(run)
    (died,) = digest_of(store, shielded, folder).projects
    assert died.standing is Standing.STILL_FAILING
    assert died.status is RunStatus.INTERRUPTED
    assert died.running_since is None
    assert died.help == "Call Anna."
    assert died.streak
    assert (died.streak.count, died.streak.since) == (1, NOW - 4 * DAY)

    # The lock tells that its runner lives.
    monkeypatch.setattr("python_runner.runner.digest.was_interrupted", lambda *_: False)
    (active,) = digest_of(store, shielded, folder).projects
    assert (active.standing, active.silent) == (Standing.WELL, None)
    assert active.running_since == NOW - 4 * DAY


@pytest.mark.parametrize(
    ("last", "standings"),
    [
        (FAILED, (Standing.FAILED, Standing.STILL_FAILING)),
        (OK, (Standing.WELL, Standing.WELL)),
    ],
)
def test_a_run_that_was_active_at_the_last_digest_is_told_by_the_next_one(
    last: RunStatus,
    standings: tuple[Standing, Standing],
    store: Store,
    shielded: Path,
    make_project: MakeProject,
) -> None:
    """Each run is counted once: by the digest in whose time it ended."""
    folder = make_project()
    keep(store, folder, 2 * DAY)
    keep(store, folder, DAY + HOUR, last, took=2 * HOUR)
    before = Period(PERIOD.since - DAY, PERIOD.since)
    after = Period(PERIOD.until, PERIOD.until + DAY)

    told = [
        digest_of(store, shielded, folder, period=period).projects[0]
        for period in (before, PERIOD, after)
    ]

    assert [project.runs for project in told] == [1, 1, 0]
    assert (told[1].standing, told[2].standing) == standings


@pytest.mark.parametrize(
    ("took", "counted"),
    # A damaged duration is no time of any calendar.
    [(2 * HOUR, (2, 1)), (timedelta.max, (1, 0))],
)
def test_a_long_failure_before_a_recovery_is_told(
    took: timedelta,
    counted: tuple[int, int],
    store: Store,
    shielded: Path,
    make_project: MakeProject,
) -> None:
    """It began before the digest's time, and ended in it."""
    folder = make_project()
    keep(store, folder, DAY + HOUR, FAILED, took=took)
    keep(store, folder, HOUR)

    (found,) = digest_of(store, shielded, folder).projects

    assert (found.standing, (found.runs, found.failed)) == (
        Standing.RECOVERED,
        counted,
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"scripts": 3}', "\0\0", '{"schedule": "at six"}']
)
def test_a_wrong_configuration_is_told(
    text: str, store: Store, shielded: Path, make_project: MakeProject
) -> None:
    """What its records hold is told all the same, and it is no crash."""
    folder = make_project()
    (folder / "exec_config.json").write_text(text, encoding="utf-8")
    (found,) = digest_of(store, shielded, folder).projects
    assert found.standing is Standing.BROKEN
    assert found.problem

    keep(store, folder, HOUR, FAILED)
    (found,) = digest_of(store, shielded, folder).projects
    assert (found.standing, found.failed) == (Standing.FAILED, 1)
    assert found.problem


def test_a_folder_that_is_gone_is_told_where_it_is_listed(
    store: Store, shielded: Path, tmp_path: Path
) -> None:
    """The records alone may know a project that nobody wants any more: it is left out."""
    folder = tmp_path / "gone"
    for days in range(39, 9, -1):
        keep(store, folder, days * DAY, FAILED if days == 10 else OK)

    (listed,) = digest_of(store, shielded, folder).projects

    assert listed.standing is Standing.STILL_FAILING
    assert listed.problem
    assert digest_of(store, shielded, folder, listed=False).projects == ()


@pytest.mark.parametrize(("days", "told"), [(1, True), (99, True), (101, False)])
def test_a_project_that_nobody_lists_is_forgotten_at_last(
    days: int, *, told: bool, store: Store, shielded: Path, make_project: MakeProject
) -> None:
    """It has not run for a hundred days; one that is listed is told of for ever."""
    folder = make_project()
    for day in range(days, days + 20):
        keep(store, folder, day * DAY, FAILED)

    assert len(digest_of(store, shielded, folder).projects) == 1
    known = digest_of(store, shielded, folder, listed=False).projects
    assert bool(known) is told


@pytest.mark.parametrize(
    ("runs", "standing"),
    [
        pytest.param([(HOUR, OK, True)], Standing.UNUSUAL, id="the last"),
        pytest.param(
            [(5 * HOUR, OK, True), (HOUR, OK, False)], Standing.UNUSUAL, id="before it"
        ),
        pytest.param([(2 * DAY, OK, True)], Standing.WELL, id="long ago"),
        pytest.param(
            [(5 * HOUR, FAILED, False), (HOUR, OK, True)],
            Standing.UNUSUAL,
            id="recovered",
        ),
        pytest.param(
            [(5 * HOUR, OK, True), (HOUR, FAILED, False)], Standing.FAILED, id="fails"
        ),
    ],
)
def test_an_unusual_success_is_told_unless_the_project_fails(
    runs: list[tuple[timedelta, RunStatus, bool]],
    standing: Standing,
    store: Store,
    shielded: Path,
    make_project: MakeProject,
) -> None:
    """With its reason, without secrets; a project that does well otherwise has no news."""
    folder, other = make_project(), make_project("project_2")
    keep(store, other, HOUR)
    odd = Sentence.of("loaded {line}", line="0 rows of s3cr3t-99")
    for ago, status, unusual in runs:
        keep(store, folder, ago, status, unusual=(odd,) if unusual else ())
    digest = digest_of(store, shielded, other, folder)
    found = {project.path: project for project in digest.projects}
    assert found[folder].standing is standing
    assert found[other].standing is Standing.WELL
    assert (found[folder].unusual is not None) is (standing is Standing.UNUSUAL)
    assert digest.count(Standing.UNUSUAL) == (standing is Standing.UNUSUAL)
    assert "s3cr3t" not in repr(found[folder].unusual)


def test_no_secret_is_told(
    store: Store, shielded: Path, make_project: MakeProject
) -> None:
    """Neither one of the environment nor one of the project, wherever it stands."""
    folder = make_project(
        env={"DB_PASSWORD": "hunter2-hunter2"}, help="call 1, password s3cr3t-99"
    )
    keep(store, folder, HOUR, FAILED, exception="ValueError: hunter2-hunter2 s3cr3t-99")
    digest = digest_of(store, shielded, folder)
    assert "hunter2" not in repr(digest.projects[0].last)
    settings = Settings(home=shielded, mail=MailSettings(), environ={})
    readers = [Readers(folders=(folder,), language="en", recipients=("a@x.org",))]
    ((_folder, message),) = digest_messages(digest, readers, settings, "")
    text = parts(message.content)
    assert "ValueError" in text
    assert "call 1" in text
    assert "hunter2" not in text
    assert "s3cr3t" not in text


def test_totals_are_told_of_more_than_a_day(
    store: Store, shielded: Path, make_project: MakeProject
) -> None:
    """A week's digest sums up the scripts; a day's does not."""
    folder = make_project()
    for days in range(6):
        keep(store, folder, days * DAY + HOUR, FAILED if days % 2 else OK)
    week = Period(NOW - 7 * DAY, NOW, "7d")

    (script,) = digest_of(store, shielded, folder, period=week).scripts

    assert (script.script, script.runs, script.failed) == ("a.py", 6, 3)
    assert digest_of(store, shielded, folder).scripts == ()


# Who gets it.


def a_project(path: Path, *recipients: str, **changes: Any) -> Project:
    """Return a project that is reported to some people."""
    values: dict[str, Any] = {
        "scripts": (),
        "python_command": None,
        "email_strategy": EmailStrategy.ALL,
        "include_traceback": True,
        "logs_backup_count": 0,
        "log_filename": "x.log",
    }
    return Project(
        path=path, name=path.name, recipients=recipients, **(values | changes)
    )


def test_a_reader_gets_one_digest_of_the_own_projects(tmp_path: Path) -> None:
    """Those who read about the same projects get the same mail; channels their own."""
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    url = "json://localhost/x"
    projects = [
        a_project(one, "Ann <ann@x.org>", "bob@x.org", "Eve@x.org"),
        a_project(two, "ann@x.org", "eve@X.org", channels=(url,)),
        a_project(three, "bob@x.org", language="fr", channels=(url, url)),
        a_project(tmp_path / "quiet", "ann@x.org", email_strategy=EmailStrategy.NONE),
    ]

    assert readers_of(projects) == [
        Readers(
            folders=(one, two),
            language="en",
            recipients=("Ann <ann@x.org>", "Eve@x.org"),
        ),
        # A tie between languages: that of the first project.
        Readers(folders=(one, three), language="en", recipients=("bob@x.org",)),
        Readers(folders=(two, three), language="en", channel=url),
    ]
    assert readers_of(projects[3:]) == []


def test_the_language_is_that_of_most_projects(tmp_path: Path) -> None:
    """A reader of two French projects and an English one reads French."""
    projects = [
        a_project(tmp_path / f"{n}", "a@x.org", language=language)
        for n, language in enumerate(("en", "fr", "fr"))
    ]
    (group,) = readers_of(projects)
    assert group.language == "fr"


def parts(content: bytes) -> str:
    """Return subject, text and HTML of a mail."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    bodies = [mail.get_body((kind,)) for kind in ("plain", "html")]
    return "\n".join([mail["Subject"], *(b.get_content() for b in bodies if b)])


def test_nobody_is_told_of_other_projects(tmp_path: Path) -> None:
    """Neither in the text nor in the counts; of a broken configuration all are told."""
    folders = [tmp_path / name for name in ("alpha", "beta", "broken")]
    digest = Digest(
        since=NOW - DAY,
        until=NOW,
        computer="PC-7",
        projects=(
            ProjectDigest(
                path=folders[0],
                name="alpha",
                runs=1,
                failed=1,
                standing=Standing.FAILED,
                status=FAILED,
                configuration=a_project(folders[0], "ann@x.org"),
            ),
            ProjectDigest(
                path=folders[2],
                name="broken",
                standing=Standing.BROKEN,
                problem="no file",
            ),
            ProjectDigest(
                path=folders[1],
                name="beta",
                runs=7,
                configuration=a_project(folders[1], "bob@x.org"),
            ),
        ),
    )
    readers = readers_of([p.configuration for p in digest.projects if p.configuration])
    settings = Settings(home=tmp_path, mail=MailSettings(sender="r@x.org"), environ={})

    made = [m for _folder, m in digest_messages(digest, readers, settings, "")]
    again = [m for _folder, m in digest_messages(digest, readers, settings, "")]
    weekly = [m for _folder, m in digest_messages(digest, readers, settings, "7d")]

    ann, bob = (parts(message.content) for message in made)
    assert (
        made[0].subject
        == "Python Runner: 1 of 2 projects failed, 1 cannot be run (PC-7)"
    )
    assert made[1].subject == "Python Runner: 1 of 2 projects cannot be run (PC-7)"
    assert "beta" not in ann
    assert "alpha" not in bob
    assert "broken" in ann
    assert "broken" in bob
    # The same bytes and identity for the same digest; another one for another period.
    assert made == again
    assert len({m.message_id for m in (*made, *weekly)}) == 4


def test_what_expires_is_told(store: Store, shielded: Path, tmp_path: Path) -> None:
    """Once mail does not leave any more, no digest could tell it."""
    # Where no library makes one, this test alone is skipped.
    from tests.delivery.test_expiry import certificate  # noqa: PLC0415

    file = tmp_path / "app.pem"
    file.write_text(certificate(NOW + 9 * DAY), encoding="utf-8")
    mail = MailSettings(transport="graph", oauth_certificate=file, oauth_secret=None)
    settings = Settings(home=shielded, mail=mail, environ={})
    survey = Survey(
        store=store,
        settings=settings,
        defaults={},
        listed=frozenset(),
        missed=lambda _project, _now: None,
    )

    notices = [str(one) for one in survey.digest([], PERIOD).notices]

    assert any("OAUTH_CLIENT_CERTIFICATE" in one for one in notices)
