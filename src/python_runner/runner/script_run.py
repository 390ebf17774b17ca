"""One script of a run, with its retries, from its place in the series to its result."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.execution.environment import (
    child_environment,
    python_flags,
    script_environment,
)
from python_runner.execution.interpreters import find_script, why_missing
from python_runner.execution.process import run_command
from python_runner.facts import dataclass
from python_runner.files import is_folder, make_folder, private_folder
from python_runner.model import Command, OpenScript, Outcome, ScriptResult
from python_runner.policy import deserves_retry, retry_wait
from python_runner.records import outputs
from python_runner.runner.cluster import cluster_variables
from python_runner.runner.events import AttemptEnded, ScriptStarted
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from python_runner.execution.warm import WarmPool
    from python_runner.expected_files import ExpectedFiles
    from python_runner.imported_files import Sources
    from python_runner.model import Attempt, Interpreter, Script
    from python_runner.model.provenance import ScriptProvenance
    from python_runner.runner.context import RunContext
    from python_runner.runner.recorder import RunRecorder
    from python_runner.runner.source_texts import SourceKeeper

#: Endings of what is run without a look at it.
_PYTHON = frozenset({".py", ".pyw", ".pyc", ".pyz"})
#: Seconds between the polite signal and the kill.
GRACE = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptRun:
    """Runs scripts of one run of a project, from any thread.

    Attributes:
        interpreter: what starts the scripts: a program, and its own arguments.
        identity: what that says about itself.
        folder: where the captured output goes; made with the first script.
        spare: where it goes instead, for this user alone.
        inherit: descriptors the scripts keep open: the project's lock.
        sources: tells what a script is made of.
        texts: keeps the texts of that.
        warm: the interpreters that are started ahead, or None.
        environment: of a script without variables of its own.
    """

    context: RunContext
    recorder: RunRecorder
    interpreter: tuple[str, ...]
    identity: Interpreter
    folder: Path
    spare: Path
    inherit: tuple[int, ...]
    sources: Sources
    texts: SourceKeeper
    warm: WarmPool | None = None
    environment: Mapping[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Make the environment once for all scripts that have no variables of their own."""
        object.__setattr__(self, "environment", self._environment_with({}))

    def begun(self, script: Script) -> OpenScript:
        """Return what is recorded of a script that begins now."""
        number = self.context.number(script)
        return OpenScript(
            script=script.name,
            number=number,
            started_at=self.context.session.now(),
            output=outputs.output_file(self.folder, number, script.name),
        )

    def execute(self, script: Script) -> ScriptResult:
        """Run a script, whose begin is recorded, to the end of its last attempt.

        Whatever goes wrong in this step is the script's result.
        """
        context, number = self.context, self.context.number(script)
        output = planned = outputs.output_file(self.folder, number, script.name)
        attempts: list[Attempt] = []
        begins: list[float] = []
        made_of: ScriptProvenance | None = None
        try:
            file = find_script(script.path, context.project.path)
            if file is None:
                reason = why_missing(script.path, context.project.path)
                return context.not_started(script, reason, Outcome.NOT_STARTED)
            folder = context.project.directory
            if context.project.working_directory and not is_folder(folder):
                template = N_("there is no folder {path} (working_directory)")
                reason = Sentence.of(template, path=str(folder))
                return context.not_started(script, reason, Outcome.NOT_STARTED)
            # Another program may well want a batch file.
            if self.identity.version and (kind := _foreign_kind(file)):
                return context.not_started(script, kind, Outcome.NOT_STARTED)
            output = self._output_folder() / planned.name
            if output != planned:
                self.recorder.begin_attempt(number, output)
            # It may change, or go, while the script runs.
            made_of = self._made_of(file)
            self._run(script, self._command(script, file, output), attempts, begins)
        except Exception as error:  # noqa: BLE001 - the others still run
            reason = context.explain(error)
            if not attempts:
                return context.not_started(script, reason, Outcome.NOT_STARTED)
            # It ended as its last attempt did.
            context.warn(reason)
        written = Path(attempts[-1].output or output)
        return ScriptResult(
            script=script.name,
            run_id=context.run_id,
            number=number,
            outcome=attempts[-1].outcome,
            started_at=attempts[0].started_at,
            duration=begins[len(attempts) - 1] - begins[0] + attempts[-1].duration,
            attempts=tuple(replace(one, metrics=None) for one in attempts),
            reason=attempts[-1].reason,
            # Whoever is told of a file finds it.
            output=written if outputs.is_kept(written) else None,
            metrics=attempts[-1].metrics,
            provenance=made_of,
        )

    def prepare(self, scripts: Sequence[Script]) -> None:
        """Let interpreters be started ahead for the scripts that are likely to be next."""
        if self.warm is not None:
            with self.context.as_warning():
                self.warm.prepare(list(filter(None, map(self.command_ahead, scripts))))

    def command_ahead(self, script: Script) -> Command | None:
        """Return the command of a script, without its output; None if it is no Python."""
        file = find_script(script.path, self.context.project.path)
        if file is None or _foreign_kind(file):
            return None
        return self._command(script, file, Path())

    def _made_of(self, file: Path) -> ScriptProvenance | None:
        with self.context.as_warning():
            made_of = self.sources.of_script(file)
            self.texts.keep(made_of)
            return self.context.masker.fact(made_of)
        return None

    def _output_folder(self) -> Path:
        """Make the folder for the output, or the one instead; return it."""
        try:
            make_folder(self.folder)
        except OSError as error:
            # Without either the output goes elsewhere, and the attempt says where.
            with suppress(OSError):
                private_folder(self.spare)
                reason = Sentence.of(
                    N_("the output of the scripts is in {folder}: {path}: {error}"),
                    folder=str(self.spare),
                    path=str(self.folder.parent.parent),
                    error=system_error(error),
                )
                self.context.warn(reason)
                return self.spare
        return self.folder

    def _run(
        self,
        script: Script,
        command: Command,
        attempts: list[Attempt],
        begins: list[float],
    ) -> None:
        """Run attempts until one needs no further one.

        Each is added to ``attempts``, and to ``begins`` the monotonic time of its start:
        an attempt ends with its process, and what is done with its output then is no
        part of the time that the script took.
        """
        session, number = self.context.session, self.context.number(script)
        output = Path(command.output)
        expected = self._expected(script)
        while True:
            if attempts:
                self.recorder.begin_attempt(number, output)
            started = ScriptStarted(
                run_id=self.context.run_id,
                project=self.context.project,
                script=script,
                number=number,
                attempt=len(attempts) + 1,
                output=output,
            )
            session.notify(started)
            bounded = self._bounded(script, command, attempts)
            begins.append(time.monotonic())
            attempt = self._attempt(script, bounded)
            # It has run, also where nobody can look at its files.
            attempts.append(attempt)
            if expected and attempt.outcome.succeeded:
                attempts[-1] = _with_files(attempt, expected, session.now())
            if len(attempts) > script.retries or not deserves_retry(attempts[-1]):
                # The result writes its last attempt: one transaction instead of two.
                return
            wait = retry_wait(script.retry_delay, len(attempts))
            self.recorder.end_attempt(number, attempts[-1], wait)
            ended = AttemptEnded(
                run_id=self.context.run_id,
                project=self.context.project,
                script=script,
                number=number,
                attempt=len(attempts),
                result=attempts[-1],
                wait=wait,
            )
            session.notify(ended)
            if session.stop.wait(wait):
                return
            outputs.mark_attempt(output, len(attempts) + 1, script.retries + 1)

    def _attempt(self, script: Script, command: Command) -> Attempt:
        """Run one attempt, here or in the cluster."""
        session = self.context.session
        if session.cluster is None:
            return run_command(command, session.stop, self.warm)
        return session.cluster.run(self.context.project, script, command, session.stop)

    def _expected(self, script: Script) -> ExpectedFiles | None:
        """Return what the script must make, as it was before; None for nothing."""
        if not script.outputs:
            return None
        from python_runner.expected_files import (  # noqa: PLC0415 - few have any
            before_start,
        )

        context = self.context
        return before_start(script.outputs, context.project.path, context.session.now())

    @staticmethod
    def _bounded(script: Script, command: Command, earlier: list[Attempt]) -> Command:
        """Give an attempt its share of what the earlier ones left of the limit."""
        try:
            left = command.output_limit - Path(command.output).stat().st_size
        except OSError:
            left = command.output_limit
        share = max(0, left) // (script.retries + 1 - len(earlier))
        if share == command.output_limit:
            return command
        return replace(command, output_limit=share)

    def _command(self, script: Script, file: Path, output: Path) -> Command:
        project = self.context.project
        program, *arguments = self.interpreter
        return Command(
            argv=(program, str(file), *script.args),
            flags=(*arguments, *python_flags(self.identity)),
            cwd=str(project.directory),
            env=self._environment_with(script.env) if script.env else self.environment,
            output=str(output),
            spare=str(self.spare / output.name),
            output_limit=project.output_limit,
            timeout=script.timeout,
            grace=GRACE,
            project=str(project.path),
            run_id=self.context.run_id,
            inherit=self.inherit,
            version=self.identity.version or "",
            masker=self.context.masker,
        )

    def _environment_with(self, variables: Mapping[str, str]) -> dict[str, str]:
        context = self.context
        if context.session.cluster is not None:
            return cluster_variables(context, variables)
        environment = child_environment(
            context.session.settings.environ,
            {**context.project.env, **variables},
            run_id=context.run_id,
        )
        return script_environment(environment, self.identity)


def _with_files(attempt: Attempt, expected: ExpectedFiles, now: datetime) -> Attempt:
    """Return an attempt that succeeded, with its files; its failure where one is missing."""
    made = expected.made(now)
    if attempt.metrics:
        attempt = replace(attempt, metrics=replace(attempt.metrics, files=made.files))
    if made.problem:
        return replace(attempt, outcome=Outcome.FAILURE, reason=made.problem)
    return attempt


def _foreign_kind(file: Path) -> Sentence | None:
    if file.suffix.lower() in _PYTHON:
        return None
    from python_runner.execution.script_sources import (  # noqa: PLC0415 - seldom needed
        foreign_kind,
    )

    return foreign_kind(file)
