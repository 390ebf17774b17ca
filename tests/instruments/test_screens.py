"""Tables and live views on terminals of 20 to 200 columns, read as a person reads them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unicodedata import east_asian_width

import pytest

from tests.instruments.cases import LONG


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

if sys.platform == "win32":
    pytest.skip("needs a pseudo-terminal", allow_module_level=True)

pytestmark = pytest.mark.instrument

WIDTHS = (20, 40, 60, 80, 120, 200)
#: Where French is looked at when time is short.
FRENCH_WIDTHS = WIDTHS if LONG else (40, 80)
#: A terminal on which nothing has to be broken.
WIDE = 1000
ROWS = 400
#: Words that tell how something went; a space in one is a good place to break it.
WORDS = {
    "en": (
        *("success", "failure", "stopped", "skipped", "interrupted", "started"),
        *("succeeded", "failed", "running", "sent", "queued", "timed", "waiting"),
    ),
    "fr": (
        *("réussite", "succès", "échec", "arrêté", "arrêtée", "ignoré", "interrompu"),
        *("démarré", "réussi", "délai", "dépassé", "envoyé", "attente", "exécution"),
    ),
}
NUMBER = re.compile(r"\d+(?:[.,]\d+)?[ \u202f\u00a0](?:s|ms|min|h|kB|MB|ko|Mo)\b")
#: A line that begins with the path of a program, to be pasted into a shell.
COMMAND_LINE = re.compile(r"^\s*(?:/|[A-Z]:\\)")
RUN_ID = re.compile(r"\b(?=[0-9a-f]*[0-9])[0-9a-f]{7,13}\b")

#: Projects with their scripts; the names are those that people give.
PROJECTS = {
    "ventes": {"a.py": "print('a')", "b.py": "raise KeyError('clé manquante')"},
    "rapport_mensuel_des_ventes_regionales": {
        "exporter_les_clients_vers_excel.py": "print('x')",
        "envoyer_le_rapport_mensuel_aux_directions.py": "import sys; sys.exit(3)",
    },
    "日本語のプロジェクト名": {"集計する.py": "raise ValueError('値がありません')"},
    "slow": {"wait.py": "import time; time.sleep(60)", "after.py": "print('z')"},
}
EXTRA: dict[str, dict[str, Any]] = {
    "slow": {
        "scripts": [
            {"path": "wait.py", "timeout": "0.3s"},
            {"path": "after.py", "needs": ["wait.py"]},
        ]
    },
    "ventes": {"recipients": ["office@example.org"], "email_strategy": "all"},
}


@dataclass(frozen=True)
class World:
    """Projects that have run, and the environment that knows of it.

    Attributes:
        root: the folder with the projects.
        environ: for commands.
        run_id: a run that failed.
    """

    root: Path
    environ: dict[str, str]
    run_id: str


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Return projects all of which have run twice."""
    root = tmp_path_factory.mktemp("screens")
    environ = os.environ | {
        "PYTHON_RUNNER_HOME": str(root / "home"),
        "MAIL_FROM": "robot@example.org",
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": "1",
        "SMTP_SECURITY": "none",
        "TERM": "xterm-256color",
        "PYTHONIOENCODING": "utf-8",
    }
    for name in ("NO_COLOR", "COLUMNS", "LINES", "FORCE_COLOR"):
        environ.pop(name, None)
    for name, sources in PROJECTS.items():
        folder = root / name
        folder.mkdir()
        for file, text in sources.items():
            (folder / file).write_text(text, encoding="utf-8")
        config = {
            "scripts": list(sources),
            "python_command": sys.executable,
            "recipients": [],
            "email_strategy": "none",
            "include_traceback": True,
            "logs_backup_count": 0,
            **EXTRA.get(name, {}),
        }
        (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
    run = [sys.executable, "-m", "python_runner", "run", "--json", *PROJECTS]
    done = None
    for _ in range(2):
        done = subprocess.run(
            run, cwd=root, env=environ, capture_output=True, check=False
        )
    assert done
    [first, *_] = json.loads(done.stdout)["runs"]
    return World(root, environ, first["run_id"])


SCREENS: dict[str, Callable[[World], list[str]]] = {
    "history": lambda _: ["history"],
    "history-failed": lambda _: ["history", "--failed", "ventes"],
    "history-stats": lambda _: ["history", "--stats"],
    "show": lambda world: ["show", world.run_id],
    "show-verbose": lambda _: ["show", "-v", "slow"],
    "output-grep": lambda _: ["output", "--grep", "manquante"],
    "output": lambda world: ["output", world.run_id],
    "logs": lambda _: [
        "logs",
        "rapport_mensuel_des_ventes_regionales",
    ],
    "mail-list": lambda _: ["mail", "list"],
    "check": lambda _: ["check", *PROJECTS],
    "run": lambda _: ["run", "--no-mail", "--jobs", "4", *PROJECTS],
    "status": lambda _: ["status", *PROJECTS],
    "digest": lambda _: ["digest", "--since", "7d", *PROJECTS],
    "stop": lambda _: ["stop", "ventes"],
}
#: Screens whose lines all find room from 60 columns on.
TABLES = ("history", "history-failed", "history-stats", "status")


def drawn(world: World, arguments: list[str], columns: int, language: str) -> list[str]:
    """Return the lines of a terminal of so many columns after a command."""
    import fcntl  # noqa: PLC0415 - Windows has none
    import pty  # noqa: PLC0415
    import struct  # noqa: PLC0415
    import termios  # noqa: PLC0415

    pyte = pytest.importorskip("pyte")
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, columns, 0, 0))
    child = subprocess.Popen(
        [sys.executable, "-m", "python_runner", *arguments],
        cwd=world.root,
        env=world.environ | {"LANGUAGE": language},
        stdin=slave,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    screen = pyte.HistoryScreen(columns, ROWS, history=5000)
    stream = pyte.ByteStream(screen)
    try:
        while data := os.read(master, 65536):
            stream.feed(data)
    except OSError:
        pass  # how a terminal without its program ends
    finally:
        os.close(master)
    assert child.wait() != 2
    return [line.rstrip() for line in screen.display if line.strip()]


def tokens(lines: list[str], language: str) -> set[str]:
    """Return what must stay in one piece: words of a status, numbers, identities."""
    text = "\n".join(lines)
    found = {*NUMBER.findall(text), *RUN_ID.findall(text)}
    return found | {w for w in WORDS[language] if re.search(rf"\b{w}\b", text)}


def broken(lines: list[str], whole: set[str], columns: int) -> Iterator[str]:
    """Yield what stands on several lines: in a column of a table, or at the edge."""
    for number, line in enumerate(lines):
        for token in whole:
            for cut in range(1, len(token)):
                head, tail = token[:cut].rstrip(), token[cut:].lstrip()
                for start, end in _alone(line, head):
                    # What is whole there is not continued by what stands below it.
                    if not tail or not head or line.startswith(token, start):
                        continue
                    below = lines[number + 1 :]
                    if (
                        end >= columns - 1 and below and below[0].startswith(tail)
                    ) or _goes_on(below, tail, start, end):
                        yield f"{head!r} / {tail!r}"


def without_commands(lines: list[str], columns: int) -> list[str]:
    """Return the lines without commands to be pasted: only the terminal may break one."""
    kept: list[str] = []
    inside = False
    for line in lines:
        begins = bool(COMMAND_LINE.search(line)) and not inside
        if not (begins or inside):
            kept.append(line)
        # What fills its line goes on in the next one; a wide character may not fit.
        inside = (begins or inside) and wcwidth(line) >= columns - 1
    return kept


def _goes_on(lines: list[str], text: str, start: int, end: int) -> bool:
    """Say whether the next lines of a cell hold a text, in as many pieces as it takes."""
    if not text:
        return True
    if not lines:
        return False
    for cut in range(len(text), 0, -1):
        for other, other_end in _alone(lines[0], text[:cut].rstrip()):
            aligned = start == other or end == other_end
            if aligned and _goes_on(lines[1:], text[cut:].lstrip(), start, end):
                return True
    return False


def _alone(line: str, part: str) -> Iterator[tuple[int, int]]:
    """Yield where a part begins and ends, with nothing but space around it."""
    for match in re.finditer(rf"(?<!\S){re.escape(part)}(?!\S)", line):
        yield match.span()


def chosen() -> Iterator[str]:
    """Yield the cases: screen, language and columns."""
    for name in SCREENS:
        every = [f"{name}-en-{columns}" for columns in WIDTHS]
        every += [f"{name}-fr-{columns}" for columns in FRENCH_WIDTHS]
        yield from every


@pytest.fixture(scope="module")
def whole(world: World) -> Callable[[str, str], set[str]]:
    """Return a function that tells what a screen must show in one piece."""
    known: dict[tuple[str, str], set[str]] = {}

    def tell(name: str, language: str) -> set[str]:
        if (name, language) not in known:
            lines = drawn(world, SCREENS[name](world), WIDE, language)
            known[name, language] = tokens(lines, language)
        return known[name, language]

    return tell


@pytest.mark.sampled(10)
@pytest.mark.together
@pytest.mark.parametrize("case", list(chosen()))
def test_nothing_that_counts_is_broken(
    case: str, world: World, whole: Callable[[str, str], set[str]]
) -> None:
    """No status word, no number with its unit and no run id stands on two lines."""
    name, language, width = case.rsplit("-", 2)
    lines = drawn(world, SCREENS[name](world), int(width), language)
    # A live view shows times of its own.
    pieces = whole(name, language) | tokens(lines, language)
    said = without_commands(lines, int(width))
    found = sorted(set(broken(said, pieces, int(width))))

    assert lines
    assert not found, "\n".join([", ".join(found), *lines])


@pytest.mark.sampled(6)
@pytest.mark.parametrize("columns", [60, 80, 120])
@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", TABLES)
def test_a_row_begins_with_its_project_or_run(
    name: str, language: str, columns: int, world: World
) -> None:
    """A table has a heading and a line for each row, and a second one for its rest."""
    lines = drawn(world, SCREENS[name](world), columns, language)

    assert all(wcwidth(line) <= columns for line in lines)
    rows = [line for line in lines if not line.startswith("  ")]
    assert len(rows) * 3 >= len(lines), "\n".join(lines)


def wcwidth(line: str) -> int:
    """Return the columns that a line of the screen takes; pyte fills wide characters."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in line)
