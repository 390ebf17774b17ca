"""What ``check`` accepts runs to its end, and is told: odd things beside a configuration."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.cases import LONG, asked_for


if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)

pytestmark = [pytest.mark.instrument, pytest.mark.posix]

#: Projects a process runs: it sends at most 30 mails a minute.
BATCH = 20
#: Seconds that one project may take, which is a script that prints a line.
PATIENCE = 10 if not LONG else 20
#: Bytes of memory that the runner may have.
MEMORY = 1_000_000_000
#: Files a project may hold, beside its script.
MAIN = "print('done')\n"


@dataclass
class Case:
    """One input: a configuration, and what lies beside it.

    Attributes:
        config: keys that differ from the plain configuration.
        env: content of the ``.env``; None for none.
        toml: content of the ``python-runner.toml``; None for none.
        project: name of the project's folder.
        beside: what the project holds: name and kind.
    """

    config: dict[str, Any] = field(default_factory=dict)
    env: bytes | None = None
    toml: str | None = None
    project: str = "p"
    beside: dict[str, str] = field(default_factory=dict)


ENVS: dict[str, bytes] = {
    "colon": b"MAIL_FROM: a@b.c\nX=1\n",
    "open-quote": b'X="abc\nY=2\n',
    "nul": b"X=a\0b\n",
    "nul-name": b"X\0=a\n",
    "utf-16": "X=é\n".encode("utf-16-le"),
    "latin-1": "X=é\n".encode("latin-1"),
    "empty": b"",
    "equals": b"=\n==\n",
    "export": b"export X='a'\n",
    "large": b"X=" + b"x" * 200_000 + b"\n",
    "port-0": b"SMTP_PORT=0\n",
    "port-5000-digits": b"SMTP_PORT=" + b"1" * 5000 + b"\n",
    "sender-comma": b"MAIL_FROM=Dupont, Jean <robot@example.org>\n",
    "home-nul": b"PYTHON_RUNNER_HOME_X=\0\n",
    "references": b"A=${B}\nB=${A}\n",
    "mail-dir-file": b"MAIL_DIR=/dev/null/x\n",
    "mail-dir-long": b"MAIL_DIR=/tmp/" + b"x" * 300 + b"\n",
    "ca-file-fifo": b"SMTP_CA_FILE=p/fifo\n",
    "password-only": b"PASSWORD_MAIL=x\n",
    "path": b"PATH=\n",
    "python": b"PYTHONHOME=/nowhere\nPYTHONPATH=/nowhere\n",
    "crlf": b"\xef\xbb\xbfX=1\r\nY=2\r\n",
    "language": b"LANGUAGE=xx\nLANG=yy\nLC_ALL=zz\n",
    "time-zone": b"TZ=Nowhere/None\n",
}
TOMLS = {
    "keep-1": "keep_days = 1",
    "keep-million": "keep_days = 1000000",
    "keep-2^63": "keep_days = 9223372036854775807",
    "keep-400-digits": "keep_days = " + "9" * 400,
    "keep-5000-digits": "keep_days = " + "9" * 5000,
    "keep-infinite": "keep_days = inf",
    "bracket": 'projects = ["p", "["]',
    "all": 'projects = ["*"]',
    "deep": 'projects = ["**"]',
    "twice": 'projects = ["p", "./p", "p"]',
    "fifo": 'projects = ["p/fifo", "p"]',
    "nul": 'projects = ["p\\u0000", "p"]',
    "300": f'projects = ["{"x" * 300}", "p"]',
    "loop": 'projects = ["p/loop", "p"]',
    "absolute-glob": 'projects = ["/*", "p"]',
    "timeout": "[defaults]\ntimeout = 1e308",
    "output-days": "[defaults]\noutput_keep_days = 9999999",
    "surrogate": 'projects = ["p\\ud800"]',
    "parent-glob": 'projects = ["../*/absent"]',
}
FOLDERS = {
    "bracket": "[a",
    "star": "a*b",
    "dash": "-x",
    "blanks": "  a  ",
    "line-break": "a\nb",
    "separator": "a - b",
    "escape": "a\x1b[31m",
    "not-utf-8": "a\udcffb",
    "200": "x" * 200,
    "255": "x" * 255,
    "accents": "é\u202eè",
    "dollar": "$HOME",
    "percent": "%s%(x)s{x}",
    "markup": "[red]x",
}
BESIDE = {
    "log-is-fifo": {"logs/p.log": "fifo"},
    "log-is-folder": {"logs/p.log/x": "empty"},
    "log-is-binary": {"logs/p.log": "binary"},
    "log-is-dead-link": {"logs/p.log": "loop"},
    "logs-is-file": {"logs": "empty"},
    "logs-is-fifo": {"logs": "fifo"},
    "runs-is-file": {"logs/runs": "empty"},
    "archive-is-fifo": {"logs/p.log.2024-11-28_09-25": "fifo"},
    "venv-is-file": {".venv": "empty"},
}


def beside() -> Iterator[tuple[str, Case]]:
    """Yield the cases of what lies beside the configuration."""
    for name, data in ENVS.items():
        yield f".env={name}", Case(env=data)
        path = data.decode("latin-1")
        if name in {"colon", "open-quote", "nul", "utf-16", "latin-1", "large"}:
            config = {"env_file": "other.env"}
            yield f"env_file={name}", Case(config, beside={"other.env": path})
    for name, text in TOMLS.items():
        whole = text if "projects" in text else f'projects = ["p"]\n{text}'
        yield f"toml={name}", Case(toml=whole)
    for name, folder in FOLDERS.items():
        yield f"project={name}", Case(project=folder)
    for name, things in BESIDE.items():
        yield f"beside={name}", Case(beside=things)


CASES: dict[str, Case] = {}


def _collect() -> None:
    CASES.update(beside())


_collect()


def make(folder: Path, case: Case) -> None:
    """Put a case on the disk."""
    project = folder / case.project
    project.mkdir(parents=True)
    (project / "folder").mkdir()
    things = {"fifo": "fifo", "loop": "loop", "empty": "empty", "binary": "binary"}
    for name, kind in {"main.py": MAIN, **things, **case.beside}.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match kind:
            case "fifo":
                os.mkfifo(path)
            case "loop":
                path.symlink_to(path.name)
            case "empty":
                path.touch()
            case "binary":
                path.write_bytes(bytes(range(256)) * 8)
            case text:
                path.write_bytes(text.encode("latin-1"))
    (project / "exec_config.json").write_text(configuration(case), encoding="utf-8")
    if case.env is not None:
        (folder / ".env").write_bytes(case.env)
    if case.toml is not None:
        (folder / "python-runner.toml").write_text(case.toml, encoding="utf-8")


def configuration(case: Case) -> str:
    """Return the text of a case's ``exec_config.json``."""
    plain = {
        "scripts": ["main.py"],
        "python_command": sys.executable,
        "recipients": ["office@example.org"],
        "email_strategy": "all",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    return json.dumps({**plain, **case.config})


class Batch:
    """Runs cases in processes of bounded memory, each case within its time."""

    def __init__(self, root: Path, names: list[str]) -> None:
        self._root = root
        self._folders = {str(n): name for n, name in enumerate(names)}
        self.found: dict[str, dict[str, Any]] = {}

    def run(self) -> dict[str, dict[str, Any]]:
        """Return what became of each case, by its name."""
        self._root.mkdir(parents=True)
        for folder, name in self._folders.items():
            make(self._root / folder, CASES[name])
        left = list(self._folders)
        while left:
            self._start(left)
            left = [f for f in left if self._folders[f] not in self.found]
        return self.found

    def _start(self, folders: list[str]) -> None:
        """Run a process until it has done all, has ended, or takes too long."""
        own = {
            "PYTHON_RUNNER_HOME": str(self._root / "home"),
            "MAIL_TRANSPORT": "file",
            "MAIL_DIR": str(self._root / "mail"),
            "MAIL_FROM": "robot@example.org",
            "LANGUAGE": "en",
            "MALLOC_ARENA_MAX": "2",
        }
        said = self._root / "stderr"
        with (
            said.open("w") as stderr,
            subprocess.Popen(
                [sys.executable, str(Path(__file__).with_name("accepted_child.py"))],
                cwd=self._root,
                env=os.environ | own,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
                start_new_session=True,
            ) as child,
        ):
            import resource  # noqa: PLC0415 - Windows has none

            resource.prlimit(child.pid, resource.RLIMIT_AS, (MEMORY, MEMORY))
            assert child.stdin
            with suppress(BrokenPipeError):
                child.stdin.write(json.dumps(folders))
                child.stdin.close()
            current, why = self._listen(child, folders[0])
            self._end(child, current)
        if self._folders[current] not in self.found:
            words = said.read_text()[-2000:]
            self.found[self._folders[current]] = {"died": f"{why} {words}"}

    def _listen(self, child: subprocess.Popen[str], current: str) -> tuple[str, str]:
        """Take in what is told; return the case it ends with, and why."""
        lines: queue.Queue[str] = queue.Queue()
        reader = threading.Thread(target=_lines, args=(child, lines), daemon=True)
        reader.start()
        try:
            while line := lines.get(timeout=PATIENCE):
                told = json.loads(line)
                if "begins" in told:
                    current = told["begins"]
                else:
                    self.found[self._folders[told["ended"]]] = told
        except queue.Empty:
            return current, f"nothing for {PATIENCE} s"
        else:
            return current, "the process ended"
        finally:
            child.kill()
            reader.join()

    def _end(self, child: subprocess.Popen[str], current: str) -> None:
        child.wait()
        # A script that reads a pipe nobody writes to waits for ever.
        for pipe in (self._root / current).glob("*/**/*"):
            if pipe.is_fifo():
                with suppress(OSError):
                    os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))


