"""Forks children that fork children, all deaf, until there are enough."""

import os, signal, sys, time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
for _ in range(int(sys.argv[1])):
    os.fork()
print("bred", flush=True)
time.sleep(600)
