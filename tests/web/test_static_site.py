"""The pages as files in a folder: all of them, only what has changed, nobody else's."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest

from python_runner.cli.commands.report import watched
from python_runner.exceptions import PythonRunnerError
from python_runner.model import OpenRun, OpenScript, Outcome
from python_runner.records.read_only import open_reader
from python_runner.web.site_folder import MANIFEST, Author, Published, publish
from python_runner.web.standing import run_page
from python_runner.web.static_site import NAME, StaticSite
from tests.web.asking import NOON, Dashboard, run_of
from tests.web.test_pages import HOSTILE, fill, told


if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


pytestmark = pytest.mark.portable("pages are made in this process")

DAY = timedelta(days=1)
SECRET = "correct-horse-battery"
GOOD, BAD = Outcome.SUCCESS, Outcome.FAILURE


class Shared:
    """A folder into which the pages of a dashboard are written."""

    def __init__(self, dashboard: Dashboard, folder: Path) -> None:
        self.dashboard, self.folder = dashboard, folder
        folder.mkdir()

    def write(self, since: timedelta = 30 * DAY, computer: str = "PC-3") -> Published:
        """Write them as they are now."""
        store, database = open_reader(self.dashboard.home)
        try:
            made = StaticSite(
                self.dashboard.site, store, database.changes, self.dashboard.now - since
            )
            author = Author(
                computer=computer, home=self.dashboard.home, words=f"by {computer}"
            )
            return publish(self.folder, list(made.sheets()), author, lambda: None)
        finally:
            database.close()

    def files(self) -> dict[str, str]:
        """Return the pages, by their names."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text("utf-8")
            for path in self.folder.rglob("*")
            if path.is_file() and path.name != MANIFEST
        }


@pytest.fixture
def shared(dashboard: Dashboard, tmp_path: Path) -> Shared:
    """Return a folder for the pages of projects in each state."""
    paths = fill(dashboard)
    extra = f', "env": {{"API_TOKEN": "{SECRET}"}}'
    dashboard.project("bad", "1.py", "2.py", extra=extra)
    output = tmp_path / "output.log"
    lines = (f"line {n} {HOSTILE} {SECRET}\n" for n in range(3000))
    output.write_text("".join(lines), "utf-8")
    run = run_of(
        *(paths["bad"], 999, GOOD, BAD),
        ago=timedelta(minutes=30),
        exception=f"KeyError: {HOSTILE} {SECRET}",
        scripts=("CON.py", HOSTILE),
    )
    scripts = tuple(replace(script, output=output) for script in run.scripts)
    with dashboard.store() as store:
        store.end_run(replace(run, scripts=scripts), [], NOON)
    return Shared(dashboard, tmp_path / "share")


def links(page: str) -> Iterator[str]:
    """Yield the addresses to which a page leads, or from which it takes something."""
    for found in re.findall(r'\s(?:href|src|action)="([^"]*)"', page):
        yield html.unescape(found)


def attributes(page: str) -> set[str]:
    """Return the names of all attributes on a page."""
    found: set[str] = set()

    class Reader(HTMLParser):
        def handle_starttag(
            self, _tag: str, attrs: list[tuple[str, str | None]]
        ) -> None:
            found.update(name for name, _value in attrs if _tag)

    Reader().feed(page)
    return found


def test_every_link_leads_to_a_file_beside(shared: Shared) -> None:
    """From a share or a disk: relative, to what is there, with names for Windows."""
    shared.write()
    files = shared.files()
    assert {"index.html", "wall.html", "errors.html", "status.txt"} <= files.keys()
    assert {name.partition("/")[0] for name in files} >= {"p", "r", "e"}
    for name, text in files.items():
        assert NAME.fullmatch(name), name
        assert name == name.lower()
        for address in links(text) if name.endswith(".html") else ():
            path, _, fragment = unquote(address).partition("#")
            assert not re.match(r"[a-z]*:|/", path), address
            target = os.path.normpath(os.path.join(os.path.dirname(name), path))  # noqa: PTH118, PTH120
            there = files.get(target.replace(os.sep, "/")) if path else text
            assert there is not None, (name, address)
            if fragment:
                assert f'id="{fragment}"' in there, (name, address)


def test_they_hold_no_script_no_secret_and_no_foreign_element(shared: Shared) -> None:
    """Whatever the scripts are called, printed and raised; nothing is asked for."""
    shared.write()
    for name, text in shared.files().items():
        assert SECRET not in text, name
        if not name.endswith(".html"):
            continue
        assert not re.search(r"<(script|form|button|input|iframe|object)\b", text), name
        assert not [a for a in attributes(text) if re.match("on|hx-|data-live", a)], (
            name
        )
        assert "<img" not in text, name
        assert "default-src" in text
    assert HOSTILE in told(shared.files()["r/00000000003e7.html"])


