"""Turns ``exec_config.json`` into a :class:`~python_runner.model.Project`."""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import fields, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from python_runner.config.addresses import address_problems
from python_runner.config.dependencies import dependency_problems
from python_runner.config.env_file import EnvFile, read_env
from python_runner.config.keys import ExecConfig, ScriptEntry
from python_runner.config.reading import read_json, why_no_file
from python_runner.config.secret_addresses import (
    address_warnings,
    channel_problems,
    heartbeat_problem,
    judges_channels,
)
from python_runner.config.validation import (
    Findings,
    can_be_passed,
    check_struct,
    check_texts,
    convert,
    struct_fields,
)
from python_runner.exceptions import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
    PythonRunnerError,
)
from python_runner.facts import dataclass
from python_runner.files import absolute, is_file, is_folder, why_unseen
from python_runner.masking import Masker
from python_runner.model import EmailStrategy, Project, Script, parse_mailbox
from python_runner.model.script_names import display_names
from python_runner.secret_values import is_own_secret, secret_values
from python_runner.texts.characters import with_backslashes
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _
from python_runner.texts.system_errors import translated


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from python_runner.exceptions import Problem

CONFIG_FILE = "exec_config.json"
#: Keys whose converted value is the field of that name, as it is.
_SAME_NAME = {field.name for field in fields(Project)} & {
    field.encode_name for field in struct_fields(ExecConfig)
} - {"scripts", "python_command", "recipients", "channels", "heartbeat_url", "env"} - {
    "preload",
    "not_on",
    "schedule",
}
#: Characters of a pattern that stands for folders.
WILDCARDS = frozenset("*?[")
#: The keys that every file has, in the order in which `load_config` returns them.
REQUIRED_KEYS = tuple(
    field.encode_name for field in struct_fields(ExecConfig) if field.required
)


def config_path(folder: Path) -> Path:
    """Return the configuration file of a project.

    Raises:
        ConfigurationNotFound: there is no such folder, or no such file in it, or nobody
            may look.
    """
    path = folder / CONFIG_FILE
    folder_there = is_folder(folder)
    if not folder_there and WILDCARDS & set(str(folder)):
        raise ConfigurationNotFound(why_no_folder(folder))
    if reason := why_unseen(path):
        message = _("{file} cannot be looked at: {reason}")
        raise ConfigurationNotFound(
            message.format(file=path, reason=translated(reason))
        )
    if not folder_there:
        raise ConfigurationNotFound(why_no_folder(folder))
    if os.path.lexists(path) and not is_file(path):
        raise ConfigurationNotFound(why_no_file(path))
    if not is_file(path):
        message = _(
            "{path} does not exist; `python-runner init {folder}` writes one from"
            " what it finds in the folder"
        )
        raise ConfigurationNotFound(message.format(path=path, folder=folder))
    return path


def why_no_folder(path: Path) -> str:
    """Return that a path which stands for a project is no folder, and what was meant."""
    if WILDCARDS & set(str(path)):
        message = _("no folder with an {file} matches {pattern}")
        message = message.format(file=CONFIG_FILE, pattern=path)
    elif is_file(path):
        message = _("{path} is a file: name the folder of the project, {folder}")
        message = message.format(path=path, folder=path.parent)
    else:
        message = _("{path} is not a folder").format(path=path)
    return message + how_to_write(str(path))


def how_to_write(path: str) -> str:
    """Say how a path was meant, where a character in it shows that it is written wrongly.

    The sentence follows the problem; it is empty where there is nothing to say.
    """
    if meant := with_backslashes(path):
        entry = json.dumps(meant, ensure_ascii=False)
        return _("; write a backslash twice: {entry}").format(entry=entry)
    if '"' in path and "\\" in path:
        # No path of Windows holds a quote. What follows it were other arguments.
        meant = path.partition('"')[0]
        return _(
            '; a backslash before a quote does not end a path: write "{path}" without'
            " it"
        ).format(path=meant)
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """What the configuration of a project says, and what is wrong with it.

    Attributes:
        project: with defaults in the place of what is wrong or absent. Its scripts are
            those whose entries are right, or at least name a file.
        places: of these scripts in the file, from 0.
        right: the keys that are there and have a value of the right kind.
        problems: what is wrong, in the order of the file.
        missing: whether required keys are absent.
    """

    project: Project
    places: tuple[int, ...]
    right: frozenset[str]
    problems: tuple[Problem, ...]
    missing: bool


