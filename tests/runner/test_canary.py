"""Secrets are leaked in every way we could think of, and looked for in every artefact.

An artefact is whatever was not there before: each new file, and what each command says.
"""

from __future__ import annotations

import base64
import email
import email.policy
import io
import json
import os
import re
import sqlite3
import subprocess
import time
import zipfile
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.support import COMMAND, wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support import MakeProject

#: Begin and end of every canary: what is cut is found as well.
HEAD, TAIL = "c4n4ry", "t41l"
MAIL, OAUTH = f"{HEAD}-mäil pw/1{TAIL}", f"{HEAD}~oauth&+2{TAIL}"
DATABASE = f"{HEAD}'db\"pass\\3 é{TAIL}"
API, TOKEN = f"{HEAD}-api.4{TAIL}", f"{HEAD}_token%5{TAIL}"
URL_PASSWORD = f"{HEAD}-url-6{TAIL}"
CANARIES = (MAIL, OAUTH, DATABASE, API, TOKEN, URL_PASSWORD)

#: What each script does with the canaries ``C``.
LEAKS = {
    "message.py": "raise RuntimeError('no login with ' + ' or '.join(C))",
    "chained.py": """
try:
    raise ValueError(C)
except ValueError as error:
    raise KeyError(*C) from error
""",
    "exit_message.py": "sys.exit('cannot log in with ' + ' '.join(C))",
    "long_message.py": "raise RuntimeError('x' * 470 + C[0] + 'y' * 470 + C[2])",
    "printed.py": """
for c in C:
    b = c.encode()
    print(c, repr(c), ascii(c), json.dumps(c), json.dumps([c], ensure_ascii=False))
    print(base64.b64encode(b), base64.urlsafe_b64encode(b).decode(), quote(c))
    print(quote(c, safe=''), quote_plus(c), urlencode({'p': c}))
    for login in ('a', 'ab', 'abc'):
        print(base64.b64encode(f'\\0{login}\\0{c}'.encode()).decode())
    sys.stdout.buffer.write(c.encode('cp1252') + b'\\n')
sys.exit(1)
""",
    "two_writes.py": """
for c in C:
    sys.stdout.write(c[:7])
    sys.stdout.flush()
    time.sleep(0.15)
    print(c[7:])
sys.exit(1)
""",
    "chunk_border.py": """
for c in C:
    print('.' * (1024 * 1024 - 5) + c)
raise RuntimeError('...')
""",
    "called_process.py": """
import subprocess
subprocess.run([sys.executable, '-c', 'raise SystemExit(3)', *C], check=True)
""",
    "in_a_thread.py": """
import threading
def work():
    raise RuntimeError(C)
threading.Thread(target=work).start()
""",
    "arguments.py": "raise RuntimeError(sys.argv)",
    f"named_{API}.py": "raise RuntimeError('see the name')",
    "coloured.py": """
for c in C:
    print('\\x1b[31m'.join(c), c[:9] + '\\x1b]0;title\\x07' + c[9:])
raise RuntimeError(' '.join(c[:3] + '\\x1b[0m' + c[3:] for c in C))
""",
}
#: What colours a text, and shows as nothing.
SEQUENCES = re.compile(rb"\x1b(?:\[[0-9;]*[a-zA-Z]|\][^\x07]*\x07)")
PRELUDE = (
    "import base64, json, sys, time\n"
    "from urllib.parse import quote, quote_plus, urlencode\n"
    "from canaries import C\n"
)


