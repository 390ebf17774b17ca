"""Every process forks the next and ends; each in a session of its own."""

import os, sys, time

print("forking", flush=True)
for _ in range(int(sys.argv[1])):
    if os.fork():
        os._exit(0)
    os.setsid()
    time.sleep(float(sys.argv[2]))
