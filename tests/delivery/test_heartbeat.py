from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import psutil
import pytest

from python_runner import Runner
from python_runner.delivery.heartbeat import BODY_BYTES, Heartbeat, ping_url
from python_runner.records.store import open_store
from python_runner.report.render import Report
from python_runner.runner.session import local_now
from tests.support import (
    COMMAND,
    GENEROUS,
    Cli,
    MakeProject,
    Serve,
    allow_threads,
    wait_until,
)


if TYPE_CHECKING:
    from pathlib import Path


SILENT, DROP = "<silent>", "<drop>"
SECRET = "5bf66975-d4c7-4bf5-bcc8-b8d8a82ea278"
RUN = "39be3d37aed64"
#: Runs until it finds a file, and says where it is.
WAITS = """
import pathlib, time
pathlib.Path("up").write_text("up")
end = time.monotonic() + 60
while not pathlib.Path("go").exists() and time.monotonic() < end:
    time.sleep(0.02)
"""


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tries of this process follow each other quickly."""
    monkeypatch.setattr("python_runner.delivery.heartbeat._WAITS", (0.02, 0.04, 0.08))


def test_a_ping_without_a_thread_is_a_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is raised, and nobody waits for what was never sent."""
    heartbeat = Heartbeat("http://127.0.0.1:9/ping")
    report = Report(subject="subject", text="text", html="")
    with monkeypatch.context() as patch:
        allow_threads(patch, 0)
        heartbeat.start(RUN)
        heartbeat.end(RUN, report, success=True, language="en")
    (problem,) = heartbeat.finish(60.0)
    assert "can't start new thread" in str(problem)


def rid(request: Any) -> str:
    """Return the run id of a ping, which must be a UUID."""
    (value,) = parse_qs(urlsplit(request.path).query)["rid"]
    return str(uuid.UUID(value))


def address(server: Any, rest: str = SECRET) -> str:
    """Return the heartbeat's address."""
    return f"http://127.0.0.1:{server.port}/{rest}"


def end(heartbeat: Heartbeat, *, success: bool = True, text: str = "text\n") -> None:
    """Tell the end of a run."""
    heartbeat.end(RUN, Report("subject", text, ""), success=success, language="en")


@pytest.mark.parametrize(
    ("url", "what", "expected"),
    [
        ("https://hc.example.org/u", "/start", "https://hc.example.org/u/start?rid="),
        ("https://hc.example.org/u/", "", "https://hc.example.org/u?rid="),
        ("http://h:8000/base/ping/u", "/fail", "http://h:8000/base/ping/u/fail?rid="),
        ("https://h/key/slug?create=1", "/start", "https://h/key/slug/start?create=1&rid="),
        ("https://me:pw@h:1/u#x", "", "https://h:1/u?rid="),
    ],
)  # fmt: skip
def test_the_address_of_a_ping(url: str, what: str, expected: str) -> None:
    """Path, query and port are kept, credentials and fragment are not."""
    made, _, value = ping_url(url, what, RUN).partition("rid=")

    assert made + "rid=" == expected
    assert uuid.UUID(value).version == 5
    assert ping_url(url, what, RUN) == ping_url(url, what, RUN)
    assert ping_url(url, what, RUN) != ping_url(url, what, "0" * 13)


def test_start_and_end_leave_in_order(serve_web: Serve) -> None:
    """Start, then the end with subject and text, under one run id."""
    server = serve_web()
    heartbeat = Heartbeat(address(server))
    heartbeat.start(RUN)
    end(heartbeat, text="x" * 100_000)

    assert heartbeat.finish(10) == ()

    first, second = server.requests
    assert server.paths() == [f"/{SECRET}/start", f"/{SECRET}"]
    assert rid(first) == rid(second)
    assert (first.method, first.body) == ("POST", "")
    assert second.body.startswith("subject\n\nxxx")
    assert BODY_BYTES <= len(second.body.encode()) <= 10_000


@pytest.mark.parametrize(
    ("answers", "tries", "words"),
    [
        ((500, 200), 2, None),
        ((DROP, 429, 200), 3, None),
        ((503,), 4, "HTTP 503"),
        ((404,), 1, "HTTP 404"),
        ((400,), 1, "HTTP 400"),
    ],
)
def test_what_may_pass_is_tried_again(
    serve_web: Serve, answers: tuple[Any, ...], tries: int, words: str | None
) -> None:
    """A server in trouble is asked a few times, one that refuses only once."""
    server = serve_web({f"/{SECRET}": answers})
    heartbeat = Heartbeat(address(server))
    end(heartbeat)

    problems = [str(problem) for problem in heartbeat.finish(10)]

    assert len(server.requests) == tries
    assert len(problems) == (words is not None)
    for problem in problems:
        assert words
        assert words in problem
        assert SECRET not in problem


