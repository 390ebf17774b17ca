"""A digest in words: its verdict, what is to be told of each project, its page.

The terminal and the mail say the same; they only arrange it differently.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.digest import Standing
from python_runner.report.fleet import (
    SILENT_WORD,
    all_well,
    clock_words,
    silent_words,
)
from python_runner.report.render import Report, templates
from python_runner.report.subject import HOST, SUBJECT
from python_runner.report.summary import (
    BRIEF,
    LINE,
    headline,
    hint_words,
    own_failures,
    place,
    shortened,
    unusual_reasons,
)
from python_runner.report.view import BAD, GOOD, IDLE, MARKS, ODD
from python_runner.texts.formats import Formats
from python_runner.texts.sanitize import clean, one_line
from python_runner.texts.sentence import N_
from python_runner.version import __version__


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import datetime

    from python_runner.model import Run
    from python_runner.model.digest import (
        ComputerDigest,
        Digest,
        ProjectDigest,
        ScriptTotals,
        Silent,
    )

#: Projects that a mail tells of, beyond which they are counted; those that do well are
#: named in one line, as many as it holds.
_MOST_PROJECTS = 100
#: Scripts that are named as the slowest, and as those that failed most.
MOST_SCRIPTS = 5
#: Seconds below which no script is slow.
_SLOW = 1.0
_NAME = 60

_WORDS = {
    Standing.FAILED: N_("failed"),
    Standing.STILL_FAILING: N_("still failing"),
    Standing.UNUSUAL: N_("unusual"),
    Standing.SILENT: N_("did not run"),
    Standing.BROKEN: N_("cannot be run"),
    Standing.RECOVERED: N_("recovered"),
    Standing.NEVER_RAN: N_("never ran"),
    Standing.WELL: N_("succeeded"),
}
_KINDS = {
    Standing.FAILED: BAD,
    Standing.STILL_FAILING: BAD,
    Standing.UNUSUAL: ODD,
    Standing.SILENT: BAD,
    Standing.BROKEN: BAD,
    Standing.RECOVERED: GOOD,
    Standing.NEVER_RAN: IDLE,
    Standing.WELL: GOOD,
}
#: In the order of a week.
_WEEKDAYS = (
    N_("Monday"),
    N_("Tuesday"),
    N_("Wednesday"),
    N_("Thursday"),
    N_("Friday"),
    N_("Saturday"),
    N_("Sunday"),
)
_WORKING_DAYS = frozenset(range(5))
#: Days of gaps that are months.
_MONTH = (timedelta(days=27), timedelta(days=35))


def standing_word(project: ProjectDigest, formats: Formats) -> str:
    """Return the word for how a project does."""
    if _only_runs(project):
        return formats.gettext("running")
    if project.standing is Standing.FAILED and project.status is not None:
        return formats.gettext(project.status.word)
    return formats.gettext(_WORDS[project.standing])


def standing_kind(project: ProjectDigest) -> str:
    """Return which kind of news that is: ``good``, ``bad``, ``odd`` or ``idle``."""
    return IDLE if _only_runs(project) else _KINDS[project.standing]


def _only_runs(project: ProjectDigest) -> bool:
    """Say whether the only news of a project is that it is running."""
    quiet = project.standing in {Standing.WELL, Standing.NEVER_RAN}
    return quiet and project.running_since is not None


def is_all_well(digest: Digest) -> bool:
    """Say whether nobody has to look at a project, or at the fleet."""
    return not digest.unread and all(
        project.standing in {Standing.WELL, Standing.RECOVERED} or _only_runs(project)
        for project in digest.projects
    )


def headline_of(digest: Digest, formats: Formats) -> str:
    """Return how many projects do how: ``2 of 5 projects failed, 1 did not run``."""
    total = len(digest.projects)
    counts = (
        (N_("failed"), digest.count(Standing.FAILED, Standing.STILL_FAILING)),
        (N_("unusual"), digest.count(Standing.UNUSUAL)),
        (N_("did not run"), digest.count(Standing.SILENT)),
        (N_("cannot be run"), digest.count(Standing.BROKEN)),
        (N_("never ran"), _never_ran(digest)),
    )
    told = [(what, count) for what, count in counts if count]
    unread = [formats.gettext("the fleet's folder cannot be read")] * digest.unread
    if not told and digest.fleet:
        return all_well(digest, formats)
    if not told:
        words = formats.ngettext(
            "{count} project, all well", "{count} projects, all well", total
        )
        return ", ".join((words.format(count=formats.number(total)), *unread))
    (what, count), *rest = told
    first = _of_projects(what, count, total, formats)
    others = [_counted(w, n, formats) for w, n in rest]
    return ", ".join((first, *others, *silent_words(digest, formats), *unread))


def _never_ran(digest: Digest) -> int:
    """Return how many projects have no run, not even one that is active."""
    return sum(
        project.standing is Standing.NEVER_RAN and not project.running_since
        for project in digest.projects
    )


def _of_projects(what: str, count: int, total: int, formats: Formats) -> str:
    ngettext = formats.ngettext
    words = {
        "failed": ngettext(
            "{count} of {total} projects failed",
            "{count} of {total} projects failed",
            count,
        ),
        "unusual": ngettext(
            "{count} of {total} projects unusual",
            "{count} of {total} projects unusual",
            count,
        ),
        "did not run": ngettext(
            "{count} of {total} projects did not run",
            "{count} of {total} projects did not run",
            count,
        ),
        "cannot be run": ngettext(
            "{count} of {total} projects cannot be run",
            "{count} of {total} projects cannot be run",
            count,
        ),
        "never ran": ngettext(
            "{count} of {total} projects never ran",
            "{count} of {total} projects never ran",
            count,
        ),
    }
    return words[what].format(count=formats.number(count), total=formats.number(total))


def _counted(what: str, count: int, formats: Formats) -> str:
    ngettext = formats.ngettext
    words = {
        "unusual": ngettext("{count} unusual", "{count} unusual", count),
        "did not run": ngettext("{count} did not run", "{count} did not run", count),
        "cannot be run": ngettext(
            "{count} cannot be run", "{count} cannot be run", count
        ),
        "never ran": ngettext("{count} never ran", "{count} never ran", count),
    }
    return words[what].format(count=formats.number(count))


def verdict(digest: Digest, formats: Formats) -> str:
    """Return the first sentence of a digest, with how many runs there were."""
    since = spoken(digest.since, digest.until, formats)
    runs = formats.ngettext(
        "{count} run since {moment}", "{count} runs since {moment}", digest.runs
    )
    if not digest.runs:
        runs = formats.gettext("no runs since {moment}")
    told = runs.format(count=formats.number(digest.runs), moment=since)
    template = formats.gettext("{verdict}: {runs}")
    return template.format(verdict=headline_of(digest, formats), runs=told)


def spoken(moment: datetime, now: datetime, formats: Formats) -> str:
    """Return a moment of the last days as people say it: ``yesterday 07:00``."""
    local, today = moment.astimezone(), now.astimezone().date()
    if local.date() == today - timedelta(days=1):
        return formats.gettext("yesterday {time}").format(time=f"{local:%H:%M}")
    return formats.brief(moment, now)


def project_lines(project: ProjectDigest, now: datetime, formats: Formats) -> list[str]:
    """Return what is to be told of a project: why it failed or should have run, since when."""
    lines = []
    if project.problem:
        lines.append(one_line(project.problem, LINE))
    if project.standing in {Standing.FAILED, Standing.STILL_FAILING}:
        lines += [_why(project.last, formats), since_words(project, now, formats)]
        failed = own_failures(project.last)[:1] if project.last else ()
        lines += [hint_words(result, formats) for result in failed]
        if project.help:
            words = formats.gettext("What to do: {help}")
            lines.append(words.format(help=one_line(project.help, LINE)))
    if project.unusual:
        lines.append(_unusual(project.unusual, now, formats))
    if project.standing is Standing.RECOVERED and project.failure:
        words = formats.gettext("failed {moment}: {reason}")
        moment = spoken(project.failure.started_at, now, formats)
        lines.append(words.format(moment=moment, reason=_why(project.failure, formats)))
    if held := held_words(project, formats):
        lines.append(held)
        if project.last and project.last.held and project.last.held.back:
            reason = formats.say(project.last.held.reason)
            lines.append(one_line(reason, LINE))
    if project.silent:
        lines.append(_silence(project.silent, project.last, now, formats))
    if project.running_since:
        duration = (now - project.running_since).total_seconds()
        words = formats.gettext("running for {duration}")
        lines.append(words.format(duration=formats.whole_duration(max(duration, 0.0))))
    return [line for line in lines if line]


def unusual_texts(run: Run | None) -> list[str]:
    """Return why its successes are unusual, a text each, in English."""
    scripts = run.unusual_scripts if run else ()
    return [f"{r.script}: {reason}" for r in scripts for reason in r.unusual]


def _unusual(run: Run, now: datetime, formats: Formats) -> str:
    """Return which success was unusual when, and why."""
    first, *others = run.unusual_scripts
    said = formats.gettext("{moment}, {script}: {reason}").format(
        moment=spoken(run.started_at, now, formats),
        script=shortened(first.script, _NAME),
        reason=one_line(" · ".join(unusual_reasons(first, formats)), LINE),
    )
    return said + (f" (+{formats.number(len(others))})" if others else "")


def since_words(project: ProjectDigest, now: datetime, formats: Formats) -> str:
    """Return since when a project fails, and in how many runs."""
    streak = project.streak
    if streak is None or streak.since is None:
        return ""
    moment = spoken(streak.since, now, formats)
    words = formats.ngettext(
        "since {moment}: {count} run", "since {moment}: {count} runs", streak.count
    )
    return words.format(moment=moment, count=formats.number(streak.count))


def held_words(project: ProjectDigest, formats: Formats) -> str:
    """Return how many runs were not reported, and which keys held them back, or nothing.

    ``3 runs held back by mail_after (1), remind (2)``.
    """
    count = sum(project.held.values())
    if not count:
        return ""
    words = formats.ngettext(
        "{count} run held back by {keys}", "{count} runs held back by {keys}", count
    )
    several = len(project.held) > 1
    keys = ", ".join(
        f"{by.value} ({formats.number(runs)})" if several else by.value
        for by, runs in project.held.items()
    )
    return words.format(count=formats.number(count), keys=keys)


def _why(run: Run | None, formats: Formats) -> str:
    """Return the first script that failed, and why: ``import.py: KeyError: 'amount'``."""
    if run is None:
        return ""
    failed = own_failures(run)
    if run.error or not failed:
        return one_line(formats.say(run.error), LINE)
    first, *others = failed
    words = formats.gettext("{name}: {value}")
    said = words.format(
        name=shortened(first.script, _NAME),
        value=one_line(headline(first, formats), BRIEF),
    )
    if where := place(first.last_traceback, formats):
        said += f" ({where})"
    return said + (f" (+{formats.number(len(others))})" if others else "")


def _silence(silent: Silent, last: Run | None, now: datetime, formats: Formats) -> str:
    moment = spoken(silent.expected_at, now, formats)
    if silent.schedule:
        words = formats.gettext("due {moment} by its schedule ({schedule})")
        said = words.format(moment=moment, schedule=one_line(silent.schedule, LINE))
    else:
        words = formats.ngettext(
            "expected {moment} by its rhythm ({rhythm}, learnt from {count} run)",
            "expected {moment} by its rhythm ({rhythm}, learnt from {count} runs)",
            silent.runs,
        )
        said = words.format(
            moment=moment,
            rhythm=rhythm_words(silent, formats),
            count=formats.number(silent.runs),
        )
    if last is not None:
        words = formats.gettext("{reason}; last run {moment}")
        moment = spoken(last.started_at, now, formats)
        said = words.format(reason=said, moment=moment)
    return said


def rhythm_words(silent: Silent, formats: Formats) -> str:
    """Return on which days, or how often, a project runs."""
    days, _ = silent.weekdays, formats.gettext
    if len(days) == len(_WEEKDAYS):
        return _("every day")
    if days == _WORKING_DAYS:
        return _("working days")
    if days:
        return ", ".join(_(_WEEKDAYS[day]) for day in sorted(days))
    if _MONTH[0].total_seconds() <= silent.every <= _MONTH[1].total_seconds():
        return _("every month")
    duration = formats.whole_duration(silent.every)
    return _("about every {duration}").format(duration=duration)


def mail_words(digest: Digest, formats: Formats) -> list[str]:
    """Return how many reports wait or have been given up, and where to look."""
    lines = []
    if waiting := digest.reports_waiting:
        words = formats.ngettext(
            "{count} report is waiting to be sent; see `python-runner mail list`",
            "{count} reports are waiting to be sent; see `python-runner mail list`",
            waiting,
        )
        lines.append(words.format(count=formats.number(waiting)))
    if given_up := digest.reports_given_up:
        words = formats.ngettext(
            "{count} report has been given up; see `python-runner mail list`",
            "{count} reports have been given up; see `python-runner mail list`",
            given_up,
        )
        lines.append(words.format(count=formats.number(given_up)))
    return lines


def notice_words(digest: Digest, formats: Formats) -> list[str]:
    """Return what people have to do about mail, now or soon."""
    said = (clean(formats.say(notice)).strip() for notice in digest.notices)
    return [*clock_words(digest, formats), *said, *mail_words(digest, formats)]


def failing_scripts(digest: Digest) -> list[ScriptTotals]:
    """Return the scripts that failed most in the digest's time."""
    failed = [script for script in digest.scripts if script.failed]
    return sorted(failed, key=lambda s: -s.failed)[:MOST_SCRIPTS]


