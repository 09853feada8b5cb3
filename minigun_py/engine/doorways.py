"""The channels between the lanes of a run, made before any lane.

Every segment but a source has an inbox; what its feeders hold are clones of the one sender. What
the end stages emit goes to the outlet. Within a loop, a stage that something comes back to has a
backlog beside its inbox, and so has one that keeps items, which has to hear of a stall. Behind a
source whose items are there already there is no channel: the source itself is the inbox.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, Final, Protocol

from minigun_py.clock import Clock
from minigun_py.contexts.answer import WINDOW
from minigun_py.engine.dispatch import Broadcast, dispatch_for
from minigun_py.engine.inlet import Inlet
from minigun_py.engine.loop import BacklogSender, Loop, LoopInbox
from minigun_py.engine.outbox import Exitway
from minigun_py.engine.provenance import bytes_of
from minigun_py.engine.ready_source import ReadySource
from minigun_py.plan.loops import find_loops
from minigun_py.plan.options import DEFAULT_QUEUE_BYTES
from minigun_py.plan.segment import Exit, Segment
from minigun_py.primitives.backlog import Backlog
from minigun_py.primitives.channel import Receiver, Sender, open_channel

__all__ = ["Doorways", "outlet_size"]

_MOST_AT_ONCE: Final = 1000
_NONE: Final[Mapping[str, ReadySource]] = {}


def outlet_size(segments: Sequence[Segment], ready: Collection[str] = ()) -> int:
    """How many outputs there may be that nobody has looked at: as items may wait without a queue.

    Those are the places in front of stages that share a segment with the one before them, or whose
    source is `ready`, and what a source may have on its way. So no more is between a source and
    whoever takes the outputs than all stages together are allowed; and as the outlet has room for
    more than one chunk, workers go on while one is being looked at.
    """
    places = 0
    for segment in segments:
        head, *others = (stage.options.queue_size for stage in segment.stages)
        places += sum(others)
        if segment.is_source:
            places += head + WINDOW * min(head, segment.head.options.chunk or head)
        elif segment.head.name in ready:
            places += head
    return places


class Loaded(Protocol):
    """A lane that can say how much it has to do."""

    @property
    def load(self) -> int:
        """Items that wait there or are being worked on."""
        ...


class Doorways:
    """The ways into and out of the lanes."""

    def __init__(
        self,
        segments: Sequence[Segment],
        outlet: bool,
        clock: Clock,
        ready: Mapping[str, ReadySource] = _NONE,
    ) -> None:
        self._senders: dict[str, Sender[Any]] = {}
        self._inboxes: dict[str, Inlet] = {**ready}
        self._returns: dict[str, BacklogSender] = {}
        self._lanes: dict[str, Loaded] = {}
        self._loops = {
            head: loop for heads in find_loops(segments) for loop in [Loop()] for head in heads
        }
        returned_to = {t for s in segments for e in s.exits if e.feedback for t in e.targets}
        for segment in segments:
            name = segment.head.name
            if segment.is_source or name in ready:
                continue
            sender: Sender[Any]
            receiver: Receiver[Any]
            said = segment.head.options
            sender, receiver = open_channel(
                said.queue_size,
                clock=clock,
                capacity_bytes=said.queue_bytes,
                size_of=bytes_of,
            )
            self._senders[name], self._inboxes[name] = sender, receiver
            if name in returned_to or (segment.head.keeps_items and name in self._loops):
                self._add_backlog(name, receiver, said.queue_bytes)
        self.outlet: Receiver[Any] | None = None
        self.at_once = 1
        """How many outputs are to be taken from it at once, as long as somebody is at them."""
        self._outlet_sender: Sender[Any] | None = None
        if outlet:
            places = outlet_size(segments, ready)
            self.at_once = max(1, min(_MOST_AT_ONCE, places // 4))
            self._outlet_sender, self.outlet = open_channel(
                places - self.at_once,
                clock=clock,
                capacity_bytes=DEFAULT_QUEUE_BYTES,
                size_of=bytes_of,
            )

    def inbox_of(self, name: str) -> Inlet:
        """Where the items of a segment arrive."""
        return self._inboxes[name]

    def loop_of(self, name: str) -> Loop | None:
        """The loop that a segment is within."""
        return self._loops.get(name)

    def exits_of(self, segment: Segment) -> list[Exitway]:
        """The ways out of a segment, to others or to the outlet."""
        exits: list[Exitway] = []
        for way_out in segment.exits:
            if way_out.targets:
                exits.append(self._exitway(segment.head.name, way_out))
            elif self._outlet_sender is not None:
                exits.append(Exitway(Broadcast(1), [self._outlet_sender.clone()]))
        return exits

    def letter_exits_of(self, segment: Segment) -> list[Exitway]:
        """The ways out of a segment for what has failed in it."""
        return [self._exitway(segment.head.name, way_out) for way_out in segment.dead_letters]

    def measure(self, name: str, lane: Loaded) -> None:
        """Ask this lane how much its segment has to do."""
        self._lanes[name] = lane

    def close(self) -> list[Inlet]:
        """Keep no sender: the lanes hold clones. Returns every receiver, for a cut."""
        for sender in self._senders.values():
            sender.close()
        ends: list[Inlet] = list(self._inboxes.values())
        if self._outlet_sender is not None and self.outlet is not None:
            self._outlet_sender.close()
            ends.append(self.outlet)
        return ends

    def _add_backlog(self, name: str, receiver: Receiver[Any], memory: int) -> None:
        backlog = Backlog(bytes_of, memory)
        inbox = LoopInbox(receiver, backlog, self._loops[name])
        self._inboxes[name] = inbox
        self._returns[name] = BacklogSender(backlog, inbox.tell)

    def _exitway(self, home: str, way_out: Exit) -> Exitway:
        loops = [self._loops.get(target) for target in way_out.targets]
        mine = self._loops.get(home)
        dispatch = dispatch_for(
            way_out.routing, len(loops), [self._load_of(target) for target in way_out.targets]
        )
        if way_out.feedback:
            return Exitway(dispatch, [self._returns[target] for target in way_out.targets], loops)
        senders = [self._senders[target].clone() for target in way_out.targets]
        feeds = [loop for loop in loops if loop is not None and loop is not mine]
        return Exitway(dispatch, senders, loops, feeds)

    def _load_of(self, name: str) -> Callable[[], int]:
        return lambda: self._lanes[name].load
