"""The runners that are compared, each told in its own way to run the same scripts."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from benchmarks import environments
from benchmarks.timing import Start


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from benchmarks.environments import Environment

#: The repository of the original library; its name on the package index is another's.
ORIGINAL = "git+https://github.com/Rayanworkout/python_runner"


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one peer is to run.

    Attributes:
        folder: where the scripts lie, and the peer's own files.
        scripts: their files, in order.
        python: the interpreter that runs them.
        parallel: how many run at a time.
        preload: modules that a peer may import ahead of the scripts.
    """

    folder: Path
    scripts: Sequence[Path]
    python: str
    parallel: int = 1
    preload: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The names of the scripts."""
        return [script.name for script in self.scripts]

    def write(self, name: str, text: str) -> None:
        """Write a file of the peer."""
        (self.folder / name).write_text(text, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One runner.

    Attributes:
        name: as people know it.
        start: writes what it needs into the folder of a job; returns what to start.
        requirement: what pip installs into its environment; "" where nothing is.
        program: a program that the machine must have.
        greet: the arguments after the program with which it does nothing but start;
            None where it has no such thing.
        pairs: whether it can run two scripts at a time.
        server: whether it is a service that goes on when the work is done.
    """

    name: str
    start: Callable[[Environment, Job], Start]
    requirement: str = ""
    program: str = ""
    greet: tuple[str, ...] | None = None
    pairs: bool = True
    server: bool = False


def _shell(_environment: Environment, job: Job) -> Start:
    job.write("list", "".join(f"{name}\n" for name in job.names))
    if job.parallel > 1:
        command = f"xargs -P {job.parallel} -n 1 '{job.python}' <list"
    else:
        command = f"for s in s*.py; do '{job.python}' $s; done"
    return Start(command=["sh", "-c", command])


def _logging_shell(_environment: Environment, job: Job) -> Start:
    job.write("list", "".join(f"{name}\n" for name in job.names))
    job.write(
        "one.sh",
        f"""\
begin=$(date +%s.%N)
'{job.python}' "$1" >"$1.log" 2>&1
code=$?
echo "$begin $(date +%s.%N) $1 $code" >>log
""",
    )
    if job.parallel > 1:
        command = f"xargs -P {job.parallel} -n 1 sh one.sh <list"
    else:
        command = "for s in s*.py; do set -- $s; . ./one.sh; done"
    return Start(command=["sh", "-c", command])


def _parallel(_environment: Environment, job: Job) -> Start:
    program = environments.find_program("parallel")
    options = ["--will-cite", f"-j{job.parallel}", "--joblog", "log"]
    return Start(command=[program, *options, job.python, ":::", *job.names])


def _subprocess(_environment: Environment, job: Job) -> Start:
    job.write(
        "loop.py",
        f"""\
import subprocess
from concurrent.futures import ThreadPoolExecutor

def run(name):
    return subprocess.run([{job.python!r}, name], capture_output=True, check=False)

names = {job.names!r}
if {job.parallel} > 1:
    with ThreadPoolExecutor({job.parallel}) as pool:
        done = [*pool.map(run, names)]
else:
    done = [run(name) for name in names]
raise SystemExit(any(one.returncode for one in done))
""",
    )
    return Start(command=[environments.real_interpreter(), "-I", "loop.py"])


def _original(environment: Environment, job: Job) -> Start:
    job.write(
        "series.py",
        f"""\
from python_runner import Runner
runner = Runner({str(job.folder)!r}, ["nobody@example.org"])
names = {[str(script) for script in job.scripts]!r}
runner.run(names, {job.python!r}, email_strategy="none", include_traceback=True)
""",
    )
    environ = {"LOGIN_MAIL": "nobody@example.org", "PASSWORD_MAIL": "none"}
    return Start(command=[environment.python, "series.py"], environ=environ)


