"""``python -m tests.pictures FOLDER``: makes the pictures of the README anew.

Two projects are made in FOLDER, which must not exist and is deleted afterwards, and run
by the real command on a terminal. Chromium draws that terminal, and the mail that the
run sent, into ``docs/pictures/``. Needs Linux with chromium and util-linux's ``script``.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pyte

from python_runner.model import Outcome
from python_runner.records.store import open_store
from tests.support import TODAY, keep


PICTURES = Path(__file__).parents[1] / "docs/pictures"
COLUMNS, ROWS = 100, 30
#: Pixels of a telephone's screen.
PHONE = (390, 844)
#: What xterm's colours are on a dark page.
COLORS = {
    "red": "#ff7b85",
    "green": "#7fd67f",
    "brown": "#f7d488",
    "yellow": "#f7d488",
    "blue": "#8ab8ff",
    "magenta": "#d6a2e8",
    "cyan": "#7fd6d6",
    "brightblack": "#9a9896",
    "default": "#f3f2f1",
}
IMPORT = '''"""Adds up the amounts of the files."""

rows = [{"id": 1, "amount": 12.5}, {"id": 2}]


def total(rows):
    return sum(row["amount"] for row in rows)


print(f"{len(rows)} rows read")
print("total:", total(rows))
'''
PROJECTS = {
    "sales": {
        "fetch.py": "import time; time.sleep(1.2); print('3 files fetched')",
        "import_amounts.py": IMPORT,
        "report.py": "import time; time.sleep(0.6); print('written')",
    },
    "stock": {"count.py": "import time; time.sleep(0.9); print('1204 articles')"},
}
#: Projects of the digest alone: days ago, and whether they succeeded.
PAST = {
    "payroll": [(days, True) for days in range(9, 1, -1)],
    "exports": [(9, True), *((days, False) for days in range(6, 0, -1))],
}
BROWSER = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--no-first-run", "--host-resolver-rules=MAP * ~NOTFOUND"),
)


def make_projects(folder: Path, *, failing: bool) -> None:
    """Write the projects; their history is of runs that went well."""
    for name, scripts in PROJECTS.items():
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in scripts.items():
            good = text if failing else text.replace('{"id": 2}', "")
            (folder / name / file).write_text(good, encoding="utf-8")
        config = {
            "scripts": list(scripts),
            "python_command": None,
            "recipients": ["office@example.org"],
            "email_strategy": "all",
            "include_traceback": True,
            "logs_backup_count": 4,
        }
        (folder / name / "exec_config.json").write_text(json.dumps(config), "utf-8")
    listed = f"projects = {json.dumps(list(PROJECTS))}\n"
    (folder / "python-runner.toml").write_text(listed, encoding="utf-8")


def make_past(folder: Path) -> None:
    """Write the projects that the digest tells of beside the others, and their runs."""
    with open_store(folder / "home", TODAY) as store:
        for name, runs in PAST.items():
            config = json.loads((folder / "stock/exec_config.json").read_text("utf-8"))
            config |= {"scripts": ["1.py"], "schedule": "0 6 * * *"}
            (folder / name).mkdir()
            (folder / name / "1.py").write_text("", encoding="utf-8")
            text = json.dumps(config)
            (folder / name / "exec_config.json").write_text(text, encoding="utf-8")
            for days, good in runs:
                outcome = Outcome.SUCCESS if good else Outcome.FAILURE
                run_id = f"{days}{name:x<12}".encode().hex()[:13]
                ago = timedelta(days=days, hours=-1)
                keep(store, run_id, folder / name, outcome, ago=ago)


def on_a_terminal(folder: Path, language: str, *commands: str) -> pyte.Screen:
    """Return the screen on which commands have been typed."""
    environ = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "HOME": str(folder),
        "PYTHON_RUNNER_HOME": str(folder / "home"),
        "MAIL_TRANSPORT": "file",
        "MAIL_FROM": "robot@example.org",
        "MAIL_DIR": str(folder / "mails"),
        "LANGUAGE": language,
        "LANG": "C.UTF-8",
        "TERM": "xterm-256color",
        "SHELL": "/bin/sh",
    }
    typed = f"stty cols {COLUMNS} rows {ROWS}"
    for arguments in commands:
        line = f"python-runner {arguments}"
        typed += f"; echo '$ {line}'; {line}"
    command = ["script", "-qc", typed, os.devnull]
    done = subprocess.run(
        command, cwd=folder, env=environ, capture_output=True, check=False
    )
    screen = pyte.Screen(COLUMNS, ROWS)
    pyte.ByteStream(screen).feed(as_drawn(done.stdout))
    return screen


def as_drawn(written: bytes) -> bytes:
    """Return what is drawn: without the warning that root gets.

    Weaker letters are unknown to the screen that is drawn; it gets grey ones.
    """
    warning = rb"\x1b\[33m(?:warning|avertissement).*?\x1b\[0m\r\n"
    shown = re.sub(warning, b"", written, flags=re.DOTALL)
    return shown.replace(b"\x1b[2m", b"\x1b[90m")


def terminal_page(screen: pyte.Screen) -> tuple[str, int]:
    """Return a screen as HTML, and its number of lines."""
    lines = []
    for row in range(ROWS):
        line = ""
        for column in range(screen.columns):
            cell = screen.buffer[row][column]
            style = f"color:{COLORS.get(cell.fg, COLORS['default'])}"
            style += ";font-weight:bold" if cell.bold else ""
            line += f'<span style="{style}">{html.escape(cell.data)}</span>'
        lines.append(line)
    used = max(row for row in range(ROWS) if screen.display[row].strip()) + 1
    page = (
        '<meta charset="utf-8"><body style="margin:0;padding:14px 18px;background:#1b1a19">'
        '<pre style="margin:0;font:14px/20px DejaVu Sans Mono">'
    )
    return page + "\n".join(lines[:used]), used


def mail_page(path: Path) -> str:
    """Return a mail as HTML, its sender and subject above it."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html",))
    assert body is not None
    head = (
        '<div style="background:#fff;padding:12px 24px;font:14px/22px Arial,sans-serif">'
        f'<strong style="font-size:17px">{html.escape(message["Subject"])}</strong><br>'
        f"{html.escape(message['From'])}</div>"
    )
    before, tag, after = body.get_content().partition("<body")
    attributes, end, rest = after.partition(">")
    return f"{before}{tag}{attributes}{end}{head}{rest}"


