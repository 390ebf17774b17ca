"""What ``run`` shows of events, in this process: on a terminal that is drawn, and in lines."""

from __future__ import annotations

import shlex
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.cli import wording
from python_runner.cli.live_lines import LiveLines
from python_runner.cli.progress import LiveView, PlainLines, told_of_stop
from python_runner.cli.run_summary import show_last_line
from python_runner.cli.streams import Stream
from python_runner.cli.wording import output_command
from python_runner.config.project import load_project
from python_runner.execution.exit_reasons import timeout_reason
from python_runner.execution.stop import StopRequest
from python_runner.model import Outcome, RunStatus
from python_runner.model.run import OUTCOME_WORDS
from python_runner.runner.events import (
    AttemptEnded,
    RunEnded,
    RunStarted,
    ScriptEnded,
    ScriptStarted,
)
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import Sentence
from tests.cli.test_streams import Device, attached, file_on
from tests.support import wait_until


if TYPE_CHECKING:
    from python_runner.cli.progress import Progress
    from python_runner.model import Project, Run, ScriptResult
    from tests.support import MakeProject, MakeResult, MakeRun

pyte = pytest.importorskip("pyte")
pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="a console there is asked for its mode"
)
RUN = "39be3d37aed64"
WHY = Sentence.of('{script} failed, and on_failure is "stop"', script="x")


class Terminal(Device):
    """A device that is a terminal of some columns and lines."""

    def isatty(self) -> bool:
        """Say that it is."""
        return True


@pytest.fixture(autouse=True)
def _size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "24")


def drawn(device: Device, columns: int = 80) -> list[str]:
    """Return the lines that a terminal shows that was written so."""
    screen = pyte.Screen(columns, 24)
    pyte.Stream(screen).feed(device.text.replace("\n", "\r\n"))
    lines = [line.rstrip() for line in screen.display]
    while lines and not lines[-1]:
        lines.pop()
    return lines


class Scene:
    """Tells a view of the runs of one project.

    Attributes:
        project: whose scripts are ``a.py``, ``b.py`` and ``c.py``, with two retries.
    """

    def __init__(self, project: Project, device: Device) -> None:
        self.project = project
        self.device = device
        self.stream = Stream(file_on(device))

    def start(self, view: Progress, place: int, attempt: int = 1) -> None:
        """Tell that an attempt of a script began."""
        script = self.project.scripts[place]
        event = ScriptStarted(
            run_id=RUN,
            project=self.project,
            script=script,
            number=place + 1,
            attempt=attempt,
            output=Path("x"),
        )
        view(event)

    def again(self, view: Progress, place: int, result: ScriptResult) -> None:
        """Tell that an attempt failed and the next one begins in six seconds."""
        event = AttemptEnded(
            run_id=RUN,
            project=self.project,
            script=self.project.scripts[place],
            number=place + 1,
            attempt=1,
            result=result.attempts[-1],
            wait=6.0,
        )
        view(event)

    def end(self, view: Progress, *results: ScriptResult) -> None:
        """Tell that scripts ended."""
        for result in results:
            view(ScriptEnded(project=self.project, result=result))

    def begin_run(self, view: Progress) -> None:
        """Tell that the run began."""
        view(RunStarted(run_id=RUN, project=self.project))

    def end_run(self, view: Progress, run: Run) -> None:
        """Tell that the run ended."""
        view(RunEnded(project=self.project, run=run))

    def shown(self) -> str:
        """Return what the terminal shows now, times left out."""
        self.stream.settle(10)
        return "\n".join(drawn(self.device))


@pytest.fixture
def scene(make_project: MakeProject) -> Scene:
    """Return a scene on a terminal."""
    sources = dict.fromkeys(("a.py", "b.py", "c.py"), "")
    folder = make_project("sales", sources, retries=2)
    return Scene(load_project(folder), Terminal())


