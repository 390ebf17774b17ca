"""What a log of JSON lines is read as: level, message, short values, traceback."""

from __future__ import annotations

import json
from typing import Any

import pytest

from python_runner.tracebacks.json_lines import without_json_lines


pytestmark = pytest.mark.pure

HEADER = "Traceback (most recent call last):"
QUOTED = f'{HEADER}\n  File "/p/main.py", line 3, in load\nOSError: no share'
FRAME = {"filename": "/p/main.py", "lineno": 3, "name": "load"}
FRAME_LINE = '  File "/p/main.py", line 3, in load'
SAID = {"level": "error", "event": "refused"}


def piece(
    kind: str, *, is_cause: bool = False, frames: Any = (FRAME,)
) -> dict[str, Any]:
    """Return an exception as structlog takes it to pieces."""
    return {
        "exc_type": kind,
        "exc_value": "1",
        "is_cause": is_cause,
        "frames": list(frames),
    }


READ: list[tuple[str, dict[str, Any], list[str]]] = [
    ("level and message", SAID, ["ERROR: refused"]),
    (
        "a number and a text",
        {**SAID, "rows": 3, "for": "ann"},
        ["ERROR: refused, rows=3, for=ann"],
    ),
    (
        "its logger and its times",
        {**SAID, "logger": "x", "asctime": "now", "Timestamp": 1},
        ["ERROR: refused"],
    ),
    (
        "neither lists nor objects",
        {**SAID, "rows": [3], "of": {"a": 1}, "b": 2},
        ["ERROR: refused, b=2"],
    ),
    (
        "what is short",
        {**SAID, "a": "x" * 60, "b": "x" * 61},
        [f"ERROR: refused, a={'x' * 60}"],
    ),
    (
        "five values",
        {**SAID, **dict.fromkeys("abcdef", 1)},
        ["ERROR: refused, a=1, b=1, c=1, d=1, e=1"],
    ),
    (
        "a traceback",
        {**SAID, "exc_info": QUOTED},
        ["ERROR: refused", *QUOTED.split("\n")],
    ),
    (
        "a traceback below words",
        {**SAID, "exc_info": f"failed\nagain\n{QUOTED}"},
        ["ERROR: refused", *QUOTED.split("\n")],
    ),
    (
        "a traceback below an empty line",
        {**SAID, "exc_info": f"\n{QUOTED}"},
        ["ERROR: refused", *QUOTED.split("\n")],
    ),
    (
        "a traceback of an object",
        {**SAID, "a": {"b": {"c": QUOTED}}},
        ["ERROR: refused", *QUOTED.split("\n")],
    ),
    ("nothing deeper", {**SAID, "a": {"b": {"c": {"d": QUOTED}}}}, ["ERROR: refused"]),
    (
        "pieces",
        {**SAID, "exception": [piece("KeyError")]},
        ["ERROR: refused", HEADER, FRAME_LINE, "KeyError: 1"],
    ),
    (
        "pieces without a frame",
        {**SAID, "exception": [piece("KeyError", frames=[7])]},
        ["ERROR: refused", HEADER, "KeyError: 1"],
    ),
    ("no pieces", {**SAID, "exception": [7, {"exc_value": "1"}]}, ["ERROR: refused"]),
    (
        "the pieces of a cause, which come last",
        {**SAID, "exception": [piece("OSError", is_cause=True), piece("KeyError")]},
        [
            *("ERROR: refused", HEADER, FRAME_LINE, "KeyError: 1"),
            *(
                "",
                "During handling of the above exception, another exception occurred:",
            ),
            *("", HEADER, FRAME_LINE, "OSError: 1"),
        ],
    ),
    (
        "a cause of a cause",
        {
            **SAID,
            "exception": [
                piece("OSError"),
                piece("KeyError", is_cause=True),
                piece("ValueError", is_cause=True),
            ],
        },
        [
            *("ERROR: refused", HEADER, FRAME_LINE, "ValueError: 1"),
            *(
                "",
                "The above exception was the direct cause of the following exception:",
            ),
            *("", HEADER, FRAME_LINE, "KeyError: 1"),
            *(
                "",
                "The above exception was the direct cause of the following exception:",
            ),
            *("", HEADER, FRAME_LINE, "OSError: 1"),
        ],
    ),
]


@pytest.mark.parametrize(
    ("record", "told"), [pytest.param(r, t, id=name) for name, r, t in READ]
)
def test_a_record_is_read_as_text(record: dict[str, Any], told: list[str]) -> None:
    """A reader sees what a log of plain text would have told."""
    text = f"working\n{json.dumps(record)}\ndone\n"

    assert without_json_lines(text).split("\n") == ["working", *told, "done", ""]


@pytest.mark.parametrize(
    "line",
    [
        '{"level": "error", "event": }',
        '{"level": 40, "event": "refused"}',
        '{"level": "error", "event": ["refused"]}',
        '{"level": "error"}',
        '{"event": "refused", "of": {"level": "error"}}',
        '{"level": {"no": 40}, "message": "refused"}',
        '{"level": "error", "event": ' + "[" * 100_000 + "]" * 100_000 + "}",
    ],
)
def test_what_is_no_record_stays_as_it_is(line: str) -> None:
    """A level and a message make a record, and both are words."""
    assert without_json_lines(f"{line}\n") == f"{line}\n"


@pytest.mark.parametrize("level", ["ERROR", {"name": "ERROR", "no": 40}])
def test_a_record_of_loguru_is_read(level: object) -> None:
    """It holds what would have been written, and the parts of it one level deeper."""
    record = {
        "level": level,
        "message": "refused",
        "exception": {"type": "OSError", "traceback": True},
        "line": 3,
    }
    line = json.dumps({"text": f"refused\n{QUOTED}\n", "record": record})

    assert without_json_lines(f"{line}\n") == f"ERROR: refused\n{QUOTED}\n"


@pytest.mark.parametrize(
    "level", ["level", "levelname", "severity", "log_level", "log.level", "lvl"]
)
@pytest.mark.parametrize("message", ["message", "event", "msg"])
@pytest.mark.parametrize("end", ["", "\r", "  "])
def test_level_and_message_have_many_names(level: str, message: str, end: str) -> None:
    """Each library has its own."""
    line = json.dumps({level: "error", message: "refused"})

    assert without_json_lines(f"{line}{end}\n") == "ERROR: refused\n"
