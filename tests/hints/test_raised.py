"""Hints about errors that a script really raises, from its start to its attempt."""

from __future__ import annotations

import hashlib
import os
import platform
import socket
import ssl
import sys
import threading
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
import trustme

from python_runner.execution.environment import child_environment, python_flags
from python_runner.execution.process import run_command
from python_runner.hints.endings import ANY_END, NO_EXCEPTION
from python_runner.hints.table import RULES
from python_runner.masking import Masker
from python_runner.model import Attempt, Command, Interpreter, Outcome
from tests.hints.raised import RAISED


if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.hints.raised import Raised

WORDS = {rule.name: rule.words for rule in (*RULES, *ANY_END, *NO_EXCEPTION)}
PYTHON = Interpreter(path=sys.executable, version=platform.python_version())
#: What the test machine may have set, and a task does not.
ELSEWHERE = {"DISPLAY", "WAYLAND_DISPLAY", "DATABASE_HOST", "SSL_CERT_FILE"}
#: Seconds that any of the scripts may take, also on a machine that is very busy.
GENEROUS = 120.0


def attempt_of(
    case: Raised,
    folder: Path,
    variables: Mapping[str, str] | None = None,
    secrets: tuple[str, ...] = (),
) -> Attempt:
    """Run a script as a run does, and return its attempt."""
    for name, data in case.files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(data)
    script = folder / case.script
    script.parent.mkdir(exist_ok=True)
    script.write_text(case.source, "utf-8")
    run_id = hashlib.sha256(str(folder).encode()).hexdigest()[:13]
    environ = {k: v for k, v in os.environ.items() if k not in ELSEWHERE}
    command = Command(
        argv=(sys.executable, str(script)),
        flags=python_flags(PYTHON),
        cwd=str(folder),
        env=child_environment(environ, variables or {}, run_id=run_id),
        output=str(folder / "output.log"),
        output_limit=1_000_000,
        timeout=case.timeout or GENEROUS,
        grace=1.0,
        project=str(folder),
        run_id=run_id,
        version=platform.python_version(),
        masker=Masker(secrets),
    )
    return run_command(command)


@contextmanager
def tls_server(certificate: trustme.LeafCert) -> Iterator[int]:
    """Let a server show a certificate to one client; yield its port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError), listener.accept()[0] as peer:
                peer.settimeout(GENEROUS)
                context.wrap_socket(peer, server_side=True)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
    thread.join(GENEROUS)


def tls_variables(name: str, folder: Path) -> tuple[trustme.LeafCert, dict[str, str]]:
    """Return what the server of a case shows, and which authority its client trusts."""
    authority, other = trustme.CA(), trustme.CA()
    trusted = other if name == "certificate" else authority
    trusted.cert_pem.write_to_path(str(folder / "ca.pem"))
    variables = {"TLS_CA": str(folder / "ca.pem")}
    host = "mail.example.org" if name == "certificate-name" else "localhost"
    ended = (
        datetime.now(UTC) - timedelta(days=1) if name == "certificate-expired" else None
    )
    return authority.issue_cert(host, not_after=ended), variables


def attempt_over_tls(name: str, folder: Path) -> Attempt:
    """Run the script of a case against a server with its certificate."""
    certificate, variables = tls_variables(name, folder)
    with tls_server(certificate) as port:
        return attempt_of(RAISED[name], folder, variables | {"TLS_PORT": str(port)})


@pytest.mark.sampled(30)
@pytest.mark.parametrize("name", RAISED)
def test_a_real_error_gets_its_hint(name: str, tmp_path: Path) -> None:
    """The error that a script really raises is known, and its rule is the one that speaks."""
    case = RAISED[name]
    if case.why_not:
        pytest.skip(case.why_not)
    if name.startswith("certificate"):
        attempt = attempt_over_tls(name, tmp_path)
    else:
        attempt = attempt_of(case, tmp_path)
    output = (tmp_path / "output.log").read_text("utf-8")
    assert attempt.hint is not None, output
    assert attempt.hint.template == WORDS[name], output
    assert str(attempt.hint)
    assert attempt.outcome in {Outcome.FAILURE, Outcome.TIMEOUT}


def test_the_command_installs_for_the_interpreter_of_the_run(tmp_path: Path) -> None:
    """The hint about a missing module names the interpreter and the package."""
    attempt = attempt_of(RAISED["module-missing"], tmp_path)
    said = str(attempt.hint)
    assert sys.executable in said
    assert said.endswith(" opencv-python")
    assert " pip install " in said


def test_a_success_has_no_hint(tmp_path: Path) -> None:
    """Nothing is said about what a script has handled itself."""
    source = (
        "try:\n    import cv2\nexcept ImportError:\n    import traceback\n"
        "    traceback.print_exc()"
    )
    attempt = attempt_of(RAISED["input"].__class__(source), tmp_path)
    assert attempt.outcome is Outcome.SUCCESS
    assert attempt.hint is None


def test_a_hint_holds_no_secret(tmp_path: Path) -> None:
    """A secret in a path is masked in the hint, as in everything else."""
    case = RAISED["start-in"].__class__("open('data/hunter2hunter2.csv')")
    attempt = attempt_of(case, tmp_path, secrets=("hunter2hunter2",))
    assert attempt.hint is not None
    assert "data/" in str(attempt.hint)
    assert "hunter2" not in repr(attempt)
