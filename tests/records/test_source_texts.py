"""The texts of sources in the records: each once, bounded, and deleted with their runs."""

from __future__ import annotations

import hashlib
import sqlite3
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from python_runner.model import Outcome, Run, RunStatus, ScriptResult
from python_runner.model.provenance import ScriptProvenance, SourceFile
from python_runner.records import source_texts
from python_runner.records.store import DATABASE_NAME, Store, open_store
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

pytestmark = pytest.mark.portable("what is in a row is read alike everywhere")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Open records in a folder of their own."""
    with open_store(tmp_path / "home", NOW) as opened:
        yield opened


def digest(text: str) -> str:
    """Return what names a text."""
    return hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()


def ran(store: Store, path: Path, run_id: str, when: datetime, *texts: str) -> None:
    """Record a run whose script was made of these files."""
    own, *imports = (
        SourceFile(path=f"{number}.py", digest=digest(text))
        for number, text in enumerate(texts)
    )
    result = ScriptResult(
        script="0.py",
        run_id=run_id,
        number=1,
        outcome=Outcome.SUCCESS,
        started_at=when,
        provenance=ScriptProvenance(script=own, imports=tuple(imports)),
    )
    run = Run(
        run_id=run_id,
        project="p",
        path=path,
        status=RunStatus.SUCCESS,
        started_at=when,
        duration=1.0,
        scripts=(result,),
    )
    store.end_run(run, [], when)


def test_a_text_is_kept_once_and_given_back(store: Store, tmp_path: Path) -> None:
    """By the digest of its file, for its project alone."""
    ran(store, tmp_path / "p", "1" * 13, NOW, "a = 1\n")
    ran(store, tmp_path / "q", "2" * 13, NOW, "a = 1\n")
    name, text = digest("a = 1\n"), "a = 'é' \udcff\n"

    assert store.sources.known(tmp_path / "p") == {}
    store.sources.keep(tmp_path / "p", {name: text})
    store.sources.keep(tmp_path / "p", {name: "another one"})

    assert store.sources.text(tmp_path / "p", name) == "a = 'é' ?\n"
    assert list(store.sources.known(tmp_path / "p")) == [name]
    # Another project has other secrets.
    assert store.sources.text(tmp_path / "q", name) is None
    assert store.sources.text(tmp_path / "p", "f" * 40) is None


def test_a_project_without_a_run_keeps_nothing(store: Store, tmp_path: Path) -> None:
    """Nobody would ever delete it."""
    store.sources.keep(tmp_path / "p", {"a" * 40: "text"})
    assert store.sources.text(tmp_path / "p", "a" * 40) is None


def noise(seed: int, size: int) -> str:
    """Return a text that cannot be compressed by much."""
    blocks = (digest(f"{seed} {number}") for number in range(size // 20))
    return "".join(blocks)


def test_the_oldest_texts_make_room(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """But not those of the present run, and not for another project."""
    monkeypatch.setattr(source_texts, "LIMIT", 10_000)
    paths = [tmp_path / "p", tmp_path / "q"]
    for path in paths:
        ran(store, path, path.name * 13, NOW, "a")
    texts = {digest(str(n)): noise(n, 1500) for n in range(20)}
    first, *others = texts
    store.sources.keep(paths[1], {first: texts[first]})
    for name, text in texts.items():
        store.sources.keep(paths[0], {name: text}, needed={first, name})

    left = store.sources.known(paths[0])
    assert all(store.sources.text(paths[0], name) == texts[name] for name in left)
    assert first in left
    assert others[-1] in left
    assert others[0] not in left
    assert 3 <= len(left) <= 8
    assert store.sources.text(paths[1], first) == texts[first]


def test_texts_go_with_the_last_run_that_needs_them(
    store: Store, tmp_path: Path
) -> None:
    """A text that a later run is made of as well stays."""
    path = tmp_path / "p"
    old, new = NOW - timedelta(days=20), NOW - timedelta(days=1)
    ran(store, path, "1" * 13, old, "gone", "shared")
    ran(store, path, "2" * 13, new, "later", "shared")
    ran(store, path, "3" * 13, new, "later")
    names = {text: digest(text) for text in ("gone", "shared", "later", "never")}
    store.sources.keep(path, {name: text for text, name in names.items()})

    assert store.delete_old_runs(NOW - timedelta(days=10), NOW) == 1
    left = {text for text in names if store.sources.text(path, names[text])}
    assert left == {"shared", "later"}


def test_a_damaged_text_is_none(store: Store, tmp_path: Path) -> None:
    """The comparison goes on without it."""
    ran(store, tmp_path / "p", "1" * 13, NOW, "a")
    store.sources.keep(tmp_path / "p", {"a" * 40: "text"})
    with closing(sqlite3.connect(tmp_path / "home" / DATABASE_NAME)) as connection:
        connection.execute("UPDATE source SET text = x'00ff'")
        connection.commit()

    assert store.sources.text(tmp_path / "p", "a" * 40) is None


def test_a_text_that_grows_without_end_is_cut(store: Store, tmp_path: Path) -> None:
    """No row of the records fills the memory."""
    ran(store, tmp_path / "p", "1" * 13, NOW, "a")
    store.sources.keep(tmp_path / "p", {"a" * 40: "a" * 50_000_000})

    assert len(store.sources.text(tmp_path / "p", "a" * 40) or "") < 10_000_000


def test_a_damaged_provenance_deletes_no_run(store: Store, tmp_path: Path) -> None:
    """What it named goes; that is all."""
    ran(store, tmp_path / "p", "1" * 13, NOW - timedelta(days=20), "a")
    ran(store, tmp_path / "p", "2" * 13, NOW, "b")
    store.sources.keep(tmp_path / "p", {digest("b"): "b"})
    with closing(sqlite3.connect(tmp_path / "home" / DATABASE_NAME)) as connection:
        connection.execute("UPDATE provenance SET content = 'no json'")
        connection.commit()

    assert store.delete_old_runs(NOW - timedelta(days=10), NOW) == 1
    assert store.run("2" * 13)
    assert store.sources.text(tmp_path / "p", digest("b")) is None
