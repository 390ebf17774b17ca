"""What the scheduler is to do for projects; no I/O."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.model import EmailStrategy
from python_runner.scheduling.entries import Job, Purpose


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from python_runner.model import Project

#: When reports that wait are sent, and when the digest is.
FLUSH_TIMES = "*/10 * * * *"
DIGEST_TIMES = "0 7 * * 1-5"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """From where the scheduler starts this program, and how.

    Attributes:
        command: the program by its absolute path, and arguments that come first.
        folder: the working folder: that of ``.env`` and ``python-runner.toml``.
        env_file: a file of variables that is named, or None.
        variables: those that a run needs and that only this shell sets.
    """

    command: tuple[str, ...]
    folder: Path
    env_file: Path | None
    variables: Mapping[str, str]

    def job(
        self,
        purpose: Purpose,
        expression: str | None,
        *words: str,
        project: Path | None = None,
    ) -> Job:
        """Return the job that starts a command.

        Args:
            purpose: which command it is.
            expression: when it is due; None for what goes on all the time.
            words: the command; ``--env-file`` follows, then the project.
            project: the folder it is about.
        """
        named = ("--env-file", str(self.env_file)) if self.env_file else ()
        last = (str(project),) if project else ()
        return Job(
            purpose=purpose,
            project=project,
            expression=" ".join(expression.split()) if expression else None,
            command=(*self.command, *words, *named, *last),
            folder=self.folder,
            variables=dict(self.variables),
        )


def run_job(project: Project, place: Place) -> Job | None:
    """Return the job that runs a project; None where it has no schedule."""
    if project.schedule is None:
        return None
    return place.job(
        Purpose.RUN, project.schedule, "run", "--quiet", project=project.path
    )


def flush_job(place: Place) -> Job:
    """Return the job that sends the reports that wait."""
    return place.job(Purpose.FLUSH, FLUSH_TIMES, "mail", "flush", "--due")


def digest_job(place: Place) -> Job:
    """Return the job that mails the digest."""
    return place.job(Purpose.DIGEST, DIGEST_TIMES, "digest", "--mail")


def serve_job(place: Place, options: Sequence[str], projects: Sequence[Path]) -> Job:
    """Return the job that serves the dashboard.

    Args:
        place: from where.
        options: of the command, such as ``--port``.
        projects: folders that it is about; none: all.
    """
    job = place.job(Purpose.SERVE, None, "serve", *options)
    return replace(job, command=(*job.command, *map(str, projects)))


def may_report(project: Project) -> bool:
    """Say whether a project may leave a report that waits."""
    mails = project.recipients and project.email_strategy is not EmailStrategy.NONE
    return bool(mails or project.channels)
