"""What servers answer, as data: a pattern, what the answer means, and what to do.

The first row whose pattern is found in an answer counts; ``explain`` says what the
patterns are looked for in.
"""

from __future__ import annotations

from python_runner.model import Cause
from python_runner.texts.sentence import N_


#: Rows of a pattern (a regular expression, whatever the case), a cause and a template.
Table = tuple[tuple[str, Cause, str], ...]

# Mail servers, by code and text: "535 5.7.3 Authentication unsuccessful". Those of
# Exchange Online are recognised by their text: their codes alone do not tell a wrong
# password from a mailbox whose administrator has to act. After each answer that is known
# the message can leave, once somebody has acted or a day later, also where the code says
# "never".

TOO_LARGE = N_("the mail is too large for the server ({answer})")
_ANSWERED = N_("the server answered: {answer}")
#: A permanent refusal that no row explains, by the step it answers.
REFUSED_SENDER = N_(
    "the server refuses the sender: check MAIL_FROM and LOGIN_MAIL ({answer})"
)
REFUSED_RECIPIENT = N_(
    "the server refuses this recipient: check the address ({answer})"
)
REFUSED_GREETING = N_(
    "the server refuses the name by which this computer greets it: set SMTP_HELO to a name"
    " that the server takes, as a rule the computer's full name in the DNS ({answer})"
)
_REFUSED_COMPUTER = N_(
    "the server takes no mail from this computer's address: its administrator can allow"
    " it, or name another server for SMTP_HOST ({answer})"
)
_BAD_PASSWORD = N_(
    "the server refused LOGIN_MAIL or PASSWORD_MAIL. Check both; an account with"
    " two-step verification needs an app password. To keep the account from being"
    " locked there is one attempt each time reports are sent ({answer})"
)
_BAD_TOKEN = N_(
    "the server refused the token of the application. Check that LOGIN_MAIL is the"
    " address of the mailbox, and let an administrator make sure that the application"
    " has SMTP.SendAsApp of Office 365 Exchange Online with admin consent, and that"
    " Exchange PowerShell has been told of it: New-ServicePrincipal with the object id"
    " of the enterprise application, Add-MailboxPermission with FullAccess. Changes may"
    " take two hours ({answer})"
)

