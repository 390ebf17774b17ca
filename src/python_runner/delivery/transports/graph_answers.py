"""What Microsoft Graph answers to a mail, and what each answer means for it."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.smtp_answers import is_about_size, refused_size
from python_runner.model import Delivery
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from datetime import datetime

    from python_runner.delivery.transports.https import Answer

#: Characters of an answer that are passed on.
_ANSWER = 300
_UNAUTHORIZED = 401
_FORBIDDEN = 403
_NOT_FOUND = 404
_TOO_LARGE = 413
_TOO_MANY = 429
_SERVER_ERROR = 500
#: Seconds to leave a server alone that says "too many" but not how long.
_PAUSE = 10.0

_TOKEN = N_(
    "Microsoft Graph refused the token of the application: GRAPH_URL and OAUTH_AUTHORITY"
    " must belong to the same cloud ({answer})"
)
_PERMISSION = N_(
    "the application may not send from the mailbox {mailbox}. An administrator grants it:"
    " either Entra admin center, App registrations, the application, API permissions,"
    " Microsoft Graph, application permission Mail.Send, 'Grant admin consent'; or, for"
    " this mailbox alone, RBAC for Applications in Exchange Online. Changes may take two"
    " hours ({answer})"
)
_SENDER = N_(
    "the mailbox {mailbox} may not send as the sender shown. Make MAIL_FROM the same as"
    " LOGIN_MAIL, or let an administrator grant 'Send as' on that mailbox ({answer})"
)
_MAILBOX = N_(
    "Microsoft Graph finds no mailbox {mailbox}: LOGIN_MAIL must be the address of a mailbox"
    " in Exchange Online of the organisation OAUTH_TENANT_ID ({answer})"
)
_PLACE = N_(
    "what answers at GRAPH_URL is not Microsoft Graph: check GRAPH_URL and whether a proxy"
    " or a login page stands between ({answer})"
)
_BUSY = N_(
    "Microsoft Graph takes no more mails from {mailbox} for now; it is tried again later"
    " ({answer})"
)
_TROUBLE = N_("Microsoft Graph is in trouble; it is tried again later ({answer})")
_OTHER = N_("Microsoft Graph answered: {answer}")

#: What an error's code means, whatever its status; the mail can leave once somebody has
#: acted.
_KNOWN = {
    "InvalidAuthenticationToken": _TOKEN,
    "ErrorSendAsDenied": _SENDER,
    "ErrorAccessDenied": _PERMISSION,
    "Authorization_RequestDenied": _PERMISSION,
    "AccessDenied": _PERMISSION,
    "ErrorExceededMessageLimit": _BUSY,
    "ErrorInvalidUser": _MAILBOX,
    "ErrorNonExistentMailbox": _MAILBOX,
    "MailboxNotEnabledForRESTAPI": _MAILBOX,
    "MailboxNotSupportedForRESTAPI": _MAILBOX,
    "Request_ResourceNotFound": _MAILBOX,
    "ResourceNotFound": _MAILBOX,
}
_BY_STATUS = {
    _UNAUTHORIZED: _TOKEN,
    _FORBIDDEN: _PERMISSION,
    _NOT_FOUND: _PLACE,
    _TOO_MANY: _BUSY,
}
_SIZE_CODES = {"ErrorMessageSizeExceeded", "RequestEntityTooLarge"}


def refused(answer: Answer, mailbox: str, now: datetime) -> DeliveryError:
    """Return what an answer that is no success means.

    Args:
        answer: what Graph said.
        mailbox: whose mail it was.
        now: aware; what a date in ``Retry-After`` is compared with.
    """
    code, said = _error(answer)
    detail = _detail(answer, code, said, mailbox)
    never = is_about_size(detail) or detail.template == _OTHER
    return DeliveryError(
        Delivery.FAILED if never else Delivery.DEFERRED,
        detail,
        answered=True,
        retry_after=_retry_after(answer, now),
    )


def bars(detail: Sentence) -> bool:
    """Say whether an answer means the way, and so every mail of the round."""
    return detail.template in {_TOKEN, _PERMISSION, _MAILBOX, _PLACE}


def _detail(answer: Answer, code: str, said: str, mailbox: str) -> Sentence:
    status = answer.status_code
    words = one_line(f"{status} {said}", _ANSWER)
    if status == _TOO_LARGE or code in _SIZE_CODES:
        return refused_size(words)
    trouble = _TROUBLE if status >= _SERVER_ERROR else None
    if status < 400:  # noqa: PLR2004 - HTTP: neither taken nor refused
        trouble = _PLACE
    template = _KNOWN.get(code) or trouble or _BY_STATUS.get(status) or _OTHER
    return Sentence.of(template, answer=words, mailbox=mailbox)


def _error(answer: Answer) -> tuple[str, str]:
    """Return the code of an error, and its words with it."""
    try:
        error = json.loads(answer.text)["error"]
        code, message = str(error["code"]), str(error["message"])
    except (ValueError, TypeError, KeyError):
        return "", answer.text
    return code, f"{code}: {message}"


def _retry_after(answer: Answer, now: datetime) -> float | None:
    """Return the seconds a server asks to be left alone, written as such or as a date."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        return max((parsedate_to_datetime(asked) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return _PAUSE if answer.status_code == _TOO_MANY else None
