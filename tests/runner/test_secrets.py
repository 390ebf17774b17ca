from __future__ import annotations

import errno
import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest

from python_runner import BadPythonInterpreter, InvalidConfiguration, Runner
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.config.workspace import load_workspace
from python_runner.execution.capture import Readable, open_capture, put_away
from python_runner.masking import Masker
from python_runner.model.script_names import mask_names
from python_runner.records.output_reader import OutputReader
from python_runner.records.store import DATABASE_NAME
from tests.support import COMMAND, GENEROUS, wait_until


if TYPE_CHECKING:
    from tests.support import Cli, MakeProject


SECRET = "c4n4ry-7391"
MASKER = Masker([SECRET])
posix = pytest.mark.posix
not_windows = pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX")


# Settings and configuration.


def test_no_settings_show_their_secrets(
    make_project: MakeProject, tmp_path: Path
) -> None:
    """Whatever object a traceback or a debugger shows: no variable, no argument."""
    folder = make_project(
        scripts=[{"path": "main.py", "args": [SECRET], "env": {"A": SECRET}}],
        env={"DB_PASSWORD": SECRET},
    )
    toml = f'[defaults]\nenv = {{ DB_PASSWORD = "{SECRET}" }}\n'
    (tmp_path / "python-runner.toml").write_text(toml, encoding="utf-8")
    project = load_project(folder)
    settings = load_settings(
        environ={"PASSWORD_MAIL": SECRET, "A_TOKEN": SECRET}, folder=tmp_path
    )

    assert SECRET in project.secrets
    assert SECRET in settings.secrets
    for thing in (project, project.scripts, settings, load_workspace(tmp_path)):
        assert SECRET not in repr(thing)


@pytest.mark.parametrize(
    "config",
    [
        {"env": {"DB_PASSWORD": [SECRET]}},
        {"env": {"DB_PASSWORD": {"a": SECRET}}},
        {"env": [f"DB_PASSWORD={SECRET}"]},
        {"env": f"DB_PASSWORD={SECRET}"},
        {"env": {"DB_PASSWORD": SECRET}, "timeout": SECRET},
        {"env": {"DB_PASSWORD": "x" * 50 + SECRET}, "timeout": "x" * 50 + SECRET},
        {"scripts": [{"path": "main.py", "env": {"A_TOKEN": SECRET}, "args": SECRET}]},
    ],
    ids=str,
)
def test_a_wrong_configuration_quotes_no_secret(
    make_project: MakeProject, config: dict[str, Any]
) -> None:
    """What was found instead is told, unless it is, or may be, a secret."""
    with pytest.raises(InvalidConfiguration) as caught:
        load_project(make_project(**config))
    assert SECRET[:6] not in str(caught.value)
    assert "***" in str(caught.value)


@pytest.mark.parametrize("config", [{"recipients": [SECRET]}, {SECRET: 1}], ids=str)
def test_what_is_forgiven_is_told_without_secrets(
    make_project: MakeProject, config: dict[str, Any]
) -> None:
    """A warning quotes what was found as little as a refusal does."""
    folder = make_project(**{"env": {"DB_PASSWORD": SECRET}} | config)
    (warning,) = load_project(folder).warnings
    assert SECRET[:6] not in str(warning)
    assert "***" in str(warning)


def test_a_password_in_the_wrong_line_of_the_environment_is_not_quoted(
    tmp_path: Path,
) -> None:
    """Whoever sets SMTP_PORT to the password learns of it without seeing it."""
    environ = {"PASSWORD_MAIL": SECRET, "SMTP_PORT": SECRET, "MAIL_FROM": SECRET}
    problems = load_settings(environ=environ, folder=tmp_path).mail.problems
    assert len(problems) == 2
    assert SECRET not in str(problems)


