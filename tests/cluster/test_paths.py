"""What folders are called on the workers."""

from __future__ import annotations

import pytest

from python_runner.cluster.paths import PathMap


pytestmark = pytest.mark.pure

FOLDERS = {
    "/srv": "/mnt/srv",
    "/srv/projects": "/mnt/projects",
    "C:\\jobs": "/mnt/jobs",
    "//server/share": "/mnt/share",
    "/home/me": "\\\\server\\me",
    "/data": "D:\\data\\",
    "/drive": "E:/drive",
}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/srv/projects/a/main.py", "/mnt/projects/a/main.py"),
        ("/srv/projects", "/mnt/projects"),
        ("/srv/other/x", "/mnt/srv/other/x"),
        ("/srv/projects2/x", "/mnt/srv/projects2/x"),
        ("/srvx/y", "/srvx/y"),
        ("c:\\JOBS\\a\\b.py", "/mnt/jobs/a/b.py"),
        ("C:/jobs/a b.py", "/mnt/jobs/a b.py"),
        ("C:\\jobs2\\b.py", "C:\\jobs2\\b.py"),
        ("\\\\Server\\share\\p\\q.py", "/mnt/share/p/q.py"),
        ("/home/me/p/q.py", "\\\\server\\me\\p\\q.py"),
        ("/data/p", "D:\\data\\p"),
        ("/drive/p/q", "E:/drive/p/q"),
        ("python3", "python3"),
        (".venv/bin/python", ".venv/bin/python"),
    ],
)
def test_the_longest_folder_counts(path: str, expected: str) -> None:
    """Whole names are compared; Windows knows no capitals, and has two separators."""
    assert PathMap(FOLDERS).there(path) == expected
