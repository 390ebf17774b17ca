"""What an output amounts to: forms of logs and lines with numbers, as programs write them."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from python_runner.model.metrics import OutputNumber, ScriptMetrics
from python_runner.output_metrics import (
    OutputMeter,
    level_of,
    number_of,
    numbers_in,
)


pytestmark = pytest.mark.pure

WARNINGS = """
WARNING:my.module:careful
WARNING:py.warnings:/srv/load.py:3: DeprecationWarning: old
2024-11-27 09:51:58.954 | WARNING  | __main__:<module>:12 - careful
[warning  ] careful                        key=1
24/11/27 09:51:58 WARN NativeCodeLoader: Unable to load native-hadoop library
W1126 09:51:58.123456 4711 load.py:12] careful
time="2024-11-27T09:51:58Z" level=warning msg="careful"
{"severity":"WARNING","message":"careful"}
{"level": "warn", "msg": "careful"}
WARNING  [alembic.runtime.migration] careful
WARNING: You are using pip version 21.0
2024-11-27 09:51:58 [warning  ] careful [load] rows=0
[W 2024-11-27 09:51:58.123 ServerApp] careful
2024-11-27 09:51:58 WRN careful
27/11/2024 09:51:58 AVERTISSEMENT : attention
2024-11-27 09:51:58,954 - root - warning - careful
*** WARNING: careful
"""
ERRORS = """
ERROR:root:disk full
ERROR:__main__:disk full
ERROR: disk full
ERROR: DISK FULL
ERROR Could not read the file
ERROR    root:load.py:12 disk full
ERROR     root disk full
ERROR - disk full
ERROR | disk full
[ERROR] disk full
[ERROR]\t2024-11-27T09:51:58.954Z\tc6af9ac6-7b61-11e6-9a41-93e8deadbeef\tdisk full
[Error] disk full
2024-11-27 09:51:58,954 - root - ERROR - disk full
2024-11-27 09:51:58,954 - my.module - ERROR - [Errno 28] No space left on device
2024-11-27 09:51:58,954 ERROR module disk full
2024-11-27 09:51:58,954 ERROR: disk full
2024-11-27 09:51:58,954 [ERROR] root: disk full
2024-11-27 09:51:58,954 4711 MainThread root ERROR disk full
2024-11-27 09:51:58,954|ERROR|root|disk full
2024-11-27T09:51:58.954+01:00 ERROR disk full
[2024-11-27 09:51:58,954] ERROR in app: Exception on /report [GET]
[2024-11-27 09:51:58 +0000] [123] [ERROR] Worker (pid:124) died
[2024-11-27 09:51:58,954: ERROR/MainProcess] Task tasks.add[1] raised unexpected
[2024-11-27, 09:51:58 UTC] {taskinstance.py:1824} ERROR - Task failed with exception
[2024-11-27T09:51:58.954+0000] {taskinstance.py:1824} ERROR - Task failed
2024-11-27 09:51:58 [scrapy.core.engine] ERROR: Error while obtaining start requests
2024-11-27 09:51:58.954 | ERROR    | __main__:load:12 - disk full
2024-11-27 09:51:58 [error    ] disk full                      rows=0
2024-11-27T09:51:58.123456Z [error    ] disk full [load]
[error    ] disk full
2024/11/27 09:51:58 [error] 123#0: *1 open() failed
09:51:58.123 | ERROR   | Flow run 'blue-whale' - Finished in state Failed()
2024-11-27 09:51:58 +0000 - dagster - ERROR - load - STEP_FAILURE
24/11/27 09:51:58 ERROR TaskSetManager: Task 0 in stage 0.0 failed 4 times
Nov 27 09:51:58 host load[123]: ERROR disk full
27/11/2024 09:51:58 - ERROR - disque plein
27.11.2024 09:51 ERROR disque plein
09:51:58 ERROR disk full
9:51:58 PM - ERROR - disk full
[09:51:58] ERROR    disk full                                    load.py:12
           ERROR    disk full                                    load.py:12
