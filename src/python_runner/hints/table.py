"""All rules, in the order in which they are asked, and the hint for a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints import data, endings, files, modules, network, session


if TYPE_CHECKING:
    from python_runner.hints.failure import Failure, Surroundings
    from python_runner.texts.sentence import Sentence

RULES = (
    *modules.RULES,
    *session.RULES,
    *files.RULES,
    *endings.RULES,
    *data.RULES,
    *network.RULES,
)


def hint_for(failure: Failure, around: Surroundings) -> Sentence | None:
    """Return what to do about a failure; None where that is not known for sure."""
    for end in endings.ANY_END:
        if hint := end.hint(failure):
            return hint
    if failure.kind:
        if failure.own_words:
            return None
        return next(filter(None, (r.hint(failure, around) for r in RULES)), None)
    return next(filter(None, (r.hint(failure) for r in endings.NO_EXCEPTION)), None)
