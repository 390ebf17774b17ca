from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.execution.traceback import (
    MAX_EXCEPTION,
    MAX_TEXT,
    read_background_error,
    read_exit_message,
    read_traceback,
)


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Traceback

HEADER = "Traceback (most recent call last):\n"
FRAME = '  File "/p/main.py", line 3, in main\n    1 / 0\n'
PLAIN = f"{HEADER}{FRAME}ZeroDivisionError: division by zero\n"
HANDLED = f'{HEADER}  File "/p/old.py", line 9, in old\n    x\nKeyError: 1\n'
THREAD = f"Exception in thread Thread-1 (work):\n{HANDLED}"
IGNORED = f"Exception ignored in: <function D.__del__ at 0x7f5da8451800>\n{HANDLED}"
LINK = "\nDuring handling of the above exception, another exception occurred:\n\n"
GROUP_3_13 = """\
  + Exception Group Traceback (most recent call last):
  |   File "/p/main.py", line 13, in <module>
  |     main()
  |     ~~~~^^
  |   File "/p/main.py", line 12, in main
  |     raise ExceptionGroup("group", errs) from k
  | ExceptionGroup: group (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/p/lib.py", line 7, in f
    |     try: f(i)
    |          ~^^^
    | ValueError: sub 0
    | second
    | a note
    +---------------- 2 ----------------
    | ValueError: sub 1
    +------------------------------------
"""
FATAL = """\
Fatal Python error: Segmentation fault

Current thread 0x00007f96e8208b80 [MainThread] (most recent call first):
  File "/usr/lib/python3.14/ctypes/__init__.py", line 538 in string_at
  File "/p/seg.py", line 3 in crash
  File "/p/seg.py", line 4 in <module>

Extension modules: _ctypes (total: 1)
"""
FATAL_WINDOWS = """\
Windows fatal exception: access violation

Current thread 0x00000f6c (most recent call first):
  File "/p/a.py", line 2 in <module>
"""
COLOURED = """\
\x1b[1;35mTraceback (most recent call last):\x1b[0m
  File \x1b[35m"/p/m.py"\x1b[0m, line \x1b[35m1\x1b[0m, in x
\x1b[1;35mE\x1b[0m: \x1b[35mm\x1b[0m
"""


def read(text: str, project: str = "/p") -> Traceback:
    """Return the traceback that has to be in ``text``."""
    found = read_traceback(text, project)
    assert found is not None
    return found


@pytest.fixture
def said(tmp_path: Path) -> str:
    """Return the project that :func:`run` uses."""
    return str(tmp_path)


def run(project: str, source: str) -> str:
    """Return what this interpreter prints about a script."""
    script = os.path.join(project, "main.py")  # noqa: PTH118 - a frame's file is text
    with open(script, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(textwrap.dedent(source))
    done = subprocess.run(
        [sys.executable, script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"},
        check=False,
    )
    return done.stdout.decode("utf-8")


# -- the error of a script that Python cannot read ------------------------------------


@pytest.mark.parametrize("name", ["SyntaxError", "IndentationError", "TabError"])
def test_a_script_that_python_cannot_read(name: str) -> None:
    """The error has no header, and may be in the very first line of the output."""
    text = f'  File "/p/main.py", line 2\n    x\n    ^\n{name}: what is wrong\n'
    for before in ("", "said before\n"):
        found = read(before + text)
        assert found.exception == f"{name}: what is wrong"
        assert (found.file, found.line, found.function) == ("main.py", 2, None)
        assert found.text == text.rstrip()


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("if 1:\nx = 1\n", "IndentationError"),
        ("if 1:\n        x = 1\n\ty = 2\n", "TabError"),
        ("x = (\n", "SyntaxError"),
    ],
)
def test_what_this_python_says_of_such_a_script(
    said: str, source: str, name: str
) -> None:
    """Whatever words it has for it."""
    found = read(run(said, source), said)
    assert found.exception.startswith(f"{name}: ")
    assert found.file == "main.py"


# -- what this interpreter really prints -----------------------------------------------


def test_plain(said: str) -> None:
    """A traceback is taken without the output before it."""
    output = run(said, "print('working')\ndef f():\n    {}['x']\nf()\n")
    found = read(output, said)
    assert found.text.startswith(HEADER.strip())
    assert found.text.endswith("KeyError: 'x'")
    assert found.exception == "KeyError: 'x'"
    assert (found.file, found.line, found.function) == ("main.py", 3, "f")
    assert found.fingerprint == "KeyError@main.py:f"


@pytest.mark.parametrize("how", ["raise KeyError(2)", "raise KeyError(2) from e"])
def test_chained(said: str, how: str) -> None:
    """Chained exceptions are one text, and the last one counts."""
    source = f"""
        try:
            try:
                {{}}[0]
            except KeyError as e:
                raise ValueError("one\\ntwo") from e
        except ValueError as e:
            {how}
    """
    found = read("noise\n" + run(said, source), said)
    assert found.text.count(HEADER.strip()) == 3
    assert found.text.startswith(HEADER)
    assert found.exception == "KeyError: 2"
    assert found.line == 8


