"""Signing in: in the browser, with a code, as whom, and what is kept of it."""

from __future__ import annotations

import stat
import sys
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.sign_in import login as login_module
from python_runner.delivery.sign_in.facts import facts_file, read_facts
from python_runner.delivery.sign_in.login import DeviceCode, Login
from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.model import Delivery, MailSettings
from tests.servers.identity import knock, sign_in


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Message

LOGIN = "robot@example.com"


def refused(settings: MailSettings, cloud: Any, **changes: str) -> str:
    """Try to sign in with the browser; return why not."""
    with pytest.raises(DeliveryError) as caught:
        sign_in(settings, cloud, **changes)
    return str(caught.value.detail)


def by_code(settings: MailSettings) -> list[DeviceCode]:
    """Sign in with a code on another device; return what people are told."""
    told: list[DeviceCode] = []
    with Login(settings, in_file=True, step_timeout=10) as attempt:
        attempt.by_device_code(told.append)
    return told


def test_a_user_signs_in_once_and_mail_leaves(
    by_user: MailSettings, cloud: Any, small_report: Message
) -> None:
    """After the browser has come back, nobody is asked for anything any more."""
    facts = sign_in(by_user, cloud)

    assert (facts.account, facts.kept_in) == (LOGIN, "file")
    assert read_facts(by_user) == facts
    with closing(open_transport(by_user)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.SENT
    assert cloud.mails[0][0] == LOGIN
    (visit,) = cloud.identity.visits
    assert visit["login_hint"] == LOGIN
    assert visit["code_challenge_method"] == "S256"
    assert visit["response_mode"] == "form_post"
    plumbing = {"offline_access", "openid", "profile"}
    assert set(visit["scope"].split()) == {f"{cloud.url}/Mail.Send"} | plumbing


@pytest.mark.parametrize("personal", [False, True])
def test_both_kinds_of_accounts_sign_in(
    by_user: MailSettings, cloud: Any, *, personal: bool
) -> None:
    """One of an organisation at ``organizations``, a personal one at ``consumers``."""
    tenant = "consumers" if personal else "organizations"
    cloud.identity.personal = personal
    sign_in(replace(by_user, oauth_tenant=tenant), cloud)
    paths = [path for path in cloud.asked if "oauth2" in path]
    assert all(path.startswith(f"/{tenant}/oauth2/v2.0/") for path in paths)
    other = "organizations" if personal else "consumers"
    detail = refused(replace(by_user, oauth_tenant=other), cloud)
    assert f"OAUTH_TENANT_ID={tenant}" in detail


def test_a_shared_mailbox_sends_with_a_right_of_its_own(
    by_user: MailSettings, cloud: Any, small_report: Message
) -> None:
    """``Mail.Send.Shared`` is asked for, and the mail leaves from that mailbox."""
    shared = replace(by_user, sender="Factory <factory@example.com>")
    sign_in(shared, cloud)
    assert f"{cloud.url}/Mail.Send.Shared" in cloud.identity.visits[0]["scope"]
    with closing(open_transport(shared)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.DEFERRED
    assert "'Send as' to the user" in str(receipt.detail)
    cloud.shared.add("factory@example.com")
    with closing(open_transport(shared)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.SENT
    assert cloud.mails[0][0] == "factory@example.com"


def test_a_personal_account_sends_from_its_own_mailbox(
    by_user: MailSettings, cloud: Any, small_report: Message
) -> None:
    """Its other addresses are names of the same mailbox, which nobody shares."""
    cloud.identity.personal = True
    alias = replace(by_user, oauth_tenant="consumers", sender="other@example.com")
    sign_in(alias, cloud)
    assert "Shared" not in cloud.identity.visits[0]["scope"]
    with closing(open_transport(alias)) as transport:
        transport.send(small_report)
    assert cloud.mails[0][0] == LOGIN


def test_another_account_is_not_kept(by_user: MailSettings, cloud: Any) -> None:
    """The sign-in of before stays; the sentence names both and both remedies."""
    before = sign_in(by_user, cloud)
    cloud.identity.account = "boss@example.com"
    detail = refused(by_user, cloud)
    assert "boss@example.com" in detail
    assert "set LOGIN_MAIL to boss@example.com and MAIL_FROM to robot@example" in detail
    assert read_facts(by_user) == before


def test_the_case_of_an_address_tells_no_accounts_apart(
    by_user: MailSettings, cloud: Any
) -> None:
    """Microsoft may write the name with capitals."""
    cloud.identity.account = "Robot@Example.com"
    assert sign_in(by_user, cloud).account == "Robot@Example.com"


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"error": "access_denied"}, "cancelled or declined"),
        (
            {
                "error": "access_denied",
                "error_description": "AADSTS65004: declined. Trace ID: 1 <script>",
            },
            "not granted the application that it may send",
        ),
        (
            {"error": "wat", "error_description": "a\r\nb\x1b[31m"},
            "refuses the sign-in",
        ),
        ({"error": "server_error"}, "refuses the sign-in"),
    ],
)
def test_what_the_browser_brings_instead_of_a_code_is_told(
    sent: dict[str, str], said: str, by_user: MailSettings, cloud: Any
) -> None:
    """On one line, without what only support can use, and nothing is kept."""
    cloud.identity.in_redirect = sent
    detail = refused(by_user, cloud)
    assert said in detail
    assert "Trace" not in detail
    assert detail.isprintable()
    assert not facts_file(by_user).exists()


