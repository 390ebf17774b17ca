"""The states that pages show: each is a word, a shape and a colour."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from python_runner.model import Outcome, RunStatus
    from python_runner.texts.formats import Formats


class State(StrEnum):
    """How something does; what people look at first comes first.

    The value is also the class that colours it.
    """

    FAILED = "failed"
    INTERRUPTED = "interrupted"
    SILENT = "silent"
    UNUSUAL = "unusual"
    RUNNING = "running"
    SKIPPED = "skipped"
    NEVER = "never"
    WELL = "well"

    @property
    def shape(self) -> str:
        """The sign that stands in front of its word."""
        return _SHAPES[self]

    def word(self, formats: Formats) -> str:
        """Return what people call it."""
        return formats.gettext(_WORDS[self])

    @property
    def favicon(self) -> str:
        """Which of the three signs of a tab it is: ``failed``, ``unsure`` or ``well``."""
        if self in {State.FAILED, State.INTERRUPTED}:
            return "failed"
        return "unsure" if self in {State.SILENT, State.UNUSUAL} else "well"


# The last character keeps browsers from drawing a coloured picture.
_SHAPES = {
    State.FAILED: "✖\ufe0e",
    State.SILENT: "◌",
    State.UNUSUAL: "▲",
    State.RUNNING: "◐",
    State.INTERRUPTED: "⚡\ufe0e",
    State.SKIPPED: "»",
    State.NEVER: "\N{EN DASH}",
    State.WELL: "✔\ufe0e",
}
_WORDS = {
    State.FAILED: N_("failed"),
    State.SILENT: N_("silent"),
    State.UNUSUAL: N_("unusual"),
    State.RUNNING: N_("running"),
    State.INTERRUPTED: N_("interrupted"),
    State.SKIPPED: N_("skipped"),
    State.NEVER: N_("never ran"),
    State.WELL: N_("well"),
}
_OF = {
    "success": State.WELL,
    "failure": State.FAILED,
    "timeout": State.FAILED,
    "stopped": State.INTERRUPTED,
    "skipped": State.SKIPPED,
    "interrupted": State.INTERRUPTED,
    "not_started": State.FAILED,
}


def state_of(
    ended: RunStatus | Outcome | str | None, *, unusual: bool = False
) -> State:
    """Return the state of a run or of a script; None stands for one that runs."""
    if ended is None:
        return State.RUNNING
    state = _OF[str(ended)]
    return State.UNUSUAL if unusual and state is State.WELL else state


def word_of(ended: RunStatus | Outcome | None, formats: Formats) -> str:
    """Return the word for how a run or a script ended."""
    return formats.gettext(ended.word) if ended else State.RUNNING.word(formats)
