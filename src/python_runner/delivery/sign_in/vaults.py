"""Where the tokens of a sign-in lie: encrypted by the platform, or in a private file.

msal-extensions knows the services of the platforms. Its files are not used: it empties a
file before it writes it, so that a kill between the two loses the tokens.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Protocol

from python_runner.files import (
    PRIVATE_FILE_MODE,
    read_regular,
    remove,
    replacing,
    set_mode,
)
from python_runner.texts.sentence import N_, Sentence


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

#: Bytes of tokens, by far.
_LONGEST = 1_000_000
_SERVICE = "python-runner"

#: What people are told of each place.
PLACES = {
    "dpapi": N_("encrypted by Windows for this account (DPAPI), in {file}"),
    "keychain": N_("in the keychain of this account"),
    "libsecret": N_(
        "in the keyring of this account's desktop session. Where scripts run while"
        " nobody is logged in, use `python-runner mail login --in-file`"
    ),
    "file": N_("unencrypted, in a file that only this account may read: {file}"),
}


class Vault(Protocol):
    """Keeps one text; each method raises OSError where that cannot be done."""

    def read(self) -> str | None:
        """Return the text; None where there is none."""

    def write(self, text: str) -> None:
        """Put a text in the place of the one before: all of it, or nothing."""

    def delete(self) -> None:
        """Forget the text; there need not be one."""


class FileVault:
    """A file that is replaced whole, and that only its owner may read."""

    def __init__(
        self,
        file: Path,
        encode: Callable[[str], bytes] = str.encode,
        decode: Callable[[bytes], str] = bytes.decode,
    ) -> None:
        self._file = file
        self._encode = encode
        self._decode = decode

    def read(self) -> str | None:
        """Return what the file holds."""
        try:
            return self._decode(read_regular(self._file, _LONGEST))
        except FileNotFoundError:
            return None

    def write(self, text: str) -> None:
        """Replace the file."""
        # One that others may read was not made here.
        with suppress(FileNotFoundError):
            set_mode(self._file, PRIVATE_FILE_MODE)
        with replacing(self._file, mode=PRIVATE_FILE_MODE) as new:
            new.write(self._encode(text))

    def delete(self) -> None:
        """Delete the file."""
        remove(self._file)


class _LibsecretVault:
    """The keyring of the desktop session."""

    def __init__(self, name: str) -> None:
        # Its import fails where the desktop's parts are missing, its trial where nobody
        # is logged in.
        with _as_os_error():
            from msal_extensions.libsecret import (  # noqa: PLC0415
                LibSecretAgent,
                trial_run,
            )

            trial_run()
            self._agent = LibSecretAgent(_SERVICE, {"sign-in": name}, label=_SERVICE)

    def read(self) -> str | None:
        with _as_os_error():
            found: str | None = self._agent.load()
        return found

    def write(self, text: str) -> None:
        with _as_os_error():
            if not self._agent.save(text):
                raise OSError("the keyring did not take it")

    def delete(self) -> None:
        with _as_os_error():
            self._agent.clear()


class _KeychainVault:
    """The keychain of macOS."""

    def __init__(self, name: str) -> None:
        with _as_os_error():
            from msal_extensions.osx import Keychain, KeychainError  # noqa: PLC0415

        self._name = name
        self._keychain: Any = Keychain
        self._error: Any = KeychainError

    def read(self) -> str | None:
        try:
            with self._keychain() as keychain:
                found: str = keychain.get_generic_password(_SERVICE, self._name)
        except self._error as error:
            if error.exit_status == self._error.ITEM_NOT_FOUND:
                return None
            raise
        return found or None

    def write(self, text: str) -> None:
        with self._keychain() as keychain:
            keychain.set_generic_password(_SERVICE, self._name, text)

    def delete(self) -> None:
        # The library deletes nothing; an empty text is no sign-in.
        self.write("")


def _dpapi_vault(file: Path) -> FileVault:
    with _as_os_error():
        from msal_extensions.windows import (  # noqa: PLC0415
            WindowsDataProtectionAgent,
        )

        agent = WindowsDataProtectionAgent()
    return FileVault(file, agent.protect, agent.unprotect)


def open_vault(kind: str, file: Path) -> Vault:
    """Return the vault of a kind, for the sign-in whose own file would be ``file``.

    Raises:
        OSError: this process cannot reach it: another platform, no desktop session, a
            part that is not installed.
    """
    if kind == "file":
        return FileVault(file)
    if kind == "dpapi":
        return _dpapi_vault(file)
    if kind == "keychain":
        return _KeychainVault(file.stem)
    if kind == "libsecret":
        return _LibsecretVault(file.stem)
    raise OSError(f"{kind} is unknown")


@contextmanager
def _as_os_error() -> Iterator[None]:
    """Let what the library and the platform's parts raise be an OSError."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        first = (str(error).splitlines() or [repr(error)])[0]
        raise OSError(first) from error


def write_best(kind: str, file: Path, text: str) -> str:
    """Keep a text in the vault of a kind, or ("") in the best that takes it.

    Return the kind: a file at the least.

    Raises:
        OSError: not even that.
    """
    best = {"win32": "dpapi", "darwin": "keychain"}.get(sys.platform, "libsecret")
    if (kind or best) != "file":
        with suppress(OSError):
            open_vault(kind or best, file).write(text)
            return kind or best
    FileVault(file).write(text)
    return "file"


def place(kind: str, file: Path) -> Sentence:
    """Return where the tokens lie, for people."""
    return Sentence.of(PLACES.get(kind, PLACES["file"]), file=str(file))
