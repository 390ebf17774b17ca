"""What a program that imports the library relies on, beside the runs themselves."""

from __future__ import annotations

import json
import subprocess
import sys
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import python_runner
from python_runner import (
    InvalidConfiguration,
    MissingConfigurationVariable,
    Runner,
    helpers,
    load_config,
    run_project,
)
from python_runner.exceptions import Problem
from tests.support import GOOD, MakeProject, mails


if TYPE_CHECKING:
    from python_runner import RunResults

OLD_NAMES = {
    "python_runner": ["Runner"],
    "python_runner.__main__": [
        *("Runner", "BadPythonInterpreter", "BadRecipientList"),
        *("MissingEnvironmentVariable", "MissingConfigurationVariable"),
        *("InvalidConfiguration", "ConfigurationNotFound", "PythonRunnerError"),
        *("CONFIG_FILE", "MANDATORY_VARS", "load_config"),
    ],
    "python_runner.helpers": [
        *("load_config", "CONFIG_FILE", "MANDATORY_VARS"),
        *("MissingConfigurationVariable", "MissingEnvironmentVariable"),
        *("BadPythonInterpreter", "BadRecipientList", "InvalidConfiguration"),
        *("ConfigurationNotFound", "PythonRunnerError"),
    ],
    "python_runner.exceptions": [
        *("MissingEnvironmentVariable", "MissingConfigurationVariable"),
        *("BadRecipientList", "BadPythonInterpreter", "InvalidConfiguration"),
        *("ConfigurationNotFound", "PythonRunnerError"),
    ],
}


def test_every_old_name_is_where_it_was() -> None:
    """In one new interpreter: nothing has imported the modules before."""
    lines = ["import python_runner", "python_runner.__main__.Runner"]
    lines += [
        f"from {module} import {', '.join(names)}"
        for module, names in OLD_NAMES.items()
    ]
    code = "\n".join([*lines, "print(CONFIG_FILE, *MANDATORY_VARS)"])

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert done.stdout.split() == [
        *("exec_config.json", "scripts", "python_command", "recipients"),
        *("email_strategy", "include_traceback", "logs_backup_count"),
    ]
    assert list(helpers.ProjectConfig._fields) == helpers.MANDATORY_VARS


def test_an_exported_name_is_there_and_no_other() -> None:
    """The package keeps to its own list."""
    for name in python_runner.__all__:
        assert getattr(python_runner, name)
    with pytest.raises(AttributeError, match="nothing"):
        _ = python_runner.nothing


@pytest.mark.parametrize("kind", [InvalidConfiguration, MissingConfigurationVariable])
def test_an_error_of_the_configuration_may_be_a_text(
    kind: type[InvalidConfiguration],
) -> None:
    """Programs raise it themselves, as they raised the original's."""
    error = kind("scripts and env_name are missing")

    assert str(error) == "scripts and env_name are missing"
    assert [p.message for p in error.problems] == [str(error)]
    assert str(kind()) == ""
    several = kind([Problem("f", "k", "m"), Problem("f", "", "n")])
    assert str(copy(several)) == str(several) == "f: k: m\nf: n"


def run_good(runner: Runner, **options: Any) -> RunResults:
    """Run one script that succeeds."""
    return runner.run(["main.py"], sys.executable, **options)


def test_attributes_hold_what_was_given(make_project: MakeProject) -> None:
    """They can be read under the original's names."""
    folder, recipients = make_project(), ["a@example.org"]

    runner = Runner(str(folder), recipients, logs_backup_count=3)

    assert runner.project_path == str(folder)
    assert runner.project_name == "project_1"
    assert runner.recipient_emails is recipients
    assert runner.log_filename == "project_1.log"
    assert runner.logs_backup_count == 3
    assert Runner(folder, [], "night").log_filename == "night.log"


