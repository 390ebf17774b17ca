"""What the pages say, over real records."""

from __future__ import annotations

import html
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import OpenRun, OpenScript, Outcome, RunStatus
from python_runner.records.schema import MIGRATIONS
from python_runner.records.store import DATABASE_NAME
from python_runner.web.addresses import key_of
from python_runner.web.app import preferred
from tests.web.asking import NOON, run_of


if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("pages are made in this process")

GOOD, BAD, LEFT_OUT = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SKIPPED
DAY = timedelta(days=1)
HOSTILE = "<img src=x onerror=alert(1)>\"'&{{7*7}}"


def told(page: str) -> str:
    """Return the text of a page: its elements are left out, its entities are letters."""
    body = re.sub(r"<(script|style)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", body)).split())


def first_line(page: str) -> str:
    """Return the sentence at the top of a page."""
    found = re.findall(r"<h1.*?</h1>", page, re.DOTALL)
    assert len(found) == 1, "each page has one"
    return told(found[0])


def fill(dashboard: Dashboard) -> dict[str, Path]:
    """Make a project for each state, and return their folders."""
    paths = {
        name: dashboard.project(name, "1.py", "2.py")
        for name in ("bad", "good", "quiet", "never")
    }
    dashboard.options["projects"] = tuple(paths.values())
    with dashboard.store() as store:
        for n in range(25):
            store.end_run(
                run_of(paths["quiet"], n + 200, GOOD, ago=(35 - n) * DAY), [], NOON
            )
        for n in range(20):
            store.end_run(
                run_of(paths["good"], n + 100, GOOD, GOOD, ago=(20 - n) * DAY), [], NOON
            )
            outcomes = (GOOD, BAD) if n >= 17 else (GOOD, GOOD)
            store.end_run(
                run_of(paths["bad"], n + 300, *outcomes, ago=(20 - n) * DAY), [], NOON
            )
    return paths


def test_the_first_line_names_who_needs_somebody(dashboard: Dashboard) -> None:
    """The page of all projects answers its question at once, failing ones first."""
    fill(dashboard)
    page = dashboard.ask("/").text
    assert first_line(page).endswith("2 of 4 projects need you: bad, quiet")
    assert "<title>✖\ufe0e 2 - Python Runner</title>" in page
    assert re.findall(r'data-name="(\w+)"', page) == ["bad", "quiet", "never", "good"]
    assert "KeyError: 'amount'" in told(page)
    assert "3rd time since" in told(page)
    assert "python-runner run" in told(page)
    assert "favicon-failed.svg" in page


def test_where_all_is_well_it_says_so_with_the_last_run(dashboard: Dashboard) -> None:
    """One green sentence, and when the next run is expected."""
    path = dashboard.project("good", extra=', "schedule": "0 18 * * *"')
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, GOOD), [], NOON)
    page = dashboard.ask("/").text
    line = first_line(page)
    assert "The project good is well. Last run today" in line
    assert "next expected" in line
    assert "<title>✔\ufe0e - Python Runner</title>" in page
    assert dashboard.ask("/status.txt").text == "OK\n"


def test_one_error_of_several_projects_is_one_incident(dashboard: Dashboard) -> None:
    """Of more than five the others are counted."""
    with dashboard.store() as store:
        for n in range(3):
            store.end_run(run_of(dashboard.project(f"a{n}-same"), n, BAD), [], NOON)
        for n in range(9):
            other = run_of(
                dashboard.project(f"p{n}"),
                100 + n,
                BAD,
                exception=f"{'ABCDEFGHI'[n]}Error",
            )
            store.end_run(other, [], NOON)
    page = dashboard.ask("/").text
    assert page.count("<article") == 5
    assert "and 5 more" in told(page)
    only = dashboard.ask("/?q=same").text
    assert len(re.findall("data-name", only)) == 3
    assert "same error in 2 other projects" in told(page + only)


def test_status_is_one_line_for_monitors(dashboard: Dashboard) -> None:
    """It names the projects, with the script that failed."""
    assert dashboard.ask("/status.txt").text.startswith("FAIL ")
    fill(dashboard)
    dashboard._app = None  # noqa: SLF001 - with the projects that are listed now
    assert dashboard.ask("/status.txt").text == "FAIL 2 bad/2.py quiet(silent)\n"


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("bad", "2.py of bad has failed 3 times since"),
        ("good", "good is well. Last run"),
        ("quiet", "quiet did not run: expected"),
        ("never", "never has never run."),
    ],
)
def test_a_project_s_page_says_how_it_is(
    dashboard: Dashboard, name: str, line: str
) -> None:
    """In its first line, with its name."""
    paths = fill(dashboard)
    answer = dashboard.ask(f"/p/{key_of(paths[name])}")
    assert answer.status == 200
    assert line in first_line(answer.text)


