"""The subject of a report: all that many readers ever see of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Comparison, RunStatus
from python_runner.report.comparison import novelty, times
from python_runner.report.view import LINE, counts, headline, own_failures, recoveries
from python_runner.texts.formats import duration, number
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence, catalogue


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Run

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


def subject_of(run: Run, comparisons: Mapping[str, Comparison], language: str) -> str:
    """Return project, outcome, the first script that failed, and what is new about it."""
    if run.status is RunStatus.FAILURE:
        subject = _failed(run, comparisons, language)
    elif run.status is RunStatus.SUCCESS and (
        recovered := recoveries(run, comparisons)
    ):
        subject = _recovered(run, recovered, language)
    else:
        subject = Sentence.of(
            _SUBJECTS[run.status],
            project=run.project,
            count=counts(run, language),
            duration=duration(run.duration, language),
            error=run.error.in_language(language) if run.error else "",
        ).in_language(language)
    return one_line(subject, SUBJECT)


def _failed(run: Run, comparisons: Mapping[str, Comparison], language: str) -> str:
    first, *others = own_failures(run)
    script = one_line(first.script, LINE // 2)
    news = novelty(comparisons.get(first.script, Comparison()), language)
    room = SUBJECT - len(run.project) - len(script) - len(news) - 30
    template = _FAILED if news else _SUBJECTS[RunStatus.FAILURE]
    return Sentence.of(
        template,
        project=run.project,
        novelty=news,
        script=script,
        headline=one_line(headline(first, language), max(room, 40)),
        more=_more(len(others), language),
    ).in_language(language)


def _recovered(run: Run, recovered: Mapping[str, Comparison], language: str) -> str:
    (script, comparison), *others = recovered.items()
    streak = comparison.recovered
    assert streak is not None  # noqa: S101 - that is what makes it a recovery
    sentence = catalogue(language).ngettext(
        "[{project}] recovered: {script} after {count} failure{more}",
        "[{project}] recovered: {script} after {count} failures{more}",
        streak.count,
    )
    return sentence.format(
        project=run.project,
        script=one_line(script, LINE // 2),
        count=times(streak, language),
        more=_more(len(others), language),
    )


def _more(others: int, language: str) -> str:
    return f" (+{number(others, language)})" if others else ""
