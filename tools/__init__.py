"""What makes a release: each module is a command, ``python -m tools.NAME``."""
