from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.due_times import expression_problem
from python_runner.scheduling import crontab
from python_runner.scheduling.cron import Cron
from python_runner.scheduling.entries import Job, Purpose, SchedulerError
from tests.scheduling.hostile import EXPRESSIONS, NAMES, expressions
from tests.servers.schedulers import program
from tests.support import examples


pytestmark = pytest.mark.posix


def job(
    name: str = "p", expression: str = "0 6 * * *", command: str = "/bin/python-runner"
) -> Job:
    """Return a job whose folders all have a name."""
    project = Path(f"/srv/{name}/project")
    return Job(
        purpose=Purpose.RUN,
        project=project,
        expression=expression,
        command=(command, "run", "--quiet", str(project)),
        folder=Path(f"/srv/{name}"),
        variables={"PYTHON_RUNNER_HOME": f"/srv/{name}/home"},
    )


def given_to_shell(line: str) -> str:
    """Return what cron gives to the shell: what stands before an unprotected ``%``."""
    command = line.split(None, 5)[5]
    told, escaped = "", False
    for character in command:
        if character == "%" and escaped:
            told = told[:-1]
        elif character == "%":
            break
        told += character
        escaped = character == "\\" and not escaped
    return told


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_any_name_comes_back_from_a_line(name: str) -> None:
    """Blanks, quotes, per cent signs: what is written is what is read."""
    wanted = job(name)
    (line,) = crontab.lines_of(crontab.changed("", [wanted], ()))
    assert line.job == wanted
    assert line.key == wanted.key


@pytest.mark.slow
def test_the_shell_starts_what_is_meant(tmp_path: Path) -> None:
    """Cron and the shell both read the line; the program gets its arguments whole."""
    for name in NAMES:
        folder = tmp_path / name
        folder.mkdir()
        command = folder / "python-runner"
        program(
            command,
            f"#!{sys.executable}\nimport os, sys\n"
            "print(os.getcwd(), os.environ['PYTHON_RUNNER_HOME'], *sys.argv[1:], sep='\\n')",
        )
        wanted = Job(
            purpose=Purpose.RUN,
            project=folder,
            expression="0 6 * * *",
            command=(str(command), "run", str(folder)),
            folder=folder,
            variables={"PYTHON_RUNNER_HOME": str(folder)},
        )
        done = subprocess.run(
            ["/bin/sh", "-c", given_to_shell(crontab.entry_line(wanted))],
            capture_output=True,
            check=False,
        )
        told = os.fsdecode(done.stdout).splitlines()
        assert told == [str(folder), str(folder), "run", str(folder)], done.stderr


texts = st.lists(
    st.one_of(
        st.sampled_from(
            [
                *(
                    "# a comment",
                    "MAILTO=ann@example.org",
                    "",
                    "0 1 * * * backup 100\\%",
                ),
                *(
                    "@reboot true",
                    "  5 4 * * sun  date > /tmp/x%in put",
                    "\tx",
                    "\x0cy",
                ),
                *("# python-runner: mine", "0 6 * * * echo '# python-runner:zz'"),
                "0 7 * * * /opt/python-runner run /srv/other",
            ]
        ),
        st.text(st.characters(exclude_characters="\n", codec="utf-8"), max_size=20),
    ),
    max_size=6,
).map(lambda lines: "".join(f"{line}\n" for line in lines))


@examples(40)
@given(texts, texts)
def test_no_line_of_others_is_touched(before: str, after: str) -> None:
    """Whatever a crontab holds: all of it is there afterwards, byte by byte."""
    mine = job()
    both = before + crontab.entry_line(job(expression="1 1 * * *")) + "\n" + after
    changed = crontab.changed(both, [mine], ())
    assert changed == before + crontab.entry_line(mine) + "\n" + after
    assert crontab.changed(changed, [mine], ()) == changed
    assert crontab.changed(changed, (), {mine.key}) == before + after


def test_a_line_that_a_person_has_edited_stays_ours() -> None:
    """It is found when it was moved, changed, doubled or switched off."""
    mine = job()
    line = crontab.entry_line(mine)
    edited = f"#{line}\n# note\n{line.replace('0 6', '30 7')}\n0 1 * * * true"
    off, moved = crontab.lines_of(edited)
    assert not off.enabled
    assert (moved.enabled, moved.job.expression) == (True, "30 7 * * *")
    assert crontab.changed(edited, [mine], ()) == f"{line}\n# note\n0 1 * * * true\n"


