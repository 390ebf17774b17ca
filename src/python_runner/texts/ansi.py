"""Colours of a terminal as names: known ones are kept, all other sequences are dropped.

Everything here is pure.
"""

from __future__ import annotations

import re

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.characters import (
    CONTROLS,
    INVISIBLE,
    REORDERING,
    SEQUENCE,
    SURROGATES,
    escape,
)


_SEQUENCE = lazy_pattern(f"({SEQUENCE})")
_SGR = lazy_pattern(r"\x1b\[([0-9;:]{0,64})m")
#: Shown as nothing, or in a way that could be taken for something else.
_UNSHOWN = lazy_pattern(rf"(?![\t])[{CONTROLS}{REORDERING}{SURROGATES}{INVISIBLE}]")
_NAMES = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
_STYLES = {1: "bold", 2: "dim", 3: "italic", 4: "underline", 7: "inverse", 9: "strike"}
#: What switches styles off.
_ENDS = {
    22: {"bold", "dim"},
    23: {"italic"},
    24: {"underline"},
    27: {"inverse"},
    29: {"strike"},
}
_DEFAULT_FOREGROUND, _DEFAULT_BACKGROUND = 39, 49
#: Begin a colour of a larger palette: 38 in front, 48 behind; 5 is followed by a number,
#: 2 by three.
_PALETTES = {38: "", 48: "on-"}
_NUMBERED, _MIXED = "5", "2"
_BASIC = 16


@dataclass(frozen=True, slots=True)
class Span:
    """A part of a line, and the names of how it looks, in the order of the alphabet."""

    text: str
    names: tuple[str, ...] = ()


class Colours:
    """Reads lines of output, one after the other: a colour lasts until it is ended."""

    def __init__(self) -> None:
        self._styles: set[str] = set()
        self._front = self._behind = ""

    @property
    def are_none(self) -> bool:
        """Whether no colour is on."""
        return not (self._styles or self._front or self._behind)

    def spans(self, line: str) -> list[Span]:
        """Return the parts of a line without its end."""
        if "\x1b" not in line:
            return self._with_text([], line)
        found: list[Span] = []
        for number, part in enumerate(_SEQUENCE.split(line)):
            if number % 2 == 0:
                self._with_text(found, part)
            elif code := _SGR.fullmatch(part):
                self._set(code[1])
        return found

    def _with_text(self, spans: list[Span], text: str) -> list[Span]:
        if shown := _shown(text):
            names = {*self._styles, self._front, self._behind} - {""}
            spans.append(Span(shown, tuple(sorted(names))))
        return spans

    def _set(self, text: str) -> None:
        codes = re.split("[;:]", text)
        while codes:
            code = int(codes.pop(0) or 0)
            if code in _PALETTES:
                self._set_of_palette(_PALETTES[code], codes)
            else:
                self._set_one(code)

    def _set_one(self, code: int) -> None:
        tens, ones = divmod(code, 10)
        if code == 0:
            self._styles, self._front, self._behind = set(), "", ""
        elif code in _STYLES:
            self._styles = self._styles | {_STYLES[code]}
        elif code in _ENDS:
            self._styles = self._styles - _ENDS[code]
        elif code == _DEFAULT_FOREGROUND:
            self._front = ""
        elif code == _DEFAULT_BACKGROUND:
            self._behind = ""
        elif ones < len(_NAMES) and tens in {3, 9}:
            self._front = _colour(ones, bright=tens == 9)  # noqa: PLR2004 - the standard
        elif ones < len(_NAMES) and tens in {4, 10}:
            self._behind = f"on-{_colour(ones, bright=tens == 10)}"  # noqa: PLR2004

    def _set_of_palette(self, prefix: str, codes: list[str]) -> None:
        kind = codes.pop(0) if codes else ""
        taken = {_NUMBERED: 1, _MIXED: 3}.get(kind, 0)
        values, codes[:taken] = codes[:taken], []
        if kind != _NUMBERED or not values:
            return
        number = int(values[0] or 0)
        if number < _BASIC:
            bright, place = divmod(number, len(_NAMES))
            name = f"{prefix}{_colour(place, bright=bool(bright))}"
            if prefix:
                self._behind = name
            else:
                self._front = name


def _colour(place: int, *, bright: bool) -> str:
    return f"bright-{_NAMES[place]}" if bright else _NAMES[place]


def plain(line: str) -> str:
    """Return a line as it shows, without colours."""
    return _shown(_SEQUENCE.sub("", line) if "\x1b" in line else line)


def _shown(text: str) -> str:
    return _UNSHOWN.sub(lambda match: escape(match[0]), text)
