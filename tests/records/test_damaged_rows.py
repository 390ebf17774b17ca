"""A row whose content is damaged is read as far as it goes; it never ends a command."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from python_runner.masking import Masker
from python_runner.model import (
    Attempt,
    EmailStrategy,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.rows import DAMAGED, from_text, to_text, to_texts
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.report.context import ReportContext
from python_runner.report.render import render
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.portable("what is in a row is read alike everywhere")

FINE = Sentence.of("lost: {what}", what="a.py")
#: What is no sentence of ours, as JSON.
WRONG = {
    "no-json": "not json",
    "cut": '{"template": "x", "val',
    "null": "null",
    "number": "12",
    "text": '"text"',
    "list": "[]",
    "nothing": "{}",
    "no-values": '{"template": "x"}',
    "values-are-a-list": '{"template": "x", "values": []}',
    "template-is-a-number": '{"template": 1, "values": {}}',
    "too-many": '{"template": "x", "values": {}, "more": 1}',
    "blanks": '{"template": "{x:>900000000}", "values": {"x": "a"}}',
    "precision": '{"template": "{x:.900000000f}", "values": {"x": 1.5}}',
    "attribute": '{"template": "{x.__class__}", "values": {"x": "a"}}',
    "index": '{"template": "{x[0]}", "values": {"x": "a"}}',
    "conversion": '{"template": "{x!r}", "values": {"x": "a"}}',
    "place": '{"template": "{}", "values": {"x": "a"}}',
    "nested": '{"template": "{x:{y}}", "values": {"x": "a", "y": 1}}',
    "missing": '{"template": "{y}", "values": {"x": "a"}}',
    "plural-is-a-number": '{"template": "{count}", "values": {"count": 1}, "plural": 2}',
    "plural-of-nothing": '{"template": "x", "values": {}, "plural": "x"}',
    "plural-attribute": (
        '{"template": "x", "values": {"count": 1}, "plural": "{count.real}"}'
    ),
    "open": '{"template": "{x", "values": {"x": "a"}}',
    "closed": '{"template": "x}", "values": {"x": "a"}}',
    "deep": "[" * 100_000,
    "deep-value": '{"template": "{x}", "values": {"x": {"y": 1}}}',
    "digits": '{"template": "{x}", "values": {"x": ' + "9" * 5000 + "}}",
}


@pytest.mark.parametrize("column", WRONG.values(), ids=WRONG)
def test_what_is_no_sentence_is_called_damaged(column: str) -> None:
    """Alone and among others; a template reaches nothing but its values."""
    assert to_text(column) == DAMAGED
    assert all(text == DAMAGED for text in to_texts(column))
    assert DAMAGED in to_texts(f"[{column}]")


@pytest.mark.parametrize(
    "sentence",
    [
        FINE,
        Sentence.about(("{count} line", "{count} lines of {file}"), 1234, file="a"),
        Sentence.of("lost: {why}", why=Sentence.of("{file} is gone", file="a")),
        Sentence.of("{{x}} of {count}", count=3),
        Sentence.of("{a}{b_c}", a=None, b_c=1.5),
        Sentence.of("{file}: {error}", file="{x:>9}", error="}"),
    ],
)
def test_a_sentence_is_read_as_it_was_written(sentence: Sentence) -> None:
    """Whatever its values are."""
    read = to_text(from_text(sentence))
    assert read == sentence
    assert str(read) == str(sentence)


#: Statements that damage one column, and what is read of it then.
DAMAGES = {
    "error": "UPDATE run SET error = 'not json'",
    "error-is-no-text": "UPDATE run SET error = CAST(x'ff00' AS TEXT)",
    "warnings": "UPDATE run SET warnings = '[1]'",
    "run-began": "UPDATE run SET started_at = 9223372036854775807",
    "run-began-before-all": "UPDATE run SET started_at = -9223372036854775808",
    "run-took": "UPDATE run SET duration = 9e999",
    "name": "UPDATE run SET name = CAST(x'ff' AS TEXT)",
    "version": "UPDATE run SET interpreter_version = CAST(x'ff' AS TEXT)",
    "mail": "UPDATE run SET mail = 'gone'",
    "path": "UPDATE project SET path = CAST(x'2f00ff' AS TEXT) || id",
    "script": "UPDATE script SET name = CAST(x'ff' AS TEXT)",
    "script-began": "UPDATE result SET started_at = 9223372036854775807",
    "script-took": "UPDATE result SET duration = -9e999",
    "reason": "UPDATE result SET reason = '{}'",
    "output": "UPDATE result SET output = CAST(x'2f00' AS TEXT)",
    "outcome": "UPDATE attempt SET outcome = 'gone'",
    "attempt-began": "UPDATE attempt SET started_at = 9223372036854775807",
    "attempt-took": "UPDATE attempt SET duration = 9e999",
    "attempt-reason": "UPDATE attempt SET reason = 'null'",
    "attempt-warnings": "UPDATE attempt SET warnings = 'x'",
    "code": "UPDATE attempt SET exit_code = 9223372036854775807",
    "memory": "UPDATE attempt SET peak_memory = 9223372036854775807",
    "cpu": "UPDATE attempt SET cpu_seconds = 9e999",
    "traceback": "UPDATE attempt SET traceback = CAST(x'ff' AS TEXT)",
    "exception": "UPDATE attempt SET exception = NULL",
    "line": "UPDATE attempt SET line = -9223372036854775808",
}


@pytest.mark.fault(
    "records",
    "A text in the database is damaged",
    "One field is called damaged; the run is listed and shown.",
)
@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_one_damaged_column_hides_nothing_else(shielded: Path, damage: str) -> None:
    """The run is listed, shown and compared; the run beside it is as it was."""
    with open_store(shielded, NOW) as store:
        for number, run_id in enumerate(("a" * 13, "b" * 13), 1):
            store.end_run(a_run(run_id, shielded / str(number)), [], NOW)
    with closing(sqlite3.connect(shielded / DATABASE_NAME)) as plain:
        plain.execute(damage)
        plain.commit()

    with open_store(shielded, NOW) as store:
        runs = store.runs()
        for run in runs:
            past = store.past_results(run.path, "main.py", 5)
            store.last_outcomes(run.path)
            assert len(past) <= 1

    assert [run.run_id for run in runs] == ["b" * 13, "a" * 13]
    for run in runs:
        json.dumps(run.to_document(), allow_nan=False)
        context = ReportContext(strategy=EmailStrategy.ALL, language="fr")
        assert render(run.masked(Masker()), context).html


def a_run(run_id: str, path: Path) -> Run:
    """Return a run that failed, with a fact in each of its columns."""
    attempt = Attempt(
        outcome=Outcome.FAILURE,
        exit_code=1,
        started_at=NOW,
        duration=1.0,
        reason=FINE,
        traceback=Traceback(
            text="Traceback ...\nKeyError: 1",
            exception="KeyError: 1",
            file="main.py",
            line=1,
            function="f",
        ),
        warnings=(FINE,),
        peak_memory=1,
        cpu_seconds=1.0,
    )
    result = ScriptResult(
        script="main.py",
        run_id=run_id,
        number=1,
        outcome=Outcome.FAILURE,
        started_at=NOW,
        duration=1.0,
        attempts=(attempt,),
        reason=FINE,
        output=path / "01_main.py.log",
    )
    return Run(
        run_id=run_id,
        project="p",
        path=path,
        status=RunStatus.FAILURE,
        started_at=NOW,
        duration=1.0,
        scripts=(result,),
        error=FINE,
        warnings=(FINE,),
        interpreter="/usr/bin/python3",
        interpreter_version="3.11.9",
    )