def test_only_the_chain_that_counts(said: str) -> None:
    """A traceback that was handled before is not part of it."""
    source = """
        import traceback
        try:
            {}[0]
        except KeyError:
            traceback.print_exc()
        1 / 0
    """
    found = read(run(said, source), said)
    assert found.text.count("Traceback") == 1
    assert found.exception == "ZeroDivisionError: division by zero"


def test_group(said: str) -> None:
    """An exception group is taken whole, with the chain that led to it."""
    source = """
        def part(n):
            try:
                raise ValueError(f"sub {n}\\nsecond line")
            except ValueError as e:
                e.add_note("a note")
                return e
        try:
            {}[0]
        except KeyError as e:
            raise ExceptionGroup("many", [part(1), part(2)]) from e
    """
    found = read("before\n" + run(said, source), said)
    assert found.text.startswith(HEADER)
    assert found.text.endswith("+------------------------------------")
    assert found.exception == "ExceptionGroup: many (2 sub-exceptions)"
    assert (found.file, found.function) == ("main.py", "part")


def test_syntax_error(said: str) -> None:
    """A SyntaxError of the script itself has no header, but a place."""
    found = read(run(said, "def f(\n"), said)
    assert found.text.startswith('  File "')
    assert found.exception == "SyntaxError: '(' was never closed"
    assert (found.file, found.line, found.function) == ("main.py", 1, None)


def test_syntax_error_of_a_module(said: str, tmp_path: Path) -> None:
    """A SyntaxError of an imported module has the header of its importer."""
    (tmp_path / "broken.py").write_text("x = (\n", encoding="utf-8")
    found = read(run(said, "import broken\n"), said)
    assert found.text.startswith(HEADER)
    assert found.exception == "SyntaxError: '(' was never closed"
    assert found.file == "broken.py"


def test_notes_and_lines(said: str) -> None:
    """A message of many lines and its notes belong to the traceback."""
    source = """
        e = ValueError("first\\n\\nthird")
        e.add_note("a note\\nof two lines")
        raise e
    """
    found = read(run(said, source), said)
    assert found.exception == "ValueError: first"
    assert found.text.endswith("ValueError: first\n\nthird\na note\nof two lines")


def test_recursion(said: str) -> None:
    """Frames that Python did not repeat are no obstacle."""
    found = read(run(said, "def f(): f()\nf()\n"), said)
    assert "[Previous line repeated" in found.text
    assert found.exception.startswith("RecursionError: maximum recursion depth")


def test_last_frame_inside_the_project(said: str) -> None:
    """The last frame of the project counts, not that of a library below it."""
    found = read(run(said, "import json\n\njson.loads('{')\n"), said)
    assert (found.file, found.line, found.function) == ("main.py", 3, "<module>")


def test_thread_error_at_the_end(said: str) -> None:
    """What fails in a thread after the main thread did is not what counts."""
    source = """
        import threading, time
        def work():
            time.sleep(0.2)
            raise RuntimeError("in a thread")
        threading.Thread(target=work).start()
        raise ValueError("in the main thread")
    """
    found = read(run(said, source), said)
    assert found.exception == "ValueError: in the main thread"
    assert "in a thread" not in found.text


def test_thread_error_alone(said: str) -> None:
    """Where nothing else is said, an error in a thread has to do, with its header."""
    source = """
        import threading
        def work():
            raise RuntimeError("in a thread")
        t = threading.Thread(target=work, name="Loader")
        t.start()
        t.join()
        raise SystemExit(1)
    """
    found = read(run(said, source), said)
    assert found.text.startswith("Exception in thread Loader")
    assert found.exception == "RuntimeError: in a thread"


# -- texts of other interpreters and systems -------------------------------------------


