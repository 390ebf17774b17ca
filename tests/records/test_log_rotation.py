from __future__ import annotations

import errno
import os
import random
import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.files import move
from python_runner.records.log import LogFile
from python_runner.records.log_line import LogLine
from python_runner.records.log_reader import read_log
from python_runner.records.log_rotation import archives, delete_old_archives, logs_in
from tests.support import NOW, examples


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

NAME = "project_3.log"
START = datetime(2024, 11, 25, 9, 25).astimezone()

LINE_OF_A_LOG = (
    "2024-11-27 12:51:58,954 - INFO - pc - 39be3d37aed64 - 0.08 - main.py - success\n"
)


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Make the folder of a project's logs."""
    folder = tmp_path / "logs"
    folder.mkdir()
    return folder


@pytest.fixture
def paris() -> Iterator[None]:
    """Put the machine into Paris; the rule is written out, so no data base is needed."""
    if sys.platform == "win32":
        pytest.skip("Windows cannot change the time zone of one process")
    else:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
            time.tzset()
            yield
        time.tzset()


def _log_line(now: datetime, script: str = "main.py", **more: str) -> LogLine:
    return LogLine(
        time=now,
        level="INFO",
        host="pc",
        run_id="39be3d37aed64",
        minutes=0.5,
        script=script,
        status="success",
        **more,
    )


def _run(log_file: LogFile, now: datetime, script: str = "main.py") -> None:
    assert log_file.rotate(now) is None
    log_file.write(_log_line(now, script))


def _log_file(logs: Path, *, keep: int = 0, days: int = 3) -> LogFile:
    return LogFile(logs, NAME, backup_count=keep, rotation_days=days)


def _days(path: Path) -> list[str]:
    lines = path.read_text("utf-8").splitlines()
    return [line.partition(" ")[0] for line in lines]


def _local(day: int, hour: int, minute: int = 0, month: int = 1) -> datetime:
    """Return a local time in 2024, by days from the first of a month."""
    first = datetime(2024, month, 1, hour, minute)  # noqa: DTZ001 - local
    return (first + timedelta(days=day)).astimezone()


def _daily(hour: int, *, month: int = 1, jitter: int = 0) -> list[datetime]:
    chance = random.Random(7)  # noqa: S311 - repeatable, not secret
    return [
        _local(day, hour, month=month)
        + timedelta(seconds=chance.randint(-jitter, jitter))
        for day in range(120)
    ]


@pytest.mark.parametrize(
    ("moments", "lines"),
    [
        pytest.param(_daily(9), 3, id="daily"),
        pytest.param(_daily(9, jitter=90), 3, id="daily, 90 seconds about"),
        pytest.param(
            sorted(_daily(9, jitter=90) + _daily(21, jitter=90)), 6, id="twice a day"
        ),
        pytest.param(
            [START + timedelta(hours=80 * n) for n in range(36)], 1, id="80-hour gaps"
        ),
        pytest.param(
            [START + timedelta(minutes=n * 150) for n in range(1, 500)],
            None,
            id="often",
        ),
    ],
)
def test_four_months_of_runs(
    logs: Path, moments: Sequence[datetime], lines: int | None
) -> None:
    """Each archive covers three calendar days, and no line is lost."""
    _check_simulation(logs, moments, lines)


@pytest.mark.fault(
    "clocks",
    "Daylight saving begins or ends",
    "No archive is moved and no line lost: calendar days count.",
)
@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs tzset")
@pytest.mark.usefixtures("paris")
@pytest.mark.parametrize("hour", [0, 2, 3, 9, 23])
@pytest.mark.parametrize("month", [1, 8])
def test_four_months_of_runs_over_a_clock_change(
    logs: Path, hour: int, month: int
) -> None:
    """A missing or a doubled hour moves no archive: calendar days count."""
    moments = [_local(day, hour, 30, month=month) for day in range(120)]
    offsets = {moment.utcoffset() for moment in moments}
    assert offsets == {timedelta(hours=1), timedelta(hours=2)}
    _check_simulation(logs, moments, 3)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs tzset")
