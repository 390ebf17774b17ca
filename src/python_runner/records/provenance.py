"""What runs and results were made of, and what results amount to, as the tables hold it.

The same text stands in many runs: it is kept once, in the table ``provenance``, under its
hash, and a run or a result refers to it. What nothing refers to any more is deleted with
the runs that did.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from python_runner.hashes import sha256
from python_runner.model.metrics import OutputNumber, ProducedFile, ScriptMetrics
from python_runner.model.provenance import (
    Packages,
    RunProvenance,
    ScriptProvenance,
    SourceFile,
)
from python_runner.records import rows


if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from sqlite3 import Connection

_COUNTS = (
    *("output_bytes", "output_lines", "log_warnings", "log_errors"),
    "log_criticals",
)
_JSON = json.JSONEncoder(separators=(",", ":"))


# Texts and back; what is damaged is as good as unknown.


def from_run_provenance(made_of: RunProvenance) -> str:
    """Return what the scripts of a run had in common, its packages aside."""
    return _json([made_of.computer, made_of.account, made_of.variables])


def to_run_provenance(
    column: str | None, fingerprint: str | None
) -> RunProvenance | None:
    """Return what :func:`from_run_provenance` wrote, with the packages' fingerprint."""
    match _loaded(column):
        case [str(computer), str(account), [*variables]]:
            return RunProvenance(
                computer=computer,
                account=account,
                packages=fingerprint,
                variables=tuple(map(str, variables)),
            )
        case _:
            return None


def from_script_provenance(made_of: ScriptProvenance) -> str:
    """Return the files that a script was made of, its own first."""
    own, imports = made_of.script, made_of.imports
    return _json(
        [own and [own.path, own.digest], *[[f.path, f.digest] for f in imports]]
    )


def to_script_provenance(column: str | None) -> ScriptProvenance | None:
    """Return what :func:`from_script_provenance` wrote."""
    match _loaded(column):
        case [own, *imports]:
            files = tuple(map(_to_source, imports))
            return ScriptProvenance(
                script=_to_source(own), imports=tuple(filter(None, files))
            )
        case _:
            return None


def _to_source(loaded: Any) -> SourceFile | None:
    match loaded:
        case [str(path), str(digest)]:
            return SourceFile(path=path, digest=digest)
        case _:
            return None


def from_metrics(metrics: ScriptMetrics | None) -> str | None:
    """Return what a result amounts to."""
    if metrics is None:
        return None
    values: list[Any] = [[getattr(metrics, name) for name in _COUNTS]]
    numbers = [[number.line, number.value] for number in metrics.numbers]
    files = [
        [file.path, file.size, rows.from_time(file.modified_at)]
        for file in metrics.files
    ]
    if numbers or files:
        values.append(numbers)
    if files:
        values.append(files)
    return _json(values)


def to_metrics(column: str | None) -> ScriptMetrics | None:
    """Return what :func:`from_metrics` wrote."""
    if not column:
        return None
    try:
        counts, numbers, files = [*json.loads(column), (), ()][:3]
        # Spelt out: when a script ends its fifty latest results are read.
        size, lines, warnings, errors, criticals = map(int, counts)
        return ScriptMetrics(
            output_bytes=size,
            output_lines=lines,
            log_warnings=warnings,
            log_errors=errors,
            log_criticals=criticals,
            numbers=tuple(
                [
                    OutputNumber(line=str(line), value=float(value))
                    for line, value in numbers
                    if math.isfinite(value)
                ]
            ),
            files=tuple(
                [
                    ProducedFile(
                        path=str(path),
                        size=int(size),
                        modified_at=rows.to_time(modified),
                    )
                    for path, size, modified in files
                ]
            ),
        )
    except (ValueError, TypeError, RecursionError, OverflowError):
        return None


def _json(value: object) -> str:
    return _JSON.encode(value)


def _loaded(column: str | None) -> Any:
    if not column:
        return None
    try:
        return json.loads(column)
    except (ValueError, RecursionError):
        return None


# The statements, within the caller's transaction.


def keep_run(
    connection: Connection, made_of: RunProvenance | None
) -> tuple[int | None, int | None]:
    """Keep what the scripts of a run had in common; return its key, and its packages'.

    The packages have been kept before: see :func:`keep_packages`.
    """
    if made_of is None:
        return None, None
    packages = made_of.packages and _key(connection, made_of.packages)
    return _keep(connection, from_run_provenance(made_of)), packages or None


