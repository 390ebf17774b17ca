"""A run's page shows the lines around an error as they were when the script began."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from python_runner.records.read_only import open_reader
from tests.support import COMMAND
from tests.web.test_pages import told


if TYPE_CHECKING:
    from pathlib import Path

    from tests.web.asking import Dashboard

SOURCE = """rows = {}
for name in ["total"]:
    print(rows["amount"])  # <b>
print("end")
"""


def run(dashboard: Dashboard, path: Path) -> str:
    """Run a project by the real command; return the page of the run."""
    none = dashboard.folder / "none.env"
    none.touch()
    subprocess.run(
        [*COMMAND, "run", path, "--no-mail", "--env-file", none],
        env=os.environ | {"PYTHON_RUNNER_HOME": str(dashboard.home)},
        cwd=dashboard.folder,
        capture_output=True,
        check=False,
    )
    store, database = open_reader(dashboard.home)
    (last,) = store.runs(limit=1)
    database.close()
    return dashboard.ask(f"/r/{last.run_id}").text


def test_the_lines_around_the_error_are_shown(dashboard: Dashboard) -> None:
    """Three lines with their numbers, that of the error marked, whatever the file is now."""
    path = dashboard.project("p")
    path.joinpath("1.py").write_text(SOURCE, encoding="utf-8")
    page = run(dashboard, path)
    path.joinpath("1.py").write_text("", encoding="utf-8")
    assert "1.py as it ran" in told(page)
    _, _, shown = page.partition('<pre class="tail source"')
    lines = shown.partition("</pre>")[0].partition(">")[2].split("\n")
    assert lines == [
        "     2  for name in [&#34;total&#34;]:",
        "<strong>     3      print(rows[&#34;amount&#34;])  # &lt;b&gt;</strong>",
        "     4  print(&#34;end&#34;)",
    ]


def test_without_a_place_there_are_none(dashboard: Dashboard) -> None:
    """A script that ends with a code alone has no line to show."""
    path = dashboard.project("p")
    path.joinpath("1.py").write_text("raise SystemExit(3)\n", encoding="utf-8")
    assert "as it ran" not in told(run(dashboard, path))