def _doit(environment: Environment, job: Job) -> Start:
    job.write(
        "dodo.py",
        f"""\
DOIT_CONFIG = {{"verbosity": 0}}

def task_script():
    for name in {job.names!r}:
        yield {{"name": name, "actions": [[{job.python!r}, name]]}}
""",
    )
    command = [environment.program("doit"), "run", "--continue"]
    if job.parallel > 1:
        command += ["-n", str(job.parallel)]
    return Start(command=command)


def _invoke(environment: Environment, job: Job) -> Start:
    job.write(
        "tasks.py",
        f"""\
import invoke

@invoke.task
def series(context):
    failed = 0
    for name in {job.names!r}:
        done = context.run(f"'{job.python}' {{name}}", hide=True, warn=True)
        failed += not done.ok
    raise SystemExit(failed > 0)
""",
    )
    return Start(command=[environment.program("invoke"), "series"])


def _nox(environment: Environment, job: Job) -> Start:
    job.write(
        "noxfile.py",
        f"""\
import nox

@nox.session(venv_backend="none")
@nox.parametrize("name", {job.names!r})
def script(session, name):
    session.run({job.python!r}, name, external=True, silent=True)
""",
    )
    command = [environment.program("nox"), "--no-color"]
    if job.parallel > 1:
        command += ["--allow-parallel", "--parallel", str(job.parallel)]
    return Start(command=command)


def _luigi(environment: Environment, job: Job) -> Start:
    job.write(
        "series.py",
        f"""\
import subprocess
import luigi

class Script(luigi.Task):
    name = luigi.Parameter()

    def output(self):
        return luigi.LocalTarget(f"{{self.name}}.log")

    def run(self):
        done = subprocess.run([{job.python!r}, self.name], capture_output=True, check=True)
        with open(f"{{self.name}}.log", "wb") as log:
            log.write(done.stdout)

class Series(luigi.WrapperTask):
    def requires(self):
        return [Script(name=name) for name in {job.names!r}]
""",
    )
    module = [environment.python, "-m", "luigi", "--module", "series", "Series"]
    options = ["--local-scheduler", "--workers", str(job.parallel)]
    return Start(command=[*module, *options], environ={"PYTHONPATH": "."})


def _snakemake(environment: Environment, job: Job) -> Start:
    job.write(
        "Snakefile",
        f"""\
rule all:
    input: {[f"{name}.log" for name in job.names]!r}

rule script:
    input: "{{name}}.py"
    output: "{{name}}.py.log"
    shell: "'{job.python}' {{input}} > {{output}} 2>&1"
""",
    )
    command = [environment.program("snakemake"), "--quiet", "all", "--keep-going"]
    environ = {"XDG_CACHE_HOME": str(job.folder), "HOME": str(job.folder)}
    return Start(command=[*command, "--cores", str(job.parallel)], environ=environ)


