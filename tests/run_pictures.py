"""``python -m tests.run_pictures FOLDER``: makes the pictures of ``run`` anew.

Projects are made in FOLDER, which must not exist and is deleted afterwards, and run by
the real command on a terminal. Chromium draws it into ``docs/pictures/``. Needs Linux.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pyte

from tests.pictures import ROWS, as_drawn, draw, terminal_page


if sys.platform == "win32":
    raise SystemExit("needs a pseudo-terminal")

import fcntl
import pty
import termios


COLUMNS = 80
WAIT = "import time; time.sleep({}); print('done')"
FLAKY = (
    "import pathlib, time\n"
    "n = pathlib.Path('n'); tries = int(n.read_text()) if n.exists() else 0\n"
    "n.write_text(str(tries + 1)); time.sleep(0.8)\n"
    "if tries % 3 < 2: raise ConnectionError('the server is busy')\n"
)
DEAF = (
    "import signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)"
)
PROJECTS = {
    "sales": {
        "fetch.py": WAIT.format(1.2),
        "amounts.py": "rows = [{'id': 2}]\nprint(sum(row['amount'] for row in rows))",
        "report.py": WAIT.format(0.6),
    },
    "stock": {"count.py": WAIT.format(0.9), "order.py": WAIT.format(0.7)},
    "upload": {"send.py": FLAKY, "tidy.py": WAIT.format(0.2)},
    "backup": {"copy.py": DEAF, "verify.py": "", "rotate.py": "", "prune.py": ""},
}


@dataclass(frozen=True)
class Scene:
    """A picture: the command's arguments, and what is typed and when it is drawn.

    The screen is drawn at its end, or as soon as it shows certain words.

    Attributes:
        keys: Ctrl-C, each with the second at which it is typed.
        words: these, in any language.
        beside: whether a run of the first project is active meanwhile.
    """

    arguments: tuple[str, ...]
    keys: tuple[float, ...] = ()
    words: tuple[str, ...] = ()
    beside: bool = False


SCENES = {
    "run-success": Scene(("run", "stock")),
    "run-parallel": Scene(("run", "--jobs", "3", "sales", "stock", "upload")),
    "run-retries": Scene(
        ("run", "upload"), words=("next attempt", "prochaine tentative")
    ),
    "run-stopped": Scene(("run", "backup", "sales", "stock"), keys=(3.0, 5.0)),
    "run-skipped": Scene(("run", "backup", "stock"), beside=True),
}


def make_projects(folder: Path) -> None:
    """Write the projects."""
    for name, scripts in PROJECTS.items():
        (folder / name).mkdir(parents=True)
        for file, text in scripts.items():
            (folder / name / file).write_text(text, encoding="utf-8")
        config = {
            "scripts": list(scripts),
            "python_command": None,
            "recipients": ["office@example.org"],
            "email_strategy": "all",
            "include_traceback": True,
            "logs_backup_count": 4,
            "retries": 2 if name == "upload" else 0,
            "retry_delay": "2s",
        }
        (folder / name / "exec_config.json").write_text(json.dumps(config), "utf-8")


def environment(folder: Path, language: str) -> dict[str, str]:
    """Return the variables of a user whose home is ``folder``."""
    return {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHON_RUNNER_HOME": str(folder / "home"),
        "MAIL_TRANSPORT": "file",
        "MAIL_FROM": "robot@example.org",
        "MAIL_DIR": str(folder / "mails"),
        "LANGUAGE": language,
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
    }


def screen_of(scene: Scene, folder: Path, language: str) -> pyte.Screen:
    """Return the screen of a scene, without the warning that root gets."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
    command = ["python-runner", *scene.arguments]
    child = subprocess.Popen(
        ["setsid", "-c", *command],
        cwd=folder,
        env=environment(folder, language),
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written, begin, keys = b"", time.monotonic(), list(scene.keys)
    while not any(words.encode() in written for words in scene.words):
        if keys and time.monotonic() - begin > keys[0]:
            os.write(master, b"\x03")
            del keys[0]
        if not select.select([master], [], [], 0.05)[0]:
            continue
        try:
            block = os.read(master, 65536)
        except OSError:  # how Linux says that the other end is closed
            break
        written += block
    screen = pyte.Screen(COLUMNS, ROWS)
    typed = f"$ {' '.join(command)}\r\n".encode()
    pyte.ByteStream(screen).feed(typed + as_drawn(written).replace(b"^C", b""))
    if scene.words:
        child.terminate()
        while select.select([master], [], [], 5)[0]:
            try:
                os.read(master, 65536)
            except OSError:
                break
    os.close(master)
    child.wait(60)
    return screen


def main(folder: Path) -> None:
    """Make all pictures, in both languages."""
    for language, suffix in (("en", ""), ("fr", ".fr")):
        for name, scene in SCENES.items():
            make_projects(folder)
            other = None
            try:
                if scene.beside:
                    other = subprocess.Popen(
                        [
                            str(Path(sys.executable).parent / "python-runner"),
                            "run",
                            "-q",
                            scene.arguments[1],
                        ],
                        cwd=folder,
                        env=environment(folder, language),
                        stderr=subprocess.DEVNULL,
                    )
                    time.sleep(4)
                page, used = terminal_page(screen_of(scene, folder, language))
                draw(page, 9 * COLUMNS, 20 * used + 28, f"{name}{suffix}.png")
            finally:
                if other:
                    other.terminate()
                    time.sleep(0.5)
                    other.terminate()
                    other.wait(60)
                shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
