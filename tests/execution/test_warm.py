"""A script sees no difference, and nobody else does, when its interpreter is started ahead."""

from __future__ import annotations

import pickle
import re
import shutil
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.execution.process import run_command
from python_runner.execution.stop import StopRequest
from python_runner.execution.warm import Held, WarmPool
from python_runner.model import Outcome
from tests.execution.test_process import LEAVES_CHILD, make_command, processes_of
from tests.execution.warm_scripts import EVERYWHERE, LINUX, MODULES, POSIX
from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from python_runner.model import Attempt, Command
    from python_runner.texts.sentence import Sentence

#: How a script is started ahead: by its own interpreter, or forked by a server.
WAYS = ["started", *(["forked"] if sys.platform == "linux" else [])]
#: Modules of which a fork has to put something in order.
PRELOADED = ("json", "logging", "threading", "random", "multiprocessing.process")
SCRIPTS = {
    **EVERYWHERE,
    **(POSIX if sys.platform != "win32" else {}),
    **(LINUX if sys.platform == "linux" else {}),
}
if sys.platform == "win32":
    # A start takes ten times as long there; all of them are compared elsewhere.
    SCRIPTS = dict(list(SCRIPTS.items())[::3])


@dataclass(eq=False)
class Watched(WarmPool):
    """A pool that remembers which interpreters it has given away."""

    given: list[Held | None] = field(default_factory=list)

    def take(self, command: Command) -> Held | None:
        """Remember what is taken."""
        self.given.append(super().take(command))
        return self.given[-1]


@contextmanager
def pool_of(
    commands: Sequence[Command], preload: Sequence[str] = (), **changes: Any
) -> Iterator[Watched]:
    """Give a pool that serves commands; nothing of it is left afterwards."""
    told: list[Sentence] = []
    values: dict[str, Any] = {"lanes": 1, "warn": told.append, "stop": StopRequest()}
    pool = Watched(preload=tuple(preload), **(values | changes))
    pool.start(commands[0])
    try:
        yield pool
    finally:
        pool.close()


def run_all(commands: Sequence[Command], way: str) -> list[Attempt]:
    """Run commands one after the other; each is started ahead, none falls back."""
    if way == "cold":
        return [run_command(command) for command in commands]
    attempts = []
    with pool_of(commands, PRELOADED if way == "forked" else ()) as pool:
        for number, command in enumerate(commands):
            pool.prepare(commands[number : number + 1])
            attempts.append(run_command(command, warm=pool))
        for command, held in zip(commands, pool.given, strict=True):
            assert held is not None, command.argv
            assert held.taken, command.argv
    return attempts


@dataclass(frozen=True)
class Seen:
    """What came of a script: all that anybody can know of it but times and sizes."""

    output: str
    outcome: str
    exit_code: int | None
    reason: str
    traceback: str
    warnings: tuple[str, ...]
    files: dict[str, bytes]


