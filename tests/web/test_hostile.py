"""Whatever projects, scripts, logs, mails and other computers hold is text on every page."""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from python_runner.execution.orphans import process_start
from python_runner.fleet.writing import FleetWriter
from python_runner.model import (
    Delivery,
    Message,
    OpenRun,
    OpenScript,
    Receipt,
    Traceback,
)
from python_runner.model.fleet import FleetFolder
from python_runner.records import overview
from python_runner.records.log_line import format_log_line, log_line_of
from python_runner.records.outputs import output_file, output_folder
from python_runner.records.read_only import open_reader
from python_runner.texts.sentence import Sentence
from python_runner.web.addresses import key_of
from python_runner.web.standing import run_page
from tests.support import GENEROUS
from tests.web.asking import CONFIGURATION, NOON, Dashboard, run_of
from tests.web.browser import chromium, served
from tests.web.test_pages import BAD, GOOD
from tests.web.test_static_site import Shared


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from python_runner.model import Run
    from python_runner.records.store import Store

# One browser for all of them: a start takes seconds.
pytestmark = [pytest.mark.posix, pytest.mark.slow, pytest.mark.together]

SECRET = "correct-horse-battery-staple"
#: What holds every element and attribute that the pages have of their own.
PLAIN = "an ordinary \x1b[1;31mtext\x1b[0m, with /srv/a.py: 3 numbers & \x1b[32mcolours\x1b[0m"
#: Line ends are in the texts that may have some; names have none of them.
HOSTILE = {
    "elements": "<img src=x onerror=alert(1)><script>alert(2)</script><svg onload=alert(3)>",
    "ends of elements": "</pre></code></td></title></script></style><h1>own</h1><base href=//x>",
    "attributes": "\" onmouseover=\"alert(1)\" x='y' onfocus='alert(2)' autofocus `=` style=\"x",
    "addresses": "javascript:alert(1) data:text/html,<b>x //evil.example/ %2e%2e%2f ?lang=fr&q=#L1",
    "references": "&lt;b&gt; &#60;img src=x&#62; &#x3c;i&#x3e; &nbsp; &amp;amp; &NotEqualTilde;",
    "templates": "{{ 7*7 }} {% for x in y %} {# x #} ${7*7} {name} {0} %(name)s %s {script} {{names}}",
    "sentences": "{names} {count} {project} <time datetime=x>y</time> \x00{moment}\x00 {",
    "comments": "<!-- --!> <![CDATA[ ]]> <?xml ?> <!DOCTYPE x> <plaintext> <noscript><frameset>",
    "NULs": "a\x00b <\x00script>alert(1)</scr\x00ipt> \x00\x01\x02\x7f\x80\x9f",
    "directions": "abc\u202efdp.exe\u202c \u2066x\u2069 \u200f\u200e\ufeff\u2028line\u2029x\u00ad",
    "sequences": "\x1b]0;title\x07\x1b]8;;javascript:alert(1)\x1b\\x\x1b]8;;\x1b\\\x1b[2J\x1b[999;999H"
    "\x1b[38;5;300;<b>m\x1b[31;x\"y='m\x9b31m\x1bP+q\x1b\\\x1b[",
    "undecodable": "caf\udce9 \ud800 \udfff \udcff.py",
    "long words": "W" * 3000 + "é" * 3000 + "👩‍👩‍👧‍👦" * 300,
    "combining": "Z" + "\u0301" * 2000 + "ก็็็็็็็็็็" * 100,
    "spreadsheets": "=cmd|' /C calc'!A0 +1 -1 @SUM(1) \t=1\t,;\"\"",
    "nothing": "",
    "blanks": " \t\u00a0\u2003 \u3000",
    "inherited": "__proto__ constructor [object Object] null undefined NaN",
    "htmx": "<p hx-get=/x hx-trigger=load hx-on:click=alert(1) hx-swap-oob=true data-hx-get=/y>x",
}
KINDS = (
    *(
        "/",
        "/wall",
        "/fleet",
        "/errors",
        "/mail",
        "/mail/1",
        "{project}",
        "{project}/log",
    ),
    *(
        "{project}/log?failures=1&q=a",
        "{run}",
        "{run}/1",
        "{run}/2",
        "{run}/2?q=a&only=1",
    ),
    *("{open}", "{open}/1", "{error}", "/search?q={text}", "/search?q=a&in=log"),
    *("/search?q=a&in=errors", "{long}/1", "/?q={text}"),
)
#: Every element, and each with the names of its attributes.
SEEN = """() => [...new Set([...document.querySelectorAll('*')].flatMap((one) => {
  const name = (one.namespaceURI.endsWith('svg') ? 'svg:' : '') + one.localName;
  return [name, ...one.getAttributeNames().map((its) => `${name} ${its}`)];
}))]"""
#: What an attribute leads to elsewhere.
LEADS = """() => [...document.querySelectorAll('[href],[src],[action],[hx-get]')]
  .flatMap((one) => ['href', 'src', 'action', 'hx-get'].map((name) => one.getAttribute(name)))
  .filter((to) => to && new URL(to, location.href).origin !== location.origin)"""
