"""A run tells the fleet of itself, and commands tell of the fleet."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from python_runner import run_project
from python_runner.doctor import fleet as looking
from python_runner.model.fleet import FleetFolder
from tests.fleet.support import Computer, ended, hanging
from tests.support import GENEROUS, Cli, MakeProject, mails


if TYPE_CHECKING:
    from pathlib import Path

BAD = "import os\nraise KeyError(os.environ['SHOP_TOKEN'])"


@pytest.fixture
def share(tmp_path: Path) -> Path:
    """Return the folder of a fleet that python-runner.toml names."""
    folder = tmp_path / "share"
    folder.mkdir()
    (tmp_path / "python-runner.toml").write_text('fleet = "share"\n', encoding="utf-8")
    return folder


def documents(share: Path) -> list[dict[str, Any]]:
    """Return what was written of runs, in their order."""
    files = sorted(share.glob("*/*/*.json"), key=lambda path: path.name)
    return [json.loads(file.read_text("utf-8")) for file in files]


def test_each_run_tells_the_fleet_of_itself(
    cli: Cli, make_project: MakeProject, share: Path
) -> None:
    """Name, end, cause, place, what is due; no secret and no traceback."""
    folder = make_project(
        sources={"good.py": "print(1)", "bad.py": BAD}, schedule="0 6 * * *"
    )
    done = cli("run", folder, SHOP_TOKEN="hunter2hunter2")
    (told,) = documents(share)

    assert done.returncode == 1
    assert "fleet's folder" not in done.stderr
    assert (told["project"], told["status"], told["mail"]) == (
        *("project_1", "failure", "none"),
    )
    assert (told["path"], told["schedule"]) == (str(folder), "0 6 * * *")
    assert datetime.fromisoformat(told["due"]) > datetime.now(UTC)
    assert datetime.fromisoformat(told["started_at"]).utcoffset() is not None
    names = [(s["script"], s["status"]) for s in told["scripts"]]
    assert names == [("good.py", "success"), ("bad.py", "failure")]
    bad = told["scripts"][1]
    assert bad["exception"].startswith("KeyError")
    assert (bad["place"], bad["traceback"]) == ("bad.py:2", None)
    assert "hunter2" not in json.dumps(documents(share))
    run = json.loads(cli("show", "--json", folder).stdout)["runs"][0]
    assert told["run_id"] == run["run_id"]


def test_tracebacks_are_told_where_that_is_asked_for(
    cli: Cli, make_project: MakeProject, share: Path, tmp_path: Path
) -> None:
    """Without secrets as well."""
    text = 'fleet = "share"\nfleet_details = true\n'
    (tmp_path / "python-runner.toml").write_text(text, encoding="utf-8")
    cli("run", make_project(sources={"bad.py": BAD}), SHOP_TOKEN="hunter2hunter2")
    (told,) = documents(share)

    assert "Traceback (most recent call last)" in told["scripts"][0]["traceback"]
    assert "hunter2" not in json.dumps(told)


def test_a_project_that_cannot_be_run_is_told_as_well(
    cli: Cli, make_project: MakeProject, share: Path, tmp_path: Path
) -> None:
    """Whoever looks at the fleet sees that it did not run, and why."""
    folder = make_project(scripts=3)
    cli("run", folder, tmp_path / "gone")

    told = {one["project"]: one for one in documents(share)}
    assert {one["status"] for one in told.values()} == {"not_started"}
    assert "scripts" in told["project_1"]["error"]
    assert "gone" in told


@pytest.mark.usefixtures("in_folder")
def test_the_library_tells_it_too(make_project: MakeProject, share: Path) -> None:
    """As the command does."""
    run = run_project(make_project())
    assert [one["run_id"] for one in documents(share)] == [run.run_id]


def test_a_share_that_is_away_changes_no_exit_code_and_is_told_once(
    cli: Cli, make_project: MakeProject, share: Path, mail_dir: Path
) -> None:
    """In the report of the run that finds it; what waits is delivered by `mail flush`."""
    folder = make_project(recipients=["ann@example.org"], email_strategy="all")
    share.rmdir()
    done = [cli("run", folder) for _ in range(3)]
    flush = cli("mail", "flush")

    assert [one.returncode for one in done] == [0, 0, 0]
    words = "fleet's folder"
    assert [one.stderr.count(words) for one in done] == [1, 0, 0]
    assert [str(mail).count(words) > 0 for mail in mails(mail_dir)] == [
        *(True, False, False)
    ]
    assert (flush.returncode, flush.stderr.count(words)) == (0, 1)

    share.mkdir()
    flush = cli("mail", "flush")
    assert (flush.returncode, flush.stderr) == (0, "")
    assert [one["number"] for one in documents(share)] == [1, 2, 3]


#: Makes the system wait for ever wherever a path in the share is asked about.
HANG = """
import os, runpy, sys, threading
share, *sys.argv = sys.argv[1:]
def waits(call):
    def wrapper(path, *args, **kwargs):
        if not isinstance(path, int) and os.fspath(path).startswith(share):
            threading.Event().wait()
        return call(path, *args, **kwargs)
    return wrapper
