"""The verdict of `doctor` in words, and its result as an email."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_runner.cli.streams import say
from python_runner.cli.wording import formats, labelled
from python_runner.computer import host_name
from python_runner.config.settings import require_mail, sender_address
from python_runner.doctor.finding import Severity
from python_runner.files import current_folder
from python_runner.masking import Masker
from python_runner.model import Delivery
from python_runner.records.digests import Period
from python_runner.records.messages import MessageState
from python_runner.records.store import StoreError, open_store
from python_runner.report.compose import compose
from python_runner.report.findings import Group, Row, render_findings
from python_runner.report.view import BAD, GOOD, IDLE
from python_runner.runner.context import new_run_id
from python_runner.runner.outbox import make_outbox
from python_runner.runner.session import local_now
from python_runner.texts.sentence import Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.doctor.diagnosis import Diagnosis
    from python_runner.doctor.finding import Finding
    from python_runner.model import Message, Settings
    from python_runner.records.store import Store

#: Seconds that the mail may take.
_SECONDS = 100.0
_KINDS = {Severity.PROBLEM: BAD, Severity.WARNING: IDLE, Severity.FINE: GOOD}


def verdict(diagnosis: Diagnosis) -> str:
    """Return what was found in one sentence."""
    words = formats()
    problems = diagnosis.count(Severity.PROBLEM)
    warnings = diagnosis.count(Severity.WARNING)
    parts = [
        (problems, words.ngettext("{count} problem", "{count} problems", problems)),
        (warnings, words.ngettext("{count} warning", "{count} warnings", warnings)),
    ]
    told = [form.format(count=words.number(count)) for count, form in parts if count]
    counts = ", ".join(told) or _("no problems")
    count = len(diagnosis.projects)
    if not count:
        return _("{counts} on this computer").format(counts=counts)
    projects = words.ngettext("{count} project", "{count} projects", count)
    named = projects.format(count=words.number(count))
    return _("{counts} in {projects}").format(counts=counts, projects=named)


def mail_diagnosis(
    diagnosis: Diagnosis,
    recipient: str,
    settings: Settings,
    defaults: Mapping[str, Any],
) -> bool:
    """Send what was found to an address, empty for the sender itself; say if it left.

    What cannot leave now waits in the outbox.

    Raises:
        PythonRunnerError: variables of the mail are missing or wrong.
    """
    mail, now = settings.mail, local_now()
    require_mail(mail, for_run=False)
    recipient = recipient or mail.login or sender_address(mail)
    language = system_language()
    report = render_findings(
        verdict(diagnosis),
        [
            Group(str(folder) if folder else _("This computer"), rows)
            for folder in (None, *diagnosis.projects)
            if (rows := tuple(_row(one, language) for one in diagnosis.of(folder)))
        ],
        moment=now,
        host=host_name(),
        language=language,
    )
    message = compose(
        report,
        run_id=f"doctor-{new_run_id()}",
        sender=sender_address(mail),
        recipients=[recipient],
        date=now,
    )
    state, reason = _deliver(message, settings, defaults)
    if state is MessageState.SENT:
        return True
    told = _("the email with the result was not sent")
    if state is MessageState.QUEUED:
        told = _("the email with the result was not sent yet; it waits in the outbox")
    detail = Masker(settings.secrets).text(reason.in_language(language))
    say(labelled(told, detail), err=True)
    return False


def _deliver(
    message: Message, settings: Settings, defaults: Mapping[str, Any]
) -> tuple[MessageState, Sentence]:
    """Queue a message and send what is due; return what became of it, and why."""
    nothing = Sentence.of("")
    store = _queued(message, settings)
    outbox = make_outbox(
        store, settings, defaults, now=local_now, stopping=lambda: False
    )
    if store is None:
        (receipt,) = outbox.send_now([message], current_folder(), _SECONDS)
        sent = receipt.delivery is Delivery.SENT
        state = MessageState.SENT if sent else MessageState.FAILED
        return state, receipt.detail or nothing
    with store:
        outbox.drain(_SECONDS)
        (queued,) = store.messages.with_ids([message.message_id])
    details = (recipient.detail for recipient in queued.recipients)
    return queued.state, next(filter(None, details), nothing)


def _queued(message: Message, settings: Settings) -> Store | None:
    """Return the records that hold a message now; None where they take none.

    That may be what was found: people have to hear of it all the same.
    """
    now, store = local_now(), None
    try:
        store = open_store(settings.home, now)
        period = Period(now, now, "doctor")
        digests = [(current_folder(), message)]
        store.digests.queue(digests, (), period, again_after=None)
    except StoreError:
        if store is not None:
            store.close()
        return None
    return store


def _row(one: Finding, language: str) -> Row:
    what, why, fix = (
        part.in_language(language) if part else ""
        for part in (one.what, one.why, one.fix)
    )
    return Row(kind=_KINDS[one.severity], what=what, why=why, fix=fix)
