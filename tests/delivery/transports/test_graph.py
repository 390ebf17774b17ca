"""Microsoft Graph: what it takes, what it refuses, and what that means."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass, replace
from email import message_from_bytes
from email.policy import default
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.delivery.transports.graph import GraphTransport, addressed
from python_runner.model import Cause, Delivery
from python_runner.report.compose import compose
from python_runner.report.mime import Attachment
from python_runner.report.render import Report
from tests.support import GENEROUS, NOW


if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from python_runner.model import Message, Receipt

SENT, DEFERRED, FAILED = Delivery.SENT, Delivery.DEFERRED, Delivery.FAILED


@pytest.fixture
def graph(cloud: Any, authority: Any) -> Iterator[GraphTransport]:
    """Return a transport that knows the fake cloud."""
    settings = cloud.settings(smtp_ca_file=authority.file)
    with closing(
        GraphTransport(settings, step_timeout=5, data_timeout=5, now=lambda: NOW)
    ) as transport:
        yield transport


def _deliveries(receipts: Sequence[Receipt]) -> list[Delivery]:
    return [receipt.delivery for receipt in receipts]


def test_the_stored_bytes_are_handed_over(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """Each message goes to the mailbox's address unchanged, over one connection."""
    receipts = [*graph.send(message), *graph.send(message)]
    assert _deliveries(receipts) == [SENT] * 4
    assert cloud.mails == [("robot@example.com", message.content)] * 2
    # One for the identity provider, one for Graph.
    assert cloud.connections == 2
    assert cloud.counted() == {"openid-configuration": 1, "token": 1, "sendMail": 2}


@dataclass(frozen=True)
class Case:
    """An answer, and what it means.

    Attributes:
        status: of HTTP.
        code: of Graph's error.
        delivery: for both recipients.
        says: part of the sentence.
        stops: whether a second message is answered without asking.
    """

    status: int
    code: str
    delivery: Delivery
    says: str
    stops: bool = False


CASES = (
    Case(400, "ErrorInvalidRecipients", FAILED, "answered: 400 ErrorInvalidRecipients"),
    Case(400, "ErrorMimeContentInvalid", FAILED, "answered: 400"),
    Case(400, "ErrorMessageSizeExceeded", FAILED, "too large"),
    Case(400, "ErrorExceededMessageLimit", DEFERRED, "accepts no more emails"),
    Case(401, "InvalidAuthenticationToken", DEFERRED, "refused the token", stops=True),
    Case(403, "ErrorAccessDenied", DEFERRED, "Application Mail.Send", stops=True),
    Case(403, "Authorization_RequestDenied", DEFERRED, "RBAC for App", stops=True),
    Case(403, "SomethingNew", DEFERRED, "may not send from the mailbox", stops=True),
    Case(403, "ErrorSendAsDenied", DEFERRED, "Unset MAIL_FROM"),
    Case(404, "ErrorInvalidUser", DEFERRED, "LOGIN_MAIL must be", stops=True),
    Case(404, "MailboxNotEnabledForRESTAPI", DEFERRED, "LOGIN_MAIL must", stops=True),
    Case(404, "UnknownError", DEFERRED, "check GRAPH_URL", stops=True),
    Case(413, "RequestEntityTooLarge", FAILED, "too large"),
    Case(
        429, "ApplicationThrottled", DEFERRED, "for now; delivery will be retried later"
    ),
    Case(500, "InternalServerError", DEFERRED, "Microsoft Graph has a problem"),
    Case(503, "ServiceUnavailable", DEFERRED, "Microsoft Graph has a problem"),
    Case(302, "Moved", DEFERRED, "check GRAPH_URL", stops=True),
)


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c.status}-{c.code}")
def test_every_answer_means_something(
    case: Case, graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """Each refusal defers or fails the mail, says what to do, and stops the round or not."""
    cloud.graph_replies = [cloud.graph_error(case.status, case.code)]
    receipts = graph.send(message)
    assert [receipt.recipient for receipt in receipts] == list(message.recipients)
    assert _deliveries(receipts) == [case.delivery] * 2
    detail = receipts[0].detail
    assert detail is not None
    assert case.says in str(detail)
    assert str(case.status) in str(detail)
    assert detail.in_language("fr") != str(detail)
    too_large = receipts[0].cause is Cause.TOO_LARGE
    assert too_large == ("too large" in case.says)
    after = graph.send(message)
    assert _deliveries(after) == [DEFERRED if case.stops else SENT] * 2
    assert cloud.counted()["sendMail"] == (1 if case.stops else 2)


@pytest.mark.parametrize(
    ("refusals", "kind"),
    [(1, "multipart/alternative"), (2, "text/plain")],
)
def test_what_is_too_large_is_handed_over_in_fewer_bytes(
    graph: GraphTransport, cloud: Any, refusals: int, kind: str
) -> None:
    """Without its attachment, then as its text, under the same identity and date."""
    mail = compose(
        Report(
            "[p] failed",
            "row\n" * 500,
            "<body>row</body>\n",
            attachment=Attachment("x.zip", b"z" * 9000),
        ),
        run_id="39be3d37aed64",
        sender="robot@example.com",
        recipients=("ann@example.com", "bob@example.com"),
        date=NOW,
    )
    cloud.graph_replies = [cloud.graph_error(413, "RequestEntityTooLarge")] * refusals
    receipts = graph.send(mail)
    assert _deliveries(receipts) == [SENT] * 2
    assert all("too large" in str(receipt.detail) for receipt in receipts)
    ((_, content),) = cloud.mails
    taken, whole = (
        message_from_bytes(c, policy=default) for c in (content, mail.content)
    )
    assert taken.get_content_type() == kind
    for name in ("Message-ID", "Date", "Subject", "To"):
        assert taken[name] == whole[name]


def test_an_answer_that_is_not_graphs_is_passed_on(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """A proxy's page in between is quoted on one line, and bounded."""
    cloud.graph_replies = [cloud.reply(404, "<html>\nno " + "x" * 5000)]
    (receipt, _) = graph.send(message)
    assert "404 <html> no xxx" in str(receipt.detail)
    assert len(str(receipt.detail)) < 1000


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        ({"Retry_After": "120"}, 120.0),
        ({"Retry_After": "Mon, 23 Nov 2026 09:53:58 GMT"}, 120.0),
        ({"Retry_After": "Mon, 23 Nov 2026 09:00:00 GMT"}, 0.0),
        ({"Retry_After": "soon"}, 10.0),
        ({}, 10.0),
    ],
)
def test_the_wait_asked_for_is_part_of_the_receipt(
    asked: dict[str, str],
    seconds: float,
    graph: GraphTransport,
    cloud: Any,
    message: Message,
) -> None:
    """``Retry-After`` is seconds or a date; without it a little patience is right."""
    cloud.graph_replies = [cloud.graph_error(429, "TooMany", **asked)]
    receipts = graph.send(message)
    assert [receipt.retry_after for receipt in receipts] == [seconds] * 2


