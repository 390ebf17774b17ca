"""What an output amounts to: its bytes and lines, errors that were logged, its numbers.

Bytes or text in, numbers out. Millions of lines must not take seconds: what may be a line
of a log is found by its letters, and only that is looked at; numbers are those of the end.
"""

from __future__ import annotations

import json
import math
import re
from itertools import islice
from typing import TYPE_CHECKING, Any

from python_runner.model.metrics import OutputNumber, ScriptMetrics
from python_runner.patterns import lazy_pattern


if TYPE_CHECKING:
    from collections.abc import Iterator

#: Bytes of a line that are looked at: of a record in JSON, and of any other.
_LONGEST_RECORD, _LONGEST_HEAD = 65_536, 400
#: Lines that are looked at closely in one output: behind them no error is counted.
_MOST_CANDIDATES = 20_000
#: What stands in each level's name, in any case that programs write.
_LETTERS = (
    *(
        form
        for word in (b"err", b"warn", b"crit", b"fatal", b"severe", b"alert", b"emerg")
        for form in (word, word.upper(), word.capitalize())
    ),
    *(b"AVERT", b"WRN", b"FTL"),
)
#: The counts of a level, by their names in the metrics.
_WARNING, _ERROR, _CRITICAL = "log_warnings", "log_errors", "log_criticals"
_COUNTED = {
    **dict.fromkeys(("WARNING", "WARN", "WRN", "AVERTISSEMENT"), _WARNING),
    **dict.fromkeys(("ERROR", "ERR", "EXCEPTION", "SEVERE", "ERREUR"), _ERROR),
    **dict.fromkeys(
        ("CRITICAL", "CRIT", "FATAL", "FTL", "ALERT", "EMERGENCY", "CRITIQUE"),
        _CRITICAL,
    ),
}
#: Three letters are a level where a time stands before them.
_SHORT = frozenset({"ERR", "WRN", "FTL", "INF", "DBG", "TRC"})
_LEVELS = (
    "WARNING|WARN|ERROR|SEVERE|CRITICAL|FATAL|AVERTISSEMENT|ERREUR|CRITIQUE"
    "|TRACE|DEBUG|INFO|INFORMATION|NOTICE|SUCCESS|VERBOSE|FINE"
    "|ERR|WRN|FTL|INF|DBG|TRC"
)
_KEYS = ("level", "levelname", "severity", "log_level", "log.level", "lvl", "loglevel")

_COLOUR = lazy_pattern(r"\x1b\[[0-?]*[ -/]*[@-~]")
#: The first level of a line, whichever it is: in capitals, in brackets, or between two of
#: the same marks.
_LEVEL = lazy_pattern(
    rf"(?<![\w.\"'=/-])(?:(?P<plain>{_LEVELS})(?![\w\"'=.])"
    rf"|\[ ?(?P<boxed>(?i:{_LEVELS}|CRIT))\s*\])"
    rf"|(?P<mark> - | \| |\",\"|[|;,\t])(?=(?P<between>(?i:{_LEVELS}))(?P=mark))"
)
_DATE = r"\d{4}[-/.]\d\d?[-/.]\d\d?|\d\d?[-/.]\d\d?[-/.]\d{2,4}"
_TIME = r"\d\d?[:h]\d\d(?::\d\d)?(?:[.,]\d+)?(?:\s?[AP]M\b)?"
#: What shows when a line of a log was written.
_MOMENT = lazy_pattern(
    rf"(?:\b(?:{_DATE}),?[T_ ]?)?(?<![\d:]){_TIME}"
    r"(?:\s?(?:Z|UTC|GMT|CET|CEST)\b|\s?[+-]\d\d:?\d\d)?"
    rf"|\b(?:{_DATE})\b"
)
_BOXES = lazy_pattern(r"\[[^\]\[]*\]|\{[^{}]*\}|\([^()]*\)|<[^<>]*>")
#: Between the parts of a line's begin.
_BETWEEN = lazy_pattern(r"\s+[-\u2013|]+\s+|\s*[|]\s*|:\s*|\t|  +|[\[\](){}]")
#: Words in a part, and parts, that stand before a level at most.
_MOST_WORDS, _MOST_PARTS = 2, 6
#: What follows a level at the begin of a line.
_BEHIND = lazy_pattern(r"\s*[:|\]\t]|\s+[-\u2013]\s|\s*$|\s")
#: A count of what was logged is no such line, nor is a heading: ``ERROR count: 0``,
#: ``ERROR | 12 |``, ``WARNING 3, ERROR 0``.
_NO_RECORD = lazy_pattern(
    r"(?i:[\s\w%]{0,30}(?:\([\s\w%]{0,20}\))?\s*[:=]?\s*"
    r"(?:[(\[]?\d[\d.,\s]*(?:e-?\d+)?[)\]]?|no|none|0 \w+)\s*%?\s*)"
    rf"|[\s|,;/:=-]*(?:(?:{_LEVELS}|\d+)[\s|,;/:=-]+)*(?:{_LEVELS}|\d+)[\s|]*"
    r"| [A-Z]+[A-Z ;,|]*[=*:-]*"
)
_LONGEST_COUNT = 100
_CLOCKED = lazy_pattern(_TIME)
#: What may stand before a level that a colon follows: ``*** ERROR: boom``.
_SIGNS = lazy_pattern(r"(?:[*!>-]{2,}|[^\x00-\x7f]+)\s*")
#: ``level=error`` among other keys.
_LOGFMT = lazy_pattern(
    r"""(?:^|[\s,])(?:level|lvl|severity|log_level|levelname)=["']?(\w+)["']?(?=[\s,]|$)"""
)
#: A letter for a level, as Google's libraries write it, Tornado and Jupyter:
#: ``E1126 09:51:58.123456 4711 load.py:12] message``, ``[E 241126 09:51:58 web:12] message``.
_LETTER = lazy_pattern(
    r"(?=\[?([A-Z]))(?:[A-Z]\d{4} \d\d:\d\d:\d\d\.\d+\s"
    r"|\[[A-Z] (?:\d{6}|\d{4}-\d\d-\d\d) \d\d:\d\d:\d\d[.\d]* [^\]]*\])"
)
_LETTER_LINE = lazy_pattern(rb"[WEF]\d{4} \d\d:|\[[WEC] \d")
_NEXT_LETTER_LINE = lazy_pattern(rb"\n(?:[WEF]\d{4} \d\d:|\[[WEC] \d)")
_LETTER_LEVELS = {"W": _WARNING, "E": _ERROR, "F": _CRITICAL, "C": _CRITICAL}


