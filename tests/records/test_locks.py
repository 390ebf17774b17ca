from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import astuple
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import filelock
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from python_runner.model import MailStatus, Outcome, RunStatus
from python_runner.records.file_locks import brief_lock
from python_runner.records.locks import FileLock, Holder, Unrecorded, project_lock
from tests.support import GENEROUS, examples


if sys.platform != "win32":
    from tests.support import make_special


if TYPE_CHECKING:
    from collections.abc import Iterator

ME = Holder(
    pid=os.getpid(),
    host=socket.gethostname(),
    run_id="39be3d37aed64",
    started_at=datetime(2024, 11, 28, 9, 25, tzinfo=UTC),
)

#: Takes the lock, says so, and waits to be told to end.
HOLD = """
import os, subprocess, sys
from datetime import UTC, datetime
from pathlib import Path
from python_runner.records.locks import FileLock, Holder

lock = FileLock(Path(sys.argv[1]))
me = Holder(pid=os.getpid(), host="pc", run_id="runid", started_at=datetime.now(UTC))
assert lock.acquire(me, wait=False)
sys.stdout.write("held\\n")
sys.stdout.flush()
"""
WAIT = "sys.stdin.read()\nlock.release()\n"
#: Starts a script that says its process id and lives until its input ends.
START_SCRIPT = """
code = "import os, sys; print(os.getpid(), flush=True); sys.stdin.read()"
inherit = {"pass_fds": [lock.fileno()]} if sys.argv[2] == "inherit" else {}
subprocess.Popen([sys.executable, "-c", code], **inherit)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where a lock file will be; its folder is not there yet."""
    return tmp_path / "state" / "a.lock"


@pytest.fixture
def lock(path: Path) -> Iterator[FileLock]:
    """Make a lock, not taken, that is given back at the end."""
    with FileLock(path) as lock:
        yield lock


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[str]]]:
    """Collect processes that a test starts, and end them."""
    started: list[subprocess.Popen[str]] = []
    yield started
    for process in started:
        with process:  # which closes its pipes and waits
            process.kill()


def _start(
    processes: list[subprocess.Popen[str]], code: str, *args: str | Path
) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", code, *map(str, args)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _is_free(path: Path) -> bool:
    with FileLock(path) as other:
        return other.acquire(ME, wait=False)


def test_a_lock_is_for_one_at_a_time(path: Path, lock: FileLock) -> None:
    """While one holds it another gets False, until it is given back."""
    assert lock.acquire(ME, wait=False)
    assert not _is_free(path)
    assert not lock.acquire(ME, wait=False)
    lock.release()
    assert _is_free(path)
    assert path.exists()


def test_giving_back_twice_is_no_error(path: Path, lock: FileLock) -> None:
    """A second release changes nothing, also when another holds the lock now."""
    assert lock.acquire(ME, wait=False)
    lock.release()
    with FileLock(path) as other:
        assert other.acquire(ME, wait=False)
        lock.release()
        assert not _is_free(path)


def test_the_lock_ends_with_its_context(path: Path) -> None:
    """An exception gives the lock back as well."""
    lock = FileLock(path)
    assert lock.acquire(ME, wait=False)
    with pytest.raises(ZeroDivisionError), lock:
        _ = 1 / 0
    assert _is_free(path)


def test_a_lock_that_nobody_refers_to_is_kept(path: Path) -> None:
    """Only releasing it gives a lock back, not the collection of garbage."""
    descriptors = []

    def take() -> None:
        lock = FileLock(path)
        assert lock.acquire(ME, wait=False)
        descriptors.append(lock.fileno())

    take()
    assert not _is_free(path)
    os.close(descriptors[0])
    assert _is_free(path)


def test_the_holder_is_told_to_others(path: Path, lock: FileLock) -> None:
    """Who meets a held lock can say who holds it; afterwards nobody does."""
    assert lock.holder() is None
    assert lock.acquire(ME, wait=False)
    assert FileLock(path).holder() == ME
    assert not _is_free(path)
    assert FileLock(path).holder() == ME
    lock.release()
    assert FileLock(path).holder() is None


def _said(**changes: object) -> bytes:
    """Return the content of a lock file in which a holder is described wrongly."""
    said = {
        "pid": 7,
        "host": "pc",
        "run_id": "39be3d37aed64",
        "started_at": "2024-11-28T09:25:00+00:00",
        "process_start": "boot:7",
    }
    return json.dumps(said | changes).encode()


