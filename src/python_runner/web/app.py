"""The application: which address is answered by which page, and by whom it is read."""

from __future__ import annotations

import threading
from contextlib import asynccontextmanager, suppress
from functools import cache, partial
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
from python_runner.web.compression import compressed, is_accepted
from python_runner.web.kept import Body, Kept, Turns, within
from python_runner.web.layout import render, static_files
from python_runner.web.limits import Limits, busy
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
    from collections.abc import (
        AsyncIterator,
        Awaitable,
        Callable,
        Hashable,
        Iterator,
        Mapping,
    )

    from starlette.requests import Request

    from python_runner.web.site import Site

_OK = 200


def create_app(site: Site, limits: Limits | None = None) -> Starlette:
    """Return the application of a dashboard; it has no state but its own.

    ``app.state.live`` ends the open streams: ``close``.
    """
    limits = limits or Limits.of_process()
    dashboard = Dashboard(site, limits)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        to_thread.current_default_thread_limiter().total_tokens = limits.threads
        # The first reader finds the folders looked at already.
        threading.Thread(target=dashboard.warm, name="warm", daemon=True).start()
        yield
        dashboard.close()

    surveyor, outputs = dashboard.surveyor, OutputPages()
    fleet_read = dashboard.fleet
    texts: Mapping[str, Callable[[Question], PlainText]] = {
        "/status.txt": partial(status.page, surveyor=surveyor),
        "/r/{run}/{number}.txt": output.plain_file,
    }
    pages: Mapping[str, Callable[[Question], Page]] = {
        "/": partial(overview.page, surveyor=surveyor, fleet=fleet_read),
        "/fleet": partial(fleet.page, fleet=fleet_read),
        "/wall": partial(wall.page, surveyor=surveyor),
        "/help": help_page.page,
        "/p/{project}": partial(project.page, surveyor=surveyor),
        "/p/{project}/log": log.page,
        "/r/{run}": run.page,
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
            *(Route(path, dashboard.sends(text)) for path, text in texts.items()),
            *(Route(path, dashboard.answers(page)) for path, page in pages.items()),
        ],
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={HTTPException: dashboard.no_page},
        lifespan=lifespan,
    )
    # An address has one form; no other one leads to it.
    app.router.redirect_slashes = False
    app.state.live = dashboard.live
    return app


class Dashboard:
    """Answers requests, by pages that know nothing of them."""

    def __init__(self, site: Site, limits: Limits) -> None:
        self._site = site
        self._store, self._database = open_reader(site.settings.home)
        self.surveyor = Surveyor(site, self._store, self._database.changes)
        self.fleet = Fleet(site, site.fleet) if site.fleet else None
        self.live = Live(self._mark, partial(output_sizes, self._store), limits.streams)
        self._configurations = Configurations(site.defaults)
        self._kept = Kept()
        self._turns: Turns[Body] = Turns()

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
        self, page: Callable[[Question], Page]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers requests by a page, once for all who ask for the same."""

        async def answer(request: Request) -> Response:
            question = self._question(request)
            again = "hx-request" in request.headers
            url = request.url
            key = (page, url.path, url.query, question.language, again)
            make = partial(self._body, key, page, question, again=again)
            try:
                return _html(request, await self._turns.take(key, make))
            except TimeoutError:
                return _late(question)

        return answer

    def sends(
        self, text: Callable[[Question], PlainText]
    ) -> Callable[[Request], Awaitable[Response]]:
        """Return what answers requests by a plain text; each has a thread meanwhile."""

        async def answer(request: Request) -> Response:
            question = self._question(request)
            try:
                return _plain(await within(lambda: text(question)), request.method)
            except TimeoutError:
                return _late(question)
            except Exception as error:  # noqa: BLE001 - people get a sentence
                page = self._failure(question, error)
                return HTMLResponse(render(page, question, ""), page.status)

        return answer

    def _body(
        self,
        key: Hashable,
        page: Callable[[Question], Page],
        question: Question,
        *,
        again: bool,
    ) -> Body:
        """Return the content of a page, which tells of all that is written by now."""
        mark = ""
        try:
            mark = self.live.mark()
            if kept := self._kept.get(key, mark):
                return kept
            found = page(question)
            html = render(found, question, mark, again=again)
        except Exception as error:  # noqa: BLE001 - people get a sentence
            found = self._failure(question, error)
            html = render(found, question, mark, again=again)
        body = Body.of(html.encode("utf-8", "replace"), found.status)
        if not found.files and found.status == _OK:
            self._kept.keep(key, mark, body)
        return body

    def _failure(self, question: Question, error: Exception) -> Page:
        """Return the page for an error; the details of an unexpected one go to a file."""
        if isinstance(error, (NotFound, Gone, StoreError)):
            return failures.page(question, error)
        masker = Masker(self._site.settings.secrets)
        told = explain(error, self._site.settings.home, question.now, masker)
        return failures.broken(question, told)

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
            return busy()
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


def _late(question: Question) -> Response:
    """Return what is answered where a page looks at a folder that hangs."""
    page = failures.late(question)
    return HTMLResponse(render(page, question, ""), page.status)


def _html(request: Request, body: Body) -> Response:
    """Return a page; nothing of it where the browser has the same already."""
    headers = {
        "etag": body.tag,
        "vary": "Accept-Encoding, Accept-Language, HX-Request, Cookie",
    }
    known = request.headers.get("if-none-match", "")
    if body.status == _OK and body.tag in known:
        return Response(status_code=304, headers=headers)
    content, packing = _packed(request, body.content, body.packed)
    return HTMLResponse(content, body.status, headers | packing)


def _packed(
    request: Request, content: bytes, packed: bytes
) -> tuple[bytes, dict[str, str]]:
    """Return what is sent of a content, and the header that says how."""
    if packed and is_accepted(request.headers.get("accept-encoding", "")):
        return packed, {"content-encoding": "gzip"}
    return content, {}


def _plain(text: PlainText, method: str) -> Response:
    """Return a plain text, which a browser never takes for a page."""
    if isinstance(text.content, str):
        return PlainTextResponse(text.content, text.status)
    headers = {"content-disposition": f'inline; filename="{text.name}"'}
    kind = "text/plain; charset=utf-8"
    # Of a file that only its headers are asked of, nothing is read.
    content = _blocks(iter(()) if method == "HEAD" else text.content)
    return StreamingResponse(content, text.status, headers, kind)


async def _blocks(content: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Yield blocks that threads read; a file that hangs ends them."""
    with suppress(TimeoutError):
        while (block := await within(lambda: next(content, None))) is not None:
            yield block


def _static(request: Request) -> Response:
    """Answer with one of the files that belong to the pages."""
    name = request.path_params["name"]
    file = static_files().get(name)
    if file is None:
        raise HTTPException(404)
    asked = request.query_params.get("v")
    lasting = "public, max-age=31536000, immutable"
    headers = {"cache-control": lasting} if asked == file.version else {}
    content, packing = _packed(request, file.content, _packed_file(name))
    headers |= {"vary": "Accept-Encoding", **packing}
    return Response(content, media_type=file.kind, headers=headers)


@cache
def _packed_file(name: str) -> bytes:
    return compressed(static_files()[name].content)


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
