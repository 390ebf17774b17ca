"""Runs, outputs, logs, errors, search and reports in a real browser."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from axe_playwright_python.sync_playwright import Axe

from python_runner.model import Message
from python_runner.records import overview
from python_runner.records.log_line import format_log_line, log_line_of
from python_runner.web.addresses import key_of
from tests.web.asking import NOON, Dashboard, run_of
from tests.web.browser import chromium, served
from tests.web.test_browser import HOSTILE, SIZES, SOON
from tests.web.test_pages import BAD, DAY, GOOD
from tests.web.test_reading_pages import recorded, with_output


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

# One browser and one server for all of them: a start takes seconds.
pytestmark = [pytest.mark.posix, pytest.mark.slow, pytest.mark.together]

SECRET = "hunter2-of-the-night"
#: Prints its first lines, then more, then ends: each when a file tells it to.
TALKS = """
import time
from pathlib import Path

here = Path(__file__).parent

def wait(name):
    while not (here / name).exists():
        time.sleep(0.02)

for number in range(1, 201):
    print("line", number, flush=True)
wait("more")
for number in range(201, 261):
    print("line", number, flush=True)
print("half of", end="", flush=True)
wait("end")
print(" a line")
print("the password is hunter2-of-the-night " * 20)
print("last words", flush=True)
"""
#: What the browser would copy, without the clipboard of this computer.
COPIED = """() => {
  const [first, last] = ["L2", "L4"].map((id) => document.getElementById(id));
  const range = document.createRange();
  range.setStartBefore(first);
  range.setEndAfter(last);
  const chosen = getSelection();
  chosen.removeAllRanges();
  chosen.addRange(range);
  return chosen.toString();
}"""
PRINTED = (
    "first of all\n"
    + "".join(f"line {n} of the day\n" for n in range(2, 60))
    + "WARNING: low\n"
    + "".join(f"line {n}\n" for n in range(61, 160))
    + f"{HOSTILE}\n\x1b[31mred {HOSTILE}\x1b[0m\n"
    + f"{'wide ' * 400}\n"
    + "Traceback (most recent call last):\n"
    + f"ValueError: {HOSTILE}\n"
)


@dataclass
class World:
    """A dashboard with runs, and the browser."""

    dashboard: Dashboard
    address: str
    browser: Browser
    pages: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def opened(
        self, address: str, *, size: str = "wide", language: str = "en", **options: str
    ) -> Iterator[Page]:
        """Open a page; whatever the browser complains of fails the test."""
        width, height = SIZES[size]
        context = self.browser.new_context(
            viewport={"width": width, "height": height},
            locale={"en": "en-GB", "fr": "fr-FR"}[language],
            **options,  # type: ignore[arg-type]
        )
        with closing(context):
            page, complaints = context.new_page(), list[str]()
            page.on("console", lambda said: complaints.append(said.text))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            page.on("dialog", lambda dialog: complaints.append(dialog.message))
            page.goto(self.address + address)
            yield page
        assert complaints == []


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Return a run that failed, with hostile texts wherever a page shows one."""
    folder = tmp_path_factory.mktemp("world")
    dashboard = Dashboard(home=folder / "home", folder=folder / "projects")
    dashboard.home.mkdir()
    # As the runs have it: what is secret in it is known.
    dashboard.environ = os.environ | {"PYTHON_RUNNER_HOME": str(dashboard.home)}
    path = dashboard.project("alpha", "1.py", extra=', "help": "Ask <b>Ann</b>"')
    scripts = ("1.py", f"{HOSTILE}.py".replace("/", "|"))
    changes = {"scripts": scripts, "exception": f"ValueError: {HOSTILE}"}
    recorded(dashboard, path, GOOD, GOOD, number=1, ago=DAY, text=PRINTED, **changes)
    run = with_output(
        run_of(path, 2, GOOD, BAD, project=HOSTILE, **changes),  # type: ignore[arg-type]
        PRINTED,
    )
    message = Message(
        message_id="<1@x>",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        subject=f"failed {HOSTILE}",
        content=f"To: a\r\nSubject: {HOSTILE}\r\n\r\n{HOSTILE}\r\n".encode(),
    )
    with dashboard.store() as store:
        store.end_run(run, [message], NOON)
        with store.view() as view:
            (error,) = overview.errors(view)
    lines = [
        log_line_of(r, host="h", now=NOON, include_traceback=True) for r in run.scripts
    ]
    log = "".join(f"{format_log_line(line)}\n" for line in lines)
    (path / "logs" / "alpha.log").write_text(log, "utf-8")
    long = "".join(f"line {n}\n" for n in range(1, 10_001))
    recorded(
        dashboard, dashboard.project("long"), GOOD, number=3, ago=2 * DAY, text=long
    )
    dashboard.options["clock"] = lambda: datetime.now().astimezone()
    pages = {
        "run": f"/r/{2:013x}",
        "output": f"/r/{2:013x}/2",
        "found": f"/r/{2:013x}/2?q=line&only=1",
        "long": f"/r/{3:013x}/1",
        "log": f"/p/{key_of(path)}/log",
        "errors": "/errors",
        "error": f"/errors/{error.error}",
        "search": "/search?q=%3Cimg",
        "search errors": "/search?q=%3Cimg&in=errors",
        "search log": "/search?q=%3Cimg&in=log",
        "mail": "/mail",
        "message": "/mail/1",
    }
    with served(dashboard.site) as address, chromium() as browser:
        yield World(dashboard, address, browser, pages)


