"""What changed since a script last succeeded, from real runs to their mails and pages."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from python_runner import run_project
from python_runner.cli.app import run_app
from python_runner.config.project import load_project
from python_runner.config.settings import load_settings
from python_runner.masking import Masker
from python_runner.model.differences import Aspect, Differences
from python_runner.model.provenance import ScriptProvenance, SourceFile
from python_runner.records.store import DATABASE_NAME, open_store
from python_runner.runner.context import RunContext
from python_runner.runner.differences import since_success
from python_runner.runner.session import open_session
from python_runner.runner.source_texts import SourceKeeper
from tests.support import TODAY, MakeProject, mails


if TYPE_CHECKING:
    from email.message import EmailMessage

    from python_runner.model import Run
    from tests.support import Cli

OLD = "from lib import files\n\nrows = files.rows()\nprint(sum(row['id'] for row in rows))\n"
NEW = OLD.replace("['id']", "['montant']")
LIBRARY = "def rows():\n    return [{'id': 1}]\n"
SECRET = "c4n4ry-7391"


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


def home() -> Path:
    """Return the folder of the records."""
    return Path(os.environ["PYTHON_RUNNER_HOME"])


def last_run() -> Run:
    """Return the last run, as it is recorded."""
    with open_store(home(), TODAY) as store:
        return store.runs(limit=1)[0]


def since(*secrets: str) -> dict[str, Differences]:
    """Return what changed for the scripts of the last run."""
    with open_store(home(), TODAY) as store:
        return since_success(store.runs(limit=1)[0], store, Masker(secrets))


def told(differences: Differences) -> list[tuple[str, str]]:
    """Return what changed, in few words."""
    return [(d.name or d.aspect.value, d.change.value) for d in differences.found]


def body(mail: EmailMessage, kind: str) -> str:
    """Return the text of a mail, or its page."""
    found = mail.get_body((kind,))
    assert found is not None
    return str(found.get_content()).replace("\r\n", "\n")


def change(folder: Path, name: str, text: str | bytes) -> None:
    """Write a file of a project anew."""
    data = text.encode() if isinstance(text, str) else text
    (folder / name).write_bytes(data)


def kept() -> list[tuple[str, bytes]]:
    """Return the rows of the texts that are kept."""
    with closing(sqlite3.connect(home() / DATABASE_NAME)) as connection:
        return connection.execute("SELECT digest, text FROM source").fetchall()


def texts(folder: Path) -> str:
    """Return all the texts that are kept of a project."""
    with open_store(home(), TODAY) as store:
        return "\n".join(
            store.sources.text(folder, digest) or "" for digest, _text in kept()
        )


def test_the_mail_of_a_failure_tells_what_changed(
    make_project: MakeProject, mail_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the lines that differ; so do ``show``, its document and its page."""
    folder = make_project(
        sources={"main.py": OLD},
        recipients=["ann@example.org"],
        email_strategy="failure_only",
        language="fr",
        env={"DB_HOST": "a"},
    )
    (folder / "lib").mkdir()
    change(folder, "lib/files.py", LIBRARY)
    first = run_project(folder)
    change(folder, "main.py", NEW)
    change(folder, "lib/files.py", LIBRARY + "\n\ndef columns():\n    return ['id']\n")
    config = json.loads((folder / "exec_config.json").read_text("utf-8"))
    config["env"] = {"DB_SERVER": "a"}
    change(folder, "exec_config.json", json.dumps(config))
    second = run_project(folder)

    assert (first.status, second.status) == ("success", "failure")
    (mail,) = mails(mail_dir)
    text, page = (body(mail, kind) for kind in ("plain", "html"))
    text = re.sub("[\u00a0\u202f]", " ", text)
    began = first.started_at.astimezone().strftime("%d/%m/%Y %H:%M")
    assert f"Ce qui a changé depuis sa dernière réussite ({began})" in text
    assert "  Fichiers modifiés : main.py, lib/files.py\n" in text
    assert "  Variables supprimées : DB_HOST\n" in text
    assert "  Variables ajoutées : DB_SERVER\n" in text
    assert "\n  -print(sum(row['id'] for row in rows))\n" in text
    assert "\n  +print(sum(row['montant'] for row in rows))\n" in text
    # A mail has room for one file, the one that failed.
    assert "def columns" not in text
    assert "montant&#39;]" in page

    assert run_app(["show", "--json"]) == 0
    (script,) = json.loads(capsys.readouterr().out)["runs"][0]["scripts"]
    assert script["changed"]["since"]["run_id"] == first.run_id
    found = script["changed"]["differences"]
    assert [(d["aspect"], d["name"], d["change"]) for d in found] == [
        ("file", "main.py", "changed"),
        ("file", "lib/files.py", "changed"),
        ("variable", "DB_HOST", "removed"),
        ("variable", "DB_SERVER", "added"),
    ]
    assert found[1]["diff"][-1] == "+    return ['id']"
    assert run_app(["show", "--html", "page.html"]) == 0
    assert "What changed since it last succeeded" in Path("page.html").read_text(
        "utf-8"
    )
    capsys.readouterr()
    assert run_app(["show"]) == 0
    shown = capsys.readouterr().out
    assert "      Files changed: main.py, lib/files.py\n" in shown
    assert "    Changes in lib/files.py\n" in shown
    # The command that shows the output is the last line of a script.
    assert shown.index("What changed") < shown.index("\n    output: ")


