"""The list of what a wheel brings with it names the wheel, and all of it."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tools.sbom import Incomplete, completed, main


if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.source


def bom() -> dict[str, Any]:
    """Return the list of a wheel that needs click, which needs colorama."""
    return {
        "metadata": {
            "component": {"name": "python-series-runner", "bom-ref": "root-component"}
        },
        "components": [
            {"bom-ref": "click==8.5", "purl": "pkg:pypi/click@8.5"},
            {"bom-ref": "colorama==1", "purl": "pkg:pypi/colorama@1"},
        ],
        "dependencies": [
            {"ref": "root-component", "dependsOn": ["click==8.5"]},
            {"ref": "click==8.5", "dependsOn": ["colorama==1"]},
            {"ref": "colorama==1"},
        ],
    }


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """Return a wheel."""
    path = tmp_path / "python_series_runner-1.2.3-py3-none-any.whl"
    path.write_bytes(b"a wheel")
    return path


@pytest.mark.usefixtures("wheel")
def test_it_names_the_wheel(tmp_path: Path) -> None:
    """By version, package and digest, in a file beside it."""
    source = tmp_path / "list.json"
    source.write_text(json.dumps(bom()), "utf-8")

    assert main([str(source), str(tmp_path)]) == 0

    path = tmp_path / "python_series_runner-1.2.3.cdx.json"
    root = json.loads(path.read_text("utf-8"))["metadata"]["component"]
    assert root["version"] == "1.2.3"
    assert root["purl"] == "pkg:pypi/python-series-runner@1.2.3"
    digest = hashlib.sha256(b"a wheel").hexdigest()
    assert root["hashes"] == [{"alg": "SHA-256", "content": digest}]


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("metadata", "component", "name"), "python-runner", "not about"),
        (("dependencies", 1, "dependsOn"), [], "nothing needs colorama==1"),
        (("dependencies", 0, "dependsOn"), ["rich==1"], "nothing needs click==8.5"),
        (("dependencies", 1, "dependsOn"), ["colorama==1", "x==1"], "missing: x==1"),
        (("components", 0, "purl"), "", "click==8.5 does not say"),
        (("components",), [], "missing: click==8.5, colorama==1"),
    ],
)
def test_a_list_that_is_not_whole_is_refused(
    place: tuple[Any, ...], value: object, said: str, wheel: Path
) -> None:
    """It lacks a package, or the environment had one of something else."""
    document: Any = bom()
    *above, last = place
    inner = document
    for part in above:
        inner = inner[part]
    inner[last] = value

    with pytest.raises(Incomplete, match=said):
        completed(document, wheel)


def test_an_empty_list_is_refused(wheel: Path) -> None:
    """Python Runner needs something."""
    document = bom() | {"components": [], "dependencies": []}

    with pytest.raises(Incomplete, match="empty"):
        completed(document, wheel)