def slowest_scripts(digest: Digest) -> list[ScriptTotals]:
    """Return the scripts whose successes took longest in the digest's time."""
    slow = [s for s in digest.scripts if s.usual is not None and s.usual >= _SLOW]
    return sorted(slow, key=lambda s: -(s.usual or 0.0))[:MOST_SCRIPTS]


def totals(digest: Digest, formats: Formats) -> list[tuple[str, list[str]]]:
    """Return the lists of scripts that failed most and took longest, as far as known."""
    _ = formats.gettext
    named = formats.gettext("{project}, {script}: {what}")

    def line(script: ScriptTotals, what: str) -> str:
        project = shortened(script.project, _NAME)
        return named.format(
            project=project, script=shortened(script.script, _NAME), what=what
        )

    failing = [
        line(
            s,
            formats.ngettext(
                "{failed} of {count} runs failed",
                "{failed} of {count} runs failed",
                s.failed,
            ).format(failed=formats.number(s.failed), count=formats.number(s.runs)),
        )
        for s in failing_scripts(digest)
    ]
    slowest = [
        line(
            s,
            _("{usual} on average, {longest} at most").format(
                usual=formats.duration(s.usual or 0.0),
                longest=formats.duration(s.longest),
            ),
        )
        for s in slowest_scripts(digest)
    ]
    lists = ((_("Scripts that failed most"), failing), (_("Slowest scripts"), slowest))
    return [(title, lines) for title, lines in lists if lines]


