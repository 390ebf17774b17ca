"""Ends at once; its child holds the output open. With "hidden", the child has no
environment and a session of its own."""

import subprocess, sys

options = {}
if "hidden" in sys.argv:
    options = {"env": {}, "start_new_session": True}
child = subprocess.Popen(
    [sys.executable, "-c", "import time; time.sleep(600)"], **options
)
with open(sys.argv[1], "w") as file:
    file.write(str(child.pid))
