"""Real command lines in worlds that are not the developer's.

In each world the commands do what they do in the plain one, or say in a sentence what
is wrong. Whatever the world, a file of ours is never writable by everybody.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.world import (
    IN_CI,
    make_locale,
    missing,
    plain_environment,
    sample,
)


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.instrument

#: Number of the ordinary user: nobody on this machine has it.
STRANGER = 12345
#: Python and its libraries lie where only their owner may look, perhaps: a shell that
#: has its own view of the disk opens the way, and becomes the ordinary user.
AS_STRANGER = """
set -e
for folder in "$@"; do
  [ "$folder" = -- ] && break
  mkdir -p "$STAGE$folder"
  mount --bind "$folder" "$STAGE$folder"
done
for closed in $CLOSED; do
  mount -t tmpfs -o mode=755 tmpfs "$closed"
done
while [ "$1" != -- ]; do
  mkdir -p "$1"
  mountpoint -q "$1" || mount --bind "$STAGE$1" "$1"
  shift
done
shift
exec setpriv --reuid 12345 --regid 12345 --clear-groups --inh-caps=-all --bounding-set=-all "$@"
"""


@dataclass(frozen=True)
class World:
    """What is different in a world.

    Attributes:
        environment: variables; None takes one away.
        before: shell commands, run by root in the world's folder, before any command.
        prefix: shell text before each command.
        stranger: whether an ordinary user without a name runs the commands.
    """

    environment: dict[str, str | None] = field(default_factory=dict)
    before: str = ""
    prefix: str = ""
    stranger: bool = False


NO_STATE: dict[str, str | None] = {"PYTHON_RUNNER_HOME": None}
#: A locale whose characters are not UTF-8, even where no such locale is installed.
ASCII: dict[str, str | None] = {
    "LC_ALL": "C",
    "LANG": None,
    "PYTHONUTF8": "0",
    "PYTHONCOERCECLOCALE": "0",
}
WORLDS = {
    "plain": World(),
    "ordinary-user": World(stranger=True),
    "no-home": World(NO_STATE | {"HOME": None}, stranger=True),
    "home-that-is-not-there": World(NO_STATE | {"HOME": "/nowhere"}, stranger=True),
    "empty-environment": World(dict.fromkeys(("PATH", "LANG", "HOME", "LANGUAGE"))),
    "ascii-locale": World(ASCII),
    "latin-1": World(
        ASCII | {"LC_ALL": "fr_FR.ISO-8859-1", "LOCPATH": "{folder}/locales"}
    ),
    "latin-1-streams": World({"PYTHONIOENCODING": "latin-1"}),
    "umask-000": World(prefix="umask 000;"),
    "umask-777": World(prefix="umask 777;", stranger=True),
    "deleted-folder": World(prefix="mkdir gone; cd gone; rmdir ../gone;"),
    "closed-folder": World(
        before="mkdir closed; chmod 700 closed", prefix="cd closed;"
    ),
    "roots-logs": World(
        before="mkdir -p good/logs bad/logs; chown -R 0:0 good/logs bad/logs; chmod 755 good/logs bad/logs",
        stranger=True,
    ),
    "read-only-project": World(
        before="chown -R 0:0 good bad wrong; chmod -R a-w good", stranger=True
    ),
    "read-only-state": World(
        before="mkdir home; chown 0:0 home; chmod 755 home", stranger=True
    ),
    "state-is-a-file": World(before="touch home"),
    "unreadable-script": World(
        before="chown 0:0 good/a.py; chmod 600 good/a.py", stranger=True
    ),
    "closed-script-folder": World(
        before="mkdir bad/secret; cp good/b.py bad/secret/x.py; chown 0:0 bad/secret;"
        ' chmod 700 bad/secret; sed -i \'s#"d.py"#"secret/x.py", "d.py"#\''
        " bad/exec_config.json",
        stranger=True,
    ),
    "unreadable-configuration": World(
        before="chown 0:0 good/exec_config.json; chmod 600 good/exec_config.json",
        stranger=True,
    ),
    "time-zone-nowhere": World({"TZ": "Nowhere/Land"}),
    "time-zone-odd": World({"TZ": "<+1245>-12:45"}),
    "time-zone-broken": World({"TZ": ":/etc/passwd"}),
    "forty-columns": World({"COLUMNS": "40"}),
    "one-column": World({"COLUMNS": "1"}),
    "warnings-are-errors": World({"PYTHONWARNINGS": "error"}),
    "optimized": World({"PYTHONOPTIMIZE": "2"}),
    "few-descriptors": World(prefix="ulimit -n 24;"),
    "no-stdin": World(prefix="exec <&-;"),
    "children-ignored": World(prefix="trap '' CHLD;"),
    "signals-ignored": World(prefix="trap '' INT HUP TERM PIPE;"),
    "no-temporary-folder": World({"TMPDIR": "/nowhere"}),
    "unknown-language": World({"LANGUAGE": "tlh", "LC_ALL": "tlh_QO.UTF-8"}),
    "dumb-terminal": World({"TERM": "dumb", "FORCE_COLOR": "1"}),
}
COMMANDS = {
    "run": "run --json {folder}/good",
    "run-failing": "run --json {folder}/bad",
    "run-people": "run {folder}/good",
    "check": "check --json {folder}/good {folder}/bad",
    "check-wrong": "check {folder}/wrong",
    "history": "history --json {folder}/good",
    "history-people": "history",
    "show": "show --json {run}",
    "page": "show --html {folder}/out/page.html {run}",
    "output": "output {run}",
    "logs": "logs {folder}/good",
    "mail": "mail list",
    "digest": "digest --json",
    "init": "init {folder}/new",
    "backup": "backup {folder}/out/copy.sqlite3",
    "demo": "demo",
    "version": "--version",
    "help": "run --help",
    "resume": "run --resume --json {folder}/bad",
}
POINTS = [
    f"{world}:{command}"
    for world in WORLDS
    for command in COMMANDS
    if world != "plain"
    # What could not be read was not run: there is no history to compare.
    and (world, command) != ("unreadable-configuration", "history")
]
#: The quick profile takes a run and one more command of each world.
CHOSEN = [
    point
    for number, world in enumerate(name for name in WORLDS if name != "plain")
    for point in (
        f"{world}:run",
        *sample([p for p in POINTS if p.startswith(f"{world}:")][1:], 1, number),
    )
]
SCRIPT = "print('output of {name}: été')\n"
PATIENCE = 60.0
#: What nobody may see of a command.
BROKEN = r"(?m)^(?:Traceback \(most recent|Exception ignored)"


@dataclass(frozen=True)
class Seen:
    """What a command did in a world."""

    exit_code: int
    stdout: str
    stderr: str


def mailing_environment(folder: Path) -> dict[str, str]:
    """Return a plain environment in which mails become files."""
    return plain_environment(folder) | {
        "MAIL_TRANSPORT": "file",
        "MAIL_DIR": str(folder / "mails"),
        "MAIL_FROM": "robot@example.com",
    }


class Place:
    """A folder with projects, in one world."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder = folder
        self.world = WORLDS[name]
        self.run_id = "0"
        for project, scripts in (("good", "ab"), ("bad", "cd"), ("wrong", "e")):
            self._make_project(project, [f"{s}.py" for s in scripts])
        (folder / "bad" / "c.py").write_text(
            "raise ValueError('été')\n", encoding="utf-8"
        )
        for more in ("out", "new"):
            (folder / more).mkdir()
        (folder / "new" / "main.py").write_text("print(1)\n")
        if self.world.stranger and sys.platform != "win32":
            for path in (folder, *folder.rglob("*")):
                os.chown(path, STRANGER, STRANGER)
        if name == "latin-1":
            make_locale(folder / "locales")
        if self.world.before:
            subprocess.run(["sh", "-ec", self.world.before], cwd=folder, check=True)
        self.files_before = set(folder.rglob("*"))
        first = self.command("run")
        if first.stdout.startswith("{"):
            self.run_id = json.loads(first.stdout)["runs"][0]["run_id"]

    def _make_project(self, name: str, scripts: list[str]) -> None:
        project = self.folder / name
        project.mkdir()
        for script in scripts:
            text = SCRIPT.format(name=script)
            (project / script).write_text(text, encoding="utf-8")
        values = {
            "scripts": 7 if name == "wrong" else scripts,
            "python_command": sys.executable,
            "recipients": ["someone@example.com"],
            "email_strategy": "all",
            "include_traceback": True,
            "logs_backup_count": 0,
        }
        (project / "exec_config.json").write_text(json.dumps(values))

    def command(self, name: str) -> Seen:
        """Run a command in this world; what it writes is not there yet."""
        for made in (*self.folder.glob("out/*"), *self.folder.glob("new/*.json")):
            made.unlink()
        arguments = shlex.split(
            COMMANDS[name].format(
                folder=shlex.quote(self.folder.as_posix()), run=self.run_id
            )
        )
        environment: dict[str, str | None] = {
            **mailing_environment(self.folder),
            **self.world.environment,
        }
        set_variables = {
            key: value.format(folder=self.folder)
            for key, value in environment.items()
            if value is not None
        }
        done = subprocess.run(
            [
                *self._becoming(),
                *self._shell(),
                sys.executable,
                "-m",
                "python_runner",
                *arguments,
            ],
            cwd=self.folder,
            env=set_variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        return Seen(
            done.returncode,
            done.stdout.decode("utf-8", "replace"),
            done.stderr.decode("utf-8", "replace"),
        )

    def _shell(self) -> list[str]:
        """Return the shell that prepares a world, where there is something to do."""
        if not self.world.prefix:
            return []
        return ["/bin/sh", "-c", f'{self.world.prefix} exec "$0" "$@"']

    def _becoming(self) -> list[str]:
        """Return the command that becomes an ordinary user."""
        if not self.world.stranger or sys.platform == "win32":
            return []
        folders = sorted(
            {
                os.path.realpath(path)
                for path in (sys.base_prefix, sys.prefix, *sys.path)
                if os.path.isdir(path)  # noqa: PTH112 - sys.path holds texts
            }
            | {os.path.realpath(Path(__file__).parents[2])},
            key=len,
        )
        closed = sorted({c for f in folders for c in closed_ancestors(f)}, key=len)
        outer = [c for c in closed if not any(c.startswith(o + "/") for o in closed)]
        stage = self.folder.with_name(f"{self.folder.name}.stage")
        hidden = [f for f in folders if any(f.startswith(f"{c}/") for c in outer)]
        shell = f"STAGE={stage}; CLOSED={shlex.quote(' '.join(outer))}\n{AS_STRANGER}"
        return ["/usr/bin/unshare", "-m", "/bin/sh", "-c", shell, "sh", *hidden, "--"]

    def too_open(self) -> list[str]:
        """Return the files of ours that everybody may write."""
        return [
            str(path.relative_to(self.folder))
            for path in self.folder.rglob("*")
            if path not in self.files_before
            and not path.is_symlink()
            and path.stat().st_mode & stat.S_IWOTH
        ]


def closed_ancestors(path: str) -> Iterator[str]:
    """Tell which folders above a path, or itself, others may not enter."""
    for folder in (Path(path), *Path(path).parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            yield str(folder)


@pytest.fixture(scope="module")
def places() -> Iterator[Callable[[str], Place]]:
    """Return a function that makes a world's folder, once.

    It lies outside the folder of all tests, which only its owner may enter.
    """
    with tempfile.TemporaryDirectory(prefix="worlds-") as root:
        Path(root).chmod(0o755)
        made: dict[str, Place] = {}

        def place(name: str) -> Place:
            if name not in made:
                if WORLDS[name].stranger:
                    need_root()
                folder = Path(root, name)
                folder.mkdir()
                made[name] = Place(folder, name)
            return made[name]

        yield place


def need_root() -> None:
    """Skip where nobody may become another user; CI fails."""
    tools = all(shutil.which(tool) for tool in ("unshare", "setpriv", "mountpoint"))
    if sys.platform == "win32" or not tools or os.geteuid() != 0:
        missing("root, unshare and setpriv, to become an ordinary user")
        return
    if not IN_CI and subprocess.run(["unshare", "-m", "true"], check=False).returncode:
        pytest.skip("may not have its own view of the disk")


@pytest.mark.fault(
    "machine",
    "An ordinary user, no home folder, another locale, any umask, a deleted current folder",
    "The result is the same, or a sentence says what is missing.",
)
@pytest.mark.sampled(10)
@pytest.mark.together
@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="makes worlds as Linux does")
@pytest.mark.parametrize("point", CHOSEN)
def test_another_world_changes_nothing_or_is_told(
    point: str, places: Callable[[str], Place]
) -> None:
    """The same result as in the plain world, or a sentence; nothing open to all."""
    world, command = point.split(":")
    place = places(world)
    seen = place.command(command)
    plain = places("plain").command(command)
    assert list(problems(seen, plain)) == [], (world, COMMANDS[command])
    assert place.too_open() == []


#: What a French Windows shows where its output goes to a file, {name: arguments}.
FRENCH = {
    "run": "run {folder}/good",
    "run-failing": "run {folder}/bad",
    "history": "history",
    "show": "show {run}",
    "check": "check {folder}/good",
    "logs": "logs {folder}/good",
    "help": "run --help",
}


@pytest.mark.sampled(2)
@pytest.mark.parametrize("command", FRENCH)
def test_every_character_of_ours_is_in_cp1252(command: str, tmp_path: Path) -> None:
    """Nothing that we say in French becomes a question mark in a redirected stream."""
    place = Place(tmp_path, "plain")
    words = shlex.split(
        FRENCH[command].format(
            folder=shlex.quote(tmp_path.as_posix()), run=place.run_id
        )
    )
    environment = mailing_environment(tmp_path) | {
        "LANGUAGE": "fr",
        "PYTHONIOENCODING": "cp1252",
    }
    done = subprocess.run(
        [sys.executable, "-m", "python_runner", *words],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE,
        check=False,
    )
    said = (done.stdout + done.stderr).decode("cp1252")
    assert "\N{REPLACEMENT CHARACTER}" not in said
    # A question mark of ours ends a word.
    assert not re.findall(r".*(?:\d\?|\?\w|^\?).*", said, re.MULTILINE)


#: Commands without any stream, as Task Scheduler starts them, and their exit codes.
WITHOUT_STREAMS = {
    "run good": 0,
    "run -q good": 0,
    "run -v good": 0,
    "run --json good": 5,
    "run bad": 1,
    "run --json bad": 1,
}


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
@pytest.mark.parametrize("arguments", WITHOUT_STREAMS)
def test_without_a_console(arguments: str, tmp_path: Path) -> None:
    """Under ``pythonw.exe`` scripts run, and the exit code is theirs."""
    Place(tmp_path, "plain")
    for log in tmp_path.glob("*/logs/*.log"):
        log.unlink()
    detached = 8
    done = subprocess.run(
        [
            Path(sys.executable).with_name("pythonw.exe"),
            "-m",
            "python_runner",
            *arguments.split(),
        ],
        cwd=tmp_path,
        env=mailing_environment(tmp_path),
        creationflags=detached,
        timeout=PATIENCE,
        check=False,
    )
    (log,) = tmp_path.glob("*/logs/*.log")
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2
    assert done.returncode == WITHOUT_STREAMS[arguments]


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
@pytest.mark.parametrize("arguments", ["history", "logs good", "--help", "run good"])
def test_a_reader_that_has_gone(arguments: str, tmp_path: Path) -> None:
    """A closed pipe, which Windows tells in its own way, ends in no traceback."""
    Place(tmp_path, "plain")
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "python_runner", *arguments.split()],
            cwd=tmp_path,
            env=mailing_environment(tmp_path),
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=PATIENCE,
            check=False,
        )
    finally:
        os.close(writer)
    assert b"Traceback" not in done.stderr
    assert done.returncode in ({0} if arguments.startswith("run") else {0, 1})


