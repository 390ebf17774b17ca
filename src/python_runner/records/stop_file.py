"""A request to stop, as a file beside the lock of the project whose run is meant."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import msgspec

from python_runner.facts import dataclass
from python_runner.files import PRIVATE_FILE_MODE, read_regular, replacing


if TYPE_CHECKING:
    from pathlib import Path

#: Bytes of a request.
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class StopWish:
    """What is in the file.

    Attributes:
        run_id: the run that is to stop; a later run of the project is not meant.
        kill: whether its scripts get no time to end.
    """

    run_id: Annotated[str, msgspec.Meta(max_length=300)]
    kill: bool = False


_DECODER = msgspec.json.Decoder(StopWish)


def stop_file(lock: Path) -> Path:
    """Return the file that asks the holder of the lock in the file ``lock`` to stop."""
    return lock.with_suffix(".stop")


def write_wish(path: Path, wish: StopWish) -> None:
    """Write a request, in the place of the one before.

    Raises:
        OSError: it cannot be written.
    """
    with replacing(path, mode=PRIVATE_FILE_MODE) as new:
        new.write(msgspec.json.encode(wish))


def read_wish(path: Path) -> StopWish | None:
    """Return the request; None where there is none that can be read."""
    try:
        return _DECODER.decode(read_regular(path, _LONGEST))
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return None


def forget_wish(path: Path) -> None:
    """Remove the request."""
    with suppress(OSError):
        path.unlink(missing_ok=True)
