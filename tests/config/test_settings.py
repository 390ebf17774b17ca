from __future__ import annotations

import codecs
import sys
from typing import TYPE_CHECKING, Any

import platformdirs
import pytest

from python_runner import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingEnvironmentVariable,
)
from python_runner.config.settings import (
    TRANSPORTS,
    can_mail,
    env_file_places,
    load_settings,
    require_mail,
    sender_address,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Settings


def settings_that_mail(*args: Any, **options: Any) -> Settings:
    """Return the settings of a run that mails."""
    settings = load_settings(*args, **options)
    require_mail(settings.mail)
    return settings


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
        settings_that_mail(
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
        settings_that_mail(environ={"SMTP_PORT": port}, folder=tmp_path)


OAUTH = {
    "MAIL_TRANSPORT": "graph",
    "LOGIN_MAIL": "a@b.fr",
    "OAUTH_TENANT_ID": "contoso.example",
    "OAUTH_CLIENT_ID": "11111111-2222-3333-4444-555555555555",
    "OAUTH_CLIENT_SECRET": "canary-7392",
}


@pytest.mark.parametrize("transport", ["smtp-oauth2", "graph"])
def test_an_application_needs_no_password(tmp_path: Path, transport: str) -> None:
    """Mailbox, tenant, application and its secret are enough, and the secret is one."""
    environ = OAUTH | {"MAIL_TRANSPORT": transport}
    settings = load_settings(environ=environ, folder=tmp_path)

    require_mail(settings.mail)
    assert settings.mail.oauth_secret == "canary-7392"
    assert "canary-7392" not in repr(settings)


@pytest.mark.parametrize(
    ("environ", "authority", "graph", "outlook"),
    [
        (
            {},
            "https://login.microsoftonline.com",
            "https://graph.microsoft.com",
            "https://outlook.office365.com",
        ),
        (
            {"OAUTH_AUTHORITY": "https://login.microsoftonline.us/"},
            "https://login.microsoftonline.us",
            "https://graph.microsoft.us",
            "https://outlook.office365.us",
        ),
        (
            {"OAUTH_AUTHORITY": "https://login.partner.microsoftonline.cn"},
            "https://login.partner.microsoftonline.cn",
            "https://microsoftgraph.chinacloudapi.cn",
            "https://partner.outlook.cn",
        ),
        (
            {
                "OAUTH_AUTHORITY": "https://localhost:8443",
                "GRAPH_URL": "https://localhost:8444/",
            },
            "https://localhost:8443",
            "https://localhost:8444",
            "https://outlook.office365.com",
        ),
    ],
)
def test_each_cloud_has_its_addresses(
    tmp_path: Path, environ: dict[str, str], authority: str, graph: str, outlook: str
) -> None:
    """One variable chooses a cloud; what is set wins."""
    mail = load_settings(environ=environ, folder=tmp_path).mail

    # What a user grants has another name in the worldwide cloud.
    delegated = outlook.replace("outlook.office365.com", "outlook.office.com")
    assert mail.smtp_scope == f"{delegated}/SMTP.Send"
    assert (mail.oauth_authority, mail.graph_url, mail.outlook_url) == (
        authority,
        graph,
        outlook,
    )


@pytest.mark.parametrize("name", ["OAUTH_AUTHORITY", "GRAPH_URL"])
@pytest.mark.parametrize(
    "value",
    [
        "http://login.example.com",
        "http://localhost:8080",
        "login.example.com",
        "https://",
        "https://login.example.com/tenant",
        "https://login.example.com?x=1",
        "https://user:pw@login.example.com",
        "https://login.example.com:99999",
        "https://login. example.com",
        "https://[::1",
    ],
)
def test_a_secret_goes_to_a_server_by_https(
    tmp_path: Path, name: str, value: str
) -> None:
    """An address is https and a name alone: nothing else may see the secret."""
    with pytest.raises(InvalidConfiguration, match=name):
        settings_that_mail(environ={name: value}, folder=tmp_path)


@pytest.mark.parametrize("name", ["OAUTH_TENANT_ID", "OAUTH_CLIENT_ID"])
@pytest.mark.parametrize("value", ["a/b", "a b", "../x", "é"])
def test_what_is_no_identifier(tmp_path: Path, name: str, value: str) -> None:
    """An identifier becomes part of an address, and cannot change where it leads."""
    with pytest.raises(InvalidConfiguration, match=name):
        settings_that_mail(environ={name: value}, folder=tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "does not exist"),
        (
            "-----BEGIN CERTIFICATE-----",
            "must contain a certificate and its private key",
        ),
        (
            "-----BEGIN PRIVATE KEY-----",
            "must contain a certificate and its private key",
        ),
        ("\0\x80", "must contain a certificate and its private key"),
        ("-----BEGIN ENCRYPTED PRIVATE KEY-----", "must not be encrypted"),
    ],
)
def test_a_certificate_that_cannot_serve(
    tmp_path: Path, content: str | None, says: str
) -> None:
    """What can be known of the file beforehand is known beforehand."""
    file = tmp_path / "application.pem"
    if content is not None:
        file.write_text(content, encoding="latin-1")
    with pytest.raises(InvalidConfiguration, match=says) as caught:
        settings_that_mail(
            environ={"OAUTH_CLIENT_CERTIFICATE": str(file)}, folder=tmp_path
        )
    assert [p.key for p in caught.value.problems] == ["OAUTH_CLIENT_CERTIFICATE"]