def test_a_project_s_page_shows_its_past(dashboard: Dashboard) -> None:
    """Scripts by runs, days, errors with their counts, runs with their reasons."""
    paths = fill(dashboard)
    page = dashboard.ask(f"/p/{key_of(paths['bad'])}").text
    assert page.count('<table class="matrix">') == 1
    assert len(re.findall(rf'href="/r/{319:013x}[/#]s?2"', page)) >= 2
    assert "2.py: KeyError: 'amount'" in told(page)
    assert "open" in told(page[page.index('id="recurring"') :])
    days = re.findall(r'<li class="d\d.*?</li>', page, re.DOTALL)
    assert len(days) == 90
    assert sum("failed" in day for day in days) == 3


def test_gaps_of_the_calendar_are_no_runs(dashboard: Dashboard) -> None:
    """A day on which it usually runs, and did not, is drawn, and counted nowhere."""
    paths = fill(dashboard)
    page = dashboard.ask(f"/p/{key_of(paths['quiet'])}").text
    days = re.findall(r'<li class="d\d.*?</li>', page, re.DOTALL)
    assert sum(": no run" in day for day in days) == 10
    assert sum(": 1 run" in day for day in days) == 25


def test_runs_are_turned_over_by_where_the_last_one_stands(
    dashboard: Dashboard,
) -> None:
    """However many there are, each is on one page, the newest first."""
    path = dashboard.project("many")
    with dashboard.store() as store:
        for n in range(120):
            store.end_run(run_of(path, n, GOOD, ago=(120 - n) * DAY), [], NOON)
    found: list[str] = []
    address = f"/p/{key_of(path)}"
    for _ in range(3):
        page = dashboard.ask(address).text
        found += re.findall(r'id="run-(\w+)"', page)
        following = re.findall(r'href="(/p/[^"]*before=\d+)#runs', page)
        address = following[0] if following else ""
    assert found == [f"{n:013x}" for n in range(119, -1, -1)]
    assert address == ""


def test_runs_are_narrowed_by_days_and_failures(dashboard: Dashboard) -> None:
    """The filters stay in every link below, and where nothing is left a wider one is offered."""
    path = dashboard.project("many")
    with dashboard.store() as store:
        for n in range(120):
            outcome = BAD if n < 70 else GOOD
            store.end_run(run_of(path, n, outcome, ago=(120 - n) * DAY), [], NOON)
    address = f"/p/{key_of(path)}"

    def asked(query: str) -> tuple[list[int], str]:
        page = dashboard.ask(f"{address}?{query}").text
        found = re.findall(r'id="run-(\w+)"', page)
        return [int(one, 16) for one in found], page

    assert asked("days=30")[0] == list(range(119, 89, -1))
    found, page = asked("failures=1&days=90")
    assert found == list(range(69, 29, -1))
    assert "before=" not in page
    found, page = asked("failures=1")
    assert found == list(range(69, 19, -1))
    (following,) = re.findall(r'href="/p/[^"?]*\?([^"]*before=\d+)#runs', page)
    assert asked(html.unescape(following))[0] == list(range(19, -1, -1))
    found, page = asked("failures=1&days=30")
    assert found == []
    assert "None in 30 days. Widen to 90 days?" in told(page)
    assert f'href="{address}?days=90&amp;failures=1#runs"' in page
    assert "Look at all runs?" in told(asked("days=36500&failures=1&before=1")[1])


@pytest.mark.parametrize("before", ["-1", "0", "x", "9" * 400, "\u0661", "1e9", ""])
def test_a_filter_that_is_no_number_is_none(dashboard: Dashboard, before: str) -> None:
    """Nobody sees an error for an address that was cut or mistyped."""
    paths = fill(dashboard)
    assert dashboard.ask(f"/p/{key_of(paths['bad'])}?before={before}").status == 200


