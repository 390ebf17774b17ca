"""Pings a Healthchecks server when a run begins and when it ends.

The server notices what no mail can report: a run that never began or never ended. Pings
leave in order, each from a thread that nobody has to wait for; one that fails is a
sentence.
"""

from __future__ import annotations

import base64
import math
import threading
import time
import uuid
from functools import partial
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    Request,
    build_opener,
)

from python_runner.delivery.transports.bounded import bounded_response
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import cut_middle, one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable
    from http.client import HTTPMessage, HTTPResponse
    from typing import IO, Any
    from urllib.parse import SplitResult

    from python_runner.report.render import Report

#: Bytes of a body: what a server keeps unless it is told to keep more.
BODY_BYTES = 9_800
#: Seconds a server may take to answer one try.
_TRY_SECONDS = 5.0
#: Seconds between two tries; there is one try more than there are waits.
_WAITS = (0.5, 1.0, 2.0)
#: Bytes of an answer that are looked at.
_ANSWER_BYTES = 200
#: Bytes of an answer that are taken, its headers and a page that has moved included.
_WHOLE = 262_144
#: Answers that another try may change: time-out, too many requests, a server in trouble.
_TRANSIENT = frozenset({408, 429, *range(500, 600)})
_KEEPS_THE_BODY = frozenset({307, 308})


def ping_url(url: str, what: str, run_id: str) -> str:
    """Return the address of a ping, without credentials.

    What the address asks for behind its question mark stays. The server pairs start and
    end by ``rid``, which must be a UUID: the same run always has the same.
    """
    parts = urlsplit(url)
    rid = f"rid={uuid.uuid5(uuid.NAMESPACE_URL, f'python-runner:{run_id}')}"
    return urlunsplit(
        (
            parts.scheme,
            parts.netloc.rpartition("@")[2],
            parts.path.rstrip("/") + what,
            f"{parts.query}&{rid}" if parts.query else rid,
            "",
        )
    )


class Heartbeat:
    """The pings of one project's run; nothing that goes wrong is ever raised.

    Attributes:
        problems: what has gone wrong so far, each sentence once.
    """

    def __init__(self, url: str) -> None:
        """Take the address; nothing is connected yet."""
        self.problems: tuple[Sentence, ...] = ()
        self._url = url
        self._end = math.inf
        #: Sends the newest ping.
        self._thread: threading.Thread | None = None

    def start(self, run_id: str) -> None:
        """Send soon that a run begins; return at once."""
        self._send("/start", run_id, "")

    def end(self, run_id: str, report: Report, *, success: bool, language: str) -> None:
        """Send how a run ended, after the pings before; return at once.

        Every end but ``success`` is a failure. Of the report goes what a server keeps.
        """
        text = f"{report.subject}\n\n{report.text}"
        body = cut_middle(text, BODY_BYTES, language)
        self._send("" if success else "/fail", run_id, body)

    def finish(self, seconds: float) -> tuple[Sentence, ...]:
        """Wait until all pings are out, but no longer; return what went wrong."""
        self._end = time.monotonic() + seconds
        if self._thread is not None:
            self._thread.join(seconds)
            if self._thread.is_alive():
                self._note(_not_sent("time-out"))
        return self.problems

    def _send(self, what: str, run_id: str, body: str) -> None:
        post = partial(_post, self._url, what, run_id, body)
        previous = self._thread
        # A daemon: a process that is done must not wait for a server that is not.
        self._thread = threading.Thread(
            target=self._deliver, args=(post, previous), name="heartbeat", daemon=True
        )
        try:
            self._thread.start()
        except RuntimeError as error:
            # The system allows no further thread.
            self._thread = previous
            self._note(_not_sent(str(error)))

    def _note(self, problem: Sentence) -> None:
        if problem not in self.problems:
            self.problems = (*self.problems, problem)

    def _deliver(
        self, post: Callable[[float], bytes], previous: threading.Thread | None
    ) -> None:
        """Post until the ping is taken, refused, late, or a newer one waits."""
        if previous is not None:
            previous.join()
        for wait in (*_WAITS, math.inf):
            problem, transient = self._try(post)
            newest = threading.current_thread() is self._thread
            if not transient or not newest or time.monotonic() + wait >= self._end:
                break
            time.sleep(wait)
        if problem:
            self._note(problem)

    def _try(self, post: Callable[[float], bytes]) -> tuple[Sentence | None, bool]:
        """Return what went wrong, and whether another try may help."""
        left = self._end - time.monotonic()
        if left <= 0:
            return _not_sent("time-out"), False
        try:
            answer = post(min(left, _TRY_SECONDS))
        except HTTPError as error:
            error.close()
            text = f"HTTP {error.code} {error.reason}"
            return _not_sent(text), error.code in _TRANSIENT
        except (OSError, HTTPException) as error:
            # What these say never quotes the address, which is a secret.
            reason = getattr(error, "reason", error)
            late = isinstance(reason, TimeoutError)
            return _not_sent("time-out" if late else str(reason)), True
        except Exception as error:  # noqa: BLE001 - a ping never changes a run
            return _not_sent(type(error).__name__), False
        # Servers of Healthchecks take any address: some only say so.
        if b"not found" in answer:
            return _not_sent(answer.decode("ascii", "replace")), False
        return None, False


