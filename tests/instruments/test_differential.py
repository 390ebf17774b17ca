"""``run`` against plain ``python script.py``: a script must not see a difference.

The same scripts run both ways in copies of one folder, with stdin and both streams
redirected as a scheduler does it. What is documented to differ stands in `OURS` and
`DIFFERS`; the rest is equal, byte by byte. CPython's own tests are scripts as well:
they know better than we what a program relies on.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pytest

from tests.instruments.cases import LONG
from tests.instruments.world import (
    known,
    make_locale,
    missing,
    plain_environment,
)


if sys.platform != "win32":
    import resource

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.instrument,
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform != "linux", reason="scripts read Linux' /proc"),
    pytest.mark.timeout(1800 if LONG else 300),
]

#: Variables that a script gets from Python Runner.
OURS = {
    "NO_COLOR",
    "PYTHON_COLORS",
    "PYTHON_RUNNER_RUN_ID",
    "PYTHON_RUNNER_TASK",
}
#: Facts that may differ, and why.
DIFFERS = {
    "environment": dict.fromkeys(OURS, "documented"),
    "options": {"x": "-X faulthandler"},
    "argv": {"orig": "-u -X faulthandler"},
    "streams": {
        "errors": "no character makes a print fail",
        "write_through": "-u",
    },
    "process": {
        "leads": "a script leads a group, to be ended whole",
        "session": "a script leads a session, to be ended whole",
    },
    "signals": dict.fromkeys(
        ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV"), "-X faulthandler"
    ),
    "status": {
        "SigCgt": "-X faulthandler",
        "SigQ": "signals that wait for anybody of the same user",
    },
    "descriptors": {"lock": "the project stays locked while a script of it lives"},
}
#: Points where a script is better off with us, and why.
BETTER_OFF = {
    "*:output-unencodable": "its own streams take every character",
    "odd:output-accents": "its own streams take every character",
    "odd:output-chained": "its own streams take every character",
}

TELL = """
import json, os, sys
def tell(**facts):
    with open(os.path.basename(__file__) + ".facts", "w") as file:
        json.dump(facts, file, sort_keys=True)
"""
#: Scripts that write down what they find, {name: source}.
FACTS = {
    "environment": "tell(**os.environ)",
    "flags": "tell(**{n: getattr(sys.flags, n) for n in dir(sys.flags)"
    " if n[0] != '_' and not callable(getattr(sys.flags, n))})",
    "options": "tell(warn=sys.warnoptions, x=dict(sys._xoptions), dev=sys.flags.dev_mode)",
    "argv": "tell(argv=sys.argv, orig=sys.orig_argv[1:], name=__name__, file=__file__)",
    "main": "tell(spec=str(__spec__), loader=type(__loader__).__name__,"
    " package=str(__package__), cached=str(globals().get('__cached__')))",
    "path": "tell(path=sys.path)",
    "folder": "tell(cwd=os.getcwd(), pwd=os.environ.get('PWD'), real=os.path.realpath('.'))",
    "umask": "mask = os.umask(0); tell(umask=mask)",
    "descriptors": """
fds = {}
for fd in os.listdir('/proc/self/fd'):
    try:
        fds[fd] = os.readlink(f'/proc/self/fd/{fd}')
    except OSError:
        pass
