"""Memory that processes share: a file without a name, so nothing is left when they are gone."""

from __future__ import annotations

import os
from typing import Final

__all__ = ["shared_file"]

_IN_MEMORY: Final = "/dev/shm"


def shared_file(name: str, size: int) -> int:
    """A descriptor of so many bytes, all zero. What is not written to takes no memory."""
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create(name)
    else:
        import tempfile  # here: it is seldom the way, and much to import

        place = _IN_MEMORY if os.path.isdir(_IN_MEMORY) else None
        with tempfile.TemporaryFile(dir=place) as file:  # unlinked from the first moment
            descriptor = os.dup(file.fileno())
    os.ftruncate(descriptor, size)
    return descriptor
