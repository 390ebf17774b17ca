"""What the documentation site makes of the code, and what it checks of itself."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click
import pytest
from docs.build import problems
from docs.reference import generated_part

from python_runner.cli.app import COMMANDS, make_app
from python_runner.config.keys import json_schema
from tests.documents import DOCUMENTS, read


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.source

GENERATED = re.compile(r"<!-- generated: (\w+) -->")
#: Parts that need no run of a project.
QUICK = ("exit_codes", "keys", "script_keys", "variables", "errors")


def commands(group: click.Group, context: click.Context) -> Iterator[click.Context]:
    """Yield the context of each command below a group."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        inner = click.Context(command, info_name=name, parent=context)
        yield inner
        if isinstance(command, click.Group):
            yield from commands(command, inner)


def test_the_reference_has_each_command_with_each_option() -> None:
    """As ``--help`` names them, and under a heading of their own."""
    made = generated_part("commands")
    app = make_app()
    found = list(commands(app, click.Context(app, info_name="python-runner")))

    assert len(found) > len(COMMANDS)
    for context in found:
        path = context.command_path.removeprefix("python-runner ")
        section = made.partition(f" `{path}`\n")[2].partition("\n##")[0]
        assert section, path
        for parameter in context.command.get_params(context):
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert all(f"{name}" in section for name in parameter.opts)


def test_the_reference_has_each_key_of_the_schema() -> None:
    """Those of the file, and those of an entry of ``scripts``."""
    schema = json_schema()["$defs"]
    for part, struct in (("keys", "ExecConfig"), ("script_keys", "ScriptEntry")):
        named = set(re.findall(r"^\| `(\w+)`", generated_part(part), re.MULTILINE))
        assert named == set(schema[struct]["properties"]) - {"$schema"}


@pytest.mark.parametrize("language", ["en", "fr"])
@pytest.mark.parametrize("part", QUICK)
def test_a_part_has_its_words_in_each_language(
    part: str, language: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables are as wide as their heads, and none of their cells is in English."""
    english = set(re.findall(r"(\w[^|\n]*\w) \|$", generated_part(part), re.MULTILINE))
    monkeypatch.setenv("LANGUAGE", language)
    made = generated_part(part)
    head, *rows = made.splitlines()
    last = set(re.findall(r"(\w[^|\n]*\w) \|$", made, re.MULTILINE))

    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {head.count("|")}
    assert len(rows) > 3
    assert not (language == "fr" and english & last)


@pytest.mark.slow
def test_documents_are_those_of_a_real_run() -> None:
    """They are of the reader's computer, not of the one that makes the site."""
    made = generated_part("documents") + generated_part("log")

    assert '"exception": "KeyError: \'amount\'"' in made
    assert "/srv/scripts/sales" in made
    assert sys.prefix not in made
    assert "OFFICE-7 - " in made


def test_each_part_that_a_page_wants_is_there() -> None:
    """A page asks for a part by its name, and each part is wanted in both languages."""
    english, french = (
        sorted(
            part
            for document in DOCUMENTS
            if document.endswith(".fr.md") == ending
            for part in GENERATED.findall(read(document))
        )
        for ending in (False, True)
    )

    assert english == french
    assert {*QUICK, "commands", "documents", "log"} == set(english)


@pytest.mark.parametrize(
    ("page", "problem"),
    [
        ('<a href="other.html#here">', None),
        ('<a href="https://example.org/x">', None),
        ('<img src="data:image/png;base64,">', None),
        ('<a href="missing.html">', "missing.html leads to no file"),
        ('<a href="other.html#gone">', "#gone leads to no place"),
        ('<a href="#gone">', "#gone leads to no place"),
        ('<img src="missing.png">', "missing.png leads to no file"),
        ('<script src="https://cdn.example.org/x.js"></script>', "loads https://cdn"),
        ('<img src="//cdn.example.org/x.png">', "loads //cdn"),
        ('<link rel="stylesheet" href="http://example.org/x.css">', "loads http://"),
    ],
)
def test_a_site_is_whole_and_loads_nothing(
    page: str, problem: str | None, tmp_path: Path
) -> None:
    """A link inside leads to a place that is there, and nothing comes from elsewhere."""
    (tmp_path / "index.html").write_text(page, encoding="utf-8")
    (tmp_path / "other.html").write_text('<h1 id="here">x</h1>', encoding="utf-8")
    found = problems(tmp_path)

    assert len(found) == (problem is not None)
    assert not problem or problem in found[0]


def test_a_style_loads_nothing(tmp_path: Path) -> None:
    """Neither fonts nor pictures of others."""
    style = "a { background: url('https://example.org/x.png') } b { c: url(x.svg) }"
    (tmp_path / "x.css").write_text(style, encoding="utf-8")

    (found,) = problems(tmp_path)
    assert found.endswith("loads https://example.org/x.png")