fds = {fd: path for fd, path in fds.items() if int(fd) > 2}
lock = [fds.pop(fd) for fd, path in list(fds.items()) if '/locks/' in path]
tell(extra=fds, lock=lock)
""",
    "stdin": "tell(read=sys.stdin.read(), isatty=sys.stdin.isatty(),"
    " null=os.path.samestat(os.fstat(0), os.stat(os.devnull)), closed=sys.stdin.closed)",
    "streams": "tell(out=sys.stdout.encoding, err=sys.stderr.encoding, inp=sys.stdin.encoding,"
    " errors=sys.stdout.errors, write_through=sys.stdout.write_through,"
    " tty=[s.isatty() for s in (sys.stdout, sys.stderr)],"
    " same=os.path.samestat(os.fstat(1), os.fstat(2)), newlines=str(sys.stdout.newlines),"
    " names=[s.name for s in (sys.stdin, sys.stdout, sys.stderr)])",
    "append": "import fcntl; tell(**{str(n): bool(fcntl.fcntl(n, fcntl.F_GETFL) &"
    " os.O_NONBLOCK) for n in (0, 1, 2)})",
    "signals": "import signal; tell(**{s.name: str(signal.getsignal(s))"
    " for s in signal.valid_signals() if isinstance(s, signal.Signals)})",
    "blocked": "import signal; tell(blocked=sorted(map(int,"
    " signal.pthread_sigmask(signal.SIG_BLOCK, []))))",
    "child-text": "import subprocess; tell(out=str(subprocess.run([sys.executable, '-c',"
    " 'import os; print(os.fsdecode(bytes([233])))'], capture_output=True).stdout))",
    "status": """
lines = open('/proc/self/status').read().splitlines()
tell(**dict(l.split(':', 1) for l in lines if l.startswith(('Sig', 'Shd', 'Cap', 'NoNew',
    'Seccomp:', 'Uid', 'Gid', 'Groups', 'Umask', 'Threads', 'Cpus_allowed:'))))
