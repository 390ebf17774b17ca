"""Files that a script must have made: its key ``outputs``.

A file counts as made when it was not there before the script started, or is another one
now: its own times and sizes are compared, for a share may have another clock.
"""

from __future__ import annotations

import re
import stat
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, NamedTuple

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: A date in a pattern, and how it is written: ``{date}`` or ``{date:%Y-%m-%d}``.
_DATE = lazy_pattern(r"\{date(?::([^{}]*))?\}")
_USUAL_DATE = "%Y-%m-%d"
#: Files of one pattern that are looked at.
_MOST_FILES = 10_000


class _State(NamedTuple):
    """What tells that a file was written again."""

    modified: int
    size: int
    inode: int


@dataclass(frozen=True, slots=True)
class ExpectedFiles:
    """What a script must have made, and what was there before it started.

    Attributes:
        folder: the project's.
        patterns: of the key ``outputs``.
        started_at: local time; the date of a pattern is that of the start or of the end.
        before: the files that matched then.
    """

    folder: Path
    patterns: tuple[str, ...]
    started_at: datetime
    before: Mapping[Path, _State]

    def problem(self, now: datetime) -> Sentence | None:
        """Say which pattern has no file that was made since, or None; ``now`` is local."""
        for pattern in self.patterns:
            dates = dict.fromkeys((self.started_at, now))
            names = list(dict.fromkeys(expanded(pattern, day) for day in dates))
            found = {k: v for n in names for k, v in _states(self.folder, n).items()}
            made = {k: v for k, v in found.items() if self.before.get(k) != v}
            if any(state.size for state in made.values()):
                continue
            if made:
                template = N_("the expected file is empty: {file}")
                return Sentence.of(template, file=self._name(min(made)))
            if found:
                newest = max(found, key=lambda path: found[path].modified)
                written = datetime.fromtimestamp(
                    found[newest].modified / 1e9
                ).astimezone()
                template = N_("the expected file is old: {file}, written at {moment}")
                return Sentence.of(
                    template,
                    file=self._name(newest),
                    moment=f"{written:%Y-%m-%d %H:%M}",
                )
            template = N_("the expected file was not made: {file}")
            return Sentence.of(template, file=names[0])
        return None

    def _name(self, path: Path) -> str:
        return path.relative_to(self.folder).as_posix()


def before_start(
    patterns: tuple[str, ...], folder: Path, now: datetime
) -> ExpectedFiles:
    """Note what is there before a script starts, for :meth:`ExpectedFiles.problem`."""
    before = {
        path: state
        for pattern in patterns
        for path, state in _states(folder, expanded(pattern, now)).items()
    }
    return ExpectedFiles(folder, patterns, now, before)


def pattern_problem(pattern: str, now: datetime) -> Sentence | None:
    """Say why a pattern of ``outputs`` cannot be used, or None."""
    try:
        name = expanded(pattern, now)
    except ValueError:
        return Sentence.of(
            N_("this date cannot be written: {pattern}"), pattern=pattern
        )
    if re.search(r"[{}]", name):
        template = N_('only a date such as {example} stands in braces: "{pattern}"')
        return Sentence.of(template, example="{date:%Y-%m-%d}", pattern=pattern)
    path = PureWindowsPath(name)
    if path.anchor or ".." in path.parts:
        return Sentence.of(
            N_("a pattern is a path inside the project: {pattern}"), pattern=pattern
        )
    if (
        not path.parts
        or "\0" in name
        or any("**" in p and p != "**" for p in path.parts)
    ):
        return Sentence.of(N_("no file has such a name: {pattern}"), pattern=pattern)
    return None


def expanded(pattern: str, day: datetime) -> str:
    """Return a pattern with its dates written.

    Raises:
        ValueError: this system cannot write such a date.
    """
    return _DATE.sub(lambda date: day.strftime(date[1] or _USUAL_DATE), pattern)


def _states(folder: Path, name: str) -> dict[Path, _State]:
    return dict(islice(_files(folder, name), _MOST_FILES))


def _files(folder: Path, name: str) -> Iterator[tuple[Path, _State]]:
    # What nobody can look at was not made.
    with suppress(OSError):
        for path in folder.glob(name):
            with suppress(OSError):
                status = path.stat()
                if stat.S_ISREG(status.st_mode):
                    state = _State(status.st_mtime_ns, status.st_size, status.st_ino)
                    yield path, state
