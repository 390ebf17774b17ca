"""One series of scripts, in order or as a graph, from the first start to the last end."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from python_runner.policy import next_step
from python_runner.waiting import wait_for_any


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from python_runner.model import OnFailure, Script, ScriptResult
    from python_runner.texts.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series and what to do with each of its scripts.

    Attributes:
        execute: runs one script to its end; called in a thread of its own.
        give_up: makes the result of a script that will not be started.
        record: takes each result as it arrives, always in the calling thread.
        stopping: whether no further script may start.
    """

    scripts: Sequence[Script]
    on_failure: OnFailure
    max_parallel: int
    execute: Callable[[Script], ScriptResult]
    give_up: Callable[[Script, Sentence], ScriptResult]
    record: Callable[[ScriptResult], None]
    stopping: Callable[[], bool]

    def run(self) -> tuple[ScriptResult, ...]:
        """Run every script that may run; return one result each, in order."""
        results: dict[str, ScriptResult] = {}
        running: dict[Future[ScriptResult], str] = {}
        with ThreadPoolExecutor(self.max_parallel, "script") as executor:
            while True:
                step = next_step(
                    self.scripts,
                    results=results,
                    running=running.values(),
                    on_failure=self.on_failure,
                    max_parallel=self.max_parallel,
                    stopping=self.stopping(),
                )
                for script, reason in step.skip:
                    self._keep(self.give_up(script, reason), results)
                for script in step.start:
                    running[executor.submit(self.execute, script)] = script.name
                if running:
                    for future in wait_for_any(running):
                        del running[future]
                        self._keep(future.result(), results)
                elif not step.skip:
                    break
        return tuple(results[script.name] for script in self.scripts)

    def _keep(self, result: ScriptResult, results: dict[str, ScriptResult]) -> None:
        results[result.script] = result
        self.record(result)
