"""The tokens of a user who signed in: taken from what is kept, renewed in silence."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from python_runner.delivery.deadline import Deadline
from python_runner.delivery.sign_in.errors import SignInError, renewal_error
from python_runner.delivery.sign_in.facts import (
    NotSignedIn,
    read_facts,
    wanted_scopes,
)
from python_runner.delivery.sign_in.keeping import (
    Keeper,
    TokensUnusable,
    present_token,
    utc_now,
)
from python_runner.delivery.transports import missing_extra
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import quoted
from python_runner.delivery.transports.https import CONNECT_SECONDS
from python_runner.delivery.transports.msal_client import MsalHttpClient
from python_runner.model import Cause
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from python_runner.delivery.sign_in.facts import SignIn
    from python_runner.model import MailSettings

#: Seconds for which a run waits at most for a renewal that no mail needs.
ALIVE_SECONDS = 20.0
_NO_REFRESH = N_(
    "the sign-in of {account} cannot be renewed. Sign in again: python-runner mail login"
)
_BROKEN = N_("a token could not be requested: {error}")


class UserTokens:
    """The tokens of the user who did ``mail login``, for one transport.

    A token is kept until shortly before its end, so that the runs of one morning ask for
    one. A renewal is done by one process at a time: Microsoft may take a refresh token
    once only.

    Attributes:
        proven: whether another token may be accepted where the present one is not: it
            was accepted before, or is left from earlier.
    """

    as_user = True

    def __init__(
        self,
        settings: MailSettings,
        *,
        step_timeout: float = CONNECT_SECONDS,
        renewed: bool = False,
    ) -> None:
        """Take the settings; nothing is asked for, nor read.

        Connecting and each answer may take ``step_timeout`` seconds. ``renewed`` asks
        for a token even where one is left from before.
        """
        self.proven = False
        self._settings = settings
        self._scopes = wanted_scopes(settings)
        self._keeper = Keeper(settings)
        self._client = MsalHttpClient(settings, step_timeout, renewal_error)
        self._token: str | None = None
        #: A token that is not good enough, whoever kept it; "" stands for any.
        self._unwanted: str | None = "" if renewed else None
        self._must_keep = renewed
        #: A token that no file could take.
        self._unkept: str | None = None

    def get(self) -> str:
        """Return a token that is good for some minutes still.

        Raises:
            DeliveryError: there is none.
        """
        if missing := missing_extra(self._settings):
            raise DeliveryError(Cause.UNAVAILABLE, missing)
        self._token = self._unkept or self._kept_token() or self._renewed_token()
        return self._token

    def forget(self) -> None:
        """Drop the present token: the server does not accept it any more."""
        self._unwanted, self._unkept = self._token, None

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _facts(self) -> SignIn:
        try:
            return self._keeper.facts()
        except NotSignedIn as error:
            raise DeliveryError(Cause.UNAVAILABLE, error.detail) from error

    def _kept_token(self) -> str | None:
        """Return the token that is kept, unless it is too old or was refused."""
        if self._unwanted == "":
            return None
        kept = self._keeper.tokens(self._facts())
        token = _present(kept, self._scopes)
        if token is None or token == self._unwanted:
            return None
        if token != self._token:
            # It is left from earlier: nobody knows whether it is taken still.
            self.proven = True
        return token

    def _renewed_token(self) -> str:
        with self._keeper.locked():
            # Another process may have done it meanwhile.
            if token := self._kept_token():
                return token
            facts = self._facts()
            try:
                token, kept = self._renew(facts, self._keeper.tokens(facts))
            except SignInError as error:
                if error.ended:
                    self._keeper.note(
                        replace(
                            facts,
                            ended_at=utc_now(),
                            ended_by=error.code,
                            answer=error.answer,
                        )
                    )
                raise
            renewed = replace(
                facts, renewed_at=utc_now(), ended_at=None, ended_by="", answer=""
            )
            try:
                self._keeper.keep_renewed(renewed, kept)
            except DeliveryError:
                # The disk is full: the report that says so leaves with this token, and
                # the tokens of before are good still. Whoever tests is told.
                if self._must_keep:
                    raise
                self._unkept = token
        self._unwanted = None
        self.proven = False
        return token

    def _renew(self, facts: SignIn, kept: str) -> tuple[str, str]:
        """Return a new token, and all tokens that are to be kept from now on."""
        from msal import SerializableTokenCache  # noqa: PLC0415 - optional

        cache = SerializableTokenCache()
        cache.deserialize(kept)
        try:
            application = open_application(self._settings, self._client, cache)
            accounts = [
                account
                for account in application.get_accounts()
                if account["home_account_id"] == facts.home_account
            ]
            result: Any = None
            if accounts:
                result = application.acquire_token_silent_with_error(
                    self._scopes, accounts[0], force_refresh=True
                )
        except DeliveryError:
            raise
        except Exception as error:  # the library names no base of what it raises
            said = quoted(f"{type(error).__name__}: {error}")
            detail = Sentence.of(_BROKEN, error=said)
            raise DeliveryError(Cause.UNAVAILABLE, detail) from error
        token = (result or {}).get("access_token")
        if not isinstance(token, str) or not token.isascii() or not token.isprintable():
            detail = Sentence.of(_NO_REFRESH, account=facts.account)
            raise DeliveryError(Cause.UNAVAILABLE, detail)
        return token, cache.serialize()


def keep_alive(
    mail: MailSettings,
    now: datetime,
    *,
    stopping: Callable[[], bool] = lambda: False,
    seconds: float = ALIVE_SECONDS,
) -> Sentence | None:
    """Renew a sign-in that nobody has used for a day, so that it does not end of disuse.

    A project that mails failures alone may use it once a year. Return what people have to
    know or to do, or None. A server that cannot be reached is no news until the sign-in
    comes near its end. At most ``seconds`` pass.
    """
    try:
        if read_facts(mail).is_due(now):
            errors: list[DeliveryError] = []

            def renew() -> None:
                with closing(
                    UserTokens(mail, step_timeout=seconds, renewed=True)
                ) as it:
                    try:
                        it.get()
                    except DeliveryError as error:
                        errors.append(error)

            end = time.monotonic() + seconds
            Deadline(time.monotonic, end).run(renew, stopping)
            for error in errors:
                if isinstance(error, (SignInError, TokensUnusable)):
                    return error.detail
        return read_facts(mail).notice(now)
    except NotSignedIn as error:
        return error.detail


def open_application(settings: MailSettings, client: MsalHttpClient, cache: Any) -> Any:
    """Return msal's public client; the addresses of the authority are asked for.

    Raises:
        DeliveryError: the authority does not answer as it should.
    """
    from msal import PublicClientApplication  # noqa: PLC0415 - optional

    return PublicClientApplication(
        settings.oauth_client,
        authority=f"{settings.oauth_authority}/{settings.oauth_tenant}",
        # Whether Microsoft knows the authority is the administrator's word to say;
        # asking would contact a further host.
        instance_discovery=False,
        http_client=client,
        token_cache=cache,
    )


def _present(kept: str, scopes: list[str]) -> str | None:
    try:
        return present_token(kept, scopes, utc_now().timestamp())
    except (ValueError, KeyError, TypeError):
        # Damaged; a renewal may mend it.
        return None
