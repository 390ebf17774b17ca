"""The report of a run: subject, text, HTML page, MIME message."""
