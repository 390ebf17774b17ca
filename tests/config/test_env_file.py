from __future__ import annotations

import codecs
from io import StringIO
from typing import TYPE_CHECKING, Any

import pytest
from dotenv import dotenv_values
from hypothesis import given
from hypothesis import strategies as st

from python_runner.config.env_file import parse_env, read_env
from python_runner.config.project import load_project
from python_runner.exceptions import InvalidConfiguration
from tests.passwords import PASSWORDS, written


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import MakeProject

FILE: Any = "x.env"
SECRETS = {"PASSWORD_MAIL": "hunter2secret", "OAUTH_CLIENT_SECRET": "oauthsecretvalue"}


def values(text: str, **environ: str) -> dict[str, str]:
    """Return what a text sets."""
    return dict(parse_env(text, FILE, environ).variables)


@pytest.mark.parametrize("password", PASSWORDS)
def test_a_password_stands_as_it_is_written(password: str) -> None:
    """In single quotes every one does; in the other ways, all that can."""
    environ = {"HOME": "/home/ann", "bar": "x"}
    for way in written(password):
        for name in SECRETS:
            text = f"A=1\n{name}={way}\r\nB=2\n"
            assert values(text, **environ) == {"A": "1", name: password, "B": "2"}


def test_a_password_may_be_the_one_of_another_variable() -> None:
    """A value that is nothing but a reference to what there is means it."""
    assert values("PASSWORD_MAIL=${PW}", PW="a${b}c") == {"PASSWORD_MAIL": "a${b}c"}
    assert values('PW=x\nPASSWORD_MAIL="${PW}"')["PASSWORD_MAIL"] == "x"
    assert values("PASSWORD_MAIL=${PW}") == {"PASSWORD_MAIL": "${PW}"}
    assert values("PASSWORD_MAIL='${PW}'", PW="x") == {"PASSWORD_MAIL": "${PW}"}


@pytest.mark.fault(
    "secrets",
    "A line of `.env` refers to the runner's password",
    "It does not expand, and the line is told.",
)
@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize(
    "write",
    ["X=${NAME}", 'X="${NAME}"', "X=a${NAME}b", "X=${NAME:-}", "export X=${NAME}"],
)
def test_no_reference_gives_away_an_own_secret(name: str, write: str) -> None:
    """Neither one of the environment nor one of the same file; the line is told."""
    line = write.replace("NAME", name)
    for text in (line, f"{name}=fromfilesecret\n{line}"):
        found = parse_env(text, FILE, SECRETS)
        assert found.variables["X"] in {"", "ab"}
        (warning,) = found.warnings
        assert f"${{{name}}} is replaced with nothing" in str(warning)
    single = f"X='${{{name}}}'"
    assert values(single, **SECRETS) == {"X": f"${{{name}}}"}


