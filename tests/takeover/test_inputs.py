"""Entries as people have them become the configuration that does the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from python_runner.config.project import problems_of
from tests.takeover.support import carried, names


pytestmark = pytest.mark.portable("texts are read, and nothing else")

EXPECTED = json.loads(
    (Path(__file__).parent / "expected.json").read_text(encoding="utf-8")
)


def test_every_input_has_its_expectation() -> None:
    """None is read without being judged."""
    assert sorted(EXPECTED) == names()
    assert len(EXPECTED) >= 25


@pytest.mark.parametrize("name", EXPECTED)
def test_an_input_becomes_its_configuration(name: str) -> None:
    """Scripts, arguments, interpreter, times and limits; the rest is said by its line."""
    found = [
        {"keys": one.keys, "notes": [str(note.sentence()) for note in one.notes]}
        for one in carried(name)
    ]

    assert found == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_what_is_written_is_accepted(name: str, tmp_path: Path) -> None:
    """No configuration that is made of an input would be refused by a run."""
    for one in carried(name):
        required = {
            "email_strategy": "none",
            "include_traceback": True,
            "logs_backup_count": 0,
        }
        assert problems_of(tmp_path, required | one.keys) == ()


@pytest.mark.parametrize("name", EXPECTED)
def test_no_secret_is_written_or_told(name: str) -> None:
    """Neither the configuration nor a note holds what is secret by its name."""
    for one in carried(name):
        told = json.dumps(one.keys, ensure_ascii=False)
        told += "".join(str(note.sentence()) for note in one.notes)
        for secret in ("été2024", "hunter2", "abc123", "s3cr3t", "s3cret"):
            assert secret not in told
