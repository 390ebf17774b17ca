"""Reads what ``journalctl``, ``last`` and syslog tell: cron, timers, sleep, boots."""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.scheduling.absence import ASLEEP, OFF, ON


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: What systemd calls the messages that matter: the same in every version and language.
SLEEP_BEGINS = "6bbd95ee977941e497c48be27c254128"
SLEEP_ENDS = "8811e6df2a8e40f58a94cea26f8ebf14"
UNIT_STARTS = "7d4958e842da4a758f6c1cdc7b36dcc5"
UNIT_STARTED = "39f53479d3a045ac8e11786248231fbf"
UNIT_FAILED = "be02cf6855d2428ba40df7e9d022f03d"
PROCESS_EXITED = "98e322203f7a4ed290d09fe03c09fe15"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One message of a journal.

    Attributes:
        time: when it was logged, aware.
        text: what it says.
        program: what logged it: ``CRON``, ``systemd``.
        kind: the id of the message; empty where it has none.
        fields: all that it holds.
    """

    time: datetime
    text: str
    program: str = ""
    kind: str = ""
    fields: dict[str, Any]


def read_journal(text: str) -> list[Message]:
    """Return the messages that ``journalctl -o json`` has printed; others are left out."""
    messages = []
    for line in text.splitlines():
        try:
            fields = json.loads(line)
            time = datetime.fromtimestamp(
                int(fields["__REALTIME_TIMESTAMP"]) / 1_000_000, UTC
            )
        except (ValueError, KeyError, TypeError, OverflowError, OSError):
            continue
        messages.append(
            Message(
                time=time,
                text=_text(fields.get("MESSAGE")),
                program=_text(fields.get("SYSLOG_IDENTIFIER")),
                kind=_text(fields.get("MESSAGE_ID")).replace("-", "").lower(),
                fields=fields,
            )
        )
    return messages


def _text(value: object) -> str:
    """Return a field as text: one that is not UTF-8 is a list of bytes."""
    if isinstance(value, list):
        try:
            return bytes(value).decode("utf-8", "replace")
        except (ValueError, TypeError):
            return ""
    return value if isinstance(value, str) else ""


def boots(text: str) -> list[tuple[datetime, datetime]]:
    """Return first and last message of each boot, of ``journalctl --list-boots -o json``.

    Raises nothing: an older journalctl prints a table, which is in nobody's language.
    """
    try:
        rows = json.loads(text)
        found = [
            (
                datetime.fromtimestamp(row["first_entry"] / 1_000_000, UTC),
                datetime.fromtimestamp(row["last_entry"] / 1_000_000, UTC),
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        return []
    return sorted(found)


def boot_changes(
    found: Iterable[tuple[datetime, datetime]],
) -> Iterator[tuple[datetime, str]]:
    """Yield when the computer went on and off, by its boots; the present one goes on."""
    known = sorted(found)
    for begin, end in known:
        yield begin, ON
        if (begin, end) != known[-1]:
            yield end, OFF


def sleep_changes(messages: Iterable[Message]) -> Iterator[tuple[datetime, str]]:
    """Yield when the computer went to sleep, and woke up."""
    for message in messages:
        if message.kind == SLEEP_BEGINS:
            yield message.time, ASLEEP
        elif message.kind == SLEEP_ENDS:
            yield message.time, ON


_LAST = lazy_pattern(
    r"^(reboot|shutdown)\s.*?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:?\d\d)",
    re.MULTILINE,
)


def last_changes(text: str) -> Iterator[tuple[datetime, str]]:
    """Yield when the computer went on and off, of ``last -x --time-format iso``."""
    for word, moment in _LAST.findall(text):
        yield datetime.fromisoformat(moment), ON if word == "reboot" else OFF


_CLASSIC = lazy_pattern(
    r"^(?P<month>[A-Z][a-z]{2}) +(?P<day>\d+) (?P<time>\d\d:\d\d:\d\d) \S+ "
    r"(?P<program>[^\[:\s]+)(?:\[\d+\])?: (?P<text>.*)$"
)
_MODERN = lazy_pattern(
    r"^(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)) \S+ "
    r"(?P<program>[^\[:\s]+)(?:\[\d+\])?: (?P<text>.*)$"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905


def read_syslog(text: str, now: datetime) -> list[Message]:
    """Return the lines of a syslog file, of both forms that rsyslog writes.

    Args:
        text: the file, or its end.
        now: the older form names no year: its lines are from the year before this.
    """
    messages = []
    for line in text.splitlines():
        if found := _MODERN.match(line):
            time = datetime.fromisoformat(found["time"])
        elif (found := _CLASSIC.match(line)) and found["month"] in _MONTHS:
            clock = datetime.strptime(found["time"], "%H:%M:%S").time()  # noqa: DTZ007
            month = _MONTHS.index(found["month"]) + 1
            try:
                day = date(now.year, month, int(found["day"]))
                time = datetime.combine(day, clock).astimezone()
                if time > now + timedelta(days=1):
                    time = time.replace(year=now.year - 1).astimezone()
            except ValueError:
                continue
        else:
            continue
        messages.append(
            Message(time=time, text=found["text"], program=found["program"], fields={})
        )
    return messages


#: What cron's own programs are called in a log.
_CRON = lazy_pattern(r"^(?:.*/)?(?:cron|crond|cronie)$", re.IGNORECASE)
_COMMAND = lazy_pattern(r"^\((?P<user>[^)]*)\) CMD \((?P<command>.*?)\)?$")
_TROUBLE = lazy_pattern(
    r"^\((?P<user>[^)]*)\) (?P<what>[A-Z][A-Z ]+) \((?P<text>.*)\)$"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CronStart:
    """A command that cron has started."""

    time: datetime
    user: str
    command: str


def cron_starts(messages: Iterable[Message]) -> Iterator[CronStart]:
    """Yield the commands that cron has started."""
    for message in messages:
        if _CRON.match(message.program) and (found := _COMMAND.match(message.text)):
            yield CronStart(
                time=message.time, user=found["user"], command=found["command"]
            )


def cron_troubles(messages: Iterable[Message]) -> Iterator[tuple[datetime, str]]:
    """Yield what cron has refused or could not do: errors, wrong lines, PAM."""
    for message in messages:
        if not _CRON.match(message.program):
            continue
        found = _TROUBLE.match(message.text)
        wrong = found and found["what"].split()[0] in {"ERROR", "WRONG", "AUTH", "MAIL"}
        if (wrong and found and found["what"] != "MAIL") or re.search(
            r"pam|permission denied|bad (minute|hour|day)|account.*expired|can't",
            message.text,
            re.IGNORECASE,
        ):
            yield message.time, message.text


def is_noted(messages: Iterable[Message]) -> bool:
    """Say whether cron has written anything at all: then its silence means something."""
    return any(_CRON.match(message.program) for message in messages)
