from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from python_runner.mail.compose import compose
from python_runner.mail.report import SUBJECT, Report, fallback_report, render
from python_runner.model import EmailStrategy, Outcome, RunStatus, Traceback
from python_runner.texts import Text


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import Run, ScriptResult

    Make = Callable[..., ScriptResult]
    MakeRun = Callable[..., Run]

MIB = 1024 * 1024


def _render(run: Run, language: str = "en", **options: Any) -> Report:
    report = render(
        run,
        strategy=options.pop("strategy", EmailStrategy.ALL),
        language=language,
        host=options.pop("host", "PC-7"),
        **options,
    )
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
        self.attributes += attrs
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["style"], ["title"]):
            self.text += data


@pytest.fixture
def failed_run(make_result: Make, make_run: MakeRun) -> Run:
    """Return a run with a success, a failure and a script skipped because of it."""
    return make_run(
        make_result("main.py"),
        make_result(
            "import.py",
            Outcome.FAILURE,
            number=2,
            attempts=3,
            reason=Text("exit code {code}", {"code": 1}),
            output=Path("logs", "02_import.log"),
        ),
        make_result(
            "export.py", Outcome.SKIPPED, number=3, reason=Text("it needs import.py")
        ),
    )


@pytest.mark.parametrize(
    ("language", "success", "failure"),
    [
        (
            "en",
            "[project_1] succeeded: 2 scripts in 2 min 13 s",
            "[project_1] failed: import.py - KeyError: 'montant'",
        ),
        (
            "fr",
            "[project_1] réussite : 2 scripts en 2 min 13 s",
            "[project_1] échec : import.py - KeyError: 'montant'",
        ),
    ],
)
def test_the_subject_says_it_all(
    *,
    language: str,
    success: str,
    failure: str,
    failed_run: Run,
    make_result: Make,
    make_run: MakeRun,
) -> None:
    """Project, outcome, and the first failing script with its exception."""
    good = make_run(make_result("a.py"), make_result("b.py", number=2))
    assert _render(good, language).subject == success
    assert _render(failed_run, language).subject == failure


def test_the_subject_counts_further_failures(
    make_result: Make, make_run: MakeRun
) -> None:
    """Scripts that failed by themselves are counted; those skipped because of them not."""
    results = [
        make_result("a.py", Outcome.SKIPPED, reason=Text("no")),
        make_result("b.py", Outcome.TIMEOUT, number=2, reason=Text("30 s passed")),
        make_result("c.py", Outcome.FAILURE, number=3),
    ]
    report = _render(make_run(*results))
    assert report.subject == "[project_1] failed: b.py - 30 s passed (+1)"


@pytest.mark.parametrize(
    ("status", "error", "expected"),
    [
        (RunStatus.SKIPPED, Text("already running"), "skipped: already running"),
        (RunStatus.NOT_STARTED, Text("no python"), "not started: no python"),
        (RunStatus.STOPPED, None, "stopped after 2 min 13 s: 1 script"),
        (RunStatus.INTERRUPTED, None, "interrupted: 1 script"),
    ],
)
def test_every_status_has_its_subject(
    status: RunStatus,
    error: Text | None,
    expected: str,
    make_result: Make,
    make_run: MakeRun,
) -> None:
    """A run that did not take place, or not to its end, says so."""
    run = make_run(make_result(), status=status, error=error)
    report = _render(run)
    assert report.subject == f"[project_1] {expected}"
    if error:
        assert str(error) in report.text
        assert str(error) in _Page(report.html).text


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
    outcome: Outcome, english: str, french: str, make_result: Make, make_run: MakeRun
) -> None:
    """A reader who sees no colours knows how each script ended, in both bodies."""
    run = make_run(make_result("x.py", outcome))
    mark = {Outcome.SUCCESS: "✔", Outcome.SKIPPED: "○"}.get(outcome, "✖")
    for language, word in (("en", english), ("fr", french)):
        report = _render(run, language)
        assert f"{mark} x.py - {word}" in report.text
        assert f"{mark}\u00a0{word}" in _Page(report.html).text


