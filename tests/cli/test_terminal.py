from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING

import pytest

from python_runner.cli.app import run_app
from tests.cli.terminal import on_terminal
from tests.support import Cli, MakeProject, last_run_id


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform == "win32", reason="no file has such names there"),
]
#: What a terminal obeys: title, clipboard, colours, one-byte sequences, directions.
HOSTILE = "\x1b]0;PWNED\x07\x1b[31m\x9b2J\x9d0;x\x9c\u202egpj\u2066\u200f\x7f\x08\r\nforged: ok"
OBEYED = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"
)
SCRIPT = f"print({HOSTILE!r}); print('\\x1b[32mgreen')"


@pytest.fixture
def hostile(
    make_project: MakeProject, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return a project with such a name, one of whose scripts has one as well."""
    script = f"s{HOSTILE}.py"
    folder = make_project(
        f"p{HOSTILE}",
        sources={script: SCRIPT, "bad.py": f"raise KeyError({HOSTILE!r})"},
        recipients=["ann@example.org"],
        email_strategy="all",
    )
    wrong = folder.parent / f"wrong{HOSTILE}"
    wrong.mkdir()
    config = {"scripts": [script], f"k{HOSTILE}": 1, "email_strategy": HOSTILE}
    (wrong / "exec_config.json").write_text(json.dumps(config), "utf-8")
    empty = folder.parent / f"empty{HOSTILE}"
    empty.mkdir()
    (empty / script).touch()
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(folder.parent / "missing" / HOSTILE))
    monkeypatch.setenv("MAIL_FROM", "ann@example.org")
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(folder.parent)
    cli("run", "-q", folder)
    return folder


#: Commands that only read, and so may run inside the tests' own process.
READING: dict[str, Callable[[str, str], list[str]]] = {
    "dry-run": lambda p, _: ["run", "--dry-run", p],
    "dry-run-wrong": lambda p, _: ["run", "--dry-run", f"wrong{p[1:]}"],
    "check": lambda p, _: ["check", p],
    "check-json": lambda p, _: ["check", "--json", p],
    "check-wrong": lambda p, _: ["check", f"wrong{p[1:]}"],
    "check-nowhere": lambda p, _: ["check", f"nowhere{p[1:]}"],
    "history": lambda p, _: ["history", p],
    "history-all": lambda _p, _: ["history", "--json"],
    "history-nothing": lambda p, _: ["history", f"empty{p[1:]}"],
    "history-nowhere": lambda p, _: ["history", f"nowhere{p[1:]}"],
    "show": lambda _, r: ["show", r],
    "show-json": lambda _, r: ["show", "--json", r],
    "show-page": lambda p, r: ["show", "--html", f"{p}.html", r],
    "show-page-nowhere": lambda p, r: ["show", "--html", f"nowhere{p}/x", r],
    "show-unknown": lambda p, _: ["show", p],
    "output-unknown": lambda p, r: ["output", r, p],
    "logs": lambda p, _: ["logs", p],
    "logs-none": lambda p, _: ["logs", f"empty{p[1:]}"],
    "logs-nowhere": lambda p, _: ["logs", f"nowhere{p[1:]}"],
    "mail-list": lambda *_: ["mail", "list", "--all"],
    "mail-show": lambda *_: ["mail", "show", "1"],
    "mail-flush": lambda *_: ["mail", "flush"],
    "mail-drop": lambda *_: ["mail", "drop", "1"],
    "mail-test": lambda *_: ["mail", "test"],
    "mail-channels": lambda p, _: ["mail", "test", "--channels", p],
    "init": lambda p, _: ["init", f"empty{p[1:]}"],
    "init-again": lambda p, _: ["init", p],
    "backup": lambda p, _: ["backup", f"b{p}"],
    "backup-again": lambda p, _: ["backup", f"{p}/exec_config.json"],
    "env-file": lambda p, _: ["check", "--env-file", p, p],
    "no-command": lambda p, _: [p],
    "no-option": lambda p, _: ["run", f"--{p}"],
    "no-project": lambda p, _: ["run", f"nowhere{p[1:]}", "--only", "x", "--dry-run"],
    "completion": lambda p, _: ["completion", p],
}

SGR = re.compile(r"\x1b\[[0-9;:]*m")


@pytest.mark.fault(
    "files",
    "A file's name holds a terminal's escape sequences",
    "No command passes them on.",
)
def test_no_name_is_obeyed_by_the_terminal(
    hostile: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Names of folders, files, scripts and keys are cleaned, whatever the command."""
    run_id = last_run_id()
    found: dict[str, tuple[object, str]] = {}
    for name, arguments in READING.items():
        run_app(arguments(hostile.name, run_id))
        written = capfd.readouterr()
        for text in written:
            if obeyed := OBEYED.findall(text):
                found[name] = (obeyed, text)
            # Whoever takes the arguments apart tells them as they are typed.
            if "forged: ok" in text.splitlines():
                found[name] = ("a line", text)
        assert any(written), name

    assert found == {}


@pytest.mark.fault(
    "files",
    "A script prints a terminal's escape sequences",
    "Only colours reach the terminal.",
)
def test_of_the_output_only_colours_reach_the_terminal(
    hostile: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The title and the clipboard are no script's; its colours end with it."""
    del hostile
    run_app(["output", last_run_id()])
    text = capfd.readouterr().out

    assert SGR.findall(text) == [
        "\x1b[31m",
        "\x1b[32m",
        "\x1b[0m",
        "\x1b[31m",
        "\x1b[0m",
    ]
    assert OBEYED.findall(SGR.sub("", text)) == []


@pytest.mark.parametrize("options", [["-v"], ["--json", "-v"], ["--resume"]])
def test_a_run_into_a_pipe_has_no_colours(
    hostile: Path, cli: Cli, options: list[str]
) -> None:
    """Names and output are cleaned there as well."""
    done = cli("run", *options, hostile.name)

    assert done.returncode == 1
    for text in (done.stdout, done.stderr):
        assert OBEYED.findall(text) == []
        assert "forged: ok" not in text.splitlines()


@pytest.mark.parametrize("options", [["-v"], []])
def test_a_run_on_a_terminal_has_colours_alone(
    hostile: Path, options: list[str]
) -> None:
    """Each line of a script ends with the colours it began with: none."""
    _code, text = on_terminal("run", *options, hostile.name)

    if options:
        lines = [line for line in text.splitlines() if "green" in line]
        assert all(line.endswith("\x1b[32mgreen\x1b[0m") for line in lines)
        assert lines
        # What moves is wiped before the next line is printed.
        text = SGR.sub("", re.sub(r"\x1b\[\d+A\r\x1b\[J", "", text))
        assert OBEYED.findall(text.replace("\r\n", "\n")) == []
    assert not re.search("\x1b\\]|[\x07\x7f-\x9f\u200f\u202e\u2066]", text)
