"""What `check` and `doctor` find out about one project: all that is wrong with it."""

from __future__ import annotations

from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.config.project import CONFIG_FILE, Configuration, read_configuration
from python_runner.config.settings import require_mail
from python_runner.delivery.transports import missing_extra
from python_runner.exceptions import InvalidConfiguration, Problem, PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import ask
from python_runner.execution.interpreters import (
    find_command,
    find_script,
    why_missing,
)
from python_runner.execution.preload import import_problems
from python_runner.execution.script_sources import source_problems
from python_runner.facts import dataclass
from python_runner.files import is_file, is_folder
from python_runner.masking import Masker
from python_runner.model import EmailStrategy
from python_runner.runner.context import configuration_warnings, day_off_of
from python_runner.runner.session import local_now
from python_runner.runner.unexpected import explain
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from python_runner.model import Project, Settings

#: Recipients that are named.
_NAMED = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """What was found out about a project.

    Attributes:
        project: as far as its configuration is right; None where it cannot be read.
        interpreter: what runs its scripts, where it was found.
        command: the same with arguments of its own; empty where it was not found.
        version: what that says of itself; None where it is no Python.
        scripts: the files of its scripts that were found.
        problems: what keeps it from running as it says. They hold no secret.
        warnings: what is odd about it.
        may_mail: whether it asks for emails, or may once it is right.
    """

    folder: Path
    project: Project | None = None
    may_mail: bool = True
    interpreter: Path | None = None
    command: tuple[str, ...] = ()
    version: str | None = None
    scripts: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = field(default=())


def examine(
    folder: Path, defaults: Mapping[str, Any], settings: Settings
) -> Examination:
    """Find out everything that is wrong with the project in ``folder``.

    Neither its scripts nor a mail are sent anywhere; its interpreter compiles them.
    """
    masker = Masker(settings.secrets)
    try:
        return _examine(folder, read_configuration(folder, defaults=defaults), settings)
    except InvalidConfiguration as error:
        problems: Iterable[Problem] = error.problems
    except PythonRunnerError as error:
        problems = [Problem(str(folder), "", str(error))]
    except Exception as error:  # noqa: BLE001 - the other projects are examined
        reason = explain(error, settings.home, local_now(), masker)
        message = reason.in_language(system_language())
        problems = [Problem(str(folder), "", message)]
    return Examination(folder=folder, problems=_masked(problems, masker))


def _examine(folder: Path, read: Configuration, settings: Settings) -> Examination:
    file, project = str(folder / CONFIG_FILE), read.project
    masker = Masker((*settings.secrets, *project.secrets))
    problems = list(read.problems)
    language = system_language()
    command: tuple[str, ...] = ()
    version = None
    if "python_command" in read.right:
        try:
            command = find_command(
                project.python_command, folder, environ=settings.environ
            )
        except PythonRunnerError as error:
            problems.append(Problem(file, "python_command", str(error)))
    directory = project.directory
    if "working_directory" in read.right and not is_folder(directory):
        message = _("there is no folder {path} (working_directory)")
        message = message.format(path=directory)
        problems.append(Problem(file, "working_directory", message))
    if command:
        answer = ask(Path(command[0]), folder, _environ(project, settings), command[1:])
        version = answer.interpreter.version
        if reason := answer.problem:
            message = reason.in_language(language)
            problems.append(Problem(file, "python_command", message))
    found = {
        place: find_script(script.path, folder)
        for place, script in zip(read.places, project.scripts, strict=True)
    }
    reasons = dict(_script_problems(read, found, command, settings))
    problems += (
        Problem(file, f"scripts[{place}]", reason.in_language(language))
        for place, reason in sorted(reasons.items())
    )
    may_mail = _may_mail(read)
    if may_mail:
        problems += _mail_problems(settings, file)
    warnings = [
        *configuration_warnings(project, settings),
        *day_off_of(project, local_now())[1],
        *_preload_warnings(project, [*found.values()], command, settings),
    ]
    warnings = [*map(masker.sentence, warnings)]
    return Examination(
        folder=folder,
        project=project,
        may_mail=may_mail,
        interpreter=Path(command[0]) if command else None,
        command=command,
        version=version,
        scripts=tuple(filter(None, found.values())),
        problems=_masked(problems, masker),
        warnings=tuple(as_problems(warnings, file)),
    )


def _masked(problems: Iterable[Problem], masker: Masker) -> tuple[Problem, ...]:
    return tuple(
        replace(
            problem,
            key=clean(problem.key),
            message=clean(masker.text(problem.message)),
        )
        for problem in problems
    )


def as_problems(warnings: Iterable[Sentence], file: str = "") -> Iterator[Problem]:
    """Yield warnings with file and key where they name them, else with ``file``."""
    language = system_language()
    for warning in warnings:
        named = str(warning.values.get("file", ""))
        problem = warning.values.get("problem")
        if problem is None or not named:
            yield Problem(file, "", warning.in_language(language))
            continue
        if isinstance(problem, Sentence):
            problem = problem.in_language(language)
        # A configuration's own warnings name it without its folder.
        where = file if named == Path(file).name else named
        key = clean(str(warning.values.get("key", "")))
        yield Problem(where, key, clean(str(problem)))


