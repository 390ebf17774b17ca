"""A TCP proxy on loopback that goes silent, as a network does whose cable is cut."""

from __future__ import annotations

import socket
from contextlib import suppress
from threading import Event, Thread


class SilentProxy:
    """Passes what comes to another port, until it is cut.

    Nobody is told of the cut: no connection is closed, and new ones are accepted.
    """

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._passes = Event()
        self._passes.set()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """Pass nothing from now on."""
        self._passes.clear()

    def mend(self) -> None:
        """Pass again what was held up meanwhile."""
        self._passes.set()

    def close(self) -> None:
        """Close everything."""
        self._listener.close()
        self._passes.set()
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._listener.accept()
                server = socket.create_connection(self._target)
                self._sockets += [client, server]
                for source, target in ((client, server), (server, client)):
                    Thread(
                        target=self._pass, args=(source, target), daemon=True
                    ).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                self._passes.wait()
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
