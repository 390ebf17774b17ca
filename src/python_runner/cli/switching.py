"""Says how an entry is replaced by a schedule of Python Runner, without a run too many."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.cli.streams import say
from python_runner.installation import own_command, shell_word
from python_runner.takeover.recorder import without_secrets
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.cli.takeover_source import Origin
    from python_runner.takeover.crontab import Entry
    from python_runner.takeover.facts import Taken
    from python_runner.takeover.task_xml import Task


def tell_how_to_switch(
    project: Path,
    origin: Origin,
    taken: Taken,
    *,
    entry: Entry | None,
    task: Task | None,
) -> None:
    """Tell the steps in their order: first the old entry ends, then the new one begins."""
    folder = shell_word(str(project))
    install = f"{own_command()} schedule install {folder}"
    if entry is not None:
        _tell_of_crontab(origin, entry)
    elif task is not None:
        _tell_of_task(origin, task)
    else:
        say(
            _(
                "{source} was not changed. Until you switch, whatever starts it goes on."
            ),
            source=origin.shown,
        )
        say(_("To switch, so that nothing runs twice:"))
        say(
            _("- Disable the task or the crontab entry that starts {source}."),
            source=origin.shown,
        )
    if taken.schedule is None:
        say(_("- Write the key `schedule` into exec_config.json: it has none yet."))
    say(_("- Then let Python Runner take over:"))
    say("  {command}", command=install, whole=True)


def _tell_of_task(origin: Origin, task: Task) -> None:
    name = origin.task or task.name
    if not task.enabled:
        say(_("The task is disabled, and was not changed. To switch:"))
        return
    say(_("The task was not changed: it goes on until you disable it."))
    say(_("To switch, so that nothing runs twice:"))
    say(_("- Disable the task, while it is not running:"))
    shown = f'"{name}"' if name else r'"\Folder\Task"'
    say("  {command}", command=f"schtasks /Change /TN {shown} /DISABLE", whole=True)
    say(_("  (/ENABLE in the place of /DISABLE undoes it)"))


def _tell_of_crontab(origin: Origin, entry: Entry) -> None:
    say(_("The crontab was not changed: its entry goes on until you take it out."))
    say(_("To switch, so that nothing runs twice:"))
    system = f"sudoedit {shell_word(origin.shown)}"
    edit = system if entry.user else "crontab -e"
    say(
        _("- Put a # in front of line {line} ({edit}), while it is not running:"),
        line=entry.line,
        edit=edit,
    )
    say("  # {entry}", entry=without_secrets(entry.source), whole=True)
