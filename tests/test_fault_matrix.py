"""What ``docs/reliability.md`` promises is held by tests."""

from __future__ import annotations

import ast

import pytest

from tests import fault_matrix
from tests.fault_matrix import AREAS, DOCS, TESTS, Promise, promises


pytestmark = pytest.mark.source


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("reliability.md", fault_matrix.page),
        ("reliability.fr.md", fault_matrix.french_page),
    ],
)
def test_the_page_is_what_the_tests_promise(name: str, text: object) -> None:
    """``python -m tests.fault_matrix`` has been run since the last change."""
    assert callable(text)
    assert (DOCS / name).read_text("utf-8") == text()


@pytest.mark.parametrize("area", AREAS)
def test_every_area_has_promises(area: str) -> None:
    """No summary stands alone."""
    assert sum(p.area == area for p in promises()) >= 3


@pytest.mark.parametrize("promise", promises(), ids=lambda p: f"{p.test}-{p.what}")
def test_a_promise_is_not_expected_to_fail(promise: Promise) -> None:
    """A test that may fail holds nothing."""
    path, _, name = promise.test.partition("::")
    (test,) = (
        node
        for node in ast.walk(ast.parse((TESTS / path).read_text("utf-8")))
        if isinstance(node, ast.FunctionDef) and node.name == name
    )
    marks = " ".join(ast.unparse(mark) for mark in test.decorator_list)
    assert "xfail" not in marks
    assert "KNOWN" not in marks
    assert "|" not in promise.what + promise.promise
