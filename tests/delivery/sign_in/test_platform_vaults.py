"""Where a platform keeps the tokens of a sign-in: its own services, as they are."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from python_runner.delivery.sign_in.vaults import open_vault, write_best


TOKENS = '{"token": "schlüssel-4711"}' * 500


if sys.platform == "win32":

    @pytest.mark.windows
    def test_windows_encrypts_the_tokens_for_this_account(tmp_path: Path) -> None:
        """The file holds none of them; a damaged one is an error, and no tokens."""
        file = tmp_path / "sign-in.json"
        assert write_best("", file, TOKENS) == "dpapi"
        assert b"4711" not in file.read_bytes()
        vault = open_vault("dpapi", file)
        assert vault.read() == TOKENS
        vault.write("others")
        assert open_vault("dpapi", file).read() == "others"

        file.write_bytes(file.read_bytes()[:-9] + b"damaged!!")
        with pytest.raises(OSError, match=r"."):
            vault.read()
        vault.delete()
        assert vault.read() is None


#: PyGObject of Debian, for its own Python.
GI = Path("/usr/lib/python3/dist-packages/gi")
NEEDED = ("dbus-run-session", "gnome-keyring-daemon")
ASKED = """
import sys
from pathlib import Path
from python_runner.delivery.sign_in.vaults import open_vault, write_best

file, tokens = Path(sys.argv[1]), sys.argv[2]
vault = open_vault("libsecret", file)
assert vault.read() is None
assert write_best("", file, tokens) == "libsecret"
assert open_vault("libsecret", file).read() == tokens
assert open_vault("libsecret", file.with_name("other.json")).read() is None
vault.write("others")
assert vault.read() == "others"
vault.delete()
assert vault.read() is None
vault.delete()
assert not file.exists()
print("kept in the keyring")
"""


def what_is_missing() -> str | None:
    """Return what a real keyring needs and this machine lacks."""
    lacks = [name for name in NEEDED if not shutil.which(name)]
    if not any(Path("/usr/lib").glob("*/girepository-1.0/Secret-1.typelib")):
        lacks.append("gir1.2-secret-1")
    if not GI.is_dir():
        lacks.append("python3-gi")
    elif not any(GI.glob(f"_gi.cpython-{sys.version_info[0]}{sys.version_info[1]}-*")):
        return "PyGObject of another Python"
    return f"not installed: {', '.join(lacks)}" if lacks else None


@pytest.fixture
def with_gi(tmp_path: Path) -> dict[str, str]:
    """Return the environment of somebody whose Python has PyGObject."""
    if missing := what_is_missing():
        if os.environ.get("CI") and sys.version_info[:2] == (3, 11):
            pytest.fail(missing)
        pytest.skip(missing)
    folder = tmp_path / "packages"
    folder.mkdir()
    (folder / "gi").symlink_to(GI)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    return os.environ | {"PYTHONPATH": str(folder), "HOME": str(home)}


if sys.platform == "linux":

    @pytest.mark.posix
    def test_the_keyring_of_a_desktop_session_keeps_the_tokens(
        with_gi: dict[str, str], tmp_path: Path
    ) -> None:
        """A real keyring, on a bus of its own: written, replaced, forgotten."""
        program = tmp_path / "asked.py"
        program.write_text(ASKED)
        # It prints its process id as a variable; it ends with its bus.
        script = (
            "echo -n secret | gnome-keyring-daemon --unlock --components=secrets >/dev/null &&"
            ' exec "$0" "$@"'
        )
        asked = [sys.executable, str(program), str(tmp_path / "sign-in.json"), TOKENS]
        session = subprocess.Popen(
            ["dbus-run-session", "--", "sh", "-c", script, *asked],
            env=with_gi,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            out, err = session.communicate(timeout=120)
        finally:
            if session.poll() is None:
                os.killpg(session.pid, signal.SIGKILL)

        assert out == "kept in the keyring\n", err
        assert not (tmp_path / "sign-in.json").exists()
