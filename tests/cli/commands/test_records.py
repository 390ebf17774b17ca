from __future__ import annotations

import json
import os
import platform
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from python_runner.cli.commands.history import parse_since
from python_runner.cli.commands.logs import Filter
from python_runner.model import (
    Attempt,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.locks import Holder, project_lock
from python_runner.records.log_line import LogLine, format_record
from python_runner.records.log_reader import read_log
from python_runner.records.store import DATABASE_NAME, Store, open_store
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeProject = Callable[..., Path]
    Cli = Callable[..., subprocess.CompletedProcess[str]]

NOW = datetime.now(UTC)
GOOD = "print('fine')"
BAD = "def load():\n    raise KeyError('montant')\n\nload()\n"
SERIES = {"first.py": GOOD, "bad.py": BAD, "last.py": GOOD}
#: Says that it runs, and goes on until it is told to end.
PATIENT = (
    "import pathlib, time\n"
    "print('begun', flush=True)\n"
    "pathlib.Path('up').touch()\n"
    "end = time.monotonic() + 60\n"
    "while not pathlib.Path('go').exists() and time.monotonic() < end:\n"
    "    time.sleep(0.02)\n"
    "print('ended')\n"
)
posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


@pytest.fixture
def store(shielded: Path) -> Iterator[Store]:
    """Return the records that the command reads."""
    with open_store(shielded, NOW) as store:
        yield store


def keep(
    store: Store,
    run_id: str,
    path: Path,
    *outcomes: Outcome,
    ago: timedelta = timedelta(),
    duration: float = 1.0,
) -> None:
    """LogLine a run of the scripts 1.py, 2.py, ... that ended so."""
    began = NOW - ago
    results = tuple(
        ScriptResult(
            script=f"{number}.py",
            run_id=run_id,
            number=number,
            outcome=outcome,
            started_at=began,
            duration=duration,
        )
        for number, outcome in enumerate(outcomes, 1)
    )
    success = all(result.succeeded for result in results)
    run = Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=RunStatus.SUCCESS if success else RunStatus.FAILURE,
        started_at=began,
        duration=duration * len(results),
        scripts=results,
    )
    store.finish_run(run, [], NOW)


def wait_for(ready: Callable[[], object]) -> None:
    """Wait until something is so; fail after a while."""
    deadline = time.monotonic() + 30
    while not ready():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)


def last_run_id() -> str:
    """Return the id of the newest run: the one that is open, else the last ended."""
    with open_store(Path(os.environ["PYTHON_RUNNER_HOME"]), NOW) as store:
        active = store.open_runs()
        return active[0].run_id if active else store.runs(limit=1)[0].run_id


