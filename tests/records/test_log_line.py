from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from python_runner.masking import Masker
from python_runner.model import (
    Attempt,
    Outcome,
    ScriptResult,
    Traceback,
)
from python_runner.records.log_line import (
    MAX_TRACEBACK,
    LogLine,
    format_log_line,
    log_line_of,
    log_line_of_skipped,
    parse_log_line,
    result_of,
    run_id_of,
)
from python_runner.texts.sentence import Sentence


pytestmark = pytest.mark.pure


#: Where a wall clock of any time zone shows the same: written and read as local time.
NOON = datetime(2024, 11, 27, 12, 51, 58, 954_321).astimezone()
LOG_LINE = LogLine(
    time=NOON,
    level="INFO",
    host="LAPTOP-BS85JNP7",
    run_id="39be3d37aed64",
    minutes=0.0823,
    script="main.py",
    status="success",
)
LINE = (
    "2024-11-27 12:51:58,954 - INFO - LAPTOP-BS85JNP7 - 39be3d37aed64 - 0.08 - "
    "main.py - success"
)

LONG_MESSAGE = """\
Traceback (most recent call last):
  File "a.py", line 1, in <module>
ValueError: 2 rows
row 3
row 9"""

nasty = st.lists(
    st.sampled_from(
        [" - ", "-", " ", "\\", "\\n", "\\x2d", "\n", "\r", "\x85", "\u2028"]
    )
).map("".join)
anything = nasty | st.text(st.characters(exclude_categories=())) | st.text()
log_lines = st.builds(
    LogLine,
    time=st.datetimes(
        min_value=datetime(1980, 1, 1),  # noqa: DTZ001 - Hypothesis adds the zone
        max_value=datetime(2037, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
    level=st.sampled_from(["INFO", "ERROR"]),
    host=anything,
    run_id=anything,
    minutes=st.floats(-10, 1e6),
    script=anything,
    status=st.sampled_from(["success", "failure"]),
    traceback=st.none() | anything,
)


def _wall(moment: datetime) -> datetime:
    local = moment.astimezone()
    milliseconds = local.microsecond // 1000 * 1000
    return local.replace(tzinfo=None, microsecond=milliseconds, fold=0)


def test_the_line_is_the_documented_one() -> None:
    """A success is written as the contract shows it."""
    assert format_log_line(LOG_LINE) == LINE


def test_a_traceback_is_the_eighth_field_of_the_same_line() -> None:
    """Line breaks of a traceback are written as escapes."""
    failed = replace(
        LOG_LINE, level="ERROR", status="failure", traceback="Traceback:\n  C:\\x - 1"
    )
    line = format_log_line(failed)
    assert line.split(" - ", 7)[7] == r"Traceback:\n  C:\\x - 1"
    assert parse_log_line(line + "\r\n") == replace(
        failed, time=NOON.replace(microsecond=954_000), minutes=0.08
    )


def test_times_are_written_in_local_time() -> None:
    """A time given in UTC is written as the machine's clock shows it."""
    assert format_log_line(replace(LOG_LINE, time=NOON.astimezone(UTC))) == LINE


@given(log_lines)
@example(replace(LOG_LINE, host="", run_id="-", script="- -"))
@example(replace(LOG_LINE, host="a -", script="b - c", traceback=""))
@example(replace(LOG_LINE, script="\ud83d\ude00 \udcff \\udcff", traceback=" - "))
def test_what_is_written_is_read_back(log_line: LogLine) -> None:
    """Reading gives what was written, to the milliseconds and hundredths it keeps."""
    read = parse_log_line(format_log_line(log_line))
    assert read is not None
    assert _wall(read.time) == _wall(log_line.time)
    kept = replace(log_line, time=read.time, minutes=float(f"{log_line.minutes:.2f}"))
    assert read == kept


@given(log_lines)
@example(replace(LOG_LINE, script="\x1b[2Jx\x00\u2029\u202e\x1c - \x0b\x0c"))
def test_a_log_line_is_one_line_of_seven_fields_or_eight(log_line: LogLine) -> None:
    """Whatever a field holds, a line stays one line, and splits where it should."""
    line = format_log_line(log_line)
    assert len(f"{line}x".splitlines()) == 1
    assert line.encode().decode() == line
    fields = line.split(" - ", 7)
    assert len(fields) == (7 if log_line.traceback is None else 8)
    if log_line.traceback is None:
        assert len(line.split(" - ")) == 7
    assert fields[1] == log_line.level
    assert fields[6] == log_line.status


@given(anything)
def test_reading_never_fails(line: str) -> None:
    """A text that is no log line reads as None, whatever it holds."""
    read = parse_log_line(line)
    assert read is None or read.status in {"success", "failure"}


def test_an_error_cannot_forge_a_line() -> None:
    """A message that holds a whole log line stays inside its own line."""
    forged = replace(LOG_LINE, status="failure", traceback=f"boom\n{LINE}\r{LINE}")
    lines = format_log_line(forged).splitlines()
    assert len(lines) == 1
    assert parse_log_line(lines[0]) is not None
    assert parse_log_line(lines[0]).traceback == forged.traceback  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("end", "status", "traceback"),
    [
        ("success", "success", None),
        ("failure", "failure", None),
        ("failure- ", "failure", ""),
        (
            r'failure- Traceback:  File "C:\new\x41.py" - here',
            "failure",
            r'Traceback:  File "C:\new\x41.py" - here',
        ),
    ],
)
def test_lines_of_the_original_are_read(
    end: str, status: str, traceback: str | None
) -> None:
    """The original's dates and its missing space are read; it escaped nothing."""
    read = parse_log_line(
        f"27-11-2024 12:51:58 - INFO - host - abc - 0.08 - a.py - {end}"
    )
    assert read == replace(
        LOG_LINE,
        time=NOON.replace(microsecond=0),
        host="host",
        run_id="abc",
        minutes=0.08,
        script="a.py",
        status=status,
        traceback=traceback,
    )


@pytest.mark.parametrize(
    "line",
    [
        "",
        "---------------",
        LINE.removesuffix(" - success"),
        LINE.replace("success", "perhaps"),
        LINE.replace("INFO", "DEBUG"),
        LINE.replace("0.08", "nan"),
        LINE.replace("2024-11-27", "2024-11-31"),
        LINE.replace("2024-11-27", "24-11-27"),
        LINE.replace("2024-11-27 12:51:58,954", "27-11-0000 12:51:58"),
        LINE.replace("2024", "٢٠٢٤"),
    ],
)
def test_what_is_no_log_line_reads_as_none(line: str) -> None:
    """A line that breaks the format in one place is not taken for a log line."""
    assert parse_log_line(line) is None


def _failed(**more: object) -> ScriptResult:
    facts: dict[str, object] = {
        "script": "main.py",
        "run_id": "39be3d37aed64",
        "number": 1,
        "outcome": Outcome.FAILURE,
        "started_at": NOON - timedelta(seconds=90),
        "duration": 90.0,
    }
    return ScriptResult(**facts | more)  # type: ignore[arg-type]


def test_a_success_becomes_an_info() -> None:
    """A success has no traceback field, whatever the setting."""
    success = _failed(outcome=Outcome.SUCCESS)
    assert log_line_of(success, host="pc", now=NOON, include_traceback=True) == LogLine(
        time=NOON,
        level="INFO",
        host="pc",
        run_id="39be3d37aed64",
        minutes=1.5,
        script="main.py",
        status="success",
    )


@pytest.mark.parametrize("piece", ["x", "\\", "\n", "é", "\x00", " - "])
def test_the_traceback_of_a_line_is_bounded(piece: str) -> None:
    """However it is escaped, a line stays one that people can read."""
    text = f"Traceback\n{piece * 60_000}\nKeyError: 1"
    failure = ScriptResult(
        script="main.py",
        run_id="39be3d37aed64",
        number=1,
        outcome=Outcome.FAILURE,
        started_at=NOON,
        attempts=(
            Attempt(
                outcome=Outcome.FAILURE,
                exit_code=1,
                started_at=NOON,
                duration=1.0,
                traceback=Traceback(text=text, exception="KeyError: 1"),
            ),
        ),
    )
    line = log_line_of(failure, host="pc", now=NOON, include_traceback=True)
    field = format_log_line(line).split(" - ", 7)[7]
    assert 8 * 1024 < len(field.encode()) <= MAX_TRACEBACK
    assert field.startswith("Traceback\\n")
    assert field.endswith("KeyError: 1")


@pytest.mark.parametrize(
    ("piece", "kept"),
    [("x", MAX_TRACEBACK), ("\\", MAX_TRACEBACK // 2), ("\x00", MAX_TRACEBACK // 4)],
)
def test_a_traceback_that_just_fits_is_kept_whole(piece: str, kept: int) -> None:
    """What counts is the room it takes as it is written; one character more is too much."""

    def logged(text: str) -> str | None:
        traceback = Traceback(text=text, exception="KeyError: 1")
        attempt = Attempt(
            outcome=Outcome.FAILURE,
            exit_code=1,
            started_at=NOON,
            duration=1.0,
            traceback=traceback,
        )
        failed = _failed(attempts=(attempt,))
        line = log_line_of(failed, host="pc", now=NOON, include_traceback=True)
        return line.traceback

    assert logged(piece * kept) == piece * kept
    assert logged(piece * (kept + 1)) != piece * (kept + 1)


def test_what_a_script_or_a_person_wrote_is_masked() -> None:
    """Name and traceback; a line that has no traceback gets none."""
    masker = Masker(["hunter2-secret"])
    line = replace(LOG_LINE, script="hunter2-secret.py")
    failed = replace(line, traceback="KeyError: 'hunter2-secret'")

    assert line.masked(masker) == replace(LOG_LINE, script="***.py")
    assert failed.masked(masker).traceback == "KeyError: '***'"
    assert replace(line, traceback="").masked(masker).traceback == ""


@pytest.mark.parametrize(
    ("said", "exception"),
    [
        (LONG_MESSAGE, "ValueError: 2 rows"),
        ("timed out after 45 s", "timed out after 45 s"),
        ("no access\nask Anna", "no access"),
    ],
)
def test_the_cause_is_read_from_the_log_as_from_an_output(
    said: str, exception: str
) -> None:
    """What the records missed is taken from the log, and is called the same."""
    line = replace(LOG_LINE, level="ERROR", status="failure", traceback=said)
    assert result_of(line, 1).exception == exception


def test_a_failure_becomes_an_error_with_its_traceback_when_wanted() -> None:
    """The traceback is logged only under ``include_traceback``."""
    attempt = Attempt(
        outcome=Outcome.FAILURE,
        exit_code=1,
        started_at=NOON,
        duration=1.0,
        traceback=Traceback(text="Traceback\nKeyError: 1", exception="KeyError: 1"),
    )
    failure = _failed(attempts=(attempt,), reason=Sentence.of("exit code 1"))
    log_line = log_line_of(failure, host="pc", now=NOON, include_traceback=True)
    assert (log_line.level, log_line.status) == ("ERROR", "failure")
    assert log_line.traceback == "Traceback\nKeyError: 1"
    quiet = log_line_of(failure, host="pc", now=NOON, include_traceback=False)
    assert quiet == replace(log_line, traceback=None)


def _kept(line: LogLine) -> LogLine:
    """Return what a log keeps of a line: milliseconds and hundredths of a minute."""
    time = line.time.replace(microsecond=line.time.microsecond // 1000 * 1000)
    return replace(line, time=time, minutes=round(line.minutes, 2))


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.SUCCESS])
def test_what_was_skipped_is_no_failure_and_the_rest_is(outcome: Outcome) -> None:
    """The log knows three outcomes; the reason tells the others apart."""
    result = _failed(outcome=outcome, reason=Sentence.of("because"))
    log_line = log_line_of(result, host="pc", now=NOON, include_traceback=True)
    skipped = outcome is Outcome.SKIPPED
    assert (log_line.level, log_line.status) == (
        ("WARNING", "skipped") if skipped else ("ERROR", "failure")
    )
    assert log_line.traceback == "because"
    assert parse_log_line(format_log_line(log_line)) == _kept(log_line)


def test_a_whole_run_that_was_skipped_is_one_line() -> None:
    """Its script is a star, and it splits into as many fields as any other line."""
    reason = Sentence.of("another run - of the project")
    for told in (True, False):
        line = log_line_of_skipped(
            LOG_LINE.run_id, reason, host="pc", now=NOON, include_traceback=told
        )
        text = format_log_line(line)
        _time, *fields = text.split(" - ", 7)
        assert fields[:6] == [
            *("WARNING", "pc", "39be3d37aed64", "0.00", "*", "skipped")
        ]
        assert fields[6:] == (["another run - of the project"] if told else [])
        assert parse_log_line(text) == _kept(line)
        assert run_id_of(text.encode()) == LOG_LINE.run_id
    bare = log_line_of_skipped(
        LOG_LINE.run_id, None, host="pc", now=NOON, include_traceback=True
    )
    assert bare.traceback is None


@pytest.mark.parametrize("said", [None, "not started: a.py failed"])
def test_a_skip_in_the_log_is_a_skip_in_the_records(said: str | None) -> None:
    """It has no attempt; its reason is that of the log, where that tells one."""
    line = replace(LOG_LINE, status="skipped", level="WARNING", traceback=said)
    result = result_of(line, 3)
    assert (result.outcome, result.attempts) == (Outcome.SKIPPED, ())
    assert str(result.reason) == (said or "skipped, according to the log")


def test_a_success_in_the_log_is_a_success_without_a_reason() -> None:
    """What the records take from the log tells of a failure only where one was."""
    result = result_of(LOG_LINE, 2)

    assert result.outcome is Outcome.SUCCESS
    assert (result.script, result.run_id, result.number) == (
        LOG_LINE.script,
        LOG_LINE.run_id,
        2,
    )
    assert result.duration == pytest.approx(60 * LOG_LINE.minutes)
    assert result.started_at == NOON - timedelta(minutes=LOG_LINE.minutes)
    assert result.reason is None
    (attempt,) = result.attempts
    assert (attempt.outcome, attempt.exit_code) == (Outcome.SUCCESS, None)
    assert (attempt.started_at, attempt.duration) == (
        result.started_at,
        result.duration,
    )
    assert attempt.reason is None
    assert attempt.traceback is None


def test_a_failure_in_the_log_has_its_last_line_as_the_exception() -> None:
    """The line that names the exception is the last one, however many there are."""
    text = 'Traceback (most recent call last):\n  File "a.py"\n    f()\nKeyError: 1'
    line = replace(LOG_LINE, level="ERROR", status="failure", traceback=text)
    result = result_of(line, 1)

    assert result.outcome is Outcome.FAILURE
    assert str(result.reason) == "failed, according to the log"
    assert result.attempts[0].reason == result.reason
    assert result.last_traceback == Traceback(text=text, exception="KeyError: 1")


def test_a_failure_without_a_traceback_has_a_reason_as_the_exception() -> None:
    """It is the first of its lines, as where a script ends with a message."""
    for said, exception in (("bad\nworse\nworst\n", "bad"), ("  ", "  ")):
        line = replace(LOG_LINE, level="ERROR", status="failure", traceback=said)
        traceback = result_of(line, 1).last_traceback
        assert traceback == Traceback(text=said, exception=exception)


def test_a_line_of_the_original_is_not_unescaped() -> None:
    """Only our own lines hold escapes; a path of Windows is none."""
    ours = parse_log_line(LINE.replace("main.py", r"a\\new.py"))
    old = parse_log_line(
        r"27-11-2024 12:51:58 - INFO - PC - 39be3d37aed64 - 0.08 - a\new.py - success"
    )
    forgot = parse_log_line(
        LINE.replace("main.py - success", r"a\new.py - failure- C:\temp")
    )

    assert ours
    assert ours.script == r"a\new.py"
    assert old
    assert old.script == r"a\new.py"
    assert forgot
    assert (forgot.script, forgot.traceback) == (r"a\new.py", r"C:\temp")
