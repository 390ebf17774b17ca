from __future__ import annotations

import base64
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import python_runner
from python_runner.config import foreign_packages
from python_runner.config.foreign_packages import package_problems
from python_runner.installation import extra_command, package_command


if TYPE_CHECKING:
    from python_runner.exceptions import Problem
    from tests.support import Cli, MakeProject


def install(site: Path, name: str, version: str = "0.6.1", **files: str) -> None:
    """Note a package in a folder of packages, as installers do."""
    folder = site / f"{name.replace('-', '_')}-{version}.dist-info"
    folder.mkdir(parents=True)
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    for file, text in {"METADATA": metadata, **files}.items():
        (folder / file).write_text(text, encoding="utf-8")


def found(folder: Path) -> list[Problem]:
    """Return what is told of other packages where a folder is the current one."""
    return list(package_problems(folder))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder of packages that Python looks in."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(folder)
    return folder


def test_nothing_is_told_where_nobody_else_has_the_name(
    tmp_path: Path, site: Path
) -> None:
    """Other packages, and those whose names resemble, are nobody's business."""
    install(site, "other", RECORD="my_python_runner/__init__.py,,\n")
    install(
        site, "third", RECORD="third/python_runner/__init__.py,,\npython_runner2.py,,"
    )
    install(site, "Python.Series_Runner", RECORD="python_runner/__init__.py,,\n")

    assert found(tmp_path) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("RECORD", "python_runner/__init__.py,sha256=x,12\nx/y.py,,\n"),
        ("RECORD", "a.py,,\r\npython_runner/helpers.py,,\r\n"),
        ("RECORD", "python_runner.py,,\n"),
        ("RECORD", "..\\..\\python_runner\\__init__.py,,\n"),
        ("installed-files.txt", "../python_runner/__init__.py\n"),
        ("top_level.txt", "python_runner\n"),
    ],
)
@pytest.mark.parametrize("name", ["python-runner", "python_runner", "runner-of-x"])
def test_a_package_of_the_same_import_name_is_found(
    tmp_path: Path, site: Path, name: str, file: str, text: str
) -> None:
    """Whoever installed it and whatever it is called: the remedy can be pasted."""
    install(site, name, **{file: text})

    (problem,) = found(tmp_path)

    assert problem.file == str(Path(python_runner.__file__).parent)
    assert problem.message.startswith(f"{name} 0.6.1 is installed in the same")
    assert f"`{sys.executable} -m pip uninstall {name}`" in problem.message
    assert "-m pip install --force-reinstall --no-deps " in problem.message


def noted(site: Path, package: Path, origin: object = None) -> None:
    """Note Python Runner itself, with the digest of each file of ``package``."""
    lines = []
    for path in package.rglob("*.py"):
        digest = base64.urlsafe_b64encode(hashlib.sha256(path.read_bytes()).digest())
        name = path.relative_to(site).as_posix()
        lines.append(f"{name},sha256={digest.decode().rstrip('=')},1")
    files = {"RECORD": "\n".join(lines)}
    if origin:
        files["direct_url.json"] = json.dumps(origin)
    install(site, "python-series-runner", "1.0.0", **files)


@pytest.mark.parametrize("fate", ["overwritten", "removed"])
def test_a_file_that_is_not_the_installed_one_is_told(
    tmp_path: Path, site: Path, fate: str
) -> None:
    """A package that has gone again left its own file, or took one of ours along."""
    package = site / "python_runner"
    package.mkdir()
    for name in ("__init__.py", "helpers.py"):
        (package / name).write_text("ours = True\n", encoding="utf-8")
    noted(site, package)
    assert found(tmp_path) == []

    if fate == "removed":
        (package / "helpers.py").unlink()
    else:
        (package / "helpers.py").write_text("ours = False\n", encoding="utf-8")
    (problem,) = found(tmp_path)

    assert problem.file == str(package / "helpers.py")
    assert "--no-deps python-series-runner`" in problem.message


def quoted(word: str) -> str:
    """Return a word as the shells of this platform take it whole."""
    return f'"{word}"' if sys.platform == "win32" else f"'{word}'"


@pytest.mark.parametrize(
    ("origin", "source"),
    [
        ({"url": "file:///srv/clone", "dir_info": {}}, "file:///srv/clone"),
        ({"url": "file:///srv/c", "dir_info": {"editable": True}}, "-e file:///srv/c"),
        ({"url": "file:///C:/My&files"}, quoted("file:///C:/My&files")),
        (
            {"url": "https://host/r.git", "vcs_info": {"vcs": "git", "commit_id": "1"}},
            "git+https://host/r.git",
        ),
        (None, "python-series-runner"),
    ],
)
def test_it_is_installed_again_from_where_it_came(
    tmp_path: Path, site: Path, origin: object, source: str
) -> None:
    """No index is asked for what came from a folder or a repository."""
    noted(site, site, origin)
    install(site, "python-runner", RECORD="python_runner/__init__.py,,\n")

    (problem,) = found(tmp_path)

    assert problem.message.endswith(f" install --force-reinstall --no-deps {source}`")


@pytest.mark.parametrize("name", ["python_runner/__init__.py", "python_runner.py"])
def test_a_package_in_the_current_folder_is_told_by_check(
    cli: Cli, tmp_path: Path, make_project: MakeProject, name: str
) -> None:
    """A clone of the original: `python example.py` there would go on importing it."""
    make_project()
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.touch()

    # With -m the folder itself would be where the command comes from.
    done = cli("check", "project_1", PYTHONSAFEPATH="1")
    told = json.loads(cli("check", "project_1", "--json", PYTHONSAFEPATH="1").stdout)

    assert done.returncode == 0
    where = file.parent if file.name == "__init__.py" else file
    assert any(
        w["file"] == str(where) and "instead of Python Runner" in w["message"]
        for w in told["warnings"]
    )
    assert "imports this package instead of Python Runner" in done.stderr


def test_ours_in_the_current_folder_is_no_shadow() -> None:
    """Who develops Python Runner starts it in its own folder."""
    assert found(foreign_packages.PACKAGE.parent) == []


@pytest.mark.parametrize(
    ("made_by", "begins"),
    [
        ("pipx", "pipx runpip python-series-runner install"),
        ("uv", f"uv pip install --python {sys.executable}"),
        ("venv", f"{sys.executable} -m pip install"),
    ],
)
def test_a_command_fits_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made_by: str, begins: str
) -> None:
    """What is told to be typed changes the environment that Python Runner runs in."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    if made_by == "pipx":
        (tmp_path / "pipx_metadata.json").touch()
    if made_by == "uv":
        monkeypatch.setattr("python_runner.installation.find_spec", lambda _: None)

    assert extra_command("outlook") == f'{begins} "python-series-runner[outlook]"'


def test_a_path_with_a_blank_is_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command can be pasted all the same."""
    monkeypatch.setattr(sys, "executable", r"C:\Program Files\Python\python.exe")

    command = package_command("uninstall", "python-runner")

    python = quoted(r"C:\Program Files\Python\python.exe")
    assert command == f"{python} -m pip uninstall python-runner"
