"""Programs whose cause of failure is known, run by every Python of this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email import message_from_bytes
from email.policy import default
from functools import cache, partial
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.instruments.cases import LONG, asked_for


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.instrument, pytest.mark.posix]

#: What a program prints about something that is not its end.
NOISES = {
    "none": "",
    "handled": """
        import traceback
        def read_cache():
            try:
                open("no cache")
            except FileNotFoundError:
                traceback.print_exc()
        read_cache()
        """,
    "logged": """
        import logging
        def ask():
            try:
                raise TimeoutError("server slow")
            except TimeoutError:
                logging.exception("attempt 0 failed, trying again")
        ask()
        """,
    "logging-error": """
        import logging
        logging.warning("%d rows", "no number")
        """,
    "thread": """
        import threading
        def background():
            raise LookupError("from a thread")
        thread = threading.Thread(target=background)
        thread.start()
        thread.join()
        """,
    "process": """
        import multiprocessing
        def part():
            raise ConnectionResetError("from a process")
        process = multiprocessing.get_context("fork").Process(target=part)
        process.start()
        process.join()
        """,
    "late-process": """
        import multiprocessing, time
        def part():
            time.sleep(0.25)
            raise ConnectionResetError("from a late process")
        multiprocessing.get_context("fork").Process(target=part).start()
        """,
    "destructor": """
        class Handle:
            def __del__(self):
                1 / 0
        handle = Handle()
        del handle
        """,
    "progress": """
        import sys
        for step in range(1, 60):
            bar = "#" * (step // 2)
            print(f"\\r{step:3}%|{bar:30}| {step}/100", end="", file=sys.stderr)
        """,
    "warnings": """
        import warnings
        warnings.warn("this will go", FutureWarning)
        """,
}


@dataclass(frozen=True)
class End:
    """How a program ends.

    Attributes:
        code: its last lines.
        cause: what people must read.
        file: the file that they must look at; None where there is none.
        quiet: whether it must be the first thing that the program does.
        sudden: whether it waits for nothing that the program has started.
    """

    code: str
    cause: tuple[str, ...]
    file: str | None = "main.py"
    quiet: bool = False
    sudden: bool = False


ENDS = {
    "raise": End(
        """
        def load(row):
            return row["customer_id"]
        load({})
        """,
        ("KeyError: 'customer_id'",),
    ),
    "60-lines": End(
        """
        raise ValueError("60 rows are wrong\\n" + "\\n".join(map(str, range(60))))
        """,
        ("ValueError: 60 rows are wrong",),
    ),
    "exit-text": End(
        """
        import sys
        sys.exit("2 of 22 invoices were refused")
        """,
        ("2 of 22 invoices were refused",),
        None,
    ),
    "exit-lines": End(
        """
        import sys
        sys.exit("2 of 22 invoices were refused\\nrow 3: no date\\nrow 9: no name")
        """,
        ("2 of 22 invoices were refused",),
        None,
    ),
    "empty-first-line": End(
        """
        raise RuntimeError("\\n----\\nthe totals are missing\\n")
        """,
        ("RuntimeError", "the totals are missing"),
    ),
    "chain": End(
        """
        def report():
            try:
                {}["total"]
            except KeyError as error:
                raise RuntimeError("no report today") from error
        report()
        """,
        ("RuntimeError: no report today",),
    ),
    "group": End(
        """
        raise ExceptionGroup("2 loads failed", [ValueError("a"), KeyError("b")])
        """,
        ("ExceptionGroup: 2 loads failed",),
    ),
    "syntax": End("import broken", ("SyntaxError: ",), "broken.py"),
    "indentation": End("import shifted", ("IndentationError: ",), "shifted.py"),
    "own-syntax": End("total = = 3", ("SyntaxError: ",), quiet=True),
    "own-indentation": End("if True:\ntotal = 3", ("IndentationError: ",), quiet=True),
    "import": End(
        "import not_installed_here",
        ("ModuleNotFoundError: No module named 'not_installed_here'",),
    ),
    "hard-exit": End(
        """
        import os, sys
        sys.stdout.flush()
        os._exit(3)
        """,
        ("exit code 3",),
        None,
        sudden=True,
    ),
    "signal": End(
        """
        import os, signal
        os.kill(os.getpid(), signal.SIGKILL)
        """,
        ("SIGKILL",),
        None,
        sudden=True,
    ),
}
WORDS = {
    "": "",
    "-then-words": """
        import atexit
        atexit.register(print, "connection closed")
        """,
}
#: Noises that words follow where time is short.
WITH_WORDS = {"none", "logged", "progress"}
BESIDE = {"broken.py": "total = = 3\n", "shifted.py": "if True:\ntotal = 3\n"}
OLDEST = (3, 11)
#: Projects of one command: it sends at most 30 mails a minute.
BATCH = 25


def programs() -> dict[str, str]:
    """Return the source of each program, by its name."""
    made = {}
    for noise, end, words in product(NOISES, ENDS, WORDS):
        if ENDS[end].quiet and (noise, words) != ("none", ""):
            continue
        if ENDS[end].sudden and noise == "late-process":
            continue
        if words and noise not in WITH_WORDS and not LONG:
            continue
        parts = (WORDS[words], NOISES[noise], ENDS[end].code)
        source = "\n".join(textwrap.dedent(part).strip() for part in parts)
        made[f"{noise}-then-{end}{words}"] = source.strip() + "\n"
    return made


PROGRAMS = programs()


def found_pythons() -> dict[str, str]:
    """Return the interpreters that scripts may be run with, one a version."""
    own = ".".join(map(str, sys.version_info[:2]))
    pythons = {own: sys.executable}
    installed = Path.home().glob(".pyenv/versions/3.*/bin/python3")
    on_path = (shutil.which(f"python3.{minor}") for minor in range(11, 20))
    for python in [*map(str, sorted(installed)), *filter(None, on_path)]:
        asked = [python, "-c", "import sys; print(*sys.version_info[:2], sep='.')"]
        answer = subprocess.run(asked, capture_output=True, text=True, check=False)
        version = answer.stdout.strip()
        if version and tuple(map(int, version.split("."))) >= OLDEST:
            pythons.setdefault(version, python)
    return pythons


PYTHONS = found_pythons()


def chosen() -> Iterator[str]:
    """Yield the cases: each program by one Python, or by every one where time is."""
    for number, name in enumerate(PROGRAMS):
        for place, version in enumerate(PYTHONS):
            # The own one tells most; the others take turns.
            others = len(PYTHONS) - 1
            if LONG or place == 0 or number % (4 * others) == place - 1:
                yield f"{version}:{name}"


CASES = list(chosen())


@dataclass(frozen=True)
class Told:
    """What is told of a program, in the JSON document and in the mail."""

    script: dict[str, Any]
    subject: str
    text: str

    @property
    def exception(self) -> str:
        """The cause as the document has it."""
        return str(self.script.get("exception", self.script["traceback"]))

    @property
    def file(self) -> str | None:
        """The file that the mail sends its reader to."""
        lines = self.text.splitlines()
        where = next((line for line in lines if line.startswith("Where: ")), "")
        return where.removeprefix("Where: ").partition(",")[0] or None


@pytest.fixture(scope="module")
def told(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Any:
    """Return a function that runs the programs of a Python, and what was told."""
    root = tmp_path_factory.mktemp("causes")
    asked = asked_for(request)

    @cache
    def run(version: str) -> dict[str, Told]:
        folder = root / version
        names = [c.partition(":")[2] for c in asked if c.startswith(f"{version}:")]
        for name in names:
            _make(folder / "projects" / name, PROGRAMS[name], PYTHONS[version])
        batches = [names[i : i + BATCH] for i in range(0, len(names), BATCH)]
        with ThreadPoolExecutor(2) as pool:
            told = pool.map(partial(_run, folder), range(len(batches)), batches)
            return {name: one for batch in told for name, one in batch.items()}

    return run


def _make(project: Path, source: str, python: str) -> None:
    project.mkdir(parents=True)
    for name, text in {**BESIDE, "main.py": source}.items():
        (project / name).write_text(text, encoding="utf-8")
    config = {
        "scripts": ["main.py"],
        "python_command": python,
        "recipients": ["office@example.org"],
        "email_strategy": "all",
        "include_traceback": True,
        "logs_backup_count": 0,
        "language": "en",
    }
    (project / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")


def _run(folder: Path, number: int, names: list[str]) -> dict[str, Told]:
    out = folder / f"mail {number}"
    own = {
        "PYTHON_RUNNER_HOME": str(folder / f"home {number}"),
        "MAIL_TRANSPORT": "file",
        "MAIL_DIR": str(out),
        "MAIL_FROM": "robot@example.org",
        "LANGUAGE": "en",
    }
    projects = [str(folder / "projects" / name) for name in names]
    answer = subprocess.run(
        [sys.executable, "-m", "python_runner", "run", "--json", *projects],
        env=os.environ | own,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=900,
        check=False,
    )
    mails = [
        message_from_bytes(file.read_bytes(), policy=default)
        for file in out.glob("*.eml")
    ]
    mail_of = {mail["Message-ID"][1:14]: mail for mail in mails}
    found = {}
    for one in json.loads(answer.stdout)["runs"]:
        mail = mail_of[one["run_id"]]
        body = mail.get_body(("plain",))
        text = body.get_content() if body else ""
        found[one["project"]] = Told(one["scripts"][0], mail["Subject"], text)
    return found


@pytest.mark.sampled(100)
@pytest.mark.together
@pytest.mark.timeout(1000)
@pytest.mark.parametrize("case", CASES)
def test_the_cause_is_told(case: str, told: Any) -> None:
    """The document and the subject name what ended the program; its file exists."""
    version, _, name = case.partition(":")
    end = ENDS[name.split("-then-")[1]]
    program = f"by Python {version}, this program:\n{PROGRAMS[name]}"
    result = told(version)[name]

    for words in end.cause:
        assert words in result.exception, program
        assert words in result.subject, program
    assert result.file == end.file, program