@pytest.mark.parametrize(
    ("text", "exception", "place"),
    [
        (GROUP_3_13, "ExceptionGroup: group (2 sub-exceptions)", ("lib.py", 7)),
        (FATAL, "Fatal Python error: Segmentation fault", ("seg.py", 3)),
        (
            FATAL_WINDOWS,
            "Windows fatal exception: access violation",
            ("a.py", 2),
        ),
        (
            COLOURED,
            "E: m",
            ("m.py", 1),
        ),
        (PLAIN.replace("\n", "\r\n"), "ZeroDivisionError: division by zero", None),
        (f"working... {PLAIN}", "ZeroDivisionError: division by zero", None),
        (f"{PLAIN}\n\n  \n", "ZeroDivisionError: division by zero", None),
        (f"{PLAIN}{IGNORED}{THREAD}", "ZeroDivisionError: division by zero", None),
        (f"{HANDLED}go on\n{PLAIN}", "ZeroDivisionError: division by zero", None),
        (f"{LINK}{PLAIN}", "ZeroDivisionError: division by zero", None),
        (f"{FATAL}{PLAIN}", "ZeroDivisionError: division by zero", None),
    ],
    ids=[
        "group-3.13",
        "fatal",
        "fatal-windows",
        "colours",
        "crlf",
        "unfinished-line",
        "blank-lines",
        "background",
        "handled",
        "link-to-nothing",
        "fatal-before",
    ],
)
def test_texts(text: str, exception: str, place: tuple[str, int] | None) -> None:
    """Every form of a traceback is understood."""
    found = read(f"some output\n{text}")
    assert found.exception == exception
    assert (found.file, found.line) == (place or ("main.py", 3))
    assert not found.text.startswith("some output")
    assert "\x1b" not in found.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "all well\n",
        "Traceback (most recent call last):\n",
        f"{HEADER}{FRAME}",
        f"{HEADER}ValueError: no frames\n",
        f"{HEADER}{FRAME}\n",
        "  + Exception Group Traceback (most recent call last):\n",
        '  File "x.py", line 1\n',
        '  File "x.py", line 1\n    code\nnot a syntax error\n',
        "a fatal accident\n",
        HANDLED + "ordinary output\n" * 60,
        GROUP_3_13 + "ordinary output\n" * 60,
    ],
)
def test_no_traceback(text: str) -> None:
    """Ordinary output is not taken for a traceback, nor is half of one."""
    assert read_traceback(text, "/p") is None


def test_exact() -> None:
    """Where nothing may follow, a single line is too much."""
    assert read_traceback(PLAIN, "/p", exact=True) is not None
    assert read_traceback(f"{PLAIN}done\n", "/p", exact=True) is None


@pytest.mark.parametrize(
    ("project", "file", "expected"),
    [
        ("/p", "/p/sub/a.py", "sub/a.py"),
        ("/p/", "/p/sub/../a.py", "a.py"),
        ("/", "/a.py", "a.py"),
        ("/p", "/pq/a.py", None),
        ("/p", "/p/.venv/lib/python3.11/site-packages/x.py", None),
        ("/p", "/p/env/lib/site-packages/x.py", None),
        ("/p", "<string>", None),
        ("/p", "<frozen importlib._bootstrap>", None),
        ("C:\\Jobs", "c:\\jobs\\Sub\\a.py", "Sub/a.py"),
        ("C:\\Jobs", "C:/Jobs/a.py", "a.py"),
        ("\\\\srv\\share", "\\\\srv\\share\\a.py", "a.py"),
        ("C:\\Jobs", "D:\\Jobs\\a.py", None),
    ],
)
def test_project_frames(project: str, file: str, expected: str | None) -> None:
    """A frame's file is told relative to the project, libraries aside."""
    text = f'{HEADER}  File "{file}", line 7, in f\n    x\nE: m\n'
    found = read(text, project)
    assert found.file == expected
    assert (found.line, found.function) == ((7, "f") if expected else (None, None))


def test_a_relative_frame_is_the_projects_where_its_file_is_there(
    tmp_path: Path,
) -> None:
    """A script may be compiled under a short name."""
    (tmp_path / "a.py").write_text("x\n", "utf-8")
    found = read(f'{HEADER}  File "a.py", line 7, in f\n    x\nE: m\n', str(tmp_path))
    assert (found.file, found.line) == ("a.py", 7)


@pytest.mark.xfail(
    strict=True, reason="a relative frame counts as the project's without a look"
)
def test_a_relative_frame_of_a_library_is_none_of_the_project(tmp_path: Path) -> None:
    """Compiled libraries name their own sources, relative to where they were built."""
    (tmp_path / "a.py").write_text("x\n", "utf-8")
    text = (
        f'{HEADER}  File "{tmp_path / "a.py"}", line 3, in load\n'
        '  File "pandas/_libs/parsers.pyx", line 4400, in raise_parser_error\n'
        "ParserError: Expected 3 fields\n"
    )
    found = read(text, str(tmp_path))
    assert (found.file, found.line, found.function) == ("a.py", 3, "load")


def test_several_names_of_the_project() -> None:
    """A project that is reached by a link has two names."""
    found = read_traceback(PLAIN, "/link", "/p")
    assert found is not None
    assert found.file == "main.py"


def test_bounds() -> None:
    """Neither the text nor the line of the exception grows without end."""
    found = read(f"{HEADER}{FRAME}ValueError: {'x' * 200_000}\nlast line\n")
    assert len(found.text) <= MAX_TEXT
    assert found.text.startswith(HEADER)
    assert " characters left out ...]\n" in found.text
    assert found.text.endswith("\nlast line")
    assert len(found.exception) == MAX_EXCEPTION
    assert found.exception.startswith("ValueError: xxx")


