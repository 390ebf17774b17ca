"""What the runtime of a compiled library says before it ends the process."""

from __future__ import annotations

from python_runner.patterns import lazy_pattern


#: Lines above the report of a crash that are looked at.
_ABOVE = 6
#: First line of what C, C++, Rust and OpenMP say before they call ``abort``.
_WORDS = lazy_pattern(
    r"terminate called |libc\+\+abi: |(?:double free|free\(\)|malloc\(\)|realloc\(\)|calloc\(\)"
    r"|munmap_chunk\(\)|corrupted |malloc_consolidate\(\)|tcache_)|\*\*\* .* \*\*\*"
    r"|.*\bAssertion [`'\"(].* failed|Assertion failed: |OMP: Error |LLVM ERROR: |thread '.*' panicked at "
    r"|F\d{4} \d\d:\d\d:\d\d|\S*Check failed: |Runtime Error!"
)
_THROWN = lazy_pattern(r"terminate called after throwing an instance of '(.+)'$")
_WHAT = lazy_pattern(r"\s+what\(\):\s+(.*\S)")
_PANIC = lazy_pattern(r"thread '.*' panicked at [^']*:\d+:\d+:$")


def native_words(lines: list[str]) -> tuple[int, str] | None:
    """Return where the words of a runtime begin at the end of ``lines``, and their gist.

    None where there are none: what a script itself printed is not marked.
    """
    for number in range(max(len(lines) - _ABOVE, 0), len(lines)):
        if _WORDS.match(lines[number]):
            below = lines[number + 1] if number + 1 < len(lines) else ""
            return number, _gist(lines[number].strip(), below)
    return None


def _gist(line: str, below: str) -> str:
    thrown, what = _THROWN.match(line), _WHAT.match(below)
    if thrown:
        return f"{thrown[1]}: {what[1]}" if what else thrown[1]
    # Rust tells the place first.
    return below.strip() or line if _PANIC.match(line) else line
