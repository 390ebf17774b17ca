"""Completes the list of what a wheel brings with it (SBOM, CycloneDX).

``python -m tools.sbom LIST.json FOLDER`` takes the list that ``cyclonedx-py`` made of an
environment with nothing but the wheel in FOLDER, adds which wheel that is, and writes it there.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from python_runner.installation import DISTRIBUTION


class Incomplete(ValueError):
    """The list lacks what the wheel needs, or holds what it does not."""


def completed(bom: dict[str, Any], wheel: Path) -> dict[str, Any]:
    """Return the list with the version and the digest of the wheel.

    Raises:
        Incomplete: it is not about Python Runner, or a package is missing or left over.
    """
    root = bom["metadata"]["component"]
    if root["name"] != DISTRIBUTION:
        raise Incomplete(f"the list is about {root['name']}, not about {DISTRIBUTION}")
    version = wheel.name.split("-")[1]
    root |= {
        "version": version,
        "purl": f"pkg:pypi/{DISTRIBUTION}@{version}",
        "hashes": [
            {
                "alg": "SHA-256",
                "content": hashlib.sha256(wheel.read_bytes()).hexdigest(),
            }
        ],
    }
    needs = {node["ref"]: node.get("dependsOn", []) for node in bom["dependencies"]}
    reached, waiting = set[str](), [root["bom-ref"]]
    while waiting:
        for reference in needs.get(waiting.pop(), []):
            if reference not in reached:
                reached.add(reference)
                waiting.append(reference)
    listed = {part["bom-ref"]: part for part in bom["components"]}
    for name, part in listed.items():
        if name not in reached:
            raise Incomplete(f"nothing needs {name}, which is in the environment")
        if not re.fullmatch(r"pkg:pypi/[^@]+@.+", part.get("purl", "")):
            raise Incomplete(f"{name} does not say which package it is")
    if missing := sorted(reached - set(listed)):
        raise Incomplete(f"missing: {', '.join(missing)}")
    if not reached:
        raise Incomplete("the list is empty")
    return bom


def main(arguments: list[str]) -> int:
    """Write the list beside its wheel, and print its path."""
    if len(arguments) != 2:  # noqa: PLR2004 - as the usage says
        print("usage: python -m tools.sbom LIST.json FOLDER", file=sys.stderr)
        return 2
    source, folder = map(Path, arguments)
    (wheel,) = folder.glob("*.whl")
    try:
        bom = completed(json.loads(source.read_text("utf-8")), wheel)
    except Incomplete as error:
        print(error, file=sys.stderr)
        return 1
    target = folder / f"{'-'.join(wheel.name.split('-')[:2])}.cdx.json"
    target.write_text(json.dumps(bom, indent=2) + "\n", "utf-8", newline="\n")
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
