"""The transports of one delivery, each opened when it is first needed."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.model import RECIPIENTS, Cause
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.delivery.transports import Transport
    from python_runner.masking import Masker
    from python_runner.model import Message, Receipt

#: The folder of mails: one transport serves every project.
_ANYWHERE = Path()


class Connections:
    """The transports of one delivery: one for all mails, or one a project for a channel."""

    def __init__(
        self,
        open_transport: Callable[[Path], Transport | None],
        masker: Masker,
        monotonic: Callable[[], float],
    ) -> None:
        """Take what is needed; nothing is opened.

        ``open_transport`` returns None where the configuration of the project in a
        folder does not name the channel any more. The clock is in seconds.
        """
        self._open_transport = open_transport
        self._masker = masker
        self._monotonic = monotonic
        self._transports: dict[Path, Transport] = {}
        self._began_at = monotonic()

    def send(self, message: Message, folder: Path) -> tuple[Receipt, ...] | None:
        """Send one message of the project in ``folder``.

        None: there is no transport for it. Whatever a transport raises is a deferral.
        """
        self._began_at = self._monotonic()
        if message.audience == RECIPIENTS:
            folder = _ANYWHERE
        try:
            if folder not in self._transports:
                transport = self._open_transport(folder)
                if transport is None:
                    return None
                self._transports[folder] = transport
            receipts = self._transports[folder].send(message)
        except Exception as error:  # noqa: BLE001 - mail never changes a run
            detail = Sentence.of(
                N_("internal error while sending: {error}"), error=repr(error)
            )
            receipts = receipts_for(
                message.recipients, DeliveryError(Cause.INTERNAL, detail)
            )
        return tuple(
            replace(r, detail=r.detail and self._masker.sentence(r.detail))
            for r in receipts
        )

    def close(self) -> None:
        """Close every transport."""
        for transport in self._transports.values():
            with suppress(Exception):
                transport.close()

    def timed_out(self, message: Message) -> tuple[Receipt, ...]:
        """Return the receipts of a message that is not waited for any longer."""
        template = N_("the channel had not accepted the report after {seconds} s")
        if message.audience == RECIPIENTS:
            template = N_(
                "the mail server had not accepted the email after {seconds} s"
            )
        seconds = round(self._monotonic() - self._began_at)
        return deferred(message, Sentence.of(template, seconds=seconds))


def deferred(message: Message, detail: Sentence) -> tuple[Receipt, ...]:
    """Return receipts by which nobody has got ``message`` yet."""
    return receipts_for(message.recipients, DeliveryError(Cause.TRANSIENT, detail))
