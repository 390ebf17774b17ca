"""Builds the sdist and the wheel several times, and says whether they are the same bytes.

``python -m tools.reproduce FOLDER`` leaves them in the folder. ``SOURCE_DATE_EPOCH`` dates
what they hold.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[1]
#: What a folder of the source has and a fresh clone has not.
_LEFT_OUT = shutil.ignore_patterns(
    *(".git", ".venv*", ".*_cache", ".hypothesis", ".coverage*", "__pycache__"),
    *("*.mo", "build", "dist", "htmlcov", ".env"),
)


class NotTheSame(Exception):
    """Two builds of one source differ."""


@dataclass(frozen=True)
class Surroundings:
    """What must not show in a package.

    Attributes:
        umask: which permissions new files lack (POSIX).
        modified: when each file of the source was changed, in seconds since 1970.
        later: how much later the clock is (where ``faketime`` is installed), in days.
        variables: what the environment says.
    """

    umask: int
    modified: int
    later: int
    variables: Mapping[str, str] = field(default_factory=dict)


HERE = Surroundings(umask=0o022, modified=1_700_000_000, later=0)
ELSEWHERE = Surroundings(
    umask=0o077,
    modified=1_800_000_000,
    later=400,
    variables={
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "LANGUAGE": "fr",
        "PYTHONHASHSEED": "12345",
        "COLUMNS": "30",
    },
)


def build_everywhere(folder: Path) -> list[Path]:
    """Build in several surroundings, and the wheel from the sdist; keep them in ``folder``.

    Returns:
        The sdist and the wheel.

    Raises:
        NotTheSame: one of them is not what the others are.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        first = build(copied(ROOT, work / "one" / "source", HERE), HERE)
        other = build(copied(ROOT, work / "elsewhere", ELSEWHERE), ELSEWHERE)
        with tarfile.open(first["sdist"]) as archive:
            archive.extractall(work / "unpacked", filter="data")
        (source,) = (work / "unpacked").iterdir()
        again = build(source, HERE)
        for kind in ("sdist", "wheel"):
            compare(first[kind], other[kind], "built elsewhere")
            compare(first[kind], again[kind], "built from the sdist")
        return [Path(shutil.copy(first[kind], folder)) for kind in ("sdist", "wheel")]


def copied(source: Path, target: Path, where: Surroundings) -> Path:
    """Return a copy of the source, without what it has been used for."""
    shutil.copytree(source, target, ignore=_LEFT_OUT)
    for path in (target, *target.rglob("*")):
        usual = 0o777 if path.is_dir() or os.access(path, os.X_OK) else 0o666
        path.chmod(usual & ~where.umask)
        os.utime(path, (where.modified, where.modified))
    return target


def build(source: Path, where: Surroundings) -> dict[str, Path]:
    """Build the sdist and the wheel of a source folder, and return their paths by kind."""
    target = source.parent / f"dist-{source.name}"
    command = [sys.executable, "-m", "hatchling", "build", "-d", str(target)]
    if where.later and (faketime := shutil.which("faketime")):
        command = [faketime, "-f", f"+{where.later}d", *command]
    done = subprocess.run(
        command,
        cwd=source,
        env={**os.environ, **where.variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        umask=where.umask if sys.platform != "win32" else -1,
        check=False,
    )
    if done.returncode:
        raise NotTheSame(f"the build in {source} failed:\n{done.stdout}")
    (sdist,), (wheel,) = target.glob("*.tar.gz"), target.glob("*.whl")
    return {"sdist": sdist, "wheel": wheel}


def compare(one: Path, other: Path, how: str) -> None:
    """Do nothing where two archives are the same.

    Raises:
        NotTheSame: they differ; says in what.
    """
    if one.name != other.name:
        raise NotTheSame(f"{one.name} is called {other.name} when it is {how}")
    if one.read_bytes() == other.read_bytes():
        return
    first, second = dict(members(one)), dict(members(other))
    different = [
        name
        for name in sorted({*first, *second})
        if first.get(name) != second.get(name)
    ]
    names = ", ".join(different[:10]) or "the order or the archive itself"
    raise NotTheSame(f"{one.name} is not the same when it is {how}: {names}")


def members(archive: Path) -> Iterator[tuple[str, object]]:
    """Yield each file of an archive with what identifies it."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            for entry in wheel.infolist():
                facts = (entry.date_time, entry.external_attr)
                yield entry.filename, (facts, wheel.read(entry))
    else:
        with tarfile.open(archive) as sdist:
            for member in sdist:
                file = sdist.extractfile(member)
                yield member.name, (member.get_info(), file.read() if file else b"")


def main(arguments: list[str]) -> int:
    """Build, and print the digest of each package."""
    if len(arguments) != 1:
        print("usage: python -m tools.reproduce FOLDER", file=sys.stderr)
        return 2
    try:
        packages = build_everywhere(Path(arguments[0]))
    except NotTheSame as error:
        print(error, file=sys.stderr)
        return 1
    for path in packages:
        print(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
