"""The keys ``warm`` and ``preload`` in a whole run, and in what `check` says."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner import run_project


if TYPE_CHECKING:
    from tests.support import Cli, MakeProject

#: Says whether its process was started ahead: a copy has no interpreter of its own.
SHOW = "import sys; print('json' in sys.modules)"


@pytest.mark.parametrize("parallel", [1, 3])
def test_a_warm_series_has_the_results_of_a_cold_one(
    parallel: int, make_project: MakeProject
) -> None:
    """Scripts with variables of their own, failures and retries among them."""
    sources = {
        "a.py": SHOW,
        "b.py": "import os; print(os.environ['OWN'])",
        "c.py": "1 / 0",
        "d.py": SHOW,
        "e.py": SHOW,
    }
    own = {"path": "b.py", "env": {"OWN": "mine"}}
    again = {"path": "c.py", "retries": 1, "retry_delay": 0.01}
    scripts = ["a.py", own, again, "d.py", {"path": "e.py", "needs": ["c.py"]}]
    folder = make_project(
        sources=sources,
        scripts=scripts,
        warm=True,
        preload=["json"],
        max_parallel=parallel,
    )

    result = run_project(folder)

    assert [script.status for script in result.scripts] == [
        *("success", "success", "failure", "success", "skipped")
    ]
    assert [script.attempts for script in result.scripts] == [1, 1, 2, 1, 0]
    assert result.warnings == ()
    outputs = [
        script.output.read_text().strip()
        for script in result.scripts[:4]
        if script.output
    ]
    assert outputs[1] == "mine"
    assert outputs[3] == "True"


def test_why_scripts_are_not_warm_is_told_in_the_report(
    make_project: MakeProject,
) -> None:
    """Once, and every script runs."""
    folder = make_project(
        sources={"a.py": "print(1)", "b.py": "print(2)", "c.py": "print(3)"},
        warm=True,
        preload=["no_such_module"],
    )

    result = run_project(folder)

    assert result.status == "success"
    (warning,) = result.warnings
    assert "no_such_module cannot be imported" in warning


def test_check_names_a_module_that_cannot_be_imported(
    make_project: MakeProject, cli: Cli
) -> None:
    """By its place in the configuration."""
    folder = make_project(warm=True, preload=["json", "no_such_module"])

    done = cli("check", "--json", str(folder))

    found = json.loads(done.stdout)["warnings"]
    (warning,) = (one for one in found if one["key"].startswith("preload"))
    assert warning["key"] == "preload[1]"
    assert (
        "no_such_module cannot be imported: ModuleNotFoundError" in warning["message"]
    )


@pytest.mark.skipif(sys.platform == "win32", reason="wine's Python cannot be replaced")
def test_a_program_that_is_no_python_is_never_warm(
    make_project: MakeProject,
) -> None:
    """It is told why."""
    folder = make_project(
        sources={"a.sh": "echo 1", "b.sh": "echo 2"}, python_command="sh", warm=True
    )

    result = run_project(folder)

    assert result.status == "success"
    assert any("needs Python 3.8 or newer" in warning for warning in result.warnings)
