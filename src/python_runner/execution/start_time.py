"""Measures how long an interpreter takes to start, and what installed packages add to it.

A line of a ``.pth`` file that begins with ``import`` is run by each start of Python, and so
are ``sitecustomize`` and ``usercustomize``.
"""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

#: Starts of each kind; the quickest counts, because a busy machine only adds to it.
_STARTS = 3
#: Seconds that one start may take.
_PATIENCE = 20.0
#: Modules that are named.
_NAMED = 3
#: A line of ``-X importtime``: microseconds of the module and of all it imports, the
#: depth as an indent, the name.
_LINE = lazy_pattern(r"import time:\s+\d+ \|\s+(\d+) \| ( *)(\S+)")
#: Microseconds from which on a module is worth a name.
_NOTABLE = 20_000
#: What ``site`` imports by itself.
_USUAL = frozenset({"os", "codecs", "stat", "_sitebuiltins"})
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0


@dataclass(frozen=True, slots=True)
class StartTime:
    """How long an interpreter takes to start.

    Attributes:
        whole: seconds until it runs the first line of a script.
        bare: the same without what is installed for it.
        slowest: the modules that installed packages load at each start, the slowest first.
    """

    whole: float
    bare: float
    slowest: tuple[str, ...] = ()

    @property
    def site(self) -> float:
        """Seconds that what is installed takes."""
        return max(0.0, self.whole - self.bare)

    @property
    def is_slow(self) -> bool:
        """Say whether a person would notice: half a second, and most of the start."""
        return self.site > 0.5 and self.site > 2 * self.bare  # noqa: PLR2004 - as it says


def measure_start(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> StartTime | None:
    """Start an interpreter some times, and say how long it took; None if it does not."""
    times = [
        min(_durations([*command, *flags, "-c", "pass"], folder, environ), default=None)
        for flags in ((), ("-S",))
    ]
    if None in times:
        return None
    whole, bare = (time or 0.0 for time in times)
    found = StartTime(whole, bare)
    if not found.is_slow:
        return found
    listed = _run([*command, "-X", "importtime", "-c", "pass"], folder, environ)
    return StartTime(whole, bare, slowest_of(listed or ""))


def slowest_of(listing: str) -> tuple[str, ...]:
    """Return which modules ``site`` imports for packages, by what `-X importtime` prints."""
    found: dict[str, int] = {}
    for microseconds, indent, name in _LINE.findall(listing):
        # Two spaces a level: ``site`` stands at the top, what it imports one below.
        if indent == "  " and int(microseconds) >= _NOTABLE and name not in _USUAL:
            found[name] = int(microseconds)
    names = sorted(found, key=lambda name: found[name], reverse=True)
    return tuple(names[:_NAMED])


def _durations(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> Iterator[float]:
    for _ in range(_STARTS):
        begin = time.monotonic()
        if _run(command, folder, environ) is None:
            return
        yield time.monotonic() - begin


def _run(
    command: Sequence[str], folder: Path, environ: Mapping[str, str]
) -> str | None:
    """Return what a start prints as errors; None where it fails."""
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that runs the scripts
            command,
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            creationflags=_FLAGS,
            timeout=_PATIENCE,
            check=True,
        )
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return done.stderr.decode("utf-8", "replace")
