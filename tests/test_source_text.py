"""What is kept of a source: its text as Python reads it, and no secret in it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.masking import Masker
from python_runner.source_text import LARGEST, source_text
from tests.support import GENEROUS


pytestmark = pytest.mark.portable("a source is read alike everywhere")

KNOWN = "c4n4ry-7391"
#: A secret that stands in the source alone.
OWN = "hunter2-x"
MASKER = Masker([KNOWN])


def kept(source: str | bytes) -> str | None:
    """Return what is kept of a source."""
    return source_text(source.encode() if isinstance(source, str) else source, MASKER)


@pytest.mark.parametrize(
    "line",
    [
        'password = "{}"',
        "PASSWORD = '{}'",
        "password: str = '{}'",
        'self.db_password = f"{}"',
        'db = connect(user="bob", password="{}", port=1)',
        'cfg = {{"user": "bob", "password": "{}"}}',
        "cfg = [{{'api_key': '{}'}}]",
        'os.environ["API_TOKEN"] = "{}"',
        'os.getenv("API_TOKEN", "{}")',
        'run(["--password", "{}"])',
        'if password == "{}":',
        'if user and token != "{}":',
        'secret = ("{}"\n    "{}")',
        'secret = "{}" "{}"',
        'secret = (  # the one of the test server\n    "{}"\n)',
        'token = """{}"""',
        'token = b"{}"',
        'url = "postgres://bob:{}@host/db"',
        'text = "Server=db;Password={};Timeout=3"',
        "# do not forget: password = '{}'",
        '"""\npassword: {}\n"""',
        'headers = "Authorization: Bearer {}"',
        "token = '{}\n",
        'key = "9{}-and-much-longer-9"',
        'pwd = "{}"',
        'zip_file.extractall(pwd=b"{}")',
        'password = os.environ.get("X") or "{}"',
        'password = getpass() if ask else "{}"',
        'password = quote_plus("{}")',
        'password = {{"prod": "{}", "test": "x"}}',
        'passwords = ["a", "{}"]',
        'user, password = "me", "{}"',
        'password: str = field(default="{}")',
        'option("--password", default="{}")',
        'auth = ("me", "{}")',
        'smtp_login = ["me", "{}"]',
        'requests.get(url, auth=("me", "{}"))',
        'requests.get(url, auth=HTTPBasicAuth("me", "{}"))',
        'smtp.login("me@example.org", "{}")',
        'FTP("host", "me", "{}")',
        'cx_Oracle.connect("me", "{}", "dsn")',
        'cx_Oracle.connect("me/{}@dsn")',
        'keyring.set_password("app", "me", "{}")',
        'archive.setpassword(b"{}")',
        'sheet.Unprotect("{}")',
        'excel.Workbooks.Open(path, False, True, None, "{}")',
        'driver.find_element(By.ID, "password").send_keys("{}")',
        'page.fill("#password", "{}")',
        'password_field.send_keys("{}")',
        'if "{}" == password:',
        'if password in ("a", "{}"):',
        'url = "postgresql://[]:[]@db".format("me", "{}")'.replace("[]", "{{}}"),
        'url = "postgresql://%s:%s@db" % ("me", "{}")',
        'url = f"postgresql://me:{}@{{host}}/x"',
        'run(["mysql", "-u", "me", "-p{}"])',
        'run(["curl", "-u", "me:{}", url])',
        'system("sqlcmd -S x -U sa -P {}")',
        'system("net use Z: //server/share {} /user:me")',
        'sql = "ALTER USER me IDENTIFIED BY {}"',
        'body = "<password>{}</password>"',
        'body = "{{\\"password\\": \\"{}\\"}}"',
        "# the password is {}",
        "# ancien mot de passe : {}",
    ],
)
def test_what_a_source_calls_a_secret_is_not_kept(line: str) -> None:
    """However it is written: assigned, passed, compared, in a dict, in an address."""
    text = kept(line.replace("{}", OWN).replace("{{", "{").replace("}}", "}") + "\n")

    assert text is not None
    assert OWN not in text, text


@pytest.mark.parametrize(
    "line",
    [
        'token = os.environ["API_TOKEN"]',
        "password = getpass()",
        'password = ""',
        'rows.sort(key=lambda row: row["amount"])',
        'key = "amount"',
        'print("the total", total)',
        "x = 'it isn\\'t'  # don't \"touch\"",
        'total = sum(row["amount"] for row in rows)',
        'max_tokens = "4096 or so"',
        'password = getpass("Password: ")',
        'password = config["db"]["password"]',
        'token = requests.post("https://example.org/login").json()["access_token"]',
        'for token in ("a", "b"):',
        'if args.password is None: sys.exit("no password")',
        "server.login(USER, PASSWORD)",
        "requests.get(url, auth=(user, password))",
        'sqlite3.connect("sales.db", isolation_level="IMMEDIATE")',
        'rows.sort(key=lambda row: (row["amount"], "b"))',
        'url = "{schema}://{user}:{password}@{host}"',
        "# the password is wrong",
        'raise ValueError("the token is missing")',
    ],
)
def test_what_is_no_secret_is_kept_as_it_is(line: str) -> None:
    """Else the diff would not show what was changed."""
    assert kept(line + "\n") == line + "\n"


@pytest.mark.parametrize(
    "form",
    [
        KNOWN,
        repr(KNOWN),
        KNOWN.replace("-", "\\x2d"),
        "QzRuNHJ5",
        KNOWN.encode().hex(),
    ],
)
def test_a_known_secret_is_not_kept_in_any_form(form: str) -> None:
    """The text holds it nowhere, whatever the source calls it."""
    text = kept(f"x = [{form!r}]  # {form}\nprint('{form}')\n")

    assert text is not None
    assert KNOWN not in text
    assert KNOWN.encode().hex() not in text


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("# prix: é\n".encode(), "# prix: é\n"),
        (b"\xef\xbb\xbfa = 1\n", "a = 1\n"),
        ("# coding: latin-1\n# é\n".encode("latin-1"), "# coding: latin-1\n# é\n"),
        ("# coding: cp1252\n# €\n".encode("cp1252"), "# coding: cp1252\n# €\n"),
        (b"# coding: nonsense\na = 1\n", "# coding: nonsense\na = 1\n"),
        (b"# coding: utf-7\n+AGEAYg-\n", "# coding: utf-7\n+AGEAYg-\n"),
        (b"", ""),
        (b"a = 1\r\nb\r\n", "a = 1\r\nb\r\n"),
    ],
)
def test_a_source_is_read_as_python_reads_it(data: bytes, expected: str) -> None:
    """By its mark, or by the encoding that its head names."""
    assert kept(data) == expected


def test_a_secret_is_found_in_the_encoding_of_the_source() -> None:
    """Masked is the text, not the bytes."""
    data = "# coding: latin-1\na = 'clé-secrète'\n".encode("latin-1")

    assert (
        source_text(data, Masker(["clé-secrète"])) == "# coding: latin-1\na = '***'\n"
    )


@pytest.mark.parametrize("data", [b"\x7fELF\0\0", b"PK\3\4\0\0", b"a" * (LARGEST + 1)])
def test_what_is_no_text_or_too_large_is_not_kept(data: bytes) -> None:
    """A program, an archive, and data in the form of a source."""
    assert kept(data) is None


@given(st.binary(max_size=300))
def test_any_bytes_are_read(data: bytes) -> None:
    """The text can be written in UTF-8, whatever it was."""
    text = kept(data)
    assert text is None or text.encode() is not None


@pytest.mark.parametrize(
    "source",
    [
        '\'"\'"\\"' * 33_000,
        'password="a" ' * 15_000,
        "'''a\"\"\"" * 28_000,
        '"' + "://a:b" * 33_000 + '"',
        '"' + "token='a' " * 19_000 + '"',
        "# " + "token=a;" * 24_000,
        "\\" * 199_999,
        "a.b." * 49_000 + "'x'",
    ],
    ids=[
        "quotes",
        "pairs",
        "triple",
        "addresses",
        "inside",
        "comment",
        "slashes",
        "name",
    ],
)
def test_no_source_takes_a_long_time(source: str) -> None:
    """In proportion to its size, whatever it holds."""
    begin = time.monotonic()
    assert kept(source) is not None
    assert time.monotonic() - begin < GENEROUS