class OutputMeter:
    """Counts an output as it comes; the result does not depend on where its parts end."""

    def __init__(self) -> None:
        self._bytes = self._line_ends = 0
        self._ends_open = False
        self._levels = dict.fromkeys((_WARNING, _ERROR, _CRITICAL), 0)
        #: The line that has not ended, as far as it is looked at.
        self._rest = b""
        self._candidates = 0

    def feed(self, data: bytes) -> None:
        """Count what follows."""
        if not data:
            return
        self._bytes += len(data)
        self._line_ends += data.count(b"\n")
        self._ends_open = not data.endswith(b"\n")
        data = self._rest + data
        end = data.rfind(b"\n") + 1
        self._count_levels(data[:end])
        self._rest = data[end : end + _LONGEST_RECORD]

    def skip(self, count: int) -> None:
        """Take note of bytes that nobody has read; their lines are as many as before."""
        if self._bytes:
            self._line_ends += self._line_ends * count // self._bytes
        self._bytes += count

    def metrics(self, text: str) -> ScriptMetrics:
        """Return what it amounts to, now that it has ended.

        Args:
            text: its end, without secrets.
        """
        self._count_levels(self._rest)
        self._rest = b""
        return ScriptMetrics(
            output_bytes=self._bytes,
            output_lines=self._line_ends + self._ends_open,
            log_warnings=self._levels[_WARNING],
            log_errors=self._levels[_ERROR],
            log_criticals=self._levels[_CRITICAL],
            numbers=numbers_in(text),
        )

    def _count_levels(self, data: bytes) -> None:
        if not data:
            return
        most = _MOST_CANDIDATES - self._candidates
        begins = sorted(set(_candidates(data, most)))[:most]
        self._candidates += len(begins)
        for begin in begins:
            end = data.find(b"\n", begin, begin + _LONGEST_RECORD)
            line = data[begin : end if end >= 0 else begin + _LONGEST_RECORD]
            if level := level_of(line.decode("utf-8", "replace")):
                self._levels[level] += 1


def _candidates(data: bytes, most: int) -> Iterator[int]:
    """Yield where lines begin that may name a level; ``most`` for each of its forms."""
    if _LETTER_LINE.match(data):
        yield 0
    for match in islice(_NEXT_LETTER_LINE.finditer(data), most):
        yield match.start() + 1
    for letters in _LETTERS:
        found, left = data.find(letters), most
        while found >= 0 < left:
            left -= 1
            yield data.rfind(b"\n", 0, found) + 1
            end = data.find(b"\n", found)
            found = data.find(letters, end) if end >= 0 else -1


