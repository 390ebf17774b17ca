"""The curves: what grows with scripts, runs, lines, secrets, folders and processes."""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.curves import Curve
from benchmarks.timing import Start, run
from benchmarks.worlds import NOW, World, make_log, make_outputs, make_records, sleepers
from python_runner.masking import Masker
from python_runner.model import OnFailure, Outcome, Script, ScriptResult
from python_runner.policy import Schedule
from python_runner.records.outputs import delete_old_outputs
from python_runner.records.store import open_store


if TYPE_CHECKING:
    from collections.abc import Callable

#: Parts by which the sizes are smaller in a quick look.
_QUICK = 10
_REPEATS = 5
_BLOCK = 65536
#: What is measured on the disk: it is too large, or the wait for the disk is its point.
_ON_DISK = {"records", "lanes", "processes"}
_LINE = b"2026-11-23 row 17 of 4711 imported from sales_2026.csv\n"


@dataclass(frozen=True, slots=True)
class Sizes:
    """Makes sizes smaller where only a look is wanted."""

    quick: bool = False

    def __call__(self, *sizes: int) -> tuple[int, ...]:
        """Return the sizes, the largest left out and the others smaller in a look."""
        if not self.quick:
            return sizes
        return tuple(max(1, size // _QUICK) for size in sizes[:-1] or sizes)


def milliseconds(work: Callable[[], object]) -> float:
    """Return the processor time of some work, the median of some repetitions."""
    times = []
    for _ in range(_REPEATS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times)


def series(root: Path, sizes: Sizes) -> Curve:
    """A run of ever more scripts, and what looks back at it."""
    curve = Curve("series", "scripts", sizes(10, 100, 1000, 10_000))
    world = World(root)
    nothing = world.run("run", "--quiet", world.project("empty", 1)).cpu
    start = world.run("show").cpu
    for size in curve.sizes:
        folder = world.project(f"p{size}", size)
        done = world.run("run", "--quiet", folder)
        curve.add("run: CPU ms a script", 1000 * (done.cpu - nothing) / size)
        curve.add("run: wall ms a script", 1000 * done.seconds / size)
        curve.add("run: peak MiB", done.peak)
        for command in ("output", "show"):
            read = world.run(command, folder)
            cpu = 1000 * max(read.cpu - start, 0.001) / size
            curve.add(f"{command}: CPU ms a script", cpu)
            curve.add(f"{command}: peak MiB", read.peak)
    return curve


def records(root: Path, sizes: Sizes) -> Curve:
    """Records of ever more runs: what a run and the looks into them cost."""
    curve = Curve("records", "runs", sizes(100, 10_000, 100_000, 1_000_000))
    for size in curve.sizes:
        world = World(root / str(size))
        make_records(world.home, size)
        opening = milliseconds(lambda home=world.home: open_store(home, NOW).close())  # type: ignore[misc]
        curve.add("opening: CPU ms", opening)
        folder = world.project("p", 3)
        world.run("run", "--quiet", folder)
        for name, arguments in {
            "run": ("run", "--quiet", folder),
            "history": ("history", "--limit", 10),
            "history of a project": ("history", folder),
            "show": ("show",),
        }.items():
            done = world.run(*arguments)
            curve.add(f"{name}: CPU ms", 1000 * done.cpu)
            curve.add(f"{name}: peak MiB", done.peak)
    return curve


def exported(root: Path, sizes: Sizes) -> Curve:
    """``history --json`` of ever more runs."""
    curve = Curve("exported", "runs", sizes(1000, 10_000, 100_000))
    world = World(root)
    make_records(world.home, max(curve.sizes))
    for size in curve.sizes:
        done = world.run("history", "--json", "--limit", size)
        curve.add("CPU ms a run", 1000 * done.cpu / size)
        curve.add("peak MiB", done.peak)
    return curve


def logs(root: Path, sizes: Sizes) -> Curve:
    """A log of ever more megabytes, read in each way."""
    curve = Curve("logs", "MB", sizes(5, 50, 500))
    for size in curve.sizes:
        world = World(root / str(size))
        folder = world.project("p", 1)
        make_log(folder, size)
        done = world.run("run", "--quiet", folder)
        curve.add("run: CPU ms", 1000 * done.cpu)
        for option in ("--failures", "--grep=nothing", "--reverse"):
            # Whatever it prints costs the same, line by line.
            more = ["--grep=nothing"] if option == "--reverse" else []
            done = world.run("logs", option, *more, folder)
            curve.add(f"logs {option}: CPU ms a MB", 1000 * done.cpu / size)
            curve.add(f"logs {option}: peak MiB", done.peak)
        (folder / "logs" / "p.log").unlink()
    return curve


def scheduler(_root: Path, sizes: Sizes) -> Curve:
    """What is decided about a series, without any script."""
    curve = Curve("scheduler", "scripts", sizes(1000, 10_000, 100_000))
    for size in curve.sizes:
        for name, needs in (("independent", False), ("a chain", True)):
            took = milliseconds(lambda n=size, chain=needs: _decide(n, chain=chain))  # type: ignore[misc]
            curve.add(f"{name}: CPU µs a script", 1000 * took / size)
    return curve


def _decide(count: int, *, chain: bool) -> None:
    names = [f"s{number}.py" for number in range(count)]
    scripts = [
        Script(name=name, path=name, needs=(names[n - 1],) if chain and n else ())
        for n, name in enumerate(names)
    ]
    schedule = Schedule(scripts, on_failure=OnFailure.CONTINUE, max_parallel=1)
    while started := schedule.next(stopping=False).start:
        for script in started:
            schedule.end(
                ScriptResult(
                    script=script.name,
                    run_id="39be3d37aed64",
                    number=1,
                    outcome=Outcome.SUCCESS,
                    started_at=NOW,
                    duration=0.1,
                    attempts=(),
                )
            )


def masking(_root: Path, sizes: Sizes) -> Curve:
    """10 MB of output, with ever more secrets to be taken out."""
    curve = Curve("masking", "secrets", (0, 1, 10, 50, 200))
    megabytes = sizes(10)[0]
    data = _LINE * (megabytes * 1_000_000 // len(_LINE))
    for size in curve.sizes:
        values = [f"pass/word-{n:05}&{n * 7919 % 100_000}" for n in range(size)]
        masker = Masker(values)
        hit = values[0].encode() if values else b""
        for name, text in (("none of them in it", data), ("one in it", data + hit)):
            took = milliseconds(lambda m=masker, t=text: _mask(m, t))  # type: ignore[misc]
            curve.add(f"{name}: CPU ms a MB", took / megabytes)
    return curve


def _mask(masker: Masker, data: bytes) -> None:
    blocks = (data[place : place + _BLOCK] for place in range(0, len(data), _BLOCK))
    for _piece in masker.stream(blocks):
        pass


def folders(root: Path, sizes: Sizes) -> Curve:
    """Ever more folders of output: each run looks at them, and removes what is old."""
    curve = Curve("folders", "folders of output", sizes(200, 2000, 20_000))
    for size in curve.sizes:
        young, old = root / f"young{size}", root / f"old{size}"
        make_outputs(young, size, timedelta())
        make_outputs(old, size, timedelta(days=60))
        look = milliseconds(lambda f=young: delete_old_outputs(f / "logs", 30, NOW))  # type: ignore[misc]
        curve.add("all of them young: CPU ms a run", look)
        began = time.process_time()
        gone = delete_old_outputs(old / "logs", 30, NOW)
        took = 1000 * (time.process_time() - began)
        curve.add("all of them old: CPU ms a run", took)
        curve.add("all of them old: removed", gone)
    return curve


def lanes(root: Path, sizes: Sizes) -> Curve:
    """200 scripts that do nothing, so many at a time: never slower than one at a time."""
    curve = Curve("lanes", "at a time", (1, 4, 16))
    world, count = World(root), sizes(200)[0]
    projects = {
        size: world.project(f"p{size}", count, max_parallel=size)
        for size in curve.sizes
    }
    rounds = [
        {n: world.run("run", "--quiet", folder) for n, folder in projects.items()}
        for _ in range(_REPEATS)
    ]
    for size in curve.sizes:
        wall = statistics.median(one[size].seconds / one[1].seconds for one in rounds)
        cpu = statistics.median(one[size].cpu / one[1].cpu for one in rounds)
        curve.add("wall: times", wall)
        curve.add("CPU times", cpu)
    return curve


def processes(root: Path, sizes: Sizes) -> Curve:
    """32 projects of 5 scripts that sleep, eight at a time, beside sleeping processes."""
    curve = Curve("processes", "sleeping processes", (0, *sizes(200, 2000)))
    count, scripts, seconds, jobs = 32, 5, 0.2, 8
    world = World(root)
    projects = [
        world.project(f"p{n}", scripts, f"sleep {seconds}\n") for n in range(count)
    ]
    ideal = count * scripts * seconds / jobs
    # The same chains, with nothing kept: what this machine makes of them.
    loop = f'printf "%s\\n" "$@" | xargs -P {jobs} -I{{}} sh -c \'cd {{}}; for s in s*.py; do sh $s; done\''
    reference = Start(command=["sh", "-c", loop, "sh", *map(str, projects)])
    for size in curve.sizes:
        with sleepers(size):
            shell = run(reference, root, 300.0)
            done = world.run("run", "--quiet", "--jobs", jobs, *projects)
        curve.add(f"xargs -P {jobs}, wall: times the ideal", shell.seconds / ideal)
        world.run("history", "--json", "--limit", count)
        runs = json.loads((root / "out").read_text(encoding="utf-8"))["runs"]
        lasted = [one["duration_seconds"] for run in runs for one in run["scripts"]]
        curve.add("wall: times the ideal", done.seconds / ideal)
        curve.add("CPU s", done.cpu)
        # In milliseconds: how much longer than it slept a script seems to have run.
        curve.add("recorded too long: ms", 1000 * (statistics.median(lasted) - seconds))
    return curve


def readers(root: Path, sizes: Sizes) -> Curve:
    """A series beside somebody who looks: how much longer it takes."""
    curve = Curve("readers", "scripts", sizes(100, 400))
    world = World(root)
    make_records(world.home, sizes(100_000)[0])
    looks = {
        "output --follow": ("output", "--follow"),
        "history of all": ("history", "--limit", 100_000, "--json"),
        # What any other process costs on this machine.
        "--version": ("--version",),
    }
    for size in curve.sizes:
        folder = world.project(f"p{size}", size, "echo hi; sleep 0.01\n")
        for name, look in looks.items():
            place = [folder] if name == "output --follow" else []
            walls, cpus = [], []
            for _ in range(_REPEATS):
                alone = world.run("run", "--quiet", folder)
                with world.beside(*look, *place):
                    watched = world.run("run", "--quiet", folder)
                walls.append(watched.seconds / alone.seconds)
                cpus.append(watched.cpu / alone.cpu)
            curve.add(f"{name}: times", statistics.median(walls))
            curve.add(f"{name}: CPU times", statistics.median(cpus))
    return curve


CURVES: dict[str, Callable[[Path, Sizes], Curve]] = {
    function.__name__: function
    for function in (
        series,
        records,
        exported,
        logs,
        scheduler,
        masking,
        folders,
        lanes,
        processes,
        readers,
    )
}


def measure(name: str, sizes: Sizes) -> Curve:
    """Measure one curve in a folder of its own, which is removed."""
    memory = Path("/dev/shm")  # noqa: S108 - the folder made in it is private
    # What is measured is processor time and memory: no disk is needed for that.
    place = memory if os.access(memory, os.W_OK) and name not in _ON_DISK else None
    with tempfile.TemporaryDirectory(prefix="growth-", dir=place) as made:
        return CURVES[name](Path(made), sizes)
