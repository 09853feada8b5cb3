"""What is known of the items of the sources: which have begun, which are finished, who is told.

It joins the tracking of a run with what wants to know: the file of a checkpoint, and the sources
that are told of each item by their ``ack``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from minigun_py.clock import Clock
from minigun_py.contexts.registry import traits_of
from minigun_py.emission import To
from minigun_py.engine.checkpoint import Checkpoint
from minigun_py.engine.lineage import Ending
from minigun_py.engine.tracked_source import TrackedSource
from minigun_py.engine.tracking import Ended, SourceItem, Tracking
from minigun_py.errors import UsageError
from minigun_py.plan.segment import Segment

if TYPE_CHECKING:
    from minigun_py.engine.checkpoint_file import CheckpointFile

__all__ = ["SourceBooks", "check_traceable"]


class SourceBooks:
    """The books of one run about the items of its sources.

    Args:
        checkpoint: Where finished items are kept, if anywhere.
        acks: What is told of each finished item, by source.
        pipeline: Its name.
        clock: The clock of the run.
        fail: Is told of an error that ends the run.
    """

    def __init__(
        self,
        checkpoint: Checkpoint | None,
        acks: Mapping[str, Callable[[Any], Any]],
        pipeline: str,
        clock: Clock,
        fail: Callable[[Exception], None],
    ) -> None:
        self._checkpoint, self._acks, self._fail = checkpoint, acks, fail
        self._file: CheckpointFile | None = None
        if checkpoint is not None:
            from minigun_py.engine.checkpoint_file import CheckpointFile  # sqlite3 takes a moment

            self._file = CheckpointFile(checkpoint, pipeline, clock)
            self._file.check()
        self.tracking = Tracking(self._take)

    @property
    def already_finished(self) -> int:
        """Items that were left out, since an earlier run has finished them."""
        return 0 if self._file is None else self._file.left_out

    def open(self) -> None:
        """Open the file, after the workers were forked. That it cannot be opened ends the run."""
        if self._file is not None:
            try:
                self._file.open()
            except Exception as error:
                self._fail(error)

    def close(self) -> None:
        """Close it. What cannot be written ends the run."""
        if self._file is not None:
            try:
                self._file.close()
            except Exception as error:
                self._fail(error)

    def handed_out(self, outputs: Iterable[Any]) -> Iterator[Any]:
        """The outputs as the caller sees them; each has ended when the next is asked for."""
        return self.tracking.handed_out(outputs)

    def track(self, source: str, stopped: Callable[[], bool]) -> TrackedSource:
        """The tracking of one source, until nothing more of it is wanted."""
        return TrackedSource(self.tracking, partial(self._begin, source), stopped)

    def _begin(self, source: str, item: Any) -> int | None:
        """The node of an item that a source gives; None if it is finished."""
        key = None
        if self._file is not None and self._checkpoint is not None:
            key = self._checkpoint.key_of(item)
            if self._file.is_finished(source, key):
                return None
        value = (item.value if isinstance(item, To) else item) if source in self._acks else None
        return self.tracking.begin(SourceItem(source, key, value))

    def _take(self, ended: Ended) -> None:
        """Items are finished: write them down, and tell their sources."""
        if self._file is not None:
            self._file.record(
                (item.source, item.key or "", ending is Ending.DEAD_LETTERED)
                for item, ending in ended
            )
        try:
            self._acknowledge([item for item, _ in ended if item.source in self._acks])
        except Exception as error:
            error.add_note("in the ack of a source")
            self._fail(error)

    def _acknowledge(self, items: Sequence[SourceItem]) -> None:
        for item in items:
            self._acks[item.source](item.item)


def check_traceable(segment: Segment) -> None:
    """Raises `UsageError` where nobody could tell what came of which item."""
    if segment.head.keeps_items and traits_of(segment.spec.kind).runs_coroutines:
        raise UsageError(
            f"{segment.head}: it keeps items that several coroutines bring, so that nobody can "
            "tell which of them are finished; for a checkpoint, or ack, let it run in another kind "
            "of context"
        )