def level_of(line: str) -> str | None:
    """Return the count that a line belongs to: ``log_errors``; None: it is none of a log.

    A line counts where the name of the level stands where logging libraries write it, not
    where it is a word among others.
    """
    line = line.strip("\ufeff\r\n ")
    if line.startswith("{"):
        return _level_of_record(line)
    line = line[:_LONGEST_HEAD]
    if "\x1b" in line:
        line = _COLOUR.sub("", line).strip()
    if match := _LETTER.match(line):
        return _LETTER_LEVELS.get(match[1])
    if (match := _LEVEL.search(line)) and _stands_where_levels_do(line, match):
        return _COUNTED.get(match[match.lastgroup or 0].upper())
    if (match := _LOGFMT.search(line)) and line.count("=") > 1:
        return _COUNTED.get(match[1].upper())
    return None


def _level_of_record(line: str) -> str | None:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if isinstance(inner := record.get("record"), dict):
        # loguru: what it would have written, and the parts of it.
        record = inner
    folded: dict[str, Any] = {str(key).lower(): value for key, value in record.items()}
    level = next((folded[key] for key in _KEYS if key in folded), None)
    if isinstance(level, dict):
        level = level.get("name")
    return _COUNTED.get(level.strip().upper()) if isinstance(level, str) else None


def _stands_where_levels_do(line: str, level: re.Match[str]) -> bool:
    """Say whether a level stands at the begin of a line, or behind its time and names."""
    kind = level.lastgroup or ""
    name, boxed = level[kind], kind == "boxed"
    before = line[: level.start() if boxed else level.start(kind)]
    behind = line[level.end() if boxed else level.end(kind) :]
    clocked = bool(_CLOCKED.search(before))
    # Words before a number are a message where the level is in brackets.
    counts = not boxed or behind.strip(" :=")[:1].isdigit()
    if not clocked and counts and _is_count(behind):
        return False
    if not before.strip(" [("):
        in_time = name in _SHORT and not boxed and _CLOCKED.search(behind) is None
        return boxed or (not in_time and bool(before or _BEHIND.match(behind)))
    dated, moments = _MOMENT.subn(" ", before)
    parts = [part for part in _BETWEEN.split(_BOXES.sub("  ", dated)) if part.strip()]
    if len(parts) > _MOST_PARTS or max(map(_words, parts), default=0) > _MOST_WORDS:
        return False
    if moments:
        return clocked or name not in _SHORT
    if boxed or not parts:
        return not parts
    return name.isupper() and name not in _SHORT and _is_between(before, behind)


def _is_between(before: str, behind: str) -> bool:
    """Say whether a level without a time stands between two of the same, or behind signs."""
    if _SIGNS.fullmatch(before):
        return behind.startswith(":")
    last = re.search(r"( - |\s*\|\s*|: ?)$", before)
    return last is not None and behind.lstrip().startswith(last[0].strip())


def _is_count(behind: str) -> bool:
    """Say whether what follows a level shows a count of such lines, or a heading."""
    short = re.sub(r"\s+", " ", behind)
    return len(short) <= _LONGEST_COUNT and bool(_NO_RECORD.fullmatch(short))


def _words(part: str) -> int:
    """Return the words of a part that are no numbers."""
    return sum(not word.isdigit() for word in part.split())


