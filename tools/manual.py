"""The manual page of the command, made from the commands' own help.

``python tools/manual.py fr`` prints it in French, as a page for ``man``. The build puts the
pages into the wheel. One language a process: commands are worded when they are imported.
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from collections.abc import Iterator

    import click

ROOT = Path(__file__).parents[1]
LANGUAGES = ("en", "fr")
#: The headings of the page; the command has the words for all else.
_WORDS = {
    "en": {
        "name": "NAME",
        "synopsis": "SYNOPSIS",
        "description": "DESCRIPTION",
        "options": "OPTIONS",
        "commands": "COMMANDS",
        "status": "EXIT STATUS",
        "files": "FILES",
        "volume": "User Commands",
        "exec_config.json": "the configuration of a project, in its folder",
        "python-runner.toml": "the list of projects, in the folder where the command is started",
        ".env": "the mailbox that sends, and variables for the scripts",
        "logs/": "the log of a project and the output of its scripts, in its folder",
    },
    "fr": {
        "name": "NOM",
        "synopsis": "SYNOPSIS",
        "description": "DESCRIPTION",
        "options": "OPTIONS",
        "commands": "COMMANDES",
        "status": "CODES DE RETOUR",
        "files": "FICHIERS",
        "volume": "Commandes",
        "exec_config.json": "la configuration d'un projet, dans son dossier",
        "python-runner.toml": "la liste des projets, dans le dossier où la commande est lancée",
        ".env": "la boîte qui envoie les e-mails, et des variables pour les scripts",
        "logs/": "le journal d'un projet et la sortie de ses scripts, dans son dossier",
    },
}
#: What roff would take for something else than the character.
_ESCAPES = {
    "\\": r"\(rs",
    "-": r"\-",
    "'": r"\(aq",
    "`": r"\(ga",
    "^": r"\(ha",
    "~": r"\(ti",
    '"': r"\(dq",
    "\u00a0": r"\~",
}
#: Characters of a line (a longer word stands alone), and of one that is not in ASCII: some
#: readers replace it by ``\[u00E9]`` before they count.
_WIDTH = 78
_FOREIGN = 8


def page(language: str) -> str:
    """Return the manual page.

    Args:
        language: one of ``LANGUAGES``; the process must have been started for it.
    """
    import click  # noqa: PLC0415 - the environment decides on its language first

    from python_runner.cli.app import make_app, translate_click  # noqa: PLC0415
    from python_runner.version import __version__  # noqa: PLC0415

    translate_click()
    words = _WORDS[language]
    app = make_app()
    context = click.Context(app, info_name="python-runner", **app.context_settings)
    lines = [
        # Which characters these are, for those that would ask the account's locale.
        r".\" -*- coding: utf-8 -*-",
        f'.TH PYTHON-RUNNER 1 "{_day()}" "Python Runner {__version__}" "{words["volume"]}"',
        # Names of files and options are not cut.
        ".nh",
        f".SH {words['name']}",
        *wrapped(f"python-runner - {(app.help or '').removesuffix('.')}"),
        f".SH {words['synopsis']}",
        *_synopsis(app, context),
        f".SH {words['description']}",
        *_paragraphs(app.help or "", first=True),
        f".SH {words['options']}",
        *_options(app, context),
        f".SH {words['commands']}",
        *(line for part in _commands(app, context) for line in part),
        f".SH {words['status']}",
        *_paragraphs(app.epilog or "", first=True),
        f".SH {words['files']}",
    ]
    for name in ("exec_config.json", "python-runner.toml", ".env", "logs/"):
        lines += [".TP", rf"\fI{_roff(name)}\fR", *wrapped(words[name])]
    return "\n".join(lines) + "\n"


def _day() -> str:
    """Return the day of the release, which the build is told; empty for other builds."""
    second = os.environ.get("SOURCE_DATE_EPOCH", "")
    return f"{datetime.fromtimestamp(int(second), UTC):%Y-%m-%d}" if second else ""


def _commands(group: click.Group, context: click.Context) -> Iterator[tuple[str, ...]]:
    """Yield the lines of each command, and of the commands in it."""
    import click  # noqa: PLC0415

    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if command is None or command.hidden:
            continue
        inner = click.Context(command, info_name=name, parent=context)
        yield (
            f'.SS "{_roff(" ".join(inner.command_path.split()[1:]))}"',
            *_synopsis(command, inner),
            *_paragraphs(command.help or ""),
            *_options(command, inner),
            *_paragraphs(command.epilog or ""),
        )
        if isinstance(command, click.Group):
            yield from _commands(command, inner)


def _synopsis(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield how a command is typed."""
    pieces = " ".join(command.collect_usage_pieces(context))
    yield rf"\fB{_roff(context.command_path)}\fR {_roff(pieces)}"


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    """Yield the options of a command, each with what it does."""
    for parameter in command.get_params(context):
        names, text = parameter.get_help_record(context) or ("", "")
        if text:
            # Words of an option's value are set apart from what is typed as it is.
            marked = re.sub(
                r"(?<![\w\\])((?:\\-){1,2}\w(?:[\w]|\\-)*)", r"\\fB\1\\fR", _roff(names)
            )
            yield from (".TP", marked, *wrapped(text))


def _paragraphs(text: str, *, first: bool = False) -> Iterator[str]:
    """Yield a text, its paragraphs apart; those that are marked so keep their lines."""
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text)):
        if not paragraph.strip():
            continue
        if not first:
            yield ".PP"
        first = False
        if paragraph.startswith("\b"):
            kept = paragraph.removeprefix("\b").strip("\n").splitlines()
            yield from (".nf", *map(_line, map(_roff, kept)), ".fi")
        else:
            yield from wrapped(paragraph)


def wrapped(text: str) -> list[str]:
    """Return a paragraph in lines that are short enough for every reader of roff."""
    lines, length = [""], 0
    # A no-break space is none to break at.
    for word in re.findall(r"[^ \t\n]+", text):
        added = sum(len(_roff(c)) if c.isascii() else _FOREIGN for c in word)
        if lines[-1] and length + 1 + added > _WIDTH:
            lines.append("")
            length = -1
        lines[-1] = f"{lines[-1]} {_roff(word)}".lstrip(" ")
        length += 1 + added
    return [_line(line) for line in lines]


def _line(line: str) -> str:
    """Return a line of text that is taken for no request."""
    return rf"\&{line}" if line.startswith(".") else line


def _roff(text: str) -> str:
    """Return a text as roff writes it."""
    return "".join(_ESCAPES.get(character, character) for character in text)


if __name__ == "__main__":
    (_language,) = sys.argv[1:] or ("en",)
    os.environ["LANGUAGE"] = _language
    sys.path.insert(0, str(ROOT / "src"))
    # The same bytes on each platform.
    sys.stdout.buffer.write(page(_language).encode())