@given(
    st.dictionaries(
        st.sampled_from(
            ["pid", "host", "run_id", "started_at", "process_start", "secrets"]
        ),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
    )
)
@settings(deadline=None)
def test_a_holder_is_one_of_checked_types_or_nobody(changes: dict[str, object]) -> None:
    """Who reads a lock file never meets a value that it does not expect."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.lock"
        path.write_bytes(_said(**changes))
        holder = FileLock(path).holder()
    if holder is not None:
        *told, secrets = astuple(holder)
        types = [int, str, str, datetime, str, int]
        assert list(map(type, told)) == types
        assert isinstance(secrets, str | None)
        assert holder.pid > 0
        assert holder.started_at.tzinfo is not None


@pytest.mark.fault(
    "files",
    "A lock file holds anything at all",
    "The lock works, and its holder is unknown.",
)
@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"{", b"\xff", b"[]", b"{}", b"null", b"\0" * 300, b"\x7fELF\x02\x01"),
        *(b"[" * 100_000, b'{"pid":' * 100_000, b" " * 10_000_000, b"9" * 5000),
        *(_said()[:-1], _said() + b"x", _said(host="x" * 1_000_000)),
        *(_said(pid=pid) for pid in ("1\0", "7", -1, 0, 1.5, True, None, [7], 10**30)),
        *(_said(host=host) for host in (["x"], {"a": "b"}, None, 3)),
        *(_said(run_id=run_id) for run_id in (["1" * 13], None, 7)),
        *(_said(process_start=start) for start in (["boot:7"], 7, None)),
        *(_said(started_at=at) for at in (3, "x", "2024-11-28T09:25:00", None)),
        _said().replace(b'"pc"', b'"\xff"'),
        _said().replace(b'"pc"', b'"\\ud800"'),
    ],
)
def test_a_lock_file_without_a_holder_is_no_error(path: Path, content: bytes) -> None:
    """Whatever a lock file holds, the lock works and the holder is just unknown."""
    path.parent.mkdir()
    path.write_bytes(content)
    assert FileLock(path).holder() is None
    assert _is_free(path)


def test_only_a_held_lock_has_a_descriptor(lock: FileLock) -> None:
    """There is nothing to inherit before the lock is taken."""
    with pytest.raises(ValueError, match="not locked"):
        lock.fileno()
    assert lock.acquire(ME, wait=False)
    assert not os.get_inheritable(lock.fileno())


def test_another_thread_that_opens_the_file_changes_nothing(
    path: Path, lock: FileLock
) -> None:
    """The lock belongs to its holder's descriptor, not to the process or the thread."""
    assert lock.acquire(ME, wait=False)
    free = []

    def look() -> None:
        path.read_bytes()
        free.append(_is_free(path))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join(timeout=GENEROUS)
    assert free == [False]
    assert not _is_free(path)


def test_waiting_ends_when_the_lock_is_free(path: Path, lock: FileLock) -> None:
    """Who waits gets the lock when its holder gives it back."""
    assert lock.acquire(ME, wait=False)
    naps: list[float] = []

    def sleep(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            lock.release()

    with FileLock(path) as other:
        assert other.acquire(ME, wait=True, sleep=sleep)
    assert len(naps) == 3
    assert all(0.1 <= nap <= 0.5 for nap in naps)


def test_waiting_can_be_stopped(path: Path, lock: FileLock) -> None:
    """A run that is told to stop does not wait on."""
    assert lock.acquire(ME, wait=False)
    naps: list[float] = []
    other = FileLock(path)
    assert not other.acquire(
        ME, wait=True, stop=lambda: len(naps) == 2, sleep=naps.append
    )
    assert len(naps) == 2


def test_waiting_is_real(
    path: Path, processes: list[subprocess.Popen[str]], lock: FileLock
) -> None:
    """Another process that ends makes the lock free for one that waits."""
    process = _start(processes, HOLD + WAIT, path)
    assert process.stdin is not None
    threading.Timer(0.3, process.stdin.close).start()
    assert lock.acquire(ME, wait=True)
    assert process.wait(timeout=GENEROUS) == 0


def _is_told(holder: Holder, process: subprocess.Popen[str]) -> None:
    """Check who holds the lock; a Windows venv's python starts another process."""
    if sys.platform != "win32":
        assert holder.pid == process.pid


def test_another_process_is_kept_out(
    path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """The lock holds between processes, and tells which one has it."""
    process = _start(processes, HOLD + WAIT, path)
    assert not _is_free(path)
    holder = FileLock(path).holder()
    assert holder is not None
    assert holder.run_id == "runid"
    _is_told(holder, process)


def test_a_killed_holder_holds_nothing(
    path: Path, processes: list[subprocess.Popen[str]], lock: FileLock
) -> None:
    """The system gives the lock back; the file still says who had it."""
    process = _start(processes, HOLD + WAIT, path)
    process.kill()
    process.wait(timeout=GENEROUS)
    holder = lock.holder()
    assert holder is not None
    _is_told(holder, process)
    # What the redirector of a virtual environment started ends a moment after it.
    assert lock.acquire(ME, wait=sys.platform == "win32")
    assert lock.holder() == ME


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="a Job Object does this there")
def test_a_script_holds_the_lock_of_its_killed_runner(
    path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """No second run starts beside a script whose runner was killed, until it ends."""
    runner = _start(processes, HOLD + START_SCRIPT + WAIT, path, "inherit")
    assert runner.stdin is not None
    assert runner.stdout is not None
    assert int(runner.stdout.readline()) > 0
    runner.kill()
    runner.wait(timeout=GENEROUS)
    assert not _is_free(path)
    runner.stdin.close()  # which is the script's input, too
    with FileLock(path) as lock:
        assert lock.acquire(ME, wait=True)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="a Job Object does this there")
def test_a_script_inherits_the_lock_only_on_purpose(
    path: Path, processes: list[subprocess.Popen[str]]
) -> None:
    """A child that was not given the descriptor does not keep the lock."""
    runner = _start(processes, HOLD + START_SCRIPT + WAIT, path, "not")
    assert runner.stdout is not None
    assert int(runner.stdout.readline()) > 0
    runner.kill()
    runner.wait(timeout=GENEROUS)
    assert _is_free(path)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="a Job Object does this there")
