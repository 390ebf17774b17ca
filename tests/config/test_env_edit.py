"""Setting variables in a ``.env`` file without touching anything else."""

from __future__ import annotations

import codecs
import stat
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.config.env_edit import (
    read_text_of,
    set_by,
    with_variables,
    write_env,
)
from python_runner.config.env_file import read_env


PATH = Path("some.env")
NEW = {"LOGIN_MAIL": "ann@orange.fr", "PASSWORD_MAIL": "it's $5 # \\ {x}"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "A=1\n"),
        ("# a comment\n\nB=2\n", "# a comment\n\nB=2\nA=1\n"),
        ("B=2", "B=2\nA=1\n"),
        ("B=2\r\n", "B=2\r\nA=1\r\n"),
        ("B=2\r\nA=0\r\n# end\r\n", "B=2\r\nA=1\r\n# end\r\n"),
        ("A=0\nB=2\n", "A=1\nB=2\n"),
        ("export A = 'x'\nB=2\n", "export A=1\nB=2\n"),
        ("#A=0\nB=2\n", "#A=0\nB=2\nA=1\n"),
        ("A=0\nA=5\nB=2\n", "A=0\nA=1\nB=2\n"),
        ("A='two\nlines'\nB=2\n", "A=1\nB=2\n"),
        ("AA=0\n", "AA=0\nA=1\n"),
        ("\n\nA=0\n", "\n\nA=1\n"),
    ],
)
def test_one_line_changes_and_the_others_stay(before: str, after: str) -> None:
    """Comments, blank lines, other variables and the ends of lines are kept."""
    assert with_variables(before, {"A": "1"}) == after


@given(
    value=st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=40),
    before=st.sampled_from(["", "B=2", "B=2\r\n", "PASSWORD_MAIL=old\nB=2\n"]),
)
def test_any_value_is_read_back_as_it_was_given(value: str, before: str) -> None:
    """A password may hold quotes, dollar signs, number signs and backslashes."""
    text = with_variables(before, {"PASSWORD_MAIL": value, "LOGIN_MAIL": "a@b.fr"})
    found = set_by(text, PATH)
    assert (found["PASSWORD_MAIL"], found["LOGIN_MAIL"]) == (value, "a@b.fr")
    assert ("B" in found) == ("B" in before)
    assert with_variables(text, {"PASSWORD_MAIL": value}) == text


@pytest.mark.parametrize("bom", [b"", codecs.BOM_UTF8, codecs.BOM_UTF16_LE])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_file_keeps_its_encoding_and_its_ends_of_lines(
    tmp_path: Path, bom: bytes, end: str
) -> None:
    """What an editor of Windows wrote is read by that editor afterwards too."""
    encoding = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16"}
    file = tmp_path / ".env"
    file.write_bytes(f"# été{end}B=2".encode(encoding.get(bom, "utf-8")))
    write_env(file, with_variables(read_text_of(file), NEW))
    assert file.read_bytes().startswith(bom)
    assert dict(read_env(file, {}).variables) == {"B": "2", **NEW}
    text = read_text_of(file)
    assert text.count("\r\n") == (4 if end == "\r\n" else 0)
    assert text.startswith("# été")


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    """Also where the file was open to others before: it holds a password now."""
    file = tmp_path / ".env"
    file.write_text("B=2\n")
    file.chmod(0o644)
    write_env(file, "A=1\n")
    if sys.platform != "win32":
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [".env"]


def test_a_read_only_file_is_not_replaced(tmp_path: Path) -> None:
    """Whoever made it so wants no program to change it."""
    file = tmp_path / ".env"
    file.write_text("B=2\n")
    file.chmod(0o444)
    with pytest.raises(PermissionError):
        write_env(file, "A=1\n")
    assert file.read_text() == "B=2\n"
    file.chmod(0o644)


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it leads to is changed."""
    real, link = tmp_path / "real.env", tmp_path / ".env"
    real.write_text("B=2\n")
    try:
        link.symlink_to(real)
    except OSError:
        pytest.skip("this user may make no links")
    if not link.is_symlink():
        pytest.skip("links are copies here, as under wine")
    write_env(link, "A=1\n")
    assert link.is_symlink()
    assert real.read_text() == "A=1\n"
