"""Every kind of finding, with its words: the table of the page about `doctor`."""

from __future__ import annotations

from python_runner.doctor.finding import Kind, Severity
from python_runner.texts.sentence import N_


_PROBLEM, _WARNING, _FINE = Severity.PROBLEM, Severity.WARNING, Severity.FINE

# A project.
READY = Kind("project.ready", _FINE, "{summary}")
CONFIGURATION_WRONG = Kind(
    "configuration.wrong",
    _PROBLEM,
    "{problem}",
    N_("The project does not run as long as that is wrong."),
    N_("Correct it. `python-runner check` shows when it is right."),
    usage=True,
)
CONFIGURATION_ODD = Kind(
    "configuration.odd",
    _WARNING,
    "{problem}",
    N_("The project runs all the same, perhaps not as it is meant."),
    N_("Correct it, or leave it if it is meant so."),
)
INTERPRETER_UNUSABLE = Kind(
    "interpreter.unusable",
    _PROBLEM,
    "{problem}",
    N_("No script of the project can start."),
    N_("Install this Python, or correct python_command in exec_config.json."),
    usage=True,
)
INTERPRETER_ENDED = Kind(
    "interpreter.end_of_life",
    _WARNING,
    N_("Python {version} ({interpreter}) has had no corrections since {date}"),
    N_("Its security gaps stay open, and new packages do not support it any more."),
    N_("Make a new environment with a newer Python, and try the scripts in it."),
)
INTERPRETER_32BIT = Kind(
    "interpreter.32bit",
    _WARNING,
    N_("Python {version} ({interpreter}) is a 32-bit program"),
    N_("It can use 4 GB of memory at most, and many packages do not support it."),
    N_("Install the 64-bit Python, unless a driver or library needs 32 bits."),
)
INTERPRETER_SLOW = Kind(
    "interpreter.slow",
    _WARNING,
    N_(
        "{interpreter} takes {seconds} to start, {site} of it for what installed"
        " packages load each time: {names}"
    ),
    N_("Each script waits for that before its first line."),
    N_(
        "Use an environment with only what the project needs, or uninstall the package"
        " that has put the file there. `{command}` shows what takes how long."
    ),
)
SCRIPT_WRONG = Kind(
    "script.wrong",
    _PROBLEM,
    "{problem}",
    N_("This script fails each time, before its first line."),
    N_("Correct the script, or its entry under scripts in exec_config.json."),
    usage=True,
)
IMPORT_MISSING = Kind(
    "import.missing",
    _PROBLEM,
    N_("{file} imports {module} in line {line}, which {interpreter} does not have"),
    N_("The script ends there with ModuleNotFoundError."),
    N_("Install it: `{command}`. A package may have another name than its module."),
)
IMPORT_MISSING_INSIDE = Kind(
    "import.missing_later",
    _WARNING,
    N_("{file} may import {module} in line {line}, which {interpreter} does not have"),
    N_("A script that comes to this line fails, perhaps after hours."),
    N_("Install it: `{command}`. A package may have another name than its module."),
)
IMPORT_REMOVED = Kind(
    "import.removed",
    _PROBLEM,
    N_("{file} imports {module} in line {line}, which Python {version} has no more"),
    N_("The script ends there with ModuleNotFoundError."),
    N_("Replace the module, or run the project with an older Python for a while."),
)
LOGS_UNWRITABLE = Kind(
    "logs.unwritable",
    _WARNING,
    "{problem}",
    N_("Who looks there finds nothing of the last runs."),
    N_("Give the account that runs the project the right to write there."),
)
RUN_ACTIVE = Kind(
    "run.active",
    _FINE,
    N_("a run is active since {since} (run {run_id}, process {pid})"),
)
RUN_LONG = Kind(
    "run.long",
    _WARNING,
    N_(
        "a run is active since {since} (run {run_id}, process {pid}); usually it takes"
        " {usual}"
    ),
    N_("As long as it is active, each further run of the project is skipped."),
    N_(
        "Look what it does: `python-runner output {folder} --follow`. To end it:"
        " `python-runner stop {folder}`. The key `timeout` ends it by itself."
    ),
)
RUN_LEFT = Kind(
    "run.left",
    _WARNING,
    N_(
        "the run of {since} ({run_id}) was interrupted: it was killed, or the computer was switched off"
    ),
    N_("Its report leaves with the next run, and some of its scripts did not run."),
    N_("Run what is missing: `python-runner run {folder} --resume`."),
)
RUN_ORPHANS = Kind(
    "run.orphans",
    _PROBLEM,
    N_(
        "the runner of run {run_id} was killed, but processes that it started are still"
        " running: {processes}"
    ),
    N_("As long as they run, each further run of the project is skipped."),
    N_("Look what they do, and end them by their numbers."),
)
REPORTS_WAITING = Kind(
    "reports.waiting",
    _WARNING,
    N_("reports that wait to be sent: {count}, the oldest since {since} ({reason})"),
    N_("Nobody has been told of these runs yet."),
    N_("Send them now: `python-runner mail flush`. It says why one cannot leave."),
)
REPORTS_GIVEN_UP = Kind(
    "reports.given_up",
    _PROBLEM,
    N_("reports that were given up: {count}, the last of {since} ({reason})"),
    N_("Nobody will be told of these runs."),
    N_(
        "Mend the cause, then `python-runner mail flush --all`; or drop them:"
        " `python-runner mail list`, `python-runner mail drop NUMBER`."
    ),
)
ADDRESS_UNKNOWN = Kind(
    "address.unknown",
    _PROBLEM,
    "{problem}",
    N_("What is sent there does not arrive."),
    N_("Correct the address, or ask why this computer does not know that name."),
)
SCHEDULE_MISSING = Kind(
    "schedule.not_installed",
    _PROBLEM,
    N_("its key `schedule` ({schedule}) is not installed: nothing here starts it"),
    N_("The project does not run by itself."),
    N_("`python-runner schedule install {folder}`"),
)
SCHEDULE_DIFFERS = Kind(
    "schedule.differs",
    _PROBLEM,
    N_("its key `schedule` ({schedule}) is not what {where} does ({installed})"),
    N_("It runs at other times than the ones that are written in its configuration."),
    N_("`python-runner schedule install {folder}`"),
)
SCHEDULE_DISABLED = Kind(
    "schedule.disabled",
    _PROBLEM,
    N_("its key `schedule` ({schedule}) is installed in {where}, but disabled there"),
    N_("The project does not run by itself."),
    N_("Enable the entry, or `python-runner schedule install {folder}`."),
)
SCHEDULE_LEFT = Kind(
    "schedule.left_over",
    _WARNING,
    N_("{where} starts it ({installed}), but it has no key `schedule` any more"),
    N_("It goes on to run."),
    N_(
        "`python-runner schedule remove {folder}`, or write the key `schedule` into exec_config.json."
    ),
)
SCHEDULE_ACCOUNT = Kind(
    "schedule.account",
    _WARNING,
    N_("{where} starts it as {account}, and this is {me}"),
    N_(
        "Another account has its own records, sign-in and drives: what is checked here"
        " holds for this account alone."
    ),
    N_("Run `python-runner doctor` as {account} too, or install it for this account."),
)
SCHEDULE_INSTALLED = Kind(
    "schedule.installed",
    _FINE,
    N_("{where} starts it ({installed}), next on {next}"),
)
DRIVE_MAPPED = Kind(
    "windows.drive",
    _PROBLEM,
    N_("{path} lies on the network drive {drive}"),
    N_("A scheduled task has no such drive, unless you are logged on."),
    N_("Name the folder by its share: {share}"),
)
PATH_LONG = Kind(
    "windows.long_path",
    _WARNING,
    N_("the longest name of a file below {path} has a length of {length}"),
    N_("This Windows takes 259: output and logs with longer names cannot be written."),
    N_("Use a shorter folder, or let the administrator allow long paths."),
)

