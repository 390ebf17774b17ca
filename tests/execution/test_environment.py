from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.execution.environment import (
    child_environment,
    given_variables,
    output_encoding,
    python_flags,
    script_environment,
    withheld_variables,
)
from python_runner.model import Interpreter


if TYPE_CHECKING:
    from pathlib import Path

PYTHON = Interpreter(path=sys.executable, version=platform.python_version())


def test_fixed_variables() -> None:
    """Colours are for terminals; nothing else is changed for what a script starts."""
    env = child_environment({"FORCE_COLOR": "1", "HOME": "/h"}, {}, run_id="1")
    assert env == {
        "HOME": "/h",
        "NO_COLOR": "1",
        "PYTHON_COLORS": "0",
        "PYTHON_RUNNER_RUN_ID": "1",
    }


def test_user_wins_except_over_the_marker() -> None:
    """What the user configures wins over everything but the marker."""
    extra = {
        "NO_COLOR": "",
        "FORCE_COLOR": "1",
        "A": "2",
        "PYTHON_RUNNER_RUN_ID": "x",
    }
    env = child_environment({"A": "1"}, extra, run_id="1")
    assert env["NO_COLOR"] == ""
    assert env["FORCE_COLOR"] == "1"
    assert env["A"] == "2"
    assert env["PYTHON_RUNNER_RUN_ID"] == "1"


@pytest.mark.parametrize("secret", ["PASSWORD_MAIL", "OAUTH_CLIENT_SECRET"])
def test_secrets_are_not_inherited(secret: str) -> None:
    """The runner's secrets never pass; what the user gives to scripts does."""
    assert secret not in child_environment({secret: "s3cret"}, {}, run_id="1")
    assert child_environment({secret: "a"}, {secret: "b"}, run_id="1")[secret] == "b"


def test_no_variable_carries_an_own_secret_under_another_name() -> None:
    """Neither inherited nor configured: equal to it, or visibly around a long one."""
    base = {"PASSWORD_MAIL": "hunter2secret", "OAUTH_CLIENT_SECRET": "ab", "A": "1"}
    base |= {"COPY": "hunter2secret", "SHORT": "ab", "WORD": "abc"}
    extra = {
        "X": "smtp://me:hunter2secret@h",
        "PASSWORD_MAIL": "hunter2secret",
        "Y": "2",
    }

    env = child_environment(base, extra, run_id="1")
    assert {name for name in env if not name.startswith(("PYTHON", "NO_"))} == {
        "A",
        "WORD",
        "Y",
    }
    assert withheld_variables(base, extra) == ["COPY", "PASSWORD_MAIL", "SHORT", "X"]
    assert withheld_variables(base, {}) == ["COPY", "SHORT"]


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
def test_windows_names_have_no_case() -> None:
    """On Windows, Path and PATH are one variable, and a secret is one in any case."""
    base = {"Path": "1", "Password_Mail": "s3cret"}
    env = child_environment(base, {"path": "2"}, run_id="1")
    assert env["PATH"] == "2"
    assert "s3cret" not in env.values()


