"""Passwords that configuration files like to change, and how they are written there."""

from __future__ import annotations


#: None begins or ends with a space: no service gives such a one.
PASSWORDS = (
    "abc #def",
    "abc#def",
    "#abc",
    "foo${bar}12",
    "Pa${HOME}1",
    "${PATH}",
    "${OAUTH_CLIENT_SECRET}x",
    "$HOME",
    "$2y$10$abcdefghij",
    "$(id)`id`",
    r"ab\new",
    r"tab\t\\end",
    r"C:\temp\x",
    "back\\",
    "it's",
    "'quoted'",
    'say "hi"',
    '"quoted"',
    '"abcdef',
    "abc'",
    """mix'"`ed""",
    "a=b=c",
    "=abc",
    "semi;colon,comma",
    "per%cent%20%s%%",
    "{braces}[brackets](x)",
    "two  blanks inside",
    "pässwörd€",
    "ключ-鍵",
    "!@^&*()_+|~<>?/",
    "export X=1",
    "null",
    "true",
    "0123456789",
    ":colon: value",
    "-----BEGIN",
)


def single_quoted(password: str) -> str:
    """Return a password in single quotes: the way that holds for every one."""
    return "'" + password.replace("\\", "\\\\").replace("'", "\\'") + "'"


def written(password: str) -> list[str]:
    """Return the ways in which a line of ``.env`` may give a password."""
    ways = [single_quoted(password)]
    if " #" not in password and password[0] not in "'\"":
        ways.append(password)
    if '"' not in password and not password.endswith("\\") and "\\\\" not in password:
        ways.append(f'"{password}"')
    return ways
