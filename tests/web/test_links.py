"""No page leads nowhere, whatever became of the runs."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome, RunStatus
from python_runner.model.provenance import ScriptProvenance, SourceFile
from python_runner.texts.sentence import Sentence
from tests.web.asking import NOON, run_of
from tests.web.test_pages import BAD, DAY, GOOD, LEFT_OUT, first_line, told


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Run
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("pages are made in this process")


def printed(run: Run) -> Run:
    """Return a run with an output, which is written, of each script that began."""
    folder = run.path / "logs" / "runs" / run.run_id
    folder.mkdir(parents=True, exist_ok=True)
    scripts = []
    for result in run.scripts:
        output = None
        if result.attempts:
            output = folder / f"{result.number}.log"
            output.write_text("one\ntwo\n", encoding="utf-8")
        scripts.append(replace(result, output=output))
    return replace(run, scripts=tuple(scripts))


def unstarted(path: Path, number: int) -> Run:
    """Return a run that could not be started: no script was begun."""
    run = run_of(path, number, Outcome.NOT_STARTED, Outcome.NOT_STARTED)
    reason = Sentence.of("the interpreter {name} is missing", name="py9")
    scripts = tuple(replace(r, attempts=(), reason=reason) for r in run.scripts)
    return replace(run, status=RunStatus.NOT_STARTED, scripts=scripts, error=reason)


def links(page: str) -> set[str]:
    """Return where a page leads, without the places in pages."""
    found = re.findall(r'href="([^"]*)"', page)
    return {html.unescape(one).partition("#")[0] for one in found} - {""}


def test_each_link_of_each_page_leads_to_a_page(dashboard: Dashboard) -> None:
    """Runs that failed, were left out, stopped, interrupted, or could not be started."""
    states = (GOOD, BAD, LEFT_OUT, Outcome.STOPPED, Outcome.INTERRUPTED)
    number = 0
    with dashboard.store() as store:
        for name, outcome in zip("abcde", states, strict=True):
            path = dashboard.project(name, "1.py", "2.py")
            for ago in (3, 2, 1):
                number += 1
                run = run_of(path, number, GOOD, outcome, ago=ago * DAY)
                store.end_run(printed(run), [], NOON)
        path = dashboard.project("unstarted", "1.py", "2.py")
        store.end_run(unstarted(path, 99), [], NOON)
    seen, waiting = set[str](), ["/"]
    while waiting:
        address = waiting.pop()
        if address in seen or len(seen) > 200:
            continue
        seen.add(address)
        answer = dashboard.ask(address)
        assert answer.status == 200, address
        # What only filters, or speaks another language, is the same page.
        waiting += [one for one in links(answer.text) if "?" not in one]
    assert f"/r/{99:013x}" in seen
    assert any(re.fullmatch(r"/r/\w+/2", one) for one in seen)


def test_a_run_that_could_not_be_started_blames_no_script(dashboard: Dashboard) -> None:
    """The project and the reason stand there, on every page and for other monitors."""
    path = dashboard.project("paie", "1.py", "2.py")
    with dashboard.store() as store:
        store.end_run(unstarted(path, 1), [], NOON)
    (block,) = re.findall(r"<article.*?</article>", dashboard.ask("/").text, re.DOTALL)
    assert "1.py" not in told(block)
    assert "paie" in told(block)
    assert "the interpreter py9 is missing" in told(block)
    assert f"/r/{1:013x}/1" not in block
    assert dashboard.ask("/status.txt").text == "FAIL 1 paie\n"
    (address,) = (one for one in links(block) if one.startswith("/p/"))
    assert "1.py" not in first_line(dashboard.ask(address).text)


def test_the_red_block_says_what_changed_since_it_worked(dashboard: Dashboard) -> None:
    """The file, and how many of its lines."""
    path = dashboard.project("factures", "import.py")
    with dashboard.store() as store:
        for number, outcome, text in ((1, GOOD, "a = 1\nb = 2\nc = 3\n"), (2, BAD, "a = 2\nb = 3\nc = 3\n")):
            run = run_of(path, number, outcome, scripts=("import.py",), ago=(3 - number) * DAY)
            digest = f"{number:040x}"
            made = ScriptProvenance(script=SourceFile(path="import.py", digest=digest))
            scripts = tuple(replace(r, provenance=made) for r in run.scripts)
            store.end_run(replace(run, scripts=scripts), [], NOON)
            store.sources.keep(path, {digest: text})
    assert "changed since it last worked: import.py (2 lines)" in told(dashboard.ask("/").text)
