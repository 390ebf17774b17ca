"""Gives a message instead of an exit code."""

import sys

print("working")
print()
sys.exit("the input folder is empty\nask the accountants")
