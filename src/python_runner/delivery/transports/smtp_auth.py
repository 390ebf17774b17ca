"""The commands of an SMTP login, and its secrets."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Collection


def login_steps(
    login: str, password: str, offered: Collection[str]
) -> tuple[tuple[str, int], ...]:
    """Return the commands of one login and the code that each must be answered with.

    One mechanism only, the first of PLAIN and LOGIN that is offered: trying the next
    one after a refusal counts as a second failed login, and accounts get locked.

    Returns:
        Nothing when none of the two is offered.
    """
    if "PLAIN" in offered:
        return ((f"AUTH PLAIN {_credentials(login, password)}", 235),)
    if "LOGIN" in offered:
        return (("AUTH LOGIN", 334), (_b64(login), 334), (_b64(password), 235))
    return ()


def login_secrets(login: str | None, password: str | None) -> tuple[str, ...]:
    """Return what must not be repeated: the password, alone and as it is sent."""
    return (password, _credentials(login or "", password)) if password else ()


def token_login(login: str, token: str) -> str:
    """Return what logs in with a token, for ``AUTH XOAUTH2``."""
    return _b64(f"user={login}\1auth=Bearer {token}\1\1")


def token_complaint(challenge: str) -> str:
    """Return what the server's challenge says against a token; it is base64 of JSON."""
    try:
        return b64decode(challenge, validate=True).decode()
    except ValueError:
        return challenge


def _credentials(login: str, password: str) -> str:
    return _b64(f"\0{login}\0{password}")


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
