from __future__ import annotations

import msgspec
import pytest

from python_runner.config.keys import ExecConfig, ScriptEntry
from python_runner.config.near_keys import is_comment, nearest_key


pytestmark = pytest.mark.pure

PROJECT = [f.encode_name for f in msgspec.structs.fields(ExecConfig)][1:]
ENTRY = [f.encode_name for f in msgspec.structs.fields(ScriptEntry)]
ALL = sorted({*PROJECT, *ENTRY})
OWN = [
    "description",
    "author",
    "comment",
    "comments",
    "name",
    "version",
    "title",
    "owner",
    "team",
    "tags",
    "id",
    "label",
    "url",
    "db_host",
    "db_name",
    "smtp_host",
    "host",
    "port",
    "user",
    "date",
    "type",
    "mail",
    "email",
    "emails",
    "contact",
    "notes",
    "log",
    "logs",
    "log_level",
    "log_file",
    "output_dir",
    "output_file",
    "python",
    "interpreter",
    "python_version",
    "to",
    "cc",
    "bcc",
    "subject",
    "en",
    "end",
    "dev",
    "env_prod",
    "env_name",
    "variables",
    "environment",
    "scripts_old",
    "timeout_seconds",
    "max_workers",
    "parallel",
    "failure",
    "strategy",
    "server",
    "password",
    "folder",
    "directory",
    "count",
    "backup",
    "days",
    "keep",
    "status",
    "steps",
    "tasks",
    "jobs",
    "lang",
    "docs",
    "seeds",
    "feeds",
    "bath",
    "projects",
    "created",
    "maintainer",
    "group",
    "level",
    "todo",
    "enabled",
]


@pytest.mark.parametrize("known", [PROJECT, ENTRY], ids=["project", "entry"])
def test_somebodys_own_key_is_near_no_known_one(known: list[str]) -> None:
    """What people write into such a file for themselves."""
    assert {own: near for own in OWN if (near := nearest_key(own, known))} == {}


def slips(key: str) -> set[str]:
    """Return a key with one slip of the pen, at each of its letters."""
    made = set()
    for i, letter in enumerate(key):
        before, after = key[:i], key[i + 1 :]
        made.add(before + letter + letter + after)
        made.add(before + after[:1] + letter + after[1:])
        if len(key) > 5:
            made.add(before + after)
            made.add(before + "x" + after)
    return made - {key}


@pytest.mark.parametrize("key", ALL)
def test_one_slip_is_seen_anywhere(key: str) -> None:
    """A letter twice, exchanged, left out or another one; short keys have neighbours."""
    for misspelt in slips(key):
        assert nearest_key(misspelt, ALL) == key, misspelt


@pytest.mark.parametrize("key", ALL)
def test_how_words_are_joined_makes_no_difference(key: str) -> None:
    """Other files and languages join them in other ways."""
    words = key.split("_")
    for joined in (
        key.upper(),
        key.replace("_", "-"),
        key.replace("_", ""),
        key.replace("_", " "),
        "".join([words[0], *(word.capitalize() for word in words[1:])]),
        key + "_",
    ):
        assert nearest_key(joined, ALL) == key, joined


@pytest.mark.parametrize(
    ("misspelt", "key"),
    [
        ("retry", "retries"),
        ("retrys", "retries"),
        ("recipient", "recipients"),
        ("receipients", "recipients"),
        ("script", "scripts"),
        ("envs", "env"),
        ("email_strategie", "email_strategy"),
        ("incldue_tarceback", "include_traceback"),
        ("log_backups_count", "logs_backup_count"),
        ("log_rotations_day", "log_rotation_days"),
        ("arg", "args"),
        ("need", "needs"),
    ],
)
def test_plurals_and_several_slips(misspelt: str, key: str) -> None:
    """One slip for each four letters of a word."""
    assert nearest_key(misspelt, ALL) == key


def test_the_nearest_of_several_is_named() -> None:
    """And nothing where nothing is known."""
    assert nearest_key("retry_delays", ["retries", "retry_delay"]) == "retry_delay"
    assert nearest_key("scripts", []) is None
    assert nearest_key("", ALL) is None
    assert nearest_key("é", ALL) is None


@pytest.mark.parametrize("key", ["_", "_x", "//", "// x", "$schema"])
def test_a_key_that_is_a_comment(key: str) -> None:
    """By how it begins."""
    assert is_comment(key)


@pytest.mark.parametrize("key", ["/", "", "#x", "x_", "$id"])
def test_a_key_that_is_no_comment(key: str) -> None:
    """However it ends."""
    assert not is_comment(key)
