"""Forgets what is old: runs in the records, contents of sent mails, captured output.

The clock of one run decides nothing alone: see :meth:`Store.old_runs`.
"""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.records import outputs
from python_runner.records.messages import CONTENT_DAYS
from python_runner.records.store import StoreError
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from python_runner.records.queries import OldRuns
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext
    from python_runner.runner.session import Session

#: Runs that one command deletes at most: some seconds, when years are to be forgotten.
_DELETED_AT_MOST = 10_000
#: Contents that one command removes at most: a second, when they are of years.
_REMOVED_AT_MOST = 2000


def delete_old_runs(session: Session, keep_days: int | None) -> None:
    """Delete records of runs older than ``keep_days`` days; None keeps all."""
    if session.store is None or keep_days is None:
        return
    now = session.now()
    # What cannot be deleted today is deleted by a later run.
    with suppress(StoreError):
        session.store.delete_old_runs(
            moment_before(now, keep_days), now, limit=_DELETED_AT_MOST
        )


def remove_old_contents(session: Session) -> None:
    """Remove the contents of the messages that were sent some time ago.

    They are most of what the records hold. A page of the same run is made anew from the
    run; the mails themselves are where they were sent to.
    """
    if session.store is None:
        return
    now = session.now()
    # What cannot be removed today is removed by a later run.
    with suppress(StoreError):
        session.store.messages.remove_contents(
            moment_before(now, CONTENT_DAYS), now, limit=_REMOVED_AT_MOST
        )


def delete_old_outputs(context: RunContext) -> None:
    """Delete the output of the project's runs that its configuration does not keep."""
    session, days = context.session, context.project.output_keep_days
    if session.store is None:
        return
    now = session.now()
    # The names of the folders hold whole seconds.
    older_than = moment_before(now, days) + timedelta(seconds=1)
    kept = _Kept(session.store, older_than, now, context.run_id)
    for logs in (context.logs, context.private_logs):
        outputs.delete_old_outputs(
            logs, days, now, keep=kept, stays=partial(_warn_stays, context)
        )


def _warn_stays(context: RunContext, error: OSError) -> None:
    template = N_("old output could not be deleted: {file}: {error}")
    file = os.fsdecode(error.filename or context.logs)
    context.warn(Sentence.of(template, file=file, error=system_error(error)))


def moment_before(now: datetime, days: int) -> datetime:
    """Return the moment so many days ago; the first of the calendar, if there is none."""
    try:
        return now - timedelta(days=days)
    except OverflowError:
        return datetime.min.replace(tzinfo=now.tzinfo)


@dataclass(frozen=True)
class _Kept:
    """The runs whose output stays: the present one, and what is not old for sure."""

    store: Store
    older_than: datetime
    now: datetime
    run_id: str

    @cached_property
    def _old(self) -> OldRuns:
        # Once for all folders, and only where one may be old.
        return self.store.old_runs(self.older_than, self.now)

    def __contains__(self, run_id: object) -> bool:
        if run_id == self.run_id:
            return True
        try:
            return not self.store.is_old(str(run_id), self._old)
        except StoreError:
            return True