def _prefect(environment: Environment, job: Job) -> Start:
    job.write(
        "series.py",
        f"""\
import subprocess
from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

@task
def script(name):
    subprocess.run([{job.python!r}, name], capture_output=True, check=True)

@flow(task_runner=ThreadPoolTaskRunner(max_workers={job.parallel}))
def series():
    started = [script.submit(name) for name in {job.names!r}]
    for future in started:
        future.wait()

series()
""",
    )
    environ = {
        "PREFECT_HOME": str(job.folder / "home"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
        "DO_NOT_TRACK": "1",
    }
    return Start(command=[environment.python, "series.py"], environ=environ)


def _runrail(environment: Environment, job: Job) -> Start:
    tasks = [
        f"  - {{name: {script.stem}, task_type: shell,"
        f" command: \"'{job.python}' '{script}'\"}}\n"
        for script in job.scripts
    ]
    head = "workflows:\n- name: series\n  enabled: true\n  tasks:\n"
    job.write("series.yaml", head + "".join(tasks))
    program = environment.program("runrail")
    return Start(
        command=[program, "worker", "--concurrency", "1"],
        environ={
            "RUNRAIL_HOME": str(job.folder / "home"),
            "RUNRAIL_TASK_PARALLELISM": str(job.parallel),
        },
        before=[[program, "apply", "series.yaml"], [program, "run", "series"]],
        server=True,
    )


def _cronstable(environment: Environment, job: Job) -> Start:
    jobs = [
        f"  - name: {script.stem}\n    schedule: '@reboot'\n    pool: series\n"
        f"    command: \"'{job.python}' '{script}'\"\n"
        for script in job.scripts
    ]
    head = (
        f"state:\n  path: {job.folder / 'state'}\n"
        f"pools:\n  series:\n    slots: {job.parallel}\njobs:\n"
    )
    job.write("series.yaml", head + "".join(jobs))
    command = [environment.program("cronstable"), "-c", "series.yaml"]
    return Start(command=command, server=True)


def _ours(_environment: Environment, job: Job, **keys: object) -> Start:
    config = {
        "scripts": job.names,
        "python_command": job.python,
        "recipients": [],
        "email_strategy": "none",
        "include_traceback": True,
        "logs_backup_count": 0,
        "max_parallel": job.parallel,
        **keys,
    }
    job.write("exec_config.json", json.dumps(config))
    command = [sys.executable, "-m", "python_runner", "run", "--quiet", "."]
    home = {"PYTHON_RUNNER_HOME": str(job.folder / "home")}
    return Start(command=command, environ=home)


def _warm(environment: Environment, job: Job) -> Start:
    return _ours(environment, job, warm=True)


def _forked(environment: Environment, job: Job) -> Start:
    return _ours(environment, job, warm=True, preload=[*job.preload])


#: The one that all others are measured against.
REFERENCE = "sh loop"
OURS = "Python Runner"
#: Ours with the next interpreter started ahead, and with modules imported ahead.
WARM = f"{OURS}, warm"
PRELOADED = f"{OURS}, warm, preload"


def all_peers(original: str = ORIGINAL) -> dict[str, Peer]:
    """Return every peer by its name, the reference first.

    ``original`` is what pip installs for the original library.
    """
    peers = (
        Peer(name=REFERENCE, start=_shell, greet=("sh", "-c", ":")),
        Peer(name="sh loop that logs", start=_logging_shell),
        Peer(name="GNU parallel", start=_parallel, program="parallel"),
        Peer(name="subprocess.run loop", start=_subprocess),
        Peer(
            name="the original",
            start=_original,
            requirement=original,
            pairs=False,
            greet=("python", "-c", "import python_runner"),
        ),
        Peer(name="doit", start=_doit, requirement="doit", greet=("doit", "--version")),
        Peer(
            name="invoke",
            start=_invoke,
            requirement="invoke",
            pairs=False,
            greet=("invoke", "--version"),
        ),
        Peer(name="nox", start=_nox, requirement="nox", greet=("nox", "--version")),
        Peer(
            name="Luigi",
            start=_luigi,
            requirement="luigi",
            greet=("python", "-m", "luigi", "--help"),
        ),
        Peer(
            name="Snakemake",
            start=_snakemake,
            requirement="snakemake",
            greet=("snakemake", "--version"),
        ),
        Peer(
            name="Prefect",
            start=_prefect,
            requirement="prefect",
            greet=("prefect", "--version"),
        ),
        Peer(
            name="RunRail",
            start=_runrail,
            requirement="runrail",
            server=True,
            greet=("runrail", "--help"),
        ),
        Peer(
            name="cronstable",
            start=_cronstable,
            requirement="cronstable",
            server=True,
            greet=("cronstable", "--version"),
        ),
        Peer(name=OURS, start=_ours, greet=("-m", "python_runner", "--version")),
        Peer(name=WARM, start=_warm),
        Peer(name=PRELOADED, start=_forked),
    )
    return {peer.name: peer for peer in peers}