def test_an_attempt_and_the_wait_for_the_next_are_visible(
    scene: Scene, make_result: MakeResult
) -> None:
    """Whoever looks sees why nothing happens; the timer goes on, the end says how many."""
    view = LiveView(scene.stream)
    failed = make_result("a.py", Outcome.FAILURE)
    with view:
        scene.begin_run(view)
        scene.start(view, 0)
        scene.again(view, 0, failed)
        wait_until(lambda: "next attempt in 6 s" in scene.shown())
        waiting = scene.shown()
        scene.start(view, 0, attempt=2)
        wait_until(lambda: "attempt 2 of 3" in scene.shown())
        scene.end(view, make_result("a.py", attempts=3))

    assert waiting.startswith("sales\n")
    assert scene.shown().endswith("8.4 s  a.py  3 attempts")


def test_plain_lines_tell_each_attempt_and_its_failure(
    scene: Scene, make_result: MakeResult
) -> None:
    """The reader of a log of a scheduler learns why it took so long."""
    view = PlainLines(scene.stream)
    scene.start(view, 0)
    scene.again(view, 0, make_result("a.py", Outcome.FAILURE))
    scene.start(view, 0, attempt=2)
    scene.end(view, make_result("a.py", attempts=2))

    assert scene.shown().splitlines() == [
        "sales: a.py: started",
        "sales: a.py: attempt 1 of 3 failed, next attempt in 6 s - KeyError: 'montant'",
        "sales: a.py: attempt 2 of 3",
        "sales: a.py: succeeded (8.4 s, 2 attempts)",
    ]


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize(
    ("outcome", "reason"),
    [
        (Outcome.TIMEOUT, timeout_reason(45)),
        (Outcome.STOPPED, Sentence.of("stopped together with its run")),
    ],
)
def test_an_outcome_is_said_once(
    make_result: MakeResult,
    monkeypatch: pytest.MonkeyPatch,
    outcome: Outcome,
    reason: Sentence,
    language: str,
) -> None:
    """A reason that has the word for the outcome does not stand beside that word."""
    monkeypatch.setenv("LANGUAGE", language)
    result = make_result("a.py", outcome, reason=reason, traceback=None)
    word, whole = wording.outcome_word(outcome), wording.say(reason)

    assert whole.startswith(word)
    assert wording.result_line("p", result).count(word) == 1
    assert f"{word} {wording.why_beside(result)}" == whole
    assert wording.outcome_and_why(result) == (whole, "")


@pytest.mark.parametrize("kind", [LiveView, PlainLines])
def test_what_was_skipped_for_one_reason_is_one_line(
    scene: Scene, make_result: MakeResult, make_run: MakeRun, kind: Any
) -> None:
    """Thirty scripts after a failed one are no wall, and the reason stands there once."""
    skipped = [
        make_result(f"s{n}.py", Outcome.SKIPPED, number=n, reason=WHY)
        for n in range(2, 32)
    ]
    failed = make_result("x", Outcome.FAILURE)
    view = kind(scene.stream)
    with view:
        scene.begin_run(view)
        scene.start(view, 0)
        scene.end(view, failed, *skipped)
        scene.end_run(view, make_run(failed, *skipped))

    shown = " ".join(scene.shown().split())
    assert "s2.py, s3.py, s4.py and 27 more" in shown
    assert shown.count("on_failure is") == 1
    assert "failed · 1 failed, 30 skipped · 2 min 13 s · run 39be3d3" in shown


