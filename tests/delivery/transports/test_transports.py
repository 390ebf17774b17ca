"""The contract of every transport: whatever happens, each recipient gets one answer."""

from __future__ import annotations

import json
import socket
import sys
import time
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports import open_transport
from python_runner.delivery.transports.channel import ChannelTransport
from python_runner.delivery.transports.eventlog import EventLogTransport, lines
from python_runner.delivery.transports.file import FileTransport
from python_runner.delivery.transports.graph import GraphTransport
from python_runner.delivery.transports.memory import MemoryTransport
from python_runner.delivery.transports.smtp import SmtpTransport
from python_runner.delivery.transports.tokens import ApplicationTokens
from python_runner.model import Delivery, MailSettings
from python_runner.report.mime import plain_text
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from python_runner.delivery.transports import Transport
    from python_runner.model import Message

LOGIN = "robot@example.com"
OFFER = "250-fake\r\n250 AUTH PLAIN XOAUTH2"


@dataclass
class Case:
    """One member of the seam, and what stands at its other end.

    Attributes:
        open: makes the transport; with ``silent`` it is to give up within a second.
        received: returns what has arrived, as bytes.
        shut_down: stops the other end: nothing gets through from then on.
        tries: returns how often the other end was asked to let somebody in; None where
            there is nobody to ask.
        silence: makes the other end say nothing; None where there is none.
        stored: what the other end gets of a message; as a rule the stored bytes.
    """

    open: Callable[[], Transport]
    received: Callable[[], list[bytes]]
    shut_down: Callable[[], object]
    tries: Callable[[], int] | None = None
    silence: Callable[[], object] | None = None
    stored: Callable[[bytes], bytes] = bytes


def _smtp(request: pytest.FixtureRequest) -> Case:
    server = request.getfixturevalue("serve")({"EHLO": OFFER})
    settings = request.getfixturevalue("mail_settings")(
        server, login=LOGIN, password="secret"
    )
    return _over_smtp(server, lambda: SmtpTransport(settings, step_timeout=0.7))


def _smtp_oauth2(request: pytest.FixtureRequest) -> Case:
    server = request.getfixturevalue("serve")({"EHLO": OFFER})
    settings = request.getfixturevalue("token_settings")(server)

    def open_() -> Transport:
        return SmtpTransport(
            settings, step_timeout=0.7, tokens=ApplicationTokens(settings)
        )

    return _over_smtp(server, open_)


def _over_smtp(server: Any, open_: Callable[[], Transport]) -> Case:
    def answer(**answers: str) -> None:
        server.answers = {**server.answers, **answers}

    return Case(
        open=open_,
        received=lambda: server.messages,
        shut_down=lambda: answer(AUTH="535 5.7.3 Authentication unsuccessful"),
        tries=lambda: server.verbs().count("AUTH"),
        silence=lambda: answer(CONNECT="<silent>"),
    )


def _graph(request: pytest.FixtureRequest) -> Case:
    cloud = request.getfixturevalue("cloud")
    settings = cloud.settings(smtp_ca_file=request.getfixturevalue("authority").file)
    return Case(
        open=lambda: GraphTransport(settings, step_timeout=5, data_timeout=0.7),
        received=lambda: [content for _mailbox, content in cloud.mails],
        shut_down=lambda: cloud.token_replies.extend([cloud.aadsts(7000215)] * 9),
        tries=lambda: cloud.counted()["token"],
        silence=lambda: cloud.graph_replies.extend([cloud.reply(silent=True)] * 9),
    )


def _file(request: pytest.FixtureRequest) -> Case:
    folder: Path = request.getfixturevalue("tmp_path") / "mails"
    return Case(
        open=lambda: FileTransport(folder),
        received=lambda: [file.read_bytes() for file in sorted(folder.glob("*.eml"))],
        shut_down=lambda: folder.write_text("no folder", encoding="utf-8"),
    )


def _eventlog(request: pytest.FixtureRequest) -> Case:
    if sys.platform == "win32":
        pytest.skip("what the Event Log holds is not read here")
    folder = request.getfixturevalue("tmp_path_factory").mktemp("log")
    daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    request.addfinalizer(daemon.close)
    daemon.bind(str(folder / "log"))
    daemon.setblocking(False)

    def received() -> list[bytes]:
        got: list[list[bytes]] = []
        with suppress(BlockingIOError):
            while True:
                line = daemon.recv(4096).partition(b"]: ")[2]
                if line.endswith(b">"):
                    # The subject and the identity, which no text of a report has.
                    got.append([])
                else:
                    got[-1].append(line)
        return [b"\n".join(said) for said in got]

    def stored(content: bytes) -> bytes:
        _first, *text = lines("", plain_text(content), "")
        return "\n".join(text).encode()

    return Case(
        open=lambda: EventLogTransport((folder / "log",)),
        received=received,
        shut_down=(folder / "log").unlink,
        stored=stored,
    )


