from __future__ import annotations

import hashlib
import os
import platform
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from python_runner.execution.environment import (
    RUN_MARKER,
    child_environment,
    python_flags,
    script_environment,
)
from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest
from python_runner.masking import Masker
from python_runner.model import Attempt, Command, Interpreter, Outcome


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support import Cli, MakeProject

PYTHON = Interpreter(path=sys.executable, version=platform.python_version())
ZOO = Path(__file__).parent / "zoo"
#: Starts a process in a session of its own, which outlives its parent.
LEAVES_CHILD = """if True:
    import subprocess, sys
    from subprocess import DEVNULL
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(sleeper, stdout=DEVNULL, stderr=DEVNULL, start_new_session=True)
"""
#: Seconds that any of these scripts may take, also on a machine that is very busy.
GENEROUS = 120.0

adopting = pytest.mark.skipif(sys.platform != "linux", reason="adoption is Linux's")
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")


def run_id_of(folder: Path) -> str:
    """Return the run id of a test by its folder: no two tests share one."""
    return hashlib.sha256(str(folder).encode()).hexdigest()[:13]


def make_command(folder: Path, *argv: str, **changes: Any) -> Command:
    """Return a command that runs ``argv`` with this interpreter in ``folder``."""
    run_id = run_id_of(folder)
    environment = child_environment(os.environ, {}, run_id=run_id)
    values: dict[str, Any] = {
        "argv": (sys.executable, *python_flags(PYTHON), *argv),
        "cwd": str(folder),
        "env": script_environment(environment, PYTHON),
        "output": str(folder / "output.log"),
        "output_limit": 1_000_000,
        "timeout": GENEROUS,
        "grace": 5.0,
        "project": str(folder),
        "run_id": run_id,
    }
    return Command(**(values | changes))


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the processes of the run in ``folder`` that are alive."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if process.environ().get(RUN_MARKER) == run_id_of(folder):
                found.append(process)
    return [process for process in found if is_alive(process.pid)]


def is_alive(pid: int) -> bool:
    """Say whether a process runs; a zombie does not."""
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


@pytest.fixture
def zoo(tmp_path: Path) -> Iterator[Callable[..., Attempt]]:
    """Return a function that runs a bad script; check that nothing survives it."""

    def run(
        script: str, *args: str, stop: StopRequest | None = None, **changes: Any
    ) -> Attempt:
        return run_command(
            make_command(tmp_path, str(ZOO / script), *args, **changes), stop
        )

    yield run
    assert processes_of(tmp_path) == []


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str], str]:
    """Return a function that writes a script and gives its path."""

    def write(source: str) -> str:
        path = tmp_path / "main.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        return str(path)

    return write


def output_of(tmp_path: Path) -> str:
    """Return what was captured."""
    return (tmp_path / "output.log").read_bytes().decode("utf-8", "backslashreplace")


# -- ordinary ends ---------------------------------------------------------------------


def test_success(tmp_path: Path, written: Callable[[str], str]) -> None:
    """A script that ends with 0 is a success, and both streams are in one file."""
    script = written("""
        import sys
        print("out é")
        print("err", file=sys.stderr)
        print("out again")
    """)
    attempt = run_command(make_command(tmp_path, script))
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.exit_code == 0
    assert attempt.reason is None
    assert attempt.traceback is None
    assert attempt.warnings == ()
    assert attempt.started_at.tzinfo is not None
    assert 0 < attempt.duration < GENEROUS
    assert output_of(tmp_path).split("\n")[:3] == [
        line + os.linesep.rstrip("\n") for line in ("out é", "err", "out again")
    ]


