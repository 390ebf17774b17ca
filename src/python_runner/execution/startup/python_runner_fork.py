"""Forks a process for each script; runs inside of an interpreter that has none (Linux).

``python_runner_hold`` imports this module in an interpreter that the runner has started as
a server. A forked process runs its script by the same function of Python's that runs any
script, without a Python frame below, and the runner adopts it as its own child.

The Python may be of any version from 3.8 on.
"""

# Every further module would have to be imported.
# ruff: noqa: PLC0415, PLR0911, PTH123, PTH208, SLF001

from __future__ import annotations

import os
import sys


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

#: The functions of POSIX, which the type checker does not know everywhere.
_posix: Any = os
#: Exit code where something unexpected happens; nobody is told of it.
_UNEXPECTED = 70
_MARKER = b"PYTHON_RUNNER_TASK="
_HOLD = b"PYTHON_RUNNER_HOLD="
#: prctl(PR_SET_MM, PR_SET_MM_MAP, ...).
_PR_SET_MM = 35
_PR_SET_MM_MAP = 14


class Server:
    """Forks a process for each script (Linux)."""

    def __init__(self, channel: Any, place: int) -> None:
        """Prepare what a script is run with, which needs modules of its own."""
        import _ctypes
        import gc

        self._gc = gc
        self._channel = channel
        self._hook = place + 1
        types: Any = _ctypes

        class Int(types._SimpleCData):  # type: ignore[misc]
            _type_ = "i"

        class Word(types._SimpleCData):  # type: ignore[misc]
            _type_ = "L"

        class Bytes(types._SimpleCData):  # type: ignore[misc]
            _type_ = "z"

        class Pointer(types._SimpleCData):  # type: ignore[misc]
            _type_ = "P"

        class Python(types.CFuncPtr):  # type: ignore[misc]
            _flags_ = types.FUNCFLAG_CDECL | types.FUNCFLAG_PYTHONAPI
            _restype_ = Int

        class Library(types.CFuncPtr):  # type: ignore[misc]
            _flags_ = types.FUNCFLAG_CDECL
            _restype_ = Word

        handle = types.dlopen(None, 0)

        def function(kind: Any, name: str, *arguments: Any) -> Any:
            found = kind(types.dlsym(handle, name))
            found.argtypes = arguments
            return found

        self._run = function(Python, "PyRun_AnyFileEx", Pointer, Bytes, Int)
        self._exit = function(Python, "Py_Exit", Int)
        self._fopen = function(Library, "fopen", Bytes, Bytes)
        self._sbrk = function(Library, "sbrk", Word)
        self._malloc = function(Library, "malloc", Word)
        self._memcpy = function(Library, "memcpy", Pointer, Bytes, Word)
        self._prctl = function(Library, "prctl", Int, Word, Bytes, Word, Word)
        with open("/proc/self/environ", "rb") as file:
            self._environment = [
                variable
                for variable in file.read().split(b"\0")[:-1]
                if not variable.startswith((_MARKER, _HOLD))
            ]
        with open("/proc/self/cmdline", "rb") as file:
            self._arguments = file.read().split(b"\0")[:-1]

    def obstacle(self, descriptors: set[str]) -> str | None:
        """Say why no process that runs a script should be forked; None if it may be.

        Args:
            descriptors: those that were open before anything was imported.
        """
        import _thread

        if _thread._count():
            return "threads"
        if set(os.listdir("/proc/self/fd")) - descriptors:
            # Its position would be one for all scripts.
            return "files"
        pid = os.getpid()
        with open(f"/proc/self/task/{pid}/children") as file:
            if file.read():
                return "children"
        if self._owns_random():
            return "random numbers"
        if not self._show(self._arguments, self._environment):
            return "command line"
        # Libraries with threads may well end them for a fork, and start them again.
        if _posix.fork() == 0:
            os._exit(0)
        _posix.wait()
        if len(os.listdir("/proc/self/task")) > 1:
            return "threads"
        return None

    def _owns_random(self) -> bool:
        """Say whether a module has drawn random numbers that each script would get."""
        random = sys.modules.get("random")
        numpy = sys.modules.get("numpy.random")
        known = [
            getattr(random, "_inst", None),
            getattr(getattr(numpy, "mtrand", None), "_rand", None),
        ]
        kinds = tuple(
            kind
            for module in (random, numpy)
            for name in ("Random", "Generator", "RandomState")
            if isinstance(kind := getattr(module, name, None), type)
        )
        system = getattr(random, "SystemRandom", ())
        return bool(kinds) and any(
            issubclass(type(found), kinds)
            and not issubclass(type(found), system)
            and not any(found is one for one in known)
            for found in self._gc.get_objects()
        )

    def serve(self, begin: Callable[..., None], folder: str | None) -> None:
        """Let the interpreter go on to a hook that forks, and runs the scripts.

        Args:
            begin: makes the process the script's, with the channel and what came of it.
            folder: what a script has first in ``sys.path``, or None.
        """
        method: Any = type(self.serve)
        hooks = sys.path_hooks
        finder: Any = hooks[self._hook]
        files: list[bytes] = []

        def scripts() -> Iterator[int]:
            """Yield the open file of a script, in the process that was forked for it."""
            try:
                hooks[self._hook] = finder
                pointer = self._fork(begin, files)
            except BaseException:  # noqa: BLE001 - it is nobody's script yet
                os._exit(_UNEXPECTED)
            if folder:
                sys.path.insert(0, folder)
            yield pointer

        # Only functions written in C: the script has no Python frame below its own.
        runs = map(self._exit, map(_ended, map(self._run, scripts(), files, (1,))))
        hooks[self._hook] = method(dict.fromkeys, runs)

    def _fork(self, begin: Callable[..., None], files: list[bytes]) -> int:
        """Serve requests; return in the process that has become a script's."""
        while True:
            _, descriptors = self._channel.receive()
            waits, ends = os.pipe()
            between = _posix.fork()
            if between == 0:
                os.close(ends)
                # Its parent ends at once: the runner adopts it.
                if _posix.fork():
                    os._exit(0)
                self._channel.close()
                os.read(waits, 1)
                os.close(waits)
                return self._become_script(descriptors[0], begin, files)
            os.close(waits)
            os.waitpid(between, 0)
            os.close(ends)
            os.close(descriptors[0])

    def _become_script(
        self, number: int, begin: Callable[..., None], files: list[bytes]
    ) -> int:
        channel = type(self._channel)(str(number), type(self._channel.socket))
        channel.send("ready", os.getpid(), os.getppid())
        go, descriptors = channel.receive()
        script, *arguments = go["argv"]
        pointer = self._fopen(os.fsencode(script), b"rb")
        if not pointer:
            channel.send("stale")
            os._exit(0)
        _posix.setsid()
        null = os.open(os.devnull, os.O_RDWR)
        os.dup2(null, 0)
        os.close(null)
        line = [self._arguments[0], *map(os.fsencode, go["line"])]
        marker = os.fsencode("{}={}".format(*go["variable"]))
        self._show(line, [*self._environment, marker])
        os.environ[go["variable"][0]] = go["variable"][1]
        _renew()
        sys.path_importer_cache.pop(sys.argv[0], None)
        sys.argv[:] = [script, *arguments]
        if hasattr(sys, "orig_argv"):
            sys.orig_argv[1:] = go["line"]
        sys.path_importer_cache[script] = None  # type: ignore[assignment,unused-ignore]
        begin(channel, go, descriptors)
        files.append(os.fsencode(script))
        return int(pointer)

    def _show(self, arguments: list[bytes], environment: list[bytes]) -> bool:
        """Let the system show a command line and an environment for this process."""
        texts = [
            b"".join(text + b"\0" for text in one) for one in (arguments, environment)
        ]
        with open("/proc/self/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
        start = self._malloc(sum(map(len, texts)))
        self._memcpy(start, b"".join(texts), sum(map(len, texts)))
        middle, end = start + len(texts[0]), start + sum(map(len, texts))
        # struct prctl_mm_map; a field of /proc/self/stat has its number there, less three.
        words = [int(fields[number - 3]) for number in (26, 27, 45, 46, 47)]
        words += [self._sbrk(0), int(fields[28 - 3]), start, middle, middle, end, 0]
        layout = b"".join(word.to_bytes(8, sys.byteorder) for word in words)
        layout += (0).to_bytes(4, sys.byteorder) + b"\xff" * 4
        return bool(
            self._prctl(_PR_SET_MM, _PR_SET_MM_MAP, layout, len(layout), 0) == 0
        )


def _renew() -> None:
    """Draw anew what a fresh interpreter would draw; ``random`` does so by itself."""
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        numpy.seed()
    processes = sys.modules.get("multiprocessing.process")
    if processes is not None:
        key = processes.AuthenticationString(os.urandom(32))
        processes.current_process()._config["authkey"] = key
    threading = sys.modules.get("threading")
    if threading is not None:
        # Python itself forgets this one.
        threading.main_thread()._set_native_id()


def _ended(result: int) -> int:
    """Return the exit code of a script that has ended, by what ran it."""
    if result and getattr(sys, "last_type", None) is KeyboardInterrupt:
        _interrupted()
    return 1 if result else 0


def _interrupted() -> None:
    """End as Python ends by Ctrl-C: the signal, once all has been put in order."""
    signals: Any = __import__("_signal")
    import atexit

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    signals.signal(signals.SIGINT, signals.SIG_DFL)
    os.kill(os.getpid(), signals.SIGINT)
