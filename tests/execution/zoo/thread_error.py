"""Fails in a thread, which changes no exit code."""

import threading


def work():
    raise RuntimeError("lost in a thread")


thread = threading.Thread(target=work)
thread.start()
thread.join()
print("the main thread goes on")
