"""The command line: arguments, progress, and the one place that prints and exits."""
