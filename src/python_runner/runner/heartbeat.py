"""What a project's heartbeat is told in the course of a run."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.model import EmailStrategy, RunStatus
from python_runner.runner.reports import render_report


if TYPE_CHECKING:
    from python_runner.delivery.heartbeat import Heartbeat
    from python_runner.model import Project, Run
    from python_runner.runner.session import Session
    from python_runner.texts.sentence import Sentence

#: Seconds a run waits for its last ping, and those left once it is asked to stop.
LAST_PING_SECONDS = 10.0
_STOPPING_SECONDS = 3.0


class RunHeartbeat:
    """The heartbeat of one run of a project; silent where none is configured."""

    def __init__(self, project: Project, session: Session) -> None:
        self._project = project
        self._session = session
        self._heartbeat = _open(project.heartbeat_url)

    @property
    def warnings(self) -> tuple[Sentence, ...]:
        """What has gone wrong so far."""
        return self._heartbeat.problems if self._heartbeat else ()

    def begin(self, run_id: str) -> None:
        """Tell that the scripts come next; return at once."""
        if self._heartbeat:
            self._heartbeat.start(run_id)

    def end(self, run: Run) -> None:
        """Tell how a run ended, this one or an earlier that died; return at once.

        A run that is skipped says nothing: the active one speaks for the project.
        """
        if self._heartbeat and run.status is not RunStatus.SKIPPED:
            self._heartbeat.end(
                run.run_id,
                render_report(
                    run,
                    self._project,
                    EmailStrategy.ALL,
                    self._session.masker(self._project),
                ),
                success=run.status is RunStatus.SUCCESS,
                language=self._project.language,
            )

    def finish(self, run: Run) -> Run:
        """Wait a little for what is not out yet; return the run with what went wrong."""
        if self._heartbeat is None:
            return run
        stopping = self._session.stop.requested
        late = self._heartbeat.finish(
            _STOPPING_SECONDS if stopping else LAST_PING_SECONDS
        )
        new = tuple(problem for problem in late if problem not in run.warnings)
        return replace(run, warnings=(*run.warnings, *new))


def _open(url: str | None) -> Heartbeat | None:
    if url is None:
        return None
    from python_runner.delivery.heartbeat import Heartbeat  # noqa: PLC0415 - seldom used

    return Heartbeat(url)
