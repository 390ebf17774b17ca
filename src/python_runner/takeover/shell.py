"""Reads a shell script, or a crontab's command, as ``sh`` would, without executing it."""

from __future__ import annotations

import posixpath
import re
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from python_runner.patterns import lazy_pattern
from python_runner.takeover.command_words import is_python, program_name, unwrapped
from python_runner.takeover.facts import is_known, plain
from python_runner.takeover.recorder import (
    DEPTH,
    NESTING,
    Recorder,
    bounded,
    starts_python,
    unknown,
)
from python_runner.takeover.shell_words import (
    Token,
    end_of_double,
    end_of_substitution,
    tokens,
)
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Sequence

#: Commands that are read of one file and all it calls.
_MOST_STEPS = 20_000
#: Characters of one word.
_LONGEST = 100_000
_ASSIGNED = lazy_pattern(r"([A-Za-z_]\w*)(\+?)=(.*)", re.DOTALL)
_NAME = lazy_pattern(r"[A-Za-z_]\w*|[0-9@*#?$!-]")
_BRACED = lazy_pattern(
    r"\$\{([A-Za-z_]\w*|[0-9@*#?])(?:\[[^\]]*\])?(:?[-=])?(.*)\}", re.DOTALL
)
#: Words that open what is closed by another one.
_OPENS = {"if": "fi", "for": "done", "while": "done", "until": "done", "case": "esac"}
_OPENS |= {"select": "done", "{": "}"}
_REDIRECTIONS = frozenset(
    {">", ">>", "<", "&>", "&>>", ">|", ">&", "<&", "<<<", "<<", "<<-"}
)
_ENDS = frozenset({";", "\n", "&", "&&", "||", "|", ";;"})
_OWN_FOLDER = lazy_pattern(
    r"(?:cd\s+(?:-P\s+)?[\"']?(?:--\s+)?)?(?:\$\(|`)?\s*dirname\s+(?:--\s+)?"
    r"(?:[\"']?(?:\$0|\$\{0\}|\$\{?BASH_SOURCE(?:\[0\])?\}?)[\"']?"
    r"|[\"']?\$\((?:readlink\s+-\w+|realpath)\s+[\"']?(?:\$0|\$\{?BASH_SOURCE(?:\[0\])?\}?)[\"']?\)[\"']?)"
    r"\s*[`)]?[\"']?(?:\s*(?:&&|;)\s*pwd(?:\s+-P)?|\s*>\s*/dev/null.*)?"
)
_CODE = lazy_pattern(r"\$(?:\?|\{\?\})|\$[A-Za-z_]\w*|\$\{\w+\}")
#: A comparison of an exit code with 0.
_CHECK = lazy_pattern(
    r"(?:\[\[?|test|\(\s*\()\s*[\"']?\$?\{?(?P<name>\?|[A-Za-z_]\w*)\}?[\"']?\s*"
    r"(?P<sign>-ne|!=|-gt|>|-eq|==?)\s*[\"']?0[\"']?\s*(?:\]\]?|\)\s*\))?"
)


#: Programs that only ask something.
_TESTS = frozenset(
    ["[", "[[", "((", "test", "grep", "egrep", "fgrep", "pgrep", "pidof", "diff", "cmp"]
)
#: What ends a list of commands that ``&&`` and ``||`` join.
_STOPS = frozenset({";", "\n", "&", ";;"})
_PATTERN = lazy_pattern(r"[*?]|\[[^\]\s]+\]|\{[^{}\s\"']*(?:,|\.\.)[^{}\s\"']*\}")
_ESCAPES = {"n": "\n", "t": "\t", "\\": "\\", "'": "'", '"': '"'}
_ESCAPE = lazy_pattern(r"\\([nt\\'\"])")
#: Words behind which no command has ended.
_NO_END = frozenset({"do", "then", "else", "in", "{", "(", ";;", "|", "&&", "||"})
#: Words in front of a pipe that are looked at.
_SHOWN_WORDS = 60


class _Left(Exception):
    """The script is left."""


