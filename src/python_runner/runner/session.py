"""What all runs of one process share."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from python_runner.config.settings import load_settings, state_folder
from python_runner.delivery.outbox import Outbox
from python_runner.exceptions import PythonRunnerError
from python_runner.execution.stop import StopRequest
from python_runner.facts import dataclass
from python_runner.files import may_write_in
from python_runner.masking import Masker
from python_runner.model import EmailStrategy
from python_runner.records.store import Store, open_store
from python_runner.runner.notifier import Notifier
from python_runner.runner.outbox import make_outbox
from python_runner.runner.unexpected import explain
from python_runner.secret_values import secret_values
from python_runner.texts.sentence import N_, Sentence, system_language


if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from python_runner.cluster.coordinator import Cluster
    from python_runner.delivery.endpoints import Endpoints
    from python_runner.model import Project, Settings
    from python_runner.model.cluster import ClusterPlace
    from python_runner.model.fleet import FleetFolder
    from python_runner.records.messages import QueuedMessage
    from python_runner.runner.events import Event
    from python_runner.runner.fleet import FleetReporter


#: Seconds the outbox may take for a run's own report.
DELIVERY_SECONDS = 60.0
#: Seconds the reports of earlier runs may delay a run, before it and after it.
WAITING_SECONDS = 15.0


def local_now() -> datetime:
    """Return the present moment with the local offset."""
    return datetime.now().astimezone()


def ignore(_event: Event) -> None:
    """Take no note of an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What all runs of one process share.

    Attributes:
        settings: the environment.
        store: the records, or None where they cannot be kept.
        outbox: delivers the reports.
        notices: what people must know about the records; part of every report.
        listener: called with each event of every run; raises nothing and holds up no run.
        now: the clock.
        stop: set when the runner is asked to stop.
        reports_enabled: whether the runs of this process are reported to people, and
            waiting reports delivered (``--no-mail``: no).
        defaults: optional keys of ``python-runner.toml``, where a project is silent.
        fleet: tells other computers of the runs; None where there are none.
        cluster: where the scripts run; None: in this process's own children.
        delivery_seconds: longest that a run's own report may delay what comes next.
        waiting_seconds: longest that the reports of earlier runs may, before a run and
            after it; all runs of the process together have twice this time for them.
        waited: seconds that these have taken so far, each time.
        given_up: the reports that this process has given up, earlier runs' too.
        untold: what the report of the first run says for all: odd lines of ``.env``.
    """

    settings: Settings
    store: Store | None
    outbox: Outbox
    notices: tuple[Sentence, ...] = ()
    listener: Callable[[Event], None] = ignore
    now: Callable[[], datetime] = local_now
    stop: StopRequest = field(default_factory=StopRequest)
    reports_enabled: bool = True
    defaults: Mapping[str, Any] = field(default_factory=dict)
    fleet: FleetReporter | None = None
    cluster: Cluster | None = None
    delivery_seconds: float = DELIVERY_SECONDS
    waiting_seconds: float = WAITING_SECONDS
    waited: list[float] = field(default_factory=list)
    given_up: list[QueuedMessage] = field(default_factory=list)
    untold: list[Sentence] = field(default_factory=list)

    def __enter__(self) -> Self:
        """Return the session; leaving it closes the records."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Close the records, and leave the cluster."""
        with suppress(Exception):
            if self.cluster is not None:
                self.cluster.close()
        # Everything is on disk, and the results of the runs stand.
        with suppress(Exception):
            if self.store is not None:
                self.store.close()

    def notify(self, event: Event) -> None:
        """Tell the listener of an event."""
        self.listener(event)

    def tell_once(self) -> list[Sentence]:
        """Return what no run of this process has told yet, to the one that does."""
        told = []
        with suppress(IndexError):
            while True:
                told.append(self.untold.pop(0))
        return told

    def masker(self, *projects: Project) -> Masker:
        """Return what takes the secrets of these projects out of texts."""
        values = (secret for project in projects for secret in project.secrets)
        return Masker((*self.settings.secrets, *values))

    def may_mail(self, project: Project) -> bool:
        """Say whether a run of ``project`` may be reported by mail."""
        wanted = project.email_strategy is not EmailStrategy.NONE
        return self.reports_enabled and wanted and bool(project.recipients)


