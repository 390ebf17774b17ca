"""What the documents tell people to type does what they say, where nothing is installed."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import venv
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.documents import (
    DOCUMENTS,
    ROOT,
    Block,
    all_blocks,
    blocks,
    kind_of,
    read,
    typed,
    why_not_run,
)


if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.instrument

#: Names of the package index that belong to somebody else.
FOREIGN = {"python-runner", "python_runner"}


# --- installing ---

#: A requirement may be in quotes, and may hold blanks then; ``-r`` names a file of them.
INSTALL = re.compile(
    r"(?:pip|pipx|uv tool|uv pip) install ((?:(?!-r )--?[\w-]+ )*)(\"[^\"\n]+\"|\S+)"
)


def sources() -> Iterator[tuple[str, str]]:
    """Yield what installs something: where it stands, and the requirement."""
    for document in DOCUMENTS:
        for line in typed(document):
            for match in INSTALL.finditer(line):
                yield document, match[2]
    for folder in ("src", "tests", ".ci", ".github"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix not in {".py", ".po", ".j2", ".yml", ""} or path.is_dir():
                continue
            if path == Path(__file__):
                continue
            # Sentences for people are broken over lines.
            text = path.read_text(encoding="utf-8").replace('\\"', '"')
            text = re.sub(r"[\"']\s*\n\s*[\"']", "", text)
            for match in INSTALL.finditer(text):
                yield str(path.relative_to(ROOT)), match[2]


def installs() -> dict[str, str]:
    """Return each requirement by a name for its case."""
    found = {}
    for where, requirement in sources():
        wanted = requirement.strip("\"'`").rstrip("\"'`;,)&}") or "."
        found[f"{where}:{wanted}"] = wanted
    return found


INSTALLS = installs()


@pytest.mark.parametrize("case", INSTALLS)
def test_what_is_installed_is_ours(case: str) -> None:
    """A name that a line gives to pip is the one of the package that is built here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    requirement = INSTALLS[case]
    if requirement.startswith((".", "/", "-", "$")) or "{" in requirement:
        return
    # The name of our package, or a wheel or package that a test has made.
    name = re.split(r"[\[@ =<>]", requirement)[0]

    assert name not in FOREIGN, f"{name!r} of the index is somebody else's"
    assert name == project["name"]
    extras = re.findall(r"[\w-]+", requirement.partition("[")[2].partition("]")[0])
    assert set(extras) <= set(project["optional-dependencies"])


NAME = re.compile(r"(?<![\w./-])python-runner(?:\[| ?[=<>~@]=?|\b.{0,3}requirement)")


@pytest.mark.parametrize("document", DOCUMENTS)
def test_nobody_is_told_the_old_name_of_the_distribution(document: str) -> None:
    """Neither with an extra, nor with a version, nor from an address."""
    assert NAME.findall(read(document)) == []


def test_each_extra_is_named_where_one_installs() -> None:
    """The page names all extras that there are, and no other, in both languages."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = set(project["optional-dependencies"]) - {"bench", "dev", "docs", "test"}
    for document in ("docs/installation.md", "docs/installation.fr.md"):
        (line,) = (
            line
            for line in read(document).split("\n\n")
            if re.search(r"^(An extra|Une option du paquet) ", line)
        )
        named = re.findall(r"`(\w+)`", line.replace("\n", " "))
        assert set(named) == extras


# --- the installation, as it is told ---

#: The same command in PowerShell.
WINDOWS = (
    ("python3 -m", "py -m"),
    ("/bin/", "/Scripts/"),
    (" && ", "; "),
    ("/srv/scripts", "C:/Scripts"),
    ("/", "\\"),
)
#: Each way to install, with what its lines hold.
WAYS = {"uv": "uv tool", "pipx": "pipx", "venv": "/srv/scripts/.venv"}


def section(document: str, title: str) -> str:
    """Return a section of a document, from its heading to the next."""
    return read(document).partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def ways_to_install(way: str) -> tuple[str, str, str]:
    """Return what is said of a way: the block, the next command, and the extra's."""
    text = section("README.md", "Installation")
    codes = re.findall(r"```bash\n(.*?)```", text, re.DOTALL)
    (block,) = (code for code in codes if WAYS[way] in code)
    (following,) = (code for code in codes if code.startswith("python-runner "))
    (extra,) = (
        code
        for code in re.findall(
            r"^\| .* \| `(.+)` \|$", read("docs/installation.md"), re.MULTILINE
        )
        if code.startswith(WAYS[way])
    )
    return block, "" if way == "venv" else following, extra


