"""Schedules: the system's own scheduler, the slots of a project, and why one was missed."""
