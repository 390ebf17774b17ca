"""Finds and stops scripts whose runner has died, by the marker in their environment."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.execution.environment import RUN_MARKER
from python_runner.execution.exit_reasons import ProcessInfo


if TYPE_CHECKING:
    from datetime import datetime


#: Seconds that processes of a run without a runner have to end after SIGTERM, and
#: seconds to go on killing them.
_GRACE = 1.0
_KILLING = 5.0


def is_alive(pid: int, since: datetime) -> bool:
    """Say whether a process that existed at ``since`` still does.

    A process that began later has taken over the number of one that ended.
    """
    import psutil  # noqa: PLC0415 - only where two runs meet

    try:
        process = psutil.Process(pid)
        return (
            process.status() != psutil.STATUS_ZOMBIE
            and process.create_time() <= since.timestamp() + 1
        )
    except psutil.Error:
        return False


def scripts_of(run_id: str) -> tuple[ProcessInfo, ...]:
    """Return the processes of a run that are alive, as far as this user may see them."""
    import psutil  # noqa: PLC0415

    found = []
    for process in psutil.process_iter():
        try:
            if (
                process.environ().get(RUN_MARKER) == run_id
                and process.status() != psutil.STATUS_ZOMBIE
            ):
                found.append(ProcessInfo(process.pid, process.name()))
        except (psutil.Error, OSError):
            continue
    return tuple(found)


def end_scripts_of(run_id: str) -> tuple[ProcessInfo, ...]:
    """Stop the processes of a run whose runner has died: terminate, wait, kill.

    Returns:
        The processes that were there.
    """
    import psutil  # noqa: PLC0415

    found: dict[int, ProcessInfo] = {}
    begin = time.monotonic()
    while members := scripts_of(run_id):
        passed = time.monotonic() - begin
        if passed > _GRACE + _KILLING:
            break
        for member in members:
            with suppress(psutil.Error, OSError):
                process = psutil.Process(member.pid)
                if passed > _GRACE:
                    process.kill()
                elif member.pid not in found:
                    process.terminate()
        found |= {member.pid: member for member in members}
        time.sleep(0.05)
    return tuple(found.values())
