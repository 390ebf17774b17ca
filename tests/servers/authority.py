"""A certificate authority for servers on this machine."""

from __future__ import annotations

import datetime as dt
import ssl
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest


if TYPE_CHECKING:
    from pathlib import Path

    import trustme


@dataclass(frozen=True)
class Authority:
    """A certificate authority and the file its certificate is in."""

    ca: trustme.CA
    file: Path

    def context(self, name: str = "localhost", **options: Any) -> ssl.SSLContext:
        """Return what a server for ``name`` encrypts with."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(name, **options).configure_cert(context)
        return context

    def expired(self) -> ssl.SSLContext:
        """Return a context whose certificate ended yesterday."""
        now = dt.datetime.now(dt.UTC)
        return self.context(
            not_before=now - dt.timedelta(days=9),
            not_after=now - dt.timedelta(days=1),
        )

    def impostor(self, fault: str) -> ssl.SSLContext:
        """Return a context that proves nothing, for the reason that ``fault`` names."""
        if fault == "expired":
            return self.expired()
        if fault == "wrong name":
            return self.context("mail.example.com")
        assert fault == "unknown authority"
        return replace(self, ca=type(self.ca)()).context()


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Return a certificate authority that nobody but its user trusts."""
    module = pytest.importorskip(
        "trustme", reason="its compiled part does not load", exc_type=ImportError
    )
    ca = module.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)
