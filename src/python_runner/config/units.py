"""Parses durations and sizes, such as ``"30m"`` and ``"10MB"``."""

from __future__ import annotations

from typing import Any

from python_runner.patterns import lazy_pattern


_NUMBER_AND_UNIT = lazy_pattern(r"([0-9]+(?:\.[0-9]+)?) ?([a-zA-Z]*)")
#: Longest duration, in seconds, and largest size: what is beyond stands for it. No run
#: lasts so long, no disk holds so much, and every platform can count so far.
LONGEST = 1e10
LARGEST = 10**18
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
#: Decimal multiples, as file managers count them.
_BYTES = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9}


class Duration(float):
    """Seconds, written ``"45s"``, ``"30m"``, ``"2h"``, ``"1d"`` or as a number."""

    json_schema = {  # noqa: RUF012 - a constant of the type
        "anyOf": [
            {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?[smhd]?$"},
            {"type": "number", "exclusiveMinimum": 0},
        ]
    }

    @classmethod
    def parse(cls, value: object) -> Duration:
        """Return the duration; raises ``ValueError`` if it is none above 0."""
        seconds = _multiply(value, _SECONDS)
        if not seconds > 0:
            raise ValueError(value)
        return cls(min(seconds, LONGEST))


class Size(int):
    """Bytes, written ``"10MB"``, ``"500 kB"``, ``"1GB"`` or as a whole number."""

    json_schema = {  # noqa: RUF012 - a constant of the type
        "anyOf": [
            {"type": "string", "pattern": "^[0-9]+(\\.[0-9]+)? ?([kKmMgG]?[bB])?$"},
            {"type": "integer", "minimum": 0},
        ]
    }

    @classmethod
    def parse(cls, value: object) -> Size:
        """Return the size; raises ``ValueError`` if it is none."""
        size = _multiply(value, _BYTES)
        if isinstance(value, float) or size < 0:
            raise ValueError(value)
        return cls(min(size, LARGEST))


def _multiply(value: object, units: dict[str, Any]) -> float:
    # bool is an int to Python, never a quantity to people.
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    match = _NUMBER_AND_UNIT.fullmatch(value) if isinstance(value, str) else None
    if match is None or match[2].lower() not in units:
        raise ValueError(value)
    number: float = float(match[1]) * units[match[2].lower()]
    return number


def parse_unit(kind: type, value: object) -> Any:
    """Be msgspec's ``dec_hook`` for the types of this module."""
    if kind in {Duration, Size}:
        return kind.parse(value)
    raise NotImplementedError(kind)


def unit_schema(kind: type) -> dict[str, Any]:
    """Be msgspec's ``schema_hook`` for the types of this module."""
    if kind in {Duration, Size}:
        return dict(kind.json_schema)
    raise NotImplementedError(kind)
