"""Checks a mapping against a msgspec ``Struct`` and collects every problem.

msgspec stops at its first error and speaks English; people want all problems of a file
at once, in their language. So each field is converted by itself, and what was expected
comes from the field's own description.
"""

from __future__ import annotations

import json
import re
from dataclasses import field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from python_runner.config.near_keys import is_comment, nearest_key
from python_runner.config.units import parse_unit
from python_runner.exceptions import Problem
from python_runner.facts import dataclass
from python_runner.masking import MASK, Masker
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import is_secret_name
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: A path of Windows in which \n or \t were read as what JSON means by them: they follow its
#: drive, the name of its computer, or further names.
_BROKEN_PATH = lazy_pattern(r"(?:[A-Za-z]:|\\[^\\\s]+)(?:\\[^\\\s]*)*[\b\t\n\f\r]\S")
_BROKEN = N_(
    'JSON reads \\n, \\t, \\b, \\f and \\r as one character each; write "\\\\" or "/" in'
    " paths: {found}"
)
#: What such a path may be without a drive, relative to the project; POSIX allows it.
_ODD_PATH = lazy_pattern(r"[\b\t\n\f\r]")
_PATH_KEYS = lazy_pattern(
    r"scripts\[\d+\](?:\.path)?|python_command(?:\[0\])?|env_file|working_directory"
)
#: What a kind of ``Struct`` holds: reading the types of all its fields takes a while.
struct_fields = cache(msgspec.structs.fields)
#: Longest rendering of a wrong value inside a message, in characters.
_FOUND_LENGTH = 60
#: Keys that one sentence names.
_MOST_KEYS = 10


