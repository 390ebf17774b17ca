"""What a dashboard is about, and what one of its pages is asked for and answers."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.texts.formats import Formats
from python_runner.web.states import State


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from python_runner.model import Settings
    from python_runner.records.store import Store
    from python_runner.web.addresses import Links
    from python_runner.web.reading.projects import Projects

#: The languages that there are; the first one where a reader wants none of them.
LANGUAGES = ("en", "fr")
#: Host names under which this computer alone is reached.
LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


def present() -> datetime:
    """Return the present moment, in the zone of this computer."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A dashboard.

    Attributes:
        settings: the state folder, the mail settings, the secrets of the environment.
        projects: folders that were named or listed; empty: all that have runs.
        defaults: optional keys that hold where a project is silent.
        keep_days: age in days after which runs are deleted; None keeps them.
        fleet: the folder of a fleet that is shown as well; None: none is.
        language: for readers who want none of :data:`LANGUAGES`.
        token: what readers must present; empty: nothing.
        hosts: names under which it is reached, in lower case, without a port.
        addresses: whether any numeric address will do as a name.
        clock: tells the present moment, with a zone.
    """

    settings: Settings
    projects: tuple[Path, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keep_days: int | None = None
    fleet: Path | None = None
    language: str = LANGUAGES[0]
    token: str = field(default="", repr=False)
    hosts: frozenset[str] = LOOPBACK
    addresses: bool = False
    clock: Callable[[], datetime] = present


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a page is asked for.

    Attributes:
        store: the records, which are only read.
        projects: the projects, by the keys of their addresses.
        language: the reader's.
        values: the parts of the address that are ids.
        query: the filters of the address.
        links: makes addresses of other pages.
        now: the present moment, with a zone.
        path: of this page's address.
    """

    site: Site
    store: Store
    projects: Projects
    language: str
    links: Links
    now: datetime
    path: str = "/"
    values: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)

    @property
    def formats(self) -> Formats:
        """How the reader's language writes things."""
        return Formats(self.language)

    def count(self, name: str, default: int, most: int) -> int:
        """Return a filter that is a whole number, 1 to ``most``."""
        text = self.query.get(name, "")
        # More digits than any number that is meant, in any script.
        if not (text.isascii() and text.isdigit() and len(text) <= len(str(most))):
            return default
        return min(max(int(text), 1), most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page answers, before it is laid out.

    Attributes:
        template: name of its template.
        title: of the browser's tab, without the name of the program.
        values: what the template shows.
        state: of what the page is about; the tab's sign shows it.
        status: of the answer.
        refresh: seconds after which a browser without scripts asks again; 0: it does not.
        live: whether the page is brought up to date while it is open.
        files: whether it shows files, which change while no record does.
    """

    template: str
    title: str
    values: Mapping[str, object] = field(default_factory=dict)
    state: State = State.WELL
    status: int = 200
    refresh: int = 0
    live: bool = False
    files: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainText:
    """A plain text that is answered instead of a page.

    Attributes:
        content: all of it, or its bytes in UTF-8 one block after the other.
        name: under which a browser keeps it; empty: it shows it.
        status: of the answer.
    """

    content: str | Iterator[bytes]
    name: str = ""
    status: int = 200


class NotFound(Exception):
    """There is no such page; its text says what is not there, in the reader's language."""


class Gone(Exception):
    """There was such a page; its text says what became of it."""

    def __init__(self, text: str, link: str = "", label: str = "") -> None:
        super().__init__(text)
        self.link, self.label = link, label


class Withheld(Gone):
    """There will be such a page; its text says why it is not shown yet.

    Attributes:
        advice: what can be done about it.
    """

    def __init__(self, text: str, advice: str, link: str, label: str) -> None:
        super().__init__(text, link, label)
        self.advice = advice