def cores(text: str) -> Iterator[str]:
    """Yield what of a text is in every base64 that holds it somewhere."""
    data = text.encode()
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + data).decode()
        yield encoded[(before * 8 + 5) // 6 : (before + len(data)) * 8 // 6]


NEEDLES = {
    needle.encode()
    for piece in (HEAD, TAIL, *CANARIES)
    for needle in (
        piece,
        json.dumps(piece)[1:-1],
        repr(piece)[1:-1],
        ascii(piece)[1:-1],
        quote(piece, safe=""),
        *cores(piece),
    )
    if len(needle) > 4 or needle == TAIL
}


class Office:
    """A folder with projects that leak, and everything that comes out of it."""

    def __init__(self, folder: Path, make_project: MakeProject) -> None:
        self.folder = folder
        self.said: list[tuple[str, bytes]] = []
        self.mails = folder / "mails"
        shared = {"canaries.py": f"C = {list(CANARIES)!r}"}
        sources = {name: PRELUDE + text for name, text in LEAKS.items()}
        options: dict[str, Any] = {
            "recipients": ["ann@example.org"],
            "email_strategy": "all",
            "env": {
                "DB_PASSWORD": DATABASE,
                "DATABASE_URL": f"postgres://bob:{URL_PASSWORD}@db.example.org/x",
            },
            "env_file": "project.env",
        }
        scripts: list[Any] = [
            {"path": name, "args": ["--token", TOKEN], "env": {"TOKEN": TOKEN}}
            if name == "arguments.py"
            else name
            for name in LEAKS
        ]
        self.leaks = make_project(
            "leaks", sources | shared, scripts=scripts, output_limit="8MB", **options
        )
        flood = "for n in range(4000):\n    sys.stdout.write(C[n % 6])\nsys.exit(1)"
        self.flood = make_project(
            "flood",
            {"flood.py": PRELUDE + flood} | shared,
            scripts=[{"path": "flood.py", "env": {"TOKEN": TOKEN}}],
            **options | {"output_limit": 5003, "retries": 1, "retry_delay": 1},
        )
        wait = (
            "print(*C, end=''); sys.stdout.flush()\n"
            "while not __import__('pathlib').Path('go').exists(): time.sleep(0.05)\n"
            "print('', *C)"
        )
        self.slow = make_project(
            "slow",
            {"slow.py": PRELUDE + wait} | shared,
            scripts=[{"path": "slow.py", "env": {"TOKEN": TOKEN}}],
            **options,
        )
        self.refused = make_project(
            "refused",
            {"main.py": ""},
            **options | {"python_command": f"nowhere/{API}", "scripts": ["main.py"]},
        )
        self.wrong = make_project(
            "wrong",
            {"main.py": ""},
            **options
            | {"env": {"DB_PASSWORD": [DATABASE], "A_TOKEN": TOKEN}, "timeout": TOKEN},
        )
        for project in (self.leaks, self.flood, self.slow, self.refused, self.wrong):
            (project / "project.env").write_text(
                f'API_KEY="{API}"\nPASSWORD_MAIL="{MAIL}"\n', encoding="utf-8"
            )
        (folder / ".env").write_text(
            f'LOGIN_MAIL=robot@example.org\nPASSWORD_MAIL="{MAIL}"\n'
            f'OAUTH_CLIENT_SECRET="{OAUTH}"\n',
            encoding="utf-8",
        )
        self.inputs = set(self.files())

    def files(self) -> Iterator[Path]:
        """Yield every file there is."""
        yield from (path for path in self.folder.rglob("*") if path.is_file())

    def environ(self, variables: dict[str, str]) -> dict[str, str]:
        """Return a command's environment; nothing compiled is left beside canaries."""
        to_files = {"MAIL_TRANSPORT": "file", "MAIL_DIR": str(self.mails)}
        return os.environ | {"PYTHONDONTWRITEBYTECODE": "1"} | to_files | variables

    def command(self, *arguments: object, **variables: str) -> str:
        """Run a command, keep what it says and return what it prints."""
        done = subprocess.run(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ(variables),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=100,
            check=False,
        )
        name = " ".join(map(str, arguments[:2]))
        assert b"Traceback (most recent call last):\n  File" not in done.stderr, done
        self.said += [(f"{name} (out)", done.stdout), (f"{name} (err)", done.stderr)]
        return done.stdout.decode()

    def begin(self, *arguments: object) -> subprocess.Popen[bytes]:
        """Start a command that goes on."""
        return subprocess.Popen(
            [*COMMAND, *map(str, arguments)],
            cwd=self.folder,
            env=self.environ({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def artefacts(self) -> Iterator[tuple[str, bytes]]:
        """Yield a name and the bytes of everything that has come out."""
        yield from self.said
        for path in sorted(set(self.files()) - self.inputs):
            name = str(path.relative_to(self.folder))
            yield f"the name of {name}", os.fsencode(name)
            yield name, path.read_bytes()
            if path.suffix == ".eml":
                yield from decoded(name, path.read_bytes())
            if path.suffix == ".sqlite3":
                with closing(sqlite3.connect(path)) as records:
                    for row in records.execute("SELECT id, content FROM message"):
                        yield from decoded(f"message {row[0]} of {name}", row[1])


def decoded(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the headers and the parts of a mail as a reader sees them."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    for key, value in mail.items():
        yield f"{key} of {name}", str(value).encode()
    for part in mail.walk():
        if not part.is_multipart():
            data = part.get_payload(decode=True)
            assert isinstance(data, bytes)
            yield f"{part.get_content_type()} of {name}", data
            if part.get_content_type() == "application/zip":
                yield from unpacked(name, data)


def unpacked(name: str, content: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the names and the files of an attached zip file."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for entry in archive.namelist():
            yield f"a name attached to {name}", entry.encode()
            yield f"{entry} attached to {name}", archive.read(entry)


def found_in(office: Office) -> set[tuple[str, bytes]]:
    """Return where a canary, or a part of one, is."""
    return {
        (name, needle)
        for name, content in office.artefacts()
        for look in {content, SEQUENCES.sub(b"", content)}
        for needle in NEEDLES
        if needle in look
    }


@pytest.fixture
def office(tmp_path: Path, make_project: MakeProject) -> Office:
    """Return the folder with all that leaks."""
    return Office(tmp_path, make_project)


def run_ids(document: str) -> list[str]:
    """Return the ids of the runs of a JSON document."""
    return [run["run_id"] for run in json.loads(document)["runs"]]


@pytest.mark.fault(
    "secrets",
    "A script prints a known secret in any form",
    "Log, output, records, mails and every command's words are without it.",
)
@pytest.mark.portable("what is masked is text, whichever system it is for")
@pytest.mark.slow
def test_no_artefact_holds_a_secret(office: Office, serve: Any) -> None:
    """Log, output, records, mails and every command's words hold no form of a secret."""
    every = (office.leaks, office.flood, office.refused, office.wrong)
    first = office.command("run", "--json", *every)
    office.command("run", "-v", office.leaks, office.flood)
    office.command("run", "--resume", office.leaks)
    office.command("run", "--dry-run", *every)
    office.command("check", *every)
    office.command("check", "--json", *every)
    office.command("show", API, API_KEY=API)
    office.command("mail", "test", "--to", MAIL)
    echo = f"535 5.7.8 {MAIL} {base64.b64encode(MAIL.encode()).decode()} {quote(MAIL)}"
    server = serve({"AUTH": echo, "RCPT": f"550 {MAIL}"})
    to_server = {
        "MAIL_TRANSPORT": "smtp",
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(server.port),
        "SMTP_SECURITY": "none",
    }
    office.command("run", office.leaks, **to_server)
    office.command("mail", "test", **to_server)
    office.command("mail", "flush", **to_server)
    office.command("mail", "list", "--all")
    office.command("mail", "show", 1)
    office.command("mail", "show", 1, "--raw")
    for run_id in run_ids(first):
        office.command("show", run_id)
        office.command("show", run_id, "--json")
        office.command("show", run_id, "--html", f"{run_id}.html")
        office.command("output", run_id)
    for project in every:
        office.command("logs", project)
        office.command("logs", project, "--failures")
    office.command("history", "--limit", 100)
    office.command("history", "--json")
    office.command("backup", "copy.sqlite3")

    assert found_in(office) == set()
    # The test can fail: everything was there to be found, and left its mark.
    names = [name for name, content in office.artefacts() if b"***" in content]
    for expected in (
        "run --json (out)",
        "run -v (out)",
        "run --resume (out)",
        "run --dry-run (out)",
        "run --dry-run (err)",
        "check",
        "mail test (err)",
        "mail list (out)",
        "mail show (out)",
        "show",
        "output",
        "logs",
        "history --json (out)",
        "leaks.log",
        "03_exit_message.py.log",
        "07_chunk_border.py.log",
        "01_flood.py.log",
        ".html",
        "copy.sqlite3",
        "records.sqlite3",
        "text/plain of",
        "text/html of",
        "Subject of",
    ):
        assert any(expected in name for name in names), expected


@pytest.mark.slow
def test_without_records_nothing_leaks_either(office: Office) -> None:
    """Where no records can be kept the report leaves at once, and without secrets."""
    (office.folder / "no-folder").write_text("")
    office.inputs.add(office.folder / "no-folder")

    home = str(office.folder / "no-folder" / "home")
    office.command("run", office.leaks, office.flood, PYTHON_RUNNER_HOME=home)

    assert found_in(office) == set()
    assert len(list(office.mails.glob("*.eml"))) == 2


@pytest.mark.fault(
    "secrets",
    "Somebody follows the output of a running script",
    "The secrets are masked there too.",
)
@pytest.mark.slow
def test_what_is_followed_live_holds_no_secret(office: Office) -> None:
    """Who watches a script while it writes sees its output without the secrets."""
    running = office.begin("run", "-v", office.slow)
    wait_until(lambda: [*office.slow.glob("logs/runs/*/*.log")])
    (output,) = office.slow.glob("logs/runs/*/*.log")
    following = office.begin(
        "output", "--follow", output.parent.name.rpartition("_")[2]
    )
    time.sleep(1)
    (office.slow / "go").touch()
    for process, name in ((following, "output --follow"), (running, "run -v")):
        office.said.append((name, process.communicate(timeout=60)[0]))

    assert found_in(office) == set()
    for name, text in office.said:
        assert text.count(b"***") == 2 * len(CANARIES), (name, text)


@pytest.mark.fault(
    "secrets",
    "A script looks for the runner's own password in its environment",
    "It is not there, also not through an `env_file`.",
)
@pytest.mark.parametrize("named", [".env", "other.env"])
def test_scripts_never_inherit_the_runners_own_secrets(
    tmp_path: Path, make_project: MakeProject, named: str
) -> None:
    """Not from the environment, and not through an env_file that is the runner's own."""
    secret = f'PASSWORD_MAIL="{MAIL}"\nOAUTH_CLIENT_SECRET="{OAUTH}"\nOTHER=1\n'
    (tmp_path / ".env").write_text(secret, encoding="utf-8")
    (tmp_path / "other.env").write_text(secret, encoding="utf-8")
    source = "import os\nopen('found.txt', 'w').write(' '.join(sorted(os.environ)))\n"
    folder = make_project("p", {"main.py": source}, env_file=f"../{named}")

    done = subprocess.run(
        [*COMMAND, "run", folder],
        cwd=tmp_path,
        env=os.environ | {"PASSWORD_MAIL": MAIL},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 0, done
    names = (folder / "found.txt").read_text(encoding="utf-8").split()
    assert "OTHER" in names
    assert not {"PASSWORD_MAIL", "OAUTH_CLIENT_SECRET"} & set(names)
