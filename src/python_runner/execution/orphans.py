"""Processes whose runner may have died: is it alive, and what did it leave?"""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.execution.environment import RUN_MARKER
from python_runner.execution.exit_reasons import ProcessInfo
from python_runner.execution.process_names import named


if TYPE_CHECKING:
    from collections.abc import Callable

    import psutil

    from python_runner.masking import Masker

#: Seconds that processes of a run without a runner have to end after SIGTERM, and
#: seconds to go on killing them.
_GRACE = 1.0
_KILLING = 5.0


if sys.platform == "linux":

    def process_start(pid: int) -> str:
        """Return what distinguishes a living process from a later one with its id.

        The start is counted from the boot: a time of day would change with the clock.
        The text is empty where no such process lives.
        """
        boot = ""
        with suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        try:
            stat = Path(f"/proc/{pid}/stat").read_bytes()
        except OSError:
            return ""
        # The name in parentheses may hold anything; fields 3 (state) and 22 (start).
        state, *fields = stat.rpartition(b")")[2].split()
        return "" if state in {b"Z", b"X"} else f"{boot}:{int(fields[18])}"

else:

    def process_start(pid: int) -> str:
        """Return a text as on Linux, empty where no such process lives.

        The platform notes the moment once, so the clock may be set afterwards.
        """
        import psutil  # noqa: PLC0415 - slow to import

        try:
            process = psutil.Process(pid)
            if process.status() == psutil.STATUS_ZOMBIE:
                return ""
            return str(process.create_time())
        # A number that no process of this platform can have.
        except (psutil.Error, OverflowError):
            return ""


def is_alive(pid: int, start: str) -> bool:
    """Say whether the process that :func:`process_start` described still lives."""
    return bool(start) and pid > 0 and process_start(pid) == start


def foreign_account(pid: int) -> str | None:
    """Return the account whose process it is, where it is not this process's own.

    None where it is, and where there is no such process. An account that the system does
    not tell is an empty text.
    """
    import psutil  # noqa: PLC0415

    try:
        account = psutil.Process(pid).username()
    except psutil.NoSuchProcess:
        return None
    except (psutil.Error, OSError, OverflowError):
        return ""
    return None if account == psutil.Process().username() else account


def scripts_of(run_id: str, masker: Masker) -> tuple[ProcessInfo, ...]:
    """Return the processes of a run that are alive, as far as this user may see them.

    They are named by their command lines, without what the masker knows.
    """
    import psutil  # noqa: PLC0415

    return _processes(
        lambda process: (
            process.environ().get(RUN_MARKER) == run_id
            and process.status() != psutil.STATUS_ZOMBIE
        ),
        masker,
    )


def holders_of(path: Path, masker: Masker) -> tuple[ProcessInfo, ...]:
    """Return the processes that have a file open, as far as this user may see them."""
    return _processes(
        lambda process: any(o.path == str(path) for o in process.open_files()), masker
    )


def _processes(
    fits: Callable[[psutil.Process], bool], masker: Masker
) -> tuple[ProcessInfo, ...]:
    import psutil  # noqa: PLC0415

    found: list[ProcessInfo] = []
    for process in psutil.process_iter():
        try:
            if fits(process):
                member = ProcessInfo(process.pid, process.name())
                found.extend(named([member], masker).values())
        except (psutil.Error, OSError):
            continue
    return tuple(found)


def end_scripts_of(run_id: str, masker: Masker) -> tuple[ProcessInfo, ...]:
    """Stop the processes of a run whose runner has died: terminate, wait, kill.

    Returns:
        The processes that were there.
    """
    return _end(lambda: scripts_of(run_id, masker))


def end_marked(variable: str, value: str) -> tuple[ProcessInfo, ...]:
    """Stop the processes with this variable in their environment, in the same way.

    Returns:
        The processes that were there; their names alone may be shown.
    """
    import psutil  # noqa: PLC0415

    def marked() -> tuple[ProcessInfo, ...]:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error, OSError):
                if (
                    process.environ().get(variable) == value
                    and process.status() != psutil.STATUS_ZOMBIE
                ):
                    found.append(ProcessInfo(process.pid, process.name()))
        return tuple(found)

    return _end(marked)


def _end(members_now: Callable[[], tuple[ProcessInfo, ...]]) -> tuple[ProcessInfo, ...]:
    import psutil  # noqa: PLC0415

    found: dict[int, ProcessInfo] = {}
    begin = time.monotonic()
    while members := members_now():
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
        # As it was named first: what is ending has no command line any more.
        found = {member.pid: member for member in members} | found
        time.sleep(0.05)
    return tuple(found.values())
