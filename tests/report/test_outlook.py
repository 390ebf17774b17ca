"""Outlook's new doors from outside: the real command, its variables, its words."""

from __future__ import annotations

import email
import email.policy
import json
import sys
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports import missing_extra, open_transport
from python_runner.model import Delivery, MailSettings


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.model import Message
    from tests.support import Cli, MakeProject


EHLO = "250-fake\r\n250-STARTTLS\r\n250 AUTH XOAUTH2"
SPY = "import os; print('OAUTH_CLIENT_SECRET' in os.environ, os.environ['LOGIN_MAIL'])"


@pytest.fixture
def variables(cloud: Any, authority: Any) -> dict[str, str]:
    """Return the environment of an office whose application is registered."""
    return {
        "MAIL_TRANSPORT": "graph",
        "LOGIN_MAIL": "robot@example.com",
        "OAUTH_TENANT_ID": cloud.TENANT,
        "OAUTH_CLIENT_ID": cloud.CLIENT,
        "OAUTH_CLIENT_SECRET": cloud.secret,
        "OAUTH_AUTHORITY": cloud.url,
        "GRAPH_URL": cloud.url,
        "SMTP_CA_FILE": str(authority.file),
    }


@pytest.fixture
def without_msal(tmp_path: Path) -> dict[str, str]:
    """Return what makes a child believe that the package is not installed."""
    folder = tmp_path / "site"
    folder.mkdir()
    code = "import sys\nsys.modules['msal'] = None\n"
    (folder / "sitecustomize.py").write_text(code, encoding="utf-8")
    return {"PYTHONPATH": str(folder)}


def test_a_run_reports_through_graph(
    cli: Cli, make_project: MakeProject, cloud: Any, variables: dict[str, str]
) -> None:
    """The report arrives in one request; no script and no output sees the secret."""
    folder = make_project(
        sources={"main.py": SPY},
        recipients=["ann@example.org", "bob@example.org"],
        email_strategy="all",
    )

    done = cli("run", "--json", folder, **variables)

    (run,) = json.loads(done.stdout)["runs"]
    assert run["mail"] == "sent"
    ((mailbox, data),) = cloud.mails
    assert mailbox == "robot@example.com"
    mail = email.message_from_bytes(data, policy=email.policy.default)
    assert mail["To"] == "ann@example.org, bob@example.org"
    assert cloud.secret not in done.stdout + done.stderr
    (output,) = folder.glob("logs/runs/*/*.log")
    assert "False robot@example.com" in output.read_text(encoding="utf-8")


def test_a_run_reports_with_a_token_over_starttls(
    *,
    cli: Cli,
    make_project: MakeProject,
    serve: Any,
    authority: Any,
    variables: dict[str, str],
) -> None:
    """The same application, by the other door."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    server = serve({"EHLO": EHLO}, tls=authority.context())
    variables |= {
        "MAIL_TRANSPORT": "smtp-oauth2",
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(server.port),
    }

    done = cli("run", "--json", folder, **variables)

    (run,) = json.loads(done.stdout)["runs"]
    assert run["mail"] == "sent"
    assert len(server.messages) == 1
    assert b"AUTH" not in server.raw


@pytest.mark.portable("the transport decides it, whose tests run there")
def test_a_report_waits_for_an_expired_secret(
    cli: Cli, make_project: MakeProject, cloud: Any, variables: dict[str, str]
) -> None:
    """The run is not changed; `mail list` says what to do, and then the report leaves."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    cloud.token_replies = [cloud.aadsts(7000222)]

    done = cli("run", "--json", folder, **variables)
    listed = cli("mail", "list", **variables)
    flushed = cli("mail", "flush", **variables)

    assert done.returncode == 0
    assert json.loads(done.stdout)["runs"][0]["mail"] == "queued"
    assert "OAUTH_CLIENT_SECRET has expired" in listed.stdout
    assert flushed.returncode == 0
    assert len(cloud.mails) == 1


