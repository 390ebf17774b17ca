from __future__ import annotations

import datetime as dt
import time
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.probe import Step, probe, probe_login
from python_runner.model import MailSettings
from tests.support import GENEROUS, NOW


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

NAMES = ["DNS", "TCP", "TLS", "AUTH", "MAIL", "RCPT", "DATA"]
LOGIN = {"login": "robot@example.com", "password": "càn4ry"}


def _probe(settings: MailSettings, **options: Any) -> list[Step]:
    return list(
        probe(settings, "ann@example.com", now=NOW, step_timeout=0.5, **options)
    )


def test_a_good_way_is_walked_to_its_end(
    serve: Callable[..., Any],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
) -> None:
    """Seven steps, each with what it found, and a test mail at the end."""
    server = serve(
        {"EHLO": "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN"}, tls=authority.context()
    )
    settings = mail_settings(
        server, smtp_security="starttls", smtp_ca_file=authority.file, **LOGIN
    )
    steps = _probe(settings, language="en")
    assert [step.name for step in steps] == NAMES
    assert all(step.ok for step in steps)
    details = [str(step.detail) for step in steps]
    assert "127.0.0.1" in details[0]
    assert "TLSv1." in details[2]
    assert "authenticated as robot@example.com" in details[3]
    assert "queued as 42" in details[6]
    assert not any("càn4ry" in detail for detail in details)
    (content,) = server.messages
    assert message_from_bytes(content, policy=default)["To"] == "ann@example.com"
    assert server.verbs()[-1] == "QUIT"


@pytest.mark.parametrize(
    ("answers", "changes", "last", "says"),
    [
        ({}, {"smtp_host": "a..b"}, "DNS", "not known"),
        ({"CONNECT": "<drop>"}, {}, "TCP", "sends no greeting"),
        ({}, {"smtp_security": "starttls"}, "TLS", "STARTTLS"),
        ({"AUTH": "535 5.7.3 no"}, LOGIN, "AUTH", "refused LOGIN_MAIL"),
        ({"MAIL": "550 5.1.8 bad sender"}, {}, "MAIL", "check MAIL_FROM"),
        ({"RCPT": "550 5.1.1 unknown"}, {}, "RCPT", "check the address (550"),
        ({".": "554 5.6.0 spam"}, {}, "DATA", "spam"),
    ],
)
def test_the_first_step_that_fails_is_the_last_one_told(
    *,
    answers: Mapping[str, str],
    changes: Mapping[str, Any],
    last: str,
    says: str,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
) -> None:
    """The steps end at the first that fails, which says why."""
    server = serve(answers)
    steps = _probe(mail_settings(server, **changes))
    assert [step.name for step in steps] == NAMES[: NAMES.index(last) + 1]
    assert [step.ok for step in steps] == [True] * (len(steps) - 1) + [False]
    assert says in str(steps[-1].detail)


def test_nobody_listening_is_told_at_tcp(free_port: int) -> None:
    """A closed port is not a wrong name."""
    steps = _probe(MailSettings(smtp_host="127.0.0.1", smtp_port=free_port))
    assert [(step.name, step.ok) for step in steps] == [("DNS", True), ("TCP", False)]


def test_sending_without_encryption_and_login_is_said(
    serve: Callable[..., Any], mail_settings: Callable[..., MailSettings]
) -> None:
    """A relay that wants neither is no error, but nobody is left to guess."""
    steps = {step.name: str(step.detail) for step in _probe(mail_settings(serve()))}
    assert "not encrypted" in steps["TLS"]
    assert "without authentication" in steps["AUTH"]


def test_a_drop_folder_is_probed_by_writing(tmp_path: Path) -> None:
    """The one step of the ``file`` transport names the file it wrote, or the trouble."""
    folder = tmp_path / "mail"
    settings = MailSettings(transport="file", mail_dir=folder)
    (step,) = _probe(settings, language="fr")
    (file,) = folder.iterdir()
    assert step.ok
    assert str(file) in str(step.detail)

    (step,) = _probe(MailSettings(transport="file", mail_dir=file))
    assert not step.ok
    assert "MAIL_DIR" in str(step.detail)


