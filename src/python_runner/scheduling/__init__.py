"""Hands projects to the scheduler of the platform, and asks it what is there."""
