"""Judges the sources of scripts without running or importing them."""

from __future__ import annotations

import codecs
import io
import json
import subprocess
import sys
import tokenize
import zipfile
from pathlib import PurePath
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.files import reading
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

#: Seconds that all scripts of a project together may take.
_PATIENCE = 30.0
#: Bytes of the largest source that is read.
_LARGEST = 20_000_000
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0

# It compiles as the interpreter itself will: each has syntax of its own. One line a file,
# at once: a source may end even the compiler.
_GREETING = "This is Python."
_COMPILE = f"""
import json, sys, warnings
print("{_GREETING}")
warnings.simplefilter("ignore")
for name in json.loads(sys.stdin.read()):
    found = None
    try:
        with open(name, "rb") as file:
            compile(file.read(), name, "exec", 0, True)
    except SyntaxError as error:
        found = [error.lineno, "%s (Python %d.%d)" % ((error.msg,) + sys.version_info[:2])]
    except (MemoryError, RecursionError):
        found = [None, "too deeply nested"]
    except (OSError, ValueError, OverflowError) as error:
        found = [None, str(error) or type(error).__name__]
    print(json.dumps(found))
    sys.stdout.flush()
"""

_NOTEBOOK = N_(
    "this is a Jupyter notebook, which Python cannot run: `jupyter nbconvert --to script` makes"
    " a script of it"
)
_OTHER = N_(
    "this is a {kind}, which Python cannot run: start it in a script with subprocess.run"
)
_SHELL_SCRIPT = N_("shell script")
_KINDS = {
    **dict.fromkeys((".sh", ".bash", ".zsh", ".ksh", ".fish"), _SHELL_SCRIPT),
    **dict.fromkeys((".bat", ".cmd"), N_("batch file")),
    ".ps1": N_("PowerShell script"),
}
_SHELLS = frozenset({"sh", "bash", "zsh", "ksh", "dash", "fish"})
_PROGRAMS = (b"MZ", b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa\xcf")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True, slots=True)
class SourceProblem:
    """What keeps a script from being run by a Python."""

    file: Path
    reason: Sentence


def source_problems(
    interpreter: Path,
    files: Sequence[Path],
    environ: Mapping[str, str],
    arguments: Sequence[str] = (),
) -> Iterator[SourceProblem]:
    """Yield what keeps scripts from being run by an interpreter, if that is a Python.

    Args:
        interpreter: compiles the sources; nothing of them is run. Another program is not
            known to want Python.
        files: the scripts.
        environ: the environment in which they would run.
        arguments: of the interpreter, before those of Python.
    """
    found, sources = [], []
    for file in dict.fromkeys(files):
        try:
            with reading(file) as opened:
                source = opened.read(_LARGEST)
        except OSError as error:
            template = N_("cannot be read: {error}")
            reason = Sentence.of(template, error=system_error(error))
            found.append(SourceProblem(file, reason))
            continue
        problem = kind_problem(file.name, source)
        if problem is None and _is_compiled(file, source):
            continue
        if problem := problem or encoding_problem(source):
            found.append(SourceProblem(file, problem))
        elif len(source) < _LARGEST:
            sources.append(file)
    command = [str(interpreter), *arguments]
    first, *answers = _compile(command, sources, environ) or [b""]
    if first == _GREETING.encode():
        yield from found
        yield from _syntax_problems(sources, answers)


def foreign_kind(file: Path) -> Sentence | None:
    """Say what a script is that no Python can run; None where one may try."""
    try:
        with reading(file) as opened:
            source = opened.read(_LARGEST)
    except OSError:
        return None
    return None if _is_compiled(file, source) else kind_problem(file.name, source)


def kind_problem(name: str, source: bytes) -> Sentence | None:
    """Say what a file is if it is no Python source, by its name and its first bytes."""
    suffix = PurePath(name).suffix.lower()
    if suffix == ".ipynb" or (
        source.lstrip()[:1] == b"{" and b'"nbformat"' in source and b'"cells"' in source
    ):
        return Sentence.of(_NOTEBOOK)
    kind = _KINDS.get(suffix)
    if kind is None and _names_a_shell(source):
        kind = _SHELL_SCRIPT
    if kind is None and source.startswith(_PROGRAMS):
        kind = N_("program")
    return Sentence.of(_OTHER, kind=Sentence.of(kind)) if kind else None


def _names_a_shell(source: bytes) -> bool:
    """Say whether the first line is like ``#!/bin/sh`` or ``#!/usr/bin/env bash``."""
    if not source.startswith(b"#!"):
        return False
    words = source[2:200].split(b"\n")[0].decode("latin-1").split()
    return not _SHELLS.isdisjoint(word.rpartition("/")[2] for word in words[:3])


def encoding_problem(source: bytes) -> Sentence | None:
    """Say what is wrong with the encoding of a Python source, or None."""
    if source.startswith(_UTF16) or _looks_wide(source):
        return Sentence.of(
            N_("it is saved as UTF-16, which Python cannot read: save it as UTF-8")
        )
    try:
        encoding, _lines = tokenize.detect_encoding(io.BytesIO(source).readline)
    except SyntaxError as error:
        if "missing" not in error.msg:
            return Sentence.of(N_("line {line}: {error}"), line=1, error=error.msg)
        encoding = "utf-8"
    try:
        source.decode(encoding)
    except UnicodeDecodeError as error:
        template = N_(
            "line {line} is not {encoding}: save the file as UTF-8, or name its encoding in"
            " its first line (# coding=cp1252)"
        )
        line = source.count(b"\n", 0, error.start) + 1
        name = encoding.upper().removesuffix("-SIG")
        return Sentence.of(template, line=line, encoding=name)
    if (null := source.find(b"\0")) >= 0:
        # Old Pythons end the script there without a word.
        template = N_("line {line} contains a null byte, which Python cannot read")
        return Sentence.of(template, line=source.count(b"\n", 0, null) + 1)
    return None


def _looks_wide(source: bytes) -> bool:
    """Say whether a source is UTF-16 without a mark."""
    half = len(source) // 2
    zeros = max(source[::2].count(0), source[1::2].count(0))
    return half > 1 and len(source) % 2 == 0 and zeros * 2 > half


def _is_compiled(file: Path, source: bytes) -> bool:
    """Say whether a file is one that Python runs without compiling it."""
    return file.suffix.lower() == ".pyc" or (
        b"PK" in source and zipfile.is_zipfile(file)
    )


def _syntax_problems(
    files: Sequence[Path], answers: Sequence[bytes]
) -> Iterator[SourceProblem]:
    for file, answer in zip(files, answers, strict=False):
        try:
            found = json.loads(answer)
            if found is None:
                continue
            line, error = found
        except (ValueError, TypeError):
            return
        template = N_("line {line}: {error}") if line else "{error}"
        yield SourceProblem(file, Sentence.of(template, line=line, error=str(error)))


def _compile(
    interpreter: Sequence[str], files: Sequence[Path], environ: Mapping[str, str]
) -> list[bytes]:
    """Return a Python's greeting, and a line for each file that it has compiled."""
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that runs the scripts
            [*interpreter, "-E", "-s", "-S", "-c", _COMPILE],
            env=environ,
            input=json.dumps([str(file) for file in files]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_FLAGS,
            timeout=_PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired as expired:
        return (expired.stdout or b"").splitlines()
    except (OSError, ValueError):
        return []
    return done.stdout.splitlines()