def test_run_uses_what_the_attributes_hold_then(
    make_project: MakeProject, mail_dir: Path
) -> None:
    """Assigned, or changed in place."""
    other, recipients = make_project("other"), ["a@example.org"]
    runner = Runner(make_project("first"), recipients)
    recipients.append("b@example.org")
    runner.project_path = str(other)
    assert (runner.project_name, runner.log_filename) == ("other", "other.log")
    runner.project_name = "Night"
    runner.log_filename = "night"
    runner.logs_backup_count = 1

    (result,) = run_good(runner)

    assert result["success"]
    (mail,) = mails(mail_dir)
    assert mail["To"] == "a@example.org, b@example.org"
    assert mail["Subject"].startswith("[Night] ")
    assert (other / "logs" / "night.log").exists()
    runner.recipient_emails = ["c@example.org"]
    run_good(runner)
    assert "c@example.org" in [m["To"] for m in mails(mail_dir)]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("project_path", None),
        ("project_path", "nowhere"),
        ("project_name", ""),
        ("project_name", 3),
        ("recipient_emails", "a@example.org"),
        ("recipient_emails", None),
        ("log_filename", "a/b"),
        ("log_filename", "com1.log"),
        ("log_filename", "aux"),
        ("log_filename", 3),
        ("logs_backup_count", -1),
        ("logs_backup_count", "3"),
    ],
)
def test_a_wrong_attribute_is_refused_before_anything_runs(
    make_project: MakeProject, name: str, value: Any
) -> None:
    """As the same argument is."""
    folder = make_project()
    runner = Runner(folder, [])
    setattr(runner, name, value)

    with pytest.raises(ValueError, match=r".+"):
        run_good(runner, email_strategy="none")
    assert not (folder / "logs").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        {"python_scripts": "main.py"},
        {"python_scripts": b"main.py"},
        {"python_scripts": Path("main.py")},
        {"python_scripts": {"main.py": 1}},
        {"python_scripts": {"main.py"}},
        {"python_scripts": None},
        {"python_scripts": 3},
        {"python_scripts": ["main.py", None]},
        {"python_scripts": ["main.py", ""]},
        {"python_scripts": [b"main.py"]},
        {"python_scripts": ["main.py\0"]},
        {"python_scripts": [["main.py"]]},
        {"python_command": ""},
        {"python_command": 3},
        {"python_command": b"python"},
        {"email_strategy": None},
        {"email_strategy": "always"},
        {"email_strategy": ["all"]},
        {"email_strategy": True},
        {"include_traceback": "no"},
        {"include_traceback": None},
    ],
    ids=str,
)
def test_a_wrong_argument_is_refused_before_anything_runs(
    make_project: MakeProject, arguments: dict[str, Any]
) -> None:
    """A text where a list belongs would run its letters."""
    folder = make_project()
    given = {"python_scripts": ["main.py"], "email_strategy": "none", **arguments}

    with pytest.raises(ValueError, match="expected"):
        Runner(folder, []).run(**given)
    assert not (folder / "logs").exists()


def test_any_series_in_order_is_taken(make_project: MakeProject) -> None:
    """A tuple, a generator, paths that are objects, and nothing at all."""
    folder = make_project(sources={"a.py": GOOD, "b.py": GOOD})
    runner = Runner(folder, [])

    for series in (("a.py", Path("b.py")), (name for name in ("a.py", "b.py"))):
        found = runner.run(series, email_strategy="none")  # type: ignore[arg-type]
        assert [r["script"] for r in found] == ["a.py", "b.py"]
    assert runner.run([], email_strategy="none") == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", ["is empty"]),
        ("[1]", ["expected an object"]),
        ("{'a': 1}", ["malformed JSON"]),
        ('{"scripts": ["main.py"]}', []),
        ('{"recipients": "x", "email_strategy": 3, "logs_backup_count": -1}', []),
        ('{"scripts": [], "_comment": "x"}', []),
        ('{"timeout": "soon"}', ["timeout: expected"]),
        ('{"timeot": 3}', ["timeot: unknown key"]),
        ('{"owner": "Eve"}', ["owner: has no effect"]),
        ('{"env_file": "gone.env"}', ["env_file: "]),
        ('{"scripts": [{"path": "main.py", "retries": -1}]}', ["scripts[0].retries"]),
    ],
)
def test_the_configuration_never_stops_the_library(
    make_project: MakeProject,
    caplog: pytest.LogCaptureFixture,
    text: str,
    told: list[str],
) -> None:
    """What is wrong in a file that the original did not open is a warning."""
    folder = make_project()
    (folder / "exec_config.json").write_text(text, encoding="utf-8")

    results = run_good(Runner(folder, []), email_strategy="none")

    assert [r["success"] for r in results] == [True]
    warnings = [str(w) for w in results.warnings]
    assert len(warnings) == len(told)
    for warning, words in zip(warnings, told, strict=True):
        assert warning.startswith("exec_config.json: ")
        assert words in warning
    assert [r.message for r in caplog.records if r.name == "python_runner"] == [
        f"project_1: {warning}" for warning in warnings
    ]


