"""Where scripts run that do not run in this process: a Dask cluster."""

from __future__ import annotations

from dataclasses import field
from ipaddress import ip_address
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Mapping

#: What stands before the number of worker processes on this computer.
LOCAL = "local:"
#: What stands before the address of a scheduler that encrypts.
TLS = "tls://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPlace:
    """A Dask cluster, and how its workers see our folders.

    Attributes:
        address: of the scheduler, as ``tcp://name:8786`` or ``tls://name:8786``; or
            ``local:4`` for so many worker processes on this computer; empty for none.
        paths: folders as this computer calls them, and as the workers do.
    """

    address: str = ""
    paths: Mapping[str, str] = field(default_factory=dict)

    @property
    def local_workers(self) -> int | None:
        """How many worker processes are wanted on this computer; None for a scheduler."""
        if not self.address.startswith(LOCAL):
            return None
        return int(self.address.removeprefix(LOCAL))

    @property
    def is_private(self) -> bool:
        """Whether nobody else can read what is sent: encrypted, or on this computer.

        Of a name nobody knows here where it leads, not even of ``localhost``.
        """
        if self.address.startswith((TLS, LOCAL)):
            return True
        host = self.address.partition("://")[2].rpartition(":")[0]
        if host.startswith("["):
            host = host[1:-1]
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False