#: What is written in the reader's language: values, names of tasks, days, comments.
WORDED = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|#.*")


@pytest.mark.parametrize("french", [d for d in DOCUMENTS if d.endswith(".fr.md")])
def test_each_command_of_a_page_stands_in_the_other_language(french: str) -> None:
    """The blocks to type are the same in both languages, so one of them is tried."""
    said, told = (
        [
            WORDED.sub("", block.text)
            for block in blocks(name)
            if block.language in {"bash", "powershell"}
        ]
        for name in (french.replace(".fr.md", ".md"), french)
    )
    assert said == told


def test_each_block_for_powershell_says_what_the_one_for_bash_says() -> None:
    """A command that works on one system is not misspelt for the other."""
    before = ""
    pairs = 0
    for block in blocks("README.md"):
        if block.language == "powershell":
            expected = before
            for posix, windows in WINDOWS:
                expected = expected.replace(posix, windows)
            assert block.text == expected
            pairs += 1
        before = block.text
    assert pairs >= 2


def test_no_path_of_windows_stands_in_a_block_for_bash() -> None:
    """Pasted into a POSIX shell it would lose its backslashes."""
    for document in DOCUMENTS:
        for block in blocks(document):
            if block.language in {"bash", "sh"}:
                assert not re.search(r"\b[A-Z]:\\|\w\\\w", block.text), block.text


def get_installer(name: str, folder: Path) -> None:
    """Put real pipx or uv into a folder, and nothing else of its environment."""
    folder.mkdir()
    if name == "venv":
        return
    environment = folder.parent / f"of-{name}"
    venv.create(environment)
    python = str(environment / "bin/python")
    pip = [sys.executable, "-m", "pip", "--python", python, "install", "-q", name]
    if subprocess.run(pip, check=False, capture_output=True).returncode:
        if os.environ.get("CI"):
            pytest.fail(f"{name} cannot be installed")
        pytest.skip(f"{name} cannot be installed")
    (folder / name).symlink_to(environment / "bin" / name)


def cache_of_packages() -> dict[str, str]:
    """Return the variables by which installers find what this machine has fetched."""
    kept = {
        k: v for k, v in os.environ.items() if re.match("(PIP|UV|SSL)_|.*_proxy", k)
    }
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return kept | {"PIP_CACHE_DIR": f"{cache}/pip", "UV_CACHE_DIR": f"{cache}/uv"}


