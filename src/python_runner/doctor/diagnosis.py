"""Everything that `doctor` finds out about some projects and about this computer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from python_runner.config.settings import can_mail
from python_runner.doctor import kinds
from python_runner.doctor.computer import (
    as_findings,
    look_at_account,
    look_at_packages,
    look_at_permissions,
    look_at_zone,
)
from python_runner.doctor.examination import as_problems, examine
from python_runner.doctor.finding import Check, Finding, Severity
from python_runner.doctor.fleet import look_at_fleet
from python_runner.doctor.interpreters import (
    look_at_imports,
    look_at_start,
    look_at_version,
)
from python_runner.doctor.looking import do_checks
from python_runner.doctor.mail import (
    judge_ways,
    look_at_expiries,
    look_at_passwords,
    look_at_servers,
    look_at_sign_in,
    try_way,
)
from python_runner.doctor.projects import findings_of
from python_runner.doctor.schedules import look_at_schedules
from python_runner.doctor.state import (
    look_at_clock_of_records,
    look_at_disks,
    look_at_records,
    look_at_reports,
    look_at_runs,
    look_at_state_folder,
    places_of,
)
from python_runner.doctor.surroundings import unwritable_locks, unwritable_state
from python_runner.doctor.windows import (
    look_at_drives,
    look_at_lengths,
    takes_long_paths,
)
from python_runner.execution.environment import child_environment
from python_runner.facts import dataclass
from python_runner.files import current_folder
from python_runner.masking import Masker
from python_runner.records.store import StoreError, open_store
from python_runner.runner.session import local_now
from python_runner.runner.unexpected import explain
from python_runner.texts.sentence import N_, Sentence
from python_runner.waiting import do_all


if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from python_runner.doctor.examination import Examination
    from python_runner.model import MailSettings, Project, Settings
    from python_runner.model.fleet import FleetFolder
    from python_runner.records.store import Store

#: Seconds for what `check` does, for all else, and for the starts of interpreters, which
#: are measured one by one.
_EXAMINE_SECONDS = 60.0
_LOOK_SECONDS = 60.0
_START_SECONDS = 30.0
#: Ways of sending that are gone at the same time.
_MOST_WAYS = 8
_ORDER = list(Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What was found out.

    Attributes:
        projects: the folders that were looked at.
        findings: those of this computer first, then project by project, the worst first.
    """

    projects: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def count(self, severity: Severity) -> int:
        """Return how many findings are so bad."""
        return sum(one.severity is severity for one in self.findings)

    @property
    def is_usage(self) -> bool:
        """Whether a configuration is wrong."""
        return any(one.kind.usage for one in self.findings)

    def of(self, project: Path | None) -> list[Finding]:
        """Return the findings of a project, or of this computer, the worst first."""
        return [one for one in self.findings if one.project == project]


def diagnose(
    projects: Sequence[Path],
    defaults: Mapping[str, Any],
    settings: Settings,
    fleet: FleetFolder | None = None,
) -> Diagnosis:
    """Find out everything about these projects and this computer.

    ``fleet`` is where it tells others of its runs. No script is run and nothing is sent. It takes two and a half minutes at most: what is
    not known by then is a finding.
    """
    masker = Masker(settings.secrets)
    explained = partial(_explain, settings, masker)
    examined: dict[Path, Examination] = {}

    def look(folder: Path) -> list[Finding]:
        examined[folder] = examine(folder, defaults, settings)
        return list(findings_of(examined[folder], settings))

    examining = [_check(N_("project"), look, f, project=f) for f in projects]
    findings = do_checks(examining, explained, seconds=_EXAMINE_SECONDS)
    # What has not come in time is looked at no further.
    known = [examined[folder] for folder in projects if folder in dict(examined)]
    try:
        store: Store | None = open_store(settings.home, local_now())
    except StoreError:
        # The check of the records says why.
        store = None
    checks = [*_computer_checks(known, settings), *_mail_checks(known, settings)]
    checks += _fleet_checks(fleet, settings)
    checks += _project_checks(known, settings)
    if store is not None:
        checks += _record_checks(store, projects, settings)
    findings += _wrong_variables(known, settings)
    findings += do_checks(checks, explained, seconds=_LOOK_SECONDS)
    if store is not None and all(f.kind is not kinds.UNFINISHED for f in findings):
        # One that hangs may still read them.
        store.close()
    starts = list(_start_checks(known, settings))
    findings += do_checks(starts, explained, seconds=_START_SECONDS, most=1)
    secrets = [s for one in known if one.project for s in one.project.secrets]
    masker = Masker((*settings.secrets, *secrets))
    return Diagnosis(
        projects=tuple(projects),
        findings=_sorted((f.masked(masker) for f in findings), projects),
    )


def _check(
    subject: str,
    look: Callable[..., Iterable[Finding]],
    *arguments: object,
    project: Path | None = None,
) -> Check:
    return Check(
        subject=Sentence.of(subject),
        look=lambda: list(look(*arguments)),
        project=project,
    )


