"""How a POSIX shell reads a text: words, operators, and the lines where they stand."""

from __future__ import annotations

from python_runner.facts import dataclass


#: Longest first.
_OPERATORS = ("&&", "||", ";;", "<<<", "<<-", "<<", ">>", ">&", "<&", "&>>", "&>", ">|")
_SINGLE = frozenset(";&|()<>\n")


@dataclass(frozen=True, slots=True)
class Token:
    """A word as written, quotes kept, or an operator.

    Attributes:
        text: the word or the operator.
        line: where it begins, from 1.
        is_word: which of the two it is.
    """

    text: str
    line: int
    is_word: bool = True


def tokens(text: str, first: int = 1) -> list[Token]:
    """Return the words and operators of a text; the ends of lines are operators.

    Comments, joined lines and the texts of here-documents are gone.

    Args:
        text: of a script or a command.
        first: number of its first line.
    """
    found: list[Token] = []
    line, at = first, 0
    endings: list[str] = []
    while at < len(text):
        char = text[at]
        if char == "\n":
            found.append(Token("\n", line, is_word=False))
            at, line = at + 1, line + 1
            for ending in endings:
                at, line = _behind_document(text, at, line, ending)
            endings = []
        elif text.startswith("\\\n", at):
            at, line = at + 2, line + 1
        elif char in " \t\r":
            at += 1
        elif char == "#":
            end = text.find("\n", at)
            at = len(text) if end < 0 else end
        elif operator := _operator(text, at):
            found.append(Token(operator, line, is_word=False))
            at += len(operator)
            if operator in {"<<", "<<-"}:
                while text[at : at + 1] in {" ", "\t"}:
                    at += 1
                end = _end_of_word(text, at)
                endings.append(text[at:end].strip("'\"\\"))
                found.append(Token(text[at:end], line))
                at = end
        else:
            end = _end_of_word(text, at)
            word = text[at:end].replace("\\\n", "")
            found.append(Token(word, line))
            line += text.count("\n", at, end)
            at = max(end, at + 1)
    return found


def _operator(text: str, at: int) -> str:
    for operator in (*_OPERATORS, *_SINGLE):
        if text.startswith(operator, at):
            return operator
    return ""


def _behind_document(text: str, at: int, line: int, ending: str) -> tuple[int, int]:
    """Return where the text of a here-document has ended."""
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        content = text[at:end].strip()
        at, line = end + 1, line + 1
        if content == ending:
            break
    return min(at, len(text)), line


def _end_of_word(text: str, at: int) -> int:
    """Return where a word ends, what is quoted and substituted skipped."""
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
        elif char == "'":
            at = _behind(text, at + 1, "'")
        elif char == '"':
            at = end_of_double(text, at + 1) + 1
        elif char == "`":
            at = _behind(text, at + 1, "`")
        elif text.startswith(("$(", "${"), at):
            at = end_of_substitution(text, at)
        elif char in " \t\r" or char in _SINGLE:
            break
        else:
            at += 1
    return min(at, len(text))


def _behind(text: str, at: int, sign: str) -> int:
    end = text.find(sign, at)
    return len(text) if end < 0 else end + 1


def end_of_double(text: str, at: int) -> int:
    """Return where the double quote that was opened before ``at`` is closed."""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\":
            at += 2
        elif text.startswith(("$(", "${"), at):
            at = end_of_substitution(text, at)
        else:
            at += 1
    return min(at, len(text))


def end_of_substitution(text: str, at: int) -> int:
    """Return what follows ``$(...)`` or ``${...}``, which begins at ``at``."""
    opening = text[at + 1]
    closing = ")" if opening == "(" else "}"
    depth, at = 0, at + 1
    while at < len(text):
        char = text[at]
        if char == "\\":
            at += 2
            continue
        if char == "'" and opening == "(":
            at = _behind(text, at + 1, "'")
            continue
        if char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(text)