def load_project(
    folder: str | os.PathLike[str], *, defaults: Mapping[str, Any] | None = None
) -> Project:
    """Read and check a project's configuration.

    Args:
        folder: the project.
        defaults: optional keys that hold where the file is silent; already checked.

    Raises:
        ConfigurationNotFound: no folder or no file.
        MissingConfigurationVariable: required keys are absent.
        InvalidConfiguration: anything else is wrong. Both list every problem.
    """
    read = read_configuration(folder, defaults=defaults)
    if read.missing:
        raise MissingConfigurationVariable(read.problems)
    if read.problems:
        raise InvalidConfiguration(read.problems)
    return read.project


def read_configuration(
    folder: str | os.PathLike[str], *, defaults: Mapping[str, Any] | None = None
) -> Configuration:
    """Read a project's configuration, whatever is wrong with its keys.

    Raises:
        ConfigurationNotFound: no folder or no file.
        InvalidConfiguration: the file holds no JSON object, or cannot be read.
    """
    path = config_path(absolute(folder))
    findings = Findings(str(path), forgiving=True)
    return _judged(path, read_json(path, findings), findings, defaults)


def problems_of(folder: Path, raw: dict[str, Any]) -> tuple[Problem, ...]:
    """Return why :func:`load_project` would refuse a configuration that is not written yet."""
    path = folder / CONFIG_FILE
    return _judged(path, raw, Findings(str(path), forgiving=True), None).problems


def _judged(
    path: Path,
    raw: dict[str, Any],
    findings: Findings,
    defaults: Mapping[str, Any] | None,
) -> Configuration:
    """Return what the content of a file says, whatever is wrong with its keys."""
    raw = _tolerate_case(raw)
    findings.secrets = tuple(secret_values(os.environ, *variables_of(raw)))
    good = check_struct(ExecConfig, raw, findings)
    _check_recipients({**(defaults or {}), **good}, findings)
    check_texts(raw, findings)
    wrong = {_place(problem.key) for problem in findings.problems}
    entries = _entries(raw.get("scripts"), wrong)
    right = {key: value for key, value in good.items() if key not in wrong}
    given = {**(defaults or {}), **right, "scripts": [*entries.values()]}
    complete = "scripts" in good and not any(k.startswith("scripts") for k in wrong)
    project = _build(path.parent, given, findings, complete=complete)
    for place, script in zip(entries, project.scripts, strict=True):
        _check_outputs(f"scripts[{place}].outputs", script.outputs, findings)
    if project.email_strategy is EmailStrategy.NONE and "email_strategy" in right:
        findings.forgive("recipients")
    return Configuration(
        project=replace(project, warnings=(*findings.warnings, *project.warnings)),
        places=tuple(entries),
        right=frozenset(right),
        problems=tuple(findings.problems),
        missing=findings.missing,
    )


def configured_channels(
    folder: Path, defaults: Mapping[str, Any] | None = None
) -> tuple[str, ...]:
    """Return the channels of a project as they are configured now.

    Other problems of the file are ignored: they must not keep a report back.
    """
    path = folder / CONFIG_FILE
    try:
        raw = read_json(path, Findings(str(path)))
    except InvalidConfiguration:
        raw = {}
    channels = raw.get("channels", (defaults or {}).get("channels"))
    if not isinstance(channels, list):
        return ()
    return tuple(url for url in channels if isinstance(url, str))


def configured_help(
    folder: Path, defaults: Mapping[str, Any] | None = None
) -> Mapping[str, str]:
    """Return the owner's words by the name of a script; those for all under no name.

    They hold no secrets. Nothing else of the configuration matters: what is wrong in it
    hides no help.
    """
    try:
        project = read_configuration(folder, defaults=defaults).project
    except PythonRunnerError:
        return {}
    masker = Masker((*secret_values(os.environ), *project.secrets))
    return {name: masker.text(text) for name, text in project.all_help.items()}


