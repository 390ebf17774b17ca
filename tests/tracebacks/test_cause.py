from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.texts.carriage_returns import settled
from python_runner.tracebacks.cause import (
    MAX_EXCEPTION,
    MAX_TEXT,
    read_background_errors,
    read_cause,
)
from python_runner.tracebacks.endings import Beside, Cause, Ending
from python_runner.tracebacks.place import Project, inside
from python_runner.tracebacks.source import read_source


if TYPE_CHECKING:
    from pathlib import Path

    from python_runner.model import Traceback

HEADER = "Traceback (most recent call last):\n"
FRAME = '  File "/p/main.py", line 3, in main\n    1 / 0\n'
DIVISION = "ZeroDivisionError: division by zero"
MODULE = '  File "/p/main.py", line 9, in <module>\n    main()\n'
PLAIN = f"{HEADER}{MODULE}{FRAME}{DIVISION}\n"
CHILD = f"""\
{HEADER}  File "/usr/lib/python3.13/multiprocessing/process.py", line 313, in _bootstrap
    self.run()
  File "/p/main.py", line 4, in work
    raise OSError("no share")
OSError: no share
"""
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
INFO = "2026-11-26 05:17:15 [INFO] closed\n"
ERROR = "2026-11-26 05:17:15 [ERROR] no access\n"
WARNED = "/p/a.py:254: UserWarning: old\n  warnings.warn('no access')\n"
COPIED = """\
/p/a.py:3: SettingWithCopyWarning:\x20
A value is trying to be set on a copy of a slice from a DataFrame.
Try using .loc[row_indexer,col_indexer] = value instead

See the caveats in the documentation: https://pandas.pydata.org/
  part["b"] = 1
"""
ALLOCATED = (
    "ResourceWarning: Enable tracemalloc to get the object allocation traceback\n"
)
#: An exception and its cause, as structlog takes them to pieces.
PIECES_OF_TWO = [
    {
        "exc_type": kind,
        "exc_value": "1",
        "is_cause": bool(number),
        "frames": [
            {"filename": "/p/main.py", "lineno": 9 + number, "name": "<module>"}
        ],
    }
    for number, kind in enumerate(("KeyError", "OSError"))
]
COLOURED = """\
\x1b[1;35mTraceback (most recent call last):\x1b[0m
  File \x1b[35m"/p/m.py"\x1b[0m, line \x1b[35m1\x1b[0m, in x
\x1b[1;35mE\x1b[0m: \x1b[35mm\x1b[0m
"""


def project_at(*names: str, script: str | None = None) -> Project:
    """Return a project that has every file."""
    return Project(names, script, lambda _file: True)


def cause_in(
    text: str, *, script: str | None = "/p/main.py", source: str = ""
) -> Cause:
    """Return what the output of a script tells that ended with exit code 1."""
    read_as = read_source(source) if source else None
    return read_cause(text, Ending.EXCEPTION, project_at("/p", script=script), read_as)


def read(
    text: str, project: str = "/p", ending: Ending = Ending.EXCEPTION
) -> Traceback:
    """Return the traceback that has to be in ``text``."""
    found = read_cause(text, ending, project_at(project)).traceback
    assert found is not None
    assert found.exception is not None
    return found


def exception_in(text: str, project: str = "/p") -> str:
    """Return the exception that has to be in ``text``."""
    return read(text, project).exception or ""


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
    assert (found.exception or "").startswith(f"{name}: ")
    assert found.file == "main.py"


# -- what this interpreter really prints -----------------------------------------------


def test_a_script_that_is_not_utf_8() -> None:
    """Python names its place in the message alone."""
    told = (
        "SyntaxError: Non-UTF-8 code starting with '\\xc9' in file /p/main.py on line 12, "
        "but no encoding declared; see https://peps.python.org/pep-0263/ for details"
    )
    found = read(f"{told}\n")
    assert (found.exception, found.file, found.line) == (told, "main.py", 12)
    module = f'{HEADER}{MODULE}  File "/p/lib.py", line 3\n    ?\n{told}\n'
    assert read(module).file == "lib.py"


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
    assert (
        found.exception == "ExceptionGroup: many (2 sub-exceptions): ValueError: sub 1"
    )
    assert (found.file, found.function) == ("main.py", "part")