def keep_script(connection: Connection, made_of: ScriptProvenance | None) -> int | None:
    """Keep the files that a script was made of; return the key."""
    if made_of is None:
        return None
    return _keep(connection, from_script_provenance(made_of))


def keep_packages(
    connection: Connection, folders: str, stamp: str, packages: Packages
) -> None:
    """Keep which packages lie in the folders of an environment, for later runs."""
    content = _json(packages.versions)
    key = _keep(connection, content, packages.fingerprint)
    connection.execute(
        """
        INSERT INTO environment (folders, stamp, packages) VALUES (?, ?, ?)
        ON CONFLICT (folders) DO UPDATE SET
            stamp = excluded.stamp, packages = excluded.packages
        """,
        (rows.from_string(folders), stamp, key),
    )


def known_packages(connection: Connection, folders: str, stamp: str) -> str | None:
    """Return the fingerprint of what lies in folders that have not changed since."""
    row = connection.execute(
        """
        SELECT digest FROM environment JOIN provenance ON provenance.id = packages
        WHERE folders = ? AND stamp = ?
        """,
        (rows.from_string(folders), stamp),
    ).fetchone()
    return row and str(row["digest"])


def packages(connection: Connection, fingerprint: str) -> Packages | None:
    """Return the packages with this fingerprint; None where no run has them."""
    row = connection.execute(
        "SELECT content FROM provenance WHERE digest = ?", (fingerprint,)
    ).fetchone()
    try:
        versions = json.loads(row["content"]) if row else None
        return versions and Packages(
            fingerprint=fingerprint,
            versions=tuple((str(name), str(version)) for name, version in versions),
        )
    except (ValueError, TypeError, RecursionError):
        return None


def contents(connection: Connection, runs: str) -> dict[int, str]:
    """Return the texts that runs, a JSON list of keys, and their results refer to."""
    cursor = connection.execute(
        """
        SELECT id, content FROM provenance WHERE id IN (
            SELECT provenance FROM run WHERE id IN (SELECT value FROM json_each(:runs))
            UNION
            SELECT provenance FROM result
            WHERE run IN (SELECT value FROM json_each(:runs))
        )
        """,
        {"runs": runs},
    )
    return {row["id"]: row["content"] for row in cursor}


def references(connection: Connection, runs: Sequence[int]) -> list[int]:
    """Return the keys of all that runs and their results refer to."""
    cursor = connection.execute(
        """
        SELECT provenance FROM run WHERE id IN (SELECT value FROM json_each(:runs))
        UNION SELECT packages FROM run WHERE id IN (SELECT value FROM json_each(:runs))
        UNION SELECT provenance FROM result
        WHERE run IN (SELECT value FROM json_each(:runs))
        """,
        {"runs": json.dumps(runs)},
    )
    return [key for (key,) in cursor if key is not None]


def delete_unused(connection: Connection, keys: Collection[int]) -> None:
    """Delete what nothing refers to any more; an environment is read anew if need be."""
    values = {"keys": json.dumps(list(keys))}
    connection.execute(
        """
        DELETE FROM environment
        WHERE packages IN (SELECT value FROM json_each(:keys))
            AND NOT EXISTS (SELECT 1 FROM run WHERE run.packages = environment.packages)
        """,
        values,
    )
    connection.execute(
        """
        DELETE FROM provenance
        WHERE id IN (SELECT value FROM json_each(:keys))
            AND NOT EXISTS (SELECT 1 FROM result WHERE result.provenance = provenance.id)
            AND NOT EXISTS (SELECT 1 FROM run WHERE run.provenance = provenance.id)
            AND NOT EXISTS (SELECT 1 FROM run WHERE run.packages = provenance.id)
            AND NOT EXISTS (
                SELECT 1 FROM environment WHERE environment.packages = provenance.id
            )
        """,
        values,
    )


def _keep(connection: Connection, content: str, digest: str | None = None) -> int:
    digest = digest or _digest(content)
    if (key := _key(connection, digest)) is None:
        (key,) = connection.execute(
            "INSERT INTO provenance (digest, content) VALUES (?, ?) RETURNING id",
            (digest, content),
        ).fetchone()
    return int(key or 0)


def _key(connection: Connection, digest: str) -> int | None:
    row = connection.execute(
        "SELECT id FROM provenance WHERE digest = ?", (digest,)
    ).fetchone()
    return row and int(row["id"])


def _digest(content: str) -> str:
    return sha256(content.encode())[:32]
