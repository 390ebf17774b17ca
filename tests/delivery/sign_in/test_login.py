"""Signing in: in the browser, with a code, as whom, and what is kept of it."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.sign_in.facts import read_facts
from python_runner.delivery.sign_in.login import Login
from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.tokens import open_tokens
from python_runner.model import Delivery, MailSettings, Message


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LOGIN = "robot@example.com"


@pytest.fixture
def settings(cloud: Any, authority: Any, tmp_path: Path) -> MailSettings:
    """Return settings of a user who has not signed in."""
    found: MailSettings = cloud.user_settings(
        tmp_path / "sign-in", smtp_ca_file=authority.file
    )
    return found


def sign_in(settings: MailSettings, cloud: Any, **changes: str) -> Any:
    """Sign in as a browser would."""

    def show(address: str) -> None:
        threading.Thread(
            target=cloud.identity.visit, args=(address,), kwargs=changes
        ).start()

    with Login(settings, in_file=True, step_timeout=10) as login:
        return login.in_browser(show, language="en", seconds=20)


def message(*recipients: str) -> Message:
    """Return a small report."""
    return Message(
        message_id="<1@localhost>",
        sender=LOGIN,
        recipients=recipients,
        subject="report",
        content=b"From: robot@example.com\r\nTo: ann@x.org\r\n\r\nfine\r\n",
    )


def test_a_user_signs_in_once_and_mail_leaves(settings: MailSettings, cloud: Any) -> None:
    """After the browser has come back, nobody is asked for anything any more."""
    facts = sign_in(settings, cloud)

    assert (facts.account, facts.kept_in) == (LOGIN, "file")
    assert read_facts(settings) == facts
    with closing(open_transport(settings)) as transport:
        (receipt,) = transport.send(message("ann@x.org"))
    assert receipt.delivery is Delivery.SENT
    assert cloud.mails[0][0] == LOGIN
    (visit,) = cloud.identity.visits
    assert visit["login_hint"] == LOGIN
    assert visit["code_challenge_method"] == "S256"
    assert visit["response_mode"] == "form_post"
    assert set(visit["scope"].split()) == {
        f"{cloud.url}/Mail.Send", "offline_access", "openid", "profile"
    }
