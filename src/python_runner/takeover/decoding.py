"""The text of a file that some editor of the last thirty years has saved."""

from __future__ import annotations

import codecs
from contextlib import suppress

from python_runner.patterns import lazy_pattern
from python_runner.takeover.facts import END, UNKNOWN


_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
#: Letters that people of Western Europe write.
_LETTERS = frozenset(
    "àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝ«»°€\u2019"
)
_LOWER = frozenset("àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿß")
_CODE_PAGE = lazy_pattern(rb"(?im)^\s*@?chcp\s+(\d+)")
_CODE_PAGES = {b"65001": "utf-8", b"1252": "cp1252", b"850": "cp850", b"437": "cp437"}


def decoded(data: bytes) -> str:
    """Return the text of a batch file, a crontab, a shell script or a task.

    UTF-8 and UTF-16, with and without a mark, and the code pages of Windows: the one that
    the file chooses by ``chcp``, else that in which it has more letters and fewer signs.
    Nothing fails: what nobody can read is replaced.
    """
    return _text(data).replace(UNKNOWN, "").replace(END, "").replace("\r\n", "\n")


def _text(data: bytes) -> str:
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    # ASCII in UTF-16 has a NUL in every other byte.
    for at, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if data[at:400:2].count(0) > len(data[:400]) // 4:
            return data.decode(encoding, "replace")
    with suppress(UnicodeDecodeError):
        return data.decode("utf-8")
    chosen = _CODE_PAGE.search(data)
    names = ["cp1252", "cp850"]
    if chosen and chosen[1] in _CODE_PAGES:
        return data.decode(_CODE_PAGES[chosen[1]], "replace")
    return max((data.decode(name, "replace") for name in names), key=_likeness)


def _likeness(text: str) -> int:
    """Count letters that people write, less what they do not."""
    foreign = [char for char in text if ord(char) > 127]  # noqa: PLR2004 - ASCII ends there
    return sum(
        2 * (char in _LOWER) + (char in _LETTERS) - (char not in _LETTERS) * 3
        for char in foreign
    )
