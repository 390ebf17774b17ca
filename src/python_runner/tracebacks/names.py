"""How exceptions are called where there is little room."""

from __future__ import annotations

from python_runner.patterns import lazy_pattern


#: Modules before the name of a class. What has no capital may be a host or a file.
_MODULES = lazy_pattern(r"^(?:(?:[^\W\d]\w*|<locals>)\.)+(?=[A-Z]\w*(?::|$))")
#: Date and time that a logger has put before its words.
_TIME = lazy_pattern(r"^\W?\d{4}-\d\d-\d\d[T ]\d\d:\d\d\S*\s[\s|,-]*(?=\S)")


def short_exception(exception: str) -> str:
    """Return type and message of an exception without the modules of the type.

    Words that were logged go without their time.

    >>> short_exception("json.decoder.JSONDecodeError: Expecting value")
    'JSONDecodeError: Expecting value'
    """
    return _MODULES.sub("", _TIME.sub("", exception))
