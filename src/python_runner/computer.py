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
