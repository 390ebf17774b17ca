from __future__ import annotations

import os
import subprocess
import sys

import pytest

from python_runner.execution.environment import child_environment, withheld_variables


def test_fixed_variables() -> None:
    """Encoding, buffering, crash reports and colours are the same for every script."""
    env = child_environment({"FORCE_COLOR": "1", "HOME": "/h"}, {}, run_id="1")
    assert env == {
        "HOME": "/h",
        "PYTHONIOENCODING": "utf-8:backslashreplace",
        "PYTHONUNBUFFERED": "1",
        "PYTHONFAULTHANDLER": "1",
        "NO_COLOR": "1",
        "PYTHON_COLORS": "0",
        "PYTHON_RUNNER_RUN_ID": "1",
    }


def test_user_wins_except_over_the_marker() -> None:
    """What the user configures wins over everything but the marker."""
    extra = {
        "PYTHONUNBUFFERED": "",
        "FORCE_COLOR": "1",
        "A": "2",
        "PYTHON_RUNNER_RUN_ID": "x",
    }
    env = child_environment({"A": "1"}, extra, run_id="1")
    assert env["PYTHONUNBUFFERED"] == ""
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


def test_any_character_can_be_printed() -> None:
    """A script that prints what the system's code page lacks does not fail."""
    env = child_environment({**os.environ, "PYTHONUTF8": "0"}, {}, run_id="1")
    done = subprocess.run(
        [sys.executable, "-c", r"print('\u2705 \udcff')"],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.stdout.rstrip() == "✅ \\udcff".encode()
