"""Rules about modules that cannot be imported, and syntax that a Python does not know."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints import packages
from python_runner.hints.rule import Rule, Seen, named, nothing
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    #: The values of a sentence; None where the rule does not hold after all.
    Found = Mapping[str, object] | None

_NONE = ("ModuleNotFoundError",)
_IMPORT = ("ImportError", "ModuleNotFoundError")
_MISSING = lazy_pattern(r"No module named '(?P<module>\w[\w.]*)'$")
#: Syntax, as the line of a traceback shows it, and the version that brought it.
_SYNTAX = (
    (lazy_pattern(r"\s*(?:match|case)\b[^=]*:\s*(?:#.*)?$"), (3, 10)),
    (lazy_pattern(r"\s*except\s*\*"), (3, 11)),
    (lazy_pattern(r"\s*type\s+\w+(?:\[[^\]]*\])?\s*="), (3, 12)),
    (lazy_pattern(r"\s*(?:async\s+)?(?:def|class)\s+\w+\["), (3, 12)),
    (lazy_pattern(r".*[(\s]\w+\s*:=\s"), (3, 8)),
)
#: What an older Python says of newer syntax.
_SAID = (
    (lazy_pattern(r"multiple exception types must be parenthesized"), (3, 14)),
    (lazy_pattern(r"f-string expression part cannot include"), (3, 12)),
)
_PYTHON_2 = N_(
    "the script is written for Python 2, which nobody maintains: convert it, or name"
    " a Python 2 in python_command"
)


def _top(seen: Seen) -> str:
    return seen.match["module"].partition(".")[0]


def _hidden(seen: Seen) -> Found:
    folder = seen.around.module_folder(seen.match["package"])
    if folder is None:
        return None
    return {"package": seen.match["package"], "folder": folder}


def _own(seen: Seen) -> Found:
    module = seen.match["module"]
    folder = None if "." in module else seen.around.module_folder(module)
    return None if folder is None else {"module": module, "folder": folder}


def _removed(seen: Seen) -> Found:
    return {"module": seen.match["module"]} if _top(seen) in packages.REMOVED else None


def _only_windows(seen: Seen) -> Found:
    module = seen.match["module"]
    there = _top(seen) in packages.WINDOWS_ONLY or (
        packages.surely_package_of(module) == "pywin32"
    )
    return {"module": module} if there and not seen.around.windows else None


def _only_posix(seen: Seen) -> Found:
    there = _top(seen) in packages.POSIX_ONLY and seen.around.windows
    return {"module": seen.match["module"]} if there else None


def _separate(seen: Seen) -> Found:
    there = _top(seen) in packages.SEPARATE
    return _python(seen, module=seen.match["module"]) if there else None


def _newer(seen: Seen) -> Found:
    needed = packages.NEWER.get(_top(seen))
    return None if needed is None else _needing(seen, needed, seen.match["module"])


def _needing(seen: Seen, needed: tuple[int, int], module: str = "") -> Found:
    version = seen.around.version
    if version is None or version >= needed:
        return None
    return {
        "module": module,
        "needed": ".".join(map(str, needed)),
        "version": ".".join(map(str, version)),
    }


def _python(seen: Seen, **values: object) -> dict[str, object]:
    return {"python": seen.around.python, **values}


def _known(seen: Seen) -> Found:
    return _installed(seen, packages.surely_package_of(_plain(seen)))


def _known_to_system(seen: Seen) -> Found:
    return _into_environment(seen, packages.surely_package_of(_plain(seen)))


def _of_python_2(seen: Seen) -> Found:
    return {} if seen.match["module"] in packages.OF_PYTHON_2 else None


def _probably_own(seen: Seen) -> Found:
    # Packages of these names are somebody else's.
    own = _plain(seen).lower() in packages.OWN_NAMES
    return {"module": seen.match["module"]} if own else None


def _unknown(seen: Seen) -> Found:
    if _plain(seen) in packages.NO_PACKAGE:
        return None
    return _installed(seen, packages.package_of(_plain(seen)))


def _plain(seen: Seen) -> str:
    """Return the module if it is missing itself, and no part of one that is there."""
    module = seen.match["module"]
    return "" if "." in module or module.startswith("_") else module


def _installed(seen: Seen, package: str | None) -> Found:
    if not package or not seen.around.install:
        return None
    command = f"{seen.around.install} {package}"
    return {"module": seen.match["module"], "command": command}


def _into_environment(seen: Seen, package: str | None) -> Found:
    make, install = seen.around.environment
    if not package or not make:
        return None
    return _python(
        seen, module=seen.match["module"], make=make, command=f"{install} {package}"
    )


def _optional(seen: Seen) -> Found:
    module = seen.match["one"] or seen.match["other"]
    if not seen.around.install:
        return None
    command = f"{seen.around.install} {packages.package_of(module)}"
    return {"module": module, "command": command}


def _syntax(seen: Seen) -> Found:
    said = seen.failure.message
    for pattern, needed in _SAID:
        if pattern.match(said):
            return _needing(seen, needed)
    for line in seen.failure.text.splitlines()[-4:]:
        for pattern, needed in _SYNTAX:
            if pattern.match(line) and (found := _needing(seen, needed)):
                return found
    return None


RULES = (
    Rule(
        name="module-hidden",
        kinds=_NONE,
        message=lazy_pattern(
            r"No module named '(?P<module>[\w.]+)'; '(?P<package>\w+)' is not a package"
        ),
        words=N_(
            "a file of your own, {package}.py in {folder}, hides the package of that"
            " name: give it another name"
        ),
        values=_hidden,
    ),
    Rule(
        name="module-own",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "{module} lies in {folder}, where Python does not look for modules: add that"
            " folder to PYTHONPATH under `env` in exec_config.json"
        ),
        values=_own,
    ),
    Rule(
        name="module-newer",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "{module} came with Python {needed}, and this run used {version}: name a newer"
            " Python in python_command"
        ),
        values=_newer,
    ),
    Rule(
        name="module-removed",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "newer versions of Python do not have {module} any more: use another module,"
            " or name an older Python in python_command"
        ),
        values=_removed,
    ),
    Rule(
        name="module-of-windows",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "{module} exists on Windows only, and this computer has another system"
        ),
        values=_only_windows,
    ),
    Rule(
        name="module-of-posix",
        kinds=_NONE,
        message=_MISSING,
        words=N_("{module} does not exist on Windows: use another module there"),
        values=_only_posix,
    ),
    Rule(
        name="module-of-the-system",
        kinds=_IMPORT,
        message=_MISSING,
        words=N_(
            "{python} has no {module}, which is a part of Python: install it from the"
            " system's packages (python3-tk for tkinter), or use another Python"
        ),
        values=_separate,
    ),
    Rule(
        name="module-missing",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "{module} is not installed for the Python of this run; install it there:"
            " {command}"
        ),
        values=_known,
    ),
    Rule(
        name="module-missing-for-system",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "{module} is not installed for {python}, which belongs to the system; make an"
            " environment in the project ({make}), install it there ({command}) and set"
            " python_command to null"
        ),
        values=_known_to_system,
    ),
    Rule(
        name="module-of-python-2",
        kinds=_NONE,
        message=_MISSING,
        words=_PYTHON_2,
        values=_of_python_2,
    ),
    Rule(
        name="module-probably-own",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "the Python of this run does not find {module}: if it is a file of your own, add"
            " its folder to PYTHONPATH under `env` in exec_config.json"
        ),
        values=_probably_own,
    ),
    Rule(
        name="module-unknown",
        kinds=_NONE,
        message=_MISSING,
        words=N_(
            "the Python of this run does not find {module}. If it is a package, install it"
            " there: {command}; if it is a file of your own, add its folder to PYTHONPATH"
            " under `env`"
        ),
        values=_unknown,
    ),
    Rule(
        name="optional-package",
        kinds=_IMPORT,
        message=lazy_pattern(
            r"(?:Missing optional dependency '(?P<one>[\w.-]+)'"
            r"|`Import (?P<other>[\w.-]+)` failed)\..* Use pip(?: or conda|, conda,)"
        ),
        words=N_("{module} is needed as well; install it: {command}"),
        values=_optional,
    ),
    Rule(
        name="circular-import",
        kinds=("ImportError", "AttributeError"),
        message=lazy_pattern(
            r"(?:cannot import name '\w+' from )?partially initialized module '[\w.]+' .*"
            r"most likely due to a circular import\)(?: \((?P<file>[^()]+\.py)\))?"
        ),
        words=N_(
            "two modules import each other, or a file of your own has the name of a"
            " package: rename that file, or import inside of a function"
        ),
    ),
    Rule(
        name="file-hides-module",
        kinds=("ImportError", "AttributeError"),
        message=lazy_pattern(r".*\(consider renaming '(?P<file>(?:[^'\\]|\\.)+)' "),
        words=N_("{file} has the name of a module that the script needs: rename it"),
        values=named,
    ),
    Rule(
        name="dll",
        kinds=_IMPORT,
        message=lazy_pattern(r"DLL load failed while importing (?P<module>\w+): "),
        words=N_(
            "a library that {module} needs is missing, or is made for another Python:"
            " install the Visual C++ Redistributable of Microsoft for the bits of this"
            " Python (mostly x64), then the package again"
        ),
        values=named,
    ),
    Rule(
        name="opencv-screen",
        kinds=_IMPORT,
        message=lazy_pattern(
            r"(?P<library>libGL\.so\.1|libgthread-2\.0\.so\.0): cannot open shared object"
        ),
        words=N_(
            "this computer has no libraries for a screen: install opencv-python-headless"
            " in place of opencv-python, or the system's package with {library}"
        ),
        values=named,
    ),
    Rule(
        name="shared-library",
        kinds=("ImportError", "OSError"),
        message=lazy_pattern(
            r"(?P<library>[\w+.-]+\.so(?:\.\d+)*): cannot open shared object file:"
            r" No such file or directory$"
        ),
        words=N_(
            "the system library {library} is not installed on this computer: install the"
            " system's package that contains it"
        ),
        values=named,
    ),
    Rule(
        name="python-2",
        kinds=("SyntaxError", "TabError"),
        message=lazy_pattern(r"Missing parentheses in call to '(?:print|exec)'"),
        words=_PYTHON_2,
        values=nothing,
    ),
    Rule(
        name="newer-syntax",
        kinds=("SyntaxError",),
        message=lazy_pattern(""),
        words=N_(
            "the script is written for Python {needed} or newer, and this run used"
            " {version}: name a newer Python in python_command"
        ),
        values=_syntax,
    ),
)