def read_settings(env_file: Path | None = None) -> Settings:
    """Read the environment, as :func:`load_settings` does.

    Raises:
        PythonRunnerError: also for what nobody foresaw; its details are kept in a file.
    """
    try:
        return load_settings(env_file)
    except PythonRunnerError:
        raise
    except Exception as error:
        home = Path(os.sep, ".local", "state", "python-runner")
        with suppress(Exception):
            home = state_folder(os.environ)
        masker = Masker(tuple(secret_values(os.environ)))
        reason = explain(error, home, local_now(), masker)
        sentence = Sentence.of(N_("the settings cannot be read: {error}"), error=reason)
        raise PythonRunnerError(sentence.in_language(system_language())) from error


def open_session(
    settings: Settings,
    *,
    listener: Callable[[Event], None] = ignore,
    now: Callable[[], datetime] = local_now,
    reports_enabled: bool = True,
    defaults: Mapping[str, Any] | None = None,
    fleet: FleetFolder | None = None,
    cluster: ClusterPlace | None = None,
    endpoints: Endpoints | None = None,
) -> Session:
    """Open the records and return the session; without records where that fails.

    Channels of waiting reports are looked up in ``defaults`` as well, the optional keys
    of ``python-runner.toml``, and other computers are told in its ``fleet``; the scripts run in ``cluster``. A process that opens one session after the other hands
    over what it knows of servers, as ``endpoints``; None: nothing yet.
    """
    store: Store | None = None
    notices: tuple[Sentence, ...] = ()
    try:
        store = open_store(settings.home, now())
        notices = (store.notice,) if store.notice else ()
    except Exception as error:  # noqa: BLE001 - scripts matter more than records
        template = N_("no records are kept: {error}")
        if not may_write_in(settings.home):
            template = N_(
                "no records are kept, and nothing prevents a second run of a project"
                " at the same time: {error}; set PYTHON_RUNNER_HOME to a folder that"
                " this user may write to"
            )
        reason = explain(error, settings.home, now(), Masker(settings.secrets))
        notices = (Sentence.of(template, error=reason),)
    stop = StopRequest()
    try:
        outbox = make_outbox(
            store,
            settings,
            defaults or {},
            now=now,
            stopping=lambda: stop.requested,
            endpoints=endpoints,
        )
    except Exception as error:  # noqa: BLE001 - what is queued waits for a later run
        outbox = Outbox(store=None, open_transport=lambda *_: None, now=now)
        reason = explain(error, settings.home, now(), Masker(settings.secrets))
        template = N_("no report can be sent: {error}")
        notices = (*notices, Sentence.of(template, error=reason))
    return Session(
        settings=settings,
        store=store,
        outbox=outbox,
        notices=notices,
        listener=listener if listener is ignore else Notifier(listener),
        now=now,
        stop=stop,
        reports_enabled=reports_enabled,
        defaults=defaults or {},
        fleet=_reporter(fleet, settings.home, now, store) if fleet else None,
        cluster=_cluster(cluster, settings.home, stop) if cluster else None,
        untold=list(settings.warnings),
    )


def _reporter(
    fleet: FleetFolder, home: Path, now: Callable[[], datetime], store: Store | None
) -> FleetReporter:
    from python_runner.runner.fleet import FleetReporter  # noqa: PLC0415 - few have one

    return FleetReporter(fleet, home, now, store)


def _cluster(place: ClusterPlace, home: Path, stop: StopRequest) -> Cluster:
    from python_runner.cluster.coordinator import (  # noqa: PLC0415 - few have one
        Cluster,
    )

    return Cluster(place, home, stop=stop)