#: Lines at the end of an output, and characters of these, in which numbers are looked for.
_MOST_LINES, _MOST_CHARACTERS = 60, 16_384
#: Numbers that are kept, and characters of a line with one.
_MOST_NUMBERS, _LONGEST_LINE = 12, 200
#: Digits of a line, by groups.
_MOST_DIGITS = 20
_SPACES = "\u00a0\u202f\u2009 "
_MONTH = (
    r"(?:(?:jan(?:uary|vier|v)?|feb(?:ruary)?|fév(?:r|rier)?|mar(?:ch|s)?|apr(?:il)?"
    r"|avr(?:il)?|may|mai|june?|juin|july?|juil(?:let)?|aug(?:ust)?|août|sept?(?:ember|embre)?"
    r"|oct(?:ober|obre)?|nov(?:ember|embre)?|dec(?:ember)?|déc(?:embre)?)\.?)"
)
_DAY = (
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun|lun|mar|mer|jeu|ven|sam|dim)[a-z]{0,6}\.?,?\ +)"
)
_DAYS = (
    "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
    "|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche"
)
_TIME_UNITS = (
    "ns|us|µs|μs|ms|s|secs?|seconds?|secondes?|mins?|minutes?|h|hrs?|hours?|heures?"
    "|msecs?|milliseconds?|millisecondes?|microseconds?|nanoseconds?"
)
_CLOCK = r"\d\d?:\d\d(?::\d\d)?(?:[.,]\d+)?(?: ?[APap][Mm]\b)?(?: ?[Zz]\b| ?[+-]\d\d:?\d\d\b)?"
# What has digits and is no number that anybody counts: of a date or an identifier nothing
# stays, of a name all but its digits. One expression for all would take 10 ms to compile.
_DATES = lazy_pattern(
    rf"""
        \b(?:19|20)\d\d(?P<sep>[-/.]?)(?:0[1-9]|1[0-2])(?P=sep)(?:0[1-9]|[12]\d|3[01])
        (?:[Tt_\ -]+\d\d[:h-]?\d\d(?:[:-]?\d\d)?(?:[.,]\d+)?(?:[Zz]|\ ?[+-]\d\d:?\d\d)?)?
        (?!\d)
      | \b\d\d?[-/.]\d\d?[-/.](?:\d{{4}}|\d\d)\b(?![.,]\d)
      | \b(?:19|20)\d\d[-/](?:0[1-9]|1[0-2])\b | \b(?:0[1-9]|1[0-2])/(?:19|20)\d\d\b
      | \b\d{{4}}-[Ww]\d\d(?:-\d)?\b
      | (?<![\d:.]){_CLOCK.replace(" ", "[ ]")}(?![:\d])
      | (?<![\d:.])\d+:\d\d:\d\d(?:[.,]\d+)?(?![:\d])
    """,
    re.VERBOSE,
)
_WORDY = lazy_pattern(rf"\b(?:{_MONTH}|{_DAYS})(?!\w)", re.IGNORECASE)
_WORDY_DATES = lazy_pattern(
    rf"\b{_DAY}?\d\d?(?:st|nd|rd|th|er)? {_MONTH}(?![a-z])(?:,? {_CLOCK})?(?:,? \d{{4}})?\b"
    rf"|\b{_DAY}?{_MONTH} +\d\d?(?:st|nd|rd|th)?\b(?:,? +{_CLOCK})?(?:,? +\d{{4}}\b)?"
    rf"|\b(?:{_DAYS})\b"
)
_SPANS = lazy_pattern(
    r"(?<![\w.])\d+[hH]\d\d(?:min|m)?\b"
    r"|(?<![\w.,])(?:\d+ ?(?:d|j|h|min|m) ?){1,3}\d+(?:[.,]\d+)? ?s?\b(?!\w)"
)
_UUID = r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b"
#: Letters and digits by turns are part of one.
_MIXED = r"[^\W\d_]*\d+[^\W\d_]+\d[^\W_]*"
_IDENTIFIERS = lazy_pattern(
    rf"{_UUID}|\b0x[0-9a-fA-F]+\b|(?<![^\W_])(?=[a-fA-F]*\d)(?=\d*[a-fA-F])[0-9a-fA-F]{{7,}}\b"
    rf"|(?<![^\W_])(?!\d[eE]\d){_MIXED}|\b\d{{16,}}\b|\[\d+\]|^\[ *\d+\.\d+\]"
    r"|\b\d+(?:\.\d+){3}\b|\b\d{1,2}(?:\.\d{1,2}){2}\b|\b(?:19|20)\d\d[-/]\d{3,}\b"
)
#: A noun in the singular before a whole number says which one: ``invoice 4711``. So does
#: what is a code, a year or a span of time by its name.
_WHICH = lazy_pattern(
    r"\b(?:facture|invoice|commande|customer|client|ticket|token|compte"
    r"|contract|contrat|dossier|thread|user|id|n\u00b0|no\.|nr\.?|num(?:\u00e9ro)?"
    r"|ref|r\u00e9f)\s*(?:n\u00b0|no\.?|id)?\s*[#\u00b0]?\s*\d+(?![.,]?\d)"
    r"|\b(?:http|status|(?:exit |status |error )?code|port|timestamp|epoch|created|year"
    r"|ann\u00e9e|exercice|siret|siren|duration|elapsed(?: time)?|dur\u00e9e|runtime|uptime"
    r"|attempt|retry|essai|tentative)\b[\"']?\s*[=:]?\s*\d+(?:[.,]\d+)?",
    re.IGNORECASE,
)
_NAMES = lazy_pattern(
    r"https?://\S+"
    r"|\b(?:pid|tid|ppid|uid|gid|PID|TID)\b\s*[=:#]?\s*\d+"
    r"""|\b(?:process|thread|port|[a-z_A-Z]*id)\b["']?\s*[=:#]\s*\d+"""
    r"""|\b(?:ts|time|timestamp|epoch|asctime|created)\b["']?\s*[=:]\s*\d+(?:\.\d+)?"""
    r"|\.[a-z]\w*:\d+\b|:[\w<>]+:\d+(?= [-|] |[\])])"
    r"|\bline \d+(?=,\ in\b|\s*$)"
    r"|(?<![\w/\\])(?=[^\s,;]*\d)[\w.:~#-]*(?:[^\W\d][\w.:~#-]*[/\\]|[/\\][\w.~#-]*[^\W\d])[^\s,;]*"
    r"|(?<!\w)[^\W\d][\w.#-]*\d[\w.-]*(?<![.-])"
)
_NUMBERS = lazy_pattern(
    rf"""
    (?P<number>
        (?:(?<![\w.,)\]\#])[+\u2212-])?
        (?:
            [1-9]\d{{0,2}}(?:(?P<mark>[,.'\u2019_{_SPACES}])\d{{3}})(?:(?P=mark)\d{{3}})*
            (?!\d)(?:[.,]\d+)?
          | \d+(?:[.,]\d+)?
        )
        (?:[eE][+-]?\d+)?
        (?!\d)
    )
    (?P<time>
        [{_SPACES}]?(?:{_TIME_UNITS})(?![\w/])
      | [{_SPACES}]?[^\W\d]{{0,12}}/(?:s|sec|min|h)(?!\w)
    )?
    """,
    re.VERBOSE,
)
_WORD = lazy_pattern(r"[^\W\d_]{2}")
_DIGITS = lazy_pattern(r"\d+")


