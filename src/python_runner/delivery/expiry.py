"""What mail needs that ends one day: certificates and secrets, and when people are told.

Nothing is asked of a server. Of a user's sign-in ``delivery.sign_in.facts`` tells.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from python_runner.delivery.certificates import validity_of
from python_runner.facts import dataclass
from python_runner.files import read_regular
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.system_errors import system_error


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.model import MailSettings

#: How long before the end people are told.
WARNING = timedelta(days=30)
#: A certificate that a machine renews lives for weeks, and is renewed when a third of its
#: life is left: only where less is left has that failed.
_LAST_PART = 4
#: Bytes of a file with a certificate and its key, by far.
_LONGEST = 1_000_000

_ENDED = N_(
    "the certificate in {file} (OAUTH_CLIENT_CERTIFICATE) ended on {date}: Microsoft"
    " does not accept it any more, and reports wait"
)
_ENDING = N_(
    "the certificate in {file} (OAUTH_CLIENT_CERTIFICATE) ends on {date}: from then on"
    " Microsoft does not accept it, and reports wait"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """Something that mail needs, and its end.

    Attributes:
        variable: the setting that names it.
        file: where it lies; empty for a secret.
        ends_at: when it ends, aware; None where that cannot be found out here.
        problem: why not, where it should; None for what only its issuer knows.
    """

    variable: str
    file: str = ""
    ends_at: datetime | None = None
    problem: Sentence | None = None

    def is_over(self, now: datetime) -> bool:
        """Say whether it has ended."""
        return self.ends_at is not None and now >= self.ends_at

    def is_near(self, now: datetime) -> bool:
        """Say whether people are told of its end: it has come, or is near."""
        return self.ends_at is not None and now >= self.ends_at - WARNING

    def notice(self, now: datetime) -> Sentence | None:
        """Return what people are told; None where it is too early for that."""
        if self.ends_at is None or not self.is_near(now):
            return None
        template = _ENDED if self.is_over(now) else _ENDING
        return Sentence.of(template, file=self.file, date=day_of(self.ends_at))


def expiries(mail: MailSettings) -> Iterator[Expiry]:
    """Yield what the ways of ``MAIL_TRANSPORT`` need that ends, each once."""
    ways = [way for way in mail.ways if way.transport in {"smtp-oauth2", "graph"}]
    for file in dict.fromkeys(way.oauth_certificate for way in ways):
        if file is None:
            continue
        ends_at, problem = None, None
        try:
            ends_at = validity_of(read_regular(file, _LONGEST).decode()).ends_at
        except OSError as error:
            problem = system_error(error)
        except ValueError as error:
            problem = Sentence.of("{error}", error=str(error))
        yield Expiry(
            variable="OAUTH_CLIENT_CERTIFICATE",
            file=str(file),
            ends_at=ends_at,
            problem=problem,
        )
    if any(way.oauth_secret for way in ways):
        yield Expiry(variable="OAUTH_CLIENT_SECRET")


def expiry_notices(mail: MailSettings, now: datetime) -> list[Sentence]:
    """Return what people are told of the ends that are near or have come; ``now`` is aware."""
    return [notice for one in expiries(mail) if (notice := one.notice(now))]


def server_is_late(begins_at: datetime, ends_at: datetime, now: datetime) -> bool:
    """Say whether a server's certificate should have been renewed by now.

    A month before its end; one that lives for weeks only, when a quarter of that is left.
    """
    return now >= ends_at - min(WARNING, (ends_at - begins_at) / _LAST_PART)


def day_of(moment: datetime) -> str:
    """Return a moment as sentences hold it: local time, to the minute."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M")
