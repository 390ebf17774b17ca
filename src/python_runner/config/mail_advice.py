"""Which way to send fits a mailbox and the people around it: answers in, advice out."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from python_runner.config.providers import is_microsoft, provider_of
from python_runner.facts import dataclass
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from python_runner.model import Provider


class Administrator(StrEnum):
    """Who may change something in the organisation of the mailbox."""

    ME = "me"
    OTHER = "other"
    NOBODY = "nobody"
    #: It is no mailbox of Microsoft 365.
    NONE = "not-microsoft"


class Place(StrEnum):
    """Where Python Runner runs."""

    DESKTOP = "desktop"
    SERVER = "server"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What ``mail setup`` was told.

    Attributes:
        mailbox: the address that sends.
        administrator: who administers it.
        place: where the scripts run.
        server: the mail server of a mailbox that is not Microsoft's, if it was named.
        client: the id of the application, if there is one already.
        tenant: the id of the organisation, if it is known.
    """

    mailbox: str
    administrator: Administrator
    place: Place
    server: str = ""
    client: str = ""
    tenant: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """The way that fits.

    Attributes:
        why: what it is, and why.
        variables: what the ``.env`` file sets for it; an empty value is to be filled in.
        hidden: the variable that is asked for hidden, or None.
        letter: whether an administrator has to do something.
        sign_in: the arguments of ``python-runner`` that sign in, or None.
        unset: variables with which email would leave by another way.
    """

    why: Sentence
    variables: dict[str, str]
    hidden: str | None = None
    letter: bool = False
    sign_in: str | None = None
    unset: tuple[str, ...] = ()


#: With one of these an application signs in instead of the user.
_APPLICATION = ("OAUTH_CLIENT_SECRET", "OAUTH_CLIENT_CERTIFICATE")
#: These win over the server that follows from the address.
_SERVER = ("SMTP_HOST", "SMTP_PORT", "SMTP_SECURITY")


def advise(answers: Answers) -> Advice:
    """Return the way that fits these answers."""
    provider = provider_of(answers.mailbox)
    if provider is not None and is_microsoft(provider):
        return _personal(answers)
    if answers.server or (
        provider is None and answers.administrator is Administrator.NONE
    ):
        return _own_server(answers)
    if provider is not None:
        return _password(answers, provider)
    if answers.administrator is Administrator.NOBODY:
        return _as_user(answers)
    return Advice(
        why=Sentence.of(
            N_(
                "An application of your organisation signs in by itself and sends by"
                " Microsoft Graph (MAIL_TRANSPORT=graph): it needs neither a password"
                " nor a person, nor a browser, so that it works unattended for years."
                " An administrator registers it once and allows it to send from this"
                " mailbox alone."
            )
        ),
        variables={
            "MAIL_TRANSPORT": "graph",
            "LOGIN_MAIL": answers.mailbox,
            "OAUTH_TENANT_ID": answers.tenant,
            "OAUTH_CLIENT_ID": answers.client,
        },
        hidden="OAUTH_CLIENT_SECRET",
        letter=True,
    )


def _sign_in(answers: Answers) -> str:
    on_desktop = answers.place is Place.DESKTOP
    return "mail login" if on_desktop else "mail login --device-code"


def _personal(answers: Answers) -> Advice:
    return Advice(
        why=Sentence.of(
            N_(
                "Personal mailboxes of Outlook accept no password from programs since"
                " September 2024. You sign in once yourself, in the browser, and email"
                " is sent in your name (MAIL_TRANSPORT=smtp-oauth2). It needs the ID of a"
                " registered application that personal accounts may use."
            )
        ),
        variables={
            "MAIL_TRANSPORT": "smtp-oauth2",
            "LOGIN_MAIL": answers.mailbox,
            "OAUTH_TENANT_ID": "consumers",
            "OAUTH_CLIENT_ID": answers.client,
        },
        sign_in=_sign_in(answers),
        unset=(*_APPLICATION, *_SERVER),
    )


def _as_user(answers: Answers) -> Advice:
    why = Sentence.of(
        N_(
            "Without an administrator, you sign in once yourself, and email is sent in"
            " your name by Microsoft Graph (MAIL_TRANSPORT=graph). It needs the ID of a"
            " registered application whose use your organisation leaves to you; sign in"
            " again when your password changes or after 90 days without a report."
        )
    )
    if answers.place is Place.SERVER:
        why = Sentence.of(
            N_("{why} {warning}"),
            why=why,
            warning=Sentence.of(
                N_(
                    "Without a browser the sign-in uses a code (--device-code), which"
                    " many organisations block."
                )
            ),
        )
    return Advice(
        why=why,
        variables={
            "MAIL_TRANSPORT": "graph",
            "LOGIN_MAIL": answers.mailbox,
            "OAUTH_TENANT_ID": answers.tenant or "organizations",
            "OAUTH_CLIENT_ID": answers.client,
        },
        sign_in=_sign_in(answers),
        unset=_APPLICATION,
    )


def _password(answers: Answers, provider: Provider) -> Advice:
    return Advice(
        why=Sentence.of(
            N_(
                "This mailbox sends by SMTP with a password (MAIL_TRANSPORT=smtp); its"
                " server, {host}, follows from the address. {wants}."
            ),
            host=provider.host,
            wants=provider.wants,
        ),
        variables={"MAIL_TRANSPORT": "smtp", "LOGIN_MAIL": answers.mailbox},
        hidden="PASSWORD_MAIL",
        unset=_SERVER,
    )


def _own_server(answers: Answers) -> Advice:
    return Advice(
        why=Sentence.of(
            N_(
                "This mailbox sends by SMTP with a password (MAIL_TRANSPORT=smtp), by"
                " the server that its provider or administrator names. Where that server"
                " needs no password, unset LOGIN_MAIL and set MAIL_FROM instead."
            )
        ),
        variables={
            "MAIL_TRANSPORT": "smtp",
            "LOGIN_MAIL": answers.mailbox,
            "SMTP_HOST": answers.server,
        },
        hidden="PASSWORD_MAIL",
    )