@pytest.mark.posix
@pytest.mark.slow
@pytest.mark.sampled(1)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_install_is_followed_by_a_command_that_works(
    way: str, tmp_path: Path
) -> None:
    """From the files alone, with nothing set: install, run the demo, add an extra."""
    folder, home = tmp_path / "clone", tmp_path / "home"
    get_installer(way, installers := tmp_path / "installers")
    clone(folder)
    home.mkdir()
    environ = cache_of_packages() | {
        "PATH": f"{installers}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "SHELL": "/bin/bash",
        "LANGUAGE": "en",
    }
    python = shutil.which("python3")
    if python and "/usr/" not in python:
        (tmp_path / "python").mkdir()
        (tmp_path / "python/python3").symlink_to(python)
        environ["PATH"] = f"{tmp_path / 'python'}:{environ['PATH']}"

    def paste(text: str, shell: str = "-ec") -> str:
        text = text.replace("/srv/scripts", str(tmp_path / "srv"))
        answer = subprocess.run(
            ["bash", shell, text],
            cwd=folder,
            env=environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert answer.returncode == 0, f"{text}\n{answer.stdout}\n{answer.stderr}"
        return answer.stdout

    block, following, extra = ways_to_install(way)
    shown = paste(block)
    if following:
        # A new terminal reads what has been written into the shell's start-up file.
        shown = paste(following, "-ic")
    paste(extra)
    (found,) = (
        path
        for pattern in ("home/.local/share/**/msal", "srv/.venv/lib/**/msal")
        for path in tmp_path.glob(pattern)
    )

    command = re.findall(r"^  (\S*python-runner) run FOLDER", shown, re.MULTILINE)
    assert "sales: import_amounts.py: failed" in shown
    assert command == [
        str(tmp_path / "srv/.venv/bin/python-runner")
        if way == "venv"
        else "python-runner"
    ]
    assert found.is_dir()


# --- commands and options ---

COMMAND = re.compile(r"(?:^|[\s;&(/\\])python-runner(?:\.exe)?((?: +[^;&|]+)?)")
WORD = re.compile(r"[a-z]+")


def mentions() -> dict[str, tuple[str, ...]]:
    """Return each mention of a command: its words, by a name for its case."""
    found = {}
    for document in DOCUMENTS:
        for line in typed(document):
            for match in COMMAND.finditer(" " + line):
                words = tuple(match[1].replace("[", " ").replace("]", " ").split())
                if words and not words[0].startswith(("{", ".", "<")):
                    found[f"{document}:{' '.join(words)}"] = words
    return found


def rows() -> dict[str, tuple[str, ...]]:
    """Return what tables say of a command: it and the options of its row."""
    found = {}
    for document in DOCUMENTS:
        for line in read(document).splitlines():
            if match := re.match(r"\| `python-runner ([a-z]+(?: [a-z]+)?)", line):
                options = re.findall(r"`(--?[a-z][\w-]*)", line)
                key = f"{document}:| {match[1]} {' '.join(options)}"
                found[key] = (*match[1].split(), *options)
    return found


MENTIONS = mentions() | rows()


@cache
def help_of(*command: str) -> str | None:
    """Return what a command's ``--help`` says; None where there is no such command."""
    answer = subprocess.run(
        [sys.executable, "-m", "python_runner", *command, "--help"],
        env=os.environ | {"LANGUAGE": "en", "COLUMNS": "200"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    return answer.stdout if answer.returncode == 0 else None


@pytest.mark.parametrize("case", MENTIONS)
def test_a_command_has_the_options_that_it_is_told_to_have(case: str) -> None:
    """The command exists, and so does each option named with it."""
    words = MENTIONS[case]
    command: list[str] = []
    for word in words[:2]:
        if not WORD.fullmatch(word) or help_of(*command, word) is None:
            break
        command.append(word)
    told = help_of(*command)

    assert told is not None
    assert command or words[0].startswith("-"), f"there is no command {words[0]}"
    for option in re.findall(r"(?<!\S)--?[a-z][\w-]*", " ".join(words)):
        assert re.search(rf"(?<!\S){option}\b", told), f"{option} of {command}"


# --- what can be typed as it stands ---


def lines_to_type() -> dict[str, str]:
    """Return the blocks for a shell of POSIX by the name of a case."""
    return {
        block.name: block.text
        for block in all_blocks()
        if kind_of(block) == "typed" and not why_not_run(block)
    }


TYPED = lines_to_type()


def empty_environment(folder: Path) -> dict[str, str]:
    """Return the environment of somebody for whom nothing is set; commands are there."""
    commands = folder / "commands"
    commands.mkdir()
    starter = commands / "python-runner"
    starter.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m python_runner "$@"\n')
    starter.chmod(0o755)
    home = folder / "home"
    home.mkdir()
    return {
        "PATH": f"{commands}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(home),
        "LANGUAGE": "en",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    }


def projects_named(text: str) -> Iterator[str]:
    """Yield the folders that a text presupposes: those that commands are given."""
    for line in text.splitlines():
        match = re.match(r"\s*python-runner (?:init|check|run) (.*)", line)
        words = match[1].split() if match else []
        for before, word in zip(["", *words], words, strict=False):
            if not word.startswith("-") and before not in {"--recipient", "--only"}:
                yield word


def clone(folder: Path) -> None:
    """Copy this repository's files as somebody gets them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, target)


@pytest.mark.posix
@pytest.mark.timeout(600)
@pytest.mark.parametrize("case", TYPED)
def test_what_is_typed_ends_well(case: str, tmp_path: Path) -> None:
    """Each line of the block, pasted into a shell, ends with 0."""
    text = TYPED[case]
    environ = empty_environment(tmp_path)
    folder = tmp_path / "here"
    folder.mkdir()
    text = text.replace("/srv/scripts", str(folder))
    for name in projects_named(text):
        project = folder / name
        project.mkdir(parents=True, exist_ok=True)
        (project / "main.py").write_text("print('done')\n", encoding="utf-8")
        written = [sys.executable, "-m", "python_runner", "init", str(project)]
        if f"init {name}" not in text:
            subprocess.run(written, env=environ, capture_output=True, check=True)
    answer = subprocess.run(
        ["bash", "-e", "-c", text],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, (
        f"{text}\n{answer.stdout[-800:]}{answer.stderr[-800:]}"
    )


# --- examples of files ---


def examples() -> dict[str, Block]:
    """Return the examples of configuration by the name of a case."""
    return {
        block.name: block
        for block in all_blocks()
        if kind_of(block) in {"json", "toml"}
    }


EXAMPLES = examples()


@pytest.mark.parametrize("case", EXAMPLES)
def test_an_example_is_what_it_shows(case: str, tmp_path: Path) -> None:
    """``check`` accepts it, with all that it names."""
    block = EXAMPLES[case]
    config: dict[str, object] = {
        "scripts": ["main.py"],
        "python_command": None,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    names = ["p"]
    listed: list[str] = []
    if block.language == "toml":
        # Only Windows opens a share by its name.
        text = re.sub(r'(?<=fleet = )"//[^"]*"', json.dumps(str(tmp_path)), block.text)
        (tmp_path / "python-runner.toml").write_text(text, encoding="utf-8")
        listed = tomllib.loads(text).get("projects", [])
        names = [name.replace("*", "one") for name in listed] or names
    else:
        text = block.text.strip()
        config |= json.loads(text if text.startswith("{") else f"{{{text}}}")
        # Examples say nothing of the mailbox.
        config["email_strategy"] = "none"
    for name in names:
        prepare(tmp_path / name, config)
    chosen = [] if listed else names
    answer = subprocess.run(
        [sys.executable, "-m", "python_runner", "check", *chosen],
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )

    assert answer.returncode == 0, f"{block.text}\n{answer.stdout}{answer.stderr}"


def prepare(project: Path, config: dict[str, object]) -> None:
    """Make a project with all that its configuration names."""
    project.mkdir(parents=True)
    scripts = config["scripts"]
    assert isinstance(scripts, list)
    for entry in scripts:
        path = entry["path"] if isinstance(entry, dict) else entry
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).write_text("print('done')\n", encoding="utf-8")
    command = config["python_command"]
    if isinstance(command, str) and "/" in command:
        file = project / shlex.split(command)[0]
        file.parent.mkdir(parents=True, exist_ok=True)
        target = file.with_suffix(".exe") if sys.platform == "win32" else file
        shutil.copy(sys.executable, target)
    (project / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")