def test_a_copy_of_an_own_secret_is_not_expanded_either() -> None:
    """A variable of another name that holds the value is as secret as it."""
    environ = SECRETS | {"COPY": SECRETS["PASSWORD_MAIL"]}
    assert values("X=<${COPY}>", **environ) == {"X": "<>"}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("DB_PASSWORD: s3cret", "equals sign instead of the colon"),
        ("DB_PASSWORD : s3cret", "equals sign instead of the colon"),
        ("DB_PASSWORD:s3cret", "equals sign instead of the colon"),
        ('"DB_PASSWORD": "s3cret",', "equals sign instead of the colon"),
        ("DB:=s3cret", "equals sign instead of the colon"),
        ('$env:DB_PASSWORD="s3cret"', "without a shell's command"),
        ("$Env:DB_PASSWORD = 's3cret'", "without a shell's command"),
        ("$DB_PASSWORD = 's3cret'", "without a shell's command"),
        ("set DB_PASSWORD=s3cret", "without a shell's command"),
        ('SET "DB_PASSWORD=s3cret"', "without a shell's command"),
        ("setx DB_PASSWORD s3cret", "without a shell's command"),
        ("declare -x DB_PASSWORD=s3cret", "without a shell's command"),
        ("setenv DB_PASSWORD s3cret", "without a shell's command"),
        ('DB_PASSWORD="s3cret', "begins with a quote"),
        ("DB_PASSWORD='s3cret", "begins with a quote"),
        ('DB_PASSWORD="s3c"ret', "begins with a quote"),
        ("DB_PASSWORD='it's3cret'", "begins with a quote"),
        ("s3cret", "expected NAME=value"),
        ("export DB_PASSWORD", "expected NAME=value"),
        ("DB PASSWORD=s3cret", "expected NAME=value"),
        ("[section]", "expected NAME=value"),
        ("; s3cret", "expected NAME=value"),
        ("// s3cret", "expected NAME=value"),
        ("=s3cret", "expected NAME=value"),
        ("@X=s3cret", "with a name of letters"),
        ("<key>=s3cret", "with a name of letters"),
        ("DB_PASSWORD=abc # s3cret", "ends before the #"),
    ],
)
def test_a_line_that_does_not_say_what_it_seems_is_told(
    line: str, expected: str
) -> None:
    """Once, with file and line and what is expected, never with what it holds."""
    found = parse_env(f"A=1\n\n{line}\nB=2\n", FILE, {})

    (warning,) = map(str, found.warnings)
    assert warning.startswith("x.env: line 3: ")
    assert expected in warning
    assert "s3cret" not in warning
    assert found.variables["A"] == "1"
    assert found.variables["B"] == "2"
    assert len(found.variables) == (3 if "#" in line else 2)
    french = found.warnings[0].in_language("fr")
    assert french.startswith("x.env\N{NO-BREAK SPACE}: ligne 3\N{NO-BREAK SPACE}: ")


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n\n   \nA=1 # why\nB='2' # why\nC=\nD = 4\nexport E=5\n",
        "A=1\r\nB=2\r\n",
        "SET=1\nset=2\nENV=3\n",
        "ProgramFiles(x86)=C:\\Program Files\nA.B-C=1\nÉTÉ=1\n",
        "DB_PASSWORD='abc # def'\nA_TOKEN=\"abc # def\"\nTITLE=abc # def\n",
        "KEY='several\nlines'\nB=\"several\nlines\"\n",
    ],
)
def test_right_lines_are_not_told(text: str) -> None:
    """Comments, blank lines and every way to write a value."""
    assert parse_env(text, FILE, SECRETS).warnings == ()


LINES = (
    *("A=1", "B=${A}", 'C="${A} ${X:-y}"', "D='x'", "# c", "", "A=a b # c", "E=", "F"),
    *("G='\\n'", 'H="\\n\\t"', "I=$A", "J=${NONE}", "A=${A}2", "export K=1", "L : 1"),
)


@given(st.lists(st.sampled_from(LINES)), st.sampled_from(["\n", "\r\n"]))
def test_everything_else_is_read_as_the_original_read_it(
    lines: list[str], end: str
) -> None:
    """By python-dotenv's rules; it leaves names without a value to others."""
    text = end.join(lines)
    expected = dotenv_values(stream=StringIO(text))
    assert values(text) == {k: v for k, v in expected.items() if v is not None}


@pytest.mark.parametrize(
    "data", ["A=é\n".encode("utf-16-le"), b"A=1\nB=\0\n", "A=1".encode("utf-16-be")]
)
def test_a_file_of_another_encoding_is_told(tmp_path: Path, data: bytes) -> None:
    """UTF-16 without a mark, or a NUL: no program can be given such a variable."""
    file = tmp_path / "a.env"
    file.write_bytes(data)
    with pytest.raises(InvalidConfiguration, match=r"a\.env.*UTF-8"):
        read_env(file, {})
    file.write_bytes(codecs.BOM_UTF16_LE + "A=é\n".encode("utf-16-le"))
    assert read_env(file, {}).variables == {"A": "é"}


def test_lines_of_an_env_file_are_told_as_well(make_project: MakeProject) -> None:
    """The project goes on with the other lines; what is the runner's stays there."""
    folder = make_project(env_file="vars.env")
    file = folder / "vars.env"
    file.write_text("A=1\nB: 2\nPASSWORD_MAIL=x\n", encoding="utf-8")
    project = load_project(folder)

    assert project.env == {"A": "1"}
    (warning,) = project.warnings
    assert str(warning).startswith(f"{file}: line 2: expected NAME=value")
