"""What servers answer, as data: a pattern, what the answer means, and what to do.

The first row whose pattern is found in an answer counts; ``explain`` says what the
patterns are looked for in.
"""

from __future__ import annotations

from python_runner.model import Cause
from python_runner.texts.sentence import N_, counted


#: Rows of a pattern (a regular expression, whatever the case), a cause and a template.
Table = tuple[tuple[str, Cause, str], ...]

# Mail servers, by code and text: "535 5.7.3 Authentication unsuccessful". Those of
# Exchange Online are recognised by their text: their codes alone do not tell a wrong
# password from a mailbox whose administrator has to act. After each answer that is known
# the message can leave, once somebody has acted or a day later, also where the code says
# "never".

TOO_LARGE = N_("the email is too large for the server ({answer})")
_ANSWERED = N_("the server answered: {answer}")
#: A permanent refusal that no row explains, by the step it answers.
REFUSED_SENDER = N_(
    "the server refuses the sender: check MAIL_FROM and LOGIN_MAIL ({answer})"
)
REFUSED_RECIPIENT = N_(
    "the server refuses this recipient: check the address ({answer})"
)
REFUSED_GREETING = N_(
    "the server refuses the name with which this computer greets it: set SMTP_HELO to"
    " a name that the server accepts, usually the computer's full name in the DNS"
    " ({answer})"
)
_REFUSED_COMPUTER = N_(
    "the server accepts no email from this computer's address: its administrator can"
    " allow it, or name another server for SMTP_HOST ({answer})"
)
_BAD_PASSWORD = N_(
    "the server refused LOGIN_MAIL or PASSWORD_MAIL. Check both; an account with"
    " two-step verification needs an app password. To keep the account from being"
    " locked, only one attempt is made each time reports are sent ({answer})"
)
_BAD_TOKEN = N_(
    "the server refused the token of the application. LOGIN_MAIL must be"
    " the sign-in name (user principal name) of the mailbox. An"
    " administrator checks in Exchange PowerShell that the application has"
    " the role 'Application SMTP.SendAsApp' for this mailbox:"
    " Test-ServicePrincipalAuthorization must show it with InScope True."
    " Wait 30 minutes after a change: each try keeps the old answer for up"
    " to two hours ({answer})"
)

_EXCHANGE = {
    r"basic authentication is disabled": N_(
        "Microsoft 365 no longer accepts a password for SMTP here. An administrator"
        " can allow it again temporarily (Exchange admin center, SMTP AUTH, basic"
        " authentication); the lasting solutions are MAIL_TRANSPORT=smtp-oauth2 or"
        " graph ({answer})"
    ),
    r"SmtpClientAuthentication is disabled for the Tenant": N_(
        "SMTP AUTH is switched off for the whole organisation. In the"
        " Exchange admin center: Settings, Mail flow, clear 'Turn off SMTP"
        " AUTH protocol for your organization'; or switch it on for this"
        " mailbox alone (Microsoft 365 admin center, Users, Mail, Manage"
        " email apps, Authenticated SMTP). With security defaults it stays"
        " off: then use MAIL_TRANSPORT=graph ({answer})"
    ),
    r"SmtpClientAuthentication is disabled for the Mailbox|smtp_auth_disabled": N_(
        "SMTP AUTH is switched off for this mailbox. In the Microsoft 365 admin center:"
        " Users, Active users, the mailbox, Mail, Manage email apps, tick"
        " 'Authenticated SMTP'; it takes up to an hour ({answer})"
    ),
    r"did not meet the criteria to be authenticated": N_(
        "a security policy of the organisation refuses this sign-in. In the Microsoft"
        " Entra admin center the sign-in log of the mailbox names the policy"
        " (Conditional Access, security defaults) ({answer})"
    ),
    r"5\.7\.30|Basic authentication is not supported": N_(
        "Microsoft 365 no longer accepts passwords for SMTP at all: use"
        " MAIL_TRANSPORT=smtp-oauth2 or graph ({answer})"
    ),
    r"5\.7\.57|not authenticated to send": N_(
        "the server requires authentication: set LOGIN_MAIL and PASSWORD_MAIL"
        " ({answer})"
    ),
    r"mailbox logon failure": N_(
        "the application may not open the mailbox. An administrator gives"
        " it the role 'Application SMTP.SendAsApp' for this mailbox alone in"
        " Exchange PowerShell, and removes SMTP.SendAsApp under API"
        " permissions, which asks for more than sending needs ({answer})"
    ),
    r"thread limit exceeded": N_(
        "too many programs send from this mailbox at once; delivery will be retried"
        " later ({answer})"
    ),
    r"SubmissionQuotaExceeded": N_(
        "the mailbox has reached its daily limit of recipients; delivery will be"
        " retried later ({answer})"
    ),
    r"SendAsDenied|5\.7\.60|not have permissions to send as": N_(
        "LOGIN_MAIL may not send as the sender shown. Unset MAIL_FROM, or"
        " let an administrator grant LOGIN_MAIL 'Send as' on the mailbox of"
        " the sender: Add-RecipientPermission ({answer})"
    ),
}
_BY_CODE: Table = (
    # RFC 4954: whatever the text, the login is what is wrong.
    (r"^53[048] ", Cause.CLOSED, _ANSWERED),
    # Refusals of what came before the recipient; servers tend to wait with them until one
    # is named. 503 only says that a step is missing.
    (r"^(?!503)\d+ [\s\S]*\b(helo|ehlo)\b", Cause.CLOSED, REFUSED_GREETING),
    (r"fully.qualified (host|domain)", Cause.CLOSED, REFUSED_GREETING),
    (r"^501 (5\.\d\.\d )?invalid (domain|host)", Cause.CLOSED, REFUSED_GREETING),
    (r"client host (rejected|\S+ blocked)", Cause.CLOSED, _REFUSED_COMPUTER),
    # RFC 5321: the service is not available; too many connections or messages, as a rule.
    (r"^421 ", Cause.CLOSED, _ANSWERED),
    (r"^5\d\d .*sender address rejected", Cause.PERMANENT, REFUSED_SENDER),
    # RFC 1870. A full mailbox (5.2.2) has 552 as well.
    (r"^552 (?!5\.2\.2)|^5\d\d 5\.(3\.4|2\.3)\b", Cause.TOO_LARGE, TOO_LARGE),
    (r"^5\d\d ", Cause.PERMANENT, _ANSWERED),
    (r"", Cause.TRANSIENT, _ANSWERED),
)
#: By whether a token logs in, or a password. RFC 4954, 6: credentials invalid.
SMTP: dict[bool, Table] = {
    token: (
        *((pattern, Cause.CLOSED, known) for pattern, known in _EXCHANGE.items()),
        (r"^535 ", Cause.CLOSED, template),
        *_BY_CODE,
    )
    for token, template in ((False, _BAD_PASSWORD), (True, _BAD_TOKEN))
}

