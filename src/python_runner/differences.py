"""Decides what differs between two results of a script.

What was recorded of only one of the two is not compared: nobody knows whether it changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import Outcome
from python_runner.model.differences import MEASURES, Aspect, Change, Difference


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from python_runner.model import Run, ScriptResult
    from python_runner.model.metrics import ScriptMetrics
    from python_runner.model.provenance import (
        Packages,
        RunProvenance,
        ScriptProvenance,
    )

#: A duration or an output has changed where it is so many times as large, or as small,
#: and so many seconds or bytes away.
_FACTOR, _SECONDS, _BYTES = 2.0, 1.0, 1000
#: What has come explains the least.
_ORDER = (Change.CHANGED, Change.REMOVED, Change.ADDED)
#: How a script ends that has failed by itself.
_OWN_FAILURES = frozenset({Outcome.FAILURE, Outcome.TIMEOUT, Outcome.NOT_STARTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A result with what is known of its run.

    Attributes:
        packages: those of the run's interpreter; None where they are not known.
    """

    run: Run
    result: ScriptResult
    packages: Packages | None = None


def is_compared(result: ScriptResult) -> bool:
    """Say whether people want to know what changed: it failed by itself, or is unusual."""
    return bool(result.unusual) or result.outcome in _OWN_FAILURES


def differences(before: Made, after: Made) -> tuple[Difference, ...] | None:
    """Return what differs, the most telling first; None where too little was recorded.

    The file in which the later result failed comes before all others.
    """
    runs = before.run.provenance, after.run.provenance
    scripts = before.result.provenance, after.result.provenance
    found = (
        *_files(*scripts, after.result),
        *_packages(before, after),
        *_pair(
            Aspect.PYTHON,
            before.run.interpreter_version,
            after.run.interpreter_version,
        ),
        *_pair(Aspect.INTERPRETER, before.run.interpreter, after.run.interpreter),
        *_surroundings(*runs),
        *_measures(before.result, after.result),
    )
    # That nothing has changed is said only where all has been compared.
    known = None not in (*runs, *scripts)
    told = known or any(difference.aspect not in MEASURES for difference in found)
    return found if told else None


def _files(
    before: ScriptProvenance | None,
    after: ScriptProvenance | None,
    result: ScriptResult,
) -> Iterable[Difference]:
    if before is None or after is None:
        return ()
    found = _mapped(Aspect.FILE, _digests(before), _digests(after))
    traceback = result.last_traceback
    place = (traceback.file or "").replace("\\", "/") if traceback else ""
    own = {source.path for source in (before.script, after.script) if source}

    def weight(file: Difference) -> tuple[bool, bool, int]:
        return file.name != place, file.name not in own, _ORDER.index(file.change)

    return sorted(found, key=weight)


def _digests(provenance: ScriptProvenance) -> dict[str, str]:
    script = (provenance.script,) if provenance.script else ()
    return {source.path: source.digest for source in (*provenance.imports, *script)}


def _packages(before: Made, after: Made) -> Iterable[Difference]:
    runs = before.run.provenance, after.run.provenance
    old, new = (run.packages if run else None for run in runs)
    if old is None or new is None or old == new:
        return ()
    found = (
        _mapped(Aspect.PACKAGE, _versions(before.packages), _versions(after.packages))
        if before.packages and after.packages
        else ()
    )
    # Their lists may be lost, or alike in all that they tell.
    return _ordered(found) or _pair(Aspect.PACKAGES, old, new)


def _versions(packages: Packages) -> dict[str, str]:
    """Return the version of each package; all of them of one that is there twice."""
    found: dict[str, str] = {}
    for name, version in packages.versions:
        found[name] = f"{found[name]}, {version}" if name in found else version
    return found


def _surroundings(
    before: RunProvenance | None, after: RunProvenance | None
) -> Iterator[Difference]:
    if before is None or after is None:
        return
    yield from _pair(Aspect.COMPUTER, before.computer, after.computer)
    yield from _pair(Aspect.ACCOUNT, before.account, after.account)
    old, new = ({name: name for name in run.variables} for run in (before, after))
    yield from _ordered(_mapped(Aspect.VARIABLE, old, new))


def _measures(before: ScriptResult, after: ScriptResult) -> Iterator[Difference]:
    """Yield what came of the last attempts, where it differs by much."""
    if before.attempts and after.attempts:
        old, new = (result.attempts[-1].duration for result in (before, after))
        if _is_far(old, new, _SECONDS):
            yield Difference(aspect=Aspect.DURATION, before=old, after=new)
    if before.metrics and after.metrics:
        sizes = _own_output(before, before.metrics), _own_output(after, after.metrics)
        if _is_far(*sizes, _BYTES):
            yield Difference(aspect=Aspect.OUTPUT, before=sizes[0], after=sizes[1])


def _own_output(result: ScriptResult, metrics: ScriptMetrics) -> int:
    """Return how many bytes a script printed beside the traceback that tells its end."""
    traceback = result.last_traceback
    size = len(traceback.text.encode("utf-8", "replace")) if traceback else 0
    return max(0, metrics.output_bytes - size)


def _is_far(old: float, new: float, least: float) -> bool:
    small, large = sorted((old, new))
    return large - small >= least and large >= small * _FACTOR


def _ordered(found: Iterable[Difference]) -> list[Difference]:
    return sorted(found, key=lambda difference: _ORDER.index(difference.change))


def _pair(
    aspect: Aspect, before: str | None, after: str | None
) -> tuple[Difference, ...]:
    """Return the difference of two texts, where both are known."""
    if before is None or after is None or before == after:
        return ()
    return (Difference(aspect=aspect, before=before, after=after),)


def _mapped(
    aspect: Aspect, before: Mapping[str, str], after: Mapping[str, str]
) -> Iterator[Difference]:
    """Yield the differences of named things, sorted by name."""
    for name in sorted({*before, *after}):
        old, new = before.get(name), after.get(name)
        if old != new:
            yield Difference(aspect=aspect, name=name, before=old, after=new)
