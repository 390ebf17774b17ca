"""Judges which values are secret: by the name of a variable, and by what a value holds.

A name is taken apart into its words (``dbPassword`` and ``DB_PASSWORD`` are the same two).
Some words name a secret wherever they stand, some only at the end of a name; and a name
that ends in a word such as ``FILE`` or ``TIMEOUT`` only describes one.
"""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import unquote, unquote_plus

from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

#: The runner's own: never inherited by a script.
OWN_SECRETS = frozenset({"PASSWORD_MAIL", "OAUTH_CLIENT_SECRET"})
#: Characters of an own secret from which on a longer value that holds it is one as well.
#: A shorter one may be a part of any path.
_HELD = 8
#: Characters of the longest password that is looked for inside a value.
_LONGEST = 4096
#: Variables whose secrets are remembered: each project looks at the same environment,
#: several times.
_REMEMBERED = 4096


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: These name a secret wherever they stand in a name.
_ALWAYS = _words(
    "PASSWORD PASSWORDS PASSWD PASSWDS PASSWRD PASSPHRASE PASSPHRASES PASSCODE PASSCODES"
    " PASSKEY PASS PSWD PSWRD PWD PWDS SECRET SECRETS SECRETE SECRETES TOKEN TOKENS"
    " CREDENTIAL CREDENTIALS CRED CREDS JWT JWTS BEARER PIN PINS MDP MDPS JETON JETONS"
    " MOTDEPASSE MOTSDEPASSE MOTPASSE APIKEY APIKEYS ACCESSKEY ACCESSKEYS PRIVATEKEY"
    " PASSWORT KENNWORT CONTRASENA WEBHOOK WEBHOOKS PSK MNEMONIC"
    " SENHA WACHTWOORD HASLO"
)
#: The same for words in a row.
_ALWAYS_TOGETHER = lazy_pattern(
    r"\b(?:(?:API|ACCESS|PRIVATE|SECRET) KEYS?|MOTS?(?: DE)? PASSES?|PHRASE(?: DE)? PASSE"
    r"|PASS (?:WORD|PHRASE|CODE|KEY)S?|CLES? (?:API|PRIVEES?|ACCES)"
    r"|(?:SEED|RECOVERY|BACKUP|MFA|CONFIRMATION|ACCESS) (?:PHRASE|CODE)S?"
    r"|(?:ACTIVATION|UNLOCK|SECURITY) CODES?|CODES? (?:ACTIVATION|ACCES|CONFIDENTIELS?)"
    r"|CONNECTION KEYS?)\b"
)
#: These do at the end of a name.
_LAST = _words(
    "KEY KEYS CLE CLES PW COOKIE COOKIES SAS DSN HOOK HOOKS PAT PATS SALT PEPPER OTP TOTP"
    " AUTHORIZATION PASSE"
)
_LAST_TOGETHER = lazy_pattern(
    r"\b(?:ACCESS SIGNATURE|(?:BASIC|HTTP|PROXY|REDIS|REDISCLI|DB|FTP|CURL|NPM|REGISTRY"
    r"|DOCKER|API) AUTH"
    r"|AUTH HEADER|(?:SAS|SIGNED|PRESIGNED|HOOK) UR[LI])$"
)
#: A name may begin with it.
_FIRST_KEY = lazy_pattern(r"(?:CLES? |CLEFS? (?!USB))")
#: Ends of a word that is written in one piece: PGPASSWORD, dbpwd.
_JOINED = lazy_pattern(
    r"(?:PASSWORDS?|PASSWD|PASSPHRASE|SECRETS?|TOKENS?|CREDENTIALS?|CREDS|MOTDEPASSE|MDP"
    r"|(?:API|ACCESS|PRIVATE|SECRET|MASTER|AUTH|ENCRYPTION|SIGNING|ACCOUNT|SSH|STORAGE"
    r"|PRIV|SIGN|CRYPT|CRYPTO|APP|CONSUMER|CLIENT|BOT|OPENAI|MAILGUN|SENDGRID|STRIPE"
    r"|LICEN[CS]E|SESSION|DEPLOY)_?KEYS?"
    r"|(?<!^OLD)(?<!^)PWD|(?<=..)PW|(?<=..)PASS)$"
)
#: Words that end as a secret does.
_NO_SECRETS = _words(
    "COMPASS ENCOMPASS BYPASS TRESPASS SURPASS OVERPASS UNDERPASS LOWPASS HIGHPASS"
    " BANDPASS ALLPASS MULTIPASS FIRSTPASS ASKPASS"
)
#: With one of these before it, KEY is no secret: public ones, and those of data.
_HARMLESS_KEYS = _words(
    "PUBLIC PUB PUBLIQUE PUBLIQUES FOREIGN ETRANGERE SORT ORDER TRI PARTITION SHARD CACHE"
    " INDEX ROW COLUMN FIELD GROUP UNIQUE COMPOSITE NATURAL SURROGATE BUSINESS ROUTING"
    " OBJECT LOOKUP MAP DICT JSON YAML CONFIG JOIN MERGE MATCH DEDUP IDEMPOTENCY"
    " TRANSLATION MESSAGE I18N ISSUE PROJECT SPACE REGISTRY REG HOT SHORTCUT MODIFIER META"
    " CONTEXT FEATURE METRIC TAG LABEL HOST KNOWN ARROW PRESS ANY ENTER RANGE"
    " BUCKET DATE TIME PRIMAIRE PRIMAIRES"
)
#: These describe how many, or whether: MAX_TOKENS, USE_COOKIES.
_HOW_MANY = _words(
    "MAX MIN NUM NB N TOTAL AVG MEAN USE USES HAS IS ENABLE ENABLED DISABLE DISABLED"
    " ALLOW REQUIRE REQUIRES SKIP WITH WITHOUT GPIO"
)
#: Before or after PASS: a filter, a way, a part of the work.
_HARMLESS_PASS = lazy_pattern(
    r"\b(?:LOW|HIGH|BAND|ALL|FIRST|SECOND|LAST|ONE|TWO|SINGLE|MULTI|BOARDING|DATA|NEXT)"
    r" PASS\b|\bPASS (?:THROUGH|RATE|THRESHOLD|FILTER|FAIL|MARK|GRADE|RATIO|BY|BAND|SCORE"
    r"|PERCENT|PERCENTAGE|NUMBER|NO)\b"
)
_COUNTED_TOKENS = lazy_pattern(
    r"\b(?:INPUT|OUTPUT|PROMPT|COMPLETION|CONTEXT|NEW|STOP|SPECIAL|CACHED) TOKENS\b"
    r"|\bTOKENS? (?:PER|BUDGET|USAGE|USED|LEFT)\b"
)
#: Ends of names that describe a secret without being one: where it is, how long it may be.
_ABOUT = _words(
    "FILE FILES PATH PATHS DIR DIRECTORY FOLDER URL URI URLS ENDPOINT HOST HOSTNAME PORT"
    " NAME NAMES USER USERNAME ID IDS TYPE LENGTH LEN SIZE LIMIT COUNT NUMBER DAYS HOURS"
    " MINUTES SECONDS MS TTL AGE TIMEOUT EXPIRY EXPIRES EXPIRATION IN LIFETIME VALIDITY"
    " POLICY PREFIX SUFFIX FORMAT FIELD COLUMN TABLE INDEX VERSION ALGORITHM ALGO ALG"
    " ISSUER AUDIENCE SCOPE SCOPES ENABLED REQUIRED MODE METHOD PROVIDER MANAGER STORE"
    " VAULT REGION SERVER SERVICE DOMAIN ROTATION STRENGTH HINT LABEL PROMPT PARALLELISM"
    " MIN MAX RETRIES INTERVAL EMAIL REGEX PATTERN RULE RULES BACKEND CLASS ARN SECURE"
    " SAMESITE HTTPONLY COST ROUNDS ITERATIONS CHARS CHARSET ENCODING FICHIER CHEMIN DOSSIER"
    " DUREE LONGUEUR NOM NOMBRE"
)
#: After a name of a secret, which one it is: API_KEY_PROD, SSL_KEY_PEM.
_WHICH = _words(
    "PROD PRODUCTION DEV TEST TESTS STAGING PREPROD QA UAT LIVE SANDBOX LOCAL OLD NEW"
    " PRIMARY SECONDARY PEM DER B64 BASE64 HEX JSON VALUE V A B DEFAULT CURRENT PREVIOUS"
)
_CAMEL = lazy_pattern(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
#: A value that only tells where the key is.
_KEY_FILE = lazy_pattern(
    r"(?:~|\.{0,2})?(?:[A-Za-z]:)?[\\/][^\n]*"
    r"(?:\.(?:pem|key|p12|pfx|json|crt|cer|jks|txt|ppk|env)|[\\/](?:id_\w+|secrets/\w+))",
    re.IGNORECASE,
)


def is_own_secret(name: str) -> bool:
    """Say whether a variable is the runner's own secret, by the platform's spelling."""
    return (name.upper() if sys.platform == "win32" else name) in OWN_SECRETS


def own_values(*environments: Mapping[str, str]) -> frozenset[str]:
    """Return the values of the runner's own secrets."""
    return frozenset(
        value
        for variables in environments
        for name, value in variables.items()
        if value and is_own_secret(name)
    )


def holds_own_secret(value: str, own: Iterable[str]) -> bool:
    """Say whether a value is one of the runner's own secrets, or visibly holds one.

    An address holds it with ``%40`` in the place of an ``@``.
    """
    return any(
        secret == text or (len(secret) >= _HELD and secret in text)
        for text in {value, unquote(value)}
        for secret in own
    )


@lru_cache(_REMEMBERED)
def is_secret_name(name: str) -> bool:
    """Say whether a variable's name tells that its value is secret."""
    words = _name_words(name)
    together = " ".join(words)
    if not words or _HARMLESS_PASS.search(together) or _COUNTED_TOKENS.search(together):
        return False
    last = _without(words, _WHICH)
    if _LAST_TOGETHER.search(" ".join(last)) or _is_hook_address(words):
        return True
    if (
        words[-1] in _ABOUT
        or words[0] in _HOW_MANY
        or words in (["PWD"], ["OLD", "PWD"])
    ):
        return False
    if _ALWAYS_TOGETHER.search(together) or any(map(_is_secret_word, words)):
        return not _is_public_key(last)
    if _FIRST_KEY.match(together):
        return not _HARMLESS_KEYS.intersection(words)
    return last[-1] in _LAST and not _is_public_key(last)


def _name_words(name: str) -> list[str]:
    """Return the words of a name, in capitals, without accents and numbers at ends."""
    plain = unicodedata.normalize("NFKD", name)
    plain = "".join(char for char in plain if not unicodedata.combining(char))
    words = []
    for part in re.split(r"[\W_]+", plain):
        # Of capitals alone, none begins a word.
        pieces = _CAMEL.split(part) if not part.isupper() else [part]
        words += [piece.upper().rstrip("0123456789") for piece in pieces]
    return [word for word in words if word]


def _without(words: list[str], ends: frozenset[str]) -> list[str]:
    end = len(words)
    while end > 1 and words[end - 1] in ends:
        end -= 1
    return words[:end]


def _is_secret_word(word: str) -> bool:
    joined = _JOINED.search(word) and word not in _NO_SECRETS
    return bool(word in _ALWAYS or joined)


def _is_public_key(words: list[str]) -> bool:
    """Say whether a name ends in a key that is none of a secret's."""
    if words[-1] not in {"KEY", "KEYS", "CLE", "CLES"}:
        return False
    if len(words) == 1:
        return False
    return words[-2] in _HARMLESS_KEYS or words[:-1] == ["PRIMARY"]


def _is_hook_address(words: list[str]) -> bool:
    """Say whether the value is the address of a web hook, which holds a token."""
    return words[-1] in {"URL", "URI", "URLS"} and (
        bool({"WEBHOOK", "WEBHOOKS"}.intersection(words))
        or any(word.endswith("WEBHOOK") for word in words)
    )


def secret_values(*environments: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that are secret by their name, and any value's secrets inside.

    Those are passwords and tokens in addresses, connection strings, options and JSON.
    """
    for variables in environments:
        for name, value in variables.items():
            yield from _secrets_of(name, value)


@lru_cache(_REMEMBERED)
def _secrets_of(name: str, value: str) -> tuple[str, ...]:
    own = is_secret_name(name) and not _KEY_FILE.fullmatch(value.strip())
    return (*([value] if own else ()), *secrets_inside(name, value))


#: The part of an address behind a user and a password: a host, or several.
_HOST = r"(?=(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)?(?::[0-9]+)?(?:[/?#,;\s\"'<>)\\]|$)|tcp\(|unix\()"
_USER_INFO = lazy_pattern(r"://([^\s/@:\"'<>]*):([^\s\"'<>]+)")
_AT_HOST = lazy_pattern(rf"@{_HOST}")
#: The port of an address without a user, which looks like one with a user.
_PORT = lazy_pattern(r"[0-9]{1,5}(?:[/?#]|$)")
#: ``https://token@host``: a long user name with digits.
_TOKEN_USER = lazy_pattern(rf"://(?=[^\s/@:]*[0-9])([^\s/@:\"'<>]{{16,}})@{_HOST}")
#: A whole value such as a proxy's, without a scheme.
_BARE_LOGIN = lazy_pattern(
    r"(?!(?:mailto|sips?|xmpp|acct|tel|to|cc|bcc|from|contact|author|e-?mail):)"
    rf"[\w.+%\\-]+:(?![0-9:]+@)([^\s/\"'<>]{{4,}})@{_HOST}[^\s@]*",
    re.IGNORECASE,
)
#: ``jdbc:oracle:thin:scott/tiger@host``, and the same of SQL*Plus.
_ORACLE = lazy_pattern(r"\bjdbc:oracle:\w+:[^/\s@:]*/(?!/)(\"[^\"]+\"|[^\s]+)@")
_ORACLE_LOGIN = lazy_pattern(
    r"[\w$#.\"]+/(\"[^\"]+\"|[^\s/][^\s]*)@(?://\S+|[\w.-]+:[0-9]+[:/]\w+)",
    re.IGNORECASE,
)
#: The same of a name from ``tnsnames.ora``; elsewhere ``checkout@v4`` is a version.
_TNS_LOGIN = lazy_pattern(r"[\w$#.\"]+/(\"[^\"]+\"|[^\s/]\S*)@[\w.-]+")
#: Where ``name=value`` begins inside a value; what is before the name says what ends it.
_PAIR = lazy_pattern(
    r"(?P<before>^|[;&?#\s,({\"'])[ \t]{0,4}(?P<name>-{0,2}[A-Za-z][\w.-]*(?: [A-Za-z]\w*){0,3})"
    r"[ \t]*=[ \t]*"
)
#: The same with the names that a value of JSON, YAML, a header or a dict has.
_QUOTED_PAIR = lazy_pattern(
    r"(?P<quote>[\"'])(?P<name>[A-Za-z][\w. -]*)(?P=quote)\s*:\s*"
    r"(?P<value>\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*')"
)
_HEADER = lazy_pattern(r"\b(?:Bearer|Basic|Token)\s+([\w.~+/=-]{8,})", re.IGNORECASE)
_OPTION = lazy_pattern(
    r"(?:^|\s)--?(?P<name>[A-Za-z][\w-]+)\s+(?P<value>\"[^\"]+\"|'[^']+'|[^\s\"'-]\S*)"
)
#: A line of YAML, or of the head of a request.
_COLON_LINE = lazy_pattern(
    r"^[ \t]*(?:- )?(?P<name>[A-Za-z][\w-]*)[ \t]*:[ \t]+(?P<value>\S[^\n]*)",
    re.MULTILINE,
)
#: As in ``.netrc``, and as curl takes it.
_LOGIN_WORDS = lazy_pattern(r"\blogin\s+\S+\s+password\s+(\S+)")
_LOGIN_OPTION = lazy_pattern(r"(?:^|\s)(?:-u|--user)[\s=]+[^\s:]+:(\S+)")
#: Variables whose value may be a user and a password.
_LOGIN_NAME = lazy_pattern(
    r"AUTH|USER_?(?:PASS|PWD)|CREDENTIAL|CREDS|LOGIN", re.IGNORECASE
)
_LOGIN = lazy_pattern(r"[\w.@+\\-]+:([^\s/]{4,})")
#: What well-known services issue tells by its form that it is a secret.
_ISSUED = lazy_pattern(
    r"(?<![\w-])(?:gh[oprsu]_\w{20,}|github_pat_\w{20,}|glpat-[\w-]{20,}"
    r"|xox[a-z]-[\w-]{10,}|xapp-[\w-]{10,}|sk-[\w-]{20,}|[rs]k_(?:live|test)_\w{10,}"
    r"|whsec_\w{16,}|AIza[\w-]{35}|ya29\.[\w-]{20,}|SG\.[\w-]{16,}\.[\w-]{16,}"
    r"|npm_\w{30,}|pypi-[\w-]{30,}|hf_\w{30,}|dop_v1_\w{30,}|hvs\.[\w-]{20,}"
    r"|eyJ[\w-]{8,}\.eyJ[\w-]{4,}\.[\w-]{8,})"
    r"|(?<![0-9])[0-9]{6,12}:AA[\w-]{30,}"
)
#: One of these is in each of them: a quick look, which compiles nothing.
_ISSUED_MARKS = (
    *("gho_", "ghp_", "ghr_", "ghs_", "ghu_", "github_pat_", "glpat-", "xox", "xapp-"),
    *("sk-", "k_live_", "k_test_", "whsec_", "AIza", "ya29.", "SG.", "npm_", "pypi-"),
    *("hf_", "dop_v1_", "hvs.", "eyJ", ":AA"),
)
#: Addresses whose path is all that one needs to write there.
_HOOK = lazy_pattern(
    r"https?://(?:hooks\.slack\.com/(?:services|workflows|triggers)"
    r"|(?:\w+\.)?discord(?:app)?\.com/api(?:/v[0-9]+)?/webhooks"
    r"|[\w.-]+\.webhook\.office\.com/webhook\w*|outlook\.office\.com/webhook\w*"
    r"|hc-ping\.com)/(?P<path>[^\s\"'<>?#]+)"
)
_PRIVATE_KEY = lazy_pattern(
    r"-----BEGIN [A-Z ]*PRIVATE KEY-----(?:[^-]|-(?!----))*-----END [A-Z ]*PRIVATE KEY-----"
)
_BRACED = lazy_pattern(r"\{([^}]*+(?:\}\}[^}]*+)*+)\}")
_QUOTED = lazy_pattern(r"'((?:[^'\\]|''|\\.)*)'|\"((?:[^\"\\]|\"\"|\\.)*)\"", re.DOTALL)
#: Names of an address's query alone.
_QUERY_NAMES = frozenset({"sig", "signature", "hmac", "auth", "x-amz-signature"})
#: A further pair behind a semicolon: the text is one of ADO and ODBC.
_NEXT_PAIR = lazy_pattern(r"^[^=\s]*[^;=]*=[^;]*;\s*(?:[A-Za-z][\w ]*=|$)")


def secrets_inside(name: str, value: str) -> Iterator[str]:
    """Yield the passwords and tokens inside a value; the same one perhaps twice.

    What could end in several places, because the password itself holds the sign that ends
    it, is yielded with each of the ends that make sense.
    """
    if any(mark in value for mark in _ISSUED_MARKS):
        yield from (match[0] for match in _ISSUED.finditer(value))
    if not any(sign in value for sign in "=:@ "):
        return
    yield from _in_text(name, value)
    if "%" in value and (plain := unquote(value)) != value:
        # A connection string that is a parameter of an address.
        yield from _in_text(name, plain)


def _in_text(name: str, value: str) -> Iterator[str]:
    # A pattern is compiled only for a value with the signs that each of its matches has:
    # most commands meet none of them.
    if "@" in value:
        for found in _in_addresses(name, value):
            yield found
            yield unquote(found)
    if "=" in value:
        yield from _in_pairs(value)
    if ":" in value:
        yield from _behind_colons(name, value)
    if len(value.split(None, 1)) > 1:
        yield from _behind_words(value)
    if "-u" in value:
        yield from (match[1] for match in _LOGIN_OPTION.finditer(value))
    if "-----BEGIN " in value:
        yield from (match[0] for match in _PRIVATE_KEY.finditer(value))


def _behind_colons(name: str, value: str) -> Iterator[str]:
    if '"' in value or "'" in value:
        for match in _QUOTED_PAIR.finditer(value):
            if is_secret_name(match["name"]):
                yield from _unescaped(match["value"])
    if ": " in value or ":\t" in value:
        yield from _of_secret_names(_COLON_LINE, value)
    if "://" in value:
        for match in _HOOK.finditer(value):
            path = match["path"].rstrip("/")
            yield from (path, path.rpartition("/")[2])
    if "/" not in value and _LOGIN_NAME.search(name):
        login = _LOGIN.fullmatch(value.strip())
        yield from (login[1],) if login else ()


def _behind_words(value: str) -> Iterator[str]:
    """Yield what words alone introduce: several stand in the value."""
    if "-" in value:
        yield from _of_secret_names(_OPTION, value)
    if "login" in value:
        yield from (match[1] for match in _LOGIN_WORDS.finditer(value))
    yield from (match[1] for match in _HEADER.finditer(value))


def _of_secret_names(pattern: re.Pattern[str], value: str) -> Iterator[str]:
    for match in pattern.finditer(value):
        if is_secret_name(match["name"]):
            yield match["value"].strip().strip("\"'")


def _in_addresses(name: str, value: str) -> Iterator[str]:
    """Yield the passwords of a value with an ``@``."""
    for match in _USER_INFO.finditer(value):
        rest = match[2][:_LONGEST]
        if _PORT.match(rest) and match[1]:
            continue
        yield from (rest[: end.start()] for end in _AT_HOST.finditer(rest))
    yield from (match[1] for match in _TOKEN_USER.finditer(value))
    if login := _BARE_LOGIN.fullmatch(value.strip()):
        yield login[1]
    oracle = [m[1] for m in _ORACLE.finditer(value)]
    if (login := _ORACLE_LOGIN.fullmatch(value.strip())) or (
        _is_database(name) and (login := _TNS_LOGIN.fullmatch(value.strip()))
    ):
        oracle.append(login[1])
    for password in oracle:
        yield password.strip('"')


def _is_database(name: str) -> bool:
    return bool(re.search("ORA|DB|DATABASE|DSN|CONN|SQL|BASE", name.upper()))


def _in_pairs(value: str) -> Iterator[str]:
    for match in _PAIR.finditer(value):
        before = match["before"]
        query = before in {"?", "&", "#"}
        if not _names_a_secret(match["name"], query=query):
            continue
        rest = value[match.end() : match.end() + _LONGEST]
        whole = value[match.start() : match.start() + _LONGEST]
        for found in _pair_values(rest, before, whole):
            yield found
            if query:
                yield unquote_plus(found)


def _names_a_secret(name: str, *, query: bool) -> bool:
    # In "Server=db Password=x" the name before an equals sign is its last word.
    return (
        is_secret_name(name)
        or is_secret_name(name.rpartition(" ")[2])
        or name.upper() == "PWD"
        or (query and name.lower() in _QUERY_NAMES)
    )


def _pair_values(rest: str, before: str, whole: str) -> Iterator[str]:
    """Yield what may be the value at the start of ``rest``."""
    if match := _BRACED.match(rest):
        yield match[1]
        yield match[1].replace("}}", "}")
        return
    if rest[:1] in {"'", '"'} and (match := _QUOTED.match(rest)):
        text = match[1] if match[1] is not None else match[2]
        yield text
        yield text.replace(match[0][0] * 2, match[0][0])
        yield re.sub(r"\\(.)", r"\1", text)
        return
    if before in {"?", "&", "#"}:
        yield re.split(r"[&#\s\"'<>]", rest, maxsplit=1)[0]
        return
    semicolon = _up_to(rest, r";")
    blank = _up_to(rest, r"\s")
    if before == ";":
        yield semicolon
    elif before.strip():
        # Inside of brackets or quotes, or an item of a list.
        yield semicolon
        yield _up_to(rest, r"[,)}\"'\s]")
    elif before or not _NEXT_PAIR.match(whole):
        yield blank
        yield semicolon if ";" in blank else _up_to(rest, r"\n") if not before else ""
    else:
        yield semicolon
        if ";" in blank:
            yield blank


def _up_to(text: str, ends: str) -> str:
    return re.split(ends, text, maxsplit=1)[0].strip()


def _unescaped(quoted: str) -> Iterator[str]:
    """Yield the text of a string of JSON or of Python, as it stands and as it is meant."""
    yield quoted[1:-1]
    try:
        yield str(json.loads('"' + quoted[1:-1] + '"'))
    except ValueError:
        return