def test_text_and_html_tell_the_same(failed_run: Run) -> None:
    """Each body is complete by itself."""
    report = _render(
        replace(failed_run, warnings=(Text("the log is incomplete"),)),
        tails={"import.py": "row 11\nrow 12\n"},
        log=Path("logs", "project_1.log"),
    )
    page = _Page(report.html)
    for part in (
        "project_1",
        "3 scripts, 1 succeeded, 2 did not succeed",
        "main.py",
        "8.4 s",
        "3 attempts",
        "import.py, line 12, in load",
        "KeyError: 'montant'",
        "exit code 1",
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
        assert part in page.text


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
        assert "1 succeeded" in body


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


def test_what_scripts_print_stays_text(make_result: Make, make_run: MakeRun) -> None:
    """Tags of a name, an error, a warning or an output are shown, never obeyed."""
    evil = "<script>alert(1)</script><img src=x onerror=y>&amp;"
    traceback = Traceback(text=evil, exception=evil, file=evil, line=1, function=evil)
    run = make_run(
        make_result(
            evil,
            Outcome.FAILURE,
            traceback=traceback,
            reason=Text("{x}", {"x": evil}),
            warnings=(Text("{x}", {"x": evil}),),
            output=Path(evil),
        ),
        project=evil,
        warnings=(Text("{x}", {"x": evil}),),
        error=Text("{x}", {"x": evil}),
    )
    report = _render(run, tails={evil: evil}, host=evil, log=Path(evil))
    page = _Page(report.html)
    assert not {"script", "img"} & set(page.tags)
    assert page.text.count(evil) >= 8


def test_sentences_keep_their_lines(make_result: Make, make_run: MakeRun) -> None:
    """Several problems told at once stay one a line, where HTML would join them."""
    run = make_run(
        make_result("a.py", Outcome.NOT_STARTED, reason=Text("one\ntwo <b>")),
        status=RunStatus.NOT_STARTED,
        error=Text("three\nfour"),
        warnings=(Text("five\nsix"),),
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
    traceback: Traceback, place: str | None, make_result: Make, make_run: MakeRun
) -> None:
    """What is not known is left out instead of being guessed."""
    run = make_run(make_result("a.py", Outcome.FAILURE, traceback=traceback))
    text = _render(run).text
    assert ("Where:" in text) == (place is not None)
    assert (place or "") in text


def test_a_failure_without_a_word_still_has_a_headline(
    make_result: Make, make_run: MakeRun
) -> None:
    """Neither traceback nor reason: the outcome's word remains."""
    run = make_run(make_result("a.py", Outcome.TIMEOUT))
    assert _render(run).subject == "[project_1] failed: a.py - timed out"


def test_each_warning_is_told_once(make_result: Make, make_run: MakeRun) -> None:
    """Three attempts that warn of the same are one warning, of a success as well."""
    run = make_run(make_result(attempts=3, warnings=(Text("left a process behind"),)))
    report = _render(run)
    assert report.text.count("left a process behind") == 1
    assert report.html.count("left a process behind") == 1


@pytest.mark.parametrize("filler", ["x", "é€\n", '"<&>'])
@pytest.mark.parametrize("failures", [1, 40])
def test_a_mail_never_grows_beyond_a_mebibyte(
    filler: str, failures: int, make_result: Make, make_run: MakeRun
) -> None:
    """Huge tracebacks and outputs are cut in the middle, with the count of the bytes."""
    huge = filler * 100_000
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
    make_result: Make, make_run: MakeRun
) -> None:
    """Sentences without end, many times over, leave the bare facts."""
    warnings = tuple(Text("{x}", {"x": f"{n}" + '"' * 3000}) for n in range(20))
    results = [make_result(f"{n}.py", number=n, warnings=warnings) for n in range(30)]
    run = make_run(*results)
    report = render(run, strategy=EmailStrategy.ALL, language="en")
    assert report == fallback_report(run, "the report is too large")
    assert "29.py: success" in report.text


def test_thousands_of_scripts_are_counted_instead_of_named(
    make_result: Make, make_run: MakeRun
) -> None:
    """Failures are named first, in the order of the series; the rest is a number."""
    results = [make_result(f"{n:04}.py", number=n) for n in range(5000)]
    results[4999] = make_result("last.py", Outcome.FAILURE, number=4999)
    report = _render(make_run(*results))
    assert "last.py" in report.text
    assert "and 4,800 more scripts" in report.text
    assert "and 4,800 more scripts" in report.html
    assert report.text.index("0198.py") < report.text.index("last.py")
    assert "0199.py" not in report.text


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(project=st.text(), script=st.text(), exception=st.text())
def test_subjects_are_one_short_line(
    make_result: Make, make_run: MakeRun, project: str, script: str, exception: str
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
    make_result: Make, make_run: MakeRun
) -> None:
    """A broken sentence costs the layout, never the news."""
    broken = Text("a value is missing: {value}")
    run = make_run(
        make_result("a.py"), make_result("b.py", Outcome.FAILURE, reason=broken)
    )
    run = replace(run, error=Text("what went wrong"))
    report = render(run, strategy=EmailStrategy.ALL, language="en")
    assert report == fallback_report(run, "KeyError: 'value'")
    assert report.html == ""
    assert report.subject == "[project_1] failure"
    assert "what went wrong" in report.text
    assert "a.py: success" in report.text
    assert "b.py: failure a value is missing: {value}" in report.text
    assert "39be3d37aed64" in report.text
