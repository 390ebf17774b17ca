"""``python-runner run``: the main job."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager, nullcontext, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from python_runner.cli import wording
from python_runner.cli.candidates import completer, scripts_of_projects
from python_runner.cli.errors import show_unexpected
from python_runner.cli.parameters import at_least
from python_runner.cli.progress import LiveView, PlainLines, Progress, told_of_stop
from python_runner.cli.run_summary import (
    Summary,
    show_last_line,
    show_undelivered,
    show_written,
)
from python_runner.cli.streams import deliver_document, say, show, stderr, stdout
from python_runner.cli.targets import (
    env_file_option,
    find_targets,
    projects_argument,
    with_place,
)
from python_runner.config.permissions import foreign_settings, root_problem
from python_runner.config.project import load_project
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.interpreter_version import shown_command
from python_runner.execution.interpreters import find_command, find_script
from python_runner.execution.process import become_subreaper
from python_runner.exit_codes import EXIT_SUCCESS, EXIT_USAGE
from python_runner.facts import dataclass
from python_runner.files import is_folder
from python_runner.masking import Masker
from python_runner.model.script_names import mask_names
from python_runner.policy import exit_code
from python_runner.records.store import StoreError
from python_runner.runner.context import (
    Demand,
    RunContext,
    day_off_of,
    require_schedule,
)
from python_runner.runner.events import ScriptEnded
from python_runner.runner.project_run import finish_runs, run_configured
from python_runner.runner.recovery import unrecorded_outcomes
from python_runner.runner.selection import require_records, select, unfinished
from python_runner.runner.session import (
    ignore,
    local_now,
    open_session,
    read_settings,
)
from python_runner.runner.signals import StopSignals
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import translate as _
from python_runner.waiting import do_all


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from python_runner.cli.follow import OutputFollower
    from python_runner.cli.streams import Stream
    from python_runner.config.workspace import Workspace
    from python_runner.model import Project, Run, Script, Settings
    from python_runner.records.messages import QueuedMessage
    from python_runner.records.store import Store
    from python_runner.runner.events import Event
    from python_runner.runner.session import Session
    from python_runner.texts.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How the user wants the runs, as the command line says it."""

    env_file: Path | None
    jobs: int
    only: tuple[str, ...]
    resume: bool
    if_missed: bool
    any_day: bool
    on: str | None
    dry_run: bool
    no_mail: bool
    as_json: bool
    quiet: bool
    verbose: bool


