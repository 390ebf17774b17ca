"""``python -m tests.dashboard_pictures [FOLDER]``: makes the pictures of the dashboard anew.

The office of ``tests.web.every_page`` is made in FOLDER, which must not exist and is
deleted afterwards, as it stands at one moment. Chromium draws its pages into
``docs/pictures/dashboard/``: by day, by night and on a telephone, in both languages.
Needs Linux with chromium.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast

from PIL import Image

from tests.web.browser import chromium, served
from tests.web.every_page import make_office


if sys.platform == "win32":
    raise SystemExit("needs a zone that a process can choose")

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PICTURES = Path(__file__).parents[1] / "docs/pictures/dashboard"
FOLDER = Path("/srv/office")
#: Where and when somebody looks: all times of the pictures follow from it.
ZONE = "Europe/Paris"
NOW = datetime(2026, 11, 26, 11, 5, tzinfo=UTC)
#: The kinds of pages that are drawn, by the names of their pictures.
DRAWN = {
    "overview": "overview",
    "overview-well": "overview well",
    "overview-empty": "overview empty",
    "project": "project",
    "run": "run failed",
    "run-running": "run running",
    "run-large": "run huge",
    "output": "output",
    "log": "log",
    "errors": "errors",
    "error": "error",
    "search": "search results",
    "mail": "mail",
    "message": "message",
    "wall": "wall",
    "fleet": "fleet",
    "help": "help",
}
#: A picture ends there, however long its page is.
TALLEST = 1300
#: Colours that a picture keeps: those of most of its surface, and far ones of the others.
FREQUENT, FAR = 20, 20
LANGUAGES = {"": "en-GB", ".fr": "fr-FR"}


@dataclass(frozen=True)
class Shape:
    """How a page is drawn: the width and height of the window, by day or by night."""

    width: int
    height: int
    scheme: Literal["light", "dark"]


SHAPES = {
    "light": Shape(1280, 800, "light"),
    "dark": Shape(1280, 800, "dark"),
    "phone": Shape(390, 844, "light"),
}


def draw(browser: Browser, address: str, shape: Shape, locale: str) -> bytes:
    """Return the picture of a page, from its top."""
    context = browser.new_context(
        viewport={"width": shape.width, "height": shape.height},
        color_scheme=shape.scheme,
        locale=locale,
        timezone_id=ZONE,
    )
    with closing(context):
        page = context.new_page()
        page.clock.set_fixed_time(NOW)
        page.goto(address)
        settle(page)
        # What sticks to an edge of the window sticks to one of the picture.
        tall = page.evaluate("document.documentElement.scrollHeight")
        page.set_viewport_size({"width": shape.width, "height": min(tall, TALLEST)})
        settle(page)
        return page.screenshot()


def settle(page: Page) -> None:
    """Wait until the page has put its times and charts where they belong."""
    # The folder of the fleet is read beside the pages, and a chart waits until its place
    # has kept its size for a while.
    page.wait_for_timeout(300)


def reduced(picture: bytes) -> bytes:
    """Return a picture with few colours, a third as large."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    counted = sorted(image.getcolors(image.width * image.height) or (), reverse=True)
    frequent = cast("list[tuple[int, tuple[int, int, int]]]", counted[:FREQUENT])
    colors = [value for _count, color in frequent for value in color]
    far = image.quantize(FAR, method=Image.Quantize.MAXCOVERAGE)
    palette = Image.new("P", (1, 1))
    palette.putpalette(colors + (far.getpalette() or [])[: 3 * FAR])
    few = image.quantize(palette=palette, dither=Image.Dither.NONE)
    written = io.BytesIO()
    few.save(written, "PNG", optimize=True)
    return written.getvalue()


def main(folder: Path) -> None:
    """Make all pictures."""
    os.environ["TZ"] = ZONE
    time.tzset()
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    folder.mkdir()
    try:
        office = make_office(folder, NOW)
        with ExitStack() as stack:
            browser = stack.enter_context(chromium())
            bases = {
                name: stack.enter_context(served(dashboard.site))
                for name, dashboard in office.sites.items()
            }
            for name, kind in DRAWN.items():
                site, path = office.pages[kind]
                for suffix, locale in LANGUAGES.items():
                    for end, shape in SHAPES.items():
                        picture = draw(browser, bases[site] + path, shape, locale)
                        target = PICTURES / f"{name}-{end}{suffix}.png"
                        target.write_bytes(reduced(picture))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
