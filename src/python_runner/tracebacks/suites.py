"""Test suites that are run as scripts: pytest and unittest sum up at their end."""

from __future__ import annotations

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.tracebacks.blocks import Frame, frame_in


_PYTEST_END = lazy_pattern(
    r"(?:=+ )?\d+ (?:failed|passed|errors?|skipped)\b.* in [\d.]+s"
)
_PYTEST_SUMMARY = lazy_pattern(r"=+ short test summary info =+$")
_PYTEST_SECTIONS = lazy_pattern(r"=+ (?:FAILURES|ERRORS) =+$")
_PYTEST_TITLE = lazy_pattern(r"_{3,} .* _{3,}$")
_PYTEST_PLACE = lazy_pattern(r"(\S.*?):(\d+): ?(?:in \S+|\w*)$")
#: With ``--tb=line``: place and message of each failure.
_PYTEST_LINE = lazy_pattern(r"(\S.*?\.py):(\d+): \S")
_UNITTEST_END = lazy_pattern(r"FAILED \((?:failures|errors|unexpected successes)=")
_UNITTEST_TITLE = lazy_pattern(r"(?:FAIL|ERROR): \S")
_RULE = lazy_pattern(r"={20,}$")


@dataclass(frozen=True, slots=True)
class FailedTests:
    """Tests that failed.

    Attributes:
        start: the line where the first one is told.
        headline: what it says, and how many others failed.
        frames: of the first one.
    """

    start: int
    headline: str
    frames: tuple[Frame, ...]


def failed_tests(lines: list[str]) -> FailedTests | None:
    """Return what a test suite tells at the end of ``lines``, or None."""
    if not lines:
        return None
    if _PYTEST_END.match(lines[-1]):
        return _pytest(lines)
    return _unittest(lines) if _UNITTEST_END.match(lines[-1]) else None


def _pytest(lines: list[str]) -> FailedTests | None:
    said = []
    for number in range(len(lines) - 2, -1, -1):
        if _PYTEST_SUMMARY.match(lines[number]):
            break
        if lines[number].startswith(("FAILED ", "ERROR ")):
            said.append(lines[number].strip())
    else:
        return None
    if not said:
        return None
    # Errors stand above failures in the output, and are worth more.
    said.reverse()
    said.sort(key=lambda line: line.startswith("FAILED "))
    start = number
    for above in range(number - 1, -1, -1):
        if _PYTEST_SECTIONS.match(lines[above]):
            start = above
            if " ERRORS " in lines[above]:
                break
    return FailedTests(start, _with_others(said), _pytest_frames(lines, start))


def _pytest_frames(lines: list[str], start: int) -> tuple[Frame, ...]:
    frames: list[Frame] = []
    titles = 0
    if start + 1 < len(lines) and not _PYTEST_TITLE.match(lines[start + 1]):
        places = (_PYTEST_LINE.match(line) for line in lines[start + 1 :])
        if match := next(filter(None, places), None):
            return (Frame(match[1], int(match[2]), None),)
    for line in lines[start + 1 :]:
        titles += bool(_PYTEST_TITLE.match(line))
        if titles > 1 or _PYTEST_SUMMARY.match(line):
            break
        if frame := frame_in(line):
            frames.append(frame)
        elif match := _PYTEST_PLACE.match(line):
            frames.append(Frame(match[1], int(match[2]), None))
    return tuple(frames)


def _unittest(lines: list[str]) -> FailedTests | None:
    titles = [
        number
        for number in range(1, len(lines))
        if _UNITTEST_TITLE.match(lines[number]) and _RULE.match(lines[number - 1])
    ]
    if not titles:
        return None
    first, end = titles[0], (*titles, len(lines))[1]
    section = lines[first + 1 : end]
    exception = ""
    for number, line in enumerate(section):
        if line.startswith("Traceback ("):
            below = section[number + 1 :]
            exception = next((x for x in below if x and x[0] != " "), "").strip()
    said = [lines[number].strip() for number in titles]
    if exception:
        said[0] += f" - {exception}"
    frames = tuple(frame for line in section if (frame := frame_in(line)))
    return FailedTests(first - 1, _with_others(said), frames)


def _with_others(said: list[str]) -> str:
    """Return the first failure, and how many more there are."""
    return said[0] + (f" (+{len(said) - 1})" if len(said) > 1 else "")
