"""The results that wait to be written to the fleet's folder, in the state folder.

Each is one file. Two processes that deliver the same one write the same file twice.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from python_runner.computer import host_name
from python_runner.facts import dataclass
from python_runner.files import (
    PRIVATE_FILE_MODE,
    private_folder,
    read_regular,
    remove,
    replacing,
)
from python_runner.fleet.documents import MOST_BYTES, Writer
from python_runner.fleet.names import computer_folder, run_file, run_name


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Run

#: Results that wait at most; the oldest are dropped beyond, and counted.
MOST_WAITING = 1000
_MOST_STATE, _MOST_NUMBER = 10_000, 10**10
#: How often, and after how many seconds each time, a file is read that is being made.
_TRIES, _PAUSE = 50, 0.02
_FOLDER, _QUEUE = "fleet", "queue"
_WRITER, _NUMBER, _TROUBLE, _CLEANED = (
    "writer.json",
    "number",
    "trouble.json",
    "cleaned",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Results could not be written when this was last tried.

    Attributes:
        since: when that began.
        reason: why, in English.
        told: whether a report has told it.
        dropped: how many results were dropped meanwhile, because too many waited.
    """

    since: str
    reason: str
    told: bool = False
    dropped: int = 0


class Queue:
    """What a state folder keeps for the fleet. Its texts hold no secrets."""

    def __init__(self, home: Path) -> None:
        """Take the state folder; nothing is made yet."""
        self._folder = home / _FOLDER
        self._queue = self._folder / _QUEUE

    def writer(self) -> Writer:
        """Return who writes here; made when it is asked for first.

        Raises:
            OSError: it cannot be read or made.
        """
        path = self._folder / _WRITER
        known = self._read(path)
        if not _is_writer(known):
            identity = os.urandom(6).hex()
            known = {"id": identity, "folder": computer_folder(host_name(), identity)}
            private_folder(self._folder)
            with suppress(FileExistsError):
                self._write(self._folder / _NUMBER, {"last": 0}, overwrite=False)
            try:
                # Of two processes at once the first one decides.
                self._write(path, known, overwrite=path.exists())
            except FileExistsError:
                known = self._patiently_read(path)
        if not _is_writer(known):
            raise OSError(f"{path} is damaged")
        return Writer(
            id=known["id"], folder=known["folder"], name=host_name(), account=_account()
        )

    def add(self, run: Run, make: Callable[[int], bytes]) -> None:
        """Queue a result; the oldest are dropped where too many wait.

        Args:
            run: whose it is.
            make: returns the content, of the number of the result.

        Raises:
            OSError: it cannot be written.
        """
        private_folder(self._queue)
        waiting = self.waiting()
        path = self._folder / _NUMBER
        last = self._read(path).get("last")
        if not isinstance(last, int):
            # It is damaged. No computer runs something each second: the seconds since 1970
            # are more than it has counted, and readers take the greatest for the newest.
            last = int(run.started_at.timestamp())
        newest = run_name(waiting[-1].name) if waiting else None
        number = (max(last, newest.number if newest else 0, 0) + 1) % _MOST_NUMBER
        name = run_file(number, run.started_at, run.run_id, run.path)
        with replacing(self._queue / name, mode=PRIVATE_FILE_MODE) as file:
            file.write(make(number))
        self._write(path, {"last": number})
        if spare := waiting[: max(len(waiting) + 1 - MOST_WAITING, 0)]:
            for old in spare:
                with suppress(OSError):
                    remove(old)
            if trouble := self.trouble():
                self._keep(trouble, dropped=trouble.dropped + len(spare))

    def waiting(self) -> list[Path]:
        """Return the files that wait, the oldest first.

        Raises:
            OSError: they cannot be listed.
        """
        try:
            names = os.listdir(self._queue)  # noqa: PTH208 - names alone
        except FileNotFoundError:
            return []
        return [self._queue / n for n in sorted(names) if run_name(n)]

    def content(self, path: Path) -> bytes | None:
        """Return a file that waits; None: another process has delivered it.

        Raises:
            OSError: it cannot be read.
        """
        try:
            return read_regular(path, MOST_BYTES)
        except FileNotFoundError:
            return None

    def trouble(self) -> Trouble | None:
        """Return what is wrong with writing; None: nothing."""
        known = self._read(self._folder / _TROUBLE)
        since, reason = known.get("since"), known.get("reason")
        told, dropped = known.get("told"), known.get("dropped")
        if not (isinstance(since, str) and isinstance(reason, str)):
            return None
        return Trouble(
            since=since,
            reason=reason,
            told=told is True,
            dropped=dropped if isinstance(dropped, int) else 0,
        )

    def note_trouble(self, reason: str, now: str) -> bool:
        """Note that nothing could be written; return whether that is new."""
        known = self.trouble()
        self._keep(known or Trouble(since=now, reason=reason), reason=reason)
        return known is None

    def note_told(self) -> None:
        """Note that people know of the trouble."""
        if known := self.trouble():
            self._keep(known, told=True)

    def note_success(self) -> None:
        """Note that all was written."""
        with suppress(OSError):
            remove(self._folder / _TROUBLE)

    def was_cleaned(self, day: str) -> bool:
        """Say whether old files have been deleted on a day already; note it if not."""
        path = self._folder / _CLEANED
        if self._read(path).get("day") == day:
            return True
        with suppress(OSError):
            self._write(path, {"day": day})
        return False

    def _keep(self, trouble: Trouble, **changed: Any) -> None:
        values = {
            "since": trouble.since,
            "reason": trouble.reason,
            "told": trouble.told,
            "dropped": trouble.dropped,
        } | changed
        with suppress(OSError):
            private_folder(self._folder)
            self._write(self._folder / _TROUBLE, values)

    def _read(self, path: Path) -> dict[str, Any]:
        """Return what is kept; nothing where it cannot be read."""
        try:
            values = json.loads(read_regular(path, _MOST_STATE))
        except (OSError, ValueError, RecursionError):
            return {}
        return values if isinstance(values, dict) else {}

    def _patiently_read(self, path: Path) -> dict[str, Any]:
        """Return what another process keeps at this moment."""
        for _ in range(_TRIES):
            if known := self._read(path):
                return known
            time.sleep(_PAUSE)
        return {}

    def _write(self, path: Path, values: object, *, overwrite: bool = True) -> None:
        with replacing(path, overwrite=overwrite, mode=PRIVATE_FILE_MODE) as file:
            file.write(json.dumps(values).encode())


def _is_writer(known: dict[str, Any]) -> bool:
    identity, folder = known.get("id"), known.get("folder")
    return (
        isinstance(identity, str)
        and isinstance(folder, str)
        and computer_folder(folder.removesuffix(f"-{identity}"), identity) == folder
    )


def _account() -> str:
    import getpass  # noqa: PLC0415 - a run alone asks

    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return ""
