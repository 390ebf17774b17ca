from __future__ import annotations

import signal
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Outcome,
)
from tests.support import (
    BAD,
    GENEROUS,
    GOOD,
    SERIES,
    Cli,
    MakeProject,
    keep,
    last_run_id,
    started,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store


posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


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

    # A line that is no UTF-8 is in the locale's encoding: cp1252 on this Windows.
    line = "Ã©té ÿ" if sys.platform == "win32" else "ét\\xe9 \\xff"
    assert alone.stdout == f"{line}\n\x1b[31mred\x1b[0m"
    assert alone.returncode == whole.returncode == 0
    assert whole.stdout == (f"==> a.py <==\n{alone.stdout}\n==> b.py <==\nsecond\n")


def test_a_progress_bar_is_shown_as_it_ended(
    cli: Cli, make_project: MakeProject
) -> None:
    """On the terminal, in records and reports; the file holds all that was written."""
    bar = "for n in range(300): print(f'\\r{n} %', end='')\nimport sys; sys.exit(1)"
    folder = make_project(sources={"main.py": bar})
    run = cli("run", "-v", folder)

    shown = cli("output", last_run_id()).stdout

    assert shown == "299 %"
    (file,) = folder.glob("logs/runs/*/01_main.py.log")
    assert file.read_bytes().count(b"\r") == 300
    for told in (run.stdout + run.stderr, cli("show", last_run_id()).stdout):
        assert "299 %" in told
        assert "298 %" not in told


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
    assert "p has no script x.py; its series contains 1.py" in unknown.stderr


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
        rest, errors = process.communicate(timeout=GENEROUS)

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
        rest, errors = process.communicate(timeout=GENEROUS)

    assert (rest, errors, process.returncode) == ("", "", 130)
    assert " running " in cli("history", patient).stdout


def test_a_silent_script_is_told_apart_from_no_answer(
    cli: Cli, make_project: MakeProject
) -> None:
    """Nothing on stdout, where programs read, and a sentence beside it."""
    folder = make_project(sources={"a.py": "", "b.py": GOOD, "c.py": ""})
    assert cli("run", folder).returncode == 0

    one = cli("output", folder, "a.py")
    every = cli("output", folder)

    assert (one.stdout, one.returncode) == ("", 0)
    assert one.stderr == "a.py printed nothing.\n"
    assert every.stderr == "a.py printed nothing.\nc.py printed nothing.\n"
    assert every.stdout.count("==> ") == 3


def test_further_attempts_begin_in_the_readers_language(
    cli: Cli, make_project: MakeProject
) -> None:
    """Also where the output is shown as it comes."""
    folder = make_project(sources={"a.py": BAD}, retries=1, retry_delay="1s")
    verbose = cli("run", "-v", folder, LANGUAGE="fr").stdout

    for text in (verbose, cli("output", folder, LANGUAGE="fr").stdout):
        assert "--- tentative 2 sur 2 ---\n" in text
    assert "--- attempt 2 of 2 ---\n" in cli("output", folder).stdout
