"""Scripts whose runner is gone: found by the marker in their environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.execution.endings import Member
from python_runner.execution.environment import RUN_MARKER


if TYPE_CHECKING:
    from datetime import datetime


def is_alive(pid: int, since: datetime) -> bool:
    """Say whether a process that existed at ``since`` still does.

    A process that began later only has got the number of one that ended.
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


def scripts_of(run_id: str) -> tuple[Member, ...]:
    """Return the living processes that were started for a run, as far as one may see."""
    import psutil  # noqa: PLC0415

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(RUN_MARKER) == run_id:
                found.append(Member(process.pid, process.name()))
        except (psutil.Error, OSError):
            continue
    return tuple(found)