_EXCHANGE = {
    r"basic authentication is disabled": N_(
        "Microsoft 365 no longer accepts a password for SMTP here. An administrator can"
        " allow it again for a while (Exchange admin center, SMTP AUTH, basic"
        " authentication); lasting ways are MAIL_TRANSPORT=smtp-oauth2 or graph"
        " ({answer})"
    ),
    r"SmtpClientAuthentication is disabled for the Tenant": N_(
        "SMTP AUTH is switched off for the whole organisation. In the Exchange admin"
        " center: Settings, Mail flow, clear 'Turn off SMTP AUTH protocol for your"
        " organization'; or switch it on for this mailbox alone (Microsoft 365 admin"
        " center, Users, Mail, Manage email apps, Authenticated SMTP) ({answer})"
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
        "Microsoft 365 has given up passwords for SMTP for good: use"
        " MAIL_TRANSPORT=smtp-oauth2 or graph ({answer})"
    ),
    r"5\.7\.57|not authenticated to send": N_(
        "the server wants a login before it takes mail: set LOGIN_MAIL and"
        " PASSWORD_MAIL ({answer})"
    ),
    r"mailbox logon failure": N_(
        "the application may not open the mailbox. An administrator grants it in"
        " Exchange PowerShell: Add-MailboxPermission with FullAccess for the service"
        " principal ({answer})"
    ),
    r"thread limit exceeded": N_(
        "too many programs send from this mailbox at once; it is tried again later"
        " ({answer})"
    ),
    r"SubmissionQuotaExceeded": N_(
        "the mailbox has reached its daily number of recipients; it is tried again"
        " later ({answer})"
    ),
    r"SendAsDenied|5\.7\.60|not have permissions to send as": N_(
        "LOGIN_MAIL may not send as the sender shown. Make MAIL_FROM the same as"
        " LOGIN_MAIL, or let an administrator grant 'Send as' on that mailbox"
        " ({answer})"
    ),
}
_BY_CODE: Table = (
    # RFC 4954: whatever the text, the login is what is wrong.
    (r"^53[048] ", Cause.TRANSIENT, _ANSWERED),
    # Refusals of what came before the recipient; servers tend to wait with them until one
    # is named. 503 only says that a step is missing.
    (r"^(?!503)\d+ [\s\S]*\b(helo|ehlo)\b", Cause.TRANSIENT, REFUSED_GREETING),
    (r"fully.qualified (host|domain)", Cause.TRANSIENT, REFUSED_GREETING),
    (r"^501 (5\.\d\.\d )?invalid (domain|host)", Cause.TRANSIENT, REFUSED_GREETING),
    (r"client host (rejected|\S+ blocked)", Cause.TRANSIENT, _REFUSED_COMPUTER),
    (r"^5\d\d .*sender address rejected", Cause.PERMANENT, REFUSED_SENDER),
    # RFC 1870. A full mailbox (5.2.2) has 552 as well.
    (r"^552 (?!5\.2\.2)|^5\d\d 5\.(3\.4|2\.3)\b", Cause.TOO_LARGE, TOO_LARGE),
    (r"^5\d\d ", Cause.PERMANENT, _ANSWERED),
    (r"", Cause.TRANSIENT, _ANSWERED),
)
#: By whether a token logs in, or a password. RFC 4954, 6: credentials invalid.
SMTP: dict[bool, Table] = {
    token: (
        *((pattern, Cause.TRANSIENT, known) for pattern, known in _EXCHANGE.items()),
        (r"^535 ", Cause.TRANSIENT, template),
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
        "Microsoft Entra does not know the certificate in OAUTH_CLIENT_CERTIFICATE, or"
        " the private key beside it is another one's. Upload the certificate in the"
        " Entra admin center: App registrations, the application, Certificates &"
        " secrets, Certificates ({answer})"
    ),
    r" AADSTS700024$": N_(
        "Microsoft Entra finds the login too old or from the future: set this"
        " computer's clock ({answer})"
    ),
    r" AADSTS(90002|900023|50059|900382|900383)$": N_(
        "Microsoft Entra knows no organisation OAUTH_TENANT_ID. Entra admin center,"
        " Overview, shows it as 'Tenant ID'; clouds other than the worldwide one also"
        " need OAUTH_AUTHORITY ({answer})"
    ),
    r" AADSTS700016$": N_(
        "there is no application OAUTH_CLIENT_ID in the organisation OAUTH_TENANT_ID."
        " Entra admin center, App registrations, the application, Overview shows both"
        " as 'Application (client) ID' and 'Directory (tenant) ID' ({answer})"
    ),
    r" AADSTS(7000111|7000112)$": N_(
        "the application OAUTH_CLIENT_ID is switched off. Entra admin center,"
        " Enterprise applications, the application, Properties, 'Enabled for users to"
        " sign-in' ({answer})"
    ),
    r" AADSTS(65001|650056|501051)$": N_(
        "the application OAUTH_CLIENT_ID lacks a permission or an administrator's"
        " consent. Entra admin center, App registrations, the application, API"
        " permissions: add the application permission (SMTP.SendAsApp for smtp-oauth2,"
        " Mail.Send for graph), then 'Grant admin consent' ({answer})"
    ),
    r" AADSTS(500011|500014)$": N_(
        "the organisation does not know the service the token is for. OAUTH_AUTHORITY,"
        " GRAPH_URL and OAUTH_TENANT_ID must belong to the same cloud ({answer})"
    ),
    r" AADSTS53003$": N_(
        "a Conditional Access policy of the organisation refuses the application. Entra"
        " admin center, Sign-in logs, Service principal sign-ins names the policy"
        " ({answer})"
    ),
    r"^[5-9]": N_("{host} is in trouble; it is tried again later ({answer})"),
    r" $": N_(
        "what answers at {host} gives no tokens: check OAUTH_AUTHORITY and whether a"
        " proxy or a login page stands between ({answer})"
    ),
    r"": N_("{host} gave no token: {answer}"),
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
    "the application may not send from the mailbox {mailbox}. An administrator grants"
    " it: either Entra admin center, App registrations, the application, API"
    " permissions, Microsoft Graph, application permission Mail.Send, 'Grant admin"
    " consent'; or, for this mailbox alone, RBAC for Applications in Exchange Online."
    " Changes may take two hours ({answer})"
)
_NOT_GRAPH = N_(
    "what answers at GRAPH_URL is not Microsoft Graph: check GRAPH_URL and whether a"
    " proxy or a login page stands between ({answer})"
)
_GRAPH_BUSY = N_(
    "Microsoft Graph takes no more mails from {mailbox} for now; it is tried again"
    " later ({answer})"
)