def test_a_process_left_behind_does_not_keep_a_lock_given_back(
    path: Path, lock: FileLock, processes: list[subprocess.Popen[str]]
) -> None:
    """Giving back holds for all who inherited the lock: the next run may start."""
    assert lock.acquire(ME, wait=False)
    child = subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        pass_fds=[lock.fileno()],
    )
    processes.append(child)
    assert child.stdout is not None
    child.stdout.readline()
    lock.release()
    assert child.poll() is None
    assert _is_free(path)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")
def test_a_deleted_lock_file_is_made_anew(path: Path, lock: FileLock) -> None:
    """Who waited for a file that was deleted meanwhile takes the new one."""
    assert lock.acquire(ME, wait=False)
    path.unlink()
    with FileLock(path) as newcomer:
        assert newcomer.acquire(ME, wait=False)
        assert not _is_free(path)
        lock.release()
        assert not _is_free(path)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="Windows keeps open files")
def test_a_lock_on_a_deleted_file_does_not_count(path: Path) -> None:
    """A file that vanishes between opening and locking lets no two in.

    One thread takes the lock to delete its file, as some programs do at their end,
    while two others take it to be alone.
    """
    ended = threading.Event()
    inside, most = list[int](), 0

    def delete() -> None:
        while not ended.is_set():
            with FileLock(path) as lock:
                if lock.acquire(ME, wait=False):
                    path.unlink()

    def be_alone() -> None:
        nonlocal most
        for number in range(100):
            with FileLock(path) as lock:
                assert lock.acquire(ME, wait=True, sleep=lambda _: None)
                inside.append(number)
                time.sleep(0.0002)
                most = max(most, len(inside))
                inside.remove(number)

    with ThreadPoolExecutor(3) as pool:
        pool.submit(delete)
        busy = [pool.submit(be_alone) for _ in range(2)]
        try:
            for future in busy:
                future.result(timeout=60)
        finally:
            ended.set()
    assert most == 1


@pytest.fixture
def read_only() -> Iterator[Path]:
    """Make a folder that this process may not write, even where it is privileged."""
    if sys.platform == "win32":
        pytest.skip("folders are not read-only there")
    else:
        # Not in the test's folder, which nobody else may enter.
        folder = Path(tempfile.mkdtemp())
        folder.chmod(0o555)
        me = os.geteuid()
        if me == 0:  # who may write anywhere
            os.seteuid(65534)
        yield folder
        os.seteuid(me)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.posix
@pytest.mark.parametrize("below", ["a.lock", "locks/a.lock"])
def test_a_read_only_home_is_an_error_that_names_it(
    read_only: Path, below: str
) -> None:
    """Where the lock cannot be made, the error says where, and nobody waits."""
    path = read_only / below
    with pytest.raises(PermissionError) as caught:
        FileLock(path).acquire(ME, wait=True)
    assert Path(caught.value.filename) in {path, path.parent}


