"""Everything that somebody else could change, and that is run or believed, is told."""

from __future__ import annotations

import json
import os
import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.commands.check import permission_problems
from python_runner.cli.targets import find_targets
from python_runner.config import permissions
from python_runner.config.settings import load_settings
from python_runner.doctor.examination import examine


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support import Cli, MakeProject

if sys.platform == "win32":
    pytest.skip("modes show no permissions there", allow_module_level=True)

pytestmark = pytest.mark.posix

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
#: A user and a group that are neither ours nor root's.
STRANGER = 65534
SOURCES = {
    "sub/a.py": "",
    "v.env": "X=1\n",
    "logs/p.log": "",
    "logs/runs/x": "",
    ".venv/pyvenv.cfg": "home = /usr/bin\n",
    ".venv/lib/python3.11/site-packages/json.py": "",
}


@pytest.fixture
def place(
    tmp_path: Path, make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Path]:
    """Return a folder with everything that a run from it executes, reads or writes."""
    before = os.umask(0o022)
    folder = make_project("p", scripts=["sub/a.py"], env_file="v.env")
    config = folder / "exec_config.json"
    told = json.loads(config.read_text()) | {"python_command": None}
    config.write_text(json.dumps(told))
    for name, text in SOURCES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / ".venv" / "bin").mkdir()
    (folder / ".venv" / "bin" / "python").symlink_to(sys.executable)
    (tmp_path / ".env").touch()
    (tmp_path / "python-runner.toml").write_text('projects = ["p"]\n')
    home = tmp_path / "state"
    (home / "locks").mkdir(parents=True)
    (home / "records.sqlite3").touch()
    monkeypatch.setenv("PYTHON_RUNNER_HOME", str(home))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    os.umask(before)


PLACES = [
    *("p", "p/exec_config.json", "p/sub", "p/sub/a.py", "p/v.env"),
    *("p/logs", "p/logs/runs", "p/logs/p.log"),
    *("p/.venv", "p/.venv/pyvenv.cfg", "p/.venv/bin"),
    "p/.venv/lib/python3.11/site-packages",
    "p/.venv/lib/python3.11/site-packages/json.py",
    *(".", ".env", "python-runner.toml", "state", "state/locks"),
    "state/records.sqlite3",
]


def told() -> dict[str, str]:
    """Return what ``check`` warns of in the current folder, by the path that it names."""
    targets, settings = find_targets(()), load_settings()
    examined = [examine(path, targets.defaults, settings) for path in targets.projects]
    found = permission_problems(examined, settings)
    return {p.file: p.message for p in found if p.file != "python-runner"}


@pytest.mark.usefixtures("place")
def test_what_is_ours_alone_is_no_warning() -> None:
    """Whoever keeps everything to himself hears nothing."""
    assert told() == {}


def test_check_prints_the_warnings(place: Path, cli: Cli) -> None:
    """They are on the terminal and in the document, and no problem of the project."""
    (place / "p" / "sub" / "a.py").chmod(0o666)

    said = cli("check", "p")
    document = cli("check", "p", "--json")

    assert "sub/a.py: every user of this computer may change it" in said.stderr
    assert said.returncode == document.returncode == 0
    warnings = json.loads(document.stdout)["warnings"]
    assert str(place / "p" / "sub" / "a.py") in {w["file"] for w in warnings}


@pytest.mark.fault(
    "files",
    "Others may change what is run or believed",
    "`check` names the path and what to do.",
)
@pytest.mark.parametrize("sticky", [0, 0o1000], ids=["plain", "sticky"])
@pytest.mark.parametrize("name", PLACES)
def test_what_everybody_may_change_is_told(place: Path, name: str, sticky: int) -> None:
    """One sentence names the path and what to do; the sticky bit excuses nothing."""
    path = place / name
    path.chmod(path.stat().st_mode | 0o002 | sticky)

    found = told()

    assert list(found) == [str(path)]
    advice = (
        f"`chmod o-w {path}`" if not sticky or path.is_file() else "only you can change"
    )
    assert advice in found[str(path)]


@needs_root
@pytest.mark.parametrize("name", PLACES)
def test_what_a_group_may_change_is_told(place: Path, name: str) -> None:
    """The group is named."""
    path = place / name
    os.chown(path, 0, STRANGER)
    path.chmod(path.stat().st_mode | 0o020)

    found = told()

    assert list(found) == [str(path)]
    assert f"`chmod g-w {path}`" in found[str(path)]