@pytest.mark.parametrize(
    ("raised", "told", "line"),
    [
        ("[part(a), part(b)]", "KeyError: 'a'", 2),
        ("[OSError(1), part(b)]", "ValueError: b", 4),
        ("[OSError(1), TypeError(2)]", "OSError: 1", 16),
        ("[OSError(1), ExceptionGroup('in\\nner', [part(b)])]", "ValueError: b", 4),
        ("[part(chained), part(a)]", "RuntimeError: c", 8),
        ("[ValueError('first\\n\\nTypeError: third')]", "ValueError: first", 16),
    ],
)
def test_a_group_names_the_first_of_its_exceptions(
    said: str, raised: str, told: str, line: int
) -> None:
    """Its own title may say no more than that there are some; the place is that one's."""
    source = f"""\
def a():
    raise KeyError("a")
def b():
    raise ValueError("b")
def chained():
    try: b()
    except ValueError as e:
        raise RuntimeError("c") from e
def part(what):
    try:
        what()
    except Exception as error:
        return error
#
#
raise ExceptionGroup("many", {raised})
"""
    output = settled("reading ... " + run(said, source))
    found = read(output, said)
    title = (found.exception or "").partition(": ")[2].partition("): ")[2]
    assert (title, found.line) == (told, line)
    assert found.text.startswith(
        "  + Exception Group Traceback (most recent call last):"
    )
    assert "Exception Group" not in output.partition(found.text)[0]


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
    assert (found.exception or "").startswith("RecursionError: maximum recursion depth")


def test_last_frame_inside_the_project(said: str) -> None:
    """The last frame of the project counts, not that of a library below it."""
    found = read(run(said, "import json\n\njson.loads('{')\n"), said)
    assert (found.file, found.line, found.function) == ("main.py", 3, "<module>")


def test_thread_error_at_the_end(said: str) -> None:
    """What fails in a thread after the main thread did is not what counts."""
    source = """
        import threading
        def work():
            threading.main_thread().join()
            raise RuntimeError("in a thread")
        threading.Thread(target=work).start()
        raise ValueError("in the main thread")
    """
    found = read(run(said, source), said)
    assert found.exception == "ValueError: in the main thread"
    assert "in a thread" not in found.text


def test_thread_error_alone(said: str) -> None:
    """Where nothing else is said, an error in a thread stands beside the exit code."""
    source = """
        import threading
        def work():
            raise RuntimeError("in a thread")
        t = threading.Thread(target=work, name="Loader")
        t.start()
        t.join()
        raise SystemExit(1)
    """
    cause = read_cause(run(said, source), Ending.EXCEPTION, project_at(said))
    assert (cause.beside, cause.told) == (
        Beside.BACKGROUND,
        "RuntimeError: in a thread",
    )
    assert cause.traceback is not None
    assert cause.traceback.exception is None
    assert cause.traceback.text.startswith("Traceback")


# -- texts of other interpreters and systems -------------------------------------------


