from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from python_runner.config.project import load_project
from python_runner.config.secret_addresses import address_warnings


if TYPE_CHECKING:
    from tests.support import Cli, MakeProject

SECRET = "t0ken-t0ken-t0ken"


@pytest.mark.fault(
    "secrets",
    "An address sends its password unencrypted",
    "`check` and the run say so, without the password.",
)
@pytest.mark.parametrize(
    "url",
    [
        f"http://me:{SECRET}@hc.example.org/u",
        f"http://{SECRET}@hc.example.org/u",
        f"HTTP://hc.example.org/u?api_key={SECRET}",
        f"http://127.0.0.1:8000/u?access_token={SECRET}",
        "http://hc.example.org/ping/5b0e0000-aaaa-bbbb-cccc-000000000000",
        "http://hc.example.org/ping/fqOOd6-F4MMNuCEnzTU01w/nightly-import",
    ],
)
def test_a_heartbeat_that_shows_its_password_is_told(url: str) -> None:
    """Over plain HTTP everybody on the way reads it; the message does not repeat it."""
    (warning,) = map(str, address_warnings([], url))
    assert warning.startswith("heartbeat_url: ")
    assert "https://" in warning
    assert SECRET not in warning


@pytest.mark.parametrize(
    "url",
    [None, "http://hc.example.org/u", f"https://me:{SECRET}@hc.example.org/u"],
)
def test_other_heartbeats_are_not_told(url: str | None) -> None:
    """Encrypted ones, and those that hold nothing but their address."""
    assert list(address_warnings([], url)) == []


@pytest.mark.parametrize(
    ("url", "secure"),
    [
        (f"json://u:{SECRET}@h/x", "jsons://"),
        (f"xml://u:{SECRET}@h/x", "xmls://"),
        (f"json://h/x?+Authorization=Bearer%20{SECRET}", "jsons://"),
        (f"json://h/x?token={SECRET}", "jsons://"),
        ("gotify://h/Abcdefghijklmno", "gotifys://"),
        (f"ntfy://u:{SECRET}@h/topic", "ntfys://"),
        (f"mailto://u:{SECRET}@example.org", "mailtos://"),
        (f"kodi://u:{SECRET}@h", "kodis://"),
    ],
)
def test_a_channel_that_shows_its_password_is_told(url: str, secure: str) -> None:
    """With the beginning of the address that would not, and without the password."""
    pytest.importorskip("apprise")
    (warning,) = map(str, address_warnings(["json://h/x", url], None))
    assert warning.startswith("channels[1], ")
    assert f"begins with {secure}" in warning
    assert SECRET not in warning


@pytest.mark.parametrize("answer", ["no", "No", "false", "0"])
def test_a_channel_that_verifies_nothing_is_told(answer: str) -> None:
    """Any server could answer in the place of the right one."""
    pytest.importorskip("apprise")
    urls = [f"jsons://u:{SECRET}@h/x?verify={answer}", f"jsons://h/y?verify={answer}"]
    warnings = list(map(str, address_warnings(urls, None)))
    assert ["verify=no lets any server" in warning for warning in warnings] == [
        True
    ] * 2
    assert SECRET not in "".join(warnings)


@pytest.mark.parametrize(
    "url",
    [
        f"jsons://u:{SECRET}@h/x",
        "json://h/x",
        "json://h/x?verify=no",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        f"mailto://u:{SECRET}@gmail.com",
        "syslog://",
    ],
)
def test_other_channels_are_not_told(url: str) -> None:
    """Encrypted ones, those without a secret, and services that are always encrypted."""
    pytest.importorskip("apprise")
    assert list(address_warnings([url], None)) == []


@pytest.mark.portable("no platform changes what an address holds")
def test_check_and_run_tell_what_is_odd_about_a_configuration(
    make_project: MakeProject, cli: Cli
) -> None:
    """Each once, with its file, and the run does what it can all the same."""
    folder = make_project(
        "p",
        {"main.py": "import os\nprint(sorted(os.environ.items()))\n"},
        email_strategy="none",
        env_file="vars.env",
        env={"COPY": SECRET},
        heartbeat_url=f"http://me:{SECRET}x@127.0.0.1:9/u",
    )
    (folder / "vars.env").write_text("A: 1\nX=<${PASSWORD_MAIL}>\n", encoding="utf-8")
    variables = {"PASSWORD_MAIL": SECRET, "SMTP_PORT": "smtp"}

    checked = cli("check", "--json", folder, **variables)
    ran = cli("run", folder, **variables)

    warnings = [
        warning
        for warning in json.loads(checked.stdout)["warnings"]
        # Root is told that it is root.
        if warning["file"] != "python-runner"
    ]
    assert checked.returncode == ran.returncode == 0, (checked, ran)
    assert [warning["message"].split(":")[0] for warning in warnings] == [
        "line 1",
        "line 2",
        "heartbeat_url",
        "scripts do not receive COPY",
        "expected a port number, found smtp",
    ]
    assert str(folder / "vars.env") in warnings[0]["file"]
    told = ran.stdout + ran.stderr
    for words in (
        "vars.env: line 1: ",
        "line 2",
        "heartbeat_url: its",
        "receive COPY: ",
    ):
        assert told.count(words) == 1
    output = (folder / "logs").rglob("*.log")
    texts = "".join(path.read_text(encoding="utf-8") for path in output)
    assert (
        SECRET not in texts + checked.stdout + ran.stdout + checked.stderr + ran.stderr
    )
    assert "('X', '<>')" in texts
    assert "'COPY'" not in texts


def test_an_env_file_gives_no_own_secret_away(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever a project writes into its file."""
    monkeypatch.setenv("PASSWORD_MAIL", SECRET)
    folder = make_project(env_file="vars.env")
    (folder / "vars.env").write_text("X=${PASSWORD_MAIL}\n", encoding="utf-8")
    assert load_project(folder).env == {"X": ""}
