"""Who reported a traceback: the script's own end, the background, or somebody else.

The last traceback of a chain that ended a script begins in ``<module>`` of that script. What
Python reports of a thread, a child process, a destructor or a logger never does, nor does
what a ``try`` in a function has caught.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import Kind


if TYPE_CHECKING:
    from python_runner.tracebacks.blocks import Block
    from python_runner.tracebacks.chains import Chain
    from python_runner.tracebacks.lines import Output
    from python_runner.tracebacks.place import Project


class Origin(Enum):
    """Who reported a traceback."""

    #: The exception left the script, or a ``try`` of its module caught it.
    SCRIPT = auto()
    #: Python itself, of something that ends no script.
    BACKGROUND = auto()
    #: A logger, a function that went on, a program that the script started.
    OTHER = auto()


#: What stands above the traceback of an error in the background. A logger may have put
#: time and level before it.
_BACKGROUND = lazy_pattern(
    r"(?:^|.{0,200}?[\s:\]|-])(?:"
    r"Exception in (?:thread |callback |default exception handler|Tkinter callback)"
    r"|Exception ignored (?:in|on|while|from)\b"
    r"|Error in (?:atexit\._run_exitfuncs|sys\.excepthook|sys\.exitfunc)"
    r"|(?:Task|Future|_GatheringFuture) exception was never retrieved"
    r"|exception calling callback "
    r"|Unhandled (?:error in Deferred|exception in event loop|Error$)"
    r"|Unhandled exception in thread "
    r"|(?:future|task|handle|transport|protocol|exception|source_traceback): <"
    r"|--- Logging error ---$"
    r"|an error occurred during closing of asynchronous generator "
    r"|unhandled exception during asyncio\.run\(\) shutdown$"
    r")|Process \S.*:$"
)
#: Functions of Python in which such tracebacks begin, with the module each is of.
_BACKGROUND_FRAMES = frozenset(
    {
        ("threading", "_bootstrap_inner"),
        ("threading", "_bootstrap"),
        ("process", "_bootstrap"),
        ("spawn", "spawn_main"),
        ("spawn", "_main"),
        ("forkserver", "main"),
        ("resource_tracker", "main"),
        ("__init__", "emit"),
        ("__init__", "handleError"),
        ("handlers", "emit"),
        ("events", "_run"),
        ("_base", "_invoke_callbacks"),
        ("_base", "add_done_callback"),
        ("weakref", "_exitfunc"),
        ("greenlet", "gevent._gevent_cgreenlet.Greenlet.run"),
    }
)
_MODULE = lazy_pattern(r"([^/\\]+)\.\w+$")
#: Frames of Python that start a folder or an archive, and the one behind them.
_STARTERS = 4
#: Lines that tell of the same error above its traceback, at most.
_LINES_ABOVE = 4


def origin_of(chain: Chain, project: Project) -> Origin:
    """Return who reported a chain."""
    block = chain.last
    if block.kind is Kind.FATAL or not block.frames:
        return Origin.OTHER
    if block.kind is not Kind.LOGURU and _begins_in_script(block, project):
        return Origin.SCRIPT
    if _BACKGROUND.match(chain.before) or _begins_in_background(block):
        return Origin.BACKGROUND
    return Origin.OTHER


def _begins_in_script(block: Block, project: Project) -> bool:
    first = block.frames[0]
    if first.function is None:
        # The error of a script that Python cannot read.
        return project.is_script(first.file)
    for frame in block.frames[:_STARTERS]:
        if frame.file != "<frozen runpy>":
            return frame.function == "<module>" and project.is_script(frame.file)
    return False


def _begins_in_background(block: Block) -> bool:
    # A child that is not forked begins in a line of text.
    for frame in block.frames[:2]:
        match = _MODULE.search(frame.file)
        if match and (match[1], frame.function) in _BACKGROUND_FRAMES:
            return True
        if not frame.file.startswith("<"):
            return False
    return False


def report_start(output: Output, chain: Chain) -> int:
    """Return the first line of the report that a chain is part of."""
    start = chain.start
    for _ in range(_LINES_ABOVE):
        if not start or not _BACKGROUND.match(output.lines[start - 1]):
            break
        start -= 1
    return start


def report_end(output: Output, chain: Chain) -> int:
    """Return the line after the report that a chain is part of."""
    lines, end = output.lines, chain.last.end
    if end < len(lines) and lines[end] == "Call stack:":
        # What logging prints of the call that it could not write.
        end += 1
        while end < len(lines) and lines[end].startswith((" ", "Message: ")):
            end += 1
        while end < len(lines) and lines[end].startswith("Arguments: "):
            end += 1
    return end