def test_a_run_that_is_active_is_shown(dashboard: Dashboard) -> None:
    """With how many of its scripts have ended; its own project is not called silent."""
    path = dashboard.project("busy", "1.py", "2.py", "3.py")
    dashboard.options["projects"] = (path,)
    with dashboard.store() as store:
        for n in range(6):
            store.end_run(run_of(path, n, GOOD, ago=(9 - n) * DAY), [], NOON)
        scripts = tuple(OpenScript(script=f"{n}.py", number=n) for n in (1, 2, 3))
        begun = OpenRun(
            run_id="f" * 13,
            project="busy",
            path=path,
            started_at=NOON - timedelta(seconds=3),
            scripts=scripts,
        )
        store.begin_run(begun)
        page = dashboard.ask("/").text
    # Nobody carries it out in this test, which the page finds out by itself.
    assert "interrupted" in told(page) or "running 0 of 3" in told(page)


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("address", ["/", "/wall", "/help", "/p/", "/nothing"])
def test_hostile_names_and_messages_are_text(
    dashboard: Dashboard, address: str, language: str
) -> None:
    """Markup in a project's name, a script's or an exception is shown as it is."""
    path = dashboard.project("x")
    run = run_of(
        path,
        1,
        BAD,
        scripts=(f"{HOSTILE}.py",),
        exception=f"ValueError: {HOSTILE}</script><script>alert(2)</script>",
        project=HOSTILE,
    )
    with dashboard.store() as store:
        store.end_run(run, [], NOON)
    if address == "/p/":
        address += key_of(path)
    page = dashboard.ask(f"{address}?lang={language}&q=%3Cscript%3E").text
    assert "<img" not in page
    assert "<script>" not in page
    assert "49" not in page.replace(HOSTILE, "").split("</head>")[1].split("49%")[0][:0]
    assert not re.search(r"\son\w+\s*=", page.replace("onerror=alert(1)", ""))
    assert " style=" not in page


def test_nothing_inline_stands_on_any_page(dashboard: Dashboard) -> None:
    """The policy would refuse it, and the page would be half of one."""
    paths = fill(dashboard)
    for address in ("/", "/wall", "/help", f"/p/{key_of(paths['bad'])}", "/nothing"):
        page = dashboard.ask(address).text
        assert not re.search(r"<script(?![^>]*\bsrc=)", page)
        assert "<style" not in page
        assert not re.search(r"<[^>]*\s(on\w+|style)=", page)
        assert not re.search(r'(src|href)="(?!/|#)', page), "only what is ours"


def test_secrets_are_on_no_page(dashboard: Dashboard) -> None:
    """A token that a script printed in its exception is masked, wherever that stands."""
    secret = "s3cret-token-0123456789"
    path = dashboard.project("x", extra=f', "env": {{"API_TOKEN": "{secret}"}}')
    run = run_of(path, 1, BAD, exception=f"ValueError: bad {secret}")
    with dashboard.store() as store:
        store.end_run(run, [], NOON)
    for address in ("/", "/wall", f"/p/{key_of(path)}"):
        page = dashboard.ask(address).text
        assert "ValueError: bad" in told(page)
        assert secret not in page


def test_the_reader_s_language_is_spoken(dashboard: Dashboard) -> None:
    """By the browser's, and by the address, which wins and is kept in the links."""
    fill(dashboard)
    by_browser = dashboard.ask("/", headers={"accept-language": "fr-CH, en;q=0.5"})
    assert '<html lang="fr"' in by_browser.text
    assert "projets" in first_line(by_browser.text)
    assert "lang=fr" not in by_browser.text.replace("hreflang", "").split("<footer")[0]
    by_address = dashboard.ask("/?lang=fr", headers={"accept-language": "en"})
    assert '<html lang="fr"' in by_address.text
    assert "/wall" in dashboard.ask("/help?lang=fr").text
    assert 'href="/help?lang=fr"' in by_address.text


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("de, fr;q=0.3", "fr"),
        ("en;q=0.1, fr;q=0.9", "fr"),
        ("fr;q=0, en;q=0.1", "en"),
        ("fr;q=x", "en"),
        ("*", "en"),
        ("FR-ca", "fr"),
        ("fr;q=nan, fr;q=inf, fr;q=2", "en"),
    ],
)
def test_what_browsers_say_of_languages(header: str, language: str) -> None:
    """The header is weighed; what is no header of that kind is no wish."""
    assert preferred(header, "en") == language


def test_without_records_it_says_how_to_make_some(dashboard: Dashboard) -> None:
    """Three commands, and which folder was looked in."""
    answer = dashboard.ask("/")
    assert answer.status == 200
    assert "python-runner init" in told(answer.text)
    assert str(dashboard.home) in told(answer.text)


def damaged(path: Path) -> None:
    """Write over the records."""
    path.write_bytes(b"\x00 this is no database " * 500)


def newer(path: Path) -> None:
    """Let them be of a later version."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")


def locked(path: Path) -> None:
    """Let another program keep them to itself."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    connection.execute("BEGIN EXCLUSIVE")
    LEFT_OPEN.append(connection)


