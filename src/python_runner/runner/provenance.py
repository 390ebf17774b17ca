"""Finds out what the scripts of a run have in common, as it is when the run begins."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from python_runner.computer import account_name, host_name
from python_runner.execution.environment import child_environment
from python_runner.execution.installed_packages import (
    package_folders,
    read_packages,
    stamp_of,
)
from python_runner.model.provenance import RunProvenance
from python_runner.records.store import StoreError


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Interpreter
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext


def run_provenance(
    context: RunContext, interpreter: Interpreter | None
) -> RunProvenance:
    """Return the computer, the account, the packages and the names of the variables.

    What cannot be found out is unknown; nothing here keeps a run from going on.
    """
    environment = child_environment(
        context.session.settings.environ, context.project.env, run_id=context.run_id
    )
    own = (name for script in context.project.scripts for name in script.env)
    packages = None
    store = context.session.store
    # What the records refuse here they refuse where the run begins, and it is told there.
    with suppress(OSError, StoreError):
        if store and interpreter:
            packages = _packages(store, interpreter, environment)
    made_of = RunProvenance(
        computer=host_name(),
        account=account_name(),
        packages=packages,
        variables=tuple(sorted({*environment, *own})),
    )
    return context.masker.fact(made_of)


def _packages(
    store: Store, interpreter: Interpreter, environment: Mapping[str, str]
) -> str | None:
    """Return the fingerprint of an interpreter's packages; read where they have changed.

    Raises:
        OSError: a folder cannot be read.
        StoreError: the records cannot be read or written.
    """
    folders = package_folders(interpreter, environment)
    if not folders:
        return None
    name, stamp = "\n".join(folders), stamp_of(folders)
    known = store.known_packages(name, stamp)
    if known is None:
        packages = read_packages(folders)
        store.keep_packages(name, stamp, packages)
        known = packages.fingerprint
    return known
