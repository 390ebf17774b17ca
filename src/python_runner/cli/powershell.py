"""Completion in PowerShell, whose words are not those of a POSIX shell."""

from __future__ import annotations

import os
import re

from click.shell_completion import PowerShellComplete, add_completion_class

from python_runner.patterns import lazy_pattern


#: A part of a word: quoted, after the character that takes the next one as it is, or bare.
#: A quote that is still open reaches to the end of the line.
_PART = lazy_pattern(
    r"""'(?P<single>(?:[^']|'')*)(?:'|$)
    |"(?P<double>(?:[^"`]|`.|"")*)(?:"|$)
    |`(?P<next>.)
    |(?P<bare>[^\s'"`]+)""",
    re.VERBOSE | re.DOTALL,
)


def split_line(line: str) -> list[str]:
    """Return the words of a command line as PowerShell reads them.

    A backslash is a character like any other there: it separates the parts of a path.
    """
    words: list[str] = []
    end = -1
    for part in _PART.finditer(line):
        text = (
            (part["single"] or "").replace("''", "'")
            + re.sub(r'`(.)|"(")', r"\1\2", part["double"] or "")
            + (part["next"] or "")
            + (part["bare"] or "")
        )
        if part.start() == end:
            words[-1] += text
        else:
            words.append(text)
        end = part.end()
    return words


class OwnPowerShellComplete(PowerShellComplete):
    """Click's, which takes the words for those of a POSIX shell: no path reaches it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one that is typed, and that one."""
        words = split_line(os.environ["COMP_WORDS"])
        number = int(os.environ["COMP_CWORD"])
        return words[1:number], words[number] if number < len(words) else ""


def register() -> None:
    """Let click use it where PowerShell asks."""
    add_completion_class(OwnPowerShellComplete)
