from __future__ import annotations

import errno
import io
import os
import sys
import threading
import time
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click
import pytest

from python_runner.cli import streams
from python_runner.cli.streams import (
    OutputLost,
    Stream,
    attached_streams,
    deliver_document,
    say,
    show,
    show_document,
    show_lists,
    stdout,
)
from tests.support import GENEROUS, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import TextIO

#: More than any pipe holds.
MUCH = "x" * 1000 + "\n"


class Device(io.RawIOBase):
    """A device that takes bytes, and fails, blocks or refuses when it is told to."""

    def __init__(self) -> None:
        self.taken = bytearray()
        self.error: OSError | None = None
        #: What a write takes at most; None for a device that would block.
        self.most: int | None = 1 << 30
        self.open = threading.Event()
        self.open.set()

    def writable(self) -> bool:
        """Say that it can be written to."""
        return True

    def write(self, data: Any) -> int | None:
        """Take some bytes."""
        assert self.open.wait(60)
        if self.closed:
            raise ValueError("write to closed file")
        if self.error:
            raise self.error
        if self.most is None:
            self.most = 1 << 30
            return None
        taken = bytes(data)[: self.most]
        self.taken += taken
        return len(taken)

    @property
    def text(self) -> str:
        """What it has taken; lines end as in Python."""
        return self.taken.decode().replace("\r\n", "\n")


def file_on(device: io.RawIOBase, encoding: str = "utf-8") -> TextIO:
    """Return a text file as Python opens one for a standard stream."""
    return io.TextIOWrapper(io.BufferedWriter(device), encoding=encoding)


@pytest.fixture
def device() -> Device:
    """Return a device that takes everything."""
    return Device()


@contextmanager
def attached(out: TextIO | None, err: TextIO | None = None) -> Iterator[None]:
    """Attach our streams to others than pytest's."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = cast("TextIO", out), cast("TextIO", err)
    try:
        with attached_streams():
            yield
    finally:
        sys.stdout, sys.stderr = before


def test_what_is_said_and_shown_comes_in_order(device: Device) -> None:
    """On one terminal, whichever stream and way each line takes."""
    with attached(file_on(device), file_on(device)):
        for number in range(20):
            say(f"said {number}")
            say(f"told {number}", err=True)
            show(f"shown {number}")
            click.echo(f"printed {number}", err=True)

    ways = ("said", "told", "shown", "printed")
    assert device.text.split("\n")[:-1] == [f"{w} {n}" for n in range(20) for w in ways]


def test_a_write_that_takes_a_part_goes_on(device: Device) -> None:
    """A device may take seven bytes at a time, or none just now."""
    device.most = 7
    stream = Stream(file_on(device))
    stream.write("é" * 500 + "\n")
    device.most = None
    stream.put("later\n")
    assert stream.settle(60)

    assert device.text == "é" * 500 + "\nlater\n"


@pytest.mark.parametrize(
    "number", [errno.EPIPE, errno.EIO, errno.ENOSPC, errno.EINVAL, errno.EBADF]
)
def test_no_error_leaves_what_is_said(number: int, device: Device) -> None:
    """Saying goes on, showing ends the command, and what is no reader's doing is told."""
    device.error = OSError(number, os.strerror(number))
    with attached(file_on(device), file_on(device)):
        say("to nobody")
        say("to nobody", err=True)
        click.echo("to nobody", err=True)
        assert not deliver_document({}, hurry=False)
        with pytest.raises(OutputLost) as lost:
            show("to nobody")
        with pytest.raises(OutputLost):
            show_document({})
        with pytest.raises(OutputLost):
            click.echo("to nobody")
        device.error = None
        # A disk may have space again.
        say("to somebody")

    assert (lost.value.reason is not None) == (number in {errno.ENOSPC, errno.EBADF})
    assert device.text == "to somebody\n"


@pytest.mark.fault(
    "streams",
    "Standard output or error is missing",
    "Everything runs; nothing is printed.",
)
def test_a_stream_that_is_missing_takes_everything() -> None:
    """Nothing is written, nothing raised; only a document is known to be lost."""
    with attached(None, None):
        say("to nobody")
        show("to nobody")
        click.echo("to nobody")
        stdout().write_bytes(b"to nobody")
        assert not deliver_document({}, hurry=False)
        assert not stdout().isatty()
        assert not stdout().draws


def test_a_stream_that_is_closed_is_lost(device: Device) -> None:
    """A file that was closed before raises nothing foreign."""
    file = file_on(device)
    with attached(file, None):
        file.close()
        say("to nobody")
        with pytest.raises(OutputLost):
            show("to nobody")


@pytest.mark.fault(
    "streams",
    "The reader of the progress stands still",
    "Progress is dropped rather than waited for.",
)
def test_progress_is_dropped_rather_than_waited_for(device: Device) -> None:
    """What a stalled reader gets later is whole lines, and not more than some room."""
    device.open.clear()
    stream = Stream(file_on(device))
    for _ in range(3000):
        stream.put(MUCH)
    device.open.set()
    assert stream.settle(60)
    stream.put("end\n")
    assert stream.settle(60)

    *lines, end = device.text.split("\n")[:-1]
    assert end == "end"
    assert set(lines) == {MUCH.strip()}
    assert 500 < len(lines) < 3000


