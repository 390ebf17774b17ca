"""Tells a Healthchecks server when a run begins and how it ends; never in a run's way.

The server notices what no mail can tell of: a run that never began or never ended. Pings
leave in order, from a thread that nobody has to wait for; one that fails is a sentence.
"""

from __future__ import annotations

import base64
import math
import threading
import time
import uuid
from dataclasses import dataclass
from http.client import HTTPException
from queue import SimpleQueue
from typing import TYPE_CHECKING
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

from python_runner.report.view import LINE
from python_runner.texts.sanitize import cut_middle, one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from http.client import HTTPMessage
    from typing import IO

    from python_runner.report.render import Report

#: Bytes of a body: what a server keeps unless it is told to keep more.
BODY_BYTES = 9_800
#: Seconds a server may take to answer one try.
_TRY_SECONDS = 5.0
#: Seconds between two tries; there is one try more than there are waits.
_WAITS = (0.5, 1.0, 2.0)
#: Bytes of an answer that are looked at.
_ANSWER_BYTES = 200
#: Answers that another try may change: time-out, too many requests, a server in trouble.
_WORTH_ANOTHER = frozenset({408, 429, *range(500, 600)})
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


@dataclass(frozen=True, slots=True)
class _Ping:
    what: str
    run_id: str
    body: str


class Heartbeat:
    """The pings of one project's run; nothing that goes wrong is ever raised.

    Attributes:
        problems: what has gone wrong so far, each sentence once.
    """

    def __init__(self, url: str) -> None:
        """Take the address; nothing is connected yet."""
        self.problems: tuple[Sentence, ...] = ()
        self._url = url
        self._pings: SimpleQueue[_Ping | None] = SimpleQueue()
        self._newest: _Ping | None = None
        self._end = math.inf
        # What went wrong with a ping that is tried again.
        self._doubt: Sentence | None = None
        # A daemon: a process that is done must not wait for a server that is not.
        self._thread = threading.Thread(
            target=self._work, name="heartbeat", daemon=True
        )
        self._thread.start()

    def start(self, run_id: str) -> None:
        """Tell soon that a run begins; return at once."""
        self._send(_Ping("/start", run_id, ""))

    def end(self, run_id: str, report: Report, *, success: bool, language: str) -> None:
        """Tell how a run ended, after the pings before; return at once.

        Args:
            run_id: the run.
            report: its subject and its text, bounded, are what people read there.
            success: every other end is a failure.
            language: of the report.
        """
        text = f"{report.subject}\n\n{report.text}"
        body = cut_middle(text, BODY_BYTES, language)
        self._send(_Ping("" if success else "/fail", run_id, body))

    def finish(self, seconds: float) -> tuple[Sentence, ...]:
        """Wait until all pings are out, but no longer; return what went wrong."""
        self._end = time.monotonic() + seconds
        self._pings.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            self._note(self._doubt or _not_taken("time-out"))
        return self.problems

    def _send(self, ping: _Ping) -> None:
        self._newest = ping
        self._pings.put(ping)

    def _work(self) -> None:
        while ping := self._pings.get():
            if problem := self._deliver(ping):
                self._note(problem)

    def _note(self, problem: Sentence) -> None:
        if problem not in self.problems:
            self.problems = (*self.problems, problem)

    def _deliver(self, ping: _Ping) -> Sentence | None:
        """Try until it is taken, refused, late, or a newer ping waits."""
        self._doubt = None
        for wait in _WAITS:
            problem, worth_another = self._try(ping)
            late = time.monotonic() + wait >= self._end
            if not worth_another or late or ping is not self._newest:
                return problem
            self._doubt = problem
            time.sleep(wait)
        return self._try(ping)[0]

    def _try(self, ping: _Ping) -> tuple[Sentence | None, bool]:
        """Return what went wrong, and whether it may go well next time."""
        left = self._end - time.monotonic()
        if left <= 0:
            return _not_taken("time-out"), False
        try:
            answer = _post(self._url, ping, min(left, _TRY_SECONDS))
        except HTTPError as error:
            with error:
                text = f"HTTP {error.code} {error.reason}"
                return _not_taken(text), error.code in _WORTH_ANOTHER
        except (OSError, HTTPException) as error:
            # What these say never quotes the address, which is a secret.
            reason = getattr(error, "reason", error)
            late = isinstance(reason, TimeoutError)
            return _not_taken("time-out" if late else str(reason)), True
        except Exception as error:  # noqa: BLE001 - a ping never changes a run
            return _not_taken(type(error).__name__), False
        # Servers of Healthchecks take any address: some only say so.
        if b"not found" in answer:
            return _not_taken(answer.decode("ascii", "replace")), False
        return None, False


def _not_taken(answer: str) -> Sentence:
    return Sentence.of(
        N_("the heartbeat could not be sent: {error}"), error=one_line(answer, LINE)
    )


class _Redirects(HTTPRedirectHandler):
    """Follows few redirects, with the body where HTTP keeps it, and only to the web."""

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
        """Return the next request; one that gives encryption up is refused."""
        if urlsplit(newurl).scheme not in {"https", req.type}:
            raise HTTPError(newurl, code, msg, headers, fp)
        if code in _KEEPS_THE_BODY:
            return Request(newurl, data=req.data, headers=req.headers)  # noqa: S310 - see above
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _post(url: str, ping: _Ping, timeout: float) -> bytes:
    """Send a ping and return the beginning of the answer.

    Raises:
        HTTPError: the server refuses it.
        OSError: there is no way to it, or its certificate is wrong.
    """
    request = Request(  # noqa: S310 - config takes http and https alone
        ping_url(url, ping.what, ping.run_id),
        data=ping.body.encode("utf-8", "backslashreplace"),
        headers={
            "Content-Type": "text/plain; charset=utf-8",
            "User-Agent": "python-runner",
        },
    )
    credentials, _, _ = urlsplit(url).netloc.rpartition("@")
    if credentials:
        token = base64.b64encode(unquote(credentials).encode()).decode("ascii")
        # Unredirected: another server has no business with it.
        request.add_unredirected_header("Authorization", f"Basic {token}")
    with build_opener(_Redirects).open(request, timeout=timeout) as response:
        return bytes(response.read(_ANSWER_BYTES))
