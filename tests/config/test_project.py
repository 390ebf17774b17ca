from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import python_runner.config
from python_runner import (
    ConfigurationNotFound,
    InvalidConfiguration,
    MissingConfigurationVariable,
    PythonRunnerError,
    load_config,
)
from python_runner.config.keys import json_schema
from python_runner.config.project import (
    configured_channels,
    how_to_write,
    load_project,
)
from python_runner.config.units import Duration, Size
from python_runner.model import EmailStrategy, OnFailure, Overlap, parse_mailbox


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import MakeProject


def problems_of(folder: Path) -> dict[str, str]:
    """Return what is wrong with a project, by key."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_project(folder)
    return {problem.key: problem.message for problem in caught.value.problems}


def test_the_six_values_unpack_in_the_order_of_the_original(
    make_project: MakeProject,
) -> None:
    """load_config gives six values that unpack and have names."""
    folder = make_project(
        recipients=["a@example.org"], email_strategy="all", python_command="python"
    )

    config = load_config(str(folder))
    scripts, command, recipients, strategy, traceback, backups = config

    assert scripts == config.scripts == ["main.py"]
    assert command == config.python_command == "python"
    assert recipients == config.recipients == ["a@example.org"]
    assert strategy == config.email_strategy == "all"
    assert traceback is config.include_traceback is True
    assert backups == config.logs_backup_count == 0


@pytest.mark.parametrize(
    "command", [["py", "-3.12"], ["python"], ["conda", "run", "-n", "my env", "python"]]
)
def test_an_interpreter_may_have_arguments_of_its_own(
    make_project: MakeProject, command: list[str]
) -> None:
    """The list comes back as it was written, to be handed on."""
    folder = make_project(python_command=command)

    assert load_project(folder).python_command == tuple(command)
    assert load_config(folder).python_command == command


@pytest.mark.parametrize(
    ("command", "keys"),
    [
        ([], ["python_command"]),
        ("", ["python_command"]),
        (["py", 3], ["python_command[1]"]),
        (["", None], ["python_command[0]", "python_command[1]"]),
        ([["py"]], ["python_command[0]"]),
        ({"py": "-3.12"}, None),
        (3, ["python_command"]),
    ],
)
def test_a_wrong_interpreter_is_told_with_its_place(
    make_project: MakeProject, command: object, keys: list[str] | None
) -> None:
    """The sentence shows both ways to write one."""
    problems = problems_of(make_project(python_command=command))

    assert keys is None or list(problems) == keys
    assert all('"python" or ["py", "-3.12"]' in told for told in problems.values())


def test_every_optional_key_has_the_originals_behaviour(
    make_project: MakeProject,
) -> None:
    """A file with the six keys alone behaves as it always did."""
    project = load_project(make_project())

    assert project.on_failure is OnFailure.CONTINUE
    assert project.overlap is Overlap.SKIP
    assert project.max_parallel == 1
    assert project.log_rotation_days == 3
    assert project.output_limit == 10_000_000
    assert project.output_keep_days == 30
    assert project.language == "en"
    assert project.scripts[0].timeout is None
    assert project.scripts[0].retries == 0
    assert project.scripts[0].retry_delay == 30.0


def test_optional_keys_are_read_and_a_scripts_own_win(
    make_project: MakeProject,
) -> None:
    """Options of an entry go over those of the project."""
    folder = make_project(
        scripts=[
            "a.py",
            {
                "path": "b.py",
                "args": ["--fast"],
                "timeout": 90,
                "retries": 0,
                "env": {"B": "2"},
                "needs": ["a.py"],
            },
        ],
        timeout="30m",
        retries=2,
        retry_delay=5,
        on_failure="stop",
        max_parallel=3,
        overlap="wait",
        env={"A": "1"},
        language="fr",
        output_limit="1.5 MB",
    )
    project = load_project(folder)
    first, second = project.scripts

    assert (first.timeout, first.retries, first.retry_delay) == (1800.0, 2, 5.0)
    assert (second.timeout, second.retries, second.retry_delay) == (90.0, 0, 5.0)
    assert second.args == ("--fast",)
    assert second.env == {"B": "2"}
    assert second.needs == ("a.py",)
    assert project.on_failure is OnFailure.STOP
    assert project.overlap is Overlap.WAIT
    assert project.output_limit == 1_500_000
    assert project.language == "fr"


def test_every_problem_is_reported_at_once(make_project: MakeProject) -> None:
    """Eleven faults give eleven problems, each with its key and what was expected."""
    folder = make_project()
    (folder / "exec_config.json").write_text(
        json.dumps(
            {
                "scripts": ["a.py", {"path": "b.py", "timeout": "0s", "retrys": 2}, 3],
                "python_comand": "python",
                "recipients": ["a@b.fr; c@d.fr", "nobody"],
                "email_strategy": "sometimes",
                "include_traceback": "yes",
                "logs_backup_count": -1,
                "timeout": "5 minutes",
                "env": {"A": 1},
            }
        ),
        encoding="utf-8",
    )

    with pytest.raises(MissingConfigurationVariable) as caught:
        load_project(folder)
    problems = {p.key: p.message for p in caught.value.problems}

    assert all(
        p.file == str(folder / "exec_config.json") for p in caught.value.problems
    )
    assert "did you mean python_command?" in problems["python_comand"]
    # One slip is one problem.
    assert "python_command" not in problems
    assert "did you mean retries?" in problems["scripts[1].retrys"]
    assert '"45s"' in problems["scripts[1].timeout"]
    assert "found 3" in problems["scripts[2]"]
    assert "several addresses" in problems["recipients[0]"]
    assert "not an email address" in problems["recipients[1]"]
    assert '"failure_only"' in problems["email_strategy"]
    assert 'found "yes"' in problems["include_traceback"]
    assert "found -1" in problems["logs_backup_count"]
    assert 'found "5 minutes"' in problems["timeout"]
    assert "found 1" in problems["env.A"]
    assert len(problems) == 11


def test_all_absent_keys_are_named(make_project: MakeProject) -> None:
    """Missing keys are one error that lists them all."""
    folder = make_project()
    (folder / "exec_config.json").write_text("{}", encoding="utf-8")

    with pytest.raises(MissingConfigurationVariable) as caught:
        load_config(folder)

    assert [p.key for p in caught.value.problems] == [
        "scripts",
        "python_command",
        "recipients",
        "email_strategy",
        "include_traceback",
        "logs_backup_count",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column", "hint"),
    [
        ('{\n  "scripts": [,]\n}', 2, "15", ""),
        # From Python 3.13 on it is the comma, before that what follows it.
        ('{\n  "scripts": ["a.py",]\n}', 2, "2[12]", "comma"),
        ('{"a": "C:\\Users"}', 1, "10", '"/" in paths'),
        ('{"a": "C:\\users"}', 1, r"\d+", '"/" in paths'),
        ('{"a": ["C:\\p\\"], "b": 1}', 1, r"\d+", '"/" in paths'),
        ("", 1, "1", ""),
        ("{", 1, "2", ""),
    ],
)
def test_malformed_json_is_told_with_its_place(
    make_project: MakeProject, text: str, line: int, column: str, hint: str
) -> None:
    """A syntax error names line and column, and its usual cause."""
    folder = make_project()
    (folder / "exec_config.json").write_text(text, encoding="utf-8")

    message = problems_of(folder)[""]

    assert re.search(rf"line {line}, column {column}\b", message)
    assert hint in message


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_what_windows_editors_write_is_read(
    make_project: MakeProject, encoding: str
) -> None:
    """UTF-8 with and without BOM and PowerShell's UTF-16 are all read."""
    folder = make_project(env={"VILLE": "Orléans"})
    text = (folder / "exec_config.json").read_text(encoding="utf-8")
    text = json.dumps(json.loads(text), ensure_ascii=False)
    (folder / "exec_config.json").write_text(text, encoding=encoding)

    assert load_project(folder).env == {"VILLE": "Orléans"}


