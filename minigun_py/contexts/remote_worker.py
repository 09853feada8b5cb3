"""What the parent knows of one worker at the other end of a socket pair."""

from __future__ import annotations

import contextlib
import select
import socket
from typing import Any, Final

from minigun_py.contexts.answer import WINDOW, Lease
from minigun_py.contexts.arena import ArenaEnd
from minigun_py.contexts.crew import Spawned
from minigun_py.contexts.frame import Frame
from minigun_py.contexts.portable_errors import not_rebuilt
from minigun_py.contexts.wire import FrameReader, FrameWriter
from minigun_py.errors import NotPicklable
from minigun_py.primitives.spool import Spool

__all__ = ["Parts", "RemoteWorker", "part_of"]

LONG_LEASE_SECONDS: Final = 0.05
"""A worker whose last lease took longer has no second one waiting: others may be idle sooner."""


class Parts:
    """Outputs that come before the answer that they belong to."""

    def __init__(self) -> None:
        self.outputs: dict[int, Spool] = {}
        """By exit."""
        self.unreadable: Exception | None = None
        """Why one of them cannot be rebuilt."""

    def add(self, frame: Frame) -> None:
        """Take one in."""
        try:
            way_out, values = part_of(frame)
        except NotPicklable as error:
            self.unreadable = error
        else:
            self.outputs.setdefault(way_out, Spool()).put(values)


def part_of(frame: Frame) -> tuple[int, list[Any]]:
    """Outputs, and their exit. Raises `NotPicklable` if they cannot be rebuilt."""
    try:
        way_out, values = frame.load()
    except Exception as error:
        raise not_rebuilt(error) from error
    return way_out, values


class RemoteWorker:
    """One worker, with the leases that it holds by place."""

    def __init__(
        self,
        spawned: Spawned,
        arena: ArenaEnd | None = None,
        most_items: int | None = None,
        most_leases: int | None = None,
    ) -> None:
        self.number, self.slot, self.socket = spawned.worker, spawned.slot, spawned.socket
        self.socket.setblocking(False)
        self.arena, self.reader = arena, FrameReader(self.socket, arena)
        self.writer = FrameWriter(self.socket)
        self.leases: dict[int, Lease] = {}
        self.parts: dict[int, Parts] = {}
        """By the place of a lease, what came of its answer before it."""
        self.events = select.POLLIN
        self.gone = self.released = self.answered = False
        self.retired = False  # it has grown too large, and exits after its next answer
        self.told_to_emit = False  # all that it holds, with the last of its leases
        self.overdue: tuple[int, int] | None = None
        """Place and index of the item for which it is killed, since that took too long."""
        self.window = 1
        self.items_left, self._leases_left = most_items, most_leases

    @property
    def has_had_its_share(self) -> bool:
        """Whether it gets no other lease."""
        return (self.items_left is not None and self.items_left <= 0) or self._leases_left == 0

    @property
    def takes_one_more(self) -> bool:
        """Whether it may have another lease."""
        return (
            len(self.leases) < self.window
            and not (self.gone or self.released or self.retired)
            and not self.has_had_its_share
        )

    def lend(self, lease: Lease) -> None:
        """Note a lease that goes to it for the first time."""
        self.leases[lease.place] = lease
        if self.items_left is not None:
            self.items_left -= len(lease.items)
        if self._leases_left is not None:
            self._leases_left -= 1

    def took(self, seconds: float) -> None:
        """Note how long its last lease ran."""
        self.window = WINDOW if seconds < LONG_LEASE_SECONDS else 1

    def release(self) -> None:
        """Tell it that no lease will follow; it tears down, and exits."""
        if not self.released:
            self.released = True
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hear no more of it. It sees the end of its frames."""
        with self.socket, contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_RDWR)