# Microsoft Entra, by HTTP status and the number behind ``AADSTS`` (Microsoft's list
# "Microsoft Entra authentication and authorization error codes", what an application
# without a user can meet); behind the status stands "other" where only the number is
# missing, and nothing where the answer is not OAuth's.

_ENTRA = {
    r" AADSTS(7000215|7000216|7000218)$": N_(
        "Microsoft Entra refuses OAUTH_CLIENT_SECRET. It must be the secret's value,"
        " not its id, and is shown once only, when it is made: Entra admin center, App"
        " registrations, the application, Certificates & secrets, New client secret"
        " ({answer})"
    ),
    r" AADSTS7000222$": N_(
        "OAUTH_CLIENT_SECRET has expired. Make another one in the Entra admin center"
        " (App registrations, the application, Certificates & secrets, New client"
        " secret) and put its value into OAUTH_CLIENT_SECRET ({answer})"
    ),
    r" AADSTS700027$": N_(
        "Microsoft Entra does not know the certificate in OAUTH_CLIENT_CERTIFICATE,"
        " or the private key beside it does not match it. Upload the certificate in"
        " the Entra admin center: App registrations, the application, Certificates &"
        " secrets, Certificates ({answer})"
    ),
    r" AADSTS700024$": N_(
        "Microsoft Entra considers the sign-in request expired or not yet valid: set"
        " this computer's clock ({answer})"
    ),
    r" AADSTS(90002|900023|50059|900382|900383)$": N_(
        "Microsoft Entra knows no organisation with the ID OAUTH_TENANT_ID. Entra"
        " admin center, Overview, 'Tenant ID'; clouds other than the worldwide one"
        " also need OAUTH_AUTHORITY ({answer})"
    ),
    r" AADSTS700016$": N_(
        "there is no application OAUTH_CLIENT_ID in the organisation OAUTH_TENANT_ID."
        " Entra admin center, App registrations, the application, Overview:"
        " 'Application (client) ID' and 'Directory (tenant) ID' ({answer})"
    ),
    r" AADSTS(7000111|7000112)$": N_(
        "the application OAUTH_CLIENT_ID is switched off. Entra admin center,"
        " Enterprise applications, the application, Properties, 'Enabled for users to"
        " sign-in' ({answer})"
    ),
    r" AADSTS(65001|650056|501051)$": N_(
        "Microsoft Entra issues no token for this service to the"
        " application OAUTH_CLIENT_ID. Entra admin center, Enterprise"
        " applications, the application, Properties: 'Assignment required?'"
        " must be 'No'. What it may send is granted in Exchange, for one"
        " mailbox: permissions under 'API permissions' would be for the"
        " whole organisation ({answer})"
    ),
    r" AADSTS(500011|500014)$": N_(
        "the organisation does not know the service the token is for. OAUTH_AUTHORITY,"
        " GRAPH_URL and OAUTH_TENANT_ID must belong to the same cloud ({answer})"
    ),
    r" AADSTS53003$": N_(
        "a Conditional Access policy of the organisation refuses the application."
        " Entra admin center, Sign-in logs, tab 'Service principal sign-ins': the"
        " policy is named there ({answer})"
    ),
    r"^([5-9]|408|429)": N_(
        "{host} has a problem; delivery will be retried later ({answer})"
    ),
    r" $": N_(
        "{host} issues no tokens: check OAUTH_AUTHORITY, and whether a proxy or a"
        " login page interferes ({answer})"
    ),
    r"": N_("{host} issued no token: {answer}"),
}
ENTRA: Table = tuple(
    (pattern, Cause.UNAVAILABLE, template) for pattern, template in _ENTRA.items()
)