def warnings_of(folder: Path) -> list[str]:
    """Return what is odd about a project that can be run, in English."""
    return [str(warning) for warning in load_project(folder).warnings]


def test_the_code_page_of_windows_is_read_with_a_warning(
    make_project: MakeProject,
) -> None:
    """The original ran such a file, and no other with accents: they are in the field."""
    folder = make_project(env={"VILLE": "Orléans, 5 €"})
    file = folder / "exec_config.json"
    raw = json.loads(file.read_text(encoding="utf-8"))
    text = json.dumps(raw, ensure_ascii=False, indent=1)
    file.write_bytes(text.encode("cp1252"))
    line = 1 + text[: text.index("é")].count("\n")

    assert load_project(folder).env == {"VILLE": "Orléans, 5 €"}
    (warning,) = warnings_of(folder)
    assert warning.startswith(f"exec_config.json: line {line} is not UTF-8")


@pytest.mark.parametrize(
    "data",
    [
        '{"a": "é"}'.encode() + b"\xe9",
        b'{"a": "\x81"}',
        b'\xef\xbb\xbf{"a": "\xe9"}',
        b'\xff\xfe{"a": 1} ',
    ],
    ids=["a part is UTF-8", "no letter of cp1252", "a mark of UTF-8", "half of UTF-16"],
)
@pytest.mark.skipif(sys.platform == "win32", reason="the code page is the system's")
def test_a_damaged_file_is_a_problem_with_its_line(
    make_project: MakeProject, data: bytes
) -> None:
    """What cannot be the code page either is not guessed at."""
    folder = make_project()
    (folder / "exec_config.json").write_bytes(data)

    assert "line 1 is not UTF-8" in problems_of(folder)[""]