@pytest.mark.parametrize("kind", [LiveView, PlainLines])
def test_a_stop_is_answered_at_once_and_told_in_one_line(
    scene: Scene, make_result: MakeResult, make_run: MakeRun, kind: Any
) -> None:
    """The first request says what a second one does; that one says so as well."""
    view, stop = kind(scene.stream), StopRequest()
    stopped = make_result("a.py", Outcome.STOPPED)
    rest = [make_result(n, Outcome.SKIPPED) for n in ("b.py", "c.py")]
    with view, told_of_stop(stop, view):
        scene.begin_run(view)
        scene.start(view, 0)
        stop.request()
        wait_until(lambda: "stopping 1 script, again to kill" in scene.shown())
        time.sleep(0.3)
        stop.request()
        wait_until(lambda: "killing 1 script" in scene.shown())
        scene.end(view, stopped, *rest)
        scene.end_run(view, make_run(stopped, *rest, status=RunStatus.STOPPED))

    shown = scene.shown()
    assert "2 skipped\n" in shown
    assert "stopped · 1 stopped, 2 skipped" in shown
    assert "b.py" not in shown
    assert shown.count("again to kill") == 1


@pytest.mark.parametrize("kind", [LiveView, PlainLines])
def test_a_skipped_run_is_one_line(
    scene: Scene, make_result: MakeResult, make_run: MakeRun, now: Any, kind: Any
) -> None:
    """Neither a heading nor a line for each script: nothing has happened."""
    since = f"{now:%Y-%m-%d} 20:56:17"
    reason = Sentence.of(
        "another run of the project has been active since {since}"
        " (run {run_id}, process {pid} on {host})",
        since=since,
        run_id="106ec332ed79b",
        pid=1,
        host="pc",
    )
    scripts = [make_result(n, Outcome.SKIPPED, reason=reason) for n in ("a.py", "b.py")]
    view = kind(scene.stream)
    with view:
        scene.begin_run(view)
        scene.end(view, *scripts)
        run = make_run(*scripts, status=RunStatus.SKIPPED, error=reason)
        scene.end_run(view, run)

    assert scene.shown() == (
        "project_1: skipped, already running since 20:56:17 (run 106ec33)"
    )


def test_names_of_projects_are_decided_once(
    scene: Scene, make_result: MakeResult, make_run: MakeRun
) -> None:
    """Beside others each line has its project's name, the last as well; none is above."""
    view = LiveView(scene.stream, mixed=True)
    good = make_result("a.py")
    with view:
        scene.begin_run(view)
        scene.start(view, 0)
        scene.end(view, good)
        scene.end_run(view, make_run(good))

    first, second = scene.shown().splitlines()
    assert first == "  ✓      8.4 s  sales: a.py"
    assert second.startswith("project_1: succeeded · 1 script")


def test_output_stands_above_what_moves(scene: Scene, make_result: MakeResult) -> None:
    """No line of a script is torn by the drawing, and its end repeats no exception."""
    view = LiveView(scene.stream, verbose=True)
    with view:
        scene.begin_run(view)
        scene.start(view, 0)
        for number in range(40):
            view.output(f"    a.py | line {number}\n")
        scene.end(view, make_result("a.py", Outcome.FAILURE))

    lines = scene.shown().splitlines()
    assert lines[-3:] == [
        "    a.py | line 38",
        "    a.py | line 39",
        "  ✗      8.4 s  a.py  failed",
    ]
    assert not [line for line in lines if ">" in line]


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
@pytest.mark.parametrize("names", [1, 30])
def test_what_moves_fits_any_terminal(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, columns: int, names: int
) -> None:
    """No line is wider and there are not more than fit: all are wiped at the end."""
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("LINES", "10")
    view = LiveView(scene.stream)
    with view:
        scene.begin_run(view)
        for number in range(names):
            event = ScriptStarted(
                run_id=RUN,
                project=scene.project,
                script=scene.project.scripts[0],
                number=number,
                attempt=2,
                output=Path("x"),
            )
            view(event)
        scene.stream.settle(10)
        moving = drawn(scene.device, columns)

    assert moving[0] == "sales"
    assert len(moving) <= 1 + 9
    scene.stream.settle(10)
    assert drawn(scene.device, columns) == ["sales"]


