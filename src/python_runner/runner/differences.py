"""What changed since the scripts of a run last succeeded, for its report and its pages."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

from python_runner.differences import Made, differences, is_compared
from python_runner.model.differences import Aspect, Change, Differences
from python_runner.records.store import StoreError


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import Run, ScriptResult
    from python_runner.model.differences import Difference
    from python_runner.records.store import Store

#: Scripts of a run that are compared, and files of each whose lines are.
_MOST_SCRIPTS, _MOST_FILES = 5, 3


def since_success(
    run: Run, store: Store | None, masker: Masker
) -> dict[str, Differences]:
    """Return what changed since scripts of ``run`` last succeeded, without secrets.

    It has the first of those that failed by themselves or are unusual, by name; not those
    that never succeeded, nor those of which too little was recorded. Nothing where there
    are no records, or where they cannot be read.

    Args:
        run: it may be in the records, or not yet.
        store: the records.
        masker: takes the secrets of the project out, as they are known now.
    """
    # The report is made all the same; the run's warnings say what is wrong.
    with suppress(StoreError):
        if store is not None:
            return dict(_compared(run, store, masker))
    return {}


def _compared(
    run: Run, store: Store, masker: Masker
) -> Iterator[tuple[str, Differences]]:
    packages = cache(lambda name: store.packages(name) if name else None)

    def made(run: Run, result: ScriptResult) -> Made:
        name = run.provenance.packages if run.provenance else None
        return Made(run=run, result=result, packages=packages(name))

    results = [result for result in run.scripts if is_compared(result)]
    # Of many that fail, one reason is likely.
    for result in results[:_MOST_SCRIPTS]:
        last = store.last_success(run.path, result.script, before=run.run_id)
        if last is None:
            continue
        differing = differences(made(*last), made(run, result))
        if differing is None:
            continue
        told = Differences(
            run_id=last[0].run_id,
            since=last[0].started_at,
            found=tuple(_with_diffs(differing, result, run.path, store, masker)),
        )
        yield result.script, replace(masker.fact(told), run_id=told.run_id)


def _with_diffs(
    differing: tuple[Difference, ...],
    result: ScriptResult,
    path: Path,
    store: Store,
    masker: Masker,
) -> Iterator[Difference]:
    """Yield the differences; of the first changed files with their lines."""
    files = 0
    place, _, line = (result.place or "").rpartition(":")
    for difference in differing:
        changed = difference.change is Change.CHANGED
        if difference.aspect is not Aspect.FILE or not changed or files == _MOST_FILES:
            yield difference
            continue
        # What has become secret since is not shown either.
        texts = [
            masker.text(text)
            for digest in (difference.before, difference.after)
            if (text := store.sources.text(path, str(digest))) is not None
        ]
        if len(texts) == 2:  # noqa: PLR2004 - both
            from python_runner.source_diff import (  # noqa: PLC0415 - seldom needed
                short_diff,
            )

            files += 1
            here = difference.name == place.replace("\\", "/") and line.isdecimal()
            diff = short_diff(texts[0], texts[1], int(line) if here else 0)
            yield replace(difference, diff=diff)
        else:
            yield difference
