"""``python-runner mail login`` and ``logout``: the command, with a real browser too."""

from __future__ import annotations

import json
import os
import shutil
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import time_machine

from python_runner.cli.app import run_app
from python_runner.config.settings import load_settings
from python_runner.delivery.sign_in import login as login_module
from python_runner.delivery.sign_in.facts import facts_file, read_facts
from python_runner.runner.library import run_project
from tests.servers.identity import sign_in
from tests.support import BAD, wait_until


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import MailSettings
    from tests.support import Cli, MakeProject

LOGIN = "robot@example.com"
CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture
def variables(
    cloud: Any, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """Set the variables of a user who signs in, and return them."""
    found = {
        "MAIL_TRANSPORT": "graph",
        "LOGIN_MAIL": LOGIN,
        "OAUTH_CLIENT_ID": cloud.CLIENT,
        "OAUTH_AUTHORITY": cloud.url,
        "GRAPH_URL": cloud.url,
        "SMTP_CA_FILE": str(authority.file),
    }
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("BROWSER", raising=False)
    return found


@pytest.fixture
def signed_in(variables: dict[str, str], cloud: Any) -> MailSettings:
    """Return the settings of a user who has signed in."""
    assert variables
    mail = load_settings().mail
    sign_in(mail, cloud)
    return mail


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.skipif(
    CHROMIUM is None and not (os.environ.get("CI") and sys.platform == "linux"),
    reason="needs Debian's chromium, which CI has",
)
def test_a_real_browser_signs_a_user_in(
    variables: dict[str, str], cloud: Any, cli: Cli, tmp_path: Path
) -> None:
    """It opens Microsoft's page, comes back, and shows ours; then a mail leaves."""
    assert variables
    page = tmp_path / "page.html"
    browser = tmp_path / "browser"
    flags = "--headless --no-sandbox --disable-gpu --no-first-run --disable-sync"
    browser.write_text(
        f"#!/bin/sh\nexec {CHROMIUM} {flags} --disable-background-networking"
        f" --ignore-certificate-errors --user-data-dir={tmp_path}/profile"
        f' --virtual-time-budget=30000 --dump-dom "$1" >{page} 2>/dev/null\n',
        encoding="utf-8",
    )
    browser.chmod(0o755)
    done = cli("mail", "login", "--in-file", BROWSER=f"{browser} %s", LANGUAGE="fr")
    assert done.returncode == 0, done
    assert f"Identifié comme {LOGIN}" in done.stdout
    said = done.stdout + done.stderr
    assert not [secret for secret in cloud.identity.secrets() if secret in said]
    tested = cli("mail", "test", "--to", "ann@x.org")
    assert tested.returncode == 0, tested
    assert "renewed the sign-in" in tested.stdout
    assert cloud.mails
    wait_until(lambda: "</html>" in page.read_text(encoding="utf-8"))
    shown = page.read_text(encoding="utf-8")
    assert "Vous pouvez fermer cette page" in shown
    assert not [secret for secret in cloud.identity.secrets() if secret in shown]


def test_a_code_on_another_device_is_shown_with_its_limits(
    variables: dict[str, str],
    cloud: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The code, where to enter it, and that many organisations block it."""
    assert variables
    monkeypatch.setattr(login_module, "pause", lambda _seconds: None)
    cloud.identity.device_words = ["authorization_pending"]
    assert run_app(["mail", "login", "--device-code", "--in-file"]) == 0
    said = capfd.readouterr().out
    assert "ABCD1234" in said
    assert "https://microsoft.com/devicelogin" in said
    assert "Conditional Access" in said
    assert "in a file that only this account may read" in said
    assert not [secret for secret in cloud.identity.secrets() if secret in said]


def test_a_refused_sign_in_is_an_error(
    variables: dict[str, str],
    cloud: Any,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One sentence that says what to do, and a code for scripts."""
    assert variables
    monkeypatch.setattr(login_module, "pause", lambda _seconds: None)
    cloud.identity.device_words = ["53003"]
    assert run_app(["mail", "login", "--device-code"]) == 1
    assert "without --device-code" in capfd.readouterr().err


def test_without_a_screen_the_address_is_printed(
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """No browser of the terminal is started; the wait has an end."""
    assert variables
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr(
        login_module.Login.in_browser, "__kwdefaults__", {"seconds": 0.3}
    )
    assert run_app(["mail", "login"]) == 1
    said = capfd.readouterr()
    assert "/oauth2/v2.0/authorize?" in said.out
    assert "No browser can be opened here" in said.out
    assert "--device-code" in said.err


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"MAIL_TRANSPORT": "smtp"}, "set it to graph or smtp-oauth2"),
        ({"OAUTH_CLIENT_ID": ""}, "OAUTH_CLIENT_ID"),
        ({"LOGIN_MAIL": ""}, "LOGIN_MAIL"),
        ({"OAUTH_CLIENT_SECRET": "canary-1234"}, "unset OAUTH_CLIENT_SECRET"),
        ({"OAUTH_AUTHORITY": "http://x"}, "OAUTH_AUTHORITY"),
    ],
)
@pytest.mark.parametrize("command", [["login"], ["login", "--status"]])
def test_settings_that_do_not_fit_are_told(
    changes: dict[str, str],
    said: str,
    *,
    command: list[str],
    variables: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Before anybody is asked for anything."""
    assert variables
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert run_app(["mail", *command]) == 2
    found = capfd.readouterr().err
    assert said in found
    assert "canary-1234" not in found


def test_the_status_says_who_and_until_when(
    signed_in: MailSettings, cloud: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """Nobody is asked; the code tells whether there is something to do."""
    asked = len(cloud.asked)
    assert run_app(["mail", "login", "--status"]) == 0
    said = capfd.readouterr()
    assert LOGIN in said.out
    assert "ends if unused until" in said.out
    assert said.err == ""
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(days=80), tick=False):
        assert run_app(["mail", "login", "--status"]) == 0
        assert "because it has not been used since" in capfd.readouterr().err
    with time_machine.travel(now + timedelta(days=91), tick=False):
        assert run_app(["mail", "login", "--status"]) == 1
        assert "Sign in again: python-runner mail login" in capfd.readouterr().err
    assert len(cloud.asked) == asked
    assert read_facts(signed_in).ended_at is None


@pytest.mark.parametrize(
    "changes",
    [
        {"MAIL_TRANSPORT": "file"},
        {"MAIL_TRANSPORT": "smtp", "SMTP_PORT": "many"},
        {"OAUTH_CLIENT_SECRET": "canary-1234"},
    ],
)
def test_a_logout_asks_not_by_which_way_mail_leaves_now(
    changes: dict[str, str], signed_in: MailSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has changed the way can still forget the sign-in."""
    for name, value in changes.items():
        monkeypatch.setenv(name, value)
    assert run_app(["mail", "logout"]) == 0
    assert [file.suffix for file in facts_file(signed_in).parent.iterdir()] == [".lock"]


@pytest.mark.parametrize("name", ["LOGIN_MAIL", "OAUTH_CLIENT_ID"])
@pytest.mark.usefixtures("signed_in")
def test_a_logout_of_nobody_says_what_to_set(
    name: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """It takes nobody's sign-in for forgotten."""
    monkeypatch.setenv(name, "")
    assert run_app(["mail", "logout"]) == 2
    assert name in capfd.readouterr().err


def test_a_logout_leaves_nothing(
    signed_in: MailSettings, capfd: pytest.CaptureFixture[str]
) -> None:
    """Then nobody is signed in, and a second one is no error."""
    assert run_app(["mail", "logout"]) == 0
    kept = facts_file(signed_in).parent.iterdir()
    assert [file.suffix for file in kept] == [".lock"]
    assert run_app(["mail", "logout"]) == 0
    assert "Nobody is signed in" in capfd.readouterr().out
    assert run_app(["mail", "login", "--status"]) == 1
    assert "nobody has signed in to Outlook" in capfd.readouterr().out


@pytest.mark.fault(
    "delivery",
    "The sign-in of `mail login` has ended: unused, revoked, a changed password, a policy",
    "The report waits, and the run, the channels, `status`, `check` and `mail flush` say"
    " how to sign in again.",
)
def test_when_a_sign_in_has_ended_everybody_says_so(
    *,
    signed_in: MailSettings,
    cloud: Any,
    make_project: MakeProject,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """The run of a project that mails failures alone as well; after a new one all leaves."""
    monkeypatch.chdir(tmp_path)
    again = "Sign in again: python-runner mail login"
    quiet = make_project(
        "quiet", recipients=["ann@x.org"], email_strategy="failure_only"
    )
    failing = make_project(
        "failing",
        {"bad.py": BAD},
        recipients=["ann@x.org"],
        email_strategy="failure_only",
    )
    assert run_project(quiet).warnings == ()
    cloud.identity.revoke_all()
    cloud.identity.access_tokens.clear()
    with time_machine.travel(datetime.now(UTC) + timedelta(days=2)):
        (warning,) = run_project(quiet).warnings
        assert again in warning
        run = run_project(failing)
        assert again in " ".join(run.warnings)
        assert run.mail == "queued"
        for command, code in (
            (["status"], 0),
            (["check", str(quiet)], 0),
            (["mail", "flush"], 1),
            (["mail", "test"], 1),
            (["mail", "login", "--status"], 1),
        ):
            assert run_app(command) == code, command
            said = capfd.readouterr()
            assert again in " ".join((said.out + said.err).split()), command
        assert run_app(["status", "--json"]) == 0
        document = json.loads(capfd.readouterr().out)
        assert again in document["sign_in"]["notice"]
        assert document["sign_in"]["account"] == LOGIN
        sign_in(signed_in, cloud)
        assert run_app(["mail", "flush"]) == 0
        assert len(cloud.mails) == 1
        capfd.readouterr()
        assert run_app(["status"]) == 0
        assert again not in capfd.readouterr().err


def test_no_token_is_in_a_script_or_in_the_records(
    signed_in: MailSettings,
    cloud: Any,
    make_project: MakeProject,
    shielded: Path,
    tmp_path: Path,
) -> None:
    """Nor in the log, in a backup or in what is printed as JSON."""
    source = "import os; print(dict(os.environ))"
    folder = make_project(
        "p", {"main.py": source}, recipients=["ann@x.org"], email_strategy="all"
    )
    assert run_project(folder).mail == "sent"
    assert run_app(["backup", str(tmp_path / "copy.db")]) == 0
    kept = facts_file(signed_in).with_suffix(".tokens")
    secrets = [secret.encode() for secret in cloud.identity.secrets()]
    assert any(secret in kept.read_bytes() for secret in secrets)
    for file in (*shielded.rglob("*"), *folder.rglob("*"), tmp_path / "copy.db"):
        if file.is_file() and file != kept:
            with suppress(PermissionError):
                data = file.read_bytes()
                assert not [secret for secret in secrets if secret in data], file


@pytest.mark.usefixtures("signed_in")
@pytest.mark.parametrize(
    ("ways", "said"),
    [
        ("graph", "has been sent."),
        ("graph,file", "has been sent."),
        ("file", "has been written to a file."),
    ],
)
def test_a_test_says_what_the_recipient_has(
    ways: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file beside it takes nothing back."""
    monkeypatch.setenv("MAIL_TRANSPORT", ways)
    monkeypatch.setenv("MAIL_DIR", str(tmp_path))
    assert run_app(["mail", "test"]) == 0
    written = capsys.readouterr()
    assert said in written.out + written.err