def well_words(digest: Digest, formats: Formats) -> str:
    """Return the projects of which nothing else is to be told, in one line."""
    named = [p for p in digest.projects if is_plain(p)]
    if not named or len(named) == len(digest.projects):
        return ""
    runs = sum(project.runs for project in named)
    words = formats.ngettext(
        "all well: {names} ({count} run)", "all well: {names} ({count} runs)", runs
    )
    names = ", ".join(shortened(project.title, _NAME) for project in named)
    return words.format(names=one_line(names, LINE), count=formats.number(runs))


def is_plain(project: ProjectDigest) -> bool:
    """Say whether nothing is to be told of a project but that it is well."""
    told = project.running_since or (project.problem and project.listed) or project.held
    return project.standing is Standing.WELL and not told


def told_projects(digest: Digest) -> list[ProjectDigest]:
    """Return the projects that are told of one by one.

    Those that did not run because their computer gives no sign are told of with it.
    """
    return [
        project
        for project in digest.projects
        if not is_plain(project)
        and not (
            project.standing is Standing.SILENT
            and digest.is_of_silent_computer(project)
        )
    ]


def computer_lines(
    computer: ComputerDigest, now: datetime, formats: Formats
) -> list[str]:
    """Return what is to be told of a computer that has gone silent."""
    _ = formats.gettext
    words = _("no sign since {moment}")
    lines = [words.format(moment=spoken(computer.seen_at, now, formats))]
    first = computer.silent[0]
    if first.silent:
        why = _silence(first.silent, None, now, formats)
        name = shortened(first.name, _NAME)
        lines.append(_("{name}: {value}").format(name=name, value=why))
    if others := computer.silent[1:]:
        names = ", ".join(shortened(p.name, _NAME) for p in others)
        words = formats.ngettext(
            "{count} more project did not run there: {names}",
            "{count} more projects did not run there: {names}",
            len(others),
        )
        count = formats.number(len(others))
        lines.append(words.format(count=count, names=one_line(names, LINE)))
    return lines


