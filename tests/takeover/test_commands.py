"""Each way to start a script, and each sign around it, one line at a time."""

from __future__ import annotations

from typing import Any

import pytest

from python_runner.takeover.configuration import configuration
from tests.takeover.support import here, take_batch, take_shell


pytestmark = pytest.mark.portable("texts are read, and nothing else")


def batch(text: str, *folders: str) -> dict[str, Any]:
    """Return the configuration of a batch file."""
    return configuration(take_batch(text), here(*folders)).keys


def shell(text: str, *folders: str) -> dict[str, Any]:
    """Return the configuration of a shell script."""
    return configuration(take_shell(text), here(*folders)).keys


def notes(text: str, *, windows: bool) -> list[str]:
    """Return what is said of a file."""
    taken = take_batch(text) if windows else take_shell(text)
    return [str(note.sentence()) for note in configuration(taken, here()).notes]


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("python a.py", "python"),
        ("PYTHON.EXE a.py", "PYTHON"),
        ("pythonw a.py", "python"),
        ("python3.12 a.py", "python3.12"),
        ("py a.py", "py"),
        ("py -3 a.py", ["py", "-3"]),
        ("py -3.12 -u a.py", ["py", "-3.12"]),
        ("py -V:3.13 a.py", ["py", "-V:3.13"]),
        ("python -u a.py", "python"),
        ("python -X utf8 a.py", ["python", "-X", "utf8"]),
        ("python -W ignore -u a.py", ["python", "-W", "ignore"]),
        (r"C:\Python311\python.exe a.py", r"C:\Python311\python.exe"),
        (
            r'"C:\Program Files\Python311\python" a.py',
            r"C:\Program Files\Python311\python",
        ),
        ("a.py", None),
        (r".venv\Scripts\python.exe a.py", ".venv/Scripts/python"),
        (r"call .venv\Scripts\activate.bat & python a.py", ".venv/Scripts/python"),
        (r"call .venv\Scripts\activate && python a.py", ".venv/Scripts/python"),
        ("uv run a.py", ["uv", "run", "python"]),
        (
            "uv run --with pandas python a.py",
            ["uv", "run", "--with", "pandas", "python"],
        ),
        ("poetry run python a.py", ["poetry", "run", "python"]),
        ("pipenv run python a.py", ["pipenv", "run", "python"]),
        (
            "conda run -n env1 python a.py",
            ["conda", "run", "--no-capture-output", "-n", "env1", "python"],
        ),
        (
            "call conda activate env1 & python a.py",
            ["conda", "run", "--no-capture-output", "-n", "env1", "python"],
        ),
        (
            r"call C:\tools\miniforge3\Scripts\activate.bat env1 & python a.py",
            r"C:\tools\miniforge3\envs\env1\python.exe",
        ),
    ],
)
def test_interpreters_of_windows(line: str, python: object) -> None:
    """What starts the script is what the configuration starts it with."""
    keys = batch(line)

    assert keys["scripts"] == ["a.py"]
    assert keys["python_command"] == python


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("python3 a.py", "python3"),
        ("/usr/bin/env python3 a.py", "python3"),
        ("/usr/bin/python3.12 -u a.py", "/usr/bin/python3.12"),
        ("venv/bin/python a.py", "venv/bin/python"),
        ("source venv/bin/activate; python a.py", "venv/bin/python"),
        (". ./venv/bin/activate && python a.py", "venv/bin/python"),
        ("exec nice -n 5 python3 a.py", "python3"),
        ("PY=$(command -v python3)\n$PY a.py", "python3"),
        ('PY="venv/bin/python -O"\n$PY a.py', ["venv/bin/python", "-O"]),
        ("poetry run python a.py", ["poetry", "run", "python"]),
        ("bash -c 'python3 a.py'", "python3"),
        ("./a.py", None),
    ],
)
def test_interpreters_of_shells(line: str, python: object) -> None:
    """The same for scripts of POSIX."""
    keys = shell(line)

    assert keys["scripts"] == ["a.py"]
    assert keys["python_command"] == python


