"""Asks an application as a server would, without one."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from starlette.datastructures import Headers

from python_runner.config.settings import load_settings
from python_runner.model import (
    Attempt,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.records.store import open_store
from python_runner.web.app import create_app
from python_runner.web.site import Site


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from starlette.applications import Starlette

    from python_runner.records.store import Store

HOST = "localhost:8765"
TOKEN = "a token that nobody guesses"
#: A Thursday; nothing here depends on the present moment.
NOON = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
CONFIGURATION = (
    '{"scripts": [%s], "python_command": null, "recipients": ["a@example.com"],'
    ' "email_strategy": "all", "include_traceback": true, "logs_backup_count": 3%s}'
)


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: Headers
    body: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The body."""
        return self.body.decode()


@dataclass
class Dashboard:
    """An application over a state folder of its own."""

    home: Path
    folder: Path
    now: datetime = NOON
    options: dict[str, Any] = field(default_factory=dict)
    environ: dict[str, str] = field(default_factory=dict)
    _app: Starlette | None = None

    @property
    def site(self) -> Site:
        """The site."""
        environ = {"PYTHON_RUNNER_HOME": str(self.home), **self.environ}
        settings = load_settings(environ=environ, folder=self.folder)
        options = {"clock": lambda: self.now, **self.options}
        return Site(settings=settings, **options)

    @property
    def app(self) -> Starlette:
        """The application, made when it is first asked for."""
        if self._app is None:
            self._app = create_app(self.site)
        return self._app

    def renew(self) -> None:
        """Make another application, by the options as they are now."""
        self._app = None

    def store(self) -> Store:
        """Open the records to write."""
        return open_store(self.home, self.now)

    def project(self, name: str, *scripts: str, extra: str = "") -> Path:
        """Make a project that can be run."""
        path = self.folder / name
        path.mkdir(parents=True, exist_ok=True)
        listed = ", ".join(f'"{script}"' for script in scripts or ("1.py",))
        path.joinpath("exec_config.json").write_text(
            CONFIGURATION % (listed, extra), encoding="utf-8"
        )
        for script in scripts or ("1.py",):
            path.joinpath(script).touch()
        return path

    def ask(
        self,
        address: str = "/",
        method: str = "GET",
        *,
        headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
    ) -> Answer:
        """Return the answer to a request; the host is named unless headers do."""
        return asyncio.run(ask(self.app, address, method, headers))


async def ask(
    app: Callable[..., Any],
    address: str,
    method: str = "GET",
    headers: Mapping[str, str] | list[tuple[str, str]] | None = None,
) -> Answer:
    """Return the answer of an application to a request."""
    pairs = list(headers if isinstance(headers, list) else (headers or {}).items())
    if all(name.lower() != "host" for name, _ in pairs):
        pairs.append(("host", HOST))
    path, _, query = address.partition("?")
    sent: list[dict[str, Any]] = []
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "query_string": query.encode(),
        "headers": [(n.lower().encode(), v.encode("latin-1")) for n, v in pairs],
        "server": ("127.0.0.1", 8765),
        "client": ("127.0.0.1", 50000),
    }

    asked = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, Any]:
        for message in asked:
            return message
        # A stream waits for the reader to go: this one stays.
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    body = b"".join(message.get("body", b"") for message in sent)
    return Answer(sent[0]["status"], Headers(raw=sent[0]["headers"]), body)


def run_of(
    path: Path,
    number: int,
    *outcomes: Outcome,
    ago: timedelta = timedelta(hours=1),
    scripts: tuple[str, ...] = (),
    exception: str = "KeyError: 'amount'",
    **changes: Any,
) -> Run:
    """Return a run whose scripts ended so; its id is made of a number."""
    began, run_id = NOON - ago, f"{number:013x}"
    results = []
    for place, outcome in enumerate(outcomes, 1):
        name = scripts[place - 1] if scripts else f"{place}.py"
        traceback = Traceback(
            text=f"Traceback (most recent call last):\n{exception}",
            exception=exception,
            file=name,
            line=3,
            function="load",
        )
        attempt = Attempt(
            outcome=outcome,
            exit_code=0 if outcome.succeeded else 1,
            started_at=began,
            duration=2.0,
            traceback=traceback if outcome is Outcome.FAILURE else None,
        )
        ran = outcome is not Outcome.SKIPPED
        results.append(
            ScriptResult(
                script=name,
                run_id=run_id,
                number=place,
                outcome=outcome,
                started_at=began,
                duration=2.0,
                attempts=(attempt,) if ran else (),
            )
        )
    good = all(outcome.succeeded for outcome in outcomes)
    values: dict[str, Any] = {
        "run_id": run_id,
        "project": path.name,
        "path": path,
        "status": RunStatus.SUCCESS if good else RunStatus.FAILURE,
        "started_at": began,
        "duration": 2.0 * len(outcomes),
        "scripts": tuple(results),
    }
    return Run(**(values | changes))
