"""Which packages an interpreter finds, as its folders say; no interpreter is started."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

from python_runner.execution.environment import python_version
from python_runner.files import read_regular
from python_runner.hashes import sha256
from python_runner.model.provenance import Packages
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from python_runner.model import Interpreter

#: Entries of a folder that are looked at, and bytes of what one says of itself.
_MOST_ENTRIES, _LONGEST = 50_000, 100_000
_INFO = lazy_pattern(r"(.+)-(\d[^-]*)\.dist-info")
_EGG = lazy_pattern(r"(.+?)-(\d[^-]*)(?:-py\d[^-]*(?:-.+)?)?\.egg(?:-info)?")
_KEY = lazy_pattern(r"(?im)^(name|version):[ \t]*(\S+)[ \t\r]*$")
_SEPARATORS = lazy_pattern(r"[-_.]+")
_SYSTEM_SITES = lazy_pattern(r"(?im)^\s*include-system-site-packages\s*=\s*true\s*$")


def package_folders(
    interpreter: Interpreter, environment: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the folders in which an interpreter finds packages, in their order.

    Args:
        interpreter: what it said of itself.
        environment: of the scripts.
    """
    version = python_version(interpreter)
    if version is None:
        return ()
    programs = dict.fromkeys(filter(None, (interpreter.path, interpreter.base)))
    for program in filter(os.path.isfile, programs):
        prefix, settings = _virtual_environment(program)
        own = _existing(_sites(prefix, version)) if prefix else []
        if prefix and not _SYSTEM_SITES.search(settings):
            return tuple(own)
        behind = interpreter.base if prefix else program
        base = _base_prefix(behind) if behind else None
        shared = _existing(_sites(base, version)) if base else []
        if own or shared:
            users = _existing(_user_sites(version, environment))
            return tuple(dict.fromkeys((*own, *users, *shared)))
    return ()


def stamp_of(folders: Sequence[str]) -> str:
    """Return what changes when a package in one of the folders does.

    Raises:
        OSError: one is gone or cannot be looked at.
    """
    return " ".join(str(os.stat(folder).st_mtime_ns) for folder in folders)  # noqa: PTH116


def read_packages(folders: Sequence[str]) -> Packages:
    """Return the packages in some folders; of several of one name the first counts.

    Raises:
        OSError: a folder cannot be read.
    """
    found: dict[str, str] = {}
    for folder in folders:
        here: dict[str, str] = {}
        for entry in sorted(os.listdir(folder)[:_MOST_ENTRIES]):  # noqa: PTH208
            if package := _package(folder, entry):
                here[package[0]] = package[1]
        found = {**here, **found}
    versions = tuple(sorted(found.items()))
    return Packages(fingerprint=_fingerprint(versions), versions=versions)


def _fingerprint(versions: tuple[tuple[str, str], ...]) -> str:
    return sha256(json.dumps(versions).encode())[:32]


def _package(folder: str, entry: str) -> tuple[str, str] | None:
    """Return name and version of what an entry of a folder tells of, or None."""
    # With this sign an installer puts aside what it replaces.
    if entry.startswith("~") or not entry.endswith(("-info", ".egg")):
        return None
    match = _INFO.fullmatch(entry) or _EGG.fullmatch(entry)
    if match:
        return _normal(match[1]), match[2]
    said = dict(_said(f"{folder}{os.sep}{entry}"))
    if "name" in said and "version" in said:
        return _normal(said["name"]), said["version"]
    return None


def _said(folder: str) -> Iterator[tuple[str, str]]:
    for name in ("METADATA", "PKG-INFO"):
        try:
            text = read_regular(f"{folder}{os.sep}{name}", _LONGEST).decode(
                "utf-8", "replace"
            )
        except (OSError, ValueError):
            continue
        head = text.replace("\r\n", "\n").partition("\n\n")[0]
        for key, value in _KEY.findall(head):
            yield key.lower(), value


def _normal(name: str) -> str:
    """Return a name as the package index compares them."""
    return _SEPARATORS.sub("-", name).lower()


def _virtual_environment(program: str) -> tuple[str | None, str]:
    """Return the folder of the environment that a program is of, and its settings."""
    beside = os.path.dirname(program)  # noqa: PTH120
    for folder in (beside, os.path.dirname(beside)):  # noqa: PTH120
        try:
            settings = read_regular(f"{folder}{os.sep}pyvenv.cfg", _LONGEST)
        except (OSError, ValueError):
            continue
        return folder, settings.decode("utf-8", "replace")
    return None, ""


def _existing(folders: Iterator[str]) -> list[str]:
    return [folder for folder in folders if os.path.isdir(folder)]  # noqa: PTH112


if sys.platform == "win32":

    def _base_prefix(program: str) -> str:
        return os.path.dirname(os.path.realpath(program))  # noqa: PTH120

    def _sites(prefix: str, version: tuple[int, int]) -> Iterator[str]:  # noqa: ARG001
        yield f"{prefix}\\Lib\\site-packages"

    def _user_sites(
        version: tuple[int, int], environment: Mapping[str, str]
    ) -> Iterator[str]:
        roaming = environment.get("APPDATA")
        if roaming and not environment.get("PYTHONNOUSERSITE"):
            major, minor = version
            yield f"{roaming}\\Python\\Python{major}{minor}\\site-packages"

else:

    def _base_prefix(program: str) -> str:
        return os.path.dirname(os.path.dirname(os.path.realpath(program)))  # noqa: PTH120

    def _sites(prefix: str, version: tuple[int, int]) -> Iterator[str]:
        python = "{}.{}".format(*version)
        for folder in (
            f"lib/python{python}/site-packages",
            f"lib64/python{python}/site-packages",
            f"lib/pypy{python}/site-packages",
            # Debian's.
            f"local/lib/python{python}/dist-packages",
            f"lib/python{version[0]}/dist-packages",
        ):
            yield os.path.join(prefix, folder)  # noqa: PTH118

    def _user_sites(
        version: tuple[int, int], environment: Mapping[str, str]
    ) -> Iterator[str]:
        home = environment.get("HOME")
        if not home or environment.get("PYTHONNOUSERSITE"):
            return
        python = "{}.{}".format(*version)
        yield os.path.join(home, f".local/lib/python{python}/site-packages")  # noqa: PTH118
        if sys.platform == "darwin":
            folder = f"Library/Python/{python}/lib/python/site-packages"
            yield os.path.join(home, folder)  # noqa: PTH118