def _lines(child: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    assert child.stdout
    for line in child.stdout:
        lines.put(line)
    lines.put("")


@pytest.fixture(scope="module")
def outcomes(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> dict[str, dict[str, Any]]:
    """Return what became of each case that is asked for."""
    root = tmp_path_factory.mktemp("accepted")
    names = asked_for(request)
    batches = [names[i : i + BATCH] for i in range(0, len(names), BATCH)]

    def run(numbered: tuple[int, list[str]]) -> dict[str, dict[str, Any]]:
        return Batch(root / str(numbered[0]), numbered[1]).run()

    with ThreadPoolExecutor(2) as pool:
        done = pool.map(run, enumerate(batches))
        return {name: one for batch in done for name, one in batch.items()}


def problems(found: dict[str, Any]) -> Iterator[str]:
    """Yield what is wrong with the way a case went."""
    if "died" in found:
        yield found["died"]
        return
    broken = list(breaks(found))
    yield from broken
    check, run = found["check"], found["run"]
    if check["code"] not in {0, 2} or run["code"] not in {0, 1, 2, 4}:
        yield f"exit codes {check['code']} of check and {run['code']} of run"
    elif check["code"] != 0:
        # A script that is not there is a result, not a refusal.
        if run["code"] not in {1, 2}:
            yield f"check refuses it, run ends with {run['code']}: {check['out']}"
    elif run["code"] == 2:
        yield f"check says that it is ready, run says {run['out']} {run['err']}"
    elif not broken:
        yield from untold(found)


def breaks(found: dict[str, Any]) -> Iterator[str]:
    """Yield what ended in a traceback."""
    for command in ("check", "run", "history"):
        if broke := found[command]["broke"]:
            yield f"{command} broke: {broke[-600:]}"
        elif "Traceback (most recent call last)" in found[command]["err"]:
            yield f"{command} printed a traceback: {found[command]['err'][-600:]}"


def untold(found: dict[str, Any]) -> Iterator[str]:
    """Yield in what log, records and the run's own document differ."""
    run = found["run"]
    history = json.loads(found["history"]["out"])["runs"]
    kept = {one["run_id"]: one["status"] for one in history}
    for one in json.loads(run["out"])["runs"]:
        run_id, status = one["run_id"], one["status"]
        if status not in {"success", "failure"}:
            yield f"the run is told as {status}"
        for script in one["scripts"]:
            # How long arguments may be is for the system to say.
            words = str(script["traceback"])
            if script["status"] == "not_started" and "too long" not in words:
                yield f"{script['script']} is told as not started: {words}"
        if run_id not in kept and "records" not in run["err"]:
            yield "the run is not in the records, without a warning"
        if kept.get(run_id, status) != status:
            yield f"the records say {kept[run_id]}"
        if run_id not in found["log"] and "log" not in run["err"]:
            yield "the run is not in the log, without a warning"


def shown(case: Case) -> str:
    """Return how to make a case again."""
    text = configuration(Case(case.config))
    parts = [f"exec_config.json: {text if len(text) < 700 else text[:700] + '...'}"]
    parts += [f".env: {case.env[:200]!r}"] if case.env is not None else []
    parts += [f"python-runner.toml: {case.toml[:200]!r}"] if case.toml else []
    return "\n".join([*parts, f"folder: {case.project!r}", f"beside: {case.beside}"])


@pytest.mark.fault(
    "files",
    "Anything odd in `.env`, in `python-runner.toml`, in a folder's name or in `logs/`",
    "It is refused, or the run ends and is told.",
)
@pytest.mark.sampled(130)
@pytest.mark.together
@pytest.mark.timeout(3000)
@pytest.mark.parametrize("case", CASES)
def test_what_is_accepted_runs_and_is_told(
    case: str, outcomes: dict[str, dict[str, Any]]
) -> None:
    """The configuration is refused, or the run ends as log, records and itself say."""
    wrong = list(problems(outcomes[case]))

    assert not wrong, "\n".join([*wrong, shown(CASES[case])])
