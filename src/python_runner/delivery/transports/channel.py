"""Delivery to a chat, a telephone or a web hook, by Apprise."""

from __future__ import annotations

import email
import email.policy
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from python_runner.channels import channel_label
from python_runner.delivery.transports.errors import DeliveryError, receipts_for
from python_runner.installation import extra_command
from python_runner.model import Cause, RunStatus
from python_runner.report.mime import STATUS_HEADER
from python_runner.report.view import SENTENCE
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.model import Message, Receipt

#: What holds unless the address says otherwise: its option, the attribute, the value. A
#: report that is too long is cut rather than refused; seconds to connect and for the
#: answer, because Apprise's four are too few for some services.
_UNLESS_ASKED = (
    ("overflow", "overflow_mode", "truncate"),
    ("cto", "socket_connect_timeout", 10.0),
    ("rto", "socket_read_timeout", 20.0),
)
#: Seconds for all that a service asks and is answered, to deliver one report.
_WHOLE_SECONDS = 60.0
_KINDS: dict[str, str] = {
    RunStatus.SUCCESS: "success",
    RunStatus.FAILURE: "failure",
    RunStatus.NOT_STARTED: "failure",
    RunStatus.STOPPED: "warning",
    RunStatus.INTERRUPTED: "warning",
    RunStatus.SKIPPED: "warning",
}
#: Characters a part of an address needs to be taken for a secret: less is everywhere.
_SHORTEST_SECRET = 3


class ChannelTransport:
    """Sends the subject and the text of each message to one channel.

    Apprise does not say whether a refusal is for ever: every one is a deferral. Its
    words become the receipt's, without what the address holds.
    """

    def __init__(self, url: str) -> None:
        """Take the address; nothing is imported or connected yet."""
        self._url = url
        self._notifier: Any = None

    def send(self, message: Message) -> tuple[Receipt, ...]:
        """Send to the channel; one receipt for the label it goes by."""
        error: DeliveryError | None = None
        try:
            self._notify(message)
        except DeliveryError as refused:
            error = refused
        except ImportError:
            detail = Sentence.of(
                N_("channels need Apprise, which is not installed: {command}"),
                command=extra_command("notify"),
            )
            error = DeliveryError(Cause.TRANSIENT, detail)
        except Exception as broken:  # noqa: BLE001 - a plug-in's; it may quote the address
            error = self._refused([f"{type(broken).__name__}: {broken}"])
        return receipts_for(message.recipients, error)

    def close(self) -> None:
        """Drop the service."""
        self._notifier = None

    def _notify(self, message: Message) -> None:
        if self._notifier is None:
            self._notifier = _notifier(self._url)
        mail = email.message_from_bytes(message.content, policy=email.policy.default)
        body = mail.get_body(("plain",))
        text = str(body.get_content()) if body else message.subject
        from python_runner.delivery.transports.channel_bounds import (  # noqa: PLC0415 - an extra
            bounded_answers,
        )

        with (
            bounded_answers(_WHOLE_SECONDS),
            self._notifier.notify(
                title=message.subject,
                # A mail's lines end otherwise than a chat's.
                body=text.replace("\r\n", "\n"),
                body_format="text",
                notify_type=_KINDS.get(mail.get(STATUS_HEADER, ""), "info"),
            ) as result,
        ):
            if not result:
                raise self._refused([entry.message for entry in result.logs()])

    def _refused(self, lines: Iterable[str]) -> DeliveryError:
        detail = Sentence.of(N_("the channel did not accept the report"))
        if words := one_line(without_secrets(" ".join(lines), self._url), SENTENCE):
            detail = Sentence.of(
                N_("the channel did not accept the report: {answer}"), answer=words
            )
        return DeliveryError(Cause.TRANSIENT, detail)


def without_secrets(text: str, url: str) -> str:
    """Return ``text`` with every part of ``url`` hidden that its label does not show."""
    parts = {*re.split(r"[/?&=:@#,;+\s]+", url), *url.split("/"), url}
    parts |= {unquote(part) for part in parts}
    shown = set(re.split(r"[/ ]+", channel_label(url))) | {url.partition(":")[0]}
    for part in sorted(parts - shown, key=len, reverse=True):
        if len(part) >= _SHORTEST_SECRET:
            text = text.replace(part, "***")
    return text


def _notifier(url: str) -> Any:
    """Return the service behind ``url``, which prints nothing and writes no file.

    Raises:
        ImportError: Apprise is not installed.
        ValueError: it cannot use the address.
    """
    from apprise import Apprise, AppriseAsset  # noqa: PLC0415 - an extra

    asset = AppriseAsset(
        app_id="Python Runner",
        app_desc="Python Runner",
        storage_mode="memory",
        pem_autogen=False,
        pgp_autogen=False,
        # In the calling thread, which has a deadline: Apprise's own outlive the process.
        async_mode=False,
        service_timeout=0,
        http_redirects=False,
    )
    service = Apprise.instantiate(url, asset=asset)
    if service is None:
        raise ValueError("Apprise cannot use the address")
    # A report posted to a page that has moved would be lost silently, or get to another
    # server: not even where the address asks for it.
    service.redirects = False
    for option, attribute, value in _UNLESS_ASKED:
        if not re.search(rf"[?&]{option}=", url, re.IGNORECASE):
            setattr(service, attribute, value)
    return Apprise([service], asset=asset)
