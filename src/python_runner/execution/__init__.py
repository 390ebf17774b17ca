"""Runs one script, from its start to its result."""
