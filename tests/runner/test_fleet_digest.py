"""How the projects and computers of a fleet stand, whatever their clocks say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import RunStatus
from python_runner.model.digest import Standing
from python_runner.model.fleet import (
    FleetComputer,
    FleetProject,
    FleetReading,
    FleetRun,
    FleetRunning,
)
from python_runner.records.digests import Period
from python_runner.report.digest import (
    computer_lines,
    is_all_well,
    notice_words,
    project_lines,
    render_digest,
    told_projects,
    verdict,
)
from python_runner.runner.fleet_digest import fleet_digest
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import Sentence
from tests.fleet.support import MESSAGE, NOW, days, ended


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.model import Run
    from python_runner.model.digest import Digest, ProjectDigest

pytestmark = pytest.mark.portable("what is told is decided from the facts alone")

HOUR = timedelta(hours=1)
BERLIN = timezone(HOUR)


def ago(hours: float) -> datetime:
    """Return the moment so many hours before the reader's."""
    return NOW - hours * HOUR


def project(*runs: Run, due: datetime | None = None, **values: Any) -> FleetProject:
    """Return a project with these runs, the newest first."""
    return FleetProject(
        runs=tuple(
            FleetRun(
                number=len(runs) - place,
                run=run,
                written_at=run.started_at,
                due=due,
                schedule="0 6 * * *" if due else None,
                scripts=len(run.scripts),
            )
            for place, run in enumerate(runs)
        ),
        **{"starts": tuple(run.started_at for run in runs)} | values,
    )


def daily(count: int, last: datetime, **values: Any) -> FleetProject:
    """Return a project that has run on so many days."""
    return project(*(ended(n, began=last - days(n)) for n in range(count)), **values)


def computer(
    *projects: FleetProject, name: str = "PC-3", **values: Any
) -> FleetComputer:
    """Return a computer with these projects, which wrote when the last of them ended."""
    started = [p.last.run.started_at for p in projects]
    usual: dict[str, Any] = {
        "id": f"{name.encode().hex():0>12}"[-12:],
        "folder": f"{name}-0",
        "name": name,
        "account": "etl",
        "version": "1.0",
        "seen_at": max(started, default=NOW),
        "projects": projects,
    }
    return FleetComputer(**usual | values)


def digest(*computers: FleetComputer, hours: float = 24, **values: Any) -> Digest:
    """Return the digest of the last hours of a fleet."""
    reading = FleetReading(
        folder=Path("share"), read_at=NOW, computers=computers, **values
    )
    return fleet_digest(reading, Period(ago(hours), NOW, ""), "READER")


def one(*computers: FleetComputer, **values: Any) -> ProjectDigest:
    """Return the only project of a fleet."""
    (found,) = digest(*computers, **values).projects
    return found


BAD, GOOD = {"exception": MESSAGE}, {"exception": None}


@pytest.mark.parametrize(
    ("runs", "standing", "counted"),
    [
        ([(1, BAD)], Standing.FAILED, (1, 1, 1)),
        ([(1, GOOD)], Standing.WELL, (1, 0, 1)),
        ([(1, BAD), (30, BAD), (50, BAD)], Standing.STILL_FAILING, (1, 1, 3)),
        ([(1, BAD), (2, BAD), (30, GOOD)], Standing.FAILED, (2, 2, 2)),
        ([(1, GOOD), (2, BAD), (30, GOOD)], Standing.RECOVERED, (2, 1, 1)),
        ([(1, GOOD), (30, BAD)], Standing.RECOVERED, (1, 0, 1)),
        ([(1, GOOD), (28, GOOD), (30, BAD)], Standing.WELL, (1, 0, 2)),
        ([(30, BAD)], Standing.STILL_FAILING, (0, 0, 1)),
        ([(30, GOOD)], Standing.WELL, (0, 0, 1)),
    ],
)
def test_how_a_project_does_follows_from_its_runs(
    runs: Sequence[tuple[float, Any]], standing: Standing, counted: tuple[int, int, int]
) -> None:
    """As for the projects of one computer: runs and failures of the time, and the row."""
    past = [ended(n, began=ago(h), **how) for n, (h, how) in enumerate(runs)]
    found = one(computer(project(*past)))

    assert found.standing is standing
    assert found.streak is not None
    assert (found.runs, found.failed, found.streak.count) == counted
    assert found.title == "paie (PC-3)"


