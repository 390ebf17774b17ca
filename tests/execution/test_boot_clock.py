"""Seconds that go on while the computer sleeps."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from python_runner.execution.boot_clock import boot_seconds


def test_it_goes_on() -> None:
    """It counts seconds, and never backwards."""
    before, since = boot_seconds(), time.monotonic()
    time.sleep(0.2)
    passed = boot_seconds() - before
    # Windows counts in steps of 16 ms.
    assert 0.1 < passed < time.monotonic() - since + 0.1


@pytest.mark.posix
@pytest.mark.skipif(sys.platform != "linux", reason="needs time namespaces")
def test_it_counts_the_sleep_of_the_computer() -> None:
    """Linux counts it in one of its clocks alone; that one is moved on here."""
    code = (
        "import time; from python_runner.execution.boot_clock import boot_seconds as b;"
        "print(b() - time.monotonic())"
    )
    told = []
    for slept in ([], ["unshare", "--time", "--boottime", "1000000"]):
        done = subprocess.run(
            [*slept, sys.executable, "-c", code],
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
        if done.returncode:
            pytest.skip("needs the right to make a time namespace")
        told.append(float(done.stdout))
    assert 999_990 < told[1] - told[0] < 1_000_010
