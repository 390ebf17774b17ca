"""Each broken, empty, huge and stale state, made by really breaking something.

Each is a sentence of its own with what to do, and what can be shown is shown all the same.
"""

from __future__ import annotations

import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.records.log_line import format_log_line, log_line_of
from python_runner.records.schema import MIGRATIONS
from python_runner.records.store import DATABASE_NAME
from python_runner.web.addresses import key_of
from tests.runner.test_second_user import NUMBER, become, interpreter
from tests.web.asking import NOON, Dashboard, run_of
from tests.web.test_pages import BAD, DAY, GOOD, first_line, told


if TYPE_CHECKING:
    from collections.abc import Callable

#: Pages that are made of the records; each of them waits a moment for a lock.
OF_RECORDS = ("/", "/wall", f"/r/{1:013x}")


def filled(dashboard: Dashboard) -> Path:
    """Record a run of a project that the dashboard was given, with its log."""
    path = dashboard.project("factures", "1.py")
    dashboard.options["projects"] = (path,)
    run = run_of(path, 1, BAD)
    with dashboard.store() as store:
        store.end_run(run, [], NOON)
    (path / "logs").mkdir()
    line = log_line_of(run.scripts[0], host="h", now=NOON, include_traceback=True)
    log = path / "logs" / "factures.log"
    log.write_text(f"{format_log_line(line)}\n", encoding="utf-8")
    return path


def lock(file: Path) -> Callable[[], None]:
    """Keep the records to oneself, as another program may; return what ends it."""
    connection = sqlite3.connect(file)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    return connection.close


def damage(file: Path) -> Callable[[], None]:
    """Write over the records."""
    file.write_bytes(b"\x00 this is no database " * 500)
    return lambda: None


def renew(file: Path) -> Callable[[], None]:
    """Let the records be of a later version of Python Runner."""
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    return lambda: None


@pytest.mark.fault(
    "records",
    "The dashboard meets records that are locked, damaged or of a newer version",
    "Each page says which, and what to do; logs are shown, and all is back afterwards.",
)
@pytest.mark.portable("pages are made in this process")
@pytest.mark.parametrize(
    ("spoil", "sentence", "advice"),
    [
        (lock, "is locked by another program", "a backup, a virus scanner"),
        (damage, "is damaged", f"{DATABASE_NAME}.corrupt-DATE"),
        (renew, "written by a newer version", "install the newer one"),
    ],
)
def test_records_that_cannot_be_read(
    dashboard: Dashboard,
    spoil: Callable[[Path], Callable[[], None]],
    sentence: str,
    advice: str,
) -> None:
    """Each page says why, and what to do; the log of a project is read all the same."""
    path = filled(dashboard)
    file = dashboard.home / DATABASE_NAME
    before = file.read_bytes()
    end = spoil(file)
    try:
        for address in OF_RECORDS:
            answer = dashboard.ask(address)
            assert answer.status == 503
            assert sentence in first_line(answer.text)
            assert advice in told(answer.text)
            assert "tries again by itself" in told(answer.text)
            assert f'href="/p/{key_of(path)}/log"' in answer.text
        log = dashboard.ask(f"/p/{key_of(path)}/log")
        assert log.status == 200
        assert "KeyError" in told(log.text)
        status = dashboard.ask("/status.txt")
        assert (status.status, status.text[:12]) == (503, "FAIL records")
    finally:
        end()
    for beside in dashboard.home.glob(f"{DATABASE_NAME}-*"):
        beside.unlink()
    file.write_bytes(before)
    assert dashboard.ask("/").status == 200