@pytest.mark.usefixtures("paris")
def test_the_doubled_hour_keeps_both_archives(logs: Path) -> None:
    """Two moments of one local name give two archives, none over the other."""
    log_file = _log_file(logs, days=1)
    summer = datetime(2024, 10, 27, 0, 10, tzinfo=UTC)
    winter = summer + timedelta(hours=1)
    for run, now in enumerate((summer, winter)):
        # Both logs began the day before.
        (logs / NAME).write_text(f"run {run}\n", "utf-8")
        os.utime(logs / NAME, (now.timestamp() - 86_400,) * 2)
        assert log_file.rotate(now) is None
    names = ["2024-10-27_02-10", "2024-10-27_02-10.1"]
    assert archives(logs, NAME) == [logs / f"{NAME}.{name}" for name in names]
    assert [p.read_text("utf-8") for p in archives(logs, NAME)] == [
        "run 0\n",
        "run 1\n",
    ]


def _check_simulation(
    logs: Path, moments: Sequence[datetime], lines: int | None
) -> None:
    log_file = _log_file(logs)
    for number, now in enumerate(moments):
        _run(log_file, now, f"{number}.py")
    scripts = [log_line.script for log_line in read_log(logs, NAME)]
    assert scripts == [f"{number}.py" for number in range(len(moments))]
    kept = archives(logs, NAME)
    assert len(kept) >= 15
    first_days = []
    for archive in kept:
        days = [datetime.fromisoformat(day) for day in _days(archive)]
        assert (days[-1] - days[0]).days < 3
        if lines is not None:
            assert len(days) == lines
        first_days.append(days[0])
    for archive, began, ended in zip(kept, first_days, first_days[1:], strict=False):
        assert (ended - began).days >= 3
        assert archive.name.startswith(f"{NAME}.{ended:%Y-%m-%d}_")


def test_an_archive_bears_the_moment_of_archiving(logs: Path) -> None:
    """The name is that of the first run that finds the log too old."""
    log_file = _log_file(logs)
    for hours in (0, 24, 48, 71, 72):
        _run(log_file, START + timedelta(hours=hours))
    assert [p.name for p in logs.iterdir() if p.name != NAME] == [
        f"{NAME}.2024-11-28_08-25"
    ]


@pytest.mark.parametrize("keep", [1, 4])
def test_only_the_newest_archives_stay(logs: Path, keep: int) -> None:
    """After every run there are ``logs_backup_count`` archives, the newest ones."""
    log_file, everything = _log_file(logs, keep=keep), list[Path]()
    for now in _daily(9):
        _run(log_file, now)
        everything = sorted({*everything, *archives(logs, NAME)})
        assert archives(logs, NAME) == everything[-keep:]
    assert len(everything) == 39


def test_a_smaller_count_holds_from_the_next_run_on(logs: Path) -> None:
    """Archives beyond the count go even when nothing is archived now."""
    for day in range(1, 6):
        (logs / f"{NAME}.2024-01-0{day}_09-00").touch()
    assert _log_file(logs, keep=2).rotate(START) is None
    assert [p.name[-8:] for p in archives(logs, NAME)] == ["04_09-00", "05_09-00"]


def test_the_age_is_that_of_the_first_line(logs: Path) -> None:
    """Neither touching nor copying a log makes it older or younger."""
    log_file = _log_file(logs)
    _run(log_file, START)
    os.utime(logs / NAME, (1, 1))
    assert log_file.rotate(START + timedelta(days=2)) is None
    assert archives(logs, NAME) == []
    shutil.copyfile(logs / NAME, logs / "copy")
    os.replace(logs / "copy", logs / NAME)  # noqa: PTH105 - either way
    assert log_file.rotate(START + timedelta(days=3)) is None
    assert len(archives(logs, NAME)) == 1


def test_lines_of_the_original_tell_the_age(logs: Path) -> None:
    """A log begun by the original is archived by its own first date."""
    line = "21-11-2024 09:51:58 - INFO - pc - abc - 0.08 - main.py - success\n"
    (logs / NAME).write_text(line, "utf-8")
    assert _log_file(logs).rotate(START) is None
    assert archives(logs, NAME) == [logs / f"{NAME}.2024-11-25_09-25"]


