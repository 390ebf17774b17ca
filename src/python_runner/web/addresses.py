"""The addresses of the pages: ids of the records, and filters; never a path."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from python_runner.facts import dataclass
from python_runner.model import Outcome
from python_runner.records.rows import error_key, project_key


if TYPE_CHECKING:
    from pathlib import Path

#: Letters of a project's name, and of the hash behind it, in its key.
_NAME, _HASH = 30, 10


@lru_cache(maxsize=4096)
def key_of(folder: Path) -> str:
    """Return what stands for a project in addresses: its name, and a hash of its path.

    The name is for people; the hash tells projects with the same name apart.
    """
    plain = unicodedata.normalize("NFKD", folder.name).encode("ascii", "ignore")
    name = re.sub(r"[^a-z0-9]+", "-", plain.decode().lower()).strip("-")[:_NAME]
    digest = hashlib.sha256(project_key(folder).encode("utf-8", "surrogateescape"))
    return "-".join(filter(None, (name.strip("-"), digest.hexdigest()[:_HASH])))


@dataclass(frozen=True, slots=True)
class Links:
    """Makes the addresses of pages.

    Attributes:
        language: what ``?lang=`` of this page says, which other pages are to keep; or "".
    """

    language: str = ""

    def __call__(self, path: str, /, **query: object) -> str:
        """Return an address; filters that are empty or false are left out."""
        chosen = {
            name.rstrip("_"): "1" if value is True else str(value)
            for name, value in query.items()
            if value not in {None, "", False}
        }
        if self.language and "lang" not in chosen:
            chosen["lang"] = self.language
        return f"{path}?{urlencode(chosen)}" if chosen else path

    @property
    def overview(self) -> str:
        """The page of all projects."""
        return self("/")

    def project(self, folder: Path, **query: object) -> str:
        """Return the page of a project."""
        return self(f"/p/{key_of(folder)}", **query)

    def log(self, folder: Path, **query: object) -> str:
        """Return the page of a project's log."""
        return self(f"/p/{key_of(folder)}/log", **query)

    def run(self, run_id: str, **query: object) -> str:
        """Return the page of a run."""
        return self(f"/r/{quote(run_id, safe='')}", **query)

    def output(self, run_id: str, number: int, **query: object) -> str:
        """Return the page of what a script of a run printed."""
        return self(f"/r/{quote(run_id, safe='')}/{number}", **query)

    def result(self, run_id: str, number: int, *, printed: bool) -> str:
        """Return where it stands what became of a script: its output, if there was one."""
        if printed:
            return self.output(run_id, number)
        return f"{self.run(run_id)}#s{number}"

    def output_file(self, run_id: str, number: int) -> str:
        """Return where that is as a plain text."""
        return self(f"/r/{quote(run_id, safe='')}/{number}.txt")

    def errors(self, fingerprint: str = "", **query: object) -> str:
        """Return the page of all errors, or of one."""
        path = f"/errors/{fingerprint_key(fingerprint)}" if fingerprint else "/errors"
        return self(path, **query)

    def error(self, error: str, **query: object) -> str:
        """Return the page of an error, by its key in the records."""
        return self(f"/errors/{error}", **query)

    def search(self, **query: object) -> str:
        """Return the page of the search."""
        return self("/search", **query)

    def mail(self, message: int | None = None, **query: object) -> str:
        """Return the page of all reports, or of one."""
        return self("/mail" if message is None else f"/mail/{message}", **query)


def fingerprint_key(fingerprint: str) -> str:
    """Return what stands for a fingerprint in addresses, and in the records."""
    return error_key(Outcome.FAILURE, fingerprint, None, 0)
