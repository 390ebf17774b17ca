"""What changed since a script last succeeded, in words and in the report of its failure."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from python_runner.model import EmailStrategy, Outcome
from python_runner.model.differences import (
    Aspect,
    Difference,
    Differences,
    SourceDiff,
)
from python_runner.report.context import ReportContext
from python_runner.report.differences import view_differences
from python_runner.report.render import HTML_BYTES, Report, render
from python_runner.source_diff import short_diff
from python_runner.texts.formats import Formats
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from tests.support import MakeResult, MakeRun

pytestmark = pytest.mark.portable("reports are made alike everywhere")

#: Six o'clock, wherever the tests run.
MONDAY = datetime(2026, 11, 16, 6, 0).astimezone()
EN, FR = Formats("en"), Formats("fr")


def since(*found: Difference) -> Differences:
    """Return what changed since Monday."""
    return Differences(run_id="0123456789abc", since=MONDAY, found=found)


def file(
    name: str, before: str | None = "1", after: str | None = "2", **more: Any
) -> Difference:
    """Return what became of a file."""
    return Difference(aspect=Aspect.FILE, name=name, before=before, after=after, **more)


def package(name: str, before: str | None, after: str | None) -> Difference:
    """Return what became of a package."""
    return Difference(aspect=Aspect.PACKAGE, name=name, before=before, after=after)


def other(aspect: Aspect, before: Any, after: Any, name: str = "") -> Difference:
    """Return what became of anything else."""
    return Difference(aspect=aspect, name=name, before=before, after=after)


NOTE = SourceDiff(note=Sentence.of("only the line ends differ"))


@pytest.mark.parametrize(
    ("found", "english", "french"),
    [
        (
            (),
            ["Nothing that is recorded changed."],
            ["Rien de ce qui est enregistré n'a changé."],
        ),
        (
            (file("main.py"), file("lib/a.py"), file("b.py", after=None)),
            [
                "Files changed: main.py, lib/a.py",
                "Files no longer used: b.py",
            ],
            [
                "Fichiers modifiés : main.py, lib/a.py",
                "Fichiers qui ne sont plus utilisés : b.py",
            ],
        ),
        (
            (file("main.py", diff=NOTE),),
            ["Files changed: main.py", "main.py: only the line ends differ"],
            [
                "Fichiers modifiés : main.py",
                "main.py : seules les fins de ligne diffèrent",
            ],
        ),
        (
            tuple(file(f"{n}.py", before=None) for n in range(18)),
            ["Files added: 0.py, 1.py, 2.py, 3.py, 4.py, 5.py and 12 others"],
            ["Fichiers ajoutés : 0.py, 1.py, 2.py, 3.py, 4.py, 5.py et 12 autres"],
        ),
        (
            (
                package("pandas", "2.1.0", "2.2.0"),
                package("requests", "2.31", None),
                package("httpx", None, "0.27"),
            ),
            [
                "Packages changed: pandas 2.1.0 → 2.2.0",
                "Packages removed: requests 2.31",
                "Packages added: httpx 0.27",
            ],
            [
                "Paquets modifiés : pandas 2.1.0 → 2.2.0",
                "Paquets supprimés : requests 2.31",
                "Paquets ajoutés : httpx 0.27",
            ],
        ),
        (
            (other(Aspect.PACKAGES, "f1", "f2"),),
            ["Packages: not the same ones"],
            ["Paquets : pas les mêmes"],
        ),
        (
            (
                other(Aspect.PYTHON, "3.11.9", "3.12.1"),
                other(Aspect.INTERPRETER, "/a/python", "/b/python"),
                other(Aspect.COMPUTER, "PC-3", "PC-7"),
                other(Aspect.ACCOUNT, "anna", "SYSTEM"),
                other(Aspect.VARIABLE, "DB", None, "DB"),
                other(Aspect.VARIABLE, None, "TZ", "TZ"),
                other(Aspect.DURATION, 720.0, 0.2),
                other(Aspect.OUTPUT, 48_000, 0),
            ),
            [
                "Python: 3.11.9 → 3.12.1",
                "Interpreter: /a/python → /b/python",
                "Computer: PC-3 → PC-7",
                "Account: anna → SYSTEM",
                "Variables removed: DB",
                "Variables added: TZ",
                "Duration: 12 min → 0.20 s",
                "Size of the output: 48 kB → 0 B",
            ],
            [
                "Python : 3.11.9 → 3.12.1",
                "Interpréteur : /a/python → /b/python",
                "Ordinateur : PC-3 → PC-7",
                "Compte : anna → SYSTEM",
                "Variables supprimées : DB",
                "Variables ajoutées : TZ",
                "Durée : 12 min → 0,20 s",
                "Taille de la sortie : 48 ko → 0 o",
            ],
        ),
        (
            (other(Aspect.DURATION, 720.0, 0.2),),
            ["Duration: 12 min → 0.20 s", "Nothing else that is recorded changed."],
            [
                "Durée : 12 min → 0,20 s",
                "Rien d'autre de ce qui est enregistré n'a changé.",
            ],
        ),
    ],
)
def test_what_changed_is_said_in_words(
    found: tuple[Difference, ...], english: list[str], french: list[str]
) -> None:
    """Each kind of thing in a line of its own; of many the first ones and a number."""

    def plain(lines: tuple[str, ...]) -> list[str]:
        return [re.sub("[\u00a0\u202f]", " ", line) for line in lines]

    assert plain(view_differences(since(*found), EN).lines) == english
    assert plain(view_differences(since(*found), FR).lines) == french


def test_the_title_says_since_when() -> None:
    """In the reader's order of a date."""
    english, french = (view_differences(since(), formats) for formats in (EN, FR))

    assert english.title == "What changed since it last succeeded (2026-11-16 06:00)"
    assert (
        french.title == "Ce qui a changé depuis sa dernière réussite (16/11/2026 06:00)"
    )


