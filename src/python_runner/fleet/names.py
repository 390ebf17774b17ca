"""The names of folders and files of a fleet; any other name is left alone.

A computer has one folder, ``<name>-<id>``, with ``computer.json`` and a folder for each
month. A run is ``<number>-<start>-<run id>-<project>.json`` there: who lists the names
knows the rhythm of each project and reads few files. All names are safe on Windows.
"""

from __future__ import annotations

from binascii import crc32
from datetime import datetime
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import real_folder
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from pathlib import Path

COMPUTER_FILE = "computer.json"
#: Years of moments that are believed: nobody's clock is that wrong.
YEARS = range(2000, 2100)
_LONGEST = 40
_UNSAFE = lazy_pattern(r"[^A-Za-z0-9_]+")
_COMPUTER = lazy_pattern(r"[A-Za-z0-9_-]{1,41}-([0-9a-f]{12})")
_MONTH = lazy_pattern(r"[0-9]{4}-(?:0[1-9]|1[0-2])")
_RUN = lazy_pattern(
    r"([0-9]{10})-([12][0-9]{7}T[0-9]{6}[+-][0-9]{4})-[0-9a-f]{13}-([0-9a-f]{8})\.json"
)
_START = "%Y%m%dT%H%M%S%z"


@dataclass(frozen=True, slots=True)
class RunName:
    """What the name of a run's file tells.

    Attributes:
        number: the place of the run among those of its computer.
        started_at: to the second.
        project: the same for all runs of one project of this computer.
    """

    number: int
    started_at: datetime
    project: str


def computer_folder(name: str, identity: str) -> str:
    """Return the name of a computer's folder.

    What begins it is for people: its end tells computers of the same name apart.
    """
    safe = _UNSAFE.sub("-", name).strip("-")[:_LONGEST] or "computer"
    return f"{safe}-{identity}"


def identity_of(folder: str) -> str | None:
    """Return the identity in the name of a computer's folder; None: it is none."""
    found = _COMPUTER.fullmatch(folder)
    return found[1] if found else None


def is_month(folder: str) -> bool:
    """Say whether a folder holds the runs of a month."""
    return _MONTH.fullmatch(folder) is not None


def run_file(number: int, started_at: datetime, run_id: str, project: Path) -> str:
    """Return the name of a run's file; names of one computer sort as its runs do."""
    folder = real_folder(project).encode(errors="surrogatepass")
    # It only tells the few projects of one computer apart; loading hashes takes longer
    # than all else here.
    return f"{number:010d}-{started_at:{_START}}-{run_id}-{crc32(folder):08x}.json"


def run_name(file: str) -> RunName | None:
    """Return what the name of a run's file tells; None: it is none."""
    found = _RUN.fullmatch(file)
    if found is None:
        return None
    try:
        started_at = datetime.fromisoformat(found[2])
    except ValueError:
        return None
    if started_at.year not in YEARS:
        return None
    return RunName(int(found[1]), started_at, found[3])
