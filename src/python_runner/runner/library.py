"""The library: :func:`run_project`, and :class:`Runner`, a drop-in for the original's."""

from __future__ import annotations

import logging
import os
import re
import signal
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.config.addresses import address_problems
from python_runner.config.project import (
    CONFIG_FILE,
    REQUIRED_KEYS,
    bare_project,
    load_project,
    make_scripts,
    read_configuration,
    why_no_folder,
)
from python_runner.config.validation import can_be_passed
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.delivery.endpoints import Endpoints
from python_runner.exceptions import (
    BadRecipientList,
    InvalidConfiguration,
    Problem,
    PythonRunnerError,
)
from python_runner.execution.interpreters import find_script
from python_runner.files import absolute, current_folder, is_file, is_folder
from python_runner.model import EmailStrategy
from python_runner.policy import exit_code
from python_runner.runner import project_run
from python_runner.runner.context import Demand
from python_runner.runner.result import (
    RunResult,
    RunResults,
    ScriptRunDict,
    ScriptRunResult,
)
from python_runner.runner.selection import require_records, select
from python_runner.runner.session import ignore, open_session, read_settings
from python_runner.runner.signals import StopSignals
from python_runner.texts.characters import LONGEST_NAME, is_portable_name
from python_runner.texts.sentence import N_, Sentence, counted, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from python_runner.model import Project, Script, StrategyName
    from python_runner.runner.events import Event

__all__ = [
    "RunResult",
    "RunResults",
    "Runner",
    "ScriptRunDict",
    "ScriptRunResult",
    "run_project",
]


def run_project(
    path: str | os.PathLike[str],
    *,
    only: Sequence[str] = (),
    resume: bool = False,
    mail: bool = True,
    listener: Callable[[Event], None] | None = None,
) -> RunResult:
    """Run the configured project in a folder, as ``python-runner run`` does.

    The environment, a ``.env`` and a ``python-runner.toml`` in the current folder hold
    as they do for the command.

    Args:
        path: the project's folder.
        only: names of the scripts to run, as a list or tuple; none means the whole
            series.
        resume: run what has not succeeded, as ``--resume`` does.
        mail: whether the run may be reported, by mail and to channels.
        listener: called with each event of the run, one after the other, in a thread of
            its own. What it raises is ignored, ``SystemExit`` included. The run waits
            until it has returned, but at most two seconds.

    Returns:
        The result. Where there is nothing to resume, nothing is run, and its ``run_id``
        and ``status`` are None.

    Raises:
        BadPythonInterpreter: the scripts' interpreter is not there.
        ConfigurationNotFound: no such folder, or no configuration in it.
        InvalidConfiguration: a configuration, the environment or an argument is wrong.
        MissingConfigurationVariable: required keys are absent.
        MissingEnvironmentVariable: a mail may be due and could not leave.
        PythonRunnerError: ``only`` names no script of the series, or there are no
            records to resume from, or they were damaged.
        KeyboardInterrupt: after Ctrl-C, once everything is recorded.
        SystemExit: likewise after SIGTERM or SIGHUP, with 143.
    """
    folder = _checked_path(path, "path", "run_project")
    _check_selection(only, resume)
    _checked_flag("resume", resume, "run_project")
    _checked_flag("mail", mail, "run_project")
    if listener is not None and not callable(listener):
        raise _wrong("listener", _("expected a function"), "run_project")
    workspace = load_workspace(current_folder()) or Workspace()
    configured = load_project(folder, defaults=workspace.defaults)
    project = select(configured, only)
    demand = Demand(whole=len(project.scripts) == len(configured.scripts))
    with (
        open_session(
            read_settings(),
            listener=listener or ignore,
            reports_enabled=mail,
            defaults=workspace.defaults,
            fleet=workspace.fleet,
            cluster=workspace.place,
            endpoints=ENDPOINTS,
        ) as session,
        StopSignals(session.stop.request) as signals,
    ):
        if resume:
            require_records(session.store)
        began = session.now()
        run = project_run.run_project(project, session, resume=resume, demand=demand)
        runs = [run] if run else []
        runs = project_run.finish_runs(runs, session, workspace.keep_days)
    _end_as_signalled(signals.received)
    if runs:
        return RunResult.of(runs[0])
    return RunResult(run_id=None, project=project.name, status=None, started_at=began)


