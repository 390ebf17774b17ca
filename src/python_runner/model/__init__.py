"""The facts that every layer shares: projects, runs, their history, messages.

Everything here is frozen, can be pickled (a script may run on another machine) and does
no I/O. Durations are seconds, sizes are bytes, times are aware ``datetime`` objects.
"""

from python_runner.model.alert import (
    AlertMemory,
    AlertRules,
    ReportDecision,
    ToldFailure,
)
from python_runner.model.history import (
    Comparison,
    Incident,
    KnownSchedule,
    PastBounds,
    PastResult,
    ProjectState,
    RunHead,
    Streak,
)
from python_runner.model.mailbox import Mailbox, parse_mailbox
from python_runner.model.message import RECIPIENTS, Cause, Delivery, Message, Receipt
from python_runner.model.project import (
    TOKEN_TRANSPORTS,
    EmailStrategy,
    Interpreter,
    MailSettings,
    OnFailure,
    Overlap,
    Project,
    Provider,
    Script,
    Settings,
    StrategyName,
    WhenUnusual,
)
from python_runner.model.run import (
    Attempt,
    Command,
    Held,
    HeldBy,
    MailStatus,
    OpenRun,
    OpenScript,
    Outcome,
    Run,
    RunStatus,
    ScriptResult,
    Traceback,
    error_name,
)


__all__ = [
    "RECIPIENTS", "TOKEN_TRANSPORTS", "AlertMemory", "AlertRules", "Attempt", "Cause", "Command", "Comparison", "Delivery",
    "EmailStrategy", "Held", "HeldBy", "Incident", "Interpreter", "KnownSchedule", "MailSettings", "MailStatus", "Mailbox",
    "Message", "OnFailure", "OpenRun", "OpenScript", "Outcome", "Overlap", "PastBounds", "PastResult", "Project",
    "ProjectState", "Provider", "Receipt", "ReportDecision", "Run", "RunHead", "RunStatus", "Script", "ScriptResult", "Settings", "StrategyName", "Streak",
    "ToldFailure", "Traceback", "WhenUnusual", "error_name", "parse_mailbox",
]  # fmt: skip