def test_a_code_of_another_sign_in_is_refused(
    by_user: MailSettings, cloud: Any
) -> None:
    """The provider compares the proof (PKCE) with what the browser brought at first."""
    other: list[str] = []
    cloud.identity.account = "thief@example.com"
    with Login(by_user, step_timeout=10) as attempt, pytest.raises(DeliveryError):
        attempt.in_browser(
            lambda address: other.append(_code(cloud, address)),
            language="en",
            seconds=0.3,
        )
    cloud.identity.account = LOGIN
    assert "AADSTS" in refused(by_user, cloud, code=other[0])
    assert not facts_file(by_user).exists()


def _code(cloud: Any, address: str) -> str:
    """Return the code that a visit gives, without coming back."""
    from urllib.parse import parse_qs, urlsplit  # noqa: PLC0415

    query = {k: v[0] for k, v in parse_qs(urlsplit(address).query).items()}
    code: str = cloud.identity.authorize("organizations", query)["code"]
    return code


def test_nobody_waits_for_a_browser_for_ever(by_user: MailSettings) -> None:
    """The sentence says what to use without one."""
    with (
        Login(by_user, step_timeout=10) as attempt,
        pytest.raises(DeliveryError) as caught,
    ):
        attempt.in_browser(lambda _address: None, language="en", seconds=0.3)
    assert "--device-code" in str(caught.value.detail)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["authorization_pending", "authorization_pending"],
        ["authorization_pending", "slow_down", "authorization_pending"],
    ],
)
def test_a_code_on_another_device_signs_in(
    words: list[str], by_user: MailSettings, cloud: Any, naps: list[float]
) -> None:
    """The server is asked until the user has entered it, and more slowly where it says so."""
    cloud.identity.device_words = [*words]
    (told,) = by_code(by_user)
    assert (told.code, told.place) == ("ABCD1234", "https://microsoft.com/devicelogin")
    assert read_facts(by_user).account == LOGIN
    assert len(naps) == len(words) + 1
    assert naps[-1] == (5.0 if "slow_down" in words else 1.0)


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("expired_token", "not entered in time"),
        ("authorization_declined", "cancelled or declined"),
        ("bad_verification_code", "not the one that was shown"),
        ("53003", "sign in with the browser, without --device-code"),
        ("70000", "used up, revoked"),
    ],
)
@pytest.mark.usefixtures("naps")
def test_a_code_that_is_not_entered_is_told(
    word: str, said: str, by_user: MailSettings, cloud: Any
) -> None:
    """Each end has its sentence, and nothing is kept."""
    cloud.identity.device_words = ["authorization_pending", word]
    with pytest.raises(DeliveryError) as caught:
        by_code(by_user)
    assert said in str(caught.value.detail)
    assert not facts_file(by_user).exists()


