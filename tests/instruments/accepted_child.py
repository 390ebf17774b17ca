"""Checks and runs many projects in one process; prints what became of each.

Reads from stdin a JSON list of names of folders below the current one. Each holds a
project ``p`` and perhaps a ``.env`` and a ``python-runner.toml``.
"""

from __future__ import annotations

import io
import json
import os
import sys
import traceback
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from python_runner.cli import main


def call(*arguments: str) -> dict[str, Any]:
    """Run a command here; return its exit code, what it printed, and how it broke."""
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8") for _ in range(2))
    sys.argv = ["python-runner", *arguments]
    code: object = None
    broke = None
    with redirect_stdout(out), redirect_stderr(err):
        try:
            main()
        except SystemExit as error:
            code = error.code
        except BaseException:  # noqa: BLE001 - that is what is looked for
            broke = traceback.format_exc()
    for stream in (out, err):
        stream.flush()
    told = [s.buffer.getvalue().decode("utf-8", "replace") for s in (out, err)]
    return {"code": code, "out": told[0], "err": told[1], "broke": broke}


def folder_of(case: Path) -> Path:
    """Return the project of a case, whatever it is called."""
    return next(p for p in case.iterdir() if (p / "exec_config.json").exists())


def judge(case: Path) -> dict[str, Any]:
    """Check, run and look up one case."""
    project = folder_of(case)
    listed = (case / "python-runner.toml").exists()
    os.chdir(case)
    chosen = [] if listed else [str(project)]
    found = {"check": call("check", "--json", *chosen)}
    found["run"] = call("run", "--json", *chosen)
    found["history"] = call("history", "--json", str(project))
    log = project / "logs" / f"{project.name}.log"
    known = os.path.isfile(log)  # noqa: PTH113 - Path's own fails for long names
    return {
        **found,
        "log": log.read_text("utf-8", "replace") if known else "",
    }


def tell(what: dict[str, Any]) -> None:
    """Let the parent read it at once."""
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def main_loop() -> None:
    """Judge each folder named on stdin, one line of JSON each."""
    root = Path.cwd()
    for name in json.load(sys.stdin):
        tell({"begins": name})
        result = judge(root / name)
        tell({"ended": name, **result})


if __name__ == "__main__":
    main_loop()