@pytest.mark.parametrize(
    ("line", "project", "expression"),
    [
        ("0 6 * * * /v/bin/python-runner run /srv/p", "/srv/p", "0 6 * * *"),
        (
            "@daily cd /srv && v/bin/python -m python_runner run p",
            "/srv/p",
            "0 0 * * *",
        ),
        (
            "0 6 * * * cd /srv; python-runner run -q --jobs 2 p >/dev/null",
            "/srv/p",
            "0 6 * * *",
        ),
        (
            "0 6 * * * A=1 python-runner run --env-file e /srv/p 2>&1",
            "/srv/p",
            "0 6 * * *",
        ),
        ("0 6 * * * cd /srv && python-runner run", None, "0 6 * * *"),
        *(
            (f"0 6 * * * {command}", "/srv/p", "0 6 * * *")
            for command in (
                "cd /srv&&python-runner run p>>log 2>&1",
                "cd /srv; python-runner run p > /dev/null 2> /dev/null",
                "python-runner run /srv/p &> log # every morning",
                "python-runner run < /dev/null /srv/p | logger -t run",
                "(cd /srv; python-runner run p)",
            )
        ),
        ("0 6 * * * python-runner run '/srv/a;' ; true", "/srv/a;", "0 6 * * *"),
    ],
)
def test_a_line_made_by_hand_is_understood(
    line: str, project: str | None, expression: str
) -> None:
    """What a person has written counts, and is never taken for ours."""
    (found,) = crontab.lines_of(f"{line}\n")
    assert found.key is None
    assert found.job.project == (Path(project) if project else None)
    assert found.job.expression == expression


@pytest.mark.parametrize(
    "command",
    [
        "tar czf /backup/all.tgz /srv/python-runner",
        "rsync -a python-runner /backup",
        "cd /srv/python-runner && make",
        "rm -rf /tmp/python-runner --one-file-system",
    ],
)
def test_a_folder_of_our_name_is_no_program(command: str) -> None:
    """Another program may be about it."""
    assert crontab.lines_of(f"0 6 * * * {command}\n") == []


@pytest.mark.parametrize(
    ("told", "is_empty"),
    [
        ("no crontab for ann", True),
        ("crontab: can't open 'ann': No such file or directory", True),
        ("You (ann) are not allowed to use this program (crontab)", False),
    ],
)
def test_who_has_no_crontab_has_no_entry(
    programs: Path, told: str, is_empty: bool
) -> None:
    """Debian's program and BusyBox' say it differently; a refusal is none of it."""
    program(programs / "crontab", f'#!/bin/sh\necho "{told}" >&2\nexit 1\n')
    if is_empty:
        assert Cron().entries() == ()
    else:
        with pytest.raises(SchedulerError):
            Cron().entries()


def test_an_entry_that_catches_up_is_no_second_run() -> None:
    """The page tells people to add one."""
    text = "@reboot cd /srv && python-runner run --if-missed p\n"
    (found,) = crontab.lines_of(text)
    assert found.job.purpose is Purpose.CATCH_UP
    assert found.job.project == Path("/srv/p")


@pytest.mark.parametrize(
    "expression",
    ["0 6 L * *", "0 6 LW * *", "0 6 * * 5L", "0 6 * * 1#2", "0 6 * * fri#1"],
)
def test_what_cron_does_not_know_is_refused(expression: str) -> None:
    """Debian's cron has neither ends of months nor the nth day of a week."""
    assert "cron does not know" in str(crontab.line_problem(job(expression=expression)))


@pytest.mark.parametrize("expression", ["0 6 * jul wed", "0 6 * JUL 3", "5/15 * * * *"])
def test_names_of_days_and_months_are_no_such_signs(expression: str) -> None:
    """The L of July and the W of Wednesday mean nothing else."""
    assert crontab.line_problem(job(expression=expression)) is None


def test_a_path_that_no_line_can_hold_is_refused() -> None:
    """A line break ends the line; a command has 998 bytes at most."""
    assert "cannot contain" in str(crontab.line_problem(job("a\nb")))
    assert "998" in str(crontab.line_problem(job("x" * 400)))


@pytest.mark.slow
def test_the_real_cron_takes_every_line(crontab: Path) -> None:
    """Expressions of all kinds, hostile names, the longest command: crontab checks all."""
    cron = Cron()
    assert cron.unavailable() is None
    assert cron.entries() == ()
    jobs = [job(name) for name in NAMES]
    jobs += [
        job(f"e{number}", expression)
        for number, expression in enumerate((*EXPRESSIONS, "5/15 2/7 3/4 * 1/2"))
        if cron.problem(job(expression=expression)) is None
    ]
    length = next(n for n in range(300, 0, -1) if cron.problem(job("x" * n)) is None)
    jobs.append(job("x" * length))

    cron.change(jobs, ())

    assert {entry.job.key for entry in cron.entries()} == {j.key for j in jobs}
    assert all(entry.own and entry.enabled for entry in cron.entries())
    cron.change((), cron.entries())
    assert not crontab.exists()


@pytest.mark.slow
def test_the_real_cron_takes_any_expression(crontab: Path) -> None:
    """Each expression that is right and that cron knows is one that it accepts."""
    cron = Cron()
    jobs: list[Job] = []

    @given(expressions())
    def collect(expression: str) -> None:
        wanted = job(f"e{len(jobs)}", expression)
        if expression_problem(expression) is None and cron.problem(wanted) is None:
            jobs.append(wanted)

    collect()
    cron.change(jobs, ())
    assert len(cron.entries()) == len(jobs) > 10
    assert crontab.exists()
