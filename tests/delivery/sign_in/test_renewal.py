"""Renewing a sign-in: in silence, by one process at a time, until it ends."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from python_runner.delivery.sign_in import keeping, vaults
from python_runner.delivery.sign_in.facts import (
    LIFE,
    WARNING,
    facts_file,
    notice,
    read_facts,
)
from python_runner.delivery.sign_in.keeping import Keeper, utc_now
from python_runner.delivery.sign_in.renewal import keep_alive
from python_runner.delivery.sign_in.vaults import FileVault
from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.errors import DeliveryError
from python_runner.delivery.transports.tokens import open_tokens
from python_runner.model import Cause, Delivery, MailSettings
from tests.servers.identity import sign_in
from tests.support import with_tests_importable


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model import Message

BEGIN = datetime(2026, 11, 26, 6, 0, tzinfo=UTC)
AGAIN = "Sign in again: python-runner mail login"


@pytest.fixture
def clock() -> Iterator[Any]:
    """Return a clock that stands still until it is moved."""
    with time_machine.travel(BEGIN, tick=False) as traveller:
        yield traveller


def get(settings: MailSettings, **options: Any) -> str:
    """Return a token."""
    with closing(open_tokens(settings, step_timeout=10, **options)) as tokens:
        return tokens.get()


def refusal(settings: MailSettings, **options: Any) -> str:
    """Return why there is no token; every message waits for it."""
    with pytest.raises(DeliveryError) as caught:
        get(settings, **options)
    assert caught.value.cause is Cause.UNAVAILABLE
    return str(caught.value.detail)


def test_the_runs_of_a_morning_ask_for_one_token(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """It is kept for all of them, and renewed minutes before its end."""
    sign_in(by_user, cloud)
    first = get(by_user)
    assert {get(by_user) for _ in range(5)} == {first}
    assert cloud.identity.renewals == 0
    clock.shift(timedelta(minutes=56))
    assert get(by_user) != first
    assert cloud.identity.renewals == 1


def test_both_transports_have_tokens_of_their_own(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """SMTP takes none of Graph's; what was not granted is told with the command."""
    del clock
    sign_in(by_user, cloud)
    smtp = replace(by_user, transport="smtp-oauth2")
    detail = refusal(smtp)
    assert "not granted" in detail
    assert AGAIN in detail
    sign_in(smtp, cloud)
    _, scopes, _ = cloud.identity.access_tokens[get(smtp)]
    assert scopes == {user_scope(cloud)}


def user_scope(cloud: Any) -> str:
    """Return what SMTP needs."""
    return f"{cloud.url}/SMTP.Send"


@pytest.mark.slow
def test_two_years_of_reports(
    by_user: MailSettings, cloud: Any, clock: Any, small_report: Message
) -> None:
    """A sign-in that is used lasts for ever, and nobody is told anything."""
    sign_in(by_user, cloud)
    for month in range(12):
        clock.shift(timedelta(days=61))
        with closing(open_transport(by_user)) as transport:
            (receipt,) = transport.send(small_report)
        assert receipt.delivery is Delivery.SENT, month
        assert notice(by_user, utc_now()) is None
    assert len(cloud.mails) == 12
    assert read_facts(by_user).signed_in_at == BEGIN


