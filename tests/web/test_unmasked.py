"""An output that its runner has not masked yet is shown only to who knows the same secrets."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from python_runner.masking import MASK
from python_runner.records.read_only import open_reader
from python_runner.web.reading.unmasked import unknown_variables
from tests.support import wait_until
from tests.web.test_pages import first_line, told


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.web.asking import Dashboard

SECRET = "hunter2-of-the-day"
#: Prints what it was given, and ends when it is told to.
PRINTS = """
import os, time
from pathlib import Path

print("the token is", os.environ["API_TOKEN"], flush=True)
Path("printed").touch()
while not Path("end").exists():
    time.sleep(0.02)
"""


@contextmanager
def being_run(
    dashboard: Dashboard, path: Path, environ: Mapping[str, str]
) -> Iterator[str]:
    """Let a process run a project until its script has printed, and yield the run's id."""
    path.joinpath("1.py").write_text(PRINTS, encoding="utf-8")
    none = dashboard.folder / "none.env"
    none.touch()
    command = [sys.executable, "-m", "python_runner", "run", str(path), "--no-mail"]
    home = {"PYTHON_RUNNER_HOME": str(dashboard.home)}
    with subprocess.Popen(
        [*command, "--env-file", str(none)],
        env=os.environ | environ | home,
        cwd=dashboard.folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_until(path.joinpath("printed").exists)
            store, database = open_reader(dashboard.home)
            (run,) = store.open_runs()
            database.close()
            yield run.run_id
        finally:
            path.joinpath("end").touch()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def asked(dashboard: Dashboard, run_id: str) -> dict[str, tuple[int, str]]:
    """Return what each page says that could show the output."""
    run = f"/r/{run_id}"
    addresses = (run, f"{run}/1", f"{run}/1.txt", f"{run}/1/part", "/search?q=token+is")
    answers = {address: dashboard.ask(address) for address in addresses}
    return {a.removeprefix(run): (x.status, x.text) for a, x in answers.items()}


@pytest.mark.slow
@pytest.mark.fault(
    "secrets",
    "A script prints a secret of a variable that the dashboard does not know",
    "Its output is not shown while it runs; at its end it is, without the secret.",
)
@pytest.mark.parametrize("where", ["given to the runner", "in a file that is gone"])
def test_what_only_the_runner_knows_is_not_shown(
    dashboard: Dashboard, where: str
) -> None:
    """Not before the script ends, and the page says why; then it is shown, masked."""
    environ, extra = {"API_TOKEN": SECRET}, ""
    if where != "given to the runner":
        environ, extra = {}, ', "env_file": "own.env"'
    path = dashboard.project("p", extra=extra)
    own = path / "own.env"
    own.write_text(f"API_TOKEN={SECRET}\n", encoding="utf-8")
    own.chmod(0o600)
    with being_run(dashboard, path, environ) as run_id:
        if extra:
            own.rename(path / "elsewhere.env")
        answers = asked(dashboard, run_id)
        assert all(SECRET not in text for _status, text in answers.values())
        for address in ("/1", "/1.txt", "/1/part"):
            status, page = answers[address]
            assert status == 403
            assert "is not shown before its end" in first_line(page)
            assert "API_TOKEN" in told(page)
            assert f'href="/r/{run_id}"' in page
        assert "was not found" in first_line(answers["/search?q=token+is"][1])
    answers = asked(dashboard, run_id)
    assert all(SECRET not in text for _status, text in answers.values())
    for address in ("/1", "/1.txt"):
        assert answers[address][0] == 200
        assert f"the token is {MASK}" in answers[address][1]


@pytest.mark.slow
def test_who_knows_the_same_secrets_is_shown_it_at_once(dashboard: Dashboard) -> None:
    """Without them; also where the project itself names them."""
    path = dashboard.project("p")
    knows = {**os.environ, "API_TOKEN": SECRET}
    knows.pop("PYTHON_RUNNER_HOME", None)
    dashboard = replace(dashboard, environ=knows)
    with being_run(dashboard, path, {"API_TOKEN": SECRET}) as run_id:
        for address in ("/1", "/1.txt"):
            status, text = asked(dashboard, run_id)[address]
            assert status == 200
            assert f"the token is {MASK}" in text


@pytest.mark.slow
@pytest.mark.fault(
    "secrets",
    "A script prints a password of which the dashboard knows another value",
    "Its output is not shown while it runs; at its end it is, without the secret.",
)
@pytest.mark.parametrize("where", ["in the dashboard", "in a file"])
def test_a_password_that_was_changed_is_not_shown(
    dashboard: Dashboard, where: str
) -> None:
    """Its name is known here, and its value was another one when the run began."""
    environ, extra = {"API_TOKEN": SECRET}, ""
    if where == "in a file":
        environ, extra = {}, ', "env_file": "own.env"'
    path = dashboard.project("p", extra=extra)
    own = path / "own.env"
    own.write_text(f"API_TOKEN={SECRET}\n", encoding="utf-8")
    own.chmod(0o600)
    knows = {**os.environ, **environ}
    if environ:
        knows["API_TOKEN"] = "the-one-of-yesterday"
    knows.pop("PYTHON_RUNNER_HOME", None)
    dashboard = replace(dashboard, environ=knows)
    with being_run(dashboard, path, environ) as run_id:
        if extra:
            own.write_text("API_TOKEN=the-one-of-tomorrow\n", encoding="utf-8")
        answers = asked(dashboard, run_id)
        assert all(SECRET not in text for _status, text in answers.values())
        for address in ("/1", "/1.txt", "/1/part"):
            assert answers[address][0] == 403
            assert "has other passwords or tokens" in first_line(answers[address][1])
        assert "was not found" in first_line(answers["/search?q=token+is"][1])
    for address in ("/1", "/1.txt"):
        status, text = asked(dashboard, run_id)[address]
        assert status == 200
        assert f"the token is {MASK}" in text


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.fault(
    "secrets",
    "The runner of such a script is killed",
    "The dashboard does not show what it left, and says that the next run masks it.",
)
def test_what_a_killed_runner_left_is_not_shown(dashboard: Dashboard) -> None:
    """Nobody has masked it yet: the page says that the next run does."""
    path = dashboard.project("p")
    with being_run(dashboard, path, {"API_TOKEN": SECRET}) as run_id:
        store, database = open_reader(dashboard.home)
        (run,) = store.open_runs()
        database.close()
        os.kill(run.runner, 9)
        wait_until(lambda: "no longer alive" in dashboard.ask(f"/r/{run_id}").text)
        answers = asked(dashboard, run_id)
    assert all(SECRET not in text for _status, text in answers.values())
    assert "not shown before the next run" in first_line(answers["/1"][1])


@pytest.mark.pure
@pytest.mark.parametrize(
    ("name", "is_unknown"),
    [
        *(("DB_PASSWORD", True), ("db_password", True), ("DATABASE_URL", True)),
        *(("HTTPS_PROXY", True), ("SQL_CONNECTION", True), ("KNOWN_TOKEN", False)),
        *(("known_token", False), ("PATH", False), ("SSH_AUTH_SOCK", False)),
        *(("DBUS_SESSION_BUS_ADDRESS", False), ("LANG", False), ("URLS_TO_READ", True)),
    ],
)
def test_variables_that_may_hold_secrets(
    dashboard: Dashboard, name: str, *, is_unknown: bool
) -> None:
    """By their names, unless this process has one of that name."""
    settings = replace(dashboard.site.settings, environ={"KNOWN_TOKEN": "x"})
    assert unknown_variables([name], settings, None) == ((name,) if is_unknown else ())
