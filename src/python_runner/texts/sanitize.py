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
_HARMFUL = re.compile(rf"(?![\t\n])[{CONTROLS}{REORDERING}{SURROGATES}{INVISIBLE}]")


def clean(text: str) -> str:
    r"""Return ``text`` without terminal sequences, its control characters escaped.

    Line ends become ``\n``; line breaks and tabs stay. The result can be encoded.
    """
    text = _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _HARMFUL.sub(lambda match: escape(match[0]), text)


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
    note = formats.gettext("[{count} bytes left out]")
    return f"{head}\n{note.format(count=formats.number(missing))}\n{tail}"
