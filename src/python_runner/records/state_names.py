"""What the state folder calls what it holds of a project."""

from __future__ import annotations

import os
import re
from pathlib import Path

from python_runner.files import real_folder
from python_runner.hashes import sha256


#: Characters of a project's name that are in it.
_READABLE = 40


def state_name(project: Path) -> str:
    """Return the name of what the state folder holds of a project, alone of all."""
    resolved = real_folder(project)
    digest = sha256(os.fsencode(resolved))[:32]
    name = re.sub(r"[^\w-]+", "_", Path(resolved).name)[:_READABLE]
    return f"{name}-{digest}"
