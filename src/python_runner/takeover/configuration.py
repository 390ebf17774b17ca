"""Turns what an entry does into the configuration of a project."""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.masking import Masker
from python_runner.secret_values import is_secret_name, secret_values, secrets_inside
from python_runner.takeover.command_words import is_python, program_name
from python_runner.takeover.facts import Call, Note, Place, Taken
from python_runner.takeover.recorder import shown
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Folders in which an environment is found without being named.
OWN_ENVIRONMENTS = (".venv", "venv")
#: What finds an environment of the project, which is found by default as well.
_MANAGERS = frozenset({"uv", "poetry", "pipenv", "pdm", "hatch", "rye"})
#: Folders of a path that are tried in the project, from its end.
_MOST_PARTS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """What is known of the project and of this computer.

    Attributes:
        project: its folder, absolute.
        windows: whether this computer's paths are those of Windows.
        in_project: says whether a relative path, with slashes, leads to something there.
        there: says whether an absolute path leads to something.
        mentions: says whether a script names a variable.
        conda: folders of the conda environments of this user.
    """

    project: str
    windows: bool
    in_project: Callable[[str], bool]
    there: Callable[[str], bool]
    mentions: Callable[[str], bool]
    conda: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """The keys of a configuration, and what else there is to say.

    Attributes:
        keys: without those that an entry says nothing of.
        notes: what is not carried over, in the order of the file.
    """

    keys: dict[str, Any]
    notes: tuple[Note, ...]


def configuration(taken: Taken, here: Here) -> Carried:
    """Return the configuration that does what an entry did."""
    return _Writer(taken, here).carried()


def concerns(taken: Taken, here: Here) -> int:
    """Say how surely an entry is about the project: 2 by its path, 1 by names, else 0."""
    writer = _Writer(taken, here)
    found = [writer.in_project(call.script, call.folder) for call in taken.calls]
    if any(sure for path, sure in found if path is not None):
        return 2
    return int(any(path is not None for path, _sure in found))