@click.command(
    help=_(
        "Run the series of each PROJECT (a folder with an exec_config.json); without"
        " one, the projects of python-runner.toml."
    )
)
@projects_argument
@click.option(
    "--jobs",
    type=at_least(1),
    default=1,
    show_default=True,
    metavar=_("N"),
    help=_("Maximum number of projects to run at once."),
)
@click.option(
    "--only",
    multiple=True,
    metavar=_("SCRIPT"),
    shell_complete=completer(scripts_of_projects),
    help=_("Run this script of the series only; may be repeated."),
)
@click.option(
    "--resume",
    is_flag=True,
    help=_("Run the scripts that did not succeed when they last ran."),
)
@click.option(
    "--if-missed",
    is_flag=True,
    help=_(
        "Run only projects that have missed a time of their schedule since their last"
        " run; once each, however many times were missed."
    ),
)
@click.option(
    "--any-day",
    is_flag=True,
    help=_("Run also on the days that not_on excludes."),
)
@click.option(
    "--on",
    metavar=_("WHERE"),
    help=_(
        "Run the scripts in a Dask cluster: tcp://scheduler:8786, tls://scheduler:8786,"
        " or local:4 for worker processes on this computer; needs the extra dask."
    ),
)
@click.option("--dry-run", is_flag=True, help=_("Show what would run; run nothing."))
@click.option("--no-mail", is_flag=True, help=_("Send no report."))
@click.option("--json", "as_json", is_flag=True, help=_("Print one JSON document."))
@click.option("--quiet", "-q", is_flag=True, help=_("Print failures only."))
@click.option(
    "--verbose", "-v", is_flag=True, help=_("Show the scripts' output as it comes.")
)
@env_file_option
def command(projects: tuple[Path, ...], **flags: Any) -> int:
    """Run projects; the exit code says how it went."""
    options = Options(**flags)
    if options.only and options.resume:
        raise click.UsageError(_("--only and --resume exclude each other"))
    if options.if_missed and (options.only or options.resume):
        other = "--only" if options.only else "--resume"
        raise click.UsageError(
            _("--if-missed and {option} exclude each other").format(option=other)
        )
    targets = with_place(find_targets(projects), options.on)
    settings = read_settings(options.env_file)
    with _beside_the_runs(settings):
        warn_of_others(settings, options)
    if options.dry_run:
        return show_plan(targets, settings, options)
    begin = time.monotonic()
    done = run_all(targets, settings, options)
    runs, given_up, signal_name = done.runs, done.given_up, done.signal
    with _beside_the_runs(settings):
        if not options.quiet:
            show_written(runs, err=options.as_json)
        show_failures(done, settings, options)
    with _beside_the_runs(settings):
        show_undelivered(runs, given_up)
    with _beside_the_runs(settings):
        if not options.quiet:
            seconds = time.monotonic() - begin
            show_last_line(runs, seconds, err=options.as_json)
    lost = options.as_json and not deliver_document(
        {"runs": [run.to_document() for run in runs]}, hurry=signal_name is not None
    )
    return exit_code(
        runs, signal=signal_name, given_up=bool(given_up), document_lost=lost
    )


def warn_of_others(settings: Settings, options: Options) -> None:
    """Print to stderr who else decides what is run, or that scripts run as root."""
    root = () if options.quiet else root_problem()
    for problem in (*root, *foreign_settings(settings.env_file)):
        warning = flat(wording.labelled(_("warning"), problem))
        say(warning, err=True, colour="yellow")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Done:
    """What came of all projects.

    Attributes:
        runs: in order.
        given_up: the reports given up meanwhile, earlier runs' too.
        signal: the one that ended it all.
        names: what names each recorded run to other commands, by its id.
        shown: whether anything has been shown of the runs.
    """

    runs: list[Run]
    given_up: list[QueuedMessage]
    signal: str | None
    names: Mapping[str, str]
    shown: bool


def run_all(targets: Workspace, settings: Settings, options: Options) -> _Done:
    """Run every project."""
    stream = _progress_stream(options)
    progress = Progress(stream)
    with _beside_the_runs(settings):
        become_subreaper()
    with _beside_the_runs(settings):
        progress = _progress(options, len(targets.projects))
    follow = _follower(progress, stream, settings) if options.verbose else None

    def listener(event: Event) -> None:
        if follow is None:
            progress(event)
        elif isinstance(event, ScriptEnded):
            # All of the output stands above what is said of its end.
            follow(event)
            progress(event)
        else:
            progress(event)
            follow(event)

    with (
        open_session(
            settings,
            # Nobody waits for what shows nothing.
            listener=listener if options.verbose or not options.quiet else ignore,
            reports_enabled=not options.no_mail,
            defaults=targets.defaults,
            fleet=targets.fleet,
            cluster=targets.cluster,
        ) as session,
        StopSignals(session.stop.request) as signals,
        _shown(progress, settings),
        told_of_stop(session.stop, progress),
    ):
        for notice in (*session.notices, *settings.warnings):
            say(wording.say(notice), err=True)
        if options.resume:
            require_records(session.store)
        if options.if_missed and session.store is None:
            raise PythonRunnerError(_("without records nobody knows what was missed"))
        jobs = [
            partial(_run_one, folder, targets.defaults, session, options, progress)
            for folder in targets.projects
        ]
        done = do_all(jobs, options.jobs, "project")
        runs = finish_runs([run for run in done if run], session, targets.keep_days)
        names = {}
        with _beside_the_runs(settings):
            names = typed_names(runs, session.store)
    name = signals.received.name if signals.received else None
    if follow and name is None:
        with _beside_the_runs(settings):
            follow.finish()
    return _Done(
        runs=runs,
        given_up=session.given_up,
        signal=name,
        names=names,
        shown=progress.shown,
    )


