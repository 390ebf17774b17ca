"""What is wrong with the records although they can be read, and with the disk they lie on."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.execution.disk import free_space
from python_runner.records.store import DATABASE_NAME
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.records.store import Store

#: Bytes below which a disk is nearly full, and what a clock may be behind.
_LOW, _SLACK = 100_000_000, timedelta(minutes=1)


def troubles(store: Store, home: Path, now: datetime) -> Iterator[Sentence]:
    """Yield what somebody has to look at, beside the projects.

    Raises:
        StoreError: the records cannot be read.
    """
    with suppress(OSError):
        if (room := free_space(home)) < _LOW:
            yield Sentence.of(
                N_(
                    "The disk of {folder} is nearly full ({room} MB left): runs go on, and"
                    " what they do may not be recorded. Make room there."
                ),
                folder=str(home),
                room=room // 1_000_000,
            )
    last = store.last_begin()
    if last and last[1] > now + _SLACK:
        yield Sentence.of(
            N_(
                "The clock of this computer went back: a run of {project} began later than"
                " now. What is late or silent is misjudged until the clock is right."
            ),
            project=last[0],
        )
    with suppress(OSError):
        for aside in sorted(home.glob(f"{DATABASE_NAME}.corrupt-*")):
            if not aside.name.endswith(("-wal", "-shm", "-journal")):
                yield Sentence.of(
                    N_(
                        "Damaged records were set aside: {file} holds the runs before, and"
                        " the reports that had not been sent. Delete it when nothing is"
                        " missing."
                    ),
                    file=str(aside),
                )