def test_a_home_that_is_a_file_is_an_error(tmp_path: Path) -> None:
    """A file in the place of the state folder is told with its path."""
    (tmp_path / "home").touch()
    with pytest.raises(OSError, match="home"):
        project_lock(tmp_path / "home", tmp_path).acquire(ME, wait=False)


@pytest.mark.fault(
    "machine",
    "The disk is full when a project is locked",
    "The lock holds.",
)
def test_a_full_disk_does_not_cost_the_lock(
    path: Path, lock: FileLock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is for people: where it finds no room, the lock holds without it."""

    def refuse(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", refuse)
    assert lock.acquire(ME, wait=False)
    assert not _is_free(path)


def test_a_lock_for_one_write_is_not_waited_for_too_long(path: Path) -> None:
    """Who is kept out for a second writes all the same, and takes nothing away."""
    naps: list[float] = []
    path.parent.mkdir()
    with path.open("ab") as one, path.open("ab") as two, path.open("ab") as three:
        with brief_lock(one.fileno()):
            with brief_lock(two.fileno(), sleep=naps.append):
                assert sum(naps) == pytest.approx(1)
            with brief_lock(three.fileno(), sleep=naps.append):
                assert sum(naps) == pytest.approx(2)
        with brief_lock(two.fileno(), sleep=naps.append):
            assert sum(naps) == pytest.approx(2)


def test_a_project_has_one_lock_however_its_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative paths and detours lead to the same lock, another folder to another."""
    project = tmp_path / "My project, 1.2"
    project.mkdir()
    expected = project_lock(tmp_path / "home", project).path
    monkeypatch.chdir(project)
    ways = [Path(), Path("..", project.name), project / "sub" / ".."]
    if sys.platform == "win32":
        ways.append(Path(str(project).upper()))
    assert {project_lock(tmp_path / "home", way).path for way in ways} == {expected}
    assert expected.parent == tmp_path / "home" / "locks"
    assert expected.name.lower().startswith("my_project_1_2-")
    namesake = tmp_path / "other" / project.name
    assert project_lock(tmp_path / "home", namesake).path != expected


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="links need a privilege there")
def test_a_link_to_a_project_leads_to_its_lock(tmp_path: Path) -> None:
    """Two names of one folder cannot run beside each other."""
    (tmp_path / "project").mkdir()
    (tmp_path / "link").symlink_to("project")
    one, two = (project_lock(tmp_path, tmp_path / name) for name in ("project", "link"))
    assert one.path == two.path


def test_any_folder_name_gives_a_lock(tmp_path: Path) -> None:
    """Long and strange names make a file name that every system can hold."""
    name = "é" * 120 + ('<|?*"\n' if sys.platform != "win32" else "")
    with project_lock(tmp_path, Path(name)) as lock:
        assert lock.acquire(ME, wait=False)


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="another byte is locked there")
def test_filelock_and_this_lock_exclude_each_other(path: Path, lock: FileLock) -> None:
    """The primitive is the one that other programs use: flock on the whole file."""
    path.parent.mkdir()
    theirs = filelock.FileLock(path, timeout=0)
    assert lock.acquire(ME, wait=False)
    with pytest.raises(filelock.Timeout):
        theirs.acquire()
    lock.release()
    with theirs:
        assert not lock.acquire(ME, wait=False)
    assert lock.acquire(ME, wait=False)


@examples(40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 2)), max_size=12))
@example([(True, 0), (True, 1), (False, 1), (True, 1), (False, 0), (True, 1)])
def test_it_behaves_as_filelock_does(acts: list[tuple[bool, int]]) -> None:
    """Three holders who take and give back get the same answers from both locks."""
    with tempfile.TemporaryDirectory() as folder:
        ours = [FileLock(Path(folder, "ours")) for _ in range(3)]
        theirs = [
            filelock.FileLock(Path(folder, "theirs"), timeout=0) for _ in range(3)
        ]
        for take, who in acts:
            if take and not theirs[who].is_locked:  # theirs is reentrant
                taken = ours[who].acquire(ME, wait=False)
                try:
                    theirs[who].acquire()
                except filelock.Timeout:
                    assert not taken
                else:
                    assert taken
            elif not take:
                ours[who].release()
                theirs[who].release()
        for mine, their in zip(ours, theirs, strict=True):
            mine.release()
            their.release()


@pytest.mark.parametrize("content", [b"x" * 10_000_000, b'{"pid": 1}' * 500])
def test_a_file_that_is_too_long_names_nobody(path: Path, content: bytes) -> None:
    """However long a lock file is, it is not read to its end."""
    path.parent.mkdir()
    path.write_bytes(content)
    assert FileLock(path).holder() is None
    with FileLock(path) as lock:
        assert lock.acquire(ME, wait=False)
        assert FileLock(path).holder() == ME


