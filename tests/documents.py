"""The documents that people read, and the blocks of code in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.due_times import expression_problem
from python_runner.records.log_line import parse_log_line


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *ROOT.glob("README*.md"),
        *ROOT.glob("CHANGELOG*.md"),
        *ROOT.glob("CONTRIBUTING*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("docs/**/*.md"),
    )
)
#: Languages of what is typed into a shell or shown there; none is named where it is text.
SHELLS = {"bash", "sh", "powershell", "console", ""}


@dataclass(frozen=True)
class Block:
    """A block of code in a document.

    Attributes:
        number: its place among the blocks of its document, from 0.
        before: the paragraph above it.
        language: as it is named, or empty.
    """

    document: str
    number: int
    before: str
    language: str
    text: str

    @property
    def name(self) -> str:
        """A name for a case of a test."""
        first = self.text.strip().splitlines()[0]
        return f"{self.document}:{self.number}:{first[:60]}"

    @property
    def file(self) -> str | None:
        """The file whose content it is, where the text above ends with its name."""
        match = re.search(r"`([^`\n]+)`[\s\u00a0]?:$", self.before.strip())
        return match[1] if match else None


@cache
def read(document: str) -> str:
    """Return a document's text."""
    return (ROOT / document).read_text(encoding="utf-8")


@cache
def blocks(document: str) -> tuple[Block, ...]:
    """Return the blocks of code of a document."""
    text = read(document)
    found = re.finditer(r"^ *```(\w*)\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)
    return tuple(
        Block(
            document,
            number,
            text[: match.start()].rstrip().rpartition("\n\n")[2],
            match[1],
            match[2],
        )
        for number, match in enumerate(found)
    )


def all_blocks() -> Iterator[Block]:
    """Yield the blocks of all documents."""
    for document in DOCUMENTS:
        yield from blocks(document)


def typed(document: str) -> Iterator[str]:
    """Yield every line and every word in code quotes that people may type."""
    for block in blocks(document):
        if block.language == "console":
            lines = block.text.splitlines()
            yield from (line[2:] for line in lines if line.startswith("$ "))
        elif block.language in SHELLS:
            yield from block.text.splitlines()
    text = read(document)
    plain = re.sub(r"^ *```.*?^ *```$", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", plain)


# --- what a block is, and who tries it ---

#: Blocks that no test runs: a pattern of their language and text, and the reason.
NOT_RUN = (
    (r"yaml\ndistributed:", "the settings of Dask, with files of the reader"),
    (
        r"(?:python\n.*(?:from airflow|from prefect)|bash\n#!/bin/bash\n#.*sbatch|bash\n#!/bin/bash\n#SBATCH)",
        "tests/examples runs it",
    ),
    (r"text\n//", "it shows folders"),
    (r"text\na\.py (?:failed|échoué)\n", "it shows a part of what `run` prints"),
    (r"\n(?:What changed|Ce qui a changé) ", "it shows a part of an email"),
    (r"\w*\n.*python-runner serve", "it goes on until Ctrl-C, or changes this account"),
    (r"\w*\ncurl ", "it asks a computer of the reader"),
    (r"\w*\n.*--fleet", "it needs the folder of a fleet"),
    (r"\w*\n.*run --on ", "it needs a cluster"),
    (r"\w*\n.*report --site /srv", "it writes into folders of the reader"),
    (r'\w*\n\{"format": 1, "computer_id", ', "it names keys"),
    (
        r"bash\n(?:pipx|uv |.*/srv/scripts/\.venv)",
        "it installs: test_documents.py does it as it is told",
    ),
    (r"bash\n.*-m pytest", "it runs all tests; .ci/run takes it from the README"),
    (r"bash\n.*pip install", "it needs packages of an index"),
    (r"bash\n.*mail (?:test|login)", "it needs a mailbox"),
    (r"\w*\n.*--mail-me", "it needs a mailbox"),
    (r"\w*\n.*schedule install", "it changes the scheduler of this account"),
    (r"bash\n\.ci/", "it takes as long as all tests do"),
    (r"text\n.*tests\.mutation", "it takes hours"),
    (r"powershell\n.*\$mailbox", "it needs an organisation in Microsoft 365"),
    (r"powershell\n.*(?:ManagementRole|ServicePrincipal)", "it needs an organisation"),
    (r"powershell\n", "it needs Windows"),
    (r"text\nC:\\", "it needs Windows"),
    (r"\n\S+  (?:or|ou)  C:\\", "it shows folders"),
)
_ASSIGNMENT = re.compile(r"[A-Z][A-Z_]*=.*|#.*|")
_CRON = re.compile(r"(\S+ \S+ \S+ \S+ \S+)  \S.*")


def _is_cron(line: str) -> bool:
    match = _CRON.fullmatch(line)
    return match is not None and expression_problem(match[1]) is None


#: What tells by a block's language and lines what it is.
_KINDS: dict[str, Callable[[str, list[str]], bool]] = {
    "json": lambda language, _: language == "json",
    "toml": lambda language, _: language == "toml",
    "python": lambda language, _: language == "python",
    "env": lambda language, lines: (
        language in {"", "ini"} and all(map(_ASSIGNMENT.fullmatch, lines))
    ),
    "typed": lambda language, lines: (
        language == "bash" or all(li.startswith("python-runner ") for li in lines)
    ),
    "cron": lambda _, lines: _is_cron(lines[0]),
    "log": lambda _, lines: parse_log_line(lines[0]) is not None,
    "keys": lambda _, lines: lines[0].startswith('{"runs": ['),
}


def why_not_run(block: Block) -> str | None:
    """Return why nobody runs a block; None where a test does."""
    said = f"{block.language}\n{block.text}"
    return next(
        (why for found, why in NOT_RUN if re.match(found, said, re.DOTALL)), None
    )


def kind_of(block: Block) -> str | None:
    """Return what a test takes a block for; None where no test knows what it is.

    In a page with a session, ``console``, a block with the name of its file above it is
    that file, and a ``text`` is the subject of an email.
    """
    session = any(other.language == "console" for other in blocks(block.document))
    if block.language == "console" or (session and block.file):
        return "session"
    if block.language == "text" and session:
        return "subject"
    lines = block.text.splitlines()
    return next(
        (k for k, found in _KINDS.items() if found(block.language, lines)), None
    )