@pytest.mark.parametrize(("age", "count"), [(2, 0), (3, 1)])
def test_a_log_without_log_lines_is_as_old_as_its_file(
    logs: Path, age: int, count: int
) -> None:
    """Where no line is a log line, the time of the last change decides."""
    (logs / NAME).write_bytes(b"by hand\n\xff\xfe\n")
    changed = (START - timedelta(days=age)).timestamp()
    os.utime(logs / NAME, (changed, changed))
    assert _log_file(logs).rotate(START) is None
    assert len(archives(logs, NAME)) == count


@pytest.mark.fault(
    "clocks",
    "A log line bears a date of the future",
    "Rotation passes over it.",
)
def test_a_line_from_the_future_does_not_stop_rotation(logs: Path) -> None:
    """A line written under a wrong clock is passed over for the next one."""
    log_file = _log_file(logs)
    log_file.write(_log_line(START + timedelta(days=9999)))
    _run(log_file, START)
    assert log_file.rotate(START + timedelta(days=3)) is None
    assert len(archives(logs, NAME)) == 1


@pytest.mark.parametrize("content", [None, b""])
def test_nothing_is_not_archived(logs: Path, content: bytes | None) -> None:
    """A missing or empty log leaves no archive."""
    if content is not None:
        (logs / NAME).write_bytes(content)
        os.utime(logs / NAME, (1, 1))
    assert _log_file(logs).rotate(START) is None
    assert archives(logs, NAME) == []


def test_a_folder_that_is_not_there_yet_is_no_problem(tmp_path: Path) -> None:
    """The first run of a project finds no ``logs`` and says nothing about it."""
    assert _log_file(tmp_path / "logs", keep=2).rotate(START) is None


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs sparse files")
def test_the_age_of_a_huge_log_is_read_at_once(logs: Path) -> None:
    """Only the head of a log is read: 64 GiB make no difference."""
    log_file = _log_file(logs)
    log_file.write(_log_line(START, traceback="x" * 1_000_000))
    os.truncate(logs / NAME, 1 << 36)
    assert log_file.rotate(START + timedelta(days=3)) is None
    assert [p.stat().st_size for p in archives(logs, NAME)] == [1 << 36]


def test_a_taken_name_gets_a_number(logs: Path) -> None:
    """An archive is never written over an earlier file or folder."""
    log_file = _log_file(logs)
    taken = logs / f"{NAME}.2024-11-28_09-25"
    taken.write_text("earlier\n", "utf-8")
    (logs / f"{taken.name}.1").mkdir()
    _run(log_file, START)
    _run(log_file, START + timedelta(days=3))
    assert taken.read_text("utf-8") == "earlier\n"
    assert archives(logs, NAME) == [taken, logs / f"{taken.name}.2"]


def _refusing(times: float, error: OSError) -> Callable[[Path, Path], None]:
    calls = 0

    def rename(source: Path, target: Path) -> None:
        nonlocal calls
        calls += 1
        if calls <= times:
            raise error
        move(source, target)

    return rename


def test_a_refusal_that_passes_is_not_noticed(logs: Path) -> None:
    """A virus scanner that lets go after a moment costs that moment only."""
    log_file, waited = _log_file(logs), list[float]()
    _run(log_file, START)
    rename = _refusing(2, PermissionError(errno.EACCES, "in use"))
    later = START + timedelta(days=3)
    assert log_file.rotate(later, rename=rename, sleep=waited.append) is None
    assert len(archives(logs, NAME)) == 1
    assert len(waited) == 2


