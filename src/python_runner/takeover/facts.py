"""What was found in a task, a crontab or a batch file."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping

#: Around the part of a text that only the run itself can tell, such as today's date.
UNKNOWN, END = "\ue000", "\ue001"


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands: a line, from 1, and the file where it is another one."""

    line: int | None = None
    file: str = ""


@dataclass(frozen=True, slots=True)
class Note:
    """What could not be carried over, or need not be, and where it stands."""

    place: Place
    text: Sentence

    def sentence(self) -> Sentence:
        """Return it with its place in front."""
        place = self.place
        if place.line and place.file:
            template = N_("{file}, line {line}: {text}")
        elif place.line:
            template = N_("line {line}: {text}")
        else:
            return self.text
        return Sentence.of(template, file=place.file, line=place.line, text=self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One start of a Python script.

    Attributes:
        script: its path, as written, variables replaced.
        args: its arguments.
        python: the interpreter and its own arguments; empty where none is named.
        python_folder: the current folder to which the interpreter's path is relative.
        folder: the current folder when it starts; None where nobody says.
        env: variables that are set for it.
        set_at: where these stand; absent: where the call does.
        own: names among these that the file uses itself.
        timeout: seconds, or None.
        stops: whether a failure keeps the rest from running.
        stops_until: how many scripts have started where this rest ends; None: all of it.
        place: where it stands.
    """

    script: str
    args: tuple[str, ...] = ()
    python: tuple[str, ...] = ()
    python_folder: str | None = None
    folder: str | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    set_at: Mapping[str, Place] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    timeout: float | None = None
    stops: bool = False
    stops_until: int | None = None
    place: Place = Place()


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What an entry does.

    Attributes:
        windows: whether its paths are those of Windows.
        base: the folder of the file; None where it has none.
        calls: the scripts in the order in which they start.
        schedule: a cron expression, or None.
        timed: whether it has a schedule, carried over or not.
        recipients: addresses that get mail about it.
        timeout: seconds that all of it may take, or None.
        waits: whether a second run waits for the first one; None where nobody says.
        notes: what is not carried over, in the order of the file.
        secrets: values that are secret by the name of their variable.
    """

    windows: bool
    base: str | None = None
    calls: tuple[Call, ...] = ()
    schedule: str | None = None
    timed: bool = False
    recipients: tuple[str, ...] = ()
    timeout: float | None = None
    waits: bool | None = None
    notes: tuple[Note, ...] = ()
    secrets: frozenset[str] = frozenset()


def plain(text: str) -> str:
    """Return a text with its unknown parts as they were written."""
    return text.replace(UNKNOWN, "").replace(END, "")


def is_known(text: str) -> bool:
    """Say whether no part of a text is left to the run."""
    return UNKNOWN not in text