def test_an_interpreter_that_is_not_there_is_told_without_secrets(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the library's error nor what led to it quotes a secret."""
    monkeypatch.setenv("A_TOKEN", SECRET)
    runner = Runner(make_project(), [])
    with pytest.raises(BadPythonInterpreter) as caught:
        runner.run(["main.py"], python_command=f"x/{SECRET}", email_strategy="none")
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


def test_masked_names_stay_apart(make_project: MakeProject) -> None:
    """Scripts whose names hold a secret get names without, each its own."""
    names = [f"{SECRET}.py", f"b/{SECRET}.py", "c.py"]
    scripts = [names[0], names[1], {"path": "c.py", "needs": [f"b/{SECRET}.py"]}]
    project = load_project(make_project("p", dict.fromkeys(names, ""), scripts=scripts))
    masked = mask_names(project, MASKER)
    assert [script.name for script in masked.scripts] == ["***.py", "b/***.py", "c.py"]
    assert masked.scripts[2].needs == ("b/***.py",)
    assert [script.path for script in masked.scripts] == names
    twins = mask_names(project, Masker([SECRET, f"b/{SECRET}"]))
    assert [s.name for s in twins.scripts] == ["***.py (1)", "***.py (2)", "c.py"]
    assert twins.scripts[2].needs == ("***.py (2)",)


# Output.


def capture(path: Path, *writes: bytes, limit: int = 10_000) -> list[str]:
    """Capture an attempt's output; return what was told."""
    captured = open_capture(path, limit, 0.0, Readable(MASKER))
    for text in writes:
        os.write(captured.descriptor, text)
    captured.close()
    return [str(warning) for warning in captured.warnings]


def test_only_output_with_a_secret_is_rewritten(tmp_path: Path) -> None:
    """What holds none stays the file it was; what holds one loses it, and only it."""
    path = tmp_path / "output.log"
    capture(path, b"first\n")
    before = path.stat().st_ino
    capture(path, b"second\n")
    assert path.stat().st_ino == before
    capture(path, b"a c4n4", b"ry-7391 b\n")
    assert path.read_bytes() == b"first\nsecond\na *** b\n"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("place", range(13))
def test_a_secret_is_not_cut_in_two(tmp_path: Path, place: int) -> None:
    """Wherever the limit cuts, no part of a secret stays, and the count is exact."""
    path = tmp_path / "output.log"
    written = b"." * place + SECRET.encode() * 300
    capture(path, written, limit=1000)
    kept = path.read_bytes()
    head, note, tail = kept.partition(b"\n[... ")
    count = int(note and tail.split(b" ", 1)[0])
    tail = tail.partition(b"]\n")[2]
    assert set(head.replace(b"***", b"")) <= set(b".")
    assert tail.replace(b"***", b"") == b""
    secrets = (head.count(b"***") + tail.count(b"***")) * len(SECRET)
    assert head.count(b".") + secrets + count == len(written)


def test_where_nothing_can_be_replaced_a_secret_is_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder that takes no second file does not save a secret."""
    path = tmp_path / "output.log"

    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "replace", refuse)
    (warning,) = capture(path, b"a c4n4ry-7391 b\n")
    assert warning.startswith("its output could not be rewritten: ")
    assert path.read_bytes() == b"a *********** b\n"


def test_output_is_followed_into_the_file_that_replaces_it(tmp_path: Path) -> None:
    """Who has seen a part of the output sees the rest, when secrets are out: no gap."""
    path = tmp_path / "output.log"
    captured = open_capture(path, 10_000, 0.0, Readable(MASKER))
    output = OutputReader(path, MASKER)
    os.write(captured.descriptor, b"one c4n4ry-7391 two c4n")
    assert output.read() == b"one *** two "
    assert output.read() == b""
    os.write(captured.descriptor, b"4ry-7391 three")
    captured.close()
    assert output.read() + output.read() + output.rest() == b"*** three"


def test_output_that_was_cut_is_followed_from_its_end(tmp_path: Path) -> None:
    """The place is lost with what was cut out; no half of a secret is shown for it."""
    path = tmp_path / "output.log"
    path.write_bytes(SECRET.encode() * 90)
    output = OutputReader(path, MASKER)
    assert output.read() == b"***" * 90
    new = tmp_path / "new"
    new.write_bytes(b"***\n[...]\n***\n" + SECRET.encode()[:4])
    new.replace(path)
    assert output.read() == b""
    with path.open("ab") as file:
        file.write(SECRET.encode()[4:] + b" second " + SECRET.encode() + b"\n")
    assert output.read() == b" second ***\n"
    new.write_bytes(b"short ***\n")
    new.replace(path)
    assert output.read() == b""
    new.write_bytes(b"short ***\nthird\n")
    new.replace(path)
    assert output.read() + output.rest() == b"third\n"


def test_a_file_that_ends_like_a_secret_begins_is_shown_whole(tmp_path: Path) -> None:
    """What waited for more is shown at the end; a file that is not there is empty."""
    path = tmp_path / "output.log"
    output = OutputReader(path, MASKER)
    assert output.read() == b""
    path.write_bytes(b"x c4n4ry")
    assert output.read() + output.rest() == b"x c4n4ry"


def test_a_file_is_masked_afterwards(tmp_path: Path) -> None:
    """Output that a killed runner left is masked as well, and else left alone."""
    path = tmp_path / "output.log"
    path.write_bytes(b"a" * (1024 * 1024 - 3) + b"c4n4ry-7391\n")
    put_away(path, Readable(MASKER))
    assert path.read_bytes() == b"a" * (1024 * 1024 - 3) + b"***\n"
    before = path.stat().st_ino
    put_away(path, Readable(MASKER))
    assert path.stat().st_ino == before


@posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_what_a_killed_runner_left_is_masked_by_the_next_run(
    make_project: MakeProject,
) -> None:
    """The script wrote a secret, nobody was left to mask it: the next run does."""
    source = (
        "import os, time, pathlib\nprint(os.environ['A_TOKEN'], flush=True)\n"
        "while not pathlib.Path('go').exists(): time.sleep(0.05)\n"
    )
    folder = make_project("p", {"main.py": source}, env={"A_TOKEN": SECRET})
    command = [*COMMAND, "run", "-q", str(folder)]
    with subprocess.Popen(command) as runner:
        outputs = folder / "logs" / "runs"
        wait_until(lambda: any(o.stat().st_size for o in outputs.glob("*/*.log")))
        scripts = psutil.Process(runner.pid).children(recursive=True)
        runner.kill()
    (folder / "go").touch()
    psutil.wait_procs(scripts, timeout=GENEROUS)
    (output,) = outputs.glob("*/*.log")
    assert SECRET in output.read_text(encoding="utf-8")

    done = subprocess.run(command, check=False, timeout=60, capture_output=True)

    assert done.returncode == 0, done
    texts = [p.read_text(encoding="utf-8") for p in folder.glob("logs/runs/*/*.log")]
    assert texts == ["***\n", "***\n"]


# Files of others, and for others.


@posix
@not_windows
def test_everything_in_the_state_folder_is_its_users_alone(
    make_project: MakeProject, cli: Cli, tmp_path: Path
) -> None:
    """Records, locks, journals, what was set aside and the copy: no one else's."""
    home = tmp_path / "state" / "of" / "runner"
    variables = {"PYTHON_RUNNER_HOME": str(home)}
    folder = make_project()
    old = os.umask(0o022)
    try:
        assert cli("run", folder, **variables).returncode == 0
        (home / DATABASE_NAME).write_bytes(b"no database at all")
        assert cli("run", folder, **variables).returncode == 0
        assert cli("backup", "copy", **variables).returncode == 0
        (home / f"{DATABASE_NAME}-journal").touch(mode=0o600)
    finally:
        os.umask(old)
    paths = [tmp_path / "state", tmp_path / "copy", *(tmp_path / "state").rglob("*")]
    assert len(paths) > 7
    for path in paths:
        wanted = 0o700 if path.is_dir() else 0o600
        assert stat.S_IMODE(path.stat().st_mode) == wanted, path


@posix
@not_windows
def test_check_warns_of_what_others_may_change_or_read(
    make_project: MakeProject, cli: Cli, tmp_path: Path
) -> None:
    """A configuration names code to run: who may write it is worth a warning, no more."""
    folder = make_project()
    env_file = tmp_path / ".env"
    env_file.write_text("PASSWORD_MAIL=x\n", encoding="utf-8")
    (folder / "exec_config.json").chmod(0o666)
    env_file.chmod(0o644)

    done = cli("check", folder)
    document = json.loads(cli("check", "--json", folder).stdout)

    assert done.returncode == 0
    files = [Path(w["file"]).name for w in document["warnings"]]
    # Root is told that it is root.
    assert [name for name in files if name != "python-runner"] == [
        "exec_config.json",
        ".env",
    ]
    for warning in document["warnings"]:
        assert f"warning: {warning['file']}: {warning['message']}" in done.stderr
    (folder / "exec_config.json").chmod(0o644)
    env_file.chmod(0o600)
    left = json.loads(cli("check", "--json", folder).stdout)["warnings"]
    assert [w for w in left if w["file"] != "python-runner"] == []
