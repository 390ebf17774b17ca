"""Prints as many bytes as it is told, in lines or in none, between two words."""

import os, sys

total, end = int(sys.argv[1]), sys.argv[2]
line = ("x" * 99 + ("\n" if end == "lines" else "x")).encode() * 10_000
os.write(1, b"first words\n")
for _ in range(total // len(line)):
    view = memoryview(line)
    while view:
        view = view[os.write(1, view) :]
os.write(1, b"\nlast words\n")
