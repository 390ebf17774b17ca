"""The Windows Event Log takes reports, short, long and in any alphabet."""

from __future__ import annotations

import sys

import pytest

from python_runner.delivery.transports.eventlog import EventLogTransport
from python_runner.model import Delivery
from python_runner.report.compose import compose
from python_runner.report.render import Report
from tests.support import NOW


pytestmark = pytest.mark.skipif(sys.platform != "win32", reason="Windows has this log")


@pytest.mark.parametrize("text", ["a.py failed\n", "é\u0416\U0001f600 " * 20_000, ""])
def test_a_report_is_written(text: str) -> None:
    """Each recipient counts as told."""
    message = compose(
        Report("[p] failed: a.py", text, ""),
        run_id="1",
        sender="r@e.org",
        recipients=["a@e.org", "b@e.org"],
        date=NOW,
    )
    receipts = EventLogTransport().send(message)
    assert [receipt.delivery for receipt in receipts] == [Delivery.SENT] * 2
