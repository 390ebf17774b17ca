"""Rules: what they know by its form, and what they leave alone."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from python_runner.hints.endings import ANY_END, NO_EXCEPTION
from python_runner.hints.failure import Failure, Surroundings
from python_runner.hints.table import RULES, hint_for
from python_runner.texts.sentence import catalogue
from tests.hints.examples import EXAMPLES, NO_HINT, WINDOWS, Example
from tests.hints.raised import RAISED


pytestmark = pytest.mark.pure

ALL = {rule.name: rule.words for rule in (*RULES, *ANY_END, *NO_EXCEPTION)}
AROUND = Surroundings(
    windows=False,
    python="/opt/e/bin/python",
    folder="/srv/p",
    project="/srv/p",
    account="anna",
    exists=lambda path: path.startswith(("C:\\there", "C:\\\\")) or path == "C:\\",
    is_folder=lambda path: path == "/is/folder",
    module_folder={"shared_words": "/srv/p/lib", "yaml": "/srv/p"}.get,
    version=(3, 11),
    install="/opt/e/bin/python -m pip install",
)
#: Where the rules about the system's Python and about a project's own file are asked.
SYSTEM = replace(
    AROUND,
    install="",
    environment=(
        "python3 -m venv /srv/p/.venv",
        "/srv/p/.venv/bin/python -m pip install",
    ),
    module_folder=lambda _name: None,
)


def failure_of(example: Example) -> Failure:
    """Return the failure that an example is."""
    output = example.end if isinstance(example.end, str) else ""
    return Failure.of(
        example.line,
        example.text,
        output,
        exit_code=example.end if isinstance(example.end, int) else 1,
        timed_out=example.end == "timeout",
    )


def around(name: str) -> Surroundings:
    """Return the surroundings in which the example of a rule is looked at."""
    there = SYSTEM if name == "module-missing-for-system" else AROUND
    return replace(there, windows=EXAMPLES[name].windows)


@pytest.mark.parametrize("name", ALL)
def test_each_rule_knows_its_example(name: str) -> None:
    """The rule that speaks about the example is the one of that name."""
    hint = hint_for(failure_of(EXAMPLES[name]), around(name))
    assert hint is not None
    assert hint.template == ALL[name]


def test_every_rule_has_one_example_and_one_proof() -> None:
    """A rule is raised by a script, or its example says who printed it."""
    assert EXAMPLES.keys() == ALL.keys()
    assert len(ALL) == len(RULES) + len(ANY_END) + len(NO_EXCEPTION)
    unproven = {n for n, e in EXAMPLES.items() if not e.source} - RAISED.keys()
    assert not unproven
    assert RAISED.keys() <= ALL.keys()


@pytest.mark.parametrize(("line", "text"), NO_HINT)
@pytest.mark.parametrize("windows", [False, True])
def test_what_is_not_known_for_sure_gets_no_hint(
    line: str, text: str, *, windows: bool
) -> None:
    """A person's own words and other errors of the same type are left alone."""
    there = replace(AROUND, windows=windows, exists=lambda _path: True)
    assert hint_for(Failure.of(line, text), there) is None


