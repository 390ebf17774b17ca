"""A traceback as people read it."""

from __future__ import annotations

import textwrap

import pytest

from python_runner.tracebacks.cause import MAX_TEXT, read_cause
from python_runner.tracebacks.endings import Ending
from python_runner.tracebacks.excerpt import excerpt, fold_repeated_lines
from python_runner.tracebacks.names import short_exception
from python_runner.tracebacks.place import Project


pytestmark = pytest.mark.pure

LIBRARY = """\
  File "/opt/python/lib/site-packages/pandas/io/parsers.py", line 1026, in read_csv
    return _read(filepath_or_buffer, kwds)
           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  File "pandas/_libs/parsers.pyx", line 4400, in raise_parser_error
"""
OWN = """\
  File "/p/main.py", line 3, in load
    return pd.read_csv(name)
           ^^^^^^^^^^^^^^^^^
"""
HEADER = "Traceback (most recent call last):\n"


def shown(text: str, language: str = "en") -> list[str]:
    """Return the lines of an excerpt of a project in ``/p``."""
    return excerpt(text.rstrip("\n"), "/p", language).split("\n")


def test_the_authors_frames_stand_out_and_others_are_folded() -> None:
    """The line that can be mended is found at once, without marks below it."""
    assert shown(f"{HEADER}{OWN}{LIBRARY}ParserError: 3 fields\n") == [
        "Traceback (most recent call last):",
        '> File "main.py", line 3, in load',
        ">   return pd.read_csv(name)",
        "  [2 frames of pandas]",
        "ParserError: 3 fields",
    ]
    assert "  [2 appels de pandas]" in shown(f"{HEADER}{OWN}{LIBRARY}E: x", "fr")


def test_frames_of_python_itself_are_pythons() -> None:
    """One frame is no plural, and no package has made it."""
    frame = '  File "/usr/lib/python3.12/json/decoder.py", line 355, in raw_decode\n'
    assert "  [1 frame of Python]" in shown(f"{HEADER}{OWN}{frame}E: x")


def test_without_a_frame_of_the_project_all_are_shown() -> None:
    """They are all that there is."""
    found = shown(f"{HEADER}{LIBRARY}E: x")
    assert sum("File" in line for line in found) == 2
    assert not any("^^^" in line for line in found)


@pytest.mark.parametrize(
    ("frames", "note"),
    [
        (["a"] * 300, "  [the same frame 299 more times]"),
        (["a", "b"] * 300, "  [the same 2 frames 299 more times]"),
        (["a", "b", "c"] * 3 + ["d"], "  [the same 3 frames 2 more times]"),
    ],
)
def test_a_recursion_is_folded(frames: list[str], note: str) -> None:
    """Each of its frames is shown once, however many take turns."""
    text = "".join(f'  File "/p/{f}.py", line 1, in {f}\n    x()\n' for f in frames)
    found = shown(f"{HEADER}{text}RecursionError: x")
    assert note in found
    assert len(found) <= 11
    for name in set(frames):
        assert f'> File "{name}.py", line 1, in {name}' in found


@pytest.mark.parametrize("names", ["ab", "abcde", "abcdefghijkl"])
@pytest.mark.parametrize("repetitions", [10, 1000])
@pytest.mark.parametrize("carets", ["", "           ~~~^^^^^^\n"])
def test_a_recursion_of_any_length_is_folded_once(
    names: str, repetitions: int, carets: str
) -> None:
    """What is kept of it and what people see says how often, whatever was too long."""
    frame = '  File "/p/{0}.py", line {1}, in {0}\n    return other(n - 1)\n' + carets
    frames = "".join(frame.format(name, 7) for name in names)
    first = frame.format("<module>", 30)
    torn = frame.format(names[0], 7) + frame.format("last", 2)
    said = "RecursionError: maximum recursion depth exceeded"
    text = f"{HEADER}{first}{frames * repetitions}{torn}{said}\n"
    cause = read_cause(
        text, Ending.EXCEPTION, Project(("/p",), None, lambda _file: True)
    )
    assert cause.traceback is not None
    assert cause.traceback.exception == said
    assert cause.traceback.file == "last.py"
    assert len(cause.traceback.text) <= MAX_TEXT

    found = shown(cause.traceback.text)
    folded = [line for line in found if "more times]" in line]
    assert folded == [f"  [the same {len(names)} frames {repetitions - 1} more times]"]
    assert sum(line.startswith("> File") for line in found) == len(names) + 3
    assert not any("left out" in line or "Previous" in line for line in found)


