"""What modules belong to: a package of another name, a system, a version of Python."""

from __future__ import annotations


#: Parts of the standard library that newer Pythons do not have any more (PEP 594, 632,
#: and the changes of 3.12 and 3.13).
REMOVED = frozenset(
    [
        "aifc",
        "asynchat",
        "asyncore",
        "audioop",
        "binhex",
        "cgi",
        "cgitb",
        "chunk",
        "crypt",
        "distutils",
        "formatter",
        "imghdr",
        "imp",
        "lib2to3",
        "mailcap",
        "msilib",
        "nis",
        "nntplib",
        "ossaudiodev",
        "parser",
        "pipes",
        "smtpd",
        "sndhdr",
        "spwd",
        "sunau",
        "symbol",
        "telnetlib",
        "uu",
        "xdrlib",
    ]
)
#: Packages that bear another name than their module.
_PACKAGES = {
    "Crypto": "pycryptodome",
    "Levenshtein": "python-Levenshtein",
    "MySQLdb": "mysqlclient",
    "OpenSSL": "pyOpenSSL",
    "PIL": "Pillow",
    "Xlib": "python-xlib",
    "absl": "absl-py",
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cv2": "opencv-python",
    "dateutil": "python-dateutil",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "PyMuPDF",
    "git": "GitPython",
    "googleapiclient": "google-api-python-client",
    "jwt": "PyJWT",
    "jose": "python-jose",
    "ldap": "python-ldap",
    "magic": "python-magic",
    "office365": "Office365-REST-Python-Client",
    "mysql": "mysql-connector-python",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2-binary",
    "rest_framework": "djangorestframework",
    "ruamel": "ruamel.yaml",
    "serial": "pyserial",
    "shapefile": "pyshp",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "telegram": "python-telegram-bot",
    "unidecode": "Unidecode",
    "usb": "pyusb",
    "wx": "wxPython",
    "yaml": "PyYAML",
    "zmq": "pyzmq",
    **dict.fromkeys(
        (
            *("pythoncom", "pywintypes", "win32api", "win32clipboard", "win32com"),
            *("win32con", "win32event", "win32evtlog", "win32file", "win32gui"),
            *("win32net", "win32print", "win32process", "win32security"),
            *("win32service", "win32serviceutil", "winerror"),
        ),
        "pywin32",
    ),
}


#: Packages that many scripts use, and that are called as their module.
_USUAL = frozenset(
    [
        *("aiohttp", "altair", "asyncpg", "boto3", "bokeh", "chardet"),
        *("click", "cryptography", "cx_Oracle", "dash", "dask", "django", "docxtpl"),
        *("duckdb", "fastapi", "flask", "folium", "fpdf", "geopandas", "gspread"),
        *("httpx", "icalendar", "jinja2", "joblib", "jsonschema", "keyring"),
        *("loguru", "lxml", "markdown", "matplotlib", "msal", "networkx", "numba"),
        *("numpy", "openpyxl", "oracledb", "pandas", "paramiko", "pdfplumber"),
        *("pendulum", "pikepdf", "playwright", "plotly", "polars", "psutil"),
        *("psycopg", "pyarrow", "pyautogui", "pydantic", "pymongo", "pymssql"),
        *("pymysql", "pyodbc", "pypdf", "pyperclip", "pytesseract", "pytz"),
        *("pyxlsb", "redis", "reportlab", "requests", "rich", "scipy", "seaborn"),
        *("selenium", "shapely", "simplejson", "sqlalchemy", "statsmodels"),
        *("streamlit", "tabulate", "tenacity", "torch", "tqdm", "typer"),
        *("tzdata", "tzlocal", "urllib3", "watchdog", "weasyprint", "xgboost"),
        *("xlrd", "xlsxwriter", "xlwings", "xlwt", "xmltodict", "zeep"),
    ]
)
#: Modules of Python that one kind of system alone has.
WINDOWS_ONLY = frozenset({"_winapi", "_winreg", "msvcrt", "winreg", "winsound"})
POSIX_ONLY = frozenset(
    {"fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
)
#: Parts of Python that a system may install apart from it, or that it is built without.
SEPARATE = frozenset(
    {
        *("_bz2", "_ctypes", "_curses", "_lzma", "_sqlite3", "_ssl", "_tkinter"),
        *("ensurepip", "tkinter", "venv"),
    }
)
#: Modules of Python 2 that have another name since.
OF_PYTHON_2 = frozenset(
    {
        *("__builtin__", "BaseHTTPServer", "ConfigParser", "Cookie", "HTMLParser"),
        *("Queue", "SocketServer", "StringIO", "Tkinter", "cPickle", "cStringIO"),
        *("commands", "cookielib", "httplib", "tkMessageBox", "ttk", "urllib2"),
        *("urlparse", "xmlrpclib"),
    }
)
#: Names that people give to files of their own, in small letters.
OWN_NAMES = frozenset(
    {
        *("app", "common", "commun", "conf", "config", "configuration", "connection"),
        *("connexion", "const", "constantes", "constants", "core", "credentials"),
        *("database", "db", "fonctions", "functions", "helper", "helpers", "lib"),
        *("libs", "log", "logger", "main", "models", "module", "modules", "outils"),
        *("params", "parametres", "project", "scripts", "secrets_", "settings"),
        *("shared", "source", "sql", "src", "tests", "tools", "util", "utilitaires"),
        *("utils",),
    }
)
#: Names that many packages share: no one of them is sure.
NO_PACKAGE = frozenset({"azure", "google", "office", "ms"})
#: Modules of Python, and the version that brought them.
NEWER = {
    "annotationlib": (3, 14),
    "compression": (3, 14),
    "dataclasses": (3, 7),
    "graphlib": (3, 9),
    "tomllib": (3, 11),
    "zoneinfo": (3, 9),
}


def package_of(module: str) -> str:
    """Return the name under which what has a module is installed, as far as it is known."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top)


def surely_package_of(module: str) -> str | None:
    """Return the package that has a module; None where that is not known for sure."""
    top = module.partition(".")[0]
    return _PACKAGES.get(top, top if top in _USUAL else None)