class _Writer:
    """Writes the keys one after the other, and keeps what is to be said."""

    def __init__(self, taken: Taken, here: Here) -> None:
        self._taken = taken
        self._here = here
        self._paths = ntpath if taken.windows else posixpath
        self._notes = list(taken.notes)
        self._secrets = set(taken.secrets)
        for call in taken.calls:
            self._secrets |= {v for k, v in call.env.items() if is_secret_name(k)}
        self._masker = Masker(self._secrets)
        self._roots: tuple[str, ...] = ()
        self._roots = self._former_roots()

    def carried(self) -> Carried:
        """Return the keys and the notes."""
        taken = self._taken
        calls = [self._without_secrets(call) for call in taken.calls]
        common = _common_env(calls)
        common_timeout = _common_timeout(calls)
        keys: dict[str, Any] = {
            "scripts": [self._entry(call, common, common_timeout) for call in calls],
            "python_command": self._python(calls),
            "recipients": list(taken.recipients),
        }
        if folder := self._working_directory(calls):
            keys["working_directory"] = folder
        if common:
            keys["env"] = common
        if timeout := common_timeout or taken.timeout:
            keys["timeout"] = duration(timeout)
        if any(call.stops for call in calls[:-1]):
            keys["on_failure"] = "stop"
            self._note_unchecked(calls)
        if taken.waits:
            keys["overlap"] = "wait"
        if taken.schedule:
            keys["schedule"] = taken.schedule
        self._notes = [
            replace(note, text=self._masker.sentence(note.text)) for note in self._notes
        ]
        order = {id(note): at for at, note in enumerate(self._notes)}
        notes = sorted(
            self._notes,
            key=lambda note: (
                bool(note.place.file),
                note.place.line or 0,
                order[id(note)],
            ),
        )
        return Carried(keys=keys, notes=tuple(notes))

    def _note(self, call: Call | None, template: str, **values: object) -> None:
        values = {k: shown(v) if isinstance(v, str) else v for k, v in values.items()}
        place = call.place if call else Call(script="").place
        note = Note(place, Sentence.of(template, **values))
        if note not in self._notes:
            self._notes.append(note)

    # --- Paths -----------------------------------------------------------------------

    def _absolute(self, path: str, folder: str | None) -> str:
        """Return a path in the folder where it is meant, as far as that is known."""
        base = folder if folder is not None else self._taken.base
        joined = path if base is None else self._paths.join(base, path)
        return str(self._paths.normpath(joined))

    def in_project(self, path: str, folder: str | None) -> tuple[str | None, bool]:
        """Return a path in the project, with slashes, and whether nothing was guessed.

        A file that was written for another computer or folder names the same scripts by
        another path: its end is looked for in the project.
        """
        whole = self._absolute(path, folder)
        inside = self._inside(whole)
        if inside is not None:
            return inside, True
        if not _is_rooted(whole, self._paths.isabs(whole)):
            there = self._here.in_project(_slashes(whole))
            return (_slashes(whole), False) if there else (None, False)
        if self._is_here(whole):
            return None, False
        parts = [part for part in re.split(r"[\\/]+", whole) if part]
        name = re.split(r"[\\/]", self._here.project.rstrip("\\/"))[-1].lower()
        for at in range(len(parts) - 1, -1, -1):
            if name and parts[at].lower() == name and at + 1 < len(parts):
                rest = "/".join(parts[at + 1 :])
                if self._here.in_project(rest):
                    return rest, False
        for at in range(max(0, len(parts) - _MOST_PARTS), len(parts)):
            rest = "/".join(parts[at:])
            if ":" not in rest and self._here.in_project(rest):
                return rest, False
        return None, False

    def _inside(self, whole: str) -> str | None:
        """Return a path relative to the project; None where it lies elsewhere."""
        roots = list(self._roots)
        if self._taken.windows == self._here.windows:
            roots.insert(0, self._paths.normpath(self._here.project))
        for root in roots:
            mine, other = self._paths.normcase(root), self._paths.normcase(whole)
            if other == mine:
                return "."
            if other.startswith(mine.rstrip("\\/") + self._paths.sep):
                return _slashes(whole[len(root.rstrip("\\/")) + 1 :])
        return None

    def _former_roots(self) -> tuple[str, ...]:
        """Return where the project lay, by the scripts that it still has."""
        roots: dict[str, None] = {}
        for call in self._taken.calls:
            whole = self._absolute(call.script, call.folder)
            found, _sure = self.in_project(call.script, call.folder)
            end = (found or "").replace("/", self._paths.sep)
            if found and whole != end and whole.endswith(self._paths.sep + end):
                roots[whole[: -len(end) - 1]] = None
        return tuple(roots)

    def _is_here(self, path: str) -> bool:
        return self._taken.windows == self._here.windows and self._here.there(path)

    def _script(self, call: Call) -> str:
        """Return the path of a script as the configuration has it."""
        found, _sure = self.in_project(call.script, call.folder)
        if found is not None:
            if not self._here.in_project(found):
                self._note(
                    call,
                    N_("the script {path} does not exist in the project"),
                    path=found,
                )
            return found
        whole = self._absolute(call.script, call.folder)
        if not self._paths.isabs(whole):
            self._note(
                call, N_("the script {path} does not exist in the project"), path=whole
            )
            return _slashes(whole)
        if not self._is_here(whole):
            self._note(call, N_("the script {path} does not exist here"), path=whole)
        else:
            self._note(
                call, N_("the script {path} lies outside of the project"), path=whole
            )
        return whole

    def _working_directory(self, calls: Sequence[Call]) -> str | None:
        """Return the current folder of the scripts; None where it is the project."""
        folders = [call.folder for call in calls]
        if not folders or folders[0] is None:
            return None
        for call in calls:
            if call.folder != folders[0]:
                self._note(
                    call,
                    N_(
                        "the folder {folder} of {script} differs from that of the first one"
                    ),
                    folder=call.folder or "?",
                    script=call.script,
                )
        whole = self._absolute(folders[0], None)
        inside = self._inside(whole)
        if inside is None and not self._paths.isabs(whole) and whole != ".":
            inside = _slashes(whole)
        if whole == "." or inside == ".":
            return None
        if inside is None and self._is_here(whole):
            return whole
        if inside is not None and self._here.in_project(inside):
            return inside
        self._note(
            calls[0], N_("the folder {folder} does not exist here"), folder=whole
        )
        return None

    # --- Entries ---------------------------------------------------------------------

    def _entry(
        self, call: Call, common: dict[str, str], common_timeout: float | None
    ) -> str | dict[str, Any]:
        path = self._script(call)
        entry: dict[str, Any] = {"path": path}
        if call.args:
            entry["args"] = list(call.args)
        own = {name: value for name, value in call.env.items() if name not in common}
        if own:
            entry["env"] = own
        if call.timeout and not common_timeout:
            entry["timeout"] = duration(call.timeout)
        return entry if len(entry) > 1 else path

    def _note_unchecked(self, calls: Sequence[Call]) -> None:
        """Note the scripts whose failure stopped nothing before, or less than now."""
        for call in calls[:-1]:
            if call.stops and call.stops_until not in {None, len(calls)}:
                self._note(
                    call,
                    N_(
                        "a failure of {script} stopped only what depended on it; now it stops"
                        " all that follows"
                    ),
                    script=call.script,
                )
            if not call.stops:
                self._note(
                    call,
                    N_(
                        "a failure of {script} stopped nothing before; now it stops the rest"
                    ),
                    script=call.script,
                )

    def _without_secrets(self, call: Call) -> Call:
        """Return a call without what nobody may read in a configuration."""
        env: dict[str, str] = {}
        for name, value in call.env.items():
            if name in call.own and not self._here.mentions(name):
                continue
            if not re.fullmatch(r"[^=\0]+", name) or "\0" in value:
                continue
            if (
                any(secret_values({name: value}))
                or self._masker.text(value) != value
                or is_secret_name(name)
            ):
                note = _secret_variable(call.set_at.get(name, call.place), name)
                if note not in self._notes:
                    self._notes.append(note)
            else:
                env[name] = value
        return replace(call, env=env, args=self._public_args(call))

    def _public_args(self, call: Call) -> tuple[str, ...]:
        kept: list[str] = []
        args = list(call.args)
        while args:
            arg = args.pop(0)
            name, sign, _value = arg.lstrip("-").partition("=")
            option = arg.startswith("-") and is_secret_name(name.replace("-", "_"))
            inside = any(secrets_inside("", arg)) or self._masker.text(arg) != arg
            if not option and not inside:
                kept.append(arg)
                continue
            if option and not sign and args and not args[0].startswith("-"):
                args.pop(0)
            self._note(
                call,
                N_(
                    "an argument of {script} is secret ({name}) and is not written; let the"
                    " script take it from a variable of the .env file"
                ),
                script=call.script,
                name=name if option else "…",
            )
        return tuple(kept)

    # --- Interpreter -----------------------------------------------------------------

    def _python(self, calls: Sequence[Call]) -> str | list[str] | None:
        """Return the interpreter that most scripts have; note the others."""
        if not calls:
            return None
        found = [self._interpreter(call) for call in calls]
        named = [
            repr(python)
            for call, python in zip(calls, found, strict=True)
            if call.python
        ]
        keys = [repr(python) for python in found]
        # What starts a script by its name alone goes along with the others.
        most = Counter(named or keys).most_common(1)[0][0]
        chosen = found[keys.index(most)]
        for call, python in zip(calls, found, strict=True):
            if python != chosen and call.python:
                self._note(
                    call,
                    N_("{script} had another interpreter, {python}; a project has one"),
                    script=call.script,
                    python=" ".join(call.python) or "python",
                )
        return chosen

    def _interpreter(self, call: Call) -> str | list[str] | None:
        words = call.python
        program = program_name(words[0]) if words else ""
        rest = list(words[1:])
        if not words or (program in _MANAGERS and self._own_environment()):
            return None
        if program in _MANAGERS:
            at = next((n for n, word in enumerate(rest) if is_python(word)), len(rest))
            return [program, *rest[:at], "python", *rest[at + 1 :]]
        if program in {"conda", "mamba", "micromamba"}:
            return self._conda(program, rest)
        if program == "pyenv":
            return ["python", *rest[2:]] if len(rest) > 2 else "python"  # noqa: PLR2004
        path = words[0]
        if not re.search(r"[\\/]", path):
            name = re.sub(r"\.exe$", "", path, flags=re.IGNORECASE)
            name = {"pythonw": "python", "pyw": "py"}.get(name.lower(), name)
        else:
            name = self._path_of_python(path, call)
            if not name:
                # Found by default; its options have no place there, and none is needed.
                return None
        return [name, *rest] if rest else name

    def _path_of_python(self, path: str, call: Call) -> str:
        """Return the path of an interpreter; empty for the environment found by default."""
        path = re.sub(
            r"(python|py)w(?=[\d.]*(?:\.exe)?$)", r"\1", path, flags=re.IGNORECASE
        )
        whole = self._absolute(path, call.python_folder)
        inside = self._inside(whole)
        parts = re.split(r"[\\/]+", whole)
        folder = parts[-3] if len(parts) > 2 else ""  # noqa: PLR2004 - name/bin/python
        elsewhere = inside is None and not self._is_here(whole) and bool(folder)
        if elsewhere and self._here.in_project(f"{folder}/pyvenv.cfg"):
            # Written for another computer; an environment of the same name lies here.
            inside = "/".join(parts[-3:])
        if inside is None and not _is_rooted(whole, self._paths.isabs(whole)):
            inside = _slashes(whole)
        if inside is None:
            return whole
        environment = inside.rsplit("/", 2)[0]
        if environment in OWN_ENVIRONMENTS and environment == self._own_environment():
            return ""
        if self._taken.windows != self._here.windows and self._here.in_project(
            f"{environment}/pyvenv.cfg"
        ):
            end = "Scripts/python" if self._here.windows else "bin/python"
            return f"{environment}/{end}"
        return re.sub(r"\.exe$", "", inside, flags=re.IGNORECASE)

    def _own_environment(self) -> str | None:
        """Return the environment in the project that is found by default, or None."""
        for name in OWN_ENVIRONMENTS:
            if self._here.in_project(f"{name}/pyvenv.cfg"):
                return name
        return None

    def _conda(self, program: str, rest: list[str]) -> str | list[str]:
        """Return the interpreter of a conda environment by its path, where it is known."""
        end = "python.exe" if self._here.windows else "bin/python"
        wanted = {value for option, value in pairwise(rest) if option in {"-n", "-p"}}
        for prefix in self._here.conda:
            if wanted & {prefix, prefix.rpartition("/")[2]}:
                return f"{prefix}/{end}"
        words = [word for word in rest if not is_python(word)]
        return [program, *words, "python"]


def duration(seconds: float) -> str:
    """Return seconds as a configuration writes them: ``45s``, ``30m``, ``2h``."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:.0f}{unit}"
    return f"{seconds:g}s"


def _is_rooted(path: str, absolute: bool) -> bool:
    """Say whether a path begins somewhere else than in the project."""
    return absolute or path[:1] in {"%", "$", "~"}


def _slashes(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")


def _common_env(calls: Sequence[Call]) -> dict[str, str]:
    """Return the variables that all scripts have alike."""
    if not calls:
        return {}
    first, *others = calls
    return {
        name: value
        for name, value in first.env.items()
        if all(call.env.get(name) == value for call in others)
    }


def _common_timeout(calls: Sequence[Call]) -> float | None:
    spans = {call.timeout for call in calls}
    return spans.pop() if len(spans) == 1 else None


def _secret_variable(place: Place, name: str) -> Note:
    template = N_(
        "{name} is secret and is not written; put it into the .env file, whose variables"
        " reach the scripts"
    )
    return Note(place, Sentence.of(template, name=shown(name)))
