"""Each kind of page in a real browser, by what must be true of all of them."""

from __future__ import annotations

import re
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from python_runner.web.states import State
from tests.web.browser import chromium, served
from tests.web.every_page import KINDS, STATUS, Office, make_office


if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser, Page

# One browser and one server for all of them: a start takes seconds.
pytestmark = [pytest.mark.posix, pytest.mark.slow, pytest.mark.together]

#: A matrix has hundreds of links of one kind: so many are tried.
MOST = 60
WIDTHS = (320, 390, 768, 1280)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
#: What Tab can reach, in the order of the document.
REACHABLE = """() => [...document.querySelectorAll(
    'a[href], button, input, select, summary, [tabindex="0"]'
)].filter((one) => one.tabIndex >= 0 && one.checkVisibility({visibilityProperty: true})
    && !one.disabled).length"""
#: What has the focus, and whether that shows.
FOCUSED = """() => {
  const one = document.activeElement, style = getComputedStyle(one);
  const outlined = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0;
  one.dataset.seen = '1';
  const box = one.getBoundingClientRect();
  return {name: one.outerHTML.slice(0, 120), shows: outlined || style.boxShadow !== 'none',
          body: one === document.body, seen: document.querySelectorAll('[data-seen]').length, inside: box.right > 0 && box.left < innerWidth};
}"""
#: States without words, and words without shapes.
HALF_STATES = """() => [...document.querySelectorAll('.state')].filter((one) => {
  const shape = one.querySelector('.sign');
  const word = one.textContent.replace(shape ? shape.textContent : '', '').trim();
  return !shape || !shape.textContent.trim() || !word;
}).map((one) => one.outerHTML)"""
#: Texts whose colour is not that of ink on paper, and what nobody can use on paper.
PRINTED = """() => {
  const light = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number)
    .reduce((a, b) => a + b) / 3;
  const bad = [];
  for (const one of document.querySelectorAll('nav.menu, form, button, .foot, .band, .changes'))
    if (one.checkVisibility()) bad.push('shown: ' + one.outerHTML);
  if (light(getComputedStyle(document.body).backgroundColor) < 250) bad.push('dark paper');
  for (const one of document.querySelectorAll('h1, h2, p, td, th, dd, pre, .l')) {
    if (!one.checkVisibility() || !one.textContent.trim()) continue;
    if (light(getComputedStyle(one).color) > 140) bad.push('pale: ' + one.outerHTML);
  }
  return bad;
}"""


@dataclass
class World:
    """The dashboards of an office, and the browser."""

    office: Office
    addresses: dict[str, str]
    browser: Browser

    def address(self, kind: str) -> str:
        """Return the address of a kind of page."""
        site, path = self.office.pages[kind]
        return self.addresses[site] + path

    @contextmanager
    def opened(
        self, kind: str, *, width: int = 1280, language: str = "en", **options: Any
    ) -> Iterator[Page]:
        """Open a page; whatever the browser complains of fails the test."""
        context = self.browser.new_context(
            viewport={"width": width, "height": 800},
            locale={"en": "en-GB", "fr": "fr-FR"}[language],
            **options,
        )
        with closing(context):
            page, complaints = context.new_page(), list[str]()
            page.on("console", lambda said: complaints.append(said.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            answer = page.goto(self.address(kind))
            assert answer is not None
            assert answer.status == STATUS.get(kind, 200)
            yield page
        if kind not in STATUS:
            assert complaints == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return an office whose dashboards are served."""
    office = make_office(tmp_path_factory.mktemp("office"), datetime.now().astimezone())
    with ExitStack() as stack:
        addresses = {
            name: stack.enter_context(served(dashboard.site))
            for name, dashboard in office.sites.items()
        }
        browser = stack.enter_context(chromium())
        world = World(office, addresses, browser)
        with world.opened("fleet") as page:
            # The folder of the fleet is read beside the pages.
            page.locator("#fleet-projects").wait_for(timeout=30_000)
        yield world


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """Return what axe finds that keeps somebody from using the page."""
    return [
        (one["id"], [node["html"][:200] for node in one["nodes"]])
        for one in Axe().run(page).response["violations"]
        if one["impact"] in {"serious", "critical"}
    ]


@pytest.mark.sampled(10)
@pytest.mark.parametrize("kind", KINDS)
def test_everybody_can_use_every_page(world: World, kind: str) -> None:
    """In English and light, in French and dark, at four widths, by eye, ear, key and paper."""
    with world.opened(kind, color_scheme="light") as page:
        assert page.locator("html").get_attribute("lang") == "en"
        assert serious(page) == []
        assert page.locator("h1").count() == 1
        heading = page.locator("h1").inner_text()
        assert len(heading.split()) >= 3, "a sentence"
        assert "\n" not in heading
        titles = page.evaluate(
            "[...document.querySelectorAll('time')]"
            ".map((one) => [one.dateTime, one.title])"
        )
        for moment, title in titles:
            assert re.search(r"[+-]\d\d:\d\d$", moment), moment
            assert re.search(r"UTC|GMT|[A-Z]{3,5}\b", title), title
        assert page.evaluate(HALF_STATES) == []
        reaches_everything_by_key(page)
        page.emulate_media(media="print", color_scheme="dark")
        assert page.evaluate(PRINTED) == []
        page.emulate_media(media="screen", color_scheme="light")
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(SIDEWAYS) <= 0, width
    with world.opened(kind, width=320, language="fr", color_scheme="dark") as page:
        assert page.locator("html").get_attribute("lang") == "fr"
        assert serious(page) == []
        assert page.evaluate(SIDEWAYS) <= 0


def reaches_everything_by_key(page: Page) -> None:
    """Press Tab until all that can be used has had the focus, and see it there."""
    page.locator("body").evaluate("one => { one.tabIndex = -1; one.focus(); }")
    wanted, seen = min(page.evaluate(REACHABLE), MOST), 0
    # A field for a date takes several keys.
    for _press in range(2 * MOST):
        page.keyboard.press("Tab")
        focused = page.evaluate(FOCUSED)
        if focused["body"]:
            break
        assert focused["shows"], focused["name"]
        assert focused["inside"], focused["name"]
        seen = focused["seen"]
        if seen >= wanted:
            break
    assert seen >= wanted


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kind", KINDS)
def test_pages_need_no_scripts(world: World, kind: str) -> None:
    """The sentence, the facts and the links are there; times say which zone they are in."""
    with world.opened(kind, java_script_enabled=False) as page:
        assert page.locator("h1").inner_text().strip()
        assert page.locator("main").inner_text().strip()
        assert page.locator("a[href]").count() > 3
        for said in page.locator("time[data-as=moment]").all_text_contents()[:20]:
            assert re.search(r"[A-Z]{3,5}$|UTC[+-]\d\d:\d\d$", said), said
        buttons = page.locator("button:visible:not([type=submit])").all_inner_texts()
        assert [text for text in buttons if text not in {"filter", "show"}] == []


def test_states_are_told_without_colours(world: World) -> None:
    """No two states share their shape or their word, and the overview shows both."""
    shapes = {state.shape for state in State}
    assert len(shapes) == len(State)
    with world.opened("overview") as page:
        marks = {
            (one.get_attribute("data-state"), one.inner_text().split()[0])
            for one in page.locator("#projects .name .state").all()
        }
    told = {name for name, _shape in marks}
    assert {"failed", "silent", "unusual", "running", "interrupted", "never"} <= told
    assert {"well"} <= told
    assert len({shape for _name, shape in marks}) == len(told)
