"""The pages in a real browser: what they look like, how they live, how they are used."""

from __future__ import annotations

import re
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from python_runner.model import Outcome
from python_runner.records.store import DATABASE_NAME
from python_runner.web.addresses import key_of
from python_runner.web.security import TICKET, new_ticket
from tests.web import asking
from tests.web.asking import TOKEN, Dashboard, run_of
from tests.web.browser import chromium, served


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

# One browser and one server for all of them: a start takes seconds.
pytestmark = [pytest.mark.posix, pytest.mark.slow, pytest.mark.together]

GOOD, BAD = Outcome.SUCCESS, Outcome.FAILURE
HOSTILE = "<img src=x onerror=\"document.title='hacked'\"><script>alert(1)</script>"
DAY = timedelta(days=1)
#: Milliseconds within which a change must be seen.
SOON = 15_000
SIZES = {"wide": (1280, 800), "phone": (390, 844), "narrow": (320, 640)}


@dataclass
class World:
    """Projects, their dashboard, and the browser."""

    dashboard: Dashboard
    address: str
    browser: Browser
    number: int = 1000
    paths: dict[str, Path] = field(default_factory=dict)

    def page(self, name: str) -> str:
        """Return the address of a page."""
        paths = {
            "all": "/",
            "missing": "/nothing",
            "run": f"/r/{211:013x}",
            "log": f"/p/{key_of(self.paths['charlie'])}/log",
            **{one: f"/{one}" for one in ("wall", "help", "errors", "search", "mail")},
        }
        return self.address + (paths.get(name) or f"/p/{key_of(self.paths[name])}")

    def end_run(self, name: str, outcome: Outcome, **changes: Any) -> None:
        """Let a run of a project end now, as another process would write it."""
        self.number += 1
        with self.dashboard.store() as store:
            run = run_of(
                self.paths[name],
                self.number,
                outcome,
                ago=asking.NOON - datetime.now().astimezone(),
                **changes,
            )
            store.end_run(run, [], run.started_at)

    @contextmanager
    def opened(self, name: str, **options: Any) -> Iterator[Page]:
        """Open a page; whatever the browser complains of fails the test."""
        width, height = SIZES[options.pop("size", "wide")]
        context = self.browser.new_context(
            viewport={"width": width, "height": height}, locale="en-GB", **options
        )
        page, complaints = context.new_page(), list[str]()
        page.on("console", lambda said: complaints.append(said.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.goto(self.page(name))
        try:
            yield page
        finally:
            context.close()
        # What is new has no place on a page until its reader wants it: htmx says so.
        told = [text for text in complaints if "oobErrorNoTarget" not in text]
        told = [text for text in told if "404" not in text or name != "missing"]
        assert told == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return projects in several states, one with hostile names, shown in a browser."""
    folder = tmp_path_factory.mktemp("world")
    dashboard = Dashboard(home=folder / "home", folder=folder / "projects")
    dashboard.home.mkdir()
    dashboard.now = datetime.now().astimezone()
    paths = {
        name: dashboard.project(name, "1.py", "2.py")
        for name in ("alpha", "bravo", "charlie", "delta")
    }
    with dashboard.store() as store:
        for at, (name, path) in enumerate(paths.items()):
            for n in range(12):
                bad = name == "charlie" and n > 9
                run = run_of(
                    path,
                    at * 100 + n,
                    GOOD,
                    BAD if bad else GOOD,
                    ago=asking.NOON - dashboard.now + (12 - n) * DAY,
                    scripts=("1.py", HOSTILE),
                    exception=f"ValueError: {HOSTILE}",
                    project=HOSTILE if name == "charlie" else name,
                )
                store.end_run(run, [], dashboard.now)
    # The present: the pages tick.
    dashboard.options["clock"] = lambda: datetime.now().astimezone()
    site = dashboard.site
    with served(site) as address, chromium() as browser:
        yield World(dashboard, address, browser, paths=paths)


PAGES = (
    *("all", "wall", "help", "alpha", "charlie", "missing"),
    *("run", "log", "errors", "search", "mail"),
)


@pytest.mark.sampled(12)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_seen_read_and_used(
    world: World, name: str, scheme: str, size: str
) -> None:
    """Nothing serious for axe, no complaint of the browser, no scrolling sideways."""
    with world.opened(name, color_scheme=scheme, size=size) as page:
        found = Axe().run(page)
        serious = [
            (one["id"], [node["html"][:200] for node in one["nodes"]])
            for one in found.response["violations"]
            if one["impact"] in {"serious", "critical"}
        ]
        assert serious == []
        sideways = page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )
        assert sideways <= 0
        assert page.locator("h1").count() == 1
        dark = name == "wall" or scheme == "dark"
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, re.findall(r"\d+", background)[:3])) < 200) is dark


def test_hostile_names_are_seen_and_do_nothing(world: World) -> None:
    """On the pages and in what a live update brings."""
    with world.opened("all") as page:
        assert page.get_by_text("<script>alert(1)</script>").count() > 0
        before = page.title()
        world.end_run("charlie", BAD, exception=f"KeyError: {HOSTILE}", project=HOSTILE)
        page.get_by_text("KeyError:").first.wait_for(timeout=SOON)
        assert page.locator("img").count() == 0
        assert "hacked" not in page.title() + before


def status(page: Page, address: str) -> int:
    """Open an address, and return the status of the answer."""
    answer = page.goto(address)
    assert answer is not None
    return answer.status


def rows(page: Page) -> list[tuple[str, float]]:
    """Return the rows of the table and where they are."""
    found: list[tuple[str, float]] = page.evaluate(
        "[...document.querySelectorAll('tr[data-row]')]"
        ".map(row => [row.id, row.getBoundingClientRect().top + scrollY])"
    )
    return [(name, top) for name, top in found]


def test_rows_stay_where_they_are_during_fifty_updates(world: World) -> None:
    """Cells change; the order waits for the reader, who is told how many have changed."""
    with world.opened("all") as page:
        world.end_run("delta", GOOD)
        page.wait_for_timeout(1500)
        before, order = rows(page), [name for name, _ in rows(page)]
        target = page.locator("tr[data-name=delta]")
        target.hover()
        for n in range(50):
            world.end_run("delta", BAD if n % 2 == 0 else GOOD)
            page.wait_for_timeout(40)
        world.end_run("delta", BAD)
        target.get_by_text("KeyError").wait_for(timeout=SOON)
        assert [name for name, _ in rows(page)] == order
        tops = dict(before)
        # A reason is a line more below; nothing above the pointer moves.
        own = target.get_attribute("id") or ""
        assert dict(rows(page))[own] == tops[own]
        button = page.locator("#changes")
        button.wait_for(timeout=SOON)
        assert "show" in button.inner_text()
        assert re.match(r"✖\ufe0e 2", page.title())
        assert "failed" in (page.locator("#favicon").get_attribute("href") or "")
        button.click()
        page.wait_for_load_state()
        assert [name for name, _ in rows(page)] != order
    world.end_run("delta", GOOD)


def test_who_has_the_focus_keeps_it(world: World) -> None:
    """A cell is not taken from under the keyboard, and the next one is where it was."""
    with world.opened("all") as page:
        link = page.locator("tr[data-name=bravo] .last a")
        link.focus()
        world.end_run("bravo", GOOD)
        world.end_run("delta", GOOD)
        page.wait_for_timeout(3000)
        assert (
            page.evaluate("document.activeElement.closest('tr').dataset.name")
            == "bravo"
        )


def test_times_are_in_the_reader_s_zone_and_say_so(world: World) -> None:
    """Without scripts they are in the server's, whose name stands beside them."""
    world.end_run("bravo", GOOD)
    texts = []
    for zone in ("Asia/Tokyo", "America/New_York"):
        with world.opened("all", timezone_id=zone) as page:
            moment = page.locator("tr[data-name=bravo] time").first
            texts.append(moment.inner_text())
            assert re.search(
                r"GMT|UTC|JST|EST|EDT", moment.get_attribute("title") or ""
            )
    assert texts[0] != texts[1]
    with world.opened("all", java_script_enabled=False) as page:
        text = page.locator("tr[data-name=bravo] time").first.inner_text()
        assert re.search(r"\d\d:\d\d [A-Z]", text)
        assert page.locator("noscript meta[http-equiv=refresh]").count() <= 1


def test_keys_do_what_the_help_says(world: World) -> None:
    """They move, open, go up, filter and turn the lights off; not while one types."""
    with world.opened("all") as page:
        page.keyboard.press("j")
        first = page.evaluate("document.activeElement.textContent")
        page.keyboard.press("j")
        assert page.evaluate("document.activeElement.textContent") != first
        page.keyboard.press("k")
        assert page.evaluate("document.activeElement.textContent") == first
        page.keyboard.press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.reload()
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        page.locator("#q").fill("")
        page.locator("#q").press("t")
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"
        assert page.locator("#q").input_value() == "t"
        page.locator("#q").fill("brav")
        assert page.locator("tr[data-name]:visible").count() == 1
        page.keyboard.press("Escape")
        page.keyboard.press("f")
        page.wait_for_url("**failures=1**")
        page.keyboard.press("?")
        page.wait_for_url("**/help*")
        page.keyboard.press("u")
        page.wait_for_url(world.address + "/")


def test_tab_alone_reaches_the_projects(world: World) -> None:
    """The first stop skips the menu; each row has a link."""
    with world.opened("all") as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        for _ in range(40):
            page.keyboard.press("Tab")
            if page.evaluate("Boolean(document.activeElement.closest('tr'))"):
                return
        pytest.fail("no row was reached")


def test_a_server_that_goes_is_told_and_waited_for(
    world: World, tmp_path: Path
) -> None:
    """What was there stays and ages; when the server is back the page is live again."""
    dashboard = Dashboard(home=tmp_path / "home", folder=tmp_path / "projects")
    dashboard.home.mkdir()
    path = dashboard.project("alpha")
    dashboard.options["clock"] = lambda: datetime.now().astimezone()
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, GOOD), [], asking.NOON)
    with closing(world.browser.new_context()) as context:
        page = context.new_page()
        with served(dashboard.site) as address:
            port = int(address.rpartition(":")[2])
            page.goto(address)
            page.locator("#live").wait_for(timeout=SOON)
        page.locator("#stale").wait_for(timeout=SOON)
        assert "not live since" in page.locator("#stale").inner_text()
        assert page.locator("tr[data-name=alpha]").count() == 1
        with dashboard.store() as store:
            store.end_run(run_of(path, 2, BAD), [], asking.NOON)
        with served(dashboard.site, port):
            page.get_by_text("KeyError").first.wait_for(timeout=SOON)
            page.locator("#stale").wait_for(state="hidden", timeout=SOON)
            dashboard.home.joinpath(DATABASE_NAME).rename(tmp_path / "away")
            page.locator("#stale").wait_for(timeout=SOON)


