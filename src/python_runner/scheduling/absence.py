"""The times in which the computer was off or asleep, and could run nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

#: What the computer does from a moment on.
ON, OFF, ASLEEP = "on", "off", "asleep"


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A time in which the computer could run nothing.

    Attributes:
        asleep: whether it was asleep; else it was off.
        begin: when that began; None where it is not known.
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
    state, since = None, None
    for time, change in sorted(changes):
        if time > slot:
            if state in {OFF, ASLEEP}:
                asleep = state == ASLEEP
                if change == ON:
                    return Absence(asleep=asleep, begin=since, end=time)
                return Absence(asleep=asleep, begin=since, end=None)
            return None
        state, since = change, time
    if state in {OFF, ASLEEP}:
        return Absence(asleep=state == ASLEEP, begin=since, end=None)
    return None
