"""Runs that the log knows and the records have missed, for a full or locked disk.

A log line says less than the records: nothing of attempts, exit codes and memory, and
nothing of scripts that never ran. The files of output and the project's lock say the
rest, as far as they can.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import field, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.computer import host_name
from python_runner.facts import dataclass
from python_runner.files import exists, resolved
from python_runner.model import MailStatus, Outcome, Run, RunStatus, ScriptResult
from python_runner.policy import run_status
from python_runner.records import outputs
from python_runner.records.log_line import (
    WHOLE_RUN,
    parse_log_line,
    result_of,
    run_id_of,
)
from python_runner.records.log_reader import LogPlace, read_since
from python_runner.records.rows import LEFT_OPEN, PLANNED, RUNNING, was_left_open
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from python_runner.model import OpenRun, Script
    from python_runner.records.locks import FileLock, Unrecorded
    from python_runner.records.log_line import LogLine
    from python_runner.records.store import Store
    from python_runner.runner.context import RunContext

_UNTOLD = Sentence.of(N_("the reason could not be recorded"))


@dataclass(frozen=True, slots=True, kw_only=True)
class LogNews:
    """What a log says since its last comparison with the records.

    Attributes:
        place: up to where it was read; None where it could not be.
        lines: by run id, of the runs that are open or missed.
        missed: ids of the runs that the records do not hold, in the order of the log;
            behind them those that it does not hold either.
    """

    place: LogPlace | None = None
    lines: Mapping[str, Sequence[LogLine]] = field(default_factory=dict)
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RecoveredRun:
    """A run of the past as it ended.

    Attributes:
        facts: all that is known of it.
        logged: names of its scripts that have their line in the log.
        is_due: whether it is reported now: nobody knows of it yet.
    """

    facts: Run
    logged: frozenset[str]
    is_due: bool


def read_log_news(
    context: RunContext,
    store: Store,
    open_runs: Collection[str],
    ended: Collection[str] = (),
) -> LogNews:
    """Read what is new in the log of a project, and find the runs it concerns.

    Args:
        context: of the run that reads.
        store: the records.
        open_runs: ids of the runs that never ended in the records.
        ended: ids of runs whose ends are known from elsewhere, logged or not.

    Raises:
        StoreError: the records cannot be read.
    """
    name = context.project.log_filename
    known = store.log_place(context.project.path, name)
    try:
        news, place = read_since(context.logs, name, known)
    except OSError as error:
        reason = system_error(error)
        template = N_("the log {file} could not be compared with the records: {error}")
        context.warn(Sentence.of(template, file=name, error=reason))
        return LogNews()
    ids = dict.fromkeys((*filter(None, map(run_id_of, news)), *ended))
    missed = ids.keys() - store.newest_first(ids)
    wanted, here = missed.union(open_runs), host_name()
    lines: defaultdict[str, list[LogLine]] = defaultdict(list)
    for text in news:
        if run_id_of(text) in wanted:
            line = parse_log_line(text.decode("utf-8", "replace"))
            # On a shared drive other machines write into the same log.
            own = line and (line.host == here or line.run_id in ended)
            if line and (own or line.run_id not in missed):
                lines[line.run_id].append(line)
    told = dict.fromkeys((*lines, *ended))
    return LogNews(
        place=place, lines=lines, missed=tuple(i for i in told if i in missed)
    )


def ends_of(
    run: OpenRun, lines: Iterable[LogLine], end: Unrecorded | None, project: Path
) -> list[ScriptResult]:
    """Return the ends of an open run's scripts that the records have missed."""
    logged = {line.script: line for line in lines}
    outcomes = end.outcomes if end else {}
    results = []
    for script in run.scripts:
        if script.outcome is not None:
            continue
        if line := logged.get(script.script):
            result = _result(line, script.number, project)
            results.append(replace(result, output=script.output))
        elif outcome := outcomes.get(script.script):
            results.append(
                ScriptResult(
                    script=script.script,
                    run_id=run.run_id,
                    number=script.number,
                    outcome=outcome,
                    started_at=script.started_at or run.started_at,
                    reason=None if outcome.succeeded else _UNTOLD,
                    output=script.output,
                )
            )
    return results


def as_it_ended(run: Run, end: Unrecorded | None) -> Run:
    """Return a run with its own status: ``end`` knows it, else its results."""
    if end is not None:
        return replace(run, status=end.status, mail_status=end.mail)
    return replace(run, status=_status(run.scripts), mail_status=MailStatus.NONE)


def _status(results: Sequence[ScriptResult]) -> RunStatus:
    if any(map(was_left_open, results)):
        return RunStatus.INTERRUPTED
    stopped = any(result.outcome is Outcome.STOPPED for result in results)
    return run_status(results, stopped=stopped)


