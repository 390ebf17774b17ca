"""Runs series of Python scripts of several projects, unattended and reliably."""
