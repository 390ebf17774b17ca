"""What a digest of a fleet says beside what every digest does: its computers, their clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.report.summary import LINE
from python_runner.texts.sanitize import one_line
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model.digest import Digest
    from python_runner.texts.formats import Formats

#: The word for a computer that has not written since one of its projects was due.
SILENT_WORD = N_("gives no sign")


def all_well(digest: Digest, formats: Formats) -> str:
    """Return that all projects of a fleet are well, with how many of how many computers."""
    projects = formats.ngettext(
        "{count} project", "{count} projects", len(digest.projects)
    )
    computers = formats.ngettext(
        "{projects} on {count} computer, all well",
        "{projects} on {count} computers, all well",
        len(digest.computers),
    )
    return computers.format(
        projects=projects.format(count=formats.number(len(digest.projects))),
        count=formats.number(len(digest.computers)),
    )


def silent_words(digest: Digest, formats: Formats) -> list[str]:
    """Return how many computers have gone silent; nothing where none has."""
    count = len(digest.silent_computers)
    if not count:
        return []
    words = formats.ngettext(
        "{count} computer gives no sign", "{count} computers give no sign", count
    )
    return [words.format(count=formats.number(count))]


def clock_words(digest: Digest, formats: Formats) -> Iterator[str]:
    """Yield whose clock is wrong, and by how much."""
    _ = formats.gettext
    if behind := digest.behind:
        words = _(
            "the clock of this computer is at least {duration} behind that of the fleet's"
            " folder: a project that is silent may not be seen"
        )
        yield words.format(duration=formats.whole_duration(behind.total_seconds()))
    for computer in digest.computers:
        if not computer.ahead:
            continue
        seconds = computer.ahead.total_seconds()
        words = _("the clock of {computer} is {duration} ahead")
        if seconds < 0:
            words = _("the clock of {computer} is {duration} behind")
        yield words.format(
            computer=one_line(computer.name, LINE),
            duration=formats.whole_duration(abs(seconds)),
        )