# This computer: records and disks.
STATE_UNWRITABLE = Kind(
    "state.unwritable",
    _PROBLEM,
    "{problem}",
    N_(
        "Reports that cannot leave at once are lost, and two runs may be active at once."
    ),
    N_("Set PYTHON_RUNNER_HOME to a local folder that this account may write to."),
)
STATE_REMOTE = Kind(
    "state.remote",
    _PROBLEM,
    N_("the state folder {path} lies on a network drive"),
    N_(
        "Locks are not reliable there: two runs may be active at once, and the records damaged."
    ),
    N_("Set PYTHON_RUNNER_HOME to a folder on a disk of this computer."),
)
RECORDS_UNREADABLE = Kind(
    "records.unreadable",
    _PROBLEM,
    "{problem}",
    N_("No records are kept, and reports that cannot leave at once are lost."),
    N_(
        "Free the file, or give this account the right to write it. If a newer Python"
        " Runner has made it, install that one here too."
    ),
)
RECORDS_DAMAGED = Kind(
    "records.damaged",
    _PROBLEM,
    N_("{file} is damaged: {error}"),
    N_("Past runs may be lost, and so may reports that wait."),
    N_(
        "Copy the file away. The next command sets it aside and begins new records. Look"
        " at the disk: records are damaged by disks, not by crashes."
    ),
)
RECORDS_SET_ASIDE = Kind(
    "records.set_aside",
    _WARNING,
    N_("damaged records were set aside: {file}"),
    N_("The runs before are in that file, and so are reports that had not been sent."),
    N_(
        "Look whether a report is missing, then delete the file. Look at the disk:"
        " records are damaged by disks, not by crashes."
    ),
)
RECORDS_SOUND = Kind(
    "records.sound", _FINE, N_("the records are sound ({file}, {size})")
)
DISK_FULL = Kind(
    "disk.full",
    _PROBLEM,
    N_("{room} are free for {path}, and a run may need {needed}"),
    N_("Output, logs and records can then not be written, and scripts fail."),
    N_("Make room, or lower output_limit and output_keep_days."),
)
DISK_LOW = Kind(
    "disk.low",
    _WARNING,
    N_("{room} are free for {path}, and a run may need {needed}"),
    N_("A few runs, or an update of the system, fill the disk."),
    N_("Make room, or lower output_limit and output_keep_days."),
)
DISK_FILES_FULL = Kind(
    "disk.files_full",
    _PROBLEM,
    N_("{room} more files can be made for {path}, and a run may need {needed}"),
    N_("Output, logs and records can then not be written, and scripts fail."),
    N_("Delete files that nobody needs: there are too many small ones (`df -i`)."),
)
DISK_FILES_LOW = Kind(
    "disk.files_low",
    _WARNING,
    N_("{room} more files can be made for {path}, and a run may need {needed}"),
    N_("The disk takes no more files after a few runs, however much room it has."),
    N_("Delete files that nobody needs: there are too many small ones (`df -i`)."),
)

