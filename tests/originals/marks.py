"""What a worker can tell of itself. Interpreters import it, so it imports next to nothing."""

from __future__ import annotations

import os
import threading

__all__ = ["here"]


def here() -> tuple[int, int, int]:
    """Process, thread, and number of the worker that calls it: no two workers have the same."""
    from minigun_py import current

    return os.getpid(), threading.get_ident(), current().worker
