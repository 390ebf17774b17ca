"""Decisions, and nothing else: no clock, no disk, no luck.

Every function here gets all it needs as arguments, so that a table can test it.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import takewhile
from pathlib import PurePath
from typing import TYPE_CHECKING

from python_runner.model import (
    Comparison,
    EmailStrategy,
    MailStatus,
    OnFailure,
    Outcome,
    RunStatus,
    Streak,
)
from python_runner.texts import N_, Text


if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from datetime import datetime

    from python_runner.masking import Masker
    from python_runner.model import PastResult, Project, Run, Script, ScriptResult

#: Longest wait between two attempts of a script, in seconds: a doubling delay must not
#: push the last retry into the next day.
RETRY_CEILING = 3600.0

#: First and longest wait between two attempts to deliver a message, and how long it is
#: worth trying: what mail servers do, so that a week-end without a network is survived.
DELIVERY_WAIT = timedelta(minutes=5)
DELIVERY_CEILING = timedelta(hours=4)
DELIVERY_LIFE = timedelta(days=5)
#: Longest wait a mail server may ask for.
DELIVERY_ASKED = timedelta(days=1)

#: Earlier results of a script that a comparison looks at.
PAST_RESULTS = 50
#: Successes among them that make a usual duration.
ENOUGH_SUCCESSES = 5
#: Times the usual, and seconds beside it, from which on a duration is worth a word...
SLOW_FACTOR, SLOW_SECONDS = 2.0, 30.0
#: ...and so is one of a success that may have done nothing.
QUICK_FACTOR, QUICK_SECONDS = 0.25, 60.0
#: Outcomes that say something of the script itself. The others are passed over: it was
#: skipped, was stopped with its runner, or the runner died.
TELLING = frozenset(
    {Outcome.SUCCESS, Outcome.FAILURE, Outcome.TIMEOUT, Outcome.NOT_STARTED}
)
#: Runs that make an incident, which a success ends. A skipped run does neither: another
#: one was active.
INCIDENT = frozenset(
    {
        RunStatus.FAILURE,
        RunStatus.STOPPED,
        RunStatus.INTERRUPTED,
        RunStatus.NOT_STARTED,
    }
)

#: Every script succeeded.
EXIT_SUCCESS = 0
#: A script did not succeed.
EXIT_FAILURE = 1
#: Wrong usage, or a project that could not be run at all.
EXIT_USAGE = 2
#: A project was skipped because a run of it is active.
EXIT_SKIPPED = 3
#: The scripts succeeded, but a report has been given up.
EXIT_MAIL = 4
#: Ctrl-C, or its like on Windows: 128 + SIGINT, as a shell has it.
EXIT_INTERRUPTED = 130
#: Any other signal that asks to stop: 128 + SIGTERM.
EXIT_TERMINATED = 143


def display_names(paths: Sequence[str]) -> tuple[str, ...]:
    """Return what each script of a series is called.

    The file name; the path as written where two scripts share a file name; a number
    behind it where the very same path is listed more than once.
    """
    files = Counter(_file_name(path) for path in paths)
    names = [
        _file_name(path) if files[_file_name(path)] == 1 else path.replace("\\", "/")
        for path in paths
    ]
    return _numbered(names)


def without_secrets(project: Project, masker: Masker) -> Project:
    """Return a project whose scripts' names, which everything repeats, tell no secret."""
    names = [script.name for script in project.scripts]
    masked = dict(zip(names, _numbered(list(map(masker.text, names))), strict=True))
    scripts = (
        replace(s, name=masked[s.name], needs=tuple(masked.get(n, n) for n in s.needs))
        for s in project.scripts
    )
    return replace(project, scripts=tuple(scripts))


def _numbered(names: Sequence[str]) -> tuple[str, ...]:
    seen: Counter[str] = Counter()
    totals = Counter(names)
    unique = []
    for name in names:
        seen[name] += 1
        unique.append(f"{name} ({seen[name]})" if totals[name] > 1 else name)
    return tuple(unique)


def _file_name(path: str) -> str:
    # Both separators on every platform: a configuration travels.
    return PurePath(path.replace("\\", "/")).name or path


@dataclass(frozen=True, slots=True)
class Step:
    """What may happen next in a series: scripts to start, and scripts to give up."""

    start: tuple[Script, ...]
    skip: tuple[tuple[Script, Text], ...]


def next_step(
    scripts: Sequence[Script],
    *,
    results: Mapping[str, ScriptResult],
    running: Collection[str],
    on_failure: OnFailure,
    max_parallel: int,
    stopping: bool,
) -> Step:
    """Decide which scripts start now and which never will.

    ``results`` holds the scripts that have ended, ``running`` those that have not. A
    script starts when all it needs has succeeded and a place is free, in the order of
    the series. Giving one up may doom others: ask again once those are in ``results``.
    """
    waiting = [s for s in scripts if s.name not in results and s.name not in running]
    skip = tuple(
        (script, reason)
        for script in waiting
        if (reason := _why_skip(script, results, on_failure, stopping=stopping))
    )
    skipped = {script.name for script, _ in skip}
    ready = [
        script
        for script in waiting
        if script.name not in skipped and all(n in results for n in script.needs)
    ]
    return Step(tuple(ready[: max(0, max_parallel - len(running))]), skip)


