"""What is found out about the folder by which the computers of a fleet tell each other."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from python_runner.config.workspace import WORKSPACE_FILE
from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding
from python_runner.exceptions import Problem
from python_runner.fleet.queue import Queue
from python_runner.fleet.writing import why_unwritable
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.waiting import do_within


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from python_runner.model.fleet import FleetFolder

#: Seconds that `check` waits for a share.
_SECONDS = 10.0
_NO_ANSWER = N_("it does not answer")
_WRONG = N_("this computer cannot write to {folder}: {error}; the results of runs wait")


def look_at_fleet(place: FleetFolder, home: Path) -> Iterator[Finding]:
    """Yield whether this computer can write to the fleet's folder, and what waits; may hang."""
    folder = str(place.folder)
    if reason := why_unwritable(place.folder):
        yield Finding.of(kinds.FLEET_UNWRITABLE, folder=folder, error=reason)
    else:
        yield Finding.of(kinds.FLEET_WRITABLE, folder=folder)
    if waiting := len(Queue(home).waiting()):
        yield Finding.of(kinds.FLEET_WAITING, folder=folder, count=waiting)


def fleet_problems(place: FleetFolder | None) -> Iterator[Problem]:
    """Yield why this computer cannot write to the fleet's folder; takes a while at most."""
    if place is None:
        return
    looks = [partial(why_unwritable, place.folder)]
    looked = do_within(looks, _SECONDS, 1, "fleet")
    reason = looked[0] if looked else Sentence.of(_NO_ANSWER)
    if reason:
        words = Sentence.of(_WRONG, folder=str(place.folder), error=reason)
        yield Problem(WORKSPACE_FILE, "fleet", words.in_language(system_language()))