[11/27/24 09:51:58] ERROR    disk full                           load.py:12
root - ERROR - disk full
MainThread - ERROR - disk full
my.module:ERROR:disk full
root | ERROR | disk full
E1126 09:51:58.123456 4711 load.py:12] disk full
level=error msg="disk full"
ts=2024-11-27T09:51:58Z level=ERROR msg="disk full"
event='disk full' level='error' logger='load'
{"event": "disk full", "level": "error", "timestamp": "2024-11-27T09:51:58Z"}
{"levelname": "ERROR", "message": "disk full"}
{"log.level": "error", "message": "disk full"}
{"Timestamp": "2024", "Level": "Error", "MessageTemplate": "disk full"}
{"text": "x", "record": {"level": {"icon": "x", "name": "ERROR", "no": 40}, "message": "x"}}
\x1b[31mERROR\x1b[0m: disk full
\x1b[32m2024-11-27 09:51:58.954\x1b[0m | \x1b[31m\x1b[1mERROR   \x1b[0m | \x1b[36mm\x1b[0m - x
\x1b[2m2024-11-27 09:51:58\x1b[0m [\x1b[31m\x1b[1merror    \x1b[0m] \x1b[1mdisk full\x1b[0m
\ufeffERROR:root:disk full
2024-11-27 09:51:58 SEVERE com.example.Load disk full
[E 241127 09:51:58 web:2246] 500 GET /report
E1126 09:51:58.123456 4711 load.py:12] INFO is no table
[09:51:58 ERR] disk full
2024-11-27 09:51:58 ERR disk full
9:51AM ERR disk full
2024-11-27 09:51:58 | error | disk full
2024-11-27 09:51:58,954 - my.module - error - disk full
"2024-11-27 09:51:58","ERROR","disk full"
2024-11-27 09:51:58;Error;disk full
27/11/2024 09:51:58 ERREUR : fichier introuvable
load: ERROR: disk full
load.py:12: ERROR: disk full
❌ ERROR: disk full
ERROR: row 12
"""
CRITICALS = """
CRITICAL:root:the end
2024-11-27 09:51:58.954 | CRITICAL | pkg.mod:load:1 - the end
2024-11-27T09:51:58.123456Z [critical ] the end
FATAL: the database system is shutting down
F1126 09:51:58.123456 4711 load.py:12] the end
{"levelname": "CRITICAL", "message": "the end"}
{"severity": "EMERGENCY", "message": "the end"}
level=fatal msg="the end"
"""
NONE = """
0 errors
no errors
error rate 0.1
Error: none
error: something
no ERROR found
ERROR count: 0
ERROR COUNT 0
ERRORS: 0
ERROR: 0
ERROR = 0.0 %
WARNING: 0
WARNINGS: 3
ERROR SUMMARY
=== ERROR SUMMARY ===
ERROR | 12
| ERROR | 12 |
WARNING | INFO | ERROR
WARNING 3, ERROR 0
[ERROR] 0
[ERROR]: 0
ERROR (0)
ERROR % : 0,3
ERROR (MAE): 0.12
ERROR TOLERANCE: 1e-3
ERROR MESSAGES:
ERROR CODE;COUNT
2024-11-27 ERROR 0
2024-11-27;ERROR;12
Store A - ERROR - 12
level=ERROR
09:51:58 INF no ERR found
a - error - b
ERR no time stands before it
ValueError: bad value
KeyError: 'ERROR'
KeyError: "ERROR"
requests.exceptions.HTTPError: 500 Server Error
the level is ERROR
Status - ERROR
Result: ERROR - none
finished without ERROR - good
ERROR_CODES loaded
no-ERROR
GET /ERROR HTTP/1.1
ON ERROR RESUME NEXT
/srv/load.py:3: UserWarning: careful
INFO:root:an ERROR was seen
INFO:root:ERROR: 3 rows
INFO     something ERROR
2024-11-27 09:51:58,954 - root - INFO - no ERROR found
2024-11-27 09:51:58,954 - root - INFO - ERROR - 0
2024-11-27 09:51:58.954 | INFO     | __main__:load:12 - ERROR 0
2024-11-27 09:51:58.954 | SUCCESS  | __main__:load:12 - without error
[info     ] error                          count=0
[debug    ] [error] is a level
loaded 3 rows, 0 ERROR
2024-11-27 09:51:58 the script has seen an ERROR in the input
{"message": "error", "level": "info"}
{"level": "info", "error": null, "warnings": 0}
{"message": "{\\"level\\": \\"error\\"}", "level": "info"}
{"error": "none"}
{"level": 3, "kind": "error"}
{"level": ["error"]}
{ERROR}
{"level": "error"
level=info msg="level error"
I1126 09:51:58.123456 4711 load.py:12] no error
alerts sent: 3
the warning was read
"""


def lines(table: str) -> list[str]:
    """Return the lines of a table."""
    return table.strip("\n").split("\n")


@pytest.mark.parametrize(
    ("line", "level"),
    [
        *((line, "log_warnings") for line in lines(WARNINGS)),
        *((line, "log_errors") for line in lines(ERRORS)),
        *((line, "log_criticals") for line in lines(CRITICALS)),
        *((line, None) for line in lines(NONE)),
    ],
)
def test_a_level_counts_where_logging_libraries_write_it(
    line: str, level: str | None
) -> None:
    """Default and common forms of logging, loguru, structlog and others; not the word."""
    assert level_of(line) == level
    assert level_of(f"{line}\r\n") == level

    meter = OutputMeter()
    meter.feed(f"begin\n{line}\nend".encode())
    found = meter.metrics("")
    counts = (found.log_warnings, found.log_errors, found.log_criticals)
    assert counts == tuple(
        int(level == f"log_{name}") for name in ("warnings", "errors", "criticals")
    )


NUMBERS: dict[str, tuple[str, float] | None] = {
    "loaded 48210 rows": ("loaded # rows", 48210),
    "INFO:root:48210 rows loaded": ("INFO:root:# rows loaded", 48210),
    "loaded 0 rows": ("loaded # rows", 0),
    "Loaded 2024 rows": ("Loaded # rows", 2024),
    "Process 48210 rows": ("Process # rows", 48210),
    "5 rows": ("# rows", 5),
    # Which one, and no count.
    "facture n\u00b0 4711 envoyée": None,
    "invoice 2024-0042 sent": None,
    "customer 123456 updated": None,
    "12 rows (id 4711)": ("# rows (id #)", 12),
    "status code 200": None,
    "timestamp 1732701118": None,
    "SIRET 73282932000074": None,
    "elapsed 12.5": None,
    "exercice 2024 : 12": ("exercice # : #", 12),
    "12 factures envoyées": ("# factures envoyées", 12),
    "factures : 12": ("factures : #", 12),
    # Thousands.
    "loaded 48,210 rows": ("loaded # rows", 48210),
    "loaded 1,048,210 rows": ("loaded # rows", 1048210),
    "48\u00a0210 lignes chargées": ("# lignes chargées", 48210),
    "48\u202f210 lignes chargées": ("# lignes chargées", 48210),
    "48 210 lignes chargées": ("# lignes chargées", 48210),
    "1\u202f048\u202f210,5\u00a0€ de ventes": ("#\u00a0€ de ventes", 1048210.5),
    "loaded 48_210 rows": ("loaded # rows", 48210),
    "loaded 1'048'210 rows": ("loaded # rows", 1048210),
    "loaded 1.048.210 rows": ("loaded # rows", 1048210),
    "999 lignes": ("# lignes", 999),
    "1\u202f000 lignes": ("# lignes", 1000),
    # Decimals.
    "total: 1.234,56 EUR": ("total: # EUR", 1234.56),
    "total: 1,234.56 EUR": ("total: # EUR", 1234.56),
    "total: 12,5 %": ("total: # %", 12.5),
    "rate 0.123": ("rate #", 0.123),
    "taux 0,123": ("taux #", 0.123),
    "loss=1.2e-05": ("loss=#", 1.2e-05),
    "change -5 rows": ("change # rows", -5),
    "change \u22125 rows": ("change # rows", -5),
    "accuracy 98.7%": ("accuracy #%", 98.7),
    "$1,234 earned": ("$# earned", 1234),
    "12MB written": ("#MB written", 12),
    # Several: the last one.
    "[3/10] files done": ("[#/#] files done", 10),
    "shape (48210, 12)": ("shape (#, #)", 12),
    "48 of 50 rows": ("# of # rows", 50),
    # Spans of time and rates are no counts.
    "loaded 48210 rows in 12.3 s": ("loaded # rows in # s", 48210),
    "loaded 48210 rows in 350ms": ("loaded # rows in #ms", 48210),
    "loaded 48210 rows (2 min)": ("loaded # rows (# min)", 48210),
    "elapsed 0:01:23, 12 rows": ("elapsed #, # rows", 12),
    "3h12 later 5 rows": ("# later # rows", 5),
    "12 rows after 1h 12min 3s": ("# rows after #", 12),
    "48210 rows at 1,234.5 rows/s": ("# rows at # rows/s", 48210),
    "done in 12.3 s": None,
    "took 350ms": None,
    "Terminé en 3 secondes": None,
    # Dates and times.
    "2024-11-27 09:51:58,954 - root - INFO - loaded 5 rows": (
        "# - root - INFO - loaded # rows",
        5,
    ),
    "2024-11-27T09:51:58.954+01:00 loaded 5 rows": ("# loaded # rows", 5),
    "loaded 5 rows at 2024-11-27T09:51:58Z": ("loaded # rows at #", 5),
    "27/11/2024 09:51 loaded 5 rows": ("# # loaded # rows", 5),
    "20241127_095158 loaded 5 rows": ("# loaded # rows", 5),
    "27 novembre 2024 : 5 fichiers": ("# : # fichiers", 5),
    "5 fichiers du 1er mai": ("# fichiers du #", 5),
    "Wed Nov 27 09:51:58 2024 saved 5 files": ("# saved # files", 5),
    "Nov 27 09:51:58 host app[12]: 7 files": ("# host app#: # files", 7),
    "Wednesday: 7 files": ("#: # files", 7),
    "2024-W48: 7 files": ("#: # files", 7),
    "[  123.456789] loaded 5 rows": ("# loaded # rows", 5),
    "finished at 09:51": None,
    "finished on 27/11/2024": None,
    "report of 2024-11": None,
    # Processes, places and identifiers.
    "cron[1234]: loaded 5 rows": ("cron#: loaded # rows", 5),
    "pid=4711 loaded 7 rows": ("pid=# loaded # rows", 7),
    "loaded 7 rows pid=4711": ("loaded # rows pid=#", 7),
    "loaded 7 rows, process: 4711": ("loaded # rows, process: #", 7),
    "job_id=8423 rows=5": ("job_id=# rows=#", 5),
    "rows=5 run_id=8423": ("rows=# run_id=#", 5),
    "<object at 0x7f3a2b> holds 3 items": ("<object at #> holds # items", 3),
    "commit 3f2a9bc1 has 12 files": ("commit # has # files", 12),
    "commit a2f9bc1d has 12 files": ("commit # has # files", 12),
    "c6af9ac6-7b61-11e6-9a41-93e8deadbeef: 12 files": ("#: # files", 12),
    "a6af9ac6-7b61-11e6-9a41-93e8deadbeef: 12 files": ("#: # files", 12),
    "/data/tmpab3k2x9/in.csv: 5 rows": ("/data/#/in.csv: # rows", 5),
    "wrote out/sales_20241127.csv (48210 rows)": (
        "wrote out/sales_#.csv (# rows)",
        48210,
    ),
    "wrote 48210 rows to C:\\out\\27\\sales.csv": (
        "wrote # rows to C:\\out\\#\\sales.csv",
        48210,
    ),
    "48210 rows from https://example.org:8080/a?page=3": (
        "# rows from https://example.org:#/a?page=#",
        48210,
    ),
    "Thread-12 done 5 files": ("Thread-# done # files", 5),
    "10.0.0.1 answered 5 pings": ("# answered # pings", 5),
    "2024-11-27 09:51:58.954 | INFO     | __main__:main:12 - loaded 5 rows": (
        "# | INFO     | __main__:main:# - loaded # rows",
        5,
    ),
    "version 1.2.3 ready": None,
    "12345678901234567890 is the key": None,
    "x86_64 utf-8 sha256": None,
    # Records in JSON.
    '{"event": "loaded", "rows": 48210, "timestamp": "2024-11-27T09:51:58Z"}': (
        '{"event": "loaded", "rows": #, "timestamp": "#"}',
        48210,
    ),
    '{"rows": 48210, "ts": 1732697518.123}': ('{"rows": #, "ts": #.#}', 48210),
    # Columns of numbers say nothing without a word.
    "1 2 3": None,
    "------": None,
    "": None,
    f"rows 1e{'9' * 3}": None,
    f"{'a' * 300} 5 rows": None,
}


@pytest.mark.parametrize(("line", "expected"), NUMBERS.items())
def test_the_last_number_of_a_line_is_its_value(
    line: str, expected: tuple[str, float] | None
) -> None:
    """In whichever form it is written; what differs from run to run stays out."""
    found = number_of(line)

    assert found == (expected and OutputNumber(line=expected[0], value=expected[1]))


#: The same line on two days.
PAIRS = [
    (
        "2024-11-27 09:51:58,954 [4711] INFO load: loaded 48,210 rows in 12.31 s",
        "2025-01-03 23:00:01,001 [98] INFO load: loaded 0 rows in 0.1 s",
    ),
    (
        "Wed Nov 27 09:51:58 2024 pid 4711: 1 048 210 lignes",
        "Thu Jan 02 00:00:00 2025 pid 12: 7 lignes",
    ),
    (
        "27 novembre 2024 à 9h05 : 48\u202f210 lignes (a2f9bc1d)",
        "3 janvier 2025 à 23h59 : 999 lignes (1b2c3d4e)",
    ),
    (
        "mardi 27 août 2024 : 5 fichiers",
        "mercredi 1 mai 2024 : 12 fichiers",
    ),
    (
        '{"ts": "2024-11-27T09:51:58.954Z", "pid": 4711, "rows": 48210}',
        '{"ts": "2025-01-03T23:00:01Z", "pid": 12, "rows": 0}',
    ),
    (
        "saved 12 files below /data/2024/11/27/run_39be3d37aed64",
        "saved 3 files below /data/2025/01/03/run_11111111aed64",
    ),
]


@pytest.mark.parametrize(("one", "other"), PAIRS)
def test_a_line_that_recurs_has_one_form(one: str, other: str) -> None:
    """Its date, its process and its size are not what tells lines apart."""
    first, second = number_of(one), number_of(other)

    assert first is not None
    assert second is not None
    assert first.line == second.line
    assert first.value != second.value


def test_the_last_lines_come_first_each_form_once() -> None:
    """Few, in the order in which a reader from the end meets them."""
    steps = (f"step {x}: {n} rows" for n, x in enumerate("abcdefgh"))
    rest = ("loaded 2 rows", "loaded 3 rows", "wrote 5 files")
    text = "\n".join(["loaded 1 rows", *steps, *rest])

    found = numbers_in(text)

    assert found[:2] == (
        OutputNumber(line="wrote # files", value=5.0),
        OutputNumber(line="loaded # rows", value=3.0),
    )
    assert len(found) == 10
    many = "\n".join(f"{'x' * n} of kind: {n} rows" for n in range(1, 40))
    assert len(numbers_in(many)) == 12
    assert numbers_in("") == ()


@given(
    st.lists(
        st.sampled_from(
            [
                *lines(ERRORS)[:6],
                *lines(WARNINGS)[:3],
                *lines(NONE)[:8],
                "x" * 500,
                '{"a": "' + "y" * 70_000 + '", "level": "error"}',
                "",
                "caf\u00e9",
            ]
        )
    ),
    st.booleans(),
    st.lists(st.integers(0, 5000), max_size=6),
)
def test_it_does_not_matter_how_an_output_comes(
    written: list[str], ended: bool, cuts: list[int]
) -> None:
    """In one piece or in several, with or without a line end at the end."""
    data = "\n".join(written).encode() + b"\n" * ended
    whole, parts = OutputMeter(), OutputMeter()
    whole.feed(data)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    for start, end in pairwise(places):
        parts.feed(data[start:end])

    found = whole.metrics("")

    assert found == parts.metrics("")
    assert found.output_bytes == len(data)
    assert found.output_lines == len(data.decode().splitlines())


def test_what_nobody_has_read_counts_by_what_was() -> None:
    """A flood is measured, though not to the line."""
    meter = OutputMeter()
    meter.feed(b"ten bytes\n" * 10)
    meter.skip(1000)

    assert meter.metrics("") == ScriptMetrics(output_bytes=1100, output_lines=110)


@pytest.mark.parametrize(
    "line",
    [
        "ERROR:root:disk full\n",
        "inferred \n",
        json.dumps({"level": "error", "rows": list(range(20))}) + "\n",
        "x" * 100,
        "1 2 3 " * 20 + "rows\n",
        "[" * 50 + "\n",
    ],
)
def test_megabytes_are_counted_to_the_end(line: str) -> None:
    """Whatever they consist of; errors up to a number that says enough."""
    meter = OutputMeter()
    count = 2_000_000 // len(line)
    data = line.encode() * count

    meter.feed(data)
    found = meter.metrics(line * 200)

    assert found.output_bytes == len(data)
    assert found.output_lines == (count if line.endswith("\n") else 1)
    assert found.log_errors == (min(count, 20_000) if level_of(line) else 0)


@given(st.text())
def test_no_line_is_too_strange(line: str) -> None:
    """Every text has a form, or none."""
    level_of(line)
    number_of(line)
    numbers_in(line)