@pytest.mark.parametrize(
    ("text", "exception", "place"),
    [
        (
            GROUP_3_13,
            "ExceptionGroup: group (2 sub-exceptions): ValueError: sub 0",
            ("lib.py", 7),
        ),
        (COLOURED, "E: m", ("m.py", 1)),
        (PLAIN.replace("\n", "\r\n"), DIVISION, None),
        (f"working... {PLAIN}", DIVISION, None),
        (f"{PLAIN}\n\n  \n", DIVISION, None),
        (f"{PLAIN}{IGNORED}{THREAD}", DIVISION, None),
        (f"{HANDLED}go on\n{PLAIN}", DIVISION, None),
        (f"{LINK}{PLAIN}", DIVISION, None),
        (f"{FATAL}{PLAIN}", DIVISION, None),
        (PLAIN + "a line of the message\n" * 2000, DIVISION, None),
        (f"{PLAIN}Process Process-1:\n{CHILD}", DIVISION, None),
        (f"{PLAIN}{CHILD}", DIVISION, None),
        (textwrap.indent(PLAIN, "    "), DIVISION, None),
    ],
    ids=[
        "group-3.13",
        "colours",
        "crlf",
        "unfinished-line",
        "blank-lines",
        "background",
        "handled",
        "link-to-nothing",
        "fatal-before",
        "long-message",
        "child",
        "child-without-a-name",
        "indented",
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
    ("text", "exception", "place"),
    [
        (FATAL, "Fatal Python error: Segmentation fault", ("seg.py", 3)),
        (FATAL_WINDOWS, "Windows fatal exception: access violation", ("a.py", 2)),
        (f"{PLAIN}{FATAL}", "Fatal Python error: Segmentation fault", ("seg.py", 3)),
    ],
    ids=["posix", "windows", "after-a-traceback"],
)
def test_crashes(text: str, exception: str, place: tuple[str, int]) -> None:
    """What faulthandler prints is the cause of a crash, and of nothing else."""
    found = read(f"some output\n{text}", ending=Ending.CRASH)
    assert found.exception == exception
    assert (found.file, found.line) == place
    told = read_cause(text, Ending.CODE, project_at("/p"))
    assert not told.traceback or told.traceback.exception is None


def test_a_crash_is_shown_with_its_modules() -> None:
    """Which compiled modules were loaded may be what crashed."""
    found = read_cause(f"start\n{FATAL}", Ending.CRASH, project_at("/p")).traceback
    assert found is not None
    assert found.text.endswith("\n\nExtension modules: _ctypes (total: 1)")


@pytest.mark.parametrize(
    "text",
    [
        "Traceback (most recent call last):\n",
        f"{HEADER}{FRAME}",
        f"{HEADER}ValueError: no frames\n",
        f"{HEADER}{FRAME}\n",
        "  + Exception Group Traceback (most recent call last):\n",
        '  File "x.py", line 1\n',
        '  File "x.py", line 1\n    code\nnot a syntax error\n',
        "a fatal accident\n",
    ],
)
def test_no_traceback(text: str) -> None:
    """Ordinary output is not taken for a traceback, nor is half of one."""
    found = cause_in(text).traceback
    assert found is None or found.file is None


@pytest.mark.parametrize("ending", [Ending.CODE, Ending.CRASH, Ending.SIGNAL])
@pytest.mark.parametrize("text", ["", "\n\n", "all well\n", HEADER, LINK])
def test_nothing_to_tell(text: str, ending: Ending) -> None:
    """An exit code of the script's own, a crash and a signal need no words."""
    assert read_cause(text, ending, project_at("/p")) == Cause()


def test_an_interruption_is_told_with_its_traceback() -> None:
    """Ctrl-C ends a script with an exception as well; a kill does not."""
    interrupted = f"{PLAIN.partition('ZeroDiv')[0]}KeyboardInterrupt\n"
    found = read_cause(interrupted, Ending.SIGNAL, project_at("/p"))
    assert found.traceback is not None
    assert found.traceback.exception == "KeyboardInterrupt"
    assert read_cause(PLAIN, Ending.SIGNAL, project_at("/p")) == Cause()


# -- where -----------------------------------------------------------------------------


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
    assert inside(file, project) == expected
    text = f'{HEADER}  File "{file}", line 7, in <module>\n    x\nE: m\n'
    found = read(text, project)
    assert found.file == expected
    assert found.line == (7 if expected else None)


def test_a_frame_is_the_projects_where_its_file_is_there() -> None:
    """Compiled libraries name their own sources, relative to where they were built."""
    text = (
        f'{HEADER}  File "/p/a.py", line 9, in <module>\n'
        '  File "lib/own.pyx", line 3, in load\n'
        '  File "pandas/_libs/parsers.pyx", line 4400, in raise_parser_error\n'
        "ParserError: Expected 3 fields\n"
    )
    for there, expected in (
        ({"a.py", "lib/own.pyx"}, "lib/own.pyx"),
        ({"a.py"}, "a.py"),
    ):
        project = Project(("/p",), "/p/a.py", there.__contains__)
        found = read_cause(text, Ending.EXCEPTION, project).traceback
        assert found is not None
        assert found.file == expected


def test_several_names_of_the_project() -> None:
    """A project that is reached by a link has two names."""
    project = project_at("/link", "/p")
    found = read_cause(PLAIN, Ending.EXCEPTION, project).traceback
    assert found is not None
    assert found.file == "main.py"


def test_bounds() -> None:
    """Neither the text nor the line of the exception grows without end."""
    found = read(f"{HEADER}{MODULE}ValueError: {'x' * 200_000}\nlast line\n")
    assert MAX_TEXT - 100 < len(found.text) <= MAX_TEXT
    assert found.text.startswith(HEADER)
    head, count, tail = re.split(
        r"\n\[... (\d+) characters left out ...\]\n", found.text
    )
    whole = len(f"{HEADER}{MODULE}ValueError: {'x' * 200_000}\nlast line")
    assert len(head) + int(count) + len(tail) == whole
    assert found.text.endswith("\nlast line")
    assert len(found.exception or "") == MAX_EXCEPTION
    assert (found.exception or "").startswith("ValueError: xxx")


def test_a_long_traceback_is_cut_between_frames() -> None:
    """What is left of it are whole frames: those that began, and those that ended it."""
    frames = [
        f'  File "/p/m{n}.py", line {n}, in f{n}\n    load(\n        row_{n})\n'
        for n in range(2000)
    ]
    text = f"{HEADER}{''.join(frames)}ValueError: m"

    found = read(text).text

    head, tail = re.split(r"\n\[... \d+ characters left out ...\]\n", found)
    assert MAX_TEXT - 500 < len(found) <= MAX_TEXT
    assert abs(len(head) - len(tail)) < 500
    kept = head.count("File ")
    assert f"{head}\n" == HEADER + "".join(frames[:kept])
    kept = tail.count("File ")
    assert tail == "".join(frames[-kept:]) + "ValueError: m"


@pytest.mark.parametrize("blanks", range(4))
def test_a_report_from_the_background_at_the_end_is_cut_off(blanks: int) -> None:
    """With the blank lines above it, and nothing else."""
    assert read(PLAIN + "\n" * blanks + THREAD).text == PLAIN.rstrip()


def test_the_last_exception_that_was_handled_stands_beside_the_last_words() -> None:
    """Those before it were overcome."""
    later = HANDLED.replace("KeyError: 1", "OSError: 2")
    cause = cause_in(f"{HANDLED}again\n{later}Folder R: is not mounted\n")
    assert (cause.beside, cause.told) == (Beside.LOGGED, "OSError: 2")


@pytest.mark.parametrize(
    ("text", "beside", "told"),
    [
        (HANDLED, Beside.LOGGED, "KeyError: 1"),
        (THREAD, Beside.BACKGROUND, "KeyError: 1"),
        (f"{HANDLED}{THREAD}", Beside.LOGGED, "KeyError: 1"),
        (HANDLED + "row\n" * 50, Beside.LOGGED, "KeyError: 1"),
        # So far above the end it has ended nothing.
        (HANDLED + "row\n" * 51, None, ""),
        (
            (
                "Usage: main.py [OPTIONS]\n╭─ Error ────────────╮\n"
                "│ No such option: -x │\n╰────────────────────╯\n"
            ),
            Beside.LAST_LINE,
            "No such option: -x",
        ),
        (
            "main.py: error: no month\nusage: main.py MONTH\n",
            Beside.LOGGED,
            "main.py: error",
        ),
        ("error: no month\n" + "usage\n" * 10, None, ""),
    ],
)
def test_what_stands_beside_an_exit_code_that_was_chosen(
    text: str, beside: Beside | None, told: str
) -> None:
    """The exit code says what ended it; this may say why."""
    cause = read_cause(text, Ending.CODE, project_at("/p", script="/p/main.py"))
    assert cause.beside is beside
    assert cause.told.startswith(told)
    assert bool(cause.told) is bool(told)


# -- errors that end no script ---------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{THREAD}goes on\n" * 2 + "and on\n" * 100, ["KeyError: 1"]),
        (f"{IGNORED}goes on\n", ["KeyError: 1"]),
        (f"Error in atexit._run_exitfuncs:\n{HANDLED}", ["KeyError: 1"]),
        (
            f"Task exception was never retrieved\nfuture: <Task>\n{HANDLED}goes on\n",
            ["KeyError: 1"],
        ),
        (
            f"2026-11-26 ERROR asyncio: Exception in callback f()\nhandle: <x>\n{HANDLED}x",
            ["KeyError: 1"],
        ),
        (f"Process loader of parts:\n{HANDLED}goes on\n", ["KeyError: 1"]),
        (f"{CHILD}goes on\n", ["OSError: no share"]),
        (f"{THREAD}goes on\n{PLAIN}", ["KeyError: 1", DIVISION]),
        (f"{THREAD}{PLAIN}handled\n", ["KeyError: 1"]),
        (f"{PLAIN}handled\n", []),
        (f"{HANDLED}handled\n", []),
        ("all well\n", []),
    ],
)
def test_background_errors(text: str, expected: list[str]) -> None:
    """What Python reports without an exit code is found anywhere in the output."""
    assert list(read_background_errors(text, project_at("/p"))) == expected


