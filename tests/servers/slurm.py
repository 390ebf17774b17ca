"""A cluster of Slurm with one node: this computer, as this user, on loopback."""

from __future__ import annotations

import getpass
import os
import secrets
import shutil
import socket
import subprocess
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: What Debian's packages slurmctld, slurmd, slurm-client and munge bring.
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch")
_CONFIG = """\
ClusterName=one
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
SlurmUser={user}
SlurmdUser={user}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MailProg=/bin/true
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=2 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES State=UP
"""


def is_installed() -> bool:
    """Say whether Slurm is here; its servers lie beside what root types."""
    return all(_program(name) for name in PROGRAMS)


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin")


@contextmanager
def slurm(folder: Path) -> Iterator[dict[str, str]]:
    """Run the cluster; give the variables with which its commands find it."""
    for name in ("state", "spool"):
        (folder / name).mkdir()
    key = folder / "munge.key"
    key.write_bytes(secrets.token_bytes(1024))
    key.chmod(0o600)
    config = folder / "slurm.conf"
    config.write_text(
        _CONFIG.format(
            host=socket.gethostname().partition(".")[0],
            user=getpass.getuser(),
            folder=folder,
            controller=_free_port(),
            node=_free_port(),
        ),
        encoding="utf-8",
    )
    variables = {"SLURM_CONF": str(config)}
    munge = ["munged", "--force", "--foreground", f"--key-file={key}"]
    for option, file in {
        "socket": "munge.sock",
        "pid-file": "munge.pid",
        "log-file": "munge.log",
        "seed-file": "munge.seed",
    }.items():
        munge.append(f"--{option}={folder / file}")
    with ExitStack() as servers:
        servers.enter_context(_running(munge, folder, variables))
        wait_until((folder / "munge.sock").exists)
        servers.enter_context(_running(["slurmctld", "-D"], folder, variables))
        servers.enter_context(_running(["slurmd", "-D"], folder, variables))
        wait_until(lambda: "idle" in _nodes(variables))
        yield variables


@contextmanager
def _running(
    command: list[str], folder: Path, variables: dict[str, str]
) -> Iterator[None]:
    program = _program(command[0])
    assert program
    with (folder / f"{command[0]}.out").open("wb") as out:
        server = subprocess.Popen(
            [program, *command[1:]],
            cwd=folder,
            env=os.environ | variables,
            stdout=out,
            stderr=out,
        )
    try:
        yield
    finally:
        server.terminate()
        server.wait(60)


def _nodes(variables: dict[str, str]) -> str:
    asked = subprocess.run(
        ["sinfo", "-h", "-o", "%T"],
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    return asked.stdout


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])
