"""Pings a project's heartbeat in the course of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model import RunStatus


if TYPE_CHECKING:
    from python_runner.delivery.heartbeat import Heartbeat
    from python_runner.model import Run
    from python_runner.runner.context import RunContext
    from python_runner.texts.sentence import Sentence

#: Seconds a run waits for its last ping, and those left once it is asked to stop.
LAST_PING_SECONDS = 10.0
_STOPPING_SECONDS = 3.0


class RunHeartbeat:
    """The heartbeat of one run of a project; silent where none is configured."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._heartbeat = _open(context.project.heartbeat_url)

    @property
    def warnings(self) -> tuple[Sentence, ...]:
        """What has gone wrong so far."""
        return self._heartbeat.problems if self._heartbeat else ()

    def begin(self) -> None:
        """Report that the scripts come next; return at once."""
        if self._heartbeat:
            self._heartbeat.start(self._context.run_id)

    def end(self, run: Run) -> None:
        """Report how this run, or an earlier one that died, ended; return at once.

        A run that was skipped for an active one is not reported: the project's heartbeat
        is that one's. A day off is a success: whoever waits for the ping need not worry.
        """
        skipped = run.status is RunStatus.SKIPPED and not run.day_off
        if self._heartbeat is None or skipped:
            return
        # Imported here because few projects have a heartbeat.
        from python_runner.runner.rendering import render_ping  # noqa: PLC0415

        self._heartbeat.end(
            run.run_id,
            render_ping(run, self._context),
            success=run.status is RunStatus.SUCCESS or run.day_off,
            language=self._context.project.language,
        )

    def finish(self) -> tuple[Sentence, ...]:
        """Wait a little for what is not out yet; return all that has gone wrong."""
        if self._heartbeat is None:
            return ()
        stopping = self._context.session.stop.requested
        return tuple(
            self._heartbeat.finish(_STOPPING_SECONDS if stopping else LAST_PING_SECONDS)
        )


def _open(url: str | None) -> Heartbeat | None:
    if url is None:
        return None
    from python_runner.delivery.heartbeat import Heartbeat  # noqa: PLC0415 - seldom used

    return Heartbeat(url)
