"""``python-runner status``: how each project does, in one line."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.known_runs import KnownRun, known, masker_of
from python_runner.cli.lookup import (
    chosen_projects,
    configured_project,
    open_records,
    sign_in_notice,
)
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.cli.wording import labelled
from python_runner.config.project import why_no_folder
from python_runner.config.settings import can_mail, load_settings
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import is_folder
from python_runner.model import Run, RunStatus
from python_runner.texts.sentence import translate as _
from python_runner.trends import usual_duration


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Held, MailSettings, OpenScript, ProjectState
    from python_runner.records.store import Store
    from python_runner.scheduling.slots import Missed, Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class _Status:
    """How one project does.

    Attributes:
        state: how its runs went lately.
        last: the run that ended last, or was interrupted and waits for the next one;
            None where there is none.
        running: the run that is active, or None.
        waiting: how many of its reports wait for delivery.
        outlook: what is due and what was missed; None of one without a schedule.
        masker: takes the project's secrets out of texts.
    """

    path: Path
    state: ProjectState
    last: KnownRun | None
    running: KnownRun | None
    waiting: int
    outlook: Outlook | None
    masker: Masker

    @property
    def missed(self) -> Missed | None:
        """The slots that no run has answered; a run that is active makes up for them."""
        return self.outlook.missed if self.outlook and not self.running else None

    @property
    def name(self) -> str:
        """What the project is called."""
        run = self.running or self.last
        return run.facts.project if run else self.path.name

    @property
    def usual(self) -> float | None:
        """Seconds that its runs take usually; None while that is not known."""
        return usual_duration(self.state.durations)

    @property
    def in_a_row(self) -> int:
        """How many runs up to the last one succeeded as it did, or did not."""
        streak = self.state.streak.count if self.state.streak else 0
        if self.last is None or isinstance(self.last.facts, Run):
            return streak
        # It follows those whose ends are recorded.
        return 1 + (streak if self._goes_on else 0)

    @property
    def since(self) -> datetime | None:
        """When the first of those runs began."""
        streak = self.state.streak
        if self.last is None:
            return None
        if streak and (isinstance(self.last.facts, Run) or self._goes_on):
            return streak.since
        return self.last.facts.started_at

    @property
    def _goes_on(self) -> bool:
        before = self.state.last
        return (
            before is not None
            and self.last is not None
            and (before.status is RunStatus.SUCCESS)
            is (self.last.status is RunStatus.SUCCESS)
        )

    @property
    def reason(self) -> str:
        """Why the last run did not succeed, or is unusual; else nothing."""
        if self.last is not None and isinstance(self.last.facts, Run):
            return wording.run_reason(self.last.facts.masked(self.masker))
        return ""

    @property
    def held(self) -> Held | None:
        """Why the last run is not reported, where a key holds its report back."""
        run = self.last.facts if self.last else None
        held = run.held if isinstance(run, Run) else None
        return held if held and held.back else None

    @property
    def mail(self) -> str:
        """How many reports wait, or that the last one is held back; else nothing."""
        if self.waiting:
            return _("{count} waiting").format(count=self.waiting)
        return _("held back") if self.held else ""

    @property
    def begun(self) -> list[OpenScript]:
        """The scripts that run now, or wait for their next attempt."""
        if self.running is None or isinstance(self.running.facts, Run):
            return []
        return [
            replace(script, script=self.masker.text(script.script))
            for script in self.running.facts.scripts
            if script.outcome is None and script.started_at is not None
        ]

    def to_document(self) -> dict[str, Any]:
        """Return its part of the JSON document."""
        last, running = self.last, self.running
        run = last.to_document(self.masker) if last else {}
        failed = [s for s in run.get("scripts", ()) if not s["success"]]
        first = failed[0] if failed else {}
        return {
            "project": self.name,
            "path": str(self.path),
            "status": run.get("status"),
            "run_id": run.get("run_id"),
            "started_at": run.get("started_at"),
            "duration_seconds": run.get("duration_seconds"),
            "error": run.get("error"),
            "script": first.get("script"),
            "exception": first.get("exception"),
            "place": first.get("place"),
            "hint": first.get("hint"),
            "unusual": [
                f"{script['script']}: {reason}"
                for script in run.get("scripts", ())
                for reason in script["unusual"]
            ],
            "since": self.since.isoformat() if self.since else None,
            "runs_in_a_row": self.in_a_row,
            "usual_seconds": None if self.usual is None else round(self.usual, 3),
            "running": {
                "run_id": running.facts.run_id,
                "started_at": running.facts.started_at.isoformat(),
                "scripts": [script.script for script in self.begun],
            }
            if running
            else None,
            "mail": run.get("mail"),
            "mail_reason": run.get("mail_reason"),
            "mail_waiting": self.waiting,
            **self._slots(),
        }

    def _slots(self) -> dict[str, Any]:
        """Return what the document tells of a schedule; null where there is none."""
        due = self.outlook.due if self.outlook else None
        return {
            "due": due.astimezone().isoformat() if due else None,
            "missed": wording.missed_document(self.missed),
        }


@click.command(
    help=_(
        "Show for each PROJECT, on one line, how its last run ended and why, since"
        " when, how long it usually takes, what is running now, when it is due next and"
        " which runs were missed; without one, for the projects of python-runner.toml, else for all projects."
    )
)
@projects_argument
@click.option(
    "--fleet",
    is_flag=True,
    help=_(
        "Show the projects of all computers that write to the folder of the key `fleet` in"
        " python-runner.toml."
    ),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def command(
    projects: tuple[Path, ...], *, fleet: bool, as_json: bool, env_file: Path | None
) -> int:
    """Print how projects do; 2 where one is no folder and never ran."""
    if fleet:
        if projects:
            raise click.UsageError(_("--fleet is about all projects of all computers"))
        from python_runner.cli.fleet import show_status  # noqa: PLC0415 - seldom used

        return show_status(datetime.now().astimezone(), as_json=as_json)
    settings = load_settings(env_file)
    masker = masker_of(settings)
    code = EXIT_SUCCESS
    with open_records(settings) as store:
        folders = chosen_projects(projects) or tuple(store.projects())
        statuses = []
        for folder in folders:
            found = _status(store, settings.home, folder, masker(folder))
            if found.last or found.running or is_folder(folder):
                statuses.append(found)
            else:
                say(why_no_folder(folder), err=True)
                code = EXIT_USAGE
    if as_json:
        document: dict[str, Any] = {"projects": [s.to_document() for s in statuses]}
        if sign_in := _sign_in_document(settings.mail):
            document["sign_in"] = sign_in
        show_document(document)
    elif statuses:
        _print(statuses)
    elif not folders:
        show(_("No runs are recorded; run `python-runner run`."))
    if not as_json and (notice := sign_in_notice(settings.mail)):
        say(labelled(_("warning"), notice), err=True, colour="yellow")
    return code


def _sign_in_document(mail: MailSettings) -> dict[str, Any] | None:
    """Return what is known of a user's sign-in; None where none is needed."""
    if not mail.user_ways or not can_mail(mail):
        return None
    from python_runner.delivery.sign_in.facts import (  # noqa: PLC0415 - seldom used
        NotSignedIn,
        read_facts,
    )

    try:
        facts = read_facts(mail.user_ways[0])
    except NotSignedIn:
        moments: dict[str, str | None] = {}
    else:
        ended = facts.ended_at
        moments = {
            "renewed_at": facts.renewed_at.isoformat(),
            "ends_at": facts.ends_at.isoformat(),
            "ended_at": ended.isoformat() if ended else None,
        }
    names = ("renewed_at", "ends_at", "ended_at")
    return {
        "account": mail.login,
        **{name: moments.get(name) for name in names},
        "notice": sign_in_notice(mail),
    }


