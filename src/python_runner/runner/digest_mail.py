"""Makes the messages that bring a digest to people, and queues them once.

Whoever reads the reports of some projects gets one digest of these, in their language:
the recipients by mail, each channel its text.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING

from python_runner.config.settings import sender_address
from python_runner.facts import dataclass
from python_runner.model import EmailStrategy, RunStatus, parse_mailbox
from python_runner.report.compose import compose, compose_for_channel
from python_runner.report.digest import is_all_well, render_digest


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from python_runner.model import Message, Project, Settings
    from python_runner.model.digest import Digest

#: Two digests of the same projects whose times end closer together are one and the same:
#: two schedulers, or a task that was started late and on time.
SAME = timedelta(minutes=10)


@dataclass(frozen=True, slots=True, kw_only=True)
class Readers:
    """Who gets one and the same digest.

    Attributes:
        folders: the projects that it is about, in their order.
        recipients: addresses of mails, alone or as ``Name <address>``; none where it
            goes to a channel.
        channel: the address of a channel; empty where it goes by mail.
    """

    folders: tuple[Path, ...]
    language: str
    recipients: tuple[str, ...] = ()
    channel: str = ""


def readers_of(projects: Iterable[Project]) -> list[Readers]:
    """Return who reads about which projects: mails first, then the channels.

    A project whose ``email_strategy`` is ``none`` is told to nobody.
    """
    told = [p for p in projects if p.email_strategy is not EmailStrategy.NONE]
    written: dict[str, str] = {}
    by_address: defaultdict[str, list[Project]] = defaultdict(list)
    by_channel: defaultdict[str, list[Project]] = defaultdict(list)
    for project in told:
        for recipient in dict.fromkeys(project.recipients):
            mailbox = parse_mailbox(recipient)
            address = mailbox.address.casefold() if mailbox else recipient
            written.setdefault(address, recipient)
            if project not in by_address[address]:
                by_address[address].append(project)
        for url in dict.fromkeys(project.channels):
            by_channel[url].append(project)
    groups: defaultdict[tuple[tuple[Path, ...], str], list[str]] = defaultdict(list)
    for address, read in by_address.items():
        folders = tuple(project.path for project in read)
        groups[folders, _language(read)].append(written[address])
    mails = [
        Readers(folders=folders, language=language, recipients=tuple(addresses))
        for (folders, language), addresses in groups.items()
    ]
    channels = [
        Readers(
            folders=tuple(project.path for project in read),
            language=_language(read),
            channel=url,
        )
        for url, read in by_channel.items()
    ]
    return [*mails, *channels]


def _language(projects: Iterable[Project]) -> str:
    """Return the language of most projects, that of the first of them where it is a tie."""
    return Counter(project.language for project in projects).most_common(1)[0][0]


def digest_messages(
    digest: Digest, readers: Iterable[Readers], settings: Settings, kind: str
) -> Iterator[tuple[Path, Message]]:
    """Yield a message for each group of readers, with a folder that names its channel.

    ``kind`` tells digests apart that end at the same moment.
    """
    for group in readers:
        own = digest.about(group.folders)
        report = render_digest(own, group.language)
        identity = _identity(own, group, kind)
        if group.channel:
            well = is_all_well(own)
            status = RunStatus.SUCCESS if well else RunStatus.FAILURE
            message = compose_for_channel(
                report,
                url=group.channel,
                status=status,
                run_id=identity,
                date=digest.until,
            )
        else:
            message = compose(
                report,
                run_id=identity,
                sender=sender_address(settings.mail),
                recipients=group.recipients,
                date=digest.until,
            )
        yield group.folders[0], message


def _identity(digest: Digest, group: Readers, kind: str) -> str:
    """Return what tells a digest from all others: the same for the same arguments."""
    parts = (
        digest.computer,
        kind,
        digest.since.isoformat(),
        digest.until.isoformat(),
        group.language,
        group.channel,
        *group.recipients,
        *map(str, group.folders),
    )
    told = hashlib.sha256("\0".join(parts).encode(errors="surrogatepass"))
    return f"digest-{told.hexdigest()[:16]}"
