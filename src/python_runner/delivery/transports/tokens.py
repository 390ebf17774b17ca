"""Tokens for an application that signs in by itself, with a secret or a certificate.

They live in memory, as long as one drain: a token is one short request, a file with
one would be one more secret to guard.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from python_runner.delivery.transports import missing_extra
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import quoted, token_error
from python_runner.delivery.transports.https import CONNECT_SECONDS, HttpsClient
from python_runner.files import read_regular
from python_runner.masking import Masker
from python_runner.model import Cause
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.delivery.transports.explain import Answer
    from python_runner.model import MailSettings

_OK = 200
#: Bytes that a certificate with its key may have.
_LONGEST = 1_000_000
#: What a token is for, by transport.
_RESOURCES = {
    "smtp-oauth2": lambda settings: settings.outlook_url,
    "graph": lambda settings: settings.graph_url,
}


class Tokens:
    """The tokens of one drain; msal keeps them and renews them in time.

    Attributes:
        proven: whether a server has accepted the present token: only then may another
            one be accepted where it is not any more.
    """

    def __init__(
        self, settings: MailSettings, *, step_timeout: float = CONNECT_SECONDS
    ) -> None:
        """Take the settings; nothing is asked for.

        Connecting and each answer may take ``step_timeout`` seconds.
        """
        self.proven = False
        self._token = ""
        self._settings = settings
        self._scope = f"{_RESOURCES[settings.transport](settings)}/.default"
        self._client = _MsalHttpClient(settings, step_timeout)
        self._application: Any = None

    def get(self) -> str:
        """Return a token that is good for some minutes still.

        Raises:
            DeliveryError: there is none.
        """
        try:
            if self._application is None:
                self._application = self._make_application()
            result = self._application.acquire_token_for_client([self._scope])
            token = _printable(result["access_token"])
        except DeliveryError:
            raise
        except Exception as error:  # the library names no base of what it raises
            raise DeliveryError(Cause.UNAVAILABLE, self._broken(error)) from error
        self.proven = self.proven and token == self._token
        self._token = token
        return token

    def forget(self) -> None:
        """Drop the present token: the server does not accept it any more."""
        self._application.remove_tokens_for_client()

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _make_application(self) -> Any:
        if missing := missing_extra(self._settings):
            raise DeliveryError(Cause.UNAVAILABLE, missing)
        from msal import ConfidentialClientApplication  # noqa: PLC0415 - optional

        settings = self._settings
        return ConfidentialClientApplication(
            settings.oauth_client,
            client_credential=self._credential(),
            authority=f"{settings.oauth_authority}/{settings.oauth_tenant}",
            # Whether Microsoft knows the authority is the administrator's word to say;
            # asking would contact a further host.
            instance_discovery=False,
            http_client=self._client,
        )

    def _credential(self) -> str | dict[str, str] | None:
        file = self._settings.oauth_certificate
        if file is None:
            return self._settings.oauth_secret
        text = read_regular(file, _LONGEST).decode().replace("\r\n", "\n")
        return {"private_key": _private_key(text), "public_certificate": text}

    def _broken(self, error: Exception) -> Sentence:
        """Return what the library's own complaint means: about the certificate, mostly."""
        said = quoted(f"{type(error).__name__}: {error}")
        if self._settings.oauth_certificate:
            return Sentence.of(
                N_(
                    "the file that OAUTH_CLIENT_CERTIFICATE names ({file}) cannot be"
                    " used: {error}"
                ),
                file=str(self._settings.oauth_certificate),
                error=said,
            )
        return Sentence.of(N_("a token could not be requested: {error}"), error=said)


def _printable(token: str) -> str:
    """Return a token that can be said on one line."""
    if not re.fullmatch(r"[!-~]+", token):
        raise ValueError("the token holds characters that no token has")
    return token


def _private_key(pem: str) -> str:
    found = re.search(
        r"-----BEGIN ([A-Z ]*)PRIVATE KEY-----.*?-----END \1PRIVATE KEY-----",
        pem,
        re.DOTALL,
    )
    if not found:
        raise ValueError("no private key in it")
    return found[0]


class _MsalHttpClient:
    """The HTTP client msal uses; an answer that is no success raises, and msal sees none."""

    def __init__(self, settings: MailSettings, timeout: float) -> None:
        self._masker = Masker([settings.oauth_secret] if settings.oauth_secret else [])
        self._https = HttpsClient(
            settings.smtp_ca_file,
            "OAUTH_AUTHORITY",
            step_timeout=timeout,
            data_timeout=timeout,
        )

    def get(self, url: str, **options: Any) -> Answer:
        return self._ask("GET", url, options, {}, None)

    def post(self, url: str, **options: Any) -> Answer:
        data = options.get("data") or {}
        body = data if isinstance(data, str) else urlencode(data)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", url, options, form, body.encode())

    def close(self) -> None:
        self._https.close()

    def _ask(
        self,
        method: str,
        url: str,
        options: Mapping[str, Any],
        headers: dict[str, str],
        body: bytes | None,
    ) -> Answer:
        if params := options.get("params"):
            url = f"{url}?{urlencode(params)}"
        headers |= options.get("headers") or {}
        answer = self._https.request(method, url, headers=headers, body=body)
        if answer.status_code == _OK and _is_document(answer.text):
            return answer
        host = urlsplit(url).hostname or ""
        raise token_error(answer.status_code, answer.text, host, self._masker)


def _is_document(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
