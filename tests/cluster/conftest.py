"""The fixtures of the tests of a cluster."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from python_runner.cluster.coordinator import Cluster
from python_runner.model.cluster import ClusterPlace
from tests.cluster.bench import LEASE, SLEEPS, Bench


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.servers.cluster import DaskCluster
    from tests.support import MakeProject


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Collect what Dask leaves open while the test that ignores it lasts."""
    yield
    gc.collect()


@pytest.fixture
def bench(
    make_project: MakeProject, dask_cluster: DaskCluster, tmp_path: Path
) -> Iterator[Bench]:
    """Return a script that runs for long, in a cluster without workers."""
    place = ClusterPlace(address=dask_cluster.address)
    with Cluster(place, tmp_path / "home", LEASE) as cluster:
        yield Bench(make_project(sources={"main.py": SLEEPS}), cluster)
