"""Threads that run user code, and so must not hold up the exit of the program.

A thread that is stuck in C code cannot be ended; as a daemon it is left behind when the
interpreter ends. A subinterpreter allows no daemons: there it is an ordinary thread.
"""

from __future__ import annotations

import _thread
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["daemon_thread"]


def daemon_thread(
    target: Callable[..., None], args: tuple[Any, ...], name: str
) -> threading.Thread:
    """A thread that has not started yet. Whoever starts it joins it, with a deadline."""
    allowed = getattr(_thread, "daemon_threads_allowed", lambda: True)()  # since Python 3.12
    return threading.Thread(target=target, args=args, name=name, daemon=allowed)
