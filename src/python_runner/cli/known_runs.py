"""The runs that commands tell of: those that ended, and those that have not."""

from __future__ import annotations

from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from python_runner.cli.lookup import past_masker
from python_runner.facts import dataclass
from python_runner.model import MailStatus, OpenRun, Outcome, Run, RunStatus
from python_runner.model.metrics import metrics_document
from python_runner.model.provenance import provenance_document, sources_document


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from python_runner.masking import Masker
    from python_runner.model import OpenScript, Settings
    from python_runner.records.store import Store

#: What became of a script whose runner died, as the next run will record it.
_LEFT = {True: Outcome.INTERRUPTED, False: Outcome.SKIPPED}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRun:
    """A run, and what is known of it now.

    Attributes:
        facts: the run as it ended, or as far as the records hold it.
        status: how it ended; None while it is active.
        outcomes: of its scripts, in order; None for one that may yet end.
        mail: what became of its report.
        interrupted: whether its runner died, and no later run has ended it yet.
    """

    facts: Run | OpenRun
    status: RunStatus | None
    outcomes: tuple[Outcome | None, ...]
    mail: MailStatus
    interrupted: bool = False

    @property
    def active(self) -> bool:
        """Whether its runner carries it out."""
        return self.status is None

    @property
    def succeeded(self) -> int:
        """How many of its scripts have succeeded."""
        return self.outcomes.count(Outcome.SUCCESS)

    @property
    def duration(self) -> float | None:
        """Seconds; None where the run has not ended, or nobody knows."""
        return self.facts.duration if isinstance(self.facts, Run) else None

    def to_document(self, masker: Masker) -> dict[str, Any]:
        """Return the run as the public JSON document holds it, without secrets.

        What is not known before a run has ended is null; a script that has not ended is
        ``running`` or ``planned``, its run ``running``.
        """
        from python_runner.records.outputs import as_kept  # noqa: PLC0415 - JSON alone

        run = self.facts
        if isinstance(run, Run):
            return as_kept(run).masked(masker).to_document()
        return {
            "run_id": run.run_id,
            "project": run.project,
            "path": str(run.path),
            "status": self.status.value if self.status else "running",
            "started_at": run.started_at.isoformat(),
            "duration_seconds": None,
            "error": None,
            "mail": self.mail.value,
            "mail_reason": None,
            "warnings": [],
            "interpreter": None,
            "interpreter_version": None,
            **provenance_document(None),
            "scripts": [
                _document(script, outcome, masker)
                for script, outcome in zip(run.scripts, self.outcomes, strict=True)
            ],
        }


def _document(
    script: OpenScript, outcome: Outcome | None, masker: Masker
) -> dict[str, Any]:
    status = "running" if script.started_at else "planned"
    unknown = ("exception", "place", "traceback", "peak_memory_bytes", "cpu_seconds")
    return {
        "script": masker.text(script.script),
        "status": outcome.value if outcome else status,
        "success": outcome.succeeded if outcome else None,
        "exit_code": None,
        "attempts": None,
        "started_at": script.started_at.isoformat() if script.started_at else None,
        "duration_seconds": None,
        "output": str(script.output) if script.output else None,
        "warnings": [],
        "unusual": [],
        **dict.fromkeys(unknown),
        **metrics_document(None),
        **sources_document(None),
    }


def known(run: Run | OpenRun, store: Store, home: Path) -> KnownRun:
    """Return what is known now of a run that was found in the records.

    Raises:
        StoreError: the records cannot be read.
    """
    if isinstance(run, Run):
        return KnownRun(
            facts=run,
            status=run.status,
            outcomes=tuple(result.outcome for result in run.scripts),
            mail=run.mail_status,
        )
    # What tells whether a runner is alive is much, and most runs have ended.
    from python_runner.runner.recovery import (  # noqa: PLC0415
        known_end,
        was_interrupted,
    )

    status, mail = None, MailStatus.NONE
    outcomes: list[Outcome | None] = [script.outcome for script in run.scripts]
    interrupted = False
    if end := known_end(run, home):
        # Without the scripts where they are too many.
        outcomes = [end.outcomes.get(s.script, s.outcome) for s in run.scripts]
        status, mail = end.status, end.mail
    elif was_interrupted(run, store, home):
        status, interrupted = RunStatus.INTERRUPTED, True
        outcomes = [s.outcome or _LEFT[s.started_at is not None] for s in run.scripts]
    elif ended := store.run(run.run_id):
        # Since it was found open.
        return known(ended, store, home)
    return KnownRun(
        facts=run,
        status=status,
        outcomes=tuple(outcomes),
        mail=mail,
        interrupted=interrupted,
    )


def active_run(store: Store, home: Path, folder: Path) -> KnownRun | None:
    """Return the run of a project that is active now.

    Raises:
        StoreError: the records cannot be read.
    """
    found = (known(run, store, home) for run in store.open_runs([folder]))
    return next((run for run in found if run.active), None)


def known_runs(
    store: Store,
    home: Path,
    *,
    projects: Sequence[Path] = (),
    failed: bool = False,
    since: datetime | None = None,
    limit: int,
) -> Iterator[KnownRun]:
    """Yield runs, ended or not, the last recorded first; memory holds some of them.

    The arguments are those of :meth:`Store.runs`; an active run has not failed.

    Raises:
        StoreError: the records cannot be read.
    """
    pages = store.pages_of_runs(
        projects=projects, failed=failed, since=since, limit=limit
    )
    found: dict[str, KnownRun] = {}
    for run in store.open_runs(projects):
        if since is not None and run.started_at < since:
            continue
        # It may have ended since: the later look counts.
        latest = known(run, store, home)
        if not (failed and latest.status in {None, RunStatus.SUCCESS}):
            found[run.run_id] = latest
    yield from islice(_in_order(pages, found, store, home), limit)


def _in_order(
    pages: Iterable[Sequence[Run]],
    found: Mapping[str, KnownRun],
    store: Store,
    home: Path,
) -> Iterator[KnownRun]:
    """Put ``found``, which are few, into their places among the runs of the pages."""
    left = dict(found)
    for page in pages:
        ended = {run.run_id: known(run, store, home) for run in page} | left
        order = store.newest_first(ended)
        of_page = {run.run_id for run in page}
        # What was recorded before this page's last one may be older than the next page.
        while order and order[-1] not in of_page:
            del order[-1]
        for run_id in order:
            left.pop(run_id, None)
            yield ended[run_id]
    yield from (left[run_id] for run_id in store.newest_first(left))


def masker_of(settings: Settings) -> Callable[[Path], Masker]:
    """Return a function that tells what takes the secrets out of a project's runs."""
    return cache(partial(past_masker, settings))