def numbers_in(text: str) -> tuple[OutputNumber, ...]:
    """Return the numbers of the last lines of a text that may recur, the last one first.

    Of lines that differ in nothing but numbers the last one counts. Dates, times, spans of
    time, identifiers and places are no such numbers.
    """
    found: dict[str, OutputNumber] = {}
    for line in reversed(text[-_MOST_CHARACTERS:].splitlines()[-_MOST_LINES:]):
        if len(found) == _MOST_NUMBERS:
            break
        number = number_of(line)
        if number:
            found.setdefault(number.line, number)
    return tuple(found.values())


def number_of(line: str) -> OutputNumber | None:
    """Return a line with ``#`` for its numbers, and the last of them; None without any."""
    if "\x1b" in line:
        line = _COLOUR.sub("", line)
    line = line.strip()
    # More is a row of a table.
    if len(line) > _LONGEST_LINE or not 0 < len(_DIGITS.findall(line)) <= _MOST_DIGITS:
        return None
    if _WORDY.search(line):
        # In small letters, for that takes half the time to compile.
        line = _WORDY_DATES.sub("#", line.lower())
    for nothing_stays in (_DATES, _SPANS, _IDENTIFIERS):
        line = nothing_stays.sub("#", line)
    for named in (_WHICH, _NAMES):
        line = named.sub(lambda name: _DIGITS.sub("#", name[0]), line)
    values: list[float] = []

    def replaced(match: re.Match[str]) -> str:
        value = _value(match["number"])
        if not match["time"] and math.isfinite(value):
            values.append(value)
        return f"#{match['time'] or ''}"

    line = _NUMBERS.sub(replaced, line)
    if not values or not _WORD.search(line):
        return None
    return OutputNumber(line=line, value=values[-1])


def _value(written: str) -> float:
    """Return a number that is written in English, French, German or Swiss."""
    text = written.replace("\u2212", "-")
    for mark in f"'\u2019_{_SPACES}":
        text = text.replace(mark, "")
    head, comma, tail = text.rpartition(",")
    digits = re.split(r"[eE]", tail)[0]
    if comma and ("." in head or not _is_thousand(head, digits)):
        # 1.234,5 and 0,5
        text = f"{head.replace('.', '')}.{tail}"
    elif text.count(".") > 1:
        text = text.replace(".", "")
    return float(text.replace(",", ""))


def _is_thousand(head: str, digits: str) -> bool:
    """Say whether a comma stands before thousands: ``48,210``, ``1,234.5``."""
    whole = digits.split(".", maxsplit=1)[0]
    return len(whole) == len("000") and head.lstrip("+-") != "0"