@pytest.mark.parametrize("name", [".venv", "venv"])
def test_the_environment_that_is_found_by_default_is_not_named(name: str) -> None:
    """Null goes on working where the folder is moved, and on another system."""
    there = f"{name}/pyvenv.cfg"

    assert batch(rf"{name}\Scripts\python.exe a.py", there)["python_command"] is None
    assert shell(f". {name}/bin/activate\npython a.py", there)["python_command"] is None
    assert shell("uv run a.py", there)["python_command"] is None
    assert batch("poetry run python a.py", there)["python_command"] is None
    # Somebody's own interpreter stays.
    assert (
        batch(r"C:\Py\python.exe a.py", there)["python_command"] == r"C:\Py\python.exe"
    )


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("python a.py\npython b.py", False),
        ("python a.py && python b.py", True),
        ("python a.py & python b.py", False),
        ("python a.py || exit /b 1\npython b.py", True),
        ("python a.py || echo failed\npython b.py", False),
        ("python a.py\nif errorlevel 1 exit /b 1\npython b.py", True),
        ("python a.py\nif %errorlevel% neq 0 goto :eof\npython b.py", True),
        ('python a.py\nif not "%ERRORLEVEL%"=="0" goto ko\npython b.py\n:ko', True),
        ("python a.py\nif errorlevel 1 echo failed\npython b.py", False),
        ("python a.py\nif %errorlevel%==0 python b.py", True),
        ("python a.py\nif not errorlevel 1 (\n  python b.py\n)", True),
        ("python a.py\nif errorlevel 1 (\n  echo no\n) else (\n  python b.py\n)", True),
        (
            "python a.py\nif errorlevel 1 (\n  echo no\n  exit /b 2\n)\npython b.py",
            True,
        ),
    ],
)
def test_checks_of_batch_files(text: str, stops: bool) -> None:
    """What ended the file after a failure ends the series."""
    keys = batch(text)

    assert keys["scripts"] == ["a.py", "b.py"]
    assert keys.get("on_failure", "continue") == ("stop" if stops else "continue")


@pytest.mark.parametrize(
    ("text", "stops"),
    [
        ("python a.py\npython b.py", False),
        ("set -e\npython a.py\npython b.py", True),
        ("set -euo pipefail\npython a.py\npython b.py", True),
        ("#!/bin/sh -e\npython a.py\npython b.py", True),
        ("set -e\npython a.py || true\npython b.py", False),
        ("python a.py && python b.py", True),
        ("python a.py; python b.py", False),
        ("python a.py || exit 1\npython b.py", True),
        ("cd /srv/ventes || exit 1\npython a.py\npython b.py", False),
        ("python a.py\ncd /srv/ventes || exit 1\npython b.py", False),
        ("if ! python a.py; then\n  exit 1\nfi\npython b.py", True),
        ("python a.py\nif [ $? -ne 0 ]; then exit 1; fi\npython b.py", True),
        ("python a.py\nif [ $? -eq 0 ]; then\n python b.py\nfi", True),
        ("python a.py\n[ $? -eq 0 ] || exit 1\npython b.py", True),
        ("python a.py\n[ $? -ne 0 ] && exit 1\npython b.py", True),
        ("python a.py\nrc=$?\n(( rc == 0 )) && python b.py", True),
        ("python a.py; n=$(ls | wc -l)\n[ $n -gt 0 ] && exit 0\npython b.py", False),
        ("set -e\npython a.py; set +e\npython b.py", True),
        ("set -e\nset +e\npython a.py\npython b.py", False),
        ("run() {\n python $1 || return 1\n}\nrun a.py\nrun b.py", False),
        ("set -e\nrun() {\n python $1 || return 1\n}\nrun a.py\nrun b.py", True),
        ("run() {\n python $1 || exit 1\n}\nrun a.py\nrun b.py", True),
        ("(python a.py || exit 1)\npython b.py", False),
    ],
)
def test_checks_of_shell_scripts(text: str, stops: bool) -> None:
    """The same for ``set -e`` and its kin."""
    keys = shell(text)

    assert keys["scripts"] == ["a.py", "b.py"]
    assert keys.get("on_failure", "continue") == ("stop" if stops else "continue")


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ('python a.py "a b" c', ["a b", "c"]),
        (r'python a.py "C:\data\\" x', ["C:\\data\\", "x"]),
        (r"python a.py \"quoted\"", ['"quoted"']),
        ("python a.py a^&b", ["a&b"]),
        ("python a.py ^\n  --x 1", ["--x", "1"]),
        ("python a.py 50%%", ["50%"]),
        ('set "N=été 1"\npython a.py "%N%"', ["été 1"]),
        ("set N=abcdef\npython a.py %N:~0,3%", ["abc"]),
        ("python a.py 2>&1", None),
        ("python a.py 2 > out.txt", ["2"]),
        ('python a.py ""', [""]),
    ],
)
def test_arguments_of_windows(line: str, args: list[str] | None) -> None:
    """They are taken apart as programs of Windows do."""
    entry = "a.py" if args is None else {"path": "a.py", "args": args}

    assert batch(line)["scripts"] == [entry]


