"""`python measured.py LOG COMMAND...`: runs COMMAND with its output in LOG and prints its cost.

Prints the exit code, the wall time in s, and the peak resident memory in kB of COMMAND's largest process. A
process of its own, because Linux counts the memory of whoever starts a program to that program: started by a
Python that holds torch, every cmsRun would seem to need half a GB.
"""

import resource
import signal
import subprocess
import sys
import time

# COMMAND, which is in the same group of processes, gets it, too, and has things to do before it ends.
signal.signal(signal.SIGTERM, lambda *_: None)
with open(sys.argv[1], "wb") as log:
    start = time.perf_counter()
    code = subprocess.call(sys.argv[2:], stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
    wall = time.perf_counter() - start
print(code, wall, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
