"""What people are told of a run: subject, text, HTML page, MIME message."""
