"""The single file runs projects as an installation does, wherever it is started.

What it holds here is what the tests themselves run with. `.ci/run` makes the real one, of
wheels, and starts it with every Python there is; PYTHON_RUNNER_PYZ lets these tests take it.
"""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import python_runner
from python_runner.installation import (
    DISTRIBUTION,
    extra_command,
    shell_word,
    start_words,
)
from tests.support import BAD, GOOD, MakeProject, mails
from tools.pyz import pack
from tools.pyz_main import this_platform


if TYPE_CHECKING:
    from collections.abc import Callable

    Start = Callable[..., subprocess.CompletedProcess[str]]

pytestmark = [pytest.mark.source, pytest.mark.together]

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
#: What Python Runner needs, and what that needs.
NEEDED = [
    *("click", "cronsim", "jinja2", "markupsafe", "msgspec", "platformdirs", "psutil"),
    *("python-dotenv", "tzlocal"),
]
PACKAGE = Path(python_runner.__file__).parent
#: As long as a sentence takes to type: nothing in it hangs.
BOUND = 100


def content() -> dict[str, bytes]:
    """Return the modules of this environment that the command needs, by path."""
    found = {
        f"python_runner/{path.relative_to(PACKAGE).as_posix()}": path.read_bytes()
        for path in PACKAGE.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }
    for name in NEEDED:
        for file in distribution(name).files or ():
            path = Path(str(file.locate()))
            if ".." not in file.parts and file.suffix != ".pyc" and path.is_file():
                found[file.as_posix()] = path.read_bytes()
    return found


@pytest.fixture(scope="session")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the single file, in a folder whose name wants quotes."""
    if made := os.environ.get("PYTHON_RUNNER_PYZ"):
        return Path(made)
    path = tmp_path_factory.mktemp("single file") / "python-runner.pyz"
    pack(content(), path, this_platform(), [HERE])
    return path


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder into which it is unpacked: once for most tests."""
    return tmp_path_factory.mktemp("cached") / "cache"


@pytest.fixture
def start(file: Path, cache: Path, tmp_path: Path) -> Start:
    """Return a function that starts the file by this interpreter alone."""

    def run(*arguments: object, umask: int = -1, **variables: str) -> object:
        return subprocess.run(
            [sys.executable, "-I", str(file), *map(str, arguments)],
            cwd=tmp_path,
            env=os.environ | {"PYTHON_RUNNER_CACHE": str(cache)} | variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            umask=umask,
            timeout=BOUND,
            check=False,
        )

    return run  # type: ignore[return-value]


#: Says where the modules lie that Python Runner starts a script with.
WHERE = """\
import sys
print([m.__file__ for n, m in sorted(sys.modules.items()) if "python_runner" in n])
print("json" in sys.modules)
"""


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_a_project_is_run_and_mailed_of(
    umask: int, start: Start, make_project: MakeProject, mail_dir: Path, tmp_path: Path
) -> None:
    """Warm scripts, templates and the French catalogue are found in what was unpacked."""
    make_project(
        sources={"a.py": WHERE, "b.py": WHERE, "c.py": BAD},
        warm=True,
        preload=["json"],
        recipients=["a@example.org"],
        email_strategy="all",
        language="fr",
    )
    private = {"PYTHON_RUNNER_CACHE": str(tmp_path / "cache")} if umask != 0o022 else {}

    done = start("run", "project_1", "--json", umask=umask, **private)

    assert "Unpacked" not in done.stderr
    assert done.returncode == 1, done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert [s["status"] for s in run["scripts"]] == ["success", "success", "failure"]
    assert run["warnings"] == []
    assert run["mail"] == "sent"
    assert "True" in Path(run["scripts"][1]["output"]).read_text("utf-8")
    (mail,) = mails(mail_dir)
    text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "Échec" in text
    assert "KeyError" in text


@pytest.mark.posix
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_nobody_else_may_change_what_was_unpacked(
    umask: int, start: Start, tmp_path: Path
) -> None:
    """Whatever the account gives others of its new files."""
    cache = tmp_path / "cache"

    done = start("--version", umask=umask, PYTHON_RUNNER_CACHE=str(cache))

    assert done.stdout.startswith("python-runner, version ")
    assert done.stderr == ""
    (unpacked,) = cache.iterdir()
    for path in (cache, unpacked, unpacked / "site/python_runner/version.py"):
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0


@pytest.mark.posix
def test_accounts_do_not_share_it(start: Start, file: Path, tmp_path: Path) -> None:
    """A folder that others may write is not believed: it is unpacked for this run."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    temporary = tmp_path / "temporary"
    temporary.mkdir()

    done = start("--version", PYTHON_RUNNER_CACHE=str(shared), TMPDIR=str(temporary))

    assert done.returncode == 0
    assert done.stdout.startswith("python-runner, version ")
    assert f"others may write in {shared}" in done.stderr
    assert [*shared.iterdir(), *temporary.iterdir()] == []
    assert file.exists()


@pytest.mark.posix
def test_an_account_without_a_home_runs_it(
    start: Start, make_project: MakeProject, tmp_path: Path
) -> None:
    """As a service's account does; the sentence names what spares the unpacking."""
    make_project(sources={"main.py": GOOD})
    (tmp_path / "no-folder").touch()
    variables = {"HOME": str(tmp_path / "no-folder"), "XDG_CACHE_HOME": ""}

    done = start("run", "project_1", PYTHON_RUNNER_CACHE="", **variables)

    assert done.returncode == 0, done.stderr
    assert "PYTHON_RUNNER_CACHE names another folder" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.posix
