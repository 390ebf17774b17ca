"""What is a finding, and what is none: each judgement by a table."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path, PureWindowsPath
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import bare_project
from python_runner.delivery.certificates import Validity
from python_runner.delivery.probe import Step
from python_runner.doctor import kinds
from python_runner.doctor.examination import Examination
from python_runner.doctor.finding import Finding, Kind, Severity
from python_runner.doctor.interpreters import end_of_life, look_at_version
from python_runner.doctor.mail import Tried, judge_clock, judge_ways
from python_runner.doctor.state import (
    Place,
    judge_files,
    judge_reports,
    judge_space,
    places_of,
)
from python_runner.doctor.windows import look_at_drives, look_at_lengths
from python_runner.masking import Masker
from python_runner.model import MailSettings, Message, Script
from python_runner.records.messages import MessageState, QueuedMessage, Recipient
from python_runner.texts.sentence import Sentence
from tests import doctor_table
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Iterable

pytestmark = pytest.mark.portable("judges values")

FOLDER = Path("p")
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def ids(findings: Iterable[Finding]) -> list[str]:
    """Return what was found, without what is fine."""
    return [f.kind.id for f in findings if f.severity is not Severity.FINE]


def test_each_kind_of_finding_says_all_that_people_need() -> None:
    """What is wrong has a reason and an advice; ids are told apart."""
    assert len({kind.id for kind in kinds.KINDS}) == len(kinds.KINDS)
    for kind in kinds.KINDS:
        fine = kind.severity is Severity.FINE
        assert bool(kind.why) is bool(kind.fix) is not fine, kind.id
        assert not kind.usage or kind.severity is Severity.PROBLEM
        assert kind.why.endswith(".") or fine
        assert not kind.what.endswith(".")


def test_a_finding_shows_no_secret_and_is_a_document() -> None:
    """Its three sentences are masked, and on one line each."""
    kind = Kind("a.b", Severity.WARNING, "{x} is", "Because of {x}.", "Change {x}.")
    found = Finding.of(kind, FOLDER, x="s3cr3t-s3cr3t\nsecond").masked(
        Masker(("s3cr3t-s3cr3t",))
    )

    document = found.to_document("en")

    assert "s3cr3t" not in str(document)
    assert document["id"] == "a.b"
    assert document["severity"] == "warning"
    assert document["project"] == "p"
    assert all("\n" not in document[part] for part in ("what", "why", "fix"))


@pytest.mark.parametrize(
    ("version", "ends"),
    [
        ("2.7.18", date(2020, 1, 1)),
        ("3.4.10", date(2020, 1, 1)),
        ("3.9.1", date(2025, 10, 31)),
        ("3.14.0rc2", date(2030, 10, 31)),
        ("3.99.0", None),
        ("", None),
    ],
)
def test_when_a_python_ends(version: str, ends: date | None) -> None:
    """Of those to come nobody knows it."""
    assert end_of_life(version) == ends


@pytest.mark.parametrize(
    ("version", "day", "found"),
    [
        ("3.9.1", date(2025, 10, 31), []),
        ("3.9.1", date(2025, 11, 1), ["interpreter.end_of_life"]),
        ("3.99.0", date(2099, 1, 1), []),
        (None, date(2099, 1, 1), []),
    ],
)
def test_a_python_without_corrections_is_told(
    version: str | None, day: date, found: list[str]
) -> None:
    """From the day after its last one on."""
    one = Examination(folder=FOLDER, interpreter=Path("python"), version=version)
    assert ids(look_at_version(one, day)) == found


@pytest.mark.parametrize(
    ("free", "found"),
    [(999, ["disk.full"]), (1000, ["disk.low"]), (9999, ["disk.low"]), (10000, [])],
)
def test_a_disk_has_room_for_a_run_or_for_some(free: int, found: list[str]) -> None:
    """Too little for one run is a problem, too little for ten is seen ahead."""
    place = Place(path=FOLDER, needed=1000)
    assert ids(judge_space(place, free, 1000)) == found


@pytest.mark.parametrize(
    ("free", "found"),
    [
        (0, ["disk.files_full"]),
        (20, ["disk.files_low"]),
        (199, ["disk.files_low"]),
        (200, []),
        (None, []),
    ],
)
def test_a_disk_takes_the_files_of_a_run_or_of_some(
    free: int | None, found: list[str]
) -> None:
    """Room alone is not enough; some file systems have no limit."""
    place = Place(path=FOLDER, needed=1000)
    assert ids(judge_files(place, free, 20)) == found


def test_so_many_scripts_do_not_all_fill_their_output() -> None:
    """A project of 2,000 scripts needs no 20 GB."""
    script = Script(name="a.py", path="a.py")
    one, many = (
        max(
            place.needed
            for place in places_of(
                FOLDER, [replace(bare_project(FOLDER), scripts=(script,) * count)]
            )
        )
        for count in (1, 2000)
    )
    assert one < many < 1_000_000_000


@pytest.mark.parametrize(
    ("seconds", "found", "says"),
    [
        (0, [], ""),
        (59, [], ""),
        (-59, [], ""),
        (61, ["clock.off"], "behind that"),
        (-61, ["clock.off"], "ahead of that"),
        (299, ["clock.off"], "behind that"),
        (300, ["clock.wrong"], "behind that"),
        (-86_400, ["clock.wrong"], "1 d ahead of that of mail.example"),
    ],
)
def test_a_clock_is_compared_with_a_server_s(
    seconds: int, found: list[str], says: str
) -> None:
    """By a minute it is odd, by five it is refused."""
    findings = list(judge_clock(timedelta(seconds=seconds), "mail.example"))
    assert ids(findings) == found
    assert says in "".join(str(one.what) for one in findings)


GOOD = Step("AUTH", ok=True, detail=Sentence.of("authenticated"))
BAD = Step("TCP", ok=False, detail=Sentence.of("nobody answers"))


def tried(*steps: Step, **values: Any) -> Tried:
    """Return a way that was gone."""
    way = MailSettings(smtp_host="mail.example", login="robot@example.org")
    return Tried(way=way, steps=steps, **values)


@pytest.mark.parametrize(
    ("ways", "found"),
    [
        ([tried(GOOD)], []),
        ([tried(BAD)], ["mail.closed"]),
        ([tried(missing=Sentence.of("install it"))], ["mail.closed"]),
        ([tried(BAD), tried(GOOD)], ["mail.way_closed"]),
        ([tried(BAD), tried(BAD)], ["mail.closed", "mail.closed"]),
        # The event log, which is not tried.
        ([tried(BAD), tried()], ["mail.way_closed"]),
        ([tried()], []),
        ([tried(GOOD, differences=(6 * HOUR,))], ["clock.wrong"]),
    ],
)
def test_mail_is_closed_where_no_way_is_left(
    ways: list[Tried], found: list[str]
) -> None:
    """As long as one takes a login, the others are warned of."""
    assert ids(judge_ways(ways, NOW)) == found
    # Where no project sends an email, nothing fails tonight.
    later = [name.replace("mail.closed", "mail.closed_unused") for name in found]
    assert ids(judge_ways(ways, NOW, needed=False)) == later


@pytest.mark.parametrize(
    ("life", "left", "found"),
    [(365, 60, []), (365, 20, ["server_certificate.ending"]), (90, 25, [])],
)
def test_a_server_s_certificate_is_told_before_it_ends(
    life: int, left: int, found: list[str]
) -> None:
    """One that is renewed by a machine is not told while that is on time."""
    ends_at = NOW + left * DAY
    step = Step(
        "TLS",
        ok=True,
        detail=Sentence.of("encrypted"),
        validity=Validity(ends_at - life * DAY, ends_at),
    )
    assert ids(judge_ways([tried(step, GOOD)], NOW)) == found


def queued(state: MessageState, age: timedelta, detail: str = "") -> QueuedMessage:
    """Return a report that was queued so long ago."""
    recipient = Recipient(
        address="ann@example.org",
        state="pending",
        detail=Sentence.of(detail) if detail else None,
    )
    return QueuedMessage(
        number=1,
        run_id="39be3d37aed64",
        project="p",
        path=FOLDER,
        message=Message(
            message_id="<1@x>", sender="", recipients=(), subject="", content=b""
        ),
        has_content=True,
        recipients=(recipient,),
        state=state,
        queued_at=NOW - age,
        attempts=1,
        next_try_at=NOW,
    )


@pytest.mark.parametrize(
    ("messages", "found", "says"),
    [
        ([], [], ""),
        ([queued(MessageState.QUEUED, 0.5 * HOUR)], [], ""),
        (
            [
                queued(MessageState.QUEUED, HOUR / 2),
                queued(MessageState.QUEUED, 2 * HOUR, "the server is closed"),
            ],
            ["reports.waiting"],
            "wait to be sent: 2, the oldest since 2026-11-23 0",
        ),
        (
            [queued(MessageState.FAILED, HOUR / 2, "unknown")],
            ["reports.given_up"],
            "(unknown)",
        ),
        (
            [queued(MessageState.FAILED, DAY), queued(MessageState.QUEUED, DAY)],
            ["reports.waiting", "reports.given_up"],
            "it has not been tried yet",
        ),
    ],
)
def test_reports_that_nobody_has_got_are_told(
    messages: list[QueuedMessage], found: list[str], says: str
) -> None:
    """One that waits for minutes is no news; the oldest says why the others wait."""
    findings = list(judge_reports(FOLDER, messages, NOW.astimezone()))
    assert ids(findings) == found
    assert says in "".join(str(one.what) for one in findings)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (r"Z:\jobs\sales", ["windows.drive"]),
        (r"C:\jobs\sales", []),
        (r"\\server\share\sales", []),
    ],
)
def test_a_mapped_drive_is_named_by_its_share(path: str, found: list[str]) -> None:
    """A task that runs while nobody is logged on does not have it."""
    shares = {"Z:": r"\\server\share"}
    findings = list(look_at_drives([PureWindowsPath(path)] * 2, FOLDER, shares.get))  # type: ignore[list-item]

    assert ids(findings) == found
    if findings:
        assert r"\\server\share\jobs\sales" in str(findings[0].fix)


@pytest.mark.parametrize(
    ("length", "unlimited", "found"),
    [(190, False, []), (230, False, ["windows.long_path"]), (230, True, [])],
)
def test_names_that_windows_refuses_are_told(
    length: int, *, unlimited: bool, found: list[str]
) -> None:
    """Unless it is allowed to take them."""
    project = replace(bare_project(FOLDER), path=Path("p" * length))
    assert ids(look_at_lengths(project, unlimited=unlimited)) == found


@pytest.mark.parametrize("language", doctor_table.PAGES)
def test_the_page_lists_every_finding(language: str) -> None:
    """With the words that the command says: ``python -m tests.doctor_table`` writes it."""
    page = doctor_table.PAGES[language].read_text("utf-8")
    assert doctor_table.written(page, language) == page
    assert all(f"| `{kind.id}` |" in page for kind in kinds.KINDS)
    assert "| … |" not in page
