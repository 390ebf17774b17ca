"""Who reads French reads nothing else: help, outputs and errors of every command."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest


if TYPE_CHECKING:
    from tests.support import MakeProject


pofile = pytest.importorskip("babel.messages.pofile")

ROOT = Path(__file__).parents[2]
CATALOGUES = ROOT / "src/python_runner/locale/fr/LC_MESSAGES"
#: Reads lists of arguments, writes what the command says to each, in one process.
DRIVER = """
import json, sys
from python_runner.cli.app import COMMANDS, make_app, run_app

if sys.argv[1:] == ["--all"]:
    app = make_app()
    calls = [["--help"], *([name, "--help"] for name in COMMANDS)]
    for name in COMMANDS:
        parts = getattr(app.get_command(None, name), "commands", {})
        calls += [[name, part, "--help"] for part in parts]
else:
    calls = json.loads(sys.argv[1])
for call in calls:
    print("\\n####", *call, flush=True)
    run_app(call)
    sys.stdout.flush()
"""
#: What is English in French too: options, names of files, commands, addresses, code.
CODE = re.compile(
    r"`[^`]*`|--?[a-z][\w-]*|\S*[/\\]\S*|\S*\w\.\w\S*|\w*_\w*|\{[\w,|]+\}"
    r"|\[[\w-]+(?:\|[\w-]+)+\]|\"[^\"]*\""
    r"|'[^']*'|python-runner|[A-Z_]{2,}|\b[0-9a-f]{7,13}\b"
)
#: Words that stand in both languages, or are names of commands, scripts and projects.
SAME = set(
    re.findall(
        r"\w+",
        "run check init digest history show output logs status stop why mail backup demo completion"
        " list drop flush test script scripts python json bash zsh fish powershell shell"
        " options option arguments argument venv env ok message messages signal root"
        " channels retries schedule install remove report",
    )
)


def words(text: str) -> set[str]:
    """Return the words of a text, its code aside."""
    return set(re.findall(r"[^\W\d_]{2,}", CODE.sub(" ", text).lower()))


def english_words() -> set[str]:
    """Return the words of the English sentences that no French sentence has."""
    english, french = set(SAME), set[str](SAME)
    for path in CATALOGUES.glob("*.po"):
        with path.open("rb") as file:
            for message in pofile.read_po(file, locale="fr"):
                if message.id:
                    ids, texts = message.id, message.string
                    for form in (ids,) if isinstance(ids, str) else ids:
                        english |= words(form)
                    for form in (texts,) if isinstance(texts, str) else texts:
                        french |= words(form)
    return english - french


def said_in_french(folder: Path, *arguments: str) -> dict[str, str]:
    """Return what the command says in French to each of several calls."""
    done = subprocess.run(
        [sys.executable, "-c", DRIVER, *arguments],
        cwd=folder,
        env=os.environ | {"LANGUAGE": "fr", "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=100,
        check=True,
    )
    parts = done.stdout.split("\n#### ")[1:]
    return {call: text for call, _, text in (part.partition("\n") for part in parts)}


def check_french(said: dict[str, str], own: set[str]) -> None:
    """Fail where an English word, or a space at which a sign is cut off, was said."""
    english = english_words() - own
    found = {call: sorted(words(text) & english) for call, text in said.items()}
    assert {call: some for call, some in found.items() if some} == {}, said
    for text in said.values():
        assert not re.search(r"\w(?: [:;!?»](?=\s)|: )|«[ ]", CODE.sub("x", text)), text


def test_help_is_french_to_the_last_word(tmp_path: Path) -> None:
    """Of every command and subcommand; no line of a list of commands is cut off."""
    said = said_in_french(tmp_path, "--all")

    assert len(said) > 15
    # It is the name of a command as well.
    check_french(said, {"report"})
    assert [
        text for text in said.values() if re.search(r"\w\.\.\.$", text, re.MULTILINE)
    ] == []


def test_outputs_and_errors_are_french(
    tmp_path: Path, make_project: MakeProject
) -> None:
    """What succeeds, what fails and what was mistyped."""
    make_project(
        "bon",
        {
            "un.py": "print(1)",
            "deux.py": "raise SystemExit(3)",
            "trois.py": "import time",
        },
        email_strategy="none",
        on_failure="stop",
    )
    (tmp_path / "mal").mkdir()
    (tmp_path / "mal" / "exec_config.json").write_text(
        '{"scripts": ["rien.py"], "retrys": "x", "recipients": ["é@x", 3],'
        ' "timeout": "demain", "email_strategy": "quand", "channels": 1}',
        encoding="utf-8",
    )
    (tmp_path / "cassé").mkdir()
    (tmp_path / "cassé" / "exec_config.json").write_text('{"scripts": [,]', "utf-8")
    calls = [
        *(["check", project] for project in ("bon", "mal", "cassé", "nulle")),
        *(["history"], ["run", "--dry-run", "bon"], ["run", "bon"], ["run", "mal"]),
        *(["run", "--resume", "bon"], ["run", "--only", "x.py", "bon"]),
        *(
            ["history"],
            ["show"],
            ["show", "zzz"],
            ["output"],
            ["output", "bon", "x.py"],
        ),
        *(["logs"], ["logs", "nulle"], ["init", "bon"]),
        *(["mail", "list"], ["mail", "flush"], ["mail", "show", "9"], ["mail", "test"]),
        *(["mail", "drop", "x"], ["backup", "copie.db"], ["backup", "copie.db"]),
        *(["completion", "csh"], ["history", "--limit", "0"], ["runn"], []),
        *(["run", "--jbs", "1"], ["run", "--jobs"], ["show", "a", "b"], ["run", "-z"]),
        *(["history", "--since", "hier"], ["run", "--quiet=x"], ["--version"]),
        *(["run", "--only", "a", "--resume", "bon"], ["run", "--only", "un", "bon"]),
        *(["status"], ["stop", "bon"], ["stop", "nulle"], ["show", "-v"], ["list"]),
        *(
            ["history", "--stats"],
            ["output", "--grep", "zzz"],
            ["logs", "bon", "-n", "x"],
        ),
    ]
    said = said_in_french(tmp_path, json.dumps(calls))
    check_french(said, {"bon", "un", "deux", "trois"})


#: Sentences of click for what our commands have not: prompts, passwords, files that it
#: opens itself, types of its own.
UNUSED = re.compile(
    r"deprecated|iterable|defined twice|env var|dynamic|Choice\(|UUID|not (readable|"
    r"writable|executable)|parameter: |Missing \{|unknown error|Could not open|start"
    r" character|takes \{nargs\}|Bash version|confirm|prompt|entered values|invalid input"
    r"|Unknown color|Press any key|continue\?|editor|Windows error|declaration|Boolean"
    r" option|name was passed|match the format|valid boolean|len_type|standard stream"
    r"|^d$",
    re.IGNORECASE,
)


@pytest.mark.source
def test_what_click_may_say_is_in_its_catalogue() -> None:
    """Each of its sentences that our commands can reach, in the version installed."""
    with (CATALOGUES / "click.po").open("rb") as file:
        known = {
            form
            for message in pofile.read_po(file, locale="fr")
            for form in ((message.id,) if isinstance(message.id, str) else message.id)
        }
    spec = importlib.util.find_spec("click")
    assert spec is not None
    assert spec.origin is not None
    missing = set()
    for path in Path(spec.origin).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in {
                "_",
                "ngettext",
            }:
                missing |= {
                    argument.value
                    for argument in node.args
                    if isinstance(argument, ast.Constant)
                    and isinstance(argument.value, str)
                }
    assert sorted(text for text in missing - known if not UNUSED.search(text)) == []
