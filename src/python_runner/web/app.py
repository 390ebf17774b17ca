"""The application: which address is answered by which page, and by whom it is read."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import OrderedDict
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, cast

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.responses import (
    HTMLResponse,
    PlainTextResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route

from python_runner.masking import Masker
from python_runner.records.output_pages import OutputPages
from python_runner.records.read_only import open_reader
from python_runner.records.store import StoreError
from python_runner.runner.unexpected import explain
from python_runner.web.addresses import Links
from python_runner.web.layout import render, static_files
from python_runner.web.live import Live
from python_runner.web.pages import (
    errors,
    failures,
    fleet,
    help_page,
    log,
    mail,
    output,
    overview,
    project,
    run,
    search,
    status,
    wall,
)
from python_runner.web.reading.fleet import Fleet
from python_runner.web.reading.open_outputs import output_sizes
from python_runner.web.reading.overview import Surveyor
from python_runner.web.reading.projects import Configurations, Projects
from python_runner.web.security import Guard
from python_runner.web.site import (
    LANGUAGES,
    Gone,
    NotFound,
    Page,
    PlainText,
    Question,
)


if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from starlette.requests import Request

    from python_runner.web.site import Site

#: Threads that answer requests: more would only wait for the processor.
_THREADS = 8
#: Pages that are kept, and the seconds for which one is true while nothing is written:
#: many who look at the same page cost as much as one. Larger ones are not kept.
_KEPT, _FRESH, _MOST_KEPT = 32, 2.0, 1_000_000


def create_app(site: Site) -> Starlette:
    """Return the application of a dashboard; it has no state but its own.

    ``app.state.live`` ends the open streams: ``close``.
    """
    dashboard = Dashboard(site)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = _THREADS
        # The first reader finds the folders looked at already.
        threading.Thread(target=dashboard.warm, name="warm", daemon=True).start()
        yield
        dashboard.close()

    surveyor, outputs = dashboard.surveyor, OutputPages()
    fleet_read = dashboard.fleet
    pages: Mapping[str, Callable[[Question], Page | PlainText]] = {
        "/": partial(overview.page, surveyor=surveyor, fleet=fleet_read),
        "/fleet": partial(fleet.page, fleet=fleet_read),
        "/wall": partial(wall.page, surveyor=surveyor),
        "/status.txt": partial(status.page, surveyor=surveyor),
        "/help": help_page.page,
        "/p/{project}": partial(project.page, surveyor=surveyor),
        "/p/{project}/log": log.page,
        "/r/{run}": run.page,
        "/r/{run}/{number}.txt": output.plain_file,
        "/r/{run}/{number}/part": partial(output.part_page, outputs=outputs),
        "/r/{run}/{number}": partial(output.page, outputs=outputs),
        "/errors": errors.page,
        "/errors/{error}": errors.error_page,
        "/search": search.page,
        "/mail": mail.page,
        "/mail/{message}": mail.message_page,
    }
    app = Starlette(
        routes=[
            Route("/static/{name:path}", _static),
            Route("/events", dashboard.events),
            *(Route(path, dashboard.answers(page)) for path, page in pages.items()),
        ],
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={HTTPException: dashboard.no_page},
        lifespan=lifespan,
    )
    app.state.live = dashboard.live
    return app


class Dashboard:
    """Answers requests, by pages that know nothing of them."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._store, self._database = open_reader(site.settings.home)
        self.surveyor = Surveyor(site, self._store, self._database.changes)
        self.fleet = Fleet(site, site.fleet) if site.fleet else None
        self.live = Live(self._mark, partial(output_sizes, self._store))
        self._configurations = Configurations(site.defaults)
        self._kept: OrderedDict[tuple[object, ...], tuple[str, float, str, int]]
        self._kept = OrderedDict()
        self._guard = threading.Lock()

    def _mark(self) -> str:
        if self.fleet is None:
            return self.surveyor.mark()
        # Whoever looks wants to know how the others do by now.
        self.fleet.refresh()
        return f"{self.surveyor.mark()}.{self.fleet.generation}"

    def warm(self) -> None:
        """Look at all projects once; raises nothing."""
        with suppress(StoreError):
            self.surveyor.overview()

    def close(self) -> None:
        """End the streams, and close the records."""
        self.live.close()
        self.surveyor.close()
        self._database.close()

    def answers(
        self, page: Callable[[Question], Page | PlainText]
    ) -> Callable[[Request], Response]:
        """Return what answers requests by a page; each has a thread meanwhile."""

        def answer(request: Request) -> Response:
            question = self._question(request)
            again = "hx-request" in request.headers
            address = (request.url.path, request.url.query, question.language)
            key = (page, *address, again)
            mark = self.live.mark()
            body, code = self._fresh(key, mark)
            if not body:
                try:
                    found = page(question)
                    if isinstance(found, PlainText):
                        return _plain(found)
                    body = render(found, question, mark, again=again)
                except Exception as error:  # noqa: BLE001 - people get a sentence
                    found = self._failure(question, error)
                    body = render(found, question, mark, again=again)
                code = found.status
                if not found.files:
                    self._keep(key, mark, body, code)
            return _html(request, body, code)

        return answer

    def _failure(self, question: Question, error: Exception) -> Page:
        """Return the page for an error; the details of an unexpected one go to a file."""
        if isinstance(error, (NotFound, Gone, StoreError)):
            return failures.page(question, error)
        masker = Masker(self._site.settings.secrets)
        told = explain(error, self._site.settings.home, question.now, masker)
        return failures.broken(question, told)

    def _fresh(self, key: tuple[object, ...], mark: str) -> tuple[str, int]:
        with self._guard:
            kept = self._kept.get(key)
            if kept and mark and kept[0] == mark and time.monotonic() < kept[1]:
                return kept[2], kept[3]
        return "", 0

    def _keep(self, key: tuple[object, ...], mark: str, body: str, code: int) -> None:
        if len(body) > _MOST_KEPT or code >= 400:  # noqa: PLR2004 - the codes of errors
            return
        with self._guard:
            self._kept[key] = (mark, time.monotonic() + _FRESH, body, code)
            self._kept.move_to_end(key)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)

    def _question(self, request: Request) -> Question:
        query = dict(request.query_params)
        chosen = query.pop("lang", "")
        return Question(
            site=self._site,
            store=self._store,
            projects=self._projects(),
            language=_language(request, self._site),
            links=Links(chosen if chosen in LANGUAGES else ""),
            now=self._site.clock(),
            path=request.url.path,
            values=cast("Mapping[str, str]", request.path_params),
            query=query,
        )

    def _projects(self) -> Projects:
        return Projects(
            self._store,
            self._site.settings,
            self._site.projects,
            self._configurations,
        )

    async def events(self, request: Request) -> Response:
        """Answer with a stream of what happens."""
        if request.method == "HEAD":
            return Response(media_type="text/event-stream")
        if self.live.is_full:
            return Response(status_code=503, headers={"retry-after": "30"})
        seen = request.headers.get("last-event-id") or request.query_params.get(
            "seen", ""
        )
        stream = self.live.stream(seen, request.query_params.get("run", ""))
        return StreamingResponse(
            stream,
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    async def no_page(self, request: Request, error: Exception) -> Response:
        """Answer that there is no page of this address."""
        question = self._question(request)
        code = error.status_code if isinstance(error, HTTPException) else 404
        page = failures.no_page(question, code)
        return HTMLResponse(render(page, question, ""), page.status)


def _html(request: Request, body: str, code: int) -> Response:
    """Return a page; nothing of it where the browser has the same already."""
    content = body.encode("utf-8", "replace")
    tag = f'W/"{hashlib.sha256(content).hexdigest()[:20]}"'
    headers = {"etag": tag, "vary": "Accept-Language, HX-Request, Cookie"}
    if code == 200 and tag in request.headers.get("if-none-match", ""):  # noqa: PLR2004
        return Response(status_code=304, headers=headers)
    return HTMLResponse(content, code, headers)


def _plain(text: PlainText) -> Response:
    """Return a plain text, which a browser never takes for a page."""
    if isinstance(text.content, str):
        return PlainTextResponse(text.content, text.status)
    headers = {"content-disposition": f'inline; filename="{text.name}"'}
    kind = "text/plain; charset=utf-8"
    return StreamingResponse(text.content, text.status, headers, kind)


def _static(request: Request) -> Response:
    """Answer with one of the files that belong to the pages."""
    name = request.path_params["name"]
    file = static_files().get(name)
    if file is None:
        raise HTTPException(404)
    asked = request.query_params.get("v")
    lasting = "public, max-age=31536000, immutable"
    headers = {"cache-control": lasting} if asked == file.version else {}
    return Response(file.content, media_type=file.kind, headers=headers)


def _language(request: Request, site: Site) -> str:
    """Return the language that the address names, else the reader's favourite."""
    chosen = request.query_params.get("lang")
    if chosen in LANGUAGES:
        return chosen
    return preferred(request.headers.get("accept-language", ""), site.language)


def preferred(header: str, default: str) -> str:
    """Return which of :data:`LANGUAGES` the header ``Accept-Language`` prefers."""
    best, most = default, 0.0
    for part in header.split(",")[:20]:
        name, _, weight = part.partition(";")
        language = name.strip().lower().partition("-")[0]
        weight = weight.strip().removeprefix("q=").strip() or "1"
        try:
            share = float(weight)
        except ValueError:
            continue
        if language in LANGUAGES and most < share <= 1:
            best, most = language, share
    return best
