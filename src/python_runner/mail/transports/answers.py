"""What servers and networks answer, in words that say what to do.

The answers of Exchange Online are recognised by their text: their codes alone do not
tell a wrong password from a mailbox whose administrator has to act.
"""

from __future__ import annotations

import re
import socket
import ssl
from typing import TYPE_CHECKING

from python_runner.mail.sanitize import one_line
from python_runner.model import Delivery
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from collections.abc import Iterable
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
#: RFC 4954, 6: authentication credentials invalid.
_REFUSED_LOGIN = 535
#: Answers to a login, RFC 4954: whatever their text, the way in is what is wrong.
_LOGIN_CODES = {530, 534, 535, 538}


def explain(code: int, text: str) -> Text | None:
    """Return what a known answer of a server means and what to do, or None."""
    values = {"answer": one_line(f"{code} {text}", _ANSWER)}
    for pattern, advice in _KNOWN:
        if re.search(pattern, text, re.IGNORECASE):
            return Text(advice, values)
    return Text(_BAD_PASSWORD, values) if code == _REFUSED_LOGIN else None


_ANSWERED = N_("the server answered: {answer}")
#: What a refusal for good means that nobody has explained, by the step it answers.
REFUSED_SENDER = N_(
    "the server refuses the sender: check MAIL_FROM and LOGIN_MAIL ({answer})"
)
REFUSED_RECIPIENT = N_(
    "the server refuses this recipient: check the address ({answer})"
)


def described(code: int, text: str, refused: str | None = None) -> Text:
    """Return a server's answer as a sentence, explained where it is known.

    Args:
        code: of the answer.
        text: of the answer.
        refused: the sentence for an unknown answer that means "never"; default: the
            answer alone.
    """
    values = {"answer": one_line(f"{code} {text}", _ANSWER)}
    never = delivery_of(code, text) is Delivery.FAILED
    return explain(code, text) or Text((never and refused) or _ANSWERED, values)


def delivery_of(code: int, text: str) -> Delivery:
    """Judge an answer that is not a success: again later, or never."""
    permanent = 500 <= code < 600  # noqa: PLR2004 - RFC 5321, 4.2.1
    if not permanent:
        return Delivery.DEFERRED
    waits = code in _LOGIN_CODES or explain(code, text)
    return Delivery.DEFERRED if waits else Delivery.FAILED


def unreachable(error: OSError | ValueError, host: str, port: int) -> Text:
    """Return why no connection came about and what to check."""
    values = {"host": host, "port": port, "error": one_line(str(error), _ANSWER)}
    # A name with an empty or endless label is refused by the codec, before DNS.
    if isinstance(error, (socket.gaierror, ValueError)):
        return Text(
            N_(
                "the name {host} is not known to this network ({error}): check SMTP_HOST"
                " and the network connection"
            ),
            values,
        )
    return Text(
        N_(
            "{host} does not answer on port {port} ({error}): check SMTP_HOST, SMTP_PORT,"
            " the network connection and the firewall"
        ),
        values,
    )


def insecure(error: OSError, host: str, port: int) -> Text:
    """Return why no encrypted connection came about; nothing secret was sent."""
    values = {"host": host, "port": port, "error": one_line(str(error), _ANSWER)}
    return Text(_insecure_template(error), values)


def _insecure_template(error: OSError) -> str:
    if not isinstance(error, ssl.SSLCertVerificationError):
        return N_(
            "no encrypted connection to {host} on port {port} ({error}). As a rule port"
            " 587 wants SMTP_SECURITY=starttls and port 465 wants SMTP_SECURITY=tls"
        )
    if error.verify_code == _EXPIRED:
        return N_(
            "the certificate of {host} has expired, so no password was sent: whoever runs"
            " the server has to renew it; check this computer's clock as well ({error})"
        )
    if error.verify_code in {_WRONG_NAME, _WRONG_ADDRESS}:
        return N_(
            "the certificate shown for {host} belongs to another name, so no password was"
            " sent: set SMTP_HOST to the name in the certificate ({error})"
        )
    return N_(
        "the certificate of {host} comes from an authority this computer does not trust,"
        " so no password was sent: set SMTP_CA_FILE to the certificate of your"
        " organisation's authority, but only if you know who answers there ({error})"
    )


#: Why there was no login over an open line.
PASSWORD_KEPT = N_(
    "the password was not sent, because SMTP_SECURITY=none would show it to the whole"
    " network: set SMTP_SECURITY to starttls or tls"
)
#: Why a message that may have arrived is sent again.
OUTCOME_UNKNOWN = N_(
    "the connection was lost after the mail had been handed over: it may have arrived. It"
    " is sent again with the same identity, by which mail programs recognise a duplicate"
)


def connection_lost(error: OSError, host: str) -> Text:
    """Return that the conversation broke off."""
    values = {"host": host, "error": one_line(str(error), _ANSWER)}
    return Text(N_("the connection to {host} was lost: {error}"), values)


def unusable_authority(error: OSError, file: Path | None) -> Text:
    """Return that the authority to trust cannot be read."""
    template = N_("the file SMTP_CA_FILE names ({file}) cannot be used: {error}")
    return Text(template, {"file": str(file), "error": one_line(str(error), _ANSWER)})


def no_greeting(error: OSError, host: str, port: int) -> Text:
    """Return that somebody takes the call and then says nothing."""
    template = N_(
        "{host} takes the connection on port {port} but does not greet ({error}). As a"
        " rule port 587 wants SMTP_SECURITY=starttls and port 465 wants"
        " SMTP_SECURITY=tls; a firewall in between may be the reason too"
    )
    values = {"host": host, "port": port, "error": one_line(str(error), _ANSWER)}
    return Text(template, values)


def no_mail_server(host: str, port: int) -> Text:
    """Return that somebody answers who does not speak SMTP."""
    template = N_(
        "what answers at {host} on port {port} is no mail server: check SMTP_HOST,"
        " SMTP_PORT and SMTP_SECURITY"
    )
    return Text(template, {"host": host, "port": port})


def no_starttls(host: str) -> Text:
    """Return that the server, or who poses as it, offers no encryption."""
    template = N_(
        "{host} does not offer STARTTLS, so no password was sent. Either the server wants"
        " SMTP_SECURITY=tls (port 465), or something between here and there removes the"
        " offer: an antivirus program, a firewall, an attacker"
    )
    return Text(template, {"host": host})


def no_password_login(host: str, offered: Iterable[str]) -> Text:
    """Return that a password is no way in, and what ``offered`` says is one."""
    template = N_(
        "{host} takes no login with a password (it offers: {offered}). Unset"
        " PASSWORD_MAIL if it needs none; Microsoft 365 may want"
        " MAIL_TRANSPORT=smtp-oauth2 or graph"
    )
    return Text(
        template, {"host": host, "offered": one_line(" ".join(offered), _ANSWER) or "-"}
    )


def too_large(size: int, limit: int) -> Text:
    """Return that the server says beforehand it takes no mail of that size (bytes)."""
    template = N_("the mail has {size} bytes, and the server takes {limit} at most")
    return Text(template, {"size": size, "limit": limit})


def no_address(address: str) -> Text:
    """Return that no server could be told to deliver there."""
    template = N_(
        "{address} is no address a mail server takes: letters without accents, no spaces"
    )
    return Text(template, {"address": one_line(address, _ANSWER)})
