"""Interpreters that are started ahead of their scripts, and wait for them.

``start`` begins with one that has no script: it shows that this interpreter can be held,
and on Linux it forks further ones when it has imported what is to be preloaded. A script
that no waiting interpreter fits is started as always.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import suppress
from dataclasses import field, replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.execution.environment import STARTUP, python_version
from python_runner.execution.hold_channel import Channel
from python_runner.facts import dataclass
from python_runner.texts.sentence import N_, Sentence


if sys.platform == "win32":
    from python_runner.execution import held_windows as platform
else:
    from python_runner.execution import held_posix as platform

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.execution.stop import StopRequest
    from python_runner.model import Command, Interpreter

#: The oldest Python that can be held.
OLDEST = (3, 8)
#: Seconds that the modules may take to be imported.
PRELOAD_SECONDS = 60.0
#: Seconds in which an interpreter that is ready for its script begins with it.
_BEGINNING = 60.0
#: Seconds in which the first interpreter shows that it can be held.
_SHOWING = 5.0
#: A script that does not exist: nothing runs where an interpreter cannot be held.
_NO_SCRIPT = str(STARTUP / "no-script")
_ENDED = N_('scripts are started without "warm": a waiting interpreter ended')
#: Scripts that import like any other: a folder or an archive has modules of its own.
_PLAIN = frozenset({".py", ".pyw"})


@dataclass(slots=True, eq=False)
class Held:
    """An interpreter that waits for its script.

    Attributes:
        process: None until a server has told which process it has forked.
        taken: whether it has become a script's.
        stale: called when what it has imported has changed since.
    """

    channel: Channel
    process: platform.HeldProcess | None = None
    taken: bool = False
    _ended: bool = False
    stale: Callable[[], None] = lambda: None

    def begin(self, command: Command, output: int) -> platform.HeldProcess | None:
        """Let it run its script; None if it does not, and the script is to be started.

        Args:
            command: what it was started for.
            output: the descriptor for both its streams.
        """
        process = self.process
        if process is None:
            return None
        answer = None
        with suppress(OSError):
            process.go(self.channel, command, output)
            answer = self.channel.receive(_BEGINNING)
        if answer is None:
            # A script that has begun is never begun once more.
            process.kill()
            answer = self.channel.receive(0.0)
        if answer != ["started"]:
            self.end()
            if answer == ["stale"]:
                self.stale()
            return None
        self.taken = True
        self.channel.close()
        return process

    def end(self) -> None:
        """End it, unless it has become a script's."""
        if self.taken or self._ended:
            return
        self._ended = True
        with suppress(OSError):
            if self.process is not None:
                self.process.end()
        self.channel.close()


