"""What a shell may complete: projects, runs, scripts, reports in the outbox.

A shell waits for the answer while somebody types: it comes within a second, is short, and
is empty where anything goes wrong. Nothing is made or changed for it.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.installation import shell_word


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import click
    from click.shell_completion import CompletionItem

    from python_runner.records.store import Store

    Candidates = Callable[[click.Context, str], Iterable[tuple[str, str]]]
    Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

#: Seconds that an answer may take, and candidates of each kind.
_PATIENCE = 1.0
_MOST = 30
#: Entries of a folder that are looked at.
_ENTRIES = 2000


def completer(candidates: Candidates, *, folders: bool = False) -> Completer:
    """Return what click asks for the values of a parameter.

    Args:
        candidates: returns values with a remark for each, for a context and what has
            been typed of the value.
        folders: whether the shell completes folders where there are no candidates.
    """

    def complete(
        ctx: click.Context, _param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import (  # noqa: PLC0415 - for shells only
            CompletionItem,
        )

        found: dict[str, str] = {}

        def look() -> None:
            with suppress(Exception):
                for value, remark in candidates(ctx, incomplete):
                    # The shells take a value as it is: one that wants quotes is none.
                    if value.startswith(incomplete) and shell_word(value) == value:
                        found.setdefault(value, remark)

        # What holds it up is left behind, at the end of this process at the latest.
        thread = threading.Thread(target=look, name="completion", daemon=True)
        with suppress(RuntimeError):
            thread.start()
            thread.join(_PATIENCE)
        items = [CompletionItem(v, help=r or None) for v, r in [*found.items()]]
        if not items and folders:
            items = [CompletionItem(incomplete, type="dir")]
        return items

    return complete


def projects(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the folders of projects: those in the folder that is typed, and known ones."""
    head, tail = os.path.split(incomplete)
    begin = incomplete.removesuffix(tail) if tail else incomplete
    with suppress(OSError), os.scandir(head or ".") as entries:
        for entry in islice(entries, _ENTRIES):
            if entry.name.startswith(tail) and _is_project(entry.path):
                yield begin + entry.name, ""
    yield from ((path, "") for path in map(_as_typed, _workspace_projects()))
    for store in _records(ctx):
        known = (path for path in store.projects() if path.is_dir())
        yield from ((path, "") for path in islice(map(_as_typed, known), _MOST))


def active_projects(ctx: click.Context, _incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the folders of the projects of which a run is active."""
    from python_runner.runner.recovery import active_runner  # noqa: PLC0415

    home = _home(ctx)
    for store in _records(ctx):
        for run in islice(store.open_runs(), _MOST):
            if active_runner(home, run.path, [run]):
                yield _as_typed(run.path), ""


def runs(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the ids of the last runs, each with its project, status and start."""
    from python_runner.cli import wording  # noqa: PLC0415

    now = datetime.now().astimezone()
    for store in _records(ctx):
        found = store.newest_ids(incomplete.lower(), _MOST)
        short = store.short_ids([run.run_id for run in found])
        for run in found:
            status = wording.status_word(run.status) if run.status else ""
            moment = wording.formats().brief(run.started_at, now)
            value = short[run.run_id]
            value = value if value.startswith(incomplete) else run.run_id
            yield value, " ".join(filter(None, (run.project, status, moment)))


def runs_and_projects(ctx: click.Context, incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield what may stand for a run: its id, or its project."""
    yield from projects(ctx, incomplete)
    yield from runs(ctx, incomplete)


def scripts_of_run(ctx: click.Context, _incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the scripts of the run that was named before."""
    from python_runner.cli.lookup import find_run  # noqa: PLC0415

    for store in _records(ctx):
        for script in find_run(store, ctx.params.get("chosen")).scripts:
            yield script.script, ""


def scripts_of_projects(
    ctx: click.Context, _incomplete: str
) -> Iterator[tuple[str, str]]:
    """Yield the scripts of the projects that were named before."""
    from python_runner.config.project import load_project  # noqa: PLC0415

    # What stands before an option without its value is not taken apart.
    named = ctx.params.get("projects") or map(Path, ctx.args)
    for folder in tuple(named) or _workspace_projects():
        for script in load_project(folder).scripts:
            yield script.name, ""


def reports(ctx: click.Context, _incomplete: str) -> Iterator[tuple[str, str]]:
    """Yield the numbers of the newest reports, each with its subject."""
    from python_runner.records.messages import MessageState  # noqa: PLC0415

    for store in _records(ctx):
        for queued in store.messages.newest(tuple(MessageState), limit=_MOST):
            yield str(queued.number), queued.message.subject


def undelivered_reports(
    ctx: click.Context, _incomplete: str
) -> Iterator[tuple[str, str]]:
    """Yield the numbers of the reports that wait or were given up."""
    for store in _records(ctx):
        for queued in store.messages.newest(limit=_MOST):
            yield str(queued.number), queued.message.subject


def _is_project(path: str) -> bool:
    from python_runner.config.project import CONFIG_FILE  # noqa: PLC0415

    return Path(path, CONFIG_FILE).is_file()


def _workspace_projects() -> tuple[Path, ...]:
    from python_runner.config.workspace import load_workspace  # noqa: PLC0415
    from python_runner.files import current_folder  # noqa: PLC0415

    workspace = load_workspace(current_folder())
    return workspace.projects if workspace else ()


def _as_typed(path: Path) -> str:
    """Return a path as people type it in the current folder."""
    with suppress(ValueError):
        return str(path.relative_to(Path.cwd()))
    return str(path)


def _home(ctx: click.Context) -> Path:
    from python_runner.config.settings import load_settings  # noqa: PLC0415

    return load_settings(ctx.params.get("env_file")).home


def _records(ctx: click.Context) -> Iterator[Store]:
    """Yield the records where there are any; damaged ones are not set aside here."""
    from python_runner.records.store import Store, database_path  # noqa: PLC0415

    path = database_path(_home(ctx))
    if path.is_file():
        with Store(path) as store:
            yield store