# -- scripts that end themselves -------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "headline", "message"),
    [
        ("no access\n", "no access", "no access"),
        ("working\n\nno access\nask Anna\n\n", "no access", "no access\nask Anna"),
        ("Cannot reach it\nplease check\n", "Cannot reach it", None),
        ("1\n2\n3\n4\n5\n6\n7", "7", "3\n4\n5\n6\n7"),
        ("2026-11-26 10:00 INFO on\nno access\nask Anna\n", "no access", None),
        (
            "a.py:1: UserWarning: old\n  warn()\nno access\nask Anna\n",
            "no access",
            None,
        ),
        ("\x1b[31mred\x1b[0m\r\n", "red", "red"),
        ("---------\nno access\n---------\n", "no access", None),
        (f"no access\nask Anna\n{WARNED}", "no access", "no access\nask Anna"),
        (f"no access\n{WARNED}{WARNED}", "no access", "no access"),
        (f"no access\n{COPIED}", "no access", "no access"),
        ("no access\nsys:1: ResourceWarning: open\n", "no access", "no access"),
        (f"no access\nsys:1: ResourceWarning: a\n{ALLOCATED}", "no access", None),
        (f"row 3\n{WARNED}no access\nask Anna\n", "no access", None),
        (WARNED, "UserWarning: old", "UserWarning: old"),
        # Without its source.
        ("a.py:1: UserWarning: old\nno access\n", "no access", "no access"),
        *(
            (f"{level}:root:row 3\nno access\nask Anna\n", "no access", None)
            for level in ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
        ),
        # Of what a logger wrote, the last error counts; of what it did not write, all.
        (f"{ERROR}{INFO}", "2026-11-26 05:17:15 [ERROR] no access", None),
        (f"{ERROR}\nthe answer holds no INFO\n", "the answer holds no INFO", None),
    ],
)
def test_exit_message(text: str, headline: str, message: str | None) -> None:
    """People write what is wrong first, and what to do about it below."""
    found = cause_in(text).traceback
    assert found is not None
    assert found.exception == headline
    assert message is None or found.text == message
    assert found.file is None