#: What this process knows of mail servers and channels. Whoever calls ``Runner`` in a
#: loop has a session for each project and one server: if it is dead, one call waits.
ENDPOINTS = Endpoints()


class Runner:
    """Runs scripts of one project, logs each of them and mails a report.

    Args:
        project_path: the project's folder.
        recipient_emails: addresses that get the report, one an entry.
        log_filename: name of the log in the project's ``logs`` folder, never a path;
            default: the folder's name. ``.log`` is added when missing.
        logs_backup_count: archives of the log to keep; 0 keeps every one.

    Raises:
        BadRecipientList: the recipients are not a list of single addresses.
        InvalidConfiguration: any other argument is wrong. Both are a ``ValueError``.

    The arguments are attributes, and so is ``project_name``: they can be read and
    assigned, and ``run`` uses what they hold then.
    """

    def __init__(
        self,
        project_path: str | os.PathLike[str],
        recipient_emails: Sequence[str],
        log_filename: str | None = None,
        logs_backup_count: int = 0,
    ) -> None:
        self.project_path = project_path
        self.recipient_emails = recipient_emails
        self.logs_backup_count = logs_backup_count
        self._log_filename = log_filename
        self._project_name: str | None = None
        self._checked()

    def __repr__(self) -> str:
        return f"<Runner of {os.fspath(self.project_path)!r}>"

    @property
    def project_name(self) -> str:
        """What reports call the project; the folder's name if nothing else was set."""
        return self._project_name or bare_project(absolute(self.project_path)).name

    @project_name.setter
    def project_name(self, name: str) -> None:
        self._project_name = name

    @property
    def log_filename(self) -> str:
        """The log's name in ``logs``; by the folder's name if nothing else was set."""
        if name := self._log_filename:
            return _with_suffix(name)
        return bare_project(absolute(self.project_path)).log_filename

    @log_filename.setter
    def log_filename(self, name: str | None) -> None:
        self._log_filename = name

    def _checked(self) -> Project:
        """Return the project as the attributes have it now.

        Raises:
            BadRecipientList: the recipients are not a list of single addresses.
            InvalidConfiguration: another attribute is wrong.
        """
        folder = _checked_folder(self.project_path)
        _check_recipients(self.recipient_emails)
        _check_backup_count(self.logs_backup_count)
        _check_name(self._project_name)
        log_filename = _log_name(self._log_filename)
        project = bare_project(folder)
        return replace(
            project,
            name=self._project_name or project.name,
            recipients=tuple(self.recipient_emails),
            logs_backup_count=self.logs_backup_count,
            log_filename=log_filename or project.log_filename,
        )

    def run(
        self,
        python_scripts: Sequence[str | os.PathLike[str]],
        python_command: str | os.PathLike[str] | Sequence[str] | None = None,
        email_strategy: StrategyName = "all",
        include_traceback: bool = False,
    ) -> RunResults:
        """Run the scripts in order; a failing one does not keep the next from running.

        The attributes hold as they are now. Optional keys of the project's
        ``exec_config.json`` (time-outs, retries, ...) hold for the scripts it lists; what
        is wrong in that file is a warning.

        Args:
            python_scripts: the series, paths in the project or absolute; not one text.
            python_command: the interpreter, or a list of it and its own arguments,
                ``["py", "-3.12"]``; None: the project's own virtual environment
                where it has one, else the running interpreter.
            email_strategy: ``all``, ``failure_only`` or ``none``.
            include_traceback: whether the log says why a script failed.

        Returns:
            One dictionary a script, in order: ``script``, ``success``,
            ``execution_time`` (minutes), ``traceback`` (text or None), ``status``,
            ``exit_code``, ``attempts``, ``run_id``, ``started_at`` (ISO 8601),
            ``output`` (path of the captured output, or None) and ``warnings`` (texts).
            See :class:`ScriptRunDict`.
            The list's ``run_id``, ``status``, ``mail`` and ``warnings`` tell of the run.
            Warnings also go to the logger ``python_runner``.

        Raises:
            BadPythonInterpreter: the interpreter is not there.
            BadRecipientList: there is nobody to send the report to.
            InvalidConfiguration: an argument or the environment is wrong.
            MissingEnvironmentVariable: a mail may be due and could not leave.
            KeyboardInterrupt: after Ctrl-C, once everything is accounted for.
            SystemExit: likewise after SIGTERM or SIGHUP, with 143.
        """
        project = replace(
            self._checked(),
            python_command=_checked_command(python_command),
            email_strategy=_checked_strategy(email_strategy),
            include_traceback=_checked_flag(
                "include_traceback", include_traceback, "Runner.run"
            ),
        )
        project = _configured(project, _checked_scripts(python_scripts))
        readers = project.recipients or project.channels
        if not readers and project.email_strategy is not EmailStrategy.NONE:
            raise BadRecipientList(
                _('there are no recipients: name one, or use email_strategy="none"')
            )
        with (
            open_session(read_settings(), endpoints=ENDPOINTS) as session,
            StopSignals(session.stop.request) as signals,
        ):
            run = project_run.run_project(project, session)
        _end_as_signalled(signals.received)
        results = RunResults(run)
        _log_warnings(results, run.project)
        return results


