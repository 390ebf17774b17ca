"""How much the scripts of a run that has not ended have printed so far."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.records.store import Store


def output_sizes(store: Store, run_id: str) -> Mapping[int, int]:
    """Return the bytes that each script has printed, by its number; none of an ended run.

    Raises:
        StoreError: the records cannot be read.
    """
    found: dict[int, int] = {}
    for run in store.open_runs():
        if run.run_id != run_id:
            continue
        for script in run.scripts:
            if script.output is None:
                continue
            try:
                found[script.number] = script.output.stat().st_size
            except OSError:
                continue
    return found
