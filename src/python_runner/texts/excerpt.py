"""Head and tail of what is too long, and the note between them."""

from __future__ import annotations

from python_runner.patterns import lazy_pattern


#: Bytes a character may have behind its first one in UTF-8, and what they look like.
_CONTINUATION = lazy_pattern(rb"[\x80-\xbf]{0,3}")


def cut(size: int, limit: int, *, head: int) -> tuple[int, int]:
    """Return where the head ends and where the tail starts, so that ``limit`` remains.

    Args:
        size: bytes there are, more than ``limit``.
        limit: bytes to keep.
        head: the head gets one of so many equal parts, the tail the others.
    """
    end = limit // head
    return end, size - (limit - end)


def left_out(count: int) -> bytes:
    """Return the note that says how many bytes are missing, without line ends."""
    return b"[... %d bytes left out ...]" % count


def torn_end(data: bytes) -> int:
    """Return how many bytes to leave out so that ``data`` ends with a whole line.

    Where no line ends, a whole character has to do.
    """
    if (end := data.rfind(b"\n")) >= 0:
        return len(data) - end - 1
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte >= 0xC0:  # noqa: PLR2004 - UTF-8: the first byte of a character
            length = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4  # noqa: PLR2004
            return back if length > back else 0
    return 0


def torn_start(data: bytes) -> int:
    """Return how many bytes to leave out so that ``data`` starts with a whole line.

    Where no line ends, a whole character has to do.
    """
    return data.find(b"\n") + 1 or torn_character(data)


def torn_character(data: bytes) -> int:
    """Return how many bytes to leave out so that ``data`` starts with a character."""
    found = _CONTINUATION.match(data)
    return found.end() if found else 0