@contextmanager
def started(folder: Path, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Start the real command; it is gone when the block is left."""
    command = [sys.executable, "-m", "python_runner", *map(str, arguments)]
    with subprocess.Popen(
        command,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def patient(make_project: MakeProject, tmp_path: Path) -> Iterator[Path]:
    """Return a project that is running its first script of two, until told to end."""
    folder = make_project(sources={"slow.py": PATIENT, "last.py": GOOD}, overlap="wait")
    with started(tmp_path, "run", folder):
        wait_for((folder / "up").exists)
        yield folder
        (folder / "go").touch()


@pytest.fixture
def orphaned(make_project: MakeProject, tmp_path: Path) -> Iterator[Path]:
    """Return a project whose runner was killed while the second of three scripts ran.

    Where the script survives its runner, it ends when told to.
    """
    folder = make_project(
        sources={"a.py": GOOD, "slow.py": PATIENT, "c.py": GOOD}, overlap="wait"
    )
    with started(tmp_path, "run", folder) as process:
        wait_for((folder / "up").exists)
        process.kill()
    yield folder
    (folder / "go").touch()


def test_history_lists_runs_newest_first(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Id, start in local time, project, status, scripts, duration; in a pipe uncut."""
    long_name = "a project with a name " * 6
    keep(store, "a" * 13, tmp_path / "old", Outcome.SUCCESS, ago=timedelta(hours=2))
    keep(
        store,
        "b" * 13,
        tmp_path / long_name.strip(),
        Outcome.SUCCESS,
        Outcome.FAILURE,
        duration=61.0,
    )

    done = cli("history")
    heading, newest, oldest = done.stdout.split("\n\n")[0].splitlines()

    assert done.returncode == 0
    assert heading.split() == [
        *("run", "start", "project", "status", "scripts", "duration", "mail")
    ]
    start = NOW.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    assert re.split(" {2,}", newest) == [
        *("b" * 13, start, long_name.strip(), "failed", "1/2", "2 min 2 s")
    ]
    assert oldest.startswith("a" * 13)
    assert "\x1b" not in done.stdout


def test_history_tells_how_each_script_does(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Runs, success rate, p50, p95 and trend, whatever runs are listed."""
    for number in range(10):
        keep(
            store,
            f"{number:013x}",
            tmp_path / "p",
            Outcome.FAILURE if number == 4 else Outcome.SUCCESS,
            Outcome.SKIPPED,
            ago=timedelta(hours=10 - number),
            duration=float(number + 1),
        )

    done = cli("history", "--limit", 1, PYTHONIOENCODING="utf-8")
    first, second = done.stdout.splitlines()[-2:]

    assert re.split(" {2,}", first) == [
        *("p", "1.py", "10", "90%", "6.0 s", "10.0 s", "▂▂▃▄▅▆▇▇█")
    ]
    assert second.split() == ["p", "2.py", "0", "-", "-", "-"]


def test_a_trend_is_drawn_in_what_the_stream_can_write(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """A stream without block characters gets ASCII, not question marks."""
    for number in (1, 2):
        ago = timedelta(hours=3 - number)
        keep(
            store, str(number) * 13, tmp_path, Outcome.SUCCESS, ago=ago, duration=number
        )

    done = cli("history", PYTHONIOENCODING="ascii")

    assert done.stdout.splitlines()[-1].endswith("  +@")


def test_history_is_narrowed_by_what_is_asked(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Projects, failures, age and number each leave the others out."""
    keep(store, "1" * 13, tmp_path / "a", Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path / "a", Outcome.TIMEOUT, ago=timedelta(hours=1))
    keep(store, "3" * 13, tmp_path / "a", Outcome.FAILURE, ago=timedelta(days=8))
    keep(store, "4" * 13, tmp_path / "b", Outcome.FAILURE, ago=timedelta(days=2))

    def listed(*arguments: object) -> str:
        runs = json.loads(cli("history", "--json", *arguments).stdout)["runs"]
        return "".join(run["run_id"][0] for run in runs)

    yesterday = (NOW.astimezone() - timedelta(days=1)).date()
    assert listed("--limit", 3) == "124"
    assert listed("./b/", "nowhere") == "4"
    assert listed("--failed") == "243"
    assert listed("--since", "7d", "a") == "12"
    assert listed("--since", yesterday) == "12"


def test_since_narrows_the_numbers_too(cli: Cli, store: Store, tmp_path: Path) -> None:
    """A script that failed long ago has done well lately."""
    keep(store, "1" * 13, tmp_path, Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path, Outcome.FAILURE, ago=timedelta(days=9))

    assert " 50%" in cli("history").stdout
    assert " 100%" in cli("history", "--since", "7d").stdout


def test_since_says_what_it_expects(cli: Cli) -> None:
    """A wrong time is a usage error with examples."""
    done = cli("history", "--since", "soon")

    assert done.returncode == 2
    assert "7d or 12h" in done.stderr


@pytest.mark.parametrize(
    "text", ["", "0d", "-1d", "7w", "2026-13-01", "7", "9999999999d"]
)
def test_since_is_a_duration_or_a_date(text: str) -> None:
    """Nothing else is guessed at, and no length of time is too much."""
    with pytest.raises(click.BadParameter):
        parse_since(text, NOW)


def test_since_a_date_is_since_its_first_local_moment() -> None:
    """A duration counts back from now, a date begins at midnight here."""
    midnight = parse_since("2026-11-24", NOW)

    assert midnight == datetime(2026, 11, 24).astimezone()
    assert parse_since("1.5h", NOW) == NOW - timedelta(minutes=90)


def test_history_is_of_the_workspace_where_there_is_one(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """python-runner.toml of the current folder names the projects; else it is all."""
    keep(store, "1" * 13, tmp_path / "mine", Outcome.SUCCESS)
    keep(store, "2" * 13, tmp_path / "other", Outcome.SUCCESS)
    assert cli("history").stdout.count("2222222222222") == 1

    (tmp_path / "python-runner.toml").write_text('projects = ["mine"]', "utf-8")

    assert "1" * 13 in cli("history").stdout
    assert "2" * 13 not in cli("history").stdout
    assert "2" * 13 in cli("history", "other").stdout


def test_history_of_nothing_says_so(cli: Cli) -> None:
    """People get a sentence, programs an empty list; both are no failure."""
    assert cli("history").stdout == "No runs are recorded.\n"
    assert "--failed" in cli("history", "--failed").stdout
    assert json.loads(cli("history", "--json").stdout) == {"runs": []}


def test_history_of_an_unknown_project_says_what_to_do(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """A folder that never ran and one that is not there are told apart."""
    keep(store, "1" * 13, tmp_path / "gone", Outcome.SUCCESS)
    (tmp_path / "new").mkdir()

    new, nowhere = cli("history", "new"), cli("history", "nowhere")

    assert new.returncode == 0
    assert f"No runs of {tmp_path / 'new'} are recorded" in new.stdout
    assert nowhere.returncode == 2
    assert f"{tmp_path / 'nowhere'} is not a folder" in nowhere.stderr
    assert "1" * 13 in cli("history", "gone").stdout


def test_a_run_that_never_began_has_no_numbers(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """Without scripts there is one table only."""
    keep(store, "1" * 13, tmp_path)

    assert len(cli("history").stdout.splitlines()) == 2


def test_a_running_run_is_listed_and_named_by_show(cli: Cli, patient: Path) -> None:
    """It comes first, as running; show says how to look at it."""
    row = cli("history", patient).stdout.splitlines()[1]
    run_id = row.split()[0]
    shown = cli("show", run_id)

    assert re.search(r" project_1  running +0/2$", row)
    assert run_id not in cli("history", "--json").stdout
    assert len(cli("history", "--failed").stdout.splitlines()) == 1
    assert shown.returncode == 2
    assert f"output --follow {run_id}" in shown.stderr


def test_a_run_whose_runner_was_killed_is_listed_as_interrupted(
    cli: Cli, orphaned: Path
) -> None:
    """Nobody has settled it yet, but it does not pass for running."""
    row = cli("history", orphaned).stdout.splitlines()[1]

    assert re.search(r" project_1  interrupted +1/3$", row)


def test_a_runner_on_another_machine_is_believed(
    cli: Cli, store: Store, shielded: Path, tmp_path: Path
) -> None:
    """Its process cannot be looked at; that it holds the lock must do."""
    store.begin_run(
        run_id="1" * 13, project="p", path=tmp_path, started_at=NOW, scripts=["a.py"]
    )
    holder = Holder(pid=0, host="elsewhere", run_id="1" * 13, started_at=NOW)
    with project_lock(shielded, tmp_path) as lock:
        lock.acquire(holder, wait=False)
        held = cli("history").stdout

    assert "  running  " in held
    assert "  interrupted  " in cli("history").stdout


def test_show_tells_everything(cli: Cli, make_project: MakeProject) -> None:
    """Each script with its end, attempts, reason, place, traceback and output."""
    folder = make_project(
        sources=SERIES,
        scripts=[
            "first.py",
            {"path": "bad.py", "retries": 1, "retry_delay": 0.05},
            {"path": "last.py", "needs": ["bad.py"]},
        ],
    )
    cli("run", "--quiet", folder)

    shown = cli("show", last_run_id()[:6].upper()).stdout
    blocks = shown.split("\n\n")

    assert "1 of 3" in blocks[0]
    assert str(folder) in blocks[0]
    version = f"(Python {platform.python_version()})"
    assert f"interpreter: {sys.executable} {version}" in blocks[0]
    assert re.match(r"1\. first\.py: succeeded \(\d\.\d+ s, exit code 0\)\n", blocks[1])
    assert re.match(r"2\. bad\.py: failed \(\d\.\d+ s, exit code 1\)\n", blocks[2])
    assert re.search(r"attempt 2: failed \(\d\.\d+ s\) - exit code 1", blocks[2])
    assert "    at bad.py:2\n" in blocks[2]
    assert "      KeyError: 'montant'\n" in blocks[2]
    assert "02_bad.py.log" in blocks[2]
    # A Job Object under wine counts no memory; Windows itself does.
    memory = r"(peak memory \d+ MB, )" + ("?" if sys.platform == "win32" else "")
    used = rf"\n    {memory}processor time \d+\.\d+ s\n"
    assert re.search(used, blocks[1])
    assert blocks[3] == (
        "3. last.py: skipped\n    not started: it needs bad.py, which did not succeed\n"
    )


def test_show_repeats_warnings_and_errors(
    cli: Cli, make_project: MakeProject, store: Store
) -> None:
    """What was odd about a script or a run stays known, and cannot move the cursor."""
    folder = make_project(sources={"flood.py": "print('x' * 5000)"}, output_limit="1kB")
    cli("run", "--quiet", folder)
    flooded_id = last_run_id()
    run = Run(
        run_id="f" * 13,
        project="bell\x07",
        path=folder,
        status=RunStatus.NOT_STARTED,
        started_at=NOW,
        duration=0.0,
        error=Sentence.of("the interpreter\nis gone"),
        warnings=(Sentence.of("the disk is full"),),
    )
    store.finish_run(run, [], NOW)

    flooded = cli("show", flooded_id).stdout
    refused = cli("show", "f" * 13).stdout

    assert re.search("\n    warning: .* bytes of its output were left out", flooded)
    assert "\n  the interpreter is gone\n" in refused
    assert "\n  warning: the disk is full\n" in refused
    assert r"bell\x07" in refused


def test_show_tells_what_little_is_known(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """No exit code, no frame inside the project: the rest is told all the same."""
    attempt = Attempt(
        outcome=Outcome.TIMEOUT,
        exit_code=None,
        started_at=NOW,
        duration=60.0,
        reason=Sentence.of("stopped after 60 s"),
        traceback=Traceback(text="in a library\n\x1b[2JE: gone", exception="E: gone"),
    )
    result = ScriptResult(
        script="a.py",
        run_id="1" * 13,
        number=1,
        outcome=Outcome.TIMEOUT,
        started_at=NOW,
        duration=60.0,
        attempts=(attempt,),
        reason=attempt.reason,
    )
    run = Run(
        run_id="1" * 13,
        project="p",
        path=tmp_path,
        status=RunStatus.FAILURE,
        started_at=NOW,
        duration=60.0,
        scripts=(result,),
    )
    store.finish_run(run, [], NOW)

    shown = cli("show", "1").stdout.split("\n\n")

    assert "interpreter" not in shown[0]
    assert shown[1] == (
        "1. a.py: timed out (1 min)\n    stopped after 60 s\n"
        "      in a library\n      E: gone\n"
    )


def test_show_json_is_the_document_of_history(
    cli: Cli, make_project: MakeProject
) -> None:
    """Both print what run --json printed."""
    done = json.loads(cli("run", "--json", make_project(sources=SERIES)).stdout)

    (run,) = done["runs"]
    assert json.loads(cli("show", "--json", run["run_id"]).stdout) == done
    assert json.loads(cli("history", "--json").stdout) == done


def test_show_wants_one_run(cli: Cli, store: Store, tmp_path: Path) -> None:
    """No run, or two that begin so, is a usage error that says what to type."""
    keep(store, "ab" + "1" * 11, tmp_path, Outcome.SUCCESS)
    keep(store, "ab" + "2" * 11, tmp_path, Outcome.SUCCESS)
    store.begin_run(
        run_id="d" * 13, project="p", path=tmp_path, started_at=NOW, scripts=["a.py"]
    )

    for prefix in ("c", "no-hex", "ab11111111111f"):
        done = cli("show", prefix)
        assert done.returncode == 2
        assert f"no run has an id that begins with {prefix}; `python-" in done.stderr
    several = cli("show", "ab")
    assert several.returncode == 2
    assert "begins with ab: ab11111111111, ab22222222222\n" in several.stderr
    dead = cli("show", "d")
    assert dead.returncode == 2
    assert "was interrupted: its runner is gone" in dead.stderr
    assert "run --resume" in dead.stderr
    assert cli("show", "ab1").returncode == 0


def test_show_writes_a_page(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """The page stands alone, holds the end of the output and replaces an older one."""
    cli("run", "-q", make_project(sources={"bad.py": "print('a<b')\n" + BAD}))
    run_id = last_run_id()
    page = tmp_path / "run.html"
    page.write_text("older", "utf-8")

    done = cli("show", run_id, "--html", page)
    text = page.read_text("utf-8")

    assert done.returncode == 0
    assert str(page) in done.stdout
    assert "a&lt;b" in text
    assert "KeyError" in text
    assert not re.search(r"(src|href)=|@import|url\(", text)
    assert [path.name for path in tmp_path.glob("*run.html*")] == ["run.html"]
    both = cli("show", run_id, "--json", "--html", page)
    assert json.loads(both.stdout)["runs"][0]["run_id"] == run_id


def test_a_past_run_is_shown_without_secrets(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Neither what a killed runner left nor what has become secret since is shown."""
    secret = "s3cr3t-value-77"
    sources = {"bad.py": f"raise RuntimeError('the key {secret} is wrong')"}
    folder = make_project(sources=sources)
    cli("run", "-q", folder)
    run_id = last_run_id()
    (output,) = folder.glob("logs/runs/*/*.log")
    with output.open("a", encoding="utf-8") as file:
        file.write(f"left by a killed runner: {secret}\n")
    make_project(sources=sources, env={"API_TOKEN": secret})

    assert cli("show", run_id, "--html", tmp_path / "run.html").returncode == 0
    page = (tmp_path / "run.html").read_text("utf-8")

    assert "left by a killed runner: ***" in page
    for shown in (
        page,
        cli("show", run_id).stdout,
        cli("show", run_id, "--json").stdout,
        cli("history", "--json").stdout,
    ):
        assert secret not in shown
        assert "the key *** is wrong" in shown


def test_a_page_is_written_without_output(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Output that is not kept any more is no reason to fail; a missing folder is."""
    folder = make_project(sources={"bad.py": BAD})
    cli("run", "-q", folder)
    for file in folder.glob("logs/runs/*/*"):
        file.unlink()

    assert cli("show", last_run_id(), "--html", "run.html").returncode == 0
    failed = cli("show", last_run_id(), "--html", tmp_path / "gone" / "run.html")

    assert failed.returncode == 2
    assert "cannot be written" in failed.stderr


def test_output_is_shown_as_text(cli: Cli, make_project: MakeProject) -> None:
    """One script's output is alone; bytes that are no text are escaped, colours stay."""
    folder = make_project(
        sources={
            "a.py": "import sys; sys.stdout.buffer.write("
            "b'\\xc3\\xa9t\\xe9 \\xff\\r\\n\\x1b[31mred\\x1b[0m')",
            "b.py": "print('second')",
        }
    )
    cli("run", "-q", folder)
    run_id = last_run_id()

    alone = cli("output", run_id, "a.py", PYTHONIOENCODING="utf-8")
    whole = cli("output", run_id, PYTHONIOENCODING="utf-8")

    assert alone.stdout == "ét\\xe9 \\xff\n\x1b[31mred\x1b[0m"
    assert alone.returncode == whole.returncode == 0
    assert whole.stdout == (f"==> a.py <==\n{alone.stdout}\n==> b.py <==\nsecond\n")


def test_large_output_is_whole(cli: Cli, make_project: MakeProject) -> None:
    """Blocks are joined without a seam, in the middle of a character too."""
    source = "import sys; sys.stdout.buffer.write('aé€'.encode() * 50_000)"
    cli("run", "-q", make_project(sources={"main.py": source}))

    done = cli("output", last_run_id(), PYTHONIOENCODING="utf-8")

    assert done.stdout == "aé€" * 50_000


def test_output_that_is_gone_says_so(cli: Cli, make_project: MakeProject) -> None:
    """What was pruned is named; what is left is still shown; the code is 1."""
    folder = make_project(sources=SERIES)
    cli("run", "-q", folder)
    (gone,) = folder.glob("logs/runs/*/01_first.py.log")
    gone.unlink()

    done = cli("output", last_run_id())

    assert done.returncode == 1
    assert "first.py: its output is not kept any more" in done.stderr
    assert "KeyError" in done.stdout


def test_output_of_what_never_ran_says_so(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """A script without output and a script that is none of the series differ."""
    keep(store, "1" * 13, tmp_path / "p", Outcome.SKIPPED)

    nothing = cli("output", "1", "1.py")
    unknown = cli("output", "1", "x.py")

    assert nothing.returncode == 1
    assert "nothing was started" in nothing.stderr
    assert unknown.returncode == 2
    assert "p has no script x.py; its series: 1.py" in unknown.stderr


def test_output_that_cannot_be_read_is_a_sentence(
    cli: Cli, make_project: MakeProject
) -> None:
    """A folder in the place of the file is not shown as a crash."""
    folder = make_project()
    cli("run", "-q", folder)
    (output,) = folder.glob("logs/runs/*/*.log")
    output.unlink()
    output.mkdir()

    done = cli("output", last_run_id())

    assert done.returncode == 2
    assert "cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("patient")
def test_output_of_a_running_run_is_what_there_is(cli: Cli) -> None:
    """Without --follow nothing is waited for."""
    run_id = last_run_id()

    done = cli("output", run_id)

    assert done.returncode == 0
    assert done.stdout == "==> slow.py <==\nbegun\n"


def test_follow_shows_a_run_to_its_end(patient: Path, tmp_path: Path) -> None:
    """Output is shown while it is written, script after script, until the run ends."""
    run_id = last_run_id()

    with started(tmp_path, "output", "--follow", run_id) as process:
        assert process.stdout
        first = [process.stdout.readline() for _ in range(2)]
        (patient / "go").touch()
        rest, errors = process.communicate(timeout=30)

    assert first == ["==> slow.py <==\n", "begun\n"]
    assert rest == "ended\n==> last.py <==\nfine\n"
    assert errors == ""
    assert process.returncode == 0


@pytest.mark.usefixtures("orphaned")
def test_follow_ends_with_a_runner_that_was_killed(cli: Cli) -> None:
    """Nobody will ever end that run: what there is is shown."""
    run_id = last_run_id()

    done = cli("output", "--follow", run_id)

    assert done.stdout == "==> a.py <==\nfine\n==> slow.py <==\nbegun\n"
    assert done.returncode == 0


@pytest.mark.posix
@posix_signals
def test_follow_ends_quietly_with_ctrl_c(
    cli: Cli, patient: Path, tmp_path: Path
) -> None:
    """The reader leaves with 130 and no words; the run goes on."""
    run_id = last_run_id()

    with started(tmp_path, "output", "-f", run_id, "slow.py") as process:
        assert process.stdout
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)

    assert (rest, errors, process.returncode) == ("", "", 130)
    assert " running " in cli("history", patient).stdout


def a_record(script: str, traceback: str | None = None, *, minute: int = 0) -> str:
    """Return a line of a log."""
    record = LogLine(
        time=datetime(2024, 11, 27, 9, minute).astimezone(),
        level="ERROR" if traceback else "INFO",
        host="LAPTOP",
        run_id="39be3d37aed64",
        minutes=0.08,
        script=script,
        status="failure" if traceback else "success",
        traceback=traceback,
    )
    return format_record(record) + "\n"


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """Return a project with a log and an archive of it."""
    folder = tmp_path / "shop"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "shop.log.2024-11-27_09-10").write_text(
        a_record("main.py", minute=1)
        + a_record("a - b.py", "E: Gone\n\x1b[2J", minute=2),
        "utf-8",
    )
    (folder / "logs" / "shop.log").write_text(
        "no record\n" + a_record("last.py", "E: late", minute=3), "utf-8"
    )
    return folder


def test_logs_are_read_with_their_archives(cli: Cli, logged: Path) -> None:
    """A line a record, its traceback unescaped below, oldest first, nothing harmful."""
    done = cli("logs", logged)

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "2024-11-27 09:01:00  succeeded    0.08 min  main.py  (39be3d37aed64, LAPTOP)",
        "2024-11-27 09:02:00  failed       0.08 min  a - b.py  (39be3d37aed64, LAPTOP)",
        "    E: Gone",
        "2024-11-27 09:03:00  failed       0.08 min  last.py  (39be3d37aed64, LAPTOP)",
        "    E: late",
    ]


@pytest.mark.parametrize(
    ("failures", "text", "minutes"),
    [
        (False, "", [1, 2, 3]),
        (True, "", [2, 3]),
        (False, "e: gONE", [2]),
        (False, "MAIN.PY", [1]),
        (False, "a - b", [2]),
        (False, ".*", []),
        (True, "py", [2, 3]),
    ],
)
def test_a_filter_wants_failures_and_a_text(
    logged: Path, failures: bool, text: str, minutes: list[int]
) -> None:
    """The text is looked for in script and traceback, in any case, as it is."""
    chosen = Filter(failures, text)

    records = read_log(logged / "logs", "shop.log")

    assert [r.time.minute for r in records if chosen.wants(r)] == minutes


def test_logs_of_any_name_are_found(cli: Cli, logged: Path) -> None:
    """A name given to Runner is found; two logs are one story; others are left out."""
    logs = logged / "logs"
    (logs / "night.log").write_text(a_record("night.py", minute=2), "utf-8")
    (logs / "old.log.2024-11-27_09-30").write_text(a_record("old.py"), "utf-8")
    (logs / "server.log").write_text("2024-11-27 - INFO - all is well\n", "utf-8")
    (logs / "notes.txt").write_text(a_record("notes.py"), "utf-8")

    scripts = [
        line.split()[5]
        for line in cli("logs", logged).stdout.splitlines()
        if line[0] != " "
    ]
    assert scripts == ["old.py", "main.py", "night.py", "a", "last.py"]

    for path in logs.glob("shop.log*"):
        path.unlink()
    assert "night.py" in cli("logs", logged, "--grep", "night").stdout


def test_logs_are_narrowed_and_turned(cli: Cli, logged: Path) -> None:
    """The options work together, the newest first; a traceback stays below its line."""
    done = cli("logs", logged, "--failures", "--grep", "E:", "--reverse")

    assert [line[:16].strip() for line in done.stdout.splitlines()] == [
        *("2024-11-27 09:03", "E: late", "2024-11-27 09:02", "E: Gone")
    ]
    nothing = cli("logs", logged, "--grep", "nothing")
    assert (nothing.stdout, nothing.returncode) == ("", 0)


def test_logs_want_a_log(cli: Cli, tmp_path: Path, logged: Path) -> None:
    """No folder, no log, an unreadable one, and contradictions are sentences."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd" / "logs" / "odd.log").mkdir(parents=True)

    assert cli("logs", "nowhere").returncode == 2
    empty = cli("logs", "empty")
    assert empty.returncode == 2
    assert "empty.log does not exist" in empty.stderr
    odd = cli("logs", "odd")
    assert odd.returncode == 2
    assert "cannot be read" in odd.stderr
    assert cli("logs", logged, "--follow", "--reverse").returncode == 2


@pytest.mark.posix
@posix_signals
def test_logs_follow_across_a_rotation(logged: Path, tmp_path: Path) -> None:
    """Each record is shown once; Ctrl-C ends quietly with 130."""
    log = logged / "logs" / "shop.log"

    with started(tmp_path, "logs", "-f", "--grep", "new", logged) as process:
        assert process.stdout
        with log.open("a", encoding="utf-8") as file:
            file.write(a_record("new_1.py", minute=4))
        first = process.stdout.readline()
        log.rename(log.with_name("shop.log.2024-11-30_09-00"))
        log.write_text(a_record("new_2.py", minute=5), "utf-8")
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=30)

    assert "new_1.py" in first
    assert "new_2.py" in second
    assert (rest, errors, process.returncode) == ("", "", 130)


def test_keep_days_of_the_workspace_forgets_what_is_older(
    cli: Cli, store: Store, make_project: MakeProject, tmp_path: Path
) -> None:
    """A command that runs projects forgets old runs of all; without keep_days, none."""
    folder = make_project()
    for digit, days in (("1", 2), ("2", 4)):
        keep(store, digit * 13, folder, Outcome.SUCCESS, ago=timedelta(days=days))
    workspace = tmp_path / "python-runner.toml"

    workspace.write_text('projects = ["project_1"]\n', "utf-8")
    cli("run", "-q")
    assert len(store.runs()) == 3
    workspace.write_text('projects = ["project_1"]\nkeep_days = 3\n', "utf-8")
    cli("run", "-q")

    assert "2" * 13 not in {run.run_id for run in store.runs()}
    assert len(store.runs()) == 3


def test_backup_makes_a_copy_that_can_be_used(
    cli: Cli, store: Store, tmp_path: Path
) -> None:
    """The copy is a whole database; another file is never overwritten."""
    keep(store, "1" * 13, tmp_path, Outcome.SUCCESS)

    done = cli("backup", "copy.db")
    again = cli("backup", "copy.db")

    assert done.returncode == 0
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("SELECT run_id FROM run").fetchall() == [("1" * 13,)]
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert again.returncode == 2
    assert "exists already" in again.stderr
    assert cli("backup", "gone/copy.db").returncode == 2


def test_backup_of_no_records_is_refused(
    cli: Cli, shielded: Path, tmp_path: Path
) -> None:
    """A wrong home must not lead to empty backups, nor to new records."""
    done = cli("backup", "copy.db")

    assert done.returncode == 2
    assert DATABASE_NAME in done.stderr
    assert not (tmp_path / "copy.db").exists()
    assert not shielded.exists()


@pytest.mark.parametrize(
    "arguments",
    [["history"], ["show", "1"], ["mail", "list"], ["run", "--resume", "p"]],
)
def test_records_that_cannot_be_opened_are_a_sentence(
    cli: Cli, shielded: Path, make_project: MakeProject, arguments: list[str]
) -> None:
    """A file in the place of the folder: exit 2, words, and no script is run."""
    folder = make_project("p")
    shielded.write_text("", "utf-8")

    done = cli(*arguments)

    assert done.returncode == 2
    assert str(shielded) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "logs").exists()


def test_damaged_records_are_told(cli: Cli, shielded: Path) -> None:
    """Whoever reads an empty history must know why it is empty."""
    shielded.mkdir()
    (shielded / DATABASE_NAME).write_bytes(b"no database " * 1000)

    done = cli("history")

    assert done.returncode == 0
    assert "damaged" in done.stderr


COUNTED = "open('{name}.count', 'a').write('x')\n"


def counts(folder: Path) -> dict[str, int]:
    """Return how often each script ran."""
    return {p.stem: len(p.read_text("utf-8")) for p in folder.glob("*.count")}


def test_resume_runs_what_did_not_succeed(cli: Cli, make_project: MakeProject) -> None:
    """The last run goes on, as often as it takes; needs that are met stay met."""
    folder = make_project(
        sources={
            "a.py": COUNTED.format(name="a"),
            "b.py": COUNTED.format(name="b") + "assert open('mended')",
            "c.py": COUNTED.format(name="c"),
            "d.py": COUNTED.format(name="d"),
        },
        scripts=[
            "a.py",
            {"path": "b.py", "needs": ["a.py"]},
            {"path": "c.py", "needs": ["a.py", "b.py"]},
            "d.py",
        ],
    )
    assert cli("run", "-q", folder).returncode == 1
    planned = cli("run", "--resume", "--dry-run", folder).stdout
    assert [line.split(",")[0] for line in planned.splitlines()[1:]] == [
        f"  {folder / 'b.py'}",
        f"  {folder / 'c.py'}",
    ]

    still_bad = cli("run", "--resume", "--json", folder)
    (folder / "mended").touch()
    mended = cli("run", "--resume", "--json", folder)

    assert still_bad.returncode == 1
    (run,) = json.loads(mended.stdout)["runs"]
    assert mended.returncode == 0
    assert [script["script"] for script in run["scripts"]] == ["b.py", "c.py"]
    assert counts(folder) == {"a": 1, "b": 3, "c": 1, "d": 1}


def undone(cli: Cli, folder: Path) -> list[str]:
    """Return the scripts that a continuation would run."""
    planned = cli("run", "--resume", "--dry-run", folder).stdout.splitlines()
    return [Path(line.split(",")[0].strip()).name for line in planned[1:]]


def test_resume_knows_all_that_did_not_succeed(
    cli: Cli, make_project: MakeProject
) -> None:
    """Neither a run of other scripts, nor one that failed again, makes them forgotten."""
    sources = {"a.py": GOOD, "b.py": BAD, "c.py": BAD}
    folder = make_project(sources=sources)
    cli("run", "-q", folder)
    assert undone(cli, folder) == ["b.py", "c.py"]

    (folder / "b.py").write_text(GOOD, "utf-8")
    cli("run", "-q", "--only", "b.py", folder)
    assert undone(cli, folder) == ["c.py"]
    cli("run", "-q", "--only", "a.py", folder)
    assert undone(cli, folder) == ["c.py"]
    cli("run", "-q", "--resume", folder)
    assert undone(cli, folder) == ["c.py"]

    # What was added since has not succeeded, and what was taken out is not missed.
    (folder / "d.py").write_text(GOOD, "utf-8")
    make_project(sources={"a.py": GOOD, "b.py": GOOD, "d.py": GOOD})
    done = cli("run", "--resume", "--json", folder)
    (run,) = json.loads(done.stdout)["runs"]
    assert [script["script"] for script in run["scripts"]] == ["d.py"]
    assert "nothing to resume" in cli("run", "--resume", folder).stdout


def test_a_continuation_that_waits_looks_again(
    cli: Cli, patient: Path, tmp_path: Path
) -> None:
    """What the run before it has done meanwhile is not done twice."""
    with started(tmp_path, "run", "--resume", patient) as waiting:
        time.sleep(1.5)
        (patient / "go").touch()
        told, _ = waiting.communicate(timeout=30)

    assert told == "project_1: nothing to resume\n"
    assert waiting.returncode == 0
    assert len(json.loads(cli("history", "--json", patient).stdout)["runs"]) == 1


def test_nothing_to_resume_runs_nothing(cli: Cli, make_project: MakeProject) -> None:
    """A project that never ran, or ran well last, is left alone and no failure."""
    folder = make_project()

    never = cli("run", "--resume", folder)
    assert never.stdout == "project_1: nothing to resume\n"
    assert never.returncode == 0
    cli("run", "-q", folder)
    well = cli("run", "--resume", "--json", folder)
    assert json.loads(well.stdout) == {"runs": []}
    assert "nothing to resume" in well.stderr
    assert well.returncode == 0
    assert cli("run", "--resume", "-q", folder).stdout == ""
    planned = cli("run", "--resume", "--dry-run", folder)
    assert planned.stdout == "project_1: nothing to resume\n"
    assert len(list(folder.glob("logs/runs/*"))) == 1


def test_resume_looks_at_each_project_by_itself(
    cli: Cli, make_project: MakeProject
) -> None:
    """One has work left, one has none, one is broken."""
    for name, source in (("good", GOOD), ("bad", BAD)):
        cli("run", "-q", make_project(name, sources={"main.py": source}))

    done = cli("run", "--resume", "--json", "good", "bad", "nowhere")
    runs = json.loads(done.stdout)["runs"]

    assert done.returncode == 2
    assert [(run["project"], run["status"]) for run in runs] == [
        ("bad", "failure"),
        ("nowhere", "not_started"),
    ]


def test_resume_goes_on_after_a_runner_was_killed(cli: Cli, orphaned: Path) -> None:
    """The killed run is settled, and what it had not done is done now."""
    (orphaned / "go").touch()

    resumed = cli("run", "--resume", "--json", orphaned)
    (run,) = json.loads(resumed.stdout)["runs"]

    assert [script["script"] for script in run["scripts"]] == ["slow.py", "c.py"]
    assert run["status"] == "success"
    _, killed = json.loads(cli("history", "--json", orphaned).stdout)["runs"]
    assert killed["status"] == "interrupted"
    assert [script["status"] for script in killed["scripts"]] == [
        "success",
        "interrupted",
        "skipped",
    ]
    again = cli("run", "--resume", orphaned)
    assert "nothing to resume" in again.stdout
    # The last words of what was interrupted are not lost.
    assert "begun" in cli("output", killed["run_id"], "slow.py").stdout


def test_resume_and_only_exclude_each_other(cli: Cli) -> None:
    """Which scripts run cannot be said twice."""
    done = cli("run", "--resume", "--only", "a.py", "p")

    assert done.returncode == 2
    assert "--only" in done.stderr
