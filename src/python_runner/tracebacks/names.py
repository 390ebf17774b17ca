"""How exceptions are called where there is little room."""

from __future__ import annotations

import re


#: Modules before the name of a class. What has no capital may be a host or a file.
_MODULES = re.compile(r"^(?:(?:[^\W\d]\w*|<locals>)\.)+(?=[A-Z]\w*(?::|$))")


def short_exception(exception: str) -> str:
    """Return type and message of an exception without the modules of the type.

    >>> short_exception("json.decoder.JSONDecodeError: Expecting value")
    'JSONDecodeError: Expecting value'
    """
    return _MODULES.sub("", exception)
