"""What Python, Windows and libraries print for each rule, and where that is from."""

from __future__ import annotations

from dataclasses import dataclass


#: Who printed the messages that no test raises, each in a real run of it.
PANDAS, MATPLOTLIB = "pandas 3.1.1", "matplotlib 3.11.2"
PYODBC, SELENIUM = "pyodbc 5.5.0 (unixODBC)", "selenium 4.51.0"
#: What is known by the sources or the pages of a program alone.
WINDOWS, PYWIN32 = "Windows", "pywin32 (Windows)"

FRAME = (
    'Traceback (most recent call last):\n  File "/srv/p/main.py", line 3, in <module>\n'
)
IN_PANDAS = (
    FRAME + '  File "/opt/e/pandas/core/indexes/base.py", line 3823, in get_loc\n'
)
IN_OPENPYXL = (
    FRAME + '  File "/opt/e/openpyxl/reader/excel.py", line 1, in load_workbook\n'
)
IN_OS = FRAME + '  File "<frozen os>", line 679, in __getitem__\n'
IN_GETPASS = (
    FRAME + '  File "/opt/lib/python3.11/getpass.py", line 77, in unix_getpass\n'
)
STARTING = FRAME + '  File "/opt/lib/subprocess.py", line 1955, in _execute_child\n'


@dataclass(frozen=True, slots=True)
class Example:
    """A failure that a rule knows.

    Attributes:
        line: the exception, as Python prints it; empty where none ended the script.
        source: who printed it; empty: a test raises it.
        quoted: whether it was not seen in a run of ours: its source prints it so.
        text: the traceback above it.
        end: the exit code, a line of the output, or "timeout".
    """

    line: str = ""
    source: str = ""
    quoted: bool = False
    text: str = FRAME
    end: int | str = 1
    windows: bool = False


def _windows(line: str, source: str = WINDOWS, *, text: str = FRAME) -> Example:
    """Return what only Windows prints: the words of CPython there, or of a library."""
    return Example(line, source, quoted=True, windows=True, text=text)


