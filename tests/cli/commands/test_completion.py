from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import click
import pytest
from click.shell_completion import CompletionItem, ShellComplete

from python_runner.cli import candidates
from python_runner.cli.app import COMMANDS, make_app
from python_runner.cli.powershell import split_line
from python_runner.model import Message, OpenRun, OpenScript, Outcome
from python_runner.records.store import DATABASE_NAME, Store
from tests.support import COMMAND, GENEROUS, GOOD, TODAY, Cli, MakeProject, keep


if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_for_each_shell(cli: Cli, shell: str) -> None:
    """Each script names the command and the variable that drives it."""
    done = cli("completion", shell)

    assert done.returncode == 0
    assert "_PYTHON_RUNNER_COMPLETE" in done.stdout


def test_completion_says_what_zsh_needs(cli: Cli) -> None:
    """Without compinit its script fails; the help has the line that is missing."""
    text = " ".join(cli("completion", "--help").stdout.split())

    assert "autoload -Uz compinit && compinit" in text


def test_completion_completes(cli: Cli) -> None:
    """The variable makes the command print its sub-commands."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="bash_complete",
        COMP_WORDS="python-runner ",
        COMP_CWORD="1",
    )

    assert "plain,run" in done.stdout
    assert "plain,check" in done.stdout


def test_every_command_is_completed() -> None:
    """Those that there are, and the commands in them, with the line of the help page."""
    app = make_app()

    assert [item.value for item in items("")] == list(COMMANDS)
    assert all(item.help for item in items(""))
    for name in COMMANDS:
        command = app.get_command(click.Context(app), name)
        inner = getattr(command, "commands", {})
        if inner:
            assert completed(name, "") == sorted(inner)
        assert command
        for option in command.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert set(option.opts) & set(completed(name, option.opts[-1]))


@pytest.mark.parametrize("command", ["show", "output", "run", "logs", "stop"])
def test_completion_of_folders(cli: Cli, command: str, shielded: Path) -> None:
    """Where no project is known the shell completes folders; no records are made."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="bash_complete",
        COMP_WORDS=f"python-runner {command} pro",
        COMP_CWORD="2",
    )

    assert done.stdout == "dir,pro\n"
    assert not shielded.exists()


def items(*arguments: str) -> list[CompletionItem]:
    """Return what is completed at the end of a line."""
    shell = ShellComplete(make_app(), {}, "python-runner", "_X")
    *before, incomplete = arguments
    return shell.get_completions(before, incomplete)


def completed(*arguments: str) -> list[str]:
    """Return the values that are completed; of folders those that the shell completes."""
    return [
        f"{i.type}:{i.value}" if i.type == "dir" else i.value for i in items(*arguments)
    ]