def test_what_is_right_in_a_wrong_file_holds(make_project: MakeProject) -> None:
    """One wrong key costs none of the others."""
    folder = make_project(
        sources={"main.py": "import os; print(os.environ['A'], os.environ['B'])"}
    )
    config = {
        "env": {"A": "1"},
        "scripts": [3, {"path": "main.py", "env": {"B": "2"}}],
        "timeout": "soon",
    }
    (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")

    (result,) = run_good(Runner(folder, []), email_strategy="none")

    assert result["success"]


TYPED = """
from python_runner import Runner, load_config, run_project
from python_runner.helpers import CONFIG_FILE, MANDATORY_VARS
from python_runner.__main__ import BadRecipientList

config = load_config("p")
scripts, command, recipients, strategy, traceback, backups = config
runner = Runner("p", recipients, logs_backup_count=backups)
runner.recipient_emails = ["a@example.org"]
runner.log_filename = "night"
results = runner.run(scripts, command, strategy, traceback)
minutes: float = results[0]["execution_time"]
for status in [script.status for script in run_project("p", only=["a.py"]).scripts]:
    print(status.value, results.run_id, results.warnings[0])
"""
WRONG = [
    'results[0]["nope"]',
    'runner.run(scripts, email_strategy="always")',
    "runner.run(3)",
    'results[0]["success"].upper()',
    "config.nope",
    'run_project("p").nope',
    'run_project("p").status = None',
    "runner.nope",
]


@pytest.mark.slow
@pytest.mark.portable("a type checker reads the same everywhere")
def test_a_type_checker_finds_what_is_wrong(tmp_path: Path) -> None:
    """What is right passes, and each line that is wrong is found."""
    api = pytest.importorskip("mypy.api")
    file = tmp_path / "program.py"
    file.write_text(TYPED + "\n".join(WRONG) + "\n", encoding="utf-8")

    said, _errors, _code = api.run(["--strict", "--config-file=", str(file)])

    first = TYPED.count("\n") + 1
    lines = {
        int(line.split(":")[1]) for line in said.splitlines() if ": error:" in line
    }
    assert lines == set(range(first, first + len(WRONG))), said


@pytest.mark.slow
@pytest.mark.portable("a type checker reads the same everywhere")
def test_pyright_finds_what_is_wrong(tmp_path: Path) -> None:
    """The checker of many editors finds it as well."""
    pytest.importorskip("pyright")
    file = tmp_path / "program.py"
    file.write_text(TYPED + "\n".join(WRONG) + "\n", encoding="utf-8")

    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", str(file)],
        capture_output=True,
        check=False,
        encoding="utf-8",
        timeout=100,
    )

    found = json.loads(done.stdout)["generalDiagnostics"]
    wrong = {d["range"]["start"]["line"] for d in found if d["severity"] == "error"}
    first = TYPED.count("\n")
    assert wrong == set(range(first, first + len(WRONG))), done.stdout


class _PathOfBytes:
    def __fspath__(self) -> bytes:
        return b"project"


@pytest.mark.parametrize("wrong", [None, 3, b"project", ["p"], _PathOfBytes()])
def test_what_is_no_path_is_refused(wrong: Any) -> None:
    """By the same error wherever a folder is expected."""
    for function in (load_config, run_project, partial(Runner, recipient_emails=[])):
        with pytest.raises(InvalidConfiguration, match="expected the path of a folder"):
            function(wrong)


def test_load_config_names_its_strategy(make_project: MakeProject) -> None:
    """It is the text that run takes."""
    assert type(load_config(make_project()).email_strategy) is str
