"""A real server and a real browser."""

from __future__ import annotations

import os
import shutil
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import sync_playwright

from python_runner.web.server import listen, make_server


if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

    from python_runner.web.site import Site

CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def served(site: Site, port: int = 0) -> Iterator[str]:
    """Serve a dashboard, and yield its address."""
    listener = listen("127.0.0.1", port)
    port = listener.getsockname()[1]
    server = make_server(site)
    thread = threading.Thread(target=lambda: server.run([listener]))
    thread.start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()
        thread.join(30)
        listener.close()
        assert not thread.is_alive(), "it ends at once, also with open streams"


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the browser of this computer; a test without one is skipped, but not in CI."""
    found = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("no chromium: .ci/run installs it")
        pytest.skip("no chromium on this computer")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-gpu"]
        )
        try:
            yield browser
        finally:
            browser.close()
