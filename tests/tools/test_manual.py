"""The manual page says what the commands say, in a form that no reader of it objects to."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import click
import pytest

from python_runner.cli.app import make_app
from tools.manual import LANGUAGES, ROOT, wrapped


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


pytestmark = pytest.mark.source


def manual(language: str, **variables: str) -> str:
    """Return the page as the build makes it."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "manual.py", language],
        cwd="/",
        env=os.environ | {"SOURCE_DATE_EPOCH": "1793000000"} | variables,
        capture_output=True,
        check=True,
    )
    return done.stdout.decode()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the page of each language, as a file."""
    folder = tmp_path_factory.mktemp("man")
    for language in LANGUAGES:
        path = folder / language / "python-runner.1"
        path.parent.mkdir()
        path.write_bytes(manual(language).encode())
    return {language: folder / language / "python-runner.1" for language in LANGUAGES}


def tool(*command: object, **variables: str) -> str:
    """Return what a program says, on both its streams; skip where it is missing."""
    name = str(command[0])
    if not shutil.which(name):
        if os.environ.get("CI") and sys.platform == "linux":
            pytest.fail(f"CI needs {name}")
        pytest.skip(f"needs {name}")
    done = subprocess.run(
        [*map(str, command)],
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    return done.stdout


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_reader_objects(pages: dict[str, Path], language: str) -> None:
    """Neither mandoc nor groff nor man itself has a warning."""
    page = pages[language]

    assert tool("mandoc", "-Tlint", page) == ""
    assert tool("groff", "-k", "-ww", "-man", "-Tutf8", "-z", page) == ""
    told = tool("man", "--warnings", "-l", page, MANPAGER="cat", LC_ALL="C.UTF-8")
    assert "warning" not in told
    assert "python-runner mail login" in told


@pytest.mark.parametrize(
    ("language", "expected"),
    [("en", "Run series of Python scripts"), ("fr", "Exécute sans surveillance")],
)
def test_what_the_page_is_about_can_be_looked_up(
    pages: dict[str, Path], language: str, expected: str
) -> None:
    """``whatis`` and ``apropos`` read its first section."""
    assert f'"python-runner - {expected}' in tool(
        "lexgrog", pages[language], LC_ALL="C.UTF-8"
    )


def commands(
    group: click.Group, context: click.Context, *names: str
) -> Iterator[tuple[str, click.Command]]:
    """Yield each command with what is typed for it."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield " ".join((*names, name)), command
        if isinstance(command, click.Group):
            inner = click.Context(command, parent=context)
            yield from commands(command, inner, *names, name)


def plain(page: Path) -> str:
    """Return a page's words as a person reads them, with single spaces."""
    text = tool("mandoc", "-Tutf8", "-O", "width=400", page)
    return re.sub(r"\s+", " ", re.sub(".\b", "", text))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_command_and_option_is_there(
    pages: dict[str, Path], language: str
) -> None:
    """Those of the commands that there are, with nothing to be kept in step by hand."""
    app = make_app()
    text = plain(pages[language])

    for name, command in commands(app, click.Context(app)):
        assert f" python-runner {name} [" in text
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert set(parameter.opts) <= {word.strip(",") for word in text.split()}
    assert "exec_config.json" in text


def test_each_language_has_its_own_words(pages: dict[str, Path]) -> None:
    """The texts of the commands, and the headings."""
    english, french = plain(pages["en"]), plain(pages["fr"])

    assert "EXIT STATUS" in english
    assert "CODES DE RETOUR" in french
    assert "Print one JSON document." in english
    assert "Affiche un document JSON." in french
    assert "Show this message" not in french
    assert "Affiche cette aide" not in english
    assert " : " not in re.sub(r"[\[(].*?[\])]", "", english)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_does_not_depend_on_the_account(
    pages: dict[str, Path], language: str
) -> None:
    """Neither on its language, encoding, zone and screen, nor on its settings."""
    other = manual(
        language,
        LC_ALL="fr_FR.ISO-8859-1",
        LANGUAGE="de",
        TZ="Pacific/Kiritimati",
        COLUMNS="30",
        PYTHON_RUNNER_HOME="/nowhere",
        PYTHONIOENCODING="ascii",
        PYTHONHASHSEED="1",
    )

    assert other == pages[language].read_text("utf-8")


def test_a_build_that_is_no_release_has_no_day() -> None:
    """No page claims a day that nobody gave."""
    assert '.TH PYTHON-RUNNER 1 "" ' in manual("en", SOURCE_DATE_EPOCH="")
    assert ' "2026-10-26" ' in manual("en", SOURCE_DATE_EPOCH="1793000000")


HARD = (
    ".TH at the start",
    "'br at the start",
    r"a \fBbackslash\fR, C:\new\temp",
    "quotes \" and ' and ` and ^ and ~ and -- dashes",
    "é, à, œ, « no\u00a0break\u00a0spaces » and …",
    "a_very_long_word_" * 12,
    "x" * 77 + " .second line",
)


@pytest.mark.parametrize("text", HARD)
def test_a_text_comes_out_as_it_is(text: str, tmp_path: Path) -> None:
    """Nothing in a help text is a request to roff."""
    page = tmp_path / "page.1"
    body = "\n".join(wrapped(text))
    page.write_text(
        f'.TH X 1 "2026-01-01"\n.SH NAME\nx \\- y\n.SH T\n{body}\n', "utf-8"
    )

    shown = plain(page).replace("\u00a0", " ")

    assert re.sub(r"\s+", " ", text.replace("\u00a0", " ")) in shown
    assert all(len(line) < 80 for line in body.splitlines() if " " in line)
