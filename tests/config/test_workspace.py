from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from python_runner import InvalidConfiguration
from python_runner.config.project import load_project
from python_runner.config.workspace import WORKSPACE_FILE, load_workspace
from python_runner.exceptions import ConfigurationNotFound, PythonRunnerError
from python_runner.files import absolute
from python_runner.model.cluster import ClusterPlace


if TYPE_CHECKING:
    from pathlib import Path

    from tests.support import MakeProject


def test_no_file_is_no_workspace(tmp_path: Path) -> None:
    """The file is optional."""
    assert load_workspace(tmp_path) is None


def test_projects_and_patterns_from_the_files_folder(
    tmp_path: Path, make_project: MakeProject
) -> None:
    """Named folders come as named, a pattern gives its projects in order, each once."""
    one = make_project("one")
    shared = [make_project(f"shared/{name}") for name in ("b", "a")]
    (tmp_path / "shared" / "no_project").mkdir()
    (tmp_path / WORKSPACE_FILE).write_text(
        'projects = ["one", "shared/*", "shared/a"]\nkeep_days = 90\n',
        encoding="utf-8",
    )

    workspace = load_workspace(tmp_path)

    assert workspace is not None
    assert workspace.projects == (one, shared[1], shared[0])
    assert workspace.keep_days == 90


@pytest.mark.parametrize(
    ("text", "folder", "details"),
    [
        ('fleet = "share"', "share", False),
        ('fleet = "../share"\nfleet_details = true\nkeep_days = 9', "../share", True),
    ],
)
def test_a_fleets_folder_is_relative_to_the_file(
    tmp_path: Path, text: str, folder: str, details: bool
) -> None:
    """Whether it is there, whoever writes or reads finds out: it may hang."""
    (tmp_path / WORKSPACE_FILE).write_text(text, encoding="utf-8")
    workspace = load_workspace(tmp_path)

    assert workspace is not None
    assert workspace.fleet is not None
    assert workspace.fleet.folder == absolute(tmp_path / folder)
    assert workspace.fleet.details is details
    assert workspace.fleet.keep_days == workspace.keep_days


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fleet = 3", "expected a folder, such as"),
        ('fleet = ""', "expected a folder, such as"),
        ('fleet = "smb://server/x"', "expected a folder, not an address"),
        ('fleet = "share"\nfleet_details = 1', "expected true or false"),
        ("fleet_details = true", "has no effect without the key `fleet`"),
        ('flet = "share"', "fleet"),
        pytest.param(
            'fleet = "//server/share/x"',
            "only Windows opens a share by its name",
            marks=pytest.mark.skipif(
                sys.platform == "win32", reason="of other systems"
            ),
        ),
        pytest.param(
            "fleet = '\\\\server\\share'",
            "only Windows opens a share by its name",
            marks=pytest.mark.skipif(
                sys.platform == "win32", reason="of other systems"
            ),
        ),
    ],
)
def test_a_wrong_fleet_is_an_error(tmp_path: Path, text: str, words: str) -> None:
    """With what to write."""
    (tmp_path / WORKSPACE_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match=words):
        load_workspace(tmp_path)


def test_defaults_hold_where_a_project_is_silent(
    tmp_path: Path, make_project: MakeProject
) -> None:
    """A project's own key wins over the default for all."""
    (tmp_path / WORKSPACE_FILE).write_text(
        '[defaults]\ntimeout = "10m"\nretries = 3\nlanguage = "fr"\n',
        encoding="utf-8",
    )
    folder = make_project(retries=1)

    workspace = load_workspace(tmp_path)
    assert workspace is not None
    project = load_project(folder, defaults=workspace.defaults)

    assert project.language == "fr"
    assert project.scripts[0].timeout == 600.0
    assert project.scripts[0].retries == 1


def test_every_problem_of_the_file_is_reported(tmp_path: Path) -> None:
    """Unknown keys, wrong defaults and patterns without a match, all at once."""
    (tmp_path / WORKSPACE_FILE).write_text(
        'projects = ["none/*", 3]\nkeep_day = 1\ncluster = "tcp://x"\n'
        '[defaults]\ntimeout = "soon"\nscripts = ["a.py"]\nremind = "soon"\n'
        'heartbeat_url = "ftp://x/s3cret"\n',
        encoding="utf-8",
    )

    with pytest.raises(InvalidConfiguration) as caught:
        load_workspace(tmp_path)
    problems = {p.key: p.message for p in caught.value.problems}

    assert "did you mean keep_days?" in problems["keep_day"]
    assert "found 3" in problems["projects[1]"]
    assert '"45s"' in problems["defaults.timeout"]
    assert "unknown key" in problems["defaults.scripts"]
    assert '"1d"' in problems["defaults.remind"]
    assert "https://" in problems["defaults.heartbeat_url"]
    assert "s3cret" not in str(caught.value)
    assert '"tcp://scheduler:8786"' in problems["cluster"]


