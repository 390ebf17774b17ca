"""``python-runner digest``: one report over all projects, for people and by mail."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.errors import writing
from python_runner.cli.fleet import (
    computer_rows,
    fleet_document,
    fleet_project,
    nothing_of_fleet,
    read_chosen_fleet,
)
from python_runner.cli.lookup import configured_project, open_records
from python_runner.cli.moments import parse_since
from python_runner.cli.streams import say, show, show_document
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.targets import env_file_option, projects_argument
from python_runner.cli.wording import formats, labelled
from python_runner.computer import host_name
from python_runner.config.settings import load_settings, require_mail
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.facts import dataclass
from python_runner.files import absolute, current_folder, replacing
from python_runner.model import EmailStrategy
from python_runner.model.digest import Standing
from python_runner.policy import exit_code
from python_runner.records.digests import Period
from python_runner.records.messages import MessageState, where_written
from python_runner.report import digest as words
from python_runner.report.view import BAD, IDLE, ODD
from python_runner.runner.digest import Survey
from python_runner.runner.fleet_digest import fleet_digest
from python_runner.runner.signals import StopSignals
from python_runner.scheduling.catch_up import first_missed
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.model import Run, Settings
    from python_runner.model.digest import Digest, ProjectDigest, ScriptTotals, Silent
    from python_runner.records.store import Store

#: What a digest is about where none has been mailed yet.
_FIRST = timedelta(days=1)
#: Seconds that the delivery may take; what has not left then waits for the next run.
_DELIVERY_SECONDS = 120.0
_COLOURS = {BAD: "red", ODD: "yellow", IDLE: "dim"}
#: Words of programs for how a project does are those of :class:`Standing`.
_COUNTED = {
    "failed": (Standing.FAILED, Standing.STILL_FAILING),
    "unusual": (Standing.UNUSUAL,),
    "silent": (Standing.SILENT,),
    "broken": (Standing.BROKEN,),
    "never_ran": (Standing.NEVER_RAN,),
    "recovered": (Standing.RECOVERED,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Request:
    """What is asked for.

    Attributes:
        folders: the projects, in their order.
        kind: ``--since`` as it was typed, or nothing.
        again: whether a digest is mailed though it has been just now.
    """

    settings: Settings
    workspace: Workspace
    folders: tuple[Path, ...]
    listed: frozenset[Path]
    kind: str
    again: bool
    now: datetime


@click.command(
    help=_(
        "Tell how all projects did since the last digest that was mailed, else in the"
        " last 24 hours: what failed, still fails, recovered, was unusual, or did not run"
        " although it was due. Without PROJECT, of the projects of python-runner.toml, else of all"
        " projects."
    )
)
@projects_argument
@click.option(
    "--since",
    metavar=_("TIME"),
    help=_("Tell of the time since: 7d, 12h or 2026-11-24."),
)
@click.option(
    "--fleet",
    is_flag=True,
    help=_(
        "Tell of all computers that write to the folder of the key `fleet` in"
        " python-runner.toml."
    ),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@click.option(
    "--html",
    "page",
    type=click.Path(path_type=Path, dir_okay=False, readable=False),
    metavar=_("FILE"),
    help=_("Write the digest as a web page to FILE."),
)
@click.option(
    "--mail",
    "by_mail",
    is_flag=True,
    help=_(
        "Send it to the recipients and channels of the projects, to each about their"
        " own projects."
    ),
)
@click.option(
    "--again",
    is_flag=True,
    help=_("With `--mail`: also if it has been sent in the last 10 minutes."),
)
@env_file_option
def command(projects: tuple[Path, ...], *, env_file: Path | None, **flags: Any) -> int:
    """Print, write or send a digest; 0 whatever it tells, once it has been made.

    Of a fleet that cannot be read, the digest of this computer is sent, which says so.
    """
    page: Path | None = flags["page"]
    if page is not None and page.name in {"", ".."}:
        raise click.BadParameter(_("expected the name of a file"), param_hint="--html")
    if flags["again"] and not flags["by_mail"]:
        raise click.UsageError(_("`--again` needs `--mail`"))
    now = datetime.now().astimezone()
    since = parse_since(flags["since"], now) if flags["since"] else None
    if since is not None and since >= now:
        raise click.UsageError(_("--since is not in the past"))
    of_fleet, since_text = flags["fleet"], flags["since"] or ""
    if of_fleet and projects:
        raise click.UsageError(_("--fleet is about all projects of all computers"))
    settings = load_settings(env_file)
    workspace = load_workspace(current_folder()) or Workspace()
    with open_records(settings) as store, StopSignals(lambda: None) as signals:
        named = tuple(dict.fromkeys(map(absolute, projects or workspace.projects)))
        request = _Request(
            settings=settings,
            workspace=workspace,
            folders=named or tuple(store.projects()),
            listed=frozenset(named),
            kind=f"fleet {since_text}".strip() if of_fleet else since_text,
            again=flags["again"],
            now=now,
        )
        request, digest, away = _made(
            store, request, since, of_fleet=of_fleet, by_mail=flags["by_mail"]
        )
        if page is not None:
            _write_page(digest, page)
        told = _mail(store, request, digest, signals) if flags["by_mail"] else []
    if flags["as_json"]:
        show_document(_document(digest))
    else:
        _print(digest, brief=flags["by_mail"] or page is not None)
    for line, colour in told:
        say("{line}", line=line, err=True, colour=colour)
    if signals.received:
        return exit_code((), signal=signals.received.name)
    if away:
        raise away
    return EXIT_SUCCESS


def _made(
    store: Store,
    request: _Request,
    since: datetime | None,
    *,
    of_fleet: bool,
    by_mail: bool,
) -> tuple[_Request, Digest, PythonRunnerError | None]:
    """Return the digest, and why it is not of the fleet where that cannot be read.

    Raises:
        PythonRunnerError: there is no fleet, or it cannot be read and nobody is mailed.
    """
    if not of_fleet:
        return request, _own_digest(store, request, since), None
    try:
        digest = _fleet_digest(request, _period(store, request, since))
    except PythonRunnerError as error:
        if request.workspace.fleet is None or not by_mail:
            raise
        # The next one that can be read tells of this time as well.
        request = replace(request, kind=request.kind.replace("fleet", "away", 1))
        own = _own_digest(store, request, since)
        notices = (Sentence.of("{words}", words=str(error)), *own.notices)
        return request, replace(own, unread=True, notices=notices), error
    return request, digest, None


def _own_digest(store: Store, request: _Request, since: datetime | None) -> Digest:
    """Return the digest of this computer."""
    return Survey(
        store=store,
        settings=request.settings,
        defaults=request.workspace.defaults,
        listed=request.listed,
        missed=lambda project, moment: first_missed(project, store, moment),
    ).digest(request.folders, _period(store, request, since))


def _fleet_digest(request: _Request, period: Period) -> Digest:
    """Return the digest of all computers.

    Raises:
        PythonRunnerError: there is no fleet, or its folder cannot be read.
    """
    return fleet_digest(
        read_chosen_fleet(request.workspace), period, computer=host_name()
    )


def _period(store: Store, request: _Request, since: datetime | None) -> Period:
    """Return the time that the digest is about.

    It begins where the last one ended: of several projects where the oldest one did, so
    that nothing is left out.
    """
    now = request.now
    last = store.digests.last(request.folders, request.kind)
    # A clock may have been wrong.
    known = [times for times in last.values() if times[0] <= times[1] <= now]
    if since is None:
        place = 0 if request.again else 1
        since = min((times[place] for times in known), default=now - _FIRST)
    return Period(since, now, request.kind)


def _mail(
    store: Store, request: _Request, digest: Digest, signals: StopSignals
) -> list[tuple[str, str | None]]:
    """Queue the digest and send what is due; return what became of it, with colours.

    Raises:
        PythonRunnerError: nobody is to get it, or no mail can be sent.
    """
    # Templates, MIME and transports are imported when something is to be sent.
    from python_runner.runner.digest_mail import (  # noqa: PLC0415
        SAME,
        digest_messages,
        readers_of,
    )
    from python_runner.runner.outbox import make_outbox  # noqa: PLC0415
    from python_runner.runner.session import local_now  # noqa: PLC0415

    settings = request.settings
    projects = [p.configuration for p in digest.projects if p.configuration]
    if digest.fleet is not None:
        # Those who read about the projects of this computer.
        projects = [p for f in request.folders if (p := configured_project(f))]
    in_order = sorted(projects, key=lambda p: request.folders.index(p.path))
    readers = readers_of(in_order)
    if not readers:
        raise PythonRunnerError(
            _(
                "nobody is to get the digest: no project has recipients or channels, or"
                ' their "email_strategy" is "none"'
            )
        )
    if any(group.recipients for group in readers):
        require_mail(settings.mail, for_run=False)
    period = Period(digest.since, digest.until, request.kind)
    messages = list(digest_messages(digest, readers, settings, request.kind))
    again_after = None if request.again else SAME
    if not store.digests.queue(
        messages, request.folders, period, again_after=again_after
    ):
        text = _(
            "The digest has been sent less than {duration} ago; --again sends it once"
            " more."
        )
        return [
            (text.format(duration=formats().whole_duration(SAME.total_seconds())), None)
        ]
    outbox = make_outbox(
        store,
        settings,
        request.workspace.defaults,
        now=local_now,
        stopping=lambda: signals.received is not None,
    )
    outbox.drain(_DELIVERY_SECONDS)
    told = _delivered(store, [message.message_id for _folder, message in messages])
    if silent := [p for p in in_order if p.email_strategy is EmailStrategy.NONE]:
        names = ", ".join(flat(project.name) for project in silent)
        text = _('not sent to anybody, because "email_strategy" is "none": {names}')
        told.append((text.format(names=names), None))
    return told


def _delivered(
    store: Store, message_ids: Sequence[str]
) -> list[tuple[str, str | None]]:
    """Return for each message of a digest what became of it."""
    told: list[tuple[str, str | None]] = []
    for queued in store.messages.with_ids(message_ids):
        names = ", ".join(flat(a.address) for a in queued.recipients)
        if queued.state is MessageState.SENT:
            line = _("Sent to {names}.").format(names=names)
            if file := where_written(a.detail for a in queued.recipients):
                whose = _("Report for {names}").format(names=names)
                line = labelled(whose, wording.say(file))
            told.append((line, None))
            continue
        text = _("Not sent yet to {names}; it waits in the outbox")
        if queued.state is MessageState.FAILED:
            text = _("Given up, for {names}")
        left = [a for a in queued.recipients if a.state != "sent"]
        line = text.format(names=", ".join(flat(a.address) for a in left))
        reason = next((a.detail for a in left if a.detail), None)
        told.append((labelled(line, wording.say(reason)) if reason else line, "yellow"))
    return told


def _write_page(digest: Digest, page: Path) -> None:
    report = words.render_digest(digest, system_language())
    with writing(page), replacing(page) as new:
        new.write(report.html.encode())


def _print(digest: Digest, *, brief: bool) -> None:
    """Print the verdict; what is to be told of projects below it, unless ``brief``."""
    speech = formats()
    if not digest.projects:
        nothing = _("No runs are recorded; run `python-runner run`.")
        show(nothing_of_fleet(digest) if digest.fleet else nothing)
        _print_notices(digest)
        return
    colour = "green" if words.is_all_well(digest) else "red"
    if colour == "red" and not any(
        words.standing_kind(p) == BAD for p in digest.projects
    ):
        colour = "yellow"
    show("{line}.", line=words.verdict(digest, speech), colour=colour)
    if brief:
        return
    _print_projects(digest)
    for title, lines in words.totals(digest, speech):
        show()
        show("{line}", line=title, colour="bold")
        for line in lines:
            show("  {line}", line=flat(line))
    _print_notices(digest)


def _print_notices(digest: Digest) -> None:
    if notices := words.notice_words(digest, formats()):
        show()
        for notice in notices:
            show("{line}", line=labelled(_("warning"), notice), colour="yellow")


def _print_projects(digest: Digest) -> None:
    """Print what is to be told of computers and projects, and name those that are well."""
    told = words.told_projects(digest)
    if told or digest.silent_computers:
        show()
        columns = (
            Column(_("project"), name=True),
            Column(_("status")),
            Column(_("runs"), numbers=True),
            Column(_("failed"), numbers=True),
            Column(_("reason"), remark=True),
        )
        rows = [
            row for c in digest.silent_computers for row in computer_rows(c, digest)
        ]
        rows += [row for p in told for row in _rows(p, digest)]
        print_table(columns, rows)
        if well := words.well_words(digest, formats()):
            show()
            show("{line}", line=flat(well), colour="green")


def _rows(project: ProjectDigest, digest: Digest) -> list[list[Cell]]:
    """Return the row of a project; what else is to be told of it has rows of its own."""
    speech = formats()
    first, *others = words.project_lines(project, digest.until, speech) or [""]
    kind = words.standing_kind(project)
    row = [
        Cell(project.title),
        Cell(words.standing_word(project, speech), _COLOURS.get(kind, "green")),
        Cell(speech.number(project.runs)),
        Cell(speech.number(project.failed) if project.failed else ""),
        Cell(first),
    ]
    return [row, *([*[Cell("")] * 4, Cell(line)] for line in others)]


def _document(digest: Digest) -> dict[str, Any]:
    """Return the JSON document: names and values are in English."""
    return {
        "since": digest.since.isoformat(),
        "until": digest.until.isoformat(),
        "computer": digest.computer,
        "all_well": words.is_all_well(digest),
        "counts": {
            "projects": len(digest.projects),
            "runs": digest.runs,
            **{name: digest.count(*which) for name, which in _COUNTED.items()},
        },
        "mail_waiting": digest.reports_waiting,
        "mail_given_up": digest.reports_given_up,
        "notices": [str(notice) for notice in digest.notices],
        "projects": [_project(project) for project in digest.projects],
        "failing_scripts": [_script(s) for s in words.failing_scripts(digest)],
        "slowest_scripts": [_script(s) for s in words.slowest_scripts(digest)],
        **(fleet_document(digest) if digest.fleet is not None else {}),
    }


def _project(project: ProjectDigest) -> dict[str, Any]:
    streak, running = project.streak, project.running_since
    return {
        "project": project.name,
        "path": str(project.path),
        "standing": project.standing.value,
        "status": project.status.value if project.status else None,
        "runs": project.runs,
        "failed": project.failed,
        "since": streak.since.isoformat() if streak and streak.since else None,
        "runs_in_a_row": streak.count if streak else 0,
        "last": _run(project.last),
        "failure": _run(project.failure),
        "unusual": words.unusual_texts(project.unusual),
        "silent": _silent(project.silent),
        "running_since": running.isoformat() if running else None,
        "problem": project.problem,
        "mail_waiting": project.waiting,
        "mail_given_up": project.given_up,
        "held_back": {by.value: runs for by, runs in project.held.items()},
        **(fleet_project(project) if project.computer else {}),
    }


def _run(run: Run | None) -> dict[str, Any] | None:
    if run is None:
        return None
    first = next(iter(run.failed_scripts), None)
    return {
        "run_id": run.run_id,
        "status": run.status.value,
        "started_at": run.started_at.isoformat(),
        "error": str(run.error) if run.error else None,
        "script": first.script if first else None,
        "exception": first.exception if first else None,
        "place": first.place if first else None,
        "hint": str(first.hint) if first and first.hint else None,
    }


def _silent(silent: Silent | None) -> dict[str, Any] | None:
    if silent is None:
        return None
    return {
        "expected_at": silent.expected_at.isoformat(),
        "by": "schedule" if silent.schedule else "rhythm",
        "schedule": silent.schedule,
        "weekdays": sorted(silent.weekdays),
        "every_seconds": round(silent.every) or None,
        "learnt_from_runs": silent.runs or None,
    }


def _script(script: ScriptTotals) -> dict[str, Any]:
    return {
        "project": script.project,
        "path": str(script.path),
        "script": script.script,
        "runs": script.runs,
        "failed": script.failed,
        "average_seconds": None if script.usual is None else round(script.usual, 3),
        "longest_seconds": round(script.longest, 3),
    }
