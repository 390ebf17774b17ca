"""Compiles the translation catalogues when the package is built or installed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


LOCALE = Path(__file__).parent / "src" / "python_runner" / "locale"


def compile_catalogues() -> None:
    """Write one ``.mo`` beside every ``.po``."""
    for source in LOCALE.glob("*/LC_MESSAGES/*.po"):
        # Two installations may go on at the same time: neither sees half a file.
        new = source.with_suffix(f".mo.{os.getpid()}")
        with source.open("rb") as po, new.open("wb") as mo:
            write_mo(mo, read_po(po, locale=source.parts[-3]))
        new.replace(source.with_suffix(".mo"))


class CatalogueHook(BuildHookInterface):  # type: ignore[type-arg]
    """Runs before hatchling collects the files, also for an editable install."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile; hatchling picks the results up as artifacts."""
        del version, build_data
        compile_catalogues()


if __name__ == "__main__":
    compile_catalogues()
