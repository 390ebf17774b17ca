"""``python -m benchmarks``: beside other runners; ``growth``: curves; ``unusual``: alarms.

``dashboard``: its pages at full size; ``scale``: 100 to 1,000,000 scripts a day.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from benchmarks import tables


if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence

    from benchmarks.compare import Row, Task

LANGUAGES = {"en": ".md", "fr": ".fr.md"}
_DOCS = Path(__file__).resolve().parent.parent / "docs"
#: Minutes that a comparison takes at most, its environments aside.
_MINUTES = 11.0


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    for name in ("compare", "growth", "unusual", "dashboard", "scale"):
        command = commands.add_parser(name)
        command.add_argument("--quick", action="store_true", help="a look: small sizes")
        command.add_argument(
            "--docs",
            type=Path,
            default=_DOCS,
            help="where the pages are; default: docs",
        )
        command.add_argument(
            "--dry-run", action="store_true", help="print the tables, write no page"
        )
        command.add_argument("names", nargs="*", help="tables; default: all")
    compare = commands.choices["compare"]
    compare.add_argument("--peers", help="names of peers, with commas; default: all")
    compare.add_argument("--rounds", type=int, default=5)
    compare.add_argument("--minutes", type=float, default=_MINUTES)
    compare.add_argument("--scripts", type=int, default=200)
    compare.add_argument("--imports", type=int, default=20)
    compare.add_argument("--megabytes", type=int, default=1024)
    compare.add_argument(
        "--original", help="what pip installs for the original library"
    )
    compare.add_argument("--update", action="store_true", help="install the peers anew")
    compare.add_argument(
        "--cache",
        type=Path,
        default=platformdirs.user_cache_path("python-runner-benchmarks"),
        help="where the peers' environments are kept",
    )
    dashboard = commands.choices["dashboard"]
    dashboard.add_argument("--requests", type=int, help="of each page")
    dashboard.add_argument("--rounds", type=int, help="of a series beside open pages")
    dashboard.add_argument(
        "--world", type=Path, help="where the records are made, and kept"
    )
    given = list(sys.argv[1:] if arguments is None else arguments)
    if not given or given[0] not in {*commands.choices, "-h", "--help"}:
        given.insert(0, "compare")
    return parser.parse_args(given)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print and write the tables."""
    options = parse(arguments)
    # As where it is installed: else each command would compile the product anew.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    # So that what runs then is ended as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    page = "performance"
    if options.command == "unusual":
        from benchmarks.unusual import published  # noqa: PLC0415 - minutes of work

        made, page = published(), "unusual"
    elif options.command == "dashboard":
        made, page = dashboard(options), "dashboard"
    elif options.command == "scale":
        from benchmarks.scale import measure  # noqa: PLC0415 - POSIX

        made, page = measure(quick=options.quick), "scale"
    else:
        made = growth(options) if options.command == "growth" else compare(options)
    for name, table in made.items():
        print(f"\n{name}\n\n{table('en')}")
        if not options.dry_run:
            write(options.docs / page, name, table)
    return 0


def write(page: Path, name: str, table: Callable[[str], str]) -> None:
    """Replace a table in the page of each language; ``page`` has no ending."""
    for language, ending in LANGUAGES.items():
        file = page.with_name(page.name + ending)
        text = file.read_text(encoding="utf-8")
        text = tables.replace(text, name, table(language))
        file.write_text(text, encoding="utf-8")


def named(text: str, every: Container[str]) -> list[str]:
    """Return names with commas between them; some have commas of their own."""
    names: list[str] = []
    for part in text.split(","):
        if names and (longer := f"{names[-1]},{part}") in every:
            names[-1] = longer
        else:
            names.append(part)
    return names


def compare(options: argparse.Namespace) -> Mapping[str, Callable[[str], str]]:
    """Compare the peers; return the tables by name."""
    from benchmarks import machine, peers  # noqa: PLC0415 - they need POSIX
    from benchmarks.compare import Comparison, all_tasks  # noqa: PLC0415

    if options.quick:
        options.scripts, options.imports, options.megabytes = 20, 4, 64
        options.rounds, options.minutes = 1, min(options.minutes, 4.0)
    every = peers.all_peers(options.original or peers.ORIGINAL)
    chosen = named(options.peers, every) if options.peers else [*every]
    all_of = all_tasks(
        scripts=options.scripts, imports=options.imports, megabytes=options.megabytes
    )
    names = options.names or [*all_of]
    for name in {*names} - {*all_of} | {*chosen} - {*every}:
        raise SystemExit(f"there is no {name!r}; {', '.join([*all_of, *every])}")
    tasks = [all_of[name] for name in names]
    facts = machine.facts(Path(tempfile.gettempdir()))
    comparison = Comparison(
        peers={name: every[name] for name in dict.fromkeys([peers.REFERENCE, *chosen])},
        cache=options.cache,
        update=options.update,
        say=_say,
    )
    comparison.prepare(dict.fromkeys(t.package for t in tasks if t.package))
    end = time.monotonic() + 60 * options.minutes
    shares = sum(task.share for task in tasks)
    found: dict[str, tuple[Task, list[Row]]] = {}
    for task in tasks:
        taken = chosen
        if not options.peers:
            taken = [name for name in chosen if name not in task.leave_out]
        # What one task leaves over, the others get.
        seconds = (end - time.monotonic()) * task.share / shares
        shares -= task.share
        rows = comparison.measure(task, taken, rounds=options.rounds, seconds=seconds)
        found[task.name] = task, rows

    def of(task: Task, rows: list[Row]) -> Callable[[str], str]:
        count = len(task.work.sources) if task.work else 0
        failing = task.name == "failing"
        return lambda language: tables.comparison(
            rows, language, scripts=count, failing=failing
        )

    return {
        "machine": lambda language: tables.pairs(facts, ("fact", "value"), language),
        "versions": lambda language: tables.pairs(
            comparison.versions, ("runner", "version"), language
        ),
        **{name: of(*pair) for name, pair in found.items()},
    }


def dashboard(options: argparse.Namespace) -> Mapping[str, Callable[[str], str]]:
    """Measure the dashboard; return its table by name."""
    from benchmarks.dashboard import measure  # noqa: PLC0415 - POSIX

    if options.world:
        return measure(options, options.world)
    with tempfile.TemporaryDirectory() as name:
        return measure(options, Path(name))


def growth(options: argparse.Namespace) -> Mapping[str, Callable[[str], str]]:
    """Measure the curves; return the tables by name."""
    from benchmarks.growth import CURVES, Sizes, measure  # noqa: PLC0415 - POSIX

    names = options.names or [*CURVES]
    for name in {*names} - {*CURVES}:
        raise SystemExit(f"there is no {name!r}; {', '.join(CURVES)}")
    made: dict[str, Callable[[str], str]] = {}
    for name in names:
        _say(name)
        made[name] = partial(tables.curve, measure(name, Sizes(options.quick)))
    return made


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