@pytest.mark.parametrize(
    ("line", "args"),
    [
        ("python a.py 'a b' c", ["a b", "c"]),
        (r"python a.py a\ b", ["a b"]),
        ("python a.py \\\n  --x 1", ["--x", "1"]),
        ("N='x y'; python a.py \"$N\" ${N}", ["x y", "x", "y"]),
        ('python a.py "${MODE:-daily}"', ["daily"]),
        ("python a.py # a comment", None),
        ("python a.py >/dev/null 2>&1", None),
        ('python a.py "$(dirname "$0")/x.csv"', ["/srv/ventes/x.csv"]),
        ("python a.py ''", [""]),
        ("f() { python \"$@\"; }\nf a.py 'x y' z", ["x y", "z"]),
        ('f() { s=$1; shift; python "$s" "$@"; }\nf a.py "x y"', ["x y"]),
        ("python a.py $'x\\ty'", ["x\ty"]),
        ("python a.py *.csv {1..3} x", ["x"]),
        ("python a.py https://h/?q=1", ["https://h/?q=1"]),
    ],
)
def test_arguments_of_shells(line: str, args: list[str] | None) -> None:
    """They are taken apart as a shell does."""
    entry = "a.py" if args is None else {"path": "a.py", "args": args}

    assert shell(line)["scripts"] == [entry]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for %%f in (*.csv) do python a.py %%f", "line 1: the loop for %%f"),
        ("\nif exist x.txt python a.py", "line 2: the condition if exist x.txt"),
        ("python a.py\npause", "line 2: pause is not needed"),
        ("python a.py > log.txt", "line 1: the output to log.txt"),
        ("python a.py\ntimeout /t 5", "line 2: the wait timeout /t 5"),
        ("set /p X=Which?\npython a.py", "line 1: nobody answers the question"),
        (":top\npython a.py\ngoto top", "line 3: the jump goto top goes back"),
        ("call missing.bat", "line 1: the file missing.bat cannot be read"),
        ("xcopy a b", "line 1: xcopy a b starts no Python script"),
        ("python -m etl.run", "line 1: python -m etl.run starts a module"),
        ("start python a.py", "line 1: start python a.py did not wait"),
    ],
)
def test_what_a_batch_file_does_beside_is_said(text: str, expected: str) -> None:
    """Each with its line, in a sentence."""
    assert any(note.startswith(expected) for note in notes(text, windows=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("for f in *.csv; do\n python a.py $f\ndone", "line 1: the loop for f in"),
        ("\nwhile true; do python a.py; done", "line 2: the loop while true"),
        ("if [ -f x ]; then python a.py; fi", "line 1: the condition if [ -f x ]"),
        ("case $1 in a) python a.py;; esac", "line 1: the condition case"),
        ("sleep 5\npython a.py", "line 1: the wait sleep 5"),
        ("flock -n /tmp/l python a.py", "line 1: flock is no longer needed"),
        ("python a.py < in.txt", "line 1: the standard input is empty"),
        ("python a.py | grep x", "line 1: the output is not piped into grep x"),
        ("sudo -u bob python a.py", "line 1: it ran as the user bob"),
        ("rsync -a x y", "line 1: rsync -a x y starts no Python script"),
        ("python a.py &", "line 1: a.py did not wait"),
        ("trap 'rm x' EXIT", "line 1: trap"),
        ("./missing.sh", "line 1: the file /srv/ventes/missing.sh cannot be read"),
    ],
)
def test_what_a_shell_script_does_beside_is_said(text: str, expected: str) -> None:
    """The same for shells."""
    assert any(note.startswith(expected) for note in notes(text, windows=False))


