"""The keys of ``exec_config.json``: the one source of validation and JSON Schema.

Each field says in ``extra["expected"]`` what to tell people who wrote something else.
Field names are the public keys.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from python_runner.config.units import Duration, Size, unit_schema
from python_runner.model import EmailStrategy, OnFailure, Overlap, WhenUnusual
from python_runner.texts.sentence import N_


_COMMENT = "Ignored: a comment."
SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"


def _expects(expected: str, description: str, *, secret: bool = False) -> Meta:
    return Meta(description=description, extra={"expected": expected, "secret": secret})


_DURATION = N_('a duration such as "45s", "30m", "2h", or a number of seconds above 0')
_COUNT = N_("a whole number, 0 or more")
_DAYS = N_("a whole number of days, 1 or more")
_TEXT = N_("a text")
_TEXTS = N_("a list of strings")
_VARIABLES = N_('variables and their values, such as {"NAME": "value"}')

_NonEmpty = Annotated[str, Meta(min_length=1)]
_Count = Annotated[int, Meta(ge=0)]
_Positive = Annotated[int, Meta(ge=1)]
#: Dotted names; ``import`` says what else is wrong with one.
_Module = Annotated[str, Meta(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*$")]
#: What every platform's environment can hold.
_Variables = dict[
    Annotated[str, Meta(pattern="^[^=\\x00]+$")],
    Annotated[str, Meta(pattern="^[^\\x00]*$")],
]


_Resources = Annotated[
    dict[_NonEmpty, Annotated[float, Meta(gt=0)]],
    _expects(
        N_('amounts of resources, such as {"GPU": 1}'),
        N_('What a worker of a cluster must offer to run it, such as {"GPU": 1}.'),
    ),
]


class ScriptEntry(Struct, kw_only=True):
    """A script with options of its own."""

    path: Annotated[
        _NonEmpty,
        _expects(
            N_("the path of a script"),
            N_("The script's file, absolute or relative to the project."),
        ),
    ]
    args: Annotated[
        list[str], _expects(_TEXTS, N_("Further arguments of the script."))
    ] = []
    timeout: Annotated[
        Duration | None, _expects(_DURATION, N_("Longest this script may take."))
    ] = None
    retries: Annotated[
        _Count | None, _expects(_COUNT, N_("Further attempts after a failure."))
    ] = None
    retry_delay: Annotated[
        Duration | None,
        _expects(
            _DURATION, N_("Wait before the first retry (30 s); doubles with each.")
        ),
    ] = None
    env: Annotated[
        _Variables, _expects(_VARIABLES, N_("Variables for this script only."))
    ] = {}
    needs: Annotated[
        list[str],
        _expects(
            N_("a list of names of other scripts of the series"),
            N_("Scripts of the series that must succeed first."),
        ),
    ] = []
    outputs: Annotated[
        list[_NonEmpty],
        _expects(
            N_(
                'a list of files in the project, such as "out/sales_{date:%Y-%m-%d}.csv"'
            ),
            N_(
                "Files that the script must make: patterns in the project, with {date} or"
                " {date:%Y-%m-%d}; without a new one that is not empty, it has failed."
            ),
        ),
    ] = []
    resources: _Resources = {}
    help: Annotated[
        _NonEmpty | None,
        _expects(
            _TEXT,
            N_("Your own words, shown with its failure: whom to call, what to do."),
        ),
    ] = None


class ExecConfig(Struct, kw_only=True):
    """How Python Runner runs the scripts of this project."""

    schema: Annotated[Any, _expects("", N_("Ignored; editors use it."))] = (
        msgspec.field(default=None, name="$schema")
    )
    scripts: Annotated[
        list[_NonEmpty | ScriptEntry],
        _expects(
            N_("a list of paths of scripts"),
            N_("The series, in order: paths, or objects with options."),
        ),
    ]
    python_command: Annotated[
        _NonEmpty | Annotated[list[_NonEmpty], Meta(min_length=1)] | None,
        _expects(
            N_('the command of an interpreter, such as "python" or ["py", "-3.12"]'),
            N_(
                "Interpreter of the scripts, such as .venv/Scripts/python, or a list: a "
                'program and its arguments, such as ["py", "-3.12"]; null: the project\'s '
                "own virtual environment where it has one."
            ),
        ),
    ]
    recipients: Annotated[
        list[_NonEmpty],
        _expects(
            N_("a list of email addresses"),
            N_("Who gets the report: one address each, alone or as Name <address>."),
        ),
    ]
    email_strategy: Annotated[
        EmailStrategy,
        _expects(
            N_('"all", "none" or "failure_only"'),
            N_("When a report is sent, and of what."),
        ),
    ]
    include_traceback: Annotated[
        bool,
        _expects(N_("true or false"), N_("Whether failures are explained in the log.")),
    ]
    logs_backup_count: Annotated[
        _Count, _expects(_COUNT, N_("Archives of the log to keep; 0 keeps all."))
    ]
    timeout: Annotated[
        Duration | None, _expects(_DURATION, N_("Longest a script may take."))
    ] = None
    retries: Annotated[
        _Count, _expects(_COUNT, N_("Further attempts of a failed script."))
    ] = 0
    retry_delay: Annotated[
        Duration | None,
        _expects(
            _DURATION, N_("Wait before the first retry (30 s); doubles with each.")
        ),
    ] = None
    on_failure: Annotated[
        OnFailure,
        _expects(
            N_('"continue" or "stop"'),
            N_("What a failed script means for those after it."),
        ),
    ] = OnFailure.CONTINUE
    max_parallel: Annotated[
        _Positive,
        _expects(
            N_("a whole number, 1 or more"),
            N_("Scripts of this project that run at the same time."),
        ),
    ] = 1
    warm: Annotated[
        bool,
        _expects(
            N_("true or false"),
            N_("Whether the interpreter of the next script is started ahead."),
        ),
    ] = False
    preload: Annotated[
        list[_Module],
        _expects(
            N_('a list of names of modules, such as "pandas"'),
            N_("Modules that the scripts import, and that are imported ahead (warm)."),
        ),
    ] = []
    resources: _Resources = {}
    overlap: Annotated[
        Overlap,
        _expects(
            N_('"skip" or "wait"'),
            N_("What a second run of this project does while one is active."),
        ),
    ] = Overlap.SKIP
    working_directory: Annotated[
        _NonEmpty | None,
        _expects(
            N_("the path of a folder"),
            N_(
                "The scripts' current folder, relative to the project; the project itself."
            ),
        ),
    ] = None
    env: Annotated[
        _Variables, _expects(_VARIABLES, N_("Variables for the scripts."))
    ] = {}
    env_file: Annotated[
        _NonEmpty | None,
        _expects(
            N_("the path of a file with NAME=value lines"),
            N_("File with variables for the scripts, relative to the project."),
        ),
    ] = None
    log_rotation_days: Annotated[
        _Positive, _expects(_DAYS, N_("Calendar days per log file."))
    ] = 3
    output_limit: Annotated[
        Size | None,
        _expects(
            N_('a size such as "10MB" or a number of bytes'),
            N_("Captured output kept per script: its beginning and its end (10 MB)."),
        ),
    ] = None
    output_keep_days: Annotated[
        _Positive, _expects(_DAYS, N_("Days captured output is kept."))
    ] = 30
    language: Annotated[
        Literal["en", "fr"] | None,
        _expects(N_('"en" or "fr"'), N_("Language of the reports.")),
    ] = None
    schedule: Annotated[
        _NonEmpty | None,
        _expects(
            N_('a cron expression of five fields, such as "0 6 * * 1-5"'),
            N_(
                "When the project is due, as a cron expression of five fields in local time;"
                " python-runner schedule install hands it to the system's own scheduler."
            ),
        ),
    ] = None
    help: Annotated[
        _NonEmpty | None,
        _expects(
            _TEXT, N_("Your own words, shown with a failure: whom to call, what to do.")
        ),
    ] = None
    unusual: Annotated[
        WhenUnusual,
        _expects(
            N_('"mail", "mark" or "ignore"'),
            N_(
                "What comes of a success that took, printed or made far less or more than"
                " usual, or that logged errors: it is mailed, also with failure_only, it"
                " is marked, or nobody looks."
            ),
        ),
    ] = WhenUnusual.MAIL
    not_on: Annotated[
        list[_NonEmpty],
        _expects(
            N_('a list of days such as "weekend", "holidays:FR" or an .ics file'),
            N_(
                'Days without runs: "weekend", "holidays:FR" (a country, or a region such as'
                " DE-BY), or the path of an .ics file, relative to the project."
            ),
        ),
    ] = []
    mail_after: Annotated[
        _Positive,
        _expects(
            N_("a whole number, 1 or more"),
            N_("From which failed run in a row on a report is sent."),
        ),
    ] = 1
    remind: Annotated[
        Duration | None,
        _expects(
            N_('a duration such as "12h", "1d", or a number of seconds above 0'),
            N_(
                "The same error is reported at most once in this time, another one at once;"
                " by itself each failure is reported."
            ),
        ),
    ] = None
    heartbeat_url: Annotated[
        _NonEmpty | None,
        _expects(
            N_("an address"),
            N_("Healthchecks address told of each run: /start, then success or /fail."),
            secret=True,
        ),
    ] = None
    channels: Annotated[
        list[_NonEmpty],
        _expects(
            N_("a list of Apprise addresses"),
            N_("Further addresses told the same report, as Apprise writes them."),
            secret=True,
        ),
    ] = []


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of ``exec_config.json``.

    Editors mark the keys that a run warns of, or refuses.
    """
    schema = msgspec.json.schema(ExecConfig, schema_hook=unit_schema)
    for kind in schema["$defs"].values():
        if "properties" in kind:
            kind["patternProperties"] = {"^(_|//)": {"description": _COMMENT}}
            kind["additionalProperties"] = False
    return {"$schema": SCHEMA_ID, "title": "exec_config.json", **schema}