def missed_runs(
    context: RunContext, lock: FileLock, news: LogNews, series: Sequence[Script]
) -> list[RecoveredRun]:
    """Return the runs that the records have missed, in the order of the log.

    One whose runner died is reported. The others were, at their end. ``series`` is the
    project's as it is configured.
    """
    return [_missed(context, lock, run_id, news, series) for run_id in news.missed]


def _missed(
    context: RunContext,
    lock: FileLock,
    run_id: str,
    news: LogNews,
    series: Sequence[Script],
) -> RecoveredRun:
    lines = news.lines.get(run_id, ())
    logged = {line.script: line for line in lines}
    end = next((end for end in lock.unrecorded if end.run_id == run_id), None)
    begins = (line.time - timedelta(minutes=line.minutes) for line in lines)
    began = end.started_at if end else min(begins)
    last = max((line.time for line in lines), default=began)
    project = context.project
    run = Run(
        run_id=run_id,
        project=project.name,
        path=project.path,
        status=RunStatus.SKIPPED,
        started_at=began,
        duration=max((last - began).total_seconds(), 0.0),
    )
    if (whole := logged.get(WHOLE_RUN)) and whole.status == Outcome.SKIPPED:
        error = result_of(whole, 0).reason
        return RecoveredRun(
            facts=replace(run, error=error), logged=frozenset(logged), is_due=False
        )
    before = lock.before if lock.before and lock.before.run_id == run_id else None
    told = end.outcomes if end else {}
    names = [*told] or [script.name for script in series]
    files = files_of_scripts(outputs.files_of(context.logs, run_id), {*logged, *names})
    left: dict[str, tuple[Outcome, Sentence | None]] = {}
    for name, outcome in told.items():
        left[name] = outcome, None if outcome.succeeded else _UNTOLD
    if before and end is None:
        # What began left a file. What did not begin is known of a whole series only.
        for name in names:
            if name in files or before.scripts == len(series):
                left[name] = LEFT_OPEN[RUNNING if name in files else PLANNED]
    left = {name: what for name, what in left.items() if name not in logged}
    numbers = places_in_series([*logged, *left], files, names)
    results = [
        _result(line, numbers[name], project.path) for name, line in logged.items()
    ]
    results += [
        ScriptResult(
            script=name,
            run_id=run_id,
            number=numbers[name],
            outcome=outcome,
            started_at=before.started_at if before else began,
            reason=reason,
        )
        for name, (outcome, reason) in left.items()
    ]
    results = [
        replace(result, output=files[result.script][1])
        if result.script in files
        else result
        for result in sorted(results, key=lambda result: result.number)
    ]
    facts = as_it_ended(replace(run, scripts=tuple(results)), end)
    is_due = before is not None and end is None
    if is_due:
        facts = replace(facts, status=RunStatus.INTERRUPTED)
    return RecoveredRun(facts=facts, logged=frozenset(logged), is_due=is_due)


def _result(line: LogLine, number: int, project: Path) -> ScriptResult:
    """Return what a line says, with the place in the project if it tells one."""
    result = result_of(line, number)
    if not result.attempts or line.traceback is None:
        return result
    # Imported here because few runs were missed, and fewer have failed scripts.
    from python_runner.tracebacks.cause import read_cause  # noqa: PLC0415
    from python_runner.tracebacks.endings import Ending  # noqa: PLC0415
    from python_runner.tracebacks.place import Project as OwnFiles  # noqa: PLC0415

    (attempt,) = result.attempts
    names = str(project), resolved(project)
    own = OwnFiles(names, None, lambda file: exists(project / file))
    found = read_cause(line.traceback, Ending.EXCEPTION, own).traceback
    told = found or attempt.traceback
    return replace(result, attempts=(replace(attempt, traceback=told),))


def files_of_scripts(
    paths: Iterable[Path], names: Iterable[str]
) -> dict[str, tuple[int, Path]]:
    """Return the number and the file of output of each script that has one."""
    found = {}
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_behind(outputs.output_file(Path(), 0, name)), []).append(name)
    for path in paths:
        with suppress(ValueError):
            number = int(path.name.partition("_")[0])
            for name in alike.get(_behind(path), ()):
                if outputs.output_file(path.parent, number, name) == path:
                    found[name] = number, path
    return found


def _behind(file: Path) -> str:
    """Return what the name of a file of output says behind its number."""
    return file.name.partition("_")[2]


def places_in_series(
    names: Iterable[str],
    files: Mapping[str, tuple[int, Path]],
    series: Sequence[str],
) -> dict[str, int]:
    """Return a place in the series for each script: of its file, else as configured."""
    numbers = {name: number for name, (number, _path) in files.items()}
    places = {name: number for number, name in reversed([*enumerate(series, 1)])}
    # None becomes free again: the search for one goes on where it has ended.
    taken, all_numbers = set(numbers.values()), count(1)
    for name in names:
        if name not in numbers:
            wanted = places.get(name, 0)
            if wanted in taken or not wanted:
                wanted = next(n for n in all_numbers if n not in taken)
            numbers[name] = wanted
            taken.add(wanted)
    return numbers
