"""Every block of code in the documents, in both languages, is tried or has a reason."""

from __future__ import annotations

import email
import email.policy
import json
import re
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from python_runner.config.env_file import parse_env
from python_runner.config.settings import mail_settings
from python_runner.records.log_line import format_log_line, parse_log_line
from tests.documents import DOCUMENTS, NOT_RUN, all_blocks, blocks, kind_of, why_not_run
from tests.support import GOOD


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.documents import Block
    from tests.support import MakeProject, MakeResult, MakeRun

pytestmark = pytest.mark.source

#: Types a command in a language, and returns what it says.
Run = Callable[[str, str], str]

BLOCKS = list(all_blocks())
SESSIONS = [
    document
    for document in DOCUMENTS
    if any(block.language == "console" for block in blocks(document))
]


def of_kind(kind: str) -> pytest.MarkDecorator:
    """Return the cases of a test: the blocks of a kind that run."""
    found = [b for b in BLOCKS if kind_of(b) == kind and not why_not_run(b)]
    return pytest.mark.parametrize("block", found, ids=[block.name for block in found])


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: block.name)
def test_a_block_is_tried_or_has_its_reason(block: Block) -> None:
    """One that a test knows as nothing, and that has no reason, is one that nobody tries."""
    assert why_not_run(block) or kind_of(block), f"what is this?\n{block.text}"


@pytest.mark.parametrize("pattern", [pattern for pattern, _why in NOT_RUN])
def test_each_reason_is_needed(pattern: str) -> None:
    """A line of the table is about a block that is there, in both languages if it is."""
    assert any(
        re.match(pattern, f"{block.language}\n{block.text}", re.DOTALL)
        for block in BLOCKS
    )


@of_kind("env")
def test_variables_are_taken(block: Block, tmp_path: Path) -> None:
    """Each line sets something, and what it sets for emails is right."""
    found = parse_env(block.text, tmp_path / ".env", {"HOME": str(tmp_path)})
    # In the place of what the reader copies from Microsoft's pages.
    variables = {
        name: "00000000-0000-0000-0000-000000000000" if name.endswith("_ID") else value
        for name, value in found.variables.items()
    }

    assert found.warnings == ()
    assert found.variables
    assert mail_settings(variables).problems == ()


@of_kind("log")
def test_a_log_line_can_be_read(block: Block) -> None:
    """As it is shown, it is what is written for what it says."""
    for line in block.text.splitlines():
        read = parse_log_line(line)
        assert read
        assert format_log_line(read) == line


@of_kind("keys")
def test_the_keys_of_the_document_are_those_that_it_has(
    block: Block, make_run: MakeRun, make_result: MakeResult
) -> None:
    """All of a run's and all of a script's, in their order."""
    run = make_run(scripts=(make_result(),))
    document = {"runs": [run.to_document()]}

    said = re.findall(r'"(\w+)"', block.text)
    assert said == re.findall(r'"(\w+)":', json.dumps(document))


@of_kind("python")
def test_a_program_runs(
    block: Block,
    make_project: MakeProject,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With projects in the place of the reader's."""
    monkeypatch.chdir(tmp_path)
    named = set(re.findall(r"C:\\Scripts\\(\w+)", block.text))
    for name in named:
        make_project(name, {"main.py": GOOD})
    text = re.sub(r"C:\\Scripts\\(\w+)", lambda m: str(tmp_path / m[1]), block.text)

    exec(compile(text, block.name, "exec"), {})  # noqa: S102 - what readers do

    for name in named:
        assert (
            (tmp_path / name / f"logs/{name}.log")
            .read_text("utf-8")
            .endswith("success\n")
        )


# --- sessions: pages that one reads with a terminal beside them ---


def commands_of(block: Block) -> Iterator[tuple[str, str]]:
    """Yield each command that is typed, and what is shown below it."""
    for step in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]:
        command, _, shown = step.partition("\n")
        yield command, shown


def is_shown(said: str, shown: str) -> bool:
    """Say whether a page shows a text: ``…`` is anything of a line, alone any lines."""
    pattern = ""
    for line in shown.rstrip("\n").split("\n"):
        if line == "…":
            pattern += r"(?:.*\n)*"
        else:
            # Columns are as wide as their longest value, which may be left out.
            parts = re.sub(r"(?:\\ )+", "[ \u00a0]+", re.escape(line)).split("…")
            pattern += ".*".join(parts) + r"\n"
    return bool(re.fullmatch(pattern, said.rstrip("\n") + "\n"))


@pytest.fixture
def run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Run:
    """Return a function that tells what a command says, typed in a folder of its own."""
    monkeypatch.chdir(tmp_path)

    def typed(command: str, language: str) -> str:
        monkeypatch.setenv("LANGUAGE", language)
        program, *arguments = command.split()
        assert program == "python-runner"
        monkeypatch.setattr(sys, "argv", [program])
        capfd.readouterr()
        run_app(arguments)
        said = "".join(capfd.readouterr())
        warned = r"^(?:warning|avertissement).* root.*\n"
        return re.sub(warned, "", said, flags=re.MULTILINE)

    return typed


@pytest.mark.parametrize("document", SESSIONS)
def test_a_session_goes_as_it_is_shown(document: str, run: Run, tmp_path: Path) -> None:
    """Files are written, commands typed, and what they say is what the page shows."""
    language = "fr" if document.endswith(".fr.md") else "en"
    for block in blocks(document):
        if block.file and kind_of(block) == "session" and block.language != "console":
            target = tmp_path / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "console":
            for command, shown in commands_of(block):
                make_missing_project(command, tmp_path)
                said = run(command, language)
                assert is_shown(said, shown), f"{command}\n{said}"
        elif kind_of(block) == "subject":
            assert any(is_shown(each, block.text) for each in subjects(tmp_path))


def make_missing_project(command: str, folder: Path) -> None:
    """Make a project that a page takes for granted."""
    project = folder / command.rsplit(maxsplit=1)[-1]
    if not project.exists() and " check " in command:
        project.mkdir()
        (project / "main.py").write_text(GOOD, encoding="utf-8")
        run_app(["init", str(project)])


def subjects(folder: Path) -> Iterator[str]:
    """Yield the subjects of the emails that became files."""
    for path in (folder / "mails").glob("*.eml"):
        mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        yield str(mail["Subject"])


def test_what_is_left_out_is_all_that_may_differ() -> None:
    """The comparison finds a missing line, another word and a line too many."""
    assert is_shown("a 0,04 s\nb\n", "a …\nb\n")
    assert is_shown("a\nb\nc\nd", "a\n…\nd")
    assert is_shown("a  b", "a b")
    assert not is_shown("a 1\nc", "a …\nb")
    assert not is_shown("a 1\nb\nc", "a …\nb")
    assert not is_shown("a 1\nx\nb", "a …\nb")
    assert not is_shown("a\nb", "a\n…\nc")
