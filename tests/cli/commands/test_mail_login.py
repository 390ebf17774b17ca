"""``python-runner mail login`` and ``logout``: the command, with a real browser too."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.settings import load_settings
from tests.servers.identity import sign_in
from tests.support import Cli


if TYPE_CHECKING:
    from python_runner.model import MailSettings

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
    assert LOGIN in done.stdout
    assert (
        cloud.identity.visits[0]["prompt"]
        if "prompt" in cloud.identity.visits[0]
        else True
    )
    for secret in cloud.identity.secrets():
        assert secret not in done.stdout + done.stderr
    tested = cli("mail", "test", "--to", "ann@x.org")
    assert tested.returncode == 0, tested
    assert cloud.mails
    for _ in range(100):
        if "</html>" in page.read_text(encoding="utf-8"):
            break
        subprocess.run(["sleep", "0.1"], check=True)
    shown = page.read_text(encoding="utf-8")
    assert "Vous pouvez fermer cette page" in shown
    assert not [secret for secret in cloud.identity.secrets() if secret in shown]
