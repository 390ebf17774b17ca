"""``python -m tests.mutation``: which small defects do the tests of a module not see?

Each mutant is tested in a copy of the package, which ``PYTHONPATH`` puts before the
installed one, by the tests that mirror its module and those of :data:`FURTHER`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any

import psutil

from tests.mutation.mutants import mutants_of, sample


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.mutation.mutants import Mutant

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests"
SOURCE = ROOT / "src" / "python_runner"
KNOWN = Path(__file__).with_name("survivors.json")
STATE = ROOT / ".mutation.jsonl"
#: The modules that are tested unless others are named, and where else than in the file
#: that mirrors a module its tests are.
FURTHER: dict[str, tuple[str, ...]] = {
    "channels": (),
    "config/addresses": ("config/test_settings.py", "config/test_project.py"),
    "config/env_file": (),
    "config/units": ("config/test_project.py",),
    "config/validation": ("config/test_project.py", "config/test_settings.py"),
    "delivery/circuit_breaker": ("delivery/test_endpoints.py",),
    "delivery/outbox": ("delivery/test_ways.py",),
    "delivery/rate_limiter": ("delivery/test_endpoints.py", "delivery/test_outbox.py"),
    "delivery/transports/size_limit": (),
    "execution/environment": (),
    "execution/exit_reasons": (),
    "execution/interpreters": (),
    "files": (),
    "fleet/documents": ("fleet/test_reading.py", "fleet/test_writing.py"),
    "fleet/reading": (),
    "fleet/writing": (),
    "masking": (),
    "secret_values": (),
    "policy": ("test_report_due.py", "delivery/test_outbox.py"),
    "records/changes": ("records/test_store.py", "records/test_store_states.py"),
    "records/log": (),
    "records/log_line": (),
    "records/log_rotation": (),
    "records/outputs": (),
    "records/queries": ("records/test_store.py", "records/test_store_states.py"),
    "report/comparison": ("report/test_render.py", "report/test_compose.py"),
    "report/subject": ("report/test_render.py",),
    "runner/series": ("runner/test_threads.py",),
    "source_diff": (),
    "texts/formats": (),
    "texts/sanitize": (),
    "trends": (),
    "web/security": (),
}
#: One subject: the same tests judge each of its modules.
for _name in (
    *("blocks", "boxes", "cause", "chains", "excerpt", "exit_messages", "json_lines"),
    *("lines", "notebooks", "origins", "place", "source", "suites"),
):
    FURTHER[f"tracebacks/{_name}"] = (
        "tracebacks/test_cause.py",
        "tracebacks/test_corpus.py",
        "tracebacks/test_excerpt.py",
    )
#: Seconds that a mutant's tests may take beyond three times their usual ones.
_PATIENCE = 20.0
_PASSED, _FAILED, _NO_TESTS = 0, 1, 5


@dataclass(frozen=True, slots=True)
class Module:
    """A module of the package, as ``records/log_line``, and the tests that judge it."""

    name: str

    @property
    def path(self) -> Path:
        """Where it is, relative to the package."""
        return Path(f"{self.name}.py")

    @property
    def source(self) -> str:
        """Its text."""
        return (SOURCE / self.path).read_text("utf-8")

    @property
    def tests(self) -> list[Path]:
        """The test file that mirrors it, and the further ones."""
        own = TESTS / self.path.with_name(f"test_{self.path.name}")
        files = [own, *(TESTS / name for name in FURTHER.get(self.name, ()))]
        return [file for file in files if file.is_file()]

    @property
    def digest(self) -> str:
        """Changes with the module and with its tests."""
        content = "".join(file.read_text("utf-8") for file in self.tests)
        return hashlib.sha256((self.source + content).encode()).hexdigest()[:16]


class Copies:
    """Copies of the package, one for each mutant that is tested at the same time."""

    def __init__(self, folder: Path, number: int) -> None:
        self._free: SimpleQueue[Path] = SimpleQueue()
        for index in range(number):
            copy = folder / str(index)
            shutil.copytree(
                SOURCE,
                copy / "python_runner",
                ignore=shutil.ignore_patterns("__pycache__"),
            )
            self._free.put(copy)

    def test(self, module: Module, source: str, limit: float | None) -> int | None:
        """Return pytest's exit code for a module's tests; None if time was up."""
        copy = self._free.get()
        file = copy / "python_runner" / module.path
        try:
            file.write_text(source, "utf-8")
            return _pytest(copy, module.tests, limit)
        finally:
            file.write_text(module.source, "utf-8")
            self._free.put(copy)


def _pytest(copy: Path, tests: Sequence[Path], limit: float | None) -> int | None:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    command += ["--hypothesis-profile", "mutants", "--hypothesis-seed", "0"]
    command += ["-m", "not slow", "--basetemp"]
    environ = os.environ | {
        # A mutant keeps size and second of the file: its compiled form would be taken
        # for that of another.
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": str(copy),
        "CI": "true",
    }
    process = subprocess.Popen(
        [*command, str(copy / "temporary"), *map(str, tests)],
        cwd=ROOT,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        return process.wait(limit)
    except subprocess.TimeoutExpired:
        return None
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process with all that it started."""
    if process.poll() is not None:
        return
    started = psutil.Process(process.pid)
    for child in (*started.children(recursive=True), started):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait()