@pytest.mark.portable("the transport decides it, whose tests run there")
def test_a_busy_service_is_waited_for(
    cli: Cli, make_project: MakeProject, cloud: Any, variables: dict[str, str]
) -> None:
    """A wait that fits into the delivery is kept, and the report leaves with the run."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    busy = cloud.graph_error(429, "ApplicationThrottled", Retry_After="1")
    cloud.graph_replies = [busy]

    done = cli("run", "--json", folder, **variables)

    assert json.loads(done.stdout)["runs"][0]["mail"] == "sent"
    assert cloud.counted()["sendMail"] == 2
    assert cloud.counted()["token"] == 1


def test_mail_test_walks_to_graph(
    cli: Cli, cloud: Any, variables: dict[str, str]
) -> None:
    """Two steps, and the word that the mail is out."""
    done = cli("mail", "test", **variables)

    assert done.returncode == 0
    assert [line.split()[0] for line in done.stdout.splitlines()[:2]] == [
        "TOKEN",
        "GRAPH",
    ]
    assert done.stderr == ""
    assert len(cloud.mails) == 1


@pytest.mark.portable("the transport decides it, whose tests run there")
def test_mail_test_speaks_french(
    cli: Cli, cloud: Any, variables: dict[str, str]
) -> None:
    """Whoever follows the French page reads the French names of the admin centre."""
    cloud.token_replies = [cloud.aadsts(7000215)]
    done = cli("mail", "test", LANGUAGE="fr", **variables)

    assert done.returncode == 1
    assert "Inscriptions d'applications" in done.stderr


@pytest.mark.parametrize("transport", ["smtp-oauth2", "graph"])
def test_what_is_not_installed_is_named_beforehand(
    *,
    transport: str,
    cli: Cli,
    make_project: MakeProject,
    variables: dict[str, str],
    without_msal: dict[str, str],
) -> None:
    """`check` and `mail test` say what to install; nothing else has to be understood."""
    make_project(recipients=["ann@example.org"], email_strategy="all")
    variables |= without_msal | {"MAIL_TRANSPORT": transport}
    advice = "needs the package msal, which is not installed: "
    advice += f'{sys.executable} -m pip install "python-series-runner[outlook]"'

    checked = cli("check", "project_1", **variables)
    tested = cli("mail", "test", **variables)

    assert checked.returncode == 2
    assert advice in checked.stdout
    assert tested.returncode == 2
    assert advice in tested.stderr
    assert "Traceback" not in tested.stderr


def test_what_is_not_installed_does_not_change_a_run(
    *,
    cli: Cli,
    make_project: MakeProject,
    variables: dict[str, str],
    without_msal: dict[str, str],
) -> None:
    """The scripts run, the report waits, and the outbox says what to install."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")

    done = cli("run", "--json", folder, **variables | without_msal)
    listed = cli("mail", "list", **variables)

    assert done.returncode == 0
    assert json.loads(done.stdout)["runs"][0]["mail"] == "queued"
    assert 'pip install "python-series-runner[outlook]"' in listed.stdout


@pytest.mark.parametrize("transport", ["smtp-oauth2", "graph"])
def test_what_is_not_installed_is_a_receipt(
    transport: str,
    serve: Callable[..., Any],
    mail_settings: Callable[..., MailSettings],
    message: Message,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A transport without its library defers, and raises nothing."""
    monkeypatch.setitem(sys.modules, "msal", None)
    server = serve({"EHLO": "250-fake\r\n250 AUTH XOAUTH2"})
    settings = mail_settings(server, transport=transport, login="robot@example.com")
    with closing(open_transport(settings)) as way:
        receipts = way.send(message)
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert receipts[0].detail == missing_extra(settings)


def test_other_ways_need_nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only who signs in as an application needs what does that."""
    monkeypatch.setitem(sys.modules, "msal", None)
    for transport in ("smtp", "file", "memory"):
        assert missing_extra(MailSettings(transport=transport)) is None
