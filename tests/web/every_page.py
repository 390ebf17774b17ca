"""An office's projects in every state, and the address of each kind of page about them."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.config.project import load_project
from python_runner.execution.orphans import process_start
from python_runner.fleet.writing import FleetWriter
from python_runner.model import (
    Message,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    Traceback,
)
from python_runner.model.fleet import FleetFolder
from python_runner.records import overview
from python_runner.records.log_line import format_log_line, log_line_of
from python_runner.records.outputs import output_file, output_folder
from python_runner.records.store import DATABASE_NAME
from python_runner.runner.context import schedule_terms
from python_runner.texts.sentence import Sentence
from python_runner.unusual import TOOK
from python_runner.web.addresses import key_of
from tests.web.asking import NOON, Dashboard, run_of


if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

GOOD, BAD, SKIPPED = Outcome.SUCCESS, Outcome.FAILURE, Outcome.SKIPPED
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
#: Scripts of the largest run: more than two pages of them.
MANY = 250
TRACE = """Traceback (most recent call last):
  File "{folder}/import.py", line 12, in <module>
    print("total:", load(rows))
  File "/usr/lib/python3/dist-packages/pandas/core/frame.py", line 4101, in __getitem__
    indexer = self.columns.get_loc(key)
  File "/usr/lib/python3/dist-packages/pandas/core/indexes/base.py", line 3812, in get_loc
    raise KeyError(key) from err
  File "{folder}/import.py", line 3, in load
    return sum(row["amount"] for row in rows)
               ~~~^^^^^^^^^^
