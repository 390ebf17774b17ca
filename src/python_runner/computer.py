"""What this computer is called."""

from __future__ import annotations

import os
import sys


def host_name() -> str:
    """Return the computer's own name, as ``socket.gethostname`` does.

    What opens connections takes longer to load than a short command may take.
    """
    if sys.platform == "win32":
        from socket import gethostname  # noqa: PLC0415 - nothing else knows it there

        return gethostname()
    return os.uname().nodename


if sys.platform == "win32":

    def account_name() -> str:
        """Return the account that this process runs in; empty where nobody says."""
        try:
            return os.getlogin()
        except OSError:
            return os.environ.get("USERNAME", "")

else:

    def account_name() -> str:
        """Return the account that this process runs in, whatever its variables say.

        In a container it may have no name but its number.
        """
        import pwd  # noqa: PLC0415 - a run alone needs it

        number = os.geteuid()
        try:
            return pwd.getpwuid(number).pw_name
        except KeyError:
            return str(number)