@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() != 0, reason="needs another account"
)
def test_another_account_has_its_own(file: Path, make_project: MakeProject) -> None:
    """Of the same file, with another umask and a home of its own."""
    if sys.platform == "win32":
        return
    project = make_project(sources={"main.py": GOOD})
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        copy = home / "python-runner.pyz"
        copy.write_bytes(file.read_bytes())
        config = json.loads((project / "exec_config.json").read_text("utf-8"))
        mine = home / "project"
        mine.mkdir()
        (mine / "main.py").write_text(GOOD, "utf-8")
        # The interpreter of the tests may lie where nobody else can go.
        python = next(
            (p for p in ("/usr/bin/python3", sys.executable) if _is_this_python(p)), ""
        )
        if not python:
            pytest.skip("no interpreter of this version that all accounts may start")
        config["python_command"] = python
        (mine / "exec_config.json").write_text(json.dumps(config), "utf-8")
        for path in (home, *home.rglob("*")):
            os.chown(path, 65534, 65534)

        done = subprocess.run(
            [python, copy, "run", mine],
            env={"HOME": name, "PATH": os.defpath, "LANGUAGE": "en"},
            cwd=name,
            user=65534,
            group=65534,
            extra_groups=[],
            umask=0o027,
            capture_output=True,
            encoding="utf-8",
            timeout=BOUND,
            check=False,
        )

        assert done.returncode == 0, done.stderr + done.stdout
        assert [p.name for p in (home / ".cache").iterdir()] == ["python-runner-pyz"]


def _is_this_python(path: str) -> bool:
    """Say whether another account may start an interpreter, and it is of this version."""
    code = f"import sys; assert sys.version_info[:2] == {sys.version_info[:2]}"
    try:
        done = subprocess.run(
            [path, "-c", code],
            user=65534 if sys.platform != "win32" else None,
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0


def test_starts_at_the_same_moment_do_not_disturb_each_other(
    file: Path, tmp_path: Path
) -> None:
    """It is unpacked whole, once, and nothing of a second try is left."""
    variables = os.environ | {"PYTHON_RUNNER_CACHE": str(tmp_path / "cache")}
    started = [
        subprocess.Popen(
            [sys.executable, file, "--version"],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]

    answers = [process.communicate(timeout=BOUND) for process in started]

    assert [error for _, error in answers] == [b""] * 3
    assert {process.returncode for process in started} == {0}
    assert len([*(tmp_path / "cache").iterdir()]) == 1


@pytest.mark.parametrize(
    ("platform", "pythons"), [("plan9-mips", [HERE]), (this_platform(), ["3.99"])]
)
def test_another_platform_or_python_is_told(
    platform: str, pythons: list[str], tmp_path: Path
) -> None:
    """In a sentence, not by a module that cannot be loaded; nothing is unpacked."""
    file = tmp_path / "python-runner.pyz"
    pack({}, file, platform, pythons)

    done = subprocess.run(
        [sys.executable, file, "run"],
        env=os.environ | {"PYTHON_RUNNER_CACHE": str(tmp_path / "cache")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        f"This file is for Python {pythons[0]} on {platform};"
        f" here is Python {HERE} on {this_platform()}.\n"
    )
    assert not (tmp_path / "cache").exists()


def test_what_people_can_type_starts_the_file(
    start: Start, file: Path, make_project: MakeProject
) -> None:
    """The command below a failure names the file, from whatever folder."""
    make_project(sources={"a.py": GOOD, "c.py": BAD})

    done = start("run", "project_1")

    assert done.returncode == 1
    words = " ".join(map(shell_word, (sys.executable, str(file))))
    assert f"{words} output " in done.stderr
    assert "-m python_runner" not in done.stderr


def test_it_has_its_packages_to_itself(start: Start, make_project: MakeProject) -> None:
    """``check`` names no package beside it, and no file as changed."""
    make_project(sources={"main.py": GOOD})

    done = start("check", "project_1")

    assert done.returncode == 0, done.stdout


def test_an_extra_that_it_lacks_comes_with_an_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing can be installed into a file."""
    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "PYTHON_RUNNER_FILE", "/x.pyz", raising=False)

    assert extra_command("outlook") == f'pipx install "{DISTRIBUTION}[outlook]"'


def test_a_scheduler_is_told_what_starts_this_installation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """By the same interpreter, from whatever folder."""
    assert start_words() == [sys.executable, "-m", "python_runner"]

    main = sys.modules["__main__"]
    monkeypatch.setattr(main, "PYTHON_RUNNER_FILE", "/x.pyz", raising=False)

    assert start_words() == [sys.executable, "/x.pyz"]


def test_the_same_content_makes_the_same_bytes(tmp_path: Path) -> None:
    """Whenever and in whatever order it was gathered; other content is told from it."""
    one, two, three = (tmp_path / f"{number}.pyz" for number in range(3))
    some = {"b.py": b"1", "a/c.py": b"2"}

    pack(some, one, "linux-x86_64", ["3.11"])
    pack(dict(reversed(some.items())), two, "linux-x86_64", ["3.11"])
    pack({"b.py": b"12", "a/c.py": b""}, three, "linux-x86_64", ["3.11"])

    assert one.read_bytes() == two.read_bytes()
    assert one.read_bytes() != three.read_bytes()
