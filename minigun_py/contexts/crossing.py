"""What crosses to a worker process and back, and who is to blame when something cannot.

A lease crosses as one pickle, which is fast. If that fails on any side, the lease crosses *one by
one*: each item and each result is pickled by itself, so that exactly the item to blame fails.
Items fall back to cloudpickle, which is slow but takes lambdas and classes of ``__main__``.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Final

from minigun_py.contexts.answer import Harvest, ItemFailure, Share, StageCounts
from minigun_py.contexts.kernel import BoundKernel, Kernel
from minigun_py.contexts.portable_errors import (
    not_arrived,
    not_rebuilt,
    not_sent,
    not_sent_back,
    pack_error,
    unpack_error,
    unsendable,
)
from minigun_py.errors import NotPicklable
from minigun_py.primitives.packed import Packed, packed
from minigun_py.primitives.spool import Spool

__all__ = [
    "OneByOne",
    "blame_results",
    "failed_harvest",
    "large_parts",
    "lost_item",
    "merge",
    "pack_each",
    "pack_harvest",
    "rebuilt",
    "unpack_each",
    "unpack_harvest",
    "with_items",
]

Plain = tuple[
    list[list[Any] | Packed],
    list[tuple[int, ...]],
    list[tuple[Any, ...]],
    float,
    int,
    list[range],
    float | None,
    list[Share],
]


_NUMBERS: Final = attrgetter(*StageCounts.__match_args__)
_NOWHERE: Final[Mapping[int, int]] = {}
_NO_PARTS: Final[Mapping[int, Spool]] = {}


def pack_harvest(harvest: Harvest, head: str, forwards: Mapping[int, int] = _NOWHERE) -> Plain:
    """A harvest as plain values, its exceptions made portable.

    Items that failed in the first stage, `head`, stay behind: the parent has them. It has no need
    to look at the outputs of exits that it `forwards`, in so many parts.
    """
    counts = [_NUMBERS(stage) for stage in harvest.counts]
    failures = [_packed_failure(failure, head) for failure in harvest.failures]
    rest = harvest.seconds, harvest.held, harvest.finished, harvest.due, harvest.shares
    outputs = [
        packed([*values], forwards[way_out]) if way_out in forwards else [*values]
        for way_out, values in enumerate(harvest.outputs)
    ]
    return outputs, counts, failures, *rest


def large_parts(harvest: Harvest) -> Iterator[tuple[int, list[Any]]]:
    """What is too large to cross at once, by exit and in order; it is no part of it any more."""
    for way_out, values in enumerate(harvest.outputs):
        if isinstance(values, Spool):
            harvest.outputs[way_out] = []
            for chunk in values.chunks():
                yield way_out, chunk


def unpack_harvest(plain: Plain, parts: Mapping[int, Spool] = _NO_PARTS) -> Harvest:
    """The harvest again, its exceptions with their remote tracebacks as causes.

    `parts` is what crossed before it, by exit.
    """
    outputs, counts, failures, seconds, held, finished, due, shares = plain
    return Harvest(
        [parts.get(way_out, values) for way_out, values in enumerate(outputs)],
        [StageCounts(*numbers) for numbers in counts],
        [
            ItemFailure(stage, index, item, unpack_error((error, text)))
            for stage, index, item, error, text in failures
        ],
        seconds,
        held,
        finished,
        due,
        shares,
    )


def pack_each(items: Sequence[Any]) -> list[bytes | NotPicklable]:
    """Every item as a pickle of its own, or the reason why it cannot be one."""
    return [_pickled(item) for item in items]


def rebuilt(blob: bytes | NotPicklable) -> Any:
    """In the worker: an item of which this is what came. Raises `NotPicklable`."""
    if isinstance(blob, NotPicklable):
        raise blob
    try:
        return pickle.loads(blob)
    except Exception as error:
        raise not_arrived(error) from None


class OneByOne:
    """In the worker: items that are unpickled, run and answered for one by one, as turns."""

    def __init__(
        self, worker: BoundKernel, blobs: Iterable[bytes | NotPicklable], kernel: Kernel
    ) -> None:
        self._worker, self._blobs = worker, iter(blobs)
        self._stages, self._holds = kernel.stages, kernel.holds
        self._harvests: list[bytes] = []
        self._running = False

    def next(self) -> Iterable[Any] | None:
        """The next item that can be unpickled, by itself; None when there is none."""
        self._take_in()
        for blob in self._blobs:
            try:
                item = rebuilt(blob)
            except NotPicklable as why:
                self._lose(why.with_traceback(None))  # that of the one who looked says nothing
                continue
            self._running = True
            return (item,)
        return None

    def hand_in(self) -> list[bytes]:
        """A pickled harvest for every item; and one for what was emitted after the last."""
        self._take_in()
        self._pack(self._worker.harvest(0))
        return self._harvests

    def _take_in(self) -> None:
        if self._running:
            self._running = False
            self._pack(self._worker.harvest(1))

    def _lose(self, error: NotPicklable) -> None:
        self._pack(lost_item(self._worker.harvest(1), error, None, self._stages))

    def _pack(self, harvest: Harvest) -> None:
        try:
            packed = pickle.dumps(pack_harvest(harvest, self._stages[0]), protocol=5)
        except Exception as error:
            if self._holds:
                raise unsendable(self._stages[0], error) from error
            packed = _packed_slowly(harvest, self._stages)
        self._harvests.append(packed)


def unpack_each(
    blobs: Sequence[bytes], stages: tuple[str, ...], exits: Sequence[int], holds: bool = False
) -> Harvest:
    """The harvests of items that were run one by one, as one. Indexes are put right.

    Raises:
        Exception: One cannot be rebuilt; only if the kernel `holds`, since it may come of many
            items. Else the item fails.
    """
    load = _load if holds else partial(_load_one, stages=stages, exits=exits)
    parts = [load(blob) for blob in blobs]
    for index, part in enumerate(parts):
        part.failures = [ItemFailure(f.stage, index, f.item, f.error) for f in part.failures]
    return merge(parts, len(stages), len(exits))


def blame_results(
    harvest: Harvest, items: int, exits: Sequence[int], stages: tuple[str, ...]
) -> list[bytes] | None:
    """Results that cannot be pickled at once, pickled by item; None if they tell no item.

    Where one stage gave one result for every item that did not fail, the places tell.
    """
    counts = harvest.counts[0]
    if len(stages) > 1 or counts.filtered or not exits or counts.emitted != counts.completed:
        return None
    failed = {failure.index: failure for failure in harvest.failures}
    results = iter(harvest.outputs[0])
    shared = bool(harvest.shares)
    return [
        _packed_slowly(
            _part(next(results) if i not in failed else None, failed.get(i), shared), stages
        )
        for i in range(items)
    ]


def with_items(failures: list[ItemFailure], head: str, items: Sequence[Any]) -> list[ItemFailure]:
    """The failures of the first stage with the items that had stayed behind."""
    return [
        ItemFailure(f.stage, f.index, items[f.index], f.error) if f.stage == head else f
        for f in failures
    ]


def merge(parts: Sequence[Harvest], stages: int, exits: int) -> Harvest:
    """Several harvests of the same kernel, in order, as one."""
    outputs: list[list[Any]] = [[] for _ in range(exits)]
    total = Harvest([*outputs], [StageCounts() for _ in range(stages)])
    received = 0
    for part in parts:
        total.shares += _shifted(part.shares, received, tuple(map(len, outputs)))
        for mine, theirs in zip(outputs, part.outputs, strict=True):
            mine.extend(theirs)
        for sum_, counts in zip(total.counts, part.counts, strict=True):
            sum_.add(counts)
        total.failures.extend(part.failures)
        total.seconds += part.seconds
        total.held, total.due = part.held, part.due
        total.finished += _moved(part.finished, received)
        received += part.counts[0].received
    return total


def _shifted(shares: Sequence[Share], items: int, lengths: tuple[int, ...]) -> list[Share]:
    """Shares as they are counted behind so many items, and behind other outputs."""
    return [
        (
            _moved(finished, items),
            None if running is None else running + items,
            tuple(before + mine for before, mine in zip(lengths, these, strict=True)),
        )
        for finished, running, these in shares
    ]


def _moved(spans: Sequence[range], by: int) -> list[range]:
    return [range(span.start + by, span.stop + by) for span in spans]


def failed_harvest(error: Exception, item: Any, stages: tuple[str, ...], exits: int) -> Harvest:
    """What one item leaves that never reached, or never came back from, its first stage."""
    counts = [StageCounts() for _ in stages]
    counts[0] = StageCounts(received=1, failed=1)
    return Harvest([[] for _ in range(exits)], counts, [ItemFailure(stages[0], 0, item, error)])


def lost_item(now: Harvest, error: Exception, item: Any, stages: tuple[str, ...]) -> Harvest:
    """What one item leaves that cannot reach a worker, of which `now` is what it has then."""
    lost = failed_harvest(error, item, stages, len(now.outputs))
    lost.held, lost.finished, lost.due, lost.shares = now.held, now.finished, now.due, now.shares
    return lost


def _part(result: Any, failure: ItemFailure | None, shared: bool) -> Harvest:
    if failure is not None:
        return Harvest([[]], [StageCounts(received=1, failed=1)], [failure])
    one = Harvest([[result]], [StageCounts(received=1, completed=1, emitted=1, usual=1)])
    one.shares = [([range(1)], None, (1,))] if shared else []
    return one


def _pickled(item: Any) -> bytes | NotPicklable:
    try:
        return pickle.dumps(item, protocol=5)
    except Exception:
        pass
    try:
        return _dumped(item)
    except Exception as error:
        return not_sent(error)


def _dumped(value: Any) -> bytes:
    import cloudpickle  # here: few runs need it

    return bytes(cloudpickle.dumps(value, protocol=5))


def _packed_slowly(harvest: Harvest, stages: tuple[str, ...]) -> bytes:
    try:
        return _dumped(pack_harvest(harvest, stages[0]))
    except Exception as error:
        lost = failed_harvest(not_sent_back(error), None, stages, len(harvest.outputs))
        return pickle.dumps(pack_harvest(lost, stages[0]), protocol=5)


def _load(blob: bytes) -> Harvest:
    return unpack_harvest(pickle.loads(blob))


def _load_one(blob: bytes, stages: tuple[str, ...], exits: Sequence[int]) -> Harvest:
    try:
        return _load(blob)
    except Exception as error:
        return failed_harvest(not_rebuilt(error), None, stages, len(exits))


def _packed_failure(failure: ItemFailure, head: str) -> tuple[Any, ...]:
    item = None if failure.stage == head else _portable(failure.item)
    return failure.stage, failure.index, item, *pack_error(failure.error)


def _portable(item: Any) -> Any:
    """The item, or its repr if it cannot travel."""
    try:
        pickle.dumps(item, protocol=5)
    except Exception:
        return repr(item)
    return item
