"""Reads where nothing is."""

import faulthandler


def crash():
    faulthandler._read_null()


print("before")
crash()
