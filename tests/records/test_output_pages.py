"""Parts of an output by the numbers of its lines, whatever its size and its content."""

from __future__ import annotations

import io
import random
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.masking import Masker
from python_runner.records import output_pages
from python_runner.records.output_pages import (
    FIRST,
    LAST,
    LONGEST_LINE,
    MOST,
    OutputPages,
    OutputView,
)


if TYPE_CHECKING:
    from pathlib import Path

NOTHING = Masker()


def shown(view: OutputView) -> list[tuple[int, str]]:
    """Return the lines of all parts, with their numbers."""
    return [(line.number, line.text) for part in view.parts for line in part.lines]


def numbered(count: int, size: int = 0) -> list[str]:
    """Return lines that tell their numbers."""
    return [f"line {number} {'x' * size}" for number in range(1, count + 1)]


def write(path: Path, lines: list[str], end: str = "\n") -> None:
    """Write lines."""
    path.write_bytes(("\n".join(lines) + end).encode())


@pytest.mark.parametrize("count", [1, 2, FIRST, FIRST + LAST, FIRST + LAST + 1, 20_000])
@pytest.mark.parametrize("end", ["\n", ""])
def test_head_and_tail_have_their_numbers(count: int, end: str, tmp_path: Path) -> None:
    """A short output is shown whole; of a long one the first and the last lines are."""
    lines = numbered(count)
    write(tmp_path / "o", lines, end)
    view = OutputPages().ends(tmp_path / "o", NOTHING)
    right = list(enumerate(lines, 1))

    assert view.total == count
    assert view.unfinished is (end == "")
    if count <= FIRST + LAST:
        assert len(view.parts) == 1
        assert shown(view) == right
    else:
        assert shown(view) == right[:FIRST] + right[-LAST:]


def test_an_empty_output_has_no_lines(tmp_path: Path) -> None:
    """It is there, and nothing is in it."""
    (tmp_path / "o").touch()
    view = OutputPages().ends(tmp_path / "o", NOTHING)
    assert (view.size, view.total, shown(view)) == (0, 0, [])


def test_lines_in_between_come_in_steps(tmp_path: Path) -> None:
    """Each step follows the one before, however long its lines are."""
    chance = random.Random(1)  # noqa: S311 - no secret
    lines = ["y" * chance.choice([0, 1, 30, 700]) for _ in range(30_000)]
    write(tmp_path / "o", lines)
    pages, number, found = OutputPages(), 1, list[tuple[int, str]]()
    while pages.count(tmp_path / "o"):
        pass
    while number <= len(lines):
        step = shown(pages.lines(tmp_path / "o", NOTHING, number, 5000))
        assert step
        found += step
        number = step[-1][0] + 1

    assert found == list(enumerate(lines, 1))
    assert shown(pages.lines(tmp_path / "o", NOTHING, len(lines) + 1)) == []


class Counted(io.FileIO):
    """A file that counts what is read."""

    total = 0

    def readinto(self, buffer: Any) -> int | None:
        """Read, and count."""
        count = super().readinto(buffer)
        Counted.total += count or 0
        return count


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> type[Counted]:
    """Count the bytes that are read; nothing else is changed."""
    monkeypatch.setattr(
        output_pages, "reading", lambda path: io.BufferedReader(Counted(path, "rb"))
    )
    return Counted


def test_no_look_reads_more_than_its_share(
    reads: type[Counted], tmp_path: Path
) -> None:
    """Of a large file either; what has not been counted yet has no numbers."""
    path = tmp_path / "o"
    block = ("\n".join(numbered(20_000, 50)) + "\n").encode()
    with path.open("wb") as file:
        for _ in range(20):
            file.write(block)
    assert path.stat().st_size > 5 * MOST
    pages = OutputPages()

    def cost() -> int:
        reads.total, before = 0, reads.total
        return before

    cost()
    view = pages.ends(path, NOTHING)
    assert cost() <= MOST
    assert view.total is None
    assert {line.number for line in view.parts[1].lines} == {0}
    assert shown(pages.lines(path, NOTHING, 399_000)) == []
    assert cost() <= MOST
    while pages.count(path):
        assert cost() <= MOST
    cost()
    view = pages.ends(path, NOTHING)
    assert cost() <= MOST
    assert view.total == 400_000
    assert shown(view)[-1] == (400_000, numbered(20_000, 50)[-1])
    middle = shown(pages.lines(path, NOTHING, 399_001, 5))
    assert cost() <= MOST
    assert middle == list(enumerate(numbered(20_000, 50)[19_000:19_005], 399_001))


