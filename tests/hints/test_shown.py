"""Where a hint is shown: below the exception, and above the owner's own words."""

from __future__ import annotations

import json
from dataclasses import replace
from email import message_from_bytes, policy
from typing import TYPE_CHECKING

import pytest

from python_runner.model import EmailStrategy, Outcome
from python_runner.model.digest import ProjectDigest, Standing
from python_runner.report.context import ReportContext
from python_runner.report.digest import project_lines
from python_runner.report.render import render
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Run, ScriptResult
    from tests.support import Cli, MakeProject, MakeResult, MakeRun

pytestmark = pytest.mark.portable("words and their order are the same everywhere")

ENGLISH = "the file is empty: look at what makes it"
FRENCH = "le fichier est vide\u00a0: regardez ce qui le produit"
ASKS = (
    "the script waits for an answer (input), and nobody is there to type one: pass it with"
    " `args`, or read it from a variable or file"
)
DEMANDE = (
    "le script attend une réponse (input), et personne n'est là pour la taper\u00a0:"
    " passez-la par `args`, ou lisez-la dans une variable ou un fichier"
)


def failed(make_result: MakeResult, hint: Sentence | None) -> ScriptResult:
    """Return the result of a script that failed, with a hint for its last attempt."""
    result = make_result("import.py", Outcome.FAILURE, attempts=2)
    *before, last = result.attempts
    return replace(result, attempts=(*before, replace(last, hint=hint)))


def context(language: str) -> ReportContext:
    """Return what a report is made from, with the owner's words."""
    words = {"import.py": "call Ann, 12 34"}
    return ReportContext(strategy=EmailStrategy.ALL, language=language, help=words)


@pytest.fixture
def run(make_run: MakeRun, make_result: MakeResult) -> Run:
    """Return a run of one script that failed with a hint."""
    return make_run(failed(make_result, Sentence.of(ENGLISH)))


@pytest.mark.parametrize(
    ("language", "label", "said", "help_label"),
    [
        ("en", "Hint: ", ENGLISH, "What to do: "),
        ("fr", "Conseil\u00a0: ", FRENCH, "Que faire\u00a0: "),
    ],
)
def test_a_report_says_it_once_above_the_help(
    run: Run, language: str, label: str, said: str, help_label: str
) -> None:
    """In the text and on the page, in the reader's language."""
    report = render(run, context(language))
    for body in (report.text, report.html or ""):
        assert body.count(label + said) == 1
        hint, help_place = body.index(label + said), body.index(f"{help_label}call Ann")
        assert body.index("KeyError") < hint < help_place


def test_a_report_without_a_hint_has_no_label(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """What is not known for sure leaves nothing behind."""
    report = render(make_run(failed(make_result, None)), context("en"))
    assert "Hint" not in report.text
    assert "Hint" not in (report.html or "")


def test_a_hint_is_escaped_on_a_page(
    make_run: MakeRun, make_result: MakeResult
) -> None:
    """A path may hold what a browser would read as a mark."""
    hint = Sentence.of("{file} is a folder: name a file in it", file="<b>&\u202e/x")
    report = render(make_run(failed(make_result, hint)), context("en"))
    assert "&lt;b&gt;&amp;" in (report.html or "")
    assert "\u202e" not in report.text


def test_a_digest_says_it_between_cause_and_help(run: Run) -> None:
    """For the first script that failed."""
    project = ProjectDigest(
        path=run.path, name="sales", standing=Standing.FAILED, last=run, help="call Ann"
    )
    lines = project_lines(project, NOW, Formats("fr"))
    assert lines[-2:] == [f"Conseil\u00a0: {FRENCH}", "Que faire\u00a0: call Ann"]
    assert "KeyError" in lines[0]


def test_a_success_tells_no_hint(make_result: MakeResult) -> None:
    """What an attempt before it failed with is repaired."""
    result = make_result("import.py", attempts=1)
    (last,) = result.attempts
    first = replace(last, outcome=Outcome.FAILURE, hint=Sentence.of(ENGLISH))
    assert replace(result, attempts=(first, last)).hint is None


def test_every_way_to_look_at_a_run_shows_it(
    make_project: MakeProject, cli: Cli, tmp_path: Path
) -> None:
    """The terminal, the mail, the documents, what is recorded: each in its language."""
    folder = make_project(
        sources={"a.py": "input('Go on? ')"},
        scripts=[{"path": "a.py", "help": "Call Anna, 4711."}],
        email_strategy="all",
        recipients=["ann@example.org"],
        language="fr",
    )
    variables = {
        "MAIL_TRANSPORT": "file",
        "MAIL_DIR": str(tmp_path / "mails"),
        "MAIL_FROM": "robot@example.org",
    }

    done = cli("run", "--json", folder, **variables)

    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
    assert script["hint"] == ASKS
    below = f"    hint: {ASKS}\n"
    assert below in done.stderr
    assert done.stderr.index(below) < done.stderr.index("what to do: Call Anna")
    (mail,) = (tmp_path / "mails").rglob("*.eml")
    text = message_from_bytes(mail.read_bytes(), policy=policy.default)
    body = text.get_body(("plain",))
    assert body is not None
    assert f"Conseil\u00a0: {DEMANDE}" in body.get_content()
    recorded = cli("show", folder, LANGUAGE="fr").stdout
    assert f"    conseil\u00a0: {DEMANDE}\n" in recorded
    assert recorded.index("conseil") < recorded.index("que faire\u00a0: Call Anna")
    (shown,) = json.loads(cli("show", "--json", folder).stdout)["runs"][0]["scripts"]
    assert shown["hint"] == ASKS
    (status,) = json.loads(cli("status", "--json", folder).stdout)["projects"]
    assert status["hint"] == ASKS
