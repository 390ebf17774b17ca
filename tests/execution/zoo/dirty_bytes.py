"""Prints what is no text: invalid UTF-8, NUL, an escape; no newline at the end."""

import os

os.write(1, b"caf\xe9 \x00\x1b[31m \xff\xfe end")
