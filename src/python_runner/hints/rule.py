"""A rule: which failure it knows, and what it says to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from re import Match, Pattern

    from python_runner.hints.failure import Failure, Surroundings

    #: Returns the values of a sentence; None where the rule does not hold after all.
    Values = Callable[["Seen"], Mapping[str, object] | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """A failure whose form a rule has recognised, and what surrounded it."""

    match: Match[str]
    failure: Failure
    around: Surroundings


def named(seen: Seen) -> Mapping[str, object] | None:
    """Return the named groups of a message as values."""
    return {name: value or "" for name, value in seen.match.groupdict().items()}


def nothing(_seen: Seen) -> Mapping[str, object] | None:
    """Return no values: the sentence is always the same."""
    return {}


def about_file(seen: Seen) -> Mapping[str, object] | None:
    """Return the file of an error of the system; where there is none, no rule holds."""
    file = seen.failure.target or seen.failure.file
    return {"file": seen.failure.file or file} if file else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One failure that is known.

    Attributes:
        name: what tests and pages call it.
        kinds: the types of exception, with their modules; ``*.Name`` is any module's,
            and none is needed.
        message: how the message begins.
        words: the template of the sentence.
        values: returns what is put into it.
    """

    name: str
    kinds: tuple[str, ...]
    message: Pattern[str]
    words: str
    values: Values = nothing

    def hint(self, failure: Failure, around: Surroundings) -> Sentence | None:
        """Return what to do about a failure; None where the rule does not know it."""
        last = failure.kind.rpartition(".")[2]
        if failure.kind not in self.kinds and f"*.{last}" not in self.kinds:
            return None
        match = self.message.match(failure.message)
        values = self.values(Seen(match, failure, around)) if match else None
        return None if values is None else Sentence(self.words, values)


#: The types of what the operating system says.
OS_ERRORS = (
    "OSError",
    "FileNotFoundError",
    "PermissionError",
    "NotADirectoryError",
    "FileExistsError",
    "shutil.Error",
)
