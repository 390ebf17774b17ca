"""A folder that receives messages as ``.eml`` files, which a double click opens."""

from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from email import message_from_bytes
from email.policy import SMTP
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.files import make_folder, may_write_in, replacing
from python_runner.model import Cause
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Message, Receipt


class FileTransport:
    """Writes each message into a folder, which is made when it is missing.

    Sending a message again replaces its file: the name follows from the message.
    """

    def __init__(self, folder: Path | None) -> None:
        """Take the folder; None is answered with a sentence, as a missing one is."""
        self._folder = folder

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Write ``message`` as one file, whole or not at all."""
        try:
            file = self.write(message)
        except OSError as os_error:
            error = DeliveryError(Cause.CLOSED, self.problem(os_error))
            return receipts_for(message.recipients, error)
        detail = Sentence.of(N_("written to {file}"), file=str(file))
        receipts = receipts_for(message.recipients, None)
        return tuple(replace(receipt, detail=detail) for receipt in receipts)

    def close(self) -> None:
        """Do nothing: no file stays open."""

    def write(self, message: Message) -> Path:
        """Write ``message`` and return its file.

        Raises:
            OSError: it could not be written; no part of it is left.
        """
        if self._folder is None:
            raise FileNotFoundError("MAIL_DIR is not set")
        make_folder(self._folder)
        target = self._folder / _file_name(message)
        with replacing(target) as file:
            file.write(message.content)
            file.flush()
            os.fsync(file.fileno())
        return target

    def require_folder(self) -> Path:
        """Return the folder, where mails can be written into it; nothing is written.

        Raises:
            OSError: they cannot.
        """
        if self._folder is None:
            raise FileNotFoundError("MAIL_DIR is not set")
        if not may_write_in(self._folder):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        return self._folder

    def problem(self, error: OSError) -> Sentence:
        """Return what to do about an error of :meth:`write`."""
        return Sentence.of(
            N_(
                "the email could not be written to the folder that MAIL_DIR names"
                " ({folder}): {error}"
            ),
            folder=str(self._folder or ""),
            error=system_error(error),
        )


def _file_name(message: Message) -> str:
    date = message_from_bytes(message.content, policy=SMTP).get("Date")
    when = getattr(date, "datetime", None)
    prefix = when.strftime("%Y-%m-%d_%H-%M-%S") if when else "undated"
    identity = re.sub(r"[^A-Za-z0-9.@-]+", "_", message.message_id.strip("<>"))
    return f"{prefix}_{identity[:150]}.eml"