@needs_root
@pytest.mark.parametrize("name", PLACES)
def test_what_belongs_to_another_user_is_told(place: Path, name: str) -> None:
    """The owner is named, whatever the mode says: he may change that."""
    path = place / name
    os.chown(path, STRANGER, 0)
    path.chmod(path.stat().st_mode & ~0o222)

    found = told()

    assert list(found) == [str(path)]
    assert f"`chown root {path}`" in found[str(path)]


@needs_root
def test_a_foreign_folder_is_told_once(place: Path) -> None:
    """Whose folder it is decides about what lies in it; that is one sentence."""
    for path in (place / "p", *(place / "p").rglob("*")):
        os.chown(path, STRANGER, STRANGER, follow_symlinks=False)

    assert list(told()) == [str(place / "p")]


@needs_root
def test_a_foreign_link_is_told(place: Path) -> None:
    """Who made a link points it elsewhere tomorrow."""
    script = place / "p" / "sub" / "a.py"
    script.rename(place / "real.py")
    script.symlink_to(place / "real.py")
    os.chown(script, STRANGER, STRANGER, follow_symlinks=False)

    assert list(told()) == [str(script)]


def test_what_a_link_leads_to_is_told(place: Path) -> None:
    """A script that is a link is run as the file that it leads to."""
    script = place / "p" / "sub" / "a.py"
    (place / "elsewhere").mkdir()
    real = script.rename(place / "elsewhere" / "real.py")
    script.symlink_to(real)
    real.chmod(0o666)
    real.parent.chmod(0o777)

    assert set(told()) == {str(real), str(real.parent)}


def test_folders_above_are_told(place: Path, tmp_path: Path) -> None:
    """Who may rename a folder above puts another one in its place; not if it is sticky."""
    (place / "p").rename(tmp_path / "moved")
    above = tmp_path / "above"
    above.mkdir()
    (tmp_path / "moved").rename(above / "p")
    (place / "python-runner.toml").write_text('projects = ["above/p"]\n')
    above.chmod(0o777)
    assert list(told()) == [str(above)]
    above.chmod(0o1777)
    assert told() == {}


def test_folders_that_scripts_import_from_are_told(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What ``PYTHONPATH`` names is run as well."""
    modules = place / "my modules"
    modules.mkdir()
    modules.chmod(0o777)
    monkeypatch.setenv("PYTHONPATH", str(modules))

    found = told()

    assert list(found) == [str(modules)]
    assert shlex.quote(str(modules)) in found[str(modules)]


@pytest.mark.parametrize("name", [".env", "p/v.env"])
def test_secrets_that_everybody_may_read_are_told(place: Path, name: str) -> None:
    """Of a file with secrets, the names are told and never the values."""
    (place / name).write_text("DB_PASSWORD=correct-horse\n")

    found = told()

    assert list(found) == [str(place / name)]
    assert "DB_PASSWORD" in found[str(place / name)]
    assert "horse" not in found[str(place / name)]


@pytest.mark.fault(
    "files",
    "The `.env` of the current folder belongs to another user",
    "`run` says so.",
)
@pytest.mark.parametrize("name", [".env", "python-runner.toml"])
@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: os.chown(path, STRANGER, 0), marks=needs_root),
        lambda path: path.chmod(0o666),
    ],
    ids=["owner", "mode"],
)
def test_a_run_says_whose_settings_it_believes(
    place: Path, cli: Cli, name: str, spoil: Callable[[Path], None]
) -> None:
    """Whoever may change these decides where the mail goes: that is told at once."""
    spoil(place / name)
    for quiet in ([], ["--quiet"]):
        done = cli("run", "--json", *quiet)

        assert f"{place / name}: " in done.stderr
        json.loads(done.stdout)


@pytest.mark.usefixtures("place")
def test_root_is_told_once(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs as root hears it from ``check`` and, unless quiet, from ``run``."""
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert [p.file for p in permissions.root_problem()] == ["python-runner"]
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert not list(permissions.root_problem())
    monkeypatch.undo()
    as_root = os.geteuid() == 0
    assert cli("run", "--json", "p").stderr.count("runs as root") == as_root
    assert "runs as root" not in cli("run", "--quiet", "p").stderr