def test_two_probes_are_two_mails(tmp_path: Path) -> None:
    """A test mail sent again is not taken for a duplicate of the first."""
    settings = MailSettings(transport="file", mail_dir=tmp_path)
    _probe(settings)
    later = NOW + dt.timedelta(milliseconds=1)
    list(probe(settings, "ann@example.com", now=later))
    assert len(list(tmp_path.glob("*.eml"))) == 2


OAUTH_NAMES = ["TOKEN", *NAMES]


def test_a_way_with_a_token_has_a_step_more(
    cloud: Any,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
) -> None:
    """Who gave the token, and to which application, is said first."""
    server = serve({"EHLO": "250-fake\r\n250 AUTH XOAUTH2"})
    steps = _probe(token_settings(server))
    assert [step.name for step in steps] == OAUTH_NAMES
    assert all(step.ok for step in steps)
    details = {step.name: str(step.detail) for step in steps}
    assert (
        details["TOKEN"]
        == f"{cloud.url} issued a token to the application {cloud.CLIENT}"
    )
    assert "authenticated as robot@example.com" in details["AUTH"]
    assert cloud.counted()["token"] == 1
    assert not any("token-0" in detail for detail in details.values())


@pytest.mark.parametrize(
    ("answers", "changes", "last", "says"),
    [
        ({}, {"oauth_secret": "wrong"}, "TOKEN", "refuses OAUTH_CLIENT_SECRET"),
        ({}, {"oauth_tenant": "elsewhere"}, "TOKEN", "OAUTH_TENANT_ID"),
        ({"AUTH": "535 5.7.3 no"}, {}, "AUTH", "Application SMTP.SendAsApp"),
        ({"EHLO": "250-fake\r\n250 AUTH PLAIN"}, {}, "AUTH", "accepts no token"),
        (
            {".": "430 4.2.0 STOREDRV; mailbox logon failure"},
            {},
            "DATA",
            "Application SMTP.SendAsApp",
        ),
    ],
)
def test_the_step_where_a_token_fails_is_named(
    *,
    answers: Mapping[str, str],
    changes: Mapping[str, Any],
    last: str,
    says: str,
    serve: Callable[..., Any],
    token_settings: Callable[..., MailSettings],
) -> None:
    """No token, a token that is not taken, and a mailbox that is not opened differ."""
    server = serve({"EHLO": "250-fake\r\n250 AUTH XOAUTH2"} | dict(answers))
    steps = _probe(token_settings(server, **changes))
    assert [s.name for s in steps] == OAUTH_NAMES[: OAUTH_NAMES.index(last) + 1]
    assert [s.ok for s in steps] == [True] * (len(steps) - 1) + [False]
    assert says in str(steps[-1].detail)


def test_graph_is_two_steps(cloud: Any, authority: Any) -> None:
    """A token, and the mail: every other step shows only when it fails."""
    steps = _probe(cloud.settings(smtp_ca_file=authority.file))
    assert [(step.name, step.ok) for step in steps] == [
        ("TOKEN", True),
        ("GRAPH", True),
    ]
    assert "accepted the email: 202" in str(steps[1].detail)
    ((mailbox, content),) = cloud.mails
    assert mailbox == "robot@example.com"
    assert message_from_bytes(content, policy=default)["To"] == "ann@example.com"


def test_the_step_where_graph_fails_is_named(
    cloud: Any, authority: Any, free_port: int
) -> None:
    """Sign-in and delivery are different rooms of the admin centre."""
    settings = cloud.settings(smtp_ca_file=authority.file)
    cloud.token_replies = [cloud.aadsts(7000222)]
    (token,) = _probe(settings)
    cloud.graph_replies = [cloud.graph_error(403, "ErrorAccessDenied")]
    _, refused = _probe(settings)
    away = f"https://localhost:{free_port}"
    _, gone = _probe(cloud.settings(smtp_ca_file=authority.file, graph_url=away))
    assert (token.name, token.ok) == ("TOKEN", False)
    assert "has expired" in str(token.detail)
    assert (refused.name, refused.ok) == ("GRAPH", False)
    assert "Mail.Send" in str(refused.detail)
    assert (gone.name, gone.ok) == ("GRAPH", False)
    assert "check GRAPH_URL" in str(gone.detail)