def files_of(folder: Path) -> dict[str, bytes]:
    """Return the files of a folder but for outputs and caches."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
        and path.suffix not in {".log", ".pyc"}
        and path.relative_to(folder).as_posix()
        not in {f"see-{name}.py" for name in SCRIPTS}
    }


@pytest.fixture(scope="module")
def seen(
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str, str], tuple[Seen, Seen]]:
    """Return a function that tells what came of a script, cold and in another way.

    The folder has the same path each time: scripts print it.
    """
    folder = tmp_path_factory.mktemp("warm") / "project"
    known: dict[str, dict[str, Seen]] = {}

    def run(way: str) -> dict[str, Seen]:
        if way not in known:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            for name, text in MODULES.items():
                (folder / name).write_text(text)
            commands = []
            for name, text in SCRIPTS.items():
                script = folder / f"see-{name}.py"
                coding = "latin-1" if name == "coding" else "utf-8"
                script.write_text(text, encoding=coding, newline="\n")
                output = str(folder / f"{name}.log")
                commands.append(script_command(folder, script, output=output))
            attempts = run_all(commands, way)
            files = files_of(folder)
            known[way] = {
                name: Seen(
                    settled((folder / f"{name}.log").read_text("utf-8", "replace")),
                    attempt.outcome.value,
                    attempt.exit_code,
                    str(attempt.reason),
                    settled(str(attempt.traceback)),
                    tuple(map(str, attempt.warnings)),
                    files,
                )
                for name, attempt in zip(SCRIPTS, attempts, strict=True)
            }
        return known[way]

    return lambda way, name: (run("cold")[name], run(way)[name])


def script_command(folder: Path, script: Path, **changes: Any) -> Command:
    """Return the command of a script as a run makes it."""
    plain = make_command(folder)
    # What changes from test to test.
    ours = {"PYTEST_CURRENT_TEST", "PYTHON_RUNNER_HOME"}
    env = {k: v for k, v in plain.env.items() if k not in ours}
    values = {
        "argv": (sys.executable, str(script), "one", "two words"),
        "flags": plain.argv[1:],
        "env": env,
    }
    return make_command(folder, **(values | changes))


def settled(text: str) -> str:
    """Return an output without what differs from process to process."""
    text = re.sub(r"0x[0-9a-fA-F]+", "0x", text)
    return re.sub(r"(Thread|thread) 0x \(most recent", r"\1 (most recent", text)


@pytest.mark.slow
@pytest.mark.together
@pytest.mark.parametrize("name", SCRIPTS)
@pytest.mark.parametrize("way", WAYS)
def test_a_script_sees_no_difference(
    way: str, name: str, seen: Callable[[str, str], tuple[Seen, Seen]]
) -> None:
    """Its output, its end and the files that it makes are the same."""
    cold, warm = seen(way, name)

    assert warm == cold


# -- the end of scripts, and what they leave -------------------------------------------


#: A script with a bad end, how it is run, and what is expected of it.
BAD_ENDS: dict[str, tuple[str, dict[str, Any], Outcome]] = {
    "too long": ("import time; time.sleep(600)", {"timeout": 0.5}, Outcome.TIMEOUT),
    "deaf": (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(600)",
        {"timeout": 0.5, "grace": 0.2},
        Outcome.TIMEOUT,
    ),
    "leaves a child": (LEAVES_CHILD, {}, Outcome.SUCCESS),
    "is killed": (
        "import os, signal, sys\nif sys.platform == 'win32':\n    os._exit(3)\nos.kill(os.getpid(), signal.SIGKILL)",
        {},
        Outcome.FAILURE,
    ),
}
if sys.platform != "win32":
    BAD_ENDS["leaves a fork"] = (
        "import os, time\nif os.fork() == 0:\n    os.setsid(); os.closerange(0, 99); time.sleep(600)",
        {},
        Outcome.SUCCESS,
    )


@pytest.mark.parametrize("bad", BAD_ENDS)
@pytest.mark.parametrize("way", ["cold", *WAYS])
def test_a_bad_end_is_told_and_nothing_is_left(
    way: str, bad: str, tmp_path: Path
) -> None:
    """Time-outs, stops and what is left behind, as for scripts that start as always."""
    text, changes, expected = BAD_ENDS[bad]
    command = written(tmp_path, text, **changes)

    (attempt,) = run_all([command], way)

    assert attempt.outcome is expected
    assert bool(attempt.warnings) is bad.startswith("leaves")
    assert attempt.cpu_seconds is not None
    assert processes_of(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="wine counts neither")
@pytest.mark.parametrize("way", ["cold", *WAYS])
def test_usage_is_that_of_the_script_alone(way: str, tmp_path: Path) -> None:
    """Neither a server's nor another script's is counted."""
    busy = written(
        tmp_path,
        "import time\nx = bytearray(80_000_000)\nwhile time.process_time() < 0.4: pass",
        name="busy",
    )
    idle = written(tmp_path, "pass", name="idle")

    first, second = run_all([busy, idle], way)

    assert first.peak_memory is not None
    assert first.cpu_seconds is not None
    assert second.cpu_seconds is not None
    assert first.peak_memory > 80_000_000
    assert first.cpu_seconds >= 0.3
    assert second.cpu_seconds < first.cpu_seconds
    if way == "forked":
        assert second.peak_memory is not None
        assert second.peak_memory < 80_000_000


# -- what does not wait -----------------------------------------------------------------


def written(folder: Path, text: str, name: str = "main", **changes: Any) -> Command:
    """Write a script, and return its command."""
    script = folder / f"{name}.py"
    script.write_text(text, encoding="utf-8")
    return script_command(folder, script, output=str(folder / f"{name}.log"), **changes)


MODULES_THAT_FAIL = {
    "no_such_module": ("", "no_such_module cannot be imported: ModuleNotFoundError"),
    "raises": (
        "1 / 0",
        "raises cannot be imported: ZeroDivisionError: division by zero",
    ),
    "leaves": ("import sys; sys.exit(3)", "leaves cannot be imported: SystemExit: 3"),
    "dies": ("import os; os._exit(3)", "ended"),
    "prints": ("print('hello')", "prints prints when it is imported"),
    "warns": (
        "import warnings; warnings.warn('old')",
        "warns prints when it is imported",
    ),
    "hangs": ("import time; time.sleep(600)", "importing hangs takes more than 1 s"),
}


@pytest.mark.parametrize("module", MODULES_THAT_FAIL)
@pytest.mark.parametrize("way", WAYS)
def test_a_preload_that_fails_is_told_once_and_scripts_start_as_always(
    way: str, module: str, tmp_path: Path
) -> None:
    """Each of the scripts runs, once."""
    text, expected = MODULES_THAT_FAIL[module]
    if text:
        (tmp_path / f"{module}.py").write_text(text)
    commands = [written(tmp_path, "print('ran')", f"s{n}") for n in range(3)]
    if way == "started":
        # Where no server forks: the first has another environment than the others.
        other = {**commands[0].env, "OTHER": "1"}
        commands[1:] = [replace(command, env=other) for command in commands[1:]]
        commands[0] = replace(commands[0], argv=(sys.executable, str(tmp_path)))
    told: list[Sentence] = []

    with pool_of(
        commands, [module], warn=told.append, limit=1.0 if module == "hangs" else 30.0
    ) as pool:
        for number, command in enumerate(commands):
            pool.prepare(commands[number:])
            attempt = run_command(command, warm=pool)
            if command.argv[1].endswith(".py"):
                assert attempt.outcome is Outcome.SUCCESS

    assert len(told) == 1
    assert expected in str(told[0])
    assert processes_of(tmp_path) == []
    for number in range(1, 3):
        assert (tmp_path / f"s{number}.log").read_text().split() == ["ran"]


@pytest.mark.skipif("forked" not in WAYS, reason="there is no fork")
def test_scripts_run_on_when_their_server_is_killed(tmp_path: Path) -> None:
    """The one that runs is not concerned; the next one starts as always."""
    commands = [written(tmp_path, "print('ran')", f"s{n}") for n in range(3)]
    told: list[Sentence] = []
    with pool_of(commands, PRELOADED, warn=told.append) as pool:
        assert run_command(commands[0], warm=pool).outcome is Outcome.SUCCESS
        (server,) = (
            p for p in processes_of(tmp_path) if "no-script" in p.cmdline()[-1]
        )
        server.kill()
        for command in commands[1:]:
            assert run_command(command, warm=pool).outcome is Outcome.SUCCESS

    assert ["ended" in str(sentence) for sentence in told] == [True]


@pytest.mark.parametrize("way", WAYS)
def test_an_idle_interpreter_ends_with_its_runner(way: str, tmp_path: Path) -> None:
    """Also when the runner is killed: nothing has to be done about it."""
    command = written(tmp_path, "print('ran')")
    runner = textwrap.dedent(f"""
        import os, pickle, sys, time
        from python_runner.execution.stop import StopRequest
        from python_runner.execution.warm import WarmPool
        command = pickle.loads({pickle.dumps(command)!r})
        pool = WarmPool({PRELOADED if way == "forked" else ()!r}, 1, print, StopRequest())
        pool.start(command)
        while not pool.trusted:
            pool.prepare([command])
            time.sleep(0.01)
        pool.prepare([command])
        os._exit(0)
    """)
    subprocess.run([sys.executable, "-c", runner], check=True, timeout=60)

    wait_until(lambda: not processes_of(tmp_path))
    assert not (tmp_path / "main.log").exists()


def test_an_interpreter_that_cannot_be_started_is_not_held(tmp_path: Path) -> None:
    """The script itself says why; nothing of the attempt to hold it is left."""
    command = written(tmp_path, "print('ran')")
    command = replace(command, argv=(str(tmp_path / "none.exe"), *command.argv[1:]))
    with pool_of([command]) as pool:
        pool.prepare([command])
        assert pool.trusted is False
        assert run_command(command, warm=pool).outcome is Outcome.NOT_STARTED
    assert processes_of(tmp_path) == []


@pytest.mark.parametrize("flag", ["-I", "-E", "-S"])
def test_an_interpreter_that_cannot_be_held_starts_no_script_early(
    flag: str, tmp_path: Path
) -> None:
    """It is told once."""
    commands = [
        replace(written(tmp_path, "print('ran')", f"s{n}"), flags=(flag,))
        for n in range(3)
    ]
    told: list[Sentence] = []
    with pool_of(commands, warn=told.append) as pool:
        pool.prepare(commands)
        pool.prepare(commands)
        assert not list(tmp_path.glob("*.log"))
        for command in commands:
            assert run_command(command, warm=pool).outcome is Outcome.SUCCESS

    assert list(map(str, told)) == [
        '"warm" has no effect: this interpreter cannot be held'
    ]
    assert [(tmp_path / f"s{n}.log").read_text().split() for n in range(3)] == [
        ["ran"]
    ] * 3


@pytest.mark.parametrize("way", WAYS)
def test_a_script_that_is_changed_while_its_interpreter_waits_runs_as_it_is(
    way: str, tmp_path: Path
) -> None:
    """It is read when it begins."""
    first = written(tmp_path, "print('x')", "first")
    command = written(tmp_path, "print('old')")
    with pool_of([first], PRELOADED if way == "forked" else ()) as pool:
        run_command(first, warm=pool)
        pool.prepare([command])
        written(tmp_path, "print('new')")
        run_command(command, warm=pool)

    assert (tmp_path / "main.log").read_text().split() == ["new"]


@pytest.mark.parametrize("way", WAYS)
def test_a_preloaded_module_that_changes_is_imported_anew(
    way: str, tmp_path: Path
) -> None:
    """A script that an earlier one has written for is not given the old module."""
    (tmp_path / "rates.py").write_text("RATE = 1")
    show = "import rates; print(rates.RATE)"
    commands = [written(tmp_path, show, f"s{n}") for n in range(3)]
    if way == "started":
        commands = [
            replace(c, env={**c.env, "N": str(n)}) for n, c in enumerate(commands)
        ]
    with pool_of(commands, ["rates"]) as pool:
        for number, command in enumerate(commands):
            while not pool.trusted:
                pool.prepare([command])
            pool.prepare([command])
            if number:
                (tmp_path / "rates.py").write_text(f"RATE = {(number + 1) * '1'}")
            run_command(command, warm=pool)

    found = [(tmp_path / f"s{n}.log").read_text().split() for n in range(3)]
    assert found == [["1"], ["11"], ["111"]]


def test_each_script_draws_its_own_random_numbers(tmp_path: Path) -> None:
    """The module's own; and texts hash alike in no two runs."""
    draw = "import random; print(random.random())\nimport multiprocessing as m; print(m.current_process().authkey.hex())"
    commands = [written(tmp_path, draw, f"s{n}") for n in range(3)]
    for way in WAYS:
        run_all(commands, way)
        drawn = [(tmp_path / f"s{n}.log").read_text() for n in range(3)]
        assert len(set("".join(drawn).split())) == len("".join(drawn).split())


KEEPS = {
    "threads": "import threading, time\nthreading.Thread(target=time.sleep, args=(99,), daemon=True).start()",
    "files": "file = open(__file__)",
    "children": "import subprocess, sys\nsubprocess.Popen([sys.executable, '-c', 'import time; time.sleep(9)'])",
    "random numbers": "import random\nown = random.Random()",
}


@pytest.mark.skipif("forked" not in WAYS, reason="there is no fork")
@pytest.mark.parametrize("what", KEEPS)
def test_what_scripts_would_share_is_a_reason_not_to_fork(
    what: str, tmp_path: Path
) -> None:
    """Each script gets an interpreter of its own that has imported the module."""
    (tmp_path / "keeps.py").write_text(KEEPS[what])
    commands = [
        written(tmp_path, "import keeps, os; print(os.getpid())", f"s{n}")
        for n in range(2)
    ]
    with pool_of(commands, ["keeps"]) as pool:
        while pool.trusted is None:
            pool.prepare([])
        assert pool.trusted
        assert not pool.forks
        pool.prepare(commands[:1])
        held = pool.take(commands[0])
        assert held is not None
        held.end()
