"""What a loop asks of whoever starts its workers, and what it hears from it."""

from __future__ import annotations

import socket
from typing import Protocol

from minigun_py.clock import Deadline
from minigun_py.record import field, record

__all__ = ["Crew", "Exited", "Spawned"]


@record
class Spawned:
    """A worker is there. `socket` is the parent's end of its pair."""

    slot: int
    worker: int
    socket: socket.socket


@record
class Exited:
    """A worker is gone. `status` is its exit code, or the negated number of a signal."""

    worker: int
    status: int
    peak_bytes: int = field(default=0, compare=False)
    """The most memory that it had in use; 0 if nobody knows."""


class Crew(Protocol):
    """Starts workers, and tells when they have come and gone."""

    def fileno(self) -> int:
        """Readable when `receive` has something to tell."""
        ...

    def spawn(self, slot: int) -> None:
        """Ask for a worker. `Spawned` follows."""
        ...

    def receive(self) -> tuple[list[Spawned | Exited], bool]:
        """What it has to tell since the last call, and whether it is still there."""
        ...

    def kill(self, worker: int) -> None:
        """End a worker by force. `Exited` follows, unless it had ended. Only if it is possible."""
        ...

    def kill_all(self) -> None:
        """End every worker by force, where that is possible. From any thread."""
        ...

    def close(self, deadline: Deadline) -> None:
        """Release everything; what is still alive at the deadline is killed if it can be."""
        ...
