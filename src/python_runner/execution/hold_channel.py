"""The runner's end of the channel to an interpreter that was started ahead.

The other end is in ``startup/python_runner_hold.py``.
"""

from __future__ import annotations

import marshal
import os
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Tells the interpreter where its end of the channel is.
HOLD_VARIABLE = "PYTHON_RUNNER_HOLD"
#: Seconds between two looks at whether an answer is still wanted, or has come (Windows).
_LOOK = 0.1
_LOOK_WINDOWS = 0.002
#: Bytes of an answer: the name of a module and its error.
_LONGEST = 100_000


def _packed(message: Any) -> bytes:
    # The version that every Python 3 reads.
    data = marshal.dumps(message, 2)
    return len(data).to_bytes(4, "little") + data


if sys.platform == "win32":
    import _winapi
    import msvcrt

    class Channel:
        """Two pipes, whose far ends the interpreter inherits."""

        def __init__(self) -> None:
            """Open the channel.

            Raises:
                OSError: there are no pipes.
            """
            theirs_read, self._write = os.pipe()
            self._read, theirs_write = os.pipe()
            self._theirs = (theirs_read, theirs_write)
            for end in self._theirs:
                os.set_inheritable(end, True)

        @property
        def inherited(self) -> list[int]:
            """The handles of the far ends."""
            return [msvcrt.get_osfhandle(end) for end in self._theirs]

        @property
        def where(self) -> str:
            """What :data:`HOLD_VARIABLE` says."""
            return ",".join(map(str, self.inherited))

        def leave(self) -> None:
            """Close the far ends: the interpreter has them."""
            for end in self._theirs:
                os.close(end)
            self._theirs = ()  # type: ignore[assignment]

        def send(self, message: Any) -> None:
            """Send a message.

            Raises:
                OSError: nobody listens any more.
            """
            data = _packed(message)
            while data:
                data = data[os.write(self._write, data) :]

        def receive(
            self, seconds: float, stopping: Callable[[], bool] = lambda: False
        ) -> list[str] | None:
            """Return the next answer; none of its words if nobody is there, None if nothing is said."""
            until = time.monotonic() + seconds
            data = b""
            with suppress(OSError):
                while True:
                    handle = msvcrt.get_osfhandle(self._read)
                    waiting: Any = _winapi.PeekNamedPipe(handle, 0)[0]
                    if waiting:
                        data += os.read(self._read, waiting)
                        if (answer := _unpacked(data)) is not None:
                            return answer
                    elif time.monotonic() > until or stopping():
                        return None
                    else:
                        time.sleep(_LOOK_WINDOWS)
            return []

        def close(self) -> None:
            """Close this end."""
            for end in (self._read, self._write, *self._theirs):
                os.close(end)

else:
    from select import POLLIN, poll
    from socket import send_fds, socketpair

    class Channel:
        """A pair of sockets, through which descriptors can be passed."""

        def __init__(self) -> None:
            """Open the channel.

            Raises:
                OSError: there is no descriptor left.
            """
            self._ours, self._theirs = socketpair()

        @property
        def inherited(self) -> list[int]:
            """The descriptor of the far end."""
            return [self._theirs.fileno()]

        @property
        def where(self) -> str:
            """What :data:`HOLD_VARIABLE` says."""
            return str(self._theirs.fileno())

        def leave(self) -> None:
            """Close the far end: the interpreter has it."""
            self._theirs.close()

        def send(self, message: Any, descriptors: Sequence[int] = ()) -> None:
            """Send a message, and descriptors with it.

            Raises:
                OSError: nobody listens any more.
            """
            data = _packed(message)
            if descriptors:
                data = data[send_fds(self._ours, [data], descriptors) :]
            # Of nothing too much: whoever has got it all may have closed its end by now.
            if data:
                self._ours.sendall(data)

        def receive(
            self, seconds: float, stopping: Callable[[], bool] = lambda: False
        ) -> list[str] | None:
            """Return the next answer; none of its words if nobody is there, None if nothing is said."""
            until = time.monotonic() + seconds
            ready: Any = poll()
            ready.register(self._ours, POLLIN)
            data = b""
            with suppress(OSError):
                while True:
                    left = until - time.monotonic()
                    if ready.poll(max(0.0, min(_LOOK, left)) * 1000):
                        block = self._ours.recv(4096)
                        data += block
                        if (answer := _unpacked(data)) is not None:
                            return answer
                        if not block:
                            return []
                    elif left <= 0 or stopping():
                        return None
            return []

        def close(self) -> None:
            """Close both ends."""
            self._ours.close()
            self._theirs.close()


def _unpacked(data: bytes) -> list[str] | None:
    """Return an answer, None as long as it is not complete.

    Raises:
        OSError: it is none of ours.
    """
    length = int.from_bytes(data[:4], "little")
    if len(data) >= 4 and length > _LONGEST:  # noqa: PLR2004 - of the length itself
        raise OSError
    if len(data) < 4 or len(data) < 4 + length:  # noqa: PLR2004
        return None
    return data[4:].decode("utf-8", "replace").split("\0")
