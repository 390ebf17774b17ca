"""Debian's Postfix, with a configuration, a queue and ports of its own."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support import wait_until


if TYPE_CHECKING:
    from collections.abc import Iterator

LOGIN = "robot@example.com"
PASSWORD = "càn4ry-Pass word"
#: Seconds within which a server on this machine starts, delivers, ends.
PATIENCE = 20.0
#: Bytes the services "announced" and "unannounced" take.
SMALL = 5000
#: Who delivers into the mailboxes: nobody.
_NOBODY = 65534

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = localhost
mydestination =
mynetworks =
alias_maps =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {folder}/mailboxes
virtual_mailbox_maps = inline:{{ ann@example.com=ann/ bob@example.com=bob/ }}
virtual_uid_maps = static:{nobody}
virtual_gid_maps = static:{nobody}
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtpd_tls_cert_file = {folder}/chain.pem
smtpd_tls_key_file = {folder}/key.pem
smtpd_sasl_auth_enable = yes
smtpd_sasl_path = smtpd
"""
_SERVICES = """
127.0.0.1:{port} inet n - n - - smtpd
127.0.0.1:{announced} inet n - n - - smtpd -o message_size_limit={small}
127.0.0.1:{unannounced} inet n - n - - smtpd -o message_size_limit={small}
    -o smtpd_discard_ehlo_keywords=size
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
proxymap unix - - n - - proxymap
anvil unix - - n - 1 anvil
tlsmgr unix - - n 1000? 1 tlsmgr
virtual unix - n n - - virtual
postlog unix-dgram n - n - 1 postlogd
"""
_SASL = """
pwcheck_method: auxprop
auxprop_plugin: sasldb
sasldb_path: {folder}/sasldb2
mech_list: PLAIN LOGIN
"""


@dataclass
class Postfix:
    """A mail server that wants STARTTLS, then a login, and knows ann and bob.

    Attributes:
        folder: where everything of it is.
        port: takes mail for submission.
        announced: as ``port``, but takes no more than ``SMALL`` bytes, and says so.
        unannounced: likewise, but lets its clients find out.
    """

    folder: Path
    port: int = field(init=False)
    announced: int = field(init=False)
    unannounced: int = field(init=False)
    _master: subprocess.Popen[bytes] | None = None
    _read: int = 0

    def __post_init__(self) -> None:
        self.port, self.announced, self.unannounced = _free_ports(3)

    def configure(self, authority: Any) -> None:
        """Write the configuration, the certificate and the one password."""
        values = vars(self) | {"nobody": _NOBODY, "small": SMALL}
        (self.folder / "conf").mkdir()
        (self.folder / "conf" / "main.cf").write_text(_MAIN.format(**values), "utf-8")
        services = self.folder / "conf" / "master.cf"
        services.write_text(_SERVICES.format(**values), "utf-8")
        certificate = authority.ca.issue_cert("localhost")
        certificate.private_key_pem.write_to_path(str(self.folder / "key.pem"))
        for blob in certificate.cert_chain_pems:
            blob.write_to_path(str(self.folder / "chain.pem"), append=True)
        for name, owner in (("queue", 0), ("mailboxes", _NOBODY)):
            (self.folder / name).mkdir()
            shutil.chown(self.folder / name, owner)
        (self.folder / "data").mkdir()
        shutil.chown(self.folder / "data", "postfix")
        # Debian's Postfix looks beside its main.cf, whatever cyrus_sasl_config_path says.
        (self.folder / "conf" / "sasl").mkdir()
        sasl = self.folder / "conf" / "sasl" / "smtpd.conf"
        sasl.write_text(_SASL.format(**values), "utf-8")
        user, _, realm = LOGIN.partition("@")
        database = self.folder / "sasldb2"
        subprocess.run(
            ["saslpasswd2", "-p", "-c", "-u", realm, "-f", database, user],
            input=PASSWORD.encode(),
            check=True,
            timeout=PATIENCE,
        )
        shutil.chown(database, "postfix")

    def start(self) -> None:
        """Start, and wait until it answers."""
        conf = self.folder / "conf"
        subprocess.run(["postfix", "-c", conf, "check"], check=True, timeout=PATIENCE)
        daemons = subprocess.run(
            ["postconf", "-c", conf, "-hx", "daemon_directory"],
            check=True,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        self._master = subprocess.Popen(
            [Path(daemons.stdout.strip(), "master"), "-c", conf, "-d"],
            start_new_session=True,
        )
        wait_until(self._answers)

    def stop(self) -> None:
        """Stop the server and every process of it, as a shutdown does."""
        if self._master is None or sys.platform == "win32":
            return
        with suppress(ProcessLookupError):
            os.killpg(self._master.pid, signal.SIGTERM)
        self._master.wait(PATIENCE)
        self._master = None

    def log(self, wanted: str = "") -> str:
        """Return what was logged since the last call, once it holds ``wanted``."""
        found = ""

        def complete() -> bool:
            nonlocal found
            log = self.folder / "log"
            found = log.read_bytes()[self._read :].decode() if log.exists() else ""
            return re.search(wanted, found) is not None

        wait_until(complete)
        self._read += len(found.encode())
        return found

    def mails(self, mailbox: str, count: int) -> list[bytes]:
        """Wait for ``count`` mails, empty the mailbox and return them, oldest first."""
        new = self.folder / "mailboxes" / mailbox / "new"

        wait_until(lambda: len(list(new.glob("*"))) >= count)
        files = sorted(new.glob("*"), key=lambda file: file.stat().st_mtime_ns)
        contents = [file.read_bytes() for file in files]
        for file in files:
            file.unlink()
        return contents

    def variables(self, authority: Any, **changes: str) -> dict[str, str]:
        """Return the environment of somebody who sends through this server."""
        return {
            "LOGIN_MAIL": LOGIN,
            "PASSWORD_MAIL": PASSWORD,
            "SMTP_HOST": "localhost",
            "SMTP_PORT": str(self.port),
            "SMTP_CA_FILE": str(authority.file),
        } | changes

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 5):
            return True
        return False


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        listeners = [
            stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            for _ in range(count)
        ]
        return [listener.getsockname()[1] for listener in listeners]


def _require() -> None:
    """Skip where there can be no Postfix; fail in CI where there must be one."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("Postfix wants to be started by root, on Linux")
    tools = ("postfix", "postconf", "saslpasswd2")
    if missing := [name for name in tools if shutil.which(name) is None]:
        reason = f"not installed: {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def postfix_server(authority: Any) -> Iterator[Postfix]:
    """Return a Postfix that runs as long as the tests."""
    _require()
    # Not pytest's folder: that one is root's alone, and Postfix is many users.
    with tempfile.TemporaryDirectory(prefix="postfix-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        server = Postfix(folder)
        server.configure(authority)
        server.start()
        try:
            yield server
        finally:
            server.stop()


@pytest.fixture
def postfix(postfix_server: Postfix) -> Postfix:
    """Return the server, with what it logged and delivered before put aside."""
    postfix_server.log()
    for mailbox in ("ann", "bob"):
        postfix_server.mails(mailbox, 0)
    return postfix_server
