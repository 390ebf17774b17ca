"""What differs between a result of a script and its last success before."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from datetime import datetime

    from python_runner.texts.sentence import Sentence


class Aspect(StrEnum):
    """What may differ, in the order in which it is told: the most telling first."""

    FILE = "file"
    PACKAGE = "package"
    #: Of an environment whose packages are not listed.
    PACKAGES = "packages"
    PYTHON = "python"
    INTERPRETER = "interpreter"
    COMPUTER = "computer"
    ACCOUNT = "account"
    VARIABLE = "variable"
    DURATION = "duration"
    OUTPUT = "output"


#: What came of a script: that it differs explains nothing.
MEASURES = frozenset({Aspect.DURATION, Aspect.OUTPUT})


class Change(StrEnum):
    """In which way something differs."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceDiff:
    """How the text of a file differs, for people.

    Attributes:
        lines: of a unified diff, bounded in number and length, without control
            characters.
        more: how many lines of the diff are left out.
        note: what is said of texts whose lines are the same, or None.
    """

    lines: tuple[str, ...] = ()
    more: int = 0
    note: Sentence | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs; ``before`` is None where it is new, ``after`` where gone.

    Attributes:
        name: path of a file, name of a package or variable; empty for the others.
        before: digest of a file, version of a package, seconds of a duration, bytes of
            an output beside the traceback, else a text.
        after: likewise.
        diff: of a file that was changed; None where its texts are not known.
    """

    aspect: Aspect
    name: str = ""
    before: str | float | None = None
    after: str | float | None = None
    diff: SourceDiff | None = None

    @property
    def change(self) -> Change:
        """In which way it differs."""
        if self.before is None:
            return Change.ADDED
        return Change.REMOVED if self.after is None else Change.CHANGED

    def to_document(self) -> dict[str, Any]:
        """Return the difference as the public JSON document holds it."""
        document: dict[str, Any] = {
            "aspect": self.aspect.value,
            "name": self.name or None,
            "change": self.change.value,
            "before": self.before,
            "after": self.after,
        }
        if self.aspect is Aspect.FILE:
            document["diff"] = list(self.diff.lines) if self.diff else None
        return document


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What changed since a script last succeeded.

    Attributes:
        run_id: of the run in which it did.
        since: when that run began.
        found: the most telling first; empty where nothing that is recorded changed.
    """

    run_id: str
    since: datetime
    found: tuple[Difference, ...] = ()

    def to_document(self) -> dict[str, Any]:
        """Return them as the public JSON document holds them."""
        return {
            "since": {"run_id": self.run_id, "started_at": self.since.isoformat()},
            "differences": [difference.to_document() for difference in self.found],
        }
