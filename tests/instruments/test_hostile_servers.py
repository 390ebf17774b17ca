"""Servers that answer for ever, late or half: they cost a run neither time nor memory."""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.cases import LONG
from tests.servers.cloud import FakeCloud


if TYPE_CHECKING:
    from pathlib import Path

    from tests.servers.authority import Authority

if sys.platform == "win32":
    pytest.skip("needs limits of memory", allow_module_level=True)

pytestmark = pytest.mark.instrument

#: Bytes of memory that the runner may ask for, and what it may really use.
MEMORY, USED = 500_000_000, 250_000_000
#: Seconds after which the run must be over: mail may delay it by a minute.
DEADLINE = 120.0
RECIPIENTS = ["ann@example.org", "bob@example.org"]
#: A reply: bytes to send, or seconds to wait before the next ones.
Reply = Iterator[bytes | float]
RESET = b"<reset>"


def endless(line: bytes) -> Reply:
    """Send the same for ever, as fast as it is taken."""
    return repeat(line * (65536 // len(line)))


def drip(data: bytes) -> Reply:
    """Send one byte a second for ever."""
    for byte in chain(data, repeat(b"x"[0])):
        yield bytes([byte])
        yield 1.0


def after(first: bytes, rest: Reply) -> Reply:
    """Send something proper, then something else."""
    return chain([first], rest)


def silence() -> Reply:
    """Say nothing until the client goes."""
    return repeat(1.0)


def late(data: bytes) -> Reply:
    """Answer properly, after half a minute."""
    return iter([30.0, data])


def reset() -> Reply:
    """Cut the connection off without a word."""
    return iter([RESET])


@dataclass
class Server:
    """Accepts connections and answers each request by a generator.

    Attributes:
        script: answers by what is asked; the first of the words that a request begins
            with counts. ``CONNECT`` is before anything is asked.
        tls: what it encrypts with; None for nothing.
    """

    script: dict[str, Callable[[], Reply]]
    tls: ssl.SSLContext | None = None

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.stopped = False
        threading.Thread(target=self._accept, daemon=True).start()

    def stop(self) -> None:
        """Answer no more."""
        self.stopped = True
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(
                    target=self._serve, args=(client,), daemon=True
                ).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError, ssl.SSLError), ExitStack() as stack:
            stack.enter_context(client)
            client.settimeout(DEADLINE)
            if self.tls:
                wrapped = self.tls.wrap_socket(client, server_side=True)
                client = stack.enter_context(wrapped)
            if not self._send(client, "CONNECT"):
                return
            while data := client.recv(65536):
                if not self._send(client, data.decode("latin-1").upper()):
                    return

    def _send(self, client: socket.socket, asked: str) -> bool:
        words = (word for word in self.script if asked.startswith(word))
        for part in self.script.get(next(words, ""), lambda: iter([]))():
            if self.stopped:
                return False
            if part == RESET:
                linger = struct.pack("ii", 1, 0)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                client.close()
                return False
            if isinstance(part, float):
                time.sleep(part)
            else:
                client.sendall(part)
        return True


def says(text: bytes) -> Callable[[], Reply]:
    """Answer properly."""
    return lambda: iter([text])


#: A mail server that takes everything.
PROPER = {
    "CONNECT": says(b"220 fake\r\n"),
    "EHLO": says(b"250-fake\r\n250 SIZE 1000000\r\n"),
    "MAIL": says(b"250 ok\r\n"),
    "RCPT": says(b"250 ok\r\n"),
    "DATA": says(b"354 go on\r\n"),
    "RSET": says(b"250 ok\r\n"),
    "QUIT": says(b"221 bye\r\n"),
    # Everything else is a part of a message.
    "": says(b"250 taken\r\n"),
}
STEPS = {
    "greeting": ("CONNECT", b"220"),
    "hello": ("EHLO", b"250"),
    "recipient": ("RCPT", b"250"),
    "data": ("DATA", b"354"),
    "end": ("", b"250"),
}
SMTP: dict[str, dict[str, Callable[[], Reply]]] = {"proper": PROPER}
#: Cases that wait for a minute.
SLOW: set[str] = set()
for _step, (_word, _code) in STEPS.items():
    SMTP |= {
        f"endless-lines-{_step}": PROPER
        | {_word: lambda c=_code: endless(c + b"-" + b"A" * 70 + b"\r\n")},
        f"endless-line-{_step}": PROPER | {_word: lambda: endless(b"2")},
        f"reset-{_step}": PROPER | {_word: reset},
    }
for _step in ("greeting", "end"):
    _word, _code = STEPS[_step]
    _waiting = {
        f"drip-{_step}": PROPER | {_word: lambda c=_code: drip(c + b"-")},
        f"silent-{_step}": PROPER | {_word: silence},
        f"late-{_step}": PROPER | {_word: lambda c=_code: late(c + b" ok\r\n")},
    }
    SMTP |= _waiting
    SLOW |= _waiting.keys()

OK = b"HTTP/1.1 200 OK\r\n"
PAGES: dict[str, Callable[[], Reply]] = {
    "proper": says(b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"),
    "endless-body": lambda: after(OK + b"\r\n", endless(b"A" * 64)),
    "endless-error": lambda: after(
        b"HTTP/1.1 500 no\r\n\r\n", endless(b"<p>Something is wrong</p>\n")
    ),
    "endless-headers": lambda: after(OK, endless(b"X-A: " + b"a" * 58 + b"\r\n")),
    "endless-header": lambda: after(OK + b"X-A: ", endless(b"a")),
    "endless-status": lambda: endless(b"H"),
    "endless-continue": lambda: endless(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless-chunks": lambda: after(
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        endless(b"10\r\n" + b"A" * 16 + b"\r\n"),
    ),
    "huge-length": lambda: after(
        OK + b"Content-Length: 99999999999999\r\n\r\n", endless(b"A")
    ),
    "huge-chunk": lambda: after(
        OK + b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", endless(b"A")
    ),
    "redirects": says(
        b"HTTP/1.1 307 go\r\nLocation: /a/b\r\nContent-Length: 0\r\n\r\n"
    ),
    "reset": reset,
    "half": says(OK + b"Content-Length: 99\r\n\r\nhalf"),
    "drip": lambda: drip(OK + b"X-A: "),
    "silent": silence,
}
SLOW_PAGES = {"drip", "silent", "half", "endless-continue"}


def names() -> Iterator[str]:
    """Yield the cases; those that wait for a minute where time is."""
    yield from (f"smtp-{name}" for name in SMTP if LONG or name not in SLOW)
    for way in ("heartbeat", "channel", "identity", "graph"):
        quick = PAGES.keys() - SLOW_PAGES
        if way == "heartbeat":
            quick |= {"drip"}
        if way in {"identity", "graph"}:
            quick &= {"proper", "endless-body", "endless-headers", "reset"}
        yield from (f"{way}-{name}" for name in PAGES if LONG or name in quick)


CASES = list(names())
#: Starts a command, and writes into a file how many bytes of memory it has used at most.
#: The kernel counts for a process what the one that started it has used: this is small.
MEASURE = """
import os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as file:
    file.write(str(usage.ru_maxrss * 1024))
sys.exit(os.waitstatus_to_exitcode(status))
"""


@dataclass(frozen=True)
class Ended:
    """What became of a run.

    Attributes:
        code: its exit code; None when it took too long.
        used: bytes of memory at most.
        seconds: how long it took.
        out: what it printed; err: on the other stream.
        listed: what ``mail list --all`` says then.
    """

    code: int | None
    used: int
    seconds: float
    out: str
    err: str
    listed: str


class Client:
    """A run in a process of its own, of bounded memory."""

    def __init__(
        self, folder: Path, config: dict[str, Any], environ: dict[str, str]
    ) -> None:
        self._folder = folder
        project = folder / "p"
        project.mkdir(parents=True)
        (project / "main.py").write_text("print('done')\n", encoding="utf-8")
        plain = {
            "scripts": ["main.py"],
            "python_command": sys.executable,
            "recipients": [],
            "email_strategy": "all",
            "include_traceback": True,
            "logs_backup_count": 0,
        }
        text = json.dumps(plain | config)
        (project / "exec_config.json").write_text(text, encoding="utf-8")
        self._environ = (
            os.environ
            | environ
            | {
                "PYTHON_RUNNER_HOME": str(folder / "home"),
                "MAIL_FROM": "robot@example.org",
                "MALLOC_ARENA_MAX": "2",
                "LANGUAGE": "en",
            }
        )

    def run(self) -> Ended:
        """Run the project to its end, or to the deadline."""
        limit = f'ulimit -v {MEMORY // 1000}; exec "$@"'
        runner = [sys.executable, "-m", "python_runner"]
        start = time.monotonic()
        with (
            (self._folder / "out").open("wb") as out,
            (self._folder / "err").open("wb") as err,
        ):
            used = str(self._folder / "used")
            measured = [sys.executable, "-S", "-c", MEASURE, used]
            child = subprocess.Popen(
                [*measured, "sh", "-c", limit, "sh", *runner, "run", "--json", "p"],
                cwd=self._folder,
                start_new_session=True,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
            )
        timer = threading.Timer(DEADLINE, os.killpg, (child.pid, signal.SIGKILL))
        timer.start()
        child.wait()
        timer.cancel()
        seconds = time.monotonic() - start
        listed = subprocess.run(
            [*runner, "mail", "list", "--all"],
            env=self._environ,
            capture_output=True,
            text=True,
            check=False,
        )
        in_time = seconds < DEADLINE
        return Ended(
            code=child.returncode if in_time else None,
            used=int((self._folder / "used").read_text()) if in_time else 0,
            seconds=seconds,
            out=(self._folder / "out").read_text("utf-8", "replace"),
            err=(self._folder / "err").read_text("utf-8", "replace"),
            listed=listed.stdout,
        )


@contextmanager
def hostile(
    case: str, authority: Authority
) -> Iterator[tuple[dict[str, Any], dict[str, str]]]:
    """Start the servers of a case; give the configuration and the environment for it."""
    way, _, name = case.partition("-")
    told = {"recipients": RECIPIENTS}
    if way == "smtp":
        with running(Server(SMTP[name])) as server:
            yield told, relay(server.port)
    elif way in {"heartbeat", "channel"}:
        script = {"CONNECT": says(b""), "POST": PAGES[name], "GET": PAGES[name]}
        key, scheme = {
            "heartbeat": ("heartbeat_url", "http"),
            "channel": ("channels", "json"),
        }[way]
        with running(Server(script)) as server:
            url = f"{scheme}://127.0.0.1:{server.port}/hook"
            strategy = "none" if way == "heartbeat" else "all"
            yield (
                {key: [url] if way == "channel" else url, "email_strategy": strategy},
                {},
            )
    else:
        script = {"CONNECT": says(b""), "POST": PAGES[name], "GET": PAGES[name]}
        cloud = FakeCloud(authority.context())
        with running(Server(script, authority.context())) as server:
            try:
                url = f"https://localhost:{server.port}"
                yield (
                    told,
                    {
                        "MAIL_TRANSPORT": "graph",
                        "LOGIN_MAIL": "robot@example.org",
                        "OAUTH_TENANT_ID": cloud.TENANT,
                        "OAUTH_CLIENT_ID": cloud.CLIENT,
                        "OAUTH_CLIENT_SECRET": cloud.secret,
                        "OAUTH_AUTHORITY": url if way == "identity" else cloud.url,
                        "GRAPH_URL": url if way == "graph" else cloud.url,
                        "SSL_CERT_FILE": str(authority.file),
                        "REQUESTS_CA_BUNDLE": str(authority.file),
                    },
                )
            finally:
                cloud.stop()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Stop a server at the end."""
    try:
        yield server
    finally:
        server.stop()


def relay(port: int) -> dict[str, str]:
    """Return the environment of an office whose relay wants no login."""
    return {
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": str(port),
        "SMTP_SECURITY": "none",
    }


@pytest.mark.fault(
    "delivery",
    "A server answers without end, late, or in pieces",
    "The run ends in time and in little memory; the report is kept.",
)
@pytest.mark.sampled(8)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("case", CASES)
def test_a_hostile_server_changes_no_run(
    case: str, tmp_path: Path, authority: Authority
) -> None:
    """The run ends in time, in little memory, as its script did; reports are kept."""
    with hostile(case, authority) as (config, environ):
        ended = Client(tmp_path, config, environ).run()

    assert ended.code is not None, f"still running after {DEADLINE:.0f} s"
    assert ended.used < USED, f"{ended.used / 1e6:.0f} MB in {ended.seconds:.0f} s"
    assert "MemoryError" not in ended.err
    assert "Traceback (most recent call last)" not in ended.err, ended.err
    assert ended.code in {0, 4}, ended.err
    [run] = json.loads(ended.out)["runs"]
    assert (run["status"], run["scripts"][0]["success"]) == ("success", True)
    if config.get("recipients"):
        assert run["mail"] in {"sent", "queued", "failed"}
        counted = [ended.listed.count(address) for address in RECIPIENTS]
        assert counted == [1, 1], ended.listed
        if case in {"smtp-proper", "graph-proper"}:
            assert run["mail"] == "sent", ended.listed
