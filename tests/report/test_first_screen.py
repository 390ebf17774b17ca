"""The first screen of a report says what failed and why, in both parts."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import (
    Comparison,
    EmailStrategy,
    Outcome,
    RunStatus,
    Streak,
    Traceback,
)
from python_runner.report.context import ReportContext
from python_runner.report.render import Report, render
from python_runner.texts.sentence import Sentence
from python_runner.version import __version__
from tests.support import NOW


if TYPE_CHECKING:
    from collections.abc import Sequence

    from python_runner.model import Run, ScriptResult
    from tests.support import MakeResult, MakeRun

ENGLISH = ReportContext(
    strategy=EmailStrategy.ALL, language="en", host="PC-7", command="python-runner"
)
JSON_ERROR = "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
#: Names and messages as they come: long, accented, wide, and those of Windows.
NAMES = (
    "transform.py",
    "export_clients_vers_excel_et_envoi_aux_agences_régionales_version_2.py",
    "sous dossier/été_ÀÉ.py",
    "集計_売上.py",
)
MESSAGES = (
    JSON_ERROR,
    "KeyError: 'amount'",
    r"FileNotFoundError: [Errno 2] No such file or directory: 'C:\\Users\\x\\a.xlsx'",
    "ValueError: 請求書の金額がありません",
    "OperationalError: " + "connection to server failed " * 15,
)


def failed(make_result: MakeResult, name: str, message: str, **options: Any) -> Any:
    """Return a script that an exception has ended."""
    text = (
        "Traceback (most recent call last):\n"
        f'  File "/p/{name}", line 7, in load\n    read()\n    ~~~~^^\n{message}'
    )
    traceback = Traceback(
        text=text, exception=message, file=name, line=7, function="load"
    )
    reason = Sentence.of("exit code {code}", code=1)
    return make_result(
        name, Outcome.FAILURE, traceback=traceback, reason=reason, **options
    )


def series(
    make_result: MakeResult, count: int, bad: Sequence[int], **options: Any
) -> list[ScriptResult]:
    """Return ``count`` results; those whose number is in ``bad`` have failed."""
    return [
        failed(make_result, f"job_{n:02}.py", "KeyError: 'a'", number=n, **options)
        if n in bad
        else make_result(f"job_{n:02}.py", number=n)
        for n in range(1, count + 1)
    ]


def bodies(report: Report) -> tuple[str, str]:
    """Return both parts as people read them, the preview of the page left out."""
    assert report.html
    page = report.html.partition("<body")[2].partition("</span>")[2]
    page = re.sub(r"<br>|</p>|</tr>|</h[12]>", "\n", page)
    page = unescape(re.sub(r"<[^>]*>", "", page)).replace("\xa0", " ")
    return report.text, page


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("message", MESSAGES, ids=lambda text: text[:12])
@pytest.mark.parametrize(("count", "place"), [(1, 1), (3, 2), (30, 17)])
def test_the_cause_stands_before_any_success(
    *,
    name: str,
    message: str,
    count: int,
    place: int,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """Sentence at the top, then the row of the failure, then everything else."""
    results = series(make_result, count, ())
    results[place - 1] = failed(make_result, name, message, number=place)
    report = render(make_run(*results), ENGLISH)

    cause = message.removeprefix("json.decoder.")[:40]
    ends = name[:25], name[-25:]
    for body in bodies(report):
        top = body.partition("\n\n")[0] if body is report.text else body
        assert top.index("✖ Failed: ") < top.index(ends[0]) < top.index(cause)
        assert top.index(ends[1]) < top.index(" — ") < top.index(cause)
        good = body.find("✔")
        assert (good >= 0) == (count > 1)
        if count > 1:
            row = body.index(f"✖ {name}")
            assert body.index(cause) < row < body.index(cause, row) < good
    preview = unescape(report.html.partition("mso-hide:all")[2][2:200])
    assert preview.startswith(cause)


@pytest.mark.parametrize(
    ("count", "bad", "counts", "fold"),
    [
        (1, [1], "1 script", ""),
        (3, [2], "1 of 3 scripts failed", ""),
        (6, [1], "1 of 6 scripts failed", ""),
        (7, [7], "1 of 7 scripts failed", "✔ 6 others succeeded"),
        (30, [17], "1 of 30 scripts failed", "✔ 29 others succeeded"),
        (30, range(1, 13), "12 of 30 scripts failed", "✔ 18 others succeeded"),
        (12, range(1, 13), "12 scripts failed", ""),
    ],
)
def test_many_successes_are_one_line(
    *,
    count: int,
    bad: Sequence[int],
    counts: str,
    fold: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """Beyond five they are counted; their names and durations stand at the end."""
    report = render(make_run(*series(make_result, count, bad)), ENGLISH)

    for body in bodies(report):
        assert counts in body
        assert fold in body
        assert ("others succeeded" in body) == bool(fold)
        rows = re.findall(r"([✖✔]) (job_\d\d\.py)", body)
        marks = "".join(mark for mark, _name in rows)[: len(bad) + 5]
        shown = 0 if fold else count - len(bad)
        assert marks.startswith("✖" * len(bad) + "✔" * shown)
        for n in {*range(1, count + 1)} - {*bad}:
            assert f"job_{n:02}.py" in body
        if fold:
            assert body.index(fold) < body.index("Succeeded:")


def test_successes_with_something_to_tell_keep_their_rows(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """One that took too long, was repeated, warned or works again is not folded."""
    results = series(make_result, 20, ())
    results[3] = make_result("warns.py", number=4, warnings=(Sentence.of("odd"),))
    results[9] = make_result("twice.py", number=10, attempts=2)
    results[14] = make_result("job_15.py", number=15, unusual=(Sentence.of("odd"),))
    again = Comparison(recovered=Streak(count=1, since=NOW))
    context = replace(ENGLISH, comparisons={"job_18.py": again})
    for body in bodies(render(make_run(*results), context)):
        for name in ("warns.py", "twice.py", "job_18.py"):
            assert f"✔ {name}" in body
        assert "▲ job_15.py" in body
        assert "✔ job_01.py" not in body
        assert "16 others succeeded" in body


def test_scripts_skipped_for_one_reason_are_one_line(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """A failure at the beginning makes no list of what did not begin."""
    why = Sentence.of("it needs {script}", script="a.py")
    results = [failed(make_result, "a.py", "KeyError: 'a'")]
    results += [
        make_result(f"job_{n:02}.py", Outcome.SKIPPED, number=n, reason=why)
        for n in range(2, 30)
    ]
    for body in bodies(render(make_run(*results), ENGLISH)):
        assert "1 of 29 scripts failed, 28 skipped" in body
        assert "○ 28 others skipped\nit needs a.py" in re.sub(" +\n| {2,}", "", body)
        assert body.count("it needs a.py") == 1


@pytest.mark.parametrize(
    ("status", "outcome", "title"),
    [
        (RunStatus.STOPPED, Outcome.STOPPED, "✖ Stopped: b.py — why it ended"),
        (
            RunStatus.INTERRUPTED,
            Outcome.INTERRUPTED,
            "✖ Interrupted: b.py — why it ended",
        ),
        (RunStatus.FAILURE, Outcome.TIMEOUT, "✖ Failed: b.py — why it ended"),
        (RunStatus.SKIPPED, Outcome.SKIPPED, "○ Skipped — why it ended"),
        (RunStatus.NOT_STARTED, Outcome.NOT_STARTED, "✖ Not started — why it ended"),
    ],
)
def test_every_end_of_a_run_has_its_sentence(
    *,
    status: RunStatus,
    outcome: Outcome,
    title: str,
    make_result: MakeResult,
    make_run: MakeRun,
) -> None:
    """Whatever happened, the first line says what and why, and nothing says it thrice."""
    why = Sentence.of("why it ended")
    never = status in {RunStatus.SKIPPED, RunStatus.NOT_STARTED}
    first = make_result("a.py", outcome, reason=why) if never else make_result("a.py")
    run = make_run(
        first,
        make_result("b.py", outcome, number=2, reason=why),
        status=status,
        error=why if never else None,
    )
    for body in bodies(render(run, ENGLISH)):
        assert body.strip().startswith(title)
        assert body.count("why it ended") == (1 if never else 2)
        assert ("Duration" in body) != never


def test_a_recovery_begins_with_what_works_again(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Since when it did not is the sentence's end; its row stands first."""
    run = make_run(make_result("a.py"), make_result("b.py", number=2))
    again = Comparison(recovered=Streak(count=3, since=None))
    for body in bodies(render(run, replace(ENGLISH, comparisons={"b.py": again}))):
        assert body.strip().startswith(
            "✔ Recovered: b.py — recovered after 3+ failures"
        )
        assert body.index("✔ b.py") < body.index("✔ a.py")