def test_a_run_that_was_skipped_says_nothing() -> None:
    """On a day off, or because another one was active."""
    skipped = ended(2, began=ago(1), status=RunStatus.SKIPPED, scripts=())
    found = one(computer(project(skipped, ended(1, began=ago(3), **BAD))))
    alone = one(computer(project(skipped)))

    assert (found.standing, found.runs) == (Standing.FAILED, 1)
    assert (alone.standing, alone.runs) == (Standing.WELL, 0)


def test_what_failed_is_told_with_cause_and_since_when() -> None:
    """One line each, with the names."""
    found = one(computer(project(ended(1, began=ago(1), **BAD))))
    lines = project_lines(found, NOW, Formats("en"))

    assert lines[0] == "a.py: KeyError: 'montant' (a.py, line 3)"
    assert lines[1].endswith(": 1 run")


@pytest.mark.parametrize(
    ("due", "standing"),
    [
        (ago(-1), Standing.WELL),
        (ago(0.1), Standing.WELL),
        (ago(1), Standing.SILENT),
        (ago(100), Standing.SILENT),
    ],
)
def test_a_schedule_tells_that_a_project_is_silent(
    due: datetime, standing: Standing
) -> None:
    """A few minutes late is not silent."""
    found = one(computer(project(ended(began=ago(20)), due=due), seen_at=NOW))

    assert found.standing is standing
    assert found.due == due
    assert (found.silent is not None) is (standing is Standing.SILENT)


@pytest.mark.parametrize(
    ("last", "standing"), [(ago(20), Standing.WELL), (ago(30), Standing.SILENT)]
)
def test_a_rhythm_tells_that_a_project_is_silent(
    last: datetime, standing: Standing
) -> None:
    """Learnt from the starts in the names of its files, where there is no schedule."""
    found = one(computer(daily(30, last), seen_at=NOW))

    assert found.standing is standing
    if found.silent:
        assert (found.silent.schedule, found.silent.runs) == (None, 30)


def test_a_run_that_has_begun_is_no_silence() -> None:
    """It is told to be running, for how long."""
    begun = FleetRunning(project="paie", path=Path("/srv/paie"), started_at=ago(1))
    late = project(ended(began=ago(20)), due=ago(1))
    found = one(computer(late, running=(begun,)))
    before = one(computer(late, running=(replace(begun, started_at=ago(21)),)))

    assert (found.standing, found.running_since) == (Standing.WELL, ago(1))
    assert (before.standing, before.running_since) == (Standing.SILENT, None)


def test_a_computer_is_silent_where_it_wrote_nothing_since_something_was_due() -> None:
    """It is told once, with all its projects, since when, and what was due."""
    silent = computer(
        project(ended(1, began=ago(30)), due=ago(6)),
        project(ended(1, project="ventes", began=ago(30)), due=ago(5)),
        name="PC-7",
    )
    well = computer(project(ended(1, began=ago(1), project="stock"), due=ago(-5)))
    found = digest(silent, well)

    assert [c.name for c in found.silent_computers] == ["PC-7"]
    assert told_projects(found) == []
    assert not is_all_well(found)
    formats = Formats("en")
    words = verdict(found, formats)
    assert words.startswith("2 of 3 projects did not run, 1 computer gives no sign: ")
    lines = computer_lines(found.silent_computers[0], NOW, formats)
    assert lines[0].startswith("no sign since yesterday ")
    assert lines[1].startswith("paie: due ")
    assert lines[1].endswith("by its schedule (0 6 * * *)")
    assert lines[2] == "1 more project did not run there: ventes"
    report = render_digest(found, "en")
    assert report.text.startswith("✖ 2 of 3 projects did not run")
    assert "PC-7" in report.text
    assert "no sign since" in report.html