def test_a_moment_is_true_whenever_it_is_read(shared: Shared) -> None:
    """No "today": the page is read on another day."""
    shared.write()
    for name, text in shared.files().items():
        if name.endswith(".html"):
            assert not re.search(r"\b(today|yesterday|ago)\b", told(text)), name
    assert "by PC-3" in told(shared.files()["index.html"])


def test_only_what_has_changed_is_written_again(
    shared: Shared, dashboard: Dashboard
) -> None:
    """What tells how old the pages are is written each time; a run that is over is not."""
    first = shared.write()
    before = {path: path.stat().st_mtime_ns for path in shared.folder.rglob("*.*")}
    again = shared.write()

    same = {
        path.relative_to(shared.folder).as_posix()
        for path, changed in before.items()
        if path.stat().st_mtime_ns == changed
    }
    assert again.unchanged == first.written - 4
    assert shared.files().keys() - same == {
        *("index.html", "wall.html", "errors.html", "status.txt")
    }
    (shared.folder / "r" / "00000000003e7.html").write_text("half", "utf-8")
    (shared.folder / "r" / "00000000003e7-2.html").unlink()
    assert shared.write().written == 6
    assert shared.files()["r/00000000003e7.html"] != "half"

    with dashboard.store() as store:
        path = dashboard.folder / "good"
        store.end_run(run_of(path, 500, GOOD, GOOD, ago=timedelta(0)), [], NOON)
    written = shared.write()
    assert "r/00000000001f4.html" in shared.files()
    assert written.unchanged > written.written


def test_what_is_old_goes_and_what_is_not_ours_stays(
    shared: Shared, dashboard: Dashboard
) -> None:
    """Runs before ``--since``, projects that are gone; never a file that others put there."""
    shared.write()
    before = shared.files()
    notes = [shared.folder / "notes.html", shared.folder / "r" / "mine.html"]
    for note in notes:
        note.write_text("mine", "utf-8")
    outside = shared.folder.parent / "outside.html"
    outside.write_text("mine", "utf-8")
    listed = shared.folder / MANIFEST
    document = json.loads(listed.read_text("utf-8"))
    document["files"] |= dict.fromkeys(
        ("../outside.html", str(outside), "notes.html", "r\\x.html", "r/../notes.html"),
        "0",
    )
    listed.write_text(json.dumps(document), "utf-8")

    dashboard.options["projects"] = (dashboard.folder / "bad",)
    done = shared.write(since=2 * DAY)

    after = shared.files()
    assert all(note.read_text("utf-8") == "mine" for note in (*notes, outside))
    assert done.removed == len(before.keys() - after.keys()) > 10
    assert [name for name in after if name.startswith("p/bad-")]
    assert not [name for name in after if name.startswith("p/good-")]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("index.html", "mine", "holds index.html"),
        ("photo.jpg", "mine", "holds photo.jpg"),
        (MANIFEST, "{", "cannot be read"),
        (MANIFEST, "[]", "cannot be read"),
        (MANIFEST, '{"format": 2, "files": {}}', "cannot be read"),
        (MANIFEST, '{"format": 1, "files": {}, "computer": "PC-4"}', "written by PC-4"),
    ],
)
def test_a_folder_of_somebody_else_is_left_alone(
    shared: Shared, name: str, content: str, words: str
) -> None:
    """Nothing is written there, and a sentence says why."""
    (shared.folder / name).write_text(content, "utf-8")
    with pytest.raises(PythonRunnerError, match=words):
        shared.write()
    assert [path.name for path in shared.folder.iterdir()] == [name]
    assert (shared.folder / name).read_text("utf-8") == content


def test_two_computers_do_not_remove_each_others_pages(shared: Shared) -> None:
    """Each has a folder of its own, and is told so."""
    shared.write()
    before = shared.files()
    with pytest.raises(PythonRunnerError, match=r"written by PC-3 .* of its own"):
        shared.write(computer="PC-4")
    assert shared.files() == before