EXAMPLES = {
    # modules
    "module-hidden": Example(
        "ModuleNotFoundError: No module named 'yaml.nodes'; 'yaml' is not a package"
    ),
    "module-of-python-2": Example(
        "ModuleNotFoundError: No module named 'urllib2'", "Python 3.11"
    ),
    "module-probably-own": Example(
        "ModuleNotFoundError: No module named 'utils'", "Python 3.11"
    ),
    "module-own": Example("ModuleNotFoundError: No module named 'shared_words'"),
    "module-newer": Example("ModuleNotFoundError: No module named 'annotationlib'"),
    "module-removed": Example("ModuleNotFoundError: No module named 'distutils'"),
    "module-of-windows": Example("ModuleNotFoundError: No module named 'winreg'"),
    "module-of-posix": Example(
        "ModuleNotFoundError: No module named 'fcntl'", windows=True
    ),
    "module-of-the-system": Example("ModuleNotFoundError: No module named '_tkinter'"),
    "module-missing": Example("ModuleNotFoundError: No module named 'cv2'"),
    "module-missing-for-system": Example(
        "ModuleNotFoundError: No module named 'yaml'", "Debian 12's Python"
    ),
    "module-unknown": Example("ModuleNotFoundError: No module named 'words_of_nobody'"),
    "optional-package": Example(
        "ImportError: Missing optional dependency 'openpyxl'.  Use pip or conda to install"
        " openpyxl.",
        "pandas 2.2.3",
    ),
    "circular-import": Example(
        "ImportError: cannot import name 'a' from partially initialized module 'one' (most"
        " likely due to a circular import) (/srv/p/one.py)"
    ),
    "file-hides-module": Example(
        "AttributeError: module 'random' has no attribute 'randint' (consider renaming"
        " '/srv/p/random.py' since it has the same name as the standard library module"
        " named 'random' and prevents importing that standard library module)",
        "Python 3.13",
    ),
    "dll": _windows(
        "ImportError: DLL load failed while importing _ssl: Le module spécifié est"
        " introuvable."
    ),
    "opencv-screen": Example(
        "ImportError: libGL.so.1: cannot open shared object file: No such file or"
        " directory",
        "opencv-python 4 (Linux)",
        quoted=True,
    ),
    "shared-library": Example(
        "OSError: libnothing.so.1: cannot open shared object file: No such file or directory"
    ),
    "python-2": Example(
        "SyntaxError: Missing parentheses in call to 'print'. Did you mean print(...)?"
    ),
    "newer-syntax": Example(
        "SyntaxError: multiple exception types must be parenthesized"
    ),
    # session
    "password-prompt": Example("EOFError", text=IN_GETPASS),
    "input": Example("EOFError: EOF when reading a line"),
    "display-variable": Example("KeyError: 'DISPLAY'", text=IN_OS),
    "variable": Example("KeyError: 'DATABASE_HOST'", text=IN_OS),
    "display": Example(
        "_tkinter.TclError: no display name and no $DISPLAY environment variable"
    ),
    "matplotlib": Example(
        "ImportError: Cannot load backend 'TkAgg' which requires the 'tk' interactive"
        " framework, as 'headless' is currently running",
        MATPLOTLIB,
    ),
    "locale": Example("locale.Error: unsupported locale setting"),
    "com-missing": _windows(
        "pywintypes.com_error: (-2147221005, 'Invalid class string', None, None)",
        PYWIN32,
    ),
    "com-session": _windows(
        "pywintypes.com_error: (-2146959355, 'Échec de l'exécution du serveur', None, None)",
        PYWIN32,
    ),
    "com-not-running": _windows(
        "pywintypes.com_error: (-2147221021, 'Operation unavailable', None, None)",
        PYWIN32,
    ),
    "com-busy": _windows(
        "pywintypes.com_error: (-2147418111, 'Call was rejected by callee.', None, None)",
        PYWIN32,
    ),
    "com-gone": _windows(
        "pywintypes.com_error: (-2147023174, 'Der RPC-Server ist nicht verfügbar.', None,"
        " None)",
        PYWIN32,
    ),
    "com-excel-file": _windows(
        "pywintypes.com_error: (-2147352567, 'Exception occurred.', (0, 'Microsoft Excel',"
        " 'Microsoft Excel cannot access the file.', 'xlmain11.chm', 0, -2146827284), None)",
        PYWIN32,
        text=FRAME + "    book = excel.Workbooks.Open(path)\n",
    ),
    "browser-version": Example(
        "selenium.common.exceptions.SessionNotCreatedException: Message: session not"
        " created: This version of ChromeDriver only supports Chrome version 114",
        "ChromeDriver",
        quoted=True,
    ),
    "browser-driver": Example(
        "selenium.common.exceptions.NoSuchDriverException: Message: Unable to obtain driver"
        " for chrome; For documentation on this error, please visit: ...",
        SELENIUM,
    ),
    "browser-screen": Example(
        "selenium.common.exceptions.SessionNotCreatedException: Message: session not"
        " created: DevToolsActivePort file doesn't exist",
        "ChromeDriver",
        quoted=True,
    ),
    "playwright": Example(
        "playwright._impl._errors.Error: BrowserType.launch: Executable doesn't exist at"
        " /home/me/.cache/ms-playwright/chromium-1200/chrome",
        "playwright 1.65",
    ),
    # files
    "escapes": _windows(r"OSError: [Errno 22] Invalid argument: 'C:\temp\\sales.csv'"),
    "drive": _windows(
        r"FileNotFoundError: [Errno 2] No such file or directory: 'Z:\\exports\\sales.csv'"
    ),
    "path-of-windows": Example(
        r"FileNotFoundError: [Errno 2] No such file or directory: 'Z:\\exports\\sales.csv'"
    ),
    "share-away": _windows(
        "FileNotFoundError: [WinError 53] Le chemin réseau n'a pas été trouvé:"
        r" '\\\\server\\share\\sales.csv'"
    ),
    "share-logon": _windows(
        "OSError: [WinError 1326] Der Benutzername oder das Kennwort ist falsch:"
        r" '\\\\server\\share\\sales.csv'"
    ),
    "path-too-long": _windows(
        "FileNotFoundError: [Errno 2] No such file or directory:"
        rf" 'C:\\{'x' * 200}\\{'y' * 60}.csv'"
    ),
    "start-in": Example(
        "FileNotFoundError: [Errno 2] No such file or directory: 'data/sales.csv'"
    ),
    "program-missing": Example(
        "FileNotFoundError: [Errno 2] No such file or directory: 'no-such-program'",
        text=STARTING,
    ),
    "program-unnamed": _windows(
        "FileNotFoundError: [WinError 2] Das System kann die angegebene Datei nicht finden",
        text=STARTING,
    ),
    "file-open": _windows(
        "PermissionError: [WinError 32] Le processus ne peut pas accéder au fichier car ce"
        r" fichier est utilisé par un autre processus: 'C:\\data\\sales.xlsx'"
    ),
    "folder-as-file": Example(
        "IsADirectoryError: [Errno 21] Is a directory: '/is/folder'"
    ),
    "office-file-open": _windows(
        r"PermissionError: [Errno 13] Permission denied: 'C:\\there\\sales.xlsx'"
    ),
    "not-executable": Example(
        "PermissionError: [Errno 13] Permission denied: './load.sh'", text=STARTING
    ),
    "permission": Example("PermissionError: [Errno 13] Permission denied: 'sales.csv'"),
    "privilege": _windows(
        "OSError: [WinError 740] L'opération demandée nécessite une élévation"
    ),
    "disk-full": Example("OSError: [Errno 28] No space left on device"),
    "database-disk-full": Example("sqlite3.OperationalError: database or disk is full"),
    "quota": Example(
        "OSError: [Errno 122] Disk quota exceeded: '/home/me/out.csv'",
        "Linux",
        quoted=True,
    ),
    "too-many-files": Example("OSError: [Errno 24] Too many open files: 'main.py'"),
    "name-too-long": Example("OSError: [Errno 36] File name too long: '/tmp/xxx'"),
    "forbidden-character": _windows(
        "OSError: [Errno 22] Invalid argument: 'sales 10:30.csv'"
    ),
    "wrong-bits": _windows(
        "OSError: [WinError 193] %1 ist keine zulässige Win32-Anwendung"
    ),
    "port-in-use": Example("OSError: [Errno 98] Address already in use"),
    "encode": Example(
        "UnicodeEncodeError: 'charmap' codec can't encode character '\\u2192' in position 0:"
        " character maps to <undefined>"
    ),
    "decode-utf-16": Example(
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0: invalid"
        " start byte"
    ),
    "decode-compressed": Example(
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0x8b in position 1: invalid"
        " start byte"
    ),
    "decode-not-utf-8": Example(
        "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xe9 in position 4: invalid"
        " continuation byte"
    ),
    "decode": Example(
        "UnicodeDecodeError: 'charmap' codec can't decode byte 0x81 in position 1: character"
        " maps to <undefined>"
    ),
    # memory
    "memory": Example("MemoryError"),
    "memory-refused": Example("OSError: [Errno 12] Cannot allocate memory"),
    # data
    "sqlite-locked": Example("sqlite3.OperationalError: database is locked"),
    "sqlite-open": Example("sqlite3.OperationalError: unable to open database file"),
    "sqlite-read-only": Example(
        "sqlite3.OperationalError: attempt to write a readonly database"
    ),
    "no-database": Example("sqlite3.DatabaseError: file is not a database"),
    "xlrd": Example(
        "xlrd.biffh.XLRDError: Excel xlsx file; not supported", "xlrd 2.0.2"
    ),
    "workbook": Example(
        "zipfile.BadZipFile: File is not a zip file", "openpyxl 3.1.5", text=IN_OPENPYXL
    ),
    "workbook-format": Example(
        "ValueError: Excel file format cannot be determined, you must specify an engine"
        " manually.",
        PANDAS,
        text=FRAME + '  File "/opt/e/pandas/io/excel/_base.py", line 15, in __init__\n',
    ),
    "column": Example("KeyError: 'amount'", PANDAS, text=IN_PANDAS),
    "columns-expected": Example(
        "ValueError: Usecols do not match columns, columns expected but not found:"
        " ['amount']",
        PANDAS,
    ),
    "table-empty": Example(
        "pandas.errors.EmptyDataError: No columns to parse from file", PANDAS
    ),
    "table-fields": Example(
        "pandas.errors.ParserError: Error tokenizing data. C error: Expected 2 fields in"
        " line 3, saw 3",
        PANDAS,
    ),
    "json-mark": Example(
        "json.decoder.JSONDecodeError: Unexpected UTF-8 BOM (decode using utf-8-sig): line 1"
        " column 1 (char 0)"
    ),
    "json": Example(
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    ),
    "time-zone": Example(
        "zoneinfo._common.ZoneInfoNotFoundError: 'No time zone found with key Europe/Paris'"
    ),
    # network
    "proxy-login": Example(
        "urllib.error.URLError: <urlopen error Tunnel connection failed: 407 Proxy"
        " Authentication Required>"
    ),
    "proxy-login-answer": Example(
        "urllib.error.HTTPError: HTTP Error 407: Proxy Authentication Required"
    ),
    "proxy": Example(
        "requests.exceptions.ProxyError: HTTPSConnectionPool(host='example.org', port=443):"
        " Max retries exceeded with url: / (Caused by ProxyError('Unable to connect to"
        " proxy', NewConnectionError(...)))",
        "requests 2.34.2",
    ),
    "certificate-expired": Example(
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
        " failed: certificate has expired (_ssl.c:1006)"
    ),
    "certificate-name": Example(
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
        " failed: Hostname mismatch, certificate is not valid for 'localhost'. (_ssl.c:1006)"
    ),
    "certificate": Example(
        "ssl.SSLCertVerificationError: [SSL: CERTIFICATE_VERIFY_FAILED] certificate verify"
        " failed: unable to get local issuer certificate (_ssl.c:1006)"
    ),
    "no-tls": Example("ssl.SSLError: [SSL: WRONG_VERSION_NUMBER] wrong version number"),
    "refused": Example("ConnectionRefusedError: [Errno 111] Connection refused"),
    "unknown-name": Example("socket.gaierror: [Errno -2] Name or service not known"),
    "no-answer": Example("TimeoutError: timed out"),
    "closed": Example(
        "http.client.RemoteDisconnected: Remote end closed connection without response"
    ),
    "unreachable": Example(
        "OSError: [Errno 101] Network is unreachable", "Linux", quoted=True
    ),
    "http-401": Example("urllib.error.HTTPError: HTTP Error 401: Unauthorized"),
    "http-403": Example(
        "requests.exceptions.HTTPError: 403 Client Error: Forbidden for url: https://..."
    ),
    "http-404": Example("urllib.error.HTTPError: HTTP Error 404: Not Found"),
    "http-429": Example("urllib.error.HTTPError: HTTP Error 429: Too Many Requests"),
    "http-5xx": Example("urllib.error.HTTPError: HTTP Error 503: Service Unavailable"),
    "odbc-certificate": Example(
        "pyodbc.OperationalError: ('08001', '[08001] [Microsoft][ODBC Driver 18 for SQL"
        " Server]SSL Provider: The certificate chain was issued by an authority that is not"
        " trusted. (-2146893019) (SQLDriverConnect)')",
        "SQL Server",
        quoted=True,
    ),
    "smtp-microsoft": Example(
        "smtplib.SMTPAuthenticationError: (535, b'5.7.139 Authentication unsuccessful, basic"
        " authentication is disabled.')"
    ),
    "smtp-app-password": Example(
        "smtplib.SMTPAuthenticationError: (535, b'5.7.8 Username and Password not"
        " accepted.')"
    ),
    "smtp-login": Example(
        "smtplib.SMTPAuthenticationError: (535, b'authentication failed')"
    ),
    "smtp-no-login": Example(
        "smtplib.SMTPNotSupportedError: SMTP AUTH extension not supported by server."
    ),
    "ftp-login": Example("ftplib.error_perm: 530 Login incorrect."),
    "ssh-login": Example(
        "paramiko.ssh_exception.AuthenticationException: Authentication failed.",
        "paramiko 5",
        quoted=True,
    ),
    "odbc-driver": Example(
        "pyodbc.Error: ('01000', \"[01000] [unixODBC][Driver Manager]Can't open lib 'ODBC"
        " Driver 17 for SQL Server' : file not found (0) (SQLDriverConnect)\")",
        PYODBC,
    ),
    "odbc-login": Example(
        "pyodbc.InterfaceError: ('28000', \"[28000] [Microsoft][ODBC Driver 18 for SQL"
        " Server][SQL Server]Login failed for user 'CORP\\\\PC3$'. (18456)"
        ' (SQLDriverConnect)")',
        "SQL Server",
        quoted=True,
    ),
    "odbc-unreachable": Example(
        "pyodbc.OperationalError: ('HYT00', '[HYT00] [Microsoft][ODBC Driver 18 for SQL"
        " Server]Login timeout expired (0) (SQLDriverConnect)')",
        "SQL Server",
        quoted=True,
    ),
    "postgresql-login": Example(
        'psycopg2.OperationalError: connection to server at "10.0.0.5", port 5432 failed:'
        ' FATAL: password authentication failed for user "reports"',
        "PostgreSQL",
        quoted=True,
    ),
    "mysql-login": Example(
        "pymysql.err.OperationalError: (1045, \"Access denied for user 'me'@'10.0.0.5'"
        ' (using password: YES)")',
        "MySQL",
        quoted=True,
    ),
    # ends
    "main-guard": Example(
        end="An attempt has been made to start a new process before the\n        current"
        " process has finished its bootstrapping phase."
    ),
    "qt-screen": Example(
        source="PyQt5 5.15.11",
        end='qt.qpa.plugin: Could not load the Qt platform plugin "xcb" in "" even though it'
        " was found.",
    ),
    "time-out": Example(end="timeout"),
    "killed": Example(end=-9),
    "killed-inside": Example(end=137),
    "terminated": Example(end=-15),
    "processor-limit": Example(end=-24),
    "memory-status": Example(source=WINDOWS, quoted=True, end=0xC0000017),
    "status-dll": Example(source=WINDOWS, quoted=True, end=0xC0000135),
    "status-bits": Example(source=WINDOWS, quoted=True, end=0xC000007B),
    "status-desktop": Example(source=WINDOWS, quoted=True, end=0xC0000142),
    "status-sign-out": Example(source=WINDOWS, quoted=True, end=0xC000013A),
    "status-recursion": Example(source=WINDOWS, quoted=True, end=0xC00000FD),
    "crash": Example(end=-11),
}

