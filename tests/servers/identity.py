"""A fake of the part of Microsoft's identity provider at which users sign in.

It checks what the real one checks: PKCE, the redirect address, codes used once, consent, the
age of refresh tokens; its clock is that of the test.
"""

from __future__ import annotations

import base64
import hashlib
import html
import http.client
import json
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from python_runner.delivery.sign_in.login import Login


if TYPE_CHECKING:
    from python_runner.delivery.sign_in.facts import SignIn
    from python_runner.model import MailSettings

#: Seconds that codes and tokens are good for.
CODE_SECONDS = 600
DEVICE_SECONDS = 900
REFRESH_SECONDS = 90 * 86_400
PLUMBING = {"openid", "profile", "offline_access"}

#: A page that comes back by itself, as Microsoft's does with ``form_post``.
_FORM = """<!DOCTYPE html><title>Working...</title>
<form method="post" action="{action}">{inputs}</form>
<script>document.forms[0].submit()</script>"""


def refusal(number: int, error: str = "invalid_grant") -> tuple[int, dict[str, Any]]:
    """Return status and document of a refusal in the form of Microsoft Entra's."""
    described = f"AADSTS{number}: Something is wrong. Trace ID: 1-2-3 Timestamp: now"
    return 400, {
        "error": error,
        "error_description": described,
        "error_codes": [number],
    }


@dataclass
class Grant:
    """A code, a device code or a refresh token: who it is for and what it allows."""

    account: str
    scopes: frozenset[str]
    issued_at: float
    challenge: str = ""
    redirect_uri: str = ""
    nonce: str = ""
    used: bool = False
    family: int = 0