def test_an_address_the_server_does_not_know(serve_web: Serve) -> None:
    """Healthchecks answers 200 even then, and says so in its text alone."""
    server = serve_web(body=b"OK (not found)")
    heartbeat = Heartbeat(address(server))
    end(heartbeat)

    (problem,) = heartbeat.finish(10)

    assert "OK (not found)" in str(problem)
    assert len(server.requests) == 1


def test_a_silent_server_is_waited_for_no_longer_than_told(serve_web: Serve) -> None:
    """Start and end hang: the whole wait is what was granted, and one sentence."""
    server = serve_web({f"/{SECRET}/start": SILENT, f"/{SECRET}": SILENT})
    heartbeat = Heartbeat(address(server))
    started = time.monotonic()
    heartbeat.start(RUN)
    end(heartbeat)

    (problem,) = heartbeat.finish(1.0)

    assert 0.9 < time.monotonic() - started < GENEROUS
    assert "time-out" in str(problem)


def test_the_newest_ping_is_the_one_to_insist_on(serve_web: Serve) -> None:
    """A start that fails is not tried again once the end is known."""
    server = serve_web({f"/{SECRET}/start": 500})
    heartbeat = Heartbeat(address(server))
    heartbeat.start(RUN)
    end(heartbeat)

    assert len(heartbeat.finish(10)) == 1

    assert server.paths()[-1] == f"/{SECRET}"
    assert server.paths().count(f"/{SECRET}/start") <= 2


def test_credentials_go_to_their_server_alone(serve_web: Serve) -> None:
    """They leave as a header, which no redirect takes elsewhere."""
    other = serve_web()
    server = serve_web({"/u": f"302 {address(other, 'other')}"})
    url = address(server, "u").replace("http://", "http://me:p%40ss@")
    heartbeat = Heartbeat(url)
    end(heartbeat)

    assert heartbeat.finish(10) == ()

    assert server.requests[0].headers["Authorization"] == "Basic bWU6cEBzcw=="
    assert "Authorization" not in other.requests[0].headers


@pytest.mark.fault(
    "secrets",
    "A heartbeat is redirected to another host",
    "The report is not sent there.",
)
def test_another_host_gets_nothing(serve_web: Serve) -> None:
    """A redirect to another host is refused: the report is not for it."""
    other = serve_web()
    place = address(other, "other").replace("127.0.0.1", "localhost")
    server = serve_web({"/u": f"307 {place}"})
    heartbeat = Heartbeat(address(server, "u"))
    end(heartbeat)

    (problem,) = heartbeat.finish(10)

    assert "HTTP 307" in str(problem)
    assert other.requests == []


@pytest.mark.parametrize("status", [307, 308])
def test_another_server_of_the_host_gets_no_report(
    serve_web: Serve, status: int
) -> None:
    """Behind another port may be anybody's program."""
    other = serve_web()
    server = serve_web({"/u": f"{status} {address(other, 'other')}"})
    heartbeat = Heartbeat(address(server, "u"))
    end(heartbeat)

    (problem,) = heartbeat.finish(10)

    assert f"HTTP {status}" in str(problem)
    assert other.requests == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_server_that_has_moved_is_followed(serve_web: Serve, status: int) -> None:
    """The ping arrives where the server says, with its body where HTTP keeps it."""
    server = serve_web()
    place = f"{status} {address(server, 'new')}?rid=1"
    server.answers = {"/old": place}
    heartbeat = Heartbeat(address(server, "old"))
    end(heartbeat)

    assert heartbeat.finish(10) == ()

    assert server.paths() == ["/old", "/new"]
    assert (server.requests[1].body != "") == (status in {307, 308})


