from __future__ import annotations

import pytest

from benchmarks import tables
from benchmarks.compare import Row
from benchmarks.curves import Curve
from benchmarks.ratios import Spread


pytestmark = pytest.mark.portable("text in, text out")

ROWS = [
    Row(peer="sh loop", ratio=Spread(1.0, 1.0, 1.0, 3), peak=12.6, ran=20),
    Row(peer="Python Runner", ratio=Spread(1.234, 1.1, 12.0, 2), added=3.21, peak=30),
    Row(peer="invoke", reason="one at a time only"),
]


def test_the_quickest_stands_first_and_what_is_missing_below() -> None:
    """Each row has its median, its extremes and how many rounds it is made of."""
    lines = tables.comparison(ROWS[::-1], "en", scripts=20).splitlines()

    assert lines[2] == "| sh loop | 1.00 | 1.00 – 1.00 | 3 | 0.0 | 13 |"  # noqa: RUF001
    assert lines[3] == "| **Python Runner** | 1.23 | 1.10 – 12.0 | 2 | 3.2 | 30 |"  # noqa: RUF001
    assert lines[-1] == "Not measured: invoke (one at a time only)."
    assert {line.count("|") for line in lines[:4]} == {7}


def test_a_table_speaks_french() -> None:
    """Words, commas and the spaces before signs."""
    text = tables.comparison(ROWS, "fr", scripts=20, failing=True)

    assert "| lanceur | rapport médian |" in text
    assert "| boucle sh | 1,00 |" in text
    assert "20/20 | 0 |" in text
    assert text.endswith("Non mesuré\N{NO-BREAK SPACE}: invoke (un seul à la fois).")


def test_a_curve_has_a_column_a_size_and_its_growth() -> None:
    """A cost that was not measured leaves its cell empty."""
    curve = Curve("a", "runs", (100, 10_000))
    for cost in (1.0, 100.0):
        curve.add("run: CPU ms", cost)
    curve.add("run: peak MiB", None)
    curve.add("run: peak MiB", 30)

    assert tables.curve(curve, "en").splitlines() == [
        "| runs | 100 | 10,000 | growth |",
        "| --- | --: | --: | --: |",
        "| run: CPU ms | 1.00 | 100 | n^1.00 |",
        "| run: peak MiB |  | 30.0 |  |",
    ]
    french = tables.curve(curve, "fr")
    assert "| run\N{NO-BREAK SPACE}: ms de processeur | 1,00 | 100 | n^1,00 |" in french


def test_a_table_takes_the_place_of_the_one_before() -> None:
    """The written text around it stays; a page without that place is an error."""
    page = "text\n\n<!-- one -->\nold\nolder\n<!-- /one -->\n\n<!-- two -->\n<!-- /two -->\n"
    once = tables.replace(page, "one", r"new \1")
    assert once == page.replace("old\nolder", r"new \1")
    assert tables.replace(once, "one", r"new \1") == once
    assert "<!-- two -->\nx\n<!-- /two -->" in tables.replace(once, "two", "x")
    with pytest.raises(ValueError, match="three"):
        tables.replace(page, "three", "x")
