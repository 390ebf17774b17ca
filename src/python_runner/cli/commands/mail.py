"""``python-runner mail``: test the settings, sign in, look after the outbox."""

from __future__ import annotations

from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli.candidates import completer, reports, undelivered_reports
from python_runner.cli.commands import mail_setup
from python_runner.cli.commands.mail_login import login, logout
from python_runner.cli.lookup import open_records, past_masker
from python_runner.cli.parameters import at_least
from python_runner.cli.streams import say, show_document, stdout
from python_runner.cli.streams import show as show_text
from python_runner.cli.targets import env_file_option, find_targets
from python_runner.cli.wording import formats, held_lines, labelled, message_lines
from python_runner.config.addresses import address_problems
from python_runner.config.project import load_project
from python_runner.config.providers import described
from python_runner.config.settings import load_settings, require_mail, sender_address
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.delivery.probe import probe, probe_channel
from python_runner.delivery.transports import missing_extra
from python_runner.exceptions import PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS
from python_runner.files import current_folder
from python_runner.masking import Masker
from python_runner.model import RECIPIENTS, Delivery
from python_runner.policy import exit_code
from python_runner.records.messages import CONTENT_DAYS, UNDELIVERED, MessageState
from python_runner.report.mime import plain_text
from python_runner.runner.fleet import FleetReporter
from python_runner.runner.outbox import make_outbox
from python_runner.runner.session import local_now
from python_runner.runner.signals import StopSignals
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from python_runner.model import MailSettings, Run, Settings
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store

#: Seconds a flush may take: a mailbox takes 30 messages a minute.
FLUSH_SECONDS = 600.0
#: Seconds that the fleet's folder may take then.
_FLEET_SECONDS = 30.0


@click.group(help=_("Test the mail settings; sign in to Outlook; manage the outbox."))
def command() -> None:
    """Group the commands about mail."""


command.add_command(login)
command.add_command(logout)


@command.command(
    "test", help=_("Send a test email, step by step. Say which step fails and why.")
)
@click.option(
    "--to", "recipient", metavar=_("ADDRESS"), help=_("Default: the sender itself.")
)
@click.option(
    "--channels",
    "folder",
    metavar=_("PROJECT"),
    type=click.Path(path_type=Path, file_okay=False, readable=False),
    help=_("Test the channels of PROJECT instead of email."),
)
@env_file_option
def test(recipient: str | None, folder: Path | None, env_file: Path | None) -> int:
    """Send a test mail step by step, or a test message to each channel of a project."""
    if folder is not None:
        return _test_channels(folder)
    settings = load_settings(env_file)
    mail, masker = settings.mail, Masker(settings.secrets)
    require_mail(mail, for_run=False)
    recipient = recipient or sender_address(mail)
    for _place, message in address_problems([recipient]):
        raise click.UsageError(message)
    reached = [_test_way(way, recipient, masker, mail.ways) for way in mail.ways]
    if all(reached):
        # Where one way reaches the recipient, that is what counts.
        ways = {way.transport for way in mail.ways}
        done = _("The test email to {recipient} has been sent.")
        if ways == {"eventlog"}:
            done = _("The test report has been written to the event log.")
        elif ways <= {"file", "eventlog"}:
            done = _("The test email to {recipient} has been written to a file.")
        say(done, recipient=recipient)
    return EXIT_SUCCESS if all(reached) else EXIT_FAILURE


def _test_way(
    way: MailSettings, recipient: str, masker: Masker, ways: Sequence[MailSettings]
) -> bool:
    """Test one way, step by step, under its name where there are several."""
    language = system_language()
    if len(ways) > 1:
        number = ways.index(way) + 1
        say(
            _("Way {number} of {count}: {way}"),
            number=number,
            count=len(ways),
            way=way.transport,
        )
    if missing := missing_extra(way):
        if len(ways) == 1:
            raise PythonRunnerError(missing.in_language(language))
        say(missing.in_language(language), err=True)
        return False
    if chosen := described(way):
        say(chosen.in_language(language))
    reached = True
    for step in probe(way, recipient, now=local_now(), language=language):
        word = _("OK") if step.ok else _("failed")
        detail = masker.text(step.detail.in_language(language))
        say(f"{step.name:<6} {word:<8} {detail}", err=not step.ok)
        reached = reached and step.ok
    return reached