@pytest.mark.usefixtures("naps")
def test_a_server_that_fails_while_the_code_is_entered_costs_nothing(
    by_user: MailSettings, cloud: Any
) -> None:
    """The code is still good, and the next question is asked later."""
    cloud.token_replies = [cloud.reply(503, "busy"), cloud.reply()]
    by_code(by_user)
    assert read_facts(by_user).account == LOGIN


@pytest.fixture
def naps(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the waits of a sign-in with a code, none of which is waited for."""
    waited: list[float] = []
    monkeypatch.setattr(login_module, "pause", waited.append)
    return waited


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_what_is_kept_is_for_this_account_alone(
    by_user: MailSettings, cloud: Any
) -> None:
    """Folder and files, whatever the umask is; also where an open file lies there."""
    sign_in(by_user, cloud)
    folder = facts_file(by_user).parent
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    tokens = facts_file(by_user).with_suffix(".tokens")
    tokens.chmod(0o644)
    sign_in(by_user, cloud)
    for file in folder.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600, file


def test_facts_hold_no_secret(by_user: MailSettings, cloud: Any) -> None:
    """Only the file of the tokens does; nothing that is sent or given is elsewhere."""
    sign_in(by_user, cloud)
    for file in facts_file(by_user).parent.iterdir():
        if file.suffix != ".tokens":
            text = file.read_text(encoding="utf-8")
            assert not [s for s in cloud.identity.secrets() if s in text]


def test_a_folder_that_takes_nothing_is_told(
    by_user: MailSettings, cloud: Any, tmp_path: Path
) -> None:
    """The sentence names the folder and the variable that moves it."""
    (tmp_path / "sign-in").write_text("a file", encoding="utf-8")
    detail = refused(by_user, cloud)
    assert "PYTHON_RUNNER_HOME" in detail
    assert str(tmp_path / "sign-in") in detail


def test_the_answer_of_a_provider_that_repeats_secrets_is_masked(
    by_user: MailSettings, cloud: Any
) -> None:
    """Neither the code nor its proof is in a sentence."""

    def echo(form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        cloud.identity.asked.append(form)
        return 400, {"error": "invalid_grant", "error_description": f"bad: {form}"}

    cloud.identity.token = echo
    detail = refused(by_user, cloud)
    assert "***" in detail
    assert not [s for s in cloud.identity.secrets() if s in detail]


def test_a_provider_that_is_none_is_told(
    by_user: MailSettings, cloud: Any, make_reply: Callable[[], Any]
) -> None:
    """A login page of the network answers anything with a page."""
    cloud.discovery = make_reply()
    assert "check OAUTH_AUTHORITY" in refused(by_user, cloud)


@pytest.fixture
def make_reply(cloud: Any) -> Callable[[], Any]:
    """Return a function that makes the answer of a captive portal."""
    return lambda: cloud.reply(200, "<html>please log in</html>")


def test_a_second_answer_changes_nothing(by_user: MailSettings, cloud: Any) -> None:
    """The first one counts; the page of the second says so."""
    pages: list[tuple[int, str]] = []

    def show(address: str) -> None:
        pages.append(cloud.identity.visit(address))
        query = cloud.identity.visits[0]
        fields = {"state": query["state"], "code": "another"}
        pages.append(knock(query["redirect_uri"], fields))

    with Login(by_user, in_file=True, step_timeout=10) as attempt:
        assert attempt.in_browser(show, language="en", seconds=20).account == LOGIN
    assert [status for status, _ in pages] == [200, 409]
