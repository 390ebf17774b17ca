"""Which literals of a source are secret by where they stand in it.

``password = b64decode("x")``, ``login(user, "x")``, ``auth=("bob", "x")``, and
``field("password").send_keys("x")``: a secret is given to a name, or passed to what takes
one. Brackets are followed, nothing is parsed: a source may be wrong, or of another Python.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from python_runner.patterns import lazy_pattern
from python_runner.secret_values import is_secret_name


#: Names of what is a secret only if it looks like one.
KEYS = frozenset({"key", "keys", "cle", "cles"})
#: Characters of an item that are remembered.
_REMEMBERED = 160
#: Levels of brackets that are followed.
_DEEPEST = 50
_TOKEN = lazy_pattern(
    r"\\\r?\n|[\w.]+|[(\[{]|[)\]}]|[,;\n]|[=!<>]=|[-+*/|:]?=|:|[^\w\s]|[^\S\n]+"
)
_NAME = lazy_pattern(r"([\w.]+)[\s)]*$")
_LITERAL_NAME = lazy_pattern(r"[\w.-]+(?=\W*$)")
#: Variables that hold a name and a secret: ``auth = ("bob", "x")``.
_LOGINS = lazy_pattern(
    r"(?:\w*_)?(?:auth|credentials?|creds|identifiants|logins?|login_data|cookies)\d*",
    re.IGNORECASE,
)
#: What takes a secret behind another argument, and what takes it as its only one.
_TAKES = lazy_pattern(
    r"(?:.*\.)?(?:login|logon|log_in|sign_?in|se_connecter|connexion|connect(?:ion)?|auth"
    r"|authenticate|ftp(?:_tls)?|smtp_login|http\w*auth|ntlm\w*|basic_?auth\w*|\w*credentials?"
    r"|acquire_token\w*|set_?password|add_password|setpassword|un?protect\w*|fernet"
    r"|net_?use\w*|login_user\w*|open_?workbook|workbooks\.open)",
    re.IGNORECASE,
)
_ALONE = lazy_pattern(r"(?:.*\.)?(?:set_?password|un?protect\w*|fernet)", re.IGNORECASE)
#: What asks for a secret: its arguments say where it is.
_READS = lazy_pattern(
    r"(?:.*\.)?(?:get\w*|env\w*|environ\w*|input|ask\w*|prompt\w*|open|path|r?split|r?strip"
    r"|encode|decode|read\w*|fetch\w*|load\w*|isinstance|print|find\w*|search|match|sub"
    r"|startswith|endswith|select\w*|execute|query|config|log\w*|debug|info|warn\w*"
    r"|error|exit|\w*error|\w*exception|post|put|patch|request)",
    re.IGNORECASE,
)
#: Arguments that a reader falls back to.
_DEFAULTS = frozenset(
    {"default", "value", "const", "fallback", "default_value", "envvar"}
)
#: What writes into a field that was found before: ``field("password").send_keys("x")``.
_WRITES = lazy_pattern(
    r"(?:.*\.)?(?:send_?keys|fill|type\w*|write|set\w*|insert|press\w*|input_text)",
    re.IGNORECASE,
)
#: A form that secrets are put into: ``"postgresql://{}:{}@db".format(user, "x")``.
_FORM = lazy_pattern(
    r"(?i):(?:\{[^}]*\}|%\w)@|(?:pwd|password|passwort|mdp)=['{]?(?:\{[^}]*\}|%\w)"
)
#: Programs that take a secret behind a letter: ``["mysql", "-px"]``.
_PROGRAMS = lazy_pattern(
    r"(?:.*[\\/])?(?:mysql\w*|mariadb\w*|7z[ar]?|sshpass|sqlcmd|bcp|curl|plink|pscp|unzip"
    r"|unrar|zip|ldapsearch|net|schtasks|psexec\w*|wget)(?:\.exe)?",
    re.IGNORECASE,
)
_LETTERS = frozenset({"-p", "-P", "-u", "-w", "/rp", "/p"})
_WITH_LETTER = lazy_pattern(r"(?:-[pPw]|/user:|/pass(?:word)?:)\S")
_ANNOTATED = lazy_pattern(r"\s*([\w.]+)\s*:[^:]")
_COMPARED = lazy_pattern(r"\s*(?:[=!]=|in\b)\s*([\w.]+)")


@dataclass(slots=True)
class _Level:
    """What stands between two brackets, as far as it has been read.

    Attributes:
        opener: the bracket that begins it; empty for none.
        called: what is called, ``smtp.login``; empty where nothing is.
        reads: whether its literals say where a secret is.
        item: the end of the code since the last comma.
        named: whether what stands there now is given to the name of a secret.
        login: whether what is in brackets there is: ``auth = ("bob", "x")``.
        position: how many items came before.
        told: whether a literal before is the name of a secret.
        program: whether a literal before is a program that takes one.
        letter: whether the literal before announces one: ``"-p"``.
    """

    opener: str = ""
    called: str = ""
    reads: bool = False
    item: str = ""
    named: bool = False
    login: bool = False
    position: int = 0
    told: bool = False
    program: bool = False
    letter: bool = False


@dataclass(slots=True)
class Places:
    """Follows the code of a source from literal to literal."""

    levels: list[_Level] = field(default_factory=lambda: [_Level()])

    def code(self, text: str) -> None:
        """Take the code between two literals, without comments."""
        for match in _TOKEN.finditer(text):
            self._take(match[0])

    def _take(self, part: str) -> None:
        level = self.levels[-1]
        if part in "([{":
            self._open(part)
        elif part in ")]}":
            self._close(part)
        elif part in "\n;" and len(self.levels) == 1:
            self.levels[0] = _Level()
        elif part == "," and len(self.levels) > 1:
            level.position += 1
            level.item, level.named, level.login = "", False, False
        else:
            if part == ":" or part[-1] == "=":
                _given(level, part)
            elif part == "in":
                names = ["", *level.item.split()]
                level.login |= names[-2:-1] != ["for"] and _is_secret(names[-1])
            level.item = (level.item + part)[-_REMEMBERED:]

    def _open(self, bracket: str) -> None:
        if len(self.levels) == _DEEPEST:
            return
        item = self.levels[-1].item
        name = _NAME.search(item) if item[-1:].strip() else None
        behind = item[-1:] in {")", "]"} or name is not None
        called = name[1] if name and bracket == "(" else ""
        reads = (bracket == "[" and behind) or bool(_READS.fullmatch(called))
        self.levels.append(_Level(bracket, called, reads))

    def _close(self, bracket: str) -> None:
        if len(self.levels) > 1:
            inner = self.levels.pop()
            outer = self.levels[-1]
            text = f"{outer.item}{inner.opener}{inner.item}{bracket}"
            outer.item = text[-_REMEMBERED:]

    def literal(self, text: str, behind: str) -> bool:
        """Take a literal, quotes included, and say whether it is secret.

        Args:
            text: the literal.
            behind: the code that follows it.
        """
        level = self.levels[-1]
        value = text.strip("\"'")
        secret = self._is_given(behind) or self._is_passed(level, value)
        name = _LITERAL_NAME.search(value)
        level.told |= bool(name) and not secret and _is_secret(name[0] if name else "")
        level.program |= bool(_PROGRAMS.fullmatch(value))
        level.letter = value in _LETTERS
        if _FORM.search(value) and (".format" in behind or "%" in behind):
            self.levels[0].named = level.named = True
        level.item = (level.item + text)[-_REMEMBERED:]
        return secret

    def _is_given(self, behind: str) -> bool:
        for depth, level in enumerate(reversed(self.levels)):
            if level.named or (level.login and depth):
                return True
            if level.reads:
                return False
        compared = _COMPARED.match(behind)
        return compared is not None and _is_secret(compared[1].rpartition(".")[2])

    def _is_passed(self, level: _Level, value: str) -> bool:
        if level.program and (level.letter or _WITH_LETTER.match(value)):
            return True
        # What an argument by name is, its name says.
        if not level.called or "=" in level.item:
            return False
        if _TAKES.fullmatch(level.called):
            if level.position or _ALONE.fullmatch(level.called):
                return True
            return "/" in value and "@" in value
        if _WRITES.fullmatch(level.called):
            before = self.levels[-2].item + (" " if not level.told else " password")
            return any(
                map(_is_secret, before.replace('"', " ").replace("'", " ").split())
            )
        return False


def _given(level: _Level, sign: str) -> None:
    """Note what the following is given to, where ``=`` or ``:`` stands."""
    item = level.item
    if sign == ":":
        if level.opener == "{" or item.strip()[-1:] in {'"', "'"}:
            name = _LITERAL_NAME.search(item)
            level.named = name is not None and _is_secret(name[0])
        return
    annotated = _ANNOTATED.match(item)
    names = [
        _last_name(one) for one in (annotated[1] if annotated else item).split(",")
    ]
    if sign in {"==", "!=", "<=", ">="}:
        names = names[-1:]
    level.named |= any(map(_is_secret, names))
    level.named |= level.told and names[-1] in _DEFAULTS
    level.login = any(map(_LOGINS.fullmatch, names))


def _last_name(text: str) -> str:
    name = _NAME.search(text.rstrip("+-*/|: \t\n"))
    if name is None:
        quoted = _LITERAL_NAME.search(text) if text.rstrip().endswith("]") else None
        return quoted[0] if quoted else ""
    return name[1].rpartition(".")[2]


def _is_secret(name: str) -> bool:
    # A key is one of a table more often.
    return name.lower() == "pwd" or (name.lower() not in KEYS and is_secret_name(name))
