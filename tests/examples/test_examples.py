"""The examples in ``examples/``: one project as steps of Airflow, Prefect and Slurm.

What every run tests is what needs none of the three. The weekly run installs Airflow and
Prefect into environments of their own, and runs a cluster of Slurm with one node.
"""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import venv
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner.exit_codes import (
    EXIT_DOCUMENT,
    EXIT_FAILURE,
    EXIT_INTERRUPTED,
    EXIT_REPORT,
    EXIT_SKIPPED,
    EXIT_SUCCESS,
    EXIT_TERMINATED,
    EXIT_USAGE,
)
from tests.documents import blocks
from tests.instruments.cases import LONG
from tests.support import BAD, GOOD, mails, wait_until


if sys.platform == "win32":
    pytest.skip("none of the three runs on Windows", allow_module_level=True)

from tests.servers import slurm


if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support import Cli, MakeProject

pytestmark = pytest.mark.posix

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted((ROOT / "examples").iterdir())
#: Where the examples say that the project lies.
PLACE = "/srv/projects/sales"
#: Starts one system on the examples in a folder; says whether it calls the series good.
Series = Callable[["World"], bool]
weekly = pytest.mark.skipif(not LONG, reason="the weekly run has time for it")


@dataclass
class World:
    """The project of the examples, and the examples with its folder in them."""

    folder: Path
    project: Path
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """What the systems are started with: the command is on their PATH."""
        programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": programs} | self.variables

    def answering(self, code: int) -> None:
        """Put a command in the place of ours that ends with an exit code."""
        stand_in = self.folder / "bin" / "python-runner"
        stand_in.parent.mkdir(exist_ok=True)
        stand_in.write_text(f"#!/bin/sh\nexit {code}\n", encoding="ascii")
        stand_in.chmod(0o755)
        self.variables["PATH"] = f"{stand_in.parent}{os.pathsep}{self.environ['PATH']}"

    def start(self, *command: object, **variables: str) -> subprocess.Popen[str]:
        """Start a program beside the examples."""
        return subprocess.Popen(
            [*map(str, command)],
            cwd=self.folder,
            env=self.environ | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def run(self, *command: object, **variables: str) -> tuple[int, str]:
        """Run a program beside the examples; return its exit code and what it says."""
        with self.start(*command, **variables) as process:
            said, _ = process.communicate()
        print(said)  # noqa: T201 - pytest shows it where the test fails
        return process.returncode, said


@pytest.fixture
def world(tmp_path: Path, make_project: MakeProject, mail_dir: Path) -> World:
    """Return the examples beside a project of two scripts that succeed."""
    project = make_project(
        "sales",
        {"import.py": GOOD, "report.py": GOOD},
        recipients=["ann@example.com"],
        email_strategy="failure_only",
        retries=1,
        retry_delay="1s",
    )
    assert not mail_dir.exists()
    folder = tmp_path / "examples"
    folder.mkdir()
    for example in EXAMPLES:
        text = example.read_text(encoding="utf-8").replace(PLACE, str(project))
        (folder / example.name).write_text(text, encoding="utf-8")
    return World(folder, project)


def runs(cli: Cli) -> list[tuple[str, str, int]]:
    """Return script, outcome and number of attempts of each run, the first one first."""
    document = json.loads(cli("history", "--json").stdout)
    return [
        (script["script"], script["status"], script["attempts"])
        for run in reversed(document["runs"])
        for script in run["scripts"]
    ]


# --- what every run tests ---


@pytest.mark.source
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
@pytest.mark.parametrize("page", ["docs/scale.md", "docs/scale.fr.md"])
def test_the_page_shows_the_examples_as_they_are(example: Path, page: str) -> None:
    """Under their names, in both languages."""
    shown = {block.file: block.text for block in blocks(page) if block.file}
    assert shown[f"examples/{example.name}"] == example.read_text(encoding="utf-8")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_a_program(example: Path) -> None:
    """Python reads the one kind, the shell the other."""
    if example.suffix == ".py":
        ast.parse(example.read_text(encoding="utf-8"))
    else:
        subprocess.run(["bash", "-n", example], check=True)


@pytest.mark.parametrize("name", ["airflow_dag.py", "prefect_flow.py", "slurm_step.sh"])
def test_the_command_in_an_example_is_one_of_ours(
    name: str, world: World, cli: Cli
) -> None:
    """It says what it would run: the script and no other one."""
    text = (ROOT / "examples" / name).read_text(encoding="utf-8")
    (command,) = re.findall(r'"?python-runner"?,? "?run.*?only.*?script', text)
    words = [
        str(world.project) if "project" in word.lower() else word
        for word in re.findall(r"[\w$.{}-]+", command)
    ]
    words[-1] = "import.py"

    done = cli(*words[1:], "--dry-run")

    assert done.returncode == 0, done.stderr
    assert "import.py" in done.stdout
    assert "report.py" not in done.stdout


@pytest.mark.parametrize(
    ("code", "of_the_job"),
    [
        (EXIT_SUCCESS, 0),
        (EXIT_FAILURE, 1),
        (EXIT_USAGE, 2),
        (EXIT_SKIPPED, 3),
        (EXIT_REPORT, 0),
        (EXIT_DOCUMENT, 0),
        (EXIT_INTERRUPTED, 130),
    ],
)
def test_only_a_script_that_failed_fails_a_job_of_slurm(
    code: int, of_the_job: int, world: World
) -> None:
    """4 and 5 mean that the scripts succeeded."""
    world.answering(code)
    ended, _ = world.run("bash", "slurm_step.sh", world.project, "import.py")
    assert ended == of_the_job


def test_a_job_of_slurm_that_is_cancelled_stops_its_script(
    world: World, cli: Cli
) -> None:
    """The script's end is recorded before the job ends."""
    started = world.project / "started"
    source = f"open({str(started)!r}, 'w').close()\nimport time\ntime.sleep(600)"
    (world.project / "import.py").write_text(source, encoding="utf-8")
    with world.start("bash", "slurm_step.sh", world.project, "import.py") as job:
        wait_until(started.exists)
        job.send_signal(signal.SIGTERM)
        job.communicate()

    assert job.returncode == EXIT_TERMINATED
    assert runs(cli) == [("import.py", "stopped", 1)]


# --- the three systems, once a week ---


def environment(folder: Path, *packages: str) -> Path:
    """Make a virtual environment with packages; return the folder of its programs."""
    venv.create(folder, with_pip=True)
    programs = folder / "bin"
    subprocess.run(
        [programs / "python", "-m", "pip", "install", "-q", *packages], check=True
    )
    return programs


def airflow(folder: Path) -> Iterator[Series]:
    """Run the DAG as a test of Airflow does: all tasks, in order, in one process."""
    programs = environment(folder / "venv", "apache-airflow>=3,<4")

    def series(world: World) -> bool:
        variables = {
            "AIRFLOW_HOME": str(world.folder / "airflow"),
            "AIRFLOW__CORE__DAGS_FOLDER": str(world.folder),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        }
        code, said = world.run(programs / "airflow", "db", "migrate", **variables)
        assert code == 0, said
        _, said = world.run(
            programs / "airflow", "dags", "test", "sales", "2026-01-05", **variables
        )
        return "state=success" in said

    yield series


def prefect(folder: Path) -> Iterator[Series]:
    """Run the flow as a program; Prefect starts a server for it."""
    programs = environment(folder / "venv", "prefect>=3,<4")

    def series(world: World) -> bool:
        variables = {
            "PREFECT_HOME": str(world.folder / "prefect"),
            # A busy machine takes longer than 20 s to start its server.
            "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "600",
        }
        code, _ = world.run(programs / "python", "prefect_flow.py", **variables)
        return code == 0

    yield series


def slurm_series(folder: Path) -> Iterator[Series]:
    """Submit the series, and wait until no job of it is left."""
    if not slurm.is_installed():
        pytest.skip("slurmctld, slurmd and munge are not installed")
    with slurm.slurm(folder) as variables:

        def series(world: World) -> bool:
            world.variables |= variables
            code, said = world.run("bash", "slurm_series.sh")
            assert code == 0, said
            jobs = re.findall(r"job (\d+)", said)
            ended: dict[str, str] = {}

            def have_ended() -> bool:
                for job in jobs:
                    command = ["scontrol", "-o", "show", "job", job]
                    shown = subprocess.check_output(
                        command, env=world.environ, text=True
                    )
                    ended[job] = re.findall(r"JobState=(\w+)", shown)[0]
                return not {*ended.values()} & {"PENDING", "RUNNING", "COMPLETING"}

            wait_until(have_ended)
            return {*ended.values()} == {"COMPLETED"}

        yield series


SYSTEMS = {"airflow": airflow, "prefect": prefect, "slurm": slurm_series}


@pytest.fixture(scope="module", params=SYSTEMS)
def series(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Series]:
    """Return what runs the series under one of the systems."""
    yield from SYSTEMS[request.param](tmp_path_factory.mktemp(request.param))


@weekly
def test_each_system_runs_the_series(series: Series, world: World, cli: Cli) -> None:
    """One run of Python Runner a script, in the order of the example."""
    assert series(world)
    assert runs(cli) == [("import.py", "success", 1), ("report.py", "success", 1)]
    assert not (world.folder.parent / "mails").exists()


@weekly
def test_a_failure_ends_the_series_and_is_mailed_once(
    series: Series, world: World, cli: Cli, mail_dir: Path
) -> None:
    """Python Runner repeats and mails; the system does neither."""
    (world.project / "import.py").write_text(BAD, encoding="utf-8")

    assert not series(world)

    assert runs(cli) == [("import.py", "failure", 2)]
    (mail,) = mails(mail_dir)
    assert "KeyError" in mail["Subject"]


@weekly
@pytest.mark.parametrize("series", ["slurm"], indirect=True)
def test_a_cancelled_job_stops_its_script(
    series: Series, world: World, cli: Cli
) -> None:
    """The script itself cancels its job, as the page tells to do it."""
    (world.project / "import.py").write_text(
        "import os, subprocess, time\n"
        "command = ['scancel', '--batch', '--signal=TERM', os.environ['SLURM_JOB_ID']]\n"
        "subprocess.run(command, check=True)\n"
        "time.sleep(600)\n",
        encoding="utf-8",
    )

    assert not series(world)
    assert runs(cli) == [("import.py", "stopped", 1)]


@weekly
def test_a_report_that_was_given_up_fails_no_task(series: Series, world: World) -> None:
    """Its script has succeeded."""
    world.answering(EXIT_REPORT)
    assert series(world)
