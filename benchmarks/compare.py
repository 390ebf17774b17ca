"""Times every peer at the same work, interleaved, within a given time."""

from __future__ import annotations

import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import environments, work
from benchmarks.environments import UnavailableError
from benchmarks.peers import OURS, PRELOADED, REFERENCE, Job
from benchmarks.ratios import ratios, spread
from benchmarks.timing import Sample, Start, run


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from benchmarks.environments import Environment
    from benchmarks.peers import Peer
    from benchmarks.ratios import Spread
    from benchmarks.work import Work

#: Seconds that one measurement may take, and times of the reference's.
_LONGEST = 150.0
_TIMES = 60.0
#: A peer that takes so many times the reference is measured in every other round.
_SLOW = 3.0
#: Those that differ from the reference by a constant a script, which shows elsewhere.
_LEFT_OUT_WITH_IMPORTS = (
    "GNU parallel",
    "invoke",
    "Snakemake",
    "Prefect",
    "RunRail",
    "cronstable",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One comparison.

    Attributes:
        name: what the option calls it, and its table.
        share: its part of the whole time.
        work: the scripts; None: nothing but the start of each command.
        leave_out: peers that are only measured where they are asked for.
        preload: modules that a peer may import ahead.
        package: what the scripts' own environment holds; "": nothing.
    """

    name: str
    share: float
    work: Work | None
    leave_out: tuple[str, ...] = ()
    preload: tuple[str, ...] = ()
    package: str = ""


def all_tasks(*, scripts: int, imports: int, megabytes: int) -> dict[str, Task]:
    """Return every task by its name, for so much work."""
    tasks = (
        Task(name="start", share=0.03, work=None),
        Task(name="one", share=0.09, work=work.trivial(1)),
        Task(
            name="sequence",
            share=0.36,
            work=work.trivial(scripts),
            # Any interpreter has it: what is measured is the fork.
            preload=("json",),
        ),
        Task(name="pairs", share=0.16, work=work.trivial(scripts, parallel=2)),
        Task(
            name="imports",
            share=0.20,
            work=work.importing("pandas", imports),
            leave_out=_LEFT_OUT_WITH_IMPORTS,
            preload=("pandas",),
            package="pandas",
        ),
        Task(name="output", share=0.09, work=work.flooding(megabytes)),
        Task(name="failing", share=0.07, work=work.failing(imports)),
    )
    return {task.name: task for task in tasks}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What came of one peer at one task.

    Attributes:
        peer: its name.
        ratio: to the reference of the same round; None where it was not measured.
        added: milliseconds that it takes more than the reference, a script.
        peak: MiB of its largest process.
        ran: how many scripts ran.
        code: its exit code.
        reason: why it was not measured.
    """

    peer: str
    ratio: Spread | None = None
    added: float = 0.0
    peak: float = 0.0
    ran: int = 0
    code: int = 0
    reason: str = ""


@dataclass(slots=True, kw_only=True)
class Comparison:
    """Peers, and where their environments are.

    Attributes:
        peers: by their names, the reference among them.
        cache: the folder of the environments.
        update: whether they are brought up to date first.
        say: takes a line about what is being done.
        clock: seconds.
        versions: of the peers that could be had.
        missing: why the others could not.
    """

    peers: Mapping[str, Peer]
    cache: Path
    update: bool = False
    say: Callable[[str], object] = print
    clock: Callable[[], float] = time.monotonic
    versions: dict[str, str] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    _environments: dict[str, Environment] = field(default_factory=dict)
    _scripts: dict[str, Environment] = field(default_factory=dict)

    def prepare(self, packages: Iterable[str]) -> None:
        """Make the environments of the peers, and of scripts that need ``packages``."""
        for package in ("", *packages):
            # The scripts' own environment.
            name = f"scripts-{package or 'bare'}"
            self._scripts[package] = environments.prepare(
                self.cache, name, package, update=self.update
            )
        for name, peer in self.peers.items():
            try:
                self._environments[name] = self._prepare(peer)
            except UnavailableError as error:
                self.missing[name] = str(error)
                self.say(f"{name}: {error}\n{error.detail}".rstrip())

    def _prepare(self, peer: Peer) -> Environment:
        if peer.program:
            environments.find_program(peer.program)
        if not peer.requirement:
            return self._scripts[""]
        self.say(f"{peer.name}: its environment")
        name = peer.name.replace(" ", "-")
        made = environments.prepare(
            self.cache, name, peer.requirement, update=self.update
        )
        last = peer.requirement.rpartition("/")[2]
        self.versions[peer.name] = made.version(last)
        return made

    def measure(
        self, task: Task, names: Sequence[str], *, rounds: int, seconds: float
    ) -> list[Row]:
        """Time a task's peers in rounds, one after the other within each.

        The first round has them all. Further ones begin as long as they will end in
        time; what is much slower than the reference is in every other one.

        Args:
            task: what to do.
            names: the peers beside the reference.
            rounds: how many at most.
            seconds: after which no further round begins.
        """
        names = [REFERENCE, *(name for name in names if name != REFERENCE)]
        reasons = {name: self._why_not(task, self.peers[name]) for name in names}
        samples: dict[str, list[Sample | None]] = {name: [] for name in names}
        ran: dict[str, int] = {}
        begin = self.clock()
        for number in range(rounds):
            here = self.clock()
            for name in names:
                if reasons[name] or (number % 2 and self._is_slow(name, samples)):
                    samples[name].append(None)
                    continue
                self.say(f"{task.name}, round {number + 1}: {name}")
                sample, ran[name] = self._sample(task, name, samples[REFERENCE])
                samples[name].append(sample)
                if problem := _problem(task, sample, ran[name], sample.code):
                    reasons[name] = problem
                    self.say(f"{name}: {problem}")
            now = self.clock()
            if now - begin + (now - here) > seconds:
                break
        return [
            self._row(task, name, reasons[name], samples, ran.get(name, 0))
            for name in names
        ]

    def _why_not(self, task: Task, peer: Peer) -> str:
        if peer.name in self.missing:
            return self.missing[peer.name]
        if task.work is None and peer.greet is None:
            return "nothing but its run"
        if task.work and task.work.parallel > 1 and not peer.pairs:
            return "one at a time only"
        if peer.name == PRELOADED and not task.preload:
            return "nothing to import ahead"
        return ""

    def _is_slow(self, name: str, samples: Mapping[str, list[Sample | None]]) -> bool:
        first, base = samples[name][0], samples[REFERENCE][0]
        return bool(first and base and first.seconds > _SLOW * base.seconds)

    def _sample(
        self, task: Task, name: str, reference: Sequence[Sample | None]
    ) -> tuple[Sample, int]:
        base = [sample.seconds for sample in reference if sample]
        limit = min(_LONGEST, _TIMES * max(base)) if base else _LONGEST
        limit = max(limit, _LONGEST / 3)
        with tempfile.TemporaryDirectory(prefix="benchmark-") as made:
            folder = Path(made)
            if task.work is None:
                return run(self._greeting(name), folder, limit), 0
            job = Job(
                folder=folder,
                scripts=task.work.lay(folder),
                python=self._scripts[task.package].python,
                parallel=task.work.parallel,
                preload=task.preload,
            )
            peer, count = self.peers[name], len(job.scripts)
            start = peer.start(self._environments[name], job)
            sample = run(start, folder, limit, lambda: work.marks(folder) >= count)
            return sample, work.marks(folder)

    def _greeting(self, name: str) -> Start:
        if name == REFERENCE:
            # A bare interpreter is what every command begins with.
            return Start(command=[self._scripts[""].python, "-c", "pass"])
        program, *arguments = self.peers[name].greet or ()
        if name == OURS:
            return Start(command=[sys.executable, program, *arguments])
        return Start(command=[self._environments[name].program(program), *arguments])

    def _row(
        self,
        task: Task,
        name: str,
        reason: str,
        samples: Mapping[str, list[Sample | None]],
        ran: int,
    ) -> Row:
        base = [_seconds(sample) for sample in samples[REFERENCE]]
        mine = [_seconds(sample) for sample in samples[name]]
        taken = [sample for sample in samples[name] if sample]
        if reason or not (found := ratios(mine, base)):
            return Row(peer=name, reason=reason or "not measured")
        differences = [m - b for m, b in zip(mine, base, strict=True) if m and b]
        count = len(task.work.sources) if task.work else 1
        return Row(
            peer=name,
            ratio=spread(found),
            added=1000 * spread(differences).median / count,
            peak=spread([sample.peak for sample in taken]).median,
            ran=ran,
            code=taken[-1].code,
        )


def _seconds(sample: Sample | None) -> float | None:
    return sample.seconds if sample else None


def _problem(task: Task, sample: Sample, ran: int, code: int) -> str:
    """Return why a measurement is none; "" where it is one."""
    if sample.timed_out:
        return f"not done after {sample.seconds:.0f} s"
    if task.name == "failing":
        return ""
    if task.work and ran < len(task.work.sources):
        return f"{ran} of {len(task.work.sources)} scripts ran (exit code {code})"
    return ""
