"""Lets a process that is forked while coverage is measured go on, whatever other threads do.

The measurement has a lock, and a thread may hold it in the moment in which another one forks. In
the child nobody is left to release it, and the first line that is new to the measurement waits for
ever. So a child begins with a lock that is free.
"""

from __future__ import annotations

import os

__all__ = ["free_the_lock_in_children"]


def free_the_lock_in_children() -> None:
    """To be called before anything else is to be done in children: that would be measured."""
    try:
        from coverage import Coverage
    except ImportError:  # only the development environment has it
        return
    measured = Coverage.current()
    lock = getattr(getattr(measured, "_collector", None), "data_lock", None)
    if lock is not None:
        os.register_at_fork(after_in_child=lock._at_fork_reinit)
