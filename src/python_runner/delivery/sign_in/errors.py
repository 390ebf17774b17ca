"""Why Microsoft refuses a sign-in or its renewal, as data: the number, the reason, what to do.

The numbers are those of Microsoft's list "Microsoft Entra authentication and authorization
error codes", as far as a user who sends mail can meet them. The first row that has a
number counts; OAuth's own words (RFC 6749, RFC 8628) stand for answers without one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import oauth_description, quoted
from python_runner.model import Cause
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.masking import Masker

_AGAIN = N_("{reason}. Sign in again: python-runner mail login ({answer})")
_ALONE = N_("{reason} ({answer})")
_UNKNOWN = N_("Microsoft refuses the sign-in")
_TROUBLE = N_("{host} has a problem; delivery will be retried later")
_TROUBLE_NOW = N_("{host} has a problem for the moment: start again in some minutes")
_NO_PROVIDER = N_(
    "{host} issues no tokens: check OAUTH_AUTHORITY, and whether a proxy or a login page"
    " interferes"
)

_REASONS: dict[tuple[str, ...], str] = {
    ("50072", "50074", "50076", "50078", "50079", "50158", "50203"): N_(
        "the organisation asks for a second proof of who signs in (multifactor"
        " authentication), which only the user can give"
    ),
    ("50173", "50133", "70046", "50089", "50132"): N_(
        "the sign-in is not valid any more: the password was changed, or somebody signed"
        " the account out everywhere"
    ),
    ("700082", "700081", "700084", "70043"): N_(
        "the sign-in has expired: it was not used for too long, or the organisation lets"
        " none last longer"
    ),
    ("53000", "53001", "530001", "530002", "530003", "50097", "50129"): N_(
        "the organisation only lets computers sign in that it manages (Conditional"
        " Access), and this one is not, or does not follow its rules. Ask its"
        " administrator, or run Python Runner on a managed computer"
    ),
    ("53002", "53009", "530021"): N_(
        "the organisation only lets applications sign in that it has approved"
        " (Conditional Access). An administrator can exempt the application"
        " OAUTH_CLIENT_ID"
    ),
    ("53003", "53004", "530032", "530034", "53011"): N_(
        "a Conditional Access policy of the organisation refuses the sign-in. The"
        " administrator finds the policy in the Entra admin center, Sign-in logs. Device"
        " codes are often blocked: sign in with the browser, without --device-code"
    ),
    ("50105",): N_(
        "the user is not assigned to the application OAUTH_CLIENT_ID. Entra admin"
        " center, Enterprise applications, the application, Users and groups: an"
        " administrator adds the user"
    ),
    ("65001", "65004", "65005", "consent_required"): N_(
        "the user has not granted the application that it may send email"
    ),
    ("90094", "90095", "90093", "650056", "650057", "650052"): N_(
        "an administrator of the organisation has to grant the application that its users"
        " may send email with it. Entra admin center, Enterprise applications, the"
        " application, Permissions, 'Grant admin consent': delegated permission"
        " SMTP.Send of Office 365 Exchange Online, or Mail.Send of Microsoft Graph"
    ),
    ("700016", "unauthorized_client"): N_(
        "there is no application OAUTH_CLIENT_ID for this kind of account: check"
        " OAUTH_CLIENT_ID and OAUTH_TENANT_ID, and in the Entra admin center, App"
        " registrations, the application, Authentication, which accounts it supports"
    ),
    ("7000218", "7000215", "700025", "invalid_client"): N_(
        "the application OAUTH_CLIENT_ID is not registered as a public client. Entra"
        " admin center, App registrations, the application, Authentication: add the"
        " platform 'Mobile and desktop applications' with http://localhost, and set"
        " 'Allow public client flows' to Yes"
    ),
    ("50011", "500113", "900971", "9002327", "9002326"): N_(
        "the application OAUTH_CLIENT_ID does not know the address to which the browser"
        " returns. Entra admin center, App registrations, the application,"
        " Authentication: add the platform 'Mobile and desktop applications' with"
        " http://localhost (not as single-page or web application)"
    ),
    ("50034", "51004", "50128", "500208"): N_(
        "Microsoft does not know this account. Check LOGIN_MAIL; a personal account"
        " needs OAUTH_TENANT_ID=consumers, one of work or school"
        " OAUTH_TENANT_ID=organizations"
    ),
    ("50020", "500200", "9002331", "9002346", "500011", "9002332"): N_(
        "this kind of account does not belong here: a personal account needs"
        " OAUTH_TENANT_ID=consumers, one of work or school"
        " OAUTH_TENANT_ID=organizations or the organisation's id. The registration of"
        " the application must support it"
    ),
    ("50194",): N_(
        "the application OAUTH_CLIENT_ID is for one organisation only: set"
        " OAUTH_TENANT_ID to the id of that organisation"
    ),
    ("90002", "900023", "50059", "90019", "900382", "900383", "invalid_tenant"): N_(
        "Microsoft Entra knows no organisation with the ID OAUTH_TENANT_ID. Entra admin"
        " center, Overview, 'Tenant ID'; clouds other than the worldwide one also need"
        " OAUTH_AUTHORITY"
    ),
    ("50053", "50196", "slow_down"): N_(
        "the account has signed in too often in a short time; Microsoft accepts it again"
        " after some minutes"
    ),
    ("50055", "50144"): N_("the password of the account has expired: change it"),
    ("50057",): N_("the account is switched off: ask the administrator"),
    ("50126",): N_("the name or the password was wrong"),
    ("7000111", "7000112"): N_(
        "the application OAUTH_CLIENT_ID is switched off. Entra admin center,"
        " Enterprise applications, the application, Properties, 'Enabled for users to"
        " sign-in'"
    ),
    ("70000", "70002", "70008", "54005", "501481", "invalid_grant"): N_(
        "Microsoft does not accept the sign-in any more: it was used up, revoked, or"
        " belongs to another application"
    ),
    ("70011", "70001", "invalid_scope"): N_(
        "the service does not exist in this cloud: OAUTH_AUTHORITY and GRAPH_URL must"
        " belong to the same cloud"
    ),
    ("700024",): N_("the sign-in counts as expired: set this computer's clock"),
    ("90033", "90022", "90024", "90025", "90085", "temporarily_unavailable"): N_(
        "Microsoft's sign-in service has a problem for the moment"
    ),
    ("access_denied", "authorization_declined", "50142", "50199"): N_(
        "the sign-in was cancelled or declined"
    ),
    ("70019", "70020", "expired_token"): N_(
        "the code was not entered in time: start again"
    ),
    ("70018", "bad_verification_code"): N_("the code is not the one that was shown"),
    ("interaction_required", "login_required"): N_(
        "Microsoft wants the user to sign in in person"
    ),
}
_BY_CODE = {code: reason for codes, reason in _REASONS.items() for code in codes}
#: OAuth's words for: only the user can go on.
_USER_MUST = frozenset(
    {"invalid_grant", "interaction_required", "login_required", "consent_required"}
)
#: Numbers that pass by themselves, whatever OAuth's word beside them.
_PASSING = frozenset({"50053", "50196", "90033", "90022", "90024", "90025", "700024"})
#: HTTP: the server did not wait any longer, or had too many requests.
_PASSING_STATUS = frozenset({408, 429})
#: Numbers that stand for any reason.
_VAGUE = frozenset({"70000", "70002", "70008"})
#: What a service says that waits for the user to enter a code.
_PENDING = frozenset({"authorization_pending", "slow_down"})
_BAD_REQUEST = 400


class SignInError(DeliveryError):
    """Microsoft gives no token.

    Attributes:
        code: the number of the refusal (``AADSTS700082``), or OAuth's word.
        answer: what Microsoft said, on one line, without secrets.
        ended: whether the user has to sign in again.
    """

    def __init__(
        self, detail: Sentence, *, code: str, answer: str, ended: bool
    ) -> None:
        super().__init__(Cause.UNAVAILABLE, detail)
        self.code = code
        self.answer = answer
        self.ended = ended


def renewal_error(status: int, text: str, host: str, masker: Masker) -> DeliveryError:
    """Return why an answer from ``host`` to a renewal holds no token."""
    return _explained(status, text, host, masker, in_person=False)


def login_error(
    status: int, text: str, host: str, masker: Masker
) -> DeliveryError | None:
    """Return why there is no token while a user signs in; None: the user is not done."""
    if status == _BAD_REQUEST and _document(text).get("error") in _PENDING:
        return None
    return _explained(status, text, host, masker, in_person=True)


def redirect_error(fields: dict[str, str]) -> SignInError:
    """Return why the browser came back without a code."""
    return _refusal(fields, in_person=True, said=oauth_description(json.dumps(fields)))


def again(reason: Sentence, answer: str) -> Sentence:
    """Return a reason with the command by which the user signs in again."""
    return Sentence.of(_AGAIN, reason=reason, answer=answer)


def reason_of(code: str) -> Sentence:
    """Return the reason that a number of Microsoft's or a word of OAuth's stands for."""
    return Sentence.of(_BY_CODE.get(code.removeprefix("AADSTS"), _UNKNOWN))


def _explained(
    status: int, text: str, host: str, masker: Masker, *, in_person: bool
) -> DeliveryError:
    said = oauth_description(text)
    if said and status < 500:  # noqa: PLR2004 - HTTP: the request is at fault
        return _refusal(_document(text), in_person=in_person, said=masker.text(said))
    passing = status >= 500 or status in _PASSING_STATUS  # noqa: PLR2004
    trouble = _TROUBLE_NOW if in_person else _TROUBLE
    template = trouble if passing else _NO_PROVIDER
    answer = quoted(f"{status} {masker.text(said or text)}")
    reason = Sentence.of(template, host=host)
    detail = Sentence.of(_ALONE, reason=reason, answer=answer)
    return DeliveryError(Cause.UNAVAILABLE, detail)


def _refusal(fields: dict[str, str], *, in_person: bool, said: str) -> SignInError:
    word = fields.get("error", "")
    found = re.search(r"AADSTS([0-9]+)", said)
    number = found[1] if found else ""
    # "authorization_declined" says more than the number beside it.
    vague = number in _VAGUE and word in _BY_CODE
    code = number if number in _BY_CODE and not vague else word
    ended = word in _USER_MUST and number not in _PASSING
    answer = quoted(said)
    reason = reason_of(code)
    detail = Sentence.of(_ALONE, reason=reason, answer=answer)
    if ended and not in_person:
        detail = again(reason, answer)
    return SignInError(detail, code=code, answer=answer, ended=ended)


def _document(text: str) -> dict[str, str]:
    try:
        document = json.loads(text)
    except ValueError:
        return {}
    if not isinstance(document, dict):
        return {}
    return {str(key): str(value) for key, value in document.items()}
