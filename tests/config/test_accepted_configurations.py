"""What ``check`` calls ready is run to its end and told: configurations from the schema.

Everything that the JSON Schema allows is drawn, at its borders above all, and what lies
just beyond them; the scripts are one that prints a line, and whatever is drawn instead.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import threading
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from python_runner.config.keys import json_schema
from python_runner.config.settings import load_settings
from python_runner.doctor.examination import examine
from python_runner.model import Run, RunStatus
from python_runner.runner.project_run import run_configured
from python_runner.runner.session import Session, open_session
from tests.support import examples


if sys.platform == "win32":
    pytest.skip("needs POSIX", allow_module_level=True)

pytestmark = [pytest.mark.posix, pytest.mark.instrument, pytest.mark.slow]

#: Seconds after which a run is asked to stop: what is repeated for ever is repeated until
#: then.
PATIENCE = 1.5
#: Stands for digits that Python's own writer of JSON refuses to write.
DIGITS = "digits:"
HUGE = [f"{DIGITS}{count}" for count in (20, 400, 5000)]
BORDERS = [0, 1, -1, 2, 10**6, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**64, *HUGE]
#: Texts that mean something to a system: names of what lies in the project, too.
TEXTS = [
    *(
        "",
        " ",
        ".",
        "..",
        "/",
        "~",
        "-c",
        "*",
        "[",
        "**/*.py",
        "a\nb",
        "a\0b",
        "\ud800",
    ),
    *("main.sh", "./main.sh", "main", "folder", "fifo", "loop", "empty", "binary"),
    *("x" * 255, "x" * 256, "x" * 5000, "é" * 130, "é\u2028\u202e", "C:\\new\\x"),
    *(
        "%s",
        "{x}",
        "${HOME}",
        "[red]x",
        "/dev/null",
        "/dev/zero",
        "/proc/kmsg",
        "absent",
    ),
    *(
        "a@b.c",
        "A <a@b.c>",
        "http://127.0.0.1:9/x",
        "json://127.0.0.1:9/x",
        "NUL",
        "a - b",
    ),
]
_text = st.sampled_from(TEXTS) | st.text(
    st.characters(exclude_categories=()), max_size=20
)
_anything = st.none() | st.booleans() | st.sampled_from(BORDERS) | _text


@cache
def schema() -> dict[str, Any]:
    """Return the product's own description of a configuration."""
    found: dict[str, Any] = json_schema()["$defs"]
    return found


#: By type of JSON. What has a pattern is a number with a unit.
PLAIN: dict[str, st.SearchStrategy[Any]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "integer": st.sampled_from(BORDERS) | st.integers(),
    "number": st.sampled_from([0.0, 1e-300, 0.01, 0.5, 1e17, 1e308, *BORDERS])
    | st.floats(allow_nan=False, allow_infinity=False),
    "string": _text,
}
UNITS = ["0", "0s", "0.0000000001s", "9" * 400 + "d", "999999999999GB", "1h"]


