"""Keeps what happened: records (SQLite), log, captured output; holds the locks."""