LEFT_OPEN: list[sqlite3.Connection] = []


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (damaged, "is damaged"),
        (newer, "newer version"),
        (locked, "is locked by another"),
    ],
)
def test_broken_records_are_told_on_the_page(
    dashboard: Dashboard, spoil: object, words: str
) -> None:
    """Why, and what to do; the page tries again, and shows all when they are back."""
    assert callable(spoil)
    path = dashboard.project("good")
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, GOOD), [], NOON)
    file = dashboard.home / DATABASE_NAME
    before = file.read_bytes()
    spoil(file)
    run, key = f"/r/{1:013x}", key_of(path)
    reading = (run, f"{run}/1", f"{run}/1.txt", f"{run}/1/part", f"/p/{key}/log")
    others = ("/errors", "/errors/x", "/mail", "/mail/1", "/search?q=abc")
    for address in ("/", "/wall", f"/p/{key}", *reading, *others):
        answer = dashboard.ask(address)
        assert answer.status == 503, address
        assert words in first_line(answer.text)
        assert "python-runner doctor" in told(answer.text)
    status = dashboard.ask("/status.txt")
    assert (status.status, status.text[:12]) == (503, "FAIL records")
    assert dashboard.ask("/help").status == 200
    while LEFT_OPEN:
        LEFT_OPEN.pop().close()
    for beside in dashboard.home.glob(f"{DATABASE_NAME}-*"):
        beside.unlink()
    file.write_bytes(before)
    assert dashboard.ask("/").status == 200


def test_a_live_page_is_brought_up_to_date_by_its_cells(dashboard: Dashboard) -> None:
    """The same page, each cell marked to be swapped by its id; ids are unique."""
    paths = fill(dashboard)
    for address in ("/", "/wall", f"/p/{key_of(paths['bad'])}"):
        whole = dashboard.ask(address).text
        again = dashboard.ask(address, headers={"hx-request": "true"}).text
        cells = re.findall(r'<[^>]*\bid="([^"]+)"[^>]*hx-swap-oob="innerHTML"', again)
        assert cells
        assert "hx-swap-oob" not in whole
        ids = re.findall(r'\bid="([^"]+)"', whole)
        assert len(ids) == len(set(ids))
        assert set(cells) <= set(ids)


def test_a_skipped_run_is_no_failure(dashboard: Dashboard) -> None:
    """It stands in the list with its own sign."""
    path = dashboard.project("x")
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, GOOD, ago=2 * DAY), [], NOON)
        skipped = run_of(path, 2, LEFT_OUT, status=RunStatus.SKIPPED)
        store.end_run(skipped, [], NOON)
    assert dashboard.ask("/status.txt").text == "OK\n"
    assert "» skipped" in told(dashboard.ask(f"/p/{key_of(path)}").text)


def test_many_projects_that_do_well_are_put_together(dashboard: Dashboard) -> None:
    """By their folders; those that need somebody keep their rows, and a filter finds all."""
    with dashboard.store() as store:
        for n in range(70):
            path = dashboard.project(f"{'ab'[n % 2]}/p{n}")
            store.end_run(run_of(path, n, BAD if n == 3 else GOOD), [], NOON)
    page = dashboard.ask("/").text
    assert re.findall(r'data-name="(\w+)"', page) == ["p3"]
    assert "35 projects, all well" in told(page)
    assert "34 projects, all well" in told(page)
    opened = re.findall(r'href="(/\?open=[^"]+)"', page)[0]
    assert len(re.findall("data-name", dashboard.ask(opened).text)) > 30
    assert len(re.findall("data-name", dashboard.ask("/?q=p6").text)) == 11


def test_of_very_many_that_need_a_look_the_first_ones_are_shown(
    dashboard: Dashboard,
) -> None:
    """The page says how many it leaves out; a link, the filter and a folder find them."""
    with dashboard.store() as store:
        for number in range(45):
            path = dashboard.project(f"group/p{number:02}")
            store.end_run(run_of(path, number, BAD), [], NOON)
    page = dashboard.ask().text
    assert page.count('data-name="') == 30
    (link,) = re.findall(r'href="([^"]+)">15 projects are hidden - show all', page)
    assert dashboard.ask(link).text.count('data-name="') == 45
    assert 'data-name="p44"' in dashboard.ask("/?q=p44").text
    assert dashboard.ask("/?failures=1").text.count('data-name="') == 45
    group = key_of(dashboard.folder / "group")
    assert dashboard.ask(f"/?open={group}").text.count('data-name="') == 45
