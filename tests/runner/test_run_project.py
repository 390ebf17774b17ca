"""``run_project``: a configured project, run from Python as the command runs it."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from socket import gethostname
from typing import TYPE_CHECKING, Any

import pytest

import python_runner
from python_runner import (
    BadPythonInterpreter,
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
    MissingEnvironmentVariable,
    PythonRunnerError,
    RunResult,
    ScriptRunResult,
    run_project,
)
from python_runner.records.locks import Holder, project_lock
from python_runner.records.store import DATABASE_NAME
from python_runner.runner.session import local_now
from tests.support import GOOD, SERIES, MakeProject


if TYPE_CHECKING:
    from python_runner.runner.events import Event


COUNTED = "open('{name}.count', 'a').write('x')\n"


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


def names(result: RunResult) -> list[str]:
    """Return which scripts a result is about."""
    return [script.script for script in result.scripts]


def test_a_configured_project_is_run(make_project: MakeProject) -> None:
    """One result a script, with all that is known of it, and of the run."""
    folder = make_project(sources=SERIES, retries=1, retry_delay=0.05)

    result = run_project(folder)

    assert result.project == "project_1"
    assert result.status == "failure"
    assert result.run_id is not None
    assert len(result.run_id) == 13
    assert result.started_at.tzinfo is not None
    assert (result.mail, result.warnings, result.error) == ("none", (), None)
    assert result.duration > sum(script.duration for script in result.scripts) / 2
    assert names(result) == ["first.py", "bad.py", "last.py"]
    first, bad, _last = result.scripts
    assert (first.status, first.success, first.exit_code) == ("success", True, 0)
    assert (first.attempts, first.traceback, first.warnings) == (1, None, ())
    assert first.output is not None
    assert first.output.read_text("utf-8").strip() == "fine"
    assert (bad.status, bad.success, bad.exit_code) == ("failure", False, 1)
    assert bad.attempts == 2
    assert "KeyError: 'montant'" in (bad.traceback or "")
    assert bad.started_at >= result.started_at


@pytest.mark.parametrize(
    ("name", "source", "kind"),
    [
        ("a.bat", "@echo off\n", "batch file"),
        ("A.CMD", "@echo off\n", "batch file"),
        ("a.ps1", "Write-Host 1\n", "PowerShell script"),
        ("a.ipynb", '{"nbformat": 4, "cells": []}', "Jupyter notebook"),
    ],
)
def test_what_no_python_runs_is_not_started(
    make_project: MakeProject, name: str, source: str, kind: str
) -> None:
    """It is told by its kind, as `check` tells it; the next script runs."""
    result = run_project(make_project(sources={name: source, "b.py": GOOD}))

    first, second = result.scripts
    assert (first.status, second.status) == ("not_started", "success")
    assert str(first.traceback or "").startswith(f"this is a {kind}, ")


def test_results_are_frozen_facts(make_project: MakeProject) -> None:
    """What came of a run cannot be changed afterwards."""
    result = run_project(str(make_project()))

    for fact in (result, *result.scripts):
        assert isinstance(fact, RunResult | ScriptRunResult)
        for field in dataclasses.fields(fact):
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(fact, field.name, None)


def test_the_files_of_the_current_folder_hold(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """A ``.env``, and the defaults of a ``python-runner.toml``, as for the command."""
    source = "import os; print(os.environ['SHOP'], os.environ['ROW']); assert False"
    folder = make_project(sources={"main.py": source}, env={"ROW": "42"})
    Path(".env").write_text("SHOP=paris\n", "utf-8")
    defaults = "[defaults]\nretries = 1\nretry_delay = 0.05\n"
    Path("python-runner.toml").write_text(defaults, "utf-8")

    (script,) = run_project(folder).scripts

    assert script.attempts == 2
    assert script.output is not None
    assert script.output.read_text("utf-8").startswith("paris 42")
    assert script.output.is_relative_to(tmp_path)


def test_only_some_scripts_are_run(make_project: MakeProject) -> None:
    """In the order of the series; what they need besides is taken as done."""
    folder = make_project(
        sources=SERIES,
        scripts=["first.py", "bad.py", {"path": "last.py", "needs": ["bad.py"]}],
    )

    result = run_project(folder, only=["last.py", "first.py"])

    assert names(result) == ["first.py", "last.py"]
    assert result.status == "success"


def test_a_series_is_resumed(make_project: MakeProject) -> None:
    """What has not succeeded is run, until there is nothing left."""
    folder = make_project(
        sources={
            "a.py": COUNTED.format(name="a"),
            "b.py": COUNTED.format(name="b") + "assert open('mended')",
        }
    )
    assert run_project(folder).status == "failure"

    still_bad = run_project(folder, resume=True)
    (folder / "mended").touch()
    mended = run_project(folder, resume=True)
    nothing = run_project(folder, resume=True)

    assert (names(still_bad), still_bad.status) == (["b.py"], "failure")
    assert (names(mended), mended.status) == (["b.py"], "success")
    assert (nothing.run_id, nothing.status, nothing.scripts) == (None, None, ())
    assert nothing.project == "project_1"
    assert (nothing.mail, nothing.error, nothing.duration) == ("none", None, 0.0)
    assert (folder / "a.count").read_text("utf-8") == "x"
    assert (folder / "b.count").read_text("utf-8") == "xxx"


def test_a_project_that_never_ran_has_nothing_to_resume(
    make_project: MakeProject,
) -> None:
    """Nothing is run, and nothing passes for a success."""
    folder = make_project()

    result = run_project(folder, resume=True)

    assert (result.run_id, result.status) == (None, None)
    assert not (folder / "logs").exists()


def test_without_records_nothing_can_be_resumed(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has succeeded is not known then; to run everything would be a guess."""
    Path("no_folder").write_text("", "utf-8")
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(Path("no_folder").absolute()))
    folder = make_project(sources={"main.py": "open('ran', 'w')"})

    with pytest.raises(PythonRunnerError, match="without records"):
        run_project(folder, resume=True)

    assert not (folder / "ran").exists()