@dataclass(slots=True)
class Findings:
    """The problems of one file, in the order they were met.

    Attributes:
        forgiving: whether a key that nobody knows is a warning.
        warnings: what is odd, each ``{file}: {problem}`` or ``{file}: {key}: {problem}``.
        missing: whether required keys are absent.
        ignored: keys that mean nothing, as they stand in the file.
        secrets: values that no problem quotes.
    """

    file: str
    forgiving: bool = False
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Sentence] = field(default_factory=list)
    missing: bool = False
    ignored: list[str] = field(default_factory=list)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def add(self, key: str, message: str) -> None:
        """Note one problem."""
        problem = Problem(
            self.file, printable(self.masked(key)), printable(self.masked(message))
        )
        self.problems.append(problem)

    def warn(self, key: str, problem: Sentence | str) -> None:
        """Note what is odd about a key, or about the file, without being an error."""
        # Who reads it knows the project.
        values = {"file": Path(self.file).name, "problem": problem}
        if key:
            values["key"] = printable(self.masked(key))
        template = N_("{file}: {key}: {problem}") if key else N_("{file}: {problem}")
        self.warnings.append(Sentence.of(template, **values))

    def forgive(self, key: str) -> None:
        """Make warnings of the problems of a key that nothing depends on."""
        for problem in list(self.problems):
            if problem.key == key or problem.key.startswith((f"{key}.", f"{key}[")):
                self.problems.remove(problem)
                self.warn(problem.key, problem.message)

    def masked(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        return Masker(self.secrets).text(text)


def check_struct(
    kind: type[msgspec.Struct],
    raw: Mapping[str, Any],
    findings: Findings,
    *,
    prefix: str = "",
    only: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the fields of ``raw`` that are right, by name; note the others.

    ``only`` restricts the known keys and drops the demand for required ones: a file of
    defaults may hold a part.
    """
    fields = {
        f.encode_name: f
        for f in struct_fields(kind)
        if only is None or f.encode_name in only
    }
    unknown = {key: value for key, value in raw.items() if key not in fields}
    meant = _check_unknown(unknown, fields, findings, prefix)
    good: dict[str, Any] = {}
    for key, info in fields.items():
        if key in raw:
            for value in _convert(info.type, raw[key], prefix + key, findings):
                good[info.name] = value
        elif info.required and only is None:
            findings.missing = True
            # One slip of the pen is one problem.
            if key not in meant:
                expected = _(expected_by(info.type))
                message = _("is missing: expected {expected}")
                findings.add(prefix + key, message.format(expected=expected))
    return good


def _check_unknown(
    unknown: Mapping[str, Any],
    known: Collection[str],
    findings: Findings,
    prefix: str,
) -> set[str]:
    """Note the keys that mean nothing: misspelt ones, and somebody's own.

    Returns:
        The known keys that the misspelt ones are taken for.
    """
    own, meant = [], set()
    names = [name for name in known if not name.startswith("$")]
    for key in unknown:
        findings.ignored.append(prefix + key)
        if findings.forgiving and is_comment(key):
            continue
        if close := nearest_key(key, names):
            meant.add(close)
            message = _("unknown key; did you mean {key}?").format(key=close)
            findings.add(prefix + key, message)
        elif findings.forgiving:
            own.append(prefix + key)
        else:
            message = _("unknown key; known keys: {keys}")
            findings.add(prefix + key, message.format(keys=", ".join(names)))
    if own:
        # In one sentence: every report holds it.
        template = N_("has no effect: unknown key")
        if len(own) > 1:
            template = N_("have no effect: unknown keys")
        findings.warn(_listed(own), Sentence.of(template))
    return meant


def _listed(keys: list[str]) -> str:
    shown = [key if len(key) <= _FOUND_LENGTH else key[:_FOUND_LENGTH] for key in keys]
    more = ["…"] if len(keys) > _MOST_KEYS else []
    return ", ".join(shown[:_MOST_KEYS] + more)


def check_texts(raw: Mapping[str, Any], findings: Findings) -> None:
    """Note the texts that no environment, command line, path or record can hold.

    What is a problem already is not noted twice. Keys without effect may hold anything.
    """
    noted = {problem.key for problem in findings.problems}
    ignored = set(findings.ignored)
    for key, text in _texts_in(raw, "", ignored):
        # A wrong item may have been noted with its list.
        if printable(key) in noted:
            continue
        if can_be_passed(text) and not _looks_broken(key, text):
            continue
        found = MASK if _is_secret(key) else _shown(text, findings)
        if not can_be_passed(text):
            message = _(
                "contains a character that cannot be passed to a program: {found}"
            )
            findings.add(key, message.format(found=found))
        elif _BROKEN_PATH.match(text):
            # Arguments and variables may well hold several lines.
            if re.search(r"(?:^|\.)(?:env\.|args\[)", key):
                findings.warn(key, Sentence.of(_BROKEN, found=found))
            else:
                findings.add(key, _(_BROKEN).format(found=found))
        else:
            findings.warn(key, Sentence.of(_BROKEN, found=found))


def _looks_broken(key: str, text: str) -> bool:
    """Say whether a text looks like a path whose backslashes were not doubled."""
    if text.isprintable():
        return False
    if _BROKEN_PATH.match(text):
        return True
    return bool(_ODD_PATH.search(text) and _PATH_KEYS.fullmatch(key))


def _texts_in(
    value: Any, key: str, ignored: Collection[str]
) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts_in(item, f"{key}[{index}]", ignored)
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else name
            if inner not in ignored:
                yield inner, name
                yield from _texts_in(item, inner, ignored)


def can_be_passed(text: str) -> bool:
    """Say whether a text can be given to a program and kept in the records."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def printable(text: str) -> str:
    """Return a text that every file and terminal in UTF-8 takes: halves are escaped."""
    return text.encode("utf-8", "backslashreplace").decode()


def convert(value: Any, kind: Any) -> Any:
    """Return ``value`` as ``kind``; raises ``msgspec.ValidationError``."""
    return msgspec.convert(value, kind, dec_hook=parse_unit)


def expected_by(kind: Any) -> str:
    """Return the marked sentence that says what a field expects."""
    for meta in reversed(getattr(kind, "__metadata__", ())):
        if meta.extra:
            return str(meta.extra["expected"])
    raise TypeError(kind)


def _holds_tokens(kind: Any) -> bool:
    """Say whether a field holds addresses with tokens, which no message quotes."""
    return any(
        meta.extra and meta.extra.get("secret")
        for meta in getattr(kind, "__metadata__", ())
    )


def _convert(kind: Any, value: Any, key: str, findings: Findings) -> Iterator[Any]:
    """Yield the converted value, or nothing when it is wrong (which is noted)."""
    before = len(findings.problems)
    for suffix, item, alone in _items(value):
        if isinstance(item, dict) and (entry := _entry_struct(kind)):
            check_struct(entry, item, findings, prefix=f"{key}{suffix}.")
        else:
            _try_convert(kind, alone, key + suffix, item, findings)
    if len(findings.problems) == before:
        yield from _try_convert(kind, value, key, value, findings)


def _items(value: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield each item's place, the item, and a container that holds only the item."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield f"[{index}]", item, [item]
    elif isinstance(value, dict):
        for name, item in value.items():
            yield f".{name}", item, {name: item}


def _try_convert(
    kind: Any, value: Any, key: str, shown: Any, findings: Findings
) -> tuple[Any, ...]:
    try:
        return (convert(value, kind),)
    # msgspec cannot measure a text with half a character.
    except (msgspec.ValidationError, UnicodeEncodeError):
        message = _("expected {expected}, found {found}")
        hidden = _holds_tokens(kind) or _is_secret(key)
        found = MASK if hidden else _shown(shown, findings)
        findings.add(key, message.format(expected=_(expected_by(kind)), found=found))
        return ()


def _entry_struct(kind: Any) -> type[msgspec.Struct] | None:
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    found = (_entry_struct(argument) for argument in get_args(kind))
    return next((entry for entry in found if entry), None)


def _is_secret(key: str) -> bool:
    """Say whether a wrong value may be a secret, which no message quotes."""
    names = re.sub(r"\[[0-9]+\]", "", key).split(".")
    # Variables that are no mapping are all of them, in one piece.
    return names[-1] == "env" or any(map(is_secret_name, names))


def _shown(value: Any, findings: Findings) -> str:
    # Masked before it is cut: half a secret would not be recognised.
    text = findings.masked(json.dumps(value, ensure_ascii=False, default=str))
    return text if len(text) <= _FOUND_LENGTH else text[: _FOUND_LENGTH - 1] + "…"
