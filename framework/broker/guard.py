"""Stands between us and Java: a process whose only work is to end Java when its parent is gone.

Run as a program with Java's command line. Prints Java's process id, then waits until standard input closes (the parent
ended, in whatever way) or Java ends. Imports nothing of ours, so that it starts at once.
"""

import ctypes
import os
import signal
import subprocess
import sys
import threading

_PR_SET_PDEATHSIG = 1


def _die_with_parent() -> None:
    # Linux: a guard that is itself killed takes Java with it.
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def main() -> None:
    java = subprocess.Popen(
        sys.argv[1:],
        stdin=subprocess.DEVNULL,
        stdout=sys.stderr,
        preexec_fn=_die_with_parent,  # noqa: PLW1509  # one thread here, and prctl is safe after fork
    )
    print(java.pid, flush=True)

    def end_with_parent() -> None:
        os.read(0, 1)  # returns when the other end is closed
        java.terminate()
        try:
            java.wait(10)
        except subprocess.TimeoutExpired:
            java.kill()

    threading.Thread(target=end_with_parent, daemon=True).start()
    sys.exit(java.wait())


if __name__ == "__main__":
    main()