KeyError: 'amount'
"""
PRINTED = (
    "reading 3 files\n"
    + "".join(f"row {n}: ok\n" for n in range(1, 60))
    + "\x1b[33mWARNING: 2 rows have no amount\x1b[0m\n"
)
#: The kinds of pages, in the order of the site.
KINDS = (
    *("overview", "overview well", "overview empty", "failing only", "none found"),
    *("project", "project well", "project never run", "project old", "project silent"),
    *("run failed", "run well", "run running", "run interrupted", "run huge"),
    *("output", "output long", "output running", "output found", "output deleted"),
    *("log", "log filtered", "log none", "errors", "error", "search", "search results"),
    *(
        "mail",
        "message",
        "wall",
        "wall well",
        "fleet",
        "help",
        "missing",
        "run deleted",
    ),
    "broken",
)
#: The status of those that are no ordinary pages.
STATUS = {"output deleted": 410, "missing": 404, "run deleted": 410, "broken": 503}


@dataclass
class Office:
    """Dashboards, and where each kind of page is.

    Attributes:
        sites: the dashboards by their names.
        pages: name of the dashboard and path in it, by the kind of page.
    """

    sites: dict[str, Dashboard]
    pages: dict[str, tuple[str, str]] = field(default_factory=dict)


def make_office(folder: Path, now: datetime) -> Office:
    """Make projects with runs before ``now``, and a dashboard for each way to see them."""
    main = Dashboard(home=folder / "state", folder=folder / "projects", now=now)
    empty = Dashboard(home=folder / "empty", folder=folder / "none", now=now)
    broken = Dashboard(home=folder / "broken", folder=folder / "none", now=now)
    well = Dashboard(home=folder / "calm", folder=folder / "well", now=now)
    for one in (main, empty, broken, well):
        one.home.mkdir()
        one.folder.mkdir(exist_ok=True)
    (broken.home / DATABASE_NAME).write_bytes(b"this is no database " * 500)
    writer = _Writer(main, now)
    paths = writer.write()
    _Writer(well, now).write_well()
    main.options |= {
        "projects": tuple(paths.values()),
        "keep_days": 365,
        "fleet": _fleet(folder, now),
    }
    sites = {"main": main, "well": well, "empty": empty, "broken": broken}
    return Office(sites=sites, pages=_addresses(main, paths))


def _addresses(main: Dashboard, paths: dict[str, Path]) -> dict[str, tuple[str, str]]:
    with main.store() as store, store.view() as view:
        error = overview.errors(view)[0].error
    p = {name: f"/p/{key_of(path)}" for name, path in paths.items()}
    factures = p["factures"]
    found = {
        "overview": "/",
        "failing only": "/?failures=1",
        "none found": "/?q=nothing-is-called-so",
        "project": factures,
        "project well": p["paie"],
        "project never run": p["budget"],
        "project old": p["archives"],
        "project silent": p["exports"],
        "run failed": _run(111),
        "run well": _run(211),
        "run running": _run(500),
        "run interrupted": _run(600),
        "run huge": _run(700),
        "output": f"{_run(111)}/2",
        "output long": f"{_run(211)}/1",
        "output running": f"{_run(500)}/1",
        "output found": f"{_run(111)}/2?q=row&only=1",
        "output deleted": f"{_run(800)}/1",
        "log": f"{factures}/log",
        "log filtered": f"{factures}/log?failures=1&reverse=1",
        "log none": f"{factures}/log?q=nothing-says-so",
        "errors": "/errors",
        "error": f"/errors/{error}",
        "search": "/search",
        "search results": "/search?q=amount",
        "mail": "/mail",
        "message": "/mail/1",
        "wall": "/wall",
        "fleet": "/fleet",
        "help": "/help",
        "missing": "/nothing",
        "run deleted": f"/r/{'b' * 13}",
    }
    pages = {kind: ("main", path) for kind, path in found.items()}
    pages |= {"overview well": ("well", "/"), "wall well": ("well", "/wall")}
    pages |= {"overview empty": ("empty", "/"), "broken": ("broken", "/")}
    return {kind: pages[kind] for kind in KINDS}


def _run(number: int) -> str:
    return f"/r/{number:013x}"


def _fleet(folder: Path, now: datetime) -> Path:
    """Let two other computers tell how their runs went."""
    share = folder / "share"
    share.mkdir()
    for number, (name, outcome) in enumerate((("paris", BAD), ("lyon", GOOD))):
        home = folder / name
        home.mkdir()
        writer = FleetWriter(FleetFolder(folder=share), home, lambda: now)
        path = folder / name / ("caisse", "stocks")[number]
        writer.tell(run_of(path, 1, outcome, ago=NOON - now + 5 * MINUTE))
        writer.deliver()
        writer.wait(30.0)
    # The clock of the share is right as well.
    for path in share.rglob("*"):
        os.utime(path, (now.timestamp(), now.timestamp()))
    return share


class _Writer:
    """Writes the records as the runs would have left them."""

    def __init__(self, dashboard: Dashboard, now: datetime) -> None:
        self._dashboard = dashboard
        self._now = now

    def write(self) -> dict[str, Path]:
        """Make projects and their runs; return their folders by their names."""
        make = self._dashboard.project
        paths = {
            "factures": make(
                *("factures", "fetch.py", "import.py", "send.py"),
                extra=', "help": "Call Anne (extension 12) before noon."',
            ),
            "paie": make("paie", "hours.py", "slips.py", "bank.py"),
            "exports": make("exports", "export.py", extra=', "schedule": "0 6 * * *"'),
            "stock": make("stock", "count.py"),
            "ventes": make("ventes", "fetch.py", "merge.py", "report.py"),
            "clients": make("clients", "sync.py", "clean.py"),
            "budget": make("budget", "plan.py"),
            "many": make("many", "1.py"),
            "archives": make("archives", "pack.py"),
        }
        with self._dashboard.store() as store:
            for path, run in self._runs(paths):
                messages = []
                if path.name == "factures" and run.status == "failure":
                    messages = [_message(run)]
                store.end_run(run, messages, run.started_at + timedelta(seconds=9))
            for number, name in ((500, "ventes"), (600, "clients")):
                self._begin(store, paths[name], number, lives=number == 500)
            exports = load_project(paths["exports"])
            terms = schedule_terms(exports)
            store.keep_schedule(exports.path, terms, self._now - 41 * HOUR)
        self._log(paths["factures"])
        return paths

    def write_well(self) -> None:
        """Make projects of which nothing is to be said."""
        with self._dashboard.store() as store:
            for place, name in enumerate(("commandes", "paie", "stocks")):
                path = self._dashboard.project(name)
                for n in range(12):
                    took = 40.0 * (place + 1) + 5 * (n % 3)
                    ago = (12 - n) * DAY - 6 * HOUR - place * 5 * MINUTE
                    number = 100 * place + n
                    run = self._run(path, number, ago, GOOD, duration=took)
                    store.end_run(run, [], run.started_at + timedelta(seconds=took))

    def _runs(self, paths: dict[str, Path]) -> list[tuple[Path, Run]]:
        found = []
        for n in range(12):
            days = (12 - n) * DAY - 6 * HOUR
            bad = n >= 9
            factures = self._run(
                *(paths["factures"], 100 + n, days),
                *((GOOD, BAD, SKIPPED) if bad else (GOOD, GOOD, GOOD)),
                scripts=("fetch.py", "import.py", "send.py"),
            )
            found.append((paths["factures"], _printed(factures, bad=bad)))
            took = 180.0 + 7 * (n % 4)
            paie = self._run(
                *(paths["paie"], 200 + n, days, GOOD, GOOD, GOOD),
                scripts=("hours.py", "slips.py", "bank.py"),
                duration=took,
            )
            long = 5000 if n == 11 else 5
            found += [
                (paths["paie"], _printed(paie, lines=long)),
                (
                    paths["exports"],
                    self._run(paths["exports"], 300 + n, days + DAY, GOOD),
                ),
                (
                    paths["ventes"],
                    self._run(paths["ventes"], 540 + n, days, GOOD, GOOD),
                ),
                (paths["clients"], self._run(paths["clients"], 640 + n, days, GOOD)),
            ]
            stock = self._run(paths["stock"], 400 + n, days, GOOD, duration=720.0)
            if n == 11:
                stock = self._run(paths["stock"], 411, days, GOOD, duration=0.2)
                reason = Sentence.of(TOOK, duration="0.2 s", usual="12 min")
                odd = replace(stock.scripts[0], unusual=(reason,))
                stock = replace(stock, scripts=(odd,))
            found.append((paths["stock"], stock))
            old = self._run(paths["archives"], 800 + n, (700 - n) * DAY, GOOD)
            found.append((paths["archives"], _gone(old)))
        outcomes = [BAD if n % 50 == 7 else GOOD for n in range(MANY)]
        names = tuple(f"step_{n:04}.py" for n in range(MANY))
        huge = self._run(paths["many"], 700, 2 * DAY, *outcomes, scripts=names)
        found.append((paths["many"], huge))
        again = self._run(paths["many"], 701, DAY, *[GOOD] * MANY, scripts=names)
        found.append((paths["many"], again))
        return sorted(found, key=lambda pair: pair[1].started_at)

    def _run(
        self,
        path: Path,
        number: int,
        ago: timedelta,
        *outcomes: Outcome,
        **changes: object,
    ) -> Run:
        began = NOON - self._now + ago
        return run_of(path, number, *outcomes, ago=began, **changes)  # type: ignore[arg-type]

    def _begin(self, store: object, path: Path, number: int, *, lives: bool) -> None:
        """Begin a run, which this process or one that is no more carries out."""
        run_id, began = f"{number:013x}", self._now - (2 if lives else 300) * MINUTE
        names = [name.name for name in sorted(path.glob("*.py"))]
        run = OpenRun(
            run_id=run_id,
            project=path.name,
            path=path,
            started_at=began,
            scripts=tuple(
                OpenScript(script=name, number=n) for n, name in enumerate(names, 1)
            ),
            runner=os.getpid() if lives else 2**22 + 1,
            runner_start=process_start(os.getpid()) if lives else "never",
        )
        folder = output_folder(path / "logs", run_id, began)
        folder.mkdir(parents=True)
        output = output_file(folder, 1, names[0])
        output.write_text("connecting\n1,204 rows so far\n", encoding="utf-8")
        store.begin_run(run)  # type: ignore[attr-defined]
        store.begin_attempt(run_id, 1, began, output)  # type: ignore[attr-defined]

    def _log(self, path: Path) -> None:
        """Write what the log says of the last runs."""
        lines = []
        with self._dashboard.store() as store:
            for number in range(100, 112):
                run = store.run(f"{number:013x}")
                assert run is not None
                lines += [
                    log_line_of(
                        result,
                        host="BUREAU-7",
                        now=run.started_at,
                        include_traceback=True,
                    )
                    for result in run.scripts
                ]
        text = "".join(f"{format_log_line(line)}\n" for line in lines)
        path.joinpath("logs", f"{path.name}.log").write_text(text, encoding="utf-8")


def _message(run: Run) -> Message:
    subject = f"[{run.project}] failed: import.py - KeyError: 'amount' (BUREAU-7)"
    text = "import.py failed after 2 s: KeyError: 'amount' in line 3\r\n"
    return Message(
        message_id=f"<{run.run_id}@office>",
        sender="robot@example.com",
        recipients=("anne@example.com", "marc@example.com"),
        subject=subject,
        content=f"Subject: {subject}\r\n\r\n{text}".encode(),
    )


def _printed(run: Run, *, bad: bool = False, lines: int = 60) -> Run:
    """Return a run whose scripts have printed something."""
    folder = output_folder(run.path / "logs", run.run_id, run.started_at)
    folder.mkdir(parents=True)
    scripts = []
    for result in run.scripts:
        if not result.attempts:
            scripts.append(result)
            continue
        path = output_file(folder, result.number, result.script)
        text = PRINTED if lines == 60 else "".join(f"row {n}\n" for n in range(lines))
        changed = replace(result, output=path)
        if bad and result.outcome is BAD:
            trace = TRACE.format(folder=run.path)
            text += trace
            told = Traceback(
                text=trace,
                exception="KeyError: 'amount'",
                file="import.py",
                line=3,
                function="load",
            )
            attempt = replace(result.attempts[-1], traceback=told)
            changed = replace(changed, attempts=(attempt,))
        path.write_text(text, encoding="utf-8")
        scripts.append(changed)
    return replace(run, scripts=tuple(scripts))


def _gone(run: Run) -> Run:
    """Return a run whose output was deleted since."""
    run = _printed(run)
    for result in run.scripts:
        assert result.output is not None
        result.output.unlink()
    return run
