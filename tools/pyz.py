"""Makes the single file ``python-runner-PLATFORM.pyz`` of a wheel, with all its extras.

``python -m tools.pyz WHEEL FOLDER`` makes that of this platform, for every Python that the
wheel supports; ``--platform`` names others, ``--python`` fewer versions. It needs ``uv``,
which finds the wheels of other platforms and versions.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tools.pyz_main import this_platform


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: What uv calls the platforms. Of Linux the C library must be as new as Debian 12's.
PLATFORMS = {
    "linux-x86_64": "x86_64-manylinux_2_28",
    "linux-aarch64": "aarch64-manylinux_2_28",
    "macos-arm64": "aarch64-apple-darwin",
    "windows-x86_64": "x86_64-pc-windows-msvc",
}
PYTHONS = ("3.11", "3.12", "3.13", "3.14")
#: Commands and pages of an installation, which a file is none of.
_LEFT_OUT = ("bin/", "Scripts/", "share/")
#: When all that is in an archive was made: the earliest that it can say.
_MOMENT = (1980, 1, 1, 0, 0, 0)
_STARTER = b"#!/usr/bin/env python3\n"


class Conflict(Exception):
    """Two Pythons need different files of the same name."""


def make(
    wheel: Path, folder: Path, platform: str, pythons: Sequence[str] = PYTHONS
) -> Path:
    """Make the file of a platform.

    Args:
        wheel: Python Runner.
        folder: where the file is put.
        platform: one of ``PLATFORMS``.
        pythons: versions of Python that can start it.

    Raises:
        Conflict: the versions cannot share one file.
        subprocess.CalledProcessError: a package has no wheel for one of them.
    """
    content: dict[str, bytes] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for python in pythons:
            site = Path(temporary, python)
            _install(wheel, site, PLATFORMS[platform], python)
            _add(content, site)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"python-runner-{platform}.pyz"
    pack(content, target, platform, pythons)
    return target


def pack(
    content: Mapping[str, bytes], target: Path, platform: str, pythons: Sequence[str]
) -> None:
    """Write the file: the same bytes for the same content.

    Args:
        content: what it unpacks to a folder of modules, by path.
        target: the file; replaced.
        platform: where it can be started.
        pythons: by which versions.
    """
    main = Path(__file__).with_name("pyz_main.py").read_bytes()
    facts = {
        "digest": _digest(content),
        "platform": platform,
        "pythons": list(pythons),
    }
    target.write_bytes(_STARTER)
    with zipfile.ZipFile(target, "a") as packed:
        _write(packed, "__main__.py", main)
        _write(packed, "facts.json", json.dumps(facts, indent=1).encode())
        for name, data in sorted(content.items()):
            _write(packed, f"site/{name}", data)
    target.chmod(0o755)


def _install(wheel: Path, site: Path, platform: str, python: str) -> None:
    uv = shutil.which("uv", path=str(Path(sys.executable).parent)) or "uv"
    command = [uv, "pip", "install", "--quiet", "--target", str(site)]
    command += ["--python-version", python, "--python-platform", platform]
    command += ["--only-binary", ":all:", f"{wheel}[all]"]
    subprocess.run(command, check=True)


def _add(content: dict[str, bytes], site: Path) -> None:
    """Add what was installed for one Python to what others need.

    Compiled modules bear the version in their names, or serve all; Python takes its own.
    """
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_dir() or name.startswith((*_LEFT_OUT, ".")):
            continue
        data = path.read_bytes()
        # Which wheel a package came from differs, and the list of its files.
        if content.setdefault(name, data) != data and ".dist-info/" not in name:
            raise Conflict(f"{name} is not the same for all versions of Python")


def _digest(content: Mapping[str, bytes]) -> str:
    """Return what tells this content from any other."""
    digest = hashlib.sha256()
    for name, data in sorted(content.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()[:16]


def _write(packed: zipfile.ZipFile, name: str, data: bytes) -> None:
    entry = zipfile.ZipInfo(name, _MOMENT)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o644 << 16
    packed.writestr(entry, data)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make the files, and print their paths."""
    parser = argparse.ArgumentParser(prog="python -m tools.pyz", description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--platform", action="append", choices=PLATFORMS)
    parser.add_argument("--python", action="append", choices=PYTHONS)
    chosen = parser.parse_args(arguments)
    for platform in chosen.platform or [this_platform()]:
        pythons = chosen.python or PYTHONS
        print(make(chosen.wheel.resolve(), chosen.folder, platform, pythons))
    return 0


if __name__ == "__main__":
    sys.exit(main())
