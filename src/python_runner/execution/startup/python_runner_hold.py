"""Holds a started interpreter before the first line of its script; runs inside of it.

``sitecustomize`` imports this module in an interpreter that the runner has started ahead.
Nothing happens until the interpreter is ready for its script: then it looks for somebody
who imports from the script's path, which is a call of ``sys.path_hooks`` without any Python
frame below. There it imports the modules to preload, and waits. When the runner says so,
the interpreter goes on as if nothing had been: frames, modules and hooks are as always.

A server has no script: ``python_runner_fork`` forks a process for each.

The Python may be of any version from 3.8 on. Whatever is unexpected ends the process: the
runner then starts the script anew.
"""

# Every further module would have to be imported.
# ruff: noqa: B905, PLC0415, PLR2004, PTH109, PTH116, PTH119, PTH208, S102

from __future__ import annotations

import marshal
import os
import sys


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: Exit code where something unexpected happens; nobody is told of it.
_UNEXPECTED = 70
#: What can be imported; a name without a dot may be a folder.
_SUFFIXES = (".py", ".pyc", ".so", ".pyd")
_SITE = ("site-packages", "dist-packages")


class _Channel:
    """Messages from the runner, and answers of a few words.

    Each is a length of four bytes and that many more: from the runner a marshalled value,
    to it texts with a null character between them.
    """

    def __init__(self, where: str, sockets: Any = None) -> None:
        """Open the channel at ``where``; ``sockets`` is the kind of it that is known."""
        self._ends = [int(number) for number in where.split(",")]
        self.socket: Any = None
        if os.name == "nt":
            import msvcrt

            windows: Any = msvcrt
            self._ends = [
                windows.open_osfhandle(self._ends[0], os.O_RDONLY),
                windows.open_osfhandle(self._ends[1], os.O_WRONLY),
            ]
            self.open_handle = windows.open_osfhandle
        else:
            if sockets is None:
                import _socket

                sockets = _socket.socket
            os.set_inheritable(self._ends[0], False)
            self.socket = sockets(fileno=self._ends[0])

    def receive(self) -> tuple[Any, list[int]]:
        """Return the next message, and the descriptors that come with it.

        The process ends when the runner has.
        """
        data, descriptors = b"", []
        # One message at a time is under way: nothing of the next one is read.
        while len(data) < 4 or len(data) < 4 + int.from_bytes(data[:4], "little"):
            extra: Any = ()
            if self.socket is None:
                block = os.read(self._ends[0], 65536)
            else:
                block, extra, _, _ = self.socket.recvmsg(65536, 1024)
            for _level, _kind, numbers in extra:
                descriptors += [
                    int.from_bytes(numbers[place : place + 4], sys.byteorder)
                    for place in range(0, len(numbers) - 3, 4)
                ]
            if not block:
                os._exit(0)
            data += block
        return marshal.loads(data[4:]), descriptors  # noqa: S302 - the runner's own

    def send(self, *words: object) -> None:
        """Answer."""
        data = "\0".join(map(str, words)).encode("utf-8", "backslashreplace")
        data = len(data).to_bytes(4, "little") + data
        while data:
            if self.socket is None:
                data = data[os.write(self._ends[1], data) :]
            else:
                data = data[self.socket.send(data) :]

    def close(self) -> None:
        """Close the channel."""
        if self.socket is None:
            for end in self._ends:
                os.close(end)
        else:
            self.socket.close()


def install(where: str) -> None:
    """Hold this interpreter when it is about to run its script.

    Args:
        where: the descriptor or, on Windows, the two handles of the runner's channel; and
            a word more where it is a server.
    """
    hooks = sys.path_hooks
    first: Any = hooks[0]
    make_server: Any = None
    where, _, forks = where.partition(" ")
    if forks:
        from python_runner_fork import (  # type: ignore[import-not-found]
            Server,
        )

        make_server = Server
        del sys.modules["python_runner_fork"]

    def held(path: str) -> Any:
        if path == sys.argv[0]:
            # In its place, not out of the list: somebody counts its entries just now.
            place = hooks.index(held)
            hooks[place] = first
            try:
                _hold(where, place, make_server)
            except BaseException:  # noqa: BLE001 - the script must not run by mistake
                os._exit(_UNEXPECTED)
        return first(path)

    hooks[0] = held


