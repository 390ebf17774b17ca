"""Checks a mapping against a msgspec ``Struct`` and collects every problem.

msgspec stops at its first error and speaks English; people want all problems of a file
at once, in their language. So each field is converted by itself, and what was expected
comes from the field's own description.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, get_args

import msgspec

from python_runner.config.units import parse_unit
from python_runner.exceptions import Problem
from python_runner.masking import MASK, Masker
from python_runner.secret_values import is_secret_name
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

#: Keys that later versions act on. A value is never silently ignored.
_PLANNED = frozenset({"warm", "preload", "resources", "schedule", "cluster"})
#: Longest rendering of a wrong value inside a message, in characters.
_FOUND_LENGTH = 60


@dataclass(slots=True)
class Findings:
    """The problems of one file, in the order they were met.

    Attributes:
        secrets: values that no problem quotes.
    """

    file: str
    problems: list[Problem] = field(default_factory=list)
    missing: bool = False
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def add(self, key: str, message: str) -> None:
        """Note one problem."""
        problem = Problem(
            self.file, printable(self.masked(key)), printable(self.masked(message))
        )
        self.problems.append(problem)

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
        for f in msgspec.structs.fields(kind)
        if only is None or f.encode_name in only
    }
    for key, value in raw.items():
        # Asking for nothing is no problem: {"warm": false}.
        if key not in fields and (value or key not in _PLANNED):
            findings.add(prefix + key, _unknown_key(key, fields))
    good: dict[str, Any] = {}
    for key, info in fields.items():
        if key in raw:
            for value in _convert(info.type, raw[key], prefix + key, findings):
                good[info.name] = value
        elif info.required and only is None:
            findings.missing = True
            findings.add(
                prefix + key,
                _("is missing: expected {expected}").format(
                    expected=_(expected_by(info.type))
                ),
            )
    return good


def check_texts(raw: Mapping[str, Any], findings: Findings) -> None:
    """Note the texts that no environment, command line, path or record can hold.

    What is a problem already is not noted twice.
    """
    noted = {problem.key for problem in findings.problems}
    for key, text in _texts_in(raw, ""):
        # A wrong item may have been noted with its list.
        if not can_be_passed(text) and printable(key) not in noted:
            message = _("holds a character that no program can be given: {found}")
            found = MASK if _is_secret(key) else _shown(text, findings)
            findings.add(key, message.format(found=found))


def _texts_in(value: Any, key: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts_in(item, f"{key}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            inner = f"{key}.{name}" if key else name
            yield inner, name
            yield from _texts_in(item, inner)


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


def _unknown_key(key: str, known: Collection[str]) -> str:
    if key in _PLANNED:
        return _("this version does not act on it yet; remove it")
    if close := difflib.get_close_matches(key, known, n=1):
        return _("unknown key; did you mean {key}?").format(key=close[0])
    return _("unknown key; known keys: {keys}").format(
        keys=", ".join(k for k in known if not k.startswith("$"))
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