def test_a_ring_of_redirects_ends(serve_web: Serve) -> None:
    """A server that sends a ping in circles is left."""
    server = serve_web()
    server.answers = {"/u": f"302 {address(server, 'u')}"}
    heartbeat = Heartbeat(address(server, "u"))
    end(heartbeat)

    (problem,) = heartbeat.finish(10)

    assert "HTTP 302" in str(problem)
    assert len(server.requests) < 20


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_are_verified(
    serve_web: Serve,
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    """An impostor gets no ping; an authority this machine trusts vouches."""
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    server = serve_web(tls=authority.context("127.0.0.1"))
    heartbeat = Heartbeat(f"https://127.0.0.1:{server.port}/u")
    end(heartbeat)

    problems = heartbeat.finish(4)

    assert len(server.requests) == trusted
    assert ("certificate" in "".join(map(str, problems))) is not trusted


def test_encryption_is_never_given_up(
    serve_web: Serve, authority: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A redirect from https to http is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    plain = serve_web()
    server = serve_web(
        {"/u": f"302 {address(plain)}"}, tls=authority.context("127.0.0.1")
    )
    heartbeat = Heartbeat(f"https://127.0.0.1:{server.port}/u")
    end(heartbeat)

    (problem,) = heartbeat.finish(10)

    assert "HTTP 302" in str(problem)
    assert plain.requests == []


# The whole way, with the real command.


@pytest.mark.parametrize(
    ("source", "code", "last"),
    [("print('fine')", 0, ""), ("raise KeyError('montant')", 1, "/fail")],
)
def test_a_run_tells_its_heartbeat(
    make_project: MakeProject,
    cli: Cli,
    serve_web: Serve,
    shielded: Path,
    *,
    source: str,
    code: int,
    last: str,
) -> None:
    """Start, then success or failure with the report; the address shows nowhere."""
    server = serve_web()
    folder = make_project(
        sources={"main.py": source}, heartbeat_url=address(server), language="en"
    )

    done = cli("run", folder)

    assert done.returncode == code
    assert server.paths() == [f"/{SECRET}/start", f"/{SECRET}{last}"]
    first, second = server.requests
    assert rid(first) == rid(second)
    assert second.body.startswith("[project_1] ")
    assert ("KeyError: 'montant'" in second.body) == bool(code)
    assert SECRET not in done.stdout + done.stderr
    records = b"".join(p.read_bytes() for p in shielded.iterdir() if p.is_file())
    assert SECRET.encode() not in records


@pytest.mark.portable("the session decides it, on every platform alike")
def test_a_project_that_cannot_run_fails_its_heartbeat(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """Without its interpreter a run never starts: that is a failure."""
    server = serve_web()
    folder = make_project(python_command="nowhere", heartbeat_url=address(server))

    assert cli("run", folder).returncode == 2

    assert server.paths() == [f"/{SECRET}/fail"]
    assert "nowhere" in server.requests[0].body


@pytest.mark.fault(
    "delivery",
    "The heartbeat's service is silent, broken or gone",
    "The run is the same; one sentence says so.",
)
@pytest.mark.sampled(1)
@pytest.mark.slow
@pytest.mark.parametrize("answer", [SILENT, 500, None])
def test_a_dead_heartbeat_changes_no_run(
    make_project: MakeProject,
    cli: Cli,
    serve_web: Serve,
    free_port: int,
    answer: object,
) -> None:
    """Silent, broken or gone: a sentence on the terminal, and seconds at most."""
    server = serve_web({f"/{SECRET}/start": answer, f"/{SECRET}": answer})
    port = server.port if answer else free_port
    folder = make_project(heartbeat_url=f"http://127.0.0.1:{port}/{SECRET}")
    started = time.monotonic()

    done = cli("run", "--json", folder)

    assert time.monotonic() - started < GENEROUS
    assert done.returncode == 0
    (run,) = json.loads(done.stdout)["runs"]
    assert run["status"] == "success"
    assert done.stderr.count("the heartbeat could not be sent: ") >= 1
    assert SECRET not in done.stdout + done.stderr


def test_the_first_script_does_not_wait_for_the_heartbeat(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """The script runs while the start is still on its way."""
    server = serve_web({f"/{SECRET}/start": SILENT})
    folder = make_project(sources={"waits.py": WAITS}, heartbeat_url=address(server))
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
        wait_until(lambda: (folder / "up").exists() and server.requests)
        # The server has not answered, yet the script runs.
        assert server.paths() == [f"/{SECRET}/start"]
        (folder / "go").touch()
        assert runner.wait(60) == 0


@pytest.mark.portable("the session decides it, on every platform alike")
def test_a_start_that_failed_is_in_the_report(
    make_project: MakeProject, serve_web: Serve, tmp_path: Path, cli: Cli
) -> None:
    """What is known before the report is part of it."""
    server = serve_web({f"/{SECRET}/start": 404})
    folder = make_project(
        sources={"main.py": "import time; time.sleep(1)"},
        heartbeat_url=address(server),
        recipients=["ann@example.org"],
        email_strategy="all",
        language="en",
    )

    mails = tmp_path / "mails"
    done = cli("run", folder, MAIL_TRANSPORT="file", MAIL_DIR=str(mails))

    assert done.returncode == 0
    (mail,) = mails.iterdir()
    assert "HTTP 404" in mail.read_text("utf-8")


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_a_stopped_run_fails_its_heartbeat(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """Asked to stop, the runner still says so."""
    server = serve_web()
    folder = make_project(sources={"waits.py": WAITS}, heartbeat_url=address(server))
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
        wait_until((folder / "up").exists)
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(60) == 143

    assert server.paths() == [f"/{SECRET}/start", f"/{SECRET}/fail"]


@pytest.mark.posix
@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_run_whose_runner_died_fails_its_heartbeat(
    make_project: MakeProject, serve_web: Serve, shielded: Path
) -> None:
    """The next run says so under the dead one's id, before its own start."""
    server = serve_web()
    folder = make_project(sources={"waits.py": WAITS}, heartbeat_url=address(server))
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as runner:
        wait_until(lambda: (folder / "up").exists() and server.requests)
        children = psutil.Process(runner.pid).children(recursive=True)
        runner.kill()
        (folder / "go").touch()
    psutil.wait_procs(children, timeout=GENEROUS)
    subprocess.run([*COMMAND, "run", "-q", folder], check=True, timeout=60)

    dead, told, start, success = server.requests
    assert server.paths() == [
        f"/{SECRET}/start",
        f"/{SECRET}/fail",
        f"/{SECRET}/start",
        f"/{SECRET}",
    ]
    assert rid(dead) == rid(told) != rid(start) == rid(success)
    assert "nterrupted" in told.body
    with open_store(shielded, local_now()) as store:
        assert len(store.runs()) == 2


@pytest.mark.portable("the session decides it, on every platform alike")
def test_a_skipped_run_says_nothing(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """The active run speaks for the project."""
    server = serve_web()
    folder = make_project(sources={"waits.py": WAITS}, heartbeat_url=address(server))
    with subprocess.Popen([*COMMAND, "run", "-q", folder]) as first:
        wait_until((folder / "up").exists)
        second = subprocess.run(
            [*COMMAND, "run", "-q", folder], check=False, timeout=60
        )
        assert second.returncode == 3
        (folder / "go").touch()
        assert first.wait(60) == 0

    assert server.paths() == [f"/{SECRET}/start", f"/{SECRET}"]


def test_projects_at_the_same_time_have_their_own(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """With --jobs each project's pings are paired by an id of its own."""
    server = serve_web()
    folders = [
        make_project(
            name, heartbeat_url=address(server, name), python_command=sys.executable
        )
        for name in "abc"
    ]

    assert cli("run", "--jobs", 3, *folders).returncode == 0

    assert len(server.requests) == 6
    ids = set()
    for name in "abc":
        start, success = (r for r in server.requests if r.path.startswith(f"/{name}"))
        assert start.path.startswith(f"/{name}/start?")
        assert rid(start) == rid(success)
        ids.add(rid(start))
    assert len(ids) == 3


def test_the_library_tells_the_heartbeat_too(
    make_project: MakeProject, serve_web: Serve
) -> None:
    """Optional keys of the file hold for Runner.run, this one as well."""
    server = serve_web()
    folder = make_project(heartbeat_url=address(server))

    Runner(folder, []).run(["main.py"], sys.executable, email_strategy="none")

    assert server.paths() == [f"/{SECRET}/start", f"/{SECRET}"]


@pytest.mark.portable("the session decides it, on every platform alike")
def test_no_mail_is_no_reason_for_no_heartbeat(
    make_project: MakeProject, cli: Cli, serve_web: Serve
) -> None:
    """--no-mail keeps reports back; the server still wants to know."""
    server = serve_web()
    folder = make_project(heartbeat_url=address(server))

    assert cli("run", "--no-mail", folder).returncode == 0
    assert len(server.requests) == 2