@pytest.mark.posix
@pytest.mark.fault(
    "records",
    "The dashboard is started by an account that may not read the records",
    "Its page names the account, and says as whom to start it.",
)
def test_records_of_another_account() -> None:
    """Who made this page, that this account may not read the records, and what to do."""
    if sys.platform == "win32" or os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("needs root and setpriv, to become another account")
    with tempfile.TemporaryDirectory() as folder:
        base = Path(folder)
        base.chmod(0o755)
        dashboard = Dashboard(home=base / "home", folder=base / "projects")
        dashboard.home.mkdir()
        filled(dashboard)
        dashboard.home.chmod(0o700)
        code = f"""
from pathlib import Path
from tests.web.asking import Dashboard
answer = Dashboard(home=Path({str(dashboard.home)!r}), folder=Path("/")).ask("/")
print(answer.status, answer.text)
"""
        done = subprocess.run(
            [*become(), interpreter(), "-c", code],
            cwd=Path(__file__).parents[2],
            env={
                "PATH": os.defpath,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "PYTHONDONTWRITEBYTECODE": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    status, _, page = done.stdout.partition(" ")
    assert status == "503", done.stderr
    assert "The records cannot be read" in first_line(page)
    assert f"is run by {NUMBER}" in told(page)
    assert "start it as the account that runs the projects" in told(page)


@pytest.mark.fault(
    "machine",
    "The disk of the state folder is nearly full",
    "The dashboard says so above the projects, which are shown as ever.",
)
@pytest.mark.posix
def test_a_disk_that_is_nearly_full(small_disk: Path, tmp_path: Path) -> None:
    """It is said on the overview and on the wall; the projects are there."""
    dashboard = Dashboard(home=small_disk, folder=tmp_path)
    filled(dashboard)
    with (small_disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(4096)):
                pass
        except OSError:
            pass
    for address in ("/", "/wall"):
        answer = dashboard.ask(address)
        assert answer.status == 200
        assert f"The disk of {small_disk} is nearly full (0 MB left)" in told(
            answer.text
        )
        assert "factures" in first_line(answer.text)
    assert dashboard.ask(f"/r/{1:013x}").status == 200


@pytest.fixture
def ordinary(dashboard: Dashboard) -> Dashboard:
    """Return a dashboard with one project, of which nothing is wrong beside it."""
    filled(dashboard)
    if shutil.disk_usage(dashboard.home).free > 200_000_000:
        assert "Beside the projects" not in dashboard.ask("/").text
    return dashboard


@pytest.mark.fault(
    "clocks",
    "The clock goes back while the dashboard is open",
    "It says so, and shows the runs with the times they had.",
)
@pytest.mark.portable("pages are made in this process")
def test_a_clock_that_went_back(ordinary: Dashboard) -> None:
    """The runs of what is now the future stand there, and nothing lasts a negative time."""
    ordinary.now = NOON - DAY
    ordinary._app = None  # noqa: SLF001 - a new look at the clock
    page = ordinary.ask("/").text
    assert "The clock of this computer went back: a run of" in told(page)
    assert not re.search(r"-\d+ (s|min|h|d)\b", told(page))
    assert "factures" in first_line(page)


@pytest.mark.fault(
    "records",
    "Damaged records were set aside",
    "The dashboard names the file, and shows the new records.",
)
@pytest.mark.portable("pages are made in this process")
def test_records_that_were_set_aside(ordinary: Dashboard) -> None:
    """By the next program that opens them to write, as every run does."""
    file = ordinary.home / DATABASE_NAME
    ordinary.ask("/")
    ordinary._app = None  # noqa: SLF001 - its connections keep the old file
    file.write_bytes(b"this is no database " * 500)
    for beside in ordinary.home.glob(f"{DATABASE_NAME}-*"):
        beside.unlink()
    with ordinary.store() as store:
        run = run_of(ordinary.folder / "factures", 2, GOOD, ago=timedelta(minutes=5))
        store.end_run(run, [], NOON)
    (aside,) = ordinary.home.glob(f"{DATABASE_NAME}.corrupt-*")
    page = ordinary.ask("/").text
    assert f"Damaged records were set aside: {aside}" in told(page)
    assert "is well" in first_line(page)


@pytest.mark.portable("pages are made in this process")
def test_an_empty_state_folder(dashboard: Dashboard) -> None:
    """The commands that fill it, where it is, and whose."""
    page = told(dashboard.ask("/").text)
    for part in ("init PROJECT", "check PROJECT", "run PROJECT", str(dashboard.home)):
        assert part in page
    assert "by the account" in page


@pytest.mark.slow
@pytest.mark.portable("pages are made in this process")
def test_five_hundred_projects(dashboard: Dashboard) -> None:
    """Those that need somebody have rows; the others are put together by folder."""
    paths = [dashboard.folder / f"team_{n % 5}" / f"p{n:03}" for n in range(500)]
    for path in paths:
        path.mkdir(parents=True)
    with dashboard.store() as store:
        for n, path in enumerate(paths):
            store.end_run(run_of(path, n, BAD if n % 100 == 3 else GOOD), [], NOON)
    dashboard.options["projects"] = tuple(paths)
    for path in paths:
        shutil.copy(dashboard.project("model") / "exec_config.json", path)
        path.joinpath("1.py").touch()
    answer = dashboard.ask("/")
    while "looked at yet" in answer.text:
        answer = dashboard.ask("/")
    assert "5 of 500 projects need you" in first_line(answer.text)
    assert answer.text.count('data-row data-name="') <= 60
    assert "projects, all well" in told(answer.text)
    assert len(answer.body) < 150_000
    assert "p123" in told(dashboard.ask("/?q=p123").text)


@pytest.mark.slow
@pytest.mark.portable("pages are made in this process")
def test_a_run_of_ten_thousand_scripts(dashboard: Dashboard) -> None:
    """The failed ones and a hundred others, and how many there are."""
    path = dashboard.project("many")
    outcomes = [BAD if n == 7777 else GOOD for n in range(10_000)]
    names = tuple(f"s{n}.py" for n in range(10_000))
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, *outcomes, scripts=names), [], NOON)
    answer = dashboard.ask(f"/r/{1:013x}")
    assert "s7777.py - KeyError" in first_line(answer.text)
    assert "1 of 10,000 scripts did not succeed" in told(answer.text)
    assert answer.text.count('<tr class="row"') == 100
    assert len(answer.body) < 150_000


def test_no_failure_in_the_filter(dashboard: Dashboard) -> None:
    """It is said that nothing fails, with a way to see all."""
    path = dashboard.project("good")
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, GOOD), [], NOON)
    page = dashboard.ask("/?failures=1").text
    assert "No project fails now." in told(page)
    assert 'href="/"' in page
    log = dashboard.ask(f"/p/{key_of(path)}/log?failures=1").text
    assert "The log of good is empty" in first_line(log)
