"""What commands show of a fleet: the projects of many computers, and these themselves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from python_runner.cli import wording
from python_runner.cli.streams import show, show_document
from python_runner.cli.tables import Cell, Column, print_table
from python_runner.cli.wording import formats, labelled
from python_runner.computer import host_name
from python_runner.config.workspace import WORKSPACE_FILE, Workspace, load_workspace
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_SUCCESS
from python_runner.files import current_folder
from python_runner.fleet.reading import read_fleet
from python_runner.records.digests import Period
from python_runner.report import digest as words
from python_runner.report.fleet import SILENT_WORD
from python_runner.report.view import BAD, IDLE
from python_runner.runner.fleet_digest import fleet_digest
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.model.digest import ComputerDigest, Digest, ProjectDigest
    from python_runner.model.fleet import FleetReading

#: What counts as recovered in a status.
_LATELY = timedelta(days=1)
_COLOURS = {BAD: "red", IDLE: "yellow"}


def read_chosen_fleet(workspace: Workspace) -> FleetReading:
    """Read the fleet of ``python-runner.toml``.

    Raises:
        PythonRunnerError: it has none, or its folder cannot be read.
    """
    if workspace.fleet is None:
        text = _(
            "{file} in the current folder has no key `fleet`: write there to which folder"
            " the computers write, such as `fleet = {example}`"
        )
        example = '"//server/share/python-runner"'
        raise PythonRunnerError(text.format(file=WORKSPACE_FILE, example=example))
    return read_fleet(workspace.fleet.folder, lambda: datetime.now().astimezone())


def show_status(now: datetime, *, as_json: bool) -> int:
    """Print how the projects of all computers do."""
    workspace = load_workspace(current_folder()) or Workspace()
    reading = read_chosen_fleet(workspace)
    digest = fleet_digest(reading, Period(now - _LATELY, now, ""), host_name())
    if as_json:
        projects = [_status_project(project) for project in digest.projects]
        show_document({"projects": projects, **fleet_document(digest)})
        return EXIT_SUCCESS
    if not digest.projects:
        show(nothing_of_fleet(digest))
    else:
        _print_status(digest)
    for notice in words.notice_words(digest, formats()):
        show("{line}", line=labelled(_("warning"), notice), colour="yellow")
    return EXIT_SUCCESS


def nothing_of_fleet(digest: Digest) -> str:
    """Return that no computer has written anything yet."""
    text = _("No computer has written a run to {folder} yet.")
    return text.format(folder=flat(str(digest.fleet)))


def computer_rows(computer: ComputerDigest, digest: Digest) -> list[list[Cell]]:
    """Return the rows of a digest's table about a computer that has gone silent."""
    first, *others = words.computer_lines(computer, digest.until, formats())
    row = [
        Cell(computer.name),
        Cell(_(SILENT_WORD), "red"),
        Cell(""),
        Cell(""),
        Cell(first),
    ]
    return [row, *([*[Cell("")] * 4, Cell(line)] for line in others)]


def _print_status(digest: Digest) -> None:
    columns = [
        Column(_("project"), name=True),
        Column(_("computer"), name=True),
        Column(_("status")),
        Column(_("last run")),
        Column(_("email"), optional=True),
        Column(_("due"), optional=True),
        Column(_("reason"), remark=True, optional=True),
    ]
    print_table(columns, [_status_cells(p, digest) for p in digest.projects])
    for computer in digest.silent_computers:
        name = labelled(computer.name, _(SILENT_WORD))
        reasons = words.computer_lines(computer, digest.until, formats())
        show("{line}", line=flat(labelled(name, "; ".join(reasons))), colour="red")


def _status_cells(project: ProjectDigest, digest: Digest) -> list[Cell]:
    speech, now = formats(), digest.until
    kind = words.standing_kind(project)
    last = Cell("-")
    if project.last:
        began = project.last.started_at
        shorter = (speech.minute(began), speech.brief(began, now))
        last = Cell(speech.moment(began), shorter=shorter)
    due = Cell("")
    if project.due:
        whole, short = wording.due_forms(project.due, now)
        due = Cell(whole, shorter=(short,))
    mail = project.last.mail_status.value if project.last else ""
    return [
        Cell(project.name),
        Cell(project.computer),
        Cell(words.standing_word(project, speech), _COLOURS.get(kind, "green")),
        last,
        Cell(_MAIL_WORDS[mail]() if mail in _MAIL_WORDS else "", "yellow"),
        due,
        Cell("; ".join(words.project_lines(project, now, speech))),
    ]


#: What became of a report, where that needs a word.
_MAIL_WORDS = {"queued": lambda: _("waiting"), "failed": lambda: _("failed")}


def fleet_document(digest: Digest) -> dict[str, Any]:
    """Return what the JSON document of a fleet tells beside its projects."""
    return {
        "fleet": str(digest.fleet),
        "computers": [_computer(computer) for computer in digest.computers],
        "notices": words.notice_words(digest, Formats("en")),
    }


def fleet_project(project: ProjectDigest) -> dict[str, Any]:
    """Return what the JSON document tells of a project because it is another computer's."""
    last = project.last
    return {
        "computer": project.computer,
        "due": project.due.isoformat() if project.due else None,
        "mail": last.mail_status.value if last else None,
    }


def _status_project(project: ProjectDigest) -> dict[str, Any]:
    """Return a project's part of the status; its keys are those of one computer's."""
    last, streak, running = project.last, project.streak, project.running_since
    first = next(iter(last.failed_scripts), None) if last else None
    silent = project.silent
    return {
        "project": project.name,
        **fleet_project(project),
        "path": str(project.path),
        "standing": project.standing.value,
        "unusual": words.unusual_texts(project.unusual),
        "status": project.status.value if project.status else None,
        "run_id": last.run_id if last else None,
        "started_at": last.started_at.isoformat() if last else None,
        "duration_seconds": round(last.duration, 3) if last else None,
        "error": str(last.error) if last and last.error else None,
        "script": first.script if first else None,
        "exception": first.exception if first else None,
        "place": first.place if first else None,
        "since": streak.since.isoformat() if streak and streak.since else None,
        "runs_in_a_row": streak.count if streak else 0,
        "running_since": running.isoformat() if running else None,
        "expected_at": silent.expected_at.isoformat() if silent else None,
    }


def _computer(computer: ComputerDigest) -> dict[str, Any]:
    return {
        "computer": computer.name,
        "account": computer.account,
        "folder": computer.folder,
        "version": computer.version,
        "last_sign_at": computer.seen_at.isoformat(),
        "silent": bool(computer.silent),
        "expected_at": computer.silent[0].silent.expected_at.isoformat()
        if computer.silent and computer.silent[0].silent
        else None,
        "clock_ahead_seconds": round(computer.ahead.total_seconds()),
        "projects": computer.projects,
        "results_waiting": computer.waiting,
    }