# Microsoft Graph, by HTTP status and the code of its error: "403 ErrorAccessDenied". A
# code counts whatever the status.

_GRAPH_TOKEN = N_(
    "Microsoft Graph refused the token of the application: GRAPH_URL and"
    " OAUTH_AUTHORITY must belong to the same cloud ({answer})"
)
_GRAPH_PERMISSION = N_(
    "the application may not send from the mailbox {mailbox}. An"
    " administrator grants it for this mailbox alone in Exchange PowerShell"
    " (RBAC for Applications): the role 'Application Mail.Send', which"
    " Test-ServicePrincipalAuthorization must show with InScope True. Wait"
    " 30 minutes after a change: each try keeps the old answer for up to two"
    " hours. Mail.Send under API permissions works too, but then the"
    " application may send as anybody in the organisation ({answer})"
)
_NOT_GRAPH = N_(
    "the server at GRAPH_URL is not Microsoft Graph: check GRAPH_URL, and whether a"
    " proxy or a login page interferes ({answer})"
)
_GRAPH_BUSY = N_(
    "Microsoft Graph accepts no more emails from {mailbox} for now; delivery will be"
    " retried later ({answer})"
)

_NO_MAILBOX = N_(
    "Microsoft Graph finds no mailbox {mailbox}: LOGIN_MAIL must be the"
    " sign-in name (user principal name) of a mailbox in Exchange Online of"
    " the organisation OAUTH_TENANT_ID ({answer})"
)
_NOT_AS = N_(
    "the mailbox {mailbox} may not send as the sender shown. Unset"
    " MAIL_FROM, or let an administrator grant 'Send as' on the mailbox of"
    " the sender: Add-RecipientPermission ({answer})"
)
_GRAPH_TROUBLE = N_(
    "Microsoft Graph has a problem; delivery will be retried later ({answer})"
)
_TOO_LARGE_CODE = r"^413| (ErrorMessageSizeExceeded|RequestEntityTooLarge)$"
_DENIED = r" (ErrorAccessDenied|Authorization_RequestDenied|AccessDenied)$"
_UNKNOWN_MAILBOX = (
    r" (ErrorInvalidUser|ErrorNonExistentMailbox|MailboxNot\w+ForRESTAPI"
    r"|(Request_)?ResourceNotFound)$"
)

GRAPH: Table = (
    (_TOO_LARGE_CODE, Cause.TOO_LARGE, TOO_LARGE),
    (r" InvalidAuthenticationToken$", Cause.UNAVAILABLE, _GRAPH_TOKEN),
    (r" ErrorSendAsDenied$", Cause.CLOSED, _NOT_AS),
    (_DENIED, Cause.UNAVAILABLE, _GRAPH_PERMISSION),
    (r" ErrorExceededMessageLimit$", Cause.CLOSED, _GRAPH_BUSY),
    (_UNKNOWN_MAILBOX, Cause.UNAVAILABLE, _NO_MAILBOX),
    # Neither taken nor refused.
    (r"^[123]", Cause.UNAVAILABLE, _NOT_GRAPH),
    (r"^[5-9]", Cause.TRANSIENT, _GRAPH_TROUBLE),
    (r"^401", Cause.UNAVAILABLE, _GRAPH_TOKEN),
    (r"^403", Cause.UNAVAILABLE, _GRAPH_PERMISSION),
    (r"^404", Cause.UNAVAILABLE, _NOT_GRAPH),
    (r"^429", Cause.TRANSIENT, _GRAPH_BUSY),
    (r"", Cause.PERMANENT, N_("Microsoft Graph answered: {answer}")),
)