@pytest.mark.posix
def test_no_link_leads_out_of_the_folder(shared: Shared, tmp_path: Path) -> None:
    """Somebody who may write to the share would have our files written elsewhere."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shared.write()
    for path in (shared.folder / "r").iterdir():
        path.unlink()
    (shared.folder / "r").rmdir()
    (shared.folder / "r").symlink_to(elsewhere)
    with pytest.raises(OSError, match="is a link"):
        shared.write()
    assert list(elsewhere.iterdir()) == []


def test_a_writer_that_was_killed_leaves_nothing_half_and_nothing_unknown(
    shared: Shared, dashboard: Dashboard
) -> None:
    """Each page is whole; the next time all that it has made is known as ours."""
    store, database = open_reader(dashboard.home)
    made = StaticSite(dashboard.site, store, database.changes, NOON - 30 * DAY)
    sheets = list(made.sheets())
    author = Author(computer="PC-3", home=dashboard.home, words="now")

    def killed() -> str:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(
            shared.folder,
            [*sheets[:20], replace(sheets[20], make=killed), *sheets[21:]],
            author,
            lambda: None,
        )
    database.close()
    written = shared.files()
    assert len(written) == 20
    assert all("</html>" in text for n, text in written.items() if n.endswith("html"))

    dashboard.options["projects"] = (dashboard.folder / "good",)
    shared.write(since=DAY)
    assert not [name for name in shared.files() if name.startswith("r/0000000000012")]
    assert not list(shared.folder.rglob("*.new"))


def test_an_output_is_bounded_and_one_that_is_gone_has_no_page(
    shared: Shared, tmp_path: Path
) -> None:
    """The first and the last lines; what lies between is counted."""
    shared.write()
    page = shared.files()["r/00000000003e7-2.html"]
    numbers = {int(number) for number in re.findall(r' id="L(\d+)"', page)}
    assert len(numbers) < 1500
    assert {1, 3000} <= numbers
    assert "1,800 lines between" in told(page)
    (tmp_path / "output.log").unlink()
    shared.write()
    assert "r/00000000003e7-2.html" not in shared.files()


def test_a_run_that_goes_on_has_its_page(shared: Shared, dashboard: Dashboard) -> None:
    """One whose runner lives, and one whose runner has died."""
    scripts = (OpenScript(script="1.py", number=1), OpenScript(script="2.py", number=2))
    with dashboard.store() as store:
        store.begin_run(
            OpenRun(
                run_id="d" * 13,
                project="never",
                path=dashboard.folder / "never",
                started_at=NOON - timedelta(minutes=5),
                scripts=scripts,
            )
        )
    shared.write()
    page = shared.files()[f"r/{'d' * 13}.html"]
    assert "never began" in told(page)
    assert "no longer alive" in told(page)


def test_a_run_for_show_needs_no_other_file(shared: Shared) -> None:
    """Its style is in it, nothing leads anywhere, and what matters is there."""
    dashboard = shared.dashboard
    store, database = open_reader(dashboard.home)
    try:
        page = run_page(dashboard.site, store, f"{999:013x}")
    finally:
        database.close()
    assert all(address.startswith("#") for address in links(page))
    assert not re.search(r"url\(|@import|<script", page)
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "KeyError" in told(page)
    assert "line 2999" in told(page)
    assert "written " in told(page)
    assert re.search(r"Folder \S*bad ", told(page))
    assert f"Run {999:013x}" in told(page)


def test_a_folder_that_does_not_answer_holds_nobody_up(tmp_path: Path) -> None:
    """A share may hang in the kernel: the command ends, and says so."""
    hangs = threading.Event()

    def work(count: Callable[[], None]) -> Published:
        count()
        hangs.wait(60)
        return Published(written=0, unchanged=0, removed=0)

    with pytest.raises(PythonRunnerError, match="does not answer"):
        watched(work, tmp_path, patience=0.3)
    hangs.set()


@pytest.mark.slow
def test_pages_are_made_without_the_extra(shared: Shared, dashboard: Dashboard) -> None:
    """The web server is an extra; what writes files needs none, and says what it did."""
    code = (
        "import sys\n"
        "for name in ('starlette', 'uvicorn', 'anyio', 'h11'): sys.modules[name] = None\n"
        "from python_runner.cli.app import run_app\n"
        "sys.exit(run_app(sys.argv[1:]))"
    )

    def command(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, words)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHON_RUNNER_HOME": str(dashboard.home)},
            cwd=dashboard.folder,
            check=False,
        )

    page = dashboard.folder / "run.html"
    assert command("show", f"{999:013x}", "--html", page).returncode == 0
    assert "KeyError" in page.read_text("utf-8")
    done = command("report", "--site", shared.folder, "--since", "3650d")
    assert done.returncode == 0, done.stderr
    assert "files written" in done.stdout
    assert len(shared.files()) > 50
    gone = command("report", "--site", shared.folder / "gone")
    assert gone.returncode == 2
    assert "make it first" in gone.stderr
    (shared.folder / "gone").mkdir()
    assert command("report").returncode == 2
