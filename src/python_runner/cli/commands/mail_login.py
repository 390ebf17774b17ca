"""``python-runner mail login`` and ``logout``: sign in to Outlook as oneself, once."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from contextlib import closing, suppress
from datetime import datetime
from typing import TYPE_CHECKING

import click

from python_runner.cli.streams import say, show
from python_runner.cli.targets import env_file_option
from python_runner.cli.wording import formats, labelled
from python_runner.config.settings import load_settings, require_mail
from python_runner.delivery.transports import missing_extra
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.exceptions import InvalidConfiguration, PythonRunnerError
from python_runner.exit_codes import EXIT_FAILURE, EXIT_SUCCESS
from python_runner.masking import Masker
from python_runner.model import TOKEN_TRANSPORTS
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from python_runner.delivery.sign_in.facts import SignIn
    from python_runner.delivery.sign_in.login import DeviceCode
    from python_runner.model import MailSettings, Settings

_HELP = N_(
    "Sign in to Outlook, once. Reports then leave in the name of your account, without a"
    " password in a file. Needs MAIL_TRANSPORT=graph or smtp-oauth2, LOGIN_MAIL and"
    " OAUTH_CLIENT_ID."
)


@click.command("login", help=_(_HELP))
@click.option(
    "--device-code",
    is_flag=True,
    help=_(
        "Without a browser on this computer: enter a code on another device. Many"
        " organisations block this (Conditional Access)."
    ),
)
@click.option(
    "--status", is_flag=True, help=_("Say who is signed in and until when; ask nobody.")
)
@click.option(
    "--in-file",
    is_flag=True,
    help=_(
        "Keep the tokens in a file of this account, although the system could encrypt"
        " them: for a keyring that is closed while nobody is logged in."
    ),
)
@env_file_option
def login(
    *, device_code: bool, status: bool, in_file: bool, env_file: Path | None
) -> int:
    """Sign in; 0 once reports can leave, and for a status with nothing to do."""
    if status and (device_code or in_file):
        raise click.UsageError(_("--status goes with no other option"))
    settings = load_settings(env_file)
    first, *others = _checked(settings)
    if status:
        return _show_status(first)
    try:
        facts = _sign_in(first, device_code=device_code, in_file=in_file)
        for way in others:
            # The one grant may be enough for all.
            if not _has_token(way):
                facts = _sign_in(way, device_code=device_code, in_file=in_file)
    except DeliveryError as error:
        return _refused(error, settings)
    say(_("Signed in as {account}."), colour="green", account=facts.account)
    _say_place(first, facts)
    say(_("Reports leave in the name of this account: `python-runner mail test`."))
    return EXIT_SUCCESS


@click.command(
    "logout",
    help=_("Forget the sign-in on this computer."),
)
@env_file_option
def logout(env_file: Path | None) -> int:
    """Delete what is kept of a sign-in; 0 also where nothing was."""
    settings = load_settings(env_file)
    mail = _named(settings)
    from python_runner.delivery.sign_in.keeping import Keeper  # noqa: PLC0415

    keeper = Keeper(mail)
    if not keeper.is_there():
        say(_("Nobody is signed in as {login} here."), login=mail.login)
        return EXIT_SUCCESS
    try:
        with keeper.locked():
            keeper.forget()
    except DeliveryError as error:
        return _refused(error, settings)
    say(_("The sign-in of {login} is forgotten on this computer."), login=mail.login)
    say(
        _(
            "If somebody may have copied it, also sign out everywhere on the security page"
            " of the Microsoft account, or change its password."
        )
    )
    return EXIT_SUCCESS


def _named(settings: Settings) -> MailSettings:
    """Return settings that name a sign-in, also where mail leaves another way by now.

    Raises:
        PythonRunnerError: they name none.
    """
    mail, names = settings.mail, ("LOGIN_MAIL", "OAUTH_CLIENT_ID", "OAUTH_AUTHORITY")
    if wrong := tuple(problem for problem in mail.problems if problem.key in names):
        raise InvalidConfiguration(wrong)
    if missing := [name for name in names[:2] if not settings.environ.get(name)]:
        message = _("to find the sign-in, set {names}")
        raise PythonRunnerError(message.format(names=", ".join(missing)))
    return mail


def _sign_in(way: MailSettings, *, device_code: bool, in_file: bool) -> SignIn:
    from python_runner.delivery.sign_in.login import Login  # noqa: PLC0415 - seldom used

    with Login(way, in_file=in_file) as attempt:
        if device_code:
            return attempt.by_device_code(_tell_code)
        say(_("Sign in as {login}."), login=way.login)
        return attempt.in_browser(_open_browser, language=system_language())


def _has_token(way: MailSettings) -> bool:
    from python_runner.delivery.transports.tokens import open_tokens  # noqa: PLC0415

    with closing(open_tokens(way)) as tokens, suppress(DeliveryError):
        return bool(tokens.get())
    return False


def _checked(settings: Settings) -> Sequence[MailSettings]:
    """Return the ways by which mail leaves in a user's name: one at the least.

    Raises:
        PythonRunnerError: there is none, or they lack something.
    """
    mail = settings.mail
    if mail.user_ways:
        require_mail(mail, for_run=False)
        for way in mail.user_ways:
            if missing := missing_extra(way):
                raise PythonRunnerError(missing.in_language(system_language()))
        return mail.user_ways
    if mail.problems:
        raise InvalidConfiguration(mail.problems)
    if mail.transport not in TOKEN_TRANSPORTS:
        message = _(
            "MAIL_TRANSPORT is {transport}, which needs no sign-in: set it to graph or"
            " smtp-oauth2"
        )
        raise PythonRunnerError(message.format(transport=mail.transport))
    raise PythonRunnerError(
        _(
            "an application signs in by itself here: unset OAUTH_CLIENT_SECRET and"
            " OAUTH_CLIENT_CERTIFICATE to sign in as a user"
        )
    )


def _show_status(mail: MailSettings) -> int:
    from python_runner.delivery.sign_in.facts import (  # noqa: PLC0415 - seldom used
        NotSignedIn,
        read_facts,
    )

    now, language = datetime.now().astimezone(), system_language()
    try:
        facts = read_facts(mail)
    except NotSignedIn as error:
        show(error.detail.in_language(language))
        return EXIT_FAILURE
    moment = formats().moment
    show(labelled(_("account"), facts.account))
    show(labelled(_("signed in"), moment(facts.signed_in_at.astimezone())))
    show(labelled(_("last renewed"), moment(facts.renewed_at.astimezone())))
    if facts.ended_at is None:
        ends = moment(facts.ends_at.astimezone())
        show(labelled(_("ends if unused until"), ends))
    _say_place(mail, facts)
    if notice := facts.notice(now):
        say(notice.in_language(language), err=True, colour="yellow")
    return EXIT_FAILURE if facts.ended_at or now >= facts.ends_at else EXIT_SUCCESS


def _say_place(mail: MailSettings, facts: SignIn) -> None:
    from python_runner.delivery.sign_in.keeping import Keeper  # noqa: PLC0415

    place = Keeper(mail).place(facts)
    template = N_("The tokens are kept {place}.")
    say(Sentence.of(template, place=place).in_language(system_language()))


def _refused(error: DeliveryError, settings: Settings) -> int:
    detail = Masker(settings.secrets).sentence(error.detail)
    say(detail.in_language(system_language()), err=True)
    return EXIT_FAILURE


def _tell_code(code: DeviceCode) -> None:
    say(
        _(
            "Many organisations block this way (Conditional Access). If Microsoft"
            " refuses, sign in with a browser: python-runner mail login"
        ),
        colour="yellow",
    )
    say(
        _("Open {place} on any device and enter the code {code} within {minutes} min."),
        place=code.place,
        code=code.code,
        minutes=round(code.seconds / 60),
    )


def _open_browser(address: str) -> None:
    """Print the address, and let the browser open it where there is one."""
    if not _has_screen():
        say(
            _(
                "No browser can be opened here. Open this address in one on this"
                " computer, or use --device-code:"
            )
        )
    else:
        say(_("If no browser opens, open this address in one on this computer:"))
    say(address, whole=True)
    say(_("Waiting for the sign-in, 10 min at most. Ctrl-C ends it."))
    if _has_screen():
        # What opens it may last as long as the browser.
        with suppress(RuntimeError):
            threading.Thread(
                target=_open, args=(address,), name="browser", daemon=True
            ).start()


def _open(address: str) -> None:
    with suppress(Exception):
        webbrowser.open(address)


def _has_screen() -> bool:
    """Say whether a browser has a window to open.

    One of the terminal would take it over, and most cannot sign in to Microsoft.
    """
    if sys.platform in {"win32", "darwin"} or os.environ.get("BROWSER"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