def _test_channels(folder: Path) -> int:
    targets = find_targets([folder])
    project = load_project(targets.projects[0], defaults=targets.defaults)
    if not project.channels:
        raise PythonRunnerError(_("{path} has no channels").format(path=project.path))
    reached = True
    for url in project.channels:
        receipt = probe_channel(url, now=local_now(), language=project.language)
        sent = receipt.delivery is Delivery.SENT
        line = labelled(receipt.recipient, _("OK") if sent else _("failed"))
        if receipt.detail:
            line += f" - {receipt.detail.in_language(system_language())}"
        say(line, err=not sent)
        reached = reached and sent
    return EXIT_SUCCESS if reached else EXIT_FAILURE


@command.command(
    "list",
    help=_("List the reports that are waiting, were given up, or are held back."),
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help=_("Include sent and dropped reports, and all that were ever held back."),
)
@click.option(
    "--limit",
    type=at_least(1),
    default=50,
    show_default=True,
    metavar=_("N"),
    help=_("Maximum number of reports to list."),
)
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@env_file_option
def list_(*, everything: bool, limit: int, as_json: bool, env_file: Path | None) -> int:
    """Print the outbox, newest first."""
    states = tuple(MessageState) if everything else UNDELIVERED
    settings = load_settings(env_file)
    with open_records(settings) as store:
        messages = store.messages.newest(states, limit=limit)
        held = store.held_back(everything=everything, limit=limit)
    if as_json:
        masker_of = cache(partial(past_masker, settings))
        show_document(
            {
                "reports": [
                    _document(queued, masker_of(queued.path)) for queued in messages
                ],
                "held_back": [
                    _held_document(run.masked(masker_of(run.path))) for run in held
                ],
            }
        )
        return EXIT_SUCCESS
    if not messages and not held:
        show_text(_("No report is waiting."))
    _print(messages, settings, show_text)
    for run in held:
        masker = past_masker(settings, run.path)
        for line in held_lines(run.masked(masker)):
            show_text(line)
    return EXIT_SUCCESS


@command.command("show", help=_("Show report NUMBER of `python-runner mail list`."))
@click.argument(
    "number",
    type=at_least(1),
    metavar=_("NUMBER"),
    shell_complete=completer(reports),
)
@click.option(
    "--raw", is_flag=True, help=_("Print the email as it is sent, headers included.")
)
@env_file_option
def show(number: int, *, raw: bool, env_file: Path | None) -> int:
    """Print one message and what became of it for each recipient.

    Its content too, as long as the records keep it: that of a sent one is removed after
    some time.
    """
    settings = load_settings(env_file)
    with open_records(settings) as store:
        queued = _find(store, number)
    if raw:
        if not queued.has_content:
            raise PythonRunnerError(_without_content(queued))
        stdout().write_bytes(queued.message.content)
        return EXIT_SUCCESS
    _print([queued], settings, show_text)
    if not queued.has_content:
        show_text("    " + labelled("Message-ID", queued.message.message_id))
        show_text("\n" + _without_content(queued))
        return EXIT_SUCCESS
    masker = past_masker(settings, queued.path)
    show_text("\n" + masker.text(plain_text(queued.message.content)))
    return EXIT_SUCCESS


@command.command("flush", help=_("Send the waiting reports now."))
@click.option(
    "--all", "given_up", is_flag=True, help=_("Also retry reports that were given up.")
)
@click.option(
    "--due",
    "only_due",
    is_flag=True,
    help=_("Send only what is due; for a scheduler that calls this every few minutes."),
)
@env_file_option
def flush(*, given_up: bool, only_due: bool, env_file: Path | None) -> int:
    """Empty the outbox; 0 when nothing waits or has been given up any more.

    What another process is just sending neither waits nor failed.
    """
    if given_up and only_due:
        raise click.UsageError(_("--all and --due exclude each other"))
    settings = load_settings(env_file)
    with open_records(settings) as store, StopSignals(lambda: None) as signals:
        if not only_due:
            store.messages.make_due(local_now(), given_up=given_up)
        workspace = load_workspace(current_folder()) or Workspace()
        outbox = make_outbox(
            store,
            settings,
            workspace.defaults,
            now=local_now,
            stopping=lambda: signals.received is not None,
        )
        fleet = None
        if workspace.fleet:
            fleet = FleetReporter(workspace.fleet, settings.home, local_now, store)
            fleet.flush()
        report = outbox.drain(FLUSH_SECONDS)
        if fleet:
            _tell_of_fleet(fleet)
        left = store.messages.newest(UNDELIVERED)
    claimed = [queued for queued in left if queued.is_claimed(local_now())]
    counts = _("{sent} sent, {waiting} waiting, {given_up} given up")
    say(
        counts if left or report.sent else _("No report is waiting."),
        sent=report.sent,
        waiting=max(report.remaining - len(claimed), 0),
        given_up=sum(queued.state is MessageState.FAILED for queued in left),
    )
    if ends := [queued.leased_until for queued in claimed if queued.leased_until]:
        # Where that process has died, they are free again after that.
        say(
            _("{count} being sent by another process, until {moment} at the latest"),
            count=len(ends),
            moment=formats().moment(max(ends)),
        )
    _print(left, settings, say)
    left = [queued for queued in left if queued not in claimed]
    if signals.received:
        return exit_code((), signal=signals.received.name)
    if any(queued.message.audience == RECIPIENTS for queued in left):
        # The channels got their messages all the same.
        require_mail(settings.mail, for_run=False)
    return EXIT_FAILURE if left else EXIT_SUCCESS


