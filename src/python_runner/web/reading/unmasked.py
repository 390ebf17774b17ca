"""Whether an output that its runner has not masked yet may be shown.

The file of a script that runs, or whose runner was killed, holds what the script printed as
it printed it. Whoever shows it takes the secrets out that this process knows. The runner may
know others: it had other variables, or other values of them, or may read a file that this
account may not. Its lock tells by marks which secrets it knows, and the records name its
variables; nothing tells their values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.records import overview
from python_runner.records.locks import project_lock
from python_runner.records.secret_marks import knows_all
from python_runner.secret_values import is_secret_name


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.model import Project, Settings
    from python_runner.model.overview import RunLine
    from python_runner.records.store import Store

#: Scripts in these states have an output that nobody has masked, in a run that is open.
OPEN_STATES = frozenset({"planned", "running"})
#: Variables whose values hold an address as a rule, and in it perhaps a password.
_ADDRESS = lazy_pattern(
    r"(?:^|_)(?:URLS?|URI|DSN|CONN|CONNECTION|CONNSTR|DATABASE|LOGIN|PROXY)(?:_|$)"
)


@dataclass(frozen=True, slots=True)
class UnknownSecrets:
    """Secrets that a runner takes out of an output, and that nobody knows here.

    Attributes:
        names: of the variables that may hold them; empty: it has other values of those
            that are known here.
    """

    names: tuple[str, ...] = ()


def secret_variables(variables: Iterable[str]) -> tuple[str, ...]:
    """Return the names of variables that may hold secrets."""
    return tuple(
        name
        for name in variables
        if is_secret_name(name) or _ADDRESS.search(name.upper())
    )


def unknown_variables(
    variables: Iterable[str], settings: Settings, project: Project | None
) -> tuple[str, ...]:
    """Return the names of variables that may hold secrets and that nobody has here.

    Args:
        variables: names of those that the scripts of a run have.
        settings: those of this process.
        project: as it is configured now; None where its configuration cannot be read.
    """
    known = {name.upper() for name in settings.environ}
    if project:
        own = (project.env, *(script.env for script in project.scripts))
        known |= {name.upper() for names in own for name in names}
    return tuple(
        name for name in secret_variables(variables) if name.upper() not in known
    )


def withheld_by(
    store: Store,
    settings: Settings,
    project: Project | None,
    line: RunLine,
    number: int,
) -> UnknownSecrets | None:
    """Return why the output of a script of a run is not shown yet; None: it is shown.

    Raises:
        StoreError: the records cannot be read.
    """
    if line.status is not None:
        return None
    with store.view() as view:
        if overview.state_of(view, line.key, number) not in OPEN_STATES:
            return None
        variables = overview.circumstances(view, line.key).variables
    holder = project_lock(settings.home, line.path).holder()
    if holder is None or holder.run_id != line.run_id or holder.secrets is None:
        # Its file is gone, or it is of an earlier version: any value may be another one.
        names = secret_variables(variables)
        return UnknownSecrets(names) if names else None
    own = project.secrets if project else ()
    if knows_all(settings.home, holder.secrets, (*settings.secrets, *own)):
        return None
    return UnknownSecrets(unknown_variables(variables, settings, project))
