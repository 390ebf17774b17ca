"""What folders of this computer are called on the workers of a cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Mapping

#: How a path of Windows begins, and one that only its own words tell to be none.
_WINDOWS = lazy_pattern(r"[A-Za-z]:|\\\\|//")


@dataclass(frozen=True, slots=True)
class PathMap:
    """Turns paths here into those of the workers; the longest folder that fits counts.

    Attributes:
        folders: as they are called here, and there.
    """

    folders: Mapping[str, str]

    def there(self, path: str) -> str:
        """Return what the workers call ``path``; the same where no folder fits."""
        for here in sorted(self.folders, key=len, reverse=True):
            rest = _below(path, here)
            if rest is not None:
                return _joined(self.folders[here], rest)
        return path


def _below(path: str, folder: str) -> str | None:
    """Return what follows a folder in a path, with slashes; None where it is not in it."""
    windows = bool(_WINDOWS.match(folder))
    whole, start = _plain(path, windows), _plain(folder, windows).rstrip("/")
    compared, begin = (whole.lower(), start.lower()) if windows else (whole, start)
    if compared == begin:
        return ""
    return whole[len(start) + 1 :] if compared.startswith(f"{begin}/") else None


def _plain(path: str, windows: bool) -> str:
    return path.replace("\\", "/") if windows else path


def _joined(folder: str, rest: str) -> str:
    """Return a path in a folder, in the spelling of the folder's system."""
    sign = "\\" if _WINDOWS.match(folder) and "\\" in folder else "/"
    if not rest:
        return folder
    return folder.rstrip("/\\") + sign + rest.replace("/", sign)
