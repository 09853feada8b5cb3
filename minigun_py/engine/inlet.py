"""Where the items of a group come from: a channel, a loop, or a source that has them already."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from minigun_py.clock import Deadline
from minigun_py.primitives.channel import ChannelStatistics

__all__ = ["Inlet"]


class Inlet(Protocol):
    """What a group asks of it; see `primitives.channel.Receiver` for the promises."""

    @property
    def waiting(self) -> int:
        """How many items are there."""
        ...

    @property
    def ending(self) -> bool:
        """Whether no others will come, as far as is known."""
        ...

    def receive_many(self, limit: int, *, deadline: Deadline | None = None) -> list[Any]:
        """Take 1 to `limit` items, waiting for the first."""
        ...

    def receive_many_nowait(self, limit: int) -> list[Any]:
        """Take 1 to `limit` items. Raises `WouldBlock` if none is there."""
        ...

    def on_ready(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when there may be items, or an end."""
        ...

    def abort(self, reason: object = None) -> None:
        """Cut the stream."""
        ...

    def close(self) -> None:
        """Take no more."""
        ...

    def statistics(self) -> ChannelStatistics:
        """The books."""
        ...
