"""Files that a script must have made: its key ``outputs``.

A file counts as made when it was not there before the script started, or is another one
now: its own times and sizes are compared, for a share may have another clock.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice
from pathlib import PureWindowsPath
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from python_runner.facts import dataclass
from python_runner.file_patterns import matching
from python_runner.model.metrics import ProducedFile
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from pathlib import Path

#: A date in a pattern, and how it is written: ``{date}`` or ``{date:%Y-%m-%d}``.
_DATE = lazy_pattern(r"\{date(?::([^{}]*))?\}")
_USUAL_DATE = "%Y-%m-%d"
#: Files of one pattern beyond which nobody can tell which one is new.
_MOST_FILES = 100_000
#: Files of a script that are kept in the records.
_MOST_TOLD = 20


class _State(NamedTuple):
    """What tells that a file was written again.

    Attributes:
        identity: when it last changed, whatever copies say of when it was written. On
            Windows, which does not tell that, its number: elsewhere some shares give a
            file a new one each time they are asked.
    """

    modified: int
    size: int
    identity: int


#: The files of a pattern with its dates, by their path in the project.
_Found: TypeAlias = Mapping[str, _State]


@dataclass(frozen=True, slots=True)
class MadeFiles:
    """What is there of the expected files after a script.

    Attributes:
        problem: which pattern has no new file; None if each has.
        files: what matches now, the newest first; some of many.
    """

    problem: Sentence | None
    files: tuple[ProducedFile, ...]


@dataclass(frozen=True, slots=True)
class ExpectedFiles:
    """What a script must have made, and what was there before it started.

    Attributes:
        folder: the project's.
        patterns: of the key ``outputs``.
        started_at: local time; the date of a pattern is that of the start or of the end.
        before: by pattern, its dates written, what matched then.
    """

    folder: Path
    patterns: tuple[str, ...]
    started_at: datetime
    before: Mapping[str, _Found]

    def made(self, now: datetime) -> MadeFiles:
        """Say which pattern has no file that was made since; ``now`` is local."""
        dates = dict.fromkeys((self.started_at, now))
        after: dict[str, _Found] = {}
        problem = None
        for pattern in self.patterns:
            names = list(dict.fromkeys(expanded(pattern, day) for day in dates))
            after |= {name: _states(self.folder, name) for name in names}
            problem = problem or self._problem(names, after)
        files = {
            path: state for found in after.values() for path, state in found.items()
        }
        return MadeFiles(problem, _newest(files))

    def _problem(
        self, names: list[str], after: Mapping[str, _Found]
    ) -> Sentence | None:
        found: dict[str, _State] = {}
        before: dict[str, _State] = {}
        for name in names:
            now, then = after[name], self.before.get(name, {})
            if max(len(now), len(then)) > _MOST_FILES:
                template = N_("{pattern} names too many files: which one is new?")
                return Sentence.of(template, pattern=name)
            found |= now
            before |= then
        made = {k: v for k, v in found.items() if before.get(k) != v}
        if any(state.size for state in made.values()):
            return None
        if made:
            template = N_("the expected file is empty: {file}")
            return Sentence.of(template, file=min(made))
        if found:
            newest = max(found, key=lambda path: found[path].modified)
            return _old(newest, found[newest])
        for name in names:
            if any(stat.S_ISDIR(s.st_mode) for _, s in matching(self.folder, name)):
                template = N_("a folder, not a file: {file}; its files are {pattern}")
                pattern = f"{name.rstrip('/')}/**"
                return Sentence.of(template, file=name, pattern=pattern)
        return Sentence.of(N_("the expected file was not made: {file}"), file=names[0])


def _newest(files: _Found) -> tuple[ProducedFile, ...]:
    produced = []
    by_time = sorted(files.items(), key=lambda file: (-file[1].modified, file[0]))
    for path, state in by_time[:_MOST_TOLD]:
        # A file may say that it was written in the year 30000.
        with suppress(OSError, OverflowError, ValueError):
            moment = datetime.fromtimestamp(state.modified / 1e9).astimezone()
            file = ProducedFile(path=path, size=state.size, modified_at=moment)
            produced.append(file)
    return tuple(produced)


def _old(name: str, state: _State) -> Sentence:
    try:
        written = datetime.fromtimestamp(state.modified / 1e9).astimezone()
    except (OSError, OverflowError, ValueError):
        # A file may say that it was written in the year 30000.
        return Sentence.of(N_("the expected file is old: {file}"), file=name)
    template = N_("the expected file is old: {file}, written at {moment}")
    return Sentence.of(template, file=name, moment=f"{written:%Y-%m-%d %H:%M}")


def before_start(
    patterns: tuple[str, ...], folder: Path, now: datetime
) -> ExpectedFiles:
    """Note what is there before a script starts, for :meth:`ExpectedFiles.made`."""
    # A script that runs past midnight may have found tomorrow's file.
    dates = (now, now + timedelta(days=1))
    names = dict.fromkeys(expanded(p, day) for p in patterns for day in dates)
    before = {name: _states(folder, name) for name in names}
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
        or re.search(r"[\0-\x1f]", name)
        or any("**" in p and p != "**" for p in path.parts)
    ):
        return Sentence.of(N_("no file has such a name: {pattern}"), pattern=pattern)
    return None


def expanded(pattern: str, day: datetime) -> str:
    """Return a pattern with its dates written.

    Raises:
        ValueError: this system cannot write such a date.
    """

    def written(date: re.Match[str]) -> str:
        form = date[1] or _USUAL_DATE
        text = day.strftime(form)
        # Some systems leave as it is what they do not know.
        if "%" in text and "%%" not in form:
            raise ValueError(form)
        return text

    return _DATE.sub(written, pattern)


def _states(folder: Path, name: str) -> _Found:
    files = (
        (path, _state(status))
        for path, status in matching(folder, name)
        if stat.S_ISREG(status.st_mode)
    )
    return dict(islice(files, _MOST_FILES + 1))


def _state(status: os.stat_result) -> _State:
    identity = status.st_ino if os.name == "nt" else status.st_ctime_ns
    return _State(status.st_mtime_ns, status.st_size, identity)
