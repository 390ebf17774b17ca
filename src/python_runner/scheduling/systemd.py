"""Systemd: a timer and a service of this user, through the program ``systemctl``."""

from __future__ import annotations

import getpass
import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from python_runner.files import (
    expanded,
    make_folder,
    read_regular,
    remove,
    replacing,
)
from python_runner.scheduling.entries import (
    PREFIX,
    Entry,
    Purpose,
    SchedulerError,
    SchedulerName,
)
from python_runner.scheduling.programs import ask, find_program, require_success
from python_runner.scheduling.units import (
    Units,
    is_own,
    make_units,
    read_units,
    unit_problem,
)
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from python_runner.scheduling.entries import Job

_SYSTEMCTL = ("systemctl", "--user")
#: What a user's manager answers that can be asked.
_ANSWERS = {b"running", b"degraded", b"starting", b"initializing"}
#: Bytes of a unit that is read.
_LONGEST = 1 << 20
_ASKED = "Id,ActiveState,ExecMainStatus,ExecMainExitTimestamp"


class Systemd:
    """The timers of this user."""

    name = SchedulerName.SYSTEMD

    def unavailable(self) -> Sentence | None:
        """Say why it cannot be used here; None if it can."""
        if find_program("systemctl") is None:
            template = N_(
                "systemd is not installed here: there is no program {program}"
            )
            return Sentence.of(template, program="systemctl")
        try:
            answer = ask((*_SYSTEMCTL, "is-system-running")).output.strip()
        except SchedulerError as error:
            return error.reason
        if answer not in _ANSWERS:
            template = N_(
                "no systemd manager of this user is running (`{command}` answers"
                " {answer}); open a session of this user, or use cron"
            )
            return Sentence.of(
                template,
                command="systemctl --user is-system-running",
                answer=answer.decode(errors="replace") or "-",
            )
        return None

    def unreachable(self) -> Sentence | None:
        """Say which timers a manager that does not answer may start; None: none."""
        if find_program("systemctl") is None:
            return None
        units = (f"{PREFIX}-*.timer", f"{PREFIX}-{Purpose.SERVE}-*.service")
        timers = sorted(path for unit in units for path in _folder().glob(unit))
        if not timers:
            return None
        template = N_(
            "the systemd manager of this user cannot be reached, and may start {timers}:"
            " open a session of this user, or delete these files"
        )
        return Sentence.of(template, timers=", ".join(map(str, timers)))

    def problem(self, job: Job) -> Sentence | None:
        """Say why it cannot do what is wanted; None if it can."""
        return unit_problem(job)

    def name_of(self, job: Job) -> str:
        """Return what the units of a job are called, without their suffixes."""
        return job.name

    def entries(self) -> tuple[Entry, ...]:
        """Return the timers of this user that start Python Runner.

        Raises:
            SchedulerError: systemd does not answer.
        """
        found = {}
        for timer in sorted(_folder().glob("*.timer")):
            service = timer.with_suffix(".service")
            units = Units(_text(timer), _text(service))
            job = read_units(units)
            own = is_own(units.timer) and timer.name.startswith(f"{PREFIX}-")
            if job is not None:
                found[timer.stem] = job, units, own
        for service in sorted(_folder().glob("*.service")):
            # One with a timer is that one's.
            units = Units("", _text(service))
            job = read_units(units) if service.stem not in found else None
            if job is not None and job.purpose is Purpose.SERVE:
                own = is_own(units.service) and service.name.startswith(f"{PREFIX}-")
                found[service.stem] = job, units, own
        states = _states(found)
        return tuple(
            _with_state(
                Entry(
                    scheduler=self.name,
                    name=name,
                    job=job,
                    own=own,
                    account=getpass.getuser(),
                    definition=units.text,
                ),
                states,
            )
            for name, (job, units, own) in found.items()
        )

    def is_same(self, entry: Entry, job: Job) -> bool:
        """Say whether an entry of ours is what would be installed now."""
        return entry.definition == make_units(job).text and entry.name == job.name

    def definition(self, job: Job) -> str:
        """Return the text of both units of a job, each below its path."""
        units, path = make_units(job), _folder() / job.name
        service = f"{path}.service\n{_indented(units.service)}"
        if not units.timer:
            return service
        return f"{path}.timer\n{_indented(units.timer)}\n{service}"

    def instructions(
        self, install: Sequence[Job], remove: Sequence[Entry]
    ) -> tuple[str, ...]:
        """Return the commands by which a person would do the same as ``change``."""
        return (
            *(
                f"systemctl --user disable --now {_started(e.name, e.job)}"
                for e in remove
            ),
            *(f"rm {_folder() / entry.name}.*" for entry in remove),
            "systemctl --user daemon-reload",
            *(f"systemctl --user enable --now {_started(j.name, j)}" for j in install),
        )

    def change(self, install: Sequence[Job], remove: Sequence[Entry]) -> None:
        """Write the units, and start and stop their timers.

        Raises:
            SchedulerError: a file could not be written, or systemd refused.
        """
        try:
            for entry in remove:
                self._remove(entry)
            for job in install:
                _write(job)
        except OSError as error:
            raise _unwritten(error) from None
        require_success((*_SYSTEMCTL, "daemon-reload"))
        for job in install:
            unit = _started(job.name, job)
            require_success((*_SYSTEMCTL, "enable", unit))
            # A timer that runs keeps its old times until it is started again.
            require_success((*_SYSTEMCTL, "restart", unit))

    def _remove(self, entry: Entry) -> None:
        name = entry.name
        require_success((*_SYSTEMCTL, "disable", "--now", _started(name, entry.job)))
        for suffix in (".timer", ".service"):
            remove(_folder() / f"{name}{suffix}")
        # What is left of a run that failed, and of when the timer ran last.
        ask((*_SYSTEMCTL, "reset-failed", f"{name}.service", f"{name}.timer"))
        with suppress(OSError):
            remove(_data_folder() / "systemd" / "timers" / f"stamp-{name}.timer")