def _status(store: Store, home: Path, folder: Path, masker: Masker) -> _Status:
    state = store.project_state(folder)
    last, running = None, None
    for run in store.open_runs([folder]):
        found = known(run, store, home)
        if found.active:
            running = running or found
        else:
            last = last or found
    if state.last is not None and last is None:
        last = known(state.last, store, home)
    return _Status(
        path=folder,
        state=state,
        last=last,
        running=running,
        waiting=store.messages.waiting(folder),
        outlook=_outlook(store, folder),
        masker=masker,
    )


def _outlook(store: Store, folder: Path) -> Outlook | None:
    project = configured_project(folder)
    if project is None or project.schedule is None:
        return None
    from python_runner.scheduling.catch_up import outlook_of  # noqa: PLC0415 - seldom

    return outlook_of(project, store, datetime.now().astimezone())


def _print(statuses: Sequence[_Status]) -> None:
    columns = [
        Column(_("project"), name=True),
        Column(_("status")),
        Column(_("last run")),
        Column(_("since")),
        Column(_("usual"), numbers=True, optional=True),
        Column(_("now"), name=True, optional=True),
        Column(_("email"), optional=True),
        Column(_("due"), optional=True),
        Column(_("missed"), numbers=True, optional=True),
        Column(_("reason"), remark=True, optional=True),
    ]
    now = datetime.now().astimezone()
    rows = [_cells(status, now) for status in statuses]
    if not any(status.outlook for status in statuses):
        # Nobody who hands no schedule over looks at empty columns.
        del columns[-3:-1]
        for row in rows:
            del row[-3:-1]
    print_table(columns, rows)