def test_a_pattern_that_matches_nothing_is_a_problem(tmp_path: Path) -> None:
    """A folder that was renamed leaves the series loudly, and stops no other project."""
    file = tmp_path / WORKSPACE_FILE
    file.write_text('projects = ["x/*", "p"]', encoding="utf-8")

    workspace = load_workspace(tmp_path)
    assert workspace
    pattern, project = workspace.projects
    assert project == tmp_path / "p"
    with pytest.raises(ConfigurationNotFound, match=r"matches .*x.\*"):
        load_project(pattern)


@pytest.mark.parametrize("path", [r"C:\enc", r"C:\users\p", r"D:\Projets", r"\\nas\x"])
def test_the_backslashes_of_a_path_are_told(tmp_path: Path, path: str) -> None:
    """In TOML as in JSON; a text between single quotes is taken as it stands."""
    file = tmp_path / WORKSPACE_FILE
    file.write_text(f'projects = ["{path}"]', encoding="utf-8")
    with pytest.raises(InvalidConfiguration, match=r"malformed TOML: .*in paths"):
        load_workspace(tmp_path)

    file.write_text(f"projects = ['{path}']", encoding="utf-8")
    assert load_workspace(tmp_path)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        (r"C:\temp\reports", r'C:\\temp\\reports"'),
        (r"D:\new/*", r'D:\\new/*"'),
        (r"shared\finance/*", r'shared\\finance/*"'),
    ],
)
def test_a_backslash_that_was_an_escape_is_told(
    tmp_path: Path, path: str, meant: str
) -> None:
    """What stands for a tab or a line break leaves a path that nobody has written."""
    file = tmp_path / WORKSPACE_FILE
    file.write_text(f'projects = ["{path}"]', encoding="utf-8")

    def load() -> None:
        workspace = load_workspace(tmp_path)
        assert workspace
        load_project(workspace.projects[0])

    with pytest.raises(PythonRunnerError) as told:
        load()

    # Windows writes a slash as a backslash, too.
    said = str(told.value).replace(r"\\*", "/*")
    assert "in paths" in said or meant in said


def test_malformed_toml_is_told_with_its_place(tmp_path: Path) -> None:
    """A syntax error names line and column."""
    (tmp_path / WORKSPACE_FILE).write_text("projects = [\n", encoding="utf-8")

    with pytest.raises(InvalidConfiguration, match=r"malformed TOML: .*(line|end)"):
        load_workspace(tmp_path)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('cluster = "tcp://s:8786"', ClusterPlace(address="tcp://s:8786")),
        ('cluster = "tls://[::1]:1/"', ClusterPlace(address="tls://[::1]:1")),
        ('cluster = "local:4"', ClusterPlace(address="local:4")),
        (
            '[cluster]\naddress = "tcp://s:1"\n[cluster.paths]\n"/a" = "/b"',
            ClusterPlace(address="tcp://s:1", paths={"/a": "/b"}),
        ),
        ('[cluster.paths]\n"/a" = "/b"', ClusterPlace(paths={"/a": "/b"})),
    ],
)
def test_where_scripts_run(
    tmp_path: Path, written: str, expected: ClusterPlace
) -> None:
    """An address alone, or a table with what folders are called there."""
    (tmp_path / "python-runner.toml").write_text(written, encoding="utf-8")
    found = load_workspace(tmp_path)
    assert found
    assert found.cluster == expected
    assert found.place == (expected if expected.address else None)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        ('cluster = "local:0"', "cluster"),
        ('cluster = "http://s:1"', "cluster"),
        ('cluster = "tcp://s"', "cluster"),
        ("cluster = 4", "cluster"),
        ('[cluster]\naddress = "here"', "cluster.address"),
        ('[cluster]\nadress = "tcp://s:1"', "cluster.adress"),
        ("[cluster.paths]\na = 1", "cluster.paths.a"),
        ('[cluster.paths]\na = "/b"', "cluster.paths.a"),
        ('[cluster.paths]\n"/a" = "b/c"', "cluster.paths./a"),
        ("[cluster.paths]\n'C:jobs' = '/b'", "cluster.paths.C:jobs"),
    ],
)
def test_a_wrong_cluster_is_named(tmp_path: Path, written: str, key: str) -> None:
    """Every problem is told with its key."""
    (tmp_path / "python-runner.toml").write_text(written, encoding="utf-8")
    with pytest.raises(InvalidConfiguration) as caught:
        load_workspace(tmp_path)
    assert [problem.key for problem in caught.value.problems] == [key]


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("local:2", True),
        ("tls://scheduler:8786", True),
        ("tcp://127.0.0.1:8786", True),
        ("tcp://[::1]:8786", True),
        ("tcp://127.1.2.3:8786", True),
        # Where a name leads is decided elsewhere.
        ("tcp://localhost:8786", False),
        ("tcp://127.0.0.1.example.org:8786", False),
        ("tcp://127.0.0.1@example.org:8786", False),
        ("tcp://[127.0.0.1:8786", False),
        ("tcp://0.0.0.0:8786", False),
        ("tcp://scheduler:8786", False),
        ("tcp://10.0.0.1:8786", False),
    ],
)
def test_who_can_read_what_is_sent(address: str, private: bool) -> None:
    """Nobody else where it is encrypted, or stays on this computer."""
    assert ClusterPlace(address=address).is_private is private
