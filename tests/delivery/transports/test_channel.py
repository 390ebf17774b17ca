from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.channels import channel_label
from python_runner.delivery.transports import open_channel
from python_runner.delivery.transports.channel import ChannelTransport, without_secrets
from python_runner.model import Delivery, Message, RunStatus
from python_runner.report.compose import compose_for_channel
from python_runner.report.render import Report
from tests.support import GENEROUS


if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from tests.support import Serve


SILENT, DROP = "<silent>", "<drop>"
TOKEN = "c4n4ry-t0ken"
PASSWORD = "pass%20word-7391"


@pytest.fixture
def note(now: datetime) -> Callable[..., Message]:
    """Return a function that makes the message for a channel."""

    def make(url: str, text: str = "été & <hiver>\n", **changes: Any) -> Message:
        values: dict[str, Any] = {
            "url": url,
            "status": RunStatus.FAILURE,
            "run_id": "39be3d37aed64",
            "date": now,
        }
        return compose_for_channel(
            Report("[p] échec", text, "<p>html</p>"), **(values | changes)
        )

    return make


def address(server: Any, path: str = f"hook/{TOKEN}", scheme: str = "json") -> str:
    """Return the channel that posts to ``server``."""
    return f"{scheme}://robot:{PASSWORD}@127.0.0.1:{server.port}/{path}"


def secrets_in(text: str) -> list[str]:
    """Return which parts of a channel's address ``text`` holds."""
    parts = (TOKEN, PASSWORD, "pass word-7391", "robot")
    return [part for part in parts if part in text]


def test_a_channel_gets_subject_text_and_kind(serve_web: Serve, note: Any) -> None:
    """The service is told what the mail says, as text, and how serious it is."""
    server = serve_web()
    channel = open_channel(url := address(server))

    for status in (RunStatus.FAILURE, RunStatus.SUCCESS, RunStatus.SKIPPED, None):
        (receipt,) = channel.send(note(url, status=status))
        assert receipt.delivery is Delivery.SENT
        assert receipt.recipient == channel_label(url)
    channel.close()

    told = [json.loads(request.body) for request in server.requests]
    assert {t["title"] for t in told} == {"[p] échec"}
    assert {t["message"].strip() for t in told} == {"été & <hiver>"}
    assert [t["type"] for t in told] == ["failure", "success", "warning", "info"]
    assert set(server.paths()) == {f"/hook/{TOKEN}"}


@pytest.mark.parametrize("answer", [500, 404, DROP, SILENT, "302 /elsewhere"])
def test_what_a_channel_does_not_take_waits(
    serve_web: Serve, note: Any, answer: object
) -> None:
    """Refused, dropped, silent or sent elsewhere: deferred, with a sentence for it."""
    server = serve_web({f"/hook/{TOKEN}": answer})
    url = f"{address(server)}?rto=0.5"
    started = time.monotonic()

    (receipt,) = ChannelTransport(url).send(note(url))

    assert time.monotonic() - started < GENEROUS
    assert receipt.delivery is Delivery.DEFERRED
    assert str(receipt.detail).startswith("the channel did not accept the report: ")
    assert server.paths() == [f"/hook/{TOKEN}"]
    assert not secrets_in(str(receipt))


def test_a_channel_nobody_answers_at(free_port: int, note: Any) -> None:
    """A refused connection is a deferral."""
    url = f"json://127.0.0.1:{free_port}/{TOKEN}"

    (receipt,) = ChannelTransport(url).send(note(url))

    assert receipt.delivery is Delivery.DEFERRED
    assert "onnection error" in str(receipt.detail)
    assert not secrets_in(str(receipt))


@pytest.mark.parametrize("trusted", [True, False])
def test_an_impostor_is_told_nothing(
    serve_web: Serve,
    note: Any,
    authority: Any,
    monkeypatch: pytest.MonkeyPatch,
    *,
    trusted: bool,
) -> None:
    """A certificate of nobody's authority gets no report."""
    if trusted:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(authority.file))
    server = serve_web(tls=authority.context("127.0.0.1"))
    url = address(server, scheme="jsons")

    (receipt,) = ChannelTransport(url).send(note(url))

    assert (receipt.delivery is Delivery.SENT) == trusted
    assert len(server.requests) == trusted
    assert not secrets_in(str(receipt))


