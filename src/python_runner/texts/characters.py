"""Characters that must not reach a file, a header or a terminal as they are.

The constants are parts of a character class of a regular expression: each place combines
what it has to refuse.
"""

from __future__ import annotations

import re

from python_runner.patterns import lazy_pattern


#: Control characters: ends of lines, tabs, bells, the beginnings of terminal sequences.
CONTROLS = r"\x00-\x1f\x7f-\x9f"
#: Separators of lines that only some programs know, and what changes the order in which
#: letters are shown: a name could show as another one.
REORDERING = r"\u2028-\u202e\u2066-\u2069"
#: Halves of a surrogate pair: no file can hold them.
SURROGATES = r"\ud800-\udfff"
#: Marks of a direction, and what is no character: harmless in a file, but not in a mail.
INVISIBLE = r"\u061c\u200e\u200f\ufffe\uffff"

#: Terminal sequences: CSI (colours, cursor), OSC (titles, links), two-character escapes.
SEQUENCE = r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[ -/]*[0-~])"


#: Bytes of a name that is portable: the archives' date and number follow it, and 255 is
#: what common file systems allow.
LONGEST_NAME = 200
_NO_NAME = lazy_pattern(
    rf'[<>:"/\\|?*{CONTROLS}{REORDERING}{SURROGATES}]|^ |[. ]$'
    r"|^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3])\s*(?:\.|$)",
    re.IGNORECASE,
)


def is_portable_name(name: str) -> bool:
    """Say whether a text can be the name of a file on every platform."""
    return not _NO_NAME.search(name) and 0 < len(name.encode()) <= LONGEST_NAME


#: What JSON and TOML make of a backslash and the letter after it.
_ESCAPES = str.maketrans(
    {"\b": r"\b", "\t": r"\t", "\n": r"\n", "\f": r"\f", "\r": r"\r", "\x1b": r"\e"}
)


def with_backslashes(path: str) -> str | None:
    r"""Return a path whose backslashes were taken for escapes as it was meant.

    ``C:\temp`` between the quotes of JSON holds a tab. None where there is no such
    character; no path of Windows has one.
    """
    meant = path.translate(_ESCAPES)
    return meant if meant != path else None


def escape(char: str) -> str:
    r"""Return a character as ``\x1b`` or ``\u202e``."""
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 - two digits