@pytest.mark.parametrize(
    ("source", "output", "headline"),
    [
        ('sys.exit("stopped\\n\\nrow 3")', "read\nstopped\n\nrow 3\n", "stopped"),
        ("sys.exit(text)", "no access\nask Anna\n", "no access"),
        (
            'sys.exit(f"{n} rows are wrong:\\n{x}")',
            "ok\n3 rows are wrong:\na\nb\nc",
            "3 rows",
        ),
        (
            'exit("%d rows of %s are wrong" % x)',
            "ok\n3 rows of May are wrong\n",
            "3 rows",
        ),
        (
            'quit("{} rows are wrong".format(3) + "!")',
            "ok\n3 rows are wrong!",
            "3 rows",
        ),
        (
            'm = "Cannot go on\\nask"\nraise SystemExit(m)',
            "a\nCannot go on\nask",
            "Cannot",
        ),
        ('sys.exit(f"Error: {e}")', "on\nError: a\nb\n", "Error: a"),
        (
            'def main():\n    return "All is lost\\nask"\nsys.exit(main())',
            "a\nAll is lost\nask",
            "All",
        ),
        ('print("all is lost")\nsys.exit(1)', "see here\nall is lost\n", "all is lost"),
        ("sys.exit(1)", "working\nno access\n", "no access"),
        ("sys.exit(text)", "\nno access\nask Anna\n", "no access"),
        ("sys.exit(-1)", "no access\nask Anna\n", "ask Anna"),
        ("def (", "no access\nask Anna\n", "no access"),
        # What it prints for certain stands above the message.
        ('print("reading")\nsys.exit(why)', "reading\nno access\nask", "no access"),
        ('print(f"{n} rows")\nexit(why)', "a\n3 rows\nno access\n", "no access"),
        (
            'print("reading")\nsys.exit("\\n".join(why))',
            "reading\nRefused:\n\n" + "row\n" * 30,
            "Refused:",
        ),
        (
            'print("reading")\nprint(rows)\nsys.exit("\\n".join(why))',
            "reading\nsome rows\n\nno access\nask\n",
            "no access",
        ),
        ('print("reading it")\nsys.exit(run())', "reading it\n", "reading it"),
        # A message that quotes a traceback begins above it.
        ('sys.exit(f"Stopped\\n{why}")', f"on\nStopped\n{HANDLED}", "Stopped"),
        ('sys.exit("Stopped")', f"Stopped\n{HANDLED}", "Stopped"),
        # What was logged as an error says more than what is no trouble.
        ("sys.exit(1)", f"{ERROR}{INFO}", "2026-11-26 05:17:15 [ERROR] no access"),
        ("sys.exit(1)", f"{ERROR}closed\n", "2026-11-26 05:17:15 [ERROR] no access"),
        ("sys.exit(1)", f"{ERROR}giving up: no rates\n", "giving up: no rates"),
        ("sys.exit(1)", "Error: no file\n\nHint: copy it\n", "Error: no file"),
        ("sys.exit(1)", "a.py: error: no file\ndone in 3 s\n", "a.py: error: no file"),
        ("sys.exit(1)", f"Error: no file\n{'row' * 9}\n" + "row\n" * 9, "row"),
        ("sys.exit(1)", f"{INFO}{INFO}", "2026-11-26 05:17:15 [INFO] closed"),
        ("sys.exit(run())", f"{ERROR}{INFO}", "2026-11-26 05:17:15 [ERROR] no access"),
        ("sys.exit(1)", f"{HANDLED}{INFO}", "KeyError: 1"),
        (
            "def main():\n    return 1\nsys.exit(main())",
            "row 3\nrow 9\n",
            "row 9",
        ),
        ('print("no access")\nsys.exit("2")', "no access\n2\n", "no access"),
        ("sys.exit(1)", f"{HANDLED}{ERROR}", "2026-11-26 05:17:15 [ERROR] no"),
        (
            "sys.exit(1)",
            'print(json)\n{\n "why": "no access"\n}\n',
            '"why": "no access"',
        ),
    ],
)
def test_the_source_shows_where_an_exit_message_begins(
    source: str, output: str, headline: str
) -> None:
    """Nothing in the output marks it."""
    found = cause_in(output, source=source).traceback
    assert found is not None
    assert (found.exception or "").startswith(headline)


