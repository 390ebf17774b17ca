"""What a report says of the time before its run, from real runs and real records."""

from __future__ import annotations

import email
import sys
import zipfile
from base64 import b64decode
from dataclasses import replace
from datetime import datetime, timedelta
from io import BytesIO
from socket import gethostname
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.model import OpenRun, OpenScript, Run, RunStatus
from python_runner.records.messages import MessageState
from python_runner.records.store import open_store
from python_runner.runner.project_run import run_project
from python_runner.runner.report_history import RunHistory, load_history
from python_runner.runner.session import local_now, open_session
from tests.support import BAD, GOOD, MakeProject, mails


if TYPE_CHECKING:
    import email.policy
    from collections.abc import Callable
    from pathlib import Path


WORSE = "raise ValueError('autre chose')\n"
#: Lines that make more than the end of an output that a report shows.
LOUD = "for row in range(3000): print('row', row)\n"
ANN = ["ann@example.org"]


def text(mail: email.message.EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def clock(shift: int) -> Callable[[], datetime]:
    """Return a clock that is so many days ahead."""
    return lambda: local_now() + timedelta(days=shift)


def days(folder: Path, *sources: str, first: int = 0) -> list[Run]:
    """Run a project once a day, its script changed before; return the runs."""
    runs = []
    for day, source in enumerate(sources, first):
        (folder / "main.py").write_text(source, encoding="utf-8")
        with open_session(load_settings(), now=clock(day - 30)) as session:
            runs.append(run_project(load_project(folder), session))
    return runs


def test_an_incident_is_told_as_one_story(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """New, again, in another way, recovered: each mail refers to those before it."""
    folder = make_project(recipients=ANN, email_strategy="all")
    days(folder, GOOD, BAD, BAD, WORSE, GOOD, GOOD)

    before, first, second, third, end, after = mails(mail_dir)
    assert [mail["Subject"].partition(" in ")[0] for mail in mails(mail_dir)] == [
        "[project_1] succeeded: 1 script",
        f"[project_1] failed: main.py - KeyError: 'montant' ({gethostname()})",
        f"[project_1] failed: main.py - KeyError: 'montant' (2nd time) ({gethostname()})",
        f"[project_1] failed: main.py - ValueError: autre chose ({gethostname()})",
        f"[project_1] recovered: main.py after 3 failures ({gethostname()})",
        "[project_1] succeeded: 1 script",
    ]
    assert "new error" in text(first)
    assert "same error as in the run before, first seen on" in text(second)
    assert "recovered after 3 failures, the first on" in text(end)

    incident = [first, second, third, end]
    indexes = []
    for place, mail in enumerate(incident):
        earlier = [m["Message-ID"] for m in incident[:place]]
        assert (mail["References"] or "").split() == earlier
        assert mail["In-Reply-To"] == (earlier[-1] if earlier else None)
        assert mail["Thread-Topic"] == first["Subject"]
        assert b64decode(mail["Thread-Index"])[:22] == b64decode(first["Thread-Index"])
        indexes.append(b64decode(mail["Thread-Index"])[22:])
    assert indexes == sorted(set(indexes))
    for mail in (before, after):
        assert mail["References"] is None
        assert mail["Thread-Index"] is None


def test_with_failure_only_a_recovery_is_silent_and_ends_the_incident(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """A success is no failure; the failure after it begins a story of its own."""
    folder = make_project(recipients=ANN, email_strategy="failure_only")
    runs = days(folder, BAD, GOOD, BAD)

    first, second = mails(mail_dir)
    assert runs[1].mail_status == "none"
    assert second["References"] is None
    assert second["Thread-Index"] != first["Thread-Index"]
    # Seen before, but not right before: there was a success between.
    assert second["Subject"].endswith(f"'montant' (again) ({gethostname()})")
    assert "seen before, last on" in text(second)


def test_a_run_whose_runner_died_belongs_to_the_incident(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """It is compared with what was before it, and neither fails nor heals its scripts."""
    folder = make_project(recipients=ANN, email_strategy="all")
    days(folder, BAD)
    died_at = local_now() - timedelta(days=29)
    with open_store(shielded, died_at) as store:
        store.begin_run(
            OpenRun(
                run_id="d" * 13,
                project="project_1",
                path=folder,
                started_at=died_at,
                scripts=(OpenScript(script="main.py", number=1),),
            )
        )
        store.begin_attempt("d" * 13, 1, died_at)
    days(folder, BAD, GOOD, first=2)

    first, *others = mails(mail_dir)
    named = {mail["Subject"].split()[1]: mail for mail in others}
    died, second, end = (named[n] for n in ("interrupted:", "failed:", "recovered:"))
    assert "(2nd time)" in second["Subject"]
    assert "recovered" not in text(died)
    assert "main.py after 2 failures" in end["Subject"]
    ids = [mail["Message-ID"] for mail in (first, died, second)]
    assert died["References"].split() == ids[:1]
    assert second["References"].split() == ids[:2]
    assert end["References"].split() == ids


def test_a_duration_is_compared_with_the_usual(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """From the sixth run on the report says how long the script takes as a rule."""
    folder = make_project(recipients=ANN, email_strategy="all", language="fr")
    days(folder, *[GOOD] * 6)
    *early, sixth = mails(mail_dir)
    assert not any("d'habitude" in text(mail) for mail in early)
    assert "(d'habitude 0," in text(sixth)


def test_what_the_body_cuts_is_attached_whole(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """The output of a script that failed after many words is there to the first one."""
    folder = make_project(
        sources={"main.py": "", "quiet.py": BAD, "fine.py": LOUD},
        recipients=ANN,
        email_strategy="all",
    )
    (run,) = days(folder, LOUD + BAD)
    (mail,) = mails(mail_dir)
    (part,) = mail.iter_attachments()
    assert part.get_filename() == f"project_1_{run.started_at:%Y-%m-%d}_output.zip"
    with zipfile.ZipFile(BytesIO(part.get_content())) as archive:
        assert archive.namelist() == ["01_main.py.log"]
        output = run.scripts[0].output
        assert output is not None
        assert archive.read("01_main.py.log") == output.read_bytes()
    assert "row 0\n" not in text(mail).replace("\r\n", "\n")
    assert "Whole output, attached as well: " in text(mail)
    assert text(mail).count("Whole output: ") == 1


def test_a_sent_attachment_does_not_stay_in_the_records(
    make_project: MakeProject, mail_dir: Path, shielded: Path
) -> None:
    """A script that fails every five minutes must not fill the disk with zip files."""
    folder = make_project(recipients=ANN, email_strategy="all")
    days(folder, LOUD + BAD)
    (sent,) = mail_dir.glob("*.eml")
    with open_store(shielded, local_now()) as store:
        (kept,) = store.messages.newest([MessageState.SENT])
    assert b"application/zip" in sent.read_bytes()
    assert b"application/zip" not in kept.message.content
    assert len(kept.message.content) < sent.stat().st_size
    assert kept.message.message_id.encode() in kept.message.content


def test_no_output_makes_a_mail_too_large(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """Megabytes that no compression helps with are cut in the middle, not refused."""
    noise = (
        "import random, string\n"
        "letters = string.ascii_letters + string.digits\n"
        "for row in range(60_000): print(''.join(random.choices(letters, k=99)))\n"
    )
    folder = make_project(recipients=ANN, email_strategy="all")
    days(folder, noise + BAD)
    (file,) = mail_dir.glob("*.eml")
    assert 500_000 < file.stat().st_size < 2_500_000
    (mail,) = mails(mail_dir)
    (part,) = mail.iter_attachments()
    with zipfile.ZipFile(BytesIO(part.get_content())) as archive:
        packed = archive.read("01_main.py.log")
    assert b"bytes left out ...]" in packed
    assert b"KeyError: 'montant'" in packed


def test_what_was_printed_before_a_long_traceback_is_reported(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """A traceback takes no room from the output that stands above it."""
    deep = (
        "print('order 7 is read')\n"
        "def one(n): return two(n - 1) if n else {}['montant']\n"
        "def two(n): return one(n)\n"
        "one(60)\n"
    )
    folder = make_project(
        sources={"main.py": deep}, recipients=ANN, email_strategy="all"
    )
    with open_session(load_settings()) as session:
        run_project(load_project(folder), session)
    (mail,) = mails(mail_dir)
    part = mail.get_body(("plain",))
    assert part is not None
    body = part.get_content()
    assert "order 7 is read" in body
    assert body.count("in <module>") == 1


def test_without_records_a_report_says_nothing_of_the_past(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """Where no records can be kept people are told all the same."""
    folder = make_project(
        sources={"main.py": BAD}, recipients=ANN, email_strategy="all"
    )
    with open_session(load_settings()) as session:
        run_project(load_project(folder), replace(session, store=None))
    (mail,) = mails(mail_dir)
    assert mail["Subject"].startswith(
        "[project_1] failed: main.py - KeyError: 'montant'"
    )
    assert mail["Thread-Index"] is None


def test_records_that_cannot_be_read_cost_the_past_only(shielded: Path) -> None:
    """A locked or damaged file is no reason to lose a report."""
    now = datetime.now().astimezone()
    store = open_store(shielded, now)
    store.close()
    run = Run(
        run_id="a" * 13,
        project="p",
        path=shielded,
        status=RunStatus.FAILURE,
        started_at=now,
        duration=1.0,
    )
    assert load_history(run, (), store) == RunHistory()


def test_a_skipped_run_belongs_to_no_incident(shielded: Path) -> None:
    """Another run was active: its own mail tells how that ended."""
    now = datetime.now().astimezone()
    values: dict[str, Any] = {
        "run_id": "a" * 13,
        "project": "p",
        "path": shielded,
        "started_at": now,
        "duration": 1.0,
    }
    with open_store(shielded, now) as store:
        for status in RunStatus:
            past = load_history(Run(status=status, **values), (), store)
            threaded = status not in {RunStatus.SUCCESS, RunStatus.SKIPPED}
            assert (past.incident is not None) == threaded


FAILURES = {
    "chained.py": (
        "def read():\n try: {}['a']\n except KeyError as e: raise ValueError('no row') from e\nread()\n",
        "Where: chained.py, line 3, in read",
        "ValueError: no row",
        "direct cause of the following exception",
    ),
    "group.py": (
        "raise ExceptionGroup('two problems', [ValueError('one'), TypeError('two')])\n",
        "Where: group.py, line 1",
        "ExceptionGroup: two problems (2 sub-exceptions)",
        "TypeError: two",
    ),
    "library.py": (
        "import json\n\ndef read():\n    json.loads('{')\n\nread()\n",
        "Where: library.py, line 4, in read",
        "json.decoder.JSONDecodeError: Expecting property name",
        "frames of Python]",
    ),
    "syntax.py": (
        "print('a'\n",
        "Where: syntax.py, line 1",
        "SyntaxError: '(' was never closed",
        "print('a'",
    ),
    "exit.py": (
        "import sys\nprint('42 rows')\nsys.exit('no file for today')\n",
        None,
        "no file for today",
        "42 rows",
    ),
    "code.py": ("import sys\nprint('hm')\nsys.exit(3)\n", None, "exit code 3", "hm"),
    "slow.py": (
        "import time\nprint('begin', flush=True)\ntime.sleep(60)\n",
        None,
        "timed out after 1 s",
        "begin",
    ),
    "gone.py": (None, None, "gone.py", ""),
}


def test_every_kind_of_failure_is_told_with_its_place(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """What, where in the project, and then the details, as the scripts really end."""
    sources = {name: source for name, (source, *_) in FAILURES.items() if source}
    entries = [
        {"path": name, "timeout": 1} if name == "slow.py" else name for name in FAILURES
    ]
    folder = make_project(
        sources=sources, scripts=entries, recipients=ANN, email_strategy="all"
    )
    with open_session(load_settings()) as session:
        run_project(load_project(folder), session)
    (mail,) = mails(mail_dir)
    _, *sections, _ = text(mail).replace("\r\n", "\n").split(f"\n{'-' * 70}\n")
    for section, (name, expected) in zip(sections, FAILURES.items(), strict=True):
        _, place, exception, detail = expected
        head, _, _ = section.partition("Traceback\n\n")
        assert section.startswith(f"✖ {name} - ")
        assert exception.removeprefix("json.decoder.") in head
        assert detail in section
        assert ("Where:" in section) == bool(place)
        if place:
            assert head.index(exception.rpartition(".")[2]) < head.index(place)
            assert "Traceback\n\n" in section


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_a_killed_script_is_told_by_its_signal(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """Without a word of its own the reason is the headline."""
    source = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
    folder = make_project(
        sources={"main.py": source}, recipients=ANN, email_strategy="all"
    )
    days(folder, source, source)
    first, second = mails(mail_dir)
    assert "killed by signal 9 (SIGKILL)" in first["Subject"]
    assert "(2nd time)" in second["Subject"]