def _not_sent(answer: str) -> Sentence:
    return Sentence.of(
        N_("the heartbeat could not be sent: {error}"), error=one_line(answer, LINE)
    )


class _Redirects(HTTPRedirectHandler):
    """Follows few redirects, on the same host, with the body where HTTP keeps it."""

    max_redirections = 3

    def redirect_request(  # noqa: PLR0917 - as urllib calls it
        self,
        req: Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> Request | None:
        """Return the next request; another host, or one in the clear, gets none.

        Nor does another server of the same host get the report.
        """
        old, new = urlsplit(req.full_url), urlsplit(newurl)
        if new.hostname != old.hostname or new.scheme not in {"https", old.scheme}:
            raise HTTPError(newurl, code, msg, headers, fp)
        if code in _KEEPS_THE_BODY:
            # Where neither names a port it is the same server, which has learnt to encrypt.
            if _port(old) != _port(new):
                raise HTTPError(newurl, code, msg, headers, fp)
            return Request(newurl, data=req.data, headers=req.headers)  # noqa: S310 - see above
        return super().redirect_request(req, fp, code, msg, headers, newurl)


class _Http(HTTPHandler):
    """Opens connections whose answers are bounded in time and size."""

    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPConnection), req)


class _Https(HTTPSHandler):
    """The same, encrypted."""

    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(partial(_connection, HTTPSConnection), req)


def _connection(
    kind: type[HTTPConnection], host: str, *, timeout: float, **options: Any
) -> HTTPConnection:
    connection = kind(host, timeout=timeout, **options)
    connection.response_class = bounded_response(timeout, _WHOLE)
    return connection


def _port(parts: SplitResult) -> int | None:
    """Return the port that an address names, None for the usual one."""
    usual = {"http": 80, "https": 443}[parts.scheme]
    return None if parts.port == usual else parts.port


def _post(url: str, what: str, run_id: str, body: str, timeout: float) -> bytes:
    """Send a ping and return the beginning of the answer.

    Raises:
        HTTPError: the server refuses it.
        OSError: there is no connection to it, or its certificate is wrong.
    """
    request = Request(  # noqa: S310 - config takes http and https alone
        ping_url(url, what, run_id),
        data=body.encode("utf-8", "backslashreplace"),
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "User-Agent": "python-runner",
        },
    )
    credentials, _, _ = urlsplit(url).netloc.rpartition("@")
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode("ascii")
        # Unredirected: another server must not get it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    with build_opener(_Redirects, _Http, _Https).open(
        request, timeout=timeout
    ) as response:
        return bytes(response.read(_ANSWER_BYTES))
