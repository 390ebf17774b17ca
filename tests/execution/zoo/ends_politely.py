"""Tidies up on the polite signal, and says so."""

import signal, sys, time

polite = signal.SIGBREAK if sys.platform == "win32" else signal.SIGTERM
signal.signal(polite, lambda *_: sys.exit("tidied up"))
print("ready", flush=True)
while True:
    time.sleep(0.05)