def run_script(
    source: str, folder: Path, *flags: str, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a script as a run does, and return what it printed."""
    script = folder / "main.py"
    script.write_text(source, encoding="utf-8")
    base = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    env = child_environment(base | variables, {}, run_id="1")
    return subprocess.run(
        [sys.executable, *python_flags(PYTHON), *flags, str(script)],
        env=script_environment(env, PYTHON),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        encoding="utf-8",
        check=False,
    )


@pytest.mark.parametrize(
    ("variables", "printed"),
    [
        ({"PYTHONUTF8": "1"}, "\u2705 é \\udcff"),
        ({"PYTHONIOENCODING": "ascii"}, "\\u2705 \\xe9 \\udcff"),
        ({"PYTHONIOENCODING": "ascii:surrogateescape"}, "UnicodeEncodeError"),
    ],
)
def test_any_character_can_be_printed(
    tmp_path: Path, variables: dict[str, str], printed: str
) -> None:
    """A script that prints what its encoding lacks does not fail, if nobody wants it."""
    done = run_script(r"print('\u2705 \xe9 \udcff')", tmp_path, **variables)
    assert printed in done.stdout
    assert (done.returncode == 0) == ("Error" not in printed)


@pytest.mark.parametrize("path", [None, "/a" + os.pathsep + "/b"])
def test_the_means_leaves_no_trace(tmp_path: Path, path: str | None) -> None:
    """Neither the script nor what it starts finds the module that lets it print."""
    source = """
import json, os, subprocess, sys
child = "import sys; print(sys.stdout.errors, 'sitecustomize' in sys.modules)"
plain = subprocess.run([sys.executable, "-c", child], capture_output=True, text=True)
print(json.dumps([os.environ.get("PYTHONPATH"), [p for p in sys.path if "startup" in p],
    [p for p in sys.path_importer_cache if "startup" in p],
    [m for m in sys.modules if "python_runner" in m], plain.stdout]))
"""
    variables = {} if path is None else {"PYTHONPATH": path}
    child = "import sys; print(sys.stdout.errors, 'sitecustomize' in sys.modules)"
    plain = subprocess.run(
        [sys.executable, "-c", child], capture_output=True, text=True, check=True
    )
    found = json.loads(run_script(source, tmp_path, **variables).stdout)
    assert found == [path, [], [], [], plain.stdout]


def test_an_own_sitecustomize_is_still_imported(tmp_path: Path) -> None:
    """And its error is told as ever, the script runs all the same."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "sitecustomize.py").write_text("import sys; sys.mine = __file__; 1 / 0")
    source = "import sys; print(sys.mine)"
    done = run_script(source, tmp_path, PYTHONPATH=str(own))
    assert done.stdout.splitlines()[-1] == str(own / "sitecustomize.py")
    assert "ZeroDivisionError" in done.stdout


@pytest.mark.parametrize(
    ("version", "python"),
    [
        *((version, True) for version in ("3.11.9", "3.7.0", "3.15.0a1")),
        *((version, False) for version in ("3.6.15", "2.7.18", None, "odd")),
    ],
)
def test_only_a_python_gets_flags(version: str | None, python: bool) -> None:
    """Another program, and a Python without them, is started as it is."""
    interpreter = Interpreter(path="x", version=version)
    assert python_flags(interpreter) == (("-u", "-X", "faulthandler") if python else ())
    assert bool(script_environment({}, interpreter)) == python


@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({"PYTHONIOENCODING": "latin-1:strict"}, "iso8859-1"),
        ({"PYTHONUTF8": "1"}, "utf-8"),
        ({"PYTHONIOENCODING": ":strict", "PYTHONUTF8": "1"}, "utf-8"),
    ],
)
def test_the_output_has_the_encoding_that_the_variables_say(
    variables: dict[str, str], encoding: str
) -> None:
    """The capture is read as Python wrote it."""
    assert output_encoding(variables) == encoding


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="Windows asks no variables")
@pytest.mark.parametrize(
    ("variables", "encoding"),
    [
        ({"LANG": "fr_FR.ISO-8859-15@euro"}, "iso8859-15"),
        ({"LANG": "fr_FR.UTF-8", "LC_ALL": "ja_JP.SJIS"}, "shift_jis"),
        ({"LANG": "de_DE.ISO-8859-1", "LC_CTYPE": "C.UTF-8"}, "utf-8"),
    ],
)
def test_the_output_has_the_encoding_of_the_scripts_own_locale(
    variables: dict[str, str], encoding: str
) -> None:
    """A project may give its scripts a locale that the runner does not have."""
    assert output_encoding(variables) == encoding


def test_what_a_script_gets_on_another_computer() -> None:
    """What .env and the project give, without mail settings and their secrets."""
    base = {
        "PATH": "/bin",
        "LOGIN_MAIL": "robot@example.org",
        "PASSWORD_MAIL": "hunter2hunter2",
        "SMTP_HOST": "relay",
        "COPY": "hunter2hunter2",
        "REGION": "west",
    }
    extra = {"TOKEN": "mine", "SMTP_PORT": "26", "SMTP_HOST": "relay"}
    names = base.keys() - {"PATH"}

    given = given_variables(base, names, extra)
    # A mail setting of the project's own is none of the runner's.
    assert given == {"REGION": "west", "TOKEN": "mine", "SMTP_PORT": "26"}
