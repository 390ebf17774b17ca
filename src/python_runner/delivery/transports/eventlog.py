"""The event log of this computer: Windows Event Log, or syslog.

It needs no network, no mailbox and no folder, and administrators look there. An entry
holds the report's text, cut to what the log takes.
"""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.model import Cause
from python_runner.report.mime import plain_text
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from python_runner.model import Message, Receipt

#: The source of the entries in the Windows Event Log, and their name in syslog.
SOURCE = "Python Runner"
IDENTITY = "python-runner"
#: Characters of one entry of Windows: a string may have 31,839, and all that is passed on
#: with an entry about 60 KB.
LONGEST_ENTRY = 15_000
#: Characters of a line of syslog, of which old daemons cut at 1,024 bytes, and how many
#: lines a report may have there.
_LINE = 240
_LINES = 100
#: EVENTLOG_INFORMATION_TYPE and the number of the event.
_INFORMATION = 4
_EVENT = 1
#: Facility "user", severity "notice" (RFC 5424).
_PRIORITY = 1 << 3 | 5
#: Seconds that the daemon may take for a line.
_SECONDS = 5.0
#: Where daemons listen: Linux and the BSDs, macOS.
SOCKETS = (Path("/dev/log"), Path("/var/run/log"), Path("/var/run/syslog"))


class EventLogTransport:
    """Writes the text of each message into the event log of this computer."""

    def __init__(self, sockets: tuple[Path, ...] = SOCKETS) -> None:
        """Take where syslog may listen; Windows has one log only."""
        self._sockets = sockets

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Write ``message``; one answer for all of its recipients."""
        error: DeliveryError | None = None
        try:
            self.write(message)
        except OSError as os_error:
            error = DeliveryError(Cause.CLOSED, self.problem(os_error))
        return receipts_for(message.recipients, error)

    def close(self) -> None:
        """Do nothing: nothing stays open."""

    def write(self, message: Message) -> None:
        """Write the subject and the text of ``message``.

        Raises:
            OSError: the log takes nothing.
        """
        subject, text = one_line(message.subject, _LINE), plain_text(message.content)
        if sys.platform == "win32":
            _report_event(entry(subject, text))
        else:
            _to_syslog(lines(subject, text, message.message_id), self._sockets)

    def problem(self, error: OSError) -> Sentence:
        """Return what an error of :meth:`write` means."""
        return Sentence.of(
            N_("the event log of this computer accepts no report: {error}"),
            error=system_error(error),
        )


def entry(subject: str, text: str) -> str:
    """Return a report as one entry of the Windows Event Log."""
    whole = clean(f"{subject}\n\n{text}").replace("\0", "")
    # It counts in units of UTF-16, of which an emoji has two.
    units = whole.encode("utf-16-le", "replace")[: 2 * LONGEST_ENTRY]
    return units.decode("utf-16-le", "ignore")


def lines(subject: str, text: str, identity: str) -> list[str]:
    """Return a report as lines of syslog: the first one names it, and says all in short."""
    told = [one_line(line, _LINE) for line in text.splitlines() if line.strip()]
    return [f"{subject} {identity}", *told[:_LINES]]


if sys.platform == "win32":

    def _report_event(text: str) -> None:
        import ctypes  # noqa: PLC0415 - seldom used
        from ctypes import wintypes  # noqa: PLC0415

        advapi = ctypes.WinDLL("advapi32", use_last_error=True)
        advapi.RegisterEventSourceW.argtypes = [wintypes.LPCWSTR, wintypes.LPCWSTR]
        advapi.RegisterEventSourceW.restype = wintypes.HANDLE
        advapi.DeregisterEventSource.argtypes = [wintypes.HANDLE]
        advapi.ReportEventW.argtypes = [
            *(wintypes.HANDLE, wintypes.WORD, wintypes.WORD, wintypes.DWORD),
            *(ctypes.c_void_p, wintypes.WORD, wintypes.DWORD),
            *(ctypes.POINTER(wintypes.LPCWSTR), ctypes.c_void_p),
        ]
        advapi.ReportEventW.restype = wintypes.BOOL
        log = advapi.RegisterEventSourceW(None, SOURCE)
        if not log:
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            texts = (wintypes.LPCWSTR * 1)(text)
            if not advapi.ReportEventW(
                log, _INFORMATION, 0, _EVENT, None, 1, 0, texts, None
            ):
                raise ctypes.WinError(ctypes.get_last_error())
        finally:
            advapi.DeregisterEventSource(log)

else:

    def _to_syslog(said: list[str], sockets: tuple[Path, ...]) -> None:
        import socket  # noqa: PLC0415 - seldom used

        path = next((path for path in sockets if path.exists()), sockets[0])
        begin = f"<{_PRIORITY}>{IDENTITY}[{os.getpid()}]: "
        records = [f"{begin}{line}".encode("utf-8", "replace") for line in said]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as log:
                log.settimeout(_SECONDS)
                log.connect(str(path))
                for record in records:
                    log.send(record)
                return
        except OSError as error:
            if error.errno != errno.EPROTOTYPE:
                raise
        # Some daemons listen for connections: a record ends with a NUL there.
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as log:
            log.settimeout(_SECONDS)
            log.connect(str(path))
            log.sendall(b"".join(record + b"\0" for record in records))
