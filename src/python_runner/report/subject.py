"""The subject of a report.

A telephone shows some forty characters of it, a list of mails twice as many: what failed
stands first, the computer last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import Comparison, Outcome, RunStatus
from python_runner.report.comparison import recurrence, streak_length
from python_runner.report.summary import (
    counts,
    headline,
    own_failures,
    recoveries,
    shortened,
    unusual_reasons,
)
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Mapping

    from python_runner.model import Run
    from python_runner.report.context import ReportContext

#: Characters of a subject that a list of mails still shows.
SUBJECT = 180
#: Characters in it of a project's name, of a script's, and of a computer's.
PROJECT, SCRIPT, HOST = 40, 60, 30

_SUBJECTS = {
    RunStatus.SUCCESS: N_("[{project}] succeeded: {count} in {duration}"),
    RunStatus.FAILURE: N_("[{project}] failed: {script} - {headline}"),
    RunStatus.STOPPED: N_("[{project}] stopped after {duration}: {count}"),
    RunStatus.INTERRUPTED: N_("[{project}] interrupted: {script}"),
    RunStatus.SKIPPED: N_("[{project}] skipped: {error}"),
    RunStatus.NOT_STARTED: N_("[{project}] not started: {error}"),
}
_UNUSUAL = N_("[{project}] unusual: {script} - {reason}")
_ACTIVE = N_("another run of the project has been active since {since}")


def subject_of(run: Run, context: ReportContext) -> str:
    """Return project, outcome, the first failed script with its cause, and the computer.

    What does not fit is taken from the middle of names and from the end of the cause.
    """
    formats = Formats(context.language)
    recovered = recoveries(run, context.comparisons)
    project = shortened(run.project, PROJECT)
    host = one_line(context.host, HOST)
    end = f" ({host})" if host else ""
    if run.status is RunStatus.SUCCESS and run.unusual_scripts:
        first, *others = run.unusual_scripts
        subject = formats.gettext(_UNUSUAL).format(
            project=project,
            script=shortened(first.script, SCRIPT),
            reason=unusual_reasons(first, formats)[0],
        )
        end = _more(first.script, len(others), {}, formats) + end
    elif run.status is RunStatus.SUCCESS and recovered:
        subject = _recovered(project, recovered, formats)
    else:
        values = {
            "project": project,
            "count": counts(run, formats),
            "duration": formats.duration(run.duration),
            "error": _error(run, formats),
        }
        if run.status is RunStatus.FAILURE:
            first, *others = own_failures(run)
            values["script"] = shortened(first.script, SCRIPT)
            values["headline"] = headline(first, formats)
            end = _more(first.script, len(others), context.comparisons, formats) + end
        elif run.status is RunStatus.INTERRUPTED:
            open_ = (r for r in run.scripts if r.outcome is Outcome.INTERRUPTED)
            script = next((r.script for r in open_), values["count"])
            values["script"] = shortened(script, SCRIPT)
        subject = formats.gettext(_SUBJECTS[run.status]).format(**values)
    return one_line(subject, SUBJECT - len(end)) + end


def _error(run: Run, formats: Formats) -> str:
    """Return why a run did not begin, without the marks of the other run in its way.

    The report names that one's id, process and computer; its own computer is last here.
    """
    if run.status is RunStatus.SKIPPED and run.error and "since" in run.error.values:
        since = run.error.values["since"]
        return formats.say(Sentence.of(_ACTIVE, since=since))
    return formats.say(run.error)


def _recovered(
    project: str, recovered: Mapping[str, Comparison], formats: Formats
) -> str:
    (script, comparison), *others = recovered.items()
    streak = comparison.recovered
    assert streak is not None  # noqa: S101 - that is what makes it a recovery
    sentence = formats.ngettext(
        "[{project}] recovered: {script} after {count} failure{more}",
        "[{project}] recovered: {script} after {count} failures{more}",
        streak.count,
    )
    return sentence.format(
        project=project,
        script=shortened(script, SCRIPT),
        count=streak_length(streak, formats),
        more=f" (+{formats.number(len(others))})" if others else "",
    )


def _more(
    script: str, others: int, comparisons: Mapping[str, Comparison], formats: Formats
) -> str:
    """Return how often it failed so, and how many others failed: `` (3rd time, +11)``."""
    again = recurrence(comparisons.get(script, Comparison()), formats)
    more = f"+{formats.number(others)}" if others else ""
    told = ", ".join(filter(None, (again, more)))
    return f" ({told})" if told else ""
