"""What is found out about mail: every way as far as a login, sign-in, certificates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from python_runner.config.providers import is_microsoft
from python_runner.delivery.expiry import day_of, expiries, server_is_late
from python_runner.delivery.probe import probe_login
from python_runner.delivery.reach import servers_of, why_not_found
from python_runner.delivery.sign_in.facts import NotSignedIn, read_facts
from python_runner.delivery.transports import missing_extra
from python_runner.doctor import kinds
from python_runner.doctor.finding import Finding
from python_runner.facts import dataclass
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import N_, Sentence, system_language


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.delivery.probe import Step
    from python_runner.model import MailSettings, Project

#: Microsoft accepts a signed statement whose clock is five minutes off; a schedule is off
#: by a minute before anybody minds.
_WRONG = timedelta(minutes=5)
_OFF = timedelta(minutes=1)
#: The step that is named where nothing could be tried.
_BEFORE = N_("preparation")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """One way that was gone as far as its login.

    Attributes:
        way: its settings.
        steps: in order; a failed one is the last. None: the event log has no step.
        missing: what has to be installed before, or None.
        differences: what the server's time is ahead of ours, where it has told it.
    """

    way: MailSettings
    steps: tuple[Step, ...] = ()
    missing: Sentence | None = None
    differences: tuple[timedelta, ...] = ()

    @property
    def is_closed(self) -> bool:
        """Whether it took no login."""
        return bool(self.missing or (self.steps and not self.steps[-1].ok))


def try_way(way: MailSettings) -> Tried:
    """Go one way as far as its login; nothing is sent."""
    if missing := missing_extra(way):
        return Tried(way=way, missing=missing)
    steps: list[Step] = []
    differences = []
    for step in probe_login(way):
        steps.append(step)
        if step.server_time:
            differences.append(step.server_time - datetime.now().astimezone())
    return Tried(way=way, steps=tuple(steps), differences=tuple(differences))


def judge_ways(
    tried: Sequence[Tried], now: datetime, *, needed: bool = True
) -> Iterator[Finding]:
    """Yield what is to be said of the ways that were gone.

    Args:
        tried: all ways that are configured.
        now: aware.
        needed: whether a project sends emails.
    """
    closed = [one for one in tried if one.is_closed]
    shut = kinds.MAIL_WAY_CLOSED
    if len(closed) == len(tried):
        shut = kinds.MAIL_CLOSED if needed else kinds.MAIL_CLOSED_UNUSED
    for one in tried:
        name, endpoint = one.way.transport, _place(one.way)
        if one.is_closed and _is_signed_out(one.way, now):
            # What is found of the sign-in says it, with what to do.
            continue
        if one.is_closed:
            problem = one.missing or one.steps[-1].detail
            step = Sentence.of(_BEFORE) if one.missing else one.steps[-1].name
            yield Finding.of(
                shut, way=name, endpoint=endpoint, step=step, problem=problem
            )
        elif not one.steps:
            yield Finding.of(kinds.MAIL_NOT_TRIED, way=name)
        else:
            found = one.steps[-1].detail
            yield Finding.of(kinds.MAIL_OPEN, way=name, endpoint=endpoint, found=found)
        yield from _server_certificate(one, now)
        for difference in one.differences[:1]:
            yield from judge_clock(difference, _host(one.way))


def _is_signed_out(way: MailSettings, now: datetime) -> bool:
    found = look_at_sign_in(way, now) if way.as_user else ()
    return any(one.kind is kinds.SIGN_IN_ENDED for one in found)


def judge_clock(difference: timedelta, host: str) -> Iterator[Finding]:
    """Yield that this computer's clock is ``difference`` behind a server's, if it matters."""
    size = abs(difference)
    if size < _OFF:
        return
    direction = N_("behind") if difference > timedelta() else N_("ahead of")
    yield Finding.of(
        kinds.CLOCK_WRONG if size >= _WRONG else kinds.CLOCK_OFF,
        difference=Formats(system_language()).whole_duration(size.total_seconds()),
        direction=Sentence.of(direction),
        host=host,
    )


def look_at_passwords(mail: MailSettings) -> Iterator[Finding]:
    """Yield that a mailbox takes no password, where one is to be sent to it."""
    for problem in closing_passwords(mail):
        yield Finding.of(kinds.MAIL_PASSWORD, problem=problem)


def closing_passwords(mail: MailSettings) -> Iterator[Sentence]:
    """Yield what the provider of a mailbox wants that takes no password any more."""
    for way in mail.ways:
        if way.transport == "smtp" and way.provider and is_microsoft(way.provider):
            yield way.provider.wants


def look_at_sign_in(mail: MailSettings, now: datetime) -> Iterator[Finding]:
    """Yield who has signed in to send, until when, and what to do before that."""
    # All ways of a user need the same sign-in.
    for way in mail.user_ways[:1]:
        account = way.login or ""
        try:
            facts = read_facts(way)
        except NotSignedIn as error:
            detail = error.detail
            yield Finding.of(kinds.SIGN_IN_ENDED, problem=detail, account=account)
            return
        if notice := facts.notice(now):
            over = facts.ended_at is not None or now >= facts.ends_at
            kind = kinds.SIGN_IN_ENDED if over else kinds.SIGN_IN_ENDING
            yield Finding.of(kind, problem=notice, account=facts.account)
            return
        yield Finding.of(
            kinds.SIGN_IN_GOOD,
            account=facts.account,
            since=day_of(facts.signed_in_at),
            ends=day_of(facts.ends_at),
        )


def look_at_expiries(mail: MailSettings, now: datetime) -> Iterator[Finding]:
    """Yield when certificates of the application end, and of what nobody can tell it."""
    for one in expiries(mail):
        if one.problem:
            error = one.problem
            yield Finding.of(kinds.CERTIFICATE_UNREADABLE, file=one.file, error=error)
        elif one.ends_at is None:
            yield Finding.of(kinds.SECRET_END_UNKNOWN)
        elif notice := one.notice(now):
            over = one.is_over(now)
            kind = kinds.CERTIFICATE_ENDED if over else kinds.CERTIFICATE_ENDING
            yield Finding.of(kind, problem=notice)
        else:
            date = day_of(one.ends_at)
            yield Finding.of(kinds.CERTIFICATE_GOOD, file=one.file, date=date)


def look_at_servers(project: Project) -> Iterator[Finding]:
    """Yield which servers of a project's channels and heartbeat cannot be found."""
    for server in servers_of(project):
        if problem := why_not_found(server):
            yield Finding.of(kinds.ADDRESS_UNKNOWN, project.path, problem=problem)


def _server_certificate(one: Tried, now: datetime) -> Iterator[Finding]:
    for step in one.steps:
        valid = step.validity
        if valid and server_is_late(valid.begins_at, valid.ends_at, now):
            yield Finding.of(
                kinds.SERVER_CERTIFICATE_ENDING,
                host=one.way.smtp_host,
                date=day_of(valid.ends_at),
            )


def _place(way: MailSettings) -> str:
    """Return where a way leads, and as whom."""
    if way.transport == "file":
        return str(way.mail_dir)
    place = _host(way)
    return f"{way.login}, {place}" if way.login else place


def _host(way: MailSettings) -> str:
    return way.graph_url if way.transport == "graph" else way.smtp_host
