"""Whether an output that its runner has not masked yet may be shown.

The file of a script that runs, or whose runner was killed, holds what the script printed as
it printed it. Whoever shows it takes the secrets out that this process knows. The runner may
know others: it had other variables, or may read a file that this account may not. The
records name its variables, and never their values.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.records import overview
from python_runner.secret_values import is_secret_name


if TYPE_CHECKING:
    from collections.abc import Iterable

    from python_runner.model import Project, Settings
    from python_runner.model.overview import RunLine
    from python_runner.records.store import Store

#: Scripts in these states have an output that nobody has masked, in a run that is open.
OPEN_STATES = frozenset({"planned", "running"})
#: Variables whose values hold an address as a rule, and in it perhaps a password.
_ADDRESS = re.compile(
    r"(?:^|_)(?:URLS?|URI|DSN|CONN|CONNECTION|CONNSTR|DATABASE|LOGIN|PROXY)(?:_|$)"
)


def unknown_secrets(
    variables: Iterable[str], settings: Settings, project: Project | None
) -> tuple[str, ...]:
    """Return the names of variables that may hold secrets which nobody knows here.

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
        name
        for name in variables
        if name.upper() not in known
        and (is_secret_name(name) or _ADDRESS.search(name.upper()))
    )


def withheld_by(
    store: Store,
    settings: Settings,
    project: Project | None,
    line: RunLine,
    number: int,
) -> tuple[str, ...]:
    """Return the variables for which the output of a script of a run is not shown yet.

    Raises:
        StoreError: the records cannot be read.
    """
    if line.status is not None:
        return ()
    with store.view() as view:
        if overview.state_of(view, line.key, number) not in OPEN_STATES:
            return ()
        variables = overview.circumstances(view, line.key).variables
    return unknown_secrets(variables, settings, project)
