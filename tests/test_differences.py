"""What differs between two results of a script: decided by tables."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.differences import Made, differences, is_compared
from python_runner.model import (
    Attempt,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
)
from python_runner.model.differences import Aspect, Change, Differences
from python_runner.model.metrics import ScriptMetrics
from python_runner.model.provenance import (
    Packages,
    RunProvenance,
    ScriptProvenance,
    SourceFile,
)
from python_runner.texts.sentence import Sentence
from tests.support import NOW


if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.portable("compares facts")


def source(path: str, digest: str = "d1") -> SourceFile:
    """Return a file of the project."""
    return SourceFile(path=path, digest=digest)


def made(
    *,
    files: tuple[tuple[str, str], ...] | None = (("main.py", "d1"),),
    packages: tuple[tuple[str, str], ...] | None = (("pandas", "2.1"),),
    fingerprint: str | None = "",
    python: str | None = "3.11.9",
    interpreter: str | None = "/venv/bin/python",
    computer: str | None = "PC-3",
    account: str = "anna",
    variables: tuple[str, ...] = ("HOME", "PATH"),
    duration: float = 10.0,
    output: int | None = 2000,
    outcome: Outcome = Outcome.FAILURE,
    traceback: Traceback | None = None,
    attempts: int = 1,
) -> Made:
    """Return a result with its run; None stands for what was not recorded."""
    if fingerprint == "":
        fingerprint = repr(packages)
    attempt = Attempt(
        outcome=outcome,
        exit_code=1,
        started_at=NOW,
        duration=duration,
        traceback=traceback,
    )
    sources = tuple(source(*file) for file in files or ())
    result = ScriptResult(
        script="main.py",
        run_id="39be3d37aed64",
        number=1,
        outcome=outcome,
        started_at=NOW,
        duration=duration * 100,
        attempts=(attempt,) * attempts,
        metrics=None
        if output is None
        else ScriptMetrics(output_bytes=output, output_lines=1),
        provenance=None
        if files is None
        else ScriptProvenance(
            script=sources[0] if sources else None, imports=sources[1:]
        ),
    )
    run = Run(
        run_id="39be3d37aed64",
        project="p",
        path=cast("Path", "/p"),
        status=RunStatus.FAILURE,
        started_at=NOW,
        duration=1.0,
        scripts=(result,),
        interpreter=interpreter,
        interpreter_version=python,
        provenance=None
        if computer is None
        else RunProvenance(
            computer=computer,
            account=account,
            packages=fingerprint,
            variables=variables,
        ),
    )
    listed = packages and Packages(fingerprint=fingerprint or "", versions=packages)
    return Made(run=run, result=result, packages=listed or None)


def told(before: Made, after: Made) -> list[tuple[Any, ...]] | None:
    """Return what differs, as plain tuples."""
    found = differences(before, after)
    if found is None:
        return None
    return [(d.aspect.value, d.name, d.before, d.after) for d in found]


MORE = (("main.py", "d1"), ("lib/a.py", "a1"), ("lib/b.py", "b1"))


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({}, {}, []),
        (
            {"files": MORE},
            {"files": (("main.py", "d2"), ("lib/a.py", "a1"), ("lib/c.py", "c1"))},
            [
                ("file", "main.py", "d1", "d2"),
                ("file", "lib/b.py", "b1", None),
                ("file", "lib/c.py", None, "c1"),
            ],
        ),
        (
            {"files": (("z.py", "1"), *MORE[1:])},
            {"files": (("z.py", "2"), ("lib/a.py", "2"), ("lib/b.py", "2"))},
            [
                ("file", "z.py", "1", "2"),
                ("file", "lib/a.py", "a1", "2"),
                ("file", "lib/b.py", "b1", "2"),
            ],
        ),
        # The script itself cannot be read any more.
        ({"files": MORE[:1]}, {"files": ()}, [("file", "main.py", "d1", None)]),
        # Whether the files are the same is not known, and so nothing is said.
        ({"files": None}, {}, None),
        ({}, {"files": None}, None),
        ({"files": None, "duration": 720.0}, {}, None),
        ({"files": None}, {"computer": "PC-7"}, [("computer", "", "PC-3", "PC-7")]),
        (
            {"packages": (("a", "1"), ("b", "1"), ("c", "1"))},
            {"packages": (("a", "1"), ("b", "2"), ("d", "1"))},
            [
                ("package", "b", "1", "2"),
                ("package", "c", "1", None),
                ("package", "d", None, "1"),
            ],
        ),
        # The same package twice, and once.
        (
            {"packages": (("a", "1"), ("a", "2"))},
            {"packages": (("a", "1"),)},
            [("package", "a", "1, 2", "1")],
        ),
        # What is in it is not known any more, or all the same.
        (
            {"packages": None, "fingerprint": "f1"},
            {"packages": None, "fingerprint": "f2"},
            [("packages", "", "f1", "f2")],
        ),
        ({"fingerprint": "f1"}, {"fingerprint": "f2"}, [("packages", "", "f1", "f2")]),
        ({"fingerprint": None}, {"fingerprint": "f2"}, []),
        (
            {"python": "3.11.9"},
            {"python": "3.12.1"},
            [("python", "", "3.11.9", "3.12.1")],
        ),
        ({"python": None}, {"python": "3.12.1"}, []),
        (
            {"interpreter": "/a/python"},
            {"interpreter": "/b/python"},
            [("interpreter", "", "/a/python", "/b/python")],
        ),
        (
            {"computer": "PC-3", "account": "anna"},
            {"computer": "PC-7", "account": "SYSTEM"},
            [("computer", "", "PC-3", "PC-7"), ("account", "", "anna", "SYSTEM")],
        ),
        ({"computer": None}, {"computer": "PC-7"}, None),
        (
            {"variables": ("A", "B")},
            {"variables": ("B", "C")},
            [("variable", "A", "A", None), ("variable", "C", None, "C")],
        ),
        ({"duration": 720.0}, {"duration": 0.2}, [("duration", "", 720.0, 0.2)]),
        ({"duration": 10.0}, {"duration": 20.0}, [("duration", "", 10.0, 20.0)]),
        ({"duration": 10.0}, {"duration": 19.0}, []),
        ({"duration": 0.1}, {"duration": 0.9}, []),
        # Of several attempts the last one counts, not the waits between them.
        ({"attempts": 1}, {"attempts": 3}, []),
        ({"duration": 720.0}, {"duration": 0.2, "attempts": 0}, []),
        ({"output": 48_000}, {"output": 2000}, [("output", "", 48_000, 2000)]),
        ({"output": 100}, {"output": 600}, []),
        ({"output": 20}, {"output": 0}, []),
        # A traceback is printed as well, and told elsewhere.
        (
            {"output": 0},
            {"output": 5001, "traceback": Traceback(text="x" * 5000, exception="x")},
            [],
        ),
        (
            {"output": 6000},
            {"output": 5001, "traceback": Traceback(text="x" * 5000, exception="x")},
            [("output", "", 6000, 1)],
        ),
        ({"output": None}, {"output": 5000}, []),
    ],
)
def test_what_differs_is_told(
    before: dict[str, Any],
    after: dict[str, Any],
    expected: list[tuple[Any, ...]] | None,
) -> None:
    """Each aspect by itself: what was recorded of one side alone is not compared."""
    assert told(made(**before), made(**after)) == expected


def test_the_most_telling_comes_first() -> None:
    """Files, packages, Python, interpreter, computer, account, variables, then effects."""
    before = made()
    after = made(
        files=(("main.py", "d2"),),
        packages=(("pandas", "2.2"),),
        python="3.12.1",
        interpreter="/usr/bin/python3",
        computer="PC-7",
        account="SYSTEM",
        variables=("PATH",),
        duration=0.1,
        output=0,
    )
    aspects = [difference.aspect for difference in differences(before, after) or ()]

    assert aspects == [aspect for aspect in Aspect if aspect is not Aspect.PACKAGES]


@pytest.mark.parametrize("place", ["lib/b.py", "lib\\b.py"])
def test_the_file_that_failed_comes_before_all_others(place: str) -> None:
    """However the traceback writes its path."""
    changed = tuple((path, digest + "x") for path, digest in MORE)
    traceback = Traceback(text="", exception="KeyError: 'x'", file=place, line=1)
    found = differences(made(files=MORE), made(files=changed, traceback=traceback))

    assert [difference.name for difference in found or ()] == [
        "lib/b.py",
        "main.py",
        "lib/a.py",
    ]


def test_without_anything_recorded_nothing_is_said() -> None:
    """Of a run of an older version, on either side."""
    old = made(files=None, computer=None)

    assert differences(old, made()) is None
    assert differences(made(), old) is None
    assert differences(made(files=None), made(computer=None)) is None


@pytest.mark.parametrize(
    ("outcome", "compared"),
    [
        (Outcome.SUCCESS, False),
        (Outcome.FAILURE, True),
        (Outcome.TIMEOUT, True),
        (Outcome.NOT_STARTED, True),
        (Outcome.SKIPPED, False),
        (Outcome.STOPPED, False),
        (Outcome.INTERRUPTED, False),
    ],
)
def test_what_failed_by_itself_is_compared(outcome: Outcome, compared: bool) -> None:
    """Nobody asks what changed where a script was stopped, or not run for another one."""
    assert is_compared(made(outcome=outcome).result) is compared


def test_an_unusual_success_is_compared() -> None:
    """It may have done nothing because of what changed."""
    result = made(outcome=Outcome.SUCCESS).result

    assert is_compared(replace(result, unusual=(Sentence.of("it was quick"),)))


NAMES = st.text("abc./é", min_size=1, max_size=4)
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=4, unique_by=lambda pair: pair[0])
MADE = st.builds(
    made,
    files=st.none() | PAIRS.map(tuple),
    packages=st.none() | PAIRS.map(tuple),
    python=st.none() | NAMES,
    computer=st.none() | NAMES,
    variables=st.lists(NAMES, max_size=3).map(tuple),
    duration=st.floats(0, 1e6),
    output=st.none() | st.integers(0, 10**9),
)


@given(MADE)
def test_a_result_does_not_differ_from_itself(one: Made) -> None:
    """Whatever was recorded of it."""
    assert not differences(one, one)


@given(MADE, MADE)
def test_what_differs_is_told_in_order_and_once(one: Made, other: Made) -> None:
    """And the other way round the same things differ, turned round."""
    there, back = differences(one, other), differences(other, one)

    assert (there is None) == (back is None)
    if there is None or back is None:
        return
    order = [list(Aspect).index(difference.aspect) for difference in there]
    assert order == sorted(order)
    turned = {(d.aspect, d.name, d.after, d.before) for d in back}
    assert {(d.aspect, d.name, d.before, d.after) for d in there} == turned
    assert len(turned) == len(there)
    for difference in there:
        assert (difference.change is Change.ADDED) == (difference.before is None)


def test_a_document_tells_all_of_it() -> None:
    """With the run and the moment that it is compared with."""
    found = differences(made(files=MORE), made(files=MORE[:2], computer="PC-7"))
    document = Differences(
        run_id="39be3d37aed64", since=NOW - timedelta(days=3), found=found or ()
    ).to_document()

    assert document == {
        "since": {"run_id": "39be3d37aed64", "started_at": "2026-11-20T09:51:58+00:00"},
        "differences": [
            {
                "aspect": "file",
                "name": "lib/b.py",
                "change": "removed",
                "before": "b1",
                "after": None,
                "diff": None,
            },
            {
                "aspect": "computer",
                "name": None,
                "change": "changed",
                "before": "PC-3",
                "after": "PC-7",
            },
        ],
    }