def _end_as_signalled(received: signal.Signals | None) -> None:
    if received is None:
        return
    if received is signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(exit_code((), signal=received.name))


def _log_warnings(results: RunResults, project: str) -> None:
    """Tell the program's log what went wrong beside the scripts."""
    logger = logging.getLogger("python_runner")
    for warning in results.warnings:
        logger.warning("%s: %s", project, warning)


def _configured(project: Project, scripts: Sequence[str]) -> Project:
    """Return the project with its scripts and what its configuration says beside.

    The six keys that a configuration must have are arguments here: what is wrong with
    them means nothing.
    """
    if not is_file(project.path / CONFIG_FILE):
        return replace(project, scripts=_with_options(scripts, project))
    try:
        read = read_configuration(project.path)
    except PythonRunnerError as error:
        return replace(
            project,
            scripts=_with_options(scripts, project),
            warnings=tuple(map(_as_warning, _problems_of(error))),
        )
    # Arguments are put over what the file says.
    arguments = {*REQUIRED_KEYS, "name", "log_filename"} - {"scripts"}
    wrong = [_as_warning(p) for p in read.problems if not _is_argument(p.key)]
    odd = [
        warning
        for warning in read.project.warnings
        if not _is_argument(str(warning.values.get("key", "")))
    ]
    return replace(
        read.project,
        **{name: getattr(project, name) for name in arguments},
        scripts=_with_options(scripts, read.project),
        warnings=(*wrong, *odd),
    )


def _problems_of(error: PythonRunnerError) -> Sequence[Problem]:
    if isinstance(error, InvalidConfiguration):
        return error.problems
    return [Problem(CONFIG_FILE, "", str(error))]


def _as_warning(problem: Problem) -> Sentence:
    values = {"file": CONFIG_FILE, "problem": problem.message}
    if problem.key:
        template = N_("{file}: {key}: {problem}")
        return Sentence.of(template, **values, key=problem.key)
    return Sentence.of(N_("{file}: {problem}"), **values)


def _is_argument(key: str) -> bool:
    """Say whether an argument of ``Runner`` stands for what is wrong in the file."""
    root = re.split(r"[.\[]", key)[0]
    return root in REQUIRED_KEYS and not key.startswith("scripts[")


def _with_options(paths: Sequence[str], project: Project) -> tuple[Script, ...]:
    """Give each path the options of the configured script that is the same file."""
    folder = project.path
    configured = {_located(s.path, folder): s for s in project.scripts}
    scripts = [
        replace(configured.get(plain.path, plain), name=plain.name, path=plain.path)
        for plain in make_scripts([_located(path, folder) for path in paths], folder)
    ]
    names = {script.name for script in scripts}
    # What is not run this time cannot be waited for.
    return tuple(
        replace(script, needs=tuple(n for n in script.needs if n in names))
        for script in scripts
    )


def _located(path: str, folder: Path) -> str:
    """Return the file a path means, so that two ways to write it compare equal."""
    found = find_script(path, folder)
    return str(absolute(found)) if found else path


def _wrong(key: str, message: str, where: str = "Runner") -> InvalidConfiguration:
    return InvalidConfiguration([Problem(where, key, message)])


# What comes from a caller is an object until it has been looked at.


