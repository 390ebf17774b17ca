"""Reads what stands in a ``python-runner.toml``, with every problem of it."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from python_runner.config.keys import ExecConfig
from python_runner.config.project import (
    CONFIG_FILE,
    WILDCARDS,
    usable_addresses,
    variables_of,
)
from python_runner.config.reading import read_toml
from python_runner.config.validation import (
    Findings,
    check_struct,
    check_texts,
    struct_fields,
)
from python_runner.config.workspace import Workspace
from python_runner.exceptions import InvalidConfiguration
from python_runner.files import absolute
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import N_
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from python_runner.model.cluster import ClusterPlace
    from python_runner.model.fleet import FleetFolder

_ADDRESS = lazy_pattern(r"[A-Za-z][A-Za-z0-9+.-]+://")
#: Keys of a project that may have a default for all: the optional ones.
_DEFAULTS = frozenset(
    f.encode_name for f in struct_fields(ExecConfig) if not f.required
) - {"$schema"}


class WorkspaceFile(Struct, kw_only=True):
    """What ``python-runner.toml`` may hold."""

    projects: Annotated[
        list[Annotated[str, Meta(min_length=1)]],
        Meta(extra={"expected": N_('folders, such as ["project_1", "shared/*"]')}),
    ] = []
    defaults: Annotated[
        dict[str, Any],
        Meta(extra={"expected": N_("optional keys of exec_config.json")}),
    ] = {}
    keep_days: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(extra={"expected": N_("a whole number of days, 1 or more")}),
    ] = None
    fleet: Annotated[
        Annotated[str, Meta(min_length=1)] | None,
        Meta(
            extra={"expected": N_('a folder, such as "//server/share/python-runner"')}
        ),
    ] = None
    fleet_details: Annotated[bool, Meta(extra={"expected": N_("true or false")})] = (
        False
    )
    cluster: Annotated[
        str | dict[str, Any] | None,
        Meta(
            extra={
                "expected": N_(
                    'the address of a cluster, such as "tcp://scheduler:8786", or a'
                    " table with address and paths"
                )
            }
        ),
    ] = None


def read_workspace(path: Path) -> Workspace:
    """Read a ``python-runner.toml``.

    Raises:
        InvalidConfiguration: with every problem of the file.
    """
    folder = path.parent
    findings = Findings(str(path))
    raw = read_toml(path)
    good = check_struct(WorkspaceFile, raw, findings)
    check_texts(raw, findings)
    variables = variables_of(good.get("defaults", {}))
    findings.secrets = tuple(secret_values(os.environ, *variables))
    defaults = check_struct(
        ExecConfig,
        good.get("defaults", {}),
        findings,
        prefix="defaults.",
        only=_DEFAULTS,
    )
    usable_addresses(defaults, findings, "defaults.")
    fleet = _fleet(folder, good, findings)
    cluster = _cluster(good, findings)
    projects = tuple(_expand(folder, good.get("projects", ())))
    if findings.problems:
        raise InvalidConfiguration(findings.problems)
    return Workspace(
        projects=projects,
        defaults=defaults,
        keep_days=good.get("keep_days"),
        fleet=fleet,
        cluster=cluster,
    )


def _cluster(good: Mapping[str, Any], findings: Findings) -> ClusterPlace | None:
    if (written := good.get("cluster")) is None:
        return None
    from python_runner.config.cluster import read_cluster  # noqa: PLC0415 - few have one

    return read_cluster(written, findings)


def _fleet(
    folder: Path, good: Mapping[str, Any], findings: Findings
) -> FleetFolder | None:
    """Return where this computer tells others of its runs; whether it is there is not asked."""
    written = good.get("fleet")
    if written is None:
        if good.get("fleet_details"):
            findings.add("fleet_details", _("has no effect without the key `fleet`"))
        return None
    if _ADDRESS.match(written):
        text = _("expected a folder, not an address; write //server/share/folder")
        findings.add("fleet", text)
    elif sys.platform != "win32" and written.startswith(("//", "\\\\")):
        text = _(
            "only Windows opens a share by its name; mount it, and write the folder where"
            " it is mounted"
        )
        findings.add("fleet", text)
    from python_runner.model.fleet import FleetFolder  # noqa: PLC0415 - few have one

    return FleetFolder(
        folder=absolute(folder / written),
        details=good.get("fleet_details", False),
        keep_days=good.get("keep_days"),
    )


def _expand(folder: Path, patterns: list[str]) -> Iterator[Path]:
    """Yield the folders: as named, or those with a configuration a pattern matches.

    A pattern that matches nothing is yielded itself.
    """
    seen: set[Path] = set()
    for pattern in patterns:
        found = _matches(folder, pattern) if WILDCARDS & set(pattern) else []
        # A share that does not answer keeps no other project from running: a pattern
        # without a match stands for a project, which cannot be read.
        found = found or [folder / pattern]
        for project in found:
            if project not in seen:
                seen.add(project)
                yield project


def _matches(folder: Path, pattern: str) -> list[Path]:
    """Return the folders with a configuration that a pattern matches, by name."""
    # A pattern is relative to a folder; an absolute one to its own root.
    root = Path(pattern).anchor
    wanted = Path(pattern, CONFIG_FILE).relative_to(root)
    # Folders that may not be looked into hold no project of ours.
    with suppress(OSError, ValueError):
        return sorted(p.parent for p in (folder / root).glob(str(wanted)))
    return []
