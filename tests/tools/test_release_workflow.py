"""The workflow that releases has few rights, and runs nothing that others can change."""

from __future__ import annotations

import re

import pytest

from tools.changelog import ROOT
from tools.pyz import PLATFORMS, PYTHONS


pytestmark = pytest.mark.source

TEXT = (ROOT / ".github/workflows/release.yml").read_text("utf-8")
#: The workflow's jobs, each with its lines.
JOBS = dict(
    re.findall(
        r"^  (\w+):\n((?:    .*\n|\n| +#.*\n)+)",
        TEXT.partition("\njobs:\n")[2],
        re.MULTILINE,
    )
)


def rights(job: str) -> dict[str, str]:
    """Return what a job may do."""
    block = re.search(
        r"^    permissions:(.*\n(?:      .*\n)*)", JOBS[job], re.MULTILINE
    )
    assert block, f"{job} does not say what it may do"
    return dict(re.findall(r"([\w-]+): (\w+)", block[1]))


def test_each_job_has_no_more_rights_than_it_needs() -> None:
    """One alone may say who it is, and it runs no code of this repository."""
    assert "\npermissions: {}\n" in TEXT
    assert {job: rights(job) for job in JOBS} == {
        "build": {"contents": "read"},
        "try": {},
        "publish": {"id-token": "write", "attestations": "write"},
        "page": {"contents": "write"},
    }
    for job in ("publish", "page"):
        assert "actions/checkout" not in JOBS[job]
        assert "python" not in re.sub(r"#.*", "", JOBS[job]).replace("pypa/", "")
    assert "    environment: release\n" in JOBS["publish"]
    assert "secrets." not in TEXT
    assert "password" not in re.sub(r"#.*", "", TEXT)


def test_actions_are_named_by_their_commits() -> None:
    """A tag of somebody else's can be moved."""
    used = re.findall(r"uses: (.*)", TEXT)

    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)


def test_nothing_is_published_that_was_not_tried() -> None:
    """In this order: the changelog, the packages, the systems, the index, the page."""
    assert JOBS["build"].index("tools.changelog") < JOBS["build"].index(".ci/release")
    assert "needs: build\n" in JOBS["try"]
    assert "needs: [build, try]\n" in JOBS["publish"]
    assert "needs: publish\n" in JOBS["page"]
    assert "--notes-file CHANGES.md" in JOBS["page"]


def test_every_single_file_is_tried() -> None:
    """Each platform of which there is one, with the oldest and the newest Python."""
    tried = dict.fromkeys(PLATFORMS, frozenset[str]())
    for platform, python in re.findall(
        r'platform: ([\w-]+), python: "([\d.]+)"', JOBS["try"]
    ):
        tried[platform] |= {python}

    assert all(tried.values())
    assert {PYTHONS[0], PYTHONS[-1]} <= frozenset[str]().union(*tried.values())


def test_text_of_the_tag_becomes_no_command() -> None:
    """What a tag is called is a variable in the commands, never a part of them."""
    for command in re.findall(r"run: (.*)", TEXT):
        assert not re.search(r"\$\{\{ *github\.(ref|head|event)", command)
