"""How the terminal words a report in the outbox; nothing here prints."""

from __future__ import annotations

import email
import email.policy
from collections import defaultdict
from typing import TYPE_CHECKING

from python_runner.cli.tables import flat
from python_runner.records.messages import MessageState
from python_runner.texts.formats import moment
from python_runner.texts.sentence import N_, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.records.messages import Addressee, QueuedMessage

_STATES = {
    MessageState.QUEUED: N_("queued"),
    MessageState.SENT: N_("sent"),
    MessageState.FAILED: N_("given up"),
    MessageState.DROPPED: N_("dropped"),
}
_ADDRESSEES = {
    "pending": N_("waiting"),
    "sent": N_("sent"),
    "failed": N_("given up"),
}


def message_lines(queued: QueuedMessage) -> Iterator[str]:
    """Yield what a list says of one report: where it is, for whom, and why."""
    language = system_language()
    yield "  ".join(
        (
            str(queued.number),
            _(_STATES[queued.state]),
            flat(f"{queued.project} ({queued.run_id})"),
            flat(queued.message.subject),
        )
    )
    tries = _("queued {moment}, attempts: {count}").format(
        moment=moment(queued.queued_at, language), count=queued.attempts
    )
    if queued.state is MessageState.QUEUED:
        # Nothing wakes up by itself: what waits leaves with a run, or a flush.
        tries += _(", next try with the first run after {moment}").format(
            moment=moment(queued.next_try_at, language)
        )
    yield f"    {tries}"
    addresses: defaultdict[str, list[str]] = defaultdict(list)
    for addressee in queued.addressees:
        addresses[_what_became_of(addressee)].append(addressee.address)
    for words, whose in addresses.items():
        yield "    " + flat(f"{', '.join(whose)}: {words}")


def _what_became_of(addressee: Addressee) -> str:
    words = _(_ADDRESSEES[addressee.state])
    if addressee.detail:
        words += f" - {addressee.detail.in_language(system_language())}"
    return words


def plain_text(content: bytes) -> str:
    """Return the text of a mail, decoded."""
    message = email.message_from_bytes(content, policy=email.policy.default)
    body = message.get_body(("plain",))
    return str(body.get_content()).rstrip() if body else ""
