"""Prepares what a script is started with: the flags of its interpreter, its environment.

What the runner wants of a script must not reach what the script starts: flags end with the
process, variables are inherited.
"""

from __future__ import annotations

import locale
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.secret_values import (
    OWN_SECRETS,
    holds_own_secret,
    is_own_secret,
    own_values,
)
from python_runner.texts.utf8 import codec_name


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from python_runner.model import Interpreter

#: Marks every process of a run.
RUN_MARKER = "PYTHON_RUNNER_RUN_ID"
#: The folder of the module that lets a script print any character.
STARTUP = Path(__file__).parent / "startup"

#: What stands between an interpreter and a script.
PYTHON_FLAGS = ("-u", "-X", "faulthandler")
#: Colours are for terminals; 3.13 puts them into tracebacks when this one asks for it.
_UNWANTED = frozenset({"FORCE_COLOR"})
_FIXED = {"NO_COLOR": "1", "PYTHON_COLORS": "0"}
#: Variables of the runner itself: how it sends mail, and where it keeps its records.
_OWN_PREFIXES = ("MAIL_", "SMTP_", "OAUTH_", "PYTHON_RUNNER_")
_OWN_NAMES = frozenset({"LOGIN_MAIL", "PASSWORD_MAIL", "GRAPH_URL"})
#: The oldest Python that knows all that is asked of it here.
_OLDEST = (3, 7)
_VERSION = lazy_pattern(r"(\d+)\.(\d+)")


def python_flags(interpreter: Interpreter) -> tuple[str, ...]:
    """Return the flags with which an interpreter runs a script; none for another program.

    Unbuffered, or the last output of a killed script is lost and stderr precedes stdout;
    and a crash prints where it happened.
    """
    return PYTHON_FLAGS if _is_python(interpreter) else ()


def script_environment(
    environment: Mapping[str, str], interpreter: Interpreter
) -> dict[str, str]:
    """Return the environment in which an interpreter starts with a script.

    Nothing that a script prints at a console may make it fail under a scheduler.
    PYTHONUTF8 would change open() in the script too, PYTHONIOENCODING what passes between
    the script and the Pythons that it starts. The module in ``STARTUP`` changes its
    standard output alone, and takes its own variable away again.
    """
    if not _is_python(interpreter) or not STARTUP.is_dir():
        return dict(environment)
    paths = filter(None, [str(STARTUP), environment.get("PYTHONPATH")])
    return {**environment, "PYTHONPATH": os.pathsep.join(paths)}


def child_environment(
    base: Mapping[str, str], extra: Mapping[str, str], *, run_id: str
) -> dict[str, str]:
    """Return the environment of whatever is started for a run.

    Args:
        base: what it inherits; the runner's own secrets are taken out, whatever the
            variables are called that hold them.
        extra: what the user configured, but for these secrets; wins over everything but
            the marker.
        run_id: the run it belongs to, which marks all its descendants.
    """
    base, extra = _folded(base), _folded(extra)
    dropped = OWN_SECRETS | _UNWANTED
    withheld = set(withheld_variables(base, extra))
    inherited = {k: v for k, v in base.items() if k not in dropped | withheld}
    given = {k: v for k, v in extra.items() if k not in withheld}
    return {**inherited, **_FIXED, **given, RUN_MARKER: run_id}


def withheld_variables(base: Mapping[str, str], extra: Mapping[str, str]) -> list[str]:
    """Return which variables hold a secret of the runner's own under another name."""
    secrets = own_values(base)
    if not secrets:
        return []
    variables = {**_folded(base), **_folded(extra)}
    return sorted(
        name
        for name, value in variables.items()
        if holds_own_secret(value, secrets)
        and not (is_own_secret(name) and name not in extra)
    )


def given_variables(
    base: Mapping[str, str], names: Collection[str], extra: Mapping[str, str]
) -> dict[str, str]:
    """Return what a script gets on another computer beside what it finds there.

    Args:
        base: the environment of the runner.
        names: the variables of it that its ``.env`` file has.
        extra: what the project configures; it wins.

    Returns:
        Neither the runner's own settings, of mail above all, nor its secrets under
        whatever name.
    """
    given = {**{n: base[n] for n in names if n in base}, **extra}
    withheld = set(withheld_variables(base, given))
    own = {
        name
        for name, value in given.items()
        if (name in _OWN_NAMES or name.startswith(_OWN_PREFIXES))
        and (name not in extra or base.get(name) == value)
    }
    return {n: v for n, v in given.items() if n not in own | withheld | OWN_SECRETS}


def output_encoding(environment: Mapping[str, str]) -> str:
    """Return the encoding in which a Python with this environment prints into a file.

    That of the locale, unless its variables say something else; ``utf-8`` where it is not
    known.
    """
    named = environment.get("PYTHONIOENCODING", "").partition(":")[0]
    if not named and environment.get("PYTHONUTF8") == "1":
        named = "utf-8"
    if not named and sys.platform != "win32":
        named = _codeset(environment)
    return codec_name(named or locale.getencoding())


def _codeset(environment: Mapping[str, str]) -> str:
    """Return the encoding that the variables of a POSIX locale name, if they do."""
    for name in ("LC_ALL", "LC_CTYPE", "LANG"):
        if value := environment.get(name):
            if value == os.environ.get(name):
                return ""
            return value.partition(".")[2].partition("@")[0]
    return ""


def python_version(interpreter: Interpreter) -> tuple[int, int] | None:
    """Return the version that an interpreter has told; None if it is no Python."""
    match = _VERSION.match(interpreter.version or "")
    return (int(match[1]), int(match[2])) if match else None


def _is_python(interpreter: Interpreter) -> bool:
    version = python_version(interpreter)
    return version is not None and version >= _OLDEST


def _folded(variables: Mapping[str, str]) -> dict[str, str]:
    if sys.platform == "win32":
        # Path and PATH are one variable there.
        return {name.upper(): value for name, value in variables.items()}
    return dict(variables)
