"""The section of ``CHANGELOG.md`` about one version.

``python -m tools.changelog 1.0.0`` prints it; with a tag (``v1.0.0``) it checks as well that
the tag names the version that the source has.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from python_runner.version import __version__


ROOT = Path(__file__).parents[1]
#: The heading of a version: its number in brackets, and the day of its release.
_HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?P<rest>.*)$", re.MULTILINE)
_DAY = re.compile(r" - \d{4}-\d\d-\d\d")
#: Of a version that can be released: no part that says "not yet".
_FINAL = re.compile(r"\d+\.\d+\.\d+")


class NotReady(ValueError):
    """A version cannot be released as things are."""


def section(changelog: str, version: str) -> str:
    """Return what a changelog says of a version, without its heading.

    Raises:
        NotReady: it says nothing of it, says it twice, or not when it was released.
    """
    headings = [*_HEADING.finditer(changelog)]
    found = [heading for heading in headings if heading["version"] == version]
    if len(found) != 1:
        raise NotReady(
            f"CHANGELOG.md has {len(found)} sections ## [{version}]: one is needed"
        )
    (heading,) = found
    if version != "Unreleased" and not _DAY.fullmatch(heading["rest"]):
        raise NotReady(
            f"the section of {version} in CHANGELOG.md does not say when it was released:"
            f" ## [{version}] - YEAR-MONTH-DAY"
        )
    later = [other.start() for other in headings if other.start() > heading.start()]
    text = changelog[heading.end() : min(later, default=len(changelog))]
    # Links of the whole page may stand at its end.
    text = re.sub(r"^\[[^\]]+\]: .*$", "", text, flags=re.MULTILINE).strip()
    if not re.search(r"^- \S", text, re.MULTILINE):
        raise NotReady(f"the section of {version} in CHANGELOG.md tells no change")
    return text


def version_of(tag: str, version: str) -> str:
    """Return the version that a tag names, ``v1.0.0`` or ``1.0.0``.

    Args:
        tag: what is to be released.
        version: what the source says it is.

    Raises:
        NotReady: they differ, or it is no version for everybody.
    """
    named = tag.removeprefix("v")
    if not _FINAL.fullmatch(named):
        raise NotReady(f"{tag} names no version that can be released, such as v1.0.0")
    if named != version:
        raise NotReady(f"the tag {tag} names {named}, and version.py says {version}")
    return named


def main(arguments: list[str]) -> int:
    """Print the section, or say why there is none."""
    if len(arguments) != 1:
        print("usage: python -m tools.changelog VERSION or TAG", file=sys.stderr)
        return 2
    (wanted,) = arguments
    try:
        version = version_of(wanted, __version__) if wanted[:1] == "v" else wanted
        print(section((ROOT / "CHANGELOG.md").read_text("utf-8"), version))
    except NotReady as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.exit(main(sys.argv[1:]))
