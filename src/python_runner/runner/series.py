"""One series of scripts, in order or as a graph, from the first start to the last end."""

from __future__ import annotations

from functools import partial
from threading import current_thread, main_thread
from typing import TYPE_CHECKING

from python_runner.execution.exit_reasons import start_failure
from python_runner.facts import dataclass
from python_runner.model import Outcome, ScriptResult
from python_runner.policy import Schedule, stopped_before
from python_runner.waiting import Workers, wait_for_all


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from concurrent.futures import Future

    from python_runner.model import OnFailure, Script
    from python_runner.texts.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """A series and what to do with each of its scripts.

    Attributes:
        execute: runs one script to its end, whatever happens; called in a thread that
            no KeyboardInterrupt reaches.
        not_started: makes the result of a script without any attempt.
        record: takes the results as they arrive, always in the calling thread; several
            where they have arrived at the same time.
        stopping: whether no further script may start.
        prepare: is told which scripts are likely to start next, whenever that changes.
        begin: takes the results as ``record`` does, perhaps none, together with the
            scripts that start next; None where nobody is told of these.
    """

    scripts: Sequence[Script]
    on_failure: OnFailure
    max_parallel: int
    execute: Callable[[Script], ScriptResult]
    not_started: Callable[[Script, Sentence, Outcome], ScriptResult]
    record: Callable[[Sequence[ScriptResult]], None]
    stopping: Callable[[], bool]
    prepare: Callable[[Sequence[Script]], None] | None = None
    begin: Callable[[Sequence[ScriptResult], Sequence[Script]], None] | None = None

    def run(self) -> tuple[ScriptResult, ...]:
        """Run every script that may run; return one result each, in order."""
        schedule = Schedule(
            self.scripts, on_failure=self.on_failure, max_parallel=self.max_parallel
        )
        results: dict[str, ScriptResult] = {}
        running: set[Future[ScriptResult]] = set()
        workers: Workers[ScriptResult] = Workers("script")
        #: What has ended and is not recorded yet: with it goes what starts next.
        unrecorded: list[ScriptResult] = []

        def keep(ended: Sequence[ScriptResult]) -> None:
            for result in ended:
                results[result.script] = result
                schedule.end(result)
            unrecorded.extend(ended)

        def record(starting: Sequence[Script] = ()) -> None:
            ended = tuple(unrecorded)
            unrecorded.clear()
            if starting and self.begin:
                self.begin(ended, starting)
            elif ended:
                self.record(ended)

        try:
            with workers:
                self._run(schedule, workers, running, keep, record)
        finally:
            record()
            # Empty, but for an error: what still runs then is told as it ends.
            wait_for_all(running)
            for future in running:
                keep([future.result()])
                record()
        return tuple(results[script.name] for script in self.scripts)

    @property
    def _in_sequence(self) -> bool:
        """Whether the calling thread can run the scripts itself, one after the other.

        Not where it prepares the next one while a script runs.
        """
        alone = self.max_parallel == 1 and self.prepare is None
        return alone and current_thread() is not main_thread()

    def _run(
        self,
        schedule: Schedule,
        workers: Workers[ScriptResult],
        running: set[Future[ScriptResult]],
        keep: Callable[[Sequence[ScriptResult]], None],
        record: Callable[[Sequence[Script]], None],
    ) -> None:
        while True:
            step = schedule.next(stopping=self.stopping())
            if step.skip:
                # Thousands may be skipped: what ended is on the disk before.
                record(())
                keep(
                    [
                        self.not_started(script, reason, Outcome.SKIPPED)
                        for script, reason in step.skip
                    ]
                )
            record(step.start)
            for script in step.start:
                started = self._start(script, workers)
                if isinstance(started, ScriptResult):
                    keep([started])
                else:
                    running.add(started)
            if self.prepare and running:
                self.prepare(schedule.upcoming(self.max_parallel))
            if running:
                if done := workers.wait():
                    ended = [future.result() for future in done]
                    running.difference_update(done)
                    keep(ended)
            elif not step.start and not step.skip:
                return

    def _start(
        self, script: Script, workers: Workers[ScriptResult]
    ) -> Future[ScriptResult] | ScriptResult:
        """Start a script, or run it to its end; return what tells or is its result."""
        if self.stopping():
            # Asked for while the ends before were written.
            return self.not_started(script, stopped_before(), Outcome.SKIPPED)
        if self._in_sequence:
            return self.execute(script)
        try:
            return workers.start(partial(self.execute, script))
        except (RuntimeError, MemoryError) as error:
            reason = start_failure(error, script.path)
            return self.not_started(script, reason, Outcome.NOT_STARTED)
