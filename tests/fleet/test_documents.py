"""What other computers wrote may be anything: it is read whole, harmless, or not at all."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.fleet.documents import (
    MOST_BYTES,
    RunFile,
    Unreadable,
    Writer,
    computer_bytes,
    read_computer,
    read_run,
    run_bytes,
    running_of,
)
from python_runner.fleet.names import computer_folder, identity_of, run_file, run_name
from python_runner.model import MailStatus, Outcome
from python_runner.model.fleet import FleetRun, FleetRunning
from python_runner.texts.sentence import Sentence
from tests.fleet.support import MESSAGE, NOW, ended
from tests.support import examples


if TYPE_CHECKING:
    from python_runner.model import Run

pytestmark = pytest.mark.portable("computes only, but for names of paths")

WRITER = Writer(
    id="0123456789ab", folder="PC-3-0123456789ab", name="PC-3", account="etl"
)
#: Any JSON; names of keys are those of the files as often as not.
KEYS = st.sampled_from([*RunFile.__struct_fields__, "running", "script", "x"])
TEXTS = st.text() | st.sampled_from(
    ["\x1b[2J", "<b>", "../../x", "a\r\nb", "\u202e", ""]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXTS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(KEYS | TEXTS, inner, max_size=6)
    ),
    max_leaves=20,
)


def written(run: Run, **values: Any) -> bytes:
    """Return the file of a run."""
    return run_bytes(run, WRITER, 7, written_at=NOW, **values)


def read(data: bytes) -> FleetRun:
    """Return what a file tells."""
    return read_run(data, WRITER.id, 7)[1]


def changed(**values: Any) -> bytes:
    """Return a file with other values."""
    return json.dumps(json.loads(written(ended(exception=MESSAGE))) | values).encode()


def test_a_run_comes_back_as_it_was_told() -> None:
    """Name, end, cause and place; what is due next."""
    run = ended(exception=MESSAGE, mail_status=MailStatus.QUEUED)
    due = datetime(2026, 11, 27, 6, tzinfo=UTC)
    found = read(written(run, schedule="0 6 * * *", due=due))

    assert (found.number, found.schedule, found.due) == (7, "0 6 * * *", due)
    assert found.run.mail_status is MailStatus.QUEUED
    for name in ("run_id", "project", "path", "status", "started_at", "duration"):
        assert getattr(found.run, name) == getattr(run, name), name
    (script,) = found.run.scripts
    assert (script.script, script.outcome) == ("a.py", Outcome.FAILURE)
    assert (script.exception, script.place) == (MESSAGE, "a.py:3")


def test_what_a_later_version_adds_costs_no_run() -> None:
    """A key, or a word for what became of a report."""
    found = read(changed(mail="held", new={"a": [1]}))
    assert (found.run.run_id, found.run.mail_status) == (
        ended().run_id,
        MailStatus.NONE,
    )


def test_why_a_success_is_unusual_comes_back() -> None:
    """As sentences, a line each."""
    run = ended()
    odd = replace(run.scripts[0], unusual=(Sentence.of("0 rows, usually 48210"),))
    (script,) = read(written(replace(run, scripts=(odd,)))).run.scripts

    assert [str(why) for why in script.unusual] == ["0 rows, usually 48210"]


@pytest.mark.parametrize(
    "outcome", [o for o in Outcome if o not in {Outcome.SUCCESS, Outcome.FAILURE}]
)
def test_why_a_script_did_not_end_comes_back(outcome: Outcome) -> None:
    """No exception ended it: its reason is told, and no attempt that has a traceback."""
    run = ended()
    reason = Sentence.of("timed out after 45 s")
    late = replace(run.scripts[0], outcome=outcome, attempts=(), reason=reason)
    (script,) = read(written(replace(run, scripts=(late,)))).run.scripts

    assert (script.outcome, script.attempts) == (outcome, ())
    assert str(script.reason) == "timed out after 45 s"


def test_a_failure_has_no_reason_beside_its_exception() -> None:
    """A page would show the same words twice."""
    (script,) = read(written(ended(exception=MESSAGE))).run.scripts

    assert (script.exception, script.reason) == (MESSAGE, None)


@pytest.mark.parametrize(
    ("place", "file", "line"),
    [
        ("a.py:3", "a.py", 3),
        (r"C:\p\a.py:12", r"C:\p\a.py", 12),
        (":3", None, 3),
        ("a.py:10000000", None, None),
        ("a.py:³", None, None),
        ("a.py", None, None),
        ("", None, None),
        (None, None, None),
    ],
)
def test_a_place_that_is_none_is_left_out(
    place: str | None, file: str | None, line: int | None
) -> None:
    """The exception is told all the same."""
    entry = {
        "script": "a.py",
        "status": "failure",
        "exception": MESSAGE,
        "place": place,
    }
    (script,) = read(changed(scripts=[entry])).run.scripts
    (attempt,) = script.attempts

    assert script.exception == MESSAGE
    assert attempt.traceback is not None
    assert (attempt.traceback.file, attempt.traceback.line) == (file, line)


@pytest.mark.parametrize("details", [False, True])
def test_a_traceback_is_told_only_where_it_is_asked_for(details: bool) -> None:
    """Its last line is what everybody may read; the others name folders and values."""
    text = written(ended(exception=MESSAGE), details=details).decode()

    assert ("most recent call last" in text) is details
    assert MESSAGE in text


def test_a_file_is_small_however_many_scripts_fail() -> None:
    """Those that failed are told first, and how many there were."""
    bad = ended(exception="ValueError: " + "é" * 10_000).scripts[0]
    good = ended().scripts[0]
    many = [good if n % 5 else bad for n in range(5000)]
    run = replace(
        ended(), scripts=tuple(replace(r, number=n) for n, r in enumerate(many, 1))
    )
    data = written(run, details=True)
    found = read(data)

    assert len(data) <= MOST_BYTES
    assert found.scripts == len(many)
    assert found.run.scripts
    assert not any(script.succeeded for script in found.run.scripts)


@pytest.mark.parametrize(
    ("data", "newer"),
    [
        (b"", False),
        (b"null", False),
        (b"\xff\xfe{", False),
        (b"[" * 100_000, False),
        (b'{"format":' * 50_000, False),
        (b'{"format": 1, "x": ' + b"[" * 100_000, False),
        (b'{"format": 1e400}', False),
        (changed(format=2), True),
        (changed(format=10**30), True),
        (changed(format="1"), False),
        (changed(computer_id="ffffffffffff"), False),
        (changed(number=8), False),
        (changed(number=-1), False),
        (changed(run_id="../../../etc"), False),
        (changed(run_id="a" * 13 + "\n"), False),
        (changed(status="well"), False),
        (changed(started_at="2026-11-26T06:00:00"), False),
        (changed(started_at="0001-01-01T00:00:00+23:59"), False),
        (changed(ended_at="9999-12-31T23:59:59-23:59"), False),
        (changed(due="tomorrow"), False),
        (changed(duration_seconds="long"), False),
        (changed(scripts={"a": 1}), False),
        (changed(scripts=[{"script": "a.py"}]), False),
        (changed(scripts=[{"script": ["a.py"], "status": "success"}]), False),
        (changed(scripts_total=10**9), False),
    ],
)
def test_what_is_wrong_is_no_run(data: bytes, newer: bool) -> None:
    """It is one error of one kind; a newer version's file is told from a broken one."""
    with pytest.raises(Unreadable) as raised:
        read(data)
    assert raised.value.newer is newer


