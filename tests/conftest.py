from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import uuid
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import coverage
import pytest
from hypothesis import HealthCheck, Phase, settings

from python_runner.delivery.endpoints import Endpoints
from python_runner.runner import library
from tests.support import COMMAND, MEMORY, QUICK, Cli, MakeProject


if sys.platform != "win32":
    from python_runner.execution.tree_posix import SUBREAPER


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Fixtures that several folders share.
pytest_plugins = [
    "tests.builders",
    "tests.servers.authority",
    "tests.servers.cloud",
    "tests.servers.cluster",
    "tests.servers.schedulers",
    "tests.servers.smtp",
    "tests.servers.web",
]

#: Variables of the developer's machine that would change what is tested.
SHIELDED = (
    "ALL_PROXY",
    "all_proxy",
    "GRAPH_URL",
    "HTTPS_PROXY",
    "https_proxy",
    "LANG",
    "LANGUAGE",
    "LC_ALL",
    "LC_MESSAGES",
    "LOGIN_MAIL",
    "MAIL_DIR",
    "MAIL_FROM",
    "MAIL_TRANSPORT",
    "NO_COLOR",
    "NO_PROXY",
    "no_proxy",
    "FORCE_COLOR",
    "OAUTH_AUTHORITY",
    "OAUTH_CLIENT_CERTIFICATE",
    "OAUTH_CLIENT_ID",
    "OAUTH_CLIENT_SECRET",
    "OAUTH_TENANT_ID",
    "PASSWORD_MAIL",
    "PYTHONUNBUFFERED",
    "SMTP_CA_FILE",
    "SMTP_HOST",
    "SMTP_PORT",
    "SMTP_SECURITY",
)