#: Failures about which nothing is said: a person's own words, and what is not known for
#: sure. Each is a line, and the traceback above it.
#: A function of the script, called by pandas; a line of the script that raises.
IN_LAMBDA = IN_PANDAS + '  File "/srv/p/main.py", line 9, in <lambda>\n    M[row]\n'


def _raising(kind: str) -> str:
    return FRAME + f'    raise {kind}("...")\n'


NO_HINT = (
    ("KeyError: 'Paris'", IN_LAMBDA),
    ("ConnectionError: invoice 12: Connection refused", _raising("ConnectionError")),
    ("OSError: getaddrinfo failed for our list", _raising("OSError")),
    ("TimeoutError: timed out", _raising("TimeoutError")),
    ("MemoryError: the customer forgot", _raising("MemoryError")),
    ("OSError: Connection refused", FRAME + "    raise error\n"),
    ("bank.ProxyError: Cannot connect to proxy", _raising("bank.ProxyError")),
    ("ModuleNotFoundError: No module named 'google'", FRAME),
    # pandas reads archives as well.
    ("zipfile.BadZipFile: File is not a zip file", IN_PANDAS),
    (
        "pywintypes.com_error: (-2147352567, 'x', (0, 'Excel', 'x', 'x', 0, -2146827284), None)",
        FRAME + "    sheet.Range(x).Value = y\n",
    ),
    ("ValueError: Permission denied for customer", FRAME),
    ("ValueError: [Errno 13] Permission denied: 'sales.csv'", FRAME),
    ("RuntimeError: database is locked", FRAME),
    ("sqlite3.OperationalError: no such table: sales", FRAME),
    ("PermissionError: you may not see customer 12", FRAME),
    ("PermissionError: [Errno 1] Operation not permitted: '/srv/x'", FRAME),
    ("FileNotFoundError: no export of November in the folder", FRAME),
    ("FileNotFoundError: [Errno 2] No such file or directory: '/srv/in/x.csv'", FRAME),
    ("KeyError: 'amount'", FRAME),
    ("KeyError: 'PATH'", FRAME),
    # The script's own function, called by a module of that name.
    ("KeyError: 'amount'", IN_OS + '  File "/srv/p/os_names.py", line 3, in get\n'),
    ("KeyError: 3", IN_PANDAS),
    ("ValueError: Expecting value: line 1 column 1 (char 0)", FRAME),
    (
        "json.decoder.JSONDecodeError: Expecting ',' delimiter: line 4 column 2 (char 90)",
        FRAME,
    ),
    ("TimeoutError: server slow", FRAME),
    ("TimeoutError", FRAME),
    ("ConnectionError: the bank has no statement for today", FRAME),
    ("OSError: [Errno 61] No data available: 'x'", FRAME),
    ("OSError: [Errno 5] Input/output error: '/mnt/x'", FRAME),
    ("ImportError: cannot import name 'load' from 'tools' (/srv/p/tools.py)", FRAME),
    ("ModuleNotFoundError: No module named 'pandas.nothing'", FRAME),
    ("ModuleNotFoundError: please install the module of finance", FRAME),
    ("SyntaxError: invalid syntax", FRAME),
    ("EOFError", FRAME),
    ("EOFError: the file ends in the middle of a record", FRAME),
    ("zipfile.BadZipFile: File is not a zip file", FRAME),
    ("ValueError: Excel file format cannot be determined", FRAME),
    (
        "UnicodeEncodeError: 'utf-8' codec can't encode character '\\ud800' in position 0",
        FRAME,
    ),
    ("smtplib.SMTPDataError: (554, b'5.2.0 refused')", FRAME),
    ("urllib.error.HTTPError: HTTP Error 418: I'm a teapot", FRAME),
    ("requests.exceptions.HTTPError: our own words about 403 Forbidden", FRAME),
    ("requests.exceptions.ConnectionError: no luck", FRAME),
    ("locale.Error: another thing", FRAME),
    ("MemoryOfCustomerError: 12", FRAME),
    ("billing.errors.PermissionError: [Errno 13] Permission denied: 'x'", FRAME),
    (
        "pyodbc.ProgrammingError: ('42S02', \"[42S02] Invalid object name 'sales'. (208)\")",
        FRAME,
    ),
    (
        "pywintypes.com_error: (-2147352567, 'Exception', (0, 'Word', 'x', None, 0, -1), None)",
        FRAME,
    ),
    ("2 of 22 invoices were refused by the bank", FRAME),
    ("logged: ConnectionRefusedError: [Errno 111] Connection refused", FRAME),
    ("", FRAME),
)