HOSTILE = "\x1b]0;x\x07<script>\r\nINFO\u202e \x00" + "A" * 100_000


def test_texts_lose_what_a_terminal_or_a_page_obeys() -> None:
    """And their length."""
    entry: dict[str, Any] = {
        "script": HOSTILE,
        "status": "failure",
        "exception": HOSTILE,
    }
    entry |= {"place": HOSTILE, "unusual": [HOSTILE] * 1000, "traceback": HOSTILE}
    data = changed(
        project=HOSTILE,
        path=HOSTILE,
        error=HOSTILE,
        schedule=HOSTILE,
        computer=HOSTILE,
        account=HOSTILE,
        scripts=[entry, entry | {"status": "timeout"}],
    )
    file, found = read_run(data, WRITER.id, 7)
    run = found.run
    texts = [run.project, str(run.path), str(run.error), found.schedule or ""]
    texts += [file.computer, file.account]
    for script in run.scripts:
        texts += [script.script, script.exception or "", str(script.reason or "")]
        texts += [script.place or "", *map(str, script.unusual)]
    assert len(texts) < 30
    for text in texts:
        assert len(text) <= 400
        assert not {"\x1b", "\r", "\n", "\u202e", "\x00", "\x07"} & set(text)


@given(JSON)
@examples(200)
def test_no_json_breaks_the_reader(value: Any) -> None:
    """It is a run, or unreadable."""
    for data in (
        value,
        json.loads(changed()) | value if isinstance(value, dict) else 0,
    ):
        text = json.dumps(data).encode()
        for read_file in (read, lambda d: running_of(read_computer(d, WRITER.id))):
            with suppress(Unreadable):
                assert isinstance(read_file(text), (FleetRun, tuple))


