"""Two processes find out whether they know the same secrets, and nobody learns these."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from python_runner.records.secret_marks import KEY_NAME, knows_all, marks_to_tell


if TYPE_CHECKING:
    from pathlib import Path

TOLD = ("hunter2-of-the-day", "another secret", "é\udcff-surrogate")


@pytest.mark.parametrize(
    ("known", "is_enough"),
    [
        (TOLD, True),
        ((*reversed(TOLD), "and one more"), True),
        (TOLD[:2], False),
        ((), False),
        (("hunter3-of-the-day", *TOLD[1:]), False),
        ((f"  {TOLD[0]}\n", *TOLD[1:]), True),
    ],
)
def test_who_knows_more_than_the_runner_knows_enough(
    tmp_path: Path, known: tuple[str, ...], *, is_enough: bool
) -> None:
    """Each value counts as it is looked for; their order does not."""
    told = marks_to_tell(tmp_path, TOLD)
    assert told is not None
    assert knows_all(tmp_path, told, known) is is_enough


def test_what_is_never_masked_needs_not_be_known(tmp_path: Path) -> None:
    """Too short, or no value: it would be shown in any case."""
    told = marks_to_tell(tmp_path, ("abc", "None", ""))
    assert told == ""
    assert knows_all(tmp_path / "elsewhere", told, ())


def test_marks_say_nothing_without_the_key(tmp_path: Path) -> None:
    """The same secret has another mark on each computer; only its account reads the key."""
    homes = [tmp_path / name for name in ("a", "b")]
    marks = [marks_to_tell(home, TOLD) for home in homes]
    assert marks[0] != marks[1]
    assert marks_to_tell(homes[0], TOLD) == marks[0]
    assert not knows_all(homes[1], marks[0] or "", TOLD)
    (homes[0] / KEY_NAME).unlink()
    assert not knows_all(homes[0], marks[0] or "", TOLD)


@pytest.mark.posix
def test_nobody_else_reads_the_key(tmp_path: Path) -> None:
    """By its mode, as all of the state folder."""
    marks_to_tell(tmp_path, TOLD)
    assert (tmp_path / KEY_NAME).stat().st_mode & 0o077 == 0


def test_what_cannot_be_told_is_not_known(tmp_path: Path) -> None:
    """More secrets than a lock's file holds, no place for the key, and a damaged one."""
    many = [f"secret number {n}" for n in range(1000)]
    assert marks_to_tell(tmp_path, many) is None
    tmp_path.joinpath("file").touch()
    assert marks_to_tell(tmp_path / "file" / "home", TOLD) is None
    told = marks_to_tell(tmp_path, TOLD)
    tmp_path.joinpath(KEY_NAME).write_bytes(b"cut")
    assert not knows_all(tmp_path, told or "", TOLD)
