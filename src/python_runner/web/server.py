"""Serves a dashboard until a signal ends it."""

from __future__ import annotations

import errno
import gc
import ipaddress
import socket
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from python_runner.exceptions import PythonRunnerError
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import system_error
from python_runner.web.app import create_app
from python_runner.web.limits import AT_ONCE, LONGEST_HEADERS, BoundedProtocol, Limits


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.web.live import Live
    from python_runner.web.site import Site

#: Seconds that answers which are under way may take at the end.
_LAST_SECONDS = 1
#: Connections that wait until they are taken.
_WAITING = 128
#: New objects until unused ones are looked for.
_GARBAGE = 2000


class Server(uvicorn.Server):
    """A server that ends its open streams first: they would never end by themselves."""

    def __init__(self, config: uvicorn.Config, live: Live) -> None:
        super().__init__(config)
        self._live = live

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer until :meth:`stop`."""
        # A command ends before it has made much garbage, and looks for it hardly ever. A
        # server would keep what hundreds of answers have left, and then look through it
        # while somebody waits. What is loaded by now stays, and is not looked through.
        gc.freeze()
        gc.set_threshold(_GARBAGE)
        super().run(sockets)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the caller."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to answer."""
        await super().startup(sockets)
        for listener in sockets or ():
            # As many as are taken at once would be refused by the system otherwise.
            listener.listen(_WAITING)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Answer what is under way, and end."""
        self._live.close()
        await super().shutdown(sockets)

    def stop(self) -> None:
        """Ask the server to end; from any thread, or a signal."""
        self.should_exit = True


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens there; port 0 takes any that is free.

    Raises:
        PythonRunnerError: it cannot be had.
    """
    try:
        places = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        family, kind, protocol, _name, address = places[0]
        listener = socket.socket(family, kind, protocol)
        try:
            if sys.platform != "win32":
                # Windows would let two programs have the same port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            else:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            listener.bind(address)
            listener.listen(_WAITING)
        except BaseException:
            listener.close()
            raise
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = _(
                "port {port} is in use, perhaps by another dashboard; choose another one:"
                " --port"
            )
            raise PythonRunnerError(message.format(port=port)) from error
        message = _("{host}, port {port}: {error}")
        reason = message.format(host=host, port=port, error=system_error(error))
        raise PythonRunnerError(reason) from error
    return listener


def is_loopback(host: str) -> bool:
    """Say whether an address is reached from this computer alone."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def make_server(site: Site) -> Server:
    """Return a server for a dashboard: ``run([listener])`` answers until ``stop``."""
    limits = Limits.of_process()
    app = create_app(site, limits)
    protocol = type("Protocol", (BoundedProtocol,), {"limits": limits})
    config = uvicorn.Config(
        app,
        http=protocol,
        ws="none",
        loop="asyncio",
        lifespan="on",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
        timeout_keep_alive=30,
        backlog=AT_ONCE,
        h11_max_incomplete_event_size=LONGEST_HEADERS,
    )
    return Server(config, app.state.live)
