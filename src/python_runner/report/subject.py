"""The subject of a report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Comparison, RunStatus
from python_runner.report.comparison import recurrence, streak_length
from python_runner.report.view import LINE, counts, headline, own_failures, recoveries
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Run
    from python_runner.report.view import ReportContext

#: Characters of a subject that a list of mails still shows.
SUBJECT = 180

_SUBJECTS = {
    RunStatus.SUCCESS: N_("[{project}] succeeded: {count} in {duration}"),
    RunStatus.FAILURE: N_("[{project}] failed: {script} - {headline}{more}"),
    RunStatus.STOPPED: N_("[{project}] stopped after {duration}: {count}"),
    RunStatus.INTERRUPTED: N_("[{project}] interrupted: {count}"),
    RunStatus.SKIPPED: N_("[{project}] skipped: {error}"),
    RunStatus.NOT_STARTED: N_("[{project}] not started: {error}"),
}
_FAILED = N_("[{project}] failed ({novelty}): {script} - {headline}{more}")


def subject_of(run: Run, context: ReportContext) -> str:
    """Return project, outcome, first failed script, and whether that failure is new."""
    formats = Formats(context.language)
    recovered = recoveries(run, context.comparisons)
    if run.status is RunStatus.FAILURE:
        subject = _failed(run, context.comparisons, formats)
    elif run.status is RunStatus.SUCCESS and recovered:
        subject = _recovered(run, recovered, formats)
    else:
        subject = formats.gettext(_SUBJECTS[run.status]).format(
            project=run.project,
            count=counts(run, formats),
            duration=formats.duration(run.duration),
            error=formats.say(run.error),
        )
    return one_line(subject, SUBJECT)


def _failed(run: Run, comparisons: Mapping[str, Comparison], formats: Formats) -> str:
    first, *others = own_failures(run)
    script = one_line(first.script, LINE // 2)
    repeated = recurrence(comparisons.get(first.script, Comparison()), formats)
    room = SUBJECT - len(run.project) - len(script) - len(repeated) - 30
    template = _FAILED if repeated else _SUBJECTS[RunStatus.FAILURE]
    return formats.gettext(template).format(
        project=run.project,
        novelty=repeated,
        script=script,
        headline=one_line(headline(first, formats), max(room, 40)),
        more=_more(len(others), formats),
    )


def _recovered(run: Run, recovered: Mapping[str, Comparison], formats: Formats) -> str:
    (script, comparison), *others = recovered.items()
    streak = comparison.recovered
    assert streak is not None  # noqa: S101 - that is what makes it a recovery
    sentence = formats.ngettext(
        "[{project}] recovered: {script} after {count} failure{more}",
        "[{project}] recovered: {script} after {count} failures{more}",
        streak.count,
    )
    return sentence.format(
        project=run.project,
        script=one_line(script, LINE // 2),
        count=streak_length(streak, formats),
        more=_more(len(others), formats),
    )


def _more(others: int, formats: Formats) -> str:
    return f" (+{formats.number(others)})" if others else ""
