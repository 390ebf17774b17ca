"""No text of a stranger costs more than its length, or ends in anything but a sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.config.project import problems_of
from python_runner.files import current_folder
from python_runner.takeover.configuration import configuration
from python_runner.takeover.crontab import entries, take_entry
from python_runner.takeover.decoding import decoded
from python_runner.takeover.task_xml import NoTask, read_task
from tests.support import examples
from tests.takeover.support import here, take_batch, take_shell


if TYPE_CHECKING:
    from python_runner.takeover.facts import Taken


pytestmark = pytest.mark.portable("texts are read, and nothing else")

#: What a file of each kind is made of.
PIECES = [
    *("python", "py -3.12", "a.py", "b c.py", '"', "'", "%", "%~dp0", "%1", "%%f", "^"),
    *("\n", "\n", " ", " ", "&&", "||", "|", "&", ";", "(", ")", "{", "}", "<", ">>"),
    *("if", "else", "fi", "then", "for", "do", "done", "case", "esac", "in", "goto x"),
    *(":x", "call", "call :x", "call x.bat", "exit /b 1", "errorlevel 1", "set X=1"),
    *("set -e", "export A=b", "$A", "${A:-x}", "$(", "`", "$((1", "<<EOF", "EOF", "#"),
    *("* * * * *", "@daily", "MAILTO=a@b.org", "f() {", "f", "cd", "start", "cmd /c"),
    *("timeout 5", "flock", "sudo -u", "env", "bash -c", "conda activate", "\\", "é"),
    *("uv run", "pipenv run", "-m", "-c", "\x00", "\ud800", "\ue000", "source", "x.sh"),
]


def judge(taken: Taken) -> None:
    """What is made of an entry is accepted, unless it holds no script."""
    keys = configuration(taken, here()).keys
    required = {
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
    }
    problems = problems_of(current_folder(), required | keys)
    # What no file and no program can hold is refused in a sentence, and not written.
    for problem in problems:
        assert "\\x00" in str(keys) or "\\ud800" in ascii(keys), (problem, keys)


@given(st.lists(st.sampled_from(PIECES), max_size=60).map("".join))
@examples(300)
def test_any_text_is_read_to_its_end(text: str) -> None:
    """Whatever the pieces and their order, in each of the languages."""
    judge(take_batch(text))
    judge(take_shell(text))
    for entry in entries(text):
        variables = {"HOME": "/home/ann"}
        judge(take_entry(entry, variables=variables, read=lambda _: None))


@given(st.binary(max_size=300))
@examples(100)
def test_any_bytes_are_a_text(data: bytes) -> None:
    """No encoding ends the command."""
    assert isinstance(decoded(data), str)


@given(st.text(max_size=200))
@examples(100)
def test_any_text_is_a_task_or_none(text: str) -> None:
    """The parser's own errors become a sentence."""
    with pytest.raises(NoTask):
        read_task(text, variables={}, read=lambda _: None)


@pytest.mark.parametrize(
    "text",
    [
        '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><Task>&b;</Task>',
        '<?xml version="1.0"?><!DOCTYPE Task SYSTEM "file:///etc/passwd"><Task/>',
        "<!doctype Task><Task/>",
        "<Task>" + "<a>" * 6000,
        "<Task>" + "<a/>" * 6000 + "</Task>",
        "<html></html>",
        "<Tasks><Task/><Task/></Tasks>",
        "",
        "not xml",
    ],
)
def test_a_bomb_or_another_document_is_refused(text: str) -> None:
    """Entities, depth and size: said, and nothing is expanded."""
    with pytest.raises(NoTask) as refusal:
        read_task(text, variables={}, read=lambda _: None)

    assert len(str(refusal.value)) < 300


@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "python a.py" + ")" * 5000,
        "if x (\n" * 3000 + "python a.py",
        "call :a\n:a\ncall :a\ncall :a\n" * 50,
        "cmd /c " * 3000 + "python a.py",
        "set A=%A%%A%%A%%A%x\n" * 60 + "python a.py %A%",
        'if "%1"=="" ' * 2000 + "python a.py",
        "^\n" * 5000,
        '"' * 5001,
    ],
)
@pytest.mark.timeout(60)
def test_a_batch_file_that_grows_ends(text: str) -> None:
    """Depth, repetition and values that double are bounded."""
    judge(take_batch(text))


@pytest.mark.timeout(60)
@pytest.mark.parametrize(
    "text",
    [
        "(" * 5000 + "python a.py" + ")" * 5000,
        "{ " * 3000 + "python a.py",
        "if true; then " * 3000 + "python a.py",
        "f() { f; f; }; f",
        "f() { g; g; }\ng() { f; f; }\nf",
        "A=x\n" + "A=$A$A$A$A\n" * 60 + "python a.py $A",
        "$(" * 3000,
        "${a:-" * 3000,
        "bash -c " * 500 + "'python a.py'",
        "nice " * 5000 + "python a.py",
    ],
)
def test_a_shell_script_that_grows_ends(text: str) -> None:
    """The same for shells."""
    judge(take_shell(text))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("é".encode("utf-8-sig"), "é"),
        ("é".encode("utf-16"), "é"),
        ("python a.py é".encode("utf-16-le"), "python a.py é"),
        ("python é.py".encode("cp1252"), "python é.py"),
        ("python é.py".encode("cp850"), "python é.py"),
        ("été à l'hôtel, ça va".encode("cp850"), "été à l'hôtel, ça va"),
        ("été à l'hôtel, ça va".encode("cp1252"), "été à l'hôtel, ça va"),
        ("chcp 850\r\nÉ".encode("cp850"), "chcp 850\nÉ"),
        (b"a\r\nb", "a\nb"),
    ],
)
def test_encodings(data: bytes, text: str) -> None:
    """What editors have saved in thirty years."""
    assert decoded(data) == text
