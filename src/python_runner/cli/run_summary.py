"""What ``run`` tells after the runs: failures, lost reports, and one last line."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import field
from itertools import groupby
from typing import TYPE_CHECKING

from python_runner.cli import wording
from python_runner.cli.lookup import owners_help
from python_runner.cli.streams import say, stderr
from python_runner.facts import dataclass
from python_runner.model import Outcome, RunStatus
from python_runner.runner.delivery import given_up_notice
from python_runner.texts.sanitize import clean, flat
from python_runner.texts.sentence import system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from pathlib import Path

    from python_runner.model import Run, ScriptResult
    from python_runner.records.messages import QueuedMessage
    from python_runner.texts.sentence import Sentence


@dataclass(slots=True)
class Summary:
    """Prints to stderr what did not succeed, or oddly, and where to look.

    Attributes:
        said: warnings that have been told already.
        names: what names each run to the commands that read records, by its id.
        env_file: the option of this command, which those need as well.
        quiet: whether nothing has been told of what was skipped or stopped.
        spaced: whether something stands above, from which a blank line separates.
    """

    said: Collection[Sentence] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    env_file: Path | None = None
    quiet: bool = False
    spaced: bool = True

    def show(self, runs: Sequence[Run]) -> None:
        """Print what there is to tell of the runs."""
        for run in runs:
            if not wording.was_not_reached(run):
                self._show(run)
        if names := [flat(run.project) for run in runs if wording.was_not_reached(run)]:
            words = _("not started: {names}").format(names=", ".join(names))
            say(words, err=True, colour="dim")

    def _show(self, run: Run) -> None:
        skipped = run.status is RunStatus.SKIPPED
        if self.quiet and skipped and not run.day_off:
            say(wording.skipped_line(run), err=True, colour="yellow")
        if run.error and not skipped:
            words = clean(run.error.in_language(system_language()))
            # A sentence that names the folder names the project.
            names = [] if str(run.path) in words else [flat(run.project)]
            self._begin(wording.joined(_("error"), *names, words), "red")
        for warning in run.warnings:
            if warning not in self.said:
                text = flat(wording.joined(run.project, wording.say(warning)))
                say(wording.labelled(_("warning"), text), err=True, colour="yellow")
        if (run.error or skipped) and not any(r.attempts for r in run.scripts):
            # Each script would say the same.
            self._show_help({} if skipped else owners_help(run.path), "")
            return
        self._show_scripts(run)

    def _show_scripts(self, run: Run) -> None:
        failed = [r for r in run.scripts if r.outcome not in _NO_FAILURE]
        texts = owners_help(run.path) if failed else {}
        for result in run.scripts:
            if result in failed or result.warnings or result.unusual:
                self._show_script(run, result)
                if result in failed:
                    self._show_help(texts, result.script)
        self._show_help(texts, "")
        if self.quiet:
            self._show_unstarted(run)

    def _show_script(self, run: Run, result: ScriptResult) -> None:
        colour = "yellow" if result.succeeded else "red"
        outcome, _why = wording.outcome_and_why(result)
        if result.unusual:
            outcome = _("unusual")
        line = flat(wording.joined(run.project, result.script, outcome))
        self._begin(line, f"bold {colour}")
        reason, *rest = wording.notable_lines(result) or [""]
        if reason:
            say(f"    {reason}", err=True, colour="bold")
        for line in rest:
            say(f"    {line}", err=True)
        for line in wording.hint_lines(result):
            say(f"    {line}", err=True)
        if not (output := wording.output_lines(result)):
            return
        name = self.names.get(run.run_id)
        if name is None or not stderr().isatty():
            # Who reads it elsewhere may have other records.
            for line in output:
                say(f"    {line}", err=True)
        if name is not None:
            command = wording.output_command(name, result.script, self.env_file)
            say(f"    {command}", err=True, colour="cyan", whole=True)

    def _show_help(self, texts: Mapping[str, str], script: str) -> None:
        """Print what the owner says to do about a failure; those of all: once."""
        lines = wording.help_lines(texts, script)
        if lines and not script:
            self._begin(lines.pop(0), "bold")
        for line in lines:
            say(f"    {line}", err=True)

    def _show_unstarted(self, run: Run) -> None:
        stopped = run.status is RunStatus.STOPPED
        skipped = [r for r in run.scripts if r.outcome is Outcome.SKIPPED]
        for _reason, group in groupby(skipped, lambda result: result.reason):
            line = wording.unstarted_line(list(group), stopped=stopped)
            say(wording.joined(flat(run.project), line), err=True, colour="dim")
        if stopped:
            say(wording.run_line(run), err=True, colour="yellow")

    def _begin(self, line: str, colour: str) -> None:
        blank = "\n" if self.spaced else ""
        say(blank + line, err=True, colour=colour)
        self.spaced = True


#: Outcomes of scripts of which there is nothing to tell, or one line for all of them.
_NO_FAILURE = frozenset({Outcome.SUCCESS, Outcome.SKIPPED, Outcome.STOPPED})


def show_undelivered(
    runs: Iterable[Run], given_up: Iterable[QueuedMessage] = ()
) -> None:
    """Print to stderr which reports have not reached everybody, and why."""
    runs = list(runs)
    projects: defaultdict[str, list[str]] = defaultdict(list)
    for run in runs:
        if line := wording.undelivered(run):
            projects[line].append(run.project)
    for line, names in projects.items():
        say(flat(wording.joined(", ".join(names), line)), err=True, colour="yellow")
    own = {run.run_id for run in runs}
    for queued in given_up:
        if queued.run_id not in own:
            notice = wording.say(given_up_notice(queued))
            say(flat(wording.joined(queued.project, notice)), err=True, colour="yellow")


def show_written(runs: Iterable[Run], *, err: bool) -> None:
    """Print where the reports are that became files."""
    for line in wording.written_lines(runs):
        say(line, err=err, colour="dim")


def show_last_line(runs: Sequence[Run], seconds: float, *, err: bool) -> None:
    """Print how all of several runs went; ``seconds`` is what they took together."""
    if len(runs) <= 1:
        return
    statuses = {run.status for run in runs if not wording.was_not_reached(run)}
    order = [RunStatus.STOPPED, RunStatus.SKIPPED, RunStatus.SUCCESS]
    worst = next(iter(statuses.difference(order)), None)
    worst = worst or next((s for s in order if s in statuses), RunStatus.STOPPED)
    line = wording.last_line(runs, seconds)
    say("\n" + line, err=err, colour=f"bold {wording.status_colour(worst)}")