def test_a_certificate_stands_in_for_the_secret(tmp_path: Path) -> None:
    """One of them is enough, and both are one too many."""
    file = tmp_path / "application.pem"
    file.write_text(
        "-----BEGIN PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n", encoding="ascii"
    )
    environ = OAUTH | {"OAUTH_CLIENT_CERTIFICATE": str(file)}
    with pytest.raises(InvalidConfiguration, match="not both"):
        settings_that_mail(environ=environ, folder=tmp_path)

    del environ["OAUTH_CLIENT_SECRET"]
    mail = load_settings(environ=environ, folder=tmp_path).mail
    require_mail(mail)
    assert mail.oauth_certificate == file


@pytest.mark.parametrize(
    ("environ", "missing"),
    [
        ({}, ["LOGIN_MAIL", "PASSWORD_MAIL"]),
        ({"LOGIN_MAIL": "a@b.fr"}, ["PASSWORD_MAIL"]),
        ({"PASSWORD_MAIL": "pw"}, ["LOGIN_MAIL"]),
        ({"LOGIN_MAIL": "a@b.fr", "PASSWORD_MAIL": ""}, ["PASSWORD_MAIL"]),
        ({"MAIL_TRANSPORT": "file"}, ["MAIL_DIR"]),
        (
            {"MAIL_TRANSPORT": "graph", "PASSWORD_MAIL": "pw"},
            ["LOGIN_MAIL", "OAUTH_CLIENT_ID"],
        ),
        (
            {"MAIL_TRANSPORT": "smtp-oauth2", "MAIL_FROM": "a@b.fr"},
            ["LOGIN_MAIL", "OAUTH_CLIENT_ID"],
        ),
        # An application signs in at its own organisation.
        (
            OAUTH | {"MAIL_TRANSPORT": "graph", "OAUTH_TENANT_ID": ""},
            ["OAUTH_TENANT_ID"],
        ),
    ],
)
def test_what_a_transport_lacks_is_named(
    tmp_path: Path, environ: dict[str, str], missing: list[str]
) -> None:
    """All variables a due mail lacks are named at once."""
    mail = load_settings(environ=environ, folder=tmp_path).mail

    with pytest.raises(MissingEnvironmentVariable) as caught:
        require_mail(mail)

    assert "not set: " + ", ".join(missing) + ";" in str(caught.value)


@pytest.mark.parametrize(
    ("login", "tenant"),
    [
        ("ann@contoso.com", "organizations"),
        ("ann@outlook.com", "consumers"),
        ("Ann@Hotmail.FR", "consumers"),
        ("ann@live.co.uk", "consumers"),
        ("ann@hotmail.com.br", "consumers"),
        ("ann@msn.com", "consumers"),
        ("ann@live.contoso.com", "organizations"),
        ("ann@notoutlook.com", "organizations"),
        ("ann@outlook.com.evil.example", "organizations"),
    ],
)
def test_whose_account_signs_in_follows_from_its_address(
    tmp_path: Path, login: str, tenant: str
) -> None:
    """A user needs no id of an organisation; what is set counts before that."""
    environ = OAUTH | {"MAIL_TRANSPORT": "graph", "LOGIN_MAIL": login}
    del environ["OAUTH_CLIENT_SECRET"]
    mail = load_settings(environ=environ, folder=tmp_path).mail
    assert mail.as_user
    assert mail.oauth_tenant == "contoso.example"
    del environ["OAUTH_TENANT_ID"]
    mail = load_settings(environ=environ, folder=tmp_path).mail
    assert mail.oauth_tenant == tenant
    require_mail(mail)
    by_secret = environ | {"OAUTH_CLIENT_SECRET": "canary-7392"}
    assert not load_settings(environ=by_secret, folder=tmp_path).mail.as_user


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


