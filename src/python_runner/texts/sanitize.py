"""Makes any text safe to show and to mail: escapes control characters, bounds the size.

A script may print anything: colours, bells, half characters, megabytes. None of it may
break a message, forge a header or hide a line from the reader.
"""

from __future__ import annotations

import re

from python_runner.texts.characters import (
    CONTROLS,
    INVISIBLE,
    REORDERING,
    SEQUENCE,
    SURROGATES,
    escape,
)
from python_runner.texts.excerpt import cut
from python_runner.texts.formats import Formats


_SEQUENCE = re.compile(SEQUENCE)
#: The sequences that set colours and weights of letters, and nothing else.
_COLOURS = re.compile(r"(\x1b\[[0-9;:]{0,99}m)")
_NO_COLOUR = re.compile(r"\x1b\[[0;]*m")
_RESET = "\x1b[0m"
#: The beginning of a sequence whose end has not come yet.
_BEGUN = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b\n]*\x1b?|[ -/]*)\Z")
#: Characters after which a sequence that has begun is none.
_LONGEST_SEQUENCE = 4096
_HARMFUL = re.compile(rf"(?![\t\n])[{CONTROLS}{REORDERING}{SURROGATES}{INVISIBLE}]")


def clean(text: str) -> str:
    r"""Return ``text`` without terminal sequences, its control characters escaped.

    Line ends become ``\n``; line breaks and tabs stay. The result can be encoded.
    """
    text = _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _HARMFUL.sub(lambda match: escape(match[0]), text)


def flat(text: str) -> str:
    """Return ``text`` as one line, its control characters escaped."""
    return clean(text).replace("\n", " ").replace("\t", " ")


def json_safe(document: str) -> str:
    """Return a JSON document whose texts hold nothing that a terminal obeys.

    It means what it meant: such a character can stand in a text of JSON by its number.
    """
    return _HARMFUL.sub(lambda match: f"\\u{ord(match[0]):04x}", document)


class OutputCleaner:
    """Makes the output of a script safe for a terminal, block by block.

    Colours pass, or vanish too; nothing else of a terminal's sequences does: a script
    must set neither its title nor the clipboard, and hide no line.
    """

    def __init__(self, *, colours: bool) -> None:
        self._colours = colours
        self._coloured = False
        self._begun = ""

    def clean(self, block: str) -> str:
        """Return what can be shown now of the output up to the end of ``block``."""
        text = self._begun + block
        self._begun = ""
        if begun := _BEGUN.search(text, max(len(text) - _LONGEST_SEQUENCE, 0)):
            text, self._begun = text[: begun.start()], begun[0]
        return self._cleaned(text)

    def end(self) -> str:
        """Return what is left at the end; colours do not reach what follows."""
        text = self._cleaned(self._begun)
        self._begun = ""
        if self._coloured:
            self._coloured = False
            text += _RESET
        return text

    def _cleaned(self, text: str) -> str:
        # Most output is plain, and there may be much of it.
        if text.isprintable():
            return text
        plain, *rest = _COLOURS.split(text)
        shown = [clean(plain)]
        for colour, part in zip(rest[::2], rest[1::2], strict=True):
            if self._colours:
                self._coloured = not _NO_COLOUR.fullmatch(colour)
                shown.append(colour)
            shown.append(part if part.isprintable() else clean(part))
        return "".join(shown)


def one_line(text: str, limit: int) -> str:
    """Return ``text`` fit for a header: one line of at most ``limit`` characters."""
    line = " ".join(clean(text).split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"


def cut_middle(text: str, limit: int, language: str) -> str:
    """Return at most about ``limit`` bytes (UTF-8) of ``text``: its head and its tail.

    A line between the two says exactly how many bytes are missing. The tail gets three
    quarters, because errors stand at the end.
    """
    data = text.encode()
    if len(data) <= limit:
        return text
    head_end, tail_start = cut(len(data), limit, head=4)
    head = data[:head_end].decode(errors="ignore")
    tail = data[tail_start:].decode(errors="ignore")
    missing = len(data) - len(head.encode()) - len(tail.encode())
    formats = Formats(language)
    note = formats.ngettext(
        "[{count} byte left out]", "[{count} bytes left out]", missing
    )
    return f"{head}\n{note.format(count=formats.number(missing))}\n{tail}"
