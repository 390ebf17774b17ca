from __future__ import annotations

import pytest

from python_runner.delivery.endpoints import Endpoints
from python_runner.delivery.transports import endpoint_name
from python_runner.model import MailSettings


def test_an_endpoint_is_known_by_its_name() -> None:
    """The same name gives the same breaker and limiter; another name gives others."""
    endpoints = Endpoints()

    endpoints["a"].breaker.failure(None, certain=True)

    assert endpoints["a"].breaker.is_open
    assert not endpoints["b"].breaker.is_open
    assert endpoints["a"].limiter is not endpoints["b"].limiter


def test_reset_closes_every_breaker() -> None:
    """After a reset every server is tried; one more failure opens its breaker again."""
    endpoints = Endpoints()
    for name in "ab":
        endpoints[name].breaker.failure(None, certain=True)

    endpoints.reset()

    assert not endpoints["a"].breaker.is_open
    assert not endpoints["b"].breaker.is_open
    endpoints["a"].breaker.failure(None)
    assert endpoints["a"].breaker.is_open


@pytest.mark.parametrize("transport", ["smtp", "smtp-oauth2", "graph", "file"])
def test_a_name_holds_no_password(transport: str) -> None:
    """It says where mails go and as whom; the password changes nothing about that."""
    settings = MailSettings(
        transport=transport,
        login="robot@example.org",
        password="c4n4ry",
        oauth_secret="c4n4ry",
    )

    name = endpoint_name(settings)

    assert "robot@example.org" in name
    assert "c4n4ry" not in name


def test_other_servers_have_other_names() -> None:
    """Host, port, security and mailbox each make a place of its own."""
    settings = [
        MailSettings(),
        MailSettings(smtp_host="mail.example.org"),
        MailSettings(smtp_port=25),
        MailSettings(smtp_security="none"),
        MailSettings(login="robot@example.org"),
        MailSettings(transport="graph"),
    ]

    assert len({*map(endpoint_name, settings)}) == len(settings)
