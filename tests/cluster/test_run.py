"""``run --on``: the same as here, by the same command, in worker processes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import trustme

from tests.support import COMMAND, mails, wait_until


if TYPE_CHECKING:
    from tests.servers.authority import Authority
    from tests.support import Cli, MakeProject

ZOO = Path(__file__).parents[1] / "execution" / "zoo"
#: Bad scripts that end in the same way wherever they run, with their options.
BEASTS: dict[str, dict[str, Any]] = {
    "closes_output.py": {},
    "dirty_bytes.py": {},
    "exit_256.py": {},
    "exit_error.py": {},
    "exit_message.py": {},
    "floods.py": {"args": ["3000000", "lines"]},
    "hard_exit.py": {"retries": 1, "retry_delay": 0.1},
    "reads_input.py": {},
    "thread_error.py": {},
    "missing.py": {},
    "accents.py": {"args": ["é € 🐍"]},
    "ends_politely.py": {"timeout": "1s"},
}
POSIX_BEASTS: dict[str, dict[str, Any]] = {
    "kills_itself.py": {},
    "segfault.py": {},
    "stops_itself.py": {"timeout": "1s"},
}


#: Fails with characters that few encodings have, in its output, a path and its message.
ACCENTS = """if True:
    import sys
    print("reçu :", *sys.argv[1:], "\N{NO-BREAK SPACE}\\x00 \N{RIGHT-TO-LEFT MARK}")
    open("données.txt", "w", encoding="utf-8").write("é")
    raise ValueError("montant : 3 € 🐍")
"""


def _plain(text: str) -> str:
    """Return a text without what differs between two runs of one series."""
    text = re.sub(r"project_[ab]", "project", text)
    text = re.sub(r"(?<![0-9a-f])(?:[0-9a-f]{13}|[0-9a-f]{7})(?![0-9a-f])", "ID", text)
    text = re.sub(
        r"\d{4}-\d\d-\d\d[T _]\d\d[:-]\d\d[:-]\d\d(,\d+|\.\d+)?", "TIME", text
    )
    text = re.sub(r"process(es)? \d+", "process N", text)
    text = re.sub(r"0x[0-9a-f]+|Boundary.*|=+\d+==", "", text)
    return re.sub(r"\d+[.,]\d+( s| min)?", "SPAN", text)


def _results(document: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what must be the same of each script of a run."""
    varying = re.compile(".*(_at|_seconds|_bytes|unusual)$")
    return [
        {
            key: _plain(json.dumps(value))
            for key, value in script.items()
            if not varying.match(key)
        }
        for script in document["runs"][0]["scripts"]
    ]


@pytest.mark.slow
def test_the_same_wherever_it_runs(
    cli: Cli, make_project: MakeProject, mail_dir: Path, tmp_path: Path
) -> None:
    """One series of bad scripts, by both executors: results, words, log, output, mail."""
    beasts = BEASTS | ({} if sys.platform == "win32" else POSIX_BEASTS)
    found = []
    for name, options in (("project_a", []), ("project_b", ["--on", "local:2"])):
        sources = {
            beast: (ZOO / beast).read_text(encoding="utf-8")
            for beast in (*beasts, "leaves_child.py")
            if (ZOO / beast).exists()
        }
        sources["accents.py"] = ACCENTS
        folder = make_project(
            name,
            sources=sources,
            scripts=[
                *({"path": beast, **own} for beast, own in beasts.items()),
                # What it leaves behind has a folder of its own.
                {"path": "leaves_child.py", "args": [str(tmp_path / "pid")]},
            ],
            recipients=["ann@example.org"],
            email_strategy="all",
            output_limit="100KB",
        )
        done = cli("run", folder, "--json", *options, LOGIN_MAIL="robot@example.org")
        assert done.returncode == 1, done.stderr
        document = json.loads(done.stdout)
        log = (folder / "logs" / f"{name}.log").read_text(encoding="utf-8")
        outputs = {
            file.name: _plain(file.read_text("utf-8", "backslashreplace"))
            for file in sorted((folder / "logs" / "runs").rglob("*.log"))
        }
        mail = mails(mail_dir)[-1]
        body = mail.get_body(("plain",))
        assert body
        found.append(
            {
                "results": _results(document),
                "warnings": document["runs"][0]["warnings"],
                "log": [line.split(" - ")[4:] for line in _plain(log).splitlines()],
                "outputs": outputs,
                "subject": _plain(mail["Subject"]),
                "mail": sorted(_plain(body.get_content()).splitlines()),
            }
        )
    here, there = found
    for part, value in here.items():
        assert there[part] == value, part