@pytest.mark.parametrize(
    ("source", "caught"),
    [
        ("try:\n    x()\nexcept ValueError:\n    pass", True),
        ("try:\n    x()\nexcept Exception as e:\n    print(e)", True),
        ("try:\n    x()\nexcept:\n    pass", True),
        ("for i in a:\n try:\n  x()\n except (OSError, ValueError):\n  pass", True),
        ("try:\n    x()\nexcept KeyError:\n    pass", False),
        ("try:\n    x()\nexcept Exception:\n    raise", False),
        ("try:\n    x()\nfinally:\n    pass", False),
        ("def f():\n  try:\n    x()\n  except Exception:\n    pass", False),
        ("\nx()", False),
    ],
)
def test_the_source_shows_what_the_module_has_caught(source: str, caught: bool) -> None:
    """A traceback of a ``try`` in the module looks like the one that ends a script."""
    line = 1 + source.split("x()", maxsplit=1)[0].count("\n")
    text = f'{HEADER}  File "/p/main.py", line {line}, in <module>\n    x()\nValueError: m\n'
    found = cause_in(f"{text}folder is missing\n", source=f"{source}\nsys.exit(why)")
    assert found.traceback is not None
    expected = "folder is missing" if caught else "ValueError: m"
    assert found.traceback.exception == expected
    assert (found.beside is Beside.LOGGED) is caught


def test_what_is_printed_behind_a_traceback_stands_beside_it() -> None:
    """A function run at exit prints; it may say what the exception does not."""
    cause = cause_in(f"{PLAIN}no access\n", source='print("no access")\nmain()\n')

    assert cause.traceback is not None
    assert cause.traceback.exception == DIVISION
    assert (cause.beside, cause.told) == (Beside.LAST_LINE, "no access")


