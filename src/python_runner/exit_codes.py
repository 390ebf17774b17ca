"""The exit codes of the command; ``policy.exit_code`` says which follows from runs."""

#: Every script succeeded.
EXIT_SUCCESS = 0
#: A script did not succeed.
EXIT_FAILURE = 1
#: Wrong usage, or a project that could not be run at all.
EXIT_USAGE = 2
#: A project was skipped because a run of it is active.
EXIT_SKIPPED = 3
#: The scripts succeeded, but a report has been given up.
EXIT_REPORT = 4
#: The scripts succeeded, but the document that was asked for could not be written.
EXIT_DOCUMENT = 5
#: Ctrl-C, or its like on Windows: 128 + SIGINT, as a shell has it.
EXIT_INTERRUPTED = 130
#: Any other signal that asks to stop: 128 + SIGTERM.
EXIT_TERMINATED = 143
