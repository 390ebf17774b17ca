"""One script, from start to result; may run on another machine."""
