"""Finds packages that bear Python Runner's import name, ``python_runner``.

The original and somebody else's package on the index bear it as well. Two that lie in
one environment overwrite each other's files, and whichever is uninstalled takes files of
the other with it.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import re
from importlib.metadata import Distribution, PackageNotFoundError, distributions
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.exceptions import Problem
from python_runner.files import exists, is_file, read_regular, real_folder
from python_runner.installation import (
    DISTRIBUTION,
    package_command,
    shell_word,
    single_file,
)
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator

#: The folder of the modules that run now.
PACKAGE = Path(__file__).parents[1]
#: A line of an installer's list of files that puts one into the package.
_OWNS = lazy_pattern(rf"^(?:\.\.[/\\])*{PACKAGE.name}(?:[/\\]|\.py\b)", re.MULTILINE)
#: No module is larger.
_LIMIT = 10_000_000


def package_problems(folder: Path) -> Iterator[Problem]:
    """Yield what takes the import name from Python Runner, or may, and what to do.

    Args:
        folder: where people start programs of their own: Python looks there first.
    """
    if single_file():
        # It has its modules to itself, and whoever changes them changes the file.
        return
    reinstall = package_command("install", f"--force-reinstall --no-deps {_source()}")
    foreign = sorted(set(_foreign_distributions()))
    for name, version in foreign:
        message = _(
            "{name} {version} is installed in the same environment and has the same"
            " import name: it replaces files of Python Runner, or removes them when it"
            " is uninstalled. Type `{uninstall}`, then `{reinstall}`"
        )
        uninstall = package_command("uninstall", name)
        values = {"version": version, "uninstall": uninstall, "reinstall": reinstall}
        yield Problem(str(PACKAGE), "", message.format(name=name, **values))
    if not foreign and (changed := next(_changed_files(), None)):
        message = _(
            "this file of Python Runner is missing, or was changed after it was installed."
            " Type `{reinstall}`"
        )
        yield Problem(str(changed), "", message.format(reinstall=reinstall))
    if other := _shadow(folder):
        message = _(
            "a program that is started in this folder imports this package instead of"
            " Python Runner: move it away, or give it another name"
        )
        yield Problem(str(other), "", message)


def _own_distribution() -> Distribution | None:
    """Return what the installer noted of Python Runner; None where it noted nothing."""
    try:
        return Distribution.from_name(DISTRIBUTION)
    except PackageNotFoundError:
        return None


def _source() -> str:
    """Return where Python Runner was installed from: its folder, repository or name."""
    own = _own_distribution()
    origin = json.loads((own and own.read_text("direct_url.json")) or "{}")
    url = origin.get("url")
    if not url:
        return DISTRIBUTION
    if system := origin.get("vcs_info", {}).get("vcs"):
        return shell_word(f"{system}+{url}")
    editable = origin.get("dir_info", {}).get("editable")
    return ("-e " if editable else "") + shell_word(url)


def _foreign_distributions() -> Iterator[tuple[str, str]]:
    """Yield name and version of each package but ours that installed such files."""
    for found in distributions():
        name = found.metadata["Name"] or ""
        if re.sub("[-_.]+", "-", name).lower() == DISTRIBUTION:
            continue
        # The list of today's installers, that of older ones, and the names alone.
        files = found.read_text("RECORD") or found.read_text("installed-files.txt")
        names = (found.read_text("top_level.txt") or "").split()
        if PACKAGE.name in names or _OWNS.search(files or ""):
            yield name, found.version


def _changed_files() -> Iterator[Path]:
    """Yield the files of ours whose content is not what was installed."""
    own = _own_distribution()
    if own is None:
        return
    # Not ``own.files``: since Python 3.12 that passes over files that are missing.
    for row in csv.reader((own.read_text("RECORD") or "").splitlines()):
        name, noted = (*row, "", "")[:2]
        if not noted or not name.startswith(f"{PACKAGE.name}/"):
            continue
        path = Path(str(own.locate_file(name)))
        kind, _equals, value = noted.partition("=")
        try:
            digest = hashlib.new(kind, read_regular(path, _LIMIT)).digest()
        except (OSError, ValueError):
            yield path
            continue
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != value:
            yield path


def _shadow(folder: Path) -> Path | None:
    """Return a package or module of the name in a folder; None where it is ours."""
    package, module = folder / PACKAGE.name, folder / f"{PACKAGE.name}.py"
    if exists(package / "__init__.py"):
        ours = real_folder(package) == real_folder(PACKAGE)
        return None if ours else package
    return module if is_file(module) else None