def test_a_file_that_grows_is_counted_on(tmp_path: Path) -> None:
    """The numbers go on, also of a line that was not finished."""
    path, pages = tmp_path / "o", OutputPages()
    text = ""
    for number in range(1, 60):
        text += f"line {number}\n" if number % 3 else f"line {number} "
        path.write_bytes(text.encode()) if number == 1 else _append(path, text)
        view = pages.ends(path, NOTHING)
        assert [line for _, line in shown(view)] == text.removesuffix("\n").split("\n")
        assert view.total == len(shown(view))


def _append(path: Path, text: str) -> None:
    with path.open("ab") as file:
        file.write(text.encode()[file.tell() :])


def test_what_follows_a_byte_is_told_while_it_grows(tmp_path: Path) -> None:
    """A reader that has everything up to a byte gets the lines behind it."""
    path, pages = tmp_path / "o", OutputPages()
    write(path, ["one", "two"])
    view = pages.ends(path, NOTHING)
    end = view.parts[-1].end
    assert end == 8
    with path.open("ab") as file:
        file.write(b"three\nfour")
    view = pages.since(path, NOTHING, end)
    assert shown(view) == [(3, "three"), (4, "four")]
    assert view.unfinished
    assert shown(pages.since(path, NOTHING, 9)) == []
    assert shown(pages.since(path, NOTHING, 900)) == []


def test_a_file_that_was_replaced_is_counted_anew(tmp_path: Path) -> None:
    """Under the same name, shorter, longer or of the same size."""
    path, pages = tmp_path / "o", OutputPages()
    for lines in (numbered(5000), numbered(10), ["other"] * 9000, ["o" * 11] * 5000):
        new = tmp_path / "new"
        write(new, lines)
        new.replace(path)
        view = pages.ends(path, NOTHING)
        assert view.total == len(lines)
        assert shown(view)[-1] == (len(lines), lines[-1])
    # Written over in its place, as an editor does.
    write(path, numbered(7000))
    view = pages.ends(path, NOTHING)
    assert view.total == 7000
    assert shown(view)[-1] == (7000, numbered(7000)[-1])


def test_bytes_that_are_no_text_are_shown(tmp_path: Path) -> None:
    """Each line stays one line."""
    (tmp_path / "o").write_bytes(
        b"ok\n\xff\xfe bad \x80\n\0\0zero\n\xc3\xa9t\xc3\xa9\n"
    )
    view = OutputPages().ends(tmp_path / "o", NOTHING)
    assert [number for number, _ in shown(view)] == [1, 2, 3, 4]
    assert shown(view)[0][1] == "ok"
    assert shown(view)[3][1] == "été"
    assert "\0" not in str(shown(view))


def test_progress_bars_show_what_they_ended_with(tmp_path: Path) -> None:
    """What was written over is left out."""
    (tmp_path / "o").write_bytes(b"10%\r50%\r100%\ndone\r\n")
    view = OutputPages().ends(tmp_path / "o", NOTHING)
    assert shown(view) == [(1, "100%"), (2, "done")]


def test_a_line_without_an_end_is_cut(tmp_path: Path) -> None:
    """Megabytes on one line neither fill the page nor hide the lines around."""
    path = tmp_path / "o"
    path.write_bytes(b"first\n" + b"z" * (3 * MOST) + b"\nlast\n")
    pages = OutputPages()
    while pages.count(path):
        pass
    view = pages.ends(path, NOTHING)
    texts = [text for _, text in shown(view)]
    assert (texts[0], texts[-1]) == ("first", "last")
    assert max(map(len, texts)) <= LONGEST_LINE + 1


def test_secrets_are_masked_and_lines_keep_their_numbers(tmp_path: Path) -> None:
    """Also one of several lines, one in colours, and one across the border of a part."""
    key = "-----BEGIN-----\nMIIEvQIBADANBgkqhkiG9w0BAQ\nab12\n-----END-----"
    masker = Masker(["hunter2secret", key])
    lines = ["a", "pw hunter2secret", *key.split("\n"), "pw hun\x1b[1mter2secret", "z"]
    path = tmp_path / "o"
    write(path, lines)
    view = OutputPages().ends(path, masker)
    text = str(shown(view))
    assert "hunter2" not in text
    assert "MIIEv" not in text
    assert "ab12" not in text
    assert shown(view)[-1] == (8, "z")
    # Where a step begins in the middle of the key.
    part = str(shown(OutputPages().lines(path, masker, 5, 10)))
    assert "ab12" not in part
    assert "(8, 'z')" in part