@pytest.mark.posix
def test_a_user_without_a_home_has_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither HOME nor an entry among the users: the state folder is below the root."""
    pwd = pytest.importorskip("pwd")

    def unknown(number: int) -> None:
        raise KeyError(number)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    for name in ("HOME", "XDG_STATE_HOME", "PYTHON_RUNNER_HOME"):
        monkeypatch.delenv(name, raising=False)

    settings = load_settings(environ={"SMTP_CA_FILE": "", "MAIL_DIR": "~/mails"})

    assert settings.home.is_absolute()
    assert settings.mail.mail_dir
    assert settings.mail.mail_dir.is_absolute()


def test_a_wrong_mail_variable_stops_only_what_mails(tmp_path: Path) -> None:
    """Settings are made all the same; whoever mails is told what is wrong."""
    environ = {"SMTP_PORT": "smtp", "MAIL_TRANSPORT": "pigeon", "LOGIN_MAIL": "a@b.fr"}
    mail = load_settings(environ=environ, folder=tmp_path).mail

    assert [problem.key for problem in mail.problems] == ["MAIL_TRANSPORT", "SMTP_PORT"]
    assert (mail.transport, mail.smtp_port, mail.login) == ("smtp", 587, "a@b.fr")
    assert not can_mail(mail)
    with pytest.raises(InvalidConfiguration) as caught:
        require_mail(mail)
    assert caught.value.problems == mail.problems


def test_the_second_place_is_beside_the_virtual_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the original found it, from any folder; the current folder's comes first."""
    here, root = tmp_path / "here", tmp_path / "root"
    (root / "project").mkdir(parents=True)
    here.mkdir()
    monkeypatch.setattr("sys.prefix", str(root / ".venv"))
    (root / ".env").write_text("LOGIN_MAIL=second@b.fr\n", encoding="utf-8")
    (tmp_path / ".env").write_text("LOGIN_MAIL=above@b.fr\n", encoding="utf-8")

    for folder in (here, root / "project"):
        settings = load_settings(environ={}, folder=folder)
        assert settings.mail.login == "second@b.fr"
        assert settings.env_file == root / ".env"
    (here / ".env").write_text("MAIL_FROM=first@b.fr\n", encoding="utf-8")
    first = load_settings(environ={}, folder=here)
    assert (first.mail.login, first.mail.sender) == (None, "first@b.fr")
    (root / ".env").unlink()
    (here / ".env").unlink()
    assert load_settings(environ={}, folder=here).env_file is None
    monkeypatch.setattr("sys.prefix", sys.base_prefix)
    assert env_file_places(here) == (here / ".env",)


