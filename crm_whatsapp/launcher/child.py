"""Becomes another program: first drops privileges and ties its life to its parent's, then `exec`s.

    python -I -S child.py SIGNAL PARENT_PID UID GID PROGRAM [ARGUMENT…]

A program of its own and not a `preexec_fn`: that one runs Python between fork and exec, which can deadlock
when the parent has threads. UID and GID are -1 to stay who we are. Standard library only: it runs without
site-packages.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def main(signal_number: int, parent: int, uid: int, gid: int, command: list[str]) -> None:
    """Replace this process by `command`, which gets signal `signal_number` when its parent (`parent`, a pid) dies.

    The link to the parent exists on Linux only; elsewhere what is left over is ended at the next start.
    """
    if uid >= 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if sys.platform == "linux":
        # After setuid, which clears it. It fires when the *thread* that started us ends: start children from
        # one that stays.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal_number, 0, 0, 0)
        if os.getppid() != parent:  # the parent died before the call above
            return
    os.execv(command[0], command)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5:])
