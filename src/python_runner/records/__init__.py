"""What happened, kept: the log, captured output, records, locks."""