def test_the_listener_gets_every_event_and_breaks_nothing(
    make_project: MakeProject,
) -> None:
    """A listener that raises is ignored."""
    events: list[str] = []

    def listen(event: Event) -> None:
        events.append(type(event).__name__)
        raise RuntimeError("listener")

    result = run_project(make_project(), listener=listen)

    assert result.status == "success"
    assert events == ["RunStarted", "ScriptStarted", "ScriptEnded", "RunEnded"]


def test_without_mail_no_mailbox_is_wanted(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is due a report wants its variables, and gets it sent."""
    folder = make_project(
        sources={"main.py": "open('ran', 'w')"},
        recipients=["a@example.org"],
        email_strategy="all",
    )
    with pytest.raises(MissingEnvironmentVariable):
        run_project(folder)
    assert not (folder / "ran").exists()

    assert run_project(folder, mail=False).mail == "none"
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", "mails")
    assert run_project(folder).mail == "sent"
    assert len(list(Path("mails").glob("*.eml"))) == 1


def test_a_run_that_is_skipped_says_why(
    make_project: MakeProject, shielded: Path
) -> None:
    """Another run of the project is active: a result, not an error."""
    folder = make_project()
    other = Holder(
        pid=os.getpid(), host=gethostname(), run_id="2" * 13, started_at=local_now()
    )
    with project_lock(shielded, folder) as lock:
        assert lock.acquire(other, wait=False)
        result = run_project(folder)

    assert result.status == "skipped"
    assert [script.status for script in result.scripts] == ["skipped"]
    assert "another run of the project has been active" in (result.error or "")
    assert "2" * 13 in (result.error or "")


def test_runs_that_are_skipped_for_one_run_are_reported_once(
    make_project: MakeProject, shielded: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler's tick each minute sends one mail; the next active run another one."""
    folder = make_project(
        sources=SERIES, recipients=["a@example.org"], email_strategy="failure_only"
    )
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_FROM", "r@example.org")
    monkeypatch.setenv("MAIL_DIR", str(folder.parent / "mails"))
    told = []
    with project_lock(shielded, folder) as lock:
        for run_id in ("2" * 13, "3" * 13):
            other = Holder(
                pid=os.getpid(),
                host=gethostname(),
                run_id=run_id,
                started_at=local_now(),
            )
            assert lock.acquire(other, wait=False)
            told += [run_project(folder, mail=False).mail]
            told += [run_project(folder).mail for _ in range(3)]
            lock.release()

    assert told == ["none", "sent", "none", "none"] * 2
    texts = [path.read_text("utf-8") for path in (folder.parent / "mails").iterdir()]
    assert len(texts) == 2
    assert not [text for text in texts if "first.py" in text]


def test_a_skipped_continuation_skips_what_is_left(
    make_project: MakeProject, shielded: Path
) -> None:
    """What has succeeded is not called skipped, though another run is active."""
    folder = make_project(sources={"a.py": GOOD, "b.py": "assert open('mended')"})
    run_project(folder)
    other = Holder(
        pid=os.getpid(), host=gethostname(), run_id="2" * 13, started_at=local_now()
    )
    with project_lock(shielded, folder) as lock:
        assert lock.acquire(other, wait=False)
        skipped = run_project(folder, resume=True)
    (folder / "mended").touch()
    assert run_project(folder, resume=True).status == "success"
    with project_lock(shielded, folder) as lock:
        assert lock.acquire(other, wait=False)
        nothing = run_project(folder, resume=True)

    assert (skipped.status, names(skipped)) == ("skipped", ["b.py"])
    assert (nothing.status, nothing.scripts) == (None, ())


def test_damaged_records_are_no_success(
    make_project: MakeProject, shielded: Path
) -> None:
    """Nobody knows what there is to resume: that is an error, and nothing is run."""
    folder = make_project(sources={"main.py": COUNTED.format(name="main")})
    shielded.mkdir()
    (shielded / DATABASE_NAME).write_bytes(b"damaged " * 1000)

    with pytest.raises(PythonRunnerError, match="the records were damaged"):
        run_project(folder, resume=True)

    assert not (folder / "main.count").exists()


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"path": "nowhere"}, ConfigurationNotFound),
        ({"path": None}, InvalidConfiguration),
        ({"path": ""}, InvalidConfiguration),
        ({"path": "broken"}, MissingConfigurationVariable),
        ({"path": "no_python"}, BadPythonInterpreter),
        ({"path": "good", "only": "main.py"}, InvalidConfiguration),
        ({"path": "good", "only": [1]}, InvalidConfiguration),
        ({"path": "good", "only": None}, InvalidConfiguration),
        ({"path": "good", "only": [""]}, InvalidConfiguration),
        ({"path": "good", "only": {"main.py"}}, InvalidConfiguration),
        ({"path": "good", "resume": "no"}, InvalidConfiguration),
        ({"path": "good", "resume": None}, InvalidConfiguration),
        ({"path": "good", "mail": "no"}, InvalidConfiguration),
        ({"path": "good", "mail": 0}, InvalidConfiguration),
        ({"path": "good", "listener": 42}, InvalidConfiguration),
        ({"path": "good", "only": ["gone.py"]}, PythonRunnerError),
        ({"path": "good", "only": ["main.py"], "resume": True}, InvalidConfiguration),
    ],
    ids=str,
)
def test_what_is_wrong_is_raised_before_anything_runs(
    make_project: MakeProject, arguments: dict[str, Any], error: type[Exception]
) -> None:
    """The documented errors; nothing is logged, and no script has begun."""
    sources = {"main.py": "open('ran', 'w')"}
    good = make_project("good", sources)
    make_project("no_python", sources, python_command="no_such_python")
    broken = make_project("broken", sources)
    (broken / "exec_config.json").write_text("{}", "utf-8")

    with pytest.raises(error):
        run_project(**arguments)

    for folder in (good, broken, good.with_name("no_python")):
        assert not (folder / "ran").exists()
        assert not (folder / "logs").exists()


def test_the_public_names_are_there() -> None:
    """They import from the package, on first use."""
    for name in ("RunResult", "ScriptRunResult", "run_project"):
        assert name in python_runner.__all__


@pytest.mark.posix
@pytest.mark.skipif(os.name == "nt", reason="Windows removes no open file")
def test_an_output_that_another_script_removes_is_told(
    make_project: MakeProject,
) -> None:
    """No file is named that is not there; what the remover printed is written again."""
    sources = {
        "a.py": "print('one')",
        "a2.py": "print(1)",
        "b.py": "import shutil; shutil.rmtree('logs'); print('two')",
    }
    result = run_project(make_project(sources=sources))

    first, _, second = result.scripts
    assert result.status == "success"
    assert first.output is None
    assert Path(str(second.output)).read_text(encoding="utf-8").strip() == "two"
    assert [str(w) for w in result.warnings] == [
        "a.py and 1 more: their output files were removed during the run"
    ]
