"""Keeps a sign-in: its facts in one file, its tokens in a vault, both behind one lock.

Tokens are written before the facts, and what was good is deleted last: a kill between any
two steps leaves a sign-in that can be used.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from python_runner.computer import host_name
from python_runner.delivery.sign_in.facts import (
    NotSignedIn,
    SignIn,
    computer_user,
    facts_file,
    read_facts,
    said,
)
from python_runner.delivery.sign_in.vaults import open_vault, place, write_best
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.files import (
    PRIVATE_FILE_MODE,
    exists,
    private_folder,
    remove,
    replacing,
)
from python_runner.model import Cause
from python_runner.records.locks import FileLock, Holder
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from python_runner.delivery.sign_in.vaults import Vault
    from python_runner.model import MailSettings

#: Seconds that one waits for another process that renews.
LOCK_SECONDS = 90.0
#: Seconds before its end from which on a token is not used any more.
_LEAST = 300.0
#: What of msal's cache is kept: no more than sending and renewing need.
_KEPT = ("AccessToken", "RefreshToken", "Account", "AppMetadata")

_UNREADABLE = N_(
    "the tokens of {account} cannot be read here ({error}). They are those of the account"
    " {owner} of this computer, and {user} wants to use them. Sign in as {user}:"
    " python-runner mail login"
)
_CLOSED = N_(
    "the tokens of {account} cannot be read here ({error}). Sign in again: python-runner"
    " mail login. Where the keyring is closed while nobody is logged in, add --in-file"
)
_LOST = N_(
    "the tokens of {account} are gone or damaged ({place}). Sign in again:"
    " python-runner mail login"
)
_NOT_KEPT = N_(
    "the sign-in cannot be kept ({error}): let this account write to {folder}, or set"
    " PYTHON_RUNNER_HOME to a folder that it may write to"
)
_BUSY = N_("another process is renewing the sign-in and has not finished yet")


def utc_now() -> datetime:
    """Return the present moment."""
    return datetime.fromtimestamp(time.time(), UTC)


class TokensUnusable(DeliveryError):
    """The tokens are gone or damaged, or belong to another account of the computer."""

    def __init__(self, template: str, /, **values: object) -> None:
        super().__init__(Cause.UNAVAILABLE, Sentence.of(template, **values))


class Keeper:
    """The sign-in that mail settings name, as it is kept on this computer."""

    def __init__(self, mail: MailSettings) -> None:
        """Take the settings; nothing is read."""
        self._mail = mail

    @property
    def _file(self) -> Path:
        return facts_file(self._mail)

    @property
    def _tokens_file(self) -> Path:
        return self._file.with_suffix(".tokens")

    def is_there(self) -> bool:
        """Say whether anything is kept, damaged or not."""
        return exists(self._file) or exists(self._tokens_file)

    def facts(self) -> SignIn:
        """Return what is known of it without a token.

        Raises:
            NotSignedIn: there is no sign-in, or nothing is known of it.
        """
        return read_facts(self._mail)

    def place(self, facts: SignIn) -> Sentence:
        """Return where its tokens lie, for people."""
        return place(facts.kept_in, self._tokens_file)

    def tokens(self, facts: SignIn) -> str:
        """Return the tokens as msal writes them.

        Raises:
            TokensUnusable: they cannot be read.
        """
        values = {"account": facts.account, "place": self.place(facts)}
        try:
            found = self._vault(facts.kept_in).read()
        except (OSError, UnicodeDecodeError) as error:
            user = computer_user()
            raise TokensUnusable(
                _CLOSED if facts.user == user else _UNREADABLE,
                owner=facts.user,
                user=user,
                error=said(error),
                **values,
            ) from error
        if not found or not _is_cache(found):
            raise TokensUnusable(_LOST, **values)
        return found

    @contextmanager
    def locked(self, seconds: float = LOCK_SECONDS) -> Iterator[None]:
        """Keep other processes from renewing meanwhile; wait for one that does.

        Raises:
            DeliveryError: it does not end in time, or nothing can be written here.
        """
        lock = FileLock(self._file.with_suffix(".lock"))
        end = time.monotonic() + seconds
        holder = Holder(
            pid=os.getpid(), host=host_name(), run_id="", started_at=utc_now()
        )
        with lock:
            try:
                free = lock.acquire(
                    holder, wait=True, stop=lambda: time.monotonic() > end
                )
            except OSError as error:
                raise self._not_kept(error) from error
            if not free:
                raise DeliveryError(Cause.UNAVAILABLE, Sentence.of(_BUSY))
            yield

    def keep_new(self, facts: SignIn, tokens: str, *, in_file: bool) -> SignIn:
        """Keep a new sign-in instead of the one before; the lock is held.

        Return the facts, which say where its tokens are.

        Raises:
            DeliveryError: it cannot be kept; the one before is as it was.
        """
        before = self._kind_before()
        try:
            private_folder(self._file.parent)
            kind = "file" if in_file else ""
            kind = write_best(kind, self._tokens_file, _least(tokens))
            facts = replace(facts, kept_in=kind)
            self._write(facts)
        except OSError as error:
            raise self._not_kept(error) from error
        if before not in {None, kind}:
            self._delete_tokens(before or "", kind)
        return facts

    def keep_renewed(self, facts: SignIn, tokens: str) -> None:
        """Keep renewed tokens in the place of those before; the lock is held.

        Raises:
            DeliveryError: they cannot be kept.
        """
        try:
            self._vault(facts.kept_in).write(_least(tokens))
            self._write(facts)
        except OSError as error:
            raise self._not_kept(error) from error

    def note(self, facts: SignIn) -> None:
        """Keep facts alone; the tokens stay. Where that fails nothing is lost."""
        try:
            self._write(facts)
        except OSError:
            return

    def forget(self) -> None:
        """Delete everything, what is damaged too; the lock is held.

        Raises:
            DeliveryError: it stays.
        """
        kind = self._kind_before()
        try:
            self._delete_tokens(kind or "file", "")
            remove(self._tokens_file)
            remove(self._file)
        except OSError as error:
            raise self._not_kept(error) from error

    def _kind_before(self) -> str | None:
        try:
            return self.facts().kept_in
        except NotSignedIn:
            return None

    def _vault(self, kind: str) -> Vault:
        return open_vault(kind, self._tokens_file)

    def _delete_tokens(self, kind: str, instead: str) -> None:
        """Delete the tokens of a vault, unless the file of another kind took its place."""
        if {kind, instead} <= {"file", "dpapi"}:
            return
        try:
            self._vault(kind).delete()
        except OSError:
            # It is another account's, or its service is not there: it stays unused.
            return

    def _write(self, facts: SignIn) -> None:
        with replacing(self._file, mode=PRIVATE_FILE_MODE) as new:
            new.write(msgspec.json.format(msgspec.json.encode(facts)))

    def _not_kept(self, error: OSError) -> DeliveryError:
        folder = str(self._file.parent)
        detail = Sentence.of(_NOT_KEPT, error=said(error), folder=folder)
        return DeliveryError(Cause.UNAVAILABLE, detail)


def present_token(tokens: str, scopes: list[str], now: float) -> str | None:
    """Return a token for ``scopes`` that is good for some minutes still, or None.

    ``now`` is the seconds since 1970. A token that comes from the future tells that the
    clock was put back: nobody knows how old it is.
    """
    for entry in json.loads(tokens).get("AccessToken", {}).values():
        granted = set(str(entry.get("target", "")).lower().split())
        if not {scope.lower() for scope in scopes} <= granted:
            continue
        if (
            int(entry["cached_at"]) <= now + 1
            and int(entry["expires_on"]) > now + _LEAST
        ):
            return str(entry["secret"])
    return None


def _least(tokens: str) -> str:
    """Return what msal keeps without what nobody needs: names, former answers."""
    cache = json.loads(tokens)
    return json.dumps({part: cache[part] for part in _KEPT if part in cache})


def _is_cache(text: str) -> bool:
    try:
        cache: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(cache, dict) and all(
        isinstance(part, dict) and all(isinstance(e, dict) for e in part.values())
        for part in cache.values()
    )
