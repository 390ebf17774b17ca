"""What a machine is, without its name and its folders."""

from __future__ import annotations

import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

import psutil


#: Syncs of which the cost is the median.
_SYNCS = 50


def facts(folder: Path) -> dict[str, str]:
    """Return what matters for the figures: processors, file system, sync, versions."""
    return {
        "processors": f"{os.cpu_count() or 1}",
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": platform.system(),
        "file system": file_system(folder),
        "sync": f"{sync_milliseconds(folder):.2f} ms",
        "Python": platform.python_version(),
        "busy": f"{psutil.getloadavg()[0]:.1f}",
    }


def file_system(folder: Path) -> str:
    """Return the kind of the file system in which a folder lies."""
    path = folder.resolve()
    mounts = {
        Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)
    }
    return next((mounts[p] for p in (path, *path.parents) if p in mounts), "?")


def sync_milliseconds(folder: Path) -> float:
    """Return what it costs to bring 100 bytes at a file's end to the disk."""
    times = []
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        for _ in range(_SYNCS):
            file.write(b"x" * 100)
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)