#: What makes a page scroll sideways: the innermost ones that reach too far.
#: What pages have at certain moments, or of certain lengths, only.
SOMETIMES = {"body class", "span hidden", "a data-more", "a data-until"}
SIDEWAYS = """() => {
  const root = document.documentElement, wide = root.clientWidth;
  if (root.scrollWidth <= wide) return [];
  const far = [...document.body.querySelectorAll('*')].filter(
    (one) => one.getBoundingClientRect().right > wide + 0.5 && one.checkVisibility());
  return ['', ...far.map((one) => one.outerHTML.slice(0, 200))].slice(0, 8);
}"""


def file_name(text: str, end: str = ".py") -> str:
    """Return a text as far as a file may bear it as its name."""
    # Of halves of characters, those that stand for bytes.
    text = re.sub("[\ud800-\udc7f\udd00-\udfff]", "?", text)
    text = text.replace("/", "|").replace("\0", "0")
    while len(os.fsencode(text.encode("utf-8", "replace").decode())) > 200 - len(end):
        text = text[: len(text) // 2]
    return text + end


@dataclass
class Filled:
    """A dashboard of which every text is the same one, and its pages."""

    dashboard: Dashboard
    pages: dict[str, str]
    run: str


def fill(folder: Path, text: str) -> Filled:
    """Write a text wherever one can be written that a page may show."""
    dashboard = Dashboard(home=folder / "home", folder=folder / "projects")
    dashboard.home.mkdir()
    # Also where the text makes a configuration that cannot be read.
    dashboard.environ = {"API_TOKEN": SECRET}
    name = "".join(c for c in file_name(text, "") if not "\ud800" <= c <= "\udfff")
    path = dashboard.folder / (name.strip(".") or "none")
    path.mkdir(parents=True)
    scripts = ("1.py", file_name("".join(c for c in text if c.isprintable())))
    listed = [{"path": s, "args": [text[:500]], "help": text} for s in scripts]
    extra = {"help": f"{text} {SECRET}", "_note": text}
    more = json.dumps(extra)[1:-1]
    entries = ", ".join(json.dumps(entry) for entry in listed)
    path.joinpath("exec_config.json").write_text(
        CONFIGURATION % (entries, f", {more}"), encoding="utf-8"
    )
    said = f"{text} {SECRET} {cut_by_unseen(SECRET)}"
    printed = f"{said}\n" * 30 + f"ERROR: {said}\n{'x' * 195} {SECRET}\n"
    trace = (
        f'Traceback (most recent call last):\n  File "{path}/{scripts[1]}", line 3, in load\n'
        f"    {said}\nValueError: {said}\n"
    )
    run = run_of(
        *(path, 1, GOOD, BAD),
        project=text,
        scripts=scripts,
        exception=f"ValueError: {said}",
    )
    logs = path / "logs"
    made = output_folder(logs, run.run_id, run.started_at)
    made.mkdir(parents=True)
    results = []
    for result in run.scripts:
        output = output_file(made, result.number, result.script)
        output.write_bytes(
            (printed + trace).encode(
                "utf-8", "surrogateescape" if text.isascii() else "surrogatepass"
            )
        )
        found = Traceback(
            text=trace, exception=f"ValueError: {said}", file=text, line=3
        )
        attempt = replace(
            result.attempts[0],
            reason=Sentence.of("{error}", error=said),
            traceback=found if result.outcome is BAD else None,
            warnings=(Sentence.of("{error}", error=said),),
            hint=Sentence.of("{error}", error=said),
        )
        results.append(replace(result, attempts=(attempt,), output=output))
    run = replace(run, scripts=tuple(results), warnings=(Sentence.of("{a}", a=said),))
    subject = " ".join(f"[{text}] {text} {SECRET}".replace("\0", " ").split())
    message = Message(
        message_id="<1@x>",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        subject=subject,
        content=f"Subject: x\r\nContent-Type: text/html\r\n\r\n{said}\r\n".encode(
            "utf-8", "surrogatepass"
        ),
    )
    with dashboard.store() as store:
        store.end_run(run, [message], NOON - timedelta(hours=1))
        queue = store.messages
        claimed = queue.claim_due(NOON, owner="me", lease_seconds=9)
        assert claimed is not None
        refused = Receipt(
            recipient="ann@example.com",
            delivery=Delivery.DEFERRED,
            detail=Sentence.of("{a}", a=said),
        )
        queue.record_receipts(
            1, [refused], owner="me", next_try_at=NOON + timedelta(hours=1)
        )
        write_others(store, run, text)
        with store.view() as view:
            errors = overview.errors(view)
    lines = [
        log_line_of(r, host=text, now=NOON, include_traceback=True) for r in results
    ]
    told = "".join(f"{format_log_line(line)}\n" for line in lines) + f"{said}\n"
    logs.joinpath(f"{path.name}.log").write_bytes(told.encode("utf-8", "surrogatepass"))
    share = folder / "share"
    write_fleet(share, folder, replace(run, path=path), text)
    dashboard.options["fleet"] = share
    project = f"/p/{key_of(path)}"
    values = {
        "project": project,
        "run": f"/r/{1:013x}",
        "open": f"/r/{2:013x}",
        "long": f"/r/{3:013x}",
        "error": f"/errors/{errors[0].error}",
        "text": quote(text[:200].encode("utf-8", "replace")),
    }
    pages = {kind: kind.format(**values) for kind in KINDS}
    return Filled(dashboard, pages, run.run_id)


def write_others(store: Store, run: Run, text: str) -> None:
    """Record a run with a line of a megabyte, and begin one."""
    path, logs = run.path, run.path / "logs"
    long = run_of(path, 3, GOOD, project=text, ago=timedelta(hours=3))
    made = output_folder(logs, long.run_id, long.started_at)
    made.mkdir(parents=True)
    output = output_file(made, 1, "1.py")
    line = (text or " ") * (2**20 // len(text or " "))
    output.write_bytes(line.encode("utf-8", "surrogatepass"))
    result = replace(long.scripts[0], output=output)
    store.end_run(replace(long, scripts=(result,)), [], NOON)
    began = NOON - timedelta(minutes=3)
    begun = OpenRun(
        run_id=f"{2:013x}",
        project=text,
        path=path,
        started_at=began,
        scripts=(OpenScript(script=run.scripts[1].script, number=1),),
        runner=os.getpid(),
        runner_start=process_start(os.getpid()),
    )
    store.begin_run(begun)
    store.begin_attempt(begun.run_id, 1, began, run.scripts[0].output)


def cut_by_unseen(secret: str) -> str:
    """Return a secret that is cut by what nobody sees."""
    signs = ("\0", "\x1b[31m", "\u200b", "\x1b]0;x\x07", "\ufeff", "\x1b[0m", "\u00ad")
    return "".join(c + signs[n % len(signs)] for n, c in enumerate(secret))


def write_fleet(share: Path, folder: Path, run: Run, text: str) -> None:
    """Let another computer write a run, and files of which nobody knows what they are."""
    share.mkdir()
    home = folder / "other"
    home.mkdir()
    writer = FleetWriter(FleetFolder(folder=share), home, lambda: NOON)
    writer.tell(run)
    writer.deliver()
    writer.wait(GENEROUS)
    for place in list(share.rglob("*.json")):
        # Nobody cleans what an enemy writes.
        told = json.loads(place.read_bytes())
        for key in {
            "computer",
            "account",
            "project",
            "path",
            "error",
            "version",
        } & told.keys():
            told[key] = text
        for script in told.get("scripts", ()):
            script |= {"script": text, "exception": f"{text} {SECRET}", "place": text}
            script |= {"traceback": text, "unusual": [text]}
        place.write_text(json.dumps(told), encoding="utf-8")
    share.joinpath(file_name(text, "-0123456789ab")).mkdir()
    share.joinpath(file_name(text, ".json")).write_text(
        text.encode("utf-8", "replace").decode()
    )


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Return a browser."""
    with chromium() as found:
        yield found


@dataclass
class Look:
    """What a browser found on all pages."""

    elements: set[str]
    complaints: list[str]


def look(browser: Browser, filled: Filled, tmp_path: Path) -> Look:
    """Open every page on a telephone, and what is written as files; judge each."""
    found = Look(set(), [])
    with served(filled.dashboard.site) as address:
        context = browser.new_context(viewport={"width": 390, "height": 800})
        with closing(context):
            page = context.new_page()
            page.on("console", lambda said: found.complaints.append(said.text))
            page.on("pageerror", lambda error: found.complaints.append(str(error)))
            page.on("dialog", lambda one: found.complaints.append(one.message))
            for kind, path in filled.pages.items():
                answer = page.goto(address + path)
                assert answer is not None
                assert answer.status == 200, (kind, answer.status, told_by(page))
                if kind == "/fleet":
                    page.locator("#fleet-projects").wait_for(
                        state="attached", timeout=30_000
                    )
                judge(page, kind, found)
            for name in written(filled, tmp_path):
                page.goto(name.as_uri())
                judge(page, name.name, found)
    return found


def told_by(page: Page) -> str:
    """Return what a page says at first."""
    return page.locator("body").inner_text()[:500]


def judge(page: Page, kind: str, found: Look) -> None:
    """Note the elements of a page; nothing on it leads away, runs sideways or is secret."""
    found.elements |= set(page.evaluate(SEEN))
    if not page.url.startswith("file:"):
        assert page.evaluate(LEADS) == [], kind
    assert page.evaluate(SIDEWAYS) == [], kind
    html = page.content()
    bare = re.sub(r"<[^>]*>|[^\w-]", "", html)
    assert SECRET[:20] not in bare, (
        kind,
        bare[max(bare.find(SECRET[:20]) - 200, 0) :][:400],
    )
    heading = page.locator("h1").inner_text()
    assert page.locator("h1").count() == 1
    assert heading.strip(), kind


def written(filled: Filled, tmp_path: Path) -> list[Path]:
    """Write the pages as files, and the page of one run; return some of each kind."""
    shared = Shared(filled.dashboard, tmp_path / "site")
    shared.write()
    pages = sorted(shared.folder.rglob("*.html"))
    store, database = open_reader(filled.dashboard.home)
    try:
        alone = tmp_path / "run.html"
        html = run_page(filled.dashboard.site, store, filled.run)
        alone.write_text(html, encoding="utf-8")
    finally:
        database.close()
    return [*pages, alone]


@pytest.fixture(scope="module")
def own(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Return the elements that the pages have by themselves."""
    folder = tmp_path_factory.mktemp("plain")
    found = look(browser, fill(folder, PLAIN), folder)
    assert found.complaints == []
    return found.elements


@pytest.mark.sampled(2)
@pytest.mark.parametrize("name", HOSTILE)
def test_contents_are_text(
    browser: Browser, own: set[str], tmp_path: Path, name: str
) -> None:
    """They add no element and no attribute, run nothing, and hide no secret's place."""
    found = look(browser, fill(tmp_path, HOSTILE[name]), tmp_path)
    assert found.complaints == []
    assert found.elements - own - SOMETIMES == set()
