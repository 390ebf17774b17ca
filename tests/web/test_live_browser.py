"""How an open page follows: in a real browser, over a server that comes and goes."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from python_runner.model import Outcome
from tests.support import keep
from tests.web.asking import Dashboard
from tests.web.browser import chromium, served


if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

pytestmark = [pytest.mark.posix, pytest.mark.slow, pytest.mark.together]

#: Milliseconds within which something must be seen.
SOON = 30_000
#: Lets a page believe that its tab was hidden, or is shown again.
HIDE = """hidden => {
  Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def settle(page: Page) -> None:
    """Wait until the page has been told of all that was written."""
    page.locator("#live:not([hidden])").wait_for(timeout=SOON)
    page.wait_for_timeout(2000)


def test_an_open_page_tells_who_changed_and_asks_once_when_it_is_back(
    tmp_path: Path,
) -> None:
    """A screen reader hears which project; a hidden tab, or a lost server, costs nothing."""
    home = tmp_path / "home"
    home.mkdir()
    dashboard = Dashboard(home=home, folder=tmp_path / "projects")
    dashboard.options["clock"] = lambda: datetime.now().astimezone()
    path = dashboard.project("invoices")
    with dashboard.store() as store:
        keep(store, "a" * 13, path, Outcome.SUCCESS)
    with chromium() as browser:
        with served(dashboard.site) as address:
            port = urlsplit(address).port or 0
            page = browser.new_page(locale="en-GB")
            asked: list[str] = []
            page.on("request", lambda request: asked.append(urlsplit(request.url).path))
            page.goto(address)
            settle(page)
            with dashboard.store() as store:
                keep(store, "b" * 13, path, Outcome.FAILURE)
            told = page.locator("#announce")
            told.get_by_text("invoices: failed").wait_for(
                state="attached", timeout=SOON
            )
            settle(page)
            # Nobody looks: nothing is asked, whatever happens.
            page.evaluate(HIDE, True)
            asked.clear()
            with dashboard.store() as store:
                keep(store, "c" * 13, path, Outcome.SUCCESS)
            page.wait_for_timeout(1500)
            assert asked == []
            page.evaluate(HIDE, False)
            settle(page)
            assert sorted(one for one in asked if "static" not in one) == [
                "/",
                "/events",
            ]
        page.locator("#stale:not([hidden])").wait_for(timeout=SOON)
        asked.clear()
        with served(dashboard.site, port):
            page.locator("#stale[hidden]").wait_for(state="attached", timeout=SOON)
            settle(page)
            assert asked.count("/") == 1
            page.close()
