"""The parts of the documentation site that are made from the code, as Markdown.

Each is in the language of the system (``LANGUAGE``): a command's help is worded when its
module is imported, so one process makes one language.
"""

from __future__ import annotations

import gettext
import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click
import msgspec

from python_runner import exceptions, exit_codes
from python_runner.cli.app import COMMANDS, CONTEXT_SETTINGS, make_app
from python_runner.computer import host_name
from python_runner.config.keys import ExecConfig, ScriptEntry
from python_runner.records.database import StoreError
from python_runner.texts.sentence import LOCALE_DIR, system_language
from python_runner.texts.sentence import translate as _


if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[1]


def generated_part(name: str) -> str:
    """Return a part of the reference.

    Args:
        name: ``commands``, ``exit_codes``, ``keys``, ``script_keys``, ``variables``,
            ``log``, ``documents`` or ``errors``.
    """
    return _PARTS[name]()


def _table(head: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _code(text: str) -> str:
    """Return code for a cell of a table."""
    return f"`{text}`".replace("|", "\\|") if text else ""


def _plain(text: str) -> str:
    """Return a text in which Markdown finds nothing to set but its code."""
    text = re.sub(r"([<>*_\[\]|])(?=(?:[^`]*`[^`]*`)*[^`]*$)", r"\\\1", text)
    return " ".join(text.split())


# --- commands ---


def _commands() -> str:
    gettext.bindtextdomain("click", str(LOCALE_DIR))
    gettext.textdomain("click")
    app = make_app()
    context = click.Context(app, info_name="python-runner", **CONTEXT_SETTINGS)
    return "\n\n".join(
        part
        for name in COMMANDS
        if (command := app.get_command(context, name)) is not None
        for part in _command(command, name, context)
    )


def _command(command: click.Command, name: str, parent: click.Context) -> Iterator[str]:
    """Yield a command's heading, text, usage and options, and its subcommands."""
    context = click.Context(command, info_name=name, parent=parent)
    path = context.command_path.removeprefix("python-runner ")
    yield f"##{'#' * path.count(' ')} `{path}`"
    yield _plain(command.help or "")
    usage = " ".join((context.command_path, *command.collect_usage_pieces(context)))
    yield f"```text\n{usage}\n```"
    records = (p.get_help_record(context) for p in command.get_params(context))
    options = [(_code(r[0]), _plain(r[1])) for r in records if r and r[1]]
    yield _table((_words("option"), _words("meaning")), iter(options))
    for inner in getattr(command, "commands", {}):
        yield from _command(command.commands[inner], inner, context)  # type: ignore[attr-defined]


def _exit_codes() -> str:
    """Return the README's table, which must name each code."""
    french = system_language() == "fr"
    text = (ROOT / f"README{'.fr' if french else ''}.md").read_text("utf-8")
    rows = re.findall(r"^\| ([\d, ]+) \| (.+) \|$", text, re.MULTILINE)
    codes = {int(code) for cell, _meaning in rows for code in cell.split(",")}
    if codes != {v for name, v in vars(exit_codes).items() if name.startswith("EXIT_")}:
        raise ValueError(f"the README explains other exit codes: {codes}")
    return _table((_words("exit code"), _words("meaning")), iter(rows))


# --- configuration ---


def _keys(struct: type[ExecConfig | ScriptEntry]) -> str:
    def rows() -> Iterator[tuple[str, ...]]:
        for field in msgspec.structs.fields(struct):
            if field.encode_name.startswith("$"):
                continue
            meta = next(
                m for m in get_args(field.type)[::-1] if isinstance(m, msgspec.Meta)
            )
            default = _words("required") if field.required else _default(field)
            expected = _plain(_((meta.extra or {})["expected"]))
            described = _plain(_(meta.description or ""))
            yield f"`{field.encode_name}`", default, expected, described

    head = ("key", "default", "expected", "meaning")
    return _table(tuple(map(_words, head)), rows())


def _default(field: Any) -> str:
    made = field.default_factory
    value = field.default if made is msgspec.NODEFAULT else made()
    return f"`{msgspec.json.encode(value).decode()}`"


def _variables() -> str:
    """Return the rows of the page about email, which must name each variable."""
    ending = ".fr" if system_language() == "fr" else ""
    page = f"mail{ending}.md"
    text = (ROOT / "docs" / page).read_text("utf-8")
    rows = re.findall(r"^\| (`[A-Z_]+`.*?) \| (.*?) \| (.*?) ?\|$", text, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([A-Z_]+)`", " ".join(row))}
    if named != known_variables() - {"PYTHON_RUNNER_HOME"}:
        raise ValueError(
            f"{page} explains other variables: {named ^ known_variables()}"
        )
    home = ("`PYTHON_RUNNER_HOME`", _words("the user's"), _words("state folder"))
    rows = [tuple(cell.replace("](#", f"]({page}#") for cell in row) for row in rows]
    head = ("variable", "default", "meaning")
    return _table(tuple(map(_words, head)), iter([*rows, home]))


def known_variables() -> set[str]:
    """Return the names of the variables that the settings ask for."""
    sources = (ROOT / "src/python_runner/config").glob("*.py")
    asked = r'\b(?:get|text|path)\(\s*"([A-Z][A-Z_]+)"'
    return {
        name
        for path in sources
        if path.name in {"settings.py", "oauth.py"}
        for name in re.findall(asked, path.read_text("utf-8"))
    }


# --- formats ---

_SCRIPTS = {
    "fetch.py": 'print("3 files fetched")\n',
    "import_amounts.py": 'rows = [{"id": 2}]\nprint(rows[0]["amount"])\n',
}
_CONFIG = {
    "scripts": list(_SCRIPTS),
    "python_command": None,
    "recipients": ["office@example.org"],
    "email_strategy": "all",
    "include_traceback": True,
    "logs_backup_count": 0,
}
#: Commands whose documents are shown; the first one runs the project.
_WITH_DOCUMENTS = (
    "run sales",
    "history --stats",
    "status",
    "logs sales",
    "check sales",
)
#: What the reader's computer has in the place of the one that makes the site.
_FOLDER, _PYTHON, _COMPUTER = (
    "/srv/scripts",
    "/srv/scripts/.venv/bin/python",
    "OFFICE-7",
)


@cache
def _real_run() -> tuple[dict[str, Any], str]:
    """Run a project whose second script fails; return documents by command, and the log."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        (folder / "sales").mkdir()
        for file, text in _SCRIPTS.items():
            (folder / "sales" / file).write_text(text, encoding="utf-8")
        config = folder / "sales/exec_config.json"
        config.write_text(json.dumps(_CONFIG), encoding="utf-8")
        environ = {k: v for k, v in os.environ.items() if k in {"PATH", "SYSTEMROOT"}}
        environ |= {
            "LANGUAGE": "en",
            "PYTHON_RUNNER_HOME": str(folder / "home"),
            "MAIL_TRANSPORT": "file",
            "MAIL_FROM": "robot@example.org",
            "MAIL_DIR": str(folder / "mails"),
        }
        documents = {}
        for command in _WITH_DOCUMENTS:
            answer = subprocess.run(
                [sys.executable, "-m", "python_runner", *command.split(), "--json"],
                cwd=folder,
                env=environ,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                check=False,
            )
            documents[command] = _elsewhere(answer.stdout.decode(), name)
        log = folder / "sales/logs/sales.log"
        shown = _elsewhere(log.read_text("utf-8"), name)
        return {name: json.loads(text) for name, text in documents.items()}, shown


def _elsewhere(text: str, folder: str) -> str:
    """Return what a command would have said on a computer of the reader's."""
    text = text.replace(folder, _FOLDER).replace(sys.executable, _PYTHON)
    return re.sub(rf"\b{re.escape(host_name())}\b", _COMPUTER, text)


def _documents() -> str:
    documents, _log = _real_run()
    return "\n\n".join(
        f"### `{command} --json`\n\n```json\n"
        f"{json.dumps(document, indent=2, ensure_ascii=False)}\n```"
        for command, document in documents.items()
    )


def _log() -> str:
    _documents, log = _real_run()
    return f"```text\n{log}```"


def _errors() -> str:
    """Return the errors with their bases; ``exceptions`` explains each."""
    base = exceptions.PythonRunnerError
    rows = (
        (
            f"`{error.__name__}`",
            ", ".join(f"`{parent.__name__}`" for parent in error.__bases__),
            _plain(_words((error.__doc__ or "").splitlines()[0])),
        )
        for error in (*vars(exceptions).values(), StoreError)
        if isinstance(error, type) and issubclass(error, base)
    )
    return _table(tuple(map(_words, ("error", "kind of", "meaning"))), rows)


#: Words of these parts that are not in the catalogue, which is for the product.
_FRENCH = {
    "option": "option",
    "meaning": "signification",
    "exit code": "code de sortie",
    "key": "clé",
    "default": "par défaut",
    "expected": "valeur",
    "required": "obligatoire",
    "variable": "variable",
    "the user's": "celui de l'utilisateur",
    "state folder": "dossier d'état\u00a0: historique, boîte d'envoi, verrous\u00a0; sur un disque local",
    "error": "erreur",
    "kind of": "sorte de",
    "The records cannot be read or written; ``reason`` is one sentence that says why.": (
        "L'historique ne peut pas être lu ou écrit\u00a0; `reason` dit pourquoi en une phrase."
    ),
    "Base of everything this package raises on purpose.": (
        "Base de toutes les erreurs que Python Runner signale de lui-même."
    ),
    "The interpreter that should run the scripts cannot be found.": (
        "L'interpréteur qui doit exécuter les scripts est introuvable."
    ),
    "The recipients are not a list of single mail addresses.": (
        "Les destinataires ne sont pas une liste d'adresses e-mail."
    ),
    "A project has no ``exec_config.json``, or there is no such project.": (
        "Un projet n'a pas d'`exec_config.json`, ou n'existe pas."
    ),
    "A mail may be due and its transport lacks a variable.": (
        "Un e-mail peut devoir être envoyé, et une variable manque pour cela."
    ),
    "A configuration is wrong; ``problems`` holds everything found, in file order.": (
        "Une configuration est fausse\u00a0; `problems` contient tout ce qui a été trouvé."
    ),
    "Required keys are absent; other problems of the same file are listed as well.": (
        "Des clés obligatoires manquent\u00a0; les autres problèmes du fichier y sont aussi."
    ),
}


def _words(english: str) -> str:
    """Return words in the system's language.

    Raises:
        KeyError: there is no French for them.
    """
    return _FRENCH[english] if system_language() == "fr" else english


_PARTS = {
    "commands": _commands,
    "exit_codes": _exit_codes,
    "keys": lambda: _keys(ExecConfig),
    "script_keys": lambda: _keys(ScriptEntry),
    "variables": _variables,
    "log": _log,
    "documents": _documents,
    "errors": _errors,
}