# What keeps a connection from coming about, or ends it.

UNKNOWN_NAME = N_(
    "the name {host} is not known to this network ({error}): check {variable} and the"
    " network connection"
)
NO_CONNECTION = N_(
    "{host} does not answer on port {port} ({error}): check SMTP_HOST, SMTP_PORT, the"
    " network connection and the firewall"
)
NO_HTTPS_CONNECTION = N_(
    "{host} does not answer on port {port} ({error}): check {variable}, the network"
    " connection, the firewall and whether a proxy is needed (HTTPS_PROXY)"
)
NO_GREETING = N_(
    "{host} accepts the connection on port {port} but sends no greeting ({error})."
    " Usually, port 587 needs SMTP_SECURITY=starttls and port 465 needs"
    " SMTP_SECURITY=tls; a firewall on the way may also be the reason"
)
NO_MAIL_SERVER = N_(
    "{host} (port {port}) is not a mail server: check SMTP_HOST, SMTP_PORT and"
    " SMTP_SECURITY"
)
NO_ENCRYPTION = N_(
    "no encrypted connection to {host} on port {port} ({error}). Usually, port 587"
    " needs SMTP_SECURITY=starttls and port 465 needs SMTP_SECURITY=tls"
)
NO_HTTPS_ENCRYPTION = N_(
    "no encrypted connection to {host} on port {port} ({error}): something on the way"
    " interferes, such as a proxy, a firewall or an antivirus program"
)
EXPIRED_CERTIFICATE = N_(
    "the certificate of {host} has expired, so no secret was sent: the server's"
    " administrator has to renew it; check this computer's clock as well ({error})"
)
OTHER_CERTIFICATE = N_(
    "the certificate presented by {host} bears another name, so no secret was sent:"
    " set {variable} to the name in the certificate ({error})"
)
UNKNOWN_AUTHORITY = N_(
    "the certificate of {host} comes from an authority this computer does not trust,"
    " so no secret was sent: set SMTP_CA_FILE to the certificate of your"
    " organisation's authority, but only if you are sure which server answers"
    " ({error})"
)
UNUSABLE_AUTHORITY = N_(
    "the file that SMTP_CA_FILE names ({file}) cannot be used: {error}"
)
NO_STARTTLS = N_(
    "{host} does not offer STARTTLS, so no secret was sent. Either the server needs"
    " SMTP_SECURITY=tls (port 465), or something on the way removes the offer: an"
    " antivirus program, a firewall, an attacker"
)
NO_PASSWORD_LOGIN = N_(
    "{host} accepts no password (authentication methods offered: {offered}). Unset"
    " PASSWORD_MAIL if it needs none; Microsoft 365 may need"
    " MAIL_TRANSPORT=smtp-oauth2 or graph"
)
NO_TOKEN_LOGIN = N_(
    "{host} accepts no token (authentication methods offered: {offered}): check"
    " SMTP_HOST, or use MAIL_TRANSPORT=smtp with a password"
)
ENDLESS = N_(
    "{host} answers without end, so the connection was closed: it is not the intended"
    " server, or it is faulty"
)
CONNECTION_LOST = N_("the connection to {host} was lost: {error}")
#: Why there was no login over an open line.
UNENCRYPTED_LOGIN = N_(
    "no authentication: with SMTP_SECURITY=none the password would be sent"
    " unencrypted. Set SMTP_SECURITY to starttls or tls"
)
#: Why no connection was tried.
UNUSABLE_PROXY = N_("the address of the proxy cannot be used: check HTTPS_PROXY")
#: Why a message that may have arrived is sent again.
OUTCOME_UNKNOWN = N_(
    "the connection was lost after the email had been handed over: it may have"
    " arrived. It will be sent again with the same identity, by which mail programs"
    " recognise a duplicate"
)
#: Why a message is not even tried.
NO_ANSWER_BEFORE = N_(
    "the server did not answer an earlier email; delivery will be retried later"
)

# What is wrong with a message before it is sent.

OVER_LIMIT = counted(
    "the email has {count} byte, and the server accepts {limit} at most",
    "the email has {count} bytes, and the server accepts {limit} at most",
)
NO_ADDRESS = N_("{address} is not accepted by mail servers: no accents, no spaces")