def test_what_failed_before_its_computer_went_silent_is_told_all_the_same() -> None:
    """Whoever reads that a project failed reads which one, and why."""
    found = digest(
        computer(
            project(ended(1, began=ago(30), **BAD), due=ago(6)),
            project(ended(2, project="ventes", began=ago(30)), due=ago(5)),
        )
    )

    (told,) = told_projects(found)
    assert (told.name, told.standing) == ("paie", Standing.STILL_FAILING)
    text = render_digest(found, "en").text
    assert "gives no sign" in text
    assert MESSAGE in text


def test_a_computer_that_wrote_since_is_not_silent() -> None:
    """One of its projects did not run: that is told of the project."""
    found = digest(
        computer(
            project(ended(1, began=ago(30)), due=ago(6)),
            project(ended(1, project="ventes", began=ago(1)), due=ago(-5)),
        )
    )

    assert found.silent_computers == ()
    assert [p.name for p in told_projects(found)] == ["paie"]


@pytest.mark.parametrize("ahead", [-30, -3, 3, 30])
def test_a_wrong_clock_changes_nothing_but_is_told(ahead: int) -> None:
    """Everything of a computer is judged by its own clock, and told by the right one."""
    shift = ahead * HOUR
    runs = [ended(n, began=ago(2 + 24 * n) + shift) for n in range(20)]
    wrong = project(runs[0], due=ago(-1) + shift)
    rhythm = project(
        *(replace(r, project="ventes") for r in runs),
        starts=[r.started_at for r in runs],
    )
    made = computer(wrong, rhythm, ahead=shift, seen_at=ago(0.1))
    found = digest(made)

    assert {p.standing for p in found.projects} == {Standing.WELL}
    assert {p.runs for p in found.projects} == {1}
    for one_project in found.projects:
        assert one_project.last
        assert one_project.last.started_at == ago(2)
    side = "ahead" if ahead > 0 else "behind"
    (notice,) = notice_words(found, Formats("en"))
    assert notice.startswith("the clock of PC-3 is ")
    assert notice.endswith(side)

    late = replace(made, projects=(project(runs[1], due=ago(2) + shift),))
    (silent,) = digest(late).projects
    assert silent.silent
    assert silent.silent.expected_at == ago(2)


def test_the_readers_own_clock_is_compared_as_well() -> None:
    """What the share has written lies in the future; one file alone proves nothing."""
    late = [
        computer(project(ended(began=ago(1))), name=n, seen_at=NOW + days(1))
        for n in "ab"
    ]
    well = computer(project(ended(began=ago(1))), name="c", seen_at=ago(1))

    (notice,) = notice_words(digest(*late), Formats("en"))
    assert "the clock of this computer is at least 1 d behind" in notice
    assert notice_words(digest(late[0], well), Formats("en")) == []


def test_summer_time_changes_no_rhythm() -> None:
    """The time of day stays the same, whatever its distance from UTC."""
    summer, winter = timezone(2 * HOUR), BERLIN
    change = datetime(2026, 10, 25, tzinfo=UTC)
    runs = []
    for n in range(60):
        day = (NOW - days(n)).date()
        zone = winter if day >= change.date() else summer
        runs.append(
            ended(n, began=datetime(day.year, day.month, day.day, 6, tzinfo=zone))
        )
    found = one(computer(project(*runs), seen_at=NOW))

    assert found.standing is Standing.WELL