PAGES = (
    "run",
    "output",
    "found",
    "log",
    "errors",
    "error",
    "search",
    "search errors",
    "search log",
    "mail",
    "message",
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.mark.parametrize("name", PAGES)
def test_every_page_can_be_seen_read_and_used(world: World, name: str) -> None:
    """Hostile texts are text, axe finds nothing serious, nothing scrolls sideways."""
    language = ("en", "fr")[PAGES.index(name) % 2]
    address = world.pages[name]
    with world.opened(address, size="narrow", language=language) as page:
        assert page.locator("html").get_attribute("lang") == language
        if name not in {"found", "mail"}:
            assert page.get_by_text("<script>alert(1)", exact=False).count() > 0
        assert page.locator("img").count() == 0
        assert page.title() != "hacked"
        assert page.locator("h1").count() == 1
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            serious = [
                (one["id"], [node["html"][:200] for node in one["nodes"]])
                for one in found.response["violations"]
                if one["impact"] in {"serious", "critical"}
            ]
            assert serious == [], scheme
        assert page.evaluate(SIDEWAYS) <= 0
        other = {"en": "fr", "fr": "en"}[language]
        joint = "&" if "?" in address else "?"
        page.goto(f"{world.address}{address}{joint}lang={other}")
        assert page.locator("html").get_attribute("lang") == other
        assert page.evaluate(SIDEWAYS) <= 0


def in_view(page: Page, selector: str) -> bool:
    """Say whether the first element of a kind is within the window."""
    box = page.locator(selector).first.bounding_box()
    height: float = page.evaluate("innerHeight")
    return box is not None and 0 <= box["y"] < height


def test_a_run_and_an_output_open_at_the_exception(world: World) -> None:
    """Without scrolling; keys lead from mark to mark, and from match to match."""
    with world.opened(world.pages["run"]) as page:
        assert in_view(page, ".incident .why")
        assert "ValueError" in page.locator(".incident .why").inner_text()
        assert "Ask <b>Ann</b>" in page.locator(".advice").first.inner_text()
        assert in_view(page, ".advice")
    with world.opened(world.pages["output"]) as page:
        assert in_view(page, ".l.traceback")
        for key, picked in (("e", "warning"), ("e", "traceback"), ("E", "warning")):
            page.keyboard.press(key)
            assert picked in (page.locator(".l.here").get_attribute("class") or "")
            assert in_view(page, ".l.here")
        page.keyboard.press("w")
        assert page.locator("#wrap").get_attribute("aria-pressed") == "true"
        wide = "() => { const o = document.getElementById('output'); return o.scrollWidth - o.clientWidth; }"
        assert page.evaluate(wide) <= 0
        page.reload()
        assert page.evaluate(wide) <= 0, "it is kept for the reader"
        page.keyboard.press("w")
        assert page.evaluate(wide) > 0
    with world.opened(world.pages["output"] + "?q=line") as page:
        matches = page.locator("mark").count()
        for key, place in (("n", 0), ("n", 1), ("N", 0), ("N", matches - 1)):
            page.keyboard.press(key)
            marks = page.locator("mark").all()
            assert "here" in (marks[place].get_attribute("class") or "")
            assert page.locator("mark.here").count() == 1
        page.reload()
        page.keyboard.press("N")
        last = page.locator("mark").last
        assert "here" in (last.get_attribute("class") or "")


def test_lines_are_text_that_is_found_copied_and_linked(world: World) -> None:
    """The browser's own find sees line 1, and numbers are no part of what is copied."""
    with world.opened(world.pages["output"] + "#L3-L5") as page:
        picked = page.locator(".l.picked")
        ids = [one.get_attribute("id") for one in picked.all()]
        assert ids == ["L3", "L4", "L5"]
        assert in_view(page, "#L4")
        assert page.evaluate("find('first of all', true, true)")
        expected = "".join(f"line {n} of the day\n" for n in (2, 3, 4))
        assert page.evaluate(COPIED).rstrip("\n") == expected.rstrip("\n")
        page.locator("#L7 > a").click()
        page.locator("#L9 > a").click(modifiers=["Shift"])
        assert page.url.endswith("#L7-L9")
        assert page.locator(".l.picked").count() == 3


def test_a_long_output_is_loaded_where_the_reader_goes(world: World) -> None:
    """More lines come in their place; a link into what lies between leads there."""
    with world.opened(world.pages["long"]) as page:
        assert page.evaluate("find('line 1', true, false, true)")
        page.locator("[data-more]").click()
        page.locator("#L6000").wait_for(state="attached", timeout=SOON)
        numbers = page.evaluate(
            "[...document.querySelectorAll('.l')].map((l) => Number(l.id.slice(1)))"
        )
        assert numbers == sorted(set(numbers))
        page.locator("[data-more]").click()
        page.locator("#L8000").wait_for(state="attached", timeout=SOON)
        assert page.locator("#gap").is_hidden()
        assert page.locator(".l").count() == 10_000
    with world.opened(world.pages["long"] + "#L5000-L5001") as page:
        page.locator("#L5000.picked").wait_for(timeout=SOON)
        assert in_view(page, "#L5000")


@pytest.fixture
def talking(world: World, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Return a project that is being run, and the address of its run."""
    extra = f', "env": {{"DB_PASSWORD": "{SECRET}"}}'
    path = world.dashboard.project("talks", "1.py", "2.py", extra=extra)
    for name in ("more", "end"):
        path.joinpath(name).unlink(missing_ok=True)
    path.joinpath("1.py").write_text(TALKS, encoding="utf-8")
    path.joinpath("2.py").write_text("raise SystemExit(3)", encoding="utf-8")
    env = os.environ | {"PYTHON_RUNNER_HOME": str(world.dashboard.home)}
    env_file = tmp_path / "none.env"
    env_file.touch()
    command = [sys.executable, "-m", "python_runner", "run", str(path), "--no-mail"]
    with subprocess.Popen(
        [*command, "--env-file", str(env_file)],
        env=env,
        cwd=tmp_path,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield path, run_address(world, path)
        finally:
            path.joinpath("more").touch()
            path.joinpath("end").touch()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                raise


def run_address(world: World, path: Path) -> str:
    """Wait until a project's run has printed, and return the address of the run."""
    ends = datetime.now().astimezone() + timedelta(seconds=60)
    with world.dashboard.store() as store:
        while datetime.now().astimezone() < ends:
            for run in store.open_runs():
                output = run.scripts[0].output
                if run.path == path and output and output.exists():
                    return f"/r/{run.run_id}"
    pytest.fail("it has not begun")


def test_a_script_is_followed_while_it_runs(
    world: World, talking: tuple[Path, str]
) -> None:
    """At the end of the page; whoever reads further up is not moved, and told."""
    path, address = talking
    with (
        world.opened(address) as run,
        world.opened(f"{address}/1") as page,
    ):
        assert "is running" in run.locator("h1").inner_text()
        assert "running" in run.locator("#s1-state").inner_text()
        page.locator("#L200").wait_for(timeout=SOON)
        page.wait_for_function(
            "innerHeight + scrollY >= document.documentElement.scrollHeight - 80"
        )
        assert page.evaluate("find('line 1', true, true, true)")
        page.evaluate("getSelection().removeAllRanges()")
        page.locator("#L100").scroll_into_view_if_needed()
        page.locator("#L100").evaluate("(l) => l.scrollIntoView({block: 'center'})")
        place = page.evaluate("scrollY")
        path.joinpath("more").touch()
        page.locator("#L260").wait_for(state="attached", timeout=SOON)
        page.get_by_text("half of").wait_for(state="attached", timeout=SOON)
        assert page.evaluate("scrollY") == place
        assert "paused, new lines: 60" in page.locator("#resume").inner_text()
        page.keyboard.press("End")
        page.wait_for_function(
            "innerHeight + scrollY >= document.documentElement.scrollHeight - 80"
        )
        assert page.locator("#resume").is_hidden()
        path.joinpath("end").touch()
        page.get_by_text("The script has ended.").wait_for(timeout=SOON)
        texts = page.locator(".l").all_inner_texts()
        assert [text.strip() for text in texts[259:262]] == [
            "line 260",
            "half of a line",
            ("the password is *** " * 20).strip(),
        ]
        assert texts[-1].strip() == "last words"
        assert len(texts) == 263
        assert SECRET not in page.content()
        assert "printed 263 lines" in page.locator("h1").inner_text()
        run.get_by_text("talks failed").first.wait_for(timeout=SOON)
        run.wait_for_function(
            "/failed/.test(document.getElementById('s2-state').innerText)"
        )
        assert "succeeded" in run.locator("#s1-state").inner_text()
        assert run.locator("#changes").is_visible()


def test_what_has_not_started_says_so(world: World, talking: tuple[Path, str]) -> None:
    """A script that waits for its turn has printed nothing yet, and is not left out."""
    _path, address = talking
    with closing(world.browser.new_context()) as context:
        answer = context.request.get(f"{world.address}{address}/2")
        assert answer.status == 404
        assert "2.py has yet to start" in answer.text()
