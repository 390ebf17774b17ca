"""What browsers load: small, ours, and what is somebody else's as it was released."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

import python_runner
from python_runner.web.layout import static_files


pytestmark = pytest.mark.source

STATIC = Path(python_runner.__file__).parent / "web" / "static"
#: Bytes of a first visit that nobody should wait for.
FIRST_LOAD = 150_000


def test_the_files_of_others_are_as_they_were_released() -> None:
    """By their hashes, with their licences beside them."""
    vendor = STATIC / "vendor"
    lines = (vendor / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("  ") for line in lines if not line.startswith("#")]
    sums = {name: digest for digest, name in pairs}
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in vendor.iterdir()
        if path.name != "SHA256SUMS"
    }
    assert found == sums
    assert {name.split("-")[0] for name in sums} == {"htmx", "uPlot"}
    assert {"htmx-LICENSE.txt", "uPlot-LICENSE.txt"} <= sums.keys()


def test_a_first_visit_loads_little() -> None:
    """All that any page but a project's needs, and with the chart of that one."""
    files = static_files()
    chart = sum(len(files[name].content) for name in files if "uPlot" in name)
    whole = sum(len(file.content) for file in files.values())
    assert whole - chart < FIRST_LOAD - 50_000
    assert whole < FIRST_LOAD


def test_our_own_files_ask_nothing_from_elsewhere() -> None:
    """No address of another server, no import, no inline style or evaluated text."""
    for path in [*STATIC.glob("*.js"), *STATIC.glob("*.css")]:
        text = path.read_text(encoding="utf-8")
        for forbidden in ("http:", "https:", "@import", "eval(", ".style."):
            assert forbidden not in text, path.name
