"""The dashboard as files: which pages there are, what they are called, how each is made.

Nothing is written here. What is bounded: the runs of a project, and the outputs.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.records import overview as records
from python_runner.records.output_pages import OutputPages
from python_runner.version import __version__
from python_runner.web.addresses import key_of
from python_runner.web.layout import static_files
from python_runner.web.pages import errors, output, overview, project, run, status, wall
from python_runner.web.reading.overview import Surveyor
from python_runner.web.site import Gone, NotFound
from python_runner.web.standing import as_file, question_for, sheet_name


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model.overview import RunLine
    from python_runner.records.output_pages import OutputView
    from python_runner.records.store import Store
    from python_runner.web.site import Page, Question, Site

#: Runs of a project that have a page, its last runs whose outputs have one, and outputs of
#: one run. Of a run before these only the first script that failed has one.
MOST_RUNS, RUNS_WITH_OUTPUTS, MOST_OUTPUTS = 500, 10, 100
#: Lines of an output: the first ones and the last ones.
FIRST, LAST = 200, 1000
_MOST_ERRORS = 200
#: Seconds after which a browser reads the page of all projects again.
REFRESH = 60
#: Seconds that reading the projects' folders may take: files have no second look.
_PATIENCE = 60.0
STATUS = "status.txt"
#: How the files are called, and folders of them: no more is ever written or removed.
NAME = lazy_pattern(
    r"(?:index|wall|errors)\.html|status\.txt|[a-z0-9-]{1,60}\.css"
    r"|[pre]/[a-z0-9-]{1,60}\.html"
)
FOLDERS = ("p", "r", "e")
#: What they are called that stand in the folder itself.
TOP = {"/": "index.html", "/wall": "wall.html", "/errors": "errors.html"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A file of the site.

    Attributes:
        name: relative to the folder, with slashes.
        make: returns its content; raises what pages raise.
        version: differs where the content does, and is known to this computer alone;
            empty: it has to be made to know.
    """

    name: str
    make: Callable[[], str]
    version: str = ""


class _Ends(OutputPages):
    """Outputs of which fewer lines are shown."""

    def ends(
        self, path: Path, masker: Masker, first: int = FIRST, last: int = LAST
    ) -> OutputView:
        return super().ends(path, masker, first, last)