@dataclass
class FakeIdentity:
    """Signs users in.

    Attributes:
        client: the one application that is known.
        account: who is logged in in the browser, and enters device codes.
        personal: whether that is a personal account.
        strict: whether a refresh token is good for one renewal only, and a second one
            with it ends the sign-in (RFC 9700); else the one before stays good, as
            Microsoft's do.
        in_redirect: fields that the browser brings back instead of a code.
        device_words: OAuth's word for each question about a device code, first one
            first; then the token.
        refused: number and word for every renewal; None: renewed.
        lifetime: seconds an access token is good for.
        asked: the form of each request for a token, secrets included.
        renewals: how many there were.
        visits: the query of each visit of the browser.
    """

    client: str
    account: str = "robot@example.com"
    personal: bool = False
    strict: bool = False
    in_redirect: dict[str, str] | None = None
    device_words: list[str] = field(default_factory=list)
    refused: tuple[int, str] | None = None
    lifetime: int = 3600
    asked: list[dict[str, str]] = field(default_factory=list)
    renewals: int = 0
    visits: list[dict[str, str]] = field(default_factory=list)
    codes: dict[str, Grant] = field(default_factory=dict)
    devices: dict[str, Grant] = field(default_factory=dict)
    refresh_tokens: dict[str, Grant] = field(default_factory=dict)
    access_tokens: dict[str, tuple[str, frozenset[str], float]] = field(
        default_factory=dict
    )
    ended: set[int] = field(default_factory=set)

    def secrets(self) -> set[str]:
        """Return every secret that was ever given or sent."""
        sent = {
            form[name]
            for form in self.asked
            for name in ("code", "code_verifier", "refresh_token", "device_code")
            if name in form
        }
        return (
            sent
            | {*self.codes, *self.devices, *self.refresh_tokens}
            | {*self.access_tokens}
        )

    def revoke_all(self) -> None:
        """End every sign-in, as a changed password does."""
        self.ended |= {grant.family for grant in self.refresh_tokens.values()}

    def authorize(self, tenant: str, query: dict[str, str]) -> dict[str, str]:
        """Return the fields that the browser brings back from a visit."""
        self.visits.append(query)
        state = {"state": query["state"]}
        if self.in_redirect is not None:
            return state | self.in_redirect
        wrong = self._wrong_account(tenant)
        if query["client_id"] != self.client:
            wrong = 700016, "unauthorized_client"
        elif not query["redirect_uri"].startswith("http://localhost:"):
            wrong = 50011, "invalid_request"
        elif query.get("code_challenge_method") != "S256":
            wrong = 9002325, "invalid_request"
        if wrong:
            _, document = refusal(*wrong)
            return state | {
                "error": document["error"],
                "error_description": document["error_description"],
            }
        code = secrets.token_urlsafe(40)
        self.codes[code] = Grant(
            account=self.account,
            scopes=_granted(query["scope"]),
            issued_at=time.time(),
            challenge=query["code_challenge"],
            redirect_uri=query["redirect_uri"],
            nonce=query.get("nonce", ""),
        )
        return state | {"code": code, "session_state": "1-2-3"}

    def page(self, tenant: str, query: dict[str, str]) -> str:
        """Return what a browser is shown: a form that sends itself back."""
        assert query["response_mode"] == "form_post"
        fields = self.authorize(tenant, query)
        inputs = "".join(
            f'<input type="hidden" name="{name}" value="{html.escape(value)}">'
            for name, value in fields.items()
        )
        action = html.escape(query["redirect_uri"])
        return _FORM.format(action=action, inputs=inputs)

    def visit(self, address: str, **changes: str) -> tuple[int, str]:
        """Do what a browser does with the address; return the last page, with status."""
        parts = urlsplit(address)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        fields = self.authorize(parts.path.split("/")[1], query) | changes
        return knock(query["redirect_uri"], fields)

    def device(self, tenant: str, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return a code for another device."""
        self.asked.append(form)
        if wrong := self._wrong_account(tenant):
            return refusal(*wrong)
        if form["client_id"] != self.client:
            return refusal(700016, "unauthorized_client")
        code = secrets.token_urlsafe(40)
        self.devices[code] = Grant(
            self.account, _granted(form["scope"]), issued_at=time.time()
        )
        return 200, {
            "device_code": code,
            "user_code": "ABCD1234",
            "verification_uri": "https://microsoft.com/devicelogin",
            "expires_in": DEVICE_SECONDS,
            "interval": 0,
        }

    def token(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        """Return tokens for what a user granted, or the refusal."""
        self.asked.append(form)
        if form["client_id"] != self.client:
            return refusal(700016, "unauthorized_client")
        kind = form["grant_type"]
        if kind == "authorization_code":
            return self._by_code(form)
        if kind == "refresh_token":
            return self._renewed(form)
        assert kind == "urn:ietf:params:oauth:grant-type:device_code"
        return self._by_device(form)

    def _by_code(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        grant = self.codes.get(form["code"])
        if grant is None or time.time() > grant.issued_at + CODE_SECONDS:
            return refusal(70008)
        if grant.used:
            return refusal(54005)
        grant.used = True
        if form["redirect_uri"] != grant.redirect_uri:
            return refusal(500112, "invalid_client")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != grant.challenge:
            return refusal(501481)
        return self._tokens(grant, grant.scopes, len(self.refresh_tokens))

    def _by_device(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        if self.device_words:
            word = self.device_words.pop(0)
            if word.isdigit():
                return refusal(int(word))
            numbers = {
                "authorization_pending": 70016,
                "authorization_declined": 70000,
                "expired_token": 70020,
                "bad_verification_code": 70018,
            }
            if word in numbers:
                return refusal(numbers[word], word)
            return 400, {"error": word}
        grant = self.devices.pop(form["device_code"])
        return self._tokens(grant, grant.scopes, len(self.refresh_tokens))

    def _renewed(self, form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        self.renewals += 1
        grant = self.refresh_tokens.get(form["refresh_token"])
        if self.refused:
            return refusal(*self.refused)
        if grant is None:
            return refusal(70000)
        if time.time() > grant.issued_at + REFRESH_SECONDS:
            return refusal(700082)
        if grant.used and self.strict:
            self.ended.add(grant.family)
        if grant.family in self.ended:
            return refusal(50173)
        wanted = _granted(form["scope"])
        if not wanted <= grant.scopes:
            return refusal(65001)
        grant.used = True
        return self._tokens(grant, wanted, grant.family)

    def _tokens(
        self, grant: Grant, scopes: frozenset[str], family: int
    ) -> tuple[int, dict[str, Any]]:
        access, refresh = (secrets.token_urlsafe(600) for _ in range(2))
        self.access_tokens[access] = (
            grant.account,
            scopes,
            time.time() + self.lifetime,
        )
        self.refresh_tokens[refresh] = Grant(
            grant.account, grant.scopes, time.time(), family=family
        )
        uid = hashlib.sha256(grant.account.encode()).hexdigest()[:32]
        claims = {
            "sub": uid,
            "oid": uid,
            "tid": "tenant",
            "preferred_username": grant.account,
            "nonce": grant.nonce,
        }
        return 200, {
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
            "expires_in": self.lifetime,
            "access_token": access,
            "refresh_token": refresh,
            "id_token": f"{_b64({'alg': 'none'})}.{_b64(claims)}.",
            "client_info": _b64({"uid": uid, "utid": "tenant"}),
        }

    def _wrong_account(self, tenant: str) -> tuple[int, str] | None:
        if tenant == "consumers" and not self.personal:
            return 50034, "invalid_grant"
        if tenant not in {"consumers", "common"} and self.personal:
            return 500200, "invalid_request"
        return None

    def holder(self, token: str, scope: str) -> str | None:
        """Return whose token it is, if it is good for a scope."""
        account, scopes, until = self.access_tokens.get(token, ("", frozenset(), 0.0))
        good = scope in scopes and time.time() < until
        return account if good else None


def knock(
    uri: str,
    fields: dict[str, str],
    *,
    method: str = "POST",
    path: str = "/",
    **headers: str,
) -> tuple[int, str]:
    """Send an answer to an address of this computer; return status and page."""
    parts = urlsplit(uri)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port or 0, timeout=10)
    body = urlencode(fields)
    named = {"Host": parts.netloc} | headers
    try:
        if method == "GET":
            connection.request("GET", f"{path}?{body}", headers=named)
        else:
            named |= {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request(method, path, body, named)
        response = connection.getresponse()
        return response.status, response.read().decode()
    finally:
        connection.close()


def _granted(scope: str) -> frozenset[str]:
    return frozenset(scope.split()) - PLUMBING


def _b64(document: dict[str, str]) -> str:
    data = json.dumps(document).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def sign_in(settings: MailSettings, cloud: Any, **changes: str) -> SignIn:
    """Sign in as a user with a browser does; what it brings back has ``changes``."""
    with Login(settings, in_file=True, step_timeout=10) as login:
        return login.in_browser(
            lambda address: cloud.identity.visit(address, **changes),
            language="en",
            seconds=20,
        )
