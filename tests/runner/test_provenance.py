"""What a real run records of itself: what it was made of, and what came of it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from python_runner.computer import account_name, host_name
from python_runner.config.settings import load_settings
from python_runner.execution import capture
from python_runner.execution.installed_packages import read_packages
from python_runner.imported_files import digest_of
from python_runner.records.store import DATABASE_NAME, Store, StoreError
from python_runner.runner import provenance
from python_runner.runner.project_run import run_configured
from python_runner.runner.session import open_session
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from python_runner.model import Run
    from python_runner.model.provenance import Packages
    from tests.support import Cli, MakeProject

SECRET = "c4n4ry-in-a-cage"


@pytest.fixture(autouse=True)
def _in_folder(in_folder: Path) -> None:
    """Keep the files of the developer's own folder out."""


def metrics_of(run: Run) -> list[object]:
    """Return what is known of the scripts of a run beside their outcomes."""
    return [(script.metrics, script.provenance) for script in run.scripts]


def run(folder: Path) -> Run:
    """Run a project as the command does; return what the records hold of it."""
    with open_session(load_settings(), reports_enabled=False) as session:
        ended = run_configured(folder, session, defaults={})
        assert ended is not None
        assert session.store is not None
        recorded = session.store.run(ended.run_id)
        assert recorded is not None
        assert (recorded.provenance, metrics_of(recorded)) == (
            ended.provenance,
            metrics_of(ended),
        )
        return ended


