"""Hashes without OpenSSL: to load its library takes a fifth of a bare interpreter's start.

They name things and tell whether something is the same; they keep nothing secret.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from collections.abc import Callable

#: The modules of the standard library that may have one, small ones first: a Python can
#: be built without these, and their names are its own. ``random`` looks in the same way.
_MODULES = {"sha256": ("_sha2", "_sha256", "hashlib"), "sha1": ("_sha1", "hashlib")}


@cache
def _function(name: str) -> Callable[..., Any]:
    *small, last = _MODULES[name]
    for module in small:
        with suppress(ImportError, AttributeError):
            return _of(module, name)
    return _of(last, name)


def _of(module: str, name: str) -> Callable[..., Any]:
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def sha256(data: bytes) -> str:
    """Return the SHA-256 of some bytes, in hexadecimal digits."""
    digest: str = _function("sha256")(data).hexdigest()
    return digest


def sha1(data: bytes) -> str:
    """Return the SHA-1 of some bytes, in hexadecimal digits, for what Git has."""
    digest: str = _function("sha1")(data, usedforsecurity=False).hexdigest()
    return digest
