"""Whatever nobody foresaw ends at the script's step, at the run or at the project."""

from __future__ import annotations

import errno
import json
import os
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from python_runner import PythonRunnerError, Runner, run_project
from python_runner.cli.app import run_app
from python_runner.execution import explanation, process
from python_runner.execution.interpreters import find_script
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS, EXIT_USAGE
from python_runner.model import MailStatus, OpenRun, OpenScript, Outcome, RunStatus
from python_runner.policy import NextScripts, Schedule
from python_runner.records.store import open_store
from python_runner.runner import project_run
from python_runner.runner.recorder import RunRecorder
from python_runner.runner.series import Series
from python_runner.runner.session import local_now
from tests.support import GOOD, MakeProject, mails


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Command, Run

SOURCES = {"a.py": GOOD, "b.py": GOOD, "c.py": GOOD}
#: What any call may end with.
ERRORS = [
    LookupError("unforeseen"),
    OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "x" * 300),
    FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT)),
    RuntimeError("can't start new thread"),
    MemoryError(),
    RecursionError("maximum recursion depth exceeded"),
    ValueError("embedded null byte"),
    UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"),
]


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


@pytest.fixture(params=ERRORS, ids=repr)
def error(request: pytest.FixtureRequest) -> Exception:
    """Return one of the errors."""
    found: Exception = request.param
    return found


def kept(home: Path, run_id: str | None) -> Run | None:
    """Return what the records hold of a run; none of them is open."""
    with open_store(home, local_now()) as store:
        assert store.open_runs() == []
        return store.run(run_id or "")


def logged(folder: Path) -> list[str]:
    """Return script and status of each line of a project's log."""
    lines = (folder / "logs" / f"{folder.name}.log").read_text("utf-8").splitlines()
    return [" ".join(line.split(" - ")[5:7]) for line in lines]


def raising(error: Exception) -> Callable[..., None]:
    """Return a function that raises ``error`` whatever it is given."""

    def fail(*_args: object, **_options: object) -> None:
        raise error

    return fail


# --- inside a script's step ---


@pytest.mark.fault(
    "machine",
    "An unforeseen error while a script is prepared",
    "It is that script's result; the next scripts run, and a dated file holds the details.",
)
def test_inside_a_step_it_is_the_script_s_result(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    shielded: Path,
    error: Exception,
) -> None:
    """One script is not started and says why; the details are where it says."""
    folder = make_project(sources=SOURCES)

    def find(path: str, project: Path) -> Path | None:
        if path == "b.py":
            raise error
        return find_script(path, project)

    monkeypatch.setattr("python_runner.runner.script_run.find_script", find)
    result = run_project(folder)

    assert [s.status for s in result.scripts] == [
        Outcome.SUCCESS,
        Outcome.NOT_STARTED,
        Outcome.SUCCESS,
    ]
    told = result.scripts[1].traceback or ""
    assert type(error).__name__ in told
    (details,) = (shielded / "errors").iterdir()
    assert str(details) in told
    assert "raise error" in details.read_text("utf-8")
    assert logged(folder) == ["a.py success", "b.py failure", "c.py success"]
    run = kept(shielded, result.run_id)
    assert run is not None
    assert run.status is RunStatus.FAILURE


