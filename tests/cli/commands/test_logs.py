from __future__ import annotations

import json
import re
import signal
import sys
from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.cli.commands.logs import Filter
from python_runner.records.log_line import LogLine, format_log_line
from python_runner.records.log_reader import read_log
from tests.cli.terminal import on_terminal
from tests.support import (
    GENEROUS,
    Cli,
    started,
)


if TYPE_CHECKING:
    from pathlib import Path


posix_signals = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def a_log_line(script: str, traceback: str | None = None, *, minute: int = 0) -> str:
    """Return a line of a log."""
    line = LogLine(
        time=datetime(2024, 11, 27, 9, minute).astimezone(),
        level="ERROR" if traceback else "INFO",
        host="LAPTOP",
        run_id="39be3d37aed64",
        minutes=0.08,
        script=script,
        status="failure" if traceback else "success",
        traceback=traceback,
    )
    return format_log_line(line) + "\n"


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    """Return a project with a log and an archive of it."""
    folder = tmp_path / "shop"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "shop.log.2024-11-27_09-10").write_text(
        a_log_line("main.py", minute=1)
        + a_log_line("a - b.py", "E: Gone\n\x1b[2J", minute=2),
        "utf-8",
    )
    (folder / "logs" / "shop.log").write_text(
        "no record\n" + a_log_line("last.py", "E: late", minute=3), "utf-8"
    )
    return folder


def test_logs_are_read_with_their_archives(cli: Cli, logged: Path) -> None:
    """In a pipe the lines are those of the log, archives first, nothing harmful."""
    done = cli("logs", logged)

    assert done.returncode == 0
    assert done.stdout == (
        a_log_line("main.py", minute=1)
        + a_log_line("a - b.py", "E: Gone\n\x1b[2J", minute=2).replace("\x1b", "\\x1b")
        + a_log_line("last.py", "E: late", minute=3)
    )
    assert all(len(line.split(" - ", 7)) in {7, 8} for line in done.stdout.splitlines())


def test_logs_for_people(logged: Path) -> None:
    """A line a record, times as elsewhere, its traceback unescaped below."""
    _code, text = on_terminal("logs", logged, COLUMNS="120")
    lines = text.replace("\r", "").splitlines()

    assert [re.sub("\x1b\\[[0-9]*m", "", line) for line in lines] == [
        "2024-11-27 09:01:00  succeeded      4.8 s  main.py  (39be3d37aed64, LAPTOP)",
        "2024-11-27 09:02:00  failed         4.8 s  a - b.py  (39be3d37aed64, LAPTOP)",
        "    E: Gone",
        "2024-11-27 09:03:00  failed         4.8 s  last.py  (39be3d37aed64, LAPTOP)",
        "    E: late",
    ]
    assert "\x1b[31mfailed" in text


def test_what_was_not_run_took_no_time(logged: Path) -> None:
    """A skipped script has a line in the log, and none of its duration is told."""
    line = LogLine(
        time=datetime(2024, 11, 27, 9, 4).astimezone(),
        level="WARNING",
        host="LAPTOP",
        run_id="39be3d37aed64",
        minutes=0.0,
        script="next.py",
        status="skipped",
        traceback="why",
    )
    log = logged / "logs" / "shop.log"
    log.write_text(format_log_line(line) + "\n", "utf-8")

    _code, text = on_terminal("logs", logged, "-n", "1", COLUMNS="120")

    assert re.search(r"skipped *(\x1b\[0m)? +next\.py", text)


def test_logs_as_a_document(cli: Cli, logged: Path) -> None:
    """What a line holds, by its names."""
    document = json.loads(cli("logs", logged, "--json", "-n", 1).stdout)

    assert document == {
        "lines": [
            {
                "time": datetime(2024, 11, 27, 9, 3).astimezone().isoformat(),
                "level": "ERROR",
                "host": "LAPTOP",
                "run_id": "39be3d37aed64",
                "minutes": 0.08,
                "script": "last.py",
                "status": "failure",
                "traceback": "E: late",
            }
        ]
    }


@pytest.mark.parametrize(
    ("arguments", "minutes"),
    [
        ([], "123"),
        (["-n", "2"], "23"),
        (["-n", "2", "--reverse"], "32"),
        (["-n", "1", "--grep", "main"], "1"),
        (["-n", "0"], ""),
        (["--since", "2024-11-27"], "123"),
        (["--since", "7d"], ""),
    ],
)
def test_logs_are_bounded(
    logged: Path,
    arguments: list[str],
    minutes: str,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The last lines of those that are wanted, oldest first unless turned."""
    assert run_app(["logs", str(logged), *arguments]) == 0

    lines = capfd.readouterr().out.splitlines()
    assert "".join(line[15] for line in lines) == minutes


def test_logs_say_that_the_log_alone_was_searched(cli: Cli, logged: Path) -> None:
    """And what searches the output."""
    done = cli("logs", "shop", "--grep", "montant")

    assert done.stdout == ""
    assert "`python-runner output shop --grep TEXT`" in done.stderr
    assert cli("logs", logged).stderr == ""


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
    (logs / "night.log").write_text(a_log_line("night.py", minute=2), "utf-8")
    (logs / "old.log.2024-11-27_09-30").write_text(a_log_line("old.py"), "utf-8")
    (logs / "server.log").write_text("2024-11-27 - INFO - all is well\n", "utf-8")
    (logs / "notes.txt").write_text(a_log_line("notes.py"), "utf-8")

    scripts = [line.split(" - ")[5] for line in cli("logs", logged).stdout.splitlines()]
    assert scripts == ["old.py", "main.py", "night.py", r"a \x2d b.py", "last.py"]

    for path in logs.glob("shop.log*"):
        path.unlink()
    assert "night.py" in cli("logs", logged, "--grep", "night").stdout


def test_logs_are_narrowed_and_turned(cli: Cli, logged: Path) -> None:
    """The options work together, the newest first; a traceback stays with its line."""
    done = cli("logs", logged, "--failures", "--grep", "E:", "--reverse")

    assert [line[:16] for line in done.stdout.splitlines()] == [
        *("2024-11-27 09:03", "2024-11-27 09:02")
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
    for option in ("--reverse", "--json"):
        contradiction = cli("logs", logged, "--follow", option)
        assert contradiction.returncode == 2
        assert f"{option} and --follow exclude each other" in contradiction.stderr


@pytest.mark.posix
@posix_signals
def test_logs_follow_across_a_rotation(logged: Path, tmp_path: Path) -> None:
    """Each record is shown once; Ctrl-C ends quietly with 130."""
    log = logged / "logs" / "shop.log"

    with started(tmp_path, "logs", "-f", "-n", 1, logged) as process:
        assert process.stdout
        assert "last.py" in process.stdout.readline()
        with log.open("a", encoding="utf-8") as file:
            file.write(a_log_line("new_1.py", minute=4))
        first = process.stdout.readline()
        log.rename(log.with_name("shop.log.2024-11-30_09-00"))
        log.write_text(a_log_line("new_2.py", minute=5), "utf-8")
        second = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        rest, errors = process.communicate(timeout=GENEROUS)

    assert "new_1.py" in first
    assert "new_2.py" in second
    assert (rest, errors, process.returncode) == ("", "", 130)
