"""Reads a batch file of Windows as ``cmd.exe`` would, without executing anything."""

from __future__ import annotations

import ntpath
import re
from typing import TYPE_CHECKING

from python_runner.facts import dataclass
from python_runner.patterns import lazy_pattern
from python_runner.takeover.batch_words import (
    Command,
    commands,
    depth_of,
    logical_lines,
    words,
)
from python_runner.takeover.command_words import Start, program_name, unwrapped
from python_runner.takeover.recorder import (
    DEPTH,
    NESTING,
    Recorder,
    bounded,
    starts_python,
    unknown,
)
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: Commands that are read of one file and all it calls.
_MOST_STEPS = 20_000
_LABEL = lazy_pattern(r"\s*:(?!:)\s*([^\s:+,;=&|]+)")
_REM = lazy_pattern(r"@?\s*(?:rem(?=$|[\s/.:])|::)", re.IGNORECASE)
_VARIABLE = lazy_pattern(
    r"%%|%~([a-zA-Z]*)([0-9])|%([0-9*])|%([^%:\s=]+)(:[^%]*)?%|!([^!:\s=]+)(:[^!]*)?!"
)
_IF = lazy_pattern(
    r"if\s+(?:/i\s+)?(?P<not>not\s+)?(?P<rest>.*)", re.IGNORECASE | re.DOTALL
)
_LEVEL = r"[\"'\[(]?[%!]errorlevel[%!][\"'\])]?"
_LEVEL_FAILS = lazy_pattern(
    rf"(?:errorlevel\s+[1-9]\d*|{_LEVEL}\s*(?:neq|gtr|!=)\s*[\"']?0[\"']?"
    rf"|{_LEVEL}\s*(?:geq|equ|==)\s*[\"']?[1-9]\d*[\"']?)(?=[\s(]|$)",
    re.IGNORECASE,
)
_LEVEL_SUCCEEDS = lazy_pattern(
    rf"{_LEVEL}\s*(?:equ|==)\s*[\"'\[(]?0[\"'\])]?(?=[\s(]|$)", re.IGNORECASE
)
_CONDITION = lazy_pattern(
    r"(?:exist\s+(?:\"[^\"]*\"|\S+)|defined\s+\S+|errorlevel\s+\d+|cmdextversion\s+\d+"
    r"|(?:\"[^\"]*\"|[^\s=]+)\s*(?:==|\s(?:equ|neq|lss|leq|gtr|geq)\s)\s*"
    r"(?:\"[^\"]*\"|[^\s(]+))",
    re.IGNORECASE,
)
_SET = lazy_pattern(r"set(?=[\s\"])\s*(?P<rest>.*)", re.IGNORECASE | re.DOTALL)
_FOLDER = lazy_pattern(
    r"(?P<name>cd|chdir|pushd)(?=[\s.\\/\"])\s*(?:/d\b)?(?P<path>.*)", re.IGNORECASE
)
_EXITS = lazy_pattern(r"(?:exit|goto)\b.*", re.IGNORECASE | re.DOTALL)
#: Variables that every account of Windows has.
_USUAL = frozenset(
    [
        "USERPROFILE",
        "HOMEDRIVE",
        "HOMEPATH",
        "APPDATA",
        "LOCALAPPDATA",
        "PROGRAMDATA",
        "PROGRAMFILES",
        "PUBLIC",
        "SYSTEMROOT",
        "WINDIR",
        "SYSTEMDRIVE",
        "TEMP",
        "TMP",
        "USERNAME",
        "COMPUTERNAME",
        "ONEDRIVE",
        "PATH",
    ]
)
_BATCH = (".bat", ".cmd")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """A file, or a part of one, that is being read."""

    lines: Sequence[tuple[int, str]]
    labels: Mapping[str, int]
    args: tuple[str, ...] | None
    base: str | None
    name: str
    read: set[int]


class Left(Exception):
    """The file is left."""


