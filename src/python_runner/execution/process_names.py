"""Names a process by its command line, for people: bounded, without secrets."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.masking import MASK, Masker
from python_runner.secret_values import is_secret_name, secret_values
from python_runner.texts.sanitize import one_line


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.execution.exit_reasons import ProcessInfo

#: Most characters of a name.
_LONGEST = 160
#: What may stand between the name of an option and its value.
_OPTION = re.compile(r"(?:--?|/)?([A-Za-z][\w.-]*)([=:]?)(.*)", re.DOTALL)


def named(process: ProcessInfo, masker: Masker) -> ProcessInfo:
    """Return a process with its command line as its name, where that can be read."""
    import psutil  # noqa: PLC0415 - slow to import

    try:
        argv = psutil.Process(process.pid).cmdline()
    except (psutil.Error, OSError):
        # It has ended, or is somebody else's.
        return process
    return replace(process, name=command_line(argv, masker) or process.name)


def command_line(argv: Sequence[str], masker: Masker) -> str:
    """Return the arguments of a process in one line, its program without folders.

    Besides what the masker knows, the values of options like ``--password`` are taken out,
    and the password of a URL.
    """
    if not argv:
        return ""
    program = re.split(r"[\\/]", argv[0])[-1]
    words = " ".join([program, *_without_secrets(argv[1:])])
    # Masked before it is cut: half a secret could not be recognised.
    return one_line(masker.text(words), _LONGEST)


def _without_secrets(words: Sequence[str]) -> Iterator[str]:
    hidden = False
    for word in words:
        if hidden and not word.startswith("-"):
            yield MASK
            hidden = False
            continue
        match = _OPTION.fullmatch(word)
        secret = match is not None and is_secret_name(match[1])
        hidden = secret and match is not None and not match[2] and word[0] in "-/"
        if match and secret and match[2]:
            yield word[: match.start(3)] + MASK
        else:
            yield Masker(secret_values({"": word})).text(word)
