"""``python-runner mail setup``: the answers, the file, the letter."""

from __future__ import annotations

import re
import shlex
import stat
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.admin_letter import admin_letter
from python_runner.cli.app import run_app
from python_runner.config.env_file import read_env
from tests.cli.terminal import on_terminal


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import Cli

OFFICE = ("--mailbox", "robot@contoso.com", "--administrator", "other")
SERVER = ("--where", "server")


def variables(folder: Path) -> dict[str, str]:
    """Return what the ``.env`` file of a folder sets."""
    return dict(read_env(folder / ".env", {}).variables)


def test_without_a_terminal_it_says_what_to_give(cli: Cli, tmp_path: Path) -> None:
    """It asks nobody, writes nothing, and names every option that is missing."""
    done = cli("mail", "setup")
    assert done.returncode == 2
    for option in ("--mailbox", "--administrator", "--where"):
        assert option in done.stderr
    assert not (tmp_path / ".env").exists()


def test_an_office_gets_graph_and_a_letter(cli: Cli, tmp_path: Path) -> None:
    """The file names what is missing, and the letter asks for the least rights."""
    done = cli("mail", "setup", *OFFICE, *SERVER, "--tenant-id", "contoso.com")
    assert done.returncode == 0
    assert variables(tmp_path) == {
        "MAIL_TRANSPORT": "graph",
        "LOGIN_MAIL": "robot@contoso.com",
        "OAUTH_TENANT_ID": "contoso.com",
        "OAUTH_CLIENT_ID": "",
        "OAUTH_CLIENT_SECRET": "",
    }
    assert "OAUTH_CLIENT_ID, OAUTH_CLIENT_SECRET" in done.stdout
    assert "'Application Mail.Send' -CustomResourceScope" in done.stdout
    assert "mail test --to robot@contoso.com" in done.stdout
    if sys.platform != "win32":
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("options", "transport", "said"),
    [
        (("--mailbox", "ann@orange.fr"), "smtp", "smtp.orange.fr"),
        (
            ("--mailbox", "ann@outlook.com", "--where", "desktop"),
            "smtp-oauth2",
            "mail login\n",
        ),
        (
            (*OFFICE[:3], "nobody", *SERVER),
            "graph",
            "mail login --device-code",
        ),
        (
            (*OFFICE[:3], "not-microsoft", "--server", "mail.contoso.com"),
            "smtp",
            "SMTP",
        ),
    ],
)
def test_each_mailbox_gets_its_way(
    cli: Cli, tmp_path: Path, options: tuple[str, ...], transport: str, said: str
) -> None:
    """Provider, personal account, no administrator, own server."""
    done = cli("mail", "setup", *options)
    assert done.returncode == 0, done.stderr
    assert variables(tmp_path)["MAIL_TRANSPORT"] == transport
    assert said in done.stdout
    assert "Entra" not in done.stdout


def test_nothing_is_replaced_without_being_asked(cli: Cli, tmp_path: Path) -> None:
    """What the file holds stays until ``--yes``, other lines for ever."""
    before = "# mine\r\nDATABASE=sales\r\nLOGIN_MAIL=old@contoso.com\r\n"
    file = tmp_path / ".env"
    file.write_bytes(before.encode())
    refused = cli("mail", "setup", *OFFICE, *SERVER)
    assert refused.returncode == 2
    assert "LOGIN_MAIL" in refused.stderr
    assert file.read_bytes() == before.encode()
    done = cli("mail", "setup", *OFFICE, *SERVER, "--yes")
    assert done.returncode == 0
    after = file.read_bytes().decode()
    assert after.startswith(
        "# mine\r\nDATABASE=sales\r\nLOGIN_MAIL=robot@contoso.com\r\nMAIL_TRANSPORT="
    )
    # The same answers again: there is nothing to replace, and nothing is lost.
    file.write_bytes(after.replace("OAUTH_CLIENT_ID=''", "OAUTH_CLIENT_ID=42").encode())
    assert cli("mail", "setup", *OFFICE, *SERVER).returncode == 0
    assert variables(tmp_path)["OAUTH_CLIENT_ID"] == "42"


@pytest.mark.parametrize(
    "options",
    [
        ("--mailbox", "no address", *OFFICE[2:], *SERVER),
        (*OFFICE, *SERVER, "--recipient", "a@b.fr;c@d.fr"),
        (*OFFICE, "--where", "moon"),
        ("--mailbox", ""),
        (*OFFICE, *SERVER, "--client-id", "a b"),
        (*OFFICE, *SERVER, "--server", "mail.contoso.com"),
        ("--mailbox", "ann@outlook.com", *SERVER, "--server", "mail.contoso.com"),
        (*OFFICE[:3], "not-microsoft", "--server", "mail.contoso.com:465"),
    ],
)
def test_wrong_answers_write_nothing(
    cli: Cli, tmp_path: Path, options: tuple[str, ...]
) -> None:
    """They are usage errors."""
    assert cli("mail", "setup", *options).returncode == 2
    assert not (tmp_path / ".env").exists()


