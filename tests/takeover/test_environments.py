"""Which interpreter a folder speaks of."""

from __future__ import annotations

import pytest

from python_runner.takeover.environments import candidates


pytestmark = pytest.mark.pure

HOME = "/home/ann"


def found(files: dict[str, str], *, windows: bool = False) -> list[object]:
    """Return the commands of a folder with these files, the likeliest first."""
    folders = {path.partition("/")[0] for path in files if "/" in path}
    return [
        candidate.command
        for candidate in candidates(
            folders,
            files.get,
            files.__contains__,
            conda=[f"{HOME}/miniconda3/envs/sales"],
            pythons=[
                f"{HOME}/.pyenv/versions/{v}" for v in ("3.12.2", "3.12.10", "3.1.0")
            ],
            windows=windows,
        )
    ]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, []),
        ({".venv/pyvenv.cfg": ""}, [None]),
        ({"venv/pyvenv.cfg": "", "venv/bin/python": ""}, [None]),
        ({"env39/pyvenv.cfg": "", "env39/bin/python": ""}, ["env39/bin/python"]),
        ({".venv/Scripts/python.exe": ""}, [".venv/Scripts/python"]),
        ({"uv.lock": ""}, [("uv", "run", "python")]),
        ({"pyproject.toml": "[tool.uv.sources]\n"}, [("uv", "run", "python")]),
        ({"pyproject.toml": "[tool.poetry]\n"}, [("poetry", "run", "python")]),
        ({"pyproject.toml": "[tool.ruff]\n"}, []),
        ({"Pipfile": ""}, [("pipenv", "run", "python")]),
        (
            {"environment.yml": "name: sales\ndependencies: [python=3.12]\n"},
            [
                f"{HOME}/miniconda3/envs/sales/bin/python",
                ("conda", "run", "--no-capture-output", "-n", "sales", "python"),
            ],
        ),
        (
            {"environment.yaml": 'name: "other" # here\n'},
            [("conda", "run", "--no-capture-output", "-n", "other", "python")],
        ),
        (
            {".python-version": "# pinned\n3.12.2\n"},
            [f"{HOME}/.pyenv/versions/3.12.2/bin/python", "python3.12"],
        ),
        ({".python-version": "system\n"}, []),
        ({"uv.lock": "", ".venv/pyvenv.cfg": ""}, [None, ("uv", "run", "python")]),
    ],
)
def test_environments(files: dict[str, str], expected: list[object]) -> None:
    """The project's own comes first, and needs no name where it is found by default."""
    assert found(files) == expected


def test_the_newest_of_a_version_is_taken() -> None:
    """A version of two numbers means its last one; another one begins alike."""
    assert found({".python-version": "3.12"}) == [
        f"{HOME}/.pyenv/versions/3.12.10/bin/python",
        f"{HOME}/.pyenv/versions/3.12.2/bin/python",
        "python3.12",
    ]
    assert found({".python-version": "3.12"}, windows=True)[-1] == ("py", "-3.12")