@pytest.fixture
def here(
    make_project: MakeProject,
    store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Path:
    """Return the current folder: two projects, one of which has run, and others."""
    monkeypatch.chdir(tmp_path)
    sales = make_project("sales", {"load.py": GOOD, "mail.py": GOOD})
    make_project("with space", {"a.py": GOOD})
    make_project("shop/stock", {"count.py": GOOD})
    (tmp_path / "shared").mkdir()
    keep(store, "abcdef0111111", sales, Outcome.SUCCESS, Outcome.FAILURE)
    keep(store, "abcdef0222222", sales, Outcome.SUCCESS)
    keep(store, "1234567890abc", tmp_path / "gone", Outcome.SUCCESS)
    return tmp_path


def test_projects_are_completed(here: Path) -> None:
    """Those below what is typed; what wants quotes is left to the shell."""
    for command in ("run", "check", "status", "history", "logs"):
        assert completed(command, "s") == ["sales"]
        assert completed(command, "shop/") == ["shop/stock"]
        assert completed(command, "shar") == ["dir:shar"]
        assert completed(command, "with") == ["dir:with"]
    assert completed("run", "sales", "") == ["sales"]
    assert completed("logs", f"{here}/sa") == [f"{here}/sales"]
    (here / "python-runner.toml").write_text('projects = ["shop/*"]', "utf-8")
    assert completed("run", "") == ["sales", "shop/stock"]


@pytest.mark.usefixtures("here")
def test_runs_and_their_scripts_are_completed() -> None:
    """By ids that are unique, newest first, with what tells them apart."""
    assert completed("show", "") == ["sales", "1234567", "abcdef02", "abcdef01"]
    assert completed("show", "abc") == ["abcdef02", "abcdef01"]
    assert completed("output", "1234567890") == ["1234567890abc"]
    remark = items("show", "abcdef01")[0].help
    assert remark
    assert remark.startswith("sales failed ")
    assert completed("output", "abcdef01", "") == ["1.py", "2.py"]
    assert completed("output", "sales", "") == ["1.py"]
    assert completed("output", "abcdef01", "2") == ["2.py"]
    assert completed("output", "nothing", "") == []


@pytest.mark.usefixtures("here")
def test_scripts_of_a_series_are_completed() -> None:
    """Of the projects that are named, else of those of python-runner.toml."""
    assert completed("run", "sales", "--only", "") == ["load.py", "mail.py"]
    assert completed("run", "--only", "load.py", "sales", "--only", "m") == ["mail.py"]
    assert completed("run", "--only", "") == []


@pytest.mark.usefixtures("here")
def test_reports_are_completed(store: Store, message: Message) -> None:
    """`mail show` gets all of them, `mail drop` those that can be dropped."""
    run = store.run("1234567890abc")
    assert run
    store.end_run(run, [message], TODAY)
    [queued] = store.messages.newest()

    assert completed("mail", "show", "") == [str(queued.number)]
    assert items("mail", "show", "")[0].help == "test"
    assert completed("mail", "drop", "") == [str(queued.number)]
    store.messages.drop(queued.number)
    assert completed("mail", "drop", "") == []


def test_stop_completes_what_is_active(patient: Path, store: Store) -> None:
    """A run whose runner is gone is none that can be stopped."""
    gone = OpenRun(
        run_id="1" * 13,
        project="p",
        path=patient.parent / "p",
        started_at=TODAY,
        scripts=(OpenScript(script="a.py", number=1),),
    )
    store.begin_run(gone)
    before = os.getcwd()  # noqa: PTH109
    os.chdir(patient.parent)
    try:
        assert completed("stop", "") == [patient.name]
    finally:
        os.chdir(before)


def test_nothing_that_goes_wrong_is_told(
    here: Path, shielded: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Broken files complete nothing, are left as they are, and say nothing."""
    (shielded / DATABASE_NAME).write_bytes(b"no database " * 1000)
    (here / "python-runner.toml").write_text("[", "utf-8")
    (here / "sales" / "exec_config.json").write_text("{", "utf-8")
    before = sorted(path.name for path in shielded.iterdir())

    assert completed("show", "a") == ["dir:a"]
    assert completed("output", "a", "") == []
    assert completed("run", "sales", "--only", "") == []
    assert completed("mail", "show", "") == []
    assert sorted(path.name for path in shielded.iterdir()) == before
    assert capfd.readouterr() == ("", "")


def test_an_answer_does_not_keep_the_shell_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What was found in time is offered."""
    monkeypatch.setattr(candidates, "_PATIENCE", 0.1)

    def slow(*_: object) -> object:
        yield "quick", ""
        time.sleep(2 * GENEROUS)
        yield "late", ""

    began = time.monotonic()
    found = candidates.completer(slow)(None, None, "")  # type: ignore[arg-type]

    assert [item.value for item in found] == ["quick"]
    assert time.monotonic() - began < GENEROUS


#: How each shell is asked what it offers for a line, after its script was sourced; the line
#: is in the variable LINE, and one candidate a line comes back, maybe with a remark.
#: zsh offers only at a prompt, so a zsh in a terminal of its own is typed to.
ASKS = {
    "bash": r"""
shopt -s extglob
eval "$(python-runner completion bash)"
read -ra COMP_WORDS <<< "$LINE"; [[ $LINE == *' ' ]] && COMP_WORDS+=("")
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$LINE COMP_POINT=${#LINE} COMPREPLY=()
compopt() { :; }
spec=$(complete -p python-runner); [[ $spec =~ -F\ ([^\ ]+) ]]
"${BASH_REMATCH[1]}" python-runner "${COMP_WORDS[-1]}"; printf '%s\n' "${COMPREPLY[@]}"
""",
    "fish": r"""
python-runner completion fish | source
complete --do-complete "$LINE"
""",
    "zsh": r"""
zmodload zsh/zpty
zpty -b inner zsh -f -i
zpty -w inner "PROMPT=; stty rows 60 columns 200; autoload -Uz compinit; compinit -u -D"
zpty -w inner 'eval "$(python-runner completion zsh)"'
zpty -w inner "comppostfuncs=(); zstyle ':completion:*' list-prompt ''"
zpty -w inner "bindkey '^I' list-choices; LISTMAX=9999; print READY''NOW"
zpty -r inner answer '*READYNOW*'
zpty -w -n inner "$LINE"$'\t'
zpty -r -m inner answer "$OFFERED"
print -r -- "$answer"
""",
}


@pytest.fixture
def on_path(here: Path) -> str:
    """Return a PATH on which the command is found by its name."""
    folder = here / "bin"
    folder.mkdir()
    program = folder / "python-runner"
    words = " ".join(f"'{word}'" for word in COMMAND)
    program.write_text(f'#!/bin/sh\nexec {words} "$@"\n')
    program.chmod(0o755)
    return f"{folder}:{os.environ['PATH']}"


@pytest.mark.posix
@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("python-runner ch", {"check"}),
        ("python-runner mail lo", {"login", "logout"}),
        ("python-runner run --no-", {"--no-mail"}),
        ("python-runner show abc", {"abcdef01", "abcdef02"}),
        ("python-runner output abcdef01 ", {"1.py", "2.py"}),
        ("python-runner run sales --only ", {"load.py", "mail.py"}),
    ],
)
@pytest.mark.parametrize("shell", ASKS)
def test_a_real_shell_completes(
    shell: str, line: str, offered: set[str], here: Path, on_path: str
) -> None:
    """It sources our script and offers these, of all that could follow, and no other."""
    if not shutil.which(shell):
        if os.environ.get("CI") and sys.platform == "linux":
            pytest.fail(f"CI needs {shell}")
        pytest.skip(f"needs {shell}")
    if shell == "bash" and sys.platform == "darwin":
        pytest.skip("the bash of macOS is of 2007")
    quiet = {"bash": ["--norc"], "fish": ["--no-config"], "zsh": ["-f"]}[shell]
    in_any_order = "|".join(map("*".join, itertools.permutations(offered)))
    variables = {"PATH": on_path, "LINE": line, "HOME": str(here)}
    variables |= {"OFFERED": f"*({in_any_order})*"}

    done = subprocess.run(
        [shell, *quiet, "-c", ASKS[shell]],
        env=os.environ | variables | {"TERM": "xterm"},
        cwd=here,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=GENEROUS,
        check=False,
    )

    assert done.stderr == ""
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", done.stdout)
    if shell == "zsh":
        # What was typed is shown as well.
        shown = shown.partition(line.rstrip())[2]
        words = set(shown.split())
        assert offered <= words
        assert not words & {"run", "init", "--json", "1234567"}
    else:
        assert {row.split("\t")[0] for row in shown.splitlines()} == offered


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("python-runner run", ["python-runner", "run"]),
        (r"python-runner run .\sal", ["python-runner", "run", r".\sal"]),
        (r"x C:\Scripts\new", ["x", r"C:\Scripts\new"]),
        ("x 'a b' \"c d\"", ["x", "a b", "c d"]),
        ("x 'it''s' \"a `\"b`\" c\"", ["x", "it's", 'a "b" c']),
        ('x "two""quotes"', ["x", 'two"quotes']),
        (r"x 'C:\two words\pro", ["x", r"C:\two words\pro"]),
        ("x a`  b", ["x", "a ", "b"]),
        (r"x .\'two words'\c", ["x", r".\two words\c"]),
        ("x ''", ["x", ""]),
        ("", []),
    ],
)
def test_the_words_of_powershell(line: str, words: list[str]) -> None:
    """A backslash belongs to a path, and what quotes hold is one word."""
    assert split_line(line) == words


