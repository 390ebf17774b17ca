"""Starts short-lived processes in the background, again and again."""

import os, sys, time

for _ in range(int(sys.argv[1])):
    os.system("true &")
time.sleep(0.8)
