"""Projects at paths of more than 260 characters, whether Windows allows them or not."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.support import Cli, MakeProject

pytestmark = [
    pytest.mark.windows,
    pytest.mark.not_wine,
    pytest.mark.skipif(sys.platform != "win32", reason="Windows only"),
]


@pytest.mark.parametrize("prefix", ["", "\\\\?\\"], ids=["plain", "verbatim"])
@pytest.mark.parametrize("length", [200, 245, 258, 300])
def test_a_long_path_concerns_its_project_alone(
    make_project: MakeProject, cli: Cli, tmp_path: Path, prefix: str, length: int
) -> None:
    """It runs, or its path and the reason are told; the next project runs in any case."""
    other = make_project("other")
    missing = max(length - len(str(tmp_path)), 2)
    names = ["n" * 100] * (missing // 101) + ["p" * max(missing % 101 - 1, 1)]
    path = "\\".join([str(tmp_path), *names])
    verbatim = Path("\\\\?\\" + path)
    verbatim.mkdir(parents=True)
    for name in ("exec_config.json", "main.py"):
        (verbatim / name).write_text((other / name).read_text("utf-8"), "utf-8")

    done = cli("run", prefix + path, other)

    told = done.stdout + done.stderr
    assert "Traceback" not in told
    assert "other: main.py: succeeded" in done.stdout
    assert done.returncode in {0, 1, 2}
    if done.returncode:
        assert names[-1] in told
    runs = json.loads(cli("history", "--json").stdout)["runs"]
    assert "running" not in {run["status"] for run in runs}