def test_trouble_may_ask_for_a_wait_as_well(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """503 with ``Retry-After`` is respected, 503 without asks for nothing."""
    cloud.graph_replies = [
        cloud.graph_error(503, "ServiceUnavailable", Retry_After="7"),
        cloud.graph_error(503, "ServiceUnavailable"),
    ]
    waits = [graph.send(message)[0].retry_after for _ in range(2)]
    assert waits == [7.0, None]


def test_a_token_revoked_between_two_messages_is_renewed_once(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """A token that was good and is refused is replaced by one new token."""
    graph.send(message)
    cloud.revoked = set(cloud.tokens)
    assert _deliveries(graph.send(message)) == [SENT] * 2
    assert cloud.counted() == {"openid-configuration": 1, "token": 2, "sendMail": 3}


def test_a_second_refusal_of_the_token_ends_the_round(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """There is no storm of tokens: one new one, then the mails wait."""
    graph.send(message)
    cloud.graph_replies = [cloud.graph_error(401, "InvalidAuthenticationToken")] * 9
    for _ in range(3):
        assert _deliveries(graph.send(message)) == [DEFERRED] * 2
    assert cloud.counted()["token"] == 2
    assert cloud.counted()["sendMail"] == 3


def test_a_token_that_ends_mid_queue_is_replaced_before_it_is_refused(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """Tokens with some minutes left are not used any more."""
    cloud.lifetime = 120
    for _ in range(3):
        assert _deliveries(graph.send(message)) == [SENT] * 2
    assert cloud.counted()["token"] == 3


def test_who_has_got_it_already_does_not_get_it_again(
    graph: GraphTransport, cloud: Any
) -> None:
    """Graph reads the recipients in the message: those who wait are all it names then."""
    whole = compose(
        Report("Ein Gruß", "text\n", "<p>html</p>"),
        run_id="39be3d37aed64",
        sender="Robot <robot@example.com>",
        recipients=("ann@example.com", "bob@bücher.example", "cyd@example.com"),
        date=NOW,
    )
    rest = replace(whole, recipients=("bob@bücher.example", "cyd@example.com"))
    assert _deliveries(graph.send(whole)) == [SENT] * 3
    assert _deliveries(graph.send(rest)) == [SENT] * 2
    (_, first), (_, second) = cloud.mails
    assert first == whole.content
    mails = [message_from_bytes(data, policy=default) for data in (first, second)]
    assert mails[1]["To"] == "bob@xn--bcher-kva.example, cyd@example.com"
    for name in ("From", "Subject", "Message-ID", "Date", "Content-Type"):
        assert mails[0][name] == mails[1][name]
    assert first.partition(b"\r\n\r\n")[2] == second.partition(b"\r\n\r\n")[2]


def test_addressees_of_every_kind_are_replaced() -> None:
    """Folded, in copy, hidden, in any case: nobody but the named ones is reached."""
    content = (
        b"From: r@x.org\r\nTO: ann@x.org,\r\n bob@x.org\r\nCc: cyd@x.org\r\n"
        b"bcc: dan@x.org\r\nSubject: To: nobody\r\n\r\nTo: body@x.org\r\n"
    )
    assert addressed(content, ["ann@x.org"]) == (
        b"To: ann@x.org\r\nFrom: r@x.org\r\nSubject: To: nobody\r\n\r\n"
        b"To: body@x.org\r\n"
    )
    everybody = ["dan@x.org", "cyd@X.org", "bob@x.org", "ann@x.org"]
    assert addressed(content, everybody) == content


def test_a_recipient_no_server_takes_does_not_hold_up_the_others(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """One receipt each, in order: the bad address fails, the good ones are sent."""
    mixed = replace(message, recipients=("rené@example.com", "ann@example.com"))
    receipts = graph.send(mixed)
    assert [(r.recipient, r.delivery) for r in receipts] == [
        ("rené@example.com", FAILED),
        ("ann@example.com", SENT),
    ]
    ((_, content),) = cloud.mails
    assert content.startswith(b"To: ann@example.com\r\n")
    alone = replace(message, recipients=("rené@example.com",))
    assert _deliveries(graph.send(alone)) == [FAILED]
    assert len(cloud.mails) == 1


def test_a_mail_that_may_have_arrived_is_sent_again_and_told_so(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """When the answer never comes nobody knows: it waits, and the sentence says why."""
    cloud.graph_replies = [cloud.reply(0)]
    receipts = graph.send(message)
    assert _deliveries(receipts) == [DEFERRED] * 2
    assert "it may have arrived" in str(receipts[0].detail)


def test_a_dropped_connection_is_made_again(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """A server that hangs up between two mails loses none and gets none twice."""
    cloud.graph_replies = [cloud.reply(202, "", {"Connection": "close"})]
    assert _deliveries(graph.send(message)) == [SENT] * 2
    assert _deliveries(graph.send(message)) == [SENT] * 2
    assert cloud.counted()["sendMail"] == 2


def test_a_mail_that_was_not_heard_to_its_end_did_not_arrive(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """A server that hangs up in the middle of a mail has not taken it."""
    large = replace(message, content=message.content + b"x" * 20_000_000)
    cloud.graph_replies = [replace(cloud.reply(413), early=True)]
    (receipt, _) = graph.send(large)
    assert receipt.delivery is DEFERRED
    assert "was lost" in str(receipt.detail)
    assert "may have arrived" not in str(receipt.detail)


def test_a_silent_server_is_left_in_time(
    cloud: Any, authority: Any, message: Message
) -> None:
    """No answer within the limit defers the mail; the next one does not wait again."""
    settings = cloud.settings(smtp_ca_file=authority.file)
    cloud.graph_replies = [cloud.reply(silent=True)]
    start = time.monotonic()
    with closing(GraphTransport(settings, step_timeout=5, data_timeout=0.5)) as graph:
        receipts = [*graph.send(message), *graph.send(message)]
    assert time.monotonic() - start < GENEROUS
    assert _deliveries(receipts) == [DEFERRED] * 4
    assert "may have arrived" in str(receipts[0].detail)
    assert "did not answer an earlier email" in str(receipts[2].detail)


def test_a_server_that_repeats_the_token_is_not_quoted(
    graph: GraphTransport, cloud: Any, message: Message
) -> None:
    """Receipts end in logs, records and mails."""
    graph.send(message)
    (token,) = cloud.tokens
    document = {"error": {"code": "Odd", "message": f"no {token}"}}
    cloud.graph_replies = [cloud.reply(400, document)]
    (receipt, _) = graph.send(message)
    assert "Odd: no ***" in str(receipt.detail)
    assert token[:20] not in repr(receipt)