def test_a_report_is_cut_to_what_the_service_takes(serve_web: Serve, note: Any) -> None:
    """Too long is no reason to be refused; whoever wants it in pieces says so."""
    server = serve_web()
    whole, pieces = address(server, "whole"), f"{address(server, 'p')}?overflow=split"
    text = "first line\n" + "x" * 70_000

    for url in (whole, pieces):
        (receipt,) = ChannelTransport(url).send(note(url, text))
        assert receipt.delivery is Delivery.SENT

    assert server.paths()[:3] == ["/whole", "/p", "/p"]
    assert "/whole" not in server.paths()[1:]
    for request in server.requests:
        assert len(json.loads(request.body)["message"]) <= 32_768
    assert json.loads(server.requests[0].body)["message"].startswith("first line\n")


def test_a_channel_writes_no_file_and_leaves_no_thread(
    serve_web: Serve,
    note: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Apprise keeps everything in memory, says nothing, and nothing of it stays."""
    for name in ("HOME", "USERPROFILE", "APPDATA", "LOCALAPPDATA", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    server = serve_web({"/bad": 500})
    before = set(os.listdir(tmp_path))  # noqa: PTH208 - names are enough

    for path in ("good", "bad"):
        channel = ChannelTransport(url := address(server, path))
        channel.send(note(url))
        channel.close()

    assert set(os.listdir(tmp_path)) == before  # noqa: PTH208
    names = {thread.name for thread in threading.enumerate()}
    assert not any("ThreadPool" in name for name in names)
    assert capfd.readouterr() == ("", "")


def test_without_apprise_a_message_waits(
    monkeypatch: pytest.MonkeyPatch, note: Any
) -> None:
    """The sentence names the extra to install."""
    monkeypatch.setitem(sys.modules, "apprise", None)
    url = "json://127.0.0.1/x"

    (receipt,) = ChannelTransport(url).send(note(url))

    assert receipt.delivery is Delivery.DEFERRED
    assert 'pip install "python-series-runner[notify]"' in str(receipt.detail)


def test_an_address_apprise_cannot_use_is_a_deferral(note: Any) -> None:
    """It may have been right once: its message waits for it to be mended."""
    url = f"carrierpigeon://{TOKEN}/x"

    (receipt,) = ChannelTransport(url).send(note(url))

    assert receipt.delivery is Delivery.DEFERRED
    assert "cannot use the address" in str(receipt.detail)


@pytest.mark.parametrize(
    ("url", "text", "shown"),
    [
        ("slack://T1JJ/B2KK/abc", "no T1JJ at slack", "no *** at slack"),
        ("json://u:p%40ss@h.example.org/x", "p@ss p%40ss h.example.org", "*** *** h.example.org"),
        ("json://h.example.org/a1b2?:key=v4lue", "v4lue in /a1b2?:key=v4lue", "*** in /***"),
        ("tgram://123:abcdef/99", "url: /bot123:abcdef/x", "url: /bot***/x"),
    ],
)  # fmt: skip
def test_what_an_answer_quotes_of_an_address_is_hidden(
    url: str, text: str, shown: str
) -> None:
    """No part of an address comes back in a receipt, but for what its label shows."""
    assert without_secrets(text, url) == shown


def test_the_same_arguments_give_the_same_message(note: Any) -> None:
    """A repeated delivery says the same; two channels of a run are told apart."""
    one, other = "json://a.example.org/x", "json://b.example.org/x"

    assert note(one) == note(one)
    assert note(one).message_id != note(other).message_id
    assert note(one).audience != note(other).audience
    assert TOKEN not in repr(note(f"json://a.example.org/{TOKEN}"))
    assert TOKEN.encode() not in note(f"json://a.example.org/{TOKEN}").content