def test_start_duration_and_computer_stand_at_the_top_of_both_parts(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Two offices share a robot: the start has its zone. The product signs."""
    for body in bodies(render(make_run(*series(make_result, 3, [2])), ENGLISH)):
        start = re.search(
            r"Start: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \(UTC([+-]\d\d:\d\d)?\)", body
        )
        assert start
        places = [
            body.index(part) for part in ("Start: ", "Duration: ", "Computer: PC-7")
        ]
        assert places == sorted(places)
        assert places[-1] < body.index("✖ job_02.py")
        assert body.strip().endswith(f"Python Runner {__version__}")


@pytest.mark.parametrize("message", [m for m in MESSAGES if len(m) > 120])
def test_a_long_message_is_printed_whole_once(
    message: str, make_result: MakeResult, make_run: MakeRun
) -> None:
    """The top and the row have its beginning, the traceback has all of it."""
    results = [failed(make_result, "a.py", message), make_result("b.py", number=2)]
    tail = results[0].last_traceback.text
    context = replace(ENGLISH, tails={"a.py": f"begins\n{tail}\n"})
    for body in bodies(render(make_run(*results), context)):
        assert " ".join(body.split()).count(message.strip()) == 1
        assert body.count(message[:100]) == 4


def test_what_says_nothing_is_left_out(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """No exit code of every exception, no bare "new", no carets, of the output neither."""
    result = failed(make_result, "a.py", "KeyError: 'a'")
    tail = (
        "begins\n"
        + result.last_traceback.text.replace("KeyError", "OldError")
        + "\nends"
    )
    context = replace(
        ENGLISH, tails={"a.py": tail}, comparisons={"a.py": Comparison(new=True)}
    )
    report = render(make_run(result, make_result("b.py", number=2)), context)

    for body in bodies(report):
        assert "exit code" not in body
        assert "~~^" not in body
        assert re.findall(r"new(?! error)", body) == []
        assert "OldError" in body
    assert "new" not in report.subject
    coded = replace(
        result,
        reason=Sentence.of("exit code {code}", code=3),
        attempts=(replace(result.attempts[0], exit_code=3),),
    )
    assert "exit code 3" in render(make_run(coded), ENGLISH).text


@pytest.mark.parametrize(
    ("path", "platform", "shown"),
    [
        (PurePosixPath("/srv/sales"), "linux", "/srv/sales"),
        (PurePosixPath("/srv/it's $5"), "linux", "'/srv/it'\"'\"'s $5'"),
        (PurePosixPath("/srv/été 1"), "linux", "'/srv/été 1'"),
        (PureWindowsPath(r"C:\Scripts\p"), "win32", r"C:\Scripts\p"),
        (PureWindowsPath(r"C:\Mes scripts\p&q"), "win32", r'"C:\Mes scripts\p&q"'),
    ],
)
def test_what_to_do_next_can_be_pasted(
    *,
    path: Any,
    platform: str,
    shown: str,
    make_result: MakeResult,
    make_run: MakeRun,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The folder is quoted as the shells of the platform want it; a success asks nothing."""
    monkeypatch.setattr("sys.platform", platform)

    def told(run: Run) -> list[str]:
        found = [
            re.findall(r"^ *(python-runner .*)$", body, re.MULTILINE)
            for body in bodies(render(replace(run, path=path), ENGLISH))
        ]
        assert found[0] == found[1]
        return found[0]

    bad, good = failed(make_result, "a.py", "KeyError: 'a'"), make_result("a.py")
    assert told(make_run(bad)) == [f"python-runner run --resume {shown}"]
    refused = make_run(status=RunStatus.NOT_STARTED, error=Sentence.of("wrong"))
    assert told(refused) == [f"python-runner check {shown}"]
    assert told(make_run(good)) == []


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("others", [0, 1])
def test_a_reason_with_the_outcome_in_it_stands_for_both(
    *, language: str, others: int, make_result: MakeResult, make_run: MakeRun
) -> None:
    """``timed out after 45 s`` follows no ``timed out``, in row, details or sentence."""
    reason = Sentence.of("timed out after {limit}", limit="45 s")
    late = make_result("late.py", Outcome.TIMEOUT, reason=reason)
    results = [late, *(make_result(f"{n}.py", number=2 + n) for n in range(others))]
    context = replace(ENGLISH, language=language, tails={"late.py": "begins"})
    report = render(make_run(*results), context)

    words = {"en": "timed out after 45 s", "fr": "délai dépassé après 45 s"}[language]
    word = words.partition(" a")[0]
    for body in bodies(report):
        # The sentence at the top, the row and the heading of the details.
        assert body.count(words) == 3
        told = body.count(word) - 3
        assert told == others, "only the counts of several scripts say it as well"
        assert "45 s, " not in body


@pytest.mark.parametrize("status", [RunStatus.STOPPED, RunStatus.INTERRUPTED])
def test_a_title_and_its_cause_say_different_things(
    status: RunStatus, make_result: MakeResult, make_run: MakeRun
) -> None:
    """What the status says is no cause."""
    reason = Sentence.of(f"{status.word} together with its run")
    result = make_result("a.py", Outcome(status.value), reason=reason)
    report = render(make_run(result, status=status), ENGLISH)

    top = report.text.partition("\n")[0]
    assert top == f"✖ {status.word.capitalize()}: a.py"


def test_scripts_skipped_for_one_reason_share_one_row(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The reason is said once, and a few of them are named."""
    reason = Sentence.of('a.py failed, and on_failure is "stop"')
    skipped = [
        make_result(f"{name}.py", Outcome.SKIPPED, number=number, reason=reason)
        for number, name in enumerate("bcd", 2)
    ]
    first = failed(make_result, "a.py", "KeyError: 'a'")
    report = render(make_run(first, *skipped), ENGLISH)

    for body in bodies(report):
        assert body.count("on_failure") == 1
        assert "○ b.py, c.py, d.py skipped" in body


def test_that_an_error_is_new_is_no_reason_for_details(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """A row with exit code 3 has said all; what a script wrote is a reason for them."""
    reason = Sentence.of("exit code {code}", code=3)
    results = [
        make_result(
            f"{name}.py",
            Outcome.FAILURE,
            number=number,
            reason=reason,
            traceback=Traceback(text="", exception=None),
        )
        for number, name in enumerate("abc", 1)
    ]
    context = replace(
        ENGLISH,
        tails={"a.py": "", "b.py": "", "c.py": "wrote"},
        comparisons={f"{name}.py": Comparison(new=True) for name in "abc"},
    )
    for body in bodies(render(make_run(*results), context)):
        assert [body.count(f"✖ {name}.py") for name in "abc"] == [1, 1, 2]
        assert body.count("new error") == 2, "at the top, and in the details"
