"""Makes what is in a package and not in the repository: catalogues, manual pages."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


ROOT = Path(__file__).parent
LOCALE = ROOT / "src" / "python_runner" / "locale"
#: Where ``man`` looks for each language, below ``share/man``.
MANUALS = {"en": "man1", "fr": "fr/man1"}


def compile_catalogues() -> None:
    """Write one ``.mo`` beside every ``.po``."""
    for source in LOCALE.glob("*/LC_MESSAGES/*.po"):
        # Two installations may go on at the same time: neither sees half a file.
        new = source.with_suffix(f".mo.{os.getpid()}")
        new.write_bytes(compiled(source))
        new.replace(source.with_suffix(".mo"))


def compiled(source: Path) -> bytes:
    """Return a catalogue as programs read it, always the same for the same source."""
    with source.open("rb") as po:
        catalogue = read_po(po, locale=source.parts[-3])
    # It would be the moment of this build: no two packages would be the same.
    catalogue.creation_date = datetime(1980, 1, 1, tzinfo=UTC)
    mo = BytesIO()
    write_mo(mo, catalogue)
    return mo.getvalue()


def make_manuals(folder: Path) -> dict[str, str]:
    """Write the manual page of each language.

    Returns:
        Where each file belongs in an installation.
    """
    places = {}
    for language, place in MANUALS.items():
        path = folder / language
        with path.open("wb") as page:
            subprocess.run(
                [sys.executable, ROOT / "tools" / "manual.py", language],
                stdout=page,
                check=True,
            )
        places[str(path)] = f"share/man/{place}/python-runner.1"
    return places


class PackageHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before hatchling collects the files, also for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Make the files; hatchling takes catalogues as artifacts, pages as data."""
        compile_catalogues()
        if self.target_name == "wheel" and version != "editable":
            self._manuals = TemporaryDirectory()
            build_data["shared_data"] = make_manuals(Path(self._manuals.name))

    def finalize(
        self, version: str, build_data: dict[str, Any], artifact_path: str
    ) -> None:
        """Remove what the package has now."""
        del version, build_data, artifact_path
        if hasattr(self, "_manuals"):
            self._manuals.cleanup()


if __name__ == "__main__":
    compile_catalogues()
