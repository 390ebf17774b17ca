"""What mail servers and networks answer, in words that say what to do.

The answers of Exchange Online are recognised by their text: their codes alone do not
tell a wrong password from a mailbox whose administrator has to act.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

from python_runner.model import Delivery
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterable
    from http.client import HTTPException
    from pathlib import Path

#: Characters of a server's answer that are passed on.
_ANSWER = 400
#: OpenSSL's verification results (x509_vfy.h) that have a remedy of their own.
_EXPIRED = 10
_WRONG_NAME = 62
_WRONG_ADDRESS = 64


#: What an answer holds, and what it means. After each of them the message can leave,
#: once somebody has acted or a day later, also where the code says "never".
_KNOWN = (
    (
        r"basic authentication is disabled",
        N_(
            "Microsoft 365 no longer accepts a password for SMTP here. An administrator"
            " can allow it again for a while (Exchange admin center, SMTP AUTH, basic"
            " authentication); lasting ways are MAIL_TRANSPORT=smtp-oauth2 or graph ({answer})"
        ),
    ),
    (
        r"SmtpClientAuthentication is disabled for the Tenant",
        N_(
            "SMTP AUTH is switched off for the whole organisation. In the Exchange admin"
            " center: Settings, Mail flow, clear 'Turn off SMTP AUTH protocol for your"
            " organization'; or switch it on for this mailbox alone (Microsoft 365 admin"
            " center, Users, Mail, Manage email apps, Authenticated SMTP) ({answer})"
        ),
    ),
    (
        r"SmtpClientAuthentication is disabled for the Mailbox|smtp_auth_disabled",
        N_(
            "SMTP AUTH is switched off for this mailbox. In the Microsoft 365 admin"
            " center: Users, Active users, the mailbox, Mail, Manage email apps, tick"
            " 'Authenticated SMTP'; it takes up to an hour ({answer})"
        ),
    ),
    (
        r"did not meet the criteria to be authenticated",
        N_(
            "a security policy of the organisation refuses this sign-in. In the Microsoft"
            " Entra admin center the sign-in log of the mailbox names the policy"
            " (Conditional Access, security defaults) ({answer})"
        ),
    ),
    (
        r"5\.7\.30|Basic authentication is not supported",
        N_(
            "Microsoft 365 has given up passwords for SMTP for good: use"
            " MAIL_TRANSPORT=smtp-oauth2 or graph ({answer})"
        ),
    ),
    (
        r"5\.7\.57|not authenticated to send",
        N_(
            "the server wants a login before it takes mail: set LOGIN_MAIL and"
            " PASSWORD_MAIL ({answer})"
        ),
    ),
    (
        r"mailbox logon failure",
        N_(
            "the application may not open the mailbox. An administrator grants it in"
            " Exchange PowerShell: Add-MailboxPermission with FullAccess for the service"
            " principal ({answer})"
        ),
    ),
    (
        r"thread limit exceeded",
        N_(
            "too many programs send from this mailbox at once; it is tried again later ({answer})"
        ),
    ),
    (
        r"SubmissionQuotaExceeded",
        N_(
            "the mailbox has reached its daily number of recipients; it is tried again"
            " later ({answer})"
        ),
    ),
    (
        r"SendAsDenied|5\.7\.60|not have permissions to send as",
        N_(
            "LOGIN_MAIL may not send as the sender shown. Make MAIL_FROM the same as"
            " LOGIN_MAIL, or let an administrator grant 'Send as' on that mailbox ({answer})"
        ),
    ),
)


_BAD_PASSWORD = N_(
    "the server refused LOGIN_MAIL or PASSWORD_MAIL. Check both; an account with two-step"
    " verification needs an app password. To keep the account from being locked there is"
    " one attempt per delivery round ({answer})"
)
_BAD_TOKEN = N_(
    "the server refused the token of the application. Check that LOGIN_MAIL is the address"
    " of the mailbox, and let an administrator make sure that the application has"
    " SMTP.SendAsApp of Office 365 Exchange Online with admin consent, and that Exchange"
    " PowerShell has been told of it: New-ServicePrincipal with the object id of the"
    " enterprise application, Add-MailboxPermission with FullAccess. Changes may take two"
    " hours ({answer})"
)
#: RFC 4954, 6: authentication credentials invalid.
_REFUSED_LOGIN = 535
#: RFC 1870, 6: the message exceeds the size limit.
_TOO_LARGE = 552
#: Answers to a login, RFC 4954: whatever their text, the way in is what is wrong.
_LOGIN_CODES = {530, 534, 535, 538}


def explain(code: int, text: str, *, token: bool = False) -> Sentence | None:
    """Return what a known answer of a server means and what to do, or None.

    Args:
        code: of the answer.
        text: of the answer.
        token: the login was made with a token, not with a password.
    """
    values = {"answer": one_line(f"{code} {text}", _ANSWER)}
    for pattern, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return Sentence(advice, values)
    if code != _REFUSED_LOGIN:
        return None
    return Sentence(_BAD_TOKEN if token else _BAD_PASSWORD, values)


_ANSWERED = N_("the server answered: {answer}")
#: What a refusal for good means that nobody has explained, by the step it answers.
REFUSED_SENDER = N_(
    "the server refuses the sender: check MAIL_FROM and LOGIN_MAIL ({answer})"
)
REFUSED_RECIPIENT = N_(
    "the server refuses this recipient: check the address ({answer})"
)


def described(
    code: int, text: str, *, token: bool = False, refused: str | None = None
) -> Sentence:
    """Return a server's answer as a sentence, explained where it is known.

    Args:
        code: of the answer.
        text: of the answer.
        token: the login was made with a token, not with a password.
        refused: the sentence for an unknown answer that means "never"; default: the
            answer alone.
    """
    if known := explain(code, text, token=token):
        return known
    answer = one_line(f"{code} {text}", _ANSWER)
    if _for_size(code, text):
        return refused_size(answer)
    never = delivery_of(code, text) is Delivery.FAILED
    return Sentence.of((never and refused) or _ANSWERED, answer=answer)


def _for_size(code: int, text: str) -> bool:
    """Say whether an answer means "too large"; a full mailbox (5.2.2) has 552 as well."""
    if re.match(r"5\.(3\.4|2\.3)\b", text):
        return True
    return code == _TOO_LARGE and not text.startswith("5.2.2")


def delivery_of(code: int, text: str) -> Delivery:
    """Judge an answer that is not a success: again later, or never."""
    permanent = 500 <= code < 600  # noqa: PLR2004 - RFC 5321, 4.2.1
    if not permanent:
        return Delivery.DEFERRED
    waits = code in _LOGIN_CODES or explain(code, text)
    return Delivery.DEFERRED if waits else Delivery.FAILED


def unreachable(
    error: OSError | ValueError | HTTPException,
    host: str,
    port: int,
    variable: str = "SMTP_HOST",
) -> Sentence:
    """Return why no connection came about and what to check.

    Args:
        error: what went wrong.
        host: who was called.
        port: where.
        variable: the setting that names ``host``.
    """
    values = _values(error, host, port, variable)
    # A name with an empty or endless label is refused by the codec, before DNS.
    if isinstance(error, (socket.gaierror, ValueError)):
        return Sentence(
            N_(
                "the name {host} is not known to this network ({error}): check {variable}"
                " and the network connection"
            ),
            values,
        )
    if variable != "SMTP_HOST":
        return Sentence(
            N_(
                "{host} does not answer on port {port} ({error}): check {variable}, the"
                " network connection, the firewall and whether a proxy is needed"
                " (HTTPS_PROXY)"
            ),
            values,
        )
    return Sentence(
        N_(
            "{host} does not answer on port {port} ({error}): check SMTP_HOST, SMTP_PORT,"
            " the network connection and the firewall"
        ),
        values,
    )


def insecure(
    error: OSError, host: str, port: int, variable: str = "SMTP_HOST"
) -> Sentence:
    """Return why no encrypted connection came about; nothing secret was sent."""
    values = _values(error, host, port, variable)
    return Sentence(_insecure_template(error, variable), values)


def _insecure_template(error: OSError, variable: str) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        if variable != "SMTP_HOST":
            return N_(
                "no encrypted connection to {host} on port {port} ({error}): something on"
                " the way interferes, such as a proxy, a firewall or an antivirus program"
            )
        return N_(
            "no encrypted connection to {host} on port {port} ({error}). As a rule port"
            " 587 wants SMTP_SECURITY=starttls and port 465 wants SMTP_SECURITY=tls"
        )
    if error.verify_code == _EXPIRED:
        return N_(
            "the certificate of {host} has expired, so nothing secret was sent: whoever"
            " runs the server has to renew it; check this computer's clock as well"
            " ({error})"
        )
    if error.verify_code in {_WRONG_NAME, _WRONG_ADDRESS}:
        return N_(
            "the certificate shown for {host} belongs to another name, so nothing secret"
            " was sent: set {variable} to the name in the certificate ({error})"
        )
    return N_(
        "the certificate of {host} comes from an authority this computer does not trust,"
        " so nothing secret was sent: set SMTP_CA_FILE to the certificate of your"
        " organisation's authority, but only if you know who answers there ({error})"
    )


def _values(error: Exception, host: str, port: int, variable: str) -> dict[str, object]:
    said = one_line(str(error), _ANSWER)
    return {"host": host, "port": port, "error": said, "variable": variable}


#: Why there was no login over an open line.
LOGIN_KEPT = N_(
    "there was no login, because SMTP_SECURITY=none would show it to the whole network:"
    " set SMTP_SECURITY to starttls or tls"
)
#: Why a message that may have arrived is sent again.
OUTCOME_UNKNOWN = N_(
    "the connection was lost after the mail had been handed over: it may have arrived. It"
    " is sent again with the same identity, by which mail programs recognise a duplicate"
)

#: Why nobody was called.
NO_PROXY = N_("the address of the proxy cannot be used: check HTTPS_PROXY")
#: Why a message is not even tried.
NO_ANSWER = N_("the server gave no answer to an earlier mail; it is tried again later")


def connection_lost(error: OSError | HTTPException, host: str) -> Sentence:
    """Return that the conversation broke off."""
    values = {"host": host, "error": one_line(str(error), _ANSWER)}
    return Sentence(N_("the connection to {host} was lost: {error}"), values)


def unusable_authority(error: OSError, file: Path | None) -> Sentence:
    """Return that the authority to trust cannot be read."""
    return Sentence.of(
        N_("the file SMTP_CA_FILE names ({file}) cannot be used: {error}"),
        file=str(file),
        error=one_line(str(error), _ANSWER),
    )


def no_greeting(error: OSError, host: str, port: int) -> Sentence:
    """Return that somebody takes the call and then says nothing."""
    values = {"host": host, "port": port, "error": one_line(str(error), _ANSWER)}
    return Sentence(
        N_(
            "{host} takes the connection on port {port} but does not greet ({error}). As a"
            " rule port 587 wants SMTP_SECURITY=starttls and port 465 wants"
            " SMTP_SECURITY=tls; a firewall in between may be the reason too"
        ),
        values,
    )


def no_mail_server(host: str, port: int) -> Sentence:
    """Return that somebody answers who does not speak SMTP."""
    return Sentence.of(
        N_(
            "what answers at {host} on port {port} is no mail server: check SMTP_HOST,"
            " SMTP_PORT and SMTP_SECURITY"
        ),
        host=host,
        port=port,
    )


def no_starttls(host: str) -> Sentence:
    """Return that the server, or who poses as it, offers no encryption."""
    return Sentence.of(
        N_(
            "{host} does not offer STARTTLS, so nothing secret was sent. Either the server wants"
            " SMTP_SECURITY=tls (port 465), or something between here and there removes the"
            " offer: an antivirus program, a firewall, an attacker"
        ),
        host=host,
    )


def no_password_login(host: str, offered: Iterable[str]) -> Sentence:
    """Return that a password is no way in, and what ``offered`` says is one."""
    return Sentence.of(
        N_(
            "{host} takes no login with a password (it offers: {offered}). Unset"
            " PASSWORD_MAIL if it needs none; Microsoft 365 may want"
            " MAIL_TRANSPORT=smtp-oauth2 or graph"
        ),
        host=host,
        offered=one_line(" ".join(offered), _ANSWER) or "-",
    )


def no_token_login(host: str, offered: Iterable[str]) -> Sentence:
    """Return that a token is no way in, and what ``offered`` says is one."""
    return Sentence.of(
        N_(
            "{host} takes no login with a token (it offers: {offered}): check SMTP_HOST, or"
            " use MAIL_TRANSPORT=smtp with a password"
        ),
        host=host,
        offered=one_line(" ".join(offered), _ANSWER) or "-",
    )


_OVER_LIMIT = N_("the mail has {size} bytes, and the server takes {limit} at most")
_REFUSED_SIZE = N_("the mail is too large for the server ({answer})")


def too_large(size: int, limit: int) -> Sentence:
    """Return that the server says beforehand it takes no mail of that size (bytes)."""
    return Sentence.of(_OVER_LIMIT, size=size, limit=limit)


def refused_size(answer: str) -> Sentence:
    """Return that the server refused a mail for its size."""
    return Sentence.of(_REFUSED_SIZE, answer=one_line(answer, _ANSWER))


def is_about_size(detail: Sentence | None) -> bool:
    """Say whether a receipt's ``detail`` means: a smaller mail would be taken."""
    return detail is not None and detail.template in {_OVER_LIMIT, _REFUSED_SIZE}


def no_address(address: str) -> Sentence:
    """Return that no server could be told to deliver there."""
    return Sentence.of(
        N_(
            "{address} is no address a mail server takes: letters without accents, no spaces"
        ),
        address=one_line(address, _ANSWER),
    )
