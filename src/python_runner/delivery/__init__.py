"""Getting messages out: queue, retry, transports."""
