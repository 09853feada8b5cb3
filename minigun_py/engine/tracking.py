"""What a run knows of its source items: from where they are drawn to where all has ended.

A run has it only if somebody wants to know: a checkpoint, or a source with ``ack``. Items travel
as `Tracked` between the stages; the lineage says when a source item has ended, and `tell` hears of
those that ended well.

*Lock order*: the lock guards the lineage and is a leaf; `tell` is called without it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from minigun_py.contexts.answer import Harvest
from minigun_py.engine.failure import Action
from minigun_py.engine.lineage import Ending, Lineage
from minigun_py.engine.provenance import Latest, Provenance, TracedShare, Tracked
from minigun_py.engine.tracked_outputs import TrackedOutputs
from minigun_py.primitives.spool import Values
from minigun_py.record import record

__all__ = ["Ended", "SourceItem", "Tracking"]


@record
class SourceItem:
    """An item of a source, as much of it as is wanted in the end."""

    source: str
    key: str | None = None
    """By which the checkpoint knows it."""
    item: Any = None
    """Itself, if its source wants to hear of its end."""


Ended = Sequence[tuple[SourceItem, Ending]]
"""Source items, with how all that came of them has ended: finished, or as dead letters."""


class Tracking:
    """The lineage of one run. `tell` hears of the source items that have ended well."""

    def __init__(self, tell: Callable[[Ended], None]) -> None:
        self._tell = tell
        self._lock = threading.Lock()
        self._lineage: Lineage[SourceItem] = Lineage()

    def begin(self, item: SourceItem) -> int:
        """A source item is drawn. Returns its node, of one piece, which whoever draws has."""
        with self._lock:
            return self._lineage.begin(item)

    def split(self, node: int, pieces: int) -> None:
        """So many more pieces are on their way."""
        with self._lock:
            self._lineage.split(node, pieces)

    def end(self, *nodes: int) -> None:
        """A piece of each of these has ended well."""
        with self._lock:
            ended = [one for node in nodes for one in self._lineage.end(node)]
        self._told(ended)

    def failed(self, node: int, action: Action, letters: int) -> None:
        """A piece has failed outside of a worker's answer; of it so many dead letters are sent."""
        with self._lock:
            self._spoil(node, action, letters)
            ended = self._lineage.end(node)
        self._told(ended)

    def trace(
        self,
        told: Provenance,
        harvest: Harvest,
        copies: Sequence[int],
        actions: Sequence[tuple[Action, int]],
    ) -> tuple[list[Values], list[int]]:
        """Take in what came of a lease.

        Returns its outputs, by exit, as they travel on, and the node of each failure.

        Args:
            told: What came of which items.
            harvest: The outputs.
            copies: For each exit, how many stages get an output.
            actions: For each failure what becomes of it, and how many dead letters are sent.
        """
        outputs = [TrackedOutputs(values) for values in harvest.outputs]
        over = list(told.not_run)
        with self._lock:
            for node in told.not_run:
                self._lineage.spoil(node, Ending.UNFINISHED)
            blamed = [self._lineage.join(()) if n is None else n for n in told.failures]
            over += [own for own, known in zip(blamed, told.failures, strict=True) if known is None]
            for node, (action, letters) in zip(blamed, actions, strict=True):
                self._spoil(node, action, letters)
            for share in told.shares:
                node = self._node_of(share, told.latest)
                if None in told.failures:  # then nothing is known to be finished
                    self._lineage.spoil(node, Ending.UNFINISHED)
                for mine, upto, count in zip(outputs, share.lengths, copies, strict=True):
                    self._lineage.split(node, count * mine.belong_to(node, upto))
                over += [node] if told.latest is None else told.latest.replace(node)
            if told.latest is not None and told.latest.over:
                over += told.latest.replace(None)
            ended = [one for node in over for one in self._lineage.end(node)]
        self._told(ended)
        return [mine.values() for mine in outputs], blamed

    def taken_along(self, values: Iterable[Any], node: int, copies: int) -> list[Any]:
        """Outputs that leave before their item has ended, for so many stages each."""
        tracked = [Tracked(value, node) for value in values]
        self.split(node, copies * len(tracked))
        return tracked

    def handed_out(self, outputs: Iterable[Tracked]) -> Iterator[Any]:
        """The outputs for the caller, each of which has ended when the next is asked for."""
        for tracked in outputs:
            yield tracked.value
            self.end(tracked.origin)

    def _node_of(self, share: TracedShare, latest: Latest | None) -> int:
        """The node of what came with a share, of which one piece is at hand."""
        if latest is not None and latest.node is not None and not share.finished:
            self._lineage.split(latest.node, 1)
            return latest.node
        if share.part is None:
            return self._lineage.join(share.finished)
        self._lineage.split(share.part, 1)
        return self._lineage.join([*share.finished, share.part])

    def _spoil(self, node: int, action: Action, letters: int) -> None:
        kept = action is Action.DEAD_LETTER
        self._lineage.spoil(node, Ending.DEAD_LETTERED if kept else Ending.UNFINISHED)
        self._lineage.split(node, letters)

    def _told(self, ended: list[tuple[SourceItem, Ending]]) -> None:
        well = [(item, ending) for item, ending in ended if ending is not Ending.UNFINISHED]
        if well:
            self._tell(well)