# This computer: mail.
MAIL_CONFIGURATION = Kind(
    "mail.configuration",
    _WARNING,
    "{problem}",
    N_("No project needs it now; the first one that sends an email will."),
    N_("Correct the variable in {file}, or take it out."),
)
MAIL_CLOSED = Kind(
    "mail.closed",
    _PROBLEM,
    N_("{way} ({endpoint}): {step}: {problem}"),
    N_("No email leaves: reports wait, and are given up after some days."),
    N_("Do what the sentence says, then `python-runner mail test`."),
)
MAIL_CLOSED_UNUSED = Kind(
    "mail.closed_unused",
    _WARNING,
    N_("{way} ({endpoint}): {step}: {problem}"),
    N_("No project needs it now; the first one that sends an email will."),
    N_("Do what the sentence says, then `python-runner mail test`."),
)
MAIL_WAY_CLOSED = Kind(
    "mail.way_closed",
    _WARNING,
    N_("{way} ({endpoint}): {step}: {problem}"),
    N_("Emails leave by another way; if that one closes too, they wait."),
    N_("Do what the sentence says, then `python-runner mail test`."),
)
MAIL_OPEN = Kind("mail.open", _FINE, N_("{way} ({endpoint}): {found}"))
MAIL_NOT_TRIED = Kind(
    "mail.not_tried",
    _FINE,
    N_("{way}: whether the event log takes a report is only known when one is written"),
)
MAIL_UNUSED = Kind("mail.unused", _FINE, N_("no project sends emails"))
MAIL_PASSWORD = Kind(
    "mail.password",
    _WARNING,
    "{problem}",
    N_("Microsoft closes the way by password: one night no email leaves any more."),
    N_("`python-runner mail setup` tells which way fits."),
)
SIGN_IN_ENDED = Kind(
    "sign_in.ended",
    _PROBLEM,
    "{problem}",
    N_("No email leaves in the name of {account}: reports wait."),
    N_("In the account that runs the projects: `python-runner mail login`."),
)
SIGN_IN_ENDING = Kind(
    "sign_in.ending",
    _WARNING,
    "{problem}",
    N_("From then on no email leaves in the name of {account}."),
    N_("In the account that runs the projects: `python-runner mail login`."),
)
SIGN_IN_GOOD = Kind(
    "sign_in.good",
    _FINE,
    N_("{account} is signed in since {since}; without use, the sign-in ends on {ends}"),
)
CERTIFICATE_ENDED = Kind(
    "certificate.ended",
    _PROBLEM,
    "{problem}",
    N_("The application cannot sign in without it."),
    N_(
        "Make a new certificate, upload its public part to the application in Microsoft"
        " Entra, and name its file in OAUTH_CLIENT_CERTIFICATE."
    ),
)
CERTIFICATE_ENDING = Kind(
    "certificate.ending",
    _WARNING,
    "{problem}",
    N_("The application cannot sign in without it."),
    N_(
        "Make a new certificate, upload its public part to the application in Microsoft"
        " Entra, and name its file in OAUTH_CLIENT_CERTIFICATE. Both are valid at the"
        " same time."
    ),
)
CERTIFICATE_UNREADABLE = Kind(
    "certificate.unreadable",
    _PROBLEM,
    N_("{file} (OAUTH_CLIENT_CERTIFICATE) cannot be read: {error}"),
    N_("The application cannot sign in without it."),
    N_("Name a file with certificate and private key, both in PEM format."),
)
CERTIFICATE_GOOD = Kind(
    "certificate.good",
    _FINE,
    N_("the certificate in {file} (OAUTH_CLIENT_CERTIFICATE) ends on {date}"),
)
SECRET_END_UNKNOWN = Kind(
    "secret.end_unknown",
    _FINE,
    N_(
        "when OAUTH_CLIENT_SECRET ends cannot be found out here: look under Certificates"
        " & secrets of the application in Microsoft Entra, and note the day"
    ),
)
SERVER_CERTIFICATE_ENDING = Kind(
    "server_certificate.ending",
    _WARNING,
    N_("the certificate of {host} ends on {date}"),
    N_("If it is not renewed until then, no email leaves: reports wait."),
    N_("Tell the administrators of that server."),
)