def _hold(where: str, place: int, make_server: Any) -> None:
    """Preload, wait, and return when the script is to run.

    Args:
        where: the runner's channel, see :func:`install`.
        place: of the hook that is called just now.
        make_server: of what forks the scripts; None where this process becomes one.
    """
    known = set(sys.modules)
    channel = _Channel(where)
    order, _ = channel.receive()
    for number in order["reserved"]:
        os.dup2(0, number)
    server = make_server(channel, place) if make_server else None
    _forget(known)
    isolated = sys.flags.isolated or getattr(sys.flags, "safe_path", False)
    folder = None if isolated else order["folder"]
    descriptors = _descriptors()
    working = os.getcwd()
    signals: Any = sys.modules.get("_signal")
    alarm = getattr(signals, "alarm", None)
    if alarm:
        # The runner has this limit too, but may be gone by then.
        alarm(order["limit"])
    problem = _preload(order["preload"], folder)
    if alarm:
        alarm(0)
    if problem:
        channel.send(*problem)
        channel.receive()  # the runner ends this process
    seen = _surroundings(folder, preloaded=bool(order["preload"]))

    def begin(channel: _Channel, go: Any, received: list[int]) -> None:
        try:
            same = seen == _surroundings(folder, preloaded=bool(order["preload"]))
            # What a module has changed when it was imported stays so.
            if same and os.getcwd() == working:
                os.chdir(go["cwd"])
        except OSError:
            same = False
        if not same:
            channel.send("stale")
            os._exit(0)
        _begin(channel, go, received)

    if server:
        reason = server.obstacle(descriptors)
        channel.send("ready" if reason is None else "unable", reason)
        server.serve(begin, folder)
    else:
        channel.send("ready", os.getpid())
        begin(channel, *channel.receive())


def _begin(channel: _Channel, go: Any, descriptors: list[int]) -> None:
    """Become the script's process."""
    if "handle" in go:
        descriptors = [channel.open_handle(go["handle"], os.O_WRONLY)]
    channel.send("started")
    channel.close()
    _place(descriptors, go["numbers"])
    finders: Any = list(sys.path_importer_cache.values())
    for finder in finders:
        if hasattr(finder, "invalidate_caches"):
            finder.invalidate_caches()


def _place(descriptors: list[int], numbers: list[int]) -> None:
    """Give each descriptor its number; the first one gets 1 and 2."""
    spare: list[int] = []
    above: list[int] = []
    for descriptor in descriptors:
        number = descriptor
        while number <= max(2, *numbers):
            spare.append(number)
            number = os.dup(number)
        above.append(number)
    for descriptor in spare:
        os.close(descriptor)
    for descriptor, number in zip(above, numbers):
        os.dup2(descriptor, number)
    os.dup2(above[0], 2)
    for descriptor in above:
        os.close(descriptor)


def _preload(names: list[str], folder: str | None) -> tuple[str, ...] | None:
    """Import modules as the script would; return what speaks against it, else None.

    What a module prints or warns of when it is imported belongs to the script that
    imports it.
    """
    if folder:
        sys.path.insert(0, folder)
    try:
        for name in names:
            try:
                # As the script does it: __main__ is shown more warnings than modules are.
                code = compile("import " + name, "<preload>", "exec")
                exec(code, {"__name__": "__main__"})
            except BaseException as error:  # noqa: BLE001
                return "failed", name, f"{type(error).__name__}: {error}"
            for stream in (sys.stdout, sys.stderr):
                if stream is not None:
                    stream.flush()
            if os.fstat(1).st_size:
                return "printed", name
    finally:
        if folder and folder in sys.path:
            sys.path.remove(folder)
        if folder:
            sys.path_importer_cache.pop(folder, None)
    return None


def _surroundings(folder: str | None, *, preloaded: bool) -> list[Any]:
    """Return what imports depend on, to be compared: files that appear or change."""
    found: list[Any] = []
    own = []
    inside = {sys.prefix, sys.base_prefix}
    for path in sys.path:
        if os.path.basename(path) in _SITE:
            found.append((path, _stamp(path)))
        elif path and not _is_below(path, inside):
            own.append(path)
    if not preloaded:
        return found
    modules = {name.partition(".")[0] for name in sys.modules}
    for path in [folder, *own] if folder else own:
        try:
            names = {
                name.partition(".")[0]
                for name in os.listdir(path)
                if "." not in name or name.endswith(_SUFFIXES)
            }
        except OSError:
            names = set()
        found.append((path, sorted(names & modules)))
    for name, module in sorted(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and not _is_below(file, inside):
            found.append((name, _stamp(file)))
    return found


def _is_below(path: str, folders: set[str]) -> bool:
    return any(path.startswith(folder + os.sep) for folder in folders)


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def _descriptors() -> set[str]:
    try:
        return set(os.listdir("/proc/self/fd"))
    except OSError:
        return set()


def _forget(known: set[str]) -> None:
    """Let the modules that only this one needed be as if they had not been imported."""
    for name in set(sys.modules) - known:
        del sys.modules[name]
