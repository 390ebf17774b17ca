from __future__ import annotations

import json
import platform
import re
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Attempt,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.texts.sentence import Sentence
from tests.support import (
    BAD,
    SERIES,
    TODAY,
    Cli,
    MakeProject,
    keep,
    last_run_id,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.records.store import Store


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

    run_id = last_run_id()
    shown = cli("show", "-v", run_id[:6].upper()).stdout
    blocks = shown.split("\n\n")

    assert "1 succeeded, 1 failed, 1 skipped" in blocks[0]
    assert str(folder) in blocks[0]
    version = f"(Python {platform.python_version()})"
    assert f"interpreter: {sys.executable} {version}" in blocks[0]
    table = [re.split(" {2,}", line.strip()) for line in blocks[1].splitlines()]
    assert [[row[0], row[1], *row[-2:]] for row in table] == [
        ["✓", "first.py", table[0][2], "succeeded"],
        ["✗", "bad.py", "failed", "KeyError: 'montant'"],
        [
            *("○", "last.py", "skipped"),
            "it needs bad.py, which did not succeed",
        ],
    ]
    assert re.match(
        r"✓ 1\. first\.py: succeeded \(\d\.\d+ s, exit code 0\)\n", blocks[2]
    )
    assert re.match(
        r"✗ 2\. bad\.py: failed \(\d\.\d+ s, exit code 1\)\n"
        r"    KeyError: 'montant'\n    at bad\.py:2\n",
        blocks[3],
    )
    assert re.search(
        r"attempt 2: failed \(\d\.\d+ s\) - KeyError: 'montant'", blocks[3]
    )
    assert "      KeyError: 'montant'\n" in blocks[3]
    assert "02_bad.py.log" in blocks[3]
    # A Job Object under wine counts no memory; Windows itself does.
    memory = r"(peak memory \d+ MB, )" + ("?" if sys.platform == "win32" else "")
    used = rf"\n    {memory}processor time \d+\.\d+ s\n"
    assert re.search(used, blocks[2])
    assert blocks[4] == (
        "○ 3. last.py: skipped\n    it needs bad.py, which did not succeed\n"
    )


def test_show_is_brief(cli: Cli, make_project: MakeProject) -> None:
    """Without -v a script is one line; what failed is told in full, exception first."""
    sources = {f"good_{n}.py": "pass" for n in range(5)} | {"bad.py": BAD}
    cli("run", "--quiet", make_project(sources=sources))

    head, table, failure = cli("show").stdout.split("\n\n")

    assert "interpreter" not in head
    assert len(table.splitlines()) == 6
    lines = failure.splitlines()
    assert re.match(r"✗ 6\. bad\.py: failed \(\d\.\d+ s\)$", lines[0])
    assert lines[1:3] == ["    KeyError: 'montant'", "    at bad.py:2"]
    assert lines[-1].startswith("    output: ")
    assert lines[-1].endswith(f" output {last_run_id()[:7]} bad.py")
    assert "exit code" not in failure
    assert "memory" not in failure


def test_the_command_for_the_output_reads_the_same_records(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """What ``show --env-file`` says to type finds the run as well."""
    home = tmp_path / "elsewhere"
    (tmp_path / "my env").write_text(f"PYTHON_RUNNER_HOME={home}\n", "utf-8")
    folder = make_project(sources={"bad.py": BAD})
    cli("run", "--quiet", folder, "--env-file", "my env", PYTHON_RUNNER_HOME="")

    done = cli("show", "--env-file", "my env", PYTHON_RUNNER_HOME="")

    words = shlex.split(done.stdout.splitlines()[-1])
    start = words.index("output")
    assert words[start : start + 3] == ["output", "--env-file", "my env"]
    assert cli(*words[start:], PYTHON_RUNNER_HOME="").returncode == 0


def test_what_is_shown_can_be_typed(cli: Cli, make_project: MakeProject) -> None:
    """The line that leads to a failure's output does, whatever the script is called."""
    cli("run", "--quiet", make_project(sources={"my script.py": "print('x'); 1/0"}))

    words = shlex.split(cli("show").stdout.splitlines()[-1])
    done = cli(*words[words.index("output") :])

    assert done.stdout.startswith("x\n")


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
        started_at=TODAY,
        duration=0.0,
        error=Sentence.of("the interpreter\nis gone"),
        warnings=(Sentence.of("the disk is full"),),
    )
    store.end_run(run, [], TODAY)

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
        started_at=TODAY,
        duration=60.0,
        reason=Sentence.of("stopped after 60 s"),
        traceback=Traceback(text="in a library\n\x1b[2JE: gone", exception="E: gone"),
    )
    result = ScriptResult(
        script="a.py",
        run_id="1" * 13,
        number=1,
        outcome=Outcome.TIMEOUT,
        started_at=TODAY,
        duration=60.0,
        attempts=(attempt,),
        reason=attempt.reason,
    )
    run = Run(
        run_id="1" * 13,
        project="p",
        path=tmp_path,
        status=RunStatus.FAILURE,
        started_at=TODAY,
        duration=60.0,
        scripts=(result,),
    )
    store.end_run(run, [], TODAY)

    shown = cli("show", "1").stdout.split("\n\n")

    assert "interpreter" not in shown[0]
    assert shown[2] == (
        "✗ 1. a.py: timed out (1 min)\n    stopped after 60 s\n"
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
        OpenRun(
            run_id="d" * 13,
            project="p",
            path=tmp_path,
            started_at=TODAY,
            scripts=(OpenScript(script="a.py", number=1),),
        )
    )

    for prefix in ("c", "no-hex", "ab11111111111f", ""):
        done = cli("show", prefix)
        assert done.returncode == 2
        assert f"'{prefix}' is not a folder, and no run has an id that" in done.stderr
    several = cli("show", "ab")
    assert several.returncode == 2
    assert "begins with ab: ab11111111111, ab22222222222\n" in several.stderr
    dead = cli("show", "d")
    assert dead.returncode == 0
    assert "was interrupted: its runner was killed" in dead.stdout
    assert "run --resume" in dead.stdout
    page = cli("show", "d", "--html", "page.html")
    assert page.returncode == 0
    assert "is no longer alive" in (tmp_path / "page.html").read_text("utf-8")
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
    assert not re.search(r'src=|href="(?!#)|@import|url\(', text)
    assert [path.name for path in tmp_path.glob("*run.html*")] == ["run.html"]
    both = cli("show", run_id, "--json", "--html", page)
    assert json.loads(both.stdout)["runs"][0]["run_id"] == run_id


