"""Scripts that really raise what the hints are about, by the name of the rule."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Raised:
    """A script that fails as a rule expects.

    Attributes:
        source: of ``main.py``, or of ``script``.
        files: further files of the project, with their bytes.
        why_not: why it cannot fail so here; empty if it can.
        timeout: seconds after which it is stopped.
    """

    source: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    script: str = "main.py"
    why_not: str = ""
    timeout: float | None = None


POSIX = "" if sys.platform != "win32" else "POSIX alone has that"
LINUX = "" if sys.platform == "linux" else "Linux alone has that"
WINDOWS = "" if sys.platform == "win32" else "Windows alone has that"
OLD = "" if sys.version_info < (3, 14) else "this Python is as new as they come"

#: A server in a thread that answers each connection with some lines, one a line it gets.
SERVER = """
import socket, threading
def serve(*answers, wait=True):
    listener = socket.create_server(("127.0.0.1", 0))
    def answer():
        peer = listener.accept()[0]
        for text in answers:
            peer.sendall(text.encode())
            if wait:
                peer.recv(9999)
        peer.close()
    threading.Thread(target=answer, daemon=True).start()
    return listener.getsockname()[1]
"""
HTTP = (
    SERVER
    + """
import urllib.request
def get(status):
    answer = "HTTP/1.0 " + status + "\\r\\nContent-Length: 0\\r\\n\\r\\n"
    listener = socket.create_server(("127.0.0.1", 0))
    def serve_one():
        peer = listener.accept()[0]
        peer.recv(9999)
        peer.sendall(answer.encode())
        peer.close()
    threading.Thread(target=serve_one, daemon=True).start()
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open("http://127.0.0.1:%d/report" % listener.getsockname()[1], timeout=30)
"""
)
SMTP = (
    SERVER
    + """
import smtplib
def login(answer):
    port = serve("220 mail\\r\\n", "250-mail\\r\\n250 AUTH LOGIN\\r\\n",
                 "334 UGFzc3dvcmQ6\\r\\n", answer + "\\r\\n", "221 bye\\r\\n")
    with smtplib.SMTP("127.0.0.1", port, timeout=30) as server:
        server.login("me@example.org", "secret")
"""
)
#: A connection over TLS to the port that the variable TLS_PORT names.
TLS = """
import os, socket, ssl
context = ssl.create_default_context(cafile=os.environ.get("TLS_CA"))
with socket.create_connection(("127.0.0.1", int(os.environ["TLS_PORT"])), 30) as line:
    context.wrap_socket(line, server_hostname="localhost")