def _why_skip(
    script: Script,
    results: Mapping[str, ScriptResult],
    on_failure: OnFailure,
    *,
    stopping: bool,
) -> Text | None:
    if stopping:
        return Text(N_("not started: the run was stopped"))
    for needed in script.needs:
        if needed in results and not results[needed].succeeded:
            return Text(
                N_("not started: it needs {script}, which did not succeed"),
                {"script": needed},
            )
    if on_failure is OnFailure.STOP:
        for name, result in results.items():
            if not result.succeeded:
                return Text(
                    N_("not started: {script} failed, and the series stops then"),
                    {"script": name},
                )
    return None


def retry_wait(base: float, attempts: int) -> float:
    """Return the seconds to wait after ``attempts`` failed ones: doubling, bounded."""
    return min(base * 2.0 ** (attempts - 1), max(base, RETRY_CEILING))


def run_status(results: Iterable[ScriptResult], *, stopped: bool) -> RunStatus:
    """Judge a run by its scripts; ``stopped`` tells that a signal ended it."""
    if stopped:
        return RunStatus.STOPPED
    if all(result.succeeded for result in results):
        return RunStatus.SUCCESS
    return RunStatus.FAILURE


def reported_scripts(run: Run, strategy: EmailStrategy) -> tuple[ScriptResult, ...]:
    """Return the scripts a report names under ``strategy``."""
    if strategy is EmailStrategy.ALL:
        return run.scripts
    if strategy is EmailStrategy.FAILURE_ONLY:
        return run.failed_scripts
    return ()


def mail_due(run: Run, strategy: EmailStrategy) -> bool:
    """Say whether ``run`` is reported: always, never, or when something is wrong."""
    if strategy is EmailStrategy.FAILURE_ONLY:
        return run.status is not RunStatus.SUCCESS
    return strategy is EmailStrategy.ALL


def compare(result: ScriptResult, past: Sequence[PastResult]) -> Comparison:
    """Set a script's result against earlier ones.

    Args:
        result: how it ended.
        past: how it ended before, newest first, :data:`PAST_RESULTS` at most.
    """
    durations = [p.duration for p in past if p.outcome.succeeded]
    usual = percentile(durations, 50) if len(durations) >= ENOUGH_SUCCESSES else None
    usual = usual if result.attempts else None
    pace = _pace(result, usual, durations) if usual else None
    if result.succeeded:
        recovered = _streak(past, lambda p: not p.outcome.succeeded)
        return Comparison(usual=usual, pace=pace, recovered=recovered)
    if result.outcome not in TELLING:
        return Comparison(usual=usual, pace=pace)
    fault = _fault_of(result)
    seen = [p.started_at for p in past if _fault(p) == fault]
    same = _streak(past, lambda p: _fault(p) == fault)
    return Comparison(
        usual=usual,
        pace=pace,
        new=not seen,
        same=same,
        last_seen=seen[0] if seen and not same else None,
    )


def percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that ``percent`` % of ``values`` do not exceed."""
    if not values:
        return None
    # Nearest rank, in whole numbers: 0.95 times 20 is not 19 to a float.
    rank = -(-percent * len(values) // 100)
    return sorted(values)[max(rank, 1) - 1]


def _pace(
    result: ScriptResult, usual: float, durations: Sequence[float]
) -> float | None:
    """Return how many times the usual a duration is, if it stands out.

    It must differ by much, and be beyond nine tenths of the others: a script that takes
    its time every Monday is no news on a Monday.
    """
    factor, beside = result.duration / usual, result.duration - usual
    rank = sum(d < result.duration for d in durations) / len(durations)
    slow = factor >= SLOW_FACTOR and beside >= SLOW_SECONDS and rank >= 0.9  # noqa: PLR2004
    quick = factor <= QUICK_FACTOR and -beside >= QUICK_SECONDS and rank <= 0.1  # noqa: PLR2004
    return factor if slow or (quick and result.succeeded) else None


def _streak(
    past: Sequence[PastResult], alike: Callable[[PastResult], bool]
) -> Streak | None:
    telling = [p for p in past if p.outcome in TELLING]
    row = list(takewhile(alike, telling))
    if not row:
        return None
    open_end = len(row) == len(telling) and len(past) >= PAST_RESULTS
    return Streak(count=len(row), since=None if open_end else row[-1].started_at)


def _fault_of(result: ScriptResult) -> str:
    traceback = result.attempts[-1].traceback if result.attempts else None
    return _fault_name(
        result.outcome, traceback.fingerprint if traceback else None, result.exit_code
    )


def _fault(past: PastResult) -> str:
    return _fault_name(past.outcome, past.fingerprint, past.exit_code)


def _fault_name(
    outcome: Outcome, fingerprint: str | None, exit_code: int | None
) -> str:
    """Return what two failures have in common when they are the same fault."""
    if outcome is not Outcome.FAILURE:
        return outcome.value
    # A message of sys.exit() names today's date, or how many rows were missing.
    return re.sub(r"[0-9]+", "0", fingerprint) if fingerprint else f"exit {exit_code}"


def exit_code(
    runs: Iterable[Run], *, signal: str | None = None, given_up: bool = False
) -> int:
    """Reduce everything that happened to the one number a scheduler sees.

    What keeps a whole project from running outweighs a failed script, which outweighs
    a skipped project, which outweighs a lost report. ``signal`` is the name of the
    signal that stopped the runner; ``given_up`` tells that the report of an earlier run
    was given up meanwhile.
    """
    if signal is not None:
        interrupted = signal in {"SIGINT", "SIGBREAK"}
        return EXIT_INTERRUPTED if interrupted else EXIT_TERMINATED
    runs = tuple(runs)
    statuses = {run.status for run in runs}
    if RunStatus.NOT_STARTED in statuses:
        return EXIT_USAGE
    if statuses - {RunStatus.SUCCESS, RunStatus.SKIPPED}:
        return EXIT_FAILURE
    if RunStatus.SKIPPED in statuses:
        return EXIT_SKIPPED
    if given_up or any(run.mail is MailStatus.FAILED for run in runs):
        return EXIT_MAIL
    return EXIT_SUCCESS


def deserves_retry(outcome: Outcome) -> bool:
    """Say whether another attempt may help: not after a stop, not without a file."""
    return outcome in {Outcome.FAILURE, Outcome.TIMEOUT}


def next_try(
    queued_at: datetime, attempts: int, now: datetime, *, asked: float = 0.0
) -> datetime | None:
    """Return when a message is tried again after ``attempts`` that failed.

    None five days after it was queued: given up.

    Args:
        queued_at: when the message was made.
        attempts: how many failed.
        now: the present moment.
        asked: seconds the server asks to be left alone, which may be longer.
    """
    if now - queued_at >= DELIVERY_LIFE:
        return None
    longest = timedelta(seconds=min(asked, DELIVERY_ASKED.total_seconds()))
    return now + max(delivery_wait(attempts), longest)


def delivery_wait(attempts: int) -> timedelta:
    """Return how long to wait after ``attempts``: five minutes, doubling to four hours."""
    # The doubling passes the ceiling at the seventh; a higher power may overflow.
    return min(DELIVERY_WAIT * 2.0 ** (min(attempts, 7) - 1), DELIVERY_CEILING)


#: Scheme and authority of an address, whatever Apprise puts there: a host or a token.
_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://([^/?#]*)", re.IGNORECASE)
#: Apprise takes the password behind the question mark, too.
_PASSWORD = re.compile(r"(?<=[?&])pass(?:word)?=[^&]*", re.IGNORECASE)
#: What is a host beyond doubt. A token has capitals, or digits at its end, or no dot.
_HOST = re.compile(r"localhost|\d{1,3}(?:\.\d{1,3}){3}|(?:[a-z0-9-]+\.)+[a-z]{2,24}")


def channel_label(url: str) -> str:
    """Return what people may see of a channel: ``slack://... (3f9a1c2b)``.

    Any part of such an address may be a token, also where a host is expected. A host is
    shown only if it can be nothing else; the number tells alike ones apart.
    """
    scheme, authority = _scheme_and_authority(url)
    host = authority.rpartition("@")[2].partition(":")[0]
    shown = f"{host}/..." if _HOST.fullmatch(host) else "..."
    return f"{scheme}://{shown} ({_channel_digest(url)})"


def channel_audience(url: str) -> str:
    """Return what stands for a channel in the records, and finds it again."""
    return f"channel {_channel_digest(url)}"


def _channel_digest(url: str) -> str:
    # Without the password: people choose passwords, and what they choose can be guessed
    # from a digest. It may change too, and the reports that wait still find their way.
    scheme, authority = _scheme_and_authority(url)
    user, at, host = authority.rpartition("@")
    rest = _PASSWORD.sub("", url[len(scheme) + len("://") + len(authority) :])
    identity = f"{scheme.lower()}://{user.partition(':')[0]}{at}{host}{rest}"
    return hashlib.sha256(identity.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _scheme_and_authority(url: str) -> tuple[str, str]:
    match = _ADDRESS.match(url)
    return (match[1], match[2]) if match else ("", "")