@pytest.mark.skipif(sys.platform == "win32", reason="BROWSER is for POSIX")
def test_show_opens_the_page(
    cli: Cli, make_project: MakeProject, shielded: Path, tmp_path: Path
) -> None:
    """Without --html it lies in the state folder, one for all; a browser is no must."""
    cli("run", "-q", make_project())

    own = cli("show", "--open", BROWSER="echo opened %s")
    named = cli("show", "--open", "--html", "p.html", BROWSER="echo opened %s")

    assert f"opened file://{shielded / 'run.html'}\n" in own.stdout
    assert f"opened file://{tmp_path / 'p.html'}\n" in named.stdout
    none = cli("show", "--open", BROWSER="false %s", PATH="")
    assert none.returncode == 0
    assert "no web browser" in none.stderr


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


@pytest.mark.parametrize("name", ["", ".", "..", "/"])
def test_a_page_needs_a_file(
    cli: Cli, make_project: MakeProject, tmp_path: Path, name: str
) -> None:
    """What names no file is a usage error, and nothing is written."""
    cli("run", "-q", make_project())
    before = sorted(tmp_path.iterdir())

    done = cli("show", last_run_id(), "--html", name)

    assert done.returncode == 2
    assert "--html" in done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(tmp_path.iterdir()) == before