@pytest.mark.parametrize("text", ["[]", "3", "NaN", "[" * 100_000])
def test_what_is_no_object_is_a_problem(make_project: MakeProject, text: str) -> None:
    """Anything but a JSON object is one problem of the whole file."""
    folder = make_project()
    (folder / "exec_config.json").write_text(text, encoding="utf-8")

    assert list(problems_of(folder)) == [""]


def test_a_key_given_twice_is_a_problem(make_project: MakeProject) -> None:
    """JSON would silently keep the last of two equal keys."""
    folder = make_project()
    text = (folder / "exec_config.json").read_text(encoding="utf-8")
    (folder / "exec_config.json").write_text(
        text.replace("{", '{"scripts": [],', 1), encoding="utf-8"
    )

    assert "more than once" in problems_of(folder)["scripts"]


def test_resources_of_a_script_are_added_to_those_of_the_project(
    make_project: MakeProject,
) -> None:
    """What all scripts must have is said once; a script says the rest, or otherwise."""
    own = {"path": "main.py", "resources": {"GPU": 2, "disk": 0.5}}
    folder = make_project(scripts=[own, "other.py"], resources={"GPU": 1, "RAM": 4})

    first, second = load_project(folder).scripts
    assert first.resources == {"GPU": 2, "RAM": 4, "disk": 0.5}
    assert second.resources == {"GPU": 1, "RAM": 4}


@pytest.mark.parametrize("wrong", [True, ["GPU"], {"GPU": 0}, {"GPU": "1"}, {"": 1}])
def test_resources_are_amounts(make_project: MakeProject, wrong: object) -> None:
    """Anything but amounts above nothing is refused, with an example."""
    problems = problems_of(make_project(resources=wrong))
    assert any('{"GPU": 1}' in message for message in problems.values())


@pytest.mark.parametrize(
    ("keys", "told"),
    [
        ({"description": "x"}, ["description: has no effect"]),
        (
            {"author": "x", "db_host": {"a": "\0"}},
            ["author, db_host: have no effect"],
        ),
        ({"_comment": "x", "//": "\0", "// b": 1, "$schema": "s"}, []),
        (
            {"scripts": [{"path": "main.py", "_why": 1, "owner": "Eve"}]},
            ["scripts[0].owner: has no effect"],
        ),
        ({"scripts": []}, ["scripts: is empty"]),
        ({"env": {"D": "C:\temp"}}, ["env.D: JSON reads"]),
        ({"scripts": ["sub\new.py"]}, ["scripts[0]: JSON reads"]),
        ({"scripts": [{"path": "a\\b\back.py"}]}, ["scripts[0].path: JSON reads"]),
        ({"python_command": ".venv\bin\fython"}, ["python_command: JSON reads"]),
        ({"scripts": [{"path": "a.py", "args": ["a\tb"]}]}, []),
    ],
)
def test_what_is_odd_is_a_warning(
    make_project: MakeProject, keys: dict[str, Any], told: list[str]
) -> None:
    """It is told, and nothing stops for it; comments are not even told."""
    warnings = warnings_of(make_project(**keys))

    assert [
        w.removeprefix("exec_config.json: ").split(told[0])[0] for w in warnings
    ] == ([""] if told else [])