def test_text_between_scripts_is_in_the_encoding_of_the_locale(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    """Whatever that is: cp1252 on many a Windows. The output is put away in UTF-8."""
    script = written(r"""
        import subprocess, sys
        child = [sys.executable, "-c", "print('Soci\xe9t\xe9')"]
        out = subprocess.run(child, capture_output=True, text=True).stdout
        echo = [sys.executable, "-c", "import sys; print(ascii(sys.stdin.read()))"]
        told = subprocess.run(echo, input="\xe9", capture_output=True, text=True).stdout
        print(ascii(out), told.strip(), "Soci\xe9t\xe9")
    """)
    usual = {"PYTHONIOENCODING", "PYTHONUTF8", "PYTHONPATH"}
    plain = {name: value for name, value in os.environ.items() if name not in usual}
    environment = child_environment(plain, {}, run_id=run_id_of(tmp_path))
    env = script_environment(environment, PYTHON)
    attempt = run_command(make_command(tmp_path, script, env=env))
    assert attempt.outcome is Outcome.SUCCESS
    assert output_of(tmp_path).rstrip() == r"'Soci\xe9t\xe9\n' '\xe9' Société"


def test_usage(tmp_path: Path, written: Callable[[str], str]) -> None:
    """Memory and processor time of the script are told."""
    script = written("x = b'x' * 150_000_000; [i for i in range(300_000)]")
    attempt = run_command(make_command(tmp_path, script))
    if sys.platform != "win32":
        assert attempt.peak_memory is not None
        assert attempt.peak_memory > 150_000_000
    assert attempt.cpu_seconds is not None
    assert 0 <= attempt.cpu_seconds < GENEROUS


def test_exception(tmp_path: Path, written: Callable[[str], str]) -> None:
    """An uncaught exception is told with its place in the project."""
    attempt = run_command(make_command(tmp_path, written("print('x')\n1 / 0\n")))
    assert attempt.outcome is Outcome.FAILURE
    assert attempt.exit_code == 1
    assert str(attempt.reason) == "exit code 1"
    assert attempt.traceback is not None
    assert attempt.traceback.text.startswith("Traceback (most recent call last):")
    assert attempt.traceback.exception == "ZeroDivisionError: division by zero"
    assert (attempt.traceback.file, attempt.traceback.line) == ("main.py", 2)


@posix_only
@pytest.mark.posix
def test_project_behind_a_link(tmp_path: Path, written: Callable[[str], str]) -> None:
    """Frames are found in a project that is reached by a symbolic link."""
    written("import helper")
    (tmp_path / "helper.py").write_text("1 / 0\n", encoding="utf-8")
    link = tmp_path.parent / f"{tmp_path.name}-link"
    link.symlink_to(tmp_path)
    attempt = run_command(make_command(link, str(link / "main.py")))
    assert attempt.traceback is not None
    assert attempt.traceback.file == "helper.py"


def test_earlier_attempt(tmp_path: Path, written: Callable[[str], str]) -> None:
    """The traceback of an earlier attempt in the same file is not taken."""
    run_command(make_command(tmp_path, written("1 / 0")))
    attempt = run_command(make_command(tmp_path, written("raise SystemExit(1)")))
    assert attempt.outcome is Outcome.FAILURE
    assert attempt.traceback is None
    assert "ZeroDivisionError" in output_of(tmp_path)


def test_exit_code_without_words(tmp_path: Path, written: Callable[[str], str]) -> None:
    """Ordinary output before another exit code than 1 is no error message."""
    attempt = run_command(
        make_command(tmp_path, written("print('all well'); raise SystemExit(7)"))
    )
    assert attempt.exit_code == 7
    assert str(attempt.reason) == "exit code 7"
    assert attempt.traceback is None


def test_handled_and_exit_code(tmp_path: Path, written: Callable[[str], str]) -> None:
    """An exception that was handled near the end stands beside any exit code."""
    script = written("""
        import sys, traceback
        try:
            1 / 0
        except ZeroDivisionError:
            traceback.print_exc()
            sys.exit(5)
    """)
    attempt = run_command(make_command(tmp_path, script))
    assert attempt.exit_code == 5
    expected = "logged before: ZeroDivisionError: division by zero (exit code 5)"
    assert str(attempt.reason) == expected
    assert attempt.traceback is not None
    assert attempt.traceback.exception is None
    assert attempt.traceback.text.startswith("Traceback")


@pytest.mark.fault(
    "scripts",
    "A script of the series is missing",
    "It is a result with its reason; the next scripts run.",
)
def test_missing_script(tmp_path: Path) -> None:
    """A script that has gone is a failure of the interpreter."""
    attempt = run_command(make_command(tmp_path, str(tmp_path / "gone.py")))
    assert attempt.outcome is Outcome.FAILURE
    assert attempt.exit_code == 2
    assert "gone.py" in output_of(tmp_path)


# -- could not start -------------------------------------------------------------------


@pytest.mark.fault(
    "scripts",
    "A script cannot be started",
    "It is a result that says why.",
)
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"argv": ("/nowhere/python", "x.py")}, "does not exist"),
        ({"cwd": "/nowhere/at/all"}, "nowhere"),
        ({"argv": (sys.executable, "a\0b")}, "null"),
        pytest.param(
            {"argv": (sys.executable, "x" * 4_000_000)},
            "too long",
            marks=pytest.mark.not_wine,
        ),
    ],
    ids=["program", "folder", "nul", "too-long"],
)
def test_not_started(tmp_path: Path, changes: dict[str, Any], expected: str) -> None:
    """What cannot be started is a result that says why."""
    attempt = run_command(make_command(tmp_path, **changes))
    assert attempt.outcome is Outcome.NOT_STARTED
    assert attempt.exit_code is None
    assert expected in str(attempt.reason)