HOSTILE = "</td><script>alert(1)</script>\n{{ 7*7 }} \x1b[31mred\r\n\u202e"


def test_hostile_names_are_one_short_line_each() -> None:
    """Whatever files, packages and computers are called."""
    view = view_differences(
        since(
            file(HOSTILE * 40),
            package(HOSTILE * 40, HOSTILE * 40, HOSTILE * 40),
            other(Aspect.COMPUTER, HOSTILE * 40, HOSTILE * 40),
            other(Aspect.VARIABLE, None, HOSTILE, HOSTILE),
        ),
        EN,
    )
    for line in view.lines:
        assert len(line) < 500
        assert not re.search("[\x00-\x1f\u202e]", line)


# The report of a run.


def rendered(
    make_result: MakeResult, make_run: MakeRun, names: list[str], **options: Any
) -> Report:
    """Return the report of a run whose scripts failed."""
    results = [
        make_result(name, Outcome.FAILURE, number=number)
        for number, name in enumerate(names, 1)
    ]
    values = {"strategy": EmailStrategy.ALL, "language": "en"} | options
    report = render(make_run(*results), ReportContext(**values))
    # A report without HTML is the fallback: something went wrong on the way.
    assert report.html
    return report


def words(report: Report) -> str:
    """Return what the page says."""
    text = re.sub(r"(?s)<style>.*?</style>|<br>", " ", report.html)
    return " ".join(html.unescape(re.sub("<[^>]*>", "", text)).split())


OLD = 'rows = load("a.csv")\ntotal = 0\nprint(total)\n'
NEW = OLD.replace("total = 0", 'total = sum(row["montant"] for row in rows)')


def test_a_report_tells_what_changed_before_the_traceback(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """After the cause and the place, with the lines of the file that changed."""
    changed = since(
        file("import.py", diff=short_diff(OLD, NEW)), package("pandas", "2.1", "2.2")
    )
    report = rendered(
        make_result, make_run, ["import.py"], differences={"import.py": changed}
    )

    lines = report.text.splitlines()
    begin = lines.index("What changed since it last succeeded (2026-11-16 06:00)")
    assert lines[begin + 1 : begin + 13] == [
        "",
        "  Files changed: import.py",
        "  Packages changed: pandas 2.1 → 2.2",
        "",
        "Changes in import.py",
        "",
        "  @@ -1,3 +1,3 @@",
        '   rows = load("a.csv")',
        "  -total = 0",
        '  +total = sum(row["montant"] for row in rows)',
        "   print(total)",
        "",
    ]
    assert lines.index("Where: import.py, line 12, in load") < begin
    assert begin < lines.index("Traceback")
    said = words(report)
    assert "Files changed: import.py" in said
    assert '+total = sum(row["montant"] for row in rows)' in said
    assert said.index("What changed") < said.index("Traceback (most recent")


def test_what_changed_for_several_scripts_alike_is_told_once(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """The others refer to the first one; one of which nothing is known says nothing."""
    alike = since(package("pandas", "2.1", "2.2"))
    report = rendered(
        make_result,
        make_run,
        ["a.py", "b.py", "c.py"],
        differences={"a.py": alike, "b.py": alike},
    )

    assert report.text.count("pandas 2.1 → 2.2") == 1
    assert report.text.count("  The same as for a.py.") == 1
    assert report.text.count("What changed since it last succeeded") == 2


def test_an_unusual_success_tells_what_changed(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Although there is no failure to tell the details of."""
    run = make_run(make_result("a.py"), make_result("b.py", number=2))
    changed = {"b.py": since(file("b.py"))}
    context = ReportContext(
        strategy=EmailStrategy.ALL, language="en", differences=changed
    )

    assert "  Files changed: b.py" in render(run, context).text
    bare = render(run, replace(context, differences={}))
    assert "What changed" not in bare.text + bare.html


def test_a_report_shows_a_hostile_source_as_text(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """Markup, templates and terminal sequences are shown, and do nothing."""
    diff = short_diff("a = 1\n", f"a = 1\n{HOSTILE * 3}")
    report = rendered(
        make_result,
        make_run,
        ["import.py"],
        differences={"import.py": since(file(HOSTILE, diff=diff))},
    )

    assert "<script" not in report.html
    assert "{{ 7*7 }}" in words(report)
    assert "\x1b" not in report.text + report.html
    assert "\u202e" not in report.text + report.html


def test_what_changed_leaves_room_for_the_mail(
    make_result: MakeResult, make_run: MakeRun
) -> None:
    """However much it was, the page is whole for those who read it in a browser."""
    names = [f"{n}.py" for n in range(5)]
    diff = short_diff("&\n" * 100, "".join(f"{'&' * 500}{n}\n" for n in range(100)))
    changed = {
        name: since(
            *(file("&" * 300 + f"{n}", diff=diff) for n in range(50)),
            *(package("&" * 300 + f"{n}", "&" * 300, name) for n in range(50)),
        )
        for name in names
    }
    report = rendered(make_result, make_run, names, differences=changed, attach=True)

    assert len(report.html.encode()) <= HTML_BYTES
    assert "What changed since" in report.text
