"""The pages about hints are made of the rules."""

from __future__ import annotations

import pytest

from tests import hint_table


pytestmark = pytest.mark.source


@pytest.mark.parametrize("language", hint_table.PAGES)
def test_the_tables_of_the_pages_are_the_rules(language: str) -> None:
    """With the words that people are told: ``python -m tests.hint_table`` writes them."""
    page = hint_table.PAGES[language].read_text("utf-8")
    assert hint_table.written(page, language) == page