def test_a_script_that_never_succeeded_is_told_without(
    make_project: MakeProject,
) -> None:
    """There is nothing to compare it with; nor is a success compared."""
    folder = make_project(sources={"bad.py": "1 / 0\n", "good.py": ""})
    run_project(folder)
    change(folder, "bad.py", "1 / 0  # still\n")
    run_project(folder)

    assert since() == {}


def test_nothing_that_is_recorded_changed_is_said(make_project: MakeProject) -> None:
    """The script read other data: that is where to look."""
    folder = make_project(
        sources={"main.py": "print(len(open('data').read()) and 1 / 0)"}
    )
    change(folder, "data", "")
    run_project(folder)
    change(folder, "data", "x")
    run_project(folder)

    assert told(since()["main.py"]) == []


def test_what_is_compared_is_the_last_success(make_project: MakeProject) -> None:
    """Not the failure before, nor what succeeded later."""
    folder = make_project(sources={"main.py": "a = 1\n"})
    first = run_project(folder)
    for text in ("a = 2\n1 / 0\n", "a = 3\n1 / 0\n"):
        change(folder, "main.py", text)
        run_project(folder)
    failed = last_run()
    change(folder, "main.py", "a = 4\n")
    run_project(folder)

    with open_store(home(), TODAY) as store:
        found = since_success(failed, store, Masker())["main.py"]
    assert found.run_id == first.run_id
    (file,) = found.found
    assert file.diff is not None
    assert file.diff.lines == ("@@ -1 +1,2 @@", "-a = 1", "+a = 3", "+1 / 0")


def test_a_script_that_is_gone_says_no_more_than_that(
    make_project: MakeProject,
) -> None:
    """It would not be true that nothing has changed."""
    folder = make_project(sources={"main.py": "", "other.py": ""})
    run_project(folder)
    (folder / "main.py").unlink()

    assert run_project(folder).status == "failure"
    assert since() == {}


@pytest.mark.parametrize("key", [None, 999], ids=["older", "damaged"])
def test_runs_of_an_older_version_are_told_without(
    make_project: MakeProject, key: int | None
) -> None:
    """Of them only how they ended is known: nobody is told anything wrong."""
    folder = make_project(sources={"main.py": "a = 1\n"})
    run_project(folder)
    with closing(sqlite3.connect(home() / DATABASE_NAME)) as connection:
        connection.execute("UPDATE run SET provenance = ?", (key,))
        connection.execute("UPDATE result SET provenance = ?", (key,))
        connection.execute("DELETE FROM source")
        connection.commit()
    change(folder, "main.py", "1 / 0\n")

    assert run_project(folder).warnings == ()
    assert since() == {}


