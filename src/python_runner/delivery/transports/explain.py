"""Turns what servers and networks answer into errors that say what to do."""

from __future__ import annotations

import json
import re
import socket
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from python_runner.delivery.transports import answers
from python_runner.delivery.transports.bounded import EndlessAnswer
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.facts import dataclass
from python_runner.model import Cause
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from http.client import HTTPException

    from python_runner.masking import Masker

#: Characters of an answer that are passed on.
_QUOTED = 400
_TOO_MANY_REQUESTS = 429
#: Seconds to leave a server alone that says "too many" but not how long.
_PAUSE = 10.0
#: OpenSSL's verification results (x509_vfy.h) that have a remedy of their own.
_CERTIFICATES = {
    10: answers.EXPIRED_CERTIFICATE,
    62: answers.OTHER_CERTIFICATE,
    64: answers.OTHER_CERTIFICATE,
}


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, with the attributes msal expects of one.

    The names of the headers are in lower case.
    """

    status_code: int
    text: str
    headers: Mapping[str, str]


def quoted(answer: object) -> str:
    """Return the beginning of what was answered, on one line."""
    return one_line(str(answer), _QUOTED)


def broken(error: BaseException | None) -> Sentence | str:
    """Return why a connection failed: in words of ours, where they are known."""
    said = str(error)
    if isinstance(error, TimeoutError) or "timed out" in said:
        return Sentence.of(N_("no answer in time"))
    if said.startswith("Connection unexpectedly closed"):
        return Sentence.of(N_("the server closed the connection"))
    if isinstance(error, OSError) and error.strerror:
        sentence = system_error(error)
        if sentence.template == error.strerror:
            return sentence
    return quoted(error)


def unavailable(template: str, /, **values: object) -> DeliveryError:
    """Return the error that keeps every message, with the sentence of ``template``."""
    return DeliveryError(Cause.UNAVAILABLE, Sentence.of(template, **values))


def smtp_error(
    code: int,
    text: str,
    *,
    token: bool = False,
    refused: str | None = None,
    table: answers.Table | None = None,
) -> DeliveryError:
    """Return what a mail server's refusal means, by the rows of ``table``.

    Default are the rows for a password, or (``token``) for that of an application.
    ``refused`` is the template for a permanent refusal that no row explains; default:
    the answer alone.
    """
    cause, template = _look_up(table or answers.SMTP[token], f"{code} {text}")
    if cause is Cause.PERMANENT and refused:
        template = refused
    return DeliveryError(cause, Sentence.of(template, answer=quoted(f"{code} {text}")))


def token_error(status: int, text: str, host: str, masker: Masker) -> DeliveryError:
    """Return why an answer from ``host`` to a request for a token holds none."""
    description = oauth_description(text)
    number = re.search(r"AADSTS[0-9]+", description)
    kind = number[0] if number else "other" if description else ""
    cause, template = _look_up(answers.ENTRA, f"{status} {kind}")
    answer = masker.text(description or text)
    if "{host}" in template:
        # No row explains the number: the status may help.
        answer = f"{status} {answer}"
    return DeliveryError(cause, Sentence.of(template, host=host, answer=quoted(answer)))


def graph_error(
    answer: Answer,
    mailbox: str,
    now: datetime,
    table: answers.Table = answers.GRAPH,
) -> DeliveryError:
    """Return what a refusal of Microsoft Graph means, by the rows of ``table``.

    A date in ``Retry-After`` is compared with ``now``, which is aware.
    """
    status, code, said = answer.status_code, "", answer.text
    try:
        error = json.loads(answer.text)["error"]
        code, message = str(error["code"]), str(error["message"])
        said = f"{code}: {message}"
    except (ValueError, TypeError, KeyError):
        pass
    cause, template = _look_up(table, f"{status} {code}")
    detail = Sentence.of(template, answer=quoted(f"{status} {said}"), mailbox=mailbox)
    return DeliveryError(cause, detail, retry_after=_retry_after(answer, now))


def unreachable(
    error: OSError | ValueError | HTTPException,
    host: str,
    port: int,
    variable: str = "SMTP_HOST",
) -> DeliveryError:
    """Return why no connection to ``host``, which ``variable`` names, came about."""
    template = answers.NO_HTTPS_CONNECTION
    if variable == "SMTP_HOST":
        template = answers.NO_CONNECTION
    # A name with an empty or endless label is refused by the codec, before DNS.
    if isinstance(error, (socket.gaierror, ValueError)):
        template = answers.UNKNOWN_NAME
    values = {"host": host, "port": port, "variable": variable}
    return unavailable(template, error=broken(error), **values)


def insecure(
    error: OSError, host: str, port: int, variable: str = "SMTP_HOST"
) -> DeliveryError:
    """Return why no encrypted connection came about; nothing secret was sent."""
    template = answers.NO_HTTPS_ENCRYPTION
    if isinstance(error, ssl.SSLCertVerificationError):
        template = _CERTIFICATES.get(error.verify_code, answers.UNKNOWN_AUTHORITY)
    elif variable == "SMTP_HOST":
        template = answers.NO_ENCRYPTION
    return unavailable(
        template, host=host, port=port, error=broken(error), variable=variable
    )


def connection_lost(error: OSError | HTTPException, host: str) -> Sentence:
    """Return that the connection broke off, or had to be."""
    if is_endless(error):
        return Sentence.of(answers.ENDLESS, host=host)
    return Sentence.of(answers.CONNECTION_LOST, host=host, error=broken(error))


def is_endless(error: BaseException | None) -> bool:
    """Say whether a server was cut off, also where a library made that its own error."""
    while error is not None:
        if isinstance(error, EndlessAnswer):
            return True
        error = error.__cause__ or error.__context__
    return False


def _look_up(table: answers.Table, answer: str) -> tuple[Cause, str]:
    """Return cause and template of the first row that fits; the last one always does."""
    return next(
        (cause, template)
        for pattern, cause, template in table
        if re.search(pattern, answer, re.IGNORECASE)
    )


def oauth_description(text: str) -> str:
    """Return what OAuth calls the description of an error; empty if there is none."""
    try:
        error = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(error, dict):
        return ""
    description = str(error.get("error_description") or error.get("error") or "")
    # Then follow identifiers and the time, which only support can use.
    return re.split(r"\s*Trace ID:", description)[0]


def _retry_after(answer: Answer, now: datetime) -> float | None:
    """Return the seconds a server asks to be left alone, written as such or as a date."""
    asked = answer.headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdigit():
        return float(asked)
    try:
        return max((parsedate_to_datetime(asked) - now).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return _PAUSE if answer.status_code == _TOO_MANY_REQUESTS else None