def test_a_recursion_that_was_folded_is_told_in_each_language() -> None:
    """The line in the kept text is Python's, in English as the rest of it."""
    frame = OWN.partition("           ^")[0]
    text = f"{HEADER}{frame}{frame}  [Previous 2 frames repeated 4 more times]\nE: x"
    assert "  [les 2 mêmes appels encore 4 fois]" in shown(text, "fr")
    # What stands directly above the note is what came again.
    alone = f"{HEADER}{frame}  [Previous 1 frame repeated 4 more times]\nE: x"
    assert "  [the same frame 4 more times]" in shown(alone)


def test_a_group_keeps_its_shape() -> None:
    """The margin of a group is no frame."""
    text = textwrap.dedent("""\
          + Exception Group Traceback (most recent call last):
          |   File "/p/main.py", line 7, in <module>
          |     load()
          |     ~~~~^^
          | ExceptionGroup: 2 loads failed (2 sub-exceptions)
          +-+---------------- 1 ----------------
            | Traceback (most recent call last):
            |   File "/p/main.py", line 3, in load
            |     raise OSError("no share")
            | OSError: no share
            +------------------------------------
    """)
    found = shown(text)
    assert not any("~~~" in line for line in found)
    assert sum(line.startswith(">") for line in found) == 4
    assert "  | OSError: no share" in found
    assert any("main.py" in line and line.startswith(">") for line in found)
    assert any("2 loads failed" in line for line in found)


def test_the_mark_of_loguru_is_ours() -> None:
    """It marks the frame that has caught the error, and one mark is enough."""
    found = shown(f'{HEADER}\n> File "/p/main.py", line 3, in load\n    x\n\nE: x')
    assert '> File "main.py", line 3, in load' in found


def test_repeated_lines_are_folded() -> None:
    """A line that comes 1,000 times says nothing new; blank lines are left alone."""
    text = "start\n" + "retrying\n" * 1000 + "\n\n\n\nend"
    assert fold_repeated_lines(text, "en").split("\n") == [
        "start",
        "retrying",
        "  [the same line 999 more times]",
        *([""] * 4),
        "end",
    ]
    assert fold_repeated_lines("a\na\nb", "en") == "a\na\nb"


@pytest.mark.parametrize(
    ("exception", "expected"),
    [
        (
            "json.decoder.JSONDecodeError: Expecting value",
            "JSONDecodeError: Expecting value",
        ),
        ("pandas.errors.DatabaseError: x.y.Z: 1", "DatabaseError: x.y.Z: 1"),
        ("main.<locals>.ClosingFailed: 3", "ClosingFailed: 3"),
        ("pkg.Stop", "Stop"),
        ("2026-11-26 05:17:15,383 [ERROR] no access", "[ERROR] no access"),
        ("[2026-11-26T05:17:15.3Z] - no access", "no access"),
        ("2026-11-26 05:17:15,383", "2026-11-26 05:17:15,383"),
        ("ValueError: a.b.C", "ValueError: a.b.C"),
        ("srv.example.org: no route to host", "srv.example.org: no route to host"),
        ("see docs.Example.org for help", "see docs.Example.org for help"),
        ("socket.gaierror: [Errno -2]", "socket.gaierror: [Errno -2]"),
    ],
)
def test_short_exception(exception: str, expected: str) -> None:
    """Where there is little room, an exception goes without its modules."""
    assert short_exception(exception) == expected