def test_computers_of_one_name_are_told_apart() -> None:
    """By their accounts, else by the beginnings of their identities."""
    runs = project(ended(began=ago(1)))
    made = [
        computer(runs, name="PC", id="a" * 12, account="etl"),
        computer(runs, name="pc", id="b" * 12, account="bi"),
        computer(runs, name="X", id="c" * 12),
        computer(runs, name="X", id="d" * 12),
    ]
    assert {c.name for c in digest(*made).computers} == {
        *("PC, etl", "pc, bi", "X, cccc", "X, dddd")
    }


def test_a_state_folder_that_was_made_anew_is_no_silent_computer() -> None:
    """The same name and account goes on under another identity."""
    old = computer(project(ended(began=ago(30)), due=ago(6)), id="a" * 12)
    new = computer(project(ended(began=ago(2)), due=ago(-6)), id="b" * 12)
    beside = replace(new, projects=(project(ended(began=ago(40)), due=ago(-6)),))

    assert [c.folder for c in digest(old, new).computers] == [new.folder]
    assert len(digest(old, beside).computers) == 2


def test_a_computer_that_is_gone_for_long_is_left_out() -> None:
    """It is named, with what to do."""
    gone = computer(daily(20, NOW - days(200)), name="OLD")
    found = digest(gone, computer(project(ended(began=ago(1)))))

    assert [c.name for c in found.computers] == ["PC-3"]
    (notice,) = notice_words(found, Formats("en"))
    assert "1 computer has not written for 100 days" in notice
    assert "OLD-0" in notice


def test_a_project_that_has_not_run_for_long_is_left_out() -> None:
    """It was given up; its computer goes on."""
    old = daily(20, NOW - days(150))
    found = digest(computer(old, project(ended(project="stock", began=ago(1)))))

    assert [p.name for p in found.projects] == ["stock"]


def test_what_runs_once_a_year_is_missed_all_the_same() -> None:
    """Nobody has heard of it since: it counts from when it was due."""
    began = NOW - days(366)
    yearly = project(ended(began=began), due=NOW - days(1))
    other = project(ended(project="stock", began=ago(1)))
    together = digest(computer(yearly, other)).projects
    alone = digest(computer(yearly))

    assert [(p.name, p.standing) for p in together] == [
        *(("paie", Standing.SILENT), ("stock", Standing.WELL))
    ]
    assert [c.name for c in alone.silent_computers] == ["PC-3"]
    assert notice_words(alone, Formats("en")) == []


def test_what_could_not_be_read_is_told() -> None:
    """Counts and names, one sentence each."""
    found = digest(
        unread=12,
        examples=("PC/2026-11/x.json: is larger than 9 bytes",),
        newer=1,
        late=("PC-1",),
        cut=("PC-2",),
    )
    words = notice_words(found, Formats("en"))

    assert words[0].startswith(
        "12 files of the fleet could not be read, for instance PC/"
    )
    assert words[1].startswith("1 file was written by a newer version of Python Runner")
    assert words[2].endswith("PC-1")
    assert words[3].endswith("PC-2")


def test_what_is_unusual_is_told_though_it_succeeded() -> None:
    """With the reason; nobody calls it a failure."""
    run = ended(began=ago(2))
    odd = replace(run.scripts[0], unusual=(Sentence.of("0 rows, usually 48210"),))
    found = digest(
        computer(project(ended(2, began=ago(1)), replace(run, scripts=(odd,))))
    )

    (told,) = told_projects(found)
    assert told.standing is Standing.UNUSUAL
    (line,) = project_lines(told, NOW, Formats("en"))
    assert line.endswith("a.py: 0 rows, usually 48210")


def test_all_well_is_one_line() -> None:
    """How many projects on how many computers."""
    found = digest(
        *(computer(project(ended(began=ago(1))), name=name) for name in ("a", "b"))
    )
    assert verdict(found, Formats("en")).startswith(
        "2 projects on 2 computers, all well: 2 runs since"
    )
    french = verdict(found, Formats("fr"))
    assert french.startswith("2 projets sur 2 ordinateurs, tout va bien")
