"""A descriptor for a process, also where Python was built without `os.pidfd_open`."""

import ctypes
import os

__all__ = ["open_process"]

PIDFD_OPEN = 434  # the number of the system call, the same on every architecture of Linux


def open_process(pid: int) -> int:
    """A descriptor that becomes readable when the process ends."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(pid)
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = int(libc.syscall(PIDFD_OPEN, pid, 0))
    if descriptor < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    os.set_inheritable(descriptor, False)
    return descriptor