# -- errors that end no script ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{THREAD}goes on\n" * 2 + "and on\n" * 100, "KeyError: 1"),
        (f"{IGNORED}goes on\n", "KeyError: 1"),
        (f"Error in atexit._run_exitfuncs:\n{PLAIN}", "ZeroDivisionError"),
        (
            f"Task exception was never retrieved\nfuture: <Task>\n{PLAIN}goes on\n",
            "ZeroDivisionError",
        ),
        (f"{THREAD}goes on\n{PLAIN}", "ZeroDivisionError"),
        (f"{THREAD}{PLAIN}handled\n", "KeyError: 1"),
        (f"{PLAIN}handled\n", None),
        ("all well\n", None),
    ],
)
def test_background_error(text: str, expected: str | None) -> None:
    """What Python reports without an exit code is found anywhere in the output."""
    found = read_background_error(text, "/p")
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.exception.startswith(expected)
        assert "goes on" not in found.text


# -- sys.exit with a message -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no access\n", "no access"),
        ("working\n\nno access\nask Anna\n\n", "no access\nask Anna"),
        ("1\n2\n3\n4\n5\n6\n7", "3\n4\n5\n6\n7"),
        ("\x1b[31mred\x1b[0m\r\n", "red"),
    ],
)
def test_exit_message(text: str, expected: str) -> None:
    """The last lines of the last paragraph are the message."""
    found = read_exit_message(text)
    assert found is not None
    assert found.text == expected
    assert found.exception in expected.splitlines()
    assert found.file is None


@pytest.mark.xfail(strict=True, reason="the last line is taken, not the headline")
@pytest.mark.parametrize(
    ("text", "headline"),
    [
        ("Cannot reach the server\nplease check\n", "Cannot reach the server"),
        ("working\n\nno access\nask Anna\n\n", "no access"),
    ],
)
def test_the_first_line_of_an_exit_message_names_the_trouble(
    text: str, headline: str
) -> None:
    """People write what is wrong first, and what to do about it below."""
    found = read_exit_message(text)
    assert found is not None
    assert found.exception == headline


def test_no_exit_message() -> None:
    """No output, no message."""
    assert read_exit_message("\n \n") is None


# -- anything --------------------------------------------------------------------------

PIECES = st.sampled_from(
    [
        HEADER,
        FRAME,
        PLAIN,
        THREAD,
        GROUP_3_13,
        FATAL,
        "  | x\n",
        "  + Exception Group Traceback (most recent call last):\n",
        '  File "x", line 1\n',
        "SyntaxError: x\n",
        LINK,
        "\n",
        "x\n",
        "\x1b[",
        "\x1b]",
        "Process Process-1:\n",
        "Process SpawnPoolWorker-2:\n",
        "--- Logging error ---\n",
        "Call stack:\n" + FRAME,
        "Message: 'x'\nArguments: (1,)\n",
        IGNORED,
        f"{HEADER}{FRAME}E: m\n" + "a line of the message\n" * 60,
        "╭───── Traceback (most recent call last) ─────╮\n",
        "│ /p/main.py:3 in main                        │\n",
        "╰─────────────────────────────────────────────╯\n",
        "Exception Group Traceback (most recent call last):\n",
        "    ~~^~~\n",
    ]
)


@given(st.lists(PIECES | st.text()).map("".join))
def test_never_raises(text: str) -> None:
    """Whatever a script prints, reading it raises nothing and invents nothing."""
    for found in (
        read_traceback(text, "/p"),
        read_traceback(text, "/p", exact=True),
        read_background_error(text, "/p"),
        read_exit_message(text),
    ):
        if found is not None:
            assert found.exception
            assert len(found.text) <= MAX_TEXT
            assert set(found.text) <= set(text)
            # Without what colours it, one line of the text is the exception.
            assert found.exception.rstrip("…") in found.text
            if found.file:
                assert f'{found.file}", line {found.line}' in text


@pytest.mark.portable("reading a text costs the same steps everywhere")
@pytest.mark.parametrize(
    "line",
    [
        "x\n",
        '  File "x", line 1\n',
        '  File "x", line 1\nSyntaxError: x\n',
        HEADER,
        f"  {HEADER}",
        THREAD,
        GROUP_3_13.splitlines(keepends=True)[0],
        FATAL,
        LINK,
        "\x1b]x",
        "\x1b[0m",
        "  | x\n",
    ],
)
def test_fast(line: str) -> None:
    """The largest output that is looked at takes a moment, not minutes."""
    text = line * (1024 * 1024 // len(line))
    begin = time.process_time()
    read_traceback(text, "/p")
    read_background_error(text, "/p")
    read_exit_message(text)
    assert time.process_time() - begin < 15.0