def _state(file: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return what is known, by the digest of a module and the name of the mutant."""
    if not file.exists():
        return {}
    lines = map(json.loads, file.read_text("utf-8").splitlines())
    return {(entry["digest"], entry["mutant"]): entry for entry in lines}


def _run(
    options: argparse.Namespace, modules: Sequence[Module]
) -> Iterator[dict[str, Any]]:
    """Yield what happened to each mutant: what is known first, then what is tested."""
    known = _state(options.state)
    todo: list[tuple[Module, Mutant]] = []
    for module in modules:
        seed = f"{options.seed} {module.name}"
        for mutant in sample(mutants_of(module.source), options.sample, seed):
            if entry := known.get((module.digest, mutant.name)):
                yield entry
            else:
                todo.append((module, mutant))
    if options.score or not todo:
        return
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        ThreadPoolExecutor(options.j) as executor,
        options.state.open("a", encoding="utf-8") as state,
    ):
        copies = Copies(Path(folder), options.j)
        limits = {
            module: _limit(module, copies)
            for module in dict.fromkeys(module for module, _ in todo)
        }
        jobs = {
            executor.submit(copies.test, module, mutant.source, limits[module]): (
                module,
                mutant,
            )
            for module, mutant in todo
        }
        for job in as_completed(jobs):
            module, mutant = jobs[job]
            code = job.result()
            entry = {
                "module": module.name,
                "digest": module.digest,
                "line": mutant.line,
                "mutant": mutant.name,
                "survived": code == _PASSED,
                "exit_code": code,
            }
            state.write(json.dumps(entry, ensure_ascii=False) + "\n")
            state.flush()
            yield entry


def _limit(module: Module, copies: Copies) -> float:
    """Return the seconds that a mutant gets; the tests must pass without one."""
    if not module.tests:
        sys.exit(f"{module.name}: no test file mirrors it, and FURTHER names none")
    began = time.monotonic()
    if (code := copies.test(module, module.source, None)) != _PASSED:
        sys.exit(f"{module.name}: its tests fail without a mutant (pytest: {code})")
    return 3 * (time.monotonic() - began) + _PATIENCE


def _table(entries: Sequence[dict[str, Any]], known: dict[str, dict[str, str]]) -> str:
    """Return the score by module, as a table of Markdown."""
    tested = Counter(entry["module"] for entry in entries)
    survived = [entry for entry in entries if entry["survived"]]
    alive = Counter(entry["module"] for entry in survived)
    judged = Counter(
        entry["module"]
        for entry in survived
        if entry["mutant"] in known.get(entry["module"], {})
    )
    lines = [
        "| module | mutants | killed | harmless | new | killed | of what matters |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    rows = [(name, tested[name], alive[name], judged[name]) for name in sorted(tested)]
    rows.append(("together", tested.total(), alive.total(), judged.total()))
    for name, all_, left, harmless in rows:
        killed = all_ - left
        scores = (killed / max(all_, 1), killed / max(all_ - harmless, 1))
        cells = (killed, harmless, left - harmless, *(f"{s:.0%}" for s in scores))
        lines.append(f"| {name} | {all_} | {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.mutation")
    parser.add_argument("--modules", nargs="+", default=list(FURTHER), metavar="NAME")
    parser.add_argument("--sample", type=int, default=18, help="mutants of a module")
    parser.add_argument("--seed", default="1", help="chooses the sample")
    parser.add_argument("-j", type=int, default=2, help="mutants at the same time")
    parser.add_argument("--state", type=Path, default=STATE, help="what is known")
    parser.add_argument(
        "--score", action="store_true", help="test nothing, print the table"
    )
    return parser.parse_args()


def main() -> int:
    """Test the sample; return 1 if a mutant survived that nobody has judged."""
    options = _options()
    known: dict[str, dict[str, str]] = json.loads(KNOWN.read_text("utf-8"))
    modules = [Module(name.removesuffix(".py")) for name in options.modules]
    entries: list[dict[str, Any]] = []
    new = 0
    for entry in _run(options, modules):
        entries.append(entry)
        if entry["survived"] and entry["mutant"] not in known.get(entry["module"], {}):
            new += 1
            _print(f"{entry['module']}:{entry['line']}: {entry['mutant']}")
    if options.score:
        _print(_table(entries, known))
        return 0
    _print(f"{len(entries)} mutants, {new} new survivors")
    return 1 if new else 0


if __name__ == "__main__":
    sys.exit(main())
