"""``python-runner demo``: makes and runs two small projects; needs no settings."""

from __future__ import annotations

import email
import email.policy
import os
import tempfile
from pathlib import Path

import click

from python_runner.cli.progress import PlainLines
from python_runner.cli.run_summary import Summary
from python_runner.cli.streams import say, stdout
from python_runner.config.project import load_project
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.installation import own_command
from python_runner.model import MailSettings, Run, Settings
from python_runner.runner.project_run import run_project
from python_runner.runner.session import open_session
from python_runner.texts.sentence import translate as _


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
        "Make two small projects in a temporary folder, run them, and show the log and"
        " the mail. One script fails on purpose. Nothing is sent."
    )
)
def command() -> int:
    """Run the demonstration; 0 when it showed what it should."""
    folder = Path(tempfile.mkdtemp(prefix="python-runner-demo-"))
    say(_("Two projects in {folder}"), folder=folder)
    projects = [_make(folder / "sales", _SALES), _make(folder / "stock", _STOCK)]
    runs = run_demo(folder, projects)
    Summary().show(runs)
    for project in projects:
        _show_log(project)
    _show_mails(folder / "mail")
    say(_heading(_("Now with your scripts")))
    command = own_command()
    say(_("  {command} init FOLDER     writes its configuration"), command=command)
    say(_("  {command} run FOLDER      runs it"), command=command)
    return EXIT_SUCCESS


def run_demo(folder: Path, projects: list[Path]) -> list[Run]:
    """Run the projects; mail, records and locks stay in ``folder``."""
    settings = Settings(
        home=folder / "home",
        mail=MailSettings(transport="file", mail_dir=folder / "mail"),
        environ=dict(os.environ),
    )
    listener = PlainLines(stdout())
    with open_session(settings, listener=listener) as session:
        return [run_project(load_project(project), session) for project in projects]


def _make(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    return folder


def _show_log(project: Path) -> None:
    log = project / "logs" / f"{project.name}.log"
    say(_heading(_("The log: {path}").format(path=log)))
    say(log.read_text(encoding="utf-8").rstrip())
    for output in sorted(project.glob("logs/runs/*/*.log")):
        say(_("output: {path}"), path=output)


def _show_mails(folder: Path) -> None:
    for path in sorted(folder.glob("*.eml"), key=lambda p: p.stat().st_mtime_ns):
        message = email.message_from_bytes(
            path.read_bytes(), policy=email.policy.default
        )
        body = message.get_body(("plain",))
        say(_heading(_("The mail: {path}").format(path=path)))
        say(_("Subject: {subject}") + "\n", subject=message["Subject"])
        if body is not None:
            say(body.get_content().rstrip())


def _heading(text: str) -> str:
    return f"\n{text}\n{'-' * min(len(text), 78)}"
