"""Paths and expressions that break what quotes and converts them carelessly."""

from __future__ import annotations

from hypothesis import strategies as st


#: Names of folders that somebody has.
NAMES = (
    "plain",
    "with blank",
    "Clôture d'été",
    'quo"te',
    "50% off",
    "back\\slash",
    "100\\%",
    "a&b <c>",
    "$HOME",
    "`id`",
    "*?[x]",
    "#hash",
    "semi;colon",
    "!bang",
    "日本",
    "%s%%h",
    'it\'s "both"',
    "~",
    "-rf",
    "ends;",
    ";",
    "a && b",
    "2>x",
    "python-runner",
)

#: Expressions of every kind, all of them right.
EXPRESSIONS = (
    "0 6 * * *",
    "0 6 * * 1-5",
    "*/15 * * * *",
    "* * * * *",
    "*/15 8-18 * * mon-fri",
    "0 6,12,18 * * *",
    "30 4 1,15 * *",
    "0 6 1 * 1",
    "0 6 L * *",
    "0 6 1,L 2,3 *",
    "0 6 * * 5L",
    "0 6 * * 1#2",
    "0 6 * * 1#2,5L",
    "0 6 * 1,7 1-5",
    "0 6 29 2 *",
    "0 6 31 * *",
    "5/20 */6 * * *",
    "0 0 1 1 *",
    "7,9,50 3 * * 0",
    "0 22 * * 7",
    "0 */2 * * 6,7",
    "15 10 * 6-8 *",
    "0 6 1-31 * 1",
    "59 23 31 12 *",
)

numbers = {
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 7),
}


@st.composite
def field(draw: st.DrawFn, name: str) -> str:
    """Return one field: a star, numbers, ranges and steps."""
    low, high = numbers[name]
    kind = draw(st.sampled_from(["*", "one", "list", "range", "step", "star-step"]))
    one = st.integers(low, high)
    if kind == "*":
        return "*"
    if kind == "one":
        return str(draw(one))
    if kind == "list":
        return ",".join(map(str, draw(st.lists(one, min_size=2, max_size=4))))
    first, last = sorted((draw(one), draw(one)))
    if kind == "range":
        return f"{first}-{last}"
    step = draw(st.integers(1, 30))
    return f"*/{step}" if kind == "star-step" else f"{first}-{last}/{step}"


@st.composite
def expressions(draw: st.DrawFn) -> str:
    """Return an expression; it may name days that no month has."""
    return " ".join(draw(field(name)) for name in numbers)
