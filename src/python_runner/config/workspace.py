"""The projects of ``python-runner.toml``, and their common defaults."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING, Any

from python_runner.config.reading import is_there
from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from python_runner.model.cluster import ClusterPlace
    from python_runner.model.fleet import FleetFolder

WORKSPACE_FILE = "python-runner.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """The projects of a ``python-runner.toml``, and their common defaults.

    Attributes:
        projects: folders, in the order given; a pattern's matches in order of name.
        defaults: checked and converted optional keys.
        keep_days: age in days after which records are deleted; None keeps them.
        fleet: where this computer tells others of its runs; None: nowhere.
        cluster: where the scripts run, and what folders are called there, as written.
    """

    projects: tuple[Path, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict, repr=False)
    keep_days: int | None = None
    fleet: FleetFolder | None = None
    cluster: ClusterPlace | None = None

    @property
    def place(self) -> ClusterPlace | None:
        """The cluster in which scripts run if nobody says otherwise."""
        return self.cluster if self.cluster and self.cluster.address else None


def load_workspace(folder: Path) -> Workspace | None:
    """Read ``python-runner.toml`` of ``folder``; None where there is none.

    Raises:
        InvalidConfiguration: with every problem of the file.
    """
    path = folder / WORKSPACE_FILE
    if not is_there(path):
        return None
    from python_runner.config.workspace_file import (  # noqa: PLC0415 - most have none
        read_workspace,
    )

    return read_workspace(path)
