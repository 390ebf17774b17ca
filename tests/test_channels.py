from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner import channels


pytestmark = pytest.mark.pure


@pytest.mark.parametrize(
    ("url", "label"),
    [
        ("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXr", "slack://... (ca1a12c7)"),
        ("tgram://123456789:abcdefg_hijk/12315544", "tgram://... ("),
        ("discord://4174216298/JHMHI8qBe7bk2ZwO5U711o", "discord://... ("),
        ("pover://user@token", "pover://... ("),
        ("pbul://o.gn5kj6nfhv736I7jC3cj3QLRiyhgl98b", "pbul://... ("),
        ("pbul://o.abcdefghijklmnopqrstuvwxyzabcdefgh", "pbul://... ("),
        ("webex://eyJ0.eyJ1.c2ln", "webex://... ("),
        ("json://robot:pass@hooks.example.org:8080/t", "json://hooks.example.org/... ("),
        ("json://localhost:1/t", "json://localhost/... ("),
        ("json://10.0.0.7/t", "json://10.0.0.7/... ("),
        ("https://hooks.slack.com/services/T1/B1/x", "https://hooks.slack.com/... ("),
        ("JSONS://hooks.example.org?x=y", "JSONS://hooks.example.org/... ("),
    ],
)  # fmt: skip
def test_what_people_see_of_a_channel(url: str, label: str) -> None:
    """Its scheme, its host where that can be no token, and a number of its own."""
    assert channels.channel_label(url).startswith(label)
    assert channels.channel_audience(url).removeprefix(
        "channel "
    ) in channels.channel_label(url)


@given(
    scheme=st.from_regex("[a-z][a-z0-9+.-]{0,9}", fullmatch=True),
    parts=st.lists(st.from_regex("[A-Za-z0-9_-]{12,40}", fullmatch=True), min_size=1),
    user=st.booleans(),
)
def test_no_token_shows_in_a_label(
    scheme: str, parts: list[str], *, user: bool
) -> None:
    """Whatever stands in an address, and wherever, the label does not repeat it."""
    url = f"{scheme}://" + ("name:secret-word@" if user else "") + "/".join(parts)

    assert not [
        part for part in (*parts, "secret-word") if part in channels.channel_label(url)
    ]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("json://u:old@h/p", "json://u:new@h/p", True),
        ("json://h/p?pass=old&x=1", "json://h/p?pass=new&x=1", True),
        ("JSON://h/p", "json://h/p", True),
        ("json://u:pw@h/p", "json://v:pw@h/p", False),
        ("json://h/p", "json://h/q", False),
        ("tgram://1:a/2", "tgram://1:b/2", False),
    ],
)
def test_what_makes_a_channel(one: str, other: str, *, same: bool) -> None:
    """All of its address but the password, which may change, and may be guessed."""
    assert (channels.channel_audience(one) == channels.channel_audience(other)) is same