def test_a_logged_exception_that_nothing_follows_is_the_cause() -> None:
    """Most scripts log what went wrong and end with 1."""
    cause = cause_in(f"ERROR:root:import failed\n{HANDLED}")
    assert cause.traceback is not None
    assert (cause.traceback.exception, cause.traceback.file) == (
        "KeyError: 1",
        "old.py",
    )
    assert cause.beside is None


@pytest.mark.parametrize("code", [1, 2])
def test_a_logged_exception_stands_beside_what_was_said_last(code: int) -> None:
    """It is shown as what was logged."""
    text = f"ERROR:root:trying again\n{HANDLED}Folder R: is not mounted\n"
    ending = Ending.EXCEPTION if code == 1 else Ending.CODE
    cause = read_cause(text, ending, project_at("/p", script="/p/main.py"))
    assert (cause.beside, cause.told) == (Beside.LOGGED, "KeyError: 1")
    assert cause.traceback is not None
    said = "Folder R: is not mounted" if code == 1 else None
    assert (cause.traceback.exception, cause.traceback.file) == (said, None)


@pytest.mark.parametrize(
    ("record", "told", "line"),
    [
        ({"level": "error", "event": "no access"}, "ERROR: no access", None),
        (
            {"account": 411, "severity": "ERROR", "message": "no access", "time": "x"},
            "ERROR: no access, account=411",
            None,
        ),
        ({"event": "failed", "level": "error", "exception": PLAIN}, DIVISION, 3),
        ({"msg": "a", "levelname": "ERROR", "error": {"stack": PLAIN}}, DIVISION, 3),
        (
            {
                "text": f"09:51 | ERROR - failed\n{PLAIN}",
                "record": {"level": {"name": "ERROR"}, "message": "failed"},
            },
            DIVISION,
            3,
        ),
        (
            {"level": "error", "event": "a", "exception": PIECES_OF_TWO},
            "KeyError: 1",
            9,
        ),
        ({"level": "error", "event": "a", "exception": [{"exc_type": "E"}]}, "", None),
        ({"level": 3, "event": "no access"}, '{"level": 3', None),
        ({"level": "info", "answer": 3}, '{"level": "info"', None),
        ({"level": "error", "msg": "\ud800\x1b[31mno"}, "ERROR: ?no", None),
        ({"level": {"name": ["x"]}, "event": {}, "exception": 3}, '{"level"', None),
        (
            {"record": {"level": []}, "exception": [3, {}], "msg": "a"},
            '{"record"',
            None,
        ),
    ],
)
def test_a_log_of_json_lines(record: object, told: str, line: int | None) -> None:
    """It says the same as one of plain text."""
    text = f"working\n{json.dumps(record)}\n"
    found = cause_in(text, source="sys.exit(1)").traceback
    assert found is not None
    assert (found.exception or "").startswith(told)
    assert found.line == line


@pytest.mark.parametrize(
    "text", ['{"level": "' * 50_000 + '"}', '{"level":' * 9999 + '"}']
)
def test_json_lines_that_are_none(text: str) -> None:
    """They are taken as they are."""
    found = cause_in(f"{text}\n").traceback
    assert found is not None
    assert (found.exception or "").startswith('{"level":')


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("main.py: error: no month\n", "main.py: error: no month"),
        ("ld: fatal error: no files\n", "ld: fatal error: no files"),
        ("critical error: no files\n", "critical error: no files"),
        (f"{ERROR}error: no INFO\n", "error: no INFO"),
        ("ERREUR : pas de fichier\n", "ERREUR : pas de fichier"),
        ("Erreur fatale\u00a0: base fermée\n", "Erreur fatale : base fermée"),
        (f"{ERROR}{INFO}", "2026-11-26 05:17:15 [ERROR] no access"),
        ("[11/26/26 05:36:12] ERROR    no access\n            INFO   closed\n", "[11"),
        ("26/11/2026 05:36:12 - ERROR - no access\n", "26/11/2026 05:36:12 - ERROR"),
        (INFO, ""),
        ("terreur : non\n", ""),
        ("\ufeffError: no access\n", ""),
    ],
)
def test_a_line_beside_another_exit_code(text: str, told: str) -> None:
    """It is named where it says itself that it is an error."""
    cause = read_cause(text, Ending.CODE, project_at("/p"))
    assert cause.told.startswith(told)
    assert (cause.beside is Beside.LAST_LINE) is bool(told)


