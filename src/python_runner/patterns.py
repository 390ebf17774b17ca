"""Regular expressions that are compiled when they are first used.

A command loads over a hundred of them and uses a few: compiling them all takes longer than
some commands do.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, AnyStr, cast


if TYPE_CHECKING:
    from re import Pattern


class _Later:
    """A regular expression that is not compiled yet; what it gives, it keeps."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source = source
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        value = getattr(re.compile(self._source, self._flags), name)
        setattr(self, name, value)
        return value


def lazy_pattern(source: AnyStr, flags: int = 0) -> Pattern[AnyStr]:
    """Return a regular expression for a module's constant.

    Args:
        source: the expression.
        flags: of ``re``, joined with ``|``.

    Returns:
        What has the methods and attributes of a compiled one. A wrong expression raises
        ``re.error`` at the first use.
    """
    return cast("Pattern[AnyStr]", _Later(source, flags))
