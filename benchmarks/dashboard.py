"""What the dashboard costs at full size: first bytes, memory, and what a series pays for it.

The server is a process of its own; every tenth request comes after somebody has written
something, and no request has an address that was asked for before.
"""

from __future__ import annotations

import gzip
import http.client
import os
import subprocess
import sys
import threading
import time
from contextlib import closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import psutil

from benchmarks.ratios import ratios, spread
from benchmarks.worlds import NOW, World, ended, fill, make_log
from python_runner.model import Attempt, Outcome, Run, RunStatus, ScriptResult
from python_runner.records import overview
from python_runner.records.database import connect
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.web.addresses import key_of


if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from benchmarks.ratios import Spread
    from benchmarks.timing import Sample

#: Runs, projects, scripts of the largest run, megabytes of the log, requests of a page.
FULL = (1_000_000, 500, 10_000, 500, 1000)
QUICK = (10_000, 50, 500, 20, 50)
#: Requests between two writes.
_WRITE_EVERY = 10
#: Open pages beside a series, its scripts, and rounds of it.
_PAGES, _SCRIPTS, _ROUNDS = 50, 300, 7
#: Seconds between two questions of an open page, however much is written.
_CALM = 1.0
_SERIES = "series"
#: What browsers send.
_HEADERS = {"accept-language": "en", "accept-encoding": "gzip"}


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


@dataclass(frozen=True, slots=True)
class Figures:
    """What a page costs.

    Attributes:
        median: milliseconds until the first byte.
        most: likewise, the 99th percentile.
        processor: milliseconds of processor time of the server, on average.
        memory: the most MiB that the server has needed so far.
    """

    median: float
    most: float
    processor: float
    memory: float


@dataclass(frozen=True, slots=True)
class Cost:
    """How many times as much a series needs beside open pages."""

    processor: Spread
    wall: Spread


class Served:
    """A running server."""

    def __init__(self, process: subprocess.Popen[bytes], port: int) -> None:
        self.process, self.port = process, port

    def get(self, address: str) -> bytes:
        """Return an answer as it is sent to browsers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.request("GET", address, headers=_HEADERS)
            return connection.getresponse().read()

    def ask(self, address: str) -> tuple[float, int]:
        """Return the seconds until the first byte of a page came, and its status."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with closing(connection):
            connection.connect()
            began = time.perf_counter()
            connection.request("GET", address, headers=_HEADERS)
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

    @property
    def processor(self) -> float:
        """The seconds of processor time that the server has needed so far."""
        times = psutil.Process(self.process.pid).cpu_times()
        return times.user + times.system


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