def bare_project(folder: Path) -> Project:
    """Return a project without a configuration file: every option at its default."""
    return Project(
        path=folder,
        name=folder.name or str(folder),
        scripts=(),
        python_command=None,
        recipients=(),
        email_strategy=EmailStrategy.ALL,
        include_traceback=False,
        logs_backup_count=0,
        log_filename=f"{folder.name or 'project'}.log",
        language=system_language(),
    )


def make_scripts(paths: Sequence[str], folder: Path) -> tuple[Script, ...]:
    """Return a series of scripts without options, each with its name."""
    names = display_names([_path_in_project(path, folder) for path in paths])
    return tuple(
        Script(name=name, path=path) for name, path in zip(names, paths, strict=True)
    )


def _path_in_project(path: str, folder: Path) -> str:
    if os.path.isabs(path) and Path(path).is_relative_to(folder):  # noqa: PTH117
        return Path(path).relative_to(folder).as_posix()
    return path


def variables_of(raw: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield the variables of a configuration that has not been checked."""
    scripts = raw.get("scripts")
    for entry in (raw, *(scripts if isinstance(scripts, list) else ())):
        env = entry.get("env") if isinstance(entry, dict) else None
        if isinstance(env, dict):
            yield {key: str(value) for key, value in env.items()}


def usable_addresses(
    given: Mapping[str, Any], findings: Findings, prefix: str = ""
) -> tuple[tuple[str, ...], str | None]:
    """Return the channels and the heartbeat that can be used.

    The others are noted, without being repeated.
    """
    channels = given.get("channels", ())
    problems = dict(channel_problems(channels))
    for place, message in problems.items():
        findings.add(f"{prefix}channels[{place}]", message)
    heartbeat = given.get("heartbeat_url")
    if heartbeat and (problem := heartbeat_problem(heartbeat)):
        findings.add(f"{prefix}heartbeat_url", problem)
        heartbeat = None
    usable = [url for place, url in enumerate(channels) if place not in problems]
    return tuple(usable if usable and judges_channels() else ()), heartbeat


def _tolerate_case(raw: dict[str, Any]) -> dict[str, Any]:
    # The original lower-cased the strategy, so files in the field say "ALL".
    strategy = raw.get("email_strategy")
    if isinstance(strategy, str):
        return raw | {"email_strategy": strategy.lower()}
    return raw


def _place(key: str) -> str:
    """Return the key of the file, and of an entry of the series its place as well."""
    return re.split(r"[.\[]", key)[0] + "".join(re.findall(r"^scripts(\[\d+\])", key))


def _entries(raw: object, wrong: Collection[str]) -> dict[int, ScriptEntry]:
    """Return the entries of the series by their places, as far as they name a file.

    Nothing but its path is taken of an entry among the ``wrong`` places.
    """
    found = {}
    for place, entry in enumerate(raw if isinstance(raw, list) else ()):
        options = entry if isinstance(entry, dict) else {"path": entry}
        if f"scripts[{place}]" in wrong:
            options = {"path": options.get("path")}
        with suppress(msgspec.ValidationError, UnicodeEncodeError):
            converted: ScriptEntry = convert(options, ScriptEntry)
            if can_be_passed(converted.path):
                found[place] = converted
    return found


def _build(
    folder: Path, good: Mapping[str, Any], findings: Findings, *, complete: bool
) -> Project:
    """Check what no type can express; return the project without what is wrong.

    ``complete`` says whether every entry of the series is right.
    """
    env_file = _env_file(folder, good, findings)
    # It may be the runner's own .env: what only the runner may know stays there.
    from_file = {k: v for k, v in env_file.variables.items() if not is_own_secret(k)}
    scripts = _scripts(folder, good, findings, complete=complete)
    if complete and not scripts:
        findings.warn("scripts", Sentence.of(N_("is empty: no script is run")))
    if good.get("preload") and not good.get("warm"):
        template = N_('has no effect without "warm": true')
        findings.warn("preload", Sentence.of(template))
    days = _days(good.get("not_on", ()), findings)
    schedule = _schedule(good.get("schedule"), findings)
    channels, heartbeat = usable_addresses(good, findings)
    given = {key: value for key, value in good.items() if value is not None}
    values = {key: given[key] for key in _SAME_NAME & given.keys()}
    command = good.get("python_command")
    return replace(
        bare_project(folder),
        **values
        | {
            "scripts": scripts,
            "python_command": tuple(command) if isinstance(command, list) else command,
            "recipients": tuple(filter(parse_mailbox, good.get("recipients", ()))),
            "preload": tuple(good.get("preload", ())),
            "schedule": schedule,
            "not_on": days,
            "channels": channels,
            "heartbeat_url": heartbeat,
            "env": from_file | dict(good.get("env", {})),
            "warnings": (*env_file.warnings, *address_warnings(channels, heartbeat)),
        },
    )


def _days(entries: Sequence[str], findings: Findings) -> tuple[str, ...]:
    """Return the days without runs, or none where one of them is wrong."""
    if not entries:
        return ()
    from python_runner.days_off import entry_problems  # noqa: PLC0415 - few have any

    problems = dict(entry_problems(entries))
    for place, problem in problems.items():
        findings.add(f"not_on[{place}]", problem.in_language(system_language()))
    return () if problems else tuple(entries)


def _schedule(expression: str | None, findings: Findings) -> str | None:
    """Return when the project is due, or None where nobody can tell."""
    if expression is None:
        return None
    from python_runner.due_times import expression_problem  # noqa: PLC0415 - likewise

    if problem := expression_problem(expression):
        findings.add("schedule", problem.in_language(system_language()))
        return None
    return " ".join(expression.split())


def _env_file(folder: Path, good: Mapping[str, Any], findings: Findings) -> EnvFile:
    if name := good.get("env_file"):
        try:
            return read_env(folder / name, os.environ)
        except InvalidConfiguration as error:
            findings.add("env_file", str(error) + how_to_write(name))
    return EnvFile()


def _scripts(
    folder: Path, good: Mapping[str, Any], findings: Findings, *, complete: bool
) -> tuple[Script, ...]:
    entries: Sequence[ScriptEntry] = good["scripts"]
    plain = make_scripts([entry.path for entry in entries], folder)
    scripts = tuple(
        _with_options(script, entry, good)
        for script, entry in zip(plain, entries, strict=True)
    )
    problems = [*dependency_problems(scripts)] if complete else []
    for place, message in problems:
        findings.add(f"scripts[{place}].needs", message)
    if problems or not complete:
        # Which scripts another one waits for is not known.
        return tuple(replace(script, needs=()) for script in scripts)
    return scripts


def _check_outputs(key: str, patterns: Sequence[str], findings: Findings) -> None:
    if not patterns:
        return
    from python_runner.expected_files import (  # noqa: PLC0415 - few projects have any
        pattern_problem,
    )

    now = datetime.now().astimezone()
    for place, pattern in enumerate(patterns):
        if problem := pattern_problem(pattern, now):
            findings.add(f"{key}[{place}]", problem.in_language(system_language()))


def _with_options(
    script: Script, entry: ScriptEntry, project: Mapping[str, Any]
) -> Script:
    """Return the script with its own options, and the project's where it is silent."""
    options = {
        key: value
        for source in (project, msgspec.structs.asdict(entry))
        for key in ("timeout", "retries", "retry_delay")
        if (value := source.get(key)) is not None
    }
    return replace(
        script,
        args=tuple(entry.args),
        env=entry.env,
        needs=tuple(entry.needs),
        outputs=tuple(entry.outputs),
        resources={**(project.get("resources") or {}), **entry.resources},
        help=entry.help or "",
        **options,
    )


def _check_recipients(good: Mapping[str, Any], findings: Findings) -> None:
    recipients = good.get("recipients")
    if recipients is None:
        return
    for place, message in address_problems(recipients):
        findings.add(f"recipients[{place}]", message)
    told = recipients or good.get("channels")
    if not told and good.get("email_strategy", "none") != "none":
        message = _('is empty: name a recipient, or set "email_strategy" to "none"')
        findings.add("recipients", message)
