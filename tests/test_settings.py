from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

import platformdirs
import pytest

from python_runner import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingEnvironmentVariable,
)
from python_runner.config.settings import (
    load_settings,
    require_mail,
    sender_address,
)


if TYPE_CHECKING:
    from pathlib import Path


def test_the_defaults_are_the_originals_server(tmp_path: Path) -> None:
    """Two variables are enough, as they always were."""
    mail = load_settings(
        environ={"LOGIN_MAIL": "a@b.fr", "PASSWORD_MAIL": "pw"}, folder=tmp_path
    ).mail

    assert (mail.transport, mail.smtp_host, mail.smtp_port, mail.smtp_security) == (
        "smtp",
        "smtp.office365.com",
        587,
        "starttls",
    )
    assert mail.sender == mail.login == "a@b.fr"
    require_mail(mail)


def test_a_password_never_shows() -> None:
    """Settings end up in tracebacks; the password must not."""
    settings = load_settings(environ={"PASSWORD_MAIL": "canary-7391"})

    assert settings.mail.password == "canary-7391"
    assert "canary-7391" not in repr(settings)


def test_dotenv_of_the_current_folder_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The current folder's file is read; folders above are never searched."""
    (tmp_path / ".env").write_text("LOGIN_MAIL=above@b.fr\n", encoding="utf-8")
    below = tmp_path / "below"
    below.mkdir()

    monkeypatch.chdir(below)
    assert load_settings().mail.login is None
    monkeypatch.chdir(tmp_path)
    assert load_settings().mail.login == "above@b.fr"


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    """As with the original: a file never overrides what is set."""
    (tmp_path / ".env").write_text(
        'LOGIN_MAIL="file@b.fr"\nMAIL_FROM=from@b.fr\n', encoding="utf-8"
    )

    settings = load_settings(environ={"LOGIN_MAIL": "env@b.fr"}, folder=tmp_path)

    assert settings.mail.login == "env@b.fr"
    assert settings.mail.sender == "from@b.fr"
    assert settings.environ["MAIL_FROM"] == "from@b.fr"


@pytest.mark.parametrize(
    "data",
    [
        "PASSWORD_MAIL=é!".encode(),
        codecs.BOM_UTF8 + "PASSWORD_MAIL=é!".encode(),
        "PASSWORD_MAIL=é!".encode("utf-16"),
    ],
)
def test_the_encodings_of_windows_editors(tmp_path: Path, data: bytes) -> None:
    """A file made by Notepad or by PowerShell's > is read."""
    (tmp_path / "my.env").write_bytes(data)

    assert load_settings(tmp_path / "my.env", environ={}).mail.password == "é!"


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    """--env-file with a wrong path is an error, not a silent default."""
    with pytest.raises(ConfigurationNotFound, match="nowhere"):
        load_settings(tmp_path / "nowhere", environ={})


def test_all_wrong_variables_are_named(tmp_path: Path) -> None:
    """Every wrong variable is one problem with what was expected."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_settings(
            environ={
                "MAIL_TRANSPORT": "pigeon",
                "SMTP_HOST": "smtp.example.org:587",
                "SMTP_PORT": "smtp",
                "SMTP_SECURITY": "ssl",
                "SMTP_CA_FILE": str(tmp_path / "no.pem"),
            },
            folder=tmp_path,
        )

    assert {problem.key for problem in caught.value.problems} == {
        "MAIL_TRANSPORT",
        "SMTP_HOST",
        "SMTP_PORT",
        "SMTP_SECURITY",
        "SMTP_CA_FILE",
    }


@pytest.mark.parametrize("port", ["0", "65536", "٣", "-1", "587 "])
def test_what_is_no_port(tmp_path: Path, port: str) -> None:
    """A port is 1 to 65535, in plain digits."""
    with pytest.raises(InvalidConfiguration, match="SMTP_PORT"):
        load_settings(environ={"SMTP_PORT": port}, folder=tmp_path)


@pytest.mark.parametrize("transport", ["smtp-oauth2", "graph"])
def test_a_transport_that_is_not_acted_on_is_refused(
    tmp_path: Path, transport: str
) -> None:
    """A transport of a later version is refused with that sentence."""
    with pytest.raises(InvalidConfiguration, match="does not act on"):
        load_settings(environ={"MAIL_TRANSPORT": transport}, folder=tmp_path)


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ["LOGIN_MAIL", "PASSWORD_MAIL"]),
        ({"LOGIN_MAIL": "a@b.fr"}, ["PASSWORD_MAIL"]),
        ({"PASSWORD_MAIL": "pw"}, ["LOGIN_MAIL"]),
        ({"LOGIN_MAIL": "a@b.fr", "PASSWORD_MAIL": ""}, ["PASSWORD_MAIL"]),
        ({"MAIL_TRANSPORT": "file"}, ["MAIL_DIR"]),
    ],
)
def test_what_a_transport_lacks_is_named(
    tmp_path: Path, environ: dict[str, str], missing: list[str]
) -> None:
    """All variables a due mail lacks are named at once."""
    mail = load_settings(environ=environ, folder=tmp_path).mail

    with pytest.raises(MissingEnvironmentVariable) as caught:
        require_mail(mail)

    assert ", ".join(missing) + " is not set" in str(caught.value)


@pytest.mark.parametrize(
    "environ",
    [
        {"MAIL_TRANSPORT": "file", "MAIL_DIR": "mails"},
        {"MAIL_FROM": "runner@b.fr", "SMTP_HOST": "relay.example.org"},
    ],
)
def test_what_needs_no_password(tmp_path: Path, environ: dict[str, str]) -> None:
    """A folder, or an office relay named with its sender, wants no mailbox."""
    require_mail(load_settings(environ=environ, folder=tmp_path).mail)


def test_a_file_drop_has_a_sender_of_its_own(tmp_path: Path) -> None:
    """Without a mailbox the sender is the runner on this machine."""
    mail = load_settings(environ={}, folder=tmp_path).mail

    assert sender_address(mail).startswith("python-runner@")


def test_home_is_the_platforms_state_folder(tmp_path: Path) -> None:
    """Records are on a local disk, where the platform wants them."""
    default = load_settings(environ={}, folder=tmp_path).home
    named = load_settings(
        environ={"PYTHON_RUNNER_HOME": str(tmp_path / "state")}, folder=tmp_path
    ).home

    assert default == platformdirs.user_state_path("python-runner", appauthor=False)
    assert named == tmp_path / "state"
