from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import on_terminal


if TYPE_CHECKING:
    from tests.support import MakeProject

pytestmark = [
    pytest.mark.posix,
    pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal"),
]
COLOUR = re.compile(r"\x1b\[[0-9;]*3[1-7][0-9;]*m")
SEQUENCE = re.compile(r"\x1b\[[0-9;]*m")
PAUSE = "import time; time.sleep(0.6)"


def test_a_terminal_shows_what_runs_and_marks_what_is_done(
    make_project: MakeProject,
) -> None:
    """The running script with time and count moves; results stay, with their marks."""
    folder = make_project(sources={"good.py": PAUSE, "bad.py": PAUSE + "; 1/0"})

    code, text = on_terminal("run", folder)

    assert code == 1
    assert re.search(r"0\.\d+ s.*good\.py.*0/2", text)
    assert re.search(r"0\.\d+ s.*bad\.py.*1/2", text)
    assert "✓" in text
    assert "✗" in text
    assert "ZeroDivisionError: division by zero" in text
    assert COLOUR.search(text)


def test_no_color_is_respected(make_project: MakeProject) -> None:
    """NO_COLOR keeps the view and drops the colours."""
    _code, text = on_terminal("run", make_project(), NO_COLOR="1")

    assert "✓" in text
    assert not COLOUR.search(text)


def test_a_dumb_terminal_gets_plain_lines(make_project: MakeProject) -> None:
    """Without cursor control there are only lines."""
    _code, text = on_terminal("run", make_project(), TERM="dumb")

    assert "project_1: main.py: succeeded" in text
    assert "\x1b" not in text


def test_marks_fit_the_terminals_encoding(make_project: MakeProject) -> None:
    """Where a tick cannot be written there is a plus."""
    _code, text = on_terminal("run", make_project(), PYTHONIOENCODING="ascii")

    assert "+" in text
    assert "main.py" in text


def test_history_is_a_table_that_cuts_nothing(
    make_project: MakeProject,
) -> None:
    """The status is red, and nothing else; a narrow terminal loses no letter."""
    folder = make_project("a-project-with-a-long-name", sources={"bad.py": "1/0"})
    on_terminal("run", folder)

    code, wide = on_terminal("history", COLUMNS="150")
    _code, narrow = on_terminal("history", COLUMNS="70")

    assert code == 0
    assert COLOUR.search(wide)
    assert "\x1b[31mfailed\x1b[0m" in wide
    assert wide.count("\x1b[31m") == 1
    wide, narrow = (SEQUENCE.sub("", text) for text in (wide, narrow))
    for text in (wide, narrow):
        assert re.search(r"[0-9a-f]{7} .*a-project-with-a-long-name", text)
        assert "bad.py: ZeroDivisionError: division by zero (bad.py:1)" in text
    assert "…" not in wide + narrow


def test_a_narrow_history_breaks_no_word(make_project: MakeProject) -> None:
    """A status is a word, a number stays with its unit: the name gives way."""
    folder = make_project("a-project-with-a-long-name", sources={"bad.py": "1/0"})
    on_terminal("run", folder)

    _code, narrow = on_terminal("history", COLUMNS="60")

    narrow = SEQUENCE.sub("", narrow)
    assert re.search(r"\bfailed\b", narrow)
    assert re.search(r"\b\d\.\d+ s\b", narrow)


DEAF = (
    "import pathlib, signal, time\n"
    "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
    "pathlib.Path('up').touch()\n"
    "time.sleep(120)\n"
)


@pytest.mark.slow
def test_a_second_ctrl_c_kills_and_all_is_told(make_project: MakeProject) -> None:
    """The first is answered at once; the projects that had not begun mail nobody."""
    rest = {f"s{number}.py": "" for number in range(4)}
    first = make_project("deaf", {"deaf.py": DEAF, **rest})
    second = make_project("other", recipients=["a@example.org"], email_strategy="all")
    mail = first.parent / "mail"

    def type_when(text: str) -> bytes:
        if "again to kill" in text:
            return b"\x03" if text.count("\x03") < 2 else b""
        return b"\x03" if (first / "up").exists() and "\x03" not in text else b""

    code, text = on_terminal(
        *("run", first, second),
        answer=type_when,
        MAIL_TRANSPORT="file",
        MAIL_FROM="r@example.org",
        MAIL_DIR=str(mail),
        LINES="30",
    )

    text = SEQUENCE.sub("", text)
    assert code == 130
    assert "stopping 1 script, again to kill" in text
    assert "killing 1 script" in text
    assert "deaf: stopped · 1 stopped, 4 not started" in text
    assert "not started: other" in text
    assert "2 projects · 1 stopped, 1 not started" in text
    assert not mail.exists() or not list(mail.iterdir())
    log = (first / "logs" / "deaf.log").read_text("utf-8").splitlines()
    levels = [line.split(" - ")[1] for line in log]
    assert levels == ["ERROR", *["WARNING"] * 4]


def test_the_line_below_a_failure_can_be_pasted(make_project: MakeProject) -> None:
    """It shows the output of the script that failed."""
    folder = make_project(sources={"a b.py": "print('its output'); 1/0"})
    _code, text = on_terminal("run", folder)

    pasted = re.search(
        r"^ *(.* output [0-9a-f]{7} 'a b.py')\s*$", SEQUENCE.sub("", text), re.MULTILINE
    )
    assert pasted
    done = subprocess.run(
        ["sh", "-c", pasted[1]], capture_output=True, text=True, check=False
    )
    assert "its output" in done.stdout
