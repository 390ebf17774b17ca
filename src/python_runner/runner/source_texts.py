"""Keeps the texts of what scripts are made of, for the day on which one of them fails."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from python_runner.files import read_regular
from python_runner.imported_files import digest_of
from python_runner.records.source_texts import LIMIT
from python_runner.records.store import StoreError


if TYPE_CHECKING:
    from python_runner.model.provenance import ScriptProvenance, SourceFile
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext

#: Bytes of new sources that one run looks at: a third of a second. The next one goes on.
_MOST_NEW = 1_000_000


class SourceKeeper:
    """Keeps for one run what the records do not have yet; may be used from several threads.

    Of a run without a new source it costs one query.
    """

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._known: dict[str, int] | None = None
        #: Digests of all that the run is made of so far.
        self._seen: set[str] = set()
        self._left = _MOST_NEW
        self._refused = False
        self._lock = Lock()

    def keep(self, made_of: ScriptProvenance) -> None:
        """Keep the texts of the files of a script that is about to be started.

        What cannot be read or written is not kept: a later failure is told without it.
        """
        store = self._context.session.store
        own = (made_of.script,) if made_of.script else ()
        with self._lock:
            new = [f for f in (*own, *made_of.imports) if f.digest not in self._seen]
            self._seen.update(file.digest for file in new)
            if not new or not store or self._refused:
                return
            try:
                self._keep(new, store)
            except StoreError:
                # Told where the script ends. No further one waits for locked records.
                self._refused = True

    def _keep(self, files: list[SourceFile], store: Store) -> None:
        path = self._context.project.path
        if self._known is None:
            self._known = store.sources.known(path)
        if sum(self._known.get(digest, 0) for digest in self._seen) >= LIMIT:
            # Each run would keep anew what the run before made room for.
            return
        texts: dict[str, str] = {}
        for file in files:
            if file.digest not in {*self._known, *texts} and self._left > 0:
                text = self._text(file)
                if text is not None:
                    texts[file.digest] = text
        if texts:
            store.sources.keep(path, texts, self._seen)

    def _text(self, file: SourceFile) -> str | None:
        """Return the text of a file, unless it has changed a moment ago."""
        from python_runner.source_text import (  # noqa: PLC0415 - most runs find nothing new
            LARGEST,
            source_text,
        )

        path = self._context.project.path / file.path
        try:
            if path.stat().st_size > min(LARGEST, self._left):
                return None
            data = read_regular(path, LARGEST)
        except (OSError, ValueError):
            return None
        self._left -= len(data)
        if digest_of(data) != file.digest:
            return None
        return source_text(data, self._context.masker)
