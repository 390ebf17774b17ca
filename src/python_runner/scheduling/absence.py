"""The times in which the computer was off or asleep, and could run nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

#: What the computer does from a moment on.
ON, OFF, ASLEEP = "on", "off", "asleep"
#: Within this time several messages tell of one start.
_ONE_START = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A time in which the computer could run nothing.

    Attributes:
        asleep: whether it was asleep; else it was off.
        begin: when that began; None where nobody wrote it: the computer was started
            then, and whether it had been off before the moment is not known.
        end: when it ended; None where it is not known.
    """

    asleep: bool
    begin: datetime | None
    end: datetime | None


def absence_at(
    slot: datetime, changes: Iterable[tuple[datetime, str]]
) -> Absence | None:
    """Return what kept the computer from running anything at a moment; None: nothing.

    Args:
        slot: the moment.
        changes: ``on``, ``off`` and ``asleep``, with their times, in any order.
    """
    state: str | None = None
    since: datetime | None = None
    end: datetime | None = None
    for time, change in sorted(changes):
        if time > slot:
            end = time if change == ON else None
            break
        state, since = change, time
    if state in {OFF, ASLEEP}:
        return Absence(asleep=state == ASLEEP, begin=since, end=end)
    # What starts twice has gone off in between, and nobody wrote when.
    if end is not None and (since is None or end - since > _ONE_START):
        return Absence(asleep=False, begin=None, end=end)
    return None
