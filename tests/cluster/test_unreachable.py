"""Why a scheduler cannot be reached, by what the libraries below say."""

from __future__ import annotations

import socket
import ssl

import pytest

from python_runner.cluster.unreachable import lost_contact, why_unreachable


pytestmark = pytest.mark.pure


def _led_to(cause: BaseException) -> OSError:
    error = OSError("Timed out trying to connect to tcp://s:1 after 15 s\nmore")
    error.__cause__ = OSError("in <object at 0x1>")
    error.__cause__.__context__ = cause
    return error


def _unverified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "failed")
    error.verify_message = "unable to get local issuer certificate"
    return error


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (_led_to(ConnectionRefusedError()), "nobody listens there"),
        (_led_to(socket.gaierror(-2, "Name")), "nobody knows a computer of that name"),
        (_led_to(_unverified()), "unable to get local issuer certificate"),
        (_led_to(ssl.SSLError(1, "x")), "no encrypted connection could be made"),
        (_led_to(TimeoutError()), "it does not answer"),
        (TypeError("TLS expects a `ssl_context`"), "the TLS settings of Dask"),
        (_led_to(ValueError()), "Timed out trying to connect to tcp://s:1 after 15 s"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_cause_is_told(error: Exception, expected: str) -> None:
    """The first cause that is known is told, in one line."""
    said = why_unreachable("tls://s:1", error)
    assert said.startswith("the cluster tls://s:1 cannot be reached: ")
    assert expected in said
    assert "\n" not in said


def test_a_circle_of_causes() -> None:
    """Errors that caused each other are looked at once each."""
    one, other = ValueError("one"), ValueError("other")
    one.__cause__, other.__cause__ = other, one
    assert why_unreachable("tcp://s:1", one).endswith(": one")


def test_with_whom_the_contact_was_lost() -> None:
    """The worker where the scheduler is still there, else that."""
    assert "tcp://a:1" in str(lost_contact("tcp://a:1", scheduler_there=True))
    assert "scheduler" in str(lost_contact("tcp://a:1", scheduler_there=False))
