"""Lets a script print any character; imported by the script's own interpreter.

The runner puts this folder in front of ``PYTHONPATH``: that reaches the interpreter before
the script begins, and leaves ``__main__``, ``sys.argv`` and ``open()`` alone. The first
thing done here is to take the folder away again, from ``os.environ`` as well, so that
neither the script nor what it starts sees it. The Python may be of any version.
"""

import codecs
import os
import sys


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def _withdraw(folder: str) -> None:
    """Undo what brought this module here."""
    first, _, rest = os.environ.get("PYTHONPATH", "").partition(os.pathsep)
    if first == folder:
        if rest:
            os.environ["PYTHONPATH"] = rest
        else:
            del os.environ["PYTHONPATH"]
    if folder in sys.path:
        sys.path.remove(folder)
    sys.path_importer_cache.pop(folder, None)


def _print_anything(error: "UnicodeError") -> "tuple[str | bytes, int]":
    """Write a file name's bytes as they are, and what has no other way as an escape."""
    assert isinstance(error, UnicodeEncodeError)  # noqa: S101 - nothing else is printed
    one = UnicodeEncodeError(
        error.encoding, error.object, error.start, error.start + 1, error.reason
    )
    try:
        return codecs.lookup_error("surrogateescape")(one)
    except UnicodeEncodeError:
        return codecs.backslashreplace_errors(one)


def _let_print(stream: "Any") -> None:
    """Give a stream an error handler with which no character makes print() fail."""
    errors = getattr(stream, "errors", None)
    if errors == "strict":
        stream.reconfigure(errors="backslashreplace")
    elif errors == "surrogateescape":
        # What Python chooses in the locale C.
        codecs.register_error("surrogateescape-backslashreplace", _print_anything)
        stream.reconfigure(errors="surrogateescape-backslashreplace")


_WHERE = os.environ.pop("PYTHON_RUNNER_HOLD", None)
if _WHERE is not None:
    # It was started ahead, and must not run its script by mistake.
    try:
        import python_runner_hold  # type: ignore[import-not-found]

        python_runner_hold.install(_WHERE)
        del sys.modules["python_runner_hold"], python_runner_hold
    except BaseException:  # noqa: BLE001
        os._exit(70)
_withdraw(os.path.dirname(__file__))  # noqa: PTH120 - needs no further module
# Who chose a handler gets it.
if ":" not in os.environ.get("PYTHONIOENCODING", ""):
    _let_print(sys.stdout)

# The import that found this module goes on to the one of the interpreter, if it has one:
# what it raises where there is none is what `site` expects.
del sys.modules["sitecustomize"]
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
