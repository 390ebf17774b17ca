"""The interpreters that are started ahead of the scripts of one run."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.execution.warm import WarmPool
    from python_runner.runner.script_run import ScriptRun


@contextmanager
def warm_interpreters(scripts: ScriptRun) -> Iterator[WarmPool | None]:
    """Start interpreters ahead while a series runs; None where the project wants none.

    Whatever is wrong with them is a warning: then scripts start as always.
    """
    pool = None
    with scripts.context.as_warning():
        pool = _start(scripts)
    try:
        yield pool
    finally:
        if pool is not None:
            with scripts.context.as_warning():
                pool.close()


def _start(scripts: ScriptRun) -> WarmPool | None:
    context = scripts.context
    project = context.project
    # For one script nothing can be done ahead.
    if not project.warm or len(project.scripts) < 2:  # noqa: PLR2004
        return None
    from python_runner.execution import warm  # noqa: PLC0415 - seldom asked for

    if not warm.can_be_held(scripts.identity):
        template = N_('"warm" has no effect: it needs Python {version} or newer')
        version = ".".join(map(str, warm.OLDEST))
        context.warn(Sentence.of(template, version=version))
        return None
    # The server serves those without variables of their own.
    likely = sorted(project.scripts, key=lambda script: bool(script.env))
    model = next(filter(None, map(scripts.command_ahead, likely)), None)
    if model is None:
        return None
    pool = warm.WarmPool(
        preload=project.preload,
        lanes=project.max_parallel,
        warn=lambda reason: context.warn(context.masker.sentence(reason)),
        stop=context.session.stop,
    )
    pool.start(model)
    return pool
