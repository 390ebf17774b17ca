"""Who in a cluster cannot be reached, in a sentence: pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.model.cluster import TLS
from python_runner.texts.sentence import N_, Sentence
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator


def why_unreachable(address: str, error: BaseException) -> str:
    """Return why the scheduler cannot be reached, in the user's language."""
    message = _("the cluster {address} cannot be reached: {error}")
    return message.format(address=address, error=_reason(address, error))


def _reason(address: str, error: BaseException) -> str:
    causes = [*_causes(error)]
    for cause in causes:
        if said := _said_of(cause, address):
            return said
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return _("it does not answer")
    told = str(error).strip() or type(error).__name__
    return told.splitlines()[0]


def _said_of(cause: BaseException, address: str) -> str | None:
    """Return what one cause explains by itself; None for nothing."""
    # By name: what opens connections is Dask, and the module of each is its matter.
    kinds = {kind.__name__ for kind in type(cause).__mro__}
    if "SSLCertVerificationError" in kinds:
        text = _("its certificate is not one of the authority in ca-file: {error}")
        return text.format(error=getattr(cause, "verify_message", None) or cause)
    if "SSLError" in kinds:
        text = _("no encrypted connection could be made: {error}")
        return text.format(error=getattr(cause, "reason", None) or cause)
    if isinstance(cause, ConnectionRefusedError):
        return _("nobody listens there; is the scheduler started?")
    if "gaierror" in kinds:
        return _("nobody knows a computer of that name")
    if isinstance(cause, TypeError) and address.startswith(TLS):
        return _("the TLS settings of Dask name no ca-file and certificate here")
    return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what led to it, each once."""
    seen: set[int] = set()
    next_one: BaseException | None = error
    while next_one is not None and id(next_one) not in seen:
        seen.add(id(next_one))
        yield next_one
        next_one = next_one.__cause__ or next_one.__context__


def lost_contact(worker: str, *, scheduler_there: bool) -> Sentence:
    """Return with whom the contact was lost while a script ran."""
    if not scheduler_there:
        template = N_("the contact with the scheduler was lost while the script ran")
        return Sentence.of(template)
    template = N_("the contact with the worker {worker} was lost while the script ran")
    return Sentence.of(template, worker=worker)


def odd_answer() -> Sentence:
    """Return that nobody can say what a worker has told."""
    template = N_("the answer of the worker makes no sense: how it ended is not known")
    return Sentence.of(template)
