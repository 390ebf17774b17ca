"""HTTPS as mail needs it: verified, bounded in time, through the office's proxy.

The standard library's client, because it keeps its steps apart: what failed before
the request was handed over did not happen, what failed after it may have. It trusts what
the SMTP transport trusts, and sends nothing that is secret anywhere else: no redirect is
followed, and whatever an address says, the connection is encrypted.
"""

from __future__ import annotations

import selectors
import ssl
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from python_runner.delivery.transports import always
from python_runner.delivery.transports.answers import UNUSABLE_PROXY
from python_runner.delivery.transports.bounded import bounded_response
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import (
    Answer,
    connection_lost,
    insecure,
    unavailable,
    unreachable,
)
from python_runner.delivery.transports.tls import tls_context
from python_runner.model import Cause


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from urllib.parse import SplitResult

    from python_runner.texts.sentence import Sentence

#: Seconds to connect.
CONNECT_SECONDS = 30.0
#: Seconds a server may take to answer a request, by which it may take a large mail.
ANSWER_SECONDS = 120.0
_HTTPS = 443
#: Bytes of an answer that are read; tokens and errors are far smaller.
_ANSWER = 1_000_000
#: Bytes that are taken from a server for one answer, its headers included.
_WHOLE = 2 * _ANSWER
#: A proxy listens there unless its address says otherwise.
_PROXY_PORT = 8080


class HttpsClient:
    """One connection at a time, kept while requests go to the same place."""

    def __init__(
        self,
        ca_file: Path | None,
        variable: str,
        *,
        step_timeout: float,
        data_timeout: float,
    ) -> None:
        """Prepare; nothing is connected.

        Args:
            ca_file: authorities to trust besides the system's.
            variable: the setting that names the place, for the sentences.
            step_timeout: seconds to connect.
            data_timeout: seconds the server may take to answer a request.
        """
        self._ca_file = ca_file
        self._variable = variable
        self._step_timeout = step_timeout
        self._data_timeout = data_timeout
        self._place: tuple[str, int] | None = None
        self._connection: HTTPSConnection | None = None

    def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes | None = None,
        if_lost: Sentence | None = None,
        hand_over: Callable[[], None] = always,
    ) -> Answer:
        """Ask at an absolute ``https`` address, and return whatever is answered.

        ``hand_over`` is called once there is a connection, before the request.

        Raises:
            DeliveryError: there is no answer; it says ``if_lost`` where the whole
                request has been handed over.
        """
        parts = urlsplit(url)
        connection = self._connected(parts)
        host, whole = parts.hostname or "", False
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        hand_over()
        try:
            connection.sock.settimeout(self._data_timeout)
            connection.request(method, target, body, dict(headers))
            whole = True
            connection.response_class = bounded_response(self._data_timeout, _WHOLE)
            response = connection.getresponse()
            text = response.read(_ANSWER).decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            self.close()
            if whole and if_lost:
                raise DeliveryError(Cause.NO_ANSWER, if_lost) from error
            detail = connection_lost(error, host)
            raise DeliveryError(Cause.UNAVAILABLE, detail) from error
        if response.will_close or not response.isclosed():
            self.close()
        named = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, text, named)

    def close(self) -> None:
        """Close the connection; another request connects again."""
        if self._connection is not None:
            with suppress(OSError):
                self._connection.close()
            self._connection = None

    def _connected(self, url: SplitResult) -> HTTPSConnection:
        """Return a connection that leads to ``url``: the present one where it does."""
        place = (url.hostname or "", url.port or _HTTPS)
        if self._connection is not None and (
            self._place != place or _dropped(self._connection)
        ):
            self.close()
        if self._connection is None:
            self._connection = self._connect(*place)
            self._place = place
        return self._connection

    def _connect(self, host: str, port: int) -> HTTPSConnection:
        context = tls_context(self._ca_file, and_system=True)
        connection = _prepare(host, port, context, self._step_timeout)
        # A proxy answers as well.
        connection.response_class = bounded_response(self._step_timeout, _WHOLE)
        try:
            connection.connect()
        except ssl.SSLError as error:
            connection.close()
            raise insecure(error, host, port, self._variable) from error
        except (OSError, ValueError, HTTPException) as error:
            connection.close()
            # Behind a proxy it is the proxy that was called.
            called = (connection.host, connection.port)
            variable = self._variable if called == (host, port) else "HTTPS_PROXY"
            raise unreachable(error, *called, variable) from error
        return connection


def _prepare(
    host: str, port: int, context: ssl.SSLContext, timeout: float
) -> HTTPSConnection:
    """Return a connection to ``host``, through the system's proxy where there is one."""
    proxy = _proxy(host)
    if proxy is None:
        return HTTPSConnection(host, port, context=context, timeout=timeout)
    connection = HTTPSConnection(
        proxy.hostname or "",
        proxy.port or _PROXY_PORT,
        context=context,
        timeout=timeout,
    )
    headers = {}
    if proxy.username:
        login = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
        token = b64encode(login.encode()).decode("ascii")
        headers["Proxy-Authorization"] = f"Basic {token}"
    connection.set_tunnel(host, port, headers)
    return connection


def _proxy(host: str) -> SplitResult | None:
    """Return the proxy the system has for ``host``, with or without a login."""
    address = None if proxy_bypass(host) else getproxies().get("https")
    if not address:
        return None
    try:
        proxy = urlsplit(address if "//" in address else f"//{address}")
        _port = proxy.port
    except ValueError as error:
        # The address may hold a password: neither it nor the error is quoted.
        raise unavailable(UNUSABLE_PROXY) from error
    return proxy


def _dropped(connection: HTTPSConnection) -> bool:
    """Say whether the server has closed the connection since the last answer."""
    with selectors.DefaultSelector() as selector:
        selector.register(connection.sock, selectors.EVENT_READ)
        # A server only answers requests: what can be read now is the end.
        return bool(selector.select(0))
