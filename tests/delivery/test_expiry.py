"""When certificates and secrets end, and from when on people are told."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

from python_runner.delivery.certificates import validity_of
from python_runner.delivery.expiry import (
    expiries,
    expiry_notices,
    server_is_late,
)
from python_runner.model import MailSettings
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.portable("reads bytes")

trustme = pytest.importorskip(
    "trustme", reason="its compiled part does not load", exc_type=ImportError
)
x509 = pytest.importorskip("cryptography.x509")
DAY = dt.timedelta(days=1)


def certificate(ends_at: dt.datetime) -> str:
    """Return a certificate with its key, as an application has it."""
    made = trustme.CA().issue_cert(
        "application.example", not_before=ends_at - 700 * DAY, not_after=ends_at
    )
    pem = made.cert_chain_pems[0].bytes() + made.private_key_pem.bytes()
    return str(pem, "ascii")


@pytest.mark.parametrize("year", [1999, 2026, 2049, 2050, 2999, 9999])
def test_the_end_of_a_certificate_is_what_a_library_reads(year: int) -> None:
    """Before and after 2050, where the way dates are written changes."""
    pem = certificate(dt.datetime(year, 12, 31, 23, 59, 58, tzinfo=dt.UTC))

    found = validity_of("Bag Attributes: none\n" + pem)

    known = x509.load_pem_x509_certificate(pem.encode())
    assert found.begins_at == known.not_valid_before_utc
    assert found.ends_at == known.not_valid_after_utc
    assert found.ends_at.year == year


@pytest.mark.parametrize("keep", [0, 1, 5, 30, 80, 150])
def test_a_certificate_that_is_cut_is_an_error_of_its_own(keep: int) -> None:
    """Whatever is missing, it is a ValueError and no other."""
    lines = certificate(NOW).splitlines()
    body = "".join(lines[1 : lines.index("-----END CERTIFICATE-----")])
    cut = f"-----BEGIN CERTIFICATE-----\n{body[:keep]}\n-----END CERTIFICATE-----\n"

    with pytest.raises(ValueError, match=r"certificate|cut"):
        validity_of(cut)


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (31 * DAY, ""),
        (29 * DAY, "ends on 2026-12-22"),
        (dt.timedelta(minutes=1), "ends on 2026-11-23"),
        (dt.timedelta(), "ended on 2026-11-23"),
        (-DAY, "ended on 2026-11-22"),
    ],
)
def test_the_end_of_an_application_s_certificate_is_told_30_days_ahead(
    left: dt.timedelta, says: str, tmp_path: Path
) -> None:
    """And from then on, whatever the number of ways that need it."""
    file = tmp_path / "app.pem"
    file.write_text(certificate(NOW + left), encoding="utf-8")
    way = MailSettings(transport="graph", oauth_certificate=file)
    mail = MailSettings(transport="smtp-oauth2", oauth_certificate=file, others=(way,))

    notices = [str(notice) for notice in expiry_notices(mail, NOW)]

    assert len(notices) == bool(says)
    assert not says or (says in notices[0] and str(file) in notices[0])


def test_what_cannot_be_known_is_not_guessed(tmp_path: Path) -> None:
    """Of a secret only Microsoft knows the end; of a file that is gone nobody."""
    secret = MailSettings(transport="graph", oauth_secret="s3cr3t")
    gone = MailSettings(transport="graph", oauth_certificate=tmp_path / "gone.pem")
    unused = MailSettings(transport="smtp", oauth_secret="s3cr3t")

    assert [(e.variable, e.ends_at) for e in expiries(secret)] == [
        ("OAUTH_CLIENT_SECRET", None)
    ]
    (found,) = expiries(gone)
    assert found.ends_at is None
    assert "does not exist" in str(found.problem) or "No such" in str(found.problem)
    assert not [*expiries(unused)]
    assert "s3cr3t" not in repr([*expiries(secret)])


@pytest.mark.parametrize(
    ("life", "left", "late"),
    [
        (365, 31, False),
        (365, 29, True),
        (90, 29, False),
        (90, 22, True),
        (47, 15, False),
        (47, 11, True),
        (6, 2, False),
        (6, 1, True),
        (90, -1, True),
    ],
)
def test_a_server_s_certificate_is_late_where_its_renewal_has_failed(
    life: int, left: int, *, late: bool
) -> None:
    """One that a machine renews every few weeks is no news for a month each time."""
    ends_at = NOW + left * DAY
    assert server_is_late(ends_at - life * DAY, ends_at, NOW) is late
