"""A digest in words: the verdict, each project, the page; in English and in French."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import Outcome, RunStatus, Streak
from python_runner.model.digest import (
    Digest,
    ProjectDigest,
    ScriptTotals,
    Silent,
    Standing,
)
from python_runner.report.digest import (
    MOST_SCRIPTS,
    headline_of,
    is_all_well,
    project_lines,
    render_digest,
    spoken,
    subject_of_digest,
    totals,
    verdict,
)
from python_runner.report.subject import SUBJECT
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from tests.support import MakeResult, MakeRun

pytestmark = pytest.mark.portable("what is told is computed")

#: A Thursday.
NOW = datetime(2026, 11, 26, 7).astimezone()
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
EN, FR = Formats("en"), Formats("fr")


def a_project(
    name: str, standing: Standing = Standing.WELL, **facts: Any
) -> ProjectDigest:
    """Return a project that stands so."""
    return ProjectDigest(path=Path("/srv", name), name=name, standing=standing, **facts)


def a_digest(*projects: ProjectDigest, since: timedelta = DAY, **facts: Any) -> Digest:
    """Return a digest of projects, made at seven in the morning."""
    facts = {"computer": "PC-7"} | facts
    return Digest(since=NOW - since, until=NOW, projects=projects, **facts)


def standing_so(*counts: tuple[Standing, int]) -> Digest:
    """Return a digest of so many projects of each standing, with a run each."""
    return a_digest(
        *(
            a_project(f"{standing.value} {n}", standing, runs=1)
            for standing, count in counts
            for n in range(count)
        )
    )


S = Standing


@pytest.mark.parametrize(
    ("counts", "told", "in_french"),
    [
        (
            [(S.WELL, 4), (S.RECOVERED, 1)],
            "5 projects, all well: 5 runs since yesterday 07:00",
            "5 projets, tout va bien : 5 exécutions depuis hier à 07:00",
        ),
        (
            [(S.WELL, 1)],
            "1 project, all well: 1 run since yesterday 07:00",
            "1 projet, tout va bien : 1 exécution depuis hier à 07:00",
        ),
        (
            [(S.FAILED, 1), (S.STILL_FAILING, 1), (S.WELL, 3)],
            "2 of 5 projects failed: 5 runs since yesterday 07:00",
            "2 projets sur 5 en échec : 5 exécutions depuis hier à 07:00",
        ),
        (
            [(S.FAILED, 1), (S.SILENT, 2), (S.BROKEN, 1), (S.NEVER_RAN, 1)],
            (
                "1 of 5 projects failed, 2 did not run, 1 cannot be run, 1 never ran:"
                " 5 runs since yesterday 07:00"
            ),
            (
                "1 projet sur 5 en échec, 2 n'ont pas été exécutés, 1 ne peut pas être"
                " exécuté, 1 jamais exécuté : 5 exécutions depuis hier à 07:00"
            ),
        ),
        (
            [(S.SILENT, 1), (S.WELL, 1)],
            "1 of 2 projects did not run: 2 runs since yesterday 07:00",
            "1 projet sur 2 n'a pas été exécuté : 2 exécutions depuis hier à 07:00",
        ),
        (
            [(S.NEVER_RAN, 2)],
            "2 of 2 projects never ran: 2 runs since yesterday 07:00",
            "2 projets sur 2 jamais exécutés : 2 exécutions depuis hier à 07:00",
        ),
    ],
)
def test_the_first_sentence_is_the_verdict(
    counts: list[tuple[Standing, int]], told: str, in_french: str
) -> None:
    """What is bad comes first, with how many projects there are; an empty day is short."""
    digest = standing_so(*counts)
    assert verdict(digest, EN) == told
    assert verdict(digest, FR).replace("\u00a0", " ") == in_french
    assert is_all_well(digest) == ("all well" in told)


def test_a_quiet_time_has_no_runs() -> None:
    """A weekend is told as such."""
    digest = a_digest(a_project("p"), since=3 * DAY)
    assert verdict(digest, EN) == "1 project, all well: no runs since 11-23 07:00"


@pytest.mark.parametrize(
    ("ago", "told", "in_french"),
    [
        (HOUR, "06:00", "06:00"),
        (7 * HOUR, "00:00", "00:00"),
        (8 * HOUR, "yesterday 23:00", "hier à 23:00"),
        (31 * HOUR, "yesterday 00:00", "hier à 00:00"),
        (32 * HOUR, "11-24 23:00", "24/11 23:00"),
        (400 * DAY, "2025-10-22 07:00", "22/10/2025 07:00"),
    ],
)
def test_moments_are_told_as_people_say_them(
    ago: timedelta, told: str, in_french: str
) -> None:
    """Today by the clock, yesterday by its name, others by their date."""
    assert spoken(NOW - ago, NOW, EN) == told
    assert spoken(NOW - ago, NOW, FR) == in_french


def test_the_subject_says_what_it_comes_down_to() -> None:
    """The computer last; its length is bounded, whatever the computer is called."""
    digest = standing_so((S.FAILED, 2), (S.WELL, 3))
    assert (
        subject_of_digest(digest, EN) == "Python Runner: 2 of 5 projects failed (PC-7)"
    )
    assert (
        subject_of_digest(digest, FR)
        == "Python Runner : 2 projets sur 5 en échec (PC-7)"
    )
    long = subject_of_digest(a_digest(a_project("p"), computer="x\r\n" * 300), EN)
    assert len(long) <= SUBJECT
    assert "\n" not in long


def test_a_failure_says_why_and_since_when(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """The first script that failed, its exception and place, and how many runs."""
    run = make_run(
        make_result("import.py", Outcome.FAILURE),
        make_result("other.py", Outcome.FAILURE, number=2),
    )
    project = a_project(
        "sales",
        Standing.STILL_FAILING,
        last=run,
        status=RunStatus.FAILURE,
        streak=Streak(count=7, since=NOW - 6 * DAY),
        help="call Ann, 12 34",
    )
    assert project_lines(project, NOW, EN) == [
        "import.py: KeyError: 'montant' (import.py, line 12, in load) (+1)",
        "since 11-20 07:00: 7 runs",
        "What to do: call Ann, 12 34",
    ]


def test_a_recovery_says_what_had_failed(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """The last failure, and when it was."""
    run = make_run(make_result("import.py", Outcome.FAILURE))
    project = a_project("sales", Standing.RECOVERED, failure=run)
    (line,) = project_lines(project, NOW, EN)
    assert line.startswith("failed ")
    assert line.endswith("import.py: KeyError: 'montant' (import.py, line 12, in load)")


@pytest.mark.parametrize(
    ("silent", "told"),
    [
        (
            Silent(expected_at=NOW - HOUR, schedule="0 6 * * 1-5"),
            "due 06:00 by its schedule (0 6 * * 1-5)",
        ),
        (
            Silent(expected_at=NOW - HOUR, weekdays=frozenset(range(7)), runs=40),
            "expected 06:00 by its rhythm (every day, learnt from 40 runs)",
        ),
        (
            Silent(expected_at=NOW - DAY, weekdays=frozenset(range(5)), runs=1000),
            "expected yesterday 07:00 by its rhythm (working days, learnt from 1,000 runs)",
        ),
        (
            Silent(expected_at=NOW, weekdays=frozenset({4, 0}), runs=9),
            "expected 07:00 by its rhythm (Monday, Friday, learnt from 9 runs)",
        ),
        (
            Silent(expected_at=NOW, every=30 * 86400.0, runs=9),
            "expected 07:00 by its rhythm (every month, learnt from 9 runs)",
        ),
        (
            Silent(expected_at=NOW, every=5400.0, runs=9),
            "expected 07:00 by its rhythm (about every 1 h 30 min, learnt from 9 runs)",
        ),
    ],
)
def test_silence_says_by_what_it_is_known(silent: Silent, told: str) -> None:
    """By the schedule, or by the rhythm and what it was learnt from."""
    assert project_lines(a_project("p", S.SILENT, silent=silent), NOW, EN) == [told]


def test_what_runs_says_for_how_long() -> None:
    """Also of a project that has failed before."""
    project = a_project("p", running_since=NOW - 3 * HOUR - timedelta(minutes=12))
    assert project_lines(project, NOW, EN) == ["running for 3 h 12 min"]
    assert project_lines(a_project("p", running_since=NOW + DAY), NOW, EN) == [
        "running for 0 s"
    ]


def some_scripts(count: int) -> tuple[ScriptTotals, ...]:
    """Return totals of scripts, later ones slower and failing more often."""
    return tuple(
        ScriptTotals(
            path=Path("/srv/p"),
            project="p",
            script=f"{n}.py",
            runs=100,
            failed=n,
            usual=float(n),
            longest=2.0 * n,
        )
        for n in range(count)
    )


def test_a_week_names_the_scripts_that_stand_out() -> None:
    """A few that failed most, a few that take longest; none that is quick or well."""
    failing, slowest = totals(a_digest(scripts=some_scripts(40)), EN)
    assert failing[0] == "Scripts that failed most"
    assert failing[1][0] == "p, 39.py: 39 of 100 runs failed"
    assert slowest[1][0] == "p, 39.py: 39.0 s on average, 1 min 18 s at most"
    assert len(failing[1]) == len(slowest[1]) == MOST_SCRIPTS
    assert totals(a_digest(scripts=some_scripts(1)), EN) == []


@pytest.mark.parametrize("language", ["en", "fr"])
def test_an_empty_day_is_short(language: str) -> None:
    """The verdict, the time, the computer: a mail of a few lines."""
    report = render_digest(standing_so((S.WELL, 5)), language)
    assert len(report.text.strip().splitlines()) <= 7
    assert "well 3" not in report.text


def test_what_a_project_says_breaks_no_page() -> None:
    """Markup is shown, control characters and line breaks are not; the size is bounded."""
    hostile = "<script>alert(1)</script>\x1b[31m\n\N{RIGHT-TO-LEFT OVERRIDE}"
    projects = [
        a_project(
            hostile * 40, S.BROKEN, problem=hostile * 400, help=hostile * 40, runs=10**9
        )
        for _ in range(3000)
    ]
    digest = a_digest(
        *projects,
        scripts=some_scripts(30),
        notices=(Sentence.of("{text}", text=hostile * 40),),
    )
    report = render_digest(digest, "en")
    assert "<script>" not in report.html
    assert "&lt;script&gt;" in report.html
    assert "\x1b" not in report.text + report.html + report.subject
    assert "and 2,900 more projects" in report.text
    assert len(report.html) + len(report.text) < 740 * 1024


@pytest.mark.parametrize("language", ["en", "fr"])
def test_text_and_page_say_the_same(language: str) -> None:
    """Each project of which something is to be told, the notices, the totals."""
    digest = a_digest(
        a_project("sales", S.FAILED, runs=2, failed=1, status=RunStatus.FAILURE),
        a_project(
            "stock", S.SILENT, silent=Silent(expected_at=NOW, schedule="0 6 * * *")
        ),
        a_project("well", runs=3, waiting=2),
        scripts=some_scripts(9),
        notices=(Sentence.of("the sign-in ends tomorrow"),),
        given_up=1,
    )
    report = render_digest(digest, language)
    for said in (
        "sales",
        "stock",
        "well",
        "0 6 * * *",
        "8.py",
        "sign-in ends",
        "mail list",
    ):
        assert said in report.text
        assert said in report.html
    assert headline_of(digest, Formats(language)) in report.text
    assert report.language == language
    assert f'lang="{language}"' in report.html


def test_a_reader_is_told_of_a_project_that_nobody_can_read() -> None:
    """Whom it concerns is not known; that the records alone know it concerns nobody."""
    digest = a_digest(
        a_project("broken", S.BROKEN, problem="no file"),
        a_project("forgotten", problem="no folder", listed=False),
    )
    assert [p.name for p in digest.about([]).projects] == ["broken"]


def test_times_of_another_zone_are_local() -> None:
    """Moments of the records and of schedules are told as the computer's clock shows."""
    assert spoken(NOW.astimezone(UTC) - HOUR, NOW.astimezone(UTC), EN) == "06:00"