""",
    "limits": "import resource; tell(**{n: resource.getrlimit(getattr(resource, n))"
    " for n in dir(resource) if n.startswith('RLIMIT_')})",
    "process": "tell(nice=os.nice(0), policy=os.sched_getscheduler(0),"
    " leads=os.getpgrp() == os.getpid(), session=os.getsid(0) == os.getpid(),"
    " oom=open('/proc/self/oom_score_adj').read())",
    "locale": "import locale; tell(pref=locale.getpreferredencoding(False),"
    " fs=sys.getfilesystemencoding(), loc=locale.setlocale(locale.LC_ALL, ''),"
    " err=sys.getfilesystemencodeerrors())",
    "interpreter": "import gc, threading; tell(exe=sys.executable, prefix=sys.prefix,"
    " base=sys.base_prefix, recursion=sys.getrecursionlimit(), gc=gc.get_threshold(),"
    " threads=threading.active_count(), switch=sys.getswitchinterval(),"
    " trace=str(sys.gettrace()), hooks=[str(sys.excepthook), str(sys.unraisablehook)])",
    "modules": "tell(ours=sorted(m for m in sys.modules if 'runner' in m))",
    "time": "import time; tell(zone=time.tzname, offset=time.timezone)",
    "home": "import tempfile; tell(home=os.path.expanduser('~'), tmp=tempfile.gettempdir())",
    "terminal": "import shutil; tell(size=list(shutil.get_terminal_size()))",
    "parallel": "import multiprocessing as m; tell(n=m.cpu_count(), how=m.get_start_method(),"
    " affinity=sorted(os.sched_getaffinity(0)))",
    "child-sees": "import subprocess; tell(out=subprocess.run([sys.executable, '-c',"
    " 'import os; print(os.getcwd(), os.isatty(0))'], capture_output=True, text=True).stdout)",
}
#: Scripts whose output and exit code are compared, {name: source}.
OUTPUTS = {
    "prints": "print('a line'); print('no end', end='')",
    "accents": "print('été à Noël, 50 €, ✅, \\U0001f600')",
    "bytes": "sys.stdout.buffer.write(bytes(range(256)))",
    "stderr": "sys.stderr.write('to stderr\\n')",
    "both": "for n in range(50):\n    print(n, flush=True)\n"
    "    print(-n, file=sys.stderr, flush=True)",
    "carriage-returns": "print('10 %\\r20 %\\r30 %\\r\\nend\\r', end='')",
    "control": "print('\\x1b[31mred\\x1b[0m \\x07 \\x00 \\x7f \\x0c')",
    "long-line": "print('x' * 200_000)",
    "many-lines": "print('\\n'.join(map(str, range(20_000))))",
    "empty": "",
    "descriptors-direct": "os.write(1, b'one'); os.write(2, b'two'); os.write(1, b'three')",
    "child-writes": "import subprocess; subprocess.run(['sh', '-c', 'echo out; echo err >&2'])",
    "exit-0": "sys.exit()",
    "exit-3": "sys.exit(3)",
    "exit-255": "sys.exit(-1)",
    "exit-256": "sys.exit(256)",
    "exit-text": "sys.exit('nothing to do')",
    "exit-none": "raise SystemExit(None)",
    "exit-object": "sys.exit([1, 2])",
    "os-exit": "print('kept', flush=True); os._exit(5)",
    "raises": "def f(n):\n    return 1 / n\nf(0)",
    "chained": "try:\n    {}['x']\nexcept KeyError as e:\n    raise ValueError('é') from e",
    "group": "raise ExceptionGroup('two', [ValueError(1), TypeError(2)])",
    "keyboard": "raise KeyboardInterrupt",
    "killed": "import signal; os.kill(os.getpid(), signal.SIGKILL)",
    "terminated": "import signal; os.kill(os.getpid(), signal.SIGTERM)",
    "alarm": "import signal, time; signal.alarm(1); time.sleep(10)",
    "broken-pipe": "import signal; os.kill(os.getpid(), signal.SIGPIPE); print('survived')",
    "atexit": "import atexit; atexit.register(print, 'at exit'); print('before')",
    "thread": "import threading; threading.Thread(target=print, args=('thread',)).start()",
    "fork": "pid = os.fork()\nif pid == 0:\n    print('child', flush=True); os._exit(0)\n"
    "os.waitpid(pid, 0); print('parent')",
    "warns": "import warnings; warnings.warn('old'); print('done')",
    "deprecated": "import ast; ast.Str" if sys.version_info < (3, 14) else "1",
    "logging": "import logging; logging.warning('careful'); logging.info('unseen')",
    "reads-stdin": "print(repr(sys.stdin.readline())); print(input())",
    "relative-file": "open('made.txt', 'w').write('x'); print(sorted(p for p in"
    " os.listdir('.') if p == 'made.txt'))",
    "own-module": "import helper; print(helper.WORD)",
    "reruns": "import subprocess; print(subprocess.run([sys.executable, 'helper.py'],"
    " capture_output=True).stdout)",
    "coding": "# -*- coding: latin-1 -*-\nprint(len('\\xe9'))",
    "syntax": "def broken(:\n    pass",
    "unencodable": "print('lone \\udce9')",
    "recursion": "def f(): f()\nf()",
    "assertion": "assert 1 == 2, 'not equal'",
    "isatty": "print(os.isatty(0), os.isatty(1), os.isatty(2))",
}
SCRIPTS = {f"fact-{name}": TELL + source for name, source in FACTS.items()} | {
    f"output-{name}": "import os, sys\n" * (name not in ("coding", "syntax")) + source
    for name, source in OUTPUTS.items()
}
#: How the scheduler stands that starts both: as plain as can be, and odd.
WORLDS = ("plain", "odd")
POINTS = [
    point
    for world in WORLDS
    for name in SCRIPTS
    if known(point := f"{world}:{name}", BETTER_OFF) is None
]


#: Three cheap tests of CPython that depend on what a process is started with.
QUICK_OWN = ("test_popen", "test_posixpath", "test_stat")
#: Tests whose classes are named one by one, and what is in the names of those that are
#: left out. VSOCK ends nowhere on a machine that shares it with its host. Without names,
#: test_runpy as a script meets the ``__main__`` of its own folder: all of CPython's tests.
BY_CLASS = {"test_socket": "VSOCK", "test_runpy": "-"}
#: Seconds for one of these tests, which wait for much.
OWN_SECONDS = 900
NAMES = """
import importlib, sys, unittest
module = importlib.import_module(f"test.{sys.argv[1]}")
names = unittest.TestLoader().getTestCaseNames
print(*(name for name, kind in sorted(vars(module).items()) if isinstance(kind, type)
    and issubclass(kind, unittest.TestCase) and names(kind) and sys.argv[2] not in name))