def _computer_rows(digest: Digest, formats: Formats) -> Iterator[RowView]:
    for computer in digest.silent_computers[:_MOST_PROJECTS]:
        yield RowView(
            kind=BAD,
            mark=MARKS[BAD],
            name=shortened(computer.name, _NAME),
            word=formats.gettext(SILENT_WORD),
            counts="",
            lines=computer_lines(computer, digest.until, formats),
        )


def subject_of_digest(digest: Digest, formats: Formats) -> str:
    """Return the subject of a digest: what it comes down to, and the computer."""
    host = one_line(digest.computer, HOST)
    words = formats.gettext("Python Runner: {verdict}")
    end = f" ({host})" if host else ""
    subject = words.format(verdict=headline_of(digest, formats))
    return one_line(subject, SUBJECT - len(end)) + end


@dataclass(frozen=True, slots=True, kw_only=True)
class RowView:
    """One project as a digest shows it."""

    kind: str
    mark: str
    name: str
    word: str
    counts: str
    lines: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestView:
    """A digest as its page shows it; ``hidden`` projects are only counted.

    Attributes:
        title: its verdict.
        preview: what a list of mails shows behind the subject.
        moment: its time, its runs, the computer: label and value.
        rows: the projects of which something is to be told, the failed ones first.
        well: the others, in one line.
        notices: what people have to do about mail.
        totals: titles, each with lines about scripts.
    """

    kind: str
    mark: str
    title: str
    preview: str
    moment: Sequence[tuple[str, str]]
    rows: Sequence[RowView]
    hidden: int
    well: str
    notices: Sequence[str]
    totals: Sequence[tuple[str, Sequence[str]]]
    cause: str = ""
    product: str = f"Python Runner {__version__}"


