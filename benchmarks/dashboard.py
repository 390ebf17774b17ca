"""What the dashboard costs at full size: first bytes, memory, and what a series pays for it.

The server is a process of its own; every tenth request comes after somebody has written
something, and no request has an address that was asked for before.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from benchmarks.ratios import ratios, spread
from benchmarks.worlds import NOW, World, ended, fill, make_log
from python_runner.model import Attempt, Outcome, Run, RunStatus, ScriptResult
from python_runner.records import overview
from python_runner.records.database import connect
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.web.addresses import key_of
from python_runner.web.layout import static_files


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.ratios import Spread

#: Runs, projects, scripts of the largest run, megabytes of the log, requests of a page.
FULL = (1_000_000, 500, 10_000, 500, 1000)
QUICK = (10_000, 50, 500, 20, 50)
#: Requests between two writes.
_WRITE_EVERY = 10
#: Open pages beside a series, its scripts, and rounds of it.
_PAGES, _SCRIPTS, _ROUNDS = 50, 300, 7
_SERIES = "series"


def make_world(root: Path, sizes: tuple[int, ...]) -> World:
    """Make projects with their records in ``root``; what is there is kept."""
    runs, projects, scripts, megabytes, _ = sizes
    world = World(root)
    if (root / "made").exists():
        return world
    world.home.mkdir(parents=True)
    folders = [
        world.project(f"group_{n // 50}/project_{n}", 3) for n in range(projects)
    ]
    open_store(world.home, NOW).close()
    fill(world.home / DATABASE_NAME, runs, projects)
    with closing(connect(world.home / DATABASE_NAME)) as connection:
        connection.executemany(
            "UPDATE project SET path = ?, key = path_key(?) WHERE id = ?",
            [(str(path), str(path), n) for n, path in enumerate(folders)],
        )
    make_log(folders[1], megabytes)
    printed = folders[1] / "logs" / "output.log"
    os.link(folders[1] / "logs" / f"{folders[1].name}.log", printed)
    with open_store(world.home, NOW) as store:
        store.end_run(_run(folders[0], 1, scripts), [], NOW)
        store.end_run(_run(folders[1], 2, 1, output=printed), [], NOW)
    (root / "made").touch()
    return world


def _run(path: Path, number: int, scripts: int, output: Path | None = None) -> Run:
    """Return a run of which one script in a hundred fails."""
    run_id, began = f"f{number:012x}", NOW - timedelta(minutes=1)
    results = []
    for place in range(1, scripts + 1):
        outcome = Outcome.FAILURE if place % 100 == 1 else Outcome.SUCCESS
        code = int(outcome is Outcome.FAILURE)
        attempt = Attempt(
            outcome=outcome, exit_code=code, started_at=began, duration=1.0
        )
        result = ScriptResult(
            script=f"{place}.py",
            run_id=run_id,
            number=place,
            outcome=outcome,
            started_at=began,
            duration=1.0,
            attempts=(attempt,),
            output=output,
        )
        results.append(result)
    return Run(
        run_id=run_id,
        project=path.name,
        path=path,
        status=RunStatus.FAILURE,
        started_at=began,
        duration=float(scripts),
        scripts=tuple(results),
    )


def addresses(world: World) -> dict[str, str]:
    """Return the pages that are asked for, by their names in the table."""
    with open_store(world.home, NOW) as store, store.view() as view:
        last = overview.runs_of(view, None, failed=True, limit=3)[-1]
        error = overview.errors(view)[-1].error
    folders = [world.root / "group_0" / f"project_{n}" for n in range(2)]
    large, printed = f"/r/f{1:012x}", f"/r/f{2:012x}"
    return {
        "all projects": "/",
        "wall": "/wall",
        "status.txt": "/status.txt",
        "project": f"/p/{key_of(last.path)}",
        "project, largest run": f"/p/{key_of(folders[0])}",
        "run": f"/r/{last.run_id}",
        "run, largest": large,
        "output, largest": f"{printed}/1",
        "log": f"/p/{key_of(last.path)}/log",
        "log, largest": f"/p/{key_of(folders[1])}/log",
        "errors": "/errors",
        "error": f"/errors/{error}",
        "email": "/mail",
        "search": "/search",
        "help": "/help",
    }


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def ask(self, address: str) -> tuple[float, int]:
        """Return the seconds until the first byte of a page came, and its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.connect()
            began = time.perf_counter()
            connection.request("GET", address, headers={"accept-language": "en"})
            answer = connection.getresponse()
            took = time.perf_counter() - began
            answer.read()
            return took, answer.status

    @property
    def memory(self) -> float:
        """The most MiB that the server has needed so far."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:  # noqa: PTH123
            (line,) = (line for line in file if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024


@contextmanager
def served(world: World) -> Iterator[Served]:
    """Serve the dashboard of a world, in a process of its own."""
    start = world.start("serve", "--port", "0")
    process = subprocess.Popen(
        start.command,
        cwd=world.home,
        env=os.environ | dict(start.environ) | {"PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    with ended(process):
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        line = process.stdout.readline().decode()
        yield Served(process, int(line.strip().rpartition(":")[2]))


def measure_pages(
    world: World, requests: int
) -> tuple[dict[str, tuple[float, float]], dict[str, float]]:
    """Return milliseconds (median, 99th percentile) of each page, and MiB after it."""
    pages = addresses(world)
    found: dict[str, tuple[float, float]] = {}
    memory: dict[str, float] = {}
    with (
        served(world) as server,
        closing(connect(world.home / DATABASE_NAME)) as connection,
    ):
        first, _ = server.ask("/")
        found["all projects, first request"] = (1000 * first, 1000 * first)
        for name, address in pages.items():
            times = []
            for number in range(requests):
                if number % _WRITE_EVERY == 0:
                    connection.execute("UPDATE project SET path = path WHERE id = 0")
                took, status = server.ask(f"{address}?z={number}")
                if status != 200:  # noqa: PLR2004
                    raise RuntimeError(f"{address}: {status}")
                times.append(1000 * took)
            times.sort()
            found[name] = (times[len(times) // 2], times[len(times) * 99 // 100])
            memory[name] = server.memory
            print(name, *map(round, found[name]), round(server.memory), file=sys.stderr)
    return found, memory


def first_load(world: World) -> dict[str, float]:
    """Return the kB that a browser loads for the first page: it, its scripts and styles."""
    with served(world) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        with closing(connection):
            connection.request("GET", "/", headers={"accept-language": "en"})
            page = len(connection.getresponse().read())
    names = ("dashboard.css", "theme.js", "dashboard.js", "vendor/htmx-2.0.10.min.js")
    files = sum(len(static_files()[name].content) for name in names)
    return {"page": page / 1000, "scripts and styles": files / 1000}


def measure_series(world: World, rounds: int) -> Spread:
    """Return how many times the processor time a series takes beside open pages."""
    folder = world.root / _SERIES
    if not folder.exists():
        world.project(_SERIES, _SCRIPTS)
    plain: list[float] = []
    beside: list[float] = []
    with served(world) as server:
        server.ask("/")
        for number in range(rounds + 1):
            for watched in (False, True) if number % 2 else (True, False):
                with watching(server) if watched else nullcontext():
                    sample = world.run("run", "--quiet", folder)
                if number:
                    (beside if watched else plain).append(sample.cpu)
    return spread(ratios(beside, plain))


@contextmanager
def watching(server: Served) -> Iterator[None]:
    """Keep pages open that ask again whenever they are told to, as browsers do."""
    over = threading.Event()

    def watch() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with closing(connection), suppress(OSError):
            connection.request("GET", "/events")
            answer = connection.getresponse()
            while not over.is_set() and (line := answer.readline()):
                if line.startswith(b"event: changed"):
                    server.ask("/")

    threads = [threading.Thread(target=watch, daemon=True) for _ in range(_PAGES)]
    for thread in threads:
        thread.start()
    time.sleep(2.0)
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(10.0)


def measure(
    options: argparse.Namespace, root: Path
) -> Mapping[str, Callable[[str], str]]:
    """Measure all of it; return the table by its name."""
    sizes = QUICK if options.quick else FULL
    world = make_world(root, sizes)
    found, memory = measure_pages(world, options.requests or sizes[-1])
    load = first_load(world)
    cost = measure_series(world, 2 if options.quick else _ROUNDS)
    print(json.dumps(load), cost, file=sys.stderr)

    def table(language: str) -> str:
        heads = {
            "en": ("page", "median ms", "99 % ms", "server MiB so far"),
            "fr": ("page", "médiane ms", "99 % ms", "Mio du serveur jusque-là"),
        }[language]
        lines = ["| " + " | ".join(heads) + " |", "| --- | ---: | ---: | ---: |"]
        for name, (median, most) in found.items():
            mib = f"{memory[name]:.0f}" if name in memory else ""
            label = FRENCH.get(name, name) if language == "fr" else name
            lines.append(f"| {label} | {median:.0f} | {most:.0f} | {mib} |")
        said = {
            "en": "First load: {page:.0f} kB of page and {files:.0f} kB of scripts and"
            " styles, before compression. Processor time of a series of {scripts} scripts"
            " beside {pages} open pages: {ratio:.3f} times that without ({least:.3f} to"
            " {most:.3f}, {rounds} rounds).",
            "fr": "Premier chargement : {page:.0f} ko de page et {files:.0f} ko de"
            " scripts et de styles, avant compression. Temps processeur d'une série de"
            " {scripts} scripts à côté de {pages} pages ouvertes : {ratio:.3f} fois celui"
            " sans elles (de {least:.3f} à {most:.3f}, {rounds} tours).",
        }[language].format(
            page=load["page"],
            files=load["scripts and styles"],
            scripts=_SCRIPTS,
            pages=_PAGES,
            ratio=cost.median,
            least=cost.least,
            most=cost.most,
            rounds=cost.count,
        )
        return "\n".join((*lines, "", said))

    return {"dashboard": table}


#: What the table says in French.
FRENCH = {
    "all projects, first request": "tous les projets, première requête",
    "all projects": "tous les projets",
    "wall": "écran mural",
    "project": "projet",
    "project, largest run": "projet, la plus grande exécution",
    "run": "exécution",
    "run, largest": "exécution, la plus grande",
    "output, largest": "sortie, la plus grande",
    "log": "journal",
    "log, largest": "journal, le plus grand",
    "errors": "erreurs",
    "error": "erreur",
    "email": "e-mail",
    "search": "recherche",
    "help": "aide",
}
