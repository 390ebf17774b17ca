"""Small charts as SVG, without scripts and without styles of their own."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from python_runner.web.states import State


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.texts.formats import Formats

#: Size of a sparkline in its own units: a bar, the gap beside it, the height.
_BAR, _GAP, _HEIGHT = 4, 1, 20
#: A bar is never lower: a run of no time at all is a run.
_LOWEST = 3
#: The shares of the width that a bar of progress is drawn in.
_PROGRESS = 200


class Bar(NamedTuple):
    """How a run or a script ended, and its duration in seconds."""

    state: State
    duration: float


def sparkline(points: Sequence[Bar], most: int, formats: Formats) -> Markup:
    """Return one bar a run, the last one at the right: height by duration, colour by end.

    Runs that did not succeed reach to the top and have a gap at the foot: without colours
    they are told apart as well. One far longer than the others is cut.
    """
    shown = list(reversed(points[:most]))
    durations = sorted(point.duration for point in shown)
    # Nine tenths of the runs are drawn to scale.
    top = durations[-(len(durations) // 10) - 1] if durations else 0.0
    paths: defaultdict[State, list[str]] = defaultdict(list)
    left = (most - len(shown)) * (_BAR + _GAP)
    for place, point in enumerate(shown):
        state = point.state
        height = _height(point.duration, top)
        x, y, foot = left + place * (_BAR + _GAP), _HEIGHT - height, _HEIGHT
        if state is State.FAILED:
            y, foot = 0, _HEIGHT - _LOWEST
        elif state is not State.WELL:
            y, foot = _HEIGHT // 2, _HEIGHT - _LOWEST
        paths[state].append(f"M{x} {foot}V{y}h{_BAR}V{foot}z")
    width = most * (_BAR + _GAP) - _GAP
    drawn = Markup().join(
        Markup('<path class="{state}" d="{path}"/>').format(
            state=state.value, path="".join(path)
        )
        for state, path in paths.items()
    )
    return Markup(
        '<svg class="spark" role="img" aria-label="{label}" viewBox="0 0 {width} {height}"'
        ' width="{width}" height="{height}">{drawn}</svg>'
    ).format(
        label=_told(shown, formats),
        width=width,
        height=_HEIGHT,
        drawn=drawn,
    )


def progress(share: float, formats: Formats) -> Markup:
    """Return a bar of what has passed of the usual time, with a line at its end.

    Args:
        share: 1 is the usual time; beyond it the bar changes its colour.
        formats: of the reader's language.
    """
    # The line stands at three quarters: there is room for what takes longer.
    usual = _PROGRESS * 3 // 4
    width = round(min(share * usual, _PROGRESS))
    label = formats.gettext("{percent} % of the usual time").format(
        percent=formats.number(share * 100)
    )
    return Markup(
        '<svg class="progress" role="img" aria-label="{label}"'
        ' viewBox="0 0 {whole} 10" preserveAspectRatio="none">'
        '<rect class="track" width="{whole}" height="10"/>'
        '<rect class="{state}" width="{width}" height="10"/>'
        '<rect class="usual" x="{usual}" width="2" height="10"/></svg>'
    ).format(
        label=label,
        whole=_PROGRESS,
        width=width,
        usual=usual,
        state="over" if share > 1 else "running",
    )


def _height(duration: float, top: float) -> int:
    share = min(duration / top, 1.0) if top > 0 else 0.0
    return _LOWEST + round(share * (_HEIGHT - _LOWEST))


def _told(points: Sequence[Bar], formats: Formats) -> str:
    """Return in words what a sparkline shows."""
    failed = sum(point.state is State.FAILED for point in points)
    runs = formats.ngettext("{count} run", "{count} runs", len(points))
    told = runs.format(count=formats.number(len(points)))
    if failed:
        words = formats.ngettext("{count} failed", "{count} failed", failed)
        told += f", {words.format(count=formats.number(failed))}"
    return told
