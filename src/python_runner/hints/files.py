"""Rules about files: what the system refuses, and the encoding of texts.

The words of Windows are in its language; its numbers are not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from python_runner.hints.rule import OS_ERRORS, Rule, Seen, about_file, named
from python_runner.patterns import lazy_pattern
from python_runner.texts.sentence import N_


if TYPE_CHECKING:
    from collections.abc import Mapping

    #: The values of a sentence; None where the rule does not hold after all.
    Found = Mapping[str, object] | None

_DRIVE = lazy_pattern(r"[A-Za-z]:[\\/]")
_NOT_ABSOLUTE = lazy_pattern(r"(?![\\/~]|[A-Za-z]:|\w+://)")
#: Files that Office opens for itself alone, what is a table in text as well.
_OFFICE = lazy_pattern(
    r"(?i).*\.(?:xlsx?|xlsm|xlsb|xlt[xm]|docx?|pptx?|mdb|accdb|ods|csv|tsv)$"
)
#: What no name of Windows may hold. A colon may only stand behind a drive.
_FORBIDDEN = lazy_pattern(r'[<>"|?*]|(?<!^.):|(?<=..):')
_CONTROL = lazy_pattern(r"[\x00-\x1f]")
#: The longest path of Windows, its end included, where nobody has allowed longer ones.
_LONGEST = 260
#: The function of `subprocess` that starts a program.
_STARTS = "in _execute_child"

#: ERROR_FILE_NOT_FOUND and its like: of a file, of a path, of a drive.
_NOT_FOUND = lazy_pattern(r"\[(?:Errno 2|WinError (?:2|3|15|21))\] ")
#: ERROR_BAD_NETPATH and its like: the server or the share does not answer.
_SHARE_AWAY = lazy_pattern(
    r"\[WinError (?:51|52|53|54|55|59|64|67|121|1203|1222|1231|1232|1236)\] "
)
#: ERROR_LOGON_FAILURE and its like: the server does not know the account.
_SHARE_LOGON = lazy_pattern(r"\[WinError (?:86|1219|1326|1327|1328|1331|1385|2242)\] ")


def _drive(seen: Seen) -> Found:
    file = seen.failure.file
    if not seen.around.windows or not _DRIVE.match(file):
        return None
    drive = file[:2].upper()
    return None if seen.around.exists(f"{drive}\\") else {"drive": drive}


def _foreign(seen: Seen) -> Found:
    file = seen.failure.file
    foreign = _DRIVE.match(file) or file.startswith("\\\\")
    return {"file": file} if foreign and not seen.around.windows else None


def _relative(seen: Seen) -> Found:
    file = seen.failure.file
    if not file or _STARTS in seen.failure.frames or not _NOT_ABSOLUTE.match(file):
        return None
    return {"file": file, "folder": seen.around.folder}


def _program(seen: Seen) -> Found:
    """Return the program that is not found by its name; Windows may not tell its name."""
    file = seen.failure.file
    if _STARTS not in seen.failure.frames or "/" in file or "\\" in file or not file:
        return None
    return {"program": file}


def _nameless_program(seen: Seen) -> Found:
    unnamed = _STARTS in seen.failure.frames and not seen.failure.file
    return {} if unnamed and seen.around.windows else None


def _not_executable(seen: Seen) -> Found:
    file = seen.failure.file
    starts = file and _STARTS in seen.failure.frames and not seen.around.windows
    return {"file": file} if starts else None


def _folder_as_file(seen: Seen) -> Found:
    file = seen.failure.file
    return {"file": file} if file and seen.around.is_folder(file) else None


def _open_in_office(seen: Seen) -> Found:
    # Office keeps others from writing: the C library calls that a permission.
    file = seen.failure.file
    office = seen.around.windows and _OFFICE.match(file)
    return {"file": file} if office and seen.around.exists(file) else None


def _refused(seen: Seen) -> Found:
    file = seen.failure.target or seen.failure.file
    if not file or _STARTS in seen.failure.frames:
        return None
    return {"file": file, "account": seen.around.account}


def _account(seen: Seen) -> Found:
    return {"account": seen.around.account}


def _logon(seen: Seen) -> Found:
    return {"file": seen.failure.file, "account": seen.around.account}


def _escapes(seen: Seen) -> Found:
    file = seen.failure.file
    hit = seen.around.windows and _CONTROL.search(file)
    return {} if hit else None


def _forbidden(seen: Seen) -> Found:
    file = seen.failure.file
    hit = seen.around.windows and _FORBIDDEN.search(file.removeprefix("\\\\?\\"))
    return {"file": file, "character": hit[0]} if hit else None


def _too_long(seen: Seen) -> Found:
    file = seen.failure.file
    long = seen.around.windows and len(file) >= _LONGEST and file[:4] != "\\\\?\\"
    return {"length": len(file)} if long else None


def _number_of(*numbers: int) -> str:
    return rf"\[Errno (?:{'|'.join(map(str, numbers))})\] "


def _utf16(seen: Seen) -> Found:
    byte, at = seen.match["byte"], seen.match["at"]
    return {} if byte in {"ff", "fe"} and at == "0" else None


def _compressed(seen: Seen) -> Found:
    return {} if (seen.match["byte"], seen.match["at"]) == ("8b", "1") else None


RULES = (
    Rule(
        name="escapes",
        kinds=OS_ERRORS,
        message=lazy_pattern(r"\[(?:Errno (?:2|22)|WinError (?:3|123|267))\] "),
        words=N_(
            "a backslash in the path was read as a sign such as a tab: put an r in front of"
            ' the text (r"C:\\temp"), or write / for \\'
        ),
        values=_escapes,
    ),
    Rule(
        name="drive",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "there is no drive {drive} in this session: a mapped drive belongs to a user who"
            " is logged on. Write the address of the share instead, as"
            " `\\\\server\\share\\folder`"
        ),
        values=_drive,
    ),
    Rule(
        name="path-of-windows",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "{file} is a path of Windows, and this computer has another system: write the"
            " path that the folder has here"
        ),
        values=_foreign,
    ),
    Rule(
        name="share-away",
        kinds=OS_ERRORS,
        message=_SHARE_AWAY,
        words=N_(
            "the network folder did not answer: look whether {file} opens on this computer,"
            " in the session of the task (network, VPN, name of the server); `retries` help"
            " where that passes"
        ),
        values=about_file,
    ),
    Rule(
        name="share-logon",
        kinds=OS_ERRORS,
        message=_SHARE_LOGON,
        words=N_(
            "the server of the network folder does not accept the account {account}: give"
            " that account access, or run the task under one that has it"
        ),
        values=_logon,
    ),
    Rule(
        name="path-too-long",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "the path is {length} characters long, and Windows accepts 259: shorten it, or allow"
            " long paths (LongPathsEnabled)"
        ),
        values=_too_long,
    ),
    Rule(
        name="start-in",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "{file} was looked for in {folder}, the current folder of the scripts: write its"
            " whole path, or set working_directory"
        ),
        values=_relative,
    ),
    Rule(
        name="program-missing",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "the program {program} is not on the PATH of this session: write its whole path,"
            " or set PATH under `env`"
        ),
        values=_program,
    ),
    Rule(
        name="program-unnamed",
        kinds=OS_ERRORS,
        message=_NOT_FOUND,
        words=N_(
            "the program that the script starts is not on the PATH of this session: write"
            " its whole path, or set PATH under `env`"
        ),
        values=_nameless_program,
    ),
    Rule(
        name="file-open",
        kinds=OS_ERRORS,
        message=lazy_pattern(r"\[WinError (?:32|33)\] "),
        words=N_(
            "{file} is open in another program, here or on another computer: close it there"
            " (Excel?), or write to a new file"
        ),
        values=about_file,
    ),
    Rule(
        name="folder-as-file",
        kinds=("PermissionError", "IsADirectoryError"),
        message=lazy_pattern(r"\[Errno (?:13|21)\] "),
        words=N_("{file} is a folder: name a file in it"),
        values=_folder_as_file,
    ),
    Rule(
        name="office-file-open",
        kinds=("PermissionError",),
        message=lazy_pattern(_number_of(13)),
        words=N_(
            "{file} is probably open in Excel or another program of Office: close it there,"
            " or write to a new file"
        ),
        values=_open_in_office,
    ),
    Rule(
        name="not-executable",
        kinds=("PermissionError",),
        message=lazy_pattern(_number_of(13)),
        words=N_(
            "{file} may not be run as a program: allow it (chmod +x), or start it with its"
            " interpreter (sh, python)"
        ),
        values=_not_executable,
    ),
    Rule(
        name="permission",
        kinds=("PermissionError", "shutil.Error"),
        message=lazy_pattern(r"\[(?:Errno 13|WinError 5)\] "),
        words=N_(
            "the account {account} may not do that with {file}: give it the right, or run"
            " the task under another account"
        ),
        values=_refused,
    ),
    Rule(
        name="privilege",
        kinds=("OSError", "PermissionError"),
        message=lazy_pattern(r"\[WinError (?:740|1314)\] "),
        words=N_(
            "that needs the rights of an administrator, and {account} ran without them: tick"
            ' "Run with highest privileges" in the task'
        ),
        values=_account,
    ),
    Rule(
        name="disk-full",
        kinds=OS_ERRORS,
        message=lazy_pattern(r"\[(?:Errno 28|WinError (?:39|112))\] "),
        words=N_("the disk is full: make room on it, or write to another one"),
    ),
    Rule(
        name="database-disk-full",
        kinds=("sqlite3.OperationalError", "sqlite3.FullError"),
        message=lazy_pattern(r"database or disk is full$"),
        words=N_(
            "the disk of the database, or that of temporary files, is full: make room on it"
        ),
    ),
    Rule(
        name="quota",
        kinds=OS_ERRORS,
        message=lazy_pattern(r"\[(?:Errno (?:69|122)\] Disk quota|WinError 1295\] )"),
        words=N_(
            "the account {account} has used up its share of the disk: delete files, or ask for"
            " more"
        ),
        values=_account,
    ),
    Rule(
        name="too-many-files",
        kinds=OS_ERRORS,
        message=lazy_pattern(_number_of(24)),
        words=N_(
            "the script has more files open than the system allows: close each (with"
            " open(...) as file:), or raise the limit (ulimit -n)"
        ),
    ),
    Rule(
        name="name-too-long",
        kinds=OS_ERRORS,
        message=lazy_pattern(
            r"\[(?:Errno (?:36|63)\] File name|WinError (?:111|206)\] )"
        ),
        words=N_("the name of the file is longer than the system accepts: shorten it"),
    ),
    Rule(
        name="forbidden-character",
        kinds=OS_ERRORS,
        message=lazy_pattern(r"\[(?:Errno 22|WinError (?:123|267))\] "),
        words=N_(
            "Windows allows no {character} in the name of a file: leave it out, also where"
            " the name is made of a date or a time"
        ),
        values=_forbidden,
    ),
    Rule(
        name="wrong-bits",
        kinds=("OSError",),
        message=lazy_pattern(r"\[WinError 193\] "),
        words=N_(
            "the program or library is not made for this Python or this Windows: 32 and 64"
            " bits do not go together, and a script is started with its interpreter"
        ),
    ),
    Rule(
        name="port-in-use",
        kinds=OS_ERRORS,
        message=lazy_pattern(
            r"\[(?:Errno (?:48|98)\] .*[Aa]ddress already in use|WinError 10048\] )"
        ),
        words=N_(
            "another process uses this port, perhaps an earlier start of the script: stop"
            " it, or use another port"
        ),
    ),
    Rule(
        name="encode",
        kinds=("UnicodeEncodeError",),
        message=lazy_pattern(
            r"'(?P<codec>charmap|ascii|latin-1|cp\d+|gbk|mbcs)' codec can't encode"
            r" character"
        ),
        words=N_(
            "the encoding of this file or text ({codec}) lacks a character: write it with"
            ' encoding="utf-8", as in open(name, "w", encoding="utf-8")'
        ),
        values=named,
    ),
    Rule(
        name="decode-utf-16",
        kinds=("UnicodeDecodeError",),
        message=lazy_pattern(
            r"'utf-8' codec can't decode byte 0x(?P<byte>\w\w) in position (?P<at>\d+):"
        ),
        words=N_(
            'the file is UTF-16, as Windows writes it: read it with encoding="utf-16"'
        ),
        values=_utf16,
    ),
    Rule(
        name="decode-compressed",
        kinds=("UnicodeDecodeError",),
        message=lazy_pattern(
            r"'utf-8' codec can't decode byte 0x(?P<byte>\w\w) in position (?P<at>\d+):"
        ),
        words=N_("the file is compressed (gzip): open it with gzip.open"),
        values=_compressed,
    ),
    Rule(
        name="decode-not-utf-8",
        kinds=("UnicodeDecodeError",),
        message=lazy_pattern(r"'utf-8' codec can't decode bytes? "),
        words=N_(
            "the file or text is not UTF-8. If an older program of Windows wrote it, read it"
            ' with encoding="cp1252"'
        ),
    ),
    Rule(
        name="decode",
        kinds=("UnicodeDecodeError",),
        message=lazy_pattern(
            r"'(?P<codec>charmap|ascii|cp\d+)' codec can't decode bytes? "
        ),
        words=N_(
            "the file or text was read as {codec}, and is probably UTF-8: read it with"
            ' encoding="utf-8"'
        ),
        values=named,
    ),
)
