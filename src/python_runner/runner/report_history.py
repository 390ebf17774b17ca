"""Loads what the records say about the time before a run, for its report."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import field
from functools import partial
from itertools import dropwhile
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Incident, RunStatus
from python_runner.policy import INCIDENT
from python_runner.records.store import StoreError
from python_runner.trends import PAST_RESULTS, compare


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from python_runner.model import Comparison, PastResult, Run, ScriptResult
    from python_runner.records.store import Store

#: Earlier mails of an incident that a mail refers to, beside the first one.
_LATEST_MAILS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class RunHistory:
    """How a run's scripts compare with their past, and the incident it is part of."""

    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    incident: Incident | None = None


def load_history(
    run: Run,
    results: Iterable[ScriptResult],
    store: Store | None,
    *,
    failing_since: datetime | None = None,
) -> RunHistory:
    """Return what came before ``run``, which need not be in the records yet.

    Nothing where there are no records, or where they cannot be read. Each of ``results``
    costs a query.

    Args:
        run: what is reported.
        results: its results that are compared.
        store: the records, or None.
        failing_since: when the failures began that it ends for those who read of it;
            successes since then, of which nobody was told, are passed over.
    """
    comparisons = {}
    # The report is made all the same; the run's warnings say what is wrong.
    with suppress(StoreError):
        if store:
            for result in results:
                past = store.past_results(
                    run.path, result.script, PAST_RESULTS, before=run.run_id
                )
                if failing_since is not None:
                    past = [*dropwhile(partial(_untold, failing_since), past)]
                comparisons[result.script] = compare(result, past)
            return RunHistory(comparisons=comparisons, incident=_incident(run, store))
    return RunHistory()


def _untold(failing_since: datetime, past: PastResult) -> bool:
    return past.outcome.succeeded and past.started_at >= failing_since


def _incident(run: Run, store: Store) -> Incident | None:
    succeeded = run.status is RunStatus.SUCCESS
    if not succeeded and run.status not in INCIDENT:
        return None
    mails = store.messages.incident(
        run.path, INCIDENT, before=run.run_id, latest=_LATEST_MAILS
    )
    if mails:
        return Incident(
            began_at=mails[0].run_started_at,
            topic=mails[0].subject,
            references=tuple(mail.message_id for mail in mails),
        )
    return None if succeeded else Incident(began_at=run.started_at)
