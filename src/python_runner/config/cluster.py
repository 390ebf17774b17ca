"""Reads where scripts run: ``--on WHERE``, and the key ``cluster``."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from python_runner.config.validation import check_struct
from python_runner.model.cluster import ClusterPlace
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from python_runner.config.validation import Findings

#: The address of a scheduler, or worker processes on this computer.
_WHERE = lazy_pattern(r"(?:tcp|tls)://[^\s/]+:[0-9]{1,5}/?|local:[1-9][0-9]{0,3}")
WHERE = N_('"tcp://scheduler:8786", "tls://scheduler:8786" or "local:4"')


class ClusterTable(Struct, kw_only=True):
    """The table ``[cluster]`` of ``python-runner.toml``."""

    address: Annotated[str, Meta(extra={"expected": WHERE})] = ""
    paths: Annotated[
        dict[Annotated[str, Meta(min_length=1)], Annotated[str, Meta(min_length=1)]],
        Meta(
            extra={
                "expected": N_(
                    "folders here and as the workers see them, such as"
                    ' "/srv/projects" = "/mnt/projects"'
                )
            }
        ),
    ] = {}


def is_place(text: str) -> bool:
    """Say whether a text tells where scripts run."""
    return bool(_WHERE.fullmatch(text))


def why_no_place(text: str) -> str:
    """Say what was expected in the place of ``text``, in the user's language."""
    message = _("expected {expected}, found {found}")
    return message.format(expected=_(WHERE), found=text)


def read_cluster(written: str | dict[str, Any], findings: Findings) -> ClusterPlace:
    """Return the cluster of a key, which is an address or a table; note what is wrong."""
    table = {"address": written} if isinstance(written, str) else written
    prefix = "" if isinstance(written, str) else "cluster."
    good = check_struct(ClusterTable, table, findings, prefix=prefix)
    address = good.get("address", "")
    if address and not is_place(address):
        key = "cluster" if isinstance(written, str) else "cluster.address"
        findings.add(key, why_no_place(address))
    paths: dict[str, str] = good.get("paths", {})
    for here, there in paths.items():
        for folder in (here, there):
            # By the rules of either system: workers may have another than we.
            if not (PurePosixPath(folder).is_absolute() or _is_windows(folder)):
                text = _("the path of a folder must be absolute, found {found}")
                findings.add(f"cluster.paths.{here}", text.format(found=folder))
    return ClusterPlace(address=address.rstrip("/"), paths=paths)


def _is_windows(folder: str) -> bool:
    return PureWindowsPath(folder).is_absolute()
