"""The page of a fleet: other computers' projects, read beside the pages and distrusted."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.fleet.writing import FleetWriter
from python_runner.model.fleet import FleetFolder
from python_runner.web.reading import fleet as reading
from tests.support import GENEROUS
from tests.web.asking import NOON, run_of
from tests.web.test_pages import BAD, GOOD, HOSTILE, first_line, told


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Outcome
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("pages are made in this process")


def write(
    share: Path, home: Path, name: str, outcome: Outcome, **changes: object
) -> None:
    """Let another computer tell of a run."""
    share.mkdir(exist_ok=True)
    home.mkdir(exist_ok=True)
    writer = FleetWriter(FleetFolder(folder=share), home, lambda: NOON)
    run = run_of(home / name, 1, outcome, ago=timedelta(minutes=5))
    writer.tell(replace(run, **changes))  # type: ignore[arg-type]
    writer.deliver()
    writer.wait(GENEROUS)


def settled(dashboard: Dashboard, address: str = "/fleet") -> str:
    """Return a page once the folder has been read."""
    end = time.monotonic() + GENEROUS
    while time.monotonic() < end:
        page = dashboard.ask(address).text
        if "for the first time" not in page:
            return page
        time.sleep(0.02)
    pytest.fail("the folder was never read")


def test_projects_of_other_computers_are_shown(dashboard: Dashboard) -> None:
    """What fails comes first, with its reason; this computer's page leads there."""
    share = dashboard.folder.parent / "share"
    write(share, dashboard.home.parent / "one", "stock", BAD)
    write(share, dashboard.home.parent / "two", "ventes", GOOD)
    dashboard.options["fleet"] = share
    dashboard.project("here")
    page = settled(dashboard)
    assert "1 of 2 projects needs you: stock" in first_line(page)
    assert "KeyError: 'amount'" in told(page)
    assert page.index("stock") < page.index("ventes")
    assert page.count("<h2") == 2
    dashboard.options["projects"] = (dashboard.folder / "here",)
    dashboard = replace(dashboard, _app=None)
    front = settled(dashboard, "/")
    assert "Fleet" in told(front)
    assert 'href="/fleet"' in front
    assert "needs you: stock" in told(settled(dashboard, "/fleet"))


def test_what_others_wrote_is_text(dashboard: Dashboard) -> None:
    """Whoever may write to the folder writes no element of a page."""
    share = dashboard.folder.parent / "share"
    write(share, dashboard.home.parent / "one", "p", BAD, project=HOSTILE)
    share.joinpath("junk").write_bytes(b"\xff" * 100)
    dashboard.options["fleet"] = share
    for language in ("en", "fr"):
        page = settled(dashboard, f"/fleet?lang={language}")
        assert "onerror" in told(page)
        assert "<img" not in page


@pytest.mark.parametrize("hangs", [True, False], ids=["hangs", "is gone"])
def test_a_folder_that_cannot_be_read_delays_nothing(
    dashboard: Dashboard, monkeypatch: pytest.MonkeyPatch, *, hangs: bool
) -> None:
    """The pages are there at once; the reason stands on the fleet's."""
    dashboard.options["fleet"] = dashboard.folder.parent / "away"
    dashboard.project("here")
    dashboard.options["projects"] = (dashboard.folder / "here",)
    if hangs:
        monkeypatch.setattr(reading, "read_fleet", lambda *_a, **_k: time.sleep(3600))
        for address in ("/", "/fleet", "/wall"):
            assert dashboard.ask(address).status == 200
        assert "for the first time" in told(dashboard.ask("/fleet").text)
        return
    assert "cannot be read" in first_line(settled(dashboard))


def test_without_the_key_there_is_no_such_page(dashboard: Dashboard) -> None:
    """Nothing leads to it either."""
    dashboard.project("here")
    assert dashboard.ask("/fleet").status == 404
    assert "/fleet" not in dashboard.ask("/").text