def measure_pages(world: World, requests: int) -> dict[str, Figures]:
    """Return what each page costs, asked for so many times."""
    found: dict[str, Figures] = {}
    with (
        served(world) as server,
        closing(connect(world.home / DATABASE_NAME)) as connection,
    ):
        first, _ = server.ask("/")
        found["all projects, first request"] = Figures(
            1000 * first, 1000 * first, 1000 * server.processor, server.memory
        )
        for name, address in addresses(world).items():
            times, before = [], server.processor
            for number in range(requests):
                if number % _WRITE_EVERY == 0:
                    connection.execute("UPDATE project SET path = path WHERE id = 0")
                took, status = server.ask(f"{address}?z={number}")
                if status != 200:  # noqa: PLR2004
                    raise RuntimeError(f"{address}: {status}")
                times.append(1000 * took)
            times.sort()
            found[name] = Figures(
                times[len(times) // 2],
                times[len(times) * 99 // 100],
                1000 * (server.processor - before) / requests,
                server.memory,
            )
            print(name, found[name], file=sys.stderr)
    return found


@dataclass(frozen=True, slots=True)
class Load:
    """The kB that a browser loads for the first page.

    Attributes:
        page: the page.
        files: its scripts and styles.
        sent: both, compressed as they are sent.
    """

    page: float
    files: float
    sent: float


def first_load(world: World) -> Load:
    """Return what a browser loads for the first page: it, its scripts and styles."""
    names = ("dashboard.css", "theme.js", "dashboard.js", "vendor/htmx-2.0.10.min.js")
    with served(world) as server:
        # What the folders tell belongs to it.
        server.ask("/")
        time.sleep(2.0)
        sent = [server.get(f"/static/{name}") for name in names]
        page = server.get("/")
    return Load(
        len(_plain(page)) / 1000,
        sum(len(_plain(file)) for file in sent) / 1000,
        (len(page) + sum(map(len, sent))) / 1000,
    )


def _plain(sent: bytes) -> bytes:
    # What is short is not compressed.
    return gzip.decompress(sent) if sent.startswith(b"\x1f\x8b") else sent


def measure_series(world: World, rounds: int) -> Cost:
    """Return what a series costs beside open pages, in times of what it costs alone.

    Both take turns, and the one that begins changes: what else the machine does meets both.
    """
    folder = world.root / _SERIES
    if not folder.exists():
        world.project(_SERIES, _SCRIPTS)
    alone: list[Sample] = []
    beside: list[Sample] = []
    with served(world) as server:
        server.ask("/")
        for number in range(rounds + 1):
            for watched in (False, True) if number % 2 else (True, False):
                with watching(server) if watched else nullcontext():
                    sample = world.run("run", "--quiet", folder)
                if sample.code:
                    raise RuntimeError(f"the series ended with {sample.code}")
                if number:
                    (beside if watched else alone).append(sample)
    return Cost(
        spread(ratios([one.cpu for one in beside], [one.cpu for one in alone])),
        spread(ratios([one.seconds for one in beside], [one.seconds for one in alone])),
    )


@contextmanager
def watching(server: Served) -> Iterator[None]:
    """Keep pages open that ask again whenever they are told to, as browsers do."""
    over = threading.Event()

    def watch() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        with closing(connection), suppress(OSError):
            connection.request("GET", "/events")
            answer = connection.getresponse()
            asked, stale = 0.0, False
            while not over.is_set() and (line := answer.readline()):
                stale = stale or line.startswith(b"event: changed")
                if stale and time.monotonic() - asked >= _CALM:
                    server.ask("/")
                    asked, stale = time.monotonic(), False

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
    requests = options.requests or sizes[-1]
    found = measure_pages(world, requests)
    busy = psutil.getloadavg()[0]
    load = first_load(world)
    cost = measure_series(world, options.rounds or (2 if options.quick else _ROUNDS))
    print(load, cost, file=sys.stderr)

    def table(language: str) -> str:
        heads = {
            "en": ("page", "median ms", "99 % ms", "processor ms", "server MiB so far"),
            "fr": (
                "page",
                "médiane ms",
                "99 % ms",
                "processeur ms",
                "Mio du serveur jusque-là",
            ),
        }[language]
        lines = ["| " + " | ".join(heads) + " |", "| --- | ---: | ---: | ---: | ---: |"]
        for name, page in found.items():
            label = FRENCH.get(name, name) if language == "fr" else name
            lines.append(
                f"| {label} | {page.median:.0f} | {page.most:.0f} | {page.processor:.0f}"
                f" | {page.memory:.0f} |"
            )
        said = _SAID[language].format(
            requests=requests,
            processors=os.cpu_count(),
            busy=busy,
            load=load,
            scripts=_SCRIPTS,
            pages=_PAGES,
            cost=cost,
        )
        return "\n".join((*lines, "", said))

    return {"dashboard": table}


#: What stands below the table.
_SAID = {
    "en": "{requests} requests of each page; {processors} processors with a load of"
    " {busy:.1f}. First load: {load.page:.0f} kB of page and {load.files:.0f} kB of"
    " scripts and styles, sent as {load.sent:.0f} kB. A series of {scripts} scripts beside"
    " {pages} open pages takes {cost.processor.median:.3f} times the processor time"
    " ({cost.processor.least:.3f} to {cost.processor.most:.3f}) and"
    " {cost.wall.median:.3f} times as long ({cost.wall.least:.3f} to"
    " {cost.wall.most:.3f}) as without ({cost.wall.count} rounds; the readers are on the"
    " same machine).",
    "fr": "{requests} requêtes de chaque page ; {processors} processeurs avec une charge"
    " de {busy:.1f}. Premier chargement : {load.page:.0f} ko de page et {load.files:.0f} ko"
    " de scripts et de styles, envoyés en {load.sent:.0f} ko. Une série de {scripts} scripts"
    " à côté de {pages} pages ouvertes prend {cost.processor.median:.3f} fois le temps"
    " processeur (de {cost.processor.least:.3f} à {cost.processor.most:.3f}) et"
    " {cost.wall.median:.3f} fois la durée (de {cost.wall.least:.3f} à"
    " {cost.wall.most:.3f}) que sans elles ({cost.wall.count} tours ; les lecteurs sont sur"
    " la même machine).",
}
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