def test_a_script_that_ended_is_told_as_it_ended(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error behind the script's end does not change how it ended."""
    folder = make_project(sources={"a.py": "raise SystemExit(3)"}, retries=1)
    monkeypatch.setattr(RunRecorder, "end_attempt", raising(LookupError("unforeseen")))
    result = run_project(folder)

    (script,) = result.scripts
    assert (script.status, script.exit_code) == (Outcome.FAILURE, 3)
    assert any("unforeseen" in warning for warning in result.warnings)


@pytest.mark.parametrize("source", ["print('error')", "1 / 0"])
@pytest.mark.parametrize("reader", ["read_cause", "read_background_errors"])
def test_an_output_that_cannot_be_read_changes_no_outcome(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, source: str, reader: str
) -> None:
    """Whether a script succeeded is known from its exit code."""
    folder = make_project(sources={"a.py": f"print('KeyError: 1')\n{source}"})
    monkeypatch.setattr(explanation, reader, raising(RecursionError("unforeseen")))
    (script,) = run_project(folder).scripts

    assert script.exit_code == (0 if source != "1 / 0" else 1)
    assert script.success is (source != "1 / 0")
    concerned = (source != "1 / 0") == (reader == "read_background_errors")
    assert any("unforeseen" in warning for warning in script.warnings) is concerned


@pytest.mark.fault(
    "machine",
    "A script cannot start for lack of descriptors, memory or threads",
    "`retries` try it again.",
)
@pytest.mark.parametrize(
    ("number", "tries"),
    [
        (errno.EAGAIN, 2),
        (errno.EMFILE, 2),
        (errno.ENFILE, 2),
        (errno.ENOMEM, 2),
        (errno.EIO, 2),
        (errno.ENOENT, 1),
        (errno.EACCES, 1),
        (errno.E2BIG, 1),
        (errno.ENOEXEC, 1),
        (errno.ENAMETOOLONG, 1),
    ],
)
def test_what_may_pass_is_tried_again(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, number: int, tries: int
) -> None:
    """A start that fails for want of something is worth one of the retries."""
    tree_class = vars(process)["Tree"]
    start, starts = tree_class.start, []

    def fail_once(tree: object, command: Command) -> None:
        starts.append(command)
        if len(starts) == 1:
            raise OSError(number, os.strerror(number))
        start(tree, command)

    monkeypatch.setattr(tree_class, "start", fail_once)
    folder = make_project(sources={"a.py": GOOD}, retries=2, retry_delay=0.01)
    (script,) = run_project(folder).scripts

    assert script.attempts == len(starts) == tries
    assert script.status is (Outcome.SUCCESS if tries > 1 else Outcome.NOT_STARTED)


# --- inside a run ---

#: What a run calls, and whether its scripts have run when that fails.
CALLS = {
    "find_command": False,
    "recover": True,
    "ask_version": True,
    "RunRecorder.begin_run": False,
    "RunRecorder.rotate_log": False,
    "RunHeartbeat.begin": True,
    "drain": True,
    "Series.run": False,
    "outputs.delete_old_outputs": True,
    "unannounced_reports": True,
    "report_messages": True,
    "RunHeartbeat.end": True,
    "deliver": True,
    "RunHeartbeat.finish": True,
}


@pytest.mark.fault(
    "machine",
    "An unforeseen error inside a run",
    "The run is closed, logged, recorded and reported.",
)
@pytest.mark.parametrize("call", CALLS)
def test_inside_a_run_it_closes_that_run(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    shielded: Path,
    mail_dir: Path,
    call: str,
) -> None:
    """Every script has its result, in the log and the records, and the report leaves."""
    folder = make_project(
        sources=SOURCES, recipients=["ann@example.org"], email_strategy="all"
    )
    with monkeypatch.context() as patch:
        where = f"python_runner.runner.project_run.{call}"
        patch.setattr(where, raising(LookupError("unforeseen")))
        result = run_project(folder)

    ran = CALLS[call]
    outcome = Outcome.SUCCESS if ran else Outcome.NOT_STARTED
    assert [s.script for s in result.scripts] == list(SOURCES)
    assert {s.status for s in result.scripts} == {outcome}
    assert result.status is (RunStatus.SUCCESS if ran else RunStatus.NOT_STARTED)
    assert "unforeseen" in (result.error or " ".join(result.warnings))
    word = "success" if ran else "failure"
    assert logged(folder) == [f"{name} {word}" for name in SOURCES]
    run = kept(shielded, result.run_id)
    assert run is not None
    assert run.status is result.status
    if call == "report_messages":
        assert result.mail is MailStatus.FAILED
    else:
        subjects = [str(m["Subject"]) for m in mails(mail_dir)] or waiting(shielded)
        assert len(subjects) == 1
        assert ran or "not started: unexpected error: LookupError" in subjects[0]


def waiting(home: Path) -> list[str]:
    """Return the subjects of the reports that wait."""
    with open_store(home, local_now()) as store:
        return [queued.message.subject for queued in store.messages.newest()]


@pytest.mark.parametrize(
    "where",
    [
        "project_run.RunRecorder.end_scripts",
        "project_run.RunRecorder.end_run",
        "project_run.run_status",
        "recorder.LogFile.write",
        "recorder.log_line_of",
        "session.Store.begin_run",
        "session.Store.begin_attempt",
        "session.Store.end_scripts",
        "session.Store.end_run",
    ],
)
def test_what_cannot_be_written_costs_no_result(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    mail_dir: Path,
    where: str,
) -> None:
    """The scripts run, their results are returned and reported, and a warning is told."""
    folder = make_project(
        sources=SOURCES, recipients=["ann@example.org"], email_strategy="all"
    )
    monkeypatch.setattr(
        f"python_runner.runner.{where}", raising(LookupError("unforeseen"))
    )
    result = run_project(folder)

    assert {s.script: s.success for s in result.scripts} == dict.fromkeys(SOURCES, True)
    assert any("unforeseen" in warning for warning in result.warnings)
    # Without its status nobody knows what is to be reported.
    assert len(mails(mail_dir)) == (where != "project_run.run_status")


def test_a_script_that_still_runs_is_told_as_it_ends(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """An error in the series waits for the scripts that run beside it."""
    folder = make_project(
        sources={"a.py": GOOD, "b.py": "import time; time.sleep(0.5)", "c.py": GOOD},
        scripts=["a.py", "b.py", {"path": "c.py", "needs": ["a.py"]}],
        max_parallel=2,
    )
    decide, calls = Schedule.next, iter(range(9))

    def decide_once(schedule: Schedule, *, stopping: bool) -> NextScripts:
        if next(calls):
            raise LookupError("unforeseen")
        return decide(schedule, stopping=stopping)

    monkeypatch.setattr(Schedule, "next", decide_once)
    result = run_project(folder)

    assert {s.script: s.status for s in result.scripts} == {
        "a.py": Outcome.SUCCESS,
        "b.py": Outcome.SUCCESS,
        "c.py": Outcome.NOT_STARTED,
    }
    assert result.status is RunStatus.FAILURE
    assert "unforeseen" in (result.error or "")
    assert kept(shielded, result.run_id) is not None


@pytest.mark.fault(
    "machine",
    "An unforeseen error in a program that uses the library",
    "`Runner.run` returns results.",
)
def test_the_library_returns_results(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program of the user's meets no exception once its arguments are right."""
    folder = make_project(sources=SOURCES)
    runner = Runner(folder, [])
    monkeypatch.setattr(Series, "run", raising(LookupError("unforeseen")))
    results = runner.run(list(SOURCES), email_strategy="none")

    assert [r["status"] for r in results] == ["not_started"] * 3
    assert all("unforeseen" in str(r["traceback"]) for r in results)
    assert results.status is RunStatus.NOT_STARTED
    assert results.run_id == results[0]["run_id"]
    assert "unforeseen" in results.warnings[0]


@pytest.mark.parametrize("ending", [KeyboardInterrupt, SystemExit])
def test_a_request_to_end_keeps_its_meaning(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    ending: type[BaseException],
) -> None:
    """Only errors are caught."""
    folder = make_project(sources=SOURCES)

    def end(*_args: object, **_options: object) -> NoReturn:
        raise ending

    monkeypatch.setattr(Series, "run", end)
    with pytest.raises(ending):
        run_project(folder)


# --- inside a project's worker ---


@pytest.fixture
def run_command_line(monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Return a function that runs the command in this process, which stays as it is."""
    monkeypatch.setattr("python_runner.cli.commands.run.become_subreaper", lambda: None)
    return lambda *arguments: run_app(["run", *map(str, arguments)])


@pytest.mark.fault(
    "machine",
    "An unforeseen error in one project",
    "The other projects run, and stand in the JSON document.",
)
@pytest.mark.sampled(15)
@pytest.mark.parametrize(
    "where",
    [
        "load_project",
        "select",
        "RunContext.begin",
        "project_lock",
        "find_command",
    ],
)
def test_inside_a_worker_it_is_that_project_s_result(  # noqa: PLR0917 - fixtures
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
    where: str,
    error: Exception,
) -> None:
    """The other projects run, and stand in the document."""
    folders = [make_project(name, {"a.py": GOOD}) for name in ("p1", "p2", "p3")]
    *owners, name = where.split(".")
    owner = getattr(project_run, owners[0]) if owners else project_run
    usual, calls = getattr(owner, name), iter(range(9))

    def fail_once(*args: Any, **options: Any) -> Any:
        if next(calls) == 1:
            raise error
        return usual(*args, **options)

    monkeypatch.setattr(owner, name, fail_once)
    code = run_command_line("--json", "--quiet", *folders)

    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["project"] for run in runs] == ["p1", "p2", "p3"]
    assert [run["status"] for run in runs] == ["success", "not_started", "success"]
    assert type(error).__name__ in runs[1]["error"]
    assert code == EXIT_USAGE


@pytest.mark.fault(
    "machine",
    "An unforeseen error in what is shown before, beside or after the runs",
    "The runs, the JSON document and the exit code stand.",
)
@pytest.mark.parametrize(
    "where",
    [
        "become_subreaper",
        "warn_of_others",
        "show_failures",
        "show_undelivered",
        "_progress",
        "Progress.__enter__",
        "Progress.__exit__",
    ],
)
def test_what_is_shown_costs_no_run(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
    where: str,
) -> None:
    """It is told on stderr, and everything else goes on."""
    command = "python_runner.cli.commands.run"
    monkeypatch.setattr(f"{command}.{where}", raising(LookupError("unforeseen")))
    code = run_command_line("--json", "--quiet", make_project(sources=SOURCES))

    shown = capsys.readouterr()
    (run,) = json.loads(shown.out)["runs"]
    assert [script["status"] for script in run["scripts"]] == ["success"] * 3
    assert "unforeseen" in shown.err
    assert code == EXIT_SUCCESS


def test_what_shows_the_output_costs_no_run(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
) -> None:
    """With ``--verbose`` as well."""
    finish = "python_runner.cli.follow.OutputFollower.finish"
    monkeypatch.setattr(finish, raising(LookupError("unforeseen")))
    code = run_command_line("--json", "--verbose", make_project(sources=SOURCES))

    shown = capsys.readouterr()
    (run,) = json.loads(shown.out)["runs"]
    assert [script["status"] for script in run["scripts"]] == ["success"] * 3
    assert "unforeseen" in shown.err
    assert code == EXIT_SUCCESS


def test_check_tells_of_the_other_projects(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What nobody foresaw in one project is that project's problem."""
    good, bad = make_project("good"), make_project("bad")

    def find(path: str, folder: Path) -> Path | None:
        if folder == bad:
            raise LookupError("unforeseen")
        return find_script(path, folder)

    monkeypatch.setattr("python_runner.doctor.examination.find_script", find)
    code = run_app(["check", "--json", str(bad), str(good)])

    told = json.loads(capsys.readouterr().out)["projects"]
    assert "unforeseen" in str(told[0]["problems"])
    assert told[1]["problems"] == []
    assert code == EXIT_USAGE


@pytest.mark.parametrize("call", ["drain_again", "delete_old_runs"])
def test_what_follows_the_runs_costs_none_of_them(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
    call: str,
) -> None:
    """The document and the exit code stand."""
    folder = make_project(sources=SOURCES)
    monkeypatch.setattr(project_run, call, raising(LookupError("unforeseen")))
    code = run_command_line("--json", folder)

    told = capsys.readouterr()
    assert [run["status"] for run in json.loads(told.out)["runs"]] == ["success"]
    assert "unforeseen" in told.err
    assert code == EXIT_SUCCESS


@pytest.mark.fault(
    "machine",
    "An unforeseen error in any other command",
    "It ends with a sentence, not with a traceback.",
)
def test_any_other_command_says_it_in_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shielded: Path,
    error: Exception,
) -> None:
    """Nobody gets a traceback; the details are where the sentence says."""
    monkeypatch.setattr(
        "python_runner.cli.commands.history.command.callback", raising(error)
    )
    assert run_app(["history"]) == EXIT_FAILURE

    told = capsys.readouterr()
    assert type(error).__name__ in told.err
    assert len(told.err.splitlines()) == 1
    (details,) = (shielded / "errors").iterdir()
    assert str(details) in told.err


# --- before and behind the runs ---


@pytest.mark.fault(
    "machine",
    "An unforeseen error while the environment is read",
    "The command ends with code 2 and a sentence that names the details' file; the"
    " library raises one of its own errors.",
)
def test_settings_that_cannot_be_read_are_a_sentence(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
    shielded: Path,
) -> None:
    """No traceback reaches people, and no script has begun."""
    folder = make_project(sources=SOURCES)
    monkeypatch.setattr(
        "python_runner.config.settings.read_env", raising(LookupError("unforeseen"))
    )
    monkeypatch.setattr("python_runner.config.settings.is_there", bool)
    assert run_command_line(folder) == EXIT_USAGE
    told = capsys.readouterr().err
    assert run_app(["history"]) == EXIT_FAILURE
    for says in (
        lambda: run_project(folder),
        lambda: Runner(folder, []).run(list(SOURCES), email_strategy="none"),
    ):
        with pytest.raises(PythonRunnerError, match="unforeseen"):
            says()

    (details,) = (shielded / "errors").iterdir()
    assert str(details) in told
    assert str(details) in capsys.readouterr().err
    assert not (folder / "logs").exists()


@pytest.mark.fault(
    "machine",
    "An unforeseen error while the records or the outbox open or close",
    "Every project runs; the report says it, and waits for a later run.",
)
@pytest.mark.parametrize("call", ["open_store", "make_outbox", "Store.close"])
def test_a_session_that_cannot_be_opened_whole_runs_all(  # noqa: PLR0917 - fixtures
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    run_command_line: Callable[..., int],
    shielded: Path,
    call: str,
) -> None:
    """Scripts matter more than what is kept or sent of them."""
    folders = [make_project(name, {"a.py": GOOD}) for name in ("p1", "p2")]
    monkeypatch.setattr(
        f"python_runner.runner.session.{call}", raising(LookupError("unforeseen"))
    )
    code = run_command_line("--json", *folders)

    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [run["status"] for run in runs] == ["success", "success"]
    assert code == EXIT_SUCCESS
    if call != "Store.close":
        (details,) = (shielded / "errors").iterdir()
        assert all(str(details) in str(run["warnings"]) for run in runs)


# --- where the details go ---


def test_the_details_hold_no_secret_and_are_told_once(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """Five scripts that meet one error tell it once; a secret is masked."""
    monkeypatch.setenv("DATABASE_PASSWORD", "hunter2hunter2")
    folder = make_project(sources={f"{n}.py": GOOD for n in "abcde"})

    def fail(*_args: object) -> NoReturn:
        raise LookupError("no hunter2hunter2")

    monkeypatch.setattr("python_runner.runner.script_run.find_script", fail)
    result = run_project(folder)

    (file,) = (shielded / "errors").iterdir()
    text = file.read_text("utf-8")
    assert text.count("Traceback") == 1
    assert "hunter2" not in f"{text}{result}"


def test_a_state_folder_that_cannot_be_written_is_told(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """One sentence says what went wrong, and why nothing more can be read."""
    shielded.touch()
    folder = make_project(sources={"a.py": GOOD})
    fail = raising(LookupError("unforeseen"))
    monkeypatch.setattr("python_runner.runner.script_run.find_script", fail)
    (script,) = run_project(folder).scripts

    assert "unforeseen" in (script.traceback or "")
    assert "its details could not be written" in (script.traceback or "")


# --- another project's unfinished run ---


@pytest.mark.fault(
    "files",
    "The folder of an unfinished run lies on a share that is away",
    "No other project is stopped, and `history` works.",
)
@pytest.mark.parametrize(
    "number", [errno.EIO, errno.EACCES, errno.ENAMETOOLONG, errno.ETIMEDOUT, 1231]
)
def test_a_folder_that_cannot_be_resolved_concerns_nobody_else(
    make_project: MakeProject,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    shielded: Path,
    number: int,
) -> None:
    """A share that is away, with a run on it that never ended, stops no other project."""
    away = make_project("away", {"a.py": GOOD})
    here = make_project("here", {"a.py": GOOD})
    run_id = "0123456789abc"
    scripts = (OpenScript(script="a.py", number=1),)
    unfinished = OpenRun(
        run_id=run_id,
        project="away",
        path=away,
        started_at=local_now(),
        scripts=scripts,
    )
    with open_store(shielded, local_now()) as store:
        store.begin_run(unfinished, None)
    usual = os.path.realpath

    def realpath(path: os.PathLike[str] | str, **options: Any) -> str:
        if "away" in os.fspath(path):
            raise OSError(number, "The network location cannot be reached", path)
        return usual(path, **options)

    monkeypatch.setattr(os.path, "realpath", realpath)

    assert run_project(here).status is RunStatus.SUCCESS
    assert Runner(here, []).run(["a.py"], email_strategy="none")[0]["success"]
    for command in (["history"], ["history", str(away)]):
        assert run_app(command) == EXIT_SUCCESS
    assert run_id in capsys.readouterr().out
    assert run_app(["show", run_id]) == EXIT_SUCCESS
    assert "was interrupted" in capsys.readouterr().out
    # It is the next run of its own project that ends it.
    assert run_project(away).status is RunStatus.SUCCESS
    ended = kept(shielded, run_id)
    assert ended is not None
    assert ended.status is RunStatus.INTERRUPTED