if sys.platform != "win32":

    @pytest.mark.posix
    def test_a_script_cannot_change_what_the_lock_says(
        path: Path, lock: FileLock
    ) -> None:
        """The descriptor that scripts inherit holds the lock, and cannot be written."""
        assert lock.acquire(ME, wait=False)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(lock.fileno(), b"{}")
        with pytest.raises(OSError, match=r"Invalid argument|Bad file descriptor"):
            os.ftruncate(lock.fileno(), 0)
        assert FileLock(path).holder() == ME

    @pytest.mark.posix
    @pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "device"])
    def test_what_is_no_file_is_no_lock(path: Path, kind: str) -> None:
        """What somebody else put in the place of a lock is told; nobody waits for it."""
        path.parent.mkdir()
        make_special(path, kind)
        assert FileLock(path).holder() is None
        with pytest.raises(OSError, match=r"regular file|directory"):
            FileLock(path).acquire(ME, wait=True)

    @pytest.mark.posix
    def test_a_file_that_was_replaced_is_left_alone(path: Path, lock: FileLock) -> None:
        """Who deletes a lock's file gets a new lock, and nobody empties its file."""
        assert lock.acquire(ME, wait=False)
        path.unlink()
        with FileLock(path) as other:
            assert other.acquire(ME, wait=False)
            lock.release()
            assert FileLock(path).holder() == ME

    @pytest.mark.posix
    def test_the_lowest_descriptors_are_left_to_the_scripts(lock: FileLock) -> None:
        """A script that counts on descriptors in a row finds none of ours among them."""
        assert lock.acquire(ME, wait=False)
        assert lock.fileno() >= 50
        assert not os.get_inheritable(lock.fileno())


def _ended(count: int) -> Unrecorded:
    """Return the end of a run of so many scripts."""
    return Unrecorded(
        run_id="1" * 13,
        status=RunStatus.FAILURE,
        mail=MailStatus.SENT,
        started_at=ME.started_at,
        outcomes={f"folder/script_{n}.py": Outcome.SUCCESS for n in range(count)},
    )


@pytest.mark.parametrize("count", [0, 60, 5000])
def test_the_end_of_any_series_is_remembered_and_forgotten(
    path: Path, lock: FileLock, count: int
) -> None:
    """The file grows for a long one, and shrinks again."""
    assert lock.acquire(ME, wait=False)
    lock.remember(_ended(count))
    assert FileLock(path).read_unrecorded() == (_ended(count),)
    assert FileLock(path).holder() == ME

    lock.forget("1" * 13)

    assert FileLock(path).holder() == ME
    assert path.stat().st_size <= 4096


def test_the_cluster_of_a_runner_outlives_it(lock: FileLock) -> None:
    """It is kept beside what else is, until it is empty again."""
    assert lock.acquire(ME, wait=False)
    assert not lock.cluster
    lock.remember_cluster("tcp://scheduler:8786")
    lock.remember(_ended(2))
    lock.release()
    assert lock.acquire(ME, wait=False)
    assert (lock.cluster, lock.unrecorded) == ("tcp://scheduler:8786", (_ended(2),))
    lock.remember_cluster("")
    lock.release()
    assert lock.acquire(ME, wait=False)
    assert (lock.cluster, lock.unrecorded) == ("", (_ended(2),))


if sys.platform != "win32":
    import resource

    @pytest.mark.posix
    @pytest.mark.fault(
        "machine",
        "The disk is full when the end of a long series can be recorded nowhere else",
        "How the run ended is kept, without its scripts.",
    )
    def test_a_long_series_that_finds_no_room_keeps_its_status(
        path: Path, lock: FileLock
    ) -> None:
        """What fits into the file as it is takes the place of what does not."""
        assert lock.acquire(ME, wait=False)
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, limits[1]))
        try:
            lock.remember(_ended(5000))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

        (kept,) = FileLock(path).read_unrecorded()
        assert (kept.status, kept.outcomes) == (RunStatus.FAILURE, {})
        assert FileLock(path).holder() == ME


@pytest.mark.posix
def test_a_moved_lock_is_given_back_where_it_is(path: Path, lock: FileLock) -> None:
    """Its file says of nobody that he died, wherever it lies now."""
    assert lock.acquire(ME, wait=False)
    moved = path.with_name("moved.lock")
    path.rename(moved)
    assert lock.lost
    lock.release()

    assert FileLock(moved).holder() is None
    assert not FileLock(moved).was_never_held()
