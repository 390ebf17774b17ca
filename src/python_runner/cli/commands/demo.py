"""``python-runner demo``: makes and runs two small projects; needs no settings."""

from __future__ import annotations

import email
import email.policy
import os
import re
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from python_runner.cli.progress import LiveView, PlainLines, Progress
from python_runner.cli.streams import say, stdout
from python_runner.config.project import load_project
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.installation import own_command, shell_word
from python_runner.model import MailSettings, Settings
from python_runner.runner.project_run import run_project
from python_runner.runner.session import open_session
from python_runner.texts.sanitize import flat, one_line
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.model import Run

HOME_VARIABLE = "PYTHON_RUNNER_HOME"
#: Characters of a line of the log that are shown where there is no terminal.
_COLUMNS = 100

_CONFIG = """{{
  "scripts": {scripts},
  "python_command": null,
  "recipients": ["office@example.org"],
  "email_strategy": "all",
  "include_traceback": true,
  "logs_backup_count": 4
}}
"""

_SALES = {
    "exec_config.json": _CONFIG.format(
        scripts='["fetch.py", "import_amounts.py", "report.py"]'
    ),
    "fetch.py": 'print("3 files fetched")\n',
    "import_amounts.py": '''"""Fails on purpose: one row has no amount."""

rows = [{"id": 1, "amount": 12.5}, {"id": 2}]


def total(rows):
    return sum(row["amount"] for row in rows)


print(f"{len(rows)} rows read")
print("total:", total(rows))
''',
    "report.py": 'print("The report is written although the import failed.")\n',
}
_STOCK = {
    "exec_config.json": _CONFIG.format(scripts='["count.py"]'),
    "count.py": 'print("1204 articles counted")\n',
}


@click.command(
    help=_(
        "Make two small projects in a temporary folder, run them, and show the log"
        " and the email. One script fails on purpose. Nothing is sent."
    )
)
def command() -> int:
    """Run the demonstration; 0 when it showed what it should."""
    folder = Path(tempfile.mkdtemp(prefix="python-runner-demo-"))
    projects = [_make(folder / "sales", _SALES), _make(folder / "stock", _STOCK)]
    said = _("Two small projects in {folder}; one script of sales fails on purpose.")
    say(said, folder=folder)
    say()
    runs = run_demo(folder, projects)
    for project in projects:
        _show_log(project)
    say(_heading(_("The emails, as their recipients see them")))
    for run in runs:
        _show_mail(run, folder / "mail")
    _show_ways_on(folder, runs[0])
    return EXIT_SUCCESS


def run_demo(folder: Path, projects: list[Path]) -> list[Run]:
    """Run the projects; mail, records and locks stay in ``folder``."""
    settings = Settings(
        home=folder / "home",
        mail=MailSettings(transport="file", mail_dir=folder / "mail"),
        environ=dict(os.environ),
    )
    progress = _progress()
    with open_session(settings, listener=progress) as session, progress:
        return [run_project(load_project(project), session) for project in projects]


def _progress() -> Progress:
    """Return what shows the runs as the command ``run`` does."""
    stream = stdout()
    return LiveView(stream) if stream.draws else PlainLines(stream)


def _make(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def _show_log(project: Path) -> None:
    log = project / "logs" / f"{project.name}.log"
    say(_heading(_("Log: {path}").format(path=log)))
    for line in log.read_text(encoding="utf-8").splitlines():
        # A traceback is part of its line, which would take half of the screen.
        say("{line}", line=one_line(line, stdout().columns or _COLUMNS))


def _show_mail(run: Run, folder: Path) -> None:
    """Write the HTML of a run's mail beside it, and say how it is opened."""
    for path in folder.glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        body = mail.get_body(("html",))
        if body is None or run.run_id not in mail["Message-ID"]:
            continue
        page = folder / f"{run.project}.html"
        page.write_text(body.get_content(), encoding="utf-8", newline="\n")
        say("{subject}", subject=mail["Subject"], colour="bold")
        opener = {"win32": "explorer", "darwin": "open"}.get(sys.platform, "xdg-open")
        _show_command(f"{opener} {shell_word(str(page))}")


def _show_ways_on(folder: Path, run: Run) -> None:
    """Say how the runs are looked at, where all of it lies, and how one begins."""
    command, env_file = own_command(), folder / ".env"
    if HOME_VARIABLE not in os.environ:
        # One that is set counts more than the file.
        home = re.sub(r"(['\\])", r"\\\1", str(folder / "home"))
        env_file.write_text(f"{HOME_VARIABLE}='{home}'\n", encoding="utf-8")
        options = f"--env-file {shell_word(str(env_file))}"
        say(_heading(_("Look at the runs")))
        _show_command(f"{command} show {options} {run.run_id[:7]}")
        _show_command(f"{command} history {options}")
    say(_heading(_("Now with your scripts")))
    say(_("  {command} init FOLDER     writes its configuration"), command=command)
    say(_("  {command} run FOLDER      runs it"), command=command)
    say()
    say(_("Delete {folder} when you have seen enough."), folder=folder)


def _show_command(line: str) -> None:
    """Print a command in one piece: a terminal wraps it, and it can be pasted."""
    stdout().put(f"  {flat(line)}\n", wait=True)


def _heading(text: str) -> str:
    return f"\n{text}\n{'-' * min(len(text), 78)}"