@pytest.mark.windows
@pytest.mark.skipif(sys.platform != "win32", reason="Windows only")
@pytest.mark.parametrize(
    "name", ["aux", "con.py", "sub/?/x.py", "//nowhere/share/x.py"]
)
def test_a_script_that_windows_will_not_look_at(name: str, tmp_path: Path) -> None:
    """A name that Windows refuses is a script that was not started; the others run."""
    place = Place(tmp_path, "plain")
    configuration = tmp_path / "good" / "exec_config.json"
    values = json.loads(configuration.read_text())
    configuration.write_text(json.dumps(values | {"scripts": ["a.py", name, "b.py"]}))
    seen = place.command("run")
    (run,) = [r for r in json.loads(seen.stdout)["runs"] if r["project"] == "good"]
    assert run["error"] is None
    assert [s["status"] for s in run["scripts"]] == [
        "success",
        "not_started",
        "success",
    ]
    assert seen.exit_code == 1


def problems(seen: Seen, plain: Seen) -> Iterator[str]:
    """Tell what is wrong with a command in a world."""
    for text, usual in ((seen.stdout, plain.stdout), (seen.stderr, plain.stderr)):
        # A demonstration of a failing script shows the script's own.
        if len(re.findall(BROKEN, text)) > len(re.findall(BROKEN, usual)):
            yield text
            return
    if seen.exit_code not in range(5):
        yield f"exit code {seen.exit_code}: {seen.stderr}"
    same = seen.exit_code == plain.exit_code and meaning(seen) == meaning(plain)
    if not same and not tells_more(seen, plain):
        yield f"{seen} is not {plain}, and nothing says why"


def meaning(seen: Seen) -> Any:
    """Return what a command said, without what differs between any two runs."""
    try:
        document = json.loads(seen.stdout)
    except ValueError:
        return bool(seen.stdout.strip())
    return [
        (
            run.get("status"),
            run.get("mail"),
            [(s["status"], s["exit_code"]) for s in run.get("scripts", ())],
        )
        for run in document.get("runs", document.get("projects", ()))[:1]
    ]


def tells_more(seen: Seen, plain: Seen) -> bool:
    """Return whether stderr or a warning says what it does not say otherwise."""

    def lines(text: str) -> set[str]:
        return {
            re.sub(r"[0-9a-f]{13}|[\d.,:_-]+|/\S+", "#", x) for x in text.splitlines()
        }

    # A document says itself why something did not succeed.
    reasons = r'"(?:error|exception|message|reason|traceback)": "|"warnings": \[\n'
    told, usual = (len(re.findall(reasons, s.stdout)) for s in (seen, plain))
    return told > usual or bool(lines(seen.stderr) - lines(plain.stderr))
