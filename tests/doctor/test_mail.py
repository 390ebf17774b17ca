"""What is found of sign-ins, certificates and servers, without asking anybody."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import pytest

from python_runner.config.project import bare_project
from python_runner.delivery.probe import Step
from python_runner.delivery.reach import Server, servers_of, why_not_found
from python_runner.delivery.sign_in.facts import SignIn, facts_file
from python_runner.doctor.mail import (
    Tried,
    judge_ways,
    look_at_expiries,
    look_at_passwords,
    look_at_servers,
    look_at_sign_in,
)
from python_runner.model import MailSettings
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.portable("reads files")

DAY = timedelta(days=1)


@pytest.mark.parametrize(
    ("renewed", "ended", "found"),
    [
        (None, None, "sign_in.ended"),
        (NOW - DAY, None, "sign_in.good"),
        (NOW - 80 * DAY, None, "sign_in.ending"),
        (NOW - 91 * DAY, None, "sign_in.ended"),
        (NOW - DAY, NOW, "sign_in.ended"),
    ],
)
def test_who_has_signed_in_and_until_when(
    renewed: datetime | None, ended: datetime | None, found: str, tmp_path: Path
) -> None:
    """And the command where it must be done again."""
    mail = MailSettings(
        transport="graph",
        login="ann@example.org",
        oauth_client="app",
        sign_in_folder=tmp_path,
    )
    if renewed:
        facts = SignIn(
            account="ann@example.org",
            home_account="1",
            user="me",
            kept_in="file",
            signed_in_at=NOW - 100 * DAY,
            renewed_at=renewed,
            ended_at=ended,
            ended_by="AADSTS700082" if ended else "",
        )
        facts_file(mail).write_bytes(msgspec.json.encode(facts))

    (finding,) = look_at_sign_in(mail, NOW)

    assert finding.kind.id == found
    assert "ann@example.org" in f"{finding.what} {finding.why}"
    assert found == "sign_in.good" or "python-runner mail login" in str(finding.fix)


@pytest.mark.parametrize(
    ("login", "found"), [("ann@example.org", []), (None, ["mail.closed"])]
)
def test_a_way_that_waits_for_a_sign_in_is_one_problem(
    login: str | None, found: list[str], tmp_path: Path
) -> None:
    """The sign-in is reported by itself; a way that fails otherwise is a problem."""
    secret = None if login else "s3cr3t"
    way = MailSettings(
        transport="graph", login=login, sign_in_folder=tmp_path, oauth_secret=secret
    )
    step = Step(name="TOKEN", ok=False, detail=Sentence.of("{x}", x="refused"))

    judged = judge_ways([Tried(way=way, steps=(step,))], NOW)

    assert [one.kind.id for one in judged] == found


def test_nobody_signs_in_where_a_password_or_an_application_sends() -> None:
    """Then there is nothing to say of it."""
    application = MailSettings(transport="graph", oauth_secret="s3cr3t")
    assert not [*look_at_sign_in(MailSettings(), NOW)]
    assert not [*look_at_sign_in(application, NOW)]


def test_of_a_secret_people_are_told_where_its_end_stands() -> None:
    """A certificate that is no file is a problem, and named."""
    (secret,) = look_at_expiries(
        MailSettings(transport="graph", oauth_secret="s3cr3t"), NOW
    )
    assert secret.kind.id == "secret.end_unknown"
    assert "s3cr3t" not in repr(secret)
    assert not [*look_at_expiries(MailSettings(), NOW)]


def test_a_certificate_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """With its file and the reason."""
    file = tmp_path / "app.pem"
    file.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    mail = MailSettings(transport="graph", oauth_certificate=file)

    (finding,) = look_at_expiries(mail, NOW)

    assert finding.kind.id == "certificate.unreadable"
    assert str(file) in str(finding.what)


def test_a_mailbox_that_takes_no_password_is_told() -> None:
    """A relay's is not."""
    assert not [*look_at_passwords(MailSettings(smtp_host="relay.example"))]


def test_servers_are_named_without_their_secrets(tmp_path: Path) -> None:
    """Of a channel whose service has one address for all, that one."""
    project = replace(
        bare_project(tmp_path),
        heartbeat_url="https://hc.example/0a1b2c3d-token",
        channels=(
            *("json://hook.example/t0ken", "tgram://123456:s3cr3t/42"),
            *("ntfys://ntfy.example/s3cr3t", "ntfy://s3cr3t-topic"),
            "mailtos://ann:s3cr3t@office.example?smtp=mail.office.example",
        ),
    )

    servers = {server.key: server.host for server in servers_of(project)}

    assert servers["heartbeat_url"] == "hc.example"
    if "channels[0]" in servers:
        del servers["channels[1]"]
        assert servers == {
            "heartbeat_url": "hc.example",
            "channels[0]": "hook.example",
            "channels[2]": "ntfy.example",
            "channels[4]": "mail.office.example",
        }
    assert "s3cr3t" not in repr(servers)


def test_a_server_that_nobody_knows_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is known is nothing to tell."""
    project = replace(bare_project(tmp_path), heartbeat_url="https://a..b/x")
    assert [f.kind.id for f in look_at_servers(project)] == ["address.unknown"]
    assert why_not_found(Server("heartbeat_url", "127.0.0.1")) is None
    # The proxy of the office knows it, and this computer does not.
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    assert why_not_found(Server("heartbeat_url", "a..b")) is None
    monkeypatch.setenv("NO_PROXY", "a..b")
    assert why_not_found(Server("heartbeat_url", "a..b"))
    assert not [*look_at_servers(bare_project(tmp_path))]