@pytest.mark.slow
def test_neither_mail_settings_nor_secrets_of_the_runner_cross(
    cli: Cli, make_project: MakeProject, tmp_path: Path
) -> None:
    """Scripts get what the project and .env give them, masked where it is printed."""
    source = (
        "import os\nfor n, v in sorted(os.environ.items()):\n"
        "    if n[:3] in {'MY_', 'MAI', 'SMT', 'OAU', 'LOG', 'PAS', 'HIS', 'OUR'}:\n"
        "        print(n, '=', *v)\n"
        "print(os.environ['MY_TOKEN'], open('../.env').read())\n"
    )
    (tmp_path / ".env").write_text(
        "LOGIN_MAIL=robot@example.org\nPASSWORD_MAIL=hunter2hunter2\n"
        "SMTP_HOST=relay.example.org\nHIS=from-env\nOUR_COPY=hunter2hunter2\n",
        encoding="utf-8",
    )
    folder = make_project(sources={"main.py": source}, env={"MY_TOKEN": "t0ken-t0ken"})
    done = cli("run", folder, "--on", "local:1", "--json")

    (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
    text = Path(script["output"]).read_text(encoding="utf-8")
    assert text.startswith("HIS = f r o m - e n v\nMY_TOKEN = t 0 k e n")
    assert "LOGIN_MAIL =" not in text
    assert "SMTP_HOST =" not in text
    assert "t0ken-t0ken" not in text
    # What the script finds in a file is masked as well.
    assert "hunter2" not in text
    assert "PASSWORD_MAIL=***" in text


@pytest.mark.slow
@pytest.mark.posix
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_who_stops_all_processes_ends_the_scripts_of_the_workers(
    make_project: MakeProject, name: str
) -> None:
    """As on one computer: the tree ends, the run is recorded, the exit code tells."""
    if sys.platform == "win32":
        pytest.skip("needs signals")
    source = (
        "import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(600)\n"
    )
    folder = make_project(sources={"main.py": source, "next.py": "print(1)"})
    with subprocess.Popen(
        [*COMMAND, "run", str(folder), "--on", "local:1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        start_new_session=True,
    ) as process:
        pid = folder / "pid"
        wait_until(lambda: pid.exists() and pid.read_text(encoding="utf-8"))
        number = signal.Signals[name]
        # A terminal sends it to the worker processes as well; so does `timeout`.
        os.killpg(process.pid, number)
        said, _ = process.communicate(timeout=60)
    assert process.returncode == 128 + number, said
    assert "main.py: stopped" in said
    assert not psutil.pid_exists(int(pid.read_text(encoding="utf-8")))


@pytest.mark.slow
def test_a_cluster_that_is_away_is_reported(
    cli: Cli, make_project: MakeProject, mail_dir: Path, free_port: int
) -> None:
    """Who reads mail in the morning learns that nothing ran, and why."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="failure_only")
    address = f"tcp://127.0.0.1:{free_port}"
    done = cli("run", folder, "--on", address, LOGIN_MAIL="robot@example.org")
    assert done.returncode == 2, done.stderr
    assert f"the cluster {address} cannot be reached" in done.stderr
    assert "cannot be reached" in mails(mail_dir)[0].as_string()


def test_secrets_cross_no_network_in_the_clear(
    cli: Cli, make_project: MakeProject
) -> None:
    """A project with secrets is refused before anything is sent to another computer."""
    folder = make_project(env={"DB_PASSWORD": "hunter2hunter2"})
    done = cli("run", folder, "--on", "tcp://scheduler.invalid:8786")
    assert done.returncode == 2
    assert "DB_PASSWORD: secrets cross no network unencrypted" in done.stderr
    assert "hunter2" not in done.stderr + done.stdout


@pytest.mark.parametrize("where", ["here", "local:0", "local:", "tcp://", "http://x:1"])
def test_a_place_that_is_none(cli: Cli, make_project: MakeProject, where: str) -> None:
    """What --on does not understand is told with what it does."""
    done = cli("run", make_project(), "--on", where)
    assert done.returncode == 2
    assert f'"local:4", found {where}' in done.stderr


@pytest.mark.slow
def test_tls_between_all_of_them(
    cli: Cli,
    make_project: MakeProject,
    tmp_path: Path,
    authority: Authority,
) -> None:
    """With Dask's own settings everything is encrypted, and secrets may cross."""
    from tests.servers.cluster import DaskCluster  # noqa: PLC0415

    folder = make_project(
        sources={"main.py": "import os; print(len(os.environ['DB_PASSWORD']))"},
        env={"DB_PASSWORD": "hunter2hunter2"},
    )
    certificate = authority.ca.issue_cert("127.0.0.1", "localhost")
    pair = tmp_path / "pair.pem"
    certificate.private_key_and_cert_chain_pem.write_to_path(pair)
    variables = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "True"}
    variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(authority.file)
    for role in ("SCHEDULER", "WORKER", "CLIENT"):
        variables[f"DASK_DISTRIBUTED__COMM__TLS__{role}__CERT"] = str(pair)
    space = tmp_path / "dask"
    space.mkdir()
    cluster = DaskCluster(space, "--protocol", "tls", **variables)
    try:
        cluster.worker()
        done = cli("run", folder, "--on", cluster.address, "--json", **variables)
        assert cluster.address.startswith("tls://")
        assert done.returncode == 0, done.stdout + done.stderr
        (script,) = json.loads(done.stdout)["runs"][0]["scripts"]
        assert Path(script["output"]).read_text(encoding="utf-8") == "14\n"
        # Without a certificate nobody gets in.
        done = cli("run", folder, "--on", cluster.address)
        assert done.returncode == 2
        assert "the TLS settings of Dask name no ca-file" in done.stderr
        # Nor does anybody who trusts another authority.
        stranger = tmp_path / "stranger.pem"
        trustme.CA().cert_pem.write_to_path(stranger)
        variables["DASK_DISTRIBUTED__COMM__TLS__CA_FILE"] = str(stranger)
        done = cli("run", folder, "--on", cluster.address, **variables)
        assert done.returncode == 2
        assert "its certificate is not one of the authority in ca-file" in done.stderr
    finally:
        cluster.close()
