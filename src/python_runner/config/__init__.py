"""Files and environment become frozen facts, or one error that lists everything wrong."""
