# ruff: noqa: RUF001 - the characters that look alike are what this is about
"""What is shown in place of the characters that an encoding lacks.

A French duration has a narrow no-break space, which no code page of Windows knows: a
redirected stream there would show a question mark in each of them.
"""

from __future__ import annotations

import unicodedata
from functools import cache


#: What stands for a character that an encoding lacks, best first. What Unicode itself
#: calls a letter with an accent or another form of a character is not listed.
_INSTEAD = {
    "\u202f": "\u00a0 ",
    **dict.fromkeys("‘’‚‛′", "'"),
    **dict.fromkeys("“”„‟″«»", '"'),
    **dict.fromkeys("‹", "<"),
    **dict.fromkeys("›", ">"),
    **dict.fromkeys("‐‑‒–—―−─━═", "-"),
    **dict.fromkeys("│┃║¦", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╔╗╚╝╠╣╦╩╬", "+"),
    **dict.fromkeys("•‣∙●○■□▪▫◆·", "*"),
    **dict.fromkeys("█▓▒░", "#"),
    **dict.fromkeys("✓✔☑✅🗸", "√+"),
    **dict.fromkeys("✗✘✕✖☒❌×", "x"),
    **dict.fromkeys("⚠❗❕", "!"),
    **dict.fromkeys("★☆⭐🔴🟠🟡🟢🔵⚫⚪", "*"),
    **dict.fromkeys("▶►▸", ">"),
    **dict.fromkeys("◀◄◂", "<"),
    **dict.fromkeys("▲↑⬆", "^"),
    **dict.fromkeys("▼↓⬇", "v"),
    **dict.fromkeys("µμ", "u"),
    **dict.fromkeys("❓❔", "?"),
    **dict.fromkeys("⁄∕÷", "/"),
    **dict.fromkeys("≈∼", "~"),
    "ø": "o",
    "Ø": "O",
    "ł": "l",
    "Ł": "L",
    "đ": "d",
    "Đ": "D",
    "ı": "i",
}
#: The same, by several characters.
_WORDS = {
    **dict.fromkeys("→➜➔⟶", "->"),
    **dict.fromkeys("←⟵", "<-"),
    "⇒": "=>",
    "⇐": "<=",
    "≤": "<=",
    "≥": ">=",
    "≠": "!=",
    "œ": "oe",
    "Œ": "OE",
    "æ": "ae",
    "Æ": "AE",
    "ß": "ss",
    "ẞ": "SS",
    "€": "EUR",
    "£": "GBP",
    "©": "(c)",
    "®": "(R)",
    "±": "+/-",
    "°": "deg",
    "∞": "inf",
}


def encodable(text: str, encoding: str) -> str:
    """Return ``text`` with what an encoding lacks replaced by what comes near it.

    ``?`` is left for what nothing comes near. An encoding that nobody knows is ASCII.
    """
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        # A letter and its accent may stand apart, as in the names of files on macOS.
        text = unicodedata.normalize("NFC", text)
        return "".join(_nearest(char, encoding) for char in text)
    except LookupError:
        return encodable(text, "ascii")
    return text


@cache
def _nearest(char: str, encoding: str) -> str:
    if _fits(char, encoding):
        return char
    for other in _INSTEAD.get(char, ""):
        if _fits(other, encoding):
            return other
    if char in _WORDS:
        return _WORDS[char]
    if unicodedata.category(char) in {"Mn", "Me", "Cf"}:
        return ""
    parts = unicodedata.normalize("NFKD", char)
    return "?" if parts == char else "".join(_nearest(p, encoding) for p in parts)


def _fits(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
