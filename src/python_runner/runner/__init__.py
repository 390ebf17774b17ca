"""The library: :func:`run_project`, and :class:`Runner`, a drop-in for the original's."""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.config.addresses import address_problems
from python_runner.config.project import (
    CONFIG_FILE,
    bare_project,
    load_project,
    make_scripts,
)
from python_runner.config.settings import load_settings
from python_runner.config.validation import can_be_passed
from python_runner.config.workspace import Workspace, load_workspace
from python_runner.delivery.endpoints import Endpoints
from python_runner.exceptions import BadRecipientList, InvalidConfiguration, Problem
from python_runner.execution.interpreters import find_script
from python_runner.files import absolute, current_folder, is_file, is_folder
from python_runner.model import EmailStrategy
from python_runner.policy import exit_code
from python_runner.runner import project_run
from python_runner.runner.result import RunResult, RunResults, ScriptRunResult
from python_runner.runner.selection import require_records, select
from python_runner.runner.session import ignore, open_session
from python_runner.runner.signals import StopSignals
from python_runner.texts.characters import LONGEST_NAME, is_portable_name
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from python_runner.model import Project, Script
    from python_runner.runner.events import Event

__all__ = ["RunResult", "Runner", "ScriptRunResult", "run_project"]


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
        listener: called with each event of the run, from several threads. What it
            raises is ignored, ``SystemExit`` included. The run waits for it, and so does
            a request to stop: it must return soon.

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
    _check_flag("resume", resume)
    _check_flag("mail", mail)
    if listener is not None and not callable(listener):
        raise _wrong("listener", _("expected a function"), "run_project")
    workspace = load_workspace(current_folder()) or Workspace()
    project = select(load_project(folder, defaults=workspace.defaults), only)
    with (
        open_session(
            load_settings(),
            listener=listener or ignore,
            reports_enabled=mail,
            defaults=workspace.defaults,
            endpoints=ENDPOINTS,
        ) as session,
        StopSignals(session.stop.request) as signals,
    ):
        if resume:
            require_records(session.store)
        began = session.now()
        run = project_run.run_project(project, session, resume=resume)
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
        InvalidConfiguration: any other argument, or an optional key of the project's
            ``exec_config.json``, is wrong. Both are a ``ValueError``.
    """

    def __init__(
        self,
        project_path: str | os.PathLike[str],
        recipient_emails: Sequence[str],
        log_filename: str | None = None,
        logs_backup_count: int = 0,
    ) -> None:
        folder = _checked_folder(project_path)
        _check_recipients(recipient_emails)
        _check_backup_count(logs_backup_count)
        project = _configured(folder)
        self._project = replace(
            project,
            recipients=tuple(recipient_emails),
            logs_backup_count=logs_backup_count,
            log_filename=_log_name(log_filename) or project.log_filename,
        )

    def run(
        self,
        python_scripts: Sequence[str | os.PathLike[str]],
        python_command: str | os.PathLike[str] | Sequence[str] | None = None,
        email_strategy: str = "all",
        include_traceback: bool = False,
    ) -> RunResults:
        """Run the scripts in order; a failing one does not keep the next from running.

        Optional keys of the project's ``exec_config.json`` (time-outs, retries, ...)
        hold for the scripts it lists.

        Args:
            python_scripts: the series, paths in the project or absolute.
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
            self._project,
            scripts=_with_options(
                [os.fspath(p) for p in python_scripts], self._project
            ),
            python_command=_checked_command(python_command),
            email_strategy=_checked_strategy(email_strategy),
            include_traceback=include_traceback,
        )
        readers = project.recipients or project.channels
        if not readers and project.email_strategy is not EmailStrategy.NONE:
            raise BadRecipientList(
                _('there are no recipients: name someone, or use email_strategy="none"')
            )
        with (
            open_session(load_settings(), endpoints=ENDPOINTS) as session,
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


def _configured(folder: Path) -> Project:
    if is_file(folder / CONFIG_FILE):
        return load_project(folder)
    return bare_project(folder)


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
    if not isinstance(path, (str, os.PathLike)) or not os.fspath(path):
        raise _wrong(key, _("expected the path of a folder"), where)
    return absolute(path)


def _check_selection(only: object, resume: object) -> None:
    # A single text would be taken letter by letter.
    if not isinstance(only, (list, tuple)) or not all(
        isinstance(name, str) and name for name in only
    ):
        raise _wrong("only", _("expected a list of scripts"), "run_project")
    if only and resume:
        message = _("only and resume exclude each other")
        raise _wrong("only", message, "run_project")


def _check_flag(key: str, value: object) -> None:
    # Any text would count as true, "no" as well.
    if not isinstance(value, bool):
        raise _wrong(key, _("expected True or False"), "run_project")


def _checked_folder(project_path: object) -> Path:
    folder = _checked_path(project_path, "project_path", "Runner")
    if not is_folder(folder):
        raise _wrong("project_path", _("{path} is not a folder").format(path=folder))
    return folder


def _check_recipients(recipients: object) -> None:
    # A single text would be taken letter by letter.
    if not isinstance(recipients, (list, tuple)) or not all(
        isinstance(entry, str) for entry in recipients
    ):
        raise BadRecipientList(_("expected a list of mail addresses"))
    if problems := [message for _place, message in address_problems(recipients)]:
        raise BadRecipientList("\n".join(problems))


def _check_backup_count(count: object) -> None:
    if not isinstance(count, int) or isinstance(count, bool) or count < 0:
        raise _wrong("logs_backup_count", _("expected a whole number, 0 or more"))


def _log_name(log_filename: object) -> str | None:
    if log_filename is None:
        return None
    if not isinstance(log_filename, str) or not log_filename.strip(". "):
        raise _wrong("log_filename", _("expected a file name, not a path"))
    name = log_filename if log_filename.endswith(".log") else f"{log_filename}.log"
    if set("/\\:\0") & set(name):
        raise _wrong("log_filename", _("expected a file name, not a path"))
    if not is_portable_name(name):
        message = _(
            "expected a file name for every platform: up to {count} bytes, no control"
            " character, none of {characters}, and no name of a device"
        )
        raise _wrong(
            "log_filename",
            message.format(count=LONGEST_NAME, characters='< > " | ? *'),
        )
    return name


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
        raise _wrong("python_command", message)
    return words[0] if alone else tuple(words)


def _checked_strategy(strategy: object) -> EmailStrategy:
    try:
        return EmailStrategy(str(strategy).lower())
    except ValueError:
        message = _('expected "all", "none" or "failure_only"')
        raise _wrong("email_strategy", message) from None
