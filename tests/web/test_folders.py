"""Folders are looked at beside the pages: one that does not answer holds up none."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from python_runner.web.reading.folders import Folders, Known, Wanted


pytestmark = pytest.mark.portable("threads and paths only")

FOLDER, OTHER = Path("a"), Path("b")


def test_a_folder_that_hangs_is_left_out_and_comes_when_it_answers() -> None:
    """The others are told meanwhile; afterwards the pages are told to ask again."""
    answers = threading.Event()

    def look(wanted: Wanted) -> Known:
        if wanted.folder == FOLDER:
            answers.wait(60)
        return Known(problem=str(wanted.folder))

    folders = Folders(look)
    wanted = [Wanted(folder=FOLDER), Wanted(folder=OTHER)]
    assert set(folders.known(wanted, 5.0)) == {OTHER}
    before = folders.generation
    answers.set()
    assert set(folders.known(wanted, 60.0)) == {FOLDER, OTHER}
    folders.close()
    assert folders.generation > before


def test_what_is_known_is_looked_at_again_when_the_runs_have_changed() -> None:
    """Not before: a page of 500 projects looks at no folder otherwise."""
    seen: list[object] = []

    def look(wanted: Wanted) -> Known:
        seen.append(wanted.runs)
        return Known(problem=str(wanted.runs))

    folders = Folders(look)
    for runs in (1, 1, 2, 2):
        known = folders.known([Wanted(folder=FOLDER, runs=runs)], 60.0)
        assert known[FOLDER].problem == str(runs)
    folders.close()
    assert seen == [1, 2]
    assert folders.generation == 0, "all of it was told"


def test_those_that_fail_are_looked_at_first() -> None:
    """Their reasons are what people wait for."""
    seen: list[Path] = []

    def look(wanted: Wanted) -> Known:
        seen.append(wanted.folder)
        return Known()

    folders = Folders(look)
    wanted = [Wanted(folder=Path(str(n)), urgent=n == 7) for n in range(9)]
    folders.known(wanted, 60.0)
    folders.close()
    assert seen[0] == Path("7")
    assert len(seen) == 9
