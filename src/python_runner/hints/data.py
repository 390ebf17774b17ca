"""Rules about tables, documents and databases in files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints.rule import Rule, Seen, named
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    #: The values of a sentence; None where the rule does not hold after all.
    Found = Mapping[str, object] | None

_PANDAS = lazy_pattern(r' *File ".*(?:pandas[\\/]|index\.pyx)')
_OPENPYXL = lazy_pattern(
    r'(?m)^ *File ".*[\\/](?:openpyxl|pandas[\\/]io[\\/]excel)[\\/]'
)
_JSON = (
    "json.decoder.JSONDecodeError",
    "requests.exceptions.JSONDecodeError",
    "simplejson.errors.JSONDecodeError",
)


def _column(seen: Seen) -> Found:
    # A function of the script that pandas calls has tables of its own.
    inside = _PANDAS.match(seen.failure.last_frame)
    return {"key": seen.match["key"]} if inside else None


def _broken_workbook(seen: Seen) -> Found:
    return {} if _OPENPYXL.search(seen.failure.text) else None


def _openpyxl(seen: Seen) -> Found:
    install = seen.around.install
    return {"command": f"{install} openpyxl"} if install else None


def _time_zone(seen: Seen) -> Found:
    install = seen.around.install
    if not install:
        return None
    return {"zone": seen.match["zone"], "command": f"{install} tzdata"}


def _account(seen: Seen) -> Found:
    return {"account": seen.around.account}


RULES = (
    Rule(
        name="sqlite-locked",
        kinds=("sqlite3.OperationalError",),
        message=lazy_pattern(r"database (?:table )?is locked"),
        words=N_(
            "another program, or another part of the script, is writing to this SQLite"
            " database: close it there, end transactions with commit(), or wait longer:"
            " sqlite3.connect(file, timeout=60)"
        ),
    ),
    Rule(
        name="sqlite-open",
        kinds=("sqlite3.OperationalError",),
        message=lazy_pattern(r"unable to open database file$"),
        words=N_(
            "the folder of this SQLite database does not exist, or {account} may not write in"
            " it; a relative path begins in {folder}"
        ),
        values=lambda seen: {
            "account": seen.around.account,
            "folder": seen.around.folder,
        },
    ),
    Rule(
        name="sqlite-read-only",
        kinds=("sqlite3.OperationalError",),
        message=lazy_pattern(r"attempt to write a readonly database$"),
        words=N_(
            "the account {account} may read this SQLite database and not write to it: give it"
            " that right for the file and its folder"
        ),
        values=_account,
    ),
    Rule(
        name="no-database",
        kinds=("sqlite3.DatabaseError",),
        message=lazy_pattern(r"file is not a database$"),
        words=N_(
            "the file is no SQLite database, or it is encrypted: check its path, and that it"
            " was copied completely"
        ),
    ),
    Rule(
        name="xlrd",
        kinds=("xlrd.biffh.XLRDError",),
        message=lazy_pattern(r"Excel xlsx file; not supported$"),
        words=N_(
            "xlrd reads .xls files only since its version 2: install openpyxl ({command}) and"
            ' read with engine="openpyxl"'
        ),
        values=_openpyxl,
    ),
    Rule(
        name="workbook",
        kinds=("zipfile.BadZipFile",),
        message=lazy_pattern(r"File is not a zip file$"),
        words=N_(
            "the file is called .xlsx and is none: it is another format (.xls, CSV or HTML"
            " under that name), is empty or was not written to its end"
        ),
        values=_broken_workbook,
    ),
    Rule(
        name="workbook-format",
        kinds=("ValueError",),
        message=lazy_pattern(
            r"Excel file format cannot be determined, you must specify"
        ),
        words=N_(
            "the file is no workbook of Excel, whatever its name says: it is another format"
            " (CSV or HTML), is empty or was not written to its end"
        ),
        values=_broken_workbook,
    ),
    Rule(
        name="column",
        kinds=("KeyError",),
        message=lazy_pattern(
            r"(?P<key>'(?:[^'\\]|\\.)*'|\"(?:\[.*\] not (?:in index|found in axis)"
            r"|None of \[.*\] are in the \[(?:columns|index)\])\")$"
        ),
        words=N_(
            "the table has no column or row of that name ({key}): compare it with the header"
            " of the source, which may have changed (spaces and capitals count)"
        ),
        values=_column,
    ),
    Rule(
        name="columns-expected",
        kinds=("ValueError",),
        message=lazy_pattern(
            r"(?:Usecols do not match columns, columns expected but not found"
            r"|Missing column provided to 'parse_dates'): (?P<key>.*?)(?: \(sheet: .*\))?$"
        ),
        words=N_(
            "the source does not have these columns (any more): {key}. Compare them with its"
            " header, and check the separator (sep)"
        ),
        values=named,
    ),
    Rule(
        name="table-empty",
        kinds=("pandas.errors.EmptyDataError",),
        message=lazy_pattern(r"No columns to parse from file$"),
        words=N_("the file is empty: look at what makes it"),
    ),
    Rule(
        name="table-fields",
        kinds=("pandas.errors.ParserError",),
        message=lazy_pattern(
            r"Error tokenizing data\. C error: Expected (?P<expected>\d+) fields in line"
            r" (?P<line>\d+), saw (?P<found>\d+)"
        ),
        words=N_(
            "line {line} of the file has {found} fields where {expected} were expected: the"
            " separator is another one (sep), a text with it has no quotes, or lines stand"
            " above the header (skiprows)"
        ),
        values=named,
    ),
    Rule(
        name="json-mark",
        kinds=_JSON,
        message=lazy_pattern(r"Unexpected UTF-8 BOM"),
        words=N_(
            'the file begins with a mark (BOM): read it with encoding="utf-8-sig"'
        ),
    ),
    Rule(
        name="json",
        kinds=_JSON,
        message=lazy_pattern(r"Expecting value: line 1 column 1 \(char 0\)$"),
        words=N_(
            "that is not JSON: it is empty, or the page of a login, an error or a proxy. Look at"
            " the status and the first characters of the answer"
        ),
    ),
    Rule(
        name="time-zone",
        kinds=("zoneinfo._common.ZoneInfoNotFoundError",),
        message=lazy_pattern(
            r"['\"]No time zone found with key (?P<zone>[\w/+-]+)['\"]$"
        ),
        words=N_(
            "Python has no data about the time zone {zone}: if the name is right, install"
            " them: {command}"
        ),
        values=_time_zone,
    ),
)