def values(kind: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return what a part of the schema describes, and what its limits leave out."""
    if "$ref" in kind:
        return values(schema()[kind["$ref"].rpartition("/")[2]])
    if "anyOf" in kind:
        return st.one_of(*map(values, kind["anyOf"]))
    if "enum" in kind:
        return st.sampled_from(kind["enum"])
    if "pattern" in kind:
        return st.sampled_from(UNITS) | st.from_regex(kind["pattern"])
    if kind.get("type") == "object":
        return objects(kind)
    items = st.deferred(lambda: values(kind.get("items", {})))
    return {**PLAIN, "array": st.lists(items, max_size=4)}.get(
        kind.get("type", ""), _anything
    )


def objects(kind: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return objects with the keys that the schema names, or with any."""
    if "properties" in kind:
        parts = {name: values(part) for name, part in kind["properties"].items()}
        required = {name: parts.pop(name) for name in kind.get("required", ())}
        return st.fixed_dictionaries(required, optional=parts)
    many = {f"X{n}": "x" * 1000 for n in range(3000)}
    large = st.sampled_from([{"X": "x" * 200_000}, many])
    return st.dictionaries(_text, _text, max_size=3) | large


@st.composite
def configurations(draw: st.DrawFn) -> dict[str, Any]:
    """Return a plain configuration of which some keys are drawn."""
    properties = schema()["ExecConfig"]["properties"]
    entry = schema()["ScriptEntry"]["properties"]
    keys = draw(st.lists(st.sampled_from(sorted(properties)), max_size=4, unique=True))
    config = {
        "scripts": ["main.sh"],
        "python_command": "/bin/sh",
        "recipients": ["office@example.org"],
        "email_strategy": "all",
        "include_traceback": True,
        "logs_backup_count": 0,
        **{key: draw(values(properties[key])) for key in keys},
    }
    if "scripts" not in keys:
        # One that is there, with options: most lists that are drawn are refused.
        options = draw(
            st.lists(st.sampled_from(sorted(entry)), max_size=3, unique=True)
        )
        script = {key: draw(values(entry[key])) for key in options}
        config["scripts"] = [{**script, "path": "main.sh"}]
    return config


def written(config: dict[str, Any]) -> str:
    """Return the text of a configuration."""
    text = json.dumps(config)
    for digits in HUGE:
        text = text.replace(f'"{digits}"', "9" * int(digits.removeprefix(DIGITS)))
    return text


def make(folder: Path, config: dict[str, Any]) -> None:
    """Put a project on the disk, with something of every kind in it."""
    (folder / "folder").mkdir(parents=True)
    (folder / "main.sh").write_text("echo done\n")
    (folder / "empty").touch()
    (folder / "binary").write_bytes(bytes(range(256)) * 8)
    (folder / "loop").symlink_to("loop")
    os.mkfifo(folder / "fifo")
    (folder / "exec_config.json").write_text(written(config), "utf-8")


def run(folder: Path, session: Session) -> Run:
    """Run a project, and stop it after a while."""
    timer = threading.Timer(PATIENCE, session.stop.request)
    timer.start()
    try:
        ended = run_configured(folder, session, defaults={})
    finally:
        timer.cancel()
        timer.join()
    assert ended is not None
    return ended


@pytest.fixture
def _to_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let mails be written to a folder, and the current folder hold nothing."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAIL_TRANSPORT", "file")
    monkeypatch.setenv("MAIL_DIR", str(tmp_path / "mails"))
    monkeypatch.setenv("MAIL_FROM", "robot@example.org")


@pytest.mark.fault(
    "files",
    "Any configuration that `check` accepts",
    "The run ends and is told.",
)
@pytest.mark.usefixtures("_to_files")
@settings(
    examples(60),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(configurations())
def test_what_is_accepted_runs_and_is_told(
    tmp_path: Path, shielded: Path, config: dict[str, Any]
) -> None:
    """No exception comes of a configuration: it is refused, or its run is recorded."""
    folder = Path(tempfile.mkdtemp(dir=tmp_path)) / "p"
    make(folder, config)
    wrong = examine(folder, {}, load_settings()).problems
    with open_session(load_settings()) as session:
        ended = run(folder, session)
        kept = session.store and session.store.run(ended.run_id)

    said = [*map(str, ended.warnings), str(ended.error)]
    said += [str(result.ended_by) for result in ended.scripts]
    assert not [words for words in said if "unexpected" in words]
    assert not (shielded / "errors").exists()
    # What is wrong may stop nothing: a run that took place is told as every other.
    if not wrong or any(result.attempts for result in ended.scripts):
        assert ended.status in {
            RunStatus.SUCCESS,
            RunStatus.FAILURE,
            RunStatus.STOPPED,
        }
        assert kept
        assert kept.status is ended.status
        assert ended.run_id in (folder / "logs" / "p.log").read_text("utf-8")