@pytest.mark.parametrize(
    ("line", "number", "offered"),
    [
        ("python-runner ch", 1, ["check"]),
        ("python-runner show abc", 2, ["abcdef02", "abcdef01"]),
        ("python-runner output abcdef01", 3, ["1.py", "2.py"]),
        ("python-runner run sales --only ma", 4, ["mail.py"]),
        ("python-runner run 'sales' --only", 4, ["load.py", "mail.py"]),
    ],
)
@pytest.mark.usefixtures("here")
def test_powershell_is_answered(
    line: str, number: int, offered: list[str], cli: Cli
) -> None:
    """By three lines for each candidate, as its script reads them: kind, value, remark."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="powershell_complete",
        COMP_WORDS=line,
        COMP_CWORD=str(number),
    )

    lines = done.stdout.splitlines()
    assert len(lines) % 3 == 0
    assert lines[1::3] == offered
    assert set(lines[::3]) == {"plain"}
    assert all(lines[2::3])
    assert done.stderr == ""


@pytest.mark.usefixtures("here")
def test_powershell_completes_below_a_backslash(cli: Cli) -> None:
    """A path as Windows writes it reaches the command with what separates its parts."""
    done = cli(
        _PYTHON_RUNNER_COMPLETE="powershell_complete",
        COMP_WORDS=r"python-runner run shop\st",
        COMP_CWORD="2",
    )

    value = r"shop\stock" if sys.platform == "win32" else r"shop\st"
    assert done.stdout.splitlines()[1] == value


def test_the_script_of_powershell_asks_as_it_is_answered(cli: Cli) -> None:
    """It names the command and sets the variables that the answer is made of."""
    script = cli("completion", "powershell").stdout

    assert "Register-ArgumentCompleter -Native -CommandName python-runner" in script
    for name in ("_PYTHON_RUNNER_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        assert f"$env:{name} = " in script
    assert "'powershell_complete'" in script
    assert script.count("{") == script.count("}")