def _follower(progress: Progress, stream: Stream, settings: Settings) -> OutputFollower:
    from python_runner.cli.follow import OutputFollower  # noqa: PLC0415 - -v only

    return OutputFollower(progress, stream.coloured, settings.secrets)


def typed_names(runs: Iterable[Run], store: Store | None) -> dict[str, str]:
    """Return what names each run to other commands, as shortly as it is clear.

    The beginning of its id, or the project's folder, whose last run it is, where that is
    not one run's alone. A run that is not recorded has none.
    """
    names: dict[str, str] = {}
    if store is None:
        return names
    with suppress(StoreError):
        for run in runs:
            short = wording.short_id(run.run_id)
            if store.run_ids(short, limit=2) == [run.run_id]:
                names[run.run_id] = short
            elif store.run_ids(run.run_id, limit=1):
                names[run.run_id] = str(run.path)
    return {
        run.run_id: str(run.path) if is_folder(Path(name)) else name
        for run in runs
        if (name := names.get(run.run_id))
    }


def show_failures(done: _Done, settings: Settings, options: Options) -> None:
    """Print to stderr what did not succeed, or oddly, and where to look."""
    summary = Summary(
        said=settings.warnings,
        names=done.names,
        env_file=options.env_file,
        quiet=options.quiet,
        spaced=done.shown,
    )
    summary.show(done.runs)