@pytest.mark.parametrize(
    ("text", "scripts", "condition"),
    [
        ('[ -n "$DEBUG" ] && python debug.py\npython a.py', ["a.py"], "line 1"),
        ("pgrep -f a.py && exit 0\npython a.py", ["a.py"], "line 1"),
        ("python a.py\n[ -f stop ] && exit 0\npython b.py", ["a.py", "b.py"], "line 2"),
        ("grep -q x y || python b.py\npython a.py", ["a.py"], "line 1"),
        ("[ -x a.py ] && python a.py", ["a.py"], ""),
        ("test -d out || mkdir out\npython a.py", ["a.py"], ""),
        ("[ -f v/bin/activate ] && . v/bin/activate\npython a.py", ["a.py"], ""),
    ],
)
def test_conditions_in_lists_of_shells(
    text: str, scripts: list[str], condition: str
) -> None:
    """``&&`` behind a test is an ``if``: its script is left out, its end is not followed."""
    said = [note for note in notes(text, windows=False) if "the condition" in note]

    assert shell(text)["scripts"] == scripts
    assert [note[:6] for note in said] == [condition] * bool(condition)


@pytest.mark.parametrize(
    ("text", "scripts", "condition"),
    [
        ('tasklist | find "x" && exit /b\npython a.py', ["a.py"], "line 1"),
        ('find "x" y && python b.py\npython a.py', ["a.py"], "line 1"),
        (
            'python a.py\nif "%1"=="" goto x\npython b.py\n:x\npython c.py',
            ["a.py", "c.py"],
            "line 2",
        ),
        ("if exist stop goto x\npython a.py\n:x\necho end", ["a.py"], "line 1"),
        (
            "if exist in goto x\necho no\nexit /b 1\n:x\npython a.py",
            ["a.py"],
            "line 1",
        ),
    ],
)
def test_conditions_in_lists_of_batch_files(
    text: str, scripts: list[str], condition: str
) -> None:
    """The same for batch files, and for what a jump passes over."""
    said = [note for note in notes(text, windows=True) if "the condition" in note]

    assert batch(text)["scripts"] == scripts
    assert [note[:6] for note in said] == [condition] * bool(condition)


@pytest.mark.parametrize(
    ("text", "windows", "said"),
    [
        ("python a.py && python b.py\npython c.py", True, ["a.py"]),
        ("python a.py && python b.py\npython c.py", False, ["a.py"]),
        ("if python a.py; then python b.py; fi; python c.py", False, ["a.py"]),
        ("python a.py\nif not errorlevel 1 python b.py\npython c.py", True, ["a.py"]),
        ("(python a.py || exit 1; python b.py); python c.py", False, ["a.py"]),
        (
            "call :l\npython c.py\ngoto :eof\n:l\npython a.py || exit /b\npython b.py",
            True,
            ["a.py"],
        ),
        ("python a.py && python b.py", True, []),
        ("python a.py && python b.py || exit 1\npython c.py", False, []),
        ("python a.py && python b.py || exit /b 1\npython c.py", True, []),
    ],
)
def test_what_ran_after_a_failure_and_no_longer_does_is_said(
    text: str, windows: bool, said: list[str]
) -> None:
    """``on_failure`` stops all that follows, where less depended on the script."""
    found = [
        note.split("failure of ")[1].split(" ")[0]
        for note in notes(text, windows=windows)
        if "only what depended on it" in note
    ]

    assert found == said