def test_who_waits_for_room_loses_nothing_to_a_slow_reader(device: Device) -> None:
    """While bytes move, what waits for room is written; progress keeps its own room."""
    device.most = 200
    stream = Stream(file_on(device))
    for number in range(1500):
        stream.put(f"{number} {MUCH}", wait=True)
        if number == 700:
            stream.put("progress\n")
    assert stream.settle(60)

    lines = device.text.split("\n")[:-1]
    assert "progress" in lines
    numbers = [int(line.split()[0]) for line in lines if line != "progress"]
    assert numbers == [*range(1500)]


def test_a_stalled_reader_is_waited_for_once(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The patience is spent once, not for every line."""
    monkeypatch.setattr(streams, "STALLED", 0.3)
    device.open.clear()
    stream = Stream(file_on(device))
    begin = time.monotonic()
    for _ in range(3000):
        stream.put(MUCH, wait=True)
    assert not stream.settle(0.3)
    device.open.set()

    # Waiting each time would take a quarter of an hour.
    assert time.monotonic() - begin < GENEROUS
    assert stream.settle(60)


@pytest.mark.fault(
    "streams",
    "The reader of `--json` stops in the middle",
    "The document counts as lost: exit code 5 where the scripts succeeded.",
)
def test_a_document_is_whole_or_lost(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader that stops in the middle is given up; a slow one gets everything."""
    monkeypatch.setattr(streams, "_DOCUMENT_PATIENCE", 0.3)
    errors = Device()
    document = {"a": ["b" * 100] * 10_000}
    with attached(file_on(device), file_on(errors)):
        device.most = 5000
        assert deliver_document(document, hurry=False)
        whole = device.text
        device.open.clear()
        assert not deliver_document(document, hurry=False)
        device.open.set()

    assert whole.count("b") == 1_000_000
    assert "could not be written" in errors.text


@pytest.mark.parametrize(
    "lists",
    [
        {"runs": []},
        {"runs": [], "statistics": []},
        {"runs": [{"a": [1, {"b": []}], "c": "x\ny\x1b\u2028"}, {}, None]},
        {"runs": [], "statistics": [{"p50": 1.5}]},
        {"runs": [{"a": 1}], "statistics": []},
        {"runs": ["}\n  ]", []], "st\u00e4ts": [[1], {"x": {}}]},
    ],
)
def test_a_document_of_lists_is_the_same_item_by_item(
    lists: dict[str, list[object]], device: Device
) -> None:
    """To the byte, whatever is empty; each item is asked for when the one before is out."""
    whole = Device()
    with attached(file_on(whole)):
        show_document(lists)
    read: list[str] = []

    def items(values: list[object]) -> Iterator[object]:
        for value in values:
            read.append(device.text)
            yield value

    with attached(file_on(device)):
        show_lists({name: items(values) for name, values in lists.items()})

    assert device.text == whole.text
    assert all(len(one) < len(later) for one, later in pairwise(read))


def test_without_a_thread_to_be_had_lines_are_written(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever prints writes by himself then."""

    def refuse(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with attached(file_on(device), None):
        say("one")
        stdout().put("two\n")

    assert device.text == "one\ntwo\n"


def test_printing_help_starts_no_thread(device: Device) -> None:
    """What waits for its reader needs none."""
    before = threading.active_count()
    with attached(file_on(device), None):
        click.echo("help")
        assert threading.active_count() == before


def test_values_are_names_and_the_rest_is_ours(device: Device) -> None:
    """A name stays on its line; what a terminal would obey is shown or gone."""
    with attached(file_on(device), None):
        show("{path}: {count}", path=Path("a\nb\x1b[2J\x9b"), count=3)
        say("one\ntwo {not} a value\x07")

    assert device.text == "a b\\x9b: 3\none\ntwo {not} a value\\x07\n"


def test_the_streams_encoding_is_respected() -> None:
    """A character that is missing there is replaced, in each way of writing."""
    device = Device()
    with attached(file_on(device, "cp1252"), None):
        show("0,1\u202fs")
        say("0,1\u202fs")
        click.echo("0,1\u202fs")

    assert bytes(device.taken).replace(b"\r", b"") == b"0,1\xa0s\n" * 3


def test_a_closed_number_is_taken_by_no_file_of_ours(tmp_path: Path) -> None:
    """A file that got number 2 would receive what C libraries print on errors."""
    if sys.platform == "win32":
        pytest.skip("a closed stream has no number there")
    saved = os.dup(2)
    try:
        os.close(2)
        with attached(None, None), (tmp_path / "file").open("w") as file:
            assert file.fileno() != 2
    finally:
        os.dup2(saved, 2)
        os.close(saved)


def test_a_real_pipe_that_nobody_reads_ends_nothing() -> None:
    """What is said to a full pipe waits in a thread that keeps nobody."""
    reading, writing = os.pipe()
    stream = Stream(os.fdopen(writing, "w"))
    for _ in range(200):
        stream.put(MUCH)
    assert not stream.settle(0.1)
    os.close(reading)
    wait_until(lambda: stream.settle(0.1))