def _tell_of_fleet(fleet: FleetReporter) -> None:
    """Say that results of runs cannot be written to the fleet's folder."""
    if trouble := fleet.finish(_FLEET_SECONDS) or fleet.trouble():
        warning = labelled(_("warning"), trouble.in_language(system_language()))
        say("{warning}", warning=warning, err=True, colour="yellow")


@command.command(
    "drop",
    help=_("Drop report NUMBER. It will never be sent, and no run will mention it."),
)
@click.argument(
    "number",
    type=at_least(1),
    metavar=_("NUMBER"),
    shell_complete=completer(undelivered_reports),
)
@env_file_option
def drop(number: int, env_file: Path | None) -> int:
    """Show a message that is not delivered, then drop it."""
    settings = load_settings(env_file)
    with open_records(settings) as store:
        queued = _find(store, number)
        _print([queued], settings, say)
        if not store.messages.drop(number):
            message = _("report {number} is neither waiting nor given up")
            raise PythonRunnerError(message.format(number=number))
    say(_("Report {number} is dropped."), number=number)
    return EXIT_SUCCESS


command.add_command(mail_setup.command, "setup")


def _document(queued: QueuedMessage, masker: Masker) -> dict[str, Any]:
    """Return a message as the public JSON document holds it."""
    waits = queued.state is MessageState.QUEUED
    return {
        "number": queued.number,
        "kind": "report" if queued.run_id else "digest",
        "run_id": queued.run_id or None,
        "project": queued.project or None,
        "path": str(queued.path),
        "channel": queued.message.audience != RECIPIENTS,
        "subject": masker.text(queued.message.subject),
        "state": queued.state.value,
        "queued_at": queued.queued_at.isoformat(),
        "attempts": queued.attempts,
        "next_try_at": queued.next_try_at.isoformat() if waits else None,
        "being_sent": queued.is_claimed(local_now()),
        "recipients": [
            {
                "address": recipient.address,
                "state": recipient.state,
                "detail": str(recipient.detail) if recipient.detail else None,
            }
            for recipient in map(masker.fact, queued.recipients)
        ],
    }


def _held_document(run: Run) -> dict[str, Any]:
    """Return a run whose report is held back as the public JSON document holds it."""
    held = run.held
    return {
        "run_id": run.run_id,
        "project": run.project,
        "path": str(run.path),
        "status": run.status.value,
        "started_at": run.started_at.isoformat(),
        "held_by": held.by.value if held else None,
        "reason": str(held.reason) if held else None,
        "until": held.until.isoformat() if held and held.until else None,
    }


def _without_content(queued: QueuedMessage) -> str:
    if not queued.run_id:
        message = _("Digest {number} was sent, and its content was deleted since.")
        return message.format(number=queued.number)
    message = formats().ngettext(
        "Report {number} was sent, and its content was deleted {count} day after its run."
        " `python-runner show --html FILE {run_id}` makes its page again.",
        "Report {number} was sent, and its content was deleted {count} days after its"
        " run. `python-runner show --html FILE {run_id}` makes its page again.",
        CONTENT_DAYS,
    )
    return message.format(
        number=queued.number, count=CONTENT_DAYS, run_id=queued.run_id
    )


def _find(store: Store, number: int) -> QueuedMessage:
    queued = store.messages.get(number)
    if queued is None:
        message = _("there is no report {number}; see `python-runner mail list`")
        raise PythonRunnerError(message.format(number=number))
    return queued


def _print(
    messages: Iterable[QueuedMessage],
    settings: Settings,
    write: Callable[[str], None],
) -> None:
    masker_of = cache(partial(past_masker, settings))
    for queued in messages:
        for line in message_lines(queued, local_now()):
            write(masker_of(queued.path).text(line))
