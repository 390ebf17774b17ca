"""What a report looks like in a real browser: readable, by day and by night."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
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
from python_runner.model.digest import (
    Digest,
    ProjectDigest,
    ScriptTotals,
    Silent,
    Standing,
)
from python_runner.report.context import ReportContext
from python_runner.report.digest import render_digest
from python_runner.report.render import render
from python_runner.texts.sentence import Sentence


if TYPE_CHECKING:
    from python_runner.model import ScriptResult
    from tests.support import MakeResult, MakeRun


CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
needs_browser = pytest.mark.skipif(
    CHROMIUM is None and not (os.environ.get("CI") and sys.platform == "linux"),
    reason="needs Debian's chromium, which CI has",
)
#: No sandbox, because CI runs as root; nothing is asked of the network.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)
#: Pixels of a telephone and of a reading pane.
WIDTHS = (400, 900)
#: Contrast of text that everybody can read (WCAG 2, level AA).
READABLE = 4.5
#: What looks at each frame from inside the browser, and writes what it found.
SCRIPT = Path(__file__).with_name("look.js")


@pytest.fixture
def pages(make_result: MakeResult, make_run: MakeRun) -> dict[str, str]:
    """Return the reports of every kind of run, in both languages."""
    first = make_run(make_result()).started_at
    compared = {
        "main.py": Comparison(usual=8.2, recovered=Streak(count=3, since=first)),
        "import.py": Comparison(usual=133.0, same=Streak(count=2, since=first)),
        "slow.py": Comparison(usual=60.0),
        "a_script_whose_name_takes_more_room_than_a_telephone_has.py": Comparison(
            usual=44_640.0, new=True
        ),
    }
    odd = Sentence.of(
        "took {duration}, usually {usual}", duration="7 min", usual="60 s"
    )
    good = (
        make_result("main.py"),
        make_result("slow.py", number=2, duration=438.0, unusual=(odd,)),
    )
    long = Traceback(
        text='File "/srv/import.py", line 12, in load\n' + "x" * 300,
        exception="ValueError: " + "y" * 200,
        file="import.py",
        line=12,
        function="load",
    )
    bad = (
        make_result("import.py", Outcome.FAILURE, number=3, attempts=3),
        make_result(
            "a_script_whose_name_takes_more_room_than_a_telephone_has.py",
            Outcome.FAILURE,
            number=4,
            duration=45_000.0,
            traceback=long,
            output=Path("logs", "runs", "z" * 150),
            warnings=(Sentence.of("process 12 (worker) was left behind"),),
        ),
        make_result(
            "late.py", Outcome.TIMEOUT, number=5, reason=Sentence.of("after 30 min")
        ),
        make_result(
            "last.py", Outcome.SKIPPED, number=6, reason=Sentence.of("needs late.py")
        ),
    )
    runs = {
        "failure": replace(
            make_run(*good, *bad), warnings=(Sentence.of("the log is incomplete"),)
        ),
        "recovery": make_run(*(replace(r, unusual=()) for r in good)),
        "skipped": make_run(
            make_result(
                "main.py", Outcome.SKIPPED, reason=Sentence.of("run since 06:00")
            ),
            status=RunStatus.SKIPPED,
            error=Sentence.of("another run of the project has been active since 06:00"),
        ),
    }
    runs["success"] = runs["recovery"]
    runs["unusual"] = make_run(*good)
    digest = Digest(
        since=first - timedelta(days=7),
        until=first,
        computer="PC-7",
        projects=tuple(
            ProjectDigest(
                path=Path("p"),
                name=name,
                standing=standing,
                runs=7,
                failed=3,
                last=runs["failure"],
                failure=runs["failure"],
                unusual=runs["unusual"],
                status=RunStatus.FAILURE,
                streak=Streak(count=3, since=first),
                silent=Silent(expected_at=first, runs=1000, every=1e6),
                problem="C:/Scripts/" + "z" * 150,
                help="call 12 34",
            )
            for name, standing in zip(
                ("sales", "x" * 60, "load", "stock", "bi", "crm", "hr", "new"),
                Standing,
                strict=True,
            )
        ),
        scripts=tuple(
            ScriptTotals(
                path=Path("p"),
                project="sales",
                script="z" * 60,
                runs=7,
                failed=3,
                usual=9.0,
                longest=99.0,
            )
            for _ in range(6)
        ),
        notices=(Sentence.of("the sign-in ends tomorrow"),),
        waiting=1,
    )
    digests = {
        f"digest {language}": render_digest(digest, language).html
        for language in ("en", "fr")
    }
    return digests | {
        f"{name} {language}": render(
            run,
            ReportContext(
                strategy=EmailStrategy.ALL,
                language=language,
                tails={"import.py": "row 12\n" * 20},
                partial={"import.py"},
                attach=True,
                comparisons={} if name == "success" else compared,
                host="PC-7",
                log=Path("C:/Scripts/project_1/logs", "project_1.log"),
            ),
        ).html
        for name, run in runs.items()
        for language in ("en", "fr")
    }


def look(
    pages: dict[str, str], folder: Path, widths: tuple[int, ...] = WIDTHS
) -> dict[str, dict[str, Any]]:
    """Open every page in a browser, by day and by night, as wide as told."""
    frames = [
        f'<iframe id="{name} {scheme} {width}" width="{width}" height="900"'
        f' style="border:0;color-scheme:{scheme}" srcdoc="{html.escape(page)}"></iframe>'
        for name, page in pages.items()
        for scheme in ("light", "dark")
        for width in widths
    ]
    script = SCRIPT.read_text(encoding="utf-8")
    page = folder / "pages.html"
    page.write_text(
        f'<!doctype html><meta charset="utf-8">{"".join(frames)}'
        f'<pre id="found"></pre><script>{script}</script>',
        encoding="utf-8",
    )
    assert CHROMIUM is not None
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={folder}", "--dump-dom", page.as_uri()],
        capture_output=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout, re.DOTALL)
    assert found, done.stderr
    seen: dict[str, dict[str, Any]] = json.loads(html.unescape(found[1]))
    assert len(seen) == len(frames)
    return seen


@needs_browser
def test_every_report_can_be_read_in_a_browser(
    pages: dict[str, str], tmp_path: Path
) -> None:
    """Enough contrast by day and by night, nothing beyond the edge, nothing fetched."""
    for name, seen in look(pages, tmp_path).items():
        dark = " dark " in name
        assert seen["dark"] == dark, name
        assert (seen["background"] < 0.1) == dark, name
        assert seen["texts"] > 5, name
        assert seen["contrast"] >= READABLE, (name, seen["faintest"])
        assert seen["overflow"] == [], name
        assert seen["fetched"] == [], name


#: The screen of a telephone, in pixels.
SCREEN = (390, 844)


@pytest.fixture
def first_screens(make_result: MakeResult, make_run: MakeRun) -> dict[str, str]:
    """Return reports with 1 to 12 failures of 1 to 30 scripts; these fail in ERROR."""

    def failed(number: int, name: str, message: str, **options: Any) -> ScriptResult:
        traceback = Traceback(text=message, exception=message, file=name, line=12)
        return make_result(
            name, Outcome.FAILURE, number=number, traceback=traceback, **options
        )

    def page(results: list[ScriptResult], language: str) -> str:
        context = ReportContext(
            strategy=EmailStrategy.ALL,
            language=language,
            host="DESKTOP-BS85JNP7",
            command="python-runner",
            comparisons={r.script: Comparison(new=True) for r in results if r.attempts},
        )
        warned = replace(make_run(*results), warnings=(Sentence.of("odd " * 200),))
        return render(warned, context).html

    message = "ERROR: could not convert string to float: '12,5'"
    cases = {}
    for count, bad in ((1, [1]), (3, [2]), (30, [17]), (30, [30]), (30, range(4, 16))):
        results = [make_result(f"job_{n:02}.py", number=n) for n in range(1, count + 1)]
        for number in bad:
            results[number - 1] = failed(number, f"job_{number:02}.py", message)
        cases[f"{count} {len(bad)} {bad[0]}"] = results
    cases["names"] = [
        make_result("a.py"),
        failed(
            2,
            "sous dossier/export_clients_vers_excel_et_envoi_aux_agences_régionales.py",
            "OperationalError: connection to server failed " * 9 + " ERROR",
            warnings=(Sentence.of("left behind " * 50),),
        ),
    ]
    return {
        f"{name} {language}": page(results, language)
        for name, results in cases.items()
        for language in ("en", "fr")
    }


@needs_browser
def test_the_first_screen_says_what_failed_and_why(
    first_screens: dict[str, str], tmp_path: Path
) -> None:
    """On a telephone nobody scrolls for the exception, nor for the row of the failure."""
    width, height = SCREEN
    for name, seen in look(first_screens, tmp_path, (width,)).items():
        causes = [
            bottom
            for text, bottom in seen["places"]
            if text.startswith(("— ERROR", "— Operat", "ERROR", "Operat"))
        ]
        # The sentence at the top, and as many rows as there are failures, to ten.
        failures = 12 if " 12 " in f" {name}" else 1
        rows = min(failures, 10) if not name.startswith("1 ") else 0
        assert causes == sorted(causes), name
        assert causes[0] < height / 3, name
        assert causes[rows] < height, name
        assert seen["overflow"] == [], name


@needs_browser
def test_the_browser_sees_what_cannot_be_read(tmp_path: Path) -> None:
    """Faint text, a block too wide and a picture from elsewhere are found."""
    page = (
        '<html><body style="background-color:#ffffff"><p style="color:#999999">faint</p>'
        '<p style="width:950px">wide</p><img src="http://127.0.0.1:9/x.png"></body></html>'
    )
    for seen in look({"bad": page}, tmp_path).values():
        assert seen["contrast"] == pytest.approx(2.85, abs=0.01)
        assert seen["faintest"].startswith("faint")
        assert seen["overflow"]
        assert seen["fetched"] == ["http://127.0.0.1:9/x.png"]
