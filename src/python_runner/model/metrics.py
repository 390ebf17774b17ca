"""What a script's output and files amount to, in numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputNumber:
    """The last number in a line of output that may recur: ``loaded 48210 rows``.

    Attributes:
        line: that line with ``#`` for each of its numbers, without secrets.
        value: the last of its numbers.
    """

    line: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProducedFile:
    """A file that a script had to make (``outputs``), after it ended.

    Attributes:
        path: in the project, with ``/``.
        size: bytes.
    """

    path: str
    size: int
    modified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptMetrics:
    """What the last attempt of a script printed and made.

    Attributes:
        output_bytes: all that it printed, also what was not kept.
        output_lines: likewise.
        log_warnings: lines that a logging library wrote at the level WARNING; likewise
            ``log_errors`` and ``log_criticals``.
        numbers: of its last lines with numbers, the last one first; few.
        files: what its ``outputs`` name.
    """

    output_bytes: int
    output_lines: int
    log_warnings: int = 0
    log_errors: int = 0
    log_criticals: int = 0
    numbers: tuple[OutputNumber, ...] = ()
    files: tuple[ProducedFile, ...] = ()


def metrics_document(metrics: ScriptMetrics | None) -> dict[str, Any]:
    """Return a script's metrics as the public JSON document holds them; null if unknown."""
    counts = ("output_bytes", "output_lines", "log_warnings", "log_errors")
    names = (*counts, "log_criticals", "numbers", "files")
    if metrics is None:
        return dict.fromkeys(names)
    return {
        **{name: getattr(metrics, name) for name in names},
        "numbers": [{"line": n.line, "value": n.value} for n in metrics.numbers],
        "files": [
            {
                "path": file.path,
                "bytes": file.size,
                "modified_at": file.modified_at.isoformat(),
            }
            for file in metrics.files
        ],
    }