@posix_only
@pytest.mark.posix
@pytest.mark.parametrize(
    ("content", "mode", "expected"),
    [
        (b"no program", 0o755, "is not a program for this system"),
        (b"#!/bin/sh\n", 0o644, "no permission to run"),
        (b"#!/nowhere/python\n", 0o755, "needs to run is missing"),
    ],
    ids=["format", "permission", "loader"],
)
def test_not_a_program(
    tmp_path: Path, content: bytes, mode: int, expected: str
) -> None:
    """A file that is no program is told from one that is missing."""
    program = tmp_path / "python"
    program.write_bytes(content)
    program.chmod(mode)
    attempt = run_command(make_command(tmp_path, argv=(str(program), "x.py")))
    assert attempt.outcome is Outcome.NOT_STARTED
    assert expected in str(attempt.reason)
    assert str(program) in str(attempt.reason)


# -- stopping --------------------------------------------------------------------------


@pytest.mark.not_wine
def test_timeout_asks_first(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A script that takes too long may tidy up, and ends as a time-out all the same."""
    attempt = zoo("ends_politely.py", timeout=1.0, grace=GENEROUS)
    assert attempt.outcome is Outcome.TIMEOUT
    assert str(attempt.reason) == "timed out after 1 s"
    assert 1.0 <= attempt.duration < GENEROUS
    assert "tidied up" in output_of(tmp_path)


@pytest.mark.fault(
    "scripts",
    "A script does not end when it is asked to",
    "It is killed after the grace, with all that it started.",
)
def test_ignores_term(zoo: Callable[..., Attempt]) -> None:
    """Who ignores the polite signal is killed after the grace, with his children."""
    attempt = zoo("ignores_term.py", timeout=1.0, grace=0.5)
    assert attempt.outcome is Outcome.TIMEOUT
    assert attempt.exit_code != 0


@pytest.mark.fault(
    "scripts",
    "A script that takes too long has started a daemon",
    "The time-out ends the daemon too.",
)
@posix_only
@pytest.mark.posix
def test_stopped_daemon(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A time-out ends a daemon too, which has left session, group and parents."""
    attempt = zoo("double_fork.py", str(tmp_path / "pid"), timeout=1.0, grace=0.5)
    assert attempt.outcome is Outcome.TIMEOUT
    assert not is_alive(int((tmp_path / "pid").read_text(encoding="utf-8")))


def test_stop_request(tmp_path: Path) -> None:
    """A stop request from another thread ends a script at once."""
    stop = StopRequest()
    code = "import pathlib, time; pathlib.Path('up').touch(); time.sleep(600)"
    command = make_command(tmp_path, "-c", code)

    def ask() -> None:
        wait_until((tmp_path / "up").exists)
        stop.request()

    asking = threading.Thread(target=ask)
    asking.start()
    attempt = run_command(command, stop)
    asking.join()
    assert attempt.outcome is Outcome.STOPPED
    assert str(attempt.reason) == "stopped together with its run"
    assert attempt.duration < GENEROUS


@pytest.mark.fault(
    "runner",
    "A second signal",
    "Scripts are killed at once.",
)
@pytest.mark.posix
def test_an_urgent_stop_waits_for_nobody(tmp_path: Path) -> None:
    """A script that ignores the first request is killed with the second."""
    stop = StopRequest()
    code = (
        "import pathlib, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "pathlib.Path('up').touch(); time.sleep(600)"
    )
    command = make_command(tmp_path, "-c", code, grace=300.0)

    def ask_twice() -> None:
        wait_until((tmp_path / "up").exists)
        stop.request()
        time.sleep(0.4)
        stop.request()

    asking = threading.Thread(target=ask_twice)
    asking.start()
    attempt = run_command(command, stop)
    asking.join()
    assert attempt.outcome is Outcome.STOPPED
    assert attempt.duration < GENEROUS


def test_stopped_before_start(tmp_path: Path) -> None:
    """After a stop request nothing is started any more."""
    stop = StopRequest()
    stop.request()
    attempt = run_command(make_command(tmp_path, "-c", "print(1)"), stop)
    assert attempt.outcome is Outcome.STOPPED
    assert attempt.exit_code is None
    assert not (tmp_path / "output.log").exists()


def test_stop_spares_the_others(tmp_path: Path) -> None:
    """Stopping one of two scripts that run at the same time leaves the other alone."""
    results: dict[str, Attempt] = {}

    def run(name: str, code: str, timeout: float) -> None:
        folder = tmp_path / name
        folder.mkdir()
        command = make_command(folder, "-c", code, timeout=timeout)
        results[name] = run_command(command)

    child = "import subprocess, sys; subprocess.run([sys.executable, '-c', {!r}])"
    sleeps = "import time; time.sleep(600)"
    works = "import time; time.sleep(2); print('done')"
    threads = [
        threading.Thread(target=run, args=("stuck", child.format(sleeps), 0.7)),
        threading.Thread(target=run, args=("good", child.format(works), GENEROUS)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["stuck"].outcome is Outcome.TIMEOUT
    assert results["good"].outcome is Outcome.SUCCESS
    assert results["good"].warnings == ()
    assert "done" in output_of(tmp_path / "good")


@pytest.mark.fault(
    "runner",
    "Ctrl-C while a script runs",
    "No script is left behind.",
)
@posix_only
@pytest.mark.posix
def test_interrupted_call(tmp_path: Path) -> None:
    """Ctrl-C that nobody turned into a request leaves no script behind."""
    program = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_process as t
        try:
            t.run_command(t.make_command(Path({str(tmp_path)!r}), "-c",
                "print('ready'); import time; time.sleep(600)"))
        except KeyboardInterrupt:
            print("survivors", len(t.processes_of(Path({str(tmp_path)!r}))))
    """
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE,
        text=True,
    ) as runner:
        output = tmp_path / "output.log"
        wait_until(lambda: output.exists() and output.stat().st_size > 0)
        runner.send_signal(signal.SIGINT)
        assert runner.stdout is not None
        assert "survivors 0" in runner.stdout.read()


def wait_until(condition: Callable[[], bool]) -> None:
    """Wait for a condition, and fail when it does not come true."""
    end = time.monotonic() + GENEROUS
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


# -- left behind -----------------------------------------------------------------------


@pytest.mark.fault(
    "scripts",
    "A script ends and leaves a process behind",
    "The process is stopped and named; the script's result stands.",
)
def test_child_left_behind(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A child that holds the output open is stopped and named; the script succeeded."""
    attempt = zoo("leaves_child.py", str(tmp_path / "pid"))
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert attempt.outcome is Outcome.SUCCESS
    assert any(
        str(warning).startswith(f"the script left process {pid} (")
        for warning in attempt.warnings
    )
    assert not is_alive(pid)


@posix_only
@pytest.mark.posix
def test_daemon_left_behind(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A daemon is stopped and named although it ignores the polite signal."""
    attempt = zoo("double_fork.py", str(tmp_path / "pid"), "leave", grace=0.3)
    pid = int((tmp_path / "pid").read_text(encoding="utf-8"))
    assert attempt.outcome is Outcome.SUCCESS
    assert [str(warning).split(" (")[0] for warning in attempt.warnings] == [
        f"the script left process {pid}"
    ]
    assert not is_alive(pid)


def test_what_is_left_behind_is_named_by_its_command_line(
    tmp_path: Path, written: Callable[[str], str]
) -> None:
    """A reader can tell a helper from a service; secrets are taken out."""
    script = written(
        """
        import subprocess, sys
        argv = [sys.executable, "-c", "input()", "--token", "xyz", "the-service", "c4n4ry"]
        subprocess.Popen(argv, stdin=subprocess.PIPE)
        import os; os._exit(0)
    """.replace("input()", "import time; time.sleep(600)")
    )
    attempt = run_command(make_command(tmp_path, script, masker=Masker(["c4n4ry"])))
    assert attempt.warnings
    text = str(attempt.warnings[0])
    assert "-c import time; time.sleep(600) --token *** the-service ***)" in text


@pytest.mark.fault(
    "scripts",
    "Helper processes end just after their script",
    "Nothing is said of them.",
)
def test_helpers_that_end_after_their_script_are_nobodys_business(
    tmp_path: Path, written: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resource trackers see the end of their script, and then end themselves."""
    # Half a second is enough for a helper, not for a machine that is very busy.
    monkeypatch.setattr("python_runner.execution.process._PATIENCE", GENEROUS)
    script = written("""
        import subprocess, sys
        helper = "import sys, time; sys.stdin.read(); time.sleep(0.05)"
        subprocess.Popen([sys.executable, "-c", helper], stdin=subprocess.PIPE)
        import os; os._exit(0)
    """)
    attempt = run_command(make_command(tmp_path, script))
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.warnings == ()


@adopting
@pytest.mark.posix
def test_hidden_child_left_behind(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A child without marker and session is found by the output it holds."""
    attempt = zoo("leaves_child.py", str(tmp_path / "pid"), "hidden")
    assert len(attempt.warnings) == 1
    assert not is_alive(int((tmp_path / "pid").read_text(encoding="utf-8")))


@posix_only
@pytest.mark.posix
def test_stranger_is_spared(tmp_path: Path) -> None:
    """Children of the program around the runner are not taken for a script's."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        attempt = run_command(make_command(tmp_path, "-c", "pass"))
        assert attempt.warnings == ()
        assert stranger.poll() is None
        stranger.kill()


@adopting
@pytest.mark.posix
@pytest.mark.parametrize(("source", "looks"), [("pass", False), (LEAVES_CHILD, True)])
def test_the_machines_processes_are_looked_at_only_for_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, looks: bool
) -> None:
    """A look at each costs more than a script, and as often as a script ends beside it."""
    counted, pids = Counter[str](), psutil.pids

    def count() -> list[int]:
        counted["looks"] += 1
        return pids()

    monkeypatch.setattr(psutil, "pids", count)
    stop, beside = StopRequest(), tmp_path / "beside"
    beside.mkdir()
    command = make_command(beside, "-c", "import time; print(1); time.sleep(600)")
    longer = threading.Thread(target=run_command, args=(command, stop))
    longer.start()
    output = beside / "output.log"
    wait_until(lambda: output.exists() and output.stat().st_size > 0)
    counted.clear()
    attempt = run_command(make_command(tmp_path, "-c", source))
    assert attempt.outcome is Outcome.SUCCESS
    assert bool(counted) == bool(attempt.warnings) == looks
    stop.request()
    longer.join()


@posix_only
@pytest.mark.posix
def test_null_device_is_everybodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where output is thrown away, others who do so too are not taken for a script's."""
    monkeypatch.setattr(tempfile, "tempdir", "/nowhere/at/all")
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"],
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as stranger:
        output = f"{os.devnull}/nowhere/output.log"
        attempt = run_command(make_command(tmp_path, "-c", "pass", output=output))
        assert attempt.outcome is Outcome.SUCCESS
        assert stranger.poll() is None
        stranger.kill()
    (warning,) = attempt.warnings
    assert str(warning).startswith("its output could not be kept")


@posix_only
@pytest.mark.posix
def test_daemon_without_adoption(
    zoo: Callable[..., Attempt], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where nobody adopts orphans, a daemon is found by its marker."""
    monkeypatch.setattr("python_runner.execution.tree_posix._prctl", lambda: None)
    attempt = zoo("double_fork.py", str(tmp_path / "pid"), "leave", grace=0.3)
    assert len(attempt.warnings) == 1
    assert not is_alive(int((tmp_path / "pid").read_text(encoding="utf-8")))
    attempt = zoo("double_fork.py", str(tmp_path / "pid"), timeout=1.0, grace=0.3)
    assert attempt.outcome is Outcome.TIMEOUT
    assert not is_alive(int((tmp_path / "pid").read_text(encoding="utf-8")))


@posix_only
@pytest.mark.posix
def test_ignored_children(tmp_path: Path) -> None:
    """A program that ignores its children's ends loses exit codes, and nothing else."""
    program = f"""
        import signal, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_process as t
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        attempt = t.run_command(t.make_command(Path({str(tmp_path)!r}), "-c", "pass"))
        print(attempt.outcome, attempt.reason)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "failure its exit code is unknown\n"


@pytest.mark.fault(
    "scripts",
    "A script flees by forking",
    "All its processes are ended.",
)
@posix_only
@pytest.mark.posix
@pytest.mark.parametrize(
    ("generations", "life"),
    [
        ("100", "0.002"),
        pytest.param("3000", "0", marks=adopting),
        pytest.param("3000", "0.01", marks=adopting),
    ],
)
def test_forks_on(zoo: Callable[..., Attempt], generations: str, life: str) -> None:
    """A script that flees by forking is caught up with in the end."""
    attempt = zoo("forks_on.py", generations, life, grace=0.2)
    assert attempt.outcome is Outcome.SUCCESS


@posix_only
@pytest.mark.posix
def test_stops_itself(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """Who has been stopped like by Ctrl-Z hears the polite signal all the same."""
    attempt = zoo("stops_itself.py", timeout=1.0, grace=GENEROUS)
    assert attempt.outcome is Outcome.TIMEOUT
    assert attempt.exit_code == 7
    assert "tidied up" in output_of(tmp_path)


@adopting
@pytest.mark.posix
@pytest.mark.parametrize("parallel", [1, 2])
def test_nothing_gets_away_from_the_command(
    cli: Cli,
    make_project: MakeProject,
    tmp_path: Path,
    parallel: int,
) -> None:
    """A child without marker, session, streams and parents is a script's in the end.

    Of two scripts that run at the same time nobody can say whose: the last names it.
    """
    pids = [tmp_path / f"pid-{number}" for number in range(parallel)]
    make_project(
        sources={"vanishes.py": (ZOO / "vanishes.py").read_text(encoding="utf-8")},
        scripts=[{"path": "vanishes.py", "args": [str(pid)]} for pid in pids],
        max_parallel=parallel,
    )

    done = cli("run", "project_1")

    assert done.returncode == 0
    for hidden in (int(pid.read_text(encoding="utf-8")) for pid in pids):
        assert not is_alive(hidden)
        assert f"process {hidden} (" in done.stderr


@adopting
@pytest.mark.posix
def test_the_library_spares_what_may_be_its_programs(tmp_path: Path) -> None:
    """In somebody else's program a child without any trait may be that program's."""
    with subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True
    ) as stranger:
        pid = tmp_path / "pid"
        attempt = run_command(
            make_command(tmp_path, str(ZOO / "vanishes.py"), str(pid))
        )
        assert attempt.outcome is Outcome.SUCCESS
        assert stranger.poll() is None
        stranger.kill()
    hidden = int(pid.read_text(encoding="utf-8"))
    assert is_alive(hidden)
    psutil.Process(hidden).kill()
    os.waitpid(hidden, 0)


@posix_only
@pytest.mark.posix
def test_the_command_hears_ends_that_its_parent_ignores(
    make_project: MakeProject,
) -> None:
    """Some schedulers ignore SIGCHLD, which their children inherit."""
    folder = make_project(sources={"a.py": "import sys; sys.exit(7)"})
    ignoring = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGCHLD, signal.SIG_IGN)\n"
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", ignoring, "-m", "python_runner", "run", folder],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert done.returncode == 1
    assert "exit code 7" in done.stderr


@posix_only
@pytest.mark.posix
def test_breeds(zoo: Callable[..., Attempt]) -> None:
    """A crowd of deaf processes ends with the script that bred it."""
    attempt = zoo("breeds.py", "5", timeout=1.0, grace=0.2)
    assert attempt.outcome is Outcome.TIMEOUT


@adopting
@pytest.mark.posix
def test_orphans_are_reaped(zoo: Callable[..., Attempt]) -> None:
    """Descendants that ended by themselves do not pile up as zombies."""
    before = {child.pid for child in psutil.Process().children()}
    attempt = zoo("orphans.py", "20")
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.warnings == ()
    assert {child.pid for child in psutil.Process().children()} <= before


# -- strange output and strange ends ---------------------------------------------------


@pytest.mark.fault(
    "scripts",
    "A script writes bytes that are no text",
    "They are kept as they are, and can be read.",
)
def test_dirty_bytes(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """What is no text is kept as it is, and read without an error."""
    assert zoo("dirty_bytes.py").outcome is Outcome.SUCCESS
    content = (tmp_path / "output.log").read_bytes()
    assert content == b"caf\xe9 \x00\x1b[31m \xff\xfe end"


def test_closes_output(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """A script that closes its streams is waited for until it really ends."""
    attempt = zoo("closes_output.py")
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.duration >= 0.1
    assert output_of(tmp_path).strip() == "before"


@pytest.mark.fault(
    "scripts",
    "A script waits for a keyboard",
    "It gets an error at once and ends.",
)
def test_reads_input(zoo: Callable[..., Attempt]) -> None:
    """Who waits for a keyboard gets an error at once instead of waiting for ever."""
    attempt = zoo("reads_input.py")
    assert attempt.outcome is Outcome.FAILURE
    assert attempt.traceback is not None
    assert attempt.traceback.exception == "EOFError: EOF when reading a line"


def test_hard_exit(zoo: Callable[..., Attempt], tmp_path: Path) -> None:
    """Words printed before os._exit are not lost."""
    attempt = zoo("hard_exit.py")
    assert attempt.exit_code == 3
    assert str(attempt.reason) == "exit code 3"
    assert attempt.traceback is None
    assert output_of(tmp_path).strip() == "last words"


@pytest.mark.fault(
    "scripts",
    "A script crashes the interpreter",
    "The crash is told with its place in the script.",
)
def test_segfault(zoo: Callable[..., Attempt]) -> None:
    """A crash says where in the script it happened."""
    attempt = zoo("segfault.py", project=str(ZOO))
    assert attempt.outcome is Outcome.FAILURE
    assert str(attempt.reason).startswith("crashed (")
    assert attempt.traceback is not None
    assert "atal " in (attempt.traceback.exception or "")
    assert (attempt.traceback.file, attempt.traceback.function) == (
        "segfault.py",
        "crash",
    )


@posix_only
@pytest.mark.posix
def test_kills_itself(zoo: Callable[..., Attempt]) -> None:
    """Death by a signal is told with its name."""
    attempt = zoo("kills_itself.py")
    assert attempt.outcome is Outcome.FAILURE
    assert attempt.exit_code == -9
    assert "killed by signal 9 (SIGKILL)" in str(attempt.reason)
    assert attempt.traceback is None


def test_exit_256(zoo: Callable[..., Attempt]) -> None:
    """An exit code is what the platform makes of it: POSIX has eight bits."""
    attempt = zoo("exit_256.py")
    assert attempt.exit_code == (256 if sys.platform == "win32" else 0)


def test_exit_message(zoo: Callable[..., Attempt]) -> None:
    """The message of sys.exit takes the place of a traceback."""
    attempt = zoo("exit_message.py")
    assert attempt.traceback is not None
    assert attempt.traceback.text == ("the input folder is empty\nask the accountants")
    assert attempt.traceback.exception == "the input folder is empty"


@pytest.mark.parametrize("module", ["lib.py", "lib/__init__.py", "lib/ledger.py"])
@pytest.mark.parametrize(
    ("body", "headline"),
    [
        ("sys.exit('ledger is locked\\n\\nask the accountants')", "ledger is locked"),
        ("print('step 2'); print('ledger is open'); sys.exit(1)", "ledger is open"),
    ],
)
def test_exit_message_of_a_module(
    tmp_path: Path, module: str, body: str, headline: str
) -> None:
    """A module beside the script may end it; nothing else marks its message either."""
    name = module.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    file = tmp_path / module
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"import sys\ndef close():\n    {body}\n")
    script = tmp_path / "night.py"
    script.write_text(f"from {name} import close\nprint('step 1')\nclose()\n")
    command = make_command(tmp_path, argv=(sys.executable, str(script)))
    found = run_command(command).traceback
    assert found is not None
    assert found.exception == headline


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("thread_error.py", "RuntimeError: lost in a thread"),
        ("exit_error.py", "ValueError: lost at exit"),
    ],
)
def test_success_with_an_error(
    zoo: Callable[..., Attempt], script: str, expected: str
) -> None:
    """An exception that changes no exit code is a success, but marked."""
    attempt = zoo(script)
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.traceback is None
    assert [str(warning) for warning in attempt.warnings] == [
        f"succeeded despite an error: {expected}"
    ]


@pytest.mark.fault(
    "scripts",
    "A script floods its output",
    "Memory and disk keep to their limits, and what was cut is counted.",
)
@pytest.mark.parametrize("end", ["lines", "no-lines"])
def test_flood(tmp_path: Path, end: str) -> None:
    """A flood costs the runner neither memory nor time, and the disk its limit."""
    program = f"""
        import sys, time
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import psutil
        import test_process as t
        folder = Path({str(tmp_path)!r})
        t.run_command(t.make_command(folder, "-c", "print('warm')"))
        before = psutil.Process().memory_info().rss
        attempt = t.run_command(t.make_command(
            folder, str(t.ZOO / "floods.py"), "256_000_000", {end!r}))
        after = psutil.Process().memory_info()
        peak = getattr(after, "peak_wset", after.rss)
        print(attempt.outcome, max(peak, after.rss) - before)
        print(*attempt.warnings)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    first, warning = done.stdout.splitlines()
    outcome, growth = first.split()
    assert outcome == "success"
    assert int(growth) < 20_000_000
    content = (tmp_path / "output.log").read_bytes()
    head, _, rest = content.partition(b"\n[... ")
    number, _, tail = rest.partition(b" bytes left out ...]\n")
    assert head.split(b"\n")[1].strip() == b"first words"
    assert tail.endswith(b"\nlast words\n")
    left_out = int(number)
    assert warning == (
        f"{left_out:,} bytes of its output were left out: its limit is 1,000,000 bytes"
    )
    assert 900_000 < len(content) < 1_010_000
    newline = 0 if end == "lines" else 1
    warm = content.index(b"first words")
    whole = 12 + 256_000_000 + 12
    kept = len(content) - len(b"\n[... %d bytes left out ...]" % left_out) - newline
    assert kept - warm + left_out == whole


# -- when the runner itself is killed --------------------------------------------------


@posix_only
@pytest.mark.posix
def test_lock_outlives_a_killed_runner(tmp_path: Path) -> None:
    """While a script of a killed runner lives, the project's lock stays taken."""
    fcntl = pytest.importorskip("fcntl")
    program = f"""
        import fcntl, os, sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_process as t
        lock = open({str(tmp_path / "lock")!r}, "w")
        fcntl.flock(lock, fcntl.LOCK_EX)
        t.run_command(t.make_command(Path({str(tmp_path)!r}), "-c",
            "import os, time; print(os.getpid()); time.sleep(600)",
            inherit=(lock.fileno(),)))
    """
    output = tmp_path / "output.log"
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)]) as runner:
        wait_until(lambda: output.exists() and output.stat().st_size > 0)
        runner.kill()
    script = int(output.read_text(encoding="utf-8"))
    with (tmp_path / "lock").open("w", encoding="utf-8") as lock:
        with pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.kill(script, 9)
        wait_until(lambda: not is_alive(script))
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
def test_job_ends_with_a_killed_runner(tmp_path: Path) -> None:
    """On Windows no script outlives the runner."""
    program = f"""
        import sys
        sys.path.insert(0, {str(Path(__file__).parent)!r})
        from pathlib import Path
        import test_process as t
        t.run_command(t.make_command(Path({str(tmp_path)!r}), "-c",
            "import os, time; print(os.getpid()); time.sleep(600)"))
    """
    output = tmp_path / "output.log"
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)]) as runner:
        wait_until(lambda: output.exists() and output.stat().st_size > 0)
        script = int(output.read_text(encoding="utf-8"))
        runner.kill()
    wait_until(lambda: not psutil.pid_exists(script))