def _explain(settings: Settings, masker: Masker, error: Exception) -> Sentence:
    return explain(error, settings.home, local_now(), masker)


def _computer_checks(
    known: Sequence[Examination], settings: Settings
) -> Iterator[Check]:
    home, now = settings.home, local_now()
    projects = _projects(known)
    unwritable = list(unwritable_state(settings))
    yield _check(N_("state folder"), as_findings, kinds.STATE_UNWRITABLE, unwritable)
    locks = unwritable_locks((project.path for project in projects), settings)
    yield _check(N_("state folder"), as_findings, kinds.STATE_UNWRITABLE, locks)
    if not unwritable:
        yield _check(N_("records"), look_at_records, home, now)
    yield _check(N_("state folder"), look_at_state_folder, home)
    yield _check(N_("state folder"), look_at_drives, [home], None)
    yield _check(N_("free space"), look_at_disks, list(places_of(home, projects)))
    yield _check(N_("account"), look_at_account)
    yield _check(N_("rights"), look_at_permissions, known, settings)
    yield _check(N_("packages"), look_at_packages, current_folder())
    yield _check(N_("time zone"), look_at_zone)
    yield _check(N_("schedules"), look_at_schedules, projects, now)


def _fleet_checks(fleet: FleetFolder | None, settings: Settings) -> Iterator[Check]:
    if fleet is not None:
        yield _check(N_("the fleet's folder"), look_at_fleet, fleet, settings.home)
        yield _check(N_("the fleet's folder"), look_at_drives, [fleet.folder], None)


def _mail_checks(known: Sequence[Examination], settings: Settings) -> Iterator[Check]:
    mail, now = settings.mail, local_now()
    if not can_mail(mail):
        return
    # Where no project is looked at, each may need it.
    needed = not known or any(one.may_mail for one in known)
    yield _check(N_("ways to send emails"), _look_at_ways, mail, needed)
    yield _check(N_("sign-in"), look_at_sign_in, mail, now)
    yield _check(N_("certificates"), look_at_expiries, mail, now)
    yield _check(N_("password"), look_at_passwords, mail)


def _look_at_ways(mail: MailSettings, needed: bool) -> Iterator[Finding]:
    jobs = [partial(try_way, way) for way in mail.ways]
    tried = do_all(jobs, _MOST_WAYS, "doctor")
    yield from judge_ways(tried, local_now(), needed=needed)


def _wrong_variables(
    known: Sequence[Examination], settings: Settings
) -> Iterator[Finding]:
    """Yield which variables are wrong though no project's mail needs them."""
    told = {problem.key for one in known for problem in one.problems}
    problems = [p for p in settings.mail.problems if p.key not in told]
    problems += as_problems(settings.warnings)
    yield from as_findings(kinds.MAIL_CONFIGURATION, problems)
    if not (problems or settings.mail.problems or can_mail(settings.mail)):
        yield Finding.of(kinds.MAIL_UNUSED)


def _project_checks(
    known: Sequence[Examination], settings: Settings
) -> Iterator[Check]:
    unlimited = takes_long_paths()
    for one in known:
        folder, project = one.folder, one.project
        if project is None:
            continue
        here = partial(_check, project=folder)
        yield here(N_("interpreter"), look_at_version, one, local_now().date())
        yield here(N_("imports"), look_at_imports, one, settings)
        yield here(N_("servers"), look_at_servers, project)
        used = [folder, project.directory, *one.scripts]
        yield here(N_("drives"), look_at_drives, used, folder)
        lengths = partial(look_at_lengths, unlimited=unlimited)
        yield here(N_("paths"), lengths, project)


def _record_checks(
    store: Store, projects: Sequence[Path], settings: Settings
) -> Iterator[Check]:
    now = local_now()
    yield _check(N_("clock"), look_at_clock_of_records, store, now)
    yield _check(N_("reports"), look_at_reports, store, projects, now)
    for folder in projects:
        yield _check(
            *(N_("runs"), look_at_runs, store, settings.home, folder, now),
            project=folder,
        )


def _start_checks(known: Sequence[Examination], settings: Settings) -> Iterator[Check]:
    """Yield the starts of each interpreter once, for the first project that uses it."""
    told = set()
    for one in known:
        if one.project is None or not one.version or one.command in told:
            continue
        told.add(one.command)
        environ = child_environment(settings.environ, one.project.env, run_id="")
        arguments = (one.command, one.folder, environ, one.folder)
        subject = N_("start of the interpreter")
        yield _check(subject, look_at_start, *arguments, project=one.folder)


def _projects(known: Iterable[Examination]) -> list[Project]:
    return [one.project for one in known if one.project]


def _sorted(
    findings: Iterable[Finding], projects: Sequence[Path]
) -> tuple[Finding, ...]:
    """Return findings each once, by project and by how bad they are."""
    places = {None: 0} | {folder: place for place, folder in enumerate(projects, 1)}
    once: list[Finding] = []
    for one in findings:
        if one not in once:
            once.append(one)
    once.sort(key=lambda one: (places[one.project], _ORDER.index(one.severity)))
    return tuple(once)
