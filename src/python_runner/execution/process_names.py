"""Names a process by its command line, for people: bounded, without secrets."""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.masking import MASK, Masker
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import is_secret_name, secret_values
from python_runner.texts.sanitize import one_line


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from python_runner.execution.exit_reasons import ProcessInfo

#: Most characters of a name.
_LONGEST = 160
#: What may stand between the name of an option and its value.
_OPTION = lazy_pattern(r"(?:--?|/)?([A-Za-z][\w.-]*)([=:]?)(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Started:
    """By whom a process was started, and with which words."""

    parent: int
    argv: Sequence[str]


def named(processes: Iterable[ProcessInfo], masker: Masker) -> dict[int, ProcessInfo]:
    """Return processes by number, with their command lines as names where those are read.

    The python of a virtual environment on Windows starts the interpreter that it stands
    for, and waits for it: people know one program, which is named once.
    """
    processes = list(processes)
    seen = {p.pid: told for p in processes if (told := _look_at(p.pid))}
    left_out = redirected(seen) if sys.platform == "win32" else frozenset[int]()
    return {
        p.pid: replace(p, name=command_line(seen[p.pid].argv, masker) or p.name)
        if p.pid in seen
        else p
        for p in processes
        if p.pid not in left_out
    }


def _look_at(pid: int) -> Started | None:
    """Return what a process tells; None if it has ended, or is somebody else's."""
    import psutil  # noqa: PLC0415 - slow to import

    try:
        process = psutil.Process(pid)
        return Started(process.ppid(), process.cmdline())
    except (psutil.Error, OSError):
        return None


def redirected(seen: Mapping[int, Started]) -> frozenset[int]:
    """Return the interpreters that a redirector with the same words stands for.

    The number that their script knows is the redirector's.
    """
    return frozenset(
        pid
        for pid, child in seen.items()
        if (parent := seen.get(child.parent))
        and parent.argv[1:] == child.argv[1:]
        and all(_is_python(process.argv) for process in (parent, child))
    )


def _is_python(argv: Sequence[str]) -> bool:
    return bool(argv) and _program(argv[0]).lower().startswith("python")


def _program(path: str) -> str:
    return re.split(r"[\\/]", path)[-1]


def command_line(argv: Sequence[str], masker: Masker) -> str:
    """Return the arguments of a process in one line, its program without folders.

    Besides what the masker knows, the values of options like ``--password`` are taken out,
    and the password of a URL.
    """
    if not argv:
        return ""
    words = " ".join([_program(argv[0]), *_without_secrets(argv[1:])])
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
