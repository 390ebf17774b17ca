"""Who may read, with which methods and under which names, and what browsers may do."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from python_runner.web.security import (
    HEADERS,
    TICKET,
    TICKET_SECONDS,
    cookie_name,
    new_ticket,
)
from tests.web.asking import NOON, TOKEN


if TYPE_CHECKING:
    from tests.web.asking import Dashboard

pytestmark = pytest.mark.portable("requests are answered in this process")

ADDRESSES = (
    "/",
    "/wall",
    "/status.txt",
    "/help",
    "/p/nothing",
    "/nothing",
    "/events?x",
)
#: One of them asks for ever, so it is left out where an answer is waited for.
ANSWERED = [address for address in ADDRESSES if not address.startswith("/events")]
ASSETS = ("/static/dashboard.css", "/static/dashboard.js", "/static/theme.js")


@pytest.fixture
def locked(dashboard: Dashboard) -> Dashboard:
    """Return a dashboard that needs a token."""
    dashboard.options["token"] = TOKEN
    return dashboard


@pytest.mark.parametrize("address", [*ANSWERED, *ASSETS])
def test_every_answer_has_the_headers_of_safety(
    dashboard: Dashboard, address: str
) -> None:
    """Pages, files and errors alike say what a browser may do with them."""
    answer = dashboard.ask(address)
    for name, value in HEADERS.items():
        assert answer.headers.getlist(name) == [value]
    assert "private" in answer.headers["cache-control"] or address in ASSETS
    assert "server" not in answer.headers


def test_the_policy_lets_nothing_in_from_elsewhere_and_nothing_inline() -> None:
    """The policy is the strict one: own files only, no frames, no forms to others."""
    rules = dict(
        rule.split(" ", 1) for rule in HEADERS["content-security-policy"].split("; ")
    )
    assert rules == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
    }


def test_headers_have_values_that_browsers_know() -> None:
    """One that is misspelt is passed over, and forbids nothing."""
    assert {
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
    }.items() <= HEADERS.items()


@pytest.mark.parametrize("address", ["/", "/static/dashboard.css", "/nothing"])
@pytest.mark.parametrize(
    "method",
    [
        "POST",
        "PUT",
        "PATCH",
        "DELETE",
        "OPTIONS",
        "TRACE",
        "CONNECT",
        "PROPFIND",
        "get",
    ],
)
def test_nothing_but_get_and_head_is_answered(
    dashboard: Dashboard, method: str, address: str
) -> None:
    """The pages only read."""
    answer = dashboard.ask(address, method)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")


def test_a_head_is_a_get_without_a_body(dashboard: Dashboard) -> None:
    """Monitors that only look at the status may do so."""
    answer = dashboard.ask("/status.txt", "HEAD")
    assert (answer.status, answer.body) == (200, b"")


OURS = (
    "localhost",
    "localhost:8765",
    "127.0.0.1:1",
    "[::1]:8765",
    "[::1]",
    "LOCALHOST.",
)
OTHERS = (
    *("evil.example", "evil.example:8765", "localhost.evil.example", "evil-localhost"),
    *("127.0.0.1.evil.example", "0.0.0.0:8765", "192.168.1.2", "2130706433", "", ":80"),
    *("localhost@evil.example", "localhost:8765.evil.example", "localhost/", "::1"),
)


@pytest.mark.parametrize("host", OURS)
def test_this_computer_s_own_names_are_answered(
    dashboard: Dashboard, host: str
) -> None:
    """With any port, or none: a tunnel may lead here."""
    assert dashboard.ask(headers={"host": host}).status == 200


@pytest.mark.parametrize(
    "address", ["/", "/static/dashboard.css", "/events", "/nothing"]
)
@pytest.mark.parametrize("host", OTHERS)
def test_other_names_are_refused(dashboard: Dashboard, host: str, address: str) -> None:
    """A name of somebody else that was made to lead here (DNS rebinding) reads nothing."""
    answer = dashboard.ask(address, headers={"host": host})
    assert answer.status == 421
    assert b"Python Runner" not in answer.body


def test_a_request_names_its_host_once(dashboard: Dashboard) -> None:
    """Two names, or none, are no name."""
    twice = [("host", "localhost"), ("host", "localhost")]
    assert dashboard.ask(headers=twice).status == 421


def test_on_a_network_its_names_and_any_number_are_answered(
    dashboard: Dashboard,
) -> None:
    """No name of somebody else can be a number."""
    dashboard.options |= {"hosts": frozenset({"reports.example"}), "addresses": True}
    for host in ("Reports.example:80", "192.168.1.2:8765", "[fe80::1]:8765"):
        assert dashboard.ask(headers={"host": host}).status == 200
    assert dashboard.ask(headers={"host": "evil.example"}).status == 421


@pytest.mark.parametrize("address", [*ADDRESSES, *ASSETS])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Bearer wrong"},
        {"authorization": f"Basic {TOKEN}"},
        {"authorization": f"Bearer {TOKEN}x"},
        {"authorization": f"Bearer {TOKEN[:-1]}"},
        {"cookie": f"{cookie_name(TOKEN)}={quote(TOKEN)}"},
        {"cookie": f"{cookie_name(TOKEN)}="},
        {"cookie": "\xff=;;"},
    ],
)
def test_without_the_token_nothing_is_read(
    locked: Dashboard, headers: dict[str, str], address: str
) -> None:
    """Neither a page nor a file, and not whether there is one."""
    answer = locked.ask(address, headers=headers)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Bearer")


def test_the_token_opens_in_the_header_alone(locked: Dashboard) -> None:
    """In an address it would be kept by browsers and proxies."""
    good = {"authorization": f"Bearer {TOKEN}"}
    assert locked.ask(headers=good).status == 200
    for name in ("token", TICKET):
        assert locked.ask(f"/?{name}={quote(TOKEN)}").status == 401


def test_a_link_signs_a_browser_in_once(locked: Dashboard) -> None:
    """It becomes a cookie that only this server is sent, and no script can read."""
    ticket = new_ticket(TOKEN, NOON)
    answer = locked.ask(f"/wall?lang=fr&{TICKET}={ticket}")
    assert (answer.status, answer.headers["refresh"]) == (200, "0; url=/wall?lang=fr")
    cookie, *options = answer.headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(options)
    assert TOKEN not in answer.headers["set-cookie"]
    assert locked.ask(headers={"cookie": f"other=1; {cookie}"}).status == 200
    assert locked.ask(f"/?{TICKET}={ticket}").status == 401


def test_a_link_is_not_used_up_by_who_only_looks_at_it(locked: Dashboard) -> None:
    """Mail programs and chats ask for the headers of links before people open them."""
    link = f"/?{TICKET}={new_ticket(TOKEN, NOON)}"
    looked = locked.ask(link, method="HEAD")
    assert (looked.status, "set-cookie" in looked.headers) == (401, False)
    assert "set-cookie" in locked.ask(link).headers


def test_two_dashboards_of_one_computer_leave_each_other_s_readers_signed_in(
    dashboard: Dashboard,
) -> None:
    """A browser sends the cookies of both to both; a new token ends the old cookies."""
    cookies = []
    for token in (TOKEN, "another token, as long"):
        dashboard.options["token"] = token
        dashboard.renew()
        answer = dashboard.ask(f"/?{TICKET}={new_ticket(token, NOON)}")
        cookies.append(answer.headers["set-cookie"].split(";")[0])
    assert len({cookie.split("=")[0] for cookie in cookies}) == 2
    both = {"cookie": "; ".join(cookies)}
    assert dashboard.ask(headers=both).status == 200
    assert dashboard.ask(headers={"cookie": cookies[0]}).status == 401
    renamed = cookies[1].split("=")[0] + "=" + cookies[0].split("=")[1]
    assert dashboard.ask(headers={"cookie": renamed}).status == 401


def spoiled(ticket: str) -> dict[str, str]:
    """Return what is nearly a ticket, by what is wrong with it."""
    return {
        "signature": ticket[:-1] + ("0" if ticket[-1] != "0" else "1"),
        "longer": f"9{ticket}",
        "joined": ticket.replace(".", "", 1),
        "another's": new_ticket("another token, as long", NOON),
        "old": new_ticket(TOKEN, NOON - timedelta(seconds=TICKET_SECONDS + 1)),
        "empty": "",
        "dots": "..",
        "endless": ticket * 10,
        "letters": "\xe9" + ticket,
    }


@pytest.mark.parametrize("what", spoiled("x"))
def test_a_wrong_or_old_link_signs_nobody_in(locked: Dashboard, what: str) -> None:
    """Whatever of it is changed."""
    ticket = spoiled(new_ticket(TOKEN, NOON))[what]
    answer = locked.ask(f"/?{TICKET}={quote(ticket)}")
    assert (answer.status, "set-cookie" in answer.headers) == (401, False)


def test_signing_in_leads_to_no_other_server(locked: Dashboard) -> None:
    """A path that begins with two slashes is no address of somebody else."""
    answer = locked.ask(f"//evil.example/?{TICKET}={new_ticket(TOKEN, NOON)}")
    assert answer.headers["refresh"] == "0; url=/evil.example/"


TRAVERSALS = (
    *(
        "../app.py",
        "..%2fapp.py",
        "%2e%2e/app.py",
        "vendor/../../app.py",
        "/etc/passwd",
    ),
    *(
        "....//app.py",
        "dashboard.css/..",
        "vendor",
        "",
        "dashboard.css%00.txt",
        "\\app.py",
    ),
    *("C:/Windows/win.ini", "vendor/SHA256SUMS", "file:///etc/passwd", "~root/x"),
)


@pytest.mark.parametrize("name", TRAVERSALS)
def test_no_path_comes_from_outside(dashboard: Dashboard, name: str) -> None:
    """Files are known by their names; nothing else is looked for."""
    assert dashboard.ask(f"/static/{name}").status == 404


@pytest.mark.parametrize(
    "key", [*TRAVERSALS[:8], "1", "'; DROP TABLE run; --", "é" * 300]
)
def test_projects_are_known_by_their_keys(dashboard: Dashboard, key: str) -> None:
    """What is no key is no project, and is not repeated on the page."""
    answer = dashboard.ask(f"/p/{quote(key)}")
    assert answer.status == 404
    assert "DROP" not in answer.text.replace(quote(key), "")


def test_files_are_kept_by_browsers_under_their_versions_only(
    dashboard: Dashboard,
) -> None:
    """A new version of the program has other addresses for its files."""
    page = dashboard.ask("/help").text
    address = page.split('rel="stylesheet" href="')[1].split('"')[0]
    assert "immutable" in dashboard.ask(address).headers["cache-control"]
    assert dashboard.ask("/static/dashboard.css?v=old").headers["cache-control"] == (
        "private, no-cache"
    )


def test_a_page_that_is_known_is_not_sent_again(dashboard: Dashboard) -> None:
    """A browser that has it is told so, as long as it is the same."""
    first = dashboard.ask("/help")
    again = dashboard.ask("/help", headers={"if-none-match": first.headers["etag"]})
    assert (again.status, again.body) == (304, b"")
    other = dashboard.ask(
        "/help?lang=fr", headers={"if-none-match": first.headers["etag"]}
    )
    assert other.status == 200
