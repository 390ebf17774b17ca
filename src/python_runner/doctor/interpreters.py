"""What is found out about the interpreter of a project and what its scripts import."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING

from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding
from python_runner.doctor.module_files import Wanted, wanted_modules
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.environment import child_environment
from python_runner.execution.interpreter_version import shown_command
from python_runner.execution.module_search import search_modules
from python_runner.execution.start_time import measure_start
from python_runner.hints.packages import REMOVED, package_of
from python_runner.installation import shell_program, shell_word
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import N_, Sentence, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from python_runner.doctor.examination import Examination
    from python_runner.model import Settings

#: When the last correction of each Python was due (https://devguide.python.org/versions).
_ENDS = {
    (3, 5): date(2020, 9, 30),
    (3, 6): date(2021, 12, 23),
    (3, 7): date(2023, 6, 27),
    (3, 8): date(2024, 10, 7),
    (3, 9): date(2025, 10, 31),
    (3, 10): date(2026, 10, 31),
    (3, 11): date(2027, 10, 31),
    (3, 12): date(2028, 10, 31),
    (3, 13): date(2029, 10, 31),
    (3, 14): date(2030, 10, 31),
}
#: That of all older ones, or earlier.
_OLD = date(2020, 1, 1)
#: Imports that are told one by one, per project.
_MOST_IMPORTS = 30


def end_of_life(version: str) -> date | None:
    """Return when the last correction of a Python was due; None where nobody knows yet."""
    found = re.match(r"(\d+)\.(\d+)", version)
    if found is None:
        return None
    number = (int(found[1]), int(found[2]))
    return _OLD if number < min(_ENDS) else _ENDS.get(number)


def look_at_version(examined: Examination, today: date) -> Iterator[Finding]:
    """Yield that a project's Python gets no corrections any more."""
    if not (examined.version and examined.interpreter):
        return
    ends = end_of_life(examined.version)
    if ends and today > ends:
        yield Finding.of(
            kinds.INTERPRETER_ENDED,
            examined.folder,
            version=examined.version,
            interpreter=str(examined.interpreter),
            date=ends.isoformat(),
        )


def look_at_imports(examined: Examination, settings: Settings) -> Iterator[Finding]:
    """Yield which imports of a project's scripts its interpreter does not find."""
    project, command = examined.project, examined.command
    if project is None or not examined.version or not command:
        return
    environ = child_environment(settings.environ, project.env, run_id="")
    sources = [file for file in examined.scripts if file.suffix.lower() != ".pyc"]
    wanted = wanted_modules(sources)
    asked = {"pip"} | {name for one in wanted for name in one.names}
    found = search_modules(command, asked, examined.folder, environ)
    if found is None:
        message = _("{interpreter} did not say which modules it has")
        told = message.format(interpreter=shown_command(command))
        raise PythonRunnerError(told)
    if found.bits == 32:  # noqa: PLR2004 - bits
        yield Finding.of(
            kinds.INTERPRETER_32BIT,
            examined.folder,
            version=examined.version,
            interpreter=shown_command(command),
        )
    missing = [one for one in wanted if not found.missing.isdisjoint(one.names)]
    for one in missing[:_MOST_IMPORTS]:
        yield _missing(one, examined, found.missing)


def _missing(one: Wanted, examined: Examination, missing: frozenset[str]) -> Finding:
    name = next(name for name in one.names if name in missing)
    file = one.file
    if file.is_relative_to(examined.folder):
        file = file.relative_to(examined.folder)
    values = {
        "file": str(file),
        "line": one.line,
        "module": name,
        "interpreter": shown_command(examined.command),
        "version": examined.version,
    }
    if name.partition(".")[0] in REMOVED:
        return Finding.of(kinds.IMPORT_REMOVED, examined.folder, **values)
    program, *flags = examined.command
    python = " ".join((shell_program(program), *map(shell_word, flags)))
    command = f"{python} -m pip install {package_of(name)}"
    if "pip" in missing:
        # The environments that uv makes have no pip.
        command = f"uv pip install --python {shell_word(program)} {package_of(name)}"
    kind = kinds.IMPORT_MISSING if one.certain else kinds.IMPORT_MISSING_INSIDE
    return Finding.of(kind, examined.folder, **values, command=command)


def look_at_start(
    command: Sequence[str],
    folder: Path,
    environ: dict[str, str],
    project: Path | None,
) -> Iterator[Finding]:
    """Yield that an interpreter starts slowly because of what packages load each time."""
    found = measure_start(command, folder, environ)
    if found is None or not found.is_slow:
        return
    formats = Formats(system_language())
    program = shown_command(command)
    unknown = Sentence.of(N_("its .pth files, sitecustomize or usercustomize"))
    yield Finding.of(
        kinds.INTERPRETER_SLOW,
        project,
        interpreter=program,
        seconds=formats.duration(found.whole),
        site=formats.duration(found.site),
        names=", ".join(found.slowest) or unknown,
        command=f"{program} -X importtime -c pass",
    )
