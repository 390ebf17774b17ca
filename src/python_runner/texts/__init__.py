"""Sentences for people, in their language and their formats."""
