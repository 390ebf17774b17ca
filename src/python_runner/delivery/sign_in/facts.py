"""What is known of a sign-in without any of its tokens: who, since when, until when."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import msgspec

from python_runner.delivery.sign_in.errors import again, reason_of
from python_runner.facts import dataclass
from python_runner.files import read_regular
from python_runner.model import parse_mailbox
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import MailSettings

#: A refresh token that nobody has used for so long is dead (Microsoft's "Refresh tokens in
#: the Microsoft identity platform", lifetime).
LIFE = timedelta(days=90)
#: How long before that people are told.
WARNING = timedelta(days=14)
#: A run renews a sign-in that is older, also where it has nothing to send.
RENEWAL = timedelta(days=1)
#: Bytes of the file, by far.
_LONGEST = 100_000
_SHORT = msgspec.Meta(max_length=1000)
#: What a calendar can add to, and show in any time zone.
_CALENDAR = range(2000, 9000)
_AWARE = msgspec.Meta(tz=True)
_PLACE = msgspec.Meta(pattern="^(dpapi|keychain|libsecret|file)$")
#: Characters of an address in the name of a file.
_READABLE = 40

_NOBODY = N_(
    "nobody has signed in to Outlook as {login} in the account {user} of this computer:"
    " python-runner mail login"
)
_DAMAGED = N_(
    "what is known of the sign-in of {login} cannot be read ({file}: {error}). Sign in"
    " again: python-runner mail login"
)
_DEAD = N_(
    "the sign-in of {account} has not been used since {date}, and Microsoft has let it end."
    " Sign in again: python-runner mail login"
)
_DYING = N_(
    "the sign-in of {account} ends on {date}, because it has not been used since {used}."
    " Send an email until then, or sign in again: python-runner mail login"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """A sign-in, as its file keeps it.

    Attributes:
        account: the name with which the user signed in.
        home_account: Microsoft's id of that account.
        user: the account of the computer in which it was done.
        kept_in: where the tokens are: ``dpapi``, ``keychain``, ``libsecret``, ``file``.
        signed_in_at: when the user did it.
        renewed_at: when the tokens were renewed last.
        ended_at: when Microsoft refused to renew them; None where it did not.
        ended_by: the number of that refusal (``AADSTS700082``), or OAuth's word.
        answer: what Microsoft said then, on one line.
    """

    account: Annotated[str, _SHORT]
    home_account: Annotated[str, _SHORT]
    user: Annotated[str, _SHORT]
    kept_in: Annotated[str, _PLACE]
    signed_in_at: Annotated[datetime, _AWARE]
    renewed_at: Annotated[datetime, _AWARE]
    ended_at: Annotated[datetime, _AWARE] | None = None
    ended_by: Annotated[str, _SHORT] = ""
    answer: Annotated[str, _SHORT] = ""

    @property
    def ends_at(self) -> datetime:
        """When it ends, unless it is used before."""
        return self.renewed_at + LIFE

    def is_due(self, now: datetime) -> bool:
        """Say whether a run renews it although nothing is to be sent."""
        # Where the clock was put back, nobody knows how old it is.
        return self.ended_at is not None or not (
            timedelta() <= now - self.renewed_at < RENEWAL
        )

    def notice(self, now: datetime) -> Sentence | None:
        """Return what people have to know or to do; None where all is well."""
        if self.ended_at is not None:
            return again(reason_of(self.ended_by), self.answer)
        used = _day(self.renewed_at)
        if now >= self.ends_at:
            return Sentence.of(_DEAD, account=self.account, date=used)
        if now >= self.ends_at - WARNING:
            ends = _day(self.ends_at)
            return Sentence.of(_DYING, account=self.account, date=ends, used=used)
        return None


_SIGN_IN = msgspec.json.Decoder(SignIn)


class NotSignedIn(Exception):
    """There is no sign-in, or nothing is known of it.

    Attributes:
        detail: why, and what to do.
    """

    def __init__(self, detail: Sentence) -> None:
        super().__init__(detail)
        self.detail = detail


def facts_file(mail: MailSettings) -> Path:
    """Return the file of the facts about the sign-in that mail settings name.

    Raises:
        ValueError: they name no folder for it.
    """
    if mail.sign_in_folder is None:
        raise ValueError("these settings name no folder for a sign-in")
    return mail.sign_in_folder / f"{_name(mail)}.json"


def _name(mail: MailSettings) -> str:
    """Return the name of what is kept for one mailbox, application and cloud."""
    login = (mail.login or "").lower()
    whole = "\0".join((mail.oauth_authority.lower(), mail.oauth_client or "", login))
    digest = hashlib.sha256(whole.encode()).hexdigest()[:16]
    readable = re.sub(r"[^\w@.-]+", "_", login)[:_READABLE]
    return f"{readable}-{digest}"


def read_facts(mail: MailSettings) -> SignIn:
    """Return what is known of the sign-in that mail settings name.

    Raises:
        NotSignedIn: there is none, or its file cannot be read.
    """
    login = mail.login or ""
    nobody = Sentence.of(_NOBODY, login=login, user=computer_user())
    if mail.sign_in_folder is None:
        raise NotSignedIn(nobody)
    file = facts_file(mail)
    try:
        return _in_calendar(_SIGN_IN.decode(read_regular(file, _LONGEST)))
    except FileNotFoundError:
        raise NotSignedIn(nobody) from None
    except (OSError, ValueError, RecursionError) as error:
        raise NotSignedIn(
            Sentence.of(_DAMAGED, login=login, file=str(file), error=said(error))
        ) from error


def said(error: Exception) -> Sentence | str:
    """Return what an error says; what the system says can be translated."""
    return system_error(error) if isinstance(error, OSError) else str(error)


def _in_calendar(facts: SignIn) -> SignIn:
    """Return facts with whose moments one can reckon.

    Raises:
        ValueError: one is not.
    """
    for moment in (facts.signed_in_at, facts.renewed_at, facts.ended_at):
        if moment is not None and moment.year not in _CALENDAR:
            raise ValueError(str(moment))
    return facts


def notice(mail: MailSettings, now: datetime) -> Sentence | None:
    """Return what people have to know or do so that mail goes on leaving, or None.

    Nothing is asked of a server, and no token is read.
    """
    # All ways of a user need the same sign-in.
    for way in mail.user_ways[:1]:
        try:
            return read_facts(way).notice(now)
        except NotSignedIn as error:
            return error.detail
    return None


def shared_mailbox(mail: MailSettings) -> str | None:
    """Return the mailbox that the user sends from where it is not the user's own.

    Nobody shares a mailbox with a personal account: another sender is an alias there.
    """
    sender = parse_mailbox(mail.sender or "")
    login = (mail.login or "").lower()
    if sender is None or sender.address.lower() == login:
        return None
    return None if mail.oauth_tenant == "consumers" else sender.address


def wanted_scopes(mail: MailSettings) -> list[str]:
    """Return what the user has to grant the application so that it can send."""
    if mail.transport == "smtp-oauth2":
        return [mail.smtp_scope]
    scopes = [f"{mail.graph_url}/Mail.Send"]
    if shared_mailbox(mail):
        scopes.append(f"{mail.graph_url}/Mail.Send.Shared")
    return scopes


def computer_user() -> str:
    """Return the account of the computer that this process runs under."""
    # Imported here because only people who have not signed in read it.
    from getpass import getuser  # noqa: PLC0415

    try:
        return getuser()
    except (OSError, KeyError, ImportError):
        # A number without a name: a container, a service.
        return "?"


def _day(moment: datetime) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
