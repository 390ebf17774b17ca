"""A release tells what has changed, and its tag names the version of its source."""

from __future__ import annotations

import pytest

from python_runner.version import __version__
from tools.changelog import ROOT, NotReady, main, section, version_of


pytestmark = pytest.mark.source

TEXT = """\
# Changelog

## [Unreleased]

## [1.10.0] - 2027-01-09

### Added

- The second thing.

## [1.1.0] - 2026-12-01

- The first thing, see [1.10.0].

## [1.0.1] - 2026-11-30

### Fixed

## [1.0.0]

- Without a day.

## [0.9.0] - 2026-01-01

- Twice.

## [0.9.0] - 2026-01-02

- Twice.

[1.10.0]: docs/commands.md
"""


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.10.0", "### Added\n\n- The second thing."),
        ("1.1.0", "- The first thing, see [1.10.0]."),
    ],
)
def test_the_section_of_a_version_is_found(version: str, expected: str) -> None:
    """All between its heading and the next one, and nothing of other versions."""
    assert section(TEXT, version) == expected


@pytest.mark.parametrize(
    ("version", "reason"),
    [
        ("1.2.0", "has 0 sections"),
        ("1.1", "has 0 sections"),
        ("0.9.0", "has 2 sections"),
        ("1.0.0", "does not say when"),
        ("1.0.1", "tells no change"),
        ("Unreleased", "tells no change"),
    ],
)
def test_a_section_that_is_missing_or_empty_is_an_error(
    version: str, reason: str
) -> None:
    """A release without one does not leave."""
    with pytest.raises(NotReady, match=reason):
        section(TEXT, version)


@pytest.mark.parametrize("tag", ["v1.2.3", "1.2.3"])
def test_a_tag_names_its_version(tag: str) -> None:
    """With and without the letter."""
    assert version_of(tag, "1.2.3") == "1.2.3"


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2.4", "1.2.3"),
        ("v1.2", "1.2"),
        ("v1.2.3.dev0", "1.2.3.dev0"),
        ("v1.2.3rc1", "1.2.3rc1"),
        ("vv1.2.3", "1.2.3"),
        ("latest", "1.2.3"),
        ("", "1.2.3"),
    ],
)
def test_a_tag_that_is_not_the_version_is_refused(tag: str, version: str) -> None:
    """What people install says of itself what they asked for."""
    with pytest.raises(NotReady):
        version_of(tag, version)


def test_the_changelog_tells_of_the_version_of_the_source() -> None:
    """Either it is being worked on, or it has its section."""
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")

    found = []
    for version in ("Unreleased", __version__):
        try:
            found.append(section(text, version))
        except NotReady:
            continue

    assert found


def test_the_command_fails_where_there_is_no_section(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With a sentence, and nothing that could become the text of a release."""
    assert main(["99.0.0"]) == 1
    out, error = capsys.readouterr()
    assert out == ""
    assert error == "CHANGELOG.md has 0 sections ## [99.0.0]: one is needed\n"
    assert main([]) == 2
    assert main(["v99.0.0"]) == 1
