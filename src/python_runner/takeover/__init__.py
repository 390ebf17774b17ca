"""What an existing task, crontab or batch file does becomes a configuration.

Text comes in, facts go out: nothing here opens a file, and nothing of the user's is
executed.
"""
