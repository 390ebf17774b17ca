"""What a report is made from, beside the run."""

from __future__ import annotations

from dataclasses import field
from typing import TYPE_CHECKING

from python_runner.facts import dataclass


if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime
    from pathlib import Path

    from python_runner.model import Comparison, EmailStrategy
    from python_runner.model.differences import Differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmailed:
    """Failed runs in a row that a report has to make up for.

    Attributes:
        runs: how many, with the one that is reported if it failed.
        held: of how many before it the report was held back, or given up.
        since: when the first one began.
        same: whether all of them failed in the same way.
        ended: whether the run that is reported succeeded.
    """

    runs: int
    held: int
    since: datetime
    same: bool = False
    ended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportContext:
    """What a report is made from, beside the run.

    Attributes:
        strategy: which scripts are named: all, or those that did not succeed.
        language: ``fr`` or ``en``.
        tails: the end of the output, by name of script.
        partial: scripts whose output is longer than that.
        attach: whether the output of scripts in ``tails`` can be attached to the report,
            where the report shows only a part of it.
        comparisons: how scripts compare with their past, by name.
        differences: what changed since scripts last succeeded, by name.
        host: the computer that ran it.
        help: the owner's words for a failure, by name of script; those for all of the
            project under no name.
        log: the project's log.
        unmailed: the failed runs before it whose reports were held back; None for none.
        command: what a person types there to start Python Runner; empty where it
            cannot run the project.
    """

    strategy: EmailStrategy
    language: str
    tails: Mapping[str, str] = field(default_factory=dict)
    partial: Collection[str] = ()
    attach: bool = False
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    differences: Mapping[str, Differences] = field(default_factory=dict)
    host: str = ""
    help: Mapping[str, str] = field(default_factory=dict)
    log: Path | None = None
    unmailed: Unmailed | None = None
    command: str = ""
