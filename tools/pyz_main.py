"""Becomes ``__main__.py`` of the single file: unpacks it once, and starts the command.

Compiled modules cannot be loaded out of an archive, and scripts are started with files of
the package. So what the file holds is unpacked for the account that starts it, into a
folder that nobody else may write. Old interpreters read this module too, to say what they lack.
"""

import json
import os
import sys
import tempfile
import zipfile


#: Names the folder in which it is unpacked, instead of the platform's own for caches.
CACHE_VARIABLE = "PYTHON_RUNNER_CACHE"


def main(archive: str) -> None:
    """Unpack ``archive`` if it is not yet, and become the command that it holds."""
    with zipfile.ZipFile(archive) as packed:
        facts = json.loads(packed.read("facts.json").decode())
        version = ".".join(map(str, sys.version_info[:2]))
        if version not in facts["pythons"] or this_platform() != facts["platform"]:
            sys.stderr.write(
                "This file is for Python {} on {}; here is Python {} on {}.\n".format(
                    ", ".join(facts["pythons"]),
                    facts["platform"],
                    version,
                    this_platform(),
                )
            )
            raise SystemExit(2)
        try:
            folder = unpacked(packed, cache_folder(), facts["digest"])
        except OSError as error:
            # An account without a home, or a full disk there: for this once.
            sys.stderr.write(
                f"Unpacked for this run only ({error}); {CACHE_VARIABLE} names another folder.\n"
            )
            folder = temporary_folder(packed)
    # Before the rest of the path, where the archive itself was.
    sys.path[0] = os.path.join(folder, "site")

    from python_runner.cli import main as command

    command()


def this_platform() -> str:
    """Return system and processor, as the names of these files have them."""
    import sysconfig

    if sys.platform == "win32":
        # What the interpreter was made for: the processor may run more than one kind.
        system, machine = "windows", sysconfig.get_platform().partition("-")[2]
        machine = {"amd64": "x86_64", "": "x86"}.get(machine, machine)
    else:
        system = {"darwin": "macos"}.get(sys.platform, sys.platform)
        machine = os.uname().machine if sys.maxsize > 2**32 else "32-bit"
        if "musl" in (sysconfig.get_config_var("MULTIARCH") or ""):
            system += "-musl"
    return f"{system}-{machine}"


def cache_folder() -> str:
    """Return the folder of this account in which it is unpacked."""
    if os.environ.get(CACHE_VARIABLE):
        return os.path.abspath(os.environ[CACHE_VARIABLE])
    if sys.platform == "win32":
        above = os.environ.get("LOCALAPPDATA") or os.path.expanduser("~/AppData/Local")
    elif sys.platform == "darwin":
        above = os.path.expanduser("~/Library/Caches")
    else:
        above = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    # Without a home there is nothing to expand, and no folder of one's own.
    if not os.path.isabs(above):
        raise OSError("no home")
    return os.path.join(above, "python-runner-pyz")


def unpacked(packed: zipfile.ZipFile, cache: str, digest: str) -> str:
    """Return the folder with the content; make it whole or not at all."""
    folder = os.path.join(cache, digest)
    # Others of this account may make it at the same moment.
    os.makedirs(cache, 0o700, exist_ok=True)
    if sys.platform != "win32":
        state = os.stat(cache)
        if state.st_uid != os.geteuid() or state.st_mode & 0o022:
            raise OSError(f"others may write in {cache}")
    if not os.path.isdir(folder):
        new = tempfile.mkdtemp(prefix="new-", dir=cache)
        try:
            extract(packed, new)
            os.rename(new, folder)
        except OSError:
            remove(new)
            # Somebody else of this account was as quick.
            if not os.path.isdir(folder):
                raise
    return folder


def extract(packed: zipfile.ZipFile, folder: str) -> None:
    """Write the content below ``folder``, for this account alone to change."""
    before = os.umask(0o077)
    try:
        packed.extractall(folder)
    finally:
        os.umask(before)


def temporary_folder(packed: zipfile.ZipFile) -> str:
    """Return a folder with the content that is gone when this process is."""
    import atexit

    folder = tempfile.mkdtemp(prefix="python-runner-")
    atexit.register(remove, folder)
    extract(packed, folder)
    return folder


def remove(folder: str) -> None:
    """Remove a folder as far as that is possible."""
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    #: Tells the command what it was started from (``python_runner.installation``).
    PYTHON_RUNNER_FILE = os.path.abspath(sys.argv[0])
    main(PYTHON_RUNNER_FILE)