_NO_MAILBOX = N_(
    "Microsoft Graph finds no mailbox {mailbox}: LOGIN_MAIL must be the address of a"
    " mailbox in Exchange Online of the organisation OAUTH_TENANT_ID ({answer})"
)
_NOT_AS = N_(
    "the mailbox {mailbox} may not send as the sender shown. Make MAIL_FROM the same as"
    " LOGIN_MAIL, or let an administrator grant 'Send as' on that mailbox ({answer})"
)
_GRAPH_TROUBLE = N_("Microsoft Graph is in trouble; it is tried again later ({answer})")
_TOO_LARGE_CODE = r"^413| (ErrorMessageSizeExceeded|RequestEntityTooLarge)$"
_DENIED = r" (ErrorAccessDenied|Authorization_RequestDenied|AccessDenied)$"
_UNKNOWN_MAILBOX = (
    r" (ErrorInvalidUser|ErrorNonExistentMailbox|MailboxNot\w+ForRESTAPI"
    r"|(Request_)?ResourceNotFound)$"
)

GRAPH: Table = (
    (_TOO_LARGE_CODE, Cause.TOO_LARGE, TOO_LARGE),
    (r" InvalidAuthenticationToken$", Cause.UNAVAILABLE, _GRAPH_TOKEN),
    (r" ErrorSendAsDenied$", Cause.TRANSIENT, _NOT_AS),
    (_DENIED, Cause.UNAVAILABLE, _GRAPH_PERMISSION),
    (r" ErrorExceededMessageLimit$", Cause.TRANSIENT, _GRAPH_BUSY),
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
    "{host} takes the connection on port {port} but does not greet ({error}). As a rule"
    " port 587 wants SMTP_SECURITY=starttls and port 465 wants SMTP_SECURITY=tls; a"
    " firewall in between may be the reason too"
)
NO_MAIL_SERVER = N_(
    "what answers at {host} on port {port} is no mail server: check SMTP_HOST,"
    " SMTP_PORT and SMTP_SECURITY"
)
NO_ENCRYPTION = N_(
    "no encrypted connection to {host} on port {port} ({error}). As a rule port 587"
    " wants SMTP_SECURITY=starttls and port 465 wants SMTP_SECURITY=tls"
)
NO_HTTPS_ENCRYPTION = N_(
    "no encrypted connection to {host} on port {port} ({error}): something on the way"
    " interferes, such as a proxy, a firewall or an antivirus program"
)
EXPIRED_CERTIFICATE = N_(
    "the certificate of {host} has expired, so nothing secret was sent: whoever runs"
    " the server has to renew it; check this computer's clock as well ({error})"
)
OTHER_CERTIFICATE = N_(
    "the certificate shown for {host} belongs to another name, so nothing secret was"
    " sent: set {variable} to the name in the certificate ({error})"
)
UNKNOWN_AUTHORITY = N_(
    "the certificate of {host} comes from an authority this computer does not trust, so"
    " nothing secret was sent: set SMTP_CA_FILE to the certificate of your"
    " organisation's authority, but only if you know who answers there ({error})"
)
UNUSABLE_AUTHORITY = N_("the file SMTP_CA_FILE names ({file}) cannot be used: {error}")
NO_STARTTLS = N_(
    "{host} does not offer STARTTLS, so nothing secret was sent. Either the server"
    " wants SMTP_SECURITY=tls (port 465), or something between here and there removes"
    " the offer: an antivirus program, a firewall, an attacker"
)
NO_PASSWORD_LOGIN = N_(
    "{host} takes no login with a password (it offers: {offered}). Unset PASSWORD_MAIL"
    " if it needs none; Microsoft 365 may want MAIL_TRANSPORT=smtp-oauth2 or graph"
)
NO_TOKEN_LOGIN = N_(
    "{host} takes no login with a token (it offers: {offered}): check SMTP_HOST, or use"
    " MAIL_TRANSPORT=smtp with a password"
)
ENDLESS = N_(
    "{host} answers without end, and the connection was closed: what answers there is not"
    " the server that was meant, or is out of order"
)
CONNECTION_LOST = N_("the connection to {host} was lost: {error}")
#: Why there was no login over an open line.
UNENCRYPTED_LOGIN = N_(
    "there was no login, because SMTP_SECURITY=none would show it to the whole network:"
    " set SMTP_SECURITY to starttls or tls"
)
#: Why no connection was tried.
UNUSABLE_PROXY = N_("the address of the proxy cannot be used: check HTTPS_PROXY")
#: Why a message that may have arrived is sent again.
OUTCOME_UNKNOWN = N_(
    "the connection was lost after the mail had been handed over: it may have arrived. It"
    " is sent again with the same identity, by which mail programs recognise a duplicate"
)
#: Why a message is not even tried.
NO_ANSWER_BEFORE = N_(
    "the server gave no answer to an earlier mail; it is tried again later"
)

# What is wrong with a message before it is sent.

OVER_LIMIT = N_("the mail has {size} bytes, and the server takes {limit} at most")
NO_ADDRESS = N_(
    "{address} is no address a mail server takes: letters without accents, no spaces"
)