@pytest.mark.fault(
    "files",
    "Another program keeps the log open",
    "The log goes on, the run says so, and the next run archives it.",
)
def test_a_refusal_that_stays_loses_no_line(logs: Path) -> None:
    """The log goes on, the run is told after 2.5 seconds, the next run archives."""
    log_file, waited = _log_file(logs), list[float]()
    _run(log_file, START, "a.py")
    later = START + timedelta(days=3)
    rename = _refusing(float("inf"), PermissionError(errno.EACCES, "in use"))
    warning = log_file.rotate(later, rename=rename, sleep=waited.append)
    assert sum(waited) == pytest.approx(2.5)
    assert str(warning) == (
        "the log project_3.log could not be archived; writing continues in it: in use"
    )
    log_file.write(_log_line(later, "b.py"))
    assert archives(logs, NAME) == []
    _run(log_file, later + timedelta(days=1), "c.py")
    assert len(archives(logs, NAME)) == 1
    assert [r.script for r in read_log(logs, NAME)] == ["a.py", "b.py", "c.py"]


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="POSIX renames open files")
def test_a_log_that_is_open_elsewhere_goes_on(logs: Path) -> None:
    """Windows refuses to rename an open file: nothing is lost, the next run archives."""
    log_file, waited = _log_file(logs), list[float]()
    _run(log_file, START, "a.py")
    later = START + timedelta(days=3)
    with (logs / NAME).open("rb"):
        assert log_file.rotate(later, sleep=waited.append) is not None
        log_file.write(_log_line(later, "b.py"))
    assert len(waited) == 5
    _run(log_file, later, "c.py")
    assert len(archives(logs, NAME)) == 1
    assert [r.script for r in read_log(logs, NAME)] == ["a.py", "b.py", "c.py"]


def test_other_errors_are_told_at_once(logs: Path) -> None:
    """Waiting frees no disk: an error that is no refusal is not tried again."""
    log_file, waited = _log_file(logs), list[float]()
    _run(log_file, START)
    rename = _refusing(float("inf"), OSError(errno.ENOSPC, "disk full"))
    later = START + timedelta(days=3)
    warning = log_file.rotate(later, rename=rename, sleep=waited.append)
    assert "disk full" in str(warning)
    assert waited == []


def test_a_log_that_cannot_be_read_is_told(logs: Path) -> None:
    """A folder in the place of the log is a warning, not a crash."""
    (logs / NAME).mkdir()
    assert NAME in str(_log_file(logs).rotate(START))


LOOK_ALIKES = [
    "project_30.log.2024-01-01_09-00",
    "project_3xlog.2024-01-01_09-00",
    "project_3.log.bak",
    "project_3.log.2024-1-01",
    "project_3.log.2023-02-29",
    "project_3.log.2024-01-01_09-00.bak",
    "project_3.log.2024-01-01_09-00.0",
    "project_3.log.2024-01-01_09-00.01",
    "project_3.log.2024-01-01_09-00.1.1",
    "project_3.log.2024-01-01_09-0",
    "project_3.log.2024-13-01_09-00",
    "project_3.log.2023-02-29_09-00",
    "project_3.log.2024-01-01_25-00",
    "project_3.log.2024-01-01_09-00 ",
    "x.project_3.log.2024-01-01_09-00",
    "project_3.log.٢٠٢٤-01-01_09-00",
]


@pytest.mark.fault(
    "files",
    "Other files lie in the log's folder",
    "They are never touched.",
)
def test_look_alikes_are_never_touched(logs: Path) -> None:
    """Only names that are exactly ours are archives, and only files."""
    # Windows drops a space at the end of a name.
    names = [n for n in LOOK_ALIKES if sys.platform != "win32" or n == n.rstrip()]
    for name in names:
        (logs / name).touch()
    (logs / f"{NAME}.2024-01-01_09-01").mkdir()
    ours = f"{NAME}.2024-01-02_09-00"
    (logs / ours).touch()
    (logs / f"{NAME}.2024-01-01_09-00").touch()
    delete_old_archives(logs, NAME, 1, NOW)
    assert {p.name for p in logs.iterdir()} == {
        *names,
        f"{NAME}.2024-01-01_09-01",
        ours,
    }


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_is_no_archive(logs: Path, tmp_path: Path) -> None:
    """A link with the name of an archive is neither counted nor removed."""
    (tmp_path / "target").touch()
    (logs / f"{NAME}.2024-01-01_09-00").symlink_to(tmp_path / "target")
    (logs / f"{NAME}.2024-01-02_09-00").touch()
    delete_old_archives(logs, NAME, 1, NOW)
    assert len(list(logs.iterdir())) == 2


