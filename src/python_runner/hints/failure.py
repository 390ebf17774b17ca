"""What is known of a failure, and of what surrounded it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Callable

#: Type and message of an exception. SQLAlchemy puts the driver's own type in front.
_EXCEPTION = lazy_pattern(r"((?:\w+\.)*(?:<locals>\.)?[^\W\d]\w*)(?::\s(.*))?", 16)
_WRAPPED = lazy_pattern(r"\(((?:\w+\.)+\w+)\) (.*)", 16)
_NUMBER = lazy_pattern(r"\[(Errno|WinError) (-?\d+)\] ")
_QUOTED = r"""'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*\""""
#: A frame of a library, and a line that raises an exception with words of its own.
_LIBRARY = lazy_pattern(
    r"<frozen |[\\/](?:site-packages|dist-packages|python3\.\d+|Lib)[\\/]"
)
_FRAME = '  File "'
_RAISES = lazy_pattern(r"\s*raise\s+\w")
_FILE = lazy_pattern(rf": b?({_QUOTED})(?: -> b?({_QUOTED}))?$")
_ESCAPE = lazy_pattern(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|(.))", 16)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a script failed.

    Attributes:
        kind: the type of the exception that ended it, with its modules, as Python writes
            it; empty where no exception did.
        message: what stands behind the type, on one line.
        text: the tracebacks that led to it.
        output: the end of what it printed.
        exit_code: as the platform gives it (negative: a signal), None if unknown.
        timed_out: whether it was stopped because it took too long.
    """

    kind: str = ""
    message: str = ""
    text: str = ""
    output: str = ""
    exit_code: int | None = None
    timed_out: bool = False

    @classmethod
    def of(
        cls, exception: str, text: str = "", output: str = "", **end: Any
    ) -> Failure:
        """Return the failure that an exception is, by its line; ``end``: the other facts."""
        kind, message = "", ""
        if match := _EXCEPTION.fullmatch(exception.strip()):
            kind, message = match[1], match[2] or ""
            if kind.startswith("sqlalchemy.") and (inner := _WRAPPED.match(message)):
                kind, message = inner[1], inner[2]
        return cls(kind=kind, message=message, text=text, output=output, **end)

    @property
    def number(self) -> int | None:
        """The error number of the C library; None where there is none."""
        return self._number("Errno")

    @property
    def winerror(self) -> int | None:
        """The error number of Windows; None where there is none."""
        return self._number("WinError")

    def _number(self, sort: str) -> int | None:
        match = _NUMBER.match(self.message)
        return int(match[2]) if match and match[1] == sort else None

    @property
    def file(self) -> str:
        """The file that an error of the system names; empty for none."""
        return self._file(1)

    @property
    def target(self) -> str:
        """The second file, of what copies or renames; empty for none."""
        return self._file(2)

    def _file(self, place: int) -> str:
        match = _NUMBER.match(self.message) and _FILE.search(self.message)
        return _unquoted(match[place]) if match and match[place] else ""

    @property
    def last_frame(self) -> str:
        """The last frame of the traceback: the line of its file, and those below."""
        head, mark, last = self.text.rpartition(_FRAME)
        return mark + last if head or mark else ""

    @property
    def own_words(self) -> bool:
        """Whether the script itself raised it, with words of its own."""
        # What a library raised has a frame of the library, also where it is raised again.
        file, _, code = self.last_frame.partition("\n")
        return bool(_RAISES.match(code)) and not _LIBRARY.search(file)

    @property
    def frames(self) -> str:
        """The last lines of the traceback: who raised it."""
        return "\n".join(self.text.splitlines()[-30:])


def _unquoted(text: str) -> str:
    """Return what ``repr`` has put into quotes."""
    return _ESCAPE.sub(
        lambda m: (
            chr(int(m[1] or m[2], 16)) if m[1] or m[2] else _ESCAPED.get(m[3], m[3])
        ),
        text[1:-1],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """Where a script ran.

    Attributes:
        windows: whether that is Windows.
        python: the command that starts its interpreter, ready for a shell.
        version: of that, as far as known.
        install: the command that installs a package for it, to which the package is
            added; empty where the system's Python takes none.
        environment: the command that makes an environment in the project, and the one
            that installs there; for a Python that takes no package itself.
        folder: the current folder of the script.
        project: the project's folder.
        account: the account that it ran as.
        exists: says whether there is a file or folder; a path may be relative to `folder`.
        is_folder: says whether that is a folder.
        module_folder: returns the folder of the project that holds a module; None: none.
    """

    windows: bool
    python: str
    folder: str
    project: str
    account: str
    exists: Callable[[str], bool]
    is_folder: Callable[[str], bool]
    module_folder: Callable[[str], str | None]
    version: tuple[int, int] | None = None
    install: str = ""
    environment: tuple[str, str] = ("", "")