def _may_mail(read: Configuration) -> bool:
    """Say whether the project asks for a mail, or may ask for one once it is right."""
    project, right = read.project, read.right
    never = "email_strategy" in right and project.email_strategy is EmailStrategy.NONE
    nobody = "recipients" in right and not project.recipients
    return not never and not nobody


def _mail_problems(settings: Settings, file: str) -> Iterator[Problem]:
    try:
        require_mail(settings.mail)
    except InvalidConfiguration as error:
        yield from error.problems
    except PythonRunnerError as error:
        yield Problem(file, "email_strategy", str(error))
    for way in settings.mail.ways:
        if missing := missing_extra(way):
            message = missing.in_language(system_language())
            yield Problem(file, "email_strategy", message)


def _script_problems(
    read: Configuration,
    found: Mapping[int, Path | None],
    command: tuple[str, ...],
    settings: Settings,
) -> Iterator[tuple[int, Sentence]]:
    """Yield what is wrong with scripts, with their places in the series."""
    project = read.project
    scripts = dict(zip(read.places, project.scripts, strict=True))
    files = {place: file for place, file in found.items() if file}
    for place in scripts.keys() - files.keys():
        yield place, why_missing(scripts[place].path, project.path)
    if not command:
        return
    environ = _environ(project, settings)
    reasons = {
        problem.file: problem.reason
        for problem in source_problems(
            Path(command[0]), list(files.values()), environ, command[1:]
        )
    }
    for place, file in files.items():
        if reason := reasons.get(file):
            name = scripts[place].name
            yield place, Sentence.of("{script}: {reason}", script=name, reason=reason)


def _preload_warnings(
    project: Project,
    found: Iterable[Path | None],
    command: tuple[str, ...],
    settings: Settings,
) -> Iterator[Sentence]:
    """Yield which modules cannot be preloaded: the scripts start without them."""
    first = next(filter(None, found), None)
    if not (project.warm and project.preload and command and first):
        return
    wrong = import_problems(
        command, project.preload, str(first.parent), _environ(project, settings)
    )
    for place, module in enumerate(project.preload):
        if module in wrong:
            problem = Sentence.of(
                N_("{module} cannot be imported: {error}"),
                module=module,
                error=wrong[module],
            )
            yield Sentence.of(
                N_("{file}: {key}: {problem}"),
                file=CONFIG_FILE,
                key=f"preload[{place}]",
                problem=problem,
            )


def _environ(project: Project, settings: Settings) -> dict[str, str]:
    return child_environment(settings.environ, project.env, run_id="")


def brief(problem: Problem, folder: Path) -> Problem:
    """Return a problem whose file is named as one sees it from the project."""
    file = Path(problem.file)
    if file == folder:
        # The sentence names it.
        return replace(problem, file="")
    if file.is_relative_to(folder):
        return replace(problem, file=str(file.relative_to(folder)))
    return problem


def summary(examined: Examination, settings: Settings) -> str:
    """Return what was looked at, where a project is ready to run."""
    project, interpreter = examined.project, examined.interpreter
    if project is None or interpreter is None:
        return ""
    formats = Formats(system_language())
    count = len(project.scripts)
    parts = [
        formats.ngettext("{count} script", "{count} scripts", count).format(
            count=formats.number(count)
        ),
        _interpreter(interpreter, examined.version, project),
        *_told(project, settings, formats),
    ]
    return " · ".join(
        Masker((*settings.secrets, *project.secrets)).text(p) for p in parts
    )


def _interpreter(interpreter: Path, version: str | None, project: Project) -> str:
    place = interpreter
    # The folder of a virtual environment says more than the path of what is in it.
    if is_file(interpreter.parent.parent / "pyvenv.cfg"):
        place = interpreter.parent.parent
    if place.is_relative_to(project.path):
        place = place.relative_to(project.path)
    return f"Python {version or '?'} ({place})"


def _told(project: Project, settings: Settings, formats: Formats) -> Iterator[str]:
    """Yield who is told of a run, and how."""
    if project.email_strategy is EmailStrategy.NONE:
        yield _("no report")
        return
    if names := project.recipients[:_NAMED]:
        more = len(project.recipients) - len(names)
        who = ", ".join(name.strip() for name in names)
        if more:
            who = _("{names} and {count} more").format(names=who, count=more)
        message = _("email to {names} by {transport}")
        yield message.format(
            names=who, transport=", ".join(way.transport for way in settings.mail.ways)
        )
    if count := len(project.channels):
        channels = formats.ngettext("{count} channel", "{count} channels", count)
        yield channels.format(count=count)
    if project.email_strategy is EmailStrategy.FAILURE_ONLY:
        yield _("only after failures")