@contextmanager
def _beside_the_runs(settings: Settings) -> Iterator[None]:
    """Tell what nobody foresaw in what surrounds the runs; it costs none of them."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the runs and their document stand
        show_unexpected(error, settings.home, Masker(settings.secrets))


@contextmanager
def _shown(progress: Progress, settings: Settings) -> Iterator[None]:
    """Show the progress of the runs within the block."""
    stack = ExitStack()
    with _beside_the_runs(settings):
        stack.enter_context(progress)
    try:
        yield
    finally:
        with _beside_the_runs(settings):
            stack.close()


def _progress(options: Options, projects: int) -> Progress:
    stream = _progress_stream(options)
    if options.quiet:
        return Progress(stream)
    if stream.draws:
        mixed = min(options.jobs, projects) > 1
        return LiveView(stream, mixed=mixed, verbose=options.verbose)
    return PlainLines(stream)


def _progress_stream(options: Options) -> Stream:
    return stderr() if options.as_json else stdout()


def _run_one(
    folder: Path,
    defaults: Mapping[str, Any],
    session: Session,
    options: Options,
    progress: Progress,
) -> Run | None:
    """Run one project; return None where no run of it is wanted."""

    def tell(reason: Sentence) -> None:
        if not options.quiet:
            progress.tell(_unwanted(folder, reason))

    demand = Demand(any_day=options.any_day)
    if options.if_missed:
        from python_runner.scheduling.catch_up import why_none  # noqa: PLC0415

        demand = Demand(any_day=options.any_day, unless=why_none, tell=tell)
    run = run_configured(
        folder,
        session,
        defaults=defaults,
        only=options.only,
        resume=options.resume,
        demand=demand,
    )
    if run is None and options.resume and not options.quiet:
        progress.tell(_nothing_to_resume(folder))
    return run


def _unwanted(folder: Path, reason: Sentence) -> str:
    return flat(wording.joined(folder.name, wording.say(reason)))


def _nothing_to_resume(folder: Path) -> str:
    return _("{project}: nothing to resume").format(project=flat(folder.name))


def show_plan(targets: Workspace, settings: Settings, options: Options) -> int:
    """Print what would run, with which interpreter; return the exit code."""
    code = EXIT_SUCCESS
    masker = Masker(settings.secrets)
    past = options.resume or options.if_missed
    with _past(targets, settings, options) if past else nullcontext() as session:
        for folder in targets.projects:
            try:
                project = load_project(folder, defaults=targets.defaults)
                masker = Masker((*settings.secrets, *project.secrets))
                # The records know the scripts by names without secrets.
                chosen = mask_names(select(project, options.only), masker)
                plan: Project | None = chosen
                if session and options.if_missed:
                    reason = _why_no_catch_up(chosen, session, options)
                    if reason:
                        show(_unwanted(folder, reason))
                        continue
                elif session:
                    plan = _remaining(chosen, session)
                if plan is None:
                    show(_nothing_to_resume(folder))
                else:
                    if not options.any_day:
                        _print_day_off(project)
                    _print_plan(plan, settings, masker)
            except PythonRunnerError as error:
                say(masker.text(str(error)), err=True)
                code = EXIT_USAGE
    return code


def _why_no_catch_up(
    project: Project, session: Session, options: Options
) -> Sentence | None:
    """Return why ``--if-missed`` would not run a project now; None where it would.

    Raises:
        PythonRunnerError: it has no schedule.
    """
    from python_runner.scheduling.catch_up import why_none  # noqa: PLC0415

    require_schedule(project)
    context = RunContext.begin(project, session, Demand(any_day=options.any_day))
    reason = why_none(context, True)
    for warning in () if reason else context.warnings[-1:]:
        show(_unwanted(project.path, warning))
    return reason


@contextmanager
def _past(
    targets: Workspace, settings: Settings, options: Options
) -> Iterator[Session]:
    """Open the records that say what there is to resume, or what was missed.

    Raises:
        PythonRunnerError: there are none.
    """
    with open_session(
        settings, reports_enabled=False, defaults=targets.defaults
    ) as session:
        for notice in session.notices:
            say(wording.say(notice), err=True)
        if options.resume:
            require_records(session.store)
        elif session.store is None:
            raise PythonRunnerError(_("without records nobody knows what was missed"))
        yield session


def _remaining(project: Project, session: Session) -> Project | None:
    """Return what ``run --resume`` would run: it takes in what the log alone knows."""
    store = require_records(session.store)
    context = RunContext.begin(project, session)
    return unfinished(project, store, unrecorded_outcomes(context, store))


def _print_day_off(project: Project) -> None:
    """Say where the series would not run today."""
    reason, warnings = day_off_of(project, local_now())
    for warning in warnings:
        say(wording.labelled(_("warning"), wording.say(warning)), err=True)
    if reason:
        words = _("skipped today: {reason}").format(reason=wording.say(reason))
        show(flat(wording.joined(project.name, words)))


def _print_plan(project: Project, settings: Settings, masker: Masker) -> None:
    command = find_command(
        project.python_command, project.path, environ=settings.environ
    )
    show(flat(masker.text(wording.joined(project.name, shown_command(command)))))
    for script in project.scripts:
        show("  " + flat(masker.text(_plan_line(project, script))))


def _plan_line(project: Project, script: Script) -> str:
    file = find_script(script.path, project.path)
    parts = [" ".join((str(file or script.path), *script.args))]
    if file is None:
        parts.append(_("(not found)"))
    if script.timeout:
        limit = wording.duration(script.timeout)
        if script.timeout >= 1 and script.timeout == int(script.timeout):
            limit = wording.formats().whole_duration(script.timeout)
        parts.append(_("at most {time}").format(time=limit))
    if script.retries:
        retries = wording.formats().ngettext(
            "up to {count} retry", "up to {count} retries", script.retries
        )
        parts.append(retries.format(count=script.retries))
    if script.needs:
        parts.append(_("after {names}").format(names=", ".join(script.needs)))
    return ", ".join(parts)
