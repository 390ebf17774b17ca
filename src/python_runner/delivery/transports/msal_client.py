"""The HTTP client that msal asks with: verified, bounded, and without secrets in errors."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from python_runner.delivery.transports.https import HttpsClient
from python_runner.masking import Masker


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from python_runner.delivery.transports.errors import DeliveryError
    from python_runner.delivery.transports.explain import Answer
    from python_runner.model import MailSettings

    #: Returns why an answer (status, text, host, masker) is no success; None where msal
    #: itself knows what to do with it.
    Explain = Callable[[int, str, str, Masker], DeliveryError | None]

_OK = 200
#: Fields of a request that an answer must not repeat.
_SECRET_FIELDS = (
    "client_secret",
    "client_assertion",
    "refresh_token",
    "code",
    "code_verifier",
    "device_code",
)


class MsalHttpClient:
    """The HTTP client msal uses; an answer that is no success raises, and msal sees none."""

    def __init__(
        self, settings: MailSettings, timeout: float, explain: Explain
    ) -> None:
        """Prepare; nothing is connected. Each step may take ``timeout`` seconds."""
        self._explain = explain
        self._secret = settings.oauth_secret or ""
        self._https = HttpsClient(
            settings.smtp_ca_file,
            "OAUTH_AUTHORITY",
            step_timeout=timeout,
            data_timeout=timeout,
        )

    def get(self, url: str, **options: Any) -> Answer:
        """Ask with GET, as msal calls it."""
        return self._ask("GET", url, options, {}, None)

    def post(self, url: str, **options: Any) -> Answer:
        """Ask with POST, as msal calls it."""
        data = options.get("data") or {}
        body = data if isinstance(data, str) else urlencode(data)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", url, options, form, body.encode())

    def close(self) -> None:
        """Close the connection."""
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
        masker = Masker((self._secret, *_secrets(options.get("data"))))
        error = self._explain(answer.status_code, answer.text, host, masker)
        if error is None:
            return answer
        raise error


def _secrets(data: object) -> tuple[str, ...]:
    if not isinstance(data, dict):
        return ()
    return tuple(str(data[name]) for name in _SECRET_FIELDS if data.get(name))


def _is_document(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
