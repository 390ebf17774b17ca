from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import MailSettings, Message


if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def by_user(cloud: Any, authority: Any, tmp_path: Path) -> MailSettings:
    """Return settings of a user who has not signed in."""
    settings: MailSettings = cloud.user_settings(
        tmp_path / "sign-in", smtp_ca_file=authority.file
    )
    return settings


@pytest.fixture
def small_report() -> Message:
    """Return a small report."""
    return Message(
        message_id="<1@localhost>",
        sender="robot@example.com",
        recipients=("ann@x.org",),
        subject="report",
        content=b"From: robot@example.com\r\nTo: ann@x.org\r\n\r\nfine\r\n",
    )
