"""Our data classes are the standard library's, made with less work."""

from __future__ import annotations

import dataclasses
import pickle
from dataclasses import field, replace
from typing import ClassVar

import pytest

from python_runner.facts import dataclass


pytestmark = pytest.mark.portable("what a class does is Python's")


@dataclass(frozen=True, slots=True)
class Ours:
    """A fact."""

    KIND: ClassVar[str] = "kind"
    name: str
    count: int = 0
    secret: str = field(default="", repr=False)
    parts: dict[str, int] = field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True)
class Theirs:
    """The same fact."""

    KIND: ClassVar[str] = "kind"
    name: str
    count: int = 0
    secret: str = field(default="", repr=False)
    parts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Name:
    """What can be a key."""

    text: str
    seen: int = field(default=0, compare=False)


@dataclass(slots=True, kw_only=True)
class Work:
    """What changes."""

    done: list[str] = field(default_factory=list)
    _size: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin."""
        self._size = len(self.done)

    @property
    def size(self) -> int:
        """How much there was."""
        return self._size


@dataclass(eq=False)
class Itself:
    """Nothing is equal to it but itself."""

    name: str


class Below(Ours):
    """Has an ``__init__`` of its own."""

    __slots__ = ()

    def __init__(self, name: str) -> None:
        super().__init__(name, count=7)


@pytest.mark.parametrize(
    ("places", "names"),
    [
        pytest.param(("a",), {}, id="least"),
        pytest.param(("a", 1, "s", {"x": 1}), {}, id="places"),
        pytest.param((), {"name": "a", "parts": {}, "count": 2}, id="names"),
        pytest.param((), {}, id="missing"),
        pytest.param(("a", 1, "s", {}, 5), {}, id="too-many"),
        pytest.param(("a",), {"name": "b"}, id="twice"),
        pytest.param(("a",), {"other": 1}, id="unknown"),
    ],
)
def test_objects_are_made_as_the_standard_library_makes_them(
    places: tuple[object, ...], names: dict[str, object]
) -> None:
    """The same values, the same text, and for wrong arguments the same error."""
    told = []
    for kind in (Ours, Theirs):
        try:
            made = kind(*places, **names)  # type: ignore[arg-type]
            told.append((repr(made), dataclasses.astuple(made)))
        except TypeError as error:
            told.append((str(error), ()))

    ours, theirs = ((text.replace("Theirs", "Ours"), rest) for text, rest in told)
    assert ours == theirs


def test_a_fact_never_changes() -> None:
    """Neither by a new value nor by none; what differs is another object."""
    fact = Ours("a")

    with pytest.raises(dataclasses.FrozenInstanceError, match="'name'"):
        fact.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError, match="'name'"):
        del fact.name
    assert (replace(fact, name="b").name, fact.name) == ("b", "a")


def test_equal_values_are_equal_facts() -> None:
    """They find each other in a set; what is of another kind is not the same."""
    assert Ours("a") == Ours("a", 0) != Ours("b")
    assert Ours("a") != Theirs("a")  # type: ignore[comparison-overlap]
    assert len({Name("a", 1), Name("a", 2), Name("b")}) == 2
    with pytest.raises(TypeError):
        hash(Work())
    assert Itself("a") != Itself("a")


def test_no_two_objects_share_what_a_factory_makes() -> None:
    """A list belongs to its object."""
    first, second = Work(), Work(done=["a"])
    first.done.append("b")

    assert (first.done, second.done, Work().done) == (["b"], ["a"], [])
    assert (first.size, second.size) == (0, 1)


def test_facts_can_be_pickled_and_copied() -> None:
    """They cross to other processes."""
    for thing in (Ours("a", 2, parts={"x": 1}), Work(done=["a"])):
        assert pickle.loads(pickle.dumps(thing)) == thing  # noqa: S301


def test_a_class_below_keeps_its_own_init() -> None:
    """The first object made decides nothing for the class above."""
    assert (Below("a").count, Below("b").count, Ours("c").count) == (7, 7, 0)
    assert [f.name for f in dataclasses.fields(Ours)][:2] == ["name", "count"]
