"""The pages on which much is read: runs, outputs, logs, errors, search, reports."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import (
    Message,
    OpenRun,
    OpenScript,
    Outcome,
)
from python_runner.records import overview
from python_runner.records.log_line import format_log_line, log_line_of
from python_runner.records.outputs import output_file, output_folder
from python_runner.web.addresses import key_of
from tests.web.asking import NOON, run_of
from tests.web.test_pages import BAD, DAY, GOOD, HOSTILE, LEFT_OUT, first_line, told


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Run
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("pages are made in this process")

SECRET = "hunter2secret"


def with_output(run: Run, text: str | bytes) -> Run:
    """Return a run whose scripts have printed something; the files are written."""
    from dataclasses import replace  # noqa: PLC0415

    folder = output_folder(run.path / "logs", run.run_id, run.started_at)
    folder.mkdir(parents=True)
    scripts = []
    for result in run.scripts:
        path = output_file(folder, result.number, result.script)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        scripts.append(replace(result, output=path))
    return replace(run, scripts=tuple(scripts))


def recorded(
    dashboard: Dashboard, path: Path, *outcomes: Outcome, **changes: object
) -> str:
    """Record a run with outputs; return its id."""
    text = changes.pop("text", "one\ntwo\n")
    assert isinstance(text, (str, bytes))
    number = changes.pop("number", 1)
    assert isinstance(number, int)
    run = with_output(run_of(path, number, *outcomes, **changes), text)  # type: ignore[arg-type]
    with dashboard.store() as store:
        store.end_run(run, [], NOON)
    return run.run_id


def test_a_failed_run_opens_at_its_exception(dashboard: Dashboard) -> None:
    """What failed, why, where, since when, what to do, what it printed; the rest below."""
    path = dashboard.project("bad", "1.py", "2.py", extra=', "help": "Call Ann"')
    for number in (1, 2, 3):
        outcomes = (GOOD, GOOD) if number == 1 else (GOOD, BAD)
        run_id = recorded(
            dashboard, path, *outcomes, number=number, ago=(5 - number) * DAY
        )
    page = dashboard.ask(f"/r/{run_id}").text
    assert "bad failed" in first_line(page)
    assert "2.py - KeyError: 'amount'" in first_line(page)
    text = told(page)
    assert text.index("KeyError: 'amount' 2.py, line 3") < text.index("1.py")
    for part in ("1 of 2 scripts did not succeed", "Call Ann", "2nd time", "first on"):
        assert part in text
    assert "one\ntwo" in page
    assert "&lt;time" not in page
    assert f"/r/{1:013x}" in page, "the last that succeeded"
    assert f"/r/{run_id}/2" in page
    assert "run" in told(page)
    assert "--resume" in text
    good = dashboard.ask(f"/r/{1:013x}").text
    assert "bad succeeded" in first_line(good)
    assert "all 2 scripts" in first_line(good)


def test_what_never_ran_is_told_in_a_line(dashboard: Dashboard) -> None:
    """A skipped script repeats neither its state nor what to do about the one that failed."""
    extra = ', "help": "Call Ann"'
    path = dashboard.project("bad", "1.py", "2.py", "3.py", extra=extra)
    run_id = recorded(dashboard, path, BAD, Outcome.SKIPPED, Outcome.SKIPPED)
    page = dashboard.ask(f"/r/{run_id}").text
    assert told(page).count("Call Ann") == 1
    assert page.index("Call Ann") < page.index('<article class="incident failed')
    skipped = re.findall(
        r'<article class="incident skipped.*?</article>', page, re.DOTALL
    )
    assert [told(one).count("skipped") for one in skipped] == [1, 1]


def test_a_run_of_many_scripts_is_shown_in_pages(dashboard: Dashboard) -> None:
    """The failed ones and a hundred others; links lead to the rest."""
    path = dashboard.project("big")
    outcomes = [BAD if n % 10 == 0 else GOOD for n in range(1500)]
    names = tuple(f"s{n}.py" for n in range(1500))
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, *outcomes, scripts=names), [], NOON)
    page = dashboard.ask(f"/r/{1:013x}").text
    assert page.count("<article") == 20
    assert "150 of 1,500 scripts did not succeed" in told(page)
    seen, address = set(), f"/r/{1:013x}"
    while address:
        page = dashboard.ask(address.replace("&amp;", "&")).text
        seen |= {
            part.split('"')[0]
            for part in page.split('<tr class="row" data-row id="s')[1:]
        }
        more = re.findall(r"\?after=(\d+)#rest", page)
        address = f"/r/{1:013x}?after={more[0]}" if more else ""
    assert len(seen) == 1350


def test_states_of_a_run_that_has_not_ended(dashboard: Dashboard) -> None:
    """Running, or its runner died: each is said, and what it printed so far is there."""
    path = dashboard.project("open", "1.py", "2.py")
    output = path / "logs" / "out.log"
    output.parent.mkdir()
    output.write_text("so far\n", encoding="utf-8")
    with dashboard.store() as store:
        store.begin_run(
            OpenRun(
                run_id="a" * 13,
                project="open",
                path=path,
                started_at=NOON - timedelta(minutes=5),
                scripts=(
                    OpenScript(script="1.py", number=1),
                    OpenScript(script="2.py", number=2),
                ),
                runner=os.getpid() if os.name == "nt" else 2**22 + 1,
                runner_start="never",
            )
        )
        store.begin_attempt("a" * 13, 1, NOON, output)
    page = dashboard.ask(f"/r/{'a' * 13}")
    assert page.status == 200
    assert "is no longer alive; the next run will report it" in first_line(page.text)
    assert "so far" in dashboard.ask(f"/r/{'a' * 13}/1").text
    nothing = dashboard.ask(f"/r/{'a' * 13}/2")
    assert nothing.status == 404
    assert "printed nothing" in told(nothing.text)


def test_an_output_is_text_with_numbers_beside_it(dashboard: Dashboard) -> None:
    """Lines in their order, colours as classes, marks as links; the file as it is."""
    path = dashboard.project("p")
    text = "a\n\x1b[31mred\x1b[0m\nWARNING: low\nTraceback (most recent call last):\nKeyError: 1\n"
    run_id = recorded(dashboard, path, BAD, text=text)
    page = dashboard.ask(f"/r/{run_id}/1").text
    assert "1.py of p printed 5 lines" in first_line(page)
    assert '<span class="c-red">red</span>' in page
    assert 'class="l warning" id="L3"' in page
    assert 'data-open="L4"' in page
    assert 'href="#L5"' in page
    plain = dashboard.ask(f"/r/{run_id}/1.txt")
    assert plain.body == text.encode()
    assert plain.headers["content-type"].startswith("text/plain")
    assert "filename=" in plain.headers["content-disposition"]


def test_a_long_output_shows_both_ends(dashboard: Dashboard) -> None:
    """And what lies between, step by step, also without scripts in the browser."""
    path = dashboard.project("p")
    text = "".join(f"line {n}\n" for n in range(1, 10_001))
    run_id = recorded(dashboard, path, GOOD, text=text)
    page = dashboard.ask(f"/r/{run_id}/1").text
    for number, there in ((1, True), (1000, True), (1001, False), (8001, True)):
        assert (f'id="L{number}"' in page) is there
    assert "7,000 lines between" in told(page)
    middle = dashboard.ask(f"/r/{run_id}/1?from=1001").text
    assert 'id="L1001"' in middle
    assert 'id="L6000"' in middle
    assert f"/r/{run_id}/1?from=6001" in middle
    part = dashboard.ask(f"/r/{run_id}/1/part?from=1001&until=1004").text
    assert [n in part for n in ('"L1001"', '"L1003"', '"L1004"')] == [True, True, False]
    found = dashboard.ask(f"/r/{run_id}/1?q=LINE+99&only=1").text
    assert found.count('<div class="l"') == 12 + 99
    assert "Searched to the end" in told(found) or "go on" in told(found)


def test_an_output_that_is_gone_says_why(dashboard: Dashboard) -> None:
    """By hand, or by retention; the page leads back to the run."""
    path = dashboard.project("p")
    young = recorded(dashboard, path, GOOD, number=1)
    old = recorded(dashboard, path, GOOD, number=2, ago=40 * DAY)
    for file in path.rglob("*.log"):
        file.unlink()
    answer = dashboard.ask(f"/r/{young}/1")
    assert (answer.status, "deleted or moved" in told(answer.text)) == (410, True)
    assert f'href="/r/{young}"' in answer.text
    answer = dashboard.ask(f"/r/{old}/1")
    assert answer.status == 410
    assert "deleted after 30 days (output_keep_days)" in told(answer.text)
    assert dashboard.ask(f"/r/{old}/1.txt").status == 410
    assert dashboard.ask(f"/r/{old}").status == 200


def test_an_ended_script_is_followed_by_its_lines(dashboard: Dashboard) -> None:
    """Its file is written anew at its end, shorter: none is shown twice or left out."""
    path = dashboard.project("p")
    text = "".join(f"line {n}\n" for n in range(1, 8)) + "no end"
    run_id = recorded(dashboard, path, GOOD, text=text)
    part = f"/r/{run_id}/1/part?behind=99999&after="

    def lines(after: int) -> list[str]:
        return re.findall(r'id="L(\d+)"', dashboard.ask(f"{part}{after}").text)

    assert lines(5) == ["6", "7", "8"]
    assert lines(8) == []
    assert lines(99) == []
    assert 'data-torn=""' in dashboard.ask(f"{part}5").text
    assert 'data-alive=""' in dashboard.ask(f"{part}5").text


def test_a_clock_that_went_back_breaks_no_page(dashboard: Dashboard) -> None:
    """A run of tomorrow is shown with its day, and lasts no negative time."""
    path = dashboard.project("p")
    run_id = recorded(dashboard, path, BAD, ago=-DAY)
    run = run_of(path, 1, BAD, ago=-DAY)
    lines = (
        log_line_of(r, host="h", now=NOON + DAY, include_traceback=True)
        for r in run.scripts
    )
    log = "".join(f"{format_log_line(one)}\n" for one in lines)
    (path / "logs" / "p.log").write_text(log, "utf-8")
    for address in (
        f"/r/{run_id}",
        f"/r/{run_id}/1",
        f"/p/{key_of(path)}/log",
        "/errors",
        "/search?q=one",
        "/search?q=one&since=1d",
        "/mail",
    ):
        answer = dashboard.ask(address)
        assert answer.status == 200, address
        assert not re.search(r"-\d+ (s|min|h|d)\b", told(answer.text)), address
    assert "KeyError" in told(dashboard.ask("/errors").text)


def test_a_run_that_was_deleted_is_gone(dashboard: Dashboard) -> None:
    """Where runs are deleted, an id that is not recorded may have been one."""
    assert dashboard.ask(f"/r/{'b' * 13}").status == 404
    dashboard.options["keep_days"] = 365
    dashboard._app = None  # noqa: SLF001 - with other settings
    dashboard.project("p")
    with dashboard.store():
        pass
    answer = dashboard.ask(f"/r/{'b' * 13}")
    assert answer.status == 410
    assert "365 days (keep_days)" in told(answer.text)
    for other in ("/r/..", "/r/x", "/r/%2e%2e%2f", f"/r/{'b' * 13}/zz", "/errors/.."):
        assert dashboard.ask(other).status in {404, 410}


def test_the_log_is_filtered(dashboard: Dashboard) -> None:
    """By text, by failures and by time, in both orders."""
    path = dashboard.project("p")
    run = run_of(path, 7, GOOD, BAD, LEFT_OUT)
    lines = [
        format_log_line(
            log_line_of(r, host="h", now=NOON - n * DAY, include_traceback=True)
        )
        for n, r in enumerate(reversed(run.scripts))
    ]
    (path / "logs").mkdir()
    (path / "logs" / "p.log").write_text("\n".join(reversed(lines)) + "\n", "utf-8")
    with dashboard.store() as store:
        store.end_run(run, [], NOON)
    base = f"/p/{key_of(path)}/log"

    def shown(query: str) -> list[str]:
        page = dashboard.ask(f"{base}{query}").text
        return re.findall(r"<td>(\d\.py)</td>", page)

    assert shown("") == ["1.py", "2.py", "3.py"]
    assert shown("?reverse=1") == ["3.py", "2.py", "1.py"]
    assert shown("?failures=1") == ["2.py"]
    assert shown("?q=keyerror") == ["2.py"]
    day = f"{(NOON - DAY).astimezone():%Y-%m-%d}"
    assert shown(f"?from={day}T00:00") == ["2.py", "3.py"]
    assert shown(f"?to={day}T00:00&from=nonsense") == ["1.py"]
    assert shown("?at=nonsense&log=99") == ["1.py", "2.py", "3.py"]
    assert "3 lines of the log of p, 1 failed" in first_line(dashboard.ask(base).text)
    (path / "logs" / "p.log").unlink()
    assert "is empty" in first_line(dashboard.ask(base).text)


def test_errors_are_one_row_each(dashboard: Dashboard) -> None:
    """Open ones first, with the scripts and how often; each has a page."""
    one, two = dashboard.project("one"), dashboard.project("two")
    for number, path in enumerate((one, two, two, one), 1):
        recorded(dashboard, path, BAD, number=number, ago=(9 - number) * DAY)
    recorded(dashboard, one, BAD, number=9, ago=DAY, exception="OSError: gone")
    recorded(dashboard, one, GOOD, number=10, ago=DAY / 2)
    page = dashboard.ask("/errors").text
    assert "1 error is open: 1.py of one - KeyError" in first_line(page)
    assert told(page).index("KeyError: 'amount'") < told(page).index("OSError: gone")
    with dashboard.store() as store, store.view() as view:
        error = next(g.error for g in overview.errors(view) if g.is_open)
    page = dashboard.ask(f"/errors/{error}").text
    assert "4 runs since" in first_line(page)
    assert page.count('<tr class="row"') == 4
    page = dashboard.ask(f"/errors?project={key_of(two)}").text
    assert "OSError" not in page
    assert dashboard.ask("/errors?project=nobody").status == 404
    assert dashboard.ask("/errors/nothing").status == 404


def test_reports_that_wait_come_first(dashboard: Dashboard) -> None:
    """With the reason, and the command that sends them; one report has its own page."""
    path = dashboard.project("p")
    message = Message(
        message_id="<1@x>",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        subject=f"[p] failed {HOSTILE}",
        content=f"To: a\r\nSubject: x\r\n\r\n{HOSTILE} {SECRET}\r\n".encode(),
    )
    with dashboard.store() as store:
        store.end_run(run_of(path, 1, BAD), [message], NOON - DAY)
    page = dashboard.ask("/mail").text
    assert "1 report waits, the oldest since" in first_line(page)
    assert "python-runner mail flush" in told(page)
    assert "ann@example.com: not sent yet" in told(page)
    assert "&lt;time" not in page
    one = dashboard.ask("/mail/1")
    assert HOSTILE in told(one.text)
    assert "<img" not in one.text
    assert "waits" in told(dashboard.ask(f"/r/{1:013x}").text)
    assert dashboard.ask("/mail/2").status == 404


def test_a_search_finds_outputs_logs_and_errors(dashboard: Dashboard) -> None:
    """Each result leads to its line; a search says how far it came."""
    path = dashboard.project("p")
    text = "a\nb\nthe needle is here\nc\n"
    run_id = recorded(dashboard, path, BAD, text=text, exception="NeedleError: x")
    page = dashboard.ask("/search?q=NEEDLE").text
    assert "stands in 1 place" in first_line(page)
    assert f"/r/{run_id}/1?from=3&amp;q=NEEDLE#L3" in page
    assert "Searched 1 run back to" in told(page)
    assert "stands in 1 place" in first_line(
        dashboard.ask("/search?q=needle&in=errors").text
    )
    assert "was not found" in first_line(dashboard.ask("/search?q=needle&in=log").text)
    assert "was not found" in first_line(dashboard.ask("/search?q=nowhere").text)
    assert "Two characters" in first_line(dashboard.ask("/search?q=x").text)
    assert dashboard.ask("/search?q=needle&project=nobody").status == 404
    assert dashboard.ask("/search?q=needle&in=nowhere&since=never&at=x").status == 200


@pytest.mark.parametrize("language", ["en", "fr"])
def test_markup_stays_text(dashboard: Dashboard, language: str) -> None:
    """In names, exceptions, outputs, logs and filters, on every page."""
    path = dashboard.project("p", "1.py")
    run_id = recorded(
        dashboard,
        path,
        BAD,
        scripts=(f"{HOSTILE}.py",),
        exception=f"E: {HOSTILE}",
        text=f"{HOSTILE}\n\x1b]0;t\x07\x1b[31m{HOSTILE}\n",
    )
    with dashboard.store() as store, store.view() as view:
        (error,) = overview.errors(view)
    pages = [
        f"/r/{run_id}",
        f"/r/{run_id}/1",
        f"/r/{run_id}/1?q={'%3Cimg'}&only=1",
        f"/r/{run_id}/1/part?behind=0",
        f"/p/{key_of(path)}/log?q=%3Cimg%20src%3E",
        "/errors",
        f"/errors/{error.error}",
        "/search?q=%3Cimg",
        "/search?q=%22%3E%3Cimg%20src=x%3E",
        "/search?q=img&in=errors",
    ]
    for address in pages:
        answer = dashboard.ask(
            f"{address}{'&' if '?' in address else '?'}lang={language}"
        )
        assert answer.status == 200, address
        assert "<img" not in answer.text, address
        assert "\x1b" not in answer.text, address


#: As they are printed: as they are, within a line, in colours, and with what nobody sees.
PRINTED = (
    "{0}",
    "the password is {0}, again {0}",
    "\x1b[31m{1}\x1b[1m{2}\x1b[0m",
    "{1}\u200b{2}",
    "https://me:{0}@host/?token={0}",
)


@pytest.mark.parametrize("place", ["environment", "configuration", "configured later"])
@pytest.mark.parametrize("printed", PRINTED)
def test_secrets_are_on_no_page(dashboard: Dashboard, printed: str, place: str) -> None:
    """Whoever printed, raised, logged or mailed one: also where it was no secret then."""
    name = "DB_PASSWORD"
    extra = f', "env": {{"{name}": "{SECRET}"}}' if "config" in place else ""
    path = dashboard.project("p", extra="" if "later" in place else extra)
    if place == "environment":
        dashboard.environ[name] = SECRET
    told_so = printed.format(SECRET, SECRET[:6], SECRET[6:])
    run = with_output(
        run_of(path, 1, BAD, BAD, exception=f"E: needle {told_so}"),
        f"needle\n{told_so}\nneedle {told_so} needle\n{told_so}",
    )
    message = Message(
        message_id="<1@x>",
        sender="robot@example.com",
        recipients=("ann@example.com",),
        subject=f"[p] {told_so}",
        content=(
            "Subject: x\r\nContent-Type: text/plain; charset=utf-8\r\n"
            f"Content-Transfer-Encoding: 8bit\r\n\r\nneedle {told_so}\r\n"
        ).encode(),
    )
    log = path / "logs" / "p.log"
    lines = (
        log_line_of(r, host="h", now=NOON, include_traceback=True) for r in run.scripts
    )
    log.write_text("".join(f"{format_log_line(one)}\n" for one in lines), "utf-8")
    with dashboard.store() as store:
        store.end_run(run, [message], NOON)
        with store.view() as view:
            (error, *_rest) = overview.errors(view)
    if "later" in place:
        dashboard.project("p", extra=extra)
    output = f"/r/{run.run_id}/1"
    pages = {
        f"/r/{run.run_id}": "E: needle",
        output: "needle",
        f"{output}?q=needle&only=1": "needle",
        f"{output}?from=2": "needle",
        f"{output}/part?behind=0": "needle",
        f"{output}/part?from=2&until=4": "needle",
        f"{output}.txt": "needle",
        f"/p/{key_of(path)}": "E: needle",
        f"/p/{key_of(path)}/log": "needle",
        f"/p/{key_of(path)}/log?q=needle": "needle",
        "/": "E: needle",
        "/wall": "",
        "/errors": "E: needle",
        f"/errors/{error.error}": "E: needle",
        "/search?q=needle": "needle",
        "/search?q=needle&in=log": "needle",
        "/search?q=needle&in=errors": "needle",
        "/mail": "[p]",
        "/mail/1": "needle",
        # Nobody finds out by searching whether a word is one.
        f"/search?q={SECRET[:5]}": "was not found",
        f"/search?q={SECRET[:5]}&in=log": "was not found",
        f"/search?q={SECRET[:5]}&in=errors": "was not found",
    }
    for address, there in pages.items():
        answer = dashboard.ask(address)
        assert answer.status == 200, address
        assert there in told(answer.text), address
        text = re.sub(r"[\u200b]|\x1b\[\d*m", "", answer.text)
        shown = re.sub(r"<[^>]*>", "", text)
        for hidden in (SECRET, SECRET[:6] if SECRET[:5] not in address else SECRET):
            assert hidden not in shown + text, address


def test_only_the_projects_of_the_dashboard_are_shown(dashboard: Dashboard) -> None:
    """Runs, outputs, errors and results of others are not there."""
    mine, other = dashboard.project("mine"), dashboard.project("other")
    dashboard.options["projects"] = (mine,)
    hidden = recorded(dashboard, other, BAD, number=1, text="needle", exception="X: y")
    recorded(dashboard, mine, GOOD, number=2)
    for address in (f"/r/{hidden}", f"/r/{hidden}/1", f"/r/{hidden}/1.txt"):
        assert dashboard.ask(address).status == 404
    for address in ("/errors", "/search?q=needle", "/search?q=X&in=errors", "/mail"):
        assert "other" not in told(dashboard.ask(address).text)
    with dashboard.store() as store, store.view() as view:
        (error,) = overview.errors(view)
    assert dashboard.ask(f"/errors/{error.error}").status == 404


def test_without_records_each_page_says_so(dashboard: Dashboard) -> None:
    """Nothing is recorded yet: no page breaks."""
    for address in (f"/r/{'a' * 13}", "/errors", "/mail", "/search?q=abc"):
        answer = dashboard.ask(address)
        assert answer.status in {200, 404}
        assert "Traceback" not in answer.text
    dashboard.home.joinpath("records.sqlite3").write_bytes(b"no database at all " * 99)
    for address in (f"/r/{'a' * 13}", "/errors", "/mail"):
        answer = dashboard.ask(address)
        assert answer.status == 503
        assert "The records cannot be read" in told(answer.text)
