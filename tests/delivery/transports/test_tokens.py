"""Tokens: how they are asked for, kept, renewed, and why there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.explain import token_error
from python_runner.delivery.transports.tokens import ApplicationTokens
from python_runner.masking import Masker
from python_runner.model import Delivery, MailSettings


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _get(settings: MailSettings, **options: Any) -> str:
    tokens = ApplicationTokens(settings, **({"step_timeout": 5.0} | options))
    try:
        return tokens.get()
    finally:
        tokens.close()


def _refusal(settings: MailSettings, **options: Any) -> DeliveryError:
    with pytest.raises(DeliveryError) as caught:
        _get(settings, **options)
    assert caught.value.cause.delivery is Delivery.DEFERRED
    return caught.value


@pytest.mark.parametrize("transport", ["smtp-oauth2", "graph"])
def test_a_token_is_for_the_service_of_the_transport(
    transport: str, cloud: Any, authority: Any
) -> None:
    """Exchange refuses a token for Graph, and Graph one for Exchange."""
    settings = cloud.settings(
        transport=transport,
        outlook_url="https://outlook.example.com",
        smtp_ca_file=authority.file,
    )
    scope = {
        "smtp-oauth2": "https://outlook.example.com/.default",
        "graph": f"{cloud.url}/.default",
    }
    assert cloud.tokens == {_get(settings): scope[transport]}


def test_a_token_is_kept_until_shortly_before_its_end(
    cloud: Any, authority: Any
) -> None:
    """One hour's token is asked for once; one that ends within minutes is not used."""
    tokens = ApplicationTokens(cloud.settings(smtp_ca_file=authority.file))
    first, second = tokens.get(), tokens.get()
    assert first == second
    tokens.proven = True
    assert tokens.get() == first
    assert tokens.proven
    tokens.forget()
    cloud.lifetime = 60
    third, fourth = tokens.get(), tokens.get()
    assert len({first, third, fourth}) == 3
    assert not tokens.proven
    assert cloud.counted() == {"openid-configuration": 1, "token": 3}
    tokens.close()


@pytest.fixture
def certificate(authority: Any, tmp_path: Path) -> Callable[..., tuple[Path, Any]]:
    """Return a function that makes a PEM file and the public key to it."""
    trustme = pytest.importorskip("trustme", exc_type=ImportError)
    x509 = pytest.importorskip("cryptography.x509", exc_type=ImportError)

    def make(kind: str = "RSA") -> tuple[Path, Any]:
        issued = authority.ca.issue_cert("app", key_type=trustme.KeyType[kind])
        chain = issued.cert_chain_pems[0].bytes()
        file = tmp_path / "application.pem"
        file.write_bytes(issued.private_key_pem.bytes() + chain)
        return file, x509.load_pem_x509_certificate(chain).public_key()

    return make


def test_a_certificate_stands_in_for_the_secret(
    cloud: Any, authority: Any, certificate: Callable[..., tuple[Path, Any]]
) -> None:
    """What is sent is a statement signed with the private key, checked by the provider."""
    file, cloud.key = certificate()
    settings = cloud.settings(
        oauth_secret=None, oauth_certificate=file, smtp_ca_file=authority.file
    )
    assert _get(settings) in cloud.tokens


def test_a_certificate_that_is_not_registered_is_told(
    cloud: Any, authority: Any, certificate: Callable[..., tuple[Path, Any]]
) -> None:
    """The sentence names the file's variable and where to upload it."""
    _, cloud.key = certificate()
    file, _ = certificate()
    settings = cloud.settings(
        oauth_secret=None, oauth_certificate=file, smtp_ca_file=authority.file
    )
    detail = str(_refusal(settings).detail)
    assert "OAUTH_CLIENT_CERTIFICATE" in detail
    assert "Upload the certificate" in detail