def test_what_leaves_a_shell_ends_the_reading() -> None:
    """Behind ``exec`` and ``exit`` stands nothing that ran; a part of its own goes on."""
    assert shell("exec python a.py\npython b.py")["scripts"] == ["a.py"]
    assert shell("(python a.py; exit 1)\npython b.py")["scripts"] == ["a.py", "b.py"]
    assert shell("exec 9>lock\npython a.py")["scripts"] == ["a.py"]
    assert shell("f() { python a.py; return; python x.py; }\nf\npython b.py")[
        "scripts"
    ] == ["a.py", "b.py"]
    assert shell("! python a.py")["scripts"] == ["a.py"]


def test_folders_that_are_left_again() -> None:
    """``cd -`` and drives lead to where the next script is looked for."""
    assert shell("cd sub\ncd - >/dev/null\npython a.py")["scripts"] == ["a.py"]
    own = 'D="$( cd "$( dirname "${BASH_SOURCE[0]}" )" &> /dev/null && pwd )"\n'
    assert shell(own + 'python "$D/a.py"')["scripts"] == ["a.py"]
    assert batch("%~d0\ncd %~dp0\npython a.py")["scripts"] == ["a.py"]
    taken = take_batch("Z:\ncd \\Jobs\npython a.py\nC:\npython b.py")
    assert [call.folder for call in taken.calls] == ["Z:\\Jobs", "C:\\"]
    assert not taken.notes


@pytest.mark.parametrize("windows", [True, False])
def test_a_secret_of_the_file_is_written_and_told_nowhere(windows: bool) -> None:
    """Neither as a plain argument, nor in a command that is not carried over."""
    start = "set DB_PWD=S3cr3t!" if windows else "DB_PWD='S3cr3t!'"
    text = (
        start
        + r"""
python a.py -p S3cr3t! x
tool S3cr3t! y
net use Z: \\nas\data 0th3r! /user:ann
curl -u ann:0th3r! x
mysqldump -u root -p0th3r! db
tool --password 0th3r!
python -m etl --api-key=0th3r!
"""
    )
    told = repr((batch if windows else shell)(text)) + repr(
        notes(text, windows=windows)
    )

    assert "S3cr3t" not in told
    assert "0th3r" not in told
    assert "'-p', 'x'" in told


def test_a_script_in_a_condition_is_left_out_and_said() -> None:
    """To run it always could do harm that the condition kept away."""
    keys = batch('python a.py\nif "%1"=="all" (\n  python purge.py\n)')

    assert keys["scripts"] == ["a.py"]


def test_variables_that_the_file_uses_itself_stay_in_it() -> None:
    """Those that it only sets are for the scripts."""
    keys = batch("set LOG=x.log\nset STAGE=prod\npython a.py >> %LOG%")

    assert keys["env"] == {"STAGE": "prod"}


def test_what_a_shell_does_not_export_stays_in_it() -> None:
    """A plain assignment reaches no script, one in front of a command reaches that one."""
    keys = shell("A=1\nexport B=2\nC=3 python a.py\npython b.py")

    assert keys["env"] == {"B": "2"}
    assert keys["scripts"] == [{"path": "a.py", "env": {"C": "3"}}, "b.py"]


def test_files_are_followed_to_a_bounded_depth() -> None:
    """One that calls itself, or many that call each other, end."""
    text = "\n".join(f"call :l{n}\n:l{n}" for n in range(200))

    assert batch("call appelle.bat")["scripts"][-1] == "fin.py"
    assert batch(f"{text}\npython a.py")["scripts"]


def test_a_limit_becomes_a_timeout() -> None:
    """Of one script, or of all alike."""
    assert shell("timeout 90s python a.py")["timeout"] == "90s"
    keys = shell("timeout 2h python a.py\npython b.py")
    assert keys["scripts"] == [{"path": "a.py", "timeout": "2h"}, "b.py"]


def test_a_lock_that_waits_is_kept_as_overlap() -> None:
    """And one that gives up is what a second run does anyway."""
    assert shell("flock /tmp/l python a.py")["overlap"] == "wait"
    assert "overlap" not in shell("flock -n /tmp/l python a.py")