def test_two_years_of_daily_runs_that_mail_failures_alone(
    by_user: MailSettings, cloud: Any, clock: Any, small_report: Message
) -> None:
    """Each run renews what no mail uses, so that the first failure is reported."""
    sign_in(by_user, cloud)
    for _ in range(12):
        clock.shift(timedelta(days=61))
        assert keep_alive(by_user, utc_now()) is None
        # A second run on that day asks nobody.
        asked = len(cloud.asked)
        assert keep_alive(by_user, utc_now()) is None
        assert len(cloud.asked) == asked
    with closing(open_transport(by_user)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.SENT


def test_disuse_is_told_fourteen_days_before(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """Then that it has ended; then a new sign-in makes all well."""
    sign_in(by_user, cloud)
    clock.shift(LIFE - WARNING - timedelta(minutes=1))
    assert notice(by_user, utc_now()) is None
    clock.shift(timedelta(minutes=2))
    told = str(notice(by_user, utc_now()))
    assert (BEGIN + LIFE).astimezone().strftime("%Y-%m-%d %H:%M") in told
    assert "python-runner mail login" in told
    clock.shift(WARNING)
    assert "has not been used since" in str(notice(by_user, utc_now()))
    detail = refusal(by_user)
    assert "AADSTS700082" in detail
    assert "not used for too long" in detail
    assert AGAIN in detail
    assert read_facts(by_user).ended_by == "700082"
    assert AGAIN in str(notice(by_user, utc_now()))
    sign_in(by_user, cloud)
    assert notice(by_user, utc_now()) is None
    get(by_user, renewed=True)


def test_no_network_is_no_end(by_user: MailSettings, cloud: Any, clock: Any) -> None:
    """Nothing is told before the end is near, and what is kept stays."""
    sign_in(by_user, cloud)
    clock.shift(timedelta(days=2))
    away = replace(by_user, oauth_authority=by_user.oauth_authority)
    cloud.token_replies = [cloud.reply(503, "busy")] * 2
    assert keep_alive(away, utc_now()) is None
    assert "has a problem" in refusal(away)
    assert read_facts(by_user).ended_at is None
    assert keep_alive(by_user, utc_now()) is None
    assert read_facts(by_user).renewed_at == BEGIN + timedelta(days=2)


@pytest.mark.parametrize("status", [408, 429, 500, 503])
@pytest.mark.parametrize("as_user", [True, False])
def test_what_passes_is_not_taken_for_a_wrong_address(
    *, status: int, as_user: bool, by_user: MailSettings, cloud: Any
) -> None:
    """A server with too much to do is no proxy, and no wrong OAUTH_AUTHORITY."""
    settings = cloud.settings(smtp_ca_file=by_user.smtp_ca_file)
    if as_user:
        sign_in(by_user, cloud)
        settings = by_user
    cloud.token_replies = [cloud.reply(status, "busy")]
    detail = refusal(settings, renewed=True)
    assert "has a problem; delivery will be retried later" in detail


@pytest.mark.parametrize(
    ("number", "word", "ended", "said"),
    [
        (700082, "invalid_grant", True, "has expired"),
        (50173, "invalid_grant", True, "password was changed"),
        (50076, "interaction_required", True, "second proof"),
        (50079, "interaction_required", True, "second proof"),
        (53000, "interaction_required", True, "computers sign in that it manages"),
        (53003, "invalid_grant", True, "Conditional Access policy"),
        (65001, "invalid_grant", True, "not granted"),
        (50105, "invalid_grant", True, "not assigned"),
        (70000, "invalid_grant", True, "used up, revoked"),
        (99999, "invalid_grant", True, "used up, revoked"),
        (50034, "invalid_grant", True, "does not know this account"),
        (50196, "invalid_grant", False, "too often"),
        (700016, "unauthorized_client", False, "no application OAUTH_CLIENT_ID"),
        (7000218, "invalid_client", False, "public client"),
        (90002, "invalid_tenant", False, "no organisation"),
        (99998, "whatever", False, "Microsoft refuses"),
    ],
)
def test_a_refused_renewal_says_why_and_what_to_do(
    *,
    number: int,
    word: str,
    ended: bool,
    said: str,
    by_user: MailSettings,
    cloud: Any,
    clock: Any,
) -> None:
    """Only what needs the user names the command; what is kept may be good tomorrow."""
    sign_in(by_user, cloud)
    clock.shift(timedelta(days=1))
    cloud.identity.refused = (number, word)
    detail = refusal(by_user)
    assert said in detail
    assert (AGAIN in detail) is ended
    told = notice(by_user, utc_now())
    assert (told is not None) is ended
    assert said in str(keep_alive(by_user, utc_now()))
    cloud.identity.refused = None
    get(by_user)
    assert notice(by_user, utc_now()) is None


def test_a_password_that_was_changed_ends_it(
    by_user: MailSettings, cloud: Any, clock: Any, small_report: Message
) -> None:
    """The report waits with the command; Graph's own refusal is not all that is said."""
    sign_in(by_user, cloud)
    get(by_user)
    cloud.identity.revoke_all()
    cloud.identity.access_tokens.clear()
    del clock
    with closing(open_transport(by_user)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.DEFERRED
    assert "password was changed" in str(receipt.detail)
    assert AGAIN in str(receipt.detail)


def test_a_token_of_before_that_is_refused_is_renewed(
    by_user: MailSettings, cloud: Any, clock: Any, small_report: Message
) -> None:
    """It may have been revoked since it was kept; the mail leaves all the same."""
    del clock
    sign_in(by_user, cloud)
    cloud.identity.access_tokens.clear()
    with closing(open_transport(by_user)) as transport:
        (receipt,) = transport.send(small_report)
    assert receipt.delivery is Delivery.SENT
    assert cloud.identity.renewals == 1


@pytest.mark.parametrize("days", [-400, 400])
def test_a_clock_that_was_wrong_ends_nothing(
    days: int, by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """Signed in with a wrong clock, used with the right one."""
    clock.shift(timedelta(days=days))
    sign_in(by_user, cloud)
    for grant in cloud.identity.refresh_tokens.values():
        grant.issued_at = BEGIN.timestamp()
    clock.move_to(BEGIN + timedelta(hours=2))
    assert keep_alive(by_user, utc_now()) is None
    assert get(by_user) in cloud.identity.access_tokens
    assert notice(by_user, utc_now()) is None


def test_threads_that_renew_at_once_ask_once(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """A provider that takes a refresh token once is asked once with each."""
    cloud.identity.strict = True
    sign_in(by_user, cloud)
    clock.shift(timedelta(days=1))
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(get(by_user))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert len(set(found)) == 1
    assert cloud.identity.renewals == 1
    assert not cloud.identity.ended


#: A process that renews what is kept, whatever it finds; killed before its nth write.
PROGRAM = """
import json, os, signal, sys
from pathlib import Path
from python_runner import files
from python_runner.delivery.transports.tokens import open_tokens
from python_runner.model import MailSettings
values = json.loads(sys.argv[1])
for name in ("smtp_ca_file", "sign_in_folder"):
    values[name] = Path(values[name])
settings = MailSettings(**values)
fatal = int(sys.argv[2])
if fatal:
    count = 0
    def audit(event, arguments):
        global count
        writes = event == "open" and arguments[2] & (os.O_CREAT | os.O_RDWR | os.O_WRONLY)
        if (writes or event == "os.rename") and "sign-in" in str(arguments[0]):
            count += 1
            if count == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
    sys.addaudithook(audit)
if sys.argv[3] == "login":
    from python_runner.delivery.sign_in import login
    login.pause = lambda seconds: None
    with login.Login(settings, in_file=True) as attempt:
        attempt.by_device_code(lambda code: None)
else:
    open_tokens(settings, step_timeout=30, renewed=True).get()
"""


def process(
    by_user: MailSettings, fatal: int = 0, what: str = "renewal"
) -> subprocess.Popen[str]:
    """Start a process that renews, or that signs in."""
    names = (
        *("transport", "login", "sender", "oauth_tenant", "oauth_client"),
        *("oauth_authority", "graph_url", "smtp_ca_file", "sign_in_folder"),
    )
    values = json.dumps({name: str(getattr(by_user, name)) for name in names})
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, values, str(fatal), what],
        env=with_tests_importable(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.slow
def test_processes_that_renew_at_once_lose_nothing(
    by_user: MailSettings, cloud: Any
) -> None:
    """Each renews after the other; none uses a refresh token that was used."""
    cloud.identity.strict = True
    sign_in(by_user, cloud)
    processes = [process(by_user) for _ in range(3)]
    ends = [(p.communicate(timeout=60), p.returncode) for p in processes]
    assert [code for _, code in ends] == [0, 0, 0], ends
    assert cloud.identity.renewals == 3
    assert not cloud.identity.ended
    get(by_user, renewed=True)


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.fault(
    "delivery",
    "A process is killed while it signs in or renews a sign-in",
    "The next one renews it: no token that was good is lost.",
)
@pytest.mark.parametrize("what", ["login", "renewal"])
def test_a_kill_at_any_step_loses_no_sign_in(
    what: str, by_user: MailSettings, cloud: Any
) -> None:
    """Whatever the step before which it dies, the next renewal works."""
    sign_in(by_user, cloud)
    killed = 0
    for fatal in range(1, 40):
        with process(by_user, fatal, what) as one:
            one.communicate(timeout=60)
        get(by_user, renewed=True)
        if one.returncode == 0:
            break
        assert one.returncode == -9
        killed += 1
    assert killed >= 5
    assert one.returncode == 0


@pytest.mark.fault(
    "delivery",
    "What is kept of a sign-in is damaged, gone, or another account's",
    "Reports wait, and a sentence says how to sign in again.",
)
@pytest.mark.parametrize(
    ("file", "content"),
    [
        (".json", None),
        (".json", b""),
        (".json", b"{"),
        (".json", b"[" * 100_000),
        (".json", b"\xff\xfe"),
        (".json", b'{"account": 1}'),
        (".tokens", None),
        (".tokens", b""),
        (".tokens", b"{"),
        (".tokens", b"[]"),
        (".tokens", b'{"AccessToken": 1}'),
        (".tokens", b'{"AccessToken": {"x": {"target": 1}}}'),
        (".tokens", b"\xff\xfe"),
        (".tokens", b"{}"),
    ],
)
def test_what_is_damaged_is_told(
    file: str, content: bytes | None, by_user: MailSettings, cloud: Any
) -> None:
    """Never an error that nobody expected; a new sign-in mends it, a logout clears it."""
    sign_in(by_user, cloud)
    path = facts_file(by_user).with_suffix(file)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert "python-runner mail login" in refusal(by_user)
    sign_in(by_user, cloud)
    get(by_user, renewed=True)
    path.write_bytes(content or b"")
    keeper = Keeper(by_user)
    with keeper.locked():
        keeper.forget()
    assert not keeper.is_there()


@pytest.mark.parametrize("name", ["signed_in_at", "renewed_at", "ended_at"])
@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]
)
def test_a_moment_outside_of_the_calendar_is_damage(
    name: str, moment: str, by_user: MailSettings, cloud: Any
) -> None:
    """Nobody can reckon with it; everything else can be asked all the same."""
    sign_in(by_user, cloud)
    file = facts_file(by_user)
    facts = json.loads(file.read_text(encoding="utf-8")) | {name: moment}
    file.write_text(json.dumps(facts), encoding="utf-8")
    assert "cannot be read" in str(notice(by_user, utc_now()))
    assert AGAIN in str(keep_alive(by_user, utc_now()))


def test_a_full_disk_keeps_no_report_back(
    by_user: MailSettings, cloud: Any, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One token serves all messages, and what was good stays; a test is told, in words."""
    sign_in(by_user, cloud)

    def full(*_args: object, **_options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = read_facts(by_user)
    with monkeypatch.context() as patched:
        patched.setattr(f"{keeping.__name__}.replacing", full)
        patched.setattr(f"{vaults.__name__}.replacing", full)
        clock.shift(timedelta(hours=2))
        with closing(open_tokens(by_user, step_timeout=10)) as tokens:
            token = tokens.get()
            assert tokens.get() == token
            assert cloud.identity.renewals == 1
            tokens.forget()
            assert tokens.get() != token
        with pytest.raises(DeliveryError) as caught:
            get(by_user, renewed=True)
    assert "No space left on device" in str(caught.value.detail)
    assert "No space" not in caught.value.detail.in_language("fr")
    assert read_facts(by_user) == before
    get(by_user)


def test_a_closed_keyring_is_not_taken_for_another_account(
    by_user: MailSettings, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one who signed in is told how to do it where nobody is logged in."""
    sign_in(by_user, cloud)

    def closed(*_args: object) -> FileVault:
        raise OSError("no desktop session")

    monkeypatch.setattr(f"{keeping.__name__}.open_vault", closed)
    detail = refusal(by_user)
    assert "add --in-file" in detail
    assert "wants to use them" not in detail


def test_tokens_of_another_account_of_the_computer_are_told(
    by_user: MailSettings, cloud: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sentence names who signed in, and as whom to sign in."""
    sign_in(by_user, cloud)
    file = facts_file(by_user)
    facts = json.loads(file.read_text(encoding="utf-8")) | {"user": "OFFICE\\ann"}
    file.write_text(json.dumps(facts), encoding="utf-8")

    def closed(*_args: object) -> str:
        raise PermissionError(13, "Permission denied")

    vault = FileVault(file)
    monkeypatch.setattr(vault, "read", closed)
    monkeypatch.setattr(f"{keeping.__name__}.open_vault", lambda *_: vault)
    detail = refusal(by_user)
    assert "OFFICE\\ann" in detail
    assert "Permission denied" in detail


def test_nobody_signed_in_is_told_with_the_account(
    by_user: MailSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task runs under another account than the one in which somebody signed in."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "service")
    detail = refusal(by_user)
    assert (
        "nobody has signed in to Outlook as robot@example.com in the account service"
        in detail
    )
    assert detail == str(notice(by_user, utc_now()))


def test_another_process_is_not_waited_for_for_ever(
    by_user: MailSettings, cloud: Any
) -> None:
    """One that renews and hangs costs this one its patience, and no more."""
    sign_in(by_user, cloud)
    with (
        Keeper(by_user).locked(),
        pytest.raises(DeliveryError, match="another process"),
        Keeper(by_user).locked(0.1),
    ):
        pytest.fail("it is locked")


def test_a_provider_that_never_answers_holds_a_run_up_for_seconds(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """It says nothing of it before the end is near."""
    sign_in(by_user, cloud)
    clock.shift(timedelta(days=1))
    cloud.token_replies = [cloud.reply(silent=True)]
    assert keep_alive(by_user, utc_now(), seconds=0.5) is None


def test_no_secret_is_in_what_is_said(
    by_user: MailSettings, cloud: Any, clock: Any
) -> None:
    """A provider that repeats what it was sent is masked, in what is kept as well."""
    sign_in(by_user, cloud)
    clock.shift(timedelta(days=1))

    def echo(form: dict[str, str]) -> tuple[int, dict[str, Any]]:
        cloud.identity.asked.append(form)
        return 400, {"error": "invalid_grant", "error_description": f"bad: {form}"}

    cloud.identity.token = echo
    detail = refusal(by_user)
    kept = facts_file(by_user).read_text(encoding="utf-8")
    assert "***" in detail
    assert not [s for s in cloud.identity.secrets() if s in detail or s in kept]
