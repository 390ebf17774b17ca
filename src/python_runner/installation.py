"""How Python Runner was installed, and so what installs and uninstalls packages there."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path


#: The name on the package index; ``python-runner`` is somebody else's there.
DISTRIBUTION = "python-series-runner"


def extra_command(extra: str) -> str:
    """Return the command that adds what an extra needs to this installation."""
    return package_command("install", f'"{DISTRIBUTION}[{extra}]"')


def package_command(verb: str, what: str) -> str:
    """Return a command that changes the packages beside Python Runner.

    Args:
        verb: ``install`` or ``uninstall``.
        what: options and packages, ready for a shell.
    """
    if (Path(sys.prefix) / "pipx_metadata.json").exists():
        return f"pipx runpip {DISTRIBUTION} {verb} {what}"
    python = shell_word(sys.executable)
    if find_spec("pip"):
        return f"{python} -m pip {verb} {what}"
    # The environments that uv makes have no pip.
    return f"uv pip {verb} --python {python} {what}"


def shell_word(text: str) -> str:
    """Return a path or an address as one word for a shell, of Windows too."""
    return text if re.fullmatch(r"[\w./\\:+@~=-]+", text) else f'"{text}"'
