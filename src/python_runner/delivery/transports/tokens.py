"""Tokens with which mail is handed to Microsoft's services.

An application that signs in by itself, with a secret or a certificate, has its tokens in
memory, as long as one drain: a token is one short request, a file with one would be one
more secret to guard. Those of a user come from ``delivery.sign_in``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Protocol

from python_runner.delivery.transports import missing_extra
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import quoted, token_error
from python_runner.delivery.transports.https import CONNECT_SECONDS
from python_runner.delivery.transports.msal_client import MsalHttpClient
from python_runner.files import read_regular
from python_runner.model import Cause
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.model import MailSettings

#: Bytes that a certificate with its key may have.
_LONGEST = 1_000_000
#: What a token is for, by transport.
_RESOURCES = {
    "smtp-oauth2": lambda settings: settings.outlook_url,
    "graph": lambda settings: settings.graph_url,
}


class Tokens(Protocol):
    """The tokens of one drain.

    Attributes:
        proven: whether a server has accepted the present token: only then may another
            one be accepted where it is not any more.
        as_user: whether they are a user's, not an application's.
    """

    proven: bool
    as_user: bool

    def get(self) -> str:
        """Return a token that is good for some minutes still.

        Raises:
            DeliveryError: there is none.
        """

    def forget(self) -> None:
        """Drop the present token: the server does not accept it any more."""

    def close(self) -> None:
        """Close the connection; may be called more than once."""


def open_tokens(
    settings: MailSettings,
    *,
    step_timeout: float = CONNECT_SECONDS,
    renewed: bool = False,
) -> Tokens:
    """Return the tokens of the application or of the user; nothing is asked for.

    Connecting and each answer may take ``step_timeout`` seconds. ``renewed`` asks for a
    token even where one is left from before.
    """
    if settings.as_user:
        from python_runner.delivery.sign_in.renewal import UserTokens  # noqa: PLC0415

        return UserTokens(settings, step_timeout=step_timeout, renewed=renewed)
    return ApplicationTokens(settings, step_timeout=step_timeout)


class ApplicationTokens:
    """The tokens of an application; msal keeps them and renews them in time."""

    as_user = False

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
        self._client = MsalHttpClient(settings, step_timeout, token_error)
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