class BatchReader:
    """Follows the commands of batch files, and notes what cannot be followed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._steps = 0
        self._nesting = 0

    def file(
        self, text: str, base: str | None, args: tuple[str, ...] | None, name: str
    ) -> None:
        """Follow a file from its first line.

        Args:
            text: what it holds.
            base: its folder, ``%~dp0``; None where nobody knows.
            args: ``%1`` and so on; None where nobody knows who starts it.
            name: of the file.

        Raises:
            Left: ``exit`` ends all that is read, the files that call this one as well.
        """
        lines = list(logical_lines(text))
        labels: dict[str, int] = {}
        for at, (_number, line) in enumerate(lines):
            if match := _LABEL.match(line):
                labels.setdefault(match[1].lower(), at)
        frame = _Frame(
            lines=lines, labels=labels, args=args, base=base, name=name, read=set()
        )
        try:
            self._follow(frame, 0)
        finally:
            self._note_unread(frame)

    def line(self, text: str, number: int | None = None) -> None:
        """Follow one line that stands in no file.

        Raises:
            Left: as of :meth:`file`.
        """
        frame = _Frame(lines=[], labels={}, args=None, base=None, name="", read=set())
        self._line(frame, number, text)

    def _note_unread(self, frame: _Frame) -> None:
        """Note the lines with scripts that no way through the file reaches."""
        for at, (number, line) in enumerate(frame.lines):
            if at in frame.read or _LABEL.match(line) or _REM.match(line.lstrip()):
                continue
            if starts_python(line):
                self._recorder.note(
                    number,
                    N_("{command} runs only after a failure or a jump; it is left out"),
                    command=line.strip(),
                )

    def _follow(self, frame: _Frame, at: int) -> None:
        """Follow lines until the file, or the part of it that was called, ends."""
        while at < len(frame.lines):
            self._step()
            number, line = frame.lines[at]
            begin = at
            if starts_block(line) and (depth := depth_of(line)) > 0:
                block = [line]
                while depth > 0 and at + 1 < len(frame.lines):
                    at += 1
                    block.append(frame.lines[at][1])
                    depth += depth_of(block[-1])
                line = "\n".join(block)
            frame.read.update(range(begin, at + 1))
            target = self._line(frame, number, line)
            if target is None:
                at += 1
                continue
            if target in {"", "eof"}:
                return
            to = frame.labels.get(target)
            if to is None or to <= begin:
                self._recorder.note(
                    number,
                    N_("the jump {command} goes back or nowhere; it is not followed"),
                    command=line.strip(),
                )
                if to is None:
                    return
                at += 1
                continue
            at = to

    def _step(self) -> None:
        self._steps += 1
        if self._steps > _MOST_STEPS:
            raise Left

    def _line(self, frame: _Frame, number: int | None, line: str) -> str | None:
        """Follow a line; return the label that it jumps to, empty at the end, or None."""
        line = line.strip().lstrip("@").strip()
        if not line or _LABEL.match(line) or _REM.match(line):
            return None
        word = line.split(None, 1)[0].lower().rstrip("(")
        if word == "for":
            self._recorder.note(
                number, N_("the loop {command} is not carried over"), command=line
            )
            return None
        if word == "if":
            return self._if(frame, number, line)
        return self._chain(frame, number, commands(line))

    def _block(self, frame: _Frame, number: int | None, text: str) -> str | None:
        """Follow the lines of a group."""
        self._step()
        inner = text.strip()
        if inner.startswith("("):
            inner = inner[1 : _closing(inner)]
        if self._nesting >= NESTING:
            self._recorder.note(number, N_("it is nested too deeply to be followed"))
            raise Left
        self._nesting += 1
        pending: list[str] = []
        first = depth = 0
        target = None
        for offset, part in enumerate(inner.split("\n")):
            first = first if pending else offset
            pending.append(part)
            if len(pending) > 1 or starts_block(part):
                depth += depth_of(part)
                if depth > 0:
                    continue
            target = self._line(frame, number and number + first, "\n".join(pending))
            pending.clear()
            depth = 0
            if target is not None:
                break
        self._nesting -= 1
        return target

    def _chain(  # noqa: C901, PLR0912 - one branch a sign between commands
        self, frame: _Frame, number: int | None, chain: Sequence[Command]
    ) -> str | None:
        """Follow commands that stand in one line; return the label of a jump, or None."""
        started = False
        chained: list[int] = []
        for at, command in enumerate(chain):
            text = command.text.lstrip("@").strip()
            following = chain[at + 1].joiner if at + 1 < len(chain) else ""
            if command.joiner == "|":
                before = chain[at - 1].text
                started = self._reader(frame, number, command, before) or started
            elif command.joiner == "||":
                self._on_failure(text, number)
                if started and _EXITS.search(text):
                    self._recorder.fails_stop()
                    chained = []
            elif (
                command.joiner == "&&"
                and not started
                and self._is_guarded(chain, at, number)
            ):
                break
            elif _EXITS.fullmatch(text):
                return self._target(text)
            elif _IF.fullmatch(text):
                rest = " & ".join(part.text for part in chain[at:])
                return self._if(frame, number, rest)
            elif text.startswith("("):
                if command.joiner == "&&" and started:
                    self._recorder.fails_stop()
                    chained.append(len(self._recorder.calls) - 1)
                if (target := self._block(frame, number, text)) is not None:
                    return target
            elif following != "|" or starts_python(text):
                # Before a pipe, a program that is no script only writes.
                calls = len(self._recorder.calls)
                again = self._one(frame, number, command, text)
                if command.joiner == "&&" and started and again:
                    self._recorder.fails_stop(calls - 1)
                    chained.append(calls - 1)
                started = again
            if following not in {"&&", "||"}:
                self._recorder.part_ends(0, chained)
                chained = []
        return None

    def _is_guarded(
        self, chain: Sequence[Command], at: int, number: int | None
    ) -> bool:
        """Note a condition that a program asks before ``&&``; say whether it does."""
        begin = at - 1
        while begin and chain[begin].joiner == "|":
            begin -= 1
        asks = program_name((chain[at - 1].text.split() or [""])[0]) in _TESTS
        text = chain[at].text.lstrip("@").strip()
        jumps = _EXITS.search(text.lstrip("( ")) is not None
        if not jumps and not (asks and starts_python(text)):
            return False
        parts = [f"{part.joiner} {part.text}" for part in chain[begin : at + 1]]
        self._recorder.condition(number, " ".join(parts).strip(" &|"))
        return True

    def _reader(
        self, frame: _Frame, number: int | None, command: Command, before: str
    ) -> bool:
        """Note what stands behind a pipe; return whether a script does."""
        if starts_python(before):
            self._recorder.piped(command.text, number)
            return False
        if not starts_python(command.text):
            return False
        self._recorder.has_input(before, number)
        return self._one(frame, number, command, command.text)

    def _target(self, text: str) -> str:
        """Return the label of a jump; leave everything at a plain ``exit``."""
        parts = words(self._expanded(text, None))
        if parts[0].lower() == "goto" and len(parts) > 1:
            return parts[1].lstrip(":").lower()
        if parts[0].lower().startswith("goto:"):
            return parts[0][5:].lower()
        if "/b" in [part.lower() for part in parts]:
            return ""
        raise Left

    def _on_failure(self, text: str, number: int | None) -> None:
        """Note what ran after a failure, where it is more than a message and an end."""
        for line in text.strip("() ").split("\n"):
            for part in commands(line):
                name = program_name(part.text.split(None, 1)[0]) if part.text else ""
                if starts_python(part.text) or name in {
                    "blat",
                    "sendemail",
                    "powershell",
                }:
                    self._recorder.note(
                        number,
                        N_("{command} runs only after a failure; it is left out"),
                        command=part.text,
                    )

    def _if(self, frame: _Frame, number: int | None, line: str) -> str | None:
        match = _IF.fullmatch(line)
        if match is None:
            return None
        rest, negated = match["rest"], bool(match["not"])
        fails = _LEVEL_FAILS.match(rest)
        succeeds = _LEVEL_SUCCEEDS.match(rest)
        checked = fails or succeeds
        if checked is None:
            return self._condition(frame, number, line, rest)
        first, second, lines = _branches(rest[checked.end() :])
        on_failure, on_success, below = first, second, lines
        if (fails is not None) == negated:
            on_failure, on_success, below = second, first, 0
        if _EXITS.search(on_failure) or on_success:
            self._recorder.fails_stop()
        self._on_failure(on_failure, number)
        self._note_retry(frame, number, on_failure)
        if not on_success:
            return None
        recorder = self._recorder
        last = len(recorder.calls) - 1
        target = self._block(frame, number and number + below, on_success)
        if last >= 0 and not _EXITS.search(on_failure) and target is None:
            recorder.part_ends(last)
        return target

    def _note_retry(self, frame: _Frame, number: int | None, on_failure: str) -> None:
        """Note a jump back after a failure: it starts the script again."""
        for match in re.finditer(
            r"\bgoto\s*:?\s*([^\s:+,;=&|()]+)", on_failure, re.IGNORECASE
        ):
            to = frame.labels.get(match[1].lower())
            if to is not None and number and frame.lines[to][0] < number:
                self._recorder.note(
                    number,
                    N_(
                        "{command} starts it again after a failure; the key `retries` does"
                        " that"
                    ),
                    command=match[0],
                )

    def _condition(
        self, frame: _Frame, number: int | None, line: str, rest: str
    ) -> str | None:
        match = _CONDITION.match(rest)
        body = rest[match.end() :] if match else ""
        first, second, _lines = _branches(body)
        if "activate" in first.lower() and not starts_python(first) and not second:
            # People ask first whether the environment is there.
            return self._block(frame, number, first)
        self._recorder.condition(number, line)
        jump = re.fullmatch(
            r"\(?\s*goto\s*:?\s*([^\s:+,;=&|()]+)\s*\)?", first, re.IGNORECASE
        )
        if jump and not second and self._passes_over(frame, number, jump[1].lower()):
            return jump[1].lower()
        return None

    def _passes_over(self, frame: _Frame, number: int | None, label: str) -> bool:
        """Say whether a jump is the way to the scripts behind it.

        It is where it passes over scripts after which the others run all the same, and
        where it passes over the end of the file.
        """
        to = frame.labels.get(label)
        if to is None or not number:
            return False
        between = [line for at, line in frame.lines[:to] if at > number]
        code = [line for line in between if line.strip() and not _REM.match(line)]
        ends = bool(code) and _EXITS.match(code[-1].strip().lstrip("@")) is not None
        leads = any(starts_python(line) for _at, line in frame.lines[to:])
        return leads and ends != any(map(starts_python, code))

    def _one(
        self, frame: _Frame, number: int | None, command: Command, text: str
    ) -> bool:
        """Follow one command; return whether it starts a script."""
        recorder = self._recorder
        if self._changes(frame, number, text):
            return False
        parts = words(self._expanded(text, frame))
        called = bool(parts) and program_name(parts[0]) == "call"
        parts = parts[1:] if called else parts
        if parts and program_name(parts[0]) == "start":
            parts = self._started(parts, number, text)
        first = parts[0] if parts else ""
        if called and first.startswith(":"):
            return self._call_label(frame, number, parts)
        if program_name(first) == "cmd":
            return self._other_shell(frame, number, text)
        if self._is_batch(first, called=called):
            return self._nested(number, parts, text)
        if starts_python(text):
            self._streams(frame, number, command)
        return recorder.command(unwrapped(parts), number, text)

    def _change_drive(self, drive: str, number: int | None) -> None:
        """Make a drive the current one: ``cd`` may have chosen a folder on it before."""
        folder = self._recorder.folder or self._recorder.base or ""
        if ntpath.splitdrive(folder)[0].lower() != drive.lower():
            self._recorder.change_folder(f"{drive}\\", number)

    def _changes(self, frame: _Frame, number: int | None, text: str) -> bool:
        """Follow what changes a variable, a folder or a drive; say whether it does."""
        if match := _SET.fullmatch(text):
            self._set(frame, number, match["rest"])
            return True
        if match := _FOLDER.fullmatch(text):
            # No program reads these words: a quote only holds the path together.
            path = self._expanded(match["path"], frame).replace('"', "").strip()
            start = Start(words=(match["name"], path))
            self._recorder.command(start, number, text)
            return True
        expanded = self._expanded(text, frame).strip()
        if re.fullmatch(r"[A-Za-z]:", expanded):
            self._change_drive(expanded, number)
        return not expanded or expanded[1:] == ":"

    def _streams(self, frame: _Frame, number: int | None, command: Command) -> None:
        """Note where output and input of a script are led."""
        for target in command.outputs:
            self._recorder.output_to(self._expanded(target, frame), number)
        if command.source and command.source.lower() not in {"nul", "nul:"}:
            self._recorder.has_input(command.source, number)

    def _started(
        self, parts: tuple[str, ...], number: int | None, text: str
    ) -> tuple[str, ...]:
        """Return what ``start`` starts; note where it did not wait for its end."""
        inner, waits = _started(parts)
        if not waits and starts_python(" ".join(inner)):
            self._recorder.note(
                number,
                N_("{command} did not wait for its end; now the next script does"),
                command=text,
            )
        return inner

    def _other_shell(self, frame: _Frame, number: int | None, text: str) -> bool:
        """Follow what ``cmd /c`` is given."""
        match = re.search(r"\s/[ck]\s*(.*)", text, re.IGNORECASE | re.DOTALL)
        inner = match[1].strip() if match else ""
        if inner.startswith('"') and inner.endswith('"') and len(inner) > 1:
            # A pair of quotes around one program belongs to its path.
            alone = inner.count('"') == 2 and not re.search(r"[&|<>]", inner)  # noqa: PLR2004
            inner = inner if alone and _is_path(inner[1:-1]) else inner[1:-1]
        before = len(self._recorder.calls)
        self._block(frame, number, inner)
        return len(self._recorder.calls) > before

    def _set(self, frame: _Frame, number: int | None, rest: str) -> None:
        rest = rest.strip()
        if rest[:2].lower() in {"/a", "/p"}:
            name = re.split(r"[=+\-*/%&|^]", rest[2:].strip().strip('"'))[0].strip()
            if name:
                self._recorder.set[name] = unknown(f"set {rest}")
            if rest[:2].lower() == "/p":
                self._recorder.note(
                    number,
                    N_("nobody answers the question {command}"),
                    command=f"set {rest}",
                )
            return
        if rest.startswith('"'):
            rest = rest[1:].rpartition('"')[0] or rest[1:]
        name, sign, value = rest.partition("=")
        if sign and name.strip():
            self._recorder.assign(name.strip(), self._expanded(value, frame), number)

    def _call_label(
        self, frame: _Frame, number: int | None, parts: tuple[str, ...]
    ) -> bool:
        """Follow a part of the file until it returns."""
        to = frame.labels.get(parts[0].lstrip(":").lower())
        if parts[0].lower() == ":eof":
            return False
        recorder = self._recorder
        again = parts[0].lower() in recorder.open
        if to is None or again or len(recorder.open) >= DEPTH:
            recorder.note(
                number,
                N_("{command} cannot be followed; it is left out"),
                command=" ".join(parts),
            )
            return False
        before = len(recorder.calls)
        recorder.open.append(parts[0].lower())
        inner = _Frame(
            lines=frame.lines,
            labels=frame.labels,
            args=parts[1:],
            base=frame.base,
            name=frame.name,
            read=frame.read,
        )
        self._follow(inner, to)
        recorder.open.pop()
        recorder.part_ends(before)
        return len(recorder.calls) > before

    def _is_batch(self, word: str, *, called: bool) -> bool:
        if not word or program_name(word) in _ENVIRONMENTS:
            return False
        if word.lower().endswith(_BATCH):
            return program_name(word) not in {
                "python",
                "pyenv",
                "pipenv",
                "poetry",
                "uv",
            }
        suffix = ntpath.splitext(word)[1]
        known = called and not suffix and program_name(word) not in _PROGRAMS
        return known and self._recorder.read(f"{self._path(word)}.bat") is not None

    def _path(self, word: str) -> str:
        recorder = self._recorder
        base = recorder.folder if recorder.folder is not None else recorder.base
        return word if base is None else ntpath.normpath(ntpath.join(base, word))

    def _nested(self, number: int | None, parts: tuple[str, ...], text: str) -> bool:
        """Follow another batch file."""
        recorder = self._recorder
        path = self._path(parts[0])
        if not ntpath.splitext(path)[1]:
            path += ".bat"
        if path.lower() in recorder.open or len(recorder.open) >= DEPTH:
            recorder.note(
                number,
                N_("{command} calls itself again; it is not followed"),
                command=text,
            )
            return False
        found = recorder.read(path)
        if found is None:
            recorder.note(
                number, N_("the file {file} cannot be read; it is left out"), file=path
            )
            return False
        before, outer = len(recorder.calls), recorder.file
        recorder.open.append(path.lower())
        recorder.file = ntpath.basename(path)
        self.file(
            found, ntpath.dirname(path) or recorder.base, parts[1:], recorder.file
        )
        recorder.file = outer
        recorder.open.pop()
        recorder.part_ends(before)
        return len(recorder.calls) > before

    def _expanded(self, text: str, frame: _Frame | None) -> str:
        """Return a text with its variables replaced."""

        def value(match: re.Match[str]) -> str:
            if match[0] == "%%":
                return "%"
            if match[2]:
                return self._argument(frame, match[1].lower(), int(match[2]), match[0])
            if match[3]:
                return self._plain_argument(frame, match[3])
            name, part = match[4] or match[6], match[5] or match[7]
            if name.upper() == "CD" and not part:
                here = self._recorder.folder or self._recorder.base
                return here if here is not None else unknown(match[0])
            own = self._recorder.value(name)
            if own is None:
                # The account's own: the end of such a path may still be the project's.
                usual = name.upper() in _USUAL and not part
                return match[0] if usual else unknown(match[0])
            return _part(own, part) if part else own

        return bounded(_VARIABLE.sub(value, text))

    def _plain_argument(self, frame: _Frame | None, which: str) -> str:
        """Return ``%0``, ``%1`` or ``%*``."""
        if which == "0":
            return frame.name if frame else ""
        args = frame.args if frame else None
        if args is None:
            return unknown(f"%{which}")
        if which == "*":
            return " ".join(_quoted(arg) for arg in args)
        return args[int(which) - 1] if int(which) <= len(args) else ""

    def _argument(self, frame: _Frame | None, how: str, at: int, raw: str) -> str:
        """Return ``%~dp0`` and its kin."""
        if frame is None:
            return unknown(raw)
        if at == 0:
            base = frame.base
            name = frame.name
            if set(how) <= {"d", "p"} and "p" in how:
                # Without a file behind it, the folder of the project is meant.
                return (base.rstrip("\\") + "\\") if base is not None else ".\\"
            if how == "d":
                return ntpath.splitdrive(base or "")[0]
            name = name if "x" in how or "n" not in how else ntpath.splitext(name)[0]
            if set(how) <= {"n", "x"} and how:
                return name
            whole = ntpath.join(base or "", name)
            return whole if set(how) <= set("fdpnx") else unknown(raw)
        value = self._plain_argument(frame, str(at)).strip('"')
        return unknown(raw) if how else value


_ENVIRONMENTS = frozenset({"activate", "conda", "deactivate", "mamba"})
#: Programs that only ask something.
_TESTS = frozenset(
    ["find", "findstr", "fc", "comp", "ping", "tasklist", "where", "query", "qprocess"]
)
_PROGRAMS = frozenset(
    [
        "python",
        "py",
        "pythonw",
        "pyw",
        "conda",
        "mamba",
        "pip",
        "uv",
        "poetry",
        "pipenv",
        "npm",
        "node",
        "java",
        "git",
    ]
)


def starts_block(line: str) -> bool:
    """Say whether a group may begin in a line that goes on in the next ones."""
    text = line.strip().lstrip("@").lower()
    return not _REM.match(text) and (
        text.startswith(("if ", "if(", "for ", "("))
        or re.search(r"(?:&&|\|\||&)\s*\(\s*$", text.split("\n")[0]) is not None
        or re.search(r"(?:&&|\|\|)\s*\(", text) is not None
    )


def _closing(text: str) -> int:
    """Return where the parenthesis at the start of a text is closed."""
    depth, quoted = 0, False
    for at, char in enumerate(text):
        if char == '"':
            quoted = not quoted
        elif not quoted and char in "()":
            depth += 1 if char == "(" else -1
            if depth == 0:
                return at
    return len(text)


def _branches(text: str) -> tuple[str, str, int]:
    """Return what follows a condition, what follows its ``else``, and its lines above."""
    body = text.strip()
    if not body.startswith("("):
        return body, "", 0
    end = _closing(body)
    rest = body[end + 1 :].strip()
    other = re.match(r"else\b\s*(.*)", rest, re.IGNORECASE | re.DOTALL)
    return body[: end + 1], other[1] if other else "", body.count("\n", 0, end + 1)


def _is_path(text: str) -> bool:
    """Say whether a text is the path of a program alone, with spaces perhaps."""
    return bool(
        re.fullmatch(
            r"(?:[A-Za-z]:|\\\\|%)[^\"]*\.(?:exe|bat|cmd)", text, re.IGNORECASE
        )
    )


def _started(parts: tuple[str, ...]) -> tuple[tuple[str, ...], bool]:
    """Return what ``start`` starts, and whether it waits for its end."""
    rest = list(parts[1:])
    waits = False
    if (
        rest
        and not rest[0].startswith("/")
        and len(rest) > 1
        and (rest[0] == "" or " " in rest[0] or not starts_python(rest[0]))
    ):
        rest.pop(0)  # the title of the window
    while rest and rest[0].startswith("/"):
        option = rest.pop(0).lower()
        waits = waits or option in {"/wait", "/w"}
        if option == "/d" and rest:
            rest.pop(0)
    if rest and rest[0] == "":
        rest.pop(0)
    return tuple(rest), waits


def _part(value: str, how: str) -> str:
    """Return a part of a value, ``%NAME:~0,4%``, or with another text in it."""
    if match := re.fullmatch(r":~(-?\d+)(?:,(-?\d+))?", how):
        begin, length = int(match[1]), match[2]
        rest = value[begin:]
        return rest if length is None else rest[: int(length)]
    if match := re.fullmatch(r":([^=*]+)=(.*)", how):
        return re.sub(
            re.escape(match[1]), lambda _: match[2], value, flags=re.IGNORECASE
        )
    return unknown(f"%{how}%")


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word or not word else word