def telephones(path: Path) -> str:
    """Return a page with the first screen of a mail on a telephone, by day and night."""
    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    body = message.get_body(("html",))
    assert body is not None
    width, height = PHONE
    frames = "".join(
        f'<iframe width="{width}" height="{height}" style="border:0;color-scheme:{scheme}"'
        f' srcdoc="{html.escape(body.get_content())}"></iframe>'
        for scheme in ("light", "dark")
    )
    return f'<meta charset="utf-8"><body style="margin:0;font-size:0">{frames}'


def draw(
    page: str, width: int, height: int, picture: str, *, scale: float = 1.5
) -> None:
    """Let chromium draw a page of that many pixels, each ``scale`` pixels wide."""
    source = PICTURES / "page.html"
    source.write_text(page, encoding="utf-8")
    size = f"--window-size={width},{height}"
    target = f"--screenshot={PICTURES / picture}"
    try:
        subprocess.run(
            [
                *BROWSER,
                size,
                f"--force-device-scale-factor={scale}",
                target,
                source.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    finally:
        source.unlink()


def main(folder: Path) -> None:
    """Make all pictures, in both languages."""
    PICTURES.mkdir(exist_ok=True)
    for language, suffix in (("en", ""), ("fr", ".fr")):
        folder.mkdir()
        try:
            make_projects(folder, failing=False)
            for _ in range(5):
                on_a_terminal(folder, language, "run")
            make_projects(folder, failing=True)
            shutil.rmtree(folder / "mails")
            page, used = terminal_page(on_a_terminal(folder, language, "run"))
            draw(page, 9 * COLUMNS, 20 * used + 28, f"terminal{suffix}.png")
            screen = on_a_terminal(folder, language, "status", "show sales")
            page, used = terminal_page(screen)
            # It holds more than the others, and is to load as quickly.
            size = 9 * COLUMNS, 20 * used + 28
            draw(page, *size, f"status{suffix}.png", scale=1.2)
            (mail,) = (
                path
                for path in (folder / "mails").iterdir()
                if b"import_amounts" in path.read_bytes()
            )
            draw(mail_page(mail), 720, 600, f"mail{suffix}.png")
            width, height = PHONE
            draw(
                telephones(mail), 2 * width, height, f"mail-phone{suffix}.png", scale=1
            )
            make_past(folder)
            names = " ".join([*PROJECTS, *PAST])
            page, used = terminal_page(
                on_a_terminal(folder, language, f"digest {names}")
            )
            draw(page, 9 * COLUMNS, 20 * used + 28, f"digest{suffix}.png", scale=1.2)
            on_a_terminal(folder, language, f"digest --mail {names}")
            (mail,) = (folder / "mails").glob("*_digest-*")
            size = 2 * width, height // 2
            draw(telephones(mail), *size, f"digest-phone{suffix}.png", scale=1)
        finally:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
