from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from python_runner.model import (
    Comparison,
    EmailStrategy,
    Outcome,
    RunStatus,
    Streak,
    Traceback,
)
from python_runner.report.compose import compose
from python_runner.report.context import ReportContext
from python_runner.report.render import Report, fallback_report, render
from python_runner.report.subject import SUBJECT
from python_runner.texts.sentence import Sentence
from python_runner.unusual import NUMBER_ABOUT, TOOK


if TYPE_CHECKING:
    from python_runner.model import Run
    from tests.support import MakeResult, MakeRun


MIB = 1024 * 1024
ENGLISH = ReportContext(strategy=EmailStrategy.ALL, language="en")
#: Six o'clock, wherever the tests run.
MONDAY = datetime(2026, 11, 16, 6, 0).astimezone()
NEW = Comparison(new=True)
THIRD = Comparison(same=Streak(count=2, since=MONDAY))
ENDLESS = Streak(count=50, since=None)


def _render(run: Run, language: str = "en", **options: Any) -> Report:
    values = {"strategy": EmailStrategy.ALL, "host": "PC-7"} | options
    report = render(run, ReportContext(language=language, **values))
    # A report without HTML is the fallback: something went wrong on the way.
    assert report.html
    return report


class _Page(HTMLParser):
    """Collects what a page says and does, and checks that its tags are balanced."""

    VOID = frozenset({"meta", "br"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "br":
            self.text = self.text.removesuffix("\n") + "\n"
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["style"], ["title"]):
            self.text += data


@pytest.fixture
def failed_run(make_result: MakeResult, make_run: MakeRun) -> Run:
    """Return a run with a success, a failure and a script skipped because of it."""
    return make_run(
        make_result("main.py"),
        make_result(
            "import.py",
            Outcome.FAILURE,
            number=2,
            attempts=3,
            reason=Sentence.of("exit code {code}", code=1),
            output=Path("logs", "02_import.log"),
        ),
        make_result(
            "export.py",
            Outcome.SKIPPED,
            number=3,
            reason=Sentence.of("it needs import.py"),
        ),
    )


@pytest.mark.parametrize(
    ("language", "success", "failure"),
    [
        (
            "en",
            "[project_1] succeeded: 2 scripts in 2 min 13 s (PC-7)",
            "[project_1] failed: import.py - KeyError: 'montant' (PC-7)",
        ),
        (
            "fr",
            "[project_1] réussite : 2 scripts en 2 min 13 s (PC-7)",
            "[project_1] échec : import.py - KeyError: 'montant' (PC-7)",
        ),
    ],
)
def test_the_subject_says_it_all(
    *,
    language: str,
    success: str,
    failure: str,
    failed_run: Run,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """Project, outcome, and the first failing script with its exception."""
    good = make_run(make_result("a.py"), make_result("b.py", number=2))
    assert _render(good, language).subject == success
    assert _render(failed_run, language).subject == failure


def test_the_subject_counts_further_failures(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Scripts that failed by themselves are counted; those skipped because of them not."""
    results = [
        make_result("a.py", Outcome.SKIPPED, reason=Sentence.of("no")),
        make_result(
            "b.py", Outcome.TIMEOUT, number=2, reason=Sentence.of("30 s passed")
        ),
        make_result("c.py", Outcome.FAILURE, number=3),
    ]
    report = _render(make_run(*results))
    assert report.subject == "[project_1] failed: b.py - 30 s passed (+1) (PC-7)"


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (
            RunStatus.SKIPPED,
            Sentence.of("already running"),
            "skipped: already running",
        ),
        (RunStatus.NOT_STARTED, Sentence.of("no python"), "not started: no python"),
        (RunStatus.STOPPED, None, "stopped after 2 min 13 s: 1 script"),
        (RunStatus.INTERRUPTED, None, "interrupted: 1 script"),
    ],
)
def test_every_status_has_its_subject(
    status: RunStatus,
    error: Sentence | None,
    expected: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """A run that did not take place, or not to its end, says so."""
    run = make_run(make_result(), status=status, error=error)
    report = _render(run)
    assert report.subject == f"[project_1] {expected} (PC-7)"
    if error:
        assert str(error) in report.text
        assert str(error) in _Page(report.html).text


@pytest.mark.parametrize(
    ("language", "subject", "text"),
    [
        (
            "en",
            (
                "[project_1] skipped: another run of the project has been active since"
                " 2026-11-26 06:00:12 (PC-7)"
            ),
            "since 2026-11-26 06:00:12, process 7 on PC-7",
        ),
        (
            "fr",
            (
                "[project_1] exécution ignorée : une autre exécution du projet est en cours depuis le"
                " 26/11/2026 06:00:12 (PC-7)"
            ),
            "since 26/11/2026 06:00:12, process 7 on PC-7",
        ),
    ],
)
def test_the_subject_of_a_skipped_run_names_its_computer_once(
    language: str, subject: str, text: str, make_result: MakeResult, make_run: MakeRun
) -> None:
    """The report says which process is in the way; times are in the reader's writing."""
    error = Sentence.of(
        "since {since}, process 7 on {host}", since="2026-11-26 06:00:12", host="PC-7"
    )
    run = make_run(make_result(), status=RunStatus.SKIPPED, error=error)
    report = _render(run, language)
    assert report.subject.replace("\xa0", " ") == subject
    assert text in report.text


@pytest.mark.parametrize(
    ("outcome", "english", "french"),
    [
        (Outcome.SUCCESS, "succeeded", "réussi"),
        (Outcome.FAILURE, "failed", "échec"),
        (Outcome.TIMEOUT, "timed out", "délai dépassé"),
        (Outcome.STOPPED, "stopped", "arrêté"),
        (Outcome.SKIPPED, "skipped", "ignoré"),
        (Outcome.INTERRUPTED, "interrupted", "interrompu"),
        (Outcome.NOT_STARTED, "not started", "non démarré"),
    ],
)
def test_every_outcome_has_a_mark_and_a_word(
    outcome: Outcome,
    english: str,
    french: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """A reader who sees no colours knows how each script ended, in both bodies."""
    run = make_run(make_result("x.py", outcome))
    mark = {Outcome.SUCCESS: "✔", Outcome.SKIPPED: "○"}.get(outcome, "✖")
    for language, word in (("en", english), ("fr", french)):
        report = _render(run, language)
        assert f"{mark} x.py - {word}" in report.text
        shown = _Page(report.html).text
        assert f"{mark}\u00a0x.py" in shown
        assert word in shown[shown.index(f"{mark}\u00a0x.py") :]


def test_text_and_html_tell_the_same(failed_run: Run) -> None:
    """Each body is complete by itself."""
    report = _render(
        replace(failed_run, warnings=(Sentence.of("the log is incomplete"),)),
        tails={"import.py": "row 11\nrow 12\n"},
        log=Path("logs", "project_1.log"),
    )
    page = _Page(report.html)
    for part in (
        "project_1",
        "1 of 3 scripts failed, 1 skipped",
        "main.py",
        "8.4 s",
        "3 attempts",
        "import.py, line 12, in load",
        "KeyError: 'montant'",
        'total += row["montant"]',
        "row 11\nrow 12",
        str(Path("logs", "02_import.log")),
        "it needs import.py",
        "the log is incomplete",
        "PC-7",
        "39be3d37aed64",
        "2 min 13 s",
        str(failed_run.path),
        str(Path("logs", "project_1.log")),
    ):
        assert part in report.text
        assert part in page.text.replace("\u00a0", " ")


def test_the_place_to_mend_comes_before_the_traceback(failed_run: Run) -> None:
    """The last frame inside the project is read first."""
    for body in (_render(failed_run).text, _Page(_render(failed_run).html).text):
        assert body.index("import.py, line 12, in load") < body.index(
            "most recent call"
        )


def test_failure_only_names_the_failed_ones(failed_run: Run) -> None:
    """Successes appear as a number only."""
    report = _render(failed_run, strategy=EmailStrategy.FAILURE_ONLY)
    for body in (report.text, report.html):
        assert "main.py" not in body
        assert "import.py" in body
        assert "export.py" in body
        assert "1 other succeeded" in body


def test_french_reports_are_french(failed_run: Run) -> None:
    """Labels, durations and dates follow the readers' language, and the page says so."""
    report = _render(failed_run, "fr", tails={"import.py": "ligne 12"})
    assert '<html lang="fr">' in report.html
    for body in (report.text, _Page(report.html).text):
        for part in (
            "8,4\u202fs",
            "Durée",
            "Ordinateur",
            "Fin de la sortie",
            "3 tentatives",
        ):
            assert part in body
        assert "23/11/2026" in body


def test_what_scripts_print_stays_text(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Tags of a name, an error, a warning or an output are shown, never obeyed."""
    evil = "<script>alert(1)</script><img src=x onerror=y>&amp;"
    traceback = Traceback(text=evil, exception=evil, file=evil, line=1, function=evil)
    run = make_run(
        make_result(
            evil,
            Outcome.FAILURE,
            traceback=traceback,
            reason=Sentence.of("{x}", x=evil),
            warnings=(Sentence.of("{x}", x=evil),),
            output=Path(evil),
        ),
        project=evil,
        warnings=(Sentence.of("{x}", x=evil),),
        error=Sentence.of("{x}", x=evil),
    )
    report = _render(run, tails={evil: evil}, host=evil, log=Path(evil))
    page = _Page(report.html)
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count(evil) >= 8


def test_sentences_keep_their_lines(make_result: MakeResult, make_run: MakeRun) -> None:
    """Several problems told at once stay one a line, where HTML would join them."""
    run = make_run(
        make_result("a.py", Outcome.NOT_STARTED, reason=Sentence.of("one\ntwo <b>")),
        status=RunStatus.NOT_STARTED,
        error=Sentence.of("three\nfour"),
        warnings=(Sentence.of("five\nsix"),),
    )
    report = _render(run)
    for lines in ("one<br>two &lt;b&gt;", "three<br>four", "five<br>six"):
        assert lines in report.html


def test_the_page_loads_nothing_and_knows_the_dark(failed_run: Run) -> None:
    """No remote content, styles inside, and both colour schemes declared."""
    report = _render(failed_run, tails={"import.py": "x"})
    page = _Page(report.html)
    names = {name for name, _ in page.attributes}
    assert not names & {"src", "href", "background", "srcset"}
    assert "url(" not in report.html
    assert "@import" not in report.html
    assert ("name", "color-scheme") in page.attributes
    assert "prefers-color-scheme: dark" in report.html
    # Outlook for Windows ignores what only the style block says.
    assert set(page.tags) & {"div", "section", "flex"} == set()
    assert {"link", "form", "iframe", "object"} & set(page.tags) == set()


def test_the_traceback_is_not_shown_twice(failed_run: Run) -> None:
    """The end of the output stops where the traceback above it begins."""
    traceback = failed_run.scripts[1].attempts[-1].traceback
    assert traceback is not None
    tail = f"row 11\r\n{traceback.text}\r\n".replace("\n", "\r\n")
    report = _render(failed_run, tails={"import.py": tail})
    assert report.text.count("most recent call last") == 1
    assert "row 11" in report.text
    only = _render(failed_run, tails={"import.py": traceback.text})
    assert "End of the output" not in only.text


@pytest.mark.parametrize("after", ["", "goodbye"])
def test_an_end_that_begins_in_the_traceback_does_not_repeat_it(
    make_result: MakeResult, make_run: MakeRun, after: str
) -> None:
    """Of a traceback longer than what is read of an output nothing is shown twice."""
    frames = [
        f'  File "/p/a.py", line {n}, in f{n}\n    call_of_line({n})' for n in range(60)
    ]
    text = "\n".join(["Traceback (most recent call last):", *frames, "E: leaf"])
    traceback = Traceback(text=text, exception="E: leaf")
    run = make_run(make_result("a.py", Outcome.FAILURE, traceback=traceback))
    for begin in (len(text) - 500, text.find("    call_of_line(40)")):
        tail = f"{text[begin:]}\n{after}"
        report = _render(run, tails={"a.py": tail})
        assert report.text.count("call_of_line(55)") == 1
        assert ("End of the output" in report.text) == bool(after)
        assert report.text.count("goodbye") == bool(after)


@pytest.mark.parametrize(
    ("traceback", "place"),
    [
        (Traceback(text="t", exception="E"), None),
        (Traceback(text="t", exception="E", file="a.py"), "Where: a.py\n"),
        (
            Traceback(
                text="t", exception="E", file="a.py", line=3, function="<genexpr>"
            ),
            "Where: a.py, line 3\n",
        ),
    ],
)
def test_the_place_is_as_exact_as_the_traceback(
    traceback: Traceback, place: str | None, make_result: MakeResult, make_run: MakeRun
) -> None:
    """What is not known is left out instead of being guessed."""
    run = make_run(make_result("a.py", Outcome.FAILURE, traceback=traceback))
    text = _render(run).text
    assert ("Where:" in text) == (place is not None)
    assert (place or "") in text


def test_a_failure_without_a_word_still_has_a_headline(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Neither traceback nor reason: the outcome's word remains."""
    run = make_run(make_result("a.py", Outcome.TIMEOUT))
    assert _render(run).subject == "[project_1] failed: a.py - timed out (PC-7)"


def test_each_warning_is_told_once(make_result: MakeResult, make_run: MakeRun) -> None:
    """Three attempts that warn of the same are one warning, of a success as well."""
    run = make_run(
        make_result(attempts=3, warnings=(Sentence.of("left a process behind"),))
    )
    report = _render(run)
    assert report.text.count("left a process behind") == 1
    assert report.html.count("left a process behind") == 1


@pytest.mark.sampled(2)
@pytest.mark.slow
@pytest.mark.parametrize("filler", ["x", "é€\n", '"<&>'])
@pytest.mark.parametrize("failures", [1, 40])
def test_a_mail_never_grows_beyond_a_mebibyte(
    filler: str, failures: int, make_result: MakeResult, make_run: MakeRun
) -> None:
    """Huge tracebacks and outputs are cut in the middle, with the count of the bytes."""
    # What is repeated would be folded.
    huge = "".join(f"{n}{filler}" for n in range(20_000))
    traceback = Traceback(text=huge + "THE END", exception="E: " + filler * 9000)
    results = [
        make_result(f"{n}.py", Outcome.FAILURE, number=n, traceback=traceback)
        for n in range(1, failures + 1)
    ]
    report = _render(make_run(*results), tails={r.script: huge for r in results})
    message = compose(
        report,
        run_id="39be3d37aed64",
        sender="a@example.com",
        recipients=("b@example.com",),
        date=results[0].started_at,
    )
    assert len(message.content) < MIB
    assert "bytes left out]" in report.text
    assert "THE END" in report.text
    if failures == 1:
        assert 60 * 1024 < len(report.text.encode()) < 90 * 1024


def test_what_no_cut_makes_small_enough_is_told_plainly(
    make_result: MakeResult, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bare facts are left."""
    run = make_run(*(make_result(f"{n}.py", number=n) for n in range(30)))
    monkeypatch.setattr("python_runner.report.render.REPORT_BYTES", 100)
    report = render(run, ENGLISH)
    assert report == fallback_report(run, "the report is too large")
    assert "29.py: succeeded" in report.text


#: What takes six bytes of HTML for each of its characters.
COSTLY = '"' * 3000


@pytest.mark.parametrize(
    "case",
    [
        *((count, Outcome.FAILURE, "short", 0) for count in (1, 15, 60, 1000)),
        *((count, Outcome.FAILURE, COSTLY, 30) for count in (1, 5, 40)),
        (300, Outcome.SKIPPED, COSTLY, 0),
        *((count, Outcome.SUCCESS, "", 0) for count in (1, 40, 1000)),
        *((count, Outcome.SUCCESS, "", 30) for count in (1, 40)),
    ],
)
def test_a_mail_is_shown_whole_by_every_program(
    make_result: MakeResult, make_run: MakeRun, case: tuple[int, Outcome, str, int]
) -> None:
    """Gmail cuts HTML after 102 KB. What is left out there is in a text beside it."""
    scripts, outcome, text, warnings = case
    odd = tuple(Sentence.of("{x}", x=f"{n}{COSTLY}") for n in range(warnings))
    traceback = Traceback(
        text=f'Traceback (most recent call last):\n  File "a.py", line 1\nE: {text}',
        exception=f"E: {text}",
        file="a.py",
        line=1,
    )
    failed = outcome is Outcome.FAILURE
    results = [
        make_result(
            f"{n}{'x' * 80}.py",
            outcome,
            number=n,
            warnings=odd,
            traceback=traceback if failed else None,
            reason=None if outcome is Outcome.SUCCESS else Sentence.of("{x}", x=text),
        )
        for n in range(1, scripts + 1)
    ]
    run = replace(make_run(*results), warnings=odd)
    tails = {r.script: f"{n}{COSTLY}" for n, r in enumerate(results) if failed}
    report = render(run, replace(ENGLISH, attach=True, tails=tails))

    assert len(report.html.encode()) <= 100_000
    assert results[0].script[:80] in report.html
    told = "the whole report is attached" in report.html
    assert told == ("the whole report is attached" in report.text) == bool(report.whole)
    assert len(report.whole.encode()) <= 750 * 1024
    if scripts == 1000:
        assert all(result.script in report.whole for result in results)


def test_a_large_series_loses_warnings_before_scripts(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Who reads it on a telephone sees which scripts failed; the rest is counted."""
    odd = tuple(Sentence.of("{x}", x=f"{n} {'x' * 400}") for n in range(30))
    results = [
        make_result(f"{n:03}.py", Outcome.FAILURE, number=n, warnings=odd)
        for n in range(300)
    ]
    report = render(make_run(*results), replace(ENGLISH, attach=True))

    assert "059.py" in report.html
    assert "and 29 more warnings" in report.html


def test_thousands_of_scripts_are_counted_instead_of_named(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Failures are named first, each with its cause; the rest is a number."""
    results = [make_result(f"{n:04}.py", number=n) for n in range(5000)]
    results[4999] = make_result("last.py", Outcome.FAILURE, number=4999)
    report = _render(make_run(*results))
    assert "last.py" in report.text
    assert "and 4,800 more scripts" in report.text
    assert "and 4,800 more scripts" in report.html
    assert report.text.index("last.py") < report.text.index("0000.py")
    assert "last.py - failed" in report.text
    for shown in (report.text, report.html):
        first = shown.index("KeyError: ", shown.index("last.py"))
        assert "(import.py:12)" in shown[first : shown.index("0000.py")]
    assert "0199.py" not in report.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(project=st.text(), script=st.text(), exception=st.text())
def test_subjects_are_one_short_line(
    make_result: MakeResult,
    make_run: MakeRun,
    project: str,
    script: str,
    exception: str,
) -> None:
    """Whatever things are called, a subject fits a list of mails."""
    traceback = Traceback(text="t", exception=exception * 20)
    result = make_result(script * 20, Outcome.FAILURE, traceback=traceback)
    report = _render(make_run(result, project=project * 20))
    assert len(report.subject) <= SUBJECT
    assert len(report.subject.splitlines()) <= 1
    report.subject.encode()
    report.text.encode()
    report.html.encode()


def test_a_report_that_cannot_be_laid_out_is_told_plainly(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """A broken sentence costs the layout, never the news."""
    broken = Sentence.of("a value is missing: {value}")
    run = make_run(
        make_result("a.py"), make_result("b.py", Outcome.FAILURE, reason=broken)
    )
    run = replace(run, error=Sentence.of("what went wrong"))
    report = render(run, ENGLISH)
    assert report == fallback_report(run, "KeyError: 'value'")
    assert report.html == ""
    assert report.subject == "[project_1] failed"
    assert "what went wrong" in report.text
    assert "a.py: succeeded" in report.text
    assert "b.py: failed a value is missing: {value}" in report.text
    assert "39be3d37aed64" in report.text


@pytest.mark.parametrize(
    ("comparison", "subject", "betreff"),
    [
        (Comparison(), "", ""),
        (NEW, "", ""),
        (
            Comparison(same=Streak(count=1, since=MONDAY)),
            " (2nd time)",
            " (2e fois)",
        ),
        (THIRD, " (3rd time)", " (3e fois)"),
        (Comparison(same=ENDLESS), " (again)", " (à nouveau)"),
        (Comparison(last_seen=MONDAY), " (again)", " (à nouveau)"),
    ],
)
def test_the_subject_says_how_often_an_error_has_come(
    comparison: Comparison, subject: str, betreff: str, failed_run: Run
) -> None:
    """Who reads nothing but subjects knows whether he has seen this one before."""
    compared = {"import.py": comparison}
    for language, status, words in (
        ("en", "failed:", subject),
        ("fr", "échec :", betreff),
    ):
        report = _render(failed_run, language, comparisons=compared)
        head = f"[project_1] {status} import.py - KeyError: 'montant'"
        assert report.subject == f"{head}{words} (PC-7)"


@pytest.mark.parametrize(
    ("comparison", "english", "french"),
    [
        (NEW, "new error", "nouvelle erreur"),
        (
            Comparison(same=Streak(count=1, since=MONDAY)),
            "same error as in the run before, first seen on 2026-11-16 06:00",
            "même erreur qu'à l'exécution précédente, vue pour la première fois le 16/11/2026 06:00",
        ),
        (
            THIRD,
            "same error as in the 2 runs before, first seen on 2026-11-16 06:00",
            "même erreur qu'aux 2 exécutions précédentes, vue pour la première fois le 16/11/2026 06:00",
        ),
        (
            Comparison(same=ENDLESS),
            "same error as in the 50+ runs before\n",
            "même erreur qu'aux 50+ exécutions précédentes\n",
        ),
        (
            Comparison(last_seen=MONDAY),
            "seen before, last on 2026-11-16 06:00",
            "déjà vue, la dernière fois le 16/11/2026 06:00",
        ),
    ],
)
def test_a_failure_says_since_when_it_is_known(
    comparison: Comparison, english: str, french: str, failed_run: Run
) -> None:
    """Beside the exception stands whether anybody should be surprised."""
    compared = {"import.py": comparison}
    for language, words in (("en", english), ("fr", french)):
        report = _render(failed_run, language, comparisons=compared)
        assert words in report.text
        assert words in _Page(report.html).text


@pytest.mark.parametrize(
    ("streak", "subject", "betreff", "sentence", "satz"),
    [
        (
            Streak(count=1, since=MONDAY),
            "[project_1] recovered: b.py after 1 failure",
            "[project_1] rétabli : b.py après 1 échec",
            "recovered after 1 failure, the first on 2026-11-16 06:00",
            "rétabli après 1 échec, le premier le 16/11/2026 06:00",
        ),
        (
            Streak(count=3, since=MONDAY),
            "[project_1] recovered: b.py after 3 failures",
            "[project_1] rétabli : b.py après 3 échecs",
            "recovered after 3 failures, the first on 2026-11-16 06:00",
            "rétabli après 3 échecs, le premier le 16/11/2026 06:00",
        ),
        (
            ENDLESS,
            "[project_1] recovered: b.py after 50+ failures",
            "[project_1] rétabli : b.py après 50+ échecs",
            "recovered after 50+ failures\n",
            "rétabli après 50+ échecs\n",
        ),
    ],
)
def test_a_recovery_is_told(
    *,
    streak: Streak,
    subject: str,
    betreff: str,
    sentence: str,
    satz: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """The subject of a success says what works again, the row since when it did not."""
    run = make_run(make_result("a.py"), make_result("b.py", number=2))
    compared = {"b.py": Comparison(recovered=streak)}
    for language, head, words, status in (
        ("en", subject, sentence, "Recovered"),
        ("fr", betreff, satz, "Rétabli"),
    ):
        report = _render(run, language, comparisons=compared)
        assert report.subject == f"{head} (PC-7)"
        assert words in report.text
        page = _Page(report.html).text
        assert words.strip() in page
        assert f"✔ {status}" in page
        assert status in report.text


def test_a_recovery_among_failures_stays_in_its_row(failed_run: Run) -> None:
    """The run failed: its subject says that, and the row of the other what is well."""
    compared = {"main.py": Comparison(recovered=ENDLESS), "import.py": NEW}
    report = _render(failed_run, comparisons=compared)
    assert report.subject.startswith("[project_1] failed: import.py")
    assert "recovered after 50+ failures" in report.text
    assert "Recovered" not in report.html


def test_several_recoveries_are_counted(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The first one is named, like the first failure."""
    run = make_run(*(make_result(f"{n}.py", number=n) for n in (1, 2, 3)))
    streak = Comparison(recovered=Streak(count=2, since=MONDAY))
    report = _render(run, comparisons={"2.py": streak, "1.py": streak})
    assert report.subject == "[project_1] recovered: 1.py after 2 failures (+1) (PC-7)"


def test_a_duration_is_told_beside_the_usual(failed_run: Run) -> None:
    """Numbers mean something beside others of their kind."""
    spaces = str.maketrans("\u00a0\u202f", "  ")
    compared = Comparison(usual=133.2)
    for name in ("main.py", "import.py"):
        for language, words in (
            ("en", "usually 2 min 13 s"),
            ("fr", "d'habitude 2 min 13 s"),
        ):
            report = _render(failed_run, language, comparisons={name: compared})
            assert words in report.text.translate(spaces)
            assert words in _Page(report.html).text.translate(spaces)


#: Why a success is unusual, as it is decided.
QUICK = Sentence.of(TOOK, duration="0.20 s", usual="12 min")
EMPTY = Sentence.about(NUMBER_ABOUT, 48000, line="loaded 0 rows")


def test_an_unusual_success_is_told_first(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The subject and the first line say which script it is, and why."""
    run = make_run(
        make_result("main.py"),
        make_result("load.py", number=2, unusual=(EMPTY, QUICK)),
        make_result("last.py", number=3, unusual=(QUICK,)),
    )
    expected = {
        "en": (
            (
                "[project_1] unusual: load.py - loaded 0 rows, usually about 48,000 (+1)"
                " (PC-7)"
            ),
            "▲ Unusual: load.py and 1 other — loaded 0 rows, usually about 48,000",
            "▲ load.py - unusual",
        ),
        "fr": (
            (
                "[project_1] inhabituel : load.py - loaded 0 rows, d'habitude environ"
                " 48 000 (+1) (PC-7)"
            ),
            (
                "▲ Inhabituel : load.py et 1 autre — loaded 0 rows, d'habitude environ"
                " 48 000"
            ),
            "▲ load.py - inhabituel",
        ),
    }
    spaces = str.maketrans("\u00a0\u202f", "  ")
    for language, (subject, first, row) in expected.items():
        report = _render(run, language)
        assert report.subject.translate(spaces) == subject
        text = report.text.translate(spaces)
        assert text.splitlines()[0] == first
        assert text.index(row) < text.index("✔ main.py")
        page = _Page(report.html).text.translate(spaces)
        assert first in page
        # What a list of mails shows behind the subject, the first line, the row.
        assert page.count("loaded 0 rows") == 3


def test_one_reason_of_the_only_script_is_told_once(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The line at the top has said it."""
    run = make_run(make_result("load.py", unusual=(QUICK,)))
    assert _render(run).text.count("took 0.20 s") == 1
    text = _render(make_run(make_result("load.py", unusual=(EMPTY, QUICK)))).text
    assert text.count("loaded 0 rows") == 2
    assert text.count("took 0.20 s") == 1


def test_an_unusual_success_beside_a_failure_keeps_its_row(failed_run: Run) -> None:
    """The failure is what people are told first; the odd success has its mark."""
    scripts = [
        replace(r, unusual=(EMPTY,)) if r.succeeded else r for r in failed_run.scripts
    ]
    for strategy in (EmailStrategy.ALL, EmailStrategy.FAILURE_ONLY):
        run = replace(failed_run, scripts=tuple(scripts))
        report = _render(run, strategy=strategy)
        assert report.subject.startswith("[project_1] failed: import.py")
        assert "▲ main.py - unusual" in report.text
        assert "loaded 0 rows, usually about 48,000" in report.text


def test_without_a_past_nothing_is_compared(failed_run: Run) -> None:
    """What is not known is not said."""
    without: tuple[dict[str, Any], ...] = (
        {},
        {"comparisons": {}},
        {"comparisons": {"import.py": Comparison()}},
    )
    for options in without:
        report = _render(failed_run, **options)
        for word in ("usual", "new error", "same error", "recovered", "seen", "time)"):
            assert word not in report.text
            assert word not in _Page(report.html).text


@pytest.mark.parametrize("cut", ["tail", "traceback", "partial"])
def test_what_is_cut_goes_along(
    cut: str, make_result: MakeResult, make_run: MakeRun
) -> None:
    """The report names the outputs to attach: those that it shows in part only."""
    huge = "row\n" * 60_000
    text = f'File "x.py"\n{huge}' if cut == "traceback" else 'File "x.py"'
    traceback = Traceback(text=text, exception="E")
    run = make_run(
        make_result(
            "a.py", Outcome.FAILURE, traceback=traceback, output=Path("01.log")
        ),
        make_result("b.py", Outcome.FAILURE, number=2, output=Path("02.log")),
        make_result("c.py", Outcome.FAILURE, number=3, output=Path("03.log")),
    )
    options: dict[str, Any] = {
        "tails": {"a.py": huge if cut == "tail" else "end", "b.py": "all"},
        "partial": {"a.py"} if cut == "partial" else (),
    }
    report = _render(run, attach=True, **options)
    assert report.attached == ("a.py",)
    for body in (report.text, _Page(report.html).text):
        assert "Whole output, attached as well: 01.log" in body
        assert "Whole output: 02.log" in body
        assert "03.log" in body
    silent = _render(run, tails={"c.py": ""})
    assert "02.log" in silent.text
    assert "03.log" not in silent.text
    assert _render(run, **options).attached == ()
    assert "attached" not in _render(run, **options).text


def test_a_plain_report_takes_every_output_along(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """What could not be laid out has shown nothing."""
    run = make_run(
        make_result("b.py", Outcome.FAILURE, reason=Sentence.of("{missing}"))
    )
    context = ReportContext(
        strategy=EmailStrategy.ALL, language="fr", tails={"b.py": "x"}, attach=True
    )
    report = render(run, context)
    assert (report.html, report.attached, report.language) == ("", ("b.py",), "en")


def test_a_message_of_exit_is_the_end_of_the_output(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """What sys.exit() said is no traceback, and is not told apart from its context."""
    message = Traceback(text="12 rows read\nno amount", exception="no amount")
    run = make_run(make_result("a.py", Outcome.FAILURE, traceback=message))
    report = _render(run, tails={"a.py": "11 rows read\n12 rows read\nno amount\n"})
    for body in (report.text, _Page(report.html).text):
        assert "Traceback" not in body
        assert "11 rows read\n12 rows read\nno amount" in body
    assert report.subject.endswith("a.py - no amount (PC-7)")


def test_indents_and_lines_survive_where_white_space_does_not(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Outlook for Windows and Exchange drop the style: breaks and hard spaces stay."""
    code = 'File "x"\n    if a:\n\tb  c'
    traceback = Traceback(text=code, exception="E")
    run = make_run(make_result("a.py", Outcome.FAILURE, traceback=traceback))
    report = _render(run)
    indent = "\u00a0" * 3 + " "
    assert f"<br>{indent}if a:<br>{indent}b\u00a0 c" in report.html
    assert "white-space:pre" not in report.html
    assert code in report.text


def test_the_frames_of_the_project_stand_out(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """On a telephone the line to mend is found at once; those of libraries are counted."""
    text = (
        "Traceback (most recent call last):\n"
        '  File "/jobs/p/load.py", line 3, in load\n    read(name)\n    ^^^^^^^^^^\n'
        '  File "/opt/lib/site-packages/pandas/io.py", line 9, in read\n    raise E\n'
        "E: 3 fields"
    )
    traceback = Traceback(text=text, exception="E: 3 fields")
    result = make_result("a.py", Outcome.FAILURE, traceback=traceback)
    tail = "".join(f"row {n}\n" for n in range(60)) + text
    run = replace(make_run(result), path=Path("/jobs/p"))
    report = _render(run, tails={"a.py": tail}, attach=True)
    assert '> File "load.py", line 3, in load\n>   read(name)\n' in report.text
    assert "[1 frame of pandas]" in report.text
    assert "^^^" not in report.text
    assert report.html.count("<strong>&gt;") == 2
    assert report.text.count("E: 3 fields") == 3
    assert "Output before the traceback" in report.text
    assert "row 40\n" in report.text
    assert "row 39\n" not in report.text


TRACE = 'Traceback (most recent call last):\n  File "/p/a.py", line 1, in f\nE: x'


def test_what_was_printed_after_a_logged_error_is_output(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The block of the error ends with it; of the output only the last lines are shown."""
    text = f"{TRACE}\n" + "".join(f"cleans {n}\n" for n in range(40)) + "3 rows"
    reason = Sentence("exit code {code}; {logged}", {"code": 1, "logged": "E: x"})
    traceback = Traceback(text=text, exception="3 rows")
    result = make_result("a.py", Outcome.FAILURE, reason=reason, traceback=traceback)

    shown = _render(
        make_run(result), tails={"a.py": f"begins\n{text}"}, attach=True
    ).text

    block = shown.partition("Logged before the end")[2].partition("End of the output")
    assert "cleans" not in block[0]
    assert "cleans 39\n" in block[2]
    assert "cleans 9\n" not in shown
    alone = _render(make_run(result)).text
    assert "cleans 39\n" in alone


@pytest.mark.parametrize(
    ("told", "title"),
    [
        (("E: x", TRACE, None), "Traceback"),
        (("3 rows are wrong", "3 rows are wrong\n\nrow 7", None), "Message"),
        (("3 rows", f"{TRACE}\n3 rows", "logged"), "Logged before the end"),
        ((None, TRACE, "logged"), "Logged before the end"),
        ((None, TRACE, "background"), "Error in the background"),
        (("E: x", TRACE, "line"), "Traceback"),
    ],
)
def test_the_heading_says_what_a_traceback_is(
    told: tuple[str | None, str, str | None],
    title: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """What ended a script, what it logged before and what failed beside it differ."""
    ended_by, text, beside = told
    values = {"code": 3} | ({beside: "E: x"} if beside else {})
    reason = Sentence("exit code {code}", values)
    traceback = Traceback(text=text, exception=ended_by)
    result = make_result("a.py", Outcome.FAILURE, reason=reason, traceback=traceback)

    lines = map(str.strip, _render(make_run(result)).text.splitlines())

    titles = {
        "Traceback",
        "Message",
        "Logged before the end",
        "Error in the background",
    }
    assert [line for line in lines if line in titles] == [title]