# This computer: the rest.
CLOCK_WRONG = Kind(
    "clock.wrong",
    _PROBLEM,
    N_("the clock of this computer is {difference} {direction} that of {host}"),
    N_("Microsoft and servers with certificates refuse whoever is minutes off."),
    N_("Let the system set its clock by the network (w32tm, timedatectl)."),
)
CLOCK_OFF = Kind(
    "clock.off",
    _WARNING,
    N_("the clock of this computer is {difference} {direction} that of {host}"),
    N_("Runs begin at another time than people expect, and logs are hard to compare."),
    N_("Let the system set its clock by the network (w32tm, timedatectl)."),
)
CLOCK_BEHIND = Kind(
    "clock.behind",
    _PROBLEM,
    N_("the clock says {now}, but a run of {project} was recorded at {last}"),
    N_("It is wrong now, or was wrong then: what is old or late is misjudged."),
    N_("Let the system set its clock by the network (w32tm, timedatectl)."),
)
ZONE_UNKNOWN = Kind(
    "clock.zone",
    _WARNING,
    N_("the time zone of this computer has no known name: {error}"),
    N_("After the clock changes a project may start at the wrong hour."),
    N_("Set the time zone of the system, or TZ to a name like Europe/Paris."),
)
ROOT = Kind(
    "account.root",
    _WARNING,
    "{problem}",
    N_(
        "A mistake in any script, or in a package of it, can change the whole computer."
    ),
    N_("Run the projects in an account of their own."),
)
PERMISSIONS = Kind(
    "permissions.open",
    _WARNING,
    "{problem}",
    N_("Whoever may change what is run, or read its secrets, has its rights."),
    N_("Type what stands there, or use a folder that only this account can change."),
)
FOREIGN_PACKAGE = Kind(
    "package.foreign",
    _PROBLEM,
    "{problem}",
    N_("Programs may get another package than Python Runner, or a broken one."),
    N_("Do what the sentence says."),
)
FLEET_UNWRITABLE = Kind(
    "fleet.unwritable",
    _WARNING,
    N_("this computer cannot write to the fleet's folder {folder}: {error}"),
    N_("Other computers do not see its runs, and may say that it is silent."),
    N_(
        "Look whether the share is there and this account may write to it; what waits is"
        " written then. Nobody makes the folder but you."
    ),
)
FLEET_WAITING = Kind(
    "fleet.waiting",
    _WARNING,
    N_("results that wait to be written to the fleet's folder {folder}: {count}"),
    N_("Other computers do not see these runs yet."),
    N_("`python-runner mail flush` writes them, and so does the next run."),
)
FLEET_WRITABLE = Kind(
    "fleet.writable",
    _FINE,
    N_("this computer can write to the fleet's folder {folder}"),
)
LINGER = Kind(
    "systemd.linger",
    _PROBLEM,
    N_("timers of {user} are installed, but stop when {user} signs off"),
    N_("After a restart nothing is started until somebody signs on."),
    N_("`loginctl enable-linger {user}`"),
)
UNFINISHED = Kind(
    "doctor.unfinished",
    _WARNING,
    N_("not known after {seconds} s: {subject}"),
    N_("Something does not answer: a server, a network drive, an interpreter."),
    N_("Look at it by itself, or type `python-runner doctor` again."),
)
FAILED = Kind(
    "doctor.failed",
    _WARNING,
    N_("not known: {subject} ({error})"),
    N_("What was to be found out there may be wrong."),
    N_("If it stays, tell us with the file that the sentence names."),
)
#: All of them, in the order of the page.
KINDS = tuple(kind for kind in list(globals().values()) if isinstance(kind, Kind))
