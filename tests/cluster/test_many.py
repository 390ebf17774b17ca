"""Many scripts in a cluster: all succeed, and each runs once."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.instruments.cases import LONG


if TYPE_CHECKING:
    from tests.support import Cli, MakeProject

COUNT = 10_000


@pytest.mark.slow
@pytest.mark.not_wine
@pytest.mark.timeout(3600)
@pytest.mark.skipif(not LONG, reason="takes minutes; the weekly job runs it")
def test_ten_thousand_scripts(cli: Cli, make_project: MakeProject) -> None:
    """Each has one attempt by the records, and has run once by its own word."""
    names = [f"n{number:05}.py" for number in range(COUNT)]
    folder = make_project(
        sources=dict.fromkeys(
            names, "import sys; open('begun', 'a').write(sys.argv[0][-9:-3] + '\\n')"
        ),
        scripts=names,
        max_parallel=4,
    )
    done = cli("run", folder, "--on", "local:2", "--json", timeout=3500)
    assert done.returncode == 0, done.stderr[-2000:]
    scripts = json.loads(done.stdout)["runs"][0]["scripts"]
    assert Counter(script["status"] for script in scripts) == {"success": COUNT}
    assert Counter(script["attempts"] for script in scripts) == {1: COUNT}
    begun = Counter((folder / "begun").read_text("utf-8").split())
    assert len(begun) == COUNT
    assert set(begun.values()) == {1}
