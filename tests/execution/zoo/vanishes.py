"""Leaves a child with no trait of its own: other session, environment, streams."""

import os, sys, time

if "child" in sys.argv:
    # Whoever looks meets no parent that has the script's traits.
    while os.getppid() == int(sys.argv[3]):
        time.sleep(0.001)
    open(sys.argv[1] + ".new", "w").write(str(os.getpid()))
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    time.sleep(600)
elif os.fork() == 0:
    os.setsid()
    between = str(os.getpid())
    if os.fork() == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(null, stream)
        os.closerange(3, 256)
        os.execve(
            sys.executable,
            [sys.executable, __file__, sys.argv[1], "child", between],
            {},
        )
else:
    while not os.path.exists(sys.argv[1]):
        time.sleep(0.01)
    print("done", sys.argv[2:])
    if "wait" in sys.argv:
        time.sleep(600)