"""
LIMITED = (
    "import resource\nresource.setrlimit(resource.RLIMIT_AS, (1 << 32, 1 << 32))\n"
)

RAISED = {
    "module-hidden": Raised("import yaml.nodes", {"yaml.py": b""}),
    "module-own": Raised(
        "import shared_words", {"lib/shared_words.py": b""}, script="jobs/main.py"
    ),
    "module-newer": Raised("import annotationlib", why_not=OLD),
    "module-removed": Raised("import binhex"),
    "module-of-windows": Raised("import winreg", why_not=POSIX),
    "module-of-posix": Raised("import fcntl", why_not=WINDOWS),
    "module-of-the-system": Raised(
        "import sys\n"
        "sys.path = [p for p in sys.path if 'lib-dynload' not in p]\n"
        "import tkinter",
        why_not=POSIX,
    ),
    "module-missing": Raised("import cv2"),
    "module-unknown": Raised("import words_of_nobody"),
    "circular-import": Raised(
        "import one",
        {"one.py": b"from two import b\na = 1", "two.py": b"from one import a\nb = 1"},
    ),
    "shared-library": Raised(
        "import ctypes\nctypes.CDLL('libnothing.so.1')", why_not=LINUX
    ),
    "python-2": Raised("print 'loaded'"),
    "newer-syntax": Raised(
        "try:\n    pass\nexcept ValueError, KeyError:\n    pass", why_not=OLD
    ),
    "password-prompt": Raised("import getpass\ngetpass.getpass()", why_not=POSIX),
    "input": Raised("answer = input('Go on? ')"),
    "display-variable": Raised("import os\nos.environ['DISPLAY']"),
    "variable": Raised("import os\nhost = os.environ['DATABASE_HOST']"),
    "display": Raised("import tkinter\ntkinter.Tk()", why_not=LINUX),
    "locale": Raised("import locale\nlocale.setlocale(locale.LC_ALL, 'xx_XX.UTF-8')"),
    "path-of-windows": Raised(r"open(r'Z:\exports\sales.csv')", why_not=POSIX),
    "start-in": Raised("open('data/sales.csv')"),
    "program-missing": Raised(
        "import subprocess\nsubprocess.run(['no-such-program'])", why_not=POSIX
    ),
    "program-unnamed": Raised(
        "import subprocess\nsubprocess.run(['no-such-program'])", why_not=WINDOWS
    ),
    "folder-as-file": Raised("import os\nos.mkdir('out')\nopen('out')"),
    "not-executable": Raised(
        "import subprocess\nsubprocess.run(['./load.sh'])",
        {"load.sh": b""},
        why_not=POSIX,
    ),
    "permission": Raised(
        "import os\n"
        "os.chmod('sales.csv', 0)\n"
        "if os.getuid() == 0:\n"
        "    os.setuid(65534)\n"
        "open('sales.csv')",
        {"sales.csv": b""},
        why_not=POSIX,
    ),
    "disk-full": Raised(
        "with open('/dev/full', 'w') as file:\n    file.write('x')", why_not=LINUX
    ),
    "database-disk-full": Raised(
        "import sqlite3\n"
        "base = sqlite3.connect('x.db')\n"
        "base.execute('PRAGMA max_page_count = 2')\n"
        "base.execute('CREATE TABLE t (a)')\n"
        "base.execute('INSERT INTO t VALUES (zeroblob(99999))')"
    ),
    "too-many-files": Raised(
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (30, 30))\n"
        "kept = [open('main.py') for _ in range(99)]",
        why_not=POSIX,
    ),
    "name-too-long": Raised("open('/tmp/' + 300 * 'x')", why_not=POSIX),
    "escapes": Raised(r"open('C:\temp\sales.csv')", why_not=WINDOWS),
    "forbidden-character": Raised("open('sales 10:30?.csv', 'w')", why_not=WINDOWS),
    "port-in-use": Raised(
        "import socket\n"
        "first = socket.create_server(('127.0.0.1', 0))\n"
        "socket.socket().bind(first.getsockname())"
    ),
    "encode": Raised("open('x', 'w', encoding='cp1252').write('\\u2192')"),
    "decode-utf-16": Raised(
        "open('x.csv', encoding='utf-8').read()", {"x.csv": b"\xff\xfea\0b\0"}
    ),
    "decode-compressed": Raised(
        "open('x.csv', encoding='utf-8').read()", {"x.csv": b"\x1f\x8b\x08\0\0"}
    ),
    "decode-not-utf-8": Raised(
        "open('x.csv', encoding='utf-8').read()", {"x.csv": b"soci\xe9t\xe9;1"}
    ),
    "decode": Raised(
        "open('x.csv', encoding='cp1252').read()", {"x.csv": b"\xc3\x81rea"}
    ),
    "memory": Raised(LIMITED + "bytearray(1 << 40)", why_not=LINUX),
    "memory-refused": Raised(
        LIMITED + "import mmap\nmmap.mmap(-1, 1 << 40)", why_not=LINUX
    ),
    "sqlite-locked": Raised(
        "import sqlite3\n"
        "one = sqlite3.connect('x.db')\n"
        "one.execute('BEGIN EXCLUSIVE')\n"
        "sqlite3.connect('x.db', timeout=0.01).execute('CREATE TABLE t (a)')"
    ),
    "sqlite-open": Raised("import sqlite3\nsqlite3.connect('data/x.db')"),
    "sqlite-read-only": Raised(
        "import sqlite3\n"
        "sqlite3.connect('x.db').execute('CREATE TABLE t (a)')\n"
        "base = sqlite3.connect('file:x.db?mode=ro', uri=True)\n"
        "base.execute('CREATE TABLE u (a)')"
    ),
    "no-database": Raised(
        "import sqlite3\nsqlite3.connect('x.db').execute('SELECT * FROM t')",
        {"x.db": b"name;amount\n" * 99},
    ),
    "json-mark": Raised("import json\njson.loads('\\ufeff{}')"),
    "json": Raised("import json\njson.loads('<html>sign in</html>')"),
    "time-zone": Raised(
        "import sys, zoneinfo\n"
        "zoneinfo.reset_tzpath([])\n"
        "sys.modules['tzdata'] = None\n"
        "zoneinfo.ZoneInfo('Europe/Paris')"
    ),
    "proxy-login": Raised(
        SERVER + "import urllib.request\n"
        "port = serve('HTTP/1.0 407 Proxy Authentication Required\\r\\n\\r\\n', wait=False)\n"
        "proxy = urllib.request.ProxyHandler({'https': 'http://127.0.0.1:%d' % port})\n"
        "urllib.request.build_opener(proxy).open('https://example.org', timeout=30)"
    ),
    "proxy-login-answer": Raised(HTTP + "get('407 Proxy Authentication Required')"),
    "certificate-expired": Raised(TLS),
    "certificate-name": Raised(TLS),
    "certificate": Raised(TLS),
    "no-tls": Raised(
        SERVER + "import ssl\n"
        "port = serve('220 mail.example.org ESMTP\\r\\n')\n"
        "line = socket.create_connection(('127.0.0.1', port), 30)\n"
        "ssl.create_default_context().wrap_socket(line, server_hostname='localhost')"
    ),
    "refused": Raised(
        "import socket\n"
        "with socket.create_server(('127.0.0.1', 0)) as server:\n"
        "    address = server.getsockname()\n"
        "socket.create_connection(address, 30)"
    ),
    "unknown-name": Raised(
        "import socket\n"
        "socket.getaddrinfo('no.such.host', 80, flags=socket.AI_NUMERICHOST)"
    ),
    "no-answer": Raised(
        SERVER + "import urllib.request\n"
        "listener = socket.create_server(('127.0.0.1', 0))\n"
        "opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))\n"
        "opener.open('http://127.0.0.1:%d' % listener.getsockname()[1], timeout=0.1)"
    ),
    "closed": Raised(
        SERVER + "import http.client\n"
        "line = http.client.HTTPConnection('127.0.0.1', serve(), timeout=30)\n"
        "line.request('GET', '/')\n"
        "line.getresponse()"
    ),
    "http-401": Raised(HTTP + "get('401 Unauthorized')"),
    "http-403": Raised(HTTP + "get('403 Forbidden')"),
    "http-404": Raised(HTTP + "get('404 Not Found')"),
    "http-429": Raised(HTTP + "get('429 Too Many Requests')"),
    "http-5xx": Raised(HTTP + "get('503 Service Unavailable')"),
    "smtp-microsoft": Raised(
        SMTP + "login('535 5.7.139 Authentication unsuccessful, basic authentication is"
        " disabled. [PR0P264CA0001.FRAP264.PROD.OUTLOOK.COM]')"
    ),
    "smtp-app-password": Raised(
        SMTP
        + "login('535-5.7.8 Username and Password not accepted.\\r\\n535 5.7.8 gsmtp')"
    ),
    "smtp-login": Raised(SMTP + "login('535 authentication failed')"),
    "smtp-no-login": Raised(
        SERVER + "import smtplib\n"
        "port = serve('220 mail\\r\\n', '250 mail\\r\\n', '221 bye\\r\\n')\n"
        "server = smtplib.SMTP('127.0.0.1', port, timeout=30)\n"
        "server.login('me@example.org', 'secret')"
    ),
    "ftp-login": Raised(
        SERVER + "import ftplib\n"
        "port = serve('220 ftp\\r\\n', '331 password?\\r\\n', '530 Login incorrect.\\r\\n')\n"
        "ftp = ftplib.FTP()\n"
        "ftp.connect('127.0.0.1', port, timeout=30)\n"
        "ftp.login('me', 'secret')"
    ),
    "main-guard": Raised(
        "import multiprocessing, sys\n"
        "process = multiprocessing.get_context('spawn').Process(target=print)\n"
        "process.start()\n"
        "process.join()\n"
        "sys.exit(process.exitcode)"
    ),
    "time-out": Raised("import time\ntime.sleep(600)", timeout=0.5),
    "killed": Raised("import os\nos.kill(os.getpid(), 9)", why_not=POSIX),
    "killed-inside": Raised(
        "import subprocess, sys\n"
        'sys.exit(subprocess.call(["sh", "-c", "sh -c \'kill -9 $$\'; exit $?"]))',
        why_not=POSIX,
    ),
    "terminated": Raised("import os\nos.kill(os.getpid(), 15)", why_not=POSIX),
    "processor-limit": Raised(
        "import os, signal\nos.kill(os.getpid(), signal.SIGXCPU)", why_not=POSIX
    ),
    "crash": Raised("import ctypes\nctypes.string_at(0)"),
}

#: Those of Windows.
WINDOWS_CASES = frozenset(
    {"module-of-posix", "program-unnamed", "escapes", "forbidden-character"}
)