"""
#: What a run tells of one, and Python alone does not: the README says that a process
#: which outlives its script is stopped.
LEFT_BEHIND = {
    "test_subprocess": ["the script left process N (sleep 3) running; it was stopped"],
}
#: More of CPython's tests, for the long profile; each Python runs those that it has.
LONG_OWN = [
    "abc",
    "argparse",
    "array",
    "asyncgen",
    "atexit",
    "base64",
    "binascii",
    "binop",
    "bisect",
    "bool",
    "bufio",
    "bytes",
    "c_locale_coercion",
    "calendar",
    "cmath",
    "cmd_line",
    "cmd_line_script",
    "codecs",
    "collections",
    "configparser",
    "contextlib",
    "copy",
    "csv",
    "dataclasses",
    "deque",
    "dict",
    "dis",
    "enum",
    "enumerate",
    "eof",
    "exception_group",
    "faulthandler",
    "fcntl",
    "file",
    "fileinput",
    "fileio",
    "float",
    "fnmatch",
    "fork1",
    "fractions",
    "functools",
    "genericpath",
    "getopt",
    "getpass",
    "gettext",
    "glob",
    "grp",
    "hashlib",
    "heapq",
    "inspect",
    "int",
    "io",
    "iter",
    "itertools",
    "json",
    "largefile",
    "linecache",
    "locale",
    "logging",
    "mailbox",
    "math",
    "mimetypes",
    "mmap",
    "netrc",
    "ntpath",
    "openpty",
    "operator",
    "optparse",
    "os",
    "pathlib",
    "pickle",
    "pipes",
    "pkgutil",
    "platform",
    "plistlib",
    "poll",
    "popen",
    "posix",
    "posixpath",
    "pprint",
    "pty",
    "pwd",
    "py_compile",
    "queue",
    "random",
    "re",
    "resource",
    "runpy",
    "sched",
    "select",
    "selectors",
    "shelve",
    "shlex",
    "shutil",
    "signal",
    "site",
    "socket",
    "sqlite3",
    "stat",
    "statistics",
    "string",
    "struct",
    "subprocess",
    "sys",
    "sys_settrace",
    "syslog",
    "tarfile",
    "tempfile",
    "textwrap",
    "thread",
    "threading",
    "threadsignals",
    "time",
    "timeit",
    "tokenize",
    "traceback",
    "tty",
    "types",
    "unicodedata",
    "utf8_mode",
    "uuid",
    "wait3",
    "wait4",
    "warnings",
    "wave",
    "weakref",
    "xmlrpc",
    "zipfile",
    "zipimport",
]
PYTHONS_OWN = [
    f"cpython:{name}"
    for name in dict.fromkeys(
        (*QUICK_OWN, *(f"test_{name}" for name in LONG_OWN)) if LONG else QUICK_OWN
    )
]


@dataclass(frozen=True)
class Ended:
    """How a script ended: its output, its exit code, and what it wrote down."""

    output: bytes
    exit_code: int
    facts: dict[str, Any] | None


def odd_process() -> None:
    """Make the process odd that starts everything."""
    if sys.platform != "win32":
        os.umask(0o027)
        os.nice(3)
        signal.signal(signal.SIGUSR1, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2])
        resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def start(
    argv: list[str],
    folder: Path,
    world: str,
    output: Path,
    errors: IO[bytes] | None = None,
    *,
    seconds: float = 240,
) -> subprocess.CompletedProcess[bytes]:
    """Start a program as the scheduler of a world does."""
    environment = plain_environment(folder.parent) | {"SECRET_OF_MINE": "swordfish"}
    if world == "odd":
        environment |= {
            "TZ": "Pacific/Chatham",
            "LC_ALL": "C",
            "PYTHONUTF8": "0",
            "PYTHONWARNINGS": "always",
            "PYTHONHASHSEED": "7",
            "COLUMNS": "40",
            "PWD": "/somewhere",
            "EMPTY": "",
            "LINES\nIN NAME": "a\nb",
        }
    if world == "latin-1":
        locales = str(folder.parent / "locales")
        environment |= {"LC_ALL": "fr_FR.ISO-8859-1", "LOCPATH": locales}
    with output.open("wb") as file:
        return subprocess.run(
            argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=errors or file,
            timeout=seconds,
            check=False,
            preexec_fn=odd_process if world == "odd" else None,
        )


def make_folder(folder: Path) -> Path:
    """Make the folder in which everything runs, with the scripts."""
    folder.mkdir(parents=True)
    for name, source in SCRIPTS.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    (folder / "helper.py").write_text("WORD = 'found'\nprint('helper')\n")
    return folder


def facts_of(folder: Path, name: str) -> dict[str, Any] | None:
    """Return what a script wrote down."""
    file = folder / f"{name}.py.facts"
    facts: dict[str, Any] | None = None
    if file.exists():
        facts = json.loads(file.read_text())
        for key in DIFFERS.get(name.removeprefix("fact-"), ()):
            facts.pop(key, None)
    return facts


def all_plainly(folder: Path, world: str, names: list[str]) -> dict[str, Ended]:
    """Run each script by Python alone."""
    ended = {}
    for name in names:
        output = folder.parent / f"{name}.output"
        # Scripts are started by their path, in both ways.
        argv = [sys.executable, str(folder / f"{name}.py")]
        done = start(argv, folder, world, output)
        ended[name] = Ended(
            output.read_bytes(), done.returncode, facts_of(folder, name)
        )
    return ended


def all_by_us(folder: Path, world: str, names: list[str]) -> dict[str, Ended]:
    """Run scripts as one series."""
    configure(folder, [f"{name}.py" for name in names])
    document = run_project(folder, world)
    return {
        name: Ended(
            Path(script["output"]).read_bytes(),
            script["exit_code"],
            facts_of(folder, name),
        )
        for name, script in zip(names, document["scripts"], strict=True)
    }


def configure(folder: Path, scripts: list[Any], **options: Any) -> None:
    """Write a configuration."""
    values = {
        "scripts": scripts,
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    (folder / "exec_config.json").write_text(json.dumps(values | options))


def run_project(folder: Path, world: str, seconds: float = 240) -> dict[str, Any]:
    """Run a project and return its part of the document."""
    output = folder.parent / "document.json"
    argv = [sys.executable, "-m", "python_runner", "run", "--json", str(folder)]
    with (folder.parent / "progress").open("wb") as progress:
        start(argv, folder, world, output, progress, seconds=seconds)
    document: dict[str, Any] = json.loads(output.read_bytes())["runs"][0]
    return document


Both = tuple[dict[str, Ended], dict[str, Ended]]
#: Scripts that run in one series: few, so that several workers share the work.
CHUNK = 12


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, str], Both]:
    """Return a function that runs a script and its neighbours both ways.

    The folder has the same path both times: scripts print it.
    """
    seen: dict[tuple[str, int], Both] = {}
    order = list(SCRIPTS)

    def run(world: str, name: str) -> Both:
        chunk = order.index(name) // CHUNK
        if (world, chunk) not in seen:
            names = order[chunk * CHUNK : (chunk + 1) * CHUNK]
            folder = tmp_path_factory.mktemp(world) / "project"
            plainly = all_plainly(make_folder(folder), world, names)
            shutil.rmtree(folder)
            by_us = all_by_us(make_folder(folder), world, names)
            seen[world, chunk] = plainly, by_us
        return seen[world, chunk]

    return run


@pytest.mark.sampled(4)
@pytest.mark.together
@pytest.mark.parametrize("point", POINTS)
def test_a_script_sees_no_difference(
    point: str, both: Callable[[str, str], Both]
) -> None:
    """The output, the exit code and all that a script can ask for are the same."""
    world, name = point.split(":")
    plainly, by_us = (ended[name] for ended in both(world, name))

    assert by_us.exit_code == plainly.exit_code
    assert by_us.facts == plainly.facts
    assert by_us.output == plainly.output


#: A script that exchanges text with another one, as its locale writes it.
PARENT = """
import subprocess, sys
out = subprocess.run([sys.executable, "child.py"], capture_output=True, text=True).stdout
open("clients.txt", "w").write(out)
ask = [sys.executable, "-c", "import sys; print(ascii(sys.stdin.read()), sys.stdout.errors)"]
done = subprocess.run(ask, input="\xe9t\xe9", capture_output=True, text=True)
refused = subprocess.run([sys.executable, "-c", "print(chr(0x2705))"], capture_output=True)
print(ascii(out), done.stdout, refused.returncode, sys.stdout.encoding)
print("Soci\xe9t\xe9")
"""


def test_scripts_of_a_latin_1_locale_understand_each_other(tmp_path: Path) -> None:
    """Text that passes between scripts and into files is the same, byte by byte.

    The output is put away in UTF-8, with what Python alone had to refuse.
    """
    make_locale(tmp_path / "locales")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "parent.py").write_text(PARENT, encoding="utf-8")
    (folder / "child.py").write_text("print('Soci\xe9t\xe9')", encoding="utf-8")
    (folder / "emoji.py").write_text("print('\u2705 \xe9')", encoding="utf-8")
    output = tmp_path / "output"
    start([sys.executable, "parent.py"], folder, "latin-1", output)
    clients = (folder / "clients.txt").read_bytes()
    (folder / "clients.txt").unlink()
    configure(folder, ["parent.py", "emoji.py"])

    parent, emoji = run_project(folder, "latin-1")["scripts"]

    assert parent["success"]
    assert emoji["success"]
    assert (
        clients
        == (folder / "clients.txt").read_bytes()
        == "Société\n".encode("latin-1")
    )
    plain = output.read_bytes().decode("latin-1")
    assert "iso8859-1" in plain.lower()
    assert Path(parent["output"]).read_text(encoding="utf-8") == plain
    assert Path(emoji["output"]).read_text(encoding="utf-8") == "\\u2705 é\n"


def summary(output: str) -> list[str]:
    """Return what unittest says at the end of its output, without times."""
    return re.findall(
        r"^(?:Ran \d+ tests?|OK.*|FAILED.*|NO TESTS RAN.*)", output, re.MULTILINE
    )


def classes_of(name: str) -> list[str]:
    """Return the classes of one of CPython's tests that are run; none where it is all."""
    if name not in BY_CLASS:
        return []
    asked = [sys.executable, "-c", NAMES, name, BY_CLASS[name]]
    done = subprocess.run(asked, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.timeout(3 * OWN_SECONDS)
@pytest.mark.parametrize("point", PYTHONS_OWN)
def test_pythons_own_tests_end_the_same(point: str, tmp_path: Path) -> None:
    """A regression test of CPython passes, fails and skips what it does without us."""
    name = point.partition(":")[2]
    tests = importlib.util.find_spec("test")
    if tests is None or not tests.submodule_search_locations:
        missing("Python's package of its own tests")
        return
    script = Path(next(iter(tests.submodule_search_locations))) / f"{name}.py"
    if not script.exists():
        pytest.skip("this Python has no such test")
    folder = tmp_path / "project"
    folder.mkdir()
    output = tmp_path / "output"
    classes = classes_of(name)
    argv = [sys.executable, str(script), *classes]
    done = start(argv, folder, "plain", output, seconds=OWN_SECONDS)
    plainly = summary(output.read_text(errors="replace"))
    shutil.rmtree(folder)
    folder.mkdir()
    entry = {"path": str(script), "args": classes}
    configure(folder, [entry], output_limit="100MB")

    (result,) = run_project(folder, "plain", OWN_SECONDS)["scripts"]

    by_us = summary(Path(result["output"]).read_text(errors="replace"))
    assert (result["exit_code"], by_us) == (done.returncode, plainly)
    expected = LEFT_BEHIND.get(name, [])
    assert [
        re.sub(r"\d+", "N", said, count=1) for said in result["warnings"]
    ] == expected
