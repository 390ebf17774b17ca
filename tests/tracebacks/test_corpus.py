"""Outputs of real programs, each with the cause and the place that a person named."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from python_runner.execution.exit_reasons import ending_of, exit_reason
from python_runner.tracebacks.cause import read_background_errors, read_cause
from python_runner.tracebacks.place import Project
from python_runner.tracebacks.source import read_source


pytestmark = pytest.mark.portable("the outputs are the same on every platform")

HERE = Path(__file__).parent
#: Where the programs were, as ``make_corpus.py`` writes it.
PROJECT = "/srv/jobs/accounting/monthly-closing"


def corpus() -> dict[str, dict[str, Any]]:
    """Return what was said of each program, by its name and the version of Python."""
    cases: dict[str, Any] = {}
    for file in sorted((HERE / "cases").glob("*.toml")):
        cases |= tomllib.loads(file.read_text("utf-8"))
    return {
        f"{name}.{version}": case
        for name, case in cases.items()
        for version in case.get("pythons", ["3.12"])
    }


CORPUS = corpus()


@pytest.mark.parametrize("name", CORPUS)
def test_the_cause_and_the_place(name: str) -> None:
    """Of each output the cause is named that a person found, and the place."""
    case = CORPUS[name]
    text = (HERE / "outputs" / f"{name}.txt").read_bytes().decode("utf-8")
    project = Project((PROJECT,), f"{PROJECT}/main.py", case["files"].__contains__)
    code = case.get("exit_code", 1)
    if code == 0:
        assert list(read_background_errors(text, project)) == case["warnings"]
        return
    source = read_source(case["files"]["main.py"])
    cause = read_cause(text, ending_of(code), project, source)
    found = cause.traceback
    reason = str(exit_reason(code, cause))
    exception = (found and found.exception) or reason
    place = f"{found.file}:{found.line}" if found and found.file else None
    assert exception.startswith(case["exception"])
    assert place == case.get("place")
    assert case.get("reason_holds", "") in reason
    if found:
        assert found.text.startswith(case.get("text_begins", ""))


def test_the_corpus_is_whole() -> None:
    """Every case has its output, and no output is without a case."""
    names = {file.stem for file in (HERE / "outputs").glob("*.txt")}
    assert names == set(CORPUS)
    assert len(names) >= 80
    assert max(f.stat().st_size for f in (HERE / "outputs").iterdir()) < 40_960
