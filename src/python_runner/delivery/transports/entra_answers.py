"""What Microsoft Entra answers instead of a token, in words that say what to do.

Its answers are recognised by the number behind ``AADSTS``: that is documented and stays,
their sentences do not.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from python_runner.masking import Masker
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

#: Characters of an answer that are passed on.
_ANSWER = 300
_SERVER_ERROR = 500

_SECRET = N_(
    "Microsoft Entra refuses OAUTH_CLIENT_SECRET. It must be the secret's value, not its"
    " id, and is shown once only, when it is made: Entra admin center, App registrations,"
    " the application, Certificates & secrets, New client secret ({answer})"
)
_EXPIRED_SECRET = N_(
    "OAUTH_CLIENT_SECRET has expired. Make another one in the Entra admin center (App"
    " registrations, the application, Certificates & secrets, New client secret) and put"
    " its value into OAUTH_CLIENT_SECRET ({answer})"
)
_CERTIFICATE = N_(
    "Microsoft Entra does not know the certificate in OAUTH_CLIENT_CERTIFICATE, or the"
    " private key beside it is another one's. Upload the certificate in the Entra admin"
    " center: App registrations, the application, Certificates & secrets, Certificates"
    " ({answer})"
)
_CLOCK = N_(
    "Microsoft Entra finds the login too old or from the future: set this computer's clock"
    " ({answer})"
)
_TENANT = N_(
    "Microsoft Entra knows no organisation OAUTH_TENANT_ID. Entra admin center, Overview,"
    " shows it as 'Tenant ID'; clouds other than the worldwide one also need"
    " OAUTH_AUTHORITY ({answer})"
)
_APPLICATION = N_(
    "there is no application OAUTH_CLIENT_ID in the organisation OAUTH_TENANT_ID. Entra"
    " admin center, App registrations, the application, Overview shows both as"
    " 'Application (client) ID' and 'Directory (tenant) ID' ({answer})"
)
_DISABLED = N_(
    "the application OAUTH_CLIENT_ID is switched off. Entra admin center, Enterprise"
    " applications, the application, Properties, 'Enabled for users to sign-in' ({answer})"
)
_CONSENT = N_(
    "the application OAUTH_CLIENT_ID lacks a permission or an administrator's consent."
    " Entra admin center, App registrations, the application, API permissions: add the"
    " application permission (SMTP.SendAsApp for smtp-oauth2, Mail.Send for graph), then"
    " 'Grant admin consent' ({answer})"
)
_RESOURCE = N_(
    "the organisation does not know the service the token is for. OAUTH_AUTHORITY,"
    " GRAPH_URL and OAUTH_TENANT_ID must belong to the same cloud ({answer})"
)
_POLICY = N_(
    "a Conditional Access policy of the organisation refuses the application. Entra admin"
    " center, Sign-in logs, Service principal sign-ins names the policy ({answer})"
)

#: The numbers of Microsoft's list "Microsoft Entra authentication and authorization
#: error codes" that an application without a user can meet.
_KNOWN: Mapping[int, str] = {
    7000215: _SECRET,
    7000216: _SECRET,
    7000218: _SECRET,
    7000222: _EXPIRED_SECRET,
    700027: _CERTIFICATE,
    700024: _CLOCK,
    90002: _TENANT,
    900023: _TENANT,
    50059: _TENANT,
    900382: _TENANT,
    900383: _TENANT,
    700016: _APPLICATION,
    7000111: _DISABLED,
    7000112: _DISABLED,
    65001: _CONSENT,
    650056: _CONSENT,
    501051: _CONSENT,
    500011: _RESOURCE,
    500014: _RESOURCE,
    53003: _POLICY,
}


def no_token(
    status: int, text: str, host: str, *, secrets: Collection[str] = ()
) -> Sentence:
    """Return why an answer holds no token, and what to do.

    Args:
        status: of HTTP.
        text: the answer's body.
        host: who answered.
        secrets: what is not quoted, should the answer repeat it.
    """
    said = _description(text)
    words = Masker(secrets).text(said or text)
    number = re.search(r"AADSTS([0-9]+)", said)
    if number and (advice := _KNOWN.get(int(number[1]))):
        return Sentence.of(advice, answer=one_line(words, _ANSWER))
    values = {"host": host, "answer": one_line(f"{status} {words}", _ANSWER)}
    if status >= _SERVER_ERROR:
        return Sentence(
            N_("{host} is in trouble; it is tried again later ({answer})"), values
        )
    if not said:
        return Sentence(
            N_(
                "what answers at {host} gives no tokens: check OAUTH_AUTHORITY and whether"
                " a proxy or a login page stands between ({answer})"
            ),
            values,
        )
    return Sentence(N_("{host} gave no token: {answer}"), values)


def _description(text: str) -> str:
    """Return what OAuth calls the description of an error; empty if there is none."""
    try:
        error = json.loads(text)
    except ValueError:
        return ""
    if not isinstance(error, dict):
        return ""
    said = str(error.get("error_description") or error.get("error") or "")
    # Then follow identifiers and the time, which only support can use.
    return re.split(r"\s*Trace ID:", said)[0]
