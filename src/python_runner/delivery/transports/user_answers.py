"""What Microsoft's services answer to a user who signed in, where that means another thing.

To an application most of these refusals are an administrator's matter; a user can do more.
The rows stand before those of ``answers``.
"""

from __future__ import annotations

from python_runner.delivery.transports import answers
from python_runner.model import Cause
from python_runner.texts.sentence import N_


_BAD_TOKEN = N_(
    "the server refused the sign-in. LOGIN_MAIL must be the mailbox of the account that"
    " signed in: python-runner mail login --status. SMTP AUTH may also be switched off"
    " for it; MAIL_TRANSPORT=graph does without ({answer})"
)
_SEND_AS = N_(
    "LOGIN_MAIL may not send as the sender shown. Make MAIL_FROM the same as LOGIN_MAIL,"
    " or let an administrator grant 'Send as' on that mailbox to the user ({answer})"
)
_GRAPH_TOKEN = N_(
    "Microsoft Graph refused the sign-in. GRAPH_URL and OAUTH_AUTHORITY must belong to"
    " the same cloud; if they do, sign in again: python-runner mail login ({answer})"
)
_GRAPH_PERMISSION = N_(
    "the user who signed in may not send from the mailbox {mailbox}. For a shared mailbox"
    " an administrator grants 'Send as' to the user in the Exchange admin center; then"
    " sign in again: python-runner mail login ({answer})"
)
_NO_MAILBOX = N_(
    "Microsoft Graph finds no mailbox {mailbox}: the account that signed in needs one in"
    " Exchange Online or Outlook.com, and MAIL_FROM must be its address or that of a"
    " shared mailbox ({answer})"
)

_OWN_SMTP: answers.Table = (
    (
        r"SendAsDenied|5\.7\.60|not have permissions to send as",
        Cause.CLOSED,
        _SEND_AS,
    ),
)
#: By code and text, as ``answers.SMTP``.
SMTP: answers.Table = (
    *_OWN_SMTP,
    *(
        (pattern, cause, _BAD_TOKEN if pattern == r"^535 " else template)
        for pattern, cause, template in answers.SMTP[True]
    ),
)

_DENIED = (
    r" (ErrorAccessDenied|Authorization_RequestDenied|AccessDenied|ErrorSendAsDenied)$"
)
_UNKNOWN = (
    r" (ErrorInvalidUser|ErrorNonExistentMailbox|MailboxNot\w+ForRESTAPI"
    r"|(Request_)?ResourceNotFound)$"
)
_OWN_GRAPH: answers.Table = (
    (r" InvalidAuthenticationToken$", Cause.UNAVAILABLE, _GRAPH_TOKEN),
    (_DENIED, Cause.UNAVAILABLE, _GRAPH_PERMISSION),
    (_UNKNOWN, Cause.UNAVAILABLE, _NO_MAILBOX),
)
#: By status, where no code says more: in the place of the rows for an application.
_BY_STATUS = {r"^401": _GRAPH_TOKEN, r"^403": _GRAPH_PERMISSION}
#: By status and code, as ``answers.GRAPH``.
GRAPH: answers.Table = (
    *_OWN_GRAPH,
    *(
        (pattern, cause, _BY_STATUS.get(pattern, template))
        for pattern, cause, template in answers.GRAPH
    ),
)