# Python may be started by a path with "..", which nobody tells as it is.
sys.executable = os.path.abspath(sys.executable)  # noqa: PTH100 - links stay
# Without this each of a thousand children would compile the whole product.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# A shell lets what it starts in the background ignore Ctrl-C, and whatever that starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# No profile judges seconds: a loaded machine is no defect. A test that asks for a number
# of its own does so with ``support.examples``, which follows the profile.
_USUAL = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("usual", _USUAL, max_examples=100)
#: For ``.ci``: few examples, always the same.
settings.register_profile("quick", _USUAL, max_examples=30, derandomize=True)
#: For the weekly job.
settings.register_profile("long", _USUAL, max_examples=2000, print_blob=True)
#: For ``tests.mutation``, which asks whether a test fails and not by which example.
settings.register_profile(
    "mutants", _USUAL, phases=(Phase.explicit, Phase.generate), database=None
)
settings.load_profile("quick" if QUICK else "usual")


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Choose the cases that there is time for, and order them."""
    if QUICK:
        chosen = _sample(items)
        config.hook.pytest_deselected(
            items=[item for item in items if item not in chosen]
        )
        items[:] = [item for item in items if item in chosen]
    _slow_first(items)


def _sample(items: list[pytest.Item]) -> set[pytest.Item]:
    """Return all tests but, of those marked ``sampled``, that many cases, evenly spread.

    ``.ci/run`` moves the sample on with each commit, so that all cases come round.
    """
    turn = int(os.environ.get("PYTHON_RUNNER_SAMPLE", "0"))
    cases: dict[tuple[Path, str], list[pytest.Item]] = {}
    for item in items:
        name = item.name.partition("[")[0]
        cases.setdefault((item.path, name), []).append(item)
    chosen: set[pytest.Item] = set()
    for same in cases.values():
        mark = same[0].get_closest_marker("sampled")
        count = min(mark.args[0], len(same)) if mark else len(same)
        chosen.update(
            same[(number * len(same) // count + turn) % len(same)]
            for number in range(count)
        )
    return chosen


def _slow_first(items: list[pytest.Item]) -> None:
    """Let each worker begin with its share of the slow tests, so that all end together.

    ``--dist worksteal`` gives each worker one piece of the list, all of one length, and
    moves what stands at the end of one. So a group that shares one costly result stands
    near the start of a piece: one worker makes it.
    """
    workers = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    groups: dict[tuple[Path, str], list[pytest.Item]] = {}
    slow: list[pytest.Item] = []
    rest: list[pytest.Item] = []
    for item in items:
        if item.get_closest_marker("together"):
            name = item.name.partition("[")[0]
            groups.setdefault((item.path, name), []).append(item)
        else:
            (slow if item.get_closest_marker("slow") else rest).append(item)
    shared = list(groups.values())
    others = iter(rest)
    size = len(items) // workers
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        # The groups last: a piece may begin one test later than reckoned here.
        share = [*slow[worker::workers], *chain(*shared[worker::workers])]
        ordered += [*share, *islice(others, max(0, size - len(share)))]
    items[:] = [*ordered, *others]


@pytest.fixture(autouse=True)
def shielded(
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """Keep the machine's settings out, and records and locks in the test's folder.

    Return the state folder, which is not made. A test that has no folder gets none made
    for this either: on Windows that costs more than most of these tests.
    """
    for name in SHIELDED:
        monkeypatch.delenv(name, raising=False)
    # A port may be used again by another test: nothing is known of who answers there.
    monkeypatch.setattr(library, "ENDPOINTS", Endpoints())
    if "tmp_path" in request.fixturenames:
        home: Path = request.getfixturevalue("tmp_path") / "home"
    else:
        home = tmp_path_factory.getbasetemp() / f"home-{uuid.uuid4().hex}"
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(home))
    # The command declares that its process starts nothing but scripts: a test's starts more.
    if sys.platform != "win32":
        monkeypatch.setattr(SUBREAPER, "dedicated", False)
    # English, also on a Windows that speaks French.
    monkeypatch.setenv("LANGUAGE", "en")
    # A redirected stream on Windows is cp1252; the tests read what they start as UTF-8.
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    return home


@pytest.fixture
def make_project(tmp_path: Path) -> MakeProject:
    """Return a function that makes a project folder with scripts and a configuration."""

    def make(
        name: str = "project_1",
        /,
        sources: Mapping[str, str] = {"main.py": "print('done')"},
        **config: Any,
    ) -> Path:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        for file, text in sources.items():
            path = folder / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        values = {
            "scripts": list(sources),
            "python_command": sys.executable,
            "recipients": [],
            "email_strategy": "none",
            "include_traceback": True,
            "logs_backup_count": 0,
        } | config
        (folder / "exec_config.json").write_text(json.dumps(values), encoding="utf-8")
        return folder

    return make


@pytest.fixture
def python(request: pytest.FixtureRequest) -> list[str]:
    """Return what starts this interpreter, measured where coverage is."""
    if not coverage.Coverage.current():
        return [sys.executable]
    root = request.config.rootpath
    data = root / os.environ.get("COVERAGE_FILE", ".coverage")
    options = [f"--rcfile={root / 'pyproject.toml'}", f"--data-file={data}"]
    return [sys.executable, "-m", "coverage", "run", "--parallel-mode", *options]


@pytest.fixture
def cli(tmp_path: Path, python: list[str]) -> Cli:
    """Return a function that runs the real command in the test's folder.

    Where coverage is measured, so is the command, but none of the scripts that it runs:
    that would cost each of them ten times its own start.
    """
    command = [*python, *COMMAND[1:]]

    def run(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*command, *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            timeout=100,
            check=False,
        )

    return run


@pytest.fixture
def mail_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let reports drop into a folder."""
    folder = tmp_path / "mails"
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(folder))
    return folder


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the test's folder the current one."""
    monkeypatch.chdir(tmp_path)
    return Path(os.curdir)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 2 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(folder)]
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("needs the right to mount a disk")
    if subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("needs the right to mount a disk")
    yield folder
    # Nobody waits for a process that still looks at it.
    subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.fixture
def memory_folder(tmp_path: Path) -> Iterator[Path]:
    """Return a folder in memory where there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY or tmp_path) as name:
        yield Path(name)