def test_a_run_says_what_it_was_made_of(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """Computer, account, packages with their versions, names of variables, files."""
    monkeypatch.setenv("REGION", "north")
    sources = {
        "main.py": "import lib.load\nprint('done')",
        "lib/load.py": "",
        "other.py": "",
    }
    folder = make_project(
        sources=sources,
        scripts=["main.py", {"path": "other.py", "env": {"ONLY_HERE": "1"}}],
        env={"SHOP": "paris"},
    )

    found = run(folder)

    made_of = found.provenance
    assert made_of is not None
    assert (made_of.computer, made_of.account) == (host_name(), account_name())
    assert {"REGION", "SHOP", "ONLY_HERE", "PATH"} <= set(made_of.variables)
    assert list(made_of.variables) == sorted(set(made_of.variables))
    assert made_of.packages is not None
    with Store(shielded / DATABASE_NAME) as store:
        packages = store.packages(made_of.packages)
        last = store.last_success(folder, "main.py")
    assert packages is not None
    assert "pytest" in dict(packages.versions)
    assert last == (found, found.scripts[0])
    first, other = (script.provenance for script in found.scripts)
    assert first is not None
    assert first.script is not None
    assert (first.script.path, first.script.digest) == (
        "main.py",
        digest_of((folder / "main.py").read_bytes()),
    )
    assert [file.path for file in first.imports] == ["lib/load.py"]
    assert other is not None
    assert other.imports == ()


def test_the_account_is_that_of_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the variables say that others believe."""
    made = tmp_path / "made"
    made.touch()
    if sys.platform == "win32":
        expected = os.environ.get("USERNAME")
    else:
        expected = made.owner()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "somebody")

    assert account_name() == expected


def test_packages_are_read_again_only_when_their_folder_has_changed(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Reading them may take long, and hardly ever tells anything new."""
    sites = tmp_path / "sites"
    sites.mkdir()
    (sites / "a-1.0.dist-info").mkdir()
    os.utime(sites, ns=(1, 1))
    monkeypatch.setattr(provenance, "package_folders", lambda *_: (str(sites),))
    reads: list[object] = []

    def counted(folders: Sequence[str]) -> Packages:
        reads.append(folders)
        return read_packages(folders)

    monkeypatch.setattr(provenance, "read_packages", counted)
    folder = make_project()

    first, second = run(folder), run(folder)
    (sites / "b-1.0.dist-info").mkdir()
    third = run(folder)

    prints = [r.provenance and r.provenance.packages for r in (first, second, third)]
    assert prints[0] == prints[1] != prints[2]
    assert len(reads) == 2


@pytest.mark.fault(
    "machine",
    "The folder with an interpreter's packages cannot be read",
    "The run goes on; its packages are unknown.",
)
def test_packages_that_cannot_be_read_are_unknown(
    make_project: MakeProject, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on, and the rest of it is recorded."""
    gone = tmp_path / "gone"
    monkeypatch.setattr(provenance, "package_folders", lambda *_: (str(gone),))

    found = run(make_project())

    assert found.provenance is not None
    assert found.provenance.packages is None
    assert found.provenance.computer == host_name()
    assert (found.status, found.warnings) == ("success", ())


def test_records_that_refuse_the_packages_cost_nothing_else(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are tried again by the next run."""

    def refuse(*_: object) -> None:
        raise StoreError(Sentence.of("the records refuse"))

    with monkeypatch.context() as patched:
        patched.setattr(Store, "keep_packages", refuse)
        found = run(make_project())
    assert found.provenance is not None
    assert found.provenance.packages is None
    assert found.status == "success"

    again = run(make_project()).provenance
    assert again is not None
    assert again.packages is not None


OUTPUT = """
import logging, sys
logging.basicConfig(stream=sys.stdout)
print("loaded 48,210 rows")
logging.warning("careful")
logging.error("disk full")
print("an error is no ERROR")
sys.stdout.flush()
logging.critical("the end")
print("2024-11-27 09:51:58 wrote 3 files in 1.5 s", end="")
"""


def test_an_output_is_counted(make_project: MakeProject) -> None:
    """Its bytes, lines, logged levels and numbers, as the script printed them."""
    found = run(make_project(sources={"main.py": OUTPUT}))

    [result] = found.scripts
    metrics = result.metrics
    assert metrics is not None
    assert result.output is not None
    assert metrics.output_bytes == result.output.stat().st_size
    assert (metrics.output_lines, metrics.log_warnings) == (6, 1)
    assert (metrics.log_errors, metrics.log_criticals) == (1, 1)
    assert [(number.line, number.value) for number in metrics.numbers] == [
        ("# wrote # files in # s", 3.0),
        ("loaded # rows", 48210.0),
    ]


def test_what_is_not_kept_counts_too(make_project: MakeProject) -> None:
    """The limit of an output is none of what is known of it."""
    source = "for n in range(20_000): print(f'ERROR:root:{n} rows')"
    found = run(make_project(sources={"main.py": source}, output_limit=5000))

    metrics = found.scripts[0].metrics
    assert metrics is not None
    assert metrics.output_lines == 20_000
    ends = len(os.linesep)
    assert metrics.output_bytes == sum(
        len(f"ERROR:root:{n} rows") + ends for n in range(20_000)
    )
    assert metrics.log_errors == 20_000
    assert [number.value for number in metrics.numbers] == [19_999.0]


def test_the_last_attempt_counts(make_project: MakeProject) -> None:
    """What an earlier one printed into the same file is its own affair."""
    source = """
import pathlib
again = pathlib.Path('again')
print('loaded 5 rows' if again.exists() else 'one\\ntwo\\nERROR:root:x')
assert again.exists() or again.touch()
"""
    found = run(make_project(sources={"main.py": source}, retries=1, retry_delay=0.05))

    [result] = found.scripts
    assert len(result.attempts) == 2
    metrics = result.metrics
    assert metrics is not None
    assert (metrics.output_lines, metrics.log_errors) == (1, 0)
    assert [number.value for number in metrics.numbers] == [5.0]


def test_expected_files_are_measured(make_project: MakeProject) -> None:
    """Those that are there after a success, or after one that lacks one."""
    source = "open('a.csv', 'w').write('12345')"
    scripts = [
        {"path": "main.py", "outputs": ["*.csv"]},
        {"path": "bad.py", "outputs": ["a.csv"]},
    ]
    found = run(
        make_project(sources={"main.py": source, "bad.py": ""}, scripts=scripts)
    )

    made, missing = found.scripts
    assert (made.outcome, missing.outcome) == ("success", "failure")
    for result in (made, missing):
        assert result.metrics is not None
        [file] = result.metrics.files
        assert (file.path, file.size) == ("a.csv", 5)
        assert abs(file.modified_at - found.started_at).total_seconds() < 600


@pytest.mark.fault(
    "scripts",
    "A script is changed or deleted while it runs",
    "What is recorded is the file that it was started from.",
)
def test_a_script_may_go_or_change_while_it_runs(make_project: MakeProject) -> None:
    """It was made of what was there when it began."""
    sources = {
        "gone.py": "import os; os.remove(__file__)",
        "grows.py": "open(__file__, 'a').write('# more')",
    }
    folder = make_project(sources=sources)
    before = [digest_of((folder / name).read_bytes()) for name in sources]

    found = run(folder)

    assert found.status == "success"
    made_of = [script.provenance for script in found.scripts]
    assert [m and m.script and m.script.digest for m in made_of] == before


def test_no_secret_is_recorded(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch, shielded: Path
) -> None:
    """Neither a value of a variable nor what a script prints of it."""
    monkeypatch.setenv("DB_PASSWORD", SECRET)
    source = f"""
import os
print('loaded 5 rows of', os.environ['DB_PASSWORD'], 'and 6 of {SECRET}')
print('ERROR:root:' + os.environ['DB_PASSWORD'])
"""
    folder = make_project(sources={f"{SECRET}.py": "", "main.py": source})

    found = run(folder)

    assert found.provenance is not None
    assert "DB_PASSWORD" in found.provenance.variables
    metrics = found.scripts[1].metrics
    assert metrics is not None
    assert metrics.log_errors == 1
    assert metrics.numbers[0].line == "loaded # rows of *** and # of ***"
    assert SECRET not in repr(replace(found, path=folder, scripts=found.scripts[1:]))
    content = b"".join(file.read_bytes() for file in shielded.glob("records*"))
    assert SECRET.encode() not in content


@pytest.mark.skipif(sys.platform == "win32", reason="no such device there")
def test_an_output_that_is_kept_nowhere_has_no_metrics(
    make_project: MakeProject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is made up of it."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(capture.FileCapture, "__init__", refuse)
    found = run(make_project())

    assert found.status == "success"
    assert found.scripts[0].metrics is None


def test_the_documents_tell_it(make_project: MakeProject, cli: Cli) -> None:
    """`run`, `show` and `history` with `--json`, in one form."""
    folder = make_project(sources={"main.py": OUTPUT})

    done = cli("run", folder, "--json")
    [told] = json.loads(done.stdout)["runs"]
    [shown] = json.loads(cli("show", folder, "--json").stdout)["runs"]
    [listed] = json.loads(cli("history", folder, "--json").stdout)["runs"]

    assert told == shown == listed
    assert (told["computer"], told["account"]) == (host_name(), account_name())
    assert "PATH" in told["variables"]
    assert len(told["packages"]) == 32
    [script] = told["scripts"]
    assert script["unusual"] == []
    assert script["sources"] == {
        "main.py": digest_of((folder / "main.py").read_bytes())
    }
    assert (script["output_lines"], script["log_errors"]) == (6, 1)
    assert script["numbers"][1] == {"line": "loaded # rows", "value": 48210.0}
    assert script["files"] == []
