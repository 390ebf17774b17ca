"""The bytes of a source file become the text that is kept of it: without secrets.

Beside those that are known from elsewhere these are what the source itself calls a
password or a token. What it computes is no secret: ``token = os.environ["TOKEN"]`` stays.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from python_runner.masking import MASK, SHORTEST
from python_runner.patterns import lazy_pattern
from python_runner.secret_values import is_secret_name, secrets_inside
from python_runner.source_places import KEYS, Places
from python_runner.texts.utf8 import UTF8, codec_name, local_encoding, to_utf8


if TYPE_CHECKING:
    from collections.abc import Iterator

    from python_runner.masking import Masker

#: Bytes of the largest source whose text is kept.
LARGEST = 200_000
#: The encoding of a source, in one of its first two lines.
_DECLARED = lazy_pattern(rb"(?m)^[ \t\f]*#.*?coding[:=][ \t]*([-\w.]+)")
#: Characters before a literal in which its name is looked for.
_BEFORE = 160
#: A literal that a variable called ``key`` gets is a secret only if it looks like one.
_LONG_KEY = lazy_pattern(r"(?=\D*\d)[^\s]{16,}")

#: Comments, and literals between quotes; the source may be wrong, and one never end.
_PARTS = lazy_pattern(
    r"(?P<comment>#[^\n]*+)"
    r"|\"\"\"(?:[^\\\"]|\\.|\"(?!\"\"))*+(?:\"\"\")?"
    r"|'''(?:[^\\']|\\.|'(?!''))*+(?:''')?"
    r"|\"(?:[^\\\"\n]|\\.)*+\"?|'(?:[^\\'\n]|\\.)*+'?",
    # A backslash goes with whatever follows, the end of the line too.
    re.DOTALL,
)
#: Where what a literal is given to may begin, and the words of it.
_BEGIN = lazy_pattern(r"[,({;\n]")
_WORD = lazy_pattern(r"[\w.-]+")
_QUOTED_WORD = lazy_pattern(r"[\s\[]*[\"'](?P<word>[\w.-]+)[\"']\s*")
#: Between two literals that are one.
_BLANK = lazy_pattern(r"[\s\\]*[A-Za-z]{0,2}")
_QUOTES = lazy_pattern(r"\"\"\"|'''|\"|'")

_NAMED = (
    r"(?:password|passwort|kennwort|passphrase|mots? de passe|contrase[n\u00f1]a|mdp|pwd|passwd"
    r"|token|jeton|secret|api.?key)"
)
#: What each of the following needs: most literals have none of it.
_MAY_TELL = lazy_pattern(
    rf"{_NAMED}|identified|\s-p|/user:|/rp|/p|://|\bnet use", re.IGNORECASE
)
#: What a literal or a comment tells in words, a command or a markup. A comment's secret has
#: a digit and a letter: ``# the password is wrong`` tells none.
_TOLD = tuple(
    lazy_pattern(pattern, re.IGNORECASE)
    for pattern in (
        (
            rf"\b{_NAMED}\b[\w ]{{0,20}}?(?: (?:is|was|est|ist) |\s*[:=]\s*|\s+)[\"'(]?"
            r"(?P<secret>(?=[^\s\"'(){}]*\d)(?=[^\s\"'(){}]*[A-Za-z])[^\s\"'(){}]{6,})"
        ),
        r"\bidentified by\s+[\"']?(?P<secret>[^\s\"';{}]+)",
        r"\bpassword\s+[\"'](?P<secret>[^\s\"'{}]+)",
        (
            r"\b(?:mysql\w*|mariadb\w*|7z[ar]?|unrar|unzip|zip|sshpass|sqlcmd|bcp|plink|pscp|psexec"
            r"\w*)(?:\.exe)?\s(?:[^\n]{0,200}?\s)?-p\s*[\"']?(?P<secret>[^\s\"'{}]+)"
        ),
        (
            r"\b(?:schtasks|net use|psexec\w*|runas|cmdkey)\b[^\n]{0,200}?"
            r"(?:\s/(?:rp|p|pass(?:word)?)[ :]|/user:\S+\s+)(?P<secret>[^\s\"'{}/]+)"
        ),
        r"\bnet use\b[^\n]{0,200}?\s(?P<secret>[^\s/\\:]+)\s+/user:",
        rf"<(\w*{_NAMED}\w*)>(?P<secret>[^<>\s{{}}]+)</",
        rf"\\[\"']\w*{_NAMED}\\[\"']\s*:\s*\\[\"'](?P<secret>[^\"'\\{{}}]+)",
        r"://[^\s/@:\"'{}]*:(?P<secret>[^\s\"'{}<>/@]+)@",
        rf"\b\w*{_NAMED}\w*\\?[\"']?\s*=\s*(?P<secret>[^\s\"'{{}};&,=]+);",
    )
)


def source_text(data: bytes, masker: Masker) -> str | None:
    """Return the text of a source; None for what is too large, or no text."""
    if len(data) > LARGEST or b"\0" in data:
        return None
    text = masker.text(_decoded(data))
    return "".join(_without_own_secrets(text))


def _decoded(data: bytes) -> str:
    """Return a source as Python reads it; what is not in its encoding by its number."""
    head = b"\n".join(data.split(b"\n", 2)[:2])
    declared = _DECLARED.search(head)
    encoding = codec_name(declared[1].decode() if declared else UTF8)
    if encoding == UTF8:
        encoding = local_encoding()
    text = to_utf8(data, encoding).decode(UTF8, "backslashreplace")
    return text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


def _without_own_secrets(text: str) -> Iterator[str]:
    """Yield the parts of a source; in literals and comments no secret is left."""
    found = list(_PARTS.finditer(text))
    # In most sources there is none: one look at all of them tells.
    inside = set(secrets_inside("", "\n".join(match[0] for match in found)))
    position, secret, places = 0, False, Places()
    #: The end of the code without comments, and its part behind the last literal.
    code = gap = ""
    for match in found:
        between, part = text[position : match.start()], match[0]
        yield between
        position = match.end()
        code, gap = (code + between)[-_BEFORE:], (gap + between)[-_BEFORE:]
        places.code(between)
        whole = False
        if not match["comment"]:
            # Literals beside each other are one.
            joined = secret and bool(_BLANK.fullmatch(gap))
            placed = places.literal(part, text[position : position + _BEFORE])
            whole = secret = joined or placed or _is_secret(code, part)
            code, gap = (code + part)[-_BEFORE:], ""
        if whole:
            yield _emptied(part)
        elif "@" in part or any(value in part for value in inside):
            yield _without_told(_without_inner_secrets(part))
        else:
            yield _without_told(part)
    yield text[position:]


def _without_told(part: str) -> str:
    """Return a literal or a comment without what its own words call a secret."""
    if not _MAY_TELL.search(part):
        return part
    for pattern in _TOLD:
        part = pattern.sub(lambda m: m[0].replace(m["secret"], MASK), part)
    return part


def _is_secret(before: str, literal: str) -> bool:
    """Say whether the name that a literal is given to tells that it is a secret.

    That is so in ``password = "x"``, ``password: str = "x"``, ``login(password="x")``,
    ``["token"] = "x"``, ``if pin == "x"``, ``{"token": "x"}`` and ``"--token", "x"``.
    """
    if before[-1:].isalpha():
        # The letters of a literal: f"x".
        before = before.rstrip("bBrRuUfF")
    before = before.rstrip("( \t\n\\")
    sign, rest = before[-1:], before[:-1].rstrip("=!+ \t")
    name = _BEGIN.split(rest)[-1]
    if sign == "=":
        words = _WORD.findall(name.partition(":")[0])
        name = words[-1] if words else ""
    elif sign in {":", ","} and (quoted := _QUOTED_WORD.fullmatch(name)):
        name = quoted["word"]
    else:
        return False
    name = name.rpartition(".")[2]
    if name.lower() in KEYS:
        return bool(_LONG_KEY.fullmatch(literal.strip("\"'")))
    return is_secret_name(name)


def _emptied(literal: str) -> str:
    quotes = _QUOTES.match(literal)
    mark = quotes[0] if quotes else ""
    end = mark if literal.endswith(mark, len(mark)) else ""
    # That there is no password is no secret.
    empty = not literal.removeprefix(mark).removesuffix(end).strip()
    return literal if empty else f"{mark}{MASK}{end}"


def _without_inner_secrets(part: str) -> str:
    # A short one may be a part of a longer one.
    found = sorted({*secrets_inside("", part.strip("\"'"))}, key=len, reverse=True)
    for secret in found:
        if len(secret) >= SHORTEST:
            part = part.replace(secret, MASK)
    return part
