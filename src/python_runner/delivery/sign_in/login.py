"""Signs a user in, once: in the browser, or with a code on another device."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Self

from python_runner.delivery.sign_in.errors import (
    SignInError,
    login_error,
    redirect_error,
)
from python_runner.delivery.sign_in.facts import SignIn, computer_user, wanted_scopes
from python_runner.delivery.sign_in.keeping import Keeper, utc_now
from python_runner.delivery.sign_in.loopback import Loopback
from python_runner.delivery.sign_in.renewal import open_application
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import quoted
from python_runner.delivery.transports.https import CONNECT_SECONDS
from python_runner.delivery.transports.msal_client import MsalHttpClient
from python_runner.facts import dataclass
from python_runner.model import Cause
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Callable

    from python_runner.model import MailSettings

#: Seconds a person has to sign in with the browser.
BROWSER_SECONDS = 600.0
#: Seconds between two looks at whether the browser came back: Ctrl-C is answered meanwhile.
_LOOKING = 0.2
#: Seconds by which the questions whether a code was entered are further apart where the
#: server says "slow down" (RFC 8628, 3.5), and the least and the most between two.
_SLOWER = 5.0
_SHORTEST_INTERVAL = 1.0
_LONGEST_INTERVAL = 60.0
#: Characters of a name that are shown.
_NAME = 200

_NO_ANSWER = N_(
    "nobody has signed in with the browser within {minutes} min: start again."
    " Without a browser on this computer use python-runner mail login --device-code"
)
_NO_LOOPBACK = N_(
    "the browser could not come back to this computer ({error}): use python-runner mail"
    " login --device-code"
)
_EXPIRED = N_("the code was not entered in time: start again")
_OTHER_ACCOUNT = N_(
    "the account that signed in is {account}, and LOGIN_MAIL is {login}. Sign in as"
    " {login}; or, if that is another name of the same mailbox, set LOGIN_MAIL to"
    " {account} and MAIL_FROM to {login}. Nothing was kept"
)
_NAMELESS = N_("Microsoft did not say who signed in; nothing was kept")
_NO_CODES = N_("{authority} offers no sign-in with a code on another device")
_BROKEN = N_("the sign-in could not be completed: {error}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """What a person enters on another device.

    Attributes:
        code: the code itself.
        place: the address at which it is entered.
        seconds: how long it is good for.
    """

    code: str
    place: str
    seconds: float


class Login:
    """One sign-in of the user whom mail settings name.

    As a context it closes its connection at the end. Until a method returns, the sign-in
    of before stays as it is.
    """

    def __init__(
        self,
        settings: MailSettings,
        *,
        in_file: bool = False,
        step_timeout: float = CONNECT_SECONDS,
    ) -> None:
        """Take the settings; nothing is asked for.

        ``in_file`` keeps the tokens in a private file although the platform could
        encrypt them. Each answer may take ``step_timeout`` seconds.
        """
        self._settings = settings
        self._in_file = in_file
        self._scopes = wanted_scopes(settings)
        self._client = MsalHttpClient(settings, step_timeout, login_error)
        self._keeper = Keeper(settings)

    def __enter__(self) -> Self:
        """Return the sign-in itself."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the connection."""
        self._client.close()

    def in_browser(
        self,
        show: Callable[[str], object],
        *,
        language: str,
        seconds: float = BROWSER_SECONDS,
    ) -> SignIn:
        """Let the user sign in with the browser; return what is kept of it.

        ``show`` is given the address that the browser is to open; it may take as long
        as it likes. The page at the end is in ``language``.

        Raises:
            DeliveryError: the user did not sign in within ``seconds``, or Microsoft
                refuses it, or it cannot be kept.
        """
        try:
            loopback = Loopback(language)
        except OSError as error:
            raise _failed(_NO_LOOPBACK, error=system_error(error)) from error
        with closing(loopback):
            return self._keep(partial(self._by_browser, loopback, show, seconds))

    def by_device_code(self, tell: Callable[[DeviceCode], object]) -> SignIn:
        """Let the user enter a code on another device; return what is kept of it.

        Raises:
            DeliveryError: it was not entered in time, or Microsoft refuses it, or it
                cannot be kept.
        """
        return self._keep(partial(self._by_code, tell))

    def _keep(self, sign_in: Callable[[Any], Any]) -> SignIn:
        """Sign in with an application of msal's, and keep what comes of it."""
        from msal import SerializableTokenCache  # noqa: PLC0415 - optional

        cache = SerializableTokenCache()
        try:
            application = open_application(self._settings, self._client, cache)
            result = sign_in(application)
            facts = self._facts(application, result)
        except DeliveryError:
            raise
        except Exception as error:  # the library names no base of what it raises
            raise _failed(
                _BROKEN, error=quoted(f"{type(error).__name__}: {error}")
            ) from error
        with self._keeper.locked():
            return self._keeper.keep_new(
                facts, cache.serialize(), in_file=self._in_file
            )

    def _facts(self, application: Any, result: Any) -> SignIn:
        """Return the facts of a sign-in that Microsoft has granted.

        Raises:
            DeliveryError: it is another account's, or nobody knows whose.
        """
        account = str(
            (result.get("id_token_claims") or {}).get("preferred_username", "")
        )
        known = application.get_accounts()
        if "access_token" not in result or not account or len(known) != 1:
            raise _failed(_NAMELESS)
        login = self._settings.login or ""
        if account.lower() != login.lower():
            raise _failed(_OTHER_ACCOUNT, account=one_line(account, _NAME), login=login)
        now = utc_now()
        return SignIn(
            account=account,
            home_account=str(known[0]["home_account_id"]),
            user=computer_user(),
            kept_in="",
            signed_in_at=now,
            renewed_at=now,
        )

    def _by_browser(
        self,
        loopback: Loopback,
        show: Callable[[str], object],
        seconds: float,
        application: Any,
    ) -> Any:
        flow = application.initiate_auth_code_flow(
            self._scopes,
            redirect_uri=loopback.uri,
            login_hint=self._settings.login,
            response_mode="form_post",
        )
        loopback.expect(flow["state"])
        show(flow["auth_uri"])
        answer = _wait_for(loopback, seconds)
        if "code" not in answer:
            raise redirect_error(answer)
        return application.acquire_token_by_auth_code_flow(flow, answer)

    def _by_code(self, tell: Callable[[DeviceCode], object], application: Any) -> Any:
        if not application.authority.device_authorization_endpoint:
            raise _failed(_NO_CODES, authority=self._settings.oauth_authority)
        flow = application.initiate_device_flow(self._scopes)
        seconds, interval = float(flow["expires_in"]), float(flow.get("interval", 5))
        end = time.monotonic() + seconds
        tell(
            DeviceCode(
                code=one_line(flow["user_code"], _NAME),
                place=one_line(flow["verification_uri"], _NAME),
                seconds=seconds,
            )
        )
        while True:
            # Not before: Microsoft would ask to slow down.
            pause(min(max(interval, _SHORTEST_INTERVAL), _LONGEST_INTERVAL))
            if time.monotonic() >= end:
                raise _failed(_EXPIRED)
            word = "unreachable"
            # The library asks once, and leaves the waiting to us: its own knows no
            # "slow down", and goes round without end where the interval is 0.
            flow["interval"] = 1
            flow.pop("latest_attempt_at", None)
            try:
                result = application.acquire_token_by_device_flow(
                    flow, exit_condition=lambda _flow: True
                )
                word = str(result.get("error", ""))
            except SignInError:
                raise
            except DeliveryError:
                # The network, or a server, for a moment: the code is still good.
                interval *= 2
            if word == "slow_down":
                interval += _SLOWER
            elif not word:
                return result


def pause(seconds: float) -> None:
    """Wait; Ctrl-C ends it."""
    time.sleep(seconds)


def _wait_for(loopback: Loopback, seconds: float) -> dict[str, str]:
    """Return the answer that the browser brings.

    Raises:
        DeliveryError: there is none in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(TimeoutError):
            return loopback.answer.result(_LOOKING)
    raise _failed(_NO_ANSWER, minutes=round(seconds / 60))


def _failed(template: str, /, **values: object) -> DeliveryError:
    return DeliveryError(Cause.UNAVAILABLE, Sentence.of(template, **values))