@dataclass(eq=False)
class WarmPool:
    """The waiting interpreters of one series; used by several threads.

    Attributes:
        preload: names of modules that they import.
        lanes: scripts that run at the same time, and so interpreters that wait.
        warn: is told, once, why scripts are started as always.
        limit: seconds that the modules may take to be imported.
        trusted: whether interpreters can be held; None until this is known.
        forks: whether a server forks them.
    """

    preload: tuple[str, ...]
    lanes: int
    warn: Callable[[Sentence], None]
    stop: StopRequest
    limit: float = PRELOAD_SECONDS
    #: The interpreter without a script; where it forks, the server.
    _first: Held | None = None
    #: What it was started with, and until when it may take.
    _model: Command | None = None
    _until: float = 0.0
    trusted: bool | None = None
    forks: bool = False
    #: Forked processes, which fit every script of the model's.
    _spares: list[Held] = field(default_factory=list)
    _prepared: dict[object, list[Held]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def start(self, model: Command) -> None:
        """Start the first interpreter, with what the first script will be started with."""
        with self._lock:
            self._start_first(model)

    def prepare(self, commands: Sequence[Command]) -> None:
        """Let interpreters wait for the next scripts, and end those of other scripts."""
        with self._lock:
            if not self._is_trusted(_SHOWING if not self.forks else 0.0):
                return
            wanted = list(commands[: self.lanes])
            forked = [command for command in wanted if self._forkable(command)]
            self._fork(len(forked) - len(self._spares))
            keys = [_key(command) for command in wanted if command not in forked]
            self._end_unwanted(set(keys))
            for command in wanted:
                key = _key(command)
                if command not in forked and len(
                    self._prepared.get(key, ())
                ) < keys.count(key):
                    with suppress(OSError, ValueError):
                        held = self._hold(command)
                        self._prepared.setdefault(key, []).append(held)

    def _end_unwanted(self, keys: set[object]) -> None:
        """End interpreters of scripts that were skipped.

        Scripts that have just begun are about to take theirs: only what is too many is
        ended, the oldest first.
        """
        unwanted = [key for key in self._prepared if key not in keys]
        for key in unwanted[: max(0, len(unwanted) - self.lanes)]:
            for held in self._prepared.pop(key):
                held.end()

    def take(self, command: Command) -> Held | None:
        """Return an interpreter that is ready for a script; None if there is none."""
        with self._lock:
            if self.trusted is False:
                return None
            prepared = self._prepared.get(_key(command))
            held = prepared.pop(0) if prepared else None
            if prepared == []:
                del self._prepared[_key(command)]
            if held is None and self._forkable(command):
                if not self._is_trusted(max(0.0, self._until - time.monotonic())):
                    return None
                # The server may have found that it must not fork.
                if self._forkable(command):
                    if not self._spares:
                        self._fork(1)
                    held = self._spares.pop(0) if self._spares else None
        if held is None:
            return None
        if self._await(held):
            return held
        held.end()
        return None

    def close(self) -> None:
        """End every interpreter that waits."""
        with self._lock:
            self._end_all()
            self.trusted = False

    def _end_all(self) -> None:
        for held in chain(self._spares, *self._prepared.values()):
            if held.process is None and (answer := held.channel.receive(_BEGINNING)):
                held.process = platform.adopt(answer)
            held.end()
        self._spares.clear()
        self._prepared.clear()
        if self._first is not None:
            self._first.end()
            self._first = None
        self.forks = False

    def _refuse(self, reason: Sentence) -> None:
        self.trusted = False
        self._end_all()
        self.warn(reason)

    def _start_first(self, model: Command) -> None:
        program, _script, *_ = model.argv
        self._model = model
        self.forks = bool(self.preload) and platform.FORKS and _is_plain(model)
        self.trusted = None
        self._until = time.monotonic() + self.limit
        try:
            self._first = self._hold(
                replace(model, argv=(program, _NO_SCRIPT)), forks=self.forks
            )
        except (OSError, ValueError):
            self.trusted = self.forks = False

    def _hold(self, command: Command, *, forks: bool = False) -> Held:
        """Start an interpreter.

        Raises:
            OSError: it cannot be started.
            ValueError: an argument or a variable cannot be passed to a program.
        """
        channel = Channel()
        try:
            held = Held(channel, platform.start(command, channel, forks=forks))
        except BaseException:
            channel.close()
            raise
        of_script = self._model if forks and self._model else command
        preload = self.preload if forks or _is_plain(command) else ()
        with suppress(OSError):
            channel.send(
                {
                    "preload": list(preload),
                    "folder": _folder(of_script) if preload else None,
                    "reserved": list(command.inherit),
                    "limit": int(self.limit) + 1,
                }
            )
        return held

    def _is_trusted(self, seconds: float) -> bool:
        """Say whether interpreters can be held; wait for the answer for some seconds."""
        if self.trusted is not None or self._first is None:
            return bool(self.trusted)
        answer = self._first.channel.receive(seconds, lambda: self.stop.requested)
        if answer is None and time.monotonic() < self._until:
            return False
        self._judge(answer)
        return bool(self.trusted)

    def _judge(self, answer: list[str] | None) -> None:
        first = self._first
        if answer and answer[0] in {"ready", "unable"}:
            self.trusted = True
            self.forks = self.forks and answer[0] == "ready"
            if not self.forks and first is not None:
                first.end()
                self._first = None
        elif self.stop.requested:
            self.trusted = False
        elif answer or self.forks:
            self._refuse(self._why_not(answer, self._until))
        else:
            template = N_('"warm" has no effect: this interpreter cannot be held')
            self._refuse(Sentence.of(template))

    def _await(self, held: Held) -> bool:
        """Wait until an interpreter is ready; say whether it is."""
        until = time.monotonic() + self.limit
        answer = held.channel.receive(self.limit, lambda: self.stop.requested)
        if answer and answer[0] == "ready":
            if held.process is None:
                held.process = platform.adopt(answer)
            elif sys.platform == "win32":
                held.process.interpreter = int(answer[1])
            return held.process is not None
        if not self.stop.requested:
            with self._lock:
                if self.trusted:
                    self._refuse(self._why_not(answer, until))
        return False

    def _why_not(self, answer: list[str] | None, until: float) -> Sentence:
        """Say why the modules could not be preloaded, by an interpreter's answer."""
        if answer and answer[0] == "failed":
            template = N_(
                'scripts are started without "preload": {module} cannot be imported: {error}'
            )
            return Sentence.of(template, module=answer[1], error=answer[2])
        if answer and answer[0] == "printed":
            template = N_(
                'scripts are started without "preload": {module} prints when it is imported'
            )
            return Sentence.of(template, module=answer[1])
        modules = ", ".join(self.preload)
        if time.monotonic() >= until:
            template = N_(
                'scripts are started without "preload": importing {modules} takes more than {seconds} s'
            )
            return Sentence.of(template, modules=modules, seconds=round(self.limit))
        return Sentence.of(_ENDED)

    def _forkable(self, command: Command) -> bool:
        """Say whether the server serves a script: it is like the model's but for names."""
        model = self._model
        return (
            self.forks
            and model is not None
            and _is_plain(command)
            and command.argv[0] == model.argv[0]
            and _surroundings(command) == _surroundings(model)
            and _folder(command) == _folder(model)
        )

    def _fork(self, count: int) -> None:
        """Have processes forked; the server may have ended."""
        for _ in range(count):
            if self._first is None:
                return
            channel = None
            try:
                channel = Channel()
                platform.request_fork(self._first.channel, channel)
            except OSError:
                if channel:
                    channel.close()
                self._refuse(Sentence.of(_ENDED))
                return
            self._spares.append(Held(channel, stale=self._restart))

    def _restart(self) -> None:
        """Let the modules be imported once more: a file of theirs has changed."""
        with self._lock:
            if self.trusted and self._model is not None:
                self._end_all()
                self._start_first(self._model)


def can_be_held(interpreter: Interpreter) -> bool:
    """Say whether an interpreter is a Python that can be held, by its version."""
    version = python_version(interpreter)
    return version is not None and version >= OLDEST


def _surroundings(command: Command) -> object:
    return command.flags, command.cwd, dict(command.env), command.inherit


def _key(command: Command) -> object:
    return (
        command.command_line,
        command.cwd,
        command.inherit,
        tuple(sorted(command.env.items())),
    )


def _is_plain(command: Command) -> bool:
    return Path(command.argv[1]).suffix.lower() in _PLAIN


def _folder(command: Command) -> str:
    """Return the folder that Python puts first into ``sys.path`` for a script."""
    return os.path.dirname(os.path.realpath(command.argv[1]))  # noqa: PTH120