def _cells(status: _Status, now: datetime) -> list[Cell]:
    last = status.last
    word, colour = _("never ran"), "dim"
    if last is not None:
        word = wording.status_word(last.status)
        colour = wording.run_colour(last.facts, last.status)
    elif status.running is not None:
        word = "-"
    return [
        Cell(status.name),
        Cell(word, colour),
        _moment(last.facts.started_at if last else None, now),
        _since(status, now),
        Cell("" if status.usual is None else wording.duration(status.usual)),
        _running(status, now),
        Cell(status.mail, "yellow"),
        _due(status, now),
        Cell(wording.missed_count(status.missed), "yellow"),
        Cell(status.reason),
    ]


def _due(status: _Status, now: datetime) -> Cell:
    if status.outlook is None or status.outlook.due is None:
        return Cell("")
    whole, short = wording.due_forms(status.outlook.due, now)
    return Cell(whole, shorter=(short,))


def _moment(when: datetime | None, now: datetime) -> Cell:
    if when is None:
        return Cell("-")
    formats = wording.formats()
    return Cell(formats.moment(when), shorter=_short(when, now))


def _short(when: datetime, now: datetime) -> tuple[str, str]:
    return wording.formats().minute(when), wording.formats().brief(when, now)


def _since(status: _Status, now: datetime) -> Cell:
    """Return since when the last outcome is the same; one run alone says nothing."""
    if status.since is None or status.in_a_row <= 1:
        return Cell("-")
    formats = wording.formats()
    runs = formats.ngettext(
        "{moment} ({count} run)", "{moment} ({count} runs)", status.in_a_row
    )
    count = formats.number(status.in_a_row)
    first, *others = (
        runs.format(moment=moment, count=count)
        for moment in (formats.moment(status.since), *_short(status.since, now))
    )
    return Cell(first, shorter=tuple(others))


def _running(status: _Status, now: datetime) -> Cell:
    """Return what runs now, and for how long, or until when all that has begun waits."""
    if status.running is None:
        return Cell("")
    begun = status.running.facts.started_at
    words = wording.duration(max(0.0, (now - begun).total_seconds()))
    first = min(status.begun, key=lambda s: s.waits_until is not None, default=None)
    if first and first.waits_until:
        words = wording.next_attempt(first.waits_until, now)
    names = [first.script] if first else []
    return Cell(
        ", ".join((*names, words)), "yellow" if first and first.waits_until else "cyan"
    )
