"""What journals and log files of POSIX systems say of cron, timers, sleep and boots."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from python_runner.scheduling.absence import absence_at
from python_runner.scheduling.journal import (
    SLEEP_BEGINS,
    SLEEP_ENDS,
    boot_changes,
    boots,
    cron_starts,
    cron_troubles,
    is_noted,
    last_changes,
    read_journal,
    read_syslog,
    sleep_changes,
)


pytestmark = pytest.mark.pure
NOW = datetime(2026, 11, 26, 9, tzinfo=UTC).astimezone()


def micro(text: str) -> int:
    """Return a time of 2026 in UTC as a journal writes it."""
    moment = datetime.strptime(f"2026-{text} +0000", "%Y-%m-%d %H:%M %z")
    return int(moment.timestamp() * 1_000_000)


def message(time: str, text: object, program: str = "CRON", **more: str) -> str:
    """Return a line of ``journalctl -o json``."""
    fields = {"__REALTIME_TIMESTAMP": str(micro(time)), "MESSAGE": text}
    return json.dumps({**fields, "SYSLOG_IDENTIFIER": program, **more})


def test_a_journal_is_read_line_by_line() -> None:
    """What is no message is passed over; one that is not UTF-8 is a list of bytes."""
    text = "\n".join(
        (
            message("11-26 05:00", "(ann) CMD (python-runner run /srv/p)"),
            message("11-26 05:01", list(b"caf\xe9")),
            "-- No entries --",
            '{"MESSAGE": "without a time"}',
            message("11-26 05:02", None),
            '{"__REALTIME_TIMESTAMP": "9e99"}',
        )
    )

    first, second, third = read_journal(text)

    assert first.time == datetime(2026, 11, 26, 5, tzinfo=UTC)
    assert second.text == "caf\N{REPLACEMENT CHARACTER}"
    assert third.text == ""


_CLASSIC = """\
Nov 26 06:00:01 pc7 CRON[4242]: (ann) CMD (cd /srv/p && python-runner run .)
Nov 26 06:00:01 pc7 CRON[4241]: pam_unix(cron:session): session opened for user ann
Nov 26 06:17:01 pc7 CRON[4250]: (root) CMD (cd / && run-parts --report /etc/cron.hourly)
Nov 26 06:20:00 pc7 systemd[1]: Started Daily apt activities.
not a line at all
Foo 26 06:00:01 pc7 CRON[1]: (ann) CMD (x)
Feb 30 06:00:01 pc7 CRON[1]: (ann) CMD (x)
"""
_MODERN = """\
2026-11-26T06:00:01.123456+01:00 pc7 CRON[4242]: (ann) CMD (python-runner run /srv/p)
2026-11-26T05:00:02Z pc7 crond[4242]: (ann) CMD (true)
2026-11-26T06:00:01+01:00 pc7 crond[900]: (ann) ERROR (failed to change user)
"""


def test_both_forms_of_syslog_are_read() -> None:
    """Local times without a year, and times of ISO 8601."""
    classic = list(cron_starts(read_syslog(_CLASSIC, NOW)))
    assert [(s.user, s.command) for s in classic] == [
        ("ann", "cd /srv/p && python-runner run ."),
        ("root", "cd / && run-parts --report /etc/cron.hourly"),
    ]
    assert classic[0].time.astimezone().strftime("%m-%d %H:%M:%S") == "11-26 06:00:01"
    modern = list(cron_starts(read_syslog(_MODERN, NOW)))
    assert [s.time.astimezone(UTC).second for s in modern] == [1, 2]


def test_a_line_of_december_is_of_last_year() -> None:
    """No log tells of the future."""
    january = datetime(2027, 1, 2, tzinfo=UTC).astimezone()
    (line,) = read_syslog("Dec 31 06:00:01 pc7 CRON[1]: (ann) CMD (x)\n", january)
    assert line.time.year == 2026


@pytest.mark.parametrize(
    "text",
    [
        "(ann) ERROR (failed to change user)",
        "(ann) WRONG FILE OWNER (crontabs/ann)",
        "(CRON) error (can't fork)",
        "pam_unix(cron:account): account ann has expired",
        "(ann) AUTH (crontab command not allowed)",
        "Permission denied",
    ],
)
def test_what_cron_refused_is_noticed(text: str) -> None:
    """It says so in the log, and runs nothing."""
    messages = read_journal(message("11-26 05:00", text))

    assert [told for _time, told in cron_troubles(messages)] == [text]
    assert is_noted(messages)


def test_what_is_usual_is_no_trouble() -> None:
    """A command, the mail of its output, a session, and what others write."""
    usual = (
        message("11-26 05:00", "(ann) CMD (python-runner run /srv/p)"),
        message("11-26 05:00", "(ann) MAIL (mailed 12 bytes of output)"),
        message("11-26 05:00", "(ann) ERROR (x)", "postfix/pickup"),
    )
    assert list(cron_troubles(read_journal("\n".join(usual)))) == []


def test_a_night_is_seen_in_the_boots() -> None:
    """The last message of a boot is when it ended; the present one has none."""
    rows = [
        {"index": i, "boot_id": "0", "first_entry": micro(a), "last_entry": micro(b)}
        for i, a, b in (
            (-1, "11-20 07:00", "11-25 18:02"),
            (0, "11-26 07:10", "11-26 09:00"),
        )
    ]

    changes = list(boot_changes(boots(json.dumps(rows))))
    absence = absence_at(datetime(2026, 11, 26, 5, tzinfo=UTC), changes)

    assert absence is not None
    assert absence.begin == datetime(2026, 11, 25, 18, 2, tzinfo=UTC)
    assert absence.end == datetime(2026, 11, 26, 7, 10, tzinfo=UTC)
    assert absence_at(datetime(2026, 11, 26, 8, tzinfo=UTC), changes) is None
    assert absence_at(datetime(2026, 11, 25, 8, tzinfo=UTC), changes) is None


@pytest.mark.parametrize("text", ["", " 0 5f0 Mon 2026-11-23 07:00", "[{}]", "{}", "3"])
def test_a_table_of_boots_is_nobodys_language(text: str) -> None:
    """An older journalctl prints one; it tells nothing."""
    assert boots(text) == []


def test_last_tells_of_starts_and_ends() -> None:
    """``last -x --time-format iso``, newest first; a crash has no line of its own."""
    text = (
        "reboot   system boot  6.1.0-13-amd64   2026-11-26T08:10:00+01:00 - still running\n"
        "shutdown system down  6.1.0-13-amd64   2026-11-25T19:02:00+01:00 - 2026-11-26T08:10\n"
        "ann      tty7         :0               2026-11-25T09:00:00+01:00 - down\n"
        "\nwtmp begins 2026-11-01T08:00:00+01:00\n"
    )
    absence = absence_at(datetime(2026, 11, 26, 5, tzinfo=UTC), last_changes(text))

    assert absence is not None
    assert absence.begin == datetime(2026, 11, 25, 18, 2, tzinfo=UTC)


def test_a_sleep_is_known_by_the_ids_of_its_messages() -> None:
    """Whatever systemd calls it in this version and language."""
    text = "\n".join(
        (
            message(
                "11-25 22:00", "En veille", "systemd-sleep", MESSAGE_ID=SLEEP_BEGINS
            ),
            message("11-26 06:30", "Reprise", "systemd-sleep", MESSAGE_ID=SLEEP_ENDS),
        )
    )
    changes = list(sleep_changes(read_journal(text)))
    night = datetime(2026, 11, 26, 5, tzinfo=UTC)

    absence = absence_at(night, changes)

    assert absence is not None
    assert absence.asleep
    assert absence_at(night + timedelta(hours=2), changes) is None
    assert absence_at(night - timedelta(days=1), changes) is None
