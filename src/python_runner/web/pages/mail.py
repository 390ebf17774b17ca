"""The pages of the reports: which wait, and why?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.records import messages, overview
from python_runner.records.messages import MessageState
from python_runner.report.mime import plain_text
from python_runner.report.summary import LINE
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import N_
from python_runner.web import times
from python_runner.web.pages.shared import whole_number
from python_runner.web.site import NotFound, Page
from python_runner.web.states import State


if TYPE_CHECKING:
    from markupsafe import Markup

    from python_runner.records.messages import QueuedMessage
    from python_runner.web.site import Question

#: Messages on a page; those that wait are shown up to as many.
_PAGE = 50
#: Characters of a message that are shown.
_TEXT = 100_000
_WORDS = {
    MessageState.QUEUED: N_("waits"),
    MessageState.SENT: N_("sent"),
    MessageState.FAILED: N_("given up"),
    MessageState.DROPPED: N_("dropped"),
}
_STATES = {
    MessageState.QUEUED: State.SILENT,
    MessageState.SENT: State.WELL,
    MessageState.FAILED: State.FAILED,
    MessageState.DROPPED: State.SKIPPED,
}
_RECIPIENTS = {
    "pending": N_("not sent yet"),
    "sent": N_("sent"),
    "failed": N_("could not be sent"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """A report in the list.

    Attributes:
        why: what the server answered last, or why it waits.
    """

    queued: QueuedMessage
    state: State
    word: str
    recipients: tuple[tuple[str, str], ...]
    subject: str
    project: str


def message_word(queued: QueuedMessage, question: Question) -> str:
    """Return what became of a report."""
    return question.formats.gettext(_WORDS[queued.state])


def recipient_words(
    queued: QueuedMessage, question: Question
) -> tuple[tuple[str, str], ...]:
    """Return each recipient of a report, and what became of it, with the answer."""
    masker, formats = question.projects.masker(queued.path), question.formats
    found = []
    for recipient in queued.recipients:
        words = formats.gettext(_RECIPIENTS[recipient.state])
        if recipient.detail:
            words += f" - {masker.text(formats.say(recipient.detail))}"
        address = masker.text(recipient.address)
        found.append((one_line(address, LINE), one_line(words, 2 * LINE)))
    return tuple(found)


def page(question: Question) -> Page:
    """Return the page of all reports, those that wait first."""
    before = whole_number(question.query.get("before", ""), overview.BEYOND)
    with question.store.view() as view:
        waiting = overview.message_numbers(view, waiting=True, limit=_PAGE + 1)
        ended = overview.message_numbers(
            view, waiting=False, before=before, limit=_PAGE + 1
        )
        shown = [*waiting[:_PAGE], *ended[:_PAGE]]
        found = {one.number: one for one in messages.load(view, shown)}
    views = [
        _view(found[number], question)
        for number in shown
        if number in found and _is_shown(found[number], question)
    ]
    waits = [v for v in views if v.queued.state is MessageState.QUEUED]
    state = State.SILENT if waits else State.WELL
    return Page(
        template="mail.html.j2",
        title=state.shape,
        values={
            "sentence": _sentence(waits, len(waiting) > _PAGE, question),
            "waiting": waits,
            "ended": [v for v in views if v.queued.state is not MessageState.QUEUED],
            "following": ended[_PAGE - 1] if len(ended) > _PAGE else 0,
            "before": before != overview.BEYOND,
        },
        state=state,
        live=before == overview.BEYOND,
    )


def _is_shown(queued: QueuedMessage, question: Question) -> bool:
    return question.projects.shows(queued.path) or not queued.run_id


def _sentence(waits: list[MessageView], more: bool, question: Question) -> str | Markup:
    formats = question.formats
    if not waits:
        return formats.gettext("No report waits.")
    words = formats.ngettext(
        "{count} report waits, the oldest since {moment}: {why}",
        "{count} reports wait, the oldest since {moment}: {why}",
        len(waits),
    )
    oldest = waits[-1]
    answers = [what for _who, what in oldest.recipients]
    return times.sentence(
        words,
        count=formats.number(len(waits)) + ("+" if more else ""),
        moment=times.moment(oldest.queued.queued_at, question.now, formats),
        why=one_line(answers[0], LINE) if answers else "",
    )


def _view(queued: QueuedMessage, question: Question) -> MessageView:
    masker = question.projects.masker(queued.path)
    return MessageView(
        queued=queued,
        state=_STATES[queued.state],
        word=message_word(queued, question),
        recipients=recipient_words(queued, question),
        subject=one_line(masker.text(queued.message.subject), LINE),
        project=queued.project or question.formats.gettext("digest"),
    )


def message_page(question: Question) -> Page:
    """Return the page of one report.

    Raises:
        NotFound: there is none.
    """
    _ = question.formats.gettext
    number = whole_number(question.values["message"], 0)
    with question.store.view() as view:
        found = messages.load(view, [number], contents=True)
    if not found or not _is_shown(found[0], question):
        raise NotFound(_("There is no such report here."))
    queued = found[0]
    shown = _view(queued, question)
    masker = question.projects.masker(queued.path)
    text = ""
    if queued.has_content:
        text = masker.text(clean(plain_text(queued.message.content)))
    words = _("{word}: {subject}")
    return Page(
        template="message.html.j2",
        title=f"{shown.state.shape} {shown.subject}",
        values={
            "sentence": words.format(
                word=shown.word.capitalize(), subject=shown.subject
            ),
            "view": shown,
            "text": text[:_TEXT],
            "cut": len(text) > _TEXT,
        },
        state=shown.state,
    )