class _Returned(Exception):
    """A function is left."""


class ShellReader:
    """Follows the commands of shell scripts, and notes what cannot be followed."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._steps = 0
        self._nesting = 0
        self._local: dict[str, str] = {}
        self._functions: dict[str, list[Token]] = {}
        self._strict = False
        self._returning: set[int] = set()
        self._script = ""
        self._args: tuple[str, ...] | None = None

    def file(self, text: str, script: str, args: tuple[str, ...] | None = None) -> None:
        """Follow a script.

        Args:
            text: what it holds.
            script: its path, ``$0``.
            args: its arguments; None where nobody knows who starts it.
        """
        self._script, self._args = script, args
        first = text.split("\n", 1)[0]
        if first.startswith("#!") and re.search(r"\s-\w*e", first):
            self._strict = True
        self.text(text)

    def text(self, text: str, line: int = 1) -> None:
        """Follow commands that begin at a line."""
        nesting = self._nesting
        with suppress(_Left):
            self._list(tokens(text, line))
        self._nesting = nesting

    def _part(self, found: Sequence[Token]) -> None:
        """Follow commands in a shell of their own, which alone they can leave or change."""
        recorder = self._recorder
        nesting, strict = self._nesting, self._strict
        outside = (recorder.folder, recorder.python, recorder.python_folder)
        variables, local = dict(recorder.set), dict(self._local)
        before = len(recorder.calls)
        with suppress(_Left):
            self._list(found)
        self._nesting, self._strict, self._local = nesting, strict, local
        recorder.folder, recorder.python, recorder.python_folder = outside
        recorder.set = variables
        recorder.part_ends(before)

    def _list(self, found: Sequence[Token]) -> None:
        """Follow commands and what joins them."""
        if self._nesting >= NESTING:
            line = found[0].line if found else None
            self._recorder.note(line, N_("it is nested too deeply to be followed"))
            raise _Left
        self._nesting += 1
        self._commands(found)
        self._nesting -= 1

    def _commands(  # noqa: C901, PLR0912 - one branch a sign between commands
        self, found: Sequence[Token]
    ) -> None:
        recorder = self._recorder
        at, joiner, started = 0, "", False
        chained: list[int] = []
        while at < len(found):
            token = found[at]
            if not token.is_word and token.text in _ENDS:
                if token.text in {"&&", "||", "|"}:
                    joiner = token.text
                else:
                    if token.text == "&" and started:
                        self._no_wait(found[at - 1])
                    recorder.part_ends(0, chained)
                    joiner, started, chained = "", False, []
                at += 1
                continue
            end = self._end(found, at)
            if not joiner and (behind := self._guarded(found, at, end)) is not None:
                at = behind
                continue
            part = found[at:end]
            self._steps += 1
            if self._steps > _MOST_STEPS:
                raise _Left
            following = found[end].text if end < len(found) else ""
            if joiner == "||":
                if self._alternative(part, started=started):
                    chained = []
                started = False
            elif joiner == "|":
                started = self._reader(part, _source_before(found, at))
            elif following != "|" or starts_python(_source(part)):
                # Before a pipe, a program that is no script only writes.
                calls = len(self._recorder.calls)
                again = self._command(part, _source(part))
                if joiner == "&&" and started and again:
                    last = recorder.calls[calls - 1]
                    if not last.stops:
                        recorder.calls[calls - 1] = replace(last, stops=True)
                    chained.append(calls - 1)
                started = again
            joiner = ""
            at = max(end, at + 1)
        recorder.part_ends(0, chained)

    def _guarded(self, found: Sequence[Token], at: int, end: int) -> int | None:
        """Follow what stands behind a condition and ``&&`` or ``||``.

        Returns:
            Where to go on; None where no condition stands at ``at``, or where what it
            guards is followed as if there were none.
        """
        part = found[at:end]
        sign = found[end].text if end < len(found) else ""
        name = part[0].text.removeprefix("!") or (part[1:2] and part[1].text)
        if sign not in {"&&", "||"} or (name not in _TESTS and part[0].text != "("):
            return None
        condition = _source(part)
        check = self._check(condition)
        fails, succeeds = check == "fails", check == "succeeds"
        if part[0].text == "(" and not (fails or succeeds):
            return None
        last = end
        while last < len(found) and (
            found[last].is_word or found[last].text not in _STOPS
        ):
            last = max(self._end(found, last), last + 1)
        rest = found[end + 1 : last]
        text = _source(rest)
        if fails or succeeds:
            if fails == (sign == "&&"):
                if self._ends(text):
                    self._recorder.fails_stop()
                self._after_failure(text, part[0].line)
                return last
            calls = len(self._recorder.calls)
            self._list(rest)
            if calls and len(self._recorder.calls) > calls:
                before = self._recorder.calls[calls - 1]
                self._recorder.calls[calls - 1] = replace(before, stops=True)
                self._recorder.part_ends(calls - 1)
            return last
        ends = re.match(r"(?:exit|return)\b|[{(].*\b(?:exit|return)\b", text)
        if ends or (starts_python(text) and not _is_prerequisite(part, text)):
            self._recorder.condition(part[0].line, f"{condition} {sign} {text}")
            return last
        return None

    def _check(self, condition: str) -> str:
        """Say what is asked of the last exit code: ``fails``, ``succeeds``, or nothing."""
        match = _CHECK.fullmatch(condition)
        if match is None or not self._is_code(match["name"]):
            return ""
        return "succeeds" if match["sign"] in {"-eq", "=", "=="} else "fails"

    def _is_code(self, name: str) -> bool:
        """Say whether a variable holds an exit code."""
        return name == "?" or plain(self._value(name) or "") == "$?"

    def _end(self, found: Sequence[Token], at: int) -> int:
        """Return where the command that begins at ``at`` ends."""
        token = found[at]
        if token.is_word and token.text in _OPENS:
            return _with_redirections(found, _closing(found, at))
        if token.text == "(" and not token.is_word:
            return _with_redirections(found, _parenthesis(found, at))
        if _is_function(found, at):
            while at < len(found) and found[at].text not in {"{", "("}:
                at += 1
            if at < len(found) and found[at].text == "(":
                at = _parenthesis(found, at)
                while at < len(found) and found[at].text == "\n":
                    at += 1
            return _closing(found, at) if at < len(found) else at
        while at < len(found):
            if not found[at].is_word and found[at].text in _ENDS:
                break
            at += 1
        return at

    def _alternative(self, part: Sequence[Token], *, started: bool) -> bool:
        """Note what runs after a failure; return whether it ends the script."""
        recorder = self._recorder
        source = _source(part)
        body = _source(self._functions.get(part[0].text, []))
        ends = started and self._ends(f"{source} {body}")
        if ends:
            recorder.fails_stop()
        elif started and re.fullmatch(r"true|:|echo.*", source):
            recorder.calls[-1] = replace(recorder.calls[-1], stops=False)
        self._after_failure(source, part[0].line)
        return ends

    def _ends(self, text: str) -> bool:
        """Say whether commands end the script, or the function that is followed."""
        found = set(re.findall(r"\b(?:exit|return|die|abort)\b", text))
        if found == {"return"}:
            self._returning.add(len(self._recorder.calls) - 1)
        return bool(found)

    def _after_failure(self, source: str, line: int) -> None:
        if starts_python(source) or re.search(r"\b(?:mailx?|sendmail|curl)\b", source):
            self._recorder.note(
                line,
                N_("{command} runs only after a failure; it is left out"),
                command=source,
            )

    def _reader(self, part: Sequence[Token], before: str) -> bool:
        """Note what stands behind a pipe; return whether a script is part of it."""
        source = _source(part)
        if starts_python(before):
            self._recorder.piped(source, part[0].line)
            return True
        if starts_python(source):
            self._recorder.has_input(before, part[0].line)
            return self._command(part, source)
        return False

    def _no_wait(self, token: Token) -> None:
        self._recorder.note(
            token.line,
            N_("{command} did not wait for its end; now the next script does"),
            command=self._recorder.calls[-1].script if self._recorder.calls else "&",
        )

    # --- Compound commands -----------------------------------------------------------

    def _command(self, part: Sequence[Token], source: str) -> bool:
        first = part[0]
        calls = len(self._recorder.calls)
        if not first.is_word and first.text == "(":
            end = _parenthesis(part, 0)
            self._redirections(part[end:], python=starts_python(source))
            self._part(part[1 : end - 1])
            if self._strict and len(self._recorder.calls) > calls:
                self._recorder.fails_stop()
        elif first.text == "{":
            end = _closing(part, 0)
            self._redirections(part[end:], python=starts_python(source))
            self._list(part[1 : end - 1])
        elif first.text == "if":
            self._if(part, source)
        elif first.text in {"for", "while", "until", "select"}:
            self._recorder.note(
                first.line, N_("the loop {command} is not carried over"), command=source
            )
        elif first.text == "case":
            self._recorder.note(
                first.line,
                N_("the condition {command} is not carried over"),
                command=source,
            )
        elif _is_function(part, 0):
            name = part[1].text if first.text == "function" else first.text
            begin = next((at for at, t in enumerate(part) if t.text == "{"), len(part))
            self._functions[name.removesuffix("()")] = list(part[begin + 1 : -1])
        else:
            return self._simple(part, source)
        return len(self._recorder.calls) > calls

    def _if(self, part: Sequence[Token], source: str) -> None:
        """Follow a check of the last exit code; note any other condition."""
        recorder = self._recorder
        condition, first, second, more = _branches(part)
        text = _source(condition)
        calls = len(recorder.calls)
        negated = bool(condition) and condition[0].text == "!"
        if starts_python(text) and "$(" not in text:
            self._list(condition[1:] if negated else condition)
            fails, checked = negated, len(recorder.calls) > calls
        else:
            check = self._check(text)
            fails, checked = check == "fails", check != ""
        if not checked or more:
            if "activate" in _source(first) and not starts_python(_source(first)):
                self._list(first)
                return
            recorder.note(
                part[0].line,
                N_("the condition {command} is not carried over"),
                command=source,
            )
            return
        if not fails:
            first, second = second, first
        last = len(recorder.calls) - 1
        ends = self._ends(_source(first))
        if ends:
            recorder.fails_stop()
        self._after_failure(_source(first), part[0].line)
        self._list(second)
        if not ends and 0 <= last < len(recorder.calls) - 1:
            recorder.calls[last] = replace(recorder.calls[last], stops=True)
            recorder.part_ends(last)

    # --- Simple commands -------------------------------------------------------------

    def _simple(self, part: Sequence[Token], source: str) -> bool:
        line = part[0].line
        at = 0
        local: dict[str, str] = {}
        plain: list[Token] = []
        redirections: list[Token] = []
        while at < len(part):
            token = part[at]
            if not token.is_word and token.text in _REDIRECTIONS:
                redirections += part[at : at + 2]
                if plain and plain[-1].text.isdigit() and len(plain) > 1:
                    plain.pop()
                at += 2
                continue
            plain.append(token)
            at += 1
        while plain and (match := _ASSIGNED.fullmatch(plain[0].text)):
            local[match[1]] = " ".join(self._expand(match[3], line))
            plain.pop(0)
        if not plain:
            for name, value in local.items():
                self._assign(name, value, line)
            return False
        words = tuple(
            word for token in plain for word in self._expand(token.text, line)
        )
        # Code that is typed in goes with its interpreter.
        python = starts_python(" ".join(words)) and "-" not in words
        self._redirections(redirections, python=python)
        if not words:
            return False
        return self._words(words, local, line, source)

    def _words(
        self, words: tuple[str, ...], local: dict[str, str], line: int, source: str
    ) -> bool:
        if words[0] == "!":
            words = words[1:]
        if not words or self._builtin(words, line, source):
            return False
        recorder = self._recorder
        before = len(recorder.calls)
        start = unwrapped(words)
        start = replace(start, env=local | start.env)
        if words[0] in self._functions:
            if words[0] in recorder.open or len(recorder.open) >= DEPTH:
                recorder.note(
                    line,
                    N_("{command} calls itself again; it is not followed"),
                    command=source,
                )
            else:
                self._function(words)
        elif start.text is not None:
            recorder.command(replace(start, words=(), env={}), line, source)
            self._inner_text(start.text, line)
            recorder.calls[before:] = [
                replace(
                    call,
                    timeout=call.timeout or start.timeout,
                    env=start.env | dict(call.env),
                )
                for call in recorder.calls[before:]
            ]
        elif start.words and self._is_shell_script(start.words):
            self._nested(start.words, line, source)
        elif recorder.command(start, line, source) and self._strict:
            recorder.fails_stop()
        if words[0] == "exec" and len(words) > 1:
            # The program takes the place of the shell, which reads no further.
            raise _Left
        return len(recorder.calls) > before

    def _builtin(self, words: tuple[str, ...], line: int, source: str) -> bool:
        """Do what changes the shell itself; say whether a command does."""
        name = words[0]
        if name == "return" and self._in_function():
            raise _Returned
        if name in {"exit", "return"}:
            raise _Left
        if name in {"export", "declare", "typeset", "readonly", "local"}:
            self._declared(words[1:], line, exported=name == "export" or "-x" in words)
        elif name == "set":
            self._options(words[1:])
        elif name == "unset":
            for word in words[1:]:
                self._local.pop(word, None)
                self._recorder.set.pop(word, None)
        elif name == "shift":
            count = int(words[1]) if words[1:] and words[1].isdigit() else 1
            self._args = self._args[count:] if self._args is not None else None
        elif name in {"trap", "getopts", "read"}:
            self._recorder.note(
                line, N_("{command} is not carried over"), command=source
            )
        else:
            return False
        return True

    def _options(self, words: tuple[str, ...]) -> None:
        """Follow ``set -e``, ``set +e``, ``set -o errexit`` and ``set -- a b``."""
        for at, word in enumerate(words):
            if word == "--":
                self._args = words[at + 1 :]
                return
            named = words[at + 1 : at + 2] == ("errexit",) and word.endswith("o")
            if word[:1] in {"-", "+"} and ("e" in word or named):
                self._strict = word[0] == "-"

    def _function(self, words: tuple[str, ...]) -> None:
        self._recorder.open.append(words[0])
        outer, self._args = self._args, words[1:]
        before, nesting = len(self._recorder.calls), self._nesting
        try:
            self._list(self._functions[words[0]])
        except _Returned:
            self._nesting = nesting
        self._args = outer
        self._recorder.open.pop()
        returning = sorted(at for at in self._returning if at >= before)
        self._returning -= set(returning)
        self._recorder.part_ends(before, returning)
        if self._strict and len(self._recorder.calls) > before:
            self._recorder.fails_stop()

    def _in_function(self) -> bool:
        return (
            self._recorder.open[-1:] != []
            and self._recorder.open[-1] in self._functions
        )

    def _inner_text(self, text: str, line: int) -> None:
        if len(self._recorder.open) >= DEPTH:
            return
        self._recorder.open.append("sh -c")
        self.text(text, line)
        self._recorder.open.pop()

    def _is_shell_script(self, words: tuple[str, ...]) -> bool:
        name = program_name(words[0])
        if name in {"sh", "bash", "dash", "zsh", "ksh"} and len(words) > 1:
            return True
        if name in {"source", "."} and len(words) > 1:
            return words[1].endswith(".sh") and not words[1].endswith("/conda.sh")
        return words[0].endswith(".sh")

    def _nested(self, words: tuple[str, ...], line: int, source: str) -> bool:
        """Follow another script."""
        recorder = self._recorder
        sourced = program_name(words[0]) in {"source", "."}
        rest = [word for word in words if not word.startswith("-")]
        if not rest[0].endswith(".sh"):
            rest = rest[1:]
        if not rest:
            return False
        base = recorder.folder if recorder.folder is not None else recorder.base
        path = posixpath.normpath(posixpath.join(base or "", rest[0]))
        if path in recorder.open or len(recorder.open) >= DEPTH:
            recorder.note(
                line,
                N_("{command} calls itself again; it is not followed"),
                command=source,
            )
            return False
        text = recorder.read(path) if is_known(path) else None
        if text is None:
            recorder.note(
                line, N_("the file {file} cannot be read; it is left out"), file=path
            )
            return False
        before, outer, folder = len(recorder.calls), recorder.file, recorder.folder
        recorder.open.append(path)
        recorder.file = posixpath.basename(path)
        inner = ShellReader(recorder)
        inner._steps = self._steps
        if sourced:
            inner._local, inner._functions = self._local, self._functions
            inner._strict = self._strict
        environment = (recorder.python, recorder.python_folder, dict(recorder.set))
        inner.file(text, path, words[words.index(rest[0]) + 1 :])
        self._steps = inner._steps
        recorder.file = outer
        recorder.open.pop()
        if not sourced:
            recorder.folder = folder
            recorder.python, recorder.python_folder, recorder.set = environment
            recorder.part_ends(before)
        started = len(recorder.calls) > before
        if started and self._strict:
            recorder.fails_stop()
        return started

    def _redirections(self, part: Sequence[Token], *, python: bool) -> None:
        if not python:
            return
        for sign, target in pairwise(part):
            if sign.is_word or sign.text not in _REDIRECTIONS or not target.is_word:
                continue
            text = " ".join(self._expand(target.text, target.line))
            if sign.text in {"<", "<<", "<<<", "<<-"}:
                if text != "/dev/null":
                    self._recorder.has_input(text, target.line)
            elif not text.isdigit() and text != "-":
                self._recorder.output_to(text, target.line)

    # --- Variables -------------------------------------------------------------------

    def _assign(self, name: str, value: str, line: int) -> None:
        if name in self._recorder.set or name == "PATH":
            self._recorder.assign(name, value, line)
        else:
            self._recorder.keep_secret(name, value)
            self._local[name] = bounded(value)

    def _declared(self, words: tuple[str, ...], line: int, *, exported: bool) -> None:
        for word in words:
            if word.startswith("-"):
                continue
            name, sign, value = word.partition("=")
            if not sign:
                value = self._local.get(name, "")
            if exported and (sign or name in self._local):
                self._recorder.assign(name, value, line)
            elif sign:
                self._recorder.keep_secret(name, value)
                self._local[name] = bounded(value)

    def _value(self, name: str) -> str | None:
        """Return the value of a variable or of an argument; None: nobody knows."""
        if name in {"0", "BASH_SOURCE"}:
            return self._script or None
        if name.isdigit() or name in {"@", "*"}:
            args = self._args
            if args is None or not name.isdigit():
                return None if args is None else " ".join(args)
            return "".join(args[int(name) - 1 : int(name)])
        if name == "PWD" and "PWD" not in self._local:
            return self._recorder.folder or self._recorder.base
        return self._local.get(name) or self._recorder.value(name)

    def _expand(  # noqa: C901, PLR0912 - one branch a sign that means something
        self, raw: str, line: int
    ) -> list[str]:
        """Return the words that a word becomes: an unquoted variable may be several."""
        if raw in {'"$@"', '"${@}"'} and self._args is not None:
            return list(self._args)
        if raw.startswith("$'") and raw.endswith("'"):
            return [_ESCAPE.sub(lambda match: _ESCAPES[match[1]], raw[2:-1])]
        out, at = "", 0
        words: list[str] = []
        there = False
        if raw == "~" or raw.startswith("~/"):
            out, at, there = self._value("HOME") or "~", 1, True
        while at < len(raw):
            if len(out) > _LONGEST:
                raise _Left
            char = raw[at]
            if char == "\\":
                out += raw[at + 1 : at + 2]
                at, there = at + 2, True
            elif char == "'":
                end = raw.find("'", at + 1)
                end = len(raw) if end < 0 else end
                out += raw[at + 1 : end]
                at, there = end + 1, True
            elif char == '"':
                end = end_of_double(raw, at + 1)
                out += self._quoted(raw[at + 1 : end], line)
                at, there = end + 1, True
            elif char in "$`":
                value, at = self._substituted(raw, at, line)
                if is_known(value) and re.search(r"\s", value):
                    parts = value.split()
                    if parts:
                        words += (
                            [out + parts[0], *parts[1:-1]] if len(parts) > 1 else []
                        )
                        out = parts[-1] if len(parts) > 1 else out + parts[0]
                else:
                    out += value
                there = there or bool(value)
            else:
                # Which files a pattern means, and what braces list, the shell tells.
                match = _PATTERN.match(raw, at)
                pattern = match[0] if match and "://" not in raw else ""
                out += unknown(pattern) if pattern else char
                at, there = at + max(1, len(pattern)), True
        return [*words, out] if there else words

    def _quoted(self, raw: str, line: int) -> str:
        out, at = "", 0
        while at < len(raw):
            if raw[at] == "\\" and raw[at + 1 : at + 2] in set('"\\$`\n'):
                out += raw[at + 1]
                at += 2
            elif raw[at] in "$`":
                value, at = self._substituted(raw, at, line)
                out += value
                if len(out) > _LONGEST:
                    raise _Left
            else:
                out += raw[at]
                at += 1
        return out

    def _substituted(self, raw: str, at: int, line: int) -> tuple[str, int]:
        """Return the value of what begins with a ``$`` or a backquote, and its end."""
        if raw[at] == "`":
            end = raw.find("`", at + 1)
            end = len(raw) if end < 0 else end
            return self._output_of(raw[at + 1 : end], raw[at : end + 1], line), end + 1
        if raw.startswith("$((", at):
            end = end_of_substitution(raw, at)
            return unknown(raw[at:end]), end
        if raw.startswith("$(", at):
            end = end_of_substitution(raw, at)
            return self._output_of(raw[at + 2 : end - 1], raw[at:end], line), end
        if raw.startswith("${", at):
            end = end_of_substitution(raw, at)
            return self._braced(raw[at:end], line), end
        match = _NAME.match(raw, at + 1)
        if match is None:
            return "$", at + 1
        value = self._value(match[0])
        if value is None:
            usual = match[0] in {"HOME", "USER", "LOGNAME"}
            value = f"${match[0]}" if usual else unknown(f"${match[0]}")
        return value, match.end()

    def _braced(self, raw: str, line: int) -> str:
        match = _BRACED.fullmatch(raw)
        if match is None:
            # ${0%/*} is the folder of the script, as $(dirname "$0").
            if raw in {"${0%/*}", "${BASH_SOURCE%/*}", "${BASH_SOURCE[0]%/*}"}:
                return self._recorder.base or "."
            return unknown(raw)
        value = self._value(match[1])
        if match[3] and not match[2]:
            if match[3] == "%/*" and match[1] in {"0", "BASH_SOURCE"}:
                return self._own_folder()
            return unknown(raw)
        if not value and match[2]:
            return " ".join(self._expand(match[3], line))
        return unknown(raw) if value is None else value

    def _own_folder(self) -> str:
        if self._script:
            return posixpath.dirname(self._script) or "."
        return self._recorder.base or "."

    def _output_of(self, command: str, raw: str, line: int) -> str:
        """Return what a command would print, where that can be told."""
        text = re.sub(r"\s*(?:&|[012])?>\s*(?:/dev/null|&[12])", "", command).strip()
        if _OWN_FOLDER.fullmatch(text):
            return self._own_folder()
        if text == "pwd":
            here = self._recorder.folder or self._recorder.base
            return here if here is not None else unknown(raw)
        words = text.split()
        if len(words) > 1 and words[0] in {"which", "command", "type"}:
            program = words[-1].strip("\"'")
            return program if is_python(program) else unknown(raw)
        if len(words) > 1 and words[0] in {
            "dirname",
            "realpath",
            "readlink",
            "basename",
        }:
            inner = " ".join(self._expand(words[-1], line))
            if is_known(inner) and words[0] == "dirname":
                return posixpath.dirname(inner) or "."
            return inner if words[0] != "basename" else posixpath.basename(inner)
        return unknown(raw)


def _is_function(found: Sequence[Token], at: int) -> bool:
    texts = [token.text for token in found[at : at + 4]]
    if texts[:1] == ["function"]:
        return True
    return len(texts) > 2 and found[at].is_word and texts[1:3] == ["(", ")"]  # noqa: PLR2004


def _closing(found: Sequence[Token], at: int) -> int:
    """Return what follows the word that closes the one at ``at``."""
    open_words: list[str] = []
    while at < len(found):
        token = found[at]
        starts = at == 0 or not found[at - 1].is_word or found[at - 1].text in _BEFORE
        if token.is_word and (starts or not open_words):
            if token.text in _OPENS:
                open_words.append(_OPENS[token.text])
            elif open_words and token.text == open_words[-1]:
                open_words.pop()
        at += 1
        if not open_words:
            return at
    return len(found)


#: Words behind which a command begins.
_BEFORE = frozenset(
    {"then", "else", "elif", "do", "if", "while", "until", "{", "!", "in"}
)


def _parenthesis(found: Sequence[Token], at: int) -> int:
    """Return what follows the parenthesis that closes the one at ``at``."""
    depth = 0
    while at < len(found):
        if not found[at].is_word:
            depth += {"(": 1, ")": -1}.get(found[at].text, 0)
        at += 1
        if depth == 0:
            break
    return at


def _with_redirections(found: Sequence[Token], at: int) -> int:
    while at < len(found):
        if not found[at].is_word and found[at].text in _REDIRECTIONS:
            at += 2
        elif found[at].is_word and found[at].text.isdigit():
            at += 1
        else:
            break
    return min(at, len(found))


def _branches(
    part: Sequence[Token],
) -> tuple[Sequence[Token], Sequence[Token], Sequence[Token], bool]:
    """Return condition, body and ``else`` of an ``if``, and whether there is an ``elif``."""
    marks: list[tuple[str, int]] = []
    at = 1
    while at < len(part):
        token = part[at]
        starts = not part[at - 1].is_word or part[at - 1].text in _BEFORE
        if token.is_word and starts and token.text in _OPENS:
            at = _closing(part, at)
            continue
        if token.is_word and starts and token.text in {"then", "else", "elif", "fi"}:
            marks.append((token.text, at))
        at += 1
    places = dict(reversed(marks))
    then, end = places.get("then", len(part)), places.get("fi", len(part))
    other = places.get("else", end)
    condition = [t for t in part[1:then] if t.text not in {";", "\n"}]
    return condition, part[then + 1 : other], part[other + 1 : end], "elif" in places


def _is_prerequisite(part: Sequence[Token], guarded: str) -> bool:
    """Say whether a test asks only if what it guards can be started at all."""
    words = [token.text.strip("\"'") for token in part if token.is_word]
    options = {word for word in words if word.startswith("-")}
    if "!" in words or not options & {"-x", "-d", "-f", "-e", "-r", "-s"}:
        return False
    asked = words[-1] if words[-1] not in {"]", "]]"} else words[-2]
    return bool(asked) and asked in guarded


def _source(part: Sequence[Token]) -> str:
    """Return commands as people write them in one line."""
    out: list[str] = []
    for token in part:
        if token.text not in {"\n", ";"}:
            out.append(token.text)
        elif out and out[-1] not in _NO_END and not out[-1].endswith(";"):
            out[-1] += ";"
    return " ".join(out).rstrip(" ;")


def _source_before(found: Sequence[Token], at: int) -> str:
    """Return the command in front of the pipe before ``at``."""
    begin = at - 1
    while begin > max(0, at - _SHOWN_WORDS):
        token = found[begin - 1]
        if not token.is_word and token.text in _ENDS - {"|"}:
            break
        begin -= 1
    return _source(found[begin : at - 1])