def test_a_link_signs_the_browser_in(world: World, tmp_path: Path) -> None:
    """The cookie is kept from scripts, and a copied link opens nothing."""
    dashboard = Dashboard(home=tmp_path / "home", folder=tmp_path / "projects")
    dashboard.home.mkdir()
    dashboard.options |= {"token": TOKEN, "clock": lambda: datetime.now().astimezone()}
    with served(dashboard.site) as address, closing(world.browser.new_context()) as own:
        page = own.new_page()
        assert status(page, address) == 401
        link = (
            f"{address}/help?{TICKET}={new_ticket(TOKEN, datetime.now().astimezone())}"
        )
        # It stands in a page of somebody else, as in a mailbox in the browser.
        page.goto(f"data:text/html,<a href='{link}'>link</a>")
        page.get_by_role("link").click()
        page.wait_for_url(f"{address}/help", timeout=SOON)
        page.locator("h1").wait_for(timeout=SOON)
        assert page.evaluate("document.cookie") == ""
        with closing(world.browser.new_context()) as other:
            assert status(other.new_page(), link) == 401


def test_the_wall_shows_what_is_not_well(world: World) -> None:
    """Its clock ticks, the age of its data is there, and it follows by itself."""
    world.end_run("delta", GOOD)
    with world.opened("wall") as page:
        assert page.locator(".brick", has_text="delta").count() == 0
        world.end_run("delta", BAD)
        page.locator(".brick", has_text="delta").wait_for(timeout=SOON)
        first = page.locator("#clock").inner_text()
        page.wait_for_timeout(1500)
        assert page.locator("#clock").inner_text() != first
        assert page.locator("#data-age").inner_text() != ""
    world.end_run("delta", GOOD)


def test_a_chart_leads_to_its_runs(world: World) -> None:
    """It is drawn of the numbers that the table behind it has, in both themes."""
    with world.opened("alpha") as page:
        page.locator("#durations canvas").wait_for(timeout=SOON)
        page.keyboard.press("t")
        assert page.locator("#durations canvas").count() == 1
        page.locator("summary").click()
        assert page.locator("details table tbody tr").count() >= 12
        page.route("**/r/*", lambda route: route.fulfill(body="a run"))
        page.locator("#durations .u-over").click(position={"x": 300, "y": 100})
        page.wait_for_url("**/r/*", timeout=SOON, wait_until="commit")


def test_an_open_page_asks_little(world: World) -> None:
    """While nothing happens it asks nothing again, and a hidden tab not even that."""
    with world.opened("all") as page:
        page.locator("#live").wait_for(timeout=SOON)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        began = time.monotonic()
        page.wait_for_timeout(4000)
        assert time.monotonic() - began > 3
        assert asked == []
