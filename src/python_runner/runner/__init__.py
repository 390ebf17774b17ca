"""One run of one project, and the session that all runs of a process share."""