def test_a_missing_variable_names_the_files_looked_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Under a scheduler the current folder is seldom the one that people think of."""
    monkeypatch.setattr("sys.prefix", str(tmp_path / "root" / ".venv"))
    first, second = tmp_path / ".env", tmp_path / "root" / ".env"

    def told(env_file: Path | None = None) -> str:
        settings = load_settings(env_file, environ={}, folder=tmp_path)
        with pytest.raises(MissingEnvironmentVariable) as caught:
            require_mail(settings.mail)
        return str(caught.value)

    assert f"({first} does not exist, {second} does not exist)" in told()
    second.parent.mkdir()
    second.write_text("A=1\n", encoding="utf-8")
    assert f"({first} does not exist, {second} does not set them)" in told()
    first.write_text("A=1\n", encoding="utf-8")
    assert f"({first} does not set them)" in told()
    assert f"({second} does not set them)" in told(second)


def test_lines_of_the_file_that_set_nothing_are_told(tmp_path: Path) -> None:
    """With the file and the line; the others hold."""
    file = tmp_path / ".env"
    file.write_text("A=1\n\nDB_PASSWORD: s3cretpw\nB=2\n", encoding="utf-8")
    settings = load_settings(environ={}, folder=tmp_path)

    assert settings.environ == {"A": "1", "B": "2"}
    (warning,) = settings.warnings
    assert str(warning).startswith(f"{file}: line 3: expected NAME=value")
    assert "s3cretpw" not in str(warning)


@pytest.mark.parametrize(
    ("host", "usable"),
    [
        *((host, True) for host in ("h", "mail.example.org", "mail.example.org.")),
        *((host, True) for host in ("10.0.0.1", "::1", "my_relay", "courrier.été.fr")),
        *((host, False) for host in ("smtp://h", "h:587", "h/x", "[::1]", "a b", "h ")),
        *((host, False) for host in ("h;", "h,k", "*", ".h", "a..b", "-x", "a\x1b[2J")),
        *((host, False) for host in ("x" * 64, "x." * 150, "h\n")),
    ],
)
def test_a_host_is_one_that_can_be_asked_for(host: str, *, usable: bool) -> None:
    """What no resolver takes is told by `check`, not by every mail that waits."""
    mail = load_settings(environ={"SMTP_HOST": host}).mail
    assert ["SMTP_HOST"] * (not usable) == [problem.key for problem in mail.problems]


def test_the_folder_of_the_mails_is_no_file(tmp_path: Path) -> None:
    """It is made where it is missing; what else is there cannot become one."""
    (tmp_path / "file").touch()
    for name, problems in (("file", 1), ("missing", 0), (".", 0)):
        environ = {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(tmp_path / name)}
        assert len(load_settings(environ=environ).mail.problems) == problems


@pytest.mark.parametrize(
    ("value", "ways"),
    [
        ("graph,smtp,file", ["graph", "smtp", "file"]),
        (" smtp , eventlog ", ["smtp", "eventlog"]),
        ("smtp", ["smtp"]),
        ("", ["smtp"]),
    ],
)
def test_ways_in_their_order(value: str, ways: list[str]) -> None:
    """Several are separated by commas; spaces around them do not count."""
    mail = load_settings(environ={"MAIL_TRANSPORT": value}).mail
    assert [way.transport for way in mail.ways] == ways
    assert all(way.others == () for way in mail.ways)


@pytest.mark.parametrize(
    "value", ["smtp,", ",", "smtp,,file", "smtp,smtp", "smtp,mail", "SMTP", "smtp;file"]
)
def test_an_unknown_empty_or_repeated_way_names_those_known(value: str) -> None:
    """Nothing is guessed: the message lists what may stand there."""
    problems = load_settings(environ={"MAIL_TRANSPORT": value}).mail.problems
    assert {problem.key for problem in problems} == {"MAIL_TRANSPORT"}
    for name in TRANSPORTS:
        assert name in str(problems)


def test_every_way_has_what_it_needs() -> None:
    """Variables that any of them lacks are named, each once."""
    environ = {"MAIL_TRANSPORT": "graph,smtp-oauth2,file,eventlog"}
    with pytest.raises(MissingEnvironmentVariable) as error:
        require_mail(load_settings(environ=environ).mail)
    for name in ("LOGIN_MAIL", "OAUTH_CLIENT_ID", "MAIL_DIR"):
        assert str(error.value).count(name) == 1
    require_mail(load_settings(environ={"MAIL_TRANSPORT": "eventlog"}).mail)


def test_the_address_chooses_the_server_of_smtp_alone() -> None:
    """A named server wins; a token of Microsoft's goes to no other provider."""

    def ways(**environ: str) -> list[tuple[str, int, str]]:
        given = {"MAIL_TRANSPORT": "smtp,smtp-oauth2", "LOGIN_MAIL": "ann@orange.fr"}
        mail = load_settings(environ=given | environ).mail
        return [(w.smtp_host, w.smtp_port, w.smtp_security) for w in mail.ways]

    office = ("smtp.office365.com", 587, "starttls")
    assert ways() == [("smtp.orange.fr", 465, "tls"), office]
    assert (
        ways(LOGIN_MAIL="Ann@Hotmail.FR")
        == [("smtp-mail.outlook.com", 587, "starttls")] * 2
    )
    assert ways(LOGIN_MAIL="ann@contoso.com") == [office] * 2
    assert ways(SMTP_HOST="relay.lan") == [("relay.lan", 587, "starttls")] * 2
    assert ways(SMTP_PORT="587", SMTP_SECURITY="starttls")[0] == (
        "smtp.orange.fr",
        587,
        "starttls",
    )