def test_comments_may_have_the_same_key(make_project: MakeProject) -> None:
    """Of other keys JSON would silently keep the last."""
    folder = make_project()
    file = folder / "exec_config.json"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace("{", '{"//": "a", "//": "b",', 1), encoding="utf-8")

    assert warnings_of(folder) == []


@pytest.mark.parametrize(
    "recipients", [["EMAIL"], ["a@b.c; d@e.f"], [""], None, "x", [3]]
)
def test_recipients_matter_where_a_mail_may_be_due(
    make_project: MakeProject, recipients: object
) -> None:
    """Nonsense is a problem there, and a warning where nothing is ever sent."""
    folder = make_project(recipients=recipients)

    assert load_project(folder).recipients == ()
    (warning,) = warnings_of(folder)
    assert warning.startswith("exec_config.json: recipients")
    folder = make_project("p2", recipients=recipients, email_strategy="failure_only")
    (key,) = problems_of(folder)
    assert key.startswith("recipients")


@pytest.mark.parametrize(
    "recipient",
    ["Jean Dupont <a@b.fr>", " a@b.fr\t", "<a@b.fr>", '"Dupont, J" <a@b.fr>'],
)
def test_an_address_may_have_a_name_and_blanks(
    make_project: MakeProject, recipient: str
) -> None:
    """As mail programs copy it."""
    project = load_project(make_project(recipients=[recipient], email_strategy="all"))

    assert [parse_mailbox(r).address for r in project.recipients] == ["a@b.fr"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "path", ["C:\new\run.py", "C:\\data\new.py", "\\srv\temp\a.py"]
)
def test_a_path_whose_backslashes_json_took_is_a_problem(
    make_project: MakeProject, path: str
) -> None:
    """The message shows it as it was written, on one line, and says what to write."""
    folder = make_project(scripts=["main.py", path], python_command=path)

    problems = problems_of(folder)

    assert set(problems) == {"scripts[1]", "python_command"}
    for message in problems.values():
        assert 'write "\\\\" or "/"' in message
        assert message.isprintable()


def test_the_default_of_such_a_key_is_accepted(make_project: MakeProject) -> None:
    """Asking for nothing is no problem, also with a schema named."""
    folder = make_project(
        **{"warm": False, "preload": [], "resources": {}, "$schema": "x.json"}
    )

    assert load_project(folder).name == "project_1"


def test_channels_and_heartbeat_are_carried_as_secrets(
    make_project: MakeProject,
) -> None:
    """The project has them as written, and its repr does not."""
    url, heartbeat = "json://u:s3cret@localhost/t0ken", "https://example.org/uu1d"

    project = load_project(make_project(channels=[url], heartbeat_url=heartbeat))

    assert project.channels == (url,)
    assert project.heartbeat_url == heartbeat
    for secret in ("s3cret", "t0ken", "uu1d"):
        assert secret not in repr(project)


@pytest.mark.parametrize(
    ("channels", "key", "words"),
    [
        (["json://h/x", "carrierpigeon://t0ken/x"], "channels[1]", "Apprise can use"),
        (["t0ken"], "channels[0]", "Apprise can use"),
        (["slack://t0ken"], "channels[0]", "Apprise can use"),
        (["json://[t0ken"], "channels[0]", "Apprise can use"),
        (["json://u:t0ken@h/x", "json://u:t1@h/x"], "channels[1]", "more than once"),
        ("json://u:t0ken@h/x", "channels", "expected a list of Apprise addresses"),
        (
            [["json://u:t0ken@h/x"]],
            "channels[0]",
            "expected a list of Apprise addresses",
        ),
        ([""], "channels[0]", "expected a list of Apprise addresses"),
    ],
)
def test_a_channel_that_cannot_be_told(
    make_project: MakeProject, channels: Any, key: str, words: str
) -> None:
    """What Apprise cannot use is a problem of its own, which repeats no secret."""
    problems = problems_of(make_project(channels=channels))

    assert words in problems[key]
    assert "t0ken" not in str(problems)