class StaticSite:
    """The files of a site, in the order in which they are to be written.

    No page leads to one that has not been written before it.
    """

    def __init__(
        self, site: Site, store: Store, mark: Callable[[], str], since: datetime
    ) -> None:
        """Find out which pages there are.

        Args:
            site: what they are about.
            store: the records.
            mark: see :class:`~python_runner.web.reading.overview.Surveyor`.
            since: when the oldest run that has a page began.

        Raises:
            StoreError: the records cannot be read.
        """
        self._question = question_for(site, store)
        self._surveyor = Surveyor(site, store, mark, _PATIENCE)
        self._outputs = _Ends()
        self._since = since
        self._rows = self._surveyor.overview().rows
        self._runs = tuple(self._found_runs())
        self._printed = tuple(self._found_outputs())
        with store.view() as view:
            found = records.errors(view, limit=_MOST_ERRORS)
        shown = (group for group in found if errors.view_of(group, self._question))
        self._errors = tuple(group.error for group in shown)

    def sheets(self) -> Iterator[Sheet]:
        """Yield the files; what none of them leads to comes last."""
        for name in self._styles:
            yield Sheet(name=self._styles[name], make=partial(_style, name))
        for line, number, path in self._printed:
            address = f"/r/{line.run_id}/{number}"
            values = {"run": line.run_id, "number": str(number)}
            yield self._sheet(
                address,
                partial(output.page, outputs=self._outputs),
                values,
                version=self._version(path, line),
            )
        for line in self._runs:
            yield self._sheet(f"/r/{line.run_id}", run.page, {"run": line.run_id})
        for row in self._rows:
            key = key_of(row.path)
            page = partial(project.page, surveyor=self._surveyor)
            yield self._sheet(f"/p/{key}", page, {"project": key})
        for error in self._errors:
            yield self._sheet(f"/errors/{error}", errors.error_page, {"error": error})
        yield self._sheet("/errors", errors.page)
        yield self._sheet("/wall", partial(wall.page, surveyor=self._surveyor))
        # Files have no other view that would show the rest.
        yield self._sheet("/", self._all_projects)
        yield Sheet(name=STATUS, make=self._status)

    def _all_projects(self, question: Question) -> Page:
        return overview.page(replace(question, query={"all": "1"}), self._surveyor)

    def _sheet(
        self,
        address: str,
        page: Callable[[Question], Page],
        values: Mapping[str, str] | None = None,
        version: str = "",
    ) -> Sheet:
        question = replace(self._question, path=address, values=values or {})
        name = file_name(address)
        up = "../" * name.count("/")

        def make() -> str:
            found = page(question)
            return as_file(
                found,
                question,
                lambda to: self._relative(to, up),
                sheet=lambda to: self._sheet_beside(to, up),
                refresh=REFRESH if found.refresh else 0,
            )

        return Sheet(name=name, make=make, version=version)

    def _sheet_beside(self, address: str, up: str) -> str | None:
        """Return where a style sheet lies; that of a chart, which needs a script, nowhere."""
        name = self._styles.get(sheet_name(address))
        return up + name if name else None

    def _relative(self, address: str, up: str) -> str | None:
        """Return where a page lies, seen from one in a folder; None where it is nowhere."""
        path, hash_, fragment = address.partition("#")
        return up + file_name(path) + hash_ + fragment if path in self._known else None

    @cached_property
    def _known(self) -> frozenset[str]:
        """The addresses that have a file."""
        return frozenset(
            (
                *TOP,
                *(f"/p/{key_of(row.path)}" for row in self._rows),
                *(f"/r/{line.run_id}" for line in self._runs),
                *(f"/r/{line.run_id}/{number}" for line, number, _ in self._printed),
                *(f"/errors/{error}" for error in self._errors),
            )
        )

    @cached_property
    def _styles(self) -> Mapping[str, str]:
        """The style sheets, and the names of their files: each content has one of its own."""
        return {
            name: f"{name.removesuffix('.css')}-{file.version}.css"
            for name, file in static_files().items()
            if name.endswith(".css") and "/" not in name
        }

    def _found_runs(self) -> Iterator[RunLine]:
        """Yield the runs that have a page, of each project the newest first."""
        with self._question.store.view() as view:
            for row in self._rows:
                begun = [run for run in (row.running, row.left) if run]
                yield from records.lines(view, [run.key for run in begun])
                if row.summary is None:
                    continue
                last = records.runs_of(view, row.summary.number, limit=MOST_RUNS)
                yield from (
                    line
                    for place, line in enumerate(last)
                    # The last one is what all other pages lead to.
                    if line.started_at >= self._since or not place
                )

    def _found_outputs(self) -> Iterator[tuple[RunLine, int, Path]]:
        """Yield run, place and file of each output that has a page."""
        newest: dict[Path, int] = {}
        with self._question.store.view() as view:
            for line in self._runs:
                place = newest[line.path] = newest.get(line.path, 0) + 1
                printed = records.outputs_of(view, [line.key])
                if place > RUNS_WITH_OUTPUTS:
                    number = line.failure.number if line.failure else None
                    printed = [one for one in printed if one[1] == number]
                for _run, number, _script, path in printed[:MOST_OUTPUTS]:
                    # One that has been deleted leads nowhere.
                    if os.path.exists(path):  # noqa: PTH110 - raises nothing
                        yield line, number, path

    def _version(self, path: Path, line: RunLine) -> str:
        """Return what an output and its page are made of; empty where that goes on."""
        if line.status is None:
            return ""
        try:
            status = path.stat()
        except OSError:
            return ""
        question = self._question
        project = question.projects.configuration(line.path)
        secrets = (
            *question.site.settings.secrets,
            *(project.secrets if project else ()),
        )
        parts = (
            __version__,
            question.language,
            *self._styles.values(),
            line.status,
            # Its links: what has become of the pages that it leads to.
            f"/p/{key_of(line.path)}" in self._known,
            status.st_size,
            status.st_mtime_ns,
            # What has become secret since is to leave the page.
            sorted(secrets),
            question.now.year,
        )
        return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]

    def _status(self) -> str:
        answer = status.page(self._question, surveyor=self._surveyor)
        assert isinstance(answer.content, str)  # noqa: S101 - of this page it is
        return answer.content


def file_name(address: str) -> str:
    """Return the file of an address: safe on all platforms, because its ids are."""
    if address in TOP:
        return TOP[address]
    kind, *ids = address.strip("/").split("/")
    folder = "e" if kind == "errors" else kind
    return f"{folder}/{'-'.join(ids)}.html"


def _style(name: str) -> str:
    return static_files()[name].content.decode()


#: What the page of something raises that has gone meanwhile: it has no file then.
MISSING = (NotFound, Gone)
