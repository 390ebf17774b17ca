"""A project on a share that does not answer holds up its own pages only."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from python_runner.config.project import load_project
from python_runner.web import kept as kept_pages
from python_runner.web.addresses import key_of
from python_runner.web.pages import log, output
from python_runner.web.reading import projects
from python_runner.web.reading.projects import Configurations
from python_runner.web.site import PlainText
from tests.web.asking import run_of
from tests.web.test_pages import BAD, first_line, told


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Any

    from python_runner.model import Project
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("requests are answered in this process")


class Share:
    """A share that does not answer, until it does."""

    def __init__(self, folders: set[Path]) -> None:
        self._folders = folders
        self._answers = threading.Event()
        self.asked: list[Path] = []

    def load(self, folder: Path, **options: Any) -> Project:
        """Read a configuration, as soon as the share answers."""
        if folder in self._folders:
            self.asked.append(folder)
            self._answers.wait(600)
        return load_project(folder, **options)

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it hang meanwhile."""
        try:
            yield
        finally:
            self._answers.set()


def test_one_folder_that_hangs_is_asked_once(dashboard: Dashboard) -> None:
    """Its configuration is unknown meanwhile; that of others is read."""
    bad, good = dashboard.project("away"), dashboard.project("here")
    share = Share({bad})
    with share.hanging():
        read = Configurations({}, share.load)
        for _again in range(3):
            assert read.of(bad) is None
        found = read.of(good)
        assert found is not None
        assert found.path == good
        assert share.asked == [bad]


def test_many_that_hang_leave_the_pages_their_threads(dashboard: Dashboard) -> None:
    """So many threads wait at most; the rest is unknown at once."""
    away = [dashboard.project(f"away{n}") for n in range(40)]
    share = Share(set(away))
    with share.hanging():
        read = Configurations({}, share.load)
        assert [read.of(folder) for folder in away] == [None] * 40
        assert len(share.asked) == 8


@pytest.mark.slow
@pytest.mark.fault(
    "machine",
    "The folder of a project lies on a share that does not answer",
    "Every page is there all the same, also the project's.",
)
def test_pages_do_not_wait_for_a_project_that_hangs(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the records know of it is shown."""
    bad, good = dashboard.project("away"), dashboard.project("here")
    with dashboard.store() as store:
        for number, path in enumerate((bad, good), 1):
            store.end_run(run_of(path, number, BAD), [], dashboard.now)
    share = Share({bad})
    # The share is beside what is tested: its stand-in asks the real reader.
    monkeypatch.setattr(projects.Configurations.__init__, "__defaults__", (share.load,))
    with share.hanging():
        for address in (
            *("/errors", "/mail", f"/p/{key_of(good)}", f"/p/{key_of(bad)}/log"),
            *(f"/r/{1:013x}", "/search?q=x", "/search?q=x&in=log"),
        ):
            answer = dashboard.ask(address)
            assert answer.status == 200, address
        assert share.asked == [bad]


def test_a_page_that_hangs_says_so(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a sentence, and tries again; a text ends, and the other pages are there."""
    monkeypatch.setattr(kept_pages, "SECONDS", 0.5)
    dashboard.project("here")
    answers = threading.Event()

    def hang(_question: object) -> PlainText:
        answers.wait(600)
        return PlainText(content="late")

    monkeypatch.setattr(output, "plain_file", hang)
    monkeypatch.setattr(log, "page", hang)
    page = f"/p/{key_of(dashboard.folder / 'here')}/log"
    try:
        for address in (f"/r/{1:013x}/1.txt", page, page):
            answer = dashboard.ask(address)
            assert answer.status == 504
            assert "does not answer" in first_line(answer.text)
            assert "tries again by itself" in told(answer.text)
        monkeypatch.setattr(kept_pages, "SECONDS", 60.0)
        assert dashboard.ask("/help").status == 200
    finally:
        answers.set()
