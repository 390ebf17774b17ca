"""Checks what the scripts of a series need: unknown names and cycles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.model import Script


def dependency_problems(scripts: Sequence[Script]) -> Iterator[tuple[int, str]]:
    """Yield the place of a script (from 0) and what is wrong with its needs."""
    names = [script.name for script in scripts]
    for place, script in enumerate(scripts):
        for needed in script.needs:
            if message := _bad_need(script.name, needed, names):
                yield place, message
    for cycle in _cycles(scripts) if any(script.needs for script in scripts) else ():
        message = _("circular dependency: {cycle}")
        yield names.index(cycle[0]), message.format(cycle=" -> ".join(cycle))


def _bad_need(name: str, needed: str, names: Sequence[str]) -> str | None:
    if needed == name:
        return _("{script} depends on itself: {script} -> {script}").format(script=name)
    if needed in names:
        return None
    import difflib  # noqa: PLC0415 - for misspelt names only

    if close := difflib.get_close_matches(needed, names, n=1):
        message = _("there is no script {name}; did you mean {close}?")
        return message.format(name=needed, close=close[0])
    message = _("there is no script {name}; the series contains {names}")
    return message.format(name=needed, names=", ".join(names))


def _cycles(scripts: Sequence[Script]) -> Iterator[list[str]]:
    """Yield the names along each cycle of several scripts, the first again at the end."""
    from graphlib import CycleError, TopologicalSorter  # noqa: PLC0415 - few series are graphs

    graph = {script.name: {*script.needs} - {script.name} for script in scripts}
    while True:
        try:
            TopologicalSorter(graph).prepare()
        except CycleError as error:
            # graphlib lists each node before the one that needs it; people read
            # "a needs b".
            cycle = list(reversed(error.args[1]))
        else:
            return
        yield cycle
        for name in cycle[1:]:
            del graph[name]