def render_digest(digest: Digest, language: str) -> Report:
    """Return a digest as subject, text and HTML, of a bounded size."""
    formats = Formats(language)
    subject = subject_of_digest(digest, formats)
    told = told_projects(digest)
    kind = GOOD if is_all_well(digest) else BAD
    bad = digest.unread or digest.silent_computers
    if kind == BAD and not bad and not any(standing_kind(p) == BAD for p in told):
        kind = ODD if digest.count(Standing.UNUSUAL) else IDLE
    view = DigestView(
        kind=kind,
        mark=MARKS[kind],
        title=headline_of(digest, formats),
        preview=one_line(" · ".join(_preview(told, digest, formats)), LINE),
        moment=_moment(digest, formats),
        rows=[
            *_computer_rows(digest, formats),
            *(_row(p, digest, formats) for p in told[:_MOST_PROJECTS]),
        ],
        hidden=max(len(told) - _MOST_PROJECTS, 0),
        well=well_words(digest, formats),
        notices=notice_words(digest, formats),
        totals=totals(digest, formats),
    )
    values = {"digest": view, "subject": subject, "language": language}
    text, html = (
        templates(language).get_template(f"digest.{form}.j2").render(values)
        for form in ("txt", "html")
    )
    return Report(subject, text, html, language)


def _preview(
    told: Iterable[ProjectDigest], digest: Digest, formats: Formats
) -> Iterator[str]:
    for computer in digest.silent_computers:
        yield f"{computer.name} {formats.gettext(SILENT_WORD)}"
    for project in told:
        yield f"{project.title} {standing_word(project, formats)}"
    yield verdict(digest, formats)


def _moment(digest: Digest, formats: Formats) -> list[tuple[str, str]]:
    _ = formats.gettext
    period = _("{since} to {until}").format(
        since=formats.minute(digest.since), until=formats.minute(digest.until)
    )
    failed = sum(project.failed for project in digest.projects)
    told = formats.number(digest.runs)
    if failed:
        words = formats.ngettext("{count} failed", "{count} failed", failed)
        told += f", {words.format(count=formats.number(failed))}"
    moment = [(_("Time"), period), (_("Runs"), told)]
    if host := one_line(digest.computer, LINE):
        moment.append((_("Computer"), host))
    return moment


def _row(project: ProjectDigest, digest: Digest, formats: Formats) -> RowView:
    kind = standing_kind(project)
    counts = ""
    if project.runs:
        words = formats.ngettext("{count} run", "{count} runs", project.runs)
        counts = words.format(count=formats.number(project.runs))
    return RowView(
        kind=kind,
        mark=MARKS[kind],
        name=shortened(project.title, _NAME),
        word=standing_word(project, formats),
        counts=counts,
        lines=project_lines(project, digest.until, formats),
    )