def test_the_mark_of_an_encoding_is_no_word() -> None:
    """A file that was printed may bring it."""
    assert exception_in("\ufeffno access\n") == "no access"


BARE_GROUP = """\
  | ExceptionGroup:  (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Exception Group Traceback (most recent call last):
    |   File "/p/main.py", line 2, in <module>
    |     raise ExceptionGroup("lot", [ValueError("a"), KeyError("b")])
    | ExceptionGroup: lot (1 sub-exception)
    +-+---------------- 1 ----------------
      | ValueError: a
      +------------------------------------
    |
    | The above exception was the direct cause of the following exception:
    |
    | Traceback (most recent call last):
    |   File "/p/main.py", line 4, in <module>
    |     raise RuntimeError("c") from group
    | RuntimeError: c
    +---------------- 2 ----------------
    | KeyError: 'b'
    +------------------------------------
"""


@pytest.mark.parametrize("before", ["", "working\n", PLAIN])
def test_a_group_that_nobody_raised(before: str) -> None:
    """``except*`` puts together what it has not caught, and such a group has no frames."""
    found = read(f"{before}{BARE_GROUP}")
    told = "ExceptionGroup: (2 sub-exceptions): RuntimeError: c"
    assert (found.exception, found.line) == (told, 4)
    assert found.text == BARE_GROUP.rstrip()


def test_two_groups_that_nobody_raised() -> None:
    """Each ends where the next one begins, so that many are read in one look."""
    other = BARE_GROUP.replace("RuntimeError: c", "OSError: d")
    assert exception_in(other + BARE_GROUP).endswith("RuntimeError: c")
    assert read(other + BARE_GROUP).text == BARE_GROUP.rstrip()


NARROW_BOX = """\
ERROR    failed          main.py:9
         ╭─ Traceback (most r─╮
         │ /p/inv             │
         │ oices.py:7 in load │
         │                    │
         │ ❱  7 load()        │
         ╰────────────────────╯
         OSError: no share
"""


@pytest.mark.parametrize("title", ["(most r", "(most recent call last) ", "(most) "])
def test_a_narrow_box_cuts_its_title(title: str) -> None:
    """A log that Rich writes into a file has 80 columns, and its boxes are what is left."""
    found = read(NARROW_BOX.replace("(most r", title))
    assert (found.exception, found.file) == ("OSError: no share", "invoices.py")


def test_another_programs_traceback_is_not_the_scripts() -> None:
    """A child's traceback begins in a module as well, but in its own."""
    text = f"{PLAIN}The export has failed.\n"
    cause = cause_in(text, script="/p/night.py")
    assert cause.traceback is not None
    assert cause.traceback.exception == "The export has failed."
    assert cause.told == DIVISION


def test_no_exit_message() -> None:
    """No output, no message."""
    assert cause_in("\n \n") == Cause()


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


@given(st.lists(PIECES | st.text()).map("".join), st.sampled_from(Ending))
def test_never_raises(text: str, ending: Ending) -> None:
    """Whatever a script prints, reading it raises nothing and invents nothing."""
    project = project_at("/p", script="/p/main.py")
    found = read_cause(text, ending, project, read_source(text)).traceback
    for exception in read_background_errors(text, project):
        assert exception
    if found is not None:
        assert found.exception != ""
        assert len(found.text) <= MAX_TEXT
        assert set(found.text) <= set(text)
        if found.file:
            assert f'{found.file}", line {found.line}' in text or found.line == 3


def test_an_abort_of_windows_has_a_place() -> None:
    """Windows has no signals: exit code 3 is all that it says of ``abort``."""
    text = (
        "double free or corruption\nFatal Python error: Aborted\n\n"
        "Current thread 0x00000024 (most recent call first):\n"
        '  File "/p/main.py", line 2 in end\n  File "/p/main.py", line 3 in <module>\n'
    )
    found = read_cause(text, Ending.CODE, project_at("/p")).traceback
    assert found
    assert (found.exception or "").startswith("Fatal Python error: Aborted: double")
    assert (found.file, found.line) == ("main.py", 2)
    # What somebody else said afterwards was the end.
    later = read_cause(f"{text}it failed\n", Ending.CODE, project_at("/p"))
    assert not later.traceback or later.traceback.exception is None
