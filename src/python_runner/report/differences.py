"""Words for what changed since a script last succeeded, for mails, terminal and pages."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model.differences import MEASURES, Aspect, Change
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.model.differences import Difference, Differences
    from python_runner.texts.formats import Formats

#: Files, packages or variables that are named in one line, and characters of a name or
#: of a version.
_NAMED, _NAME = 6, 80
#: What may differ in several things.
_LISTS = {
    (Aspect.FILE, Change.CHANGED): N_("Files changed"),
    (Aspect.FILE, Change.REMOVED): N_("Files no longer used"),
    (Aspect.FILE, Change.ADDED): N_("Files added"),
    (Aspect.PACKAGE, Change.CHANGED): N_("Packages changed"),
    (Aspect.PACKAGE, Change.REMOVED): N_("Packages removed"),
    (Aspect.PACKAGE, Change.ADDED): N_("Packages added"),
    (Aspect.VARIABLE, Change.REMOVED): N_("Variables removed"),
    (Aspect.VARIABLE, Change.ADDED): N_("Variables added"),
}
_LABELS = {
    Aspect.PACKAGES: N_("Packages"),
    Aspect.PYTHON: N_("Python"),
    Aspect.INTERPRETER: N_("Interpreter"),
    Aspect.COMPUTER: N_("Computer"),
    Aspect.ACCOUNT: N_("Account"),
    Aspect.DURATION: N_("Duration"),
    Aspect.OUTPUT: N_("Size of the output"),
}


@dataclass(frozen=True, slots=True)
class DiffView:
    """The lines of a file that differ.

    Attributes:
        title: names the file.
        lines: of a unified diff; each may be shown.
        rest: how much of it is left out, or nothing.
    """

    title: str
    lines: tuple[str, ...]
    rest: str


@dataclass(frozen=True, slots=True)
class DifferencesView:
    """What changed since a script last succeeded, in words.

    Attributes:
        title: says since when.
        lines: what changed, the most telling first; at least one.
        diffs: of changed files, in that order.
    """

    title: str
    lines: tuple[str, ...]
    diffs: tuple[DiffView, ...] = ()


def view_differences(differences: Differences, formats: Formats) -> DifferencesView:
    """Return what is told of ``differences``, bounded and safe to show."""
    title = formats.gettext("What changed since it last succeeded ({moment})")
    return DifferencesView(
        title=title.format(moment=formats.minute(differences.since)),
        lines=tuple(_lines(differences.found, formats)),
        diffs=tuple(_diffs(differences.found, formats)),
    )


def brief_differences(differences: Differences | None, formats: Formats) -> str:
    """Return the most telling difference in a few words: ``import.py (2 lines)``.

    Empty where nothing that explains a failure is known to have changed.
    """
    found = (
        [d for d in differences.found if d.aspect not in MEASURES]
        if differences
        else []
    )
    if not found:
        return ""
    first = found[0]
    told = _brief(first, formats)
    if len(found) == 1:
        return told
    template = formats.ngettext(
        "{names} and {count} other", "{names} and {count} others", len(found) - 1
    )
    return template.format(names=told, count=formats.number(len(found) - 1))


def _brief(difference: Difference, formats: Formats) -> str:
    diff = difference.diff
    if difference.aspect is not Aspect.FILE or diff is None or diff.more:
        label, value = _told(
            difference.aspect, difference.change, [difference], formats
        )
        named = difference.aspect in {Aspect.FILE, Aspect.PACKAGE, Aspect.VARIABLE}
        if named and difference.change is Change.CHANGED:
            return value
        return formats.gettext("{label}: {value}").format(label=label, value=value)
    signs = [line[:1] for line in diff.lines]
    count = max(signs.count("+"), signs.count("-"))
    if not count:
        return _named(difference)
    template = formats.ngettext(
        "{name} ({count} line)", "{name} ({count} lines)", count
    )
    return template.format(name=_named(difference), count=formats.number(count))


def same_as(script: str, view: DifferencesView, formats: Formats) -> DifferencesView:
    """Return what is told of a script for which the same changed as for another one."""
    line = formats.gettext("The same as for {script}.").format(script=script)
    return DifferencesView(title=view.title, lines=(line,))


def _lines(found: Sequence[Difference], formats: Formats) -> Iterator[str]:
    for (aspect, change), group in groupby(found, lambda d: (d.aspect, d.change)):
        label, value = _told(aspect, change, list(group), formats)
        yield formats.gettext("{label}: {value}").format(label=label, value=value)
    for difference in found:
        if difference.diff and (note := difference.diff.note):
            name = one_line(difference.name, _NAME)
            template = formats.gettext("{label}: {value}")
            yield template.format(label=name, value=formats.say(note))
    if not found:
        yield formats.gettext("Nothing that is recorded changed.")
    elif all(difference.aspect in MEASURES for difference in found):
        yield formats.gettext("Nothing else that is recorded changed.")


def _told(
    aspect: Aspect, change: Change, group: Sequence[Difference], formats: Formats
) -> tuple[str, str]:
    """Return what differs, and how."""
    if heading := _LISTS.get((aspect, change)):
        names = [_named(difference) for difference in group]
        return formats.gettext(heading), _some(names, formats)
    label, (only,) = formats.gettext(_LABELS[aspect]), group
    if aspect is Aspect.PACKAGES:
        return label, formats.gettext("not the same ones")
    return label, _from_to(
        _value(aspect, only.before, formats), _value(aspect, only.after, formats)
    )


def _named(difference: Difference) -> str:
    """Return a name; of a package with its versions."""
    name = one_line(difference.name, _NAME)
    if difference.aspect is not Aspect.PACKAGE:
        return name
    versions = [v for v in (difference.before, difference.after) if v is not None]
    return f"{name} {_from_to(*(one_line(str(v), _NAME) for v in versions))}"


def _from_to(*values: str) -> str:
    return " → ".join(values)


def _some(names: Sequence[str], formats: Formats) -> str:
    listed, left = ", ".join(names[:_NAMED]), len(names) - _NAMED
    if left <= 0:
        return listed
    template = formats.ngettext(
        "{names} and {count} other", "{names} and {count} others", left
    )
    return template.format(names=listed, count=formats.number(left))


def _value(aspect: Aspect, value: str | float | None, formats: Formats) -> str:
    if aspect is Aspect.DURATION:
        return formats.duration(float(value or 0))
    if aspect is Aspect.OUTPUT:
        return formats.size(int(value or 0))
    return one_line(str(value), _NAME * 2)


def _diffs(found: Sequence[Difference], formats: Formats) -> Iterator[DiffView]:
    for difference in found:
        if not difference.diff or not difference.diff.lines:
            continue
        title = formats.gettext("Changes in {file}")
        more = difference.diff.more
        rest = formats.ngettext(
            "and {count} more line", "and {count} more lines", more
        ).format(count=formats.number(more))
        yield DiffView(
            title=title.format(file=one_line(difference.name, _NAME)),
            lines=difference.diff.lines,
            rest=rest if more else "",
        )