def _started(name: str, job: Job) -> str:
    """Return the unit of an entry that is enabled: a service where there is no timer."""
    return f"{name}.service" if job.purpose is Purpose.SERVE else f"{name}.timer"


def lingers() -> bool | None:
    """Say whether this user's timers run while nobody is logged on; None: not known."""
    if find_program("loginctl") is None:
        return None
    try:
        answer = ask(("loginctl", "show-user", getpass.getuser(), "--property=Linger"))
    except (SchedulerError, OSError, KeyError):
        return None
    words = {b"Linger=yes": True, b"Linger=no": False}
    return words.get(answer.output.strip())


def _folder() -> Path:
    """Return the folder of this user's units."""
    return _base("XDG_CONFIG_HOME", ".config") / "systemd" / "user"


def _data_folder() -> Path:
    return _base("XDG_DATA_HOME", ".local/share")


def _base(variable: str, usual: str) -> Path:
    named = os.environ.get(variable, "")
    return Path(named) if named.startswith("/") else expanded(f"~/{usual}")


def _with_state(entry: Entry, states: Mapping[str, Mapping[str, str]]) -> Entry:
    """Return an entry with what systemd tells of its timer and of its last run."""
    started = states.get(_started(entry.name, entry.job), {})
    service = states.get(f"{entry.name}.service", {})
    ended = service.get("ExecMainExitTimestamp") or None
    status = service.get("ExecMainStatus", "")
    return replace(
        entry,
        enabled=started.get("ActiveState") in {"active", "activating"},
        last_run=ended,
        last_result=int(status) if ended and status.isdigit() else None,
    )


def _states(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Return the state of timers and services, by the names of their units."""
    units = [f"{name}{suffix}" for name in names for suffix in (".timer", ".service")]
    if not units:
        return {}
    command = (*_SYSTEMCTL, "show", f"--property={_ASKED}", *units)
    text = require_success(command).decode(errors="replace")
    blocks = [
        dict(line.partition("=")[::2] for line in block.split("\n") if "=" in line)
        for block in text.split("\n\n")
    ]
    return {block["Id"]: block for block in blocks if "Id" in block}


def _text(path: Path) -> str:
    try:
        return read_regular(path, _LONGEST).decode("utf-8", "replace")
    except OSError:
        return ""


def _write(job: Job) -> None:
    units, folder = make_units(job), _folder()
    make_folder(folder)
    for suffix, text in ((".timer", units.timer), (".service", units.service)):
        if not text:
            continue
        with replacing(folder / f"{job.name}{suffix}") as file:
            file.write(text.encode())


def _unwritten(error: OSError) -> SchedulerError:
    template = N_("the unit of systemd could not be changed: {error}")
    return SchedulerError(Sentence.of(template, error=system_error(error)))


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" if line else "\n" for line in text.splitlines())
