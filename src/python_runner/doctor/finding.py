"""What `doctor` finds, as facts: what it is, why it matters, what to do."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from python_runner.facts import dataclass
from python_runner.texts.sanitize import flat
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from python_runner.masking import Masker


class Severity(StrEnum):
    """How bad a finding is."""

    #: A run fails, or nobody hears of it.
    PROBLEM = "problem"
    #: It will be a problem, or may be one.
    WARNING = "warning"
    FINE = "fine"

    @property
    def word(self) -> str:
        """The word for it, to be translated."""
        return _WORDS[self]


_WORDS = {
    Severity.PROBLEM: N_("problem"),
    Severity.WARNING: N_("warning"),
    Severity.FINE: N_("fine"),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of finding.

    Attributes:
        id: what programs know it by: ``disk.full``.
        what: template of what was found.
        why: why it matters; empty for what is fine.
        fix: template of what to do about it; likewise.
        usage: whether it is an error of configuration: `check` calls it a problem too.
    """

    id: str
    severity: Severity
    what: str
    why: str = ""
    fix: str = ""
    usage: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was found out.

    Attributes:
        kind: what it is.
        project: the folder of the project that it concerns; None: this computer.
        what: what was found.
        why: why it matters, or None.
        fix: what to do, or None.
    """

    kind: Kind
    project: Path | None
    what: Sentence
    why: Sentence | None = None
    fix: Sentence | None = None

    @classmethod
    def of(
        cls, kind: Kind, project: Path | None = None, /, **values: object
    ) -> Finding:
        """Return a finding whose sentences get these values."""
        return cls(
            kind=kind,
            project=project,
            what=Sentence.of(kind.what, **values),
            why=Sentence.of(kind.why, **values) if kind.why else None,
            fix=Sentence.of(kind.fix, **values) if kind.fix else None,
        )

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    def masked(self, masker: Masker) -> Finding:
        """Return it without secrets."""
        what, why, fix = (
            masker.sentence(part) if part else None
            for part in (self.what, self.why, self.fix)
        )
        return Finding(
            kind=self.kind,
            project=self.project,
            what=what or self.what,
            why=why,
            fix=fix,
        )

    def to_document(self, language: str) -> dict[str, Any]:
        """Return it as the public JSON document holds it."""
        what, why, fix = (
            flat(part.in_language(language)) if part else ""
            for part in (self.what, self.why, self.fix)
        )
        return {
            "id": self.kind.id,
            "severity": self.severity.value,
            "project": str(self.project) if self.project else None,
            "what": what,
            "why": why,
            "fix": fix,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Something to find out.

    Attributes:
        subject: what it looks at, for people.
        look: finds it out; may raise, and may hang.
        project: the folder of the project that it concerns; None: this computer.
    """

    subject: Sentence
    look: Callable[[], Sequence[Finding]]
    project: Path | None = None