@pytest.mark.parametrize(
    "row",
    [
        (("--mailbox", "ann@orange.fr"), "SMTP_HOST SMTP_PORT MAIL_FROM", "MAIL_DIR"),
        (
            ("--mailbox", "ann@outlook.com", *SERVER),
            "OAUTH_CLIENT_SECRET OAUTH_CLIENT_CERTIFICATE SMTP_HOST",
            "PASSWORD_MAIL",
        ),
        (
            (*OFFICE[:3], "nobody", *SERVER),
            "OAUTH_CLIENT_SECRET OAUTH_CLIENT_CERTIFICATE",
            "SMTP_HOST SMTP_PORT",
        ),
        ((*OFFICE, *SERVER), "MAIL_FROM", "SMTP_HOST OAUTH_CLIENT_CERTIFICATE"),
        ((*OFFICE[:3], "not-microsoft", "--server", "x.y"), "MAIL_FROM", "SMTP_PORT"),
    ],
)
@pytest.mark.parametrize("place", ["file", "environment"])
def test_what_would_divert_the_way_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    place: str,
    row: tuple[tuple[str, ...], str, str],
) -> None:
    """Left from another way, in the file or around it: those names, and no others."""
    monkeypatch.chdir(tmp_path)
    options, diverting, fitting = row
    names = f"{diverting} {fitting}".split()
    if place == "file":
        (tmp_path / ".env").write_text("".join(f"{n}=x@y.fr\n" for n in names))
    else:
        for name in names:
            monkeypatch.setenv(name, "x@y.fr")
    assert run_app(["mail", "setup", *options]) == 0
    _why, _fits, told = capsys.readouterr().err.partition("does not fit this way: ")
    told = told.partition(".")[0]
    assert set(told.split(", ")) == set(diverting.split())


def test_what_the_environment_sets_otherwise_is_told(cli: Cli) -> None:
    """It wins over the file."""
    done = cli("mail", "setup", "--mailbox", "ann@orange.fr", LOGIN_MAIL="x@y.fr")
    assert done.returncode == 0
    assert "LOGIN_MAIL: also set in the environment" in done.stderr


def test_an_answer_is_written_as_it_logs_in(cli: Cli, tmp_path: Path) -> None:
    """A name and blanks are left out, and what follows can be typed as it stands."""
    file = tmp_path / "the office.env"
    options = ("--mailbox", " O'Neil <o'neil@contoso.com> ", *OFFICE[2:3], "nobody")
    done = cli("mail", "setup", *options, *SERVER, "--env-file", file)
    assert done.returncode == 0, done.stderr
    assert read_env(file, {}).variables["LOGIN_MAIL"] == "o'neil@contoso.com"
    steps = [shlex.split(line) for line in done.stdout.splitlines()[-2:]]
    if sys.platform != "win32":
        assert [step[-2:] for step in steps] == [["--env-file", str(file)]] * 2
        assert "o'neil@contoso.com" in steps[1]


def test_a_named_server_is_the_one_that_is_written(cli: Cli, tmp_path: Path) -> None:
    """Also for an address whose provider is known, and without a further question."""
    for address in ("ann@gmail.com", "ann@contoso.com"):
        options = ("--mailbox", address, "--server", "relay.contoso.com", "--yes")
        assert cli("mail", "setup", *options).returncode == 0
        assert variables(tmp_path)["SMTP_HOST"] == "relay.contoso.com"


def test_a_secret_that_stays_is_told(cli: Cli, tmp_path: Path) -> None:
    """The password of another mailbox is not taken for this one's, nor shown."""
    file = tmp_path / ".env"
    file.write_text("LOGIN_MAIL=old@orange.fr\nPASSWORD_MAIL=s3cret\n")
    done = cli("mail", "setup", "--mailbox", "ann@orange.fr", "--yes")
    assert "another mailbox's: PASSWORD_MAIL" in done.stdout
    assert "s3cret" not in done.stdout + done.stderr
    again = cli("mail", "setup", "--mailbox", "ann@orange.fr", "--yes")
    assert "another mailbox's" not in again.stdout


def test_no_secret_is_written_beside_a_certificate(cli: Cli, tmp_path: Path) -> None:
    """Both at once would be refused."""
    (tmp_path / ".env").write_text("OAUTH_CLIENT_CERTIFICATE=application.pem\n")
    assert cli("mail", "setup", *OFFICE, *SERVER).returncode == 0
    assert "OAUTH_CLIENT_SECRET" not in variables(tmp_path)


def test_on_a_terminal_it_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four questions, once more what was no address, and a password that is not shown."""
    monkeypatch.chdir(tmp_path)
    replies = ["ann\n", "ann@orange.fr\n", "bob@example.org\n", "s3cret#pass\n"]
    questions = [
        "Which mailbox",
        "is not an email address",
        "Who gets the test email",
        "PASSWORD_MAIL (not",
    ]

    def answer(written: str) -> bytes:
        if replies and questions[0] in written:
            questions.pop(0)
            return replies.pop(0).encode()
        return b""

    code, written = on_terminal("mail", "setup", answer=answer)
    assert code == 0, written
    assert variables(tmp_path) == {
        "MAIL_TRANSPORT": "smtp",
        "LOGIN_MAIL": "ann@orange.fr",
        "PASSWORD_MAIL": "s3cret#pass",
    }
    assert "s3cret" not in written
    assert "mail test --to bob@example.org" in written


@pytest.mark.parametrize("language", ["en", "fr"])
def test_the_letter_has_the_same_commands_in_both_languages(language: str) -> None:
    """One mailbox, one role, no permission for the whole organisation."""
    letter = admin_letter("o'neil@contoso.com", "SRV-1", language)
    assert "$mailbox = 'o''neil@contoso.com'" in letter
    assert "SRV-1" in letter
    assert "InScope" in letter
    assert re.search(r"30 minutes (to|à) 2 h", letter)
    for command in (
        "Install-Module ExchangeOnlineManagement",
        "New-ServicePrincipal",
        "New-ManagementScope",
        "UserPrincipalName -eq",
        "New-ManagementRoleAssignment",
        "Test-ServicePrincipalAuthorization",
    ):
        assert command in letter
    for too_much in ("FullAccess", "PrimarySmtpAddress", "Grant admin consent"):
        assert too_much not in letter
