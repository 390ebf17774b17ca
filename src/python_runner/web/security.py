"""Who may read, and what browsers may do with what they read.

The pages only read, so nothing but GET and HEAD is answered. A page of somebody else that
a browser shows may ask for addresses here all the same: the name in the request must be
one of ours (DNS rebinding), and nothing of ours may be framed or read by others.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse

from python_runner.texts.sentence import N_, translate
from python_runner.web.limits import refusal


if TYPE_CHECKING:
    from datetime import datetime

    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from python_runner.web.site import Site

METHODS = ("GET", "HEAD")
#: Nothing from elsewhere, no script or style inside of a page.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
HEADERS = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
#: What a browser does with an answer that says nothing about it: it asks each time.
CACHE = "private, no-cache"
#: Characters of a token, at least: nobody guesses it.
SHORTEST_TOKEN = 16
_COOKIE = "python_runner"
#: The key of the one-time link's query.
TICKET = "ticket"
#: Seconds that a link is good for, and that a browser stays signed in.
TICKET_SECONDS = 15 * 60
_COOKIE_SECONDS = 30 * 24 * 3600


def new_token() -> str:
    """Return a token that nobody guesses."""
    return secrets.token_urlsafe(32)


def new_ticket(token: str, now: datetime) -> str:
    """Return what a link holds to sign one browser in, once, for a while.

    Whoever knows the token can make one; the server need not be asked.
    """
    until = f"{int(now.timestamp()) + TICKET_SECONDS}.{secrets.token_urlsafe(12)}"
    return f"{until}.{_signed(token, 'ticket', until)}"


def cookie_name(token: str) -> str:
    """Return the name of the cookie that stands for a token.

    Browsers do not tell the ports of a computer apart: of two dashboards there, neither
    overwrites the other's cookie.
    """
    return f"{_COOKIE}_{_signed(token, 'name')[:12]}"


def _signed(token: str, use: str, text: str = "") -> str:
    key = token.encode("utf-8", "surrogateescape")
    return hmac.new(key, f"{use}:{text}".encode(), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    """Compare in a time that does not tell how much of it is right."""
    return hmac.compare_digest(
        one.encode("utf-8", "surrogateescape"), other.encode("utf-8", "surrogateescape")
    )


class Guard:
    """Asks of every request what must hold, before any page sees it."""

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site
        #: The tickets that were used, with the second after which they are void anyway.
        self._used: dict[str, int] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(raw=message.setdefault("headers", []))
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", CACHE)
            elif scope["method"] == "HEAD":
                message = {**message, "body": b""}
            await send(message)

        refused = self._refuse(scope)
        await (refused or self._app)(scope, receive, send_guarded)

    def _refuse(self, scope: Scope) -> Response | None:
        """Return what is answered instead of a page; None where all is as it must be."""
        headers = Headers(scope=scope)
        if unfit := self._unfit(scope, headers):
            return unfit
        if not self._site.token or self._is_known(headers):
            return None
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"))
        tickets = [value for name, value in query if name == TICKET]
        # Who looks at a link before a person does, as mail programs do, uses it not up.
        if scope["method"] == "GET" and tickets and self._take(tickets[0]):
            return self._signed_in(scope, query)
        text = N_(
            "Open the link that `python-runner serve` has printed, or send the"
            " token in the header Authorization, after the word Bearer. A link works once;"
            " `python-runner serve --link` prints another one."
        )
        return _text(text, 401, **{"www-authenticate": "Bearer"})

    def _unfit(self, scope: Scope, headers: Headers) -> Response | None:
        """Return what is answered to a request that nobody may make."""
        if not self._is_ours(headers.getlist("host")):
            return _text(N_("This server is not known by that name."), 421)
        if scope["method"] not in METHODS:
            text = N_("These pages only read: there is nothing but GET and HEAD.")
            return _text(text, 405, allow=", ".join(METHODS))
        if too_large := refusal(scope):
            return _text(*too_large)
        return None

    def _is_ours(self, names: list[str]) -> bool:
        """Say whether a request names this server, once, as it is called."""
        if len(names) != 1:
            return False
        name = names[0].lower()
        host, colon, port = name.rpartition(":")
        if colon and port.isascii() and port.isdigit():
            name = host
        name = name.removesuffix(".")
        return name in self._site.hosts or (
            self._site.addresses and _is_address(name.strip("[]"))
        )

    def _is_known(self, headers: Headers) -> bool:
        """Say whether a request presents the token, or the cookie that stands for it."""
        scheme, _, presented = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(presented.strip(), self._site.token):
            return True
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        cookie = cookies.get(cookie_name(self._site.token))
        return cookie is not None and _same(
            cookie.value, _signed(self._site.token, "cookie")
        )

    def _take(self, ticket: str) -> bool:
        """Say whether a ticket is good, and use it up."""
        until, _, signature = ticket.rpartition(".")
        second = until.partition(".")[0]
        if not _same(signature, _signed(self._site.token, "ticket", until)):
            return False
        now = int(self._site.clock().timestamp())
        self._used = {used: end for used, end in self._used.items() if end >= now}
        if int(second) < now or ticket in self._used:
            return False
        self._used[ticket] = int(second)
        return True

    def _signed_in(self, scope: Scope, query: list[tuple[str, str]]) -> Response:
        """Send the browser to the same page without the ticket, with a cookie.

        By an answer that leads on, not by a redirect: where the link stood in a page of
        somebody else, as a mailbox in the browser, that page would count as the one that
        asks, and the cookie would not be sent.
        """
        rest = urlencode([(name, value) for name, value in query if name != TICKET])
        # Never to another server: a path that begins with two slashes would be one.
        path = quote("/" + scope["path"].lstrip("/\\"))
        address = f"{path}?{rest}" if rest else path
        answer = _text(
            N_("This browser is signed in."), 200, refresh=f"0; url={address}"
        )
        answer.set_cookie(
            cookie_name(self._site.token),
            _signed(self._site.token, "cookie"),
            max_age=_COOKIE_SECONDS,
            httponly=True,
            samesite="strict",
            secure=scope.get("scheme") == "https",
        )
        return answer


def _is_address(name: str) -> bool:
    """Say whether a name is an address: no other server's name can lead here by it."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _text(template: str, status: int, **headers: str) -> Response:
    return PlainTextResponse(
        f"{translate(template)}\n",
        status,
        {"cache-control": "no-store", **headers},
    )