#: The same errors in other words: other systems, libraries, versions, languages.
SAME = {
    "refused": (
        "ConnectionRefusedError: [Errno 61] Connection refused",
        "ConnectionRefusedError: [WinError 10061] Aucune connexion n'a pu être établie",
        "ConnectionRefusedError: [Errno 111] Connect call failed ('127.0.0.1', 9)",
        "urllib.error.URLError: <urlopen error [Errno 111] Connection refused>",
        (
            "requests.exceptions.ConnectionError: HTTPConnectionPool(host='127.0.0.1', port=9):"
            ' Max retries exceeded with url: / (Caused by NewConnectionError("HTTPConnection('
            "host='127.0.0.1', port=9): Failed to establish a new connection: [Errno 111]"
            ' Connection refused"))'
        ),
        "httpx.ConnectError: [Errno 111] Connection refused",
        (
            "aiohttp.client_exceptions.ClientConnectorError: Cannot connect to host 127.0.0.1:9"
            " ssl:default [Connect call failed ('127.0.0.1', 9)]"
        ),
        (
            'psycopg2.OperationalError: connection to server at "127.0.0.1", port 9 failed:'
            " Connection refused"
        ),
        (
            "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on '127.0.0.1'"
            ' ([Errno 111] Connection refused)")'
        ),
        (
            "sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server"
            ' at "127.0.0.1", port 9 failed: Connection refused'
        ),
    ),
    "unknown-name": (
        "socket.gaierror: [Errno 11001] getaddrinfo failed",
        "socket.gaierror: [Errno -3] Temporary failure in name resolution",
        (
            "urllib.error.URLError: <urlopen error [Errno 8] nodename nor servname provided, or"
            " not known>"
        ),
        (
            "requests.exceptions.ConnectionError: HTTPSConnectionPool(host='x', port=443): Max"
            ' retries exceeded with url: / (Caused by NameResolutionError("..."))'
        ),
    ),
    "no-answer": (
        "TimeoutError: [WinError 10060] Ein Verbindungsversuch ist fehlgeschlagen",
        "TimeoutError: [Errno 110] Connection timed out",
        "TimeoutError: The read operation timed out",
        "urllib.error.URLError: <urlopen error timed out>",
        (
            "requests.exceptions.ReadTimeout: HTTPConnectionPool(host='x', port=80): Read timed"
            " out. (read timeout=1)"
        ),
        (
            "requests.exceptions.ConnectTimeout: HTTPConnectionPool(host='x', port=80): Max"
            " retries exceeded with url: / (Caused by ConnectTimeoutError(<...>, 'Connection to"
            " x timed out. (connect timeout=1)'))"
        ),
    ),
    "certificate": (
        (
            "requests.exceptions.SSLError: HTTPSConnectionPool(host='x', port=443): Max retries"
            " exceeded with url: / (Caused by SSLError(SSLCertVerificationError(1, '[SSL:"
            " CERTIFICATE_VERIFY_FAILED] certificate verify failed: self-signed certificate in"
            " certificate chain (_ssl.c:1006)')))"
        ),
        (
            "urllib.error.URLError: <urlopen error [SSL: CERTIFICATE_VERIFY_FAILED] certificate"
            " verify failed: unable to get local issuer certificate (_ssl.c:1006)>"
        ),
        (
            "httpx.ConnectError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed:"
            " self signed certificate (_ssl.c:997)"
        ),
    ),
    "http-401": (
        "httpx.HTTPStatusError: Client error '401 Unauthorized' for url 'https://x/y'",
        "requests.exceptions.HTTPError: 401 Client Error: Unauthorized for url: https://x/y",
    ),
    "json": (
        "requests.exceptions.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
        "simplejson.errors.JSONDecodeError: Expecting value: line 1 column 1 (char 0)",
    ),
    "sqlite-locked": (
        "sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked",
    ),
    "odbc-driver": (
        (
            "pyodbc.InterfaceError: ('IM002', '[IM002] [unixODBC][Driver Manager]Data source name"
            " not found and no default driver specified (0) (SQLDriverConnect)')"
        ),
        (
            "pyodbc.InterfaceError: ('IM002', '[IM002] [Microsoft][Gestionnaire de pilotes ODBC]"
            " Source de données introuvable et nom de pilote non spécifié (0)"
            " (SQLDriverConnect)')"
        ),
    ),
    "optional-package": (
        (
            "ImportError: `Import openpyxl` failed.  Use pip, conda, or your preferred package"
            " management tool to install the openpyxl package."
        ),
    ),
    "memory": (
        (
            "numpy._core._exceptions._ArrayMemoryError: Unable to allocate 72.8 TiB for an array"
            " with shape (1000000, 10000000) and data type float64"
        ),
        "numpy.core._exceptions._ArrayMemoryError: Unable to allocate 7.45 GiB",
    ),
    "disk-full": (
        "OSError: [WinError 112] Es steht nicht genug Speicherplatz zur Verfügung",
    ),
    "file-open": (
        (
            "PermissionError: [WinError 33] Der Prozess kann nicht zugreifen: 'C:\\\\x.xlsx' ->"
            " 'C:\\\\y.xlsx'"
        ),
    ),
    "permission": (
        "PermissionError: [WinError 5] Accès refusé: 'C:\\\\data'",
        "PermissionError: [Errno 13] Permission denied: b'sales.csv'",
        "PermissionError: [Errno 13] Permission denied: '/srv/a' -> '/srv/b'",
    ),
    "start-in": ("FileNotFoundError: [WinError 3] Le chemin est introuvable: 'out'",),
    "display": (
        '_tkinter.TclError: couldn\'t connect to display ":99"',
        'Xlib.error.DisplayNameError: Bad display name ""',
    ),
}


