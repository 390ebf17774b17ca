"""What the parts of one run share."""

from __future__ import annotations

import os
from dataclasses import field
from typing import TYPE_CHECKING, Self

from python_runner.config.project import CONFIG_FILE
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.environment import withheld_variables
from python_runner.facts import dataclass
from python_runner.model import Outcome, ScriptResult
from python_runner.model.script_names import mask_names
from python_runner.records.outputs import private_logs
from python_runner.runner.unexpected import explain
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Project, Script, Settings
    from python_runner.runner.session import Session


def new_run_id() -> str:
    """Return 13 hexadecimal characters, as the log has always had them."""
    return os.urandom(7).hex()[:13]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Whether a run is wanted now, as who asks for it says.

    Attributes:
        any_day: whether the project runs also on the days that ``not_on`` excludes.
        whole: whether the whole series is run, and not a part of it.
        unless: returns why no run is wanted, or None; it is asked before the project's
            lock is taken, and once more, with True, while it is held.
        tell: is told why nothing is run.
    """

    any_day: bool = False
    whole: bool = True
    unless: Callable[[RunContext, bool], Sentence | None] | None = None
    tell: Callable[[Sentence], None] = lambda _reason: None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """What the parts of one run share.

    Attributes:
        project: what is run; the names of its scripts hold no secret.
        session: what all runs of the process share.
        run_id: 13 hexadecimal characters.
        started_at: when the run began.
        masker: takes the secrets of the environment and of the project out of texts.
        demand: whether the run is wanted.
        warnings: what went wrong beside the scripts so far, for the report.
    """

    project: Project
    session: Session
    run_id: str
    started_at: datetime
    masker: Masker
    demand: Demand = field(default_factory=Demand)
    warnings: list[Sentence] = field(default_factory=list)
    _numbers: dict[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Number the scripts once: a series may have thousands."""
        scripts = enumerate(self.project.scripts, 1)
        numbers = {script.name: number for number, script in scripts}
        object.__setattr__(self, "_numbers", numbers)

    @classmethod
    def begin(
        cls, project: Project, session: Session, demand: Demand | None = None
    ) -> Self:
        """Return the context of a run that begins now."""
        masker = session.masker(project)
        return cls(
            project=mask_names(project, masker),
            session=session,
            run_id=new_run_id(),
            started_at=session.now(),
            masker=masker,
            demand=demand or Demand(),
            warnings=[
                *session.tell_once(),
                *configuration_warnings(project, session.settings),
            ],
        )

    @property
    def logs(self) -> Path:
        """The folder of the project's log and of the captured output."""
        return self.project.path / "logs"

    @property
    def private_logs(self) -> Path:
        """The folder of the captured output where ``logs`` cannot be written."""
        return private_logs(self.session.settings.home, self.project.path)

    @property
    def log(self) -> Path:
        """The project's log."""
        return self.logs / self.project.log_filename

    def warn(self, warning: Sentence) -> None:
        """Add a warning to the report, once."""
        if warning not in self.warnings:
            self.warnings.append(warning)

    def explain(self, error: Exception) -> Sentence:
        """Return what went wrong in one sentence; its details are kept in a file."""
        session = self.session
        return explain(error, session.settings.home, session.now(), self.masker)

    def as_warning(self) -> _AsWarning:
        """Let an error in the block be a warning: the run goes on without the block.

        For what lies beside the scripts: earlier runs, reports, old files.
        """
        return _AsWarning(self)

    def number(self, script: Script) -> int:
        """Return a script's place in the series, from 1."""
        return self._numbers[script.name]

    def not_started(
        self, script: Script, reason: Sentence, outcome: Outcome = Outcome.SKIPPED
    ) -> ScriptResult:
        """Return the result of a script that is not started."""
        return ScriptResult(
            script=script.name,
            run_id=self.run_id,
            number=self.number(script),
            outcome=outcome,
            started_at=self.session.now(),
            reason=self.masker.sentence(reason),
        )


class _AsWarning:
    """See :meth:`RunContext.as_warning`. Ten a script: a generator takes twice as long."""

    __slots__ = ("_context",)

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, _kind: object, error: BaseException | None, _traceback: object
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self._context.warn(self._context.explain(error))
        return True


def schedule_terms(project: Project) -> str | None:
    """Return what the due times of a project follow from; None: it has no schedule."""
    if project.schedule is None:
        return None
    from python_runner.due_times import terms_of  # noqa: PLC0415 - few projects have one

    return terms_of(project.schedule, project.not_on)


def require_schedule(project: Project) -> None:
    """Refuse a project without due times: nothing of it can be missed.

    Raises:
        PythonRunnerError: it has none.
    """
    if project.schedule is None:
        message = _(
            "{project}: without the key schedule in {file} nobody knows whether a run was"
            " missed; add the key, or run the project without --if-missed"
        )
        raise PythonRunnerError(message.format(project=project.name, file=CONFIG_FILE))


def day_off_of(
    project: Project, now: datetime
) -> tuple[Sentence | None, tuple[Sentence, ...]]:
    """Return why a project does not run on a day, or None if it does, and warnings.

    The warnings name the days of ``not_on`` that could not be asked: they exclude none.
    """
    if not project.not_on:
        return None, ()
    from python_runner.days_off import day_off  # noqa: PLC0415 - few projects have any

    day = now.astimezone().date()
    found = day_off(project.not_on, project.path, day, project.language)
    template = N_("{file}: {key}: {problem}")
    return found.reason, tuple(
        Sentence.of(template, file=CONFIG_FILE, key=f"not_on[{place}]", problem=problem)
        for place, problem in found.problems
    )


def configuration_warnings(project: Project, settings: Settings) -> Iterator[Sentence]:
    """Yield what is odd about a project's configuration, without being an error."""
    yield from project.warnings
    extra = dict(project.env)
    for script in project.scripts:
        extra |= script.env
    if names := withheld_variables(settings.environ, extra):
        template = N_(
            "scripts do not receive {names}: the value is that of PASSWORD_MAIL or"
            " OAUTH_CLIENT_SECRET"
        )
        yield Sentence.of(template, names=", ".join(names))