for name in ("stat", "lstat", "open", "scandir", "mkdir", "replace"):
    setattr(os, name, waits(getattr(os, name)))
runpy.run_module("python_runner", run_name="__main__", alter_sys=True)
"""


def hung(share: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command where the share does not answer."""
    return subprocess.run(
        [sys.executable, "-c", HANG, share, "python-runner", *map(str, arguments)],
        cwd=share.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        timeout=GENEROUS,
        check=False,
    )


@pytest.mark.slow
def test_a_share_that_hangs_keeps_no_run_from_ending(
    make_project: MakeProject, share: Path
) -> None:
    """The command ends after seconds, with its exit code, and says what does not answer."""
    done = hung(share, "run", make_project(), make_project("other", {"a.py": "1 / 0"}))

    assert done.returncode == 1
    assert "it does not answer" in done.stderr
    assert list(share.iterdir()) == []
    queued = sorted(share.parent.glob("home/fleet/queue/*.json"))
    assert [json.loads(file.read_text("utf-8"))["status"] for file in queued] == [
        *("success", "failure")
    ]


def test_check_waits_for_a_share_a_while_at_most(
    share: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says so."""
    monkeypatch.setattr(looking, "_SECONDS", 0.1)
    with hanging(share, monkeypatch):
        (problem,) = looking.fleet_problems(FleetFolder(folder=share))
    assert "it does not answer" in problem.message


@pytest.mark.skipif(sys.platform == "win32", reason="sends a signal of POSIX")
def test_an_interrupted_run_is_told_by_the_next_one(
    cli: Cli, make_project: MakeProject, share: Path
) -> None:
    """The computer may have been switched off."""
    kill = "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"
    folder = make_project(sources={"main.py": kill})
    cli("run", folder)
    (folder / "main.py").write_text("", encoding="utf-8")
    before = json.loads(cli("status", "--fleet", "--json").stdout)
    cli("run", folder)

    assert before["projects"] == []
    assert [one["status"] for one in documents(share)] == ["interrupted", "success"]


def test_a_run_that_has_begun_is_seen(
    cli: Cli, make_project: MakeProject, share: Path
) -> None:
    """While it runs, by the file of its computer."""
    code = (
        "import glob, json, time\n"
        "while True:\n"
        "    found = glob.glob('../share/*/computer.json')\n"
        "    if found and (running := json.load(open(found[0]))['running']):\n"
        "        print(running[0]['project']); break\n"
        "    time.sleep(0.02)\n"
    )
    done = cli("run", make_project(sources={"main.py": code}, timeout=50))

    assert done.returncode == 0
    (own,) = share.glob("*/computer.json")
    assert json.loads(own.read_text("utf-8"))["running"] == []


@pytest.fixture
def computers(share: Path, tmp_path: Path) -> list[Computer]:
    """Return three computers: one failed, one is well, one gives no sign."""
    now = datetime.now(UTC)
    made = [Computer(share, tmp_path / f"home{n}") for n in range(3)]
    due = {"schedule": "0 6 * * *", "due": now + timedelta(hours=3)}
    recent = now - timedelta(hours=1)
    made[0].tell(ended(began=recent, exception="OSError: \x1b[31mno share"), **due)
    made[1].tell(ended(began=recent, project="stock"), **due)
    late = due | {"due": now - timedelta(hours=3)}
    made[2].tell(ended(began=now - timedelta(days=2), project="ventes"), **late)
    then = (now - timedelta(days=2)).timestamp()
    made[2].now = now - timedelta(days=2)
    made[2].tell()
    for file in (*made[2].files(), made[2].own / "computer.json"):
        os.utime(file, (then, then))
    return made


@pytest.mark.usefixtures("computers")
def test_the_digest_of_a_fleet_names_projects_and_computers(cli: Cli) -> None:
    """What failed and who is silent first, then what is well in one line."""
    done = cli("digest", "--fleet")
    first, _space, _heading, *lines = done.stdout.splitlines()

    assert (done.returncode, done.stderr) == (0, "")
    assert first.startswith(
        "1 of 3 projects failed, 1 did not run, 1 computer gives no sign: 2 runs since"
    )
    text = "\n".join(lines)
    assert re.search(r", \w+ +gives no sign +no sign since ", text)
    assert "ventes: due " in text
    assert re.search(r"paie \(.*\) +failed +1 +1 +a.py: OSError: no share", text)
    assert lines[-1].startswith("all well: stock (")
    assert "\x1b" not in done.stdout


@pytest.mark.usefixtures("computers")
def test_the_status_of_a_fleet_has_a_line_for_each_project(cli: Cli) -> None:
    """Failures first; the computer that is silent below."""
    done = cli("status", "--fleet")
    rows = [re.split(" {2,}", line) for line in done.stdout.splitlines()]

    assert done.returncode == 0
    assert rows[0][:3] == ["project", "computer", "status"]
    assert [(row[0], row[2]) for row in rows[1:4]] == [
        *(("paie", "failed"), ("ventes", "did not run"), ("stock", "succeeded"))
    ]
    assert "gives no sign: no sign since" in done.stdout


def test_programs_get_documents_of_a_fleet(
    cli: Cli, share: Path, computers: list[Computer]
) -> None:
    """In English, with the names of the folders; the files that could not be read."""
    (computers[1].own / "2026-01").mkdir()
    broken = computers[1].own / "2026-01" / computers[0].files()[0].name
    broken.write_text("{", encoding="utf-8")
    for command in ("digest", "status"):
        document = json.loads(cli(command, "--fleet", "--json", LANGUAGE="fr").stdout)
        names = [p["project"] for p in document["projects"]]
        standings = [p["standing"] for p in document["projects"]]

        assert document["fleet"] == str(share)
        assert names == ["paie", "ventes", "stock"]
        assert standings == ["failed", "silent", "well"]
        found = {c["folder"]: c for c in document["computers"]}
        assert [found[c.own.name]["silent"] for c in computers] == [False, False, True]
        assert [found[c.own.name]["projects"] for c in computers] == [1, 1, 1]
        (notice,) = document["notices"]
        assert notice.startswith("1 file of the fleet could not be read: ")


@pytest.mark.usefixtures("computers")
def test_the_digest_of_a_fleet_is_mailed_to_those_who_read_of_this_computer(
    cli: Cli, make_project: MakeProject, tmp_path: Path, mail_dir: Path
) -> None:
    """All of it to each; a digest of this computer alone is another one."""
    text = 'fleet = "share"\nprojects = ["project_1"]\n'
    (tmp_path / "python-runner.toml").write_text(text, encoding="utf-8")
    make_project(recipients=["ann@example.org"], email_strategy="failure_only")
    done = [cli("digest", "--fleet", "--mail"), cli("digest", "--mail")]
    again = cli("digest", "--fleet", "--mail")
    subjects = [mail["Subject"] for mail in mails(mail_dir)]

    assert [one.returncode for one in done] == [0, 0]
    assert len(subjects) == 2
    assert any("1 computer gives no sign" in subject for subject in subjects)
    assert "has been sent less than" in again.stderr


def test_a_share_that_is_away_is_told_by_mail_all_the_same(
    cli: Cli, make_project: MakeProject, share: Path, tmp_path: Path, mail_dir: Path
) -> None:
    """No mail means that the computer is off. The next one that can be read is whole."""
    text = 'fleet = "share"\nprojects = ["project_1"]\n'
    (tmp_path / "python-runner.toml").write_text(text, encoding="utf-8")
    make_project(recipients=["ann@example.org"], email_strategy="failure_only")
    share.rename(tmp_path / "away")
    done = [cli("digest", "--fleet", "--mail") for _ in range(2)]
    alone = cli("digest", "--fleet")
    (tmp_path / "away").rename(share)
    whole = cli("digest", "--fleet", "--mail")
    first, second = mails(mail_dir)

    assert [one.returncode for one in (*done, alone, whole)] == [2, 2, 2, 0]
    assert "share cannot be read" in done[0].stderr
    assert "the fleet's folder cannot be read (" in first["Subject"]
    body = first.get_body(("plain",))
    assert body is not None
    assert body.get_content().startswith("✖")
    assert str(share) in body.get_content()
    assert "cannot be read" not in second["Subject"]


@pytest.mark.parametrize(
    ("text", "arguments", "words"),
    [
        ("", ["digest", "--fleet"], "has no key `fleet`"),
        ('fleet = "x"', ["status", "--fleet"], "No such file or directory"),
        (
            'fleet = "share"',
            ["status", "--fleet", "p"],
            "--fleet is about all projects",
        ),
    ],
    ids=["no-key", "away", "project"],
)
def test_what_is_wrong_is_said(
    cli: Cli, tmp_path: Path, text: str, arguments: list[str], words: str
) -> None:
    """Exit code 2, and what to write."""
    (tmp_path / "python-runner.toml").write_text(text, encoding="utf-8")
    done = cli(*arguments)

    assert done.returncode == 2
    assert words in done.stderr


def test_a_fleet_without_computers_is_one_line(cli: Cli, share: Path) -> None:
    """It is new."""
    done = cli("status", "--fleet")
    assert done.stdout == f"No computer has written a run to {share} yet.\n"


def test_check_and_doctor_look_at_the_folder(
    cli: Cli, make_project: MakeProject, share: Path
) -> None:
    """Whether it is there and can be written to, and what waits."""
    folder = make_project()
    good = cli("check", folder), cli("doctor", "--json", folder)
    share.rmdir()
    cli("run", folder)
    bad = cli("check", folder), cli("doctor", "--json", folder)

    assert "python-runner.toml: fleet" not in good[0].stderr
    assert bad[0].returncode == 0
    assert "python-runner.toml: fleet: this computer cannot write to" in bad[0].stderr
    ids = [
        {f["id"] for f in json.loads(one[1].stdout)["findings"]} for one in (good, bad)
    ]
    assert "fleet.writable" in ids[0]
    assert {"fleet.unwritable", "fleet.waiting"} <= ids[1]