@pytest.mark.parametrize(
    ("name", "line"), [(name, line) for name, lines in SAME.items() for line in lines]
)
def test_the_same_error_in_other_words(name: str, line: str) -> None:
    """Numbers and types tell an error, in each language and from each library."""
    hint = hint_for(failure_of(replace(EXAMPLES[name], line=line)), around(name))
    assert hint is not None
    assert hint.template == ALL[name]


#: Columns of pandas, as its versions write them.
COLUMNS = (
    "KeyError: \"['amount'] not in index\"",
    "KeyError: \"None of [Index(['amount', 'x'], dtype='str')] are in the [columns]\"",
    "KeyError: \"['z'] not found in axis\"",
    "KeyError: 'Montant HT (€)'",
)


@pytest.mark.parametrize("line", COLUMNS)
def test_a_column_that_is_missing(line: str) -> None:
    """A key that pandas does not find is a column or a row."""
    hint = hint_for(failure_of(replace(EXAMPLES["column"], line=line)), AROUND)
    assert hint is not None
    assert line.partition(": ")[2] in str(hint)


@pytest.mark.parametrize(
    ("module", "package"),
    [("cv2", "opencv-python"), ("PIL", "Pillow"), ("yaml", None), ("sklearn", "scikit-learn"),
     ("win32com", "pywin32"), ("dateutil", "python-dateutil"), ("pandas", "pandas")],
)  # fmt: skip
def test_the_package_of_a_module(module: str, package: str | None) -> None:
    """A package is named as it is installed; a file of the project comes first."""
    line = f"ModuleNotFoundError: No module named '{module}'"
    hint = hint_for(Failure.of(line), replace(AROUND, windows=True))
    assert hint is not None
    if package is None:
        assert hint.template == ALL["module-own"]
    else:
        assert str(hint).endswith(f"/opt/e/bin/python -m pip install {package}")


@pytest.mark.parametrize(
    ("line", "version", "needed"),
    [
        ("    match command:", (3, 9), "3.10"),
        ("    match command:", (3, 10), None),
        ("    except* ValueError:", (3, 10), "3.11"),
        ("    type Row = dict[str, int]", (3, 11), "3.12"),
        ("    def first[T](rows: list[T]) -> T:", (3, 11), "3.12"),
        ("    if (n := len(rows)) > 3:", (3, 7), "3.8"),
        ("    match = pattern.match(line", (3, 9), None),
        ("    type(row) = 3", (3, 9), None),
        ("    print(row", (3, 9), None),
    ],
)
def test_syntax_of_a_newer_python(
    line: str, version: tuple[int, int], needed: str | None
) -> None:
    """Syntax is newer where its line says so, and the Python of the run is older."""
    text = f'  File "/srv/p/main.py", line 3\n{line}\n          ^\n'
    failure = Failure.of("SyntaxError: invalid syntax", text)
    hint = hint_for(failure, replace(AROUND, version=version))
    assert (hint and hint.values["needed"]) == needed


def test_a_drive_that_is_there_is_not_missing() -> None:
    """Of a missing file on a drive that is there nothing is said."""
    there = replace(AROUND, windows=True, exists=lambda path: path == "Z:\\")
    assert hint_for(failure_of(EXAMPLES["drive"]), there) is None


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("name", ALL)
def test_a_hint_is_one_sentence_on_one_line(name: str, language: str) -> None:
    """A hint is short, has no end of line and no full stop, in each language."""
    hint = hint_for(failure_of(EXAMPLES[name]), around(name))
    assert hint is not None
    said = hint.in_language(language)
    assert "\n" not in said
    assert "{" not in said
    assert len(re.sub(r"x{9,}|y{9,}", "", said)) < 400
    assert not said.endswith(".")
    if language == "fr":
        assert catalogue("fr").gettext(ALL[name]) != ALL[name]


def test_windows_is_named_as_the_source() -> None:
    """What only Windows prints is marked so: it is looked at as on Windows."""
    assert all(e.windows for e in EXAMPLES.values() if e.source == WINDOWS and e.line)