def _memory(_request: pytest.FixtureRequest) -> Case:
    answers: dict[str, Delivery] = {}
    transports: list[MemoryTransport] = []

    def open_() -> Transport:
        transports.append(MemoryTransport(answers))
        return transports[-1]

    return Case(
        open=open_,
        received=lambda: [m.content for t in transports for m in t.messages],
        shut_down=lambda: answers.update(
            dict.fromkeys(("ann@example.com", "bob@example.com"), Delivery.DEFERRED)
        ),
    )


def _channel(request: pytest.FixtureRequest) -> Case:
    server = request.getfixturevalue("serve_web")()
    url = f"json://127.0.0.1:{server.port}/hook?rto=0.7"
    return Case(
        open=lambda: ChannelTransport(url),
        received=lambda: [
            json.loads(request.body)["message"].encode() for request in server.requests
        ],
        shut_down=lambda: server.answers.update({"/hook": 500}),
        silence=lambda: server.answers.update({"/hook": "<silent>"}),
        stored=lambda content: (
            content.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n").rstrip()
        ),
    )


#: Every member of the seam; another one joins with a function and a line.
WAYS = {
    "smtp": _smtp,
    "smtp-oauth2": _smtp_oauth2,
    "graph": _graph,
    "file": _file,
    "eventlog": _eventlog,
    "memory": _memory,
    "channel": _channel,
}


@pytest.fixture(params=WAYS)
def case(request: pytest.FixtureRequest) -> Case:
    """Return one transport with its other end."""
    return WAYS[request.param](request)


@pytest.fixture(params=["smtp", "smtp-oauth2", "graph"])
def server_case(request: pytest.FixtureRequest) -> Case:
    """Return one transport that needs a server."""
    return WAYS[request.param](request)


def test_every_name_of_the_configuration_opens_one(
    request: pytest.FixtureRequest,
) -> None:
    """What can be configured is all in this contract, memory and channels beside it."""
    from python_runner.config.settings import TRANSPORTS  # noqa: PLC0415

    assert WAYS.keys() == {*TRANSPORTS, "memory", "channel"}
    for name in (*TRANSPORTS, "memory"):
        open_transport(MailSettings(transport=name)).close()
    with pytest.raises(KeyError):
        open_transport(MailSettings(transport=request.node.name))


def test_each_recipient_gets_one_answer_in_order(case: Case, message: Message) -> None:
    """What was sent was sent to everybody named, and is what was stored."""
    with closing(case.open()) as transport:
        receipts = transport.send(message)
    assert [(r.recipient, r.delivery) for r in receipts] == [
        ("ann@example.com", Delivery.SENT),
        ("bob@example.com", Delivery.SENT),
    ]
    assert case.received() == [case.stored(message.content)]


def test_one_transport_carries_a_drain(case: Case, message: Message) -> None:
    """Several messages leave through one transport, with one login."""
    other = replace(
        message,
        message_id="<2@example.com>",
        content=message.content.replace(b"first", b"second"),
    )
    with closing(case.open()) as transport:
        for one in (message, other):
            receipts = transport.send(one)
            assert {receipt.delivery for receipt in receipts} == {Delivery.SENT}
    assert sorted(case.received()) == sorted(
        map(case.stored, (message.content, other.content))
    )
    assert case.tries is None or case.tries() == 1


def test_a_server_that_is_gone_is_no_exception(case: Case, message: Message) -> None:
    """Nobody gets it, each recipient has a receipt, and one connection is tried a drain."""
    case.shut_down()
    with closing(case.open()) as transport:
        rounds = [transport.send(message) for _ in range(3)]
    for receipts in rounds:
        assert [r.recipient for r in receipts] == list(message.recipients)
        assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert case.tries is None or case.tries() == 1


def test_a_server_that_is_back_is_used_by_the_next_drain(
    server_case: Case, message: Message
) -> None:
    """The sentence says what to do, in both languages; nothing else is remembered."""
    server_case.shut_down()
    for expected in (1, 2):
        with closing(server_case.open()) as transport:
            detail = transport.send(message)[0].detail
        assert detail is not None
        assert detail.in_language("fr") != str(detail)
        assert server_case.tries is not None
        assert server_case.tries() == expected


def test_a_silent_server_is_left_in_time(server_case: Case, message: Message) -> None:
    """Neither the first message nor the ones after it wait for ever."""
    assert server_case.silence is not None
    server_case.silence()
    start = time.monotonic()
    with closing(server_case.open()) as transport:
        receipts = [r for _ in range(3) for r in transport.send(message)]
    assert time.monotonic() - start < GENEROUS
    assert {receipt.delivery for receipt in receipts} == {Delivery.DEFERRED}
    assert len(receipts) == 6


def test_closing_is_always_allowed(case: Case, message: Message) -> None:
    """Unused, twice, and before another message, which opens anew."""
    transport = case.open()
    transport.close()
    transport.close()
    assert transport.send(message)[0].delivery is Delivery.SENT
    transport.close()
    assert transport.send(message)[0].delivery is Delivery.SENT
    transport.close()
    transport.close()
