"""Fails at exit, which changes no exit code."""

import atexit


@atexit.register
def farewell():
    raise ValueError("lost at exit")