moments = st.datetimes(
    min_value=datetime(2020, 1, 1),  # noqa: DTZ001 - names hold local times
    max_value=datetime(2026, 1, 1),  # noqa: DTZ001
)
#: The original library's archives bear the day alone.
stamps = moments.map("{:%Y-%m-%d_%H-%M}".format) | moments.map("{:%Y-%m-%d}".format)


@examples(40)
@given(st.sets(st.tuples(stamps, st.integers(0, 12)), max_size=12), st.integers(0, 6))
def test_retention_keeps_the_newest(found: set[tuple[str, int]], keep: int) -> None:
    """The newest ``keep`` archives stay, by date and then by number; 0 keeps all."""
    with tempfile.TemporaryDirectory() as folder:
        logs = Path(folder)
        for stamp, number in found:
            (logs / f"{NAME}.{stamp}{f'.{number}' if number else ''}").touch()
        (logs / NAME).touch()
        delete_old_archives(logs, NAME, keep, NOW)
        expected = [
            f"{NAME}.{stamp}{f'.{number}' if number else ''}"
            for stamp, number in sorted(found)
        ]
        kept = expected[-keep:] if keep else expected
        assert [p.name for p in archives(logs, NAME)] == kept
        assert len(list(logs.iterdir())) == len(kept) + 1


def test_a_log_is_ours_by_any_of_its_files(logs: Path) -> None:
    """Empty archives and a broken current file hide no log; other files are none."""
    line = LINE_OF_A_LOG.encode()
    (logs / "current.log").write_bytes(line)
    (logs / "current.log.2024-01-01_09-00").write_bytes(b"")
    (logs / "archived.log").write_bytes(b"nothing of ours\n")
    (logs / "archived.log.2024-01-01_09-00.2").write_bytes(line)
    (logs / "foreign.log").write_bytes(b"nothing of ours\n")
    (logs / "other.txt").write_bytes(line)
    (logs / "folder.log").mkdir()

    assert logs_in(logs) == ["archived.log", "current.log"]
    assert logs_in(logs / "gone") == []


@pytest.mark.skipif(sys.platform == "win32", reason="a link needs rights there")
@pytest.mark.posix
def test_a_link_is_no_log(logs: Path, tmp_path: Path) -> None:
    """It may lead anywhere."""
    (tmp_path / "target").write_bytes(LINE_OF_A_LOG.encode())
    (logs / "link.log").symlink_to(tmp_path / "target")
    assert logs_in(logs) == []


#: What a clock that was wrong for a while said, in years; how often the log is archived
#: meanwhile.
WRONG_CLOCKS = [(73, 1), (73, 3), (1, 2), (-6, 2)]


@pytest.mark.fault(
    "clocks",
    "The log is rotated under a wrong date",
    "No archive is removed.",
)
@pytest.mark.parametrize(("years", "times"), WRONG_CLOCKS)
def test_a_wrong_clock_removes_no_archive(logs: Path, years: int, times: int) -> None:
    """Neither while it is wrong nor when it is right again, nor what it named."""
    log_file = _log_file(logs, keep=4)
    for day in range(0, 40, 4):
        _run(log_file, START + timedelta(days=day))
    before = {path.name: path.read_bytes() for path in archives(logs, NAME)}
    assert len(before) == 4

    wrong = START + timedelta(days=40 + 365 * years)
    for time_ in range(times):
        _run(log_file, wrong + timedelta(days=4 * time_), "wrong.py")
    _run(log_file, START + timedelta(days=41), "right.py")

    left = {path.name: path.read_bytes() for path in archives(logs, NAME)}
    assert before.items() <= left.items()
    scripts = [line.script for line in read_log(logs, NAME)]
    assert scripts.count("wrong.py") == times
    assert scripts.count("right.py") == 1


def test_an_archive_of_a_quiet_year_goes_when_its_turn_comes(logs: Path) -> None:
    """A project that rested is no wrong clock: the number of archives is right again."""
    log_file = _log_file(logs, keep=3)
    for day in [*range(0, 20, 4), *range(700, 724, 4)]:
        _run(log_file, START + timedelta(days=day))
    assert len(archives(logs, NAME)) == 3
