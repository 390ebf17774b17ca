"""Ignores the polite signal, and so does its child."""

import signal, subprocess, sys, time

polite = signal.SIGBREAK if sys.platform == "win32" else signal.SIGTERM
signal.signal(polite, signal.SIG_IGN)
if "child" not in sys.argv:
    subprocess.Popen([sys.executable, __file__, "child"])
print("deaf", flush=True)
time.sleep(600)
