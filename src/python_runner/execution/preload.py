"""Which modules an interpreter cannot import ahead of the scripts."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Seconds that all modules together may take.
_PATIENCE = 60.0
#: What is said comes last, whatever the modules print before.
_MARK = "python-runner:"
_IMPORT = f"""
import json, os, sys
folder, names = json.loads(sys.stdin.read())
sys.path[0] = folder
wrong = {{}}
for name in names:
    try:
        exec(compile("import " + name, "<preload>", "exec"), {{"__name__": "__main__"}})
    except BaseException as error:
        wrong[name] = "%s: %s" % (type(error).__name__, error)
sys.__stdout__.write("\\n{_MARK}" + json.dumps(wrong) + "\\n")
sys.__stdout__.flush()
os._exit(0)
"""
if sys.platform == "win32":
    _FLAGS = subprocess.CREATE_NO_WINDOW
else:
    _FLAGS = 0


def import_problems(
    interpreter: Sequence[str],
    modules: Sequence[str],
    folder: str,
    environ: Mapping[str, str],
) -> dict[str, str]:
    """Return the errors of the modules that cannot be imported, by their names.

    The modules are imported in a process of their own, as scripts in ``folder`` would.
    Where that says nothing, as when a module takes too long, nothing is returned.
    """
    if not modules:
        return {}
    try:
        done = subprocess.run(  # noqa: S603 - the interpreter that runs the scripts
            [*interpreter, "-c", _IMPORT],
            cwd=folder,
            env=environ,
            input=json.dumps([folder, list(modules)]).encode(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            creationflags=_FLAGS,
            timeout=_PATIENCE,
            check=False,
        )
        _, mark, answer = done.stdout.decode("utf-8", "replace").rpartition(_MARK)
        return dict(json.loads(answer)) if mark else {}
    except (OSError, ValueError, TypeError, subprocess.TimeoutExpired):
        return {}