def test_lines_that_a_narrower_terminal_broke_are_wiped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A window that is made smaller while a script runs keeps no rest of it."""
    device = Terminal()
    stream = Stream(file_on(device))
    live = LiveLines(stream, lambda _columns, _rows: [[("x" * 60, None)]])
    live.print("first\n")
    monkeypatch.setenv("COLUMNS", "30")
    live.stop()
    stream.settle(10)

    assert "\x1b[2A" in device.text


@pytest.mark.parametrize(
    ("variables", "terminal", "coloured"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, True, False),
        ({"FORCE_COLOR": ""}, True, True),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"TERM": "dumb"}, True, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True, True),
    ],
)
def test_who_decides_about_colours(
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    terminal: bool,
    coloured: bool,
) -> None:
    """NO_COLOR first, then FORCE_COLOR, then what the stream is."""
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    device = Terminal() if terminal else Device()

    assert Stream(file_on(device)).coloured is coloured


LAST = {
    "en": "3 projects · 1 succeeded, 2 failed · 16.5 s",
    "fr": "3 projets · 1 réussi, 2 en échec · 16,5\u202fs",
}


@pytest.mark.parametrize("language", LAST)
def test_several_projects_have_one_last_line(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, language: str
) -> None:
    """How it all went is what stands last on the screen."""
    monkeypatch.setenv("LANGUAGE", language)
    good = make_run(status=RunStatus.SUCCESS)
    bad = make_run(status=RunStatus.FAILURE)
    device = Device()
    with attached(file_on(device)):
        show_last_line([good, bad, bad], 16.5, err=False)
        show_last_line([bad], 16.5, err=False)

    assert device.text.split("\n") == ["", LAST[language], ""]


@pytest.mark.parametrize(
    ("statuses", "colour"),
    [
        ("success success", "green"),
        ("success skipped", "yellow"),
        ("success stopped", "yellow"),
        ("stopped failure", "red"),
        ("success not_started", "red"),
        ("interrupted success", "red"),
    ],
)
def test_the_last_line_has_the_colour_of_the_worst(
    make_run: MakeRun, statuses: str, colour: str
) -> None:
    """Green is what nobody has to look at."""
    codes = {"green": "\x1b[32m", "yellow": "\x1b[33m", "red": "\x1b[31m"}
    device = Terminal()
    with attached(file_on(device)):
        runs = [make_run(status=RunStatus(word)) for word in statuses.split()]
        show_last_line(runs, 1.0, err=False)

    assert codes[colour] in device.text


@pytest.mark.parametrize("value", OUTCOME_WORDS)
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("language", ["en", "fr"])
def test_every_outcome_can_be_counted(
    monkeypatch: pytest.MonkeyPatch, value: str, count: int, language: str
) -> None:
    """Each has its words, in both languages."""
    monkeypatch.setenv("LANGUAGE", language)

    words = wording.counted(value, count)

    assert words.startswith(f"{count} ")
    assert "_" not in words


@pytest.mark.parametrize(
    "name",
    ["a.py", "a b.py", "it's.py", 'say "x".py', "$HOME.py", "a;b.py", "sub/é.py", "-v"],
)
def test_the_command_that_shows_an_output_can_be_pasted(name: str) -> None:
    """The shell reads the name as it is, and the command takes it for no option."""
    words = shlex.split(output_command("39be3d3", name, Path("my env")))

    start = words.index("output")
    assert words[start:][:4] == ["output", "--env-file", "my env", "39be3d3"]
    assert words[-1] == name
    assert ("--" in words) is name.startswith("-")


def test_a_name_that_nobody_can_type_is_left_out() -> None:
    """The command shows the output of every script instead."""
    assert output_command("39be3d3", "a\x1b]0;x\x07\n.py").endswith("output 39be3d3")


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (5.6, "6 s"), (60, "1 min"), (133, "2 min 13 s"), (3600, "1 h")],
)
def test_a_wait_has_no_decimals(seconds: float, words: str) -> None:
    """A countdown that says tenths is not read."""
    assert Formats("en").whole_duration(seconds) == words