def test_without_records_nothing_is_said(make_project: MakeProject) -> None:
    """And nothing goes wrong."""
    folder = make_project(sources={"main.py": "1 / 0\n"})
    run_project(folder)

    assert since_success(last_run(), None, Masker()) == {}


def test_no_secret_is_kept_nor_shown(
    make_project: MakeProject, mail_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither one of a variable, nor one that the source itself calls so."""
    source = f"url = 'http://bob:{SECRET}@h'\nx = '{SECRET}'\npassword = 'hunter2'\n"
    folder = make_project(
        sources={"main.py": source},
        recipients=["ann@example.org"],
        email_strategy="all",
        env={"DB_PASSWORD": SECRET},
    )
    run_project(folder)
    change(
        folder, "main.py", source.replace("hunter2", "hunter3") + f"1 / 0 # {SECRET}\n"
    )
    run_project(folder)
    run_app(["show"])
    run_app(["show", "--json"])
    run_app(["show", "--html", "page.html"])

    said = capsys.readouterr().out + Path("page.html").read_text("utf-8")
    said += "".join(
        body(mail, kind) for mail in mails(mail_dir) for kind in ("plain", "html")
    )
    assert "+1 / 0 # ***" in said
    assert not re.search(f"{SECRET}|hunter[23]", said + texts(folder))


def test_what_has_become_secret_since_is_not_shown(make_project: MakeProject) -> None:
    """It was kept before anybody knew."""
    folder = make_project(sources={"main.py": "x = 'later-secret'\n"})
    run_project(folder)
    change(folder, "main.py", "x = 'later-secret'\n1 / 0\n")
    run_project(folder)

    assert "later-secret" in str(since())
    assert "later-secret" not in str(since("later-secret"))


#: Sources before and after: odd ones, of which the file alone may be told.
ODD: dict[str, tuple[bytes, bytes, str]] = {
    "latin-1": (
        "# coding: latin-1\n# é\n".encode("latin-1"),
        "# coding: latin-1\n# é\n1 / 0 # è\n".encode("latin-1"),
        "+1 / 0 # è",
    ),
    "huge-line": (
        b"x = '" + b"a" * 150_000 + b"'\n",
        b"x = '" + b"a" * 150_000 + b"NEW'\n1 / 0\n",
        "aNEW'",
    ),
    "markup": (
        b"x = 1\n",
        b"x = '</td><script>alert(1)</script>'\n1 / 0\n",
        "<script>",
    ),
    "control": (b"x = 1\n", b"x = '\x1b[31m\xe2\x80\xae'\n1 / 0\n", "\\x1b[31m\\u202e"),
    "line-ends": (b"x = 1\ny = 2\n", b"x = 1\r\ny = 2\r\n1/0\r\n", "+1/0\\x0d"),
    "too-large": (b"x = 1\n" * 40_000, b"x = 1\n" * 40_000 + b"1 / 0\n", ""),
    "no-python": (b"x = 1\n", b"x = 1 +\n", "+x = 1 +"),
    "wide": (b"x = 1\n", "x = 1\n".encode("utf-16"), ""),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_sources_end_nothing(
    make_project: MakeProject, mail_dir: Path, name: str
) -> None:
    """The file is named in any case, and its lines where they can be shown."""
    before, after, line = ODD[name]
    folder = make_project(
        sources={"main.py": ""},
        recipients=["a@example.org"],
        email_strategy="failure_only",
    )
    change(folder, "main.py", before)
    assert run_project(folder).status == "success"
    change(folder, "main.py", after)
    assert run_project(folder).warnings == ()

    (file, *_rest) = since()["main.py"].found
    assert (file.aspect, file.name) == (Aspect.FILE, "main.py")
    lines = "\n".join(file.diff.lines) if file.diff else ""
    assert (line in lines) if line else file.diff is None
    (mail,) = mails(mail_dir)
    page = body(mail, "html")
    assert "Files changed: main.py" in page
    assert "<script>" not in page
    assert "\x1b" not in page


def test_of_a_run_without_a_new_source_nothing_is_written(
    make_project: MakeProject,
) -> None:
    """A text is kept once, however often its script runs."""
    folder = make_project(sources={"main.py": "a = 1\n"})
    run_project(folder)
    with closing(sqlite3.connect(home() / DATABASE_NAME)) as connection:
        connection.execute("UPDATE source SET text = x'00'")
        connection.commit()
    before = kept()
    run_project(folder)

    assert len(before) == 1
    assert kept() == before


def test_records_that_keep_no_text_keep_no_script_from_its_run(
    make_project: MakeProject,
) -> None:
    """A failure is told all the same, without the lines that differ."""
    folder = make_project(sources={"main.py": "a = 1\n", "other.py": "b = 1\n"})
    run_project(folder)
    with closing(sqlite3.connect(home() / DATABASE_NAME)) as connection:
        connection.executescript(
            "CREATE TRIGGER refuse BEFORE INSERT ON source"
            " BEGIN SELECT raise(ABORT, 'full'); END;"
        )
    change(folder, "main.py", "1 / 0\n")
    change(folder, "other.py", "1 / 0\n")

    assert run_project(folder).warnings == ()
    assert {name: told(found) for name, found in since().items()} == {
        name: [(name, "changed")] for name in ("main.py", "other.py")
    }
    assert not any(d.diff for found in since().values() for d in found.found)


def test_what_changes_while_it_is_read_is_not_kept(make_project: MakeProject) -> None:
    """The text under a digest is the one that it names."""
    folder = make_project(sources={"main.py": "a = 1\n"})
    run_project(folder)
    with open_session(
        load_settings(environ=dict(os.environ), folder=folder)
    ) as session:
        keeper = SourceKeeper(RunContext.begin(load_project(folder), session))
        before = kept()
        missing = SourceFile(path="gone.py", digest="1" * 40)
        changed = SourceFile(path="main.py", digest="2" * 40)
        keeper.keep(ScriptProvenance(script=missing, imports=(changed,)))

    assert kept() == before


def test_of_many_failures_some_are_compared(make_project: MakeProject) -> None:
    """One reason is likely: a mail of two hundred failures has no room for them all."""
    names = [f"{n}.py" for n in range(8)]
    folder = make_project(sources=dict.fromkeys(names, "import shared\n"))
    change(folder, "shared.py", "")
    run_project(folder)
    change(folder, "shared.py", "1 / 0\n")
    run_project(folder)

    found = since()
    assert list(found) == names[:5]
    assert {tuple(told(differences)) for differences in found.values()} == {
        (("shared.py", "changed"),)
    }


def test_the_texts_go_with_the_last_run_that_needs_them(
    make_project: MakeProject, cli: Cli
) -> None:
    """As the records of that run do."""
    folder = make_project(sources={"main.py": "a = 1\n"})
    run_project(folder)
    with closing(sqlite3.connect(home() / DATABASE_NAME)) as connection:
        # So long ago that nothing keeps it.
        connection.execute(
            "UPDATE run SET started_at = started_at - 60 * 86400 * 1000000"
        )
        connection.commit()
    change(folder, "main.py", "a = 2\n")
    run_project(folder)
    assert texts(folder) == "a = 1\n\na = 2\n"
    (folder.parent / "python-runner.toml").write_text(
        f'projects = ["{folder.name}"]\nkeep_days = 30\n', encoding="utf-8"
    )
    cli("run", "--quiet")

    assert texts(folder) == "a = 2\n"
