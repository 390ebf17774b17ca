"""Reads ``.env`` files: ``NAME=value`` lines, by the rules of python-dotenv.

Beyond these: nothing is expanded inside single quotes, ``${...}`` never gives a secret of
the runner's own to somebody else, a password of the runner's own stands as it is written,
and a line that sets nothing is told.
"""

from __future__ import annotations

import io
import re
from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.config.reading import read_text
from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import (
    holds_own_secret,
    is_own_secret,
    is_secret_name,
    own_values,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dotenv.parser import Binding

#: What a variable may be called; Windows has ``ProgramFiles(x86)``.
_NAME = lazy_pattern(r"\w[\w.()-]*")
#: From the start of an entry to its value.
_BEFORE_VALUE = lazy_pattern(
    r"\s*(?:export[^\S\r\n]+)?(?:'[^']+'|[^=#\s]+)[^\S\r\n]*=[^\S\r\n]*"
)
_REFERENCE = lazy_pattern(r"\$\{(?P<name>[^}:]*)(?::-(?P<default>[^}]*))?\}")
_DOUBLE_QUOTED = lazy_pattern(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_ESCAPED_QUOTE = lazy_pattern(r"\\([\\\"])")
_COMMENT = lazy_pattern(r"\s#")
#: How shells of Windows and Unix set a variable.
_COMMAND = lazy_pattern(r"\s*(?:set|setx|setenv|let|declare|env)\s", re.IGNORECASE)
_SHELL_NAME = lazy_pattern(r"\s*\$(?:env:)?\{?\w+\}?\s*=", re.IGNORECASE)
_COLON = lazy_pattern(r"\s*[\"']?\w[\w.-]*[\"']?\s*:")
_OPEN_QUOTE = lazy_pattern(r"[^=#]*=\s*[\"']")


@dataclass(frozen=True, slots=True)
class EnvFile:
    """What a ``.env`` file sets.

    Attributes:
        variables: what it sets, in order.
        warnings: what is wrong with lines of it, each ``{file}: {problem}``.
    """

    variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    warnings: tuple[Sentence, ...] = ()


def read_env(path: Path, environ: Mapping[str, str]) -> EnvFile:
    """Return what a file sets; ``environ`` is as for :func:`parse_env`.

    Raises:
        InvalidConfiguration: it cannot be read.
    """
    return parse_env(read_text(path), path, environ)


def parse_env(text: str, path: Path, environ: Mapping[str, str]) -> EnvFile:
    """Return what the text of the file ``path`` sets.

    Args:
        text: the file's.
        path: named in the warnings.
        environ: what ``${NAME}`` stands for where the file itself does not set it.
    """
    # Imported here because most folders have no such file.
    from dotenv.parser import parse_stream  # noqa: PLC0415

    variables: dict[str, str] = {}
    warnings = []
    own = set(own_values(environ))

    def known(name: str) -> str | None:
        value = variables.get(name, environ.get(name))
        if value is None or is_own_secret(name) or holds_own_secret(value, own):
            return None
        return value

    for binding in parse_stream(io.StringIO(text)):
        if binding.key is None and not binding.error:
            # A blank line, or a comment.
            continue
        problem = _line_problem(binding)
        if problem is None and binding.key is not None and binding.value is not None:
            raw = _raw_value(binding)
            value = _meant(binding.key, binding.value, raw, known)
            variables[binding.key] = value
            if is_own_secret(binding.key) and value:
                own.add(value)
            problem = _value_problem(binding.key, raw)
        if problem:
            template = N_("line {line}: {problem}")
            told = Sentence.of(template, line=_line(binding), problem=problem)
            template = N_("{file}: {problem}")
            warnings.append(Sentence.of(template, file=str(path), problem=told))
    return EnvFile(variables, tuple(warnings))


def _meant(name: str, value: str, raw: str, known: Callable[[str], str | None]) -> str:
    """Return the value that a line gives to ``name``.

    Args:
        name: the variable.
        value: python-dotenv's, unquoted, before anything is expanded.
        raw: the value as it is written.
        known: what may be put in the place of a reference, by its name.
    """
    if raw.startswith("'"):
        return value
    if not is_own_secret(name):
        return _REFERENCE.sub(
            lambda found: known(found["name"]) or found["default"] or "", value
        )
    # Generated passwords hold dollar signs, braces and backslashes. Only a value that is
    # nothing but a reference to a variable that there is means that variable.
    whole = _REFERENCE.fullmatch(value)
    if whole and (meant := known(whole["name"])):
        return meant
    if quoted := _DOUBLE_QUOTED.match(raw):
        return _ESCAPED_QUOTE.sub(r"\1", quoted[1])
    return value


def _raw_value(binding: Binding) -> str:
    match = _BEFORE_VALUE.match(binding.original.string)
    return binding.original.string[match.end() :].rstrip() if match else ""


def _line(binding: Binding) -> int:
    text = binding.original.string
    blank = text[: len(text) - len(text.lstrip())]
    return binding.original.line + len(re.findall(r"\r\n|\r|\n", blank))


def _line_problem(binding: Binding) -> Sentence | None:
    """Return why a line sets nothing; it is never quoted, for it may hold a password."""
    text, name = binding.original.string, binding.key or ""
    nothing = binding.error or binding.value is None
    if _SHELL_NAME.match(text) or (nothing and _COMMAND.match(text)):
        template = N_("expected NAME=value, without a shell's command before the name")
    elif binding.error and _OPEN_QUOTE.match(text):
        template = N_(
            "expected NAME=value; the value begins with a quote but does not end with"
            " it: put it in quotes of the other kind"
        )
    elif _COLON.match(text) and (nothing or ":" in name):
        template = N_("expected NAME=value, with an equals sign instead of the colon")
    elif nothing:
        template = N_("expected NAME=value")
    elif not _NAME.fullmatch(name):
        template = N_("expected NAME=value, with a name of letters, digits and _")
    else:
        return None
    return Sentence.of(template)


def _value_problem(name: str, raw: str) -> Sentence | None:
    """Return what a value does not do that one might think it does."""
    if raw.startswith("'"):
        return None
    if not is_own_secret(name):
        for found in _REFERENCE.finditer(raw):
            if is_own_secret(found["name"]):
                template = N_(
                    "{name} is never passed to scripts: ${{{name}}} is replaced with"
                    " nothing"
                )
                return Sentence.of(template, name=found["name"])
    if is_secret_name(name) and not raw.startswith('"') and _COMMENT.search(raw):
        template = N_(
            "the value of {name} ends before the #, where a comment begins; put it in"
            " single quotes if the rest belongs to it"
        )
        return Sentence.of(template, name=name)
    return None
