"""Turns ``exec_config.json`` into a :class:`~python_runner.model.Project`."""

from __future__ import annotations

import json
import os
from dataclasses import fields, replace
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
)
from python_runner.config.validation import Findings, check_struct, check_texts
from python_runner.exceptions import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
)
from python_runner.files import absolute, is_file, is_folder, why_unseen
from python_runner.model import EmailStrategy, Project, Script
from python_runner.model.script_names import display_names
from python_runner.secret_values import is_own_secret, secret_values
from python_runner.texts.characters import with_backslashes
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

CONFIG_FILE = "exec_config.json"
#: Keys whose converted value is the field of that name, as it is.
_SAME_NAME = {field.name for field in fields(Project)} & {
    field.encode_name for field in msgspec.structs.fields(ExecConfig)
} - {"scripts", "python_command", "recipients", "channels", "env"}


def config_path(folder: Path) -> Path:
    """Return the configuration file of a project.

    Raises:
        ConfigurationNotFound: there is no such folder, or no such file in it, or nobody
            may look.
    """
    path = folder / CONFIG_FILE
    if reason := why_unseen(path):
        message = _("{file} cannot be looked at: {reason}")
        raise ConfigurationNotFound(message.format(file=path, reason=reason))
    if not is_folder(folder):
        message = _("{path} is not a folder").format(path=folder)
        raise ConfigurationNotFound(message + how_to_write(str(folder)))
    if os.path.lexists(path) and not is_file(path):
        raise ConfigurationNotFound(why_no_file(path))
    if not is_file(path):
        message = _(
            "{path} does not exist; `python-runner init {folder}` writes one from"
            " what it finds in the folder"
        )
        raise ConfigurationNotFound(message.format(path=path, folder=folder))
    return path


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
            '; a backslash before a quote is no end of a path: write "{path}" without it'
        ).format(path=meant)
    return ""


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
    path = config_path(absolute(folder))
    findings = Findings(str(path))
    raw = _tolerate_case(read_json(path, findings))
    findings.secrets = tuple(secret_values(os.environ, *variables_of(raw)))
    good = check_struct(ExecConfig, raw, findings)
    project = _build(path.parent, {**(defaults or {}), **good}, findings)
    check_texts(raw, findings)
    if findings.missing:
        raise MissingConfigurationVariable(findings.problems)
    if findings.problems or project is None:
        raise InvalidConfiguration(findings.problems)
    return project


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


def check_secret_addresses(
    given: Mapping[str, Any], findings: Findings, prefix: str = ""
) -> None:
    """Note channels and a heartbeat that cannot be used, without repeating them."""
    for place, message in channel_problems(given.get("channels", ())):
        findings.add(f"{prefix}channels[{place}]", message)
    url = given.get("heartbeat_url")
    if url and (problem := heartbeat_problem(url)):
        findings.add(f"{prefix}heartbeat_url", problem)


def _tolerate_case(raw: dict[str, Any]) -> dict[str, Any]:
    # The original lower-cased the strategy, so files in the field say "ALL".
    strategy = raw.get("email_strategy")
    if isinstance(strategy, str):
        return raw | {"email_strategy": strategy.lower()}
    return raw


def _build(folder: Path, good: Mapping[str, Any], findings: Findings) -> Project | None:
    """Check what no type can express; return the project when nothing is wrong."""
    env_file = _env_file(folder, good, findings)
    # It may be the runner's own .env: what only the runner may know stays there.
    from_file = {k: v for k, v in env_file.variables.items() if not is_own_secret(k)}
    scripts = _scripts(folder, good, findings)
    _check_recipients(good, findings)
    check_secret_addresses(good, findings)
    if findings.problems:
        return None
    given = {key: value for key, value in good.items() if value is not None}
    return replace(
        bare_project(folder),
        scripts=scripts,
        python_command=good["python_command"],
        recipients=tuple(good["recipients"]),
        channels=tuple(good.get("channels", ())),
        env=from_file | dict(good.get("env", {})),
        warnings=(
            *env_file.warnings,
            *address_warnings(good.get("channels", ()), good.get("heartbeat_url")),
        ),
        **{key: given[key] for key in _SAME_NAME & given.keys()},
    )


def _env_file(folder: Path, good: Mapping[str, Any], findings: Findings) -> EnvFile:
    if name := good.get("env_file"):
        try:
            return read_env(folder / name, os.environ)
        except InvalidConfiguration as error:
            findings.add("env_file", str(error) + how_to_write(name))
    return EnvFile()


def _scripts(
    folder: Path, good: Mapping[str, Any], findings: Findings
) -> tuple[Script, ...]:
    entries = [
        entry if isinstance(entry, ScriptEntry) else ScriptEntry(path=entry)
        for entry in good.get("scripts", ())
    ]
    plain = make_scripts([entry.path for entry in entries], folder)
    scripts = tuple(
        _with_options(script, entry, good)
        for script, entry in zip(plain, entries, strict=True)
    )
    for place, message in dependency_problems(scripts):
        findings.add(f"scripts[{place}].needs", message)
    return scripts


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
        message = _('is empty: name someone, or set "email_strategy" to "none"')
        findings.add("recipients", message)