def _checked_path(path: object, key: str, where: str) -> Path:
    written = os.fspath(path) if isinstance(path, os.PathLike) else path
    if not isinstance(written, str) or not written:
        raise _wrong(key, _("expected the path of a folder"), where)
    return absolute(written)


def _check_selection(only: object, resume: object) -> None:
    # A single text would be taken letter by letter.
    if not isinstance(only, (list, tuple)) or not all(
        isinstance(name, str) and name for name in only
    ):
        raise _wrong("only", _("expected a list of scripts"), "run_project")
    if only and resume:
        message = _("only and resume exclude each other")
        raise _wrong("only", message, "run_project")


def _checked_flag(key: str, value: object, where: str) -> bool:
    # Any text would count as true, "no" as well.
    if not isinstance(value, bool):
        raise _wrong(key, _("expected True or False"), where)
    return value


def _checked_scripts(scripts: object) -> list[str]:
    # A single text would be taken letter by letter, and a set has no order.
    message = _("expected a list of scripts")
    if isinstance(
        scripts, (str, bytes, os.PathLike, Mapping, AbstractSet)
    ) or not isinstance(scripts, Iterable):
        raise _wrong("python_scripts", message, "Runner.run")
    paths = [
        os.fspath(script) if isinstance(script, (str, os.PathLike)) else b""
        for script in scripts
    ]
    texts = [path for path in paths if isinstance(path, str) and can_be_passed(path)]
    if len(texts) < len(paths) or not all(texts):
        raise _wrong("python_scripts", message, "Runner.run")
    return texts


def _checked_command(command: object) -> str | tuple[str, ...] | None:
    """Return an interpreter as it may be given: a text, a path, or a list of texts."""
    if command is None:
        return None
    alone = isinstance(command, (str, os.PathLike))
    words = [os.fspath(command)] if alone else command  # type: ignore[call-overload]
    if (
        not isinstance(words, (list, tuple))
        or not words
        or not all(isinstance(word, str) and can_be_passed(word) for word in words)
        or not all(words)
    ):
        message = _(
            'expected the command of an interpreter, such as "python" or ["py", "-3.12"]'
        )
        raise _wrong("python_command", message, "Runner.run")
    return words[0] if alone else tuple(words)


def _check_name(name: object) -> None:
    if name is not None and not (
        isinstance(name, str) and name and can_be_passed(name)
    ):
        raise _wrong("project_name", _("expected a string"))


def _checked_folder(project_path: object) -> Path:
    folder = _checked_path(project_path, "project_path", "Runner")
    if not is_folder(folder):
        raise _wrong("project_path", why_no_folder(folder))
    return folder


def _check_recipients(recipients: object) -> None:
    # A single text would be taken letter by letter.
    if not isinstance(recipients, (list, tuple)) or not all(
        isinstance(entry, str) for entry in recipients
    ):
        raise BadRecipientList(_("expected a list of email addresses"))
    if problems := [message for _place, message in address_problems(recipients)]:
        raise BadRecipientList("\n".join(problems))


def _check_backup_count(count: object) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise _wrong("logs_backup_count", _("expected a whole number, 0 or more"))


def _with_suffix(name: str) -> str:
    return name if name.endswith(".log") else f"{name}.log"


def _log_name(log_filename: object) -> str | None:
    if log_filename is None:
        return None
    if not isinstance(log_filename, str) or not log_filename.strip(". "):
        raise _wrong("log_filename", _("expected a file name, not a path"))
    name = _with_suffix(log_filename)
    if set("/\\:\0") & set(name):
        raise _wrong("log_filename", _("expected a file name, not a path"))
    if not is_portable_name(name):
        forms = counted(
            "expected a file name that every platform allows: {count} byte at most, no"
            " control character, none of {characters}, and not the name of a device",
            "expected a file name that every platform allows: {count} bytes at most, no"
            " control character, none of {characters}, and not the name of a device",
        )
        message = Sentence.about(forms, LONGEST_NAME, characters='< > " | ? *')
        raise _wrong("log_filename", message.in_language(system_language()))
    return name


def _checked_strategy(strategy: object) -> EmailStrategy:
    try:
        # The original lower-cased it. None is no text, and not "none".
        return EmailStrategy(strategy.lower() if isinstance(strategy, str) else "")
    except ValueError:
        message = _('expected "all", "none" or "failure_only"')
        raise _wrong("email_strategy", message, "Runner.run") from None