@pytest.mark.parametrize("fault", ["gone", "no key", "broken key", "wrong kind"])
def test_a_certificate_that_cannot_be_used_is_told(
    fault: str,
    cloud: Any,
    authority: Any,
    certificate: Callable[..., tuple[Path, Any]],
) -> None:
    """Whatever is wrong with the file, the sentence names it and nothing is raised."""
    file, _ = certificate("ECDSA" if fault == "wrong kind" else "RSA")
    text = file.read_text(encoding="ascii")
    if fault == "gone":
        file.unlink()
    elif fault == "no key":
        file.write_text(text[text.index("-----BEGIN CERT") :], encoding="ascii")
    elif fault == "broken key":
        file.write_text(text.replace("KEY-----\n", "KEY-----\nAAAA"), encoding="ascii")
    settings = cloud.settings(
        oauth_secret=None, oauth_certificate=file, smtp_ca_file=authority.file
    )
    detail = str(_refusal(settings).detail)
    assert "OAUTH_CLIENT_CERTIFICATE" in detail
    assert str(file) in detail
    assert "token" not in cloud.counted()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"oauth_secret": "wrong"}, "refuses OAUTH_CLIENT_SECRET"),
        ({"oauth_client": "nobody"}, "no application OAUTH_CLIENT_ID"),
        (
            {"oauth_tenant": "nowhere.example"},
            "no organisation with the ID OAUTH_TENANT_ID",
        ),
    ],
)
def test_what_the_provider_does_not_know_is_named(
    changes: dict[str, str], says: str, cloud: Any, authority: Any
) -> None:
    """A wrong variable is told by its name."""
    settings = cloud.settings(smtp_ca_file=authority.file, **changes)
    assert says in str(_refusal(settings).detail)


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (7000215, "refuses OAUTH_CLIENT_SECRET"),
        (7000222, "OAUTH_CLIENT_SECRET has expired"),
        (700027, "OAUTH_CLIENT_CERTIFICATE"),
        (700024, "clock"),
        (90002, "'Tenant ID'"),
        (900023, "'Tenant ID'"),
        (900382, "OAUTH_AUTHORITY"),
        (700016, "'Application (client) ID'"),
        (7000112, "switched off"),
        (65001, "'Assignment required?'"),
        (501051, "'Assignment required?'"),
        (500011, "the same cloud"),
        (53003, "Conditional Access"),
    ],
)
def test_known_refusals_say_what_to_do(number: int, says: str) -> None:
    """Each number has a sentence in both languages, with the provider's words in it."""
    text = f'{{"error_description": "AADSTS{number}: No. Trace ID: 1 Timestamp: 2"}}'
    detail = token_error(400, text, "login.example.com", Masker()).detail
    assert says in str(detail)
    assert str(detail).endswith(f"(AADSTS{number}: No.)")
    assert detail.in_language("fr") != str(detail)
    assert f"AADSTS{number}" in detail.in_language("fr")


@pytest.mark.parametrize(
    ("status", "text", "says"),
    [
        (400, '{"error": "AADSTS1: odd"}', "issued no token: 400 AADSTS1: odd"),
        (
            503,
            "<html>sorry</html>",
            "has a problem; delivery will be retried later (503",
        ),
        (200, "<html>Welcome to the hotel</html>", "a login page interferes"),
        (200, "[1]", "a login page interferes"),
        (403, "", "a login page interferes"),
    ],
)
def test_other_answers_are_passed_on(
    status: int, text: str, says: str, cloud: Any, authority: Any
) -> None:
    """What is no token is no token, whoever answers."""
    cloud.token_replies = [cloud.reply(status, text)]
    detail = _refusal(cloud.settings(smtp_ca_file=authority.file)).detail
    assert says in str(detail)
    assert detail.in_language("fr") != str(detail)


@pytest.mark.parametrize("token", ["a\r\nX: b", "é", "", "a b"])
def test_a_token_that_no_header_holds_is_none(
    token: str, cloud: Any, authority: Any
) -> None:
    """A provider gone mad cannot make a request say something else."""
    document = {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}
    cloud.token_replies = [cloud.reply(200, document)]
    detail = _refusal(cloud.settings(smtp_ca_file=authority.file)).detail
    assert "a token could not be requested" in str(detail)


def test_a_provider_that_repeats_the_secret_is_not_quoted(
    cloud: Any, authority: Any
) -> None:
    """Receipts end in logs, records and mails."""
    said = {"error": "invalid_client", "error_description": f"not {cloud.secret}"}
    cloud.token_replies = [cloud.reply(401, said)]
    refusal = _refusal(cloud.settings(smtp_ca_file=authority.file))
    assert "not ***" in str(refusal.detail)
    assert cloud.secret not in repr(refusal)
