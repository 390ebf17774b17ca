"""A system that allows no further thread: every run still ends, and says what happened."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from python_runner import run_project
from python_runner.execution.interpreters import find_script
from python_runner.model import MailStatus, Outcome, RunStatus
from python_runner.records.store import open_store
from python_runner.runner.session import local_now
from tests.support import GOOD, MakeProject, allow_threads, mails


if TYPE_CHECKING:
    from pathlib import Path

ANN = ["ann@example.org"]
#: More than such a run starts: two for each script, one for each delivery.
MOST = 8


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="its pipes need threads")
@pytest.mark.parametrize("refused", [1, float("inf")], ids=["one", "all"])
@pytest.mark.parametrize("allowed", range(MOST))
def test_no_run_is_left_open(  # noqa: PLR0917 - fixtures
    make_project: MakeProject,
    mail_dir: Path,
    shielded: Path,
    monkeypatch: pytest.MonkeyPatch,
    allowed: int,
    refused: float,
) -> None:
    """Whichever thread is refused: a result a script, an ended run, a kept report."""
    folder = make_project(
        sources={"a.py": GOOD, "b.py": GOOD},
        recipients=ANN,
        email_strategy="all",
        max_parallel=2,
    )
    with monkeypatch.context() as patch:
        allow_threads(patch, allowed, refused=refused)
        result = run_project(folder)

    assert [script.script for script in result.scripts] == ["a.py", "b.py"]
    for script in result.scripts:
        assert script.status in {Outcome.SUCCESS, Outcome.NOT_STARTED}
        assert script.success or "can't start new thread" in (script.traceback or "")
    with open_store(shielded, local_now()) as store:
        assert store.open_runs() == []
        kept = store.run(str(result.run_id))
        (queued, *more) = store.messages.of_run(str(result.run_id))
    assert kept is not None
    assert kept.status in {RunStatus.SUCCESS, RunStatus.FAILURE}
    assert not more
    assert result.mail in {MailStatus.SENT, MailStatus.QUEUED}
    assert len(mails(mail_dir)) == (result.mail is MailStatus.SENT)
    if result.mail is MailStatus.QUEUED:
        assert "can't start new thread" in str(queued.recipients[0].detail)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="its pipes need threads")
def test_every_script_of_the_series_gets_its_turn(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script that got no thread fails; a later one that gets one is run."""
    folder = make_project(sources={"a.py": GOOD, "b.py": GOOD}, max_parallel=2)
    with monkeypatch.context() as patch:
        allow_threads(patch, 1, refused=1)
        first, second = run_project(folder).scripts

    assert first.status is Outcome.NOT_STARTED
    assert second.status is Outcome.SUCCESS


def test_an_error_in_one_script_s_step_is_its_result(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """What nobody foresaw costs one script, and neither the others nor the run."""
    folder = make_project(sources={"a.py": GOOD, "b.py": GOOD, "c.py": GOOD})

    def find(path: str, project: Path) -> Path | None:
        if path == "b.py":
            raise LookupError("unforeseen")
        return find_script(path, project)

    monkeypatch.setattr("python_runner.runner.script_run.find_script", find)
    result = run_project(folder)

    statuses = [script.status for script in result.scripts]
    assert statuses == [Outcome.SUCCESS, Outcome.NOT_STARTED, Outcome.SUCCESS]
    assert "unforeseen" in (result.scripts[1].traceback or "")
    with open_store(shielded, local_now()) as store:
        assert store.open_runs() == []
