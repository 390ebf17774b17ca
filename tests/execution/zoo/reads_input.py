"""Waits for somebody at the keyboard."""

input("Your name? ")
