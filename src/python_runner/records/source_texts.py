"""The texts of the scripts and of what they import, as they were in earlier runs.

A text is kept once for each project, compressed, under the digest of its file. It holds no
secret that its project knew. There is a limit for each project, and what no recorded
result is made of any more is deleted with the runs that were.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.records.queries import project


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path
    from sqlite3 import Connection

    from python_runner.records.database import Database

#: Bytes of the compressed texts of a project: those of some hundred scripts, or versions.
LIMIT = 4_000_000
#: Bytes of the longest text; more of them are damaged.
_LONGEST = 4_000_000
#: What names a file in the texts of the table ``provenance``.
_DIGEST = lazy_pattern(r'"([0-9a-f]{32,128})"')


class SourceTexts:
    """The texts of one database; raises :class:`StoreError` as the store does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def known(self, path: Path) -> dict[str, int]:
        """Return the digests of the texts that a project has, and the bytes of each."""
        with self._database.read() as connection:
            cursor = connection.execute(
                "SELECT digest, length(text) FROM source WHERE project = ?",
                (project(connection, path),),
            )
            return dict(map(tuple, cursor))

    def keep(
        self, path: Path, texts: Mapping[str, str], needed: Collection[str] = ()
    ) -> None:
        """Keep texts of a project's files by their digests; the oldest ones make room.

        Args:
            path: the project's folder; one that has no run yet has no texts either.
            texts: without secrets.
            needed: digests of those that stay in any case: of the present run.
        """
        import zlib  # noqa: PLC0415 - most runs find nothing new

        with self._database.write() as connection:
            key = project(connection, path)
            if key is None:
                return
            connection.executemany(
                "INSERT OR IGNORE INTO source (project, digest, text) VALUES (?, ?, ?)",
                [
                    (key, digest, zlib.compress(text.encode("utf-8", "replace")))
                    for digest, text in texts.items()
                ],
            )
            _make_room(connection, key, needed)

    def text(self, path: Path, digest: str) -> str | None:
        """Return the text of a project's file; None where it is not kept, or damaged."""
        import zlib  # noqa: PLC0415 - as above

        with self._database.read() as connection:
            row = connection.execute(
                "SELECT text FROM source WHERE project = ? AND digest = ?",
                (project(connection, path), digest),
            ).fetchone()
        try:
            data = row and zlib.decompressobj().decompress(row["text"], _LONGEST)
        except (zlib.error, TypeError):
            return None
        return data.decode("utf-8", "replace") if row else None


def _make_room(connection: Connection, key: int, needed: Collection[str]) -> None:
    (size,) = connection.execute(
        "SELECT coalesce(sum(length(text)), 0) FROM source WHERE project = ?", (key,)
    ).fetchone()
    if size <= LIMIT:
        return
    # What is kept last is needed last: a text that is still in use is kept anew.
    connection.execute(
        """
        DELETE FROM source WHERE rowid IN (
            SELECT rowid FROM (
                SELECT rowid, digest,
                    sum(length(text)) OVER (ORDER BY rowid DESC) AS behind
                FROM source WHERE project = :key
            )
            WHERE behind > :limit
                AND digest NOT IN (SELECT value FROM json_each(:needed))
        )
        """,
        {"key": key, "limit": LIMIT, "needed": json.dumps(list(needed))},
    )


def delete_unneeded(connection: Connection) -> None:
    """Delete the texts of files that no result is made of any more."""
    kept = {digest for (digest,) in connection.execute("SELECT digest FROM source")}
    if not kept:
        return
    for (content,) in connection.execute("SELECT content FROM provenance"):
        kept.difference_update(_DIGEST.findall(content))
    connection.execute(
        "DELETE FROM source WHERE digest IN (SELECT value FROM json_each(?))",
        (json.dumps(list(kept)),),
    )