@given(st.binary(max_size=400))
@examples(100)
def test_no_bytes_break_the_reader(data: bytes) -> None:
    """Nor do bytes that are no JSON."""
    with pytest.raises(Unreadable):
        read(data)


def test_a_computer_tells_what_runs_there() -> None:
    """Names and since when."""
    run = FleetRunning(project="paie", path=ended().path, started_at=NOW)
    data = computer_bytes(WRITER, [run] * 1000, written_at=NOW, waiting=3)
    file = read_computer(data, WRITER.id)

    assert (file.computer, file.account, file.waiting) == ("PC-3", "etl", 3)
    assert set(running_of(file)) == {run}
    assert len(data) < MOST_BYTES


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("PC-3", "PC-3-0123456789ab"),
        ("pc.example.org", "pc-example-org-0123456789ab"),
        ("../../etc", "etc-0123456789ab"),
        ("Büro:1", "B-ro-1-0123456789ab"),
        ("", "computer-0123456789ab"),
        ("x" * 300, "x" * 40 + "-0123456789ab"),
    ],
)
def test_a_computers_folder_has_a_name_for_every_platform(
    name: str, folder: str
) -> None:
    """Its end is its identity, whatever the computer is called."""
    assert computer_folder(name, WRITER.id) == folder
    assert identity_of(folder) == WRITER.id


@pytest.mark.parametrize(
    "name",
    ["", "..", "x", "0123456789ab", "a/b-0123456789ab", "x-0123456789AB", ".git"],
)
def test_other_folders_are_no_computers(name: str) -> None:
    """They are left alone."""
    assert identity_of(name) is None


def test_the_name_of_a_file_tells_number_start_and_project() -> None:
    """To the second, with the offset; two projects are told apart."""
    run = ended()
    names = [run_file(7, NOW, run.run_id, run.path / project) for project in "ab"]
    found = [run_name(name) for name in names]

    assert all(one and (one.number, one.started_at) == (7, NOW) for one in found)
    assert found[0] != found[1]
    assert not set('<>:"/\\|?*') & set(names[0])


@pytest.mark.parametrize(
    "name",
    [
        "computer.json",
        ".x.new",
        "1-2.json",
        "0000000001-20261326T060000+0000-39be3d37aed64-1a2b3c4d.json",
        "0000000001-10000101T060000+0000-39be3d37aed64-1a2b3c4d.json",
        "0000000001-20261126T060000+9999-39be3d37aed64-1a2b3c4d.json",
    ],
)
def test_other_names_are_no_runs(name: str) -> None:
    """Temporary files above all."""
    assert run_name(name) is None