def test_channels_without_apprise(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A value is never silently ignored: the sentence names the extra."""
    monkeypatch.setitem(sys.modules, "apprise", None)

    problems = problems_of(make_project(channels=["json://h/a", "json://h/b"]))

    assert list(problems) == ["channels[0]"]
    assert 'pip install "python-series-runner[notify]"' in problems["channels[0]"]


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/s3cret",
        "h/s3cret",
        "https://",
        "https://h:s3cret/",
        "https://[s3cret",
        "https://h/s3 cret",
        "https://h/s3crét",
        "https://h/s3cret\n",
        ["s3cret"],
        3,
        "",
    ],
)
def test_a_heartbeat_that_cannot_be_told(make_project: MakeProject, url: Any) -> None:
    """It is an address of the web; the message does not repeat it."""
    problems = problems_of(make_project(heartbeat_url=url))

    assert {key.partition("[")[0] for key in problems} == {"heartbeat_url"}
    assert "s3cret" not in str(problems)


def test_channels_alone_are_somebody_to_tell(make_project: MakeProject) -> None:
    """A report needs recipients or channels."""
    folder = make_project(email_strategy="all", channels=["json://h/x"])

    assert load_project(folder).recipients == ()
    assert "is empty" in problems_of(make_project(email_strategy="all"))["recipients"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('{"channels": ["json://own"]}', ("json://own",)),
        ('{"channels": ["json://own", 3], "retrys": 1}', ("json://own",)),
        ('{"scripts": 7}', ("json://default",)),
        ('{"channels": []}', ()),
        ('{"channels": "json://own"}', ()),
        ("{", ("json://default",)),
        (None, ("json://default",)),
    ],
)
def test_what_waits_finds_its_channel(
    tmp_path: Path, text: str | None, found: tuple[str, ...]
) -> None:
    """Whatever else is wrong with a configuration, its channels are found."""
    if text is not None:
        (tmp_path / "exec_config.json").write_text(text, encoding="utf-8")

    defaults = {"channels": ["json://default"]}

    assert configured_channels(tmp_path, defaults) == found
    if found != ("json://default",):
        assert configured_channels(tmp_path) == found


@pytest.mark.parametrize(
    ("entries", "place", "words"),
    [
        ([{"path": "a.py", "needs": ["a.py"]}], 0, "itself: a.py -> a.py"),
        ([{"path": "a.py", "needs": ["b.py"]}], 0, "there is no script b.py"),
        (
            ["import.py", {"path": "b.py", "needs": ["imports.py"]}],
            1,
            "did you mean import.py?",
        ),
        (
            [
                {"path": "a.py", "needs": ["c.py"]},
                {"path": "b.py", "needs": ["a.py"]},
                {"path": "c.py", "needs": ["b.py"]},
            ],
            0,
            "a.py -> c.py -> b.py -> a.py",
        ),
    ],
)
def test_impossible_needs_are_configuration_errors(
    make_project: MakeProject, entries: list[Any], place: int, words: str
) -> None:
    """A cycle is drawn; an unknown name gets the nearest known one."""
    problems = problems_of(make_project(scripts=entries))

    assert list(problems) == [f"scripts[{place}].needs"]
    assert words in problems[f"scripts[{place}].needs"]


def test_every_impossible_need_is_told_at_once(make_project: MakeProject) -> None:
    """Two cycles and an unknown name are three problems."""
    needs = {"a.py": ["b.py"], "b.py": ["a.py"], "c.py": ["d.py"], "d.py": ["c.py"]}
    needs["e.py"] = ["unheard.py"]
    entries = [{"path": path, "needs": names} for path, names in needs.items()]

    told = "\n".join(problems_of(make_project(scripts=entries)).values())

    assert "a.py -> b.py -> a.py" in told
    assert "c.py -> d.py -> c.py" in told
    assert "unheard.py" in told


def test_a_drawn_cycle_reads_along_the_needs(make_project: MakeProject) -> None:
    """Each script in the drawing needs the one after the arrow."""
    needs = {"a.py": "c.py", "b.py": "a.py", "c.py": "b.py"}
    folder = make_project(
        scripts=[{"path": name, "needs": [needed]} for name, needed in needs.items()]
    )

    (message,) = problems_of(folder).values()
    drawn = message.rpartition(": ")[2].split(" -> ")

    assert drawn[0] == drawn[-1]
    assert [needs[name] for name in drawn[:-1]] == drawn[1:]


def test_a_strategy_in_capitals_is_the_same(make_project: MakeProject) -> None:
    """The original lower-cased the strategy, so files in the field say ALL."""
    folder = make_project(recipients=["a@example.org"], email_strategy="ALL")

    assert load_project(folder).email_strategy is EmailStrategy.ALL


def test_a_mail_strategy_needs_recipients(make_project: MakeProject) -> None:
    """Nobody to write to and a mail wanted is a mistake."""
    assert "is empty" in problems_of(make_project(email_strategy="all"))["recipients"]


def test_an_env_file_is_read_below_the_env_key(make_project: MakeProject) -> None:
    """Variables of env win over those of env_file."""
    folder = make_project(env={"A": "key"}, env_file="run.env")
    (folder / "run.env").write_text("A=file\nB=file\n", encoding="utf-8")

    assert load_project(folder).env == {"A": "key", "B": "file"}


def test_a_missing_env_file_is_a_problem(make_project: MakeProject) -> None:
    """A file that is named must be there."""
    problems = problems_of(make_project(env_file="run.env"))

    assert "cannot be read" in problems["env_file"]


def test_no_file_and_no_folder_are_told_apart(tmp_path: Path) -> None:
    """Both are a FileNotFoundError of ours, with different words."""
    with pytest.raises(ConfigurationNotFound, match="does not exist"):
        load_config(tmp_path)
    with pytest.raises(ConfigurationNotFound, match="is not a folder"):
        load_config(tmp_path / "nowhere")
    (tmp_path / "odd" / "exec_config.json").mkdir(parents=True)
    with pytest.raises(ConfigurationNotFound, match="is a folder, not a file"):
        load_config(tmp_path / "odd")
    assert issubclass(ConfigurationNotFound, FileNotFoundError)
    assert issubclass(ConfigurationNotFound, PythonRunnerError)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("45s", 45), ("30m", 1800), ("2h", 7200), ("1d", 86400), ("1.5 h", 5400), (7, 7)],
)
def test_durations(value: object, seconds: float) -> None:
    """A duration is a number with a unit, or seconds."""
    assert Duration.parse(value) == seconds


@pytest.mark.parametrize(
    ("value", "size"),
    [("10MB", 10_000_000), ("500 kB", 500_000), ("1gb", 10**9), ("12", 12), (0, 0)],
)
def test_sizes(value: object, size: int) -> None:
    """A size counts in decimal multiples."""
    assert Size.parse(value) == size


def test_a_schedule_is_five_fields_that_become_due(make_project: MakeProject) -> None:
    """It is kept with single spaces; a wrong one is an error that says what is wrong."""
    folder = make_project(schedule=" 0  6 * * 1-5 ")

    assert load_project(folder).schedule == "0 6 * * 1-5"
    told = problems_of(make_project(name="q", schedule="0 6 * *"))["schedule"]
    assert "five fields" in told


@pytest.mark.parametrize("kind", [Duration, Size])
@pytest.mark.parametrize(
    "value", ["", "s", "-1s", "1 week", "1e3", True, None, [], -1, "٣s"]
)
def test_what_is_no_quantity(kind: type[Duration | Size], value: object) -> None:
    """Anything else is refused, never guessed."""
    with pytest.raises(ValueError, match=r".*"):
        kind.parse(value)


def test_the_shipped_schema_is_the_models_own() -> None:
    """The file in the package is generated from the models and up to date."""
    folder = os.path.dirname(python_runner.config.__file__)  # noqa: PTH120
    with open(f"{folder}/exec_config.schema.json", encoding="utf-8") as file:  # noqa: PTH123
        shipped = json.load(file)

    assert shipped == json_schema()
    jsonschema.Draft202012Validator.check_schema(shipped)


@pytest.mark.parametrize(
    ("change", "valid"),
    [
        ({}, True),
        ({"timeout": "30m"}, True),
        ({"timeout": "soon"}, False),
        ({"retrys": 1}, False),
        ({"scripts": []}, True),
        ({"_comment": "x", "// x": 1}, True),
        ({"scripts": [{"path": "a.py", "_": 1}]}, True),
        ({"scripts": [{"path": "a.py", "needs": ["b.py"]}, "b.py"]}, True),
        ({"scripts": [{"args": []}]}, False),
        ({"output_limit": -1}, False),
        ({"language": "de"}, False),
    ],
)
def test_schema_and_loader_agree(
    make_project: MakeProject, change: dict[str, Any], valid: bool
) -> None:
    """What an editor accepts the runner accepts, and the other way round."""
    folder = make_project(**change)
    raw = json.loads((folder / "exec_config.json").read_text(encoding="utf-8"))

    assert jsonschema.Draft202012Validator(json_schema()).is_valid(raw) is valid
    if valid:
        load_project(folder)
    else:
        with pytest.raises(InvalidConfiguration):
            load_project(folder)


#: Any text that JSON can hold, with NUL and halves of characters.
JSON_TEXT = st.text(st.characters(exclude_categories=()))
#: What is right in form, and at a border or beyond it.
BORDERS = st.sampled_from(
    [
        *(0, 1, -1, 10**6, 2**31, 2**63, 10**400, 0.0, 1e300, float("inf")),
        *("", "\0", "a\0.py", "\ud800", "\udc80.py", "x" * 300, "[", "*", "..", "/"),
        *("0s", "1000000d", "1" * 400 + "s", "9" * 400, "COM1", "a\nb", "\u202egpj.py"),
    ]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | JSON_TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(JSON_TEXT, inner),
    max_leaves=5,
)
KEYS = sorted(json_schema()["$defs"]["ExecConfig"]["properties"])
#: A whole number that Python's own reader refuses to make.
DIGITS = "1" * 5000


@example(changes={"output_limit": "9" * 400})
@given(
    changes=st.dictionaries(
        st.sampled_from(KEYS),
        BORDERS | JSON_VALUES | st.lists(BORDERS, min_size=1, max_size=2),
        min_size=1,
        max_size=3,
    )
)
def test_no_values_can_crash_the_loader(
    tmp_path_factory: pytest.TempPathFactory, changes: dict[str, Any]
) -> None:
    """Any JSON values of any keys are either right or problems of a known kind."""
    folder = tmp_path_factory.mktemp("p")
    config = {
        "scripts": ["a.py"],
        "python_command": sys.executable,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
        **changes,
    }
    (folder / "exec_config.json").write_text(json.dumps(config), encoding="utf-8")

    try:
        load_project(folder)
    except InvalidConfiguration as error:
        assert error.problems  # noqa: PT017 - either way is right


@pytest.mark.parametrize("sign", ["", "-"])
@pytest.mark.parametrize("key", ["timeout", "retries", "logs_backup_count"])
def test_a_number_of_many_digits_stands_for_the_largest(
    make_project: MakeProject, key: str, sign: str
) -> None:
    """However long a number is, it is read: as a very large one, or as a wrong one."""
    folder = make_project(**{key: "digits"})
    file = folder / "exec_config.json"
    text = file.read_text("utf-8").replace('"digits"', sign + DIGITS)
    file.write_text(text, "utf-8")

    if sign:
        with pytest.raises(InvalidConfiguration, match=key):
            load_project(folder)
        return
    project = load_project(folder)
    found = project if key == "logs_backup_count" else project.scripts[0]
    assert getattr(found, key) >= 10**9


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ('C:\\p1" --no-mail', r'write "C:\p1" without it'),
        ('D:\\My Projects\\x" -q', r'write "D:\My Projects\x" without it'),
        ("C:\temp\ruesday", r'write a backslash twice: "C:\\temp\\ruesday"'),
        ("C:\\p1", ""),
        ('a "quoted" folder', ""),
        ("/srv/p1", ""),
        ("", ""),
    ],
)
def test_how_a_path_was_meant(path: str, said: str) -> None:
    """A quote or a tab in it shows what became of a backslash."""
    told = how_to_write(path)

    assert told.endswith(said)
    assert bool(told) == bool(said)


def test_modules_to_preload_need_warm_and_have_names_of_modules(
    make_project: MakeProject,
) -> None:
    """What is asked for in vain is told; what is no name is refused with its place."""
    warm = load_project(make_project("a", warm=True, preload=["os", "json.decoder"]))
    assert (warm.warm, warm.preload) == (True, ("os", "json.decoder"))
    assert warm.warnings == ()
    assert warnings_of(make_project("b", preload=["os"])) == [
        'exec_config.json: preload: has no effect without "warm": true'
    ]
    for name in ("", "a b", "a;b", "1a", "a.", "import os", "a-b", "./a.py"):
        folder = make_project("c", warm=True, preload=["os", name])
        assert set(problems_of(folder)) == {"preload[1]"}
    assert problems_of(make_project("d", warm="yes"))["warm"].startswith(
        "expected true"
    )
