"""What produced a result: computer, account, sources, interpreter, packages, variables."""

from __future__ import annotations

from typing import Any

from python_runner.facts import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """The packages of an interpreter's environment.

    Attributes:
        fingerprint: the same for the same names and versions.
        versions: name and version of each, sorted by name.
    """

    fingerprint: str
    versions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunProvenance:
    """What the scripts of a run had in common.

    Attributes:
        computer: its name, as the log has it.
        account: name of the account that the runner ran in.
        packages: fingerprint of the interpreter's packages; None if unknown.
        variables: names of the variables of the scripts' environment, sorted; never
            a value.
    """

    computer: str
    account: str
    packages: str | None = None
    variables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of the project as it was when a script began.

    Attributes:
        path: in the project, with ``/``; absolute for a script outside of it.
        digest: of its bytes, as Git names them: a repository that holds this very file
            gives it back (``git cat-file blob``).
    """

    path: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptProvenance:
    """What a script was made of.

    Attributes:
        script: its own file; None if it could not be read.
        imports: the files of the project that it imports, sorted by path.
    """

    script: SourceFile | None = None
    imports: tuple[SourceFile, ...] = ()


def provenance_document(made_of: RunProvenance | None) -> dict[str, Any]:
    """Return what a run's public JSON document says of it; null if unknown."""
    if made_of is None:
        return dict.fromkeys(("computer", "account", "packages", "variables"))
    return {
        "computer": made_of.computer,
        "account": made_of.account,
        "packages": made_of.packages,
        "variables": list(made_of.variables),
    }


def sources_document(made_of: ScriptProvenance | None) -> dict[str, Any]:
    """Return what a script's public JSON document says of it: its own file comes first."""
    if made_of is None:
        return {"sources": None}
    files = (*filter(None, [made_of.script]), *made_of.imports)
    return {"sources": {file.path: file.digest for file in files}}