@pytest.mark.parametrize("step", ["CONNECT", "EHLO", "."])
def test_a_test_ends_in_time(
    serve: Callable[..., Any], mail_settings: Callable[..., MailSettings], step: str
) -> None:
    """However slowly a server answers; the step that takes too long is named."""
    server = serve({step: "<drip>"})
    settings = mail_settings(server)
    start = time.monotonic()
    *_, last = probe(
        settings, "ann@example.com", now=NOW, step_timeout=60, whole_seconds=0.5
    )
    assert time.monotonic() - start < GENEROUS
    assert not last.ok
    assert last.name == {"CONNECT": "TCP", "EHLO": "TLS", ".": "DATA"}[step]
    assert "takes too long" in str(last.detail)


def _logged_in(settings: MailSettings) -> list[Step]:
    return list(probe_login(settings, step_timeout=5, whole_seconds=GENEROUS))


def test_a_login_is_tried_without_a_mail(
    serve: Callable[..., Any],
    authority: Any,
    mail_settings: Callable[..., MailSettings],
) -> None:
    """Its steps tell when the certificate ends, and what time the server has."""
    ends_at = dt.datetime.now(dt.UTC).replace(microsecond=0) + dt.timedelta(days=20)
    server = serve(
        {
            "CONNECT": "220 mail ready at Thu, 26 Nov 2026 16:00:00 +0100",
            "EHLO": "250-fake\r\n250-STARTTLS\r\n250 AUTH PLAIN",
        },
        tls=authority.context(not_after=ends_at),
    )
    settings = mail_settings(
        server, smtp_security="starttls", smtp_ca_file=authority.file, **LOGIN
    )

    steps = {step.name: step for step in _logged_in(settings)}

    assert list(steps) == ["DNS", "TCP", "TLS", "AUTH"]
    assert all(step.ok for step in steps.values())
    moment = dt.datetime(2026, 11, 26, 15, tzinfo=dt.UTC)
    assert steps["TCP"].server_time == moment
    assert steps["TLS"].validity is not None
    assert steps["TLS"].validity.ends_at == ends_at
    assert not server.messages
    assert not {"MAIL", "RCPT", "DATA"} & set(server.verbs())
    assert server.verbs()[-1] == "QUIT"


@pytest.mark.parametrize(
    "greeting", ["220 fake", "220 at Xxx, 99 Yyy 2026 99:00:00 +0000"]
)
def test_a_greeting_without_a_date_tells_no_time(
    greeting: str, serve: Callable[..., Any], mail_settings: Callable[..., MailSettings]
) -> None:
    """Nor does one whose date is none; the login goes on."""
    steps = _logged_in(mail_settings(serve({"CONNECT": greeting})))
    assert [step.server_time for step in steps] == [None] * 4
    assert all(step.ok for step in steps)


def test_a_login_to_graph_is_tried_without_a_mail(cloud: Any, authority: Any) -> None:
    """A token, and an answer of the server that would take the mail, with its time."""
    steps = _logged_in(cloud.settings(smtp_ca_file=authority.file))

    assert [(step.name, step.ok) for step in steps] == [
        ("TOKEN", True),
        ("GRAPH", True),
    ]
    ours = dt.datetime.now(dt.UTC)
    assert steps[1].server_time is not None
    assert abs(steps[1].server_time - ours) < dt.timedelta(seconds=GENEROUS)
    assert not any("sendMail" in path for path in cloud.asked)


def test_a_drop_folder_is_looked_at_and_left_empty(tmp_path: Path) -> None:
    """It is made with the first mail; the event log has no step at all."""
    folder = tmp_path / "mails"
    (step,) = _logged_in(MailSettings(transport="file", mail_dir=folder))
    assert step.ok
    assert not folder.exists()

    folder.write_text("")
    (step,) = _logged_in(MailSettings(transport="file", mail_dir=folder))
    assert not step.ok
    assert "MAIL_DIR" in str(step.detail)
    assert _logged_in(MailSettings(transport="eventlog")) == []
